// SPDX-License-Identifier: MIT
/* Range tree: does the structure keep its invariants? Each finding names the invariant and the node. */
#include "printk.h"
#include "range_tree_node.h"

struct check {
	const struct range_tree *tree;
	unsigned int findings;
	unsigned long count;
	uintptr_t free;	 /* the least address behind all ranges seen so far */
	bool full;	 /* there is none */
};

__printf(3, 4) static void complain(struct check *ck, const struct range_node *node, const char *fmt, ...)
{
	char text[96];
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_err("range tree %p, node %p of level %u: %s\n", (const void *)ck->tree, (const void *)node, node->level,
	       text);
	ck->findings++;
}

/* RT-I5 of one node. Return: whether its slots can be looked at. */
static bool check_slots(struct check *ck, const struct range_node *node)
{
	unsigned int live = 0;

	if (node->used > RANGE_SLOTS) {
		complain(ck, node, "RT-I5: %u slots used of %u", node->used, RANGE_SLOTS);
		return false;
	}
	for (unsigned int i = 0; i < RANGE_SLOTS; i++) {
		if ((node->slot[i] != NULL) != (i < node->used))
			complain(ck, node, "RT-I5: %u slots used, but slot %u is %p", node->used, i, node->slot[i]);
		live += node->slot[i] && node->slot[i] != RANGE_GONE;
	}
	if (live != node->live || !live)
		complain(ck, node, "RT-I5: live says %u, %u slots are", node->live, live);
	return live != 0;
}

static void check_leaf(struct check *ck, const struct range_node *leaf, uintptr_t low, uintptr_t high)
{
	if (ck->full || ck->free != low)
		complain(ck, leaf, "RT-I2: territory begins at %zx, the last range ended before %zx", (size_t)low,
			 (size_t)ck->free);
	for (unsigned int i = 0; i < leaf->used; i++) {
		if (leaf->slot[i] == RANGE_GONE)
			continue;
		ck->count++;
		if (leaf->end[i] < leaf->key[i] || leaf->end[i] > high || ck->full || leaf->key[i] < ck->free)
			complain(ck, leaf, "RT-I1: range %zx-%zx behind %zx, territory %zx-%zx", (size_t)leaf->key[i],
				 (size_t)leaf->end[i], (size_t)ck->free, (size_t)low, (size_t)high);
		ck->free = leaf->end[i] + 1;
		ck->full = !ck->free;
	}
}

static void check_child(struct check *ck, const struct range_path *path, unsigned int level)
{
	const struct range_node *node = path->node[level];
	unsigned int i = path->at[level];
	const struct range_node *child = node->slot[i];
	uintptr_t gap;

	if (child->level != level - 1) {
		complain(ck, node, "RT-I4: child %u is of level %u", i, child->level);
		return;
	}
	gap = child->level ? range_inner_gap(child) : range_leaf_gap(child, path->low, path->rightmost);
	if (gap != node->end[i])
		complain(ck, node, "RT-I3: gap of child %u is %zx, not %zx", i, (size_t)gap, (size_t)node->end[i]);
}

/* Territory of slot @i of a node that has [*low, *high]. */
static void narrow(const struct range_node *node, unsigned int i, uintptr_t *low, uintptr_t *high, bool *rightmost)
{
	unsigned int next = range_slot_after(node, i);

	if (i != range_slot_first(node))
		*low = node->key[i];
	if (next < RANGE_SLOTS) {
		*high = node->key[next] - 1;
		*rightmost = false;
	}
}

static void check_nodes(struct check *ck)
{
	uintptr_t low[RANGE_HEIGHT_MAX + 1], high[RANGE_HEIGHT_MAX + 1];
	bool rightmost[RANGE_HEIGHT_MAX + 1];
	struct range_path path;
	unsigned int level = ck->tree->height, top = level;

	low[level] = 0;
	high[level] = UINTPTR_MAX;
	rightmost[level] = true;
	path.node[level] = ck->tree->root;
	path.at[level] = RANGE_SLOTS;
	while (level <= top) {
		struct range_node *node = path.node[level];
		unsigned int i = path.at[level];

		if (i == RANGE_SLOTS) {
			bool sound = check_slots(ck, node);

			if (sound && !level)
				check_leaf(ck, node, low[0], high[0]);
			if (!sound || !level) {
				level++;
				continue;
			}
			i = ~0u;
		}
		i = range_slot_after(node, i);
		if (i == RANGE_SLOTS) {
			level++;
			continue;
		}
		path.at[level] = (u8)i;
		low[level - 1] = low[level];
		high[level - 1] = high[level];
		rightmost[level - 1] = rightmost[level];
		narrow(node, i, &low[level - 1], &high[level - 1], &rightmost[level - 1]);
		path.low = low[level - 1];
		path.rightmost = rightmost[level - 1];
		check_child(ck, &path, level);
		level--;
		path.node[level] = node->slot[i];
		path.at[level] = RANGE_SLOTS;
	}
}

unsigned int range_tree_verify(const struct range_tree *tree)
{
	struct check ck = { .tree = tree };
	unsigned int spare = 0;

	if (tree->root && (tree->height > RANGE_HEIGHT_MAX || tree->root->level != tree->height))
		complain(&ck, tree->root, "RT-I4: the tree's height is %u", tree->height);
	else if (tree->root)
		check_nodes(&ck);
	if (ck.count != tree->count) {
		pr_err("range tree %p: RT-I5: %lu ranges, count says %lu\n", (const void *)tree, ck.count, tree->count);
		ck.findings++;
	}
	for (void **node = tree->spare; node; node = *node)
		spare++;
	if (spare != tree->spare_nr) {
		pr_err("range tree %p: RT-I6: %u spare nodes, spare_nr says %u\n", (const void *)tree, spare,
		       tree->spare_nr);
		ck.findings++;
	}
	return ck.findings;
}
