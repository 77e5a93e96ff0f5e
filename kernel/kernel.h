/* SPDX-License-Identifier: MIT */
/* What every file of the reference kernel begins with. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <octavo/errno.h>
#include <octavo/slab.h>
#include <octavo/uaccess.h>

#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"
#include "process.h"
#include "sched.h"
#include "syscall.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull
#define TICK_NS (10 * NS_PER_MS)
#define USER_HZ 100

/* Errors that errno.h has not. */
#ifndef ENOTSUP
#define ENOTSUP EOPNOTSUPP
#endif
#ifndef ENOTRECOVERABLE
#define ENOTRECOVERABLE 131
#endif
#ifndef EPROTO
#define EPROTO 71
#endif

#endif
