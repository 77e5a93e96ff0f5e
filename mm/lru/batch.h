/* SPDX-License-Identifier: MIT */
/* Fresh pages on their way to the lists: what faults do inline. The theory is in batch.c. */
#ifndef MM_LRU_BATCH_H
#define MM_LRU_BATCH_H

#include <octavo/percpu.h>

#include "../phys/frames.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "lru.h"

/* So many descriptors are side by side, of one zone, and have a bit each. */
#define LRU_ROW_PAGES 64u

enum lru_fresh { LRU_FRESH_ANON, LRU_FRESH_FILE, LRU_FRESH_KINDS };

/*
 * (o) its CPU only, in a section; (l) the lock of the frames' node. Others read all of it.
 * @base: (o) the first of the row's descriptors; NULL: in no use
 * @added: (o) pages that came; (l) back to 0 by its CPU
 * @taken: (l) of them, those that went to a chain or were freed
 */
struct lru_row {
	struct page *base;
	u64 added, taken;
};

/* What was written to a page before its bit is there for who sees the bit. Halves of it may be seen apart. */
#define lru_row_load(bits) load_acquire_u64(bits)
#define lru_row_store(bits, value) store_release_u64(bits, value)

/* Where this CPU adds pages of the kind at the moment. */
DECLARE_PER_CPU(struct lru_row *, lru_row_now[LRU_FRESH_KINDS]);

void lru_add_fresh_slow(struct page *page, enum lru_fresh kind);

/*
 * lru_add_fresh - a single page with PG_lru that has not been on a list since it was allocated
 * Context: the caller has a reference, or the lock of the table that is to lead to it; nobody else knows it yet.
 */
static force_inline void lru_add_fresh(struct page *page, enum lru_fresh kind)
{
	unsigned long flags;

	if (likely(cpu_section_try(&flags))) {
		struct lru_row *row = this_cpu_read(lru_row_now[kind]);
		uintptr_t behind = (uintptr_t)page - (uintptr_t)row->base;

		if (likely(behind < LRU_ROW_PAGES * sizeof(struct page))) {
			u64 bit = 1ull << behind / sizeof(struct page), added = row->added;

			if (likely(!(added & bit))) {
				lru_row_store(&row->added, added | bit);
				cpu_section_leave(flags);
				return;
			}
		}
		cpu_section_leave(flags);
	}
	lru_add_fresh_slow(page, kind);
}

/* Of [@base, +64) those of @pages that are in batches leave them. Return: those that are in none. Context: the lock. */
u64 lru_batch_remove_row(struct page *base, u64 pages);
/* For verifiers, while nobody is at work. */
void lru_batches_visit(void (*visit)(void *arg, struct page *page), void *arg);

/* struct lru_hooks.release */
unsigned long lru_release(struct page *const *pages, unsigned long nr, u64 fresh, u64 *mask);

#endif
