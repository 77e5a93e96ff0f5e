// SPDX-License-Identifier: MIT
/* A machine of 4 MiB: the heap fills it to the last page and gives it back. */
#include <octavo/gfp.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/slab/backend.h"

struct link {
	struct link *next;
};

/* What fits, sizes mixed, small ones mostly. */
static struct link *fill(u64 *bytes)
{
	u64 seed = test_seed;
	struct link *chain = NULL;

	*bytes = 0;
	for (;;) {
		size_t size = 16 + (test_random(&seed) >> 40) % (2048u >> (test_random(&seed) >> 60 & 7));
		struct link *link = kmalloc(size, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

		if (!link)
			return chain;
		memset(link, (int)size, size);
		link->next = chain;
		chain = link;
		*bytes += size;
	}
}

TEST(heap_tiny, four_mib_are_used_up_and_given_back)
{
	static const struct bootinfo_range map[] = { { 0x100000, 4 << 20, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "" };
	unsigned long before;
	struct link *chain;
	u64 bytes, total;

	ASSERT(!hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true }));
	drain_all_pages(NULL);
	before = nr_free_pages();
	total = (u64)before * PAGE_SIZE;
	for (int round = 0; round < 3; round++) {
		chain = fill(&bytes);
		EXPECT_EQ(heap_verify(NULL, NULL), 0);
		/* The rest: rounding, descriptors, slabs in part used; slob is there to do better. */
		EXPECT(bytes > total * (strcmp(backend_name, "slob") ? 6 : 8) / 10);
		while (chain) {
			struct link *next = chain->next;

			kfree(chain);
			chain = next;
		}
	}
	printk("4 MiB: %llu of %llu bytes in objects\n", (unsigned long long)bytes, (unsigned long long)total);
	for (unsigned int i = 1; i < NR_KMALLOC_CLASSES; i++)
		(void)kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][i]);
	drain_all_pages(NULL);
	/* Of the caches' and CPUs' own structures a few pages stay. */
	EXPECT(nr_free_pages() + 24 >= before);
	EXPECT_EQ(heap_errors(), 0);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
