// SPDX-License-Identifier: MIT
/* A CPU leaves: what it has cached and counted goes back to where all can see it. */
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/zone.h"
#include "../sync/atomic.h"

void mm_cpu_offline(unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || cpu == smp_processor_id() || !cpu_locals[cpu] || !READ_ONCE(cpu_locals[cpu]->online)) {
		pr_err("mm_cpu_offline: CPU %u is not another CPU that is online\n", cpu);
		return;
	}
	store_release(&cpu_locals[cpu]->online, 0);
	mm_parts_cpu_dead(cpu);
	for_each_populated_zone(zone)
		frames_drain_all(zone);
	vmstat_cpu_dead(cpu);
}
