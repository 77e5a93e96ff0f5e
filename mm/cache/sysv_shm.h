/* SPDX-License-Identifier: MIT */
/* SysV shared memory segments, for sysv_shm*.c and the files of /proc that show them. */
#ifndef MM_CACHE_SYSV_SHM_H
#define MM_CACHE_SYSV_SHM_H

#include <octavo/fs.h>

#include "../base/compiler.h"
#include "../sync/mutex.h"

/* An id is a slot and how often slots have come round: seq * SHM_SLOTS + slot. */
#define SHM_SLOTS 32768u

/* (s) shm.lock, (c) constant */
struct shm_segment {
	s32 id;			/* (c) */
	s32 key;		/* (s) IPC_PRIVATE once marked for destruction */
	u32 uid, gid;		/* (s) owner */
	u32 cuid, cgid;		/* (c) creator */
	u32 mode;		/* (s) rights, SHM_DEST, SHM_LOCKED */
	u64 size;		/* (c) bytes, as asked for */
	u64 atime, dtime, ctime; /* (s) s since the epoch */
	s32 cpid, lpid;		/* (c), (s) */
	unsigned long nattch;	/* (s) VMAs, and shmat() calls under way */
	u32 locker;		/* (s) whose RLIMIT_MEMLOCK it counts against, with SHM_LOCKED */
	struct file *file;	/* (c) */
};

struct shm_limits {
	unsigned long max, all; /* bytes of one, pages of all together */
	int mni;		/* how many */
};

extern struct shm_state {
	struct mutex lock;
	struct xarray slots;
	unsigned int used;	/* segments */
	unsigned int last_slot;	/* given out last */
	u32 seq;
	unsigned long pages;	/* of all of them */
	struct shm_limits limits;
} shm;

static inline unsigned long shm_pages(u64 size)
{
	return (unsigned long)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* Context of these: shm.lock. The first segment at or behind *@slot; NULL: none is left. */
struct shm_segment *shm_next(unsigned long *slot);
/* Return: the segment; NULL: *@err -EINVAL or -EIDRM. */
struct shm_segment *shm_find(int id, int *err);
/* May the caller do what the mode bits of @flags ask for? */
bool shm_permitted(const struct shm_segment *seg, u32 flags);
/* The last user of one that is marked for destruction is gone: returns the file to put without the lock, or NULL. */
struct file *shm_reap(struct shm_segment *seg);

#endif
