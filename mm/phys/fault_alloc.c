// SPDX-License-Identifier: MIT
/* Fault injection for page allocations: by number on one CPU, and by chance on all. */
#include "fault_alloc.h"

#include <octavo/port.h>

#include "../sync/cpu.h"
#include "page_alloc.h"

static struct {
	spinlock_t lock; /* unranked: held over nothing */
	struct fault_attr attr;
	unsigned int candidates;
} fault __memsys;

void fail_page_alloc_set(const struct fault_attr *attr)
{
	unsigned long flags;

	spin_lock_irqsave(&fault.lock, flags);
	fault.candidates = 0;
	if (attr) {
		fault.attr = *attr;
		atomic_fetch_or(&alloc_hooks, HOOK_FAULT);
	} else {
		atomic_fetch_and(&alloc_hooks, ~HOOK_FAULT);
	}
	spin_unlock_irqrestore(&fault.lock, flags);
	page_alloc_gate();
}

unsigned int fail_nth_set(unsigned int nth)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	unsigned int left = cpu->fault_nth;

	cpu->fault_nth = nth;
	cpu_section_end(cpu, flags);
	page_alloc_gate();
	return left;
}

static bool nth_is_now(void)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	bool now = cpu->fault_nth && --cpu->fault_nth == 0;

	cpu_section_end(cpu, flags);
	if (now)
		page_alloc_gate();
	return now;
}

static bool chance_says_fail(gfp_t gfp, unsigned int order)
{
	struct fault_attr *attr = &fault.attr;

	if (order < attr->min_order || (attr->ignore_gfp_highmem && gfp & __GFP_HIGHMEM) ||
	    (attr->ignore_gfp_reclaim && gfp & __GFP_DIRECT_RECLAIM) || !attr->times)
		return false;
	if (attr->space > 1u << order) {
		attr->space -= 1u << order;
		return false;
	}
	attr->space = 0;
	if (attr->interval > 1 && ++fault.candidates % attr->interval)
		return false;
	if (port_random() % 100 >= attr->probability)
		return false;
	if (attr->times > 0)
		attr->times--;
	return true;
}

bool should_fail_alloc_page(gfp_t gfp, unsigned int order)
{
	unsigned long flags;
	bool fail;

	if (gfp & __GFP_NOFAIL)
		return false;
	if (unlikely(this_cpu()->fault_nth) && nth_is_now())
		return true;
	if (likely(!(alloc_hooks & HOOK_FAULT)))
		return false;
	spin_lock_irqsave(&fault.lock, flags);
	fail = chance_says_fail(gfp, order);
	spin_unlock_irqrestore(&fault.lock, flags);
	return fail;
}
