// SPDX-License-Identifier: MIT
/*
 * The slub back end: free objects are bits, slabs have one owner.
 *
 * Purpose: serve magazines from slabs without a lock, let any CPU free any object without one, and give memory back
 * as soon as a slab is empty.
 *
 * Words: a *slab* is a run of 2^order pages cut into objects of one cache. Its *owner* is a CPU, its node, or nobody.
 * A free is *foreign* when the slab is another CPU's.
 *
 * Structures:
 *
 *	 CPU 0's cpu_cache            CPU 1's             node
 *	 slabs: S1 - S2 - S3          slabs: S4           partial: S5 - S6         S7 S8: full, nobody's
 *	        |
 *	        +- ctl   { owner: CPU 0, foreign: 2 }
 *	           bits  1101 0000 …   the owner's: plain loads and stores
 *	           bits  0000 0011 …   set by others, an atomic OR and an add a group; the owner "folds" them in
 *
 * A refill takes bits from the CPU's first slab, in address order, until the magazine has its batch. A slab without a
 * set bit becomes nobody's. The first CPU to free into it adopts it, so objects freed far from where they were
 * allocated make their slabs the freeing CPU's, and further frees there are plain stores. Nothing is written into a
 * free object: there is no link to corrupt or to guess, and an object freed twice shows as a bit that is set already.
 *
 * Invariants:
 *	SU-I1  an object is free in its slab (one bit of the two), or allocated or in a magazine (none)
 *	SU-I2  slab->used is the number of objects without a bit in the owner's half
 *	SU-I3  nobody's slab has no set bit; a slab has a place on its owner's list exactly while it has an owner
 *	SU-I4  the foreign count is the number of set bits of the second half, less frees between their OR and their add
 *	SU-I5  nr_slabs, nr_empty and nr_partial are what the lists hold
 *
 * Why a slab never goes away under a foreign free: who has set a bit still has to add to the count. The slab is given
 * up only when all its objects are free in the owner's half and the count is 0; as each of them was folded, the count
 * is then minus the number of frees that have not added yet. And nobody's slab is adopted by exactly one: who raises
 * the count from 0 (or, owning nothing there yet, who replaces {nobody, 0} by itself).
 *
 * Locking: an owner CPU works inside its section; the node's lock guards its partial list, the bits of slabs on it,
 * and the list of all slabs. No page is allocated or freed under it.
 *
 * Memory use and bounds: a descriptor is 64 bytes and two bits an object; it lies in the slab's waste where that is
 * large enough. A CPU keeps of a cache at most cpu_slabs slabs with free objects (1/16 of memory divided by the CPUs;
 * they have allocated objects too, but for 64 KiB entirely free), and in its magazine 8 to 128 objects (2 above a
 * page), as many as 1/1024 of memory divided by the CPUs holds, from 16 to 512 KiB. A node keeps min_partial free
 * slabs. kmem_cache_shrink() leaves nothing free.
 *
 * What failure does: no descriptor or no page: the allocation fails, nothing else changes.
 *
 * Differences from Linux: there the free list runs through the objects and a double-word compare-and-swap guards it;
 * frozen slabs are our owned ones, per-CPU partial lists our cpu_cache lists. slab_freelist_hardened has nothing to
 * protect here.
 *
 * Sources: the tables of the frame layer (bits, rows) in mm/phys; Bonwick and Adams, "Magazines and Vmem" (2001), for
 * what stands in front; mimalloc's owned pages (Leijen, Zorn, de Moura 2019) for owners and foreign frees.
 */
#ifdef OCTAVO_HEAP_SLUB

#include "slub.h"

#include "../base/string.h"
#include "meta.h"

const char backend_name[] = "slub";

#define EMPTY_PAGES 16u /* a CPU keeps empty slabs of a cache up to this */

/* ---- Bits ---- */

/* Up to @want free objects of an owned slab, the lowest last: magazines hand out the last first. */
static force_inline unsigned int take_bits(const struct kmem_cache *cache, struct slub_slab *slab, void **objs,
					   unsigned int want)
{
	unsigned int n = min(want, slub_free(slab)), left = n;
	char *base = slab->s.base;
	size_t size = cache->size;
	void **out = objs + n;

	add_used(slab, n);
	for (unsigned long *word = slab->bits; left; word++, base += WORD_BITS * size) {
		unsigned long bits = *word;

		if (bits == ~0ul && left >= WORD_BITS) {
			char *object = base;

			*word = 0;
			for (unsigned int i = 0; i < WORD_BITS; i++, object += size)
				*--out = object;
			left -= WORD_BITS;
			continue;
		}
		for (; bits && left; bits &= bits - 1, left--)
			*--out = base + (unsigned int)__builtin_ctzl(bits) * size;
		*word = bits;
	}
	return n;
}

static void *bit_object(const struct kmem_cache *cache, const struct slub_slab *slab, unsigned int word,
			unsigned long mask)
{
	return slab_object(cache, &slab->s, word * WORD_BITS + lowest_bit(mask));
}

/* What others freed becomes the owner's. */
static void fold(struct kmem_cache *cache, struct slub_slab *slab)
{
	unsigned long *foreign = foreign_bits(slab);
	unsigned int taken = 0, twice = 0;

	for (unsigned int w = 0; w < slab->words; w++) {
		unsigned long bits, both;

		if (!load_relaxed(&foreign[w]))
			continue;
		bits = atomic_xchg(&foreign[w], 0);
		both = bits & slab->bits[w];
		taken += count_bits(bits);
		twice += count_bits(both);
		for (slab->bits[w] |= bits; unlikely(both); both &= both - 1)
			heap_report_double_free(cache, &slab->s, bit_object(cache, slab, w, both));
	}
	add_used(slab, twice - taken);
	if (taken)
		atomic_fetch_sub(&slab->ctl, taken * FOREIGN_ONE);
}

static bool has_foreign(struct slub_slab *slab)
{
	return load_relaxed(&slab->ctl) >= FOREIGN_ONE;
}

/* All objects are in the owner's half, and no foreign free is under way. */
static bool is_idle(struct slub_slab *slab)
{
	return !slab->used && !has_foreign(slab);
}

/* The owner's half is empty: nobody's from now on, unless somebody has freed meanwhile. */
static bool disown(struct slub_slab *slab, u32 owner)
{
	return atomic_cmpxchg(&slab->ctl, owner, OWNER_NONE) == owner;
}

static void change_owner(struct slub_slab *slab, u32 from, u32 to)
{
	atomic_fetch_add(&slab->ctl, to - from);
}

/* ---- A CPU's own slabs ---- */

static u32 owner_of(const struct cpu_cache *cc)
{
	return cc->owner;
}

/* An alien cpu_cache, of another node's memory, owns no slabs: its CPU has no use for them. */
static bool may_own(const struct cpu_cache *cc)
{
	return cc && cc->owner != CPU_CACHE_ALIEN;
}

static bool is_empty(const struct slub_slab *slab)
{
	return !slab->used;
}

static void cc_add(struct cpu_cache *cc, struct slub_slab *slab)
{
	list_add_tail(&slab->s.list, &cc->slabs);
	store_relaxed(&cc->nr_slabs, cc->nr_slabs + 1);
	cc->nr_empty += is_empty(slab);
}

static void cc_del(struct cpu_cache *cc, struct slub_slab *slab)
{
	list_del(&slab->s.list);
	store_relaxed(&cc->nr_slabs, cc->nr_slabs - 1);
	cc->nr_empty -= is_empty(slab);
}

/* Slabs of the node become this CPU's, enough for @want objects if there are. */
static bool cc_fetch(struct kmem_cache *cache, struct cpu_cache *cc, unsigned int want)
{
	struct kmem_cache_node *n = node_of(cache, cc->node);
	unsigned int have = 0;
	unsigned long flags;

	if (!n || !READ_ONCE(n->nr_partial))
		return false;
	spin_lock_irqsave(&n->lock, flags);
	while (have < want && n->nr_partial) {
		struct slub_slab *slab = slub_of(list_first_entry(&n->partial, struct slab, list));

		list_del(&slab->s.list);
		WRITE_ONCE(n->nr_partial, n->nr_partial - 1);
		change_owner(slab, OWNER_NODE, owner_of(cc));
		if (has_foreign(slab))
			fold(cache, slab);
		have += slub_free(slab);
		cc_add(cc, slab);
	}
	spin_unlock_irqrestore(&n->lock, flags);
	return have != 0;
}

/* Half of what the CPU owns goes to the node, for others to allocate from. */
static noinline void cc_shed(struct kmem_cache *cache, struct cpu_cache *cc, unsigned int keep, struct list_head *dead)
{
	struct kmem_cache_node *n = node_of(cache, cc->node);
	unsigned long flags;

	spin_lock_irqsave(&n->lock, flags);
	while (cc->nr_slabs > keep) {
		struct slub_slab *slab = slub_of(list_first_entry(&cc->slabs, struct slab, list));

		cc_del(cc, slab);
		if (has_foreign(slab))
			fold(cache, slab);
		if (is_idle(slab) && n->nr_partial >= cache->min_partial) {
			list_del(&slab->s.all);
			n->nr_slabs--;
			list_add(&slab->s.list, dead);
			continue;
		}
		change_owner(slab, owner_of(cc), OWNER_NODE);
		list_add_tail(&slab->s.list, &n->partial);
		WRITE_ONCE(n->nr_partial, n->nr_partial + 1);
	}
	spin_unlock_irqrestore(&n->lock, flags);
}

/* An empty slab beyond those the CPU may keep. */
static noinline void cc_drop(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab,
			     struct list_head *dead)
{
	struct kmem_cache_node *n = node_of(cache, cc->node);
	unsigned long flags;

	cc_del(cc, slab);
	spin_lock_irqsave(&n->lock, flags);
	list_del(&slab->s.all);
	n->nr_slabs--;
	spin_unlock_irqrestore(&n->lock, flags);
	list_add(&slab->s.list, dead);
}

static void shuffle(struct cpu_cache *cc, void **objs, unsigned int n)
{
	if (!cc->shuffle)
		cc->shuffle = port_random() | 1;
	for (unsigned int i = n; i > 1; i--) {
		unsigned int j;
		void *t = objs[i - 1];

		cc->shuffle ^= cc->shuffle << 13;
		cc->shuffle ^= cc->shuffle >> 7;
		cc->shuffle ^= cc->shuffle << 17;
		j = (unsigned int)((u64)(u32)cc->shuffle * i >> 32);
		objs[i - 1] = objs[j];
		objs[j] = t;
	}
}

/*
 * A slab of ours without a free object: take over what others freed, or let go of it. It stays, at the end of the
 * list, while a foreign free is between its two steps; waiting for that could be for ever, as it may be on this CPU,
 * interrupted.
 */
static void cc_refresh(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab)
{
	if (has_foreign(slab))
		fold(cache, slab);
	cc->nr_empty += is_empty(slab);
	if (slub_free(slab))
		return;
	list_del(&slab->s.list);
	if (disown(slab, owner_of(cc)))
		store_relaxed(&cc->nr_slabs, cc->nr_slabs - 1);
	else
		list_add_tail(&slab->s.list, &cc->slabs);
}

static unsigned int take_alien(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want);

unsigned int backend_take(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want)
{
	unsigned int n = 0, barren = 0;

	if (unlikely(!may_own(cc)))
		return take_alien(cache, cc, objs, want);
	while (n < want) {
		struct slub_slab *slab;
		unsigned int got;

		if (barren >= cc->nr_slabs) {
			if (!cc_fetch(cache, cc, want - n))
				break;
			barren = 0;
		}
		slab = slub_of(list_first_entry(&cc->slabs, struct slab, list));
		cc->nr_empty -= is_empty(slab);
		got = take_bits(cache, slab, objs + n, want - n);
		n += got;
		barren = got ? 0 : barren + 1;
		if (!slub_free(slab))
			cc_refresh(cache, cc, slab);
		else
			cc->nr_empty += is_empty(slab);
	}
	if (unlikely(heap.random))
		shuffle(cc, objs, n);
	return n;
}

/* ---- Freeing ---- */

static void node_add(struct kmem_cache_node *n, struct slub_slab *slab)
{
	list_add_tail(&slab->s.list, &n->partial);
	WRITE_ONCE(n->nr_partial, n->nr_partial + 1);
}

/* With the node's lock: a slab of its partial list that is empty and one too many leaves. */
static bool node_drop_locked(struct kmem_cache *cache, struct kmem_cache_node *n, struct slub_slab *slab)
{
	if (!is_idle(slab) || n->nr_partial <= cache->min_partial)
		return false;
	list_del(&slab->s.list);
	WRITE_ONCE(n->nr_partial, n->nr_partial - 1);
	list_del(&slab->s.all);
	n->nr_slabs--;
	return true;
}

/* Nobody's slab, and it falls to us to find it an owner. */
static void adopt(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab, struct list_head *dead)
{
	struct kmem_cache_node *n;
	unsigned long flags;

	if (may_own(cc)) {
		change_owner(slab, OWNER_NONE, owner_of(cc));
		fold(cache, slab);
		cc_add(cc, slab);
		return;
	}
	n = node_of(cache, slab->s.node);
	spin_lock_irqsave(&n->lock, flags);
	change_owner(slab, OWNER_NONE, OWNER_NODE);
	fold(cache, slab);
	node_add(n, slab);
	if (node_drop_locked(cache, n, slab))
		list_add(&slab->s.list, dead);
	spin_unlock_irqrestore(&n->lock, flags);
}

/* Bits of one word of the owner's half become set. Return: those that were already. */
static unsigned long set_bits(struct slub_slab *slab, unsigned int word, unsigned long mask)
{
	unsigned long twice = slab->bits[word] & mask;

	slab->bits[word] |= mask;
	add_used(slab, -count_bits(mask & ~twice));
	return twice;
}

static void report_twice(struct kmem_cache *cache, struct slub_slab *slab, unsigned int word, unsigned long twice)
{
	for (; twice; twice &= twice - 1)
		heap_report_double_free(cache, &slab->s, bit_object(cache, slab, word, twice));
}

/* The slab is on its node's list, if it still is. Return: whether that was so and all is done. */
static bool give_to_node(struct kmem_cache *cache, struct slub_slab *slab, unsigned int word, unsigned long mask,
			 struct list_head *dead)
{
	struct kmem_cache_node *n = node_of(cache, slab->s.node);
	unsigned long flags, twice;
	bool ours;

	spin_lock_irqsave(&n->lock, flags);
	ours = (load_relaxed(&slab->ctl) & OWNER_MASK) == OWNER_NODE;
	if (ours) {
		twice = set_bits(slab, word, mask);
		if ((mask & ~twice) && node_drop_locked(cache, n, slab))
			list_add(&slab->s.list, dead);
		spin_unlock_irqrestore(&n->lock, flags);
		if (unlikely(twice))
			report_twice(cache, slab, word, twice);
		return true;
	}
	spin_unlock_irqrestore(&n->lock, flags);
	return false;
}

/* Objects of one word of a slab that is not this CPU's. */
static noinline void give_foreign(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab,
				  unsigned int word, unsigned long mask, struct list_head *dead)
{
	unsigned long twice;
	unsigned int n;
	u32 before;

	/* What is not free yet keeps the slab from going away while we look at it. */
	while ((load_acquire(&slab->ctl) & OWNER_MASK) == OWNER_NODE)
		if (give_to_node(cache, slab, word, mask, dead))
			return;
	twice = atomic_fetch_or(&foreign_bits(slab)[word], mask) & mask;
	if (unlikely(twice))
		report_twice(cache, slab, word, twice);
	n = count_bits(mask & ~twice);
	if (!n)
		return;
	before = atomic_fetch_add(&slab->ctl, n * FOREIGN_ONE);
	if (before == OWNER_NONE)
		adopt(cache, cc, slab, dead);
}

/* Objects of a slab that is not ours, collected while they come one after another: one word's. */
struct group {
	struct slub_slab *slab;
	unsigned int word;
	unsigned long mask;
};

static noinline void flush_group(struct kmem_cache *cache, struct cpu_cache *cc, struct group *g,
				 struct list_head *dead)
{
	if (g->slab)
		give_foreign(cache, cc, g->slab, g->word, g->mask, dead);
	g->slab = NULL;
}

static noinline void group_add(struct kmem_cache *cache, struct cpu_cache *cc, struct group *g, struct slub_slab *slab,
			       u32 index, struct list_head *dead)
{
	unsigned long bit = 1ul << index % WORD_BITS;

	if (g->slab == slab && g->word == index / WORD_BITS && !(g->mask & bit)) {
		g->mask |= bit;
		return;
	}
	flush_group(cache, cc, g, dead);
	*g = (struct group){ .slab = slab, .word = index / WORD_BITS, .mask = bit };
}

/* A slab of ours is empty now. */
static noinline void own_is_empty(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab,
				  struct list_head *dead)
{
	cc->nr_empty++;
	if (!has_foreign(slab) && cc->nr_empty > 1 && (cc->nr_empty << slab->s.order) > EMPTY_PAGES)
		cc_drop(cache, cc, slab, dead);
}

/* One object more is free in a slab of this CPU's. */
static force_inline void give_own(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab, u32 index,
				  struct list_head *dead)
{
	unsigned long *word = &slab->bits[index / WORD_BITS], bits = *word, now = bits | 1ul << index % WORD_BITS;

	if (unlikely(now == bits)) {
		heap_report_double_free(cache, &slab->s, slab_object(cache, &slab->s, index));
		return;
	}
	*word = now;
	add_used(slab, -1u);
	if (unlikely(!slab->used))
		own_is_empty(cache, cc, slab, dead);
}

/* What backend_give() needs of the cache for each object, where the compiler keeps it at hand. */
struct give {
	struct kmem_cache *cache;
	u32 slot, span, reciprocal;
};

static noinline void give_bad(struct kmem_cache *cache, struct slub_slab *slab, void *object)
{
	if (slab)
		heap_report_invalid_free(cache, &slab->s, object, 0);
	else
		heap_report_wild_free(object, 0);
}

/*
 * The slab of an object that comes back, or NULL after a report. The page is looked at again: of two frees of one
 * object the first may have made the slab empty, and the page somebody else's.
 */
static force_inline struct slub_slab *slab_of(const struct give *g, void *object, u32 *index)
{
	struct page *page = heap_page_known(object);
	struct slub_slab *slab;
	u64 offset, product;

	if (unlikely(!page_plain_flag(page, PG_slab) || (u32)page->_mapcount != g->slot)) {
		give_bad(g->cache, NULL, object);
		return NULL;
	}
	slab = (struct slub_slab *)(uintptr_t)page->private_data;
	offset = (uintptr_t)object - (uintptr_t)slab->s.base;
	product = offset * g->reciprocal;
	*index = (u32)(product >> 32);
	/* slab_has_object(), with what it looks up at hand */
	if (unlikely(offset >= g->span || (u32)product >= g->reciprocal)) {
		give_bad(g->cache, slab, object);
		return NULL;
	}
	return slab;
}

/* An object of a slab that is nobody's or another's. */
static noinline void give_other(struct kmem_cache *cache, struct cpu_cache *cc, struct slub_slab *slab, u32 index,
				struct group *group, struct list_head *dead)
{
	/* Nobody's: ours by one exchange. (What the group holds of a slab is still to be counted.) */
	if (may_own(cc) && load_relaxed(&slab->ctl) == OWNER_NONE && group->slab != slab &&
	    atomic_cmpxchg(&slab->ctl, OWNER_NONE, owner_of(cc)) == OWNER_NONE) {
		cc_add(cc, slab);
		give_own(cache, cc, slab, index, dead);
	} else {
		group_add(cache, cc, group, slab, index, dead);
	}
}

bool backend_is_near(const struct cpu_cache *cc, const struct page *page)
{
	u32 ctl = load_relaxed(&slub_of(page_slab(page))->ctl);

	return may_own(cc) && ((ctl & OWNER_MASK) == cc->owner || ctl == OWNER_NONE);
}

void backend_give(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int n, struct list_head *dead)
{
	/* All are of one node: a magazine's, or one alone. */
	const u32 slot = cc ? cache->slot + cc->node : (u32)heap_page_known(objs[0])->_mapcount;
	const struct give g = { cache, slot, cache->span, cache->reciprocal };
	const u32 me = cc ? cc->owner : CPU_CACHE_ALIEN;
	struct group group = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		u32 index;
		struct slub_slab *slab = slab_of(&g, objs[i], &index);

		if (unlikely(!slab))
			continue;
		if (likely((READ_ONCE(slab->ctl) & OWNER_MASK) == me))
			give_own(cache, cc, slab, index, dead);
		else
			give_other(cache, cc, slab, index, &group, dead);
	}
	flush_group(cache, cc, &group, dead);
	if (may_own(cc) && unlikely(cc->nr_slabs > cache->cpu_slabs))
		cc_shed(cache, cc, cache->cpu_slabs / 2u, dead);
}

/* ---- Without a CPU's caches ---- */

/* Up to @want objects of the node's slabs. One without any stays where it is: see cc_refresh(). */
static unsigned int node_take_locked(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs,
				     unsigned int want)
{
	struct slab *s, *next;
	unsigned int got = 0;

	list_for_each_entry_safe(s, next, &n->partial, list) {
		struct slub_slab *slab = slub_of(s);

		if (!slub_free(slab) && has_foreign(slab))
			fold(cache, slab);
		got += take_bits(cache, slab, objs + got, want - got);
		if (!slub_free(slab)) {
			/* Off the list first: as nobody's it is at once whose CPU frees into it, without our lock. */
			list_del(&slab->s.list);
			if (disown(slab, OWNER_NODE))
				WRITE_ONCE(n->nr_partial, n->nr_partial - 1);
			else
				list_add_tail(&slab->s.list, &next->list);
		}
		if (got == want)
			break;
	}
	return got;
}

static unsigned int node_take(struct kmem_cache *cache, unsigned int nid, void **objs, unsigned int want)
{
	struct kmem_cache_node *n = node_of(cache, nid);
	unsigned long flags;
	unsigned int got;

	if (!n || !READ_ONCE(n->nr_partial))
		return 0;
	spin_lock_irqsave(&n->lock, flags);
	got = node_take_locked(cache, n, objs, want);
	spin_unlock_irqrestore(&n->lock, flags);
	return got;
}

static unsigned int take_alien(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want)
{
	return node_take(cache, cc->node, objs, want);
}

void *backend_take_direct(struct kmem_cache *cache, int nid, size_t size)
{
	bool any = nid == NUMA_NO_NODE;
	u32 first = any ? (u32)this_cpu()->node : (u32)nid;
	void *object = NULL;

	(void)size;
	for (u32 i = 0; i < (any ? heap.nodes : 1); i++)
		if (node_take(cache, (first + i) % heap.nodes, &object, 1))
			return object;
	return NULL;
}

void backend_flush(struct kmem_cache *cache, struct cpu_cache *cc, struct list_head *dead)
{
	if (cc->nr_slabs)
		cc_shed(cache, cc, 0, dead);
}

/* Fullest first, so that the others may become empty; what is empty goes. */
static void shrink_node(struct kmem_cache *cache, struct kmem_cache_node *n, struct list_head *dead)
{
	struct list_head by_free[16];
	struct slab *slab, *next;

	for (unsigned int i = 0; i < ARRAY_SIZE(by_free); i++)
		INIT_LIST_HEAD(&by_free[i]);
	list_for_each_entry_safe(slab, next, &n->partial, list) {
		struct slub_slab *s = slub_of(slab);

		if (has_foreign(s))
			fold(cache, s);
		list_del(&slab->list);
		if (is_idle(s)) {
			list_del(&slab->all);
			n->nr_slabs--;
			WRITE_ONCE(n->nr_partial, n->nr_partial - 1);
			list_add(&slab->list, dead);
		} else {
			list_add_tail(&slab->list, &by_free[slub_free(s) * (ARRAY_SIZE(by_free) - 1) / slab->objects]);
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(by_free); i++)
		list_for_each_entry_safe(slab, next, &by_free[i], list) {
			list_del(&slab->list);
			list_add_tail(&slab->list, &n->partial);
		}
}

void backend_shrink(struct kmem_cache *cache, struct list_head *dead)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = node_of(cache, nid);
		unsigned long flags;

		if (!n)
			continue;
		spin_lock_irqsave(&n->lock, flags);
		shrink_node(cache, n, dead);
		spin_unlock_irqrestore(&n->lock, flags);
	}
}

#endif
