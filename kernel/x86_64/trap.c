// SPDX-License-Identifier: MIT
/*
 * What comes from user mode by exceptions and interrupts, and the way back there.
 * Source of the signals: signal(7), sigaction(2); vectors: Intel SDM volume 3A table 6-1.
 */
#include "kernel/kernel.h"

#include "arch/x86_64/cpu/segments.h"
#include "port/pc/mmu.h"
#include "port/pc/power.h"
#include "port/pc/report.h"
#include "port/pc/trap.h"

#define FPE_INTDIV 1
#define FPE_FLTINV 7
#define ILL_ILLOPN 2
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define BUS_ADRALN 1

/* si_code of an arithmetic exception: the lowest that is flagged in @status and not masked in @control. */
static int fpe_code(u32 status, u32 control)
{
	static const u8 codes[6] = { 7, 7, 3, 4, 5, 6 }; /* invalid, denormal, divide, overflow, underflow, inexact */

	for (unsigned int i = 0; i < 6; i++)
		if ((status & ~control) >> i & 1)
			return codes[i];
	return FPE_FLTINV;
}

static noinline void refuse(struct task *me, const struct page_fault *fault)
{
	if (me->core.fault.signo) {
		struct k_siginfo info = { .signo = me->core.fault.signo, .code = me->core.fault.code };

		info.fault.address = me->core.fault.address;
		info.fault.pkey = me->core.fault.pkey;
		force_signal(&info);
	} else {
		force_signal_fault(SIGSEGV, 1, fault->address);
	}
}

static void other_exception(struct trap_frame *frame)
{
	u16 control, status;
	u32 mxcsr;

	irq_enable();
	switch (frame->vector) {
	case 0:
		force_signal_fault(SIGFPE, FPE_INTDIV, frame->rip);
		break;
	case VECTOR_DEBUG:
		frame->rflags &= ~0x100ul;
		force_signal_fault(SIGTRAP, TRAP_TRACE, frame->rip);
		break;
	case VECTOR_BREAKPOINT:
		force_signal_fault(SIGTRAP, SI_KERNEL, 0);
		break;
	case 6:
		force_signal_fault(SIGILL, ILL_ILLOPN, frame->rip);
		break;
	case 16:
		__asm__ volatile("fnstsw %0; fnstcw %1; fnclex" : "=m"(status), "=m"(control));
		force_signal_fault(SIGFPE, fpe_code(status, control), frame->rip);
		break;
	case 17:
		force_signal_fault(SIGBUS, BUS_ADRALN, 0);
		break;
	case 19:
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		force_signal_fault(SIGFPE, fpe_code(mxcsr & 0x3f, mxcsr >> 7), frame->rip);
		break;
	default:
		force_signal_fault(frame->vector == 12 ? SIGBUS : SIGSEGV, SI_KERNEL, 0);
	}
}

/* From the last look at the work to user mode interrupts are off: nothing can come up in between. */
static noinline void do_work(struct task *me)
{
	u32 work;

	while ((work = kload(&me->work))) {
		irq_enable();
		kand(&me->work, ~(work & (WORK_RESCHED | WORK_POLL | WORK_IRET)));
		if (work & WORK_POLL) {
			task_trim();
			rcu_poll();
			check_cpu_limit();
		}
		if (work & WORK_RESCHED)
			schedule();
		if (work & (WORK_SIGNAL | WORK_SIGMASK))
			do_signals();
		irq_disable();
	}
}

void kernel_leave(struct trap_frame *frame);
void kernel_leave(struct trap_frame *frame)
{
	struct task *me = current();

	(void)frame;
	irq_disable();
	if (unlikely(kload(&me->work)))
		do_work(me);
}

/*
 * Whoever never had a protection key has all rights by key 0, until the processor says otherwise: WRPKRU is no system
 * call. From then on the register is looked at, as it may change back, too.
 */
static inline void look_at_pkru(struct task *me, u32 flags)
{
	if (likely(!me->process->uses_pkeys && !(flags & PAGE_FAULT_PKEY)))
		return;
	me->process->uses_pkeys = true;
	arch_read_pkru();
}

static void page_fault(struct trap_frame *frame)
{
	struct task *me = current();
	struct page_fault fault;

	fault.address = read_cr2();
	fault.flags = (u32)frame->error & 0x3f;
	fault.error = frame->error;
	fault.ip = frame->rip;
	fault.stack = NULL;
	fault.depth = 0;
	irq_enable();
	look_at_pkru(me, fault.flags);
	me->core.fault.signo = 0;
	/* The processor's own access, as for a descriptor: the program has loaded what it may not. */
	if (unlikely(!(fault.flags & PAGE_FAULT_USER)))
		force_signal_fault(SIGSEGV, SI_KERNEL, 0);
	else if (unlikely(handle_page_fault(&fault)))
		refuse(me, &fault);
	irq_disable();
	if (unlikely(kload(&me->work)))
		do_work(me);
}

/* The kernel's own accesses obey PKRU, too. */
static void uaccess_fault(u32 flags)
{
	look_at_pkru(current(), flags);
}

static const struct pc_user_ops ops = {
	.page_fault = page_fault,
	.exception = other_exception,
	.leave = kernel_leave,
	.uaccess_fault = uaccess_fault,
};

void arch_trap_init(void);
void arch_trap_init(void)
{
	pc_user_ops = &ops;
}
