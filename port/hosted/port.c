// SPDX-License-Identifier: MIT
/* Hosted port, tier 0: what the core asks of a process. */
#include <octavo/port.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <asm/prctl.h>
#include <sys/syscall.h>
#endif

#include "hosted.h"

static __thread unsigned int my_cpu;

void hosted_enter_cpu(unsigned int cpu)
{
	my_cpu = cpu;
#if defined(__x86_64__)
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, octavo_cpu_local(cpu)))
		perror("octavo: arch_prctl"), abort();
#endif
}

unsigned int port_cpu_id(void)
{
	return my_cpu;
}

void port_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

unsigned long port_irq_save(void)
{
	return 0;
}

void port_irq_restore(unsigned long flags)
{
	(void)flags;
}

bool (*hosted_console_hook)(const char *text, size_t len);

void port_console_write(const char *text, size_t len)
{
	if (hosted_console_hook && hosted_console_hook(text, len))
		return;
	fwrite(text, 1, len, stdout);
}

void port_panic(const char *why)
{
	fflush(stdout);
	fprintf(stderr, "octavo: panic: %s\n", why);
	abort();
}
