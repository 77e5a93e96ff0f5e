// SPDX-License-Identifier: MIT
/*
 * Two threads of one process on two CPUs, page by page: one reads a page that a child shares, so that its CPU knows it;
 * the other one's store makes a copy. From then on the first reads the copy, and no CPU of the process leads to the
 * page that was (cow.c, exchange_begin()).
 */
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/sync/atomic.h"
#include "tasks.h"

#define PLACE ((uintptr_t)0x40000000)
#define PAGES 40u
#define RW (PROT_READ | PROT_WRITE)

static struct test_process parent __memsys, child __memsys;
static struct mm_task thread[2] __memsys;
static unsigned int turn __memsys, stale __memsys, refused __memsys;

static uintptr_t page_at(unsigned int i)
{
	return PLACE + (uintptr_t)i * PAGE_SIZE;
}

static void wait_for(unsigned int n)
{
	while (load_acquire(&turn) != n)
		port_cpu_relax();
}

static void next(void)
{
	store_release(&turn, turn + 1);
}

static unsigned long look(unsigned int i)
{
	unsigned long value = 0;

	if (test_user_read(page_at(i), &value, sizeof(value)) != sizeof(value))
		(void)atomic_fetch_add(&refused, 1);
	return value;
}

/* Turn 3i: CPU 1 reads; 3i + 1: CPU 0 writes; 3i + 2: CPU 1 reads again. */
static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	test_switch(&thread[cpu]);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (cpu == 0) {
			unsigned long value = 1000 + i;

			wait_for(3 * i + 1);
			if (test_user_write(page_at(i), &value, sizeof(value)) != sizeof(value))
				(void)atomic_fetch_add(&refused, 1);
			next();
			continue;
		}
		wait_for(3 * i);
		if (look(i) != i)
			(void)atomic_fetch_add(&stale, 1);
		next();
		wait_for(3 * i + 2);
		if (look(i) != 1000 + i)
			(void)atomic_fetch_add(&stale, 1);
		next();
	}
	test_switch(NULL);
}

TEST(cow_cpus, a_copy_is_seen_by_all_cpus_of_the_process)
{
	turn = stale = refused = 0;
	ASSERT(test_process_start(&parent));
	ASSERT(test_map(PLACE, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED));
	for (unsigned int i = 0; i < PAGES; i++)
		test_user_put(page_at(i), i);
	ASSERT(test_process_fork(&child, &parent));
	for (unsigned int i = 0; i < 2; i++)
		test_thread_make(&thread[i], &parent);
	test_switch(NULL);
	EXPECT_EQ(hosted_run_cpus(2, work, NULL), 0);
	EXPECT_EQ(stale, 0);
	EXPECT_EQ(refused, 0);
	test_switch(&child.task);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(test_user_get(page_at(i)), i);
	test_process_exit(&child);
	for (unsigned int i = 0; i < 2; i++)
		test_thread_exit(&thread[i]);
	test_process_exit(&parent);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
