// SPDX-License-Identifier: MIT
/*
 * The kernel's log: the last 64 KiB of what went to the console, read through /dev/kmsg and syslog(2).
 *
 * The port adds text as it is printed, stamps and all; records of /dev/kmsg are its lines (dev-kmsg in the ABI
 * documentation): "priority,sequence,microseconds,-;text".
 */
#include "kmsg.h"

#include "kfs.h"
#include "pc.h"
#include "syscall.h"

#define LOG_BYTES 65536u

static struct {
	struct klock lock;
	u64 head;	 /* bytes added, ever */
	u64 cleared;	 /* what SYSLOG_ACTION_CLEAR has put away */
	char text[LOG_BYTES];
} log;

/* Called by the port with all that goes to the console: any context. */
void pc_console_log(const char *text, size_t len)
{
	unsigned long flags = klock(&log.lock);

	for (size_t i = 0; i < len; i++)
		log.text[log.head++ % LOG_BYTES] = text[i];
	kunlock(&log.lock, flags);
}

static u64 log_first(void)
{
	return log.head > LOG_BYTES ? log.head - LOG_BYTES : 0;
}

/* The line at or behind *@at, without its end. Return: its length; *@at is behind it. -1: none. */
static int log_line(u64 *at, char *to, size_t size)
{
	unsigned long flags = klock(&log.lock);
	u64 from = max(*at, log_first());
	size_t len = 0;
	int ret = -1;

	while (from < log.head) {
		char c = log.text[from++ % LOG_BYTES];

		if (c == '\n') {
			ret = (int)len;
			*at = from;
			break;
		}
		if (len < size)
			to[len++] = c;
	}
	kunlock(&log.lock, flags);
	return ret;
}

/* "[    1.234567] text". Return: microseconds; *@skip: bytes up to the text. */
static u64 stamp_of(const char *line, size_t len, size_t *skip)
{
	u64 us = 0;
	size_t i = 1;

	*skip = 0;
	if (!len || line[0] != '[')
		return 0;
	for (; i < len && line[i] != ']'; i++)
		if (line[i] >= '0' && line[i] <= '9')
			us = us * 10 + (u64)(line[i] - '0');
	*skip = min(i + 2, len);
	return us;
}

static s64 kmsg_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	char line[512], head[64];
	u64 at = file->ra_prev, us; /* no readahead here: the place in the log */
	size_t skip, n;
	int len = log_line(&at, line, sizeof(line));

	(void)pos;
	if (len < 0)
		return file->f_flags & O_NONBLOCK ? -EAGAIN : 0;
	us = stamp_of(line, (size_t)len, &skip);
	n = octavo_snprintf(head, sizeof(head), "6,%llu,%llu,-;", (unsigned long long)at, (unsigned long long)us);
	if (to->count < n + (size_t)len - skip + 1)
		return -EINVAL;
	file->ra_prev = at;
	if (copy_to_iter(head, n, to) != n || copy_to_iter(line + skip, (size_t)len - skip, to) != (size_t)len - skip ||
	    copy_to_iter("\n", 1, to) != 1)
		return -EFAULT;
	return (s64)(n + (size_t)len - skip + 1);
}

static s64 kmsg_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	char line[512];
	size_t len = min(from->count, sizeof(line) - 1), skip = 0;
	s64 total = (s64)from->count;

	(void)file;
	(void)pos;
	if (copy_from_iter(line, len, from) != len)
		return -EFAULT;
	line[len] = 0;
	if (line[0] == '<') {
		while (line[skip] && line[skip] != '>')
			skip++;
		skip += !!line[skip];
	}
	while (len > skip && line[len - 1] == '\n')
		line[--len] = 0;
	printk("%s\n", line + skip);
	return total;
}

static s64 kmsg_seek(struct file *file, s64 offset, int whence)
{
	if (offset)
		return -ESPIPE;
	if (whence != SEEK_SET && whence != SEEK_END && whence != SEEK_DATA)
		return -EINVAL;
	file->ra_prev = whence == SEEK_SET ? 0 : whence == SEEK_END ? log.head : log.cleared;
	return 0;
}

static unsigned int kmsg_poll(struct file *file, void *table)
{
	(void)table;
	return (file->ra_prev < log.head ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM;
}

const struct file_operations kmsg_fops = { .read_iter = kmsg_read,
					   .write_iter = kmsg_write,
					   .llseek = kmsg_seek,
					   .poll = kmsg_poll,
					   .release = file_release_path,
					   .show_path = vfs_path };

/* ---- syslog(2) ---- */

static long log_copy(uintptr_t to, size_t size, u64 from, bool clear)
{
	char line[512];
	u64 at, end = log.head, start;
	size_t total = 0;
	int len;

	/* The last lines that fit. */
	start = max(from, log_first());
	start = max(start, end > size ? end - size : 0);
	if (start > log_first() && start > from) {
		at = start;
		if (log_line(&at, line, 0) >= 0)
			start = at;
	}
	for (at = start; at < end && (len = log_line(&at, line, sizeof(line) - 1)) >= 0;) {
		line[len++] = '\n';
		if (total + (size_t)len > size)
			break;
		if (copy_to_user(to + total, line, (size_t)len))
			return -EFAULT;
		total += (size_t)len;
	}
	if (clear)
		log.cleared = end;
	return (long)total;
}

enum { SYSLOG_CLOSE, SYSLOG_OPEN, SYSLOG_READ, SYSLOG_READ_ALL, SYSLOG_READ_CLEAR, SYSLOG_CLEAR, SYSLOG_CONSOLE_OFF,
       SYSLOG_CONSOLE_ON, SYSLOG_CONSOLE_LEVEL, SYSLOG_UNREAD, SYSLOG_SIZE };

static long sys_syslog(int type, uintptr_t to, int size)
{
	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE && !task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!to || size < 0)
			return -EINVAL;
		return log_copy(to, (size_t)size, log.cleared, type != SYSLOG_READ_ALL);
	case SYSLOG_CLEAR:
		log.cleared = log.head;
		return 0;
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
		printk_console(type == SYSLOG_CONSOLE_ON);
		return 0;
	case SYSLOG_CONSOLE_LEVEL:
		if (size < 1 || size > 8)
			return -EINVAL;
		printk_console(size > 4);
		return 0;
	case SYSLOG_UNREAD:
		return (long)(log.head - max(log.cleared, log_first()));
	case SYSLOG_SIZE:
		return LOG_BYTES;
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	}
	return -EINVAL;
}
SYSCALL(103, sys_syslog);
