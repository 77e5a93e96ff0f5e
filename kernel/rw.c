// SPDX-License-Identifier: MIT
/* read(2), write(2) and their kin, lseek(2), sendfile(2), copy_file_range(2). */
#include "kfs.h"
#include "syscall.h"

#define IOV_MAX 1024u

/*
 * Calls that go on at the file's own position take turns if more than one descriptor leads to it (POSIX: the position
 * is read and moved on as one). One of a few locks, by the file's address.
 */
static struct rw_semaphore position_locks[16] __memsys;

static struct rw_semaphore *position_lock(struct file *file)
{
	u32 mode = file->f_inode->i_mode;

	/* Alone with it: no thread shares the table, and there are the descriptor's reference and the call's. */
	if ((!S_ISREG(mode) && !S_ISDIR(mode)) || (READ_ONCE(file->f_count) <= 2 && !files_shared(current()->files)))
		return NULL;
	return &position_locks[(uintptr_t)file / 64 % ARRAY_SIZE(position_locks)];
}

static void position_begin(struct rw_semaphore *lock)
{
	if (lock)
		down_write(lock);
}

static void position_end(struct rw_semaphore *lock)
{
	if (lock)
		up_write(lock);
}

bool file_seekable(const struct file *file)
{
	return !S_ISFIFO(file->f_inode->i_mode) && !S_ISSOCK(file->f_inode->i_mode) && !(file->f_mode & FMODE_STREAM);
}

s64 vfs_read(struct file *file, void *to, size_t len, u64 *pos, bool user)
{
	struct iov_iter iter = { to, min(len, OVERFLOW_LIMIT), user };
	s64 got;

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (S_ISDIR(file->f_inode->i_mode))
		return -EISDIR;
	if (!file->f_op->read_iter)
		return -EINVAL;
	if ((s64)*pos < 0 && !(file->f_mode & FMODE_UNSIGNED))
		return -EINVAL;
	if (user && !access_ok((uintptr_t)to, len))
		return -EFAULT;
	got = file->f_op->read_iter(file, &iter, pos);
	if (got > 0 && !(file->f_flags & O_NOATIME) && S_ISREG(file->f_inode->i_mode))
		file->f_inode->i_atime = max(file->f_inode->i_atime, file->f_inode->i_mtime);
	return got;
}

/* RLIMIT_FSIZE: what lies below may still be written. */
static s64 below_limit(struct file *file, u64 pos, size_t *len)
{
	unsigned long limit = task_rlimit(current_task(), RLIMIT_FSIZE);

	if (!S_ISREG(file->f_inode->i_mode) || limit == RLIM_INFINITY)
		return 0;
	if (pos >= limit) {
		send_signal(current(), SIGXFSZ, false);
		return -EFBIG;
	}
	*len = min_t(u64, *len, limit - pos);
	return 0;
}

s64 vfs_write(struct file *file, const void *from, size_t len, u64 *pos, bool user)
{
	struct iov_iter iter = { (void *)(uintptr_t)from, min(len, OVERFLOW_LIMIT), user };
	s64 err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!file->f_op->write_iter)
		return -EINVAL;
	if ((s64)*pos < 0)
		return -EINVAL;
	if (user && !access_ok((uintptr_t)from, len))
		return -EFAULT;
	if (file->f_flags & O_APPEND && S_ISREG(file->f_inode->i_mode))
		*pos = i_size_read(file->f_inode);
	if (iter.count) {
		err = below_limit(file, *pos, &iter.count);
		if (err)
			return err;
	}
	return file->f_op->write_iter(file, &iter, pos);
}

s64 rw_write(struct file *file, void *buffer, size_t len, u64 *pos, bool user)
{
	return vfs_write(file, buffer, len, pos, user);
}

static long rw_here(int fd, uintptr_t buffer, size_t len, rw_fn fn)
{
	struct file *file = fd_get(fd);
	struct rw_semaphore *lock;
	u64 pos;
	s64 got;

	if (!file)
		return -EBADF;
	lock = position_lock(file);
	position_begin(lock);
	pos = file->f_pos;
	got = fn(file, (void *)buffer, len, &pos, true);
	if (got >= 0)
		file->f_pos = pos;
	position_end(lock);
	fput(file);
	return (long)got;
}

static long sys_read(int fd, uintptr_t to, size_t len)
{
	return rw_here(fd, to, len, vfs_read);
}
SYSCALL(0, sys_read);

static long sys_write(int fd, uintptr_t from, size_t len)
{
	return rw_here(fd, from, len, rw_write);
}
SYSCALL(1, sys_write);

static long rw_at(int fd, uintptr_t buffer, size_t len, u64 pos, rw_fn fn)
{
	struct file *file = fd_get(fd);
	s64 got;

	if (!file)
		return (s64)pos < 0 ? -EINVAL : -EBADF;
	if ((s64)pos < 0 && !(file->f_mode & FMODE_UNSIGNED)) {
		fput(file);
		return -EINVAL;
	}
	got = file_seekable(file) ? fn(file, (void *)buffer, len, &pos, true) : -ESPIPE;
	fput(file);
	return (long)got;
}

static long sys_pread64(int fd, uintptr_t to, size_t len, u64 pos)
{
	return rw_at(fd, to, len, pos, vfs_read);
}
SYSCALL(17, sys_pread64);

static long sys_pwrite64(int fd, uintptr_t from, size_t len, u64 pos)
{
	return rw_at(fd, from, len, pos, rw_write);
}
SYSCALL(18, sys_pwrite64);

/* ---- Several buffers ---- */

struct kiovec *user_iov(uintptr_t at, unsigned long nr, bool own, long *err)
{
	struct kiovec *iov;
	u64 sum = 0;

	*err = nr > IOV_MAX ? -EINVAL : 0;
	if (*err || !nr)
		return NULL;
	iov = kmalloc(nr * sizeof(*iov), GFP_KERNEL);
	*err = -ENOMEM;
	if (!iov)
		return NULL;
	*err = copy_from_user(iov, at, nr * sizeof(*iov)) ? -EFAULT : 0;
	for (unsigned long i = 0; !*err && i < nr; i++) {
		if ((s64)iov[i].len < 0)
			*err = -EINVAL;
		else if (own && !access_ok(iov[i].base, iov[i].len))
			*err = -EFAULT;
		if (!own)
			continue;
		iov[i].len = min_t(u64, iov[i].len, OVERFLOW_LIMIT - sum);
		sum += iov[i].len;
	}
	if (!*err)
		return iov;
	kfree(iov);
	return NULL;
}

/* Return: bytes copied from (@out) or to user memory at @iov, of the @len at @buffer; or errno. */
static s64 copy_pieces(const struct kiovec *iov, unsigned long nr, char *buffer, size_t len, bool out)
{
	size_t done = 0;

	for (unsigned long i = 0; i < nr && done < len; i++) {
		size_t n = min_t(size_t, iov[i].len, len - done);

		if (out ? copy_from_user(buffer + done, iov[i].base, n) : copy_to_user(iov[i].base, buffer + done, n))
			return -EFAULT;
		done += n;
	}
	return (s64)done;
}

/* A message is what all buffers hold together. @max: the longest there is; one byte more is too long. */
static long rw_message(struct file *file, const struct kiovec *iov, unsigned long nr, size_t max, u64 *pos, rw_fn fn)
{
	size_t len = 0;
	char *buffer;
	s64 got;

	for (unsigned long i = 0; i < nr; i++)
		len += iov[i].len;
	len = min(len, max + 1);
	/* No message at all, not an empty one. */
	if (!len)
		return 0;
	buffer = kvmalloc(len, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	got = fn == rw_write ? copy_pieces(iov, nr, buffer, len, true) : 0;
	if (got >= 0)
		got = fn(file, buffer, len, pos, false);
	if (got > 0 && fn != rw_write)
		got = copy_pieces(iov, nr, buffer, (size_t)got, false);
	kvfree(buffer);
	return (long)got;
}

long rw_each(struct file *file, const struct kiovec *iov, unsigned long nr, u64 *pos, rw_fn fn)
{
	size_t message = sock_message_max(file);
	s64 total = 0, got = 0;

	if (message)
		return rw_message(file, iov, nr, message, pos, fn);
	if (!nr)
		return (long)fn(file, NULL, 0, pos, true);
	for (unsigned long i = 0; i < nr; i++) {
		if (!iov[i].len && nr > 1)
			continue;
		got = fn(file, (void *)(uintptr_t)iov[i].base, iov[i].len, pos, true);
		if (got < 0)
			return (long)(total ? total : got);
		total += got;
		if ((u64)got < iov[i].len)
			break;
		/* A reader of a pipe or terminal gets what is there and does not wait for more. */
		if (fn == vfs_read && !S_ISREG(file->f_inode->i_mode))
			break;
	}
	return (long)total;
}

static long rw_vector(int fd, uintptr_t uiov, unsigned long nr, s64 at, bool here, rw_fn fn)
{
	struct rw_semaphore *lock;
	struct kiovec *iov;
	struct file *file;
	u64 pos;
	long ret;

	if (!here && at < 0)
		return -EINVAL;
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	iov = user_iov(uiov, nr, true, &ret);
	if (ret || (!here && !file_seekable(file))) {
		ret = ret ? ret : -ESPIPE;
		goto out;
	}
	lock = here ? position_lock(file) : NULL;
	position_begin(lock);
	pos = here ? file->f_pos : (u64)at;
	ret = rw_each(file, iov, nr, &pos, fn);
	if (here && ret >= 0)
		file->f_pos = pos;
	position_end(lock);
out:
	kfree(iov);
	fput(file);
	return ret;
}

static long sys_readv(int fd, uintptr_t iov, unsigned long nr)
{
	return rw_vector(fd, iov, nr, 0, true, vfs_read);
}
SYSCALL(19, sys_readv);

static long sys_writev(int fd, uintptr_t iov, unsigned long nr)
{
	return rw_vector(fd, iov, nr, 0, true, rw_write);
}
SYSCALL(20, sys_writev);

static long sys_preadv(int fd, uintptr_t iov, unsigned long nr, s64 pos)
{
	return rw_vector(fd, iov, nr, pos, false, vfs_read);
}
SYSCALL(295, sys_preadv);

static long sys_pwritev(int fd, uintptr_t iov, unsigned long nr, s64 pos)
{
	return rw_vector(fd, iov, nr, pos, false, rw_write);
}
SYSCALL(296, sys_pwritev);

/* The flags (RWF_*) ask for speed or order that memory has anyway, but RWF_APPEND (16): that one is not here. */
#define RWF_HARMLESS 15

static long sys_preadv2(int fd, uintptr_t iov, unsigned long nr, s64 pos, unsigned long high, int flags)
{
	(void)high;
	if (flags & ~RWF_HARMLESS)
		return -EOPNOTSUPP;
	return rw_vector(fd, iov, nr, pos, pos == -1, vfs_read);
}
SYSCALL(327, sys_preadv2);

static long sys_pwritev2(int fd, uintptr_t iov, unsigned long nr, s64 pos, unsigned long high, int flags)
{
	(void)high;
	if (flags & ~RWF_HARMLESS)
		return -EOPNOTSUPP;
	return rw_vector(fd, iov, nr, pos, pos == -1, rw_write);
}
SYSCALL(328, sys_pwritev2);

/* ---- lseek ---- */

/* Contents that are all there: data up to the end, then the hole. */
static s64 seek_target(struct file *file, s64 offset, int whence)
{
	s64 size = (s64)i_size_read(file->f_inode);

	switch (whence) {
	case SEEK_SET:
		return offset;
	case SEEK_CUR:
		return (s64)file->f_pos + offset;
	case SEEK_END:
		return size + offset;
	case SEEK_DATA:
		return offset < 0 || offset >= size ? -ENXIO : offset;
	case SEEK_HOLE:
		return offset < 0 || offset >= size ? -ENXIO : size;
	}
	return -EINVAL;
}

static long sys_lseek(int fd, s64 offset, int whence)
{
	struct file *file = fd_get(fd);
	struct rw_semaphore *lock;
	s64 to;

	if (!file)
		return -EBADF;
	if (!file_seekable(file) || file->f_flags & O_PATH) {
		to = file->f_flags & O_PATH ? -EBADF : -ESPIPE;
		fput(file);
		return (long)to;
	}
	lock = position_lock(file);
	position_begin(lock);
	if (file->f_op->llseek) {
		to = file->f_op->llseek(file, offset, whence);
	} else {
		to = seek_target(file, offset, whence);
		if (to < 0 && whence <= SEEK_END)
			to = -EINVAL;
	}
	/* Addresses of the kernel's are positions, too: only the last 4095 numbers are errors. */
	if (to >= 0 || to < -4095)
		file->f_pos = (u64)to;
	position_end(lock);
	fput(file);
	return (long)to;
}
SYSCALL(8, sys_lseek);

/* ---- From file to file ---- */

#define COPY_CHUNK (16 * PAGE_SIZE)

s64 copy_between(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t len, bool once)
{
	size_t chunk = min(len, COPY_CHUNK);
	s64 total = 0, got = 0, put = 0;
	char *buffer;

	if (!len)
		return 0;
	buffer = kvmalloc(chunk, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	while ((size_t)total < len) {
		u64 from = *in_pos;

		got = vfs_read(in, buffer, min(chunk, len - (size_t)total), &from, false);
		if (got <= 0)
			break;
		put = vfs_write(out, buffer, (size_t)got, out_pos, false);
		if (put <= 0)
			break;
		*in_pos += (u64)put;
		total += put;
		if (put < got || once)
			break;
	}
	kvfree(buffer);
	return total ? total : got < 0 ? got : put;
}

static long sys_sendfile(int out_fd, int in_fd, uintptr_t uoffset, size_t len)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	u64 in_pos, out_pos;
	s64 ret = -EBADF;

	if (!in || !out || !(in->f_mode & FMODE_READ))
		goto out;
	in_pos = in->f_pos;
	out_pos = out->f_pos;
	ret = 0;
	if (uoffset) {
		if (get_user(in_pos, uoffset)) {
			ret = -EFAULT;
			goto out;
		}
		ret = !file_seekable(in) ? -ESPIPE : (s64)in_pos < 0 ? -EINVAL : 0;
	}
	if (!ret && !(out->f_mode & FMODE_WRITE))
		ret = -EBADF;
	/* Linux sends what has pages; a terminal or a pipe is not read so. */
	if (!ret && !S_ISREG(in->f_inode->i_mode) && !S_ISBLK(in->f_inode->i_mode))
		ret = -EINVAL;
	if (!ret && out->f_flags & O_APPEND)
		ret = -EINVAL;
	if (!ret)
		ret = copy_between(in, &in_pos, out, &out_pos, min(len, OVERFLOW_LIMIT), false);
	if (ret > 0) {
		out->f_pos = out_pos;
		if (!uoffset)
			in->f_pos = in_pos;
	}
	/* Even if nothing was sent. */
	if (uoffset && put_user(in_pos, uoffset))
		ret = -EFAULT;
out:
	if (in)
		fput(in);
	if (out)
		fput(out);
	return (long)ret;
}
SYSCALL(40, sys_sendfile);

static s64 copy_range_check(struct file *in, struct file *out, u64 in_pos, u64 out_pos, size_t len)
{
	if (S_ISDIR(in->f_inode->i_mode) || S_ISDIR(out->f_inode->i_mode))
		return -EISDIR;
	if (!S_ISREG(in->f_inode->i_mode) || !S_ISREG(out->f_inode->i_mode))
		return -EINVAL;
	if (out->f_flags & O_APPEND)
		return -EBADF;
	if ((s64)in_pos < 0 || (s64)out_pos < 0 || in_pos + len < in_pos || out_pos + len < out_pos)
		return -EOVERFLOW;
	if (in->f_inode == out->f_inode && in_pos < out_pos + len && out_pos < in_pos + len)
		return -EINVAL;
	return 0;
}

static long sys_copy_file_range(int in_fd, uintptr_t uin, int out_fd, uintptr_t uout, size_t len, unsigned int flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	u64 in_pos, out_pos;
	s64 ret = -EBADF;

	if (!in || !out)
		goto out;
	in_pos = in->f_pos;
	out_pos = out->f_pos;
	ret = flags ? -EINVAL : 0;
	if (!ret && uin)
		ret = get_user(in_pos, uin);
	if (!ret && uout)
		ret = get_user(out_pos, uout);
	if (!ret)
		ret = copy_range_check(in, out, in_pos, out_pos, len);
	if (ret)
		goto out;
	ret = copy_between(in, &in_pos, out, &out_pos, min(len, OVERFLOW_LIMIT), false);
	if (ret <= 0)
		goto out;
	if (!uin)
		in->f_pos = in_pos;
	else if (put_user(in_pos, uin))
		ret = -EFAULT;
	if (!uout)
		out->f_pos = out_pos;
	else if (put_user(out_pos, uout))
		ret = -EFAULT;
out:
	if (in)
		fput(in);
	if (out)
		fput(out);
	return (long)ret;
}
SYSCALL(326, sys_copy_file_range);
