// SPDX-License-Identifier: MIT
/*
 * shmctl(2). The structures are those of <asm/shmbuf.h> as the C library's headers document them: a long is a word, and
 * on 32 bits times have their upper halves beside them.
 */
#include <octavo/uaccess.h>

#include "../base/string.h"
#include "filemap.h"
#include "shmem.h"
#include "sysv_shm.h"

struct user_perm {
	s32 key;
	u32 uid, gid, cuid, cgid;
#if __SIZEOF_POINTER__ == 8
	u32 mode;
#else
	u16 mode, mode_pad;
#endif
	u16 seq, seq_pad;
	unsigned long unused[2];
};

struct user_time {
	unsigned long s;
#if __SIZEOF_POINTER__ == 4
	unsigned long s_high;
#endif
};

struct user_segment {
	struct user_perm perm;
	unsigned long size;
	struct user_time atime, dtime, ctime;
	s32 cpid, lpid;
	unsigned long nattch;
	unsigned long unused[2];
};
octavo_static_assert(sizeof(struct user_segment) == (sizeof(long) == 8 ? 112 : 84), "struct shmid64_ds");

struct user_limits {
	unsigned long max, min, mni, seg, all;
	unsigned long unused[4];
};

struct user_totals {
	int used_ids;
	unsigned long total, resident, swapped;
	unsigned long swap_attempts, swap_successes;
};

static struct user_time user_time(u64 s)
{
	struct user_time t = { 0 };

	t.s = (unsigned long)s;
#if __SIZEOF_POINTER__ == 4
	t.s_high = (unsigned long)(s >> 32);
#endif
	return t;
}

static long to_user(uintptr_t buf, const void *from, size_t size, long ret)
{
	return copy_to_user(buf, from, size) ? -EFAULT : ret;
}

/* The highest slot in use, 0 if there is none. */
static long last_slot(void)
{
	unsigned long last = 0;

	for (unsigned long slot = 0; shm_next(&slot); slot++)
		last = slot;
	return (long)last;
}

static long info(uintptr_t buf)
{
	struct user_limits out;
	long ret;

	memset(&out, 0, sizeof(out));
	mutex_lock(&shm.lock);
	out.max = shm.limits.max;
	out.min = 1;
	out.mni = out.seg = (unsigned long)shm.limits.mni;
	out.all = shm.limits.all;
	ret = last_slot();
	mutex_unlock(&shm.lock);
	return to_user(buf, &out, sizeof(out), ret);
}

static long totals(uintptr_t buf)
{
	const struct shm_segment *seg;
	struct user_totals out;
	long ret;

	memset(&out, 0, sizeof(out));
	mutex_lock(&shm.lock);
	for (unsigned long slot = 0; (seg = shm_next(&slot)); slot++) {
		out.resident += seg->file->f_mapping->nrpages;
		out.swapped += load_relaxed(&shmem_i(seg->file->f_inode)->swapped);
	}
	out.used_ids = (int)shm.used;
	out.total = shm.pages;
	ret = last_slot();
	mutex_unlock(&shm.lock);
	return to_user(buf, &out, sizeof(out), ret);
}

static void describe(const struct shm_segment *seg, struct user_segment *out)
{
	memset(out, 0, sizeof(*out));
	out->perm.key = seg->key;
	out->perm.uid = seg->uid;
	out->perm.gid = seg->gid;
	out->perm.cuid = seg->cuid;
	out->perm.cgid = seg->cgid;
	out->perm.mode = (__typeof__(out->perm.mode))seg->mode;
	out->perm.seq = (u16)((u32)seg->id / SHM_SLOTS);
	out->size = (unsigned long)seg->size;
	out->atime = user_time(seg->atime);
	out->dtime = user_time(seg->dtime);
	out->ctime = user_time(seg->ctime);
	out->cpid = seg->cpid;
	out->lpid = seg->lpid;
	out->nattch = seg->nattch;
}

static long stat(int id, int cmd, uintptr_t buf)
{
	const struct shm_segment *seg;
	struct user_segment out;
	int err = -EINVAL;
	long ret = 0;

	mutex_lock(&shm.lock);
	if (cmd == IPC_STAT) {
		seg = shm_find(id, &err);
	} else {
		seg = xa_load(&shm.slots, (unsigned int)id % SHM_SLOTS);
		err = seg ? 0 : -EINVAL;
		ret = seg ? seg->id : 0;
	}
	if (!err && cmd != SHM_STAT_ANY && !shm_permitted(seg, 0444))
		err = -EACCES;
	if (!err)
		describe(seg, &out);
	mutex_unlock(&shm.lock);
	return err ? err : to_user(buf, &out, sizeof(out), ret);
}

/* Owner, creator, or who may do anything. */
static bool owns(const struct shm_segment *seg, unsigned int capability)
{
	const struct mm_task *task = current_task();

	return task->process->uid == seg->uid || task->process->uid == seg->cuid || task_capable(task, capability);
}

static struct shm_segment *find_owned(int id, int *err)
{
	struct shm_segment *seg = shm_find(id, err);

	if (seg && !owns(seg, CAP_SYS_ADMIN)) {
		*err = -EPERM;
		seg = NULL;
	}
	return seg;
}

static long set(int id, uintptr_t buf)
{
	struct user_segment in;
	struct shm_segment *seg;
	int err;

	if (copy_from_user(&in, buf, sizeof(in)))
		return -EFAULT;
	mutex_lock(&shm.lock);
	seg = find_owned(id, &err);
	if (seg && (in.perm.uid == ~0u || in.perm.gid == ~0u)) {
		err = -EINVAL;
	} else if (seg) {
		seg->uid = in.perm.uid;
		seg->gid = in.perm.gid;
		seg->mode = (seg->mode & ~S_IRWXUGO) | (in.perm.mode & S_IRWXUGO);
		seg->ctime = octavo_realtime_ns() / 1000000000u;
	}
	mutex_unlock(&shm.lock);
	return err;
}

static long remove(int id)
{
	struct file *file = NULL;
	struct shm_segment *seg;
	int err;

	mutex_lock(&shm.lock);
	seg = find_owned(id, &err);
	if (seg) {
		seg->mode |= SHM_DEST;
		seg->key = IPC_PRIVATE;
		file = shm_reap(seg);
	}
	mutex_unlock(&shm.lock);
	if (file)
		fput(file);
	return err;
}

/* ---- SHM_LOCK ---- */

/* Pages of segments that @uid keeps locked. */
static unsigned long locked_by(u32 uid)
{
	const struct shm_segment *seg;
	unsigned long pages = 0;

	for (unsigned long slot = 0; (seg = shm_next(&slot)); slot++)
		if (seg->mode & SHM_LOCKED && seg->locker == uid)
			pages += shm_pages(seg->size);
	return pages;
}

static int lock_segment(struct shm_segment *seg)
{
	const struct mm_task *task = current_task();
	unsigned long limit = task_rlimit(task, RLIMIT_MEMLOCK);
	struct address_space *mapping = seg->file->f_mapping;

	if (seg->mode & SHM_LOCKED)
		return 0;
	if (limit != RLIM_INFINITY && !task_capable(task, CAP_IPC_LOCK) &&
	    locked_by(task->process->uid) + shm_pages(seg->size) > limit >> PAGE_SHIFT)
		return -ENOMEM;
	seg->locker = task->process->uid;
	seg->mode |= SHM_LOCKED;
	atomic_fetch_or(&mapping->flags, 1ul << AS_UNEVICTABLE);
	return 0;
}

static long lock(int id, bool on)
{
	const struct mm_task *task = current_task();
	struct shm_segment *seg;
	struct file *file = NULL;
	int err;

	mutex_lock(&shm.lock);
	seg = shm_find(id, &err);
	if (seg && (!owns(seg, CAP_IPC_LOCK) ||
		    (on && !task_rlimit(task, RLIMIT_MEMLOCK) && !task_capable(task, CAP_IPC_LOCK)))) {
		err = -EPERM;
	} else if (seg && on) {
		err = lock_segment(seg);
	} else if (seg) {
		seg->mode &= ~(u32)SHM_LOCKED;
		atomic_fetch_and(&seg->file->f_mapping->flags, ~(1ul << AS_UNEVICTABLE));
		file = get_file(seg->file);
	}
	mutex_unlock(&shm.lock);
	if (file) {
		mapping_rescue_folios(file->f_mapping);
		fput(file);
	}
	return err;
}

long ksys_shmctl(int id, int cmd, uintptr_t buf)
{
	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return info(buf);
	case SHM_INFO:
		return totals(buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return stat(id, cmd, buf);
	case IPC_SET:
		return set(id, buf);
	case IPC_RMID:
		return remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return lock(id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}
