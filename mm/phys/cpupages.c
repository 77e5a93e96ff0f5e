// SPDX-License-Identifier: MIT
/* Per-CPU caches: rows to allocate from, slots to free into. Theory in frames.c. */
#include "../sync/trace.h"
#include "frame_fast.h"

size_t cpu_pages_bytes(unsigned int zones)
{
	return zones * sizeof(struct cpu_pages);
}

void cpu_pages_init(unsigned int cpu, void *memory, unsigned int zones)
{
	struct cpu_pages *cp = memory;

	/* No slot of frame 0's row: where nothing may be cached, none is to match. */
	for (unsigned int i = 0; i < zones; i++)
		cp[i].slots[0].row = PFN_NONE;
	cpu_locals[cpu]->pages = memory;
}

/* ---- Counting ---- */

static void add_count(unsigned long *count, unsigned long n)
{
	store_relaxed(count, *count + n);
}

/* A row was loaded with these runs. */
static void count_row(struct cpu_pages *cp, u64 heads, unsigned int order)
{
	add_count(&cp->row_runs, count_bits(heads));
	add_count(&cp->row_frames, (unsigned long)count_bits(heads) << order);
}

/* What does not go through a row. @usable: the caches, and so these counts, are this section's alone. */
static void count_direct_alloc(struct zone *zone, struct cpu_local *cpu, struct cpu_pages *cp, unsigned int order,
			       bool usable)
{
	if (usable) {
		add_count(&cp->row_runs, 1);
		add_count(&cp->row_frames, 1ul << order);
	} else {
		count_vm_events((enum vm_event_item)(PGALLOC_FIRST + zone->type), 1ul << order);
		mod_zone_page_state(zone, NUMA_HIT, 1);
		mod_zone_page_state(zone, zone->node == cpu->node ? NUMA_LOCAL : NUMA_OTHER, 1);
	}
}

static void count_direct_free(struct cpu_pages *cp, unsigned int order, bool usable)
{
	if (usable)
		add_count(&cp->slot_frames, 1ul << order);
	else
		count_vm_events(PGFREE, 1ul << order);
}

/* Which rows are out, for frames_in_rows(): after one was loaded, and when the filter has misled. */
static void note_rows(struct cpu_pages *cp)
{
	u64 filter = 0;

	for (unsigned int t = 0; t < ROW_TYPES; t++)
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			if (cp->rows[t][order].heads)
				filter |= 1ull << (cp->rows[t][order].base >> ROW_ORDER) % 64;
	cp->row_filter = filter;
}

/* Those frames of row number @row that wait in this CPU's rows to be allocated. */
static u64 frames_in_rows(struct cpu_pages *cp, unsigned long row)
{
	u64 frames = 0;

	if (likely(!(cp->row_filter >> row % 64 & 1)))
		return 0;
	for (unsigned int t = 0; t < ROW_TYPES; t++)
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			if (cp->rows[t][order].base == row << ROW_ORDER)
				frames |= heads_frames(cp->rows[t][order].heads, order);
	if (!frames)
		note_rows(cp);
	return frames;
}

/* ---- Giving back what is cached ---- */

static __cold noinline void trace_drained(struct zone *zone, unsigned long base, u64 heads, unsigned int order)
{
	for (; heads; heads &= heads - 1) {
		unsigned long pfn = base + lowest_bit(heads);

		trace_event(mm_page_pcpu_drain, pfn, order, get_pageblock_migratetype(zone, pfn));
	}
}

/* What a slot holds, less what was never in use. */
static u64 slot_take(struct zone *zone, struct cpu_pages *cp, struct free_slot *slot)
{
	u64 mask = slot->mask, bad = mask & frames_in_rows(cp, slot->row);

	store_relaxed_u64(&slot->mask, 0);
	add_count(&cp->slot_frames, count_bits(mask & ~bad));
	if (unlikely(bad))
		frames_bad_free(zone, slot->row << ROW_ORDER, bad);
	if (trace_event_enabled(mm_page_pcpu_drain))
		trace_drained(zone, slot->row << ROW_ORDER, mask & ~bad, 0);
	return mask & ~bad;
}

static void flush_slot(struct zone *zone, struct cpu_pages *cp, struct free_slot *slot)
{
	u64 mask = slot_take(zone, cp, slot), bad;

	if (!mask)
		return;
	bad = blocks_give_row(zone, slot->row << ROW_ORDER, mask);
	if (unlikely(bad))
		frames_bad_free(zone, slot->row << ROW_ORDER, bad);
}

/* The slots of neighbouring rows lie side by side: what they hold of one block goes back together. */
static void flush_block(struct zone *zone, struct cpu_pages *cp, unsigned long row)
{
	unsigned long first = ALIGN_DOWN(row, BLOCK_ROWS);
	u64 masks[BLOCK_ROWS];

	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		struct free_slot *slot = slot_of(zone, cp, (first + i) << ROW_ORDER);

		masks[i] = slot->row == first + i ? slot_take(zone, cp, slot) : 0;
	}
	blocks_give_rows(zone, first << ROW_ORDER, masks);
}

static void flush_slots(struct zone *zone, struct cpu_pages *cp)
{
	for (unsigned int i = 0; i <= zone->frames.slot_mask; i++)
		if (cp->slots[i].mask)
			flush_block(zone, cp, cp->slots[i].row);
}

static void flush_row(struct zone *zone, struct cpu_pages *cp, struct frame_row *row, unsigned int order)
{
	u64 heads = row->heads, bad;
	unsigned long base = row->base;

	/* Forget the row even when it is used up: its frames must not come back from the free slots. */
	row->base = PFN_NONE;
	if (!heads)
		return;
	store_relaxed_u64(&row->heads, 0);
	add_count(&cp->row_runs, -(unsigned long)count_bits(heads));
	add_count(&cp->row_frames, -((unsigned long)count_bits(heads) << order));
	if (trace_event_enabled(mm_page_pcpu_drain))
		trace_drained(zone, base, heads, order);
	bad = blocks_give_row(zone, base, heads_frames(heads, order));
	if (unlikely(bad))
		frames_bad_free(zone, base, bad);
}

static unsigned int rows_frames(const struct cpu_pages *cp)
{
	unsigned int n = 0;

	for (unsigned int t = 0; t < ROW_TYPES; t++)
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			n += count_bits(load_relaxed_u64(&cp->rows[t][order].heads)) << order;
	return n;
}

static force_inline bool rows_are_limited(const struct zone *zone)
{
	return unlikely(zone->frames.rows_max < ROWS_FRAMES_MAX);
}

/* Room for one more row: in a small zone others go back for it. Return: false if no row is allowed. */
static noinline bool rows_make_room(struct zone *zone, struct cpu_pages *cp)
{
	unsigned int most = zone->frames.rows_max, held = rows_frames(cp);

	for (unsigned int i = 0; held + ROW_FRAMES > most && i < ROW_TYPES * ROW_ORDERS; i++) {
		struct frame_row *row = &cp->rows[i / ROW_ORDERS][i % ROW_ORDERS];
		unsigned int order = i % ROW_ORDERS;

		if (!row->heads)
			continue;
		held -= count_bits(row->heads) << order;
		flush_row(zone, cp, row, order);
	}
	return held + ROW_FRAMES <= most;
}

/* Down to @keep, the oldest first: the latest freed are the warmest. */
static void give_whole(struct zone *zone, struct cpu_pages *cp, unsigned int keep)
{
	unsigned int n = cp->nr_whole - keep;

	if (trace_event_enabled(mm_page_pcpu_drain))
		for (unsigned int i = 0; i < n; i++)
			trace_drained(zone, cp->whole[i], 1, PAGEBLOCK_ORDER);
	blocks_give_whole(zone, n, cp->whole);
	for (unsigned int i = 0; i < keep; i++)
		cp->whole[i] = cp->whole[i + n];
	store_relaxed(&cp->nr_whole, keep);
}

/* All of it. By the owner inside a section, or by who keeps the owner out. */
static void drain(struct zone *zone, unsigned int cpu, struct cpu_pages *cp)
{
	flush_slots(zone, cp);
	for (unsigned int t = 0; t < ROW_TYPES; t++) {
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			flush_row(zone, cp, &cp->rows[t][order], order);
		rmqueue_disown(zone, cpu, &cp->current[t][0]);
		rmqueue_disown(zone, cpu, &cp->current[t][1]);
	}
	if (cp->nr_whole)
		give_whole(zone, cp, 0);
}

/* May this section use the caches? Does the draining that others asked for. */
static bool caches_usable(struct zone *zone, struct cpu_local *cpu, struct cpu_pages *cp)
{
	u32 asked;

	if (cpu->depth != 1)
		return false;
	asked = load_acquire(&cp->drain);
	if (likely(asked == DRAIN_NONE))
		return true;
	if (asked == DRAIN_BY_OTHER || atomic_cmpxchg(&cp->drain, DRAIN_BY_OWNER, DRAIN_NONE) != DRAIN_BY_OWNER)
		return false;
	drain(zone, cpu->cpu, cp);
	return true;
}

/* ---- Allocation ---- */

/* Fewer runs than this in a slot, and another row of the CPU's block is the better source. */
#define SLOT_RUNS_MIN 8u

/*
 * What was freed since of the row just used up: it lies in the block this CPU is filling, so taking it again
 * costs no contiguity, and it is warm. At least @least runs of it, or none.
 */
static bool row_from_slot(struct zone *zone, struct cpu_pages *cp, struct frame_row *row, unsigned int order,
			  unsigned int least)
{
	struct free_slot *slot = slot_of(zone, cp, row->base);
	unsigned int runs;
	u64 heads;

	if (slot->row != row->base >> ROW_ORDER)
		return false;
	heads = row_heads(slot->mask, order);
	runs = count_bits(heads);
	if (runs < least)
		return false;
	store_relaxed_u64(&slot->mask, slot->mask & ~heads_frames(heads, order));
	add_count(&cp->slot_frames, (unsigned long)runs << order);
	store_relaxed_u64(&row->heads, heads);
	/* note_rows() would say the same: this row was out before, the others are as they were. */
	cp->row_filter |= 1ull << (row->base >> ROW_ORDER) % 64;
	return true;
}

/* A row of @rows frames (type or ROWS_CMA); PFN_NONE if there is none as far as @find goes. */
static unsigned long alloc_from(struct zone *zone, struct cpu_local *cpu, struct cpu_pages *cp, unsigned int order,
				unsigned int rows, unsigned int alloc_flags, unsigned int find)
{
	struct frame_row *row = &cp->rows[rows][order];
	unsigned int type = rows == ROWS_CMA ? MIGRATE_CMA : rows;

	if (!row->heads) {
		u32 *current = &cp->current[rows][order > 0];

		if (rows_are_limited(zone) && !rows_make_room(zone, cp))
			return PFN_NONE;
		if (!row_from_slot(zone, cp, row, order, SLOT_RUNS_MIN)) {
			if (rmqueue_row_current(zone, cpu->cpu, order, type, *current, row) ||
			    (!row_from_slot(zone, cp, row, order, 1) &&
			     rmqueue_row(zone, cpu->cpu, order, type, alloc_flags, find, current, row)))
				note_rows(cp);
			else if (!row->heads)
				return PFN_NONE;
		}
		count_row(cp, row->heads, order);
	}
	return row_pop(row, row->heads);
}

static unsigned long alloc_row(struct zone *zone, struct cpu_local *cpu, struct cpu_pages *cp, unsigned int order,
			       unsigned int type, unsigned int alloc_flags)
{
	bool cma = type == MIGRATE_MOVABLE && alloc_flags & ALLOC_CMA && zone->cma_pages;
	unsigned long pfn = PFN_NONE;

	if (cp->rows[type][order].heads)
		return row_pop(&cp->rows[type][order], cp->rows[type][order].heads);
	if (cma && cma_is_majority(zone))
		pfn = alloc_from(zone, cpu, cp, order, ROWS_CMA, alloc_flags, FIND_OWN);
	if (pfn == PFN_NONE)
		pfn = alloc_from(zone, cpu, cp, order, type, alloc_flags, FIND_OWN);
	if (likely(pfn != PFN_NONE))
		return pfn;
	flush_slots(zone, cp);
	pfn = alloc_from(zone, cpu, cp, order, type, alloc_flags, FIND_OWN | FIND_OWNED);
	if (pfn == PFN_NONE && cma)
		pfn = alloc_from(zone, cpu, cp, order, ROWS_CMA, alloc_flags, FIND_OWN | FIND_OWNED);
	if (pfn == PFN_NONE)
		pfn = alloc_from(zone, cpu, cp, order, type, alloc_flags, FIND_FALLBACK);
	return pfn;
}

static unsigned long alloc_whole(struct zone *zone, struct cpu_pages *cp)
{
	if (!cp->nr_whole)
		store_relaxed(&cp->nr_whole, blocks_take_whole(zone, MIGRATE_MOVABLE,
							       zone->frames.whole_max / 2 + 1, cp->whole));
	if (!cp->nr_whole)
		return PFN_NONE;
	store_relaxed(&cp->nr_whole, cp->nr_whole - 1);
	return cp->whole[cp->nr_whole];
}

/* From the blocks, without rows: large orders, interrupts within a section, what nothing else could serve. */
static unsigned long alloc_direct(struct zone *zone, unsigned int order, unsigned int type, unsigned int alloc_flags)
{
	bool cma = type == MIGRATE_MOVABLE && alloc_flags & ALLOC_CMA && zone->cma_pages;
	unsigned long pfn = PFN_NONE;

	if (alloc_flags & ALLOC_HIGHATOMIC && order > PAGE_ALLOC_COSTLY_ORDER)
		pfn = rmqueue(zone, order, MIGRATE_HIGHATOMIC, alloc_flags, FIND_OWN);
	if (pfn == PFN_NONE && cma && cma_is_majority(zone))
		pfn = rmqueue(zone, order, MIGRATE_CMA, alloc_flags, FIND_OWN);
	if (pfn == PFN_NONE)
		pfn = rmqueue(zone, order, type, alloc_flags, FIND_OWN | FIND_OWNED);
	if (pfn == PFN_NONE && cma)
		pfn = rmqueue(zone, order, MIGRATE_CMA, alloc_flags, FIND_OWN | FIND_OWNED);
	if (pfn == PFN_NONE)
		pfn = rmqueue(zone, order, type, alloc_flags, FIND_FALLBACK);
	if (pfn == PFN_NONE && alloc_flags & ALLOC_HIGHATOMIC)
		pfn = rmqueue(zone, order, MIGRATE_HIGHATOMIC, alloc_flags, FIND_OWN);
	return pfn;
}

unsigned long frame_alloc_slow(struct zone *zone, unsigned int order, unsigned int type, unsigned int alloc_flags,
			       struct cpu_local *cpu, unsigned long flags)
{
	struct cpu_pages *cp = cpu_pages_of(zone, cpu);
	bool usable = caches_usable(zone, cpu, cp), counted = false;
	unsigned long pfn = PFN_NONE;

	if (usable && !(alloc_flags & ALLOC_NO_PCP)) {
		if (order < ROW_ORDERS)
			counted = (pfn = alloc_row(zone, cpu, cp, order, type, alloc_flags)) != PFN_NONE;
		else if (order == PAGEBLOCK_ORDER && type == MIGRATE_MOVABLE && zone->frames.whole_max)
			pfn = alloc_whole(zone, cp);
	}
	if (pfn == PFN_NONE)
		pfn = alloc_direct(zone, order, type, alloc_flags);
	if (pfn == PFN_NONE && usable) {
		drain(zone, cpu->cpu, cp);
		pfn = alloc_direct(zone, order, type, alloc_flags);
	}
	if (pfn != PFN_NONE && order && alloc_flags & ALLOC_HIGHATOMIC)
		reserve_highatomic(zone, pfn, order);
	if (pfn != PFN_NONE && !counted)
		count_direct_alloc(zone, cpu, cp, order, usable);
	cpu_section_end(cpu, flags);
	return pfn;
}

unsigned long frame_alloc(struct zone *zone, unsigned int order, unsigned int migratetype, unsigned int alloc_flags)
{
	return likely(!order) ? frame_alloc_inline(zone, 0, migratetype, alloc_flags) :
				frame_alloc_inline(zone, order, migratetype, alloc_flags);
}

unsigned long frame_alloc_bulk(struct zone *zone, unsigned int migratetype, unsigned int alloc_flags,
			       unsigned long nr, unsigned long *pfns)
{
	unsigned long done = 0;

	while (done < nr) {
		unsigned long flags;
		struct cpu_local *cpu = cpu_section_begin(&flags);
		struct cpu_pages *cp = cpu_pages_of(zone, cpu);
		struct frame_row *row = &cp->rows[migratetype][0];

		if (!(alloc_flags & ALLOC_NO_PCP) && caches_usable(zone, cpu, cp)) {
			u64 heads = row->heads;

			for (; heads && done < nr; heads &= heads - 1)
				pfns[done++] = row->base + lowest_bit(heads);
			store_relaxed_u64(&row->heads, heads);
		}
		cpu_section_end(cpu, flags);
		if (done < nr) {
			pfns[done] = frame_alloc(zone, 0, migratetype, alloc_flags);
			if (pfns[done] == PFN_NONE)
				break;
			done++;
		}
	}
	return done;
}

/* ---- Free ---- */

static bool free_whole(struct zone *zone, struct cpu_pages *cp, unsigned long pfn)
{
	for (unsigned int i = 0; i < cp->nr_whole; i++)
		if (cp->whole[i] == pfn)
			return false;
	if (cp->nr_whole >= zone->frames.whole_max)
		give_whole(zone, cp, zone->frames.whole_max / 2);
	cp->whole[cp->nr_whole] = pfn;
	store_relaxed(&cp->nr_whole, cp->nr_whole + 1);
	return true;
}

/*
 * Frames of a nearly used up block may be allocated again at once, without a visit to the block: it is in the
 * class that the index would choose first anyway, so contiguity loses nothing. The block is only looked at, not
 * locked: what it says decides about speed alone.
 */
static void slot_to_row(struct zone *zone, struct cpu_pages *cp, struct free_slot *slot, unsigned int order)
{
	unsigned long base = slot->row << ROW_ORDER;
	const struct pageblock *b = pageblock_of(zone, base);
	struct frame_row *row;
	unsigned int type;
	u64 heads;

	if (!slot->mask || load_relaxed(&b->nr_free) >= BLOCK_FRAMES / 16)
		return;
	type = pageblock_type(b);
	if (type >= MIGRATE_PCPTYPES || cp->rows[type][order].heads)
		return;
	row = &cp->rows[type][order];
	heads = row_heads(slot->mask, order);
	store_relaxed_u64(&slot->mask, slot->mask & ~heads_frames(heads, order));
	row->base = base;
	store_relaxed_u64(&row->heads, heads);
	add_count(&cp->slot_frames, (unsigned long)count_bits(heads) << order);
	count_row(cp, heads, order);
	cp->row_filter |= 1ull << slot->row % 64;
}

/* In a zone too small for slots. */
static noinline bool free_past_slots(struct zone *zone, struct cpu_pages *cp, unsigned long pfn, unsigned int order)
{
	bool given = blocks_give_run(zone, pfn, order);

	if (given)
		add_count(&cp->slot_frames, 1ul << order);
	return given;
}

/* Into the slot of its row, whose former row goes back to its block. */
static bool free_to_slot(struct zone *zone, struct cpu_pages *cp, unsigned long pfn, unsigned int order)
{
	struct free_slot *slot = slot_of(zone, cp, pfn);
	u64 mask = run_mask(pfn, order);

	if (slot->row != pfn >> ROW_ORDER) {
		if (rows_are_limited(zone) && !zone->frames.rows_max)
			return free_past_slots(zone, cp, pfn, order);
		/* In a small zone the slot's frames go back rather than those of rows. */
		if (!rows_are_limited(zone) || rows_frames(cp) + ROW_FRAMES <= zone->frames.rows_max)
			slot_to_row(zone, cp, slot, order);
		if (slot->mask == ~0ull) /* a sequence: its other rows are complete too, or nearly */
			flush_block(zone, cp, slot->row);
		else
			flush_slot(zone, cp, slot);
		slot->row = pfn >> ROW_ORDER;
	}
	if ((slot->mask | frames_in_rows(cp, slot->row)) & mask)
		return false;
	store_relaxed_u64(&slot->mask, slot->mask | mask);
	return true;
}

bool frame_free_slow(struct zone *zone, unsigned long pfn, unsigned int order, struct cpu_local *cpu,
		     unsigned long flags)
{
	struct cpu_pages *cp = cpu_pages_of(zone, cpu);
	struct pageblock *b = pageblock_of(zone, pfn);
	bool ok = false;

	if (b && pageblock_of(zone, pfn + (1ul << order) - 1) && IS_ALIGNED(pfn, 1ul << order)) {
		bool usable = caches_usable(zone, cpu, cp);

		if (usable && order < ROW_ORDERS)
			ok = free_to_slot(zone, cp, pfn, order);
		else if (usable && order == PAGEBLOCK_ORDER && zone->frames.whole_max &&
			 pageblock_type(b) == MIGRATE_MOVABLE)
			ok = free_whole(zone, cp, pfn);
		else
			ok = blocks_give_run(zone, pfn, order);
		if (ok && !(usable && order < ROW_ORDERS))
			count_direct_free(cp, order, usable);
	}
	cpu_section_end(cpu, flags);
	return ok;
}

bool frame_free(struct zone *zone, unsigned long pfn, unsigned int order)
{
	return likely(!order) ? frame_free_inline(zone, pfn, 0) : frame_free_inline(zone, pfn, order);
}

/* ---- Draining ---- */

void frames_drain_cpu(struct zone *zone)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	struct cpu_pages *cp = cpu_pages_of(zone, cpu);

	if (caches_usable(zone, cpu, cp))
		drain(zone, cpu->cpu, cp);
	cpu_section_end(cpu, flags);
}

static u32 drain_busy __memsys;

/* The others' caches, with their owners kept out: see "Locking" in frames.c. */
static void drain_others(struct zone *zone)
{
	unsigned int self = smp_processor_id();
	bool reached;

	for_each_possible_cpu(cpu)
		if (cpu != self && cpu_locals[cpu] && cpu_locals[cpu]->pages)
			(void)atomic_cmpxchg(&cpu_pages_of(zone, cpu_locals[cpu])->drain, DRAIN_NONE, DRAIN_BY_OTHER);
	reached = !port_cpu_call(PORT_CPU_OTHERS, NULL, NULL);
	for_each_possible_cpu(cpu) {
		struct cpu_local *other = cpu_locals[cpu];
		struct cpu_pages *cp;

		if (cpu == self || !other || !other->pages)
			continue;
		cp = cpu_pages_of(zone, other);
		if (!reached && load_relaxed(&other->online)) {
			store_release(&cp->drain, DRAIN_BY_OWNER);
			continue;
		}
		while (load_acquire(&other->depth))
			port_cpu_relax();
		drain(zone, cpu, cp);
		store_release(&cp->drain, DRAIN_NONE);
	}
}

void frames_drain_all(struct zone *zone)
{
	frames_drain_cpu(zone);
	/* Not a spinlock: interrupts stay on, because port_cpu_call() wants them. */
	while (atomic_xchg(&drain_busy, 1))
		port_cpu_relax();
	drain_others(zone);
	store_release(&drain_busy, 0);
}

/* ---- Looking ---- */

unsigned int cpu_pages_count(struct zone *zone, unsigned int cpu)
{
	struct cpu_pages *cp;
	unsigned int n;

	if (cpu >= nr_cpu_ids || !cpu_locals[cpu] || !cpu_locals[cpu]->pages)
		return 0;
	cp = cpu_pages_of(zone, cpu_locals[cpu]);
	n = rows_frames(cp);
	for (unsigned int i = 0; i < FREE_SLOTS_MAX; i++)
		n += count_bits(load_relaxed_u64(&cp->slots[i].mask));
	return n + load_relaxed(&cp->nr_whole) * BLOCK_FRAMES;
}

struct frame_events cpu_pages_events(struct zone *zone, unsigned int cpu)
{
	struct frame_events events = { 0 };
	struct cpu_pages *cp;

	if (cpu >= nr_cpu_ids || !cpu_locals[cpu] || !cpu_locals[cpu]->pages)
		return events;
	cp = cpu_pages_of(zone, cpu_locals[cpu]);
	events.allocs = load_relaxed(&cp->row_runs);
	events.alloc_frames = load_relaxed(&cp->row_frames);
	events.free_frames = load_relaxed(&cp->slot_frames);
	for (unsigned int t = 0; t < ROW_TYPES; t++) {
		for (unsigned int order = 0; order < ROW_ORDERS; order++) {
			unsigned long runs = count_bits(load_relaxed_u64(&cp->rows[t][order].heads));

			events.allocs -= runs;
			events.alloc_frames -= runs << order;
		}
	}
	for (unsigned int i = 0; i < FREE_SLOTS_MAX; i++)
		events.free_frames += count_bits(load_relaxed_u64(&cp->slots[i].mask));
	return events;
}
