// SPDX-License-Identifier: MIT
/*
 * zbud and z3fold: pools whose pages hold at most two, or three, objects.
 *
 * Purpose
 *	Less dense than zsmalloc, and simpler: an object lies in one page, never moves, and can be read where it is.
 *	What a page holds is known from the page.
 *
 * Words
 *	chunk: 64 bytes, the unit in which room is counted; 64 of them are a page.
 *	buddies: the objects that share a page.
 *	gap: chunks between two buddies, or between one and an end of the page.
 *
 * Structures
 *	page of z3fold:	| first ##### |  gap  | ### middle ### |   gap   | #### last |
 *	descriptor, in the heap: page, and of each buddy where it begins and its chunks
 *	pool: a list for each size of the largest gap, of pages with room for another buddy; a bit for each that is not
 *	empty. A handle is the descriptor's address and the buddy's number.
 *
 *	A new object goes to the page whose largest gap is smallest and large enough: at the page's beginning or end if
 *	the gap reaches it, so that what is left stays in one piece.
 *
 * Invariants
 *	ZB-I1  Buddies of a page do not overlap, and end in it.
 *	ZB-I2  A page with room for a buddy and a gap is on the list of its largest gap; full ones are on none.
 *	ZB-I3  A page without buddies is gone; the pool's count is that of its pages.
 *
 * Locking
 *	One lock a pool, for the descriptors. What objects hold is written once, by who allocated them; readers need
 *	nothing, as nothing moves.
 *
 * Memory use and bounds
 *	A page for each two (three) objects at worst, half (a third) of that if sizes allow; 31 bytes lost on average by
 *	rounding. A descriptor of 64 bytes a page.
 *
 * What failure does
 *	-ENOMEM without a page or a descriptor, and nothing has changed.
 *
 * Differences from Linux
 *	Nothing is kept in the page, so an object may fill it and pages may be high memory. The middle buddy of z3fold
 *	is not moved when its neighbours go.
 *
 * Sources: Documentation/mm/z3fold.rst, Documentation/admin-guide/mm/zswap.rst.
 */
#include <octavo/highmem.h>
#include <octavo/shrinker.h>
#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/list.h"
#include "../base/part.h"
#include "../sync/spinlock.h"
#include "zpool.h"

#define CHUNK 64u
#define CHUNKS ((unsigned int)PAGE_SIZE / CHUNK)
#define BUDDIES_MAX 3u

/* Legend: (l) the pool's lock, (c) constant. Aligned so that an address has room for a buddy's number. */
struct buddy_page {
	struct list_head list;	  /* (l) of lists[gap - 1]; linked if gap is not 0 */
	struct page *page;	  /* (c) */
	u8 begin[BUDDIES_MAX];	  /* (l) first chunk */
	u8 chunks[BUDDIES_MAX];	  /* (l) 0: no such buddy */
	u8 gap;			  /* (l) chunks of the largest gap that can be used, 0: none */
} __aligned(8);

struct buddy_pool {
	spinlock_t lock;
	u32 buddies;		   /* (c) of a page: 2 or 3 */
	unsigned long pages;	   /* (l) */
	u64 filled;		   /* (l) bit n: lists[n] is not empty */
	struct list_head lists[CHUNKS]; /* (l) by gap less 1 */
};

static struct kmem_cache *descriptors __memsys; /* (c) */

static void *create(u32 buddies)
{
	struct buddy_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	spin_lock_init(&pool->lock, LOCK_RANK_ZPOOL);
	pool->buddies = buddies;
	for (unsigned int i = 0; i < CHUNKS; i++)
		INIT_LIST_HEAD(&pool->lists[i]);
	return pool;
}

static void *zbud_create(const char *name)
{
	(void)name;
	return create(2);
}

static void *z3fold_create(const char *name)
{
	(void)name;
	return create(3);
}

static void destroy(void *pool)
{
	kfree(pool);
}

/* ---- Gaps ---- */

/* The buddy that begins first at chunk @from or behind it; BUDDIES_MAX: none. */
static unsigned int next_buddy(const struct buddy_page *b, unsigned int from)
{
	unsigned int best = BUDDIES_MAX;

	for (unsigned int i = 0; i < BUDDIES_MAX; i++)
		if (b->chunks[i] && b->begin[i] >= from && (best == BUDDIES_MAX || b->begin[i] < b->begin[best]))
			best = i;
	return best;
}

/* Chunks of the largest gap, *@at where it begins. */
static unsigned int largest_gap(const struct buddy_page *b, unsigned int *at)
{
	unsigned int largest = 0, from = 0;

	for (;;) {
		unsigned int next = next_buddy(b, from), end = next < BUDDIES_MAX ? b->begin[next] : CHUNKS;

		if (end - from > largest) {
			largest = end - from;
			*at = from;
		}
		if (next == BUDDIES_MAX)
			return largest;
		from = b->begin[next] + b->chunks[next];
	}
}

static unsigned int buddies_of(const struct buddy_page *b)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < BUDDIES_MAX; i++)
		n += b->chunks[i] != 0;
	return n;
}

static void unlist(struct buddy_pool *pool, struct buddy_page *b)
{
	if (!b->gap)
		return;
	list_del(&b->list);
	if (list_empty(&pool->lists[b->gap - 1]))
		pool->filled &= ~((u64)1 << (b->gap - 1));
	b->gap = 0;
}

static void enlist(struct buddy_pool *pool, struct buddy_page *b)
{
	unsigned int at;

	if (buddies_of(b) == pool->buddies)
		return;
	b->gap = (u8)largest_gap(b, &at);
	if (!b->gap)
		return;
	list_add(&b->list, &pool->lists[b->gap - 1]);
	pool->filled |= (u64)1 << (b->gap - 1);
}

/* ---- Objects ---- */

/* Of @chunks in the largest gap, which is large enough. Return: the buddy's number. */
static unsigned int place(struct buddy_page *b, unsigned int chunks)
{
	unsigned int i = 0, at = 0, gap = largest_gap(b, &at);

	while (b->chunks[i])
		i++;
	b->begin[i] = (u8)(at && at + gap == CHUNKS ? CHUNKS - chunks : at);
	b->chunks[i] = (u8)chunks;
	return i;
}

static struct buddy_page *page_create(gfp_t gfp, int nid)
{
	struct buddy_page *b = kmem_cache_alloc(descriptors, (gfp & ~(__GFP_HIGHMEM | __GFP_MOVABLE)) | __GFP_ZERO);

	if (!b)
		return NULL;
	b->page = alloc_pages_node(nid, gfp, 0);
	if (b->page)
		return b;
	kmem_cache_free(descriptors, b);
	return NULL;
}

static int buddy_malloc(void *data, size_t size, gfp_t gfp, int nid, unsigned long *handle)
{
	unsigned int chunks = (unsigned int)DIV_ROUND_UP(size, CHUNK);
	struct buddy_pool *pool = data;
	struct buddy_page *b = NULL;
	u64 fitting;

	if (!size || size > PAGE_SIZE)
		return -ENOSPC;
	spin_lock(&pool->lock);
	fitting = pool->filled & ~(u64)0 << (chunks - 1);
	if (fitting) {
		b = list_first_entry(&pool->lists[lowest_bit(fitting)], struct buddy_page, list);
		unlist(pool, b);
	} else {
		spin_unlock(&pool->lock);
		b = page_create(gfp, nid);
		if (!b)
			return -ENOMEM;
		spin_lock(&pool->lock);
		store_relaxed(&pool->pages, pool->pages + 1);
	}
	*handle = (unsigned long)(uintptr_t)b | place(b, chunks);
	enlist(pool, b);
	spin_unlock(&pool->lock);
	return 0;
}

static struct buddy_page *page_of(unsigned long handle)
{
	return (struct buddy_page *)(uintptr_t)(handle & ~7ul);
}

static void buddy_free(void *data, unsigned long handle)
{
	struct buddy_pool *pool = data;
	struct buddy_page *b = page_of(handle);
	bool gone;

	spin_lock(&pool->lock);
	unlist(pool, b);
	b->chunks[handle & 7] = 0;
	gone = !buddies_of(b);
	if (gone)
		store_relaxed(&pool->pages, pool->pages - 1);
	else
		enlist(pool, b);
	spin_unlock(&pool->lock);
	if (!gone)
		return;
	__free_page(b->page);
	mm_account_reclaimed_pages(1);
	kmem_cache_free(descriptors, b);
}

static size_t offset_of(unsigned long handle)
{
	return (size_t)page_of(handle)->begin[handle & 7] * CHUNK;
}

static void buddy_write(void *data, unsigned long handle, const void *from, size_t len)
{
	(void)data;
	memcpy_to_page(page_of(handle)->page, offset_of(handle), from, len);
}

static const void *buddy_read_begin(void *data, unsigned long handle, size_t len, void *bounce)
{
	(void)data;
	(void)len;
	(void)bounce;
	return (u8 *)kmap_local_page(page_of(handle)->page) + offset_of(handle);
}

static void buddy_read_end(void *data, unsigned long handle, const void *at, const void *bounce)
{
	(void)data;
	(void)handle;
	(void)bounce;
	kunmap_local(at);
}

static unsigned long buddy_pages(void *data)
{
	return load_relaxed(&((struct buddy_pool *)data)->pages);
}

/* ---- Checking; full pages are found by their objects' owners only ---- */

static void verify_page(const struct buddy_pool *pool, const struct buddy_page *b, unsigned int gap, struct findings *f)
{
	unsigned int from = 0, at, next, n = buddies_of(b);

	if (!n || n >= pool->buddies)
		finding(f, "zbud: a page with %u of %u objects is on the list of gap %u", n, pool->buddies, gap);
	if (b->gap != gap || largest_gap(b, &at) != gap)
		finding(f, "zbud: a page's largest gap is %u chunks, and it is on the list of gap %u",
			largest_gap(b, &at), gap);
	for (; (next = next_buddy(b, from)) < BUDDIES_MAX; n--)
		from = b->begin[next] + b->chunks[next];
	if (n || from > CHUNKS)
		finding(f, "zbud: objects of a page overlap, or leave it: %u not found up to chunk %u", n, from);
	if (page_ref_count(b->page) < 1)
		finding(f, "zbud: a page has reference count %d", page_ref_count(b->page));
}

static void verify(void *data, struct findings *f)
{
	struct buddy_pool *pool = data;
	unsigned long pages = 0;

	for (unsigned int i = 0; i < CHUNKS; i++) {
		struct buddy_page *b;

		if (list_empty(&pool->lists[i]) != !(pool->filled >> i & 1))
			finding(f, "zbud: the bit of gap %u says that its list is%s empty", i + 1,
				list_empty(&pool->lists[i]) ? " not" : "");
		list_for_each_entry(b, &pool->lists[i], list) {
			verify_page(pool, b, i + 1, f);
			pages++;
		}
	}
	if (pages > pool->pages)
		finding(f, "zbud: %lu pages are counted, %lu are on lists", pool->pages, pages);
}

#define BUDDY_OPERATIONS                                                                                  \
	.destroy = destroy, .malloc = buddy_malloc, .free = buddy_free, .write = buddy_write,             \
	.read_begin = buddy_read_begin, .read_end = buddy_read_end, .total_pages = buddy_pages, .verify = verify

const struct zpool_driver zbud_driver = { .type = "zbud", .create = zbud_create, BUDDY_OPERATIONS };
const struct zpool_driver z3fold_driver = { .type = "z3fold", .create = z3fold_create, BUDDY_OPERATIONS };

static int buddy_init(void)
{
	descriptors = kmem_cache_create("zbud_page", sizeof(struct buddy_page), 8, SLAB_NO_MERGE, NULL);
	return descriptors ? 0 : -ENOMEM;
}
MM_PART(zbuddy, .order = MM_PART_ZPOOL, .init = buddy_init);
