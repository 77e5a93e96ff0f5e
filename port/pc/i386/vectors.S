/* SPDX-License-Identifier: MIT */
/*
 * 256 entry points of 16 bytes each, which make every interrupt look alike to pc_trap(): struct trap_frame
 * (isa.h) on the stack, pushed from its end to its start.
 */
	.section .text
	.globl pc_vectors
	.balign 16
pc_vectors:
	vector = 0
	.rept 256
	.balign 16
	/* Vectors for which the processor pushes an error code: Intel SDM volume 3A table 6-1. */
	has_error = (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
	.if !has_error
	pushl $0
	.endif
	pushl $vector
	jmp trap_common
	vector = vector + 1
	.endr

	.balign 16
trap_common:
	pushal
	cld
	pushl %esp
	call pc_trap
	addl $4, %esp
	popal
	addl $8, %esp
	iret

	.section .note.GNU-stack, "", @progbits
