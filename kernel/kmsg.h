/* SPDX-License-Identifier: MIT */
/* The kernel's log as programs read it: /dev/kmsg, /proc/kmsg, syslog(2). */
#ifndef KERNEL_KMSG_H
#define KERNEL_KMSG_H

#include <octavo/fs.h>

extern const struct file_operations kmsg_fops;

#endif
