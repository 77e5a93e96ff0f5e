// SPDX-License-Identifier: MIT
/*
 * The OOM killer: when nothing can be reclaimed and a request may not fail, a process ends that has much.
 *
 * Purpose. A machine whose demand is beyond RAM and swap goes on: one process is ended, the one whose end brings most,
 * and whoever reads the log learns why, and why that one.
 *
 * Words
 *	victim: an address space whose threads were all sent SIGKILL, and which has not ended yet.
 *	points: what a process's end would bring, in pages: resident, swapped, page tables; moved by oom_score_adj.
 *	constraint: why there is no memory although there may be: the request's nodes, a cpuset, a group's limit.
 *	reaped: its private pages were taken from a victim before it ended.
 *
 * Structures
 *	page allocator's slow path -- oom_lock tried for, one look at the high watermark
 *	  out_of_memory()
 *	    the caller is dying        -- true: it gets the reserves, and is a victim itself
 *	    no __GFP_FS                -- true, for a while
 *	    vm.panic_on_oom            -- the end
 *	    oom_kill_allocating_task   -- the caller
 *	    a victim is dying          -- true: wait for it
 *	    oom_select()  (badness)    -- nobody: the end
 *	      oom_kill()  (kill)       -- report, SIGKILL to all that share the address space
 *	    oom_reap()    (reaper)     -- pages go, MMF_OOM_SKIP: from now on it is not waited for
 *
 * Invariants
 *
 * OM-I1: while a victim has neither ended nor been reaped, nobody else is killed but by force or for another reason
 * than memory: its memory may be enough.
 *
 * OM-I2: every victim gets MMF_OOM_SKIP in a bounded time: from exit_mmap(), from the reaper when it is done or has
 * tried ten times, or at once where it shares its address space with who may not be killed. So the killer always gets
 * on: somebody dies, or there is nobody left and the machine stops.
 *
 * OM-I3: the first process, threads of the kernel, who has oom_score_adj -1000, and a child of vfork() that still has
 * its parent's address space, are never chosen; who is chosen takes with him all that share his address space, but
 * for the first process.
 *
 * Locking. oom_lock around everything: who wants to ask and finds it taken waits a tick and looks for memory again.
 * task_list_lock() inside from the choice to the last signal, the report included. The victims' list has a
 * spinlock. Nothing is allocated anywhere on the way; the reaper may have page tables from the reserves.
 *
 * Memory use. A victim's entry is part of its address space, so there can be any number of them.
 *
 * What failure does. A kernel that cannot kill (no task_ops.kill), or has told of no task, has no OOM killer: requests
 * fail. With one, and nobody left to kill, the machine panics, as nothing could ever get on.
 *
 * Differences from Linux. All threads of a victim's address space have half of the reserves, not only those of one
 * process. A request without __GFP_FS kills nobody the first sixteen times, but then does: there, it would wait for
 * ever if nobody else asked. The reaper begins after two seconds, or, where a kernel has no threads, at once. Swap-off
 * is known by a mark of the address space.
 *
 * Sources: Documentation/admin-guide/sysctl/vm.rst, Documentation/filesystems/proc.rst, proc(5), mm/oom_kill.c's
 * behaviour as seen in reports of kernels 5.4 to 6.12.
 */
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/slowpath.h"
#include "../phys/gfp.h"
#include "../vm/vm.h"
#include "oom.h"

#define NOFS_ROUNDS 16u

int sysctl_panic_on_oom __memsys;
int sysctl_oom_kill_allocating_task __memsys;
int sysctl_oom_dump_tasks __memsys = 1;

static __cold void oom_panic(const char *why)
{
	pr_err("Kernel panic - not syncing: %s\n", why);
	port_panic(why);
}

/* vm.panic_on_oom: 1, where all memory is short, not some nodes' or a group's; 2, always. */
static void check_panic(const struct oom_control *oc)
{
	int how = READ_ONCE(sysctl_panic_on_oom);

	if (likely(!how) || oc->forced || (how != 2 && oc->constraint != CONSTRAINT_NONE))
		return;
	oom_report(oc, NULL);
	oom_panic(how == 2 ? "Out of memory: compulsory panic_on_oom is enabled" :
			     "Out of memory: system-wide panic_on_oom is enabled");
}

/* By hand nothing was allocated; and who was killed once already has given what he had. */
static bool may_kill_caller(const struct oom_control *oc, const struct mm_task *me)
{
	return READ_ONCE(sysctl_oom_kill_allocating_task) && !oc->group && !oc->forced && me->listed && me->mm &&
	       !task_unkillable(me) && oom_eligible(oc, me) &&
	       !(load_relaxed(&me->mm->flags) >> MMF_OOM_VICTIM & 1) &&
	       READ_ONCE(me->process->oom_score_adj) != OOM_SCORE_ADJ_MIN;
}

/* Context: task_list_lock(). Return: as out_of_memory(). */
static bool decide(struct oom_control *oc)
{
	struct mm_task *me = this_task();

	check_panic(oc);
	if (may_kill_caller(oc, me)) {
		oc->chosen = me;
		oom_kill(oc, "Out of memory (oom_kill_allocating_task)");
		return true;
	}
	if (!oc->forced && oom_victim_dying())
		return true;
	oom_select(oc);
	if (oc->chosen) {
		oom_kill(oc, oc->group ? "Memory cgroup out of memory" : "Out of memory");
		return true;
	}
	if (!task_after(NULL))
		return false;
	oom_report(oc, NULL);
	pr_warn("Out of memory and no killable processes...\n");
	if (!oc->forced && !oc->group)
		oom_panic("System is deadlocked on memory");
	return false;
}

/* The caller ends anyway: all that it needs is memory to do so. */
static bool caller_will_free(void)
{
	struct mm_task *me = this_task();
	bool will;

	if (!me->listed || !(fatal_signal_pending(me) || me->flags & PF_EXITING))
		return false;
	task_list_lock();
	will = oom_will_free(me);
	if (will)
		oom_mark_victim(me);
	task_list_unlock();
	return will;
}

static bool run(struct oom_control *oc)
{
	bool again;

	if (!task_can_kill())
		return false;
	if (caller_will_free()) {
		oom_reap();
		return true;
	}
	/* What could have been written to files was not tried: others, who may, will get on. */
	if (!(oc->request->gfp & __GFP_FS) && !oc->group && oc->request->rounds < NOFS_ROUNDS)
		return true;
	task_list_lock();
	oom_constrain(oc);
	again = decide(oc);
	task_list_unlock();
	oom_reap();
	return again;
}

bool out_of_memory(const struct reclaim_request *request)
{
	struct oom_control oc = { .request = request };

	return run(&oc);
}

bool out_of_group_memory(const struct reclaim_request *request, const struct oom_group *group)
{
	struct oom_control oc = { .request = request, .group = group };
	bool again;

	mutex_lock(&oom_lock);
	again = run(&oc);
	mutex_unlock(&oom_lock);
	return again;
}

bool oom_force(void)
{
	static const struct reclaim_request request = {
		.gfp = GFP_KERNEL, .order = -1u, .nid = NUMA_NO_NODE, .highest = (enum zone_type)(MAX_NR_ZONES - 1),
	};
	struct oom_control oc = { .request = &request, .forced = true };
	bool killed;

	mutex_lock(&oom_lock);
	killed = run(&oc);
	mutex_unlock(&oom_lock);
	return killed;
}
