// SPDX-License-Identifier: MIT
/*
 * Reverse mapping: from a page to the entries that lead to it.
 *
 * Purpose. Reclaim, migration and writeback have a page and want the entries: were they used, may they go, are they
 * clean. A page keeps no list of them, but knows whose it is (an anon_vma or a file) and where in it; VMAs say the
 * rest.
 *
 * Words. A *walk* visits the VMAs that may map a folio: those that hang on its anon_vma or below (anon_vma.c), or those
 * of the file's interval tree (interval.c). A visit looks at the entries of the folio's pages in one VMA.
 *
 * Structures
 *
 *	page: mapping_index = handle | index ---> anon_vma --> VMAs by page offset --> mm's tables --> entry
 *	                                    \--> address_space -/
 *
 * Invariants, with those of anon_vma.c
 *
 * RM-I5: a page's _mapcount + 1 is the number of entries that lead to it, an entry of a shared table counted once; each
 * entry has a reference to the folio. NR_ANON_MAPPED and NR_FILE_MAPPED count the pages that have any.
 *
 * RM-I6: when a walk that changed entries returns, no CPU uses what they were. In a shared table the first visit finds
 * the entry and changes it for all; every VMA visited from then on is flushed at the page's address, whether an entry
 * was found or not. All sharers' VMAs are visited, as the walk's lock keeps them where they are: also of one that has
 * left the table meanwhile, whose copy was made of the entry before the change (then his own entry is found) or after
 * (then only his TLB remembers it).
 *
 * RM-I7: parents are visited before the children they are making: a child's VMA is entered behind its parent's in the
 * same tree, before its tables show anything. So an entry that fork() copies was either changed before, or the copy is
 * visited afterwards.
 *
 * Large folios. Each page has its own count; entries are visited one by one.
 *
 * Locking. The family's rwsem or i_mmap_rwsem for reading, and in a visit page_table_lock and the table's lock. The
 * folio's lock keeps a file's folio in its file; that of an anonymous one keeps others from unmapping it as well.
 * Flushes come after the table's lock: the entry is none then, and the folio has the caller's reference.
 *
 * What failure does. Walks allocate nothing.
 *
 * Unmapping. Pages of files leave nothing behind. An anonymous page that MADV_FREE gave up and nobody wrote to since,
 * or of MAP_DROPPABLE, is forgotten; any other leaves a swap entry, if its folio is in the swap cache, which holds a
 * count of the page's slot and says whether the page was exclusive. All CPUs have forgotten the entry when the walk
 * returns, so who writes the page out then writes the last that anybody stored there. Pages of locked VMAs, and pinned
 * ones, stay.
 *
 * Differences from Linux. Flushes are not batched over several folios.
 *
 * Sources. Linux Documentation/mm/ (folio locks, migration entries: page_migration.rst); Intel SDM volume 3A 4.8: a
 * processor sets a dirty bit in an entry that it finds present at that moment.
 */
#include <octavo/pagemap.h>

#include "../base/handle.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../lru/lru.h"
#include "../swap/swap.h"
#include "anon_vma.h"
#include "fault.h"
#include "lru_walk.h"
#include "mlock.h"
#include "share.h"

/* ---- Who may map it ---- */

/* Where the first page of @folio that @vma can map lies; what it maps of it ends at *@end. False: none. */
static force_inline bool folio_range(const struct folio *folio, const struct vm_area_struct *vma, uintptr_t *addr,
				     uintptr_t *end)
{
	unsigned long first = (unsigned long)page_index(&folio->page), last = first + folio_nr_pages(folio) - 1;
	unsigned long vma_last = vma->vm_pgoff + vma_pages(vma) - 1;

	if (last < vma->vm_pgoff || first > vma_last)
		return false;
	if (unlikely(folio_order(folio))) {
		first = max(first, vma->vm_pgoff);
		last = min(last, vma_last);
	}
	*addr = vma->vm_start + ((first - vma->vm_pgoff) << PAGE_SHIFT);
	*end = *addr + ((last - first + 1) << PAGE_SHIFT);
	return true;
}

/* Return: false: the walk is over. */
static force_inline bool visit(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma)
{
	uintptr_t addr;

	if (!folio_range(folio, vma, &addr, &walk->end))
		return true;
	return walk->one(walk, folio, vma, addr) && !(walk->done && walk->done(folio));
}

/* The VMAs that hang on @av itself. Return: false: the walk is over. */
static force_inline bool visit_all(struct rmap_walk *walk, struct folio *folio, const struct anon_vma *av)
{
	unsigned long first = (unsigned long)page_index(&folio->page), last = first + folio_nr_pages(folio) - 1;
	struct interval_node *node;

	for (node = interval_first(av->vmas, first, last); node; node = interval_next(node, first, last))
		if (!visit(walk, folio, anon_link_of_node(node)->vma))
			return false;
	return true;
}

static void walk_anon(struct folio *folio, struct rmap_walk *walk)
{
	struct anon_vma *top = anon_vma_get(page_handle(&folio->page) & ~PAGE_MAPPING_ANON);

	if (!top)
		return;
	if (walk->try_lock && !down_read_trylock(&top->root->rwsem)) {
		anon_vma_put(top);
		return;
	}
	if (!walk->try_lock)
		down_read(&top->root->rwsem);
	for (struct anon_vma *av = top->gone ? NULL : top; av; av = anon_vma_next_below(av, top))
		if (!visit_all(walk, folio, av))
			break;
	up_read(&top->root->rwsem);
	anon_vma_put(top);
}

static void walk_file(struct folio *folio, struct rmap_walk *walk)
{
	unsigned long first = (unsigned long)page_index(&folio->page), last = first + folio_nr_pages(folio) - 1;
	struct address_space *mapping = handle_object(page_handle(&folio->page));
	struct vm_area_struct *vma;

	if (!mapping)
		return;
	if (walk->try_lock && !down_read_trylock(&mapping->i_mmap_rwsem))
		return;
	if (!walk->try_lock)
		down_read(&mapping->i_mmap_rwsem);
	vma_interval_tree_foreach(vma, mapping->i_mmap, first, last) {
		if (!visit(walk, folio, vma))
			break;
	}
	up_read(&mapping->i_mmap_rwsem);
}

void rmap_walk(struct folio *folio, struct rmap_walk *walk)
{
	if (page_is_anon(&folio->page))
		walk_anon(folio, walk);
	else if (page_handle(&folio->page))
		walk_file(folio, walk);
}

uintptr_t page_address_in_vma(const struct page *page, const struct vm_area_struct *vma)
{
	const struct folio *folio = page_folio((struct page *)page);
	unsigned long index = (unsigned long)page_index(&folio->page) + (unsigned long)(page - &folio->page);
	struct anon_link *link = anon_link_of(vma);

	if (page_is_anon(&folio->page)) {
		struct anon_vma *av = anon_vma_get(page_handle(&folio->page) & ~PAGE_MAPPING_ANON);
		bool family = av && link && link->anon_vma->root == av->root;

		anon_vma_put(av);
		if (!family)
			return (uintptr_t)-EFAULT;
	} else if (!vma->vm_file || vma->vm_file->f_mapping->handle != page_handle(&folio->page)) {
		return (uintptr_t)-EFAULT;
	}
	if (index < vma->vm_pgoff || index - vma->vm_pgoff >= vma_pages(vma))
		return (uintptr_t)-EFAULT;
	return vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
}

/* ---- Entries that map it ---- */

/*
 * One entry at a time of what a VMA may map of a folio. It is found, its table locked, present or (@migration) on its
 * way; entry_done() unlocks.
 */
struct at {
	struct folio *folio;
	struct vm_area_struct *vma;
	uintptr_t addr, end;
	pgt_entry_t *entry;
	pgt_entry_t e;
	spinlock_t *lock;
	struct page *page;  /* of the folio */
	struct page *table;
};

static bool maps(struct at *at, unsigned long pfn)
{
	unsigned long first = folio_pfn(at->folio);

	if (pfn < first || pfn - first >= folio_nr_pages(at->folio))
		return false;
	at->page = folio_page(at->folio, pfn - first);
	return true;
}

static void at_begin(struct at *at, const struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma,
		     uintptr_t addr)
{
	at->folio = folio;
	at->vma = vma;
	at->addr = addr - PAGE_SIZE;
	at->end = walk->end;
}

/* From where it is on. */
static bool at_find(struct at *at)
{
	for (; at->addr < at->end; at->addr += PAGE_SIZE) {
		at->entry = table_lock_find(at->vma->vm_mm, at->addr, &at->lock);
		if (!at->entry)
			continue;
		at->e = pgt_get(at->entry);
		at->table = table_page(at->entry);
		if (!pgt_none(at->e) && pgt_present(at->e) && !pgt_special(0, at->e) &&
		    maps(at, PFN_DOWN(pgt_leaf_phys(0, at->e))))
			return true;
		spin_unlock(at->lock);
	}
	return false;
}

/* The next entry, locked. False: no more. */
static force_inline bool at_next(struct at *at)
{
	at->addr += PAGE_SIZE;
	return at->addr < at->end && at_find(at);
}

static bool at_shared(const struct at *at)
{
	return table_sharers(at->table) > 1;
}

/* ---- Referenced ---- */

struct referenced {
	int nr;
	vm_flags_t flags;
};

static bool referenced_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct referenced *r = walk->arg;
	bool mapped = false;
	struct at at;

	for (at_begin(&at, walk, folio, vma, addr); at_next(&at);) {
		mapped = true;
		/* No flush: until the translation is dropped for another reason the page looks older than it is. */
		if (pgt_entry_clear_young(0, at.entry) && !(vma_flags_now(vma) & (VM_SEQ_READ | VM_RAND_READ))) {
			r->nr++;
			if (unlikely(lru_wants_neighbours()))
				lru_look_around(vma, at.entry, at.addr);
		}
		spin_unlock(at.lock);
	}
	if (mapped)
		r->flags |= vma_flags_now(vma);
	return true;
}

int folio_referenced(struct folio *folio, bool locked, vm_flags_t *vm_flags)
{
	struct referenced r = { 0 };
	struct rmap_walk walk = { .one = referenced_one, .arg = &r, .try_lock = true };
	bool anon = load_relaxed_u64(&folio->page.mapping_index) >> PAGE_INDEX_BITS & PAGE_MAPPING_ANON;

	*vm_flags = 0;
	if (!folio_mapped(folio))
		return 0;
	/* A file may go from under its folio that is not locked. */
	if (!locked && !anon && !folio_trylock(folio))
		return 1;
	rmap_walk(folio, &walk);
	if (!locked && !anon)
		folio_unlock(folio);
	*vm_flags = r.flags;
	return r.nr;
}

static const struct lru_vm_ops vm_ops = { .referenced = folio_referenced, .walk_young = lru_walk_young };

static int rmap_init(void)
{
	lru_vm_ops = &vm_ops;
	return 0;
}
MM_PART(rmap, .order = MM_PART_VM, .init = rmap_init);

/* ---- Changes, and who has to hear of them ---- */

/*
 * @shared: an entry of a shared table was changed in this walk. All who share it map the page at the same place, so
 * their VMAs are visited, too, find the entry changed, and flush.
 */
struct change {
	int nr;
	bool shared;
	bool failed;
	unsigned int ttu;
	struct tlb_batch *batch; /* CPUs are told later, by the caller; NULL: at once */
	struct folio *from; /* of remove_migration_ptes() */
	const struct page *page; /* of unmap_poisoned() */
};

/* Other CPUs may know the entry at @addr. Its lock is let go of, with which none can be called. */
static noinline void tell_others(struct tlb_batch *batch, struct mm_struct *mm, uintptr_t addr, spinlock_t *lock,
				 struct folio *folio)
{
	unsigned long gen;

	if (batch) {
		(void)tlb_batch_add(batch, mm);
		spin_unlock(lock);
		return;
	}
	gen = tlb_owe(mm);
	spin_unlock(lock);
	if (unlikely(!tlb_pay_page(mm, addr, gen)))
		folio_get(folio); /* for good: a CPU may go on using it, so nobody else may have it */
}

/* An entry of @at changed; @e: what it was. The lock is let go of, and CPUs forget it. */
static force_inline void changed(struct change *c, const struct at *at)
{
	c->nr++;
	c->shared |= at_shared(at);
	if (likely(flush_tlb_page_alone(at->vma->vm_mm, at->addr)))
		spin_unlock(at->lock);
	else
		tell_others(c->batch, at->vma->vm_mm, at->addr, at->lock, at->folio);
}

static noinline void flush_range(const struct folio *folio, struct vm_area_struct *vma)
{
	uintptr_t addr, end;

	if (folio_range(folio, vma, &addr, &end))
		(void)flush_tlb_mm_range(vma->vm_mm, addr, end, PAGE_SHIFT, false);
}

/* @vma has been visited. */
static force_inline void flush_sharer(const struct change *c, const struct folio *folio, struct vm_area_struct *vma)
{
	if (unlikely(c->shared))
		flush_range(folio, vma);
}

static bool mkclean_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct change *c = walk->arg;
	struct at at;

	if (!(vma_flags_now(vma) & VM_SHARED))
		return true;
	for (at_begin(&at, walk, folio, vma, addr); at_next(&at);) {
		pgt_entry_t e = at.e;

		if (!pgt_dirty(0, e) && !pgt_write(0, e)) {
			spin_unlock(at.lock);
			continue;
		}
		while (!pgt_cmpxchg(at.entry, &e, pgt_mkclean(0, pgt_wrprotect(0, e))))
			;
		changed(c, &at);
	}
	flush_sharer(c, folio, vma);
	return true;
}

int folio_mkclean(struct folio *folio)
{
	struct change c = { 0 };
	struct rmap_walk walk = { .one = mkclean_one, .arg = &c };

	if (!folio_mapped(folio) || page_is_anon(&folio->page))
		return 0;
	rmap_walk(folio, &walk);
	return c.nr;
}

/* The page was written to by the entry that was. Context: no spinlock. */
static void keep_dirty(struct folio *folio, pgt_entry_t e)
{
	if (!pgt_dirty(0, e))
		return;
	if (page_is_anon(&folio->page))
		SetPageDirty(&folio->page);
	else
		(void)folio_mark_dirty(folio);
}

/* The entry is gone, or leads to no page now. */
static force_inline void taken_out(struct change *c, const struct at *at)
{
	struct folio *folio = at->folio;

	folio_remove_rmap_pte(folio, at->page);
	changed(c, at);
	keep_dirty(folio, at->e);
	/* The caller has one more. */
	(void)atomic_fetch_sub(&folio->page._refcount, 1);
}

/* ---- Unmapping ---- */

/* May it be forgotten: does that not matter, or has nobody written to it since MADV_FREE? */
static bool is_unwanted(const struct at *at, pgt_entry_t e)
{
	bool written = pgt_dirty(0, e) || PageDirty(&at->folio->page);

	return !written || vma_flags_now(at->vma) & VM_DROPPABLE;
}

/*
 * Nobody but the entries, the swap cache and the caller has it. Ask first, and then whether it is dirty: who had it in
 * hand and wrote to it has made it dirty before he let go of it.
 */
static bool is_unused(const struct folio *folio)
{
	int refs = load_acquire(&folio->page._refcount);

	return refs == folio_mapcount(folio) + 1 + folio_in_swap_cache(folio);
}

/* The entry gave way to one that is counted in @to; NR_MM_COUNTERS: to none that is. The lock is let go of. */
static force_inline void unmapped(struct change *c, struct at *at, unsigned int to)
{
	struct mm_struct *mm = at->vma->vm_mm;

	mm_note_hiwater(mm);
	table_count(mm, at->table, mm_counter(at->folio), -1);
	if (to < NR_MM_COUNTERS)
		table_count(mm, at->table, to, 1);
	taken_out(c, at);
}

/* Of a file's page that is protected, a marker. */
static pgt_entry_t left_behind(const struct at *at)
{
	bool keep = vma_flags_now(at->vma) & VM_UFFD_WP && !vma_is_anonymous(at->vma) && pgt_uffd_wp(0, at->e);

	return keep ? make_pte_marker(PTE_MARKER_UFFD_WP).pte : 0;
}

static void unmap_file(struct change *c, struct at *at)
{
	while (!pgt_cmpxchg(at->entry, &at->e, left_behind(at)))
		;
	unmapped(c, at, NR_MM_COUNTERS);
}

/*
 * A processor that would set the dirty bit looks at the entry again and finds none, so what the exchange shows is
 * final. Return: false: it stays.
 */
static bool discard(struct change *c, struct at *at)
{
	do {
		bool unused = is_unused(at->folio);

		if (!is_unwanted(at, at->e)) {
			folio_set_swapbacked(at->folio);
			return false;
		}
		if (!unused)
			return false;
	} while (!pgt_cmpxchg(at->entry, &at->e, 0));
	unmapped(c, at, NR_MM_COUNTERS);
	return true;
}

static pgt_entry_t swap_entry_for(pgt_entry_t e, swp_entry_t slot, bool exclusive)
{
	pte_t pte = swp_entry_to_pte(slot);

	if (exclusive)
		pte = pte_swp_mkexclusive(pte);
	if (pgt_soft_dirty(0, e))
		pte = pte_swp_mksoft_dirty(pte);
	if (pgt_uffd_wp(0, e))
		pte = pte_swp_mkuffd_wp(pte);
	return pte.pte;
}

/* Return: false: it stays, as somebody works on the page itself. */
static bool swap_out(struct change *c, struct at *at)
{
	swp_entry_t slot;
	bool exclusive = PageAnonExclusive(at->page);
	pgt_entry_t to;

	/* Pins are taken under this lock, and of exclusive pages only. */
	if ((exclusive && folio_maybe_dma_pinned(at->folio)) || folio_dup_swap(at->folio, at->page, &slot))
		return false;
	do {
		to = swap_entry_for(at->e, slot, exclusive);
	} while (!pgt_cmpxchg(at->entry, &at->e, to));
	if (exclusive)
		ClearPageAnonExclusive(at->page);
	unmapped(c, at, MM_SWAPENTS);
	return true;
}

/* Return: false: it stays. The lock is let go of. */
static bool unmap_entry(struct change *c, struct at *at)
{
	struct folio *folio = at->folio;
	vm_flags_t flags = vma_flags_now(at->vma);
	bool gone = false;

	if (unlikely(flags & VM_LOCKED && !(c->ttu & TTU_IGNORE_MLOCK))) {
		mlock_folio(folio);
	} else if (!page_is_anon(&folio->page)) {
		unmap_file(c, at);
		return true;
	} else if (!PageSwapBacked(&folio->page) || flags & VM_DROPPABLE) {
		gone = discard(c, at);
	} else if (folio_in_swap_cache(folio)) {
		gone = swap_out(c, at);
	}
	if (!gone)
		spin_unlock(at->lock);
	return gone;
}

static bool unmap_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct change *c = walk->arg;
	struct at at;

	for (at_begin(&at, walk, folio, vma, addr); !c->failed && at_next(&at);)
		c->failed = !unmap_entry(c, &at);
	flush_sharer(c, folio, vma);
	/* Who shares a table that was changed has to be visited. */
	return c->shared || (!c->failed && folio_mapped(folio));
}

bool try_to_unmap(struct folio *folio, unsigned int ttu, struct tlb_batch *batch)
{
	struct change c = { .ttu = ttu, .batch = batch };
	struct rmap_walk walk = { .one = unmap_one, .arg = &c };

	if (folio_mapped(folio))
		rmap_walk(folio, &walk);
	return !folio_mapped(folio);
}

/* ---- Memory that went bad ---- */

static bool poison_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct change *c = walk->arg;
	struct at at;

	for (at_begin(&at, walk, folio, vma, addr); at_next(&at);) {
		pgt_entry_t to = 0;

		if (at.page != c->page) {
			spin_unlock(at.lock);
			continue;
		}
		if (c->ttu & TTU_HWPOISON)
			to = swp_entry_to_pte(make_hwpoison_entry(at.page)).pte;
		while (!pgt_cmpxchg(at.entry, &at.e, to))
			;
		if (page_is_anon(&folio->page))
			ClearPageAnonExclusive(at.page);
		table_count(vma->vm_mm, at.table, entry_counter(at.e), -1);
		taken_out(c, &at);
	}
	flush_sharer(c, folio, vma);
	return true;
}

void unmap_poisoned(struct page *page, bool lost)
{
	struct change c = { .ttu = lost ? TTU_HWPOISON : 0, .page = page };
	struct rmap_walk walk = { .one = poison_one, .arg = &c };

	rmap_walk(page_folio(page), &walk);
}

/* ---- Migration ---- */

static pgt_entry_t migration_entry(const struct at *at, pgt_entry_t e)
{
	unsigned long pfn = page_to_pfn(at->page);
	bool anon = page_is_anon(&at->folio->page);
	swp_entry_t swap;
	pte_t pte;

	if (pgt_write(0, e))
		swap = make_writable_migration_entry(pfn);
	else if (anon && PageAnonExclusive(at->page))
		swap = make_readable_exclusive_migration_entry(pfn);
	else
		swap = make_readable_migration_entry(pfn);
	if (pgt_young(0, e))
		swap = make_migration_entry_young(swap);
	if (pgt_dirty(0, e))
		swap = make_migration_entry_dirty(swap);
	pte = swp_entry_to_pte(swap);
	if (pgt_soft_dirty(0, e))
		pte = pte_swp_mksoft_dirty(pte);
	if (pgt_uffd_wp(0, e))
		pte = pte_swp_mkuffd_wp(pte);
	return pte.pte;
}

static bool migrate_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct change *c = walk->arg;
	struct at at;

	for (at_begin(&at, walk, folio, vma, addr); !c->failed && at_next(&at);) {
		if (page_is_anon(&folio->page) && PageAnonExclusive(at.page) && folio_maybe_dma_pinned(folio)) {
			spin_unlock(at.lock);
			c->failed = true;
			break;
		}
		while (!pgt_cmpxchg(at.entry, &at.e, migration_entry(&at, at.e)))
			;
		if (page_is_anon(&folio->page))
			ClearPageAnonExclusive(at.page);
		taken_out(c, &at);
	}
	flush_sharer(c, folio, vma);
	return !c->failed || c->shared;
}

bool try_to_migrate(struct folio *folio, unsigned int ttu)
{
	struct change c = { .ttu = ttu };
	struct rmap_walk walk = { .one = migrate_one, .arg = &c };

	rmap_walk(folio, &walk);
	return !folio_mapped(folio);
}

/* What a migration entry for a page of @from becomes when the page is @page. */
static pgt_entry_t arrived(const struct vm_area_struct *vma, pgt_entry_t e, struct page *page)
{
	swp_entry_t swap = pte_to_swp_entry(__pte(e));
	pgprot_t prot = octavo_pgprot(load_relaxed(&vma->vm_page_prot.bits));
	pgt_entry_t leaf = pgt_fit(pgt_make_leaf(0, PFN_PHYS(page_to_pfn(page)), prot));

	leaf = is_migration_entry_young(swap) ? pgt_mkyoung(0, leaf) : pgt_mkold(0, leaf);
	if (is_writable_migration_entry(swap))
		leaf = pgt_mkwrite(0, leaf);
	if (is_migration_entry_dirty(swap))
		leaf = pgt_mkdirty(0, leaf);
	leaf = pgt_swap_soft_dirty(e) ? pgt_mksoft_dirty(0, leaf) : pgt_clear_soft_dirty(0, leaf);
	return pgt_swap_uffd_wp(e) ? pgt_mkuffd_wp(0, leaf) : leaf;
}

static bool arrive_one(struct rmap_walk *walk, struct folio *to, struct vm_area_struct *vma, uintptr_t addr)
{
	struct change *c = walk->arg;
	unsigned long first = folio_pfn(c->from), nr = folio_nr_pages(to);
	uintptr_t end;

	if (!folio_range(to, vma, &addr, &end))
		return true;
	for (; addr < end; addr += PAGE_SIZE) {
		spinlock_t *lock;
		pgt_entry_t *entry = table_lock_find(vma->vm_mm, addr, &lock), e = entry ? pgt_get(entry) : 0;
		swp_entry_t swap = pte_to_swp_entry(__pte(e));
		unsigned long pfn = swp_offset_pfn(swap);
		struct page *page;

		if (entry && pgt_is_swap(e) && is_migration_entry(swap) && pfn >= first && pfn - first < nr) {
			page = folio_page(to, pfn - first);
			folio_get(to);
			if (page_is_anon(&to->page))
				folio_add_anon_rmap_pte(to, page, vma, addr,
							swp_type(swap) != SWP_MIGRATION_READ);
			else
				folio_add_file_rmap_ptes(to, page, 1, vma);
			pgt_set(entry, arrived(vma, e, page));
			if (unlikely(vma_flags_now(vma) & VM_LOCKED))
				mlock_folio(to);
			c->nr++;
		}
		if (entry)
			spin_unlock(lock);
	}
	return true;
}

void remove_migration_ptes(struct folio *from, struct folio *to)
{
	struct change c = { .from = from };
	struct rmap_walk walk = { .one = arrive_one, .arg = &c };

	rmap_walk(to, &walk);
}

/* ---- How many ---- */

static bool mapper_one(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	struct at *which = walk->arg;
	struct at at;

	for (at_begin(&at, walk, folio, vma, addr); at_next(&at);) {
		if (at.page == which->page)
			which->addr++;
		spin_unlock(at.lock);
	}
	return true;
}

unsigned int page_mappers(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct at which = { .page = page };
	struct rmap_walk walk = { .one = mapper_one, .arg = &which };
	bool anon = page_is_anon(&folio->page);

	if (page_mapcount(page) <= 0)
		return 0;
	if (!anon && !folio_trylock(folio))
		return (unsigned int)page_mapcount(page);
	rmap_walk(folio, &walk);
	if (!anon)
		folio_unlock(folio);
	return max((unsigned int)which.addr, (unsigned int)page_mapcount(page));
}
