// SPDX-License-Identifier: MIT
/* The table of CPUs. CPU 0's base is static so that it exists before memory does. */
#include "cpu.h"

#include <octavo/port.h>
#include <octavo/percpu.h>
#include <octavo/preempt.h>

#include "../base/printk.h"
#include "atomic.h"

struct octavo_percpu_unit octavo_percpu_unit __attribute__((section("octavo_percpu"), aligned(128))) = {
	.cpu = { .self = &octavo_percpu_unit.cpu, .online = 1, .percpu_ready = 1 },
};
struct cpu_local *cpu_locals[NR_CPUS] __memsys = { &octavo_percpu_unit.cpu };
unsigned int nr_cpu_ids __memsys = 1;

void *octavo_cpu_local(unsigned int cpu)
{
	return cpu < NR_CPUS ? cpu_locals[cpu] : NULL;
}

bool octavo_cpu_in_section(void)
{
	struct cpu_local *cpu = this_cpu();

	return load_relaxed(&cpu->depth) || load_relaxed(&cpu->rcu_nesting) || load_relaxed(&cpu->preempt_count);
}

void preempt_disable(void)
{
	this_cpu_count_up(preempt_count);
}

void preempt_enable(void)
{
	if (unlikely(!load_relaxed(&this_cpu()->preempt_count))) {
		pr_err("preempt_enable: preemption is on already on CPU %u\n", smp_processor_id());
		return;
	}
	this_cpu_count_down(preempt_count);
}

int preempt_count(void)
{
	return (int)load_relaxed(&this_cpu()->preempt_count);
}

int get_cpu(void)
{
	preempt_disable();
	return (int)smp_processor_id();
}

unsigned int num_online_cpus(void)
{
	unsigned int n = 0;

	for_each_online_cpu(cpu)
		n++;
	return n;
}
