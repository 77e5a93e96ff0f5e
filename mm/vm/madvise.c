// SPDX-License-Identifier: MIT
/*
 * madvise(2): what a program knows of its memory. process_madvise(2), names of anonymous memory (prctl(2)).
 *
 * Words
 *	advice that changes a VMA's flags (normal, random, dontfork ...) splits and merges VMAs: mmap lock for writing.
 *	advice about pages (dontneed, free, cold ...): mmap lock for reading, while faults go on.
 *	hole: a part of the range that is not mapped: the rest is done, and then it is -ENOMEM.
 *	lazily free: MADV_FREE took PG_swapbacked off an anonymous folio and the dirty bit off its entry. Whoever looks
 *	for memory may take it as long as both stay off; a write sets the entry's bit, and the folio is wanted again.
 *
 * Invariants
 *	MO-I4  advice other than dontneed, remove and free changes no byte; what is lazily free keeps its contents while
 *	       memory is not short, and once it is written to, for good.
 *
 * Locking
 *	madvise_remove() and willneed let go of the mmap lock while the file works; the walk looks the VMA up again.
 *
 * What failure does
 *	An error ends the walk; what came before stays done, as Linux has it. -EAGAIN: no memory to split a VMA.
 *
 * Differences from Linux
 *	MADV_MERGEABLE and _UNMERGEABLE, and MADV_COLLAPSE are unknown (-EINVAL), as in a Linux built without KSM and
 *	huge pages. Of MADV_HWPOISON and _SOFT_OFFLINE memory_failure.c says what is different. Pageout of what would
 *	have to be swapped only takes marks of use away, as where there is no swap space; what is lazily free, or
 *	MAP_DROPPABLE, goes.
 *
 * Sources: madvise(2), process_madvise(2), prctl(2); the order of checks by experiment.
 */
#include "madvise.h"

#include <octavo/pagemap.h>
#include <octavo/slab.h>
#include <octavo/shmem_fs.h>

#include "../base/string.h"
#include "gup.h"
#include "memory_failure.h"
#include "rmap.h"
#include "userfaultfd.h"

static bool known(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_DONTNEED_LOCKED:
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return true;
	default:
		return false;
	}
}

static bool about_pages(int advice)
{
	switch (advice) {
	case MADV_REMOVE:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_FREE:
		return true;
	default:
		return false;
	}
}

static bool discards(int advice)
{
	switch (advice) {
	case MADV_FREE:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_WIPEONFORK:
		return true;
	default:
		return false;
	}
}

/* A sealed mapping that the caller may not write to must not lose what is in it by other means. */
static bool sealed_against(const struct vm_area_struct *vma, int advice)
{
	if (likely(!(vma->vm_flags & VM_SEALED)) || !discards(advice) || vma->vm_file || vma->vm_flags & VM_SHARED)
		return false;
	return !(vma->vm_flags & VM_WRITE) ||
	       current_task()->pkru >> 2 * ((vma->vm_flags & VM_PKEY_MASK) >> VM_PKEY_SHIFT) & 3u;
}

/* ---- Advice that is a flag ---- */

/* *@flags as @advice has them. Return: 0 or -EINVAL. */
static int flags_of(const struct vm_area_struct *vma, int advice, vm_flags_t *flags)
{
	vm_flags_t set = 0, clear = 0;

	switch (advice) {
	case MADV_NORMAL:
		clear = VM_RAND_READ | VM_SEQ_READ;
		break;
	case MADV_SEQUENTIAL:
		set = VM_SEQ_READ;
		clear = VM_RAND_READ;
		break;
	case MADV_RANDOM:
		set = VM_RAND_READ;
		clear = VM_SEQ_READ;
		break;
	case MADV_DONTFORK:
		set = VM_DONTCOPY;
		break;
	case MADV_DOFORK:
		if (vma->vm_flags & VM_IO)
			return -EINVAL;
		clear = VM_DONTCOPY;
		break;
	case MADV_WIPEONFORK:
		if (vma->vm_file || vma->vm_flags & VM_SHARED)
			return -EINVAL;
		set = VM_WIPEONFORK;
		break;
	case MADV_KEEPONFORK:
		if (vma->vm_flags & VM_DROPPABLE)
			return -EINVAL;
		clear = VM_WIPEONFORK;
		break;
	case MADV_DONTDUMP:
		set = VM_DONTDUMP;
		break;
	case MADV_DODUMP:
		if (vma->vm_flags & (VM_SPECIAL | VM_DROPPABLE))
			return -EINVAL;
		clear = VM_DONTDUMP;
		break;
	case MADV_HUGEPAGE:
		set = VM_HUGEPAGE;
		clear = VM_NOHUGEPAGE;
		break;
	case MADV_NOHUGEPAGE:
		set = VM_NOHUGEPAGE;
		clear = VM_HUGEPAGE;
		break;
	default:
		return -EINVAL;
	}
	*flags = (vma->vm_flags & ~clear) | set;
	return 0;
}

static int advise_flags(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, int advice)
{
	vm_flags_t flags;
	int err = flags_of(vma, advice, &flags);

	if (err || flags == vma->vm_flags)
		return err;
	if (!vma_modify_flags(vma, start, end, flags, &err))
		return err == -ENOMEM ? -EAGAIN : err;
	return 0;
}

/* ---- Advice about pages ---- */

/* The mmap lock is let go of while the file works: who walks must look again. */
static long remove(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct file *file = vma->vm_file;
	u64 offset = (u64)linear_page_index(vma, start) << PAGE_SHIFT;
	long err;

	if (vma->vm_flags & VM_LOCKED || !file || !file->f_mapping)
		return -EINVAL;
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return -EACCES;
	get_file(file);
	if (unlikely(vma->vm_flags & VM_UFFD_ANY))
		(void)userfaultfd_remove(vma, start, end);
	mmap_read_unlock(mm);
	err = file->f_op->fallocate ?
		      file->f_op->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, end - start) :
		      -EOPNOTSUPP;
	fput(file);
	mmap_read_lock(mm);
	return err;
}

bool vma_has_backing(const struct vm_area_struct *vma)
{
	const struct address_space *mapping = vma->vm_file && vma->vm_ops ? vma->vm_file->f_mapping : NULL;

	return mapping && mapping->a_ops && mapping->a_ops->read_folio;
}

static long willneed(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct file *file = vma->vm_file;
	u64 offset = (u64)linear_page_index(vma, start) << PAGE_SHIFT;

	if (vma_is_anonymous(vma)) {
		madvise_swapin(vma, start, end);
		return 0;
	}
	/* Of memory that is mapped without pages of a file's nothing can be brought in. */
	if (!file || !file->f_mapping || load_relaxed(&file->f_mapping->flags) >> AS_DAX & 1)
		return 0;
	get_file(file);
	mmap_read_unlock(mm);
	(void)generic_fadvise(file, offset, end - start, POSIX_FADV_WILLNEED);
	fput(file);
	mmap_read_lock(mm);
	return 0;
}

/* A reader is told before anything goes, without the lock. Return: the VMA that is at @start then, or NULL. */
static struct vm_area_struct *tell_removal(struct vm_area_struct *vma, uintptr_t start, uintptr_t *end)
{
	struct mm_struct *mm = vma->vm_mm;

	if (userfaultfd_remove(vma, start, *end))
		return vma;
	vma = vma_lookup(mm, start);
	if (vma)
		*end = min(*end, vma->vm_end);
	return vma;
}

static bool empties(const struct vm_area_struct *vma, int advice)
{
	if (advice == MADV_FREE && !vma_is_anonymous(vma))
		return false;
	return (advice == MADV_DONTNEED_LOCKED || !(vma->vm_flags & VM_LOCKED)) &&
	       (advice == MADV_FREE || advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED);
}

static long advise_pages(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, int advice)
{
	vm_flags_t flags;

	if (unlikely(vma->vm_flags & VM_UFFD_ANY) && empties(vma, advice))
		vma = tell_removal(vma, start, &end);
	if (unlikely(!vma))
		return -ENOMEM;
	flags = vma->vm_flags;
	switch (advice) {
	case MADV_REMOVE:
		return remove(vma, start, end);
	case MADV_WILLNEED:
		return willneed(vma, start, end);
	case MADV_DONTNEED:
		return flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB) ? -EINVAL : madvise_dontneed(vma, start, end);
	case MADV_DONTNEED_LOCKED:
		return flags & (VM_PFNMAP | VM_HUGETLB) ? -EINVAL : madvise_dontneed(vma, start, end);
	case MADV_FREE:
		if (flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB) || !vma_is_anonymous(vma))
			return -EINVAL;
		return madvise_free(vma, start, end);
	case MADV_COLD:
		return flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB) ? -EINVAL : madvise_cold(vma, start, end);
	default:
		return flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB) ? -EINVAL : madvise_pageout(vma, start, end);
	}
}

/* ---- The range ---- */

static long advise_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, int advice)
{
	bool pages = about_pages(advice);
	long hole = 0, err;

	while (start < end) {
		struct vm_area_struct *vma = find_vma(mm, start);
		uintptr_t stop;

		if (!vma || vma->vm_start >= end)
			return -ENOMEM;
		if (vma->vm_start > start) {
			hole = -ENOMEM;
			start = vma->vm_start;
		}
		stop = min(vma->vm_end, end);
		if (unlikely(sealed_against(vma, advice)))
			return -EPERM;
		err = pages ? advise_pages(vma, start, stop, advice) : advise_flags(vma, start, stop, advice);
		if (unlikely(err))
			return err;
		start = stop;
	}
	return hole;
}

/* What may be faulted in: mapped for it, and pages at all. */
static bool may_populate(const struct vm_area_struct *vma, bool write)
{
	return !(vma->vm_flags & (VM_IO | VM_PFNMAP)) && vma->vm_flags & (write ? VM_WRITE : VM_READ);
}

static long populate(struct mm_struct *mm, uintptr_t start, uintptr_t end, bool write)
{
	bool locked = false;
	long err = 0;

	while (!err && start < end) {
		struct vm_area_struct *vma;

		if (!locked && mmap_read_lock_killable(mm))
			return -EINTR;
		locked = true;
		vma = vma_lookup(mm, start);
		if (!vma) {
			err = -ENOMEM;
			break;
		}
		/* When it is let go of half way, @start is where to go on, in whatever VMA is there by then. */
		err = may_populate(vma, write) ?
			      populate_vma_range(vma, &start, min(vma->vm_end, end), write, &locked) : -EINVAL;
	}
	if (locked)
		mmap_read_unlock(mm);
	return err;
}

/* Memory is to be treated as if it had gone bad, or were about to. */
static long inject_failures(uintptr_t start, uintptr_t end, int advice)
{
	if (!task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	while (start < end) {
		struct page *page;
		long err = get_user_pages_fast(start, 1, 0, &page);

		if (err < 0)
			return err;
		start += folio_size(page_folio(page));
		err = advice == MADV_HWPOISON ? memory_failure(page) : soft_offline_page(page);
		if (err)
			return err;
	}
	return 0;
}

static long madvise_in(struct mm_struct *mm, uintptr_t start, size_t len_in, int advice)
{
	size_t len = ALIGN(len_in, PAGE_SIZE);
	uintptr_t end = start + len;
	long err;

	if (!known(advice) || start & ~PAGE_MASK || (len_in && !len) || end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE)
		return inject_failures(start, end, advice);
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return populate(mm, start, end, advice == MADV_POPULATE_WRITE);
	if (about_pages(advice)) {
		mmap_read_lock(mm);
		err = advise_range(mm, start, end, advice);
		mmap_read_unlock(mm);
		return err;
	}
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = advise_range(mm, start, end, advice);
	mmap_write_unlock(mm);
	return err;
}

long ksys_madvise(uintptr_t addr, size_t len, int advice)
{
	return madvise_in(current_task()->mm, addr, len, advice);
}

long ksys_process_madvise(struct mm_struct *mm, uintptr_t addr, size_t len, int advice)
{
	const struct mm_task *task = current_task();

	if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED)
		return -EINVAL;
	if (mm != task->mm && !task_capable(task, CAP_SYS_NICE))
		return -EPERM;
	return madvise_in(mm, addr, len, advice);
}

/* ---- Names ---- */

#define NAME_BYTES 80u /* with the NUL */

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || strchr("\\`$[]", name[i]))
			return false;
	return len < NAME_BYTES;
}

/* Anonymous memory, shared or not. */
static bool may_be_named(const struct vm_area_struct *vma)
{
	return !vma->vm_file || (vma->vm_file->f_op == &shmem_file_operations && !vma->vm_file->f_inode->i_nlink);
}

static long name_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, struct anon_vma_name *name)
{
	const struct vma_change change = { .flags = VMA_FLAGS_STAY, .anon_name = name ? name : VMA_NOTHING };
	long hole = 0;
	int err;

	while (start < end) {
		struct vm_area_struct *vma = find_vma(mm, start);
		uintptr_t stop;

		if (!vma || vma->vm_start >= end)
			return -ENOMEM;
		if (vma->vm_start > start) {
			hole = -ENOMEM;
			start = vma->vm_start;
		}
		if (!may_be_named(vma))
			return -EBADF;
		stop = min(vma->vm_end, end);
		if (!vma_modify(vma, start, stop, &change, &err))
			return err == -ENOMEM ? -EAGAIN : err;
		start = stop;
	}
	return hole;
}

long ksys_set_vma_name(uintptr_t addr, size_t len_in, const char *text)
{
	struct mm_struct *mm = current_task()->mm;
	struct anon_vma_name *name = NULL;
	size_t len = ALIGN(len_in, PAGE_SIZE);
	long err;

	if (text && !name_ok(text))
		return -EINVAL;
	if (addr & ~PAGE_MASK || (len_in && !len) || addr + len < addr)
		return -EINVAL;
	if (!len)
		return 0;
	if (text) {
		name = anon_vma_name_alloc(text);
		if (!name)
			return -ENOMEM;
	}
	if (mmap_write_lock_killable(mm)) {
		err = -EINTR;
	} else {
		err = name_range(mm, addr, addr + len, name);
		mmap_write_unlock(mm);
	}
	if (name)
		anon_vma_name_put(name);
	return err;
}
