// SPDX-License-Identifier: MIT
/* fork: shared last-level tables, what unshares them, and what of an address space a child gets. */
#include <octavo/fault.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/uaccess.h>
#include <octavo/verify.h>

#include "fault.h"
#include "mm/pgtable/tlb.h"
#include "mm/vm/interval.h"
#include "mm/vm/share.h"
#include "tasks.h"

#define PLACE ((uintptr_t)0x40000000)
#define TABLE ((uintptr_t)PGT_SIZE(1))
#define RW (PROT_READ | PROT_WRITE)

static struct test_process parent __memsys, child __memsys;
static unsigned int found __memsys;

static void tell(void *ctx, const char *line)
{
	const char *what = ctx;

	if (!what)
		test_fail(__FILE__, __LINE__, "%s", line);
	else if (strstr(line, what))
		found++;
	else
		test_fail(__FILE__, __LINE__, "not expected: %s", line);
}

static void verify(void)
{
	(void)mm_verify(tell, NULL);
}

static struct mm_struct *mm_of(struct test_process *p)
{
	return p->task.mm;
}

/* The page at @addr, no reference; NULL: none. */
static struct page *page_at(struct test_process *p, uintptr_t addr)
{
	spinlock_t *lock;
	pgt_entry_t *entry = table_lock_find(mm_of(p), addr, &lock), e;

	if (!entry)
		return NULL;
	e = pgt_get(entry);
	spin_unlock(lock);
	return !pgt_none(e) && pgt_present(e) ? entry_page(e) : NULL;
}

static struct page *table_at(struct test_process *p, uintptr_t addr)
{
	pgt_entry_t e;

	return upper_entry(mm_of(p), addr, &e) ? pfn_to_page(PFN_DOWN(pgt_table_phys(1, e))) : NULL;
}

static bool share(struct test_process *a, struct test_process *b, uintptr_t addr)
{
	return table_at(a, addr) && table_at(a, addr) == table_at(b, addr);
}

/* A parent that this CPU runs, with @pages of anonymous memory at PLACE, each beginning with its number. */
static bool make_parent(unsigned int pages)
{
	if (!test_process_start(&parent) || test_map(PLACE, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED) != PLACE)
		return false;
	for (unsigned long i = 0; i < pages; i++)
		test_user_put(PLACE + i * PAGE_SIZE, i);
	return true;
}

static void end(void)
{
	if (mm_of(&child))
		test_process_exit(&child);
	test_process_exit(&parent);
	verify();
}

static long anon_of(struct test_process *p)
{
	return get_mm_counter(mm_of(p), MM_ANONPAGES);
}

/* FK-I1, FK-I4: nothing is copied, and a page counts once. */
TEST(fork, shares_tables)
{
	struct page *page;

	ASSERT(make_parent(4));
	page = page_at(&parent, PLACE);
	ASSERT(test_process_fork(&child, &parent));
	EXPECT(share(&parent, &child, PLACE));
	EXPECT_EQ(table_sharers(table_at(&parent, PLACE)), 2);
	EXPECT(page_mapcount(page) == 1 && page_count(page) == 1 && PageAnonExclusive(page));
	EXPECT_EQ(page_mappers(page), 2);
	EXPECT(anon_of(&parent) == 4 && anon_of(&child) == 4);
	verify();
	end();
}

/* FK-I7: a copy of the table takes exclusiveness with it; the last sharer only gets his right to write back. */
TEST(fork, the_first_change_copies_the_table)
{
	struct page *page, *table;

	ASSERT(make_parent(4));
	page = page_at(&parent, PLACE);
	table = table_at(&parent, PLACE);
	ASSERT(test_process_fork(&child, &parent));
	test_switch(&child.task);
	test_user_put(PLACE + PAGE_SIZE, 77);
	EXPECT(!share(&parent, &child, PLACE) && table_at(&parent, PLACE) == table);
	EXPECT(page_mapcount(page) == 2 && page_count(page) == 2 && !PageAnonExclusive(page));
	EXPECT(page_at(&child, PLACE) == page);
	EXPECT(page_at(&child, PLACE + PAGE_SIZE) != page_at(&parent, PLACE + PAGE_SIZE));
	verify();
	test_switch(&parent.task);
	EXPECT_EQ(test_user_get(PLACE + PAGE_SIZE), 1);
	test_user_put(PLACE, 55);
	EXPECT_EQ(table_sharers(table), 1);
	EXPECT(page_at(&parent, PLACE) != page);
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(PLACE), 0);
	EXPECT_EQ(test_user_get(PLACE + PAGE_SIZE), 77);
	end();
}

TEST(fork, after_the_childs_end_nothing_is_copied)
{
	struct page *page[3], *table;

	ASSERT(make_parent(3));
	table = table_at(&parent, PLACE);
	for (unsigned int i = 0; i < 3; i++)
		page[i] = page_at(&parent, PLACE + i * PAGE_SIZE);
	ASSERT(test_process_fork(&child, &parent));
	test_process_exit(&child);
	for (unsigned int i = 0; i < 3; i++) {
		test_user_put(PLACE + i * PAGE_SIZE, 99);
		EXPECT(page_at(&parent, PLACE + i * PAGE_SIZE) == page[i] && PageAnonExclusive(page[i]));
	}
	EXPECT(table_at(&parent, PLACE) == table && table_sharers(table) == 1);
	end();
}

/* FK-I2 and FK-I1: damage is seen. */
TEST(fork, verify_sees_damage)
{
	pgt_entry_t e, *upper;
	struct page *table;

	ASSERT(make_parent(2));
	ASSERT(test_process_fork(&child, &parent));
	table = table_at(&parent, PLACE);
	upper = upper_entry(mm_of(&child), PLACE, &e);
	found = 0;
	set_page_count(table, 3);
	EXPECT_EQ(mm_verify(tell, (void *)"FK-I1"), found);
	EXPECT_EQ(found, 1);
	set_page_count(table, 2);
	pgt_set(upper, pgt_table_mkwrite(1, e));
	found = 0;
	EXPECT_EQ(mm_verify(tell, (void *)"FK-I2"), found);
	EXPECT_EQ(found, 1);
	pgt_set(upper, e);
	verify();
	end();
}

/* FK-I5: what is in a table that is left as a whole comes off one's own count only. */
TEST(fork, a_whole_table_is_left)
{
	ASSERT(test_process_start(&parent));
	ASSERT(test_map(PLACE, 2 * TABLE, RW, MAP_PRIVATE | MAP_FIXED) == PLACE);
	for (unsigned int i = 0; i < 6; i++)
		test_user_put(PLACE + i * (TABLE / 4), i);
	ASSERT(test_process_fork(&child, &parent));
	test_switch(&child.task);
	EXPECT_EQ(ksys_munmap(PLACE, TABLE), 0);
	EXPECT(!table_at(&child, PLACE) && share(&parent, &child, PLACE + TABLE));
	EXPECT(anon_of(&child) == 2 && anon_of(&parent) == 6);
	verify();
	test_switch(&parent.task);
	EXPECT_EQ(test_user_get(PLACE + TABLE / 4), 1);
	end();
}

/* What goes as a whole takes no memory, however many areas lie in it; what is cut may want some, and says so. */
TEST(fork, unmapping_without_memory)
{
	struct fault_attr all = { .probability = 100, .times = -1 };

	ASSERT(test_process_start(&parent));
	ASSERT(test_map(PLACE, 3 * TABLE, RW, MAP_PRIVATE | MAP_FIXED) == PLACE);
	for (unsigned int i = 0; i < 12; i++)
		test_user_put(PLACE + i * (TABLE / 4), i);
	EXPECT_EQ(ksys_mprotect(PLACE + TABLE + TABLE / 4, TABLE / 4, PROT_READ), 0);
	ASSERT(test_process_fork(&child, &parent));
	test_switch(&child.task);
	fail_page_alloc_set(&all);
	EXPECT_EQ(ksys_munmap(PLACE + TABLE / 2, 2 * TABLE), -ENOMEM);
	EXPECT(share(&parent, &child, PLACE) && share(&parent, &child, PLACE + TABLE));
	EXPECT_EQ(ksys_munmap(PLACE, 2 * TABLE), 0);
	fail_page_alloc_set(NULL);
	EXPECT(!table_at(&child, PLACE + TABLE) && share(&parent, &child, PLACE + 2 * TABLE));
	EXPECT(anon_of(&child) == 4 && anon_of(&parent) == 12);
	verify();
	end();
}

static struct file *a_file(size_t pages)
{
	int err = 0;
	struct file *file = memfd_setup("fork", 0, &err);

	if (file && shmem_truncate(file->f_inode, pages * PAGE_SIZE)) {
		fput(file);
		return NULL;
	}
	return file;
}

/*
 * Two who leave a table at the same time: both see the other's reference, and whoever is flushed last lets go of the
 * entries, dirty marks and all.
 */
TEST(fork, the_last_to_leave_keeps_dirty_marks)
{
	struct file *file = a_file(TABLE / PAGE_SIZE);
	struct vm_area_struct *vma;
	struct mmu_gather tlb;
	struct folio *folio;

	ASSERT(file && test_process_start(&parent));
	ASSERT(test_map_file(PLACE, TABLE, RW, MAP_SHARED | MAP_FIXED, file, 0) == PLACE);
	(void)test_user_get(PLACE);
	test_user_put(PLACE, 5); /* by the processor alone */
	ASSERT(test_process_fork(&child, &parent) && share(&parent, &child, PLACE));
	folio = filemap_get_folio(file->f_mapping, 0);
	ASSERT(folio);
	mmap_write_lock(mm_of(&parent));
	vma = find_vma(mm_of(&parent), PLACE);
	vma_start_write(vma);
	tlb_gather_mmu(&tlb, mm_of(&parent));
	zap_page_range(&tlb, vma, PLACE, PLACE + TABLE, NULL);
	test_switch(&child.task);
	EXPECT_EQ(ksys_munmap(PLACE, TABLE), 0);
	EXPECT(!PageDirty(&folio->page) && folio_mapped(folio));
	tlb_finish_mmu(&tlb);
	EXPECT(PageDirty(&folio->page) && !folio_mapped(folio));
	mmap_write_unlock(mm_of(&parent));
	folio_put(folio);
	verify();
	test_switch(&parent.task);
	end();
	fput(file);
}

/* Both processes have the file's first two pages, the first one written to, in a table that they share. */
static struct folio *map_file_and_fork(struct file *file, unsigned long flags)
{
	struct folio *folio;

	if (!test_process_start(&parent) ||
	    test_map_file(PLACE, 2 * PAGE_SIZE, RW, flags | MAP_FIXED, file, 0) != PLACE)
		return NULL;
	if (flags & MAP_SHARED)
		test_user_put(PLACE, 5);
	(void)test_user_get(PLACE);
	(void)test_user_get(PLACE + PAGE_SIZE);
	if (!page_at(&parent, PLACE) || !test_process_fork(&child, &parent) || !share(&parent, &child, PLACE))
		return NULL;
	folio = page_folio(page_at(&parent, PLACE));
	folio_get(folio);
	return folio;
}

/* FK-I3, RM-I5: an entry of a shared table goes once, for both; FK-I5: both know. */
TEST(fork, unmapping_a_page_of_a_shared_table)
{
	struct file *file = a_file(2);
	struct folio *folio;
	long before;

	ASSERT(file);
	folio = map_file_and_fork(file, MAP_SHARED);
	ASSERT(folio);
	before = get_mm_counter(mm_of(&child), MM_SHMEMPAGES);
	EXPECT(page_mapcount(&folio->page) == 1 && page_mappers(&folio->page) == 2);
	folio_lock(folio);
	EXPECT(try_to_unmap(folio, 0, NULL));
	folio_unlock(folio);
	EXPECT(!folio_mapped(folio) && PageDirty(&folio->page));
	EXPECT_EQ(get_mm_counter(mm_of(&child), MM_SHMEMPAGES), before - 1);
	EXPECT_EQ(get_mm_counter(mm_of(&parent), MM_SHMEMPAGES), before - 1);
	verify();
	test_switch(&child.task);
	test_user_put(PLACE, 6);
	EXPECT(!share(&parent, &child, PLACE));
	EXPECT_EQ(get_mm_counter(mm_of(&child), MM_SHMEMPAGES), before);
	EXPECT_EQ(get_mm_counter(mm_of(&parent), MM_SHMEMPAGES), before - 1);
	verify();
	test_switch(&parent.task);
	EXPECT_EQ(test_user_get(PLACE), 6);
	EXPECT_EQ(get_mm_counter(mm_of(&parent), MM_SHMEMPAGES), before);
	folio_put(folio);
	end();
	fput(file);
}

TEST(fork, cleaning_a_page_of_a_shared_table)
{
	struct file *file = a_file(2);
	struct folio *folio;

	ASSERT(file);
	folio = map_file_and_fork(file, MAP_SHARED);
	ASSERT(folio);
	folio_lock(folio);
	EXPECT_EQ(folio_mkclean(folio), 1);
	EXPECT_EQ(folio_mkclean(folio), 0);
	folio_unlock(folio);
	test_user_put(PLACE, 7);
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(PLACE), 7);
	folio_put(folio);
	end();
	fput(file);
}

/* RM-I7: by insertion, VMAs with one start are found oldest first. */
TEST(fork, parents_are_visited_first)
{
	static struct interval_node node[40] __memsys;
	struct interval_node *root = NULL, *at;
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(node); i++) {
		node[i].start = 7;
		node[i].last = 7 + i * 5 % 11;
		interval_insert(&root, &node[i]);
	}
	for (at = interval_first(root, 0, ~0ul); at; at = interval_next(at, 0, ~0ul))
		EXPECT(at == &node[n++]);
	EXPECT_EQ(n, ARRAY_SIZE(node));
}

static void set_flags(uintptr_t addr, vm_flags_t flags)
{
	struct mm_struct *mm = mm_of(&parent);

	mmap_write_lock(mm);
	vma_start_write(vma_lookup(mm, addr));
	vma_lookup(mm, addr)->vm_flags |= flags;
	mmap_write_unlock(mm);
}

TEST(fork, what_is_not_inherited)
{
	ASSERT(make_parent(1));
	for (unsigned int i = 1; i < 4; i++) {
		uintptr_t at = PLACE + 4 * i * PAGE_SIZE;

		ASSERT(test_map(at, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED) == at);
		test_user_put(at, i);
	}
	set_flags(PLACE + 4 * PAGE_SIZE, VM_DONTCOPY);
	set_flags(PLACE + 8 * PAGE_SIZE, VM_WIPEONFORK);
	set_flags(PLACE + 12 * PAGE_SIZE, VM_LOCKED);
	ASSERT(test_process_fork(&child, &parent));
	EXPECT(!share(&parent, &child, PLACE));
	EXPECT_EQ(anon_of(&child), 2);
	EXPECT(!vma_lookup(mm_of(&child), PLACE + 4 * PAGE_SIZE));
	EXPECT(!(vma_lookup(mm_of(&child), PLACE + 12 * PAGE_SIZE)->vm_flags & VM_LOCKED));
	EXPECT_EQ(mm_of(&child)->locked_vm, 0);
	EXPECT_EQ(mm_of(&child)->total_vm, mm_of(&parent)->total_vm - 1);
	EXPECT(mm_of(&child)->mmap_base == mm_of(&parent)->mmap_base && mm_of(&child)->brk == mm_of(&parent)->brk);
	EXPECT(mm_of(&child)->mmap_legacy_base == mm_of(&parent)->mmap_legacy_base);
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(PLACE + 8 * PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(PLACE + 12 * PAGE_SIZE), 3);
	EXPECT_REFUSED(PLACE + 4 * PAGE_SIZE, false, 11, 1);
	test_switch(&parent.task);
	mm_of(&parent)->locked_vm = 0;
	vma_lookup(mm_of(&parent), PLACE + 12 * PAGE_SIZE)->vm_flags &= ~VM_LOCKED;
	end();
}

/* Who pinned a page goes on having it; the child gets a copy at once. */
TEST(fork, pinned_pages_are_copied)
{
	struct page *pinned;
	long got;

	ASSERT(make_parent(3));
	mmap_read_lock(mm_of(&parent));
	got = pin_user_pages_remote(mm_of(&parent), PLACE, 1, FOLL_WRITE, &pinned);
	mmap_read_unlock(mm_of(&parent));
	ASSERT(got == 1);
	EXPECT(folio_maybe_dma_pinned(page_folio(pinned)));
	ASSERT(test_process_fork(&child, &parent));
	EXPECT(page_at(&parent, PLACE) == pinned && page_at(&child, PLACE) && page_at(&child, PLACE) != pinned);
	EXPECT(page_at(&child, PLACE + PAGE_SIZE) == page_at(&parent, PLACE + PAGE_SIZE));
	EXPECT_EQ(anon_of(&child), 3);
	test_user_put(PLACE, 1234);
	EXPECT(page_at(&parent, PLACE) == pinned);
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(PLACE), 0);
	unpin_user_pages(&pinned, 1);
	verify();
	end();
}

/* Several generations and siblings, each with pages of its own. */
TEST(fork, generations)
{
	static struct test_process line[6] __memsys;

	ASSERT(make_parent(8));
	for (unsigned int i = 0; i < ARRAY_SIZE(line); i++) {
		ASSERT(test_process_fork(&line[i], i ? &line[i / 2] : &parent));
		test_switch(&line[i].task);
		test_user_put(PLACE + i * PAGE_SIZE, 100 + i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(line); i++) {
		test_switch(&line[i].task);
		EXPECT_EQ(test_user_get(PLACE + i * PAGE_SIZE), 100 + i);
		EXPECT_EQ(test_user_get(PLACE + 7 * PAGE_SIZE), 7);
		EXPECT_EQ(test_user_get(PLACE + (i + 1) * PAGE_SIZE), i + 1);
	}
	verify();
	test_switch(&parent.task);
	for (unsigned int i = 0; i < ARRAY_SIZE(line); i++) {
		EXPECT_EQ(test_user_get(PLACE + i * PAGE_SIZE), i);
		test_process_exit(&line[i]);
	}
	end();
}

/* ---- Without memory ---- */

static bool fork_and_write(void *ctx)
{
	bool good = test_process_fork(&child, &parent);

	(void)ctx;
	if (!good)
		return false;
	test_switch(&child.task);
	good = copy_to_user(PLACE, "y", 1) == 0;
	test_switch(&parent.task);
	test_process_exit(&child);
	return good;
}

static void look(void *ctx)
{
	(void)ctx;
	current_task()->fault = (struct mm_signal){ 0 };
	for (unsigned long i = 0; i < 3; i++)
		EXPECT_EQ(test_user_get(PLACE + i * PAGE_SIZE), i);
	EXPECT_EQ(anon_of(&parent), 4);
	verify();
}

TEST(fork, fails_without_a_trace)
{
	ASSERT(make_parent(3));
	/* A table of which only a part is copied. */
	ASSERT(test_map(PLACE + TABLE, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED) == PLACE + TABLE);
	ASSERT(test_map(PLACE + TABLE + 4 * PAGE_SIZE, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED));
	test_user_put(PLACE + TABLE, 1);
	set_flags(PLACE + TABLE + 4 * PAGE_SIZE, VM_DONTCOPY);
	EXPECT(fault_each_among(FAIL_NTH_ALL, fork_and_write, look, NULL) >= 8);
	child.task.mm = NULL;
	end();
}
