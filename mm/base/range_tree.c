// SPDX-License-Identifier: MIT
/*
 * Range tree: what it is, and its readers.
 *
 * Purpose. Kernel areas and VMAs: find the range that holds an address without a lock, insert, cut, split and remove
 * ranges, and find room for a new one, each in one way from the root to a leaf.
 *
 * Words. The *territory* of a node is the stretch of addresses it answers for; those of a level are the whole address
 * space. A *separator* is the least address of the right one of two neighbouring territories. A *gap* is a stretch of
 * free addresses.
 *
 * Structures. Nodes of four cache lines with RANGE_SLOTS slots of three words: 9 on 64-bit builds, 20 on 32-bit ones.
 *
 *	          key   7000    a000           a leaf: key = start, end = last, slot = value
 *	root      gap 1000 | 200 | 4000       an inner node: key = separator, end = greatest gap, slot = child
 *	           /      |      \
 *	   [0..6fff]  [7000..9fff]  [a000..]   territories
 *
 *	leaf: | 1000-1fff A | gone | 6000-6fff B | free | free ...      used 3, live 2
 *
 * Separators are tight: one stands right behind the last range of the leaf before it. So each gap lies in one
 * territory as a whole, a node's greatest gap says all about it, and a range that is to be inserted always belongs into
 * exactly one leaf. When the last range of a leaf goes or grows, one word moves: the separator stands in one node only,
 * the lowest one that both leaves are below.
 *
 * A change is made in place if one store shows it: a value replaced, an end trimmed or grown, a range gone (its slot
 * becomes RANGE_GONE, so nothing moves and no memory is needed), one added behind the last or in a slot between its
 * neighbours that is free. Else the leaf is copied, and the copy is published by the store of one pointer; if it does
 * not fit, two leaves take its place and the parent is copied as well, and so on up to a node with room. A leaf whose
 * last range goes leaves its parent at once and its territory falls to the right neighbour. Nodes with few children
 * join a sibling if there is memory for it.
 *
 * Readers see a slot's three words one by one. Each in-place change is one word, and `edits` is counted behind it: if
 * it has not moved between before and after, at most one change was half on its way, which is to say that it was not
 * seen or seen as a whole. A stalled writer stops no reader; a reader looks again only when a change was completed.
 * Inner nodes need no such count: a separator moves over free addresses only.
 *
 * Invariants.
 *	RT-I1	ranges in use of a leaf ascend, do not overlap, and lie in its territory
 *	RT-I2	separators ascend and are tight
 *	RT-I3	a child's gap in its parent is the greatest one of its territory
 *	RT-I4	all leaves are at level 0, a child is one level below its parent, height is the root's level
 *	RT-I5	live is the number of slots in use, at least 1; behind used slots all are NULL; count is the tree's sum
 *	RT-I6	nodes are neither lost nor used after release: those of the tree and its spares are all there are
 *	RT-I7	a reader sees each range as it was at one moment of the call; one that was there throughout is found
 *
 * Locking. The writer's is the caller's. Readers: RCU, or the writer's lock. What range_tree_gap() finds without the
 * writer's lock may be taken by the time it is told.
 *
 * Memory use and bounds. 256 bytes for 4 to 9 ranges (8 to 20) in trees that grow; what is removed when there is no
 * memory to join nodes with may leave nodes with one range each. A change takes at most RANGE_NODES_MAX nodes.
 *
 * What failure does. Memory is asked for before anything changes; -ENOMEM leaves the tree as it was. To remove never
 * fails.
 *
 * Differences from Linux. Its maple tree is wider for dense keys, keeps gaps as entries of their own, and copies nodes
 * for most changes; it can replace ranges of many nodes in one store, where this one takes out what is in the way range
 * by range, so that a reader may find nothing for a moment.
 *
 * Sources. Bayer, McCreight, "Organization and maintenance of large ordered indices", 1972; Lehman, Yao, "Efficient
 * locking for concurrent operations on B-trees", 1981, for readers without locks.
 */
#include "range_tree_node.h"

const char range_gone;

/* A reader's step: the child of @node in whose territory @at is, and the bounds of that. NULL: it is all gone. */
static struct range_node *step(const struct range_node *node, uintptr_t at, uintptr_t *low, uintptr_t *high)
{
	struct range_node *child = NULL;

	for (unsigned int i = 0; i < RANGE_SLOTS; i++) {
		void *slot = see(node->slot[i]);
		uintptr_t key;

		if (!slot)
			break;
		if (slot == RANGE_GONE)
			continue;
		key = see(node->key[i]);
		if (child && key > at) {
			*high = key - 1;
			break;
		}
		if (child)
			*low = key;
		child = slot;
	}
	return child;
}

static const struct range_node *leaf_of(const struct range_tree *tree, uintptr_t at, uintptr_t *low, uintptr_t *high)
{
	const struct range_node *node = see(tree->root);

	*low = 0;
	*high = UINTPTR_MAX;
	while (node && node->level)
		node = step(node, at, low, high);
	return node;
}

/* One look at slot @i. Return: false when the leaf ends before it. */
static force_inline bool look(const struct range_node *leaf, unsigned int i, struct range_entry *entry)
{
	if (i == RANGE_SLOTS)
		return false;
	entry->value = see(leaf->slot[i]);
	entry->start = see(leaf->key[i]);
	entry->last = see(leaf->end[i]);
	return entry->value != NULL;
}

/* leaf_of() for who does not ask for bounds. */
static force_inline const struct range_node *leaf_at(const struct range_tree *tree, uintptr_t at)
{
	const struct range_node *node = see(tree->root);

	while (node && node->level) {
		const struct range_node *child = NULL;

		for (unsigned int i = 0; i < RANGE_SLOTS; i++) {
			const struct range_node *slot = see(node->slot[i]);

			if (!slot || (child && slot != RANGE_GONE && see(node->key[i]) > at))
				break;
			if (slot != RANGE_GONE)
				child = slot;
		}
		node = child;
	}
	return node;
}

void *range_tree_load(const struct range_tree *tree, uintptr_t at)
{
	const struct range_node *leaf = leaf_at(tree, at);
	struct range_entry entry;
	void *value;
	u32 edits;

	if (!leaf)
		return NULL;
	do {
		edits = see(leaf->edits);
		value = NULL;
		/* Most are ruled out by one word: an end that was here before this look or is here now is below. */
		for (unsigned int i = 0; i < RANGE_SLOTS; i++)
			if (at <= see(leaf->end[i])) {
				if (!look(leaf, i, &entry))
					break;
				if (entry.value != RANGE_GONE && at >= entry.start && at <= entry.last) {
					value = entry.value;
					break;
				}
			}
	} while (unlikely(see(leaf->edits) != edits));
	return value;
}

bool range_tree_next(const struct range_tree *tree, uintptr_t from, struct range_entry *entry)
{
	uintptr_t at = from, low, high;
	const struct range_node *leaf;
	bool found;
	u32 edits;

	for (;;) {
		leaf = leaf_of(tree, at, &low, &high);
		do {
			if (!leaf)
				break;
			edits = see(leaf->edits);
			found = false;
			for (unsigned int i = 0; !found && look(leaf, i, entry); i++)
				found = entry->value != RANGE_GONE && entry->last >= from;
		} while (unlikely(see(leaf->edits) != edits));
		if (leaf && found)
			return true;
		/* The leaf's last range is gone, or was never there: the tree's right edge. */
		if (high == UINTPTR_MAX)
			return false;
		at = high + 1;
	}
}

bool range_tree_prev(const struct range_tree *tree, uintptr_t from, struct range_entry *entry)
{
	uintptr_t at = from, low, high;
	const struct range_node *leaf;
	struct range_entry e;
	bool found;
	u32 edits;

	for (;;) {
		leaf = leaf_of(tree, at, &low, &high);
		do {
			if (!leaf)
				break;
			edits = see(leaf->edits);
			found = false;
			for (unsigned int i = 0; look(leaf, i, &e); i++) {
				if (e.value == RANGE_GONE)
					continue;
				if (e.start > from)
					break;
				*entry = e;
				found = true;
			}
		} while (unlikely(see(leaf->edits) != edits));
		if (leaf && found)
			return true;
		if (!low)
			return false;
		at = low - 1;
	}
}

void range_descend(const struct range_tree *tree, uintptr_t address, struct range_path *path)
{
	struct range_node *node = tree->root;

	path->low = 0;
	path->high = UINTPTR_MAX;
	path->rightmost = true;
	for (; node->level; node = node->slot[path->at[node->level]]) {
		unsigned int taken = range_slot_first(node);

		for (unsigned int i = taken + 1; i < node->used; i++) {
			if (node->slot[i] == RANGE_GONE)
				continue;
			if (node->key[i] > address) {
				path->high = node->key[i] - 1;
				path->rightmost = false;
				break;
			}
			path->low = node->key[i];
			taken = i;
		}
		path->node[node->level] = node;
		path->at[node->level] = (u8)taken;
	}
	path->node[0] = node;
}

uintptr_t range_leaf_gap(const struct range_node *leaf, uintptr_t low, bool rightmost)
{
	uintptr_t gap = 0, free = low;
	unsigned int last = 0;

	for (unsigned int i = 0; i < leaf->used; i++) {
		if (leaf->slot[i] == RANGE_GONE)
			continue;
		gap = max(gap, leaf->key[i] - free);
		free = leaf->end[i] + 1;
		last = i;
	}
	return rightmost ? max(gap, UINTPTR_MAX - leaf->end[last]) : gap;
}

uintptr_t range_inner_gap(const struct range_node *node)
{
	uintptr_t gap = 0;

	for (unsigned int i = 0; i < node->used; i++)
		if (node->slot[i] != RANGE_GONE)
			gap = max(gap, node->end[i]);
	return gap;
}
