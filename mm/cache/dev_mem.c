// SPDX-License-Identifier: MIT
/*
 * /dev/mem: the machine's physical addresses as a file, for what is not memory: device registers, firmware tables.
 *
 * Memory is somebody's, the kernel's or another program's, so reads, writes and mappings of it are refused, as Linux
 * does with CONFIG_STRICT_DEVMEM; only that memory in the first MiB, where Linux's reads are zeros and mappings are
 * allowed, is refused like the rest here. Mappings are uncached.
 *
 * Sources: mem(4), Documentation/security/self-protection.rst and the help text of STRICT_DEVMEM.
 */
#include <octavo/io.h>
#include <octavo/pagemap.h>
#include <octavo/uaccess.h>

#include "../base/string.h"
#include "../kmap/memremap.h"
#include "../vm/vm.h"
#include "shmem.h"

/* Physical addresses have at most 52 bits: Intel SDM volume 3A section 4.1.4. */
#define PHYS_END ((u64)1 << 52)
#define PIECE ((size_t)64)

static bool physical(u64 pos, u64 len)
{
	return pos < PHYS_END && len <= PHYS_END - pos;
}

static bool allowed(u64 pos, u64 len)
{
	u64 first = pos & ~(u64)(PAGE_SIZE - 1), end = (pos + len + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);

	return ram_share(first, (size_t)(end - first)) == RAM_NONE;
}

/* A piece of one page, by a mapping for the moment. Return: false: the kernel has no room for that. */
static bool touch(u64 pos, void *buf, size_t n, bool write)
{
	void *at = ioremap(pos, n);

	if (!at)
		return false;
	if (write)
		memcpy_toio(at, buf, n);
	else
		memcpy_fromio(buf, at, n);
	iounmap(at);
	return true;
}

/* The piece goes by a buffer: a device must see each access once, whatever the caller's pages do. */
static size_t copy_piece(struct iov_iter *iter, u64 pos, size_t n, bool write)
{
	char buf[PIECE];
	size_t done = n;

	if (write) {
		done = copy_from_iter(buf, n, iter);
		n = done;
	}
	if (!touch(pos, buf, n, write))
		return 0;
	return write ? done : copy_to_iter(buf, n, iter);
}

static s64 mem_copy(struct iov_iter *iter, u64 *pos, bool write)
{
	s64 total = 0;

	if (iter->count && !physical(*pos, iter->count))
		return write ? -EFAULT : 0;
	while (iter->count) {
		size_t room = PAGE_SIZE - (size_t)(*pos & (PAGE_SIZE - 1)), n = min(iter->count, PIECE), done;

		n = min(n, room);
		if (!allowed(*pos, n))
			return total ? total : -EPERM;
		done = copy_piece(iter, *pos, n, write);
		*pos += done;
		total += (s64)done;
		if (done < n)
			return total ? total : -EFAULT;
		if (fatal_signal_pending(current_task()))
			break;
	}
	return total;
}

static s64 mem_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)file;
	return mem_copy(to, pos, false);
}

static s64 mem_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	(void)file;
	return mem_copy(from, pos, true);
}

/* For ptrace and the like. */
static int mem_access(struct vm_area_struct *vma, uintptr_t addr, void *buf, int len, bool write)
{
	u64 pos = ((u64)linear_page_index(vma, addr) << PAGE_SHIFT) + (addr & (PAGE_SIZE - 1));
	size_t n = min((size_t)len, PAGE_SIZE - (size_t)(addr & (PAGE_SIZE - 1)));

	if (len <= 0)
		return -EINVAL;
	if (!touch(pos, buf, n, write))
		return -EFAULT;
	return (int)n;
}

static const struct vm_operations_struct mem_vm_ops = {
	.access = mem_access,
};

static int mem_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 pos = (u64)vma->vm_pgoff << PAGE_SHIFT, len = vma->vm_end - vma->vm_start;

	(void)file;
	if (!physical(pos, len))
		return -EINVAL;
	if (!allowed(pos, len))
		return -EPERM;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_ops = &mem_vm_ops;
	return remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, (size_t)len, vma->vm_page_prot) ? -EAGAIN : 0;
}

/* Anywhere, as far as a position goes. */
static s64 mem_llseek(struct file *file, s64 offset, int whence)
{
	enum { FROM_START, FROM_POSITION };
	s64 base = whence == FROM_POSITION ? (s64)file->f_pos : 0;

	if (whence != FROM_START && whence != FROM_POSITION)
		return -EINVAL;
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0)
		return -EOVERFLOW;
	file->f_pos = (u64)offset;
	return offset;
}

const struct file_operations dev_mem_fops = {
	.read_iter = mem_read,
	.write_iter = mem_write,
	.mmap = mem_mmap,
	.llseek = mem_llseek,
};
