/* SPDX-License-Identifier: MIT */
/* Archives of the "newc" kind: cpio(5). Pure. */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H

#include <octavo/types.h>

struct cpio_entry {
	const char *name; /* NUL terminated, in the archive */
	u32 mode, uid, gid, nlink, mtime;
	u32 ino, dev_major, dev_minor, rdev_major, rdev_minor;
	const u8 *data;
	u32 size;
};

/**
 * cpio_read - every entry of every archive in @data, one after the other, zeros between them
 * @entry: a nonzero value ends it; NULL entry: an archive has ended (hard links do not go beyond one)
 * @why, @where: what is wrong with it, as text, and at which byte
 * Return: 0; -EINVAL for what is no such archive, with *@why; or what @entry returned.
 */
int cpio_read(const void *data, size_t size, int (*entry)(void *ctx, const struct cpio_entry *e), void *ctx,
	      const char **why, size_t *where);

#endif
