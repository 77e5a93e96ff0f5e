// SPDX-License-Identifier: MIT
/*
 * What is told when somebody has to end, in the format of Linux 6.12, so that what reads its reports reads these: who
 * asked for what, where he stood, all memory, the kernel's own caches where they are the reason, all processes, and
 * the verdict. Sums: free lists add up to a zone's line, and rss to its three kinds.
 */
#include <octavo/port.h>

#include "../base/printk.h"
#include "../phys/gfp.h"
#include "../phys/page_report.h"
#include "../phys/slowpath.h"
#include "../phys/zone.h"
#include "../slab/info.h"
#include "../vm/vm.h"
#include "oom.h"

/* Ten reports in five seconds. */
#define REPORTS_MAX 10u
#define REPORTS_NS 5000000000ull

static struct {
	u64 until;
	unsigned int shown, suppressed;
} reports __memsys; /* oom_lock */

static bool may_report(void)
{
	u64 now = port_clock_ns();

	if (now >= reports.until) {
		if (reports.suppressed)
			pr_warn("oom_kill_process: %u callbacks suppressed\n", reports.suppressed);
		reports.until = now + REPORTS_NS;
		reports.shown = reports.suppressed = 0;
	}
	if (now && reports.shown >= REPORTS_MAX) {
		reports.suppressed++;
		return false;
	}
	reports.shown++;
	return true;
}

/* ---- The kernel's own ---- */

/* It has more than all that could be on lists: the reason is there, not with a process. */
static bool slab_is_much(void)
{
	unsigned long lru = 0;

	for (unsigned int i = NR_INACTIVE_ANON; i <= NR_UNEVICTABLE; i++)
		lru += global_node_page_state_pages((enum node_stat_item)i);
	lru += global_node_page_state_pages(NR_ISOLATED_ANON) + global_node_page_state_pages(NR_ISOLATED_FILE);
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) > lru;
}

static void slab_line(void *ctx, const struct cache_info *info)
{
	(void)ctx;
	if (info->flags & SLAB_RECLAIM_ACCOUNT || !info->counts.slabs.objects)
		return;
	pr_info("%-17s %10lluKB %10lluKB\n", info->name,
		(unsigned long long)heap_objects_used(&info->counts) * info->size / 1024,
		(unsigned long long)info->counts.slabs.objects * info->size / 1024);
}

static void report_slab(void)
{
	pr_info("Unreclaimable slab info:\n"
		"Name                      Used          Total\n");
	if (!heap_cache_try_each(slab_line, NULL))
		pr_warn("excessive unreclaimable slab but cannot dump stats\n");
}

/* ---- Processes ---- */

static unsigned long pages(struct mm_struct *mm, unsigned int which)
{
	long n = get_mm_counter(mm, which);

	return n > 0 ? (unsigned long)n : 0;
}

static void task_line(const struct mm_task *task)
{
	struct mm_struct *mm = task->mm;
	unsigned long anon = pages(mm, MM_ANONPAGES), file = pages(mm, MM_FILEPAGES), shmem = pages(mm, MM_SHMEMPAGES);

	pr_info("[%7d] %5u %5d %8lu %8lu %8lu %8lu %9lu %8lu %8lu         %5d %s\n", task->pid, task->process->ruid,
		task->tgid, load_relaxed(&mm->total_vm), anon + file + shmem, anon, file, shmem,
		load_relaxed(&mm->pgtable_pages) << PAGE_SHIFT, pages(mm, MM_SWAPENTS),
		READ_ONCE(task->process->oom_score_adj), task->comm);
}

static void report_tasks(const struct oom_control *oc)
{
	u32 walk = task_walk();

	pr_info("Tasks state (memory values in pages):\n"
		"[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents"
		" oom_score_adj name\n");
	for (struct mm_task *task = process_after(NULL, walk); task; task = process_after(task, walk))
		if (!task_unkillable(task) && oom_eligible(oc, task))
			task_line(task);
}

/* ---- The verdict ---- */

static void report_verdict(const struct oom_control *oc, const struct mm_task *victim)
{
	static const char *const constraints[] = { "NONE", "CPUSET", "MEMORY_POLICY", "MEMCG" };

	printk("oom-kill:constraint=CONSTRAINT_%s,nodemask=", constraints[oc->constraint]);
	if (oc->nodemask)
		print_nodes(oc->nodemask);
	else
		printk("(null)");
	printk(",cpuset=/,mems_allowed=");
	print_nodes(task_mems_allowed(this_task()));
	if (oc->group)
		printk(",oom_memcg=%s,task_memcg=%s", oc->group->path, oc->group->path);
	else
		printk(",global_oom,task_memcg=/");
	printk(",task=%s,pid=%d,uid=%u\n", victim->comm, victim->pid, victim->process->ruid);
}

void oom_report(const struct oom_control *oc, const struct mm_task *victim)
{
	const struct reclaim_request *request = oc->request;
	char name[32], mode[GFP_TEXT_MAX];

	if (!may_report())
		return;
	gfp_flags_text(mode, sizeof(mode), request->gfp);
	pr_warn("%s invoked oom-killer: gfp_mask=0x%x(%s), order=%d, oom_score_adj=%d\n",
		current_task_name(name, sizeof(name)), request->gfp, mode, (int)request->order,
		READ_ONCE(this_task()->process->oom_score_adj));
	dump_stack();
	if (!oc->group) {
		show_mem_zones(oc->nodemask, request->highest);
		if (slab_is_much())
			report_slab();
	}
	if (READ_ONCE(sysctl_oom_dump_tasks))
		report_tasks(oc);
	if (victim)
		report_verdict(oc, victim);
}

void oom_report_killed(const struct mm_task *victim, const char *message)
{
	struct mm_struct *mm = victim->mm;
	unsigned int kb = PAGE_SHIFT - 10;

	pr_err("%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, shmem-rss:%lukB, UID:%u "
	       "pgtables:%lukB oom_score_adj:%d\n",
	       message, victim->pid, victim->comm, load_relaxed(&mm->total_vm) << kb, pages(mm, MM_ANONPAGES) << kb,
	       pages(mm, MM_FILEPAGES) << kb, pages(mm, MM_SHMEMPAGES) << kb, victim->process->ruid,
	       load_relaxed(&mm->pgtable_pages) << kb, READ_ONCE(victim->process->oom_score_adj));
}
