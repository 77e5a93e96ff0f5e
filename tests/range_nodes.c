// SPDX-License-Identifier: MIT
#include "range_nodes.h"

#include <octavo/slab.h>

#include "harness.h"
#include "mm/base/range_tree_node.h"
#include "mm/sync/atomic.h"

unsigned int range_nodes_out;
int range_nodes_left = -1;

static void *alloc(gfp_t gfp)
{
	void *node;

	if (!range_nodes_left)
		return NULL;
	if (range_nodes_left > 0)
		range_nodes_left--;
	node = kmalloc(RANGE_NODE_SIZE, gfp | __GFP_NOWARN);
	if (node)
		atomic_fetch_add(&range_nodes_out, 1);
	return node;
}

/* Whoever still looks at it finds nothing where something is. */
static void release(void *node)
{
	memset(node, 0, RANGE_NODE_SIZE);
	kfree(node);
	atomic_fetch_sub(&range_nodes_out, 1);
}

static void release_head(struct rcu_head *head)
{
	release(container_of(head, struct range_node, rcu));
}

static void release_rcu(void *node)
{
	call_rcu(&((struct range_node *)node)->rcu, release_head);
}

const struct range_tree_ops range_nodes = { alloc, release, release };
const struct range_tree_ops range_nodes_rcu = { alloc, release, release_rcu };

unsigned int range_nodes_in(const struct range_tree *tree)
{
	const struct range_node *node[RANGE_HEIGHT_MAX + 1];
	unsigned int at[RANGE_HEIGHT_MAX + 1], level = tree->height, count = tree->spare_nr;

	if (!tree->root)
		return count;
	node[level] = tree->root;
	at[level] = ~0u;
	for (count++; level <= tree->height;) {
		at[level] = level ? range_slot_after(node[level], at[level]) : RANGE_SLOTS;
		if (at[level] == RANGE_SLOTS) {
			level++;
			continue;
		}
		node[level - 1] = node[level]->slot[at[level]];
		at[--level] = ~0u;
		count++;
	}
	return count;
}
