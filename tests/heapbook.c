// SPDX-License-Identifier: MIT
#include "heapbook.h"

#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "mm/phys/stackdepot.h"
#include "mm/phys/zone.h"
#include "mm/slab/backend.h"

const gfp_t heapbook_gfps[HEAPBOOK_GFPS] = {
	GFP_ATOMIC | __GFP_NOWARN,
	GFP_NOWAIT | __GFP_NOWARN,
	GFP_NOWAIT | __GFP_NOWARN | __GFP_ZERO,
	GFP_ATOMIC | __GFP_NOWARN | __GFP_RECLAIMABLE,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_ZERO,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_THISNODE,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_RECLAIMABLE | __GFP_ZERO,
	GFP_DMA | GFP_NOWAIT | __GFP_NOWARN,
	GFP_DMA | GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_ZERO,
};

static void wrong(struct heapbook *book, const char *what)
{
	if (!book->wrong)
		book->wrong = what;
}

void heapbook_init(struct heapbook *book, unsigned int owner)
{
	memset(book->entries, 0, sizeof(book->entries));
	book->nr = 0;
	book->next_tag = (owner + 1) << 24;
	book->wrong = NULL;
}

/* ---- Contents ---- */

/* Of large objects the ends and some bytes in between. */
static size_t stride(size_t size, size_t at)
{
	return size <= 1024 || at < 256 || at + 256 >= size ? 1 : 61;
}

static unsigned char byte_at(u32 tag, size_t at)
{
	return (unsigned char)((tag * 2654435761u >> 13) + at * 31);
}

static size_t first_byte(const struct heap_entry *e)
{
	return e->constructed ? HEAPBOOK_CONSTRUCTED : 0;
}

static void write_tag(const struct heap_entry *e)
{
	for (size_t i = first_byte(e); i < e->size; i += stride(e->size, i))
		e->object[i] = byte_at(e->tag, i);
}

static bool tag_holds(const struct heap_entry *e, size_t bytes)
{
	for (size_t i = first_byte(e); i < bytes; i += stride(e->size, i))
		if (e->object[i] != byte_at(e->tag, i))
			return false;
	return true;
}

static bool all_zero(const unsigned char *p, size_t from, size_t to)
{
	while (from < to && !p[from])
		from++;
	return from >= to;
}

static const unsigned char constructed[HEAPBOOK_CONSTRUCTED] = { 0xc0, 0x57, 1, 2, 3, 4, 5, 6 };

void heapbook_ctor(void *object)
{
	memcpy(object, constructed, sizeof(constructed));
}

/* ---- What was got ---- */

/* GFP_DMA memory is of ZONE_DMA where there is one, and nobody gets memory of another node who asked for just one. */
static void check_place(struct heapbook *book, const struct heap_entry *e, gfp_t gfp, int nid)
{
	struct page *page = virt_to_page(e->object);

	if (gfp & __GFP_DMA && !e->cache && zone_idx(page_zone(page)) != 0)
		wrong(book, "an object asked for with GFP_DMA is not in the lowest zone");
	if (gfp & __GFP_THISNODE && nid != NUMA_NO_NODE && page_to_nid(page) != nid)
		wrong(book, "an object is of another node than __GFP_THISNODE asked for");
}

static void check_shape(struct heapbook *book, const struct heap_entry *e)
{
	uintptr_t address = (uintptr_t)e->object;
	size_t align = ARCH_KMALLOC_MINALIGN;

	if (e->cache && e->cache->align)
		align = e->cache->align;
	else if (!e->cache && !(e->size & (e->size - 1)))
		align = max(align, min(e->size, (size_t)KMALLOC_MAX_SIZE));
	if (address & (align - 1))
		wrong(book, "an object is not aligned");
	if (ksize(e->object) < e->size)
		wrong(book, "ksize() is less than was asked for");
	for (unsigned int i = 0; i < book->nr; i++) {
		const struct heap_entry *other = &book->entries[i];

		if (address < (uintptr_t)other->object + other->size && (uintptr_t)other->object < address + e->size)
			wrong(book, "two objects overlap");
	}
}

static bool record(struct heapbook *book, struct heap_entry e, gfp_t gfp, int nid)
{
	if (!e.object)
		return false;
	e.tag = book->next_tag++;
	e.constructed = e.cache && e.cache->ctor == heapbook_ctor;
	if (ZERO_OR_NULL_PTR(e.object)) {
		if (e.size)
			wrong(book, "ZERO_SIZE_PTR for a size that is not 0");
		return true;
	}
	check_shape(book, &e);
	check_place(book, &e, gfp, nid);
	if (gfp & __GFP_ZERO && !e.constructed && !all_zero(e.object, 0, e.size))
		wrong(book, "an object asked for with __GFP_ZERO is not zero");
	if (e.constructed && memcmp(e.object, constructed, sizeof(constructed)))
		wrong(book, "an object is not as its constructor left it");
	write_tag(&e);
	book->entries[book->nr++] = e;
	return true;
}

bool heapbook_kmalloc(struct heapbook *book, size_t size, gfp_t gfp, int nid)
{
	if (book->nr == HEAPBOOK_MAX)
		return false;
	return record(book,
		      (struct heap_entry){ .object = nid == NUMA_NO_NODE ? kmalloc(size, gfp) :
									   kmalloc_node(size, gfp, nid),
					   .size = size },
		      gfp, nid);
}

/* The zone is the cache's matter, not the caller's. */
static gfp_t cache_gfp(const struct kmem_cache *cache, gfp_t gfp)
{
	gfp &= ~(__GFP_DMA | __GFP_RECLAIMABLE);
	return cache->ctor ? gfp & ~__GFP_ZERO : gfp;
}

bool heapbook_cache(struct heapbook *book, struct kmem_cache *cache, size_t size, gfp_t gfp, int nid)
{
	if (book->nr == HEAPBOOK_MAX)
		return false;
	gfp = cache_gfp(cache, gfp);
	return record(book,
		      (struct heap_entry){ .object = nid == NUMA_NO_NODE ? kmem_cache_alloc(cache, gfp) :
									   kmem_cache_alloc_node(cache, gfp, nid),
					   .size = size,
					   .cache = cache },
		      gfp, nid);
}

#define BULK_MAX 256

bool heapbook_bulk(struct heapbook *book, struct kmem_cache *cache, size_t size, gfp_t gfp, unsigned int nr)
{
	void *objects[BULK_MAX];
	int got;

	nr = min(nr, (unsigned int)BULK_MAX);
	nr = min(nr, HEAPBOOK_MAX - book->nr);
	if (!nr)
		return false;
	gfp = cache_gfp(cache, gfp);
	got = kmem_cache_alloc_bulk(cache, gfp, nr, objects);
	if (got != 0 && got != (int)nr)
		wrong(book, "kmem_cache_alloc_bulk() returned neither all nor nothing");
	for (int i = 0; i < got; i++)
		if (!record(book, (struct heap_entry){ .object = objects[i], .size = size, .cache = cache }, gfp,
			    NUMA_NO_NODE))
			wrong(book, "kmem_cache_alloc_bulk() stored NULL");
	return got;
}

bool heapbook_dup(struct heapbook *book, size_t size, bool string, gfp_t gfp)
{
	static const char text[] = "Forty-two pages of text that nobody reads, and a tail";
	char *copy;

	if (book->nr == HEAPBOOK_MAX)
		return false;
	size = min(size, sizeof(text) - 1);
	copy = string ? kstrndup(text, size, gfp) : kmemdup(text, size, gfp);
	if (copy && !ZERO_OR_NULL_PTR(copy) && (memcmp(copy, text, size) || (string && copy[size])))
		wrong(book, "a copy differs from its original");
	return record(book, (struct heap_entry){ .object = (unsigned char *)copy, .size = string ? size + 1 : size },
		      gfp & ~__GFP_ZERO, NUMA_NO_NODE);
}

bool heapbook_realloc(struct heapbook *book, unsigned int index, size_t size, gfp_t gfp)
{
	struct heap_entry e = book->entries[index];
	void *moved;

	if (e.cache || !size)
		return false;
	moved = krealloc(e.object, size, gfp & ~__GFP_ZERO);
	if (!moved) {
		if (!tag_holds(&e, e.size))
			wrong(book, "krealloc() failed and changed the object");
		return false;
	}
	e.object = moved;
	if (!tag_holds(&e, min(e.size, size)))
		wrong(book, "krealloc() lost contents");
	heapbook_take(book, index);
	e.size = size;
	return record(book, e, 0, NUMA_NO_NODE);
}

/* ---- Giving back ---- */

struct heap_entry heapbook_take(struct heapbook *book, unsigned int index)
{
	struct heap_entry e = book->entries[index];

	book->entries[index] = book->entries[--book->nr];
	book->entries[book->nr] = (struct heap_entry){ 0 }; /* kmemleak would take what is left there for a reference */
	return e;
}

bool heapbook_put(struct heapbook *book, const struct heap_entry *entry)
{
	if (book->nr == HEAPBOOK_MAX)
		return false;
	book->entries[book->nr++] = *entry;
	return true;
}

/* The object is as it must be when it is freed. */
static void finish(struct heapbook *book, const struct heap_entry *e)
{
	if (!tag_holds(e, e->size))
		wrong(book, "the contents of an object changed while it was owned");
	if (e->constructed && memcmp(e->object, constructed, sizeof(constructed)))
		wrong(book, "the head of a constructed object changed while it was owned");
}

void heapbook_free(struct heapbook *book, unsigned int index)
{
	struct heap_entry e = heapbook_take(book, index);

	finish(book, &e);
	if (e.cache)
		kmem_cache_free(e.cache, e.object);
	else if (e.tag % 16)
		kfree(e.object);
	else
		kfree_sensitive(e.object);
}

void heapbook_kfree(struct heapbook *book, unsigned int index)
{
	struct heap_entry e = heapbook_take(book, index);

	finish(book, &e);
	kfree(e.object);
}

void heapbook_free_bulk(struct heapbook *book, unsigned int first, unsigned int nr, struct kmem_cache *cache)
{
	void *objects[BULK_MAX];
	unsigned int n = 0;

	nr = min(nr, (unsigned int)BULK_MAX);
	for (unsigned int i = first; i < book->nr && n < nr;) {
		const struct heap_entry *e = &book->entries[i];

		if (cache && e->cache != cache) {
			i++;
			continue;
		}
		finish(book, e);
		objects[n++] = e->object;
		heapbook_take(book, i);
	}
	if (n)
		kmem_cache_free_bulk(cache, n, objects);
}

void heapbook_free_all(struct heapbook *book)
{
	while (book->nr)
		heapbook_free(book, book->nr - 1);
}

void heapbook_free_of(struct heapbook *book, const struct kmem_cache *cache)
{
	for (unsigned int i = book->nr; i--;)
		if (book->entries[i].cache == cache)
			heapbook_free(book, i);
}

/* ---- Census ---- */

static unsigned long base_pages, base_objects, base_errors, base_bad;
static char finding[256];

static void keep_finding(void *ctx, const char *line)
{
	(void)ctx;
	if (!finding[0])
		strscpy(finding, line, sizeof(finding));
}

static const char *say(const char *what, unsigned long got, unsigned long want)
{
	octavo_snprintf(finding, sizeof(finding), "%s: %lu, not %lu", what, got, want);
	return finding;
}

void heap_shrink_all(void)
{
	struct kmem_cache *cache;

	/* Nobody makes or destroys caches meanwhile. */
	list_for_each_entry(cache, &heap.caches, list)
		kmem_cache_shrink(cache);
}

/* Pages that are not free, but for those of the heap's own structures and of the store of call stacks. */
static unsigned long pages_used(void)
{
	drain_all_pages(NULL);
	return 0 - nr_free_pages() - meta_pages() - stack_depot_pages();
}

/* Objects in use in all caches; nothing may be in a magazine. */
static unsigned long objects_used(void)
{
	struct kmem_cache *cache;
	unsigned long used = 0;

	list_for_each_entry(cache, &heap.caches, list) {
		struct backend_counts counts = { 0 };

		backend_count(cache, NUMA_NO_NODE, &counts);
		used += counts.objects - counts.free;
	}
	return used;
}

void heap_census_begin(void)
{
	heap_shrink_all();
	base_pages = pages_used();
	base_objects = objects_used();
	base_errors = heap_errors();
	base_bad = bad_pages();
}

static const char *verify(void)
{
	finding[0] = 0;
	if (heap_verify(keep_finding, NULL))
		return finding[0] ? finding : "heap_verify() finds fault";
	if (mm_verify(keep_finding, NULL))
		return finding[0] ? finding : "mm_verify() finds fault";
	if (heap_errors() != base_errors)
		return say("errors reported by the heap", heap_errors() - base_errors, 0);
	if (bad_pages() != base_bad)
		return say("bad pages", bad_pages() - base_bad, 0);
	return NULL;
}

/* krealloc() may have left a small object on whole pages. */
static bool is_slab_object(const struct heap_entry *e)
{
	return page_slab(virt_to_page(e->object)) != NULL;
}

const char *heap_census_check(struct heapbook *const *books, unsigned int nr)
{
	unsigned long owned = 0;
	const char *why = verify();

	for (unsigned int i = 0; i < nr && !why; i++) {
		why = books[i]->wrong;
		for (unsigned int k = 0; k < books[i]->nr && !why; k++) {
			if (!tag_holds(&books[i]->entries[k], books[i]->entries[k].size))
				why = "the contents of an object changed while it was owned";
			owned += is_slab_object(&books[i]->entries[k]);
		}
	}
	if (why)
		return why;
	heap_shrink_all();
	if (objects_used() != base_objects + owned)
		return say("objects in use", objects_used(), base_objects + owned);
	return verify();
}

const char *heap_census_end(struct heapbook *const *books, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		heapbook_free_all(books[i]);
		if (books[i]->wrong)
			return books[i]->wrong;
	}
	heap_shrink_all();
	if (pages_used() != base_pages)
		return say("pages not given back", pages_used() - base_pages, 0);
	return heap_census_check(books, nr);
}
