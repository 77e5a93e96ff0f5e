// SPDX-License-Identifier: MIT
#include "flaky.h"

#include <octavo/errno.h>
#include <octavo/port.h>

#include "mm/base/string.h"
#include "mm/sync/atomic.h"

#define FLAKY_MAJOR 240u /* the first for local use */

enum verdict { PASS, FAIL, TORN, LOST };

/* One of them less. Return: there was one. */
static bool take(unsigned int *left)
{
	unsigned int seen = load_relaxed(left), was;

	while (seen) {
		was = atomic_cmpxchg(left, seen, seen - 1);
		if (was == seen)
			return true;
		seen = was;
	}
	return false;
}

static enum verdict judge(struct flaky *flaky, u64 sector, unsigned int count, bool write)
{
	atomic_fetch_add(write ? &flaky->writes : &flaky->reads, 1u);
	if (flaky->hook)
		flaky->hook(flaky, sector, count, write);
	for (unsigned int i = 0; i < flaky->delay; i++)
		port_cpu_relax();
	if ((write ? flaky->bad_writes : flaky->bad_reads) && sector < flaky->bad_first + flaky->bad_count &&
	    sector + count > flaky->bad_first)
		return FAIL;
	if (take(&flaky->skip))
		return PASS;
	if (take(write ? &flaky->fail_writes : &flaky->fail_reads))
		return FAIL;
	if (write && take(&flaky->torn_writes))
		return TORN;
	return write && take(&flaky->lost_writes) ? LOST : PASS;
}

static int failed(struct flaky *flaky)
{
	atomic_fetch_add(&flaky->failed, 1u);
	return flaky->error ? flaky->error : -EIO;
}

static int flaky_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	struct flaky *flaky = bdev->private_data;

	switch (judge(flaky, sector, count, write)) {
	case PASS:
		return bdev_rw(flaky->under, sector, buffer, count, write);
	case TORN:
		(void)bdev_rw(flaky->under, sector, buffer, count / 2, true);
		return failed(flaky);
	case LOST:
		return 0;
	case FAIL:
		break;
	}
	return failed(flaky);
}

static int tear(struct flaky *flaky, u64 sector, struct page *page)
{
	static u8 half[PAGE_SIZE];
	void *at = kmap_local_page(page);

	memcpy(half, at, sizeof(half) / 2);
	kunmap_local(at);
	(void)bdev_rw(flaky->under, sector, half, PAGE_SECTORS / 2, true);
	return failed(flaky);
}

static int flaky_rw_page(struct bdev *bdev, u64 sector, struct page *page, bool write)
{
	struct flaky *flaky = bdev->private_data;

	switch (judge(flaky, sector, PAGE_SECTORS, write)) {
	case PASS:
		return bdev_rw_page(flaky->under, sector, page, write);
	case TORN:
		return tear(flaky, sector, page);
	case LOST:
		return 0;
	case FAIL:
		break;
	}
	return failed(flaky);
}

static int flaky_discard(struct bdev *bdev, u64 sector, u64 count)
{
	struct flaky *flaky = bdev->private_data;

	atomic_fetch_add(&flaky->discards, 1u);
	return bdev_discard(flaky->under, sector, count);
}

static int flaky_flush(struct bdev *bdev)
{
	struct flaky *flaky = bdev->private_data;

	atomic_fetch_add(&flaky->flushes, 1u);
	return take(&flaky->fail_flushes) ? failed(flaky) : bdev_flush(flaky->under);
}

static const struct bdev_ops flaky_ops = { .rw = flaky_rw,
					   .rw_page = flaky_rw_page,
					   .discard = flaky_discard,
					   .flush = flaky_flush };

int flaky_make(struct flaky *flaky, const char *name, struct bdev *under)
{
	u32 minor = 0;

	while (bdev_find(BDEV(FLAKY_MAJOR, minor)))
		minor++;
	*flaky = (struct flaky){ .under = under };
	flaky->bdev = (struct bdev){ .name = name, .dev = BDEV(FLAKY_MAJOR, minor), .sectors = under->sectors,
				     .ops = &flaky_ops, .private_data = flaky, .slow = under->slow };
	return bdev_register(&flaky->bdev);
}

void flaky_end(struct flaky *flaky)
{
	bdev_unregister(&flaky->bdev);
}
