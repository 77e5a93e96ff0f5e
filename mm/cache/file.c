// SPDX-License-Identifier: MIT
/* Inodes with a page cache, and open files on them. */
#include <octavo/slab.h>

#include "../base/handle.h"
#include "../base/part.h"
#include "../sync/spinlock.h"
#include "filemap.h"

struct mapping_list all_mappings __memsys;
static struct kmem_cache *file_cache __memsys;

static int file_init(void)
{
	spin_lock_init(&all_mappings.lock, LOCK_RANK_MAPPINGS);
	file_cache = kmem_cache_create("filp", sizeof(struct file), 0, SLAB_HWCACHE_ALIGN, NULL);
	return file_cache ? 0 : -ENOMEM;
}
MM_PART(page_cache, .order = MM_PART_FILE, .init = file_init, .verify = page_cache_verify);

/* ---- Open files ---- */

void file_set_mapping(struct file *file, struct address_space *mapping)
{
	u32 error = load_relaxed(&mapping->wb_err);

	file->f_mapping = mapping;
	file->f_wb_err = wb_err_seen(error) ? error : 0; /* one nobody has heard of is the first opener's */
	file_ra_state_init(file);
}

struct file *alloc_file(struct inode *inode, u32 mode, u32 flags, const struct file_operations *f_op)
{
	struct file *file = kmem_cache_zalloc(file_cache, GFP_KERNEL);

	if (!file)
		return NULL;
	file->f_count = 1;
	file->f_mode = mode;
	file->f_flags = flags;
	file->f_op = f_op;
	file->f_inode = inode;
	if (inode && inode->i_mapping)
		file_set_mapping(file, inode->i_mapping);
	return file;
}

void fput(struct file *file)
{
	if (atomic_sub_fetch(&file->f_count, 1))
		return;
	if (file->f_op && file->f_op->release)
		file->f_op->release(file);
	if (file->f_inode)
		iput(file->f_inode);
	kmem_cache_free(file_cache, file);
}

/* ---- Inodes ---- */

void ihold(struct inode *inode)
{
	atomic_fetch_add(&inode->i_refs, 1);
}

void iput(struct inode *inode)
{
	if (!atomic_sub_fetch(&inode->i_refs, 1) && inode->i_op && inode->i_op->evict)
		inode->i_op->evict(inode);
}

/* The newest is the last. */
static void list_mapping(struct address_space *mapping)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	mapping->all_next = NULL;
	mapping->all_prev = all_mappings.last;
	if (mapping->all_prev)
		mapping->all_prev->all_next = mapping;
	else
		all_mappings.first = mapping;
	all_mappings.last = mapping;
	all_mappings.nr++;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

/* Once nobody who goes through the list is at it. */
static void unlist_mapping(struct address_space *mapping)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	mapping->evictor = port_thread_self();
	while (mapping->visitors) {
		spin_unlock_irqrestore(&all_mappings.lock, flags);
		port_park(0);
		spin_lock_irqsave(&all_mappings.lock, flags);
	}
	mapping_forget_dirty(mapping);
	if (mapping->all_next)
		mapping->all_next->all_prev = mapping->all_prev;
	else
		all_mappings.last = mapping->all_prev;
	if (mapping->all_prev)
		mapping->all_prev->all_next = mapping->all_next;
	else
		all_mappings.first = mapping->all_next;
	all_mappings.nr--;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

/* Context: the list's lock, without which the evictor, and its thread, may be gone. */
static void leave_locked(struct address_space *mapping)
{
	if (!--mapping->visitors && mapping->evictor)
		port_unpark(mapping->evictor);
}

/* The first from @mapping on that is not on its way out, visited now; NULL: none. Context: the list's lock. */
static struct address_space *visit_locked(struct address_space *mapping)
{
	while (mapping && mapping_flag(mapping, AS_EXITING))
		mapping = mapping->all_next;
	if (mapping)
		mapping->visitors++;
	return mapping;
}

struct address_space *mapping_next(struct address_space *mapping)
{
	struct address_space *next;
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	next = visit_locked(mapping ? mapping->all_next : all_mappings.first);
	if (mapping)
		leave_locked(mapping);
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	return next;
}

void mapping_visit(struct address_space *mapping)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	mapping->visitors++;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

void mapping_leave(struct address_space *mapping)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	leave_locked(mapping);
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

int inode_init_mapping(struct inode *inode, const struct address_space_operations *a_ops, gfp_t gfp)
{
	struct address_space *mapping = &inode->i_data;

	inode->i_mapping = mapping;
	inode->i_refs = 1;
	init_rwsem(&inode->i_rwsem);
	mapping->host = inode;
	mapping->a_ops = a_ops;
	mapping->gfp_mask = GFP_HIGHUSER_MOVABLE;
	xa_init(&mapping->i_pages);
	init_rwsem(&mapping->invalidate_lock);
	init_rwsem(&mapping->i_mmap_rwsem);
	mapping->handle = handle_alloc(mapping, gfp);
	if (mapping->handle == HANDLE_NONE)
		return -ENOMEM;
	list_mapping(mapping);
	return 0;
}

void inode_evict_mapping(struct inode *inode)
{
	struct address_space *mapping = &inode->i_data;

	if (mapping->handle == HANDLE_NONE)
		return;
	atomic_fetch_or(&mapping->flags, 1ul << AS_EXITING);
	truncate_inode_pages_range(mapping, 0, ~(u64)0);
	unlist_mapping(mapping);
	flusher_leave(mapping);
	/* Reclaim, which took the last folio out, may not have let go of the lock: which is waited for here. */
	xa_destroy(&mapping->i_pages);
	handle_free(mapping->handle);
	mapping->handle = HANDLE_NONE;
}

struct address_space *folio_mapping(const struct folio *folio)
{
	u32 handle = (u32)(whole_load(&folio->page.mapping_index) >> PAGE_INDEX_BITS);
	struct address_space *mapping;

	if (!handle || handle & PAGE_MAPPING_ANON)
		return NULL;
	rcu_read_lock();
	mapping = handle_object(handle);
	rcu_read_unlock();
	return mapping;
}

unsigned long folio_index(const struct folio *folio)
{
	return (unsigned long)(whole_load(&folio->page.mapping_index) & (((u64)1 << PAGE_INDEX_BITS) - 1));
}

s64 generic_file_llseek(struct file *file, s64 offset, int whence)
{
	s64 size = (s64)i_size_read(file->f_mapping->host), base = 0;

	switch (whence) {
	case 0:
		break;
	case 1:
		base = (s64)file->f_pos;
		break;
	case 2:
		base = size;
		break;
	case 3: /* no holes but the one behind the end */
	case 4:
		if (offset < 0 || offset >= size)
			return -ENXIO;
		return whence == 3 ? offset : size;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return -EINVAL;
	return base;
}
