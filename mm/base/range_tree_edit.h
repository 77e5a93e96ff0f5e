/* SPDX-License-Identifier: MIT */
/* Between the files of the range tree's writer. */
#ifndef MM_BASE_RANGE_TREE_EDIT_H
#define MM_BASE_RANGE_TREE_EDIT_H

#include "range_tree_node.h"

/* What a node, or several, are to have in them. */
struct range_contents {
	unsigned int nr;
	uintptr_t key[2 * RANGE_SLOTS];
	uintptr_t end[2 * RANGE_SLOTS];
	void *slot[2 * RANGE_SLOTS];
};

static inline void range_contents_add(struct range_contents *c, uintptr_t key, uintptr_t end, void *slot)
{
	c->key[c->nr] = key;
	c->end[c->nr] = end;
	c->slot[c->nr++] = slot;
}

/* At least @nr spare nodes. Return: 0 or -ENOMEM. */
int range_spare(struct range_tree *tree, unsigned int nr, gfp_t gfp);
/* Nodes that range_replace() takes for a leaf of @nr ranges in place of path->node[0]. */
unsigned int range_replace_needs(const struct range_tree *tree, const struct range_path *path, unsigned int nr);
/* @c as the only leaf of an empty tree, from a spare node. */
void range_plant(struct range_tree *tree, const struct range_contents *c);
/* @c in place of the leaf at the end of @path, from the spare nodes. Return: the new leaf; NULL: there are two. */
struct range_node *range_replace(struct range_tree *tree, const struct range_path *path, struct range_contents *c);
/* The leaf at the end of @path, without ranges by now, leaves the tree. */
void range_remove_leaf(struct range_tree *tree, const struct range_path *path);
/* The separator at the right of the leaf at the end of @path moves. */
void range_set_separator(const struct range_tree *tree, const struct range_path *path, uintptr_t separator);
/* Gaps on the way that @path took, whose nodes are still the tree's; @all: even if the leaf's is right. */
void range_fix_path(const struct range_tree *tree, const struct range_path *path, bool all);
/* Gaps on the way to @address; @all: even if the leaf's is right. */
void range_fix_gaps(struct range_tree *tree, uintptr_t address, bool all);
/* Nodes on the way to @address that have become nearly empty join siblings, if there is memory for it. */
void range_join(struct range_tree *tree, uintptr_t address);

#endif
