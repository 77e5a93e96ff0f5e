// SPDX-License-Identifier: MIT
/*
 * Physical memory that the boot tables' direct map does not reach: firmware leaves its tables anywhere below 4 GiB, for
 * the most part at the end of RAM. One leaf of the boot tables is turned to where they are.
 */
#include "pc.h"

#ifdef OCTAVO_ARCH_I386_PAE
#define LEAF_SIZE ((size_t)2 << 20)
#else
#define LEAF_SIZE ((size_t)4 << 20)
#endif
#define LEAF_BITS 0x83u /* present, writable, large */

bool paging_read(phys_addr_t at, void *to, size_t len)
{
	pc_entry_t *entry = &pc_boot_top[(PC_BOOT_WINDOW - PC_DIRECT_MAP) / LEAF_SIZE];
	char *copy = to;

	while (len) {
		size_t inside = (size_t)at & (LEAF_SIZE - 1), step = min(len, LEAF_SIZE - inside);

		if (at >> 32)
			return false;
		*entry = (pc_entry_t)(at - inside) | LEAF_BITS;
		invlpg(PC_BOOT_WINDOW);
		memcpy(copy, (const char *)PC_BOOT_WINDOW + inside, step);
		copy += step;
		at += step;
		len -= step;
	}
	return true;
}
