// SPDX-License-Identifier: MIT
/*
 * Lock order, checked in debug builds.
 *
 * Purpose. A deadlock needs two CPUs at the wrong moment; a wrong order is there in any run. Each CPU keeps the
 * ranks of the spinlocks it holds, and taking one that is not above all of them is reported, with where.
 *
 * Invariants. LK-I1: a CPU waits only for a lock whose rank is greater than that of every lock it holds. So the
 * waits cannot form a circle.
 *
 * Locking. Each CPU writes its own list only. An interrupt that comes in the middle of a change leaves the list as
 * it found it: a place is taken before it is filled and emptied before it is given back, and rank 0 orders
 * nothing.
 *
 * What failure does. A line, the locks held and the call chain go to the log, lockdep_reports counts up, and
 * the lock is taken all the same.
 */
#include "lockdep.h"

#include <octavo/port.h>

#include "../base/printk.h"
#include "cpu.h"
#include "spinlock.h"

unsigned int lockdep_reports __memsys;

#ifdef OCTAVO_DEBUG
#define HELD_MAX ((u32)sizeof(((struct cpu_local *)NULL)->held_ranks))

static const char *const rank_names[LOCK_RANK_NR] = {
	[LOCK_RANK_NONE] = "none",	 [LOCK_RANK_HOTPLUG] = "hotplug",     [LOCK_RANK_CMA] = "cma",
	[LOCK_RANK_SYSCTL] = "sysctl",	 [LOCK_RANK_PAGE_WAIT] = "page_wait", [LOCK_RANK_ZONE] = "zone",
	[LOCK_RANK_MEMINIT] = "meminit", [LOCK_RANK_PAGEBLOCK] = "pageblock", [LOCK_RANK_OWNER] = "owner",
	[LOCK_RANK_REPORT] = "report",	 [LOCK_RANK_HEAP_DEBUG] = "heap_debug", [LOCK_RANK_CONSOLE] = "console",
	[LOCK_RANK_PERCPU] = "percpu",	 [LOCK_RANK_COUNTERS] = "counters",   [LOCK_RANK_COUNTER] = "counter",
	[LOCK_RANK_PERCPU_UNIT] = "percpu_unit", [LOCK_RANK_RWSEM] = "rwsem", [LOCK_RANK_USERFAULT] = "userfault",
};

/* Reporting takes the console's lock, which must not be reported on in turn. */
static u32 reporting __memsys;

static const char *rank_name(unsigned int rank)
{
	return rank < LOCK_RANK_NR && rank_names[rank] ? rank_names[rank] : "?";
}

__cold static void report(const struct cpu_local *cpu, const char *what, const void *lock, unsigned int rank)
{
	uintptr_t pc[8];
	unsigned int n;

	if (__atomic_exchange_n(&reporting, 1, __ATOMIC_ACQUIRE))
		return;
	lockdep_reports++;
	printk("lock order: CPU %u %s %s lock (rank %u) at %p\n", cpu->cpu, what, rank_name(rank), rank, lock);
	for (u32 i = 0; i < min(cpu->held_nr, HELD_MAX); i++)
		printk("  holding the %s lock (rank %u)\n", rank_name(cpu->held_ranks[i]), cpu->held_ranks[i]);
	n = port_backtrace(pc, ARRAY_SIZE(pc));
	for (unsigned int i = 0; i < n; i++) {
		char name[128];

		port_symbol(pc[i], name, sizeof(name));
		printk("  from %s\n", name);
	}
	__atomic_store_n(&reporting, 0, __ATOMIC_RELEASE);
}

void lockdep_acquired(const void *lock, unsigned int rank)
{
	struct cpu_local *cpu = this_cpu();
	u32 place = cpu->held_nr;

	if (!rank)
		return;
	if (place >= HELD_MAX) {
		report(cpu, "holds too many locks to take the", lock, rank);
		return;
	}
	WRITE_ONCE(cpu->held_nr, place + 1);
	barrier();
	WRITE_ONCE(cpu->held_ranks[place], (u8)rank);
}

void lockdep_acquire(const void *lock, unsigned int rank)
{
	const struct cpu_local *cpu = this_cpu();
	u8 highest = 0;

	if (!rank)
		return;
	for (u32 i = 0; i < min(cpu->held_nr, HELD_MAX); i++)
		highest = max(highest, cpu->held_ranks[i]);
	if (rank <= highest)
		report(cpu, "takes too late the", lock, rank);
	lockdep_acquired(lock, rank);
}

/* Locks may be released in any order: those above move down. */
void lockdep_release(const void *lock, unsigned int rank)
{
	struct cpu_local *cpu = this_cpu();
	u32 last = cpu->held_nr, place = last;

	if (!rank)
		return;
	while (place && cpu->held_ranks[place - 1] != rank)
		place--;
	if (!place) {
		report(cpu, "releases without holding it the", lock, rank);
		return;
	}
	for (; place < last; place++)
		WRITE_ONCE(cpu->held_ranks[place - 1], cpu->held_ranks[place]);
	WRITE_ONCE(cpu->held_ranks[last - 1], LOCK_RANK_NONE);
	barrier();
	WRITE_ONCE(cpu->held_nr, last - 1);
}
#endif
