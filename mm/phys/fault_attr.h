/* SPDX-License-Identifier: MIT */
/* Fault injection: one set of attributes and rules for every kind of allocation. */
#ifndef MM_PHYS_FAULT_ATTR_H
#define MM_PHYS_FAULT_ATTR_H

#include <octavo/fault.h>

#include "../sync/spinlock.h"

/* A kind of allocation that can be made to fail. */
struct fault_point {
	const char *name;
	struct fault_attr boot;	 /* (c) what a reset goes back to */
	void (*arm)(bool armed); /* (c) NULL: nothing to open or shut. Context as the point's setter. */
	spinlock_t lock;	 /* unranked: held over nothing; guards what follows */
	struct fault_attr attr;
	bool set;		 /* attr holds; else boot does */
	unsigned int candidates;
	unsigned int told;	 /* since told_from_ns */
	u64 told_from_ns;
};

/* At boot nothing fails; from then on, one failure that is told with its stack. */
#define FAULT_ATTR_BOOT .interval = 1, .times = 1, .verbose = 2, .verbose_ratelimit_burst = 10

void fault_point_set(struct fault_point *point, const struct fault_attr *attr);
void fault_point_get(struct fault_point *point, struct fault_attr *attr);

/* <interval>,<probability>,<space>,<times>, for a boot parameter: arming comes later. 0 or -EINVAL. */
int fault_point_parse(struct fault_point *point, const char *value);
/* Arm it if a boot parameter says so. */
void fault_point_start(struct fault_point *point);

/* Change one setting, counters going on. */
void fault_point_change(struct fault_point *point, void (*change)(struct fault_attr *attr, long value), long value);

/*
 * fault_should_fail - is a candidate of @size (bytes, or pages) to fail?
 * What the kind itself rules out has been. @gfp: __GFP_NOWARN: do not tell. Any context.
 */
bool fault_should_fail(struct fault_point *point, unsigned int size, gfp_t gfp);

/* Is this the Nth allocation among those of @what? Counts it. Any context. */
bool fault_nth_is_now(unsigned int what);
/* This CPU's next setting. Return: what was left of the one before. */
unsigned int fault_nth_replace(unsigned int what, unsigned int nth);
/* Does any CPU count allocations of @what? */
bool fault_nth_counts(unsigned int what);

extern struct fault_point fail_page_alloc;

#endif
