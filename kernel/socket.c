// SPDX-License-Identifier: MIT
/*
 * Pairs of connected sockets: socketpair(2) of AF_UNIX, and the calls that work on them. There are no addresses: what
 * names one (socket(2), bind(2) and so on) is refused as by a kernel without that family.
 *
 * Each side has a queue of what was sent to it and not read yet, under one sleeping lock of the pair, since copies may
 * fault. A stream's reader takes from as many messages as fit, others one message at a time.
 */
#include "kfs.h"
#include "poll.h"
#include "syscall.h"

#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
#define SOL_SOCKET 1
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_DOMAIN 39
#define MSG_PEEK 2u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_WAITALL 0x100u
#define MSG_NOSIGNAL 0x4000u
#define MSG_KNOWN (MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL)
#define QUEUE_BYTES 212992u /* as /proc/sys/net/core/wmem_default has it by default */
#define PIECE_BYTES 16384u  /* of a stream */

struct message {
	struct message *next;
	size_t len, taken;
	char data[];
};

struct side {
	struct message *first, **last;
	size_t held; /* bytes, of message_cost() */
	struct wait_queue readable, writable;
	bool open, no_reads, no_writes; /* shutdown(2), and the end of either side */
};

struct pair {
	struct rw_semaphore lock;
	unsigned int refs;
	int type;
	struct side side[2];
};

/* A vnode's data: which side of which pair. */
struct sock {
	struct pair *pair;
	unsigned int at;
};

static const struct file_operations sock_fops;

static struct side *own_side(const struct sock *s)
{
	return &s->pair->side[s->at];
}

static struct side *other_side(const struct sock *s)
{
	return &s->pair->side[!s->at];
}

/* Bytes that one with @len bytes takes: of what is empty, too, there is an end. */
static size_t message_cost(size_t len)
{
	return sizeof(struct message) + len;
}

/* Is there room for a message of @len bytes, or nothing to wait for? */
static bool may_send(const struct sock *s, size_t len)
{
	const struct side *to = other_side(s);

	return !READ_ONCE(to->open) || READ_ONCE(to->no_reads) || READ_ONCE(own_side(s)->no_writes) ||
	       !READ_ONCE(to->held) || READ_ONCE(to->held) + message_cost(len) <= QUEUE_BYTES;
}

static bool may_receive(const struct sock *s)
{
	const struct side *own = own_side(s);

	return READ_ONCE(own->first) || READ_ONCE(own->no_reads);
}

/* ---- Sending ---- */

static struct message *message_new(struct iov_iter *from, size_t len, long *err)
{
	struct message *m = kvmalloc(message_cost(len), GFP_KERNEL);

	*err = -ENOBUFS;
	if (!m)
		return NULL;
	*m = (struct message){ .len = len };
	*err = -EFAULT;
	if (copy_from_iter(m->data, len, from) == len)
		return m;
	kvfree(m);
	return NULL;
}

/* Return: 1: sent; 0: no room; or errno. With the lock held. */
static long enqueue(const struct sock *s, struct message *m)
{
	struct side *to = other_side(s);

	if (own_side(s)->no_writes)
		return -EPIPE;
	if (!to->open || to->no_reads)
		return s->pair->type == SOCK_DGRAM && !to->open ? -ECONNREFUSED : -EPIPE;
	if (!may_send(s, m->len))
		return 0;
	*to->last = m;
	to->last = &m->next;
	WRITE_ONCE(to->held, to->held + message_cost(m->len));
	return 1;
}

static long send_one(const struct sock *s, struct message *m, bool nonblock)
{
	for (;;) {
		long done;
		int err;

		down_write(&s->pair->lock);
		done = enqueue(s, m);
		up_write(&s->pair->lock);
		if (done > 0)
			wake_up(&other_side(s)->readable);
		if (done)
			return done;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&other_side(s)->writable, may_send(s, m->len));
		if (err)
			return err;
	}
}

static s64 sock_send(const struct sock *s, struct iov_iter *from, unsigned int flags, bool nonblock)
{
	bool stream = s->pair->type == SOCK_STREAM;
	s64 total = 0;
	long err = 0;

	if (!stream && from->count > QUEUE_BYTES)
		return -EMSGSIZE;
	do {
		size_t len = stream ? min_t(size_t, from->count, PIECE_BYTES) : from->count;
		struct message *m;

		if (stream && !len)
			break;
		m = message_new(from, len, &err);
		if (!m)
			break;
		err = send_one(s, m, nonblock);
		if (err < 0) {
			kvfree(m);
			break;
		}
		total += (s64)len;
	} while (from->count);
	if (err == -EPIPE && !total && !(flags & MSG_NOSIGNAL) && s->pair->type != SOCK_DGRAM)
		send_signal(current(), SIGPIPE, false);
	return total || err >= 0 ? total : err;
}

/* ---- Receiving ---- */

static void drop_first(struct side *own)
{
	struct message *m = own->first;

	WRITE_ONCE(own->first, m->next);
	if (!own->first)
		own->last = &own->first;
	WRITE_ONCE(own->held, own->held - message_cost(m->len));
	kvfree(m);
}

/* Bytes of the queue; with MSG_TRUNC the whole length of a message that is cut. With the lock held. */
static s64 take(const struct sock *s, struct iov_iter *to, unsigned int flags)
{
	struct side *own = own_side(s);
	bool stream = s->pair->type == SOCK_STREAM;
	struct message *m = own->first;
	s64 total = 0;

	while (m && (to->count || !stream)) {
		size_t left = m->len - m->taken, n = min(left, to->count);
		size_t got = copy_to_iter(m->data + m->taken, n, to);
		struct message *next = m->next;

		if (got < n)
			return total ? total : -EFAULT;
		total += (s64)(stream || !(flags & MSG_TRUNC) ? n : left);
		if (!(flags & MSG_PEEK)) {
			m->taken += n;
			if (!stream || m->taken == m->len)
				drop_first(own);
		}
		if (!stream)
			break;
		m = next;
	}
	return total;
}

static s64 sock_receive(const struct sock *s, struct iov_iter *to, unsigned int flags, bool nonblock)
{
	bool stream = s->pair->type == SOCK_STREAM, all = stream && flags & MSG_WAITALL && !(flags & MSG_PEEK);
	struct side *own = own_side(s);
	s64 total = 0;

	if (stream && !to->count)
		return 0;
	for (;;) {
		bool any, end;
		s64 got;
		int err;

		down_write(&s->pair->lock);
		end = own->no_reads;
		any = own->first;
		got = any ? take(s, to, flags) : 0;
		up_write(&s->pair->lock);
		if (any)
			wake_up(&own->writable);
		if (got < 0)
			return total ? total : got;
		total += got;
		if (any && (!all || !to->count))
			return total;
		if (end && !any)
			return total;
		if (nonblock)
			return total ? total : -EAGAIN;
		err = wait_event_interruptible(&own->readable, may_receive(s));
		if (err)
			return total ? total : err;
	}
}

/* ---- As files ---- */

static s64 sock_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)pos;
	/* No message is taken, not even an empty one: recv(2) does that. */
	if (!to->count)
		return 0;
	return sock_receive(file->private_data, to, 0, file->f_flags & O_NONBLOCK);
}

static s64 sock_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	(void)pos;
	return sock_send(file->private_data, from, 0, file->f_flags & O_NONBLOCK);
}

static unsigned int sock_poll(struct file *file, void *table)
{
	struct sock *s = file->private_data;
	struct side *own = own_side(s), *to = other_side(s);
	unsigned int mask = 0;

	poll_wait(file, &own->readable, table);
	poll_wait(file, &to->writable, table);
	if (may_receive(s))
		mask |= POLLIN | POLLRDNORM;
	if (may_send(s, s->pair->type == SOCK_STREAM ? PIECE_BYTES : 1))
		mask |= POLLOUT | POLLWRNORM;
	if (READ_ONCE(own->no_reads))
		mask |= POLLRDHUP;
	if (READ_ONCE(own->no_reads) && (READ_ONCE(own->no_writes) || !READ_ONCE(to->open)))
		mask |= POLLHUP;
	return mask;
}

static long sock_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct sock *s = file->private_data;
	s32 n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	down_read(&s->pair->lock);
	for (const struct message *m = own_side(s)->first; m; m = s->pair->type == SOCK_STREAM ? m->next : NULL)
		n += (s32)(m->len - m->taken);
	up_read(&s->pair->lock);
	return put_user(n, arg);
}

static size_t sock_show_path(const struct file *file, char *text, size_t size)
{
	return octavo_snprintf(text, size, "socket:[%llu]", (unsigned long long)file->f_inode->i_ino);
}

static void pair_put(struct pair *pair)
{
	if (katomic_dec(&pair->refs))
		return;
	for (unsigned int i = 0; i < 2; i++)
		while (pair->side[i].first)
			drop_first(&pair->side[i]);
	kfree(pair);
}

static void wake_both(const struct sock *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		wake_up(&s->pair->side[i].readable);
		wake_up(&s->pair->side[i].writable);
	}
}

/* The last reference to the file is gone: nobody reads here, and no more comes to the other side. */
static void sock_evict(struct vnode *v)
{
	struct sock *s = v->data;

	if (!s)
		return;
	down_write(&s->pair->lock);
	WRITE_ONCE(own_side(s)->open, false);
	if (s->pair->type != SOCK_DGRAM)
		WRITE_ONCE(other_side(s)->no_reads, true);
	while (own_side(s)->first)
		drop_first(own_side(s));
	up_write(&s->pair->lock);
	wake_both(s);
	pair_put(s->pair);
	kfree(s);
}

static const struct file_operations sock_fops = { .read_iter = sock_read,
						  .write_iter = sock_write,
						  .poll = sock_poll,
						  .ioctl = sock_ioctl,
						  .show_path = sock_show_path };
static const struct vnode_ops sock_ops = { .evict = sock_evict };

size_t sock_message_max(const struct file *file)
{
	const struct sock *s = file->private_data;

	return file->f_op == &sock_fops && s->pair->type != SOCK_STREAM ? QUEUE_BYTES : 0;
}

static long sock_fd(struct pair *pair, unsigned int at, int flags)
{
	struct vnode *v = anon_vnode(S_IFSOCK | 0777, &sock_ops, &sock_fops);
	struct sock *s = v ? kzalloc(sizeof(*s), GFP_KERNEL) : NULL;

	if (!s) {
		if (v)
			iput(&v->inode);
		return -ENOMEM;
	}
	s->pair = pair;
	s->at = at;
	katomic_inc(&pair->refs);
	v->data = s;
	return anon_fd(v, &sock_fops, flags);
}

static long sys_socketpair(int family, int type, int protocol, uintptr_t fds)
{
	int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pair *pair;
	long fd[2];
	s32 pair_fds[2];

	type &= ~flags;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return type < 0 || type > 10 ? -EINVAL : -ESOCKTNOSUPPORT;
	pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return -ENOMEM;
	init_rwsem(&pair->lock);
	pair->refs = 1;
	pair->type = type;
	for (unsigned int i = 0; i < 2; i++) {
		pair->side[i].last = &pair->side[i].first;
		pair->side[i].open = true;
	}
	fd[0] = sock_fd(pair, 0, flags);
	fd[1] = fd[0] < 0 ? fd[0] : sock_fd(pair, 1, flags);
	pair_put(pair);
	pair_fds[0] = (s32)fd[0];
	pair_fds[1] = (s32)fd[1];
	if (fd[1] >= 0 && !copy_to_user(fds, pair_fds, sizeof(pair_fds)))
		return 0;
	if (fd[0] >= 0)
		fd_close((int)fd[0]);
	if (fd[1] >= 0)
		fd_close((int)fd[1]);
	return fd[1] < 0 ? fd[1] : -EFAULT;
}
SYSCALL(53, sys_socketpair);

/* ---- Calls of sockets only ---- */

/* With a reference; NULL: *@err says why. */
static struct file *sock_get(int fd, long *err)
{
	struct file *file = fd_get(fd);

	*err = file ? -ENOTSOCK : -EBADF;
	if (!file || file->f_op == &sock_fops)
		return file;
	fput(file);
	return NULL;
}

static long transfer(int fd, uintptr_t at, size_t len, unsigned int flags, bool send)
{
	struct iov_iter iter = { (void *)at, min_t(size_t, len, 0x7ffff000), true };
	struct file *file;
	bool nonblock;
	long result;

	if (!access_ok(at, iter.count))
		return -EFAULT;
	file = sock_get(fd, &result);
	if (!file)
		return result;
	nonblock = flags & MSG_DONTWAIT || file->f_flags & O_NONBLOCK;
	if (flags & ~MSG_KNOWN)
		result = -EOPNOTSUPP;
	else
		result = (long)(send ? sock_send(file->private_data, &iter, flags, nonblock) :
				       sock_receive(file->private_data, &iter, flags, nonblock));
	fput(file);
	return result;
}

static long sys_sendto(int fd, uintptr_t from, size_t len, unsigned int flags, uintptr_t to, int to_len)
{
	(void)to_len;
	return to ? -EISCONN : transfer(fd, from, len, flags, true);
}
SYSCALL(44, sys_sendto);

static long sys_recvfrom(int fd, uintptr_t to, size_t len, unsigned int flags, uintptr_t from, uintptr_t from_len)
{
	long got = transfer(fd, to, len, flags, false);
	s32 none = 0;

	if (got >= 0 && from && from_len && put_user(none, from_len))
		return -EFAULT;
	return got;
}
SYSCALL(45, sys_recvfrom);

static long sys_shutdown(int fd, int how)
{
	struct sock *s;
	struct file *file;
	long err;

	if (how < 0 || how > 2)
		return -EINVAL;
	file = sock_get(fd, &err);
	if (!file)
		return err;
	s = file->private_data;
	down_write(&s->pair->lock);
	if (how != 1)
		WRITE_ONCE(own_side(s)->no_reads, true);
	if (how != 0) {
		WRITE_ONCE(own_side(s)->no_writes, true);
		if (s->pair->type != SOCK_DGRAM)
			WRITE_ONCE(other_side(s)->no_reads, true);
	}
	if (how != 1 && s->pair->type != SOCK_DGRAM)
		WRITE_ONCE(other_side(s)->no_writes, true);
	up_write(&s->pair->lock);
	wake_both(s);
	fput(file);
	return 0;
}
SYSCALL(48, sys_shutdown);

static long sys_getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t value_len)
{
	struct file *file;
	long err;
	s32 len, v = 0;

	file = sock_get(fd, &err);
	if (!file)
		return err;
	err = 0;
	if (level != SOL_SOCKET)
		err = -EOPNOTSUPP;
	else if (name == SO_TYPE)
		v = ((struct sock *)file->private_data)->pair->type;
	else if (name == SO_DOMAIN)
		v = AF_UNIX;
	else if (name == SO_SNDBUF || name == SO_RCVBUF)
		v = QUEUE_BYTES;
	else if (name != SO_ERROR)
		err = -ENOPROTOOPT;
	fput(file);
	if (err)
		return err;
	if (get_user(len, value_len))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min(len, (s32)sizeof(v));
	return copy_to_user(value, &v, (size_t)len) || put_user(len, value_len) ? -EFAULT : 0;
}
SYSCALL(55, sys_getsockopt);

static long sys_socket(int family, int type, int protocol)
{
	(void)family, (void)type, (void)protocol;
	return -EAFNOSUPPORT;
}
SYSCALL(41, sys_socket);
