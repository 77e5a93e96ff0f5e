/* SPDX-License-Identifier: MIT */
/* A thread that waits for the reader, with its message: on its stack, in one of the context's queues. */
#ifndef MM_VM_USERFAULTFD_WAIT_H
#define MM_VM_USERFAULTFD_WAIT_H

#include "userfaultfd.h"

#define UFFD_API_IOCTLS ((u64)1 << _UFFDIO_REGISTER | (u64)1 << _UFFDIO_UNREGISTER | (u64)1 << _UFFDIO_API)
#define UFFD_RANGE_IOCTLS                                                                                     \
	((u64)1 << _UFFDIO_WAKE | (u64)1 << _UFFDIO_COPY | (u64)1 << _UFFDIO_ZEROPAGE | (u64)1 << _UFFDIO_MOVE | \
	 (u64)1 << _UFFDIO_WRITEPROTECT | (u64)1 << _UFFDIO_CONTINUE | (u64)1 << _UFFDIO_POISON)

/* (l) the context's lock, (a) atomic, (c) constant */
struct uffd_wait {
	struct list_head link;		/* (l) */
	struct uffd_msg msg;		/* (c) */
	uintptr_t address;		/* (c) of a fault, page aligned */
	uintptr_t thread;		/* (c) */
	struct userfaultfd_ctx *child;	/* (l) of a fork: whose file the reader gets; NULL: handed over */
	bool woken;			/* (a) set under (l): handled, or read */
	bool busy;			/* (l) the reader works with it */
};

/* It is found from now on. Context: any locks but spinlocks. */
void userfaultfd_queue(struct userfaultfd_ctx *ctx, struct list_head *queue, struct uffd_wait *w);
/* There is a message. */
void userfaultfd_notify(struct userfaultfd_ctx *ctx);
/*
 * Until somebody wakes it, the file is closed, the thread is killed or (FAULT_FLAG_USER) a signal comes. It leaves its
 * queue. Context: no lock. Return: somebody woke it.
 */
bool userfaultfd_wait(struct userfaultfd_ctx *ctx, struct uffd_wait *w, unsigned int fault_flags);

#endif
