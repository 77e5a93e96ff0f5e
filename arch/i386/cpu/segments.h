/* SPDX-License-Identifier: MIT */
/* Segment and gate descriptors, task state in 32 bits: Intel SDM volume 3A, sections 3.4.5, 6.11 and 7.2. */
#ifndef ARCH_I386_CPU_SEGMENTS_H
#define ARCH_I386_CPU_SEGMENTS_H

#include <octavo/types.h>

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18
#define SELECTOR_DOUBLE_FAULT 0x20 /* the task of its own that a double fault runs in */
#define SELECTOR_CPU 0x28	   /* %fs: what only this CPU has */
#define GDT_ENTRIES 6

#define GDT_CODE32 0x00cf9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull

struct task_state {
	u32 back_link;
	u32 esp0, ss0, esp1, ss1, esp2, ss2;
	u32 cr3, eip, eflags;
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, io_map;
};
octavo_static_assert(sizeof(struct task_state) == 104, "32-bit TSS");

struct gate {
	u16 offset_low;
	u16 selector;
	u8 reserved;
	u8 type; /* present, ring 0 */
	u16 offset_high;
};
octavo_static_assert(sizeof(struct gate) == 8, "32-bit gate");
#define GATE_INTERRUPT 0x8e
#define GATE_TASK 0x85

struct table_pointer {
	u16 limit;
	u32 base;
} __attribute__((packed));

static inline void set_gate(struct gate *gate, uintptr_t handler)
{
	*gate = (struct gate){
		.offset_low = (u16)handler,
		.selector = SELECTOR_CODE,
		.type = GATE_INTERRUPT,
		.offset_high = (u16)(handler >> 16),
	};
}

static inline void set_task_gate(struct gate *gate, u16 selector)
{
	*gate = (struct gate){ .selector = selector, .type = GATE_TASK };
}

/* @access: present, privilege, type; the limit counts bytes. */
static inline u64 segment_descriptor(const void *base, size_t bytes, u8 access)
{
	u64 at = (uintptr_t)base;

	return (bytes - 1) | (at & 0xffffff) << 16 | (u64)access << 40 | (at >> 24) << 56;
}
#define ACCESS_DATA 0x93 /* present, writable, accessed */
#define ACCESS_TASK 0x89 /* present, available 32-bit TSS */

static inline void load_segments(const u64 *gdt, size_t bytes)
{
	struct table_pointer pointer = { (u16)(bytes - 1), (u32)gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "ljmp %1, $1f\n"
			 "1:\tmovl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss\n\t"
			 "movl %3, %%fs\n\t"
			 "movl %4, %%gs"
			 :
			 : "m"(pointer), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(SELECTOR_CPU), "r"(0)
			 : "memory");
}

static inline void load_task(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void load_gates(const struct gate *idt, size_t bytes)
{
	struct table_pointer pointer = { (u16)(bytes - 1), (u32)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

#endif
