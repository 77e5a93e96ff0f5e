// SPDX-License-Identifier: MIT
/* kmemleak while others allocate and free: in any interleaving, on real threads, from boot on, by itself. */
#include <octavo/kmemleak.h>

#include "harness.h"
#include "hosted.h"
#include "mm/slab/kmemleak.h"
#include "mm/slab/slab.h"
#include "mm/sync/atomic.h"
#include "schedules.h"
#include "tests/unit/proc_text.h"

#define FILE_NAME "/sys/kernel/debug/kmemleak"

/* Each CPU's objects hang on a root: a list whose nodes change all the time. */
struct node {
	struct node *next;
	unsigned long words[6];
};

static struct {
	struct node *head[4];
	unsigned long allocated, lost;
	unsigned int rounds;
	bool turn_off;
} work __memsys;

static void start(void *ctx)
{
	(void)ctx;
	memset(&work, 0, sizeof(work));
	work.rounds = 6;
	EXPECT_EQ(leak_start(), 0);
	leak.min_age_ns = 0;
}

static void push(unsigned int cpu)
{
	struct node *node = kmalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return;
	memset(node->words, (int)cpu + 1, sizeof(node->words));
	node->next = work.head[cpu];
	work.head[cpu] = node;
}

static void pop(unsigned int cpu)
{
	struct node *node = work.head[cpu];

	if (!node)
		return;
	work.head[cpu] = node->next;
	for (unsigned int i = 0; i < 6; i++)
		if (node->words[i] != (cpu + 1) * (~0ul / 255))
			work.allocated = 1ul << 31;
	kfree(node);
}

static void change(unsigned int cpu, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		void *large;

		push(cpu);
		push(cpu);
		large = i % 5 ? NULL : kmalloc(20000, GFP_KERNEL);
		pop(cpu);
		kfree(large);
		if (i % 3 == 0)
			pop(cpu);
	}
}

static void scan_or_change(unsigned int cpu, void *ctx)
{
	(void)ctx;
	if (cpu) {
		change(cpu, work.rounds);
		return;
	}
	for (unsigned int i = 0; i < 3; i++) {
		octavo_proc_write(FILE_NAME, "scan", 4);
		if (work.turn_off && i == 1)
			octavo_proc_write(FILE_NAME, "off", 3);
		octavo_proc_read(FILE_NAME, proc_discard, NULL);
		if (work.turn_off && i == 1)
			octavo_proc_write(FILE_NAME, "clear", 5);
	}
}

static void interrupt(void *ctx)
{
	void *p = kmalloc(32, GFP_ATOMIC | __GFP_NOWARN);

	(void)ctx;
	kfree(p);
}

static unsigned long live(void)
{
	unsigned long n = 0;

	for (unsigned int cpu = 0; cpu < 4; cpu++)
		for (const struct node *node = work.head[cpu]; node; node = node->next)
			n++;
	return n;
}

static unsigned long lost(void)
{
	unsigned long n = 0;
	u64 at = 0;

	for (struct leak_object *object; (object = leak_from(LEAK_VIRT, at)); at = object->start + 1)
		n += leak_is_lost(object) && object->flags & LEAK_REPORTED;
	return n;
}

static bool all_followed(void *ctx)
{
	bool ok = leak.enabled && leak.objects == live() && work.allocated != 1ul << 31;

	(void)ctx;
	leak_scan();
	leak_scan();
	ok = ok && !lost();
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		while (work.head[cpu])
			pop(cpu);
	return ok && !leak.objects && !heap_verify(NULL, NULL);
}

/* KL-I1, KL-I3, KL-I4: what lives is followed and reached, what was freed is neither. */
TEST(kmemleak_sched, scan_while_others_work)
{
	static const struct scenario s = { 4, start, scan_or_change, interrupt, 48, all_followed, NULL, 0 };

	test_capture_begin();
	scenario_test(&s, test_scaled(60));
	test_capture_end();
}

static void start_to_stop(void *ctx)
{
	start(ctx);
	work.turn_off = true;
}

static bool nothing_known(void *ctx)
{
	bool ok = !leak.enabled;

	(void)ctx;
	leak_forget_all();
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		while (work.head[cpu])
			pop(cpu);
	return ok && !leak.objects && work.allocated != 1ul << 31 && !heap_verify(NULL, NULL);
}

TEST(kmemleak_sched, off_while_others_work)
{
	static const struct scenario s = { 4, start_to_stop, scan_or_change, interrupt, 48, nothing_known, NULL, 0 };

	test_capture_begin();
	scenario_test(&s, test_scaled(60));
	test_capture_end();
}

TEST(kmemleak_sched, threads)
{
	test_capture_begin();
	start(NULL);
	work.rounds = test_scaled(2000);
	EXPECT_EQ(hosted_run_cpus(4, scan_or_change, NULL), 0);
	EXPECT(all_followed(NULL));
	test_capture_end();
}

/* ---- By itself ---- */

static void scanner_and_loser(unsigned int cpu, void *arg)
{
	(void)arg;
	if (cpu == 1) {
		leak_thread((void *)(uintptr_t)leak.thread);
		return;
	}
	for (unsigned int i = 0; i < 100000 && !load_relaxed(&work.lost); i++) {
		mutex_lock(&leak.mutex);
		store_relaxed(&work.lost, lost());
		mutex_unlock(&leak.mutex);
		port_park(1000000);
	}
	EXPECT_EQ(octavo_proc_write(FILE_NAME, "scan=off", 8), 8);
}

TEST(kmemleak_sched, scans_every_so_often)
{
	static uintptr_t hidden;
	void *p;

	test_capture_begin();
	start(NULL);
	leak.scan_wait_ns = 1000000;
	leak.thread = 2;
	p = kmalloc(64, GFP_KERNEL);
	ASSERT(p);
	memset(p, 1, 64);
	hidden = ~(uintptr_t)p;
	EXPECT_EQ(hosted_run_cpus(2, scanner_and_loser, NULL), 0);
	test_capture_end();
	EXPECT_EQ(work.lost, 1);
	EXPECT(leak.thread & 1);
	kfree((void *)~hidden);
}

/* ---- From boot on ---- */

TEST(kmemleak_boot, on_and_nothing_is_lost)
{
	struct bootinfo info = *hosted_default_machine();
	const struct hosted_options options = { .quiet = true };
	void *p;

	info.cmdline = "kmemleak=on";
	ASSERT(hosted_boot(&info, &options) == 0);
	EXPECT(leak.started && leak.enabled);
	leak.min_age_ns = 0;
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(proc_put(FILE_NAME, "scan"), 4);
	EXPECT_STREQ(proc_text(FILE_NAME), "");
	p = kmalloc(10, GFP_KERNEL);
	EXPECT(leak_find(LEAK_VIRT, (uintptr_t)p));
	kfree(p);
	/* Only on and off are values. */
	info.cmdline = "kmemleak=maybe";
	ASSERT(hosted_boot(&info, &options) == 0);
	EXPECT(!leak.started);
	info.cmdline = "kmemleak=on kmemleak=off";
	ASSERT(hosted_boot(&info, &options) == 0);
	EXPECT(!leak.started);
}
