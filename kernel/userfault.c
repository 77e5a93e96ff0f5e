// SPDX-License-Identifier: MIT
/*
 * userfaultfd(2) and /dev/userfaultfd: a context of the core's as a file. Who reads or polls waits in the file's queue,
 * which the core wakes (userfaultfd_on_message()).
 */
#include <octavo/userfaultfd.h>

#include "kfs.h"
#include "poll.h"
#include "syscall.h"

struct userfault {
	struct wait_queue wait;
	struct userfaultfd_ctx *ctx;
};

static long userfault_fd(struct userfaultfd_ctx *ctx, int flags);

static void notify(void *arg)
{
	wake_up(&((struct userfault *)arg)->wait);
}

/* A child's descriptor is like the one its parent's messages are read from. */
static int install(void *arg, struct userfaultfd_ctx *child)
{
	const struct file *file = arg;

	return (int)userfault_fd(child, (int)(file->f_flags & O_NONBLOCK) | O_CLOEXEC);
}

static s64 userfault_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct userfault *u = file->private_data;
	struct uffd_msg msg;
	s64 done = 0;

	(void)pos;
	if (!userfaultfd_ready(u->ctx))
		return -EINVAL;
	if (to->count < sizeof(msg))
		return -EINVAL;
	while (to->count >= sizeof(msg)) {
		int got = userfaultfd_read(u->ctx, &msg, install, file), err;

		if (!got && (done || file->f_flags & O_NONBLOCK))
			return done ? done : -EAGAIN;
		if (!got) {
			err = wait_event_interruptible(&u->wait, userfaultfd_pending(u->ctx));
			if (err)
				return err;
			continue;
		}
		if (got < 0)
			return done ? done : got;
		if (copy_to_iter(&msg, sizeof(msg), to) != sizeof(msg))
			return done ? done : -EFAULT;
		done += (s64)sizeof(msg);
	}
	return done;
}

static unsigned int userfault_poll(struct file *file, void *table)
{
	struct userfault *u = file->private_data;

	poll_wait(file, &u->wait, table);
	/* A message may be gone again when it is read, so a reader that must not wait says so. */
	if (!userfaultfd_ready(u->ctx) || !(file->f_flags & O_NONBLOCK))
		return POLLERR;
	return userfaultfd_pending(u->ctx) ? POLLIN : 0;
}

static long userfault_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return userfaultfd_ioctl(((struct userfault *)file->private_data)->ctx, cmd, arg);
}

static size_t userfault_show_path(const struct file *file, char *text, size_t size)
{
	(void)file;
	return octavo_snprintf(text, size, "anon_inode:[userfaultfd]");
}

static void userfault_evict(struct vnode *v)
{
	struct userfault *u = v->data;

	/* One that was never filled in has none. */
	if (u && u->ctx)
		userfaultfd_release(u->ctx);
	kfree(u);
}

static const struct file_operations userfault_fops = { .read_iter = userfault_read,
						       .poll = userfault_poll,
						       .ioctl = userfault_ioctl,
						       .show_path = userfault_show_path };
static const struct vnode_ops userfault_ops = { .evict = userfault_evict };

/* @ctx becomes the file's; if there is none in the end, it is still the caller's. */
static long userfault_fd(struct userfaultfd_ctx *ctx, int flags)
{
	struct vnode *v = anon_vnode(0600, &userfault_ops, &userfault_fops);
	struct userfault *u = kzalloc(sizeof(*u), GFP_KERNEL);
	long fd;

	if (!v || !u) {
		kfree(u);
		if (v)
			iput(&v->inode);
		return -ENOMEM;
	}
	v->data = u;
	ihold(&v->inode);
	u->ctx = ctx;
	userfaultfd_on_message(ctx, notify, u);
	fd = anon_fd(v, &userfault_fops, flags);
	if (fd < 0) {
		userfaultfd_on_message(ctx, NULL, NULL);
		u->ctx = NULL;
	}
	iput(&v->inode);
	return fd;
}

static long userfault_new(int flags, bool device)
{
	const int of_file = O_CLOEXEC | O_NONBLOCK;
	struct userfaultfd_ctx *ctx;
	int err;
	long fd;

	ctx = userfaultfd_new((unsigned int)(flags & ~of_file), device, &err);
	if (!ctx)
		return err;
	fd = userfault_fd(ctx, flags & of_file);
	if (fd < 0)
		userfaultfd_release(ctx);
	return fd;
}

static long sys_userfaultfd(int flags)
{
	return userfault_new(flags, false);
}
SYSCALL(323, sys_userfaultfd);

/* ---- /dev/userfaultfd: who may open it needs no other right ---- */

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	(void)file;
	if (cmd != USERFAULTFD_IOC_NEW)
		return -EINVAL;
	return userfault_new((int)arg, true);
}

const struct file_operations userfaultfd_dev_fops = { .ioctl = device_ioctl,
						      .release = file_release_path,
						      .show_path = vfs_path };
