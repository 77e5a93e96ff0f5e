/* SPDX-License-Identifier: MIT */
/*
 * Pools of objects that are not mapped: memory for compressed pages. Three drivers stand behind one interface; what
 * they differ in is how many objects share a page, and what that costs.
 */
#ifndef MM_ZSWAP_ZPOOL_H
#define MM_ZSWAP_ZPOOL_H

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "../base/compiler.h"

#define ZPOOL_NAME_MAX 32
#define ZPOOL_DEFAULT "zsmalloc"

struct findings;

/**
 * struct zpool_driver - a kind of pool
 * @type: as /sys/module/zswap/parameters/zpool has it
 * @create: a pool; @name: for its shrinker; copied. Thread context, may sleep. Return: NULL without memory.
 * @destroy: it has no objects left. Thread context, may sleep.
 * @malloc: room for @size bytes, 1 to PAGE_SIZE. @gfp: of pages; without __GFP_DIRECT_RECLAIM it does not sleep. @nid:
 *          where from, if pages are needed. Return: 0 and a *@handle; -ENOSPC: it cannot hold so many bytes; -ENOMEM.
 * @free: nobody reads the object any more. Any context but interrupts.
 * @write: what the object holds, once, by who allocated it, before anybody else knows the handle; @len at most its size
 * @read_begin: the object's first @len bytes, until @read_end: where they lie, or copied to @bounce, which has room for
 *              them. The caller neither sleeps nor changes them meanwhile. Reads of one object may be many at once.
 * @total_pages: that the pool holds. Any context.
 * @compact: move objects together and give pages back; NULL: it cannot. Thread context. Return: pages given back.
 * @verify: its invariants; nobody else is at work
 */
struct zpool_driver {
	const char *type;
	void *(*create)(const char *name);
	void (*destroy)(void *pool);
	int (*malloc)(void *pool, size_t size, gfp_t gfp, int nid, unsigned long *handle);
	void (*free)(void *pool, unsigned long handle);
	void (*write)(void *pool, unsigned long handle, const void *from, size_t len);
	const void *(*read_begin)(void *pool, unsigned long handle, size_t len, void *bounce);
	void (*read_end)(void *pool, unsigned long handle, const void *at, const void *bounce);
	unsigned long (*total_pages)(void *pool);
	unsigned long (*compact)(void *pool);
	void (*verify)(void *pool, struct findings *f);
};

extern const struct zpool_driver zsmalloc_driver, zbud_driver, z3fold_driver;

/* By name; NULL: there is none. */
const struct zpool_driver *zpool_find(const char *type);
/* All of them, NULL at the end. */
extern const struct zpool_driver *const zpool_drivers[];

#endif
