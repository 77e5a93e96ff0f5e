/* SPDX-License-Identifier: MIT */
/* The frame layer's part of struct zone. See frames.h. */
#ifndef MM_PHYS_FRAMES_TYPES_H
#define MM_PHYS_FRAMES_TYPES_H

#include "../base/compiler.h"

struct pageblock;

struct zone_frames {
	struct pageblock *blocks; /* (c) one per 512 frames of the span */
	unsigned long base_pfn;	  /* (c) first frame of blocks[0]: the zone's start rounded down to a block */
	unsigned long nr_blocks;  /* (c) */
};

#endif
