// SPDX-License-Identifier: MIT
/* Memory of this process as disks of the machine: to swap to. They are made anew for each machine. */
#include <stdlib.h>

#include "cli.h"
#include "hosted.h"
#include "mm/block/block.h"

#define DISKS 4u

static void *disks[DISKS];
static unsigned int used;

struct bdev *host_disk(struct monitor *mon, u64 sectors)
{
	static const char *const names[DISKS] = { "vda", "vdb", "vdc", "vdd" };

	(void)mon;
	if (used == DISKS || !(disks[used] = calloc(sectors, 512)))
		return NULL;
	if (hosted_block_set(used, disks[used], sectors)) {
		free(disks[used]);
		return NULL;
	}
	used++;
	return bdev_of_port(used - 1, names[used - 1], sectors, true);
}

void host_disks_end(void)
{
	while (used) {
		used--;
		if (!hosted_block_set(used, NULL, 0))
			free(disks[used]);
	}
}
