// SPDX-License-Identifier: MIT
#include <octavo/page.h>
#include <octavo/preempt.h>

#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "mm/vm/vm.h"
#include "tasks.h"

/* As the core's own: it may do anything, without limits. */
#define NO_LIMIT { RLIM_INFINITY, RLIM_INFINITY }
static struct mm_process kernel_process __memsys = {
	.rlimit = { NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT,
		    NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT },
	.capabilities = ~(u64)0,
};
static struct mm_task kernel_threads[NR_CPUS] __memsys;
static s32 last_pid __memsys;

/* ---- Lives ---- */

void test_process_init(struct test_process *p)
{
	memset(p, 0, sizeof(*p));
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		p->process.rlimit[i] = (struct mm_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	p->process.rlimit[RLIMIT_STACK].cur = 8ul << 20;
	p->process.rlimit[RLIMIT_MEMLOCK] = (struct mm_rlimit){ 8ul << 20, 8ul << 20 };
	p->process.rlimit[RLIMIT_NOFILE] = (struct mm_rlimit){ 1024, 4096 };
	p->process.personality = PERSONALITY_ADDR_NO_RANDOMIZE;
	p->process.uid = p->process.ruid = p->process.gid = 1000;
	p->task.process = &p->process;
	/* 1 would be the machine's first process, which nobody may kill. */
	p->task.pid = p->task.tgid = atomic_fetch_add(&last_pid, 1) + 2;
	octavo_snprintf(p->task.comm, sizeof(p->task.comm), "test%d", p->task.pid);
}

bool test_process_make(struct test_process *p)
{
	struct mm_layout layout;
	struct mm_struct *mm;

	test_process_init(p);
	mm = mm_create(&p->process, 0);
	if (!mm)
		return false;
	mm_get_layout(mm, &layout);
	layout.start_brk = layout.brk = TEST_BRK;
	mm_set_layout(mm, &layout);
	octavo_task_mm(&p->task, mm);
	octavo_task_add(&p->task);
	return true;
}

bool test_process_start(struct test_process *p)
{
	if (!test_process_make(p))
		return false;
	test_switch(&p->task);
	return true;
}

void test_thread_make(struct mm_task *thread, struct test_process *p)
{
	*thread = p->task;
	thread->active_mm = NULL;
	thread->mm = NULL;
	thread->pid = atomic_fetch_add(&last_pid, 1) + 2;
	thread->listed = 0;
	thread->min_flt = thread->maj_flt = 0;
	mmget(p->task.mm);
	octavo_task_mm(thread, p->task.mm);
	octavo_task_add(thread);
}

void test_share(struct test_process *other, struct test_process *p)
{
	mmget(p->task.mm);
	octavo_task_mm(&other->task, p->task.mm);
	octavo_task_add(&other->task);
}

void test_thread_exit(struct mm_task *thread)
{
	struct mm_struct *mm = octavo_task_mm(thread, NULL);

	octavo_task_remove(thread);
	if (current_task() == thread)
		test_switch(NULL);
	if (mm)
		mmput(mm);
}

bool test_process_fork(struct test_process *child, struct test_process *parent)
{
	struct mm_struct *mm;

	test_process_init(child);
	child->process = parent->process;
	mm = mm_fork(parent->task.mm, &child->process);
	if (!mm)
		return false;
	child->task.pkru = parent->task.pkru;
	octavo_task_mm(&child->task, mm);
	octavo_task_add(&child->task);
	return true;
}

void test_process_exit(struct test_process *p)
{
	test_thread_exit(&p->task);
}

void test_switch(struct mm_task *task)
{
	preempt_disable();
	if (!task) {
		task = &kernel_threads[smp_processor_id()];
		task->process = &kernel_process;
		task->flags = PF_KTHREAD;
	}
	octavo_switch_task(task);
	preempt_enable();
}

/* ---- Mapping ---- */

uintptr_t test_map_file(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags, struct file *file,
			u64 offset)
{
	long at = ksys_mmap(addr, len, prot, flags, file, offset);

	if (at < 0 && at > -4096) {
		test_fail(__FILE__, __LINE__, "mmap(%#lx, %#zx, %#lx, %#lx): %ld", (unsigned long)addr, len, prot,
			  flags, at);
		return 0;
	}
	return (uintptr_t)at;
}

uintptr_t test_map(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags)
{
	return test_map_file(addr, len, prot, flags | MAP_ANONYMOUS, NULL, 0);
}

/* ---- Bytes ---- */

unsigned long test_user_get(uintptr_t addr)
{
	unsigned long value = 0;

	if (test_user_read(addr, &value, sizeof(value)) != sizeof(value))
		test_fail(__FILE__, __LINE__, "the load from %#lx is refused: signal %d, code %d", (unsigned long)addr,
			  current_task()->fault.signo, current_task()->fault.code);
	return value;
}

void test_user_put(uintptr_t addr, unsigned long value)
{
	if (test_user_write(addr, &value, sizeof(value)) != sizeof(value))
		test_fail(__FILE__, __LINE__, "the store to %#lx is refused: signal %d, code %d", (unsigned long)addr,
			  current_task()->fault.signo, current_task()->fault.code);
}

void test_user_refused(const char *file, int line, uintptr_t addr, bool write, int signo, int code)
{
	struct mm_task *me = current_task();
	u8 byte = 0;
	size_t done;

	me->fault = (struct mm_signal){ 0 };
	test_capture_begin();
	done = write ? test_user_write(addr, &byte, 1) : test_user_read(addr, &byte, 1);
	test_capture_end();
	if (done)
		test_fail(file, line, "the %s %#lx is not refused", write ? "store to" : "load from",
			  (unsigned long)addr);
	else if (me->fault.signo != signo || me->fault.code != code || me->fault.address != addr)
		test_fail(file, line, "the %s %#lx ends in signal %d, code %d, address %#lx, not %d, %d",
			  write ? "store to" : "load from", (unsigned long)addr, me->fault.signo, me->fault.code,
			  (unsigned long)me->fault.address, signo, code);
	me->fault = (struct mm_signal){ 0 };
}

bool test_user_all(uintptr_t addr, size_t n, u8 value)
{
	u8 bytes[256];

	for (size_t done = 0, part; done < n; done += part) {
		part = min(n - done, sizeof(bytes));
		if (test_user_read(addr + done, bytes, part) != part)
			return false;
		for (size_t i = 0; i < part; i++)
			if (bytes[i] != value)
				return false;
	}
	return true;
}

bool test_user_fill(uintptr_t addr, size_t n, u8 value)
{
	u8 bytes[256];

	memset(bytes, value, sizeof(bytes));
	for (size_t done = 0, part; done < n; done += part) {
		part = min(n - done, sizeof(bytes));
		if (test_user_write(addr + done, bytes, part) != part)
			return false;
	}
	return true;
}

pgt_entry_t test_user_entry(uintptr_t addr)
{
	spinlock_t *lock;
	bool shared;
	pgt_entry_t *entry = vm_entry_find(current_task()->mm, addr, &lock, &shared), e;

	if (!entry)
		return 0;
	e = pgt_get(entry);
	spin_unlock(lock);
	return e;
}

struct folio *test_user_folio(uintptr_t addr)
{
	pgt_entry_t e = test_user_entry(addr);

	return pgt_present(e) ? page_folio(pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e)))) : NULL;
}
