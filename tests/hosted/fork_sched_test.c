// SPDX-License-Identifier: MIT
/*
 * Threads of one process on several CPUs, each with pages of its own, while some of them fork: children look at what
 * they inherited, write, and exit on that CPU; areas are unmapped and mapped anew; and pages, of whatever thread, move
 * or are taken out of a file's mapping by reverse mapping, after which no CPU may reach them (FK-I6, RM-I6).
 * Interleaved by a seed, and on threads.
 */
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "mm/vm/rmap.h"
#include "mm/vm/share.h"
#include "crew.h"
#include "mmu.h"
#include "schedules.h"

#define OWN 4u
#define PLACE ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE)

static unsigned long value[CPUS][OWN] __memsys;
static struct file *file __memsys;
static unsigned int steps, forks, moves, taken;

/* Pages of all threads lie in two tables, mixed. */
static uintptr_t own_at(unsigned int cpu, unsigned int i)
{
	return PLACE + (i & 1) * (uintptr_t)PGT_SIZE(1) + (cpu + (i >> 1) * CPUS) * PAGE_SIZE;
}

#define FILE_PAGES 3u
static uintptr_t file_at(unsigned int i)
{
	return PLACE + (uintptr_t)(32 + i) * PAGE_SIZE;
}

static void expect(uintptr_t addr, unsigned long want, const char *what)
{
	unsigned long got = ~want;

	if (test_user_read(addr, &got, sizeof(got)) != sizeof(got) || got != want)
		crew.wrong = what;
}

static void put(uintptr_t addr, unsigned long to)
{
	if (test_user_write(addr, &to, sizeof(to)) != sizeof(to))
		crew.wrong = "a store is refused";
}

static void life_of_a_child(unsigned int cpu, u64 *chance)
{
	struct test_process child;

	if (!test_process_fork(&child, &crew.parent)) {
		crew.wrong = "fork fails";
		return;
	}
	test_switch(&child.task);
	for (unsigned int i = 0; i < OWN; i++)
		expect(own_at(cpu, i), value[cpu][i], "a child has other bytes than its parent had");
	if (test_random(chance) & 1) {
		put(own_at(cpu, 1), 0xc0);
		expect(own_at(cpu, 1), 0xc0, "a child's store is lost");
	}
	if (test_random(chance) & 1)
		expect(file_at(0), 42, "a child finds other bytes in a file");
	test_switch(&crew.thread[cpu]);
	test_process_exit(&child);
	for (unsigned int i = 0; i < OWN; i++)
		expect(own_at(cpu, i), value[cpu][i], "a parent finds its child's bytes");
	(void)atomic_fetch_add(&forks, 1);
}

/* The page at @addr with a reference, if it can be locked at once. */
static struct folio *folio_at(uintptr_t addr)
{
	spinlock_t *lock;
	pgt_entry_t *entry = table_lock_find(crew.parent.task.mm, addr, &lock), e;
	struct page *page = NULL;

	if (!entry)
		return NULL;
	e = pgt_get(entry);
	if (!pgt_none(e) && pgt_present(e))
		page = entry_page(e);
	if (page)
		get_page(page);
	spin_unlock(lock);
	if (page && !folio_trylock(page_folio(page))) {
		put_page(page);
		page = NULL;
	}
	return page ? page_folio(page) : NULL;
}

static void move(uintptr_t addr)
{
	struct folio *from = folio_at(addr);
	struct page *to = from ? alloc_page(GFP_HIGHUSER_MOVABLE) : NULL;
	unsigned int cpu;
	uintptr_t virt;
	void *bytes;

	if (!to) {
		if (from) {
			folio_unlock(from);
			folio_put(from);
		}
		return;
	}
	if (!try_to_migrate(from, 0) || page_ref_count(&from->page) != 1) {
		remove_migration_ptes(from, from);
	} else {
		if (mmu_leads_to(folio_pfn(from), &cpu, &virt))
			crew.wrong = "a page that is mapped nowhere can still be reached";
		copy_highpage(to, &from->page);
		to->mapping_index = from->page.mapping_index;
		__SetPageSwapBacked(to);
		__SetPageUptodate(to);
		bytes = kmap_local_page(&from->page);
		memset(bytes, 0xdb, PAGE_SIZE);
		kunmap_local(bytes);
		remove_migration_ptes(from, page_folio(to));
		(void)atomic_fetch_add(&moves, 1);
	}
	folio_unlock(from);
	folio_put(from);
	put_page(to);
}

static void take_out(uintptr_t addr)
{
	struct folio *folio = folio_at(addr);
	unsigned int cpu;
	uintptr_t virt;

	if (!folio)
		return;
	/* No sharer may reach it, whatever he does meanwhile, but by a new entry. */
	if (try_to_unmap(folio, 0, NULL)) {
		(void)atomic_fetch_add(&taken, 1);
		if (mmu_leads_to(folio_pfn(folio), &cpu, &virt) && !folio_mapped(folio))
			crew.wrong = "a page of a file that is mapped nowhere can still be reached";
	}
	folio_unlock(folio);
	folio_put(folio);
}

static void step(unsigned int cpu, u64 *chance)
{
	u64 r = test_random(chance);
	unsigned int i = (unsigned int)(r >> 8) % OWN, other = (unsigned int)(r >> 16) % CPUS;

	switch (r % 8) {
	case 0:
		life_of_a_child(cpu, chance);
		break;
	case 1:
		move(own_at(other, i));
		break;
	case 2:
		take_out(file_at(i % FILE_PAGES));
		break;
	case 3:
		if (ksys_mmap(own_at(cpu, i), PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0)
			crew.wrong = "mmap fails";
		value[cpu][i] = 0;
		break;
	case 4:
		expect(file_at(i % FILE_PAGES), 42, "a file has other bytes");
		break;
	default:
		value[cpu][i] = r;
		put(own_at(cpu, i), r);
	}
	expect(own_at(cpu, i), value[cpu][i], "a store is lost");
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	crew_work(cpu, steps, step);
}

static void setup(void *ctx)
{
	(void)ctx;
	memset(value, 0, sizeof(value));
	file = crew_found("sched", FILE_PAGES * PAGE_SIZE);
	if (!file)
		return;
	for (unsigned int i = 0; i < 2; i++)
		(void)test_map(PLACE + i * (uintptr_t)PGT_SIZE(1), 16 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED);
	(void)test_map_file(file_at(0), FILE_PAGES * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	for (unsigned int i = 0; i < FILE_PAGES; i++)
		test_user_put(file_at(i), 42);
	crew_hire();
}

static bool check(void *ctx)
{
	(void)ctx;
	return crew_dismiss(file);
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .check = check, .strict_structure = true
};

TEST(fork_sched, schedules)
{
	steps = 40;
	forks = moves = taken = 0;
	scenario_test(&scenario, test_scaled(60));
	EXPECT(forks && moves && taken);
}

TEST(fork_sched, threads)
{
	steps = test_scaled(1500);
	crew_threads(&scenario);
}
