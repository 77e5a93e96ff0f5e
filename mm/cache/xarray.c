// SPDX-License-Identifier: MIT
/*
 * Arrays of pointers by index: what readers do, and tags.
 *
 * Purpose. Pages of a file by their place in it, swap entries, numbers of things: indices that lie close together, that
 * are looked up far more often than they change, and that have to be found by a property (dirty) without a look at all.
 *
 * Words. An *entry* is a pointer or a value (lowest bit set). Its *order* says how many indices it covers: 2^order,
 * aligned. A *node* has 64 *slots*, each for 2^shift indices. *Tails*: the slots behind the first one of an entry that
 * covers several.
 *
 * Structures.
 *	xarray.head -> node (shift 6)
 *			slot 0 -> node (shift 0): [A][B][ ][C C C C][D]...	C is of order 2: three tails
 *			slot 1: NULL
 *			slots 8..15: E, of order 9 (8 slots of 64 indices)
 * An entry of order n stands at the level whose shift is the greatest multiple of 6 that is not above n, in 2^(n mod 6)
 * slots, in each of which it is repeated. So a reader who finds the slot has found the entry: there is nothing to
 * follow, and no moment at which the pieces of an entry contradict each other. The only thing at index 0 needs no node.
 *
 * Invariants.
 *	XA-I1: a child's shift is 6 less than its node's, and it knows its parent and its place in it.
 *	XA-I2: count is the number of slots that are not NULL, never 0; the top could not be left out: it has something
 *	       beside slot 0, or slot 0 holds an entry of order 1 or more.
 *	XA-I3: a tail repeats the slot before it; slots of an entry are an aligned power of two; nodes have no tails.
 *	XA-I4: a tag stands at the first slot of an entry that is there; a node's slot has it if and only if something
 *	       below has, and xarray.tags if and only if the top has.
 *	XA-I5: a reader finds an entry that is there from before the reader began until it ends, whatever happens
 *	       around it.
 *
 * Locking. Writers hold the array's lock with interrupts off, readers are RCU readers. A node is complete before it is
 * published, and is left as it was when it is taken out, until a grace period is over: a reader inside goes on in the
 * tree as it was. Tags and tails read without the lock are as of a moment ago.
 *
 * Memory use and bounds. 576 bytes a node (64 bits): 9 bytes a page of a file that is all there. Nothing is allocated
 * under the lock: a store that lacks nodes says how many (need), they are put in the array's stock (spare), and it is
 * tried again; what a store leaves over is freed.
 *
 * What failure does. A store without memory changes nothing.
 *
 * Differences from Linux. No sibling entries; no cursor that lives across locks (xa_state); three tags at node level as
 * there.
 *
 * Sources. Documentation/core-api/xarray.rst for names and behaviour.
 */
#include "xarray_node.h"

octavo_static_assert(sizeof(spinlock_t) == sizeof(((struct xarray *)0)->lock), "a spinlock of two bytes");

void xa_init(struct xarray *xa)
{
	*xa = (struct xarray){ .head = NULL };
	spin_lock_init((spinlock_t *)(void *)xa->lock, LOCK_RANK_XARRAY);
}

unsigned long xa_lock_irqsave(struct xarray *xa)
{
	return xa_lock_fast(xa);
}

void xa_unlock_irqrestore(struct xarray *xa, unsigned long flags)
{
	xa_unlock_fast(xa, flags);
}

void *xa_load(const struct xarray *xa, unsigned long index)
{
	return xa_lookup(xa, index);
}

void **xa_leaf(const struct xarray *xa, unsigned long index)
{
	void *entry = load_acquire(&xa->head);
	struct xa_node *node;

	if (!xa_is_node(entry))
		return NULL;
	node = xa_to_node(entry);
	if (!xa_covers(node, index))
		return NULL;
	while (node->shift) {
		entry = load_acquire(&node->slot[xa_slot_of(node, index)]);
		if (!xa_is_node(entry))
			return NULL;
		node = xa_to_node(entry);
	}
	return node->slot;
}

struct xa_node *xa_walk(const struct xarray *xa, unsigned long index, unsigned int *slot)
{
	void *entry = load_acquire(&xa->head);
	struct xa_node *node;

	if (!xa_is_node(entry) || !xa_covers(xa_to_node(entry), index))
		return NULL;
	do {
		node = xa_to_node(entry);
		*slot = xa_slot_of(node, index);
		entry = load_acquire(&node->slot[*slot]);
	} while (xa_is_node(entry));
	if (!entry)
		return NULL;
	*slot = xa_first_slot(load_relaxed_u64(&node->tails) & ~1ull, *slot);
	return node;
}

unsigned int xa_get_order(const struct xarray *xa, unsigned long index)
{
	unsigned int slot, order = 0;
	const struct xa_node *node;

	rcu_read_lock();
	node = xa_walk(xa, index, &slot);
	if (node)
		order = node->shift + ilog2(xa_width(load_relaxed_u64(&node->tails), slot));
	rcu_read_unlock();
	return order;
}

/* ---- The next one ---- */

/* The first slot at or behind @i to look at: any, or one with a tag, for which the first slot of an entry stands. */
static unsigned int candidate(const struct xa_node *node, unsigned int i, int tag)
{
	u64 tagged;

	if (tag < 0) {
		while (i < XA_SLOTS && !load_relaxed(&node->slot[i]))
			i++;
		return i;
	}
	/* Who finds it gone sees what was done before. */
	tagged = load_acquire_u64(&node->tags[tag]);
	if (tagged >> xa_first_slot(load_relaxed_u64(&node->tails) & ~1ull, i) & 1)
		return i;
	tagged &= ~0ull << i;
	return tagged ? lowest_bit(tagged) : XA_SLOTS;
}

/* The first index behind @node, of those around @index; 0: there is none. */
static unsigned long index_behind(const struct xa_node *node, unsigned long index)
{
	unsigned int bits = node->shift + XA_SHIFT;

	return bits >= 8 * sizeof(long) ? 0 : ((index >> bits) + 1) << bits;
}

/*
 * From @index down to the first entry. Return: NULL, and *@next, where to look from the top again; 0: nowhere.
 * *@index: that of the slot it was found in.
 */
static void *descend(const struct xarray *xa, unsigned long *index, unsigned long max, int tag, unsigned long *next)
{
	void *entry = load_acquire(&xa->head);
	unsigned long at = *index;

	*next = 0;
	if (!xa_is_node(entry))
		return at || (tag >= 0 && !xa_tagged(xa, (unsigned int)tag)) ? NULL : entry;
	if (!xa_covers(xa_to_node(entry), at))
		return NULL;
	for (;;) {
		const struct xa_node *node = xa_to_node(entry);
		unsigned int from = xa_slot_of(node, at), i = candidate(node, from, tag);

		if (i == XA_SLOTS) {
			*next = index_behind(node, at);
			return NULL;
		}
		if (i != from)
			at = (at & ~((unsigned long)XA_SLOT_MASK << node->shift) & (~0ul << node->shift)) |
			     (unsigned long)i << node->shift;
		if (at > max)
			return NULL;
		entry = load_acquire(&node->slot[i]);
		if (xa_is_node(entry))
			continue;
		if (!entry) { /* it has just gone */
			*next = (at | ((1ul << node->shift) - 1)) + 1;
			return NULL;
		}
		i = xa_first_slot(load_relaxed_u64(&node->tails) & ~1ull, i);
		*index = (at & ~((unsigned long)XA_SLOT_MASK << node->shift) & (~0ul << node->shift)) |
			 (unsigned long)i << node->shift;
		return entry;
	}
}

static void *find(const struct xarray *xa, unsigned long *index, unsigned long max, int tag)
{
	unsigned long at = *index, next = 1;
	void *entry = NULL;

	rcu_read_lock();
	while (next && at <= max) {
		entry = descend(xa, &at, max, tag, &next);
		if (entry)
			break;
		at = next;
	}
	rcu_read_unlock();
	if (entry)
		*index = at;
	return entry;
}

void *xa_find(const struct xarray *xa, unsigned long *index, unsigned long max)
{
	return find(xa, index, max, -1);
}

void *xa_find_tagged(const struct xarray *xa, unsigned long *index, unsigned long max, unsigned int tag)
{
	return xa_tagged(xa, tag) ? find(xa, index, max, (int)tag) : NULL;
}

/* ---- Tags ---- */

bool xa_get_tag(const struct xarray *xa, unsigned long index, unsigned int tag)
{
	const struct xa_node *node;
	bool has = false;
	unsigned int slot;

	if (!xa_tagged(xa, tag))
		return false;
	rcu_read_lock();
	node = xa_walk(xa, index, &slot);
	if (node)
		has = load_relaxed_u64(&node->tags[tag]) >> slot & 1;
	else
		has = !index && xa_load(xa, 0);
	rcu_read_unlock();
	return has;
}

static void set_array_tags(struct xarray *xa, unsigned int tags)
{
	store_release(&xa->tags, (u8)tags);
}

void __xa_set_tag(struct xarray *xa, unsigned long index, unsigned int tag)
{
	unsigned int slot;
	struct xa_node *node = xa_walk(xa, index, &slot);

	if (!node && (index || !xa->head || xa_is_node(xa->head)))
		return;
	while (node && !(node->tags[tag] >> slot & 1)) {
		store_relaxed_u64(&node->tags[tag], node->tags[tag] | 1ull << slot);
		slot = node->offset;
		node = node->parent;
	}
	if (!node)
		set_array_tags(xa, xa->tags | 1u << tag);
}

void __xa_clear_tag(struct xarray *xa, unsigned long index, unsigned int tag)
{
	unsigned int slot;
	struct xa_node *node = xa_walk(xa, index, &slot);

	if (!node && (index || xa_is_node(xa->head)))
		return;
	while (node && node->tags[tag] >> slot & 1) {
		store_release_u64(&node->tags[tag], node->tags[tag] & ~(1ull << slot));
		if (node->tags[tag])
			return;
		slot = node->offset;
		node = node->parent;
	}
	if (!node)
		set_array_tags(xa, xa->tags & ~(1u << tag));
}
