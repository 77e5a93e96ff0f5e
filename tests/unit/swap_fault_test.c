// SPDX-License-Identifier: MIT
/* Pages of programs out to swap and back: faults, fork, zap, advice, moves, swapoff, errors of the device. */
#include <octavo/fault.h>
#include <octavo/pagemap.h>

#include "fault.h"
#include "flaky.h"
#include "mm/phys/vmstat.h"
#include "mm/vm/gup.h"
#include "mm/vm/rmap.h"
#include "mm/vm/vm.h"
#include "pageout.h"
#include "swapper.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)
#define DEV "/dev/ram0"

static struct test_process p, q;
static struct bdev *disk;

/* A swap area of @slots, and a process with @pages of private memory, which @at points at. */
static bool begin(unsigned long slots, unsigned int pages, uintptr_t *at)
{
	disk = swapper_disk("ram0", slots);
	if (!disk || swapper_on(disk, DEV, 0) || !test_process_start(&p))
		return false;
	*at = test_map(0, pages * PAGE_SIZE, RW, MAP_PRIVATE);
	return *at != 0;
}

/* Nobody is left: every slot is free without swapoff's help, and nothing stays in the cache. */
static void end(void)
{
	expect_verified();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 0);
	EXPECT_EQ(swapoff_path(DEV), 0);
	expect_verified();
	brd_destroy(disk);
}

static bool swapped(uintptr_t addr)
{
	pgt_entry_t e = test_user_entry(addr);

	return pgt_is_swap(e) && !non_swap_entry(pte_to_swp_entry(__pte(e)));
}

static bool exclusive(uintptr_t addr)
{
	return pgt_swap_exclusive(test_user_entry(addr));
}

static unsigned long out(uintptr_t addr, unsigned int pages)
{
	return pageout_range(current_task()->mm, addr, pages * PAGE_SIZE);
}

static long counted(unsigned int which)
{
	return get_mm_counter(current_task()->mm, which);
}

/* Each page has its number in it, times @factor. */
static void write_numbers(uintptr_t at, unsigned int pages, unsigned long factor)
{
	for (unsigned int i = 0; i < pages; i++)
		test_user_put(at + i * PAGE_SIZE + 8 * i, (i + 1) * factor);
}

static void expect_numbers(uintptr_t at, unsigned int pages, unsigned long factor)
{
	for (unsigned int i = 0; i < pages; i++)
		EXPECT_EQ(test_user_get(at + i * PAGE_SIZE + 8 * i), (i + 1) * factor);
}

/* SE-I1, SE-I2, FA-I1: out, where nothing of it is in memory, and back by reads and writes. */
TEST(swap_fault, there_and_back)
{
	unsigned long in = vm_event_sum(PSWPIN), major;
	uintptr_t m;

	ASSERT(begin(200, 32, &m));
	write_numbers(m, 32, 7);
	EXPECT_EQ(out(m, 32), 32);
	EXPECT(swapped(m) && swapped(m + 31 * PAGE_SIZE) && exclusive(m));
	EXPECT_EQ(counted(MM_SWAPENTS), 32);
	EXPECT_EQ(counted(MM_ANONPAGES), 0);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 32);
	/* When it went is noted, for when it comes back. */
	EXPECT(slot_shadow(whole_load(slot_word(pte_to_swp_entry(__pte(test_user_entry(m)))))) != 0);
	expect_verified();
	major = p.task.maj_flt;
	/* Read: the slot is kept, and the page goes again without being written. */
	EXPECT_EQ(test_user_get(m), 7);
	EXPECT(p.task.maj_flt > major);
	EXPECT(vm_event_sum(PSWPIN) > in);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 32);
	EXPECT(pgt_write(0, test_user_entry(m)) && !pgt_dirty(0, test_user_entry(m)));
	expect_verified();
	{
		unsigned long written = disk->ios[1];

		EXPECT_EQ(out(m, 1), 1);
		EXPECT_EQ(disk->ios[1], written);
	}
	/* Written to, it has none any more. */
	test_user_put(m + PAGE_SIZE, 1);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE + 8), 14);
	expect_verified();
	expect_numbers(m, 32, 7);
	EXPECT_EQ(counted(MM_SWAPENTS), 0);
	EXPECT_EQ(counted(MM_ANONPAGES), 32);
	EXPECT_EQ(out(m, 32), 32);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 1);
	expect_numbers(m, 32, 7);
	/* By entries that can be written already, and by faults. */
	EXPECT_EQ(out(m, 16), 16);
	write_numbers(m, 32, 9);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 16);
	EXPECT_EQ(out(m, 32), 32);
	expect_numbers(m, 32, 9);
	EXPECT_EQ(out(m, 16), 16);
	expect_verified();
	test_process_exit(&p);
	end();
}

/* A tree of processes: a slot that several have, and copies once one of them writes. */
TEST(swap_fault, fork_shares_slots)
{
	swp_entry_t slot;
	uintptr_t m;

	ASSERT(begin(200, 8, &m));
	write_numbers(m, 8, 5);
	EXPECT_EQ(out(m, 8), 8);
	ASSERT(test_process_fork(&q, &p));
	/* The table is shared: the entries count once. */
	slot = pte_to_swp_entry(__pte(test_user_entry(m)));
	EXPECT_EQ(swap_count(slot), 1);
	expect_verified();
	/* The parent's is its own now. */
	test_user_put(m, 100);
	EXPECT_EQ(counted(MM_SWAPENTS), 7);
	EXPECT(!exclusive(m + PAGE_SIZE));
	EXPECT_EQ(swap_count(pte_to_swp_entry(__pte(test_user_entry(m + PAGE_SIZE)))), 2);
	expect_verified();
	test_switch(&q.task);
	EXPECT_EQ(test_user_get(m), 5);
	expect_numbers(m, 8, 5);
	EXPECT(!pgt_write(0, test_user_entry(m + PAGE_SIZE)));
	test_user_put(m + 2 * PAGE_SIZE, 3);
	expect_verified();
	EXPECT(out(m, 8) > 0);
	expect_verified();
	test_switch(&p.task);
	EXPECT_EQ(test_user_get(m), 100);
	for (unsigned int i = 1; i < 8; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE + 8 * i), (i + 1) * 5);
	EXPECT_EQ(test_user_get(m + 2 * PAGE_SIZE), 0);
	expect_verified();
	test_process_exit(&p);
	test_switch(&q.task);
	EXPECT_EQ(test_user_get(m + 2 * PAGE_SIZE), 3);
	/* The last holder writes to the page itself. */
	EXPECT_EQ(out(m, 8), 1);
	test_user_put(m + 4 * PAGE_SIZE, 1);
	EXPECT(pgt_write(0, test_user_entry(m + 4 * PAGE_SIZE)));
	expect_verified();
	test_process_exit(&q);
	end();
}

/* While a table is shared its pages go for all who share it, and come back to each. */
TEST(swap_fault, out_of_a_shared_table)
{
	uintptr_t m;

	ASSERT(begin(200, 8, &m));
	write_numbers(m, 8, 5);
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(out(m, 8), 8);
	EXPECT_EQ(counted(MM_SWAPENTS), 8);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 8);
	expect_verified();
	test_switch(&q.task);
	EXPECT_EQ(counted(MM_SWAPENTS), 8);
	EXPECT_EQ(counted(MM_ANONPAGES), 0);
	expect_numbers(m, 8, 5);
	expect_verified();
	test_process_exit(&q);
	expect_verified();
	test_switch(&p.task);
	expect_numbers(m, 8, 5);
	EXPECT_EQ(out(m, 8), 8);
	ASSERT(test_process_fork(&q, &p));
	/* Both leave the table as it is. */
	test_process_exit(&p);
	expect_verified();
	test_process_exit(&q);
	end();
}

/* munmap, MADV_DONTNEED, MADV_FREE give slots back; MADV_WILLNEED brings pages near. */
TEST(swap_fault, advice)
{
	unsigned long major;
	uintptr_t m;

	ASSERT(begin(200, 16, &m));
	write_numbers(m, 16, 3);
	EXPECT_EQ(out(m, 16), 16);
	EXPECT_EQ(ksys_madvise(m, 4 * PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 12);
	EXPECT_EQ(ksys_madvise(m + 4 * PAGE_SIZE, 4 * PAGE_SIZE, MADV_FREE), 0);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 8);
	EXPECT_EQ(counted(MM_SWAPENTS), 8);
	EXPECT(test_user_all(m, 8 * PAGE_SIZE, 0));
	EXPECT_EQ(ksys_munmap(m, 10 * PAGE_SIZE), 0);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 6);
	EXPECT_EQ(ksys_madvise(m + 10 * PAGE_SIZE, 6 * PAGE_SIZE, MADV_WILLNEED), 0);
	EXPECT_EQ(counted(MM_SWAPENTS), 6);
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 6);
	major = p.task.maj_flt;
	for (unsigned int i = 10; i < 16; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE + 8 * i), (i + 1) * 3);
	EXPECT_EQ(p.task.maj_flt, major);
	expect_verified();
	/* A page that has a slot: to be lazily free it has to lose it. */
	EXPECT_EQ(ksys_madvise(m + 10 * PAGE_SIZE, PAGE_SIZE, MADV_FREE), 0);
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 5);
	EXPECT_EQ(test_user_get(m + 10 * PAGE_SIZE + 80), 33);
	test_user_put(m + 10 * PAGE_SIZE, 2);
	EXPECT_EQ(out(m + 10 * PAGE_SIZE, 1), 0);
	EXPECT_EQ(out(m + 10 * PAGE_SIZE, 1), 1);
	EXPECT_EQ(test_user_get(m + 10 * PAGE_SIZE), 2);
	expect_verified();
	test_process_exit(&p);
	end();
}

/* Entries move with mremap, keep what mprotect and mlock ask, and mincore tells where pages are. */
TEST(swap_fault, moved_and_locked)
{
	uintptr_t m, to, vec;
	u8 there[4];

	ASSERT(begin(200, 8, &m));
	vec = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	write_numbers(m, 8, 11);
	EXPECT_EQ(out(m, 8), 8);
	to = (uintptr_t)ksys_mremap(m, 8 * PAGE_SIZE, 16 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	EXPECT_EQ(counted(MM_SWAPENTS), 8);
	EXPECT_EQ(test_user_get(to + 16 * PAGE_SIZE - 8), 0);
	EXPECT_EQ(ksys_mincore(to, 4 * PAGE_SIZE, vec), 0);
	EXPECT_EQ(test_user_read(vec, there, 4), 4);
	EXPECT(!there[0] && !there[3]);
	EXPECT_EQ(ksys_mprotect(to, 2 * PAGE_SIZE, PROT_READ), 0);
	EXPECT_EQ(test_user_get(to), 11);
	EXPECT_REFUSED(to, true, 11, 2);
	EXPECT_EQ(ksys_mincore(to, 4 * PAGE_SIZE, vec), 0);
	EXPECT_EQ(test_user_read(vec, there, 4), 4);
	EXPECT(there[0] && !there[3]);
	expect_verified();
	EXPECT_EQ(ksys_mlock(to, 8 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(counted(MM_SWAPENTS), 0);
	EXPECT_EQ(out(to, 8), 0);
	expect_numbers(to, 8, 11);
	EXPECT_EQ(ksys_munlock(to, 8 * PAGE_SIZE), 0);
	EXPECT_EQ(out(to, 8), 8);
	expect_numbers(to, 8, 11);
	expect_verified();
	test_process_exit(&p);
	end();
}

/* The holder of a reference writes to the page past its entry. */
static void write_held(struct page *page, unsigned long n)
{
	unsigned long *word = kmap_local_page(page);

	*word = n;
	kunmap_local(word);
	SetPageDirty(page);
}

/* FA-I6: who pinned a page has it where it is; a reference alone keeps the page, whatever its entry says. */
TEST(swap_fault, pins_and_references)
{
	struct page *page;
	uintptr_t m;

	ASSERT(begin(200, 2, &m));
	write_numbers(m, 2, 11);
	EXPECT_EQ(pin_user_pages_fast(m, 1, FOLL_WRITE, &page), 1);
	EXPECT_EQ(out(m, 1), 0);
	EXPECT(!swapped(m));
	/* Nor is a slot taken for what cannot go. */
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	unpin_user_pages(&page, 1);
	EXPECT_EQ(get_user_pages_fast(m, 1, FOLL_WRITE, &page), 1);
	EXPECT_EQ(out(m, 1), 0);
	EXPECT(swapped(m));
	/* The same page comes back, with what its holder writes. */
	write_held(page, 4);
	EXPECT_EQ(test_user_get(m), 4);
	put_page(page);
	EXPECT_EQ(out(m, 1), 1);
	EXPECT_EQ(test_user_get(m), 4);
	EXPECT_EQ(out(m, 2), 2);
	/* To pin a page brings it in, and makes it the program's own. */
	EXPECT_EQ(pin_user_pages_fast(m + PAGE_SIZE, 1, 0, &page), 1);
	EXPECT(PageAnonExclusive(page));
	unpin_user_pages(&page, 1);
	expect_verified();
	test_process_exit(&p);
	end();
}

/* FA-I6: a copy that is as in its slot is not dropped while somebody may still write to it, however often it goes. */
TEST(swap_fault, clean_but_held)
{
	struct page *page;
	uintptr_t m;

	ASSERT(begin(200, 1, &m));
	write_numbers(m, 1, 11);
	EXPECT_EQ(get_user_pages_fast(m, 1, FOLL_WRITE, &page), 1);
	/* Written, and so clean. */
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT(swapped(m) && PageSwapCache(page) && !PageDirty(page));
	write_held(page, 4);
	EXPECT_EQ(test_user_get(m), 4);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), 0);
	/* Read alone, and unmapped again: now there is nothing to write. */
	EXPECT_EQ(test_user_get(m), 4);
	EXPECT(PageSwapCache(page) && !PageDirty(page));
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT(swapped(m) && PageSwapCache(page));
	write_held(page, 5);
	EXPECT_EQ(test_user_get(m), 5);
	put_page(page);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT(swapped(m));
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 0);
	EXPECT_EQ(test_user_get(m), 5);
	expect_verified();
	test_process_exit(&p);
	end();
}

static struct flaky flaky;

/* A process with four pages of 3s at *@m, and an area whose device can be told to fail. */
static bool begin_flaky(uintptr_t *m)
{
	flaky = (struct flaky){ 0 };
	disk = swapper_disk("ram0", 100);
	if (!disk || flaky_make(&flaky, "flaky", disk) || swapper_on(&flaky.bdev, DEV, 0) || !test_process_start(&p))
		return false;
	*m = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	write_numbers(*m, 4, 3);
	return true;
}

static void end_flaky(void)
{
	expect_verified();
	flaky_end(&flaky);
	brd_destroy(disk);
}

/* Whoever has none of it does not hear of a slot that cannot be read; swapoff leaves poison. */
TEST(swap_fault, errors_are_the_owners)
{
	uintptr_t m;

	ASSERT(begin_flaky(&m));
	EXPECT_EQ(out(m, 4), 4);
	flaky.bad_first = swp_offset(pte_to_swp_entry(__pte(test_user_entry(m)))) * PAGE_SECTORS;
	flaky.bad_count = PAGE_SECTORS;
	flaky.bad_reads = true;
	flaky.error = -EIO;
	EXPECT_REFUSED(m, false, 7, 2);
	EXPECT_REFUSED(m, true, 7, 2);
	EXPECT(flaky.failed > 0);
	for (unsigned int i = 1; i < 4; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE + 8 * i), (i + 1) * 3);
	expect_verified();
	EXPECT_EQ(out(m + PAGE_SIZE, 3), 3);
	test_capture_begin();
	EXPECT_EQ(swapoff_path(DEV), 0);
	(void)test_capture_end();
	EXPECT_EQ(counted(MM_SWAPENTS), 0);
	EXPECT_REFUSED(m, false, 7, 4);
	for (unsigned int i = 1; i < 4; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE + 8 * i), (i + 1) * 3);
	expect_verified();
	test_process_exit(&p);
	end_flaky();
}

/* What cannot be written stays in memory. */
TEST(swap_fault, what_cannot_be_written)
{
	uintptr_t m;

	ASSERT(begin_flaky(&m));
	flaky.fail_writes = 2;
	flaky.error = -EIO;
	test_capture_begin();
	EXPECT_EQ(out(m, 4), 2);
	(void)test_capture_end();
	expect_numbers(m, 4, 3);
	expect_verified();
	EXPECT_EQ(out(m, 4), 4);
	expect_numbers(m, 4, 3);
	test_process_exit(&p);
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(swapoff_path(DEV), 0);
	end_flaky();
}

/* Everything comes back: of several processes, of shared tables, whatever is locked or read only. */
TEST(swap_fault, swapoff_brings_all_back)
{
	uintptr_t m;

	ASSERT(begin(200, 32, &m));
	write_numbers(m, 32, 7);
	EXPECT_EQ(out(m, 24), 24);
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(out(m + 24 * PAGE_SIZE, 4), 4);
	test_user_put(m + 3 * PAGE_SIZE, 1);
	EXPECT_EQ(ksys_mprotect(m, PAGE_SIZE, PROT_NONE), 0);
	expect_verified();
	EXPECT_EQ(swapoff_path(DEV), 0);
	EXPECT_EQ(counted(MM_SWAPENTS), 0);
	EXPECT_EQ(counted(MM_ANONPAGES), 32);
	expect_verified();
	EXPECT_EQ(test_user_get(m + 3 * PAGE_SIZE), 1);
	EXPECT_EQ(ksys_mprotect(m, PAGE_SIZE, RW), 0);
	expect_numbers(m, 32, 7);
	write_numbers(m, 32, 9);
	test_process_exit(&p);
	test_switch(&q.task);
	EXPECT_EQ(counted(MM_SWAPENTS), 0);
	expect_numbers(m, 32, 7);
	write_numbers(m, 32, 3);
	expect_verified();
	test_process_exit(&q);
	expect_verified();
	brd_destroy(disk);
}

/* A shared table alone: both still share it afterwards. */
TEST(swap_fault, swapoff_of_a_shared_table)
{
	uintptr_t m;

	ASSERT(begin(200, 8, &m));
	write_numbers(m, 8, 7);
	EXPECT_EQ(out(m, 8), 8);
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(swapoff_path(DEV), 0);
	expect_verified();
	EXPECT_EQ(counted(MM_ANONPAGES), 8);
	write_numbers(m, 8, 9);
	expect_verified();
	test_process_exit(&p);
	test_switch(&q.task);
	EXPECT_EQ(counted(MM_ANONPAGES), 8);
	expect_numbers(m, 8, 7);
	write_numbers(m, 8, 3);
	expect_verified();
	test_process_exit(&q);
	expect_verified();
	brd_destroy(disk);
}

static uintptr_t one_page;

static bool bring_in(void *ctx)
{
	u8 byte;
	bool in;

	(void)ctx;
	p.task.fault = (struct mm_signal){ 0 };
	test_capture_begin();
	in = test_user_read(one_page, &byte, 1) == 1;
	(void)test_capture_end();
	EXPECT(in || !test_user_exec_checked || p.task.fault.signo == 9);
	return in;
}

static void look(void *ctx)
{
	(void)ctx;
	expect_verified();
}

/* No memory for the page or for the cache's side of it: the fault says so, and nothing is lost. */
TEST(swap_fault, without_memory)
{
	ASSERT(begin(200, 4, &one_page));
	write_numbers(one_page, 4, 7);
	EXPECT_EQ(out(one_page, 4), 4);
	EXPECT(fault_each(bring_in, look, NULL) > 0);
	expect_numbers(one_page, 4, 7);
	test_process_exit(&p);
	end();
}
