// SPDX-License-Identifier: MIT
/* The range tree: what its functions do, and that its verifier sees what is wrong. */
#include "harness.h"
#include "mm/base/range_tree_node.h"
#include "range_nodes.h"

static struct range_tree tree;
static char values[16];
#define V(i) ((void *)&values[i])

static void begin(void)
{
	tree = (struct range_tree)RANGE_TREE_INIT(&range_nodes);
	range_nodes_out = 0;
	range_nodes_left = -1;
}

static void end(void)
{
	EXPECT_EQ(range_tree_verify(&tree), 0);
	EXPECT_EQ(range_nodes_in(&tree), range_nodes_out); /* RT-I6 */
	range_tree_destroy(&tree);
	EXPECT_EQ(range_nodes_out, 0);
}

static int set(uintptr_t start, uintptr_t last, void *value)
{
	return range_tree_store(&tree, start, last, value, GFP_KERNEL);
}

/* The ranges from the bottom up as text: "0-4:1 7-9:2" */
static const char *ranges(void)
{
	static char text[512];
	struct range_entry e;
	size_t n = 0;
	uintptr_t from = 0;

	text[0] = '\0';
	while (range_tree_next(&tree, from, &e) && n < sizeof(text)) {
		n += octavo_snprintf(text + n, sizeof(text) - n, "%s%zu-%zu:%zu", n ? " " : "", (size_t)e.start,
				     (size_t)e.last, (size_t)((char *)e.value - values));
		from = e.last + 1;
		if (!from)
			break;
	}
	return text;
}

TEST(range_tree, empty)
{
	struct range_entry e;
	uintptr_t start;

	begin();
	EXPECT(!range_tree_load(&tree, 0));
	EXPECT(!range_tree_next(&tree, 0, &e));
	EXPECT(!range_tree_prev(&tree, UINTPTR_MAX, &e));
	EXPECT(!range_tree_erase(&tree, 5));
	EXPECT_EQ(set(1, 5, NULL), 0);
	EXPECT_EQ(range_tree_gap(&tree, 5, 100, 10, 8, &start), 0);
	EXPECT_EQ(start, 8);
	EXPECT_EQ(range_tree_gap_top(&tree, 5, 100, 10, 8, &start), 0);
	EXPECT_EQ(start, 88);
	EXPECT_EQ(range_tree_gap(&tree, 5, 14, 10, 8, &start), -EBUSY);
	EXPECT_EQ(range_tree_gap(&tree, 5, 14, 10, 1, &start), 0);
	EXPECT_EQ(range_tree_gap(&tree, 5, 14, 0, 1, &start), -EBUSY);
	end();
}

TEST(range_tree, store_cuts_and_splits)
{
	begin();
	EXPECT_EQ(set(10, 19, V(1)), 0);
	EXPECT_EQ(set(30, 39, V(2)), 0);
	EXPECT_STREQ(ranges(), "10-19:1 30-39:2");
	EXPECT_EQ(set(13, 15, V(3)), 0);
	EXPECT_STREQ(ranges(), "10-12:1 13-15:3 16-19:1 30-39:2");
	EXPECT_EQ(set(14, 34, NULL), 0);
	EXPECT_STREQ(ranges(), "10-12:1 13-13:3 35-39:2");
	EXPECT_EQ(set(0, 36, V(4)), 0);
	EXPECT_STREQ(ranges(), "0-36:4 37-39:2");
	EXPECT_EQ(set(0, 40, V(4)), 0);
	EXPECT_STREQ(ranges(), "0-40:4");
	EXPECT_EQ(set(5, 5, NULL), 0);
	EXPECT_STREQ(ranges(), "0-4:4 6-40:4");
	EXPECT_EQ(set(50, 49, V(1)), -EINVAL);
	EXPECT_EQ(range_tree_insert(&tree, 40, 50, V(1), GFP_KERNEL), -EEXIST);
	EXPECT_EQ(range_tree_insert(&tree, 41, 50, V(1), GFP_KERNEL), 0);
	EXPECT_EQ(range_tree_insert(&tree, 5, 5, V(1), GFP_KERNEL), 0);
	EXPECT_EQ(range_tree_insert(&tree, 60, 60, NULL, GFP_KERNEL), -EINVAL);
	EXPECT_STREQ(ranges(), "0-4:4 5-5:1 6-40:4 41-50:1");
	EXPECT(range_tree_erase(&tree, 30) == V(4));
	EXPECT(!range_tree_erase(&tree, 30));
	EXPECT_STREQ(ranges(), "0-4:4 5-5:1 41-50:1");
	end();
}

TEST(range_tree, ends_of_the_address_space)
{
	struct range_entry e;
	uintptr_t start;

	begin();
	EXPECT_EQ(set(0, UINTPTR_MAX, V(1)), 0);
	EXPECT_EQ(range_tree_gap(&tree, 0, UINTPTR_MAX, 1, 1, &start), -EBUSY);
	EXPECT_EQ(set(UINTPTR_MAX, UINTPTR_MAX, V(2)), 0);
	EXPECT_EQ(set(0, 0, NULL), 0);
	EXPECT(range_tree_load(&tree, UINTPTR_MAX) == V(2));
	EXPECT(range_tree_load(&tree, UINTPTR_MAX - 1) == V(1));
	EXPECT(!range_tree_load(&tree, 0));
	EXPECT(range_tree_prev(&tree, UINTPTR_MAX, &e) && e.value == V(2));
	EXPECT(!range_tree_prev(&tree, 0, &e));
	EXPECT_EQ(range_tree_gap_top(&tree, 0, UINTPTR_MAX, 1, 1, &start), 0);
	EXPECT_EQ(start, 0);
	EXPECT_EQ(set(UINTPTR_MAX - 7, UINTPTR_MAX, NULL), 0);
	EXPECT_EQ(range_tree_gap(&tree, 1, UINTPTR_MAX, 8, 8, &start), 0);
	EXPECT_EQ(start, UINTPTR_MAX - 7);
	EXPECT_EQ(range_tree_gap(&tree, 1, UINTPTR_MAX, 9, 1, &start), -EBUSY);
	end();
}

TEST(range_tree, many_ranges_up_down_and_away)
{
	uintptr_t start;

	begin();
	for (unsigned int i = 0; i < 2000; i++)
		EXPECT_EQ(set(i * 10, i * 10 + 6, V(i % 16)), 0);
	EXPECT_EQ(tree.count, 2000);
	EXPECT_EQ(range_tree_verify(&tree), 0);
	/* Full nodes but for the right edge, and inner ones. */
	EXPECT(range_nodes_out <= 2000 / (RANGE_SLOTS - 1) * (RANGE_SLOTS + 1) / RANGE_SLOTS + 16);
	EXPECT_EQ(range_tree_gap(&tree, 0, 19999, 3, 1, &start), 0);
	EXPECT_EQ(start, 7);
	EXPECT_EQ(range_tree_gap_top(&tree, 0, 19999, 3, 1, &start), 0);
	EXPECT_EQ(start, 19997);
	EXPECT_EQ(range_tree_gap(&tree, 0, 19999, 4, 1, &start), -EBUSY);
	EXPECT(range_tree_erase(&tree, 10003) == V(1000 % 16));
	EXPECT_EQ(range_tree_gap(&tree, 0, 19999, 13, 1, &start), 0);
	EXPECT_EQ(start, 9997);
	EXPECT_EQ(range_tree_gap_top(&tree, 0, 19999, 8, 16, &start), 0);
	EXPECT_EQ(start, 10000);
	for (unsigned int i = 0; i < 2000; i++)
		EXPECT(range_tree_erase(&tree, i * 10 + 6) == (i == 1000 ? NULL : V(i % 16)));
	EXPECT_EQ(tree.count, 0);
	EXPECT_EQ(range_nodes_out, tree.spare_nr);
	for (unsigned int i = 2000; i--;)
		EXPECT_EQ(set(i * 10, i * 10 + 6, V(i % 16)), 0);
	EXPECT_EQ(range_tree_verify(&tree), 0);
	EXPECT_EQ(set(5, 19993, NULL), 0);
	EXPECT_STREQ(ranges(), "0-4:0 19994-19996:15");
	end();
}

TEST(range_tree, nearly_empty_nodes_join)
{
	begin();
	for (unsigned int i = 0; i < 3000; i++)
		EXPECT_EQ(set(i * 4, i * 4 + 3, V(1)), 0);
	for (unsigned int i = 0; i < 3000; i++)
		if (i % 30)
			EXPECT(range_tree_erase(&tree, i * 4));
	EXPECT_EQ(range_tree_verify(&tree), 0);
	EXPECT_EQ(tree.count, 100);
	EXPECT(range_nodes_in(&tree) - tree.spare_nr <= 100);
	/* Without memory they stay as they are, and all is well. */
	range_nodes_left = 0;
	for (unsigned int i = 0; i < 3000; i += 60)
		EXPECT(range_tree_erase(&tree, i * 4));
	EXPECT_EQ(range_tree_verify(&tree), 0);
	range_nodes_left = -1;
	end();
}

TEST(range_tree, what_was_reserved_is_enough)
{
	begin();
	EXPECT_EQ(range_tree_reserve(&tree, GFP_KERNEL), 0);
	for (unsigned int i = 0; i < 1500; i++) {
		uintptr_t at = (uintptr_t)i * 7919 % 1500 * 8;

		range_nodes_left = 0;
		EXPECT_EQ(set(at, at + 4, V(i % 16)), 0);
		EXPECT_EQ(set(at + 2, at + 2, V(i % 16)), 0);
		range_nodes_left = -1;
		EXPECT_EQ(range_tree_reserve(&tree, GFP_KERNEL), 0);
	}
	end();
}

/* ---- The verifier ---- */

/* Damage done to one word is told once or more, with the invariant's name, and gone when it is undone. */
static void expect_told(const char *invariant)
{
	unsigned int found;
	const char *text;

	test_capture_begin();
	found = range_tree_verify(&tree);
	text = test_capture_end();
	EXPECT(found >= 1);
	if (!strstr(text, invariant))
		test_fail(__FILE__, __LINE__, "%s is not told of in: %s", invariant, text);
}

#define EXPECT_DAMAGE(invariant, word, wrong)             \
	do {                                              \
		__typeof__(word) _right = (word);         \
		(word) = (wrong);                         \
		expect_told(invariant);                   \
		(word) = _right;                          \
		EXPECT_EQ(range_tree_verify(&tree), 0);   \
	} while (0)

TEST(range_tree, verifier_sees_damage)
{
	struct range_path path;
	struct range_node *leaf;

	begin();
	for (unsigned int i = 0; i < 1000; i++)
		EXPECT_EQ(set(i * 16, i * 16 + 7, V(1)), 0);
	range_descend(&tree, 8000, &path);
	leaf = path.node[0];
	ASSERT(tree.height >= 1 && leaf->live > 2);
	EXPECT_DAMAGE("RT-I1", leaf->end[0], leaf->key[1]);
	EXPECT_DAMAGE("RT-I1", leaf->end[1], leaf->key[1] - 1);
	EXPECT_DAMAGE("RT-I1", leaf->end[leaf->used - 1], leaf->end[leaf->used - 1] + 1);
	EXPECT_DAMAGE("RT-I2", leaf->end[leaf->used - 1], leaf->end[leaf->used - 1] - 1);
	EXPECT_DAMAGE("RT-I3", path.node[1]->end[path.at[1]], 99);
	EXPECT_DAMAGE("RT-I3", leaf->key[1], leaf->key[1] + 1);
	EXPECT_DAMAGE("RT-I4", leaf->level, 1);
	EXPECT_DAMAGE("RT-I4", tree.height, tree.height + 1);
	EXPECT_DAMAGE("RT-I5", leaf->live, leaf->live - 1);
	EXPECT_DAMAGE("RT-I5", leaf->slot[1], RANGE_GONE);
	EXPECT_DAMAGE("RT-I5", leaf->used, leaf->used - 1);
	EXPECT_DAMAGE("RT-I5", tree.count, 999);
	EXPECT_DAMAGE("RT-I6", tree.spare_nr, tree.spare_nr + 1);
	end();
}

/* ---- Copies ---- */

static char other_values[16];

static void *other_value(void *ctx, void *old)
{
	unsigned int *n = ctx;

	++*n;
	return &other_values[(char *)old - values];
}

static bool is_copy(struct range_tree *copy)
{
	struct range_entry e, theirs;
	uintptr_t from = 0;

	for (; range_tree_next(&tree, from, &e); from = e.last + 1)
		if (!range_tree_next(copy, from, &theirs) || theirs.start != e.start || theirs.last != e.last ||
		    theirs.value != &other_values[(char *)e.value - values])
			return false;
	return !range_tree_next(copy, from, &theirs);
}

/* Of every size, with holes where ranges went, and with each allocation failing in turn. */
TEST(range_tree, copy)
{
	for (unsigned int size = 0; size < 300; size = size * 3 / 2 + 1) {
		unsigned int n = 0, before;
		int err = -ENOMEM;

		begin();
		for (unsigned int i = 0; i < size; i++)
			EXPECT_EQ(set(i * 16, i * 16 + 7, V(i % 16)), 0);
		for (unsigned int i = 3; i < size; i += 7)
			EXPECT(range_tree_erase(&tree, i * 16));
		before = range_nodes_out;
		for (int left = 0; err; left++) {
			struct range_tree copy = RANGE_TREE_INIT(&range_nodes);

			n = 0;
			range_nodes_left = left;
			err = range_tree_copy(&copy, &tree, other_value, &n, GFP_KERNEL);
			range_nodes_left = -1;
			if (err) {
				EXPECT(!copy.root && !copy.count && range_nodes_out == before);
				continue;
			}
			EXPECT(n == tree.count && copy.count == tree.count && copy.height == tree.height);
			EXPECT_EQ(range_tree_verify(&copy), 0);
			EXPECT(is_copy(&copy));
			range_tree_destroy(&copy);
			EXPECT_EQ(range_nodes_out, before);
		}
		end();
	}
}
