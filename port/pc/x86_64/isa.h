/* SPDX-License-Identifier: MIT */
/* What of the PC port is 64-bit: the address space, and CPUs. The same names as in i386/isa.h. */
#ifndef PORT_PC_ISA_H
#define PORT_PC_ISA_H

#include <octavo/port.h>

#include "arch/x86/cpu/cpu.h"

#define PC_NAME "x86-64"
#define PC_IP "RIP"

/*
 * The address space. The direct map and the window for struct page are where Linux has them with four
 * levels; the port's own mappings (device registers, stacks) take the last GiB, above the image's.
 */
#define PC_DIRECT_MAP 0xffff888000000000ul
#define PC_DIRECT_MAP_SIZE (64ul << 40)
#define PC_VMEMMAP 0xffffea0000000000ul
#define PC_VMEMMAP_SIZE (512ul << 30) /* 64 TiB of RAM: 2^34 frames of 32 bytes */
#define PC_IMAGE_BASE 0xffffffff80000000ul
#define PC_WINDOW 0xffffffffc0000000ul
#define PC_WINDOW_SIZE (512ul << 20)

/* A CPU's stacks: its thread's, and those of exceptions that must not trust it. */
enum { STACK_THREAD, STACK_DOUBLE_FAULT, STACK_NMI, STACK_MACHINE_CHECK, STACKS };

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

/* Go on at @ip, with @a in rax and @d in rdx. */
static inline void frame_resume(struct trap_frame *frame, uintptr_t ip, unsigned long a, unsigned long d)
{
	frame->rip = ip;
	frame->rax = a;
	frame->rdx = d;
}

/* cpu_local_load - from here on this is CPU @cpu: to port_cpu_id() and the core */
static inline void cpu_local_load(unsigned int cpu)
{
	wrmsr(MSR_GS_BASE, (uintptr_t)octavo_cpu_local(cpu));
}

#endif
