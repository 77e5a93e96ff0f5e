// SPDX-License-Identifier: MIT
#include <octavo/memblock.h>

#include "harness.h"
#include "mm/phys/memmap_runs.h"
#include "mm/phys/zone_init.h"

/* MM-I3, and there and back, at the ends of every range of memory. */
TEST(memmap, memory_has_descriptors)
{
	unsigned long start, end;
	int nid;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		unsigned long probe[] = { start, start + (end - start) / 2, end - 1 };

		for (unsigned int k = 0; k < ARRAY_SIZE(probe); k++) {
			struct page *page = pfn_to_online_page(probe[k]);

			ASSERT(pfn_valid(probe[k]) && page);
			EXPECT(page == pfn_to_page(probe[k]));
			EXPECT_EQ(page_to_pfn(page), probe[k]);
			EXPECT_EQ(page_to_nid(page), nid);
			EXPECT(zone_spans_pfn(page_zone(page), probe[k]));
			EXPECT_EQ(page_zonenum(page), zone_type_of_pfn(nid, probe[k]));
		}
	}
}

TEST(memmap, what_is_not_there)
{
	unsigned long behind = ALIGN(PFN_UP(memblock_end_of_DRAM()), PAGES_PER_SECTION);

	EXPECT(!pfn_valid(behind + PAGES_PER_SECTION));
	EXPECT(!pfn_to_online_page(behind + PAGES_PER_SECTION));
	EXPECT(!pfn_valid(~0ul));
	EXPECT(!pfn_to_online_page(PFN_NONE));
	EXPECT(!virt_to_page((void *)16));
	EXPECT(!virt_to_page((char *)phys_to_virt(0) + memblock.direct_map_end));
	EXPECT(!virt_to_page((void *)~(uintptr_t)0));
}

TEST(memmap, addresses_of_the_direct_map)
{
	unsigned long start, end;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, NULL) {
		struct page *page = pfn_to_online_page(start);
		void *virt = page_address(page);

		EXPECT_EQ(virt != NULL, PFN_PHYS(start) < memblock.direct_map_end);
		if (!virt)
			continue;
		EXPECT_EQ(virt_to_phys(virt), PFN_PHYS(start));
		EXPECT(virt_to_page((char *)virt + 100) == page);
	}
}

/* A block nobody has needed yet: its last page is untouched. */
static unsigned long untouched_block(void)
{
	unsigned long start, end;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, NULL)
		for (unsigned long pfn = ALIGN(start, pageblock_nr_pages); pfn + pageblock_nr_pages <= end;
		     pfn += pageblock_nr_pages)
			if (!(pfn_to_page(pfn + pageblock_nr_pages - 1)->flags & 1u << PG_init))
				return pfn;
	return PFN_NONE;
}

/* MM-I1 and MM-I2 */
TEST(memmap, a_block_comes_to_life_as_a_whole)
{
	unsigned long block = untouched_block();

	if (block == PFN_NONE)
		SKIP("every block of this machine has been used");
	for (unsigned long pfn = block; pfn < block + pageblock_nr_pages; pfn++)
		EXPECT_EQ(pfn_to_page(pfn)->flags, 0);
	memmap_ensure(block + 100, 0);
	for (unsigned long pfn = block; pfn < block + pageblock_nr_pages; pfn++) {
		const struct page *page = pfn_to_page(pfn);
		bool reserved = memblock_is_region_reserved(PFN_PHYS(pfn), PAGE_SIZE);

		EXPECT_EQ(page->flags, 1u << PG_init | (reserved ? 1u << PG_reserved : 0));
		EXPECT_EQ(page_ref_count(page), reserved);
		EXPECT_EQ(page->_mapcount, -1);
	}
}

/* Once alive, a descriptor is its owner's. */
TEST(memmap, ensure_changes_nothing_twice)
{
	struct page *page = pfn_to_online_page(PFN_UP(memblock_start_of_DRAM()));
	struct page was = *page;

	page->private_data = 0x1234;
	memmap_init_block(page_to_pfn(page));
	memmap_ensure(page_to_pfn(page), 0);
	EXPECT_EQ(page->private_data, 0x1234);
	EXPECT_EQ(page->flags, was.flags);
	page->private_data = was.private_data;
}

TEST(memmap, boot_reserved_frames_are_reserved)
{
	unsigned int seen = 0;
	phys_addr_t start, end;
	u64 i;

	for_each_reserved_mem_range(i, &start, &end) {
		struct page *page;

		if (!memblock_is_memory(start))
			continue;
		page = pfn_to_online_page(PFN_DOWN(start));
		ASSERT(page);
		EXPECT(PageReserved(page));
		EXPECT_EQ(page_ref_count(page), 1);
		seen++;
	}
	EXPECT(seen > 0);
}

TEST(memmap, runs_are_found_both_ways)
{
	static struct page pages[256];
	static struct map_run by_pfn[16], by_map[16];
	struct map_runs runs = { by_pfn, by_map, 0, 16 };
	u64 seed = test_seed + 9;
	bool was;
	int err;

	/* run k: 10 frames from 100k, at pages[16 * (7k mod 16)]: the two orders differ */
	for (unsigned int n = 0; n < 16; n++) {
		unsigned long k = (n * 5 + 3) % 16;

		EXPECT_EQ(map_runs_add(&runs, 100 * k, 100 * k + 10, &pages[16 * (7 * k % 16)]), 0);
	}
	for (unsigned int i = 0; i < 500; i++) {
		unsigned long pfn = test_random(&seed) % 1700, k = pfn / 100, at = test_random(&seed) % 256;
		const struct map_run *run = map_run_of_pfn(&runs, pfn);

		EXPECT_EQ(run != NULL, k < 16 && pfn % 100 < 10);
		EXPECT(!run || (run->start == 100 * k && run->map == &pages[16 * (7 * k % 16)]));
		run = map_run_of_page(&runs, &pages[at]);
		EXPECT_EQ(run != NULL, at % 16 < 10);
		EXPECT(!run || (run->map <= &pages[at] && 7 * (run->start / 100) % 16 == at / 16));
	}
	was = printk_console(false);
	err = map_runs_add(&runs, 5000, 5010, pages);
	printk_console(was);
	EXPECT_EQ(err, -ENOMEM);
	EXPECT_EQ(runs.nr, 16);
}
