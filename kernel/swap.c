// SPDX-License-Identifier: MIT
/* swapon(2), swapoff(2): the file of a name, and its name as /proc/swaps shows it. */
#include "kernel.h"
#include "kfs.h"
#include "vfs.h"

#include <octavo/slab.h>

#include "mm/swap/swap.h"

/* The file at the caller's @upath, and in @name, of PATH_MAX bytes, what it is called. NULL and *@err. */
static struct file *open_named(uintptr_t upath, char **name, int *err)
{
	struct file *file = NULL;
	char *path;

	if (!task_capable(current_task(), CAP_SYS_ADMIN)) {
		*err = -EPERM;
		return NULL;
	}
	path = user_path(upath, err);
	if (!path)
		return NULL;
	*name = kmalloc(PATH_MAX, GFP_KERNEL);
	if (*name)
		file = vfs_open(AT_FDCWD, path, O_RDWR, 0, err);
	else
		*err = -ENOMEM;
	kfree(path);
	if (file)
		(*name)[min(vfs_path(file, *name, PATH_MAX), (size_t)PATH_MAX - 1)] = '\0';
	else
		kfree(*name);
	return file;
}

static long sys_swapon(uintptr_t upath, int flags)
{
	char *name = NULL;
	int err = 0;
	struct file *file = open_named(upath, &name, &err);

	if (!file)
		return err;
	err = swapon_file(file, name, flags);
	fput(file);
	kfree(name);
	return err;
}
SYSCALL(167, sys_swapon);

static long sys_swapoff(uintptr_t upath)
{
	char *name = NULL;
	int err = 0;
	struct file *file = open_named(upath, &name, &err);

	if (!file)
		return err;
	err = swapoff_file(file);
	fput(file);
	kfree(name);
	return err;
}
SYSCALL(168, sys_swapoff);
