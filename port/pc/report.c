// SPDX-License-Identifier: MIT
/*
 * The end, told readably: what happened, where, the registers, and how the CPU got there.
 *
 * A panic may come with any lock held, the console's too, so everything here goes straight to the serial
 * port. The first CPU to get here stops the others by NMI and reports; one that panics meanwhile just stops.
 */
#include "report.h"

#include <octavo/kfence.h>

#include "apic.h"
#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "mmu.h"
#include "power.h"
#include "stack.h"
#include "tests/harness.h"

/* Made from the linked image by mk/pc.mk: text symbols by address, names one after another. */
extern const uintptr_t pc_symbol_addresses[];
extern const u32 pc_symbol_names[];
extern const char pc_symbol_text[];
extern const u32 pc_symbols_nr;

#define HEX (2 * (int)sizeof(uintptr_t)) /* digits of an address */

static u32 panicking; /* CPU number + 1 of who reports */

static __printf(1, 2) void say(const char *fmt, ...)
{
	char text[256];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	serial_write(text, min(len, sizeof(text) - 1));
}

bool report_stopping(void)
{
	return load_acquire(&panicking) != 0;
}

/* ---- Symbols ---- */

/* "name+0xoffset/0xsize": the function that @inside is in, the offset of @addr in it. */
static void name_address(uintptr_t addr, uintptr_t inside, char *text, size_t size)
{
	u32 low = 0, high = pc_symbols_nr;
	uintptr_t start, end;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (pc_symbol_addresses[middle] <= inside)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || inside >= (uintptr_t)pc_text_end) {
		octavo_snprintf(text, size, "0x%lx", (unsigned long)addr);
		return;
	}
	start = pc_symbol_addresses[low - 1];
	end = low < pc_symbols_nr ? pc_symbol_addresses[low] : (uintptr_t)pc_text_end;
	octavo_snprintf(text, size, "%s+0x%lx/0x%lx", pc_symbol_text + pc_symbol_names[low - 1],
			(unsigned long)(addr - start), (unsigned long)(end - start));
}

void report_symbol(uintptr_t addr, char *text, size_t size)
{
	name_address(addr, addr, text, size);
}

void port_symbol(uintptr_t pc, char *text, size_t size)
{
	name_address(pc, pc - 1, text, size);
}

/* ---- Backtrace ---- */

static bool in_text(uintptr_t addr)
{
	return addr >= (uintptr_t)pc_text_start && addr < (uintptr_t)pc_text_end;
}

/* A stack that is being made, or went with the core's memory, may not be there. */
static bool on_a_stack(uintptr_t addr)
{
	unsigned int level;

	return stack_holds(addr) && mmu_entry(addr, &level) && mmu_entry(addr + sizeof(addr), &level);
}

unsigned int report_walk(uintptr_t bp, uintptr_t *pc, unsigned int max)
{
	unsigned int n = 0;

	while (n < max && on_a_stack(bp)) {
		const uintptr_t *frame = (const uintptr_t *)bp;

		if (!in_text(frame[1]))
			break;
		pc[n++] = frame[1];
		if (frame[0] <= bp)
			break;
		bp = frame[0];
	}
	return n;
}

unsigned int port_backtrace(uintptr_t *pc, unsigned int max)
{
	return report_walk((uintptr_t)__builtin_frame_address(0), pc, max);
}

static void say_address(uintptr_t addr, uintptr_t look_up)
{
	char name[96];

	report_symbol(look_up, name, sizeof(name));
	say("  %0*lx %s\n", HEX, (unsigned long)addr, name);
}

/* @frame: where the exception hit, or NULL; then the callers from frame pointer @bp on. */
static void say_backtrace(const struct trap_frame *frame, uintptr_t bp)
{
	uintptr_t pc[32];
	unsigned int n = report_walk(bp, pc, ARRAY_SIZE(pc));

	say("Call trace:\n");
	if (frame && in_text(frame_ip(frame))) {
		say_address(frame_ip(frame), frame_ip(frame));
	} else if (frame && on_a_stack(frame_sp(frame))) {
		/* A call to nowhere: whoever made it is on top of the stack, before any frame. */
		uintptr_t caller = *(const uintptr_t *)frame_sp(frame);

		if (in_text(caller))
			say_address(caller, caller - 1);
	}
	for (unsigned int i = 0; i < n; i++) /* the call before the return address: that may be the next function */
		say_address(pc[i], pc[i] - 1);
}

/* ---- Reports ---- */

static void begin_report(void)
{
	u32 me = port_cpu_id() + 1, first;

	irq_disable();
	first = atomic_cmpxchg(&panicking, 0, me);
	if (first && first != me)
		cpu_stop();
	if (first == me) {
		say("Panic inside a panic; stopping\n");
		power_end(POWER_PANIC);
	}
	apic_stop_others();
	/* What a test was holding back may be what led here. */
	if (test_capture("", 0)) {
		const char *held = test_capture_end();

		serial_write(held, strlen(held));
	}
}

static const char *const exception_names[VECTOR_EXCEPTIONS] = {
	"divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow", "bound range exceeded",
	"invalid opcode", "device not available", "double fault", "coprocessor segment overrun", "invalid TSS",
	"segment not present", "stack fault", "general protection fault", "page fault", "reserved (15)",
	"x87 floating-point error", "alignment check", "machine check", "SIMD floating-point error",
	"virtualization exception", "control protection fault", "reserved (22)", "reserved (23)", "reserved (24)",
	"reserved (25)", "reserved (26)", "reserved (27)", "hypervisor injection", "VMM communication",
	"security exception", "reserved (31)",
};

static void say_error_code(const struct trap_frame *f)
{
	u64 e = f->error;

	if (f->vector == VECTOR_PAGE_FAULT)
		say("Error code %#04llx: %s %s at %s page%s%s\n", (unsigned long long)e, e & 4 ? "user" : "kernel",
		    e & 16 ? "instruction fetch" : e & 2 ? "write" : "read", e & 1 ? "a protected" : "an unmapped",
		    e & 8 ? ", reserved bit set in a table" : "", e & 32 ? ", protection key" : "");
	else if (e)
		say("Error code %#06llx: selector %#llx of the %s%s\n", (unsigned long long)e,
		    (unsigned long long)(e & 0xfff8), e & 2 ? "IDT" : e & 4 ? "LDT" : "GDT", e & 1 ? ", external" : "");
}

static void say_page(uintptr_t addr)
{
	unsigned int level;
	u64 entry = mmu_entry(addr, &level);
	char guard[96];

	if (stack_overflow(addr, guard, sizeof(guard)))
		say("Stack overflow: %0*lx is in %s\n", HEX, (unsigned long)addr, guard);
	if (!entry)
		say("No entry at level %u of the page tables for %0*lx\n", level, HEX, (unsigned long)addr);
	else
		say("Entry at level %u for %0*lx: %016llx\n", level, HEX, (unsigned long)addr,
		    (unsigned long long)entry);
}

void report_exception(const struct trap_frame *f)
{
	char name[96], text[768];

	begin_report();
	report_symbol(frame_ip(f), name, sizeof(name));
	say("\nException %u (%s) on CPU %u", (unsigned int)f->vector, exception_names[f->vector], port_cpu_id());
	if (f->vector == VECTOR_PAGE_FAULT)
		say(" at address %0*lx", HEX, read_cr2());
	say("\n" PC_IP ": %04x:%0*lx %s\n", (unsigned int)f->cs, HEX, (unsigned long)frame_ip(f), name);
	say_error_code(f);
	if (f->vector == VECTOR_PAGE_FAULT || f->vector == VECTOR_DOUBLE_FAULT)
		say_page(read_cr2());
	trap_registers(f, text, sizeof(text));
	serial_write(text, strlen(text));
	say_backtrace(f, frame_bp(f));
	say("Kernel panic: unexpected exception\n");
	power_end(POWER_PANIC);
}

void port_panic(const char *why)
{
	kfence_panic();
	begin_report();
	say("\nKernel panic on CPU %u: %s\n", port_cpu_id(), why);
	say_backtrace(NULL, (uintptr_t)__builtin_frame_address(0));
	power_end(POWER_PANIC);
}
