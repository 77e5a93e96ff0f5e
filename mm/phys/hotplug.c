// SPDX-License-Identifier: MIT
/*
 * Memory hotplug.
 *
 * Purpose
 *	Memory that appears, joins a zone, leaves it and disappears while the machine runs.
 *
 * Words
 *	section		128 MiB of frames whose descriptors exist together (memmap.c)
 *	memory block	what the user sees and acts on: one or more whole sections
 *	room		the part of a zone's pageblock array beyond its span; onlining grows the span into it
 *
 * Structures
 *	None of its own. A block's state is what its sections' flags say, so the two cannot disagree:
 *
 *	        add_memory        online_memory
 *	absent ------------> offline ---------> online		PRESENT: has descriptors, is in memblock
 *	       <------------         <---------			ONLINE:  its frames belong to a zone
 *	       remove_memory       offline_memory
 *
 * Invariants
 *	HP-I1	a section is ONLINE only if it is PRESENT, and all sections of a block are in one state
 *	HP-I2	every frame of memory in an offline section is free in no zone, allocated by nobody, and counted
 *		in neither present_pages nor managed_pages
 *	HP-I3	an operation that fails leaves blocks, zones and counters as they were
 *
 * Locking
 *	hotplug_mutex serialises the operations. Allocations go on meanwhile: isolation (a migrate type nobody
 *	allocates from) keeps frames of a range that goes offline from being handed out again.
 *
 * What failure does
 *	Offlining isolates and claims the range pageblock by pageblock. The first frame that is not free ends
 *	it: what was claimed returns to the free frames and the report names the frame. Blocks that were claimed were
 *	wholly free, so that their migrate type said nothing; the block that failed gets its own back.
 *
 * Differences from Linux
 *	Nothing can be migrated yet, so one used frame keeps a block online. The descriptors of added memory
 *	come from the memory there already is (memmap_on_memory is not offered), and stay allocated when the
 *	memory is removed, for its return. A zone grows only into room set aside at boot (hotplug_room()).
 *
 * Sources
 *	Linux Documentation/admin-guide/mm/memory-hotplug.rst (states, files, zone choice).
 */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/memory_hotplug.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../boot/resource.h"
#include "../sync/mutex.h"
#include "hotplug.h"
#include "memmap.h"
#include "page_alloc.h"
#include "zone_init.h"
#include "zonelist.h"

static struct mutex hotplug_mutex __memsys = MUTEX_INIT;
static u64 block_size __memsys;
static u8 default_online_type __memsys; /* enum mmop */

void memhp_set_default_online_type(enum mmop how)
{
	WRITE_ONCE(default_online_type, (u8)how);
}

enum mmop memhp_default_online_type(void)
{
	return (enum mmop)READ_ONCE(default_online_type);
}

void hotplug_lock(void)
{
	mutex_lock(&hotplug_mutex);
}

void hotplug_unlock(void)
{
	mutex_unlock(&hotplug_mutex);
}

/*
 * Small machines have blocks of one section. From 64 GiB on, larger blocks keep their number down: the largest
 * power of two up to 2 GiB that the end of memory is a multiple of.
 */
u64 memory_block_size_bytes(void)
{
	phys_addr_t end = memblock_end_of_DRAM();

	if (block_size)
		return block_size;
	block_size = SECTION_SIZE;
	if (end >= (phys_addr_t)64 << 30)
		while (block_size < (u64)2 << 30 && IS_ALIGNED(end, block_size * 2))
			block_size *= 2;
	return block_size;
}

static unsigned long block_pages(void)
{
	return (unsigned long)(memory_block_size_bytes() >> PAGE_SHIFT);
}

enum memory_block_state memory_block_state(unsigned long id)
{
	unsigned long pfn = id * block_pages();
	enum memory_block_state state = MEM_BLOCK_ABSENT;

	for (unsigned long end = pfn + block_pages(); pfn < end; pfn += PAGES_PER_SECTION) {
		struct mem_section *section = pfn_to_section(pfn);
		u16 flags = section ? load_relaxed(&section->flags) : 0;

		if (flags & SECTION_ONLINE)
			return MEM_BLOCK_ONLINE;
		if (flags & SECTION_PRESENT)
			state = MEM_BLOCK_OFFLINE;
	}
	return state;
}

unsigned long nr_memory_blocks(void)
{
	return (unsigned long)DIV_ROUND_UP(memblock_end_of_DRAM(), memory_block_size_bytes());
}

int memory_block_nid(unsigned long id)
{
	unsigned long pfn = id * block_pages();

	for (unsigned long end = pfn + block_pages(); pfn < end; pfn += PAGES_PER_SECTION) {
		struct mem_section *section = pfn_to_section(pfn);

		if (section && load_relaxed(&section->flags) & SECTION_PRESENT)
			return section->nid;
	}
	return NUMA_NO_NODE;
}

/* The zone of every frame of memory in [start, end), or NULL if there are several. */
static struct zone *zone_of_range(unsigned long start, unsigned long end)
{
	struct zone *zone = NULL;
	unsigned long from, to;
	u64 i;
	int nid;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &from, &to, &nid) {
		from = max(from, start);
		to = min(to, end);
		while (from < to) {
			struct zone *its = zone_of(nid, zone_type_of_pfn(nid, from));
			unsigned long stop = min(to, (from | (PAGES_PER_SECTION - 1)) + 1);

			if (zone && zone != its)
				return NULL;
			zone = its;
			from = zone_end_pfn(its) > from ? min(stop, zone_end_pfn(its)) : stop;
		}
	}
	return zone;
}

struct zone *memory_block_zone(unsigned long id)
{
	if (memory_block_state(id) != MEM_BLOCK_ONLINE)
		return NULL;
	return zone_of_range(id * block_pages(), (id + 1) * block_pages());
}

static int check_range(const char *what, phys_addr_t start, u64 size)
{
	u64 block = memory_block_size_bytes();

	if (!size || start % block || size % block || start + size < start) {
		printk("%s [mem %#010llx-%#010llx]: not whole memory blocks of %#llx bytes\n", what,
		       (unsigned long long)start, (unsigned long long)(start + size - 1), (unsigned long long)block);
		return -EINVAL;
	}
	return 0;
}

static bool blocks_are(phys_addr_t start, u64 size, enum memory_block_state state)
{
	u64 block = memory_block_size_bytes();

	for (u64 id = start / block; id < (start + size) / block; id++)
		if (memory_block_state((unsigned long)id) != state)
			return false;
	return true;
}

static int online_locked(phys_addr_t start, u64 size, enum mmop how);

/* ---- Adding and removing ---- */

static void remove_sections(unsigned long start, unsigned long end)
{
	for (unsigned long pfn = start; pfn < end; pfn += PAGES_PER_SECTION)
		memmap_section_remove(pfn);
}

static int add_sections(unsigned long start, unsigned long end, int nid)
{
	for (unsigned long pfn = start; pfn < end; pfn += PAGES_PER_SECTION) {
		int err = memmap_section_add(pfn, nid);

		if (err) {
			remove_sections(start, pfn);
			return err;
		}
	}
	return 0;
}

static int add_memory_locked(int nid, phys_addr_t start, u64 size)
{
	unsigned long pfn = PFN_DOWN(start), end = PFN_DOWN(start + size);
	int err;

	if (nid < 0 || nid >= MAX_NUMNODES || !NODE_DATA(nid)) {
		printk("add memory [mem %#010llx-%#010llx]: there is no node %d\n", (unsigned long long)start,
		       (unsigned long long)(start + size - 1), nid);
		return -EINVAL;
	}
	if (!blocks_are(start, size, MEM_BLOCK_ABSENT))
		return -EEXIST;
	if (!zone_has_room(zone_of(nid, kernel_zone_type(pfn)), pfn, end) &&
	    !zone_has_room(zone_of(nid, ZONE_MOVABLE), pfn, end)) {
		printk("add memory [mem %#010llx-%#010llx]: outside the room node %d keeps for hotplug\n",
		       (unsigned long long)start, (unsigned long long)(start + size - 1), nid);
		return -ENOSPC;
	}
	err = resource_insert(start, start + size - 1, "System RAM");
	if (err)
		return err == -EBUSY ? -EEXIST : err;
	err = mm_parts_memory_add(start, size);
	if (err)
		goto no_part;
	err = memblock_add_node(start, size, nid, MEMBLOCK_NONE);
	if (err)
		goto no_memblock;
	err = add_sections(pfn, end, nid);
	if (!err)
		return 0;
	if (memblock_remove(start, size))
		printk("add memory: the map kept [mem %#010llx-%#010llx] after a failure\n", (unsigned long long)start,
		       (unsigned long long)(start + size - 1));
no_memblock:
	mm_parts_memory_remove(start, size);
no_part:
	(void)!resource_remove(start, start + size - 1, "System RAM");
	return err;
}

int add_memory(int nid, phys_addr_t start, u64 size)
{
	int err = check_range("add memory", start, size);

	if (err)
		return err;
	hotplug_lock();
	err = add_memory_locked(nid, start, size);
	/* Memory that cannot go online stays added: whoever looks sees it offline, and why is on the console. */
	if (!err && memhp_default_online_type() != MMOP_OFFLINE)
		(void)online_locked(start, size, memhp_default_online_type());
	hotplug_unlock();
	return err;
}

int remove_memory(phys_addr_t start, u64 size)
{
	int err = check_range("remove memory", start, size);

	if (err)
		return err;
	hotplug_lock();
	if (!blocks_are(start, size, MEM_BLOCK_OFFLINE)) {
		hotplug_unlock();
		return -EBUSY;
	}
	err = memblock_remove(start, size);
	if (!err) {
		remove_sections(PFN_DOWN(start), PFN_DOWN(start + size));
		mm_parts_memory_remove(start, size);
		/* Memory the firmware reported keeps its entry's other parts: only an exact entry goes. */
		(void)!resource_remove(start, start + size - 1, "System RAM");
	}
	hotplug_unlock();
	return err;
}

/* ---- Online ---- */

/*
 * The highest kernel zone of a node and its Movable zone can grow, the others are what the firmware said. A node may
 * double beyond the end of all memory: 128 bytes per 2 MiB, twice, are 0.012 % of what there is at boot. 32-bit
 * machines, whose direct map is full, have no room.
 */
struct pfn_range hotplug_room(const struct zone *zone)
{
	const struct pglist_data *pgdat = zone->pgdat;
	unsigned long max_pfn = PFN_DOWN(memblock_end_of_DRAM()), first = pgdat->node_start_pfn, end;
	enum zone_type top = kernel_zone_type(max_pfn - 1);
	struct pfn_range span = { zone->zone_start_pfn, zone_end_pfn(zone) };

	if (zone_configured(ZONE_HIGHMEM) || (zone->type != top && zone->type != ZONE_MOVABLE))
		return span;
	end = ALIGN(max_pfn, PAGES_PER_SECTION) + ALIGN(pgdat->node_present_pages, PAGES_PER_SECTION);
	/* What is beyond the descriptors' window could not be added anyway. */
	end = max(min(end, memmap_end_pfn()), pgdat->node_start_pfn + pgdat->node_spanned_pages);
	while (kernel_zone_type(first) != top)
		first = arch_zone_highest_possible_pfn[kernel_zone_type(first)];
	return (struct pfn_range){ populated_zone(zone) ? min(first, span.start) : first, max(end, span.end) };
}

bool zone_has_room(const struct zone *zone, unsigned long start, unsigned long end)
{
	const struct zone_frames *frames = &zone->frames;

	return frames->blocks && start >= frames->base_pfn &&
	       end <= frames->base_pfn + frames->nr_blocks * pageblock_nr_pages;
}

static struct zone *zone_for_online(unsigned long start, unsigned long end, int nid, enum mmop how)
{
	struct zone *movable = zone_of(nid, ZONE_MOVABLE);
	struct zone *kernel = zone_of(nid, kernel_zone_type(start));

	if (how == MMOP_ONLINE) {
		bool beside = populated_zone(movable) &&
			      (zone_end_pfn(movable) == start || movable->zone_start_pfn == end);

		how = beside ? MMOP_ONLINE_MOVABLE : MMOP_ONLINE_KERNEL;
	}
	return how == MMOP_ONLINE_MOVABLE ? movable : kernel;
}

static void grow_span(unsigned long *start_pfn, unsigned long *spanned, unsigned long start, unsigned long end)
{
	unsigned long old_end = *start_pfn + *spanned;

	if (!*spanned || start < *start_pfn)
		*start_pfn = start;
	*spanned = (*spanned ? max(old_end, end) : end) - *start_pfn;
}

/* Pages of memory in the range join (sign 1) or leave (sign -1) the zone's and the node's books. */
static void account_pages(struct zone *zone, unsigned long pages, int sign)
{
	unsigned long delta = sign > 0 ? pages : -pages;

	zone->present_pages += delta;
	zone->pgdat->node_present_pages += delta;
	WRITE_ONCE(zone->managed_pages, zone->managed_pages + delta);
}

static int online_locked(phys_addr_t start, u64 size, enum mmop how)
{
	unsigned long first = PFN_DOWN(start), end = PFN_DOWN(start + size), pages = 0, from, to;
	int its_nid, nid = memory_block_nid((unsigned long)(start / memory_block_size_bytes())), err;
	struct zone *zone;
	bool was_empty;
	u64 i;

	if (how == MMOP_OFFLINE || !blocks_are(start, size, MEM_BLOCK_OFFLINE))
		return -EINVAL;
	/* Memory of boot may end inside its last block; no zone has room for more of that one. */
	end = min(end, ALIGN(PFN_UP(memblock_end_of_DRAM()), pageblock_nr_pages));
	zone = zone_for_online(first, end, nid, how);
	if (!zone_configured(zone->type) || !zone_has_room(zone, first, end)) {
		printk("online memory [mem %#010llx-%#010llx]: zone %s of node %d cannot hold it\n",
		       (unsigned long long)start, (unsigned long long)(start + size - 1), zone->name, nid);
		return -EINVAL;
	}
	was_empty = !populated_zone(zone);
	grow_span(&zone->zone_start_pfn, &zone->spanned_pages, first, end);
	grow_span(&zone->pgdat->node_start_pfn, &zone->pgdat->node_spanned_pages, first, end);
	for (unsigned long pfn = first; pfn < end; pfn += PAGES_PER_SECTION) {
		pfn_to_section(pfn)->hotplug_zone = (u8)(zone->type + 1);
		memmap_section_online(pfn);
	}
	/* Other CPUs have the pages, and give them back, as soon as they are free. */
	page_alloc_bounds();
	mm_parts_memory_changed();
	for_each_mem_pfn_range(i, nid, &from, &to, &its_nid) {
		from = max(from, first);
		to = min(to, end);
		if (from < to) {
			account_pages(zone, to - from, 1);
			frames_add(zone, from, to, MIGRATE_MOVABLE);
			pages += to - from;
		}
	}
	if (was_empty) {
		err = build_all_zonelists();
		if (err)
			return err;
	}
	page_alloc_update();
	printk("Onlined [mem %#010llx-%#010llx]: %lu pages in zone %s of node %d\n", (unsigned long long)start,
	       (unsigned long long)(start + size - 1), pages, zone->name, nid);
	return 0;
}

int online_memory(phys_addr_t start, u64 size, enum mmop how)
{
	int err = check_range("online memory", start, size);

	if (err)
		return err;
	hotplug_lock();
	err = online_locked(start, size, how);
	hotplug_unlock();
	return err;
}

/* ---- Offline ---- */

/* Claim what of [start, end), a part of one pageblock, is memory. Returns the first frame not claimed, or end. */
static unsigned long claim_memory(struct zone *zone, unsigned long start, unsigned long end)
{
	unsigned long from, to;
	u64 i;
	int nid;

	for_each_mem_pfn_range(i, zone->node, &from, &to, &nid) {
		from = max(from, start);
		to = min(to, end);
		if (from < to && !frames_claim(zone, from, to))
			return from;
	}
	return end;
}

/* Undo claim_memory(): frames of memory in [start, end) are free again. Returns how many there are. */
static unsigned long release_memory(struct zone *zone, unsigned long start, unsigned long end, bool free)
{
	unsigned long from, to, pages = 0;
	u64 i;
	int nid;

	for_each_mem_pfn_range(i, zone->node, &from, &to, &nid) {
		from = max(from, start);
		to = min(to, end);
		if (from >= to)
			continue;
		if (free)
			frames_add(zone, from, to, MIGRATE_MOVABLE);
		pages += to - from;
	}
	return pages;
}

/*
 * Isolate a pageblock and claim its memory. Frames that sit in CPU caches come back first, once for all blocks
 * and again for one that is short of some. Returns the first frame that is in use, the block's type being what it
 * was, or @end.
 */
static unsigned long take_block(struct zone *zone, unsigned long start, unsigned long end)
{
	unsigned int type = get_pageblock_migratetype(zone, start);
	unsigned long stopped;

	set_pageblock_migratetype(zone, start, MIGRATE_ISOLATE);
	stopped = claim_memory(zone, start, end);
	if (stopped < end) {
		release_memory(zone, start, stopped, true);
		frames_drain_all(zone);
		stopped = claim_memory(zone, start, end);
	}
	if (stopped < end)
		release_memory(zone, start, stopped, true);
	set_pageblock_migratetype(zone, start, stopped < end ? type : MIGRATE_MOVABLE);
	return stopped;
}

/* All pageblocks of the range, or none: returns the first frame in use, or @end. */
static unsigned long take_range(struct zone *zone, unsigned long start, unsigned long end)
{
	unsigned long pfn, next, stopped;

	frames_drain_all(zone);
	for (pfn = start; pfn < end; pfn = next) {
		next = min(end, ALIGN_DOWN(pfn, pageblock_nr_pages) + pageblock_nr_pages);
		stopped = take_block(zone, pfn, next);
		if (stopped < next) {
			release_memory(zone, start, pfn, true);
			return stopped;
		}
	}
	return end;
}

/* First and one past the last frame of online memory in the zone, after a part of it has left. */
static void shrink_span(struct zone *zone)
{
	unsigned long from, to, first = PFN_NONE, last = 0;
	u64 i;
	int nid;

	for_each_mem_pfn_range(i, zone->node, &from, &to, &nid) {
		to = min(to, zone_end_pfn(zone));
		for (unsigned long pfn = max(from, zone->zone_start_pfn); pfn < to;) {
			unsigned long stop = min(to, (pfn | (PAGES_PER_SECTION - 1)) + 1);
			struct mem_section *section = pfn_to_section(pfn);

			if (load_relaxed(&section->flags) & SECTION_ONLINE &&
			    zone_type_of_pfn(zone->node, pfn) == zone->type) {
				first = min(first, pfn);
				last = stop;
			}
			pfn = stop;
		}
	}
	zone->zone_start_pfn = first == PFN_NONE ? 0 : first;
	zone->spanned_pages = first == PFN_NONE ? 0 : last - first;
}

static void report_busy(struct zone *zone, phys_addr_t start, u64 size, unsigned long pfn)
{
	struct page *page;

	while (pfn < PFN_DOWN(start + size) - 1 && frame_state(zone, pfn) != 0)
		pfn++;
	page = pfn_to_online_page(pfn);
	printk("memory offlining [mem %#010llx-%#010llx] failed: a page is in use and cannot be moved\n",
	       (unsigned long long)start, (unsigned long long)(start + size - 1));
	if (page)
		dump_page(page, "unmovable page");
}

static int offline_locked(phys_addr_t start, u64 size)
{
	unsigned long first = PFN_DOWN(start), end = PFN_DOWN(start + size), stopped, pages;
	struct zone *zone;

	if (!blocks_are(start, size, MEM_BLOCK_ONLINE))
		return -EINVAL;
	zone = zone_of_range(first, end);
	if (!zone) {
		printk("memory offlining [mem %#010llx-%#010llx] failed: it spans several zones\n",
		       (unsigned long long)start, (unsigned long long)(start + size - 1));
		return -EINVAL;
	}
	stopped = take_range(zone, first, end);
	if (stopped < end) {
		report_busy(zone, start, size, stopped);
		return -EBUSY;
	}
	pages = release_memory(zone, first, end, false);
	account_pages(zone, pages, -1);
	for (unsigned long pfn = first; pfn < end; pfn += PAGES_PER_SECTION)
		memmap_section_offline(pfn);
	shrink_span(zone);
	if (!populated_zone(zone) && build_all_zonelists())
		printk("memory offlining: the zonelists keep an empty zone\n");
	page_alloc_update();
	mm_parts_memory_changed();
	printk("Offlined [mem %#010llx-%#010llx]: %lu pages\n", (unsigned long long)start,
	       (unsigned long long)(start + size - 1), pages);
	return 0;
}

int offline_memory(phys_addr_t start, u64 size)
{
	int err = check_range("offline memory", start, size);

	if (err)
		return err;
	hotplug_lock();
	err = offline_locked(start, size);
	hotplug_unlock();
	return err;
}
