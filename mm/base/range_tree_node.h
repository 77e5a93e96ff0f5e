/* SPDX-License-Identifier: MIT */
/* What the files of the range tree share. The theory stands in range_tree.c. */
#ifndef MM_BASE_RANGE_TREE_NODE_H
#define MM_BASE_RANGE_TREE_NODE_H

#include <octavo/port.h>
#include <octavo/rcupdate.h>

#include "range_tree.h"

#define RANGE_HEADER (__SIZEOF_POINTER__ == 8 ? 40 : 16)
#define RANGE_SLOTS ((unsigned int)((RANGE_NODE_SIZE - RANGE_HEADER) / (3 * sizeof(void *))))
#define RANGE_HEIGHT_MAX 16u
#define RANGE_NODES_MAX(height) (2 * ((height) + 1) + 1) /* what a split all the way up takes */

/*
 * Legend: (c) constant once published, (w) the writer only, (r) read by readers: single words, changed by publish().
 * A leaf has ranges [key, end] of slot, an inner node children: key is the least address of the child's territory (the
 * first one's is not looked at), end the greatest gap in it.
 */
struct range_node {
	struct rcu_head rcu; /* of nodes that were taken out */
	u32 edits;	     /* (r) in-place changes of a leaf, counted after each */
	u8 level;	     /* (c) 0: a leaf */
	u8 used;	     /* (w) slots that have ever been in use; the first unused one is NULL */
	u8 live;	     /* (w) less those that are RANGE_GONE */
	uintptr_t key[RANGE_SLOTS] __aligned(sizeof(void *));
	uintptr_t end[RANGE_SLOTS];
	void *slot[RANGE_SLOTS];
} __aligned(RANGE_NODE_SIZE);
octavo_static_assert(sizeof(struct range_node) == RANGE_NODE_SIZE, "a node");
octavo_static_assert(offsetof(struct range_node, key) <= RANGE_HEADER, "its header");

/* In a slot: what was here is no longer. */
extern const char range_gone;
#define RANGE_GONE ((void *)(uintptr_t)&range_gone)

/* Builds for the seeded scheduler may switch CPUs at each of these. */
#ifdef OCTAVO_SCHED
#define range_sched_point() port_cpu_relax()
#else
#define range_sched_point() ((void)0)
#endif

/* Readers' loads and the writer's stores of words marked (r). What was written before is seen by who sees this. */
#define see(word)                        \
	({                               \
		range_sched_point();     \
		rcu_dereference(word);   \
	})
#define publish(word, value)                      \
	do {                                      \
		rcu_assign_pointer(word, value);  \
		range_sched_point();              \
	} while (0)

/* The way from the root to a leaf, and what is its territory. */
struct range_path {
	struct range_node *node[RANGE_HEIGHT_MAX + 1]; /* by level */
	u8 at[RANGE_HEIGHT_MAX + 1];		       /* the slot taken, of levels above 0 */
	bool rightmost;
	uintptr_t low, high;
};

/* For the writer. The tree is not empty. */
void range_descend(const struct range_tree *tree, uintptr_t address, struct range_path *path);

/* The next slot in use behind (before) @i; RANGE_SLOTS: there is none. */
static inline unsigned int range_slot_after(const struct range_node *node, unsigned int i)
{
	for (i++; i < node->used; i++)
		if (node->slot[i] != RANGE_GONE)
			return i;
	return RANGE_SLOTS;
}

static inline unsigned int range_slot_before(const struct range_node *node, unsigned int i)
{
	while (i--)
		if (node->slot[i] != RANGE_GONE)
			return i;
	return RANGE_SLOTS;
}
#define range_slot_first(node) range_slot_after(node, ~0u)
#define range_slot_last(node) range_slot_before(node, (node)->used)

/* Greatest stretch of free addresses in a leaf's territory; in an inner node's. */
uintptr_t range_leaf_gap(const struct range_node *leaf, uintptr_t low, bool rightmost);
uintptr_t range_inner_gap(const struct range_node *node);

#endif
