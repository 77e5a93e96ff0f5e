// SPDX-License-Identifier: MIT
/* What stands in for tlb.c in a build without it: one CPU, whose TLB is flushed whole; tables go at once. */
#include "tables.h"
#include "tlb.h"

__weak bool flush_tlb_mm_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, unsigned int stride_shift,
			       bool freed_tables)
{
	(void)mm, (void)start, (void)end, (void)stride_shift, (void)freed_tables;
	port_tlb_flush_all();
	return true;
}

__weak bool flush_tlb_kernel_range(uintptr_t start, uintptr_t end)
{
	(void)start, (void)end;
	port_tlb_flush_all();
	return true;
}

__weak bool tlb_leave_everywhere(struct mm_struct *mm)
{
	(void)mm;
	return true;
}

__weak void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb->mm = mm;
	tlb->tables = NULL;
}

__weak void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb_gather_mmu(tlb, mm);
}

__weak void tlb_remove_entry(struct mmu_gather *tlb, unsigned int level, uintptr_t virt)
{
	(void)tlb, (void)level, (void)virt;
}

__weak void tlb_remove_table(struct mmu_gather *tlb, pgt_entry_t *table, uintptr_t virt)
{
	(void)virt;
	port_tlb_flush_all();
	pgt_table_free(tlb->mm, table);
}

__weak void tlb_finish_mmu(struct mmu_gather *tlb)
{
	(void)tlb;
	port_tlb_flush_all();
}
