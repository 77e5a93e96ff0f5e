/* SPDX-License-Identifier: MIT */
/*
 * What the page allocator calls when memory is short. Reclaim, compaction and the OOM killer register here;
 * without them an allocation that finds nothing fails.
 */
#ifndef OCTAVO_RECLAIM_HOOK_H
#define OCTAVO_RECLAIM_HOOK_H

#include <octavo/gfp.h>
#include <octavo/mmzone.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * struct reclaim_request - an allocation that could not be served
 * @gfp: its flags, less what the thread's scopes forbid
 * @order: its order
 * @nid: node it prefers
 * @highest: highest zone it may use
 * @nodemask: nodes it may use, NULL for all
 * @rounds: how often the OOM killer has been asked for it already
 */
struct reclaim_request {
	gfp_t gfp;
	unsigned int order;
	int nid;
	enum zone_type highest;
	const nodemask_t *nodemask;
	unsigned int rounds;
};

/** enum compact_result - how an attempt at compaction ended */
enum compact_result {
	COMPACT_SKIPPED,  /* too little free memory to move pages to */
	COMPACT_DEFERRED, /* failed lately; not tried */
	COMPACT_FAILED,	  /* looked everywhere */
	COMPACT_PARTIAL,  /* stopped early: trying again makes sense */
	COMPACT_SUCCESS,  /* a free block of the order should exist */
};

/**
 * struct reclaim_ops - operations below the page allocator's slow path; any may be NULL
 * @wakeup_kswapd: a zone is below its low watermark. Any context, must not sleep.
 * @try_to_free_pages: free pages for the request. Called with memalloc_noreclaim in effect, thread context, may
 *                     sleep. Return: pages freed, 0 for no progress.
 * @zone_reclaimable_pages: pages of a zone that reclaim could still free. Any context.
 * @try_to_compact_pages: move pages together. @sync: may wait for pages under I/O. Thread context.
 * @out_of_memory: nothing helped; kill something. Return: true if the request should be tried again.
 */
struct reclaim_ops {
	void (*wakeup_kswapd)(struct zone *zone, gfp_t gfp, unsigned int order, enum zone_type highest);
	unsigned long (*try_to_free_pages)(const struct reclaim_request *request);
	unsigned long (*zone_reclaimable_pages)(struct zone *zone);
	enum compact_result (*try_to_compact_pages)(const struct reclaim_request *request, bool sync);
	bool (*out_of_memory)(const struct reclaim_request *request);
};

/**
 * register_reclaim_ops - put the operations into effect
 * @ops: stays; NULL takes them out of effect, but a call under way may still use the old ones
 * Context: any. Return: 0; -EBUSY if others are registered.
 */
OCTAVO_API int register_reclaim_ops(const struct reclaim_ops *ops);

/**
 * out_of_memory - the core's OOM killer, for reclaim_ops.out_of_memory
 * Somebody who has much memory ends (struct task_ops), or is about to. Context: thread context, may sleep; called by
 * the page allocator. Return: true: try again; false: nobody can be killed, and the request is to fail.
 */
OCTAVO_API bool out_of_memory(const struct reclaim_request *request);

/**
 * oom_force - kill the worst now, however much memory there is (Alt-SysRq-f)
 * Nobody is spared because another victim is dying, and nothing panics. Context: thread context, may sleep.
 * Return: false: there is nobody.
 */
OCTAVO_API bool oom_force(void);

/* ---- Scopes: what all allocations of a thread may do until the scope is left ---- */

#define PF_MEMALLOC 0x00000800u	      /* frees memory, so may use all reserves and must not reclaim itself */
#define PF_MEMALLOC_NOFS 0x00040000u  /* must not enter file systems */
#define PF_MEMALLOC_NOIO 0x00080000u  /* must not start I/O */
#define PF_MEMSTALL 0x01000000u	      /* stalled for want of memory: time that PSI counts */
#define PF_MEMALLOC_PIN 0x10000000u   /* pages will be pinned: not from Movable zones or CMA */

/**
 * memalloc_noreclaim_save - until memalloc_noreclaim_restore(), this thread's allocations may use all reserves and
 * do not reclaim; so for the others what their name says
 * Scopes nest. Context: thread context. Return: to be given to the restore function, on the same thread.
 */
OCTAVO_API unsigned int memalloc_noreclaim_save(void);
OCTAVO_API void memalloc_noreclaim_restore(unsigned int flags);
OCTAVO_API unsigned int memalloc_nofs_save(void);
OCTAVO_API void memalloc_nofs_restore(unsigned int flags);
OCTAVO_API unsigned int memalloc_noio_save(void);
OCTAVO_API void memalloc_noio_restore(unsigned int flags);
OCTAVO_API unsigned int memalloc_pin_save(void);
OCTAVO_API void memalloc_pin_restore(unsigned int flags);

struct mm_task;

/**
 * struct task_ops - a kernel with tasks of its own tells the allocator about the running one; any may be NULL
 * @scope_flags: where the running task's PF_MEMALLOC* word lies; the allocator sets and clears only those bits.
 *               Without it a table keyed by port_thread_self() serves.
 * @name: the running task's name for reports (comm). Any context.
 * @pid: its number for reports. Any context.
 * @uid: its real user for reports. Any context.
 * @release: what reports name as the kernel, as programs that read them want it: "6.12.0 #1"
 * @signal_pending: has it a signal to act on? Asked in faults of user mode that wait for another thread, with
 *                  mm_task.interruptible set: such a signal is to end port_park(), too. Thread context.
 * @kill: SIGKILL to the whole process of @task, one of those that octavo_task_add() told of; their fatal_signal is set
 *        already, and whatever they wait for is to end. Without it nobody is killed for memory, and requests fail.
 *        Thread context, the list of tasks locked: must neither wait for a thread to end nor call octavo_task_*(), and
 *        allocate nothing.
 * @nr_productive: threads that run or are ready to, less those with PF_MEMSTALL in their word, as of a moment ago; for
 *                 PSI. NULL: all CPUs are, but as many as there are stalled threads. Any context.
 * @mems_allowed: the nodes that @task may have memory of (its cpuset); NULL: all. Thread context, the list locked.
 */
struct task_ops {
	unsigned int *(*scope_flags)(void);
	const char *(*name)(void);
	long (*pid)(void);
	u32 (*uid)(void);
	const char *release;
	bool (*signal_pending)(void);
	void (*kill)(struct mm_task *task);
	unsigned int (*nr_productive)(void);
	const nodemask_t *(*mems_allowed)(const struct mm_task *task);
};

/** register_task_ops - put them into effect; no thread may be in a scope. @ops stays. Context: any. */
OCTAVO_API void register_task_ops(const struct task_ops *ops);

OCTAVO_END_DECLS
#endif
