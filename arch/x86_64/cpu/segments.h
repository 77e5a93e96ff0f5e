/* SPDX-License-Identifier: MIT */
/* Segment and gate descriptors, task state: Intel SDM volume 3A, sections 3.4.5, 6.14 and 7.7. */
#ifndef ARCH_X86_64_CPU_SEGMENTS_H
#define ARCH_X86_64_CPU_SEGMENTS_H

#include <octavo/types.h>

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
/*
 * User mode, with the selectors that programs know from Linux. SYSRET wants 32-bit code, data and 64-bit code to follow
 * each other (Intel SDM volume 2B).
 */
#define SELECTOR_USER_CODE32 0x23
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33
#define SELECTOR_TSS 0x38
#define GDT_ENTRIES 9 /* and the task's takes two */

#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull
#define GDT_USER_CODE32 0x00cffb000000ffffull
#define GDT_USER_DATA 0x00cff3000000ffffull
#define GDT_USER_CODE64 0x00affb000000ffffull

struct cpu_task_state {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map;
} __attribute__((packed));
octavo_static_assert(sizeof(struct cpu_task_state) == 104, "64-bit TSS");

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type; /* 0x8e: present, ring 0, interrupt gate */
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};
octavo_static_assert(sizeof(struct gate) == 16, "64-bit gate");

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

#define GATE_FROM_USER 0x60u /* an INT instruction of ring 3 may go through it */

static inline void set_gate(struct gate *gate, uintptr_t handler, unsigned int ist)
{
	*gate = (struct gate){
		.offset_low = (u16)handler,
		.selector = SELECTOR_CODE,
		.ist = (u8)ist,
		.type = 0x8e,
		.offset_middle = (u16)(handler >> 16),
		.offset_high = (u32)(handler >> 32),
	};
}

static inline void set_task_descriptor(u64 gdt[GDT_ENTRIES], const struct cpu_task_state *task)
{
	uintptr_t base = (uintptr_t)task;
	u64 limit = sizeof(*task) - 1;

	/* type 9: available 64-bit TSS; present */
	gdt[SELECTOR_TSS / 8] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

static inline void load_segments(const u64 *gdt, size_t bytes)
{
	struct table_pointer pointer = { (u16)(bytes - 1), (uintptr_t)gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%ss\n\t"
			 "ltr %w3"
			 :
			 : "m"(pointer), "i"(SELECTOR_CODE), "i"(SELECTOR_DATA), "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

static inline void load_gates(const struct gate *idt, size_t bytes)
{
	struct table_pointer pointer = { (u16)(bytes - 1), (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

#endif
