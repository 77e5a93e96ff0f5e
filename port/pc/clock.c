// SPDX-License-Identifier: MIT
/*
 * The clock: the time stamp counter, scaled. Its rate comes from CPUID 15h where that tells, else it is
 * measured against the 8254 timer, whose 1.193182 MHz is the same on every PC.
 * Sources: Intel SDM volume 2A (CPUID), volume 3B section 18.17; Intel 8254 data sheet.
 *
 * ns = cycles * (10^9 * 2^32 / Hz) >> 32 in 128 bits (or parts of 32): no division when it is read, no overflow in 500
 * years, and an error below 2^-32 of the time for any rate from 1 MHz on.
 */
#include "pc.h"

#define PIT_HZ 1193182u
#define PIT_COUNT 11932u /* 10 ms */
#define MEASURED_MAX 50	 /* a quarter of a second */

static struct {
	u64 start, hz, scale;
	const char *source;
} tsc;

static u64 hz_from_cpuid(void)
{
	struct cpuid_regs r;

	if (cpuid(0, 0).eax < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	return r.eax && r.ebx && r.ecx ? (u64)r.ecx * r.ebx / r.eax : 0;
}

/* The rate lies between. */
struct hz_range {
	u64 least, most;
};

/*
 * From the cycles while counter 2 runs from @count to 0. It begins to run somewhere in the write of the high byte, and
 * reaches 0 after the last read that does not tell so began: a hypervisor may stop us anywhere in them. @most is 0 if
 * it never gets there.
 */
static struct hz_range measure_once(unsigned int count)
{
	u8 gate = inb(0x61);
	u64 before, begun, running = 0, asked, now;
	bool end = false;

	outb(0x61, (gate & 0xfc) | 1); /* gate on, speaker off */
	outb(0x43, 0xb0);	       /* counter 2, low and high byte, mode 0: output rises at 0 */
	outb(0x42, count & 0xff);
	before = rdtsc_ordered();
	outb(0x42, (u8)(count >> 8));
	asked = now = begun = rdtsc_ordered();
	for (unsigned int i = 0; i < 10000000 && !end; i++) {
		running = asked;
		asked = now;
		end = inb(0x61) & 0x20;
		now = rdtsc_ordered();
	}
	outb(0x61, gate);
	return (struct hz_range){ .least = (running - begun) * PIT_HZ / (count + 1),
				  .most = end ? (now - before) * PIT_HZ / count : 0 };
}

/*
 * Undisturbed two are enough. On a busy host a long one may always end while we are stopped, and we go on with time for
 * a short one.
 */
static u64 hz_from_pit(void)
{
	struct hz_range all = measure_once(PIT_COUNT);

	for (unsigned int i = 1; i < MEASURED_MAX && all.most; i++) {
		struct hz_range r = measure_once(PIT_COUNT >> i % 4);

		all.least = max(all.least, r.least);
		all.most = r.most ? min(all.most, r.most) : all.most;
		if (all.most <= all.least + all.least / 1000)
			break;
	}
	/* By its last digits the least may be above the most. */
	return all.most ? (all.least + all.most) / 2 : 0;
}

void clock_init(void)
{
	tsc.hz = hz_from_cpuid();
	tsc.source = "CPUID 15h";
	if (tsc.hz < 1000000) {
		tsc.hz = hz_from_pit();
		tsc.source = "the 8254";
	}
	if (tsc.hz < 1000000) {
		printk("clock: neither CPUID 15h nor an 8254 gives the TSC's rate; taking it for 1 GHz\n");
		tsc.hz = 1000000000;
		tsc.source = "a guess";
	}
	tsc.scale = ((u64)1000000000 << 32) / tsc.hz;
	tsc.start = rdtsc();
	printk("tsc: %llu.%03llu MHz by %s\n", (unsigned long long)(tsc.hz / 1000000),
	       (unsigned long long)(tsc.hz / 1000 % 1000), tsc.source);
}

static u64 scaled(u64 cycles)
{
#ifdef __SIZEOF_INT128__
	return (u64)((unsigned __int128)cycles * tsc.scale >> 32);
#else
	u64 low = (u32)tsc.scale, high = tsc.scale >> 32;

	return (cycles >> 32) * (high << 32) + (cycles >> 32) * low + (u32)cycles * high + ((u32)cycles * low >> 32);
#endif
}

u64 port_clock_ns(void)
{
	u64 now = rdtsc();

	/* Another CPU's counter may be a few cycles behind: time does not go below its start. */
	if (now < tsc.start)
		return 0;
	return scaled(now - tsc.start);
}

u64 clock_tsc_hz(void)
{
	return tsc.hz;
}

void clock_delay_us(u64 us)
{
	u64 until = port_clock_ns() + us * 1000;

	while (port_clock_ns() < until)
		cpu_pause();
}
