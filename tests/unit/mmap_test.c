// SPDX-License-Identifier: MIT
/* mmap, munmap and mprotect: what is mapped afterwards, what is refused and with which error. */
#include "mapshape.h"
#include "mm/vm/account.h"
#include "mm/vm/vma.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define FIXED (ANON | MAP_FIXED)

static struct test_process p;

static long map(unsigned int page, unsigned int pages, unsigned long prot, unsigned long flags)
{
	return ksys_mmap(AT(page), LEN(pages), prot, flags, NULL, 0);
}

#define EXPECT_SHAPE(want) EXPECT_STREQ(map_shape(0, 64), want)

static void over(void)
{
	EXPECT_EQ(verify_all(), 0);
	test_process_exit(&p);
}

/* VA-I1, VA-I2: neighbours that are alike are one. */
TEST(mmap, neighbours_are_one)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(4, 2, RW, FIXED), AT(4));
	EXPECT_EQ(map(6, 2, RW, FIXED), AT(6));
	EXPECT_SHAPE("4-8 rw-p");
	EXPECT_EQ(map(1, 3, RW, FIXED), AT(1));
	EXPECT_SHAPE("1-8 rw-p");
	EXPECT_EQ(map(10, 2, RW, FIXED), AT(10));
	EXPECT_EQ(map(8, 2, RW, FIXED), AT(8));
	EXPECT_SHAPE("1-12 rw-p");
	EXPECT_EQ(map(3, 2, PROT_READ, FIXED), AT(3));
	EXPECT_SHAPE("1-3 rw-p, 3-5 r--p, 5-12 rw-p");
	EXPECT_EQ(map(3, 2, RW, FIXED), AT(3));
	EXPECT_SHAPE("1-12 rw-p");
	EXPECT_EQ(map(20, 1, RW, FIXED | MAP_NORESERVE), AT(20));
	EXPECT_EQ(map(21, 1, RW, FIXED), AT(21));
	EXPECT_SHAPE("1-12 rw-p, 20-21 rw-p, 21-22 rw-p");
	EXPECT_EQ(current_task()->mm->map_count, map_count());
	over();
}

TEST(mmap, munmap_cuts)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 10, RW, FIXED), AT(0));
	EXPECT_EQ(ksys_munmap(AT(0), LEN(1)), 0);
	EXPECT_EQ(ksys_munmap(AT(9), LEN(3)), 0);
	EXPECT_SHAPE("1-9 rw-p");
	EXPECT_EQ(ksys_munmap(AT(4), LEN(2)), 0);
	EXPECT_SHAPE("1-4 rw-p, 6-9 rw-p");
	EXPECT_EQ(ksys_munmap(AT(4), LEN(2)), 0);
	EXPECT_EQ(map(12, 2, PROT_READ, FIXED), AT(12));
	EXPECT_EQ(verify_all(), 0);
	EXPECT_EQ(ksys_munmap(AT(3), LEN(10)), 0);
	EXPECT_SHAPE("1-3 rw-p, 13-14 r--p");
	EXPECT_EQ(ksys_munmap(AT(0), LEN(64)), 0);
	EXPECT_SHAPE("");
	EXPECT_EQ(current_task()->mm->total_vm, 0);
	EXPECT_EQ(ksys_munmap(AT(0) + 1, LEN(1)), -EINVAL);
	EXPECT_EQ(ksys_munmap(AT(0), 0), -EINVAL);
	EXPECT_EQ(ksys_munmap(AT(0), (size_t)-1), -EINVAL);
	EXPECT_EQ(ksys_munmap(current_task()->mm->task_size, LEN(1)), -EINVAL);
	over();
}

TEST(mmap, bad_arguments)
{
	struct test_file f;

	ASSERT(test_process_start(&p));
	test_file_init(&f, FMODE_READ);
	EXPECT_EQ(ksys_mmap(0, 0, RW, ANON, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, ANON, NULL, 1), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, (size_t)-1, RW, ANON, NULL, 0), -ENOMEM);
	EXPECT_EQ(ksys_mmap(AT(0) + 1, LEN(1), RW, FIXED, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(p.task.mm->task_size, LEN(1), RW, FIXED, NULL, 0), -ENOMEM);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, FIXED, NULL, 0), -EPERM);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_PRIVATE | MAP_GROWSDOWN, &f.file, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_PRIVATE | MAP_HUGETLB, &f.file, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, ANON | MAP_HUGETLB, NULL, 0), -ENOMEM);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, ANON | MAP_HUGETLB | 20ul << 26, NULL, 0), -EINVAL);
	EXPECT_EQ(ksys_mmap(0, LEN(1), RW, MAP_SHARED, &f.file, 0), -EACCES);
	EXPECT_EQ(ksys_mmap(0, LEN(1), PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, &f.file, 0), -EOPNOTSUPP);
	EXPECT_EQ(ksys_mmap(AT(9), LEN(1), PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, &f.file, 0),
		  -EOPNOTSUPP);
	f.file.f_mapping = NULL; /* as pipes and /dev/null have it */
	EXPECT_EQ(ksys_mmap(0, LEN(1), PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, &f.file, 0), -EOPNOTSUPP);
	EXPECT_EQ(ksys_mmap(0, LEN(2), PROT_READ, MAP_PRIVATE, &f.file, 0x7ffffffffffff000ull), -EOVERFLOW);
	f.file.f_mode = FMODE_WRITE;
	EXPECT_EQ(ksys_mmap(0, LEN(1), PROT_READ, MAP_PRIVATE, &f.file, 0), -EACCES);
	f.file.f_mode = FMODE_READ;
	f.mmap_error = -EBUSY;
	EXPECT_EQ(ksys_mmap(0, LEN(1), PROT_READ, MAP_PRIVATE, &f.file, 0), -EBUSY);
	EXPECT_EQ(f.file.f_count, 1);
	EXPECT_EQ(map(3, 1, RW, FIXED), AT(3));
	EXPECT_EQ(map(2, 2, RW, ANON | MAP_FIXED_NOREPLACE), -EEXIST);
	EXPECT_SHAPE("3-4 rw-p");
	over();
}

/* PR_SET_MDWE: what may be written to, or may not be executed, does not become executable. */
TEST(mmap, mdwe)
{
	static struct test_process child;
	unsigned long rx = PROT_READ | PROT_EXEC;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(1, 1, RW | PROT_EXEC, FIXED), AT(1));
	EXPECT_EQ(map(3, 1, rx, FIXED), AT(3));
	EXPECT_EQ(map(5, 1, RW, FIXED), AT(5));
	EXPECT_EQ(ksys_set_mdwe(4), -EINVAL);
	EXPECT_EQ(ksys_set_mdwe(MDWE_NO_INHERIT), -EINVAL);
	EXPECT_EQ(ksys_set_mdwe(0), 0);
	EXPECT_EQ(ksys_get_mdwe(), 0);
	EXPECT_EQ(ksys_mprotect(AT(5), LEN(1), rx), 0);
	EXPECT_EQ(ksys_mprotect(AT(5), LEN(1), RW), 0);
	EXPECT_EQ(ksys_set_mdwe(MDWE_REFUSE_EXEC_GAIN), 0);
	EXPECT_EQ(ksys_set_mdwe(MDWE_REFUSE_EXEC_GAIN), 0);
	EXPECT_EQ(ksys_set_mdwe(0), -EPERM);
	EXPECT_EQ(ksys_set_mdwe(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT), -EPERM);
	EXPECT_EQ(map(7, 1, RW | PROT_EXEC, FIXED), -EACCES);
	EXPECT_EQ(map(7, 1, rx, FIXED), AT(7));
	EXPECT_EQ(ksys_mprotect(AT(5), LEN(1), rx), -EACCES);
	EXPECT_EQ(ksys_mprotect(AT(7), LEN(1), RW | PROT_EXEC), -EACCES);
	EXPECT_EQ(ksys_mprotect(AT(1), LEN(1), rx), 0);
	EXPECT_EQ(ksys_mprotect(AT(3), LEN(1), PROT_READ), 0);
	EXPECT_EQ(ksys_mprotect(AT(3), LEN(1), rx), -EACCES);
	EXPECT_SHAPE("1-2 r-xp, 3-4 r--p, 5-6 rw-p, 7-8 r-xp");
	ASSERT(test_process_fork(&child, &p));
	EXPECT_EQ(mdwe_inherited(child.task.mm), 1ul << MMF_HAS_MDWE);
	test_process_exit(&child);
	test_switch(&p.task);
	over();
}

TEST(mmap, mdwe_of_this_process_only)
{
	static struct test_process child;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(ksys_set_mdwe(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT), 0);
	EXPECT_EQ(ksys_get_mdwe(), MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT);
	EXPECT_EQ(map(7, 1, RW | PROT_EXEC, FIXED), -EACCES);
	ASSERT(test_process_fork(&child, &p));
	EXPECT_EQ(load_relaxed(&child.task.mm->flags) >> MMF_HAS_MDWE & 3, 0);
	test_process_exit(&child);
	test_switch(&p.task);
	over();
}

TEST(mmap, mprotect_splits_and_merges)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 10, RW, FIXED), AT(0));
	EXPECT_EQ(ksys_mprotect(AT(4), LEN(2), PROT_READ), 0);
	EXPECT_SHAPE("0-4 rw-p, 4-6 r--p, 6-10 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(3), LEN(2), PROT_READ), 0);
	EXPECT_SHAPE("0-3 rw-p, 3-6 r--p, 6-10 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(5), LEN(2), PROT_NONE), 0);
	EXPECT_SHAPE("0-3 rw-p, 3-5 r--p, 5-7 ---p, 7-10 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(5), LEN(3), RW), 0);
	EXPECT_SHAPE("0-3 rw-p, 3-5 r--p, 5-10 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(3), LEN(2), RW), 0);
	EXPECT_SHAPE("0-10 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(0), LEN(2), PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(ksys_mprotect(AT(8), LEN(2), PROT_READ), 0);
	EXPECT_SHAPE("0-2 r-xp, 2-8 rw-p, 8-10 r--p");
	/* Of a range with a hole what comes before it is changed. */
	EXPECT_EQ(ksys_munmap(AT(5), LEN(1)), 0);
	EXPECT_EQ(ksys_mprotect(AT(4), LEN(4), PROT_READ), -ENOMEM);
	EXPECT_SHAPE("0-2 r-xp, 2-4 rw-p, 4-5 r--p, 6-8 rw-p, 8-10 r--p");
	EXPECT_EQ(ksys_mprotect(AT(0) + 1, LEN(1), RW), -EINVAL);
	EXPECT_EQ(ksys_mprotect(AT(0), (size_t)-4096, RW), -ENOMEM);
	EXPECT_EQ(ksys_mprotect(AT(0), 0, RW), 0);
	EXPECT_EQ(ksys_mprotect(AT(0), LEN(1), 0x40), -EINVAL);
	EXPECT_EQ(ksys_mprotect(AT(0), LEN(1), RW | PROT_GROWSDOWN), -EINVAL);
	EXPECT_EQ(ksys_mprotect(AT(20), LEN(1), RW), -ENOMEM);
	EXPECT_EQ(ksys_pkey_mprotect(AT(0), LEN(1), RW, 3), -EINVAL);
	over();
}

TEST(mmap, files)
{
	struct test_file f;
	struct address_space *mapping = &f.inode.i_data;

	ASSERT(test_process_start(&p));
	test_file_init(&f, FMODE_READ | FMODE_WRITE);
	EXPECT_EQ(ksys_mmap(AT(0), LEN(4), RW, MAP_SHARED | MAP_FIXED, &f.file, 0), AT(0));
	EXPECT_EQ(ksys_mmap(AT(4), LEN(4), RW, MAP_SHARED | MAP_FIXED, &f.file, LEN(4)), AT(4));
	EXPECT_SHAPE("0-8 rw-s");
	EXPECT_EQ(ksys_mmap(AT(8), LEN(4), RW, MAP_SHARED | MAP_FIXED, &f.file, LEN(9)), AT(8));
	EXPECT_SHAPE("0-8 rw-s, 8-12 rw-s");
	EXPECT_EQ(mapping->i_mmap_writable, 2);
	EXPECT_EQ(ksys_munmap(AT(2), LEN(2)), 0);
	EXPECT_EQ(mapping->i_mmap_writable, 3);
	EXPECT_EQ(f.file.f_count, 4);
	EXPECT_EQ(ksys_munmap(AT(0), LEN(20)), 0);
	EXPECT_EQ(mapping->i_mmap_writable, 0);
	EXPECT_EQ(f.file.f_count, 1);
	EXPECT(!mapping->i_mmap);
	/* Sealed against writers. */
	mapping->i_mmap_writable = ~0ul;
	EXPECT_EQ(ksys_mmap(AT(0), LEN(4), RW, MAP_SHARED | MAP_FIXED, &f.file, 0), -EPERM);
	EXPECT_EQ(ksys_mmap(AT(0), LEN(4), PROT_READ, MAP_SHARED | MAP_FIXED, &f.file, 0), AT(0));
	EXPECT_EQ(ksys_mprotect(AT(0), LEN(4), RW), -EACCES);
	EXPECT_EQ(mapping->i_mmap_writable, ~0ul);
	EXPECT_EQ(ksys_mmap(AT(0), LEN(4), RW, MAP_PRIVATE | MAP_FIXED, &f.file, 0), AT(0));
	mapping->i_mmap_writable = 0;
	EXPECT_EQ(ksys_mprotect(AT(0), LEN(1), PROT_READ), 0);
	over();
	EXPECT_EQ(f.file.f_count, 1);
}

TEST(mmap, owners_hear_of_splits)
{
	struct test_file f;

	ASSERT(test_process_start(&p));
	test_file_init(&f, FMODE_READ | FMODE_WRITE);
	f.hears = true;
	EXPECT_EQ(ksys_mmap(AT(0), LEN(8), RW, MAP_SHARED | MAP_FIXED, &f.file, 0), AT(0));
	EXPECT_EQ(f.opens, 0);
	EXPECT_EQ(ksys_munmap(AT(6), LEN(2)), 0);
	EXPECT_EQ(f.opens, 1);
	EXPECT_EQ(f.closes, 1);
	EXPECT_EQ(ksys_mprotect(AT(2), LEN(2), PROT_READ), 0);
	EXPECT_EQ(f.opens, 3);
	f.split_error = -EINVAL;
	EXPECT_EQ(ksys_munmap(AT(0), LEN(1)), -EINVAL);
	EXPECT_EQ(ksys_munmap(AT(0), LEN(8)), 0);
	EXPECT_EQ(f.closes, f.opens + 1);
	over();
}

/* VA-I3, VA-I4 */
TEST(mmap, limits)
{
	struct mm_rlimit *limit = p.process.rlimit;
	struct mm_struct *mm;

	ASSERT(test_process_start(&p));
	mm = p.task.mm;
	limit[RLIMIT_AS].cur = LEN(10);
	EXPECT_EQ(map(0, 11, RW, FIXED), -ENOMEM);
	EXPECT_EQ(map(0, 10, RW, FIXED), AT(0));
	EXPECT_EQ(map(20, 1, RW, FIXED), -ENOMEM);
	EXPECT_EQ(map(5, 5, PROT_READ, FIXED), AT(5)); /* what it replaces does not count */
	EXPECT_EQ(mm->total_vm, 10);
	EXPECT_EQ(mm->data_vm, 5);
	limit[RLIMIT_AS].cur = RLIM_INFINITY;
	limit[RLIMIT_DATA].cur = LEN(8);
	EXPECT_EQ(map(20, 4, RW, FIXED), -ENOMEM);
	EXPECT_EQ(map(20, 4, PROT_READ, FIXED), AT(20));
	EXPECT_EQ(ksys_mprotect(AT(20), LEN(4), RW), -ENOMEM);
	EXPECT_EQ(ksys_mprotect(AT(20), LEN(3), RW), 0);
	limit[RLIMIT_DATA].cur = RLIM_INFINITY;
	limit[RLIMIT_MEMLOCK].cur = LEN(4);
	EXPECT_EQ(map(30, 5, RW, FIXED | MAP_LOCKED), -EAGAIN);
	limit[RLIMIT_MEMLOCK].cur = 0;
	EXPECT_EQ(map(30, 1, RW, FIXED | MAP_LOCKED), -EPERM);
	limit[RLIMIT_MEMLOCK].cur = LEN(4);
	EXPECT_EQ(map(30, 4, RW, FIXED | MAP_LOCKED), AT(30));
	EXPECT_EQ(mm->locked_vm, 4);
	EXPECT_EQ(ksys_munmap(AT(31), LEN(1)), 0);
	EXPECT_EQ(mm->locked_vm, 3);
	over();
}

TEST(mmap, max_map_count)
{
	int before = sysctl_max_map_count;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 9, RW, FIXED), AT(0));
	sysctl_max_map_count = (int)p.task.mm->map_count + 1;
	EXPECT_EQ(ksys_munmap(AT(4), LEN(1)), 0);
	EXPECT_EQ(ksys_munmap(AT(2), LEN(1)), -ENOMEM);
	EXPECT_EQ(ksys_mprotect(AT(2), LEN(1), PROT_READ), -ENOMEM);
	EXPECT_EQ(map(20, 1, RW, FIXED), AT(20)); /* one more than it says, as in Linux */
	EXPECT_EQ(map(22, 1, RW, FIXED), -ENOMEM);
	EXPECT_EQ(ksys_munmap(AT(20), LEN(1)), 0);
	EXPECT_SHAPE("0-4 rw-p, 5-9 rw-p");
	sysctl_max_map_count = before;
	over();
}

TEST(mmap, overcommit)
{
	unsigned long before = vm_committed_pages(), all = totalram_pages();
	unsigned int huge = (unsigned int)(all + 100);

	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 10, RW, FIXED), AT(0));
	EXPECT_EQ(vm_committed_pages(), before + 10);
	EXPECT_EQ(map(3, 2, PROT_READ, FIXED), AT(3));
	EXPECT_EQ(vm_committed_pages(), before + 8);
	EXPECT_EQ(map(20, 4, PROT_READ, FIXED), AT(20));
	EXPECT_EQ(ksys_mprotect(AT(20), LEN(2), RW), 0);
	EXPECT_EQ(vm_committed_pages(), before + 10);
	EXPECT_EQ(ksys_mprotect(AT(20), LEN(2), PROT_READ), 0); /* nothing was ever written there */
	EXPECT_EQ(vm_committed_pages(), before + 8);
	EXPECT_EQ(map(0, huge, RW, ANON), -ENOMEM);
	EXPECT(!is_error(map(0, huge, RW, ANON | MAP_NORESERVE)));
	sysctl_overcommit_memory = OVERCOMMIT_ALWAYS;
	EXPECT(!is_error(map(0, huge, RW, ANON)));
	sysctl_overcommit_memory = OVERCOMMIT_NEVER;
	EXPECT_EQ(map(50, 1, RW, FIXED), -ENOMEM);
	EXPECT_EQ(map(50, 1, RW, FIXED | MAP_NORESERVE), -ENOMEM); /* means nothing in this mode */
	EXPECT_EQ(ksys_munmap(AT(0), LEN(64)), 0);
	test_process_exit(&p);
	EXPECT_EQ(vm_committed_pages(), before);

	ASSERT(test_process_start(&p));
	/* Half of memory, less what an administrator has and what is left to this process. */
	EXPECT_EQ(map(0, (unsigned int)(all / 2 + 1), RW, ANON), -ENOMEM);
	EXPECT(!is_error(map(0, (unsigned int)(all / 4), RW, ANON)));
	sysctl_overcommit_kbytes = 64;
	EXPECT_EQ(vm_commit_limit(), 16);
	sysctl_overcommit_kbytes = 0;
	sysctl_overcommit_memory = OVERCOMMIT_GUESS;
	over();
	EXPECT_EQ(vm_committed_pages(), before);
}

TEST(mmap, layouts)
{
	struct mm_struct *mm;
	long a, b;

	ASSERT(test_process_start(&p));
	mm = p.task.mm;
	a = ksys_mmap(0, LEN(4), RW, ANON, NULL, 0);
	b = ksys_mmap(0, LEN(4), PROT_READ, ANON, NULL, 0);
	EXPECT_EQ((uintptr_t)a, mm->mmap_base - LEN(4));
	EXPECT_EQ((uintptr_t)b, (uintptr_t)a - LEN(4));
	EXPECT_EQ(map(7, 1, RW, ANON), AT(7)); /* a hint where nothing is */
	EXPECT(map(7, 1, RW, ANON) != (long)AT(7));
	EXPECT_EQ(ksys_mmap(1, LEN(1), RW, ANON, NULL, 0) & 0xfff, 0);
	if (sizeof(long) == 8) {
		a = ksys_mmap(0, LEN(1), RW, ANON | MAP_32BIT, NULL, 0);
		EXPECT(a >= 0x40000000 && a < (long)0x80000000u);
		/* Whole large pages begin at one. */
		a = ksys_mmap(0, (size_t)1 << PGT_SHIFT(1), RW, ANON, NULL, 0);
		EXPECT_EQ(a & (((long)1 << PGT_SHIFT(1)) - 1), 0);
	}
	/* Below a stack there is a gap. */
	EXPECT_EQ(map(60, 2, RW, FIXED | MAP_GROWSDOWN), AT(60));
	EXPECT(map(59, 1, RW, ANON) != (long)AT(59));
	EXPECT_EQ(map(59, 1, RW, FIXED), AT(59));
	test_process_exit(&p);

	test_process_init(&p);
	p.process.personality = PERSONALITY_ADDR_COMPAT_LAYOUT | PERSONALITY_ADDR_NO_RANDOMIZE;
	mm = mm_create(&p.process, 0);
	ASSERT(mm);
	EXPECT_EQ(mm->mmap_base, ALIGN(mm_window(mm) / 3, PAGE_SIZE));
	mmput(mm);
}

/* Each damage is one finding, or with the tree's own several; *@was: what it was, put back. */
#define EXPECT_FOUND(id, word, damage)                                      \
	do {                                                                \
		__typeof__(word) _was = (word);                             \
		const char *_text;                                          \
                                                                            \
		(word) = (damage);                                          \
		test_capture_begin();                                       \
		EXPECT(verify_all() > 0);                                   \
		_text = test_capture_end();                                 \
		EXPECT(strstr(_text, id));                                  \
		(word) = _was;                                              \
	} while (0)

TEST(mmap, verifier_sees_damage)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;

	ASSERT(test_process_start(&p));
	mm = p.task.mm;
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	EXPECT_EQ(map(4, 4, PROT_READ, FIXED), AT(4));
	EXPECT_EQ(verify_all(), 0);
	vma = vma_lookup(mm, AT(4));
	ASSERT(vma);
	EXPECT_FOUND("VA-I1", vma->vm_end, AT(7));
	EXPECT_FOUND("VA-I1", vma->vm_prev, NULL);
	EXPECT_FOUND("VA-I1", mm->map_count, 7);
	EXPECT_FOUND("VA-I3", mm->data_vm, 1);
	EXPECT_FOUND("VA-I5", vma->vm_refs, 0);
	EXPECT_FOUND("VA-I5", vma->vm_mm, &init_mm);
	EXPECT_FOUND("VA-I8", vma->vm_page_prot.bits, PGPROT_USER);
	EXPECT_FOUND("VA-I9", mm->top_full, AT(2));
	vm_unacct_memory(1ul << 20);
	test_capture_begin();
	EXPECT(verify_all() > 0);
	EXPECT(strstr(test_capture_end(), "VA-I4"));
	vm_acct_unchecked(1l << 20);
	over();
}

/* Numbers of write locks come again one day: a VMA that was locked under the same one then is not locked. */
TEST(mmap, locks_of_vmas_when_their_numbers_come_again)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;

	ASSERT(test_process_start(&p));
	mm = p.task.mm;
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	vma = vma_lookup(mm, AT(0));
	ASSERT(vma);
	vma->vm_lock_seq = 1;
	mm->mm_lock_seq = ~0ul - 1;
	for (unsigned int i = 0; i < 3; i++) {
		mmap_write_lock(mm);
		EXPECT(vma_start_read(vma));
		vma_end_read(vma);
		vma_start_write(vma);
		EXPECT(!vma_start_read(vma));
		mmap_write_unlock(mm);
		EXPECT(vma_start_read(vma));
		vma_end_read(vma);
		vma->vm_lock_seq = i ? vma->vm_lock_seq : 1;
	}
	EXPECT_EQ(mm->mm_lock_seq, 4);
	over();
}

/* VA-I6: who has a VMA's read lock keeps writers out; who comes while one is there is sent to the mmap lock. */
TEST(mmap, locks_of_vmas)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;

	ASSERT(test_process_start(&p));
	mm = p.task.mm;
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	vma = lock_vma_under_rcu(mm, AT(3));
	ASSERT(vma);
	EXPECT(vma_start_read(vma));
	EXPECT_EQ(vma->vm_refs, 3);
	vma_end_read(vma);
	vma_end_read(vma);
	EXPECT(!lock_vma_under_rcu(mm, AT(4)));
	mmap_write_lock(mm);
	EXPECT(vma_start_read(vma));
	vma_end_read(vma);
	vma_start_write(vma);
	EXPECT(!vma_start_read(vma));
	EXPECT(!lock_vma_under_rcu(mm, AT(3)));
	mmap_write_downgrade(mm);
	EXPECT(vma_start_read(vma));
	vma_end_read(vma);
	mmap_read_unlock(mm);
	over();
}

static unsigned long start_of_locked(uintptr_t addr)
{
	struct vm_area_struct *vma = lock_task_vma(&p.task, addr);
	unsigned long start = vma ? vma->vm_start : 0;

	if (vma)
		vma_end_read(vma);
	return start;
}

/* The VMA that a thread found last is good for it until anything changes, and never in another address space. */
TEST(mmap, last_vma_of_a_thread)
{
	struct mm_struct *mm;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	EXPECT_EQ(map(4, 4, PROT_READ, FIXED), AT(4));
	EXPECT_EQ(start_of_locked(AT(1)), AT(0));
	EXPECT_EQ(start_of_locked(AT(3)), AT(0));
	EXPECT_EQ(start_of_locked(AT(4)), AT(4));
	EXPECT_EQ(start_of_locked(AT(8)), 0);
	/* A smaller one, none at all, another one. */
	EXPECT_EQ(start_of_locked(AT(1)), AT(0));
	EXPECT_EQ(ksys_munmap(AT(0), LEN(2)), 0);
	EXPECT_EQ(start_of_locked(AT(1)), 0);
	EXPECT_EQ(start_of_locked(AT(2)), AT(2));
	EXPECT_EQ(ksys_munmap(AT(2), LEN(2)), 0);
	EXPECT_EQ(start_of_locked(AT(2)), 0);
	EXPECT_EQ(map(2, 1, RW, FIXED), AT(2));
	EXPECT_EQ(start_of_locked(AT(2)), AT(2));
	/* What is found while somebody changes the address space is not kept: it may be on its way out. */
	mmap_write_lock(p.task.mm);
	EXPECT_EQ(start_of_locked(AT(2)), AT(2));
	EXPECT(!p.task.fault_vma || p.task.fault_vma_seq != p.task.mm->mm_lock_seq);
	mmap_write_unlock(p.task.mm);
	EXPECT_EQ(start_of_locked(AT(2)), AT(2));
	mm = octavo_task_mm(&p.task, NULL);
	EXPECT(!p.task.fault_vma);
	(void)octavo_task_mm(&p.task, mm);
	over();
}

TEST(mmap, sealed)
{
	if (sizeof(long) < 8)
		SKIP("there is no mseal(2) with 32 bits");
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 8, RW, FIXED), AT(0));
	EXPECT_EQ(ksys_mseal(AT(2), LEN(2), 1), -EINVAL);
	EXPECT_EQ(ksys_mseal(AT(6), LEN(4), 0), -ENOMEM);
	EXPECT_EQ(ksys_mseal(AT(2), LEN(2), 0), 0);
	EXPECT_EQ(ksys_mseal(AT(2), LEN(2), 0), 0);
	EXPECT_EQ(ksys_munmap(AT(1), LEN(2)), -EPERM);
	EXPECT_EQ(ksys_mprotect(AT(2), LEN(1), PROT_READ), -EPERM);
	EXPECT_EQ(map(3, 1, RW, FIXED), -EPERM);
	EXPECT_EQ(ksys_mremap(AT(2), LEN(1), LEN(2), MREMAP_MAYMOVE, 0), -EPERM);
	EXPECT_EQ(ksys_munmap(AT(4), LEN(4)), 0);
	/* What was cut before the seal was met stays so. */
	EXPECT_SHAPE("0-1 rw-p, 1-2 rw-p, 2-4 rw-p");
	over();
}
