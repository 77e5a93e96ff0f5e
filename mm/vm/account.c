// SPDX-License-Identifier: MIT
/*
 * What may be mapped: overcommit and limits. Sources: Linux Documentation/mm/overcommit-accounting.rst and
 * Documentation/admin-guide/sysctl/vm.rst; getrlimit(2).
 *
 * Committed memory is counted on each CPU and folded into one word when a CPU's part grows; who needs the sum exactly
 * adds the parts. Only mode 2 (never overcommit) asks for it.
 */
#include <octavo/percpu.h>
#include <octavo/vmalloc.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/watermark.h"
#include "../sync/percpu_unit.h"
#include "../swap/swap.h"
#include "account.h"
#include "vma.h"

#define KIB_TO_PAGES(kib) ((unsigned long)(kib) >> (PAGE_SHIFT - 10))
/* A CPU keeps so many pages to itself. */
#define COMMIT_BATCH 1024

unsigned long mmap_min_addr __memsys = 65536;
unsigned long stack_guard_gap __memsys = (unsigned long)256 << PAGE_SHIFT;
int sysctl_max_map_count __memsys = 65530;
int sysctl_overcommit_memory __memsys = OVERCOMMIT_GUESS;
int sysctl_overcommit_ratio __memsys = 50;
unsigned long sysctl_overcommit_kbytes __memsys;
unsigned long sysctl_admin_reserve_kbytes __memsys, sysctl_user_reserve_kbytes __memsys;
int randomize_va_space __memsys = 2;
int sysctl_legacy_va_layout __memsys;

static unsigned long obviously_there __memsys; /* (c) pages: less than any guess refuses */
static long committed __memsys; /* (a) less what the CPUs have */
static DEFINE_PER_CPU(long, committed_here);

/* ---- Overcommit ---- */

static force_inline void commit(long pages)
{
	long here = this_cpu_add_return(committed_here, pages);

	if (unlikely(here > COMMIT_BATCH || here < -COMMIT_BATCH))
		(void)atomic_fetch_add(&committed, this_cpu_xchg(committed_here, 0));
}

unsigned long vm_committed_pages(void)
{
	long sum = load_relaxed(&committed);

	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && percpu_is_ready(cpu))
			sum += load_relaxed(per_cpu_ptr(&committed_here, cpu));
	return sum > 0 ? (unsigned long)sum : 0;
}

unsigned long vm_commit_limit(void)
{
	unsigned long kbytes = READ_ONCE(sysctl_overcommit_kbytes), pages = totalram_pages();
	unsigned long ratio = (unsigned int)READ_ONCE(sysctl_overcommit_ratio);

	pages = kbytes ? KIB_TO_PAGES(kbytes) : pages / 100 * ratio + pages % 100 * ratio / 100;
	return pages + swap_pages_total();
}

/* Mode 2. What only an administrator may have is kept back, and from each process part of what it has. */
static bool within_limit(const struct mm_task *task)
{
	unsigned long allowed = vm_commit_limit(), keep = 0;

	if (!task_capable(task, CAP_SYS_ADMIN))
		keep = KIB_TO_PAGES(READ_ONCE(sysctl_admin_reserve_kbytes));
	if (task->mm)
		keep += min(task->mm->total_vm / 32, KIB_TO_PAGES(READ_ONCE(sysctl_user_reserve_kbytes)));
	return allowed > keep && vm_committed_pages() < allowed - keep;
}

int vm_acct_memory(const struct mm_task *task, unsigned long pages)
{
	int mode = READ_ONCE(sysctl_overcommit_memory);

	commit((long)pages);
	if (mode == OVERCOMMIT_ALWAYS || (mode == OVERCOMMIT_GUESS && likely(pages <= obviously_there)))
		return 0;
	if (mode == OVERCOMMIT_GUESS ? pages <= totalram_pages() + swap_pages_total() : within_limit(task))
		return 0;
	vm_unacct_memory(pages);
	return -ENOMEM;
}

void vm_unacct_memory(unsigned long pages)
{
	commit(-(long)pages);
}

void vm_acct_unchecked(long pages)
{
	commit(pages);
}

/* ---- Limits ---- */

static bool is_stack(vm_flags_t flags)
{
	return flags & VM_STACK;
}

static bool is_data(vm_flags_t flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_STACK)) == VM_WRITE;
}

static bool is_exec(vm_flags_t flags)
{
	return (flags & (VM_EXEC | VM_WRITE | VM_STACK)) == VM_EXEC;
}

bool may_expand_vm(struct mm_struct *mm, const struct mm_process *process, vm_flags_t flags, unsigned long pages)
{
	const struct mm_rlimit *data = &process->rlimit[RLIMIT_DATA];

	if (mm->total_vm + pages > READ_ONCE(process->rlimit[RLIMIT_AS].cur) >> PAGE_SHIFT)
		return false;
	if (!is_data(flags) || mm->data_vm + pages <= READ_ONCE(data->cur) >> PAGE_SHIFT)
		return true;
	/* A limit of nothing does not count as one: programs that watch others set it. */
	return !READ_ONCE(data->cur) && mm->data_vm + pages <= READ_ONCE(data->max) >> PAGE_SHIFT;
}

void vm_stat_account(struct mm_struct *mm, vm_flags_t flags, long pages)
{
	mm->total_vm += (unsigned long)pages;
	if (is_exec(flags))
		mm->exec_vm += (unsigned long)pages;
	else if (is_stack(flags))
		mm->stack_vm += (unsigned long)pages;
	else if (is_data(flags))
		mm->data_vm += (unsigned long)pages;
}

bool can_do_mlock(void)
{
	const struct mm_task *task = this_task();

	return task_rlimit(task, RLIMIT_MEMLOCK) || task_capable(task, CAP_IPC_LOCK);
}

bool mlock_future_ok(const struct mm_struct *mm, vm_flags_t flags, size_t bytes)
{
	const struct mm_task *task = this_task();

	if (!(flags & VM_LOCKED) || task_capable(task, CAP_IPC_LOCK))
		return true;
	return pages_of(bytes) + mm->locked_vm <= task_rlimit(task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

int account_pinned_vm(struct mm_struct *mm, unsigned long pages)
{
	const struct mm_task *task = this_task();
	unsigned long now = atomic_fetch_add(&mm->pinned_vm, pages) + pages;

	if (now <= task_rlimit(task, RLIMIT_MEMLOCK) >> PAGE_SHIFT || task_capable(task, CAP_IPC_LOCK))
		return 0;
	unaccount_pinned_vm(mm, pages);
	return -ENOMEM;
}

void unaccount_pinned_vm(struct mm_struct *mm, unsigned long pages)
{
	atomic_fetch_sub(&mm->pinned_vm, pages);
}

/* ---- The kernel's own ---- */

void account_kernel_stack(const void *stack, size_t bytes, bool in_use)
{
	for (size_t at = 0; at < bytes; at += PAGE_SIZE) {
		const char *part = (const char *)stack + at;
		const struct page *page = is_vmalloc_addr(part) ? vmalloc_to_page(part) : virt_to_page(part);
		long kib = (long)(PAGE_SIZE >> 10);

		mod_node_page_state(NODE_DATA(page_to_nid(page)), NR_KERNEL_STACK_KB, in_use ? kib : -kib);
	}
}

/* ---- Start ---- */

/* 1/32 of what is free, at most 8 MiB for an administrator and 128 MiB for a process. */
static int account_init(void)
{
	unsigned long free_kib = nr_free_pages() << (PAGE_SHIFT - 10);

	obviously_there = totalram_pages() / 16;
	sysctl_admin_reserve_kbytes = min(free_kib / 32, 1ul << 13);
	sysctl_user_reserve_kbytes = min(free_kib / 32, 1ul << 17);
	return 0;
}

MM_PART(account, .order = MM_PART_VM, .init = account_init);
