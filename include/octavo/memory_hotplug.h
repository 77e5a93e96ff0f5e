/* SPDX-License-Identifier: MIT */
/*
 * Memory hotplug: memory that comes and goes while the machine runs.
 *
 * Four steps, as on Linux: add (descriptors exist, nobody may use the frames), online (the frames join a
 * zone), offline (they are isolated, proved free and leave it), remove. The unit is the memory block, which
 * /sys/devices/system/memory shows.
 *
 * Context of all functions: thread context, interrupts on; they serialise among themselves.
 */
#ifndef OCTAVO_MEMORY_HOTPLUG_H
#define OCTAVO_MEMORY_HOTPLUG_H

#include <octavo/mmzone.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** enum mmop - how to bring a block online: which zone its frames join */
enum mmop {
	MMOP_OFFLINE,
	MMOP_ONLINE,	     /* Movable if the neighbouring block is, else the kernel zone */
	MMOP_ONLINE_KERNEL,  /* the kernel zone its address belongs to */
	MMOP_ONLINE_MOVABLE, /* ZONE_MOVABLE: can be taken offline again */
};

enum memory_block_state {
	MEM_BLOCK_ABSENT,  /* no memory there */
	MEM_BLOCK_OFFLINE, /* present, not in use */
	MEM_BLOCK_ONLINE,
};

/** memory_block_size_bytes - size of a memory block: 128 MiB, on machines of 64 GiB and more up to 2 GiB */
OCTAVO_API u64 memory_block_size_bytes(void);

/** memory_block_state - state of block @id, which begins at @id times the block size */
OCTAVO_API enum memory_block_state memory_block_state(unsigned long id);

/** nr_memory_blocks - one above the highest block that is not absent */
OCTAVO_API unsigned long nr_memory_blocks(void);

/** memory_block_nid - node of a block; NUMA_NO_NODE when absent */
OCTAVO_API int memory_block_nid(unsigned long id);

/** memory_block_zone - the zone an online block's frames are all in; NULL if they span several */
OCTAVO_API struct zone *memory_block_zone(unsigned long id);

/**
 * memhp_set_default_online_type - what add_memory() does with new memory (MMOP_OFFLINE: nothing)
 * Boot's default is MMOP_OFFLINE, as on Linux without CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE.
 */
OCTAVO_API void memhp_set_default_online_type(enum mmop how);
OCTAVO_API enum mmop memhp_default_online_type(void);

/**
 * add_memory - memory has appeared; it goes online at once if memhp_set_default_online_type() said so
 * @nid: its node, which must exist
 * @start, @size: physical range, multiples of the memory block size
 *
 * Return: 0; -EINVAL (not aligned, no such node, beyond the address space), -EEXIST (overlaps memory that
 * exists), -ENOSPC (outside the room kept for hotplug at boot), -ENOMEM. Nothing has changed on an error.
 */
OCTAVO_API int __must_check add_memory(int nid, phys_addr_t start, u64 size);

/**
 * online_memory - let the allocator use added memory
 * Return: 0; -EINVAL (not whole offline blocks, or the zone cannot hold them); -ENOMEM.
 */
OCTAVO_API int __must_check online_memory(phys_addr_t start, u64 size, enum mmop how);

/**
 * offline_memory - take memory out of use
 * Return: 0; -EBUSY if a frame of it is in use and cannot be moved (the report names it); -EINVAL. The range
 * is as it was on an error.
 */
OCTAVO_API int __must_check offline_memory(phys_addr_t start, u64 size);

/** remove_memory - offline memory disappears. Return: 0, -EBUSY if a block is online, -EINVAL. */
OCTAVO_API int __must_check remove_memory(phys_addr_t start, u64 size);

OCTAVO_END_DECLS
#endif
