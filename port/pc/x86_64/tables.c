// SPDX-License-Identifier: MIT
/* Descriptor tables of 64-bit CPUs, and how another CPU is led to them. */
#include "arch/x86_64/cpu/segments.h"

#include "mm/sync/cpu.h"
#include "decode.h"
#include "mmu.h"
#include "smp.h"
#include "trap.h"

struct cpu_tables {
	u64 gdt[GDT_ENTRIES];
	struct cpu_task_state task;
};

extern char pc_vectors[], pc_parked_vector[], pc_parked_stack_top[];

static struct cpu_tables tables[PC_CPUS_MAX] __aligned(16);
static struct gate idt[256] __aligned(16);

/* Entry n of the task's interrupt stacks, from 1 on, is stack n. */
static unsigned int stack_of(unsigned int vector)
{
	switch (vector) {
	case VECTOR_DOUBLE_FAULT:
		return STACK_DOUBLE_FAULT;
	case VECTOR_NMI:
		return STACK_NMI;
	case VECTOR_MACHINE_CHECK:
		return STACK_MACHINE_CHECK;
	}
	return STACK_THREAD;
}

unsigned int port_cpu_id(void)
{
	return this_cpu()->cpu;
}

void trap_init_cpu(unsigned int cpu, char *const stacks[STACKS])
{
	struct cpu_tables *t = &tables[cpu];

	if (!cpu)
		for (unsigned int v = 0; v < 256; v++)
			set_gate(&idt[v], (uintptr_t)pc_vectors + 16 * v, stack_of(v));
	/* INT3 is a program's to use: without this it would end as a protection fault. */
	idt[VECTOR_BREAKPOINT].type |= GATE_FROM_USER;
	t->gdt[SELECTOR_CODE / 8] = GDT_CODE64;
	t->gdt[SELECTOR_DATA / 8] = GDT_DATA;
	t->gdt[SELECTOR_USER_CODE32 / 8] = GDT_USER_CODE32;
	t->gdt[SELECTOR_USER_DATA / 8] = GDT_USER_DATA;
	t->gdt[SELECTOR_USER_CODE / 8] = GDT_USER_CODE64;
	t->task.io_map = sizeof(t->task);
	for (unsigned int i = STACK_THREAD + 1; i < STACKS; i++)
		t->task.ist[i - 1] = (uintptr_t)stacks[i];
	set_task_descriptor(t->gdt, &t->task);
	/* Loading segment registers leaves MSR_GS_BASE alone as long as %gs itself is not loaded. */
	load_segments(t->gdt, sizeof(t->gdt));
	load_gates(idt, sizeof(idt));
}

void trap_kernel_stack(uintptr_t top)
{
	tables[port_cpu_id()].task.rsp[0] = top;
}

void trap_park_cpu(unsigned int cpu)
{
	static struct gate gates[VECTOR_EXCEPTIONS] __aligned(16);

	/* A stack is needed for what the processor pushes: the same for all, and nobody returns from there. */
	for (unsigned int v = 0; v < VECTOR_EXCEPTIONS; v++)
		set_gate(&gates[v], (uintptr_t)pc_parked_vector, 1);
	tables[cpu].task.ist[0] = (uintptr_t)pc_parked_stack_top;
	load_gates(gates, sizeof(gates));
}

void trap_registers(const struct trap_frame *f, char *text, size_t size)
{
	octavo_snprintf(text, size,
			"RSP: %04lx:%016lx RFLAGS: %08lx\n"
			"RAX: %016lx RBX: %016lx RCX: %016lx\n"
			"RDX: %016lx RSI: %016lx RDI: %016lx\n"
			"RBP: %016lx R08: %016lx R09: %016lx\n"
			"R10: %016lx R11: %016lx R12: %016lx\n"
			"R13: %016lx R14: %016lx R15: %016lx\n"
			"CR0: %08lx CR2: %016lx CR3: %016lx CR4: %08lx\n",
			f->ss, f->rsp, f->rflags, f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->r8, f->r9,
			f->r10, f->r11, f->r12, f->r13, f->r14, f->r15, read_cr0(), read_cr2(), read_cr3(),
			read_cr4());
}

/* ---- Protection faults ---- */

static bool canonical(uintptr_t address)
{
	unsigned int unused = 64 - (PAGE_SHIFT + PC_TABLE_BITS * PC_LEVELS);

	return (uintptr_t)((intptr_t)(address << unused) >> unused) == address;
}

/* The instruction's bytes, as far as they are in the image's text. */
static bool find_access(const struct trap_frame *f, struct decoded *decoded)
{
	const struct decode_registers regs = {
		.r = { f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi, f->r8, f->r9, f->r10, f->r11,
		       f->r12, f->r13, f->r14, f->r15 },
		.ip = f->rip,
		.fs_base = rdmsr(MSR_FS_BASE),
		.gs_base = rdmsr(MSR_GS_BASE),
	};

	if (f->rip < (uintptr_t)pc_text_start || f->rip >= (uintptr_t)pc_text_end)
		return false;
	return decode_accesses((const u8 *)f->rip, (uintptr_t)pc_text_end - f->rip, &regs, decoded);
}

bool trap_no_address(const struct trap_frame *frame, struct page_fault *fault)
{
	struct decoded decoded;

	if (frame->error)
		return false;
	if (!canonical(frame->rip)) {
		fault->address = frame->rip;
		fault->flags = PAGE_FAULT_NONCANONICAL | PAGE_FAULT_EXEC;
		return true;
	}
	if (!find_access(frame, &decoded))
		return false;
	for (unsigned int i = 0; i < decoded.nr; i++)
		if (!canonical(decoded.access[i].address)) {
			fault->address = decoded.access[i].address;
			fault->flags = PAGE_FAULT_NONCANONICAL | (decoded.access[i].write ? PAGE_FAULT_WRITE : 0);
			return true;
		}
	return false;
}

/* ---- Starting another CPU ---- */

/* trampoline.S: code and, at its end, what each CPU is given. */
extern char pc_trampoline[], pc_trampoline_end[], pc_ap_entry[];
struct trampoline_data {
	u64 stack, entry;
	u32 cpu, cr3, efer, far_offset;
	u16 far_selector, gdt_limit;
	u32 gdt_base;
	u32 cr4, reserved;
	u64 kernel_cr3;
} __attribute__((packed));
octavo_static_assert(offsetof(struct ap_restart, root) == 8 && offsetof(struct ap_restart, stack) == 16,
		     "pc_ap_park knows these offsets");
octavo_static_assert(sizeof(struct trampoline_data) == 56, "trampoline.S knows these offsets");

void trampoline_prepare(u32 at, unsigned int cpu, const char *stack)
{
	char *page = pc_phys_to_virt(at);
	size_t code = (size_t)(pc_trampoline_end - pc_trampoline);
	/* The code's GDT, three entries, stands right before the data. */
	struct trampoline_data *data = (void *)(page + code - sizeof(*data));

	memcpy(page, pc_trampoline, code);
	*data = (struct trampoline_data){
		.stack = (uintptr_t)stack,
		.entry = (uintptr_t)pc_ap_entry,
		.cpu = cpu,
		.cr3 = (u32)pc_image_phys(pc_boot_root),
		.efer = (u32)(rdmsr(MSR_EFER) & (EFER_NXE | EFER_LME)),
		.far_offset = data->far_offset + at,
		.far_selector = SELECTOR_CODE,
		.gdt_limit = 3 * 8 - 1,
		/* As the entry code has it: what is more, the CPU sets for itself once it is in long mode. */
		.cr4 = (u32)(read_cr4() & (CR4_PAE | CR4_PGE | CR4_LA57)),
		.kernel_cr3 = mmu_kernel_root(),
		.gdt_base = at + (u32)code - (u32)sizeof(*data) - 3 * 8,
	};
}
