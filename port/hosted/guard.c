// SPDX-License-Identifier: MIT
/*
 * Pages of the direct map that are shut, for KFENCE: mprotect(2), and SIGSEGV as the page fault. A fault elsewhere is
 * nobody's: the handler that was there before gets it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <octavo/kfence.h>
#include <octavo/page.h>

#include "machine.h"

#define STACK_MAX 24u

/* Which pages of the pool are shut, a byte each: a snapshot takes them along. */
struct guard_copy {
	uintptr_t start;
	size_t pages;
	unsigned char shut[];
};

static struct guard_copy *guard;
static struct sigaction before;
static bool caught;

/* ---- Faults ---- */

#if defined(__x86_64__)
#define CONTEXT_IP(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[REG_RIP])
#define CONTEXT_FRAME(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[REG_RBP])
#define CONTEXT_WRITE(uc) (((uc)->uc_mcontext.gregs[REG_ERR] & 2) != 0)
#elif defined(__i386__)
#define CONTEXT_IP(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[REG_EIP])
#define CONTEXT_FRAME(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[REG_EBP])
#define CONTEXT_WRITE(uc) (((uc)->uc_mcontext.gregs[REG_ERR] & 2) != 0)
#else /* what the fault was is not known here: a read, by nobody */
#define CONTEXT_IP(uc) ((void)(uc), (uintptr_t)0)
#define CONTEXT_FRAME(uc) ((uintptr_t)0)
#define CONTEXT_WRITE(uc) false
#endif

static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t pc[STACK_MAX] = { CONTEXT_IP(uc) };
	unsigned int depth = pc[0] != 0;

	if (is_kfence_address(info->si_addr)) {
		if (depth)
			depth += backtrace_from(CONTEXT_FRAME(uc), pc + 1, STACK_MAX - 1);
		if (kfence_handle_page_fault((uintptr_t)info->si_addr, CONTEXT_WRITE(uc), pc, depth))
			return;
	}
	/* The instruction runs again, and faults again. */
	sigaction(number, &before, NULL);
	caught = false;
}

/* Another CPU may run, as a coroutine, before the handler is through: its faults must come here too. */
static void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	if (caught)
		return;
	caught = true;
	sigaction(SIGSEGV, &action, &before);
}

/* ---- Pages ---- */

static size_t copy_bytes(size_t pages)
{
	return sizeof(struct guard_copy) + pages;
}

static int guard_prepare(uintptr_t start, size_t size)
{
	struct guard_copy *fresh = calloc(1, copy_bytes(size / PAGE_SIZE));

	if (!fresh)
		return -ENOMEM;
	free(guard);
	guard = fresh;
	guard->start = start;
	guard->pages = size / PAGE_SIZE;
	catch_faults();
	return 0;
}

static bool guard_protect(uintptr_t page, bool on)
{
	size_t index = guard ? (page - guard->start) / PAGE_SIZE : 0;
	int prot = on ? PROT_NONE : PROT_READ | PROT_WRITE;

	if (!guard || index >= guard->pages || mprotect((void *)page, PAGE_SIZE, prot))
		return false;
	guard->shut[index] = on;
	return true;
}

void guard_register(void)
{
	static const struct kfence_ops ops = { guard_prepare, guard_protect };

	register_kfence_ops(&ops);
}

struct guard_copy *guard_save(void)
{
	struct guard_copy *copy = guard ? malloc(copy_bytes(guard->pages)) : NULL;

	if (guard && !copy)
		abort();
	return guard ? memcpy(copy, guard, copy_bytes(guard->pages)) : NULL;
}

void guard_restore(const struct guard_copy *copy)
{
	struct guard_copy *was = guard;

	guard = NULL;
	if (was)
		mprotect((void *)was->start, was->pages * PAGE_SIZE, PROT_READ | PROT_WRITE);
	free(was);
	if (!copy)
		return;
	guard = malloc(copy_bytes(copy->pages));
	if (!guard)
		abort();
	memcpy(guard, copy, copy_bytes(copy->pages));
	for (size_t i = 0; i < guard->pages; i++)
		if (guard->shut[i])
			mprotect((char *)guard->start + i * PAGE_SIZE, PAGE_SIZE, PROT_NONE);
}
