// SPDX-License-Identifier: MIT
/*
 * mincore(2): which pages would not need I/O. Of a file that the caller neither owns nor may write, all are said to be
 * there: what others read of it is not his business.
 */
#include <octavo/pagemap.h>

#include "../base/string.h"
#include "entries.h"
#include "userfaultfd.h"

#define VEC_BYTES 256u
#define CAP_FOWNER 3u

static bool may_ask(const struct vm_area_struct *vma)
{
	const struct mm_task *task = current_task();
	const struct inode *inode;
	u32 write = 02;

	if (vma_is_anonymous(vma))
		return true;
	if (!vma->vm_file)
		return false;
	inode = vma->vm_file->f_inode;
	if (task->process->uid == inode->i_uid || task_capable(task, CAP_FOWNER) ||
	    task_capable(task, CAP_DAC_OVERRIDE))
		return true;
	if (task->process->gid == inode->i_gid)
		write = 020;
	return inode->i_mode & write;
}

struct answer {
	u8 *vec;
	uintptr_t start;
};

static u8 in_cache(const struct vm_area_struct *vma, uintptr_t addr)
{
	struct folio *folio;
	u8 there;

	if (vma_is_anonymous(vma) || !vma->vm_file)
		return 0;
	folio = filemap_get_folio(vma->vm_file->f_mapping, linear_page_index(vma, addr));
	if (!folio)
		return 0;
	there = PageUptodate(&folio->page);
	folio_put(folio);
	return there;
}

static void of_hole(struct entries_walk *walk, uintptr_t addr, uintptr_t end)
{
	struct answer *a = walk->arg;

	for (; addr < end; addr += PAGE_SIZE)
		a->vec[(addr - a->start) >> PAGE_SHIFT] = in_cache(walk->vma, addr);
}

static void of_table(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct answer *a = walk->arg;

	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		bool unmapped = pgt_none_mostly(e);

		a->vec[(addr - a->start) >> PAGE_SHIFT] = unmapped ? in_cache(walk->vma, addr) : 1;
	}
}

/* Up to @nr pages from @addr, of one VMA. Return: how many; -ENOMEM: nothing is mapped there. */
static long look(struct mm_struct *mm, uintptr_t addr, unsigned long nr, u8 *vec)
{
	struct answer a = { vec, addr };
	struct entries_walk walk = { .table = of_table, .hole = of_hole, .arg = &a };

	walk.vma = vma_lookup(mm, addr);
	if (!walk.vma)
		return -ENOMEM;
	nr = min(nr, (walk.vma->vm_end - addr) >> PAGE_SHIFT);
	if (may_ask(walk.vma))
		(void)entries_walk(&walk, addr, addr + (nr << PAGE_SHIFT));
	else
		memset(vec, 1, nr);
	return (long)nr;
}

long ksys_mincore(uintptr_t addr, size_t len, uintptr_t vec)
{
	struct mm_struct *mm = current_task()->mm;
	unsigned long pages = (len >> PAGE_SHIFT) + ((len & ~PAGE_MASK) != 0);
	u8 part[VEC_BYTES];

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (!access_ok(addr, len))
		return -ENOMEM;
	if (!access_ok(vec, pages))
		return -EFAULT;
	while (pages) {
		long got;

		mmap_read_lock(mm);
		got = look(mm, addr, min(pages, (unsigned long)VEC_BYTES), part);
		mmap_read_unlock(mm);
		if (got < 0)
			return got;
		if (copy_to_user(vec, part, (size_t)got))
			return -EFAULT;
		pages -= (unsigned long)got;
		vec += (uintptr_t)got;
		addr += (uintptr_t)got << PAGE_SHIFT;
	}
	return 0;
}
