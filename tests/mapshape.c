// SPDX-License-Identifier: MIT
#include "mapshape.h"

#include <octavo/pagemap.h>
#include <octavo/verify.h>

#include "mm/vm/vm.h"

const char *map_shape(unsigned int first, unsigned int end)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for_each_vma_range(current_task()->mm, vma, AT(first), AT(end)) {
		unsigned long from = (unsigned long)((vma->vm_start - ARENA) >> PAGE_SHIFT);

		if (n < sizeof(text))
			n += octavo_snprintf(text + n, sizeof(text) - n, "%s%lu-%lu %c%c%c%c", n ? ", " : "", from,
					     from + vma_pages(vma), vma->vm_flags & VM_READ ? 'r' : '-',
					     vma->vm_flags & VM_WRITE ? 'w' : '-', vma->vm_flags & VM_EXEC ? 'x' : '-',
					     vma->vm_flags & VM_MAYSHARE ? 's' : 'p');
	}
	return text;
}

unsigned int map_count(void)
{
	unsigned int n = 0;

	for_each_vma(current_task()->mm, vma)
		n++;
	return n;
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	printk("%s\n", line);
}

unsigned int verify_all(void)
{
	return mm_verify(say, NULL);
}

/* ---- A file ---- */

static struct test_file *of(const struct vm_area_struct *vma)
{
	return container_of(vma->vm_file, struct test_file, file);
}

static void heard_open(struct vm_area_struct *vma)
{
	of(vma)->opens++;
}

static void heard_close(struct vm_area_struct *vma)
{
	of(vma)->closes++;
}

static int may_split(struct vm_area_struct *vma, uintptr_t addr)
{
	(void)addr;
	return of(vma)->split_error;
}

static const struct vm_operations_struct plain_ops;
static const struct vm_operations_struct hearing_ops = {
	.open = heard_open,
	.close = heard_close,
	.may_split = may_split,
};

static int do_test_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct test_file *f = container_of(file, struct test_file, file);

	f->mmaps++;
	if (f->mmap_error)
		return f->mmap_error;
	vma->vm_ops = f->hears ? &hearing_ops : &plain_ops;
	vm_flags_set(vma, f->add_flags);
	return 0;
}

static void release(struct file *file)
{
	container_of(file, struct test_file, file)->releases++;
}

static const struct file_operations test_fops = { .mmap = do_test_mmap, .release = release };

void test_file_init(struct test_file *f, u32 mode)
{
	*f = (struct test_file){ .file = { .f_count = 1, .f_mode = mode, .f_op = &test_fops } };
	f->inode.i_mode = 0100644;
	f->inode.i_mapping = &f->inode.i_data;
	f->inode.i_data.host = &f->inode;
	f->file.f_inode = &f->inode;
	f->file.f_mapping = &f->inode.i_data;
	init_rwsem(&f->inode.i_data.i_mmap_rwsem);
}
