// SPDX-License-Identifier: MIT
/*
 * Purge: one flush for all addresses that were freed since the last one; then they are clean, and what was clean and
 * has not been wanted since goes for good. The theory stands in vmap_area.c.
 */
#include "../base/printk.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "kernel_map.h"
#include "vmap.h"

bool vmap_flush(uintptr_t start, uintptr_t end)
{
	return start >= end || flush_tlb_kernel_range(start, end);
}

/* ---- Giving back ---- */

/* Tables that stand for more than 1 GiB are few, and roots show them: those that a root of 64 bits shows stay. */
#define LEVEL_MAX (PGT_TWO_ROOTS ? PGT_LEVELS - 1u : max(min(2u, PGT_LEVELS - 1u), PGT_LEVELS - 2u))

/*
 * With an area gone and [start, end) around it free: the tables there that showed nothing but it and free addresses.
 * Nobody can take addresses in between, for the tree's lock is held.
 */
static void free_tables(const struct vmap_area *area, u64 start, u64 end, void *ctx)
{
	u64 area_end = (u64)area->start + area->bytes, low = 0, high = 0;

	for (unsigned int level = 1; level <= LEVEL_MAX; level++) {
		u64 span = PGT_SIZE(level), first = ALIGN_DOWN((u64)area->start, span), last = ALIGN(area_end, span);

		if (first < start)
			first += span;
		if (last > end)
			last -= span;
		if (first >= last)
			break;
		low = first;
		high = last;
	}
	if (low < high)
		pgt_free_kernel_tables((uintptr_t)low, high - low, ctx);
}

void vmap_areas_destroy(struct vmap_area *list)
{
	struct mmu_gather tlb;
	struct vmap_area *next;
	bool alone;

	if (!list)
		return;
	/* While somebody goes through all kernel tables, empty ones wait for a neighbour of the area to go. */
	alone = mutex_trylock(&kernel_map_mutex);
	tlb_gather_mmu(&tlb, &init_mm);
	for (; list; list = next) {
		next = list->next;
		vmap_area_remove(list, alone ? free_tables : NULL, &tlb);
	}
	tlb_finish_mmu(&tlb);
	if (alone)
		mutex_unlock(&kernel_map_mutex);
}

/* ---- Purging ---- */

struct round {
	uintptr_t low, end;  /* what has to be flushed */
	unsigned long room;  /* pages that may become clean */
	bool all;
	struct vmap_area *gone;
};

static void collect(struct round *r, struct vmap_cpu *c)
{
	unsigned long flags, counted;

	spin_lock_irqsave(&c->lock, flags);
	c->flushing = c->lazy;
	c->lazy = NULL;
	vmap_blocks_begin_flush(c, &r->low, &r->end);
	counted = c->lazy_counted;
	c->lazy_pages = c->lazy_counted = 0;
	spin_unlock_irqrestore(&c->lock, flags);
	if (counted)
		atomic_fetch_sub(&vmap_state.lazy_pages, counted);
	for (struct vmap_area *a = c->flushing; a; a = a->next) {
		r->low = min(r->low, a->start);
		r->end = max(r->end, a->start + a->bytes);
	}
}

/* Some CPU did not hear of it: all stays as it was. */
static void put_back(struct vmap_cpu *c)
{
	unsigned long flags, due = 0;
	struct vmap_area *next;

	spin_lock_irqsave(&c->lock, flags);
	for (struct vmap_area *a = c->flushing; a; a = next) {
		next = a->next;
		a->next = c->lazy;
		c->lazy = a;
		due += vmap_lazy_locked(c, a->bytes >> PAGE_SHIFT);
	}
	c->flushing = NULL;
	due += vmap_lazy_locked(c, vmap_blocks_put_back(c));
	spin_unlock_irqrestore(&c->lock, flags);
	vmap_count_lazy(due);
}

/* What is still clean has waited for a whole round. */
static void clean_old_locked(struct round *r, struct vmap_cpu *c)
{
	for (unsigned int class = 0; class < VMAP_CLASSES; class++) {
		struct vmap_area *a = c->clean[class], *next;

		c->clean[class] = NULL;
		for (; a; a = next) {
			next = a->next;
			store_relaxed(&a->state, VMAP_LEAVING);
			a->next = r->gone;
			r->gone = a;
		}
	}
}

static void make_clean(struct round *r, struct vmap_cpu *c)
{
	struct vmap_block *unused;
	struct vmap_area *next;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	clean_old_locked(r, c);
	for (struct vmap_area *a = c->flushing; a; a = next) {
		unsigned long pages = a->bytes >> PAGE_SHIFT;

		next = a->next;
		if (!r->all && a->class < VMAP_CLASSES && pages <= r->room) {
			r->room -= pages;
			store_relaxed(&a->state, VMAP_CLEAN);
			a->next = c->clean[a->class];
			c->clean[a->class] = a;
		} else {
			store_relaxed(&a->state, VMAP_LEAVING);
			a->next = r->gone;
			r->gone = a;
		}
	}
	c->flushing = NULL;
	unused = vmap_blocks_end_flush(c, r->all);
	spin_unlock_irqrestore(&c->lock, flags);
	r->gone = vmap_blocks_free(unused, r->gone);
}

static void purge_locked(bool all)
{
	struct round r = { .low = UINTPTR_MAX, .room = vmap_state.lazy_max, .all = all };
	bool flushed;

	for_each_possible_cpu(cpu)
		if (vmap_cpu_of(cpu))
			collect(&r, vmap_cpu_of(cpu));
	flushed = vmap_flush(r.low, r.end);
	vmap_state.purges += r.low < r.end;
	for_each_possible_cpu(cpu) {
		struct vmap_cpu *c = vmap_cpu_of(cpu);

		if (c && flushed)
			make_clean(&r, c);
		else if (c)
			put_back(c);
	}
	vmap_areas_destroy(r.gone);
}

void vmap_purge(bool all)
{
	/* Who has run out of addresses waits for the others' purge and has one of its own; else one is enough. */
	if (all)
		mutex_lock(&vmap_state.purge);
	else if (!mutex_trylock(&vmap_state.purge))
		return;
	purge_locked(all);
	mutex_unlock(&vmap_state.purge);
}

void vm_unmap_aliases(void)
{
	if (!vmap_state.on)
		return;
	mutex_lock(&vmap_state.purge);
	purge_locked(false);
	mutex_unlock(&vmap_state.purge);
}
