/* SPDX-License-Identifier: MIT */
/* For assembly: struct trap_frame (isa.h) on the stack, below vector and error code. */
#ifndef PORT_PC_X86_64_FRAME_H
#define PORT_PC_X86_64_FRAME_H

#define FRAME_R10 40
#define FRAME_R9 48
#define FRAME_R8 56
#define FRAME_RDI 72
#define FRAME_RSI 80
#define FRAME_RDX 88
#define FRAME_RAX 112
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160

	.macro push_registers
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

#endif
