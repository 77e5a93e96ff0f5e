/* SPDX-License-Identifier: MIT */
/* Parameters of the command line that the port itself wants. */
#ifndef PORT_PC_CMDLINE_H
#define PORT_PC_CMDLINE_H

#include "mm/base/compiler.h"
#include "mm/base/string.h"

/*
 * cmdline_value - the value of the last "name=value" on @cmdline; a bare "name" has the empty value
 * Copies at most @size - 1 bytes. Return: false when the parameter is not there.
 */
static inline bool cmdline_value(const char *cmdline, const char *name, char *value, size_t size)
{
	size_t name_len = strlen(name);
	bool found = false;

	for (const char *p = cmdline; *p;) {
		const char *end = strchr(p, ' ');
		size_t len = end ? (size_t)(end - p) : strlen(p);

		if (len >= name_len && !strncmp(p, name, name_len) && (len == name_len || p[name_len] == '=')) {
			const char *from = p + min(name_len + 1, len);
			size_t n = min((size_t)(p + len - from), size - 1);

			memcpy(value, from, n);
			value[n] = 0;
			found = true;
		}
		p += len;
		while (*p == ' ')
			p++;
	}
	return found;
}

#endif
