// SPDX-License-Identifier: MIT
/*
 * A handler on one CPU, threads that fault on others, by a seed and as threads: post-copy paging, where pages are also
 * thrown away (UF-I3: nobody sleeps for ever; UF-I4: what comes back after a removal that was told is new), forks whose
 * children are handled, moves and unmappings that are told, and write faults.
 */
#include <time.h>

#include <octavo/pagemap.h>
#include <octavo/verify.h>

#include "mm/sync/atomic.h"
#include "mm/vm/userfaultfd.h"
#include "schedules.h"
#include "uffd.h"

#define CPUS 3u
#define PAGES 6u
#define WAIT_MS 150
#define RW (PROT_READ | PROT_WRITE)

static struct test_process p __memsys;
static struct mm_task thread[CPUS] __memsys;
static struct userfaultfd_ctx *ctx __memsys;
static uintptr_t at __memsys, src __memsys;
static unsigned int running __memsys, told[PAGES] __memsys, removed[PAGES] __memsys, steps, copies;
static const char *wrong __memsys;

static bool quiet(void)
{
	return load_acquire(&running) == 0;
}

static void fail(const char *what)
{
	if (!wrong)
		store_relaxed(&wrong, what);
}

static int no_child(void *arg, struct userfaultfd_ctx *child)
{
	(void)arg;
	(void)child;
	fail("a fork that nobody wanted to know of");
	return -EINVAL;
}

/* The page's number and how often it was thrown away. */
static void fill(unsigned int i)
{
	s64 done;
	long err;

	test_user_put(src, i << 16 | told[i]);
	err = uffd_copy(ctx, UFFDIO_COPY, at + i * PAGE_SIZE, src, PAGE_SIZE, 0, &done);
	if (err == -EEXIST || err == -EAGAIN)
		(void)uffd_range(ctx, UFFDIO_WAKE, at + i * PAGE_SIZE, PAGE_SIZE);
	else if (err)
		fail("a copy fails");
	else
		copies++;
}

static void unprotect(unsigned int i)
{
	long err = uffd_protect(ctx, at + i * PAGE_SIZE, PAGE_SIZE, 0);

	if (err == -EAGAIN)
		(void)uffd_range(ctx, UFFDIO_WAKE, at + i * PAGE_SIZE, PAGE_SIZE);
	else if (err)
		fail("protection cannot be taken away");
}

static void handle(void)
{
	struct uffd_msg msg;

	while (!quiet()) {
		unsigned int i;

		if (userfaultfd_read(ctx, &msg, no_child, NULL) != 1) {
			port_cpu_relax();
			continue;
		}
		if (msg.event == UFFD_EVENT_REMOVE) {
			for (u64 a = msg.arg.remove.start; a < msg.arg.remove.end; a += PAGE_SIZE)
				told[(a - at) >> PAGE_SHIFT]++;
			continue;
		}
		i = (unsigned int)((msg.arg.pagefault.address - at) >> PAGE_SHIFT);
		if (msg.event != UFFD_EVENT_PAGEFAULT || i >= PAGES)
			fail("a message of something else");
		else if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			unprotect(i);
		else
			fill(i);
	}
}

static void look(unsigned int cpu, unsigned int i)
{
	unsigned long value = test_user_get(at + i * PAGE_SIZE);

	if (value >> 16 != i)
		fail("a page has another one's contents");
	if (cpu == 1 && (value & 0xffff) != removed[i])
		fail("UF-I4: a page came back that had been thrown away");
}

static void fault(unsigned int cpu)
{
	u64 chance = test_seed * 7 + cpu;

	for (unsigned int n = 0; n < steps && !load_relaxed(&wrong); n++) {
		unsigned int i = (unsigned int)(test_random(&chance) % PAGES);

		switch (test_random(&chance) % 6) {
		case 0:
			if (cpu == 1) {
				if (ksys_madvise(at + i * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED))
					fail("madvise fails");
				removed[i]++;
			}
			break;
		case 1:
			if (UFFD_HAS_WP && cpu == 2 && uffd_protect(ctx, at, PAGES * PAGE_SIZE, 1) == -ENOENT)
				fail("it cannot be protected");
			break;
		case 2: {
			/* A write of what is there: far behind what others look at. */
			unsigned long word = cpu;

			if (test_user_write(at + i * PAGE_SIZE + 64 * cpu, &word, sizeof(word)) != sizeof(word))
				fail("a store is refused");
			break;
		}
		default:
			look(cpu, i);
		}
	}
	(void)atomic_fetch_sub(&running, 1);
}

static void work(unsigned int cpu, void *arg)
{
	(void)arg;
	test_switch(&thread[cpu]);
	if (cpu)
		fault(cpu);
	else
		handle();
	test_switch(NULL);
}

static void setup(void *arg)
{
	u64 mode = UFFDIO_REGISTER_MODE_MISSING | (UFFD_HAS_WP ? UFFDIO_REGISTER_MODE_WP : 0);

	(void)arg;
	wrong = NULL;
	uffd_args = 0;
	running = CPUS - 1;
	memset(told, 0, sizeof(told));
	memset(removed, 0, sizeof(removed));
	if (!test_process_start(&p)) {
		wrong = "no memory";
		return;
	}
	ctx = uffd_open(UFFD_FEATURE_EVENT_REMOVE);
	at = test_map(0, PAGES * PAGE_SIZE, RW, MAP_PRIVATE);
	src = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	if (!ctx || !at || !src || uffd_register(ctx, at, PAGES * PAGE_SIZE, mode, NULL))
		wrong = "no memory";
	for (unsigned int i = 0; i < CPUS; i++)
		test_thread_make(&thread[i], &p);
	test_switch(NULL);
}

static void tell(void *arg, const char *line)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s", line);
}

static bool check(void *arg)
{
	unsigned int findings = mm_verify(tell, NULL);

	(void)arg;
	for (unsigned int i = 0; i < CPUS; i++)
		test_thread_exit(&thread[i]);
	if (ctx)
		userfaultfd_release(ctx);
	test_process_exit(&p);
	findings += mm_verify(tell, NULL);
	if (wrong)
		test_fail(__FILE__, __LINE__, "%s", wrong);
	return !wrong && !findings;
}

TEST(userfaultfd_sched, schedules)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

	steps = 25;
	copies = 0;
	scenario_test(&s, test_scaled(60));
	EXPECT(copies);
}

TEST(userfaultfd_sched, threads)
{
	steps = test_scaled(800);
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(check(NULL));
}

/* ---- While a change has not been told ---- */

static void remove_one(unsigned int cpu, void *arg)
{
	struct uffd_msg msg;
	s64 done;

	(void)arg;
	test_switch(&thread[cpu]);
	if (cpu == 1) {
		EXPECT_EQ(ksys_madvise(at, PAGE_SIZE, MADV_DONTNEED), 0);
		(void)atomic_fetch_sub(&running, 1);
	}
	if (!cpu) {
		while (!userfaultfd_pending(ctx))
			port_cpu_relax();
		EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, at + PAGE_SIZE, src, PAGE_SIZE, 0, &done), -EAGAIN);
		EXPECT_EQ(done, -EAGAIN);
		EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, at + PAGE_SIZE, PAGE_SIZE, 0, &done), -EAGAIN);
		EXPECT_EQ(uffd_fill(ctx, UFFDIO_POISON, at + PAGE_SIZE, PAGE_SIZE, 0, &done), -EAGAIN);
		EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, at + PAGE_SIZE, src, PAGE_SIZE, 0, &done), -EAGAIN);
		if (UFFD_HAS_WP)
			EXPECT_EQ(uffd_protect(ctx, at, PAGE_SIZE, 1), -EAGAIN);
		EXPECT_EQ(load_acquire(&running), 2);
		EXPECT_EQ(userfaultfd_read(ctx, &msg, no_child, NULL), 1);
		EXPECT_EQ(msg.event, UFFD_EVENT_REMOVE);
		EXPECT_EQ(msg.arg.remove.start, at);
		while (load_acquire(&running) == 2)
			port_cpu_relax();
		EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, at + PAGE_SIZE, src, PAGE_SIZE, 0, &done), 0);
	}
	test_switch(NULL);
}

TEST(userfaultfd_sched, nothing_is_filled_before_a_change_is_told)
{
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(2, remove_one, NULL), 0);
	EXPECT(check(NULL));
}

/* ---- Who waits for another thread sleeps ---- */

static uintptr_t sleeper __memsys;
static unsigned long idle_ms __memsys;

static unsigned long now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000;
}

/* How long none of our CPUs is at work, of WAIT_MS: the process's time says who spins. */
static void sleep_a_while(void)
{
	struct timespec t = { .tv_nsec = WAIT_MS * 1000000 };
	unsigned long used = now_ms(CLOCK_PROCESS_CPUTIME_ID);

	nanosleep(&t, NULL);
	used = now_ms(CLOCK_PROCESS_CPUTIME_ID) - used;
	idle_ms = used < WAIT_MS ? WAIT_MS - used : 0;
}

/* Who forked is killed while its child's descriptor is made. */
static int slow_install(void *arg, struct userfaultfd_ctx *child)
{
	(void)arg;
	(void)child;
	store_release(&thread[1].fatal_signal, 1);
	port_unpark(load_acquire(&sleeper));
	sleep_a_while();
	return -EMFILE;
}

static void fork_and_read(unsigned int cpu, void *arg)
{
	struct mm_struct *copy;
	struct uffd_msg msg;

	(void)arg;
	test_switch(&thread[cpu]);
	if (cpu == 1) {
		store_release(&sleeper, port_thread_self());
		copy = mm_fork(p.task.mm, &p.process);
		EXPECT(copy);
		if (copy)
			mmput(copy);
	} else {
		while (!userfaultfd_pending(ctx))
			port_cpu_relax();
		EXPECT_EQ(userfaultfd_read(ctx, &msg, slow_install, NULL), -EMFILE);
	}
	test_switch(NULL);
}

TEST(userfaultfd_sched, who_is_killed_sleeps_until_the_reader_is_done)
{
	setup(NULL);
	test_switch(&p.task);
	userfaultfd_release(ctx);
	ctx = uffd_open(UFFD_FEATURE_EVENT_FORK);
	ASSERT(ctx && !uffd_register(ctx, at, PAGES * PAGE_SIZE, UFFDIO_REGISTER_MODE_MISSING, NULL));
	test_switch(NULL);
	idle_ms = 0;
	EXPECT_EQ(hosted_run_cpus(2, fork_and_read, NULL), 0);
	EXPECT(idle_ms > WAIT_MS / 2);
	thread[1].fatal_signal = 0;
	EXPECT(check(NULL));
}

static struct folio *moving __memsys;

static void move_migrating(unsigned int cpu, void *arg)
{
	s64 done;

	(void)arg;
	test_switch(&thread[cpu]);
	if (cpu == 1) {
		sleep_a_while();
		remove_migration_ptes(moving, moving);
		folio_unlock(moving);
		folio_put(moving);
	} else {
		EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, at, src, PAGE_SIZE, 0, &done), 0);
	}
	test_switch(NULL);
}

TEST(userfaultfd_sched, a_move_sleeps_until_the_page_has_migrated)
{
	struct page *page;

	setup(NULL);
	test_switch(&p.task);
	test_user_put(src, 77);
	test_user_put(uffd_args, 1);
	ASSERT(get_user_pages_fast(src, 1, 0, &page) == 1);
	moving = page_folio(page);
	folio_lock(moving);
	EXPECT(try_to_migrate(moving, 0));
	test_switch(NULL);
	idle_ms = 0;
	EXPECT_EQ(hosted_run_cpus(2, move_migrating, NULL), 0);
	EXPECT(idle_ms > WAIT_MS / 2);
	test_switch(&p.task);
	EXPECT_EQ(test_user_get(at), 77);
	test_switch(NULL);
	EXPECT(check(NULL));
}
