// SPDX-License-Identifier: MIT
/* Which CPUs are interrupted for an unmapping, and how often, counted where the interrupts arrive. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/vmalloc.h>

#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "pgtfixture.h"
#include "smp.h"

#define ROUNDS 64u

static struct {
	struct mm_struct *mm;
	u32 running, stop;
} other __memsys; /* goes back with the machine */

/* A process on another CPU. */
static void run_process(void *arg)
{
	(void)arg;
	switch_mm(other.mm);
	store_release(&other.running, 1);
	while (!load_acquire(&other.stop))
		cpu_pause();
	switch_mm(&init_mm);
}

static bool start_process(void)
{
	memset(&other, 0, sizeof(other));
	other.mm = mm_alloc(GFP_KERNEL);
	if (!other.mm || smp_run(1, run_process, NULL))
		return false;
	while (!load_acquire(&other.running))
		cpu_pause();
	return true;
}

static void stop_process(void)
{
	store_release(&other.stop, 1);
	smp_wait(1);
	mmput(other.mm);
}

/* Map a page and take it away, which has to be told to the CPU that runs there and to none else. */
TEST(shootdown, of_a_process_reaches_the_cpus_that_run_it)
{
	unsigned long sent, received, pages = 0;

	if (num_online_cpus() < 3)
		SKIP("%u CPUs: one unmaps, one runs, and one is left alone", num_online_cpus());
	ASSERT(start_process());
	sent = vm_event_sum(NR_TLB_REMOTE_FLUSH);
	received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED);
	for (; pages < ROUNDS; pages++) {
		struct page *page = alloc_page(GFP_KERNEL);

		ASSERT(page);
		ASSERT(!pgt_map_range(other.mm, PGT_TEST_USER, PFN_PHYS(page_to_pfn(page)), PAGE_SIZE, PAGE_SHARED, 0,
				      GFP_KERNEL));
		ASSERT(!pgt_test_unmap(other.mm, PGT_TEST_USER, PAGE_SIZE));
		put_page(page);
	}
	sent = vm_event_sum(NR_TLB_REMOTE_FLUSH) - sent;
	received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
	printk("shoot-downs: %lu unmappings of a process, %lu sent, %lu received\n", pages, sent, received);
	EXPECT_EQ(sent, ROUNDS);
	EXPECT_EQ(received, ROUNDS);
	stop_process();
}

/* vfree() is lazy: over a thousand areas go with one interrupt of all others. */
#define AREAS 4096u
#define AREA_PAGES 16u

TEST(shootdown, of_vmalloc_is_batched)
{
	unsigned int others = num_online_cpus() - 1;
	unsigned long sent = vm_event_sum(NR_TLB_REMOTE_FLUSH), received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED);

	if (!others)
		SKIP("one CPU: none to shoot at");
	for (unsigned int i = 0; i < AREAS; i++) {
		void *p = vmalloc(AREA_PAGES * PAGE_SIZE);

		ASSERT(p);
		vfree(p);
	}
	sent = vm_event_sum(NR_TLB_REMOTE_FLUSH) - sent;
	received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
	printk("shoot-downs: %u areas of %u pages, %lu sent, %lu received by %u CPUs\n", AREAS, AREA_PAGES, sent,
	       received, others);
	EXPECT(sent && sent <= AREAS / 512);
	EXPECT_EQ(received, sent * others);
}
