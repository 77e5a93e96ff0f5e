// SPDX-License-Identifier: MIT
/* The heap with real threads: allocations, frees on other CPUs, shrinking, interrupts, CPUs coming and going. */
#include <octavo/gfp.h>
#include <octavo/port.h>
#include <octavo/slab.h>
#include <pthread.h>
#include <time.h>

#include "heap_model.h"
#include "hosted.h"
#include "mm/sync/spinlock.h"

#define CPUS 4
#define BELT 256

static struct heapbook book[2 * CPUS]; /* the CPUs' and their interrupts' */
static struct heapbook *const books[] = { &book[0], &book[1], &book[2], &book[3],
					  &book[4], &book[5], &book[6], &book[7] };
static u64 chance[CPUS];
static struct heap_entry belt[BELT];
static unsigned int belt_nr;
static spinlock_t belt_lock;
static bool stop;
static unsigned int rounds;
static struct kmem_cache *caches[HEAP_SHAPES];

static void setup(void)
{
	for (unsigned int i = 0; i < 2 * CPUS; i++)
		heapbook_init(&book[i], i);
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = test_seed * 77 + i + 1;
	spin_lock_init(&belt_lock, LOCK_RANK_NONE);
	belt_nr = 0;
	stop = false;
	rounds = test_scaled(30000);
	heap_census_begin();
	for (unsigned int i = 0; i < HEAP_SHAPES; i++)
		caches[i] = heap_shape_create(&heap_shapes[i]);
}

static void verify(void)
{
	const char *why;

	for (unsigned int i = 0; i < belt_nr; i++)
		if (!heapbook_put(&book[0], &belt[i]))
			test_fail(__FILE__, __LINE__, "book 0 is full");
	why = heap_census_check(books, 2 * CPUS);
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
	for (unsigned int i = 0; i < 2 * CPUS; i++)
		heapbook_free_all(&book[i]);
	for (unsigned int i = 0; i < HEAP_SHAPES; i++)
		kmem_cache_destroy(caches[i]);
	why = heap_census_end(books, 2 * CPUS);
	if (why)
		test_fail(__FILE__, __LINE__, "after all was freed: %s", why);
}

/* Gives objects to whoever takes them next, and frees what somebody else gave. */
static void exchange(struct heapbook *b)
{
	struct heap_entry mine[8];
	unsigned int got = 0;

	spin_lock(&belt_lock);
	for (unsigned int i = 0; i < 8 && b->nr && belt_nr < BELT; i++)
		belt[belt_nr++] = heapbook_take(b, b->nr - 1);
	while (belt_nr > BELT / 2 && got < 8) {
		mine[got++] = belt[0];
		belt[0] = belt[--belt_nr];
	}
	spin_unlock(&belt_lock);
	for (unsigned int i = 0; i < got; i++)
		if (heapbook_put(b, &mine[i]))
			heapbook_free(b, b->nr - 1);
}

static void allocate(struct heapbook *b, u64 r)
{
	gfp_t gfp = heapbook_gfps[(r >> 8) % HEAPBOOK_GFPS];
	unsigned int c = (unsigned int)(r >> 16) % HEAP_SHAPES;

	if (!caches[c])
		return;
	switch (r % 4) {
	case 0:
		(void)heapbook_cache(b, caches[c], heap_shapes[c].size, gfp, (int)((r >> 24) % 3) - 1);
		break;
	case 1:
		(void)heapbook_bulk(b, caches[c], heap_shapes[c].size, gfp,
				    1 + (unsigned int)(r >> 24) % (heap_shapes[c].size > 4096 ? 4 : 60));
		break;
	case 2:
		(void)heapbook_kmalloc(b, (r >> 24) % 8400, gfp, NUMA_NO_NODE);
		break;
	default:
		(void)heapbook_kmalloc(b, (r >> 24) % 200, gfp, NUMA_NO_NODE);
	}
}

static void one_step(unsigned int cpu)
{
	struct heapbook *b = &book[cpu];
	u64 r = test_random(&chance[cpu]);
	unsigned int which = b->nr ? (unsigned int)(r >> 32) % b->nr : 0;
	bool much = b->nr > 700; /* room is left for what the belt brings */

	switch (r % 12) {
	case 0:
	case 1:
		exchange(b);
		break;
	case 2:
		heapbook_free_bulk(b, which, (unsigned int)(r >> 8) % 64, NULL);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		if (!much)
			allocate(b, r >> 4);
		break;
	case 7:
		if (b->nr)
			(void)heapbook_realloc(b, which, 1 + (r >> 8) % 600, heapbook_gfps[r >> 20 & 3]);
		break;
	default:
		for (unsigned int n = much ? 20 : 2; n && b->nr; n--)
			heapbook_free(b, which % b->nr);
	}
}

static void churn(unsigned int cpu, void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < rounds; i++)
		one_step(cpu);
}

TEST(heap_stress, churn)
{
	setup();
	ASSERT(!hosted_run_cpus(CPUS, churn, NULL));
	verify();
}

static void shrink_and_churn(unsigned int cpu, void *arg)
{
	for (unsigned int i = 0; i < rounds / 50 && !cpu; i++) {
		kmem_cache_shrink(caches[i % HEAP_SHAPES]);
		kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][3 + i % 11]);
		one_step(cpu);
	}
	if (cpu)
		churn(cpu, arg);
}

TEST(heap_stress, shrinking)
{
	setup();
	ASSERT(!hosted_run_cpus(CPUS, shrink_and_churn, NULL));
	verify();
}

/* One cache comes and goes; the objects in it are its maker's, but what it is made of passes through all CPUs. */
static void create_and_churn(unsigned int cpu, void *arg)
{
	struct heapbook *b = &book[0];

	for (unsigned int i = 0; i < rounds / 100 && !cpu; i++) {
		struct kmem_cache *own = kmem_cache_create("come and go", 90, 0, SLAB_NO_MERGE, NULL);

		if (!own)
			continue;
		(void)heapbook_bulk(b, own, 90, GFP_KERNEL | __GFP_NOWARN, 100);
		heapbook_free_of(b, own);
		kmem_cache_destroy(own);
	}
	if (cpu)
		churn(cpu, arg);
}

TEST(heap_stress, caches_come_and_go)
{
	setup();
	ASSERT(!hosted_run_cpus(CPUS, create_and_churn, NULL));
	verify();
}

/*
 * One CPU takes the others' magazines away as fast as it can while they do nothing but use them: who is in a section
 * while the entries change must have left it, its stores included.
 */
static bool racing;

static void pairs(unsigned int cpu, void *arg)
{
	struct kmem_cache *cache = caches[0];

	(void)arg;
	for (unsigned int i = 0; !cpu && i < rounds / 3; i++)
		kmem_cache_shrink(cache);
	if (!cpu)
		__atomic_store_n(&racing, false, __ATOMIC_RELEASE);
	while (cpu && __atomic_load_n(&racing, __ATOMIC_ACQUIRE)) {
		u32 *a = kmem_cache_alloc(cache, GFP_NOWAIT), *b = kmem_cache_alloc(cache, GFP_NOWAIT);

		if (!a || !b)
			continue;
		*a = cpu * 2;
		*b = cpu * 2 + 1;
		if (a == b || *(volatile u32 *)a != cpu * 2)
			test_fail(__FILE__, __LINE__, "CPU %u shares an object", cpu);
		kmem_cache_free(cache, a);
		kmem_cache_free(cache, b);
	}
}

TEST(heap_stress, magazines_taken_from_busy_cpus)
{
	setup();
	racing = true;
	ASSERT(!hosted_run_cpus(2, pairs, NULL));
	verify();
}

/* ---- Interrupts: from outside, at any instruction ---- */

static void interrupt(void *arg)
{
	unsigned int cpu = port_cpu_id();
	struct heapbook *b = &book[CPUS + cpu];
	unsigned int c = b->next_tag % HEAP_SHAPES;

	(void)arg;
	if (b->nr > 30 || (b->nr && b->next_tag % 3 == 0))
		heapbook_free(b, b->next_tag % b->nr);
	else if (b->next_tag & 1 && caches[c])
		(void)heapbook_cache(b, caches[c], heap_shapes[c].size, GFP_ATOMIC | __GFP_NOWARN, NUMA_NO_NODE);
	else
		(void)heapbook_kmalloc(b, b->next_tag % 600, heapbook_gfps[b->next_tag % 4], NUMA_NO_NODE);
	b->next_tag++;
	if (b->nr && b->next_tag % 5 == 0)
		heapbook_free(b, 0);
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

TEST(heap_stress, interrupts)
{
	unsigned int sent = 0;
	pthread_t thread;

	setup();
	ASSERT(!pthread_create(&thread, NULL, interrupter, &sent));
	EXPECT(!hosted_run_cpus(CPUS, shrink_and_churn, NULL));
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	while (port_cpu_call(0, interrupt, NULL)) /* what is still in the mailbox has run when this has */
		;
	EXPECT(sent > 0);
	verify();
}

/* ---- CPUs come and go ---- */

TEST(heap_stress, cpus_come_and_go)
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
