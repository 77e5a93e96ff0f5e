// SPDX-License-Identifier: MIT
/*
 * zswap: from slots of swap areas to copies.
 *
 * An area's slots are cut into chunks of a page. A chunk exists as long as one of its slots has a copy, or somebody
 * works on one of them: its users. The last user marks it dead, which is final; who comes then makes another. Chunks
 * are on their node's list for the scan.
 */
#include <octavo/gfp.h>
#include <octavo/rcupdate.h>
#include <octavo/slab.h>

#include "../phys/zone.h"
#include "zswap_internal.h"

/* Legend: (c) constant while the area is in use, (a) atomic. */
struct zswap_area {
	unsigned long slots;	       /* (c) */
	unsigned long nr;	       /* (c) chunks */
	struct zswap_chunk *chunks[]; /* (a) RCU */
};

static struct zswap_area *areas[MAX_SWAPFILES] __memsys; /* (a) RCU */
struct zswap_node *zswap_nodes __memsys;

octavo_static_assert(sizeof(struct zswap_slot) == 2 * sizeof(void *), "as ZSWAP_CHUNK_SLOTS counts");

static struct zswap_area *area_of(swp_entry_t entry)
{
	struct zswap_area *area;

	if (swp_type(entry) >= MAX_SWAPFILES)
		return NULL;
	area = rcu_dereference(areas[swp_type(entry)]);
	return area && swp_offset(entry) < area->slots ? area : NULL;
}

struct zswap_slot *zswap_slot_find(swp_entry_t entry, struct zswap_chunk **result)
{
	struct zswap_area *area = area_of(entry);
	struct zswap_chunk *chunk;

	if (!area)
		return NULL;
	chunk = rcu_dereference(area->chunks[swp_offset(entry) / ZSWAP_CHUNK_SLOTS]);
	if (!chunk)
		return NULL;
	*result = chunk;
	return &chunk->slots[swp_offset(entry) % ZSWAP_CHUNK_SLOTS];
}

/* ---- Chunks ---- */

static struct zswap_chunk *chunk_alloc(swp_entry_t entry, unsigned long index)
{
	struct page *page = alloc_page(GFP_NOWAIT | __GFP_NORETRY | __GFP_ZERO);
	struct zswap_chunk *chunk;

	if (!page)
		return NULL;
	chunk = page_address(page);
	chunk->first = index * ZSWAP_CHUNK_SLOTS;
	chunk->used = 1;
	chunk->type = (u16)swp_type(entry);
	chunk->node = (u16)page_to_nid(page);
	return chunk;
}

static void chunk_free(struct rcu_head *head)
{
	free_page((unsigned long)container_of(head, struct zswap_chunk, rcu));
}

/* Return: false: it is dead. */
static bool chunk_get(struct zswap_chunk *chunk)
{
	u32 used = load_relaxed(&chunk->used);

	while (!(used & ZSWAP_CHUNK_DEAD)) {
		u32 was = atomic_cmpxchg(&chunk->used, used, used + 1);

		if (was == used)
			return true;
		used = was;
	}
	return false;
}

void zswap_chunk_put(struct zswap_chunk *chunk)
{
	struct zswap_node *node = &zswap_nodes[chunk->node];
	struct zswap_area *area;
	struct zswap_chunk *expected = chunk;

	/* Between no users and dead it may have another user, who takes it away: it must not be freed before we see. */
	rcu_read_lock();
	if (atomic_sub_fetch(&chunk->used, 1u) || atomic_cmpxchg(&chunk->used, 0u, ZSWAP_CHUNK_DEAD)) {
		rcu_read_unlock();
		return;
	}
	spin_lock(&node->lock);
	list_del(&chunk->list);
	spin_unlock(&node->lock);
	area = rcu_dereference(areas[chunk->type]);
	if (area && chunk->first < area->slots) /* unless somebody who found it dead has put another there */
		(void)atomic_cmpxchg(&area->chunks[chunk->first / ZSWAP_CHUNK_SLOTS], expected, NULL);
	rcu_read_unlock();
	call_rcu(&chunk->rcu, chunk_free);
}

/* @chunk, with a user, takes the place of @old, which is dead or NULL. Return: false: another was quicker. */
static bool chunk_install(struct zswap_area *area, unsigned long index, struct zswap_chunk *old,
			  struct zswap_chunk *chunk)
{
	struct zswap_node *node = &zswap_nodes[chunk->node];

	if (atomic_cmpxchg(&area->chunks[index], old, chunk) != old)
		return false;
	/* As we use it, it is not taken off before it is on. */
	spin_lock(&node->lock);
	list_insert_between(&chunk->list, node->chunks.prev, &node->chunks);
	spin_unlock(&node->lock);
	return true;
}

struct zswap_slot *zswap_slot_get(swp_entry_t entry, struct zswap_chunk **result)
{
	unsigned long index = swp_offset(entry) / ZSWAP_CHUNK_SLOTS;
	struct zswap_chunk *chunk, *fresh = NULL;
	struct zswap_area *area;

	rcu_read_lock();
	area = area_of(entry);
	for (;;) {
		chunk = area ? rcu_dereference(area->chunks[index]) : NULL;
		if (!area || (chunk && chunk_get(chunk)))
			break;
		if (!fresh)
			fresh = chunk_alloc(entry, index);
		if (!fresh) {
			chunk = NULL;
			break;
		}
		if (chunk_install(area, index, chunk, fresh)) {
			chunk = fresh;
			fresh = NULL;
			break;
		}
	}
	rcu_read_unlock();
	if (fresh)
		free_page((unsigned long)fresh);
	*result = chunk;
	return chunk ? &chunk->slots[swp_offset(entry) % ZSWAP_CHUNK_SLOTS] : NULL;
}

void zswap_copy_drop(struct zswap_chunk *chunk, unsigned long handle, u32 word)
{
	if ((word & ZSWAP_KIND) == ZSWAP_PACKED) {
		struct zswap_pool *pool = load_acquire(&zswap.pools[ZSWAP_POOL(word)]);

		pool->driver->free(pool->zpool, handle);
		zswap_pool_put(pool);
		atomic_add_relaxed(&zswap_nodes[chunk->node].stored, -1ul);
	} else {
		atomic_add_relaxed(&zswap.stats.same_filled_pages, -1ul);
	}
	atomic_add_relaxed(&zswap.stats.stored_pages, -1ul);
	zswap_chunk_put(chunk);
}

/* ---- Areas ---- */

int zswap_swapon(unsigned int type, unsigned long slots)
{
	unsigned long nr = DIV_ROUND_UP(slots, ZSWAP_CHUNK_SLOTS);
	struct zswap_area *area = kvzalloc(sizeof(*area) + nr * sizeof(area->chunks[0]), GFP_KERNEL);

	if (!area)
		return -ENOMEM;
	area->slots = slots;
	area->nr = nr;
	rcu_assign_pointer(areas[type], area);
	return 0;
}

void zswap_swapoff(unsigned int type)
{
	struct zswap_area *area = areas[type];

	if (!area)
		return;
	for (unsigned long offset = 0; offset < area->slots; offset += ZSWAP_CHUNK_SLOTS)
		if (load_relaxed(&area->chunks[offset / ZSWAP_CHUNK_SLOTS]))
			zswap_invalidate(swp_entry(type, offset),
					 (unsigned int)min(area->slots - offset, (unsigned long)ZSWAP_CHUNK_SLOTS));
	rcu_assign_pointer(areas[type], NULL);
	rcu_barrier(); /* chunks on their way, and who may be about to clear their places in the area */
	synchronize_rcu();
	kvfree(area);
	zswap_pools_reap();
}

void zswap_for_each_chunk(bool (*fn)(struct zswap_chunk *chunk, void *ctx), void *ctx)
{
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++)
		for (unsigned long i = 0; areas[type] && i < areas[type]->nr; i++)
			if (areas[type]->chunks[i] && !fn(areas[type]->chunks[i], ctx))
				return;
}
