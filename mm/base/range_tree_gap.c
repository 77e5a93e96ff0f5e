// SPDX-License-Identifier: MIT
/*
 * Room for a new range: one way down past children that have no gap as large, from the low or from the high end. Only
 * alignment and the ends of what is asked for can make a gap that looked right not fit; then the search goes on beside.
 */
#include "range_tree_node.h"

struct request {
	uintptr_t low, last, size, align;
	bool top;
	uintptr_t found;
};

/* Does it fit between @from and @to, both included? */
static bool fits(struct request *r, uintptr_t from, uintptr_t to)
{
	uintptr_t start;

	from = max(from, r->low);
	to = min(to, r->last);
	if (from > to || to - from < r->size - 1)
		return false;
	if (r->top) {
		start = ALIGN_DOWN(to - (r->size - 1), r->align);
		if (start < from)
			return false;
	} else {
		start = ALIGN(from, r->align);
		if (start < from || start > to || to - start < r->size - 1)
			return false;
	}
	r->found = start;
	return true;
}

/* The gaps of a leaf in ascending order; with @top the last that fits counts. */
static bool fits_in_leaf(struct request *r, const struct range_node *leaf, uintptr_t low, uintptr_t high)
{
	uintptr_t from = low;
	bool found = false;

	for (unsigned int i = 0; i < RANGE_SLOTS; i++) {
		void *value = see(leaf->slot[i]);
		uintptr_t start;

		if (!value)
			break;
		if (value == RANGE_GONE)
			continue;
		start = see(leaf->key[i]);
		if (start > from && fits(r, from, start - 1)) {
			found = true;
			if (!r->top)
				return true;
		}
		from = see(leaf->end[i]) + 1;
		if (!from)
			return found;
	}
	return fits(r, from, high) || found;
}

/* Where the search is on one level. */
struct place {
	const struct range_node *node;
	unsigned int next; /* slot to look at, or with @top one more than it */
	uintptr_t low, high;
};

/* A child's territory begins and ends where? */
static void bounds(const struct place *p, unsigned int i, uintptr_t *low, uintptr_t *high)
{
	*low = p->low;
	*high = p->high;
	for (unsigned int j = i; j--;)
		if (see(p->node->slot[j]) != RANGE_GONE) {
			*low = see(p->node->key[i]);
			break;
		}
	for (unsigned int j = i + 1; j < RANGE_SLOTS; j++) {
		void *slot = see(p->node->slot[j]);

		if (!slot)
			break;
		if (slot != RANGE_GONE) {
			*high = see(p->node->key[j]) - 1;
			break;
		}
	}
}

/* The next child worth a look, as a place of its own; false: no more. */
static bool go_down(const struct request *r, struct place *p, struct place *child)
{
	while (r->top ? p->next > 0 : p->next < RANGE_SLOTS) {
		unsigned int i = r->top ? --p->next : p->next++;
		const struct range_node *node = see(p->node->slot[i]);

		if (!node || node == RANGE_GONE || see(p->node->end[i]) < r->size)
			continue;
		bounds(p, i, &child->low, &child->high);
		if (child->high < r->low || child->low > r->last)
			continue;
		child->node = node;
		child->next = r->top ? RANGE_SLOTS : 0;
		return true;
	}
	return false;
}

static int search(const struct range_tree *tree, struct request *r)
{
	const struct range_node *root = see(tree->root);
	struct place places[RANGE_HEIGHT_MAX + 1];
	unsigned int level, height;

	if (!r->size || r->last < r->low || !is_power_of_2(r->align))
		return -EBUSY;
	if (!root)
		return fits(r, 0, UINTPTR_MAX) ? 0 : -EBUSY;
	level = height = root->level;
	places[level] = (struct place){ root, r->top ? RANGE_SLOTS : 0, 0, UINTPTR_MAX };
	while (level <= height) {
		struct place *p = &places[level];

		if (level && go_down(r, p, p - 1)) {
			level--;
			continue;
		}
		if (!level && fits_in_leaf(r, p->node, p->low, p->high))
			return 0;
		level++;
	}
	return -EBUSY;
}

int range_tree_gap(const struct range_tree *tree, uintptr_t low, uintptr_t last, uintptr_t size, uintptr_t align,
		   uintptr_t *start)
{
	struct request r = { low, last, size, align, false, 0 };
	int err = search(tree, &r);

	if (!err)
		*start = r.found;
	return err;
}

int range_tree_gap_top(const struct range_tree *tree, uintptr_t low, uintptr_t last, uintptr_t size, uintptr_t align,
		       uintptr_t *start)
{
	struct request r = { low, last, size, align, true, 0 };
	int err = search(tree, &r);

	if (!err)
		*start = r.found;
	return err;
}
