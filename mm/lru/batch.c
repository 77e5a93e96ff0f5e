// SPDX-License-Identifier: MIT
/*
 * Batches: fresh pages on their way to the lists.
 *
 * Purpose. A fault adds one page. To take the node's lock for each would cost more than all the rest of it, and CPUs
 * would queue up for it. So a CPU notes what it adds, and puts many on the list with one lock.
 *
 * Words. A *row* is 64 frames side by side, as the page allocator hands them out; a CPU that faults mostly fills one
 * row after the other. A batch has up to four rows of each kind (anonymous, of files), in each a bit for a page that
 * was *added*, and one for a page that was *taken* since: freed, isolated, put on a chain by somebody else.
 *
 *	lru_row_now[kind] -> { base, added 0000111111111111, taken 0000000000000100 }
 *
 * A row is flushed when its CPU is through with it; its pages become neighbours on the chain in the order of their
 * frames, which is that in which they were allocated.
 *
 * Locking. base and added are the CPU's own, in a section; taken belongs to the lock of the frames' node. Another CPU
 * that holds that lock may take any page out of the batch: it reads added and then base, the owner writes base before
 * added, so that what it read of one row it does not take for another's. That nobody waits for the owner is why a page
 * may be freed or isolated in a batch at once.
 *
 * Differences from Linux. No references (LR-I5), no flush from other CPUs by interrupt: who drains does it himself.
 */
#include "batch.h"

#include "../phys/page_fresh.h"
#include "lruvec.h"

#define ROWS 4u

/* Stands in until the CPU has added a page of the kind. */
static struct lru_row no_row __memsys;

DEFINE_PER_CPU(struct lru_row *, lru_row_now[LRU_FRESH_KINDS]) = { &no_row, &no_row };
static DEFINE_PER_CPU(struct lru_row, lru_rows[LRU_FRESH_KINDS * ROWS]);

/* CPUs that ever had a batch. */
static u8 has_batch[NR_CPUS] __memsys;

/* What was added and has not gone. Others than the owner: under the lock, and they look at row->base again. */
static u64 row_pages(const struct lru_row *row)
{
	return lru_row_load(&row->added) & ~row->taken;
}

/* ---- Onto the chain ---- */

/* Fresh pages of a row, all alike: the policy sees the first and means all. */
static void place_row(struct lruvec *vec, struct page *base, u64 pages)
{
	struct page *first = base + lowest_bit(pages);
	unsigned int gen;

	lru_policy()->add(vec, (struct folio *)first);
	gen = page_gen(first);
	if (likely(!gen && !PageActive(first)))
		return;
	for (u64 rest = pages & (pages - 1); rest; rest &= rest - 1) {
		struct page *page = base + lowest_bit(rest);

		page_set_gen(page, gen);
		if (PageActive(first))
			SetPageActive(page);
	}
}

static void link_row(struct lruvec *vec, struct page *base, u64 pages)
{
	struct page *first = base + lowest_bit(pages);
	struct lru_chain *chain;
	unsigned int n = 0, nr;

	place_row(vec, base, pages);
	chain = &vec->chains[page_chain(first)];
	for (u64 rest = pages; rest; rest &= nr == LRU_ROW_PAGES ? 0 : rest + (rest & -rest)) {
		nr = ~(rest >> lowest_bit(rest)) ? lowest_bit(~(rest >> lowest_bit(rest))) : LRU_ROW_PAGES;
		first = base + lowest_bit(rest);
		/* A page follows the one before it, which is older. */
		for (struct page *page = first; page < first + nr; page++) {
			page->lru_next = (u32)-1;
			page->lru_prev = 1;
		}
		chain_push(chain, first, first + nr - 1);
		n += nr;
	}
	lru_count(vec, page_zonenum(first), page_chain(first), (long)n);
}

static struct lruvec *row_lruvec(const struct page *base, u64 pages)
{
	return node_lruvec(page_to_nid(base + lowest_bit(pages)));
}

/* By the owner, in a section: the row is empty and in no use. */
static void row_close(struct lru_row *row)
{
	u64 added = row->added;

	if (added) {
		struct lruvec *vec = row_lruvec(row->base, added);
		unsigned long flags;

		lru_lock(vec, &flags);
		if (row_pages(row))
			link_row(vec, row->base, row_pages(row));
		lru_row_store(&row->added, 0);
		row->taken = 0;
		lru_unlock(vec, flags);
	}
	store_release(&row->base, NULL);
}

/* By anybody: what is in the row now goes onto its chain. */
static void row_take(struct lru_row *row)
{
	for (;;) {
		struct page *base = load_acquire(&row->base);
		u64 added = lru_row_load(&row->added), pages;
		struct lruvec *vec;
		unsigned long flags;
		bool same;

		if (!base || !added)
			return;
		vec = row_lruvec(base, added);
		/* Of two rows mixed up: not a page. */
		if (!vec)
			continue;
		lru_lock(vec, &flags);
		pages = row_pages(row);
		same = load_acquire(&row->base) == base;
		if (same && pages && row_lruvec(base, pages) == vec) {
			link_row(vec, base, pages);
			row->taken |= pages;
		}
		lru_unlock(vec, flags);
		if (same)
			return;
	}
}

/* ---- Additions ---- */

/* The row is of one zone. Between nodes, and where descriptors were never made, it may be of two. */
static bool one_zone(const struct page *base, const struct page *page)
{
	const struct page *last = base + LRU_ROW_PAGES - 1;

	return pfn_valid(page_to_pfn(base)) && pfn_valid(page_to_pfn(last)) && page_test_flag(base, PG_init) &&
	       page_test_flag(last, PG_init) && page_to_nid(base) == page_to_nid(page) &&
	       page_to_nid(last) == page_to_nid(page) && page_zonenum(base) == page_zonenum(page) &&
	       page_zonenum(last) == page_zonenum(page);
}

/* A row where the page has no bit yet, or NULL. In a section. */
static struct lru_row *row_for(struct page *page, enum lru_fresh kind)
{
	struct lru_row *rows = &(*this_cpu_ptr(&lru_rows))[kind * ROWS], *now = this_cpu_read(lru_row_now[kind]);
	struct page *base = page - page_to_pfn(page) % LRU_ROW_PAGES;

	if (now != &no_row && (now->added == ~0ull || now->base == base))
		row_close(now);
	for (unsigned int i = 0; i < ROWS; i++) {
		if (rows[i].base != base)
			continue;
		if (rows[i].added >> (page - base) & 1)
			row_close(&rows[i]);
		store_relaxed(&rows[i].base, base);
		return &rows[i];
	}
	if (!one_zone(base, page))
		return NULL;
	for (unsigned int i = 0; i < ROWS; i++) {
		if (rows[i].base)
			continue;
		store_relaxed(&rows[i].base, base);
		return &rows[i];
	}
	for (unsigned int i = 0; i < ROWS; i++)
		row_close(&rows[i]);
	store_relaxed(&rows[0].base, base);
	return &rows[0];
}

static void add_alone(struct page *page)
{
	struct folio *folio = (struct folio *)page;
	struct lruvec *vec = folio_lruvec(folio);
	unsigned long flags;

	lru_lock(vec, &flags);
	lru_place(vec, folio);
	lru_unlock(vec, flags);
}

void lru_add_fresh_slow(struct page *page, enum lru_fresh kind)
{
	struct lru_row *row = NULL;
	unsigned long flags;

	if (cpu_section_try(&flags)) {
		unsigned int cpu = this_cpu()->cpu;

		if (unlikely(!load_relaxed(&has_batch[cpu])))
			store_relaxed(&has_batch[cpu], 1);
		row = row_for(page, kind);
		if (row) {
			u64 bit = 1ull << (page - row->base);

			lru_row_store(&row->added, row->added | bit);
			this_cpu_write(lru_row_now[kind], row);
		}
		cpu_section_leave(flags);
	}
	if (!row)
		add_alone(page);
}

/* ---- Out again ---- */

u64 lru_batch_remove_row(struct page *base, u64 pages)
{
	for_each_possible_cpu(cpu) {
		struct lru_row *rows;

		if (!load_relaxed(&has_batch[cpu]))
			continue;
		rows = *per_cpu_ptr(&lru_rows, cpu);
		for (unsigned int i = 0; i < LRU_FRESH_KINDS * ROWS; i++) {
			u64 here;

			if (load_relaxed(&rows[i].base) != base)
				continue;
			here = row_pages(&rows[i]) & pages;
			if (!here || load_acquire(&rows[i].base) != base)
				continue;
			rows[i].taken |= here;
			pages &= ~here;
			if (!pages)
				return 0;
		}
	}
	return pages;
}

bool lru_batch_remove(struct page *page)
{
	unsigned long offset = page_to_pfn(page) % LRU_ROW_PAGES;

	return !lru_batch_remove_row(page - offset, 1ull << offset);
}

/* ---- Draining ---- */

void lru_batches_drain_cpu(unsigned int cpu)
{
	struct lru_row *rows;

	if (!load_relaxed(&has_batch[cpu]))
		return;
	rows = *per_cpu_ptr(&lru_rows, cpu);
	for (unsigned int i = 0; i < LRU_FRESH_KINDS * ROWS; i++)
		row_take(&rows[i]);
}

void lru_add_drain(void)
{
	/* Should the thread move to another CPU meanwhile, then it was that one's batch. */
	lru_batches_drain_cpu(smp_processor_id());
}

void lru_add_drain_all(void)
{
	for_each_possible_cpu(cpu)
		lru_batches_drain_cpu(cpu);
}

void lru_batches_visit(void (*visit)(void *arg, struct page *page), void *arg)
{
	for_each_possible_cpu(cpu) {
		struct lru_row *rows;

		if (!load_relaxed(&has_batch[cpu]))
			continue;
		rows = *per_cpu_ptr(&lru_rows, cpu);
		for (unsigned int i = 0; i < LRU_FRESH_KINDS * ROWS; i++)
			for (u64 pages = row_pages(&rows[i]); pages; pages &= pages - 1)
				visit(arg, rows[i].base + lowest_bit(pages));
	}
}
