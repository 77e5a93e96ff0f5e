// SPDX-License-Identifier: MIT
/* eventfd(2): a counter to wait for. */
#include "kfs.h"
#include "syscall.h"

#define EFD_SEMAPHORE 1

struct eventfd {
	struct klock lock;
	struct wait_queue wait;
	u64 count;
	bool semaphore;
};

static bool event_take(struct eventfd *e, u64 *value)
{
	unsigned long flags = klock(&e->lock);
	bool any = e->count;

	*value = e->semaphore && any ? 1 : e->count;
	e->count -= *value;
	kunlock(&e->lock, flags);
	return any;
}

static bool event_add(struct eventfd *e, u64 value)
{
	unsigned long flags = klock(&e->lock);
	bool room = value <= ~0ull - 1 - e->count;

	if (room)
		e->count += value;
	kunlock(&e->lock, flags);
	return room;
}

static s64 event_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct eventfd *e = file->private_data;
	u64 value;
	int err;

	(void)pos;
	if (to->count < sizeof(value))
		return -EINVAL;
	if (!event_take(e, &value)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, event_take(e, &value));
		if (err)
			return err;
	}
	wake_up(&e->wait);
	return copy_to_iter(&value, sizeof(value), to) == sizeof(value) ? (s64)sizeof(value) : -EFAULT;
}

static s64 event_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct eventfd *e = file->private_data;
	u64 value;
	int err;

	(void)pos;
	if (from->count < sizeof(value))
		return -EINVAL;
	if (copy_from_iter(&value, sizeof(value), from) != sizeof(value))
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	if (!event_add(e, value)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, event_add(e, value));
		if (err)
			return err;
	}
	wake_up(&e->wait);
	return sizeof(value);
}

static unsigned int event_poll(struct file *file, void *table)
{
	struct eventfd *e = file->private_data;
	u64 count;

	poll_wait(file, &e->wait, table);
	count = READ_ONCE(e->count);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < ~0ull - 1 ? POLLOUT | POLLWRNORM : 0);
}

static size_t event_show_path(const struct file *file, char *text, size_t size)
{
	(void)file;
	return octavo_snprintf(text, size, "anon_inode:[eventfd]");
}

static void event_evict(struct vnode *v)
{
	kfree(v->data);
}

static const struct file_operations event_fops = { .read_iter = event_read,
						   .write_iter = event_write,
						   .poll = event_poll,
						   .show_path = event_show_path };
static const struct vnode_ops event_ops = { .evict = event_evict };

/* A descriptor of an object without a name. @v is given back, whatever comes of it. */
long anon_fd(struct vnode *v, const struct file_operations *fop, int flags)
{
	struct file *file = file_new(&v->inode, (u32)(O_RDWR | (flags & O_NONBLOCK)), fop);
	int fd;

	if (!file)
		return -ENOMEM;
	file->private_data = v->data;
	file->f_mode |= FMODE_STREAM;
	fd = fd_install(file, 0, flags & O_CLOEXEC);
	if (fd < 0)
		fput(file);
	return fd;
}

static long sys_eventfd2(unsigned int count, int flags)
{
	struct eventfd *e;
	struct vnode *v;

	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	v = anon_vnode(0600, &event_ops, &event_fops);
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!v || !e) {
		kfree(e);
		if (v)
			iput(&v->inode);
		return -ENOMEM;
	}
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	v->data = e;
	return anon_fd(v, &event_fops, flags);
}
SYSCALL(290, sys_eventfd2);

static long sys_eventfd(unsigned int count)
{
	return sys_eventfd2(count, 0);
}
SYSCALL(284, sys_eventfd);
