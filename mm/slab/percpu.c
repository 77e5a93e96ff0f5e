// SPDX-License-Identifier: MIT
/*
 * The allocator of per-CPU areas.
 *
 * Purpose. Counters, caches and statistics of which each CPU has its own, made and given up while the machine runs. One
 * area is one allocation: its copies on all possible CPUs come and go together.
 *
 * Words. A *unit* is one CPU's memory of one chunk, a *chunk* the units of all possible CPUs. A *granule* is 4 bytes,
 * the step of allocation. An *area* is a run of granules, the same in each unit. The *first chunk* has its units
 * beside the static variables (percpu_unit.h); *later* chunks have units of 32 KiB from the page allocator, on each
 * CPU's node.
 *
 * Structures.
 *	per-CPU pointer		below OCTAVO_PERCPU_LATER: the address of CPU 0's copy in the section octavo_percpu;
 *				CPU n's is cpu_local.percpu further
 *				from there on: chunk 1 + distance / 32 KiB, whose unit for a CPU is in its later[]
 *	percpu.slot[s] -> chunk -> chunk	by free granules, fullest first in the search
 *	chunk.taken	1 1 1 1 0 0 1 1 1 0
 *	chunk.begins	1 0 1 0 0 0 1 0 0 0	areas of 2, 2 and 3 granules
 *
 *	Why not one stretch with equally spaced units: it would need nr_cpu_ids * 32 KiB in one piece, of one node. A
 *	table of units costs this_cpu_ptr() one load, and lets each unit lie where its CPU is.
 *
 * Invariants.
 *	PC-I1: chunk.free is the number of granules that are not taken.
 *	PC-I2: each taken granule belongs to the area that begins at or ahead of it; only taken ones begin an area.
 *	PC-I3: no free run is longer than chunk.bound; no granule is free in a word ahead of chunk.first.
 *	PC-I4: each chunk is in percpu.chunks at its index and on the list of its slot, and on no other.
 *	PC-I5: each possible CPU has a unit of each later chunk, and no two chunks share one.
 *	PC-I6: at most one later chunk has no areas, and percpu.nr_empty says so.
 *	PC-I7: areas and their granules add up to percpu.areas and percpu.used.
 *
 * Locking. percpu.lock guards bits, lists and counts; whoever holds it does nothing else. The mutex lets one thread at
 * a time make a chunk; pages are allocated and freed outside of the lock. An area's copies are cleared after the lock
 * is released: they are the caller's by then. Copies of a CPU nobody has looked at yet are cleared when someone does.
 *
 * Memory use and bounds. Per possible CPU: the first chunk, PERCPU_ROOM and the variables, in whole pages; 32 KiB a
 * later chunk. Per chunk one page for the bits (two bits a granule). One later chunk without areas is kept, so that
 * areas may come and go at its edge, and for requests that cannot wait. PERCPU_LATER_MAX chunks at most: 8 MiB a CPU.
 * Slot lists and bound let a search skip chunks that cannot serve it.
 *
 * What failure does. NULL, and unless __GFP_NOWARN the first ten times a line that says what was asked and why. A free
 * of what is no area is reported, counted in percpu.errors, and changes nothing.
 *
 * Differences from Linux. No reserved chunk (there are no modules) and no population by the page: a later chunk has all
 * its pages. Only embedding: percpu_alloc=page is refused. Chunks are given back at once, not by a worker; none is made
 * ahead for requests that cannot wait, other than the one kept. Pointers to later chunks are no addresses: following
 * one without the macros faults.
 *
 * Sources. Documentation/core-api/this_cpu_ops.rst, Documentation/admin-guide/kernel-parameters.txt (percpu_alloc).
 */
#include "percpu.h"

#include <octavo/memblock.h>
#include <octavo/numa.h>
#include <octavo/page.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"

/* Order of a later chunk's unit, and how often failures are reported. */
#define UNIT_ORDER 3
#define REPORTS_MAX 10u

octavo_static_assert(PERCPU_UNIT_SIZE == PAGE_SIZE << UNIT_ORDER, "a unit is a block of pages");
octavo_static_assert(PERCPU_UNIT_SIZE == PCPU_MIN_UNIT_SIZE, "what the header promises");
octavo_static_assert(sizeof(struct percpu_chunk) <= PAGE_SIZE, "a later chunk's bits are in a page of their own");
octavo_static_assert(PERCPU_ROOM / GRANULE <= CHUNK_GRANULES, "the first chunk's bits");

struct percpu percpu __memsys = { .lock = { .rank = LOCK_RANK_PERCPU }, .mutex = MUTEX_INIT };

static int percpu_alloc_param(const char *value)
{
	if (value && !strcmp(value, "embed"))
		return 0;
	pr_warn("PERCPU: allocator %s is not one that there is, embed is used\n", value ? value : "(none)");
	return 0;
}
early_param("percpu_alloc", percpu_alloc_param);

static int percpu_init(void)
{
	u32 phase = (u32)((uintptr_t)octavo_percpu_unit.room % PAGE_SIZE / GRANULE);

	for (unsigned int i = 0; i < PERCPU_SLOTS; i++)
		INIT_LIST_HEAD(&percpu.slot[i]);
	chunk_init(&percpu.first, 0, PERCPU_ROOM / GRANULE, phase);
	percpu.chunks[0] = &percpu.first;
	list_add(&percpu.first.list, &percpu.slot[percpu_slot(&percpu.first)]);
	return 0;
}

MM_PART(percpu, .order = MM_PART_PERCPU, .init = percpu_init);

void percpu_tool_set(const struct percpu_tool *tool)
{
	store_release(&percpu.tool, tool);
}

/* ---- Pointers ---- */

static void *pointer_of(const struct percpu_chunk *chunk, u32 granule)
{
	size_t offset = granule * GRANULE;

	if (!chunk->index)
		return octavo_percpu_unit.room + offset;
	return (void *)(OCTAVO_PERCPU_LATER + (chunk->index - 1) * PERCPU_UNIT_SIZE + offset);
}

/* The chunk a pointer is of, and its granule; NULL: none. percpu.lock is held. */
static struct percpu_chunk *chunk_of(const void *p, u32 *granule)
{
	uintptr_t offset = (uintptr_t)p - (uintptr_t)octavo_percpu_unit.room;
	struct percpu_chunk *chunk = percpu.chunks[0];

	if ((uintptr_t)p >= OCTAVO_PERCPU_LATER) {
		offset = (uintptr_t)p - OCTAVO_PERCPU_LATER;
		if (offset >= PERCPU_LATER_MAX * PERCPU_UNIT_SIZE)
			return NULL;
		chunk = percpu.chunks[1 + offset / PERCPU_UNIT_SIZE];
		offset %= PERCPU_UNIT_SIZE;
	}
	if (!chunk || chunk == CHUNK_LEAVING || offset % GRANULE || offset / GRANULE >= chunk->granules)
		return NULL;
	*granule = (u32)(offset / GRANULE);
	return chunk;
}

/* ---- Chunks ---- */

/* Its free granules changed, or it is new. */
static void place(struct percpu_chunk *chunk, unsigned int from)
{
	unsigned int slot = percpu_slot(chunk);

	if (slot == from)
		return;
	if (from < PERCPU_SLOTS)
		list_del(&chunk->list);
	list_add(&chunk->list, &percpu.slot[slot]);
	percpu.nr_empty += (slot == PERCPU_EMPTY_SLOT) - (from == PERCPU_EMPTY_SLOT);
}

static void free_units(u32 index, unsigned int cpus)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		if (cpu_locals[cpu])
			free_pages(percpu_unit_of(cpu)->later[index - 1], UNIT_ORDER);
}

/* Off the lists already. */
static void chunk_destroy(struct percpu_chunk *chunk)
{
	free_units(chunk->index, nr_cpu_ids);
	free_pages((uintptr_t)chunk, 0);
}

static bool alloc_units(u32 index, gfp_t gfp)
{
	for_each_possible_cpu(cpu) {
		struct page *page;

		if (!cpu_locals[cpu])
			continue;
		page = alloc_pages_node(cpu_locals[cpu]->node, gfp, UNIT_ORDER);
		if (!page) {
			free_units(index, cpu);
			return false;
		}
		percpu_unit_of(cpu)->later[index - 1] = (uintptr_t)page_address(page);
	}
	return true;
}

/* The mutex is held: numbers are taken only here. */
static struct percpu_chunk *chunk_create(gfp_t gfp)
{
	struct percpu_chunk *chunk;
	unsigned long flags;
	u32 index = 1;

	/* Nobody is killed for memory that is wanted on every possible CPU at once. */
	gfp = (gfp & (GFP_KERNEL | __GFP_NORETRY)) | __GFP_NOWARN | __GFP_NORETRY;
	while (index <= PERCPU_LATER_MAX && load_acquire(&percpu.chunks[index]))
		index++;
	if (index > PERCPU_LATER_MAX)
		return NULL;
	chunk = (struct percpu_chunk *)__get_free_pages(gfp, 0);
	if (!chunk)
		return NULL;
	if (!alloc_units(index, gfp)) {
		free_pages((uintptr_t)chunk, 0);
		return NULL;
	}
	percpu_later_open(index - 1);
	chunk_init(chunk, index, CHUNK_GRANULES, 0);
	spin_lock_irqsave(&percpu.lock, flags);
	percpu.chunks[index] = chunk;
	percpu.nr_later++;
	place(chunk, PERCPU_SLOTS);
	spin_unlock_irqrestore(&percpu.lock, flags);
	return chunk;
}

/* ---- Areas ---- */

struct request {
	size_t size, align;
	u32 granules, step;
};

static void *take_from(struct percpu_chunk *chunk, const struct request *r)
{
	unsigned int slot = percpu_slot(chunk);
	u32 start = chunk->free >= r->granules ? chunk_find(chunk, r->granules, r->step) : CHUNK_NONE;

	if (start == CHUNK_NONE)
		return NULL;
	chunk_take(chunk, start, r->granules);
	place(chunk, slot);
	percpu.areas++;
	percpu.used += r->granules;
	return pointer_of(chunk, start);
}

/* The fullest chunk that can; the empty one last. */
static void *take_area(const struct request *r)
{
	struct percpu_chunk *chunk;
	unsigned long flags;
	void *p = NULL;

	spin_lock_irqsave(&percpu.lock, flags);
	for (unsigned int slot = fls64(r->granules); slot < PERCPU_SLOTS && !p; slot++)
		list_for_each_entry(chunk, &percpu.slot[slot], list) {
			p = take_from(chunk, r);
			if (p)
				break;
		}
	spin_unlock_irqrestore(&percpu.lock, flags);
	return p;
}

static void *take_from_new(const struct request *r, gfp_t gfp)
{
	void *p;

	mutex_lock(&percpu.mutex);
	for (p = take_area(r); !p; p = take_area(r))
		if (!chunk_create(gfp))
			break;
	mutex_unlock(&percpu.mutex);
	return p;
}

static void clear(void *p, size_t bytes)
{
	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && percpu_is_ready(cpu))
			memset(octavo_per_cpu_ptr(p, cpu), 0, bytes);
}

__cold static void report_failure(const struct request *r, bool atomic)
{
	unsigned int nr = atomic_fetch_add(&percpu.warned, 1);

	if (nr < REPORTS_MAX)
		pr_warn("percpu: allocation failed, size=%zu align=%zu atomic=%d, %s\n", r->size, r->align, atomic,
			atomic ? "atomic alloc failed, no space left" : "failed to allocate new chunk");
	if (nr + 1 == REPORTS_MAX)
		pr_info("percpu: limit reached, disable warning\n");
}

void *__alloc_percpu_gfp(size_t size, size_t align, gfp_t gfp)
{
	struct request r = { .size = size, .align = align };
	bool atomic = (gfp & GFP_KERNEL) != GFP_KERNEL;
	const struct percpu_tool *tool;
	void *p;

	if (!size || size > PERCPU_UNIT_SIZE || !is_power_of_2(align) || align > PAGE_SIZE) {
		pr_warn("illegal size (%zu) or align (%zu) for percpu allocation\n", size, align);
		return NULL;
	}
	r.granules = (u32)DIV_ROUND_UP(size, GRANULE);
	r.step = (u32)max(align / GRANULE, (size_t)1);
	p = take_area(&r);
	if (!p && !atomic)
		p = take_from_new(&r, gfp);
	if (!p) {
		if (!(gfp & __GFP_NOWARN))
			report_failure(&r, atomic);
		return NULL;
	}
	clear(p, r.granules * GRANULE);
	tool = load_acquire(&percpu.tool);
	if (tool && tool->allocated)
		tool->allocated(p, size, gfp);
	return p;
}

__cold static void report_free(const void *p)
{
	(void)atomic_fetch_add(&percpu.errors, 1);
	pr_err("percpu: free of %p, where no area begins: a wild pointer, or free already\n", p);
}

/* Gives the area back. *@empty: a chunk to be destroyed. */
static bool give_area(void *p, struct percpu_chunk **empty)
{
	struct percpu_chunk *chunk;
	unsigned long flags;
	u32 start = 0, n = 0;

	spin_lock_irqsave(&percpu.lock, flags);
	chunk = chunk_of(p, &start);
	if (chunk)
		n = chunk_area(chunk, start);
	if (n) {
		unsigned int slot = percpu_slot(chunk);

		chunk_give(chunk, start, n);
		percpu.areas--;
		percpu.used -= n;
		place(chunk, slot);
		if (percpu.nr_empty > 1) {
			/* the one that is empty longer goes */
			*empty = list_entry(percpu.slot[PERCPU_EMPTY_SLOT].prev, struct percpu_chunk, list);
			list_del(&(*empty)->list);
			percpu.chunks[(*empty)->index] = CHUNK_LEAVING;
			percpu.nr_empty--;
			percpu.nr_later--;
		}
	}
	spin_unlock_irqrestore(&percpu.lock, flags);
	return n != 0;
}

void free_percpu(void *p)
{
	struct percpu_chunk *empty = NULL;
	const struct percpu_tool *tool = load_acquire(&percpu.tool);

	if (!p)
		return;
	if (tool && tool->freeing)
		tool->freeing(p);
	if (!give_area(p, &empty))
		report_free(p);
	if (empty) {
		u32 index = empty->index;

		percpu_later_close(index - 1);
		chunk_destroy(empty);
		store_release(&percpu.chunks[index], NULL);
	}
}

/* ---- Asked by others ---- */

phys_addr_t per_cpu_ptr_to_phys(const void *addr)
{
	uintptr_t offset = (uintptr_t)addr - (uintptr_t)percpu_unit_start(0);

	if (offset < percpu_unit_bytes() && (uintptr_t)addr - memblock.direct_map >= memblock.direct_map_end)
		return ~(phys_addr_t)0;
	return virt_to_phys(addr);
}

unsigned long percpu_pages(void)
{
	return nr_cpu_ids * (percpu_unit_pages() + ((unsigned long)load_relaxed(&percpu.nr_later) << UNIT_ORDER));
}
