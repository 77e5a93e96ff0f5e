// SPDX-License-Identifier: MIT
/*
 * A file that becomes shorter and longer while the process that maps it splits, joins, moves and unmaps the mappings,
 * and forks: no page that is no longer in the file may be mapped by anybody, whatever VMA it lies in at that moment,
 * and each address space's counts must be those of its pages. Interleaved by a seed, and on threads.
 */
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "mm/vm/rmap.h"
#include "mm/vm/share.h"
#include "crew.h"
#include "mmu.h"
#include "schedules.h"

#define PAGES 8u
#define TABLE ((uintptr_t)PGT_SIZE(1))
#define PLACE ((uintptr_t)0x40000000)
/* Two tables: the shared mapping begins in one and ends in the next, where the private one is; a third stays behind. */
#define SHARED_AT (PLACE + TABLE - 4 * PAGE_SIZE)
#define PRIVATE_AT (PLACE + TABLE + 32 * PAGE_SIZE)
#define WIPED_AT (PLACE + 2 * TABLE)
#define AWAY (PLACE + TABLE + 128 * PAGE_SIZE)
#define RW (PROT_READ | PROT_WRITE)

static struct file *file __memsys;
static unsigned int steps, forks, cut;

static void shape(u64 *chance)
{
	u64 r = test_random(chance);
	unsigned int first = (unsigned int)(r >> 8) % PAGES, n = 1 + (unsigned int)(r >> 16) % (PAGES - first);
	uintptr_t base = r >> 24 & 1 ? SHARED_AT : PRIVATE_AT, at = base + first * PAGE_SIZE;
	unsigned long flags = MAP_FIXED | (base == SHARED_AT ? MAP_SHARED : MAP_PRIVATE);
	long moved;

	switch (r % 4) {
	case 0:
		if (ksys_munmap(at, n * PAGE_SIZE) ||
		    ksys_mmap(at, n * PAGE_SIZE, RW, flags, file, first * PAGE_SIZE) != (long)at)
			crew.wrong = "a piece is not mapped again";
		break;
	case 1:
		moved = ksys_mremap(at, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AWAY);
		if (moved == (long)AWAY)
			moved = ksys_mremap(AWAY, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at);
		if (moved != (long)at)
			crew.wrong = "a page does not move there and back";
		break;
	default:
		if (ksys_mprotect(at, n * PAGE_SIZE, r >> 25 & 1 ? RW : PROT_READ))
			crew.wrong = "mprotect fails";
	}
}

/* Refused where the file has ended, or where only reading is allowed. */
static void touch(u64 *chance)
{
	u64 r = test_random(chance);
	uintptr_t at = (r >> 8 & 1 ? SHARED_AT : PRIVATE_AT) + (r >> 16) % PAGES * PAGE_SIZE;
	unsigned long word = 1;

	if (r & 1)
		(void)test_user_read(at, &word, sizeof(word));
	else
		(void)test_user_write(at, &word, sizeof(word));
}

static void life_of_a_child(unsigned int cpu, u64 *chance)
{
	struct test_process child;
	struct mm_struct *mm;

	if (!test_process_fork(&child, &crew.parent)) {
		crew.wrong = "fork fails";
		return;
	}
	test_switch(&child.task);
	mm = child.task.mm;
	if (test_random(chance) & 1)
		touch(chance);
	if (ksys_munmap(PLACE, 4 * TABLE))
		crew.wrong = "a child cannot unmap";
	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (get_mm_counter(mm, i) && !crew.wrong) {
			pr_err("mm->rss[%u] is %ld\n", i, get_mm_counter(mm, i));
			crew.wrong = "a child that has nothing mapped counts pages";
		}
	test_switch(&crew.thread[cpu]);
	test_process_exit(&child);
	(void)atomic_fetch_add(&forks, 1);
}

static bool has_entry(uintptr_t addr, const struct folio *folio)
{
	spinlock_t *lock;
	pgt_entry_t *entry = table_lock_find(crew.parent.task.mm, addr, &lock), e;

	if (!entry)
		return false;
	e = pgt_get(entry);
	spin_unlock(lock);
	return !pgt_none(e) && pgt_present(e) && entry_page(e) == &folio->page;
}

/* Does the parent map it? Its mapcount may still have what is in a table that everybody has just left. */
static bool is_mapped(const struct folio *folio)
{
	bool found = has_entry(AWAY, folio);

	for (unsigned int i = 0; i < PAGES; i++)
		found |= has_entry(SHARED_AT + i * PAGE_SIZE, folio) || has_entry(PRIVATE_AT + i * PAGE_SIZE, folio);
	return found;
}

/* What is cut off must be nobody's, and stay so: to be reached only as long as somebody has yet to flush it. */
static void change_size(u64 *chance)
{
	unsigned int pages = (unsigned int)(test_random(chance) % PAGES);
	struct folio *gone[PAGES] = { NULL };
	unsigned int cpu;
	uintptr_t virt;

	for (unsigned int i = pages; i < PAGES; i++)
		gone[i] = filemap_get_folio(file->f_mapping, i);
	if (shmem_truncate(file->f_inode, pages * PAGE_SIZE))
		crew.wrong = "the file does not become shorter";
	for (unsigned int i = pages; i < PAGES; i++) {
		if (!gone[i])
			continue;
		if (is_mapped(gone[i]) && !folio_mapping(gone[i]))
			crew.wrong = "a page behind the end of its file is mapped";
		if (page_ref_count(&gone[i]->page) == 1 && mmu_leads_to(folio_pfn(gone[i]), &cpu, &virt))
			crew.wrong = "a page behind the end of its file can be reached";
		cut += !folio_mapping(gone[i]);
		folio_put(gone[i]);
	}
	if (shmem_truncate(file->f_inode, PAGES * PAGE_SIZE))
		crew.wrong = "the file does not become longer";
}

/* A page that is locked comes into no mapping; whoever maps it now loses it at the first attempt. */
static void take_out(u64 *chance)
{
	u64 r = test_random(chance);
	unsigned int index = (unsigned int)(r >> 8) % PAGES;
	struct folio *folio = filemap_get_folio(file->f_mapping, index);

	if (!folio)
		return;
	if (folio_trylock(folio)) {
		if (r & 1)
			unmap_mapping_range(file->f_mapping, index * PAGE_SIZE, PAGE_SIZE, false);
		else
			(void)try_to_unmap(folio, 0, NULL);
		if (is_mapped(folio))
			crew.wrong = "a page of a file was taken out of all mappings, and is mapped";
		folio_unlock(folio);
	}
	folio_put(folio);
}

static void step(unsigned int cpu, u64 *chance)
{
	touch(chance);
	if (cpu == 0)
		shape(chance);
	else if (cpu == 1)
		life_of_a_child(cpu, chance);
	else if (test_random(chance) & 1)
		change_size(chance);
	else
		take_out(chance);
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	crew_work(cpu, steps, step);
}

static void setup(void *ctx)
{
	(void)ctx;
	file = crew_found("vma_sched", PAGES * PAGE_SIZE);
	if (!file)
		return;
	(void)test_map_file(SHARED_AT, PAGES * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	(void)test_map_file(PRIVATE_AT, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
	(void)test_map(WIPED_AT, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED);
	if (ksys_madvise(WIPED_AT, PAGES * PAGE_SIZE, MADV_WIPEONFORK))
		crew.wrong = "no area that is wiped";
	for (unsigned int i = 0; i < PAGES; i++) {
		test_user_put(SHARED_AT + i * PAGE_SIZE, 42);
		test_user_put(PRIVATE_AT + i * PAGE_SIZE, 43);
		test_user_put(WIPED_AT + i * PAGE_SIZE, 44);
	}
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

TEST(vma_sched, schedules)
{
	steps = 25;
	forks = cut = 0;
	scenario_test(&scenario, test_scaled(60));
	EXPECT(forks && cut);
}

TEST(vma_sched, threads)
{
	steps = test_scaled(1000);
	crew_threads(&scenario);
}
