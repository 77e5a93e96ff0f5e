// SPDX-License-Identifier: MIT
/* Block devices in the process's memory. */
#include "hosted.h"

#include <octavo/errno.h>
#include <octavo/port.h>

#include <string.h>

#define DEVICES 4u
#define SECTOR 512u

static struct {
	uint8_t *memory;
	uint64_t sectors;
	unsigned int failing;
} devices[DEVICES];

int hosted_block_set(unsigned int device, void *memory, uint64_t sectors)
{
	if (device >= DEVICES)
		return -EINVAL;
	devices[device].memory = memory;
	devices[device].sectors = memory ? sectors : 0;
	devices[device].failing = 0;
	return 0;
}

void hosted_block_fail(unsigned int device, unsigned int count)
{
	if (device < DEVICES)
		__atomic_store_n(&devices[device].failing, count, __ATOMIC_RELAXED);
}

int port_block_rw(unsigned int device, u64 sector, void *buffer, unsigned int count, bool write)
{
	uint8_t *at;

	if (device >= DEVICES || !devices[device].memory)
		return -ENXIO;
	if (sector > devices[device].sectors || count > devices[device].sectors - sector)
		return -EINVAL;
	if (__atomic_load_n(&devices[device].failing, __ATOMIC_RELAXED)) {
		__atomic_fetch_sub(&devices[device].failing, 1, __ATOMIC_RELAXED);
		return -EIO;
	}
	at = devices[device].memory + sector * SECTOR;
	if (write)
		memcpy(at, buffer, (size_t)count * SECTOR);
	else
		memcpy(buffer, at, (size_t)count * SECTOR);
	return 0;
}
