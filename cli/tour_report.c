// SPDX-License-Identifier: MIT
/* What the core reports while the tour plants a bug: caught, and its first lines shown. */
#include <stdio.h>
#include <string.h>

#include "hosted.h"
#include "tour.h"

#define c tour_colour

static struct {
	char text[16384];
	size_t len;
	bool (*before)(const char *text, size_t len);
} report;

static bool keep_report(const char *text, size_t len)
{
	if (len > sizeof(report.text) - 1 - report.len)
		len = sizeof(report.text) - 1 - report.len;
	memcpy(report.text + report.len, text, len);
	report.len += len;
	return true;
}

void tour_report_begin(void)
{
	report.len = 0;
	fflush(stdout);
	report.before = hosted_console_hook;
	hosted_console_hook = keep_report;
}

/* Without stamps, rules and dumps: what begins with a capital, a number or a mark, or says where an address is. */
static bool says_something(const char *text)
{
	if (!strncmp(text, "====", 4) || !strncmp(text, "----", 4) || !strncmp(text, "PGD ", 4))
		return false;
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789[#") || !strncmp(text, "address ", 8);
}

void tour_report_end(unsigned int lines, const char *rest)
{
	unsigned int shown = 0, left_out = 0;
	char *save = NULL;

	hosted_console_hook = report.before;
	report.text[report.len] = 0;
	for (char *line = lines ? strtok_r(report.text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		const char *text = strstr(line, "] ");

		text = text ? text + 2 : line;
		if (shown >= lines || !says_something(text)) {
			left_out++;
			continue;
		}
		printf("  %s|%s %.140s\n", c("31"), c("0"), text);
		shown++;
	}
	if (left_out)
		printf("  %s| (%u more lines: %s)%s\n", c("2"), left_out, rest, c("0"));
}

/* What an OOM report's lines that are shown contain. */
static bool of_oom(const char *text)
{
	static const char *const parts[] = { " invoked oom-killer:", "active_anon:", " free:", "Free swap",
					     "Total swap", "pages RAM",
					     "[  pid  ]", "oom-kill:", "Killed process", "oom_reaper:" };

	if (!strncmp(text, "Node ", 5))
		return false;
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(text, parts[i]))
			return true;
	/* the table of processes */
	return text[0] == '[' && strspn(text + 1, " 0123456789") > 4;
}

void tour_report_oom(void)
{
	unsigned int left_out = 0;
	char *save = NULL;

	hosted_console_hook = report.before;
	report.text[report.len] = 0;
	for (char *line = strtok_r(report.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *text = strstr(line, "] ");

		text = text ? text + 2 : line;
		if (of_oom(text))
			printf("  %s|%s %.140s\n", c("31"), c("0"), text);
		else
			left_out++;
	}
	printf("  %s| (%u more lines: zones, free lists, call trace)%s\n", c("2"), left_out, c("0"));
}
