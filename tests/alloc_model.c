// SPDX-License-Identifier: MIT
#include "alloc_model.h"

#include "mm/phys/zone.h"
#include "pagebook.h"

void (*alloc_model_boot)(void);

static struct pagebook book;
static struct pagebook *const books[] = { &book };

static void reset(void *ctx)
{
	(void)ctx;
	book_init(&book, 0);
	if (alloc_model_boot)
		alloc_model_boot();
	census_begin();
}

/* Memory fills and empties in turn: two spells of mostly allocations, one of mostly frees. */
static void draw(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 filling[] = { OP_ALLOC, OP_ALLOC, OP_ALLOC, OP_ALLOC, OP_BULK,	 OP_BULK,
				      OP_EXACT, OP_FREE,  OP_FREE,  OP_CONTIG, OP_SPLIT, OP_DRAIN_LOCAL };
	static const u8 emptying[] = { OP_FREE,	 OP_FREE,  OP_FREE,   OP_FREE_LATE, OP_FREE_MANY, OP_FREE_MANY,
				       OP_ALLOC, OP_ALLOC, OP_CONTIG, OP_SPLIT,	    OP_DRAIN_ALL, OP_BULK };
	u64 r = test_random(state);
	bool fill = op->b / 256 % 3 != 2;

	(void)ctx;
	op->kind = fill ? filling[r % ARRAY_SIZE(filling)] : emptying[r % ARRAY_SIZE(emptying)];
	op->a = (u8)(r >> 8);
	op->b = (u16)(r >> 16);
	/* small orders are the common case */
	if (op->kind == OP_ALLOC && r >> 32 & 3)
		op->a %= 4;
}

static unsigned long some_pfn(unsigned int choice)
{
	unsigned long populated = 0, spread;

	for_each_populated_zone(zone)
		populated += zone->spanned_pages;
	spread = populated / 65536 + 1;
	populated = choice * spread % populated;
	for_each_populated_zone(zone) {
		if (populated < zone->spanned_pages)
			return zone->zone_start_pfn + populated;
		populated -= zone->spanned_pages;
	}
	return 0;
}

static void contig(const struct model_op *op)
{
	unsigned long nr = 1ul + op->a * (op->a & 1 ? 1 : 8), start = some_pfn(op->b);

	if (op->a & 2) {
		start = ALIGN_DOWN(start, pageblock_nr_pages);
		nr = op->a & 4 ? 2 * pageblock_nr_pages : pageblock_nr_pages;
	}
	(void)book_alloc_contig(&book, start, nr);
}

static const char *apply(void *ctx, const struct model_op *op)
{
	unsigned int which = book.nr ? op->b % book.nr : 0;

	(void)ctx;
	switch (op->kind % OP_KINDS) {
	case OP_ALLOC:
		(void)book_alloc(&book, book_gfps[op->b % BOOK_GFPS], op->a % NR_PAGE_ORDERS,
				 (int)(op->b / BOOK_GFPS % nr_node_ids));
		break;
	case OP_FREE:
		if (book.nr)
			book_free(&book, which);
		break;
	case OP_FREE_LATE:
		if (book.nr)
			book_free_late(&book, which);
		break;
	case OP_BULK:
		(void)book_alloc_bulk(&book, book_gfps[op->a % 5], 1 + op->b % 128);
		break;
	case OP_FREE_MANY:
		for (unsigned int n = op->b % 256; n && book.nr; n--)
			book_free(&book, (which + n * 7) % book.nr);
		break;
	case OP_EXACT:
		(void)book_alloc_exact(&book, (size_t)op->b * 64);
		break;
	case OP_CONTIG:
		contig(op);
		break;
	case OP_SPLIT:
		if (book.nr)
			book_split(&book, which);
		break;
	case OP_DRAIN_ALL:
		drain_all_pages(NULL);
		break;
	case OP_DRAIN_LOCAL:
		drain_local_pages(NULL);
		break;
	}
	return book.wrong;
}

static const char *check(void *ctx)
{
	(void)ctx;
	return census_check(books, 1);
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "alloc",	  "free",   "free late", "bulk",      "free many",
					     "exact",	  "contig", "split",	 "drain all", "drain local" };

	octavo_snprintf(text, size, "{ %u, %u, %u } %s", op->kind, op->a, op->b, names[op->kind % OP_KINDS]);
	if (op->kind % OP_KINDS == OP_ALLOC)
		octavo_snprintf(text, size, "{ %u, %u, %u } alloc order %u gfp %#x", op->kind, op->a, op->b,
				op->a % NR_PAGE_ORDERS, book_gfps[op->b % BOOK_GFPS]);
}

const struct model alloc_model = { .name = "page allocator",
				   .reset = reset,
				   .random = draw,
				   .apply = apply,
				   .check = check,
				   .describe = describe,
				   .check_every = 500 };
