/* SPDX-License-Identifier: MIT */
/* Contiguous ranges: isolation of pageblocks, shared by alloc_contig_range() and memory hotplug. */
#ifndef MM_PHYS_CONTIG_H
#define MM_PHYS_CONTIG_H

#include "zone.h"

/* One user at a time isolates blocks. Sleeping; thread context. */
void contig_lock(void);
void contig_unlock(void);

/* Blocks that one call of isolate_blocks() may cover: 1 GiB. */
#define ISOLATE_BLOCKS_MAX 512u

/* Blocks that were isolated, and what they were. */
struct isolated_blocks {
	struct zone *zone;
	unsigned long start; /* first frame */
	unsigned int nr;
	u8 types[ISOLATE_BLOCKS_MAX];
};

/*
 * isolate_blocks - nothing more is allocated from the pageblocks that hold [@start, @end) of @zone, and what
 * CPUs have cached of them is back in the blocks
 * Return: 0; -EBUSY if one of them is isolated already; -EINVAL for more than ISOLATE_BLOCKS_MAX blocks.
 */
int __must_check isolate_blocks(struct zone *zone, unsigned long start, unsigned long end,
				struct isolated_blocks *blocks);
/* Back to what they were. */
void undo_isolate_blocks(struct isolated_blocks *blocks);

#endif
