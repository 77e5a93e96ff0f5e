// SPDX-License-Identifier: MIT
/* Dispatch of interrupts and exceptions. */
#include "trap.h"

#include "apic.h"
#include "mmu.h"
#include "mm/sync/cpu.h"
#include "report.h"

#define CALLERS_MAX 24u

const struct pc_user_ops *pc_user_ops;

extern const struct pc_fixup pc_fixups_start[], pc_fixups_end[];

static uintptr_t expected[PC_CPUS_MAX];
static u32 fault_depth[PC_CPUS_MAX];

uintptr_t *trap_expect(void)
{
	return &expected[port_cpu_id()];
}

static bool resume_expected(struct trap_frame *frame)
{
	uintptr_t *resume = trap_expect();

	if (!*resume || (frame->vector != VECTOR_PAGE_FAULT && frame->vector != VECTOR_PROTECTION))
		return false;
	frame_resume(frame, *resume, frame->vector, frame->error);
	*resume = 0;
	return true;
}

static uintptr_t find_fixup(uintptr_t ip)
{
	for (const struct pc_fixup *f = pc_fixups_start; f < pc_fixups_end; f++)
		if (f->at == ip)
			return f->go_on;
	return 0;
}

/* The kernel's access to user memory: the core may sleep over it, and says nothing if it is refused. */
static bool fixed_up(struct trap_frame *frame)
{
	struct page_fault fault = { .error = frame->error, .ip = frame_ip(frame), .address = read_cr2() };
	uintptr_t go_on = find_fixup(frame_ip(frame));
	int err = -EFAULT;

	if (!go_on || (frame->vector != VECTOR_PAGE_FAULT && frame->vector != VECTOR_PROTECTION))
		return false;
	if (frame->vector == VECTOR_PAGE_FAULT) {
		fault.flags = ((u32)frame->error & 0x3f) | PAGE_FAULT_UACCESS;
		if (pc_user_ops)
			pc_user_ops->uaccess_fault(fault.flags);
		if (frame_irqs_on(frame))
			irq_enable();
		err = handle_page_fault(&fault);
		irq_disable();
	}
	if (err)
		frame_set_ip(frame, go_on);
	return true;
}

/*
 * An access that was refused is the core's business. Return: false: it has not helped, and has said why; or it was no
 * access.
 */
static bool refused_access(struct trap_frame *frame)
{
	uintptr_t callers[CALLERS_MAX];
	struct page_fault fault = { .error = frame->error, .ip = frame_ip(frame), .stack = callers };
	u32 *depth = &fault_depth[port_cpu_id()];
	int err;

	if (frame->vector == VECTOR_PAGE_FAULT) {
		fault.address = read_cr2();
		fault.flags = (u32)frame->error & (PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER |
						   PAGE_FAULT_RESERVED | PAGE_FAULT_EXEC | PAGE_FAULT_PKEY);
	} else if (frame->vector != VECTOR_PROTECTION || !trap_no_address(frame, &fault)) {
		return false;
	}
	/* Faults of the core in its own handling of one: the second still gets a report, the third is the end. */
	if (*depth > 1)
		return false;
	fault.depth = report_walk(frame_bp(frame), callers, CALLERS_MAX);
	++*depth;
	if (frame_irqs_on(frame))
		irq_enable();
	err = handle_page_fault(&fault);
	irq_disable();
	--*depth;
	return !err;
}

static void exception(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_NMI && report_stopping())
		cpu_stop();
	if (fixed_up(frame) || refused_access(frame) || resume_expected(frame))
		return;
	report_exception(frame);
}

void pc_trap(struct trap_frame *frame)
{
	smap_on();
	if (frame->vector < VECTOR_EXCEPTIONS)
		exception(frame);
	else
		apic_interrupt((unsigned int)frame->vector);
}

static noinline void other_user_trap(struct trap_frame *frame)
{
	if (frame->vector >= VECTOR_EXCEPTIONS)
		apic_interrupt((unsigned int)frame->vector);
	else if (pc_user_ops)
		pc_user_ops->exception(frame);
	else
		exception(frame);
	if (pc_user_ops)
		pc_user_ops->leave(frame);
}

void pc_trap_user(struct trap_frame *frame)
{
	smap_on();
	if (likely(frame->vector == VECTOR_PAGE_FAULT && pc_user_ops))
		pc_user_ops->page_fault(frame);
	else
		other_user_trap(frame);
}
