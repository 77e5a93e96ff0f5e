// SPDX-License-Identifier: MIT
/*
 * zswap: compressed copies in memory in front of swap devices.
 *
 * Purpose
 *	A page that is to be swapped out is packed and kept in memory, and the device is not written. It comes back at
 *	the cost of unpacking. When the pool is full, copies that were not wanted for long are written to the device
 *	after all, and later pages go there at once.
 *
 * Words
 *	copy: what is kept of a page: packed, or one word if the page consists of nothing else (same-filled).
 *	slot: a page's place in a swap area; at most one copy belongs to it.
 *	chunk: the slots that one page of slots holds, 252 of neighbours in the area (507 on 32-bit builds).
 *	pool: a kind of pool (zpool.h) with a compressor. One is current; earlier ones live as long as copies are in
 *	them.
 *	backing: swap, which is above, and writes copies to the device.
 *
 * Structures
 *	areas[type] -> chunks[] -> chunk: slots[] -> word: kind, pool, length, referenced, writeback
 *	                            |                handle: the object in that pool
 *	node -> list of chunks, oldest first: the scan for writeback
 *
 *	There is no object for a copy and no list of copies: a slot is two words in the chunk, and the order in which
 *	copies age is that of the chunks, with a second chance for each slot. Slots of a chunk are neighbours on the
 *	device and were mostly given out one after the other, so they are of one age, and are written back in order.
 *
 * Storing
 *	an older copy goes -> is it on, is there room? -> same-filled? -> pack -> room in the pool -> publish
 *
 *	Each step may fail, and then the caller writes the device; nothing is left behind.
 *
 * Limits
 *	The pools may hold max_pool_percent of memory. Once they do nothing is accepted until writeback has brought them
 *	below accept_threshold_percent of that: else every page would be written twice. There is no thread for that:
 *	each page that is refused writes some copies back first.
 *
 * Invariants
 *	ZW-I1  A chunk's users are its slots with a copy and those who work on it; one without users is gone.
 *	ZW-I2  A pool's users are its copies, and one for being current; one without is gone.
 *	ZW-I3  stored_pages is the number of slots with a copy, same_filled_pages that of those with a word.
 *	ZW-I4  A copy is what was stored last for its slot, and has not been written to the device and dropped since.
 *	ZW-I5  A node's stored is the number of packed copies in its chunks, and they are on its list.
 *
 * Locking
 *	None on the way out and in: store, load and invalidate of one slot exclude each other by the lock of the slot's
 *	folio in the swap cache, and by the slot being nobody's: it is free only when the copy has gone. Only writeback
 *	comes from outside: it marks the word, asks swap to write, and takes the copy away only if the word is still the
 *	marked one, and frees it when no load can be reading it any more, a grace period later. Packing uses the CPU's
 *	own workspace with preemption off.
 *	node.lock guards the list of chunks; zswap.mutex who changes parameters.
 *
 * Memory use and bounds
 *	16 bytes a slot in pages of slots that have copies, and a pointer for each 252 slots of an area; what the pool
 *	needs; a page and LZ4's workspace, up to 16 KiB, a CPU. Allocations neither wait nor reclaim: one free page is
 *	enough to go on.
 *
 * What failure does
 *	No memory, a compressor that fails, a page that does not become smaller: store says no and the counters in
 *	/sys/kernel/debug/zswap say why. A copy that does not unpack is -EIO and stays.
 *
 * Differences from Linux
 *	A copy stays when it was loaded, so that a page that was only read can go again at no cost. Same-filled pages
 *	are still recognised, which 6.12 leaves to swap (for zeros). Ageing is by chunk. No thread shrinks the pool.
 *
 * Sources: Documentation/admin-guide/mm/zswap.rst.
 */
#include <octavo/highmem.h>
#include <octavo/numa.h>
#include <octavo/rcupdate.h>

#include "../phys/vmstat.h"
#include "../phys/zone.h"
#include "zswap_internal.h"

struct zswap zswap __memsys = {
	.mutex = MUTEX_INIT,
	.params = {
		.same_filled_pages_enabled = true,
		.max_pool_percent = 20,
		.accept_threshold_percent = 90,
		.compressor = COMPRESSOR_DEFAULT,
		.zpool = ZPOOL_DEFAULT,
	},
};

/* Copies that one refused page has written back: enough that the pool does get below the threshold. */
#define REFUSED_WRITEBACK 8u

/* ---- Out ---- */

/* The copy of @slot goes, if there is one. */
static void slot_clear(struct zswap_chunk *chunk, struct zswap_slot *slot)
{
	unsigned long handle = slot->handle;
	u32 word;

	if (!load_relaxed(&slot->word))
		return;
	word = atomic_xchg(&slot->word, 0u);
	if (word)
		zswap_copy_drop(chunk, handle, word);
}

static void clear_one(swp_entry_t entry)
{
	struct zswap_chunk *chunk;
	struct zswap_slot *slot;

	rcu_read_lock();
	slot = zswap_slot_find(entry, &chunk);
	if (slot)
		slot_clear(chunk, slot);
	rcu_read_unlock();
}

void zswap_invalidate(swp_entry_t entry, unsigned int nr)
{
	if (!load_relaxed(&zswap.stats.stored_pages))
		return;
	for (unsigned int i = 0; i < nr; i++)
		clear_one(swp_entry(swp_type(entry), swp_offset(entry) + i));
}

static void publish(struct zswap_chunk *chunk, struct zswap_slot *slot, unsigned long handle, u32 word)
{
	slot->handle = handle;
	store_release(&slot->word, word | ZSWAP_REFERENCED);
	zswap_count(&zswap.stats.stored_pages);
	if ((word & ZSWAP_KIND) == ZSWAP_SAME)
		zswap_count(&zswap.stats.same_filled_pages);
	else
		zswap_count(&zswap_nodes[chunk->node].stored);
	count_vm_events(ZSWPOUT, 1);
}

static void count_refusal(long err)
{
	zswap_count(err == -ENOSPC ? &zswap.stats.reject_compress_poor : &zswap.stats.reject_compress_fail);
}

/* Packed into @pool. Return: length, and a *@handle; or a negative errno, counted. */
static long pack(struct zswap_pool *pool, struct page *page, unsigned long *handle)
{
	const gfp_t gfp = GFP_NOWAIT | __GFP_NORETRY | __GFP_HIGHMEM;
	struct packer_cpu *cpu = packer_enter(&pool->packer);
	const void *src = kmap_local_page(page);
	/* One byte less than a page: a copy of a whole page would be no gain. */
	long len = pool->packer.ops->compress(cpu->workspace, src, cpu->buffer, PAGE_SIZE - 1);
	int err;

	kunmap_local(src);
	if (len <= 0 || len >= (long)PAGE_SIZE) {
		packer_leave();
		count_refusal(len < 0 ? len : -EIO);
		return -EIO;
	}
	err = pool->driver->malloc(pool->zpool, (size_t)len, gfp, page_to_nid(page), handle);
	if (!err)
		pool->driver->write(pool->zpool, *handle, cpu->buffer, (size_t)len);
	packer_leave();
	if (!err)
		return len;
	zswap_count(err == -ENOSPC ? &zswap.stats.reject_compress_poor : &zswap.stats.reject_alloc_fail);
	return err;
}

static bool store_packed(struct zswap_chunk *chunk, struct zswap_slot *slot, struct page *page)
{
	struct zswap_pool *pool = zswap_pool_get();
	unsigned long handle = 0;
	long len;

	if (!pool)
		return false;
	len = pack(pool, page, &handle);
	if (len < 0) {
		zswap_pool_put(pool);
		return false;
	}
	publish(chunk, slot, handle, ZSWAP_PACKED | pool->id << ZSWAP_POOL_SHIFT | (u32)len << ZSWAP_LENGTH_SHIFT);
	return true;
}

static bool same_filled(struct page *page, unsigned long *word)
{
	const void *virt;
	bool same;

	if (!load_relaxed(&zswap.params.same_filled_pages_enabled))
		return false;
	virt = kmap_local_page(page);
	same = page_same_filled(virt, word);
	kunmap_local(virt);
	return same;
}

static noinline bool store(swp_entry_t entry, struct page *page)
{
	struct zswap_chunk *chunk;
	struct zswap_slot *slot;
	unsigned long word;

	if (load_relaxed(&zswap.stats.stored_pages))
		clear_one(entry);
	if (!load_relaxed(&zswap.params.enabled))
		return false;
	if (!zswap_accepts()) {
		if (!zswap_writeback(NUMA_NO_NODE, REFUSED_WRITEBACK))
			zswap_count(&zswap.stats.reject_reclaim_fail);
		return false;
	}
	slot = zswap_slot_get(entry, &chunk);
	if (!slot) {
		zswap_count(&zswap.stats.reject_kmemcache_fail);
		return false;
	}
	if (same_filled(page, &word)) {
		publish(chunk, slot, word, ZSWAP_SAME);
		return true;
	}
	if (store_packed(chunk, slot, page))
		return true;
	zswap_chunk_put(chunk);
	return false;
}

bool zswap_store(swp_entry_t entry, struct page *page)
{
	if (likely(!load_relaxed(&zswap.stats.stored_pages) && !load_relaxed(&zswap.params.enabled)))
		return false;
	return store(entry, page);
}

/* ---- In ---- */

static int unpack(u32 word, unsigned long handle, struct page *page)
{
	struct zswap_pool *pool = load_acquire(&zswap.pools[ZSWAP_POOL(word)]);
	struct packer_cpu *cpu = packer_enter(&pool->packer);
	size_t len = ZSWAP_LENGTH(word);
	void *dst = kmap_local_page(page);
	const void *src = pool->driver->read_begin(pool->zpool, handle, len, cpu->buffer);
	int err = pool->packer.ops->decompress(cpu->workspace, src, len, dst);

	pool->driver->read_end(pool->zpool, handle, src, cpu->buffer);
	kunmap_local(dst);
	packer_leave();
	if (err)
		zswap_count(&zswap.stats.decompress_fail);
	return err;
}

int zswap_load(swp_entry_t entry, struct page *page)
{
	struct zswap_chunk *chunk;
	struct zswap_slot *slot;
	int err = -ENOENT;
	u32 word;

	if (!load_relaxed(&zswap.stats.stored_pages))
		return -ENOENT;
	rcu_read_lock();
	slot = zswap_slot_find(entry, &chunk);
	word = slot ? load_acquire(&slot->word) : 0;
	if ((word & ZSWAP_KIND) == ZSWAP_SAME) {
		void *dst = kmap_local_page(page);

		page_fill(dst, slot->handle);
		kunmap_local(dst);
		err = 0;
	} else if (word) {
		err = unpack(word, slot->handle, page) ? -EIO : 0;
		if (!(word & ZSWAP_REFERENCED)) /* unless it has changed meanwhile */
			(void)atomic_cmpxchg(&slot->word, word, word | ZSWAP_REFERENCED);
	}
	rcu_read_unlock();
	if (!err)
		count_vm_events(ZSWPIN, 1);
	return err;
}

/* ---- Figures ---- */

unsigned long zswap_stored_pages(void)
{
	return load_relaxed(&zswap.stats.stored_pages);
}

void zswap_set_backing(const struct zswap_backing *backing)
{
	store_release(&zswap.backing, backing);
}
