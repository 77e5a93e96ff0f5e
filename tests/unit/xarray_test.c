// SPDX-License-Identifier: MIT
/* xarray: what its functions do, and that its verifier sees what is wrong. */
#include <octavo/fault.h>

#include "fault.h"
#include "mm/cache/xarray_node.h"

static struct xarray xa;
static u32 things[8];
#define T(i) ((void *)&things[i])

static void begin(void)
{
	xa_init(&xa);
}

static void end(void)
{
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
	xa_destroy(&xa);
	EXPECT(xa_empty(&xa));
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
}

static int store(unsigned long index, unsigned int order, void *entry)
{
	int err = xa_store_order(&xa, index, order, entry, GFP_KERNEL);

	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
	return err;
}

static void tag(unsigned long index, unsigned int which, bool set)
{
	unsigned long flags = xa_lock_irqsave(&xa);

	if (set)
		__xa_set_tag(&xa, index, which);
	else
		__xa_clear_tag(&xa, index, which);
	xa_unlock_irqrestore(&xa, flags);
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
}

TEST(xarray, empty)
{
	unsigned long at = 0;

	begin();
	EXPECT(xa_empty(&xa));
	EXPECT(!xa_load(&xa, 0));
	EXPECT(!xa_load(&xa, ~0ul));
	EXPECT(!xa_find(&xa, &at, ~0ul));
	EXPECT(!xa_find_tagged(&xa, &at, ~0ul, 0));
	EXPECT(!xa_erase(&xa, 0));
	EXPECT(!xa_leaf(&xa, 0));
	EXPECT_EQ(xa_get_order(&xa, 5), 0);
	tag(0, 1, true); /* nothing there to have it */
	tag(9, 1, true);
	EXPECT(!xa_tagged(&xa, 1));
	EXPECT_EQ(store(7, 0, NULL), 0);
	end();
}

TEST(xarray, one_at_index_0_needs_no_node)
{
	unsigned long at = 0;

	begin();
	EXPECT_EQ(store(0, 0, T(1)), 0);
	EXPECT_EQ(xa.height, 0);
	tag(0, 2, true);
	EXPECT(xa_get_tag(&xa, 0, 2));
	EXPECT(xa_find_tagged(&xa, &at, 10, 2) == T(1));
	at = 1;
	EXPECT(!xa_find(&xa, &at, 10));
	EXPECT_EQ(store(70, 0, T(2)), 0);
	EXPECT_EQ(xa.height, 2);
	EXPECT(xa_load(&xa, 0) == T(1));
	EXPECT(xa_get_tag(&xa, 0, 2));
	EXPECT(!xa_get_tag(&xa, 70, 2));
	EXPECT(xa_erase(&xa, 70) == T(2));
	EXPECT_EQ(xa.height, 0); /* and the tree is no higher than it has to be */
	EXPECT(xa_get_tag(&xa, 0, 2));
	EXPECT(xa_erase(&xa, 0) == T(1));
	EXPECT(!xa_tagged(&xa, 2));
	end();
}

TEST(xarray, the_ends_of_the_range)
{
	unsigned long at = 1;

	begin();
	EXPECT_EQ(store(~0ul, 0, T(3)), 0);
	EXPECT_EQ(xa.height, XA_LEVELS);
	EXPECT(xa_load(&xa, ~0ul) == T(3));
	EXPECT(!xa_load(&xa, ~0ul - 1));
	EXPECT(xa_find(&xa, &at, ~0ul) == T(3));
	EXPECT_EQ(at, ~0ul);
	EXPECT_EQ(store(0, 0, T(1)), 0);
	tag(~0ul, 0, true);
	at = 0;
	EXPECT(xa_find_tagged(&xa, &at, ~0ul, 0) == T(3));
	at = 1;
	EXPECT(!xa_find(&xa, &at, ~0ul - 1));
	EXPECT(xa_erase(&xa, ~0ul) == T(3));
	EXPECT_EQ(xa.height, 0);
	end();
}

TEST(xarray, values)
{
	begin();
	EXPECT_EQ(store(5, 0, xa_mk_value(0)), 0);
	EXPECT_EQ(store(6, 0, xa_mk_value(12345)), 0);
	EXPECT(xa_is_value(xa_load(&xa, 5)));
	EXPECT_EQ(xa_to_value(xa_load(&xa, 6)), 12345);
	EXPECT(!xa_is_value(T(0)));
	end();
}

TEST(xarray, entries_of_all_orders)
{
	for (unsigned int order = 0; order < 8 * sizeof(long) - 3; order++) {
		unsigned long first = 3ul << order, last = first + (1ul << order) - 1, at = first + (last - first) / 2;

		begin();
		EXPECT_EQ(store(at, order, T(2)), 0);
		EXPECT(xa_load(&xa, first) == T(2) && xa_load(&xa, last) == T(2) && xa_load(&xa, at) == T(2));
		EXPECT(!xa_load(&xa, first - 1) && !xa_load(&xa, last + 1));
		EXPECT_EQ(xa_get_order(&xa, last), order);
		EXPECT(xa_find(&xa, &at, ~0ul) == T(2));
		EXPECT_EQ(at, first);
		tag(last, 1, true);
		EXPECT(xa_get_tag(&xa, first, 1));
		at = last;
		EXPECT(xa_find_tagged(&xa, &at, last, 1) == T(2));
		EXPECT_EQ(at, first);
		EXPECT(xa_erase(&xa, last) == T(2));
		EXPECT(xa_empty(&xa));
		end();
	}
}

TEST(xarray, what_is_in_the_way_goes)
{
	begin();
	EXPECT_EQ(store(0, 2, T(1)), 0);
	EXPECT_EQ(store(4, 0, T(2)), 0);
	tag(1, 0, true);
	EXPECT_EQ(store(2, 0, T(3)), 0); /* in the middle of a larger one, which goes altogether */
	EXPECT(!xa_load(&xa, 0) && !xa_load(&xa, 3) && xa_load(&xa, 2) == T(3) && xa_load(&xa, 4) == T(2));
	EXPECT(!xa_tagged(&xa, 0));
	EXPECT_EQ(store(8, 3, T(4)), 0);
	tag(8, 2, true);
	EXPECT_EQ(store(0, 9, T(5)), 0); /* over all of them, and the node they were in */
	EXPECT(xa_load(&xa, 511) == T(5) && xa_load(&xa, 2) == T(5) && !xa_load(&xa, 512));
	EXPECT(!xa_tagged(&xa, 2));
	EXPECT_EQ(store(100, 0, T(6)), 0);
	EXPECT(!xa_load(&xa, 511) && xa_load(&xa, 100) == T(6) && !xa_load(&xa, 99));
	EXPECT_EQ(store(64, 6, NULL), 0); /* a range cleared */
	EXPECT(xa_empty(&xa));
	end();
}

TEST(xarray, in_place_of_another_of_the_same_extent_it_has_its_tags)
{
	begin();
	EXPECT_EQ(store(16, 2, T(1)), 0);
	tag(17, 1, true);
	EXPECT_EQ(store(16, 2, T(2)), 0);
	EXPECT(xa_get_tag(&xa, 19, 1));
	EXPECT(xa_load(&xa, 19) == T(2));
	EXPECT_EQ(store(16, 1, T(3)), 0);
	EXPECT(!xa_get_tag(&xa, 16, 1));
	EXPECT(!xa_load(&xa, 18));
	end();
}

TEST(xarray, finds_by_tag)
{
	unsigned long at = 0;

	begin();
	for (unsigned long i = 0; i < 5000; i += 3)
		EXPECT_EQ(xa_store_order(&xa, i, 0, T(i % 8), GFP_KERNEL), 0);
	tag(300, 0, true);
	tag(4500, 0, true);
	tag(4503, 0, true);
	EXPECT(xa_find_tagged(&xa, &at, ~0ul, 0) && at == 300);
	at = 301;
	EXPECT(xa_find_tagged(&xa, &at, ~0ul, 0) && at == 4500);
	at = 301;
	EXPECT(!xa_find_tagged(&xa, &at, 4499, 0));
	tag(4500, 0, false);
	EXPECT(xa_find_tagged(&xa, &at, ~0ul, 0) && at == 4503);
	EXPECT(xa_erase(&xa, 4503));
	at = 301;
	EXPECT(!xa_find_tagged(&xa, &at, ~0ul, 0));
	EXPECT(xa_tagged(&xa, 0));
	tag(300, 0, false);
	EXPECT(!xa_tagged(&xa, 0));
	end();
}

TEST(xarray, the_last_level_at_a_look)
{
	void **slots;

	begin();
	for (unsigned long i = 64; i < 128; i++)
		EXPECT_EQ(xa_store_order(&xa, i, 0, T(i % 8), GFP_KERNEL), 0);
	EXPECT_EQ(store(512, 9, T(1)), 0);
	slots = xa_leaf(&xa, 100);
	ASSERT(slots);
	for (unsigned long i = 64; i < 128; i++)
		EXPECT(slots[i & XA_SLOT_MASK] == T(i % 8));
	EXPECT(!xa_leaf(&xa, 600)); /* a large entry stands higher up */
	EXPECT(!xa_leaf(&xa, 5));
	end();
}

/* ---- Allocations that fail ---- */

static bool fill_sparsely(void *ctx)
{
	unsigned int *stored = ctx;
	static const struct {
		unsigned long index;
		unsigned int order;
	} step[] = { { 0, 0 }, { 65, 0 }, { 5000, 0 }, { 1ul << 20, 0 }, { 0, 6 }, { 4096, 12 }, { 4100, 0 } };

	xa_init(&xa);
	for (*stored = 0; *stored < ARRAY_SIZE(step); ++*stored) {
		unsigned long index = step[*stored].index;
		void *was = xa_load(&xa, index);

		if (xa_store_order(&xa, index, step[*stored].order, T(*stored), GFP_KERNEL | __GFP_NOWARN)) {
			EXPECT(xa_load(&xa, index) == was);
			break;
		}
		EXPECT(xa_load(&xa, index) == T(*stored));
	}
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
	xa_destroy(&xa);
	return *stored == ARRAY_SIZE(step);
}

static void nothing_to_check(void *ctx)
{
	(void)ctx;
}

TEST(xarray, without_memory_a_store_changes_nothing)
{
	unsigned int stored;

	EXPECT(fault_each_among(FAIL_NTH_SLAB, fill_sparsely, nothing_to_check, &stored) > 5);
}

/* ---- Damage ---- */

static char found[256];

static void keep(void *ctx, const char *line)
{
	unsigned int *n = ctx;

	if (!(*n)++)
		octavo_snprintf(found, sizeof(found), "%s", line);
}

static void expect_finding(const char *id)
{
	unsigned int n = 0;

	EXPECT(xa_verify(&xa, keep, &n) > 0);
	EXPECT(n > 0 && strstr(found, id));
}

static struct xa_node *leaf_of(unsigned long index)
{
	return container_of(xa_leaf(&xa, index), struct xa_node, slot[0]);
}

TEST(xarray, the_verifier_sees_damage)
{
	struct xa_node *node, *top;
	u64 tails;

	begin();
	for (unsigned long i = 0; i < 200; i++)
		EXPECT_EQ(xa_store_order(&xa, i * 4, i % 3 ? 2 : 0, T(i % 8), GFP_KERNEL), 0);
	node = leaf_of(64);
	top = xa_to_node(xa.head);
	node->offset++;
	expect_finding("XA-I1");
	node->offset--;
	node->count++;
	expect_finding("XA-I2");
	node->count--;
	tails = node->tails;
	node->tails ^= 1ull << 9;
	expect_finding("XA-I3");
	node->tails = tails | 1;
	expect_finding("XA-I3");
	node->tails = tails;
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
	node->tags[1] |= 1;
	expect_finding("XA-I4");
	top->tags[1] |= 2;
	expect_finding("XA-I4");
	xa.tags |= 2;
	EXPECT_EQ(xa_verify(&xa, NULL, NULL), 0);
	end();
}
