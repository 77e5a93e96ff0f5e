// SPDX-License-Identifier: MIT
/* Waiting for one of several files: poll(2), select(2). */
#include "poll.h"

#include "kfs.h"
#include "syscall.h"

void poll_wait(struct file *file, struct wait_queue *queue, void *ctx)
{
	struct poll_table *table = ctx;
	struct poll_entry *entry;

	if (!table || table->no_memory)
		return;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry) {
		table->no_memory = true;
		return;
	}
	entry->file = get_file(file);
	entry->queue = queue;
	entry->next = table->first;
	table->first = entry;
	wait_begin(queue, &entry->waiter, TASK_INTERRUPTIBLE);
}

void poll_end(struct poll_table *table)
{
	struct poll_entry *entry;

	while ((entry = table->first)) {
		table->first = entry->next;
		wait_end(entry->queue, &entry->waiter);
		fput(entry->file);
		kfree(entry);
	}
}

unsigned int file_poll(struct file *file, void *table)
{
	/* What knows no waiting is always ready: poll(2) of regular files. */
	return file->f_op->poll ? file->f_op->poll(file, table) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

long poll_loop(int (*ready)(void *ctx, struct poll_table *table), void *ctx, u64 timeout)
{
	u64 end = timeout == POLL_FOREVER ? 0 : clock_monotonic_ns() + timeout;

	for (;;) {
		struct poll_table table = { 0 };
		/* Nobody waits who only wants to know. */
		int n = ready(ctx, timeout ? &table : NULL);
		u64 now = clock_monotonic_ns(), left = POLL_FOREVER;

		if (!n && table.no_memory)
			n = -ENOMEM;
		if (!n && timeout != POLL_FOREVER) {
			left = end > now ? end - now : 0;
			if (!left) {
				poll_end(&table);
				return 0;
			}
		}
		/* One that became ready before the last was waited for has woken a thread that was not asleep yet. */
		if (!n && table.first && table.first->next) {
			set_state(TASK_INTERRUPTIBLE);
			n = ready(ctx, NULL);
		}
		if (!n && signal_pending())
			n = -ERESTARTNOHAND;
		if (n) {
			poll_end(&table);
			return n;
		}
		if (!table.first)
			set_state(TASK_INTERRUPTIBLE);
		schedule_timeout(left);
		poll_end(&table);
	}
}

/* ---- poll ---- */

struct pollfd {
	s32 fd;
	s16 events, revents;
};

struct poll_call {
	struct pollfd *fds;
	unsigned int nr;
};

static unsigned int poll_one(int fd, unsigned int events, struct poll_table *table)
{
	struct file *file = fd_get(fd);
	unsigned int mask;

	if (!file)
		return POLLNVAL;
	mask = file_poll(file, table) & (events | POLLERR | POLLHUP);
	fput(file);
	return mask;
}

static int poll_ready(void *ctx, struct poll_table *table)
{
	struct poll_call *call = ctx;
	int n = 0;

	for (unsigned int i = 0; i < call->nr; i++) {
		struct pollfd *p = &call->fds[i];

		p->revents = 0;
		if (p->fd < 0)
			continue;
		p->revents = (s16)poll_one(p->fd, (u16)p->events, n ? NULL : table);
		n += !!p->revents;
	}
	return n;
}

static long do_poll(uintptr_t ufds, unsigned int nr, u64 timeout)
{
	struct poll_call call = { .nr = nr };
	long ret;

	if (nr > (unsigned int)fd_reserve_limit())
		return -EINVAL;
	if (nr) {
		call.fds = kvmalloc(nr * sizeof(*call.fds), GFP_KERNEL);
		if (!call.fds)
			return -ENOMEM;
		if (copy_from_user(call.fds, ufds, nr * sizeof(*call.fds))) {
			kvfree(call.fds);
			return -EFAULT;
		}
	}
	ret = poll_loop(poll_ready, &call, timeout);
	for (unsigned int i = 0; ret >= 0 && i < nr; i++)
		if (put_user(call.fds[i].revents, ufds + i * sizeof(*call.fds) + offsetof(struct pollfd, revents)))
			ret = -EFAULT;
	kvfree(call.fds);
	return ret;
}

static long sys_poll(uintptr_t fds, unsigned int nr, int timeout_ms)
{
	return do_poll(fds, nr, timeout_ms < 0 ? POLL_FOREVER : (u64)timeout_ms * 1000000);
}
SYSCALL(7, sys_poll);

/* Return: 0, *@ns its nanoseconds (for ever without one); or errno. */
long poll_timeout(uintptr_t at, u64 unit, u64 *ns)
{
	struct ktimespec ts;

	*ns = POLL_FOREVER;
	if (!at)
		return 0;
	if (copy_from_user(&ts, at, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || (u64)ts.tv_nsec >= 1000000000 / unit)
		return -EINVAL;
	*ns = (u64)ts.tv_sec > 1ull << 33 ? POLL_FOREVER : (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec * unit;
	return 0;
}

/* The caller's signal mask until it is back in user mode, or a handler has it saved; @at 0: as it is. */
long poll_mask(uintptr_t at, size_t size)
{
	sigset_k set;

	if (!at)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, at, sizeof(set)))
		return -EFAULT;
	current()->saved_mask = current()->blocked;
	set_blocked(set);
	kor(&current()->work, WORK_SIGMASK);
	return 0;
}

static long sys_ppoll(uintptr_t fds, unsigned int nr, uintptr_t timeout, uintptr_t mask, size_t size)
{
	u64 ns;
	long ret = poll_timeout(timeout, 1, &ns);

	if (!ret)
		ret = poll_mask(mask, size);
	if (ret)
		return ret;
	return do_poll(fds, nr, ns);
}
SYSCALL(271, sys_ppoll);

/* ---- select ---- */

struct select_call {
	unsigned int nr;
	u64 *in[3], *out[3]; /* to read, to write, exceptional: in one block */
	int bad;
};

static int select_ready(void *ctx, struct poll_table *table)
{
	static const unsigned int masks[3] = { POLLIN | POLLRDNORM | POLLHUP | POLLERR, POLLOUT | POLLWRNORM | POLLERR,
					       POLLPRI };
	struct select_call *call = ctx;
	int n = 0;

	for (unsigned int fd = 0; fd < call->nr; fd++) {
		u64 bit = 1ull << fd % 64;
		unsigned int word = fd / 64, mask;

		if (!((call->in[0][word] | call->in[1][word] | call->in[2][word]) & bit))
			continue;
		mask = poll_one((int)fd, ~0u, n ? NULL : table);
		if (mask == POLLNVAL)
			return -EBADF;
		for (int set = 0; set < 3; set++)
			if (call->in[set][word] & bit && mask & masks[set]) {
				call->out[set][word] |= bit;
				n++;
			}
	}
	return n;
}

static long do_select(int nr, const uintptr_t sets[3], u64 timeout)
{
	struct select_call call;
	size_t words, bytes;
	long ret = 0;
	u64 *block;

	if (nr < 0)
		return -EINVAL;
	call.nr = (unsigned int)min(nr, 1 << 16);
	words = DIV_ROUND_UP(call.nr, 64u);
	bytes = words * sizeof(u64);
	block = kvzalloc(6 * bytes + 1, GFP_KERNEL);
	if (!block)
		return -ENOMEM;
	for (int i = 0; i < 3; i++) {
		call.in[i] = block + i * words;
		call.out[i] = block + (3 + i) * words;
		if (sets[i] && copy_from_user(call.in[i], sets[i], bytes))
			ret = -EFAULT;
		if (call.nr % 64 && words)
			call.in[i][words - 1] &= (1ull << call.nr % 64) - 1;
	}
	if (!ret)
		ret = poll_loop(select_ready, &call, timeout);
	for (int i = 0; ret >= 0 && i < 3; i++)
		if (sets[i] && copy_to_user(sets[i], call.out[i], bytes))
			ret = -EFAULT;
	kvfree(block);
	return ret;
}

static long sys_select(int nr, uintptr_t in, uintptr_t out, uintptr_t except, uintptr_t timeout)
{
	const uintptr_t sets[3] = { in, out, except };
	u64 ns;
	long ret = poll_timeout(timeout, 1000, &ns);

	return ret ? ret : do_select(nr, sets, ns);
}
SYSCALL(23, sys_select);

static long sys_pselect6(int nr, uintptr_t in, uintptr_t out, uintptr_t except, uintptr_t timeout, uintptr_t umask)
{
	const uintptr_t sets[3] = { in, out, except };
	u64 ns, mask[2] = { 0, 0 };
	long ret = poll_timeout(timeout, 1, &ns);

	if (!ret && umask && copy_from_user(mask, umask, sizeof(mask)))
		ret = -EFAULT;
	if (!ret)
		ret = poll_mask((uintptr_t)mask[0], (size_t)mask[1]);
	if (ret)
		return ret;
	return do_select(nr, sets, ns);
}
SYSCALL(270, sys_pselect6);
