// SPDX-License-Identifier: MIT
/*
 * Pages of a process go to swap while its other threads have them in use on other CPUs: each CPU is told once for all
 * pages of a list (mm/reclaim/shrink.c, late), and no store of theirs gets lost between the unmapping and the writing.
 */
#include <octavo/verify.h>

#include "hosted.h"
#include "mm/phys/vmstat.h"
#include "mm/pgtable/tlb.h"
#include "mm/sync/atomic.h"
#include "swapper.h"
#include "tasks.h"

#define PLACE ((uintptr_t)0x40000000)
#define PAGES 64ul
#define LISTS (PAGES / 32) /* SWAP_CLUSTER_MAX */
#define CPUS 3u
#define RW (PROT_READ | PROT_WRITE)
#define DEV "/dev/ram0"

static struct test_process p __memsys;
static struct mm_task thread[CPUS] __memsys;
static struct bdev *disk;
static u32 stage, done;
static unsigned int wrong;
static unsigned long calls, received, freed, counted[CPUS];

/* CPU @cpu's word of page @i. */
static uintptr_t word_at(unsigned long i, unsigned int cpu)
{
	return PLACE + i * PAGE_SIZE + cpu * sizeof(unsigned long);
}

static void expect_word(unsigned long i, unsigned int cpu, unsigned long value)
{
	unsigned long is = ~value;

	if (test_user_read(word_at(i, cpu), &is, sizeof(is)) != sizeof(is) || is != value)
		(void)atomic_fetch_add(&wrong, 1);
}

static void put_word(unsigned long i, unsigned int cpu, unsigned long value)
{
	if (test_user_write(word_at(i, cpu), &value, sizeof(value)) != sizeof(value))
		(void)atomic_fetch_add(&wrong, 1);
}

static void meet(u32 n)
{
	(void)atomic_fetch_add(&stage, 1);
	while (load_acquire(&stage) < n)
		port_cpu_relax();
}

static unsigned long page_all_out(void)
{
	unsigned long out = vm_event_sum(PSWPOUT);

	if (ksys_madvise(PLACE, PAGES * PAGE_SIZE, MADV_PAGEOUT))
		(void)atomic_fetch_add(&wrong, 1);
	return vm_event_sum(PSWPOUT) - out;
}

static bool begin(void)
{
	stage = done = 0;
	wrong = 0;
	freed = 0;
	memset(counted, 0, sizeof(counted));
	disk = swapper_disk("ram0", 4 * PAGES);
	if (!disk || swapper_on(disk, DEV, 0) || !test_process_start(&p) ||
	    !test_map(PLACE, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED))
		return false;
	/* All of this CPU's node: lists are of one. */
	for (unsigned long i = 0; i < PAGES; i++)
		test_user_put(word_at(i, 0), 0);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		test_thread_make(&thread[cpu], &p);
	test_switch(NULL);
	return true;
}

static void end(void)
{
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(tlb_verify(true, test_finding, NULL), 0);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		test_thread_exit(&thread[cpu]);
	test_process_exit(&p);
	EXPECT_EQ(swapoff_path(DEV), 0);
	brd_destroy(disk);
	expect_verified();
}

/* All CPUs know all pages; CPU 0 gives them up; all find them as they were. */
static void give_up(unsigned int cpu, void *ctx)
{
	(void)ctx;
	test_switch(&thread[cpu]);
	for (unsigned long i = 0; i < PAGES; i++)
		put_word(i, cpu, i * CPUS + cpu);
	meet(CPUS);
	if (!cpu) {
		calls = vm_event_sum(NR_TLB_REMOTE_FLUSH);
		received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED);
		freed = page_all_out();
		calls = vm_event_sum(NR_TLB_REMOTE_FLUSH) - calls;
		received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
	}
	meet(2 * CPUS);
	for (unsigned long i = 0; i < PAGES; i++)
		expect_word(i, cpu, i * CPUS + cpu);
	test_switch(NULL);
}

TEST(shrink_cpus, each_is_told_once_for_a_list)
{
	ASSERT(begin());
	EXPECT_EQ(hosted_run_cpus(CPUS, give_up, NULL), 0);
	EXPECT_EQ(freed, PAGES);
	EXPECT_EQ(calls, LISTS);
	EXPECT_EQ(received, LISTS * (CPUS - 1));
	end();
}

/* All but CPU 0 count in each page, and never find less than they counted. */
static void count(unsigned int cpu)
{
	for (unsigned long n = 1; !load_acquire(&done); n++) {
		for (unsigned long i = 0; i < PAGES; i++) {
			expect_word(i, cpu, n - 1);
			put_word(i, cpu, n);
		}
		store_release(&counted[cpu], n);
	}
}

/* CPU 0 gives up all pages again and again, which the others have got back meanwhile. */
static void take_away(void)
{
	for (unsigned int n = test_scaled(100) + 2; n; n--) {
		unsigned long before[CPUS];

		for (unsigned int cpu = 1; cpu < CPUS; cpu++)
			before[cpu] = load_acquire(&counted[cpu]);
		freed += page_all_out();
		for (unsigned int cpu = 1; cpu < CPUS; cpu++)
			while (load_acquire(&counted[cpu]) < before[cpu] + 2)
				port_cpu_relax();
	}
	store_release(&done, 1u);
}

static void give_and_take(unsigned int cpu, void *ctx)
{
	(void)ctx;
	test_switch(&thread[cpu]);
	if (cpu)
		count(cpu);
	else
		take_away();
	meet(CPUS); /* whoever is done goes on answering calls */
	test_switch(NULL);
}

TEST(shrink_cpus, no_store_is_lost)
{
	ASSERT(begin());
	EXPECT_EQ(hosted_run_cpus(CPUS, give_and_take, NULL), 0);
	EXPECT(freed > PAGES);
	test_switch(&thread[0]);
	for (unsigned long i = 0; i < PAGES; i++)
		for (unsigned int cpu = 1; cpu < CPUS; cpu++)
			expect_word(i, cpu, counted[cpu]);
	test_switch(NULL);
	end();
}
