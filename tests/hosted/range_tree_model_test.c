// SPDX-License-Identifier: MIT
/* The range tree against a sorted array: random runs that shrink, all short runs, and allocations that fail. */
#include "hosted.h"
#include "mm/base/range_tree.h"
#include "model.h"
#include "range_nodes.h"

/* Two pieces of the address space: its bottom and its top. */
#define PLACES 700u
#define VALUES 5u

struct world {
	struct range_tree tree;
	struct range_entry range[PLACES];
	unsigned int nr;
	unsigned int places; /* so many are drawn from */
};

static struct world world;
static char values[VALUES];
static char why[160];

static uintptr_t address_of(const struct world *w, unsigned int place)
{
	place %= w->places;
	return place < w->places / 2 ? place : UINTPTR_MAX - (w->places - 1 - place);
}

static void reset(void *ctx)
{
	struct world *w = ctx;

	range_nodes_left = -1;
	if (w->tree.ops)
		range_tree_destroy(&w->tree);
	range_nodes_out = 0;
	w->tree = (struct range_tree)RANGE_TREE_INIT(&range_nodes);
	w->nr = 0;
}

/* ---- The oracle ---- */

static void oracle_put(struct world *w, uintptr_t start, uintptr_t last, void *value)
{
	w->range[w->nr++] = (struct range_entry){ start, last, value };
}

static void oracle_store(struct world *w, uintptr_t start, uintptr_t last, void *value)
{
	static struct range_entry old[PLACES];
	unsigned int nr = w->nr, i;

	memcpy(old, w->range, nr * sizeof(*old));
	w->nr = 0;
	for (i = 0; i < nr && old[i].start < start; i++)
		oracle_put(w, old[i].start, min(old[i].last, start - 1), old[i].value);
	/* The one that is cut may have a rest behind. */
	if (value)
		oracle_put(w, start, last, value);
	if (i && old[i - 1].last > last)
		oracle_put(w, last + 1, old[i - 1].last, old[i - 1].value);
	for (; i < nr; i++)
		if (old[i].last > last)
			oracle_put(w, max(old[i].start, last + 1), old[i].last, old[i].value);
}

static struct range_entry *oracle_at(struct world *w, uintptr_t at)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (at >= w->range[i].start && at <= w->range[i].last)
			return &w->range[i];
	return NULL;
}

static bool oracle_free(struct world *w, uintptr_t start, uintptr_t last)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (w->range[i].start <= last && w->range[i].last >= start)
			return false;
	return true;
}

/* The same value over a part of its range changes nothing: the tree leaves it whole. */
static void oracle_set(struct world *w, uintptr_t start, uintptr_t last, void *value)
{
	struct range_entry *e = oracle_at(w, start);

	if (value && e && e->value == value && e->last >= last)
		return;
	for (unsigned int i = 0; value && i < w->nr; i++) {
		struct range_entry *r = &w->range[i];
		bool alone = (!i || r[-1].last < start) && (i + 1 == w->nr || r[1].start > last);

		if (r->value == value && alone && r->start <= last && r->last >= start) {
			r->start = min(r->start, start);
			r->last = max(r->last, last);
			return;
		}
	}
	oracle_store(w, start, last, value);
}

/* ---- Both ---- */

static const char *wrong(const char *what, uintptr_t at, long long got, long long want)
{
	octavo_snprintf(why, sizeof(why), "%s at %zx: %lld, not %lld", what, (size_t)at, got, want);
	return why;
}

static const char *same_entry(const char *what, uintptr_t at, bool found, const struct range_entry *got,
			      const struct range_entry *want)
{
	if (found != (want != NULL))
		return wrong(what, at, found, !found);
	if (found && (got->start != want->start || got->last != want->last || got->value != want->value))
		return wrong(what, at, (long long)got->start, (long long)want->start);
	return NULL;
}

static const char *look(struct world *w, uintptr_t at)
{
	struct range_entry *e = oracle_at(w, at), *next = NULL, *prev = NULL, got;
	const char *bad;

	if (range_tree_load(&w->tree, at) != (e ? e->value : NULL))
		return wrong("load", at, 1, 0);
	for (unsigned int i = 0; i < w->nr; i++) {
		if (w->range[i].start <= at)
			prev = &w->range[i];
		if (w->range[i].last >= at && !next)
			next = &w->range[i];
	}
	bad = same_entry("next", at, range_tree_next(&w->tree, at, &got), &got, next);
	return bad ? bad : same_entry("prev", at, range_tree_prev(&w->tree, at, &got), &got, prev);
}

static const char *gaps(struct world *w, uintptr_t low, uintptr_t last, uintptr_t size, uintptr_t align)
{
	uintptr_t bottom = 0, top = 0, got, from = low;
	bool any = false, done = false;
	int err;

	for (unsigned int i = 0; i <= w->nr && !done; i++) {
		const struct range_entry *r = i < w->nr && w->range[i].start <= last ? &w->range[i] : NULL;
		uintptr_t to = r ? r->start - 1 : last, start = ALIGN(from, align);

		if (r && r->last < from)
			continue;
		if ((!r || r->start > from) && start >= from && start <= to && to - start >= size - 1) {
			bottom = any ? bottom : start;
			top = ALIGN_DOWN(to - (size - 1), align);
			any = true;
		}
		done = !r || r->last >= last;
		from = done ? 0 : r->last + 1;
	}
	err = range_tree_gap(&w->tree, low, last, size, align, &got);
	if (err != (any ? 0 : -EBUSY) || (any && got != bottom))
		return wrong("gap", low, err ? err : (long long)got, (long long)bottom);
	err = range_tree_gap_top(&w->tree, low, last, size, align, &got);
	if (err != (any ? 0 : -EBUSY) || (any && got != top))
		return wrong("gap_top", low, err ? err : (long long)got, (long long)top);
	return NULL;
}

enum { OP_STORE, OP_CLEAR, OP_INSERT, OP_ERASE, OP_LOOK, OP_GAP, OP_FAIL, OP_KINDS };

static const char *check(void *ctx);

static const char *change(struct world *w, unsigned int kind, uintptr_t start, uintptr_t last, void *value)
{
	bool vacant = oracle_free(w, start, last), failing = range_nodes_left >= 0;
	int err = kind == OP_INSERT ? range_tree_insert(&w->tree, start, last, value, GFP_KERNEL) :
				      range_tree_store(&w->tree, start, last, value, GFP_KERNEL);

	range_nodes_left = -1;
	if (err == -ENOMEM && failing)
		return check(w);
	if (kind == OP_INSERT && !vacant)
		return err == -EEXIST ? NULL : wrong("insert", start, err, -EEXIST);
	if (err)
		return wrong("store", start, err, 0);
	oracle_set(w, start, last, value);
	return NULL;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	struct world *w = ctx;
	unsigned int place = op->b % w->places, length = op->a % 8 ? op->a / 8 % 4 : op->a / 8 * 6;
	uintptr_t start = address_of(w, place), last = address_of(w, min(place + length, w->places - 1));
	void *value = &values[(op->a + op->b / 7) % VALUES];
	struct range_entry *e;

	switch (op->kind) {
	case OP_STORE:
	case OP_INSERT:
		return change(w, op->kind, start, last, value);
	case OP_CLEAR:
		return change(w, op->kind, start, last, NULL);
	case OP_ERASE:
		e = oracle_at(w, start);
		value = e ? e->value : NULL;
		if (range_tree_erase(&w->tree, start) != value)
			return wrong("erase", start, 0, 1);
		if (e)
			oracle_store(w, e->start, e->last, NULL);
		return NULL;
	case OP_LOOK:
		return look(w, start);
	case OP_GAP:
		if (op->a & 1)
			last = UINTPTR_MAX;
		return gaps(w, start, last, 1 + op->a / 16 % 6, (uintptr_t)1 << op->a / 2 % 4);
	default:
		range_nodes_left = op->a % 5;
		return change(w, op->a & 1 ? OP_STORE : OP_CLEAR, start, last, op->a & 1 ? value : NULL);
	}
}

static const char *check(void *ctx)
{
	struct world *w = ctx;
	struct range_entry e;
	uintptr_t from = 0;
	unsigned int n = 0;

	if (range_tree_verify(&w->tree))
		return "the verifier is not content";
	if (range_nodes_in(&w->tree) != range_nodes_out)
		return wrong("RT-I6: nodes", 0, range_nodes_out, range_nodes_in(&w->tree));
	if (w->tree.count != w->nr)
		return wrong("count", 0, (long long)w->tree.count, w->nr);
	while ((n == 0 || from) && range_tree_next(&w->tree, from, &e)) {
		const char *bad = same_entry("walk", from, true, &e, n < w->nr ? &w->range[n] : NULL);

		if (bad)
			return bad;
		from = e.last + 1;
		n++;
	}
	return n == w->nr ? NULL : wrong("walk", from, n, w->nr);
}

/* Times of growing and of shrinking take turns. */
static void random_op(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 growing[] = { OP_STORE, OP_STORE, OP_INSERT, OP_INSERT, OP_INSERT, OP_FAIL, OP_LOOK, OP_GAP,
				      OP_ERASE, OP_CLEAR };
	static const u8 going[] = { OP_ERASE, OP_ERASE, OP_ERASE, OP_CLEAR, OP_CLEAR, OP_FAIL, OP_LOOK, OP_GAP,
				    OP_INSERT, OP_STORE };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = (op->b / 700 % 2 ? going : growing)[r % 10];
	op->a = (u8)(r >> 8);
	if (r >> 16 & 15)
		op->a = (u8)(op->a / 8 % 4 * 8 + 1 + (r >> 20) % 7); /* short ones, so that there can be many */
	op->b = (u16)(r >> 24);
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const name[] = { "store", "clear", "insert", "erase", "look", "gap", "fail" };

	octavo_snprintf(text, size, "%s a %u b %u (place %u)", op->kind < OP_KINDS ? name[op->kind] : "?", op->a, op->b,
			op->b % world.places);
}

static const struct model model = { "range_tree", &world, reset, random_op, apply, check, describe, 16 };

TEST(range_tree_model, random_runs)
{
	world.places = PLACES;
	for (unsigned int i = 0; i < test_scaled(30); i++)
		if (!model_run(&model, test_seed + i, 6000, NULL))
			break;
	world.places = 40;
	for (unsigned int i = 0; i < test_scaled(30); i++)
		if (!model_run(&model, test_seed + i, 3000, NULL))
			break;
	reset(&world);
}

TEST(range_tree_model, every_short_run)
{
	struct model_op alphabet[24];
	unsigned int n = 0;

	world.places = 6;
	for (u16 place = 0; place < 6; place++) {
		alphabet[n++] = (struct model_op){ OP_STORE, 1, place };
		alphabet[n++] = (struct model_op){ OP_ERASE, 0, place };
		if (place % 2)
			alphabet[n++] = (struct model_op){ OP_STORE, 18, place };
		else
			alphabet[n++] = (struct model_op){ OP_CLEAR, 17, place };
	}
	alphabet[n++] = (struct model_op){ OP_GAP, 1, 0 };
	model_exhaustive(&model, alphabet, n, 4);
	reset(&world);
}
