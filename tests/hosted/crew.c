// SPDX-License-Identifier: MIT
#include "crew.h"

#include <octavo/fs.h>
#include <octavo/port.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/sync/atomic.h"

struct crew crew __memsys;

struct file *crew_found(const char *name, u64 bytes)
{
	struct file *file;
	int err = 0;

	crew.wrong = NULL;
	crew.arrived = 0;
	file = memfd_setup(name, 0, &err);
	if (file && !shmem_truncate(file->f_inode, bytes) && test_process_start(&crew.parent))
		return file;
	crew.wrong = "no memory";
	return NULL;
}

/* A CPU that is lazy keeps translations of pages that have gone, and does not use them: none is before all are done. */
void crew_wait(void)
{
	unsigned int round = atomic_fetch_add(&crew.arrived, 1) / CPUS;

	while (load_acquire(&crew.arrived) / CPUS <= round)
		port_cpu_relax();
}

void crew_hire(void)
{
	for (unsigned int i = 0; i < CPUS; i++)
		test_thread_make(&crew.thread[i], &crew.parent);
	test_switch(NULL);
}

void crew_work(unsigned int cpu, unsigned int steps, void (*step)(unsigned int cpu, u64 *chance))
{
	u64 chance = test_seed * CPUS + cpu + 1;

	test_switch(&crew.thread[cpu]);
	crew_wait();
	for (unsigned int i = 0; i < steps && !crew.wrong; i++)
		step(cpu, &chance);
	crew_wait();
	test_switch(NULL);
}

static void tell(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

bool crew_dismiss(struct file *file)
{
	unsigned int findings = mm_verify(tell, NULL);

	for (unsigned int i = 0; i < CPUS; i++)
		test_thread_exit(&crew.thread[i]);
	test_process_exit(&crew.parent);
	fput(file);
	findings += mm_verify(tell, NULL);
	if (crew.wrong)
		pr_err("%s\n", crew.wrong);
	return !crew.wrong && !findings;
}

void crew_threads(const struct scenario *s)
{
	s->setup(s->ctx);
	EXPECT_EQ(hosted_run_cpus(s->cpus, s->work, s->ctx), 0);
	EXPECT(s->check(s->ctx));
}
