// SPDX-License-Identifier: MIT
#include "shown.h"

char shown[32768];
static size_t shown_len;

void shown_emit(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	len = min(len, sizeof(shown) - 1 - shown_len);
	memcpy(shown + shown_len, text, len);
	shown_len += len;
	shown[shown_len] = 0;
}

int shown_run(struct monitor *mon, const char *command)
{
	char line[256];

	shown_len = 0;
	shown[0] = 0;
	strscpy(line, command, sizeof(line));
	return monitor_command(mon, line);
}

void expect_shown(const char *part)
{
	if (!strstr(shown, part))
		test_fail(__FILE__, __LINE__, "'%s' is not in: %s", part, shown);
}
