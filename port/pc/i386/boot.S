/* SPDX-License-Identifier: MIT */
/*
 * Where the loaders enter, in 32-bit protected mode without paging, and the way from there to pc_start().
 *
 * PVH ("qemu -kernel"): xen.git docs/misc/pvh.pandoc; %ebx = physical address of struct hvm_start_info.
 * multiboot2 (GRUB): Multiboot2 specification 2.0; %eax = magic, %ebx = physical address of the information.
 */
#define PHYS(symbol) ((symbol) - PC_PAGE_OFFSET)
#define CR0_PE_ET_NE_WP_PG 0x80010031
#define CR4_PSE 0x00000010
#define CR4_PAE 0x00000020
#define CR4_PGE 0x00000080
#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800
#define PTE_PRESENT 0x001
#define PTE_LARGE 0x083 /* present, writable, a large leaf */
#define CPUID_PSE 3
#define CPUID_PAE 6
#define CPUID_CX8 8
#define CPUID_PGE 13
#define CPUID_CMOV 15
#define CPUID_NX 20
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
	xorl %ebp, %ebp		/* enum pc_protocol: PVH */
	jmp start

pc_multiboot_entry:
	movl $1, %ebp		/* multiboot2 */
	cmpl $0x36d76289, %eax
	je start
	movl $PHYS(not_multiboot2), %esi
	jmp die

start:
	cli
	cld
	movl $PHYS(pc_boot_stack_top), %esp
	pushl %ebx
	movl $1, %eax
	cpuid
	movl $PHYS(no_large_pages), %esi
#ifdef OCTAVO_ARCH_I386_PAE
	btl $CPUID_PAE, %edx
	jnc die
	movl $CR4_PAE, %edi
#else
	btl $CPUID_PSE, %edx
	jnc die
	movl $CR4_PSE, %edi
#endif
	movl $PHYS(no_i686), %esi	/* what the compiler takes for granted */
	btl $CPUID_CX8, %edx
	jnc die
	btl $CPUID_CMOV, %edx
	jnc die
	btl $CPUID_PGE, %edx
	jnc 1f
	orl $CR4_PGE, %edi
1:	movl %edi, %cr4

	/*
	 * Physical memory from 0 on in large leaves, twice: where it is (for here and the other CPUs' trampoline), and
	 * from PC_PAGE_OFFSET on. The tables come zeroed: they are .bss to the loader.
	 */
#ifdef OCTAVO_ARCH_I386_PAE
	movl $PHYS(pc_boot_pd), %edi
	movl $PTE_LARGE, %eax
	xorl %ecx, %ecx
2:	movl %eax, (%edi,%ecx,8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $PC_BOOT_GIBS * 512, %ecx
	jb 2b
	movl $PHYS(pc_boot_pd) + PTE_PRESENT, %eax
	movl $PHYS(pc_boot_root), %edi
	xorl %ecx, %ecx
3:	movl %eax, (%edi,%ecx,8)
	movl %eax, (4 - PC_BOOT_GIBS) * 8(%edi,%ecx,8)
	addl $0x1000, %eax
	incl %ecx
	cmpl $PC_BOOT_GIBS, %ecx
	jb 3b

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb 4f
	movl $0x80000001, %eax
	cpuid
	btl $CPUID_NX, %edx
	jnc 4f
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_NXE, %eax
	wrmsr
4:
#else
	movl $PHYS(pc_boot_root), %edi
	movl $PTE_LARGE, %eax
	xorl %ecx, %ecx
2:	movl %eax, (%edi,%ecx,4)
	movl %eax, (4 - PC_BOOT_GIBS) * 1024(%edi,%ecx,4)
	addl $0x400000, %eax
	incl %ecx
	cmpl $PC_BOOT_GIBS * 256, %ecx
	jb 2b
#endif
	popl %ebx
	movl $PHYS(pc_boot_root), %eax
	movl %eax, %cr3
	movl $CR0_PE_ET_NE_WP_PG, %eax
	movl %eax, %cr0
	movl $start_high, %eax
	jmp *%eax

/* Says why on the serial port, as nothing else is up: %esi is the text. */
die:
	movl $PHYS(die_prefix), %edi
	xchgl %esi, %edi
5:	movb (%esi), %al
	incl %esi
	testb %al, %al
	jz 7f
	movb %al, %ah
	movw $COM1 + 5, %dx
	movl $100000, %ecx
6:	inb %dx, %al
	testb $0x20, %al	/* transmitter empty */
	loopz 6b
	movb %ah, %al
	movw $COM1, %dx
	outb %al, %dx
	jmp 5b
7:	testl %edi, %edi
	jz 8f
	movl %edi, %esi
	xorl %edi, %edi
	jmp 5b
8:	cli
	hlt
	jmp 8b

start_high:
	movl $pc_boot_stack_top, %esp
	pushl $0
	pushl $0
	pushl %ebx
	pushl %ebp
	xorl %ebp, %ebp		/* the last frame of a backtrace */
	call pc_start
9:	cli
	hlt
	jmp 9b

	.section .rodata
die_prefix:
	.asciz "\r\nOctavo: cannot start: "
no_large_pages:
#ifdef OCTAVO_ARCH_I386_PAE
	.asciz "this processor has no PAE\r\n"
#else
	.asciz "this processor has no 4 MiB pages\r\n"
#endif
no_i686:
	.asciz "this processor lacks CMPXCHG8B or CMOV\r\n"
not_multiboot2:
	.asciz "not entered by a multiboot2 loader or through PVH\r\n"

	/* The boot CPU's stacks, each PC_STACK_BYTES above a page that is left unmapped. */
	.section .stacks, "aw", @nobits
	.balign 4096
	.globl pc_boot_stack_top
	.skip 4096 + 16384
pc_boot_stack_top:
	.skip 4096 + 16384	/* double fault */

	.section .bss
	.balign 4096
	.globl pc_boot_root
#ifdef OCTAVO_ARCH_I386_PAE
	.globl pc_boot_top
pc_boot_top:
pc_boot_pd:
	.skip PC_BOOT_GIBS * 4096
pc_boot_root:
	.skip 32
#else
	.globl pc_boot_top
pc_boot_root:
	.skip 4096
	.equ pc_boot_top, pc_boot_root + (4 - PC_BOOT_GIBS) * 1024
#endif

	.section .note.GNU-stack, "", @progbits
