// SPDX-License-Identifier: MIT
/* A line editor on the serial port. */
#include "apic.h"
#include "pc.h"

#define POLL_NS 1000000 /* 115200 baud fill the 16-byte FIFO in 1.4 ms */
#define HISTORY 16u
#define LINE 256u

enum { KEY_NONE = -1, KEY_UP = 256, KEY_DOWN };
#define CTRL(c) ((c)-64)

static char history[HISTORY][LINE];
static unsigned int history_nr; /* lines ever kept; line n is in history[n % HISTORY] */

static int wait_byte(void)
{
	int c = serial_read();

	if (c >= 0)
		return c;
	if (!apic_timer_start(POLL_NS, NULL)) {
		while ((c = serial_read()) < 0)
			cpu_pause();
		return c;
	}
	while ((c = serial_read()) < 0)
		__asm__ volatile("hlt");
	apic_timer_stop();
	return c;
}

/* Arrows arrive as ESC [ A and ESC [ B. */
static int wait_key(void)
{
	int c = wait_byte();

	if (c != 27)
		return c;
	if (wait_byte() != '[')
		return KEY_NONE;
	c = wait_byte();
	return c == 'A' ? KEY_UP : c == 'B' ? KEY_DOWN : KEY_NONE;
}

static void echo(const char *text)
{
	serial_write(text, strlen(text));
}

static void erase(size_t columns)
{
	while (columns--)
		echo("\b \b");
}

static void remember(const char *line)
{
	if (!*line || (history_nr && !strcmp(history[(history_nr - 1) % HISTORY], line)))
		return;
	strscpy(history[history_nr++ % HISTORY], line, LINE);
}

/* Puts the line @back steps ago in place of @line; 0 is an empty one. Return: its length. */
static size_t recall(unsigned int back, char *line, size_t len, size_t size)
{
	erase(len);
	if (back)
		strscpy(line, history[(history_nr - back) % HISTORY], size);
	else
		line[0] = 0;
	echo(line);
	return strlen(line);
}

int console_read_line(const char *prompt, char *line, size_t size)
{
	unsigned int back = 0;
	size_t len = 0;

	echo(prompt);
	for (;;) {
		int key = wait_key();

		if (key == '\r' || key == '\n') {
			line[len] = 0;
			echo("\n");
			remember(line);
			return (int)len;
		} else if ((key == '\b' || key == 127) && len) {
			len--;
			erase(1);
		} else if (key == CTRL('U')) {
			erase(len);
			len = 0;
		} else if (key == CTRL('C')) {
			echo("^C\n");
			echo(prompt);
			len = 0;
		} else if (key == CTRL('D') && !len) {
			echo("\n");
			return -1;
		} else if (key == KEY_UP && back < min(history_nr, HISTORY)) {
			line[len] = 0;
			len = recall(++back, line, len, size);
		} else if (key == KEY_DOWN && back) {
			line[len] = 0;
			len = recall(--back, line, len, size);
		} else if (key >= ' ' && key < 127 && len + 1 < size) {
			line[len++] = (char)key;
			serial_write(&line[len - 1], 1);
		}
	}
}
