/* SPDX-License-Identifier: MIT */
/*
 * struct page: what is known of one page frame, in 32 bytes.
 *
 * Legend of who may change a field: (a) atomic by anyone with a reference, (r) by who owns the only
 * reference, (i) constant once initialised, (l) the LRU lock, (m) the mapping's lock.
 */
#ifndef OCTAVO_PAGE_H
#define OCTAVO_PAGE_H

#include <octavo/mmzone.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/*
 * PG_ bits, in the order of Linux 6.12's enum pageflags (so that /proc/kpageflags and reports read alike),
 * and behind them what Linux keeps in page_type and in compound_head.
 */
enum pageflags {
	PG_locked,
	PG_writeback,
	PG_referenced,
	PG_uptodate,
	PG_dirty,
	PG_lru,
	PG_head,
	PG_waiters,
	PG_active,
	PG_workingset,
	PG_owner_priv_1,
	PG_owner_2,
	PG_arch_1,
	PG_reserved,
	PG_private,
	PG_private_2,
	PG_reclaim,
	PG_swapbacked,
	PG_unevictable,
	PG_mlocked,
	PG_hwpoison,
	PG_young,
	PG_idle,
	PG_arch_2,
	/* kinds of page that are neither user memory nor page cache */
	PG_slab,
	PG_table,
	PG_offline,
	PG_guard,
	PG_hugetlb,
	PG_zsmalloc,
	PG_init,	 /* this struct page has been initialised */
	PG_lru_refs,	 /* mm/lru: how often it was used, with PG_referenced and PG_active */
	NR_PAGEFLAGS
};
octavo_static_assert(NR_PAGEFLAGS <= 32, "page flags are one 32-bit word");

/* Flags no page may have when it is freed: somebody still uses it. */
#define PAGE_FLAGS_CHECK_AT_FREE                                                                                   \
	(1u << PG_lru | 1u << PG_locked | 1u << PG_private | 1u << PG_private_2 | 1u << PG_writeback |              \
	 1u << PG_reserved | 1u << PG_slab | 1u << PG_active | 1u << PG_unevictable | 1u << PG_mlocked |             \
	 1u << PG_table | 1u << PG_offline)
/* Flags no page may have when it is handed out. */
#define PAGE_FLAGS_CHECK_AT_PREP (0xffffffffu & ~(1u << PG_init))

/* ids: zone and node of the page */
#define PAGE_ZONE_BITS 3
#define PAGE_NODE_BITS 10
octavo_static_assert(PAGE_ZONE_BITS + PAGE_NODE_BITS <= 16, "zone and node are one 16-bit word");
octavo_static_assert(MAX_NR_ZONES <= 1 << PAGE_ZONE_BITS, "zone number fits");
octavo_static_assert(MAX_NUMNODES <= 1 << PAGE_NODE_BITS, "node number fits");

/*
 * mapping: 28 bits of handle (what owns the contents: an address_space, an anon_vma) and 36 bits of index in
 * units of pages: 2^48 bytes, the whole of a 4-level user address space, and files up to 256 TiB.
 */
#define PAGE_INDEX_BITS 36

/*
 * order: an allocated block's first page has its order here; a page that was made the tail of a compound page
 * has PAGE_TAIL_MARK and the compound page's order, which finds the head by alignment. The mark is a hint: it
 * stays when the block is freed, so that the next compound page there finds its tails made, and holds only as
 * long as the page it leads to is a head that reaches this far (see page_tail_head()).
 */
#define PAGE_TAIL_MARK 0x80u
#define PAGE_ORDER_MASK 0x1fu

struct page {
	union {
		struct {
			u32 flags; /* (a) 1 << PG_* */
			u8 order;	/* (r) see above */
			u8 tails_ready; /* (a) the 2^n - 1 pages behind carry the marks of tails of this page */
			u16 ids;	/* (i) zone, node; above them (l) the generation on the lists of mm/lru */
		};
		u64 state; /* all of it at one look */
	};
	union {
		struct {
			s32 _refcount; /* (a) 0: free, or inside a larger block */
			s32 _mapcount; /* (a) page table entries that map it, less 1 */
		};
		u64 counts;
	};
	union {
		struct {
			u32 lru_next, lru_prev; /* (l) s32: how many descriptors on the neighbours are; 0: none */
		};
		u64 private_data; /* (r) what the owner wants */
	};
	u64 mapping_index; /* (m) */
};
octavo_static_assert(sizeof(struct page) <= 32, "a descriptor takes at most half a cache line");

/** struct folio - a page that is not a tail: alone or the head of a compound page */
struct folio {
	struct page page;
};

/* ---- Memory model: frame number <-> descriptor ---- */

/* The vmemmap model: descriptors of all frames, present or not, in one virtual array. */
extern OCTAVO_API struct page *vmemmap;

#if !defined(OCTAVO_MEMORY_MODEL_SPARSE) && !defined(OCTAVO_MEMORY_MODEL_DISCONTIG)
/* flat: @vmemmap is mem_map less the first frame; vmemmap: the window. One arithmetic for both. */
static inline struct page *pfn_to_page(unsigned long pfn)
{
	return vmemmap + pfn;
}

static inline unsigned long page_to_pfn(const struct page *page)
{
	return (unsigned long)(page - vmemmap);
}
#else
OCTAVO_API struct page *pfn_to_page(unsigned long pfn);
OCTAVO_API unsigned long page_to_pfn(const struct page *page);
#endif

/** pfn_valid - is there a descriptor for this frame? (It need not be RAM: holes in a section have one.) */
OCTAVO_API bool pfn_valid(unsigned long pfn);

/**
 * pfn_to_online_page - the initialised descriptor of a frame of online memory, or NULL
 * This is how code that did not get a page from the allocator may come by it: descriptors are initialised
 * lazily, and this sees to it.
 */
OCTAVO_API struct page *pfn_to_online_page(unsigned long pfn);

static inline enum zone_type page_zonenum(const struct page *page)
{
	return (enum zone_type)(__atomic_load_n(&page->ids, __ATOMIC_RELAXED) & ((1u << PAGE_ZONE_BITS) - 1));
}

static inline int page_to_nid(const struct page *page)
{
	return (int)(__atomic_load_n(&page->ids, __ATOMIC_RELAXED) >> PAGE_ZONE_BITS & ((1u << PAGE_NODE_BITS) - 1));
}

OCTAVO_API struct zone *page_zone(const struct page *page);

/* ---- Flags ---- */

static inline bool page_test_flag(const struct page *page, unsigned int bit)
{
	return (__atomic_load_n(&page->flags, __ATOMIC_RELAXED) >> bit) & 1;
}

/*
 * A flag of a page that the caller knows nobody to change, or takes as a hint: a plain read, which the compiler may
 * fold.
 * (The thread sanitizer is told the truth: that it may race.)
 */
static inline bool page_plain_flag(const struct page *page, unsigned int bit)
{
#ifdef __SANITIZE_THREAD__
	return page_test_flag(page, bit);
#else
	return (page->flags >> bit) & 1;
#endif
}

/*
 * PageXxx() tests, SetPageXxx() and ClearPageXxx() change atomically, __SetPageXxx() and __ClearPageXxx()
 * do when nobody else can see the page, TestSetPageXxx() and TestClearPageXxx() return what it was. None but these
 * last, and PageUptodate(), says anything of other memory.
 */
#define OCTAVO_PAGEFLAG(Name, bit)                                                                  \
	static inline bool Page##Name(const struct page *page)                                      \
	{                                                                                           \
		return page_test_flag(page, bit);                                                   \
	}                                                                                           \
	static inline void SetPage##Name(struct page *page)                                         \
	{                                                                                           \
		__atomic_fetch_or(&page->flags, 1u << (bit), __ATOMIC_RELAXED);                     \
	}                                                                                           \
	static inline void ClearPage##Name(struct page *page)                                       \
	{                                                                                           \
		__atomic_fetch_and(&page->flags, ~(1u << (bit)), __ATOMIC_RELAXED);                 \
	}                                                                                           \
	static inline void __SetPage##Name(struct page *page)                                       \
	{                                                                                           \
		__atomic_store_n(&page->flags, page->flags | 1u << (bit), __ATOMIC_RELAXED);        \
	}                                                                                           \
	static inline void __ClearPage##Name(struct page *page)                                     \
	{                                                                                           \
		__atomic_store_n(&page->flags, page->flags & ~(1u << (bit)), __ATOMIC_RELAXED);     \
	}                                                                                           \
	static inline bool TestSetPage##Name(struct page *page)                                     \
	{                                                                                           \
		return (__atomic_fetch_or(&page->flags, 1u << (bit), __ATOMIC_ACQ_REL) >> (bit)) & 1; \
	}                                                                                           \
	static inline bool TestClearPage##Name(struct page *page)                                   \
	{                                                                                           \
		return (__atomic_fetch_and(&page->flags, ~(1u << (bit)), __ATOMIC_ACQ_REL) >> (bit)) & 1; \
	}

OCTAVO_PAGEFLAG(Locked, PG_locked)
OCTAVO_PAGEFLAG(Writeback, PG_writeback)
OCTAVO_PAGEFLAG(Referenced, PG_referenced)
OCTAVO_PAGEFLAG(Dirty, PG_dirty)
OCTAVO_PAGEFLAG(LRU, PG_lru)
OCTAVO_PAGEFLAG(Head, PG_head)
OCTAVO_PAGEFLAG(Waiters, PG_waiters)
OCTAVO_PAGEFLAG(Active, PG_active)
OCTAVO_PAGEFLAG(Workingset, PG_workingset)
OCTAVO_PAGEFLAG(OwnerPriv1, PG_owner_priv_1)
OCTAVO_PAGEFLAG(Checked, PG_owner_priv_1)
OCTAVO_PAGEFLAG(SwapCache, PG_owner_priv_1)
OCTAVO_PAGEFLAG(MappedToDisk, PG_owner_2)
OCTAVO_PAGEFLAG(AnonExclusive, PG_owner_2)
OCTAVO_PAGEFLAG(Arch1, PG_arch_1)
OCTAVO_PAGEFLAG(Reserved, PG_reserved)
OCTAVO_PAGEFLAG(Private, PG_private)
OCTAVO_PAGEFLAG(Private2, PG_private_2)
OCTAVO_PAGEFLAG(LookAgain, PG_private_2)
OCTAVO_PAGEFLAG(Reclaim, PG_reclaim)
OCTAVO_PAGEFLAG(Readahead, PG_reclaim)
OCTAVO_PAGEFLAG(SwapBacked, PG_swapbacked)
OCTAVO_PAGEFLAG(Unevictable, PG_unevictable)
OCTAVO_PAGEFLAG(Mlocked, PG_mlocked)
OCTAVO_PAGEFLAG(HWPoison, PG_hwpoison)
OCTAVO_PAGEFLAG(Young, PG_young)
OCTAVO_PAGEFLAG(Idle, PG_idle)
OCTAVO_PAGEFLAG(Arch2, PG_arch_2)
OCTAVO_PAGEFLAG(Slab, PG_slab)
OCTAVO_PAGEFLAG(Table, PG_table)
OCTAVO_PAGEFLAG(Offline, PG_offline)
OCTAVO_PAGEFLAG(Guard, PG_guard)
OCTAVO_PAGEFLAG(Hugetlb, PG_hugetlb)
OCTAVO_PAGEFLAG(Zsmalloc, PG_zsmalloc)

/* The page holds what it is to hold: who sees the flag sees the bytes that were there when it was set. */
static inline bool PageUptodate(const struct page *page)
{
	return (__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) >> PG_uptodate) & 1;
}

static inline void SetPageUptodate(struct page *page)
{
	__atomic_fetch_or(&page->flags, 1u << PG_uptodate, __ATOMIC_RELEASE);
}

static inline void __SetPageUptodate(struct page *page)
{
	__atomic_store_n(&page->flags, page->flags | 1u << PG_uptodate, __ATOMIC_RELEASE);
}

static inline void ClearPageUptodate(struct page *page)
{
	__atomic_fetch_and(&page->flags, ~(1u << PG_uptodate), __ATOMIC_RELAXED);
}

/* ---- Compound pages and folios ---- */

/* The head of a page with a tail mark, or the page itself if the mark is of a compound page that is no more. */
static inline struct page *page_tail_head(struct page *page, unsigned int mark)
{
	unsigned long offset = page_to_pfn(page) & ((1ul << (mark & PAGE_ORDER_MASK)) - 1);
	struct page *head = page - offset;

	if (!PageHead(head) || offset >> (__atomic_load_n(&head->order, __ATOMIC_RELAXED) & PAGE_ORDER_MASK))
		return page;
	return head;
}

static inline struct page *compound_head(struct page *page)
{
	unsigned int mark = __atomic_load_n(&page->order, __ATOMIC_RELAXED);

	return mark & PAGE_TAIL_MARK ? page_tail_head(page, mark) : page;
}

static inline bool PageTail(const struct page *page)
{
	return compound_head((struct page *)page) != page;
}

static inline bool PageCompound(const struct page *page)
{
	return PageHead(page) || PageTail(page);
}

/** compound_order - order of the compound page that @head heads; 0 for a single page */
static inline unsigned int compound_order(const struct page *head)
{
	if (!PageHead(head))
		return 0;
	return __atomic_load_n(&head->order, __ATOMIC_RELAXED) & PAGE_ORDER_MASK;
}

static inline unsigned long compound_nr(const struct page *head)
{
	return 1ul << compound_order(head);
}

static inline struct folio *page_folio(struct page *page)
{
	return (struct folio *)compound_head(page);
}

static inline struct page *folio_page(struct folio *folio, size_t n)
{
	return &folio->page + n;
}

static inline unsigned int folio_order(const struct folio *folio)
{
	return compound_order(&folio->page);
}

static inline unsigned long folio_nr_pages(const struct folio *folio)
{
	return 1ul << folio_order(folio);
}

static inline size_t folio_size(const struct folio *folio)
{
	return PAGE_SIZE << folio_order(folio);
}

static inline unsigned long folio_pfn(const struct folio *folio)
{
	return page_to_pfn(&folio->page);
}

/* ---- Reference and map counts ---- */

static inline int page_ref_count(const struct page *page)
{
	return __atomic_load_n(&page->_refcount, __ATOMIC_RELAXED);
}

static inline int page_count(struct page *page)
{
	return page_ref_count(compound_head(page));
}

static inline int page_mapcount(struct page *page)
{
	return __atomic_load_n(&page->_mapcount, __ATOMIC_RELAXED) + 1;
}

static inline void set_page_count(struct page *page, int count)
{
	__atomic_store_n(&page->_refcount, count, __ATOMIC_RELAXED);
}

static inline void get_page(struct page *page)
{
	__atomic_fetch_add(&compound_head(page)->_refcount, 1, __ATOMIC_RELAXED);
}

static inline bool put_page_testzero(struct page *page)
{
	return __atomic_fetch_sub(&page->_refcount, 1, __ATOMIC_ACQ_REL) == 1;
}

/** get_page_unless_zero - a reference, if the page is in use at all */
OCTAVO_API bool get_page_unless_zero(struct page *page);

/** put_page - drop a reference to the page's folio; frees it with the last. Any context. */
OCTAVO_API void put_page(struct page *page);

static inline void folio_get(struct folio *folio)
{
	get_page(&folio->page);
}

static inline void folio_put(struct folio *folio)
{
	put_page(&folio->page);
}

/* ---- Mapping and index ---- */

static inline u64 page_index(const struct page *page)
{
	return page->mapping_index & (((u64)1 << PAGE_INDEX_BITS) - 1);
}

static inline u32 page_mapping_handle(const struct page *page)
{
	return (u32)(page->mapping_index >> PAGE_INDEX_BITS);
}

/* Of the handle: it is an anon_vma's. The mark stays until the page is freed. */
#define PAGE_MAPPING_ANON (1u << 27)

static inline void page_set_mapping(struct page *page, u32 handle, u64 index)
{
	page->mapping_index = (u64)handle << PAGE_INDEX_BITS | (index & (((u64)1 << PAGE_INDEX_BITS) - 1));
}

static inline u64 page_private(const struct page *page)
{
	return page->private_data;
}

static inline void set_page_private(struct page *page, u64 value)
{
	page->private_data = value;
}

/* ---- Waiting ---- */

/** folio_lock - take PG_locked, sleeping while another thread has it. Thread context. */
OCTAVO_API void folio_lock(struct folio *folio);
OCTAVO_API bool folio_trylock(struct folio *folio);
/** folio_unlock - give PG_locked back and wake who waits. Any context; a folio not locked is a bad page. */
OCTAVO_API void folio_unlock(struct folio *folio);
OCTAVO_API void folio_wait_locked(struct folio *folio);
OCTAVO_API void folio_start_writeback(struct folio *folio);
OCTAVO_API void folio_end_writeback(struct folio *folio);
OCTAVO_API void folio_wait_writeback(struct folio *folio);
#define lock_page(page) folio_lock(page_folio(page))
#define trylock_page(page) folio_trylock(page_folio(page))
#define unlock_page(page) folio_unlock(page_folio(page))
#define wait_on_page_writeback(page) folio_wait_writeback(page_folio(page))

/** dump_page - report the state of a page on the console, with a reason */
OCTAVO_API void dump_page(const struct page *page, const char *reason);

/* ---- Addresses of the direct map ---- */

/** page_address - where the direct map, or kmap(), shows the page; NULL for other high memory (kmap_local_page()) */
OCTAVO_API void *page_address(const struct page *page);

/** virt_to_page - descriptor of a direct-map address; NULL if it is not one */
OCTAVO_API struct page *virt_to_page(const void *virt);

/**
 * kmap_local_page - reach the page's contents, on this CPU: <octavo/highmem.h>
 * Undone by kunmap_local() in reverse order; at most KM_MAX_IDX are open at a time. While a page of high memory is open
 * the CPU keeps to this thread. Any context.
 */
OCTAVO_API void *kmap_local_page(struct page *page);
/** kunmap_local - undo it; any address in the page will do */
OCTAVO_API void kunmap_local(const void *virt);
OCTAVO_API void clear_highpage(struct page *page);
OCTAVO_API void copy_highpage(struct page *to, struct page *from);

OCTAVO_END_DECLS
#endif
