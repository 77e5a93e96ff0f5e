// SPDX-License-Identifier: MIT
/* The OOM killer: who is chosen, who never is, what becomes of him, and what is told. OM-I1 to OM-I3, TL-I1. */
#include <octavo/page.h>
#include <octavo/proc_pid.h>
#include <octavo/reclaim_hook.h>

#include "mm/phys/slowpath.h"
#include "mm/phys/zone.h"
#include "mm/reclaim/oom.h"
#include "mm/vm/vm.h"
#include "proc_text.h"
#include "tasks.h"

#define AT ((uintptr_t)0x10000000)
#define RW (PROT_READ | PROT_WRITE)
#define FIXED (MAP_PRIVATE | MAP_FIXED)
#define MOST 4u

static struct test_process p[MOST];
static int killed[16];
static unsigned int killed_nr;
static const nodemask_t *mems_of_last; /* what p[MOST - 1] and the caller may have */

static void note_kill(struct mm_task *task)
{
	if (killed_nr < ARRAY_SIZE(killed))
		killed[killed_nr] = task->tgid;
	killed_nr++;
}

static const struct task_ops ops = { .kill = note_kill };

static const struct reclaim_request ordinary = {
	.gfp = GFP_KERNEL, .nid = NUMA_NO_NODE, .highest = (enum zone_type)(MAX_NR_ZONES - 1),
};

/* @nr processes, of so many pages each; none runs. */
static bool begin(unsigned int nr, const unsigned int *pages)
{
	killed_nr = 0;
	register_task_ops(&ops);
	for (unsigned int i = 0; i < nr; i++) {
		if (!test_process_start(&p[i]))
			return false;
		if (pages[i] && (!test_map(AT, pages[i] * PAGE_SIZE, RW, FIXED) ||
				 !test_user_fill(AT, pages[i] * PAGE_SIZE, 1)))
			return false;
	}
	test_switch(NULL);
	return true;
}

static void end(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		test_process_exit(&p[i]);
	register_task_ops(NULL);
	EXPECT(!oom_victim_dying());
}

/* What it says. *@again (may be NULL): what it returned. */
static const char *ask(const struct reclaim_request *request, bool *again)
{
	bool result;

	test_capture_begin();
	mutex_lock(&oom_lock);
	result = out_of_memory(request);
	mutex_unlock(&oom_lock);
	if (again)
		*again = result;
	return test_capture_end();
}

static bool was_killed(const struct test_process *process)
{
	for (unsigned int i = 0; i < killed_nr; i++)
		if (killed[i] == process->task.tgid)
			return true;
	return false;
}

static long rss_of(const struct test_process *process)
{
	return (long)oom_rss(process->task.mm);
}

/* ---- Who ---- */

TEST(oom, who_has_most_ends)
{
	u64 before = proc_value("/proc/vmstat", "oom_kill");
	char line[200];
	const char *said;
	bool again;

	ASSERT(begin(3, (const unsigned int[]){ 10, 50, 20 }));
	octavo_snprintf(line, sizeof(line),
			"Out of memory: Killed process %d (%s) total-vm:200kB, anon-rss:200kB, file-rss:0kB, "
			"shmem-rss:0kB, UID:1000 pgtables:%lukB oom_score_adj:0\n",
			p[1].task.pid, p[1].task.comm, p[1].task.mm->pgtable_pages << (PAGE_SHIFT - 10));
	said = ask(&ordinary, &again);
	EXPECT(again && killed_nr == 1 && was_killed(&p[1]));
	EXPECT(strstr(said, line));
	EXPECT_EQ(p[1].task.fatal_signal, 9);
	EXPECT(!p[0].task.fatal_signal && !p[2].task.fatal_signal);
	EXPECT(p[1].task.oom_victim && !p[0].task.oom_victim);
	EXPECT_EQ(proc_value("/proc/vmstat", "oom_kill"), before + 1);
	/* It does not run, so it cannot end; its memory is gone all the same, and the next one is asked for. */
	octavo_snprintf(line, sizeof(line),
			"oom_reaper: reaped process %d (%s), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n",
			p[1].task.pid, p[1].task.comm);
	EXPECT(strstr(said, line));
	EXPECT_EQ(rss_of(&p[1]), 0);
	ask(&ordinary, &again);
	EXPECT(again && killed_nr == 2 && was_killed(&p[2]));
	end(3);
}

TEST(oom, of_two_that_are_alike_the_younger_ends)
{
	ASSERT(begin(3, (const unsigned int[]){ 30, 30, 5 }));
	ask(&ordinary, NULL);
	EXPECT(was_killed(&p[1]));
	end(3);
}

TEST(oom, points_are_pages_and_thousandths)
{
	struct mm_struct *mm;
	long pages;

	ASSERT(begin(1, (const unsigned int[]){ 40 }));
	mm = p[0].task.mm;
	pages = 40 + (long)mm->pgtable_pages;
	EXPECT_EQ(oom_badness(&p[0].task, 100000), pages);
	p[0].process.oom_score_adj = 500;
	EXPECT_EQ(oom_badness(&p[0].task, 100000), pages + 50000);
	p[0].process.oom_score_adj = -3;
	EXPECT_EQ(oom_badness(&p[0].task, 100999), pages - 300);
	p[0].process.oom_score_adj = -1000;
	EXPECT_EQ(oom_badness(&p[0].task, 100000), OOM_NEVER);
	EXPECT_EQ(oom_points(NULL, 0, 100000), OOM_NEVER);
	p[0].process.oom_score_adj = 0;
	mm_counter_add(mm, MM_SWAPENTS, 7);
	EXPECT_EQ(oom_badness(&p[0].task, 100000), pages + 7);
	mm_counter_add(mm, MM_SWAPENTS, -7);
	end(1);
}

TEST(oom, oom_score_adj_decides)
{
	ASSERT(begin(3, (const unsigned int[]){ 60, 20, 5 }));
	p[0].process.oom_score_adj = -1000;
	ask(&ordinary, NULL);
	EXPECT(was_killed(&p[1]));
	p[2].process.oom_score_adj = -999;
	p[0].process.oom_score_adj = -998;
	ask(&ordinary, NULL);
	EXPECT(was_killed(&p[0]));
	end(3);
}

/* OM-I3 */
TEST(oom, some_are_never_chosen)
{
	s32 tgid;

	ASSERT(begin(4, (const unsigned int[]){ 60, 50, 40, 3 }));
	tgid = p[0].task.tgid;
	p[0].task.tgid = 1;
	p[1].task.flags |= PF_KTHREAD;
	p[2].task.in_vfork = 1;
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 1 && was_killed(&p[3]));
	EXPECT_EQ(rss_of(&p[0]), 60);
	EXPECT_EQ(rss_of(&p[1]), 50);
	EXPECT_EQ(rss_of(&p[2]), 40);
	p[0].task.tgid = tgid;
	end(4);
}

TEST(oom, who_takes_all_on_purpose_ends_first)
{
	ASSERT(begin(3, (const unsigned int[]){ 60, 4, 4 }));
	mm_set_oom_origin(p[1].task.mm, true);
	mm_set_oom_origin(p[2].task.mm, true);
	p[2].process.oom_score_adj = -1000;
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 1 && was_killed(&p[1]));
	mm_set_oom_origin(p[2].task.mm, false);
	end(3);
}

TEST(oom, who_shares_the_address_space_goes_along)
{
	struct mm_task thread;

	ASSERT(begin(2, (const unsigned int[]){ 60, 10 }));
	test_process_init(&p[2]);
	test_share(&p[2], &p[0]);
	/* Killing him would be of no use if others kept the memory, whatever his own adjustment. */
	p[2].process.oom_score_adj = -1000;
	test_thread_make(&thread, &p[0]);
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 2 && was_killed(&p[0]) && was_killed(&p[2]));
	EXPECT(thread.fatal_signal == 9 && thread.oom_victim && p[2].task.oom_victim);
	EXPECT_EQ(rss_of(&p[0]), 0);
	test_thread_exit(&thread);
	end(3);
}

TEST(oom, what_the_first_process_shares_stays)
{
	char line[120];
	const char *said;
	s32 tgid;

	ASSERT(begin(2, (const unsigned int[]){ 60, 10 }));
	test_process_init(&p[2]);
	test_share(&p[2], &p[0]);
	tgid = p[2].task.tgid;
	p[2].task.tgid = 1;
	said = ask(&ordinary, NULL);
	octavo_snprintf(line, sizeof(line), "oom killer %d (%s) has mm pinned by %d (%s)\n", p[0].task.pid,
			p[0].task.comm, p[2].task.pid, p[2].task.comm);
	EXPECT(strstr(said, line));
	EXPECT(killed_nr == 1 && was_killed(&p[0]));
	EXPECT_EQ(rss_of(&p[0]), 60);
	/* Nobody waits for that. */
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 2 && was_killed(&p[1]));
	p[2].task.tgid = tgid;
	end(3);
}

/* ---- Who is dying ---- */

TEST(oom, a_dying_caller_gets_reserves_and_nobody_is_killed)
{
	const char *said;
	bool again;

	ASSERT(begin(2, (const unsigned int[]){ 10, 60 }));
	test_switch(&p[0].task);
	p[0].task.fatal_signal = 9;
	EXPECT_EQ(oom_task_state(), 0);
	said = ask(&ordinary, &again);
	EXPECT(again && !killed_nr);
	EXPECT(!strstr(said, "Killed process"));
	EXPECT_EQ(oom_task_state(), OOM_TASK_VICTIM);
	EXPECT(!oom_victim_dying());
	end(2);
}

/* OM-I1, OM-I2 */
TEST(oom, a_victim_is_waited_for_but_not_for_ever)
{
	const char *said;
	char line[80];
	bool again;

	ASSERT(begin(2, (const unsigned int[]){ 60, 20 }));
	mmap_write_lock(p[0].task.mm);
	ask(&ordinary, &again);
	EXPECT(again && killed_nr == 1 && was_killed(&p[0]));
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT(oom_victim_dying());
		said = ask(&ordinary, &again);
		EXPECT(again && killed_nr == 1);
		EXPECT_STREQ(said, "");
	}
	said = ask(&ordinary, &again);
	octavo_snprintf(line, sizeof(line), "oom_reaper: unable to reap pid:%d (%s)\n", p[0].task.pid, p[0].task.comm);
	EXPECT(strstr(said, line));
	EXPECT(!oom_victim_dying());
	ask(&ordinary, &again);
	EXPECT(again && killed_nr == 2 && was_killed(&p[1]));
	mmap_write_unlock(p[0].task.mm);
	EXPECT_EQ(rss_of(&p[0]), 60);
	end(2);
}

TEST(oom, there_may_be_any_number_of_victims)
{
	static struct test_process crowd[100];

	register_task_ops(&ops);
	for (unsigned int i = 0; i < ARRAY_SIZE(crowd); i++) {
		ASSERT(test_process_start(&crowd[i]));
		ASSERT(test_map(AT, PAGE_SIZE, RW, FIXED) && test_user_fill(AT, PAGE_SIZE, 1));
	}
	test_switch(NULL);
	test_capture_begin();
	task_list_lock();
	for (unsigned int i = 0; i < ARRAY_SIZE(crowd); i++) {
		oom_victim_add(crowd[i].task.mm, &crowd[i].task, true);
		oom_victim_add(crowd[i].task.mm, &crowd[i].task, true);
	}
	task_list_unlock();
	/* One of them ends by itself. */
	test_process_exit(&crowd[50]);
	EXPECT(oom_victim_dying());
	oom_reap();
	(void)test_capture_end();
	EXPECT(!oom_victim_dying());
	for (unsigned int i = 0; i < ARRAY_SIZE(crowd); i++) {
		if (i == 50)
			continue;
		EXPECT(crowd[i].task.mm->flags >> MMF_OOM_SKIP & 1);
		EXPECT_EQ(rss_of(&crowd[i]), 0);
		test_process_exit(&crowd[i]);
	}
	register_task_ops(NULL);
}

TEST(oom, a_victim_that_ends_is_not_waited_for)
{
	ASSERT(begin(2, (const unsigned int[]){ 60, 20 }));
	mmap_write_lock(p[0].task.mm);
	ask(&ordinary, NULL);
	mmap_write_unlock(p[0].task.mm);
	EXPECT(oom_victim_dying());
	test_process_exit(&p[0]);
	EXPECT(!oom_victim_dying());
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 2 && was_killed(&p[1]));
	end(2);
}

TEST(oom, by_hand_another_one_ends)
{
	bool done;

	ASSERT(begin(2, (const unsigned int[]){ 60, 20 }));
	mmap_write_lock(p[0].task.mm);
	ask(&ordinary, NULL);
	mmap_write_unlock(p[0].task.mm);
	test_capture_begin();
	done = oom_force();
	EXPECT(strstr(test_capture_end(), ", order=-1, oom_score_adj=0\n"));
	EXPECT(done && killed_nr == 2);
	p[0].process.oom_score_adj = p[1].process.oom_score_adj = -1000;
	test_capture_begin();
	done = oom_force();
	EXPECT(strstr(test_capture_end(), "Out of memory and no killable processes...\n"));
	EXPECT(!done && killed_nr == 2);
	end(2);
}

TEST(oom, without_processes_requests_fail)
{
	bool again;

	killed_nr = 0;
	EXPECT_STREQ(ask(&ordinary, &again), "");
	EXPECT(!again);
	register_task_ops(&ops);
	EXPECT_STREQ(ask(&ordinary, &again), "");
	EXPECT(!again && !killed_nr);
	register_task_ops(NULL);
}

/* ---- What is lost ---- */

TEST(oom, faults_of_a_victim_end_in_sigbus)
{
	unsigned int shared = 8;

	ASSERT(begin(2, (const unsigned int[]){ 40, 1 }));
	test_switch(&p[0].task);
	ASSERT(test_map(AT + 0x100000, shared * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED));
	ASSERT(test_user_fill(AT + 0x100000, shared * PAGE_SIZE, 7));
	test_switch(NULL);
	ask(&ordinary, NULL);
	EXPECT(was_killed(&p[0]));
	EXPECT_EQ(rss_of(&p[0]), shared);
	test_switch(&p[0].task);
	/* Not a page of zeros where something was, nor where nothing was; what others may see stays. */
	EXPECT_REFUSED(AT, false, 7, 2);
	EXPECT_REFUSED(AT + 3 * PAGE_SIZE, true, 7, 2);
	EXPECT(test_user_all(AT + 0x100000, shared * PAGE_SIZE, 7));
	p[0].task.fatal_signal = 0;
	EXPECT(!test_process_fork(&p[2], &p[0]));
	end(2);
}

TEST(oom, locked_memory_goes_too)
{
	ASSERT(begin(1, (const unsigned int[]){ 40 }));
	test_switch(&p[0].task);
	EXPECT_EQ(ksys_mlock(AT, 40 * PAGE_SIZE, 0), 0);
	test_switch(NULL);
	ask(&ordinary, NULL);
	EXPECT(was_killed(&p[0]));
	EXPECT_EQ(rss_of(&p[0]), 0);
	end(1);
}

/* What fork() shares is the other's as well, table and pages. */
TEST(oom, a_parent_keeps_what_its_child_loses)
{
	ASSERT(begin(1, (const unsigned int[]){ 40 }));
	test_switch(&p[0].task);
	ASSERT(test_process_fork(&p[1], &p[0]));
	test_switch(NULL);
	p[0].process.oom_score_adj = -500;
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 1 && was_killed(&p[1]));
	EXPECT_EQ(rss_of(&p[1]), 0);
	EXPECT_EQ(rss_of(&p[0]), 40);
	test_switch(&p[0].task);
	EXPECT(test_user_all(AT, 40 * PAGE_SIZE, 1));
	end(2);
}

/* ---- Conditions ---- */

TEST(oom, requests_that_may_not_use_files_wait_first)
{
	struct reclaim_request request = ordinary;
	bool again;

	ASSERT(begin(1, (const unsigned int[]){ 10 }));
	request.gfp = GFP_NOFS;
	for (request.rounds = 0; request.rounds < 16; request.rounds++) {
		EXPECT_STREQ(ask(&request, &again), "");
		EXPECT(again && !killed_nr);
	}
	ask(&request, &again);
	EXPECT(again && killed_nr == 1);
	end(1);
}

TEST(oom, the_caller_ends_where_that_is_wanted)
{
	const char *said;

	ASSERT(begin(2, (const unsigned int[]){ 2, 60 }));
	EXPECT(proc_put("/proc/sys/vm/oom_kill_allocating_task", "1") == 1);
	test_switch(&p[0].task);
	said = ask(&ordinary, NULL);
	EXPECT(strstr(said, "Out of memory (oom_kill_allocating_task): Killed process "));
	EXPECT(killed_nr == 1 && was_killed(&p[0]));
	/* A thread of the kernel that asks is not it. */
	test_switch(NULL);
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 2 && was_killed(&p[1]));
	end(2);
	/* Nor is who has the killer called by hand, nor who has given all already and needs more to end. */
	ASSERT(begin(2, (const unsigned int[]){ 2, 60 }));
	test_switch(&p[0].task);
	test_capture_begin();
	EXPECT(oom_force());
	(void)test_capture_end();
	EXPECT(killed_nr == 1 && was_killed(&p[1]));
	end(2);
	ASSERT(begin(2, (const unsigned int[]){ 2, 60 }));
	test_switch(&p[0].task);
	ask(&ordinary, NULL);
	EXPECT(!oom_victim_dying());
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 2 && was_killed(&p[0]) && was_killed(&p[1]));
	end(2);
	EXPECT(proc_put("/proc/sys/vm/oom_kill_allocating_task", "0") == 1);
}

TEST(oom, some_nodes_are_short)
{
	struct reclaim_request request = ordinary;
	nodemask_t nodes = { { 0 } };
	const char *said;
	char line[100];
	int first = -1, count = 0;

	for_each_online_node(nid)
		if (node_isset(nid, &node_memory_map)) {
			first = first < 0 ? nid : first;
			count++;
		}
	if (count < 2)
		SKIP("the machine has one node with memory");
	node_set(first, &nodes);
	request.nodemask = &nodes;
	ASSERT(begin(2, (const unsigned int[]){ 10, 5 }));
	said = ask(&request, NULL);
	octavo_snprintf(line, sizeof(line), "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=%d,cpuset=/,",
			first);
	EXPECT(strstr(said, line));
	octavo_snprintf(line, sizeof(line), "\nNode %d active_anon:", first + 1);
	EXPECT(!strstr(said, line));
	/* All nodes are no constraint. */
	for_each_online_node(nid)
		node_set(nid, &nodes);
	said = ask(&request, NULL);
	EXPECT(strstr(said, "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,"));
	end(2);
}

static const nodemask_t *mems_allowed(const struct mm_task *task)
{
	return task == &p[MOST - 1].task || task == current_task() ? mems_of_last : NULL;
}

static const nodemask_t *mems_disjoint(const struct mm_task *task)
{
	static nodemask_t none;

	return task == current_task() ? mems_of_last : task == &p[0].task ? &none : NULL;
}

TEST(oom, a_cpuset_is_short)
{
	static const struct task_ops cpusets = { .kill = note_kill, .mems_allowed = mems_allowed };
	static const struct task_ops disjoint = { .kill = note_kill, .mems_allowed = mems_disjoint };
	nodemask_t nodes = { { 0 } };
	const char *said;

	/* One that has no memory: whatever the machine has is not all in it. */
	node_set(MAX_NUMNODES - 1, &nodes);
	mems_of_last = &nodes;
	ASSERT(begin(4, (const unsigned int[]){ 60, 10, 10, 50 }));
	register_task_ops(&cpusets);
	said = ask(&ordinary, NULL);
	EXPECT(strstr(said, "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=/,mems_allowed="));
	EXPECT(killed_nr == 1 && was_killed(&p[0]));
	for_each_online_node(nid)
		node_set(nid, &nodes);
	said = ask(&ordinary, NULL);
	EXPECT(strstr(said, "oom-kill:constraint=CONSTRAINT_NONE,"));
	EXPECT(was_killed(&p[3]));
	register_task_ops(&disjoint);
	end(4);
	/* Who may have nothing of where it is short does not help. */
	ASSERT(begin(2, (const unsigned int[]){ 60, 10 }));
	memset(&nodes, 0, sizeof(nodes));
	node_set(MAX_NUMNODES - 1, &nodes);
	register_task_ops(&disjoint);
	ask(&ordinary, NULL);
	EXPECT(killed_nr == 1 && was_killed(&p[1]));
	end(2);
}

static bool is_member(const struct oom_group *group, const struct mm_task *task)
{
	(void)group;
	return task == &p[1].task || task == &p[2].task;
}

TEST(oom, a_group_is_over_its_limit)
{
	static const struct oom_group group = { "/jobs", 64, is_member };
	const char *said;
	char line[160];
	bool again;

	ASSERT(begin(3, (const unsigned int[]){ 60, 10, 20 }));
	test_capture_begin();
	again = out_of_group_memory(&ordinary, &group);
	said = test_capture_end();
	EXPECT(again && killed_nr == 1 && was_killed(&p[2]));
	octavo_snprintf(line, sizeof(line), ",oom_memcg=/jobs,task_memcg=/jobs,task=%s,pid=%d,uid=1000\n",
			p[2].task.comm, p[2].task.pid);
	EXPECT(strstr(said, "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed="));
	EXPECT(strstr(said, line));
	EXPECT(strstr(said, "\n[ ") || strstr(said, "Tasks state"));
	EXPECT(!strstr(said, "Mem-Info"));
	EXPECT(strstr(said, "Memory cgroup out of memory: Killed process "));
	test_capture_begin();
	again = out_of_group_memory(&ordinary, &group) && out_of_group_memory(&ordinary, &group);
	EXPECT(strstr(test_capture_end(), "Out of memory and no killable processes...\n"));
	EXPECT(!again && killed_nr == 2);
	end(3);
}

TEST(oom, a_process_is_met_once)
{
	struct mm_task threads[3];
	unsigned int met = 0, all = 0;

	ASSERT(begin(2, (const unsigned int[]){ 1, 1 }));
	for (unsigned int i = 0; i < 3; i++)
		test_thread_make(&threads[i], &p[0]);
	task_list_lock();
	for (u32 walk = task_walk(), round = 0; round < 1; round++)
		for (struct mm_task *t = process_after(NULL, walk); t; t = process_after(t, walk))
			met++;
	for_each_task(t)
		all++;
	task_list_unlock();
	EXPECT_EQ(met, 2);
	EXPECT_EQ(all, 5);
	/* A process without its first thread is still one. */
	test_process_exit(&p[0]);
	task_list_lock();
	EXPECT(process_after(NULL, task_walk()) == &p[1].task);
	EXPECT(task_after(&p[1].task) == &threads[0]);
	task_list_unlock();
	for (unsigned int i = 0; i < 3; i++)
		test_thread_exit(&threads[i]);
	test_process_exit(&p[1]);
	task_list_lock();
	EXPECT(!task_after(NULL));
	task_list_unlock();
	register_task_ops(NULL);
}
