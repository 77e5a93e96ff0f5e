// SPDX-License-Identifier: MIT
/* The slub back end: how slabs are cut, made and given back, counted and verified. Theory in slub.c. */
#ifdef OCTAVO_HEAP_SLUB

#include <octavo/rcupdate.h>

#include "slub.h"

#include "../base/findings.h"
#include "../base/string.h"
#include "debug.h"
#include "meta.h"

#define OBJECTS_MIN 32u /* fewer in a slab, and making slabs costs more than using them */
#define SMALL_MACHINE (64ul << (20 - PAGE_SHIFT)) /* pages: below, less is kept at hand */
#define CPU_SHARE 16u	/* of memory, divided by the CPUs: slabs with free objects that one keeps */
#define OBJECTS_MAX 32767u

int backend_init(void)
{
	return 0;
}

/* ---- Layout ---- */

/* How objects lie on a slab of this order: with the descriptor in front of them where that costs no object. */
struct fit {
	unsigned int order, objects;
	size_t waste;
	bool on_slab;
};

static size_t header_bytes(const struct kmem_cache *cache, unsigned int objects)
{
	return ALIGN(slub_bytes(objects), (size_t)cache->align);
}

static struct fit fit_order(const struct kmem_cache *cache, unsigned int order)
{
	size_t bytes = PAGE_SIZE << order, header;
	struct fit f = { .order = order };

	f.objects = (unsigned int)min((size_t)OBJECTS_MAX, bytes / cache->size);
	if (!f.objects)
		return f;
	header = header_bytes(cache, f.objects);
	f.on_slab = bytes - (size_t)f.objects * cache->size >= header;
	f.waste = bytes - (size_t)f.objects * cache->size;
	return f;
}

/* The lowest order with enough objects and little waste; less and less choosy. Boot parameters draw the bounds. */
static struct fit choose(const struct kmem_cache *cache)
{
	const unsigned int many = totalram_pages() < SMALL_MACHINE ? 8 : OBJECTS_MIN;
	const unsigned int enough = slab_min_objects ? slab_min_objects : many, few = min(enough, 4u);

	for (unsigned int part = 16; part >= 2; part /= 2)
		for (unsigned int objects = enough; objects >= few; objects /= 2)
			for (unsigned int order = slab_min_order; order <= slab_max_order; order++) {
				struct fit f = fit_order(cache, order);

				if (f.objects >= objects && f.waste <= (PAGE_SIZE << order) / part)
					return f;
			}
	for (unsigned int order = slab_min_order; order <= MAX_PAGE_ORDER; order++) {
		struct fit f = fit_order(cache, order);

		if (f.objects)
			return f;
	}
	return (struct fit){ 0 };
}

/* Objects a CPU keeps at hand: 8 to 128, of 1/1024 of memory divided by the CPUs, within 16 and 512 KiB. */
static unsigned int magazine_limit(const struct kmem_cache *cache)
{
	unsigned long bytes = clamp((totalram_pages() << PAGE_SHIFT >> 10) / nr_cpu_ids, 16384ul, 524288ul);

	if ((cache->flags & SLAB_DEBUG_FLAGS) || cache->size > 16 * PAGE_SIZE)
		return 0;
	return (unsigned int)clamp(bytes / cache->size, cache->size > PAGE_SIZE ? 2ul : 8ul, 128ul);
}

int backend_layout(struct kmem_cache *cache)
{
	struct fit f = choose(cache);
	unsigned long keep;

	if (!f.objects)
		return -E2BIG;
	cache->order = (u16)f.order;
	cache->objects = (u16)f.objects;
	cache->on_slab = f.on_slab;
	cache->mag_limit = (u16)magazine_limit(cache);
	cache->mag_batch = (u16)max(cache->mag_limit / 2, cache->mag_limit ? 1 : 0);
	cache->min_partial = (u16)clamp(ilog2(cache->size) / 2, 5u, 10u);
	keep = max(totalram_pages() / CPU_SHARE / nr_cpu_ids, 16ul);
	cache->cpu_slabs = (u16)clamp(keep >> f.order, 4ul, 65535ul);
	return 0;
}

/* ---- Nodes ---- */

int backend_node_add(struct kmem_cache *cache, int nid, gfp_t gfp)
{
	struct kmem_cache_node *n;

	if (node_of(cache, (unsigned int)nid))
		return 0;
	n = meta_alloc(sizeof(*n), gfp, nid);
	if (!n)
		return -ENOMEM;
	spin_lock_init(&n->lock, LOCK_RANK_HEAP_NODE);
	INIT_LIST_HEAD(&n->partial);
	INIT_LIST_HEAD(&n->all);
	if (atomic_cmpxchg(&cache->node[nid], NULL, n))
		meta_free(n, sizeof(*n));
	return 0;
}

void backend_release(struct kmem_cache *cache)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++)
		if (cache->node[nid]) {
			meta_free(cache->node[nid], sizeof(struct kmem_cache_node));
			cache->node[nid] = NULL;
		}
}

/* ---- Making and giving back ---- */

static struct slub_slab *make_slab(struct kmem_cache *cache, struct page *page, gfp_t gfp)
{
	unsigned int words = DIV_ROUND_UP(cache->objects, WORD_BITS), nid = (unsigned int)page_to_nid(page);
	size_t bytes = slub_bytes(cache->objects);
	char *start = page_address(page);
	struct slub_slab *slab;

	slab = cache->on_slab ? memset(start, 0, bytes) : meta_alloc(bytes, gfp, (int)nid);
	if (!slab)
		return NULL;
	slab->s = (struct slab){ .cache = cache,
				 .base = start + (cache->on_slab ? header_bytes(cache, cache->objects) : 0) +
					 cache->red_left_pad,
				 .objects = cache->objects,
				 .node = (u16)nid,
				 .order = (u8)cache->order,
				 .on_slab = cache->on_slab };
	slab->ctl = OWNER_NODE;
	slab->words = (u16)words;
	for (unsigned int w = 0; w < words; w++)
		slab->bits[w] = ~0ul;
	if (cache->objects % WORD_BITS)
		slab->bits[words - 1] = (1ul << cache->objects % WORD_BITS) - 1;
	return slab;
}

int backend_grow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size)
{
	struct page *page = heap_slab_pages(cache, gfp, nid);
	struct kmem_cache_node *n;
	struct slub_slab *slab;
	unsigned long flags;
	int node;

	(void)size;
	if (!page)
		return -ENOMEM;
	node = page_to_nid(page);
	slab = backend_node_add(cache, node, gfp) ? NULL : make_slab(cache, page, gfp);
	if (!slab) {
		heap_slab_free(cache, page);
		return -ENOMEM;
	}
	heap_slab_bind(cache, page, &slab->s);
	n = node_of(cache, (unsigned int)node);
	spin_lock_irqsave(&n->lock, flags);
	list_add(&slab->s.list, &n->partial);
	list_add(&slab->s.all, &n->all);
	WRITE_ONCE(n->nr_partial, n->nr_partial + 1);
	n->nr_slabs++;
	spin_unlock_irqrestore(&n->lock, flags);
	return node;
}

static void bury(struct kmem_cache *cache, struct slub_slab *slab)
{
	struct page *page = heap_page_known(slab_start(&slab->s));
	size_t bytes = slub_bytes(slab->s.objects);
	bool on_slab = slab->s.on_slab;

	heap_slab_free(cache, page);
	if (!on_slab)
		meta_free(slab, bytes);
}

/* A dead slab is on no list: the head of its callback takes the place of its link among all. */
octavo_static_assert(sizeof(struct rcu_head) <= sizeof(struct list_head), "the head has room there");

static void bury_callback(struct rcu_head *head)
{
	struct slab *slab = container_of((struct list_head *)head, struct slab, all);

	bury(slab->cache, slub_of(slab));
}

void backend_bury(struct kmem_cache *cache, struct list_head *dead)
{
	while (!list_empty(dead)) {
		struct slab *slab = list_first_entry(dead, struct slab, list);

		list_del(&slab->list);
		if (unlikely(cache->flags & SLAB_TYPESAFE_BY_RCU))
			call_rcu((struct rcu_head *)&slab->all, bury_callback);
		else
			bury(cache, slub_of(slab));
	}
}

/* ---- Questions about one object ---- */

struct kmem_cache *backend_cache_of(struct slab *slab, const void *object)
{
	(void)object;
	return slab->cache;
}

void *backend_object_of(struct slab *slab, const void *p)
{
	const struct kmem_cache *cache = slab->cache;
	size_t offset = (uintptr_t)p - ((uintptr_t)slab->base - cache->red_left_pad);

	if (offset >= (size_t)slab->objects * cache->size)
		return NULL;
	return slab_object(cache, slab, (u32)(offset / cache->size));
}

size_t backend_size_of(struct slab *slab, const void *object)
{
	(void)object;
	return slab->cache->object_size;
}

bool backend_is_free(struct slab *slab, const void *object)
{
	struct slub_slab *s = slub_of(slab);
	u32 index;

	if (!slab_has_object(slab->cache, slab, object, &index))
		return false;
	return ((load_relaxed(&s->bits[index / WORD_BITS]) | load_relaxed(&foreign_bits(s)[index / WORD_BITS])) >>
		index % WORD_BITS) & 1;
}

/* ---- Counts and checks ---- */

static unsigned int foreign_count(struct slub_slab *slab)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < slab->words; w++)
		n += count_bits(load_relaxed(&foreign_bits(slab)[w]));
	return n;
}

static void count_node(struct kmem_cache_node *n, struct backend_counts *counts)
{
	unsigned long flags;
	struct slab *slab;

	spin_lock_irqsave(&n->lock, flags);
	list_for_each_entry(slab, &n->all, all) {
		unsigned int free = slub_free(slub_of(slab)) + foreign_count(slub_of(slab));

		free = min(free, (unsigned int)slab->objects);
		counts->slabs++;
		counts->objects += slab->objects;
		counts->free += free;
		counts->active_slabs += free < slab->objects;
		counts->partial += free && free < slab->objects;
	}
	spin_unlock_irqrestore(&n->lock, flags);
}

void backend_count(struct kmem_cache *cache, int nid, struct backend_counts *counts)
{
	for (unsigned int i = 0; i < heap.nodes; i++)
		if ((nid == NUMA_NO_NODE || (unsigned int)nid == i) && node_of(cache, i))
			count_node(node_of(cache, i), counts);
}

void backend_for_each_slab(struct kmem_cache *cache, bool (*fn)(struct slab *slab, void *ctx), void *ctx)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = node_of(cache, nid);
		struct slab *slab;
		unsigned long flags;
		bool more = true;

		if (!n)
			continue;
		spin_lock_irqsave(&n->lock, flags);
		list_for_each_entry(slab, &n->all, all)
			if (!(more = fn(slab, ctx)))
				break;
		spin_unlock_irqrestore(&n->lock, flags);
		if (!more)
			return;
	}
}

static unsigned int count_bits_of(const unsigned long *bits, unsigned int words)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < words; w++)
		n += count_bits(bits[w]);
	return n;
}

static void verify_slab(struct findings *f, struct slub_slab *slab)
{
	unsigned int own = count_bits_of(slab->bits, slab->words), others = foreign_count(slab), words = slab->words;
	unsigned int tail = slab->s.objects % WORD_BITS;
	u32 owner = slab->ctl & OWNER_MASK;

	for (unsigned int w = 0; w < words; w++)
		if (slab->bits[w] & foreign_bits(slab)[w])
			finding(f, "SU-I1: slab %p: objects free twice: word %u, %#lx", (void *)slab, w,
			      slab->bits[w] & foreign_bits(slab)[w]);
	if (tail && (slab->bits[words - 1] | foreign_bits(slab)[words - 1]) >> tail)
		finding(f, "SU-I1: slab %p: bits set behind the last object", (void *)slab);
	if (own != slub_free(slab))
		finding(f, "SU-I2: slab %p: counts %u free objects and has %u", (void *)slab,
		      slub_free(slab), own);
	if (owner == OWNER_NONE && own + others)
		finding(f, "SU-I3: slab %p: nobody's, with %u free objects", (void *)slab, own + others);
	if ((owner == OWNER_NONE) != !slab->s.list.next)
		finding(f, "SU-I3: slab %p: owner %u and %son a list", (void *)slab, owner,
		      slab->s.list.next ? "" : "not ");
	if (slab->ctl / FOREIGN_ONE != others)
		finding(f, "SU-I4: slab %p: counts %u foreign frees and has %u", (void *)slab,
		      slab->ctl / FOREIGN_ONE, others);
}

/* The slabs of a list belong to @owner. Return: how many there are. */
static unsigned int verify_list(struct findings *f, struct list_head *list, u32 owner, unsigned int *empty)
{
	unsigned int n = 0;
	struct slab *slab;

	list_for_each_entry(slab, list, list) {
		struct slub_slab *s = slub_of(slab);

		n++;
		*empty += !s->used;
		if ((s->ctl & OWNER_MASK) != owner)
			finding(f, "SU-I3: slab %p: owner %u, on the list of %u", (void *)s, s->ctl & OWNER_MASK,
				owner);
	}
	return n;
}

static void verify_cpu_cache(struct findings *f, struct cpu_cache *cc)
{
	unsigned int empty = 0, n = verify_list(f, &cc->slabs, 1u + cc->cpu, &empty);

	if (n != cc->nr_slabs || empty != cc->nr_empty)
		finding(f, "SU-I5: CPU %u node %u: counts %u slabs, %u empty, and has %u and %u", cc->cpu, cc->node,
		      cc->nr_slabs, cc->nr_empty, n, empty);
}

unsigned int backend_verify(struct kmem_cache *cache, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx, .of = cache->name };

	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = node_of(cache, nid);
		unsigned int slabs = 0, empty = 0, partial;
		struct slab *slab;

		if (!n)
			continue;
		list_for_each_entry(slab, &n->all, all) {
			slabs++;
			verify_slab(&f, slub_of(slab));
		}
		partial = verify_list(&f, &n->partial, OWNER_NODE, &empty);
		if (partial != n->nr_partial || slabs != n->nr_slabs)
			finding(&f, "SU-I5: node %u: counts %u partial slabs of %u and has %u of %u", nid,
				n->nr_partial, n->nr_slabs, partial, slabs);
	}
	for_each_possible_cpu(cpu)
		for (unsigned int nid = 0; cache->slot && nid < heap.nodes; nid++) {
			struct cpu_cache *cc = heap_cpu_cache(cpu, cache->slot + nid);

			if (cc)
				verify_cpu_cache(&f, cc);
		}
	return f.n;
}

#endif
