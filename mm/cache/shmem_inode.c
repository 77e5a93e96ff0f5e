// SPDX-License-Identifier: MIT
/* shmem's inodes: making them, giving them up, files without a directory; the verifier. shmem.c has the theory. */
#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/spinlock.h"
#include "../vm/rmap.h"
#include "shmem.h"

/* The device number of the kernel's own mount: no device has it, and every mount gets another (0:1). */
#define SHMEM_DEV 1u

static struct kmem_cache *inodes __memsys;
static spinlock_t list_lock __memsys;
static struct shmem_inode *every_inode __memsys;
static u64 last_ino __memsys;

/* ---- Instances ---- */

int shmem_reserve_inode(struct shmem_sb *sb)
{
	unsigned long used = load_relaxed(&sb->used_inodes), was;

	for (;; used = was) {
		unsigned long most = load_relaxed(&sb->max_inodes);

		if (most && used >= most)
			return -ENOSPC;
		was = atomic_cmpxchg(&sb->used_inodes, used, used + 1);
		if (was == used)
			return 0;
	}
}

void shmem_release_inode(struct shmem_sb *sb)
{
	atomic_fetch_sub(&sb->used_inodes, 1);
}

static u64 left(unsigned long most, unsigned long used)
{
	return most > used ? most - used : 0;
}

void shmem_statfs(const struct shmem_sb *sb, u64 out[4])
{
	out[0] = load_relaxed(&sb->max_blocks);
	out[1] = left(load_relaxed(&sb->max_blocks), load_relaxed(&sb->used_blocks));
	out[2] = load_relaxed(&sb->max_inodes);
	out[3] = left(load_relaxed(&sb->max_inodes), load_relaxed(&sb->used_inodes));
}

/* ---- Inodes ---- */

static void list_inode(struct shmem_inode *info)
{
	unsigned long flags;

	spin_lock_irqsave(&list_lock, flags);
	info->inode.i_ino = ++last_ino;
	info->all_next = every_inode;
	info->all_pprev = &every_inode;
	if (every_inode)
		every_inode->all_pprev = &info->all_next;
	every_inode = info;
	spin_unlock_irqrestore(&list_lock, flags);
}

static void unlist_inode(struct shmem_inode *info)
{
	unsigned long flags;

	spin_lock_irqsave(&list_lock, flags);
	*info->all_pprev = info->all_next;
	if (info->all_next)
		info->all_next->all_pprev = info->all_pprev;
	spin_unlock_irqrestore(&list_lock, flags);
}

/* Unless its last reference has gone, and it is about to leave the list. */
static bool try_hold(struct inode *inode)
{
	unsigned int refs = load_relaxed(&inode->i_refs), was;

	for (; refs; refs = was) {
		was = atomic_cmpxchg(&inode->i_refs, refs, refs + 1);
		if (was == refs)
			return true;
	}
	return false;
}

struct shmem_inode *shmem_next_swapped(struct shmem_inode *info)
{
	struct shmem_inode *next;
	unsigned long flags;

	spin_lock_irqsave(&list_lock, flags);
	next = info ? info->all_next : every_inode;
	while (next && (!load_relaxed(&next->swapped) || !try_hold(&next->inode)))
		next = next->all_next;
	spin_unlock_irqrestore(&list_lock, flags);
	if (info)
		iput(&info->inode);
	return next;
}

static void free_inode(struct rcu_head *head)
{
	kmem_cache_free(inodes, container_of(head, struct shmem_inode, rcu));
}

static void shmem_evict(struct inode *inode)
{
	struct shmem_inode *info = shmem_i(inode);

	shmem_unacct_size(info->flags, i_size_read(inode));
	/* From now on nothing goes to swap (shmem_writeout()); what is there goes. */
	atomic_fetch_or(&inode->i_mapping->flags, 1ul << AS_EXITING);
	shmem_drop_range(inode, 0, ~(u64)0);
	inode_evict_mapping(inode);
	shmem_recalc(inode, 0);
	unlist_inode(info);
	if (info->sb)
		shmem_release_inode(info->sb);
	kfree(info->name);
	call_rcu(&info->rcu, free_inode);
}

static const struct inode_operations shmem_inode_operations = {
	.evict = shmem_evict,
};

struct inode *shmem_inode_alloc(struct shmem_sb *sb, u32 mode, u64 flags)
{
	const struct mm_process *owner = current_task()->process;
	struct shmem_inode *info;
	struct inode *inode;

	if (sb && shmem_reserve_inode(sb))
		return NULL;
	info = kmem_cache_zalloc(inodes, GFP_KERNEL);
	if (!info)
		goto no_inode;
	inode = &info->inode;
	info->sb = sb;
	info->flags = flags & VM_NORESERVE;
	info->seals = F_SEAL_SEAL;
	inode->i_mode = mode;
	inode->i_uid = owner->uid;
	inode->i_gid = owner->gid;
	inode->i_nlink = 1;
	inode->i_refs = 1;
	inode->i_dev = SHMEM_DEV;
	inode->i_atime = inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
	inode->i_op = &shmem_inode_operations;
	inode->i_fop = &shmem_file_operations;
	if (inode_init_mapping(inode, &shmem_aops, GFP_KERNEL))
		goto no_mapping;
	atomic_fetch_or(&inode->i_mapping->flags, 1ul << AS_SWAP);
	list_inode(info);
	return inode;

no_mapping:
	kmem_cache_free(inodes, info);
no_inode:
	if (sb)
		shmem_release_inode(sb);
	return NULL;
}

int shmem_may_chmod(const struct inode *inode, u32 mode)
{
	const struct shmem_inode *info = shmem_i(inode);

	return load_relaxed(&info->seals) & F_SEAL_EXEC && (inode->i_mode ^ mode) & S_IXUGO ? -EPERM : 0;
}

/* ---- Files without a directory ---- */

static struct file *fail(struct inode *inode, int *err, int error)
{
	if (inode)
		iput(inode);
	*err = error;
	return NULL;
}

struct file *shmem_file_setup(const char *name, u64 size, u64 flags, int *err)
{
	struct inode *inode;
	struct file *file;

	if (size > SHMEM_MAX_BYTES)
		return fail(NULL, err, -EINVAL);
	if (shmem_acct_size(flags, size))
		return fail(NULL, err, -ENOMEM);
	inode = shmem_inode_alloc(NULL, S_IFREG | S_IRWXUGO, flags);
	if (!inode) {
		shmem_unacct_size(flags, size);
		return fail(NULL, err, -ENOMEM);
	}
	inode->i_nlink = 0;
	i_size_write(inode, size); /* from here on the inode gives back what was accounted */
	shmem_i(inode)->name = kstrdup(name, GFP_KERNEL);
	if (!shmem_i(inode)->name)
		return fail(inode, err, -ENOMEM);
	file = alloc_file(inode, FMODE_READ | FMODE_WRITE, O_RDWR, &shmem_file_operations);
	return file ? file : fail(inode, err, -ENOMEM);
}

int shmem_zero_setup(struct vm_area_struct *vma)
{
	int err;
	struct file *file = shmem_file_setup("dev/zero", vma->vm_end - vma->vm_start, vma->vm_flags, &err);

	if (!file)
		return err;
	if (vma->vm_file)
		fput(vma->vm_file);
	vma->vm_file = file;
	vma->vm_ops = &shmem_vm_ops;
	return 0;
}

/* ---- Writable mappings ---- */

#define NO_WRITERS (~0ul)

int mapping_deny_writable(struct address_space *mapping)
{
	unsigned long was = atomic_cmpxchg(&mapping->i_mmap_writable, 0, NO_WRITERS);

	return was && was != NO_WRITERS ? -EBUSY : 0;
}

void mapping_allow_writable(struct address_space *mapping)
{
	store_release(&mapping->i_mmap_writable, 0);
}

/* ---- The verifier ---- */

static void verify_folios(struct findings *f, const struct shmem_inode *info)
{
	const struct address_space *mapping = info->inode.i_mapping;
	unsigned long index = 0, pages = 0, swapped = 0;
	struct folio *folio;

	for (; (folio = xa_find(&mapping->i_pages, &index, ~0ul)); index++) {
		pages++;
		if (xa_is_value(folio)) {
			swapped++;
			continue;
		}
		if (!PageSwapBacked(&folio->page))
			finding(f, "SH-I4: inode %llu: the folio at %lu is not swapbacked",
				(unsigned long long)info->inode.i_ino, index);
		if (folio_mapped(folio) && (u64)index << PAGE_SHIFT >= i_size_read(&info->inode))
			finding(f, "SH-I3: inode %llu: a mapped page at %lu, the size is %llu",
				(unsigned long long)info->inode.i_ino, index,
				(unsigned long long)i_size_read(&info->inode));
	}
	if (swapped != info->swapped)
		finding(f, "SH-I5: inode %llu: %lu pages are swapped out, it counts %lu",
			(unsigned long long)info->inode.i_ino, swapped, info->swapped);
	if (pages != info->alloced || info->inode.i_blocks != (u64)pages * SHMEM_SECTORS)
		finding(f, "SH-I1: inode %llu: %lu pages, alloced is %lu, i_blocks %llu",
			(unsigned long long)info->inode.i_ino, pages, info->alloced,
			(unsigned long long)info->inode.i_blocks);
}

/* Is @info the first inode of its instance in the list? */
static bool first_of_instance(const struct shmem_inode *info)
{
	for (const struct shmem_inode *other = every_inode; other != info; other = other->all_next)
		if (other->sb == info->sb)
			return false;
	return true;
}

static void verify_instance(struct findings *f, const struct shmem_sb *sb)
{
	unsigned long blocks = 0, files = 0;

	for (const struct shmem_inode *info = every_inode; info; info = info->all_next)
		if (info->sb == sb) {
			blocks += info->alloced;
			files++;
		}
	if (blocks != sb->used_blocks || files > sb->used_inodes)
		finding(f, "SH-I2: an instance of %lu files with %lu pages says %lu and %lu", files, blocks,
			sb->used_inodes, sb->used_blocks);
}

static void verify(struct findings *f)
{
	for (const struct shmem_inode *info = every_inode; info; info = info->all_next) {
		verify_folios(f, info);
		if (info->sb && first_of_instance(info))
			verify_instance(f, info->sb);
	}
}

static int init(void)
{
	spin_lock_init(&list_lock, LOCK_RANK_SHMEM);
	inodes = kmem_cache_create("shmem_inode_cache", sizeof(struct shmem_inode),
				   __alignof__(struct shmem_inode), 0, NULL);
	return inodes ? 0 : -ENOMEM;
}

MM_PART(shmem, .order = MM_PART_FILES, .init = init, .verify = verify);
