/* SPDX-License-Identifier: MIT */
/* userfaultfd in tests: contexts of the process that runs, and ioctls with arguments in its memory. */
#ifndef TESTS_UFFD_H
#define TESTS_UFFD_H

#include <octavo/userfaultfd.h>

#include "tasks.h"

/* A context with these features; @args: a page of the process for arguments. NULL: the test has failed. */
struct userfaultfd_ctx *uffd_open(u64 features);
extern uintptr_t uffd_args;

/* An ioctl with @arg, which comes back as the core left it. */
long uffd_call(struct userfaultfd_ctx *ctx, unsigned int cmd, void *arg, size_t size);
long uffd_api(struct userfaultfd_ctx *ctx, u64 api, u64 features, struct uffdio_api *result);
/* @ioctls: may be NULL */
long uffd_register(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, u64 mode, u64 *ioctls);
long uffd_range(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t start, size_t len);
/* ZEROPAGE, CONTINUE, POISON, WRITEPROTECT; COPY, MOVE. @done: may be NULL */
long uffd_fill(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t start, size_t len, u64 mode, s64 *done);
long uffd_copy(struct userfaultfd_ctx *ctx, unsigned int cmd, uintptr_t dst, uintptr_t src, size_t len, u64 mode,
	       s64 *done);
#define uffd_protect(ctx, start, len, mode) uffd_fill(ctx, UFFDIO_WRITEPROTECT, start, len, mode, NULL)

#endif
