// SPDX-License-Identifier: MIT
/*
 * Fault injection.
 *
 * Purpose
 *	Make allocations fail that would not, by chance or by number, so that the code behind each failure is run.
 *
 * Words
 *	point: a kind of allocation that can fail: pages (fault_alloc.c), objects (mm/slab/failslab.c).
 *	candidate: an allocation that no filter of its point exempts.
 *	armed: a point some of whose allocations may fail; only then is anything looked at at all.
 *
 * Rules, in this order, for a candidate of size s
 *	probability 0, a task that task_filter leaves out, times 0	passes
 *	space > s							passes; space -= s
 *	not the interval-th of those left				passes
 *	probability, from port_random(), so that a seed repeats it	decides
 *	A failure is told as verbose says, and times (unless -1) goes down by one.
 *
 * Invariants
 *	FI-I1  No more than times candidates fail, whatever the number of CPUs.
 *	FI-I2  While no point is armed and no CPU counts to an Nth, the allocators' fast paths are open.
 *
 * Locking
 *	A point's lock guards its attributes and counters. A CPU's fault_nth is its own, changed inside sections.
 *
 * Differences from Linux
 *	An Nth allocation is counted by CPU, not by task, and its failure is not told. There are no filters by place
 *	in the stack (require-start and its kind).
 *
 * Sources: Documentation/fault-injection/fault-injection.rst.
 */
#include "fault_attr.h"

#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/cpu.h"
#include "gfp.h"
#include "page_alloc.h"
#include "page_report.h"

#define TASKS_MAX 32u

static struct {
	spinlock_t lock; /* unranked: held over nothing */
	unsigned int nr; /* (a) */
	long pid[TASKS_MAX];
} tasks __memsys;

/* ---- Tasks ---- */

static unsigned int task_find_locked(long pid)
{
	unsigned int i = 0;

	while (i < tasks.nr && tasks.pid[i] != pid)
		i++;
	return i;
}

int fault_make_it_fail(long pid, bool on)
{
	unsigned long flags;
	unsigned int i;
	int err = 0;

	spin_lock_irqsave(&tasks.lock, flags);
	i = task_find_locked(pid);
	if (on && i == TASKS_MAX)
		err = -ENOSPC;
	else if (on && i == tasks.nr)
		tasks.pid[tasks.nr++] = pid;
	else if (!on && i < tasks.nr)
		tasks.pid[i] = tasks.pid[--tasks.nr];
	spin_unlock_irqrestore(&tasks.lock, flags);
	return err;
}

static bool task_is_to_fail(void)
{
	long pid = current_task_pid();
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&tasks.lock, flags);
	found = task_find_locked(pid) < tasks.nr;
	spin_unlock_irqrestore(&tasks.lock, flags);
	return found;
}

/* ---- Settings ---- */

static const struct fault_attr *attr_locked(struct fault_point *point)
{
	return point->set ? &point->attr : &point->boot;
}

static bool armed_locked(struct fault_point *point)
{
	const struct fault_attr *attr = attr_locked(point);

	return attr->probability && attr->times;
}

void fault_point_set(struct fault_point *point, const struct fault_attr *attr)
{
	unsigned long flags;
	bool armed;

	spin_lock_irqsave(&point->lock, flags);
	point->candidates = point->told = 0;
	point->set = attr != NULL;
	if (attr)
		point->attr = *attr;
	armed = armed_locked(point);
	spin_unlock_irqrestore(&point->lock, flags);
	point->arm(armed);
}

void fault_point_get(struct fault_point *point, struct fault_attr *attr)
{
	unsigned long flags;

	spin_lock_irqsave(&point->lock, flags);
	*attr = *attr_locked(point);
	spin_unlock_irqrestore(&point->lock, flags);
}

void fault_point_change(struct fault_point *point, void (*change)(struct fault_attr *attr, long value), long value)
{
	unsigned long flags;
	bool armed;

	spin_lock_irqsave(&point->lock, flags);
	point->attr = *attr_locked(point);
	point->set = true;
	change(&point->attr, value);
	armed = armed_locked(point);
	spin_unlock_irqrestore(&point->lock, flags);
	point->arm(armed);
}

/* A number from *@text on, the last followed by the end, the others by a comma. */
static bool take_number(const char **text, long *value, bool last)
{
	bool negative = **text == '-', overflow;
	u64 magnitude;
	size_t len;

	*text += negative;
	len = parse_u64(*text, &magnitude, &overflow);
	*text += len;
	if (!len || overflow || magnitude > 0x7fffffff || **text != (last ? 0 : ','))
		return false;
	*text += !last;
	*value = negative ? -(long)magnitude : (long)magnitude;
	return true;
}

int fault_point_parse(struct fault_point *point, const char *value)
{
	long number[4];

	for (unsigned int i = 0; i < ARRAY_SIZE(number); i++) {
		if (!value || !take_number(&value, &number[i], i == ARRAY_SIZE(number) - 1) ||
		    number[i] < (i == 3 ? -1 : 0)) {
			pr_warn("FAULT_INJECTION: failed to parse arguments\n");
			return -EINVAL;
		}
	}
	point->attr = point->boot;
	point->attr.interval = (unsigned int)number[0];
	point->attr.probability = (unsigned int)number[1];
	point->attr.space = (unsigned int)number[2];
	point->attr.times = (int)number[3];
	point->set = true;
	return 0;
}

void fault_point_start(struct fault_point *point)
{
	if (point->set)
		point->arm(armed_locked(point));
}

/* ---- By chance ---- */

/* Is this failure to be told, as far as their rate is concerned? */
static bool may_tell_locked(struct fault_point *point)
{
	const struct fault_attr *attr = &point->attr;
	u64 now;

	if (!attr->verbose_ratelimit_interval_ms)
		return true;
	now = port_clock_ns();
	if (!point->told || now - point->told_from_ns >= (u64)attr->verbose_ratelimit_interval_ms * 1000000) {
		point->told = 0;
		point->told_from_ns = now;
	}
	return point->told++ < attr->verbose_ratelimit_burst;
}

static bool decide_locked(struct fault_point *point, unsigned int size)
{
	struct fault_attr *attr = &point->attr;

	if (!attr->times)
		return false;
	if (attr->space > size) {
		attr->space -= size;
		return false;
	}
	if (attr->interval > 1 && ++point->candidates % attr->interval)
		return false;
	if (port_random() % 100 >= attr->probability)
		return false;
	return true;
}

static void tell(const struct fault_point *point, const struct fault_attr *attr)
{
	pr_warn("FAULT_INJECTION: forcing a failure.\nname %s, interval %u, probability %u, space %u, times %d\n",
		point->name, attr->interval, attr->probability, attr->space, attr->times);
	if (attr->verbose > 1)
		dump_stack();
}

bool fault_should_fail(struct fault_point *point, unsigned int size, gfp_t gfp)
{
	struct fault_attr as_told;
	unsigned long flags;
	bool fail, told = false;

	if (!READ_ONCE(point->attr.probability) ||
	    (READ_ONCE(point->attr.task_filter) && !task_is_to_fail()))
		return false;
	spin_lock_irqsave(&point->lock, flags);
	fail = point->set && decide_locked(point, size);
	if (fail) {
		as_told = point->attr;
		told = as_told.verbose && !(gfp & __GFP_NOWARN) && may_tell_locked(point);
		if (point->attr.times > 0)
			point->attr.times--;
	}
	spin_unlock_irqrestore(&point->lock, flags);
	if (told)
		tell(point, &as_told);
	return fail;
}

/* ---- By number ---- */

bool fault_nth_is_now(unsigned int what)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	bool now = cpu->fault_nth && cpu->fault_what & what && --cpu->fault_nth == 0;

	cpu_section_end(cpu, flags);
	if (now)
		page_alloc_gate();
	return now;
}

unsigned int fault_nth_replace(unsigned int what, unsigned int nth)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	unsigned int left = cpu->fault_nth;

	cpu->fault_what = what;
	cpu->fault_nth = nth;
	cpu_section_end(cpu, flags);
	page_alloc_gate();
	return left;
}

bool fault_nth_counts(unsigned int what)
{
	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && READ_ONCE(cpu_locals[cpu]->fault_nth) &&
		    READ_ONCE(cpu_locals[cpu]->fault_what) & what)
			return true;
	return false;
}

unsigned int fail_nth_set(unsigned int nth)
{
	return fault_nth_replace(FAIL_NTH_PAGE, nth);
}
