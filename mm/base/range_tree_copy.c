// SPDX-License-Identifier: MIT
/* A tree like another one, node by node: what fork() does with an address space's. */
#include "range_tree_node.h"
#include "string.h"

static struct range_node *copy_node(const struct range_node *from, const struct range_tree_ops *ops, gfp_t gfp)
{
	struct range_node *node = ops->alloc(gfp);

	if (!node)
		return NULL;
	*node = *from;
	node->edits = 0;
	return node;
}

/*
 * Nobody has seen the copy: its nodes go. Of those on the way (@copy, @at) the slots from @at on still have the
 * original's children.
 */
static void drop(struct range_tree *to, struct range_node **copy, const u8 *at, unsigned int level)
{
	for (unsigned int l = level; l <= to->height; l++)
		copy[l]->used = at[l];
	level = to->height;
	while (level <= to->height) {
		struct range_node *node = copy[level];

		if (level && node->used) {
			node->used--;
			if (node->slot[node->used] != RANGE_GONE)
				copy[--level] = node->slot[node->used];
			continue;
		}
		to->ops->release(node);
		level++;
	}
	to->root = NULL;
	to->height = 0;
	to->count = 0;
}

int range_tree_copy(struct range_tree *to, const struct range_tree *from, void *(*value)(void *ctx, void *old),
		    void *ctx, gfp_t gfp)
{
	struct range_node *copy[RANGE_HEIGHT_MAX + 1];
	unsigned int level = from->height;
	u8 at[RANGE_HEIGHT_MAX + 1];

	if (!from->root)
		return 0;
	copy[level] = copy_node(from->root, to->ops, gfp);
	if (!copy[level])
		return -ENOMEM;
	at[level] = 0;
	to->height = level;
	to->root = copy[level];
	while (level <= to->height) {
		struct range_node *node = copy[level];
		unsigned int i = at[level]++;

		if (i >= node->used) {
			level++;
		} else if (node->slot[i] == RANGE_GONE) {
			continue;
		} else if (!level) {
			node->slot[i] = value(ctx, node->slot[i]);
			to->count++;
		} else {
			copy[level - 1] = copy_node(node->slot[i], to->ops, gfp);
			if (!copy[level - 1]) {
				at[level]--;
				/* Further up the slot taken last is the way to here. */
				drop(to, copy, at, level);
				return -ENOMEM;
			}
			node->slot[i] = copy[level - 1];
			at[--level] = 0;
		}
	}
	return 0;
}
