// SPDX-License-Identifier: MIT
/*
 * The tour's chapter on virtual memory: the kernel's areas, scattered pages made to look like one piece, a guard
 * page.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <octavo/page.h>
#include <octavo/vmalloc.h>

#include "hosted.h"
#include "mm/debug/monitor.h"
#include "mm/kmap/areas.h"
#include "mmu.h"
#include "tour.h"

#define c tour_colour
#define AREA_PAGES 4u
#define REPORT_LINES 5u

/* ---- Rates ---- */

static unsigned long pair(size_t size)
{
	void *area = vmalloc(size);

	vfree(area);
	return area != NULL;
}

static unsigned long work_page(void *state)
{
	(void)state;
	return pair(PAGE_SIZE);
}

static unsigned long work_64k(void *state)
{
	(void)state;
	return pair(16 * PAGE_SIZE);
}

static unsigned long work_1m(void *state)
{
	(void)state;
	return pair(256 * PAGE_SIZE);
}

static const struct tour_work works[] = {
	{ "vmalloc(4K), vfree()", sizeof(u64), work_page, NULL },
	{ "vmalloc(64K), vfree()", sizeof(u64), work_64k, NULL },
	{ "vmalloc(1M), vfree()", sizeof(u64), work_1m, NULL },
};

/* ---- A refused access ---- */

static sigjmp_buf refused;

static bool on_trap(struct hosted_trap *trap, bool reported)
{
	(void)trap;
	if (reported)
		siglongjmp(refused, 1);
	return true;
}

static void show_guard_page(volatile u8 *area)
{
	printf("\n  a byte is written behind its last page:\n");
	tour_report_begin();
	hosted_fault_hook = on_trap;
	if (!sigsetjmp(refused, 1)) {
		area[AREA_PAGES * PAGE_SIZE] = 1;
		printf("  %snobody noticed%s\n", c("1;31"), c("0"));
	}
	hosted_fault_hook = NULL;
	tour_report_end(REPORT_LINES, "the tables on the way, who wrote and how it got there");
}

/* ---- One area, from pointer to frame ---- */

static void show_area(struct monitor *mon, u8 *area)
{
	uintptr_t virt = area_virt(AREA_VMALLOC, area);
	char command[32];

	printf("\n  vmalloc(%u): %u pages in a row at %#lx, which really are frames", AREA_PAGES << PAGE_SHIFT,
	       AREA_PAGES, (unsigned long)virt);
	for (unsigned int i = 0; i < AREA_PAGES; i++)
		printf(" %#lx", page_to_pfn(vmalloc_to_page(area + i * PAGE_SIZE)));
	printf("\n  the way there, table by table:\n");
	fflush(stdout);
	snprintf(command, sizeof(command), "pt %#lx", (unsigned long)virt);
	monitor_command(mon, command);
}

static void show_tlb(u8 *area)
{
	struct mmu_stats before, after;

	mmu_stats(0, &before);
	memset(area, 0x5a, AREA_PAGES * PAGE_SIZE);
	for (unsigned int i = 0; i < 1000; i++)
		((volatile u8 *)area)[i * 16 % (AREA_PAGES * PAGE_SIZE)]++;
	mmu_stats(0, &after);
	printf("\n  plain C writes to it: %llu walks of the tables by this CPU's MMU, then its TLB has them\n",
	       (unsigned long long)(after.walks - before.walks));
}

void tour_virtual(struct monitor *mon)
{
	char areas[] = "pt";
	u8 *area;

	fflush(stdout);
	monitor_command(mon, areas);
	area = vmalloc(AREA_PAGES * PAGE_SIZE);
	if (!area)
		return;
	show_area(mon, area);
	show_tlb(area);
	show_guard_page(area);
	vfree(area);
	printf("\n");
	tour_races(works, sizeof(works) / sizeof(works[0]));
}
