// SPDX-License-Identifier: MIT
/*
 * An address space's numbers in /proc/PID/status, statm and stat: proc_pid_status(5) and the pages behind it.
 * Counters are read without a lock: each is right, the sums may be of different moments.
 */
#include "pid.h"

static unsigned long rss_of(struct mm_struct *mm, unsigned int which)
{
	long n = get_mm_counter(mm, which);

	return n > 0 ? (unsigned long)n : 0;
}

static unsigned long resident(struct mm_struct *mm)
{
	return rss_of(mm, MM_FILEPAGES) + rss_of(mm, MM_ANONPAGES) + rss_of(mm, MM_SHMEMPAGES);
}

static unsigned long text_pages(const struct mm_struct *mm)
{
	return (ALIGN(mm->end_code, (uintptr_t)PAGE_SIZE) - (mm->start_code & PAGE_MASK)) >> PAGE_SHIFT;
}

/* ---- status ---- */

static void line(struct seq_file *m, const char *label, unsigned long pages)
{
	seq_printf(m, "%s:\t%8lu kB\n", label, pages << (PAGE_SHIFT - 10));
}

void octavo_pid_status(struct mm_struct *mm, bool core_dumping, octavo_emit_fn emit, void *ctx)
{
	unsigned long rss, vm, exe;
	struct seq_file m;

	if (!mm)
		return;
	seq_open(&m, emit, ctx);
	rss = resident(mm);
	vm = load_relaxed(&mm->total_vm);
	exe = min(text_pages(mm), load_relaxed(&mm->exec_vm));
	line(&m, "VmPeak", max(load_relaxed(&mm->hiwater_vm), vm));
	line(&m, "VmSize", vm);
	line(&m, "VmLck", load_relaxed(&mm->locked_vm));
	line(&m, "VmPin", load_relaxed(&mm->pinned_vm));
	line(&m, "VmHWM", max(load_relaxed(&mm->hiwater_rss), rss));
	line(&m, "VmRSS", rss);
	line(&m, "RssAnon", rss_of(mm, MM_ANONPAGES));
	line(&m, "RssFile", rss_of(mm, MM_FILEPAGES));
	line(&m, "RssShmem", rss_of(mm, MM_SHMEMPAGES));
	line(&m, "VmData", load_relaxed(&mm->data_vm));
	line(&m, "VmStk", load_relaxed(&mm->stack_vm));
	line(&m, "VmExe", exe);
	line(&m, "VmLib", load_relaxed(&mm->exec_vm) - exe);
	line(&m, "VmPTE", load_relaxed(&mm->pgtable_pages));
	line(&m, "VmSwap", rss_of(mm, MM_SWAPENTS));
	line(&m, "HugetlbPages", 0);
	/* Large folios nobody can forbid: there is no PR_SET_THP_DISABLE. */
	seq_printf(&m, "CoreDumping:\t%d\nTHP_enabled:\t1\n", core_dumping);
	if (sizeof(long) == 8 && proc_machine_x86())
		seq_puts(&m, "untag_mask:\t0xffffffffffffffff\n");
	seq_flush(&m);
}

/* ---- statm, stat ---- */

void octavo_pid_statm(struct mm_struct *mm, octavo_emit_fn emit, void *ctx)
{
	struct seq_file m;

	seq_open(&m, emit, ctx);
	if (mm) {
		unsigned long shared = rss_of(mm, MM_FILEPAGES) + rss_of(mm, MM_SHMEMPAGES);

		seq_printf(&m, "%lu %lu %lu %lu 0 %lu 0\n", load_relaxed(&mm->total_vm),
			   shared + rss_of(mm, MM_ANONPAGES), shared, text_pages(mm),
			   load_relaxed(&mm->data_vm) + load_relaxed(&mm->stack_vm));
	} else {
		seq_puts(&m, "0 0 0 0 0 0 0\n");
	}
	seq_flush(&m);
}

void octavo_pid_stat(struct mm_struct *mm, struct octavo_pid_stat *stat)
{
	*stat = (struct octavo_pid_stat){ 0 };
	if (!mm)
		return;
	*stat = (struct octavo_pid_stat){
		.vsize = load_relaxed(&mm->total_vm) << PAGE_SHIFT,
		.rss = resident(mm),
		.startcode = load_relaxed(&mm->start_code),
		.endcode = load_relaxed(&mm->end_code),
		.startstack = load_relaxed(&mm->start_stack),
		.start_data = load_relaxed(&mm->start_data),
		.end_data = load_relaxed(&mm->end_data),
		.start_brk = load_relaxed(&mm->start_brk),
		.arg_start = load_relaxed(&mm->arg_start),
		.arg_end = load_relaxed(&mm->arg_end),
		.env_start = load_relaxed(&mm->env_start),
		.env_end = load_relaxed(&mm->env_end),
	};
}
