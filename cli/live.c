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

void live_show(struct monitor *mon, void (*draw)(struct monitor *mon, void *arg, unsigned int rows), void *arg)
{
	struct termios before, raw;
	bool keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before);

	if (!keys || !cli_terminal()->tty) {
		draw(mon, arg, 0);
		return;
	}
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor (xterm's control sequences) */
	do {
		fputs("\033[H\033[J", stdout);
		draw(mon, arg, terminal_rows() - 1);
		fputs("Any key ends this.", stdout);
		fflush(stdout);
	} while (!key_pressed(REFRESH_MS));
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}
