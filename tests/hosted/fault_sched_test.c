// SPDX-License-Identifier: MIT
/*
 * Faults of one page on several CPUs, and what works on entries meanwhile: threads of one process store to words of
 * their own in pages that all share, while they fork (so that stores copy), take marks of use away, drop pages of a
 * file, move pages, pin, exchange words by user_cmpxchg32(), change rights and unmap. No store is lost, no exchange
 * counted twice, and nobody waits for ever (FA-I1 to FA-I6). And who makes a file shorter leaves no private copy behind
 * its end. Interleaved by a seed, and on threads.
 */
#include <octavo/highmem.h>
#include <octavo/uaccess.h>
#include <octavo/verify.h>

#include "mm/sync/atomic.h"
#include "mm/vm/gup.h"
#include "mm/vm/share.h"
#include "crew.h"
#include "ramfile.h"
#include "schedules.h"
#include "user.h"

#define PAGES 3u
#define RW (PROT_READ | PROT_WRITE)
#define ANON ((uintptr_t)0x40000000)
#define PRIVATE (ANON + 16 * PAGE_SIZE)
#define HOLE (ANON + 32 * PAGE_SIZE)
#define BYTES (PAGES * (size_t)PAGE_SIZE)
/* What the file has in each word. */
#define BASE ((unsigned long)0x5a5a5a5a5a5a5a5aull)

static struct ram_file ram __memsys;
static struct file *file __memsys;
static u8 store[RAM_FILE_BYTES] __memsys;
static unsigned long value[CPUS][PAGES] __memsys;
static unsigned int steps, exchanges __memsys, drops_begun __memsys, drops_over __memsys;
static unsigned int moves __memsys;
static unsigned int forks __memsys, pins __memsys, refused __memsys, cuts __memsys;

static uintptr_t word_at(uintptr_t area, unsigned int cpu, unsigned int page)
{
	return area + page * PAGE_SIZE + cpu * sizeof(unsigned long);
}

static uintptr_t counter_at(void)
{
	return ANON + 1024;
}

static unsigned long get(uintptr_t addr)
{
	unsigned long got = 0;

	if (test_user_read(addr, &got, sizeof(got)) != sizeof(got))
		crew.wrong = "a load is refused";
	return got;
}

static void put(uintptr_t addr, unsigned long to)
{
	if (test_user_write(addr, &to, sizeof(to)) != sizeof(to))
		crew.wrong = "a store is refused";
}

/* ---- Steps ---- */

static void life_of_a_child(unsigned int cpu)
{
	struct test_process child;

	if (!test_process_fork(&child, &crew.parent)) {
		crew.wrong = "fork fails";
		return;
	}
	test_switch(&child.task);
	for (unsigned int i = 0; i < PAGES; i++)
		if (get(word_at(ANON, cpu, i)) != value[cpu][i])
			crew.wrong = "a child has other bytes than its parent had";
	put(word_at(ANON, cpu, 0), 0xc0);
	test_switch(&crew.thread[cpu]);
	test_process_exit(&child);
	(void)atomic_fetch_add(&forks, 1);
}

/* Until somebody drops the page, a private copy keeps what is stored to it. */
static void store_privately(unsigned int cpu, unsigned int page, unsigned long to)
{
	unsigned int over = load_acquire(&drops_over);
	uintptr_t at = word_at(PRIVATE, cpu, page);
	unsigned long got;

	put(at, to);
	got = get(at);
	if (got != to && (got != BASE || load_acquire(&drops_begun) == over))
		crew.wrong = "a store to a private copy is lost";
}

static void drop(unsigned int page)
{
	(void)atomic_fetch_add(&drops_begun, 1);
	if (ksys_madvise(PRIVATE + page * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED))
		crew.wrong = "MADV_DONTNEED fails";
	(void)atomic_fetch_add(&drops_over, 1);
}

/* By the kernel, into a page that it has pinned. */
static void store_pinned(unsigned int cpu, unsigned int page, unsigned long to)
{
	uintptr_t at = word_at(ANON, cpu, page);
	struct page *pinned;

	if (pin_user_pages_fast(at, 1, FOLL_WRITE, &pinned) != 1) {
		crew.wrong = "pinning fails";
		return;
	}
	memcpy_to_page(pinned, at & ~PAGE_MASK, &to, sizeof(to));
	unpin_user_pages(&pinned, 1);
	value[cpu][page] = to;
	(void)atomic_fetch_add(&pins, 1);
}

static void look_for_use(uintptr_t addr)
{
	struct page *page;
	vm_flags_t flags;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return;
	if (folio_trylock(page_folio(page))) {
		(void)folio_referenced(page_folio(page), true, &flags);
		folio_unlock(page_folio(page));
	}
	put_page(page);
}

/* One more, by the kernel or by the program. */
static void count_on(bool by_kernel)
{
	u32 old = 0, was;
	uint64_t seen = 0;

	for (;;) {
		if (by_kernel) {
			if (user_cmpxchg32(counter_at(), old, old + 1, &was))
				crew.wrong = "user_cmpxchg32 fails";
		} else {
			seen = old;
			if (!hosted_user_cmpxchg(counter_at(), &seen, old + 1, 4))
				crew.wrong = "an exchange is refused";
			was = (u32)seen;
		}
		if (was == old || crew.wrong)
			break;
		old = was;
	}
	(void)atomic_fetch_add(&exchanges, 1);
}

static void unmap_and_map(unsigned int cpu, unsigned long to)
{
	unsigned long got;

	if (cpu) {
		/* It may be there or not. */
		(void)test_user_write(word_at(HOLE, cpu, to % PAGES), &to, sizeof(to));
		return;
	}
	put(word_at(HOLE, cpu, to % PAGES), to);
	if (ksys_munmap(HOLE, BYTES))
		crew.wrong = "munmap fails";
	if (test_user_read(word_at(HOLE, cpu, to % PAGES), &got, sizeof(got)))
		crew.wrong = "what is unmapped can be read";
	if (ksys_mmap(HOLE, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) != (long)HOLE)
		crew.wrong = "mmap fails";
	if (get(word_at(HOLE, cpu, to % PAGES)))
		crew.wrong = "what is mapped anew has old bytes";
}

static void advise(uintptr_t area, unsigned int page, int advice)
{
	if (ksys_madvise(area + page * PAGE_SIZE, PAGE_SIZE, advice))
		crew.wrong = "madvise fails";
}

/* Into another frame: whoever uses the page meanwhile keeps it where it is. */
static void move(uintptr_t area, unsigned int page)
{
	long err = ksys_madvise(area + page * PAGE_SIZE, PAGE_SIZE, MADV_SOFT_OFFLINE);

	if (!err)
		(void)atomic_fetch_add(&moves, 1);
	else if (err != -EBUSY)
		crew.wrong = "MADV_SOFT_OFFLINE fails";
}

static void step(unsigned int cpu, u64 *chance)
{
	u64 r = test_random(chance);
	unsigned int page = (unsigned int)(r >> 8) % PAGES;
	unsigned long to = (unsigned long)(r >> 16) | 1;

	switch (r % 17) {
	case 0:
		life_of_a_child(cpu);
		break;
	case 1:
		advise(r & 64 ? ANON : PRIVATE, page, MADV_COLD);
		break;
	case 2:
		advise(ANON, page, MADV_FREE);
		break;
	case 3:
		advise(PRIVATE, page, MADV_PAGEOUT);
		break;
	case 4:
		look_for_use(r & 64 ? word_at(ANON, 0, page) : word_at(PRIVATE, 0, page));
		break;
	case 5:
	case 6:
		count_on(r & 64);
		break;
	case 7:
		store_pinned(cpu, page, to);
		break;
	case 8:
		drop(page);
		break;
	case 9:
		unmap_and_map(cpu, to);
		break;
	case 10:
		if (ksys_mprotect(ANON, BYTES, RW | (r & 64 ? PROT_EXEC : 0)))
			crew.wrong = "mprotect fails";
		break;
	case 11:
		move(r & 64 ? ANON : PRIVATE, page);
		break;
	case 12:
	case 13:
	case 14:
		store_privately(cpu, page, to);
		break;
	default:
		value[cpu][page] = to;
		put(word_at(ANON, cpu, page), to);
	}
	if (get(word_at(ANON, cpu, page)) != value[cpu][page])
		crew.wrong = "a store is lost";
}

/* ---- A run ---- */

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	crew_work(cpu, steps, step);
}

static void setup(void *ctx)
{
	(void)ctx;
	crew.wrong = NULL;
	crew.arrived = 0;
	cuts = moves = exchanges = drops_begun = drops_over = 0;
	memset(value, 0, sizeof(value));
	memset(store, 0x5a, sizeof(store));
	file = ram_file_make(&ram, store, BYTES, false) ? ram_file_open(&ram) : NULL;
	if (!file || !test_process_start(&crew.parent)) {
		crew.wrong = "no memory";
		return;
	}
	crew.parent.process.capabilities = (u64)1 << CAP_SYS_ADMIN;
	(void)test_map(ANON, BYTES, RW, MAP_PRIVATE | MAP_FIXED);
	(void)test_map(HOLE, BYTES, RW, MAP_PRIVATE | MAP_FIXED);
	(void)test_map_file(PRIVATE, BYTES, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
	crew_hire();
}

static bool check(void *ctx)
{
	u32 counted = 0;
	bool right;

	(void)ctx;
	test_switch(&crew.parent.task);
	if (test_user_read(counter_at(), &counted, 4) != 4 || counted != exchanges)
		crew.wrong = crew.wrong ? crew.wrong : "exchanges were lost, or made twice";
	test_switch(NULL);
	right = crew_dismiss(file);
	ram_file_put(&ram);
	return right;
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .check = check, .strict_structure = true,
	.max_steps = 3000000
};

TEST(fault_sched, schedules)
{
	steps = 40;
	forks = pins = 0;
	scenario_test(&scenario, test_scaled(80));
	EXPECT(forks && pins);
}

TEST(fault_sched, threads)
{
	steps = test_scaled(1500);
	crew_threads(&scenario);
}

/* ---- Private copies of what is cut off ---- */

/*
 * All in one page: where another one is mapped, cutting it off waits for the CPUs to forget it, and none can stand
 * still for long between the copy and its entry.
 */
static void cut(void)
{
	unsigned long got;

	ram_file_truncate(&ram, 0);
	if (test_user_read(word_at(PRIVATE, 0, 0), &got, sizeof(got)))
		crew.wrong = "a private copy is left behind the end of its file";
	else
		refused++;
	ram_file_truncate(&ram, BYTES);
	store_release(&cuts, cuts + 1);
}

/* Whoever wants to enter something, or to take it out, waits: for the one and for the other to come first. */
static void hold_the_table(u64 *chance)
{
	spinlock_t *lock;

	if (!table_lock_find(crew.parent.task.mm, PRIVATE, &lock))
		return;
	for (u64 i = test_random(chance) % 64; i; i--)
		port_cpu_relax();
	spin_unlock(lock);
	for (u64 i = test_random(chance) % 32; i; i--)
		port_cpu_relax();
}

static void cut_or_store(unsigned int cpu, void *ctx)
{
	u64 chance = test_seed * CPUS + cpu + 1;

	(void)ctx;
	test_switch(&crew.thread[cpu]);
	crew_wait();
	while (!crew.wrong && load_acquire(&cuts) < steps) {
		unsigned long to = (unsigned long)test_random(&chance);

		if (!cpu)
			cut();
		else if (cpu == 2)
			hold_the_table(&chance);
		else
			(void)test_user_write(word_at(PRIVATE, cpu, 0), &to, sizeof(to));
		port_cpu_relax();
	}
	crew_wait();
	test_switch(NULL);
}

TEST(fault_sched, a_shorter_file_has_no_copies)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = cut_or_store, .check = check,
			      .strict_structure = true, .max_steps = 3000000 };

	steps = 60;
	refused = 0;
	scenario_test(&s, test_scaled(200));
	EXPECT(refused);
}

/* ---- Contents and the flag that says they are there ---- */

static struct page *fresh __memsys;

static void fill_or_look(unsigned int cpu, void *ctx)
{
	u8 *bytes = page_address(fresh);

	(void)ctx;
	if (!cpu) {
		memset(bytes, 0x77, PAGE_SIZE);
		SetPageUptodate(fresh);
		return;
	}
	while (!PageUptodate(fresh))
		port_cpu_relax();
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		if (bytes[i] != 0x77)
			crew.wrong = "a page is uptodate before its bytes are there";
}

/* The thread sanitizer sees whether the flag orders them. */
TEST(fault_sched, contents_come_before_the_flag)
{
	crew.wrong = NULL;
	fresh = alloc_page(GFP_KERNEL);
	ASSERT(fresh);
	ClearPageUptodate(fresh);
	EXPECT_EQ(hosted_run_cpus(2, fill_or_look, NULL), 0);
	EXPECT(!crew.wrong);
	__free_page(fresh);
}
