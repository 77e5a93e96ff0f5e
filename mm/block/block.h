/* SPDX-License-Identifier: MIT */
/*
 * Block devices as the core uses them: swap areas, files of devices, RAM disks. One structure for what a port drives
 * (port_block_rw()) and what the core makes of memory (brd.c, zram.c), found by its device number.
 */
#ifndef MM_BLOCK_BLOCK_H
#define MM_BLOCK_BLOCK_H

#include <octavo/page.h>

#define SECTOR_SHIFT 9
#define PAGE_SECTORS (1u << (PAGE_SHIFT - SECTOR_SHIFT))

struct bdev;

/*
 * @rw: @count sectors from or to memory that the core reaches. Thread context, may sleep; its own allocations find
 *      PF_MEMALLOC_NOIO in effect. Return: 0, -EIO, -EINVAL beyond the end, -ENXIO without the device.
 * @rw_page: the same for PAGE_SECTORS of one page, of high memory, too; NULL: by way of @rw
 * @discard: these sectors will not be read before they are written; NULL: no use
 */
struct bdev_ops {
	int (*rw)(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write);
	int (*rw_page)(struct bdev *bdev, u64 sector, struct page *page, bool write);
	int (*discard)(struct bdev *bdev, u64 sector, u64 count);
};

struct bdev {
	const char *name;	   /* "vda", "ram0", "zram0" */
	u32 dev;		   /* (major << 20) | minor */
	u64 sectors;		   /* (a) */
	const struct bdev_ops *ops; /* (c) */
	void *private_data;
	bool slow;		   /* (c) whoever writes may wait long: not a RAM disk */
	bool rotational;	   /* (c) */
	unsigned long ios[2], ios_sectors[2], errors[2]; /* (a) read, write */
	struct bdev *next;
};

/* Context: any thread. Return: 0, -EEXIST. What @bdev points at stays until bdev_unregister(). */
int bdev_register(struct bdev *bdev);
void bdev_unregister(struct bdev *bdev);
struct bdev *bdev_find(u32 dev);
struct bdev *bdev_find_name(const char *name);
/* One of port_block_rw()'s devices, made known under @name. Return: NULL without memory. */
struct bdev *bdev_of_port(unsigned int device, const char *name, u64 sectors, bool slow);

/* Counted, PF_MEMALLOC_NOIO in effect. Return: as bdev_ops.rw. */
int bdev_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write);
int bdev_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write);
int bdev_discard(struct bdev *bdev, u64 sector, u64 count);

/* brd.c: a RAM disk whose pages come with the first write and go with a discard. Return: NULL, *@err why. */
struct bdev *brd_create(const char *name, u64 sectors, int *err);
void brd_destroy(struct bdev *bdev);

#endif
