// SPDX-License-Identifier: MIT
/* Switching stacks, and telling the sanitizers. */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#if !defined(__x86_64__) && !defined(__i386__)
#include <ucontext.h>
#endif

#include "machine.h"

/* ---- Switching stacks ---- */

#if defined(__x86_64__)
__asm__(".text\n"
	".globl hosted_switch\n"
	".type hosted_switch, @function\n"
	"hosted_switch:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n"
	".size hosted_switch, . - hosted_switch\n");
#define SAVED_WORDS 6
#elif defined(__i386__)
__asm__(".text\n"
	".globl hosted_switch\n"
	".type hosted_switch, @function\n"
	"hosted_switch:\n"
	"	movl 4(%esp), %eax\n	movl 8(%esp), %edx\n"
	"	pushl %ebp\n	pushl %ebx\n	pushl %esi\n	pushl %edi\n"
	"	movl %esp, (%eax)\n"
	"	movl %edx, %esp\n"
	"	popl %edi\n	popl %esi\n	popl %ebx\n	popl %ebp\n"
	"	ret\n"
	".size hosted_switch, . - hosted_switch\n");
#define SAVED_WORDS 4
#else
void hosted_switch(void **save, void *load)
{
	ucontext_t here;

	*save = &here;
	swapcontext(&here, load);
}
#endif

/* ---- Sanitizers ---- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAVE_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
void fiber_leave(struct fiber *from, const struct fiber *to)
{
	__sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->bytes);
}
void fiber_arrive(struct fiber *here)
{
	__sanitizer_finish_switch_fiber(here->fake_stack, NULL, NULL);
}
/* An abandoned run leaves its stacks marked as in use. */
void fiber_create(struct fiber *fiber, bool host)
{
	if (!host)
		__asan_unpoison_memory_region(fiber->low, fiber->bytes);
}
void fiber_destroy(struct fiber *fiber)
{
	(void)fiber;
}
#elif defined(__SANITIZE_THREAD__) || defined(HAVE_TSAN)
#include <sanitizer/tsan_interface.h>
void fiber_leave(struct fiber *from, const struct fiber *to)
{
	(void)from;
	__tsan_switch_to_fiber(to->handle, 0);
}
void fiber_arrive(struct fiber *here)
{
	(void)here;
}
void fiber_create(struct fiber *fiber, bool host)
{
	fiber->handle = host ? __tsan_get_current_fiber() : __tsan_create_fiber(0);
}
void fiber_destroy(struct fiber *fiber)
{
	__tsan_destroy_fiber(fiber->handle);
}
#else
void fiber_leave(struct fiber *from, const struct fiber *to)
{
	(void)from;
	(void)to;
}
void fiber_arrive(struct fiber *here)
{
	(void)here;
}
void fiber_create(struct fiber *fiber, bool host)
{
	(void)fiber;
	(void)host;
}
void fiber_destroy(struct fiber *fiber)
{
	(void)fiber;
}
#endif

/* ---- A stack's beginning ---- */

char *stack_memory(void)
{
	char *p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p, PAGE_SIZE, PROT_NONE))
		port_panic("no memory for a stack");
	return p;
}

void *stack_prepare(char *memory, void (*main)(void))
{
#ifdef SAVED_WORDS
	/*
	 * The calling convention has the return address of a function one word below a multiple of 16; here it
	 * is 0, as is the frame pointer, which ends a backtrace.
	 */
	uintptr_t *top = (uintptr_t *)(memory + STACK_BYTES - 64);

	top[-1] = 0;
	top[-2] = (uintptr_t)main;
	memset(top - 2 - SAVED_WORDS, 0, SAVED_WORDS * sizeof(*top));
	return top - 2 - SAVED_WORDS;
#else
	ucontext_t *u = (ucontext_t *)(memory + PAGE_SIZE);

	getcontext(u);
	u->uc_stack.ss_sp = memory + 2 * PAGE_SIZE;
	u->uc_stack.ss_size = STACK_BYTES - 2 * PAGE_SIZE;
	u->uc_link = NULL;
	makecontext(u, main, 0);
	return u;
#endif
}
