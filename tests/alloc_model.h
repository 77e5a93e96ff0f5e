/* SPDX-License-Identifier: MIT */
/* The page allocator as a model (model.h): for random and exhaustive runs and for the fuzzer. */
#ifndef TESTS_ALLOC_MODEL_H
#define TESTS_ALLOC_MODEL_H

#include "model.h"

enum alloc_op {
	OP_ALLOC,	/* a: order, b: mask and node */
	OP_FREE,	/* b: which */
	OP_FREE_LATE,	/* b: which */
	OP_BULK,	/* a: mask, b: how many */
	OP_FREE_MANY,	/* b: how many, from where */
	OP_EXACT,	/* b: bytes in units of 64 */
	OP_CONTIG,	/* b: where, a: how many */
	OP_SPLIT,	/* b: which */
	OP_DRAIN_ALL,
	OP_DRAIN_LOCAL,
	OP_KINDS
};

/* Boots the machine a run starts from; the model itself is freestanding. */
extern void (*alloc_model_boot)(void);
extern const struct model alloc_model;

#endif
