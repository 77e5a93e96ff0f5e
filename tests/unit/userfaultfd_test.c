// SPDX-License-Identifier: MIT
/*
 * userfaultfd by one thread: what each ioctl does and refuses, and what becomes of registered and protected memory in
 * fork, mremap, mprotect, madvise (UF-I1, UF-I2, UF-I5). Threads that wait: tests/hosted/userfaultfd_sched_test.c.
 */
#include <octavo/fault.h>
#include <octavo/pagemap.h>
#include <octavo/proc_pid.h>
#include <octavo/shmem_fs.h>
#include <octavo/uaccess.h>
#include <octavo/verify.h>

#include "mm/pgtable/tables.h"
#include "mm/vm/entries.h"
#include "mm/vm/userfaultfd.h"
#include "uffd.h"

#define RW (PROT_READ | PROT_WRITE)
#define MISSING UFFDIO_REGISTER_MODE_MISSING
#define WP UFFDIO_REGISTER_MODE_WP
#define MINOR UFFDIO_REGISTER_MODE_MINOR
#define PAGES 8
#define SIZE (PAGES * PAGE_SIZE)

static struct test_process p;
static struct userfaultfd_ctx *ctx;
static uintptr_t at, src;
static struct file *file;

static void report(void *arg, const char *line)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s", line);
}

/* A process with an area to register, one to copy from (page i filled with i + 1), and a context. */
static bool begin(u64 features)
{
	uffd_args = 0;
	if (!test_process_start(&p))
		return false;
	ctx = uffd_open(features);
	at = test_map(0, SIZE, RW, MAP_PRIVATE);
	src = test_map(0, SIZE, RW, MAP_PRIVATE);
	for (unsigned int i = 0; src && i < PAGES; i++)
		test_user_fill(src + i * PAGE_SIZE, PAGE_SIZE, (u8)(i + 1));
	return ctx && at && src;
}

static void end(void)
{
	EXPECT_EQ(mm_verify(report, NULL), 0);
	if (ctx)
		userfaultfd_release(ctx);
	ctx = NULL;
	EXPECT_EQ(mm_verify(report, NULL), 0);
	test_process_exit(&p);
	EXPECT_EQ(mm_verify(report, NULL), 0);
}

static uintptr_t map_shmem(unsigned long flags)
{
	int err;

	file = memfd_setup("uffd", 0, &err);
	if (!file || shmem_truncate(file->f_inode, SIZE))
		return 0;
	return test_map_file(0, SIZE, RW, flags, file, 0);
}

static uintptr_t page(unsigned int i)
{
	return at + i * PAGE_SIZE;
}

static vm_flags_t flags_at(uintptr_t addr)
{
	const struct vm_area_struct *vma = vma_lookup(current_task()->mm, addr);

	return vma ? vma->vm_flags & VM_UFFD_ANY : ~0ull;
}

TEST(userfaultfd, who_may_have_one)
{
	int err;

	uffd_args = 0;
	ASSERT(test_process_start(&p));
	EXPECT(!userfaultfd_new(0, false, &err));
	EXPECT_EQ(err, -EPERM);
	EXPECT(!userfaultfd_new(2, true, &err));
	EXPECT_EQ(err, -EINVAL);
	ctx = userfaultfd_new(UFFD_USER_MODE_ONLY, false, &err);
	ASSERT(ctx);
	userfaultfd_release(ctx);
	ctx = userfaultfd_new(0, true, &err);
	ASSERT(ctx);
	userfaultfd_release(ctx);
	sysctl_unprivileged_userfaultfd = 1;
	ctx = userfaultfd_new(0, false, &err);
	sysctl_unprivileged_userfaultfd = 0;
	ASSERT(ctx);
	/* Nothing but the handshake is possible before the handshake. */
	uffd_args = test_map(0, PAGE_SIZE, RW, MAP_PRIVATE);
	EXPECT(!userfaultfd_ready(ctx));
	EXPECT_EQ(uffd_register(ctx, uffd_args, PAGE_SIZE, MISSING, NULL), -EINVAL);
	end();
}

TEST(userfaultfd, handshake)
{
	struct uffdio_api api;
	int err;

	ASSERT(begin(0));
	/* Twice is once too often, and all is zeros then. */
	EXPECT_EQ(uffd_api(ctx, UFFD_API, 0, &api), -EINVAL);
	EXPECT_EQ(api.api | api.features | api.ioctls, 0);
	userfaultfd_release(ctx);
	ctx = userfaultfd_new(0, false, &err);
	ASSERT(ctx);
	EXPECT_EQ(uffd_api(ctx, 0xab, 0, &api), -EINVAL);
	EXPECT_EQ(uffd_api(ctx, UFFD_API, 1ull << 40, &api), -EINVAL);
	EXPECT_EQ(api.api, 0);
	p.process.capabilities = 0;
	EXPECT_EQ(uffd_api(ctx, UFFD_API, UFFD_FEATURE_EVENT_FORK, &api), -EPERM);
	EXPECT_EQ(userfaultfd_ioctl(ctx, UFFDIO_API, 8), -EFAULT);
	EXPECT_EQ(uffd_api(ctx, UFFD_API, UFFD_FEATURE_SIGBUS, &api), 0);
	EXPECT_EQ(api.ioctls, (u64)1 << _UFFDIO_API | 1 << _UFFDIO_REGISTER | 1 << _UFFDIO_UNREGISTER);
	EXPECT_EQ(!!(api.features & UFFD_FEATURE_WP_ASYNC), UFFD_HAS_WP);
	EXPECT(api.features & UFFD_FEATURE_MOVE && api.features & UFFD_FEATURE_MINOR_SHMEM);
	EXPECT_EQ(userfaultfd_ioctl(ctx, 0x1234, uffd_args), -EINVAL);
	end();
}

TEST(userfaultfd, ranges_are_registered)
{
	struct userfaultfd_ctx *other;
	uintptr_t ro, mapping;
	u64 ioctls;

	ASSERT(begin(0));
	other = uffd_open(0);
	ASSERT(other);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, MISSING, &ioctls), 0);
	EXPECT_EQ(ioctls, 0x13c); /* wake copy zeropage move poison */
	EXPECT_EQ(flags_at(at), VM_UFFD_MISSING);
	EXPECT_EQ(uffd_register(other, page(2), PAGE_SIZE, MISSING, NULL), -EBUSY);
	EXPECT_EQ(uffd_range(other, UFFDIO_UNREGISTER, page(2), PAGE_SIZE), -EINVAL);
	/* Pieces, and one again. */
	EXPECT_EQ(uffd_range(ctx, UFFDIO_UNREGISTER, page(2), 2 * PAGE_SIZE), 0);
	EXPECT(!flags_at(page(3)) && flags_at(page(4)) && flags_at(page(1)));
	EXPECT_EQ(uffd_register(other, page(2), 2 * PAGE_SIZE, MISSING, NULL), 0);
	EXPECT(vma_lookup(p.task.mm, page(1)) != vma_lookup(p.task.mm, page(2)));
	userfaultfd_release(other);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, MISSING, NULL), 0);
	EXPECT(vma_lookup(p.task.mm, page(1)) == vma_lookup(p.task.mm, page(7)));
	/* What cannot be. */
	EXPECT_EQ(uffd_register(ctx, at + 1, PAGE_SIZE, MISSING, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, 0, MISSING, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, 5, MISSING, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, 0, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, 8, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, MINOR, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, p.task.mm->task_size, PAGE_SIZE, MISSING, NULL), -EINVAL);
	EXPECT_EQ(uffd_register(ctx, at, (size_t)0 - PAGE_SIZE, MISSING, NULL), -EINVAL);
	mapping = map_shmem(MAP_SHARED);
	ASSERT(mapping);
	EXPECT_EQ(uffd_register(ctx, mapping, SIZE, MISSING | MINOR, &ioctls), 0);
	EXPECT_EQ(ioctls, 0x1bc);
	if (UFFD_HAS_WP) {
		EXPECT_EQ(uffd_register(ctx, mapping, SIZE, WP, &ioctls), 0);
		EXPECT_EQ(ioctls, 0x17c);
		EXPECT_EQ(flags_at(mapping), VM_UFFD_WP);
	} else {
		EXPECT_EQ(uffd_register(ctx, mapping, SIZE, WP, &ioctls), -EINVAL);
	}
	ASSERT(!ksys_munmap(mapping, SIZE));
	EXPECT_EQ(uffd_register(ctx, mapping, SIZE, MISSING, NULL), -EINVAL);
	fput(file);
	file = memfd_setup("sealed", MFD_ALLOW_SEALING, &(int){ 0 });
	ASSERT(file && !shmem_truncate(file->f_inode, SIZE) && !memfd_add_seals(file, F_SEAL_FUTURE_WRITE));
	ro = test_map_file(0, SIZE, PROT_READ, MAP_SHARED, file, 0);
	EXPECT_EQ(uffd_register(ctx, ro, SIZE, MISSING, NULL), -EPERM);
	fput(file);
	end();
}

TEST(userfaultfd, copy_and_zeropage)
{
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, at, src, PAGE_SIZE, 0, &done), -ENOENT);
	EXPECT_EQ(done, -ENOENT);
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	EXPECT_REFUSED(at + 3, false, 7, BUS_ADRERR);
	EXPECT_REFUSED(at + 3, true, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src, 2 * PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(done, 2 * PAGE_SIZE);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 1) && test_user_all(page(2), PAGE_SIZE, 2));
	EXPECT(test_user_fill(page(1), 5, 9));
	/* Up to what is there already; the source may lie anywhere. */
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(0), src + 100, 3 * PAGE_SIZE, 0, &done), -EAGAIN);
	EXPECT_EQ(done, PAGE_SIZE);
	EXPECT(test_user_all(page(0), PAGE_SIZE - 100, 1) && test_user_all(page(1) - 100, 100, 2));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src, PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(done, -EEXIST);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(4), src, PAGE_SIZE, 4, &done), -EINVAL);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(4), src, PAGE_SIZE, UFFDIO_COPY_MODE_WP, &done), -EINVAL);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(4) + 8, src, PAGE_SIZE, 0, &done), -EINVAL);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(7), src, 2 * PAGE_SIZE, 0, &done), -ENOENT);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(4), 16 * PAGE_SIZE, PAGE_SIZE, 0, &done), -EFAULT);
	EXPECT_EQ(userfaultfd_ioctl(ctx, UFFDIO_COPY, 16), -EFAULT);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, page(4), 4 * PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(done, 4 * PAGE_SIZE);
	EXPECT(test_user_all(page(4), 4 * PAGE_SIZE, 0) && test_user_fill(page(5), 8, 7));
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, page(4), PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, page(4), PAGE_SIZE, 2, &done), -EINVAL);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(3), PAGE_SIZE, 0, &done), -EINVAL);
	EXPECT_EQ(uffd_range(ctx, UFFDIO_WAKE, at, SIZE), 0);
	EXPECT_EQ(uffd_range(ctx, UFFDIO_WAKE, at, 0), -EINVAL);
	/* A kernel's copy is refused, too, and all is as usual when the file is closed. */
	EXPECT_EQ(copy_to_user(page(3), "x", 1), 1);
	userfaultfd_release(ctx);
	ctx = NULL;
	EXPECT_EQ(copy_to_user(page(3), "x", 1), 0);
	EXPECT_EQ(flags_at(at), 0);
	end();
}

TEST(userfaultfd, shared_memory)
{
	uintptr_t private;
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	at = map_shmem(MAP_SHARED);
	private = test_map_file(0, SIZE, RW, MAP_PRIVATE, file, 0);
	ASSERT(at && private);
	EXPECT(test_user_fill(page(0), PAGE_SIZE, 1));
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	EXPECT_REFUSED(page(1), false, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src + PAGE_SIZE, PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 2) && test_user_all(private + PAGE_SIZE, PAGE_SIZE, 2));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src, PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, page(2), PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_all(page(2), PAGE_SIZE, 0) && test_user_fill(page(2), 1, 3));
	/* The file has it, it is only not mapped here: no page is missing. */
	EXPECT(test_user_fill(private + 3 * PAGE_SIZE, 1, 4));
	EXPECT_EQ(test_user_get(page(3)), 0);
	EXPECT_EQ(ksys_madvise(page(1), PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 2));
	/* Private: what is copied is private, the file keeps its hole. */
	ASSERT(!uffd_register(ctx, private, SIZE, MISSING, NULL));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, private + 4 * PAGE_SIZE, src, PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_all(private + 4 * PAGE_SIZE, PAGE_SIZE, 1));
	EXPECT_REFUSED(page(4), false, 7, BUS_ADRERR);
	/* Beyond the end. */
	ASSERT(!shmem_truncate(file->f_inode, 5 * PAGE_SIZE));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(6), src, PAGE_SIZE, 0, &done), -EFAULT);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, page(6), PAGE_SIZE, 0, &done), -EFAULT);
	EXPECT_REFUSED(page(6), false, 7, BUS_ADRERR);
	end();
	fput(file);
}

TEST(userfaultfd, minor_faults)
{
	uintptr_t other;
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	at = map_shmem(MAP_SHARED);
	other = test_map_file(0, SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at && other);
	ASSERT(!uffd_register(ctx, at, SIZE, MINOR, NULL));
	/* A hole is nobody's business, a page that is there is. */
	EXPECT_EQ(test_user_get(page(0)), 0);
	EXPECT(test_user_fill(other + PAGE_SIZE, 2 * PAGE_SIZE, 5));
	EXPECT_REFUSED(page(1), false, 7, BUS_ADRERR);
	EXPECT_REFUSED(page(1), true, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(1), 3 * PAGE_SIZE, 0, &done), -EAGAIN);
	EXPECT_EQ(done, 2 * PAGE_SIZE);
	EXPECT(test_user_all(page(1), 2 * PAGE_SIZE, 5) && test_user_fill(page(2), 1, 6));
	EXPECT(test_user_all(other + 2 * PAGE_SIZE, 1, 6));
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(1), PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(5), PAGE_SIZE, 0, &done), -EFAULT);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(5), PAGE_SIZE, 4, &done), -EINVAL);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(5), PAGE_SIZE, UFFDIO_CONTINUE_MODE_WP, &done), -EINVAL);
	end();
	fput(file);
}

TEST(userfaultfd, continue_leaves_bad_pages)
{
	uintptr_t other;
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	p.process.capabilities = (u64)1 << CAP_SYS_ADMIN;
	at = map_shmem(MAP_SHARED);
	other = test_map_file(0, SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at && other);
	ASSERT(!uffd_register(ctx, at, SIZE, MINOR, NULL));
	EXPECT(test_user_fill(other, 3 * PAGE_SIZE, 5));
	EXPECT_EQ(ksys_madvise(other + PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON), 0);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(0), 3 * PAGE_SIZE, 0, &done), -EAGAIN);
	EXPECT_EQ(done, PAGE_SIZE);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(1), PAGE_SIZE, 0, &done), -EIO);
	EXPECT_EQ(test_user_entry(page(1)), 0);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_CONTINUE, page(2), PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_all(page(0), PAGE_SIZE, 5) && test_user_all(page(2), PAGE_SIZE, 5));
	end();
	fput(file);
}

TEST(userfaultfd, write_protection)
{
	u64 map[PAGES];
	s64 done;

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT(test_user_fill(at, 4 * PAGE_SIZE, 3));
	EXPECT_EQ(test_user_get(page(5)), 0);
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), -ENOENT);
	ASSERT(!uffd_register(ctx, at, SIZE, WP, NULL));
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 3), -EINVAL);
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 4), -EINVAL);
	EXPECT_EQ(uffd_protect(ctx, at, SIZE + PAGE_SIZE, 1), -ENOENT);
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), 0);
	EXPECT(test_user_all(at, 4 * PAGE_SIZE, 3));
	EXPECT_REFUSED(page(1), true, 7, BUS_ADRERR);
	EXPECT_REFUSED(page(5), true, 7, BUS_ADRERR);
	/* Nothing was at 6: without WP_UNPOPULATED it is not protected. */
	EXPECT(test_user_fill(page(6), 1, 1));
	EXPECT_EQ(octavo_pid_pagemap(p.task.mm, at >> PAGE_SHIFT, map, PAGES, false), PAGES);
	EXPECT(map[1] >> 57 & 1 && map[5] >> 57 & 1 && !(map[6] >> 57 & 1) && !(map[7] >> 57 & 1));
	/* It stays, whatever the rights. */
	ASSERT(!ksys_mprotect(at, SIZE, PROT_READ) && !ksys_mprotect(at, SIZE, PROT_NONE));
	ASSERT(!ksys_mprotect(at, SIZE, RW));
	EXPECT_REFUSED(page(1), true, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_protect(ctx, page(1), PAGE_SIZE, 0), 0);
	EXPECT(pgt_write(0, test_user_entry(page(1)))); /* at once, it needs no copy */
	EXPECT(test_user_fill(page(1), 1, 1));
	EXPECT_REFUSED(page(2), true, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(7), src, PAGE_SIZE, UFFDIO_COPY_MODE_WP, &done), 0);
	EXPECT_REFUSED(page(7), true, 7, BUS_ADRERR);
	/* Without it the bits are gone. */
	EXPECT_EQ(uffd_range(ctx, UFFDIO_UNREGISTER, at, SIZE), 0);
	EXPECT(!entry_uffd_wp(test_user_entry(page(2))) && test_user_fill(at, SIZE, 8));
	end();
}

TEST(userfaultfd, protection_where_nothing_is)
{
	u64 map;

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED));
	ASSERT(!uffd_register(ctx, at, SIZE, WP, NULL));
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), 0);
	EXPECT(marker_has(test_user_entry(page(3)), PTE_MARKER_UFFD_WP));
	EXPECT_EQ(octavo_pid_pagemap(p.task.mm, page(3) >> PAGE_SHIFT, &map, 1, false), 1);
	EXPECT(map >> 57 & 1);
	EXPECT_REFUSED(page(3), true, 7, BUS_ADRERR);
	EXPECT_EQ(test_user_get(page(4)), 0);
	EXPECT_REFUSED(page(4), true, 7, BUS_ADRERR);
	EXPECT_EQ(uffd_protect(ctx, page(3), 3 * PAGE_SIZE, 0), 0);
	EXPECT(test_user_fill(page(3), 3 * PAGE_SIZE, 1));
	/* Of private memory that is emptied nothing stays. */
	EXPECT_EQ(ksys_madvise(page(6), PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT(test_user_fill(page(6), 1, 1));
	end();
}

TEST(userfaultfd, protection_of_files)
{
	s64 done;

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	at = map_shmem(MAP_SHARED);
	ASSERT(at && test_user_fill(at, 3 * PAGE_SIZE, 4));
	ASSERT(!uffd_register(ctx, at, SIZE, WP | MISSING, NULL));
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), 0);
	EXPECT_REFUSED(page(1), true, 7, BUS_ADRERR);
	/* It is of the address: the page may go and come again, from here or from elsewhere. */
	EXPECT_EQ(ksys_madvise(at, SIZE, MADV_DONTNEED), 0);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 4));
	EXPECT_REFUSED(page(1), true, 7, BUS_ADRERR);
	EXPECT_REFUSED(page(2), true, 7, BUS_ADRERR); /* comes read only, and then it is told */
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(5), src, PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_fill(page(5), 1, 1));
	ASSERT(!file->f_op->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE_SIZE, PAGE_SIZE));
	EXPECT(marker_has(test_user_entry(page(1)), PTE_MARKER_UFFD_WP));
	EXPECT_REFUSED(page(1), false, 7, BUS_ADRERR); /* missing by now */
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 0), 0);
	EXPECT_EQ(test_user_entry(page(1)), 0);
	EXPECT(test_user_fill(page(2), 8, 2));
	EXPECT(pgt_write(0, test_user_entry(page(2))));
	end();
	fput(file);
}

TEST(userfaultfd, writes_are_only_noted)
{
	u64 map[PAGES];

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_WP_ASYNC));
	EXPECT(test_user_fill(at, 4 * PAGE_SIZE, 3));
	ASSERT(!uffd_register(ctx, at, SIZE, WP, NULL));
	ASSERT(!uffd_protect(ctx, at, SIZE, 1));
	EXPECT(test_user_fill(page(1), 1, 7) && test_user_fill(page(6), 1, 7));
	EXPECT(test_user_all(page(1) + 1, PAGE_SIZE - 1, 3) && test_user_all(page(6) + 1, PAGE_SIZE - 1, 0));
	EXPECT_EQ(octavo_pid_pagemap(p.task.mm, at >> PAGE_SHIFT, map, PAGES, false), PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(map[i] >> 57 & 1, i != 1 && i != 6);
	end();
}

/* What was written since the last scan, which protects it anew: Linux's pagemap.rst. */
static long scan(u64 flags, u64 mask, u64 regions[6][3], u64 vec_len)
{
	u64 arg[12] = { sizeof(arg), flags, at, at + SIZE, 0, uffd_args + 1024, vec_len, 0, 0, mask, 0, mask };
	long ret;

	if (test_user_write(uffd_args, arg, sizeof(arg)) != sizeof(arg))
		return -1;
	ret = octavo_pid_pagemap_ioctl(p.task.mm, PAGEMAP_SCAN, uffd_args);
	(void)!test_user_read(uffd_args, arg, sizeof(arg));
	if (ret >= 0)
		EXPECT_EQ(arg[4], at + SIZE);
	return test_user_read(uffd_args + 1024, regions, 144) == 144 ? ret : -1;
}

TEST(userfaultfd, scans_find_what_was_written_since)
{
	u64 r[6][3] = { { 0 } };

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_WP_ASYNC));
	EXPECT(test_user_fill(page(1), 2 * PAGE_SIZE, 3));
	EXPECT_EQ(scan(3, 2, r, 6), -EPERM);
	EXPECT_EQ(scan(2, 2, r, 6), -EPERM);
	ASSERT(!uffd_register(ctx, at, SIZE, WP, NULL));
	EXPECT_EQ(scan(1, 2, r, 0), 0);
	EXPECT_EQ(scan(1, 2, r, 6), 0);
	EXPECT(test_user_fill(page(2), 1, 4) && test_user_fill(page(5), 2 * PAGE_SIZE, 4));
	EXPECT_EQ(scan(3, 2, r, 6), 2);
	EXPECT(r[0][0] == page(2) && r[0][1] == page(3) && r[0][2] == 2);
	EXPECT(r[1][0] == page(5) && r[1][1] == page(7));
	EXPECT_EQ(scan(1, 2, r, 6), 0);
	EXPECT(test_user_fill(page(6), 1, 4));
	EXPECT_EQ(scan(0, 10, r, 6), 1);
	EXPECT(r[0][0] == page(6) && r[0][2] == 10);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 3) && test_user_all(page(6), PAGE_SIZE, 4));
	EXPECT_EQ(octavo_pid_pagemap_ioctl(p.task.mm, 0x6600, uffd_args), -ENOTTY);
	EXPECT_EQ(octavo_pid_pagemap_ioctl(p.task.mm, PAGEMAP_SCAN, 16), -EFAULT);
	EXPECT_EQ(scan(4, 2, r, 6), -EINVAL);
	EXPECT_EQ(scan(0, 256, r, 6), -EINVAL);
	end();
}

static unsigned int looks;

static void second_hole(struct entries_walk *walk, uintptr_t addr, uintptr_t end)
{
	(void)addr;
	(void)end;
	walk->stop = ++looks == 2;
}

static void first_table(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	(void)entry;
	(void)addr;
	(void)end;
	looks++;
	walk->stop = true;
}

/* What lies behind the last region that there is room for is not looked at: it may be terabytes. */
TEST(userfaultfd, scans_stop_where_there_is_no_room)
{
	uintptr_t reach = pgt_last(1, 0) + 1, area;
	u64 arg[12] = { sizeof(arg), 0, 0, 0, 0, 0, 40, 0, 0, 8, 0, 8 }, r[40][3];
	struct entries_walk walk = { .hole = second_hole, .table = first_table };

	ASSERT(begin(0));
	area = test_map(0, 6 * reach, RW, MAP_PRIVATE | MAP_NORESERVE);
	ASSERT(area);
	area = ALIGN(area, reach);
	walk.vma = vma_lookup(p.task.mm, area);
	looks = 0;
	EXPECT_EQ(entries_walk(&walk, area, area + 4 * reach), 0);
	EXPECT_EQ(looks, 2);
	/* 44 regions, in two tables: in batches, and never more than there is room for. */
	for (unsigned int i = 0; i < 44; i++)
		test_user_put(area + (i & 1) * 3 * reach + i * 2 * PAGE_SIZE, i);
	looks = 0;
	walk.stop = false;
	EXPECT_EQ(entries_walk(&walk, area, area + 4 * reach), 0);
	EXPECT_EQ(looks, 1);
	arg[2] = area;
	arg[3] = area + 4 * reach;
	arg[5] = src;
	EXPECT_EQ(test_user_write(uffd_args, arg, sizeof(arg)), sizeof(arg));
	EXPECT_EQ(octavo_pid_pagemap_ioctl(p.task.mm, PAGEMAP_SCAN, uffd_args), 40);
	EXPECT(test_user_read(src, r, sizeof(r)) == sizeof(r));
	for (unsigned int i = 0; i < 40; i++)
		EXPECT_EQ(r[i][0], area + (i < 22 ? i * 4 * PAGE_SIZE : 3 * reach + ((i - 22) * 4 + 2) * PAGE_SIZE));
	EXPECT_EQ(test_user_read(uffd_args, arg, sizeof(arg)), sizeof(arg));
	EXPECT_EQ(arg[4], area + 3 * reach + (18 * 4 + 2) * PAGE_SIZE);
	/* Who has been killed does not go on. */
	p.task.fatal_signal = 1;
	EXPECT_EQ(octavo_pid_pagemap_ioctl(p.task.mm, PAGEMAP_SCAN, uffd_args), -EINTR);
	p.task.fatal_signal = 0;
	end();
}

static char smaps[8192];
static size_t smaps_len;

static void collect(void *arg, const char *text, size_t len)
{
	(void)arg;
	len = min(len, sizeof(smaps) - 1 - smaps_len);
	memcpy(smaps + smaps_len, text, len);
	smaps_len += len;
	smaps[smaps_len] = 0;
}

TEST(userfaultfd, smaps_says_how_it_is_registered)
{
	uintptr_t next;

	ASSERT(begin(0));
	at = map_shmem(MAP_SHARED);
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING | MINOR | (UFFD_HAS_WP ? WP : 0), NULL));
	smaps_len = 0;
	next = at;
	EXPECT_EQ(octavo_pid_map_next(p.task.mm, OCTAVO_PID_SMAPS, &next, collect, NULL), 1);
	EXPECT(strstr(smaps, " um ") && strstr(smaps, " ui ") && !strstr(smaps, " uw ") == !UFFD_HAS_WP);
	end();
	fput(file);
}

TEST(userfaultfd, poison)
{
	struct test_process child;
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	ASSERT(!uffd_copy(ctx, UFFDIO_COPY, page(2), src, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_POISON, at, 3 * PAGE_SIZE, 0, &done), -EAGAIN);
	EXPECT_EQ(done, 2 * PAGE_SIZE);
	EXPECT_REFUSED(page(1), false, 7, BUS_MCEERR_AR);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_POISON, at, PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_POISON, at, PAGE_SIZE, 2, &done), -EINVAL);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_ZEROPAGE, at, PAGE_SIZE, 0, &done), -EEXIST);
	ASSERT(test_process_fork(&child, &p));
	test_switch(&child.task);
	EXPECT_REFUSED(page(1), false, 7, BUS_MCEERR_AR);
	EXPECT(test_user_all(page(2), PAGE_SIZE, 1) && test_user_fill(page(4), 1, 1));
	test_switch(&p.task);
	test_process_exit(&child);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src, PAGE_SIZE, 0, &done), 0);
	EXPECT(test_user_all(page(1), PAGE_SIZE, 1));
	EXPECT_REFUSED(page(0), false, 7, BUS_MCEERR_AR);
	end();
}

TEST(userfaultfd, mincore_of_what_is_only_marked)
{
	s64 done;
	u8 vec[PAGES];

	ASSERT(begin(UFFD_HAS_WP ? UFFD_FEATURE_WP_UNPOPULATED : 0));
	at = map_shmem(MAP_SHARED);
	ASSERT(at && !uffd_register(ctx, at, SIZE, UFFD_HAS_WP ? MISSING | WP : MISSING, NULL));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(1), src, PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, page(2), src, PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(ksys_madvise(page(2), PAGE_SIZE, MADV_DONTNEED), 0);
	EXPECT_EQ(uffd_fill(ctx, UFFDIO_POISON, page(3), PAGE_SIZE, 0, &done), 0);
	if (UFFD_HAS_WP) {
		EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), 0);
		EXPECT(pgt_is_marker(test_user_entry(page(2))) && pgt_is_marker(test_user_entry(page(4))));
	}
	EXPECT_EQ(ksys_mincore(at, SIZE, src), 0);
	EXPECT_EQ(test_user_read(src, vec, PAGES), PAGES);
	/* Nothing but what is in the file. */
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(vec[i], i == 1 || i == 2);
	end();
	fput(file);
}

TEST(userfaultfd, move)
{
	struct test_process child;
	uintptr_t ro;
	s64 done;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, at, src, PAGE_SIZE, 0, &done), -EINVAL);
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, at, src, 2 * PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(done, 2 * PAGE_SIZE);
	EXPECT(test_user_all(page(0), PAGE_SIZE, 1) && test_user_all(page(1), PAGE_SIZE, 2));
	EXPECT(test_user_fill(page(0), 1, 9));
	EXPECT_EQ(test_user_entry(src), 0);
	EXPECT_EQ(mm_verify(report, NULL), 0);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(2), src, PAGE_SIZE, 0, &done), -ENOENT);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(1), src + 2 * PAGE_SIZE, PAGE_SIZE, 0, &done), -EEXIST);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(2), src, 3 * PAGE_SIZE, UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES, &done), 0);
	EXPECT_EQ(done, 3 * PAGE_SIZE);
	EXPECT(test_user_all(page(4), PAGE_SIZE, 3) && test_user_entry(page(2)) == 0);
	/* The zero page moves as itself. */
	EXPECT_EQ(test_user_get(src), 0);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(2), src, PAGE_SIZE, 0, &done), 0);
	EXPECT_EQ(test_user_get(page(2)), 0);
	/* What is not ours alone does not. */
	ASSERT(test_process_fork(&child, &p));
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(3), src + 4 * PAGE_SIZE, PAGE_SIZE, 0, &done), -EBUSY);
	test_process_exit(&child);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(3), src + 4 * PAGE_SIZE + 1, PAGE_SIZE, 0, &done), -EINVAL);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(3), src, PAGE_SIZE, 4, &done), -EINVAL);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(7), src, 2 * PAGE_SIZE, 0, &done), -EINVAL);
	ro = test_map(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(3), ro, PAGE_SIZE, 0, &done), -EINVAL);
	ro = test_map(0, PAGE_SIZE, RW, MAP_SHARED);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_MOVE, page(3), ro, PAGE_SIZE, 0, &done), -EINVAL);
	end();
}

TEST(userfaultfd, moved_memory_is_found_by_its_pages)
{
	struct page *moved;
	struct folio *folio;
	s64 done;

	ASSERT(begin(0));
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	ASSERT(!uffd_copy(ctx, UFFDIO_MOVE, page(3), src + PAGE_SIZE, PAGE_SIZE, 0, &done));
	moved = pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, test_user_entry(page(3)))));
	folio = page_folio(moved);
	EXPECT_EQ(page_mappers(moved), 1);
	folio_get(folio);
	folio_lock(folio);
	EXPECT(try_to_migrate(folio, 0) && !pgt_present(test_user_entry(page(3))));
	remove_migration_ptes(folio, folio);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT(test_user_all(page(3), PAGE_SIZE, 2));
	end();
}

TEST(userfaultfd, migration_keeps_protection)
{
	struct folio *folio;

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT(test_user_fill(at, PAGE_SIZE, 3));
	ASSERT(!uffd_register(ctx, at, SIZE, WP, NULL) && !uffd_protect(ctx, at, SIZE, 1));
	folio = page_folio(pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, test_user_entry(at)))));
	folio_get(folio);
	folio_lock(folio);
	EXPECT(try_to_migrate(folio, 0));
	EXPECT(entry_uffd_wp(test_user_entry(at)) && !pgt_present(test_user_entry(at)));
	EXPECT_EQ(uffd_protect(ctx, at, PAGE_SIZE, 0), 0);
	EXPECT(!entry_uffd_wp(test_user_entry(at)));
	EXPECT_EQ(uffd_protect(ctx, at, PAGE_SIZE, 1), 0);
	remove_migration_ptes(folio, folio);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_REFUSED(at, true, 7, BUS_ADRERR);
	EXPECT(test_user_all(at, PAGE_SIZE, 3));
	end();
}

/* Tables that a child shares have nothing protected: what is taken away elsewhere needs none of them, and no memory. */
TEST(userfaultfd, protection_goes_without_memory)
{
	struct test_process child;
	uintptr_t far;

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	for (unsigned int how = 0; how < 2; how++) {
		ASSERT(begin(UFFD_FEATURE_SIGBUS));
		at = test_map(0, 2 * (pgt_last(1, 0) + 1), RW, MAP_PRIVATE);
		ASSERT(at);
		far = pgt_last(1, at) + 1;
		EXPECT(test_user_fill(at, PAGE_SIZE, 3) && test_user_fill(far, PAGE_SIZE, 3));
		ASSERT(test_process_fork(&child, &p));
		ASSERT(!uffd_register(ctx, at, far + PAGE_SIZE - at, WP, NULL));
		ASSERT(!uffd_protect(ctx, far, PAGE_SIZE, 1));
		EXPECT(entry_uffd_wp(test_user_entry(far)));
		test_user_put(uffd_args, 1);
		fail_nth_set(1);
		if (how) {
			userfaultfd_release(ctx);
			ctx = NULL;
		} else {
			EXPECT_EQ(uffd_range(ctx, UFFDIO_UNREGISTER, at, far + PAGE_SIZE - at), 0);
		}
		fail_nth_set(0);
		EXPECT(!entry_uffd_wp(test_user_entry(far)) && flags_at(at) == 0 && flags_at(far) == 0);
		EXPECT_EQ(mm_verify(report, NULL), 0);
		EXPECT(test_user_fill(at, PAGE_SIZE, 4) && test_user_fill(far, PAGE_SIZE, 4));
		test_switch(&child.task);
		EXPECT(test_user_all(at, PAGE_SIZE, 3) && test_user_all(far, PAGE_SIZE, 3));
		test_switch(&p.task);
		test_process_exit(&child);
		end();
	}
}

TEST(userfaultfd, a_child_without_the_event_has_nothing_of_it)
{
	struct test_process child;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT(test_user_fill(at, 2 * PAGE_SIZE, 3));
	ASSERT(!uffd_register(ctx, at, SIZE, UFFD_HAS_WP ? WP | MISSING : MISSING, NULL));
	if (UFFD_HAS_WP)
		ASSERT(!uffd_protect(ctx, at, SIZE, 1));
	ASSERT(test_process_fork(&child, &p));
	EXPECT_EQ(mm_verify(report, NULL), 0);
	test_switch(&child.task);
	EXPECT_EQ(flags_at(at), 0);
	EXPECT(test_user_all(at, 2 * PAGE_SIZE, 3) && test_user_fill(at, SIZE, 4));
	test_switch(&p.task);
	test_process_exit(&child);
	if (UFFD_HAS_WP)
		EXPECT_REFUSED(page(0), true, 7, BUS_ADRERR);
	EXPECT_REFUSED(page(3), true, 7, BUS_ADRERR);
	EXPECT(test_user_all(at, 2 * PAGE_SIZE, 3));
	end();
}

TEST(userfaultfd, a_move_without_the_event_leaves_it)
{
	long to;

	ASSERT(begin(UFFD_FEATURE_SIGBUS));
	EXPECT(test_user_fill(at, 2 * PAGE_SIZE, 3));
	ASSERT(!uffd_register(ctx, at, SIZE, UFFD_HAS_WP ? WP | MISSING : MISSING, NULL));
	if (UFFD_HAS_WP)
		ASSERT(!uffd_protect(ctx, at, SIZE, 1));
	to = ksys_mremap(at, SIZE, 2 * SIZE, MREMAP_MAYMOVE, 0);
	ASSERT((unsigned long)to < (unsigned long)-4095L);
	at = (uintptr_t)to;
	EXPECT_EQ(flags_at(at), 0);
	EXPECT(test_user_all(at, 2 * PAGE_SIZE, 3) && test_user_fill(at, 2 * SIZE, 4));
	end();
}

TEST(userfaultfd, an_exited_process)
{
	struct test_process other;
	s64 done;

	ASSERT(begin(0));
	ASSERT(test_process_fork(&other, &p));
	ASSERT(!uffd_register(ctx, at, SIZE, MISSING, NULL));
	test_switch(&other.task);
	test_process_exit(&p);
	EXPECT_EQ(uffd_copy(ctx, UFFDIO_COPY, at, src, PAGE_SIZE, 0, &done), -ESRCH);
	EXPECT_EQ(uffd_register(ctx, at, SIZE, MISSING, NULL), -ENOMEM);
	EXPECT_EQ(uffd_protect(ctx, at, SIZE, 1), UFFD_HAS_WP ? -ESRCH : -EINVAL);
	userfaultfd_release(ctx);
	ctx = NULL;
	test_process_exit(&other);
	EXPECT_EQ(mm_verify(report, NULL), 0);
}
