// SPDX-License-Identifier: MIT
/*
 * mmu_gather: what an unmapping takes out of an address space is kept here until the flush that covers it has returned
 * (TL-I5), one flush for many pages.
 *
 * Pages wait in batches, in the order they came, so that frames which lay side by side go back side by side. The first
 * batch is part of the gather; others are pages of their own, and where there is none to be had, tlb_remove_page() asks
 * for an early flush instead. Tables wait in a list of their own descriptors, which needs no memory.
 *
 * Two gathers of one address space may overlap: the second finds an entry gone already and has nothing to flush there,
 * though the first has not flushed yet. mm->gathers tells: who was not alone to the end flushes everything, so that
 * at the return of each no CPU uses what either took out.
 *
 * Nor need anything be left in the range, since reclaim took it out and has not flushed yet: then the address space
 * owes a flush, which is made here (tlb.h).
 *
 * After a flush that could not reach all CPUs nothing is freed: lost memory is better than memory with two owners.
 */
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "../base/printk.h"
#include "../phys/page_alloc.h"
#include "../sync/atomic.h"
#include "tables.h"
#include "tlb.h"

#define BATCH_PAGES ((unsigned int)((PAGE_SIZE - sizeof(struct mmu_gather_batch)) / sizeof(struct page *)))

/* Pages in one go, as in Linux: a flush now and then bounds how long a caller may hold on to its memory. */
#define BATCHES_MAX (10000u / BATCH_PAGES)

octavo_static_assert(offsetof(struct mmu_gather, bundle) ==
			     offsetof(struct mmu_gather, local) + offsetof(struct mmu_gather_batch, pages),
		     "the bundle is where the local batch's pages are");

static void range_reset(struct mmu_gather *tlb)
{
	tlb->start = UINTPTR_MAX;
	tlb->end = 0;
	tlb->freed_tables = false;
	tlb->need_flush_all = false;
	tlb->cleared_levels = 0;
}

static void gather_begin(struct mmu_gather *tlb, struct mm_struct *mm, bool fullmm)
{
	tlb->mm = mm;
	tlb->fullmm = fullmm;
	range_reset(tlb);
	tlb->local.next = NULL;
	tlb->local.nr = 0;
	tlb->local.max = MMU_GATHER_BUNDLE;
	tlb->active = &tlb->local;
	tlb->batches = 0;
	tlb->tables = NULL;
	/* A full barrier: whoever clears an entry after this has its gather seen by others who look for the entry. */
	(void)atomic_fetch_add(&mm->gathers, 1);
	smp_mb__after_atomic();
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	gather_begin(tlb, mm, false);
}

void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm)
{
	gather_begin(tlb, mm, true);
}

static void range_add(struct mmu_gather *tlb, uintptr_t start, u64 size)
{
	uintptr_t end = start + (uintptr_t)size;

	tlb->start = min(tlb->start, start);
	tlb->end = max(tlb->end, end > start ? end : UINTPTR_MAX);
}

/* Will a flush of the range as it is reach into the @size bytes around @virt? */
static bool range_meets(const struct mmu_gather *tlb, uintptr_t virt, u64 size)
{
	u64 base = virt & ~(size - 1);

	return tlb->start < tlb->end && tlb->start <= base + (size - 1) && tlb->end > base;
}

void tlb_remove_entry(struct mmu_gather *tlb, unsigned int level, uintptr_t virt)
{
	range_add(tlb, virt & (uintptr_t)PGT_MASK(level), PGT_SIZE(level));
	tlb->cleared_levels |= (u8)(1u << level);
}

void tlb_remove_table(struct mmu_gather *tlb, pgt_entry_t *table, uintptr_t virt)
{
	/* Tables of the boot have descriptors that nobody may have looked at yet. */
	struct page *page = pfn_to_online_page(PFN_DOWN(pgt_table_phys_of(table)));

	tlb->freed_tables = true;
	if (unlikely(!page)) {
		range_add(tlb, ALIGN_DOWN(virt, PAGE_SIZE), PAGE_SIZE);
		pr_err("tlb_remove_table: the table at %p lies in no memory; it stays out of use\n", (void *)table);
		return;
	}
	if (!range_meets(tlb, virt, PGT_SIZE(pgt_page_of(page)->level + 1u)))
		range_add(tlb, ALIGN_DOWN(virt, PAGE_SIZE), PAGE_SIZE);
	set_page_private(page, (u64)(uintptr_t)tlb->tables);
	tlb->tables = page;
}

/* ---- Pages ---- */

static bool next_batch(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch = tlb->active->next;

	if (!batch && tlb->batches < BATCHES_MAX) {
		batch = (struct mmu_gather_batch *)__get_free_page(GFP_NOWAIT | __GFP_NOWARN);
		if (batch) {
			batch->next = NULL;
			batch->max = BATCH_PAGES;
			tlb->active->next = batch;
			tlb->batches++;
		}
	}
	if (!batch)
		return false;
	batch->nr = 0;
	tlb->active = batch;
	return true;
}

bool tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
	struct mmu_gather_batch *batch = tlb->active;

	if (unlikely(batch->nr == batch->max)) {
		pr_err("tlb_remove_page: no room for pfn %#lx, the caller did not flush; it stays out of use\n",
		       page_to_pfn(page));
		return true;
	}
	batch->pages[batch->nr++] = page;
	return batch->nr == batch->max && !next_batch(tlb);
}

/* In a batch, a table that is shared is told from a page by this bit of its pointer. */
#define IS_TABLE ((uintptr_t)1)

void (*tlb_shared_table_put)(struct mm_struct *mm, struct page *table) __memsys;

bool tlb_leave_table(struct mmu_gather *tlb, struct page *table, uintptr_t virt)
{
	range_add(tlb, virt & (uintptr_t)PGT_MASK(1), PGT_SIZE(1));
	tlb->cleared_levels |= 1;
	tlb->freed_tables = true;
	return tlb_remove_page(tlb, (struct page *)((uintptr_t)table | IS_TABLE));
}

/* Pages by the row, and tables that others go on using between them. */
static void batch_put(struct mm_struct *mm, const struct mmu_gather_batch *batch)
{
	for (unsigned int i = 0, first = 0; i <= batch->nr; i++) {
		uintptr_t page = i < batch->nr ? (uintptr_t)batch->pages[i] : IS_TABLE;

		if (likely(!(page & IS_TABLE)))
			continue;
		if (i > first)
			release_pages(batch->pages + first, i - first);
		if (i < batch->nr)
			tlb_shared_table_put(mm, (struct page *)(page & ~IS_TABLE));
		first = i + 1;
	}
}

static unsigned long pages_put(struct mmu_gather *tlb, bool flushed)
{
	unsigned long kept = 0;

	for (struct mmu_gather_batch *batch = &tlb->local; batch; batch = batch->next) {
		if (flushed)
			batch_put(tlb->mm, batch);
		else
			kept += batch->nr;
		batch->nr = 0;
	}
	tlb->active = &tlb->local;
	return kept;
}

static unsigned long tables_put(struct mmu_gather *tlb, bool flushed)
{
	struct page *page = tlb->tables, *first = NULL;
	unsigned long kept = 0;

	while (page) {
		struct page *next = (struct page *)(uintptr_t)page_private(page);

		set_page_private(page, (u64)(uintptr_t)first);
		first = page;
		page = next;
	}
	tlb->tables = NULL;
	for (page = first; page; page = first) {
		first = (struct page *)(uintptr_t)page_private(page);
		set_page_private(page, 0);
		if (flushed)
			pgt_table_free(tlb->mm, page_address(page));
		else
			kept++;
	}
	return kept;
}

/* ---- Flushing ---- */

/* Address bits of the smallest leaf that went. */
static unsigned int stride_shift(const struct mmu_gather *tlb)
{
	return tlb->cleared_levels ? PGT_SHIFT(lowest_bit(tlb->cleared_levels)) : PAGE_SHIFT;
}

static bool gather_flush(struct mmu_gather *tlb)
{
	bool flushed = true;

	if (tlb->fullmm || tlb->need_flush_all)
		flushed = flush_tlb_mm(tlb->mm);
	else if (tlb->start < tlb->end)
		flushed = flush_tlb_mm_range(tlb->mm, tlb->start, tlb->end, stride_shift(tlb), tlb->freed_tables);
	else
		flushed = tlb_settle(tlb->mm);
	range_reset(tlb);
	return flushed;
}

void tlb_flush_mmu(struct mmu_gather *tlb)
{
	bool flushed = gather_flush(tlb);
	unsigned long pages = pages_put(tlb, flushed);
	unsigned long tables = tables_put(tlb, flushed);

	if (unlikely(pages || tables))
		pr_err("TLB: %lu pages and %lu tables stay out of use, as not every CPU could be told\n", pages,
		       tables);
}

void tlb_finish_mmu(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch;

	/* Of init_mm's ranges each has one owner. */
	if (tlb->mm != &init_mm && load_acquire(&tlb->mm->gathers) > 1)
		tlb->need_flush_all = true;
	tlb_flush_mmu(tlb);
	(void)atomic_fetch_sub(&tlb->mm->gathers, 1);
	batch = tlb->local.next;
	while (batch) {
		struct mmu_gather_batch *next = batch->next;

		free_page((unsigned long)batch);
		batch = next;
	}
	tlb->local.next = NULL;
}
