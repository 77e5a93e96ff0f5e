// SPDX-License-Identifier: MIT
/*
 * The terminal on the serial port: /dev/ttyS0, /dev/console and /dev/tty, with job control: tty_ioctl(4),
 * credentials(7).
 *
 * One lock, taken with interrupts off, guards it all; copies to and from user space are made without it, through a
 * small buffer. A kernel thread asks the port for input: often while somebody types, else every 10 ms.
 */
#include "kfs.h"
#include "ldisc.h"
#include "pc.h"

struct winsize {
	u16 rows, columns, x, y;
};

static struct {
	struct klock lock;
	struct wait_queue readable, writable;
	struct ldisc ld;
	struct winsize size;
	int session, pgrp; /* 0: none */
} tty __memsys;

#define BOUNCE 256u

/* ---- Input ---- */

static void tty_put(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	serial_write_raw(text, len);
}

static void tty_byte(u8 c)
{
	unsigned long flags = klock(&tty.lock);
	bool stopped = tty.ld.stopped;
	int signo = ldisc_input(&tty.ld, c), pgrp = tty.pgrp;

	stopped &= !tty.ld.stopped;
	kunlock(&tty.lock, flags);
	if (signo && pgrp)
		signal_pgrp(pgrp, signo, false);
	wake_up(&tty.readable);
	if (stopped || signo)
		wake_up(&tty.writable);
}

#define POLL_IDLE_NS 10000000ull
#define POLL_BUSY_NS 1000000ull /* a FIFO of 16 bytes fills in 1.4 ms at 115200 baud */

static void tty_thread(void *arg)
{
	unsigned int quiet = 0;
	int c;

	(void)arg;
	for (;;) {
		while ((c = serial_read()) >= 0) {
			tty_byte((u8)c);
			quiet = 0;
		}
		set_state(TASK_INTERRUPTIBLE);
		schedule_timeout(quiet < 100 ? POLL_BUSY_NS : POLL_IDLE_NS);
		quiet += quiet < 100;
	}
}

/* ---- Job control ---- */

static bool mine(void)
{
	return tty.session && current_process()->session == tty.session;
}

/* Would @signo come to nothing? */
static bool signal_ignored(int signo)
{
	const struct task *me = current();
	unsigned long flags = klock(&tasks_lock);
	bool ignored = me->blocked & SIGMASK(signo) || me->sighand->action[signo - 1].handler == SIG_IGN;

	kunlock(&tasks_lock, flags);
	return ignored;
}

static bool group_orphaned(int pgrp)
{
	unsigned long flags = klock(&tasks_lock);
	bool orphaned = pgrp_orphaned(pgrp, NULL);

	kunlock(&tasks_lock, flags);
	return orphaned;
}

static bool group_exists(int pgrp, int session)
{
	unsigned long flags = klock(&tasks_lock);
	bool exists = pgrp_exists(pgrp, session);

	kunlock(&tasks_lock, flags);
	return exists;
}

/* May the caller do this now? A background process is stopped by @signo instead: 0, -EIO or -ERESTARTSYS. */
static int foreground(int signo)
{
	struct process *me = current_process();

	if (!mine() || !tty.pgrp || me->pgrp == tty.pgrp)
		return 0;
	if (signal_ignored(signo))
		return signo == SIGTTIN ? -EIO : 0;
	if (group_orphaned(me->pgrp))
		return -EIO;
	signal_pgrp(me->pgrp, signo, false);
	return -ERESTARTSYS;
}

static bool session_alive(int session)
{
	struct task *leader = session ? task_find(session) : NULL;

	if (!leader)
		return false;
	task_put(leader);
	return true;
}

static int tty_take(bool steal)
{
	struct process *me = current_process();

	if (tty.session == me->session)
		return 0;
	if (me->session != me->pid || (session_alive(tty.session) && !steal))
		return -EPERM;
	tty.session = me->session;
	tty.pgrp = me->pgrp;
	return 0;
}

/* ---- read, write, poll ---- */

/* Enough for a read to return in this mode? */
static bool tty_ready(size_t want)
{
	const struct ktermios *t = &tty.ld.termios;
	u32 least;

	if (t->lflag & ICANON)
		return ldisc_ready(&tty.ld);
	least = (u32)min_t(size_t, max_t(u32, t->cc[VMIN], 1), want);
	return tty.ld.line - tty.ld.tail >= max_t(u32, least, 1);
}

/* Wait as VMIN and VTIME say. Return: 0 to look, -EAGAIN, -ERESTARTSYS, or 1: the time is over, nothing came. */
static int tty_wait(struct file *file, size_t want)
{
	const struct ktermios *t = &tty.ld.termios;
	bool raw = !(t->lflag & ICANON);
	u64 left = raw && t->cc[VTIME] ? (u64)t->cc[VTIME] * 100000000 : ~0ull;
	struct waiter w = { .task = NULL };
	int ret = 0;

	if (tty_ready(want))
		return 0;
	if (file->f_flags & O_NONBLOCK)
		return raw && !t->cc[VMIN] ? 1 : -EAGAIN;
	if (raw && !t->cc[VMIN] && !t->cc[VTIME])
		return 1;
	for (;;) {
		wait_begin(&tty.readable, &w, TASK_INTERRUPTIBLE);
		if (tty_ready(want))
			break;
		if (signal_pending()) {
			ret = -ERESTARTSYS;
			break;
		}
		/* With VMIN the time counts from the first byte on. */
		if (left == ~0ull || (t->cc[VMIN] && !ldisc_ready(&tty.ld))) {
			schedule();
		} else {
			left = schedule_timeout(left);
			if (!left) {
				ret = !ldisc_ready(&tty.ld);
				break;
			}
		}
		wait_end(&tty.readable, &w);
	}
	wait_end(&tty.readable, &w);
	return ret;
}

static s64 tty_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	char bounce[BOUNCE];
	bool line_end = false;
	s64 total = 0;
	int err;

	(void)pos;
	err = foreground(SIGTTIN);
	if (err)
		return err;
	if (!to->count)
		return 0;
	err = tty_wait(file, to->count);
	if (err)
		return err > 0 ? 0 : err;
	while (to->count && !line_end) {
		unsigned long flags = klock(&tty.lock);
		u32 n = ldisc_read(&tty.ld, bounce, (u32)min_t(size_t, to->count, BOUNCE), &line_end);
		size_t copied;

		kunlock(&tty.lock, flags);
		if (!n)
			break;
		copied = copy_to_iter(bounce, n, to);
		total += (s64)copied;
		if (copied < n)
			return total ? total : -EFAULT;
	}
	return total;
}

static s64 tty_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	char bounce[BOUNCE];
	s64 total = 0;
	int err = 0;

	(void)pos;
	if (tty.ld.termios.lflag & TOSTOP)
		err = foreground(SIGTTOU);
	if (err)
		return err;
	while (from->count) {
		size_t want = min_t(size_t, from->count, BOUNCE), n;
		unsigned long flags;

		if (READ_ONCE(tty.ld.stopped)) {
			if (file->f_flags & O_NONBLOCK)
				return total ? total : -EAGAIN;
			err = wait_event_interruptible(&tty.writable, !READ_ONCE(tty.ld.stopped));
			if (err)
				return total ? total : err;
		}
		n = copy_from_iter(bounce, want, from);
		flags = klock(&tty.lock);
		ldisc_write(&tty.ld, bounce, n);
		kunlock(&tty.lock, flags);
		total += (s64)n;
		if (n < want)
			return total ? total : -EFAULT;
	}
	return total;
}

static unsigned int tty_poll(struct file *file, void *table)
{
	unsigned int mask = 0;

	poll_wait(file, &tty.readable, table);
	poll_wait(file, &tty.writable, table);
	if (tty_ready(1))
		mask |= POLLIN | POLLRDNORM;
	if (!tty.ld.stopped)
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

/* ---- ioctl ---- */

#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540a
#define TCFLSH 0x540b
#define TIOCSCTTY 0x540e
#define TIOCGPGRP 0x540f
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCGSERIAL 0x541e
#define TCSBRKP 0x5425
#define TIOCNOTTY 0x5422
#define TIOCGSID 0x5429

static long tty_set_mode(uintptr_t arg, bool flush)
{
	struct ktermios termios;
	unsigned long flags;
	int err = foreground(SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&termios, arg, sizeof(termios)))
		return -EFAULT;
	flags = klock(&tty.lock);
	if (flush)
		ldisc_flush(&tty.ld);
	ldisc_set(&tty.ld, &termios);
	kunlock(&tty.lock, flags);
	wake_up(&tty.readable);
	return 0;
}

static long tty_set_group(uintptr_t arg)
{
	int pgrp, err;

	if (!mine())
		return -ENOTTY;
	if (get_user(pgrp, arg))
		return -EFAULT;
	if (pgrp < 0)
		return -EINVAL;
	if (!group_exists(pgrp, tty.session))
		return -EPERM;
	err = foreground(SIGTTOU);
	if (err)
		return err;
	tty.pgrp = pgrp;
	return 0;
}

static long tty_window(uintptr_t arg)
{
	struct winsize size;

	if (copy_from_user(&size, arg, sizeof(size)))
		return -EFAULT;
	if (memcmp(&size, &tty.size, sizeof(size))) {
		tty.size = size;
		if (tty.pgrp)
			signal_pgrp(tty.pgrp, SIGWINCH, false);
	}
	return 0;
}

static long tty_flush(unsigned long queue)
{
	unsigned long flags;

	if (queue > 2)
		return -EINVAL;
	if (queue != 1) { /* TCOFLUSH: output has gone at once */
		flags = klock(&tty.lock);
		ldisc_flush(&tty.ld);
		kunlock(&tty.lock, flags);
	}
	return 0;
}

static long tty_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	s32 serial[18] = { 4, 0, 0x3f8, 4 }; /* struct serial_struct: a 16550A, line 0, its port and interrupt */
	s32 value = 0;

	(void)file;
	switch (cmd) {
	case TCGETS:
		return copy_to_user(arg, &tty.ld.termios, sizeof(tty.ld.termios)) ? -EFAULT : 0;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return tty_set_mode(arg, cmd == TCSETSF);
	case TIOCGWINSZ:
		return copy_to_user(arg, &tty.size, sizeof(tty.size)) ? -EFAULT : 0;
	case TIOCSWINSZ:
		return tty_window(arg);
	case TIOCGPGRP:
		if (!mine())
			return -ENOTTY;
		value = tty.pgrp;
		return put_user(value, arg);
	case TIOCSPGRP:
		return tty_set_group(arg);
	case TIOCGSID:
		if (!mine())
			return -ENOTTY;
		value = tty.session;
		return put_user(value, arg);
	case TIOCSCTTY:
		return tty_take(arg == 1 && task_capable(current_task(), CAP_SYS_ADMIN));
	case TIOCNOTTY:
		if (!mine())
			return -ENOTTY;
		if (current_process()->pid == tty.session)
			tty.session = tty.pgrp = 0;
		return 0;
	case TIOCGSERIAL:
		return copy_to_user(arg, serial, sizeof(serial)) ? -EFAULT : 0;
	case FIONREAD:
		value = (s32)ldisc_readable(&tty.ld);
		return put_user(value, arg);
	case TIOCOUTQ:
		return put_user(value, arg);
	case TCFLSH:
		return tty_flush(arg);
	case TCSBRK:
	case TCSBRKP:
	case TCXONC:
		return 0;
	}
	return -ENOTTY;
}

static const struct file_operations tty_fops = { .read_iter = tty_read,
						 .write_iter = tty_write,
						 .poll = tty_poll,
						 .ioctl = tty_ioctl,
						 .release = file_release_path,
						 .show_path = vfs_path };

/* /dev/tty is the caller's own terminal; a session's leader that opens another one first gets it as its own. */
int tty_open(struct inode *inode, struct file *file)
{
	if (inode->i_rdev == MKDEV(5, 0) && !mine())
		return -ENXIO;
	if (inode->i_rdev == MKDEV(4, 64) && !(file->f_flags & O_NOCTTY))
		tty_take(false);
	file->f_op = &tty_fops;
	file->f_mode |= FMODE_STREAM;
	return 0;
}

int tty_number(const struct process *process)
{
	return tty.session && process->session == tty.session ? (int)dev_to_user(MKDEV(4, 64)) : 0;
}

int tty_foreground(const struct process *process)
{
	return tty_number(process) ? tty.pgrp : -1;
}

int console_start(void)
{
	int pid;

	ldisc_init(&tty.ld, tty_put, NULL);
	tty.size = (struct winsize){ 24, 80, 0, 0 };
	pid = kthread_create(tty_thread, NULL, "kttyd");
	return pid < 0 ? pid : 0;
}

int vfs_open_console(void)
{
	int err;

	for (int fd = 0; fd < 3; fd++) {
		struct file *file = vfs_open(AT_FDCWD, "/dev/console", O_RDWR, 0, &err);

		if (!file)
			return err;
		err = fd_install(file, 0, false);
		if (err < 0) {
			fput(file);
			return err;
		}
	}
	return 0;
}
