// SPDX-License-Identifier: MIT
/* SW-I1 to SW-I6, while nobody is at work. */
#include "area.h"

#include "../base/findings.h"

static unsigned long verify_folio(const struct swap_area *area, unsigned long slot, u64 word, struct findings *f)
{
	struct page *page = pfn_to_online_page(slot_pfn(word));
	swp_entry_t entry = swp_entry(area->type, slot);

	if (!page || !folio_in_swap_cache(page_folio(page)))
		finding(f, "SW-I2: type %u slot %lu: frame %lu is not in the swap cache", area->type, slot,
			slot_pfn(word));
	else if (page_swap_entry(page).val != entry.val)
		finding(f, "SW-I2: type %u slot %lu: its frame %lu leads to %lx", area->type, slot, slot_pfn(word),
			page_swap_entry(page).val);
	return 1;
}

/* Return: words that name frames. */
static unsigned long verify_words(const struct swap_area *area, struct findings *f)
{
	unsigned long used = 0, cached = 0;

	for (unsigned long slot = 0; slot < area->max; slot++) {
		u64 word = area->words[slot];

		if (!word || word == SLOT_BAD)
			continue;
		used++;
		if (slot_kind(word) == SLOT_FOLIO)
			cached += verify_folio(area, slot, word, f);
		else if (slot_kind(word) == SLOT_BAD || !slot_count(word))
			finding(f, "SW-I1: type %u slot %lu: %llx", area->type, slot, (unsigned long long)word);
	}
	if (used != area->used)
		finding(f, "SW-I3: type %u: %lu slots in use, not %lu", area->type, used, area->used);
	return cached;
}

static bool state_fits(const struct swap_cluster *cluster)
{
	switch (cluster->state) {
	case CLUSTER_FULL:
		return !cluster->free;
	case CLUSTER_PARTIAL:
		return cluster->free && cluster->free < cluster->usable;
	case CLUSTER_FREE:
	case CLUSTER_DISCARD:
		return cluster->free == cluster->usable;
	default:
		return cluster->state == CLUSTER_TAKEN;
	}
}

static void verify_cluster(const struct swap_area *area, u32 c, struct findings *f)
{
	const struct swap_cluster *cluster = &area->clusters[c];
	unsigned long slot = (unsigned long)c << CLUSTER_SHIFT, end = min(slot + CLUSTER_SLOTS, area->max);
	s32 free = 0;
	u32 places = 0;

	for (; slot < end; slot++)
		free += !area->words[slot];
	if (free != cluster->free)
		finding(f, "SW-I4: type %u cluster %u: %d free, not %d", area->type, c, free, cluster->free);
	if (!state_fits(cluster))
		finding(f, "SW-I4: type %u cluster %u: state %u with %d of %u free", area->type, c, cluster->state,
			cluster->free, cluster->usable);
	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < PLACES; i++)
			places += area->cpus[cpu].place[i].cluster == c;
	if (places != (cluster->state == CLUSTER_TAKEN ? cluster->users : 0))
		finding(f, "SW-I4: type %u cluster %u: state %u, %u places lead here, not %u", area->type, c,
			cluster->state, places, cluster->users);
}

static void verify_list(const struct swap_area *area, const struct cluster_list *list, enum cluster_state state,
			struct findings *f)
{
	u32 nr = 0, in_state = 0, previous = CLUSTER_NONE;

	for (u32 c = list->nr ? list->first : CLUSTER_NONE; c != CLUSTER_NONE && nr <= list->nr;
	     previous = c, c = area->clusters[c].next, nr++)
		if (area->clusters[c].state != state || area->clusters[c].prev != previous)
			finding(f, "SW-I4: type %u cluster %u: in the list of state %u", area->type, c, state);
	for (u32 c = 0; c < area->nr_clusters; c++)
		in_state += area->clusters[c].state == state;
	if (nr != list->nr || nr != in_state || (nr && previous != list->last))
		finding(f, "SW-I4: type %u: %u clusters of state %u, %u in the list, not %u", area->type, in_state,
			state, nr, list->nr);
}

void swap_verify(struct findings *f)
{
	unsigned long cached = 0;
	u32 discards = 0;

	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		const struct swap_area *area = swap_areas[type];

		if (!area)
			continue;
		cached += verify_words(area, f);
		for (u32 c = 0; c < area->nr_clusters; c++)
			verify_cluster(area, c, f);
		verify_list(area, &area->free, CLUSTER_FREE, f);
		verify_list(area, &area->partial, CLUSTER_PARTIAL, f);
		verify_list(area, &area->discard, CLUSTER_DISCARD, f);
		discards += area->discard.nr;
	}
	if (discards != swap_discards_waiting)
		finding(f, "SW-I4: %u clusters wait for discard, not %u", discards, swap_discards_waiting);
	if (cached != global_node_page_state(NR_SWAPCACHE))
		finding(f, "SW-I5: %lu pages in the swap cache, not %lu", cached,
			global_node_page_state(NR_SWAPCACHE));
	if (swap_bad_frees)
		finding(f, "SW-I6: %lu slots were given back that nobody held", swap_bad_frees);
}
