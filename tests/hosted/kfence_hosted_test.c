// SPDX-License-Identifier: MIT
/* KFENCE with several CPUs, from the command line, and through snapshots of the machine. */
#include <octavo/fault.h>
#include <octavo/kfence.h>
#include <octavo/slab.h>

#include "mm/slab/kfence.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 15
#endif

#define CPUS 3

static unsigned int guarded, wrong;

/* Objects are sampled, filled, checked and freed, partly by the next CPU. */
static struct {
	unsigned char *p;
} hand[CPUS];

static void churn(unsigned int cpu, void *ctx)
{
	static const size_t sizes[] = { 8, 24, 64, 100, 512, 4096 };
	bool ask = ctx != NULL;

	for (unsigned int i = 0; i < 40; i++) {
		size_t size = sizes[(i + cpu) % ARRAY_SIZE(sizes)];
		unsigned char *p, *other;

		if (ask)
			kfence_sample_next();
		p = kmalloc(size, GFP_KERNEL);
		if (!p) {
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
			continue;
		}
		memset(p, (int)(i + 1), size);
		port_cpu_relax();
		if (p[0] != (unsigned char)(i + 1) || p[size - 1] != (unsigned char)(i + 1))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		if (is_kfence_address(p))
			__atomic_add_fetch(&guarded, 1, __ATOMIC_RELAXED);
		other = __atomic_exchange_n(&hand[(cpu + i) % CPUS].p, p, __ATOMIC_ACQ_REL);
		kfree(other);
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	memset(hand, 0, sizeof(hand));
	guarded = wrong = 0;
	EXPECT_EQ(kfence_set_sample_interval(1u << 30), 0);
}

static bool check(void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < CPUS; i++)
		kfree(hand[i].p);
	/* KF-I4, and that a sample that was asked for is taken. */
	return !wrong && guarded > 10 && !kfence.counters[KFENCE_BUGS] && !kfence.counters[KFENCE_ALLOCATED] &&
	       kfence.counters[KFENCE_ALLOCS] == guarded && kfence.counters[KFENCE_FREES] == guarded &&
	       !kfence_set_sample_interval(0) && !(heap.hooks & HEAP_GUARD) && !heap_verify(NULL, NULL);
}

TEST(kfence_sched, samples_everywhere)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = churn, .check = check, .ctx = &guarded };

	scenario_test(&s, test_scaled(SEEDS));
}

/* CPU 0 switches it on and off while the others allocate. */
static void switch_and_churn(unsigned int cpu, void *ctx)
{
	for (unsigned int i = 0; i < 10 && !cpu; i++)
		if (kfence_set_sample_interval(i % 2 ? 1u << 30 : 0))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	if (cpu)
		churn(cpu, ctx);
}

static bool switch_check(void *ctx)
{
	for (unsigned int i = 0; i < CPUS; i++)
		kfree(hand[i].p);
	(void)ctx;
	return !wrong && !kfence.counters[KFENCE_BUGS] && !kfence.counters[KFENCE_ALLOCATED] &&
	       !kfence_set_sample_interval(0) && !(heap.hooks & HEAP_GUARD);
}

TEST(kfence_sched, on_and_off_under_load)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = switch_and_churn, .check = switch_check,
			      .ctx = &guarded };

	scenario_test(&s, test_scaled(SEEDS));
}

TEST(kfence_hosted, samples_on_threads)
{
	setup(NULL);
	for (unsigned int i = 0; i < test_scaled(10); i++)
		EXPECT_EQ(hosted_run_cpus(CPUS, churn, &guarded), 0);
	EXPECT(check(NULL));
}

/* Each CPU reads behind its own objects: every access is caught and goes on. */
static void overrun(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	for (int i = 0; i < 5; i++) {
		volatile char *p;

		kfence_sample_next();
		p = kmalloc(64, GFP_KERNEL);
		if (!is_kfence_address((void *)p)) {
			kfree((void *)p);
			continue;
		}
		(void)p[-(long)((uintptr_t)p & (PAGE_SIZE - 1)) - 1];
		__atomic_add_fetch(&guarded, 1, __ATOMIC_RELAXED);
		kfree((void *)p);
	}
}

TEST(kfence_hosted, faults_on_threads)
{
	setup(NULL);
	test_capture_begin();
	EXPECT_EQ(hosted_run_cpus(CPUS, overrun, NULL), 0);
	EXPECT(strstr(test_capture_end(), "BUG: KFENCE: out-of-bounds read in ") != NULL);
	EXPECT(guarded > 0);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], guarded);
}

/* Shut pages are in a snapshot like all others, and shut again afterwards. */
TEST(kfence_hosted, snapshots)
{
	struct hosted_snapshot *s;
	volatile char *p, *q;

	setup(NULL);
	kfence_sample_next();
	p = kmalloc(64, GFP_KERNEL);
	ASSERT(is_kfence_address((void *)p));
	kfence_sample_next();
	q = kmalloc(64, GFP_KERNEL);
	q[5] = 77;
	kfree((void *)p);
	s = hosted_snapshot();
	kfree((void *)q);
	test_capture_begin();
	(void)p[0];
	(void)q[5];
	test_capture_end();
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 2);
	hosted_restore(s);
	hosted_snapshot_free(s);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
	EXPECT_EQ(q[5], 77);
	test_capture_begin();
	(void)p[0];
	EXPECT(strstr(test_capture_end(), "BUG: KFENCE: use-after-free read in ") != NULL);
	kfree((void *)q);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 1);
}

/* ---- The command line ---- */

static int boot_with(const char *cmdline)
{
	struct bootinfo info = *hosted_default_machine();
	struct hosted_options options = { .seed = test_seed };

	info.cmdline = cmdline;
	return hosted_boot(&info, &options);
}

TEST(kfence_hosted, boot_parameters)
{
	const char *log;

	test_capture_begin();
	EXPECT_EQ(boot_with("kfence.sample_interval=100 kfence.num_objects=15 kfence.skip_covered_thresh=60 "
			    "kfence.check_on_panic=1 kfence.deferrable=1"),
		  0);
	log = test_capture_end();
	EXPECT(strstr(log, "kfence: initialized - using 131072 bytes for 15 objects at 0x"));
	EXPECT(strstr(log, "kfence: kfence.deferrable has no effect"));
	EXPECT_EQ(kfence.interval_ms, 100);
	EXPECT_EQ(kfence.objects_nr, 15);
	EXPECT_EQ(kfence.skip_covered_thresh, 60);
	EXPECT_EQ(kfence.check_on_panic, 1);
	EXPECT(kfence.protects && kfence.enabled);
	test_capture_begin();
	EXPECT_EQ(boot_with("kfence.num_objects=512 kfence.sample_interval=often"), 0);
	log = test_capture_end();
	EXPECT(strstr(log, "kfence.num_objects"));
	EXPECT_EQ(kfence.pool, 0);
}

/* Without what shuts pages damage and wrong frees are still seen, and the log says what is missing. */
TEST(kfence_hosted, a_port_that_cannot_shut_pages)
{
	volatile char *p;

	register_kfence_ops(NULL);
	test_capture_begin();
	EXPECT_EQ(kfence_set_sample_interval(1u << 30), 0);
	EXPECT(strstr(test_capture_end(), "kfence: this port cannot shut pages"));
	kfence_sample_next();
	p = kmalloc(64, GFP_KERNEL);
	ASSERT(is_kfence_address((void *)p));
	if (((uintptr_t)p & (PAGE_SIZE - 1)) == 0)
		p[64] = (char)~p[64];
	else
		p[-1] = (char)~p[-1];
	test_capture_begin();
	kfree((void *)p);
	EXPECT(strstr(test_capture_end(), "BUG: KFENCE: memory corruption in "));
	(void)p[3];
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 1);
}

/* ---- Fault injection from the command line ---- */

static u64 failures(void)
{
	u64 failed = 0;

	for (unsigned int i = 0; i < 64; i++) {
		void *p = kmalloc(64, GFP_ATOMIC | __GFP_NOWARN);

		failed |= (u64)!p << i;
		kfree(p);
	}
	return failed;
}

TEST(fault_hosted, boot_parameters_and_seeds)
{
	u64 first, again, other, saved = test_seed;

	EXPECT_EQ(boot_with("failslab=1,40,0,-1"), 0);
	first = failures();
	EXPECT(first && ~first);
	EXPECT_EQ(boot_with("failslab=1,40,0,-1"), 0);
	again = failures();
	EXPECT(first == again);
	test_seed = saved + 1000;
	EXPECT_EQ(boot_with("failslab=1,40,0,-1"), 0);
	other = failures();
	EXPECT(first != other);
	test_seed = saved;
	EXPECT_EQ(boot_with("failslab=4,100,0,3"), 0);
	EXPECT(failures() == 0x888);
	EXPECT_EQ(boot_with("fail_page_alloc=1,100,0,1"), 0);
	EXPECT(!alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 1));
	test_capture_begin();
	EXPECT_EQ(boot_with("failslab=1,x"), 0);
	EXPECT(strstr(test_capture_end(), "FAULT_INJECTION: failed to parse arguments"));
	EXPECT_EQ(failures(), 0);
}

/* FI-I1: whatever the number of CPUs, no more than times fail. */
static unsigned int failed_on_cpus;

static void fail_some(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	for (unsigned int i = 0; i < 50; i++) {
		void *p = kmalloc(64, GFP_ATOMIC | __GFP_NOWARN);

		if (!p)
			__atomic_add_fetch(&failed_on_cpus, 1, __ATOMIC_RELAXED);
		kfree(p);
	}
}

TEST(fault_hosted, times_hold_on_all_cpus)
{
	const struct fault_attr attr = { .probability = 100, .times = 37, .interval = 2 };

	failed_on_cpus = 0;
	failslab_set(&attr);
	EXPECT_EQ(hosted_run_cpus(4, fail_some, NULL), 0);
	failslab_set(NULL);
	EXPECT_EQ(failed_on_cpus, 37);
}
