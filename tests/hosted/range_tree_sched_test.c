// SPDX-License-Identifier: MIT
/*
 * Readers of a range tree beside its writer, under seeded interleavings and with threads (RT-I7): ranges that stay are
 * always found, and those that change are seen in one of the shapes they had, never in a mixture.
 */
#include <octavo/rcupdate.h>

#include "hosted.h"
#include "mm/base/range_tree.h"
#include "mm/sync/atomic.h"
#include "range_nodes.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 20
#endif
#define CPUS 3
#define PLOTS 60u
#define WIDTH 100u

/* Each plot of addresses has a range that moves through these shapes, one end at a time, and a neighbour that stays. */
static const u8 shapes[][2] = { { 10, 40 }, { 10, 70 }, { 20, 70 }, { 20, 30 }, { 5, 30 } };

static struct range_tree tree;
static char moving[PLOTS], staying[PLOTS], filling;
static unsigned int rounds = 40, errors, stopped;
static u64 chance;

/* What the writer is doing to a plot's range: a count, and one of these. */
enum { AT_REST, GROWING, SHRINKING, STATES = 4 };
static u32 doing[PLOTS];

#define HOT 7u /* half of what happens is here */
static unsigned int draw_plot(u64 r)
{
	return r >> 40 & 1 ? HOT : (unsigned int)(r % PLOTS);
}

static void must(int err)
{
	if (err)
		atomic_fetch_add(&errors, 1);
}

/* From shape @shape to the next; the last one goes. */
static void move(unsigned int plot, unsigned int shape)
{
	uintptr_t base = plot * WIDTH;
	unsigned int from = shapes[shape][0], to = shapes[shape][1];
	bool shrinks;

	if (shape + 1 == ARRAY_SIZE(shapes)) {
		store_release(&doing[plot], doing[plot] + SHRINKING);
		if (range_tree_erase(&tree, base + from) != &moving[plot])
			must(-EINVAL);
		store_release(&doing[plot], (doing[plot] | (STATES - 1)) + 1);
		return;
	}
	shape++;
	shrinks = shapes[shape][0] > from || shapes[shape][1] < to;
	store_release(&doing[plot], doing[plot] + (shrinks ? SHRINKING : GROWING));
	if (shrinks) {
		if (shapes[shape][0] > from)
			must(range_tree_store(&tree, base + from, base + shapes[shape][0] - 1, NULL, GFP_KERNEL));
		else
			must(range_tree_store(&tree, base + shapes[shape][1] + 1, base + to, NULL, GFP_KERNEL));
	} else {
		must(range_tree_store(&tree, base + shapes[shape][0], base + shapes[shape][1], &moving[plot],
				      GFP_KERNEL));
	}
	store_release(&doing[plot], (doing[plot] | (STATES - 1)) + 1);
}

static void write_it(void)
{
	static u8 shape[PLOTS], filled[PLOTS];

	memset(shape, 0, sizeof(shape));
	memset(filled, 0, sizeof(filled));
	for (unsigned int i = 0; i < rounds * PLOTS / 4; i++) {
		u64 r = test_random(&chance);
		unsigned int plot = draw_plot(r);
		uintptr_t base = plot * WIDTH;

		if (r >> 20 & 3) {
			if (!shape[plot])
				must(range_tree_insert(&tree, base + shapes[0][0], base + shapes[0][1], &moving[plot],
						       GFP_KERNEL));
			else
				move(plot, shape[plot] - 1u);
			shape[plot] = (shape[plot] + 1) % (ARRAY_SIZE(shapes) + 1);
		} else if (filled[plot]) {
			for (unsigned int n = 0; n < 8; n++)
				if (range_tree_erase(&tree, base + 80 + n) != &filling)
					must(-EINVAL);
			filled[plot] = 0;
		} else {
			for (unsigned int n = 0; n < 8; n++)
				must(range_tree_store(&tree, base + 80 + n, base + 80 + n, &filling, GFP_KERNEL));
			filled[plot] = 1;
		}
		rcu_poll();
	}
	store_release(&stopped, 1);
}

static bool is_a_shape(const struct range_entry *e)
{
	unsigned int plot = (unsigned int)((char *)e->value - moving);
	uintptr_t base = plot * WIDTH;

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
		if (e->start == base + shapes[i][0] && e->last == base + shapes[i][1])
			return true;
	return false;
}

static bool is_sound(const struct range_entry *e)
{
	char *value = e->value;

	if (value >= moving && value < moving + PLOTS)
		return is_a_shape(e);
	if (value == &filling)
		return e->start == e->last && e->start % WIDTH - 80 < 8;
	return value == &staying[e->start / WIDTH] && e->start % WIDTH == 95 && e->last % WIDTH == 99;
}

static void read_plot(unsigned int plot)
{
	uintptr_t base = plot * WIDTH;
	struct range_entry e;
	bool good;

	rcu_read_lock();
	good = range_tree_load(&tree, base + 97) == &staying[plot];
	good = good && range_tree_next(&tree, base + 90, &e) && e.value == &staying[plot] && is_sound(&e);
	good = good && range_tree_next(&tree, base, &e) && e.last >= base && is_sound(&e);
	good = good && range_tree_prev(&tree, base + 99, &e) && e.value == &staying[plot] && is_sound(&e);
	if (good && range_tree_prev(&tree, base + 60, &e))
		good = e.start <= base + 60 && is_sound(&e);
	rcu_read_unlock();
	if (!good)
		atomic_fetch_add(&errors, 1);
}

/* A range that grows is there as a whole as soon as it is seen to have grown. */
static void read_moving(unsigned int plot)
{
	u32 state = load_acquire(&doing[plot]);
	struct range_entry e;
	bool good;

	rcu_read_lock();
	if (range_tree_next(&tree, plot * WIDTH, &e) && e.value == &moving[plot]) {
		good = range_tree_load(&tree, e.last) == e.value && range_tree_load(&tree, e.start) == e.value;
		if (!good && state % STATES != SHRINKING && load_acquire(&doing[plot]) == state)
			atomic_fetch_add(&errors, 1);
	}
	rcu_read_unlock();
}

static void interrupt(void *ctx)
{
	(void)ctx;
	read_plot(HOT);
}

static void work(unsigned int cpu, void *ctx)
{
	u64 r = cpu;

	(void)ctx;
	if (!cpu) {
		write_it();
		return;
	}
	while (!load_acquire(&stopped)) {
		uintptr_t start;

		read_plot(draw_plot(test_random(&r)));
		read_moving(draw_plot(test_random(&r)));
		rcu_read_lock();
		if (range_tree_gap(&tree, 0, PLOTS * WIDTH - 1, 5, 1, &start))
			atomic_fetch_add(&errors, 1);
		rcu_read_unlock();
		port_cpu_relax();
	}
}

static const struct range_tree_ops *nodes = &range_nodes_rcu;

static void setup(void *ctx)
{
	(void)ctx;
	errors = stopped = 0;
	memset(doing, 0, sizeof(doing));
	range_nodes_left = -1;
	range_nodes_out = 0;
	chance = test_seed;
	tree = (struct range_tree){ .ops = nodes };
	for (unsigned int i = 0; i < PLOTS; i++)
		must(range_tree_insert(&tree, i * WIDTH + 95, i * WIDTH + 99, &staying[i], GFP_KERNEL));
}

static bool check(void *ctx)
{
	(void)ctx;
	rcu_barrier();
	if (errors || range_tree_verify(&tree) || range_nodes_in(&tree) != range_nodes_out)
		return false;
	range_tree_destroy(&tree);
	rcu_barrier();
	return !range_nodes_out;
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .interrupt = interrupt, .one_in = 50, .check = check
};

TEST(range_tree_sched, readers_beside_the_writer)
{
	scenario_test(&scenario, test_scaled(SEEDS));
}

#ifdef OCTAVO_SCHED
/* Readers are interrupted between two words of a node only in such builds. */
TEST(range_tree_sched, nodes_that_do_not_wait_for_readers_are_caught)
{
	struct scenario_result r;

	nodes = &range_nodes;
	r = scenario_search(&scenario, test_seed, 200);
	nodes = &range_nodes_rcu;
	EXPECT(!r.ok && !r.stuck);
}
#endif

TEST(range_tree_sched, with_threads)
{
	struct hosted_options options = { .quiet = true };

	rounds = test_scaled(3000);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, work, NULL));
	EXPECT(check(NULL));
	rounds = 40;
}
