// SPDX-License-Identifier: MIT
/* test_faults() in a process: instructions at known places, which the fault handler skips if they are refused. */
#include "access.h"

#include <setjmp.h>
#include <string.h>

#include "hosted.h"

/* What is being accessed: an address that is none comes without it, and a call ends there. */
static __thread uintptr_t target;
static __thread bool under_way;

#if defined(__x86_64__) || defined(__i386__)

/*
 * Each takes the address and returns 1 if the instruction marked was skipped. A write is an exclusive or with 0: it
 * needs the right to write, and changes nothing.
 */
int access_read(const void *p);
int access_write(const void *p);
int access_call(const void *p);
extern const char access_read_at[], access_write_at[], access_call_at[], access_refused[];

#if defined(__x86_64__)
#define ARGUMENT ""
#define AT "%rdi"
#define POP sizeof(uint64_t)
#else
#define ARGUMENT "	movl 4(%esp), %ecx\n"
#define AT "%ecx"
#define POP sizeof(uint32_t)
#endif

__asm__(".text\n"
	".globl access_read, access_write, access_call\n"
	".globl access_read_at, access_write_at, access_call_at, access_refused\n"
	"access_read:\n" ARGUMENT
	"access_read_at:\n"
	"	movb (" AT "), %al\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"access_write:\n" ARGUMENT
	"access_write_at:\n"
	"	lock xorb $0, (" AT ")\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"access_call:\n" ARGUMENT
	"access_call_at:\n"
	"	call *" AT "\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"access_refused:\n"
	"	movl $1, %eax\n"
	"	ret\n");

static bool on_trap(struct hosted_trap *trap, bool reported)
{
	bool called = trap->ip == target;

	if (!under_way)
		return false;
	if (!called && trap->ip != (uintptr_t)access_read_at && trap->ip != (uintptr_t)access_write_at &&
	    trap->ip != (uintptr_t)access_call_at)
		return false;
	trap->address = target;
	if (reported) {
		trap->ip = (uintptr_t)access_refused;
		trap->sp += called ? POP : 0; /* the call has left its return address */
	}
	return true;
}

static bool refused(const void *p, enum test_access how)
{
	return how == TEST_READ ? access_read(p) : how == TEST_WRITE ? access_write(p) : access_call(p);
}

#else /* the handler does not know the instruction, but the thread */

static __thread sigjmp_buf *back;

static bool on_trap(struct hosted_trap *trap, bool reported)
{
	if (!under_way)
		return false;
	trap->address = target;
	if (reported)
		siglongjmp(*back, 1);
	return true;
}

static bool refused(const void *p, enum test_access how)
{
	volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)p;
	sigjmp_buf here;
	bool faulted = true;

	back = &here;
	if (!sigsetjmp(here, 1)) {
		if (how == TEST_WRITE)
			__atomic_fetch_or(byte, 0, __ATOMIC_SEQ_CST);
		else if (how == TEST_READ)
			(void)*byte;
		else
			((void (*)(void))(uintptr_t)p)();
		faulted = false;
	}
	back = NULL;
	return faulted;
}

#endif

bool test_faults(const void *p, enum test_access how)
{
	bool faulted;

	hosted_fault_hook = on_trap;
	target = (uintptr_t)p;
	under_way = true;
	faulted = refused(p, how);
	under_way = false;
	return faulted;
}
