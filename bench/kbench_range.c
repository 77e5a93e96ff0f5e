// SPDX-License-Identifier: MIT
/*
 * The range tree's rows, as in kbench.c, with 1000 ranges: store and erase in ascending and in mixed order, load of
 * each in mixed order, the gap that fits only behind all of them and one in the middle.
 */
#define KBENCH_BEHIND 30000
#include "kbench.h"

#include <octavo/gfp.h>
#include <octavo/slab.h>

#include "mm/base/range_tree.h"

#define REPEATS KBENCH_REPEATS
#define RANGES 1000u
#define STEP 0x10000u

static void *node_alloc(gfp_t gfp)
{
	return kmalloc(RANGE_NODE_SIZE, gfp);
}

static void node_free(void *node)
{
	kfree(node);
}

static const struct range_tree_ops nodes = { node_alloc, node_free, node_free };
static struct range_tree tree;
static char value;

/* All numbers below RANGES, each once, in an order that jumps. */
static uintptr_t mixed(unsigned int i)
{
	return (uintptr_t)i * 379 % RANGES * STEP;
}

static bool fill(bool in_order)
{
	tree = (struct range_tree)RANGE_TREE_INIT(&nodes);
	for (unsigned int i = 0; i < RANGES; i++) {
		uintptr_t start = in_order ? (uintptr_t)i * STEP : mixed(i);

		if (range_tree_store(&tree, start, start + 0x8fff, &value, GFP_KERNEL))
			return false;
	}
	return true;
}

static bool round_trip(struct kbench *b, bool in_order, u64 *stored, u64 *loaded, u64 *erased)
{
	u64 begin = b->clock();
	bool ok = fill(in_order);

	*stored = b->clock() - begin;
	begin = b->clock();
	for (unsigned int i = 0; i < RANGES; i++)
		ok = range_tree_load(&tree, mixed(i) + 0x3000) && ok;
	*loaded = b->clock() - begin;
	begin = b->clock();
	for (unsigned int i = 0; i < RANGES; i++)
		ok = range_tree_erase(&tree, in_order ? (uintptr_t)i * STEP : mixed(i)) && ok;
	*erased = b->clock() - begin;
	range_tree_destroy(&tree);
	return ok;
}

static void bench_changes(struct kbench *b, const struct kbench_case *c)
{
	u64 store_seq[REPEATS], erase_seq[REPEATS], store[REPEATS], erase[REPEATS], load[REPEATS], ignored;
	bool ok = true;

	for (unsigned int i = 0; ok && i <= REPEATS; i++)
		ok = round_trip(b, true, &store_seq[i % REPEATS], &ignored, &erase_seq[i % REPEATS]) &&
		     round_trip(b, false, &store[i % REPEATS], &load[i % REPEATS], &erase[i % REPEATS]);
	if (!ok) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	kbench_row(b, "range.store_seq(1000)", store_seq, RANGES, "op");
	kbench_row(b, "range.erase_seq", erase_seq, RANGES, "op");
	kbench_row(b, "range.store_mixed(1000)", store, RANGES, "op");
	kbench_row(b, "range.load_mixed", load, RANGES, "op");
	kbench_row(b, "range.erase_mixed", erase, RANGES, "op");
}

static void bench_gap(struct kbench *b, const struct kbench_case *c)
{
	const char *const names[] = { "range.gap_behind_all", "range.gap_in_the_middle" };
	u64 ticks[REPEATS], begin;
	bool ok = fill(true);

	for (unsigned int middle = 0; ok && middle < 2; middle++) {
		if (middle)
			range_tree_erase(&tree, RANGES / 2 * STEP);
		for (unsigned int i = 0; ok && i < REPEATS; i++) {
			begin = b->clock();
			for (unsigned int n = 0; n < RANGES; n++) {
				uintptr_t start;

				ok = !range_tree_gap(&tree, 0, UINTPTR_MAX, 0x10000, 0x1000, &start) && ok;
			}
			ticks[i] = b->clock() - begin;
		}
		kbench_row(b, names[middle], ticks, RANGES, "op");
	}
	if (!ok)
		kbench_fail(b, "%s: no gap\n", c->name);
	range_tree_destroy(&tree);
}

KBENCH(range_changes, "range", bench_changes);
KBENCH(range_gap, "range.gap", bench_gap);
