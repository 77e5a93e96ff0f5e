// SPDX-License-Identifier: MIT
/*
 * New rights for what is mapped. The VMA has them already; entries follow, and the gather flushes.
 */
#include "../pgtable/swapops.h"
#include "fault.h"
#include "share.h"
#include "userfaultfd.h"

struct change {
	struct mmu_gather *tlb;
	struct vm_area_struct *vma;
	unsigned int flags; /* MM_CP_* */
	bool markers;	    /* what is not there is protected, too */
};

/*
 * May a private entry be made writable at once? As a fault would find: an exclusive page needs no copy. Of shared ones
 * the VMA's rights have the bit already, unless the first write has to be noticed.
 */
static bool can_be_written(const struct change *c, uintptr_t addr, pgt_entry_t e)
{
	struct page *page;

	if (!(c->flags & MM_CP_TRY_WRITE) || !(c->vma->vm_flags & VM_WRITE) || pgt_uffd_wp(0, e))
		return false;
	/* Who watches for writes (clear_refs) sees the first one by its fault. */
	if (!(c->vma->vm_flags & VM_SOFTDIRTY) && !pgt_soft_dirty(0, e))
		return false;
	if (c->vma->vm_flags & VM_SHARED)
		return pgt_dirty(0, e);
	page = vm_normal_page(c->vma, addr, e);
	return page && page_anon(page) && PageAnonExclusive(page);
}

static pgt_entry_t changed(const struct change *c, uintptr_t addr, pgt_entry_t e)
{
	pgt_entry_t to = pgt_fit(pgt_modify(0, e, c->vma->vm_page_prot));

	if (c->flags & MM_CP_UFFD_WP)
		to = pgt_mkuffd_wp(0, to);
	else if (c->flags & MM_CP_UFFD_WP_RESOLVE)
		to = pgt_clear_uffd_wp(0, to);
	if (!pgt_write(0, to) && can_be_written(c, addr, to))
		to = pgt_mkwrite(0, to);
	return to;
}

static bool change_present(const struct change *c, pgt_entry_t *entry, uintptr_t addr, pgt_entry_t e)
{
	pgt_entry_t to;

	do {
		to = changed(c, addr, e);
		if (to == e)
			return false;
	} while (!pgt_cmpxchg(entry, &e, to));
	if (pgt_valid(e))
		tlb_remove_entry(c->tlb, 0, addr);
	return true;
}

/* Without a page: protected from now on, or no more. A poisoned one stays what it is. */
static bool change_marker(const struct change *c, pgt_entry_t *entry, pgt_entry_t e)
{
	if (pgt_none(e) && c->markers)
		pgt_set(entry, make_pte_marker(PTE_MARKER_UFFD_WP).pte);
	else if (c->flags & MM_CP_UFFD_WP_RESOLVE && marker_has(e, PTE_MARKER_UFFD_WP))
		pgt_set(entry, 0);
	else
		return false;
	return true;
}

static bool change_absent(const struct change *c, pgt_entry_t *entry, pgt_entry_t e)
{
	pte_t pte = __pte(e), to = pte;
	swp_entry_t swap = pte_to_swp_entry(pte);

	if (is_pte_marker_entry(swap))
		return change_marker(c, entry, e);
	if (is_writable_migration_entry(swap)) {
		/* The page may be exclusive: the migration ends with a fault that will see. */
		unsigned long offset = swp_offset(swap);

		to = swp_entry_to_pte(make_readable_exclusive_migration_entry(offset));
		to = pte_swp_soft_dirty(pte) ? pte_swp_mksoft_dirty(to) : to;
		to = pte_swp_uffd_wp(pte) ? pte_swp_mkuffd_wp(to) : to;
	}
	if (c->flags & MM_CP_UFFD_WP)
		to = pte_swp_mkuffd_wp(to);
	else if (c->flags & MM_CP_UFFD_WP_RESOLVE)
		to = pte_swp_clear_uffd_wp(to);
	if (pte_same(to, pte))
		return false;
	pgt_set(entry, to.pte);
	return true;
}

/* Who exchanges a page needs the lock to end it: only faults do, where the mmap lock is held for reading. */
static pgt_entry_t wait_for_exchange(pgt_entry_t *entry, spinlock_t *lock)
{
	pgt_entry_t e;

	for (e = pgt_get(entry); pgt_present(e) && !pgt_valid(e) && !pgt_protnone(e); e = pgt_get(entry)) {
		spin_unlock(lock);
		port_cpu_relax();
		spin_lock(lock);
	}
	return e;
}

static long change_entries(const struct change *c, pgt_entry_t *entry, uintptr_t addr, uintptr_t end, spinlock_t *lock)
{
	long pages = 0;

	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);

		if (pgt_none(e)) {
			pages += c->markers && change_marker(c, entry, e);
			continue;
		}
		if (unlikely(c->flags & (MM_CP_UFFD_WP | MM_CP_UFFD_WP_RESOLVE)))
			e = wait_for_exchange(entry, lock);
		if (pgt_present(e))
			pages += change_present(c, entry, addr, e);
		else
			pages += change_absent(c, entry, e);
	}
	return pages;
}

long change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
		       unsigned int flags)
{
	struct change c = { .tlb = tlb, .vma = vma, .flags = flags };
	long pages = 0;
	/* To take protection away needs no memory: shared tables have none (UF-I5). */
	bool shared_too = !(flags & MM_CP_UFFD_WP_RESOLVE);
	int err = shared_too ? vm_own_tables(vma, start, end) : 0;

	c.markers = flags & MM_CP_UFFD_WP && userfaultfd_marks(vma);

	if (err)
		return err;
	for (uintptr_t addr = start, next; addr < end; addr = next) {
		unsigned int level;
		pgt_entry_t e = pgt_get_table(pgt_descend(vma->vm_mm, addr, 1, &level)), *table;
		spinlock_t *lock;

		next = pgt_addr_end(addr, end, level);
		if (level != 1 || !pgt_table(1, e)) {
			if (!c.markers)
				continue;
			next = pgt_addr_end(addr, end, 1);
			if (!pgt_entry_alloc(vma->vm_mm, addr, 0, GFP_KERNEL))
				return -ENOMEM;
			e = pgt_get_table(pgt_descend(vma->vm_mm, addr, 1, &level));
		}
		if (!shared_too && !pgt_table_write(1, e))
			continue;
		table = pgt_table_of(1, e);
		lock = &pgt_page_of(table_page(table))->lock;
		spin_lock(lock);
		pages += change_entries(&c, table + pgt_index(0, addr), addr, next, lock);
		spin_unlock(lock);
	}
	return pages;
}
