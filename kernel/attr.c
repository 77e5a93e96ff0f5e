// SPDX-License-Identifier: MIT
/* What an inode says of itself: chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2), and syncing. */
#include "kfs.h"
#include "syscall.h"

#define NS 1000000000ull

/* What a name or (path NULL) a descriptor leads to. */
static int attr_path(int dirfd, uintptr_t upath, unsigned int flags, struct path *at)
{
	int err;
	char *path = user_path(upath, &err);

	if (!path)
		return err;
	err = path_lookup(dirfd, path, flags, at);
	kfree(path);
	return err;
}

static bool owns(const struct inode *inode)
{
	return inode->i_uid == current_task()->process->uid || task_capable(current_task(), CAP_DAC_OVERRIDE);
}

/* ---- Mode and owner ---- */

static int change_mode(struct inode *inode, const struct path *path, u32 mode)
{
	if (path && path->mount->flags & MS_RDONLY)
		return -EROFS;
	if (!owns(inode))
		return -EPERM;
	if (S_ISLNK(inode->i_mode))
		return -EOPNOTSUPP;
	if (inode->i_fop == &shmem_file_operations && shmem_may_chmod(inode, mode))
		return -EPERM; /* F_SEAL_EXEC */
	inode->i_mode = (inode->i_mode & S_IFMT) | (mode & 07777);
	inode->i_ctime = fs_now();
	return 0;
}

static long chmod_at(int dirfd, uintptr_t upath, u32 mode, unsigned int flags)
{
	struct path at;
	long ret = attr_path(dirfd, upath, flags, &at);

	if (ret)
		return ret;
	ret = change_mode(at.dentry->inode, &at, mode);
	path_put(&at);
	return ret;
}

static long sys_chmod(uintptr_t path, u32 mode)
{
	return chmod_at(AT_FDCWD, path, mode, WALK_FOLLOW);
}
SYSCALL(90, sys_chmod);

static long sys_fchmodat(int dirfd, uintptr_t path, u32 mode)
{
	return chmod_at(dirfd, path, mode, WALK_FOLLOW);
}
SYSCALL(268, sys_fchmodat);

static long sys_fchmodat2(int dirfd, uintptr_t path, u32 mode, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chmod_at(dirfd, path, mode, (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0));
}
SYSCALL(452, sys_fchmodat2);

static long sys_fchmod(int fd, u32 mode)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = file->f_flags & O_PATH ? -EBADF : change_mode(file->f_inode, file_path(file), mode);
	fput(file);
	return ret;
}
SYSCALL(91, sys_fchmod);

static int change_owner(struct inode *inode, const struct path *path, u32 uid, u32 gid)
{
	const struct mm_task *me = current_task();

	if (path && path->mount->flags & MS_RDONLY)
		return -EROFS;
	if (!task_capable(me, CAP_DAC_OVERRIDE)) {
		if (inode->i_uid != me->process->uid || (uid != ~0u && uid != inode->i_uid) ||
		    (gid != ~0u && gid != inode->i_gid && gid != me->process->gid))
			return -EPERM;
	}
	if (uid != ~0u)
		inode->i_uid = uid;
	if (gid != ~0u)
		inode->i_gid = gid;
	if (S_ISREG(inode->i_mode) && inode->i_mode & 0111)
		inode->i_mode &= ~(S_ISUID | S_ISGID);
	inode->i_ctime = fs_now();
	return 0;
}

static long chown_at(int dirfd, uintptr_t upath, u32 uid, u32 gid, unsigned int flags)
{
	struct path at;
	long ret = attr_path(dirfd, upath, flags, &at);

	if (ret)
		return ret;
	ret = change_owner(at.dentry->inode, &at, uid, gid);
	path_put(&at);
	return ret;
}

static long sys_chown(uintptr_t path, u32 uid, u32 gid)
{
	return chown_at(AT_FDCWD, path, uid, gid, WALK_FOLLOW);
}
SYSCALL(92, sys_chown);

static long sys_lchown(uintptr_t path, u32 uid, u32 gid)
{
	return chown_at(AT_FDCWD, path, uid, gid, 0);
}
SYSCALL(94, sys_lchown);

static long sys_fchownat(int dirfd, uintptr_t path, u32 uid, u32 gid, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chown_at(dirfd, path, uid, gid, (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0));
}
SYSCALL(260, sys_fchownat);

static long sys_fchown(int fd, u32 uid, u32 gid)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = file->f_flags & O_PATH ? -EBADF : change_owner(file->f_inode, file_path(file), uid, gid);
	fput(file);
	return ret;
}
SYSCALL(93, sys_fchown);

/* ---- Times ---- */

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static int change_times(struct inode *inode, const struct ktimespec *times)
{
	u64 now = fs_now();
	bool set = times && (times[0].tv_nsec != UTIME_NOW || times[1].tv_nsec != UTIME_NOW);

	if (times && times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;
	for (int i = 0; times && i < 2; i++)
		if (times[i].tv_nsec != UTIME_NOW && times[i].tv_nsec != UTIME_OMIT &&
		    (times[i].tv_nsec < 0 || times[i].tv_nsec >= (s64)NS))
			return -EINVAL;
	if (!owns(inode) && (set || inode_permission(inode, MAY_WRITE)))
		return set ? -EPERM : -EACCES;
	for (int i = 0; i < 2; i++) {
		u64 *which = i ? &inode->i_mtime : &inode->i_atime;

		if (!times || times[i].tv_nsec == UTIME_NOW)
			*which = now;
		else if (times[i].tv_nsec != UTIME_OMIT)
			*which = (u64)max_t(s64, times[i].tv_sec, 0) * NS + (u64)times[i].tv_nsec;
	}
	inode->i_ctime = now;
	return 0;
}

static long utimens_at(int dirfd, uintptr_t upath, const struct ktimespec *times, int flags)
{
	struct file *file;
	struct path at;
	long ret;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!upath && dirfd != AT_FDCWD) {
		file = fd_get(dirfd);
		if (!file)
			return -EBADF;
		ret = change_times(file->f_inode, times);
		fput(file);
		return ret;
	}
	ret = attr_path(dirfd, upath, (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), &at);
	if (ret)
		return ret;
	ret = at.mount->flags & MS_RDONLY ? -EROFS : change_times(at.dentry->inode, times);
	path_put(&at);
	return ret;
}

static long sys_utimensat(int dirfd, uintptr_t path, uintptr_t utimes, int flags)
{
	struct ktimespec times[2];

	if (utimes && copy_from_user(times, utimes, sizeof(times)))
		return -EFAULT;
	return utimens_at(dirfd, path, utimes ? times : NULL, flags);
}
SYSCALL(280, sys_utimensat);

static long sys_utimes(uintptr_t path, uintptr_t utimes)
{
	struct ktimespec times[2]; /* microseconds, as they come */

	if (utimes && copy_from_user(times, utimes, sizeof(times)))
		return -EFAULT;
	for (int i = 0; utimes && i < 2; i++) {
		if (times[i].tv_nsec < 0 || times[i].tv_nsec >= 1000000)
			return -EINVAL;
		times[i].tv_nsec *= 1000;
	}
	return utimens_at(AT_FDCWD, path, utimes ? times : NULL, 0);
}
SYSCALL(235, sys_utimes);

static long sys_utime(uintptr_t path, uintptr_t utimes)
{
	struct ktimespec times[2] = { { 0 } };
	s64 seconds[2];

	if (utimes && copy_from_user(seconds, utimes, sizeof(seconds)))
		return -EFAULT;
	for (int i = 0; utimes && i < 2; i++)
		times[i].tv_sec = seconds[i];
	return utimens_at(AT_FDCWD, path, utimes ? times : NULL, 0);
}
SYSCALL(132, sys_utime);

/* ---- Size ---- */

static long set_size(struct inode *inode, s64 size)
{
	long ret;

	if (S_ISDIR(inode->i_mode))
		return -EISDIR;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (inode->i_flags & S_SWAPFILE)
		return -ETXTBSY;
	if (vnode_of(inode)) /* generated text has no size to set; opening it for writing may ask all the same */
		return 0;
	if ((u64)size > task_rlimit(current_task(), RLIMIT_FSIZE)) {
		send_signal(current(), SIGXFSZ, false);
		return -EFBIG;
	}
	ret = shmem_truncate(inode, (u64)size);
	if (!ret)
		inode->i_mtime = inode->i_ctime = fs_now();
	return ret;
}

static long sys_truncate(uintptr_t path, s64 size)
{
	struct path at;
	long ret;

	if (size < 0)
		return -EINVAL;
	ret = attr_path(AT_FDCWD, path, WALK_FOLLOW, &at);
	if (ret)
		return ret;
	ret = S_ISDIR(at.dentry->inode->i_mode) ? -EISDIR : at.mount->flags & MS_RDONLY ? -EROFS :
							    inode_permission(at.dentry->inode, MAY_WRITE);
	if (!ret)
		ret = inode_write_begin(at.dentry->inode);
	if (!ret) {
		ret = set_size(at.dentry->inode, size);
		inode_write_end(at.dentry->inode);
	}
	path_put(&at);
	return ret;
}
SYSCALL(76, sys_truncate);

static long sys_ftruncate(int fd, s64 size)
{
	struct file *file;
	long ret;

	if (size < 0)
		return -EINVAL;
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH)
		ret = -EBADF;
	else
		ret = file->f_mode & FMODE_WRITE && S_ISREG(file->f_inode->i_mode) ? set_size(file->f_inode, size) :
										     -EINVAL;
	fput(file);
	return ret;
}
SYSCALL(77, sys_ftruncate);

static long allocate(struct file *file, int mode, u64 offset, u64 len)
{
	long ret = file->f_op->fallocate ? file->f_op->fallocate(file, mode, offset, len) : -EOPNOTSUPP;

	/* Refused for the caller's limit, not for what a file may be: the program is told by signal, too. */
	if (ret == -EFBIG && offset + len > task_rlimit(current_task(), RLIMIT_FSIZE))
		send_signal(current(), SIGXFSZ, false);
	return ret;
}

static long sys_fallocate(int fd, int mode, s64 offset, s64 len)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	if (offset < 0 || len <= 0)
		ret = -EINVAL;
	else if (!(file->f_mode & FMODE_WRITE))
		ret = -EBADF;
	else if (S_ISFIFO(file->f_inode->i_mode))
		ret = -ESPIPE;
	else if (!S_ISREG(file->f_inode->i_mode))
		ret = S_ISDIR(file->f_inode->i_mode) ? -EISDIR : -ENODEV;
	else if (offset + len < 0)
		ret = -EFBIG;
	else
		ret = allocate(file, mode, (u64)offset, (u64)len);
	fput(file);
	return ret;
}
SYSCALL(285, sys_fallocate);

static bool has_pages(const struct file *file)
{
	u32 kind = file->f_inode->i_mode & S_IFMT;

	return kind == S_IFREG || kind == S_IFBLK;
}

/* A disk's node has no pages itself, but its open file has. */
static bool readable_ahead(const struct file *file)
{
	return file->f_mapping && has_pages(file) &&
	       !(S_ISREG(file->f_inode->i_mode) && vnode_of(file->f_inode));
}

static long sys_fadvise64(int fd, s64 offset, s64 len, int advice)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	if (S_ISFIFO(file->f_inode->i_mode))
		ret = -ESPIPE;
	else if (advice < 0 || advice > 5 || len < 0)
		ret = -EINVAL;
	else
		ret = readable_ahead(file) ? generic_fadvise(file, (u64)offset, (u64)len, advice) : 0;
	fput(file);
	return ret;
}
SYSCALL(221, sys_fadvise64);

static long sys_readahead(int fd, s64 offset, size_t len)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	if (!(file->f_mode & FMODE_READ) || file->f_flags & O_PATH)
		ret = -EBADF;
	else if (!has_pages(file))
		ret = -EINVAL;
	else
		ret = readable_ahead(file) ? generic_fadvise(file, (u64)offset, (u64)min(len, OVERFLOW_LIMIT),
							     POSIX_FADV_WILLNEED) : 0;
	fput(file);
	return ret;
}
SYSCALL(187, sys_readahead);

/* What is in memory of a file tells who else reads it: only those hear of it who may change it. */
static bool may_look_into_cache(const struct file *file)
{
	return file->f_mode & FMODE_WRITE || owns(file->f_inode) || !inode_permission(file->f_inode, MAY_WRITE);
}

static long sys_cachestat(int fd, uintptr_t urange, uintptr_t ustat, unsigned int flags)
{
	struct file *file = fd_get(fd);
	struct cachestat stat = { 0 };
	struct { u64 offset, len; } range;
	long ret = 0;

	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH)
		ret = -EBADF;
	else if (copy_from_user(&range, urange, sizeof(range)))
		ret = -EFAULT;
	else if (flags)
		ret = -EINVAL;
	else if (!may_look_into_cache(file))
		ret = -EPERM;
	if (!ret && file->f_mapping) {
		u64 last = range.len ? (range.offset + range.len - 1) >> PAGE_SHIFT : ~0ull;

		filemap_cachestat(file->f_mapping, range.offset >> PAGE_SHIFT, last, &stat);
	}
	if (!ret && copy_to_user(ustat, &stat, sizeof(stat)))
		ret = -EFAULT;
	fput(file);
	return ret;
}
SYSCALL(451, sys_cachestat);

/* ---- To the device, where there is one ---- */

static long do_fsync(int fd, u64 start, u64 end, bool datasync)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH)
		ret = -EBADF;
	else if (file->f_op->fsync)
		ret = file->f_op->fsync(file, start, end, datasync);
	else /* what is in RAM only has nowhere to go */
		ret = S_ISREG(file->f_inode->i_mode) || S_ISDIR(file->f_inode->i_mode) ? 0 : -EINVAL;
	fput(file);
	return ret;
}

static long sys_fsync(int fd)
{
	return do_fsync(fd, 0, ~0ull >> 1, false);
}
SYSCALL(74, sys_fsync);

static long sys_fdatasync(int fd)
{
	return do_fsync(fd, 0, ~0ull >> 1, true);
}
SYSCALL(75, sys_fdatasync);

static long sys_sync_file_range(int fd, s64 offset, s64 len, unsigned int flags)
{
	struct file *file = fd_get(fd);
	long ret;

	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH)
		ret = -EBADF;
	else if (has_pages(file) && file->f_mapping)
		ret = sync_file_range(file, offset, len, flags);
	else if (flags & ~SYNC_FILE_RANGE_FLAGS || offset < 0 || len < 0 || offset > INT64_MAX - len)
		ret = -EINVAL;
	else
		ret = has_pages(file) || S_ISDIR(file->f_inode->i_mode) ? 0 : -ESPIPE;
	fput(file);
	return ret;
}
SYSCALL(277, sys_sync_file_range);

static long sys_sync(void)
{
	ksys_sync();
	return 0;
}
SYSCALL(162, sys_sync);

static long sys_syncfs(int fd)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	fput(file);
	return sys_sync();
}
SYSCALL(306, sys_syncfs);
