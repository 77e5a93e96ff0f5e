/* SPDX-License-Identifier: MIT */
/* The frame layer's part of struct zone. See frames.h; the theory is in frames.c. */
#ifndef MM_PHYS_FRAMES_TYPES_H
#define MM_PHYS_FRAMES_TYPES_H

#include "../base/compiler.h"

struct pageblock;
struct block_index;

struct zone_frames {
	struct pageblock *blocks;  /* (c) one per 512 frames of the span */
	unsigned long base_pfn;	   /* (c) first frame of blocks[0]: the zone's start rounded down to order 10 */
	unsigned long nr_blocks;   /* (c) */
	struct block_index *index; /* (z) which block to take from: blockindex.c */
	unsigned long pages_offset; /* (c) from a CPU's pages[0] to this zone's, in bytes */
	u32 rows_max;		   /* (c) frames a CPU keeps in rows; 0: it keeps none, nor in slots */
	u32 slot_mask;		   /* (c) rows a CPU's free buffer holds, less one */
	u32 whole_max;		   /* (c) free blocks of order 9 a CPU keeps */
};

#endif
