/* SPDX-License-Identifier: MIT */
/* What of the PC port is 32-bit: the address space, and CPUs. The same names as in x86_64/isa.h. */
#ifndef PORT_PC_ISA_H
#define PORT_PC_ISA_H

#include <octavo/port.h>

#include "arch/x86/cpu/cpu.h"

/* Entries of page tables, for who reads them to report or to test. Levels are counted from 1. */
#ifdef OCTAVO_ARCH_I386_PAE
#define PC_NAME "i386 (PAE)"
#define PC_PAGING "PAE"
#define PC_BOOT_ARCH BOOT_ARCH_I386_PAE
#define PC_PHYS_BITS 36
#define PC_LEVELS 3
typedef u64 pc_entry_t;
#define PC_TABLE_BITS 9
#define PC_ENTRY_ADDRESS 0x000ffffffffff000ull
#define PC_ROOT_ADDRESS 0xffffffe0u /* in CR3: four entries are less than a page */
#else
#define PC_NAME "i386"
#define PC_PAGING "2 levels"
#define PC_BOOT_ARCH BOOT_ARCH_I386
#define PC_PHYS_BITS 32
#define PC_LEVELS 2
typedef u32 pc_entry_t;
#define PC_TABLE_BITS 10
#define PC_ENTRY_ADDRESS 0xfffff000u
#define PC_ROOT_ADDRESS PC_ENTRY_ADDRESS
#endif
#define PC_LONG_MODE false
#define CR3_PCID_MASK 0ul
#define CR3_KEEP 0ul
#define PC_IP "EIP"

#define PC_CPUS_MAX 32u

/*
 * The address space is Linux's: user space below PC_PAGE_OFFSET (mk/pc.mk: 3 GiB, or 2 GiB with SPLIT=2G), low memory
 * and in it the image from there on, the rest of the last gigabyte for what the core maps. The boot page tables show
 * physical memory from 0 on there, up to PC_BOOT_WINDOW: a large page of it that can be turned to any place below
 * 4 GiB, because firmware's tables may lie there.
 */
#define PC_DIRECT_MAP ((uintptr_t)PC_PAGE_OFFSET)
#define PC_BOOT_WINDOW 0xff800000ul
#define PC_DIRECT_MAP_SIZE (PC_BOOT_WINDOW - PC_DIRECT_MAP)
#define PC_BOOT_MAP_SIZE PC_DIRECT_MAP_SIZE
#define PC_IMAGE_BASE PC_DIRECT_MAP
#define PC_VMEMMAP 0 /* no room for one: descriptors are an array in low memory */
#define PC_VMEMMAP_SIZE 0

/* A CPU's stacks: its thread's, and that of the task that a double fault runs in. */
enum { STACK_THREAD, STACK_DOUBLE_FAULT, STACKS };
#define PC_STACK_NAMES { "thread", "double fault" }

/* What vectors.S leaves on the stack. An exception in the kernel itself pushes no stack pointer. */
struct trap_frame {
	unsigned long edi, esi, ebp, esp, ebx, edx, ecx, eax; /* esp: as it was when they were pushed */
	unsigned long vector, error;
	unsigned long eip, cs, eflags;
};

/* From where the registers were pushed to where the stack was before. */
#define FRAME_ESP_OFFSET (5 * sizeof(unsigned long))

static inline uintptr_t frame_ip(const struct trap_frame *frame)
{
	return frame->eip;
}

static inline uintptr_t frame_bp(const struct trap_frame *frame)
{
	return frame->ebp;
}

static inline uintptr_t frame_sp(const struct trap_frame *frame)
{
	return frame->esp + FRAME_ESP_OFFSET;
}

/* Did it happen in user mode? This image has none. */
static inline bool frame_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

static inline bool frame_irqs_on(const struct trap_frame *frame)
{
	return frame->eflags & RFLAGS_IF;
}

/* Go on at @ip */
static inline void frame_set_ip(struct trap_frame *frame, uintptr_t ip)
{
	frame->eip = ip;
}

/* Go on at @ip, with @a in eax and @d in edx. */
static inline void frame_resume(struct trap_frame *frame, uintptr_t ip, unsigned long a, unsigned long d)
{
	frame->eip = ip;
	frame->eax = a;
	frame->edx = d;
}

/* The boot tables' leaves from PC_PAGE_OFFSET on. */
extern pc_entry_t pc_boot_top[];

/* paging_read - copy physical memory, wherever it lies below 4 GiB, by way of the boot tables */
bool paging_read(phys_addr_t at, void *to, size_t len);

/* pc_protection_fault - load a selector that leads nowhere */
static inline void pc_protection_fault(void)
{
	__asm__ volatile("movl %0, %%es" : : "r"(0xfff8));
}

/* trap_set_root - the page table that double faults of this CPU are handled on, as they are a task of their own */
void trap_set_root(unsigned long cr3);

/* cpu_local_load - from here on this is CPU @cpu: to port_cpu_id() and the core */
void cpu_local_load(unsigned int cpu);

#endif
