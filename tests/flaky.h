/* SPDX-License-Identifier: MIT */
/*
 * A block device that another one's sectors pass through, and that fails when the test says so: what dm-flakey and
 * failing disks do.
 */
#ifndef TESTS_FLAKY_H
#define TESTS_FLAKY_H

#include "mm/block/block.h"

/**
 * struct flaky - zero it; flaky_make() does
 * @bdev: the device to use
 * @bad_first, @bad_count: transfers that touch these sectors fail, while @bad_reads or @bad_writes says so
 * @skip: so many transfers pass before the next five count
 * @fail_reads, @fail_writes: so many of the next ones fail and transfer nothing
 * @torn_writes: so many writes fail (-EIO) when half of their sectors have been written
 * @lost_writes: so many writes are said to have been done, and are not
 * @fail_flushes: so many flushes fail
 * @error: what failing transfers return; 0: -EIO
 * @delay: turns of port_cpu_relax() in each transfer
 * @hook: called ahead of each transfer; may change any of these
 * @reads, @writes, @failed, @discards, @flushes: so far
 */
struct flaky {
	struct bdev bdev;
	struct bdev *under;
	u64 bad_first, bad_count;
	bool bad_reads, bad_writes;
	unsigned int skip, fail_reads, fail_writes, torn_writes, lost_writes, fail_flushes, delay;
	int error;
	void (*hook)(struct flaky *flaky, u64 sector, unsigned int count, bool write);
	unsigned int reads, writes, failed, discards, flushes;
};

/* @under stays the caller's. Return: 0 or errno of bdev_register(). */
int __must_check flaky_make(struct flaky *flaky, const char *name, struct bdev *under);
void flaky_end(struct flaky *flaky);

#endif
