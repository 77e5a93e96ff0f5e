/* SPDX-License-Identifier: MIT */
/* Leaving: off, reset, or out of the emulator with a status. */
#ifndef PORT_PC_POWER_H
#define PORT_PC_POWER_H

#include "pc.h"

enum power_reason { POWER_PASSED, POWER_FAILED, POWER_PANIC };

/* power_setup - what ACPI and the command line say; without it the emulators' ports are tried */
void power_setup(const struct acpi_facts *acpi, const char *cmdline);

/*
 * power_end - the run is over
 * With octavo.exit=PORT on the command line @why goes to that I/O port, where "-device isa-debug-exit,
 * iobase=PORT" makes QEMU exit with status 33, 35 or 37. Else a panic does what panic= says (as in Linux: 0
 * stop, negative reset at once, N reset after N seconds) and everything else powers the machine off.
 */
__attribute__((noreturn)) void power_end(enum power_reason why);
__attribute__((noreturn)) void power_off(void);
__attribute__((noreturn)) void power_reset(void);

#endif
