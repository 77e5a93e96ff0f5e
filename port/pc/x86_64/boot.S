/* SPDX-License-Identifier: MIT */
/*
 * Where the loaders enter, in 32-bit protected mode without paging, and the way from there to pc_start().
 *
 * PVH ("qemu -kernel"): xen.git docs/misc/pvh.pandoc; %ebx = physical address of struct hvm_start_info.
 * multiboot2 (GRUB): Multiboot2 specification 2.0; %eax = magic, %ebx = physical address of the information.
 */
#define PC_IMAGE_BASE 0xffffffff80000000 /* as in pc.ld */
#define PHYS(symbol) ((symbol) - PC_IMAGE_BASE)
#define CR0_PE_ET_NE_WP_PG 0x80010031
#ifdef OCTAVO_ARCH_X86_64_LA57
#define CR4_PAE_PGE 0x000010a0 /* and LA57 */
#else
#define CR4_PAE_PGE 0x000000a0
#endif
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define PTE_TABLE 0x003 /* present, writable */
#define PTE_LARGE 0x083 /* and a 2 MiB leaf */
#define COM1 0x3f8

	.section .note.octavo, "a", @note
	.balign 4
	.long 4			/* name: "Xen", NUL */
	.long 4			/* description: 32 bits of address */
	.long 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long PHYS(pc_pvh_entry)

	.section .multiboot, "ax"
	.balign 8
multiboot_header:
	.long 0xe85250d6	/* magic */
	.long 0			/* i386, protected mode */
	.long multiboot_header_end - multiboot_header
	.long -(0xe85250d6 + multiboot_header_end - multiboot_header)
	.balign 8		/* information request: command line, modules, map, EFI map, ACPI old and new */
	.short 1, 1		/* optional: take what the loader has */
	.long 8 + 6 * 4
	.long 1, 3, 6, 17, 14, 15
	.balign 8		/* entry address */
	.short 3, 0
	.long 12
	.long PHYS(pc_multiboot_entry)
	.balign 8		/* modules on page boundaries */
	.short 6, 0
	.long 8
	.balign 8
	.short 0, 0
	.long 8
multiboot_header_end:

	.section .text.boot, "ax"
	.code32
	.globl pc_pvh_entry, pc_multiboot_entry
pc_pvh_entry:
	xorl %ebp, %ebp		/* enum boot_protocol: PVH */
	jmp start32

pc_multiboot_entry:
	movl $1, %ebp		/* multiboot2 */
	cmpl $0x36d76289, %eax
	je start32
	movl $PHYS(not_multiboot2), %esi
	jmp die32

start32:
	cli
	cld
	movl $PHYS(pc_boot_stack_top), %esp
	pushl %ebx
	movl $0x80000000, %eax
	cpuid
	movl $PHYS(not_64bit), %esi
	cmpl $0x80000001, %eax
	jb die32
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx		/* long mode */
	jnc die32
#ifdef OCTAVO_ARCH_X86_64_LA57
	pushl %edx
	xorl %eax, %eax
	cpuid
	movl $PHYS(no_la57), %esi
	cmpl $7, %eax
	jb die32
	movl $7, %eax
	xorl %ecx, %ecx
	cpuid
	btl $16, %ecx		/* LA57 */
	jnc die32
	popl %edx
#endif
	popl %ebx
	movl $EFER_LME, %edi
	btl $20, %edx		/* no-execute */
	jnc 1f
	orl $EFER_NXE, %edi
1:
	/* Four page directories of 2 MiB leaves: physical 0 to 4 GiB. */
	pushl %edi
	movl $PHYS(pc_boot_pd), %edi
	movl $PTE_LARGE, %eax
	xorl %ecx, %ecx
2:	movl %eax, (%edi,%ecx,8)
	movl $0, 4(%edi,%ecx,8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $4 * 512, %ecx
	jb 2b
	popl %edi

	/* They appear at 0 (for here and the other CPUs' trampoline), in the direct map, and the first of them
	   at the image's address. The tables come zeroed: they are .bss to the loader. */
	movl $PHYS(pc_boot_pd) + PTE_TABLE, %eax
	movl $PHYS(pc_boot_pdpt), %edx
	movl %eax, (%edx)
	addl $0x1000, %eax
	movl %eax, 8(%edx)
	addl $0x1000, %eax
	movl %eax, 16(%edx)
	addl $0x1000, %eax
	movl %eax, 24(%edx)
	movl $PHYS(pc_boot_pd) + PTE_TABLE, %eax
	movl %eax, PHYS(pc_boot_pdpt_image) + 510 * 8
	movl $PHYS(pc_boot_pdpt) + PTE_TABLE, %eax
	movl $PHYS(pc_boot_pdpt_image) + PTE_TABLE, %edx
#ifdef OCTAVO_ARCH_X86_64_LA57
	/* One table below the root serves all three: 0 and the direct map by its entry 0, the image by 511. */
	movl %eax, PHYS(pc_boot_pml4)
	movl %edx, PHYS(pc_boot_pml4) + 511 * 8
	movl $PHYS(pc_boot_pml4) + PTE_TABLE, %eax
	movl %eax, %edx
#endif
	movl %eax, PHYS(pc_boot_root)
	movl %eax, PHYS(pc_boot_root) + 273 * 8
	movl %edx, PHYS(pc_boot_root) + 511 * 8

	movl $CR4_PAE_PGE, %eax
	movl %eax, %cr4
	movl $PHYS(pc_boot_root), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl %edi, %eax
	wrmsr
	movl $CR0_PE_ET_NE_WP_PG, %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $8, $PHYS(start64_low)

/* Says why on the serial port, as nothing else is up: %esi is the text. */
die32:
	movl $PHYS(die_prefix), %edi
	xchgl %esi, %edi
3:	movb (%esi), %al
	incl %esi
	testb %al, %al
	jz 5f
	movb %al, %ah
	movw $COM1 + 5, %dx
	movl $100000, %ecx
4:	inb %dx, %al
	testb $0x20, %al	/* transmitter empty */
	loopz 4b
	movb %ah, %al
	movw $COM1, %dx
	outb %al, %dx
	jmp 3b
5:	testl %edi, %edi
	jz 6f
	movl %edi, %esi
	xorl %edi, %edi
	jmp 3b
6:	cli
	hlt
	jmp 6b

	.code64
start64_low:
	movabsq $start64, %rax
	jmp *%rax
start64:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq pc_boot_stack_top(%rip), %rsp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp		/* the last frame of a backtrace */
	call pc_start
7:	cli
	hlt
	jmp 7b

	.section .rodata
die_prefix:
	.asciz "\r\nOctavo: cannot start: "
not_64bit:
	.asciz "this processor has no 64-bit mode\r\n"
#ifdef OCTAVO_ARCH_X86_64_LA57
no_la57:
	.asciz "this image is for page tables of 5 levels, and the processor has none (no LA57)\r\n"
#endif
not_multiboot2:
	.asciz "not entered by a multiboot2 loader or through PVH\r\n"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 0x08: 64-bit code */
	.quad 0x00cf93000000ffff	/* 0x10: data */
boot_gdt_end:
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
	.long 0

	/* The boot CPU's stacks, each PC_STACK_BYTES above a page that is left unmapped. */
	.section .stacks, "aw", @nobits
	.balign 4096
	.globl pc_boot_stack_top
	.skip 4096 + 16384
pc_boot_stack_top:
	.skip 3 * (4096 + 16384)	/* double fault, NMI, machine check */

	.section .bss
	.balign 4096
	.globl pc_boot_root
pc_boot_root:
	.skip 4096
#ifdef OCTAVO_ARCH_X86_64_LA57
pc_boot_pml4:
	.skip 4096
#endif
pc_boot_pdpt:
	.skip 4096
pc_boot_pdpt_image:
	.skip 4096
pc_boot_pd:
	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
