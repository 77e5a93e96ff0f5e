// SPDX-License-Identifier: MIT
/*
 * Machines that run out of memory for good: somebody ends, the others go on, every page is back afterwards. And its
 * reports, beside real ones (OCTAVO_SHARED/oom): the same lines in the same order with the same columns.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <octavo/page.h>
#include <octavo/preempt.h>
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/slowpath.h"
#include "mm/phys/watermark.h"
#include "mm/phys/zone.h"
#include "mm/reclaim/oom.h"
#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "mm/vm/vm.h"
#include "schedules.h"
#include "tasks.h"

#define AT ((uintptr_t)0x10000000)
#define RW (PROT_READ | PROT_WRITE)
#define FIXED (MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE)
#define CPUS 4u
#define RAM (16u << 20)

static unsigned int kills;
static s32 killed_last;
static struct test_process p[8];

static void note_kill(struct mm_task *task)
{
	atomic_fetch_add(&kills, 1);
	killed_last = task->tgid;
}

static const char *own_name(void)
{
	return current_task()->comm;
}

static long own_number(void)
{
	return current_task()->pid;
}

static u32 own_user(void)
{
	return current_task()->process->ruid;
}

static const struct task_ops ops = { .name = own_name, .pid = own_number, .uid = own_user, .release = "6.12.0 #1",
				     .kill = note_kill };

static const struct bootinfo_range small_map[] = { { 0x100000, RAM, E820_TYPE_RAM } };

static bool boot(unsigned int cpus)
{
	const struct bootinfo info = { .arch = hosted_default_machine()->arch, .map = small_map, .map_nr = 1,
				       .cmdline = "" };

	kills = 0;
	if (hosted_boot(&info, &(struct hosted_options){ .cpus = cpus, .quiet = true }))
		return false;
	register_task_ops(&ops);
	return true;
}

static void all_exit(unsigned int nr)
{
	test_switch(NULL);
	for (unsigned int i = 0; i < nr; i++)
		if (p[i].task.mm)
			test_process_exit(&p[i]);
	register_task_ops(NULL);
	EXPECT(!oom_victim_dying());
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* Writes page after page. Return: how many it got to. */
static size_t hog(size_t most)
{
	u8 byte = 0x5a;
	size_t n = 0;

	while (n < most && test_user_write(AT + n * PAGE_SIZE, &byte, 1) == 1)
		n++;
	return n;
}

#define MUCH (64u << 20)

TEST(oom_host, a_hog_ends_and_a_small_one_goes_on)
{
	const char *said;
	size_t got;

	ASSERT(boot(1));
	ASSERT(test_process_start(&p[0]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	ASSERT(test_user_fill(AT, 64 * PAGE_SIZE, 3));
	ASSERT(test_process_start(&p[1]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	test_capture_begin();
	got = hog(MUCH / PAGE_SIZE);
	said = test_capture_end();
	EXPECT(got > RAM / PAGE_SIZE / 2 && got < RAM / PAGE_SIZE);
	EXPECT(kills == 1 && killed_last == p[1].task.tgid);
	EXPECT(strstr(said, "Out of memory: Killed process "));
	test_switch(&p[0].task);
	EXPECT(test_user_all(AT, 64 * PAGE_SIZE, 3));
	/* What the other had, this one can have. */
	test_process_exit(&p[1]);
	EXPECT_EQ(hog(got - 128), got - 128);
	EXPECT_EQ(kills, 1);
	all_exit(1);
}

/* The hog is not who asks: memory that a sleeping process has comes free without it. */
TEST(oom_host, a_sleeping_hog_gives_room)
{
	ASSERT(boot(1));
	ASSERT(test_process_start(&p[0]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	ASSERT(hog(2500) == 2500);
	ASSERT(test_process_start(&p[1]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	test_capture_begin();
	EXPECT_EQ(hog(2000), 2000);
	EXPECT(strstr(test_capture_end(), "oom_reaper: reaped process "));
	EXPECT(kills == 1 && killed_last == p[0].task.tgid);
	all_exit(2);
}

TEST(oom_host, kernel_memory_of_a_process_that_may_not_be_killed)
{
	struct page *pages[RAM / PAGE_SIZE], *page;
	unsigned int nr = 0;

	ASSERT(boot(1));
	ASSERT(test_process_start(&p[0]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	ASSERT(hog(1000) == 1000);
	test_switch(NULL);
	/* Neither those that may fail, nor large ones, nor for one node only, are anybody's death. */
	while ((page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)))
		pages[nr++] = page;
	EXPECT(!alloc_page(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN));
	EXPECT(!alloc_pages(GFP_KERNEL | __GFP_NOWARN, 4));
	EXPECT(!alloc_page(GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN));
	EXPECT(!alloc_page(GFP_NOWAIT | __GFP_NOWARN));
	EXPECT_EQ(kills, 0);
	test_capture_begin();
	page = alloc_page(GFP_KERNEL);
	EXPECT(strstr(test_capture_end(), "swapper/0 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, ") ||
	       page);
	EXPECT(page && kills == 1);
	if (page)
		__free_page(page);
	while (nr)
		__free_page(pages[--nr]);
	all_exit(1);
}

/* Half of what others leave, and then no: neither does it wait, nor is anybody killed for it. */
TEST(oom_host, a_victim_has_half_of_the_reserves)
{
	unsigned long reserve = 0, left = 0;
	struct page *page, *list = NULL;

	ASSERT(boot(1));
	ASSERT(test_process_start(&p[0]));
	ASSERT(test_process_make(&p[1]));
	while ((page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN))) {
		page->mapping_index = (uintptr_t)list;
		list = page;
	}
	p[0].task.fatal_signal = 9;
	p[0].task.oom_victim = 1;
	while ((page = alloc_page(GFP_KERNEL | __GFP_NOWARN))) {
		page->mapping_index = (uintptr_t)list;
		list = page;
	}
	for_each_populated_zone(zone) {
		reserve += min_wmark_pages(zone);
		left += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	}
	EXPECT(left <= reserve / 2 + reserve / 8 + 8 && left > reserve / 4);
	EXPECT_EQ(kills, 0);
	while (list) {
		page = list;
		list = (struct page *)(uintptr_t)page->mapping_index;
		page->mapping_index = 0;
		__free_page(page);
	}
	all_exit(2);
}

/* ---- Nobody is left ---- */

static jmp_buf out;

static void leave_panic(const char *why)
{
	(void)why;
	longjmp(out, 1);
}

/* What is said until the machine stops. */
static const char *until_panic(const char *file, int line, void (*work)(void))
{
	void (*hook)(const char *why) = hosted_panic_hook;
	const char *said;
	volatile bool stopped = true;

	hosted_panic_hook = leave_panic;
	test_capture_begin();
	if (!setjmp(out)) {
		work();
		stopped = false;
	}
	said = test_capture_end();
	hosted_panic_hook = hook;
	if (!stopped)
		test_fail(file, line, "it goes on");
	return said;
}

static void hog_all(void)
{
	(void)hog(MUCH / PAGE_SIZE);
}

TEST(oom_host, nobody_to_kill_is_the_end)
{
	const char *said;

	ASSERT(boot(1));
	ASSERT(test_process_start(&p[0]));
	ASSERT(test_map(AT, MUCH, RW, FIXED));
	p[0].process.oom_score_adj = -1000;
	said = until_panic(__FILE__, __LINE__, hog_all);
	EXPECT(strstr(said, "Out of memory and no killable processes...\n"));
	EXPECT(strstr(said, "Kernel panic - not syncing: System is deadlocked on memory\n"));
	EXPECT_EQ(kills, 0);
	hosted_reset();
}

TEST(oom_host, panic_on_oom)
{
	static const char *const why[] = {
		"Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n",
		"Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n",
	};

	for (int how = 1; how <= 2; how++) {
		const char *said;

		ASSERT(boot(1));
		sysctl_panic_on_oom = how;
		ASSERT(test_process_start(&p[0]));
		ASSERT(test_map(AT, MUCH, RW, FIXED));
		said = until_panic(__FILE__, __LINE__, hog_all);
		EXPECT(strstr(said, why[how - 1]));
		EXPECT(strstr(said, "Tasks state (memory values in pages):"));
		EXPECT(!strstr(said, "oom-kill:"));
		EXPECT_EQ(kills, 0);
		hosted_reset();
	}
}

/* ---- Several CPUs ---- */

static void cpu_hog(unsigned int cpu, void *ctx)
{
	struct test_process *mine = &p[cpu];

	(void)ctx;
	for (unsigned int round = 0; round < 3; round++) {
		uintptr_t at = AT;

		if (!test_process_start(mine))
			continue;
		if (test_map(at, MUCH, RW, FIXED))
			(void)hog(MUCH / PAGE_SIZE);
		test_process_exit(mine);
	}
}

/* All want all there is, at once. Each ends by being killed, and nobody waits for ever. */
TEST(oom_host, several_cpus_at_once)
{
	ASSERT(boot(CPUS));
	test_capture_begin();
	EXPECT_EQ(hosted_run_cpus(CPUS, cpu_hog, NULL), 0);
	(void)test_capture_end();
	EXPECT(kills >= CPUS && kills <= 4 * CPUS);
	all_exit(0);
}
