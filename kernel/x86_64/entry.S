/* SPDX-License-Identifier: MIT */
/*
 * System calls: SYSCALL leaves the return address in rcx and the flags in r11, on the user's stack. What is pushed is
 * struct trap_frame (isa.h), with the call's number where an exception has its error code.
 *
 * Registers that functions preserve are only loaded again where something may have changed the frame: after work, and
 * by a new thread. Then IRETQ ends the call, as SYSRET cannot load rcx and r11.
 */
#define USER_DATA 0x2b
#define USER_CODE 0x33
#define VECTOR_SYSCALL 256
#define SYSCALLS_MAX 512

/* struct kernel_cpu; kernel_cpu_gs is its distance from %gs */
#define CPU_USER_SP %gs:kernel_cpu_gs
#define CPU_STACK_TOP %gs:kernel_cpu_gs + 8
#define CPU_TASK %gs:kernel_cpu_gs + 16

#include "port/pc/x86_64/frame.h"

	.text
	.globl kernel_syscall_entry, pc_syscall_window, pc_syscall_window_end
	.balign 64
kernel_syscall_entry:
pc_syscall_window:
	swapgs
pc_syscall_window_end:
	movq %rsp, CPU_USER_SP
	movq CPU_STACK_TOP, %rsp
	pushq $USER_DATA
	pushq CPU_USER_SP
	pushq %r11
	pushq $USER_CODE
	pushq %rcx
	pushq %rax
	pushq $VECTOR_SYSCALL
	movq %r10, %rcx
	push_registers
	sti
	cmpq $SYSCALLS_MAX, %rax
	jae 2f
	call *kernel_syscall_table(,%rax,8)
1:	movq %rax, FRAME_RAX(%rsp)
	cli
	movq CPU_TASK, %rcx
	cmpl $0, kernel_task_work(%rcx)
	jne 3f
	movq FRAME_R10(%rsp), %r10
	movq FRAME_R9(%rsp), %r9
	movq FRAME_R8(%rsp), %r8
	movq FRAME_RDI(%rsp), %rdi
	movq FRAME_RSI(%rsp), %rsi
	movq FRAME_RDX(%rsp), %rdx
	movq FRAME_RIP(%rsp), %rcx
	movq FRAME_RFLAGS(%rsp), %r11
	movq FRAME_RSP(%rsp), %rsp
	swapgs
	.globl pc_sysret_window, pc_sysret_window_end
pc_sysret_window:
	sysretq
pc_sysret_window_end:

2:	movq %rax, %rdi
	call kernel_syscall_unknown
	jmp 1b
3:	movq %rsp, %rdi
	call kernel_leave
	jmp pc_return_to_user

	/* kernel_switch_stack(from, to): rdi: where to save the stack pointer; rsi: the one to load */
	.globl kernel_switch_stack
	.balign 16
kernel_switch_stack:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	/* A new thread: its frame is at the top of the stack, right above. */
	.globl kernel_thread_entry
	.balign 16
kernel_thread_entry:
	xorl %ebp, %ebp
	movq %rsp, %rdi
	call kernel_thread_main
	cli
	movq %rsp, %rdi
	call kernel_leave
	jmp pc_return_to_user

	.section .note.GNU-stack, "", @progbits
