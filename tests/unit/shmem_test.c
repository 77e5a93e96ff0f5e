// SPDX-License-Identifier: MIT
/* shmem files: contents, holes, limits, what is counted. The answers are those of Linux, asked with the same calls. */
#include <octavo/fault.h>
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "fault.h"
#include "harness.h"
#include "mm/cache/shmem.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "mm/vm/account.h"
#include "tasks.h"

enum { DATA = 3, HOLE = 4 };

static unsigned int findings;
static char finding_text[200];

static void note(void *ctx, const char *line)
{
	(void)ctx;
	/* What is wrong about a folio, its list's verifier may see as well. */
	if (!strstr(line, "SH-"))
		return;
	strscpy(finding_text, line, sizeof(finding_text));
	findings++;
}

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

static struct file *make(u64 size, u64 flags)
{
	int err = 0;
	struct file *file = shmem_file_setup("test", size, flags, &err);

	if (!file)
		test_fail(__FILE__, __LINE__, "no file: %d", err);
	return file;
}

static struct file *make_in(struct shmem_sb *sb)
{
	struct inode *inode = shmem_inode_alloc(sb, S_IFREG | 0644, VM_NORESERVE);
	struct file *file = inode ? alloc_file(inode, FMODE_READ | FMODE_WRITE, O_RDWR, &shmem_file_operations) : NULL;

	if (inode && !file)
		iput(inode);
	return file;
}

static unsigned long pages_of(const struct file *file)
{
	return shmem_i(file->f_inode)->alloced;
}

/* SH-I1 SH-I4: what is written is read, holes cost nothing, and every page is counted. */
TEST(shmem, holes_and_bytes)
{
	long shmem = (long)global_node_page_state(NR_SHMEM), file_pages = (long)global_node_page_state(NR_FILE_PAGES);
	struct file *file = make(0, VM_NORESERVE);
	char text[64];

	ASSERT(file);
	EXPECT_EQ(get(file, 0, text, 10), 0);
	EXPECT_EQ(put(file, 3 * PAGE_SIZE + 10, "hello", 5), 5);
	EXPECT_EQ(i_size_read(file->f_inode), 3 * PAGE_SIZE + 15);
	EXPECT_EQ(pages_of(file), 1);
	EXPECT_EQ(file->f_inode->i_blocks, 8);
	memset(text, 7, sizeof(text));
	EXPECT_EQ(get(file, 3 * PAGE_SIZE, text, sizeof(text)), 15);
	EXPECT(!memcmp(text, "\0\0\0\0\0\0\0\0\0\0hello\7", 16));
	memset(text, 7, sizeof(text));
	EXPECT_EQ(get(file, PAGE_SIZE - 3, text, sizeof(text)), sizeof(text));
	for (unsigned int i = 0; i < sizeof(text); i++)
		EXPECT_EQ(text[i], 0);
	EXPECT_EQ(pages_of(file), 1);
	EXPECT_EQ((long)global_node_page_state(NR_SHMEM) - shmem, 1);
	EXPECT_EQ((long)global_node_page_state(NR_FILE_PAGES) - file_pages, 1);
	EXPECT_EQ(get(file, 3 * PAGE_SIZE + 12, text, 10), 3);
	EXPECT_EQ(get(file, 3 * PAGE_SIZE + 15, text, 10), 0);
	/* Across a boundary, into a page that is there and one that is not. */
	EXPECT_EQ(put(file, 4 * PAGE_SIZE - 2, "abcd", 4), 4);
	EXPECT_EQ(get(file, 4 * PAGE_SIZE - 3, text, 10), 5);
	EXPECT(!memcmp(text, "\0abcd", 5));
	expect_verified();
	fput(file);
	rcu_barrier();
	EXPECT_EQ((long)global_node_page_state(NR_SHMEM), shmem);
	EXPECT_EQ((long)global_node_page_state(NR_FILE_PAGES), file_pages);
}

/* SH-I2: an instance's limits. */
TEST(shmem, instance_limits)
{
	struct shmem_sb sb = { .max_blocks = 3, .max_inodes = 2 };
	struct file *a = make_in(&sb), *b = make_in(&sb);
	char page[64];
	u64 out[4];

	ASSERT(a && b);
	EXPECT(!make_in(&sb));
	memset(page, 1, sizeof(page));
	EXPECT_EQ(put(a, 0, page, 10), 10);
	EXPECT_EQ(put(a, PAGE_SIZE, page, 10), 10);
	EXPECT_EQ(put(b, 0, page, 10), 10);
	EXPECT_EQ(put(b, PAGE_SIZE, page, 10), -ENOSPC);
	EXPECT_EQ(i_size_read(b->f_inode), 10);
	/* What fits is written. */
	EXPECT_EQ(put(a, 2 * PAGE_SIZE - 5, page, 10), 5);
	shmem_statfs(&sb, out);
	EXPECT(out[0] == 3 && out[1] == 0 && out[2] == 2 && out[3] == 0);
	expect_verified();
	EXPECT_EQ(shmem_truncate(a->f_inode, 100), 0);
	EXPECT_EQ(sb.used_blocks, 2);
	EXPECT_EQ(put(b, PAGE_SIZE, page, 10), 10);
	EXPECT_EQ(a->f_op->fallocate(a, 0, 0, 4 * PAGE_SIZE), -ENOSPC);
	EXPECT_EQ(a->f_op->fallocate(a, 0, 0, 2 * PAGE_SIZE), -ENOSPC);
	EXPECT_EQ(pages_of(a), 1);
	expect_verified();
	fput(a);
	fput(b);
	EXPECT_EQ(sb.used_blocks, 0);
	EXPECT_EQ(sb.used_inodes, 0);
	EXPECT_EQ(shmem_reserve_inode(&sb), 0);
	EXPECT_EQ(shmem_reserve_inode(&sb), 0);
	EXPECT_EQ(shmem_reserve_inode(&sb), -ENOSPC);
	shmem_release_inode(&sb);
	shmem_release_inode(&sb);
}

/* The commit charge: of a whole file when its size is set, or of each page (VM_NORESERVE). */
TEST(shmem, accounting)
{
	long before = (long)vm_committed_pages();
	struct file *whole = make(10 * PAGE_SIZE - 5, 0), *each = make(10 * PAGE_SIZE, VM_NORESERVE);

	ASSERT(whole && each);
	EXPECT_EQ((long)vm_committed_pages() - before, 10);
	EXPECT_EQ(put(whole, 0, "x", 1), 1);
	EXPECT_EQ((long)vm_committed_pages() - before, 10);
	EXPECT_EQ(put(each, 0, "x", 1), 1);
	EXPECT_EQ(put(each, 5 * PAGE_SIZE, "x", 1), 1);
	EXPECT_EQ((long)vm_committed_pages() - before, 12);
	EXPECT_EQ(shmem_truncate(whole->f_inode, 4 * PAGE_SIZE), 0);
	EXPECT_EQ(shmem_truncate(each->f_inode, 4 * PAGE_SIZE), 0);
	EXPECT_EQ((long)vm_committed_pages() - before, 5);
	EXPECT_EQ(shmem_truncate(whole->f_inode, 6 * PAGE_SIZE), 0);
	EXPECT_EQ((long)vm_committed_pages() - before, 7);
	fput(whole);
	fput(each);
	EXPECT_EQ((long)vm_committed_pages(), before);
}

/* A file that is accounted by its size is so by whoever makes it longer. */
TEST(shmem, accounting_of_growth)
{
	struct iov_iter nothing = { (void *)(uintptr_t)0x40000000, 10, true };
	struct test_process p;
	u64 pos = 20 * PAGE_SIZE;
	struct file *file;
	char text[20] = "";
	long before;

	ASSERT(test_process_start(&p));
	before = (long)vm_committed_pages();
	file = make(PAGE_SIZE, 0);
	ASSERT(file);
	EXPECT_EQ(put(file, PAGE_SIZE - 10, text, 20), 20);
	EXPECT_EQ((long)vm_committed_pages() - before, 2);
	EXPECT_EQ(put(file, 9 * PAGE_SIZE, text, 20), 20);
	EXPECT_EQ((long)vm_committed_pages() - before, 10);
	EXPECT_EQ(file->f_op->write_iter(file, &nothing, &pos), -EFAULT);
	EXPECT_EQ((long)vm_committed_pages() - before, 10);
	EXPECT_EQ(file->f_op->fallocate(file, FALLOC_FL_KEEP_SIZE, 10 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
	EXPECT_EQ((long)vm_committed_pages() - before, 10);
	EXPECT_EQ(file->f_op->fallocate(file, 0, 11 * PAGE_SIZE, 5), 0);
	EXPECT_EQ((long)vm_committed_pages() - before, 12);
	EXPECT_EQ(shmem_truncate(file->f_inode, 3 * PAGE_SIZE), 0);
	EXPECT_EQ((long)vm_committed_pages() - before, 3);
	fput(file);
	EXPECT_EQ((long)vm_committed_pages(), before);
	test_process_exit(&p);
}

/* Nothing of it can be dropped and had again: advice is heard and changes nothing. */
TEST(shmem, fadvise)
{
	struct file *file = make(4 * PAGE_SIZE, VM_NORESERVE);
	struct test_process p;
	uintptr_t at;

	ASSERT(file && test_process_start(&p));
	at = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	EXPECT_EQ(test_user_get(at), 0);
	EXPECT_EQ(ksys_munmap(at, PAGE_SIZE), 0);
	EXPECT_EQ(pages_of(file), 1);
	for (int advice = POSIX_FADV_NORMAL; advice <= POSIX_FADV_NOREUSE; advice++)
		EXPECT_EQ(generic_fadvise(file, 0, 0, advice), 0);
	EXPECT_EQ(generic_fadvise(file, 0, 0, 6), -EINVAL);
	EXPECT_EQ(generic_fadvise(file, 0, 0, -1), -EINVAL);
	EXPECT_EQ(pages_of(file), 1);
	expect_verified();
	test_process_exit(&p);
	fput(file);
}

TEST(shmem, size_limits)
{
	struct test_process p;
	struct file *file = make(0, VM_NORESERVE);
	char text[16] = "0123456789";
	int err = 0;

	ASSERT(file);
	EXPECT_EQ(put(file, (u64)1 << 62, text, 5), -EFBIG);
	EXPECT_EQ(shmem_truncate(file->f_inode, (u64)1 << 62), -EFBIG);
	EXPECT_EQ(shmem_truncate(file->f_inode, SHMEM_MAX_BYTES), 0);
	EXPECT_EQ(put(file, SHMEM_MAX_BYTES - 5, text, 10), 5);
	EXPECT_EQ(pages_of(file), 1);
	EXPECT_EQ(file->f_op->llseek(file, 0, DATA), (s64)(SHMEM_MAX_BYTES - PAGE_SIZE));
	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	EXPECT(!shmem_file_setup("large", SHMEM_MAX_BYTES + 1, VM_NORESERVE, &err));
	EXPECT_EQ(err, -EINVAL);
	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_FSIZE].cur = 100;
	EXPECT_EQ(put(file, 95, text, 10), 5);
	EXPECT_EQ(put(file, 100, text, 10), -EFBIG);
	EXPECT_EQ(shmem_truncate(file->f_inode, 101), -EFBIG);
	EXPECT_EQ(file->f_op->fallocate(file, 0, 0, 101), -EFBIG);
	EXPECT_EQ(put(file, 100, text, 0), 0);
	p.process.rlimit[RLIMIT_FSIZE].cur = RLIM_INFINITY;
	file->f_flags |= O_APPEND;
	EXPECT_EQ(put(file, 0, "end", 3), 3);
	EXPECT_EQ(get(file, 100, text, 10), 3);
	EXPECT(!memcmp(text, "end", 3));
	test_process_exit(&p);
	fput(file);
}

TEST(shmem, seek)
{
	struct file *file = make(10 * PAGE_SIZE, VM_NORESERVE);
	const struct file_operations *op = &shmem_file_operations;
	s64 page = (s64)PAGE_SIZE;

	ASSERT(file);
	EXPECT_EQ(op->llseek(file, 0, DATA), -ENXIO);
	EXPECT_EQ(op->llseek(file, 5, HOLE), 5);
	EXPECT_EQ(op->llseek(file, 10 * page, HOLE), -ENXIO);
	EXPECT_EQ(op->llseek(file, -1, DATA), -ENXIO);
	EXPECT_EQ(op->fallocate(file, 0, PAGE_SIZE, 2 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_of(file), 2);
	EXPECT_EQ(op->llseek(file, 0, DATA), -ENXIO);
	EXPECT_EQ(put(file, 4 * PAGE_SIZE + 5, "0123456789", 10), 10);
	EXPECT_EQ(op->llseek(file, 0, DATA), 4 * page);
	EXPECT_EQ(op->llseek(file, 4 * page + 7, DATA), 4 * page + 7);
	EXPECT_EQ(op->llseek(file, 4 * page + 7, HOLE), 5 * page);
	EXPECT_EQ(op->fallocate(file, 0, PAGE_SIZE, 2 * PAGE_SIZE), 0);
	EXPECT_EQ(op->llseek(file, 0, DATA), page);
	EXPECT_EQ(op->llseek(file, page, HOLE), 3 * page);
	EXPECT_EQ(op->llseek(file, 0, 9), -EINVAL);
	EXPECT_EQ(op->llseek(file, -1, 0), -EINVAL);
	EXPECT_EQ(op->llseek(file, 1, 2), 10 * page + 1);
	EXPECT_EQ(op->llseek(file, INT64_MAX, 1), -EINVAL);
	EXPECT_EQ(op->llseek(file, -1, 1), 10 * page);
	expect_verified();
	fput(file);
}

TEST(shmem, fallocate_answers)
{
	struct file *file = make(10 * PAGE_SIZE, VM_NORESERVE);
	const struct file_operations *op = &shmem_file_operations;
	char text[16];

	ASSERT(file);
	EXPECT_EQ(op->fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, PAGE_SIZE), -EOPNOTSUPP);
	EXPECT_EQ(op->fallocate(file, 0, 0, 0), -EINVAL);
	EXPECT_EQ(op->fallocate(file, 0x10, 0, PAGE_SIZE), -EOPNOTSUPP);
	EXPECT_EQ(op->fallocate(file, 0, 0x7ffffffffffff000, PAGE_SIZE), -EFBIG);
	EXPECT_EQ(op->fallocate(file, FALLOC_FL_KEEP_SIZE, 9 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(i_size_read(file->f_inode), 10 * PAGE_SIZE);
	EXPECT_EQ(pages_of(file), 3);
	EXPECT_EQ(op->fallocate(file, 0, 11 * PAGE_SIZE, 5), 0);
	EXPECT_EQ(i_size_read(file->f_inode), 11 * PAGE_SIZE + 5);
	EXPECT_EQ(get(file, 11 * PAGE_SIZE, text, 16), 5);
	EXPECT(!memcmp(text, "\0\0\0\0\0", 5));
	/* Parts of pages become zeros, whole ones go. */
	for (unsigned int i = 0; i < 4; i++)
		for (unsigned int at = 0; at < PAGE_SIZE; at += 16)
			EXPECT_EQ(put(file, i * PAGE_SIZE + at, "0123456789abcdef", 16), 16);
	EXPECT_EQ(pages_of(file), 7);
	EXPECT_EQ(op->fallocate(file, 3, 8, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_of(file), 5);
	EXPECT_EQ(get(file, 0, text, 16), 16);
	EXPECT(!memcmp(text, "01234567\0\0\0\0\0\0\0\0", 16));
	EXPECT_EQ(get(file, 3 * PAGE_SIZE, text, 16), 16);
	EXPECT(!memcmp(text, "\0\0\0\0\0\0\0\089abcdef", 16));
	EXPECT_EQ(i_size_read(file->f_inode), 11 * PAGE_SIZE + 5);
	expect_verified();
	fput(file);
}

/* What a failed fallocate() had put there goes; what an earlier one had, and what was written, stays. */
TEST(shmem, fallocate_undo)
{
	struct shmem_sb sb = { .max_blocks = 8 };
	struct file *file = make_in(&sb), *other = make_in(&sb);
	char text[4];

	ASSERT(file && other);
	EXPECT_EQ(put(file, 2 * PAGE_SIZE, "data", 4), 4);
	EXPECT_EQ(file->f_op->fallocate(file, FALLOC_FL_KEEP_SIZE, 4 * PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(other->f_op->fallocate(other, 0, 0, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(file->f_op->fallocate(file, 0, 0, 8 * PAGE_SIZE), -ENOSPC);
	EXPECT_EQ(pages_of(file), 2);
	EXPECT_EQ(i_size_read(file->f_inode), 2 * PAGE_SIZE + 4);
	EXPECT_EQ(get(file, 2 * PAGE_SIZE, text, 4), 4);
	EXPECT(!memcmp(text, "data", 4));
	expect_verified();
	fput(file);
	fput(other);
}

/* SH-I3: nothing is left behind the end. */
TEST(shmem, truncate)
{
	struct file *file = make(0, VM_NORESERVE);
	char text[32];

	ASSERT(file);
	for (unsigned int i = 0; i < 70; i++)
		EXPECT_EQ(put(file, i * PAGE_SIZE + 100, "0123456789", 10), 10);
	EXPECT_EQ(pages_of(file), 70);
	EXPECT_EQ(shmem_truncate(file->f_inode, 3 * PAGE_SIZE + 105), 0);
	EXPECT_EQ(pages_of(file), 4);
	EXPECT_EQ(get(file, 3 * PAGE_SIZE + 100, text, 32), 5);
	/* Bytes that were cut off do not come back. */
	EXPECT_EQ(shmem_truncate(file->f_inode, 5 * PAGE_SIZE), 0);
	EXPECT_EQ(get(file, 3 * PAGE_SIZE + 100, text, 12), 12);
	EXPECT(!memcmp(text, "01234\0\0\0\0\0\0\0", 12));
	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	EXPECT_EQ(pages_of(file), 0);
	EXPECT_EQ(file->f_inode->i_blocks, 0);
	expect_verified();
	fput(file);
}

/* ---- Mappings ---- */

TEST(shmem, mapped)
{
	struct file *file = make(3 * PAGE_SIZE, VM_NORESERVE);
	struct test_process p;
	uintptr_t shared, private;
	char text[16];

	ASSERT(file);
	ASSERT(test_process_start(&p));
	shared = test_map_file(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	private = test_map_file(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	EXPECT_EQ(put(file, 10, "file", 4), 4);
	EXPECT_EQ(test_user_read(shared + 10, text, 4), 4);
	EXPECT(!memcmp(text, "file", 4));
	EXPECT_EQ(test_user_read(private + 10, text, 4), 4);
	EXPECT(!memcmp(text, "file", 4));
	EXPECT_EQ(test_user_write(private + 10, "mine", 4), 4);
	EXPECT_EQ(test_user_write(shared + 12, "LE", 2), 2);
	EXPECT_EQ(get(file, 10, text, 4), 4);
	EXPECT(!memcmp(text, "fiLE", 4));
	/* A hole is filled by a look at it through a mapping. */
	EXPECT_EQ(pages_of(file), 1);
	EXPECT_EQ(test_user_get(shared + 2 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_of(file), 2);
	test_user_put(shared + PAGE_SIZE, 77);
	EXPECT_EQ(pages_of(file), 3);
	EXPECT_EQ(test_user_get(private + PAGE_SIZE), 77);
	EXPECT_REFUSED(shared + 3 * PAGE_SIZE, true, 7, 2);
	EXPECT_REFUSED(private + 3 * PAGE_SIZE, false, 7, 2);
	/* What is cut off is gone from mappings, private copies included; a hole leaves those. */
	EXPECT_EQ(file->f_op->fallocate(file, 3, 0, PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(shared), 0);
	EXPECT_EQ(test_user_read(private + 10, text, 4), 4);
	EXPECT(!memcmp(text, "mine", 4));
	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	EXPECT_REFUSED(shared, false, 7, 2);
	EXPECT_REFUSED(private, false, 7, 2);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(private), 0);
	expect_verified();
	test_process_exit(&p);
	expect_verified();
	fput(file);
}

static bool page_is_dirty(struct file *file, unsigned long index)
{
	struct folio *folio = filemap_get_folio(file->f_mapping, index);
	bool dirty = folio && PageDirty(&folio->page);

	if (folio)
		folio_put(folio);
	return dirty;
}

/*
 * A page that a mapping has written to is dirty: at once if that took a fault, and if the processor could mark the
 * entry by itself, when the entry goes. Else whoever is short of memory might take it for a hole.
 */
TEST(shmem, what_a_mapping_has_written_is_dirty)
{
	static struct test_process p, child;
	struct file *file = make(3 * PAGE_SIZE, VM_NORESERVE);
	uintptr_t at;

	ASSERT(file);
	ASSERT(test_process_start(&p));
	at = test_map_file(0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	test_user_put(at, 1);
	EXPECT(page_is_dirty(file, 0));
	for (unsigned int i = 1; i < 3; i++) {
		EXPECT_EQ(test_user_get(at + i * PAGE_SIZE), 0);
		EXPECT(!page_is_dirty(file, i));
		test_user_put(at + i * PAGE_SIZE, 1);
	}
	EXPECT_EQ(ksys_munmap(at + PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT(page_is_dirty(file, 1));
	/* By way of a table that a child has as well, and is the last to have. */
	ASSERT(test_process_fork(&child, &p));
	test_process_exit(&p);
	test_switch(&child.task);
	test_process_exit(&child);
	EXPECT(page_is_dirty(file, 2));
	expect_verified();
	fput(file);
}

/* Over the instance's limit a store by a mapping is SIGBUS. */
TEST(shmem, full_instance_is_sigbus)
{
	struct shmem_sb sb = { .max_blocks = 1 };
	struct file *file = make_in(&sb);
	struct test_process p;
	uintptr_t at;

	ASSERT(file);
	EXPECT_EQ(shmem_truncate(file->f_inode, 4 * PAGE_SIZE), 0);
	ASSERT(test_process_start(&p));
	at = test_map_file(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	test_user_put(at, 1);
	EXPECT_REFUSED(at + PAGE_SIZE, true, 7, 2);
	EXPECT_REFUSED(at + PAGE_SIZE, false, 7, 2);
	EXPECT_EQ(test_user_get(at), 1);
	test_process_exit(&p);
	fput(file);
	EXPECT_EQ(sb.used_blocks, 0);
}

/* Shared anonymous memory and /dev/zero. */
TEST(shmem, shared_anonymous)
{
	struct test_process p, child;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = test_map(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	test_user_put(at, 5);
	ASSERT(test_process_fork(&child, &p));
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(at), 5);
	test_user_put(at + PAGE_SIZE, 6);
	test_process_exit(&child);
	test_switch(&p.task);
	EXPECT_EQ(test_user_get(at + PAGE_SIZE), 6);
	expect_verified();
	test_process_exit(&p);
}

TEST(dev_zero, read_write_map)
{
	struct inode inode;
	struct file *file;
	struct test_process p;
	uintptr_t shared, private;
	char text[16];

	memset(&inode, 0, sizeof(inode));
	ASSERT(!inode_init_mapping(&inode, &shmem_aops, GFP_KERNEL));
	file = alloc_file(&inode, FMODE_READ | FMODE_WRITE, O_RDWR, &dev_zero_fops);
	ASSERT(file);
	memset(text, 7, sizeof(text));
	EXPECT_EQ(get(file, 0, text, 16), 16);
	EXPECT(!memcmp(text, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
	EXPECT_EQ(put(file, 0, text, 16), 16);
	EXPECT_EQ(dev_zero_fops.llseek(file, 5, 0), 0);
	ASSERT(test_process_start(&p));
	shared = test_map_file(0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	private = test_map_file(0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	EXPECT_EQ(test_user_get(shared), 0);
	EXPECT_EQ(test_user_get(private), 0);
	test_user_put(shared, 1);
	test_user_put(private, 2);
	EXPECT_EQ(test_user_get(shared), 1);
	expect_verified();
	test_process_exit(&p);
	ihold(&inode); /* ours is on the stack: it is not for iput() to free */
	fput(file);
	inode_evict_mapping(&inode);
}

/* ---- Faults of memory ---- */

static bool fill(void *ctx)
{
	struct file *file = ctx;
	long before = (long)vm_committed_pages();
	bool done = put(file, 0, "x", 1) == 1 && put(file, 100 * PAGE_SIZE, "y", 1) == 1 &&
		    !file->f_op->fallocate(file, 0, 200 * PAGE_SIZE, 3 * PAGE_SIZE);

	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	EXPECT_EQ((long)vm_committed_pages(), before);
	return done;
}

static bool set_up(void *ctx)
{
	int err = 0;
	struct file *file = shmem_file_setup("fault", 5 * PAGE_SIZE, 0, &err);

	(void)ctx;
	if (file)
		fput(file);
	else
		EXPECT_EQ(err, -ENOMEM);
	return file;
}

static void check(void *ctx)
{
	(void)ctx;
	expect_verified();
}

TEST(shmem, without_memory)
{
	struct file *file = make(0, VM_NORESERVE);

	ASSERT(file);
	EXPECT(fault_each_among(FAIL_NTH_ALL, fill, check, file) > 4);
	fput(file);
	EXPECT(fault_each_among(FAIL_NTH_ALL, set_up, check, NULL) > 2);
}

/* ---- The verifier catches each (SH-I1, SH-I2, SH-I3, SH-I4) ---- */

static void expect_finding(const char *id)
{
	findings = 0;
	finding_text[0] = '\0';
	EXPECT(mm_verify(note, NULL) >= 1);
	EXPECT_EQ(findings, 1);
	EXPECT(strstr(finding_text, id));
}

TEST(shmem, verifier)
{
	struct shmem_sb sb = { 0 };
	struct file *file = make_in(&sb);
	struct shmem_inode *info;
	struct test_process p;
	struct folio *folio;

	ASSERT(file);
	info = shmem_i(file->f_inode);
	EXPECT_EQ(put(file, PAGE_SIZE, "x", 1), 1);
	expect_verified();
	info->inode.i_blocks++;
	expect_finding("SH-I1");
	info->inode.i_blocks--;
	sb.used_blocks++;
	expect_finding("SH-I2");
	sb.used_blocks--;
	folio = filemap_get_folio(file->f_mapping, 1);
	ASSERT(folio);
	ASSERT(test_process_start(&p));
	test_user_put(test_map_file(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE_SIZE), 1);
	i_size_write(file->f_inode, PAGE_SIZE);
	expect_finding("SH-I3");
	i_size_write(file->f_inode, PAGE_SIZE + 1);
	test_process_exit(&p);
	ClearPageSwapBacked(&folio->page);
	expect_finding("SH-I4");
	SetPageSwapBacked(&folio->page);
	folio_put(folio);
	expect_verified();
	fput(file);
}
