// SPDX-License-Identifier: MIT
/*
 * A process is killed for its memory while its threads go on reading and writing, fork and exit: whoever reads finds
 * what was written, or nothing at all, never a page of zeros where something was. Interleaved by a seed; and a reaper
 * with a thread of its own, for a victim that does not end.
 */
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "crew.h"
#include "mm/phys/slowpath.h"
#include "mm/reclaim/oom.h"
#include "mm/sync/atomic.h"
#include "mm/vm/vm.h"

#define PLACE ((uintptr_t)0x40000000)
#define PAGES 12u
#define RW (PROT_READ | PROT_WRITE)

static bool written[PAGES] __memsys; /* (a) */
static unsigned int kills, lost;

static void note_kill(struct mm_task *task)
{
	(void)task;
	(void)atomic_fetch_add(&kills, 1);
}

static const struct task_ops ops = { .kill = note_kill };

static uintptr_t page_at(unsigned int i)
{
	return PLACE + i * PAGE_SIZE;
}

static unsigned long value_of(unsigned int i)
{
	return 0x5a000000ul + i;
}

static void set_up(void *ctx)
{
	(void)ctx;
	crew = (struct crew){ .wrong = NULL };
	register_task_ops(&ops);
	if (!test_process_start(&crew.parent) ||
	    test_map(PLACE, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED) != PLACE) {
		crew.wrong = "there is no process";
		return;
	}
	crew_hire();
}

static void write_page(unsigned int i)
{
	unsigned long value = value_of(i);

	if (test_user_write(page_at(i), &value, sizeof(value)) == sizeof(value))
		store_release(&written[i], true);
}

/* @was: it had been written before what is read now came to be. */
static void read_page(unsigned int i, bool was)
{
	unsigned long got = 0;

	if (test_user_read(page_at(i), &got, sizeof(got)) != sizeof(got))
		(void)atomic_fetch_add(&lost, 1);
	else if (was ? got != value_of(i) : got && got != value_of(i))
		crew.wrong = "a page of a victim's has other bytes than were written";
}

/* A child has what there was when it came; what its parent's other threads write from then on is not its. */
static void fork_once(unsigned int cpu)
{
	struct test_process child;
	bool was[PAGES];

	for (unsigned int i = 0; i < PAGES; i++)
		was[i] = load_acquire(&written[i]);
	if (!test_process_fork(&child, &crew.parent))
		return;
	test_switch(&child.task);
	for (unsigned int i = 0; i < PAGES; i++)
		read_page(i, was[i]);
	test_switch(&crew.thread[cpu]);
	test_process_exit(&child);
}

static void step(unsigned int cpu, u64 *chance)
{
	unsigned int what = (unsigned int)(test_random(chance) % 16), i = (unsigned int)(test_random(chance) % PAGES);

	if (what < 7)
		write_page(i);
	else if (what < 15)
		read_page(i, load_acquire(&written[i]));
	else
		fork_once(cpu);
}

static void kill_it(void)
{
	static const struct reclaim_request request = { .gfp = GFP_KERNEL, .nid = NUMA_NO_NODE,
							.highest = (enum zone_type)(MAX_NR_ZONES - 1) };

	mutex_lock(&oom_lock);
	/* What the child has is to go on. */
	crew.parent.process.oom_score_adj = 1000;
	(void)out_of_memory(&request);
	mutex_unlock(&oom_lock);
}

/* The last CPU's does no more than to wait for its time. */
static void step_of_killer(unsigned int cpu, u64 *chance)
{
	(void)cpu;
	for (u64 n = test_random(chance) % 200; n; n--)
		port_cpu_relax();
	kill_it();
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	if (crew.wrong)
		return;
	if (cpu + 1 < CPUS)
		crew_work(cpu, 40, step);
	else
		crew_work(cpu, 1, step_of_killer);
}

static bool check(void *ctx)
{
	(void)ctx;
	test_capture_begin();
	/* What was in its way then is not any more. */
	oom_reap();
	(void)test_capture_end();
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		test_thread_exit(&crew.thread[cpu]);
	test_process_exit(&crew.parent);
	register_task_ops(NULL);
	if (oom_victim_dying())
		crew.wrong = "a victim that has ended is waited for";
	if (!crew.wrong && mm_verify(NULL, NULL))
		crew.wrong = "the machine has findings";
	if (crew.wrong)
		test_fail(__FILE__, __LINE__, "%s", crew.wrong);
	return !crew.wrong;
}

static const struct scenario scenario = { .cpus = CPUS, .setup = set_up, .work = work, .check = check };

TEST(oom_sched, threads_of_a_victim_never_read_zeros)
{
	kills = lost = 0;
	scenario_test(&scenario, test_scaled(60));
	EXPECT(kills >= test_scaled(30));
	EXPECT(lost > 0);
}

/* ---- A reaper with a thread ---- */

#define AT ((uintptr_t)0x10000000)

TEST(oom_sched, a_thread_takes_what_a_victim_does_not_give)
{
	static struct test_process p[2];
	const char *said;

	ASSERT(!hosted_boot(hosted_default_machine(),
			    &(struct hosted_options){ .cpus = 2, .quiet = true, .threads = true }));
	mm_free_initmem();
	kills = 0;
	register_task_ops(&ops);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT(test_process_start(&p[i]));
		ASSERT(test_map(AT, 64 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED));
		ASSERT(test_user_fill(AT, (i + 1) * 20 * PAGE_SIZE, 1));
	}
	test_switch(NULL);
	test_capture_begin();
	kill_it();
	EXPECT(kills == 1 && oom_victim_dying());
	EXPECT_EQ((long)oom_rss(p[1].task.mm), 40);
	for (unsigned int i = 0; i < 500 && oom_victim_dying(); i++)
		port_park(10000000);
	said = test_capture_end();
	EXPECT(strstr(said, "oom_reaper: reaped process "));
	EXPECT(!oom_victim_dying());
	EXPECT_EQ((long)oom_rss(p[1].task.mm), 0);
	test_process_exit(&p[0]);
	test_process_exit(&p[1]);
	register_task_ops(NULL);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
