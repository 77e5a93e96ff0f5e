// SPDX-License-Identifier: MIT
/* The page allocator with real threads: allocations, frees on other CPUs, drains, interrupts, CPUs coming and going. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/port.h>
#include <pthread.h>
#include <time.h>

#include "hosted.h"
#include "mm/sync/spinlock.h"
#include "pagebook.h"

#define CPUS 4
#define BELT 64

static struct pagebook book[2 * CPUS]; /* the CPUs' and their interrupts' */
static struct pagebook *const books[] = { &book[0], &book[1], &book[2], &book[3],
					  &book[4], &book[5], &book[6], &book[7] };
static u64 chance[CPUS];
static struct book_entry belt[BELT];
static unsigned int belt_nr;
static spinlock_t belt_lock;
static bool stop;
static unsigned int rounds;

static void setup(void)
{
	for (unsigned int i = 0; i < 2 * CPUS; i++)
		book_init(&book[i], i);
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = test_seed * 77 + i + 1;
	spin_lock_init(&belt_lock, LOCK_RANK_NONE);
	belt_nr = 0;
	stop = false;
	rounds = test_scaled(30000);
	census_begin();
}

static void verify(void)
{
	const char *why;

	for (unsigned int i = 0; i < belt_nr; i++)
		(void)book_put(&book[0], &belt[i]);
	why = census_check(books, 2 * CPUS);
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
	for (unsigned int i = 0; i < 2 * CPUS; i++)
		book_free_all(&book[i]);
	why = census_check(books, 2 * CPUS);
	if (why)
		test_fail(__FILE__, __LINE__, "after all was freed: %s", why);
}

/* Gives a block to whoever takes it next, and frees what somebody else gave. */
static void exchange(struct pagebook *b)
{
	struct book_entry e;
	bool got = false;

	spin_lock(&belt_lock);
	if (b->nr && belt_nr < BELT)
		belt[belt_nr++] = book_take(b, b->nr - 1);
	if (belt_nr > BELT / 2) {
		e = belt[0];
		belt[0] = belt[--belt_nr];
		got = true;
	}
	spin_unlock(&belt_lock);
	if (got && book_put(b, &e))
		book_free(b, b->nr - 1);
}

static void one_step(unsigned int cpu)
{
	struct pagebook *b = &book[cpu];
	u64 r = test_random(&chance[cpu]);
	unsigned int which = b->nr ? (unsigned int)(r >> 32) % b->nr : 0;
	bool much = b->pages > 6000 || b->nr > BOOK_MAX - 512; /* room is left for what the belt brings */

	switch (r % 16) {
	case 0:
	case 1:
		exchange(b);
		break;
	case 2:
		if (!much)
			(void)book_alloc_bulk(b, book_gfps[r >> 8 & 3], 1 + (r >> 16) % 128);
		break;
	case 3:
		if (b->nr)
			book_free_late(b, which);
		break;
	case 4:
		(void)book_alloc(b, book_gfps[r >> 8 & 7], (unsigned int)(r >> 16) % 10, (int)(r >> 24 & 1));
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		if (!much)
			(void)book_alloc(b, book_gfps[(r >> 8) % BOOK_GFPS], (unsigned int)(r >> 16) % 3,
					 (int)(cpu / 2));
		break;
	default:
		for (unsigned int n = much ? 20 : 2; n && b->nr; n--)
			book_free(b, which % b->nr);
	}
}

static void churn(unsigned int cpu, void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < rounds; i++)
		one_step(cpu);
}

TEST(alloc_stress, churn)
{
	setup();
	ASSERT(!hosted_run_cpus(CPUS, churn, NULL));
	verify();
}

static void drain_and_churn(unsigned int cpu, void *arg)
{
	for (unsigned int i = 0; i < rounds / 50 && !cpu; i++) {
		drain_all_pages(NULL);
		one_step(cpu);
	}
	if (cpu)
		churn(cpu, arg);
}

TEST(alloc_stress, drains)
{
	setup();
	ASSERT(!hosted_run_cpus(CPUS, drain_and_churn, NULL));
	verify();
}

/* ---- Interrupts: from outside, at any instruction ---- */

static void interrupt(void *arg)
{
	struct pagebook *b = &book[CPUS + port_cpu_id()];

	(void)arg;
	if (b->nr > 30 || (b->nr && b->next_tag % 3 == 0))
		book_free(b, (unsigned int)(b->next_tag % b->nr));
	else
		(void)book_alloc(b, GFP_ATOMIC | __GFP_NOWARN, (unsigned int)(b->next_tag % 4), NUMA_NO_NODE);
	if (b->nr && b->next_tag % 5 == 0)
		book_free(b, 0);
}

static void *interrupter(void *arg)
{
	struct timespec pause = { 0, 20000 };
	unsigned int *sent = arg;

	for (unsigned int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		*sent += hosted_interrupt(i % CPUS, interrupt, NULL);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

TEST(alloc_stress, interrupts)
{
	unsigned int sent = 0;
	pthread_t thread;

	setup();
	ASSERT(!pthread_create(&thread, NULL, interrupter, &sent));
	EXPECT(!hosted_run_cpus(CPUS, churn, NULL));
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	while (port_cpu_call(0, interrupt, NULL)) /* what is still in the mailbox has run when this has */
		;
	EXPECT(sent > 0);
	verify();
}

/* ---- CPUs come and go ---- */

TEST(alloc_stress, cpus_come_and_go)
{
	unsigned int times = test_scaled(40);

	setup();
	rounds /= 20;
	ASSERT(!hosted_cpu_start(1, churn, NULL));
	for (unsigned int i = 0; i < times; i++) {
		unsigned int cpu = 2 + i % 2;

		ASSERT(!hosted_cpu_start(cpu, churn, NULL));
		churn(0, NULL);
		hosted_cpu_stop(cpu);
	}
	hosted_cpu_stop(1);
	verify();
}
