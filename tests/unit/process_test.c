// SPDX-License-Identifier: MIT
/* Processes on one CPU, hosted and on bare metal: every byte as the oracle has it, and every page free at the end. */
#include <octavo/rcupdate.h>
#include <octavo/shmem_fs.h>

#include "heapbook.h"
#include "process_model.h"

static void run(u64 seed, unsigned int steps)
{
	struct process_run run = { .cpus = 1, .steps = steps, .seed = seed };
	const char *why;
	int err = 0;

	run.file = memfd_setup("model", 0, &err);
	ASSERT(run.file);
	EXPECT_EQ(shmem_truncate(run.file->f_inode, PROCESS_MODEL_FILE_PAGES * PAGE_SIZE), 0);
	ASSERT(process_run_begin(&run));
	process_run_work(0);
	expect_verified();
	why = process_run_end();
	if (why)
		test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, why);
	fput(run.file);
	rcu_barrier();
}

TEST(process, oracle)
{
	struct process_counts counts;
	const char *why;

	run(1, 500); /* what is made once and kept */
	heap_census_begin();
	for (unsigned int i = 0; i < 3; i++)
		run(test_seed + i, test_scaled(1500));
	why = heap_census_end(NULL, 0);
	if (why)
		test_fail(__FILE__, __LINE__, "after all have exited: %s", why);
	counts = process_run_counts();
	EXPECT(counts.forks && counts.stores && counts.loads && counts.refusals && counts.moves);
}
