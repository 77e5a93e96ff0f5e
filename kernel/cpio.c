// SPDX-License-Identifier: MIT
/*
 * The newc format: a header of 110 ASCII bytes, the name, the contents; both padded to four bytes from the archive's
 * start. "070702" has the sum of the contents' bytes in its last field.
 */
#include "cpio.h"

#include "mm/base/compiler.h"
#include "mm/base/string.h"

#define HEADER 110u

enum { INO, MODE, UID, GID, NLINK, MTIME, FILESIZE, DEVMAJOR, DEVMINOR, RDEVMAJOR, RDEVMINOR, NAMESIZE, CHECK, FIELDS };

static bool hex8(const u8 *text, u32 *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		u8 c = text[i] | 32;

		if (text[i] >= '0' && text[i] <= '9')
			*value = *value << 4 | (u32)(text[i] - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (u32)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

static const char *magic_error(const u8 *at, size_t left)
{
	static const struct {
		u8 magic[3];
		const char *why;
	} packed[] = {
		{ { 0x1f, 0x8b, 0x08 }, "it is compressed with gzip, not supported: use a plain cpio archive" },
		{ { 0xfd, '7', 'z' }, "it is compressed with xz, not supported: use a plain cpio archive" },
		{ { 0x28, 0xb5, 0x2f }, "it is compressed with zstd, not supported: use a plain cpio archive" },
		{ { 0x02, 0x21, 0x4c }, "it is compressed with lz4, not supported: use a plain cpio archive" },
		{ { 'B', 'Z', 'h' }, "it is compressed with bzip2, not supported: use a plain cpio archive" },
		{ { '0', '7', '0' }, "it is a cpio archive of another kind than newc (cpio -H newc)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(packed) && left >= 3; i++)
		if (!memcmp(at, packed[i].magic, 3))
			return packed[i].why;
	return "there is no cpio archive (magic number 070701)";
}

static u32 sum(const u8 *data, u32 size)
{
	u32 total = 0;

	while (size--)
		total += *data++;
	return total;
}

/* Return: bytes of the entry with its padding, or 0 and *@why. */
static size_t parse(const u8 *at, size_t left, struct cpio_entry *e, const char **why)
{
	u32 f[FIELDS];
	size_t data;

	if (left < HEADER) {
		*why = left >= 3 && memcmp(at, "070", 3) ? magic_error(at, left) : "the archive ends within a header";
		return 0;
	}
	if (memcmp(at, "070701", 6) && memcmp(at, "070702", 6)) {
		*why = magic_error(at, left);
		return 0;
	}
	for (int i = 0; i < FIELDS; i++)
		if (!hex8(at + 6 + 8 * i, &f[i])) {
			*why = "a header has something else than hexadecimal digits";
			return 0;
		}
	data = ALIGN(HEADER + (size_t)f[NAMESIZE], (size_t)4);
	if (!f[NAMESIZE] || f[NAMESIZE] > 4096 || data > left || at[HEADER + f[NAMESIZE] - 1]) {
		*why = "an entry's name is cut off, too long or not terminated";
		return 0;
	}
	if (f[FILESIZE] > left - data) {
		*why = "the archive ends within a file's contents";
		return 0;
	}
	*e = (struct cpio_entry){ (const char *)at + HEADER, f[MODE], f[UID], f[GID], f[NLINK], f[MTIME], f[INO],
				  f[DEVMAJOR], f[DEVMINOR], f[RDEVMAJOR], f[RDEVMINOR], at + data, f[FILESIZE] };
	if (at[5] == '2' && sum(e->data, e->size) != f[CHECK]) {
		*why = "a file's contents do not have the sum that their header says";
		return 0;
	}
	return min(ALIGN(data + f[FILESIZE], (size_t)4), left);
}

int cpio_read(const void *data, size_t size, int (*entry)(void *ctx, const struct cpio_entry *e), void *ctx,
	      const char **why, size_t *where)
{
	const u8 *bytes = data;
	struct cpio_entry e;
	bool open = false;
	size_t at = 0;

	while (at < size) {
		size_t len;
		int err;

		*where = at;
		if (!open && !bytes[at]) {
			at++;
			continue;
		}
		len = parse(bytes + at, size - at, &e, why);
		if (!len)
			return -EINVAL;
		at += len;
		open = strcmp(e.name, "TRAILER!!!") != 0;
		err = entry(ctx, open ? &e : NULL);
		if (err)
			return err;
	}
	*where = at;
	*why = "the archive ends without its trailer";
	return open ? -EINVAL : 0;
}
