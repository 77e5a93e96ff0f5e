// SPDX-License-Identifier: MIT
/* /proc/kpageflags and /proc/kpagecount: Documentation/admin-guide/mm/pagemap.rst. */
#include <octavo/page.h>

#include "../phys/frames.h"
#include "../phys/memmap.h"
#include "../vm/vm.h"
#include "../vm/rmap.h"
#include "pid.h"

/* The file's numbers of bits: pagemap.rst; from 32 on, which it leaves out, those of tools/mm/page-types. */
enum {
	KPF_LOCKED = 0,
	KPF_REFERENCED = 2,
	KPF_UPTODATE = 3,
	KPF_DIRTY = 4,
	KPF_LRU = 5,
	KPF_ACTIVE = 6,
	KPF_SLAB = 7,
	KPF_WRITEBACK = 8,
	KPF_RECLAIM = 9,
	KPF_BUDDY = 10,
	KPF_MMAP = 11,
	KPF_ANON = 12,
	KPF_SWAPCACHE = 13,
	KPF_SWAPBACKED = 14,
	KPF_COMPOUND_HEAD = 15,
	KPF_COMPOUND_TAIL = 16,
	KPF_HUGE = 17,
	KPF_UNEVICTABLE = 18,
	KPF_HWPOISON = 19,
	KPF_NOPAGE = 20,
	KPF_OFFLINE = 23,
	KPF_ZERO_PAGE = 24,
	KPF_IDLE = 25,
	KPF_PGTABLE = 26,
	KPF_RESERVED = 32,
	KPF_MLOCKED = 33,
	KPF_PRIVATE = 35,
	KPF_PRIVATE_2 = 36,
	KPF_OWNER_PRIVATE = 37,
	KPF_ARCH = 38,
};

/* Bits that are shown as they are, of the page or of the head of its folio. */
static const struct {
	u8 from, to;
	bool own;
} plain[] = {
	{ PG_locked, KPF_LOCKED, false },	{ PG_referenced, KPF_REFERENCED, false },
	{ PG_uptodate, KPF_UPTODATE, false },	{ PG_dirty, KPF_DIRTY, false },
	{ PG_lru, KPF_LRU, false },		{ PG_active, KPF_ACTIVE, false },
	{ PG_slab, KPF_SLAB, false },		{ PG_writeback, KPF_WRITEBACK, false },
	{ PG_reclaim, KPF_RECLAIM, false },	{ PG_swapbacked, KPF_SWAPBACKED, false },
	{ PG_hugetlb, KPF_HUGE, false },	{ PG_unevictable, KPF_UNEVICTABLE, false },
	{ PG_hwpoison, KPF_HWPOISON, true },	{ PG_offline, KPF_OFFLINE, true },
	{ PG_idle, KPF_IDLE, false },		{ PG_table, KPF_PGTABLE, false },
	{ PG_reserved, KPF_RESERVED, true },	{ PG_mlocked, KPF_MLOCKED, false },
	{ PG_private, KPF_PRIVATE, false },	{ PG_private_2, KPF_PRIVATE_2, false },
	{ PG_owner_priv_1, KPF_OWNER_PRIVATE, false }, { PG_arch_1, KPF_ARCH, true },
};

static u64 bit(unsigned int n)
{
	return (u64)1 << n;
}

static bool owned_by_mappings(const struct page *head)
{
	return !PageSlab(head) && !PageTable(head) && !PageOffline(head);
}

static u64 flags_of(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn), *head;
	u64 flags = 0;

	if (!page)
		return bit(KPF_NOPAGE);
	if (!page_ref_count(page) && !PageTail(page))
		return frame_state(page_zone(page), pfn) == 1 ? bit(KPF_BUDDY) : 0;
	head = compound_head(page);
	for (unsigned int i = 0; i < ARRAY_SIZE(plain); i++)
		if (page_test_flag(plain[i].own ? page : head, plain[i].from))
			flags |= bit(plain[i].to);
	if (PageHead(page))
		flags |= bit(KPF_COMPOUND_HEAD);
	else if (head != page)
		flags |= bit(KPF_COMPOUND_TAIL);
	if (is_zero_pfn(pfn))
		flags |= bit(KPF_ZERO_PAGE);
	if (owned_by_mappings(head) && page_mapcount(page) > 0)
		flags |= bit(KPF_MMAP);
	if (owned_by_mappings(head) && page_is_anon(head))
		flags |= bit(KPF_ANON) | (PageSwapBacked(head) && PageSwapCache(head) ? bit(KPF_SWAPCACHE) : 0);
	return flags;
}

static u64 count_of(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	int count = page && page_ref_count(compound_head(page)) && owned_by_mappings(compound_head(page)) ?
			    page_mapcount(page) :
			    0;

	return count > 0 ? (u64)count : 0;
}

static size_t fill(u64 pfn, u64 *entries, size_t nr, u64 (*of)(unsigned long pfn))
{
	u64 end = memmap_end_pfn();

	if (pfn >= end)
		return 0;
	nr = (size_t)min((u64)nr, end - pfn);
	for (size_t i = 0; i < nr; i++)
		entries[i] = of((unsigned long)pfn + i);
	return nr;
}

size_t octavo_kpageflags(u64 pfn, u64 *entries, size_t nr)
{
	return fill(pfn, entries, nr, flags_of);
}

size_t octavo_kpagecount(u64 pfn, u64 *entries, size_t nr)
{
	return fill(pfn, entries, nr, count_of);
}
