// SPDX-License-Identifier: MIT
/*
 * Node distances: a matrix as text, or the ACPI table itself.
 * Sources: ACPI 6.5 section 5.2.17 (SLIT): 36 bytes of header, the number of localities (8 bytes), then the
 * matrix, a byte an entry; numactl(8) and /sys/devices/system/node/node0/distance for the text.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define SLIT_HEADER 36u

static u64 little_endian(const char *p, unsigned int bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | (unsigned char)p[bytes];
	return value;
}

static int read_table(struct machine_desc *m, const struct text *t)
{
	u64 length, nr;
	u8 sum = 0;

	if (t->len < SLIT_HEADER + 8)
		return machine_error(m, 0, "SLIT of %zu bytes: at least %u are expected", t->len, SLIT_HEADER + 8);
	length = little_endian(t->data + 4, 4);
	nr = little_endian(t->data + SLIT_HEADER, 8);
	if (length > t->len)
		return machine_error(m, 0, "SLIT is cut: %zu of %llu bytes", t->len, (unsigned long long)length);
	if (!nr || nr > 255 || length < SLIT_HEADER + 8 + nr * nr)
		return machine_error(m, 0, "SLIT with %llu localities in %llu bytes", (unsigned long long)nr,
				     (unsigned long long)length);
	for (u64 i = 0; i < length; i++)
		sum = (u8)(sum + (unsigned char)t->data[i]);
	if (sum)
		machine_warn(m, 0, "SLIT: checksum is off by %u", sum);
	free(m->distance);
	m->distance = cli_resize(NULL, (size_t)(nr * nr));
	m->distance_nr = (unsigned int)nr;
	memcpy(m->distance, t->data + SLIT_HEADER + 8, (size_t)(nr * nr));
	return 0;
}

struct matrix {
	u8 *value;
	unsigned int value_nr, rows, columns;
	bool labels; /* each row so far began with its own number and no colon */
};

/* One line of numbers. "node 0 1 2" is a heading, "2:" the row's label. */
static int read_row(struct machine_desc *m, struct matrix *x, const char *line, unsigned int number)
{
	const char *p = skip_blanks(line);
	unsigned int columns = 0;
	u64 v;

	if (!isdigit((unsigned char)*p))
		return 0;
	while (*p && *p != '#') {
		if (!scan_number(&p, 10, &v) || v > 255)
			return machine_error(m, number, "expected distances from 1 to 255, found '%.40s'", p);
		if (*p == ':' && !columns) {
			p = skip_blanks(p + 1);
			continue;
		}
		if (!columns && v != x->rows)
			x->labels = false;
		p = skip_blanks(p);
		x->value = cli_grow(x->value, x->value_nr, 1);
		x->value[x->value_nr++] = (u8)v;
		columns++;
	}
	if (x->rows++ && columns != x->columns)
		return machine_error(m, number, "expected %u numbers as in the line before, found %u", x->columns,
				     columns);
	x->columns = columns;
	return 0;
}

static int read_matrix(struct machine_desc *m, const struct text *text, struct matrix *x)
{
	struct lines lines = { .text = text };
	unsigned int skip, n;
	char *line;
	int ret = 0;

	while (!ret && (line = lines_next(&lines)))
		ret = read_row(m, x, line, lines.number);
	lines_free(&lines);
	if (ret)
		return ret;
	if (!x->rows)
		return machine_error(m, 0, "no distances: lines of numbers or an ACPI SLIT table are expected");
	skip = x->labels && x->columns == x->rows + 1;
	n = x->columns - skip;
	if (n != x->rows || n > 255)
		return machine_error(m, 0, "%u lines of %u distances: a square matrix is expected", x->rows,
				     x->columns);
	free(m->distance);
	m->distance = cli_resize(NULL, (size_t)n * n);
	m->distance_nr = n;
	for (unsigned int i = 0; i < n; i++)
		memcpy(m->distance + (size_t)i * n, x->value + (size_t)i * x->columns + skip, n);
	for (unsigned int i = 0; i < n * n; i++)
		if (!m->distance[i])
			return machine_error(m, 0, "distance 0 between nodes %u and %u: 1 to 255 are possible", i / n,
					     i % n);
	return 0;
}

int slit_read(struct machine_desc *m, const struct text *text)
{
	struct matrix x = { .labels = true };
	int ret;

	if (text->len >= 4 && !memcmp(text->data, "SLIT", 4))
		return read_table(m, text);
	ret = read_matrix(m, text, &x);
	free(x.value);
	return ret;
}
