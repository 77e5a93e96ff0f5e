// SPDX-License-Identifier: MIT
/* Reclaim: who may do what, kswapd and without it, machines with too little of everything. */
#include <octavo/mman.h>
#include <octavo/numa.h>
#include <octavo/pagemap.h>
#include <octavo/reclaim_hook.h>
#include <octavo/shrinker.h>
#include <octavo/verify.h>

#include "../unit/proc_text.h"
#include "harness.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/watermark.h"
#include "mm/reclaim/reclaim.h"
#include "mm/swap/swap.h"
#include "ramfile.h"
#include "tasks.h"

#define RAM (16u << 20)
#define SWAP_PAGES 8192u

static u8 area[SWAP_PAGES * PAGE_SIZE]; /* not of the machine's memory */

static bool boot(bool threads, bool swap)
{
	static const struct bootinfo_range map[] = { { 0x100000, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "" };
	struct bdev *disk;

	if (hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true, .threads = threads }))
		return false;
	if (!swap)
		return true;
	if (hosted_block_set(1, area, (u64)SWAP_PAGES * PAGE_SECTORS))
		return false;
	disk = bdev_of_port(1, "vda", (u64)SWAP_PAGES * PAGE_SECTORS, false);
	return disk && !swap_make_header(disk, SWAP_PAGES, NULL) && !swapon_bdev(disk, "/dev/vda", 0);
}

/* Counters that have to agree: VS-I1, VS-I2. */
static void balanced(void)
{
	EXPECT_EQ(global_node_page_state(NR_ISOLATED_ANON) + global_node_page_state(NR_ISOLATED_FILE), 0);
	EXPECT_EQ(vm_event_sum(PGSCAN_KSWAPD) + vm_event_sum(PGSCAN_DIRECT) + vm_event_sum(PGSCAN_KHUGEPAGED),
		  vm_event_sum(PGSCAN_ANON) + vm_event_sum(PGSCAN_FILE));
	EXPECT_EQ(vm_event_sum(PGSTEAL_KSWAPD) + vm_event_sum(PGSTEAL_DIRECT) + vm_event_sum(PGSTEAL_KHUGEPAGED),
		  vm_event_sum(PGSTEAL_ANON) + vm_event_sum(PGSTEAL_FILE));
	EXPECT(vm_event_sum(PGSTEAL_ANON) <= vm_event_sum(PGSCAN_ANON));
	EXPECT(vm_event_sum(PGSTEAL_FILE) <= vm_event_sum(PGSCAN_FILE));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* ---- A process larger than memory ---- */

static u8 byte_of(unsigned long page, unsigned int round)
{
	return (u8)(page * 7 + page / 251 + round * 31 + 1);
}

static void write_all(uintptr_t at, unsigned long pages, unsigned int round)
{
	for (unsigned long i = 0; i < pages; i++) {
		u8 byte = byte_of(i, round);

		if (test_user_write(at + i * PAGE_SIZE + i % 4000, &byte, 1) != 1) {
			test_fail(__FILE__, __LINE__, "page %lu cannot be written", i);
			return;
		}
	}
}

static void check_all(uintptr_t at, unsigned long pages, unsigned int round)
{
	unsigned long wrong = 0;

	for (unsigned long i = 0; i < pages; i++) {
		u8 byte = 0;

		wrong += test_user_read(at + i * PAGE_SIZE + i % 4000, &byte, 1) != 1 || byte != byte_of(i, round);
	}
	EXPECT_EQ(wrong, 0);
}

static void larger_than_memory(bool threads)
{
	const unsigned long pages = 2 * RAM / PAGE_SIZE;
	struct test_process p;
	uintptr_t at;

	ASSERT(boot(threads, true) && test_process_start(&p));
	EXPECT_EQ(proc_put("/proc/sys/vm/overcommit_memory", "1"), 1);
	at = test_map(0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	for (unsigned int round = 0; round < 2; round++) {
		write_all(at, pages, round);
		check_all(at, pages, round);
	}
	EXPECT(vm_event_sum(PGSTEAL_ANON) > pages);
	if (threads) {
		EXPECT(vm_event_sum(PAGEOUTRUN) > 0 && vm_event_sum(PGSTEAL_KSWAPD) > 0);
	} else {
		EXPECT(!vm_event_sum(PAGEOUTRUN) && !vm_event_sum(PGSTEAL_KSWAPD));
		EXPECT(vm_event_sum(PGSTEAL_DIRECT) > 0);
	}
	test_process_exit(&p);
	hosted_threads_settle();
	balanced();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
}

TEST(reclaim, a_process_larger_than_memory)
{
	larger_than_memory(false);
}

TEST(reclaim, a_process_larger_than_memory_with_kswapd)
{
	larger_than_memory(true);
}

/* ---- What each context may do ---- */

static u8 store[RAM_FILE_BYTES];
static struct ram_file f;

struct context {
	gfp_t gfp;
	bool swaps, writes;
};

static void try_context(const struct context *c)
{
	struct reclaim_request request = { .gfp = c->gfp, .order = 7, .highest = MAX_NR_ZONES - 1 };
	struct test_process p;
	struct file *file;
	unsigned int scope;
	uintptr_t at;

	ASSERT(boot(false, true) && ram_file_make(&f, store, RAM_FILE_BYTES, false) && test_process_start(&p));
	file = ram_file_open(&f);
	at = test_map(0, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	write_all(at, 64, 1);
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_EQ(ram_file_write(file, "dirty", 5, i * PAGE_SIZE), 5);
	for (unsigned int i = 0; i < 4; i++) {
		scope = memalloc_noreclaim_save();
		(void)try_to_free_pages(&request);
		memalloc_noreclaim_restore(scope);
	}
	EXPECT_EQ(global_node_page_state(NR_ANON_MAPPED) < 64, c->swaps);
	EXPECT_EQ(f.writes > 0, c->writes);
	check_all(at, 64, 1);
	test_process_exit(&p);
	fput(file);
	ram_file_put(&f);
	balanced();
}

TEST(reclaim, contexts)
{
	static const struct context contexts[] = {
		{ GFP_KERNEL, true, true },
		{ GFP_HIGHUSER_MOVABLE, true, true },
		{ GFP_NOFS, true, false },
		{ GFP_NOIO, false, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(contexts); i++)
		try_context(&contexts[i]);
}

/* DR-I1: a shrinker that allocates is not called again for it. */
static unsigned int depth, deepest, calls;

static unsigned long count_many(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return 1000;
}

static unsigned long allocate_in_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct page *page;

	(void)shrinker;
	(void)sc;
	calls++;
	deepest = max(deepest, ++depth);
	page = alloc_pages(GFP_KERNEL, 0);
	if (page)
		__free_pages(page, 0);
	depth--;
	return SHRINK_STOP;
}

/* DR-I2, VS-I3: nothing can be freed, each pass ends, and the allocation fails instead of looking for ever. */
TEST(reclaim, nothing_to_be_had)
{
	struct page *first = NULL, *page;
	struct shrinker *shrinker;
	unsigned long n = 0;

	ASSERT(boot(false, false));
	depth = deepest = calls = 0;
	shrinker = shrinker_alloc(0, "test");
	ASSERT(shrinker);
	shrinker->count_objects = count_many;
	shrinker->scan_objects = allocate_in_scan;
	shrinker_register(shrinker);
	while ((page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0)) != NULL && n < RAM / PAGE_SIZE) {
		page->mapping_index = first ? page_to_pfn(first) : 0;
		first = page;
		n++;
	}
	EXPECT(n > RAM / PAGE_SIZE / 2 && !page);
	EXPECT(calls > 0);
	EXPECT_EQ(deepest, 1);
	while (first) {
		unsigned long next = (unsigned long)first->mapping_index;

		first->mapping_index = 0;
		__free_pages(first, 0);
		first = next ? pfn_to_page(next) : NULL;
	}
	shrinker_free(shrinker);
	balanced();
}

/* KS-I2: without a kswapd the boost ends with the next reclaim; with one it ends by itself. */
TEST(reclaim, boost_ends)
{
	for (int threads = 0; threads < 2; threads++) {
		struct reclaim_request request = { .gfp = GFP_KERNEL, .highest = MAX_NR_ZONES - 1 };
		struct zone *zone = NULL;

		ASSERT(boot(threads, false));
		for_each_populated_zone(z)
			zone = managed_zone(z) && !zone ? z : zone;
		hosted_threads_settle();
		zone->watermark_boost = 512;
		if (threads) {
			wakeup_kswapd(zone, GFP_KERNEL, 0, zone->type);
			hosted_threads_settle();
		} else {
			(void)try_to_free_pages(&request);
		}
		if (zone->watermark_boost)
			test_fail(__FILE__, __LINE__, "with %d threads a boost of %lu is left", threads,
				  zone->watermark_boost);
	}
}

static unsigned int hardest;
static void (*age_as_ever)(struct lruvec *vec, const struct lru_scan *scan);

static void age_and_note(struct lruvec *vec, const struct lru_scan *scan)
{
	hardest = min(hardest, scan->priority);
	age_as_ever(vec, scan);
}

static void choose_some(struct lruvec *vec, const struct lru_scan *scan, unsigned long nr[2])
{
	(void)vec;
	(void)scan;
	nr[0] = 0;
	nr[1] = 2;
}

/* A boost alone makes nobody look hard: however much of it is left, as long as a little is freed. */
TEST(reclaim, boost_is_mild)
{
	static struct lru_policy noting;
	const struct lru_policy *before;
	unsigned long freed;
	struct file *file;
	struct zone *zone = NULL;
	u8 byte;

	ASSERT(boot(true, false) && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	before = lru_policy();
	noting = *before;
	age_as_ever = before->age;
	noting.age = age_and_note;
	noting.choose = choose_some;
	hardest = DEF_PRIORITY;
	ASSERT(!lru_policy_switch(&noting));
	file = ram_file_open(&f);
	ASSERT(file);
	for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(ram_file_read(file, &byte, 1, i * PAGE_SIZE), 1);
	/* The highest: wherever the file's pages are, they are asked for. */
	for_each_populated_zone(z)
		zone = managed_zone(z) ? z : zone;
	hosted_threads_settle();
	freed = vm_event_sum(PGSTEAL_KSWAPD);
	zone->watermark_boost = 512;
	EXPECT(pgdat_balanced(zone->pgdat, 0, zone->type));
	wakeup_kswapd(zone, GFP_KERNEL, 0, zone->type);
	hosted_threads_settle();
	EXPECT_EQ(zone->watermark_boost, 0);
	EXPECT(vm_event_sum(PGSTEAL_KSWAPD) > freed);
	EXPECT_EQ(hardest, DEF_PRIORITY - 2);
	EXPECT_EQ(lru_policy_switch(before), 0);
	fput(file);
	ram_file_put(&f);
	balanced();
}

/* Who comes when the reserves are half gone waits for kswapd, which has to know, also where there is no Normal zone. */
TEST(reclaim, who_waits_for_reserves_wakes_kswapd)
{
	const struct reclaim_request request = { .gfp = GFP_KERNEL, .highest = ZONE_NORMAL };
	const gfp_t quietly = (GFP_HIGHUSER & ~__GFP_RECLAIM) | __GFP_NOWARN | __GFP_MEMALLOC;
	struct page *first = NULL, *page;
	struct reclaim_node *node;
	struct test_process p;
	unsigned long runs;
	uintptr_t at;

	ASSERT(boot(true, true) && test_process_start(&p));
	node = reclaim_node(0);
	at = test_map(0, RAM / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	write_all(at, RAM / 2 / PAGE_SIZE, 1);
	hosted_threads_settle();
	while (allow_direct_reclaim(node) && (page = alloc_pages(quietly, 0))) {
		set_page_private(page, (unsigned long)(uintptr_t)first);
		first = page;
	}
	EXPECT(!allow_direct_reclaim(node));
	runs = vm_event_sum(PAGEOUTRUN);
	EXPECT(!throttle_direct_reclaim(&request));
	EXPECT(vm_event_sum(PAGEOUTRUN) > runs);
	EXPECT(allow_direct_reclaim(node));
	while (first) {
		page = first;
		first = (struct page *)(uintptr_t)page_private(page);
		set_page_private(page, 0);
		__free_pages(page, 0);
	}
	check_all(at, RAM / 2 / PAGE_SIZE, 1);
	test_process_exit(&p);
	hosted_threads_settle();
	balanced();
}

/* KS-I1: kswapd sleeps until it is needed, frees up to the high watermark, and sleeps again. KS-I3. */
TEST(reclaim, kswapd_keeps_the_watermarks)
{
	struct reclaim_node *node;
	struct file *file;
	unsigned long runs;
	u8 byte;

	ASSERT(boot(true, false) && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	node = reclaim_node(0);
	file = ram_file_open(&f);
	ASSERT(node && file);
	hosted_threads_settle();
	EXPECT(node_has_kswapd(node) && node->asleep);
	EXPECT_EQ(vm_event_sum(PAGEOUTRUN), 0);
	for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(ram_file_read(file, &byte, 1, i * PAGE_SIZE), 1);
	/* Nobody wakes it while the node is balanced. */
	wakeup_kswapd(&node->pgdat->node_zones[ZONE_DMA], GFP_KERNEL, 0, ZONE_NORMAL);
	hosted_threads_settle();
	EXPECT_EQ(vm_event_sum(PAGEOUTRUN), 0);
	EXPECT_EQ(set_min_free_kbytes(12 << 10), 0);
	wakeup_kswapd(&node->pgdat->node_zones[ZONE_DMA], GFP_KERNEL, 0, ZONE_NORMAL);
	hosted_threads_settle();
	runs = vm_event_sum(PAGEOUTRUN);
	EXPECT(runs > 0 && vm_event_sum(PGSTEAL_KSWAPD) > 0 && !vm_event_sum(PGSTEAL_DIRECT));
	fput(file);
	ram_file_put(&f);
	balanced();
}

/* Freed on demand: the file of a node takes what memory.reclaim takes elsewhere. */
TEST(reclaim, on_demand)
{
	struct test_process p;
	uintptr_t at;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	EXPECT_EQ(proc_put("/sys/devices/system/node/node0/reclaim", "x"), -EINVAL);
	EXPECT_EQ(proc_put("/sys/devices/system/node/node0/reclaim", "4K swappiness=201"), -EINVAL);
	EXPECT_EQ(proc_put("/sys/devices/system/node/node0/reclaim", "1G"), -EAGAIN);
	EXPECT_EQ(proc_put("/proc/sys/vm/swappiness", "201"), -EINVAL);
	ASSERT(test_process_start(&p) && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	{
		struct file *file = ram_file_open(&f);
		u8 byte;

		ASSERT(file);
		for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
			EXPECT_EQ(ram_file_read(file, &byte, 1, i * PAGE_SIZE), 1);
		at = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 3 * PAGE_SIZE);
		EXPECT_EQ(test_user_read(at, &byte, 1), 1);
		EXPECT(proc_put("/sys/devices/system/node/node0/reclaim", "64K swappiness=0") > 0);
		EXPECT(f.inode.i_data.nrpages <= RAM_FILE_PAGES - 16);
		EXPECT_EQ(test_user_read(at, &byte, 1), 1);
		fput(file);
	}
	test_process_exit(&p);
	ram_file_put(&f);
	balanced();
}

static unsigned long looks(void)
{
	return vm_event_sum(PGSCAN_ZONE_RECLAIM_SUCCESS) + vm_event_sum(PGSCAN_ZONE_RECLAIM_FAILED);
}

/* Zones of a node that were, of those that could have been. */
static unsigned long looked_through(struct file *file, int nid)
{
	unsigned long before = looks(), n = 0;
	u8 byte;

	for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(ram_file_read(file, &byte, 1, i * PAGE_SIZE), 1);
	for_each_populated_zone(zone)
		n += zone->node == nid && node_reclaim_hook(zone, 1, GFP_KERNEL, 0);
	EXPECT_EQ(looks(), before + n);
	return n;
}

/* vm.zone_reclaim_mode: a CPU looks through its own node and those without CPUs; who does not look has not failed. */
TEST(reclaim, nodes_before_others_are_used)
{
	static const struct bootinfo_range map[] = { { 0x100000, 8 * RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "numa=fake=2" };
	struct file *file;

	ASSERT(!hosted_boot(&info, &(struct hosted_options){ .cpus = 2, .quiet = true }));
	ASSERT(nr_node_ids == 2 && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	EXPECT_EQ(proc_put("/proc/sys/vm/zone_reclaim_mode", "1"), 1);
	EXPECT_EQ(proc_put("/proc/sys/vm/min_unmapped_ratio", "0"), 1);
	file = ram_file_open(&f);
	ASSERT(file);
	ASSERT(node_reclaim_hook);
	for_each_populated_zone(zone)
		EXPECT(!node_reclaim_hook(zone, 0, GFP_ATOMIC, 0));
	EXPECT_EQ(looks(), 0);
	/* Node 0, where the file is, is this CPU's; another's; nobody's. */
	EXPECT(cpu_locals[0]->node == 0 && cpu_locals[1]->node == 0);
	EXPECT(looked_through(file, 0) > 0);
	cpu_locals[0]->node = 1;
	WRITE_ONCE(cpu_locals[1]->online, true);
	EXPECT_EQ(looked_through(file, 0), 0);
	WRITE_ONCE(cpu_locals[1]->online, false);
	EXPECT(looked_through(file, 0) > 0);
	cpu_locals[0]->node = 0;
	fput(file);
	ram_file_put(&f);
	balanced();
}

/* ---- Who waits ---- */

static void end_writeback_soon(struct kthread *self, void *arg)
{
	port_park(5000000);
	folio_end_writeback(arg);
	while (!kthread_should_stop(self))
		(void)kthread_sleep(self, NULL, 0);
}

/* Who waits for writeback does not wait for longer than that lasts, at most a tenth of a second. */
TEST(reclaim, throttled_until_it_is_written)
{
	struct test_process p;
	struct file *file;
	struct folio *folio;
	u64 shortest = ~(u64)0, begin;
	u8 byte;

	ASSERT(boot(true, false) && ram_file_make(&f, store, RAM_FILE_BYTES, false) && test_process_start(&p));
	file = ram_file_open(&f);
	ASSERT(file);
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), 1);
	folio = filemap_get_folio(&f.inode.i_data, 0);
	ASSERT(folio);
	/* The machine may have something else to do meanwhile, but not every time. */
	for (unsigned int i = 0; i < 8 && shortest > 60000000; i++) {
		static struct kthread ender;

		folio_lock(folio);
		folio_start_writeback(folio);
		folio_unlock(folio);
		ASSERT(!kthread_start(&ender, end_writeback_soon, folio, "ender", 0));
		begin = port_clock_ns();
		reclaim_throttle(reclaim_node(0), THROTTLE_WRITEBACK);
		shortest = min(shortest, port_clock_ns() - begin);
		kthread_stop(&ender);
		EXPECT(!PageWriteback(&folio->page));
	}
	EXPECT(shortest <= 60000000);
	EXPECT(shortest >= 1000000);
	folio_put(folio);
	test_process_exit(&p);
	fput(file);
	ram_file_put(&f);
	hosted_threads_settle();
	balanced();
}

static void look_at(struct reclaim_stat *stat, struct folio *folio)
{
	struct scan_control sc = { .gfp = GFP_KERNEL, .kind = RECLAIM_KSWAPD,
				   .scan = { .node = NODE_DATA(0), .kswapd = true, .may_unmap = true,
					     .may_write = true } };
	enum lru_verdict verdict;

	EXPECT(folio_isolate_lru(folio));
	(void)shrink_folio_list(&sc, &folio, &verdict, 1);
	lru_policy()->putback(node_lruvec(0), &folio, &verdict, 1);
	*stat = sc.stat;
}

/* One that is still being written is no reason to wait, unless all there is is being written. */
TEST(reclaim, under_writeback_when_it_comes_round)
{
	struct reclaim_stat first, again, all;
	struct file *file;
	struct folio *folio;
	u8 byte;

	ASSERT(boot(false, false) && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	file = ram_file_open(&f);
	ASSERT(file);
	(void)generic_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	EXPECT_EQ(ram_file_read(file, &byte, 1, 0), 1);
	folio = filemap_get_folio(&f.inode.i_data, 0);
	ASSERT(folio);
	folio_lock(folio);
	folio_start_writeback(folio);
	folio_unlock(folio);
	look_at(&first, folio);
	look_at(&again, folio);
	node_state_set(reclaim_node(0), NODE_WRITEBACK);
	look_at(&all, folio);
	EXPECT(first.writeback == 1 && again.writeback == 1 && all.writeback == 1);
	EXPECT(first.dirty == 1 && again.dirty == 1 && all.dirty == 1);
	EXPECT(!first.congested && again.congested == 1 && all.congested == 1);
	EXPECT(!first.immediate && !again.immediate && all.immediate == 1);
	node_state_clear(reclaim_node(0), NODE_WRITEBACK);
	folio_end_writeback(folio);
	folio_put(folio);
	fput(file);
	ram_file_put(&f);
	balanced();
}

/* What is charged to a kind is what reclaim wrote, not what it left to others to write. */
TEST(reclaim, written_by_reclaim)
{
	struct reclaim_stat stat;
	struct file *file;
	struct folio *folio;

	ASSERT(boot(false, false) && ram_file_make(&f, store, RAM_FILE_BYTES, false));
	file = ram_file_open(&f);
	ASSERT(file);
	EXPECT_EQ(ram_file_write(file, "dirty", 5, 0), 5);
	folio = filemap_get_folio(&f.inode.i_data, 0);
	ASSERT(folio);
	folio_put(folio);
	look_at(&stat, folio);
	EXPECT(stat.dirty == 1 && stat.unqueued_dirty == 1 && !stat.pageout && !f.writes);
	node_state_set(reclaim_node(0), NODE_DIRTY);
	look_at(&stat, folio);
	EXPECT(stat.dirty == 1 && !stat.unqueued_dirty && stat.pageout == 1 && f.writes == 1);
	node_state_clear(reclaim_node(0), NODE_DIRTY);
	fput(file);
	ram_file_put(&f);
	balanced();
}
