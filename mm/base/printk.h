/* SPDX-License-Identifier: MIT */
/*
 * The kernel log and formatted text.
 *
 * Formats are C's: d i u x X o c s p % with flags "0 - # + space", width and precision (also *), lengths
 * hh h l ll z t. No floating point. A pointer prints as 0x and hexadecimal digits.
 */
#ifndef MM_BASE_PRINTK_H
#define MM_BASE_PRINTK_H

#include <stdarg.h>

#include "compiler.h"

/**
 * octavo_vsnprintf - format into a buffer
 * @size: bytes in @buf; at most @size - 1 are written and a NUL follows (nothing when @size is 0)
 * Return: the length the whole text would have.
 */
size_t octavo_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
__printf(3, 4) size_t octavo_snprintf(char *buf, size_t size, const char *fmt, ...);

/**
 * printk - add to the kernel log
 * Each line gets the stamp "[    0.000000] " (seconds since boot; zero until mm_clock_started()) and goes to
 * port_console_write(). A text that does not end in a newline is continued by the next call.
 * Context: any, no lock of rank above LOCK_RANK_CONSOLE held.
 */
__printf(1, 2) void printk(const char *fmt, ...);

#define pr_info(...) printk(__VA_ARGS__)
#define pr_warn(...) printk(__VA_ARGS__)
#define pr_err(...) printk(__VA_ARGS__)

/* From here on stamps follow port_clock_ns(). */
void printk_clock_start(void);

/* Lines not to be shown: sets the console on or off, returns what it was. The log still has a line count. */
bool printk_console(bool on);

#endif
