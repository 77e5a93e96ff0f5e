// SPDX-License-Identifier: MIT
/* Ranges of page offsets: a tree against a list. */
#include "mm/vm/interval.h"

#include "harness.h"

#define NODES 200u
#define SPAN 400u

static struct interval_node nodes[NODES] __memsys;
static bool in[NODES] __memsys;

/* What meets [@first, @last], by looking at all. */
static unsigned int meets(unsigned long first, unsigned long last)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NODES; i++)
		n += in[i] && nodes[i].start <= last && nodes[i].last >= first;
	return n;
}

static void compare(struct interval_node *root, unsigned long first, unsigned long last)
{
	unsigned long start = 0;
	unsigned int n = 0;

	for (struct interval_node *node = interval_first(root, first, last); node;
	     node = interval_next(node, first, last)) {
		EXPECT(in[node - nodes] && node->start <= last && node->last >= first);
		EXPECT(node->start >= start);
		start = node->start;
		if (++n > NODES)
			break;
	}
	EXPECT_EQ(n, meets(first, last));
}

TEST(interval, like_a_list)
{
	u64 state = test_seed + 1;
	struct interval_node *root = NULL;

	memset(in, 0, sizeof(in));
	for (unsigned int step = 0; step < test_scaled(4000); step++) {
		u64 r = test_random(&state);
		unsigned int i = (unsigned int)(r % NODES);
		unsigned long from = (r >> 16) % SPAN;

		if (in[i]) {
			interval_remove(&root, &nodes[i]);
			in[i] = false;
		} else {
			nodes[i].start = (r >> 32) % SPAN;
			nodes[i].last = nodes[i].start + (r >> 48) % (r & 1 ? 8 : SPAN);
			interval_insert(&root, &nodes[i]);
			in[i] = true;
		}
		compare(root, from, from + (r >> 40) % 20);
		if (step % 16 == 0)
			ASSERT(interval_verify(root) == 0);
	}
	for (unsigned int i = 0; i < NODES; i++)
		if (in[i])
			interval_remove(&root, &nodes[i]);
	EXPECT(!root);
}

TEST(interval, the_ends_of_all_numbers)
{
	struct interval_node *root = NULL;

	memset(in, 0, sizeof(in));
	nodes[0].start = 0;
	nodes[0].last = 0;
	nodes[1].start = ~0ul;
	nodes[1].last = ~0ul;
	nodes[2].start = 0;
	nodes[2].last = ~0ul;
	for (unsigned int i = 0; i < 3; i++) {
		interval_insert(&root, &nodes[i]);
		in[i] = true;
	}
	compare(root, 0, 0);
	compare(root, 1, 1);
	compare(root, ~0ul, ~0ul);
	compare(root, 0, ~0ul);
}

TEST(interval, verify_sees_damage)
{
	struct interval_node *root = NULL;

	for (unsigned int i = 0; i < 5; i++) {
		nodes[i].start = i * 10;
		nodes[i].last = i * 10 + 5;
		interval_insert(&root, &nodes[i]);
	}
	EXPECT_EQ(interval_verify(root), 0);
	root->max--;
	test_capture_begin();
	EXPECT(interval_verify(root) == 1);
	(void)test_capture_end();
	root->max++;
}
