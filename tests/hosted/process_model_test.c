// SPDX-License-Identifier: MIT
/* Processes on several CPUs, as threads and as coroutines by a seed: tests/process_model.h. */
#include <octavo/rcupdate.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "heapbook.h"
#include "hosted.h"
#include "process_model.h"
#include "schedules.h"

static struct process_run run;

static bool begin(unsigned int cpus, unsigned int steps, u64 seed)
{
	int err = 0;

	run = (struct process_run){ .cpus = cpus, .steps = steps, .seed = seed };
	run.file = memfd_setup("model", 0, &err);
	return run.file && !shmem_truncate(run.file->f_inode, PROCESS_MODEL_FILE_PAGES * PAGE_SIZE) &&
	       process_run_begin(&run);
}

static bool end(void)
{
	const char *why = process_run_end();
	unsigned int findings = mm_verify(test_finding, NULL);

	if (why)
		test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)run.seed, why);
	fput(run.file);
	rcu_barrier();
	return !why && !findings;
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	process_run_work(cpu);
}

TEST(process_model, on_threads)
{
	const char *why;

	ASSERT(begin(4, 100, 1));
	EXPECT_EQ(hosted_run_cpus(4, work, NULL), 0);
	ASSERT(end());
	heap_census_begin();
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT(begin(4, test_scaled(1500), test_seed + i));
		EXPECT_EQ(hosted_run_cpus(4, work, NULL), 0);
		ASSERT(end());
	}
	why = heap_census_end(NULL, 0);
	if (why)
		test_fail(__FILE__, __LINE__, "after all have exited: %s", why);
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

TEST(process_model, schedules)
{
	static const struct scenario s = { .cpus = 3, .setup = setup, .work = work, .check = check };

	scenario_test(&s, test_scaled(60));
}
