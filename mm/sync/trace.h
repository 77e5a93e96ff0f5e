/* SPDX-License-Identifier: MIT */
/*
 * Trace events: what happened, as small records in a ring of each CPU.
 *
 *	trace_event(mm_vmscan_kswapd_wake, nid, zid, order);
 *
 * costs a load and a branch not taken while the event is off; its arguments are worked out only while it is on. The
 * events, with their fields in order, are in trace_events.h; the files that switch and show them in
 * mm/proc/trace_file.c.
 */
#ifndef MM_SYNC_TRACE_H
#define MM_SYNC_TRACE_H

#include "../base/compiler.h"
#include "trace_events.h"

#define TRACE_ID_OF(group, name, text, ...) TRACE_EVENT_##name,
enum trace_id { TRACE_EVENTS(TRACE_ID_OF) NR_TRACE_EVENTS };

#define TRACE_FIELDS_OF(group, name, text, ...) \
	TRACE_NR_##name = sizeof((const struct trace_field[]){ __VA_ARGS__ }) / sizeof(struct trace_field),
enum { TRACE_EVENTS(TRACE_FIELDS_OF) };

#define TRACE_FIELDS_MAX 16u
#define TRACE_STRING 16u

/* (a) not 0: the event is on, and there are rings for it. */
extern u8 trace_on[NR_TRACE_EVENTS];

/**
 * trace_event_enabled - is it on? For what has to be counted for an event only
 * @name: as in trace_events.h
 */
#define trace_event_enabled(name) unlikely(READ_ONCE(trace_on[TRACE_EVENT_##name]))

/**
 * trace_event - fire an event
 * @name: as in trace_events.h
 * The rest are the event's fields: integers of any type; pointers and strings (which are copied, up to 15 characters)
 * by trace_pointer(). Context: any, under any lock; allocates nothing, waits for nobody but a reader of this CPU's
 * ring.
 */
#define trace_event(name, ...)                                                                                    \
	do {                                                                                                      \
		octavo_static_assert(sizeof((u64[]){ __VA_ARGS__ }) == 8 * TRACE_NR_##name,                        \
				     "as many arguments as the event has fields");                                \
		if (trace_event_enabled(name))                                                                    \
			trace_write(TRACE_EVENT_##name, (const u64[]){ __VA_ARGS__ });                            \
	} while (0)

static inline u64 trace_pointer(const volatile void *p)
{
	return (uintptr_t)p;
}

__cold void trace_write(enum trace_id id, const u64 *values);

/* ---- The table ---- */

#define TRACE_GROUP_ID(group) TRACE_GROUP_##group,
enum trace_group { TRACE_GROUPS(TRACE_GROUP_ID) NR_TRACE_GROUPS };

struct trace_event_info {
	const char *group, *name, *text;
	enum trace_group group_id;
	const struct trace_field *fields;
	unsigned int fields_nr;
};

extern const struct trace_event_info trace_event_info[NR_TRACE_EVENTS];

/* ---- The rings ---- */

/**
 * struct trace_record - one event, as it is read
 * @when: port_clock_ns()
 * @cpu, @preempt: where, and how deep in preempt_disable()
 * @pid, @comm: the thread
 * @values: a number for each field; of a string the address of its copy in @strings
 */
struct trace_record {
	u64 when;
	u32 cpu;
	s32 pid;
	u16 id;
	u8 preempt;
	char comm[TRACE_STRING];
	u64 values[TRACE_FIELDS_MAX];
	char strings[2][TRACE_STRING];
};

/* The thread that runs, for records: @comm has TRACE_STRING bytes. Any context. */
struct trace_context {
	void (*thread)(s32 *pid, char *comm);
};
void trace_set_context(const struct trace_context *context);

/*
 * A ring of CPU @cpu from @nr pages, two or more, linked by the address at their beginning; NULL: none from now on.
 * Return: the pages it had, linked in the same way, which are the caller's.
 */
void *trace_ring_set(unsigned int cpu, void *pages, unsigned long nr);
unsigned long trace_ring_pages(unsigned int cpu);
/* Records in the ring; those that were ever written; those that had no place. */
void trace_ring_count(unsigned int cpu, unsigned long *entries, unsigned long *written, unsigned long *lost);
/* Everything in it is forgotten. */
void trace_ring_clear(unsigned int cpu);
/* tracing_on: records are taken. */
void trace_ring_switch(bool on);
bool trace_ring_is_on(void);

/*
 * Reading: a ring has one place up to which it was read. From the oldest record on; then one after the other, of CPU
 * @only or of all CPUs (TRACE_ALL) in the order of time. Records that are overwritten meanwhile are not seen.
 * Context: one reader at a time. trace_next() returns false when there is none.
 */
#define TRACE_ALL (~0u)
void trace_rewind(unsigned int only);
bool trace_next(unsigned int only, struct trace_record *record);

#endif
