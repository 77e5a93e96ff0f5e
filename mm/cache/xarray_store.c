// SPDX-License-Identifier: MIT
/* xarray: entries come and go, and nodes with them. */
#include <octavo/slab.h>

#include "../base/part.h"
#include "shadow_nodes.h"
#include "xarray_node.h"

static struct kmem_cache *node_cache __memsys;

static int xarray_init(void)
{
	/* Linux's name for these, which slabtop and scripts know. */
	node_cache = kmem_cache_create("radix_tree_node", sizeof(struct xa_node), 0,
				       SLAB_RECLAIM_ACCOUNT | SLAB_NO_MERGE, NULL);
	return node_cache ? 0 : -ENOMEM;
}
MM_PART(xarray, .order = MM_PART_XARRAY, .init = xarray_init);

#define publish(place, value) rcu_assign_pointer(place, value)

/* ---- Nodes ---- */

int xa_prepare(struct xarray *xa, gfp_t gfp)
{
	for (;;) {
		struct xa_node *node;
		unsigned long flags;
		bool enough;

		node = kmem_cache_alloc(node_cache, gfp | __GFP_ZERO);
		if (!node)
			return -ENOMEM;
		flags = xa_lock_irqsave(xa);
		enough = xa->spare_nr >= xa->need;
		if (!enough) {
			node->parent = xa->spare;
			xa->spare = node;
			xa->spare_nr++;
			enough = xa->spare_nr >= xa->need;
			node = NULL;
		}
		xa_unlock_irqrestore(xa, flags);
		kmem_cache_free(node_cache, node);
		if (enough)
			return 0;
	}
}

static void drop_spares(struct xarray *xa)
{
	while (xa->spare) {
		struct xa_node *node = xa->spare;

		xa->spare = node->parent;
		xa->spare_nr--;
		kmem_cache_free(node_cache, node);
	}
}

static struct xa_node *take_node(struct xarray *xa, struct xa_node *parent, unsigned int shift, unsigned int offset)
{
	struct xa_node *node = xa->spare;

	xa->spare = node->parent;
	xa->spare_nr--;
	node->parent = parent;
	node->shift = (u8)shift;
	node->offset = (u8)offset;
	return node;
}

/* ---- Entries go ---- */

static void set_head(struct xarray *xa, void *head)
{
	publish(xa->head, head);
	xa->height = xa_is_node(head) ? (u8)(xa_to_node(head)->shift / XA_SHIFT + 1) : 0;
}

/* The tags of one slot go, and those above that only it had. */
static void clear_tags(struct xarray *xa, struct xa_node *node, unsigned int slot)
{
	for (unsigned int tag = 0; tag < XA_TAGS; tag++) {
		struct xa_node *at = node;
		unsigned int bit = slot;

		while (at && at->tags[tag] >> bit & 1) {
			store_release_u64(&at->tags[tag], at->tags[tag] & ~(1ull << bit));
			if (at->tags[tag])
				break;
			bit = at->offset;
			at = at->parent;
			if (!at)
				store_release(&xa->tags, (u8)(xa->tags & ~(1u << tag)));
		}
	}
}

/* The top goes while it says no more than its first slot does. */
static void lower(struct xarray *xa)
{
	while (xa_is_node(xa->head)) {
		struct xa_node *top = xa_to_node(xa->head);
		void *first = top->slot[0];

		if (top->count != 1 || !first || (!xa_is_node(first) && top->shift))
			return;
		if (xa_is_node(first)) {
			xa_to_node(first)->parent = NULL;
			xa_to_node(first)->offset = 0;
		}
		set_head(xa, first);
		shadow_node_forget(top);
		kfree_rcu(top, rcu);
	}
}

/* An empty node goes, and what is empty without it. It is left as it is: readers may be on their way through. */
static void remove_empty(struct xarray *xa, struct xa_node *node)
{
	while (node && !node->count) {
		struct xa_node *parent = node->parent;

		shadow_node_forget(node);
		if (parent) {
			publish(parent->slot[node->offset], NULL);
			parent->count--;
		} else {
			set_head(xa, NULL);
		}
		kfree_rcu(node, rcu);
		node = parent;
	}
	lower(xa);
}

static void *erase_at(struct xarray *xa, struct xa_node *node, unsigned int slot)
{
	unsigned int width = likely(!node->tails) ? 1 : xa_width(node->tails, slot);
	void *entry = node->slot[slot];

	if (unlikely(xa->tags))
		clear_tags(xa, node, slot);
	for (unsigned int i = 0; i < width; i++)
		publish(node->slot[slot + i], NULL);
	if (unlikely(width > 1))
		store_relaxed_u64(&node->tails, node->tails & ~((~0ull >> (64 - width)) << slot));
	node->count = (u8)(node->count - width);
	if (unlikely(xa->shadows)) {
		node->values = (u8)(node->values - (xa_is_value(entry) ? width : 0));
		shadow_node_changed(xa, node);
	}
	if (unlikely(!node->count || (!node->parent && node->count == 1)))
		remove_empty(xa, node);
	return entry;
}

void *__xa_erase(struct xarray *xa, unsigned long index)
{
	unsigned int slot;
	struct xa_node *node = xa_walk(xa, index, &slot);
	void *entry;

	if (node)
		return erase_at(xa, node, slot);
	entry = xa->head;
	if (index || xa_is_node(entry))
		return NULL;
	set_head(xa, NULL);
	store_relaxed(&xa->tags, 0);
	return entry;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	unsigned long flags = xa_lock_irqsave(xa);
	void *entry = __xa_erase(xa, index);

	xa_unlock_irqrestore(xa, flags);
	return entry;
}

void xa_clear_node(struct xarray *xa, struct xa_node *node)
{
	for (unsigned int slot = 0; slot < XA_SLOTS; slot++) {
		if (!node->slot[slot])
			continue;
		publish(node->slot[slot], NULL);
		node->count--;
	}
	store_relaxed_u64(&node->tails, 0);
	node->values = 0;
	remove_empty(xa, node);
}

static void erase_range(struct xarray *xa, unsigned long first, unsigned long last)
{
	unsigned long at = first;

	while (xa_find(xa, &at, last)) {
		__xa_erase(xa, at);
		at = first;
	}
}

/* ---- Entries come ---- */

/* Levels that a tree needs to have a slot for [.., @last], at @shift or above. */
static unsigned int levels_for(unsigned long last, unsigned int shift)
{
	unsigned int levels = last ? ilog2(last) / XA_SHIFT + 1 : 1;

	return max(levels, shift / XA_SHIFT + 1);
}

/* Nodes that building the way to @index at @shift takes, where no entry is in the way. */
static unsigned int missing(const struct xarray *xa, unsigned long index, unsigned int shift, unsigned int levels)
{
	const struct xa_node *node;

	if (!xa->head)
		return levels - shift / XA_SHIFT;
	if (levels > xa->height) /* new tops, and a branch of its own below the highest */
		return levels - xa->height + levels - 1 - shift / XA_SHIFT;
	node = xa_to_node(xa->head);
	while (node->shift > shift) {
		void *below = node->slot[xa_slot_of(node, index)];

		if (!below)
			return (node->shift - shift) / XA_SHIFT;
		node = xa_to_node(below);
	}
	return 0;
}

/* A node more on top, which the tree so far is the first slot of. */
static void raise(struct xarray *xa)
{
	struct xa_node *top = take_node(xa, NULL, xa->height * XA_SHIFT, 0);

	top->slot[0] = xa->head;
	top->count = 1;
	top->values = xa->shadows && xa_is_value(xa->head);
	for (unsigned int tag = 0; tag < XA_TAGS; tag++)
		top->tags[tag] = xa->tags >> tag & 1;
	if (xa_is_node(xa->head))
		xa_to_node(xa->head)->parent = top;
	set_head(xa, xa_mk_node(top));
	if (unlikely(xa->shadows))
		shadow_node_changed(xa, top);
}

/* The way to @index at @shift; the spares suffice. */
static struct xa_node *build(struct xarray *xa, unsigned long index, unsigned int shift, unsigned int levels)
{
	struct xa_node *node;

	if (!xa->head)
		set_head(xa, xa_mk_node(take_node(xa, NULL, (levels - 1) * XA_SHIFT, 0)));
	while (levels > xa->height)
		raise(xa);
	node = xa_to_node(xa->head);
	while (node->shift > shift) {
		unsigned int slot = xa_slot_of(node, index);

		if (!node->slot[slot]) {
			struct xa_node *below = take_node(xa, node, node->shift - XA_SHIFT, slot);

			publish(node->slot[slot], xa_mk_node(below));
			node->count++;
		}
		node = xa_to_node(node->slot[slot]);
	}
	return node;
}

static void put(struct xarray *xa, struct xa_node *node, unsigned int slot, unsigned int width, void *entry)
{
	if (width > 1)
		store_relaxed_u64(&node->tails, node->tails | ((~0ull >> (64 - width)) & ~1ull) << slot);
	for (unsigned int i = slot; i < slot + width; i++) {
		node->count = (u8)(node->count + !node->slot[i]);
		if (unlikely(xa->shadows))
			node->values = (u8)(node->values + xa_is_value(entry) - xa_is_value(node->slot[i]));
		publish(node->slot[i], entry);
	}
	if (unlikely(xa->shadows))
		shadow_node_changed(xa, node);
}

/* The cases in which no node comes or goes. Return: true: done. */
static bool store_in_place(struct xarray *xa, unsigned long index, unsigned int shift, unsigned int width, void *entry)
{
	void *at = xa->head;
	struct xa_node *node = NULL;
	unsigned int slot = 0;

	if (!xa_is_node(at)) {
		if (index || shift || width > 1)
			return false;
		set_head(xa, entry);
		return true;
	}
	if (!xa_covers(xa_to_node(at), index))
		return false;
	do {
		node = xa_to_node(at);
		slot = xa_slot_of(node, index);
		at = node->slot[slot];
	} while (node->shift > shift && xa_is_node(at));
	if (node->shift != shift)
		return false;
	if (at) {
		if (xa_is_node(at) || (slot && node->tails >> slot & 1) || xa_width(node->tails, slot) != width)
			return false;
	} else {
		for (unsigned int i = 1; i < width; i++)
			if (node->slot[slot + i])
				return false;
	}
	put(xa, node, slot, width, entry);
	return true;
}

int __xa_store(struct xarray *xa, unsigned long index, unsigned int order, void *entry)
{
	unsigned int shift = order / XA_SHIFT * XA_SHIFT, levels, need;
	unsigned long covered = (1ul << order) - 1, last, at;
	struct xa_node *node;

	index &= ~covered;
	last = index | covered;
	if (!entry) {
		erase_range(xa, index, last);
		return 0;
	}
	if (likely(store_in_place(xa, index, shift, 1u << (order - shift), entry)))
		return 0;
	levels = levels_for(last, shift);
	at = index;
	/* What is in the way goes, and may take nodes with it: then all of the way may have to be built. */
	if (xa_find(xa, &at, last))
		need = 2 * levels;
	else
		need = missing(xa, index, shift, levels);
	if (xa->spare_nr < need) {
		xa->need = (u8)need;
		return -ENOMEM;
	}
	erase_range(xa, index, last);
	node = build(xa, index, shift, levels);
	put(xa, node, xa_slot_of(node, index), 1u << (order - shift), entry);
	drop_spares(xa);
	return 0;
}

int xa_store_order(struct xarray *xa, unsigned long index, unsigned int order, void *entry, gfp_t gfp)
{
	int err;

	do {
		unsigned long flags = xa_lock_irqsave(xa);

		err = __xa_store(xa, index, order, entry);
		xa_unlock_irqrestore(xa, flags);
	} while (err && !(err = xa_prepare(xa, gfp)));
	return err;
}

void xa_destroy(struct xarray *xa)
{
	unsigned long flags = xa_lock_irqsave(xa);
	struct xa_node *node = xa_is_node(xa->head) ? xa_to_node(xa->head) : NULL;
	unsigned int slot = 0;

	set_head(xa, NULL);
	store_relaxed(&xa->tags, 0);
	while (node) {
		struct xa_node *parent = node->parent;

		while (slot < XA_SLOTS && !xa_is_node(node->slot[slot]))
			slot++;
		if (slot < XA_SLOTS) {
			node = xa_to_node(node->slot[slot]);
			slot = 0;
			continue;
		}
		slot = node->offset + 1u;
		shadow_node_forget(node);
		kfree_rcu(node, rcu);
		node = parent;
	}
	drop_spares(xa);
	xa_unlock_irqrestore(xa, flags);
}
