/* SPDX-License-Identifier: MIT */
/*
 * System calls by Linux's x86-64 numbers (arch/x86/entry/syscalls/syscall_64.tbl as documented in syscalls(2)).
 * Each takes six words and returns a value or a negative errno. A file of kernel/ defines the ones of its concept and
 * says so at its end: SYSCALL(9, sys_mmap); the linker collects them. Numbers nobody defined return -ENOSYS, and are
 * logged once.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <octavo/errno.h>
#include <octavo/uaccess.h>

struct syscall_args {
	unsigned long a[6];
};

typedef long (*syscall_fn)(unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e,
			   unsigned long f);

struct syscall_entry {
	unsigned int nr;
	syscall_fn fn;
	const char *name;
};

/* Is there a system call of that number? */
bool syscall_is_there(unsigned int nr);

#define SYSCALL(nr_, fn_)                                                                                     \
	static const struct syscall_entry syscall_entry_##fn_                                                 \
		__attribute__((used, section("kernel_syscalls"), aligned(8))) = { \
			(nr_), (syscall_fn)(void (*)(void))(fn_), #fn_                                        \
		}

#endif
