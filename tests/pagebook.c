// SPDX-License-Identifier: MIT
#include "pagebook.h"

#include <octavo/memblock.h>
#include <octavo/verify.h>

#include "mm/phys/zone.h"

const gfp_t book_gfps[BOOK_GFPS] = {
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_RECLAIMABLE,
	GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN,
	GFP_ATOMIC | __GFP_NOWARN,
	GFP_NOWAIT,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_ZERO,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_COMP,
	GFP_DMA | GFP_NOWAIT,
	GFP_DMA32 | GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN | __GFP_THISNODE,
	GFP_TRANSHUGE_LIGHT,
	GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN | __GFP_ZERO | __GFP_COMP,
};

static void wrong(struct pagebook *book, const char *what)
{
	if (!book->wrong)
		book->wrong = what;
}

void book_init(struct pagebook *book, u64 owner)
{
	book->nr = 0;
	book->pages = 0;
	book->next_tag = (owner + 1) << 40;
	book->wrong = NULL;
}

/* ---- Tags: first and last word of a page ---- */

#define PAGE_WORDS (PAGE_SIZE / sizeof(u64))

/* Of a large block some pages bear tags: every one costs a window where there is no direct map. */
static unsigned long tag_step(unsigned long nr)
{
	return nr <= 16 ? 1 : nr / 16;
}

static void tag_pages(const struct book_entry *e)
{
	for (unsigned long i = 0; i < e->nr; i += tag_step(e->nr)) {
		u64 *words = kmap_local_page(pfn_to_page(page_to_pfn(e->page) + i));

		words[0] = e->tag + i;
		words[PAGE_WORDS - 1] = ~(e->tag + i);
		kunmap_local(words);
	}
}

static bool tags_hold(const struct book_entry *e)
{
	bool ok = true;

	for (unsigned long i = 0; i < e->nr; i += tag_step(e->nr)) {
		u64 *words = kmap_local_page(pfn_to_page(page_to_pfn(e->page) + i));

		ok = ok && words[0] == e->tag + i && words[PAGE_WORDS - 1] == ~(e->tag + i);
		kunmap_local(words);
	}
	return ok;
}

static bool reads_zero(const struct book_entry *e)
{
	bool ok = true;

	for (unsigned long i = 0; i < e->nr && ok; i += tag_step(e->nr)) {
		u64 *words = kmap_local_page(pfn_to_page(page_to_pfn(e->page) + i));

		for (size_t w = 0; w < PAGE_WORDS; w++)
			ok = ok && !words[w];
		kunmap_local(words);
	}
	return ok;
}

/* ---- Entries ---- */

static void record(struct pagebook *book, struct book_entry e)
{
	e.tag = book->next_tag;
	book->next_tag += e.nr;
	tag_pages(&e);
	book->entries[book->nr++] = e;
	book->pages += e.nr;
}

struct book_entry book_take(struct pagebook *book, unsigned int index)
{
	struct book_entry e = book->entries[index];

	book->entries[index] = book->entries[--book->nr];
	book->pages -= e.nr;
	return e;
}

bool book_put(struct pagebook *book, const struct book_entry *entry)
{
	if (book->nr == BOOK_MAX)
		return false;
	book->entries[book->nr++] = *entry;
	book->pages += entry->nr;
	return true;
}

static const char *check_block(const struct book_entry *e, gfp_t gfp, int nid)
{
	unsigned long pfn = page_to_pfn(e->page);

	if (pfn & (e->nr - 1))
		return "a block is not aligned to its size";
	if (page_ref_count(e->page) != 1)
		return "a new page's reference count is not 1";
	if (page_zonenum(e->page) > gfp_zone(gfp))
		return "a page from a zone above those allowed";
	if (gfp & __GFP_THISNODE && nid >= 0 && page_to_nid(e->page) != nid)
		return "__GFP_THISNODE was not honoured";
	if (e->order && !!(gfp & __GFP_COMP) != !!PageHead(e->page))
		return "__GFP_COMP and a head page do not go together";
	if (e->order && gfp & __GFP_COMP) {
		struct page *last = pfn_to_page(pfn + e->nr - 1);

		if (compound_order(e->page) != e->order || compound_head(last) != e->page)
			return "a compound page's order or head is wrong";
	}
	if (gfp & __GFP_ZERO && !reads_zero(e))
		return "__GFP_ZERO gave a page that is not zero";
	return NULL;
}

/*
 * May an order-0 request fail? Not while a quarter of the frames it can have is free: watermarks and reserves of the
 * tests' machines are well below that.
 */
static bool failure_is_wrong(gfp_t gfp, unsigned int order, int nid)
{
	unsigned long managed = 0, free = 0;

	if (order)
		return false;
	for_each_populated_zone(zone) {
		if (zone->type > gfp_zone(gfp) || (gfp & __GFP_THISNODE && zone->node != nid))
			continue;
		managed += zone_managed_pages(zone);
		free += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	}
	return free > managed / 4 + 256;
}

bool book_alloc(struct pagebook *book, gfp_t gfp, unsigned int order, int nid)
{
	struct book_entry e = { .nr = 1ul << order, .order = (u8)order, .comp = order && gfp & __GFP_COMP };
	const char *why;

	if (book->nr == BOOK_MAX)
		return false;
	e.page = alloc_pages_node(nid, gfp, order);
	if (!e.page) {
		if (failure_is_wrong(gfp, order, nid))
			wrong(book, "a single page was refused although plenty are free");
		return false;
	}
	why = check_block(&e, gfp, nid);
	if (why)
		wrong(book, why);
	record(book, e);
	return true;
}

bool book_alloc_bulk(struct pagebook *book, gfp_t gfp, unsigned long nr)
{
	struct page *pages[128] = { NULL };
	unsigned long got;

	nr = min_t(unsigned long, nr, ARRAY_SIZE(pages));
	nr = min_t(unsigned long, nr, BOOK_MAX - book->nr);
	got = nr ? alloc_pages_bulk(gfp, nr, pages) : 0;
	for (unsigned long i = 0; i < nr; i++) {
		struct book_entry e = { .page = pages[i], .nr = 1 };
		const char *why;

		if ((i < got) != !!pages[i])
			wrong(book, "alloc_pages_bulk() says another number than it filled in");
		if (!pages[i])
			continue;
		why = check_block(&e, gfp, NUMA_NO_NODE);
		if (why)
			wrong(book, why);
		record(book, e);
	}
	return got != 0;
}

bool book_alloc_exact(struct pagebook *book, size_t size)
{
	struct book_entry e = { .kind = BOOK_EXACT, .nr = PFN_UP(size) };
	void *virt;

	if (book->nr == BOOK_MAX || !size)
		return false;
	virt = alloc_pages_exact(size, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!virt)
		return false;
	e.page = virt_to_page(virt);
	if (!e.page || page_address(e.page) != virt) {
		wrong(book, "alloc_pages_exact(): address and page do not agree");
		return false;
	}
	record(book, e);
	return true;
}

bool book_alloc_contig(struct pagebook *book, unsigned long start, unsigned long nr)
{
	struct book_entry e = { .kind = BOOK_CONTIG, .nr = nr };
	int err;

	if (book->nr == BOOK_MAX)
		return false;
	err = alloc_contig_range(start, start + nr, MIGRATE_MOVABLE, GFP_KERNEL | __GFP_NOWARN);
	if (err) {
		if (err != -EBUSY && err != -EINVAL)
			wrong(book, "alloc_contig_range() fails with an undocumented error");
		return false;
	}
	e.page = pfn_to_page(start);
	record(book, e);
	return true;
}

static void release(struct pagebook *book, const struct book_entry *e)
{
	if (!tags_hold(e))
		wrong(book, "the contents of a page changed while it was owned");
	if (e->kind == BOOK_CONTIG)
		free_contig_range(page_to_pfn(e->page), e->nr);
	else if (e->kind == BOOK_EXACT)
		free_pages_exact(page_address(e->page), e->nr * PAGE_SIZE);
	else
		__free_pages(e->page, e->order);
}

void book_free(struct pagebook *book, unsigned int index)
{
	struct book_entry e = book_take(book, index);

	release(book, &e);
}

void book_free_all(struct pagebook *book)
{
	while (book->nr)
		book_free(book, book->nr - 1);
}

void book_split(struct pagebook *book, unsigned int index)
{
	struct book_entry e = book->entries[index];

	if (e.kind != BOOK_PAGES || !e.order || e.comp || book->nr + e.nr > BOOK_MAX)
		return;
	if (!tags_hold(&e))
		wrong(book, "the contents of a page changed while it was owned");
	book_take(book, index);
	split_page(e.page, e.order);
	for (unsigned long i = 0; i < e.nr; i++) {
		struct book_entry one = { .page = pfn_to_page(page_to_pfn(e.page) + i), .nr = 1 };

		if (page_ref_count(one.page) != 1)
			wrong(book, "split_page() left a page without its own reference");
		record(book, one);
	}
}

void book_free_late(struct pagebook *book, unsigned int index)
{
	struct book_entry e = book->entries[index];

	if (e.kind != BOOK_PAGES || (e.order && !e.comp))
		return;
	get_page(e.page);
	__free_pages(e.page, e.order);
	if (page_ref_count(e.page) != 1 || !tags_hold(&e))
		wrong(book, "a page with another reference was freed");
	book_take(book, index);
	put_page(e.page);
}

/* ---- Census ---- */

/* The tests' machines have fewer frames; of a larger one the first so many are looked at. */
#define CENSUS_FRAMES (1ul << 17)
static u8 in_use[CENSUS_FRAMES]; /* by place in the walk over zones: 1 at the beginning, 2 in a book */
static unsigned long base_free, base_used;

/* Memory's frames, zone by zone. No descriptor is looked at, lest they all be initialised. */
static void for_each_frame(void (*fn)(struct zone *zone, unsigned long pfn, unsigned long place))
{
	unsigned long place = 0, start, end;
	u64 cursor;
	int nid;

	for_each_mem_pfn_range(cursor, NUMA_NO_NODE, &start, &end, &nid) {
		for_each_populated_zone(zone) {
			unsigned long first = max(start, zone->zone_start_pfn), last = min(end, zone_end_pfn(zone));

			for (; zone->node == nid && first < last && place < CENSUS_FRAMES; first++)
				fn(zone, first, place++);
		}
	}
}

static void note_use(struct zone *zone, unsigned long pfn, unsigned long place)
{
	in_use[place] = frame_state(zone, pfn) == 0;
	base_used += in_use[place];
}

void census_begin(void)
{
	drain_all_pages(NULL);
	base_used = 0;
	for_each_frame(note_use);
	base_free = nr_free_pages();
}

static unsigned long gone, used_now, cached;

static void compare_use(struct zone *zone, unsigned long pfn, unsigned long place)
{
	int state = frame_state(zone, pfn);

	cached += state == 2;
	used_now += state == 0;
	if (in_use[place] && state)
		gone++;
}

static char finding[256];

static void keep_finding(void *ctx, const char *line)
{
	(void)ctx;
	if (!finding[0])
		strscpy(finding, line, sizeof(finding));
}

static const char *check_owned(struct pagebook *book)
{
	if (book->wrong)
		return book->wrong;
	for (unsigned int i = 0; i < book->nr; i++) {
		const struct book_entry *e = &book->entries[i];

		if (!tags_hold(e))
			return "the contents of a page changed while it was owned";
		for (unsigned long k = 0; k < e->nr; k++) {
			unsigned long pfn = page_to_pfn(e->page) + k;

			if (frame_state(page_zone(e->page), pfn) != 0)
				return "a page in a book is free";
		}
	}
	return NULL;
}

static const char *say(const char *what, unsigned long got, unsigned long want)
{
	octavo_snprintf(finding, sizeof(finding), "%s: %lu, not %lu", what, got, want);
	return finding;
}

const char *census_check(struct pagebook *const *books, unsigned int nr)
{
	unsigned long owned = 0;

	drain_all_pages(NULL);
	for (unsigned int i = 0; i < nr; i++) {
		const char *why = check_owned(books[i]);

		if (why)
			return why;
		owned += books[i]->pages;
	}
	gone = used_now = cached = 0;
	for_each_frame(compare_use);
	if (gone)
		return say("frames in use from the beginning that are free now", gone, 0);
	if (cached)
		return say("frames left in caches after a drain", cached, 0);
	if (used_now != base_used + owned)
		return say("frames in use", used_now, base_used + owned);
	if (nr_free_pages() != base_free - owned)
		return say("nr_free_pages()", nr_free_pages(), base_free - owned);
	finding[0] = 0;
	if (mm_verify(keep_finding, NULL))
		return finding[0] ? finding : "mm_verify() finds fault";
	return NULL;
}
