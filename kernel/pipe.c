// SPDX-License-Identifier: MIT
/*
 * Pipes and fifos: pipe(7), fifo(7).
 *
 * A ring of bytes over up to 256 pages, each allocated when it is first written to and given back when the pipe is
 * empty. A sleeping lock guards it, since copies to and from user space may fault. Writes of up to PIPE_BUF bytes wait
 * until they fit as a whole.
 */
#include "kfs.h"
#include "syscall.h"

#define PIPE_BUF 4096u
#define PIPE_PAGES 16u
#define PIPE_PAGES_MAX 256u /* /proc/sys/fs/pipe-max-size: 1 MiB */

struct pipe {
	struct rw_semaphore lock;
	struct wait_queue readable, writable;
	struct page **page;
	u64 head, tail;		    /* bytes written and read, ever */
	u32 pages;		    /* a power of two */
	unsigned int readers, writers;
	unsigned int reads, writes; /* opens, ever: who opens a fifo waits for the other side's next */
};

static size_t pipe_size(const struct pipe *pipe)
{
	return pipe->pages * PAGE_SIZE;
}

static size_t pipe_held(const struct pipe *pipe)
{
	return (size_t)(READ_ONCE(pipe->head) - READ_ONCE(pipe->tail));
}

static size_t pipe_room(const struct pipe *pipe)
{
	return pipe_size(pipe) - pipe_held(pipe);
}

static struct pipe *pipe_new(void)
{
	struct pipe *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);

	if (!pipe)
		return NULL;
	pipe->page = kcalloc(PIPE_PAGES, sizeof(*pipe->page), GFP_KERNEL);
	pipe->pages = PIPE_PAGES;
	init_rwsem(&pipe->lock);
	if (pipe->page)
		return pipe;
	kfree(pipe);
	return NULL;
}

static void pipe_free_pages(struct pipe *pipe)
{
	for (u32 i = 0; i < pipe->pages; i++)
		if (pipe->page[i]) {
			put_page(pipe->page[i]);
			pipe->page[i] = NULL;
		}
}

static void pipe_free(struct pipe *pipe)
{
	if (!pipe)
		return;
	pipe_free_pages(pipe);
	kfree(pipe->page);
	kfree(pipe);
}

void fifo_evict(struct vnode *vnode)
{
	pipe_free(vnode->data);
}

/* ---- Bytes in and out; with the lock held ---- */

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = min(a, b);

	return min(ab, c);
}

/* The bytes from the @at-th ever on that lie in one page, up to *@len of them. Undone by kunmap_local(). */
static char *pipe_map(const struct pipe *pipe, u64 at, size_t *len)
{
	size_t place = at & (pipe_size(pipe) - 1), off = place & (PAGE_SIZE - 1);

	*len = least(*len, (size_t)(pipe->head - at), PAGE_SIZE - off);
	return (char *)kmap_local_page(pipe->page[place >> PAGE_SHIFT]) + off;
}

/* Return: bytes taken; fewer than there are if user memory ends. */
static size_t pipe_take(struct pipe *pipe, struct iov_iter *to)
{
	size_t total = 0;

	while (to->count && pipe_held(pipe)) {
		size_t n = to->count, got;
		char *from = pipe_map(pipe, pipe->tail, &n);

		got = copy_to_iter(from, n, to);
		kunmap_local(from);
		pipe->tail += got;
		total += got;
		if (got < n)
			break;
	}
	return total;
}

static s64 pipe_put(struct pipe *pipe, struct iov_iter *from)
{
	s64 total = 0;

	while (from->count && pipe_room(pipe)) {
		size_t at = pipe->head & (pipe_size(pipe) - 1), off = at & (PAGE_SIZE - 1);
		size_t n = least(from->count, pipe_room(pipe), PAGE_SIZE - off), got;
		struct page **page = &pipe->page[at >> PAGE_SHIFT];
		char *to;

		if (!*page)
			*page = alloc_pages(GFP_KERNEL, 0);
		if (!*page)
			return total ? total : -ENOMEM;
		to = kmap_local_page(*page);
		got = copy_from_iter(to + off, n, from);
		kunmap_local(to);
		pipe->head += got;
		total += (s64)got;
		if (got < n)
			return total ? total : -EFAULT;
	}
	return total;
}

/* ---- read and write ---- */

static s64 pipe_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct pipe *pipe = file->private_data;
	size_t got = 0;
	int err;

	(void)pos;
	if (!to->count)
		return 0;
	for (;;) {
		bool any, writers;

		down_write(&pipe->lock);
		any = pipe_held(pipe);
		writers = pipe->writers;
		if (any)
			got = pipe_take(pipe, to);
		up_write(&pipe->lock);
		if (any || !writers)
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&pipe->readable, pipe_held(pipe) || !READ_ONCE(pipe->writers));
		if (err)
			return err;
	}
	if (got)
		wake_up(&pipe->writable);
	return got || !pipe_held(pipe) || !to->count ? (s64)got : -EFAULT;
}

/* Bytes that must fit at once for a write of @count to go on. */
static size_t pipe_need(size_t count)
{
	return count <= PIPE_BUF ? count : 1;
}

static s64 pipe_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct pipe *pipe = file->private_data;
	s64 total = 0, put;
	int err;

	(void)pos;
	while (from->count) {
		size_t need = total ? 1 : pipe_need(from->count);

		down_write(&pipe->lock);
		if (!pipe->readers) {
			up_write(&pipe->lock);
			send_signal(current(), SIGPIPE, false);
			return total ? total : -EPIPE;
		}
		put = pipe_room(pipe) >= need ? pipe_put(pipe, from) : 0;
		up_write(&pipe->lock);
		if (put > 0) {
			total += put;
			wake_up(&pipe->readable);
			continue;
		}
		if (put < 0)
			return total ? total : put;
		if (file->f_flags & O_NONBLOCK)
			return total ? total : -EAGAIN;
		err = wait_event_interruptible(&pipe->writable,
					       pipe_room(pipe) >= need || !READ_ONCE(pipe->readers));
		if (err)
			return total ? total : err;
	}
	return total;
}

static unsigned int pipe_poll(struct file *file, void *table)
{
	struct pipe *pipe = file->private_data;
	unsigned int mask = 0;

	if (file->f_mode & FMODE_READ) {
		poll_wait(file, &pipe->readable, table);
		if (pipe_held(pipe))
			mask |= POLLIN | POLLRDNORM;
		if (!READ_ONCE(pipe->writers))
			mask |= POLLHUP;
	}
	if (file->f_mode & FMODE_WRITE) {
		poll_wait(file, &pipe->writable, table);
		if (pipe_room(pipe) >= PIPE_BUF)
			mask |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			mask |= POLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	s32 held = (s32)pipe_held(file->private_data);

	return cmd == FIONREAD ? put_user(held, arg) : -ENOTTY;
}

static void pipe_release(struct file *file)
{
	struct pipe *pipe = file->private_data;

	down_write(&pipe->lock);
	if (file->f_mode & FMODE_READ)
		pipe->readers--;
	if (file->f_mode & FMODE_WRITE)
		pipe->writers--;
	if (!pipe->readers && !pipe->writers) {
		pipe_free_pages(pipe);
		pipe->head = pipe->tail = 0;
	}
	up_write(&pipe->lock);
	wake_up(&pipe->readable);
	wake_up(&pipe->writable);
	file_release_path(file);
}

static size_t pipe_show_path(const struct file *file, char *text, size_t size)
{
	size_t len = file->f_path ? vfs_path(file, text, size) :
				    octavo_snprintf(text, size, "pipe:[%llu]",
						    (unsigned long long)file->f_inode->i_ino);

	return min(len, size);
}

static const struct file_operations pipe_fops = { .read_iter = pipe_read,
						  .write_iter = pipe_write,
						  .poll = pipe_poll,
						  .ioctl = pipe_ioctl,
						  .release = pipe_release,
						  .show_path = pipe_show_path };

bool file_is_pipe(const struct file *file)
{
	return file->f_op == &pipe_fops;
}

/* ---- From pipe to pipe and to files, for splice.c ---- */

/* Return: 1: there is something to take (@write: room); 0: nor will there be; or errno. */
int pipe_wait(struct file *file, bool write, bool nonblock)
{
	struct pipe *pipe = file->private_data;
	int err;

	for (;;) {
		/* First the other side: who writes and goes in between has left something to be read. */
		bool other = READ_ONCE(*(write ? &pipe->readers : &pipe->writers));
		bool ready = write ? pipe_room(pipe) : pipe_held(pipe);

		/* Nobody writes to nobody. */
		if (ready && (other || !write))
			return 1;
		if (!other)
			return 0;
		if (nonblock)
			return -EAGAIN;
		if (write)
			err = wait_event_interruptible(&pipe->writable,
						       pipe_room(pipe) || !READ_ONCE(pipe->readers));
		else
			err = wait_event_interruptible(&pipe->readable,
						       pipe_held(pipe) || !READ_ONCE(pipe->writers));
		if (err)
			return err;
	}
}

size_t pipe_file_room(const struct file *file)
{
	return pipe_room(file->private_data);
}

/* Both locked. @keep: what is copied stays in @in, too. */
static s64 pipe_copy(struct pipe *in, struct pipe *out, size_t len, bool keep)
{
	u64 at = in->tail;
	s64 put = 0;

	while (len && at != in->head && pipe_room(out)) {
		size_t n = len;
		char *from = pipe_map(in, at, &n);
		struct iov_iter iter = { from, n, false };

		put = pipe_put(out, &iter);
		kunmap_local(from);
		if (put <= 0)
			break;
		at += (u64)put;
		len -= (size_t)put;
	}
	if (at != in->tail)
		put = (s64)(at - in->tail);
	if (!keep)
		in->tail = at;
	return put;
}

/* Return: bytes, of those that are there now; 0: there are none, or no room; or errno. */
s64 pipe_to_pipe(struct file *from, struct file *to, size_t len, bool keep)
{
	struct pipe *in = from->private_data, *out = to->private_data;
	s64 ret;

	down_write(in < out ? &in->lock : &out->lock);
	down_write(in < out ? &out->lock : &in->lock);
	ret = out->readers ? pipe_copy(in, out, len, keep) : -EPIPE;
	up_write(&in->lock);
	up_write(&out->lock);
	if (ret > 0) {
		wake_up(&out->readable);
		if (!keep)
			wake_up(&in->writable);
	}
	return ret;
}

/* What is written is taken out. Return: bytes, of those that are there now; or errno. */
s64 pipe_to_file(struct file *from, struct file *to, u64 *pos, size_t len)
{
	struct pipe *pipe = from->private_data;
	s64 total = 0, put = 0;

	down_write(&pipe->lock);
	while (len && pipe_held(pipe)) {
		size_t n = len;
		char *bytes = pipe_map(pipe, pipe->tail, &n);

		put = vfs_write(to, bytes, n, pos, false);
		kunmap_local(bytes);
		if (put <= 0)
			break;
		pipe->tail += (u64)put;
		total += put;
		len -= (size_t)put;
	}
	up_write(&pipe->lock);
	if (total)
		wake_up(&pipe->writable);
	return total ? total : put;
}

/* ---- Making them ---- */

static void pipe_join(struct pipe *pipe, struct file *file)
{
	file->f_op = &pipe_fops;
	file->private_data = pipe;
	file->f_mode |= FMODE_STREAM;
	if (file->f_mode & FMODE_READ) {
		pipe->readers++;
		pipe->reads++;
	}
	if (file->f_mode & FMODE_WRITE) {
		pipe->writers++;
		pipe->writes++;
	}
}

/* What fifo_open() did is taken back: it does not become an open file. */
static int fifo_leave(struct pipe *pipe, struct file *file, int err)
{
	down_write(&pipe->lock);
	pipe->readers -= !!(file->f_mode & FMODE_READ);
	pipe->writers -= !!(file->f_mode & FMODE_WRITE);
	up_write(&pipe->lock);
	return err;
}

/* A reader waits for a writer and the other way round, unless it opens both or does not want to wait: fifo(7). */
int fifo_open(struct inode *inode, struct file *file)
{
	struct vnode *v = vnode_of(inode);
	struct pipe *pipe = katomic_pointer(&v->data), *was;
	unsigned int reads, writes;
	u32 mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	int err = 0;

	if (!pipe) {
		pipe = pipe_new();
		if (!pipe)
			return -ENOMEM;
		was = katomic_pointer_first(&v->data, pipe);
		if (was) {
			pipe_free(pipe);
			pipe = was;
		}
	}
	down_write(&pipe->lock);
	if (mode == FMODE_WRITE && !pipe->readers && file->f_flags & O_NONBLOCK) {
		up_write(&pipe->lock);
		return -ENXIO;
	}
	reads = pipe->reads;
	writes = pipe->writes;
	pipe_join(pipe, file);
	reads = pipe->readers && mode == FMODE_WRITE ? reads - 1 : reads;
	writes = pipe->writers && mode == FMODE_READ ? writes - 1 : writes;
	up_write(&pipe->lock);
	wake_up(&pipe->readable);
	wake_up(&pipe->writable);
	if (mode == FMODE_READ && !(file->f_flags & O_NONBLOCK))
		err = wait_event_interruptible(&pipe->readable, READ_ONCE(pipe->writes) != writes);
	else if (mode == FMODE_WRITE)
		err = wait_event_interruptible(&pipe->writable, READ_ONCE(pipe->reads) != reads);
	return err ? fifo_leave(pipe, file, err) : 0;
}

static const struct vnode_ops pipe_vnode_ops = { .evict = fifo_evict };

static struct file *pipe_end(struct vnode *v, int flags)
{
	struct file *file;

	ihold(&v->inode);
	file = file_new(&v->inode, (u32)flags, &path_fops);
	if (file)
		pipe_join(v->data, file);
	return file;
}

static long do_pipe(uintptr_t ufds, int flags)
{
	struct vnode *v;
	struct file *end[2] = { NULL, NULL };
	s32 fd[2] = { -1, -1 };
	long err = -ENOMEM;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	v = anon_vnode(S_IFIFO | 0600, &pipe_vnode_ops, &pipe_fops);
	if (!v)
		return -ENOMEM;
	v->data = pipe_new();
	for (int i = 0; v->data && i < 2; i++) {
		end[i] = pipe_end(v, (i ? O_WRONLY : O_RDONLY) | (flags & (O_NONBLOCK | O_DIRECT)));
		if (!end[i])
			break;
		fd[i] = fd_install(end[i], 0, flags & O_CLOEXEC);
		err = fd[i];
		if (fd[i] < 0) {
			fput(end[i]);
			break;
		}
	}
	iput(&v->inode);
	if (fd[1] >= 0 && !copy_to_user(ufds, fd, sizeof(fd)))
		return 0;
	if (fd[1] >= 0) {
		err = -EFAULT;
		fd_close(fd[1]);
	}
	if (fd[0] >= 0)
		fd_close(fd[0]);
	return err < 0 ? err : -ENOMEM;
}

static long sys_pipe2(uintptr_t fds, int flags)
{
	return do_pipe(fds, flags);
}
SYSCALL(293, sys_pipe2);

static long sys_pipe(uintptr_t fds)
{
	return do_pipe(fds, 0);
}
SYSCALL(22, sys_pipe);

/* ---- Its size ---- */

/* What it holds moves to the front of the new ring, page by page where it lies. */
static long pipe_resize(struct pipe *pipe, unsigned long bytes)
{
	u32 pages = (u32)roundup_pow_of_two(max(DIV_ROUND_UP(bytes, PAGE_SIZE), 1ul)), held, first;
	struct page **page;

	if (bytes > 1ul << 31)
		return -EINVAL;
	if (bytes > PIPE_PAGES_MAX * PAGE_SIZE)
		return task_capable(current_task(), CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
	page = kcalloc(pages, sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	down_write(&pipe->lock);
	first = (u32)(pipe->tail >> PAGE_SHIFT);
	held = pipe_held(pipe) ? (u32)((pipe->head - 1) >> PAGE_SHIFT) - first + 1 : 0;
	if (held > pages) {
		up_write(&pipe->lock);
		kfree(page);
		return -EBUSY;
	}
	for (u32 i = 0; i < held; i++) {
		struct page **from = &pipe->page[(first + i) & (pipe->pages - 1)];

		page[(first + i) & (pages - 1)] = *from;
		*from = NULL;
	}
	pipe_free_pages(pipe);
	kfree(pipe->page);
	pipe->page = page;
	pipe->pages = pages;
	up_write(&pipe->lock);
	wake_up(&pipe->writable);
	return (long)(pages * PAGE_SIZE);
}

long pipe_fcntl(struct file *file, int cmd, unsigned long arg)
{
	struct pipe *pipe = file->private_data;

	if (!file_is_pipe(file))
		return -EBADF;
	return cmd == F_GETPIPE_SZ ? (long)pipe_size(pipe) : pipe_resize(pipe, arg);
}
