// SPDX-License-Identifier: MIT
/*
 * mmap(2): arguments are looked at in the order in which Linux does, since which error a call with several faults gets
 * is behaviour, too; then what lies there is unmapped, neighbours take the new range in or it gets a VMA.
 */
#include <octavo/shmem_fs.h>

#include "account.h"
#include "userfaultfd.h"

#define MAP_TYPE 0x0ful
#define MAP_DENYWRITE 0x0800ul
#define MAP_EXECUTABLE 0x1000ul
#define MAP_UNINITIALIZED 0x4000000ul
#define MAP_ABOVE4G 0x80ul
#define MAP_HUGE_SHIFT 26
#define MAP_HUGE_MASK 0x3ful

/* What MAP_SHARED_VALIDATE lets through: flags as old as it. MAP_SYNC: files without a page cache. */
#define MAP_OLD                                                                                                       \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_UNINITIALIZED | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |        \
	 MAP_32BIT | MAP_ABOVE4G | MAP_HUGE_MASK << MAP_HUGE_SHIFT)

/* What becomes mapped. */
struct mapping {
	struct mm_struct *mm;
	struct file *file;
	uintptr_t start, end;
	unsigned long pgoff;
	vm_flags_t flags;
	unsigned long charged; /* pages accounted for it */
	bool writer;	       /* it counts as one that may write, until its VMA does */
	struct vm_area_struct *vma, *prev;
};

static vm_flags_t map_flags(unsigned long flags)
{
	return (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) | (flags & MAP_LOCKED ? VM_LOCKED : 0) |
	       (flags & MAP_SYNC ? VM_SYNC : 0) | (flags & MAP_STACK ? VM_NOHUGEPAGE : 0);
}

/* ---- Arguments ---- */

/* Offsets are signed in regular files. */
static bool file_reaches(const struct file *file, unsigned long pgoff, size_t len)
{
	u64 most = ~(u64)0 >> 1;

	if ((file->f_inode->i_mode & 0170000u) != 0100000u && (file->f_inode->i_mode & 0170000u) != 0060000u)
		most = ~0ul;
	return len <= most && pgoff <= (most - len) >> PAGE_SHIFT;
}

static int shared_file_flags(const struct file *file, unsigned long prot, vm_flags_t *flags)
{
	if (prot & PROT_WRITE && !(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (prot & PROT_WRITE && load_relaxed(&file->f_inode->i_flags) & S_SWAPFILE)
		return -ETXTBSY;
	*flags |= VM_SHARED | VM_MAYSHARE;
	if (!(file->f_mode & FMODE_WRITE))
		*flags &= ~(VM_MAYWRITE | VM_SHARED);
	return 0;
}

/* Pipes, /dev/null and their like have no pages, so no mapping either. */
static bool is_dax(const struct file *file)
{
	return file->f_mapping && load_relaxed(&file->f_mapping->flags) >> AS_DAX & 1;
}

static int file_flags(const struct mapping *m, unsigned long prot, unsigned long flags, vm_flags_t *vm_flags)
{
	const struct file *file = m->file;
	int err = 0;

	if (!file_reaches(file, m->pgoff, m->end - m->start))
		return -EOVERFLOW;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & ~(MAP_OLD | MAP_TYPE | (is_dax(file) ? MAP_SYNC : 0)))
			return -EOPNOTSUPP;
		__attribute__((fallthrough));
	case MAP_SHARED:
		err = shared_file_flags(file, prot, vm_flags);
		if (err)
			return err;
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (!file->f_op || !file->f_op->mmap)
		return -ENODEV;
	return *vm_flags & VM_GROWSDOWN ? -EINVAL : 0;
}

static int anonymous_flags(struct mapping *m, unsigned long flags, vm_flags_t *vm_flags)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
		if (*vm_flags & VM_GROWSDOWN)
			return -EINVAL;
		m->pgoff = 0;
		*vm_flags |= VM_SHARED | VM_MAYSHARE;
		return 0;
	case MAP_DROPPABLE:
		if (*vm_flags & VM_GROWSDOWN)
			return -EINVAL;
		*vm_flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
		__attribute__((fallthrough));
	case MAP_PRIVATE:
		m->pgoff = m->start >> PAGE_SHIFT;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Huge pages come from pools, which are empty: a size that exists is out of memory, others are invalid. */
static int huge_flags(const struct file *file, unsigned long flags)
{
	unsigned long shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (file || (shift && shift != PGT_SHIFT(1) && shift != PGT_SHIFT(2)))
		return -EINVAL;
	return -ENOMEM;
}

/* ---- A new range ---- */

/* A file may be sealed against shared mappings that may write: it can be looked at then, and that is all. */
static int writer_add(struct mapping *m)
{
	unsigned long *count, old, was;

	if (!m->file || !m->file->f_mapping || (m->flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return 0;
	count = &m->file->f_mapping->i_mmap_writable;
	for (old = load_relaxed(count); old != ~0ul; old = was) {
		was = atomic_cmpxchg(count, old, old + 1);
		if (was == old) {
			m->writer = true;
			return 0;
		}
	}
	if (m->flags & VM_WRITE)
		return -EPERM;
	m->flags &= ~VM_MAYWRITE;
	return 0;
}

static void writer_sub(const struct mapping *m)
{
	if (m->writer)
		(void)atomic_fetch_sub(&m->file->f_mapping->i_mmap_writable, 1);
}

static struct vm_area_struct *merge(const struct mapping *m, vm_flags_t flags, struct vm_area_struct *next, int *err)
{
	struct vma_like like = { .start = m->start, .end = m->end, .flags = flags, .pgoff = m->pgoff,
				 .file = m->file };

	return vma_merge_new(m->mm, &like, m->prev, next, err);
}

/* The file, or the shared memory that a shared anonymous mapping gets, says how its pages come. */
static int set_up(struct mapping *m)
{
	struct vm_area_struct *vma = m->vma;
	int err;

	if (m->file) {
		vma->vm_file = get_file(m->file);
		err = m->file->f_op->mmap(m->file, vma);
	} else {
		err = vma->vm_flags & VM_SHARED ? shmem_zero_setup(vma) : 0;
	}
	/* From here on the VMA itself counts as a writer, of the file that it has now. */
	if (is_writer(vma))
		(void)atomic_fetch_add(&vma->vm_file->f_mapping->i_mmap_writable, 1);
	return err;
}

/* Its owner has not heard of an open: no close either. Entries that it made go. */
static void take_back(struct vm_area_struct *vma)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, vma->vm_mm);
	zap_page_range(&tlb, vma, vma->vm_start, vma->vm_end, NULL);
	free_pgtables(&tlb, vma->vm_mm, vma->vm_start, vma->vm_end, vma->vm_prev ? vma->vm_prev->vm_end : 0,
		      vma->vm_next ? vma->vm_next->vm_start : 0);
	tlb_finish_mmu(&tlb);
}

/* Return: 0; an error: the VMA is gone. */
static int add_vma(struct mapping *m)
{
	struct vm_area_struct *vma = m->vma, *merged, *next = m->prev ? m->prev->vm_next : find_vma(m->mm, 0);
	int err;

	vma->vm_start = m->start;
	vma->vm_end = m->end;
	vma->vm_flags = m->flags;
	vma->vm_pgoff = m->pgoff;
	vma->vm_page_prot = vm_get_page_prot(m->flags);
	vma->vm_prev = m->prev;
	vma->vm_next = next;
	err = set_up(m);
	if (err) {
		take_back(vma);
		vma_discard(vma);
		return err;
	}
	/* A driver may have made it what its neighbours are. */
	if (vma->vm_flags != m->flags && vma->vm_file == m->file && (!vma->vm_ops || !vma->vm_ops->close)) {
		merged = merge(m, vma->vm_flags, next, &err);
		if (merged) {
			m->flags = vma->vm_flags;
			vma_discard(vma);
			m->vma = merged;
			return 0;
		}
	}
	m->flags = vma->vm_flags;
	err = vma_link(m->mm, vma, m->prev);
	if (err) {
		take_back(vma);
		if (vma->vm_ops && vma->vm_ops->close)
			vma->vm_ops->close(vma);
		vma_discard(vma);
	}
	return err;
}

static void account_for(struct mapping *m)
{
	struct vm_area_struct *vma = m->vma;
	unsigned long pages = pages_of(m->end - m->start);

	vm_stat_account(m->mm, m->flags, (long)pages);
	if (unlikely(m->flags & VM_LOCKED)) {
		if (vma->vm_flags & VM_SPECIAL)
			vma_change_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
		else
			m->mm->locked_vm += pages;
	}
	vma_change_flags(vma, vma->vm_flags | VM_SOFTDIRTY);
	vma_set_page_prot(vma);
}

/* Pages of VM_ACCOUNT and all pages that [start, end) has now. */
static void count_there(const struct mapping *m, struct vm_area_struct *vma, unsigned long *pages,
			unsigned long *accounted)
{
	for (; vma && vma->vm_start < m->end; vma = vma->vm_next) {
		unsigned long nr = pages_of(min(vma->vm_end, m->end) - max(vma->vm_start, m->start));

		*pages += nr;
		*accounted += vma->vm_flags & VM_ACCOUNT ? nr : 0;
	}
}

/* May it be, and is there memory for it? What is to be unmapped counts as gone. */
static int charge(struct mapping *m, struct vm_area_struct *there)
{
	const struct mm_task *task = this_task();
	unsigned long pages = pages_of(m->end - m->start), gone = 0, accounted = 0;

	if (there && there->vm_start < m->end)
		count_there(m, there, &gone, &accounted);
	if (!may_expand_vm(m->mm, task->process, m->flags, pages - gone))
		return -ENOMEM;
	if (!accountable(m->flags))
		return 0;
	m->flags |= VM_ACCOUNT;
	m->charged = pages - min(pages, accounted);
	if (m->charged && vm_acct_memory(task, m->charged))
		return -ENOMEM;
	/* do_munmap() gives back what was there; it is taken on in advance. */
	if (pages != m->charged)
		vm_acct_unchecked((long)(pages - m->charged));
	m->charged = pages;
	return 0;
}

/* Return: 0; an error before anything has changed: the VMA, if it takes one, and nodes are at hand. */
static int make_room(struct mapping *m, struct vm_area_struct *there)
{
	if (!there || there->vm_start >= m->end)
		return 0;
	m->vma = vm_area_alloc(m->mm);
	if (!m->vma)
		return -ENOMEM;
	return unmap_range(m->mm, there, m->start, m->end, 2);
}

static long map_region(struct mapping *m)
{
	struct vm_area_struct *next = vma_around(m->mm, m->start, &m->prev), *merged = NULL;
	bool in_the_way = next && next->vm_start < m->end;
	int err;

	err = charge(m, next);
	if (err)
		return (in_the_way ? cut_edges(next, m->start, m->end) : 0) ?: err;
	err = writer_add(m);
	if (err)
		goto uncharge;
	err = make_room(m, next);
	if (err)
		goto no_writer;
	if (in_the_way)
		next = vma_around(m->mm, m->start, &m->prev);
	merged = merge(m, m->flags, next, &err);
	if (merged) {
		if (m->vma)
			vma_discard(m->vma);
		m->vma = merged;
	} else {
		if (!err && !m->vma) {
			m->vma = vm_area_alloc(m->mm);
			err = m->vma ? 0 : -ENOMEM;
		}
		if (!err) {
			err = add_vma(m);
			m->vma = err ? NULL : m->vma;
		}
		if (err)
			goto no_writer;
	}
	writer_sub(m);
	account_for(m);
	return (long)m->start;
no_writer:
	if (m->vma)
		vma_discard(m->vma);
	writer_sub(m);
uncharge:
	if (m->charged)
		vm_unacct_memory(m->charged);
	return err;
}

/* ---- The call ---- */

static int lock_allowed(const struct mm_struct *mm, unsigned long flags, vm_flags_t vm_flags, size_t len)
{
	if (flags & MAP_LOCKED && !can_do_mlock())
		return -EPERM;
	return mlock_future_ok(mm, vm_flags, len) ? 0 : -EAGAIN;
}

/* Hints below what may be mapped are moved up to it. */
static uintptr_t hint(uintptr_t addr)
{
	uintptr_t least = READ_ONCE(mmap_min_addr);

	addr &= PAGE_MASK;
	return addr && addr < least ? page_align(least) : addr;
}

static unsigned long implied_exec(unsigned long prot)
{
	bool implied = this_task()->process->personality & PERSONALITY_READ_IMPLIES_EXEC;

	return implied && prot & PROT_READ ? PROT_EXEC : 0;
}

static bool wants_pages(vm_flags_t vm_flags, unsigned long flags)
{
	return vm_flags & VM_LOCKED || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

long do_mmap(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long prot,
	     unsigned long flags, vm_flags_t vm_flags, unsigned long pgoff, size_t *populate)
{
	struct mapping m = { .mm = mm, .file = file, .pgoff = pgoff };
	long ret;

	*populate = 0;
	if (!len)
		return -EINVAL;
	prot |= implied_exec(prot);
	if (flags & MAP_FIXED_NOREPLACE)
		flags |= MAP_FIXED;
	if (!(flags & MAP_FIXED))
		addr = hint(addr);
	len = page_align(len);
	if (!len)
		return -ENOMEM;
	if (pgoff + pages_of(len) < pgoff)
		return -EOVERFLOW;
	if (mm->map_count > (unsigned int)READ_ONCE(sysctl_max_map_count))
		return -ENOMEM;
	vm_flags |= prot_flags(prot) | map_flags(flags) | mm->def_flags | VM_MAY_ALL;
	ret = get_unmapped_area(mm, file, addr, len, pgoff, flags);
	if (is_error(ret))
		return ret;
	m.start = (uintptr_t)ret;
	m.end = m.start + len;
	if (flags & MAP_FIXED_NOREPLACE) {
		const struct vm_area_struct *there = find_vma(mm, m.start);

		if (there && there->vm_start < m.end)
			return -EEXIST;
	}
	ret = lock_allowed(mm, flags, vm_flags, len);
	if (!ret)
		ret = file ? file_flags(&m, prot, flags, &vm_flags) : anonymous_flags(&m, flags, &vm_flags);
	if (ret)
		return ret;
	if (mdwe_denies(mm, vm_flags, vm_flags))
		return -EACCES;
	if (flags & MAP_NORESERVE && READ_ONCE(sysctl_overcommit_memory) != OVERCOMMIT_NEVER)
		vm_flags |= VM_NORESERVE;
	m.flags = vm_flags;
	ret = map_region(&m);
	if (!is_error(ret) && unlikely(wants_pages(vm_flags, flags)))
		*populate = len;
	return ret;
}

long vm_mmap(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long prot,
	     unsigned long flags, u64 offset)
{
	size_t populate;
	long ret;

	if (offset & ~PAGE_MASK)
		return -EINVAL;
	if (unlikely(flags & MAP_HUGETLB)) {
		ret = huge_flags(file, flags);
		if (ret)
			return ret;
	}
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_mmap(mm, file, addr, len, prot, flags, 0, (unsigned long)(offset >> PAGE_SHIFT), &populate);
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	if (unlikely(populate))
		(void)mm_populate(mm, (uintptr_t)ret, (uintptr_t)ret + populate);
	return ret;
}

long ksys_mmap(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags, struct file *file, u64 offset)
{
	return vm_mmap(this_task()->mm, flags & MAP_ANONYMOUS ? NULL : file, addr, len, prot, flags, offset);
}
