// SPDX-License-Identifier: MIT
/*
 * Extended attributes: xattr(7). No file system here has any; programs that ask are told so as one of Linux's that has
 * none tells them, and not that there is no such call.
 */
#include "kfs.h"
#include "syscall.h"

#define XATTR_NAME_MAX 255u

/* Is there what is asked about? Return: 0 or errno. */
static long look(uintptr_t upath, unsigned int walk)
{
	struct path at;
	char *path;
	int err;

	path = user_path(upath, &err);
	if (!path)
		return err;
	err = path_lookup(AT_FDCWD, path, walk, &at);
	kfree(path);
	if (!err)
		path_put(&at);
	return err;
}

static long look_fd(int fd)
{
	struct file *file = fd_get(fd);
	long err = !file || file->f_flags & O_PATH ? -EBADF : 0;

	if (file)
		fput(file);
	return err;
}

/* @err: of who looked for the file. */
static long none(long err, uintptr_t uname)
{
	char *name;
	int why;

	if (err)
		return err;
	name = get_user_string(uname, XATTR_NAME_MAX + 1, &why);
	if (!name)
		return why == -ENAMETOOLONG ? -ERANGE : why;
	why = *name ? -EOPNOTSUPP : -ERANGE;
	kfree(name);
	return why;
}

static long sys_setxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : none(look(path, WALK_FOLLOW), name);
}
SYSCALL(188, sys_setxattr);

static long sys_lsetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : none(look(path, 0), name);
}
SYSCALL(189, sys_lsetxattr);

static long sys_fsetxattr(int fd, uintptr_t name, uintptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : none(look_fd(fd), name);
}
SYSCALL(190, sys_fsetxattr);

static long sys_getxattr(uintptr_t path, uintptr_t name)
{
	return none(look(path, WALK_FOLLOW), name);
}
SYSCALL(191, sys_getxattr);

static long sys_lgetxattr(uintptr_t path, uintptr_t name)
{
	return none(look(path, 0), name);
}
SYSCALL(192, sys_lgetxattr);

static long sys_fgetxattr(int fd, uintptr_t name)
{
	return none(look_fd(fd), name);
}
SYSCALL(193, sys_fgetxattr);

static long sys_removexattr(uintptr_t path, uintptr_t name)
{
	return sys_getxattr(path, name);
}
SYSCALL(197, sys_removexattr);

static long sys_lremovexattr(uintptr_t path, uintptr_t name)
{
	return sys_lgetxattr(path, name);
}
SYSCALL(198, sys_lremovexattr);

static long sys_fremovexattr(int fd, uintptr_t name)
{
	return sys_fgetxattr(fd, name);
}
SYSCALL(199, sys_fremovexattr);

static long sys_listxattr(uintptr_t path)
{
	return look(path, WALK_FOLLOW);
}
SYSCALL(194, sys_listxattr);

static long sys_llistxattr(uintptr_t path)
{
	return look(path, 0);
}
SYSCALL(195, sys_llistxattr);

static long sys_flistxattr(int fd)
{
	return look_fd(fd);
}
SYSCALL(196, sys_flistxattr);
