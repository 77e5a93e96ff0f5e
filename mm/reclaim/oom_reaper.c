// SPDX-License-Identifier: MIT
/*
 * Victims of the OOM killer until they have ended, and the reaper, which takes the memory of those that do not.
 *
 * A victim has an entry from its choice until MMF_OOM_SKIP is set: by exit_mmap() (mm_oom_gone), or by the reaper,
 * whether it got the pages or gave up. The killer waits as long as there is an entry (OM-I1), and because the reaper
 * has ten tries, a tenth of a second apart, for each, it does not wait for ever (OM-I2).
 *
 * Where the kernel has threads, one sleeps here; it gives a victim two seconds to end by itself, which is more orderly.
 * Elsewhere who killed tries at once, and again each time that somebody asks for memory in vain.
 *
 * An entry counts its address space (mmgrab()), and who works on one counts it for himself.
 */
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/kthread.h"
#include "../sync/trace.h"
#include "../vm/vm.h"
#include "oom.h"

#define VICTIMS_MAX 64u
#define TRIES_MAX 10u
#define DELAY_NS 2000000000ull
#define AGAIN_NS 100000000ull

struct victim {
	struct mm_struct *mm; /* NULL: free */
	u64 due;	      /* port_clock_ns(): not to be tried before */
	unsigned int tries;
	s32 pid;
	bool reap;
	char comm[16];
};

static struct {
	spinlock_t lock;	  /* @of, @nr */
	struct victim of[VICTIMS_MAX];
	unsigned int nr;
	bool running;		  /* (c) there is a thread */
	struct kthread thread;
} victims __memsys = { .lock = { .rank = LOCK_RANK_OOM } };

static bool is_over(const struct mm_struct *mm)
{
	return load_relaxed(&mm->flags) >> MMF_OOM_SKIP & 1;
}

/* Locked. */
static struct victim *find(const struct mm_struct *mm)
{
	for (unsigned int i = 0; i < VICTIMS_MAX; i++)
		if (victims.of[i].mm == mm)
			return &victims.of[i];
	return NULL;
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
	struct victim *v;

	spin_lock(&victims.lock);
	v = is_over(mm) || find(mm) ? NULL : find(NULL);
	if (v) {
		mmgrab(mm);
		*v = (struct victim){ .mm = mm, .due = victims.running ? now + DELAY_NS : 0, .pid = task->pid,
				      .reap = reap };
		strscpy(v->comm, task->comm, sizeof(v->comm));
		victims.nr++;
	}
	spin_unlock(&victims.lock);
	trace_victim(mm, task);
	if (v && reap)
		trace_event(wake_reaper, task->pid);
}

static void forget(struct mm_struct *mm)
{
	struct victim *v;

	spin_lock(&victims.lock);
	v = find(mm);
	if (v) {
		v->mm = NULL;
		victims.nr--;
	}
	spin_unlock(&victims.lock);
	if (v)
		mmdrop(mm);
}

bool oom_victim_dying(void)
{
	bool dying = false;

	spin_lock(&victims.lock);
	for (unsigned int i = 0; i < VICTIMS_MAX && !dying; i++)
		dying = victims.of[i].mm && !is_over(victims.of[i].mm);
	spin_unlock(&victims.lock);
	return dying;
}

/* ---- Taking ---- */

/* The victim of entry @i if its time has come, counted for the caller. */
static bool take(unsigned int i, struct victim *taken)
{
	struct victim *v = &victims.of[i];
	u64 now = port_clock_ns();
	bool due;

	spin_lock(&victims.lock);
	due = v->mm && v->reap && v->due <= now;
	if (due) {
		v->tries++;
		v->due = victims.running ? now + AGAIN_NS : 0;
		mmgrab(v->mm);
		*taken = *v;
	}
	spin_unlock(&victims.lock);
	return due;
}

/* Nanoseconds until the next one is to be tried; 0: there is none. */
static u64 until_next(void)
{
	u64 now = port_clock_ns(), wait = 0;

	spin_lock(&victims.lock);
	for (unsigned int i = 0; i < VICTIMS_MAX; i++) {
		const struct victim *v = &victims.of[i];
		u64 left = v->due > now ? v->due - now : 1;

		if (v->mm && v->reap && (!wait || left < wait))
			wait = left;
	}
	spin_unlock(&victims.lock);
	return wait;
}

static void reap(const struct victim *v)
{
	struct mm_struct *mm = v->mm;
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
	if (result == -EAGAIN && v->tries < TRIES_MAX) {
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
	struct victim v;

	for (unsigned int i = 0; i < VICTIMS_MAX; i++)
		if (take(i, &v))
			reap(&v);
}

void oom_reap(void)
{
	if (!READ_ONCE(victims.nr))
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
	mm_oom_gone = forget;
	return 0;
}

MM_PART(oom, .order = MM_PART_FILES, .init = oom_init, .boot_end = begin);
