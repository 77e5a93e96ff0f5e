// SPDX-License-Identifier: MIT
/* Fault injection for page allocations: fail_page_alloc, and the Nth on a CPU. The rules stand in fault_attr.c. */
#include "fault_alloc.h"

#include "../base/part.h"
#include "../boot/params.h"
#include "../sync/cpu.h"
#include "fault_attr.h"
#include "page_alloc.h"

static void arm(bool armed)
{
	if (armed)
		atomic_fetch_or(&alloc_hooks, HOOK_FAULT);
	else
		atomic_fetch_and(&alloc_hooks, ~HOOK_FAULT);
	page_alloc_gate();
}

struct fault_point fail_page_alloc __memsys = {
	.name = "fail_page_alloc",
	.boot = { FAULT_ATTR_BOOT, .min_order = 1, .ignore_gfp_highmem = true, .ignore_gfp_reclaim = true },
	.arm = arm,
};

static int fail_page_alloc_param(const char *value)
{
	return fault_point_parse(&fail_page_alloc, value);
}
early_param("fail_page_alloc", fail_page_alloc_param);

static int start(void)
{
	fault_point_start(&fail_page_alloc);
	return 0;
}
MM_PART(fail_page_alloc, .order = MM_PART_FAULT, .init = start);

void fail_page_alloc_set(const struct fault_attr *attr)
{
	fault_point_set(&fail_page_alloc, attr);
}

void fail_page_alloc_get(struct fault_attr *attr)
{
	fault_point_get(&fail_page_alloc, attr);
}

bool should_fail_alloc_page(gfp_t gfp, unsigned int order)
{
	const struct fault_attr *attr = &fail_page_alloc.attr;

	if (gfp & __GFP_NOFAIL)
		return false;
	if (unlikely(this_cpu()->fault_nth) && fault_nth_is_now(FAIL_NTH_PAGE))
		return true;
	if (likely(!(alloc_hooks & HOOK_FAULT)))
		return false;
	if (order < READ_ONCE(attr->min_order) ||
	    (gfp & __GFP_HIGHMEM && READ_ONCE(attr->ignore_gfp_highmem)) ||
	    (gfp & __GFP_DIRECT_RECLAIM && READ_ONCE(attr->ignore_gfp_reclaim)))
		return false;
	return fault_should_fail(&fail_page_alloc, 1u << order, gfp);
}
