/* SPDX-License-Identifier: MIT */
/* The xarray's nodes: for its own files, its verifier, and who reads whole runs of slots. */
#ifndef MM_CACHE_XARRAY_NODE_H
#define MM_CACHE_XARRAY_NODE_H

#include <octavo/rcupdate.h>
#include <octavo/xarray.h>

#include "../sync/atomic.h"
#include "../sync/spinlock.h"

#define XA_SHIFT 6u
#define XA_SLOTS (1u << XA_SHIFT)
#define XA_SLOT_MASK (XA_SLOTS - 1)
#define XA_LEVELS ((8 * (unsigned int)sizeof(long) + XA_SHIFT - 1) / XA_SHIFT)

/* (x) the array's lock; readers without it look at slots, and at the bitmaps as hints. (c) constant once published */
struct xa_node {
	u8 shift;		/* (c) a slot covers 2^shift indices */
	u8 offset;		/* (x) where it stands in its parent */
	u8 count;		/* (x) slots that are not NULL */
	u8 values;		/* (x) of them, those with values, in an array with shadows */
	bool listed;		/* (x) it has nothing else: shadow_nodes.c */
	struct xa_node *parent;	/* (x) NULL: top */
	union {
		struct rcu_head rcu; /* on its way out */
		struct {
			struct xa_node *older, *newer;
		} list; /* if @listed */
	};
	struct xarray *array;	/* if @listed */
	u64 tags[XA_TAGS];	/* (x) of entries, at their first slot; of nodes: somebody below has it */
	u64 tails;		/* (x) bit n: slot n belongs to the entry of slot n - 1 */
	void *slot[XA_SLOTS];	/* (x) NULL, an entry, repeated in each slot it covers, or a node, marked */
};

/* A pointer to a node has bit 1 set, which entries have not, unless they are values with bit 0. */
#define XA_NODE_MARK 2ul

static inline bool xa_is_node(const void *entry)
{
	return ((uintptr_t)entry & 3) == XA_NODE_MARK;
}

static inline struct xa_node *xa_to_node(const void *entry)
{
	return (struct xa_node *)((uintptr_t)entry - XA_NODE_MARK);
}

static inline void *xa_mk_node(const struct xa_node *node)
{
	return (void *)((uintptr_t)node + XA_NODE_MARK);
}

static inline bool xa_covers(const struct xa_node *node, unsigned long index)
{
	return !(index >> node->shift >> XA_SHIFT);
}

/* First slot of the entry that slot @i belongs to. Not for slot 0 in @tails. */
static inline unsigned int xa_first_slot(u64 tails, unsigned int i)
{
	return highest_bit(~tails & (~0ull >> (63 - i)));
}

/* Slots of the entry that begins at @i. */
static inline unsigned int xa_width(u64 tails, unsigned int i)
{
	u64 behind = i == 63 ? 0 : tails >> (i + 1);

	return lowest_bit(~behind) + 1;
}

/* xa_lock_irqsave(), xa_unlock_irqrestore(), xa_load() where a call would show. */
static force_inline unsigned long xa_lock_fast(struct xarray *xa)
{
	unsigned long flags;

	spin_lock_irqsave((spinlock_t *)(void *)xa->lock, flags);
	return flags;
}

static force_inline void xa_unlock_fast(struct xarray *xa, unsigned long flags)
{
	spin_unlock_irqrestore((spinlock_t *)(void *)xa->lock, flags);
}

static force_inline unsigned int xa_slot_of(const struct xa_node *node, unsigned long index)
{
	return (unsigned int)(index >> node->shift) & XA_SLOT_MASK;
}

static force_inline void *xa_lookup(const struct xarray *xa, unsigned long index)
{
	void *entry = load_acquire(&xa->head);
	const struct xa_node *node;

	if (unlikely(!xa_is_node(entry)))
		return index ? NULL : entry;
	node = xa_to_node(entry);
	if (unlikely(!xa_covers(node, index)))
		return NULL;
	while (xa_is_node(entry = load_acquire(&node->slot[xa_slot_of(node, index)])))
		node = xa_to_node(entry);
	return entry;
}

/*
 * Store @entry where nothing is, of order 0, if its node is there. With the lock held. Return: false: it is another
 * case, for __xa_store().
 */
static force_inline bool xa_append(struct xarray *xa, unsigned long index, void *entry)
{
	void *at = xa->head;
	struct xa_node *node;
	unsigned int slot;

	do {
		if (!xa_is_node(at))
			return false;
		node = xa_to_node(at);
		if (unlikely(!xa_covers(node, index) && !node->parent))
			return false;
		slot = xa_slot_of(node, index);
		at = node->slot[slot];
	} while (node->shift);
	if (at || unlikely(node->listed))
		return false;
	rcu_assign_pointer(node->slot[slot], entry);
	node->count++;
	return true;
}

/* Every entry of a last-level node goes, and the node with them. Context: the lock. */
void xa_clear_node(struct xarray *xa, struct xa_node *node);

/*
 * Where the entry that covers @index stands: the node, and in *@slot the entry's first slot there. NULL: no entry, or
 * it is the head itself (index 0).
 */
struct xa_node *xa_walk(const struct xarray *xa, unsigned long index, unsigned int *slot);

/*
 * The last-level slots around @index: slot[index & XA_SLOT_MASK] is that of @index. NULL: no such node. Context: RCU.
 * (An array with nothing but an entry at index 0 has none, either.)
 */
void **xa_leaf(const struct xarray *xa, unsigned long index);

/*
 * xa_verify - check XA-I1 to XA-I4, with the lock held or nobody at work
 * Return: number of findings, each given to @report (may be NULL).
 */
unsigned int xa_verify(const struct xarray *xa, void (*report)(void *ctx, const char *line), void *ctx);

#endif
