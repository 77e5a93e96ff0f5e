// SPDX-License-Identifier: MIT
/*
 * fork(): an address space like another one. VMAs are copied one by one; last-level tables are shared where all VMAs in
 * their reach allow it, and copied entry by entry where one does not.
 */
#include <octavo/highmem.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "anon_vma.h"
#include "share.h"
#include "userfaultfd.h"

/* What of its own an area's copy needs, or that it must not have: then its tables cannot be the child's as they are. */
#define VM_NOT_AS_IT_IS (VM_DONTCOPY | VM_WIPEONFORK | VM_UFFD_WP)

struct fork {
	struct fork_count count;    /* parent and child */
	struct vm_area_struct *vma; /* the parent's */
	struct vm_area_struct *copy;
	uintptr_t region;	    /* the last-level range that was decided last */
	bool shared;		    /* that region's table is the child's now */
	bool pinned;		    /* some page of the parent's may be */
	bool any_not;		    /* some table is not shared */
	bool flush;		    /* entries of the parent's have fewer rights now */
	unsigned long tables;	    /* shared */
	unsigned long charged;	    /* pages, of VMAs that are not there yet */
	long rss[NR_MM_COUNTERS];   /* what was copied */
};

/* ---- Sharing ---- */

/* Every VMA in the reach of @region's table is copied as it is. */
static bool region_as_it_is(const struct fork *f, uintptr_t region)
{
	uintptr_t last = pgt_last(1, region);
	const struct vm_area_struct *vma = f->vma;

	while (vma->vm_prev && vma->vm_prev->vm_end > region)
		vma = vma->vm_prev;
	for (; vma && vma->vm_start <= last; vma = vma->vm_next)
		if (vma->vm_flags & VM_NOT_AS_IT_IS)
			return false;
	return true;
}

/* A page that somebody pinned has to stay with who has it now. */
static bool has_pinned(const pgt_entry_t *table)
{
	for (unsigned int i = 0; i < PGT_ENTRIES(0); i++) {
		pgt_entry_t e = pgt_get(table + i);
		struct page *page = !pgt_none(e) && pgt_present(e) ? entry_page(e) : NULL;

		if (page && page_is_anon(&page_folio(page)->page) && PageAnonExclusive(page) &&
		    folio_maybe_dma_pinned(page_folio(page)))
			return true;
	}
	return false;
}

/*
 * The table of @upper, whose value is @e, becomes the child's, too. Under the parent's page_table_lock. False: it has a
 * pinned page.
 */
static force_inline bool share_table(struct fork *f, pgt_entry_t *upper, pgt_entry_t *to, pgt_entry_t e)
{
	struct page *table = pfn_to_page(PFN_DOWN(pgt_table_phys(1, e)));
	pgt_entry_t read_only = pgt_table_wrprotect(1, e);

	spin_lock(&pgt_page_of(table)->lock);
	if (unlikely(f->pinned) && has_pinned(pgt_table_at(pgt_table_phys(1, e)))) {
		spin_unlock(&pgt_page_of(table)->lock);
		return false;
	}
	(void)atomic_fetch_add(&table->_refcount, 1);
	pgt_page_of(table)->shared = 1;
	if (e != read_only) {
		pgt_set(upper, read_only);
		f->flush = true;
	}
	spin_unlock(&pgt_page_of(table)->lock);
	pgt_set(to, read_only);
	f->tables++;
	return true;
}

/*
 * Tables of up to @nr entries of one table above, which all are in VMAs that are copied as they are.
 * Return: how many entries; the next one's table cannot be shared.
 */
static unsigned int share_run(struct fork *f, pgt_entry_t *upper, pgt_entry_t *to, unsigned int nr)
{
	unsigned int i = 0;

	spin_lock(&f->count.parent->page_table_lock);
	while (i < nr) {
		pgt_entry_t e = pgt_get(upper + i);

		if (pgt_none(e))
			i += pgt_none_run(upper + i, nr - i);
		else if (!pgt_table(1, e) || share_table(f, upper + i, to + i, e))
			i++;
		else
			break;
	}
	spin_unlock(&f->count.parent->page_table_lock);
	return i;
}

/* ---- Copying ---- */

/* Pages that a fault would find again are left to it. */
static bool needs_copy(const struct vm_area_struct *vma)
{
	return vma_has_anon(vma) || vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_UFFD_WP) || !vma->vm_file;
}

/* @page is pinned: the child gets @fresh with the same contents. */
static pgt_entry_t copy_page(struct fork *f, pgt_entry_t e, struct page *page, struct page *fresh, uintptr_t addr)
{
	pgt_entry_t copy = pgt_make_leaf(0, PFN_PHYS(page_to_pfn(fresh)), f->copy->vm_page_prot);

	copy_highpage(fresh, page);
	__SetPageUptodate(fresh);
	folio_add_new_anon_rmap(page_folio(fresh), f->copy, addr);
	copy = pgt_mkyoung(0, pgt_mkdirty(0, pgt_fit(copy)));
	if (!pgt_soft_dirty(0, e))
		copy = pgt_clear_soft_dirty(0, copy);
	return f->copy->vm_flags & VM_WRITE ? pgt_mkwrite(0, copy) : copy;
}

/* What was protected in the parent is so in the child if somebody there will be told. */
static pgt_entry_t copy_protection(const struct fork *f, pgt_entry_t copy)
{
	if (!(f->copy->vm_flags & VM_UFFD_WP))
		return entry_clear_uffd_wp(copy);
	return pgt_present(copy) ? pgt_mkuffd_wp(0, copy) : copy;
}

/*
 * Entries from @addr up to @end, of one table whose lock is held.
 * Return: where it stopped: at @end, or where a page (*@fresh) is needed.
 */
static uintptr_t copy_entries(struct fork *f, pgt_entry_t *to, pgt_entry_t *from, uintptr_t addr, uintptr_t end,
			      struct page **fresh)
{
	for (; addr < end; addr += PAGE_SIZE, to++, from++) {
		pgt_entry_t e = pgt_get(from), copy;
		struct page *page;

		if (pgt_none(e))
			continue;
		page = pgt_present(e) ? entry_page(e) : NULL;
		if (unlikely(page && page_is_anon(&page_folio(page)->page) && PageAnonExclusive(page) &&
			     folio_maybe_dma_pinned(page_folio(page)))) {
			if (!*fresh)
				break;
			copy = copy_page(f, e, page, *fresh, addr);
			*fresh = NULL;
		} else {
			copy = entry_share(from, e);
			f->flush |= pgt_present(e) && pgt_get(from) != e;
		}
		if (entry_counter(copy) < NR_MM_COUNTERS)
			f->rss[entry_counter(copy)]++;
		if (unlikely(entry_uffd_wp(e)))
			copy = copy_protection(f, copy);
		pgt_fill(to, copy);
	}
	return addr;
}

/* The part of the VMA in one table's reach. Return: 0 or -ENOMEM. */
static int copy_range(struct fork *f, uintptr_t addr, uintptr_t end)
{
	struct page *fresh = NULL;
	int err = 0;

	while (addr < end && !err) {
		pgt_entry_t e, *upper = upper_entry(f->count.parent, addr, &e), *to, *from;
		spinlock_t *lock;

		if (!upper)
			break;
		to = pgt_entry_alloc(f->count.child, addr, 0, GFP_KERNEL);
		from = to ? table_lock_find(f->count.parent, addr, &lock) : NULL;
		if (!from) {
			err = to ? 0 : -ENOMEM;
			break;
		}
		addr = copy_entries(f, to, from, addr, end, &fresh);
		spin_unlock(lock);
		if (addr == end)
			break;
		err = anon_vma_prepare(f->copy);
		fresh = err ? NULL : alloc_page(GFP_HIGHUSER_MOVABLE);
		if (!fresh)
			err = -ENOMEM;
	}
	if (fresh)
		put_page(fresh);
	return err;
}

/*
 * The tables that @nr entries from @upper on lead to, of which @addr is in the first; the VMA goes on to @end.
 * Return: entries dealt with, or -ENOMEM.
 */
static int fork_tables(struct fork *f, pgt_entry_t *upper, unsigned int nr, uintptr_t addr, uintptr_t end)
{
	uintptr_t region = addr & (uintptr_t)PGT_MASK(1), next = pgt_addr_end(addr, end, 1);
	bool whole = addr == region && next - addr == (uintptr_t)PGT_SIZE(1);
	pgt_entry_t *to;
	int done = 0;

	if (region == f->region && f->shared)
		return 1;
	if (region != f->region && (whole ? !(f->vma->vm_flags & VM_NOT_AS_IT_IS) : region_as_it_is(f, region))) {
		to = pgt_entry_alloc(f->count.child, addr, 1, GFP_KERNEL);
		if (!to)
			return -ENOMEM;
		/* The last one may be in part the next VMA's. */
		nr = whole ? min(nr, (unsigned int)((end - addr) >> PGT_SHIFT(1))) : 1;
		done = (int)share_run(f, upper, to, nr);
	}
	f->shared = done;
	f->region = region + (uintptr_t)((u64)(done ? done - 1 : 0) << PGT_SHIFT(1));
	if (done)
		return done;
	f->any_not = true;
	if (f->vma->vm_flags & VM_WIPEONFORK || !needs_copy(f->vma))
		return 1;
	return copy_range(f, addr, next) ? -ENOMEM : 1;
}

/* Return: 0 or -ENOMEM. */
static int copy_tables(struct fork *f)
{
	uintptr_t addr = f->vma->vm_start, end = f->vma->vm_end;

	while (addr < end) {
		unsigned int level, nr;
		pgt_entry_t *upper = pgt_descend(f->count.parent, addr, 1, &level);
		uintptr_t last = pgt_last(level, addr);
		int done = 1;

		if (level == 1) {
			nr = min(pgt_run(1, addr), (unsigned int)((pgt_last(1, end - 1) - addr) >> PGT_SHIFT(1)) + 1);
			if (pgt_none(pgt_get(upper)))
				done = (int)pgt_none_run(upper, nr);
			else if (pgt_table(1, pgt_get(upper)))
				done = fork_tables(f, upper, nr, addr, end);
			if (done < 0)
				return done;
			last += (uintptr_t)((u64)(done - 1) << PGT_SHIFT(1));
		}
		if (last >= end - 1)
			break;
		addr = last + 1;
	}
	return 0;
}

/* ---- Counts ---- */

enum mark { MARK, UNMARK };

/*
 * A table of the parent's that the child does not share. What the parent's rss says of it is taken from @rss: what is
 * there now, and what went while others shared it. MARK: if it is the parent's alone, what goes from now on is counted
 * with the table, so that both agree; UNMARK: as before. Context: the table's lock.
 */
static void mark_table(struct fork *f, struct page *table, bool alone, enum mark mark, long *rss)
{
	const pgt_entry_t *entries = page_address(table);

	if (alone && mark == UNMARK)
		table_fold(f->count.parent, table);
	if (alone) {
		set_page_private(table, 0);
		pgt_page_of(table)->shared = mark == MARK;
	}
	if (mark == MARK) {
		for (unsigned int i = 0; i < PGT_ENTRIES(0); i++)
			if (entry_counter(pgt_get(entries + i)) < NR_MM_COUNTERS)
				rss[entry_counter(pgt_get(entries + i))]--;
		for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
			rss[i] += table_delta(table, i);
	}
}

/* The parent's table of @addr, if it has one and the child has another one or none. */
static void mark_region(struct fork *f, uintptr_t addr, enum mark mark, long *rss)
{
	struct mm_struct *parent = f->count.parent;
	pgt_entry_t e, theirs, *upper;
	struct page *table;

	/* Truncation may be replacing what either has, and changes who has what only under the table's lock. */
	spin_lock(&parent->page_table_lock);
	upper = upper_entry(parent, addr, &e);
	if (upper) {
		table = table_page(pgt_table_of(1, e));
		spin_lock(&pgt_page_of(table)->lock);
		if (!upper_entry(f->count.child, addr, &theirs) || pgt_table_phys(1, theirs) != pgt_table_phys(1, e))
			mark_table(f, table, pgt_table_write(1, e), mark, rss);
		spin_unlock(&pgt_page_of(table)->lock);
	}
	spin_unlock(&parent->page_table_lock);
}

/* All tables of the parent's that the child does not share. */
static void mark_tables(struct fork *f, enum mark mark, long *rss)
{
	struct mm_struct *parent = f->count.parent;
	uintptr_t done = 1; /* the last that was looked at */

	for (struct vm_area_struct *vma = find_vma(parent, 0); vma; vma = vma_next(vma)) {
		for (uintptr_t addr = vma->vm_start; addr < vma->vm_end; addr = pgt_addr_end(addr, vma->vm_end, 1)) {
			uintptr_t region = addr & (uintptr_t)PGT_MASK(1);

			if (region != done)
				mark_region(f, addr, mark, rss);
			done = region;
		}
	}
}

/* Before anybody can find the child's VMAs. */
static void begin_count(struct fork *f)
{
	struct mm_struct *parent = f->count.parent;

	f->count.child->fork = &f->count;
	spin_lock(&parent->page_table_lock);
	parent->fork = &f->count;
	spin_unlock(&parent->page_table_lock);
}

/*
 * The child's pages: those of the parent, if it has all its tables, which is told only now, as both will hear of what
 * goes out of them from now on. Where it has not, less what is in the others, and what was copied.
 */
static void count_pages(struct fork *f, bool complete)
{
	struct mm_struct *parent = f->count.parent, *child = f->count.child;
	bool shares = complete && f->tables, counted = false;

	while (!counted) {
		unsigned int left = load_acquire(&f->count.left);
		bool marks = shares && (f->any_not || left);
		long rss[NR_MM_COUNTERS];

		memcpy(rss, f->rss, sizeof(rss));
		if (unlikely(marks))
			mark_tables(f, MARK, rss);
		spin_lock(&parent->page_table_lock);
		for (unsigned int i = 0; i < NR_MM_COUNTERS && shares; i++)
			rss[i] += load_relaxed(&parent->rss[i]);
		/* Unless a table changed hands meanwhile. Each does so at most twice. */
		counted = !shares || atomic_cmpxchg(&f->count.left, left, FORK_COUNTED) == left;
		if (likely(counted))
			parent->fork = NULL;
		spin_unlock(&parent->page_table_lock);
		if (unlikely(marks))
			mark_tables(f, UNMARK, NULL);
		for (unsigned int i = 0; i < NR_MM_COUNTERS && counted; i++)
			if (rss[i])
				mm_counter_add(child, i, rss[i]);
	}
	spin_lock(&child->page_table_lock);
	child->fork = NULL;
	spin_unlock(&child->page_table_lock);
}

/* ---- VMAs ---- */

static struct vm_area_struct *copy_vma(struct fork *f, struct vm_area_struct *vma)
{
	struct vm_area_struct *copy = vm_area_dup(vma);

	if (!copy)
		return NULL;
	copy->vm_mm = f->count.child;
	copy->vm_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	copy->anon_vma = NULL;
	if (unlikely(vma->vm_flags & VM_UFFD_ANY) && userfaultfd_dup(copy, vma)) {
		vma_discard(copy);
		return NULL;
	}
	if (!(vma->vm_flags & VM_WIPEONFORK) && vma_has_anon(vma) && anon_vma_fork(copy, vma)) {
		vma_discard(copy);
		return NULL;
	}
	copy->vm_refs = 1;
	return copy;
}

/* Copies of all VMAs, in no tree yet. Return: 0 or -ENOMEM. */
static int copy_vmas(struct fork *f, struct vm_area_struct **first)
{
	struct vm_area_struct *prev = NULL, *copy;

	for (struct vm_area_struct *vma = find_vma(f->count.parent, 0); vma; vma = vma_next(vma)) {
		vma_start_write(vma);
		if (unlikely(vma->vm_flags & VM_DONTCOPY)) {
			vm_stat_account(f->count.child, vma->vm_flags, -(long)vma_pages(vma));
			f->any_not = true;
			continue;
		}
		copy = copy_vma(f, vma);
		if (!copy)
			return -ENOMEM;
		if (vma->vm_flags & VM_ACCOUNT)
			f->charged += vma_pages(vma);
		copy->vm_prev = prev;
		*(prev ? &prev->vm_next : first) = copy;
		prev = copy;
		f->count.child->map_count++;
	}
	return f->charged ? vm_acct_memory(current_task(), f->charged) : 0;
}

static void *next_copy(void *ctx, void *old)
{
	struct vm_area_struct **next = ctx, *vma = *next;

	(void)old;
	*next = vma->vm_next;
	return vma;
}

/* They become the child's. Return: 0; -ENOMEM: none is. */
static int insert_vmas(struct fork *f, struct vm_area_struct *first)
{
	struct range_tree *tree = &f->count.child->vmas;
	struct vm_area_struct *next = first;
	int err = 0;

	if (f->count.child->map_count == f->count.parent->map_count)
		return range_tree_copy(tree, &f->count.parent->vmas, next_copy, &next, GFP_KERNEL);
	for (; next && !err; next = next->vm_next)
		err = range_tree_insert(tree, next->vm_start, next->vm_end - 1, next, GFP_KERNEL);
	if (err)
		range_tree_destroy(tree);
	return err;
}

static void discard_vmas(struct vm_area_struct *first)
{
	while (first) {
		struct vm_area_struct *next = first->vm_next;

		vma_discard(first);
		first = next;
	}
}

/* Return: 0 or -ENOMEM, and the child has none. */
static int fork_vmas(struct fork *f)
{
	struct vm_area_struct *first = NULL;
	int err = copy_vmas(f, &first);

	if (err) {
		f->charged = 0;
	} else {
		err = insert_vmas(f, first);
		if (err)
			vm_unacct_memory(f->charged);
	}
	if (err) {
		f->count.child->map_count = 0;
		discard_vmas(first);
		return err;
	}
	for (struct vm_area_struct *copy = first; copy; copy = copy->vm_next) {
		if (copy->vm_file)
			vma_link_file(copy);
		if (copy->vm_ops && copy->vm_ops->open)
			copy->vm_ops->open(copy);
	}
	return 0;
}

/* What the child sees of the parent's pages. Return: 0 or -ENOMEM. */
static int fork_pages(struct fork *f)
{
	int err = 0;

	f->copy = find_vma(f->count.child, 0);
	for (f->vma = find_vma(f->count.parent, 0); f->vma && !err; f->vma = vma_next(f->vma)) {
		if (f->vma->vm_flags & VM_DONTCOPY)
			continue;
		err = copy_tables(f);
		f->copy = f->copy->vm_next;
	}
	return err;
}

static void copy_fields(struct mm_struct *to, const struct mm_struct *from)
{
	const unsigned long inherited = 1ul << MMF_DUMPABLE | 1ul << MMF_DUMP_SECURELY | 1ul << MMF_TOPDOWN |
					1ul << MMF_VM_HUGEPAGE | 1ul << MMF_HAS_SHARED_TABLES;

	to->flags = (load_relaxed(&from->flags) & inherited) | mdwe_inherited(from);
	to->task_size = from->task_size;
	to->mmap_base = to->top_full = from->mmap_base;
	to->mmap_legacy_base = from->mmap_legacy_base;
	to->def_flags = from->def_flags & VM_NOHUGEPAGE;
	to->total_vm = from->total_vm;
	to->data_vm = from->data_vm;
	to->exec_vm = from->exec_vm;
	to->stack_vm = from->stack_vm;
	to->hiwater_vm = from->total_vm;
	to->start_code = from->start_code;
	to->end_code = from->end_code;
	to->start_data = from->start_data;
	to->end_data = from->end_data;
	to->start_brk = from->start_brk;
	to->brk = from->brk;
	to->start_stack = from->start_stack;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->pkeys = from->pkeys;
	to->membarrier = load_relaxed(&from->membarrier);
}

struct mm_struct *mm_fork(struct mm_struct *mm, const struct mm_process *child)
{
	struct fork f = { .count = { mm, mm_create(child, mm->task_size), 0 }, .region = 1 };
	int err;

	if (!f.count.child)
		return NULL;
	/* Who goes through all address spaces finds the child already. */
	down_write(&f.count.child->mmap_lock);
	mmap_write_lock(mm);
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_HAS_SHARED_TABLES);
	f.pinned = load_relaxed(&mm->flags) >> MMF_HAS_PINNED & 1;
	copy_fields(f.count.child, mm);
	if (mm->exe_file)
		f.count.child->exe_file = get_file(mm->exe_file);
	begin_count(&f);
	/* A child of who lost pages would have what its parent never had. */
	err = mm_is_stable(mm) ? fork_vmas(&f) : -ENOMEM;
	if (!err)
		err = fork_pages(&f);
	atomic_add_relaxed(&f.count.child->pgtable_pages, f.tables);
	count_pages(&f, !err);
	/* Until every CPU knows, the parent could write to what is the child's, too. */
	if (unlikely(!(f.flush ? flush_tlb_mm(mm) : tlb_settle(mm))))
		err = -EBUSY;
	mmap_write_unlock(mm);
	/* Its VMAs came into being as if write-locked: that ends here. */
	f.count.child->mm_lock_seq += 2;
	up_write(&f.count.child->mmap_lock);
	if (unlikely(err))
		mmput(f.count.child);
	userfaultfd_tell(!err);
	return err ? NULL : f.count.child;
}
