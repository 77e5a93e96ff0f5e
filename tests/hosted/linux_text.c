// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "linux_text.h"

struct row {
	unsigned long from, to;
	unsigned long long offset;
	char rights[8], name[100];
};

static size_t print_row(char *out, size_t size, const struct row *r)
{
	int len = snprintf(out, size, "%05lx-%05lx %s %llx %s\n", r->from & 0xfffff, r->to & 0xfffff, r->rights,
			   r->offset, r->name);

	return min((size_t)len, size - 1);
}

void maps_shape(char *out, size_t size, const struct twin_result *r)
{
	const char *line = (const char *)r->bytes, *end = line + r->len;
	struct row row;
	size_t used = 0;

	for (const char *stop; line < end; line = stop + 1) {
		char text[400];

		stop = memchr(line, '\n', (size_t)(end - line)) ?: end;
		snprintf(text, sizeof(text), "%.*s", (int)(stop - line), line);
		row = (struct row){ 0 };
		sscanf(text, "%lx-%lx %7s %llx %*s %*s %99[^\n]", &row.from, &row.to, row.rights, &row.offset,
		       row.name);
		if (row.from < TWIN_ARENA || row.from >= TWIN_END)
			continue;
		used += print_row(out + used, size - used, &row);
	}
	out[used] = '\0';
}

void smaps_sizes(char *out, size_t size, struct twin_result *r)
{
	static const char *const lines[] = { "Size:", "Rss:", "Anonymous:", "VmFlags:" };
	char *line = (char *)r->bytes, *sd;
	unsigned long clean = 0;
	size_t used = 0;
	bool wanted = false;

	out[0] = '\0';
	r->bytes[min((size_t)r->len, sizeof(r->bytes) - 1)] = '\0';
	for (char *stop; (stop = strchr(line, '\n')); line = stop + 1) {
		unsigned long from;

		*stop = '\0';
		if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
			from = strtoul(line, NULL, 16);
			wanted = from >= TWIN_ARENA && from < TWIN_END && !strchr(line, '/');
			if (wanted)
				used += (size_t)snprintf(out + used, size - used, "%05lx:", from & 0xfffff);
			continue;
		}
		sd = strstr(line, " sd");
		if (sd)
			memmove(sd, sd + 3, strlen(sd + 3) + 1);
		for (unsigned int i = 0; i < ARRAY_SIZE(lines) && wanted; i++) {
			const char *value = line + strlen(lines[i]);

			if (!strncmp(line, lines[i], strlen(lines[i])))
				used += (size_t)snprintf(out + used, size - used, " %s%s", lines[i],
							 value + strspn(value, " "));
		}
		/* Clean comes first, then dirty. */
		sd = strchr(line, '_');
		if (wanted && sd && (!strncmp(line, "Shared_", 7) || !strncmp(line, "Private_", 8)) && sd[1] == 'C')
			clean = strtoul(strchr(line, ':') + 1, NULL, 10);
		else if (wanted && sd && (!strncmp(line, "Shared_D", 8) || !strncmp(line, "Private_D", 9)))
			used += (size_t)snprintf(out + used, size - used, " %.*s: %lu kB", (int)(sd - line), line,
						 clean + strtoul(strchr(line, ':') + 1, NULL, 10));
		if (wanted && line[0] == 'V' && used + 1 < size)
			out[used++] = '\n';
		out[used] = '\0';
	}
}
