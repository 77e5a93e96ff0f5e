// SPDX-License-Identifier: MIT
/* Lines and numbers of texts that may be torn, coloured, or not text at all. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "machine.h"

/* Behind an escape sequence (ECMA-48: ESC [ parameters letter, or ESC and one byte) at @at. */
static size_t skip_escape(const struct text *t, size_t at)
{
	at++;
	if (at < t->len && t->data[at] == '[') {
		at++;
		while (at < t->len && (isdigit((unsigned char)t->data[at]) || t->data[at] == ';' || t->data[at] == '?'))
			at++;
	}
	return at < t->len && t->data[at] != '\n' ? at + 1 : at;
}

char *lines_next(struct lines *l)
{
	const struct text *t = l->text;
	const char *newline;
	size_t end, out = 0;

	if (l->at >= t->len)
		return NULL;
	newline = memchr(t->data + l->at, '\n', t->len - l->at);
	end = newline ? (size_t)(newline - t->data) : t->len;
	l->line = cli_resize(l->line, end - l->at + 1);
	while (l->at < end) {
		unsigned char c = (unsigned char)t->data[l->at];

		if (c == 27) {
			l->at = skip_escape(t, l->at);
			continue;
		}
		if (c == '\t')
			c = ' ';
		if (c >= ' ' && c != 127)
			l->line[out++] = (char)c;
		l->at++;
	}
	l->line[out] = 0;
	l->at = end + 1;
	l->ended = newline != NULL;
	l->number++;
	return l->line;
}

void lines_free(struct lines *l)
{
	free(l->line);
	l->line = NULL;
}

const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool scan_number(const char **p, unsigned int base, u64 *value)
{
	const char *s = *p;
	u64 v = 0;

	if (base == 16 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	if (digit_value(*s) >= (int)base)
		return false;
	for (; digit_value(*s) < (int)base; s++) {
		if (__builtin_mul_overflow(v, (u64)base, &v) ||
		    __builtin_add_overflow(v, (u64)digit_value(*s), &v))
			return false;
	}
	*p = s;
	*value = v;
	return true;
}

bool scan_word(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len))
		return false;
	*p = skip_blanks(*p + len);
	return true;
}

bool scan_size(const char **p, u64 *value)
{
	static const char units[] = "KMGTPE";
	const char *s = *p, *unit;
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned int shift = 0;

	if (!scan_number(&s, hex ? 16 : 10, value))
		return false;
	unit = *s ? strchr(units, toupper((unsigned char)*s)) : NULL;
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		if (*value && shift > (unsigned int)__builtin_clzll(*value))
			return false;
		*value <<= shift;
		s++;
	}
	*p = s;
	return true;
}

static const struct {
	const char *words;
	u32 type;
} type_words[] = {
	/* what contains another's words stands first */
	{ "soft reserved", E820_TYPE_SOFT_RESERVED },
	{ "unusable", E820_TYPE_UNUSABLE },
	{ "persistent memory (legacy)", E820_TYPE_PRAM },
	{ "persistent memory", E820_TYPE_PMEM },
	{ "type 12", E820_TYPE_PRAM },
	{ "type 7", E820_TYPE_PMEM },
	{ "acpi data", E820_TYPE_ACPI },
	{ "acpi tables", E820_TYPE_ACPI },
	{ "acpi nvs", E820_TYPE_NVS },
	{ "acpi non-volatile storage", E820_TYPE_NVS },
	{ "system ram", E820_TYPE_RAM },
	{ "usable", E820_TYPE_RAM },
	{ "reserved", E820_TYPE_RESERVED },
};

bool map_type_parse(const char *words, u32 *type)
{
	const char *number = strcasestr(words, "type ");

	for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]); i++) {
		const char *found = strcasestr(words, type_words[i].words);
		const char *end = found ? found + strlen(type_words[i].words) : NULL;

		if (found && !isalnum((unsigned char)*end)) {
			*type = type_words[i].type;
			return true;
		}
	}
	if (number) {
		u64 value;

		number += strlen("type ");
		if (scan_number(&number, 10, &value) && value <= 0xffffffffu) {
			*type = (u32)value;
			return true;
		}
	}
	return false;
}
