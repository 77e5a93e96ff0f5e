/* SPDX-License-Identifier: MIT */
/*
 * An array of pointers by index, as Linux names it (<linux/xarray.h>): a radix tree of 64-slot nodes whose readers need
 * no lock. An entry may cover an aligned power of two of indices. A value entry (lowest bit set) is a number instead of
 * a pointer; pointers are multiples of 4. Each entry can carry three tags, which the nodes above it know of.
 *
 * Readers: rcu_read_lock(). Writers: xa_lock_irqsave(), which the functions that are not __xa_* take themselves. All
 * zero is an empty array, too.
 */
#ifndef OCTAVO_XARRAY_H
#define OCTAVO_XARRAY_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct xarray {
	u8 lock[2];   /* a spinlock_t, taken with interrupts off */
	u8 height;    /* levels of nodes; 0: @head is the entry at index 0 itself */
	u8 tags;      /* bit n: some entry has tag n */
	u8 spare_nr;  /* nodes in @spare */
	u8 need;      /* how many of them the last __xa_store() wanted to have */
	u8 shadows;   /* values are shadows of what reclaim took: of nodes with nothing else only so many stay */
	void *head;
	void *spare;
};

#define XA_TAGS 3u

static inline void *xa_mk_value(unsigned long value)
{
	return (void *)(uintptr_t)((value << 1) | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)(uintptr_t)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (uintptr_t)entry & 1;
}

/** xa_init - an empty array. Context: nobody uses it yet. */
OCTAVO_API void xa_init(struct xarray *xa);
OCTAVO_API unsigned long xa_lock_irqsave(struct xarray *xa);
OCTAVO_API void xa_unlock_irqrestore(struct xarray *xa, unsigned long flags);

/** xa_load - the entry that covers @index, or NULL. Context: any; what it points at may go without rcu_read_lock(). */
OCTAVO_API void *xa_load(const struct xarray *xa, unsigned long index);
/**
 * xa_store_order - @entry covers the 2^@order indices around @index (aligned); NULL: none does
 * Entries that covered any of them are gone altogether; one that covered exactly these leaves @entry its tags.
 * Context: xa_lock not held; @gfp may sleep. Return: 0 or -ENOMEM, and nothing has changed.
 */
OCTAVO_API int __must_check xa_store_order(struct xarray *xa, unsigned long index, unsigned int order, void *entry,
					   gfp_t gfp);
/**
 * __xa_store - the same with the lock held, which allocates nothing
 * Return: 0; -ENOMEM: nodes are missing. Let go of the lock, call xa_prepare(), take it and try again: another thread
 * may have used them meanwhile.
 */
OCTAVO_API int __must_check __xa_store(struct xarray *xa, unsigned long index, unsigned int order, void *entry);
/** xa_prepare - the nodes that the last __xa_store() lacked. Context: lock not held. Return: 0 or -ENOMEM. */
OCTAVO_API int __must_check xa_prepare(struct xarray *xa, gfp_t gfp);
/** xa_erase - the entry that covers @index goes; __xa_erase with the lock held. Return: it. */
OCTAVO_API void *xa_erase(struct xarray *xa, unsigned long index);
OCTAVO_API void *__xa_erase(struct xarray *xa, unsigned long index);
/**
 * xa_find - the first entry at or behind *@index and at or before @max; *@index becomes its first index
 * One that covers *@index counts, wherever it begins. Context: RCU or the lock. Return: NULL: none.
 */
OCTAVO_API void *xa_find(const struct xarray *xa, unsigned long *index, unsigned long max);
/** xa_find_tagged - the first of those with @tag */
OCTAVO_API void *xa_find_tagged(const struct xarray *xa, unsigned long *index, unsigned long max, unsigned int tag);
/** xa_get_order - of the entry that covers @index; 0 if there is none. Without the lock: as of a moment ago. */
OCTAVO_API unsigned int xa_get_order(const struct xarray *xa, unsigned long index);
/** xa_get_tag - has the entry that covers @index the tag? __xa_set_tag, __xa_clear_tag: with the lock held */
OCTAVO_API bool xa_get_tag(const struct xarray *xa, unsigned long index, unsigned int tag);
OCTAVO_API void __xa_set_tag(struct xarray *xa, unsigned long index, unsigned int tag);
OCTAVO_API void __xa_clear_tag(struct xarray *xa, unsigned long index, unsigned int tag);
/** xa_tagged - has any entry the tag? Who finds it gone sees what was done before. */
static inline bool xa_tagged(const struct xarray *xa, unsigned int tag)
{
	return __atomic_load_n(&xa->tags, __ATOMIC_ACQUIRE) >> tag & 1;
}
static inline bool xa_empty(const struct xarray *xa)
{
	return !__atomic_load_n(&xa->head, __ATOMIC_RELAXED);
}
/** xa_destroy - every entry goes, and what is kept for stores to come */
OCTAVO_API void xa_destroy(struct xarray *xa);

OCTAVO_END_DECLS
#endif
