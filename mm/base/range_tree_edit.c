// SPDX-License-Identifier: MIT
/* Range tree: changes of ranges. Which of them one store can show is said in range_tree.c. */
#include "range_tree_edit.h"

/* A leaf's word changes where readers see it. */
#define edit(leaf, word, value)                              \
	do {                                                 \
		publish(word, value);                        \
		publish((leaf)->edits, (leaf)->edits + 1);   \
	} while (0)

/* A change of [start, last] in the leaf at the end of path. */
struct change {
	uintptr_t start, last;
	void *value;
	unsigned int first, behind; /* slots in its way are from first to before behind; none: both are where it goes */
	struct range_path path;
};

/* The way is filled in by who goes it. */
static force_inline void change_begin(struct change *ch, uintptr_t start, uintptr_t last, void *value)
{
	ch->start = start;
	ch->last = last;
	ch->value = value;
}

static void find_slots(struct change *ch)
{
	const struct range_node *leaf = ch->path.node[0];

	ch->first = ch->behind = leaf->used;
	for (unsigned int i = leaf->used; i--;) {
		if (leaf->slot[i] == RANGE_GONE)
			continue;
		if (leaf->end[i] < ch->start)
			break;
		ch->first = i;
		if (leaf->key[i] > ch->last)
			ch->behind = i;
	}
}

static bool in_the_way(const struct change *ch)
{
	return ch->first < ch->behind;
}

/* Does it reach ranges of leaves beyond its own? */
static bool reaches_beyond(const struct range_tree *tree, const struct change *ch)
{
	struct range_entry next;

	if (ch->path.rightmost || ch->last <= ch->path.high)
		return false;
	return range_tree_next(tree, ch->path.high + 1, &next) && next.start <= ch->last;
}

/* ---- In place ---- */

/* Its last range ended at @was and ends at @now: the separator follows. */
static void end_moved(struct range_tree *tree, const struct range_path *path, uintptr_t was, uintptr_t now)
{
	if (path->rightmost || was == now)
		return;
	range_set_separator(tree, path, now + 1);
	range_fix_gaps(tree, now + 1, false);
}

/* One range of a leaf, to be [start, last] from now on; one of the ends stays. */
static void set_bounds(struct range_tree *tree, const struct range_path *path, unsigned int i, uintptr_t start,
		       uintptr_t last)
{
	struct range_node *leaf = path->node[0];
	bool is_last = range_slot_last(leaf) == i;
	uintptr_t was = leaf->end[i];

	/* Over free addresses the separator goes ahead, so that no reader sees half of the range. */
	if (is_last && last > was)
		end_moved(tree, path, was, last);
	if (leaf->key[i] != start)
		edit(leaf, leaf->key[i], start);
	if (was != last)
		edit(leaf, leaf->end[i], last);
	if (is_last && last < was)
		end_moved(tree, path, was, last);
	range_fix_path(tree, path, false);
}

static void *erase_slot(struct range_tree *tree, const struct range_path *path, unsigned int i)
{
	struct range_node *leaf = path->node[0];
	unsigned int before = range_slot_before(leaf, i);
	bool is_last = range_slot_last(leaf) == i;
	uintptr_t was = leaf->end[i];
	void *value = leaf->slot[i];

	tree->count--;
	if (leaf->live == 1) {
		range_remove_leaf(tree, path);
		return value;
	}
	leaf->live--;
	edit(leaf, leaf->slot[i], RANGE_GONE);
	if (is_last)
		end_moved(tree, path, was, leaf->end[before]);
	range_fix_path(tree, path, false);
	if (tree->height && leaf->live <= RANGE_SLOTS / 4)
		range_join(tree, path->low);
	return value;
}

void *range_tree_erase(struct range_tree *tree, uintptr_t at)
{
	struct range_path path;
	struct range_node *leaf;

	if (!tree->root)
		return NULL;
	range_descend(tree, at, &path);
	leaf = path.node[0];
	for (unsigned int i = 0; i < leaf->used; i++)
		if (leaf->slot[i] != RANGE_GONE && at >= leaf->key[i] && at <= leaf->end[i])
			return erase_slot(tree, &path, i);
	return NULL;
}

/*
 * A new range where nothing is in the way, in a slot between its neighbours that is free, or behind the last. Who reads
 * while the words of a free slot change passes it over, or finds `edits' moved since it saw what was there before.
 */
static bool insert_in_place(struct range_tree *tree, const struct change *ch)
{
	struct range_node *leaf = ch->path.node[0];
	unsigned int i = range_slot_before(leaf, ch->first), end = ch->first;

	i = i == RANGE_SLOTS ? 0 : i + 1;
	if (i == RANGE_SLOTS)
		return false;
	if (i == leaf->used)
		leaf->used++;
	else if (i == end)
		return false;
	publish(leaf->key[i], ch->start);
	publish(leaf->end[i], ch->last);
	leaf->live++;
	tree->count++;
	edit(leaf, leaf->slot[i], ch->value);
	range_fix_path(tree, &ch->path, false);
	return true;
}

/* One range is in the way, and one word makes it what is wanted. */
static bool change_in_place(struct range_tree *tree, const struct change *ch)
{
	struct range_node *leaf = ch->path.node[0];
	unsigned int i = ch->first;
	uintptr_t key = leaf->key[i], end = leaf->end[i];

	if (ch->value == leaf->slot[i]) {
		if (ch->start < key && ch->last > end)
			return false;
		if (ch->start < key || ch->last > end)
			set_bounds(tree, &ch->path, i, min(key, ch->start), max(end, ch->last));
		return true;
	}
	if (ch->value) {
		if (ch->start != key || ch->last != end)
			return false;
		edit(leaf, leaf->slot[i], ch->value);
		return true;
	}
	if (ch->start <= key && ch->last >= end)
		erase_slot(tree, &ch->path, i);
	else if (ch->start <= key)
		set_bounds(tree, &ch->path, i, ch->last + 1, end);
	else if (ch->last >= end)
		set_bounds(tree, &ch->path, i, key, ch->start - 1);
	else
		return false;
	return true;
}

/* ---- By a copy ---- */

static void collect(const struct change *ch, struct range_contents *c)
{
	const struct range_node *leaf = ch->path.node[0];
	bool done = !ch->value;

	c->nr = 0;
	for (unsigned int i = 0; i <= leaf->used; i++) {
		bool live = i < leaf->used && leaf->slot[i] != RANGE_GONE;

		if (live && leaf->key[i] < ch->start)
			range_contents_add(c, leaf->key[i], min(leaf->end[i], ch->start - 1), leaf->slot[i]);
		if (!done && (i == leaf->used || (live && leaf->end[i] >= ch->start))) {
			range_contents_add(c, ch->start, ch->last, ch->value);
			done = true;
		}
		if (live && leaf->end[i] > ch->last)
			range_contents_add(c, max(leaf->key[i], ch->last + 1), leaf->end[i], leaf->slot[i]);
	}
}

static int change_by_copy(struct range_tree *tree, struct change *ch, gfp_t gfp)
{
	struct range_node *leaf = ch->path.node[0];
	uintptr_t was = leaf->end[range_slot_last(leaf)], now;
	struct range_contents c;
	int err;

	collect(ch, &c);
	if (!c.nr) {
		tree->count -= leaf->live;
		range_remove_leaf(tree, &ch->path);
		return 0;
	}
	err = range_spare(tree, range_replace_needs(tree, &ch->path, c.nr), gfp);
	if (err)
		return err;
	if (c.nr > RANGE_SLOTS && tree->height == RANGE_HEIGHT_MAX)
		return -ENOMEM;
	now = c.end[c.nr - 1];
	tree->count = tree->count - leaf->live + c.nr;
	if (now > was && !ch->path.rightmost)
		range_set_separator(tree, &ch->path, now + 1);
	leaf = range_replace(tree, &ch->path, &c);
	/* The rest of the way is as it was. */
	if (leaf && (now == was || ch->path.rightmost)) {
		ch->path.node[0] = leaf;
		range_fix_path(tree, &ch->path, true);
		return 0;
	}
	if (now != was && !ch->path.rightmost) {
		struct range_path path;

		range_descend(tree, now, &path);
		if (now < was)
			range_set_separator(tree, &path, now + 1);
		range_fix_gaps(tree, now + 1, true);
	}
	range_fix_gaps(tree, ch->start, true);
	range_fix_gaps(tree, now, true);
	return 0;
}

/* The first range of an empty tree. */
static int plant(struct range_tree *tree, const struct change *ch, gfp_t gfp)
{
	struct range_contents c = { .nr = 0 };
	int err = range_spare(tree, 1, gfp);

	if (err)
		return err;
	range_contents_add(&c, ch->start, ch->last, ch->value);
	tree->count = 1;
	range_plant(tree, &c);
	return 0;
}

/* ---- Changes of any kind ---- */

/* What lies in [start, last], in more than one leaf, goes range by range. */
static void clear(struct range_tree *tree, uintptr_t start, uintptr_t last)
{
	struct change ch;

	change_begin(&ch, start, last, NULL);
	while (tree->root) {
		struct range_entry e;

		if (!range_tree_next(tree, start, &e) || e.start > last)
			return;
		range_descend(tree, e.start, &ch.path);
		find_slots(&ch);
		ch.behind = ch.first + 1;
		if (!change_in_place(tree, &ch))
			return;
	}
}

static int store(struct range_tree *tree, struct change *ch, bool exclusive, gfp_t gfp)
{
	int err;

	if (ch->last < ch->start)
		return -EINVAL;
	if (!tree->root)
		return ch->value ? plant(tree, ch, gfp) : 0;
	range_descend(tree, ch->start, &ch->path);
	find_slots(ch);
	if (reaches_beyond(tree, ch)) {
		if (exclusive)
			return -EEXIST;
		err = range_spare(tree, RANGE_NODES_MAX(tree->height), gfp);
		if (err)
			return err;
		clear(tree, ch->start, ch->last);
		if (!ch->value)
			return 0;
		if (!tree->root)
			return plant(tree, ch, gfp);
		range_descend(tree, ch->start, &ch->path);
		find_slots(ch);
	}
	if (!in_the_way(ch)) {
		if (!ch->value || insert_in_place(tree, ch))
			return 0;
	} else {
		if (exclusive)
			return -EEXIST;
		if (range_slot_after(ch->path.node[0], ch->first) >= ch->behind && change_in_place(tree, ch))
			return 0;
	}
	return change_by_copy(tree, ch, gfp);
}

int range_tree_store(struct range_tree *tree, uintptr_t start, uintptr_t last, void *value, gfp_t gfp)
{
	struct change ch;

	change_begin(&ch, start, last, value);
	return store(tree, &ch, false, gfp);
}

int range_tree_insert(struct range_tree *tree, uintptr_t start, uintptr_t last, void *value, gfp_t gfp)
{
	struct change ch;

	if (!value)
		return -EINVAL;
	change_begin(&ch, start, last, value);
	return store(tree, &ch, true, gfp);
}
