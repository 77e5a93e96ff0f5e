// SPDX-License-Identifier: MIT
/*
 * How much may be dirty, and what becomes of who makes it so. Source: Documentation/admin-guide/sysctl/vm.rst.
 *
 * Above the background limit the flusher (flusher.c) writes; half way to the other one writers begin to pause, and
 * there they wait for it. Without a flusher a writer itself writes, above the background limit what is dirty of its own
 * file, above the other one everybody's, before it goes on. A write through a mapping is held up ahead of the page that
 * it makes dirty next.
 */
#include <octavo/port.h>
#include <octavo/task.h>

#include "../phys/watermark.h"
#include "../sync/trace.h"
#include "filemap.h"

int sysctl_dirty_ratio __memsys = 20, sysctl_dirty_background_ratio __memsys = 10;
unsigned long sysctl_dirty_bytes __memsys, sysctl_dirty_background_bytes __memsys;

/* Pages that files could have: free ones but the reserve, and those that files have. */
static unsigned long dirtyable_pages(void)
{
	unsigned long pages = nr_free_pages(), reserve = READ_ONCE(totalreserve_pages);

	pages -= min(pages, reserve);
	for (int nid = 0; nid < (int)nr_node_ids; nid++)
		if (node_isset(nid, &node_online_map))
			pages += node_page_state(NODE_DATA(nid), NR_INACTIVE_FILE) +
				 node_page_state(NODE_DATA(nid), NR_ACTIVE_FILE);
	return pages;
}

static unsigned long limit_of(unsigned long bytes, int ratio, unsigned long pages)
{
	if (bytes)
		return bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
	/* In bytes of a page, whole: so Linux rounds, and its thresholds in vmstat are to the page. */
	return (unsigned long)((u64)pages * ((u64)(unsigned int)ratio * PAGE_SIZE / 100) / PAGE_SIZE);
}

struct dirty_limits dirty_limits(void)
{
	unsigned long pages = dirtyable_pages();
	struct dirty_limits limits;

	limits.most = limit_of(READ_ONCE(sysctl_dirty_bytes), READ_ONCE(sysctl_dirty_ratio), pages);
	limits.background =
		limit_of(READ_ONCE(sysctl_dirty_background_bytes), READ_ONCE(sysctl_dirty_background_ratio), pages);
	if (limits.background >= limits.most)
		limits.background = limits.most / 2;
	return limits;
}

DEFINE_PER_CPU(unsigned long, dirtied_here);

unsigned long pages_unwritten(void)
{
	return global_node_page_state_pages(NR_FILE_DIRTY) + global_node_page_state_pages(NR_WRITEBACK);
}

/* Between the limits a writer goes free up to half way; from there to the upper one it pauses ever longer. */
static unsigned long free_run(struct dirty_limits limits)
{
	return (limits.background + limits.most) / 2;
}

static bool below_most(void)
{
	return pages_unwritten() <= dirty_limits().most || fatal_signal_pending(current_task());
}

#define PAUSE_MAX_NS 10000000ull

/* The flusher writes, and the writer waits for it. */
static void hold_up(struct dirty_limits limits)
{
	unsigned long now = pages_unwritten(), from = free_run(limits);

	flusher_wake_background();
	if (now > limits.most)
		flusher_wait(below_most);
	else if (now > from)
		port_park(PAUSE_MAX_NS * (now - from) / (limits.most - from + 1) + 1);
}

/* Nobody else does: of its own file first, then everybody's. */
static void write_oneself(struct address_space *mapping, struct dirty_limits limits)
{
	(void)filemap_fdatawrite_range(mapping, 0, ~(u64)0);
	for (mapping = mapping_next(NULL); mapping && pages_unwritten() > limits.most; mapping = mapping_next(mapping))
		(void)filemap_fdatawrite_range(mapping, 0, ~(u64)0);
	if (mapping)
		mapping_leave(mapping);
}

void balance_dirty_pages(struct address_space *mapping)
{
	struct dirty_limits limits = dirty_limits();

	this_cpu_write(dirtied_here, 0);
	trace_event(global_dirty_state, global_node_page_state(NR_FILE_DIRTY), global_node_page_state(NR_WRITEBACK),
		    limits.background, limits.most, limits.most, global_node_page_state(NR_DIRTIED),
		    global_node_page_state(NR_WRITTEN));
	if (!flusher_runs())
		flusher_write_expired();
	if (pages_unwritten() <= limits.background || flusher_is_me())
		return;
	if (flusher_runs())
		hold_up(limits);
	else
		write_oneself(mapping, limits);
}
