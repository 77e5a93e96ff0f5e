// SPDX-License-Identifier: MIT
/*
 * zswap: copies go to the device. A hand goes through the chunks of a node, oldest first, and through the slots of
 * each: a copy that was stored or loaded since it came by last is passed once more. One thread at a time works on a
 * chunk.
 */
#include <octavo/numa.h>
#include <octavo/rcupdate.h>

#include "../phys/vmstat.h"
#include "../phys/zone.h"
#include "zswap_internal.h"

/* Copies that have been written and wait for loads that may be reading them. */
#define BATCH 16u

struct written {
	struct zswap_chunk *chunk;
	unsigned int nr;
	struct {
		unsigned long handle;
		u32 word;
	} copies[BATCH];
};

static void drop_written(struct written *w)
{
	if (!w->nr)
		return;
	synchronize_rcu();
	for (unsigned int i = 0; i < w->nr; i++)
		zswap_copy_drop(w->chunk, w->copies[i].handle, w->copies[i].word);
	w->nr = 0;
}

/* Write the copy of one slot, if it is time. Return: whether it went. */
static bool write_slot(struct zswap_chunk *chunk, unsigned int i, struct written *w,
		       const struct zswap_backing *backing)
{
	struct zswap_slot *slot = &chunk->slots[i];
	u32 word = load_acquire(&slot->word), marked;
	unsigned long handle;

	if ((word & ZSWAP_KIND) != ZSWAP_PACKED)
		return false;
	if (word & ZSWAP_REFERENCED) {
		(void)atomic_cmpxchg(&slot->word, word, word & ~ZSWAP_REFERENCED);
		return false;
	}
	marked = word | ZSWAP_WRITEBACK;
	if (atomic_cmpxchg(&slot->word, word, marked) != word)
		return false;
	if (backing->writeback(swp_entry(chunk->type, chunk->first + i))) {
		/* In the swap cache already, or no memory, or the device failed: it stays, and has been wanted. */
		word = load_relaxed(&slot->word);
		if (word & ZSWAP_WRITEBACK)
			(void)atomic_cmpxchg(&slot->word, word, (word & ~ZSWAP_WRITEBACK) | ZSWAP_REFERENCED);
		return false;
	}
	handle = slot->handle;
	word = load_relaxed(&slot->word);
	while (word & ZSWAP_WRITEBACK) { /* a load meanwhile may have set REFERENCED */
		u32 was = atomic_cmpxchg(&slot->word, word, 0u);

		if (was == word) {
			w->copies[w->nr].handle = handle;
			w->copies[w->nr++].word = word;
			break;
		}
		word = was;
	}
	zswap_count(&zswap.stats.written_back_pages);
	count_vm_events(ZSWPWB, 1);
	return true;
}

/* The next chunk of @node that nobody scans, with a user more; it goes to the end of the list. NULL: none. */
static struct zswap_chunk *next_chunk(struct zswap_node *node)
{
	struct zswap_chunk *chunk, *found = NULL;

	spin_lock(&node->lock);
	list_for_each_entry(chunk, &node->chunks, list) {
		u32 used = load_relaxed(&chunk->used);

		if (chunk->busy || !used || used & ZSWAP_CHUNK_DEAD)
			continue;
		if (atomic_cmpxchg(&chunk->used, used, used + 1) != used)
			continue;
		found = chunk;
		break;
	}
	if (found) {
		found->busy = 1;
		list_del(&found->list);
		list_insert_between(&found->list, node->chunks.prev, &node->chunks);
	}
	spin_unlock(&node->lock);
	return found;
}

/* Up to @nr copies out of one chunk, *@looked counts those looked at. */
static unsigned long scan_chunk(struct zswap_chunk *chunk, unsigned long nr, unsigned long *looked,
				const struct zswap_backing *backing)
{
	struct written w = { .chunk = chunk };
	unsigned long done = 0;
	unsigned int i = chunk->hand;

	for (; i < ZSWAP_CHUNK_SLOTS && done < nr; i++) {
		if (!load_relaxed(&chunk->slots[i].word))
			continue;
		++*looked;
		done += write_slot(chunk, i, &w, backing);
		if (w.nr == BATCH)
			drop_written(&w);
	}
	drop_written(&w);
	chunk->hand = i < ZSWAP_CHUNK_SLOTS ? i : 0;
	return done;
}

/* All copies of a node are passed by twice at most: once for their second chance. */
static unsigned long writeback_node(int nid, unsigned long nr, const struct zswap_backing *backing)
{
	struct zswap_node *node = &zswap_nodes[nid];
	unsigned long done = 0, looked = 0, limit = 2 * load_relaxed(&node->stored) + ZSWAP_CHUNK_SLOTS;

	while (done < nr && looked < limit && load_relaxed(&node->stored)) {
		struct zswap_chunk *chunk = next_chunk(node);

		if (!chunk)
			break;
		done += scan_chunk(chunk, nr - done, &looked, backing);
		looked++; /* chunks with same-filled pages only must end, too */
		spin_lock(&node->lock);
		chunk->busy = 0;
		if (chunk->hand) { /* not through with it */
			list_del(&chunk->list);
			list_add(&chunk->list, &node->chunks);
		}
		spin_unlock(&node->lock);
		zswap_chunk_put(chunk);
	}
	return done;
}

long zswap_writeback(int nid, unsigned long nr)
{
	const struct zswap_backing *backing = load_acquire(&zswap.backing);
	unsigned long done = 0;

	if (!backing)
		return 0;
	if (atomic_xchg(&zswap.shrinking, 1u))
		return -EBUSY;
	for (int i = 0; i < (int)nr_node_ids && done < nr; i++)
		if (nid == NUMA_NO_NODE || nid == i)
			done += writeback_node(i, nr - done, backing);
	store_release(&zswap.shrinking, 0u);
	return (long)done;
}

/* ---- The shrinker ---- */

/*
 * Writing a copy back frees only what it takes packed, so copies count as the pages that they take: stored scaled by
 * pool pages to stored pages, the better packed the fewer.
 */
static unsigned long shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long stored = load_relaxed(&zswap_nodes[sc->nid].stored), all = zswap_stored_pages();
	unsigned long same = load_relaxed(&zswap.stats.same_filled_pages), packed = all > same ? all - same : 0;

	(void)shrinker;
	if (!load_relaxed(&zswap.params.shrinker_enabled) || !load_relaxed(&zswap.backing) || !packed || !stored ||
	    !(sc->gfp_mask & __GFP_IO))
		return 0;
	return (unsigned long)((u64)stored * zswap_pool_pages() / packed);
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	long done;

	(void)shrinker;
	if (!load_relaxed(&zswap.params.shrinker_enabled) || !(sc->gfp_mask & __GFP_IO))
		return SHRINK_STOP;
	done = zswap_writeback(sc->nid, sc->nr_to_scan);
	return done > 0 ? (unsigned long)done : SHRINK_STOP;
}

int zswap_shrinker_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE | SHRINKER_NONSLAB, "mm-zswap");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrinker_count;
	shrinker->scan_objects = shrinker_scan;
	shrinker_register(shrinker);
	return 0;
}
