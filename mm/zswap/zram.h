/* SPDX-License-Identifier: MIT */
/* RAM disks whose pages are packed. The theory stands in zram.c. */
#ifndef MM_ZSWAP_ZRAM_H
#define MM_ZSWAP_ZRAM_H

#include "../block/block.h"
#include "../sync/mutex.h"
#include "compress.h"
#include "zpool.h"

/* As Linux gives it out where virtio disks have 254: majors for local use are taken from above. */
#define ZRAM_MAJOR 253u
#define ZRAM_MAX 32u

/* Legend: (a) atomic, (m) zram.mutex, (c) constant while the disk has a size. */
struct zram_slot {
	unsigned long handle; /* of the pool; ZRAM_SAME: the word */
	u32 word;	      /* (a) ZRAM_LOCKED and who holds that: kind, length */
};
#define ZRAM_LOCKED 0x80000000u
#define ZRAM_PACKED 1u
#define ZRAM_SAME 2u
#define ZRAM_HUGE 3u /* as it is: it did not become smaller */
#define ZRAM_KIND 3u
#define ZRAM_LENGTH_SHIFT 2

struct zram_stats {
	unsigned long compr_data_size; /* (a) bytes */
	unsigned long pages_stored, same_pages, huge_pages, huge_pages_since; /* (a) */
	unsigned long max_used_pages; /* (a) */
	unsigned long failed_reads, failed_writes, notify_free, pages_compacted; /* (a) */
};

struct zram {
	struct bdev bdev;
	char name[16];
	unsigned int id;
	struct mutex mutex;	  /* size, compressor */
	struct mutex part_mutex;  /* who changes a part of a page */
	char compressor[COMPRESSOR_NAME_MAX]; /* (m) */
	unsigned long pages;	  /* (c) (m) 0: it has no size yet */
	struct zram_slot *slots;  /* (c) */
	struct packer packer;	  /* (c) */
	void *pool;		  /* (c) of zsmalloc */
	unsigned long limit_pages; /* (a) 0: none */
	struct zram_stats stats;
};

/* Disk @id comes to be, without a size. Thread context, may sleep. Return: 0, -EEXIST, -EINVAL, -ENOMEM. */
int zram_add(unsigned int id);
/* It goes, with all that is in it. Return: 0, -ENODEV, -EBUSY: it is in use. */
int zram_remove(unsigned int id);
/* NULL: there is none. Files and tests; nobody removes it meanwhile. */
struct zram *zram_find(unsigned int id);

/* Bytes, rounded up to pages. Return: 0, -EBUSY: it has one, -EINVAL, -ENOMEM. */
int zram_set_disksize(struct zram *zram, u64 bytes);
/* Empty, and without a size. Return: 0, -EBUSY: it is swapped to, or open. */
int zram_reset(struct zram *zram);
/* Return: 0, -EBUSY: it has a size, -EINVAL: there is no such compressor. */
int zram_set_compressor(struct zram *zram, const char *name);
/* Objects are moved together. Return: 0, -EINVAL: it has no size. */
int zram_compact(struct zram *zram);
/* Pages that it has, 0: no size; that its pool takes. May sleep. */
unsigned long zram_size_pages(struct zram *zram);
unsigned long zram_used_pages(struct zram *zram);

#endif
