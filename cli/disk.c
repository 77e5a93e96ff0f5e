// SPDX-License-Identifier: MIT
/* The machine's disks: files of the host (octavo boot --disk, --swap), and memory of this process to swap to. */
#include <octavo/blkdev.h>
#include <octavo/errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/swap/swap.h"

#define DISKS 4u
#define SECTOR 512u

/* A file's, or @memory as the port's device of the same number. */
static struct disk {
	struct bdev *file;
	void *memory;
} disks[DISKS];
static unsigned int nr;

static int swap_on(struct bdev *bdev, const char *file)
{
	char path[24];
	int error;

	snprintf(path, sizeof(path), "/dev/%s", bdev->name);
	error = swapon_bdev(bdev, path, 0);
	if (error)
		cli_complain("--swap '%s': %s", file,
			     error == -EINVAL ? "no swap area is on it ('mkswap FILE' makes one)" :
			     error == -EROFS  ? "it cannot be written" :
						strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

/* Is disk @nr the same file as one before it? */
static bool given_twice(const struct boot_options *options)
{
	struct stat this, other;

	if (stat(options->disks[nr], &this))
		return false;
	for (unsigned int i = 0; i < nr; i++)
		if (!stat(options->disks[i], &other) && other.st_dev == this.st_dev && other.st_ino == this.st_ino)
			return true;
	return false;
}

int disks_open(const struct boot_options *options)
{
	int ret = EXIT_DONE;

	for (nr = 0; nr < options->disks_nr && !ret; nr++) {
		const char name[] = { 'v', 'd', (char)('a' + nr), 0 };
		int error;

		disks[nr].file = hosted_block_open(options->disks[nr], name, &error);
		if (!disks[nr].file) {
			cli_complain("the disk '%s': %s", options->disks[nr],
				     error == -EBUSY  ? given_twice(options) ? "it is given twice" :
										"another machine has it" :
				     error == -EINVAL ? "it is empty" :
							strerror(-error));
			return EXIT_FAILED;
		}
		if (options->swaps >> nr & 1)
			ret = swap_on(disks[nr].file, options->disks[nr]);
	}
	return ret;
}

struct bdev *host_disk(struct monitor *mon, u64 sectors, int *error)
{
	static const char *const names[DISKS] = { "vda", "vdb", "vdc", "vdd" };
	struct bdev *bdev = NULL;
	void *memory = NULL;

	(void)mon;
	*error = nr < DISKS ? -ENOMEM : -EMFILE;
	if (nr < DISKS && sectors <= SIZE_MAX / SECTOR)
		memory = calloc((size_t)sectors, SECTOR);
	if (memory && !hosted_block_set(nr, memory, sectors))
		bdev = bdev_of_port(nr, names[nr], sectors, true);
	if (bdev)
		disks[nr++].memory = memory;
	else if (!memory || !hosted_block_set(nr, NULL, 0))
		free(memory);
	return bdev;
}

static void memory_gone(void)
{
	if (!hosted_block_set(nr, NULL, 0))
		free(disks[nr].memory);
	disks[nr].memory = NULL;
}

void host_disk_gone(struct monitor *mon, struct bdev *bdev)
{
	(void)mon;
	nr--;
	bdev_put_port(bdev);
	memory_gone();
}

/* The machine is there no more, as when its power goes. */
void disks_close(void)
{
	while (nr) {
		struct disk *disk = &disks[--nr];

		if (disk->file)
			hosted_block_close(disk->file, false);
		else
			memory_gone();
		disk->file = NULL;
	}
}
