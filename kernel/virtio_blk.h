/* SPDX-License-Identifier: MIT */
/* The block device of an emulated PC: virtio 1.2 over PCI. */
#ifndef KERNEL_VIRTIO_BLK_H
#define KERNEL_VIRTIO_BLK_H

#include "kfs.h"

#define VIRTIO_BLK_DEV MKDEV(254, 0) /* vda */

/* Looks for one and starts it. Return: 0; -ENODEV: there is none; else what is wrong with it has been printed. */
int virtio_blk_init(void);
bool virtio_blk_present(void);
/* 0: there is none. */
u64 virtio_blk_bytes(void);
int virtio_blk_open(struct inode *inode, struct file *file);

#endif
