// SPDX-License-Identifier: MIT
/*
 * Trace events: the rings of records.
 *
 * Purpose
 *	To tell afterwards, or while it goes on, what reclaim, the OOM killer, compaction and the allocators did, at no
 *	cost worth speaking of while nobody wants to know.
 *
 * Words
 *	event: a kind of occurrence, with a name, a group and fields (trace_events.h).
 *	record: one occurrence: when, who, and a value for each field; a string is copied into it.
 *	ring: a CPU's records, latest last, in pages that are written one after the other; when all are full the oldest
 *	page's records give way, all at once.
 *
 * Structures
 *	            oldest            write
 *	              |                 |
 *	   +-> page -> page -> page -> page -> (empty) -+      page: next, bytes used, records, then records
 *	   +--------------------------------------------+
 *	"oldest" is where records begin; pages behind "write" and before "oldest" are empty. "read" is where the one
 *	reader is: a page, an offset. A page that gives way under the reader takes him to the next one.
 *
 * Invariants
 *	TR-I1	entries == sum of the records of the pages from oldest to write.
 *	TR-I2	written == entries + those that gave way + those that were cleared.
 *	TR-I3	a record lies in one page, its size is a multiple of 8 bytes.
 *
 * Locking
 *	Each ring has a lock (LOCK_RANK_TRACE, last of all), taken with interrupts off by its CPU for each record and by
 *	a reader for each record; so an event may fire anywhere. trace_on[] and the pages are changed by
 *	mm/proc/trace_file.c under a mutex of its own.
 *
 * Memory use and bounds
 *	Nothing until events are switched on: then what buffer_size_kb says for each possible CPU. A record has 40 bytes
 *	and 8 for each field, 16 for a string.
 *
 * What failure does
 *	Without a ring, or with tracing_on 0, records are not taken. What was overwritten is counted.
 *
 * Differences from Linux
 *	Whole values instead of packed fields, so that the format files' offsets are what Linux's would be, and are no
 *	description of this ring: there is no trace_pipe_raw. The thread's name stands in the record. No filters,
 *	triggers or instances.
 *
 * Sources
 *	Documentation/trace/ftrace.rst and events.rst, format files of a running 6.12.
 */
#include "trace.h"

#include <octavo/percpu.h>
#include <octavo/port.h>

#include "../base/string.h"
#include "cpu.h"
#include "percpu_unit.h"
#include "spinlock.h"

#define TRACE_INFO(group_, name_, text_, ...)                                                             \
	{ .group = #group_, .name = #name_, .text = text_, .group_id = TRACE_GROUP_##group_,              \
	  .fields = (const struct trace_field[]){ __VA_ARGS__ }, .fields_nr = TRACE_NR_##name_ },
const struct trace_event_info trace_event_info[NR_TRACE_EVENTS] = { TRACE_EVENTS(TRACE_INFO) };

#define TRACE_FEW_FIELDS(group, name, text, ...) \
	octavo_static_assert(TRACE_NR_##name <= TRACE_FIELDS_MAX, "struct trace_record has room for them");
TRACE_EVENTS(TRACE_FEW_FIELDS)

u8 trace_on[NR_TRACE_EVENTS] __memsys;
static const struct trace_context *trace_context __memsys;
static bool trace_off __memsys; /* (a) tracing_on 0 */

struct trace_page {
	struct trace_page *next;
	u32 used, records;
	char data[];
};
#define DATA_SIZE (PAGE_SIZE - offsetof(struct trace_page, data))

struct record_head {
	u64 when;
	u16 id;
	u16 size;
	s32 pid;
	u8 preempt;
	char comm[TRACE_STRING];
} __aligned(8);

#define RECORD_MAX (sizeof(struct record_head) + 8 * TRACE_FIELDS_MAX + 2 * TRACE_STRING)
octavo_static_assert(4 * RECORD_MAX < DATA_SIZE, "little of a page is left over");

struct trace_ring {
	spinlock_t lock;
	struct trace_page *oldest, *write, *read;
	u32 read_at;
	unsigned long pages, entries, written, lost;
};
static DEFINE_PER_CPU_ALIGNED(struct trace_ring, trace_ring) = { .lock = { .rank = LOCK_RANK_TRACE } };

void trace_set_context(const struct trace_context *context)
{
	store_release(&trace_context, context);
}

/* ---- Writing ---- */

static void page_empty(struct trace_page *page)
{
	page->used = page->records = 0;
}

/* Room for @size bytes in the page that is written; the lock is held. */
static char *ring_room(struct trace_ring *ring, size_t size)
{
	struct trace_page *page = ring->write;

	if (page->used + size > DATA_SIZE) {
		page = page->next;
		if (page == ring->oldest) {
			ring->entries -= page->records;
			ring->lost += page->records;
			ring->oldest = page->next;
			if (ring->read == page) {
				ring->read = page->next;
				ring->read_at = 0;
			}
		}
		page_empty(page);
		ring->write = page;
	}
	page->used += size;
	page->records++;
	ring->entries++;
	ring->written++;
	return page->data + page->used - size;
}

static bool is_string(enum trace_type type)
{
	return type == TRACE_COMM || type == TRACE_TEXT;
}

static size_t record_size(const struct trace_event_info *info)
{
	size_t size = sizeof(struct record_head);

	for (unsigned int i = 0; i < info->fields_nr; i++)
		size += is_string(info->fields[i].type) ? TRACE_STRING : 8;
	return size;
}

void trace_write(enum trace_id id, const u64 *values)
{
	const struct trace_event_info *info = &trace_event_info[id];
	const struct trace_context *context = load_acquire(&trace_context);
	struct record_head head = { .id = (u16)id, .size = (u16)record_size(info) };
	struct trace_ring *ring;
	unsigned long flags;
	char *to;

	if (READ_ONCE(trace_off))
		return;
	flags = port_irq_save();
	ring = this_cpu_ptr(&trace_ring);
	head.when = port_clock_ns();
	head.preempt = (u8)min(this_cpu()->preempt_count, 15u);
	if (context)
		context->thread(&head.pid, head.comm);
	spin_lock(&ring->lock);
	if (ring->write) {
		to = ring_room(ring, head.size);
		memcpy(to, &head, sizeof(head));
		to += sizeof(head);
		for (unsigned int i = 0; i < info->fields_nr; i++) {
			if (is_string(info->fields[i].type)) {
				const char *text = (const char *)(uintptr_t)values[i];

				strscpy(to, text ? text : "(null)", TRACE_STRING);
				to += TRACE_STRING;
			} else {
				memcpy(to, &values[i], 8);
				to += 8;
			}
		}
	}
	spin_unlock(&ring->lock);
	port_irq_restore(flags);
}

/* ---- Memory ---- */

static void ring_reset(struct trace_ring *ring)
{
	struct trace_page *page = ring->write;

	for (unsigned long i = 0; i < ring->pages; i++, page = page->next)
		page_empty(page);
	ring->oldest = ring->read = ring->write;
	ring->read_at = 0;
	ring->entries = ring->written = ring->lost = 0;
}

void *trace_ring_set(unsigned int cpu, void *pages, unsigned long nr)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);
	struct trace_page *was, *last;
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	was = ring->write;
	last = was;
	for (unsigned long i = 1; i < ring->pages; i++)
		last = last->next;
	if (last)
		last->next = NULL;
	ring->write = pages;
	ring->pages = pages ? nr : 0;
	last = pages;
	for (unsigned long i = 1; i < ring->pages; i++)
		last = last->next;
	if (last)
		last->next = pages;
	ring_reset(ring);
	spin_unlock_irqrestore(&ring->lock, flags);
	return was;
}

unsigned long trace_ring_pages(unsigned int cpu)
{
	return READ_ONCE(per_cpu_ptr(&trace_ring, cpu)->pages);
}

void trace_ring_count(unsigned int cpu, unsigned long *entries, unsigned long *written, unsigned long *lost)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	*entries = ring->entries;
	*written = ring->written;
	*lost = ring->lost;
	spin_unlock_irqrestore(&ring->lock, flags);
}

void trace_ring_clear(unsigned int cpu)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	ring_reset(ring);
	spin_unlock_irqrestore(&ring->lock, flags);
}

void trace_ring_switch(bool on)
{
	WRITE_ONCE(trace_off, !on);
}

bool trace_ring_is_on(void)
{
	return !READ_ONCE(trace_off);
}

/* ---- Reading ---- */

/* The first record that was not read; NULL: none. The lock is held. */
static const char *ring_peek(struct trace_ring *ring)
{
	while (ring->read && ring->read_at == ring->read->used) {
		if (ring->read == ring->write)
			return NULL;
		ring->read = ring->read->next;
		ring->read_at = 0;
	}
	return ring->read ? ring->read->data + ring->read_at : NULL;
}

/* When the first record that was not read was written; false: there is none. */
static bool ring_when(unsigned int cpu, u64 *when)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);
	const char *from = NULL;
	unsigned long flags;

	if (!READ_ONCE(ring->pages))
		return false;
	spin_lock_irqsave(&ring->lock, flags);
	from = ring_peek(ring);
	if (from)
		memcpy(when, from, sizeof(*when));
	spin_unlock_irqrestore(&ring->lock, flags);
	return from;
}

static void unpack(const char *from, unsigned int cpu, struct trace_record *record)
{
	const struct trace_event_info *info;
	struct record_head head;
	unsigned int strings = 0;

	memcpy(&head, from, sizeof(head));
	from += sizeof(head);
	*record = (struct trace_record){ .when = head.when, .cpu = cpu, .pid = head.pid, .id = head.id,
					 .preempt = head.preempt };
	memcpy(record->comm, head.comm, TRACE_STRING);
	info = &trace_event_info[head.id];
	for (unsigned int i = 0; i < info->fields_nr; i++) {
		if (is_string(info->fields[i].type)) {
			char *to = record->strings[strings++];

			memcpy(to, from, TRACE_STRING);
			record->values[i] = trace_pointer(to);
			from += TRACE_STRING;
		} else {
			memcpy(&record->values[i], from, 8);
			from += 8;
		}
	}
}

static bool ring_take(unsigned int cpu, struct trace_record *record)
{
	struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);
	struct record_head head;
	unsigned long flags;
	const char *from;

	spin_lock_irqsave(&ring->lock, flags);
	from = ring_peek(ring);
	if (from) {
		unpack(from, cpu, record);
		memcpy(&head, from, sizeof(head));
		ring->read_at += head.size;
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	return from;
}

void trace_rewind(unsigned int only)
{
	unsigned long flags;

	for_each_possible_cpu(cpu) {
		struct trace_ring *ring = per_cpu_ptr(&trace_ring, cpu);

		if (only != TRACE_ALL && only != cpu)
			continue;
		spin_lock_irqsave(&ring->lock, flags);
		ring->read = ring->oldest;
		ring->read_at = 0;
		spin_unlock_irqrestore(&ring->lock, flags);
	}
}

bool trace_next(unsigned int only, struct trace_record *record)
{
	unsigned int first = only;
	u64 earliest = ~(u64)0, when;

	if (only == TRACE_ALL) {
		for_each_possible_cpu(cpu) {
			if (ring_when(cpu, &when) && when < earliest) {
				earliest = when;
				first = cpu;
			}
		}
	}
	return first != TRACE_ALL && ring_take(first, record);
}
