// SPDX-License-Identifier: MIT
/* The table that entry.S jumps through, and calls that nobody defines. */
#include "kernel.h"

#define SYSCALLS_MAX 512u /* entry.S knows it */

extern const struct syscall_entry __start_kernel_syscalls[], __stop_kernel_syscalls[];

syscall_fn kernel_syscall_table[SYSCALLS_MAX];
static u64 told[SYSCALLS_MAX / 64];

long kernel_syscall_unknown(unsigned long nr);
long kernel_syscall_unknown(unsigned long nr)
{
	struct task *me = current();

	if (nr >= SYSCALLS_MAX)
		return -ENOSYS;
	if (!(kor(&told[nr / 64], (u64)1 << nr % 64) >> nr % 64 & 1))
		printk("%s[%d]: system call %lu is not there\n", me->core.comm, me->core.pid, nr);
	return -ENOSYS;
}

static long unknown(unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e,
		    unsigned long f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return kernel_syscall_unknown((unsigned long)arch_syscall_nr());
}

/* Calls that a program makes to see whether they are there: not worth a line. */
static long silent(void)
{
	return -ENOSYS;
}
SYSCALL(334, silent); /* rseq */

void syscall_init(void);
void syscall_init(void)
{
	for (unsigned int i = 0; i < SYSCALLS_MAX; i++)
		kernel_syscall_table[i] = unknown;
	for (const struct syscall_entry *e = __start_kernel_syscalls; e < __stop_kernel_syscalls; e++) {
		if (e->nr >= SYSCALLS_MAX || kernel_syscall_table[e->nr] != unknown)
			kernel_panic("system call %u (%s) is out of range or defined twice", e->nr, e->name);
		kernel_syscall_table[e->nr] = e->fn;
	}
}

bool syscall_is_there(unsigned int nr)
{
	return nr < SYSCALLS_MAX && kernel_syscall_table[nr] != unknown;
}

char *get_user_string(uintptr_t from, size_t max, int *err)
{
	char *text = kmalloc(max, GFP_KERNEL);
	long len;

	*err = -ENOMEM;
	if (!text)
		return NULL;
	len = strncpy_from_user(text, from, max);
	*err = len < 0 ? (int)len : (size_t)len == max ? -ENAMETOOLONG : 0;
	if (!*err)
		return text;
	kfree(text);
	return NULL;
}
