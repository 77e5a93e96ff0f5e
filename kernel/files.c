// SPDX-License-Identifier: MIT
/* Descriptors: dup(2), close(2), close_range(2), fcntl(2). */
#include "kfs.h"
#include "syscall.h"

#define NR_OPEN (1u << 20)
#define FIRST_SIZE 64u

struct files {
	unsigned int refs;
	struct klock lock;
	unsigned int size, from; /* none below @from is free */
	struct file **file;
	u64 *cloexec;		 /* a bit for each */
};

static bool table_alloc(unsigned int size, struct file ***file, u64 **cloexec)
{
	*file = kvcalloc(size, sizeof(**file), GFP_KERNEL);
	*cloexec = kvcalloc(size / 64, sizeof(**cloexec), GFP_KERNEL);
	if (*file && *cloexec)
		return true;
	kvfree(*file);
	kvfree(*cloexec);
	return false;
}

struct files *files_new(void)
{
	struct files *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return NULL;
	f->refs = 1;
	f->size = FIRST_SIZE;
	if (table_alloc(f->size, &f->file, &f->cloexec))
		return f;
	kfree(f);
	return NULL;
}

struct files *files_dup(struct files *from)
{
	struct files *f = files_new();
	unsigned long flags;

	if (!f)
		return NULL;
	for (;;) {
		unsigned int size = READ_ONCE(from->size);

		if (f->size < size) {
			kvfree(f->file);
			kvfree(f->cloexec);
			f->size = size;
			if (!table_alloc(size, &f->file, &f->cloexec)) {
				kfree(f);
				return NULL;
			}
		}
		flags = klock(&from->lock);
		if (from->size <= f->size)
			break;
		kunlock(&from->lock, flags);
	}
	for (unsigned int i = 0; i < from->size; i++)
		if (from->file[i])
			f->file[i] = get_file(from->file[i]);
	memcpy(f->cloexec, from->cloexec, from->size / 64 * sizeof(u64));
	f->from = from->from;
	kunlock(&from->lock, flags);
	return f;
}

struct files *files_get(struct files *files)
{
	katomic_inc(&files->refs);
	return files;
}

struct files *task_files(struct task *task)
{
	unsigned long flags = klock(&tasks_lock);
	struct files *files = task->files ? files_get(task->files) : NULL;

	kunlock(&tasks_lock, flags);
	return files;
}

bool files_shared(const struct files *files)
{
	return katomic_read(&files->refs) > 1;
}

static int close_file(struct files *files, struct file *file)
{
	if (file->f_inode)
		locks_release_files(file->f_inode, files);
	fput(file);
	return 0;
}

void files_put(struct files *files)
{
	if (!files || katomic_dec(&files->refs))
		return;
	for (unsigned int i = 0; i < files->size; i++)
		if (files->file[i])
			close_file(files, files->file[i]);
	kvfree(files->file);
	kvfree(files->cloexec);
	kfree(files);
}

struct file *files_lookup(struct files *files, int fd)
{
	unsigned long flags = klock(&files->lock);
	struct file *file = NULL;

	if (fd >= 0 && (unsigned int)fd < files->size && files->file[fd])
		file = get_file(files->file[fd]);
	kunlock(&files->lock, flags);
	return file;
}

struct file *fd_get(int fd)
{
	return files_lookup(current()->files, fd);
}

static void set_cloexec(struct files *files, unsigned int fd, bool on)
{
	if (on)
		files->cloexec[fd / 64] |= 1ull << fd % 64;
	else
		files->cloexec[fd / 64] &= ~(1ull << fd % 64);
}

unsigned int files_cloexec_bit(struct files *files, int fd)
{
	return files->cloexec[fd / 64] >> fd % 64 & 1;
}

int fd_reserve_limit(void)
{
	unsigned long limit = task_rlimit(current_task(), RLIMIT_NOFILE);

	return (int)min_t(unsigned long, limit, NR_OPEN);
}

/* Room for descriptor @fd. Called and returns with the lock held, which it lets go meanwhile. */
static int table_grow(struct files *files, unsigned int fd, unsigned long *flags)
{
	while (fd >= files->size) {
		unsigned int size = (unsigned int)roundup_pow_of_two(fd + 1);
		struct file **file, **old_file;
		u64 *cloexec, *old_cloexec;

		kunlock(&files->lock, *flags);
		if (!table_alloc(size, &file, &cloexec)) {
			*flags = klock(&files->lock);
			return -ENOMEM;
		}
		*flags = klock(&files->lock);
		if (size > files->size) {
			memcpy(file, files->file, files->size * sizeof(*file));
			memcpy(cloexec, files->cloexec, files->size / 64 * sizeof(*cloexec));
			old_file = files->file;
			old_cloexec = files->cloexec;
			files->file = file;
			files->cloexec = cloexec;
			files->size = size;
		} else {
			old_file = file;
			old_cloexec = cloexec;
		}
		kunlock(&files->lock, *flags);
		kvfree(old_file);
		kvfree(old_cloexec);
		*flags = klock(&files->lock);
	}
	return 0;
}

int fd_install(struct file *file, int from, bool cloexec)
{
	struct files *files = current()->files;
	unsigned int limit = (unsigned int)fd_reserve_limit(), fd;
	unsigned long flags = klock(&files->lock);
	int err;

	for (;;) {
		fd = max((unsigned int)from, files->from);
		while (fd < files->size && files->file[fd])
			fd++;
		if (fd >= limit) {
			kunlock(&files->lock, flags);
			return -EMFILE;
		}
		if (fd < files->size)
			break;
		err = table_grow(files, fd, &flags);
		if (err) {
			kunlock(&files->lock, flags);
			return err;
		}
	}
	if ((unsigned int)from <= files->from)
		files->from = fd + 1;
	files->file[fd] = file;
	set_cloexec(files, fd, cloexec);
	kunlock(&files->lock, flags);
	return (int)fd;
}

static struct file *fd_take(struct files *files, unsigned int fd)
{
	unsigned long flags = klock(&files->lock);
	struct file *file = NULL;

	if (fd < files->size) {
		file = files->file[fd];
		files->file[fd] = NULL;
		set_cloexec(files, fd, false);
		if (file)
			files->from = min(files->from, fd);
	}
	kunlock(&files->lock, flags);
	return file;
}

int fd_close(int fd)
{
	struct file *file = fd < 0 ? NULL : fd_take(current()->files, (unsigned int)fd);

	return file ? close_file(current()->files, file) : -EBADF;
}

void files_close_on_exec(struct files *files)
{
	for (unsigned int fd = 0; fd < files->size; fd++) {
		struct file *file;

		if (!(fd % 64) && !files->cloexec[fd / 64]) {
			fd += 63;
			continue;
		}
		if (!files_cloexec_bit(files, (int)fd))
			continue;
		file = fd_take(files, fd);
		if (file)
			close_file(files, file);
	}
}

void fd_each(struct task *task, bool (*fn)(void *ctx, int fd, struct file *file), void *ctx)
{
	struct files *files = task_files(task);

	if (!files)
		return;
	for (unsigned int fd = 0; fd < READ_ONCE(files->size); fd++) {
		struct file *file = files_lookup(files, (int)fd);
		bool more = true;

		if (!file)
			continue;
		more = fn(ctx, (int)fd, file);
		fput(file);
		if (!more)
			break;
	}
	files_put(files);
}

/* ---- System calls ---- */

static long sys_close(int fd)
{
	return fd_close(fd);
}
SYSCALL(3, sys_close);

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

static long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	struct files *files = current()->files, *own;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE && katomic_read(&files->refs) > 1) {
		own = files_dup(files);
		if (!own)
			return -ENOMEM;
		current()->files = own;
		files_put(files);
		files = own;
	}
	for (unsigned int fd = first; fd <= last && fd < READ_ONCE(files->size); fd++) {
		if (flags & CLOSE_RANGE_CLOEXEC) {
			unsigned long irq = klock(&files->lock);

			if (files->file[fd])
				set_cloexec(files, fd, true);
			kunlock(&files->lock, irq);
		} else {
			fd_close((int)fd);
		}
	}
	return 0;
}
SYSCALL(436, sys_close_range);

static long dup_at_least(int fd, int from, bool cloexec)
{
	struct file *file = fd_get(fd);
	int new;

	if (!file)
		return -EBADF;
	new = fd_install(file, from, cloexec);
	if (new < 0)
		fput(file);
	return new;
}

static long sys_dup(int fd)
{
	return dup_at_least(fd, 0, false);
}
SYSCALL(32, sys_dup);

static long dup_to(int fd, int to, bool cloexec)
{
	struct files *files = current()->files;
	struct file *file, *was;
	unsigned long flags;
	int err;

	if (to < 0 || to >= fd_reserve_limit())
		return -EBADF;
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	flags = klock(&files->lock);
	err = table_grow(files, (unsigned int)to, &flags);
	if (err) {
		kunlock(&files->lock, flags);
		fput(file);
		return err;
	}
	was = files->file[to];
	files->file[to] = file;
	set_cloexec(files, (unsigned int)to, cloexec);
	kunlock(&files->lock, flags);
	if (was)
		close_file(files, was);
	return to;
}

static long sys_dup2(int fd, int to)
{
	struct file *file;

	if (fd != to)
		return dup_to(fd, to, false);
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	fput(file);
	return to;
}
SYSCALL(33, sys_dup2);

static long sys_dup3(int fd, int to, int flags)
{
	if (flags & ~O_CLOEXEC || fd == to)
		return -EINVAL;
	return dup_to(fd, to, flags & O_CLOEXEC);
}
SYSCALL(292, sys_dup3);

#define SETFL_MAY (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static long fd_flags(int fd, int cmd, unsigned long arg)
{
	struct files *files = current()->files;
	unsigned long flags = klock(&files->lock);
	long ret = -EBADF;

	if (fd >= 0 && (unsigned int)fd < files->size && files->file[fd]) {
		ret = 0;
		if (cmd == F_GETFD)
			ret = files_cloexec_bit(files, fd) ? FD_CLOEXEC : 0;
		else
			set_cloexec(files, (unsigned int)fd, arg & FD_CLOEXEC);
	}
	kunlock(&files->lock, flags);
	return ret;
}

static long file_fcntl(struct file *file, int fd, int cmd, unsigned long arg)
{
	bool path_only = file->f_flags & O_PATH;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= (unsigned long)fd_reserve_limit())
			return -EINVAL;
		return dup_at_least(fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFL:
		/* Linux shows O_LARGEFILE to 64-bit programs for files opened by name. */
		return (long)(file->f_flags | (file->f_path && !path_only ? O_LARGEFILE : 0));
	}
	if (path_only)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		file->f_flags = (file->f_flags & ~(u32)SETFL_MAY) | ((u32)arg & SETFL_MAY);
		return 0;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return locks_fcntl(file, cmd, arg);
	case F_SETOWN:
	case F_GETOWN:
		return 0;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return pipe_fcntl(file, cmd, arg);
	case F_ADD_SEALS:
		return memfd_add_seals(file, (unsigned int)arg);
	case F_GET_SEALS:
		return memfd_get_seals(file);
	}
	return -EINVAL;
}

static long sys_fcntl(int fd, int cmd, unsigned long arg)
{
	struct file *file;
	long ret;

	if (cmd == F_GETFD || cmd == F_SETFD)
		return fd_flags(fd, cmd, arg);
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	ret = file_fcntl(file, fd, cmd, arg);
	fput(file);
	return ret;
}
SYSCALL(72, sys_fcntl);

static long sys_ioctl(int fd, unsigned int cmd, unsigned long arg)
{
	struct file *file = fd_get(fd);
	long ret = -ENOTTY;
	int on;

	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH) {
		ret = -EBADF;
	} else if (cmd == FIOCLEX || cmd == FIONCLEX) {
		ret = fd_flags(fd, F_SETFD, cmd == FIOCLEX ? FD_CLOEXEC : 0);
	} else if (cmd == FIONBIO) {
		ret = get_user(on, arg);
		if (!ret)
			file->f_flags = on ? file->f_flags | O_NONBLOCK : file->f_flags & ~(u32)O_NONBLOCK;
	} else if (file->f_op->ioctl) {
		ret = file->f_op->ioctl(file, cmd, arg);
	} else if (cmd == FIONREAD && S_ISREG(file->f_inode->i_mode)) {
		s32 left = (s32)min_t(u64, i_size_read(file->f_inode) - file->f_pos, 0x7fffffff);

		ret = put_user(left, arg);
	}
	fput(file);
	return ret;
}
SYSCALL(16, sys_ioctl);
