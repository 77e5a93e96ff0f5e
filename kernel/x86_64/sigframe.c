// SPDX-License-Identifier: MIT
/*
 * What a signal handler finds on its stack, and the way back: struct rt_sigframe as programs see it (ucontext_t and
 * siginfo_t of <ucontext.h>, <signal.h>), with the vector registers in XSAVE's standard form above it.
 */
#include "kernel/kernel.h"

#include "arch/x86_64/cpu/segments.h"
#include "kernel/x86_64/fpu.h"
#include "port/pc/trap.h"

#define UC_FP_XSTATE 1u
#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define FPX_SW_OFFSET 464u
#define RED_ZONE 128u
#define SS_AUTODISARM 0x80000000u
#define SS_DISABLE 2u
#define SS_ONSTACK 1u
/* CF PF AF ZF SF TF DF OF RF AC: what a program may set */
#define USER_FLAGS 0x50dd5ul

struct sigcontext_k {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2, fpstate;
	u64 reserved[8];
};
octavo_static_assert(sizeof(struct sigcontext_k) == 256, "struct sigcontext");

struct ucontext_k {
	u64 flags, link;
	u64 stack_sp;
	u32 stack_flags, stack_pad;
	u64 stack_size;
	struct sigcontext_k mcontext;
	u64 sigmask;
};

struct rt_sigframe {
	u64 restorer;
	struct ucontext_k uc;
	struct k_siginfo info;
};

struct fpx_sw {
	u32 magic1, extended_size;
	u64 features;
	u32 xstate_size, pad[7];
};

/* ---- Results of system calls ---- */

long arch_result(void)
{
	return (long)task_frame(current())->rax;
}

void arch_set_result(long value)
{
	task_frame(current())->rax = (unsigned long)value;
}

void arch_restart_syscall(bool by_restart)
{
	struct trap_frame *frame = task_frame(current());

	frame->rax = by_restart ? 219 : frame->error;
	frame->rip -= 2; /* the SYSCALL instruction */
	frame->error = ~0ul;
}

/* ---- To the handler ---- */

static size_t fpu_bytes(void)
{
	return fpu_facts.xsave ? fpu_facts.size + 4 : 512;
}

/*
 * @pkru: the program's. While the frame is written the register has another value, which a switch of threads would
 * save: what the frame says of it is written apart.
 */
static int put_pkru(uintptr_t at, u32 pkru)
{
	u64 header;

	if (!fpu_facts.pkru_offset)
		return 0;
	if (get_user(header, at + 512))
		return -EFAULT;
	header |= XFEATURE_PKRU;
	return put_user(header, at + 512) || put_user(pkru, at + fpu_facts.pkru_offset) ? -EFAULT : 0;
}

static int put_fpu(uintptr_t at, u32 pkru)
{
	struct task *me = current();
	u32 magic2 = FP_XSTATE_MAGIC2;
	struct fpx_sw sw = { FP_XSTATE_MAGIC1, (u32)fpu_facts.size + 4, fpu_facts.features, (u32)fpu_facts.size,
			     { 0 } };
	unsigned long flags = port_irq_save();

	fpu_save(me->thread.fpu);
	port_irq_restore(flags);
	if (copy_to_user(at, me->thread.fpu, fpu_facts.size))
		return -EFAULT;
	if (!fpu_facts.xsave)
		return 0;
	if (copy_to_user(at + FPX_SW_OFFSET, &sw, sizeof(sw)) ||
	    copy_to_user(at + fpu_facts.size, &magic2, sizeof(magic2)))
		return -EFAULT;
	return put_pkru(at, pkru);
}

/* A handler begins as a program does. */
static void reset_fpu(void)
{
	struct task *me = current();
	unsigned long flags = port_irq_save();

	fpu_initial(me->thread.fpu);
	fpu_load(me->thread.fpu);
	port_irq_restore(flags);
	arch_read_pkru();
}

static void fill_context(struct rt_sigframe *f, const struct trap_frame *r, uintptr_t fpstate, sigset_k mask)
{
	struct task *me = current();
	bool on = r->rsp - me->altstack - 1 < me->altstack_size;

	f->uc.flags = (fpu_facts.xsave ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f->uc.stack_sp = me->altstack;
	f->uc.stack_flags = me->altstack_flags | (!me->altstack_size ? SS_DISABLE : on ? SS_ONSTACK : 0);
	f->uc.stack_size = me->altstack_size;
	f->uc.sigmask = mask;
	f->uc.mcontext = (struct sigcontext_k){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13, .r14 = r->r14,
		.r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx,
		.rax = r->rax, .rcx = r->rcx, .rsp = r->rsp, .rip = r->rip, .eflags = r->rflags,
		.cs = SELECTOR_USER_CODE, .ss = SELECTOR_USER_DATA,
		.err = r->vector < 32 ? r->error : 0,
		.trapno = r->vector < 32 ? r->vector : 0,
		.oldmask = mask,
		.cr2 = r->vector == VECTOR_PAGE_FAULT ? f->info.fault.address : 0,
		.fpstate = fpstate,
	};
}

int arch_signal_frame(const struct k_sigaction *action, const struct k_siginfo *info, sigset_k mask)
{
	struct task *me = current();
	struct trap_frame *r = task_frame(me);
	bool on = r->rsp - me->altstack - 1 < me->altstack_size;
	uintptr_t sp = r->rsp - RED_ZONE, fpstate, at;
	struct rt_sigframe f;
	u32 pkru;

	if ((action->flags & SA_ONSTACK) && me->altstack_size && !on)
		sp = me->altstack + me->altstack_size;
	fpstate = (sp - fpu_bytes()) & ~63ul;
	/* The ABI wants rsp + 8 to be a multiple of 16 where a function begins. */
	at = ((fpstate - sizeof(f)) & ~15ul) - 8;
	if (!(action->flags & SA_RESTORER) || (on && at - me->altstack >= me->altstack_size))
		return -EFAULT;
	memset(&f, 0, sizeof(f));
	f.restorer = action->restorer;
	f.info = *info;
	fill_context(&f, r, fpstate, mask);
	/* No key keeps the frame from its stack: the handler may be there to deal with the keys. */
	arch_read_pkru();
	pkru = me->core.pkru;
	arch_load_pkru(0);
	if (put_fpu(fpstate, pkru) || copy_to_user(at, &f, sizeof(f))) {
		arch_load_pkru(pkru);
		return -EFAULT;
	}
	reset_fpu();
	if (me->altstack_flags & SS_AUTODISARM)
		me->altstack = me->altstack_size = 0, me->altstack_flags = 0;
	r->rip = action->handler;
	r->rsp = at;
	r->rdi = (unsigned long)info->signo;
	r->rsi = at + offsetof(struct rt_sigframe, info);
	r->rdx = at + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->rflags &= ~0x10500ul; /* RF, DF, TF */
	r->vector = 256;
	r->error = ~0ul;
	kor(&me->work, WORK_IRET);
	return 0;
}

/* ---- And back ---- */

/* What XRSTOR would refuse must not get there: the header's bits outside of ours, reserved bits of MXCSR. */
static void clean_fpu(u8 *area, bool extended)
{
	*(u32 *)(area + 24) &= 0xffff;
	if (!fpu_facts.xsave)
		return;
	if (!extended)
		*(u64 *)(area + 512) = 3;
	*(u64 *)(area + 512) &= fpu_facts.features;
	memset(area + 520, 0, 56);
}

static int get_fpu(uintptr_t at)
{
	struct task *me = current();
	struct fpx_sw sw = { 0 };
	unsigned long flags;
	bool extended = false;
	u8 *area;

	area = kmalloc(fpu_facts.size + 64, GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	memset(area, 0, fpu_facts.size + 64);
	if (!at) {
		fpu_initial(me->thread.fpu);
	} else {
		if (fpu_facts.xsave && !copy_from_user(&sw, at + FPX_SW_OFFSET, sizeof(sw)))
			extended = sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size == fpu_facts.size;
		if (copy_from_user(area, at, extended ? fpu_facts.size : 512)) {
			kfree(area);
			return -EFAULT;
		}
		clean_fpu(area, extended);
	}
	flags = port_irq_save();
	if (at)
		memcpy(me->thread.fpu, area, fpu_facts.size);
	fpu_load(me->thread.fpu);
	port_irq_restore(flags);
	kfree(area);
	return 0;
}

static void load_context(struct trap_frame *r, const struct sigcontext_k *c)
{
	*r = (struct trap_frame){
		.r8 = c->r8, .r9 = c->r9, .r10 = c->r10, .r11 = c->r11, .r12 = c->r12, .r13 = c->r13, .r14 = c->r14,
		.r15 = c->r15, .rdi = c->rdi, .rsi = c->rsi, .rbp = c->rbp, .rbx = c->rbx, .rdx = c->rdx,
		.rax = c->rax, .rcx = c->rcx, .rsp = c->rsp, .rip = c->rip,
		.rflags = (c->eflags & USER_FLAGS) | RFLAGS_IF | 2,
		.cs = SELECTOR_USER_CODE,
		.ss = SELECTOR_USER_DATA,
		.vector = 256,
		.error = ~0ul,
	};
}

static long sys_rt_sigreturn(void)
{
	struct task *me = current();
	struct trap_frame *r = task_frame(me);
	struct rt_sigframe f;
	u32 pkru;

	arch_read_pkru();
	pkru = me->core.pkru;
	arch_load_pkru(0); /* as for writing it */
	/* The handler's return has taken the address of the restorer. */
	if (copy_from_user(&f, r->rsp - 8, sizeof(f)) || f.uc.mcontext.rip >= (uintptr_t)1 << (PC_LEVELS * 9 + 11) ||
	    get_fpu(f.uc.mcontext.fpstate)) {
		arch_load_pkru(pkru);
		force_signal_fault(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	arch_read_pkru();
	set_blocked(f.uc.sigmask);
	load_context(r, &f.uc.mcontext);
	if (!(f.uc.stack_flags & SS_ONSTACK) || !me->altstack_size) {
		me->altstack = f.uc.stack_flags & SS_DISABLE ? 0 : f.uc.stack_sp;
		me->altstack_size = f.uc.stack_flags & SS_DISABLE ? 0 : f.uc.stack_size;
		me->altstack_flags = f.uc.stack_flags & SS_AUTODISARM;
	}
	kor(&me->work, WORK_IRET);
	return (long)r->rax;
}
SYSCALL(15, sys_rt_sigreturn);
