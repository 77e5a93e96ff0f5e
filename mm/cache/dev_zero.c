// SPDX-License-Identifier: MIT
/* /dev/zero: zeros without end; what is written is gone. Source: zero(4), and mmap(2) on what a mapping of it is. */
#include "../vm/vm.h"
#include "shmem.h"

static s64 zero_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	s64 total = 0;

	(void)file;
	(void)pos;
	while (to->count) {
		size_t n = min(to->count, PAGE_SIZE), done = iov_iter_zero(n, to);

		total += (s64)done;
		if (done < n)
			return total ? total : -EFAULT;
		if (fatal_signal_pending(current_task()))
			return total;
	}
	return total;
}

static s64 zero_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	size_t n = from->count;

	(void)file;
	(void)pos;
	from->base = (char *)from->base + n;
	from->count = 0;
	return (s64)n;
}

/* Private: anonymous memory, that is nothing of the file's. */
static int zero_mmap(struct file *file, struct vm_area_struct *vma)
{
	(void)file;
	if (vma->vm_flags & VM_SHARED)
		return shmem_zero_setup(vma);
	vma->vm_ops = NULL;
	return 0;
}

static s64 zero_llseek(struct file *file, s64 offset, int whence)
{
	(void)offset;
	(void)whence;
	file->f_pos = 0;
	return 0;
}

const struct file_operations dev_zero_fops = {
	.read_iter = zero_read,
	.write_iter = zero_write,
	.mmap = zero_mmap,
	.llseek = zero_llseek,
};
