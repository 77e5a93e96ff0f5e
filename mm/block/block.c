// SPDX-License-Identifier: MIT
/*
 * Block devices.
 *
 * Purpose. Who stores pages somewhere else (swap, a device's file) calls bdev_rw_page() and friends, whatever is
 * behind: a disk that the port drives, a RAM disk, compressed memory, a test that fails what it likes.
 *
 * Words. A *sector* is 512 bytes. A *transfer* is one call of a device's operation: it has happened when the call
 * returns, there is no queue. Who wants several at once has several threads, and the device serialises what it must.
 *
 * Structures.
 *
 *	registry -> struct bdev -> next, ...	by number, ascending
 *		    |-- ops, private_data	disk_rw() | brd.c | zram.c | a test's
 *		    `-- ios, errors, ...	what /proc/diskstats shows
 *
 * Invariants.
 *	BLK-I1	the registry is in the order of numbers; no number and no name is in it twice
 *	BLK-I2	no transfer begins or ends outside of the device
 *	BLK-I3	a device that has users is what it was: its size changes, and its contents go, while it is held
 *
 * Locking. The registry's spinlock guards the list. A device's transfers take what the device needs. The bounce page
 * has a mutex; no device's rw begins a transfer that needs it again. Nothing that a transfer allocates may start
 * another one: PF_MEMALLOC_NOIO is in effect, or the device has said that its operations know (noio).
 *
 * Memory use. Where there is high memory, one page (the *bounce* page) from which it is written and into which it is
 * read, for devices that know addresses only. It is there before memory is short.
 *
 * What failure does. A transfer that fails returns why; how much of it has happened is not known.
 *
 * Differences from Linux. No requests, no queue, no plugging, no scheduler, no partitions: transfers are synchronous.
 *
 * Sources. Documentation/admin-guide/devices.txt for numbers, Documentation/admin-guide/iostats.rst for counts.
 */
#include "block.h"

#include <octavo/errno.h>
#include <octavo/highmem.h>
#include <octavo/port.h>
#include <octavo/reclaim_hook.h>
#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/string.h"
#include "../phys/vmstat.h"
#include "../sync/mutex.h"

#define HAS_HIGHMEM (sizeof(long) == 4)

static struct {
	spinlock_t lock;
	struct bdev *first;	    /* lock */
	struct mutex bounce_lock;
	struct page *bounce;	    /* its contents: bounce_lock; NULL: no device yet, or no high memory */
} registry __memsys;

static int block_init(void)
{
	spin_lock_init(&registry.lock, LOCK_RANK_BLOCK);
	registry.bounce_lock = (struct mutex)MUTEX_INIT;
	registry.first = NULL;
	registry.bounce = NULL;
	return 0;
}

static void block_verify(struct findings *f)
{
	for (const struct bdev *bdev = registry.first; bdev; bdev = bdev->next)
		if (bdev->next && bdev->next->dev <= bdev->dev)
			finding(f, "BLK-I1: device %s (%x) precedes %s (%x)", bdev->name, bdev->dev, bdev->next->name,
				bdev->next->dev);
}
MM_PART(block, .order = MM_PART_FILE, .init = block_init, .verify = block_verify);

/* ---- Registry ---- */

/* While memory is not short yet. It stays. */
static int have_bounce(void)
{
	int err = 0;

	mutex_lock(&registry.bounce_lock);
	if (HAS_HIGHMEM && !registry.bounce) {
		registry.bounce = alloc_pages(GFP_KERNEL, 0);
		err = registry.bounce ? 0 : -ENOMEM;
	}
	mutex_unlock(&registry.bounce_lock);
	return err;
}

int bdev_register(struct bdev *bdev)
{
	struct bdev **at, *other;
	unsigned long flags;
	int err = have_bounce();

	if (err)
		return err;
	spin_lock_irqsave(&registry.lock, flags);
	for (other = registry.first; other; other = other->next)
		if (other->dev == bdev->dev || !strcmp(other->name, bdev->name))
			err = -EEXIST;
	if (!err) {
		at = &registry.first;
		while (*at && (*at)->dev < bdev->dev)
			at = &(*at)->next;
		bdev->next = *at;
		*at = bdev;
	}
	spin_unlock_irqrestore(&registry.lock, flags);
	return err;
}

void bdev_unregister(struct bdev *bdev)
{
	struct bdev **at = &registry.first;
	unsigned long flags;

	spin_lock_irqsave(&registry.lock, flags);
	while (*at && *at != bdev)
		at = &(*at)->next;
	if (*at)
		*at = bdev->next;
	spin_unlock_irqrestore(&registry.lock, flags);
}

struct bdev *bdev_next(u32 dev)
{
	struct bdev *bdev;
	unsigned long flags;

	spin_lock_irqsave(&registry.lock, flags);
	for (bdev = registry.first; bdev && bdev->dev <= dev; bdev = bdev->next)
		;
	spin_unlock_irqrestore(&registry.lock, flags);
	return bdev;
}

struct bdev *bdev_find(u32 dev)
{
	struct bdev *bdev = dev ? bdev_next(dev - 1) : NULL;

	return bdev && bdev->dev == dev ? bdev : NULL;
}

struct bdev *bdev_find_name(const char *name)
{
	struct bdev *bdev;
	unsigned long flags;

	spin_lock_irqsave(&registry.lock, flags);
	for (bdev = registry.first; bdev && strcmp(bdev->name, name); bdev = bdev->next)
		;
	spin_unlock_irqrestore(&registry.lock, flags);
	return bdev;
}

/* ---- Users ---- */

bool bdev_get(struct bdev *bdev)
{
	u32 users = load_relaxed(&bdev->users), was;

	while (users != BDEV_HELD) {
		was = atomic_cmpxchg(&bdev->users, users, users + 1);
		if (was == users)
			return true;
		users = was;
	}
	return false;
}

void bdev_put(struct bdev *bdev)
{
	atomic_fetch_sub(&bdev->users, 1);
}

bool bdev_hold(struct bdev *bdev)
{
	return !atomic_cmpxchg(&bdev->users, 0, BDEV_HELD);
}

void bdev_unhold(struct bdev *bdev)
{
	store_release(&bdev->users, 0);
}

/* ---- Transfers ---- */

/* May it be? Return: 0 or errno. */
static int check(const struct bdev *bdev, u64 sector, u64 count, bool write)
{
	u64 sectors = load_acquire_u64(&bdev->sectors);

	if (unlikely(sector > sectors || count > sectors - sector))
		return -EINVAL;
	return unlikely(write && bdev->read_only) ? -EROFS : 0;
}

static void count_transfer(struct bdev *bdev, unsigned int count, bool write, int err)
{
	atomic_add_relaxed(&bdev->ios[write], 1ul);
	atomic_add_relaxed(&bdev->ios_sectors[write], (unsigned long)count);
	if (unlikely(err))
		atomic_add_relaxed(&bdev->errors[write], 1ul);
	count_vm_events(write ? PGPGOUT : PGPGIN, count);
}

int bdev_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	int err = check(bdev, sector, count, write);
	unsigned int scope = 0;

	if (err)
		return err;
	if (!bdev->noio)
		scope = memalloc_noio_save();
	err = bdev->ops->rw(bdev, sector, buffer, count, write);
	if (!bdev->noio)
		memalloc_noio_restore(scope);
	count_transfer(bdev, count, write, err);
	return err;
}

/* By way of @rw: high memory through the bounce page, for a local mapping would not outlive a sleep. */
static int rw_by_address(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	void *at = page_address(page);
	int err;

	if (likely(at && !PageHighMem(page)))
		return bdev->ops->rw(bdev, sector, at, PAGE_SECTORS, write);
	mutex_lock(&registry.bounce_lock);
	if (write)
		copy_highpage(registry.bounce, page);
	err = bdev->ops->rw(bdev, sector, page_address(registry.bounce), PAGE_SECTORS, write);
	if (!write && !err)
		copy_highpage(page, registry.bounce);
	mutex_unlock(&registry.bounce_lock);
	return err;
}

static noinline int rw_page_scoped(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	unsigned int scope = bdev->noio ? 0 : memalloc_noio_save();
	int err;

	if (bdev->ops->rw_page)
		err = bdev->ops->rw_page(bdev, sector, page, write);
	else
		err = rw_by_address(bdev, sector, page, write);
	if (!bdev->noio)
		memalloc_noio_restore(scope);
	return err;
}

int bdev_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	int err = check(bdev, sector, PAGE_SECTORS, write);

	if (unlikely(err))
		return err;
	if (likely(bdev->noio && bdev->ops->rw_page))
		err = bdev->ops->rw_page(bdev, sector, page, write);
	else
		err = rw_page_scoped(bdev, sector, page, write);
	count_transfer(bdev, PAGE_SECTORS, write, err);
	return err;
}

int bdev_discard(struct bdev *bdev, u64 sector, u64 count)
{
	int err = check(bdev, sector, count, true);
	unsigned int scope;

	if (err || !bdev->ops->discard || !count)
		return err;
	scope = memalloc_noio_save();
	err = bdev->ops->discard(bdev, sector, count);
	memalloc_noio_restore(scope);
	atomic_add_relaxed(&bdev->discards, 1ul);
	atomic_add_relaxed(&bdev->discard_sectors, (unsigned long)count);
	return err;
}

int bdev_flush(struct bdev *bdev)
{
	unsigned int scope;
	int err;

	if (!bdev->ops->flush || bdev->read_only)
		return 0;
	scope = memalloc_noio_save();
	err = bdev->ops->flush(bdev);
	memalloc_noio_restore(scope);
	atomic_add_relaxed(&bdev->flushes, 1ul);
	if (err)
		atomic_add_relaxed(&bdev->errors[1], 1ul);
	return err;
}

/* ---- What the port drives ---- */

struct port_disk {
	struct bdev bdev;
	char name[16];
	unsigned int device;
};

static struct port_disk *disk_of(struct bdev *bdev)
{
	return bdev->private_data;
}

static int disk_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	return port_block_rw(disk_of(bdev)->device, sector, buffer, count, write);
}

static const struct bdev_ops disk_ops = { .rw = disk_rw };

struct bdev *bdev_of_port(unsigned int device, const char *name, u64 sectors, bool slow)
{
	struct port_disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);

	if (!disk)
		return NULL;
	(void)strscpy(disk->name, name, sizeof(disk->name));
	disk->device = device;
	disk->bdev = (struct bdev){ .name = disk->name, .dev = BDEV(PORT_DISK_MAJOR, 16 * device), .sectors = sectors,
				    .ops = &disk_ops, .private_data = disk, .slow = slow };
	if (!bdev_register(&disk->bdev))
		return &disk->bdev;
	kfree(disk);
	return NULL;
}

void bdev_put_port(struct bdev *bdev)
{
	bdev_unregister(bdev);
	kfree(disk_of(bdev));
}
