// SPDX-License-Identifier: MIT
/* Files larger than memory: the page cache makes room, and nothing of a file is lost by it. */
#include <octavo/pagemap.h>
#include <octavo/reclaim_hook.h>
#include <octavo/shrinker.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "../unit/proc_text.h"
#include "harness.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/cache/filemap.h"
#include "mm/reclaim/reclaim.h"
#include "ramfile.h"
#include "schedules.h"
#include "tasks.h"

#define RAM (16u << 20)
#define DISK (3u * RAM)
#define CHUNK (64u * 1024)

static u8 disk[DISK], chunk[CHUNK];
static struct inode inode;
static struct bdev *device;
static struct file *file;

static void evict(struct inode *gone)
{
	inode_evict_mapping(gone);
}

static const struct inode_operations i_ops = { .evict = evict };

static bool boot_small(void)
{
	static const struct bootinfo_range map[] = { { 0x100000, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "" };

	return !hosted_boot(&info, &(struct hosted_options){ .cpus = 2, .quiet = true });
}

static bool open_disk(void)
{
	memset(&inode, 0, sizeof(inode));
	inode.i_op = &i_ops;
	device = hosted_block_set(1, disk, DISK / 512) ? NULL : bdev_of_port(1, "disk1", DISK / 512, true);
	if (!device || bdev_init_inode(&inode, device))
		return false;
	file = alloc_file(&inode, FMODE_READ | FMODE_WRITE, 0, &bdev_fops);
	return file != NULL;
}

static void close_disk(void)
{
	fput(file);
	bdev_put_port(device);
	EXPECT_EQ(hosted_block_set(1, NULL, 0), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

static s64 rw(bool write, void *at, size_t n, u64 pos)
{
	struct iov_iter iter = { .base = at, .count = n };

	return write ? file->f_op->write_iter(file, &iter, &pos) : file->f_op->read_iter(file, &iter, &pos);
}

/* What byte @pos is after @round rounds of writing. */
static u8 byte_of(u64 pos, unsigned int round)
{
	return (u8)(pos ^ pos >> 9 ^ pos >> 17 ^ round * 77);
}

static void fill_chunk(u64 pos, size_t n, unsigned int round)
{
	for (size_t i = 0; i < n; i++)
		chunk[i] = byte_of(pos + i, round);
}

static bool read_is(u64 pos, size_t n, unsigned int round)
{
	memset(chunk, 0xee, n);
	if (rw(false, chunk, n, pos) != (s64)n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (chunk[i] != byte_of(pos + i, round))
			return false;
	return true;
}

static void through_all(bool write, size_t step, unsigned int round)
{
	unsigned int bad = 0;

	for (u64 pos = 0; pos < DISK; pos += step) {
		if (write) {
			fill_chunk(pos, step, round);
			bad += rw(true, chunk, step, pos) != (s64)step;
		} else {
			bad += !read_is(pos, step, round);
		}
	}
	EXPECT_EQ(bad, 0);
}

TEST(cache_reclaim, a_device_larger_than_memory)
{
	u64 chance = test_seed;

	for (u64 pos = 0; pos < DISK; pos++)
		disk[pos] = byte_of(pos, 0);
	ASSERT(boot_small() && open_disk());
	through_all(false, CHUNK, 0);
	if (test_effort >= 15)
		through_all(false, CHUNK / 8, 0);
	EXPECT(global_node_page_state(NR_FILE_PAGES) > RAM / 2 / PAGE_SIZE);
	through_all(true, CHUNK, 1);
	sysctl_dirty_bytes = 1ul << 30; /* so that pages become dirty until memory is short */
	sysctl_dirty_background_bytes = 1ul << 29;
	through_all(true, PAGE_SIZE, 2);
	EXPECT(global_node_page_state(NR_VMSCAN_WRITE) > 0);
	through_all(false, CHUNK, 2);
	for (unsigned int i = 0; i < test_scaled(3000); i++) {
		u64 r = test_random(&chance), pos = r % (DISK - CHUNK);
		size_t n = (size_t)(r >> 40) % (2 * PAGE_SIZE) + 1;

		if (r >> 39 & 1) {
			fill_chunk(pos, n, 2);
			EXPECT_EQ(rw(true, chunk, n, pos), n);
		} else {
			EXPECT(read_is(pos, n, 2));
		}
	}
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	for (u64 pos = 0; pos < DISK; pos++)
		if (disk[pos] != byte_of(pos, 2)) {
			test_fail(__FILE__, __LINE__, "byte %llu of the device", (unsigned long long)pos);
			break;
		}
	close_disk();
}

/* Who makes too much dirty writes before he goes on. */
TEST(cache_reclaim, dirty_limits)
{
	unsigned int over = 0;

	memset(disk, 0, sizeof(disk));
	ASSERT(boot_small() && open_disk());
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_threshold"), dirty_limits().most);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_background_threshold"), dirty_limits().background);
	EXPECT(dirty_limits().most > RAM / PAGE_SIZE / 8 && dirty_limits().most < RAM / PAGE_SIZE / 5);
	EXPECT(dirty_limits().most / 2 - dirty_limits().background <= 1);
	for (u64 pos = 0; pos < DISK / 2; pos += PAGE_SIZE) {
		fill_chunk(pos, PAGE_SIZE, 1);
		EXPECT_EQ(rw(true, chunk, PAGE_SIZE, pos), PAGE_SIZE);
		over += global_node_page_state(NR_FILE_DIRTY) > dirty_limits().background + 64;
	}
	EXPECT_EQ(over, 0);
	/* Here and there, wherever it ends. */
	for (u64 pos = 3 * PAGE_SIZE; pos < DISK; pos += 8 * PAGE_SIZE) {
		fill_chunk(pos, PAGE_SIZE, 1);
		EXPECT_EQ(rw(true, chunk, PAGE_SIZE, pos), PAGE_SIZE);
		over += global_node_page_state(NR_FILE_DIRTY) > dirty_limits().background + 64;
	}
	EXPECT_EQ(over, 0);
	EXPECT(disk[0] == byte_of(0, 1) && disk[DISK / 4] == byte_of(DISK / 4, 1));
	EXPECT_EQ(proc_put("/proc/sys/vm/dirty_bytes", "100000"), 6);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_threshold"), 25);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_background_threshold"), 12);
	close_disk();
}

/* ---- What goes, and what stays ---- */

static u8 store[RAM_FILE_BYTES];
static struct ram_file f;

static unsigned long reclaim(gfp_t gfp, unsigned int order)
{
	struct reclaim_request request = { .gfp = gfp, .order = order, .highest = MAX_NR_ZONES - 1 };

	return try_to_free_pages(&request);
}

static bool present(unsigned long index)
{
	return filemap_range_has_page(&f.inode.i_data, (u64)index << PAGE_SHIFT, (u64)index << PAGE_SHIFT);
}

/* Pages of the file that are in memory. */
static unsigned int present_of(unsigned long from, unsigned long to)
{
	unsigned int n = 0;

	for (unsigned long i = from; i < to; i++)
		n += present(i);
	return n;
}

static struct file *begin(struct test_process *p)
{
	struct file *opened = NULL;

	memset(store, 5, sizeof(store));
	if (!ram_file_make(&f, store, RAM_FILE_BYTES, false) || !test_process_start(p))
		return NULL;
	opened = ram_file_open(&f);
	/* One by one, so that no window of readahead is in the way. */
	if (opened)
		(void)generic_fadvise(opened, 0, 0, POSIX_FADV_RANDOM);
	return opened;
}

static void end(struct test_process *p, struct file *opened)
{
	test_process_exit(p);
	fput(opened);
	ram_file_put(&f);
	EXPECT(f.evicted);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(cache_reclaim, what_is_in_use_stays)
{
	struct test_process p;
	struct file *opened;
	struct folio *held, *locked, *under;
	uintptr_t at;
	u8 byte;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	opened = begin(&p);
	ASSERT(opened);
	for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(ram_file_read(opened, &byte, 1, i * PAGE_SIZE), 1);
	at = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, opened, 3 * PAGE_SIZE);
	EXPECT_EQ(test_user_read(at, &byte, 1), 1);
	held = filemap_get_folio(&f.inode.i_data, 4);
	locked = filemap_get_folio(&f.inode.i_data, 5);
	under = filemap_get_folio(&f.inode.i_data, 6);
	ASSERT(held && locked && under);
	folio_lock(locked);
	folio_put(locked);
	folio_lock(under);
	folio_start_writeback(under);
	folio_unlock(under);
	folio_put(under);
	EXPECT(reclaim(GFP_KERNEL, 9) >= RAM_FILE_PAGES - 4);
	EXPECT_EQ(f.inode.i_data.nrpages, 4);
	EXPECT(present(3) && present(4) && present(5) && present(6));
	folio_end_writeback(under);
	folio_unlock(locked);
	folio_put(held);
	EXPECT_EQ(ksys_munmap(at, PAGE_SIZE), 0);
	(void)reclaim(GFP_KERNEL, 9);
	EXPECT_EQ(f.inode.i_data.nrpages, 0);
	EXPECT_EQ(ram_file_read(opened, &byte, 1, 4 * PAGE_SIZE), 1);
	EXPECT_EQ(byte, 5);
	end(&p, opened);
}

/* What becomes of a folio that is isolated. Return: pages freed. */
static unsigned long reclaim_one(struct folio *folio)
{
	struct scan_control sc = { .gfp = GFP_KERNEL, .kind = RECLAIM_DIRECT,
				   .scan = { .node = NODE_DATA(page_to_nid(&folio->page)), .may_swap = true,
					     .may_unmap = true, .may_write = true } };
	enum lru_verdict verdict;
	unsigned long freed = shrink_folio_list(&sc, &folio, &verdict, 1);

	lru_policy()->putback(node_lruvec(sc.scan.node->node_id), &folio, &verdict, 1);
	return freed;
}

/*
 * Truncated while somebody holds a page of it, who writes to it then (process_vm_writev(2)): dirty, and of no file. It
 * is nowhere to be written, and goes with its last reference.
 */
TEST(cache_reclaim, dirty_without_a_file)
{
	struct test_process p;
	struct file *opened;
	struct folio *held;
	u8 byte;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	opened = begin(&p);
	ASSERT(opened);
	EXPECT_EQ(ram_file_read(opened, &byte, 1, 4 * PAGE_SIZE), 1);
	held = filemap_get_folio(&f.inode.i_data, 4);
	ASSERT(held);
	ram_file_truncate(&f, 0);
	folio_lock(held);
	EXPECT(folio_mark_dirty(held));
	folio_unlock(held);
	(void)reclaim(GFP_KERNEL, 9);
	EXPECT_EQ(page_ref_count(&held->page), 1);
	EXPECT(PageDirty(&held->page) && PageLRU(&held->page) && !PageLocked(&held->page));
	EXPECT_EQ(global_node_page_state(NR_VMSCAN_WRITE), 0);
	/* Last user and reclaim at once: whoever of them has it last frees it. */
	EXPECT(folio_isolate_lru(held));
	folio_put(held);
	EXPECT_EQ(reclaim_one(held), 1);
	end(&p, opened);
}

/* What is dirty is written first, by whoever may; an error is not lost. */
TEST(cache_reclaim, dirty_pages)
{
	static const gfp_t must_not[] = { GFP_NOFS, GFP_NOIO };
	struct test_process p;
	struct file *opened;
	unsigned int written = 0, missing = 0;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	opened = begin(&p);
	ASSERT(opened);
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_EQ(ram_file_write(opened, "dirty", 5, i * PAGE_SIZE), 5);
	for (unsigned int i = 0; i < ARRAY_SIZE(must_not); i++) {
		(void)reclaim(must_not[i], 9);
		EXPECT_EQ(f.inode.i_data.nrpages, 10);
		EXPECT_EQ(f.writes, 0);
	}
	f.fail_writes = 1;
	(void)reclaim(GFP_KERNEL, 9);
	EXPECT_EQ(f.inode.i_data.nrpages, 0);
	EXPECT_EQ(f.writes, 10);
	for (unsigned int i = 0; i < 10; i++)
		written += !memcmp(store + i * PAGE_SIZE, "dirty", 5);
	for (unsigned int i = 0; i < 10; i++)
		missing += !memcmp(store + i * PAGE_SIZE, "\5\5\5\5\5", 5); /* as begin() leaves it */
	EXPECT_EQ(written, 9);
	EXPECT_EQ(missing, 1); /* the one that failed */
	EXPECT_EQ(opened->f_op->fsync(opened, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(opened->f_op->fsync(opened, 0, ~(u64)0, false), 0);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	end(&p, opened);
}

/* What was read once goes in the order that it came in; what was read again in between stays. */
TEST(cache_reclaim, oldest_first)
{
	struct test_process p;
	struct file *opened;
	u8 byte;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	opened = begin(&p);
	ASSERT(opened);
	for (unsigned int i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(ram_file_read(opened, &byte, 1, i * PAGE_SIZE), 1);
	EXPECT_EQ(reclaim(GFP_KERNEL, 0) >= 32, true);
	EXPECT(present_of(0, 32) < 3 && present_of(48, RAM_FILE_PAGES) == RAM_FILE_PAGES - 48);
	for (unsigned int i = 48; i < 60; i++) {
		EXPECT_EQ(ram_file_read(opened, &byte, 1, i * PAGE_SIZE), 1);
		EXPECT_EQ(ram_file_read(opened, &byte, 1, 0), 1); /* another page in between: used again */
	}
	EXPECT(node_reclaim_pages(0, 12, -1) >= 12);
	EXPECT_EQ(present_of(48, 60), 12);
	EXPECT(present_of(32, 48) <= 8);
	end(&p, opened);
}

/* ---- Caches of objects ---- */

#define OBJECTS 1000u

static unsigned long objects, asked, pages_of_its_own;
static struct kmem_cache *cache;
static void *object[OBJECTS];

static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return objects;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n = min(objects, sc->nr_to_scan);

	(void)shrinker;
	asked++;
	for (unsigned long i = 0; i < n; i++) {
		objects--;
		kmem_cache_free(cache, object[objects]);
		object[objects] = NULL;
	}
	if (cache)
		(void)kmem_cache_shrink(cache);
	mm_account_reclaimed_pages(pages_of_its_own);
	return n;
}

/* What comes of it is the pages of objects, and those that the shrinker says it gave back, not objects. */
TEST(cache_reclaim, shrinkers_are_asked)
{
	struct shrinker *shrinker;
	unsigned long slabs;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	(void)reclaim(GFP_KERNEL, 0);
	shrinker = shrinker_alloc(0, "test");
	ASSERT(shrinker);
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker_register(shrinker);
	objects = OBJECTS;
	asked = pages_of_its_own = 0;
	EXPECT(reclaim(GFP_KERNEL, 0) < 32);
	EXPECT(asked > 0);
	EXPECT_EQ(objects, 0);
	asked = 0;
	objects = OBJECTS;
	pages_of_its_own = 32;
	EXPECT(reclaim(GFP_KERNEL, 0) >= 32);
	EXPECT(objects > 0);
	pages_of_its_own = 0;
	cache = kmem_cache_create("test", 1024, 0, 0, NULL);
	ASSERT(cache);
	for (objects = 0; objects < OBJECTS; objects++) {
		object[objects] = kmem_cache_alloc(cache, GFP_KERNEL);
		ASSERT(object[objects]);
	}
	slabs = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	EXPECT(reclaim(GFP_KERNEL, 0) >= 32);
	EXPECT(objects > 0 && objects < OBJECTS);
	EXPECT(global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) + 32 <= slabs);
	while (objects)
		kmem_cache_free(cache, object[--objects]);
	kmem_cache_destroy(cache);
	cache = NULL;
	shrinker_free(shrinker);
}

/* ---- Files that come and go under the hand ---- */

#define FILES 3u
#define TURNS 12u

static u8 stores[FILES][RAM_FILE_BYTES];
static unsigned int wrong, working;

static void make_and_evict(unsigned int cpu)
{
	static struct ram_file files[FILES];
	static u8 text[FILES][PAGE_SIZE];

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		struct file *opened;

		memset(stores[cpu], 0, sizeof(stores[cpu]));
		if (!ram_file_make(&files[cpu], stores[cpu], 0, turn & 1))
			break;
		files[cpu].delay = 1;
		opened = ram_file_open(&files[cpu]);
		for (unsigned int i = 0; opened && i < 6; i++) {
			memset(text[cpu], (int)(turn + i + 1), PAGE_SIZE);
			if (ram_file_write(opened, text[cpu], PAGE_SIZE, i * PAGE_SIZE) != PAGE_SIZE)
				atomic_fetch_add(&wrong, 1);
		}
		for (unsigned int i = 0; opened && i < 6; i++)
			if (ram_file_read(opened, text[cpu], PAGE_SIZE, i * PAGE_SIZE) != PAGE_SIZE ||
			    text[cpu][17] != turn + i + 1)
				atomic_fetch_add(&wrong, 1);
		if (opened)
			fput(opened);
		ram_file_put(&files[cpu]);
		if (!files[cpu].evicted || files[cpu].inode.i_data.visitors)
			atomic_fetch_add(&wrong, 1);
		rcu_poll();
	}
	atomic_fetch_sub(&working, 1);
}

static void come_and_go(unsigned int cpu, void *ctx)
{
	(void)ctx;
	if (cpu < FILES - 1)
		make_and_evict(cpu);
	while (cpu >= FILES - 1 && load_acquire(&working)) {
		if (cpu & 1) {
			ksys_sync();
			drop_page_cache();
		}
		(void)reclaim(GFP_KERNEL, 0);
		port_cpu_relax();
	}
}

static void come_and_go_setup(void *ctx)
{
	(void)ctx;
	wrong = 0;
	working = FILES - 1;
}

static bool come_and_go_check(void *ctx)
{
	(void)ctx;
	return !wrong && !all_mappings.nr && !all_mappings.first && !all_mappings.last &&
	       !global_node_page_state(NR_FILE_PAGES) && !mm_verify(NULL, NULL);
}

TEST(cache_reclaim, files_come_and_go)
{
	static const struct scenario scenario = { .cpus = 4, .setup = come_and_go_setup, .work = come_and_go,
						  .check = come_and_go_check };

	scenario_test(&scenario, test_scaled(20));
}
