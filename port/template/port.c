// SPDX-License-Identifier: MIT
/*
 * A port that links and panics: the starting point for a new one. Copy this directory, then replace the
 * bodies one tier at a time; docs/porting.md says in which order and how to tell that each is right.
 *
 * Only the seven functions of tier 0 are here. Those of tiers 1 and 2 have weak defaults in the library;
 * define them here as you reach them.
 */
#include <octavo/port.h>

const struct bootinfo *port_bootinfo(void)
{
	/* Describe the machine: at least arch, map, direct_map and direct_map_size. */
	port_panic("port_bootinfo: this port knows no machine yet");
}

unsigned int port_cpu_id(void)
{
	return 0; /* right for one CPU */
}

void port_cpu_relax(void)
{
}

unsigned long port_irq_save(void)
{
	port_panic("port_irq_save: this port cannot mask interrupts yet");
}

void port_irq_restore(unsigned long flags)
{
	(void)flags;
}

void port_console_write(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

void port_panic(const char *why)
{
	(void)why;
	for (;;)
		__builtin_trap();
}
