/* SPDX-License-Identifier: MIT */
/* Block devices (<octavo/blkdev.h>) as files of /dev. */
#ifndef KERNEL_BLKDEV_H
#define KERNEL_BLKDEV_H

#include "kfs.h"

/* A node for each device there is, in @dir. */
int block_nodes(const char *dir);
/* The device that @inode is a node of. Return: 0, -ENXIO, -EACCES: it is for reading only, -EBUSY, -ENOMEM. */
int block_open(struct inode *inode, struct file *file);
/* /proc/partitions, /proc/diskstats; majors with their drivers' names for /proc/devices. */
void block_show_partitions(struct ktext *text);
void block_show_stats(struct ktext *text);
void block_show_majors(struct ktext *text);

#endif
