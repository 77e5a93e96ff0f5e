// SPDX-License-Identifier: MIT
/*
 * The process model (tests/process_model.h) with far more demand than memory: nobody is forced out, reclaim alone makes
 * room. Machines of 8 to 32 MiB, swap of several kinds or none, both policies and changes between them, with
 * the core's own threads and without, on real CPUs and by seeds. The oracle knows every byte; nobody is killed, as swap
 * has room; at the end all exit, and every page and every slot is free.
 */
#include <octavo/rcupdate.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>
#include <octavo/vmalloc.h>
#include <stdio.h>

#include "../unit/proc_text.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/cache/filemap.h"
#include "mm/lru/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "process_model.h"
#include "schedules.h"
#include "swapper.h"

#define MIB ((size_t)1 << 20)
#define SWAP_BYTES (80 * MIB)
#define FILE_BYTES (PROCESS_MODEL_FILE_PAGES * PROCESS_MODEL_SCALE_MAX * (size_t)PAGE_SIZE)

/* Where each lock and atomic may switch, a step takes several times as long; that is for the schedules below. */
#ifdef OCTAVO_SCHED
#define STEPS_LESS 3u
#else
#define STEPS_LESS 1u
#endif

/* The disks of the port's: not of the machine's memory. */
static u8 swap_store[SWAP_BYTES], file_store[FILE_BYTES];

enum swap_kind { SWAP_NONE, SWAP_DISK, SWAP_ZSWAP, SWAP_BOTH };

/**
 * struct machine - what is run
 * @swap: none; a disk; it with zswap in front; it behind a RAM disk of the machine's own memory
 * @on_disk: the file is a disk's, not tmpfs's: without swap, that is what can go
 * @held: pages that somebody else has, all the time
 * @large: programs' memory comes in folios of 16 to 128 KiB
 * @times: the demand that is reached at least, in hundredths of what memory is left
 */
struct machine {
	unsigned int mib, cpus, scale, steps, held, times;
	enum swap_kind swap;
	bool on_disk, threads, lru_gen, changes, large;
};

static const struct machine *machine;
static struct process_run run;
static struct bdev *swap_disk, *ram_disk, *file_disk, *big_disk;
static struct inode file_inode, big_inode;
static struct file *big; /* without swap: a file that is larger than memory, which is read all the time */
static unsigned int at_work, changed, looked; /* looked: somebody looks on */
static unsigned long most, big_seen;
static bool seen[SWAP_BYTES / PAGE_SIZE]; /* pages of the large file */
static struct page *held[4096];
static swp_entry_t slot[SWAP_BYTES / PAGE_SIZE / 2], pieces[ARRAY_SIZE(slot)];
static unsigned int nr_pieces;

static void evict(struct inode *gone)
{
	inode_evict_mapping(gone);
}

static const struct inode_operations i_ops = { .evict = evict };

static struct file *disk_file(unsigned int nr, const char *name, u8 *store, unsigned long pages, struct inode *inode,
			      struct bdev **disk)
{
	memset(inode, 0, sizeof(*inode));
	inode->i_op = &i_ops;
	if (hosted_block_set(nr, store, pages * PAGE_SECTORS))
		return NULL;
	*disk = bdev_of_port(nr, name, pages * PAGE_SECTORS, true);
	return *disk && !bdev_init_inode(inode, *disk) ?
		       alloc_file(inode, FMODE_READ | FMODE_WRITE, 0, &bdev_fops) :
		       NULL;
}

static struct file *open_file(unsigned long pages)
{
	int err = 0;

	if (!machine->on_disk) {
		struct file *file = memfd_setup("model", 0, &err);

		return file && !shmem_truncate(file->f_inode, pages * PAGE_SIZE) ? file : NULL;
	}
	memset(file_store, 0, pages * PAGE_SIZE);
	return disk_file(1, "vdb", file_store, pages, &file_inode, &file_disk);
}

static bool big_begin(void)
{
	const unsigned long pages = SWAP_BYTES / PAGE_SIZE;

	for (unsigned long i = 0; i < pages; i++)
		memcpy(swap_store + i * PAGE_SIZE, &i, sizeof(i));
	big_seen = 0;
	memset(seen, 0, sizeof(seen));
	big = disk_file(0, "vda", swap_store, pages, &big_inode, &big_disk);
	return big != NULL;
}

static void big_read(u64 *chance)
{
	unsigned long index = test_random(chance) % (SWAP_BYTES / PAGE_SIZE), is;
	struct iov_iter iter = { .base = &is, .count = sizeof(is) };
	u64 pos = (u64)index * PAGE_SIZE;

	if (big->f_op->read_iter(big, &iter, &pos) != (s64)sizeof(is) || is != index)
		test_fail(__FILE__, __LINE__, "page %lu of the file is not what it was", index);
	big_seen += !seen[index];
	seen[index] = true;
}

static bool swap_begin(void)
{
	const unsigned long pages = SWAP_BYTES / PAGE_SIZE;

	if (machine->swap == SWAP_NONE)
		return big_begin();
	if (hosted_block_set(0, swap_store, pages * PAGE_SECTORS))
		return false;
	swap_disk = bdev_of_port(0, "vda", pages * PAGE_SECTORS, false);
	if (!swap_disk || swap_make_header(swap_disk, pages, "test") || swapper_on(swap_disk, "/dev/vda", 0))
		return false;
	if (machine->swap == SWAP_ZSWAP)
		EXPECT_EQ(proc_put("/sys/module/zswap/parameters/enabled", "1"), 1);
	if (machine->swap != SWAP_BOTH)
		return true;
	ram_disk = swapper_disk("ram0", machine->mib * MIB / PAGE_SIZE / 8);
	return ram_disk && !swapper_on(ram_disk, "/dev/ram0", SWAP_FLAG_PREFER | 5);
}

/* Somebody has every fourth slot of the first half of the disk: there is no run of four. */
static bool break_up(void)
{
	const unsigned int slots = SWAP_BYTES / PAGE_SIZE / 2;
	swp_entry_t entry;

	for (unsigned int i = 0; i < slots; i++) {
		entry = swapper_out(swapper_make(0, i + 1), 0);
		if (!entry.val)
			return false;
		slot[i] = entry;
	}
	for (unsigned int i = 0; i < slots; i++)
		if (swp_offset(slot[i]) % 4)
			swap_free(slot[i]);
		else
			pieces[nr_pieces++] = slot[i];
	return true;
}

static void piece_together(void)
{
	while (nr_pieces)
		swap_free(pieces[--nr_pieces]);
}

static bool hold(void)
{
	for (unsigned int i = 0; i < machine->held; i++) {
		held[i] = alloc_page(GFP_KERNEL);
		if (!held[i])
			return false;
	}
	return true;
}

static void let_go(void)
{
	for (unsigned int i = 0; i < machine->held; i++)
		__free_page(held[i]);
}

/* On a machine that is booted. */
static bool begin(u64 seed, unsigned int steps)
{
	most = looked = 0;
	at_work = machine->cpus;
	run = (struct process_run){ .cpus = machine->cpus, .steps = steps, .seed = seed,
				    .scale = machine->scale, .advise = true };
	EXPECT_EQ(proc_put("/proc/sys/vm/overcommit_memory", "1"), 1);
	EXPECT_EQ(proc_put("/sys/kernel/mm/lru_gen/enabled", machine->lru_gen ? "7" : "0"), 1);
	for (unsigned int i = 0; machine->large && i < 4; i++) {
		static const char *const enabled[] = { "hugepages-16kB/enabled", "hugepages-32kB/enabled",
						       "hugepages-64kB/enabled", "hugepages-128kB/enabled" };
		char path[96];

		octavo_snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/%s", enabled[i]);
		EXPECT_EQ(proc_put(path, "always"), 6);
	}
	nr_pieces = 0;
	if (!swap_begin() || (machine->large && !break_up()))
		return false;
	run.file = open_file(PROCESS_MODEL_FILE_PAGES * machine->scale);
	return run.file && process_run_begin(&run) && hold();
}

static bool swap_end(void)
{
	unsigned long left = swap_pages_total() - swap_pages_free();

	if (left)
		test_fail(__FILE__, __LINE__, "seed %llu: %lu slots are in use, and nobody is left",
			  (unsigned long long)run.seed, left);
	if (swap_disk) {
		EXPECT_EQ(swapoff_path("/dev/vda"), 0);
		bdev_put_port(swap_disk);
	}
	if (ram_disk) {
		EXPECT_EQ(swapoff_path("/dev/ram0"), 0);
		brd_destroy(ram_disk);
	}
	swap_disk = ram_disk = NULL;
	return !left;
}

/* Pages that programs' or files' bytes are in, by the counters. */
static void expect_nothing_left(void)
{
	static const enum node_stat_item zero[] = { NR_ISOLATED_ANON, NR_ISOLATED_FILE, NR_WRITEBACK, NR_ANON_MAPPED,
						    NR_FILE_MAPPED, NR_FILE_PAGES, NR_FILE_DIRTY, NR_SHMEM,
						    NR_SWAPCACHE, NR_INACTIVE_ANON, NR_ACTIVE_ANON, NR_INACTIVE_FILE,
						    NR_ACTIVE_FILE, NR_UNEVICTABLE };

	lru_add_drain_all();
	for (unsigned int i = 0; i < ARRAY_SIZE(zero); i++) {
		long long n = (long long)global_node_page_state(zero[i]);

		if (n)
			test_fail(__FILE__, __LINE__, "seed %llu: counter %u of nodes is %lld, and nobody is left",
				  (unsigned long long)run.seed, zero[i], n);
	}
}

static bool end(void)
{
	const char *why = process_run_end();
	unsigned int findings;
	bool freed;

	/* No process has them, so nobody counts them. */
	piece_together();
	findings = mm_verify(test_finding, NULL);
	if (why)
		test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)run.seed, why);
	fput(run.file);
	if (file_disk)
		bdev_put_port(file_disk);
	if (big) {
		fput(big);
		bdev_put_port(big_disk);
	}
	file_disk = NULL;
	big = NULL;
	let_go();
	rcu_barrier();
	freed = swap_end();
	EXPECT_EQ(vm_event_sum(OOM_KILL), 0);
	expect_nothing_left();
	vm_unmap_aliases();
	rcu_barrier();
	findings += mm_verify(test_finding, NULL);
	EXPECT_EQ(hosted_block_set(0, NULL, 0) | hosted_block_set(1, NULL, 0), 0);
	return !why && !findings && freed;
}

/*
 * Pages that there are of programs' and files', in memory or in swap, each once: in memory they are on the lists, and
 * a slot counts unless its page is in the swap cache as well. Of a file on a disk only what is in memory counts, but of
 * the large one what has been read.
 */
static void measure(void)
{
	unsigned long slots = swap_pages_total() - swap_pages_free(), cached = global_node_page_state(NR_SWAPCACHE);
	unsigned long now = global_node_page_state(NR_INACTIVE_ANON) + global_node_page_state(NR_ACTIVE_ANON) +
			    global_node_page_state(NR_UNEVICTABLE);

	now += big ? big_seen : global_node_page_state(NR_INACTIVE_FILE) + global_node_page_state(NR_ACTIVE_FILE);
	most = max(most, now + slots - min(slots, cached));
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	while (!load_relaxed(&looked))
		port_cpu_relax();
	process_run_work(cpu);
	atomic_sub_fetch(&at_work, 1);
}

static void change_policy(bool generations)
{
	const struct lru_policy *before = lru_policy();

	(void)proc_put("/sys/kernel/mm/lru_gen/enabled", generations ? "7" : "0");
	changed += lru_policy() != before;
}

/* One more CPU looks on, and changes the policy, and zswap, while there is work. */
static void work_and_change(unsigned int cpu, void *ctx)
{
	u64 chance = run.seed;

	if (cpu < run.cpus) {
		work(cpu, ctx);
		return;
	}
	for (unsigned int i = 0; load_relaxed(&at_work) || (big && i < 3 * machine->mib * MIB / PAGE_SIZE); i++) {
		if (machine->changes && !(i & 255))
			change_policy((i >> 8 & 1) ^ !machine->lru_gen);
		if (machine->changes && machine->swap == SWAP_ZSWAP && !(i & 1023))
			(void)proc_put("/sys/module/zswap/parameters/enabled", i >> 10 & 1 ? "0" : "1");
		measure();
		store_relaxed(&looked, 1u);
		if (big)
			big_read(&chance);
		port_cpu_relax();
	}
}

static void info_of(struct bootinfo *info, struct bootinfo_range *map)
{
	*map = (struct bootinfo_range){ 0x100000, machine->mib * MIB, E820_TYPE_RAM };
	*info = (struct bootinfo){ .arch = hosted_default_machine()->arch, .map = map, .map_nr = 1, .cmdline = "" };
}

/* What was asked for of what memory was left. With fewer steps, it is at least more than that. */
static void expect_demand(void)
{
	unsigned long percent = most * 100 / (machine->mib * MIB / PAGE_SIZE - machine->held);

	printf("%u MiB, %u CPUs: %lu %% asked for\n", machine->mib, machine->cpus, percent);
	if (percent < (test_effort >= 100 ? machine->times : 110))
		test_fail(__FILE__, __LINE__, "no more than %lu %% of memory was asked for", percent);
}

static void run_machine(const struct machine *m)
{
	const unsigned int cpus = m->cpus + 1;
	struct bootinfo_range map;
	struct bootinfo info;

	machine = m;
	changed = 0;
	info_of(&info, &map);
	ASSERT(!hosted_boot(&info, &(struct hosted_options){ .cpus = cpus, .quiet = true, .seed = test_seed,
							     .threads = m->threads }));
	ASSERT(begin(test_seed, test_scaled(m->steps / STEPS_LESS)));
	measure();
	EXPECT_EQ(hosted_run_cpus(cpus, work_and_change, NULL), 0);
	hosted_threads_settle();
	EXPECT(vm_event_sum(PGSTEAL_ANON) + vm_event_sum(PGSTEAL_FILE) > 0);
	EXPECT(changed || !m->changes);
	expect_demand();
	(void)end();
}

TEST(pressure, a_disk)
{
	run_machine(&(const struct machine){
		.mib = 8, .cpus = 2, .scale = 64, .steps = 3000, .swap = SWAP_DISK, .times = 200 });
}

TEST(pressure, a_disk_much_larger_than_memory)
{
	run_machine(&(const struct machine){ .mib = 8, .cpus = 4, .scale = 64, .steps = 3000, .held = 300,
					     .swap = SWAP_DISK, .times = 450 });
}

TEST(pressure, a_disk_lru_gen)
{
	run_machine(&(const struct machine){ .mib = 8, .cpus = 3, .scale = 32, .steps = 4000, .swap = SWAP_DISK,
					     .times = 160, .on_disk = true, .lru_gen = true });
}

TEST(pressure, a_disk_with_threads_of_the_core)
{
	run_machine(&(const struct machine){ .mib = 12, .cpus = 3, .scale = 48, .steps = 4000, .swap = SWAP_DISK,
					     .times = 160, .on_disk = true, .threads = true });
}

TEST(pressure, zswap_while_policies_change)
{
	run_machine(&(const struct machine){ .mib = 12, .cpus = 3, .scale = 48, .steps = 4000, .swap = SWAP_ZSWAP,
					     .times = 160, .threads = true, .changes = true });
}

TEST(pressure, two_areas_while_policies_change)
{
	run_machine(&(const struct machine){ .mib = 8, .cpus = 3, .scale = 32, .steps = 5000, .swap = SWAP_BOTH,
					     .times = 160, .on_disk = true, .changes = true, .lru_gen = true });
}

/* Swap has few places for them together, once it has been in use for a while: then they go out in pieces. */
TEST(pressure, large_folios)
{
	run_machine(&(const struct machine){ .mib = 10, .cpus = 3, .scale = 64, .steps = 3000, .swap = SWAP_DISK,
					     .times = 160, .large = true });
	EXPECT(swap_large_out[2] + swap_large_out[3] + swap_large_out[4]);
}

/* What programs change fits; what they read does not. */
TEST(pressure, no_swap_but_a_file)
{
	run_machine(&(const struct machine){ .mib = 24, .cpus = 1, .scale = 16, .steps = 4000, .on_disk = true,
					     .times = 160, .threads = true });
}

/* ---- By seeds ---- */

static void setup(void *ctx)
{
	machine = ctx;
	/* There are fewer seeds with less effort; each of them is to go as far as it takes. */
	if (!begin(test_seed, machine->steps))
		test_fail(__FILE__, __LINE__, "no memory");
}

static unsigned long stolen;

static bool check(void *ctx)
{
	(void)ctx;
	stolen += vm_event_sum(PGSTEAL_ANON) + vm_event_sum(PGSTEAL_FILE);
	return end();
}

static void by_seeds(struct machine *m, unsigned int seeds)
{
	struct bootinfo_range map;
	struct bootinfo info;
	struct scenario s = { .cpus = m->cpus + 1, .setup = setup, .work = work_and_change, .check = check, .ctx = m,
			      .threads = m->threads, .machine = &info };

	machine = m;
	stolen = changed = 0;
	info_of(&info, &map);
	scenario_test(&s, test_scaled(seeds));
	EXPECT(stolen);
	EXPECT(changed);
}

TEST(pressure, schedules)
{
	by_seeds(&(struct machine){ .mib = 8, .cpus = 2, .scale = 8, .steps = 300, .held = 1200, .swap = SWAP_DISK,
				    .changes = true }, 3);
}

TEST(pressure, schedules_with_threads_of_the_core)
{
	by_seeds(&(struct machine){ .mib = 8, .cpus = 2, .scale = 8, .steps = 300, .held = 900, .swap = SWAP_ZSWAP,
				    .on_disk = true, .changes = true, .threads = true }, 3);
}
