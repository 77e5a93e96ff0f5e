/* SPDX-License-Identifier: MIT */
/* The heap as a model (model.h): for random and exhaustive runs. */
#ifndef TESTS_HEAP_MODEL_H
#define TESTS_HEAP_MODEL_H

#include "heapbook.h"
#include "model.h"

enum heap_op {
	HEAP_OP_CREATE,	   /* a: shape */
	HEAP_OP_DESTROY,   /* a: which; its objects are freed before */
	HEAP_OP_SHRINK,	   /* a: which */
	HEAP_OP_CACHE,	   /* a: cache, b: mask and node */
	HEAP_OP_KMALLOC,   /* a: kind of size, b: size, mask and node */
	HEAP_OP_FREE,	   /* b: which */
	HEAP_OP_KFREE,	   /* b: which */
	HEAP_OP_BULK,	   /* a: cache, b: how many, mask */
	HEAP_OP_FREE_BULK, /* a: how many, whether mixed, b: from where */
	HEAP_OP_FREE_MANY, /* a: how many, b: from where */
	HEAP_OP_REALLOC,   /* a: kind of size, b: which, size */
	HEAP_OP_DUP,	   /* a: size, b: kind */
	HEAP_OP_SHRINK_ALL,
	HEAP_OP_CLOSE,	   /* all objects freed, all caches destroyed: all memory must be back */
	HEAP_OP_KINDS
};

/* Caches of all shapes that a test may make: each at most once at a time. */
#define HEAP_SHAPES 16
struct heap_shape {
	const char *name;
	unsigned int size, align;
	slab_flags_t flags;
	bool ctor;
};
extern const struct heap_shape heap_shapes[HEAP_SHAPES];
struct kmem_cache *heap_shape_create(const struct heap_shape *shape);

/* Boots the machine a run starts from; the model itself is freestanding. */
extern void (*heap_model_boot)(void);
extern const struct model heap_model;

#endif
