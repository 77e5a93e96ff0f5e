// SPDX-License-Identifier: MIT
/*
 * memset and friends, which the compiler may call for by itself. "rep" moves are what current x86
 * processors do fastest for the sizes met here (a page, a table), by words where the size allows: those
 * without fast byte moves (ERMS) take a turn for each. Elsewhere plain loops.
 */
#include "string.h"

#if defined(__x86_64__)
#define WORD "q"
#else
#define WORD "l"
#endif

void *memset(void *s, int c, size_t n)
{
#if defined(__x86_64__) || defined(__i386__)
	void *to = s;
	unsigned long words = n / sizeof(long), pattern = ~0ul / 255 * (unsigned char)c;

	if (n % sizeof(long))
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	else
		__asm__ volatile("rep stos" WORD : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
#else
	unsigned char *p = s;

	while (n--)
		*p++ = (unsigned char)c;
#endif
	return s;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
#if defined(__x86_64__) || defined(__i386__)
	void *ret = to;
	unsigned long words = n / sizeof(long);

	if (n % sizeof(long))
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	else
		__asm__ volatile("rep movs" WORD : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	return ret;
#else
	unsigned char *d = to;
	const unsigned char *f = from;

	while (n--)
		*d++ = *f++;
	return to;
#endif
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *f = from;

	if (d == f || !n)
		return to;
	if (d < f || d >= f + n)
		return memcpy(to, from, n);
	while (n--) {
		d[n] = f[n];
		barrier(); /* keep this a loop: the compiler would turn it into a call to memmove */
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (; n; p++, q++, n--)
		if (*p != *q)
			return *p - *q;
	return 0;
}
