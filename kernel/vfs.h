/* SPDX-License-Identifier: MIT */
/*
 * The reference kernel's file system: names. Contents of files and open files are the core's structures
 * (<octavo/fs.h>). [kfs] owns it.
 *
 * A dentry is a name in memory: tmpfs, devtmpfs and the initramfs live in dentries altogether; procfs and sysfs make
 * theirs when they are looked up.
 */
#ifndef KERNEL_VFS_H
#define KERNEL_VFS_H

#include <octavo/fs.h>

#include "sched.h"

struct dentry;
struct mount;

struct path {
	struct mount *mount;
	struct dentry *dentry;
};

/** struct fs_context - shared by clone(CLONE_FS) */
struct fs_context {
	unsigned int refs;
	struct path root, cwd;
	u32 umask;
};

/** struct files - descriptors, shared by clone(CLONE_FILES): files.c */
struct files;
struct files *files_new(void);
struct files *files_dup(struct files *from); /* NULL: no memory */
struct files *files_get(struct files *files);
/* Of another thread, with a reference; NULL: it has ended. */
struct files *task_files(struct task *task);
struct fs_context *task_fs(struct task *task);
void files_put(struct files *files);
void files_close_on_exec(struct files *files);
struct fs_context *fs_new(void);
struct fs_context *fs_dup(struct fs_context *from);
void fs_put(struct fs_context *fs);

/* The file behind a descriptor of the caller's, with a reference; NULL: EBADF. */
struct file *fd_get(int fd);
/* Return: the lowest free descriptor at or above @from, or -EMFILE. The reference becomes the descriptor's. */
int fd_install(struct file *file, int from, bool cloexec);

/*
 * vfs_open - open a path of the kernel's, or of the caller's (already in kernel memory)
 * @flags: O_*; @mode for O_CREAT. Return: the file, or NULL and *@err.
 */
struct file *vfs_open(int dirfd, const char *path, int flags, u32 mode, int *err);
/*
 * vfs_open_exec - the file that execve(2) reads: regular, executable by the caller, not on a noexec mount
 * @at_flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. Return: NULL and *@err.
 */
struct file *vfs_open_exec(int dirfd, const char *path, int at_flags, int *err);
/* @file is a program's from now on, until its last reference goes: nobody may write it. Return: 0 or -ETXTBSY. */
int file_deny_write(struct file *file);
s64 vfs_read(struct file *file, void *to, size_t len, u64 *pos, bool user);
s64 vfs_write(struct file *file, const void *from, size_t len, u64 *pos, bool user);
/* The path of an open file from the caller's root. Return: length. */
size_t vfs_path(const struct file *file, char *text, size_t size);

/* Root tmpfs, devtmpfs, procfs and sysfs known; the initramfs at @initrd unpacked into the root. Return: 0 or errno. */
int vfs_init(const void *initrd, size_t size);
/* Opens /dev/console (or ttyS0) as 0, 1 and 2 of the caller's. */
int vfs_open_console(void);

#endif
