// SPDX-License-Identifier: MIT
/* Dispatch of interrupts and exceptions. */
#include "trap.h"

#include "apic.h"
#include "mm/sync/cpu.h"
#include "report.h"

static uintptr_t expected[PC_CPUS_MAX];

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
