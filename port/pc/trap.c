// SPDX-License-Identifier: MIT
/* Interrupt tables, dispatch, and the report of what nobody expected. */
#include "trap.h"

#include "apic.h"
#include "arch/x86_64/cpu/segments.h"
#include "mm/sync/cpu.h"
#include "report.h"

struct cpu_tables {
	u64 gdt[GDT_ENTRIES];
	struct task_state task;
};

extern char pc_vectors[];

static struct cpu_tables tables[PC_CPUS_MAX] __aligned(16);
static struct gate idt[256] __aligned(16);
static uintptr_t expected[PC_CPUS_MAX];

static unsigned int ist_of(unsigned int vector)
{
	switch (vector) {
	case VECTOR_DOUBLE_FAULT:
		return IST_DOUBLE_FAULT;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_MACHINE_CHECK:
		return IST_MACHINE_CHECK;
	}
	return IST_NONE;
}

void trap_init_cpu(unsigned int cpu, char *const stacks[IST_NR])
{
	struct cpu_tables *t = &tables[cpu];

	if (!cpu)
		for (unsigned int v = 0; v < 256; v++)
			set_gate(&idt[v], (uintptr_t)pc_vectors + 16 * v, ist_of(v));
	t->gdt[SELECTOR_CODE / 8] = GDT_CODE64;
	t->gdt[SELECTOR_DATA / 8] = GDT_DATA;
	t->task.io_map = sizeof(t->task);
	for (unsigned int i = IST_NONE + 1; i < IST_NR; i++)
		t->task.ist[i - 1] = (uintptr_t)stacks[i];
	set_task_descriptor(t->gdt, &t->task);
	/* Loading segment registers leaves MSR_GS_BASE alone as long as %gs itself is not loaded. */
	load_segments(t->gdt, sizeof(t->gdt));
	load_gates(idt, sizeof(idt));
}

uintptr_t *trap_expect(void)
{
	return &expected[port_cpu_id()];
}

static bool resume_expected(struct trap_frame *frame)
{
	uintptr_t *resume = trap_expect();

	if (!*resume || (frame->vector != VECTOR_PAGE_FAULT && frame->vector != VECTOR_PROTECTION))
		return false;
	frame->rip = *resume;
	frame->rax = frame->vector;
	frame->rdx = frame->error;
	*resume = 0;
	return true;
}

static void exception(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_NMI && report_stopping())
		cpu_stop();
	if (resume_expected(frame) || (frame->vector == VECTOR_PAGE_FAULT && guard_fault(frame)))
		return;
	report_exception(frame);
}

void pc_trap(struct trap_frame *frame)
{
	if (frame->vector < VECTOR_EXCEPTIONS)
		exception(frame);
	else
		apic_interrupt((unsigned int)frame->vector);
}
