// SPDX-License-Identifier: MIT
/* What an entry says beside where its page is, through swap: soft-dirty, userfaultfd; and what /proc tells of it. */
#include <octavo/proc_pid.h>

#include "mm/vm/userfaultfd.h"
#include "mm/vm/vm.h"
#include "pageout.h"
#include "swapper.h"
#include "tasks.h"
#include "uffd.h"

#define RW (PROT_READ | PROT_WRITE)
#define DEV "/dev/ram0"
#define PM_SOFT_DIRTY ((u64)1 << 55)
#define PM_UFFD_WP ((u64)1 << 57)
#define PM_SWAP ((u64)1 << 62)
#define PM_PRESENT ((u64)1 << 63)

static struct test_process p;
static struct bdev *disk;
static uintptr_t m;

/* Eight pages, each with its number. */
static bool begin(void)
{
	disk = swapper_disk("ram0", 200);
	if (!disk || swapper_on(disk, DEV, 0) || !test_process_start(&p))
		return false;
	uffd_args = 0;
	m = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	for (unsigned int i = 0; i < 8; i++)
		test_user_put(m + i * PAGE_SIZE, i + 1);
	return m != 0;
}

static void end(void)
{
	expect_verified();
	test_process_exit(&p);
	expect_verified();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(swapoff_path(DEV), 0);
	brd_destroy(disk);
}

static void out(unsigned int page, unsigned int nr)
{
	EXPECT_EQ(pageout_range(p.task.mm, m + page * PAGE_SIZE, nr * PAGE_SIZE), nr);
}

static u64 pagemap(unsigned int page)
{
	u64 bits = 0;

	EXPECT_EQ(octavo_pid_pagemap(p.task.mm, (m >> PAGE_SHIFT) + page, &bits, 1, true), 1);
	return bits;
}

/* SE-I3; bit 62 of pagemap, with type and offset below. */
TEST(swap_marks, soft_dirty)
{
	bool has = pgt_soft_dirty(0, pgt_mksoft_dirty(0, 0));
	swp_entry_t slot;

	ASSERT(begin());
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "4\n", 2), 2);
	test_user_put(m + PAGE_SIZE, 9);
	out(0, 8);
	slot = pte_to_swp_entry(__pte(test_user_entry(m)));
	EXPECT_EQ(pagemap(0), PM_SWAP | swp_type(slot) | (u64)swp_offset(slot) << 5);
	EXPECT_EQ(!(pagemap(1) & PM_SOFT_DIRTY), !has);
	EXPECT_EQ(test_user_get(m), 1);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 9);
	EXPECT_EQ(pagemap(0) & (PM_SOFT_DIRTY | PM_SWAP | PM_PRESENT), PM_PRESENT);
	EXPECT_EQ(!(pagemap(1) & PM_SOFT_DIRTY), !has);
	/* The first store is still to be noticed. */
	test_user_put(m, 3);
	EXPECT_EQ(!(pagemap(0) & PM_SOFT_DIRTY), !has);
	/* Swapped ones lose the mark as others do; who moves gets it. */
	out(1, 1);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "4\n", 2), 2);
	EXPECT_EQ(pagemap(1) & (PM_SOFT_DIRTY | PM_SWAP), PM_SWAP);
	end();
}

TEST(swap_marks, userfaultfd)
{
	struct userfaultfd_ctx *ctx;
	uintptr_t to;
	s64 done;

	ASSERT(begin());
	if (!pgt_uffd_wp(0, pgt_mkuffd_wp(0, 0))) {
		end();
		SKIP("entries of this format cannot be protected");
	}
	ctx = uffd_open(UFFD_FEATURE_SIGBUS);
	ASSERT(ctx);
	ASSERT(!uffd_register(ctx, m, 4 * PAGE_SIZE, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING, NULL));
	EXPECT_EQ(uffd_protect(ctx, m, PAGE_SIZE, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	out(0, 8);
	/* One that is protected when it is out already. */
	EXPECT_EQ(uffd_protect(ctx, m + PAGE_SIZE, PAGE_SIZE, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	EXPECT(pagemap(0) & PM_UFFD_WP && pagemap(1) & PM_UFFD_WP && !(pagemap(2) & PM_UFFD_WP));
	EXPECT_EQ(test_user_get(m), 1);
	EXPECT(pagemap(0) & PM_UFFD_WP);
	EXPECT_REFUSED(m, true, 7, 2);
	EXPECT_REFUSED(m + PAGE_SIZE, true, 7, 2);
	EXPECT_EQ(uffd_protect(ctx, m, 4 * PAGE_SIZE, 0), 0);
	test_user_put(m, 5);
	test_user_put(m + PAGE_SIZE, 6);
	/* What is out is not missing. */
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, m + 2 * PAGE_SIZE, PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, m + 2 * PAGE_SIZE, m, PAGE_SIZE, 0, &done), -EEXIST);
	expect_verified();
	/* It moves as it is, whether its page is near or not. */
	to = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	ASSERT(!uffd_register(ctx, to, 4 * PAGE_SIZE, UFFDIO_REGISTER_MODE_MISSING, NULL));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, to, m + 6 * PAGE_SIZE, PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(ksys_madvise(m + 7 * PAGE_SIZE, PAGE_SIZE, MADV_WILLNEED), 0);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, to + PAGE_SIZE, m + 7 * PAGE_SIZE, PAGE_SIZE, 0, &done), 0);
	EXPECT(pgt_is_swap(test_user_entry(to)) && pgt_is_swap(test_user_entry(to + PAGE_SIZE)));
	EXPECT(pgt_none(test_user_entry(m + 6 * PAGE_SIZE)));
	expect_verified();
	EXPECT_EQ(test_user_get(to), 7);
	EXPECT_EQ(test_user_get(to + PAGE_SIZE), 8);
	expect_verified();
	EXPECT_EQ(pageout_range(p.task.mm, to, 2 * PAGE_SIZE), 2);
	EXPECT_EQ(test_user_get(to + PAGE_SIZE), 8);
	userfaultfd_release(ctx);
	end();
}
