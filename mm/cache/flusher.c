// SPDX-License-Identifier: MIT
/*
 * Flushers: the threads that write dirty folios to their stores.
 *
 * Purpose. What has been written shall reach its store without anybody asking: when it has been dirty for long
 * (vm.dirty_expire_centisecs, looked at every vm.dirty_writeback_centisecs), when too much is dirty (dirty.c), and when
 * memory is short. Writers that are ahead of it wait for it (flusher_wait()). A block device whose pages are cached
 * has a flusher of its own, as transfers wait for their device: a slow one holds up nobody else's. The *common* one has
 * all other files.
 *
 * Words. A file is *listed* while it has, or lately had, dirty folios. It is *expired* when the first of them has been
 * dirty for longer than the limit. A *turn* is what is written of one file before it is another one's: at most
 * TURN_FOLIOS, from where the last one ended. A *pass* through a file is turns up to its end.
 *
 * Structures. Two lists of each flusher through struct address_space, each file on at most one of them:
 *
 *	dirty:	oldest dirtied_when -> ... -> newest	a file comes to the end with its first dirty folio
 *	work:	expired, or wanted otherwise		a turn each, round and round, until the pass ends
 *
 * Invariants.
 *	WB-I1	the files of the list "dirty" are in the order of dirtied_when
 *	WB-I2	a file with a folio tagged dirty is listed, unless its flusher is at it or it is being evicted
 *	WB-I3	a device's flusher is there as long as a mapping of its pages
 *
 * Locking. all_mappings.lock guards the list of flushers, theirs of files and all that is said here of files; a file's
 * i_pages lock may be held outside of it. A flusher takes a file off its list before it writes, and looks afterwards,
 * under the i_pages lock, whether anything is dirty: if so it lists the file; if not, the next dirty folio is the
 * first, and who makes it lists the file. While it writes it is a visitor (file.c), so the file stays; one that is
 * being evicted is passed over, and its evictor waits for the turn to end.
 *
 * What failure does. An error is the mapping's (mapping_set_error()): the next fsync(2) of each open file says so,
 * once. The folio is clean then, and the flusher does not try again: there is no end of trying on a dead device. Pages
 * of a device for whose flusher there is no memory are the common one's.
 *
 * Without threads (port_thread_create() says -ENOSYS) the writers do it themselves: balance_dirty_pages().
 *
 * Differences from Linux. What is dirty is not shared out among devices by how fast they are, and there is no estimate
 * of bandwidth: pauses grow with what is dirty. No lazytime, so no dirtytime_expire_seconds; no laptop_mode.
 *
 * Sources. Documentation/admin-guide/sysctl/vm.rst, Documentation/filesystems/vfs.rst.
 */
#include <octavo/blkdev.h>
#include <octavo/port.h>
#include <octavo/slab.h>
#include <octavo/task.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/printk.h"
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

/* (a) any time, (l) all_mappings.lock, (c) constant */
struct flusher {
	struct kthread thread;
	uintptr_t self;		   /* (a) who runs it, for port_thread_self(); 0: nobody */
	u32 wanted;		   /* (a) */
	u64 next_look;		   /* when age is looked at next, ns; its own, or that of @busy */
	struct queue queue[LISTS]; /* (l) */
	bool idle;		   /* (l) nothing was listed when it went to sleep */
	struct flusher *next;	   /* (l) of all */
	const struct bdev *device; /* (c) NULL: the common one */
	unsigned int mappings;	   /* (l) of the device */
	char name[16];		   /* (c) */
};

static struct flusher common __memsys = { .name = "flush" };
static u32 busy __memsys;		    /* (a) without threads: somebody writes what has expired */
static struct wait_queue written __memsys; /* those who wait until less is dirty */

#define for_each_flusher(f) for (struct flusher *f = &common; f; f = f->next)

static struct flusher *flusher_of(const struct address_space *mapping)
{
	return mapping->flusher ? mapping->flusher : &common;
}

/* Context: any, all_mappings.lock as well. */
static void wake(struct flusher *f, u32 want)
{
	if (load_relaxed(&f->wanted) & want)
		return; /* it has been told, and has not begun yet */
	atomic_fetch_or(&f->wanted, want);
	kthread_wake(&f->thread);
}

/* ---- Lists; with all_mappings.lock held ---- */

static void enlist(struct address_space *mapping, u32 list)
{
	struct queue *queue = &flusher_of(mapping)->queue[list];

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
	struct queue *queue = &flusher_of(mapping)->queue[mapping->wb_list];

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
		if (flusher_of(mapping)->idle) {
			flusher_of(mapping)->idle = false;
			wake(flusher_of(mapping), WANT_LOOK);
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
static void begin_passes(struct flusher *f, u64 when, unsigned int most)
{
	struct address_space *mapping;

	while (most-- && (mapping = f->queue[DIRTY].first) != NULL && mapping->dirtied_when <= when) {
		unlist(mapping);
		mapping->writeback_index = 0;
		enlist(mapping, WORK);
	}
}

/*
 * The next one to get a turn, visited and unlisted: of those in a pass, or the oldest that became dirty at @when or
 * before. NULL: none.
 */
static struct address_space *next_turn(struct flusher *f, u64 when)
{
	struct address_space *mapping;
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	do {
		if (!f->queue[WORK].first)
			begin_passes(f, when, 1);
		mapping = f->queue[WORK].first;
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
	while (!wait_queue_wait(&written, ask, &may_go, POLL_NS, true) && flusher_runs() &&
	       !fatal_signal_pending(current_task()));
}

/* Between two turns: who may go on now does, and other threads get their chance. */
static void let_others(void)
{
	wake_queue(&written);
	cond_resched();
}

/* ---- Rounds ---- */

/* What became dirty at @when or before, a pass of each; in turns, so that a large file does not hold up others. */
static void write_older(struct flusher *f, u64 when)
{
	struct address_space *mapping;
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	begin_passes(f, when, ~0u);
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	while ((mapping = next_turn(f, 0)) != NULL) {
		take_turn(mapping);
		let_others();
	}
}

static bool too_much(void)
{
	return pages_unwritten() > dirty_limits().background;
}

/* The oldest first, until little enough is dirty, or all that was at @now has had its pass. */
static void write_background(struct flusher *f, u64 now)
{
	struct address_space *mapping;

	while (too_much() && (mapping = next_turn(f, now)) != NULL) {
		take_turn(mapping);
		let_others();
	}
}

static u64 interval_ns(void)
{
	return (u64)(unsigned int)READ_ONCE(sysctl_dirty_writeback_centisecs) * CENTISEC_NS;
}

static void write_expired(struct flusher *f, u64 now)
{
	u64 age = (u64)(unsigned int)READ_ONCE(sysctl_dirty_expire_centisecs) * CENTISEC_NS;

	if (!interval_ns() || now < f->next_look)
		return;
	f->next_look = now + interval_ns();
	if (now >= age)
		write_older(f, now - age);
}

void flusher_write_expired(void)
{
	if (atomic_xchg(&busy, 1u))
		return;
	write_expired(&common, port_clock_ns());
	store_release(&busy, 0u);
}

/* ---- The threads ---- */

bool flusher_runs(void)
{
	return load_relaxed(&common.self) != 0;
}

bool flusher_is_me(void)
{
	uintptr_t self = port_thread_self();
	unsigned long flags;
	bool is_me = false;

	spin_lock_irqsave(&all_mappings.lock, flags);
	for_each_flusher (f)
		is_me |= load_relaxed(&f->self) == self;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	return is_me;
}

static void wake_all(u32 want)
{
	unsigned long flags;

	spin_lock_irqsave(&all_mappings.lock, flags);
	for_each_flusher (f)
		wake(f, want);
	spin_unlock_irqrestore(&all_mappings.lock, flags);
}

void wakeup_flusher_threads(void)
{
	wake_all(WANT_ALL);
}

void flusher_wake_background(void)
{
	wake_all(WANT_BACKGROUND);
}

void flusher_interval_changed(void)
{
	wake_all(WANT_LOOK);
}

/* How long there is nothing to do; 0: until somebody says so. */
static u64 idle_ns(struct flusher *f, u64 now, bool progress)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&all_mappings.lock, flags);
	f->idle = idle = !f->queue[DIRTY].first && !f->queue[WORK].first;
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	if (idle)
		return 0;
	if (too_much())
		return progress ? 1 : POLL_NS;
	if (!interval_ns())
		return 0;
	return f->next_look > now ? f->next_look - now : 1;
}

static u64 do_round(struct flusher *f)
{
	unsigned long before = global_node_page_state(NR_WRITTEN);
	u32 wanted = atomic_xchg(&f->wanted, 0u);
	u64 now = port_clock_ns(), idle;

	if (wanted & WANT_LOOK)
		f->next_look = 0;
	if (wanted & WANT_ALL)
		write_older(f, now);
	write_expired(f, now);
	write_background(f, now);
	wake_queue(&written);
	before = global_node_page_state(NR_WRITTEN) - before;
	if (before)
		trace_event(writeback_pages_written, before);
	idle = idle_ns(f, port_clock_ns(), before != 0);
	return load_relaxed(&f->wanted) ? 1 : idle;
}

u64 flusher_round(void)
{
	return do_round(&common);
}

static bool is_wanted(void *arg)
{
	const struct flusher *f = arg;

	return load_relaxed(&f->wanted) != 0;
}

static void flusher_main(struct kthread *self, void *arg)
{
	struct flusher *f = arg;

	store_release(&f->self, port_thread_self());
	while (!kthread_should_stop(self)) {
		u64 idle = do_round(f);

		if (idle == 1)
			cond_resched();
		else
			(void)kthread_sleep(self, is_wanted, idle);
	}
	store_release(&f->self, (uintptr_t)0);
	wake_queue(&written);
}

static int start_thread(struct flusher *f)
{
	int err = kthread_start(&f->thread, flusher_main, f, f->name, NUMA_NO_NODE);

	return err == -EBUSY ? 0 : err;
}

int flusher_start(void)
{
	return start_thread(&common);
}

void flusher_stop(void)
{
	kthread_stop(&common.thread);
}

/* ---- Devices' own ---- */

/* Context: the lock. */
static bool join(struct address_space *mapping, const struct bdev *device)
{
	for_each_flusher (f) {
		if (f->device != device)
			continue;
		f->mappings++;
		mapping->flusher = f;
		return true;
	}
	return false;
}

void flusher_join(struct address_space *mapping, const struct bdev *device)
{
	struct flusher *new = NULL;
	unsigned long flags;
	bool joined;

	do {
		spin_lock_irqsave(&all_mappings.lock, flags);
		joined = join(mapping, device);
		if (!joined && new) {
			new->next = common.next;
			common.next = new;
			joined = join(mapping, device);
			new = NULL;
		}
		spin_unlock_irqrestore(&all_mappings.lock, flags);
		if (joined || !flusher_runs())
			break;
		new = kzalloc(sizeof(*new), GFP_KERNEL | __GFP_NOWARN);
		if (!new)
			break;
		new->device = device;
		octavo_snprintf(new->name, sizeof(new->name), "flush-%u:%u", device->dev >> 20,
				device->dev & ((1u << 20) - 1));
		if (start_thread(new)) {
			kfree(new);
			break;
		}
	} while (true);
	/* Somebody else made one meanwhile. */
	if (unlikely(new && joined)) {
		kthread_stop(&new->thread);
		kfree(new);
	}
}

void flusher_leave(struct address_space *mapping)
{
	struct flusher *f = mapping->flusher, **link;
	unsigned long flags;
	bool last;

	if (!f)
		return;
	mapping->flusher = NULL;
	spin_lock_irqsave(&all_mappings.lock, flags);
	last = !--f->mappings;
	for (link = &common.next; last && *link; link = &(*link)->next)
		if (*link == f) {
			*link = f->next;
			break;
		}
	spin_unlock_irqrestore(&all_mappings.lock, flags);
	if (last) {
		kthread_stop(&f->thread);
		kfree(f);
	}
}

/* ---- Start ---- */

static int init(void)
{
	written = (struct wait_queue)WAIT_QUEUE_INIT;
	return 0;
}

/* Without threads writers write: nothing to tell. */
static void start(void)
{
	(void)flusher_start();
}

static void verify_order(struct findings *f, const struct address_space *m)
{
	for (; m && m->wb_next; m = m->wb_next)
		if (m->dirtied_when > m->wb_next->dirtied_when)
			finding(f, "WB-I1: mapping %u, dirty since %llu, is ahead of %u, since %llu", m->handle,
				(unsigned long long)m->dirtied_when, m->wb_next->handle,
				(unsigned long long)m->wb_next->dirtied_when);
}

void flusher_verify(struct findings *f)
{
	for_each_flusher (flusher) {
		unsigned int mappings = 0;

		verify_order(f, flusher->queue[DIRTY].first);
		for (const struct address_space *m = all_mappings.first; m; m = m->all_next)
			mappings += m->flusher == flusher;
		if (mappings != flusher->mappings)
			finding(f, "WB-I3: %s has %u mappings, and counts %u", flusher->name, mappings,
				flusher->mappings);
	}
	for (const struct address_space *m = all_mappings.first; m; m = m->all_next)
		if (!m->wb_list && !m->visitors && !mapping_flag(m, AS_EXITING) && m->a_ops->writepages &&
		    xa_tagged(&m->i_pages, PAGECACHE_TAG_DIRTY))
			finding(f, "WB-I2: mapping %u has dirty folios and is not listed", m->handle);
}
MM_PART(flusher, .order = MM_PART_FILES, .init = init, .boot_end = start, .verify = flusher_verify);
