// SPDX-License-Identifier: MIT
/* test_faults() on bare metal. */
#include "access.h"

#include "mmu.h"
#include "pc_try.h"

#ifdef __x86_64__
#define ADDRESS_OF_1 "leaq 1f(%%rip), %0\n\t"
#define SP "%%rsp"
#else
#define ADDRESS_OF_1 "movl $1f, %0\n\t"
#define SP "%%esp"
#endif

/* What a fault leaves in rax and rdx, where it goes on at 1; without one they are zero. */
#define TRY(access)                                                                           \
	__asm__ volatile(ADDRESS_OF_1                                                         \
			 "mov %0, (%3)\n\t"                                                   \
			 "mov " SP ", %2\n\t" /* it may come with a return address pushed */ \
			 "xor %0, %0\n\t"                                                     \
			 "xor %1, %1\n\t"                                                     \
			 access "\n\t"                                                        \
			 "xor %0, %0\n\t"                                                     \
			 "mov %0, (%3)\n"                                                     \
			 "1:\tmov %2, " SP                                                    \
			 : "=&a"(vector), "=&d"(error), "=&r"(stack)                          \
			 : "r"(trap_expect()), "r"(at), "c"(byte)                             \
			 : "memory", "cc")

struct pc_fault pc_try_access(const volatile void *at, enum test_access how)
{
	unsigned long vector, error, stack;
	unsigned int level;
	u8 byte = 0;

	/* The byte that is written is the one that is there. */
	if (how == TEST_WRITE && mmu_entry((uintptr_t)at, &level))
		byte = *(const volatile u8 *)at;
	if (how == TEST_READ)
		TRY("movb (%4), %%al");
	else if (how == TEST_WRITE)
		TRY("movb %%cl, (%4)");
	else
		TRY("call *%4");
	return (struct pc_fault){ .vector = (u32)vector, .error = (u32)error };
}

bool test_faults(const void *p, enum test_access how)
{
	return pc_try_access(p, how).vector != 0;
}
