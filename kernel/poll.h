/* SPDX-License-Identifier: MIT */
/* Waiting for one of several files. */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H

#include "kfs.h"

struct poll_entry {
	struct poll_entry *next;
	struct waiter waiter;
	struct wait_queue *queue;
	struct file *file; /* with a reference: the queue lives in what it leads to */
};

/* What a file_operations.poll() adds its wait queues to. */
struct poll_table {
	struct poll_entry *first;
	bool no_memory;
};

#define POLL_FOREVER (~0ull)

void poll_end(struct poll_table *table);
/*
 * poll_loop - ask, wait, ask again
 * @ready: how many are, or errno; @table NULL: nobody is going to wait. Return: what it said, 0 when @timeout ns have
 * passed, or -ERESTARTNOHAND.
 */
long poll_loop(int (*ready)(void *ctx, struct poll_table *table), void *ctx, u64 timeout);
/* A user's struct timespec (@unit 1) or timeval (1000). Return: 0, *@ns; or errno. */
long poll_timeout(uintptr_t at, u64 unit, u64 *ns);
/* The user's signal set at @at (0: none) is the caller's mask until it is back in user mode. */
long poll_mask(uintptr_t at, size_t size);

#endif
