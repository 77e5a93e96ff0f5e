// SPDX-License-Identifier: MIT
/* memfd and seals: every answer as Linux gives it to the same calls. */
#include <octavo/mm.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/cache/shmem.h"
#include "proc_text.h"
#include "tasks.h"

#define NOEXEC "/proc/sys/vm/memfd_noexec"

/* An address, which need not be a positive number, and no error. */
#define MAPPED(at) ((unsigned long)(at) < -4095ul)

static struct test_process p;
static char bytes[64];

static s64 put(struct file *file, u64 pos, size_t n)
{
	struct iov_iter iter = { bytes, n, false };

	return file->f_op->write_iter(file, &iter, &pos);
}

static struct file *make(unsigned int flags, unsigned int pages)
{
	int err = 0;
	struct file *file = memfd_setup("x", flags, &err);

	if (file)
		EXPECT_EQ(shmem_truncate(file->f_inode, pages * PAGE_SIZE), 0);
	else
		test_fail(__FILE__, __LINE__, "no file: %d", err);
	return file;
}

static long map(struct file *file, unsigned long prot, unsigned long flags)
{
	return ksys_mmap(0, PAGE_SIZE, prot, flags, file, 0);
}

TEST(memfd, names_and_flags)
{
	char name[300], text[300];
	struct file *file;
	int err = 0;

	EXPECT(!memfd_setup("x", 0x8000, &err));
	EXPECT_EQ(err, -EINVAL);
	EXPECT(!memfd_setup("x", MFD_EXEC | MFD_NOEXEC_SEAL, &err));
	EXPECT_EQ(err, -EINVAL);
	memset(name, 'a', 250);
	name[250] = '\0';
	EXPECT(!memfd_setup(name, 0, &err));
	EXPECT_EQ(err, -EINVAL);
	name[249] = '\0';
	file = memfd_setup(name, 0, &err);
	ASSERT(file);
	EXPECT_EQ(file->f_op->show_path(file, text, sizeof(text)), 249 + sizeof("/memfd: (deleted)") - 1);
	EXPECT(!strncmp(text, "/memfd:aaa", 10));
	EXPECT_EQ(memfd_get_seals(file), F_SEAL_SEAL);
	EXPECT_EQ(memfd_add_seals(file, 0), -EPERM);
	EXPECT_EQ(file->f_inode->i_mode & 0777, 0777);
	fput(file);
	file = make(MFD_NOEXEC_SEAL, 0);
	ASSERT(file);
	EXPECT_EQ(memfd_get_seals(file), F_SEAL_EXEC);
	EXPECT_EQ(file->f_inode->i_mode & 0777, 0666);
	EXPECT_EQ(shmem_may_chmod(file->f_inode, 0777), -EPERM);
	EXPECT_EQ(shmem_may_chmod(file->f_inode, 0600), 0);
	fput(file);
}

/* /proc/sys/vm/memfd_noexec: what a memfd may that does not say; and that none may. */
TEST(memfd, noexec)
{
	struct file *file;
	int err = 0;

	ASSERT(test_process_start(&p));
	EXPECT_EQ(proc_put(NOEXEC, "1"), -EPERM);
	p.process.capabilities = 1ull << CAP_SYS_ADMIN;
	EXPECT_EQ(proc_put(NOEXEC, "3"), -EINVAL);
	EXPECT_EQ(proc_put(NOEXEC, "1"), 1);
	file = memfd_setup("x", 0, &err);
	ASSERT(file);
	EXPECT_EQ(file->f_inode->i_mode & 0111, 0);
	EXPECT_EQ(memfd_get_seals(file), F_SEAL_EXEC);
	fput(file);
	file = memfd_setup("x", MFD_EXEC, &err);
	ASSERT(file);
	EXPECT_EQ(file->f_inode->i_mode & 0111, 0111);
	fput(file);
	EXPECT_EQ(proc_put(NOEXEC, "2"), 1);
	EXPECT(!memfd_setup("x", MFD_EXEC, &err));
	EXPECT_EQ(err, -EACCES);
	file = memfd_setup("x", 0, &err);
	ASSERT(file);
	EXPECT_EQ(memfd_get_seals(file), F_SEAL_EXEC);
	fput(file);
	EXPECT_EQ(proc_put(NOEXEC, "0"), 1);
	test_process_exit(&p);
}

TEST(memfd, grow_and_shrink)
{
	struct file *file = make(MFD_ALLOW_SEALING, 2);
	const struct file_operations *op = &shmem_file_operations;

	ASSERT(file);
	EXPECT_EQ(memfd_get_seals(file), 0);
	EXPECT_EQ(memfd_add_seals(file, 0x100), -EINVAL);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_GROW), 0);
	EXPECT_EQ(put(file, 2 * PAGE_SIZE, 50), -EPERM);
	EXPECT_EQ(put(file, 2 * PAGE_SIZE - 20, 50), 20);
	EXPECT_EQ(put(file, PAGE_SIZE - 20, 50), 50);
	EXPECT_EQ(shmem_truncate(file->f_inode, 3 * PAGE_SIZE), -EPERM);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	EXPECT_EQ(op->fallocate(file, 0, 0, 4 * PAGE_SIZE), -EPERM);
	EXPECT_EQ(op->fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE_SIZE), -EPERM);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	EXPECT_EQ(shmem_truncate(file->f_inode, 10), -EPERM);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), -EPERM);
	EXPECT_EQ(memfd_get_seals(file), F_SEAL_SHRINK | F_SEAL_SEAL | F_SEAL_GROW);
	file->f_mode = FMODE_READ;
	EXPECT_EQ(memfd_add_seals(file, 0), -EPERM);
	fput(file);
}

TEST(memfd, write)
{
	struct file *file = make(MFD_ALLOW_SEALING, 2);
	long at;

	ASSERT(file);
	ASSERT(test_process_start(&p));
	/* A reader of which mprotect() could make a writer counts. */
	at = map(file, PROT_READ, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), -EBUSY);
	EXPECT_EQ(ksys_mprotect((uintptr_t)at, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(ksys_munmap((uintptr_t)at, PAGE_SIZE), 0);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), 0);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), 0);
	EXPECT_EQ(map(file, PROT_READ | PROT_WRITE, MAP_SHARED), -EPERM);
	at = map(file, PROT_READ, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(ksys_mprotect((uintptr_t)at, PAGE_SIZE, PROT_READ | PROT_WRITE), -EACCES);
	at = map(file, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT(MAPPED(at));
	test_user_put((uintptr_t)at, 1);
	EXPECT_EQ(file->f_op->fallocate(file, 3, 0, PAGE_SIZE), -EPERM);
	EXPECT_EQ(put(file, 0, 1), -EPERM);
	EXPECT_EQ(put(file, 0, 0), 0);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	test_process_exit(&p);
	fput(file);
}

TEST(memfd, future_write)
{
	struct file *file = make(MFD_ALLOW_SEALING, 2);
	long at, second;

	ASSERT(file);
	ASSERT(test_process_start(&p));
	at = map(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_FUTURE_WRITE), 0);
	test_user_put((uintptr_t)at, 7);
	EXPECT_EQ(put(file, 0, 1), -EPERM);
	second = map(file, PROT_READ, MAP_SHARED);
	EXPECT(MAPPED(second));
	EXPECT_EQ(test_user_get((uintptr_t)second), 7);
	EXPECT_EQ(ksys_mprotect((uintptr_t)second, PAGE_SIZE, PROT_READ | PROT_WRITE), -EACCES);
	EXPECT_EQ(map(file, PROT_READ | PROT_WRITE, MAP_SHARED), -EPERM);
	EXPECT_EQ(ksys_madvise((uintptr_t)at, PAGE_SIZE, MADV_REMOVE), -EPERM);
	test_process_exit(&p);
	fput(file);
}

/* Programs do not change: the seal of execution brings the others. */
TEST(memfd, exec)
{
	struct file *file = make(MFD_ALLOW_SEALING | MFD_EXEC, 2);
	long at;

	ASSERT(file);
	ASSERT(test_process_start(&p));
	at = map(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_EXEC), -EBUSY);
	EXPECT_EQ(memfd_get_seals(file), 0);
	EXPECT_EQ(ksys_munmap((uintptr_t)at, PAGE_SIZE), 0);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_EXEC), 0);
	EXPECT_EQ(memfd_get_seals(file),
		  F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	test_process_exit(&p);
	fput(file);
}

/* Whoever has pinned a page may write to it without a mapping. */
TEST(memfd, pinned)
{
	struct file *file = make(MFD_ALLOW_SEALING, 1);
	struct page *page;
	long at;

	ASSERT(file);
	ASSERT(test_process_start(&p));
	at = map(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(pin_user_pages_fast((uintptr_t)at, 1, FOLL_WRITE, &page), 1);
	EXPECT_EQ(ksys_munmap((uintptr_t)at, PAGE_SIZE), 0);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), -EBUSY);
	at = map(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT(MAPPED(at));
	EXPECT_EQ(ksys_munmap((uintptr_t)at, PAGE_SIZE), 0);
	unpin_user_pages(&page, 1);
	EXPECT_EQ(memfd_add_seals(file, F_SEAL_WRITE), 0);
	test_process_exit(&p);
	fput(file);
}
