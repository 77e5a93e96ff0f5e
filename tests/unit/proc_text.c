// SPDX-License-Identifier: MIT
#include "proc_text.h"

#define TEXTS 3
#define TEXT_SIZE (256u << 10)

static char texts[TEXTS][TEXT_SIZE];
static unsigned int turn;
static size_t used;

static void keep(void *ctx, const char *text, size_t len)
{
	char *to = ctx;

	len = min(len, (size_t)TEXT_SIZE - 1 - used);
	memcpy(to + used, text, len);
	used += len;
}

const char *proc_text(const char *path)
{
	char *to = texts[turn++ % TEXTS];
	int err;

	used = 0;
	err = octavo_proc_read(path, keep, to);
	to[used] = 0;
	if (err)
		test_fail(__FILE__, __LINE__, "%s: error %d", path, err);
	else if (used == TEXT_SIZE - 1)
		test_fail(__FILE__, __LINE__, "%s does not fit", path);
	return err ? NULL : to;
}

void proc_discard(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	(void)text;
	(void)len;
}

long proc_put(const char *path, const char *text)
{
	return octavo_proc_write(path, text, strlen(text));
}

const char *proc_line(const char *text, char *line, size_t size)
{
	size_t len = 0;

	if (!text || !*text)
		return NULL;
	while (text[len] && text[len] != '\n') {
		if (len + 1 < size)
			line[len] = text[len];
		len++;
	}
	line[min(len, size - 1)] = 0;
	return text + len + (text[len] == '\n');
}

bool proc_number(const char *text, const char *label, u64 *value)
{
	size_t len = strlen(label);
	char line[512];
	bool overflow;

	for (const char *next = proc_line(text, line, sizeof(line)); next; next = proc_line(next, line, sizeof(line))) {
		const char *s = line;

		while (*s == ' ')
			s++;
		if (strncmp(s, label, len))
			continue;
		s += len;
		if (*s != ' ' && *s != '\t')
			continue;
		while (*s == ' ' || *s == '\t')
			s++;
		return parse_u64(s, value, &overflow) && !overflow;
	}
	return false;
}

u64 proc_value(const char *path, const char *label)
{
	const char *text = proc_text(path);
	u64 value = 0;

	if (text && !proc_number(text, label, &value))
		test_fail(__FILE__, __LINE__, "%s has no line %s", path, label);
	return value;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One "{...}" of a form. Return: what is left of the line; NULL: it does not fit. */
static const char *fit_field(const char *line, const char **form)
{
	const char *f = *form + 1;
	bool word = *f == 'w', left = *f == '-';
	size_t width = 0, spaces = 0, len = 0;

	f += word || left;
	for (; digit(*f); f++)
		width = width * 10 + (size_t)(*f - '0');
	*form = f + 1;
	while (!left && line[spaces] == ' ' && spaces < width)
		spaces++;
	while (word ? line[spaces + len] > ' ' && line[spaces + len] != ',' : digit(line[spaces + len]))
		len++;
	if (!len || (spaces && spaces + len != width) || (!left && spaces + len < width))
		return NULL;
	line += spaces + len;
	for (; left && len < width; len++)
		if (*line++ != ' ')
			return NULL;
	return line;
}

bool proc_fits(const char *line, const char *form)
{
	while (*form) {
		if (*form == '{') {
			line = fit_field(line, &form);
			if (!line)
				return false;
		} else if (*form++ != *line++) {
			return false;
		}
	}
	return !*line;
}

const char *proc_zone(const char *zoneinfo, int nid, const char *name)
{
	char header[64];

	octavo_snprintf(header, sizeof(header), "Node %d, zone %8s\n", nid, name);
	return zoneinfo ? strstr(zoneinfo, header) : NULL;
}
