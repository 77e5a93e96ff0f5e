// SPDX-License-Identifier: MIT
/* The page allocator against a book of what was got: random sequences, and every short one. */
#include "alloc_model.h"
#include "hosted.h"
#include "pagebook.h"

static void boot_default(void)
{
	if (hosted_boot_default(&(struct hosted_options){ .seed = test_seed, .quiet = true }))
		test_fail(__FILE__, __LINE__, "the machine does not boot");
}

TEST(alloc_model, random_sequences)
{
	alloc_model_boot = boot_default;
	for (unsigned int i = 0; i < test_scaled(8); i++)
		if (!model_run(&alloc_model, test_seed + i, 4000, NULL))
			return;
}

/* One node, one zone or two, and next to no memory: every allocation meets a boundary. */
static const struct bootinfo_range small_map[] = {
	{ 0, 0x9f000, E820_TYPE_RAM },
	{ 0x100000, 0x500000, E820_TYPE_RAM },
};
static const struct bootinfo small_machine = {
	.arch = BOOT_ARCH_X86_64, .cmdline = "", .map = small_map, .map_nr = ARRAY_SIZE(small_map)
};

static void boot_small(void)
{
	/* Thousands of boots: without page tables of its own it takes half as long. */
	if (hosted_boot(&small_machine, &(struct hosted_options){ .seed = test_seed, .quiet = true,
								   .no_page_tables = true }))
		test_fail(__FILE__, __LINE__, "the small machine does not boot");
}

TEST(alloc_model, random_sequences_on_6_mib)
{
	alloc_model_boot = boot_small;
	for (unsigned int i = 0; i < test_scaled(20); i++)
		if (!model_run(&alloc_model, test_seed + i, 2000, NULL))
			return;
}

/* The model notices if the allocator's books are cooked: a page that nobody gives back, and one given twice. */
TEST(alloc_model, a_planted_leak_is_found)
{
	static struct pagebook book;
	struct pagebook *books[] = { &book };
	struct page *page;

	book_init(&book, 1);
	census_begin();
	ASSERT(book_alloc(&book, GFP_KERNEL, 0, 0));
	EXPECT_STREQ(census_check(books, 1) ?: "", "");
	page = alloc_pages(GFP_KERNEL, 1);
	ASSERT(page);
	EXPECT(strstr(census_check(books, 1) ?: "", "frames in use"));
	__free_pages(page, 1);
	EXPECT_STREQ(census_check(books, 1) ?: "", "");
	*(u64 *)page_address(book.entries[0].page) ^= 1;
	EXPECT(strstr(census_check(books, 1) ?: "", "contents of a page changed"));
}

/* Every sequence of six of these, each on a fresh machine of 6 MiB. */
static const struct model_op letters[] = {
	{ OP_ALLOC, 0, 0 },	 /* one page */
	{ OP_ALLOC, 3, 2 },	 /* 8 movable pages */
	{ OP_ALLOC, 9, 2 },	 /* a whole block */
	{ OP_FREE, 0, 0 },	 /* the first */
	{ OP_FREE_MANY, 0, 1 },	 /* another */
	{ OP_DRAIN_ALL, 0, 0 },
};

TEST(alloc_exhaustive, all_short_sequences)
{
	unsigned int length = test_effort >= 400 ? 6 : test_effort >= 50 ? 5 : test_effort >= 15 ? 4 : 3;

	alloc_model_boot = boot_small;
	(void)model_exhaustive(&alloc_model, letters, ARRAY_SIZE(letters), length);
}
