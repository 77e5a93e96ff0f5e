// SPDX-License-Identifier: MIT
/*
 * Threads on x86-64: vector registers, TLS bases, the switch from one to another, and where new ones begin.
 *
 * KN-I1  Between two switches MSR_FS_BASE, MSR_KERNEL_GS_BASE and the vector registers are the current thread's, or the
 *        thread has none of its own (a kernel thread); the kernel itself uses none of them.
 *
 * Vector registers are saved at each switch away from a thread that has them, and loaded only if another thread's came
 * in between. XSAVE where the processor has it (Intel SDM volume 1 chapter 13), else FXSAVE.
 */
#include "kernel/kernel.h"

#include "kernel/coredump.h"

#include "arch/x86_64/cpu/segments.h"
#include "kernel/x86_64/fpu.h"
#include "port/pc/mmu.h"
#include "port/pc/stack.h"
#include "port/pc/trap.h"

/* From kernel_switch_stack(): registers, and where it returns to. */
struct switch_frame {
	unsigned long r15, r14, r13, r12, rbx, rbp, ip;
};

struct fpu_facts fpu_facts;
static struct kmem_cache *fpu_cache;
static bool fsgsbase;

void kernel_syscall_entry(void);
void kernel_thread_entry(void);
void kernel_switch_stack(uintptr_t *from, uintptr_t to);

/* ---- Vector registers ---- */

void fpu_save(void *area)
{
	if (fpu_facts.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_load(const void *area)
{
	if (fpu_facts.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* What a program begins with: System V ABI for x86-64, section 3.4.1; PKRU: no rights but for key 0, as in Linux. */
void fpu_initial(void *area)
{
	u8 *a = area;

	memset(a, 0, fpu_facts.size);
	*(u16 *)a = 0x37f;
	*(u32 *)(a + 24) = 0x1f80;
	if (!fpu_facts.xsave)
		return;
	*(u64 *)(a + 512) = 3;
	if (fpu_facts.pkru_offset) {
		*(u64 *)(a + 512) |= XFEATURE_PKRU;
		*(u32 *)(a + fpu_facts.pkru_offset) = PKRU_INITIAL;
	}
}

static void detect_fpu(void)
{
	bool has = cpuid(1, 0).ecx >> 26 & 1;

	fpu_facts.size = 512;
	if (!has)
		return;
	fpu_facts.xsave = true;
	/* x87, SSE, AVX, AVX-512, PKRU: what Linux gives without being asked. */
	fpu_facts.features = cpuid(0xd, 0).eax & (7u | 0xe0u | XFEATURE_PKRU);
	if (!(read_cr4() & CR4_PKE))
		fpu_facts.features &= ~(u64)XFEATURE_PKRU;
	if (fpu_facts.features & XFEATURE_PKRU)
		fpu_facts.pkru_offset = cpuid(0xd, 9).ebx;
}

static void enable_fpu(void)
{
	unsigned long cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (fsgsbase ? CR4_FSGSBASE : 0);

	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_AM);
	write_cr4(cr4 | (fpu_facts.xsave ? CR4_OSXSAVE : 0));
	if (fpu_facts.xsave) {
		__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)fpu_facts.features), "d"(0) : "memory");
		if (!port_cpu_id())
			fpu_facts.size = cpuid(0xd, 0).ebx;
	}
}

void arch_read_pkru(void)
{
	u32 value, d;

	if (!fpu_facts.pkru_offset)
		return;
	__asm__ volatile("rdpkru" : "=a"(value), "=d"(d) : "c"(0));
	current()->core.pkru = value;
}

void arch_load_pkru(u32 value)
{
	if (!fpu_facts.pkru_offset)
		return;
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
	current()->core.pkru = value;
}

void arch_write_pkru(unsigned int key, u32 rights)
{
	arch_read_pkru();
	arch_load_pkru((current()->core.pkru & ~(3u << 2 * key)) | (rights & 3) << 2 * key);
}

/* ---- Stacks of threads, for reports ---- */

static uintptr_t find_stack(uintptr_t at)
{
	struct task *task = current();
	uintptr_t low = task ? (uintptr_t)task->stack : 0;

	/* That of the thread which runs; idle threads are on the port's. */
	return low && at - (low - PAGE_SIZE) < PAGE_SIZE + KERNEL_STACK_BYTES ? low : 0;
}

/* ---- Set-up ---- */

/* Offsets for entry.S. */
static noinline __attribute__((used)) void offsets(void)
{
	__asm__ volatile(".globl kernel_task_work\n.set kernel_task_work, %c0" : : "i"(offsetof(struct task, work)));
}

void arch_init(void)
{
	octavo_static_assert(offsetof(struct kernel_cpu, stack_top) == 8 && offsetof(struct kernel_cpu, task) == 16,
			     "entry.S knows these");
	octavo_static_assert(KERNEL_STACK_BYTES == PC_STACK_BYTES, "reports look for frames in stacks of one size");
	fsgsbase = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & 1);
	detect_fpu();
	stack_others(find_stack);
}

void arch_cpu_init(void)
{
	enable_fpu();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (u64)SELECTOR_USER_CODE32 << 48 | (u64)SELECTOR_CODE << 32);
	wrmsr(MSR_LSTAR, (uintptr_t)kernel_syscall_entry);
	/* Carry and its like stay; TF, IF, DF, IOPL, NT, AC do not. */
	wrmsr(MSR_FMASK, 0x100 | RFLAGS_IF | 0x400 | 0x3000 | 0x4000 | 0x40000);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	if (!fpu_cache && !port_cpu_id())
		fpu_cache = kmem_cache_create_usercopy("fpu", (unsigned int)fpu_facts.size, 64, SLAB_HWCACHE_ALIGN, 0,
						       (unsigned int)fpu_facts.size, NULL);
}

/* ---- Threads ---- */

struct trap_frame *task_frame(const struct task *task)
{
	return (struct trap_frame *)((char *)task->stack + KERNEL_STACK_BYTES) - 1;
}

void arch_thread_begin(struct task *task)
{
	struct switch_frame *frame = (struct switch_frame *)task_frame(task) - 1;

	*frame = (struct switch_frame){ .ip = (uintptr_t)kernel_thread_entry };
	task->thread.sp = (uintptr_t)frame;
	task->thread.fpu_cpu = ~0u;
}

void kernel_thread_main(void);
void fork_first(void);
void kernel_thread_main(void)
{
	struct task *me;

	sched_finish_switch();
	me = current();
	if (!me->kthread_fn) {
		fork_first();
	} else {
		me->kthread_fn(me->kthread_arg);
		/* The one that has become a program goes on as that. */
		if (!me->core.mm)
			do_exit(0);
	}
}

int arch_fork(struct task *child)
{
	struct task *me = current();
	void *area = child->thread.fpu; /* of a thread that was there before */

	if (!area)
		area = kmem_cache_alloc(fpu_cache, GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	if (fpu_facts.xsave)
		memset((char *)area + 512, 0, 64); /* the header, which XSAVE only changes */
	fpu_save(area);
	child->thread.fpu = area;
	*task_frame(child) = *task_frame(me);
	task_frame(child)->rax = 0;
	child->thread.fs_base = rdmsr(MSR_FS_BASE);
	child->thread.gs_base = rdmsr(MSR_KERNEL_GS_BASE);
	child->core.pkru = me->core.pkru;
	return 0;
}

void arch_thread_free(struct task *task)
{
	if (task->thread.fpu)
		kmem_cache_free(fpu_cache, task->thread.fpu);
	task->thread.fpu = NULL;
}

int arch_exec_prepare(void)
{
	struct task *me = current();

	if (!me->thread.fpu)
		me->thread.fpu = kmem_cache_zalloc(fpu_cache, GFP_KERNEL);
	return me->thread.fpu ? 0 : -ENOMEM;
}

void arch_exec(uintptr_t entry, uintptr_t sp)
{
	struct task *me = current();
	unsigned long flags = port_irq_save();

	*task_frame(me) = (struct trap_frame){
		.rip = entry,
		.rsp = sp,
		.rflags = RFLAGS_IF | 2,
		.cs = SELECTOR_USER_CODE,
		.ss = SELECTOR_USER_DATA,
		.vector = 256,
		.error = ~0ul,
	};
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	fpu_initial(me->thread.fpu);
	fpu_load(me->thread.fpu);
	this_cpu_write(kernel_cpu.fpu, me);
	me->thread.fpu_cpu = port_cpu_id();
	me->core.pkru = 0; /* as far as it has no keys: trap.c */
	kor(&me->work, WORK_IRET);
	port_irq_restore(flags);
}

void arch_switch(struct task *prev, struct task *next)
{
	unsigned int cpu = port_cpu_id();

	if (prev->thread.fpu) {
		fpu_save(prev->thread.fpu);
		this_cpu_write(kernel_cpu.fpu, prev);
		prev->thread.fpu_cpu = cpu;
		if (fsgsbase) {
			prev->thread.fs_base = rdmsr(MSR_FS_BASE);
			prev->thread.gs_base = rdmsr(MSR_KERNEL_GS_BASE);
		}
	}
	octavo_switch_task(&next->core);
	this_cpu_write(kernel_cpu.task, next);
	if (next->stack) {
		this_cpu_write(kernel_cpu.stack_top, (uintptr_t)next->stack + KERNEL_STACK_BYTES);
		trap_kernel_stack((uintptr_t)next->stack + KERNEL_STACK_BYTES);
	}
	if (next->thread.fpu) {
		if (this_cpu_read(kernel_cpu.fpu) != next || next->thread.fpu_cpu != cpu) {
			fpu_load(next->thread.fpu);
			this_cpu_write(kernel_cpu.fpu, next);
			next->thread.fpu_cpu = cpu;
		}
		wrmsr(MSR_FS_BASE, next->thread.fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, next->thread.gs_base);
	}
	kernel_switch_stack(&prev->thread.sp, next->thread.sp);
}

long arch_syscall_nr(void)
{
	const struct trap_frame *frame = task_frame(current());

	return frame->vector == 256 ? (long)frame->error : -1;
}

uintptr_t arch_user_sp(const struct task *task)
{
	return task_frame(task)->rsp;
}

bool arch_in_user(const struct task *task)
{
	/* Its frame is at the top of the stack only then. */
	return task->core.mm && task_frame(task)->vector == VECTOR_TIMER;
}

uintptr_t arch_user_ip(const struct task *task)
{
	return task_frame(task)->rip;
}

/* ---- Core dumps ---- */

void arch_core_regs(const struct task *task, u64 *regs)
{
	const struct trap_frame *r = task_frame(task);
	bool me = task == current();
	const u64 all[CORE_REGS] = {
		r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r11, r->r10, r->r9, r->r8, r->rax, r->rcx, r->rdx,
		r->rsi, r->rdi, r->vector == 256 ? r->error : ~0ul, r->rip, r->cs, r->rflags, r->rsp, r->ss,
		me ? rdmsr(MSR_FS_BASE) : task->thread.fs_base, me ? rdmsr(MSR_KERNEL_GS_BASE) : task->thread.gs_base,
	};

	memcpy(regs, all, sizeof(all));
}

const void *arch_core_fpu(struct task *task, void *buffer, size_t *size)
{
	unsigned long flags = port_irq_save();

	if (task == current())
		fpu_save(task->thread.fpu);
	port_irq_restore(flags);
	*size = min(fpu_facts.size, CORE_PAGE_BYTES);
	memcpy(buffer, task->thread.fpu, *size);
	/* Which parts there are: debuggers look for XCR0 where XSAVE leaves room for software. */
	if (fpu_facts.xsave)
		*(u64 *)((char *)buffer + 464) = fpu_facts.features;
	return buffer;
}

/* ---- arch_prctl(2) ---- */

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

void arch_set_tls(struct task *child, uintptr_t base)
{
	child->thread.fs_base = base;
}

void arch_set_sp(struct task *child, uintptr_t sp)
{
	task_frame(child)->rsp = sp;
}

static long sys_arch_prctl(int code, unsigned long addr)
{
	struct task *me = current();
	unsigned long value;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= (uintptr_t)1 << 47 && addr >= (uintptr_t)1 << 56)
			return -EPERM;
		/* No address that is none may get into the MSR. */
		if (PC_LEVELS == 4 && addr >= (uintptr_t)1 << 47)
			return -EPERM;
		*(code == ARCH_SET_FS ? &me->thread.fs_base : &me->thread.gs_base) = addr;
		wrmsr(code == ARCH_SET_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE, addr);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		value = rdmsr(code == ARCH_GET_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE);
		return put_user(value, addr);
	}
	return -EINVAL;
}
SYSCALL(158, sys_arch_prctl);
