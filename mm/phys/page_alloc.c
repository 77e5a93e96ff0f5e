// SPDX-License-Identifier: MIT
/*
 * The page allocator: frames become pages and pages frames.
 *
 * Purpose
 *	alloc_pages() and its relations: choose the zone, see that enough stays free, take frames from the frame
 *	layer (frames.h), make their descriptor that of a page in use. The way back with its checks.
 *
 * Words
 *	first try: the zone that this CPU's node prefers for the request, while it is above its low watermark;
 *	it is a table look-up (pglist_data.alloc_fast) and takes no lock.
 *	fresh: a descriptor in the state that free leaves and alloc expects: PG_init alone, order 0, no
 *	reference, not mapped, mapping 0.
 *	hooks: what start-up options add to alloc and free (zeroing, poison, page_owner, fault injection).
 *
 * Structures
 *	alloc_pages -> first try ---------------------------------> prep -> hooks -> page
 *	      | no                                                   ^
 *	      +-> get_page_from_freelist (zonelist, low watermark) --+
 *	      +-> alloc_pages_slowpath (slowpath.c) -----------------+
 *	__free_pages -> last reference? -> fresh but for the count? -> frame_free
 *	                                     | no: check, clean or report, hooks
 *
 * Invariants
 *	PA-I4  a block in use has its order in its first page's descriptor, compound or not, and a reference
 *	       there; its other pages have none. So a free with another order is noticed.
 *	PA-I5  a frame whose descriptor is not fresh is never handed out: it is reported and stays out of use.
 *	PA-I6  a descriptor belongs to whoever has the frame: all writes to it come before frame_free().
 *
 * Locking
 *	None here: the frame layer serialises frames; a descriptor is its owner's.
 *
 * What failure does
 *	NULL, with Linux's report unless __GFP_NOWARN. A free that makes no sense changes nothing but the count of
 *	bad pages.
 *
 * Differences from Linux
 *	An order is recorded for blocks that are not compound, too. Only a block's first descriptor is looked at
 *	when it is freed; the others when they are next handed out as a block of their own (debug builds and
 *	page_poison=1: all of them, at once).
 */
#include "page_fresh.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/trace.h"
#include "compound.h"
#include "fault_alloc.h"
#include "frame_fast.h"
#include "gfp.h"
#include "hwpoison.h"
#include "memmap.h"
#include "page_owner.h"
#include "page_poison.h"
#include "page_report.h"
#include "watermark.h"

unsigned int alloc_hooks __memsys;
const struct lru_hooks *lru_hooks __memsys;
struct zone *page_zones[MAX_NUMNODES << PAGE_ZONE_BITS] __memsys;
unsigned long page_alloc_pfn_limit __memsys;

/* ---- Descriptors ---- */

static force_inline bool page_is_fresh(const struct page *page)
{
	return load_acquire(&page->flags) == FLAGS_FRESH && load_relaxed(&page->order) == 0 &&
	       load_relaxed(&page->_refcount) == 0 && load_relaxed(&page->_mapcount) == -1;
}

/* Not fresh: not initialised yet, a mark or flags that an earlier block left, or bad. */
static noinline bool page_freshen(struct page *page, unsigned long pfn)
{
	const char *why;

	memmap_ensure(pfn, 0);
	if (load_relaxed(&page->order) & PAGE_TAIL_MARK)
		page_unmark_tail(page);
	why = page_bad_reason(page, 0, PAGE_FLAGS_CHECK_AT_FREE | 1u << PG_hwpoison);
	if (!why) {
		store_relaxed(&page->flags, FLAGS_FRESH);
		store_relaxed(&page->order, 0);
		return true;
	}
	bad_page(page, why);
	return false;
}

/* Every page of the block but the first, when checks are on. */
static bool block_is_fresh(struct page *page, unsigned int order)
{
	bool good = true;

	for (unsigned long i = 1; i < 1ul << order; i++) {
		const char *why = page_bad_reason(page + i, 0, PAGE_FLAGS_CHECK_AT_FREE | 1u << PG_hwpoison);

		if (why) {
			bad_page(page + i, why);
			good = false;
		}
	}
	return good;
}

static noinline bool post_alloc_hook(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned int hooks = READ_ONCE(alloc_hooks);

	if (hooks & HOOK_CHECK && !block_is_fresh(page, order))
		return false;
	if (hooks & HOOK_POISON)
		page_poison_check(page, order);
	if (gfp & __GFP_ZERO || hooks & HOOK_INIT_ON_ALLOC)
		for (unsigned long i = 0; i < 1ul << order; i++)
			clear_highpage(page + i);
	if (hooks & HOOK_OWNER)
		page_owner_set(page, order, gfp);
	trace_event(mm_page_alloc, page_to_pfn(page), order, gfp, gfp_migratetype(gfp));
	return true;
}

static force_inline struct page *prep_page(unsigned long pfn, unsigned int order, gfp_t gfp)
{
	struct page *page = pfn_to_page(pfn);

	if (unlikely(!page_is_fresh(page)) && !page_freshen(page, pfn))
		return NULL;
	if (unlikely(order > PAGEBLOCK_ORDER))
		memmap_ensure(pfn, order);
	if (unlikely((gfp & __GFP_ZERO) | alloc_hooks) && !post_alloc_hook(page, order, gfp))
		return NULL;
	page->private_data = 0;
	page->mapping_index = 0;
	if (order) {
		if (gfp & __GFP_COMP)
			prep_compound_page(page, order);
		else
			store_relaxed(&page->order, (u8)order);
	}
	set_page_count(page, 1);
	return page;
}

struct page *prep_new_page(struct zone *zone, unsigned long pfn, unsigned int order, gfp_t gfp)
{
	(void)zone;
	return prep_page(pfn, order, gfp);
}

/* ---- Choosing the zone ---- */

/* The frame layer counts every allocation as a hit, on its own node or another: this one was wanted elsewhere. */
static void count_numa_miss(struct zone *zone, struct zone *preferred)
{
	mod_zone_page_state(zone, NUMA_HIT, -1);
	mod_zone_page_state(zone, NUMA_MISS, 1);
	mod_zone_page_state(preferred, NUMA_FOREIGN, 1);
}

/* May the zone be used, by watermark? */
static bool zone_allows(struct zone *zone, unsigned int order, unsigned int alloc_flags, const struct alloc_context *ac)
{
	unsigned long mark;

	if (alloc_flags & ALLOC_NO_WATERMARKS)
		return true;
	mark = wmark_pages(zone, (enum zone_watermarks)((alloc_flags & ALLOC_WMARK_MASK) >> 8));
	return zone_watermark_fast(zone, order, mark, ac->highest, alloc_flags);
}

bool (*node_reclaim_hook)(struct zone *zone, int nid, gfp_t gfp, unsigned int order) __memsys;

/* What the watermark forbids may be allowed when the node has been looked through. */
static bool reclaim_allows(struct zone *zone, gfp_t gfp, unsigned int order, unsigned int alloc_flags,
			   const struct alloc_context *ac)
{
	bool (*hook)(struct zone *, int, gfp_t, unsigned int) = READ_ONCE(node_reclaim_hook);

	return unlikely(hook != NULL) && hook(zone, ac->nid, gfp, order) && zone_allows(zone, order, alloc_flags, ac);
}

static struct page *try_zone(struct zone *zone, gfp_t gfp, unsigned int order, unsigned int alloc_flags,
			     const struct alloc_context *ac)
{
	struct page *page;
	unsigned long pfn;

	do {
		pfn = frame_alloc(zone, order, ac->migratetype, alloc_flags & 0xffu);
		if (pfn == PFN_NONE)
			return NULL;
		page = prep_page(pfn, order, gfp);
	} while (!page); /* a bad page stays where it is: try the next */
	if (zone->node != ac->preferred->zone->node)
		count_numa_miss(zone, ac->preferred->zone);
	return page;
}

struct page *get_page_from_freelist(gfp_t gfp, unsigned int order, unsigned int alloc_flags, struct alloc_context *ac)
{
	struct zone *zone, *preferred = ac->preferred->zone;
	struct zoneref *z;

	for (;;) {
		bool strayed = false;

		for (z = ac->preferred; (zone = READ_ONCE(z->zone)) != NULL;
		     z = next_zones_zonelist(z + 1, ac->highest, ac->nodemask)) {
			struct page *page;

			/* mixing migrate types here is better than taking memory from another node */
			if (alloc_flags & ALLOC_NOFRAGMENT && zone->node != preferred->node) {
				strayed = true;
				break;
			}
			if (!zone_allows(zone, order, alloc_flags, ac) &&
			    !reclaim_allows(zone, gfp, order, alloc_flags, ac))
				continue;
			page = try_zone(zone, gfp, order, alloc_flags, ac);
			if (page)
				return page;
		}
		if (!(alloc_flags & ALLOC_NOFRAGMENT) && !strayed)
			return NULL;
		alloc_flags &= ~ALLOC_NOFRAGMENT;
	}
}

unsigned int gfp_to_alloc_flags_cma(gfp_t gfp, unsigned int alloc_flags)
{
	return gfp_migratetype(gfp) == MIGRATE_MOVABLE ? alloc_flags | ALLOC_CMA : alloc_flags;
}

static int first_memory_node(void)
{
	for_each_online_node(nid)
		return nid;
	return NUMA_NO_NODE;
}

static bool request_is_valid(gfp_t gfp, unsigned int order)
{
	unsigned int zones = gfp & (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM);

	if (order > MAX_PAGE_ORDER) {
		pr_err("page allocation of order %u: the largest is %u\n", order, MAX_PAGE_ORDER);
		return false;
	}
	if (gfp & ~__GFP_BITS_MASK || zones & (zones - 1)) {
		char names[GFP_TEXT_MAX];

		gfp_flags_text(names, sizeof(names), gfp);
		pr_err("page allocation with mode:0x%x(%s): %s\n", gfp, names,
		       gfp & ~__GFP_BITS_MASK ? "unknown bits" : "zone modifiers contradict each other");
		return false;
	}
	return true;
}

struct page *__alloc_pages(gfp_t gfp, unsigned int order, int nid, const nodemask_t *nodemask)
{
	struct alloc_context ac = { .nodemask = nodemask };
	struct page *page;
	gfp_t used;

	if (unlikely(!request_is_valid(gfp, order)) || should_fail_alloc_page(gfp, order))
		return NULL;
	used = current_gfp_context(gfp);
	if (nid < 0 || nid >= (int)nr_node_ids || !NODE_DATA(nid)) {
		if (nid >= 0 && gfp & __GFP_THISNODE)
			return NULL;
		nid = first_memory_node();
		if (nid < 0) {
			pr_err("page allocation before mm_init()\n");
			return NULL;
		}
	}
	ac.nid = nid;
	ac.highest = gfp_zone(used);
	ac.migratetype = gfp_migratetype(used);
	ac.zonelist = node_zonelist(nid, used);
	if (unlikely(!ac.zonelist->refs)) {
		pr_err("page allocation before the zonelists are built\n");
		return NULL;
	}
	ac.preferred = first_zones_zonelist(ac.zonelist, ac.highest, nodemask);
	if (likely(ac.preferred->zone)) {
		unsigned int alloc_flags = ALLOC_WMARK_LOW | alloc_flags_nofragment(ac.preferred->zone, used);

		page = get_page_from_freelist(used, order, gfp_to_alloc_flags_cma(used, alloc_flags), &ac);
		if (page)
			return page;
	}
	return alloc_pages_slowpath(current_gfp_context(gfp), order, &ac);
}

/* ---- First try ---- */

static noinline struct page *alloc_pages_general(gfp_t gfp, unsigned int order)
{
	return __alloc_pages(gfp, order, this_cpu()->node, NULL);
}

/* An order above 0, zeroed pages, masks that make no sense. */
static noinline struct page *alloc_pages_other(gfp_t gfp, unsigned int order)
{
	const struct alloc_fast *fast = this_cpu()->fast;
	struct zone *zone;
	struct page *page;
	unsigned long pfn;

	if (unlikely(!fast || order > MAX_PAGE_ORDER || gfp & ~__GFP_BITS_MASK))
		return alloc_pages_general(gfp, order);
	fast += gfp & (ALLOC_FAST_NR - 1);
	zone = fast->zone;
	/* Whether a block of the order is there the frame layer sees for itself; it takes no reserve unless told to. */
	if (unlikely((long)load_relaxed(&zone->stat[NR_FREE_PAGES]) - (1l << order) < READ_ONCE(fast->floor)))
		return alloc_pages_general(gfp, order);
	pfn = frame_alloc(zone, order, fast->migratetype, fast->alloc_flags);
	page = likely(pfn != PFN_NONE) ? prep_page(pfn, order, gfp) : NULL;
	return likely(page != NULL) ? page : alloc_pages_general(gfp, order);
}

/* The zone is well above its low watermark, but the CPU has no frame at hand. */
static noinline struct page *alloc_page_refill(gfp_t gfp, const struct alloc_fast *fast)
{
	unsigned long flags, pfn;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	struct page *page;

	pfn = frame_alloc_slow(fast->zone, 0, fast->migratetype, fast->alloc_flags, cpu, flags);
	page = likely(pfn != PFN_NONE) ? prep_page(pfn, 0, gfp) : NULL;
	return likely(page != NULL) ? page : alloc_pages_general(gfp, 0);
}

/* A frame was taken, but its descriptor is not quite fresh. */
static noinline struct page *alloc_page_prep(gfp_t gfp, unsigned long pfn)
{
	struct page *page = prep_page(pfn, 0, gfp);

	return likely(page != NULL) ? page : alloc_pages_general(gfp, 0);
}

/* A frame that this CPU has at hand. */
static force_inline bool frame_at_hand(const struct zone *zone, unsigned int type, unsigned long *pfn)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(cpu->depth == 1)) {
		struct cpu_pages *cp = cpu_pages_of(zone, cpu);
		struct frame_row *row = &cp->rows[type][0];

		hide_var(row);
		if (likely(load_acquire(&cp->drain) == DRAIN_NONE && row->heads)) {
			*pfn = row_pop(row, row->heads);
			cpu_section_end_outermost(cpu, flags);
			return true;
		}
	}
	cpu_section_end(cpu, flags);
	return false;
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	const struct alloc_fast *fast;
	struct page *page;
	unsigned long pfn;

	if (unlikely((gfp & (__GFP_ZERO | ~__GFP_BITS_MASK)) | order))
		return alloc_pages_other(gfp, order);
	fast = this_cpu()->fast;
	if (unlikely(!fast))
		return alloc_pages_general(gfp, 0);
	fast += gfp & (ALLOC_FAST_NR - 1);
	if (unlikely((long)load_relaxed(&fast->zone->stat[NR_FREE_PAGES]) <= READ_ONCE(fast->floor)))
		return alloc_pages_general(gfp, 0);
	if (unlikely(!frame_at_hand(fast->zone, fast->migratetype, &pfn)))
		return alloc_page_refill(gfp, fast);
	page = pfn_to_page(pfn);
	if (unlikely(!state_is(page, fast->fresh) || page->counts != FRESH_COUNTS))
		return alloc_page_prep(gfp, pfn);
	page->private_data = 0;
	page->mapping_index = 0;
	set_page_count(page, 1);
	return page;
}

struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	if (nid == NUMA_NO_NODE || nid == this_cpu()->node)
		return alloc_pages(gfp, order);
	if (nid < 0 || nid >= (int)nr_node_ids) {
		pr_err("page allocation on node %d: nodes are 0 to %u\n", nid, nr_node_ids - 1);
		return NULL;
	}
	return __alloc_pages(gfp, order, nid, NULL);
}

struct folio *folio_alloc(gfp_t gfp, unsigned int order)
{
	return (struct folio *)alloc_pages(gfp | __GFP_COMP, order);
}

/* ---- Freeing ---- */

/* NULL, or why the block cannot be freed. It has no reference any more. */
static const char *block_bad_reason(struct page *page, unsigned int order)
{
	const char *why = page_bad_reason(page, 0, PAGE_FLAGS_CHECK_AT_FREE);

	if (why || !(alloc_hooks & HOOK_CHECK))
		return why;
	for (unsigned long i = 1; i < 1ul << order && !why; i++)
		why = page_bad_reason(page + i, 0, PAGE_FLAGS_CHECK_AT_FREE);
	return why;
}

/* Linux's, too: who unmapped it last did not know that it was locked. */
static void forget_mlocked(struct page *page, unsigned int order)
{
	if (unlikely(PageMlocked(page)) && TestClearPageMlocked(page)) {
		mod_zone_page_state(page_zone_of(page), NR_MLOCK, -(1l << order));
		count_vm_events(UNEVICTABLE_PGCLEARED, 1ul << order);
	}
}

bool free_pages_ok(struct page *page, unsigned int order)
{
	unsigned int hooks = READ_ONCE(alloc_hooks);
	unsigned long pfn = page_to_pfn(page);
	const char *why;

	if (page_mapping_handle(page) & PAGE_MAPPING_ANON)
		page->mapping_index = 0;
	forget_mlocked(page, order);
	trace_event(mm_page_free, pfn, order);
	why = block_bad_reason(page, order);
	if (unlikely(why)) {
		bad_page(page, why);
		return false;
	}
	if (unlikely(PageHWPoison(page) && !order)) {
		if (hooks & HOOK_OWNER)
			page_owner_reset(page, order);
		return false;
	}
	if (hooks & HOOK_OWNER)
		page_owner_reset(page, order);
	for (unsigned long i = 0; i < 1ul << order && hooks & HOOK_CHECK; i++)
		store_relaxed(&page[i].flags, FLAGS_FRESH);
	page->mapping_index = 0;
	store_relaxed(&page->flags, FLAGS_FRESH);
	store_relaxed(&page->order, 0);
	if (hooks & HOOK_POISON)
		page_poison_fill(page, order);
	for (unsigned long i = 0; i < 1ul << order && hooks & HOOK_INIT_ON_FREE && !(hooks & HOOK_POISON); i++)
		clear_highpage(page + i);
	if (likely(frame_free(page_zone_of(page), pfn, order)))
		return true;
	bad_page(page, "freed twice: frame is free already");
	return false;
}

static noinline void free_frame(struct page *page, unsigned long pfn, unsigned int order)
{
	if (unlikely(!frame_free(page_zone_of(page), pfn, order)))
		bad_page(page, "freed twice: frame is free already");
}

/* What is poisoned of it stays out of use. */
static noinline void free_block(struct page *page, unsigned int order)
{
	if (block_has_poison(page, order)) {
		forget_mlocked(page, order); /* the head's mark stands for all */
		free_around_poison(page, order);
	} else {
		(void)free_pages_ok(page, order);
	}
}

/*
 * Somebody else still holds the first page of a block that is not compound: the other pages are freed now, the
 * first by its last holder.
 */
static noinline void free_all_but_first(struct page *page, unsigned int order)
{
	store_relaxed(&page->order, 0);
	while (order-- > 0) {
		struct page *half = page + (1ul << order);

		if (load_relaxed(&half->order) & PAGE_TAIL_MARK)
			page_unmark_tail(half);
		free_block(half, order);
	}
}

static noinline void free_bad(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int has;

	if (pfn >= page_alloc_pfn_limit || !pfn_valid(pfn) || !IS_ALIGNED((uintptr_t)page, __alignof__(struct page))) {
		bad_pfn(pfn, page, "not a page of this machine");
		return;
	}
	has = load_relaxed(&page->order);
	if (PageTail(page))
		bad_page(page, "freed by a tail page");
	else if (page_ref_count(page) <= 0)
		bad_page(page, "freed twice: nonpositive _refcount");
	else
		bad_free_order(page, order, has & PAGE_ORDER_MASK);
}

/* Not a single page in the plainest state. */
static noinline void free_pages_general(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	bool head;

	if (unlikely(pfn >= page_alloc_pfn_limit || page_ref_count(page) <= 0 || load_relaxed(&page->order) != order)) {
		free_bad(page, order);
		return;
	}
	/* Behind our reference somebody's last one may clear it. */
	head = order && PageHead(page);
	if (likely(atomic_fetch_sub(&page->_refcount, 1) == 1)) {
		/* While it is on the lists it has to have the size that it is counted with. */
		if (page_of_lists(page) && lru_hooks)
			lru_hooks->gone(page, order);
		if (head)
			__ClearPageHead(page);
		if (likely(load_relaxed(&page->flags) == FLAGS_FRESH && page->_mapcount == -1 &&
			   !page->mapping_index && !(alloc_hooks & HOOKS_AT_FREE) &&
			   !load_relaxed(&num_poisoned_pages))) {
			store_relaxed(&page->order, 0);
			free_frame(page, pfn, order);
		} else {
			free_block(page, order);
		}
	} else if (order && !head) {
		free_all_but_first(page, order);
	}
}

/* The count was not 0 after it was lowered. Below 0 the page was free already; at 0 another's last one went since. */
static noinline void free_not_last(struct page *page)
{
	if (likely(page_ref_count(page) >= 0))
		return;
	atomic_fetch_add(&page->_refcount, 1);
	free_bad(page, 0);
}

void __free_pages(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	struct zone *zone;

	if (unlikely(order || pfn >= page_alloc_pfn_limit)) {
		free_pages_general(page, order);
		return;
	}
	zone = page_zones[load_relaxed(&page->ids) & (ARRAY_SIZE(page_zones) - 1)];
	if (unlikely(!state_is(page, READ_ONCE(zone->fresh)))) {
		free_pages_general(page, 0);
		return;
	}
	if (unlikely(atomic_sub_fetch(&page->_refcount, 1) != 0)) {
		free_not_last(page);
		return;
	}
	/* The flags once more: who had the other reference may have poisoned the page before giving it back. */
	if (unlikely(load_relaxed(&page->flags) != FLAGS_FRESH || page->_mapcount != -1 || page->mapping_index)) {
		if (page_of_lists(page) && lru_hooks)
			lru_hooks->gone(page, 0);
		(void)free_pages_ok(page, 0);
		return;
	}
	if (unlikely(!frame_put_back(zone, pfn, 1)))
		free_frame(page, pfn, 0);
}

void put_page(struct page *page)
{
	struct page *head = compound_head(page);
	s32 count = page_ref_count(head);

	/* Most often it is not the last one. */
	while (count > 1) {
		s32 seen = atomic_cmpxchg(&head->_refcount, count, count - 1);

		if (likely(seen == count))
			return;
		count = seen;
	}
	__free_pages(head, compound_order(head));
}

bool get_page_unless_zero(struct page *page)
{
	s32 count = page_ref_count(page);

	while (count > 0) {
		s32 seen = atomic_cmpxchg(&page->_refcount, count, count + 1);

		if (seen == count)
			return true;
		count = seen;
	}
	return false;
}

void split_page(struct page *page, unsigned int order)
{
	if (page_ref_count(page) <= 0 || PageCompound(page) || load_relaxed(&page->order) != order) {
		bad_page(page, PageCompound(page) ? "split_page() of a compound page" :
						    "split_page() of another order");
		return;
	}
	store_relaxed(&page->order, 0);
	for (unsigned long i = 1; i < 1ul << order; i++) {
		if (load_relaxed(&page[i].order) & PAGE_TAIL_MARK)
			page_unmark_tail(page + i);
		page[i].private_data = 0;
		page[i].mapping_index = 0;
		set_page_count(page + i, 1);
	}
	if (alloc_hooks & HOOK_OWNER)
		page_owner_split(page, order);
}

/* ---- Counts and caches ---- */

unsigned long nr_free_pages(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

unsigned long totalram_pages(void)
{
	unsigned long sum = 0;

	for_each_zone(zone)
		sum += zone_managed_pages(zone);
	return sum;
}

void drain_all_pages(struct zone *zone)
{
	for_each_populated_zone(z)
		if (!zone || z == zone)
			frames_drain_all(z);
}

void drain_local_pages(struct zone *zone)
{
	for_each_populated_zone(z)
		if (!zone || z == zone)
			frames_drain_cpu(z);
}
