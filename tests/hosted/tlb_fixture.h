/* SPDX-License-Identifier: MIT */
/*
 * Address spaces with a few pages, for the tests of TLB control: frames come from a pool that keeps a reference of its
 * own, so that a frame that was freed can be told from one that is mapped, and is not used otherwise meanwhile.
 */
#ifndef TESTS_HOSTED_TLB_FIXTURE_H
#define TESTS_HOSTED_TLB_FIXTURE_H

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "harness.h"
#include "hosted.h"
#include "mm/pgtable/tlb_cpu.h"
#include "mm/pgtable/walk.h"
#include "mm/sync/cpu.h"
#include "mmu.h"

#define SPACE_PAGES 12
#define SPACE_BASE ((uintptr_t)0x10000000)

/* An address space and which frame is where in it; NULL: none. */
struct space {
	struct mm_struct *mm;
	struct page *frame[SPACE_PAGES];
};

/* Pages 0 to 7 lie side by side, the others in tables of their own. */
static inline uintptr_t space_virt(unsigned int i)
{
	return i < 8 ? SPACE_BASE + i * PAGE_SIZE : SPACE_BASE + (uintptr_t)(i - 7) * 3 * (uintptr_t)PGT_SIZE(1);
}

bool space_make(struct space *space);
void space_unmake(struct space *space);

/* A frame at page @i; it has one reference of the mapping's and one of the test's. */
bool space_map(struct space *space, unsigned int i);
/* Entry gone, page and tables with the gather. */
void space_unmap(struct space *space, unsigned int i, struct mmu_gather *tlb);
/* The test's own reference. */
void frame_put(struct page *frame);
/* Nobody but the test has the frame any more. */
static inline bool frame_is_freed(struct page *frame)
{
	return page_ref_count(frame) < 2;
}

/* This CPU looks at page @i of what it has loaded. Return: the frame, NULL: a fault. */
struct page *cpu_sees(unsigned int i);
struct mmu_stats cpu_stats(void);

#endif
