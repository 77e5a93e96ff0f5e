/* SPDX-License-Identifier: MIT */
/* The few string functions the core uses. Hidden: a host's own keep their names. */
#ifndef MM_BASE_STRING_H
#define MM_BASE_STRING_H

#include "compiler.h"

void *memset(void *s, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *needle);

/* Copies at most @size - 1 bytes and terminates. Return: length copied, or -E2BIG if it was cut. */
long strscpy(char *to, const char *from, size_t size);

/**
 * parse_u64 - unsigned number with base prefix (0x, 0) as the command line writes it
 * Return: bytes consumed (0: no digit); *@overflow is set when it does not fit.
 */
size_t parse_u64(const char *s, u64 *value, bool *overflow);

/**
 * memparse - a size with suffix K M G T P E, either case, each times 1024
 * @retptr: set behind what was consumed; equals @s when there was no number
 * A value too large for 64 bits is returned as ~0.
 */
u64 memparse(const char *s, const char **retptr);

/* The whole part of the square root. */
u64 int_sqrt(u64 x);

#endif
