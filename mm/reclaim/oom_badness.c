// SPDX-License-Identifier: MIT
/*
 * Whom it would be best to do without: points, who is out of the question, and what a request is short of.
 *
 * Points are pages that the end of a process frees: resident ones, swap entries, page tables; oom_score_adj adds or
 * takes thousandths of all that there could be, so that +500 is as bad as half of memory and swap.
 */
#include "../base/printk.h"
#include "../phys/gfp.h"
#include "../phys/slowpath.h"
#include "../phys/zone.h"
#include "../vm/vm.h"
#include "oom.h"

static unsigned long counter(struct mm_struct *mm, unsigned int which)
{
	long n = get_mm_counter(mm, which);

	return n > 0 ? (unsigned long)n : 0;
}

unsigned long oom_rss(struct mm_struct *mm)
{
	return counter(mm, MM_FILEPAGES) + counter(mm, MM_ANONPAGES) + counter(mm, MM_SHMEMPAGES);
}

long oom_points(struct mm_struct *mm, int adj, unsigned long totalpages)
{
	if (!mm || adj == OOM_SCORE_ADJ_MIN)
		return OOM_NEVER;
	return (long)(oom_rss(mm) + counter(mm, MM_SWAPENTS) + load_relaxed(&mm->pgtable_pages)) +
	       adj * (long)(totalpages / 1000);
}

long oom_badness(const struct mm_task *task, unsigned long totalpages)
{
	if (task_unkillable(task) || !task->mm || load_relaxed(&task->mm->flags) >> MMF_OOM_SKIP & 1 ||
	    READ_ONCE(task->in_vfork))
		return OOM_NEVER;
	return oom_points(task->mm, READ_ONCE(task->process->oom_score_adj), totalpages);
}

static bool nodes_meet(const nodemask_t *a, const nodemask_t *b)
{
	for_each_online_node(nid)
		if (node_isset(nid, a) && node_isset(nid, b))
			return true;
	return false;
}

/* All nodes that have memory are in the set. */
static bool has_all_memory(const nodemask_t *nodes)
{
	for_each_online_node(nid)
		if (node_isset(nid, &node_memory_map) && !node_isset(nid, nodes))
			return false;
	return true;
}

/* Who is bound to other nodes than those that are short has nothing there. */
bool oom_eligible(const struct oom_control *oc, const struct mm_task *task)
{
	const nodemask_t *theirs, *mine;

	if (oc->group)
		return oc->group->member(oc->group, task);
	if (oc->constraint == CONSTRAINT_NONE || oc->forced)
		return true;
	theirs = task_mems_allowed(task);
	if (!theirs)
		return true;
	mine = oc->nodemask ? oc->nodemask : task_mems_allowed(this_task());
	return !mine || nodes_meet(theirs, mine);
}

static unsigned long swap_total(void)
{
	unsigned long total = 0, free;

	if (show_mem_swap)
		show_mem_swap(&total, &free);
	return total;
}

static unsigned long pages_of_nodes(const nodemask_t *nodes)
{
	unsigned long pages = 0;

	for_each_populated_zone(zone)
		if (node_isset(zone->node, nodes))
			pages += zone->present_pages;
	return pages;
}

void oom_constrain(struct oom_control *oc)
{
	const nodemask_t *wanted = oc->request->nodemask, *allowed = NULL;

	oc->constraint = CONSTRAINT_NONE;
	oc->nodemask = NULL;
	oc->totalpages = totalram_pages() + swap_total();
	if (oc->group) {
		oc->constraint = CONSTRAINT_MEMCG;
		oc->totalpages = max(oc->group->pages, 1ul);
		return;
	}
	if (oc->forced || oc->request->gfp & __GFP_THISNODE)
		return;
	if (wanted && !has_all_memory(wanted)) {
		oc->constraint = CONSTRAINT_MEMORY_POLICY;
		oc->nodemask = wanted;
		oc->totalpages = pages_of_nodes(wanted) + swap_total();
		return;
	}
	allowed = task_mems_allowed(this_task());
	if (allowed && !has_all_memory(allowed)) {
		oc->constraint = CONSTRAINT_CPUSET;
		oc->totalpages = pages_of_nodes(allowed) + swap_total();
	}
}

/* Of two that are as bad, the younger one: less has been done there. */
void oom_select(struct oom_control *oc)
{
	u32 walk = task_walk();

	oc->chosen = NULL;
	oc->points = OOM_NEVER;
	for (struct mm_task *task = process_after(NULL, walk); task; task = process_after(task, walk)) {
		long points;

		/* Who is dying already is waited for, or, by hand, was waited for long enough. */
		if (task_unkillable(task) || !oom_eligible(oc, task) ||
		    load_relaxed(&task->mm->flags) >> MMF_OOM_VICTIM & 1)
			continue;
		/* Who takes all memory on purpose is the one, whatever his score; but for whom is never killed. */
		points = oom_badness(task, oc->totalpages);
		if (points != OOM_NEVER && load_relaxed(&task->mm->flags) >> MMF_OOM_ORIGIN & 1)
			points = -(OOM_NEVER + 1);
		if (points == OOM_NEVER || points < oc->points)
			continue;
		oc->chosen = task;
		oc->points = points;
	}
}
