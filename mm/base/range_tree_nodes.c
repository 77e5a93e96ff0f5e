// SPDX-License-Identifier: MIT
/* Range tree: nodes come, are replaced, split, joined and go. */
#include "range_tree_edit.h"

int range_spare(struct range_tree *tree, unsigned int nr, gfp_t gfp)
{
	while (tree->spare_nr < nr) {
		void **node = tree->ops->alloc(gfp);

		if (!node)
			return -ENOMEM;
		*node = tree->spare;
		tree->spare = node;
		tree->spare_nr++;
	}
	return 0;
}

int range_tree_reserve(struct range_tree *tree, gfp_t gfp)
{
	return range_spare(tree, RANGE_NODES_MAX(tree->height), gfp);
}

int range_tree_reserve_changes(struct range_tree *tree, unsigned int changes, gfp_t gfp)
{
	/* Each may make the tree higher by one. */
	return range_spare(tree, changes * RANGE_NODES_MAX(tree->height + changes - 1), gfp);
}

static struct range_node *make(struct range_tree *tree, unsigned int level, const struct range_contents *c,
			       unsigned int from, unsigned int nr)
{
	struct range_node *node = tree->spare;

	tree->spare = *(void **)node;
	tree->spare_nr--;
	node->edits = 0;
	node->level = (u8)level;
	node->used = node->live = (u8)nr;
	for (unsigned int i = 0; i < RANGE_SLOTS; i++) {
		node->key[i] = i < nr ? c->key[from + i] : 0;
		node->end[i] = i < nr ? c->end[from + i] : 0;
		node->slot[i] = i < nr ? c->slot[from + i] : NULL;
	}
	return node;
}

/* @node is shown in place of the one of its level on @path. */
static void show(struct range_tree *tree, const struct range_path *path, struct range_node *node)
{
	unsigned int level = node->level;

	if (level == tree->height) {
		publish(tree->root, node);
	} else {
		struct range_node *parent = path->node[level + 1];

		publish(parent->slot[path->at[level + 1]], node);
	}
}

static void drop(struct range_tree *tree, const struct range_path *path, unsigned int levels)
{
	for (unsigned int level = 0; level < levels; level++)
		tree->ops->release_rcu(path->node[level]);
}

/* ---- Separators and gaps ---- */

void range_set_separator(const struct range_tree *tree, const struct range_path *path, uintptr_t separator)
{
	for (unsigned int level = 1; level <= tree->height; level++) {
		struct range_node *node = path->node[level];
		unsigned int i = range_slot_after(node, path->at[level]);

		if (i < RANGE_SLOTS) {
			publish(node->key[i], separator);
			return;
		}
	}
}

static void set_gap(struct range_node *node, unsigned int i, uintptr_t gap)
{
	if (node->end[i] != gap)
		publish(node->end[i], gap);
}

void range_fix_path(const struct range_tree *tree, const struct range_path *path, bool all)
{
	uintptr_t gap;

	if (!tree->height)
		return;
	gap = range_leaf_gap(path->node[0], path->low, path->rightmost);
	for (unsigned int level = 1; level <= tree->height; level++) {
		struct range_node *node = path->node[level];
		uintptr_t was = node->end[path->at[level]];

		if (was != gap)
			publish(node->end[path->at[level]], gap);
		else if (!all)
			return;
		gap = range_inner_gap(node);
	}
}

void range_fix_gaps(struct range_tree *tree, uintptr_t address, bool all)
{
	struct range_path path;

	if (!tree->height)
		return;
	range_descend(tree, address, &path);
	range_fix_path(tree, &path, all);
}

/* ---- Replace and split ---- */

unsigned int range_replace_needs(const struct range_tree *tree, const struct range_path *path, unsigned int nr)
{
	unsigned int needs = 2;

	if (nr <= RANGE_SLOTS)
		return 1;
	for (unsigned int level = 1; level <= tree->height; level++) {
		if (path->node[level]->live < RANGE_SLOTS)
			return needs + 1;
		needs += 2;
	}
	return needs + 1;
}

static uintptr_t gap_of(const struct range_node *node, uintptr_t low, bool rightmost)
{
	return node->level ? range_inner_gap(node) : range_leaf_gap(node, low, rightmost);
}

/* The children of @node, with those at @at .. @last replaced by the ones in @with. */
static void collect_children(const struct range_node *node, unsigned int at, unsigned int last,
			     const struct range_contents *with, struct range_contents *c)
{
	c->nr = 0;
	for (unsigned int i = 0; i < node->used; i++) {
		if (i == at)
			for (unsigned int j = 0; j < with->nr; j++)
				range_contents_add(c, j ? with->key[j] : node->key[i], with->end[j], with->slot[j]);
		if ((i < at || i > last) && node->slot[i] != RANGE_GONE)
			range_contents_add(c, node->key[i], node->end[i], node->slot[i]);
	}
}

void range_plant(struct range_tree *tree, const struct range_contents *c)
{
	tree->height = 0;
	publish(tree->root, make(tree, 0, c, 0, c->nr));
}

struct range_node *range_replace(struct range_tree *tree, const struct range_path *path, struct range_contents *c)
{
	unsigned int level = 0;
	struct range_node *node;

	while (c->nr > RANGE_SLOTS) {
		/* What grows at its right edge leaves full nodes behind. */
		unsigned int half = path->rightmost ? RANGE_SLOTS - 1 : c->nr / 2;
		uintptr_t separator = level ? c->key[half] : c->end[half - 1] + 1;
		struct range_node *left = make(tree, level, c, 0, half);
		struct range_node *right = make(tree, level, c, half, c->nr - half);
		struct range_contents pair = { .nr = 0 };

		range_contents_add(&pair, path->low, gap_of(left, path->low, false), left);
		range_contents_add(&pair, separator, gap_of(right, separator, path->rightmost), right);
		if (level == tree->height) {
			publish(tree->root, make(tree, level + 1, &pair, 0, 2));
			tree->height++;
			drop(tree, path, level + 1);
			return NULL;
		}
		level++;
		collect_children(path->node[level], path->at[level], path->at[level], &pair, c);
	}
	node = make(tree, level, c, 0, c->nr);
	show(tree, path, node);
	drop(tree, path, level + 1);
	return level ? NULL : node;
}

/* ---- Remove and join ---- */

static void lower_root(struct range_tree *tree)
{
	while (tree->height && tree->root->live == 1) {
		struct range_node *root = tree->root;

		publish(tree->root, root->slot[range_slot_first(root)]);
		tree->height--;
		tree->ops->release_rcu(root);
	}
}

void range_remove_leaf(struct range_tree *tree, const struct range_path *path)
{
	struct range_node *node;
	unsigned int level = 1, next;

	while (level <= tree->height && path->node[level]->live == 1)
		level++;
	if (level > tree->height) {
		publish(tree->root, NULL);
		drop(tree, path, tree->height + 1);
		tree->height = 0;
		return;
	}
	node = path->node[level];
	next = range_slot_after(node, path->at[level]);
	if (next < RANGE_SLOTS)
		publish(node->key[next], path->low);
	else if (!path->rightmost)
		range_set_separator(tree, path, path->low);
	publish(node->slot[path->at[level]], RANGE_GONE);
	node->live--;
	drop(tree, path, level);
	for (uintptr_t gap; level < tree->height; level++) {
		gap = range_inner_gap(path->node[level]);
		set_gap(path->node[level + 1], path->at[level + 1], gap);
	}
	range_fix_gaps(tree, path->low, true);
	range_join(tree, path->low);
}

/* The node of @level on @path and sibling @other of it become one. */
static bool join(struct range_tree *tree, const struct range_path *path, unsigned int level, unsigned int other)
{
	struct range_node *parent = path->node[level + 1], *joined;
	unsigned int left = min(other, (unsigned int)path->at[level + 1]), right = other + path->at[level + 1] - left;
	const struct range_node *a = parent->slot[left], *b = parent->slot[right];
	struct range_contents c = { .nr = 0 }, one = { .nr = 0 };

	if (range_spare(tree, tree->spare_nr + 2, 0))
		return false;
	for (unsigned int i = 0; i < a->used; i++)
		if (a->slot[i] != RANGE_GONE)
			range_contents_add(&c, a->key[i], a->end[i], a->slot[i]);
	for (unsigned int i = 0, first = 1; i < b->used; i++)
		if (b->slot[i] != RANGE_GONE) {
			range_contents_add(&c, b->level && first ? parent->key[right] : b->key[i], b->end[i],
					   b->slot[i]);
			first = 0;
		}
	joined = make(tree, level, &c, 0, c.nr);
	range_contents_add(&one, 0, max(parent->end[left], parent->end[right]), joined);
	collect_children(parent, left, right, &one, &c);
	show(tree, path, make(tree, level + 1, &c, 0, c.nr));
	tree->ops->release_rcu((void *)a);
	tree->ops->release_rcu((void *)b);
	tree->ops->release_rcu(parent);
	return true;
}

/* The sibling of @path's node of @level that it can join; RANGE_SLOTS: neither. */
static unsigned int partner(const struct range_path *path, unsigned int level)
{
	const struct range_node *parent = path->node[level + 1], *sibling;
	unsigned int live = path->node[level]->live, other;

	if (live > RANGE_SLOTS / 4)
		return RANGE_SLOTS;
	for (unsigned int side = 0; side < 2; side++) {
		other = side ? range_slot_before(parent, path->at[level + 1]) :
			       range_slot_after(parent, path->at[level + 1]);
		sibling = other < RANGE_SLOTS ? parent->slot[other] : NULL;
		if (sibling && sibling->live + live <= RANGE_SLOTS - 2)
			return other;
	}
	return RANGE_SLOTS;
}

void range_join(struct range_tree *tree, uintptr_t address)
{
	struct range_path path;
	unsigned int other;

	for (unsigned int level = 0; level < tree->height; level++) {
		range_descend(tree, address, &path);
		other = partner(&path, level);
		if (other < RANGE_SLOTS && !join(tree, &path, level, other))
			break;
	}
	lower_root(tree);
}

void range_tree_destroy(struct range_tree *tree)
{
	struct range_path path;

	while (tree->root) {
		range_descend(tree, 0, &path);
		range_remove_leaf(tree, &path);
	}
	tree->count = 0;
	while (tree->spare) {
		void **node = tree->spare;

		tree->spare = *node;
		tree->ops->release(node);
	}
	tree->spare_nr = 0;
}
