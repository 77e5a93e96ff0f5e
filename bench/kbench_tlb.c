// SPDX-License-Identifier: MIT
/*
 * Rows of TLB control, as in kbench.c. switch_mm: between two address spaces that the TLB knows; flush.*: of the one
 * that this CPU runs in, .page and .range33 page by page, .mm everything, .kernel a page of kernel addresses on all
 * CPUs; gather.page: map a user page, unmap it, flush, free it; gather.tables: as the only one, so that its tables
 * come and go; call.*: what a port_cpu_call() of one CPU costs its caller, and one of all others (machines of several
 * CPUs).
 */
#define KBENCH_BEHIND 40000
#include "kbench.h"

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "mm/sync/cpu.h"
#include "tests/pgtfixture.h"

#define REPEATS KBENCH_REPEATS
#define TIMES 64u
#define NEIGHBOUR (PGT_TEST_USER + PAGE_SIZE)

enum what { SWITCH, FLUSH_PAGE, FLUSH_RANGE, FLUSH_MM, FLUSH_KERNEL, GATHER, GATHER_TABLES, CALL_ONE, CALL_OTHERS };

static void nothing(void *arg)
{
	(void)arg;
}

static bool map_page(struct mm_struct *mm, uintptr_t at)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return false;
	if (!pgt_map_range(mm, at, PFN_PHYS(page_to_pfn(page)), PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL))
		return true;
	put_page(page);
	return false;
}

static bool unmap_page(struct mm_struct *mm, uintptr_t at)
{
	struct page *page = pfn_to_page((unsigned long)(pgt_test_phys(mm, at, NULL, NULL) >> PAGE_SHIFT));
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, mm);
	if (pgt_unmap_range(mm, at, PAGE_SIZE, &tlb))
		return false;
	(void)tlb_remove_page(&tlb, page);
	tlb_finish_mmu(&tlb);
	return true;
}

static bool once(enum what what, struct mm_struct *mm, struct mm_struct *other)
{
	uintptr_t at = PGT_TEST_USER;

	switch (what) {
	case SWITCH:
		switch_mm(loaded_mm() == mm ? other : mm);
		return true;
	case FLUSH_PAGE:
		return flush_tlb_page(mm, at);
	case FLUSH_RANGE:
		return flush_tlb_mm_range(mm, at, at + 33 * PAGE_SIZE, PAGE_SHIFT, false);
	case FLUSH_MM:
		return flush_tlb_mm(mm);
	case FLUSH_KERNEL:
		return flush_tlb_kernel_range(pgt_test_kernel(), pgt_test_kernel() + PAGE_SIZE);
	case GATHER:
	case GATHER_TABLES:
		return map_page(mm, at) && unmap_page(mm, at);
	case CALL_ONE:
		return !port_cpu_call(1, nothing, NULL);
	case CALL_OTHERS:
		return !port_cpu_call(PORT_CPU_OTHERS, nothing, NULL);
	}
	return false;
}

static void bench_tlb(struct kbench *b, const struct kbench_case *c)
{
	struct mm_struct *mm = mm_alloc(GFP_KERNEL), *other = mm_alloc(GFP_KERNEL);
	bool ok = mm && other;
	u64 ticks[REPEATS], begin;

	if (ok && pgtables_on)
		switch_mm(mm);
	if (ok && c->order == GATHER)
		ok = map_page(mm, NEIGHBOUR);
	for (unsigned int i = 0; i <= REPEATS && ok; i++) {
		begin = b->clock();
		for (unsigned int n = 0; n < TIMES && ok; n++)
			ok = once((enum what)c->order, mm, other);
		ticks[i % REPEATS] = b->clock() - begin;
	}
	if (ok && c->order == GATHER)
		ok = unmap_page(mm, NEIGHBOUR);
	if (pgtables_on)
		switch_mm(&init_mm);
	if (mm)
		mmput(mm);
	if (other)
		mmput(other);
	if (ok)
		kbench_row(b, c->name, ticks, TIMES, "op");
	else
		kbench_fail(b, "%s: no memory\n", c->name);
}

static void bench_tables_on(struct kbench *b, const struct kbench_case *c)
{
	if (pgtables_on)
		bench_tlb(b, c);
}

static void bench_smp(struct kbench *b, const struct kbench_case *c)
{
	if (num_online_cpus() > 1)
		bench_tlb(b, c);
}

#define ROW(id, name_, what, fn) KBENCH(tlb_##id, .name = "tlb." name_, .run = (fn), .order = (what))

ROW(switch, "switch_mm", SWITCH, bench_tables_on);
ROW(page, "flush.page", FLUSH_PAGE, bench_tables_on);
ROW(range, "flush.range33", FLUSH_RANGE, bench_tables_on);
ROW(mm, "flush.mm", FLUSH_MM, bench_tables_on);
ROW(kernel, "flush.kernel", FLUSH_KERNEL, bench_tables_on);
ROW(gather, "gather.page", GATHER, bench_tables_on);
ROW(gather_tables, "gather.tables", GATHER_TABLES, bench_tables_on);
ROW(call_one, "call.one", CALL_ONE, bench_smp);
ROW(call_others, "call.others", CALL_OTHERS, bench_smp);
