// SPDX-License-Identifier: MIT
/*
 * epoll(7). A set of descriptors; whoever waits asks all of them, as poll(2) does. With EPOLLET a file is reported when
 * it is ready in a way that it was not when it was asked last: events that come while it stays ready are not told
 * apart.
 */
#include "kfs.h"
#include "poll.h"
#include "syscall.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP (1u << 29)
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)

struct epoll_event {
	u32 events;
	u64 data;
} __attribute__((packed));
octavo_static_assert(sizeof(struct epoll_event) == 12, "struct epoll_event of x86-64");

struct epoll_item {
	struct epoll_item *next;
	struct file *file; /* without a reference of its own: see item_file() */
	int fd;
	struct epoll_event event;
	u32 reported;	   /* EPOLLET: what was ready then */
	bool off;	   /* EPOLLONESHOT has fired */
};

struct epoll {
	struct rw_semaphore lock;
	struct wait_queue changed;
	struct epoll_item *first;
};

static void epoll_evict(struct vnode *v)
{
	struct epoll *ep = v->data;
	struct epoll_item *item;

	while (ep && (item = ep->first)) {
		ep->first = item->next;
		kfree(item);
	}
	kfree(ep);
}

/*
 * The item's file, with a reference, while its descriptor leads there; a descriptor that was closed takes its item
 * along, as the last one does in Linux.
 */
static struct file *item_file(const struct epoll_item *item)
{
	struct file *file = fd_get(item->fd);

	if (file && file != item->file) {
		fput(file);
		file = NULL;
	}
	return file;
}

static u32 item_ready(struct epoll_item *item, struct file *file, struct poll_table *table)
{
	u32 mask = file_poll(file, table) & (item->event.events | POLLERR | POLLHUP);
	u32 fresh = mask;

	if (item->event.events & EPOLLET)
		fresh = mask & ~item->reported ? mask : 0;
	if (!mask)
		item->reported = 0;
	return fresh;
}

struct epoll_call {
	struct epoll *ep;
	struct file *set;
	struct epoll_event *out;
	int nr, max;
};

static int epoll_ready(void *ctx, struct poll_table *table)
{
	struct epoll_call *call = ctx;
	struct epoll_item **at, *item;

	call->nr = 0;
	poll_wait(call->set, &call->ep->changed, table);
	down_write(&call->ep->lock);
	for (at = &call->ep->first; (item = *at);) {
		struct file *file = item_file(item);
		u32 mask;

		if (!file) {
			*at = item->next;
			kfree(item);
			continue;
		}
		at = &item->next;
		mask = item->off || call->nr == call->max ? 0 : item_ready(item, file, call->nr ? NULL : table);
		fput(file);
		if (!mask)
			continue;
		call->out[call->nr++] = (struct epoll_event){ mask, item->event.data };
		item->reported = mask;
		item->off = item->event.events & EPOLLONESHOT;
	}
	up_write(&call->ep->lock);
	return call->nr;
}

static unsigned int epoll_poll(struct file *file, void *table)
{
	struct epoll *ep = file->private_data;
	unsigned int any = 0;

	poll_wait(file, &ep->changed, table);
	down_write(&ep->lock);
	for (struct epoll_item *item = ep->first; item && !any; item = item->next) {
		struct file *of = item_file(item);

		if (of && of->f_op != file->f_op && !item->off)
			any = item_ready(item, of, table);
		if (of)
			fput(of);
	}
	up_write(&ep->lock);
	return any ? POLLIN | POLLRDNORM : 0;
}

static size_t epoll_show_path(const struct file *file, char *text, size_t size)
{
	(void)file;
	return octavo_snprintf(text, size, "anon_inode:[eventpoll]");
}

static const struct file_operations epoll_fops = { .poll = epoll_poll, .show_path = epoll_show_path };
static const struct vnode_ops epoll_ops = { .evict = epoll_evict };

static long sys_epoll_create1(int flags)
{
	struct epoll *ep;
	struct vnode *v;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	v = anon_vnode(0600, &epoll_ops, &epoll_fops);
	ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	if (!v || !ep) {
		kfree(ep);
		if (v)
			iput(&v->inode);
		return -ENOMEM;
	}
	init_rwsem(&ep->lock);
	v->data = ep;
	return anon_fd(v, &epoll_fops, flags);
}
SYSCALL(291, sys_epoll_create1);

static long sys_epoll_create(int size)
{
	return size > 0 ? sys_epoll_create1(0) : -EINVAL;
}
SYSCALL(213, sys_epoll_create);

static struct epoll_item **item_find(struct epoll *ep, int fd, const struct file *file)
{
	struct epoll_item **at = &ep->first;

	while (*at && ((*at)->fd != fd || (*at)->file != file))
		at = &(*at)->next;
	return at;
}

static long epoll_change(struct epoll *ep, int op, int fd, struct file *file, const struct epoll_event *event)
{
	struct epoll_item **at = item_find(ep, fd, file), *item = *at;

	switch (op) {
	case EPOLL_CTL_ADD:
		if (item)
			return -EEXIST;
		item = kzalloc(sizeof(*item), GFP_KERNEL);
		if (!item)
			return -ENOMEM;
		item->file = file;
		item->fd = fd;
		item->event = *event;
		item->next = ep->first;
		ep->first = item;
		return 0;
	case EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		item->event = *event;
		item->reported = 0;
		item->off = false;
		return 0;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		*at = item->next;
		kfree(item);
		return 0;
	}
	return -EINVAL;
}

static long sys_epoll_ctl(int epfd, int op, int fd, uintptr_t uevent)
{
	struct file *set, *file;
	struct epoll_event event = { 0 };
	long ret = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, uevent, sizeof(event)))
		return -EFAULT;
	set = fd_get(epfd);
	file = fd_get(fd);
	if (!set || !file)
		goto out;
	ret = -EINVAL;
	if (set->f_op != &epoll_fops || set == file)
		goto out;
	ret = -EPERM;
	if (!file->f_op->poll)
		goto out;
	down_write(&((struct epoll *)set->private_data)->lock);
	ret = epoll_change(set->private_data, op, fd, file, &event);
	up_write(&((struct epoll *)set->private_data)->lock);
	wake_up(&((struct epoll *)set->private_data)->changed);
out:
	if (set)
		fput(set);
	if (file)
		fput(file);
	return ret;
}
SYSCALL(233, sys_epoll_ctl);

#define EVENTS_MAX 1024

static long do_epoll_wait(int epfd, uintptr_t to, int max, u64 timeout)
{
	struct epoll_call call = { .max = min(max, EVENTS_MAX) };
	struct file *set;
	long ret;

	if (max <= 0)
		return -EINVAL;
	set = fd_get(epfd);
	if (!set)
		return -EBADF;
	ret = -EINVAL;
	if (set->f_op != &epoll_fops)
		goto out;
	call.ep = set->private_data;
	call.set = set;
	call.out = kvmalloc((size_t)call.max * sizeof(*call.out), GFP_KERNEL);
	ret = -ENOMEM;
	if (call.out)
		ret = poll_loop(epoll_ready, &call, timeout);
	if (ret > 0 && copy_to_user(to, call.out, (size_t)ret * sizeof(*call.out)))
		ret = -EFAULT;
	kvfree(call.out);
out:
	fput(set);
	return ret == -ERESTARTNOHAND ? -EINTR : ret;
}

static long sys_epoll_wait(int epfd, uintptr_t to, int max, int timeout_ms)
{
	return do_epoll_wait(epfd, to, max, timeout_ms < 0 ? POLL_FOREVER : (u64)timeout_ms * 1000000);
}
SYSCALL(232, sys_epoll_wait);

static long sys_epoll_pwait(int epfd, uintptr_t to, int max, int timeout_ms, uintptr_t mask, size_t size)
{
	long ret = poll_mask(mask, size);

	return ret ? ret : sys_epoll_wait(epfd, to, max, timeout_ms);
}
SYSCALL(281, sys_epoll_pwait);

static long sys_epoll_pwait2(int epfd, uintptr_t to, int max, uintptr_t timeout, uintptr_t mask, size_t size)
{
	u64 ns;
	long ret = poll_timeout(timeout, 1, &ns);

	if (!ret)
		ret = poll_mask(mask, size);
	return ret ? ret : do_epoll_wait(epfd, to, max, ns);
}
SYSCALL(441, sys_epoll_pwait2);
