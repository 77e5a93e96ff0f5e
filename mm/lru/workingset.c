// SPDX-License-Identifier: MIT
/*
 * What was evicted, and comes back.
 *
 * Purpose. A folio that is read again soon after it went should have stayed: what is in memory was used less than it.
 * Nothing tells so but the time between, so that is left behind in its place: a *shadow* in the file's xarray or in the
 * swap slot.
 *
 * Words. *Eviction*: reclaim takes a folio out of its file or its slot. *Refault*: somebody wants it back. *Age*: a
 * node's count of pages evicted and activated, or what else the policy stamps with. *Refault distance*: how much of
 * that went by between the two; so many more pages would have kept the folio. *Workingset*: PG_workingset, which a
 * folio has that was active once; a refault of such a one is a *restore*: memory is short of what is in use.
 *
 * Structures
 *
 *	shadow:  age (the rest) | policy (2) | workingset (1) | node (as many bits as there are nodes) | 1
 *
 * in 48 bits, or 30 on 32-bit builds. The lowest bit makes it differ from nothing. Where the age has fewer bits than
 * the node has pages, its lowest are dropped (age_shift).
 *
 * Invariants
 *	WS-I1  a shadow is used once: who replaces it by a folio hands it to workingset_refault(), and nobody else does.
 *	WS-I2  a shadow of another policy than today's says nothing. (Policies beside the two that are here are one.)
 *
 * Locking. None: ages are estimates.
 *
 * Sources. Documentation/admin-guide/cgroup-v2.rst (workingset_* counters); J. Weiner's description of refault
 * distances in the cover letters of "thrash detection-based file cache sizing" (2013).
 */
#include "workingset.h"

#include "../base/part.h"

#define SHADOW_BITS (sizeof(long) == 8 ? 48u : 30u)

static struct {
	unsigned int node_bits, age_shift;
	unsigned long age_mask;
} layout __memsys;

/* Shadows that another policy left are told by this: two bits. */
static unsigned long policy_number(void)
{
	const struct lru_policy *p = lru_policy();

	return p == &lru_classic ? 0 : p == &lru_gen ? 1 : 2;
}

unsigned long workingset_eviction(struct folio *folio)
{
	struct lruvec *vec = folio_lruvec(folio);
	unsigned long shadow = lru_policy()->eviction(vec, folio) >> layout.age_shift & layout.age_mask;

	shadow = shadow << 2 | policy_number();
	shadow = shadow << 1 | PageWorkingset(&folio->page);
	shadow = shadow << layout.node_bits | (unsigned long)vec->nid;
	return shadow << 1 | 1;
}

struct shadow {
	struct lruvec *vec;
	unsigned long age;
	bool workingset;
};

static bool unpack(unsigned long shadow, struct shadow *s)
{
	unsigned long nid = shadow >> 1 & ((1ul << layout.node_bits) - 1);

	shadow >>= 1 + layout.node_bits;
	s->workingset = shadow & 1;
	s->age = (shadow >> 3 & layout.age_mask) << layout.age_shift;
	s->vec = nid < MAX_NUMNODES ? node_lruvec((int)nid) : NULL;
	return s->vec && (shadow >> 1 & 3) == policy_number();
}

static bool recent(const struct shadow *s, bool file)
{
	const struct lru_policy *p = lru_policy();

	return p->recent && p->recent(s->vec, file, s->age, layout.age_mask << layout.age_shift, s->workingset);
}

bool workingset_test_recent(unsigned long shadow)
{
	struct shadow s;

	return unpack(shadow, &s) && recent(&s, true);
}

void workingset_refault(struct folio *folio, unsigned long shadow)
{
	const struct lru_policy *p = lru_policy();
	bool file = folio_is_file_lru(folio), back;
	struct shadow s;

	if (!unpack(shadow, &s)) {
		mod_node_page_state(NODE_DATA(page_to_nid(&folio->page)), WORKINGSET_REFAULT_ANON + file,
				    (long)folio_nr_pages(folio));
		return;
	}
	workingset_count(s.vec, WORKINGSET_REFAULT_ANON, folio);
	back = recent(&s, file);
	if (p->refault)
		p->refault(s.vec, folio, s.age, back, s.workingset);
}

void lru_note_cost(struct lruvec *vec, bool file, unsigned long io, unsigned long rotated)
{
	unsigned long flags, pages = 0;

	lru_lock(vec, &flags);
	/* A transfer takes about as long as to look at so many pages. */
	vec->cost[file] += io * 32 + rotated;
	for (unsigned int list = LRU_INACTIVE_ANON; list <= LRU_ACTIVE_FILE; list++)
		pages += node_page_state(NODE_DATA(vec->nid), NR_INACTIVE_ANON + list);
	/* What was long ago counts less and less. */
	while (vec->cost[0] + vec->cost[1] > pages / 4 && vec->cost[0] + vec->cost[1]) {
		vec->cost[0] /= 2;
		vec->cost[1] /= 2;
	}
	lru_unlock(vec, flags);
}

static void set_layout(void)
{
	unsigned long pages = 1;
	unsigned int bits;

	layout.node_bits = nr_node_ids > 1 ? (unsigned int)fls64(nr_node_ids - 1) : 0;
	bits = SHADOW_BITS - 4 - layout.node_bits;
	layout.age_mask = (1ul << bits) - 1;
	for_each_zone(zone)
		pages += zone_managed_pages(zone);
	layout.age_shift = (unsigned int)fls64(pages) > bits ? (unsigned int)fls64(pages) - bits : 0;
}

static int workingset_init(void)
{
	set_layout();
	return 0;
}
MM_PART(workingset, .order = MM_PART_LRU, .init = workingset_init);
