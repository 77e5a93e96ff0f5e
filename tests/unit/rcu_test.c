// SPDX-License-Identifier: MIT
/* RCU on one CPU: grace periods end, callbacks run once and in order, tickets, and what the verifier says. */
#include <octavo/port.h>
#include <octavo/preempt.h>
#include <octavo/slab.h>

#include "harness.h"
#include "mm/sync/rcu.h"

static char found[512];
static char order[32];
static unsigned int ran;

static void collect(void *ctx, const char *line)
{
	size_t len = strlen(found);

	(void)ctx;
	octavo_snprintf(found + len, sizeof(found) - len, "%s\n", line);
}

static unsigned int verify(void)
{
	found[0] = 0;
	return rcu_verify(collect, NULL);
}

struct item {
	char name;
	struct rcu_head rcu;
};

static void note(struct rcu_head *head)
{
	order[ran++ % sizeof(order)] = container_of(head, struct item, rcu)->name;
}

static void begin(void)
{
	rcu_barrier();
	ran = 0;
	memset(order, 0, sizeof(order));
}

TEST(rcu, readers_nest_and_keep_the_cpu)
{
	EXPECT(!rcu_read_lock_held());
	EXPECT(!octavo_cpu_in_section());
	rcu_read_lock();
	rcu_read_lock();
	rcu_read_unlock();
	EXPECT(rcu_read_lock_held());
	EXPECT(octavo_cpu_in_section());
	rcu_read_unlock();
	EXPECT(!rcu_read_lock_held());
	EXPECT(!octavo_cpu_in_section());
}

TEST(rcu, an_unlock_too_many_is_reported)
{
	const char *said;

	test_capture_begin();
	rcu_read_unlock();
	said = test_capture_end();
	EXPECT(strstr(said, "is inside no reader"));
	EXPECT(!rcu_read_lock_held());
}

TEST(rcu, callbacks_run_in_order_after_a_grace_period)
{
	struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };

	begin();
	call_rcu(&a.rcu, note);
	call_rcu(&b.rcu, note);
	EXPECT_EQ(ran, 0);
	synchronize_rcu();
	EXPECT_STREQ(order, "ab");
	call_rcu(&c.rcu, note);
	rcu_barrier();
	EXPECT_STREQ(order, "abc");
	rcu_barrier();
	EXPECT_EQ(ran, 3);
	EXPECT_EQ(verify(), 0);
}

TEST(rcu, polls_run_them_within_a_bound_and_never_inside_a_reader)
{
	struct item a = { .name = 'a' };
	unsigned int polls = 0;

	begin();
	rcu_poll();
	call_rcu(&a.rcu, note);
	rcu_read_lock();
	for (unsigned int i = 0; i < 100; i++)
		rcu_poll();
	EXPECT_EQ(ran, 0);
	EXPECT(!rcu_reclaim());
	rcu_read_unlock();
	preempt_disable();
	for (unsigned int i = 0; i < 100; i++)
		rcu_poll();
	EXPECT_EQ(ran, 0);
	preempt_enable();
	while (!ran && polls++ < 100)
		rcu_poll();
	EXPECT(polls <= 16);
	EXPECT_STREQ(order, "a");
}

TEST(rcu, reclaim_runs_what_is_queued)
{
	struct item a = { .name = 'a' };

	begin();
	EXPECT(!rcu_reclaim());
	call_rcu(&a.rcu, note);
	EXPECT(rcu_reclaim());
	EXPECT_EQ(ran, 1);
	EXPECT(!rcu_reclaim());
}

static struct item second = { .name = 'x' };

static void note_and_queue(struct rcu_head *head)
{
	note(head);
	second.name = 'x';
	call_rcu(&second.rcu, note);
	rcu_poll();
	EXPECT(!rcu_reclaim());
}

TEST(rcu, a_callback_may_queue_another)
{
	struct item a = { .name = 'a' };

	begin();
	call_rcu(&a.rcu, note_and_queue);
	rcu_barrier();
	EXPECT_STREQ(order, "a");
	rcu_barrier();
	EXPECT_STREQ(order, "ax");
}

TEST(rcu, tickets_are_honoured_and_numbers_wrap)
{
	unsigned long first = get_state_synchronize_rcu(), last;

	for (unsigned int i = 0; i < 250; i++) {
		unsigned long state = get_state_synchronize_rcu();

		EXPECT(!poll_state_synchronize_rcu(state));
		if (i & 1)
			synchronize_rcu();
		else
			cond_synchronize_rcu(state);
		EXPECT(poll_state_synchronize_rcu(state));
		cond_synchronize_rcu(state);
	}
	last = get_state_synchronize_rcu();
	EXPECT(last < first);
	EXPECT(poll_state_synchronize_rcu(first));
	EXPECT_EQ(verify(), 0);
	last = start_poll_synchronize_rcu();
	EXPECT(!poll_state_synchronize_rcu(last));
	rcu_poll();
	EXPECT(poll_state_synchronize_rcu(last));
}

static void *freed;

static void note_freed(void *object)
{
	freed = object;
}

/* The heap's part is one function; here it is ours. */
TEST(rcu, kfree_rcu_finds_the_object_of_a_head)
{
	static struct {
		char before[4000];
		struct rcu_head rcu;
		char between[4096];
		struct rcu_head far;
	} object, *none;
	void (*free)(void *object) = rcu.free;
	const char *said;

	begin();
	rcu.free = note_freed;
	none = NULL;
	freed = NULL;
	kfree_rcu(none, rcu);
	kfree_rcu(&object, rcu);
	EXPECT(!freed);
	rcu_barrier();
	EXPECT(freed == &object);
	freed = NULL;
	test_capture_begin();
	kvfree_call_rcu(&object.far, &object);
	said = test_capture_end();
	EXPECT(strstr(said, "does not lie in the first 4096 bytes"));
	rcu_barrier();
	EXPECT(!freed);
	kfree_rcu_mightsleep(&object);
	EXPECT(freed == &object);
	rcu.free = free;
}

TEST(rcu, preemption_counts)
{
	const char *said;
	int cpu;

	EXPECT_EQ(preempt_count(), 0);
	cpu = get_cpu();
	EXPECT_EQ(cpu, smp_processor_id());
	preempt_disable();
	EXPECT_EQ(preempt_count(), 2);
	EXPECT(octavo_cpu_in_section());
	preempt_enable();
	put_cpu();
	EXPECT_EQ(preempt_count(), 0);
	EXPECT(!octavo_cpu_in_section());
	test_capture_begin();
	preempt_enable();
	said = test_capture_end();
	EXPECT(strstr(said, "preemption is on already"));
	EXPECT_EQ(preempt_count(), 0);
}

/* RC-I1 */
TEST(rcu, the_verifier_sees_lost_grace_periods)
{
	struct rcu_head head = { 0 };

	EXPECT_EQ(verify(), 0);
	rcu.started += 2;
	EXPECT_EQ(verify(), 1);
	EXPECT(strstr(found, "has begun, but only"));
	rcu.started -= 2;
	rcu.wait = &head;
	EXPECT_EQ(verify(), 1);
	EXPECT(strstr(found, "callbacks wait for grace period"));
	rcu.wait = NULL;
	EXPECT_EQ(verify(), 0);
}

/* RC-I2, and RC-I3's condition */
TEST(rcu, the_verifier_sees_outsiders_and_unfounded_sights)
{
	struct cpu_local *cpu = this_cpu();
	unsigned long seen = cpu->rcu_seen;
	unsigned long bits = rcu.cpus[0];

	rcu_read_lock();
	rcu.cpus[0] = 0;
	EXPECT_EQ(verify(), 1);
	EXPECT(strstr(found, "takes no part, but has a reader"));
	rcu.cpus[0] = bits;
	rcu_read_unlock();
	cpu->rcu_seen = rcu.started + 1;
	EXPECT_EQ(verify(), 1);
	EXPECT(strstr(found, "which has not begun"));
	cpu->rcu_seen = seen;
	EXPECT_EQ(verify(), 0);
}

struct node {
	u64 payload[5];
	struct rcu_head rcu;
};

TEST(rcu, kfree_rcu_frees_objects_of_the_heap)
{
	struct node *n = kmalloc(sizeof(*n), GFP_KERNEL), *m = kmalloc(sizeof(*m), GFP_KERNEL);
	unsigned long errors = heap_errors();
	const char *said;

	ASSERT(n && m);
	begin();
	kfree_rcu(n, rcu);
	kfree_rcu_mightsleep(m);
	rcu_barrier();
	EXPECT_EQ(heap_errors(), errors);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	/* it is free: a second kfree() is one too many */
	test_capture_begin();
	kfree(n);
	kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(sizeof(*n))]);
	said = test_capture_end();
	EXPECT(strlen(said) > 0);
	EXPECT_EQ(heap_errors(), errors + 1);
}
