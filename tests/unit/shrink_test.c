// SPDX-License-Identifier: MIT
/* What reclaim makes of one page by how it was used: kept once, active, freed, or left to others to write. */
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "mm/cache/filemap.h"
#include "mm/phys/hwpoison.h"
#include "mm/pgtable/tlb.h"
#include "mm/reclaim/reclaim.h"
#include "ramfile.h"
#include "swapper.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)
#define DEV "/dev/ram0"

static u8 store[RAM_FILE_BYTES];
static struct ram_file f;
static struct test_process p;
static struct file *file;

/* A process, and a file that is open. */
static bool begin(void)
{
	if (!test_process_start(&p) || !ram_file_make(&f, store, RAM_FILE_BYTES, false))
		return false;
	file = ram_file_open(&f);
	return file != NULL;
}

static void end(void)
{
	test_process_exit(&p);
	fput(file);
	ram_file_put(&f);
	expect_verified();
}

/* Reclaim looks at it as it does at what the lists give up. Takes the reference. */
static enum lru_verdict look_at(struct folio *folio)
{
	struct scan_control sc = { .gfp = GFP_KERNEL, .kind = RECLAIM_DIRECT, .write_files = true,
				   .scan = { .node = NODE_DATA(page_to_nid(&folio->page)), .may_swap = true,
					     .may_unmap = true, .may_write = true } };
	enum lru_verdict verdict = LRU_KEEP;
	unsigned int scope;

	lru_add_drain();
	EXPECT(folio_isolate_lru(folio));
	folio_put(folio);
	scope = memalloc_noreclaim_save();
	(void)shrink_folio_list(&sc, &folio, &verdict, 1);
	lru_policy()->putback(node_lruvec(sc.scan.node->node_id), &folio, &verdict, 1);
	memalloc_noreclaim_restore(scope);
	/* What the processor remembers of entries says nothing of use any more. */
	flush_tlb_mm(p.task.mm);
	return verdict;
}

static enum lru_verdict look_behind(uintptr_t at)
{
	struct folio *folio = test_user_folio(at);

	EXPECT(folio);
	if (!folio)
		return LRU_KEEP;
	folio_get(folio);
	return look_at(folio);
}

static enum lru_verdict look_at_index(unsigned long index)
{
	struct folio *folio = filemap_get_folio(&f.inode.i_data, index);

	EXPECT(folio);
	return folio ? look_at(folio) : LRU_KEEP;
}

static void mark_referenced(unsigned long index, bool referenced)
{
	struct folio *folio = filemap_get_folio(&f.inode.i_data, index);

	EXPECT(folio);
	if (!folio)
		return;
	if (referenced)
		SetPageReferenced(&folio->page);
	else
		ClearPageReferenced(&folio->page);
	folio_put(folio);
}

/* A program's page: used since the last look it stays, used again until the next it is active, unused it goes. */
TEST(shrink, anon_by_use)
{
	struct bdev *disk = swapper_disk("ram0", 100);
	uintptr_t m;

	ASSERT(disk && !swapper_on(disk, DEV, 0) && begin());
	m = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	test_user_put(m, 3);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	EXPECT_EQ(test_user_get(m), 3);
	EXPECT_EQ(look_behind(m), LRU_ACTIVATE);
	EXPECT_EQ(look_behind(m), LRU_FREED);
	EXPECT_EQ(test_user_get(m), 3);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	EXPECT_EQ(look_behind(m), LRU_FREED);
	EXPECT_EQ(test_user_get(m), 3);
	end();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(swapoff_path(DEV), 0);
	brd_destroy(disk);
}

/* What is in memory and in use needs no slot, if others want one. */
TEST(shrink, slots_are_given_back_when_they_are_scarce)
{
	struct bdev *disk = swapper_disk("ram0", 8);
	uintptr_t m;

	ASSERT(disk && !swapper_on(disk, DEV, 0) && begin());
	m = test_map(0, 5 * PAGE_SIZE, RW, MAP_PRIVATE);
	for (unsigned long i = 0; i < 5; i++) {
		test_user_put(m + i * PAGE_SIZE, i);
		EXPECT_EQ(look_behind(m + i * PAGE_SIZE), LRU_KEEP);
	}
	EXPECT_EQ(look_behind(m), LRU_FREED);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT(folio_in_swap_cache(test_user_folio(m)));
	for (unsigned long i = 1; i < 5; i++)
		EXPECT_EQ(look_behind(m + i * PAGE_SIZE), LRU_FREED);
	EXPECT(swap_full());
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 5);
	EXPECT_EQ(look_behind(m), LRU_ACTIVATE);
	EXPECT(!folio_in_swap_cache(test_user_folio(m)));
	EXPECT_EQ(swap_pages_total() - swap_pages_free(), 4);
	for (unsigned long i = 0; i < 5; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), i);
	end();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(swapoff_path(DEV), 0);
	brd_destroy(disk);
}

/* Memory that went bad is written nowhere. */
TEST(shrink, bad_memory_stays)
{
	struct bdev *disk = swapper_disk("ram0", 100);
	struct folio *folio;
	uintptr_t m;

	ASSERT(disk && !swapper_on(disk, DEV, 0) && begin());
	m = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	test_user_put(m, 3);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	folio = test_user_folio(m);
	SetPageHWPoison(&folio->page);
	poisoned_pages_add(1);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	EXPECT(folio_mapped(folio) && !folio_in_swap_cache(folio));
	ClearPageHWPoison(&folio->page);
	poisoned_pages_add(-1);
	EXPECT_EQ(look_behind(m), LRU_FREED);
	EXPECT_EQ(test_user_get(m), 3);
	end();
	EXPECT_EQ(swapoff_path(DEV), 0);
	brd_destroy(disk);
}

/* A file's page: the same, but that one use by two, or as instructions, is enough. */
TEST(shrink, files_by_use)
{
	uintptr_t m, other, code;

	ASSERT(begin());
	m = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT_EQ(look_behind(m), LRU_KEEP);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT_EQ(look_behind(m), LRU_ACTIVATE);
	other = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	mark_referenced(0, false);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT_EQ(test_user_get(other), 0);
	EXPECT_EQ(look_behind(m), LRU_ACTIVATE);
	EXPECT_EQ(look_behind(m), LRU_FREED);
	code = test_map_file(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 8 * PAGE_SIZE);
	EXPECT_EQ(test_user_get(code), 0);
	EXPECT_EQ(look_behind(code), LRU_ACTIVATE);
	EXPECT_EQ(look_behind(code), LRU_FREED);
	end();
}

/* By calls: used since, it goes only if it need not be written first. */
TEST(shrink, files_by_calls)
{
	u8 byte = 7;

	ASSERT(begin());
	(void)generic_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), 1);
	mark_referenced(0, true);
	EXPECT_EQ(look_at_index(0), LRU_FREED);
	byte = 7;
	EXPECT_EQ(ram_file_write(file, &byte, 1, PAGE_SIZE), 1);
	mark_referenced(1, true);
	EXPECT_EQ(look_at_index(1), LRU_KEEP);
	EXPECT_EQ(f.writes, 0);
	EXPECT_EQ(look_at_index(1), LRU_FREED);
	EXPECT_EQ(f.writes, 1);
	EXPECT_EQ(store[PAGE_SIZE], 7);
	EXPECT_EQ(ram_file_read(file, &byte, 1, PAGE_SIZE), 1);
	EXPECT_EQ(byte, 7);
	end();
}

/* What cannot be read again stays, clean or not. */
TEST(shrink, no_store)
{
	const struct address_space_operations *a_ops;
	struct address_space_operations unread;
	u8 byte;

	ASSERT(begin());
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), 1);
	a_ops = f.inode.i_data.a_ops;
	unread = *a_ops;
	unread.read_folio = NULL;
	f.inode.i_data.a_ops = &unread;
	mark_referenced(0, false);
	EXPECT_EQ(look_at_index(0), LRU_ACTIVATE);
	f.inode.i_data.a_ops = a_ops;
	mark_referenced(0, false);
	EXPECT_EQ(look_at_index(0), LRU_FREED);
	end();
}
