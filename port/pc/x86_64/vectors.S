/* SPDX-License-Identifier: MIT */
/*
 * 256 entry points of 16 bytes each, which make every interrupt look alike to pc_trap(): struct trap_frame
 * (trap.h) on the stack, pushed from its end to its start.
 */
#include "port/pc/x86_64/frame.h"

	.section .text
	.globl pc_vectors
	.balign 16
pc_vectors:
	vector = 0
	.rept 256
	.balign 16
	/* Vectors for which the processor pushes an error code: Intel SDM volume 3A table 6-1, AMD APM volume 2. */
	has_error = (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
	.if !(has_error || (vector == 29) || (vector == 30))
	pushq $0
	.endif
	pushq $vector
	.if (vector == 2) || (vector == 8) || (vector == 18)
	jmp trap_anywhere
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

	.macro pop_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	.endm

	/* User mode has a %gs of its own: which of the two is there follows from the mode that was interrupted. */
	.balign 16
trap_common:
	push_registers
	cld
	testb $3, FRAME_CS(%rsp)
	jnz 1f
	movq %rsp, %rdi
	call pc_trap
	pop_registers
	iretq
1:	swapgs
	movq %rsp, %rdi
	call pc_trap_user
	.globl pc_return_to_user
pc_return_to_user:
	pop_registers
pc_return_window:
	swapgs
	iretq
pc_return_window_end:

	/*
	 * What comes at any time may hit the few instructions of the kernel that run with the user's %gs: those above,
	 * and where system calls enter and leave.
	 */
	.weak pc_syscall_window, pc_syscall_window_end, pc_sysret_window, pc_sysret_window_end
	.macro check_window from, to
	cmpq $\from, %rax
	jb 5f
	cmpq $\to, %rax
	jb 6f
5:
	.endm
	.balign 16
trap_anywhere:
	push_registers
	cld
	movl $1, %ebx
	testb $3, FRAME_CS(%rsp)
	jnz 6f
	movq FRAME_RIP(%rsp), %rax
	check_window pc_return_window + 3, pc_return_window_end
	check_window pc_syscall_window, pc_syscall_window_end
	check_window pc_sysret_window, pc_sysret_window_end
	xorl %ebx, %ebx
	jmp 7f
6:	swapgs
7:	movq %rsp, %rdi
	call pc_trap
	testl %ebx, %ebx
	jz 8f
	swapgs
8:	pop_registers
	iretq

	.section .note.GNU-stack, "", @progbits
