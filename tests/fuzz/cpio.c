// SPDX-License-Identifier: MIT
/* libFuzzer target: archives for the reference kernel's reader, as any bytes or as one with changes (patch.h). */
#include "kernel/cpio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hosted/patch.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

struct bounds {
	const u8 *from, *to;
	u32 sum;
};

static size_t add(u8 *to, const char *name, unsigned int mode, const char *data, const char *magic)
{
	unsigned int sum = 0;
	size_t n;

	for (const char *c = data; *c; c++)
		sum += (u8)*c;
	n = (size_t)sprintf((char *)to, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", magic, 7u, mode, 1u,
			    2u, 1u, 1000u, (unsigned int)strlen(data), 3u, 4u, 5u, 6u, (unsigned int)strlen(name) + 1,
			    sum, name);
	do {
		to[n++] = 0;
	} while (n % 4);
	memcpy(to + n, data, strlen(data));
	for (n += strlen(data); n % 4; n++)
		to[n] = 0;
	return n;
}

static size_t sample(u8 *to)
{
	size_t n = add(to, "init", 0100755, "#!/bin/sh\n", "070701");

	n += add(to + n, "dir", 0040755, "", "070701");
	n += add(to + n, "dir/file", 0100644, "some text", "070702");
	n += add(to + n, "TRAILER!!!", 0, "", "070701");
	memset(to + n, 0, 12);
	n += 12;
	n += add(to + n, "second", 0120777, "init", "070701");
	return n + add(to + n, "TRAILER!!!", 0, "", "070701");
}

static int look(void *ctx, const struct cpio_entry *e)
{
	struct bounds *b = ctx;

	if (!e)
		return 0;
	if ((const u8 *)e->name < b->from || (const u8 *)e->name >= b->to || e->data < b->from || e->data > b->to ||
	    e->size > (size_t)(b->to - e->data))
		abort();
	for (size_t i = 0; e->name[i]; i++)
		b->sum += (u8)e->name[i];
	for (u32 i = 0; i < e->size; i++)
		b->sum += e->data[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	u8 whole[2048], *archive;
	size_t len = size ? size - 1 : 0, where = 0;
	const char *why = "";
	struct bounds b = { 0 };
	int err;

	if (size && bytes[0] < 128) {
		len = sample(whole);
		patch(whole, len, bytes + 1, size - 1);
	}
	/* Of its very size, so that a look behind it is seen. */
	archive = malloc(len ? len : 1);
	if (!archive)
		return 0;
	memcpy(archive, size && bytes[0] < 128 ? whole : bytes + 1, len);
	b.from = archive;
	b.to = archive + len;
	err = cpio_read(archive, len, look, &b, &why, &where);
	if (where > len || (err && !*why))
		abort();
	free(archive);
	return 0;
}
