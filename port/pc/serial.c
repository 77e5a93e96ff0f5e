// SPDX-License-Identifier: MIT
/*
 * The console: a 16550 at COM1, 115200 baud, 8 bits, no parity. Output waits for the transmitter; input is
 * polled (monitor.c asks at each timer tick). Source: National Semiconductor PC16550D data sheet.
 */
#include "pc.h"

#define COM1 0x3f8
enum { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5, UART_SCRATCH = 7 };
#define LSR_DATA_READY 0x01
#define LSR_TRANSMITTER_EMPTY 0x20

static bool serial_present;
static int early_byte = -1; /* came in before the FIFO was on, which turning it on would drop */

void serial_init(void)
{
	outb(COM1 + UART_SCRATCH, 0x5a);
	serial_present = inb(COM1 + UART_SCRATCH) == 0x5a;
	if (!serial_present)
		return;
	outb(COM1 + UART_IER, 0);
	if (inb(COM1 + UART_LSR) & LSR_DATA_READY)
		early_byte = inb(COM1 + UART_DATA);
	outb(COM1 + UART_LCR, 0x80); /* the divisor follows: 115200 / 115200 */
	outb(COM1 + UART_DATA, 1);
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, 0x03);
	outb(COM1 + UART_FCR, 0x07); /* FIFOs on and empty */
	outb(COM1 + UART_MCR, 0x03); /* DTR, RTS */
}

static void serial_put(char c)
{
	/* A transmitter that never empties must not hang the kernel: 100 000 reads are over 100 ms. */
	for (unsigned int i = 0; i < 100000 && !(inb(COM1 + UART_LSR) & LSR_TRANSMITTER_EMPTY); i++)
		cpu_pause();
	outb(COM1 + UART_DATA, (u8)c);
}

void serial_write(const char *text, size_t len)
{
	if (!serial_present)
		return;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			serial_put('\r');
		serial_put(text[i]);
	}
}

void serial_write_raw(const char *text, size_t len)
{
	for (size_t i = 0; serial_present && i < len; i++)
		serial_put(text[i]);
}

int serial_read(void)
{
	int c = early_byte;

	early_byte = -1;
	if (c >= 0)
		return c;
	if (!serial_present || !(inb(COM1 + UART_LSR) & LSR_DATA_READY))
		return -1;
	return inb(COM1 + UART_DATA);
}
