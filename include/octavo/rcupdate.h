/* SPDX-License-Identifier: MIT */
/*
 * Read-copy-update, as Linux 6.12 names it (<linux/rcupdate.h>; Documentation/RCU/): readers pay one increment and one
 * decrement of a counter of their CPU's; who takes something away from them waits until no reader that may have seen
 * it is left.
 *
 * A reader does not sleep, and its CPU does not change threads meanwhile: octavo_cpu_in_section() is true inside. It
 * may be interrupted, and interrupts may be readers. All of Linux's flavours are this one.
 *
 * There is no thread behind it. Callbacks run where the core's slow paths, or the kernel, call rcu_poll(), in
 * synchronize_rcu() and in rcu_barrier().
 */
#ifndef OCTAVO_RCUPDATE_H
#define OCTAVO_RCUPDATE_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** struct rcu_head - what an object needs to wait for readers; two words, not to be touched while it does */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};
typedef void (*rcu_callback_t)(struct rcu_head *head);

/** rcu_read_lock - a reader begins. Nests. Context: any, on an online CPU. */
OCTAVO_API void rcu_read_lock(void);

/** rcu_read_unlock - it ends, on the same CPU */
OCTAVO_API void rcu_read_unlock(void);

/** rcu_read_lock_held - is this CPU inside a reader? */
OCTAVO_API bool rcu_read_lock_held(void);

/**
 * rcu_dereference - read a pointer that rcu_assign_pointer() may be changing
 * Inside a reader. What it points at may be used until the reader ends.
 */
#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
/** rcu_dereference_protected - the same where a lock keeps writers away; @cond says which, and is not looked at */
#define rcu_dereference_protected(p, cond) __atomic_load_n(&(p), __ATOMIC_RELAXED)
#define rcu_dereference_raw(p) rcu_dereference(p)
#define rcu_dereference_check(p, cond) rcu_dereference(p)
/** rcu_access_pointer - its value only, not to be followed. Any context. */
#define rcu_access_pointer(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)

/** rcu_assign_pointer - publish what @v points at: who reads the pointer sees all that was written before */
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)
/** RCU_INIT_POINTER - the same without order, for NULL or before there are readers */
#define RCU_INIT_POINTER(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELAXED)

/**
 * synchronize_rcu - wait for a grace period: until every reader that was there when it began has ended
 * Runs callbacks that are due. Context: thread context, interrupts on, no spinlock, no reader (that is reported,
 * and the machine stops, as it would wait for itself), not from a callback.
 */
OCTAVO_API void synchronize_rcu(void);
static inline void synchronize_rcu_expedited(void)
{
	synchronize_rcu();
}

/**
 * call_rcu - call @func(@head) after a grace period
 * @head: in the object that waits; not queued already
 * @func: must not sleep; thread context, no reader and no spinlock around it, on any CPU; it may call call_rcu()
 *
 * Context: any. Memory held: all objects queued since callbacks ran last. The core runs them when pages are short and
 * on its way through slow paths; who queues many and seldom allocates calls rcu_poll().
 */
OCTAVO_API void call_rcu(struct rcu_head *head, rcu_callback_t func);

/**
 * rcu_barrier - wait until all callbacks queued before have returned
 * Context: as synchronize_rcu().
 */
OCTAVO_API void rcu_barrier(void);

/**
 * rcu_poll - let grace periods end and callbacks run, without waiting for readers
 * For an idle loop, a timer's thread, the end of a system call. Quick when there is nothing to do.
 * Context: thread context, interrupts on, no spinlock; does nothing inside a reader or with preemption off.
 */
OCTAVO_API void rcu_poll(void);

/**
 * get_state_synchronize_rcu - a ticket for the grace period that begins after this call
 * poll_state_synchronize_rcu - is it over? start_poll_synchronize_rcu - a ticket; rcu_poll() sees to its end
 * cond_synchronize_rcu - wait for it if it is not
 * Context: any; of cond_synchronize_rcu() as synchronize_rcu().
 */
OCTAVO_API unsigned long get_state_synchronize_rcu(void);
OCTAVO_API unsigned long start_poll_synchronize_rcu(void);
OCTAVO_API bool poll_state_synchronize_rcu(unsigned long state);
OCTAVO_API void cond_synchronize_rcu(unsigned long state);

/* Callbacks that are numbers below this mean: kfree() of the object that begins so many bytes before the head. */
#define RCU_OFFSET_MAX 4096u

/** kvfree_call_rcu - what kfree_rcu() calls: @object is freed after a grace period. @head NULL: waits for it. */
OCTAVO_API void kvfree_call_rcu(struct rcu_head *head, void *object);

/**
 * kfree_rcu - kfree() an object after a grace period
 * @ptr: from kmalloc() or a cache; NULL: nothing
 * @field: the struct rcu_head in it, within its first RCU_OFFSET_MAX bytes
 * Context: any.
 */
#define kfree_rcu(ptr, field)                                                                                    \
	do {                                                                                                     \
		__typeof__(ptr) _kfree_rcu_ptr = (ptr);                                                          \
		octavo_static_assert(offsetof(__typeof__(*_kfree_rcu_ptr), field) < RCU_OFFSET_MAX, "see above"); \
		if (_kfree_rcu_ptr)                                                                              \
			kvfree_call_rcu(&_kfree_rcu_ptr->field, (void *)_kfree_rcu_ptr);                         \
	} while (0)
#define kvfree_rcu(ptr, field) kfree_rcu(ptr, field)

/** kfree_rcu_mightsleep - for objects without a head: waits for the grace period. Context: as synchronize_rcu(). */
#define kfree_rcu_mightsleep(ptr) kvfree_call_rcu(NULL, (void *)(ptr))
#define kvfree_rcu_mightsleep(ptr) kfree_rcu_mightsleep(ptr)

OCTAVO_END_DECLS
#endif
