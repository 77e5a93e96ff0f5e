/* SPDX-License-Identifier: MIT */
/*
 * Processes for tests: an address space, a thread and its limits, which this CPU runs while the test says so. User code
 * is the test's calls of test_user_*(): hosted through the software MMU, on bare metal by the kernel's copies.
 *
 *	struct test_process p;
 *
 *	ASSERT(test_process_start(&p));
 *	at = test_map(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
 *	EXPECT_EQ(test_user_write(at, "x", 1), 1);
 *	test_process_exit(&p);
 */
#ifndef TESTS_TASKS_H
#define TESTS_TASKS_H

#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/task.h>

#include "harness.h"
#include "mm/pgtable/pgtable.h"

/**
 * struct test_process - its core's sides; tests may change limits, capabilities and personality as they like
 * @task: its first thread
 */
struct test_process {
	struct mm_process process;
	struct mm_task task;
};

/* Where the heap (brk) of a test's process begins; 32-bit formats have room there, too. */
#define TEST_BRK ((uintptr_t)0x20000000)

/*
 * test_process_init - no capabilities, no randomisation, the limits that a login shell has; no address space
 * test_process_make - and an empty address space with a heap to come. False: no memory; nothing to exit.
 * test_process_start - and this CPU runs it.
 */
void test_process_init(struct test_process *p);
bool __must_check test_process_make(struct test_process *p);
bool __must_check test_process_start(struct test_process *p);

/* Another thread of @p, which must outlive it: with the address space, counted. It ends by test_thread_exit(). */
void test_thread_make(struct mm_task *thread, struct test_process *p);
void test_thread_exit(struct mm_task *thread);

/* @other, which has no address space, gets that of @p, as by CLONE_VM. It ends by test_process_exit(). */
void test_share(struct test_process *other, struct test_process *p);

/* @child becomes what fork() makes of @parent, which this CPU runs. False: no memory; nothing to exit. */
bool __must_check test_process_fork(struct test_process *child, struct test_process *parent);

/* Its thread lets go of the address space. If this CPU runs it, it runs the kernel afterwards. */
void test_process_exit(struct test_process *p);

/* This CPU runs @task from now on; NULL: the kernel. The address space's users must not have gone. */
void test_switch(struct mm_task *task);

/* ---- What the process that this CPU runs does ---- */

/* Anonymous memory. Return: where; 0 after the test has failed. */
uintptr_t test_map(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags);
/* The same of a file, from @offset. */
uintptr_t test_map_file(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags, struct file *file,
			u64 offset);

/* Return: bytes; fewer than @len: the next is refused, and current_task()->fault is the signal. */
size_t test_user_read(uintptr_t addr, void *to, size_t len);
size_t test_user_write(uintptr_t addr, const void *from, size_t len);
/* Bare metal: a read, which no right to execute is asked for (test_user_exec_checked). */
size_t test_user_exec(uintptr_t addr, void *to, size_t len);
extern const bool test_user_exec_checked;

/* A word; of a refused access the test fails. */
unsigned long test_user_get(uintptr_t addr);
void test_user_put(uintptr_t addr, unsigned long value);

/* The access is refused with this signal (SIGSEGV 11, SIGBUS 7) and code at @addr, or the test fails. */
void test_user_refused(const char *file, int line, uintptr_t addr, bool write, int signo, int code);
#define EXPECT_REFUSED(addr, write, signo, code) \
	test_user_refused(__FILE__, __LINE__, (addr), (write), (signo), (code))

/* @n bytes from @addr on are @value. */
bool test_user_all(uintptr_t addr, size_t n, u8 value);
/* They become so. False: refused. */
bool test_user_fill(uintptr_t addr, size_t n, u8 value);
/* What the current task's last-level entry of @addr says; 0 where there is no table. */
pgt_entry_t test_user_entry(uintptr_t addr);
/* What it leads to, without a reference. NULL: nothing is there. */
struct folio *test_user_folio(uintptr_t addr);

#endif
