/* SPDX-License-Identifier: MIT */
/*
 * Semaphores for readers and one writer, whose holders may sleep (<linux/rwsem.h>). Waiters are served in the order in
 * which they came, readers that stand together at once; the lock is handed over, so nobody starves. Free and
 * undisputed, each operation is one atomic instruction. Thread context only.
 */
#ifndef OCTAVO_RWSEM_H
#define OCTAVO_RWSEM_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct rwsem_waiter;

struct rw_semaphore {
	unsigned long count; /* (a) readers, or the writer's bit; a bit for waiters */
	struct rwsem_waiter *first, *last;
	u8 wait_lock[2];     /* a spinlock_t */
	u8 rank;	     /* enum lock_rank: debug builds check the order */
};

#define RWSEM_INIT(rank_) { .rank = (rank_) }

OCTAVO_API void init_rwsem(struct rw_semaphore *sem);
OCTAVO_API void down_read(struct rw_semaphore *sem);
/** down_read_killable - Return: 0; -EINTR: the thread was killed while it waited */
OCTAVO_API int __must_check down_read_killable(struct rw_semaphore *sem);
OCTAVO_API bool down_read_trylock(struct rw_semaphore *sem);
OCTAVO_API void up_read(struct rw_semaphore *sem);
OCTAVO_API void down_write(struct rw_semaphore *sem);
OCTAVO_API int __must_check down_write_killable(struct rw_semaphore *sem);
OCTAVO_API bool down_write_trylock(struct rw_semaphore *sem);
OCTAVO_API void up_write(struct rw_semaphore *sem);
/** downgrade_write - the writer goes on as a reader */
OCTAVO_API void downgrade_write(struct rw_semaphore *sem);
OCTAVO_API bool rwsem_is_locked(const struct rw_semaphore *sem);

OCTAVO_END_DECLS
#endif
