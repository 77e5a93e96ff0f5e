// SPDX-License-Identifier: MIT
/* The machine's disks: files of the host (octavo boot --disk, --swap), and memory of this process to swap to. */
#include <octavo/blkdev.h>
#include <octavo/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/swap/swap.h"

#define DISKS 4u

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
			     error == -EINVAL ? "no swap area is on it ('mkswap FILE' makes one)" : strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
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
				     error == -EBUSY  ? "another machine has it" :
				     error == -EINVAL ? "it is empty" :
							strerror(-error));
			return EXIT_FAILED;
		}
		if (options->swaps >> nr & 1)
			ret = swap_on(disks[nr].file, options->disks[nr]);
	}
	return ret;
}

struct bdev *host_disk(struct monitor *mon, u64 sectors)
{
	static const char *const names[DISKS] = { "vda", "vdb", "vdc", "vdd" };
	void *memory = nr < DISKS ? calloc(sectors, 512) : NULL;

	(void)mon;
	if (!memory || hosted_block_set(nr, memory, sectors)) {
		free(memory);
		return NULL;
	}
	disks[nr++].memory = memory;
	return bdev_of_port(nr - 1, names[nr - 1], sectors, true);
}

/* The machine is there no more, as when its power goes. */
void disks_close(void)
{
	while (nr) {
		struct disk *disk = &disks[--nr];

		if (disk->file)
			hosted_block_close(disk->file, false);
		else if (!hosted_block_set(nr, NULL, 0))
			free(disk->memory);
		*disk = (struct disk){ 0 };
	}
}
