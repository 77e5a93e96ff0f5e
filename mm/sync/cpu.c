// SPDX-License-Identifier: MIT
/* The table of CPUs. CPU 0's base is static so that it exists before memory does. */
#include "cpu.h"

#include <octavo/port.h>

#include "atomic.h"

static struct cpu_local boot_cpu __memsys = { .self = &boot_cpu, .online = 1 };
struct cpu_local *cpu_locals[NR_CPUS] __memsys = { &boot_cpu };
unsigned int nr_cpu_ids __memsys = 1;

void *octavo_cpu_local(unsigned int cpu)
{
	return cpu < NR_CPUS ? cpu_locals[cpu] : NULL;
}

bool octavo_cpu_in_section(void)
{
	return load_relaxed(&this_cpu()->depth) != 0;
}

unsigned int num_online_cpus(void)
{
	unsigned int n = 0;

	for_each_online_cpu(cpu)
		n++;
	return n;
}
