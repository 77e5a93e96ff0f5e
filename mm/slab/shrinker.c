// SPDX-License-Identifier: MIT
/*
 * Shrinkers.
 *
 * Purpose
 *	Caches of objects register here; reclaim, drop_caches and debugfs ask them to become smaller. How much each
 *	is asked for follows from its size, what its objects cost to make again, and how badly memory is needed.
 *
 * Words
 *	user: a call of a shrinker under way, and one more as long as it is registered.
 *	deferred: objects that should have been looked at and were not, because the callback could not (GFP_NOFS) or
 *	because less than a batch was due. They add to the next call's share, by node.
 *
 * Structures
 *	shrinkers.list -> entry <-> entry <-> entry		in order of registration
 *	                  users, deferred[node], name
 *	shrinkers.calls -> call (on the stack of who calls: its thread, its entry)
 *
 * Pressure, for a cache of n objects that can be freed, d of them deferred, at priority p
 *	delta = (n >> p) * 4 / seeks		seeks 0: n / 2
 *	scan  = min((d >> p) + delta, 2n)
 *	in batches, as long as a whole batch is due, or as much as the cache holds; what is left of d + delta is
 *	deferred, 2n at most: a cache that refused for long is not emptied at one blow.
 *
 * Invariants
 *	SH-I1  An entry with users is on the list; one without is not, and is freed.
 *	SH-I2  Once shrinker_free() has returned, the callbacks do not run, but for the one it was called from.
 *	SH-I3  A node's deferred work is at most twice what the cache held when it was last asked.
 *
 * Locking
 *	shrinkers.lock guards list, users and calls; it is held over nothing but those. Callbacks run without it: the
 *	user that their caller is keeps the entry, and so the caller's place in the list. shrinker_free() waits,
 *	parked, for the others' calls; a thread finds its own calls in shrinkers.calls.
 *
 * Memory use and bounds
 *	A word a node for each shrinker. A call takes some 100 bytes of stack besides what the callback takes.
 *
 * Differences from Linux
 *	A shrinker may free itself in its callback. One whose callback says that it scanned nothing is left alone
 *	until the next call; Linux would ask again, without end.
 *
 * Sources: Documentation/admin-guide/mm/shrinker_debugfs.rst; the interface's documentation in <linux/shrinker.h>.
 */
#include "shrinker.h"

#include <octavo/numa.h>
#include <octavo/port.h>
#include <octavo/slab.h>
#include <octavo/task.h>

#include "../base/list.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/zone.h"
#include "../sync/spinlock.h"
#include "../sync/trace.h"

/* Legend: (s) shrinkers.lock, (a) atomic, (c) constant. */
struct entry {
	struct list_head list; /* (s) */
	u32 users;	       /* (s) */
	u32 dying;	       /* (a) shrinker_free() has begun */
	bool orphan;	       /* (s) nobody waits: the last user frees it */
	uintptr_t waiter;      /* (s) thread in shrinker_free() */
	u32 id;		       /* (c) from registration on */
	const char *name;      /* (c) */
	struct shrinker shrinker;
	unsigned long deferred[]; /* (a) by node */
};

struct call {
	struct list_head link; /* (s) */
	struct entry *entry;
	uintptr_t thread;
};

static struct {
	spinlock_t lock;
	struct list_head list;	/* (s) of entries */
	struct list_head calls; /* (s) */
	u32 next_id;		/* (s) */
} shrinkers __memsys;

static int shrinkers_init(void)
{
	spin_lock_init(&shrinkers.lock, LOCK_RANK_SHRINKER);
	INIT_LIST_HEAD(&shrinkers.list);
	INIT_LIST_HEAD(&shrinkers.calls);
	return 0;
}
MM_PART(shrinker, .order = MM_PART_SHRINKER, .init = shrinkers_init);

static struct entry *entry_of(struct shrinker *shrinker)
{
	return container_of(shrinker, struct entry, shrinker);
}

/* ---- Making and unmaking ---- */

struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...)
{
	size_t fixed = sizeof(struct entry) + nr_node_ids * sizeof(unsigned long), len;
	struct entry *entry;
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	len = octavo_vsnprintf(NULL, 0, fmt, args);
	entry = kzalloc(fixed + len + 1, GFP_KERNEL);
	if (entry) {
		char *name = (char *)entry + fixed;

		octavo_vsnprintf(name, len + 1, fmt, again);
		entry->name = name;
		entry->shrinker.seeks = DEFAULT_SEEKS;
		entry->shrinker.flags =
			(flags & (SHRINKER_NUMA_AWARE | SHRINKER_NONSLAB)) | SHRINKER_ALLOCATED;
	}
	va_end(again);
	va_end(args);
	return entry ? &entry->shrinker : NULL;
}

void shrinker_register(struct shrinker *shrinker)
{
	struct entry *entry = entry_of(shrinker);
	unsigned long flags;

	if (!(shrinker->flags & SHRINKER_ALLOCATED)) {
		pr_err("shrinker_register: %p was not made by shrinker_alloc()\n", (void *)shrinker);
		return;
	}
	if (!shrinker->count_objects || !shrinker->scan_objects || shrinker->batch < 0 || shrinker->seeks < 0 ||
	    shrinker->flags & SHRINKER_REGISTERED) {
		pr_err("shrinker_register: %s: %s\n", entry->name,
		       shrinker->flags & SHRINKER_REGISTERED ? "is registered" :
		       shrinker->batch < 0 || shrinker->seeks < 0 ? "batch or seeks below 0" : "without callbacks");
		return;
	}
	spin_lock_irqsave(&shrinkers.lock, flags);
	entry->id = shrinkers.next_id++;
	entry->users = 1;
	shrinker->flags |= SHRINKER_REGISTERED;
	list_add_tail(&entry->list, &shrinkers.list);
	spin_unlock_irqrestore(&shrinkers.lock, flags);
}

/* One user less. shrinkers.lock is held, and is not on return. */
static void put_and_unlock(struct entry *entry, unsigned long flags)
{
	uintptr_t waiter = entry->waiter;
	bool last = --entry->users == 0, orphan = entry->orphan;

	if (last)
		list_del(&entry->list);
	spin_unlock_irqrestore(&shrinkers.lock, flags);
	if (last && orphan)
		kfree(entry);
	else if (waiter)
		port_unpark(waiter);
}

/* Calls of @entry that this thread itself is in. */
static u32 own_calls_locked(const struct entry *entry)
{
	uintptr_t self = port_thread_self();
	const struct call *call;
	u32 nr = 0;

	list_for_each_entry(call, &shrinkers.calls, link)
		nr += call->entry == entry && call->thread == self;
	return nr;
}

void shrinker_free(struct shrinker *shrinker)
{
	struct entry *entry;
	unsigned long flags;
	u32 own;

	if (!shrinker)
		return;
	entry = entry_of(shrinker);
	if (!(shrinker->flags & SHRINKER_REGISTERED)) {
		kfree(entry);
		return;
	}
	spin_lock_irqsave(&shrinkers.lock, flags);
	if (entry->dying) {
		spin_unlock_irqrestore(&shrinkers.lock, flags);
		pr_err("shrinker_free: %s: freed twice\n", entry->name);
		return;
	}
	store_relaxed(&entry->dying, 1);
	entry->waiter = port_thread_self();
	own = own_calls_locked(entry);
	/* The one user that registration is stays until the calls of others are over. */
	while (entry->users > own + 1) {
		spin_unlock_irqrestore(&shrinkers.lock, flags);
		port_park(0);
		spin_lock_irqsave(&shrinkers.lock, flags);
	}
	entry->waiter = 0;
	entry->orphan = true;
	put_and_unlock(entry, flags);
}

/* ---- One shrinker's share ---- */

/* The callback's words for more than there can be are taken as "all". */
static unsigned long ask_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n = shrinker->count_objects(shrinker, sc);

	return n == SHRINK_EMPTY ? 0 : min(n, ~0ul >> 2);
}

/* Batches until less than one is due. Return: objects freed; *@scanned: looked at. */
static unsigned long scan_batches(struct entry *entry, struct shrink_control *sc, unsigned long due,
				  unsigned long freeable, unsigned long *scanned)
{
	struct shrinker *shrinker = &entry->shrinker;
	unsigned long batch = shrinker->batch ? (unsigned long)shrinker->batch : SHRINK_BATCH, freed = 0;

	while ((due >= batch || due >= freeable) && !load_relaxed(&entry->dying)) {
		unsigned long ret;

		sc->nr_to_scan = sc->nr_scanned = min(batch, due);
		ret = shrinker->scan_objects(shrinker, sc);
		if (ret == SHRINK_STOP)
			break;
		freed += ret;
		count_vm_events(SLABS_SCANNED, sc->nr_scanned);
		*scanned += sc->nr_scanned;
		if (!sc->nr_scanned || sc->nr_scanned >= due)
			break;
		due -= sc->nr_scanned;
	}
	return freed;
}

static unsigned long shrink_one(struct entry *entry, gfp_t gfp, int nid, int priority)
{
	struct shrinker *shrinker = &entry->shrinker;
	struct shrink_control sc = { .gfp_mask = gfp, .nid = shrinker->flags & SHRINKER_NUMA_AWARE ? nid : 0 };
	unsigned long freeable = ask_count(shrinker, &sc), deferred, due, left, freed, scanned = 0;
	unsigned int seeks = (unsigned int)shrinker->seeks;
	u64 delta;

	if (!freeable)
		return 0;
	deferred = atomic_xchg(&entry->deferred[sc.nid], 0);
	delta = seeks ? (u64)(freeable >> priority) * 4 / seeks : freeable / 2;
	due = (unsigned long)min_t(u64, (deferred >> priority) + delta, 2 * (u64)freeable);
	trace_event(mm_shrink_slab_start, trace_pointer(shrinker), trace_pointer((void *)shrinker->scan_objects),
		    sc.nid, deferred, gfp, freeable, delta, due, priority);
	freed = scan_batches(entry, &sc, due, freeable, &scanned);
	left = (unsigned long)(deferred + delta > scanned ? min_t(u64, deferred + delta - scanned, 2 * (u64)freeable) :
							     0);
	/* Somebody else may have deferred meanwhile; both together keep to the bound. */
	if (left && atomic_fetch_add(&entry->deferred[sc.nid], left) + left > 2 * freeable)
		store_relaxed(&entry->deferred[sc.nid], 2 * freeable);
	trace_event(mm_shrink_slab_end, trace_pointer(shrinker), sc.nid, trace_pointer((void *)shrinker->scan_objects),
		    deferred, load_relaxed(&entry->deferred[sc.nid]), freed, due - min(due, scanned));
	return freed;
}

void mm_account_reclaimed_pages(unsigned long pages)
{
	current_task()->reclaimed += pages;
}

/* ---- All shrinkers ---- */

static void call_begin_locked(struct call *call, struct entry *entry)
{
	entry->users++;
	call->entry = entry;
	call->thread = port_thread_self();
	list_add(&call->link, &shrinkers.calls);
}

static bool is_dying(const struct entry *entry)
{
	return load_relaxed(&entry->dying);
}

/* The entry behind @at (the list's head: the first) that is not going away; NULL: none. */
static struct entry *next_locked(const struct list_head *at)
{
	struct list_head *pos = at->next;

	while (pos != &shrinkers.list && is_dying(list_entry(pos, struct entry, list)))
		pos = pos->next;
	return pos == &shrinkers.list ? NULL : list_entry(pos, struct entry, list);
}

unsigned long shrink_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority)
{
	struct call calls[2];
	unsigned long freed = 0, flags;
	struct entry *entry;
	unsigned int turn = 0;

	if (memcg || nid < 0 || (unsigned int)nid >= nr_node_ids || priority < 0 || priority > 31) {
		pr_err("shrink_slab: node %d, priority %d%s\n", nid, priority, memcg ? ": memory cgroup" : "");
		return 0;
	}
	spin_lock_irqsave(&shrinkers.lock, flags);
	entry = next_locked(&shrinkers.list);
	if (entry)
		call_begin_locked(&calls[0], entry);
	spin_unlock_irqrestore(&shrinkers.lock, flags);
	while (entry) {
		struct entry *next;

		freed += shrink_one(entry, gfp, nid, priority);
		spin_lock_irqsave(&shrinkers.lock, flags);
		/* The next one is held before this one, which keeps the place, is let go. */
		next = next_locked(&entry->list);
		list_del(&calls[turn].link);
		turn = !turn;
		if (next)
			call_begin_locked(&calls[turn], next);
		put_and_unlock(entry, flags);
		entry = next;
	}
	return freed;
}

void drop_slab(void)
{
	for (int nid = 0; nid < (int)nr_node_ids; nid++) {
		unsigned long freed;
		unsigned int round = 0;

		if (!node_isset(nid, &node_online_map))
			continue;
		/* Caches feed each other; a round that frees little, by a measure that doubles, is the last. */
		do
			freed = shrink_slab(GFP_KERNEL, nid, NULL, 0);
		while (freed >> min(round++, (unsigned int)(8 * sizeof(freed) - 1)) > 1);
	}
}

/* ---- One by its number ---- */

bool shrinker_next(unsigned int from, unsigned int *id, char *name, size_t size)
{
	const struct entry *entry, *best = NULL;
	unsigned long flags;

	spin_lock_irqsave(&shrinkers.lock, flags);
	list_for_each_entry(entry, &shrinkers.list, list)
		if (!is_dying(entry) && entry->id >= from && (!best || entry->id < best->id))
			best = entry;
	if (best) {
		*id = best->id;
		octavo_snprintf(name, size, "%s-%u", best->name, best->id);
	}
	spin_unlock_irqrestore(&shrinkers.lock, flags);
	return best;
}

static bool begin_by_id(struct call *call, unsigned int id)
{
	struct entry *entry;
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&shrinkers.lock, flags);
	list_for_each_entry(entry, &shrinkers.list, list) {
		if (entry->id != id || is_dying(entry))
			continue;
		call_begin_locked(call, entry);
		found = true;
		break;
	}
	spin_unlock_irqrestore(&shrinkers.lock, flags);
	return found;
}

static void end_call(struct call *call)
{
	unsigned long flags;

	spin_lock_irqsave(&shrinkers.lock, flags);
	list_del(&call->link);
	put_and_unlock(call->entry, flags);
}

int shrinker_count(unsigned int id, unsigned long *counts)
{
	struct shrinker *shrinker;
	struct call call;

	if (!begin_by_id(&call, id))
		return -ENOENT;
	shrinker = &call.entry->shrinker;
	for (unsigned int nid = 0; nid < nr_node_ids; nid++) {
		struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = (int)nid };
		bool asked = !nid || shrinker->flags & SHRINKER_NUMA_AWARE;

		counts[nid] = asked && !is_dying(call.entry) ? ask_count(shrinker, &sc) : 0;
	}
	end_call(&call);
	return 0;
}

int shrinker_scan(unsigned int id, int nid, unsigned long nr)
{
	struct shrinker *shrinker;
	struct call call;
	int err = 0;

	if (!begin_by_id(&call, id))
		return -ENOENT;
	shrinker = &call.entry->shrinker;
	if (nid < 0 || (unsigned int)nid >= nr_node_ids || (nid && !(shrinker->flags & SHRINKER_NUMA_AWARE))) {
		err = -EINVAL;
	} else if (nr) {
		struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = nid, .nr_to_scan = nr, .nr_scanned = nr };

		shrinker->scan_objects(shrinker, &sc);
	}
	end_call(&call);
	return err;
}
