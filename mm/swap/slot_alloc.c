// SPDX-License-Identifier: MIT
/*
 * Free slots: clusters, and what each CPU has of them.
 *
 * An area is divided into clusters of 512 slots. A CPU that needs a slot takes the next free one of *its* cluster (its
 * place), so that what one CPU swaps out together lies together, and CPUs do not meet; single slots and runs for large
 * folios have a place each. That a word is 0 is the only truth about a slot: it is taken by changing the word, so
 * places may be shared, or change while somebody uses them, and nothing breaks but the order.
 *
 * A cluster's number of free slots, changed after the words, decides in which list it is, if in any (SW-I4):
 *
 *		       all free	       some free	 none free
 *	no place	FREE, DISCARD	PARTIAL		 FULL
 *	places lead here	  TAKEN, whatever is free
 *
 * The lists have a lock, which is taken when a CPU leaves its cluster for another, and by who frees the first or the
 * last slot of one. A place prefers FREE clusters (what was freed last, which keeps a store small that grows; on
 * a rotating disk what was freed first), then PARTIAL ones, then what other places have. A rotating disk has
 * one place for all CPUs, so that its head moves on in one direction.
 *
 * Areas are tried in order of their priority. Among equals a CPU goes to the next one after each STRIPE slots.
 *
 * A CPU that read its place a while ago may take a slot of a cluster that no place leads to any more. The number of
 * free ones is off until it has counted its slot; then it looks at the state, and puts the cluster where it belongs.
 *
 * What is to be discarded (SWP_PAGE_DISCARD) waits in the list DISCARD for somebody who may sleep: who allocates, and
 * swapoff at the end. While it is told the words are SLOT_GOING: nobody takes a slot whose contents the device drops.
 */
#include "area.h"

#include <octavo/percpu.h>

#define STRIPE 64u
#define LARGE_TRIES 16u /* PARTIAL clusters that a large folio looks into */

/* Areas in the order they are tried. Read without a lock: who meets a change misses an area, or sees one twice. */
static struct {
	u32 nr;
	u8 type[MAX_SWAPFILES];
	s16 prio[MAX_SWAPFILES];
} order __memsys;

static DEFINE_PER_CPU(u32, stripe);
u32 swap_discards_waiting __memsys;

/* ---- Lists of clusters: context: area->lock ---- */

static void list_prepend(struct swap_area *area, struct cluster_list *list, u32 c)
{
	struct swap_cluster *cluster = &area->clusters[c];

	cluster->prev = CLUSTER_NONE;
	cluster->next = list->nr ? list->first : CLUSTER_NONE;
	if (list->nr)
		area->clusters[list->first].prev = c;
	else
		list->last = c;
	list->first = c;
	store_relaxed(&list->nr, list->nr + 1);
}

static void list_append(struct swap_area *area, struct cluster_list *list, u32 c)
{
	struct swap_cluster *cluster = &area->clusters[c];

	cluster->next = CLUSTER_NONE;
	cluster->prev = list->nr ? list->last : CLUSTER_NONE;
	if (list->nr)
		area->clusters[list->last].next = c;
	else
		list->first = c;
	list->last = c;
	store_relaxed(&list->nr, list->nr + 1);
}

static void list_remove(struct swap_area *area, struct cluster_list *list, u32 c)
{
	struct swap_cluster *cluster = &area->clusters[c];

	if (cluster->next != CLUSTER_NONE)
		area->clusters[cluster->next].prev = cluster->prev;
	else
		list->last = cluster->prev;
	if (cluster->prev != CLUSTER_NONE)
		area->clusters[cluster->prev].next = cluster->next;
	else
		list->first = cluster->next;
	store_relaxed(&list->nr, list->nr - 1);
}

static struct cluster_list *list_of(struct swap_area *area, enum cluster_state state)
{
	return state == CLUSTER_FREE ? &area->free : state == CLUSTER_PARTIAL ? &area->partial :
	       state == CLUSTER_DISCARD ? &area->discard : NULL;
}

/* Into the state, and so into the list. */
static void move_to(struct swap_area *area, u32 c, enum cluster_state state)
{
	struct swap_cluster *cluster = &area->clusters[c];
	struct cluster_list *from = list_of(area, (enum cluster_state)cluster->state), *to = list_of(area, state);

	if (from)
		list_remove(area, from, c);
	if (unlikely((cluster->state == CLUSTER_DISCARD) != (state == CLUSTER_DISCARD)))
		atomic_add_relaxed(&swap_discards_waiting, state == CLUSTER_DISCARD ? 1u : ~0u);
	store_relaxed(&cluster->state, (u8)state);
	/* What was used of late is used again, so that a store that grows with what is in it stays small. */
	if (to == &area->free && load_relaxed(&area->flags) & SWP_SOLIDSTATE)
		list_prepend(area, to, c);
	else if (to)
		list_append(area, to, c);
}

static enum cluster_state state_by_free(const struct swap_area *area, u32 c)
{
	s32 free = load_relaxed(&area->clusters[c].free);

	if (free <= 0)
		return CLUSTER_FULL;
	if (free < area->clusters[c].usable)
		return CLUSTER_PARTIAL;
	return load_relaxed(&area->flags) & SWP_PAGE_DISCARD ? CLUSTER_DISCARD : CLUSTER_FREE;
}

/* No place leads to it: where it belongs by what is free. Who changes that now sees the state, or we the change. */
static void settle(struct swap_area *area, u32 c)
{
	do {
		move_to(area, c, state_by_free(area, c));
		smp_mb();
	} while (area->clusters[c].state != state_by_free(area, c));
}

/* No place leads to it any more, but somebody has taken or freed a slot of it. */
static noinline void settle_again(struct swap_area *area, u32 c)
{
	struct swap_cluster *cluster = &area->clusters[c];
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	if (cluster->state != CLUSTER_TAKEN && cluster->state != state_by_free(area, c))
		settle(area, c);
	spin_unlock_irqrestore(&area->lock, flags);
}

static void take(struct swap_area *area, u32 c)
{
	move_to(area, c, CLUSTER_TAKEN);
	area->clusters[c].users++;
}

/* ---- Places ---- */

static u32 first_partial_with(struct swap_area *area, unsigned int nr)
{
	u32 c = area->partial.nr ? area->partial.first : CLUSTER_NONE;

	for (unsigned int i = 0; i < LARGE_TRIES && c != CLUSTER_NONE; i++, c = area->clusters[c].next)
		if (load_relaxed(&area->clusters[c].free) >= (s32)nr)
			break;
	return c;
}

/* One that another place leads to and that has something free. */
static u32 shared_with(struct swap_area *area, unsigned int nr)
{
	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < PLACES; i++) {
			u32 c = area->cpus[cpu].place[i].cluster;

			if (c != CLUSTER_NONE && load_relaxed(&area->clusters[c].free) >= (s32)nr)
				return c;
		}
	return CLUSTER_NONE;
}

/* @seen is exhausted: another cluster for the place. Return: false: there is none. */
static bool next_cluster(struct swap_area *area, struct swap_place *place, u32 seen, unsigned int nr)
{
	unsigned long flags;
	u32 c = CLUSTER_NONE;

	spin_lock_irqsave(&area->lock, flags);
	if (place->cluster != seen) { /* somebody did it for us */
		c = place->cluster;
		goto out;
	}
	if (seen != CLUSTER_NONE && !--area->clusters[seen].users)
		settle(area, seen);
	store_relaxed(&place->cluster, CLUSTER_NONE);
	if (area->free.nr)
		c = area->free.first;
	else if (nr > 1)
		c = first_partial_with(area, nr);
	else if (area->partial.nr)
		c = area->partial.first;
	if (c == CLUSTER_NONE)
		c = shared_with(area, nr);
	if (c != CLUSTER_NONE) {
		take(area, c);
		store_relaxed(&place->next, 0);
		store_relaxed(&place->cluster, c);
	}
out:
	spin_unlock_irqrestore(&area->lock, flags);
	return c != CLUSTER_NONE;
}

/* All of [@slot, @slot + @nr) or none. */
static force_inline bool take_run(struct swap_area *area, unsigned long slot, unsigned long pfn, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 old = 0;

		if (load_relaxed_u64(&area->words[slot + i]) ||
		    !slot_cas(&area->words[slot + i], &old, slot_make_folio(pfn + i, 0, 0)))
			break;
	}
	if (likely(i == nr))
		return true;
	/* The cache has them in name only: nobody can have found the folio and become a holder. */
	while (i--) {
		u64 old = slot_make_folio(pfn + i, 0, 0);

		(void)slot_cas(&area->words[slot + i], &old, 0);
	}
	return false;
}

/* From where the place is to its cluster's end. Return: 0: nothing there. */
static force_inline unsigned long search(struct swap_area *area, struct swap_place *place, u32 c, unsigned long pfn,
					 unsigned int nr)
{
	unsigned long first = (unsigned long)c << CLUSTER_SHIFT, slot = first + load_relaxed(&place->next);
	unsigned long end = min(first + CLUSTER_SLOTS, area->max);

	for (slot = ALIGN(slot, (unsigned long)nr); slot + nr <= end; slot += nr) {
		if (load_relaxed_u64(&area->words[slot]) || !take_run(area, slot, pfn, nr))
			continue;
		store_relaxed(&place->next, (u32)(slot + nr - first));
		return slot;
	}
	store_relaxed(&place->next, CLUSTER_SLOTS);
	return 0;
}

/* The place's cluster @c has nothing: on to others until one has. */
static noinline unsigned long search_others(struct swap_area *area, struct swap_place *place, u32 c,
					    unsigned long pfn, unsigned int nr)
{
	unsigned int tries = nr > 1 ? LARGE_TRIES : area->nr_clusters + LARGE_TRIES;
	unsigned long slot = 0;

	while (!slot && tries-- && next_cluster(area, place, c, nr)) {
		c = load_relaxed(&place->cluster);
		slot = c != CLUSTER_NONE ? search(area, place, c, pfn, nr) : 0;
	}
	return slot;
}

static force_inline unsigned long area_alloc(struct swap_area *area, unsigned long pfn, unsigned int nr)
{
	unsigned int cpu = load_relaxed(&area->flags) & SWP_SOLIDSTATE ? smp_processor_id() : 0;
	struct swap_place *place = &area->cpus[cpu].place[nr > 1 ? PLACE_LARGE : PLACE_SINGLE];
	u32 c = load_relaxed(&place->cluster);
	unsigned long slot;

	if (unlikely(load_relaxed(&area->used) + nr > area->pages))
		return 0;
	slot = likely(c != CLUSTER_NONE) ? search(area, place, c, pfn, nr) : 0;
	if (unlikely(!slot))
		slot = search_others(area, place, c, pfn, nr);
	if (unlikely(!slot))
		return 0;
	atomic_fetch_sub(&area->clusters[slot >> CLUSTER_SHIFT].free, (s32)nr);
	smp_mb__after_atomic();
	if (unlikely(load_relaxed(&area->clusters[slot >> CLUSTER_SHIFT].state) != CLUSTER_TAKEN))
		settle_again(area, (u32)(slot >> CLUSTER_SHIFT));
	atomic_add_relaxed(&area->used, nr);
	return slot;
}

/* ---- All areas ---- */

void swap_order_update(void)
{
	u32 nr = 0;

	store_relaxed(&order.nr, 0);
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		const struct swap_area *area = swap_areas[type];
		u32 at = nr;

		if (!area || !(area->flags & SWP_WRITEOK))
			continue;
		for (; at && order.prio[at - 1] < area->prio; at--) {
			store_relaxed(&order.prio[at], order.prio[at - 1]);
			store_relaxed(&order.type[at], order.type[at - 1]);
		}
		store_relaxed(&order.prio[at], (s16)area->prio);
		store_relaxed(&order.type[at], (u8)type);
		nr++;
	}
	store_release(&order.nr, nr);
}

/* Areas [@first, the result) of the order have one priority. */
static u32 group_end(u32 first, u32 nr)
{
	u32 end = first + 1;

	while (end < nr && load_relaxed(&order.prio[end]) == load_relaxed(&order.prio[first]))
		end++;
	return end;
}

/* The area of place @i of a group that has @size, in whose turn it is. */
static force_inline u32 in_turn(u32 i, u32 size)
{
	return likely(size == 1) ? 0 : (this_cpu_read(stripe) / STRIPE + i) % size;
}

static force_inline int try_areas(unsigned long pfn, unsigned int nr, swp_entry_t *entry)
{
	u32 areas = load_acquire(&order.nr);
	int err = -ENOSPC;

	for (u32 first = 0, end; first < areas; first = end) {
		end = group_end(first, areas);
		for (u32 i = 0; i < end - first; i++) {
			u32 at = first + in_turn(i, end - first);
			struct swap_area *area = swap_area_of(load_relaxed(&order.type[at]));
			unsigned long slot;

			if (unlikely(!area || !(load_relaxed(&area->flags) & SWP_WRITEOK)))
				continue;
			slot = area_alloc(area, pfn, nr);
			if (likely(slot)) {
				*entry = swp_entry(area->type, slot);
				if (unlikely(end - first > 1))
					this_cpu_add(stripe, nr);
				return 0;
			}
			if (nr > 1 && load_relaxed(&area->used) + nr <= area->pages)
				err = -E2BIG;
		}
	}
	return err;
}

/* Every area is full: what the cache keeps only to save a transfer goes. Return: whether anything did. */
static bool reclaim_some(void)
{
	unsigned long freed = 0;

	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_area *area = swap_area_get(type);

		if (!area)
			continue;
		freed += swap_reclaim_cached(area, &area->hand, 4 * CLUSTER_SLOTS);
		swap_area_put(area);
	}
	return freed != 0;
}

static force_inline int alloc_slots(unsigned long pfn, unsigned int nr, swp_entry_t *entry)
{
	bool again;
	int err;

	do {
		rcu_reader_begin();
		err = try_areas(pfn, nr, entry);
		rcu_reader_end();
		again = unlikely(load_relaxed(&swap_discards_waiting)) && swap_discard_some();
		if (likely(!err))
			return 0;
	} while (again || (nr == 1 && reclaim_some()));
	if (nr == CLUSTER_SLOTS)
		count_vm_events(THP_SWPOUT_FALLBACK, 1);
	return err;
}

static noinline int alloc_run(unsigned long pfn, unsigned int nr, swp_entry_t *entry)
{
	return alloc_slots(pfn, nr, entry);
}

int swap_alloc_slots(unsigned long pfn, unsigned int nr, swp_entry_t *entry)
{
	return likely(nr == 1) ? alloc_slots(pfn, 1, entry) : alloc_run(pfn, nr, entry);
}

/* Context: swap_area_get(). Return: 0, -ENOSPC, -ENOMEM. */
static int alloc_apart(struct swap_area *area, unsigned long pfn, unsigned int nr)
{
	/* A folio's part of the table is in one page. */
	unsigned long *at = swap_table_get(pfn), slot;

	if (unlikely(!at))
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		slot = area_alloc(area, pfn + i, 1);
		if (likely(slot)) {
			store_relaxed(at + i, swp_entry(area->type, slot).val);
			continue;
		}
		while (i--)
			slot_leave_cache(area, swp_offset((swp_entry_t){ at[i] }), pfn + i, 0);
		return -ENOSPC;
	}
	return 0;
}

int swap_alloc_apart(unsigned long pfn, unsigned int nr)
{
	int err = -ENOSPC;

	for (u32 at = 0; err == -ENOSPC && at < load_acquire(&order.nr); at++) {
		struct swap_area *area = swap_area_get(load_relaxed(&order.type[at]));

		if (!area)
			continue;
		if (load_relaxed(&area->flags) & SWP_WRITEOK && load_relaxed(&area->used) + nr <= area->pages)
			err = alloc_apart(area, pfn, nr);
		swap_area_put(area);
	}
	return err;
}

void swap_slots_freed(struct swap_area *area, unsigned long slot, unsigned int nr)
{
	for (unsigned int left = nr; left;) {
		u32 c = (u32)(slot >> CLUSTER_SHIFT);
		unsigned int here = min(left, CLUSTER_SLOTS - (unsigned int)(slot & (CLUSTER_SLOTS - 1)));
		struct swap_cluster *cluster = &area->clusters[c];
		s32 was = atomic_fetch_add(&cluster->free, (s32)here);

		if (unlikely(was <= 0 || was + (s32)here >= cluster->usable))
			settle_again(area, c);
		slot += here;
		left -= here;
	}
	atomic_fetch_sub(&area->used, (unsigned long)nr);
}

/* ---- Discard ---- */

static void release_cluster(struct swap_area *area, unsigned long first, unsigned long end)
{
	for (; first < end; first++)
		if (load_relaxed_u64(&area->words[first]) == SLOT_GOING)
			whole_fill(&area->words[first], 0);
}

/* Slots on their way to nobody, so that none is taken. Return: false: one of them has an owner; none is ours then. */
static bool hold_cluster(struct swap_area *area, unsigned long first, unsigned long end)
{
	unsigned long slot;

	for (slot = first; slot < end; slot++) {
		u64 old = 0;

		if (!slot_cas(&area->words[slot], &old, SLOT_GOING) && old != SLOT_BAD)
			break;
	}
	if (slot == end)
		return true;
	release_cluster(area, first, slot);
	return false;
}

static bool discard_one(struct swap_area *area)
{
	unsigned long flags, first, end;
	u32 c = CLUSTER_NONE;
	bool held;

	spin_lock_irqsave(&area->lock, flags);
	if (area->discard.nr) {
		c = area->discard.first;
		move_to(area, c, CLUSTER_TAKEN);
		area->clusters[c].users = 1;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	if (c == CLUSTER_NONE)
		return false;
	first = (unsigned long)c << CLUSTER_SHIFT;
	end = min(first + CLUSTER_SLOTS, area->max);
	/* A CPU whose place led here a while ago may still take one. */
	held = hold_cluster(area, first, end);
	if (held) {
		/* The first cluster has the header in it. */
		(void)swap_discard_slots(area, first ? first : 1, end);
		release_cluster(area, first, end);
	}
	spin_lock_irqsave(&area->lock, flags);
	area->clusters[c].users = 0;
	move_to(area, c, held ? CLUSTER_FREE : CLUSTER_FULL);
	smp_mb();
	if (!held || load_relaxed(&area->clusters[c].free) < area->clusters[c].usable)
		settle(area, c);
	spin_unlock_irqrestore(&area->lock, flags);
	return held;
}

void swap_discard_all(struct swap_area *area)
{
	while (discard_one(area))
		;
}

bool swap_discard_some(void)
{
	bool any = false;

	if (likely(!load_relaxed(&swap_discards_waiting)))
		return false;
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_area *area = swap_area_get(type);

		if (!area)
			continue;
		any |= discard_one(area);
		swap_area_put(area);
	}
	return any;
}

/* ---- The start ---- */

void swap_clusters_init(struct swap_area *area)
{
	for (u32 c = 0; c < area->nr_clusters; c++) {
		struct swap_cluster *cluster = &area->clusters[c];
		unsigned long first = (unsigned long)c << CLUSTER_SHIFT, end = min(first + CLUSTER_SLOTS, area->max);

		for (unsigned long slot = first; slot < end; slot++)
			cluster->usable += !area->words[slot];
		cluster->free = cluster->usable;
		cluster->state = cluster->usable ? CLUSTER_FREE : CLUSTER_FULL;
		if (cluster->usable)
			list_append(area, &area->free, c);
	}
	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < PLACES; i++)
			area->cpus[cpu].place[i].cluster = CLUSTER_NONE;
}
