// SPDX-License-Identifier: MIT
/*
 * zram: RAM disks whose pages are packed.
 *
 * Purpose
 *	A disk in memory that takes less of it than it has: for swap without a device, for /tmp.
 *
 * Words
 *	slot: what stands behind one page of the disk: nothing (zeros), a word if it consists of one, the packed page,
 *	or the page as it is if packing it gains nothing (huge).
 *
 * Structures
 *	zram -> slots[] by page of the disk -> handle in a pool of zsmalloc's
 *
 *	A page that packs to more than 3640 bytes would take a page of the pool, as 9 objects of up to 3640 fill 8 pages
 *	and larger ones fill nothing better: it is kept as it is, which costs nothing to read.
 *
 * Invariants
 *	ZR-I1  pages_stored is the number of slots that are not empty, same_pages and huge_pages those of their kinds,
 *	       compr_data_size the sum of the lengths.
 *	ZR-I2  Who reads or changes a slot has its lock bit; its object is freed by who took it out.
 *	ZR-I3  A write that fails leaves the page what it was.
 *
 * Locking
 *	A lock bit in each slot's word, held while a page is unpacked or a handle exchanged, with preemption off.
 *	Packing holds nothing but the CPU's workspace. part_mutex: who changes some sectors of a page reads it first.
 *	mutex: size and compressor; nobody transfers while those change: who swaps to it or has it open is a user of the
 *	device (bdev_get()), and a reset holds the device.
 *
 * Memory use and bounds
 *	Two words a page of the disk's size, what is stored, mem_limit at most; a page and the compressor's workspace
 *	for each CPU. Pages come with GFP_NOIO. While reclaim writes to it, the reserves are open (PF_MEMALLOC).
 *
 * What failure does
 *	No memory, or more than mem_limit: -ENOMEM. What does not unpack: -EIO.
 *
 * Differences from Linux
 *	No writeback to a backing device, no recompression, one compressor. Disks exist when zram.num_devices= asks for
 *	them.
 *
 * Sources: Documentation/admin-guide/blockdev/zram.rst.
 */
#include "zram.h"

#include <octavo/highmem.h>
#include <octavo/numa.h>
#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"

#define PACKED_MAX 3640u
#define POOL (&zsmalloc_driver)

static struct zram *disks[ZRAM_MAX] __memsys; /* (a) */
static struct mutex disks_mutex __memsys = MUTEX_INIT;
static u64 num_devices __memsys;

/* ---- Slots ---- */

/* With preemption off. Return: its word. */
static u32 lock_slot(struct zram_slot *slot)
{
	u32 word = load_relaxed(&slot->word);

	for (;;) {
		while (word & ZRAM_LOCKED) {
			port_cpu_relax();
			word = load_relaxed(&slot->word);
		}
		if (atomic_cmpxchg(&slot->word, word, word | ZRAM_LOCKED) == word)
			return word;
		word = load_relaxed(&slot->word);
	}
}

static void unlock_slot(struct zram_slot *slot, u32 word)
{
	store_release(&slot->word, word);
}

/* What a slot had is no more; without its lock. */
static void release(struct zram *zram, unsigned long handle, u32 word)
{
	struct zram_stats *stats = &zram->stats;

	if (!word)
		return;
	atomic_add_relaxed(&stats->pages_stored, -1ul);
	if ((word & ZRAM_KIND) == ZRAM_SAME) {
		atomic_add_relaxed(&stats->same_pages, -1ul);
		return;
	}
	if ((word & ZRAM_KIND) == ZRAM_HUGE)
		atomic_add_relaxed(&stats->huge_pages, -1ul);
	atomic_add_relaxed(&stats->compr_data_size, -(unsigned long)(word >> ZRAM_LENGTH_SHIFT));
	POOL->free(zram->pool, handle);
}

static void replace(struct zram *zram, unsigned long index, unsigned long handle, u32 word)
{
	struct zram_slot *slot = &zram->slots[index];
	struct zram_stats *stats = &zram->stats;
	unsigned long old_handle;
	u32 old;

	preempt_disable();
	old = lock_slot(slot);
	old_handle = slot->handle;
	slot->handle = handle;
	unlock_slot(slot, word);
	preempt_enable();
	if (word) {
		atomic_add_relaxed(&stats->pages_stored, 1ul);
		atomic_add_relaxed(&stats->compr_data_size, (unsigned long)(word >> ZRAM_LENGTH_SHIFT));
		if ((word & ZRAM_KIND) == ZRAM_SAME)
			atomic_add_relaxed(&stats->same_pages, 1ul);
		if ((word & ZRAM_KIND) == ZRAM_HUGE) {
			atomic_add_relaxed(&stats->huge_pages, 1ul);
			atomic_add_relaxed(&stats->huge_pages_since, 1ul);
		}
	}
	release(zram, old_handle, old);
}

/* ---- Whole pages ---- */

static int read_page(struct zram *zram, unsigned long index, struct page *page)
{
	struct packer_cpu *cpu = packer_enter(&zram->packer);
	struct zram_slot *slot = &zram->slots[index];
	void *dst = kmap_local_page(page);
	u32 word = lock_slot(slot);
	size_t len = word >> ZRAM_LENGTH_SHIFT;
	int err = 0;

	if (!word || (word & ZRAM_KIND) == ZRAM_SAME) {
		page_fill(dst, word ? slot->handle : 0);
	} else {
		const void *src = POOL->read_begin(zram->pool, slot->handle, len, cpu->buffer);

		if ((word & ZRAM_KIND) == ZRAM_HUGE)
			memcpy(dst, src, PAGE_SIZE);
		else
			err = zram->packer.ops->decompress(cpu->workspace, src, len, dst);
		POOL->read_end(zram->pool, slot->handle, src, cpu->buffer);
	}
	unlock_slot(slot, word);
	kunmap_local(dst);
	packer_leave();
	return err;
}

/*
 * Into the pool, where *@handle has room for *@room bytes if that is not 0. Return: 0 and *@word; -EAGAIN: *@room is
 * needed, and not at hand; -EIO.
 */
static int pack_page(struct zram *zram, const void *src, unsigned long *handle, size_t *room, u32 *word)
{
	struct packer_cpu *cpu = packer_enter(&zram->packer);
	long len = zram->packer.ops->compress(cpu->workspace, src, cpu->buffer, PACKED_MAX);
	const void *from = cpu->buffer;
	u32 kind = ZRAM_PACKED;

	if (len == -ENOSPC) {
		len = (long)PAGE_SIZE;
		from = src;
		kind = ZRAM_HUGE;
	}
	if (len <= 0 || len > (long)PAGE_SIZE) {
		packer_leave();
		if (*room)
			POOL->free(zram->pool, *handle);
		return -EIO;
	}
	if ((size_t)len > *room) {
		const gfp_t gfp = GFP_NOWAIT | __GFP_NORETRY | __GFP_HIGHMEM;

		if (*room)
			POOL->free(zram->pool, *handle);
		*room = (size_t)len;
		if (POOL->malloc(zram->pool, (size_t)len, gfp, NUMA_NO_NODE, handle)) {
			packer_leave();
			return -EAGAIN;
		}
	}
	POOL->write(zram->pool, *handle, from, (size_t)len);
	packer_leave();
	*word = kind | (u32)len << ZRAM_LENGTH_SHIFT;
	return 0;
}

/* For who transfers, or has the mutex: the pool stays. */
static unsigned long used_pages(const struct zram *zram)
{
	return zram->pool ? POOL->total_pages(zram->pool) : 0;
}

static bool over_limit(struct zram *zram)
{
	unsigned long used = used_pages(zram), limit = load_relaxed(&zram->limit_pages);
	unsigned long most = load_relaxed(&zram->stats.max_used_pages);

	if (limit && used > limit)
		return true;
	while (used > most) {
		unsigned long was = atomic_cmpxchg(&zram->stats.max_used_pages, most, used);

		if (was == most)
			break;
		most = was;
	}
	return false;
}

/*
 * The page is mapped twice if memory is not at hand: once to know how much is needed, and again when it is there, which
 * may have been waited for. Its contents may be others by then.
 */
static int write_page(struct zram *zram, unsigned long index, struct page *page)
{
	unsigned long handle = 0, filled;
	size_t room = 0;
	u32 word = 0;
	int err;

	do {
		const void *src = kmap_local_page(page);

		if (!room && page_same_filled(src, &filled)) {
			kunmap_local(src);
			replace(zram, index, filled, ZRAM_SAME);
			return 0;
		}
		err = pack_page(zram, src, &handle, &room, &word);
		kunmap_local(src);
		if (err == -EAGAIN &&
		    POOL->malloc(zram->pool, room, GFP_NOIO | __GFP_HIGHMEM | __GFP_NOWARN, NUMA_NO_NODE, &handle))
			return -ENOMEM;
	} while (err == -EAGAIN);
	if (err)
		return err;
	if (over_limit(zram)) {
		POOL->free(zram->pool, handle);
		return -ENOMEM;
	}
	replace(zram, index, handle, word);
	return 0;
}

/* ---- The device ---- */

static struct zram *zram_of(const struct bdev *bdev)
{
	return bdev->private_data;
}

static int counted(struct zram *zram, int err, bool write)
{
	if (err)
		atomic_add_relaxed(write ? &zram->stats.failed_writes : &zram->stats.failed_reads, 1ul);
	return err;
}

/* Some sectors of a page, by way of another. */
static int part_rw(struct zram *zram, unsigned long index, size_t offset, void *buffer, size_t bytes, bool write)
{
	struct page *page = alloc_page(GFP_NOIO | __GFP_HIGHMEM | __GFP_NOWARN);
	int err;

	if (!page)
		return -ENOMEM;
	if (write)
		mutex_lock(&zram->part_mutex);
	err = read_page(zram, index, page);
	if (!err && write) {
		memcpy_to_page(page, offset, buffer, bytes);
		err = write_page(zram, index, page);
	} else if (!err) {
		memcpy_from_page(buffer, page, offset, bytes);
	}
	if (write)
		mutex_unlock(&zram->part_mutex);
	__free_page(page);
	return err;
}

static int zram_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	struct zram *zram = zram_of(bdev);
	char *at = buffer;
	int err = 0;

	while (count && !err) {
		unsigned int in_page = (unsigned int)sector % PAGE_SECTORS, n = min(count, PAGE_SECTORS - in_page);
		size_t bytes = (size_t)n << SECTOR_SHIFT;

		err = part_rw(zram, (unsigned long)(sector / PAGE_SECTORS), (size_t)in_page << SECTOR_SHIFT, at, bytes,
			      write);
		at += bytes;
		sector += n;
		count -= n;
	}
	return counted(zram, err, write);
}

static int zram_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	struct zram *zram = zram_of(bdev);
	unsigned long index = (unsigned long)(sector / PAGE_SECTORS);
	void *virt;
	int err;

	if (sector % PAGE_SECTORS == 0)
		return counted(zram, write ? write_page(zram, index, page) : read_page(zram, index, page), write);
	virt = kmap(page);
	if (!virt)
		return counted(zram, -ENOMEM, write);
	err = zram_rw(bdev, sector, virt, PAGE_SECTORS, write);
	kunmap(page);
	return err;
}

static void zram_free(struct bdev *bdev, u64 sector, u64 count)
{
	struct zram *zram = zram_of(bdev);
	u64 index = (sector + PAGE_SECTORS - 1) / PAGE_SECTORS, end = (sector + count) / PAGE_SECTORS;

	for (; index < end; index++) {
		if (!load_relaxed(&zram->slots[index].word))
			continue;
		replace(zram, (unsigned long)index, 0, 0);
		atomic_add_relaxed(&zram->stats.notify_free, 1ul);
	}
}

static int zram_discard(struct bdev *bdev, u64 sector, u64 count)
{
	zram_free(bdev, sector, count);
	return 0;
}

static const struct bdev_ops zram_ops = { .rw = zram_rw, .rw_page = zram_rw_page, .discard = zram_discard,
					  .free = zram_free };

/* ---- Size ---- */

static void empty(struct zram *zram)
{
	for (unsigned long i = 0; i < zram->pages; i++)
		release(zram, zram->slots[i].handle, zram->slots[i].word);
	kvfree(zram->slots);
	zram->slots = NULL;
	zram->pages = 0;
	packer_exit(&zram->packer);
	if (zram->pool)
		POOL->destroy(zram->pool);
	zram->pool = NULL;
}

static int set_disksize_locked(struct zram *zram, unsigned long pages)
{
	const struct zswap_compressor *compressor = compressor_find(zram->compressor);

	if (zram->pages)
		return -EBUSY;
	if (!compressor)
		return -EINVAL;
	zram->slots = kvcalloc(pages, sizeof(*zram->slots), GFP_KERNEL | __GFP_NOWARN);
	zram->pool = zram->slots ? POOL->create(zram->name) : NULL;
	if (!zram->pool || packer_init(&zram->packer, compressor)) {
		empty(zram);
		return -ENOMEM;
	}
	zram->pages = pages;
	/* Who sees it has the rest, too (check() in block.c). */
	store_release_u64(&zram->bdev.sectors, (u64)pages * PAGE_SECTORS);
	return 0;
}

int zram_set_disksize(struct zram *zram, u64 bytes)
{
	u64 pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int err;

	if (!bytes || !pages || pages > (~0ul >> 1) / sizeof(struct zram_slot))
		return -EINVAL;
	mutex_lock(&zram->mutex);
	err = set_disksize_locked(zram, (unsigned long)pages);
	mutex_unlock(&zram->mutex);
	return err;
}

static void reset(struct zram *zram)
{
	mutex_lock(&zram->mutex);
	store_relaxed_u64(&zram->bdev.sectors, 0);
	empty(zram);
	memset(&zram->stats, 0, sizeof(zram->stats));
	store_relaxed(&zram->limit_pages, 0);
	strscpy(zram->compressor, COMPRESSOR_DEFAULT, sizeof(zram->compressor));
	mutex_unlock(&zram->mutex);
}

int zram_reset(struct zram *zram)
{
	if (!bdev_hold(&zram->bdev))
		return -EBUSY;
	reset(zram);
	bdev_unhold(&zram->bdev);
	return 0;
}

int zram_set_compressor(struct zram *zram, const char *name)
{
	int err = compressor_find(name) ? 0 : -EINVAL;

	mutex_lock(&zram->mutex);
	if (!err && zram->pages)
		err = -EBUSY;
	if (!err)
		strscpy(zram->compressor, name, sizeof(zram->compressor));
	mutex_unlock(&zram->mutex);
	return err;
}

int zram_compact(struct zram *zram)
{
	int err = -EINVAL;

	mutex_lock(&zram->mutex);
	if (zram->pool) {
		atomic_add_relaxed(&zram->stats.pages_compacted, POOL->compact(zram->pool));
		err = 0;
	}
	mutex_unlock(&zram->mutex);
	return err;
}

unsigned long zram_size_pages(struct zram *zram)
{
	unsigned long pages;

	mutex_lock(&zram->mutex);
	pages = zram->pages;
	mutex_unlock(&zram->mutex);
	return pages;
}

unsigned long zram_used_pages(struct zram *zram)
{
	unsigned long pages;

	mutex_lock(&zram->mutex);
	pages = used_pages(zram);
	mutex_unlock(&zram->mutex);
	return pages;
}

/* ---- Disks ---- */

struct zram *zram_find(unsigned int id)
{
	return id < ZRAM_MAX ? load_acquire(&disks[id]) : NULL;
}

static int add_locked(unsigned int id)
{
	struct zram *zram = disks[id] ? NULL : kzalloc(sizeof(*zram), GFP_KERNEL);
	int err;

	if (!zram)
		return disks[id] ? -EEXIST : -ENOMEM;
	zram->mutex = zram->part_mutex = (struct mutex)MUTEX_INIT;
	zram->id = id;
	octavo_snprintf(zram->name, sizeof(zram->name), "zram%u", id);
	strscpy(zram->compressor, COMPRESSOR_DEFAULT, sizeof(zram->compressor));
	zram->bdev = (struct bdev){ .name = zram->name, .dev = BDEV(ZRAM_MAJOR, id), .ops = &zram_ops,
				    .private_data = zram, .noio = true };
	err = bdev_register(&zram->bdev);
	if (err)
		kfree(zram);
	else
		store_release(&disks[id], zram);
	return err;
}

int zram_add(unsigned int id)
{
	int err;

	if (id >= ZRAM_MAX)
		return -EINVAL;
	mutex_lock(&disks_mutex);
	err = add_locked(id);
	mutex_unlock(&disks_mutex);
	return err;
}

int zram_remove(unsigned int id)
{
	struct zram *zram;
	int err = -ENODEV;

	mutex_lock(&disks_mutex);
	zram = zram_find(id);
	if (zram)
		err = bdev_hold(&zram->bdev) ? 0 : -EBUSY;
	if (!err) {
		bdev_unregister(&zram->bdev);
		store_release(&disks[id], NULL);
	}
	mutex_unlock(&disks_mutex);
	if (err)
		return err;
	reset(zram);
	kfree(zram);
	return 0;
}

static int num_devices_param(const char *value)
{
	u64 nr;

	if (!value || parse_number(value, &nr) || nr > ZRAM_MAX)
		return -EINVAL;
	num_devices = nr;
	return 0;
}
early_param("zram.num_devices", num_devices_param);

static int zram_init(void)
{
	for (unsigned int id = 0; id < num_devices; id++)
		if (zram_add(id))
			pr_err("zram: disk %u cannot be made\n", id);
	if (num_devices)
		pr_info("zram: Added device: zram0%s\n", num_devices > 1 ? " and others" : "");
	return 0;
}

/* ZR-I1 */
static void verify_disk(struct zram *zram, struct findings *f)
{
	unsigned long nr[ZRAM_KIND + 1] = { 0 }, bytes = 0, stored;

	for (unsigned long i = 0; i < zram->pages; i++) {
		nr[zram->slots[i].word & ZRAM_KIND]++;
		bytes += zram->slots[i].word >> ZRAM_LENGTH_SHIFT;
		if (zram->slots[i].word & ZRAM_LOCKED)
			finding(f, "%s: page %lu is locked", zram->name, i);
	}
	stored = nr[ZRAM_PACKED] + nr[ZRAM_SAME] + nr[ZRAM_HUGE];
	if (stored != zram->stats.pages_stored || nr[ZRAM_SAME] != zram->stats.same_pages ||
	    nr[ZRAM_HUGE] != zram->stats.huge_pages || bytes != zram->stats.compr_data_size)
		finding(f, "%s: %lu pages, %lu same, %lu huge, %lu bytes: counted %lu, %lu, %lu, %lu", zram->name,
			stored, nr[ZRAM_SAME], nr[ZRAM_HUGE], bytes, zram->stats.pages_stored, zram->stats.same_pages,
			zram->stats.huge_pages, zram->stats.compr_data_size);
	if (zram->pool)
		POOL->verify(zram->pool, f);
}

static void zram_verify(struct findings *f)
{
	for (unsigned int id = 0; id < ZRAM_MAX; id++)
		if (disks[id])
			verify_disk(disks[id], f);
}

MM_PART(zram, .order = MM_PART_FILES, .init = zram_init, .verify = zram_verify);
