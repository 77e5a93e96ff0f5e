// SPDX-License-Identifier: MIT
/* Messages, and what standard output can show. */
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

const struct terminal *cli_terminal(void)
{
	static struct terminal terminal;
	static bool known;

	if (!known) {
		/* https://no-color.org: any value but the empty one */
		const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

		terminal.tty = isatty(STDOUT_FILENO);
		terminal.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
		terminal.colour = terminal.tty && !(no_color && *no_color) && term && strcmp(term, "dumb");
		known = true;
	}
	return &terminal;
}

const char *cli_colour(const char *code, char buf[16])
{
	if (!cli_terminal()->colour)
		return "";
	snprintf(buf, 16, "\033[%sm", code);
	return buf;
}

void cli_complain(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("octavo: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}
