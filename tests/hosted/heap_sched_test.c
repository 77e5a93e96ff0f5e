// SPDX-License-Identifier: MIT
/*
 * The heap under seeded interleavings. With SCHED=1 every lock and atomic is a place to switch; other builds switch
 * where they wait.
 */
#include <octavo/gfp.h>
#include <octavo/port.h>
#include <octavo/slab.h>

#include "heap_model.h"
#include "mm/slab/backend.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 100
#else
#define SEEDS 20
#endif

#define CPUS 4
#define CACHES 4

static struct heapbook book[CPUS + 1]; /* one a CPU, and the interrupts' */
static struct heapbook *const books[] = { &book[0], &book[1], &book[2], &book[3], &book[4] };
static u64 chance[CPUS];
static struct kmem_cache *caches[CACHES];
static const struct heap_shape *const shapes[CACHES] = { &heap_shapes[0], &heap_shapes[6], &heap_shapes[10],
							  &heap_shapes[12] };

static void setup(void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i <= CPUS; i++)
		heapbook_init(&book[i], i);
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	heap_census_begin();
	for (unsigned int i = 0; i < CACHES; i++)
		caches[i] = heap_shape_create(shapes[i]);
}

/* Everything adds up as it is, and everything comes back. */
static bool check(void *ctx)
{
	const char *why = heap_census_check(books, CPUS + 1);

	(void)ctx;
	for (unsigned int i = 0; i <= CPUS; i++)
		heapbook_free_all(&book[i]);
	for (unsigned int i = 0; i < CACHES; i++) {
		kmem_cache_destroy(caches[i]);
		caches[i] = NULL;
	}
	if (!why)
		why = heap_census_end(books, CPUS + 1);
	if (why)
		printk("%s\n", why);
	return !why;
}

static void one_step(unsigned int cpu)
{
	struct heapbook *b = &book[cpu];
	u64 r = test_random(&chance[cpu]);
	unsigned int which = b->nr ? (unsigned int)(r >> 32) % b->nr : 0, c = (unsigned int)(r >> 8) % CACHES;
	gfp_t gfp = heapbook_gfps[(r >> 16) % HEAPBOOK_GFPS];

	switch (r % 10) {
	case 0:
	case 1:
		(void)heapbook_kmalloc(b, (r >> 24) % 300, gfp, NUMA_NO_NODE);
		break;
	case 2:
		(void)heapbook_kmalloc(b, 1 + (r >> 24) % 9000, gfp, (int)(r >> 40 & 1));
		break;
	case 3:
	case 4:
		(void)heapbook_cache(b, caches[c], shapes[c]->size, gfp, (int)((r >> 24) % 3) - 1);
		break;
	case 5:
		(void)heapbook_bulk(b, caches[c], shapes[c]->size, gfp, 1 + (unsigned int)(r >> 24) % 40);
		break;
	case 6:
		heapbook_free_bulk(b, which, (unsigned int)(r >> 24) % 40, r >> 48 & 1 ? caches[c] : NULL);
		break;
	default:
		if (b->nr)
			heapbook_free(b, which);
	}
}

static void churn(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 40; i++)
		one_step(cpu);
}

/* Interrupts own a book of their own. Two at once, on two CPUs, would share it: the second goes away. */
static void interrupt(void *ctx)
{
	static bool busy;
	struct heapbook *b = &book[CPUS];
	unsigned int c = b->next_tag % CACHES;

	(void)ctx;
	if (busy)
		return;
	busy = true;
	if (b->nr && b->next_tag & 1)
		heapbook_free(b, b->nr - 1);
	else if (b->next_tag & 2)
		(void)heapbook_kmalloc(b, b->next_tag * 37 % 500, heapbook_gfps[b->next_tag % 4], NUMA_NO_NODE);
	else if (caches[c])
		(void)heapbook_cache(b, caches[c], shapes[c]->size, GFP_ATOMIC | __GFP_NOWARN, NUMA_NO_NODE);
	b->next_tag++;
	if (b->nr > 20)
		heapbook_free(b, 0);
	busy = false;
}

TEST(heap_sched, churn)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = churn, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

TEST(heap_sched, churn_with_interrupts_in_sections)
{
	struct scenario s = {
		.cpus = 3, .setup = setup, .work = churn, .interrupt = interrupt, .one_in = 40, .check = check
	};

	scenario_test(&s, test_scaled(SEEDS));
}

/* CPU 0 takes everybody's magazines away again and again under their hands. */
static void shrink_and_churn(unsigned int cpu, void *ctx)
{
	for (unsigned int i = 0; i < 8 && !cpu; i++) {
		kmem_cache_shrink(caches[i % CACHES]);
		kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][3 + i % 4]);
		one_step(cpu);
	}
	if (cpu)
		churn(cpu, ctx);
}

TEST(heap_sched, shrink_during_churn)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = shrink_and_churn, .interrupt = interrupt,
			      .one_in = 100, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* ---- What one CPU allocates the next one frees ---- */

#define RING 3

static struct heap_entry belt[RING][16];
static bool full[RING][16];

static void pass_on(unsigned int cpu, void *ctx)
{
	unsigned int next = (cpu + 1) % RING;
	struct heapbook *b = &book[cpu];

	(void)ctx;
	for (unsigned int i = 0; i < 80; i++) {
		unsigned int place = i % 16, c = i % CACHES;
		bool got = i & 4 ? heapbook_kmalloc(b, 60 + i, heapbook_gfps[i % 5], NUMA_NO_NODE) :
				   heapbook_cache(b, caches[c], shapes[c]->size, heapbook_gfps[i % 5], NUMA_NO_NODE);

		if (got && b->nr && !__atomic_load_n(&full[next][place], __ATOMIC_ACQUIRE)) {
			belt[next][place] = heapbook_take(b, b->nr - 1);
			__atomic_store_n(&full[next][place], true, __ATOMIC_RELEASE);
		}
		place = (i * 5 + 3) % 16;
		if (__atomic_load_n(&full[cpu][place], __ATOMIC_ACQUIRE)) {
			if (heapbook_put(b, &belt[cpu][place]))
				heapbook_free(b, b->nr - 1);
			__atomic_store_n(&full[cpu][place], false, __ATOMIC_RELEASE);
		}
	}
}

static void belt_setup(void *ctx)
{
	memset(full, 0, sizeof(full));
	setup(ctx);
}

static bool belt_check(void *ctx)
{
	for (unsigned int cpu = 0; cpu < RING; cpu++)
		for (unsigned int i = 0; i < 16; i++)
			if (full[cpu][i] && !heapbook_put(&book[cpu], &belt[cpu][i]))
				return false;
	return check(ctx);
}

TEST(heap_sched, frees_on_another_cpu)
{
	struct scenario s = { .cpus = RING, .setup = belt_setup, .work = pass_on, .check = belt_check };

	scenario_test(&s, test_scaled(SEEDS));
}

static void pass_on_and_shrink(unsigned int cpu, void *ctx)
{
	if (cpu < RING) {
		pass_on(cpu, ctx);
		return;
	}
	for (unsigned int i = 0; i < 12; i++)
		kmem_cache_shrink(caches[i % CACHES]);
}

TEST(heap_sched, frees_on_another_cpu_while_a_third_shrinks)
{
	struct scenario s = { .cpus = RING + 1, .setup = belt_setup, .work = pass_on_and_shrink, .interrupt = interrupt,
			      .one_in = 100, .check = belt_check };

	scenario_test(&s, test_scaled(SEEDS));
}

/*
 * Large objects: few in a slab and in a magazine, so that nearly every step reaches the slabs. Each CPU allocates a
 * lot, frees part of it itself, and leaves the rest to its neighbour, until slabs run empty and full in turn on one
 * CPU while the other frees into them.
 */
static struct kmem_cache *few; /* objects of 5000 bytes */

static void few_setup(void *ctx)
{
	belt_setup(ctx);
	few = caches[2];
}

static void lots_at_once(unsigned int cpu, void *ctx)
{
	unsigned int next = (cpu + 1) % 2;
	struct heapbook *b = &book[cpu];

	(void)ctx;
	for (unsigned int i = 0; i < 40; i++) {
		u64 r = test_random(&chance[cpu]);

		(void)heapbook_bulk(b, few, 5000, GFP_NOWAIT | __GFP_NOWARN, 3 + r % 40);
		for (unsigned int place = r >> 8 & 7; place < 16 && b->nr; place += 1 + (r >> 16 & 1)) {
			if (__atomic_load_n(&full[next][place], __ATOMIC_ACQUIRE))
				continue;
			belt[next][place] = heapbook_take(b, b->nr - 1);
			__atomic_store_n(&full[next][place], true, __ATOMIC_RELEASE);
		}
		heapbook_free_bulk(b, r >> 20 & 3, 256, few);
		for (unsigned int place = 0; place < 16; place++) {
			if (!__atomic_load_n(&full[cpu][place], __ATOMIC_ACQUIRE))
				continue;
			(void)heapbook_put(b, &belt[cpu][place]);
			__atomic_store_n(&full[cpu][place], false, __ATOMIC_RELEASE);
		}
		heapbook_free_bulk(b, 0, r >> 24 & 3 ? 256 : 7, few);
	}
}

/* Poison in free pages shows who writes into a slab that is gone. */
TEST(heap_sched, slabs_empty_on_one_cpu_while_another_frees_into_them)
{
	struct scenario s = { .cpus = 2, .cmdline = "page_poison=1", .setup = few_setup,
			      .work = lots_at_once, .check = belt_check };

	scenario_test(&s, test_scaled(5 * SEEDS));
}

TEST(heap_sched, the_same_with_interrupts)
{
	struct scenario s = { .cpus = 2, .setup = few_setup, .work = lots_at_once, .interrupt = interrupt,
			      .one_in = 60, .check = belt_check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* Small magazines that run full and empty all the time, while another CPU takes them away. */
static void full_and_empty(unsigned int cpu, void *ctx)
{
	struct heapbook *b = &book[cpu];

	(void)ctx;
	for (unsigned int i = 0; i < 25 && cpu == 2; i++)
		kmem_cache_shrink(few);
	for (unsigned int i = 0; i < 8 && cpu < 2; i++) {
		for (unsigned int n = 0; n < 20; n++)
			(void)heapbook_cache(b, few, 5000, GFP_NOWAIT | __GFP_NOWARN, NUMA_NO_NODE);
		heapbook_free_all(b);
	}
}

TEST(heap_sched, full_and_empty_magazines_are_taken_away)
{
	struct scenario s = { .cpus = 3, .setup = few_setup, .work = full_and_empty, .check = belt_check };

	scenario_test(&s, test_scaled(2 * SEEDS));
}

#ifdef OCTAVO_HEAP_SLUB

/*
 * CPU 0 allocates past its magazines, from the node's slabs, and CPU 1 frees: into slabs that the node has just let go
 * of as full.
 */
static void from_the_node(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int place = i % 16;

		if (__atomic_load_n(&full[1][place], __ATOMIC_ACQUIRE) != !!cpu) {
			port_cpu_relax();
		} else if (cpu) {
			kmem_cache_free(few, belt[1][place].object);
			__atomic_store_n(&full[1][place], false, __ATOMIC_RELEASE);
		} else {
			struct heap_entry e = { .object = backend_take_direct(few, 0, 5000), .cache = few };

			if (!e.object) {
				(void)backend_grow(few, GFP_NOWAIT | __GFP_NOWARN, 0, 5000);
				continue;
			}
			belt[1][place] = e;
			__atomic_store_n(&full[1][place], true, __ATOMIC_RELEASE);
		}
	}
}

TEST(heap_sched, frees_into_slabs_that_the_node_lets_go_of)
{
	struct scenario s = { .cpus = 2, .setup = few_setup, .work = from_the_node, .check = belt_check };

	scenario_test(&s, test_scaled(2 * SEEDS));
}

#endif

/* ---- Caches come and go while others work ---- */

static unsigned int finished;

static void destroy_setup(void *ctx)
{
	finished = 0;
	setup(ctx);
}

/* Cache 0 is used by all; once they are done with it, CPU 0 destroys it while they go on with the others. */
static void use_then_destroy(unsigned int cpu, void *ctx)
{
	struct heapbook *b = &book[cpu];

	for (unsigned int i = 0; i < 30; i++) {
		(void)heapbook_cache(b, caches[0], shapes[0]->size, GFP_NOWAIT | __GFP_NOWARN, NUMA_NO_NODE);
		if (b->nr > 5)
			heapbook_free(b, i % b->nr);
	}
	heapbook_free_of(b, caches[0]);
	__atomic_fetch_add(&finished, 1, __ATOMIC_ACQ_REL);
	if (cpu) {
		for (unsigned int i = 0; i < 60; i++) {
			(void)heapbook_kmalloc(b, 8 + i % 200, GFP_NOWAIT | __GFP_NOWARN, NUMA_NO_NODE);
			if (b->nr > 10)
				heapbook_free(b, i % b->nr);
		}
		return;
	}
	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < 3)
		port_cpu_relax();
	kmem_cache_destroy(caches[0]);
	caches[0] = heap_shape_create(shapes[0]);
	if (caches[0])
		(void)heapbook_cache(b, caches[0], shapes[0]->size, GFP_KERNEL, NUMA_NO_NODE);
	(void)ctx;
}

TEST(heap_sched, destroy_under_load)
{
	struct scenario s = { .cpus = 3, .setup = destroy_setup, .work = use_then_destroy, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* Every CPU makes and destroys caches of its own. */
static void create_and_destroy(unsigned int cpu, void *ctx)
{
	struct heapbook *b = &book[cpu];
	char name[16];

	(void)ctx;
	octavo_snprintf(name, sizeof(name), "own-%u", cpu);
	for (unsigned int i = 0; i < 3; i++) {
		struct kmem_cache *own = kmem_cache_create(name, 40 + cpu * 8, 0, SLAB_NO_MERGE, NULL);

		if (!own)
			continue;
		(void)heapbook_bulk(b, own, 40, GFP_KERNEL | __GFP_NOWARN, 30);
		one_step(cpu);
		heapbook_free_of(b, own);
		kmem_cache_destroy(own);
	}
}

TEST(heap_sched, caches_come_and_go)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = create_and_destroy, .interrupt = interrupt,
			      .one_in = 100, .check = check };

	scenario_test(&s, test_scaled(SEEDS / 2));
}

/* Large allocations eat the memory up, small ones fail at any place; all of it must come back. */
static void exhaust(unsigned int cpu, void *ctx)
{
	struct heapbook *b = &book[cpu];

	(void)ctx;
	for (size_t size = (size_t)1 << 20; size >= 64; size /= 4)
		while (b->nr < 1000 && heapbook_kmalloc(b, size, GFP_NOWAIT | __GFP_NOWARN, NUMA_NO_NODE))
			;
	while (b->nr > 2)
		heapbook_free(b, 1);
}

TEST(heap_sched, memory_runs_out)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = exhaust, .interrupt = interrupt, .one_in = 200,
			      .check = check };

	scenario_test(&s, test_scaled(SEEDS / 20));
}
