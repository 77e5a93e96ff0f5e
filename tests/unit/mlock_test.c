// SPDX-License-Identifier: MIT
/* mlock and its kin; mincore, msync, process_vm_readv, membarrier, pkeys. Errors are those Linux gives. */
#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>

#include "harness.h"
#include "mm/cache/shmem.h"
#include "mm/phys/vmstat.h"
#include "mm/phys/zone.h"
#include "mm/vm/gup.h"
#include "mm/vm/pkeys.h"
#include "mm/vm/rmap.h"
#include "mm/vm/vm.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)

static struct test_process p, q;

static long mlocked(void)
{
	unsigned long sum = 0;

	for_each_populated_zone(zone)
		sum += zone_page_state_snapshot(zone, NR_MLOCK);
	return (long)sum;
}

static uintptr_t with_hole(void)
{
	uintptr_t at = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);

	EXPECT_EQ(ksys_munmap(at + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	return at;
}

TEST(mlock, arguments)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 8 * PAGE_SIZE;
	m = with_hole();
	EXPECT_EQ(ksys_mlock(m, 8 * PAGE_SIZE, 0), -ENOMEM);
	EXPECT_EQ(p.task.mm->locked_vm, 3);
	EXPECT_EQ(ksys_munlock(m, 8 * PAGE_SIZE), -ENOMEM);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	EXPECT_EQ(ksys_munlock(m + 3 * PAGE_SIZE, PAGE_SIZE), -ENOMEM);
	EXPECT_EQ(ksys_mlock(m, 0, 0), 0);
	EXPECT_EQ(ksys_mlock(m + 3 * PAGE_SIZE, 0, 0), 0);
	EXPECT_EQ(ksys_mlock(m + 10, 10, 0), 0);
	EXPECT_EQ(p.task.mm->locked_vm, 1);
	EXPECT_EQ(ksys_mlock(m, -PAGE_SIZE, 0), -ENOMEM);
	EXPECT_EQ(ksys_munlock(m, -PAGE_SIZE), -EINVAL);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 2), -EINVAL);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, MLOCK_ONFAULT), 0);
	EXPECT_EQ(ksys_mlockall(0), -EINVAL);
	EXPECT_EQ(ksys_mlockall(MCL_ONFAULT), -EINVAL);
	EXPECT_EQ(ksys_mlockall(8), -EINVAL);
	EXPECT_EQ(ksys_munlockall(), 0);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	/* Memory that nobody can use is locked, but not there. */
	EXPECT_EQ(ksys_mprotect(m, PAGE_SIZE, PROT_NONE), 0);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 0), -ENOMEM);
	EXPECT_EQ(p.task.mm->locked_vm, 1);
	expect_verified();
	test_process_exit(&p);
}

TEST(mlock, limits)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 0;
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 0), -EPERM);
	EXPECT_EQ(ksys_mlockall(MCL_CURRENT), -EPERM);
	EXPECT_EQ(ksys_munlock(m, PAGE_SIZE), 0);
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 4 * PAGE_SIZE + 100;
	EXPECT_EQ(ksys_mlock(m, 5 * PAGE_SIZE, 0), -ENOMEM);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	EXPECT_EQ(ksys_mlock(m, 4 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_mlock(m + PAGE_SIZE, 3 * PAGE_SIZE, 0), 0); /* what is locked already counts once */
	EXPECT_EQ(ksys_mlock(m + PAGE_SIZE, 4 * PAGE_SIZE, 0), -ENOMEM);
	EXPECT_EQ(ksys_mlockall(MCL_CURRENT), -ENOMEM);
	p.process.capabilities = (u64)1 << CAP_IPC_LOCK;
	EXPECT_EQ(ksys_mlock(m, 8 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_mlockall(MCL_CURRENT), 0);
	EXPECT_EQ(p.task.mm->locked_vm, p.task.mm->total_vm);
	expect_verified();
	test_process_exit(&p);
	EXPECT_EQ(mlocked(), 0);
}

/* MO-I1, MO-I2, MO-I3: locked pages are there, counted, and counted no more when they go in whatever way. */
TEST(mlock, pages)
{
	uintptr_t m, n;

	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 100 * PAGE_SIZE;
	m = test_map(0, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	test_user_put(m, 1);
	EXPECT_EQ(ksys_mlock(m, 4 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(mlocked(), 4);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 4);
	EXPECT_EQ(p.task.mm->locked_vm, 4);
	EXPECT_EQ(ksys_munlock(m, PAGE_SIZE), 0);
	EXPECT_EQ(mlocked(), 3);
	EXPECT_EQ(ksys_munmap(m + PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(mlocked(), 2);
	EXPECT_EQ(ksys_madvise(m + 2 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED_LOCKED), 0);
	EXPECT_EQ(mlocked(), 1);
	test_user_put(m + 2 * PAGE_SIZE, 5);
	EXPECT_EQ(mlocked(), 2);
	/* As they come. */
	EXPECT_EQ(ksys_mlock(m + 4 * PAGE_SIZE, 4 * PAGE_SIZE, MLOCK_ONFAULT), 0);
	EXPECT_EQ(mlocked(), 2);
	test_user_put(m + 5 * PAGE_SIZE, 5);
	EXPECT_EQ(mlocked(), 3);
	/* A child has nothing locked, and what it makes the parent copy is not lost track of. */
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(q.task.mm->locked_vm, 0);
	test_user_put(m + 2 * PAGE_SIZE, 6);
	expect_verified();
	n = (uintptr_t)ksys_mmap(0, 3 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, NULL, 0);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 7);
	EXPECT_EQ(ksys_munmap(n, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(ksys_mlockall(MCL_FUTURE), 0);
	n = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT_EQ(p.task.mm->locked_vm, 8);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 6);
	EXPECT_EQ(ksys_munlockall(), 0);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	n = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	test_process_exit(&p);
	test_switch(&q.task);
	test_process_exit(&q);
	EXPECT_EQ(mlocked(), 0);
	expect_verified();
}

TEST(mlock, file)
{
	int err = 0;
	struct file *file = memfd_setup("x", 0, &err);
	uintptr_t m;

	ASSERT(file && !shmem_truncate(file->f_inode, 2 * PAGE_SIZE));
	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 100 * PAGE_SIZE;
	m = test_map_file(0, 4 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT_EQ(ksys_mlock(m, 4 * PAGE_SIZE, 0), -ENOMEM); /* beyond the end */
	EXPECT_EQ(p.task.mm->locked_vm, 4);
	EXPECT_EQ(mlocked(), 2);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	EXPECT_EQ(mlocked(), 1);
	test_process_exit(&p);
	EXPECT_EQ(mlocked(), 0);
	fput(file);
	expect_verified();
}

/* ---- mincore, msync ---- */

TEST(mincore, answers)
{
	uintptr_t m, vec;
	u8 got[8];

	ASSERT(test_process_start(&p));
	vec = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	m = with_hole();
	test_user_put(m, 1);
	test_user_put(vec, ~0ul);
	EXPECT_EQ(ksys_mincore(m, 3 * PAGE_SIZE, vec), 0);
	EXPECT_EQ(test_user_read(vec, got, 4), 4);
	EXPECT(got[0] == 1 && !got[1] && !got[2] && got[3] == 0xff);
	EXPECT_EQ(ksys_mincore(m, 8 * PAGE_SIZE, vec), -ENOMEM);
	EXPECT_EQ(ksys_mincore(m + 1, PAGE_SIZE, vec), -EINVAL);
	EXPECT_EQ(ksys_mincore(m, PAGE_SIZE, 8), -EFAULT);
	EXPECT_EQ(ksys_mincore(m, 0, 8), 0);
	EXPECT_EQ(ksys_mincore(~(uintptr_t)0 & PAGE_MASK, PAGE_SIZE, vec), -ENOMEM);
	EXPECT_EQ(ksys_mincore(m, 1, ~(uintptr_t)0), -EFAULT);
	EXPECT_EQ(ksys_mincore(m, ~(size_t)0, vec), -ENOMEM);
	test_process_exit(&p);
}

/* Pages of a file count when the cache has them; of other people's files nothing is told. */
TEST(mincore, file)
{
	int err = 0;
	struct file *file = memfd_setup("x", 0, &err);
	uintptr_t m, vec;
	u8 got[8];

	ASSERT(file && !shmem_truncate(file->f_inode, 4 * PAGE_SIZE));
	ASSERT(test_process_start(&p));
	vec = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	m = test_map_file(0, 4 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	test_user_put(m + PAGE_SIZE, 1);
	EXPECT_EQ(ksys_madvise(m, 4 * PAGE_SIZE, MADV_DONTNEED), 0);
	file->f_inode->i_uid = p.process.uid;
	EXPECT_EQ(ksys_mincore(m, 4 * PAGE_SIZE, vec), 0);
	EXPECT_EQ(test_user_read(vec, got, 4), 4);
	EXPECT(!got[0] && got[1] == 1 && !got[2] && !got[3]);
	file->f_inode->i_uid = p.process.uid + 1;
	file->f_inode->i_gid = p.process.gid + 1;
	file->f_inode->i_mode = S_IFREG | 0644;
	EXPECT_EQ(ksys_mincore(m, 4 * PAGE_SIZE, vec), 0);
	EXPECT_EQ(test_user_read(vec, got, 4), 4);
	EXPECT(got[0] == 1 && got[1] == 1 && got[2] == 1 && got[3] == 1);
	test_process_exit(&p);
	fput(file);
}

TEST(msync, answers)
{
	uintptr_t m;

	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 100 * PAGE_SIZE;
	m = with_hole();
	EXPECT_EQ(ksys_msync(m, PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_msync(m, 8 * PAGE_SIZE, MS_SYNC), -ENOMEM);
	EXPECT_EQ(ksys_msync(m, PAGE_SIZE, MS_SYNC | MS_ASYNC), -EINVAL);
	EXPECT_EQ(ksys_msync(m + 1, PAGE_SIZE, MS_SYNC), -EINVAL);
	EXPECT_EQ(ksys_msync(m + 3 * PAGE_SIZE, PAGE_SIZE, MS_SYNC), -ENOMEM);
	EXPECT_EQ(ksys_msync(m, 0, MS_SYNC), 0);
	EXPECT_EQ(ksys_msync(m, ~(size_t)0, MS_SYNC), 0);
	EXPECT_EQ(ksys_msync(m, -PAGE_SIZE, MS_SYNC), -ENOMEM);
	EXPECT_EQ(ksys_msync(m + 3 * PAGE_SIZE, 0, MS_SYNC), 0);
	EXPECT_EQ(ksys_msync(m, PAGE_SIZE, 8), -EINVAL);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 0), 0);
	EXPECT_EQ(ksys_msync(m, PAGE_SIZE, MS_INVALIDATE), -EBUSY);
	EXPECT_EQ(ksys_msync(m, 8 * PAGE_SIZE, MS_INVALIDATE), -EBUSY);
	test_process_exit(&p);
}

/* ---- The others ---- */

TEST(process_vm, copies)
{
	uintptr_t theirs, ours, hole;
	char text[16];

	ASSERT(test_process_start(&p));
	theirs = test_map(0, 20 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(test_user_fill(theirs, 20 * PAGE_SIZE, 7));
	EXPECT_EQ(test_user_write(theirs + PAGE_SIZE - 2, "abcd", 4), 4);
	hole = theirs + 19 * PAGE_SIZE;
	EXPECT_EQ(ksys_munmap(hole, PAGE_SIZE), 0);
	ASSERT(test_process_start(&q));
	ours = test_map(0, 32 * PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT_EQ(ksys_munmap(ours + 31 * PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs + PAGE_SIZE - 2, ours + 5, 4, false), 4);
	EXPECT_EQ(test_user_read(ours + 5, text, 4), 4);
	EXPECT(!memcmp(text, "abcd", 4));
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs + 100, ours + 3, 20 * PAGE_SIZE, false),
		  19 * PAGE_SIZE - 100);
	EXPECT(test_user_all(ours + 3 + 2 * PAGE_SIZE, 16 * PAGE_SIZE, 7));
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, hole, ours, 10, false), -EFAULT);
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs, 8, 10, false), -EFAULT);
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs, ours + 30 * PAGE_SIZE, 2 * PAGE_SIZE, false), PAGE_SIZE);
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs, ours, 0, false), 0);
	EXPECT_EQ(test_user_write(ours, "written", 7), 7);
	EXPECT_EQ(ksys_process_vm_rw(p.task.mm, theirs + PAGE_SIZE - 3, ours, 7, true), 7);
	test_process_exit(&q);
	test_switch(&p.task);
	EXPECT_EQ(test_user_read(theirs + PAGE_SIZE - 3, text, 7), 7);
	EXPECT(!memcmp(text, "written", 7));
	expect_verified();
	test_process_exit(&p);
}

TEST(membarrier, answers)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(ksys_membarrier(0, 0, 0), 0x27f);
	EXPECT_EQ(ksys_membarrier(0, 1, 0), -EINVAL);
	EXPECT_EQ(ksys_membarrier(8, 0, 0), -EPERM);
	EXPECT_EQ(ksys_membarrier(16, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(8, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(32, 0, 0), -EPERM);
	EXPECT_EQ(ksys_membarrier(3, 0, 0), -EINVAL);
	EXPECT_EQ(ksys_membarrier(512, 0, 0), 16);
	EXPECT_EQ(ksys_membarrier(2, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(1, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(4, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(64, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(32, 0, 0), 0);
	EXPECT_EQ(ksys_membarrier(512, 0, 0), 84);
	EXPECT_EQ(ksys_membarrier(16, 1, 0), -EINVAL);
	test_process_exit(&p);
}

/* A page that moves stays mlocked, wherever a locked VMA maps it. */
TEST(mlock, pages_that_move)
{
	struct page *from, *to;
	uintptr_t m;

	ASSERT(test_process_start(&p));
	m = test_map(0, 2 * PAGE_SIZE, RW, MAP_PRIVATE);
	test_user_put(m, 5);
	test_user_put(m + PAGE_SIZE, 6);
	EXPECT_EQ(ksys_mlock(m, PAGE_SIZE, 0), 0);
	EXPECT_EQ(mlocked(), 1);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT(get_user_pages_fast(m + i * PAGE_SIZE, 1, 0, &from) == 1);
		to = alloc_page(GFP_HIGHUSER_MOVABLE);
		ASSERT(to);
		lock_page(from);
		EXPECT(try_to_migrate(page_folio(from), 0));
		copy_highpage(to, from);
		to->mapping_index = from->mapping_index;
		__SetPageSwapBacked(to);
		__SetPageUptodate(to);
		remove_migration_ptes(page_folio(from), page_folio(to));
		unlock_page(from);
		put_page(from);
		EXPECT_EQ(PageMlocked(to), !i);
		put_page(to);
		EXPECT_EQ(mlocked(), 1);
	}
	EXPECT_EQ(test_user_get(m), 5);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 6);
	expect_verified();
	test_process_exit(&p);
	EXPECT_EQ(mlocked(), 0);
}

TEST(pkeys, numbers_and_rights)
{
	pgprot_t prot = octavo_pgprot(PAGE_SHARED.bits | 1u << PGPROT_PKEY_SHIFT);
	bool keys = pgt_prot(0, pgt_fit(pgt_make_leaf(0, 0, prot))).bits & PGPROT_PKEY_MASK;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(ksys_pkey_alloc(1, 0), -EINVAL);
	EXPECT_EQ(ksys_pkey_alloc(0, 4), -EINVAL);
	EXPECT_EQ(ksys_pkey_free(-1), -EINVAL);
	EXPECT_EQ(ksys_pkey_free(3), -EINVAL);
	EXPECT_EQ(ksys_pkey_free(PKEYS), -EINVAL);
	if (keys) {
		for (int key = 1; key < PKEYS; key++)
			EXPECT_EQ(ksys_pkey_alloc(0, key & 3), key);
		EXPECT_EQ(p.task.pkru >> 2 * 5 & 3, 1);
		EXPECT_EQ(p.task.pkru >> 2 * 6 & 3, 2);
		EXPECT_EQ(ksys_pkey_alloc(0, 0), -ENOSPC);
		EXPECT_EQ(ksys_pkey_free(5), 0);
		EXPECT_EQ(ksys_pkey_free(5), -EINVAL);
		EXPECT_EQ(ksys_pkey_alloc(0, 3), 5);
		EXPECT_EQ(p.task.pkru >> 2 * 5 & 3, 3);
		EXPECT_EQ(ksys_pkey_free(0), 0);
		EXPECT_EQ(ksys_pkey_free(0), -EINVAL);
	} else {
		EXPECT_EQ(ksys_pkey_alloc(0, 0), -EINVAL);
		EXPECT_EQ(ksys_pkey_free(0), -EINVAL);
	}
	test_process_exit(&p);
}
