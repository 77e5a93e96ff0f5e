// SPDX-License-Identifier: MIT
/* stat(2) and its kin, statx(2), access(2). */
#include "kfs.h"
#include "syscall.h"

#define NS 1000000000ull

static void stat_fill(const struct inode *inode, struct kstat *st)
{
	*st = (struct kstat){
		.st_dev = dev_to_user(inode->i_dev),
		.st_ino = inode->i_ino,
		.st_nlink = inode->i_nlink,
		.st_mode = inode->i_mode,
		.st_uid = inode->i_uid,
		.st_gid = inode->i_gid,
		.st_rdev = dev_to_user(inode->i_rdev),
		.st_size = i_size_read(inode),
		.st_blksize = PAGE_SIZE,
		.st_blocks = inode->i_blocks,
		.st_atime = inode->i_atime / NS,
		.st_atime_nsec = inode->i_atime % NS,
		.st_mtime = inode->i_mtime / NS,
		.st_mtime_nsec = inode->i_mtime % NS,
		.st_ctime = inode->i_ctime / NS,
		.st_ctime_nsec = inode->i_ctime % NS,
	};
}

/* What @dirfd and @path name: the file itself with AT_EMPTY_PATH and an empty path. @inode has a reference. */
static int inode_at(int dirfd, uintptr_t upath, int flags, struct inode **inode, u64 *mount)
{
	struct file *file;
	struct path at;
	char *path;
	int err;

	path = upath || !(flags & AT_EMPTY_PATH) ? user_path(upath, &err) : kstrdup("", GFP_KERNEL);
	if (!path)
		return upath ? err : -EFAULT;
	if (!*path && flags & AT_EMPTY_PATH && dirfd != AT_FDCWD) {
		kfree(path);
		file = fd_get(dirfd);
		if (!file)
			return -EBADF;
		*inode = file->f_inode;
		*mount = file_path(file) ? file_path(file)->mount->id : 0;
		ihold(*inode);
		fput(file);
		return 0;
	}
	err = path_lookup(dirfd, path,
			  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &at);
	kfree(path);
	if (err)
		return err;
	*inode = at.dentry->inode;
	*mount = at.mount->id;
	ihold(*inode);
	path_put(&at);
	return 0;
}

static long stat_at(int dirfd, uintptr_t path, uintptr_t to, int flags)
{
	struct inode *inode;
	struct kstat st;
	u64 mount;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = inode_at(dirfd, path, flags, &inode, &mount);
	if (err)
		return err;
	stat_fill(inode, &st);
	iput(inode);
	return copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}

static long sys_stat(uintptr_t path, uintptr_t to)
{
	return stat_at(AT_FDCWD, path, to, 0);
}
SYSCALL(4, sys_stat);

static long sys_lstat(uintptr_t path, uintptr_t to)
{
	return stat_at(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW);
}
SYSCALL(6, sys_lstat);

static long sys_newfstatat(int dirfd, uintptr_t path, uintptr_t to, int flags)
{
	return stat_at(dirfd, path, to, flags);
}
SYSCALL(262, sys_newfstatat);

static long sys_fstat(int fd, uintptr_t to)
{
	struct file *file = fd_get(fd);
	struct kstat st;

	if (!file)
		return -EBADF;
	stat_fill(file->f_inode, &st);
	fput(file);
	return copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}
SYSCALL(5, sys_fstat);

static struct kstatx_time statx_time(u64 ns)
{
	return (struct kstatx_time){ .sec = (s64)(ns / NS), .nsec = (u32)(ns % NS) };
}

#define STATX_BASIC_STATS 0x7ffu
#define STATX_MNT_ID 0x1000u
#define AT_STATX_SYNC_TYPE 0x6000

static long sys_statx(int dirfd, uintptr_t path, int flags, unsigned int mask, uintptr_t to)
{
	struct inode *inode;
	struct kstatx st;
	u64 mount;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE) ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || mask >> 31)
		return -EINVAL;
	err = inode_at(dirfd, path, flags, &inode, &mount);
	if (err)
		return err;
	st = (struct kstatx){
		.mask = STATX_BASIC_STATS | STATX_MNT_ID,
		.blksize = PAGE_SIZE,
		.nlink = inode->i_nlink,
		.uid = inode->i_uid,
		.gid = inode->i_gid,
		.mode = (u16)inode->i_mode,
		.ino = inode->i_ino,
		.size = i_size_read(inode),
		.blocks = inode->i_blocks,
		.atime = statx_time(inode->i_atime),
		.mtime = statx_time(inode->i_mtime),
		.ctime = statx_time(inode->i_ctime),
		.rdev_major = MAJOR(inode->i_rdev),
		.rdev_minor = MINOR(inode->i_rdev),
		.dev_major = MAJOR(inode->i_dev),
		.dev_minor = MINOR(inode->i_dev),
		.mnt_id = mount,
	};
	iput(inode);
	return copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}
SYSCALL(332, sys_statx);

/* The real ids are the effective ones here: set-user-ID programs are not run with rights of their own. */
static long access_at(int dirfd, uintptr_t path, unsigned int mode, int flags)
{
	struct inode *inode;
	u64 mount;
	int err;

	if (mode & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = inode_at(dirfd, path, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), &inode, &mount);
	if (err)
		return err;
	err = mode ? inode_permission(inode, mode) : 0;
	iput(inode);
	return err;
}

static long sys_access(uintptr_t path, unsigned int mode)
{
	return access_at(AT_FDCWD, path, mode, 0);
}
SYSCALL(21, sys_access);

static long sys_faccessat(int dirfd, uintptr_t path, unsigned int mode)
{
	return access_at(dirfd, path, mode, 0);
}
SYSCALL(269, sys_faccessat);

static long sys_faccessat2(int dirfd, uintptr_t path, unsigned int mode, int flags)
{
	return access_at(dirfd, path, mode, flags);
}
SYSCALL(439, sys_faccessat2);

static long sys_readlinkat(int dirfd, uintptr_t upath, uintptr_t to, int size)
{
	char *path, *text = NULL;
	struct vnode *v;
	struct path at;
	long ret;
	int err;

	if (size <= 0)
		return -EINVAL;
	path = user_path(upath, &err);
	if (!path)
		return err;
	ret = path_lookup(dirfd, path, WALK_EMPTY, &at);
	kfree(path);
	if (ret)
		return ret;
	v = vnode_of(at.dentry->inode);
	ret = -EINVAL;
	if (S_ISLNK(at.dentry->inode->i_mode) && v && v->ops && v->ops->readlink) {
		text = kmalloc(PATH_MAX, GFP_KERNEL);
		ret = text ? v->ops->readlink(v, text, PATH_MAX) : -ENOMEM;
	}
	if (ret > size)
		ret = size;
	if (ret > 0 && copy_to_user(to, text, (size_t)ret))
		ret = -EFAULT;
	kfree(text);
	path_put(&at);
	return ret;
}
SYSCALL(267, sys_readlinkat);

static long sys_readlink(uintptr_t path, uintptr_t to, int size)
{
	return sys_readlinkat(AT_FDCWD, path, to, size);
}
SYSCALL(89, sys_readlink);
