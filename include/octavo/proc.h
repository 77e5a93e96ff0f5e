/* SPDX-License-Identifier: MIT */
/*
 * The text of the /proc and /sys files, in the format of Linux 6.12, by path.
 *
 * A kernel's file system calls these from its read, write and readdir operations; the hosted port's
 * command and monitor call them directly. docs/proc-files.md says where each number comes from.
 */
#ifndef OCTAVO_PROC_H
#define OCTAVO_PROC_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * octavo_emit_fn - takes a piece of a file's text
 * @ctx: what was passed along with the function
 * @text: not NUL terminated; pieces do not end at line ends
 * @len: bytes, never 0
 */
typedef void (*octavo_emit_fn)(void *ctx, const char *text, size_t len);

/**
 * octavo_proc_read - produce the text of a file
 * @path: absolute, such as "/proc/zoneinfo" or "/sys/devices/system/node/node0/meminfo"; no "." or "..",
 *        one slash between names
 * @emit: called with the text, piece by piece, from first to last
 * @ctx: for @emit
 *
 * The text is made while it is read: nothing is allocated, and numbers of one file may be of slightly
 * different moments when other CPUs allocate meanwhile, as in Linux.
 *
 * Context: thread context after mm_init(), no spinlock held. @emit may call back into the core.
 * Return: 0; -ENOENT if there is no such file on this machine; -EISDIR for a directory; -EACCES for a file
 * that can only be written; -ENOTDIR for a path through a file. On errors @emit is not called.
 */
OCTAVO_API int octavo_proc_read(const char *path, octavo_emit_fn emit, void *ctx);

/**
 * octavo_proc_write - what one write(2) of @text at offset 0 does
 * @path: as for octavo_proc_read()
 * @text: need not be NUL terminated; white space around values is ignored, as Linux does
 * @len: bytes
 *
 * A new sysctl value is in effect when this returns.
 *
 * Context: thread context after mm_init(), no spinlock held; may sleep.
 * Return: bytes taken (@len); -EINVAL for text that is no number, a number out of the file's range, or garbage
 * behind it, in which case the value is as before (of a vector the numbers ahead of the garbage may have been
 * taken, as in Linux); -EACCES for a file that can only be read; -ENOENT, -EISDIR, -ENOTDIR as for reading; what
 * the operation behind the file returns (-EBUSY, ...).
 */
OCTAVO_API long octavo_proc_write(const char *path, const char *text, size_t len);

/** octavo_list_fn - takes the name of an entry; @directory: it can be listed itself */
typedef void (*octavo_list_fn)(void *ctx, const char *name, bool directory);

/**
 * octavo_proc_list - name the entries of a directory
 * @dir: as for octavo_proc_read(); a trailing slash is allowed, "/" is the root
 * @emit: called once for each entry, in no order that a caller should rely on
 *
 * Context: as octavo_proc_read(). Return: 0, -ENOENT, or -ENOTDIR for a file.
 */
OCTAVO_API int octavo_proc_list(const char *dir, octavo_list_fn emit, void *ctx);

/**
 * struct octavo_sysctl_hooks - actions behind files whose parts register themselves
 * @compact_memory: /proc/sys/vm/compact_memory; NULL: that file does not exist
 * @drop_caches: /proc/sys/vm/drop_caches with bits 1 (page cache) and 2 (reclaimable slab), called before the core
 *               runs all shrinkers for bit 2; NULL: nothing but shrinkers
 * Both run in the context of octavo_proc_write() and return 0 or a negative errno.
 */
struct octavo_sysctl_hooks {
	int (*compact_memory)(void);
	int (*drop_caches)(unsigned int what);
};

/** octavo_sysctl_set_hooks - register them; members that are NULL leave what was registered before */
OCTAVO_API void octavo_sysctl_set_hooks(const struct octavo_sysctl_hooks *hooks);

/**
 * octavo_sysctl_boot_params - apply what the command line says as sysctl.vm.NAME=VALUE
 * Called once at the end of start-up, when all defaults are in place. A parameter that is not there or whose
 * value is refused is reported on the console. Context: as octavo_proc_write().
 */
OCTAVO_API void octavo_sysctl_boot_params(void);

OCTAVO_END_DECLS
#endif
