// SPDX-License-Identifier: MIT
/*
 * Handles (base/handle.h): a table of three levels of pages, numbers as indices.
 *
 * A slot holds the object, or, its lowest bit set, the number of the next free slot. Free numbers wait in two lists
 * through their slots, so that no memory is needed to give one back: *freed* since the last grace period began, and
 * *waiting* for the end of that one, of which a ticket tells. What has waited long enough becomes *usable*.
 */
#include <octavo/gfp.h>
#include <octavo/rcupdate.h>

#include "../base/compiler.h"
#include "../base/handle.h"
#include "../base/printk.h"
#include "../sync/atomic.h"
#include "../sync/spinlock.h"

#define SLOT_BITS (sizeof(void *) == 8 ? PAGE_SHIFT - 3 : PAGE_SHIFT - 2)
#define SLOTS (1u << SLOT_BITS)

struct number_list {
	u32 first, last; /* HANDLE_NONE: empty */
};

static struct {
	spinlock_t lock;
	void **root;	 /* (c) once there: pages of pages of slots */
	u32 used;	 /* numbers up to this have been given out at some time */
	struct number_list usable, waiting, freed;
	unsigned long ticket; /* of @waiting */
} handles __memsys = { .lock = { .rank = LOCK_RANK_HANDLE } };

static inline uintptr_t as_free(u32 next)
{
	return (uintptr_t)next << 1 | 1;
}

/* Entry of @table for @handle at a level: 2 the root, 0 slots. */
static inline void **slot_in(void **table, u32 handle, unsigned int level)
{
	return table + (handle >> level * SLOT_BITS & (SLOTS - 1));
}

/* The slot of @handle; NULL, and *@missing: which level's page is not there (3: the root). */
static void **slot_of(u32 handle, unsigned int *missing)
{
	void **table = load_acquire(&handles.root);
	unsigned int level = 2;

	*missing = 3;
	for (; table; level--) {
		void **slot = slot_in(table, handle, level);

		if (!level)
			return slot;
		*missing = level;
		table = load_acquire((void ***)slot);
	}
	return NULL;
}

void *handle_object(u32 handle)
{
	void **table = load_acquire(&handles.root), *object;

	if (unlikely(!table))
		return NULL;
	table = load_acquire((void ***)slot_in(table, handle, 2));
	if (unlikely(!table))
		return NULL;
	table = load_acquire((void ***)slot_in(table, handle, 1));
	if (unlikely(!table))
		return NULL;
	object = load_acquire(slot_in(table, handle, 0));
	return unlikely((uintptr_t)object & 1) ? NULL : object;
}

static void list_take_all(struct number_list *to, struct number_list *from)
{
	*to = *from;
	from->first = HANDLE_NONE;
	from->last = HANDLE_NONE;
}

/* What waited for a grace period that is over is usable; what was freed meanwhile waits for the next. */
static void lists_advance_locked(void)
{
	if (handles.waiting.first && !handles.usable.first && poll_state_synchronize_rcu(handles.ticket))
		list_take_all(&handles.usable, &handles.waiting);
	if (!handles.waiting.first && handles.freed.first) {
		list_take_all(&handles.waiting, &handles.freed);
		handles.ticket = start_poll_synchronize_rcu();
	}
}

static u32 take_usable_locked(void *object)
{
	u32 handle = handles.usable.first;
	unsigned int missing;
	void **slot;

	if (!handle)
		return HANDLE_NONE;
	slot = slot_of(handle, &missing);
	handles.usable.first = (u32)((uintptr_t)*slot >> 1);
	store_release(slot, object);
	return handle;
}

/* A number never used before. Return: HANDLE_NONE: a page of @missing's is needed, or (0) there are no more. */
static u32 take_new_locked(void *object, unsigned int *missing)
{
	u32 handle = handles.used + 1;
	void **slot;

	*missing = 0;
	if (handle >> HANDLE_BITS)
		return HANDLE_NONE;
	slot = slot_of(handle, missing);
	if (!slot)
		return HANDLE_NONE;
	store_relaxed(&handles.used, handle);
	store_release(slot, object);
	return handle;
}

/* Somebody else may have been quicker: then the page is not used. */
static bool hang_page_locked(void *page, unsigned int missing)
{
	unsigned int now;

	if (slot_of(handles.used + 1, &now) || now != missing)
		return false;
	if (missing == 3) {
		store_release(&handles.root, page);
		return true;
	}
	void **table = handles.root;

	for (unsigned int level = 2; level > missing; level--)
		table = *slot_in(table, handles.used + 1, level);
	store_release(slot_in(table, handles.used + 1, missing), page);
	return true;
}

u32 handle_alloc(void *object, gfp_t gfp)
{
	void *page = NULL;
	unsigned int missing;
	unsigned long flags;
	u32 handle;

	for (;;) {
		spin_lock_irqsave(&handles.lock, flags);
		if (page && hang_page_locked(page, missing))
			page = NULL;
		lists_advance_locked();
		handle = take_usable_locked(object);
		if (!handle)
			handle = take_new_locked(object, &missing);
		spin_unlock_irqrestore(&handles.lock, flags);
		if (handle || !missing)
			break;
		if (!page)
			page = (void *)get_zeroed_page(gfp);
		if (!page)
			return HANDLE_NONE;
	}
	if (page)
		free_page((unsigned long)page);
	return handle;
}

void handle_free(u32 handle)
{
	unsigned int missing;
	void **slot = slot_of(handle, &missing);
	unsigned long flags;

	if (unlikely(!handle || handle > load_relaxed(&handles.used) || !slot || (uintptr_t)load_relaxed(slot) & 1)) {
		pr_err("handle_free: %#x is not in use\n", handle);
		return;
	}
	spin_lock_irqsave(&handles.lock, flags);
	store_release(slot, (void *)as_free(HANDLE_NONE));
	if (handles.freed.last)
		store_relaxed(slot_of(handles.freed.last, &missing), (void *)as_free(handle));
	else
		handles.freed.first = handle;
	handles.freed.last = handle;
	lists_advance_locked();
	spin_unlock_irqrestore(&handles.lock, flags);
}
