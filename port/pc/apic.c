// SPDX-License-Identifier: MIT
/*
 * The local APIC in either of its modes: memory-mapped registers (xAPIC) or MSRs (x2APIC, taken when the
 * processor has it: ids above 255 need it). The old PICs are only silenced.
 * Source: Intel SDM volume 3A chapter 10.
 */
#include "apic.h"

#include <octavo/fixmap.h>

#include "mm/sync/cpu.h"
#include "smp.h"
#include "trap.h"

enum {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};
#define BASE_ENABLE (1u << 11)
#define BASE_X2APIC (1u << 10)
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_NMI 0x400u
#define TIMER_PERIODIC 0x20000u
#define DIVIDE_BY_16 3u
#define ICR_INIT 0x500u
#define ICR_STARTUP 0x600u
#define ICR_NMI 0x400u
#define ICR_LEVEL_ASSERT 0x4000u
#define ICR_PENDING 0x1000u
#define ICR_ALL_BUT_SELF 0xc0000u

static struct {
	phys_addr_t base;
	volatile u32 *registers; /* xAPIC only */
	bool present, x2;
	u32 timer_khz; /* at the divisor in use */
	void (*tick[PC_CPUS_MAX])(void);
} apic;

static u32 apic_read(u32 reg)
{
	return apic.x2 ? (u32)rdmsr(MSR_X2APIC_FIRST + reg / 16) : apic.registers[reg / 4];
}

static void apic_write(u32 reg, u32 value)
{
	if (apic.x2)
		wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		apic.registers[reg / 4] = value;
}

static void apic_command(u32 target, u32 command)
{
	unsigned long flags;

	if (apic.x2) {
		wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (u64)target << 32 | command);
		return;
	}
	/* Two registers: an interrupt in between that sends one too would mix them up. */
	flags = port_irq_save();
	while (apic_read(APIC_ICR) & ICR_PENDING)
		cpu_pause();
	apic_write(APIC_ICR_HIGH, target << 24);
	apic_write(APIC_ICR, command);
	port_irq_restore(flags);
}

/* The two 8259s: moved off the exceptions' vectors, since a spurious interrupt comes even when masked. */
static void silence_pics(void)
{
	static const u8 words[][2] = { { 0x11, 0x11 }, { 0x20, 0x28 }, { 4, 2 }, { 1, 1 } };

	outb(0x20, words[0][0]);
	outb(0xa0, words[0][1]);
	for (unsigned int i = 1; i < ARRAY_SIZE(words); i++) {
		outb(0x21, words[i][0]);
		outb(0xa1, words[i][1]);
	}
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

bool apic_init(phys_addr_t base)
{
	struct cpuid_regs features = cpuid(1, 0);

	silence_pics();
	if (!(features.edx >> 9 & 1))
		return false;
	apic.x2 = features.ecx >> 21 & 1;
	if (!base)
		base = rdmsr(MSR_APIC_BASE) & 0xffffff000ull;
	apic.base = base;
	apic.present = true;
	apic_map();
	apic_init_cpu();
	return true;
}

void apic_map(void)
{
	if (!apic.present || apic.x2)
		return;
	if (set_fixmap_nocache(FIX_APIC_BASE, apic.base))
		port_panic("the local APIC's registers cannot be mapped");
	apic.registers = (volatile u32 *)(fix_to_virt(FIX_APIC_BASE) + ((uintptr_t)apic.base & ~PAGE_MASK));
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (apic.x2)
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

u32 apic_id(void)
{
	if (!apic.present)
		return cpuid(1, 0).ebx >> 24;
	return apic.x2 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

const char *apic_name(void)
{
	return !apic.present ? "no local APIC" : apic.x2 ? "x2APIC" : "xAPIC";
}

void apic_start_cpu(u32 target, u32 page)
{
	apic_command(target, ICR_INIT | ICR_LEVEL_ASSERT);
	clock_delay_us(10000);
	for (int i = 0; i < 2; i++) {
		apic_command(target, ICR_STARTUP | ICR_LEVEL_ASSERT | page >> PAGE_SHIFT);
		clock_delay_us(200);
	}
}

void apic_send(u32 target, unsigned int vector)
{
	apic_command(target, ICR_LEVEL_ASSERT | vector);
}

void apic_stop_others(void)
{
	if (apic.present && smp_online() > 1)
		apic_command(0, ICR_ALL_BUT_SELF | ICR_NMI | ICR_LEVEL_ASSERT);
}

/* ---- Timer ---- */

void apic_timer_calibrate(void)
{
	u32 best = 0;

	if (!apic.present)
		return;
	/* A measurement can only come out too long (this CPU was not running): the shortest is the truth. */
	for (int i = 0; i < 3; i++) {
		u32 counted;

		apic_write(APIC_TIMER_INITIAL, ~0u);
		clock_delay_us(1000);
		counted = ~0u - apic_read(APIC_TIMER_CURRENT);
		apic_write(APIC_TIMER_INITIAL, 0);
		best = !best || counted < best ? counted : best;
	}
	apic.timer_khz = best;
}

bool apic_timer_start(u64 period_ns, void (*fn)(void))
{
	u64 count = period_ns * apic.timer_khz / 1000000;

	if (!apic.timer_khz)
		return false;
	apic.tick[port_cpu_id()] = fn;
	apic_write(APIC_LVT_TIMER, TIMER_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, (u32)clamp(count, 1ull, 0xffffffffull));
	return true;
}

void apic_timer_once(u64 ns, void (*fn)(void))
{
	u64 count = ns < 1000000000 ? ns * apic.timer_khz / 1000000 : (u64)apic.timer_khz * 1000;

	apic.tick[port_cpu_id()] = fn;
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, (u32)clamp(count, 1ull, 0xffffffffull));
}

void apic_timer_stop(void)
{
	if (!apic.present)
		return;
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic.tick[port_cpu_id()] = NULL;
}

/* ---- Interrupts ---- */

void apic_interrupt(unsigned int vector)
{
	void (*tick)(void) = apic.tick[port_cpu_id()];

	switch (vector) {
	case VECTOR_SPURIOUS:
		return; /* no end-of-interrupt for it */
	case VECTOR_TIMER:
		if (tick)
			tick();
		break;
	case VECTOR_CALL:
		smp_call_serve();
		break;
	case VECTOR_WAKE:
		break; /* its coming ended hlt; who slept looks again */
	default:
		/* 0x20-0x2f are the PICs': spurious, as all their lines are masked. */
		if (vector >= 0x30)
			printk("apic: unexpected interrupt, vector %#x\n", vector);
		break;
	}
	apic_write(APIC_EOI, 0);
}
