// SPDX-License-Identifier: MIT
#include "findings.h"

#include "printk.h"

void finding(struct findings *f, const char *fmt, ...)
{
	char line[200];
	size_t len = 0;
	va_list args;

	f->n++;
	if (!f->report)
		return;
	if (f->of)
		len = min(octavo_snprintf(line, sizeof(line), "%s: ", f->of), sizeof(line) - 1);
	va_start(args, fmt);
	octavo_vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	f->report(f->ctx, line);
}
