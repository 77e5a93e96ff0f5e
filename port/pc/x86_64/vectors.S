/* SPDX-License-Identifier: MIT */
/*
 * 256 entry points of 16 bytes each, which make every interrupt look alike to pc_trap(): struct trap_frame
 * (trap.h) on the stack, pushed from its end to its start.
 */
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
	jmp trap_common
	vector = vector + 1
	.endr

	.balign 16
trap_common:
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
	cld
	movq %rsp, %rdi
	call pc_trap
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
	iretq

	.section .note.GNU-stack, "", @progbits
