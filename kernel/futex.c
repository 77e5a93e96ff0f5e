// SPDX-License-Identifier: MIT
/*
 * Futexes: futex(2), futex_waitv(2), the list of robust ones (get_robust_list(2)).
 *
 * A key is where the word lies: in an address space, or (shared mappings) in a file. Waiters stand in the bucket of
 * their key's hash; who changes the word and wakes looks into the same bucket, under its lock.
 */
#include "kernel.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE 128
#define FUTEX_REALTIME 256
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
#define ROBUST_LIMIT 2048u

struct futex_key {
	const void *object; /* struct mm_struct or struct inode */
	u64 offset;
};

struct futex_waiter {
	struct list_node node;
	struct task *task;
	struct futex_key key;
	u32 bitset;
	u32 woken;
	struct futex_bucket *bucket;
	uintptr_t addr; /* of one of several: the word, and what it must be */
	u32 value;
};

struct futex_bucket {
	struct klock lock;
	unsigned int waiters;
	struct list_node list;
} __aligned(64);

static struct futex_bucket buckets[256];

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	u64 hash = ((u64)(uintptr_t)key->object + key->offset) * 0x9e3779b97f4a7c15ull;

	return &buckets[hash >> 56];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

/* Return: 0, -EINVAL for an address that is not aligned, -EFAULT. */
static int make_key(uintptr_t addr, bool private_, struct futex_key *key)
{
	struct mm_struct *mm = current()->core.mm;
	struct vm_area_struct *vma;
	int err = 0;
	u32 seen;

	if (addr % 4)
		return -EINVAL;
	if (!access_ok(addr, 4))
		return -EFAULT;
	*key = (struct futex_key){ mm, addr };
	if (private_)
		return 0;
	/* A word in a file is known by its page: it must be there, also for who only wakes. */
	if (get_user(seen, addr))
		return -EFAULT;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (!vma)
		err = -EFAULT;
	else if ((vma->vm_flags & VM_SHARED) && vma->vm_file)
		*key = (struct futex_key){ vma->vm_file->f_inode,
					   (u64)linear_page_index(vma, addr) << PAGE_SHIFT | (addr & ~PAGE_MASK) };
	mmap_read_unlock(mm);
	return err;
}

/* ---- Waiting ---- */

static void leave(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = kload(&w->bucket);
		unsigned long flags;

		if (!b)
			return;
		flags = klock(&b->lock);
		if (b == w->bucket) {
			node_remove(&w->node);
			b->waiters--;
			w->bucket = NULL;
			kunlock(&b->lock, flags);
			return;
		}
		kunlock(&b->lock, flags);
	}
}

static void join(struct futex_waiter *w)
{
	struct futex_bucket *b = bucket_of(&w->key);
	unsigned long flags = klock(&b->lock);

	w->task = current();
	w->bucket = b;
	b->waiters++;
	node_append(&b->list, &w->node);
	kunlock(&b->lock, flags);
	kfence();
	/* Whoever changes the word from here on finds the waiter. */
}

/* Return: which one was woken, the last of several; -1: none. */
static long any_woken(const struct futex_waiter *w, unsigned int nr)
{
	while (nr && !kload(&w[nr - 1].woken))
		nr--;
	return (long)nr - 1;
}

/* Until one of them is woken; @err 0. They all leave. Return: which, -ETIMEDOUT, -ERESTARTSYS, or @err. */
static long wait_any(struct futex_waiter *w, unsigned int nr, u64 until, long err)
{
	while (!err && any_woken(w, nr) < 0) {
		u64 clock = clock_monotonic_ns();

		set_state(TASK_INTERRUPTIBLE);
		if (any_woken(w, nr) >= 0)
			break;
		if (signal_pending()) {
			err = -ERESTARTSYS;
			break;
		}
		if (until <= clock) {
			err = -ETIMEDOUT;
			break;
		}
		schedule_timeout(until == ~0ull ? until : until - clock);
	}
	set_state(TASK_RUNNING);
	for (unsigned int i = 0; i < nr; i++)
		leave(&w[i]);
	return any_woken(w, nr) >= 0 ? any_woken(w, nr) : err;
}

static long has_value(uintptr_t addr, u32 value)
{
	u32 now;

	return get_user(now, addr) ? -EFAULT : now != value ? -EAGAIN : 0;
}

static long restart_wait(struct restart *r);

/* @until: ~0: no limit; by the monotonic clock. */
static long futex_wait(uintptr_t addr, u32 value, u32 bitset, bool private_, u64 until)
{
	struct futex_waiter w = { .bitset = bitset };
	long err;

	if (!bitset)
		return -EINVAL;
	err = make_key(addr, private_, &w.key);
	if (err)
		return err;
	join(&w);
	err = wait_any(&w, 1, until, has_value(addr, value));
	if (err == -ERESTARTSYS && until != ~0ull) {
		current()->restart = (struct restart){ .fn = restart_wait, .at = until, .addr = addr, .value = value,
						       .flags = private_, .bitset = bitset };
		return -ERESTART_RESTARTBLOCK;
	}
	return err;
}

static long restart_wait(struct restart *r)
{
	return futex_wait(r->addr, r->value, r->bitset, r->flags, r->at);
}

/* ---- Waking ---- */

/* Bucket locked. After it the waiter may be gone. */
static void wake_waiter(struct futex_waiter *w)
{
	struct task *task = w->task;

	node_remove(&w->node);
	w->bucket->waiters--;
	task_get(task);
	kstore(&w->woken, 1);
	kstore(&w->bucket, NULL);
	wake_task(task, 1u << TASK_INTERRUPTIBLE);
	task_put(task);
}

static long wake_key(const struct futex_key *key, unsigned int nr, u32 bitset)
{
	struct futex_bucket *b = bucket_of(key);
	unsigned long flags;
	long woken = 0;

	kfence();
	if (!READ_ONCE(b->waiters))
		return 0;
	flags = klock(&b->lock);
	node_for_each_safe(n, tmp, &b->list) {
		struct futex_waiter *w = node_entry(n, struct futex_waiter, node);

		if (!same_key(&w->key, key) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		if (++woken >= (long)nr)
			break;
	}
	kunlock(&b->lock, flags);
	return woken;
}

static long futex_wake(uintptr_t addr, unsigned int nr, u32 bitset, bool private_)
{
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	err = make_key(addr, private_, &key);
	return err ? err : wake_key(&key, nr, bitset);
}

void futex_wake_address(uintptr_t addr, unsigned int nr)
{
	struct futex_key key;

	/* The exit of a thread is told by either kind of futex. */
	if (!make_key(addr, true, &key))
		wake_key(&key, nr, ~0u);
	if (!make_key(addr, false, &key))
		wake_key(&key, nr, ~0u);
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	klock_raw(a < b ? &a->lock : &b->lock);
	if (a != b)
		klock_raw(a < b ? &b->lock : &a->lock);
}

static long futex_requeue(uintptr_t addr, int nr_wake, int nr_move, uintptr_t addr2, const u32 *value, bool private_)
{
	struct futex_key from, to;
	struct futex_bucket *a, *b;
	unsigned long flags;
	long done = 0, moved = 0;
	u32 now;
	int err = make_key(addr, private_, &from);

	if (nr_wake < 0 || nr_move < 0)
		return -EINVAL;
	if (!err)
		err = make_key(addr2, private_, &to);
	if (err)
		return err;
	if (value && get_user(now, addr))
		return -EFAULT;
	if (value && now != *value)
		return -EAGAIN;
	a = bucket_of(&from);
	b = bucket_of(&to);
	flags = port_irq_save();
	lock_two(a, b);
	node_for_each_safe(n, tmp, &a->list) {
		struct futex_waiter *w = node_entry(n, struct futex_waiter, node);

		if (!same_key(&w->key, &from))
			continue;
		if (done < nr_wake) {
			wake_waiter(w);
			done++;
		} else if (moved < nr_move) {
			w->key = to;
			if (a != b) {
				node_remove(n);
				a->waiters--;
				b->waiters++;
				kstore(&w->bucket, b);
				node_append(&b->list, n);
			}
			moved++;
		}
	}
	if (a != b)
		kunlock_raw(&b->lock);
	kunlock(&a->lock, flags);
	return done + moved;
}

static bool compare(u32 op, s32 old, s32 arg)
{
	switch (op) {
	case 0:
		return old == arg;
	case 1:
		return old != arg;
	case 2:
		return old < arg;
	case 3:
		return old <= arg;
	case 4:
		return old > arg;
	default:
		return old >= arg;
	}
}

/* The operation of FUTEX_WAKE_OP, atomically. Return: 0 or errno; *@old: what was there. */
static int apply(uintptr_t addr, u32 code, u32 *old)
{
	u32 op = code >> 28 & 7, arg = (u32)((s32)(code << 8) >> 20), was, seen;

	if (code >> 31)
		arg = 1u << (arg & 31);
	if (op > 4)
		return -ENOSYS;
	if (get_user(seen, addr))
		return -EFAULT;
	do {
		u32 v = seen, value = op == 0 ? arg : op == 1 ? v + arg : op == 2 ? v | arg : v & ~arg;

		if (op == 4)
			value = v ^ arg;
		was = seen;
		if (user_cmpxchg32(addr, was, value, &seen))
			return -EFAULT;
	} while (seen != was);
	*old = was;
	return 0;
}

static long futex_wake_op(uintptr_t addr, int nr, int nr2, uintptr_t addr2, u32 code, bool private_)
{
	long woken;
	u32 old;
	int err;

	if ((code >> 24 & 15) > 5)
		return -ENOSYS;
	err = apply(addr2, code, &old);
	if (err)
		return err;
	woken = futex_wake(addr, (unsigned int)nr, ~0u, private_);
	if (woken >= 0 && compare(code >> 24 & 15, (s32)old, (s32)(code << 20) >> 20))
		woken += futex_wake(addr2, (unsigned int)nr2, ~0u, private_);
	return woken;
}

static int read_timeout(int op, int flags, uintptr_t timeout, u64 *until)
{
	u64 now = flags & FUTEX_REALTIME ? clock_realtime_ns() : clock_monotonic_ns();
	int err;

	*until = ~0ull;
	if (!timeout)
		return 0;
	err = get_timespec(timeout, until);
	if (err)
		return err;
	if (op == FUTEX_WAIT)
		*until = *until > ~0ull - 1 - now ? ~0ull - 1 : *until + now;
	if (flags & FUTEX_REALTIME)
		*until = *until > now ? *until - now + clock_monotonic_ns() : 0;
	return 0;
}

static long sys_futex(uintptr_t addr, int op, u32 value, uintptr_t timeout, uintptr_t addr2, u32 value3)
{
	bool private_ = op & FUTEX_PRIVATE;
	int cmd = op & ~(FUTEX_PRIVATE | FUTEX_REALTIME), err;
	u64 until;

	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = read_timeout(cmd, op, timeout, &until);
		return err ? err : futex_wait(addr, value, cmd == FUTEX_WAIT ? ~0u : value3, private_, until);
	case FUTEX_WAKE:
		return futex_wake(addr, value, ~0u, private_);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, value, value3, private_);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, (int)value, (int)timeout, addr2, NULL, private_);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, (int)value, (int)timeout, addr2, &value3, private_);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, (int)value, (int)timeout, addr2, value3, private_);
	}
	return -ENOSYS;
}
SYSCALL(202, sys_futex);

/* ---- Several words: futex_waitv(2) ---- */

#define FUTEX_WAITV_MAX 128u
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define FUTEX2_SIZE_U32 2u

struct k_futex_waitv {
	u64 value, addr;
	u32 flags, reserved;
};

/* Return: 0, and they stand where they wait, as long as the words have their values; or errno. */
static long join_each(struct futex_waiter *w, uintptr_t user, unsigned int nr)
{
	struct k_futex_waitv v;
	long err = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (copy_from_user(&v, user + i * sizeof(v), sizeof(v)))
			return -EFAULT;
		if ((v.flags & ~FUTEX_PRIVATE) != FUTEX2_SIZE_U32 || v.reserved || v.value >> 32)
			return -EINVAL;
		w[i].bitset = ~0u;
		w[i].addr = v.addr;
		w[i].value = (u32)v.value;
		err = make_key(v.addr, v.flags & FUTEX_PRIVATE, &w[i].key);
		if (err)
			return err;
	}
	for (unsigned int i = 0; i < nr && !err; i++) {
		join(&w[i]);
		err = has_value(w[i].addr, w[i].value);
	}
	return err;
}

static long sys_futex_waitv(uintptr_t user, unsigned int nr, unsigned int flags, uintptr_t timeout, int clock)
{
	struct futex_waiter *w;
	u64 until;
	long ret;

	if (flags || !nr || nr > FUTEX_WAITV_MAX || !user)
		return -EINVAL;
	if (timeout && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return -EINVAL;
	ret = read_timeout(FUTEX_WAIT_BITSET, clock == CLOCK_REALTIME ? FUTEX_REALTIME : 0, timeout, &until);
	if (ret)
		return ret;
	w = kcalloc(nr, sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	ret = join_each(w, user, nr);
	ret = wait_any(w, nr, until, ret);
	kfree(w);
	return ret;
}
SYSCALL(449, sys_futex_waitv);

/* ---- Robust lists ---- */

static long sys_set_robust_list(uintptr_t head, size_t len)
{
	if (len != 24)
		return -EINVAL;
	current()->robust_list = head;
	current()->robust_list_len = len;
	return 0;
}
SYSCALL(273, sys_set_robust_list);

static long sys_get_robust_list(int pid, uintptr_t head, uintptr_t len)
{
	struct task *task = pid ? thread_find(pid) : current();
	uintptr_t list;

	if (!task)
		return -ESRCH;
	list = task->robust_list;
	if (pid)
		task_put(task);
	return put_user(list, head) || put_user((size_t)24, len) ? -EFAULT : 0;
}
SYSCALL(274, sys_get_robust_list);

/* The owner of the lock at @addr is going: say so in the word, and wake one who waits. */
static void owner_died(uintptr_t addr, u32 tid, bool pending)
{
	u32 word, seen;

	if (addr % 4 || get_user(word, addr))
		return;
	for (;;) {
		if ((word & FUTEX_TID_MASK) != tid) {
			/* Given up just now: the wake-up may not have been made. */
			if (pending && !word)
				futex_wake(addr, 1, ~0u, false);
			return;
		}
		if (user_cmpxchg32(addr, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return;
		if (seen == word)
			break;
		word = seen;
	}
	if (word & FUTEX_WAITERS) {
		futex_wake(addr, 1, ~0u, false);
		futex_wake(addr, 1, ~0u, true);
	}
}

void futex_exit(struct task *task)
{
	uintptr_t head = task->robust_list, entry;
	u32 tid = (u32)task->core.pid;
	struct {
		uintptr_t next;
		long offset;
		uintptr_t pending;
	} h;

	task->robust_list = 0;
	if (!head || copy_from_user(&h, head, sizeof(h)))
		return;
	entry = h.next & ~1ul;
	for (unsigned int i = 0; i < ROBUST_LIMIT && entry != head; i++) {
		uintptr_t next;
		bool last = get_user(next, entry) != 0;

		if (entry != (h.pending & ~1ul))
			owner_died(entry + (uintptr_t)h.offset, tid, false);
		if (last)
			return;
		entry = next & ~1ul;
	}
	if (h.pending)
		owner_died((h.pending & ~1ul) + (uintptr_t)h.offset, tid, true);
}
