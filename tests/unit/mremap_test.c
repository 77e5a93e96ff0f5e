// SPDX-License-Identifier: MIT
/* mremap, brk, stacks, and what exec uses. */
#include "mapshape.h"
#include "mm/vm/account.h"
#include "mm/vm/vma.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define FIXED (ANON | MAP_FIXED)
#define MOVE MREMAP_MAYMOVE
#define MOVE_TO (MREMAP_MAYMOVE | MREMAP_FIXED)

static struct test_process p;

static long map(unsigned int page, unsigned int pages, unsigned long prot, unsigned long flags)
{
	return ksys_mmap(AT(page), LEN(pages), prot, flags, NULL, 0);
}

static long remap(unsigned int page, unsigned int old, unsigned int new, unsigned long flags, unsigned int to)
{
	return ksys_mremap(AT(page), LEN(old), LEN(new), flags, AT(to));
}

#define EXPECT_SHAPE(want) EXPECT_STREQ(map_shape(0, 64), want)

static void over(void)
{
	EXPECT_EQ(verify_all(), 0);
	test_process_exit(&p);
}

TEST(mremap, in_place)
{
	unsigned long before;

	ASSERT(test_process_start(&p));
	before = vm_committed_pages();
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	EXPECT_EQ(remap(0, 4, 6, 0, 0), AT(0));
	EXPECT_SHAPE("0-6 rw-p");
	EXPECT_EQ(remap(0, 6, 2, 0, 0), AT(0));
	EXPECT_SHAPE("0-2 rw-p");
	EXPECT_EQ(map(4, 2, RW, FIXED), AT(4));
	EXPECT_EQ(remap(0, 2, 5, 0, 0), -ENOMEM);
	EXPECT_EQ(remap(0, 2, 4, 0, 0), AT(0)); /* and what is behind joins */
	EXPECT_SHAPE("0-6 rw-p");
	EXPECT_EQ(vm_committed_pages(), before + 6);
	EXPECT_EQ(remap(0, 3, 4, 0, 0), -ENOMEM); /* not up to the end of the mapping */
	over();
}

/* VA-I1, VA-I3: contents move along, whole tables and single entries. */
TEST(mremap, moves_contents)
{
	uintptr_t far = AT(0) + ((uintptr_t)8 << PGT_SHIFT(1)), near = far - LEN(3);
	size_t big = ((size_t)2 << PGT_SHIFT(1)) + LEN(5);

	ASSERT(test_process_start(&p));
	ASSERT(test_map(AT(0), big, RW, FIXED & ~MAP_ANONYMOUS));
	for (size_t at = 0; at < big; at += LEN(37))
		test_user_put(AT(0) + at, at + 1);
	EXPECT_EQ(ksys_mremap(AT(0), big, big, MOVE_TO, far), far);
	EXPECT_SHAPE("");
	for (size_t at = 0; at < big; at += LEN(37))
		EXPECT_EQ(test_user_get(far + at), at + 1);
	EXPECT_REFUSED(AT(0), false, 11, 1);
	EXPECT_EQ(ksys_mremap(far + LEN(10), big - LEN(10), big, MOVE_TO, near - big), near - big);
	for (size_t at = LEN(37); at < big; at += LEN(37))
		EXPECT_EQ(test_user_get(near - big - LEN(10) + at), at + 1);
	over();
}

TEST(mremap, what_stays)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 8, RW, FIXED), AT(0));
	test_user_put(AT(3), 77);
	EXPECT_EQ(remap(2, 3, 3, MOVE_TO, 20), AT(20));
	EXPECT_SHAPE("0-2 rw-p, 5-8 rw-p, 20-23 rw-p");
	EXPECT_EQ(test_user_get(AT(21)), 77);
	EXPECT_EQ(remap(20, 3, 3, MREMAP_DONTUNMAP | MOVE_TO, 30), AT(30));
	EXPECT_SHAPE("0-2 rw-p, 5-8 rw-p, 20-23 rw-p, 30-33 rw-p");
	EXPECT_EQ(test_user_get(AT(31)), 77);
	EXPECT_EQ(test_user_get(AT(21)), 0);
	/* All of the area that pages came from is not locked any more, and what they came to is. */
	EXPECT_EQ(ksys_mlock(AT(30), LEN(3), 0), 0);
	EXPECT_EQ(ksys_mremap(AT(31), LEN(1), LEN(1), MREMAP_DONTUNMAP | MOVE_TO, AT(40)), AT(40));
	EXPECT_EQ(p.task.mm->locked_vm, 1);
	EXPECT_EQ(ksys_mremap(AT(40), LEN(1), LEN(1), MOVE_TO, AT(31)), AT(31));
	EXPECT_EQ(ksys_munlock(AT(31), LEN(1)), 0);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	EXPECT_SHAPE("0-2 rw-p, 5-8 rw-p, 20-23 rw-p, 30-33 rw-p");
	/* Back to where its pages belong it joins its old neighbours. */
	EXPECT_EQ(remap(30, 3, 3, MOVE_TO, 2), AT(2));
	EXPECT_STREQ(map_shape(0, 9), "0-8 rw-p");
	EXPECT_EQ(test_user_get(AT(3)), 77);
	over();
}

/* What moves lies in one mapping; what is cut off before may lie in several, and may be sealed. */
TEST(mremap, moves_the_head_of_several)
{
	ASSERT(test_process_start(&p));
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	EXPECT_EQ(ksys_mprotect(AT(1), LEN(1), PROT_READ), 0);
	test_user_put(AT(0), 9);
	EXPECT_EQ(remap(0, 3, 2, MOVE_TO, 10), -EFAULT);
	EXPECT_EQ(remap(0, 3, 4, MOVE_TO, 10), -EFAULT);
	EXPECT_EQ(remap(0, 3, 1, MOVE_TO, 10), AT(10));
	EXPECT_EQ(test_user_get(AT(10)), 9);
	EXPECT_SHAPE("3-4 rw-p, 10-11 rw-p");
	if (sizeof(long) == 8) {
		EXPECT_EQ(map(0, 3, RW, FIXED), AT(0));
		EXPECT_EQ(ksys_mseal(AT(2), LEN(1), 0), 0);
		EXPECT_EQ(remap(0, 3, 1, MOVE_TO, 20), -EPERM);
		/* The first VMA was cut before the sealed one was found, as on Linux. */
		EXPECT_SHAPE("0-1 rw-p, 1-2 rw-p, 2-3 rw-p, 3-4 rw-p, 10-11 rw-p");
	}
	over();
}

TEST(mremap, errors)
{
	struct test_file f;

	ASSERT(test_process_start(&p));
	test_file_init(&f, FMODE_READ | FMODE_WRITE);
	EXPECT_EQ(map(0, 4, RW, FIXED), AT(0));
	EXPECT_EQ(ksys_mremap(AT(0) + 1, LEN(1), LEN(1), 0, 0), -EINVAL);
	EXPECT_EQ(remap(0, 1, 0, 0, 0), -EINVAL);
	EXPECT_EQ(remap(0, 1, 1, 8, 0), -EINVAL);
	EXPECT_EQ(remap(0, 1, 2, MREMAP_FIXED, 10), -EINVAL);
	EXPECT_EQ(remap(0, 1, 2, MREMAP_DONTUNMAP | MOVE, 10), -EINVAL);
	EXPECT_EQ(remap(0, 0, 1, MOVE, 0), -EINVAL);
	EXPECT_EQ(remap(0, 5, 6, MOVE, 0), -EFAULT);
	EXPECT_EQ(remap(10, 1, 2, MOVE, 0), -EFAULT);
	EXPECT_EQ(remap(0, 2, 2, MOVE_TO, 1), -EINVAL);
	EXPECT_EQ(ksys_mremap(AT(0), LEN(1), LEN(1), MOVE_TO, AT(9) + 1), -EINVAL);
	EXPECT_EQ(ksys_mremap(AT(0), LEN(1), LEN(1), MOVE_TO, p.task.mm->task_size), -EINVAL);
	/* Shared: length 0 makes a second mapping. */
	EXPECT_EQ(ksys_mmap(AT(10), LEN(2), RW, MAP_SHARED | MAP_FIXED, &f.file, 0), AT(10));
	EXPECT_EQ(remap(10, 0, 2, MOVE_TO, 20), AT(20));
	EXPECT_SHAPE("0-4 rw-p, 10-12 rw-s, 20-22 rw-s");
	f.add_flags = VM_DONTEXPAND;
	EXPECT_EQ(ksys_mmap(AT(30), LEN(2), RW, MAP_SHARED | MAP_FIXED, &f.file, 0), AT(30));
	EXPECT_EQ(remap(30, 2, 3, MOVE, 0), -EFAULT);
	over();
}

static long brk_pages(long pages)
{
	return (long)((uintptr_t)(ksys_brk(TEST_BRK + LEN(pages)) - (long)TEST_BRK) >> PAGE_SHIFT);
}

TEST(brk, grows_and_shrinks)
{
	unsigned long before;

	ASSERT(test_process_start(&p));
	before = vm_committed_pages();
	EXPECT_EQ(ksys_brk(0), TEST_BRK);
	EXPECT_EQ(brk_pages(4), 4);
	EXPECT_EQ(ksys_brk(TEST_BRK + LEN(4) + 1), TEST_BRK + LEN(4) + 1);
	EXPECT_EQ(vm_committed_pages(), before + 5);
	test_user_put(TEST_BRK + LEN(4), 5);
	EXPECT_EQ(brk_pages(2), 2);
	EXPECT_EQ(vm_committed_pages(), before + 2);
	EXPECT_REFUSED(TEST_BRK + LEN(2), true, 11, 1);
	EXPECT_EQ(brk_pages(6), 6);
	EXPECT_EQ(test_user_get(TEST_BRK + LEN(4)), 0);
	EXPECT_EQ(map_count(), 1);
	EXPECT_EQ(ksys_brk(TEST_BRK - 1), TEST_BRK + LEN(6));
	/* A page is kept free before whatever comes next. */
	EXPECT_EQ(ksys_mmap(TEST_BRK + LEN(8), LEN(1), RW, FIXED, NULL, 0), TEST_BRK + LEN(8));
	EXPECT_EQ(brk_pages(8), 6);
	EXPECT_EQ(brk_pages(7), 7);
	p.process.rlimit[RLIMIT_DATA].cur = LEN(4);
	EXPECT_EQ(brk_pages(6), 7); /* its limit is looked at whichever way it goes */
	EXPECT_EQ(brk_pages(0), 0);
	over();
}

TEST(stack, grows_down)
{
	uintptr_t top = AT(60);

	ASSERT(test_process_start(&p));
	EXPECT_EQ(vm_stack(p.task.mm, top, LEN(2), false), 0);
	EXPECT_EQ(vm_stack(p.task.mm, top, LEN(2), false), -ENOMEM);
	EXPECT_SHAPE("58-60 rw-p");
	test_user_put(AT(50), 9);
	EXPECT_SHAPE("50-60 rw-p");
	EXPECT_EQ(p.task.mm->stack_vm, 10);
	p.process.rlimit[RLIMIT_STACK].cur = LEN(20);
	EXPECT_REFUSED(AT(39), true, 11, 1);
	test_user_put(AT(40), 9);
	p.process.rlimit[RLIMIT_STACK].cur = RLIM_INFINITY;
	/* Something below it keeps it away, unless nobody can touch that. */
	EXPECT_EQ(map(0, 1, RW, FIXED), AT(0));
	EXPECT_REFUSED(AT(30), true, 11, 1);
	EXPECT_EQ(map(0, 1, PROT_NONE, FIXED), AT(0));
	test_user_put(AT(30), 9);
	EXPECT_SHAPE("0-1 ---p, 30-60 rw-p");
	EXPECT_EQ(ksys_mprotect(AT(55), LEN(1), PROT_READ | PROT_GROWSDOWN), 0);
	EXPECT_SHAPE("0-1 ---p, 30-56 r--p, 56-60 rw-p");
	over();
}

TEST(mm, layout_and_exe_file)
{
	struct mm_layout layout;
	struct test_file f;

	ASSERT(test_process_start(&p));
	test_file_init(&f, FMODE_READ);
	mm_get_layout(p.task.mm, &layout);
	EXPECT_EQ(layout.brk, TEST_BRK);
	layout.start_code = AT(1);
	layout.arg_end = AT(2);
	mm_set_layout(p.task.mm, &layout);
	EXPECT_EQ(p.task.mm->start_code, AT(1));
	EXPECT_EQ(p.task.mm->arg_end, AT(2));
	EXPECT(!mm_get_exe_file(p.task.mm));
	mm_set_exe_file(p.task.mm, &f.file);
	EXPECT(mm_get_exe_file(p.task.mm) == &f.file);
	EXPECT_EQ(f.file.f_count, 3);
	fput(&f.file);
	EXPECT_EQ(vm_brk(p.task.mm, AT(3), LEN(2), false), 0);
	EXPECT_SHAPE("3-5 rw-p");
	over();
	EXPECT_EQ(f.file.f_count, 1);
}
