// SPDX-License-Identifier: MIT
/*
 * shmem: files that are nothing but pages of the cache. tmpfs, memfd, shared anonymous memory and SysV shared memory
 * are made of it.
 *
 * Words
 *	instance: a mounted tmpfs (struct shmem_sb) with limits of its own; NULL: the kernel's own, for files without
 *	a directory.
 *	hole: an index without a folio. It reads as zeros.
 *	charged: counted against the overcommit limit (files with VM_NORESERVE: by the page; the others when their
 *	size is set) and against the instance's blocks.
 *	fallocated: a folio that is not uptodate. fallocate() has charged for it and put it there, nobody has written or
 *	mapped it yet; it reads as zeros, SEEK_DATA passes over it, and its memory is cleared when it is used first. A
 *	fallocate() that fails half way takes exactly these out again.
 *
 * Structures
 *	struct shmem_inode { struct inode } <- f_inode of its files, <- every_inode (for the verifier)
 *	       |-- i_data.i_pages: index -> folio (swapbacked, always dirty once written), or a value: swapped out
 *	       `-- sb -> struct shmem_sb { used_blocks, used_inodes }
 *
 * Invariants
 *	SH-I1  while nobody is at work, an inode's alloced is the number of its pages in the cache and in swap
 *	       (shmem_swap.c), and i_blocks is that in sectors.
 *	SH-I2  an instance's used_blocks is the sum of its inodes' alloced; used_inodes is at least their number.
 *	SH-I3  no page that lies behind the end of its file is mapped; the only ones there are fallocate()'s, with
 *	       FALLOC_FL_KEEP_SIZE.
 *	SH-I4  every folio of the cache is swapbacked.
 *
 * Locking
 *	i_rwsem: size, seals, who writes. A folio's lock: its contents' first moments, and that it stays in the cache.
 *	Faults take no i_rwsem: they look at the size under the folio's lock, and who makes a file smaller sets the size
 *	first, then unmaps, then takes folios out, each under its lock. alloced changes under i_pages' lock. It is set
 *	right by whoever comes last: one adds a page and then counts it, another takes one out and then looks how many
 *	fewer there are than were counted; either compares both numbers when it is through, so the last one is right.
 *
 * What failure does
 *	No memory for a page: -ENOMEM (a fault: out of memory). Over a limit: -ENOSPC (a fault: SIGBUS). What was
 *	charged is given back before anybody hears of it.
 *
 * Differences from Linux
 *	Files reach 2^48 bytes (Linux: 2^63), as far as a page's index goes. Pages are single ones.
 *
 * Sources: tmpfs(5), memfd_create(2), fallocate(2), lseek(2), Documentation/filesystems/tmpfs.rst.
 */
#include "shmem.h"

#include <octavo/highmem.h>

#include "../lru/lru.h"
#include "../phys/vmstat.h"
#include "../sync/atomic.h"
#include "../vm/userfaultfd.h"
#include "filemap.h"

octavo_static_assert(PAGE_INDEX_BITS + PAGE_SHIFT == 48, "the theory above, docs/shmem.md");

/* ---- Charging ---- */

static unsigned long size_pages(u64 size)
{
	return (unsigned long)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

int shmem_acct_size(u64 flags, u64 size)
{
	return flags & VM_NORESERVE ? 0 : vm_acct_memory(current_task(), size_pages(size));
}

void shmem_unacct_size(u64 flags, u64 size)
{
	if (!(flags & VM_NORESERVE))
		vm_unacct_memory(size_pages(size));
}

void shmem_unacct_tail(u64 flags, u64 planned, u64 size)
{
	if (!(flags & VM_NORESERVE))
		vm_unacct_memory(size_pages(planned) - size_pages(size));
}

int shmem_reacct_size(u64 flags, u64 old, u64 size)
{
	if (size <= old) {
		shmem_unacct_tail(flags, old, size);
		return 0;
	}
	return flags & VM_NORESERVE ? 0 : vm_acct_memory(current_task(), size_pages(size) - size_pages(old));
}

static bool take_blocks(struct shmem_sb *sb, unsigned long pages)
{
	unsigned long used = load_relaxed(&sb->used_blocks), was;

	for (;; used = was) {
		unsigned long most = load_relaxed(&sb->max_blocks);

		if (most && (used >= most || pages > most - used))
			return false;
		was = atomic_cmpxchg(&sb->used_blocks, used, used + pages);
		if (was == used)
			return true;
	}
}

static void uncharge(struct shmem_inode *info, unsigned long pages)
{
	if (info->sb)
		atomic_fetch_sub(&info->sb->used_blocks, pages);
	if (info->flags & VM_NORESERVE)
		vm_unacct_memory(pages);
}

/* A limit of memory reads as a full file system: what a file may have is what it could have been given. */
static int charge(struct shmem_inode *info, unsigned long pages)
{
	if (info->flags & VM_NORESERVE && vm_acct_memory(current_task(), pages))
		return -ENOSPC;
	if (info->sb && !take_blocks(info->sb, pages)) {
		if (info->flags & VM_NORESERVE)
			vm_unacct_memory(pages);
		return -ENOSPC;
	}
	return 0;
}

void shmem_recalc(struct inode *inode, unsigned long added)
{
	struct shmem_inode *info = shmem_i(inode);
	struct address_space *mapping = inode->i_mapping;
	unsigned long flags = xa_lock_irqsave(&mapping->i_pages), freed = 0, there;

	store_relaxed(&info->alloced, info->alloced + added);
	there = mapping->nrpages + info->swapped;
	if (info->alloced > there) {
		freed = info->alloced - there;
		store_relaxed(&info->alloced, there);
	}
	inode->i_blocks = (u64)info->alloced * SHMEM_SECTORS;
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	if (freed)
		uncharge(info, freed);
}

/* ---- Folios ---- */

void shmem_fill_zero(struct folio *folio)
{
	memzero_page(&folio->page, 0, PAGE_SIZE);
	SetPageUptodate(&folio->page);
}

static bool beyond_size(const struct inode *inode, unsigned long index)
{
	return (u64)index << PAGE_SHIFT >= i_size_read(inode);
}

static void unlock_and_put(struct folio *folio)
{
	folio_unlock(folio);
	folio_put(folio);
}

static void add_to_lists(const struct address_space *mapping, struct folio *folio)
{
	if (unlikely(mapping_flag(mapping, AS_UNEVICTABLE)))
		folio_cull(folio);
	folio_add_lru(folio);
}

/* A new folio in the cache, locked. Return: 0; -EEXIST: another was quicker; an error. */
static int add_new(struct inode *inode, unsigned long index, enum shmem_get how, struct folio **result)
{
	struct shmem_inode *info = shmem_i(inode);
	struct address_space *mapping = inode->i_mapping;
	gfp_t gfp = mapping->gfp_mask;
	struct folio *folio;
	int err = charge(info, 1);

	if (err)
		return err;
	folio = folio_alloc(how == SHMEM_CACHE ? gfp | __GFP_ZERO : gfp, 0);
	if (!folio) {
		uncharge(info, 1);
		return -ENOMEM;
	}
	__SetPageSwapBacked(&folio->page);
	__SetPageLocked(&folio->page);
	if (how == SHMEM_CACHE)
		__SetPageUptodate(&folio->page);
	err = filemap_add_folio_at(mapping, folio, index, NULL, gfp & ~__GFP_HIGHMEM);
	if (err) {
		folio_unlock(folio);
		folio_put(folio);
		uncharge(info, 1);
		return err;
	}
	add_to_lists(mapping, folio);
	shmem_recalc(inode, 1);
	*result = folio;
	return 0;
}

/*
 * What the file has at @index, in memory or brought there, locked; NULL: nothing. Return: 0, -ENOMEM, -EIO. *@major: it
 * had to be read.
 */
static int find_locked(struct inode *inode, unsigned long index, struct folio **result, bool *major)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	void *entry;
	int err;

	for (;;) {
		folio = filemap_get_folio(mapping, index);
		if (likely(folio)) {
			folio_lock(folio);
			if (likely(folio_is_at(folio, mapping, index)))
				break;
			unlock_and_put(folio);
			continue;
		}
		entry = xa_load(&mapping->i_pages, index);
		if (!entry)
			break;
		if (!xa_is_value(entry))
			continue;
		*major = true;
		err = shmem_swapin(inode, index, entry, &folio);
		if (!err)
			break;
		if (err != -EAGAIN)
			return err;
		port_cpu_relax();
	}
	*result = folio;
	return 0;
}

static int get_folio(struct inode *inode, unsigned long index, enum shmem_get how, struct folio **result, bool *major)
{
	bool inside = how <= SHMEM_CACHE;
	struct folio *folio = NULL;
	bool fresh;
	int err;

	*result = NULL;
	if ((u64)index << PAGE_SHIFT >= SHMEM_MAX_BYTES)
		return -EINVAL;
	do {
		if (inside && beyond_size(inode, index))
			return -EINVAL;
		err = find_locked(inode, index, &folio, major);
		if (err)
			return err;
		fresh = !folio;
		if (fresh && how <= SHMEM_THERE)
			return 0;
		if (fresh)
			err = add_new(inode, index, how, &folio);
		else if (!PageUptodate(&folio->page) && how != SHMEM_READ && how != SHMEM_WRITE)
			shmem_fill_zero(folio);
	} while (err == -EEXIST);
	if (err)
		return err;
	if (how == SHMEM_READ && !PageUptodate(&folio->page)) {
		unlock_and_put(folio);
		return 0;
	}
	/* The file became shorter meanwhile: who made it so may have been here before the folio was. */
	if (inside && unlikely(beyond_size(inode, index))) {
		if (fresh)
			filemap_remove_folio(folio);
		unlock_and_put(folio);
		shmem_recalc(inode, 0);
		return -EINVAL;
	}
	*result = folio;
	return 0;
}

int shmem_get_folio(struct inode *inode, unsigned long index, enum shmem_get how, struct folio **result)
{
	bool major = false;

	return get_folio(inode, index, how, result, &major);
}

/* An index changes from folio to value and back while reclaim is at work; so often in a row it does not. */
#define LOOKS 16u

/* What was on its way out or in while the rest of [@first, @last] went. */
static void drop_stragglers(struct inode *inode, unsigned long first, unsigned long last)
{
	struct address_space *mapping = inode->i_mapping;
	unsigned long index = first, at = ~0ul;
	unsigned int looks = 0;
	bool more;

	for (;;) {
		rcu_read_lock();
		more = xa_find(&mapping->i_pages, &index, last);
		rcu_read_unlock();
		if (!more)
			return;
		looks = index == at ? looks + 1 : 0;
		at = index;
		shmem_forget_swapped(inode, index, index);
		truncate_inode_pages_range(mapping, (u64)index << PAGE_SHIFT,
					   ((u64)index << PAGE_SHIFT) + PAGE_SIZE - 1);
		/* A hole may be filled again at once. */
		if (looks == LOOKS && index++ == last)
			return;
	}
}

/* Bytes [@from, @to) of the page that @at is in. It is brought in for that. */
static void zero_part(struct inode *inode, u64 at, size_t from, size_t to)
{
	struct folio *folio = NULL;
	bool major = false;

	if (find_locked(inode, (unsigned long)(at >> PAGE_SHIFT), &folio, &major) || !folio)
		return;
	if (PageUptodate(&folio->page)) {
		memzero_page(&folio->page, from, to - from);
		if (!PageDirty(&folio->page))
			SetPageDirty(&folio->page);
	}
	unlock_and_put(folio);
}

void shmem_drop_range(struct inode *inode, u64 start, u64 last)
{
	u64 first = ALIGN(start, (u64)PAGE_SIZE), end = last == ~(u64)0 ? last : ALIGN_DOWN(last + 1, (u64)PAGE_SIZE);
	size_t from = (size_t)(start & ~PAGE_MASK), to = (size_t)((last + 1) & ~PAGE_MASK);

	if (first > end) {
		zero_part(inode, start, from, to);
	} else {
		if (from)
			zero_part(inode, start, from, PAGE_SIZE);
		if (to)
			zero_part(inode, last, 0, to);
	}
	if (first < end) {
		u64 behind = end == ~(u64)0 ? end : end - 1;

		truncate_inode_pages_range(inode->i_mapping, first, behind);
		drop_stragglers(inode, file_index(first), file_index(behind));
	}
	shmem_recalc(inode, 0);
}

/* ---- Faults ---- */

static noinline vm_fault_t fault_slowly(struct vm_fault *vmf)
{
	bool told = vmf->vma->vm_flags & VM_UFFD_MISSING, major = false;
	struct folio *folio;
	int err = get_folio(vmf->vma->vm_file->f_inode, vmf->pgoff, told ? SHMEM_THERE : SHMEM_CACHE, &folio, &major);

	if (unlikely(err))
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	if (unlikely(!folio))
		return handle_userfault(vmf, VM_UFFD_MISSING);
	vmf->page = &folio->page;
	return VM_FAULT_LOCKED | (major ? VM_FAULT_MAJOR : 0);
}

vm_fault_t shmem_fault(struct vm_fault *vmf)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	struct folio *folio = filemap_get_folio(mapping, vmf->pgoff);

	/* What nearly all want: it is there, and nobody has it locked. */
	if (likely(folio)) {
		if (likely(folio_trylock(folio))) {
			if (likely(folio_is_at(folio, mapping, vmf->pgoff) && PageUptodate(&folio->page) &&
				   !beyond_size(mapping->host, vmf->pgoff))) {
				vmf->page = &folio->page;
				return VM_FAULT_LOCKED;
			}
			folio_unlock(folio);
		}
		folio_put(folio);
	}
	return fault_slowly(vmf);
}

/* ---- userfaultfd ---- */

static int add_fresh(struct inode *inode, unsigned long index, struct folio *fresh)
{
	struct shmem_inode *info = shmem_i(inode);
	int err = charge(info, 1);

	if (err)
		return err == -ENOSPC ? -ENOMEM : err;
	__SetPageSwapBacked(&fresh->page);
	__SetPageUptodate(&fresh->page);
	__SetPageLocked(&fresh->page);
	err = filemap_add_folio_at(inode->i_mapping, fresh, index, NULL, inode->i_mapping->gfp_mask & ~__GFP_HIGHMEM);
	if (err) {
		folio_unlock(fresh);
		ClearPageSwapBacked(&fresh->page);
		uncharge(info, 1);
		return err;
	}
	folio_get(fresh);
	add_to_lists(inode->i_mapping, fresh);
	shmem_recalc(inode, 1);
	/* It may be shorter by now, and who made it so may have been here before the page was. */
	if (likely(!beyond_size(inode, index)))
		return 0;
	filemap_remove_folio(fresh);
	unlock_and_put(fresh);
	shmem_recalc(inode, 0);
	return -EFAULT;
}

static int shmem_userfault_page(struct vm_area_struct *vma, unsigned long pgoff, struct folio *fresh,
				struct folio **folio)
{
	struct inode *inode = vma->vm_file->f_inode;
	int err;

	if (beyond_size(inode, pgoff))
		return -EFAULT;
	if (!folio) {
		return xa_load(&inode->i_mapping->i_pages, pgoff) ? 0 : -ENOENT;
	}
	if (fresh) {
		*folio = fresh;
		return add_fresh(inode, pgoff, fresh);
	}
	err = shmem_get_folio(inode, pgoff, SHMEM_THERE, folio);
	if (err)
		return err == -EINVAL ? -EFAULT : err;
	if (!*folio)
		return -ENOENT;
	if (unlikely(PageHWPoison(&(*folio)->page))) {
		unlock_and_put(*folio);
		return -EIO;
	}
	return 0;
}

const struct vm_operations_struct shmem_vm_ops = {
	.fault = shmem_fault,
	.map_pages = filemap_map_pages,
	.userfault_page = shmem_userfault_page,
};

const struct address_space_operations shmem_aops = {
	.dirty_folio = noop_dirty_folio,
};

int shmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	u32 seals = load_relaxed(&shmem_i(file->f_inode)->seals);

	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) && vma->vm_flags & VM_SHARED) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		/* It may be looked at, and mprotect() must not make more of that. */
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vma->vm_ops = &shmem_vm_ops;
	return 0;
}
