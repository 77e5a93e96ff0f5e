// SPDX-License-Identifier: MIT
/* Mutual exclusion and hand-over, with real threads. */
#include "harness.h"
#include "hosted.h"
#include "mm/sync/mutex.h"

static struct mutex lock = MUTEX_INIT;
static unsigned long counter, inside;

static void add(unsigned int cpu, void *arg)
{
	unsigned long rounds = *(unsigned long *)arg;

	(void)cpu;
	for (unsigned long i = 0; i < rounds; i++) {
		mutex_lock(&lock);
		inside++;
		EXPECT_EQ(inside, 1);
		counter++;
		inside--;
		mutex_unlock(&lock);
	}
}

TEST(mutex, excludes)
{
	unsigned long rounds = 5000;

	counter = 0;
	EXPECT_EQ(hosted_run_cpus(4, add, &rounds), 0);
	EXPECT_EQ(counter, 4 * rounds);
	EXPECT(mutex_trylock(&lock));
	EXPECT(!mutex_trylock(&lock));
	mutex_unlock(&lock);
}
