// SPDX-License-Identifier: MIT
/*
 * Victims of the OOM killer until they have ended, and the reaper, which takes the memory of those that do not.
 *
 * A victim is on a list from its choice until MMF_OOM_SKIP is set: by exit_mmap() (mm_oom_gone), or by the reaper,
 * whether it got the pages or gave up. The killer waits as long as one is (OM-I1), and because the reaper
 * has ten tries, a tenth of a second apart, for each, it does not wait for ever (OM-I2).
 *
 * Where the kernel has threads, one sleeps here; it gives a victim two seconds to end by itself, which is more orderly.
 * Elsewhere who killed tries at once, and again each time that somebody asks for memory in vain.
 *
 * The entry is part of the address space, as nothing can be allocated here; the list counts it (mmgrab()), and who
 * works on one counts it for himself. Several may reap at once where there is no thread: each in a round of his own.
 */
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/kthread.h"
#include "../sync/trace.h"
#include "../vm/vm.h"
#include "oom.h"

#define TRIES_MAX 10u
#define DELAY_NS 2000000000ull
#define AGAIN_NS 100000000ull

static struct {
	spinlock_t lock;	  /* @list and what is in it, @nr, @round */
	struct list_head list;	  /* of struct oom_victim, first chosen first */
	unsigned int nr;
	u32 round;
	bool running;		  /* (c) there is a thread */
	struct kthread thread;
} victims __memsys = { .lock = { .rank = LOCK_RANK_OOM } };

static bool is_over(const struct mm_struct *mm)
{
	return load_relaxed(&mm->flags) >> MMF_OOM_SKIP & 1;
}

static struct mm_struct *victim_mm(struct oom_victim *v)
{
	return container_of(v, struct mm_struct, victim);
}

#define KIB (PAGE_SHIFT - 10)

static unsigned long kib(struct mm_struct *mm, unsigned int which)
{
	long pages = get_mm_counter(mm, which);

	return pages > 0 ? (unsigned long)pages << KIB : 0;
}

static void trace_victim(struct mm_struct *mm, const struct mm_task *task)
{
	trace_event(mark_victim, task->pid, trace_pointer(task->comm), load_relaxed(&mm->total_vm) << KIB,
		    kib(mm, MM_ANONPAGES), kib(mm, MM_FILEPAGES), kib(mm, MM_SHMEMPAGES), task->process->ruid,
		    load_relaxed(&mm->pgtable_pages) << KIB, READ_ONCE(task->process->oom_score_adj));
}

void oom_victim_add(struct mm_struct *mm, const struct mm_task *task, bool reap)
{
	u64 now = port_clock_ns();
	struct oom_victim *v = &mm->victim;
	bool added;

	spin_lock(&victims.lock);
	added = !is_over(mm) && !v->listed;
	if (added) {
		mmgrab(mm);
		*v = (struct oom_victim){ .due = victims.running ? now + DELAY_NS : 0, .pid = task->pid, .reap = reap,
					  .listed = true, .round = victims.round };
		strscpy(v->comm, task->comm, sizeof(v->comm));
		list_add_tail(&v->list, &victims.list);
		victims.nr++;
	}
	spin_unlock(&victims.lock);
	trace_victim(mm, task);
	if (added && reap)
		trace_event(wake_reaper, task->pid);
}

static void forget(struct mm_struct *mm)
{
	bool listed;

	spin_lock(&victims.lock);
	listed = mm->victim.listed;
	if (listed) {
		list_del(&mm->victim.list);
		mm->victim.listed = false;
		victims.nr--;
	}
	spin_unlock(&victims.lock);
	if (listed)
		mmdrop(mm);
}

bool oom_victim_dying(void)
{
	struct oom_victim *v;
	bool dying = false;

	spin_lock(&victims.lock);
	list_for_each_entry(v, &victims.list, list)
		if (!is_over(victim_mm(v))) {
			dying = true;
			break;
		}
	spin_unlock(&victims.lock);
	return dying;
}

/* ---- Taking ---- */

/*
 * One whose time has come and that was not tried in @round or a later one, counted for the caller. *@tries: how often
 * with this time. NULL: there is none.
 */
static struct mm_struct *take(u32 round, unsigned int *tries)
{
	struct mm_struct *mm = NULL;
	struct oom_victim *v;
	u64 now = port_clock_ns();

	spin_lock(&victims.lock);
	list_for_each_entry(v, &victims.list, list)
		if (v->reap && v->due <= now && (s32)(round - v->round) > 0) {
			*tries = ++v->tries;
			v->round = round;
			v->due = victims.running ? now + AGAIN_NS : 0;
			mm = victim_mm(v);
			mmgrab(mm);
			break;
		}
	spin_unlock(&victims.lock);
	return mm;
}

/* Nanoseconds until the next one is to be tried; 0: there is none. */
static u64 until_next(void)
{
	u64 now = port_clock_ns(), wait = 0;
	const struct oom_victim *v;

	spin_lock(&victims.lock);
	list_for_each_entry(v, &victims.list, list) {
		u64 left = v->due > now ? v->due - now : 1;

		if (v->reap && (!wait || left < wait))
			wait = left;
	}
	spin_unlock(&victims.lock);
	return wait;
}

static void reap(struct mm_struct *mm, unsigned int tries)
{
	const struct oom_victim *v = &mm->victim;
	int result;

	trace_event(start_task_reaping, v->pid);
	result = oom_zap(mm);
	if (result)
		trace_event(skip_task_reaping, v->pid);
	else
		trace_event(finish_task_reaping, v->pid);
	if (!result)
		pr_info("oom_reaper: reaped process %d (%s), now anon-rss:%lukB, file-rss:%lukB, shmem-rss:%lukB\n",
			v->pid, v->comm, kib(mm, MM_ANONPAGES), kib(mm, MM_FILEPAGES), kib(mm, MM_SHMEMPAGES));
	if (result == -EAGAIN && tries < TRIES_MAX) {
		mmdrop(mm);
		return;
	}
	if (result == -EAGAIN)
		pr_info("oom_reaper: unable to reap pid:%d (%s)\n", v->pid, v->comm);
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_SKIP);
	forget(mm);
	mmdrop(mm);
}

/* Each one once. */
static void reap_all(void)
{
	struct mm_struct *mm;
	unsigned int tries;
	u32 round;

	spin_lock(&victims.lock);
	round = ++victims.round;
	spin_unlock(&victims.lock);
	while ((mm = take(round, &tries)))
		reap(mm, tries);
}

void oom_reap(void)
{
	if (!load_relaxed(&victims.nr))
		return;
	if (!victims.running)
		reap_all();
	else
		kthread_wake(&victims.thread);
}

static void reaper(struct kthread *self, void *arg)
{
	(void)arg;
	while (!kthread_should_stop(self)) {
		reap_all();
		(void)kthread_sleep(self, NULL, until_next());
	}
}

static void begin(void)
{
	victims.running = !kthread_start(&victims.thread, reaper, NULL, "oom_reaper", NUMA_NO_NODE);
}

static int oom_init(void)
{
	INIT_LIST_HEAD(&victims.list);
	mm_oom_gone = forget;
	return 0;
}

MM_PART(oom, .order = MM_PART_FILES, .init = oom_init, .boot_end = begin);
