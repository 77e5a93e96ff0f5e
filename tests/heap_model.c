// SPDX-License-Identifier: MIT
#include "heap_model.h"

#include <octavo/gfp.h>

#include "mm/phys/zone.h"

void (*heap_model_boot)(void);

#define QUIET (GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

const struct heap_shape heap_shapes[HEAP_SHAPES] = {
	{ "tiny", 8, 0, SLAB_NO_MERGE },
	{ "odd", 13, 0, 0 },
	{ "odder", 100, 4, SLAB_NO_MERGE },
	{ "lines", 72, 0, SLAB_HWCACHE_ALIGN },
	{ "like-192", 192, 0, 0 },
	{ "also-192", 188, 8, 0 },
	{ "built", 256, 0, 0, true },
	{ "built-too", 40, 16, SLAB_NO_MERGE, true },
	{ "reclaimed", 600, 0, SLAB_RECLAIM_ACCOUNT },
	{ "page", 4096, 4096, SLAB_NO_MERGE },
	{ "big", 5000, 0, SLAB_NO_MERGE },
	{ "biggest", 20000, 64, SLAB_NO_MERGE },
	{ "checked", 120, 0, SLAB_RED_ZONE | SLAB_POISON | SLAB_CONSISTENCY_CHECKS },
	{ "tracked", 200, 64, SLAB_STORE_USER | SLAB_RED_ZONE },
	{ "checked-built", 56, 0, SLAB_RED_ZONE | SLAB_CONSISTENCY_CHECKS, true },
	{ "dma", 320, 0, SLAB_CACHE_DMA },
};

struct kmem_cache *heap_shape_create(const struct heap_shape *shape)
{
	return kmem_cache_create(shape->name, shape->size, shape->align, shape->flags,
				 shape->ctor ? heapbook_ctor : NULL);
}

static struct heapbook book;
static struct heapbook *const books[] = { &book };
static struct kmem_cache *caches[HEAP_SHAPES];

static void reset(void *ctx)
{
	(void)ctx;
	heapbook_init(&book, 0);
	memset(caches, 0, sizeof(caches));
	if (heap_model_boot)
		heap_model_boot();
	heap_census_begin();
}

/* Memory fills and empties in turn: two spells of mostly allocations, one of mostly frees. */
static void draw(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 filling[] = { HEAP_OP_CREATE,  HEAP_OP_CACHE, HEAP_OP_CACHE, HEAP_OP_CACHE,
				      HEAP_OP_KMALLOC, HEAP_OP_KMALLOC, HEAP_OP_KMALLOC, HEAP_OP_BULK,
				      HEAP_OP_BULK, HEAP_OP_REALLOC, HEAP_OP_DUP, HEAP_OP_FREE,
				      HEAP_OP_KFREE, HEAP_OP_FREE_BULK, HEAP_OP_FREE, HEAP_OP_KMALLOC };
	static const u8 emptying[] = { HEAP_OP_FREE, HEAP_OP_FREE, HEAP_OP_KFREE, HEAP_OP_KFREE,
				       HEAP_OP_FREE_BULK, HEAP_OP_FREE_BULK, HEAP_OP_FREE_MANY, HEAP_OP_CACHE,
				       HEAP_OP_KMALLOC, HEAP_OP_SHRINK, HEAP_OP_DESTROY, HEAP_OP_REALLOC,
				       HEAP_OP_FREE, HEAP_OP_BULK, HEAP_OP_SHRINK_ALL, HEAP_OP_FREE_MANY };
	u64 r = test_random(state);
	bool fill = op->b / 256 % 3 != 2;

	(void)ctx;
	op->kind = fill ? filling[r % ARRAY_SIZE(filling)] : emptying[r % ARRAY_SIZE(emptying)];
	op->a = (u8)(r >> 8);
	op->b = (u16)(r >> 16);
	if (!fill && !(r >> 32 & 127))
		op->kind = HEAP_OP_CLOSE;
}

/* Small sizes are the common case; others are near a class, or up to a few pages. */
static size_t some_size(u8 kind, u16 choice)
{
	switch (kind % 8) {
	case 0:
		return choice % 8300;
	case 1:
		return (1ul << choice % 14) + (choice >> 4) % 3 - 1;
	case 2:
		return (choice & 1 ? 96u : 192u) + (choice >> 4) % 3 - 1;
	case 3:
		return kind & 0x80 ? 8192 + choice % 40000 : choice % 2048;
	default:
		return choice % 256;
	}
}

static struct kmem_cache *some_cache(u8 choice, size_t *size)
{
	for (unsigned int i = 0; i < HEAP_SHAPES; i++) {
		unsigned int which = (choice + i) % HEAP_SHAPES;

		*size = heap_shapes[which].size;
		if (caches[which])
			return caches[which];
	}
	return NULL;
}

static void destroy(unsigned int which)
{
	struct kmem_cache *cache = caches[which];

	if (!cache)
		return;
	caches[which] = NULL;
	/* Merged caches are one: as long as another shape has it, objects may stay. */
	for (unsigned int i = 0; i < HEAP_SHAPES; i++) {
		if (caches[i] == cache) {
			kmem_cache_destroy(cache);
			return;
		}
	}
	heapbook_free_of(&book, cache);
	kmem_cache_destroy(cache);
}

static void apply_cache(const struct model_op *op)
{
	gfp_t gfp = heapbook_gfps[op->b % HEAPBOOK_GFPS];
	unsigned int shape = op->a % HEAP_SHAPES;
	int nid = (int)(op->b / HEAPBOOK_GFPS % (nr_node_ids + 1)) - 1;
	struct kmem_cache *cache;
	size_t size;

	if (op->kind % HEAP_OP_KINDS == HEAP_OP_CREATE) {
		if (!caches[shape])
			caches[shape] = heap_shape_create(&heap_shapes[shape]);
		return;
	}
	if (op->kind % HEAP_OP_KINDS == HEAP_OP_DESTROY) {
		destroy(shape);
		return;
	}
	cache = some_cache(op->a, &size);
	if (!cache)
		return;
	if (op->kind % HEAP_OP_KINDS == HEAP_OP_SHRINK)
		kmem_cache_shrink(cache);
	else if (op->kind % HEAP_OP_KINDS == HEAP_OP_BULK)
		(void)heapbook_bulk(&book, cache, size, gfp, 1 + op->b / HEAPBOOK_GFPS % (size > 4096 ? 8 : 150));
	else
		(void)heapbook_cache(&book, cache, size, gfp, nid);
}

static void apply_free(const struct model_op *op)
{
	unsigned int which = book.nr ? op->b % book.nr : 0;

	if (!book.nr)
		return;
	switch (op->kind % HEAP_OP_KINDS) {
	case HEAP_OP_FREE:
		heapbook_free(&book, which);
		break;
	case HEAP_OP_KFREE:
		heapbook_kfree(&book, which);
		break;
	case HEAP_OP_FREE_BULK:
		heapbook_free_bulk(&book, which, op->a / 2, op->a & 1 ? book.entries[which].cache : NULL);
		break;
	default:
		for (unsigned int n = op->a; n && book.nr; n--)
			heapbook_free(&book, (which + n * 7) % book.nr);
	}
}

static const char *close_all(void)
{
	for (unsigned int i = 0; i < HEAP_SHAPES; i++)
		destroy(i);
	return heap_census_end(books, 1);
}

static const char *apply(void *ctx, const struct model_op *op)
{
	gfp_t gfp = heapbook_gfps[op->b % HEAPBOOK_GFPS];

	(void)ctx;
	switch (op->kind % HEAP_OP_KINDS) {
	case HEAP_OP_CREATE:
	case HEAP_OP_DESTROY:
	case HEAP_OP_SHRINK:
	case HEAP_OP_CACHE:
	case HEAP_OP_BULK:
		apply_cache(op);
		break;
	case HEAP_OP_KMALLOC:
		(void)heapbook_kmalloc(&book, some_size(op->a, op->b), gfp, (int)(op->a / 8 % (nr_node_ids + 1)) - 1);
		break;
	case HEAP_OP_REALLOC:
		if (book.nr)
			(void)heapbook_realloc(&book, op->b % book.nr, some_size(op->a, op->b), gfp);
		break;
	case HEAP_OP_DUP:
		(void)heapbook_dup(&book, op->a % 64, op->b & 1, QUIET);
		break;
	case HEAP_OP_SHRINK_ALL:
		heap_shrink_all();
		break;
	case HEAP_OP_CLOSE:
		return close_all();
	default:
		apply_free(op);
	}
	return book.wrong;
}

static const char *check(void *ctx)
{
	(void)ctx;
	return heap_census_check(books, 1);
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "create",	"destroy",   "shrink",	  "cache alloc", "kmalloc",
					     "free",	"kfree",     "bulk",	  "free bulk",	 "free many",
					     "realloc", "dup",	     "shrink all", "close" };
	unsigned int kind = op->kind % HEAP_OP_KINDS;

	octavo_snprintf(text, size, "{ %u, %u, %u } %s", op->kind, op->a, op->b, names[kind]);
	if (kind == HEAP_OP_KMALLOC)
		octavo_snprintf(text, size, "{ %u, %u, %u } kmalloc(%zu) gfp %#x", op->kind, op->a, op->b,
				some_size(op->a, op->b), heapbook_gfps[op->b % HEAPBOOK_GFPS]);
	else if (kind == HEAP_OP_CREATE || kind == HEAP_OP_DESTROY)
		octavo_snprintf(text, size, "{ %u, %u, %u } %s %s", op->kind, op->a, op->b, names[kind],
				heap_shapes[op->a % HEAP_SHAPES].name);
}

const struct model heap_model = { .name = "heap",
				  .reset = reset,
				  .random = draw,
				  .apply = apply,
				  .check = check,
				  .describe = describe,
				  .check_every = 500 };
