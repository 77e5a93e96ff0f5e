// SPDX-License-Identifier: MIT
/* A picture that is drawn again and again on the terminal until a key is pressed. */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

#define REFRESH_MS 1000

static unsigned int terminal_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 12 ? 24 : size.ws_row;
}

/* A key, or the end of the input, within @ms. */
static bool key_pressed(int ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char key;

	return poll(&in, 1, ms) > 0 && read(STDIN_FILENO, &key, 1) <= 1;
}

/* Keys arrive as they are pressed, and are not shown. Return: false: they cannot. */
static bool keys_begin(struct termios *before)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before))
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return !tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
}

static void keys_end(const struct termios *before)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
}

void live_show(struct monitor *mon, void (*draw)(struct monitor *mon, void *arg, unsigned int rows), void *arg)
{
	struct termios before;

	if (!cli_terminal()->tty || !keys_begin(&before)) {
		draw(mon, arg, 0);
		return;
	}
	fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor (xterm's control sequences) */
	do {
		fputs("\033[H\033[J", stdout);
		draw(mon, arg, terminal_rows() - 1);
		fputs("Any key ends this.", stdout);
		fflush(stdout);
	} while (!key_pressed(REFRESH_MS));
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	keys_end(&before);
}

/* ---- Pictures while work goes on ---- */

static struct {
	unsigned int lines; /* of the last picture */
	octavo_emit_fn emit;
	bool raw;
	struct termios before;
} frame;

/* Counts lines, so that the next picture can be put over this one. */
static void count_lines(void *ctx, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		frame.lines += text[i] == '\n';
	frame.emit(ctx, text, len);
}

bool live_frame(struct monitor *mon, enum monitor_frame which)
{
	switch (which) {
	case MONITOR_FRAME_BEGIN:
		frame.emit = mon->emit;
		frame.lines = 0;
		mon->emit = count_lines;
		frame.raw = keys_begin(&frame.before);
		fputs("\033[?25l", stdout);
		break;
	case MONITOR_FRAME_NEXT:
		if (frame.lines)
			printf("\033[%uA\033[J", frame.lines);
		frame.lines = 0;
		fflush(stdout);
		return frame.raw && key_pressed(0);
	case MONITOR_FRAME_END:
		mon->emit = frame.emit;
		fputs("\033[?25h", stdout);
		fflush(stdout);
		if (frame.raw)
			keys_end(&frame.before);
		break;
	}
	return false;
}
