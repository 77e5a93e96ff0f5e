// SPDX-License-Identifier: MIT
/*
 * The page allocator under seeded interleavings. With SCHED=1 every lock and atomic is a place to switch; other
 * builds switch where they wait.
 */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "mm/phys/hwpoison.h"
#include "mm/phys/page_alloc.h"
#include "pagebook.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 150
#else
#define SEEDS 30
#endif

#define CPUS 4

static struct pagebook book[CPUS + 1]; /* one a CPU, and the interrupts' */
static struct pagebook *const books[] = { &book[0], &book[1], &book[2], &book[3], &book[4] };
static u64 chance[CPUS];
static const char *complaint;

static void setup(void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i <= CPUS; i++)
		book_init(&book[i], i);
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	complaint = NULL;
	census_begin();
}

static bool check(void *ctx)
{
	(void)ctx;
	complaint = census_check(books, CPUS + 1);
	if (complaint)
		printk("%s\n", complaint);
	return !complaint;
}

static void one_step(unsigned int cpu)
{
	struct pagebook *b = &book[cpu];
	u64 r = test_random(&chance[cpu]);
	unsigned int which = b->nr ? (unsigned int)(r >> 32) % b->nr : 0;

	switch (r % 8) {
	case 0:
	case 1:
	case 2:
		(void)book_alloc(b, book_gfps[r >> 8 & 7], (unsigned int)(r >> 16) % 4, (int)(cpu / 2));
		break;
	case 3:
		(void)book_alloc(b, book_gfps[2], PAGEBLOCK_ORDER - (r >> 16 & 1), (int)(r >> 17 & 1));
		break;
	case 4:
		(void)book_alloc_bulk(b, book_gfps[r >> 8 & 3], 1 + (r >> 16) % 70);
		break;
	case 5:
		if (b->nr)
			book_free_late(b, which);
		break;
	default:
		if (b->nr)
			book_free(b, which);
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
	struct pagebook *b = &book[CPUS];

	(void)ctx;
	if (busy)
		return;
	busy = true;
	if (b->nr && b->next_tag & 1)
		book_free(b, b->nr - 1);
	else
		(void)book_alloc(b, GFP_ATOMIC | __GFP_NOWARN, (unsigned int)(b->next_tag >> 1) % 3, NUMA_NO_NODE);
	if (b->nr > 20)
		book_free(b, 0);
	busy = false;
}

TEST(alloc_sched, churn)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = churn, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

TEST(alloc_sched, churn_with_interrupts)
{
	struct scenario s = {
		.cpus = 3, .setup = setup, .work = churn, .interrupt = interrupt, .one_in = 40, .check = check
	};

	scenario_test(&s, test_scaled(SEEDS));
}

/* CPU 0 drains everybody's caches again and again under their hands. */
static void drain_and_churn(unsigned int cpu, void *ctx)
{
	for (int i = 0; i < 10 && !cpu; i++) {
		drain_all_pages(NULL);
		one_step(cpu);
	}
	if (cpu)
		churn(cpu, ctx);
}

TEST(alloc_sched, drain_all_during_churn)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = drain_and_churn, .interrupt = interrupt, .one_in = 100,
			      .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* What one CPU allocates the next one frees. */
static struct book_entry belt[CPUS][8];
static bool full[CPUS][8];

static void pass_on(unsigned int cpu, void *ctx)
{
	unsigned int next = (cpu + 1) % 3;

	(void)ctx;
	for (unsigned int i = 0; i < 60; i++) {
		unsigned int place = i % 8;

		if (book_alloc(&book[cpu], book_gfps[i % 3], i % 4 ? 0 : 2, NUMA_NO_NODE) &&
		    !__atomic_load_n(&full[next][place], __ATOMIC_ACQUIRE)) {
			belt[next][place] = book_take(&book[cpu], book[cpu].nr - 1);
			__atomic_store_n(&full[next][place], true, __ATOMIC_RELEASE);
		}
		place = (i * 5 + 3) % 8;
		if (__atomic_load_n(&full[cpu][place], __ATOMIC_ACQUIRE)) {
			if (book_put(&book[cpu], &belt[cpu][place]))
				book_free(&book[cpu], book[cpu].nr - 1);
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
	for (unsigned int cpu = 0; cpu < 3; cpu++)
		for (unsigned int i = 0; i < 8; i++)
			if (full[cpu][i] && !book_put(&book[cpu], &belt[cpu][i]))
				return false;
	return check(ctx);
}

TEST(alloc_sched, frees_on_another_cpu)
{
	struct scenario s = { .cpus = 3, .setup = belt_setup, .work = pass_on, .check = belt_check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* Everybody takes single pages until there are none; all of it must come back. */
static void exhaust(unsigned int cpu, void *ctx)
{
	struct pagebook *b = &book[cpu];

	(void)ctx;
	while (b->nr < BOOK_MAX && book_alloc(b, GFP_NOWAIT | __GFP_HIGHMEM, 3, NUMA_NO_NODE))
		;
	while (b->nr > 2)
		book_free(b, 1);
}

TEST(alloc_sched, memory_runs_out)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = exhaust, .interrupt = interrupt, .one_in = 200,
			      .check = check };

	scenario_test(&s, test_scaled(SEEDS / 15));
}

/* CPU 0 wants whole ranges while the others allocate and free in them. */
static void contig_and_churn(unsigned int cpu, void *ctx)
{
	unsigned long base = PFN_DOWN((u64)24 << 20);

	for (unsigned long i = 0; i < 12 && !cpu; i++) {
		if (book_alloc_contig(&book[0], base + i * pageblock_nr_pages / 2, pageblock_nr_pages) && i % 3)
			book_free(&book[0], book[0].nr - 1);
	}
	if (cpu)
		churn(cpu, ctx);
}

TEST(alloc_sched, contiguous_ranges_during_churn)
{
	struct scenario s = { .cpus = 3, .setup = setup, .work = contig_and_churn, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* ---- Locks of pages ---- */

static struct folio *folio;
static unsigned int under_lock, most, rounds;

static void lock_setup(void *ctx)
{
	setup(ctx);
	folio = folio_alloc(GFP_KERNEL, 0);
	under_lock = most = rounds = 0;
}

static void lock_and_unlock(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	for (int i = 0; i < 5; i++) {
		folio_lock(folio);
		under_lock++;
		most = max(most, under_lock);
		port_cpu_relax();
		rounds++;
		under_lock--;
		folio_unlock(folio);
	}
}

static bool lock_check(void *ctx)
{
	folio_put(folio);
	return most == 1 && rounds == 5 * CPUS && check(ctx);
}

TEST(alloc_sched, one_holder_of_a_page_lock)
{
	struct scenario s = { .cpus = CPUS, .setup = lock_setup, .work = lock_and_unlock, .check = lock_check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* As many references as CPUs; the page is freed with the last, once. */
static void share_setup(void *ctx)
{
	setup(ctx);
	folio = folio_alloc(GFP_KERNEL, 2);
	for (int i = 1; i < CPUS; i++)
		folio_get(folio);
}

static void put_reference(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	folio_put(folio);
}

TEST(alloc_sched, the_last_reference_frees)
{
	struct scenario s = { .cpus = CPUS, .setup = share_setup, .work = put_reference, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* ---- A page that goes bad while it is freed ---- */

#define WAYS 3
#define BAD (16 * WAYS)

static struct page *bad[BAD];

static void poison_setup(void *ctx)
{
	(void)ctx;
	/* With checks on no page is in the plainest state, and each way is the same. */
	alloc_hooks &= ~HOOK_CHECK;
	page_alloc_gate();
	for (unsigned int i = 0; i < BAD; i++) {
		bad[i] = alloc_page(GFP_KERNEL);
		get_page(bad[i]);
	}
}

/* One gives the page back, in one of the ways there are; the other does what memory_failure() does to a kernel's. */
static void free_or_poison(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < BAD; i++) {
		if (cpu) {
			SetPageHWPoison(bad[i]);
			poisoned_pages_add(1);
			put_page(bad[i]);
		} else if (i % WAYS == 0) {
			__free_page(bad[i]);
		} else if (i % WAYS == 1) {
			free_page_array(&bad[i], 1);
		} else {
			release_pages(&bad[i], 1);
		}
	}
}

static bool poison_check(void *ctx)
{
	bool well = true;

	(void)ctx;
	for (unsigned int i = 0; i < BAD; i++)
		well = well && PageHWPoison(bad[i]) && !page_ref_count(bad[i]) &&
		       !frame_state(page_zone_of(bad[i]), page_to_pfn(bad[i]));
	return well;
}

TEST(alloc_sched, what_goes_bad_is_not_free)
{
	struct scenario s = { .cpus = 2, .setup = poison_setup, .work = free_or_poison, .check = poison_check };

	scenario_test(&s, test_scaled(SEEDS));
}
