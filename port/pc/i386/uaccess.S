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
	pushl %esi
	pushl %edi
	movl 12(%esp), %edi
	movl 16(%esp), %esi
	movl 20(%esp), %edx
	cmpb $0, pc_smap
	je 1f
	stac
1:	movl %edx, %ecx
	shrl $2, %ecx
	andl $3, %edx
2:	rep movsl
	movl %edx, %ecx
3:	rep movsb
4:	movl %ecx, %eax
	cmpb $0, pc_smap
	je 5f
	clac
5:	popl %edi
	popl %esi
	ret

	/* Words were left: their bytes and the rest's. */
6:	leal (%edx,%ecx,4), %ecx
	jmp 3b
	fixup 2b, 6b
	fixup 3b, 4b

	.section .note.GNU-stack, "", @progbits
