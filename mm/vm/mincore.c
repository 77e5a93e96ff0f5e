// SPDX-License-Identifier: MIT
/*
 * mincore(2): which pages would not need I/O. Of a file that the caller neither owns nor may write, all are said to be
 * there: what others read of it is not his business.
 */
#include <octavo/pagemap.h>

#include "../base/string.h"
#include "../swap/swap.h"
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

/* @folio: with a reference, or NULL */
static u8 is_there(struct folio *folio)
{
	u8 there;

	if (!folio)
		return 0;
	there = PageUptodate(&folio->page);
	folio_put(folio);
	return there;
}

/* What would not have to be read from swap. */
static u8 in_swap_cache(unsigned long slot)
{
	return is_there(swap_cache_get_folio((swp_entry_t){ slot }));
}

static u8 in_cache(const struct vm_area_struct *vma, uintptr_t addr)
{
	unsigned long index = linear_page_index(vma, addr);
	struct address_space *mapping;
	const void *entry;

	if (vma_is_anonymous(vma) || !vma->vm_file)
		return 0;
	mapping = vma->vm_file->f_mapping;
	entry = load_relaxed(&mapping->flags) >> AS_SWAP & 1 ? xa_load(&mapping->i_pages, index) : NULL;
	if (entry && xa_is_value(entry))
		return in_swap_cache(xa_to_value(entry));
	return is_there(filemap_get_folio(mapping, index));
}

/* Of what is on its way, or went bad, one does not say that it would have to be read. */
static u8 of_entry(const struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e)
{
	swp_entry_t slot = pte_to_swp_entry(__pte(e));

	if (pgt_none_mostly(e))
		return in_cache(vma, addr);
	return pgt_present(e) || non_swap_entry(slot) ? 1 : in_swap_cache(slot.val);
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

	for (; addr < end; addr += PAGE_SIZE, entry++)
		a->vec[(addr - a->start) >> PAGE_SHIFT] = of_entry(walk->vma, addr, pgt_get(entry));
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
