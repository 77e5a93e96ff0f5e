/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs begin: real mode, at the start of a page below 1 MiB to which smp.c copies this. From
 * there straight to 64 bits on the boot page tables, which show low memory at its own address. The last 56
 * bytes are struct trampoline_data of tables.c.
 */
#define CR0_PE_ET_NE_WP_PG 0x80010031
#define CR4_PGE 0x80
#define MSR_EFER 0xc0000080
#define AT(symbol) ((symbol) - pc_trampoline)

	.section .text
	.balign 16
	.globl pc_trampoline, pc_trampoline_end
	.code16
pc_trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movl AT(data_cr4), %eax
	movl %eax, %cr4
	movl AT(data_cr3), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl AT(data_efer), %eax
	wrmsr
	lgdtl AT(data_gdt)
	movl $CR0_PE_ET_NE_WP_PG, %eax
	movl %eax, %cr0
	ljmpl *AT(data_far)

	.code64
ap64:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl data_cpu(%rip), %edi
	movq data_kernel_cr3(%rip), %rcx
	movq data_stack(%rip), %rdx
	movq data_entry(%rip), %rax
	jmp *%rax

	.balign 8
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
data_stack:
	.quad 0
data_entry:
	.quad 0
data_cpu:
	.long 0
data_cr3:
	.long 0
data_efer:
	.long 0
data_far:
	.long AT(ap64)
	.short 8
data_gdt:
	.short 0
	.long 0
data_cr4:
	.long 0
	.long 0
data_kernel_cr3:
	.quad 0
pc_trampoline_end:

	/*
	 * pc_ap_park(restart, boot_root, parked): from here to pc_ap_entry there is no stack. Changing CR4.PGE drops
	 * all translations, under all PCIDs.
	 */
	.globl pc_ap_park
pc_ap_park:
	movq %rsi, %cr3
	movq %cr4, %rax
	movq %rax, %rcx
	xorl $CR4_PGE, %ecx
	movq %rcx, %cr4
	movq %rax, %cr4
	lock incl (%rdx)
1:	pause
	cmpl $0, (%rdi)
	je 1b
	movq 8(%rdi), %rcx
	movq 16(%rdi), %rdx
	movl 4(%rdi), %edi

	/* In the image, so both page tables show it; the stack only exists in the kernel's own. */
	.globl pc_ap_entry
pc_ap_entry:
	movq %rcx, %cr3
	movq %rdx, %rsp
	xorl %ebp, %ebp
	call pc_ap_start
	ud2

	/* What a parked CPU does with an NMI or a machine check, on a stack that it may share with others. */
	.globl pc_parked_vector
	.balign 16
pc_parked_vector:
	cli
	hlt
	jmp pc_parked_vector

	.section .bss
	.balign 16
	.globl pc_parked_stack_top
	.skip 256
pc_parked_stack_top:

	.section .note.GNU-stack, "", @progbits
