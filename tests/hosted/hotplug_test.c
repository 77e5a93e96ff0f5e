// SPDX-License-Identifier: MIT
/*
 * Memory hotplug on a machine of 1 GiB in two nodes: states, zones, counters (HP-I1, HP-I2), and that a failure changes
 * nothing (HP-I3).
 */
#include <octavo/gfp.h>
#include <octavo/memory_hotplug.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/hotplug.h"
#include "mm/phys/zone.h"

#define MIB ((phys_addr_t)1 << 20)
#define GIB ((phys_addr_t)1 << 30)
#define BLOCK (128 * MIB)

/* Node 0 has 4 GiB to 4.5 GiB and what is below, node 1 the rest. */
static const struct bootinfo_range map[] = {
	{ 0, 640 << 10, E820_TYPE_RAM },
	{ MIB, 255 * MIB, E820_TYPE_RAM },
	{ 4 * GIB, 512 * MIB, E820_TYPE_RAM },
	{ 4 * GIB + 512 * MIB, 256 * MIB, E820_TYPE_RAM },
};
static const struct bootinfo_mem_affinity affinity[] = {
	{ 0, 256 * MIB, 0, BOOT_MEM_ENABLED },
	{ 4 * GIB, 512 * MIB, 0, BOOT_MEM_ENABLED },
	{ 4 * GIB + 512 * MIB, 256 * MIB, 1, BOOT_MEM_ENABLED },
};
static const struct bootinfo_cpu cpus[] = { { 0, 0 }, { 1, 1 } };

struct books {
	unsigned long present, managed, free, start, spanned;
};

static void say(void *ctx, const char *line)
{
	(void)ctx;
	printk("%s\n", line);
}

static bool boot(void)
{
	static const struct bootinfo info = {
		.arch = BOOT_ARCH_X86_64,
		.map = map,
		.map_nr = ARRAY_SIZE(map),
		.mem_affinity = affinity,
		.mem_affinity_nr = ARRAY_SIZE(affinity),
		.cpus = cpus,
		.cpus_nr = ARRAY_SIZE(cpus),
		.cmdline = "",
	};

	return !hosted_boot(&info, &(struct hosted_options){ .quiet = true });
}

static struct books books_of(const struct zone *zone)
{
	drain_all_pages(NULL);
	return (struct books){ zone->present_pages, zone->managed_pages, zone_page_state_snapshot(zone, NR_FREE_PAGES),
			       zone->zone_start_pfn, zone->spanned_pages };
}

static void expect_same(struct books a, struct books b)
{
	EXPECT_EQ(a.present, b.present);
	EXPECT_EQ(a.managed, b.managed);
	EXPECT_EQ(a.free, b.free);
	EXPECT_EQ(a.start, b.start);
	EXPECT_EQ(a.spanned, b.spanned);
}

static unsigned long block_id(phys_addr_t start)
{
	return (unsigned long)(start / BLOCK);
}

/* A block of the node's Normal zone with none of boot's tables in it (at its end), nor of what is allocated since. */
static phys_addr_t idle_block(void)
{
	return 4 * GIB + BLOCK;
}

TEST(hotplug, offline_and_back)
{
	struct zone *normal;
	struct books before;
	phys_addr_t start = idle_block();

	ASSERT(boot());
	normal = zone_of(0, ZONE_NORMAL);
	before = books_of(normal);
	EXPECT_EQ(memory_block_size_bytes(), BLOCK);
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_ONLINE);
	EXPECT(memory_block_zone(block_id(start)) == normal);
	ASSERT(!offline_memory(start, BLOCK));
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_OFFLINE);
	EXPECT_EQ(normal->present_pages, before.present - PFN_DOWN(BLOCK));
	EXPECT_EQ(normal->managed_pages, before.managed - PFN_DOWN(BLOCK));
	EXPECT_EQ(normal->spanned_pages, before.spanned);
	EXPECT(!pfn_to_online_page(PFN_DOWN(start)));
	EXPECT_EQ(mm_verify(say, NULL), 0);
	ASSERT(!online_memory(start, BLOCK, MMOP_ONLINE));
	expect_same(books_of(normal), before);
	EXPECT_EQ(mm_verify(say, NULL), 0);
}

TEST(hotplug, comes_back_movable)
{
	phys_addr_t start = idle_block();
	struct zone *movable;
	struct page *page;

	ASSERT(boot());
	movable = zone_of(0, ZONE_MOVABLE);
	EXPECT(!populated_zone(movable));
	ASSERT(!offline_memory(start, BLOCK));
	ASSERT(!online_memory(start, BLOCK, MMOP_ONLINE_MOVABLE));
	EXPECT_EQ(movable->present_pages, PFN_DOWN(BLOCK));
	EXPECT_EQ(movable->zone_start_pfn, PFN_DOWN(start));
	EXPECT(memory_block_zone(block_id(start)) == movable);
	page = alloc_pages_node(0, GFP_HIGHUSER_MOVABLE, 0);
	ASSERT(page != NULL);
	EXPECT(page_zone(page) == movable);
	__free_page(page);
	page = alloc_pages_node(0, GFP_KERNEL, 0);
	ASSERT(page != NULL);
	EXPECT(page_zone(page) != movable);
	__free_page(page);
	EXPECT_EQ(mm_verify(say, NULL), 0);
	ASSERT(!offline_memory(start, BLOCK));
	EXPECT(!populated_zone(movable));
	EXPECT_EQ(mm_verify(say, NULL), 0);
}

TEST(hotplug, used_page_keeps_block_online)
{
	phys_addr_t start = idle_block();
	unsigned long pfn = PFN_DOWN(start) + 1000;
	struct zone *normal;
	struct books before;
	const char *text;

	ASSERT(boot());
	normal = zone_of(0, ZONE_NORMAL);
	drain_all_pages(NULL);
	ASSERT(!alloc_contig_range(pfn, pfn + 1, MIGRATE_MOVABLE, GFP_KERNEL));
	before = books_of(normal);
	test_capture_begin();
	EXPECT_EQ(offline_memory(start, BLOCK), -EBUSY);
	text = test_capture_end();
	EXPECT(strstr(text, "a page is in use and cannot be moved"));
	EXPECT(strstr(text, "pfn:0x1083e8"));
	expect_same(books_of(normal), before);
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_ONLINE);
	EXPECT_EQ(mm_verify(say, NULL), 0);
	free_contig_range(pfn, 1);
	EXPECT_EQ(offline_memory(start, BLOCK), 0);
}

TEST(hotplug, new_memory_lives_and_leaves)
{
	phys_addr_t start = 4 * GIB + 768 * MIB;
	struct page **held;
	struct zone *normal;
	struct books before;
	unsigned long in_new = 0;

#if defined(OCTAVO_MEMORY_MODEL_FLAT) || defined(OCTAVO_MEMORY_MODEL_DISCONTIG) || !defined(__LP64__)
	/* No address space to spare, or a model whose arrays end with boot's memory: it is refused, and said so. */
	ASSERT(boot());
	test_capture_begin();
	EXPECT_EQ(add_memory(1, start, BLOCK), -ENOSPC);
	EXPECT(strstr(test_capture_end(), "outside the room node 1 keeps for hotplug"));
	return;
#endif
	ASSERT(boot());
	normal = zone_of(1, ZONE_NORMAL);
	before = books_of(normal);
	ASSERT(!hosted_ram_add(start, BLOCK));
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_ABSENT);
	ASSERT(!add_memory(1, start, BLOCK));
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_OFFLINE);
	EXPECT_EQ(memory_block_nid(block_id(start)), 1);
	EXPECT_EQ(add_memory(1, start, BLOCK), -EEXIST);
	EXPECT_EQ(mm_verify(say, NULL), 0);
	ASSERT(!online_memory(start, BLOCK, MMOP_ONLINE));
	EXPECT_EQ(normal->present_pages, before.present + PFN_DOWN(BLOCK));
	EXPECT_EQ(zone_end_pfn(normal), PFN_DOWN(start + BLOCK));
	held = alloc_pages_exact(sizeof(*held) * 131072, GFP_KERNEL);
	ASSERT(held != NULL);
	unsigned long n = 0;
	while (n < 131072 && (held[n] = alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0)))
		in_new += page_to_pfn(held[n++]) >= PFN_DOWN(start);
	EXPECT(in_new > PFN_DOWN(BLOCK) * 9 / 10);
	EXPECT_EQ(offline_memory(start, BLOCK), -EBUSY);
	EXPECT_EQ(mm_verify(say, NULL), 0);
	while (n)
		__free_page(held[--n]);
	free_pages_exact(held, sizeof(*held) * 131072);
	ASSERT(!offline_memory(start, BLOCK));
	EXPECT_EQ(zone_end_pfn(normal), before.start + before.spanned);
	ASSERT(!remove_memory(start, BLOCK));
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_ABSENT);
	EXPECT_EQ(mm_verify(say, NULL), 0);
	ASSERT(!add_memory(1, start, BLOCK));
	ASSERT(!online_memory(start, BLOCK, MMOP_ONLINE_MOVABLE));
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, PFN_DOWN(BLOCK));
	EXPECT_EQ(mm_verify(say, NULL), 0);
}

TEST(hotplug, goes_online_by_itself)
{
	phys_addr_t start = 4 * GIB + 768 * MIB;

#if !defined(OCTAVO_MEMORY_MODEL_FLAT) && !defined(OCTAVO_MEMORY_MODEL_DISCONTIG) && defined(__LP64__)
	ASSERT(boot());
	memhp_set_default_online_type(MMOP_ONLINE_MOVABLE);
	ASSERT(!hosted_ram_add(start, BLOCK));
	ASSERT(!add_memory(1, start, BLOCK));
	EXPECT(memory_block_zone(block_id(start)) == zone_of(1, ZONE_MOVABLE));
	EXPECT_EQ(mm_verify(say, NULL), 0);
#endif
	ASSERT(boot());
	EXPECT_EQ(memhp_default_online_type(), MMOP_OFFLINE);
	EXPECT_EQ(memory_block_state(block_id(start)), MEM_BLOCK_ABSENT);
}

TEST(hotplug, bad_input)
{
	ASSERT(boot());
	test_capture_begin();
	EXPECT_EQ(add_memory(0, 5 * GIB + MIB, BLOCK), -EINVAL);
	EXPECT_EQ(add_memory(0, 5 * GIB, 0), -EINVAL);
	EXPECT_EQ(add_memory(7, 5 * GIB, BLOCK), -EINVAL);
	EXPECT_EQ(add_memory(-1, 5 * GIB, BLOCK), -EINVAL);
	EXPECT_EQ(add_memory(0, ~(phys_addr_t)0 - BLOCK + 1, 2 * BLOCK), -EINVAL);
	EXPECT_EQ(add_memory(0, 4 * GIB, BLOCK), -EEXIST);
	EXPECT_EQ(add_memory(0, 1024 * GIB, BLOCK), -ENOSPC);
	EXPECT_EQ(online_memory(4 * GIB, BLOCK, MMOP_ONLINE), -EINVAL);
	EXPECT_EQ(offline_memory(5 * GIB, BLOCK), -EINVAL);
	EXPECT_EQ(remove_memory(4 * GIB, BLOCK), -EBUSY);
	/* The first block holds DMA and DMA32, and boot's own pages. */
	EXPECT_EQ(offline_memory(0, BLOCK), -EINVAL);
	EXPECT(strstr(test_capture_end(), "it spans several zones"));
	EXPECT_EQ(mm_verify(say, NULL), 0);
}

/* ---- Who allocates while memory comes ---- */

static const phys_addr_t beyond = 4 * GIB + 768 * MIB; /* all that the machine had */
static unsigned int new_blocks, lost;
static int onlined;

#define LARGE_ORDER 9u
#define LARGE_MASK (GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN)

/* Only the new memory has so much in one piece. What the page allocator gives it takes back, and the heap finds it. */
static void take_and_give(void)
{
	struct page *page = alloc_pages_node(1, LARGE_MASK, LARGE_ORDER);
	void *object;

	if (!page)
		return;
	new_blocks += page_to_pfn(page) >= PFN_DOWN(beyond);
	__free_pages(page, LARGE_ORDER);
	object = kmalloc_node(PAGE_SIZE << LARGE_ORDER, LARGE_MASK, 1);
	lost += !object;
	kfree(object);
}

static void online_and_use(unsigned int cpu, void *ctx)
{
	bool last;

	(void)ctx;
	if (!cpu) {
		__atomic_store_n(&onlined, online_memory(beyond, BLOCK, MMOP_ONLINE_KERNEL), __ATOMIC_RELEASE);
		return;
	}
	do {
		last = __atomic_load_n(&onlined, __ATOMIC_ACQUIRE) <= 0;
		take_and_give();
	} while (!last);
}

/* The moment is short: it takes some rounds to meet it. */
TEST(hotplug, memory_is_in_use_as_soon_as_it_is_free)
{
	static struct page *held[1024];
	unsigned int nr = 0;

#if defined(OCTAVO_MEMORY_MODEL_FLAT) || defined(OCTAVO_MEMORY_MODEL_DISCONTIG) || !defined(__LP64__)
	test_skip("this memory model refuses new memory");
	return;
#endif
#ifdef __SANITIZE_THREAD__
	test_skip("the page allocator reads its bounds plainly while they grow, which the thread sanitizer reports");
	return;
#endif
	ASSERT(boot());
	ASSERT(!hosted_ram_add(beyond, BLOCK));
	while (nr < ARRAY_SIZE(held) && (held[nr] = alloc_pages_node(1, LARGE_MASK, LARGE_ORDER)))
		nr++;
	ASSERT(nr < ARRAY_SIZE(held));
	lost = 0;
	for (unsigned int round = 0; round < test_scaled(40); round++) {
		test_capture_begin();
		ASSERT(!add_memory(1, beyond, BLOCK));
		new_blocks = 0;
		onlined = 1;
		ASSERT(!hosted_run_cpus(2, online_and_use, NULL));
		EXPECT_EQ(onlined, 0);
		EXPECT(new_blocks > 0);
		ASSERT(!offline_memory(beyond, BLOCK));
		ASSERT(!remove_memory(beyond, BLOCK));
		EXPECT(!strstr(test_capture_end(), "BUG"));
	}
	EXPECT_EQ(lost, 0);
	while (nr)
		__free_pages(held[--nr], LARGE_ORDER);
	EXPECT_EQ(mm_verify(say, NULL), 0);
}
