// SPDX-License-Identifier: MIT
/*
 * Purpose
 *   Start the other CPUs and have them do things: functions in their interrupts (port_cpu_call()) and work
 *   in their thread context (smp_run()).
 *
 * Words
 *   Each CPU has one thread: the boot CPU's runs start.c, every other's waits for work in idle(). That makes
 *   port_park() a halt until the token is there (park.c), unless a kernel with threads of its own brings another.
 *
 * Structures
 *   struct pc_cpu, one a CPU; struct call, one for all: a call in flight at a time.
 *
 * Invariants
 *   PC-I3  A CPU that waits in port_cpu_call() serves the calls of others meanwhile, so two that call each
 *          other with interrupts off both get their answer.
 *
 * Locking
 *   call.lock is taken by trying, and its holder takes no other. cpu->work: set by who runs, cleared by the CPU.
 *
 * What failure does
 *   A CPU that does not answer within ten seconds is reported and left out; its number stays possible.
 */
#include "smp.h"

#include "apic.h"
#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "mmu.h"
#include "stack.h"
#include "trap.h"

struct pc_cpu {
	u32 apic_id;
	u32 up;			/* set by the CPU when it is online */
	u32 callable;		/* takes part in calls: from when it begins to join the core */
	u32 token;		/* port_unpark() came */
	u32 wanted;		/* has to serve the call in flight */
	void (*work)(void *arg); /* NULL: idle */
	void *work_arg;
	struct ap_restart restart;
} __aligned(64);

static struct pc_cpu cpus[PC_CPUS_MAX];
static unsigned int cpus_nr;
static u32 trampoline_page;

static struct {
	u32 lock;
	u32 pending; /* CPUs that have not run it yet */
	void (*fn)(void *arg);
	void *arg;
} call;

/* ---- Starting ---- */

static void __attribute__((noreturn)) idle(struct pc_cpu *me)
{
	for (;;) {
		void (*work)(void *arg);

		irq_disable();
		work = load_acquire(&me->work);
		if (!work) {
			irq_enable_and_halt();
			continue;
		}
		irq_enable();
		work(me->work_arg);
		store_release(&me->work, NULL);
	}
}

void pc_ap_start(unsigned int cpu)
{
	struct pc_cpu *me = &cpus[cpu];
	char *tops[STACKS];

	cpu_local_load(cpu);
	stack_tops(cpu, tops);
	trap_init_cpu(cpu, tops);
	mmu_init_cpu();
	apic_init_cpu();
	/* What it was told in an earlier life of the core. */
	me->work = NULL;
	me->token = me->wanted = 0;
	/* What it loads of the core's from here on others may want it to forget. */
	store_release(&me->callable, 1);
	smp_mb();
	if (mm_cpu_online(cpu)) {
		store_release(&me->callable, 0);
		smp_call_serve();
		printk("smp: the core does not take CPU %u\n", cpu);
		cpu_stop();
	}
	store_release(&me->up, 1);
	idle(me);
}

static bool wait_until_up(unsigned int cpu)
{
	u64 until = port_clock_ns() + 10000000000;

	while (!load_acquire(&cpus[cpu].up)) {
		if (port_clock_ns() > until) {
			printk("smp: CPU %u (APIC id %u) does not answer\n", cpu, cpus[cpu].apic_id);
			return false;
		}
		cpu_pause();
	}
	return true;
}

static void start_cpu(unsigned int cpu)
{
	char *tops[STACKS];

	if (stacks_make(cpu)) {
		printk("smp: no memory for the stacks of CPU %u\n", cpu);
		return;
	}
	stack_tops(cpu, tops);
	trampoline_prepare(trampoline_page, cpu, tops[STACK_THREAD]);
	apic_start_cpu(cpus[cpu].apic_id, trampoline_page);
	wait_until_up(cpu);
}

void smp_init(const struct bootinfo_cpu *list, unsigned int nr, u32 trampoline)
{
	cpus_nr = nr;
	trampoline_page = trampoline;
	for (unsigned int i = 0; i < nr; i++)
		cpus[i].apic_id = list[i].apic_id;
	cpus[0].up = cpus[0].callable = 1;
}

void smp_boot(void)
{
	if (cpus_nr > 1 && !trampoline_page)
		printk("smp: no page below 1 MiB to start the other %u CPUs in\n", cpus_nr - 1);
	for (unsigned int cpu = 1; cpu < cpus_nr && trampoline_page; cpu++)
		start_cpu(cpu);
	printk("smp: %u of %u CPUs online, %s\n", smp_online(), cpus_nr, apic_name());
}

unsigned int smp_online(void)
{
	unsigned int n = 0;

	for (unsigned int cpu = 0; cpu < cpus_nr; cpu++)
		n += load_acquire(&cpus[cpu].up);
	return n ? n : 1;
}

bool smp_is_up(unsigned int cpu)
{
	return cpu < cpus_nr && load_acquire(&cpus[cpu].up);
}

/* ---- Calls in the interrupt ---- */

static bool is_callable(unsigned int cpu)
{
	return cpu < cpus_nr && load_acquire(&cpus[cpu].callable);
}

void smp_call_serve(void)
{
	if (!atomic_xchg(&cpus[port_cpu_id()].wanted, 0))
		return;
	smp_mb();
	if (call.fn)
		call.fn(call.arg);
	atomic_fetch_sub(&call.pending, 1);
}

static void serve_while_waiting(void)
{
	unsigned long flags = port_irq_save();

	smp_call_serve();
	port_irq_restore(flags);
	cpu_pause();
}

static void call_self(void (*fn)(void *arg), void *arg)
{
	unsigned long flags = port_irq_save();

	smp_mb();
	if (fn)
		fn(arg);
	port_irq_restore(flags);
}

int port_cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	unsigned int me = port_cpu_id(), first = cpu, last = cpu;

	if (cpu == PORT_CPU_OTHERS) {
		first = 0;
		last = cpus_nr - 1;
	} else if (cpu == me) {
		call_self(fn, arg);
		return 0;
	}
	if (cpu != PORT_CPU_OTHERS && !is_callable(cpu))
		return -EINVAL;
	while (atomic_xchg(&call.lock, 1))
		serve_while_waiting();
	call.fn = fn;
	call.arg = arg;
	for (unsigned int i = first; i <= last; i++) {
		if (i == me || !is_callable(i))
			continue;
		atomic_fetch_add(&call.pending, 1);
		store_release(&cpus[i].wanted, 1);
		apic_send(cpus[i].apic_id, VECTOR_CALL);
	}
	while (load_acquire(&call.pending))
		cpu_pause();
	store_release(&call.lock, 0);
	return 0;
}

/* ---- Work ---- */

u32 *smp_token(unsigned int cpu)
{
	return &cpus[cpu].token;
}

void smp_wake(unsigned int cpu)
{
	if (cpu != port_cpu_id())
		apic_send(cpus[cpu].apic_id, VECTOR_WAKE);
}

int smp_run(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	if (!cpu || cpu == port_cpu_id() || !smp_is_up(cpu))
		return -EINVAL;
	if (load_acquire(&cpus[cpu].work))
		return -EBUSY;
	cpus[cpu].work_arg = arg;
	store_release(&cpus[cpu].work, fn);
	smp_wake(cpu);
	return 0;
}

void smp_wait(unsigned int cpu)
{
	while (smp_is_up(cpu) && load_acquire(&cpus[cpu].work))
		cpu_pause();
}

void smp_run_all(void (*fn)(void *arg), void *arg)
{
	for (unsigned int cpu = 1; cpu < cpus_nr; cpu++)
		if (smp_is_up(cpu) && smp_run(cpu, fn, arg))
			port_panic("smp_run_all: a CPU is busy");
	fn(arg);
	for (unsigned int cpu = 1; cpu < cpus_nr; cpu++)
		smp_wait(cpu);
}

/* ---- Standing aside while the core is booted again ---- */

/*
 * All that a CPU stands on is the core's: page tables, stacks, per-CPU variables. So it goes back to where it came
 * from, the boot tables, and waits there with nothing but its registers and what is in the image (pc_ap_park()); and
 * begins anew as if it had just been started.
 */
static u32 parked;

static void park(void *arg)
{
	unsigned int cpu = port_cpu_id();

	(void)arg;
	irq_disable();
	store_release(&cpus[cpu].up, 0);
	store_release(&cpus[cpu].callable, 0);
	cpus[cpu].restart = (struct ap_restart){ .cpu = cpu };
	trap_park_cpu(cpu);
	pc_ap_park(&cpus[cpu].restart, pc_image_phys(pc_boot_root), &parked);
}

void smp_freeze(void)
{
	u32 others = smp_online() - 1;

	store_release(&parked, 0);
	for (unsigned int cpu = 1; cpu < cpus_nr; cpu++)
		if (smp_is_up(cpu) && smp_run(cpu, park, NULL))
			port_panic("smp_freeze: a CPU is busy");
	while (load_acquire(&parked) < others)
		cpu_pause();
	stacks_forget();
}

void smp_thaw(void)
{
	for (unsigned int cpu = 1; cpu < cpus_nr; cpu++) {
		struct ap_restart *restart = &cpus[cpu].restart;
		char *tops[STACKS];

		if (smp_is_up(cpu) || restart->cpu != cpu)
			continue;
		if (stacks_make(cpu))
			port_panic("smp_thaw: no memory for a CPU's stacks");
		stack_tops(cpu, tops);
		restart->root = (unsigned long)mmu_kernel_root();
		restart->stack = (uintptr_t)tops[STACK_THREAD];
		store_release(&restart->go, 1);
		if (!wait_until_up(cpu))
			port_panic("smp_thaw: a CPU does not come back");
	}
}
