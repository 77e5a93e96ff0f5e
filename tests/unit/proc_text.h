/* SPDX-License-Identifier: MIT */
/* Reading the text of /proc and /sys files in tests. */
#ifndef TESTS_UNIT_PROC_TEXT_H
#define TESTS_UNIT_PROC_TEXT_H

#include <octavo/proc.h>

#include "harness.h"

/* The whole text of a file; NULL after a failed EXPECT if it cannot be read. The last three texts stay valid. */
const char *proc_text(const char *path);

/* An octavo_emit_fn for files that should not be readable. */
void proc_discard(void *ctx, const char *text, size_t len);

/* octavo_proc_write() of a string. */
long proc_put(const char *path, const char *text);

/* Copies the line at @text without its newline. Return: the next line, or NULL at the end of the text. */
const char *proc_line(const char *text, char *line, size_t size);

/* The number behind @label on the first line of @text that begins with it (white space ahead ignored). */
bool proc_number(const char *text, const char *label, u64 *value);
/* The same of a file; fails the test if it is not there. */
u64 proc_value(const char *path, const char *label);

/*
 * Does the line have this form? "{}" is a number, "{6}" one that ends a field of 6 columns (or is wider and
 * begins it), "{w8}" a word in such a field, "{-6}" a number that begins one; all else stands for itself.
 */
bool proc_fits(const char *line, const char *form);

/* The text of one zone in /proc/zoneinfo: from its header line on. NULL: no such zone. */
const char *proc_zone(const char *zoneinfo, int nid, const char *name);

#endif
