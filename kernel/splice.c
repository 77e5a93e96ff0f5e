// SPDX-License-Identifier: MIT
/*
 * Between pipes and files, without a buffer of the caller's: splice(2), tee(2), vmsplice(2).
 *
 * Bytes are copied: a page is never in a pipe and in a file or a program at once, so what is in the pipe does not
 * change when the program writes to memory it gave, and a page cannot be changed through a pipe.
 */
#include "kfs.h"
#include "syscall.h"

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL 15u

/* Directories, and what only counts or signals, cannot be spliced. */
static bool has_bytes(const struct file *file)
{
	u32 mode = file->f_inode->i_mode;

	return S_ISREG(mode) || S_ISBLK(mode) || S_ISCHR(mode);
}

static long closed_pipe(void)
{
	send_signal(current(), SIGPIPE, false);
	return -EPIPE;
}

static long from_file(struct file *in, u64 *pos, struct file *out, size_t len, bool nonblock)
{
	u64 nowhere = 0;
	bool once;
	int ready;

	if (!has_bytes(in))
		return -EINVAL;
	ready = pipe_wait(out, true, nonblock || out->f_flags & O_NONBLOCK);
	if (ready <= 0)
		return ready ? ready : closed_pipe();
	/* A terminal gives a line, and more only when more is typed. */
	once = !S_ISREG(in->f_inode->i_mode) && !S_ISBLK(in->f_inode->i_mode);
	return (long)copy_between(in, pos, out, &nowhere, min(len, pipe_file_room(out)), once);
}

static long to_file(struct file *in, struct file *out, u64 *pos, size_t len, bool nonblock)
{
	long ret = 0;

	if (!has_bytes(out) || out->f_flags & O_APPEND)
		return -EINVAL;
	while (!ret) {
		int ready = pipe_wait(in, false, nonblock || in->f_flags & O_NONBLOCK);

		if (ready <= 0)
			return ready;
		ret = (long)pipe_to_file(in, out, pos, len);
	}
	return ret;
}

static long between_pipes(struct file *in, struct file *out, size_t len, bool nonblock, bool keep)
{
	long ret = 0;

	if (in->f_inode == out->f_inode)
		return -EINVAL;
	nonblock |= (in->f_flags | out->f_flags) & O_NONBLOCK;
	while (!ret) {
		int ready = pipe_wait(in, false, nonblock);

		if (ready <= 0)
			return ready;
		ready = pipe_wait(out, true, nonblock);
		if (ready < 0)
			return ready;
		ret = ready ? (long)pipe_to_pipe(in, out, len, keep) : -EPIPE;
	}
	return ret == -EPIPE ? closed_pipe() : ret;
}

/* The side that is no pipe has a position: the caller's at @at, or its own. */
static long place(struct file *file, uintptr_t at, u64 *pos)
{
	*pos = file->f_pos;
	if (!at)
		return 0;
	if (get_user(*pos, at))
		return -EFAULT;
	return !file_seekable(file) || (s64)*pos < 0 ? -EINVAL : 0;
}

static long move_on(struct file *file, uintptr_t at, u64 pos)
{
	if (at)
		return put_user(pos, at) ? -EFAULT : 0;
	file->f_pos = pos;
	return 0;
}

static long splice(struct file *in, uintptr_t in_at, struct file *out, uintptr_t out_at, size_t len, bool nonblock)
{
	bool from_pipe = file_is_pipe(in), to_pipe = file_is_pipe(out);
	uintptr_t at = from_pipe ? out_at : in_at;
	struct file *file = from_pipe ? out : in;
	long ret, err;
	u64 pos;

	if ((from_pipe && in_at) || (to_pipe && out_at))
		return -ESPIPE;
	if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE))
		return -EBADF;
	if (from_pipe && to_pipe)
		return between_pipes(in, out, len, nonblock, false);
	if (!from_pipe && !to_pipe)
		return -EINVAL;
	ret = place(file, at, &pos);
	if (ret)
		return ret;
	ret = from_pipe ? to_file(in, out, &pos, len, nonblock) : from_file(in, &pos, out, len, nonblock);
	err = ret > 0 ? move_on(file, at, pos) : 0;
	return err ? err : ret;
}

static void put_both(struct file *in, struct file *out)
{
	if (in)
		fput(in);
	if (out)
		fput(out);
}

static long sys_splice(int in_fd, uintptr_t in_at, int out_fd, uintptr_t out_at, size_t len, unsigned int flags)
{
	struct file *in, *out;
	long ret = -EBADF;

	if (!len)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	in = fd_get(in_fd);
	out = fd_get(out_fd);
	if (in && out)
		ret = splice(in, in_at, out, out_at, min(len, OVERFLOW_LIMIT), flags & SPLICE_F_NONBLOCK);
	put_both(in, out);
	return ret;
}
SYSCALL(275, sys_splice);

static long sys_tee(int in_fd, int out_fd, size_t len, unsigned int flags)
{
	struct file *in, *out;
	long ret = -EBADF;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	in = fd_get(in_fd);
	out = fd_get(out_fd);
	if (in && out && in->f_mode & FMODE_READ && out->f_mode & FMODE_WRITE)
		ret = file_is_pipe(in) && file_is_pipe(out) ?
			      between_pipes(in, out, min(len, OVERFLOW_LIMIT), flags & SPLICE_F_NONBLOCK, true) :
			      -EINVAL;
	put_both(in, out);
	return ret;
}
SYSCALL(276, sys_tee);

/* A reader takes what is there; a writer waits for room, and puts in as much as fits. */
static long vmsplice(struct file *file, struct kiovec *iov, unsigned long nr, bool nonblock)
{
	bool write = file->f_mode & FMODE_WRITE;
	u64 nowhere = 0;
	int ready = pipe_wait(file, write, nonblock);
	size_t room = pipe_file_room(file);

	if (ready <= 0)
		return ready || !write ? ready : closed_pipe();
	for (unsigned long i = 0; write && i < nr; i++) {
		iov[i].len = min_t(u64, iov[i].len, room);
		room -= iov[i].len;
	}
	return rw_each(file, iov, nr, &nowhere, write ? rw_write : vfs_read);
}

static long sys_vmsplice(int fd, uintptr_t uiov, unsigned long nr, unsigned int flags)
{
	struct kiovec *iov = NULL;
	struct file *file;
	long ret = 0;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	file = fd_get(fd);
	if (!file || !file_is_pipe(file))
		ret = -EBADF;
	if (!ret)
		iov = user_iov(uiov, nr, true, &ret);
	if (iov)
		ret = vmsplice(file, iov, nr, flags & SPLICE_F_NONBLOCK);
	kfree(iov);
	if (file)
		fput(file);
	return ret;
}
SYSCALL(278, sys_vmsplice);
