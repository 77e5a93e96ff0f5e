// SPDX-License-Identifier: MIT
/*
 * RAM disks.
 *
 * Purpose. A device as fast as memory: for measuring what swap itself costs, for tests, for /dev/ram0.
 *
 * Words, structures. The *store* is an array of pages by index (sector / PAGE_SECTORS). A page comes with the first
 * write to it and goes with a discard of all of it; what has no page reads as zeros. A page of the store has one
 * reference, the store's; who copies takes another.
 *
 * Invariants.
 *	BRD-I1	nr_pages is the number of pages in the store
 *	BRD-I2	no page of the store is reached without a reference: a discard may take it out at any moment. Who took
 *		one looks whether the page was the store's still: if nothing was dropped since he found it, it was
 *
 * Locking. The array's own lock where pages come and go; readers need none (RCU). Two writers of one sector, or a
 * writer and a discard of it, race as they would on a disk: one of them was last.
 *
 * Memory use. Pages are allocated with GFP_NOIO, of high memory too; they are no cache and cannot be reclaimed. While
 * reclaim writes to swap there, PF_MEMALLOC lets them come out of the reserve.
 *
 * What failure does. A write that gets no page returns -ENOMEM; what it had written before stays.
 *
 * Differences from Linux. No block size but 512, no upper layer's queue; -ENOMEM where Linux says BLK_STS_NOSPC or I/O
 * error.
 *
 * Sources. Documentation/admin-guide/blockdev/ramdisk.rst.
 */
#include "block.h"

#include <octavo/errno.h>
#include <octavo/highmem.h>
#include <octavo/slab.h>
#include <octavo/xarray.h>

#include "../base/string.h"
#include "../sync/atomic.h"
#include "../sync/rcu.h"

#define GFP_STORE (GFP_NOIO | __GFP_HIGHMEM | __GFP_NOWARN)
#define OTHER_MINORS 256u /* for names other than ramN */

struct brd {
	struct bdev bdev;
	char name[16];
	struct xarray pages;
	unsigned long nr_pages; /* (a) */
	unsigned long drops;	/* (a) pages taken out; counted before the store's reference goes */
};

static struct brd *brd_of(const struct bdev *bdev)
{
	return bdev->private_data;
}

unsigned long brd_pages(const struct bdev *bdev)
{
	return load_relaxed(&brd_of(bdev)->nr_pages);
}

/* Return: with a reference, or NULL: it has never been written to. */
static force_inline struct page *get_stored(struct brd *brd, unsigned long index)
{
	struct page *page;

	rcu_reader_begin();
	for (;;) {
		unsigned long drops = load_acquire(&brd->drops);

		page = xa_load(&brd->pages, index);
		if (!page)
			break;
		if (likely(get_page_unless_zero(page))) {
			if (likely(load_acquire(&brd->drops) == drops) || xa_load(&brd->pages, index) == page)
				break;
			put_page(page);
		}
		port_cpu_relax(); /* it is on its way out */
	}
	rcu_reader_end();
	return page;
}

/* Another writer may have been first: then it is his. @page has a reference more. Return: 0 or -ENOMEM. */
static int add_page(struct brd *brd, unsigned long index, struct page **page)
{
	struct page *other;
	unsigned long flags;
	int err;

	do {
		flags = xa_lock_irqsave(&brd->pages);
		other = xa_load(&brd->pages, index);
		err = other ? 0 : __xa_store(&brd->pages, index, 0, *page);
		if (other)
			get_page(other);
		xa_unlock_irqrestore(&brd->pages, flags);
	} while (err && !xa_prepare(&brd->pages, GFP_STORE & ~__GFP_HIGHMEM));
	if (!err && !other) {
		atomic_add_relaxed(&brd->nr_pages, 1ul);
		return 0;
	}
	__free_pages(*page, 0); /* the caller's and what would have been the store's */
	put_page(*page);
	*page = other;
	return err;
}

/* The page that is written to, with a reference. Return: NULL: no memory. */
static struct page *make_stored(struct brd *brd, unsigned long index)
{
	struct page *page = get_stored(brd, index);

	if (page)
		return page;
	page = alloc_pages(GFP_STORE | __GFP_ZERO, 0);
	if (!page)
		return NULL;
	get_page(page);
	return add_page(brd, index, &page) ? NULL : page;
}

/* It has its contents before it can be found: who reads meanwhile sees zeros or these, not what lay there before. */
static noinline int write_new(struct brd *brd, unsigned long index, struct page *page)
{
	struct page *stored = alloc_pages(GFP_STORE, 0), *added = stored;

	if (!stored)
		return -ENOMEM;
	copy_highpage(stored, page);
	get_page(stored);
	if (add_page(brd, index, &stored))
		return -ENOMEM;
	if (unlikely(stored != added))
		copy_highpage(stored, page);
	put_page(stored);
	return 0;
}

static int brd_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	struct brd *brd = brd_of(bdev);
	char *at = buffer;

	while (count) {
		unsigned int in_page = (unsigned int)sector % PAGE_SECTORS, n = min(count, PAGE_SECTORS - in_page);
		unsigned long index = (unsigned long)(sector / PAGE_SECTORS);
		struct page *page = write ? make_stored(brd, index) : get_stored(brd, index);
		size_t bytes = (size_t)n << SECTOR_SHIFT;

		if (page && write)
			memcpy_to_page(page, (size_t)in_page << SECTOR_SHIFT, at, bytes);
		else if (page)
			memcpy_from_page(at, page, (size_t)in_page << SECTOR_SHIFT, bytes);
		else if (write)
			return -ENOMEM;
		else
			memset(at, 0, bytes);
		if (page)
			put_page(page);
		at += bytes;
		sector += n;
		count -= n;
	}
	return 0;
}

/* What lies in one page of the store, a part of it. @at: offset in @page, bytes. */
static int rw_part(struct brd *brd, u64 sector, struct page *page, size_t at, size_t bytes, bool write)
{
	unsigned long index = (unsigned long)(sector / PAGE_SECTORS);
	size_t in_page = (size_t)(sector % PAGE_SECTORS) << SECTOR_SHIFT;
	struct page *stored = write ? make_stored(brd, index) : get_stored(brd, index);

	if (!stored && write)
		return -ENOMEM;
	if (!stored)
		memzero_page(page, at, bytes);
	else if (write)
		memcpy_page(stored, in_page, page, at, bytes);
	else
		memcpy_page(page, at, stored, in_page, bytes);
	if (stored)
		put_page(stored);
	return 0;
}

static int rw_whole(struct brd *brd, unsigned long index, struct page *page, bool write)
{
	struct page *stored = get_stored(brd, index);

	if (unlikely(!stored)) {
		if (write)
			return write_new(brd, index, page);
		memzero_page(page, 0, PAGE_SIZE);
		return 0;
	}
	copy_highpage(write ? stored : page, write ? page : stored);
	put_page(stored);
	return 0;
}

static int brd_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	struct brd *brd = brd_of(bdev);
	unsigned int behind = (unsigned int)sector % PAGE_SECTORS; /* sectors that the second page has of it */
	size_t first = PAGE_SIZE - ((size_t)behind << SECTOR_SHIFT);
	int err;

	if (likely(!behind))
		return rw_whole(brd, (unsigned long)(sector / PAGE_SECTORS), page, write);
	err = rw_part(brd, sector, page, 0, first, write);
	if (!err)
		err = rw_part(brd, sector + PAGE_SECTORS - behind, page, first, PAGE_SIZE - first, write);
	return err;
}

static void drop_stored(struct brd *brd, unsigned long index)
{
	struct page *page = xa_erase(&brd->pages, index);

	if (!page)
		return;
	atomic_add_relaxed(&brd->nr_pages, -1ul);
	(void)atomic_fetch_add(&brd->drops, 1);
	put_page(page);
}

/* Parts of pages at both ends stay what they are: a discard promises nothing. */
static int brd_discard(struct bdev *bdev, u64 sector, u64 count)
{
	struct brd *brd = brd_of(bdev);
	unsigned long index = (unsigned long)((sector + PAGE_SECTORS - 1) / PAGE_SECTORS);
	unsigned long end = (unsigned long)((sector + count) / PAGE_SECTORS);

	while (index < end && xa_find(&brd->pages, &index, end - 1))
		drop_stored(brd, index++);
	return 0;
}

static const struct bdev_ops brd_ops = { .rw = brd_rw, .rw_page = brd_rw_page, .discard = brd_discard };

/* ramN: N. Others: the first that is free. */
static u32 choose_minor(const char *name)
{
	u32 minor = OTHER_MINORS;
	bool overflow = false;
	u64 n = 0;

	if (!strncmp(name, "ram", 3)) {
		size_t digits = parse_u64(name + 3, &n, &overflow);

		if (digits && !name[3 + digits] && !overflow && n < OTHER_MINORS)
			return (u32)n;
	}
	while (bdev_find(BDEV(RAMDISK_MAJOR, minor)))
		minor++;
	return minor;
}

struct bdev *brd_create(const char *name, u64 sectors, int *err)
{
	struct brd *brd = kzalloc(sizeof(*brd), GFP_KERNEL);

	*err = -ENOMEM;
	if (!brd)
		return NULL;
	(void)strscpy(brd->name, name, sizeof(brd->name));
	xa_init(&brd->pages);
	brd->bdev = (struct bdev){ .name = brd->name, .dev = BDEV(RAMDISK_MAJOR, choose_minor(name)),
				   .sectors = sectors, .ops = &brd_ops, .private_data = brd, .noio = true };
	*err = bdev_register(&brd->bdev);
	if (!*err)
		return &brd->bdev;
	kfree(brd);
	return NULL;
}

void brd_destroy(struct bdev *bdev)
{
	struct brd *brd = brd_of(bdev);
	unsigned long index = 0;

	bdev_unregister(bdev);
	while (xa_find(&brd->pages, &index, ~0ul - 1))
		drop_stored(brd, index++);
	xa_destroy(&brd->pages);
	kfree(brd);
}
