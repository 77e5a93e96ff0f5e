// SPDX-License-Identifier: MIT
/*
 * Descriptor tables of 32-bit CPUs, and how another CPU is led to them.
 *
 * Each CPU has a segment of its own in %fs, whose only word is the CPU's number: what port_cpu_id() reads. A double
 * fault, which is what running over a stack's end comes to, cannot be told on that stack: its gate leads to a task,
 * with registers, a stack and a page table root of its own, and what it interrupted is found in the CPU's other task.
 */
#include "arch/i386/cpu/segments.h"

#include "mmu.h"
#include "report.h"
#include "smp.h"
#include "trap.h"

struct cpu_tables {
	u64 gdt[GDT_ENTRIES];
	struct task_state task, double_fault;
	u32 number; /* %fs:0 */
} __aligned(128); /* no task lies across a page */

extern char pc_vectors[], pc_parked_vector[], pc_parked_stack_top[];

static struct cpu_tables tables[PC_CPUS_MAX];
static struct gate idt[256] __aligned(16);

unsigned int port_cpu_id(void)
{
	unsigned int cpu;

	__asm__ volatile("movl %%fs:0, %0" : "=r"(cpu));
	return cpu;
}

void cpu_local_load(unsigned int cpu)
{
	struct cpu_tables *t = &tables[cpu];

	t->number = cpu;
	t->gdt[SELECTOR_CODE / 8] = GDT_CODE32;
	t->gdt[SELECTOR_DATA / 8] = GDT_DATA;
	t->gdt[SELECTOR_CPU / 8] = segment_descriptor(&t->number, sizeof(t->number), ACCESS_DATA);
	load_segments(t->gdt, sizeof(t->gdt));
}

/* Begins with nothing on its stack but the error code, where a return address would be. */
static void __attribute__((noreturn)) double_fault(void)
{
	const struct task_state *was = &tables[port_cpu_id()].task;
	const struct trap_frame frame = {
		.edi = was->edi,
		.esi = was->esi,
		.ebp = was->ebp,
		.esp = was->esp - FRAME_ESP_OFFSET,
		.ebx = was->ebx,
		.edx = was->edx,
		.ecx = was->ecx,
		.eax = was->eax,
		.vector = VECTOR_DOUBLE_FAULT,
		.eip = was->eip,
		.cs = was->cs,
		.eflags = was->eflags,
	};

	report_exception(&frame);
}

void trap_set_root(unsigned long cr3)
{
	tables[port_cpu_id()].double_fault.cr3 = cr3;
}

void trap_init_cpu(unsigned int cpu, char *const stacks[STACKS])
{
	struct cpu_tables *t = &tables[cpu];

	if (!cpu)
		for (unsigned int v = 0; v < 256; v++)
			set_gate(&idt[v], (uintptr_t)pc_vectors + 16 * v);
	set_task_gate(&idt[VECTOR_DOUBLE_FAULT], SELECTOR_DOUBLE_FAULT);
	t->task.io_map = sizeof(t->task);
	t->double_fault = (struct task_state){
		.cr3 = read_cr3(),
		.eip = (uintptr_t)double_fault,
		.eflags = 2, /* the bit that is always set */
		.esp = (uintptr_t)stacks[STACK_DOUBLE_FAULT],
		.es = SELECTOR_DATA,
		.cs = SELECTOR_CODE,
		.ss = SELECTOR_DATA,
		.ds = SELECTOR_DATA,
		.fs = SELECTOR_CPU,
		.io_map = sizeof(t->double_fault),
	};
	t->gdt[SELECTOR_TSS / 8] = segment_descriptor(&t->task, sizeof(t->task), ACCESS_TASK);
	t->gdt[SELECTOR_DOUBLE_FAULT / 8] = segment_descriptor(&t->double_fault, sizeof(t->double_fault), ACCESS_TASK);
	load_task(SELECTOR_TSS);
	load_gates(idt, sizeof(idt));
}

void trap_park_cpu(unsigned int cpu)
{
	static struct gate gates[VECTOR_EXCEPTIONS] __aligned(16);

	(void)cpu; /* its stack is a shared one then: nobody returns from there */
	for (unsigned int v = 0; v < VECTOR_EXCEPTIONS; v++)
		set_gate(&gates[v], (uintptr_t)pc_parked_vector);
	load_gates(gates, sizeof(gates));
}

bool trap_no_address(const struct trap_frame *frame, struct page_fault *fault)
{
	(void)frame;
	(void)fault; /* every number is an address */
	return false;
}

void trap_registers(const struct trap_frame *f, char *text, size_t size)
{
	octavo_snprintf(text, size,
			"ESP: %08lx EFLAGS: %08lx\n"
			"EAX: %08lx EBX: %08lx ECX: %08lx EDX: %08lx\n"
			"ESI: %08lx EDI: %08lx EBP: %08lx\n"
			"CR0: %08lx CR2: %08lx CR3: %08lx CR4: %08lx\n",
			(unsigned long)frame_sp(f), f->eflags, f->eax, f->ebx, f->ecx, f->edx, f->esi, f->edi, f->ebp,
			read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* ---- Starting another CPU ---- */

/* trampoline.S: code and, at its end, what each CPU is given. */
extern char pc_trampoline[], pc_trampoline_end[], pc_ap_entry[];
struct trampoline_data {
	u32 stack, entry, cpu;
	u32 cr3, cr4, efer;
	u32 far_offset;
	u16 far_selector, gdt_limit;
	u32 gdt_base, kernel_cr3;
};
octavo_static_assert(offsetof(struct ap_restart, root) == 8 && offsetof(struct ap_restart, stack) == 12,
		     "pc_ap_park knows these offsets");
octavo_static_assert(sizeof(struct trampoline_data) == 40, "trampoline.S knows these offsets");

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
		.cr4 = read_cr4() & (CR4_PSE | CR4_PAE | CR4_PGE),
		.efer = port_bootinfo()->mmu_features & BOOT_MMU_NX ? EFER_NXE : 0,
		.far_offset = data->far_offset + at,
		.far_selector = SELECTOR_CODE,
		.gdt_limit = 3 * 8 - 1,
		.gdt_base = at + (u32)code - (u32)sizeof(*data) - 3 * 8,
		.kernel_cr3 = (u32)mmu_kernel_root(),
	};
}
