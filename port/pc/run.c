// SPDX-License-Identifier: MIT
/* Tests, benches, monitor: as the command line says. */
#include "run.h"

#include <octavo/vmalloc.h>

#include "bench/kbench.h"
#include "cmdline.h"
#include "mm/debug/monitor.h"
#include "pc.h"
#include "power.h"
#include "smp.h"
#include "tests/harness.h"

static const char *pattern_of(const char *value)
{
	return strcmp(value, "all") && *value ? value : NULL;
}

static void __attribute__((noreturn)) run_tests(const char *pattern)
{
	struct test_counts counts;

	test_run(pattern, pc_reboot_core, &counts);
	printk("%u passed, %u failed, %u skipped\n", counts.passed, counts.failed, counts.skipped);
	power_end(counts.failed || !counts.passed ? POWER_FAILED : POWER_PASSED);
}

static void emit(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	serial_write(text, len);
}

/*
 * bench.clock=tsc: raw ticks, which are instructions under "-icount shift=0", where QEMU's counter advances by one
 * for each; otherwise nanoseconds.
 */
static void __attribute__((noreturn)) run_benches(const char *group)
{
	struct kbench b = { .clock = port_clock_ns, .unit = "ns", .only = group, .emit = emit };
	char clock[16] = "";
	int err;

	if (cmdline_value(pc_cmdline(), "bench.clock", clock, sizeof(clock)) && !strcmp(clock, "tsc")) {
		b.clock = rdtsc_ordered;
		b.unit = "insn";
	}
	err = kbench_run(&b);
	if (err)
		printk("octavo.bench=%s: no such bench\n", group ? group : "all");
	power_end(err ? POWER_FAILED : POWER_PASSED);
}

static void __attribute__((noreturn)) run_monitor(void)
{
	struct monitor mon = { .emit = emit, .run_all = smp_run_all };
	char line[256];

	printk("%u CPUs, monitor on the serial port: \"help\" lists its commands\n", smp_online());
	while (console_read_line("octavo> ", line, sizeof(line)) >= 0)
		if (monitor_command(&mon, line) == MONITOR_QUIT)
			break;
	power_end(mon.failures ? POWER_FAILED : POWER_PASSED);
}

/* ---- Faults on purpose, to see the report of each kind ---- */

static const char constant = (char)0xc3; /* a RET, were it executed */
static char variable = (char)0xc3;

static void execute(const void *at)
{
	((void (*)(void))(uintptr_t)at)();
}

static void execute_data(void)
{
	/* Written to, as far as the compiler knows: of what never is it may make a constant. */
	__asm__ volatile("" : "+m"(variable));
	execute(&variable);
}

static void overflow_stack(void *arg)
{
	(void)arg;
	__asm__ volatile("1: push $0; jmp 1b");
}

static void overflow_stack_of_other(void)
{
	if (smp_run(1, overflow_stack, NULL))
		printk("octavo.crash=stack-1: there is no other CPU\n");
	else
		smp_wait(1);
}

static void read_behind_area(void)
{
	const volatile char *area = vmalloc(3 * PAGE_SIZE);

	if (area)
		(void)area[3 * PAGE_SIZE];
}

static noinline void __attribute__((noreturn)) crash(const char *kind)
{
	/* Volatile, so that the compiler does not see what is coming. */
	volatile char *volatile null = NULL, *volatile nowhere = (char *)0xdead000ul;
	volatile char *volatile no_address = (char *)((uintptr_t)1 << (8 * sizeof(uintptr_t) - 1));

	printk("octavo.crash=%s\n", kind);
	if (!strcmp(kind, "page-fault"))
		*nowhere = 1;
	else if (!strcmp(kind, "protection"))
		pc_protection_fault();
	else if (!strcmp(kind, "null"))
		(void)null[8];
	else if (!strcmp(kind, "null-call"))
		execute((const void *)null);
	else if (!strcmp(kind, "non-canonical"))
		no_address[0x1000] = 1;
	else if (!strcmp(kind, "divide"))
		__asm__ volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
	else if (!strcmp(kind, "opcode"))
		__asm__ volatile("ud2");
	else if (!strcmp(kind, "stack"))
		overflow_stack(NULL);
	else if (!strcmp(kind, "stack-1"))
		overflow_stack_of_other();
	else if (!strcmp(kind, "text"))
		*(volatile char *)pc_text_start = 0;
	else if (!strcmp(kind, "rodata"))
		*(volatile char *)&constant = 0;
	else if (!strcmp(kind, "data"))
		execute_data();
	else if (!strcmp(kind, "vmalloc"))
		read_behind_area();
	port_panic("octavo.crash");
}

void run_command_line(void)
{
	char value[128];

	mm_free_initmem();
	if (cmdline_value(pc_cmdline(), "octavo.crash", value, sizeof(value)))
		crash(value);
	if (cmdline_value(pc_cmdline(), "octavo.test", value, sizeof(value)))
		run_tests(pattern_of(value));
	if (cmdline_value(pc_cmdline(), "octavo.bench", value, sizeof(value)))
		run_benches(pattern_of(value));
	run_monitor();
}
