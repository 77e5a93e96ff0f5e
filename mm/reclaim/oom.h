/* SPDX-License-Identifier: MIT */
/* The OOM killer: who has to end when there is no memory left, and what is told of it. The theory is in oom.c. */
#ifndef MM_RECLAIM_OOM_H
#define MM_RECLAIM_OOM_H

#include <octavo/reclaim_hook.h>

#include "../vm/task.h"

struct mm_struct;

#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000

/* vm.panic_on_oom, vm.oom_kill_allocating_task, vm.oom_dump_tasks */
extern int sysctl_panic_on_oom, sysctl_oom_kill_allocating_task, sysctl_oom_dump_tasks;

/* out_of_memory() itself is in <octavo/reclaim_hook.h>: operations of others' may have it, too. */

/**
 * struct oom_group - processes that share a limit of their own (a memory cgroup), for out_of_group_memory()
 * @path: its name in reports
 * @pages: the limit
 * @member: does the process belong to it?
 */
struct oom_group {
	const char *path;
	unsigned long pages;
	bool (*member)(const struct oom_group *group, const struct mm_task *task);
};
/* One of @group has to end. Context, return: as out_of_memory(). */
bool out_of_group_memory(const struct reclaim_request *request, const struct oom_group *group);

/* ---- Inside: oom.c, oom_badness.c, oom_kill.c, oom_reaper.c, oom_report.c ---- */

enum oom_constraint { CONSTRAINT_NONE, CONSTRAINT_CPUSET, CONSTRAINT_MEMORY_POLICY, CONSTRAINT_MEMCG };

/* One decision. */
struct oom_control {
	const struct reclaim_request *request;
	const struct oom_group *group; /* NULL: the machine */
	const nodemask_t *nodemask;    /* the request's, where it is what is short; NULL: else */
	bool forced;		       /* by hand */
	enum oom_constraint constraint;
	unsigned long totalpages;      /* what there could be: RAM and swap, of those nodes, or the group's limit */
	struct mm_task *chosen;
	long points;
};

/* ---- oom_badness.c ---- */

#define OOM_NEVER (-(long)(~0ul >> 1) - 1)
/*
 * What killing @task's process would bring, in pages, moved by oom_score_adj: thousandths of @totalpages.
 * Context: task_list_lock(), or the caller has counted its address space. Return: OOM_NEVER: not to be killed.
 */
long oom_badness(const struct mm_task *task, unsigned long totalpages);
/* The same of numbers. @mm may be NULL: OOM_NEVER. */
long oom_points(struct mm_struct *mm, int oom_score_adj, unsigned long totalpages);
/* May its end help this request? */
bool oom_eligible(const struct oom_control *oc, const struct mm_task *task);
void oom_constrain(struct oom_control *oc);
/* Fills oc->chosen and oc->points. Context: task_list_lock(). */
void oom_select(struct oom_control *oc);
unsigned long oom_rss(struct mm_struct *mm);

/* ---- oom_kill.c ---- */

/* It is on its way out, and takes its memory along: nobody needs to be killed for that. Context: task_list_lock(). */
bool oom_will_free(struct mm_task *task);
/* All threads of the address space get the reserves, and its end is waited for. Context: task_list_lock(). */
void oom_mark_victim(struct mm_task *task);
/* Context: task_list_lock(). */
void oom_kill(struct oom_control *oc, const char *message);

/* ---- oom_reaper.c ---- */

/* @mm's end is waited for from now on, and seen to if @reap. Context: task_list_lock(), mm is the victim's. */
void oom_victim_add(struct mm_struct *mm, const struct mm_task *task, bool reap);
/* Is there one that has neither ended nor been reaped? */
bool oom_victim_dying(void);
/* Where a thread does it: it has something to do. Else that is done. Context: no locks. */
void oom_reap(void);

/* ---- oom_report.c ---- */

/* What memory there is and who has it; ten in five seconds at most. @victim NULL: nobody. Context: task_list_lock(). */
void oom_report(const struct oom_control *oc, const struct mm_task *victim);
/* "MESSAGE: Killed process ...". Context: task_list_lock(). */
void oom_report_killed(const struct mm_task *victim, const char *message);

#endif
