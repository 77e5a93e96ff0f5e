// SPDX-License-Identifier: MIT
/* Parking where each CPU has one thread; a kernel with a scheduler links its own instead. */
#include "apic.h"
#include "mm/sync/atomic.h"
#include "smp.h"

uintptr_t port_thread_self(void)
{
	return port_cpu_id() + 1;
}

void port_park(u64 timeout_ns)
{
	u32 *token = smp_token(port_cpu_id());
	unsigned long flags;
	bool timed;

	if (timeout_ns && timeout_ns < PORT_PARK_YIELD_NS)
		return;
	flags = port_irq_save();
	timed = timeout_ns && apic_timer_start(timeout_ns, NULL);

	/* Without a timer a limited wait must not halt: it returns early, as the contract allows. */
	if (!atomic_xchg(token, 0) && (timed || !timeout_ns)) {
		irq_enable_and_halt();
		irq_disable();
		atomic_xchg(token, 0);
	}
	if (timed)
		apic_timer_stop();
	port_irq_restore(flags);
}

void port_unpark(uintptr_t thread)
{
	unsigned int cpu = (unsigned int)(thread - 1);

	if (!smp_is_up(cpu))
		return;
	atomic_xchg(smp_token(cpu), 1);
	smp_wake(cpu);
}
