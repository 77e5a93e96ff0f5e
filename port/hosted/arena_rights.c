// SPDX-License-Identifier: MIT
/*
 * Rights of the process in the direct map. It is mapped for reads and writes from the start; what the page tables
 * take away is kept here, in runs of pages, so that nothing is asked of the host that it already did.
 *
 * Called from flushes, which are interrupts: no memory is allocated. Each run is a mapping of the host's, of which
 * there are not more than vm.max_map_count (65530).
 */
#include <sched.h>
#include <sys/mman.h>

#include <octavo/page.h>

#include "arena.h"

#define FULL (PROT_READ | PROT_WRITE)
#define RUNS_MAX 4096u

struct run {
	u64 start, end;
	int prot;
};

static struct run runs[RUNS_MAX];
static unsigned int nr_runs;
static int runs_lock;

static unsigned long lock(void)
{
	unsigned long flags = port_irq_save();

	while (__atomic_exchange_n(&runs_lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	return flags;
}

static void unlock(unsigned long flags)
{
	__atomic_store_n(&runs_lock, 0, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

static void add(u64 start, u64 end, int prot)
{
	struct run *last = nr_runs ? &runs[nr_runs - 1] : NULL;

	if (start >= end)
		return;
	if (last && last->end == start && last->prot == prot) {
		last->end = end;
		return;
	}
	if (nr_runs == RUNS_MAX)
		port_panic("the direct map is in too many pieces with rights of their own");
	runs[nr_runs++] = (struct run){ start, end, prot };
}

static void host_protect(u64 start, u64 end, int prot)
{
	if (start < end && mprotect(arena.direct + start, (size_t)(end - start), prot))
		port_panic("the host has no more mappings for pages of the direct map with rights of their own");
}

/* KFENCE's shut pages stay so. */
static void protect(u64 start, u64 end, int prot)
{
	u64 first, bytes, at;

	if (!guard_pool(&first, &bytes) || end <= first || start >= first + bytes) {
		host_protect(start, end, prot);
		return;
	}
	for (at = start > first ? start : first; at < end && at < first + bytes; at += PAGE_SIZE) {
		if (!guard_is_shut(arena.direct + at))
			continue;
		host_protect(start, at, prot);
		start = at + PAGE_SIZE;
	}
	host_protect(start, end, prot);
}

static int rights_of(u64 phys, u64 *end)
{
	for (unsigned int i = 0; i < nr_runs; i++) {
		if (phys >= runs[i].start && phys < runs[i].end) {
			*end = runs[i].end < *end ? runs[i].end : *end;
			return runs[i].prot;
		}
		if (runs[i].start > phys && runs[i].start < *end)
			*end = runs[i].start;
	}
	return FULL;
}

/* What of [@start, @end) is in runs goes from them; what is left of a run on either side stays. */
static void cut(u64 start, u64 end)
{
	unsigned int n = nr_runs;

	for (unsigned int i = 0; i < n; i++) {
		struct run r = runs[i];

		if (r.end <= start || r.start >= end)
			continue;
		runs[i].end = r.start < start ? start : r.start;
		if (r.end > end)
			add(end, r.end, r.prot);
	}
	n = 0;
	for (unsigned int i = 0; i < nr_runs; i++)
		if (runs[i].start < runs[i].end)
			runs[n++] = runs[i];
	nr_runs = n;
}

static void set_rights(u64 start, u64 end, int prot)
{
	bool differ = false;

	for (u64 at = start, stop; at < end; at = stop) {
		stop = end;
		if (rights_of(at, &stop) == prot)
			continue;
		protect(at, stop, prot);
		differ = true;
	}
	if (!differ)
		return;
	cut(start, end);
	if (prot != FULL)
		add(start, end, prot);
}

void arena_direct_rights(u64 phys, u64 bytes, int prot)
{
	unsigned long flags;

	if (prot == FULL && !__atomic_load_n(&nr_runs, __ATOMIC_RELAXED))
		return;
	flags = lock();
	for (unsigned int i = 0; i < arena.nr; i++) {
		const struct range *r = &arena.ranges[i];
		u64 first = r->start > phys ? r->start : phys, last = r->end < phys + bytes ? r->end : phys + bytes;

		if (r->direct && first < last)
			set_rights(first, last, prot);
	}
	unlock(flags);
}

void rights_reset(void)
{
	for (unsigned int i = 0; i < nr_runs; i++)
		host_protect(runs[i].start, runs[i].end, FULL);
	nr_runs = 0;
}

bool arena_direct_range(unsigned int number, u64 *start, u64 *bytes)
{
	const struct range *r = number < arena.nr ? &arena.ranges[number] : NULL;

	if (!r || !r->direct)
		return false;
	*start = r->start;
	*bytes = r->end - r->start;
	return true;
}
