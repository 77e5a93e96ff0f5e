// SPDX-License-Identifier: MIT
/*
 * Taking an OOM victim's memory away while it is still about: it may wait for something, or for somebody who waits for
 * memory, and can then not end.
 *
 * What goes is what nobody but its threads could look at, and what can be had again from nowhere: private pages, locked
 * ones included, and swap. They are about to be killed and go on as far as they get: a fault in private memory ends in
 * SIGBUS from the moment that MMF_UNSTABLE is set, which is before the first page goes. Who has a page's table locked
 * and finds the mark unset enters a page that the walk, coming later for the same lock, still takes.
 *
 * A table that others share (fork) is left as it is when its whole reach goes. Where it holds other mappings, too, it
 * is copied first, from the reserves; where there are none, it stays: the pages in it are others' as well.
 *
 * Locking. The mmap lock for reading, so that VMAs stay; it is only tried for. exit_mmap() holds it for writing and
 * sets MMF_OOM_SKIP before it lets go, so the two take turns, and the second finds nothing to do.
 */
#include <octavo/reclaim_hook.h>

#include "../pgtable/tlb.h"
#include "share.h"
#include "vm.h"

/* What is lost with it is the process's own. */
static bool may_go(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SHARED | VM_PFNMAP));
}

/* All that lies in the reach of the table at @start. */
static bool reach_may_go(const struct vm_area_struct *vma, uintptr_t start)
{
	uintptr_t last = pgt_last(1, start);

	while (vma->vm_prev && vma->vm_prev->vm_end > start)
		vma = vma->vm_prev;
	for (; vma && vma->vm_start <= last; vma = vma->vm_next)
		if (!may_go(vma))
			return false;
	return true;
}

/* Is [@addr, @end), in one table's reach, to be zapped entry by entry: is the table nobody else's, or no more so? */
static bool own_table(struct mmu_gather *tlb, struct vm_area_struct *vma, uintptr_t addr, uintptr_t end)
{
	uintptr_t start = addr & (uintptr_t)PGT_MASK(1);
	unsigned int level;
	pgt_entry_t e = pgt_get_table(pgt_descend(vma->vm_mm, addr, 1, &level));

	if (level != 1 || !pgt_table(1, e))
		return false;
	if (pgt_table_write(1, e))
		return true;
	if (reach_may_go(vma, start) && vm_drop_shared(tlb, vma->vm_mm, start))
		return false;
	return !vm_own_tables(vma, addr, end);
}

static void zap_vma(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	uintptr_t addr = vma->vm_start;

	while (addr < vma->vm_end) {
		unsigned int level;
		uintptr_t next;

		(void)pgt_descend(vma->vm_mm, addr, 1, &level);
		next = pgt_addr_end(addr, vma->vm_end, level);
		if (own_table(tlb, vma, addr, next))
			zap_page_range(tlb, vma, addr, next, NULL);
		addr = next;
	}
}

int oom_zap(struct mm_struct *mm)
{
	struct mmu_gather tlb;
	unsigned int scope;

	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	if (load_relaxed(&mm->flags) >> MMF_OOM_SKIP & 1) {
		mmap_read_unlock(mm);
		return 1;
	}
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_UNSTABLE);
	scope = memalloc_noreclaim_save();
	tlb_gather_mmu(&tlb, mm);
	for_each_vma(mm, vma)
		if (may_go(vma))
			zap_vma(&tlb, vma);
	tlb_finish_mmu(&tlb);
	memalloc_noreclaim_restore(scope);
	mmap_read_unlock(mm);
	return 0;
}
