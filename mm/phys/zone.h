/* SPDX-License-Identifier: MIT */
/*
 * Nodes and zones, as the core keeps them.
 *
 * Legend: (c) constant after boot or changed only by memory hotplug, (z) zone->lock, (a) atomic,
 * (s) the sysctl lock (writers), read without a lock, (p) per CPU.
 */
#ifndef MM_PHYS_ZONE_H
#define MM_PHYS_ZONE_H

#include <octavo/gfp.h>
#include <octavo/mmzone.h>
#include <octavo/page.h>

#include "../sync/cpu.h"
#include "../sync/spinlock.h"
#include "frames.h"
#include "vmstat.h"

enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, WMARK_PROMO, NR_WMARK };

struct zone {
	/* read by every allocation */
	unsigned long watermark[NR_WMARK];	  /* (s) pages, without the boost */
	unsigned long watermark_boost;		  /* (z) pages added to each after fallback, until kswapd has run */
	unsigned long lowmem_reserve[MAX_NR_ZONES]; /* (s) pages kept from allocations that could use a higher zone */
	unsigned long nr_reserved_highatomic;	  /* (z) pages in highatomic pageblocks */
	unsigned long nr_free_highatomic;	  /* (a) free pages in them */
	struct zone_frames frames;		  /* free memory: mm/phys/frames.h */

	s32 node;				  /* (c) */
	enum zone_type type;			  /* (c) */
	u64 fresh;				  /* (c) page->state of a free page; ~0 while frees must not be fast */
	u32 index;				  /* (c) into all_zones[] and each CPU's pages[] */
	const char *name;			  /* (c) */
	struct pglist_data *pgdat;		  /* (c) */
	unsigned long zone_start_pfn;		  /* (c) */
	unsigned long spanned_pages;		  /* (c) */
	unsigned long present_pages;		  /* (c) */
	unsigned long managed_pages;		  /* (a) handed to the allocator */
	unsigned long cma_pages;		  /* (a) */
	unsigned long nr_isolate_pageblock;	  /* (z) */
	unsigned long stat[NR_VM_ZONE_STAT_ITEMS]; /* (a) true values less the CPUs' diffs */
	unsigned int stat_threshold;		  /* (s) */
	unsigned int pageset_batch;		  /* (s) pages: pcp->batch as Linux computes it */
	unsigned int pageset_high_min, pageset_high_max; /* (s) pages */
	spinlock_t lock __aligned(64);
} __aligned(64);

struct zoneref {
	struct zone *zone;
	enum zone_type type;
};

/* Zones in the order an allocation tries them, ended by a NULL zone. */
#define MAX_ZONES_PER_ZONELIST (MAX_NUMNODES * MAX_NR_ZONES)
struct zonelist {
	struct zoneref *refs; /* (c) */
};
enum { ZONELIST_FALLBACK, ZONELIST_NOFALLBACK, MAX_ZONELISTS };

/*
 * What the first try of an allocation needs to know, worked out ahead for each combination of the zone
 * modifiers and __GFP_RECLAIMABLE: the low five GFP bits. page_alloc_update() fills it.
 */
struct alloc_fast {
	struct zone *zone;  /* (c) first of the zonelist; a dummy without pages if that is not of this node */
	long floor;	    /* (z) with more free pages the low watermark holds for a single page, whatever the rest */
	u64 fresh;	    /* (c) page->state of a page of the zone that is free */
	u16 alloc_flags;    /* (c) for the frame layer */
	u8 migratetype;	    /* (c) */
	u8 highest;	    /* (c) enum zone_type the request is limited to */
} __aligned(64);
#define ALLOC_FAST_NR 32

/* The zone's watermarks, boost, reserves or highatomic reserve changed: what the first try compares with follows. */
void page_alloc_floor_changed(const struct zone *zone);

/* After so many runs of kswapd that freed nothing a node is hopeless. */
#define KSWAPD_FAILURES 16u
/* Pages that are worth a pass. */
#define SWAP_CLUSTER_MAX 32ul

struct pglist_data {
	struct zone node_zones[MAX_NR_ZONES];
	struct zonelist node_zonelists[MAX_ZONELISTS];
	struct alloc_fast alloc_fast[ALLOC_FAST_NR];
	s32 node_id;			      /* (c) */
	unsigned long node_start_pfn;	      /* (c) */
	unsigned long node_spanned_pages;     /* (c) */
	unsigned long node_present_pages;     /* (c) */
	unsigned long totalreserve_pages;     /* (s) */
	unsigned long stat[NR_VM_NODE_STAT_ITEMS]; /* (a) */
	unsigned int kswapd_failures;	      /* (a) runs in succession that freed nothing */
	spinlock_t init_lock;		      /* lazily initialised descriptors */
};

/* NULL for nodes without memory. */
extern struct pglist_data *node_data[MAX_NUMNODES];
#define NODE_DATA(nid) (node_data[nid])

/* Nodes that exist, in number and as a set; those that have memory. */
extern unsigned int nr_node_ids;
extern nodemask_t node_online_map, node_memory_map;

#define for_each_online_node(nid)                    \
	for (int nid = 0; nid < (int)nr_node_ids; nid++) \
		if (node_isset(nid, &node_online_map) && NODE_DATA(nid))

/* Every zone of every online node, in node and then zone order, unpopulated ones included. */
#define for_each_zone(z)                                                                               \
	for_each_online_node(_nid_##z) for (struct zone *z = NODE_DATA(_nid_##z)->node_zones;              \
					    z < NODE_DATA(_nid_##z)->node_zones + MAX_NR_ZONES; z++)       \
		if (zone_configured(z->type))
#define for_each_populated_zone(z) for_each_zone(z) if (populated_zone(z))

/* Which zones this machine's architecture has (bit ZONE_x). */
extern unsigned int zone_configured_mask;

static inline bool zone_configured(enum zone_type type)
{
	return (zone_configured_mask >> type) & 1;
}

static inline bool populated_zone(const struct zone *zone)
{
	return zone->present_pages != 0;
}

static inline unsigned long zone_managed_pages(const struct zone *zone)
{
	return READ_ONCE(zone->managed_pages);
}

static inline bool managed_zone(const struct zone *zone)
{
	return zone_managed_pages(zone) != 0;
}

static inline unsigned long zone_end_pfn(const struct zone *zone)
{
	return zone->zone_start_pfn + zone->spanned_pages;
}

static inline bool zone_spans_pfn(const struct zone *zone, unsigned long pfn)
{
	return pfn - zone->zone_start_pfn < zone->spanned_pages;
}

static inline int zone_idx(const struct zone *zone)
{
	return (int)zone->type;
}

static inline bool is_highmem_zone(const struct zone *zone)
{
	return zone->type == ZONE_HIGHMEM;
}

static inline unsigned long wmark_pages(const struct zone *zone, enum zone_watermarks w)
{
	return READ_ONCE(zone->watermark[w]) + READ_ONCE(zone->watermark_boost);
}

static inline struct zone *zone_of(int nid, enum zone_type type)
{
	return &NODE_DATA(nid)->node_zones[type];
}

/* Highest zone an allocation of these flags may use. Table filled at boot from the configured zones. */
extern u8 gfp_zone_table[16];

static inline enum zone_type gfp_zone(gfp_t gfp)
{
	return (enum zone_type)gfp_zone_table[gfp & GFP_ZONEMASK];
}

static inline unsigned int gfp_migratetype(gfp_t gfp)
{
	if (gfp & __GFP_RECLAIMABLE)
		return MIGRATE_RECLAIMABLE;
	return gfp & __GFP_MOVABLE ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
}

#endif
