// SPDX-License-Identifier: MIT
/*
 * The slob back end: first fit in pages that all caches share.
 *
 * Purpose: machines of a few megabytes, where a page for each size and each CPU is more than the objects in it. Small
 * code, a page in use only while an object is on it, no memory kept back; searches instead of constant time.
 *
 * Words: a *unit* is 8 bytes. A *block* is a page with objects of many caches and a *directory* that says where they
 * are. A *gap* is what lies between two of them. An *own slab* is pages of one cache.
 *
 * Structures:
 *
 *	block:  0                                                    4032        4096 (4056 and 40 bytes on 32-bit)
 *	        [ object | gap | object | object |   last gap   | e2 e1 e0 | struct slob_block ]
 *	            e0             e1       e2                 <-- directory: { start 9, units 9, cache 14 bits }
 *
 *	node:   bands[kind][small]   -> block -> block            gap of 8 to 255 bytes (or made for small objects)
 *	        bands[kind][medium]  -> block                     256 to 1023
 *	        bands[kind][large]   -> block -> block            1024 and more
 *	        blocks: all of them, full ones too
 *
 * The directory is sorted by address. It is all that is known of an object: 4 bytes instead of a header of 8, which
 * would spoil the alignment of whatever follows; and nothing is ever written into a gap. Free space is what no entry
 * claims, so neighbours coalesce by themselves. An address is an object's exactly if an entry starts there: kfree()
 * finds size and cache by bisection, and a wild, interior or second free finds none. Objects lie at their alignment
 * from the page's start on, so that three of 1024 bytes and a few small ones share a page.
 *
 * An object is searched for in the list of its size's band, from where the last search ended (next fit among blocks,
 * first fit within). A block has a home band, that of the object it was made for, so that small objects do not nibble
 * at pages meant for large ones; when its largest gap is of a lower band it is listed there.
 *
 * Own slabs serve what does not share: objects a block has no room for (whole pages), those of about half a page, of
 * which two fit a page of their own but one a block; and caches whose free objects must stay theirs: SLAB_DEBUG_FLAGS
 * (poison, red zones and tracks of a free object are looked at when it is handed out again) and SLAB_TYPESAFE_BY_RCU
 * (a reader may look at a free object until its grace period ends; the pages wait for that). All debugging works
 * there as with the other back ends.
 *
 * Constructors: in a block, called at each allocation; in an own slab, once when it is made. Either way the object
 * that is handed out is constructed.
 *
 * kmalloc() gets what was asked, in units, not its class: aligned to the largest power of two that divides the size.
 *
 * Invariants:
 *	SB-I1  a directory's entries are sorted and disjoint, and end ahead of the directory
 *	SB-I2  a block's largest gap is what it says, and 0 when the directory cannot grow
 *	SB-I3  a block is in the list of the lower of its home band and its gap's band, and in none when nothing fits
 *	SB-I4  an entry names a cache that is there and of the block's kind, has the units its objects take, and
 *	       lies at their alignment
 *	SB-I5  a block's page leads to it and is of its node
 *	SB-I6  a cache's count of objects in blocks is the number of its entries
 *	SB-I7  an own slab's bits and its count of free objects agree, it is in the list of partial ones exactly if it
 *	       has a free object, and the node's counts are their sums
 *
 * Locking: one lock a node, interrupts off. No page is taken or given back, and no constructor called, under it. One
 * who walks over slabs is counted; slabs that become empty meanwhile stay until the last walker has left. A page made
 * for an allocation that then found room elsewhere is empty too: it is used next, or kmem_cache_shrink() gives it
 * back.
 *
 * Bounds: a search looks at SLOB_LOOKS blocks' headers and into those whose gap is large enough: the first, unless
 * alignment is in the way, SLOB_SCANS at most. A look inside is 341 entries at most (4032 bytes / (8 + 4)); so is
 * inserting and removing one. What the search does not find it does not need to: a new page is made. Only when there
 * is none, all blocks of all bands are looked at before the allocation fails.
 *
 * Memory use: 64 bytes a page (40 on 32-bit), 4 bytes and at most 7 of rounding an object. An own slab: its
 * descriptor, 80 bytes and a bit an object. A cache: 80 bytes a node. Nothing is cached: a page goes back when its
 * last object does; but a debugged cache keeps min_partial (5) free slabs a node, until kmem_cache_shrink(). Worst
 * case, as for any first fit: a page held by its smallest object.
 *
 * What failure does: no page: the allocation fails, nothing else changes.
 *
 * Differences from Linux (which had a slob until 6.3): there units of 2 bytes with the free list inside the gaps, a
 * header ahead of each kmalloc() object and none on those of caches, so no check at all; debugging and slabinfo were
 * not available.
 *
 * Sources: Knuth, The Art of Computer Programming 1, section 2.5 (first fit, next fit, boundary tags and what they
 * cost).
 */
#ifdef OCTAVO_HEAP_SLOB

#include "slob.h"

#include "../base/printk.h"
#include "../base/string.h"

#define SLOB_LOOKS 64u
#define SLOB_SCANS 8u
#define KEEP_DEBUGGED 5u /* free slabs of a debugged cache and node, in which misuse of free objects can be seen */

const char backend_name[] = "slob";

struct slob_node *slob_nodes[MAX_NUMNODES] __memsys;
struct kmem_cache slob_page_caches[SLOB_KINDS] __memsys;

int backend_init(void)
{
	static const gfp_t gfp[SLOB_KINDS] = { 0, __GFP_RECLAIMABLE, __GFP_DMA, __GFP_DMA32 };

	for (unsigned int kind = 0; kind < SLOB_KINDS; kind++) {
		slob_page_caches[kind].name = "slob";
		slob_page_caches[kind].gfp = gfp[kind];
		slob_page_caches[kind].flags = kind == SLOB_RECLAIM ? SLAB_RECLAIM_ACCOUNT : 0;
		slob_page_caches[kind].size = slob_page_caches[kind].object_size = (u32)PAGE_SIZE;
	}
	return 0;
}

/* ---- What an object needs ---- */

enum slob_kind slob_kind_of(const struct kmem_cache *cache)
{
	if (cache->gfp & __GFP_DMA)
		return SLOB_DMA;
	if (cache->gfp & __GFP_DMA32)
		return SLOB_DMA32;
	return cache->flags & SLAB_RECLAIM_ACCOUNT ? SLOB_RECLAIM : SLOB_NORMAL;
}

void slob_shape(const struct kmem_cache *cache, size_t size, unsigned int *units, unsigned int *align_units)
{
	size_t align = cache->align;

	if (cache->flags & SLAB_KMALLOC)
		align = size & -size;
	else
		size = cache->size;
	*units = (unsigned int)DIV_ROUND_UP(size, SLOB_UNIT);
	*align_units = (unsigned int)(max_t(size_t, align, SLOB_UNIT) / SLOB_UNIT);
}

bool slob_is_shared(const struct kmem_cache *cache, size_t size)
{
	unsigned int units, align_units, fit;

	if (cache->flags & (SLAB_DEBUG_FLAGS | SLAB_TYPESAFE_BY_RCU) || !size)
		return false;
	/* An entry could not name it. */
	if (!cache->id || cache->id >> SLOB_ID_BITS)
		return false;
	slob_shape(cache, size, &units, &align_units);
	if (units > SLOB_BLOCK_UNITS)
		return false;
	if (units <= SLOB_BLOCK_UNITS / 3 && align_units <= SLOB_BLOCK_UNITS / 3)
		return true;
	fit = slob_block_capacity(units, align_units);
	return fit > 1 || (fit && cache->objects < 2);
}

int backend_layout(struct kmem_cache *cache)
{
	size_t bytes = max(cache->size, cache->align);
	unsigned int order = bytes <= PAGE_SIZE ? 0 : highest_bit(bytes - 1) + 1 - PAGE_SHIFT;

	if (order > MAX_PAGE_ORDER)
		return -E2BIG;
	cache->order = (u16)order;
	cache->objects = (u16)((PAGE_SIZE << order) / cache->size);
	cache->mag_limit = cache->mag_batch = 0;
	cache->min_partial = cache->flags & SLAB_DEBUG_FLAGS ? KEEP_DEBUGGED : 0;
	cache->cpu_slabs = 0;
	return 0;
}

static int node_prepare(unsigned int nid, gfp_t gfp)
{
	struct slob_node *n, *none = NULL;

	if (slob_node(nid))
		return 0;
	n = meta_alloc(sizeof(*n), gfp, (int)nid);
	if (!n)
		return -ENOMEM;
	spin_lock_init(&n->lock, LOCK_RANK_HEAP_NODE);
	INIT_LIST_HEAD(&n->blocks);
	for (unsigned int kind = 0; kind < SLOB_KINDS; kind++)
		for (unsigned int band = 0; band < SLOB_BANDS; band++)
			INIT_LIST_HEAD(&n->bands[kind][band]);
	if (atomic_cmpxchg(&slob_nodes[nid], none, n))
		meta_free(n, sizeof(*n));
	return 0;
}

int backend_node_add(struct kmem_cache *cache, int nid, gfp_t gfp)
{
	struct kmem_cache_node *cn, *none = NULL;

	if (node_prepare((unsigned int)nid, gfp))
		return -ENOMEM;
	if (slob_cache_node(cache, (unsigned int)nid))
		return 0;
	cn = meta_alloc(sizeof(*cn), gfp, nid);
	if (!cn)
		return -ENOMEM;
	INIT_LIST_HEAD(&cn->all);
	INIT_LIST_HEAD(&cn->partial);
	if (atomic_cmpxchg(&cache->node[nid], none, cn))
		meta_free(cn, sizeof(*cn));
	return 0;
}

void backend_release(struct kmem_cache *cache)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *cn = slob_cache_node(cache, nid);

		if (cn)
			meta_free(cn, sizeof(*cn));
		store_release(&cache->node[nid], NULL);
	}
}

/* ---- Blocks and their lists ---- */

enum slob_band slob_listed_in(const struct slob_block *block)
{
	return block->largest ? min((enum slob_band)block->home, slob_band_of(block->largest)) : SLOB_BANDS;
}

/* After a change of its largest gap. */
static void relist_locked(struct slob_node *n, struct slob_block *block)
{
	enum slob_band band = slob_listed_in(block);

	if (band == block->band)
		return;
	if (block->band != SLOB_BANDS)
		list_del(&block->slab.list);
	if (band != SLOB_BANDS)
		list_add(&block->slab.list, &n->bands[block->kind][band]);
	block->band = (u8)band;
}

struct wanted {
	const struct kmem_cache *cache;
	unsigned int units, align_units;
};

static void *take_from_locked(struct slob_node *n, struct slob_block *block, const struct wanted *w)
{
	unsigned int unit = slob_block_take(block, w->units, w->align_units, w->cache->id);

	if (unit == SLOB_NONE)
		return NULL;
	relist_locked(n, block);
	slob_count(slob_cache_node(w->cache, block->slab.node)->shared, 1);
	return (char *)block->slab.base + unit * SLOB_UNIT;
}

/* The list begins with @block from now on. */
static void rotate(struct list_head *list, struct list_head *first)
{
	list_del(list);
	list_add_tail(list, first);
}

/* Up to @looks blocks of one list, where the last search found something first. */
static void *search_locked(struct slob_node *n, struct list_head *list, const struct wanted *w, unsigned int looks,
			   unsigned int scans)
{
	struct list_head *at = list->next;

	for (; at != list && looks && scans; at = at->next, looks--) {
		struct slob_block *block = slob_block_of(list_entry(at, struct slab, list));
		void *object;

		if (block->largest < w->units)
			continue;
		if (at != list->next)
			rotate(list, at);
		object = take_from_locked(n, block, w);
		if (object)
			return object;
		scans--;
	}
	if (at != list && at != list->next)
		rotate(list, at);
	return NULL;
}

/* There is no page to be had: whatever block has room will do. */
static bool any_room(struct slob_node *n, const struct wanted *w)
{
	enum slob_kind kind = slob_kind_of(w->cache);
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&n->lock, flags);
	for (unsigned int band = 0; band < SLOB_BANDS && !found; band++) {
		struct slab *slab;

		list_for_each_entry(slab, &n->bands[kind][band], list) {
			struct slob_block *block = slob_block_of(slab);

			if (!slob_block_fits(block, w->units, w->align_units))
				continue;
			/* Where the next search for this size looks first. */
			list_del(&slab->list);
			block->home = block->band = (u8)slob_band_of(w->units);
			list_add(&slab->list, &n->bands[kind][block->band]);
			found = true;
			break;
		}
	}
	spin_unlock_irqrestore(&n->lock, flags);
	return found;
}

/* ---- Allocating ---- */

static void *take_on(struct kmem_cache *cache, unsigned int nid, size_t size)
{
	struct slob_node *n = slob_node(nid);
	struct wanted w = { .cache = cache };
	unsigned long flags;
	void *object;

	if (!n || !slob_cache_node(cache, nid))
		return NULL;
	if (!slob_is_shared(cache, size)) {
		spin_lock_irqsave(&n->lock, flags);
		object = slob_own_take_locked(cache, nid);
		spin_unlock_irqrestore(&n->lock, flags);
		return object;
	}
	slob_shape(cache, size, &w.units, &w.align_units);
	spin_lock_irqsave(&n->lock, flags);
	object = search_locked(n, &n->bands[slob_kind_of(cache)][slob_band_of(w.units)], &w, SLOB_LOOKS, SLOB_SCANS);
	spin_unlock_irqrestore(&n->lock, flags);
	if (object && cache->ctor)
		cache->ctor(object);
	return object;
}

void *backend_take_direct(struct kmem_cache *cache, int nid, size_t size)
{
	unsigned int local;
	void *object = NULL;

	if (nid != NUMA_NO_NODE)
		return take_on(cache, (unsigned int)nid, size);
	local = (unsigned int)this_cpu()->node;
	for (unsigned int i = 0; i < heap.nodes && !object; i++)
		object = take_on(cache, (local + i) % heap.nodes, size);
	return object;
}

unsigned int backend_take(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want)
{
	unsigned int n = 0;

	while (n < want && (objs[n] = take_on(cache, cc->node, cache->object_size)))
		n++;
	return n;
}

/* A page more. */
static int grow_blocks(struct kmem_cache *cache, gfp_t gfp, int nid, const struct wanted *w)
{
	enum slob_kind kind = slob_kind_of(cache);
	struct page *page = heap_slab_pages(&slob_page_caches[kind], gfp, nid);
	struct slob_block *block;
	struct slob_node *n;
	unsigned long flags;

	if (!page)
		return -ENOMEM;
	nid = page_to_nid(page);
	if (backend_node_add(cache, nid, gfp)) {
		heap_slab_free(&slob_page_caches[kind], page);
		return -ENOMEM;
	}
	block = slob_block_init(page_address(page), nid, kind, slob_band_of(w->units));
	heap_slab_bind(&slob_page_caches[kind], page, &block->slab);
	n = slob_node((unsigned int)nid);
	spin_lock_irqsave(&n->lock, flags);
	list_add(&block->slab.all, &n->blocks);
	slob_count(n->nr_blocks, 1);
	relist_locked(n, block);
	spin_unlock_irqrestore(&n->lock, flags);
	return nid;
}

int backend_grow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size)
{
	struct wanted w = { .cache = cache };
	int got;

	if (!slob_is_shared(cache, size))
		return slob_own_grow(cache, gfp, nid);
	/* A cache's first object here: the blocks there are may have room for it. */
	got = nid == NUMA_NO_NODE ? this_cpu()->node : nid;
	if (slob_node((unsigned int)got) && !slob_cache_node(cache, (unsigned int)got))
		return backend_node_add(cache, got, gfp) ? -ENOMEM : got;
	slob_shape(cache, size, &w.units, &w.align_units);
	got = grow_blocks(cache, gfp | __GFP_NOWARN, nid, &w);
	if (got >= 0)
		return got;
	for (unsigned int i = 0; i < heap.nodes; i++) {
		bool wanted = nid == NUMA_NO_NODE || nid == (int)i || !(gfp & __GFP_THISNODE);

		if (wanted && slob_node(i) && slob_cache_node(cache, i) && any_room(slob_node(i), &w))
			return (int)i;
	}
	if (!(gfp & __GFP_NOWARN)) {
		pr_warn("SLOB: Unable to allocate memory on node %d, gfp=%#x\n", nid, gfp);
		pr_warn("  cache: %s, object size: %zu, blocks of all nodes have no gap for it\n", cache->name, size);
	}
	return -ENOMEM;
}

/* ---- Freeing ---- */

void slob_block_drop_locked(struct slob_node *n, struct slob_block *block, struct list_head *dead)
{
	list_del(&block->slab.all);
	if (block->band != SLOB_BANDS)
		list_del(&block->slab.list);
	slob_count(n->nr_blocks, -1ul);
	list_add(&block->slab.list, dead);
}

enum give { GIVE_DONE, GIVE_TWICE, GIVE_INVALID, GIVE_WRONG_CACHE };

static enum give give_to_block_locked(struct kmem_cache *cache, struct slob_block *block, const void *object,
				      struct list_head *dead)
{
	struct slob_node *n = slob_node(block->slab.node);
	unsigned int i = slob_block_entry_of(block, object);

	if (i == SLOB_NONE)
		return GIVE_TWICE;
	if (slob_entry_id(*slob_entry_at(block, i)) != cache->id)
		return GIVE_WRONG_CACHE;
	slob_block_give(block, i);
	slob_count(slob_cache_node(cache, block->slab.node)->shared, -1ul);
	if (block->nr || n->walkers)
		relist_locked(n, block);
	else
		slob_block_drop_locked(n, block, dead);
	return GIVE_DONE;
}

static enum give give_to_own_locked(struct kmem_cache *cache, struct slab *slab, const void *object,
				    struct list_head *dead)
{
	u32 index;

	if (slab->cache != cache)
		return GIVE_WRONG_CACHE;
	if (!slab_has_object(cache, slab, object, &index))
		return GIVE_INVALID;
	return slob_own_give_locked(cache, slab, index, dead) ? GIVE_DONE : GIVE_TWICE;
}

static void give_one(struct kmem_cache *cache, void *object, struct list_head *dead)
{
	struct page *page = heap_page(object);
	struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;
	struct slob_node *n;
	unsigned long flags;
	enum give given;

	if (!slab) {
		heap_report_wild_free(object, 0);
		return;
	}
	n = slob_node(slab->node);
	spin_lock_irqsave(&n->lock, flags);
	given = slab->cache ? give_to_own_locked(cache, slab, object, dead)
			    : give_to_block_locked(cache, slob_block_of(slab), object, dead);
	spin_unlock_irqrestore(&n->lock, flags);
	if (given == GIVE_TWICE)
		heap_report_double_free(cache, slab, object);
	else if (given == GIVE_INVALID)
		heap_report_invalid_free(cache, slab, object, 0);
	else if (given == GIVE_WRONG_CACHE)
		heap_report_wrong_cache(cache, backend_cache_of(slab, object), object, 0);
}

void backend_give(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int n, struct list_head *dead)
{
	(void)cc;
	for (unsigned int i = 0; i < n; i++)
		give_one(cache, objs[i], dead);
}

void backend_bury(struct kmem_cache *cache, struct list_head *dead)
{
	struct slab *slab, *next;

	(void)cache;
	list_for_each_entry_safe(slab, next, dead, list) {
		list_del(&slab->list);
		if (slab->cache)
			slob_own_bury(slab->cache, slab);
		else
			heap_slab_free(&slob_page_caches[slob_block_of(slab)->kind], virt_to_page(slab->base));
	}
}

/* No CPU has slabs of its own. */
void backend_flush(struct kmem_cache *cache, struct cpu_cache *cc, struct list_head *dead)
{
	(void)cache;
	(void)cc;
	(void)dead;
}

#endif
