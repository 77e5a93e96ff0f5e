// SPDX-License-Identifier: MIT
/* The slob back end's verifier: the invariants of slob.c, counted and described. */
#ifdef OCTAVO_HEAP_SLOB

#include "slob.h"

#include "../base/findings.h"

/* Is @item an element of @list? A list longer than @most is damaged and ends the search. */
static bool is_in(const struct list_head *list, const struct list_head *item, unsigned long most)
{
	for (const struct list_head *at = list->next; at && at != list && most--; at = at->next)
		if (at == item)
			return true;
	return false;
}

static void check_entry(struct findings *c, struct slob_block *block, slob_entry_t entry)
{
	unsigned int id = slob_entry_id(entry), start = slob_entry_start(entry), units, align_units;
	struct kmem_cache *cache = id < heap.caches_max ? heap.by_id[id] : NULL;

	if (!cache) {
		finding(c, "SB-I4: slob block %p: the object at %u is of cache %u, which is not there",
		      block->slab.base, start * SLOB_UNIT, id);
		return;
	}
	slob_shape(cache, slob_entry_units(entry) * SLOB_UNIT, &units, &align_units);
	/* The alignment is of what kmalloc() was asked for, which is known in units only. */
	if (cache->flags & SLAB_KMALLOC)
		align_units = 1;
	if (slob_entry_units(entry) < units || start % align_units || slob_kind_of(cache) != block->kind)
		finding(c, "SB-I4: slob block %p: the object at %u (%u bytes) cannot be one of %s", block->slab.base,
		      start * SLOB_UNIT, slob_entry_units(entry) * SLOB_UNIT, cache->name);
}

/* Return: false if the directory cannot be relied on. */
static bool check_directory(struct findings *c, struct slob_block *block)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < block->nr; i++) {
		slob_entry_t entry = *slob_entry_at(block, i);

		if (slob_entry_start(entry) < end || slob_entry_end(entry) > slob_block_limit(block->nr)) {
			finding(c, "SB-I1: slob block %p: the object at %u overlaps what is before it or the directory",
			      block->slab.base, slob_entry_start(entry) * SLOB_UNIT);
			return false;
		}
		end = slob_entry_end(entry);
	}
	return true;
}

static void check_block(struct findings *c, struct slob_node *n, struct slob_block *block, unsigned int nid)
{
	struct page *page = virt_to_page(block->slab.base);
	struct list_head *list;

	if (!page || page_slab(page) != &block->slab || !PageSlab(page) || page_to_nid(page) != (int)nid ||
	    block->slab.node != nid || block->slab.base != (char *)block + sizeof(*block) - PAGE_SIZE) {
		finding(c, "SB-I5: slob block %p: its page is another's, or not of node %u", block->slab.base, nid);
		return;
	}
	if (!check_directory(c, block))
		return;
	for (unsigned int i = 0; i < block->nr; i++)
		check_entry(c, block, *slob_entry_at(block, i));
	if (block->largest != slob_block_survey(block)) {
		finding(c, "SB-I2: slob block %p: its largest gap has %u units, not %u", block->slab.base,
		      slob_block_survey(block), block->largest);
		return;
	}
	list = block->band < SLOB_BANDS ? &n->bands[block->kind][block->band] : NULL;
	if (block->band != slob_listed_in(block) || (list && !is_in(list, &block->slab.list, n->nr_blocks)))
		finding(c, "SB-I3: slob block %p: it is not in the list of its band", block->slab.base);
}

/* Blocks belong to no cache: they are looked at with the first one. */
static void check_blocks(struct findings *c, struct slob_node *n, unsigned int nid)
{
	unsigned long nr = 0, listed = 0, in_bands = 0;
	struct slab *slab;

	list_for_each_entry(slab, &n->blocks, all) {
		if (++nr > n->nr_blocks)
			break;
		check_block(c, n, slob_block_of(slab), nid);
		in_bands += slob_block_of(slab)->band != SLOB_BANDS;
	}
	if (nr != n->nr_blocks)
		finding(c, "SB-I5: slob node %u: it has %lu blocks, not %lu", nid, nr, n->nr_blocks);
	for (unsigned int kind = 0; kind < SLOB_KINDS; kind++)
		for (unsigned int band = 0; band < SLOB_BANDS; band++)
			for (struct list_head *at = n->bands[kind][band].next;
			     at != &n->bands[kind][band] && listed <= in_bands; at = at->next)
				listed++;
	if (listed > in_bands)
		finding(c, "SB-I3: slob node %u: there are blocks in more than one list", nid);
}

static unsigned long count_entries(struct slob_node *n, const struct kmem_cache *cache)
{
	unsigned long entries = 0, blocks = 0;
	struct slab *slab;

	list_for_each_entry(slab, &n->blocks, all) {
		struct slob_block *block = slob_block_of(slab);

		if (++blocks > n->nr_blocks)
			break;
		for (unsigned int i = 0; i < block->nr; i++)
			entries += slob_entry_id(*slob_entry_at(block, i)) == cache->id;
	}
	return entries;
}

static void check_own(struct findings *c, struct kmem_cache *cache, struct kmem_cache_node *cn, struct slab *slab,
		      unsigned int nid)
{
	struct slob_own *own = slob_own_of(slab);
	struct page *page = virt_to_page(slab_start(slab));
	u32 free = 0;

	for (u32 i = 0; i < slab->objects; i++)
		free += slob_own_is_free(slab, i);
	if (free != own->free)
		finding(c, "SB-I7: %s: slab %p has %u free objects, not %u", cache->name, slab_start(slab), free,
		      own->free);
	else if (is_in(&cn->partial, &slab->list, cn->slabs) != (free != 0))
		finding(c, "SB-I7: %s: slab %p with %u free objects is in the wrong list", cache->name,
			slab_start(slab),
		      free);
	else if (slab->cache != cache || slab->objects != cache->objects || slab->node != nid || !page ||
		 page_slab(page) != slab || page_to_nid(page) != (int)nid)
		finding(c, "SB-I7: %s: slab %p is not of this cache or node", cache->name, slab_start(slab));
}

static void check_cache(struct findings *c, struct kmem_cache *cache, struct kmem_cache_node *cn, struct slob_node *n,
			unsigned int nid)
{
	unsigned long slabs = 0, free = 0, listed = 0, empty = 0, shared = count_entries(n, cache);
	struct slab *slab;

	if (shared != cn->shared)
		finding(c, "SB-I6: %s: %lu objects in blocks of node %u, not %lu", cache->name, shared, nid,
			cn->shared);
	list_for_each_entry(slab, &cn->all, all) {
		if (++slabs > cn->slabs)
			break;
		free += slob_own_of(slab)->free;
		listed += slob_own_of(slab)->free != 0;
		empty += slob_own_of(slab)->free == slab->objects;
		check_own(c, cache, cn, slab, nid);
	}
	if (c->n)
		return;
	if (slabs != cn->slabs || free != cn->free)
		finding(c, "SB-I7: %s: %lu slabs with %lu free objects on node %u, not %lu with %lu", cache->name,
			slabs, free, nid, cn->slabs, cn->free);
	else if (listed != cn->listed || empty != cn->empty)
		finding(c, "SB-I7: %s: %lu slabs with free objects, %lu empty on node %u, not %lu and %lu", cache->name,
		      listed, empty, nid, cn->listed, cn->empty);
}

unsigned int backend_verify(struct kmem_cache *cache, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings c = { .report = report, .ctx = ctx };

	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *cn = slob_cache_node(cache, nid);
		struct slob_node *n = slob_node(nid);

		if (!n)
			continue;
		if (heap.caches.next == &cache->list)
			check_blocks(&c, n, nid);
		if (cn)
			check_cache(&c, cache, cn, n, nid);
	}
	return c.n;
}

#endif
