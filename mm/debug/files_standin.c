// SPDX-License-Identifier: MIT
/* Weak: there are no files until mm/proc is there. */
#include <octavo/proc.h>

#include "../base/compiler.h"

__weak int octavo_proc_read(const char *path, octavo_emit_fn emit, void *ctx)
{
	(void)path;
	(void)emit;
	(void)ctx;
	return -ENOENT;
}

__weak long octavo_proc_write(const char *path, const char *text, size_t len)
{
	(void)path;
	(void)text;
	(void)len;
	return -ENOENT;
}

__weak int octavo_proc_list(const char *dir, octavo_list_fn emit, void *ctx)
{
	(void)dir;
	(void)emit;
	(void)ctx;
	return -ENOENT;
}
