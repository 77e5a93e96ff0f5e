// SPDX-License-Identifier: MIT
/*
 * A RAM disk under many hands, with seeded interleavings and with threads (BRD-I1, BRD-I2): pages of it come, are read,
 * overwritten and dropped, while what is dropped has other owners at once.
 */
#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/sync/atomic.h"
#include "schedules.h"

#define CPUS 3u
#define STORED 3u /* few, so that they meet */

#ifdef OCTAVO_SCHED
#define SEEDS 200
#else
#define SEEDS 5
#endif

static struct bdev *ram;
static unsigned int wrong, hits, steps;
static u32 busy[STORED]; /* on threads: copies of one page at once are nobody's promise. Drops may come at any moment */

/* Whose a page is says its last word: nobody's, the disk's page @n, or somebody else's. */
#define OF_DISK(n) (0x1000ul + (n))
#define FOREIGN 0x2000ul

static void mark(struct page *page, unsigned long word)
{
	unsigned long *at = kmap_local_page(page);

	store_relaxed(&at[0], word);
	store_relaxed(&at[PAGE_SIZE / sizeof(*at) - 1], word);
	kunmap_local(at);
}

static bool is(struct page *page, unsigned long word)
{
	const unsigned long *at = kmap_local_page(page);
	bool same = load_relaxed(&at[0]) == word && load_relaxed(&at[PAGE_SIZE / sizeof(*at) - 1]) == word;

	kunmap_local(at);
	return same;
}

/* A page that the disk has dropped may be this one: nobody writes to it now. */
static void own_for_a_while(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	if (!page)
		return;
	mark(page, FOREIGN);
	port_cpu_relax();
	if (!is(page, FOREIGN) || page_ref_count(page) < 1)
		atomic_fetch_add(&wrong, 1);
	mark(page, FOREIGN);
	__free_pages(page, 0);
}

static void read_one(struct page *mine, unsigned int n)
{
	if (bdev_rw_page(ram, (u64)n * PAGE_SECTORS, mine, false))
		return;
	if (is(mine, OF_DISK(n)))
		atomic_fetch_add(&hits, 1);
	else if (!is(mine, 0))
		atomic_fetch_add(&wrong, 1);
}

static void transfer(struct page *mine, unsigned int n, bool write)
{
#ifndef OCTAVO_SCHED
	if (atomic_cmpxchg(&busy[n], 0u, 1u))
		return;
#endif
	if (write) {
		mark(mine, OF_DISK(n));
		(void)bdev_rw_page(ram, (u64)n * PAGE_SECTORS, mine, true);
	} else {
		read_one(mine, n);
	}
	store_release(&busy[n], 0u);
}

static void work(unsigned int cpu, void *ctx)
{
	u64 chance = test_seed * CPUS + cpu + 1;
	struct page *mine = alloc_pages(GFP_KERNEL, 0);

	(void)ctx;
	for (unsigned int i = 0; i < steps && mine; i++) {
		u64 draw = test_random(&chance);
		unsigned int n = (unsigned int)(draw >> 8) % STORED;

		switch (draw % 8) {
		case 0:
		case 1:
			(void)bdev_discard(ram, (u64)n * PAGE_SECTORS, PAGE_SECTORS);
			break;
		case 2:
		case 3:
			own_for_a_while();
			break;
		default:
			transfer(mine, n, draw >> 4 & 1);
		}
	}
	if (mine)
		__free_pages(mine, 0);
}

static void setup(void *ctx)
{
	int err;

	(void)ctx;
	ram = brd_create("ram7", STORED * PAGE_SECTORS, &err);
	EXPECT_EQ(err, 0);
	wrong = 0;
}

static bool check(void *ctx)
{
	unsigned int findings;

	(void)ctx;
	if (bdev_discard(ram, 0, STORED * PAGE_SECTORS) || brd_pages(ram))
		return false;
	brd_destroy(ram);
	findings = mm_verify(test_finding, NULL);
	return !findings && !wrong;
}

static const struct scenario scenario = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

TEST(brd_sched, dropped_pages_are_nobodys)
{
	hits = 0;
	steps = 40;
	scenario_test(&scenario, test_scaled(SEEDS));
	EXPECT(hits);
}

TEST(brd_sched, on_threads)
{
	hits = 0;
	steps = test_scaled(5000) + 100;
	ASSERT(!hosted_boot(hosted_default_machine(), &(struct hosted_options){ .cpus = CPUS, .quiet = true }));
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(check(NULL));
	EXPECT(hits);
}
