/* SPDX-License-Identifier: MIT */
/*
 * Block devices as the core uses them: swap areas, files of devices, RAM disks. One structure for what a port drives
 * (port_block_rw()), what a kernel has drivers for, and what the core makes of memory (brd.c, zram.c), found by its
 * device number. The theory is in mm/block/block.c.
 */
#ifndef OCTAVO_BLKDEV_H
#define OCTAVO_BLKDEV_H

#include <octavo/page.h>

OCTAVO_BEGIN_DECLS

#define SECTOR_SHIFT 9
#define PAGE_SECTORS (1u << (PAGE_SHIFT - SECTOR_SHIFT))

/* Numbers as Linux's devices.txt has them; bdev_of_port()'s are of the range for local use that virtio disks get. */
#define RAMDISK_MAJOR 1u
#define PORT_DISK_MAJOR 254u
#define BDEV(major, minor) ((u32)(major) << 20 | (minor))

struct bdev;

/*
 * @rw: @count sectors from or to memory that the core reaches. Thread context, may sleep; its own allocations find
 *      PF_MEMALLOC_NOIO in effect. Return: 0; -EIO; -ENXIO: the device has gone; -EROFS; -ENOMEM: a device in memory
 *      has no room for what it had not got yet.
 * @rw_page: the same for PAGE_SECTORS of one page, of high memory, too; NULL: by way of @rw
 * @discard: these sectors will not be read before they are written; NULL: no use
 * @flush: what @rw has written stays, whatever happens to the power; NULL: it does without being told
 * @free: a swap area has nothing in these pages any more, which memory is taken for; NULL: nobody needs to know.
 *	  Thread context, but under spinlocks.
 * The sectors are within the device: bdev_*() below see to it.
 */
struct bdev_ops {
	int (*rw)(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write);
	int (*rw_page)(struct bdev *bdev, u64 sector, struct page *page, bool write);
	int (*discard)(struct bdev *bdev, u64 sector, u64 count);
	int (*flush)(struct bdev *bdev);
	void (*free)(struct bdev *bdev, u64 sector, u64 count);
};

/* Fill in what (c) says, the rest zero. */
struct bdev {
	const char *name;	   /* (c) "vda", "ram0", "zram0" */
	u32 dev;		   /* (c) BDEV(major, minor) */
	u32 users;		   /* (a) bdev_get()'s; BDEV_HELD */
	u64 sectors;		   /* (a) */
	const struct bdev_ops *ops; /* (c) */
	void *private_data;
	bool slow;		   /* (c) whoever writes may wait long: not a RAM disk */
	bool rotational;	   /* (c) */
	bool read_only;		   /* (c) writes are refused: -EROFS */
	bool noio;		   /* (c) @ops allocate with GFP_NOIO only: no scope is opened for them */
	unsigned long ios[2], ios_sectors[2], errors[2]; /* (a) read, write */
	unsigned long discards, discard_sectors, flushes; /* (a) */
	struct bdev *next;				 /* the list's lock */
};

/* Context: thread. Return: 0; -EEXIST: number or name; -ENOMEM. What @bdev points at stays until bdev_unregister(). */
OCTAVO_API int __must_check bdev_register(struct bdev *bdev);
/* Nobody uses it any more, nor finds it from now on. */
OCTAVO_API void bdev_unregister(struct bdev *bdev);
OCTAVO_API struct bdev *bdev_find(u32 dev);
OCTAVO_API struct bdev *bdev_find_name(const char *name);
/* The one with the smallest number above @dev; NULL: none. From 0 on: all of them. */
OCTAVO_API struct bdev *bdev_next(u32 dev);

/*
 * Who swaps to it or has it open keeps it what it is, from bdev_get() to bdev_put(). bdev_get(): false: it is held.
 * Its driver has it for itself from bdev_hold() to bdev_unhold(). bdev_hold(): false: there are users. Context: any.
 */
#define BDEV_HELD (~0u)
OCTAVO_API bool __must_check bdev_get(struct bdev *bdev);
OCTAVO_API void bdev_put(struct bdev *bdev);
OCTAVO_API bool __must_check bdev_hold(struct bdev *bdev);
OCTAVO_API void bdev_unhold(struct bdev *bdev);

/*
 * One of port_block_rw()'s devices, made known under @name as BDEV(PORT_DISK_MAJOR, 16 * @device), as if partitions
 * followed. Return: NULL: no memory, or there is one already.
 */
OCTAVO_API struct bdev *bdev_of_port(unsigned int device, const char *name, u64 sectors, bool slow);
/* Gives such a one up. */
OCTAVO_API void bdev_put_port(struct bdev *bdev);

/*
 * Counted (here, and pgpgin, pgpgout of /proc/vmstat), PF_MEMALLOC_NOIO in effect. Context: thread, may sleep.
 * Return: as bdev_ops.rw; -EINVAL: not within the device; -EROFS: a write to one that is for reading only.
 */
OCTAVO_API int bdev_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write);
OCTAVO_API int bdev_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write);
/* Return: 0, also if the device makes no use of it. */
OCTAVO_API int bdev_discard(struct bdev *bdev, u64 sector, u64 count);
/* What was written before is on the medium when it returns: fsync(2) of a device's file, sync(2). */
OCTAVO_API int bdev_flush(struct bdev *bdev);

/*
 * brd.c: a RAM disk whose pages come with the first write and go with a discard. "ramN" gets Linux's number for it,
 * another name a free one from 256 on. Return: NULL, *@err why.
 */
OCTAVO_API struct bdev *brd_create(const char *name, u64 sectors, int *err);
OCTAVO_API void brd_destroy(struct bdev *bdev);
/*
 * brd.rd_nr=N, ramdisk_size=KIB (or brd.rd_size=) on the command line: ram0 to ram(N-1) exist once mm_init()
 * is through. Either of them asks for disks; Linux's defaults, 16 of 4096 KiB, stand for the other.
 */
/* Pages that it holds now. */
OCTAVO_API unsigned long brd_pages(const struct bdev *bdev);

OCTAVO_END_DECLS
#endif
