// SPDX-License-Identifier: MIT
/*
 * The flusher: the thread that writes dirty folios to their stores.
 *
 * Purpose. What has been written shall reach its store without anybody asking: when it has been dirty for long
 * (vm.dirty_expire_centisecs, looked at every vm.dirty_writeback_centisecs), when too much is dirty (dirty.c), and when
 * memory is short. Writers that are ahead of it wait for it (flusher_wait()).
 *
 * Words. A file is *listed* while it has, or lately had, dirty folios. It is *expired* when the first of them has been
 * dirty for longer than the limit. A *turn* is what is written of one file before it is another one's: at most
 * TURN_FOLIOS, from where the last one ended. A *pass* through a file is turns up to its end.
 *
 * Structures. Two lists through struct address_space, each file on at most one of them:
 *
 *	dirty:	oldest dirtied_when -> ... -> newest	a file comes to the end with its first dirty folio
 *	work:	expired, or wanted otherwise		a turn each, round and round, until the pass ends
 *
 * Invariants.
 *	WB-I1	the files of the list "dirty" are in the order of dirtied_when
 *	WB-I2	a file with a folio tagged dirty is listed, unless the flusher is at it or it is being evicted
 *
 * Locking. all_mappings.lock guards the lists and all that is said here of files; a file's i_pages lock may be held
 * outside of it. The flusher takes a file off its list before it writes, and looks afterwards, under the i_pages lock,
 * whether anything is dirty: if so it lists the file; if not, the next dirty folio is the first, and who makes it lists
 * the file. While it writes it is a visitor (file.c), so the file stays; one that is being evicted is passed over, and
 * its evictor waits for the turn to end.
 *
 * What failure does. An error is the mapping's (mapping_set_error()): the next fsync(2) of each open file says so,
 * once. The folio is clean then, and the flusher does not try again: there is no end of trying on a dead device.
 *
 * Without threads (port_thread_create() says -ENOSYS) the writers do it themselves: balance_dirty_pages().
 *
 * Differences from Linux. One flusher for all devices instead of one for each; transfers are synchronous, so a slow
 * device holds up others. No estimate of bandwidth: pauses grow with what is dirty. No lazytime, so no
 * dirtytime_expire_seconds; no laptop_mode.
 *
 * Sources. Documentation/admin-guide/sysctl/vm.rst, Documentation/filesystems/vfs.rst.
 */
#include <octavo/port.h>
#include <octavo/task.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../sync/kthread.h"
#include "../sync/trace.h"
#include "filemap.h"

int sysctl_dirty_writeback_centisecs __memsys = 500, sysctl_dirty_expire_centisecs __memsys = 3000;

#define TURN_FOLIOS 1024u
#define CENTISEC_NS 10000000ull
#define POLL_NS 100000000ull /* a writer that waits looks again by itself */

enum { UNLISTED, DIRTY, WORK, LISTS };
enum { WANT_ALL = 1, WANT_BACKGROUND = 2, WANT_LOOK = 4 };

struct queue {
	struct address_space *first, *last;
};

static struct {
	struct kthread thread;
	uintptr_t self;		    /* (a) who runs it, for port_thread_self(); 0: nobody */
	u32 wanted;		    /* (a) */
	u32 busy;		    /* (a) without a thread: somebody writes what has expired */
	u64 next_look;		    /* when age is looked at next, ns; the flusher's, or busy's */
	struct queue queue[LISTS];  /* all_mappings.lock */
	bool idle;		    /* the same: nothing was listed when it went to sleep */
	struct wait_queue written;  /* those who wait until less is dirty */
} flusher __memsys;

/* ---- Lists; with all_mappings.lock held ---- */

static void enlist(struct address_space *mapping, u32 list)
{
	struct queue *queue = &flusher.queue[list];

	mapping->wb_next = NULL;
	mapping->wb_prev = queue->last;
	if (queue->last)
		queue->last->wb_next = mapping;
	else
		queue->first = mapping;
	queue->last = mapping;
	store_relaxed(&mapping->wb_list, list);
}

static void unlist(struct address_space *mapping)
{
	struct queue *queue = &flusher.queue[mapping->wb_list];

	if (mapping->wb_next)
		mapping->wb_next->wb_prev = mapping->wb_prev;
	else
		queue->last = mapping->wb_prev;
	if (mapping->wb_prev)
		mapping->wb_prev->wb_next = mapping->wb_next;
	else
		queue->first = mapping->wb_next;
	store_relaxed(&mapping->wb_list, (u32)UNLISTED);
}

void mapping_note_dirty(struct address_space *mapping)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	if (mapping_flag(mapping, AS_EXITING)) /* whoever evicts it takes the folio, too */
		goto unlock;
	if (mapping->wb_list != WORK) {
		if (mapping->wb_list)
			unlist(mapping);
		mapping->dirtied_when = port_clock_ns();
		enlist(mapping, DIRTY);
		if (flusher.idle) {
			flusher.idle = false;
			flusher_interval_changed();
		}
	}
unlock:
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

void mapping_forget_dirty(struct address_space *mapping)
{
	if (mapping->wb_list)
		unlist(mapping);
}

/* ---- A turn ---- */

/* Files that became dirty at @when or before begin a pass. Context: the lists' lock. */
static void begin_passes(u64 when, unsigned int most)
{
	struct address_space *mapping;

	while (most-- && (mapping = flusher.queue[DIRTY].first) != NULL && mapping->dirtied_when <= when) {
		unlist(mapping);
		mapping->writeback_index = 0;
		enlist(mapping, WORK);
	}
}

/*
 * The next one to get a turn, visited and unlisted: of those in a pass, or the oldest that became dirty at @when or
 * before. NULL: none.
 */
static struct address_space *next_turn(u64 when)
{
	struct address_space *mapping;
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	do {
		if (!flusher.queue[WORK].first)
			begin_passes(when, 1);
		mapping = flusher.queue[WORK].first;
		if (mapping)
			unlist(mapping);
	} while (mapping && mapping_flag(mapping, AS_EXITING));
	if (mapping)
		mapping->visitors++;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	return mapping;
}

/* Where a turn ends that begins at @first: index of the last page. *@end: nothing is dirty behind it. */
static unsigned long turn_end(struct address_space *mapping, unsigned long first, bool *end)
{
	unsigned long index = first, last = first, flags = xa_lock_irqsave(&mapping->i_pages);
	unsigned int folios = 0;

	*end = true;
	while (xa_find_tagged(&mapping->i_pages, &index, FILE_INDEX_MAX, PAGECACHE_TAG_DIRTY)) {
		if (folios++ == TURN_FOLIOS) {
			*end = false;
			break;
		}
		index += 1ul << xa_get_order(&mapping->i_pages, index);
		last = index - 1;
		if (index > FILE_INDEX_MAX || !index)
			break;
	}
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return last;
}

static bool has_dirt(struct address_space *mapping)
{
	unsigned long flags = xa_lock_irqsave(&mapping->i_pages);
	bool tagged = xa_tagged(&mapping->i_pages, PAGECACHE_TAG_DIRTY);

	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return tagged;
}

/* Writes a turn of @mapping, which is visited and unlisted; afterwards it is listed again if it is not clean. */
static void take_turn(struct address_space *mapping)
{
	unsigned long first = mapping->writeback_index, last, flags;
	bool end = true, more = false;

	if (has_dirt(mapping) && mapping->a_ops->writepages) {
		last = turn_end(mapping, first, &end);
		mapping->writeback_index = last + 1;
		(void)mapping->a_ops->writepages(mapping, (u64)first << PAGE_SHIFT,
						 ((u64)last << PAGE_SHIFT) + PAGE_SIZE - 1);
		more = has_dirt(mapping);
	}
	spin_lock_irqsave(&all_mappings.lock, flags);
	if (more && mapping->wb_list == UNLISTED && !mapping_flag(mapping, AS_EXITING)) {
		/* At the end of a pass, what is dirty became so meanwhile. */
		if (end)
			mapping->dirtied_when = port_clock_ns();
		enlist(mapping, end ? DIRTY : WORK);
	}
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	mapping_leave(mapping);
}

/* ---- Who waits for it ---- */

static bool ask(void *may_go)
{
	return (*(bool (**)(void))may_go)();
}

void flusher_wait(bool (*may_go)(void))
{
	do
		flusher_wake_background();
	while (!wait_queue_wait(&flusher.written, ask, &may_go, POLL_NS, true) && flusher_runs() &&
	       !fatal_signal_pending(current_task()));
}

/* Between two turns: who may go on now does, and other threads get their chance. */
static void let_others(void)
{
	wake_queue(&flusher.written);
	cond_resched();
}

/* ---- Rounds ---- */

/* What became dirty at @when or before, a pass of each; in turns, so that a large file does not hold up others. */
static void write_older(u64 when)
{
	struct address_space *mapping;
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	begin_passes(when, ~0u);
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	while ((mapping = next_turn(0)) != NULL) {
		take_turn(mapping);
		let_others();
	}
}

static bool too_much(void)
{
	return pages_unwritten() > dirty_limits().background;
}

/* The oldest first, until little enough is dirty, or all that was at @now has had its pass. */
static void write_background(u64 now)
{
	struct address_space *mapping;

	while (too_much() && (mapping = next_turn(now)) != NULL) {
		take_turn(mapping);
		let_others();
	}
}

static u64 interval_ns(void)
{
	return (u64)(unsigned int)READ_ONCE(sysctl_dirty_writeback_centisecs) * CENTISEC_NS;
}

static void write_expired(u64 now)
{
	u64 age = (u64)(unsigned int)READ_ONCE(sysctl_dirty_expire_centisecs) * CENTISEC_NS;

	if (!interval_ns() || now < flusher.next_look)
		return;
	flusher.next_look = now + interval_ns();
	if (now >= age)
		write_older(now - age);
}

void flusher_write_expired(void)
{
	if (atomic_xchg(&flusher.busy, 1u))
		return;
	write_expired(port_clock_ns());
	store_release(&flusher.busy, 0u);
}

/* ---- The thread ---- */

bool flusher_runs(void)
{
	return load_relaxed(&flusher.self) != 0;
}

bool flusher_is_me(void)
{
	return load_relaxed(&flusher.self) == port_thread_self();
}

static void wake(u32 want)
{
	if (load_relaxed(&flusher.wanted) & want)
		return; /* it has been told, and has not begun yet */
	atomic_fetch_or(&flusher.wanted, want);
	kthread_wake(&flusher.thread);
}

void wakeup_flusher_threads(void)
{
	wake(WANT_ALL);
}

void flusher_wake_background(void)
{
	wake(WANT_BACKGROUND);
}

void flusher_interval_changed(void)
{
	wake(WANT_LOOK);
}

/* How long there is nothing to do; 0: until somebody says so. */
static u64 idle_ns(u64 now, bool progress)
{
	unsigned long flags;
	bool idle;

	if (too_much())
		return progress ? 1 : POLL_NS;
	spin_lock_irqsave(&all_mappings.lock, flags);
	flusher.idle = idle = !flusher.queue[DIRTY].first && !flusher.queue[WORK].first;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	if (idle || !interval_ns())
		return 0;
	return flusher.next_look > now ? flusher.next_look - now : 1;
}

u64 flusher_round(void)
{
	unsigned long written = global_node_page_state(NR_WRITTEN);
	u32 wanted = atomic_xchg(&flusher.wanted, 0u);
	u64 now = port_clock_ns(), idle;

	if (wanted & WANT_LOOK)
		flusher.next_look = 0;
	if (wanted & WANT_ALL)
		write_older(now);
	write_expired(now);
	write_background(now);
	wake_queue(&flusher.written);
	written = global_node_page_state(NR_WRITTEN) - written;
	if (written)
		trace_event(writeback_pages_written, written);
	idle = idle_ns(port_clock_ns(), written != 0);
	return load_relaxed(&flusher.wanted) ? 1 : idle;
}

static bool is_wanted(void *arg)
{
	(void)arg;
	return load_relaxed(&flusher.wanted) != 0;
}

static void flusher_main(struct kthread *self, void *arg)
{
	(void)arg;
	store_release(&flusher.self, port_thread_self());
	while (!kthread_should_stop(self)) {
		u64 idle = flusher_round();

		if (idle == 1)
			cond_resched();
		else
			(void)kthread_sleep(self, is_wanted, idle);
	}
	store_release(&flusher.self, (uintptr_t)0);
	wake_queue(&flusher.written);
}

int flusher_start(void)
{
	int err = kthread_start(&flusher.thread, flusher_main, NULL, "flush", NUMA_NO_NODE);

	return err == -EBUSY ? 0 : err;
}

void flusher_stop(void)
{
	kthread_stop(&flusher.thread);
}

static int init(void)
{
	flusher.written = (struct wait_queue)WAIT_QUEUE_INIT;
	return 0;
}

/* Without threads writers write: nothing to tell. */
static void start(void)
{
	(void)flusher_start();
}

void flusher_verify(struct findings *f)
{
	for (const struct address_space *m = flusher.queue[DIRTY].first; m && m->wb_next; m = m->wb_next)
		if (m->dirtied_when > m->wb_next->dirtied_when)
			finding(f, "WB-I1: mapping %u, dirty since %llu, is ahead of %u, since %llu", m->handle,
				(unsigned long long)m->dirtied_when, m->wb_next->handle,
				(unsigned long long)m->wb_next->dirtied_when);
	for (const struct address_space *m = all_mappings.first; m; m = m->all_next)
		if (!m->wb_list && !m->visitors && !mapping_flag(m, AS_EXITING) && m->a_ops->writepages &&
		    xa_tagged(&m->i_pages, PAGECACHE_TAG_DIRTY))
			finding(f, "WB-I2: mapping %u has dirty folios and is not listed", m->handle);
}
MM_PART(flusher, .order = MM_PART_FILES, .init = init, .boot_end = start, .verify = flusher_verify);
