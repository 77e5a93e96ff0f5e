// SPDX-License-Identifier: MIT
/* Address spaces of processes: how they begin and end, what exec notes in them. */
#include "../base/part.h"
#include "../pgtable/tables.h"
#include "vma.h"

/* On x86-64 the last page below the hole is nobody's: an instruction there would return to a bad address. */
static uintptr_t greatest_task_size(void)
{
	u64 size = pgt_user_size();
	bool x86 = size == (u64)1 << 47 || size == (u64)1 << 56;

	return (uintptr_t)(x86 ? size - PAGE_SIZE : size);
}

struct mm_struct *mm_create(const struct mm_process *process, uintptr_t task_size)
{
	struct mm_struct *mm = mm_alloc(GFP_KERNEL);
	const struct mm_task *task = current_task();
	uintptr_t most = greatest_task_size();

	if (!mm)
		return NULL;
	init_rwsem(&mm->mmap_lock);
	spin_lock_init(&mm->vma_wait_lock, LOCK_RANK_RWSEM);
	/* 0 is what a VMA begins with that nobody has locked. */
	mm->mm_lock_seq = 2;
	mm->vmas = (struct range_tree)RANGE_TREE_INIT(&vma_tree_ops);
	mm->task_size = task_size && task_size < most ? task_size : most;
	mm->flags = 1ul << MMF_DUMPABLE | (task && task->mm ? mdwe_inherited(task->mm) : 0);
	mm_pick_mmap_base(mm, process);
	/* It has been in the list of all from the beginning. */
	store_release(&mm->made, 1);
	return mm;
}

/* The last user has gone. Address spaces that are only page tables have nothing of this. */
static void release(struct mm_struct *mm)
{
	if (!mm->vmas.ops)
		return;
	exit_mmap(mm);
	range_tree_destroy(&mm->vmas);
	mm_set_exe_file(mm, NULL);
}

void mm_get_layout(struct mm_struct *mm, struct mm_layout *layout)
{
	*layout = (struct mm_layout){
		.stack_top = mm_window(mm),
		.mmap_base = mm->mmap_base,
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
	};
}

void mm_set_layout(struct mm_struct *mm, const struct mm_layout *layout)
{
	mmap_write_lock(mm);
	if (layout->mmap_base) {
		mm->mmap_base = layout->mmap_base;
		mm->top_full = layout->mmap_base;
	}
	mm->start_code = layout->start_code;
	mm->end_code = layout->end_code;
	mm->start_data = layout->start_data;
	mm->end_data = layout->end_data;
	mm->start_brk = layout->start_brk;
	mm->brk = layout->brk;
	mm->start_stack = layout->start_stack;
	mm->arg_start = layout->arg_start;
	mm->arg_end = layout->arg_end;
	mm->env_start = layout->env_start;
	mm->env_end = layout->env_end;
	mmap_write_unlock(mm);
}

void mm_set_exe_file(struct mm_struct *mm, struct file *file)
{
	struct file *was;

	if (file)
		get_file(file);
	mmap_write_lock(mm);
	was = mm->exe_file;
	mm->exe_file = file;
	mmap_write_unlock(mm);
	if (was)
		fput(was);
}

struct file *mm_get_exe_file(struct mm_struct *mm)
{
	struct file *file;

	mmap_read_lock(mm);
	file = mm->exe_file;
	if (file)
		get_file(file);
	mmap_read_unlock(mm);
	return file;
}

static int mm_part_init(void)
{
	mm_on_release(release);
	return 0;
}

MM_PART(mm, .order = MM_PART_VM, .init = mm_part_init);
