// SPDX-License-Identifier: MIT
/* xarray: its invariants, looked at. */
#include "../base/findings.h"
#include "xarray_node.h"

static bool needed_at_top(const struct xa_node *top)
{
	return top->count > 1 || !top->slot[0] || (!xa_is_node(top->slot[0]) && top->shift);
}

static void verify_tails(struct findings *f, const struct xa_node *node)
{
	if (node->tails & 1)
		finding(f, "XA-I3: the first slot of node %p is a tail", (const void *)node);
	for (unsigned int i = 0; i < XA_SLOTS; i++) {
		unsigned int width = xa_width(node->tails, i);

		if (i && node->tails >> i & 1) {
			if (!node->slot[i] || xa_is_node(node->slot[i]) || node->slot[i] != node->slot[i - 1])
				finding(f, "XA-I3: slot %u of node %p is a tail of something else", i,
					(const void *)node);
			continue;
		}
		if (!is_power_of_2(width) || !IS_ALIGNED(i, width))
			finding(f, "XA-I3: an entry in slots %u to %u of node %p", i, i + width - 1,
				(const void *)node);
	}
}

static void verify_tags(struct findings *f, const struct xa_node *node)
{
	for (unsigned int tag = 0; tag < XA_TAGS; tag++)
		for (unsigned int i = 0; i < XA_SLOTS; i++) {
			bool has = node->tags[tag] >> i & 1;
			const void *entry = node->slot[i];

			if (has && (!entry || node->tails >> i & 1))
				finding(f, "XA-I4: tag %u at slot %u of node %p, where no entry begins", tag, i,
					(const void *)node);
			else if (xa_is_node(entry) && has != (xa_to_node(entry)->tags[tag] != 0))
				finding(f, "XA-I4: tag %u at slot %u of node %p and below differ", tag, i,
					(const void *)node);
		}
}

static void verify_node(struct findings *f, const struct xarray *xa, const struct xa_node *node)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < XA_SLOTS; i++) {
		const struct xa_node *below = xa_to_node(node->slot[i]);

		count += node->slot[i] != NULL;
		if (xa_is_node(node->slot[i]) &&
		    (below->parent != node || below->offset != i || below->shift + XA_SHIFT != node->shift))
			finding(f, "XA-I1: node %p in slot %u of node %p does not belong there", (const void *)below, i,
				(const void *)node);
	}
	if (xa->shadows && node->listed != (!node->shift && count && node->values == node->count))
		finding(f, "SN-I1: node %p with %u values of %u entries is %slisted", (const void *)node, node->values,
			count, node->listed ? "" : "not ");
	if (count != node->count || !count)
		finding(f, "XA-I2: node %p counts %u slots, %u are in use", (const void *)node, node->count, count);
	if (!node->parent && !needed_at_top(node))
		finding(f, "XA-I2: the top %p is not needed", (const void *)node);
	if (!node->parent)
		for (unsigned int tag = 0; tag < XA_TAGS; tag++)
			if (xa_tagged(xa, tag) != (node->tags[tag] != 0))
				finding(f, "XA-I4: the array and its top differ about tag %u", tag);
	verify_tails(f, node);
	verify_tags(f, node);
}

unsigned int xa_verify(const struct xarray *xa, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx, .of = "xarray" };
	const struct xa_node *path[XA_LEVELS];
	unsigned int at[XA_LEVELS], depth = 0;

	if (!xa_is_node(xa->head)) {
		if (xa->height || (!xa->head && xa->tags))
			finding(&f, "XA-I4: height %u, tags %#x of an array without nodes", xa->height, xa->tags);
		return f.n;
	}
	path[0] = xa_to_node(xa->head);
	at[0] = 0;
	if (path[0]->parent || xa->height * XA_SHIFT != path[0]->shift + XA_SHIFT)
		finding(&f, "XA-I1: the top %p has a parent, or shift %u at height %u", (const void *)path[0],
			path[0]->shift, xa->height);
	verify_node(&f, xa, path[0]);
	for (;;) {
		const struct xa_node *node = path[depth];

		while (at[depth] < XA_SLOTS && !xa_is_node(node->slot[at[depth]]))
			at[depth]++;
		if (at[depth] == XA_SLOTS) {
			if (!depth)
				return f.n;
			depth--;
		} else if (depth + 1 < XA_LEVELS) {
			path[depth + 1] = xa_to_node(node->slot[at[depth]]);
			at[depth]++;
			depth++;
			at[depth] = 0;
			verify_node(&f, xa, path[depth]);
		} else {
			finding(&f, "XA-I1: more than %u levels", XA_LEVELS);
			return f.n;
		}
	}
}
