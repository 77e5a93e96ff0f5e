// SPDX-License-Identifier: MIT
/*
 * Advisory locks: fcntl(2) F_SETLK (of a process), F_OFD_SETLK (of an open file), flock(2).
 *
 * All of them in one list: few programs have many. A lock belongs to a descriptor table or to an open file; owners of
 * different kinds of one inode conflict as Linux has it: flock() with flock() only, ranges with ranges.
 */
#include "kfs.h"
#include "syscall.h"

struct file_lock {
	struct file_lock *next;
	struct inode *inode;
	void *owner;	 /* struct files or struct file */
	s32 pid;
	bool whole;	 /* flock() */
	bool exclusive;
	u64 start, end;	 /* bytes, inclusive */
};

static struct {
	struct rw_semaphore lock;
	struct file_lock *first;
	struct wait_queue wait;
} locks __memsys;

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
	return a->inode == b->inode && a->whole == b->whole && a->start <= b->end && b->start <= a->end;
}

/* The first by its place in the file: that one F_GETLK tells of. */
static struct file_lock *conflict(const struct file_lock *want)
{
	struct file_lock *found = NULL;

	for (struct file_lock *l = locks.first; l; l = l->next)
		if (overlap(l, want) && l->owner != want->owner && (l->exclusive || want->exclusive) &&
		    (!found || l->start < found->start))
			found = l;
	return found;
}

/* What the owner has in the range goes; what sticks out stays. @spare: for one that is cut in two. */
static void carve(const struct file_lock *want, struct file_lock **spare)
{
	struct file_lock **at = &locks.first, *l;

	while ((l = *at)) {
		if (!overlap(l, want) || l->owner != want->owner) {
			at = &l->next;
			continue;
		}
		if (l->start < want->start && l->end > want->end) {
			struct file_lock *rest = *spare;

			*spare = NULL;
			*rest = *l;
			rest->start = want->end + 1;
			l->end = want->start - 1;
			l->next = rest;
			at = &rest->next;
		} else if (l->start < want->start) {
			l->end = want->start - 1;
			at = &l->next;
		} else if (l->end > want->end) {
			l->start = want->end + 1;
			at = &l->next;
		} else {
			*at = l->next;
			kfree(l);
		}
	}
}

/* Return: 0, -EAGAIN (in use by another), -ENOMEM. */
static int lock_try(const struct file_lock *want, bool unlock)
{
	struct file_lock *new = kmalloc(sizeof(*new), GFP_KERNEL), *spare = kmalloc(sizeof(*spare), GFP_KERNEL);
	int err = !new || !spare ? -ENOMEM : 0;

	down_write(&locks.lock);
	if (!err && !unlock && conflict(want))
		err = -EAGAIN;
	if (!err) {
		carve(want, &spare);
		if (!unlock) {
			*new = *want;
			new->next = locks.first;
			locks.first = new;
			new = NULL;
		}
	}
	up_write(&locks.lock);
	kfree(new);
	kfree(spare);
	if (!err)
		wake_up(&locks.wait);
	return err;
}

static int lock_wait(const struct file_lock *want, bool unlock, bool wait)
{
	int err = -EAGAIN, stopped;

	if (!wait || unlock)
		return lock_try(want, unlock);
	stopped = wait_event_interruptible(&locks.wait, (err = lock_try(want, false)) != -EAGAIN);
	return stopped ? stopped : err;
}

static void release_owner(struct inode *inode, const void *owner)
{
	struct file_lock **at, *l;
	bool any = false;

	if (!READ_ONCE(locks.first))
		return;
	down_write(&locks.lock);
	for (at = &locks.first; (l = *at);) {
		if (l->inode == inode && l->owner == owner) {
			*at = l->next;
			kfree(l);
			any = true;
		} else {
			at = &l->next;
		}
	}
	up_write(&locks.lock);
	if (any)
		wake_up(&locks.wait);
}

void locks_release_files(struct inode *inode, struct files *owner)
{
	release_owner(inode, owner);
}

void locks_release_file(struct inode *inode, struct file *file)
{
	release_owner(inode, file);
}

static int range_of(struct file *file, const struct kflock *fl, u64 *start, u64 *end)
{
	s64 from = fl->l_start;

	if (fl->l_whence == SEEK_CUR)
		from += (s64)file->f_pos;
	else if (fl->l_whence == SEEK_END)
		from += (s64)i_size_read(file->f_inode);
	else if (fl->l_whence != SEEK_SET)
		return -EINVAL;
	if (fl->l_len < 0) {
		*end = (u64)(from - 1);
		from += fl->l_len;
	} else {
		*end = fl->l_len ? (u64)(from + fl->l_len - 1) : ~0ull >> 1;
	}
	*start = (u64)from;
	return from < 0 ? -EINVAL : 0;
}

static long lock_get(struct kflock *fl, const struct file_lock *want, uintptr_t arg)
{
	struct file_lock *l;

	down_write(&locks.lock);
	l = conflict(want);
	if (l) {
		*fl = (struct kflock){ .l_type = l->exclusive ? F_WRLCK : F_RDLCK, .l_start = (s64)l->start,
				       .l_len = l->end == ~0ull >> 1 ? 0 : (s64)(l->end - l->start + 1),
				       .l_pid = l->pid };
	} else {
		fl->l_type = F_UNLCK;
	}
	up_write(&locks.lock);
	return copy_to_user(arg, fl, sizeof(*fl)) ? -EFAULT : 0;
}

long locks_fcntl(struct file *file, int cmd, uintptr_t arg)
{
	bool ofd = cmd >= F_OFD_GETLK;
	struct file_lock want = { .inode = file->f_inode, .owner = ofd ? (void *)file : current()->files,
				  .pid = ofd ? -1 : current_task()->tgid };
	struct kflock fl;
	int err;

	if (copy_from_user(&fl, arg, sizeof(fl)))
		return -EFAULT;
	if (fl.l_type != F_RDLCK && fl.l_type != F_WRLCK && fl.l_type != F_UNLCK)
		return -EINVAL;
	if (ofd && fl.l_pid)
		return -EINVAL;
	err = range_of(file, &fl, &want.start, &want.end);
	if (err)
		return err;
	want.exclusive = fl.l_type == F_WRLCK;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		return fl.l_type == F_UNLCK ? -EINVAL : lock_get(&fl, &want, arg);
	if ((fl.l_type == F_WRLCK && !(file->f_mode & FMODE_WRITE)) ||
	    (fl.l_type == F_RDLCK && !(file->f_mode & FMODE_READ)))
		return -EBADF;
	file->f_mode |= FMODE_LOCKS;
	return lock_wait(&want, fl.l_type == F_UNLCK, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

static long sys_flock(int fd, int op)
{
	int kind = op & ~LOCK_NB;
	struct file *file;
	long ret;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	file = fd_get(fd);
	if (!file)
		return -EBADF;
	if (file->f_flags & O_PATH) {
		ret = -EBADF;
	} else {
		struct file_lock want = { .inode = file->f_inode, .owner = file, .whole = true,
					  .exclusive = kind == LOCK_EX, .end = ~0ull >> 1 };

		file->f_mode |= FMODE_LOCKS;
		ret = lock_wait(&want, kind == LOCK_UN, !(op & LOCK_NB));
	}
	fput(file);
	return ret;
}
SYSCALL(73, sys_flock);
