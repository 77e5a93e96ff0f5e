// SPDX-License-Identifier: MIT
/*
 * /sys/firmware/memmap: the map as the firmware gave it, one numbered directory an entry with the files start,
 * end (last byte) and type. Source: Documentation/ABI/testing/sysfs-firmware-memmap.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* First line of DIR/ENTRY/FILE. */
static bool read_line(const char *dir, unsigned int entry, const char *file, char *line, int size)
{
	char *path = cli_format("%s/%u/%s", dir, entry, file);
	FILE *f = fopen(path, "r");
	bool ok = f && fgets(line, size, f);

	if (ok)
		line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
	free(path);
	return ok;
}

static bool read_number(const char *dir, unsigned int entry, const char *file, u64 *value)
{
	char line[80];
	const char *p = line;

	return read_line(dir, entry, file, line, sizeof(line)) && scan_number(&p, 16, value) && !*p;
}

static int by_number(const void *a, const void *b)
{
	const unsigned int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int firmware_memmap_read(struct machine_desc *m, const char *path)
{
	unsigned int *entries = NULL, entries_nr = 0;
	DIR *dir = opendir(path);
	struct dirent *d;

	if (!dir)
		return -ENOENT;
	while ((d = readdir(dir))) {
		const char *p = d->d_name;
		u64 number;

		if (!scan_number(&p, 10, &number) || *p || number > 1u << 20)
			continue;
		entries = cli_grow(entries, entries_nr, sizeof(*entries));
		entries[entries_nr++] = (unsigned int)number;
	}
	closedir(dir);
	if (entries)
		qsort(entries, entries_nr, sizeof(*entries), by_number);
	for (unsigned int i = 0; i < entries_nr; i++) {
		char type_name[80];
		u64 first, last;
		u32 type;

		if (!read_number(path, entries[i], "start", &first) || !read_number(path, entries[i], "end", &last) ||
		    !read_line(path, entries[i], "type", type_name, sizeof(type_name)) ||
		    !map_type_parse(type_name, &type) || last < first)
			machine_warn(m, 0, "entry %u left out: expected the files start, end and type", entries[i]);
		else
			machine_push(m, map, machine_range(first, last, type));
	}
	free(entries);
	return m->map_nr ? 0 : -ENOENT;
}
