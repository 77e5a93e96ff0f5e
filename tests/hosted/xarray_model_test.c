// SPDX-License-Identifier: MIT
/* The xarray against a flat array: random runs that shrink, all short runs. */
#include "hosted.h"
#include "mm/cache/xarray_node.h"
#include "model.h"

#define PLACES 6000u

struct world {
	struct xarray xa;
	u16 what[PLACES];  /* number of the store that covers it; 0: none */
	u8 tags[PLACES];   /* of the entry that covers it */
	unsigned int places;
	u16 stores;
};

static struct world world;
static u32 things[1u << 16];
static char why[160];

static void *thing(u16 n)
{
	return n ? (n & 1 ? xa_mk_value(n) : (void *)&things[n]) : NULL;
}

static void reset(void *ctx)
{
	struct world *w = ctx;

	xa_destroy(&w->xa);
	xa_init(&w->xa);
	memset(w->what, 0, sizeof(w->what));
	memset(w->tags, 0, sizeof(w->tags));
	w->stores = 0;
}

static const char *wrong(const char *what, unsigned long at, long long got, long long want)
{
	octavo_snprintf(why, sizeof(why), "%s at %lu: %lld, not %lld", what, at, got, want);
	return why;
}

/* ---- The oracle ---- */

static void extent(const struct world *w, unsigned long at, unsigned long *first, unsigned long *last)
{
	for (*first = at; *first && w->what[*first - 1] == w->what[at]; --*first)
		;
	for (*last = at; *last + 1 < w->places && w->what[*last + 1] == w->what[at]; ++*last)
		;
}

static void oracle_erase(struct world *w, unsigned long at)
{
	unsigned long first, last;

	if (!w->what[at])
		return;
	extent(w, at, &first, &last);
	for (unsigned long i = first; i <= last; i++)
		w->what[i] = w->tags[i] = 0;
}

static void oracle_store(struct world *w, unsigned long first, unsigned long last, u16 n)
{
	unsigned long f, l;
	u8 tags = 0;

	if (w->what[first]) {
		extent(w, first, &f, &l);
		if (n && f == first && l == last)
			tags = w->tags[first];
	}
	for (unsigned long i = first; i <= last; i++)
		oracle_erase(w, i);
	for (unsigned long i = first; i <= last; i++) {
		w->what[i] = n;
		w->tags[i] = tags;
	}
}

/* ---- Both ---- */

enum { OP_STORE, OP_CLEAR, OP_ERASE, OP_TAG, OP_UNTAG, OP_LOOK, OP_FIND, OP_FIND_TAGGED, OP_KINDS };

static const char *find(struct world *w, unsigned long at, unsigned long max, int tag)
{
	unsigned long got_at = at, want_at = at, last;
	void *got, *want;

	got = tag < 0 ? xa_find(&w->xa, &got_at, max) : xa_find_tagged(&w->xa, &got_at, max, (unsigned int)tag);
	while (want_at <= max && (!w->what[want_at] || (tag >= 0 && !(w->tags[want_at] >> tag & 1))))
		want_at++;
	want = want_at <= max ? thing(w->what[want_at]) : NULL;
	if (got != want)
		return wrong("find", at, (long long)got_at, (long long)want_at);
	if (!want)
		return NULL;
	extent(w, want_at, &want_at, &last);
	return got_at == want_at ? NULL : wrong("found", at, (long long)got_at, (long long)want_at);
}

static const char *look(struct world *w, unsigned long at)
{
	unsigned long first, last;
	void **slots = xa_leaf(&w->xa, at);

	if (xa_load(&w->xa, at) != thing(w->what[at]))
		return wrong("load", at, 0, w->what[at]);
	if (slots && slots[at & XA_SLOT_MASK] != thing(w->what[at]))
		return wrong("leaf", at, 0, w->what[at]);
	extent(w, at, &first, &last);
	if (w->what[at] && 1ul << xa_get_order(&w->xa, at) != last - first + 1)
		return wrong("order", at, xa_get_order(&w->xa, at), (long long)(last - first + 1));
	for (unsigned int tag = 0; tag < XA_TAGS; tag++)
		if (xa_get_tag(&w->xa, at, tag) != (w->tags[at] >> tag & 1))
			return wrong("tag", at, tag, w->tags[at]);
	return NULL;
}

static void set_tag(struct world *w, unsigned long at, unsigned int tag, bool set)
{
	unsigned long flags = xa_lock_irqsave(&w->xa), first, last;

	if (set)
		__xa_set_tag(&w->xa, at, tag);
	else
		__xa_clear_tag(&w->xa, at, tag);
	xa_unlock_irqrestore(&w->xa, flags);
	if (!w->what[at])
		return;
	extent(w, at, &first, &last);
	for (; first <= last; first++)
		w->tags[first] = (u8)(set ? w->tags[first] | 1u << tag : w->tags[first] & ~(1u << tag));
}

static const char *store(struct world *w, unsigned long at, unsigned int order, bool clear)
{
	unsigned long first = at & ~((1ul << order) - 1), last = at | ((1ul << order) - 1);
	u16 n = clear ? 0 : (u16)(w->stores + 1);

	if (last >= w->places)
		return NULL;
	if (xa_store_order(&w->xa, at, order, thing(n), GFP_KERNEL))
		return "no memory for a store";
	w->stores += !clear;
	oracle_store(w, first, last, n);
	return NULL;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	struct world *w = ctx;
	unsigned long at = op->b % w->places;
	unsigned int order = op->a & 1 ? 0 : op->a / 2 % 13, tag = op->a % XA_TAGS;
	void *want;

	switch (op->kind) {
	case OP_STORE:
	case OP_CLEAR:
		return store(w, at, order, op->kind == OP_CLEAR);
	case OP_ERASE:
		want = thing(w->what[at]);
		if (xa_erase(&w->xa, at) != want)
			return wrong("erase", at, 0, 1);
		oracle_erase(w, at);
		return NULL;
	case OP_TAG:
	case OP_UNTAG:
		set_tag(w, at, tag, op->kind == OP_TAG);
		return NULL;
	case OP_LOOK:
		return look(w, at);
	default:
		return find(w, at, min(at + (1ul << op->a % 14), w->places - 1ul), op->kind == OP_FIND ? -1 : (int)tag);
	}
}

static const char *check(void *ctx)
{
	struct world *w = ctx;
	const char *bad = NULL;

	if (xa_verify(&w->xa, NULL, NULL))
		return "the verifier is not content";
	for (unsigned int tag = 0; tag < XA_TAGS; tag++) {
		unsigned long i = 0;

		while (i < w->places && !(w->tags[i] >> tag & 1))
			i++;
		if (xa_tagged(&w->xa, tag) != (i < w->places))
			return "xa_tagged() is wrong";
	}
	for (unsigned long at = 0; !bad && at < w->places; at++)
		bad = look(w, at);
	return bad;
}

static void random_op(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 growing[] = { OP_STORE, OP_STORE, OP_STORE, OP_STORE, OP_TAG, OP_UNTAG, OP_LOOK, OP_FIND,
				      OP_FIND_TAGGED, OP_ERASE };
	static const u8 going[] = { OP_ERASE, OP_ERASE, OP_ERASE, OP_CLEAR, OP_CLEAR, OP_TAG, OP_UNTAG, OP_FIND,
				    OP_FIND_TAGGED, OP_STORE };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = (op->b / 300 % 2 ? going : growing)[r % 10];
	op->a = (u8)(r >> 8);
	op->b = (u16)(r >> 24);
	if (r >> 16 & 1) /* half of it in one corner */
		op->b %= 200;
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const name[] = { "store", "clear", "erase", "tag", "untag", "look", "find", "find_tagged" };

	octavo_snprintf(text, size, "%s a %u at %u", op->kind < OP_KINDS ? name[op->kind] : "?", op->a,
			op->b % world.places);
}

static const struct model model = { "xarray", &world, reset, random_op, apply, check, describe, 64 };

TEST(xarray_model, random_runs)
{
	world.places = PLACES;
	for (unsigned int i = 0; i < test_scaled(12); i++)
		if (!model_run(&model, test_seed + i, 3000, NULL))
			break;
	world.places = 150;
	for (unsigned int i = 0; i < test_scaled(40); i++)
		if (!model_run(&model, test_seed + i, 2000, NULL))
			break;
	reset(&world);
}

TEST(xarray_model, every_short_run)
{
	static const u8 order[] = { 0, 2, 6, 7 };
	struct model_op alphabet[24];
	unsigned int n = 0;

	world.places = 130;
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		u8 a = (u8)(order[i] * 2);

		alphabet[n++] = (struct model_op){ OP_STORE, a, 1 };
		alphabet[n++] = (struct model_op){ OP_STORE, a, 65 };
	}
	alphabet[n++] = (struct model_op){ OP_ERASE, 0, 1 };
	alphabet[n++] = (struct model_op){ OP_ERASE, 0, 65 };
	alphabet[n++] = (struct model_op){ OP_TAG, 0, 0 };
	alphabet[n++] = (struct model_op){ OP_TAG, 0, 65 };
	alphabet[n++] = (struct model_op){ OP_UNTAG, 0, 65 };
	model_exhaustive(&model, alphabet, n, 3);
	reset(&world);
}
