// SPDX-License-Identifier: MIT
/* The heap against a book of what was got: random sequences, and every short one. */
#include "heap_model.h"
#include "hosted.h"

static void boot_default(void)
{
	if (hosted_boot_default(&(struct hosted_options){ .seed = test_seed, .quiet = true }))
		test_fail(__FILE__, __LINE__, "the machine does not boot");
}

static void run(unsigned int times, unsigned int operations)
{
	for (unsigned int i = 0; i < test_scaled(times); i++)
		if (!model_run(&heap_model, test_seed + i, operations, NULL))
			return;
}

TEST(heap_model, random_sequences)
{
	heap_model_boot = boot_default;
	run(8, 4000);
}

/* One node, one zone or two, and next to no memory: allocations fail at every place. */
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

TEST(heap_model, random_sequences_on_6_mib)
{
	heap_model_boot = boot_small;
	run(12, 3000);
}

static const char *parameters;

static void boot_with_parameters(void)
{
	struct bootinfo info = *hosted_default_machine();

	info.cmdline = parameters;
	if (hosted_boot(&info, &(struct hosted_options){ .seed = test_seed, .quiet = true }))
		test_fail(__FILE__, __LINE__, "the machine does not boot with %s", parameters);
}

TEST(heap_model, random_sequences_with_boot_parameters)
{
	static const char *const lines[] = { "slab_nomerge slab_freelist_random", "slab_debug=FZPU", "slab_merge",
					     "init_on_alloc=1 init_on_free=1" };

	heap_model_boot = boot_with_parameters;
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		parameters = lines[i];
		run(2, 2000);
	}
}

/* The book notices what it is for: a byte that changes, an object nobody gives back, one given twice. */
TEST(heap_model, planted_bugs_are_found)
{
	static struct heapbook book;
	struct heapbook *books[] = { &book };
	void *lost;

	heapbook_init(&book, 1);
	heap_census_begin();
	for (int i = 0; i < 40; i++)
		ASSERT(heapbook_kmalloc(&book, 100, GFP_KERNEL, NUMA_NO_NODE));
	EXPECT_STREQ(heap_census_check(books, 1) ?: "", "");
	book.entries[3].object[50] ^= 1;
	EXPECT(strstr(heap_census_check(books, 1) ?: "", "contents of an object changed"));
	book.entries[3].object[50] ^= 1;
	lost = kmalloc(64, GFP_KERNEL);
	ASSERT(lost);
	EXPECT(strstr(heap_census_check(books, 1) ?: "", "objects in use"));
	EXPECT(strstr(heap_census_end(books, 1) ?: "", "pages not given back"));
	kfree(lost);
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}

/* Every sequence of these, each on a fresh machine of 6 MiB. */
static const struct model_op letters[] = {
	{ HEAP_OP_CREATE, 9, 0 },     /* a cache of page-sized objects: few a slab */
	{ HEAP_OP_BULK, 9, 60 },      /* seven of them */
	{ HEAP_OP_CACHE, 9, 1 },      /* one more */
	{ HEAP_OP_KMALLOC, 1, 0x0d }, /* 8191 bytes */
	{ HEAP_OP_FREE, 0, 0 },	      /* the first */
	{ HEAP_OP_FREE_BULK, 40, 0 }, /* up to twenty */
	{ HEAP_OP_SHRINK_ALL, 0, 0 },
	{ HEAP_OP_CLOSE, 0, 0 },
};

TEST(heap_exhaustive, all_short_sequences)
{
	unsigned int length = test_effort >= 400 ? 6 : test_effort >= 100 ? 5 : test_effort >= 15 ? 4 : 3;

	heap_model_boot = boot_small;
	(void)model_exhaustive(&heap_model, letters, ARRAY_SIZE(letters), length);
}
