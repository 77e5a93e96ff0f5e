// SPDX-License-Identifier: MIT
/*
 * Pressure stall information of memory (PSI).
 *
 * Purpose. How much work was lost because memory was short, in time: /proc/pressure/memory.
 *
 * Words. A thread is *stalled* between psi_memstall_enter() and _leave(). *some*: one is. *full*: one is, and nobody
 * does anything else that is of use: no thread runs or is ready to run that is not stalled.
 *
 * Structures. One record: how many are stalled, since when the present state holds, how long each held. It moves when a
 * thread enters or leaves, and when somebody reads. The averages are of periods of 2 s: avg = avg * e + p * (1 - e)
 * with p the part of the period the state held and e = exp(-2 s/window) in 11 bits of fraction. Periods that passed
 * unseen are made up for one by one, up to the number after which nothing is left of what was before; what happened in
 * them is spread over them evenly.
 *
 * Locking. psi.lock, inside of everything but the console; taken by who is about to wait anyway.
 *
 * Differences from Linux. States are not kept by CPU and weighted, but for the machine as a whole; a kernel says how
 * many threads are productive (task_ops.nr_productive), and is asked only at those moments. Without it each CPU that
 * no stalled thread can be thought to occupy is productive. No cgroups, no triggers.
 *
 * Sources. Documentation/accounting/psi.rst; the constants are 2048 * exp(-2/10), exp(-2/60), exp(-2/300).
 */
#include "psi.h"

#include <octavo/port.h>
#include <octavo/reclaim_hook.h>

#include "../sync/cpu.h"
#include "../sync/spinlock.h"
#include "gfp.h"

#define FRACTION_BITS 11
#define ONE (1u << FRACTION_BITS)
#define PERIOD_NS (2 * 1000 * 1000 * 1000ull)
#define PERIODS_MAX 2048u /* after these even the slowest average has forgotten */

static const u32 decay[PSI_WINDOWS] = { 1677, 1981, 2034 };

static struct {
	spinlock_t lock;
	unsigned int stalled;
	u64 since;		      /* ns: the times below hold up to then */
	u64 period_start;	      /* ns */
	u64 total[PSI_STATES];	      /* ns */
	u64 at_period[PSI_STATES];    /* total when the period began */
	u32 avg[PSI_STATES][PSI_WINDOWS]; /* percent, FRACTION_BITS of fraction */
	bool full;		      /* as of the last change */
} psi __memsys = { .lock = { .rank = LOCK_RANK_PSI } };

static bool is_full(void)
{
	int cpus = (int)num_online_cpus(), productive = task_nr_productive();

	if (!psi.stalled)
		return false;
	return productive >= 0 ? !productive : cpus <= (int)psi.stalled;
}

/* One period with @held ns of PERIOD_NS in the state. */
static u32 decayed(u32 avg, u32 e, u64 held)
{
	u32 percent = (u32)(min(held, (u64)PERIOD_NS) / (PERIOD_NS / 100 / ONE));

	return (u32)(((u64)avg * e + (u64)percent * (ONE - e) + ONE - 1) >> FRACTION_BITS);
}

static void end_periods(u64 now)
{
	u64 periods = (now - psi.period_start) / PERIOD_NS;

	if (!periods)
		return;
	for (unsigned int s = 0; s < PSI_STATES; s++) {
		u64 held = (psi.total[s] - psi.at_period[s]) / periods;

		for (unsigned int w = 0; w < PSI_WINDOWS; w++)
			for (u64 i = 0; i < min(periods, (u64)PERIODS_MAX); i++) {
				u32 before = psi.avg[s][w];

				psi.avg[s][w] = held || before > 1 ? decayed(before, decay[w], held) : 0;
				/* Rounding up must not keep what is going down from getting there. */
				if (!held && psi.avg[s][w] >= before && before)
					psi.avg[s][w] = before - 1;
			}
		psi.at_period[s] = psi.total[s];
	}
	psi.period_start += periods * PERIOD_NS;
}

/* What held until now is written down. Locked. */
static void advance(void)
{
	u64 now = port_clock_ns();

	if (now > psi.since) {
		if (psi.stalled)
			psi.total[PSI_MEM_SOME] += now - psi.since;
		if (psi.full)
			psi.total[PSI_MEM_FULL] += now - psi.since;
		psi.since = now;
	}
	end_periods(psi.since);
}

static void change(int by)
{
	unsigned long flags;

	spin_lock_irqsave(&psi.lock, flags);
	advance();
	psi.stalled = (unsigned int)((int)psi.stalled + by);
	psi.full = is_full();
	spin_unlock_irqrestore(&psi.lock, flags);
}

void psi_memstall_enter(unsigned long *was)
{
	*was = scope_memstall_save();
	if (!(*was & PF_MEMSTALL))
		change(1);
}

void psi_memstall_leave(const unsigned long *was)
{
	scope_memstall_restore((unsigned int)*was);
	if (!(*was & PF_MEMSTALL))
		change(-1);
}

void psi_memory(struct psi_figures out[PSI_STATES])
{
	unsigned long flags;

	spin_lock_irqsave(&psi.lock, flags);
	advance();
	psi.full = is_full();
	for (unsigned int s = 0; s < PSI_STATES; s++) {
		out[s].total_us = psi.total[s] / 1000;
		for (unsigned int w = 0; w < PSI_WINDOWS; w++)
			out[s].hundredths[w] = psi.avg[s][w] * 100 / ONE;
	}
	spin_unlock_irqrestore(&psi.lock, flags);
}
