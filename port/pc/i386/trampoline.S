/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs begin: real mode, at the start of a page below 1 MiB to which tables.c copies this. From
 * there straight to 32 bits on the boot page tables, which show low memory at its own address. The last 40
 * bytes are struct trampoline_data of tables.c.
 */
#define CR0_PE_ET_NE_WP_PG 0x80010031
#define CR4_PGE 0x00000080
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
	xorl %ebx, %ebx
	movw %ax, %bx
	shll $4, %ebx		/* where the page is */
	movl AT(data_cr4), %eax
	movl %eax, %cr4
	movl AT(data_cr3), %eax
	movl %eax, %cr3
	cmpl $0, AT(data_efer)	/* a processor without NX may lack the register, too */
	je 1f
	movl $MSR_EFER, %ecx
	rdmsr
	orl AT(data_efer), %eax
	wrmsr
1:	lgdtl AT(data_gdt)
	movl $CR0_PE_ET_NE_WP_PG, %eax
	movl %eax, %cr0
	ljmpl *AT(data_far)

	.code32
ap32:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl AT(data_cpu)(%ebx), %edi
	movl AT(data_kernel_cr3)(%ebx), %ecx
	movl AT(data_stack)(%ebx), %edx
	movl AT(data_entry)(%ebx), %eax
	jmp *%eax

	.balign 8
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
data_stack:
	.long 0
data_entry:
	.long 0
data_cpu:
	.long 0
data_cr3:
	.long 0
data_cr4:
	.long 0
data_efer:
	.long 0
data_far:
	.long AT(ap32)
	.short 8
data_gdt:
	.short 0
	.long 0
data_kernel_cr3:
	.long 0
pc_trampoline_end:

	/*
	 * pc_ap_park(restart, boot_root, parked): from here to pc_ap_entry there is no stack of its own. Changing
	 * CR4.PGE drops all translations.
	 */
	.globl pc_ap_park
pc_ap_park:
	movl 4(%esp), %edi
	movl 8(%esp), %esi
	movl 12(%esp), %edx
	movl $pc_parked_stack_top, %esp
	movl %esi, %cr3
	movl %cr4, %eax
	testl $CR4_PGE, %eax
	jz 2f
	movl %eax, %ecx
	xorl $CR4_PGE, %ecx
	movl %ecx, %cr4
	movl %eax, %cr4
2:	lock incl (%edx)
3:	pause
	cmpl $0, (%edi)
	je 3b
	movl 8(%edi), %ecx
	movl 12(%edi), %edx
	movl 4(%edi), %edi

	/* In the image, so both page tables show it; the stack only exists in the kernel's own. */
	.globl pc_ap_entry
pc_ap_entry:
	movl %ecx, %cr3
	movl %edx, %esp
	xorl %ebp, %ebp
	subl $12, %esp
	pushl %edi
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
