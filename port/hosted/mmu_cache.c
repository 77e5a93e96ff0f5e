// SPDX-License-Identifier: MIT
/*
 * The store behind the TLB and the paging-structure cache: entries in an array, hashed by size and address.
 *
 * It is filled inside a signal handler: the memory is taken once, before, from the host (pages that no entry touches
 * cost nothing), and an entry that finds no room takes the place of another, in turn.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mmu_impl.h"

static void *pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		port_panic("no memory for a TLB");
	return p;
}

void mmu_cache_make(struct mmu_cache *cache, u32 capacity)
{
	if (cache->entries)
		return;
	cache->capacity = cache->capacity ? cache->capacity : capacity;
	cache->heads_nr = capacity;
	cache->entries = pages(capacity * sizeof(*cache->entries));
	cache->heads = pages((cache->heads_nr + 64) * sizeof(*cache->heads));
	cache->of_shift = cache->heads + cache->heads_nr;
}

static u32 *head_of(const struct mmu_cache *cache, u64 virt, unsigned int shift)
{
	/* The golden ratio's 64 bits: neighbours far apart. */
	u64 h = ((virt >> shift) + shift) * 0x9e3779b97f4a7c15ull;

	return &cache->heads[(h >> 32) % cache->heads_nr];
}

static void unlink_entry(struct mmu_cache *cache, u32 index)
{
	struct mmu_entry *e = &cache->entries[index];
	u32 *link = head_of(cache, e->virt, e->shift);

	while (*link != index + 1)
		link = &cache->entries[*link - 1].next;
	*link = e->next;
	cache->of_shift[e->shift]--;
	cache->used--;
	e->used = false;
	e->next = cache->free;
	cache->free = index + 1;
}

void mmu_cache_empty(struct mmu_cache *cache)
{
	for (u32 i = 0; i < cache->high && cache->used; i++)
		if (cache->entries[i].used)
			unlink_entry(cache, i);
	cache->high = cache->free = cache->hand = 0;
}

static bool usable(const struct mmu_entry *e, unsigned int asid)
{
	return e->asid == asid || e->rights & MMU_GLOBAL;
}

struct mmu_entry *mmu_cache_find(const struct mmu_cache *cache, u64 virt, unsigned int shift, unsigned int asid)
{
	if (!cache->of_shift[shift])
		return NULL;
	for (u32 i = *head_of(cache, virt, shift); i; i = cache->entries[i - 1].next) {
		struct mmu_entry *e = &cache->entries[i - 1];

		if (e->shift == shift && e->virt >> shift == virt >> shift && usable(e, asid))
			return e;
	}
	return NULL;
}

bool mmu_cache_put(struct mmu_cache *cache, const struct mmu_entry *entry)
{
	struct mmu_entry *e = mmu_cache_find(cache, entry->virt, entry->shift, entry->asid);
	bool evict = false;
	u32 index, *head;

	if (e)
		unlink_entry(cache, (u32)(e - cache->entries));
	evict = !cache->free && cache->high == cache->capacity;
	if (evict) {
		unlink_entry(cache, cache->hand);
		cache->hand = (cache->hand + 1) % cache->capacity;
	}
	if (cache->free) {
		index = cache->free - 1;
		cache->free = cache->entries[index].next;
	} else {
		index = cache->high++;
	}
	e = &cache->entries[index];
	*e = *entry;
	e->virt &= ~(((u64)1 << e->shift) - 1);
	e->used = true;
	head = head_of(cache, e->virt, e->shift);
	e->next = *head;
	*head = index + 1;
	cache->of_shift[e->shift]++;
	cache->used++;
	return evict;
}

static bool of_asid(const struct mmu_entry *e, unsigned int asid)
{
	return asid == MMU_ANY_ASID || (e->asid == asid && !(e->rights & MMU_GLOBAL));
}

unsigned int mmu_cache_drop(struct mmu_cache *cache, u64 virt, unsigned int shift, unsigned int asid)
{
	unsigned int dropped = 0;
	u32 i;

	if (!cache->of_shift[shift])
		return 0;
	for (i = *head_of(cache, virt, shift); i;) {
		struct mmu_entry *e = &cache->entries[i - 1];
		u32 next = e->next;

		if (e->shift == shift && e->virt >> shift == virt >> shift && of_asid(e, asid)) {
			unlink_entry(cache, i - 1);
			dropped++;
		}
		i = next;
	}
	return dropped;
}

void mmu_cache_drop_asid(struct mmu_cache *cache, unsigned int asid)
{
	for (u32 i = 0; i < cache->high && cache->used; i++)
		if (cache->entries[i].used && of_asid(&cache->entries[i], asid))
			unlink_entry(cache, i);
	if (!cache->used)
		cache->high = cache->free = cache->hand = 0;
}
