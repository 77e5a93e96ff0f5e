// SPDX-License-Identifier: MIT
/*
 * Shared last-level tables: what fork() leaves for later.
 *
 * Purpose. fork() is mostly followed by exec or exit, and most of a parent's pages are not written to before. So fork()
 * copies no entries: the child's upper entries lead to the parent's last-level tables, read only. Who first changes
 * an entry gets a table of his own then.
 *
 * Words. An *upper entry* is the one at level 1 that leads to a last-level table. A table's *sharers* are the address
 * spaces with an upper entry that leads to it. A sharer *leaves* a table when he lets go of it, with a copy or without;
 * the last one left *takes over*: his upper entry becomes writable again, and that is all.
 *
 * Structures
 *
 *	parent  [ | | |r-| | ]---+      T: refs 2, shared      the pages: one _mapcount and one
 *	                         +---->  [ |e|e| |e| ... ]---> reference for each entry, however
 *	child   [ | | |r-| | ]---+        delta: anon -1       many share the table
 *
 * The table's descriptor counts sharers in _refcount, and in private_data, a lane of 16 bits for each of mm->rss, what
 * came of its entries while it was shared: *delta*.
 *
 * Invariants (mm_verify() checks FK-I1, FK-I2 and, with FA-I1 and FA-I2, FK-I4 and FK-I5)
 *
 * FK-I1: a table's references are the upper entries that lead to it, and those who left it and have not flushed yet.
 *
 * FK-I2: an upper entry that is writable leads to a table that nobody else has and that is not marked shared; one that
 * is read only, to one that is marked.
 *
 * FK-I3: in a shared table no entry comes and none gets rights. What happens there: reverse mapping and truncation take
 * entries out, or make migration or swap entries of them, and who ends those (migration, swapoff) makes them pages'
 * again, for all sharers at once; accessed marks come and go.
 *
 * FK-I4: an entry of a shared table counts once with its page, or its slot.
 *
 * FK-I5: of each kind of page an address space has mm->rss and the deltas of the shared tables it has
 * (get_mm_counter()). Who leaves a table, or takes it over, adds its delta to his rss; what he takes along or leaves
 * behind is counted then.
 *
 * FK-I6: who leaves a table makes all CPUs forget the way to it before his reference goes, so the others cannot free it
 * or make it theirs while he still can see it. The last reference that goes takes the entries' pages with it.
 *
 * FK-I7: a page marked exclusive is so for all sharers of a table together. A copy takes the mark, and the right to
 * write, from both tables before it can be seen. Pages that are pinned are in no shared table.
 *
 * Who may change an entry. vm_entry_lock() makes the table one's own first, vm_own_tables() all of a range,
 * vm_drop_shared() leaves one whose whole range goes. fork() holds the VMAs' locks, so who has a VMA's lock and found
 * an upper entry writable keeps a table of his own until he lets go. Reverse mapping, which has no such lock, goes by
 * page_table_lock (table_lock_find()).
 *
 * Whom a change in a shared table concerns. Reverse mapping visits every VMA that can map the page, so every sharer's:
 * all have the page at the same address. The first finds the entry and changes it; from then on each VMA visited is
 * flushed, and so are those of sharers who left meanwhile (RM-I6). The page may be used again when the walk is over.
 *
 * Flushes. Sharing takes rights away: fork() flushes the parent once. Leaving with a copy: translations stay right, as
 * both tables say the same; only what leads to the table must go, by the flush of one address in its reach. Taking over
 * gives rights: none; a CPU with an old translation takes one more fault.
 *
 * No break-before-make on arm64: an upper entry that goes from one table to another, or changes APTable, leaves every
 * address's output address and attributes as they were but for the right to write (DDI 0487, D8.16.1).
 *
 * Accessed and dirty. The machine marks entries of a shared table accessed for whoever came; it marks none dirty, as it
 * looks at the right to write in all levels. A dirty mark that was there is in both copies.
 *
 * Locking. page_table_lock guards upper entries, the table's lock its entries, its mark, delta, and who takes over.
 *
 * Memory use and bounds. Nothing for sharing. A copy is a page.
 *
 * What failure does. Without memory for a copy nothing has changed. A flush that cannot reach all CPUs: the table stays
 * out of use for good.
 *
 * Differences from Linux. It copies the entries of anonymous memory at fork(). Proposals to share tables exist: Dong
 * and others, "On-demand-fork" (EuroSys 2021), whose idea this is; the counts, reverse mapping and pins are not theirs.
 *
 * Sources. Intel SDM volume 3A 4.6 (rights of all levels together), 4.8 (dirty), 4.10.4 (what a page flush and a fault
 * invalidate); Arm DDI 0487 D8.4.2 (APTable).
 */
#include <octavo/pagemap.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../swap/swap.h"
#include "fault.h"
#include "share.h"

/* ---- What a shared table's entries count in ---- */

struct page *entry_page(pgt_entry_t e)
{
	return pgt_special(0, e) ? NULL : pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e)));
}

unsigned int entry_counter(pgt_entry_t e)
{
	struct page *page;
	swp_entry_t swap;

	if (pgt_none(e))
		return NR_MM_COUNTERS;
	if (pgt_present(e)) {
		page = entry_page(e);
		return page ? mm_counter(page_folio(page)) : NR_MM_COUNTERS;
	}
	swap = pte_to_swp_entry(__pte(e));
	if (!non_swap_entry(swap))
		return MM_SWAPENTS;
	return is_migration_entry(swap) ? mm_counter(page_folio(pfn_swap_entry_to_page(swap))) : NR_MM_COUNTERS;
}

#define LANE_BITS 16

long table_delta(const struct page *table, unsigned int which)
{
	return (s16)(load_relaxed_u64(&table->private_data) >> which * LANE_BITS);
}

void table_count_shared(struct page *table, unsigned int which, long n)
{
	u64 lane = (u64)0xffff << which * LANE_BITS, value;

	value = (u64)(u16)(table_delta(table, which) + n) << which * LANE_BITS;
	store_relaxed_u64(&table->private_data, (table->private_data & ~lane) | value);
}

void table_fold(struct mm_struct *mm, struct page *table)
{
	if (likely(!table->private_data))
		return;
	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (table_delta(table, i))
			mm_counter_add(mm, i, table_delta(table, i));
}

/* ---- Copies of entries ---- */

/* Both count with the slot, and whoever brings the page in will not find it his own. */
static pgt_entry_t share_slot(pgt_entry_t *entry, pgt_entry_t e, swp_entry_t slot)
{
	int err = swap_duplicate(slot);

	if (unlikely(err))
		pr_err("fork: slot %lu of swap area %u, which an entry leads to, is not in use\n", swp_offset(slot),
		       swp_type(slot));
	if (pgt_swap_exclusive(e)) {
		e = pgt_swap_clear_exclusive(e);
		pgt_set(entry, e);
	}
	return err ? 0 : e;
}

/* Two entries for a page that is on its way: neither may make it writable, or its own, when it arrives. */
static pgt_entry_t share_absent(pgt_entry_t *entry, pgt_entry_t e)
{
	swp_entry_t swap = pte_to_swp_entry(__pte(e));
	struct page *page;
	pte_t shared;

	if (!non_swap_entry(swap))
		return share_slot(entry, e, swap);
	if (!is_writable_migration_entry(swap) && !is_readable_exclusive_migration_entry(swap))
		return e;
	page = pfn_swap_entry_to_page(swap);
	if (!page_is_anon(&page_folio(page)->page))
		return e;
	shared = swp_entry_to_pte(make_readable_migration_entry(swp_offset(swap)));
	if (pgt_swap_soft_dirty(e))
		shared = pte_swp_mksoft_dirty(shared);
	if (pgt_swap_uffd_wp(e))
		shared = pte_swp_mkuffd_wp(shared);
	pgt_set(entry, shared.pte);
	return shared.pte;
}

/* One more entry for @page, and the reference that comes with it. */
static force_inline void take_counts(struct page *page)
{
	struct page *head = compound_head(page);

#if __SIZEOF_POINTER__ == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	/* Both halves of one word; neither carries, being far from its end. */
	octavo_static_assert(offsetof(struct page, _mapcount) == offsetof(struct page, counts) + 4, "the high half");
	if (likely(head == page)) {
		(void)atomic_fetch_add(&page->counts, ((u64)1 << 32) + 1);
		return;
	}
#endif
	(void)atomic_fetch_add(&page->_mapcount, 1);
	(void)atomic_fetch_add(&head->_refcount, 1);
}

/* @quiet: no processor can write by the entry. */
static force_inline pgt_entry_t share_present(pgt_entry_t *entry, pgt_entry_t e, bool quiet)
{
	struct page *page = entry_page(e);

	if (!page)
		return e;
	if (page_is_anon(compound_head(page))) {
		if (page_plain_flag(page, PG_owner_2))
			ClearPageAnonExclusive(page);
		if (pgt_write(0, e)) {
			/* An accessed bit may be lost then, a dirty one not. */
			if (!quiet) {
				pgt_entry_wrprotect(0, entry);
				e = pgt_get(entry);
			}
			e = pgt_wrprotect(0, e);
			if (quiet)
				pgt_set(entry, e);
		}
	}
	take_counts(page);
	return e;
}

pgt_entry_t entry_share(pgt_entry_t *entry, pgt_entry_t e)
{
	return likely(pgt_present(e)) ? share_present(entry, e, false) : share_absent(entry, e);
}

static void copy_table(pgt_entry_t *to, pgt_entry_t *from)
{
	for (unsigned int i = 0; i < PGT_ENTRIES(0);) {
		pgt_entry_t e = pgt_get(from + i);

		if (pgt_none(e)) {
			i += pgt_none_run(from + i, PGT_ENTRIES(0) - i);
			continue;
		}
		e = likely(pgt_present(e)) ? share_present(from + i, e, true) : share_absent(from + i, e);
		pgt_fill(to + i, e);
		i++;
	}
}

/* ---- A table of one's own ---- */

void table_take_over(struct mm_struct *mm, pgt_entry_t *upper, struct page *table)
{
	table_fold(mm, table);
	store_relaxed_u64(&table->private_data, 0);
	pgt_page_of(table)->shared = 0;
	pgt_set(upper, pgt_table_mkwrite(1, pgt_get(upper)));
}

/* Nobody maps what the entries lead to by them any more. */
static void release_entries(pgt_entry_t *table)
{
	for (unsigned int i = 0; i < PGT_ENTRIES(0); i++) {
		pgt_entry_t e = pgt_get(table + i);
		struct page *page = !pgt_none(e) && pgt_present(e) ? entry_page(e) : NULL;
		swp_entry_t swap = pte_to_swp_entry(__pte(e));

		if (pgt_none(e))
			continue;
		pgt_wipe(table + i);
		if (pgt_is_swap(e) && !non_swap_entry(swap))
			free_swap_and_cache(swap);
		if (!page)
			continue;
		if (pgt_dirty(0, e) && !page_is_anon(&page_folio(page)->page))
			(void)folio_mark_dirty(page_folio(page));
		folio_remove_rmap_pte(page_folio(page), page);
		free_swap_cache_of(compound_head(page));
		put_page(page);
	}
}

void table_put(struct mm_struct *mm, struct page *table)
{
	if (atomic_fetch_sub(&table->_refcount, 1) > 1) {
		atomic_add_relaxed(&mm->pgtable_pages, -1ul);
		return;
	}
	/* All others left meanwhile. */
	set_page_count(table, 1);
	pgt_page_of(table)->shared = 0;
	set_page_private(table, 0);
	release_entries(page_address(table));
	pgt_table_free(mm, page_address(table));
}

/* What an address space that has the table counts for it in mm->rss, @sign times, is added to @mm's. */
static void count_table(struct mm_struct *mm, struct page *table, long sign)
{
	const pgt_entry_t *entries = page_address(table);
	long present[NR_MM_COUNTERS + 1] = { 0 };

	for (unsigned int i = 0; i < PGT_ENTRIES(0); i++)
		present[entry_counter(pgt_get(entries + i))]++;
	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (present[i] != table_delta(table, i))
			mm_counter_add(mm, i, sign * (present[i] - table_delta(table, i)));
}

noinline void fork_table_left(struct mm_struct *mm, uintptr_t addr, struct page *table)
{
	struct fork_count *f = mm->fork;
	struct mm_struct *other = mm == f->parent ? f->child : f->parent;
	pgt_entry_t e;
	bool both = upper_entry(other, addr, &e) && table_page(pgt_table_of(1, e)) == table;
	unsigned int left = load_relaxed(&f->left), was;

	/* What the child does with a table of its own is in its rss. */
	if (!both && mm == f->child)
		return;
	for (;; left = was) {
		if (left == FORK_COUNTED)
			return;
		was = atomic_cmpxchg(&f->left, left, left + 1);
		if (was == left)
			break;
	}
	if (both)
		count_table(f->child, table, 1);
}

enum own { OWNED, NEEDS_TABLE, LEFT };

/* @fresh: a table to copy to; NULL: none yet. *@left: the one that was left, to be put after a flush. */
static enum own own_locked(struct mm_struct *mm, uintptr_t addr, pgt_entry_t *fresh, struct page **left)
{
	enum own what = OWNED;
	struct page *table;
	pgt_entry_t *upper, e;

	spin_lock(&mm->page_table_lock);
	upper = upper_entry(mm, addr, &e);
	if (!upper || pgt_table_write(1, e)) {
		spin_unlock(&mm->page_table_lock);
		return OWNED;
	}
	table = table_page(pgt_table_of(1, e));
	spin_lock(&pgt_page_of(table)->lock);
	if (unlikely(mm->fork) && (fresh || table_sharers(table) == 1))
		fork_table_left(mm, addr, table);
	if (table_sharers(table) == 1) {
		table_take_over(mm, upper, table);
	} else if (!fresh) {
		what = NEEDS_TABLE;
	} else {
		copy_table(fresh, page_address(table));
		table_fold(mm, table);
		pgt_set(upper, pgt_make_table(1, pgt_table_phys_of(fresh), true));
		*left = table;
		what = LEFT;
	}
	spin_unlock(&pgt_page_of(table)->lock);
	spin_unlock(&mm->page_table_lock);
	return what;
}

/* Return: 0 or -ENOMEM. */
static int own_table(struct mm_struct *mm, uintptr_t addr)
{
	pgt_entry_t *fresh = NULL;
	struct page *left = NULL;
	enum own what = own_locked(mm, addr, NULL, &left);

	if (what == NEEDS_TABLE) {
		fresh = pgt_table_alloc(mm, 0, GFP_KERNEL);
		if (!fresh)
			return -ENOMEM;
		what = own_locked(mm, addr, fresh, &left);
	}
	if (what == LEFT) {
		/* What leads to the old table: the entries of both are the same, so no page's own need go. */
		if (likely(flush_tlb_mm_range(mm, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE, PAGE_SHIFT, true)))
			table_put(mm, left);
		else
			pr_err("mm %lu: a shared page table stays out of use, as not every CPU could be told\n",
			       mm->ctx_id);
	} else if (fresh) {
		pgt_table_free(mm, fresh);
	}
	return 0;
}

/* ---- Entries ---- */

static noinline pgt_entry_t *entry_lock_slow(struct vm_area_struct *vma, uintptr_t addr, spinlock_t **lock)
{
	struct mm_struct *mm = vma->vm_mm;
	pgt_entry_t *upper, e;

	for (;;) {
		upper = upper_entry(mm, addr, &e);
		if (upper && pgt_table_write(1, e)) {
			pgt_entry_t *entry = pgt_table_of(1, e) + pgt_index(0, addr);

			*lock = &pgt_page_of(table_page(entry))->lock;
			spin_lock(*lock);
			return entry;
		}
		if (upper) {
			if (own_table(mm, addr))
				return NULL;
		} else if (!pgt_entry_alloc(mm, addr, 0, GFP_KERNEL)) {
			return NULL;
		}
	}
}

/*
 * With a lock of its VMA's the address space itself neither shares a table nor frees one, so one that was its own stays
 * so.
 */
pgt_entry_t *vm_entry_lock(struct vm_area_struct *vma, uintptr_t addr, spinlock_t **lock)
{
	pgt_entry_t e, *upper = upper_entry(vma->vm_mm, addr, &e), *entry;

	if (unlikely(!upper || !pgt_table_write(1, e)))
		return entry_lock_slow(vma, addr, lock);
	entry = pgt_table_at(pgt_table_phys(1, e)) + pgt_index(0, addr);
	*lock = &pgt_page_of(table_page(entry))->lock;
	spin_lock(*lock);
	return entry;
}

pgt_entry_t *table_lock_find(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock)
{
	pgt_entry_t e, *upper, *entry = NULL;

	spin_lock(&mm->page_table_lock);
	upper = upper_entry(mm, addr, &e);
	if (upper) {
		entry = pgt_table_at(pgt_table_phys(1, e)) + pgt_index(0, addr);
		*lock = &pgt_page_of(table_page(entry))->lock;
		spin_lock(*lock);
	}
	spin_unlock(&mm->page_table_lock);
	return entry;
}

static noinline pgt_entry_t *entry_find_shared(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock, bool *shared)
{
	pgt_entry_t e, *upper, *entry = NULL;
	struct page *table;

	spin_lock(&mm->page_table_lock);
	upper = upper_entry(mm, addr, &e);
	if (upper) {
		entry = pgt_table_of(1, e) + pgt_index(0, addr);
		table = table_page(entry);
		*lock = &pgt_page_of(table)->lock;
		spin_lock(*lock);
		*shared = !pgt_table_write(1, e);
		if (*shared && table_sharers(table) == 1) {
			table_take_over(mm, upper, table);
			*shared = false;
		}
	}
	spin_unlock(&mm->page_table_lock);
	return entry;
}

pgt_entry_t *vm_entry_find(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock, bool *shared)
{
	pgt_entry_t e, *upper = upper_entry(mm, addr, &e), *entry;

	*shared = false;
	if (!upper)
		return NULL;
	if (unlikely(!pgt_table_write(1, e)))
		return entry_find_shared(mm, addr, lock, shared);
	entry = pgt_table_at(pgt_table_phys(1, e)) + pgt_index(0, addr);
	*lock = &pgt_page_of(table_page(entry))->lock;
	spin_lock(*lock);
	return entry;
}

/* ---- Ranges ---- */

int vm_own_tables(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct mm_struct *mm = vma->vm_mm;
	int err = 0;

	for (uintptr_t addr = start, next; addr < end && !err; addr = next) {
		pgt_entry_t e, *upper = upper_entry(mm, addr, &e);

		next = pgt_addr_end(addr, end, 1);
		if (upper && !pgt_table_write(1, e))
			err = own_table(mm, addr);
	}
	return err;
}

bool vm_leave_table(struct mmu_gather *tlb, struct mm_struct *mm, pgt_entry_t *upper, uintptr_t start, bool count)
{
	struct page *table = NULL;
	pgt_entry_t e;

	spin_lock(&mm->page_table_lock);
	e = pgt_get(upper);
	if (likely(pgt_table(1, e) && !pgt_table_write(1, e))) {
		table = pfn_to_page(PFN_DOWN(pgt_table_phys(1, e)));
		spin_lock(&pgt_page_of(table)->lock);
		if (likely(table_sharers(table) > 1)) {
			if (count)
				count_table(mm, table, -1);
			pgt_set(upper, 0);
			spin_unlock(&pgt_page_of(table)->lock);
		} else {
			table_take_over(mm, upper, table);
			spin_unlock(&pgt_page_of(table)->lock);
			table = NULL;
		}
	}
	spin_unlock(&mm->page_table_lock);
	if (unlikely(!table))
		return false;
	if (unlikely(tlb_leave_table(tlb, table, start)))
		tlb_flush_mmu(tlb);
	return true;
}

bool vm_drop_shared(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start)
{
	pgt_entry_t e, *upper = upper_entry(mm, start, &e);

	if (likely(!upper || pgt_table_write(1, e)))
		return false;
	return vm_leave_table(tlb, mm, upper, start, true);
}

/* ---- What it looks like from outside ---- */

unsigned int entry_mappers(pgt_entry_t *entry, struct page *page)
{
	return (unsigned int)page_mapcount(page) - 1 + table_sharers(table_page(entry));
}

long get_mm_counter(struct mm_struct *mm, unsigned int which)
{
	long sum = load_relaxed(&mm->rss[which]);

	if (!(load_relaxed(&mm->flags) >> MMF_HAS_SHARED_TABLES & 1))
		return sum;
	spin_lock(&mm->page_table_lock);
	for (uintptr_t at = 0;;) {
		unsigned int level;
		pgt_entry_t e = pgt_get_table(pgt_descend(mm, at, 1, &level));

		if (level == 1 && pgt_table(1, e) && !pgt_table_write(1, e))
			sum += table_delta(table_page(pgt_table_of(1, e)), which);
		if (pgt_last(level, at) >= mm->task_size - 1)
			break;
		at = pgt_last(level, at) + 1;
	}
	spin_unlock(&mm->page_table_lock);
	return sum;
}

void trace_rss(const struct mm_struct *mm, unsigned int which)
{
	const struct mm_task *task = current_task();

	trace_event(rss_stat, mm->ctx_id, task && task->mm == mm, which,
		    max(load_relaxed(&mm->rss[which]), 0l) * (long)PAGE_SIZE);
}

static int share_init(void)
{
	tlb_shared_table_put = table_put;
	return 0;
}

MM_PART(share, .order = MM_PART_VM, .init = share_init);
