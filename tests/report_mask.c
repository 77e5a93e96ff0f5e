// SPDX-License-Identifier: MIT
/* See report_mask.h. */
#include "report_mask.h"

#include "mm/base/string.h"

struct out {
	char *to;
	size_t len, size;
};

static void put(struct out *o, const char *text, size_t n)
{
	for (size_t i = 0; i < n && o->len + 1 < o->size; i++)
		o->to[o->len++] = text[i];
	o->to[o->len] = 0;
}

static size_t digits(const char *p, bool hex)
{
	size_t n = 0;

	while ((p[n] >= '0' && p[n] <= '9') || (hex && p[n] >= 'a' && p[n] <= 'f'))
		n++;
	return n;
}

static bool begins(const char *p, const char *what)
{
	return !strncmp(p, what, strlen(what));
}

/* Something to be masked at @p: what stands for it goes out. Return: its length, 0 for none. */
static size_t mask_one(struct out *o, const char *p, bool number)
{
	size_t n = digits(p, true);

	if (begins(p, "+0x")) {
		n = 3 + digits(p + 3, true);
		put(o, "+OFF", 4);
		return p[n] == '/' ? n + 3 + digits(p + n + 3, true) : n;
	}
	if (begins(p, "0x") && digits(p + 2, true) >= 2 * sizeof(void *)) {
		put(o, "ADDR", 4);
		return 2 + digits(p + 2, true);
	}
	if (n == 2 * sizeof(void *) && p[n] == ':') {
		put(o, "ADDR", 4);
		return n;
	}
	if (number && digits(p, false)) {
		put(o, "N", 1);
		return digits(p, false);
	}
	if (begins(p, "flags=")) {
		put(o, "flags=F", 7);
		return strlen(p);
	}
	if (begins(p, "(Not tainted)") || begins(p, "(Tainted: ")) {
		put(o, "(T)", 3);
		return (size_t)(strchr(p, ')') - p) + 1;
	}
	return 0;
}

static void mask_line(struct out *o, char *line)
{
	char *p = line;

	if (*p == '[' && strchr(p, ']'))
		p = strchr(p, ']') + 2;
	if (*p == ' ' || !*p || begins(p, "Call Trace:"))
		return;
	if (begins(p, "CPU: "))
		p[3] = 0;
	line = p;
	while (*p) {
		size_t n = mask_one(o, p, p > line && p[-1] == '=' && p[1] != 'x');

		if (!n)
			put(o, p, 1);
		p += n ? n : 1;
	}
	put(o, "\n", 1);
}

const char *report_mask(char *to, size_t size, const char *text)
{
	struct out o = { to, 0, size };
	char line[512];

	to[0] = 0;
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text), kept = min(n, sizeof(line) - 1);

		memcpy(line, text, kept);
		line[kept] = 0;
		mask_line(&o, line);
		text += end ? n + 1 : n;
	}
	return to;
}
