/* SPDX-License-Identifier: MIT */
/* The block devices of an emulated PC: virtio 1.2 over PCI. */
#ifndef KERNEL_VIRTIO_BLK_H
#define KERNEL_VIRTIO_BLK_H

#include "kfs.h"

/* Looks for disks and registers them as vda, vdb, ... What is wrong with one is printed. */
void virtio_blk_init(void);

#endif
