// SPDX-License-Identifier: MIT
/*
 * /proc/PID/maps, smaps, smaps_rollup and numa_maps.
 *
 * Purpose. The text of an address space's mappings, in the words and columns of Linux 6.12.
 *
 * A mapping is copied, and its entries counted, under the mmap lock; the text is made afterwards, when the copy is all
 * that is needed: whoever takes the text may write it to the very address space. The next mapping is found by its
 * address, so nothing is kept of what may have gone. A mapping that was moved or split meanwhile may be seen in
 * pieces, and never twice.
 *
 * Memory use. One block of two pages a call: a path may be as long as a page.
 *
 * Differences from Linux. A table that fork() left shared counts as so many mappings of its pages as address spaces
 * have it, of which Linux, copying tables, has one each: the sums are the same.
 *
 * Sources. Documentation/filesystems/proc.rst, proc_pid_maps(5), proc_pid_smaps(5), numa(7); and the files of a running
 * Linux, byte by byte.
 */
#include <octavo/errno.h>
#include <octavo/slab.h>

#include "pid.h"

/* A name begins in this column of maps: 73 with 64-bit addresses, 49 with 32-bit ones. */
#define NAME_COLUMN (25 + sizeof(void *) * 6)

/* What a call needs, too large for a stack. */
struct pid_work {
	struct seq_file m;
	struct pid_vma v;
	struct pid_sizes sizes;
	struct pid_numa numa;
	char name[PID_NAME_BYTES];
};

/* ---- Copies ---- */

static bool is_heap(const struct vm_area_struct *vma)
{
	return vma->vm_start < vma->vm_mm->brk && vma->vm_end > vma->vm_mm->start_brk;
}

static bool is_stack(const struct vm_area_struct *vma)
{
	return vma->vm_start <= vma->vm_mm->start_stack && vma->vm_end >= vma->vm_mm->start_stack;
}

static void path_of(struct pid_vma *out, const struct file *file)
{
	size_t len = 0;

	if (file->f_op && file->f_op->show_path)
		len = file->f_op->show_path(file, out->name, PID_NAME_BYTES - 1);
	out->name[min(len, PID_NAME_BYTES - 1)] = '\0';
}

static void name_of(struct pid_vma *out, struct vm_area_struct *vma)
{
	const char *name = vma->anon_name ? vma->anon_name->name : NULL, *special = NULL;

	out->name[0] = '\0';
	if (vma->vm_file) {
		if (name)
			octavo_snprintf(out->name, PID_NAME_BYTES, "[anon_shmem:%s]", name);
		else
			path_of(out, vma->vm_file);
		return;
	}
	if (vma->vm_ops && vma->vm_ops->name)
		special = vma->vm_ops->name(vma);
	if (special)
		octavo_snprintf(out->name, PID_NAME_BYTES, "%s", special);
	else if (out->heap)
		octavo_snprintf(out->name, PID_NAME_BYTES, "[heap]");
	else if (out->stack)
		octavo_snprintf(out->name, PID_NAME_BYTES, "[stack]");
	else if (name)
		octavo_snprintf(out->name, PID_NAME_BYTES, "[anon:%s]", name);
}

void pid_vma_copy(struct pid_vma *out, struct vm_area_struct *vma)
{
	const struct file *file = vma->vm_file;

	out->start = vma->vm_start;
	out->end = vma->vm_end;
	out->flags = vma->vm_flags;
	out->file = file != NULL;
	out->heap = is_heap(vma);
	out->stack = is_stack(vma);
	out->offset = file ? (u64)vma->vm_pgoff << PAGE_SHIFT : 0;
	out->ino = file && file->f_inode ? file->f_inode->i_ino : 0;
	out->dev = file && file->f_inode ? file->f_inode->i_dev : 0;
	out->page_size = vma->vm_ops && vma->vm_ops->pagesize ? vma->vm_ops->pagesize(vma) : PAGE_SIZE;
	name_of(out, vma);
}

/* ---- Text ---- */

void pid_name(struct seq_file *m, const char *name, const char *escape)
{
	for (const char *run = name; *run; run = name) {
		while (*name && !strchr(escape, *name))
			name++;
		seq_write(m, run, (size_t)(name - run));
		if (*name)
			seq_printf(m, "\\%03o", (unsigned char)*name++);
	}
}

void pid_vma_line(struct seq_file *m, const struct pid_vma *v)
{
	char text[96];
	size_t len = octavo_snprintf(text, sizeof(text), "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ",
				     (unsigned long)v->start, (unsigned long)v->end, v->flags & VM_READ ? 'r' : '-',
				     v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-',
				     v->flags & VM_MAYSHARE ? 's' : 'p', (unsigned long long)v->offset, v->dev >> 20,
				     v->dev & 0xfffff, (unsigned long long)v->ino);

	seq_write(m, text, len);
	if (v->name[0]) {
		for (; len < NAME_COLUMN; len++)
			seq_write(m, " ", 1);
		pid_name(m, v->name, "\n");
	}
	seq_write(m, "\n", 1);
}

/* ---- Reading ---- */

static struct pid_work *work_alloc(octavo_emit_fn emit, void *ctx)
{
	struct pid_work *work = kzalloc(sizeof(*work), GFP_KERNEL);

	if (!work)
		return NULL;
	seq_open(&work->m, emit, ctx);
	work->v.name = work->name;
	return work;
}

static void count(struct pid_work *work, enum octavo_pid_map file, struct vm_area_struct *vma)
{
	if (file == OCTAVO_PID_SMAPS) {
		memset(&work->sizes, 0, sizeof(work->sizes));
		pid_sizes_add(&work->sizes, vma, vma->vm_start);
	} else if (file == OCTAVO_PID_NUMA_MAPS) {
		memset(&work->numa, 0, sizeof(work->numa));
		pid_numa_add(&work->numa, vma);
	}
}

static void show(struct pid_work *work, enum octavo_pid_map file)
{
	if (file == OCTAVO_PID_NUMA_MAPS) {
		pid_numa_show(&work->m, &work->v, &work->numa);
	} else {
		pid_vma_line(&work->m, &work->v);
		if (file == OCTAVO_PID_SMAPS)
			pid_smaps_show(&work->m, &work->v, &work->sizes);
	}
	seq_flush(&work->m);
}

static int map_next(struct pid_work *work, struct mm_struct *mm, enum octavo_pid_map file, uintptr_t *addr)
{
	struct vm_area_struct *vma;
	int err = mmap_read_lock_killable(mm);

	if (err)
		return err;
	/* One that reaches over the address has grown since, and was shown. */
	for (vma = find_vma(mm, *addr); vma && vma->vm_start < *addr; vma = vma_next(vma))
		;
	if (vma) {
		pid_vma_copy(&work->v, vma);
		count(work, file, vma);
		*addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	if (vma)
		show(work, file);
	return vma != NULL;
}

int octavo_pid_map_next(struct mm_struct *mm, enum octavo_pid_map file, uintptr_t *addr, octavo_emit_fn emit,
			void *ctx)
{
	struct pid_work *work = work_alloc(emit, ctx);
	int more;

	if (!work)
		return -ENOMEM;
	more = map_next(work, mm, file, addr);
	kfree(work);
	return more;
}

int octavo_pid_map_read(struct mm_struct *mm, enum octavo_pid_map file, octavo_emit_fn emit, void *ctx)
{
	struct pid_work *work = work_alloc(emit, ctx);
	uintptr_t addr = 0;
	int more;

	if (!work)
		return -ENOMEM;
	do
		more = map_next(work, mm, file, &addr);
	while (more > 0);
	kfree(work);
	return more;
}

int octavo_pid_rollup(struct mm_struct *mm, octavo_emit_fn emit, void *ctx)
{
	struct pid_work *work = work_alloc(emit, ctx);
	uintptr_t first = 0, last = 0;
	bool more = true;
	int err = 0;

	if (!work)
		return -ENOMEM;
	while (more) {
		struct vm_area_struct *vma;

		err = mmap_read_lock_killable(mm);
		if (err)
			break;
		vma = find_vma(mm, last);
		more = vma != NULL;
		if (vma) {
			first = last ? first : vma->vm_start;
			/* What has grown over where we were is counted from there on. */
			pid_sizes_add(&work->sizes, vma, max(last, vma->vm_start));
			last = vma->vm_end;
		}
		mmap_read_unlock(mm);
	}
	if (!err) {
		work->v = (struct pid_vma){ .start = first, .end = last, .name = work->name };
		octavo_snprintf(work->name, sizeof(work->name), "[rollup]");
		pid_vma_line(&work->m, &work->v);
		pid_sizes_show(&work->m, &work->sizes, true);
		seq_flush(&work->m);
	}
	kfree(work);
	return err;
}
