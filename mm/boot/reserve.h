/* SPDX-License-Identifier: MIT */
/* What the command line wants set aside before the page allocator opens: crashkernel=, hugepages=. */
#ifndef MM_BOOT_RESERVE_H
#define MM_BOOT_RESERVE_H

#include <octavo/bootinfo.h>

#include "../base/compiler.h"

/* reserve_crashkernel - take what crashkernel= asks for out of memblock, with Linux's lines */
void reserve_crashkernel(void);

/* What was taken (size 0: nothing); the second is ",low". */
extern struct bootinfo_span crashkernel_res, crashkernel_low_res;

/* One hugepagesz= with its hugepages=. */
#define HUGEPAGE_SIZES_MAX 8
struct hugepage_request {
	u64 size;		   /* bytes a page */
	u64 count;		   /* pages asked for, any node; 0 when per node */
	u32 node_count[MAX_NUMNODES]; /* "hugepages=0:4,1:2" */
};

struct hugepage_params {
	u64 default_size;
	unsigned int nr;
	struct hugepage_request request[HUGEPAGE_SIZES_MAX];
};
extern struct hugepage_params hugepage_params;

/*
 * hugepages_reserve - take pages larger than the page allocator's largest block from memblock
 * Smaller ones stay in hugepage_params for whoever opens hugetlb later.
 */
void hugepages_reserve(void);

/* Gigantic pages that were reserved: physical addresses, @nr of them. */
const phys_addr_t *hugepages_gigantic(unsigned int *nr);

/*
 * free_reserved_range - memory that was in use since before the page allocator opened becomes free frames
 * Whole pages only. Context: any but interrupts. Return: pages.
 */
unsigned long free_reserved_range(phys_addr_t base, phys_addr_t size);

#endif
