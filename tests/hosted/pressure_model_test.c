// SPDX-License-Identifier: MIT
/*
 * The process model (tests/process_model.h) on machines whose pages go to swap and come back: forced out by chance,
 * while areas come and go. At the end all have exited, and every page and every slot is free.
 */
#include <octavo/rcupdate.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>
#include <octavo/vmalloc.h>

#include "heapbook.h"
#include "hosted.h"
#include "mm/sync/atomic.h"
#include "process_model.h"
#include "schedules.h"
#include "swapper.h"

#define AREA_PAGES 2000u

static struct process_run run;
static struct bdev *disks[2];
static const char *const paths[2] = { "/dev/ram0", "/dev/ram1" };
static unsigned int outs, offs;

static bool begin(unsigned int cpus, unsigned int steps, u64 seed)
{
	int err = 0;

	for (unsigned int i = 0; i < 2; i++) {
		disks[i] = swapper_disk(i ? "ram1" : "ram0", AREA_PAGES);
		if (!disks[i] || swapper_on(disks[i], paths[i], 0))
			return false;
	}
	run = (struct process_run){ .cpus = cpus, .steps = steps, .seed = seed, .swap = true };
	run.file = memfd_setup("model", 0, &err);
	return run.file && !shmem_truncate(run.file->f_inode, PROCESS_MODEL_FILE_PAGES * PAGE_SIZE) &&
	       process_run_begin(&run);
}

static bool end(void)
{
	const char *why = process_run_end();
	unsigned int findings = mm_verify(test_finding, NULL);
	unsigned long left;

	outs += process_run_counts().outs;
	if (why)
		test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)run.seed, why);
	fput(run.file);
	rcu_barrier();
	left = swap_pages_total() - swap_pages_free();
	if (left)
		test_fail(__FILE__, __LINE__, "seed %llu: %lu slots are in use, and nobody is left",
			  (unsigned long long)run.seed, left);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(swapoff_path(paths[i]), 0);
		brd_destroy(disks[i]);
	}
	/* What areas had of vmalloc's waits for others to go with it. */
	vm_unmap_aliases();
	rcu_barrier();
	findings += mm_verify(test_finding, NULL);
	return !why && !findings && !left;
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	process_run_work(cpu);
}

/* Areas go and come, one at a time, on a CPU of their own. */
static void work_and_swapoff(unsigned int cpu, void *ctx)
{
	if (cpu < run.cpus) {
		work(cpu, ctx);
		return;
	}
	for (unsigned int i = 0; i < run.steps / 8; i++) {
		int err = swapoff_path(paths[i & 1]);

		if (err && err != -ENOMEM)
			test_fail(__FILE__, __LINE__, "swapoff: %d", err);
		if (!err && swapper_on(disks[i & 1], paths[i & 1], 0))
			test_fail(__FILE__, __LINE__, "swapon fails");
		offs += !err;
		port_cpu_relax();
	}
}

TEST(pressure_model, forced_on_threads)
{
	const char *why;

	ASSERT(begin(4, 100, 1));
	EXPECT_EQ(hosted_run_cpus(4, work, NULL), 0);
	ASSERT(end());
	outs = 0;
	heap_census_begin();
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT(begin(4, test_scaled(1500), test_seed + i));
		EXPECT_EQ(hosted_run_cpus(4, work, NULL), 0);
		ASSERT(end());
	}
	EXPECT(outs);
	why = heap_census_end(NULL, 0);
	if (why)
		test_fail(__FILE__, __LINE__, "after all have exited: %s", why);
}

TEST(pressure_model, swapoff_on_threads)
{
	offs = 0;
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT(begin(3, test_scaled(1500), test_seed + i));
		EXPECT_EQ(hosted_run_cpus(4, work_and_swapoff, NULL), 0);
		ASSERT(end());
	}
	EXPECT(offs);
}

/* ---- By seeds ---- */

static void setup(void *ctx)
{
	(void)ctx;
	if (!begin(3, 60, test_seed))
		test_fail(__FILE__, __LINE__, "no memory");
}

static bool check(void *ctx)
{
	(void)ctx;
	return end();
}

TEST(pressure_model, schedules)
{
	static const struct scenario s = { .cpus = 3, .setup = setup, .work = work, .check = check };

	outs = 0;
	scenario_test(&s, test_scaled(60));
	EXPECT(outs);
}

TEST(pressure_model, swapoff_schedules)
{
	static const struct scenario s = { .cpus = 4, .setup = setup, .work = work_and_swapoff, .check = check };

	offs = 0;
	scenario_test(&s, test_scaled(40));
	EXPECT(offs);
}
