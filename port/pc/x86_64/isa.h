/* SPDX-License-Identifier: MIT */
/* What of the PC port is 64-bit: the address space, and CPUs. The same names as in i386/isa.h. */
#ifndef PORT_PC_ISA_H
#define PORT_PC_ISA_H

#include <octavo/port.h>

#include "arch/x86/cpu/cpu.h"
#include "mm/base/string.h"

#define PC_NAME "x86-64"
#define PC_IP "RIP"

#define PC_CPUS_MAX 256u
#define PC_BOOT_ARCH BOOT_ARCH_X86_64

/*
 * The address space, as Linux has it (Documentation/arch/x86/x86_64/mm.rst). The direct map's place among the entries
 * of the root is the same with four levels and with five, as is the image's: boot.S relies on it.
 */
#ifdef OCTAVO_ARCH_X86_64_LA57
#define PC_PAGING "5 levels"
#define PC_LEVELS 5
#define PC_PHYS_BITS 52
#define PC_DIRECT_MAP 0xff11000000000000ul
#define PC_VMEMMAP 0xffd4000000000000ul
#else
#define PC_PAGING "4 levels"
#define PC_LEVELS 4
#define PC_PHYS_BITS 46
#define PC_DIRECT_MAP 0xffff888000000000ul
#define PC_VMEMMAP 0xffffea0000000000ul
#endif
#define PC_DIRECT_MAP_SIZE (1ul << PC_PHYS_BITS)
#define PC_VMEMMAP_SIZE (32ul << (PC_PHYS_BITS - PAGE_SHIFT)) /* 32 bytes for each frame */
#define PC_IMAGE_BASE 0xffffffff80000000ul
#define PC_BOOT_MAP_SIZE (4ull << 30) /* of the direct map, in the entry code's tables */

/* Entries of page tables, for who reads them to report or to test. Levels are counted from 1. */
typedef u64 pc_entry_t;
#define PC_TABLE_BITS 9
#define PC_ENTRY_ADDRESS 0x000ffffffffff000ull
#define PC_ROOT_ADDRESS PC_ENTRY_ADDRESS /* in CR3 */

#define PC_LONG_MODE true
#define CR3_PCID_MASK 0xffful
#define CR3_KEEP (1ul << 63) /* written with a PCID: what is held under it stays */

/* A CPU's stacks: its thread's, and those of exceptions that must not trust it. */
enum { STACK_THREAD, STACK_DOUBLE_FAULT, STACK_NMI, STACK_MACHINE_CHECK, STACKS };
#define PC_STACK_NAMES { "thread", "double fault", "NMI", "machine check" }

/* What vectors.S leaves on the stack. */
struct trap_frame {
	unsigned long r15, r14, r13, r12, r11, r10, r9, r8;
	unsigned long rbp, rdi, rsi, rdx, rcx, rbx, rax;
	unsigned long vector, error;
	unsigned long rip, cs, rflags, rsp, ss;
};

static inline uintptr_t frame_ip(const struct trap_frame *frame)
{
	return frame->rip;
}

static inline uintptr_t frame_bp(const struct trap_frame *frame)
{
	return frame->rbp;
}

static inline uintptr_t frame_sp(const struct trap_frame *frame)
{
	return frame->rsp;
}

/* Did it happen in user mode? */
static inline bool frame_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

static inline bool frame_irqs_on(const struct trap_frame *frame)
{
	return frame->rflags & RFLAGS_IF;
}

/* Go on at @ip */
static inline void frame_set_ip(struct trap_frame *frame, uintptr_t ip)
{
	frame->rip = ip;
}

/* Go on at @ip, with @a in rax and @d in rdx. */
static inline void frame_resume(struct trap_frame *frame, uintptr_t ip, unsigned long a, unsigned long d)
{
	frame->rip = ip;
	frame->rax = a;
	frame->rdx = d;
}

/* paging_read - copy physical memory, wherever it lies below 4 GiB, by way of the boot tables */
static inline bool paging_read(phys_addr_t at, void *to, size_t len)
{
	memcpy(to, (const void *)(PC_DIRECT_MAP + at), len);
	return true;
}

/* pc_protection_fault - load a selector that leads nowhere */
static inline void pc_protection_fault(void)
{
	__asm__ volatile("movl %0, %%es" : : "r"(0xfff8));
}

/* trap_set_root - the page table that exceptions are handled on: the one there is */
static inline void trap_set_root(unsigned long cr3)
{
	(void)cr3;
}

/* cpu_local_load - from here on this is CPU @cpu: to port_cpu_id() and the core */
static inline void cpu_local_load(unsigned int cpu)
{
	wrmsr(MSR_GS_BASE, (uintptr_t)octavo_cpu_local(cpu));
}

#endif
