// SPDX-License-Identifier: MIT
/* madvise, process_madvise, names of VMAs: effects and errors, the errors as Linux gives them to the same calls. */
#include <octavo/fault.h>
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>

#include "fault.h"
#include "harness.h"
#include "mm/cache/shmem.h"
#include "mm/vm/rmap.h"
#include "mm/vm/vm.h"
#include "mm/phys/vmstat.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static struct test_process p, q;

/* Eight pages, the fourth of which is a hole. */
static uintptr_t with_hole(void)
{
	uintptr_t at = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);

	EXPECT_EQ(ksys_munmap(at + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	return at;
}

static struct file *make(unsigned int pages)
{
	int err = 0;
	struct file *file = memfd_setup("x", MFD_ALLOW_SEALING, &err);

	if (!file || shmem_truncate(file->f_inode, pages * PAGE_SIZE))
		test_fail(__FILE__, __LINE__, "no file: %d", err);
	return file;
}

static vm_flags_t flags_at(uintptr_t addr)
{
	const struct vm_area_struct *vma = vma_lookup(p.task.mm, addr);

	return vma ? vma->vm_flags : 0;
}

TEST(madvise, arguments)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = with_hole();
	EXPECT_EQ(ksys_madvise(m + 1, PAGE_SIZE, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, 0, 999), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, 0, MADV_NORMAL), 0);
	EXPECT_EQ(ksys_madvise(m + 1, 0, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, ~(size_t)0, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, -PAGE_SIZE, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, MADV_NORMAL), -ENOMEM);
	EXPECT_EQ(ksys_madvise(m + 3 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), -ENOMEM);
	EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, MADV_WILLNEED), -ENOMEM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_REMOVE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_HWPOISON), -EPERM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_SOFT_OFFLINE), -EPERM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_MERGEABLE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_COLLAPSE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_KEEPONFORK), 0);
	for (int advice = MADV_FREE; advice <= MADV_PAGEOUT; advice += MADV_COLD - MADV_FREE + (advice > MADV_FREE))
		EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, advice), -ENOMEM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, 7), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, -1), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, 26), -EINVAL);
	expect_verified();
	test_process_exit(&p);
}

/* Holes: the rest is done all the same. */
TEST(madvise, dontneed)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = with_hole();
	for (unsigned int i = 0; i < 8; i++)
		if (i != 3)
			test_user_put(m + i * PAGE_SIZE, 0x100 + i);
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE + 1, MADV_DONTNEED), 0);
	EXPECT_EQ(test_user_get(m), 0x100);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(m + 2 * PAGE_SIZE), 0);
	EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, MADV_DONTNEED), -ENOMEM);
	for (unsigned int i = 0; i < 8; i++)
		if (i != 3)
			EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 0);
	expect_verified();
	test_process_exit(&p);
}

/* MO-I4: of a lazily freed page a write is kept, and nothing is lost while memory is not short. */
TEST(madvise, free)
{
	uintptr_t m;
	struct page *page;
	u64 lazy;

	ASSERT(test_process_start(&p));
	m = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 4 * PAGE_SIZE, 7));
	lazy = vm_event_sum(PGLAZYFREE);
	EXPECT_EQ(ksys_madvise(m, 2 * PAGE_SIZE, MADV_FREE), 0);
	EXPECT_EQ(ksys_madvise(m, 2 * PAGE_SIZE, MADV_FREE), 0); /* each page once */
	EXPECT_EQ(vm_event_sum(PGLAZYFREE) - lazy, 2);
	EXPECT(test_user_all(m, 4 * PAGE_SIZE, 7));
	EXPECT_EQ(get_user_pages_fast(m, 1, 0, &page), 1);
	EXPECT(!PageSwapBacked(page) && !PageDirty(page) && page_test_flag(page, PG_uptodate));
	put_page(page);
	test_user_put(m, 1);
	EXPECT_EQ(test_user_get(m), 1);
	EXPECT_EQ(get_user_pages_fast(m + 2 * PAGE_SIZE, 1, 0, &page), 1);
	EXPECT(PageSwapBacked(page));
	put_page(page);
	/* What a child shares is not ours to give up. */
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(ksys_madvise(m + 2 * PAGE_SIZE, PAGE_SIZE, MADV_FREE), 0);
	EXPECT_EQ(get_user_pages_fast(m + 2 * PAGE_SIZE, 1, 0, &page), 1);
	EXPECT(PageSwapBacked(page));
	put_page(page);
	expect_verified();
	test_process_exit(&p);
	test_switch(&q.task);
	EXPECT_EQ(test_user_get(m), 1);
	EXPECT(test_user_all(m + PAGE_SIZE, 3 * PAGE_SIZE, 7));
	test_process_exit(&q);
	expect_verified();
}

/* Pageout forgets what MADV_FREE gave up and nobody wrote to since; the rest would need swap. */
TEST(madvise, pageout_of_what_was_given_up)
{
	struct page *page;
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 64 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 64 * PAGE_SIZE, 7));
	EXPECT_EQ(ksys_madvise(m, 48 * PAGE_SIZE, MADV_FREE), 0);
	test_user_put(m + PAGE_SIZE, 9);
	EXPECT_EQ(get_user_pages_fast(m + 3 * PAGE_SIZE, 1, 0, &page), 1);
	EXPECT_EQ(ksys_madvise(m, 64 * PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 9);
	EXPECT(test_user_all(m + 3 * PAGE_SIZE, PAGE_SIZE, 7));
	EXPECT(test_user_all(m + 48 * PAGE_SIZE, 16 * PAGE_SIZE, 7));
	for (unsigned int i = 4; i < 48; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 0);
	put_page(page);
	expect_verified();
	test_process_exit(&p);
	expect_verified();
}

TEST(madvise, pageout_of_droppable)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = (uintptr_t)ksys_mmap(0, 8 * PAGE_SIZE, RW, MAP_DROPPABLE | MAP_ANONYMOUS, NULL, 0);
	EXPECT(test_user_fill(m, 8 * PAGE_SIZE, 7));
	EXPECT_EQ(ksys_madvise(m, 4 * PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT(test_user_all(m, 4 * PAGE_SIZE, 0));
	EXPECT(test_user_all(m + 4 * PAGE_SIZE, 4 * PAGE_SIZE, 7));
	expect_verified();
	test_process_exit(&p);
}

/* What reclaim would do. Return: whether the page is mapped no more. */
static bool taken_out(uintptr_t addr)
{
	struct page *page;
	bool gone;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return false;
	folio_lock(page_folio(page));
	gone = try_to_unmap(page_folio(page), 0, NULL);
	folio_unlock(page_folio(page));
	put_page(page);
	return gone;
}

/* The processor writes by a translation that it has, dirty already: it must look at the entry again. */
TEST(madvise, of_freed_pages_those_written_to_since_stay)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 2 * PAGE_SIZE, 7));
	EXPECT(!taken_out(m));
	EXPECT_EQ(ksys_madvise(m, 2 * PAGE_SIZE, MADV_FREE), 0);
	test_user_put(m, 1);
	EXPECT(!taken_out(m));
	EXPECT(taken_out(m + PAGE_SIZE));
	EXPECT_EQ(test_user_get(m), 1);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 0);
	expect_verified();
	test_process_exit(&p);
}

TEST(madvise, files)
{
	struct file *file = make(2);
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map_file(0, 4 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	test_user_put(m, 5);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_FREE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_WIPEONFORK), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT_EQ(test_user_get(m), 5);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_COLD), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_WILLNEED), 0);
	EXPECT_EQ(test_user_get(m), 5);
	EXPECT_EQ(ksys_madvise(m, 2 * PAGE_SIZE, MADV_REMOVE), 0);
	EXPECT_EQ(test_user_get(m), 0);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTNEED_LOCKED), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_REMOVE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_COLD), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_PAGEOUT), -EINVAL);
	EXPECT_EQ(ksys_munlock(m, PAGE_SIZE), 0);
	/* A reader that could become a writer may take pages away, a private mapping may not. */
	m = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_REMOVE), 0);
	m = test_map_file(0, PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_REMOVE), -EACCES);
	expect_verified();
	test_process_exit(&p);
	fput(file);
}

TEST(madvise, populate)
{
	struct file *file = make(2);
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = with_hole();
	EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, MADV_POPULATE_WRITE), -ENOMEM);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 3);
	m = test_map(0, 4 * PAGE_SIZE, PROT_READ, MAP_PRIVATE);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_POPULATE_WRITE), -EINVAL);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_POPULATE_READ), 0);
	EXPECT_EQ(ksys_mprotect(m, PAGE_SIZE, PROT_NONE), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_POPULATE_READ), -EINVAL);
	m = test_map_file(0, 4 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT_EQ(ksys_madvise(m, 4 * PAGE_SIZE, MADV_POPULATE_READ), -EFAULT);
	EXPECT_EQ(ksys_madvise(m, 4 * PAGE_SIZE, MADV_POPULATE_WRITE), -EFAULT);
	EXPECT_EQ(ksys_madvise(m, 2 * PAGE_SIZE, MADV_POPULATE_WRITE), 0);
	EXPECT_EQ(p.task.mm->rss[MM_SHMEMPAGES], 2);
	expect_verified();
	test_process_exit(&p);
	fput(file);
}

/* Advice that is a flag splits, and merges again. */
TEST(madvise, flags)
{
	static const struct {
		int set, clear;
		vm_flags_t flag;
	} pairs[] = {
		{ MADV_SEQUENTIAL, MADV_NORMAL, VM_SEQ_READ },	  { MADV_RANDOM, MADV_NORMAL, VM_RAND_READ },
		{ MADV_DONTFORK, MADV_DOFORK, VM_DONTCOPY },	  { MADV_WIPEONFORK, MADV_KEEPONFORK, VM_WIPEONFORK },
		{ MADV_DONTDUMP, MADV_DODUMP, VM_DONTDUMP },	  { MADV_HUGEPAGE, MADV_NOHUGEPAGE, VM_HUGEPAGE },
	};
	unsigned int before;
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	for (unsigned int i = 0; i < ARRAY_SIZE(pairs); i++) {
		before = p.task.mm->map_count;
		EXPECT_EQ(ksys_madvise(m + 2 * PAGE_SIZE, 2 * PAGE_SIZE, pairs[i].set), 0);
		EXPECT(flags_at(m + 2 * PAGE_SIZE) & pairs[i].flag);
		EXPECT(!(flags_at(m + 4 * PAGE_SIZE) & pairs[i].flag));
		EXPECT_EQ(p.task.mm->map_count, before + 2);
		EXPECT_EQ(ksys_madvise(m, 8 * PAGE_SIZE, pairs[i].clear), 0);
		EXPECT(!(flags_at(m + 2 * PAGE_SIZE) & pairs[i].flag));
		EXPECT_EQ(p.task.mm->map_count, before);
	}
	EXPECT(flags_at(m) & VM_NOHUGEPAGE);
	expect_verified();
	test_process_exit(&p);
}

TEST(madvise, fork)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 4 * PAGE_SIZE, 7));
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTFORK), 0);
	EXPECT_EQ(ksys_madvise(m + 2 * PAGE_SIZE, PAGE_SIZE, MADV_WIPEONFORK), 0);
	ASSERT(test_process_fork(&q, &p));
	test_switch(&q.task);
	EXPECT_REFUSED(m, false, 11, 1);
	EXPECT(test_user_all(m + PAGE_SIZE, PAGE_SIZE, 7));
	EXPECT(test_user_all(m + 2 * PAGE_SIZE, PAGE_SIZE, 0));
	EXPECT(test_user_all(m + 3 * PAGE_SIZE, PAGE_SIZE, 7));
	expect_verified();
	test_process_exit(&q);
	test_switch(&p.task);
	EXPECT(test_user_all(m, 4 * PAGE_SIZE, 7));
	test_process_exit(&p);
}

TEST(madvise, sealed)
{
	uintptr_t m;

	if (sizeof(long) < 8)
		SKIP("mseal() is for 64 bits");
	ASSERT(test_process_start(&p));
	m = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 2 * PAGE_SIZE, 7));
	EXPECT_EQ(ksys_mprotect(m, PAGE_SIZE, PROT_READ), 0);
	EXPECT_EQ(ksys_mseal(m, 2 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTNEED), -EPERM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_FREE), -EPERM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_DONTFORK), -EPERM);
	EXPECT_EQ(ksys_madvise(m, PAGE_SIZE, MADV_NORMAL), 0);
	EXPECT(test_user_all(m, PAGE_SIZE, 7));
	EXPECT_EQ(ksys_madvise(m + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), 0);
	test_process_exit(&p);
}

TEST(madvise, of_another_process)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(m, 2 * PAGE_SIZE, 7));
	ASSERT(test_process_start(&q));
	EXPECT_EQ(ksys_process_madvise(p.task.mm, m, PAGE_SIZE, MADV_COLD), -EPERM);
	q.process.capabilities = (u64)1 << CAP_SYS_NICE;
	EXPECT_EQ(ksys_process_madvise(p.task.mm, m, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	EXPECT_EQ(ksys_process_madvise(p.task.mm, m, PAGE_SIZE, MADV_COLD), 0);
	EXPECT_EQ(ksys_process_madvise(p.task.mm, m, PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT_EQ(ksys_process_madvise(p.task.mm, m, PAGE_SIZE, MADV_WILLNEED), 0);
	test_process_exit(&q);
	test_switch(&p.task);
	EXPECT(test_user_all(m, 2 * PAGE_SIZE, 7));
	test_process_exit(&p);
}

TEST(madvise, names)
{
	struct file *file = make(1);
	char long_name[81];
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = with_hole();
	memset(long_name, 'a', 80);
	long_name[80] = '\0';
	EXPECT_EQ(ksys_set_vma_name(m + 1, PAGE_SIZE, "x"), -EINVAL);
	EXPECT_EQ(ksys_set_vma_name(m, PAGE_SIZE, long_name), -EINVAL);
	EXPECT_EQ(ksys_set_vma_name(m, PAGE_SIZE, "a[b"), -EINVAL);
	EXPECT_EQ(ksys_set_vma_name(m, 0, "x"), 0);
	EXPECT_EQ(ksys_set_vma_name(m, PAGE_SIZE, "heap"), 0);
	EXPECT_STREQ(vma_lookup(p.task.mm, m)->anon_name->name, "heap");
	EXPECT(!vma_lookup(p.task.mm, m + PAGE_SIZE)->anon_name);
	EXPECT_EQ(ksys_set_vma_name(m, 8 * PAGE_SIZE, "all"), -ENOMEM);
	EXPECT_STREQ(vma_lookup(p.task.mm, m + 7 * PAGE_SIZE)->anon_name->name, "all");
	EXPECT_EQ(ksys_set_vma_name(m, PAGE_SIZE, NULL), 0);
	EXPECT(!vma_lookup(p.task.mm, m)->anon_name);
	m = test_map_file(0, PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	EXPECT_EQ(ksys_set_vma_name(m, PAGE_SIZE, "x"), 0); /* shmem without a directory counts as anonymous */
	expect_verified();
	test_process_exit(&p);
	fput(file);
}

/* ---- Without memory ---- */

static uintptr_t where;

static bool split(void *ctx)
{
	long ret = ksys_madvise(where + PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK);

	(void)ctx;
	if (ret)
		EXPECT_EQ(ret, -EAGAIN);
	(void)ksys_madvise(where, 4 * PAGE_SIZE, MADV_DOFORK);
	return !ret;
}

static void check(void *ctx)
{
	(void)ctx;
	expect_verified();
}

TEST(madvise, without_memory)
{
	ASSERT(test_process_start(&p));
	where = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(fault_each_among(FAIL_NTH_ALL, split, check, NULL) > 0);
	test_process_exit(&p);
}

/* What a dying process had goes at once, and nothing reads as zeros that was not; what it shared stays. */
TEST(madvise, mrelease)
{
	uintptr_t m, s;

	ASSERT(test_process_start(&p));
	m = test_map(0, 4 * PAGE_SIZE, RW, MAP_PRIVATE);
	s = test_map(0, 4 * PAGE_SIZE, RW, MAP_SHARED);
	EXPECT(test_user_fill(m, 4 * PAGE_SIZE, 7));
	EXPECT(test_user_fill(s, 4 * PAGE_SIZE, 8));
	EXPECT_EQ(ksys_process_mrelease(p.task.mm), 0);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 0);
	EXPECT_REFUSED(m, false, 11, 2);
	EXPECT(test_user_all(s, 4 * PAGE_SIZE, 8));
	EXPECT_EQ(ksys_process_mrelease(p.task.mm), 0);
	expect_verified();
	test_process_exit(&p);
	expect_verified();
}
