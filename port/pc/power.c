// SPDX-License-Identifier: MIT
/* Sources: ACPI 6.5 sections 4.8.3.2 (PM1 control), 4.8.3.6 (reset register), 7.4.2 (\_S5). */
#include "power.h"

#include "cmdline.h"

#define PM1_SCI_ENABLE 1u
#define PM1_SLEEP_ENABLE (1u << 13)

static struct {
	u16 exit_port;
	long panic_seconds;
	u32 pm1a, pm1b;
	int type_a, type_b;
	u16 smi_command;
	u8 acpi_enable;
	bool reset_io;
	u16 reset_port;
	u8 reset_value;
} power = { .type_a = -1 };

void power_setup(const struct acpi_facts *acpi, const char *cmdline)
{
	char value[32];
	u64 number = 0;
	bool overflow;

	if (acpi) {
		power.pm1a = acpi->pm1a_control;
		power.pm1b = acpi->pm1b_control;
		power.type_a = acpi->s5_type_a;
		power.type_b = acpi->s5_type_b;
		power.smi_command = acpi->smi_command;
		power.acpi_enable = acpi->acpi_enable;
		power.reset_io = acpi->reset_io;
		power.reset_port = acpi->reset_port;
		power.reset_value = acpi->reset_value;
	}
	if (cmdline_value(cmdline, "octavo.exit", value, sizeof(value))) {
		if (parse_u64(value, &number, &overflow) && !overflow && number && number < 0x10000)
			power.exit_port = (u16)number;
		else
			printk("octavo.exit=%s is not an I/O port\n", value);
	}
	if (cmdline_value(cmdline, "panic", value, sizeof(value))) {
		bool negative = value[0] == '-';

		if (parse_u64(value + negative, &number, &overflow) && !overflow && number < 1000000)
			power.panic_seconds = negative ? -(long)number : (long)number;
		else
			printk("panic=%s is not a number of seconds\n", value);
	}
}

void power_off(void)
{
	irq_disable();
	if (power.pm1a && power.type_a >= 0) {
		if (power.smi_command && power.acpi_enable && !(inw((u16)power.pm1a) & PM1_SCI_ENABLE)) {
			outb(power.smi_command, power.acpi_enable);
			for (int i = 0; i < 100000 && !(inw((u16)power.pm1a) & PM1_SCI_ENABLE); i++)
				cpu_pause();
		}
		outw((u16)power.pm1a, (u16)(power.type_a << 10 | PM1_SLEEP_ENABLE));
		if (power.pm1b)
			outw((u16)power.pm1b, (u16)(power.type_b << 10 | PM1_SLEEP_ENABLE));
		clock_delay_us(100000);
	}
	outw(0x604, PM1_SLEEP_ENABLE);	/* QEMU, q35 and i440fx with S5 type 0 */
	outw(0xb004, PM1_SLEEP_ENABLE); /* Bochs and old QEMU */
	serial_write("The machine does not power off; halted\n", 39);
	cpu_stop();
}

void power_reset(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) no_gates = { 0, 0 };

	irq_disable();
	if (power.reset_io) {
		outb(power.reset_port, power.reset_value);
		clock_delay_us(10000);
	}
	outb(0xcf9, 0x06); /* PCI reset control: hard reset */
	clock_delay_us(10000);
	outb(0x64, 0xfe); /* keyboard controller: pulse the reset line */
	clock_delay_us(10000);
	/* A triple fault, which no PC survives. */
	__asm__ volatile("lidt %0; int3" : : "m"(no_gates));
	cpu_stop();
}

void power_end(enum power_reason why)
{
	if (power.exit_port)
		outl(power.exit_port, 0x10 + (u32)why);
	if (why != POWER_PANIC)
		power_off();
	if (power.panic_seconds > 0)
		clock_delay_us((u64)power.panic_seconds * 1000000);
	if (power.panic_seconds)
		power_reset();
	serial_write("Halted\n", 7);
	cpu_stop();
}
