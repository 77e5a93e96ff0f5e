/* SPDX-License-Identifier: MIT */
/*
 * Error numbers, with Linux's values. Functions return them negated.
 * Source: errno(3); POSIX.1-2017 <errno.h> for the names.
 */
#ifndef OCTAVO_ERRNO_H
#define OCTAVO_ERRNO_H

/* A hosted program that already has <errno.h> keeps its own: the values are the same. */
#ifndef EPERM
#define EPERM 1
#define ENOENT 2
#define EINTR 4
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENOSPC 28
#define EPIPE 32
#define ERANGE 34
#define ENOSYS 38
#define EOVERFLOW 75
#define ETIMEDOUT 110
#endif

#endif
