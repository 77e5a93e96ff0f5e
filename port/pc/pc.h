/* SPDX-License-Identifier: MIT */
/* The PC port's own interface: what its files call of each other. */
#ifndef PORT_PC_H
#define PORT_PC_H

#include <octavo/port.h>

#include "arch/x86/cpu/cpu.h"
#include "firmware.h"
#include "isa.h"
#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"

/* Each stack lies above one unmapped page. boot.S has the boot CPU's. */
#define PC_STACK_BYTES (16ul << 10)
#define PC_STACK_SPACING (PC_STACK_BYTES + PAGE_SIZE)

static inline void *pc_phys_to_virt(phys_addr_t phys)
{
	return (void *)(PC_DIRECT_MAP + (uintptr_t)phys);
}

static inline phys_addr_t pc_image_phys(const void *virt)
{
	return (uintptr_t)virt - PC_IMAGE_BASE;
}

/* Takes a copy of what goes to the console; a kernel may have its own, the port's does nothing. Any context. */
void pc_console_log(const char *text, size_t len);

/* ---- The image (pc.ld) ---- */
extern char pc_image_start[], pc_image_end[];
extern char pc_text_start[], pc_text_end[], pc_rodata_start[], pc_rodata_end[];
extern char pc_data_start[], pc_data_end[], pc_bss_start[], pc_bss_end[], pc_init_start[], pc_init_end[];
extern char pc_tests_bss_start[], pc_tests_bss_end[];
extern char pc_copy_start[], pc_copy_end[];
extern char pc_stacks_start[], pc_stacks_end[], pc_boot_stack_top[];
extern char __start_memsys[], __stop_memsys[], __start_octavo_percpu[], __stop_octavo_percpu[];
extern char pc_boot_root[];

/* ---- serial.c: COM1 ---- */
void serial_init(void);
void serial_write(const char *text, size_t len);
/* The bytes as they are; serial_write() begins lines at the left. */
void serial_write_raw(const char *text, size_t len);
/* The next byte that came in, or -1. */
int serial_read(void);

/* ---- console.c: lines from the serial port ---- */

/*
 * console_read_line - let the user edit a line
 * Backspace, ^C (drops the line), ^U (clears it), up and down arrow (earlier lines). Context: boot CPU, thread
 * context, interrupts on. Return: its length; -1 for ^D on an empty line.
 */
int console_read_line(const char *prompt, char *line, size_t size);

/* ---- clock.c ---- */
void clock_init(void);
u64 clock_tsc_hz(void);
void clock_delay_us(u64 us);

/* ---- start.c ---- */
enum pc_protocol { PC_PROTOCOL_PVH, PC_PROTOCOL_MULTIBOOT2 };
void pc_start(enum pc_protocol protocol, u32 info);
const char *pc_cmdline(void);

/*
 * pc_reboot_core - put the core's state back to what it was before mm_init() and boot it again, on every CPU:
 * a fresh machine for a test. Whatever was allocated is gone. Context: boot CPU, thread context; the others idle.
 */
void pc_reboot_core(void);

#endif
