/* SPDX-License-Identifier: MIT */
/*
 * Zones, migrate types, nodes: the vocabulary shared by allocator, reclaim and files.
 * The structures themselves are the core's own (mm/phys/zone.h).
 */
#ifndef OCTAVO_MMZONE_H
#define OCTAVO_MMZONE_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/*
 * All zones exist in every build; which of them a machine has is decided at boot by its architecture
 * (zone_configured()), so that one hosted core can boot the map of any of them.
 */
enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_HIGHMEM, ZONE_MOVABLE, ZONE_DEVICE, MAX_NR_ZONES };

enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_MOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_PCPTYPES, /* the types that per-CPU caches hold */
	MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
	MIGRATE_CMA,
	MIGRATE_ISOLATE,
	MIGRATE_TYPES
};

/* The largest block is 2^10 pages, 4 MiB. */
#define MAX_PAGE_ORDER 10
#define NR_PAGE_ORDERS (MAX_PAGE_ORDER + 1)
#define MAX_ORDER_NR_PAGES (1ul << MAX_PAGE_ORDER)

/* Mobility is decided by blocks of 512 pages: one leaf of a page middle directory, and one cache line of bits. */
#define PAGEBLOCK_ORDER 9
#define pageblock_order PAGEBLOCK_ORDER
#define pageblock_nr_pages (1ul << PAGEBLOCK_ORDER)

#define PAGE_ALLOC_COSTLY_ORDER 3

struct zone;
struct pglist_data;

#define NODEMASK_WORDS (MAX_NUMNODES / 64)
typedef struct {
	u64 bits[NODEMASK_WORDS];
} nodemask_t;

static inline bool node_isset(int nid, const nodemask_t *mask)
{
	return (mask->bits[nid / 64] >> (nid % 64)) & 1;
}

static inline void node_set(int nid, nodemask_t *mask)
{
	mask->bits[nid / 64] |= (u64)1 << (nid % 64);
}

static inline void node_clear(int nid, nodemask_t *mask)
{
	mask->bits[nid / 64] &= ~((u64)1 << (nid % 64));
}

OCTAVO_END_DECLS
#endif
