// SPDX-License-Identifier: MIT
/*
 * userfaultfd: faults that a program handles itself. This file: contexts, who waits, who reads.
 *
 * Purpose. A program registers ranges of its memory and is told of faults in them by messages; it puts pages there, and
 * lets the threads that wait go on. Virtual machines are moved and saved so, garbage collectors and checkpoints use it.
 *
 * Words. A *context* is what is behind the descriptor. A fault is *missing* (nothing is mapped, and a file has no page
 * there), *minor* (a file has the page, it is not mapped), or *write-protect* (the entry says that a write has to be
 * told). The *reader* is whoever reads messages. A *waiter* is a thread in a fault; an *event* a message that is not a
 * fault: fork, remap, remove, unmap. A *marker* is an entry that maps nothing and keeps a fact: write-protected, or
 * poisoned. To *fill* is to enter a page as an ioctl says.
 *
 * Structures
 *
 *	VMA.uffd --> context: unread [w]-[w]-[w]   read [w]-[w]   events [e]-[e]
 *	VMA.vm_flags: VM_UFFD_MISSING, _WP, _MINOR            w, e: on the stacks of threads that wait
 *	entries: a bit for "protected" (pgt_uffd_wp), in swap and migration entries one of theirs; else markers
 *
 * The fault path tests VM_UFFD_ANY along with VM_LOCKED, in one look at flags that it has at hand. All else is here.
 *
 * Invariants
 *
 * UF-I1: a VMA has VM_UFFD_* exactly if it has a context, whose address space is its own.
 *
 * UF-I2: an entry is protected only in a VMA with VM_UFFD_WP (or poisoned), and then not writable. Unregistering, and
 * a move or a fork without the context, take the bits away.
 *
 * UF-I3: a waiter that has queued looks at the entry again before it sleeps: who fills an entry and then looks for
 * waiters finds it, or it finds the entry.
 *
 * UF-I4: what a reader has not been told of yet is not filled: from the moment of a fork, move, removal or unmapping
 * that is told until its message is read, filling says -EAGAIN (@changing). Who fills holds changing_lock over the look
 * at @changing and the filling, so a filling that was let through is over before the change goes on.
 *
 * UF-I5: tables with protected entries are in no two address spaces (fork.c copies entries of VMAs with VM_UFFD_WP).
 *
 * Locking. The mmap lock for writing: a VMA's context and flags. A lock of the VMA: filling. changing_lock within both.
 * The context's lock, innermost but for notify(): queues. A waiter lets go of the VMA before it sleeps, and looks up
 * everything again afterwards (VM_FAULT_RETRY); so a context may be closed, the range unmapped, its thread killed.
 *
 * Memory use. A context 200 bytes; waiters are on their stacks. Events that are kept for later: 120 bytes.
 *
 * What failure does. A fill stops at the page that fails and says how far it came. A fork without memory for the
 * child's context fails. A closed context lets all waiters go; their faults are then as any other.
 *
 * Differences from Linux. There are no pools of huge pages, so hugetlb ranges do not exist. A fault by the kernel that
 * waits is let go by a fatal signal only. MOVE and unregistering hold the mmap lock for writing. Write
 * protection exists where the format has a bit for it, also with PAE, and not on i386. A range that is registered again
 * without it loses its protection, which in Linux stays, unseen.
 *
 * Sources: userfaultfd(2), ioctl_userfaultfd(2); Linux Documentation/admin-guide/mm/userfaultfd.rst; what Linux answers
 * to each call, by experiment (tests/hosted/userfaultfd_linux_test.c).
 */
#include <octavo/slab.h>

#include "userfaultfd_wait.h"

int sysctl_unprivileged_userfaultfd __memsys;

/* ---- Contexts ---- */

struct userfaultfd_ctx *userfaultfd_alloc(struct mm_struct *mm, unsigned int flags, unsigned int features)
{
	struct userfaultfd_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return NULL;
	spin_lock_init(&ctx->lock, LOCK_RANK_USERFAULT);
	init_rwsem(&ctx->changing_lock);
	INIT_LIST_HEAD(&ctx->unread);
	INIT_LIST_HEAD(&ctx->read);
	INIT_LIST_HEAD(&ctx->events);
	ctx->refs = 1;
	ctx->flags = flags;
	ctx->features = features;
	ctx->mm = mm;
	mmgrab(mm);
	return ctx;
}

void userfaultfd_get(struct userfaultfd_ctx *ctx)
{
	(void)atomic_fetch_add(&ctx->refs, 1);
}

void userfaultfd_put(struct userfaultfd_ctx *ctx)
{
	if (atomic_sub_fetch(&ctx->refs, 1))
		return;
	mmdrop(ctx->mm);
	kfree(ctx);
}

struct userfaultfd_ctx *userfaultfd_new(unsigned int flags, bool device, int *err)
{
	const struct mm_task *task = current_task();
	struct userfaultfd_ctx *ctx;

	*err = -EPERM;
	if (!device && !(flags & UFFD_USER_MODE_ONLY) && !READ_ONCE(sysctl_unprivileged_userfaultfd) &&
	    !task_capable(task, CAP_SYS_PTRACE))
		return NULL;
	*err = -EINVAL;
	if (flags & ~(unsigned int)UFFD_USER_MODE_ONLY || !task->mm)
		return NULL;
	ctx = userfaultfd_alloc(task->mm, flags, 0);
	*err = ctx ? 0 : -ENOMEM;
	return ctx;
}

void userfaultfd_on_message(struct userfaultfd_ctx *ctx, void (*notify)(void *arg), void *arg)
{
	unsigned long irq;

	spin_lock_irqsave(&ctx->lock, irq);
	ctx->notify = notify;
	ctx->notify_arg = arg;
	spin_unlock_irqrestore(&ctx->lock, irq);
}

void userfaultfd_release(struct userfaultfd_ctx *ctx)
{
	struct uffd_wait *w;
	unsigned long irq;

	store_release(&ctx->released, true);
	if (mmget_not_zero(ctx->mm)) {
		mmap_write_lock(ctx->mm);
		userfaultfd_forget(ctx);
		mmap_write_unlock(ctx->mm);
		mmput(ctx->mm);
	}
	spin_lock_irqsave(&ctx->lock, irq);
	ctx->notify = NULL;
	list_for_each_entry(w, &ctx->unread, link)
		port_unpark(w->thread);
	list_for_each_entry(w, &ctx->read, link)
		port_unpark(w->thread);
	list_for_each_entry(w, &ctx->events, link)
		port_unpark(w->thread);
	spin_unlock_irqrestore(&ctx->lock, irq);
	userfaultfd_put(ctx);
}

/* ---- Waiting ---- */

void userfaultfd_queue(struct userfaultfd_ctx *ctx, struct list_head *queue, struct uffd_wait *w)
{
	unsigned long irq;

	w->thread = port_thread_self();
	spin_lock_irqsave(&ctx->lock, irq);
	list_add_tail(&w->link, queue);
	spin_unlock_irqrestore(&ctx->lock, irq);
}

void userfaultfd_notify(struct userfaultfd_ctx *ctx)
{
	unsigned long irq;

	spin_lock_irqsave(&ctx->lock, irq);
	if (ctx->notify)
		ctx->notify(ctx->notify_arg);
	spin_unlock_irqrestore(&ctx->lock, irq);
}

bool userfaultfd_wait(struct userfaultfd_ctx *ctx, struct uffd_wait *w, unsigned int fault_flags)
{
	struct mm_task *task = current_task();
	unsigned long irq;
	bool woken;

	task->interruptible = (fault_flags & FAULT_FLAG_USER) != 0;
	for (;;) {
		woken = load_acquire(&w->woken);
		if (woken || load_acquire(&ctx->released) || fatal_signal_pending(task) ||
		    userfault_interrupted(fault_flags))
			break;
		port_park(0);
	}
	task->interruptible = 0;
	spin_lock_irqsave(&ctx->lock, irq);
	/* A reader may be at work with it (a child's descriptor is made), and finds it where it was. */
	while (w->busy) {
		spin_unlock_irqrestore(&ctx->lock, irq);
		port_park(0);
		spin_lock_irqsave(&ctx->lock, irq);
	}
	list_del(&w->link);
	woken = w->woken;
	spin_unlock_irqrestore(&ctx->lock, irq);
	return woken;
}

static void wake_queue(struct list_head *queue, uintptr_t start, size_t len)
{
	struct uffd_wait *w;

	list_for_each_entry(w, queue, link) {
		/* [start, start + len) may end at the very end. */
		if (w->address < start || w->address - start >= len)
			continue;
		store_release(&w->woken, true);
		port_unpark(w->thread);
	}
}

void userfaultfd_wake(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len)
{
	unsigned long irq;

	spin_lock_irqsave(&ctx->lock, irq);
	wake_queue(&ctx->unread, start, len);
	wake_queue(&ctx->read, start, len);
	spin_unlock_irqrestore(&ctx->lock, irq);
}

/* ---- Reading ---- */

bool userfaultfd_ready(const struct userfaultfd_ctx *ctx)
{
	return load_relaxed(&ctx->features) & UFFD_READY;
}

static struct uffd_wait *first_sleeper(const struct list_head *queue)
{
	struct uffd_wait *w;

	list_for_each_entry(w, queue, link)
		if (!load_relaxed(&w->woken) && !w->busy)
			return w;
	return NULL;
}

bool userfaultfd_pending(struct userfaultfd_ctx *ctx)
{
	unsigned long irq;
	bool any;

	spin_lock_irqsave(&ctx->lock, irq);
	any = first_sleeper(&ctx->unread) || first_sleeper(&ctx->events);
	spin_unlock_irqrestore(&ctx->lock, irq);
	return any;
}

/* A child's context leaves with the message; its descriptor is made without a lock. The lock is held on both sides. */
static int hand_over_child(struct userfaultfd_ctx *ctx, struct uffd_wait *w, unsigned long *irq,
			   int (*install)(void *arg, struct userfaultfd_ctx *child), void *arg)
{
	int fd;

	w->busy = true;
	spin_unlock_irqrestore(&ctx->lock, *irq);
	fd = install(arg, w->child);
	spin_lock_irqsave(&ctx->lock, *irq);
	w->busy = false;
	/* It may be killed by now, and wait for us. */
	port_unpark(w->thread);
	if (fd < 0)
		return fd;
	w->child = NULL;
	w->msg.arg.fork.ufd = (u32)fd;
	return 0;
}

int userfaultfd_read(struct userfaultfd_ctx *ctx, struct uffd_msg *msg,
		     int (*install)(void *arg, struct userfaultfd_ctx *child), void *arg)
{
	struct uffd_wait *w;
	unsigned long irq;
	int ret = 0;

	spin_lock_irqsave(&ctx->lock, irq);
	w = first_sleeper(&ctx->unread);
	if (w) {
		*msg = w->msg;
		list_del(&w->link);
		list_add_tail(&w->link, &ctx->read);
		ret = 1;
	} else {
		w = first_sleeper(&ctx->events);
		if (w && w->child)
			ret = hand_over_child(ctx, w, &irq, install, arg);
		if (w && !ret) {
			*msg = w->msg;
			store_release(&w->woken, true);
			port_unpark(w->thread);
			ret = 1;
		}
	}
	spin_unlock_irqrestore(&ctx->lock, irq);
	return ret;
}
