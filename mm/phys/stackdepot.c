// SPDX-License-Identifier: MIT
/*
 * The store of call stacks.
 *
 * Purpose
 *	Records of who allocated what need a call stack each, and most are the same few. Each is kept once; a record
 *	holds its handle.
 *
 * Words
 *	pool	32 KiB, filled from the start with stacks one after the other
 *	handle	number of a pool and a place in it, in units of 16 bytes; 0, the place of nothing, is no stack
 *
 * Structures
 *	table: 4096 chains by hash
 *	   |
 *	   v   pool 0                           pool 1
 *	   [hash next depth pc pc pc ..][...][...]   [...][...] room
 *
 * Invariants
 *	SD-I1	equal stacks have equal handles, and what a handle stands for never changes
 *
 * Locking
 *	Stacks are added under the lock and never removed: a handle is read without it. Pages for a pool are taken
 *	outside the lock by those who may allocate; saving takes none, so the page allocator's own hooks may save.
 *
 * Memory use and bounds
 *	A stack of n callers takes 16 bytes and n words; at most 512 pools, 16 MiB; nothing before the first use.
 *
 * What failure does
 *	A stack for which there is no room is not kept, and counted.
 */
#include "stackdepot.h"

#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/spinlock.h"

#define POOL_ORDER 3u
#define POOL_BYTES ((u32)PAGE_SIZE << POOL_ORDER)
#define POOLS_MAX 512u
#define UNIT 16u
#define UNITS (POOL_BYTES / UNIT)
#define CHAINS 4096u /* a power of two */
#define TABLE_ORDER 2u
/* With less room than this a reserve adds a pool: sixteen of the longest stacks. */
#define ROOM_LOW (16u * STACK_BYTES_MAX)
#define STACK_BYTES_MAX (UNIT + STACK_DEPOT_DEPTH * (u32)sizeof(uintptr_t))
octavo_static_assert((u64)POOLS_MAX * UNITS <= 1u << STACK_DEPOT_HANDLE_BITS, "a handle reaches every place");
octavo_static_assert(CHAINS * sizeof(u32) == PAGE_SIZE << TABLE_ORDER, "the table is whole pages");

struct stack {
	u32 hash, next; /* next: handle */
	u32 depth, reserved;
	uintptr_t pc[];
};
octavo_static_assert(sizeof(struct stack) == UNIT, "a stack begins at a unit");

static struct {
	spinlock_t lock;
	u32 *chains;	   /* (a) NULL: not used yet */
	u32 pools_nr;	   /* guarded by the lock */
	u32 pool, used;	   /* the pool that is being filled, bytes used of it */
	unsigned long lost, pages; /* (a) */
	char *pools[POOLS_MAX];
} depot __memsys = { .lock = { .rank = LOCK_RANK_OWNER } };

/* ---- Room ---- */

static bool room_is_low(void)
{
	u32 pools = load_relaxed(&depot.pools_nr), pool = load_relaxed(&depot.pool);

	return pools < POOLS_MAX && pool + 1 >= pools && POOL_BYTES - load_relaxed(&depot.used) < ROOM_LOW;
}

/* The first pool's first unit stays empty: its handle is 0. */
static void add_pool_locked(char *pool)
{
	depot.pools[depot.pools_nr] = pool;
	if (!depot.pools_nr)
		store_relaxed(&depot.used, UNIT);
	store_relaxed(&depot.pools_nr, depot.pools_nr + 1);
}

bool stack_depot_early_init(unsigned int stacks)
{
	u32 pools = DIV_ROUND_UP(stacks, POOL_BYTES / STACK_BYTES_MAX);
	u32 *chains = memblock_alloc(CHAINS * sizeof(*chains), PAGE_SIZE);

	if (!chains)
		return false;
	for (u32 i = 0; i < min(pools, POOLS_MAX); i++) {
		char *pool = memblock_alloc(POOL_BYTES, PAGE_SIZE);

		if (!pool)
			return false;
		add_pool_locked(pool);
	}
	store_release(&depot.chains, chains);
	return true;
}

static void *zeroed_pages(gfp_t gfp, unsigned int order)
{
	return (void *)__get_free_pages((gfp & ~__GFP_HIGHMEM) | __GFP_ZERO | __GFP_NOWARN, order);
}

void stack_depot_reserve(gfp_t gfp)
{
	u32 *chains = NULL;
	char *pool = NULL;
	unsigned long flags;

	if (!load_acquire(&depot.chains))
		chains = zeroed_pages(gfp, TABLE_ORDER);
	if (!load_relaxed(&depot.pools_nr) || room_is_low())
		pool = zeroed_pages(gfp, POOL_ORDER);
	if (!chains && !pool)
		return;
	spin_lock_irqsave(&depot.lock, flags);
	if (pool && (!depot.pools_nr || room_is_low())) {
		add_pool_locked(pool);
		atomic_add_relaxed(&depot.pages, 1ul << POOL_ORDER);
		pool = NULL;
	}
	if (chains && !depot.chains) {
		store_release(&depot.chains, chains);
		atomic_add_relaxed(&depot.pages, 1ul << TABLE_ORDER);
		chains = NULL;
	}
	spin_unlock_irqrestore(&depot.lock, flags);
	if (pool)
		free_pages((uintptr_t)pool, POOL_ORDER);
	if (chains)
		free_pages((uintptr_t)chains, TABLE_ORDER);
}

/* ---- Stacks ---- */

static struct stack *stack_at(u32 handle)
{
	return (struct stack *)(depot.pools[handle / UNITS] + (size_t)(handle % UNITS) * UNIT);
}

static u32 find_locked(u32 hash, const uintptr_t *pc, unsigned int depth)
{
	u32 handle = depot.chains[hash % CHAINS];

	while (handle) {
		const struct stack *s = stack_at(handle);

		if (s->hash == hash && s->depth == depth && !memcmp(s->pc, pc, depth * sizeof(*pc)))
			return handle;
		handle = s->next;
	}
	return 0;
}

static u32 add_locked(u32 hash, const uintptr_t *pc, unsigned int depth)
{
	u32 bytes = ALIGN((u32)(sizeof(struct stack) + depth * sizeof(*pc)), UNIT), handle;
	struct stack *s;

	if (!depot.pools_nr)
		return 0;
	if (bytes > POOL_BYTES - depot.used) {
		if (depot.pool + 1 == depot.pools_nr)
			return 0;
		store_relaxed(&depot.pool, depot.pool + 1);
		store_relaxed(&depot.used, 0);
	}
	handle = depot.pool * UNITS + depot.used / UNIT;
	store_relaxed(&depot.used, depot.used + bytes);
	s = stack_at(handle);
	s->hash = hash;
	s->depth = depth;
	memcpy(s->pc, pc, depth * sizeof(*pc));
	s->next = depot.chains[hash % CHAINS];
	depot.chains[hash % CHAINS] = handle;
	return handle;
}

u32 stack_depot_save(const uintptr_t *pc, unsigned int depth)
{
	u32 hash = 2166136261u, handle; /* FNV-1a, over words */
	unsigned long flags;

	depth = min(depth, STACK_DEPOT_DEPTH);
	if (!depth)
		return 0;
	for (unsigned int i = 0; i < depth; i++)
		hash = (hash ^ (u32)pc[i] ^ (u32)((u64)pc[i] >> 32)) * 16777619u;
	hash ^= hash >> 15;
	if (!load_acquire(&depot.chains)) {
		atomic_add_relaxed(&depot.lost, 1);
		return 0;
	}
	spin_lock_irqsave(&depot.lock, flags);
	handle = find_locked(hash, pc, depth);
	if (!handle)
		handle = add_locked(hash, pc, depth);
	spin_unlock_irqrestore(&depot.lock, flags);
	if (!handle)
		atomic_add_relaxed(&depot.lost, 1);
	return handle;
}

noinline u32 stack_depot_save_current(uintptr_t from)
{
	uintptr_t pc[STACK_DEPOT_DEPTH + 12]; /* the heap's own functions are left out again */
	unsigned int depth = port_backtrace(pc, ARRAY_SIZE(pc)), first = 0;

	while (from && first < depth && pc[first] != from)
		first++;
	if (first == depth)
		first = 0;
	return stack_depot_save(pc + first, depth - first);
}

unsigned int stack_depot_fetch(u32 handle, const uintptr_t **pc)
{
	const struct stack *s;

	if (!handle || handle / UNITS >= load_relaxed(&depot.pools_nr))
		return 0;
	s = stack_at(handle);
	*pc = s->pc;
	return min(s->depth, STACK_DEPOT_DEPTH);
}

unsigned long stack_depot_pages(void)
{
	return load_relaxed(&depot.pages);
}

unsigned long stack_depot_lost(void)
{
	return load_relaxed(&depot.lost);
}

/* ---- Text ---- */

size_t stack_depot_text(char *buf, size_t size, u32 handle)
{
	const uintptr_t *pc;
	unsigned int depth = stack_depot_fetch(handle, &pc);
	size_t len = 0;
	char name[128];

	for (unsigned int i = 0; i < depth; i++) {
		port_symbol(pc[i], name, sizeof(name));
		len += octavo_snprintf(len < size ? buf + len : NULL, len < size ? size - len : 0, " %s\n", name);
	}
	return len;
}

void stack_print(const uintptr_t *pc, unsigned int depth)
{
	char name[128];

	for (unsigned int i = 0; i < depth; i++) {
		port_symbol(pc[i], name, sizeof(name));
		pr_err(" %s\n", name);
	}
}

void stack_depot_print(u32 handle)
{
	const uintptr_t *pc = NULL;
	unsigned int depth = stack_depot_fetch(handle, &pc);

	stack_print(pc, depth);
}
