/* SPDX-License-Identifier: MIT */
/*
 * port_copy_user(to, from, len, to_user): words, then what is left of one. A fault that nothing can be done about ends
 * it: bytes are tried one by one then, so that all is copied that can be. Return: bytes not copied.
 */
#include "port/pc/fixup.h"

	.text
	.globl port_copy_user
	.balign 16
port_copy_user:
	cmpb $0, pc_smap(%rip)
	je 1f
	stac
1:	cmpq $8, %rdx
	jne 4f
2:	movq (%rsi), %rax
3:	movq %rax, (%rdi)
	xorl %eax, %eax
	jmp 8f
4:	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
5:	rep movsq
	movl %edx, %ecx
6:	rep movsb
7:	movq %rcx, %rax
8:	cmpb $0, pc_smap(%rip)
	je 9f
	clac
9:	ret

	/* Words were left: their bytes and the rest's. */
10:	leaq (%rdx,%rcx,8), %rcx
	jmp 6b
11:	movl $8, %ecx
	jmp 6b
	fixup 2b, 11b
	fixup 3b, 11b
	fixup 5b, 10b
	fixup 6b, 7b

	.section .note.GNU-stack, "", @progbits
