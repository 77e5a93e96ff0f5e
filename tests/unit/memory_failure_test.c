// SPDX-License-Identifier: MIT
/* Memory that went bad, or is about to: MADV_HWPOISON and MADV_SOFT_OFFLINE on each kind of page. MO-I5, MO-I6. */
#include <octavo/pagemap.h>
#include <octavo/reclaim_hook.h>
#include <octavo/shmem_fs.h>

#include "harness.h"
#include "mm/cache/filemap.h"
#include "mm/reclaim/reclaim.h"
#include "mm/phys/hwpoison.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/vmstat.h"
#include "mm/vm/gup.h"
#include "mm/vm/thp.h"
#include "ramfile.h"
#include "tasks.h"

#define BUS 7
#define MCEERR_AR 4
#define RW (PROT_READ | PROT_WRITE)
#define PAGES 3u

static struct test_process p, child;
static struct ram_file ram;
static u8 store[RAM_FILE_BYTES];
static struct page *gone[8];
static unsigned int nr_gone;

static bool begin(void)
{
	nr_gone = 0;
	if (!test_process_start(&p))
		return false;
	p.process.capabilities = (u64)1 << CAP_SYS_ADMIN;
	return true;
}

/* Frames that went are handed out no more. */
static void over(void)
{
	static struct page *pages[512];
	unsigned long got;

	test_process_exit(&p);
	expect_verified();
	EXPECT_EQ(num_poisoned_pages, nr_gone);
	memset(pages, 0, sizeof(pages));
	got = alloc_pages_bulk(GFP_KERNEL, ARRAY_SIZE(pages), pages);
	for (unsigned long i = 0; i < got; i++) {
		for (unsigned int k = 0; k < nr_gone; k++)
			EXPECT(pages[i] != gone[k]);
		__free_page(pages[i]);
	}
	for (unsigned int k = 0; k < nr_gone; k++)
		EXPECT(PageHWPoison(gone[k]) && !page_ref_count(gone[k]));
}

static struct page *page_at(uintptr_t addr)
{
	struct page *page;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return NULL;
	put_page(page);
	return page;
}

static void go_bad(uintptr_t addr, int advice)
{
	gone[nr_gone++] = page_at(addr);
	EXPECT_EQ(ksys_madvise(addr, PAGE_SIZE, advice), 0);
}

/* A process with PAGES words, 40 and on, one a page, and its child. Return: where they are, or 0. */
static uintptr_t family_with_pages(void)
{
	uintptr_t m;

	if (!begin())
		return 0;
	m = test_map(0, PAGES * PAGE_SIZE, RW, MAP_PRIVATE);
	for (unsigned int i = 0; i < PAGES; i++)
		test_user_put(m + i * PAGE_SIZE, 40 + i);
	return test_process_fork(&child, &p) ? m : 0;
}

TEST(memory_failure, anonymous_contents_are_lost)
{
	uintptr_t m = family_with_pages();

	ASSERT(m);
	go_bad(m + PAGE_SIZE, MADV_HWPOISON);
	EXPECT_REFUSED(m + PAGE_SIZE, false, BUS, MCEERR_AR);
	EXPECT_REFUSED(m + PAGE_SIZE + 8, true, BUS, MCEERR_AR);
	EXPECT_EQ(test_user_get(m), 40);
	EXPECT_EQ(test_user_get(m + 2 * PAGE_SIZE), 42);
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_POPULATE_READ), -EHWPOISON);
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON), -EFAULT);
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_ANONPAGES), 2);
	/* The child's contents were the same. */
	test_switch(&child.task);
	EXPECT_REFUSED(m + PAGE_SIZE, false, BUS, MCEERR_AR);
	test_user_put(m, 7);
	EXPECT_REFUSED(m + PAGE_SIZE, true, BUS, MCEERR_AR);
	test_process_exit(&child);
	test_switch(&p.task);
	/* Who gives the contents up has room again. */
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 0);
	/* Of the page of zeros there is but one. */
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON), -EBUSY);
	over();
}

TEST(memory_failure, soft_offline_keeps_contents)
{
	uintptr_t m = family_with_pages();

	ASSERT(m);
	for (unsigned int i = 0; i < PAGES; i++) {
		go_bad(m + i * PAGE_SIZE, MADV_SOFT_OFFLINE);
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 40 + i);
		EXPECT(page_at(m + i * PAGE_SIZE) != gone[i]);
	}
	test_switch(&child.task);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 40 + i);
	test_process_exit(&child);
	test_switch(&p.task);
	over();
}

TEST(memory_failure, a_page_that_is_used_stays)
{
	struct page *page;
	uintptr_t m;

	ASSERT(begin());
	m = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	test_user_put(m, 5);
	ASSERT(pin_user_pages_fast(m, 1, FOLL_WRITE, &page) == 1);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_SOFT_OFFLINE), -EBUSY);
	EXPECT_EQ(num_poisoned_pages, 0);
	EXPECT_EQ(test_user_get(m), 5);
	/* What is wrong is wrong, whoever has it. */
	go_bad(m, MADV_HWPOISON);
	EXPECT_REFUSED(m, false, BUS, MCEERR_AR);
	unpin_user_pages(&page, 1);
	over();
}

/* One page of a large folio; its others are free again when the folio goes. */
TEST(memory_failure, of_a_large_folio)
{
	struct page *head;
	uintptr_t m;

	ASSERT(begin());
	thp_mode_set(4, THP_ALWAYS);
	m = ALIGN(test_map(0, 32 * PAGE_SIZE, RW, MAP_PRIVATE), 16 * PAGE_SIZE);
	for (unsigned int i = 0; i < 16; i++)
		test_user_put(m + i * PAGE_SIZE, 40 + i);
	thp_mode_set(4, THP_NEVER);
	head = page_at(m);
	ASSERT(head && folio_order(page_folio(head)) == 4);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_SOFT_OFFLINE), -EBUSY);
	go_bad(m + 5 * PAGE_SIZE, MADV_HWPOISON);
	EXPECT(gone[0] == head + 5);
	for (unsigned int i = 0; i < 16; i++) {
		if (i == 5)
			EXPECT_REFUSED(m + i * PAGE_SIZE, false, BUS, MCEERR_AR);
		else
			EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 40 + i);
	}
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_ANONPAGES), 15);
	over();
}

TEST(memory_failure, of_a_file)
{
	struct file *file;
	uintptr_t m;

	ASSERT(begin());
	memset(store, 0x33, sizeof(store));
	ASSERT(ram_file_make(&ram, store, PAGES * PAGE_SIZE, false));
	file = ram_file_open(&ram);
	ASSERT(file);
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT(test_user_all(m, PAGES * PAGE_SIZE, 0x33));
	/* What is stored elsewhere is read again. */
	go_bad(m, MADV_HWPOISON);
	EXPECT(test_user_all(m, PAGE_SIZE, 0x33));
	go_bad(m, MADV_SOFT_OFFLINE);
	EXPECT(test_user_all(m, PAGE_SIZE, 0x33));
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	/* What was not yet is lost. */
	test_user_put(m + PAGE_SIZE, 1);
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_SOFT_OFFLINE), -EBUSY);
	test_user_put(m + PAGE_SIZE, 2);
	go_bad(m + PAGE_SIZE, MADV_HWPOISON);
	EXPECT_REFUSED(m + PAGE_SIZE, false, BUS, MCEERR_AR);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), -EIO);
	EXPECT(test_user_all(m + 2 * PAGE_SIZE, PAGE_SIZE, 0x33));
	EXPECT_EQ(ksys_munmap(m, PAGES * PAGE_SIZE), 0);
	fput(file);
	ram_file_put(&ram);
	over();
}

/* Its store cannot be written to: it is a store all the same. */
TEST(memory_failure, of_a_file_that_is_only_read)
{
	struct address_space_operations read_only;
	struct folio *folio;
	struct file *file;
	uintptr_t m;
	u8 byte;

	ASSERT(begin());
	memset(store, 0x33, sizeof(store));
	ASSERT(ram_file_make(&ram, store, PAGES * PAGE_SIZE, false));
	read_only = *ram.inode.i_mapping->a_ops;
	read_only.writepages = NULL;
	read_only.write_folio = NULL;
	read_only.write_begin = NULL;
	read_only.write_end = NULL;
	ram.inode.i_mapping->a_ops = &read_only;
	file = ram_file_open(&ram);
	ASSERT(file);
	m = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ, MAP_PRIVATE, file, 0);
	EXPECT(test_user_all(m, PAGES * PAGE_SIZE, 0x33));
	go_bad(m + PAGE_SIZE, MADV_HWPOISON);
	EXPECT(test_user_all(m, PAGES * PAGE_SIZE, 0x33));
	EXPECT(page_at(m + PAGE_SIZE) != gone[0]);
	/* One that could not leave the cache. */
	folio = filemap_get_folio(file->f_mapping, 0);
	ASSERT(folio);
	gone[nr_gone++] = &folio->page;
	SetPageHWPoison(&folio->page);
	poisoned_pages_add(1);
	folio_put(folio);
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), -EIO);
	EXPECT_EQ(ram_file_read(file, &byte, 1, PAGE_SIZE), 1);
	EXPECT_EQ(ksys_munmap(m, PAGES * PAGE_SIZE), 0);
	fput(file);
	ram_file_put(&ram);
	over();
}

/* Of a large folio that is dirty nothing is dropped, nor written back over what the store has, nor read. */
TEST(memory_failure, of_a_large_folio_that_is_dirty)
{
	const struct reclaim_request request = { .gfp = GFP_KERNEL, .highest = MAX_NR_ZONES - 1 };
	static u8 buffer[16 * PAGE_SIZE];
	const s64 part = PAGE_SIZE + 16;
	struct file *file;
	uintptr_t m;

	ASSERT(begin());
	memset(store, 0x33, sizeof(store));
	ASSERT(ram_file_make(&ram, store, sizeof(buffer), true));
	file = ram_file_open(&ram);
	ASSERT(file);
	memset(buffer, 0x44, sizeof(buffer));
	EXPECT_EQ(ram_file_write(file, buffer, sizeof(buffer), 0), sizeof(buffer));
	m = test_map_file(0, sizeof(buffer), RW, MAP_SHARED, file, 0);
	EXPECT(test_user_all(m, sizeof(buffer), 0x44));
	gone[nr_gone++] = page_at(m + 2 * PAGE_SIZE);
	ASSERT(gone[0] && folio_order(page_folio(gone[0])));
	EXPECT_EQ(ksys_madvise(m + 2 * PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON), -EBUSY);
	EXPECT_REFUSED(m + 2 * PAGE_SIZE, false, BUS, MCEERR_AR);
	EXPECT(test_user_all(m + 3 * PAGE_SIZE, PAGE_SIZE, 0x44));
	EXPECT_EQ(ksys_munmap(m, sizeof(buffer)), 0);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(ram_file_read(file, buffer, sizeof(buffer), PAGE_SIZE - 16), part);
		EXPECT_EQ(ram_file_read(file, buffer, 1, 2 * PAGE_SIZE), -EIO);
		EXPECT_EQ(ram_file_read(file, buffer, 9, 3 * PAGE_SIZE - 1), -EIO);
		EXPECT_EQ(ram_file_read(file, buffer, PAGE_SIZE, 3 * PAGE_SIZE), PAGE_SIZE);
		(void)try_to_free_pages(&request);
		EXPECT(filemap_range_has_page(file->f_mapping, 2 * PAGE_SIZE, 3 * PAGE_SIZE - 1));
		EXPECT_EQ(store[2 * PAGE_SIZE], 0x33);
	}
	fput(file);
	ram_file_put(&ram);
	over();
}

TEST(memory_failure, of_a_memory_file)
{
	struct file *file;
	uintptr_t m;
	u8 byte = 1;
	int err = 0;

	ASSERT(begin());
	file = memfd_setup("bad", 0, &err);
	ASSERT(file);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGES * PAGE_SIZE), 0);
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT(test_user_fill(m, PAGES * PAGE_SIZE, 0x44));
	go_bad(m + PAGE_SIZE, MADV_HWPOISON);
	EXPECT_REFUSED(m + PAGE_SIZE, false, BUS, MCEERR_AR);
	/* Nor does another mapping, a read or a write find zeros. */
	EXPECT_EQ(ksys_munmap(m, PAGES * PAGE_SIZE), 0);
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT(test_user_all(m, PAGE_SIZE, 0x44));
	EXPECT_REFUSED(m + PAGE_SIZE, false, BUS, MCEERR_AR);
	EXPECT_EQ(ram_file_read(file, &byte, 1, PAGE_SIZE), -EIO);
	EXPECT_EQ(ram_file_write(file, &byte, 1, PAGE_SIZE), -EIO);
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), 1);
	EXPECT_EQ(byte, 0x44);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGES * PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 0);
	EXPECT_EQ(ksys_munmap(m, PAGES * PAGE_SIZE), 0);
	fput(file);
	over();
}

/* The mark of a locked folio is its head's, and counts for all of its pages. */
TEST(memory_failure, of_a_large_folio_that_is_locked)
{
	struct page *page;

	ASSERT(begin());
	page = alloc_pages(GFP_HIGHUSER | __GFP_COMP, 2);
	ASSERT(page);
	SetPageMlocked(page);
	mod_zone_page_state(page_zone(page), NR_MLOCK, 4);
	gone[nr_gone++] = page + 3;
	SetPageHWPoison(page + 3);
	poisoned_pages_add(1);
	put_page(page);
	EXPECT_EQ(global_zone_page_state(NR_MLOCK), 0);
	over();
}

/* A driver's, which nobody but it has marked. */
TEST(memory_failure, of_a_block_in_the_plainest_state)
{
	struct page *page;

	ASSERT(begin());
	page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	ASSERT(page);
	gone[nr_gone++] = page + 2;
	SetPageHWPoison(page + 2);
	poisoned_pages_add(1);
	put_page(page);
	EXPECT_EQ(frame_state(page_zone_of(page), page_to_pfn(page + 2)), 0);
	EXPECT(frame_state(page_zone_of(page), page_to_pfn(page)));
	EXPECT(frame_state(page_zone_of(page), page_to_pfn(page + 3)));
	over();
}
