// SPDX-License-Identifier: MIT
/* Strings and number parsing. The mem* functions are in memory.c, so that sanitizer builds can leave them out. */
#include "string.h"

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (!strncmp(s, needle, n))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

long strscpy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (!size)
		return -E2BIG;
	if (n >= size) {
		memcpy(to, from, size - 1);
		to[size - 1] = 0;
		return -E2BIG;
	}
	memcpy(to, from, n + 1);
	return (long)n;
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

size_t parse_u64(const char *s, u64 *value, bool *overflow)
{
	const char *p = s;
	int base = 10;
	u64 v = 0;

	*overflow = false;
	*value = 0;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
		base = 16;
		p += 2;
	} else if (p[0] == '0') {
		base = 8;
	}
	if (digit_value(*p) >= base)
		return 0;
	for (; digit_value(*p) < base; p++) {
		if (__builtin_mul_overflow(v, (u64)base, &v) || __builtin_add_overflow(v, (u64)digit_value(*p), &v))
			*overflow = true;
	}
	*value = *overflow ? ~0ull : v;
	return (size_t)(p - s);
}

u64 memparse(const char *s, const char **retptr)
{
	static const char suffix[] = "kmgtpe";
	bool overflow;
	u64 v;
	size_t n = parse_u64(s, &v, &overflow);
	const char *unit;

	s += n;
	if (n && *s && (unit = strchr(suffix, *s | 0x20)) && *unit) {
		unsigned int shift = 10 * (unsigned int)(unit - suffix + 1);

		if (!overflow && v > ~0ull >> shift)
			overflow = true;
		v <<= shift;
		s++;
	}
	if (retptr)
		*retptr = s;
	return overflow ? ~0ull : v;
}

u64 int_sqrt(u64 x)
{
	u64 root = 0;

	for (u64 bit = 1ull << 62; bit; bit >>= 2) {
		if (x >= root + bit) {
			x -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}
