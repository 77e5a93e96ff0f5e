// SPDX-License-Identifier: MIT
/* Fault injection for objects: failslab, and the Nth on a CPU. The rules stand in mm/phys/fault_attr.c. */
#include "failslab.h"

#include "../base/part.h"
#include "../boot/params.h"
#include "slab.h"

static struct {
	struct mutex mutex; /* guards which of the two is wanted, and what the heap was told */
	bool armed, hooked;
} use __memsys = { .mutex = MUTEX_INIT };

static bool should_failslab(const struct kmem_cache *cache, gfp_t gfp)
{
	const struct fault_attr *attr = &failslab.attr;

	if (gfp & __GFP_NOFAIL)
		return false;
	if (unlikely(this_cpu()->fault_nth) && fault_nth_is_now(FAIL_NTH_SLAB))
		return true;
	if (!READ_ONCE(use.armed) || (gfp & __GFP_DIRECT_RECLAIM && READ_ONCE(attr->ignore_gfp_reclaim)) ||
	    (READ_ONCE(attr->cache_filter) && !(cache && cache->flags & SLAB_FAILSLAB)))
		return false;
	return fault_should_fail(&failslab, cache ? cache->object_size : (unsigned int)PAGE_SIZE, gfp);
}

static const struct heap_tool failslab_tool = { .fail = should_failslab };

/* The heap asks as long as either way of failing is in use: FI-I2. */
static void hook_locked(void)
{
	bool wanted = use.armed || fault_nth_counts(FAIL_NTH_SLAB);

	if (wanted != use.hooked)
		heap_tool_set(HEAP_TOOL_FAIL, wanted ? &failslab_tool : NULL);
	use.hooked = wanted;
}

static void arm(bool armed)
{
	mutex_lock(&use.mutex);
	WRITE_ONCE(use.armed, armed);
	hook_locked();
	mutex_unlock(&use.mutex);
}

struct fault_point failslab __memsys = {
	.name = "failslab",
	.boot = { FAULT_ATTR_BOOT, .ignore_gfp_reclaim = true },
	.arm = arm,
};

static int failslab_param(const char *value)
{
	return fault_point_parse(&failslab, value);
}
early_param("failslab", failslab_param);

static int start(void)
{
	fault_point_start(&failslab);
	return 0;
}
MM_PART(failslab, .order = MM_PART_FAULT, .init = start);

void failslab_set(const struct fault_attr *attr)
{
	fault_point_set(&failslab, attr);
}

void failslab_get(struct fault_attr *attr)
{
	fault_point_get(&failslab, attr);
}

unsigned int fail_nth_set_among(unsigned int what, unsigned int nth)
{
	unsigned int left = fault_nth_replace(what, nth);

	mutex_lock(&use.mutex);
	hook_locked();
	mutex_unlock(&use.mutex);
	return left;
}
