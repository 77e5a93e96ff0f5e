// SPDX-License-Identifier: MIT
/* Readahead from swap: windows by slot and by address, hits, what is not worth it; zswap's writeback. */
#include <octavo/pagemap.h>

#include "flaky.h"
#include "mm/phys/vmstat.h"
#include "proc_text.h"
#include "swapper.h"

#define DEV "/dev/ram0"
#define PAGES 256u

static struct bdev *disk;
static struct flaky flaky;
static swp_entry_t entries[PAGES];

/* A device that is worth reading ahead from, with PAGES pages swapped out to it in order. */
static bool begin(void)
{
	disk = swapper_disk("ram0", 2 * PAGES);
	if (!disk || flaky_make(&flaky, "flaky0", disk))
		return false;
	flaky.bdev.slow = true;
	if (swapper_on(&flaky.bdev, DEV, 0))
		return false;
	swap_areas[0]->flags &= ~(unsigned int)SWP_SYNCHRONOUS;
	for (unsigned int i = 0; i < PAGES; i++)
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
	return true;
}

static void end(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (entries[i].val)
			free_swap_and_cache(entries[i]);
	swapper_verify();
	EXPECT_EQ(swap_pages_free(), 2 * PAGES - 1);
	EXPECT_EQ(swapoff_path(DEV), 0);
	flaky_end(&flaky);
	brd_destroy(disk);
}

static bool cached(unsigned int i)
{
	struct folio *folio = swap_cache_get_folio(entries[i]);

	if (!folio)
		return false;
	folio_wait_locked(folio);
	folio_put(folio);
	return true;
}

/* As a fault. Return: pages that were read ahead for it. */
static unsigned long fault(unsigned int i, struct vm_area_struct *vma, uintptr_t addr)
{
	unsigned long before = vm_event_sum(SWAP_RA);
	struct folio *folio;
	int err = 0;

	folio = swapin_readahead(entries[i], GFP_HIGHUSER_MOVABLE, vma, addr, &err);
	if (!folio) {
		test_fail(__FILE__, __LINE__, "no folio: %d", err);
		return 0;
	}
	folio_lock(folio);
	EXPECT_EQ(swapper_tag(&folio->page), i + 1);
	folio_unlock(folio);
	folio_put(folio);
	return vm_event_sum(SWAP_RA) - before;
}

TEST(swap_readahead, by_slot)
{
	unsigned long hits = vm_event_sum(SWAP_RA_HIT);

	ASSERT(begin());
	swap_vma_ra_enabled = false;
	/* Far from anything before: alone. */
	EXPECT_EQ(fault(100, NULL, 0), 0);
	/* Next to the last one: four, aligned as slots are. */
	EXPECT_EQ(fault(101, NULL, 0), 2);
	EXPECT(cached(102) || cached(98));
	EXPECT(!cached(110));
	/* Two that were read ahead are wanted: the window grows, up to the limit. */
	for (unsigned int i = 102; i < 160; i++)
		(void)fault(i, NULL, 0);
	EXPECT(vm_event_sum(SWAP_RA_HIT) > hits + 40);
	EXPECT(cached(160) || cached(161));
	/* Nothing at random. */
	(void)fault(3, NULL, 0);
	(void)fault(60, NULL, 0);
	(void)fault(13, NULL, 0);
	EXPECT_EQ(fault(240, NULL, 0), 0);
	EXPECT_EQ(fault(33, NULL, 0), 0);
	end();
}

TEST(swap_readahead, switched_off)
{
	ASSERT(begin());
	swap_vma_ra_enabled = false;
	EXPECT_EQ(proc_put("/proc/sys/vm/page-cluster", "0\n"), 2);
	for (unsigned int i = 0; i < 32; i++)
		EXPECT_EQ(fault(i, NULL, 0), 0);
	EXPECT_EQ(proc_put("/proc/sys/vm/page-cluster", "32\n"), -EINVAL);
	EXPECT_EQ(proc_put("/proc/sys/vm/page-cluster", "4\n"), 2);
	EXPECT(!strcmp(proc_text("/proc/sys/vm/page-cluster"), "4\n"));
	/* A RAM disk gains nothing. */
	swap_areas[0]->flags |= SWP_SYNCHRONOUS;
	for (unsigned int i = 64; i < 96; i++)
		EXPECT_EQ(fault(i, NULL, 0), 0);
	end();
}

/* Addresses go from FIRST on backwards through the slots. */
#define FIRST ((uintptr_t)0x100000)

static unsigned int at_addresses(struct vm_area_struct *vma, uintptr_t start, unsigned int nr, swp_entry_t *found)
{
	unsigned int n = 0;

	(void)vma;
	for (unsigned int i = 0; i < nr; i++) {
		uintptr_t at = start + i * PAGE_SIZE;

		if (at >= FIRST && at < FIRST + PAGES * PAGE_SIZE)
			found[n++] = entries[PAGES - 1 - ((at - FIRST) >> PAGE_SHIFT)];
	}
	return n;
}

static const struct swap_vma_ops ops = { .entries = at_addresses };

static unsigned long fault_at(unsigned int page)
{
	static long vma[64];

	return fault(PAGES - 1 - page, (struct vm_area_struct *)vma, FIRST + page * PAGE_SIZE);
}

TEST(swap_readahead, by_address)
{
	unsigned long faults = 0;

	ASSERT(begin());
	register_swap_vma_ops(&ops);
	EXPECT(!strcmp(proc_text("/sys/kernel/mm/swap/vma_ra_enabled"), "true\n"));
	EXPECT_EQ(fault_at(10), 0);
	EXPECT_EQ(fault_at(11), 3); /* forwards: 12, 13, 14 */
	EXPECT(cached(PAGES - 1 - 12) && cached(PAGES - 1 - 14) && !cached(PAGES - 1 - 15) && !cached(PAGES - 1 - 9));
	for (unsigned int i = 12; i < 80; i++)
		faults += fault_at(i) != 0;
	EXPECT(faults >= 68 / 8 && faults < 20);
	EXPECT_EQ(fault_at(200), 7); /* as the last window was wanted; around */
	EXPECT(cached(PAGES - 1 - 197) && cached(PAGES - 1 - 204) && !cached(PAGES - 1 - 205));
	EXPECT_EQ(fault_at(150), 3); /* then half of it each time */
	EXPECT_EQ(fault_at(120), 1);
	EXPECT_EQ(fault_at(100), 0);
	EXPECT_EQ(fault_at(99), 3); /* backwards */
	EXPECT(cached(PAGES - 1 - 96) && cached(PAGES - 1 - 98));
	EXPECT_EQ(proc_put("/sys/kernel/mm/swap/vma_ra_enabled", "maybe"), -EINVAL);
	EXPECT_EQ(proc_put("/sys/kernel/mm/swap/vma_ra_enabled", "0\n"), 2);
	EXPECT(!strcmp(proc_text("/sys/kernel/mm/swap/vma_ra_enabled"), "false\n"));
	EXPECT_EQ(fault_at(180), 0); /* by slot, and nothing is known of those */
	end();
}

/* What could not be read ahead is no harm: whoever wants it finds out. */
TEST(swap_readahead, errors_in_neighbours)
{
	struct folio *folio;

	ASSERT(begin());
	swap_vma_ra_enabled = false;
	EXPECT_EQ(fault(100, NULL, 0), 0);
	flaky.bad_first = swp_offset(entries[102]) * 8;
	flaky.bad_count = 1;
	flaky.bad_reads = true;
	test_capture_begin();
	(void)fault(101, NULL, 0);
	(void)fault(103, NULL, 0);
	test_capture_end();
	folio = swap_cache_get_folio(entries[102]);
	if (folio) {
		folio_wait_locked(folio);
		EXPECT(!PageUptodate(&folio->page));
		folio_put(folio);
	}
	end();
}
