// SPDX-License-Identifier: MIT
/* Tier 0 of the port contract, and what of the others has no file of its own. */
#include "mm/sync/cpu.h"
#include "pc.h"
#include "tests/harness.h"

void port_cpu_relax(void)
{
	cpu_pause();
}

unsigned long port_irq_save(void)
{
	unsigned long flags = irq_flags();

	irq_disable();
	return flags;
}

void port_irq_restore(unsigned long flags)
{
	if (flags & RFLAGS_IF)
		irq_enable();
}

__weak void pc_console_log(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

void port_console_write(const char *text, size_t len)
{
	pc_console_log(text, len);
	if (!test_capture(text, len))
		serial_write(text, len);
}

u64 port_random(void)
{
	unsigned long word[2] = { 0 };
	bool good = false;
	u64 value;

	/* Ten tries are what Intel asks for before RDRAND counts as broken (SDM volume 1 section 7.3.17). */
	if (cpuid(1, 0).ecx >> 30 & 1)
		for (int i = 0; i < 10 && !good; i++)
			good = rdrand(&word[0]) && (sizeof(word[0]) == 8 || rdrand(&word[1]));
	if (good)
		return sizeof(word[0]) == 8 ? word[0] : (u64)word[1] << 32 | word[0];
	/* The counter's jitter, spread by the finaliser of splitmix64 (Steele, Lea, Flood 2014). */
	value = rdtsc();
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}
