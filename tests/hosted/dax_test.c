// SPDX-License-Identifier: MIT
/* Files whose contents are a device's memory, and /dev/mem. */
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>

#include "mmu.h"
#include "harness.h"
#include "hosted.h"
#include "mm/cache/shmem.h"
#include "mm/vm/vm.h"
#include "tasks.h"

#define DEVICE ((phys_addr_t)0x20000000)
#define SIZE ((size_t)4 * PAGE_SIZE)
#define RW (PROT_READ | PROT_WRITE)

/* An address, which need not be a positive number, and no error. */
#define MAPPED(at) ((unsigned long)(at) < -4095ul)

static struct test_process p;

static s64 put(struct file *file, u64 pos, const void *from, size_t n)
{
	struct iov_iter iter = { (void *)(uintptr_t)from, n, false };

	return file->f_op->write_iter(file, &iter, &pos);
}

static s64 get(struct file *file, u64 pos, void *to, size_t n)
{
	struct iov_iter iter = { to, n, false };

	return file->f_op->read_iter(file, &iter, &pos);
}

static struct file *plug_in(void)
{
	int err = 0;
	struct file *file = hosted_device_add(DEVICE, SIZE) ? NULL : dax_file_setup("pmem0", DEVICE, SIZE, &err);

	if (!file)
		test_fail(__FILE__, __LINE__, "no file: %d", err);
	return file;
}

TEST(dax, read_and_write)
{
	struct file *file = plug_in();
	u8 *device = arena_phys(DEVICE);
	char text[32];

	ASSERT(file && device);
	memcpy(device + PAGE_SIZE - 2, "abcdef", 6);
	EXPECT_EQ(get(file, PAGE_SIZE - 2, text, 6), 6);
	EXPECT(!memcmp(text, "abcdef", 6));
	EXPECT_EQ(put(file, SIZE - 3, "xyzabc", 6), 3);
	EXPECT(!memcmp(device + SIZE - 3, "xyz", 3));
	EXPECT_EQ(put(file, SIZE, "x", 1), -ENOSPC);
	EXPECT_EQ(get(file, SIZE, text, 1), 0);
	EXPECT_EQ(get(file, SIZE - 1, text, 5), 1);
	EXPECT_EQ(file->f_op->show_path(file, text, sizeof(text)), 6);
	EXPECT_STREQ(text, "/pmem0");
	fput(file);
}

TEST(dax, mapped)
{
	struct file *file = plug_in();
	u8 *device = arena_phys(DEVICE);
	uintptr_t shared, private;
	long at;
	char text[8];

	ASSERT(file && device);
	ASSERT(test_process_start(&p));
	shared = test_map_file(0, SIZE + PAGE_SIZE, RW, MAP_SHARED, file, 0);
	private = test_map_file(0, SIZE, RW, MAP_PRIVATE, file, 0);
	memcpy(device + 100, "device", 6);
	EXPECT_EQ(test_user_read(shared + 100, text, 6), 6);
	EXPECT(!memcmp(text, "device", 6));
	EXPECT_EQ(test_user_write(shared + 100, "DE", 2), 2);
	EXPECT(!memcmp(device + 100, "DEvice", 6));
	EXPECT_EQ(test_user_read(private + 100, text, 6), 6);
	EXPECT(!memcmp(text, "DEvice", 6));
	/* Read before it is written, and written at once: a copy either way. */
	EXPECT_EQ(test_user_write(private + 100, "mine", 4), 4);
	EXPECT_EQ(test_user_write(private + PAGE_SIZE, "mine", 4), 4);
	EXPECT(!memcmp(device + 100, "DEvice", 6) && !device[PAGE_SIZE]);
	EXPECT_EQ(test_user_read(private + 100, text, 6), 6);
	EXPECT(!memcmp(text, "minece", 6));
	EXPECT_REFUSED(shared + SIZE, false, 7, 2);
	EXPECT_EQ(file->f_mapping->nrpages, 0);
	at = ksys_mmap(0, SIZE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0);
	EXPECT(MAPPED(at));
	EXPECT_EQ(test_user_write((uintptr_t)at, "sync", 4), 4);
	EXPECT(!memcmp(device, "sync", 4));
	expect_verified();
	test_process_exit(&p);
	fput(file);
	expect_verified();
}

TEST(dax, refused)
{
	int err = 0;

	EXPECT_EQ(hosted_device_add(DEVICE, SIZE), 0);
	test_capture_begin();
	EXPECT(!dax_file_setup("odd", DEVICE + 5, SIZE, &err));
	EXPECT_EQ(err, -EINVAL);
	err = 0;
	EXPECT(!dax_file_setup("empty", DEVICE, 0, &err));
	EXPECT_EQ(err, -EINVAL);
	err = 0;
	EXPECT(!dax_file_setup("ram", 0x100000, SIZE, &err));
	EXPECT_EQ(err, -EINVAL);
	EXPECT(strstr(test_capture_end(), "memory of the machine's own"));
}

/* ---- /dev/mem ---- */

static struct inode node;

static struct file *dev_mem(void)
{
	memset(&node, 0, sizeof(node));
	if (hosted_device_add(DEVICE, SIZE) || inode_init_mapping(&node, &shmem_aops, GFP_KERNEL))
		return NULL;
	ihold(&node); /* it is not for iput() to free */
	return alloc_file(&node, FMODE_READ | FMODE_WRITE, O_RDWR, &dev_mem_fops);
}

TEST(dev_mem, devices_and_no_ram)
{
	struct file *file = dev_mem();
	u8 *device = arena_phys(DEVICE);
	unsigned long value = 0;
	char text[200];
	long at;

	ASSERT(file && device);
	memcpy(device + PAGE_SIZE - 50, "registers", 9);
	EXPECT_EQ(get(file, DEVICE + PAGE_SIZE - 50, text, 100), 100);
	EXPECT(!memcmp(text, "registers", 9));
	EXPECT_EQ(put(file, DEVICE + 8, "xyz", 3), 3);
	EXPECT(!memcmp(device + 8, "xyz", 3));
	EXPECT_EQ(get(file, 0x100000, text, 8), -EPERM);
	EXPECT_EQ(put(file, 0x100000, text, 8), -EPERM);
	EXPECT_EQ(get(file, (u64)1 << 60, text, 8), 0);
	EXPECT_EQ(put(file, (u64)1 << 60, text, 8), -EFAULT);
	EXPECT_EQ(dev_mem_fops.llseek(file, (s64)DEVICE, 0), (s64)DEVICE);
	EXPECT_EQ(dev_mem_fops.llseek(file, 0, 2), -EINVAL);
	ASSERT(test_process_start(&p));
	at = ksys_mmap(0, SIZE, RW, MAP_SHARED, file, DEVICE);
	EXPECT(MAPPED(at));
	EXPECT_EQ(test_user_write((uintptr_t)at + 16, "mapped", 6), 6);
	EXPECT(!memcmp(device + 16, "mapped", 6));
	EXPECT_EQ(access_remote_vm(p.task.mm, (uintptr_t)at + 16, &value, 4, 0), 4);
	EXPECT_EQ(ksys_mmap(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0x100000), -EPERM);
	EXPECT_EQ(ksys_mmap(0, 2 * SIZE, PROT_READ, MAP_SHARED, file, 0xfe000), -EPERM);
	EXPECT_EQ(ksys_madvise((uintptr_t)at, PAGE_SIZE, MADV_DOFORK), -EINVAL);
	EXPECT_EQ(ksys_madvise((uintptr_t)at, PAGE_SIZE, MADV_DODUMP), -EINVAL);
	EXPECT_EQ(ksys_madvise((uintptr_t)at, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	EXPECT_EQ(ksys_madvise((uintptr_t)at, PAGE_SIZE, MADV_POPULATE_READ), -EINVAL);
	EXPECT_EQ(ksys_mlock((uintptr_t)at, PAGE_SIZE, 0), 0);
	EXPECT_EQ(p.task.mm->locked_vm, 0);
	expect_verified();
	test_process_exit(&p);
	fput(file);
	inode_evict_mapping(&node);
}
