// SPDX-License-Identifier: MIT
/*
 * Taking entries out: pages wait in the gather until every CPU has forgotten them.
 *
 * A table's lock is held for its part of the range; counts are added up and told once for it. Slots of what was swapped
 * out are given back at once, those that lie side by side together.
 */
#include <octavo/pagemap.h>

#include "../base/printk.h"
#include "../swap/swap.h"
#include "fault.h"
#include "share.h"
#include "userfaultfd.h"

struct zap {
	struct mmu_gather *tlb;
	struct vm_area_struct *vma;
	const struct zap_details *details;
	long rss[NR_MM_COUNTERS];
	struct mapped_count mapped;
	uintptr_t first, last; /* entries of one table that went; @first > @last: none */
	bool keep; /* what is protected stays so, by a marker: somebody may come back to it */
	bool full; /* the gather wants to flush before it takes another page */
};

static bool wanted(const struct zap *z, struct page *page)
{
	if (likely(!z->details))
		return true;
	if (z->details->folio && page_folio(page) != z->details->folio)
		return false;
	return z->details->even_cows || !page_anon(page);
}

static bool wants_cows(const struct zap *z)
{
	return !z->details || z->details->even_cows;
}

/* Into the gather's batch while that has room for more than one. */
static force_inline void gather_page(struct zap *z, struct page *page)
{
	struct mmu_gather_batch *batch = z->tlb->active;

	if (likely(batch->nr + 1 < batch->max))
		batch->pages[batch->nr++] = page;
	else if (tlb_remove_page(z->tlb, page))
		z->full = true;
}

static noinline void zap_file_page(struct zap *z, struct page *page, pgt_entry_t e)
{
	struct folio *folio = page_folio(page);

	z->rss[mm_counter_file(folio)]--;
	if (pgt_dirty(0, e))
		(void)folio_mark_dirty(folio);
	if (pgt_young(0, e) && !(vma_flags_now(z->vma) & (VM_SEQ_READ | VM_RAND_READ)) &&
	    (!PageReferenced(&folio->page) || !PageActive(&folio->page)))
		folio_mark_accessed(folio);
	folio_remove_rmap_pte(folio, page);
}

/*
 * A large anonymous folio's pages that follow @page in the @max entries from @entry on. All their references but one go
 * at once: the last one waits in the gather, and keeps the folio. Return: how many entries.
 */
static noinline unsigned int zap_folio_pages(struct zap *z, pgt_entry_t *entry, pgt_entry_t e, struct page *page,
					     unsigned int max)
{
	struct page *head = compound_head(page);
	phys_addr_t phys = pgt_leaf_phys(0, e);
	unsigned int nr = 0;
	long unmapped = 0;

	max = min(max, (unsigned int)(compound_nr(head) - (unsigned long)(page - head)));
	do {
		pgt_wipe(entry + nr);
		unmapped += atomic_fetch_sub(&page[nr]._mapcount, 1) == 0;
		if (++nr == max)
			break;
		e = pgt_get(entry + nr);
		phys += PAGE_SIZE;
	} while (pgt_present(e) && pgt_leaf_phys(0, e) == phys);
	z->rss[MM_ANONPAGES] -= (long)nr;
	mapped_count_add(&z->mapped, head, -unmapped);
	if (nr > 1)
		(void)atomic_fetch_sub(&head->_refcount, (s32)(nr - 1));
	free_swap_cache_of(head);
	gather_page(z, page);
	return nr;
}

/* Return: how many entries went, or were passed over. */
static force_inline unsigned int zap_present(struct zap *z, pgt_entry_t *entry, pgt_entry_t e, uintptr_t addr,
					     unsigned int max)
{
	struct page *page;
	bool anon;

	if (unlikely(pgt_special(0, e))) {
		(void)vm_normal_page(z->vma, addr, e);
		pgt_wipe(entry);
		z->first = min(z->first, addr);
		z->last = addr;
		return 1;
	}
	page = pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e)));
	if (unlikely(z->details) && !wanted(z, page))
		return 1;
	anon = page_anon(page);
	if (anon && PageCompound(page) && !z->details) {
		unsigned int nr = zap_folio_pages(z, entry, e, page, max);

		z->first = min(z->first, addr);
		z->last = addr + (nr - 1) * PAGE_SIZE;
		return nr;
	}
	/* What the machine notes of a page of a file until the very end counts; of others nobody asks. */
	if (likely(anon))
		pgt_wipe(entry);
	else
		e = pgt_xchg(entry, 0);
	z->first = min(z->first, addr);
	z->last = addr;
	if (likely(anon)) {
		z->rss[MM_ANONPAGES]--;
		if (atomic_fetch_sub(&page->_mapcount, 1) == 0) {
			mapped_count_add(&z->mapped, page, -1);
			free_swap_cache_of(page);
		}
	} else {
		zap_file_page(z, page, e);
	}
	gather_page(z, page);
	return 1;
}

/* Up to @max entries from @entry on, the first of them @slot's, whose slots lie side by side. Return: how many. */
static unsigned int zap_slots(struct zap *z, pgt_entry_t *entry, swp_entry_t slot, unsigned int max)
{
	unsigned int nr = 0;

	do {
		pgt_wipe(entry + nr);
		nr++;
	} while (nr < max && leads_to_slot(pgt_get(entry + nr), slot.val + nr));
	z->rss[MM_SWAPENTS] -= (long)nr;
	free_swap_and_cache_nr(slot, nr);
	return nr;
}

/* Return: how many entries went, or were passed over. */
static noinline unsigned int zap_absent(struct zap *z, pgt_entry_t *entry, pgt_entry_t e, uintptr_t addr,
					unsigned int max)
{
	pte_t pte = __pte(e);
	swp_entry_t swap = pte_to_swp_entry(pte);

	if (!non_swap_entry(swap))
		return wants_cows(z) ? zap_slots(z, entry, swap, max) : 1;
	if (is_pte_marker(pte)) {
		if (!wants_cows(z))
			return 1;
	} else if (is_migration_entry(swap)) {
		struct page *page = pfn_swap_entry_to_page(swap);

		if (!wanted(z, page))
			return 1;
		z->rss[mm_counter(page_folio(page))]--;
	} else if (is_hwpoison_entry(swap)) {
		if (!wants_cows(z))
			return 1;
	} else {
		print_bad_pte(z->vma, addr, e, NULL);
	}
	pgt_wipe(entry);
	return 1;
}

/* Entries of one table from @addr on. Return: where it stopped. */
static uintptr_t zap_entries(struct zap *z, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	unsigned int nr;

	for (; addr < end && !z->full; addr += nr * PAGE_SIZE, entry += nr) {
		pgt_entry_t e = pgt_get(entry);

		nr = 1;
		if (pgt_none(e))
			continue;
		if (likely(pgt_present(e)))
			nr = zap_present(z, entry, e, addr, (unsigned int)((end - addr) >> PAGE_SHIFT));
		else
			nr = zap_absent(z, entry, e, addr, (unsigned int)((end - addr) >> PAGE_SHIFT));
	}
	return addr;
}

/* The same, and where a protected entry goes a marker comes. */
static noinline uintptr_t zap_keeping(struct zap *z, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	for (; addr < end && !z->full; addr += PAGE_SIZE, entry++) {
		bool protect = entry_uffd_wp(pgt_get(entry));

		if (marker_has(pgt_get(entry), PTE_MARKER_UFFD_WP))
			continue;
		(void)zap_entries(z, entry, addr, addr + PAGE_SIZE);
		if (protect && pgt_none(pgt_get(entry)))
			pgt_fill(entry, make_pte_marker(PTE_MARKER_UFFD_WP).pte);
	}
	return addr;
}

static void tell_rss(struct zap *z)
{
	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++) {
		if (z->rss[i])
			mm_counter_add(z->vma->vm_mm, i, z->rss[i]);
		z->rss[i] = 0;
	}
	mapped_count_tell(&z->mapped);
}

/* A range in a table that others share: gone with the table, or the table is this address space's own afterwards. */
static void zap_shared(struct zap *z, uintptr_t addr, uintptr_t end)
{
	if (!z->details && end - addr == (uintptr_t)PGT_SIZE(1) && vm_drop_shared(z->tlb, z->vma->vm_mm, addr))
		return;
	/* Who unmaps sees to it before (munmap.c); who truncates a file cannot do without. */
	for (unsigned int tries = 0; vm_own_tables(z->vma, addr, end); tries++) {
		if (!tries)
			pr_err("zap_page_range: no memory for a page table of one's own, waiting for it\n");
		port_cpu_relax();
	}
}

/*
 * The entry of @addr, its table's lock held. Who truncates a file has no lock of the VMA's: since the entry above was
 * looked at, fork() may have shared the table, and others may have left it for good to somebody else.
 * Return: NULL: there is no table; *@lock NULL: one that is shared now.
 */
static noinline pgt_entry_t *lock_unlocked(const struct zap *z, uintptr_t addr, spinlock_t **lock)
{
	pgt_entry_t *entry = table_lock_find(z->vma->vm_mm, addr, lock);

	if (entry && pgt_page_of(table_page(entry))->shared) {
		spin_unlock(*lock);
		*lock = NULL;
		port_cpu_relax();
	}
	return entry;
}

/* Entries of one table, to its end or until the gather is full. Return: where it stopped. */
static uintptr_t zap_table(struct zap *z, pgt_entry_t *table, uintptr_t addr, uintptr_t end)
{
	pgt_entry_t *entry = table + pgt_index(0, addr);
	spinlock_t *lock;

	if (likely(!z->details)) {
		lock = &pgt_page_of(table_page(table))->lock;
		spin_lock(lock);
	} else {
		entry = lock_unlocked(z, addr, &lock);
		if (unlikely(!entry || !lock))
			return entry ? addr : end;
	}
	z->first = UINTPTR_MAX;
	z->last = 0;
	addr = unlikely(z->keep) ? zap_keeping(z, entry, addr, end) : zap_entries(z, entry, addr, end);
	tell_rss(z);
	if (z->first <= z->last) {
		tlb_remove_entry(z->tlb, 0, z->first);
		tlb_remove_entry(z->tlb, 0, z->last);
	}
	spin_unlock(lock);
	if (unlikely(z->full)) {
		tlb_flush_mmu(z->tlb);
		z->full = false;
	}
	return addr;
}

void zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
		    const struct zap_details *details)
{
	struct zap z = { .tlb = tlb, .vma = vma, .details = details };
	uintptr_t addr = start;

	z.keep = details && !details->folio && vma_flags_now(vma) & VM_UFFD_WP && !vma_is_anonymous(vma);
	mm_note_hiwater(vma->vm_mm);
	while (addr < end) {
		unsigned int level;
		pgt_entry_t e = pgt_get_table(pgt_descend(vma->vm_mm, addr, 1, &level));
		uintptr_t next = pgt_addr_end(addr, end, level);

		if (level != 1 || !pgt_table(1, e)) {
			addr = next;
		} else if (unlikely(!pgt_table_write(1, e))) {
			zap_shared(&z, addr, next);
			if (pgt_none(pgt_get_table(pgt_descend(vma->vm_mm, addr, 1, &level))))
				addr = next;
		} else {
			addr = zap_table(&z, pgt_table_of(1, e), addr, next);
		}
	}
}

bool zap_shared_tables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end)
{
	uintptr_t addr = ALIGN(start, (uintptr_t)PGT_SIZE(1));
	bool left = false;

	if (!(load_relaxed(&mm->flags) >> MMF_HAS_SHARED_TABLES & 1) || addr < start)
		return false;
	mm_note_hiwater(mm);
	while (addr < end && end - addr >= (uintptr_t)PGT_SIZE(1)) {
		unsigned int level;
		uintptr_t last;

		(void)pgt_descend(mm, addr, 1, &level);
		last = pgt_last(level, addr);
		if (level == 1)
			left |= vm_drop_shared(tlb, mm, addr);
		if (last >= end - 1)
			break;
		addr = last + 1;
	}
	return left;
}

void zap_vma_ptes(struct vm_area_struct *vma, uintptr_t addr, size_t size)
{
	struct mmu_gather tlb;

	if (!(vma->vm_flags & VM_PFNMAP) || addr < vma->vm_start || size > vma->vm_end - addr) {
		pr_err("zap_vma_ptes: [%#lx, +%#zx) is not of a mapping of frames\n", (unsigned long)addr, size);
		return;
	}
	tlb_gather_mmu(&tlb, vma->vm_mm);
	zap_page_range(&tlb, vma, addr, addr + size, NULL);
	tlb_finish_mmu(&tlb);
}
