// SPDX-License-Identifier: MIT
/*
 * Faults of user addresses: what an access needs is put into the page table.
 *
 * Purpose. handle_mm_fault() makes one access to one page possible, whoever asks: an instruction (user_fault.c), a copy
 * of the kernel's, get_user_pages(), populate. Rights were checked before.
 *
 * Words. The *entry* is the last-level one of the address; *orig*, what the fault found in it. *Fresh*: an anonymous
 * page nobody has seen yet. *Exclusive* (PageAnonExclusive): an anonymous page that only one address space can reach.
 * *Reuse*: to give the right to write to an entry whose page is exclusive. *Dying*: an address space whose last user is
 * gone.
 *
 * Structures. One walk, one lock. The walk finds the entry without a lock; what it needs is got (a page, the page
 * cache's), and then the table is locked, and if the entry is still what it was the answer is entered:
 *
 *	lock_vma_under_rcu -> walk -> orig: none, anonymous -> anon.c       zero page, or a fresh one
 *	                                    none, of a file -> file_fault.c read, private copy, shared write
 *	                                    swap and others -> swap_fault.c bring it in; wait for a migration; poison
 *	                                    present         -> here, cow.c  reuse, copy, notify; or over already
 *
 * An entry that is *in exchange* (pgt_mkinvalid(): the core sees it, the machine does not) is being replaced by one
 * that leads to another page, and whoever does it waits for other CPUs to forget the old one; meanwhile nobody may
 * write to either. Who finds it so waits, which is for as long as CPUs take to answer, and looks again. He may take the
 * entry out, or take its marks (accessed, dirty), but nothing else of it: it stays in exchange until whoever began is
 * back.
 *
 * Invariants
 *
 * FA-I1: mm->rss says how many entries of each kind an address space has; shared tables count in each.
 *
 * FA-I2: a page's mapcount is the number of entries, in tables counted once each, that lead to it.
 *
 * FA-I3: a writable entry of a private mapping leads to an exclusive page, a special one to no page that is counted.
 *
 * FA-I4: the zero page is never writable in any entry.
 *
 * FA-I5: who cannot get memory leaves the entry as it was, and every count.
 *
 * Locking. The lock of the VMA or the mmap lock for reading, held from before the walk until the end: it keeps the
 * tables (free_pgtables() has no VMA in its range), and as fork holds it for writing, a table that is not shared stays
 * so. Then the table's lock. A folio's lock comes before it, and so do allocations. A handler of a file that wants to
 * wait without the lock drops it and says VM_FAULT_RETRY.
 *
 * Memory use. A fault keeps nothing but what it maps.
 *
 * What failure does. Nothing is entered (FA-I5); the code says what the access ends in. Without memory the
 * access is repeated once somebody was killed for it; where nobody can be, its own process is.
 *
 * Differences from Linux. A page that is exchanged is hidden from the machine until every CPU has flushed, so no two
 * CPUs see two pages at one address; where one CPU runs the address space that costs nothing. A large folio's pages are
 * mapped by entries of their own only.
 *
 * Sources: Intel SDM volume 3A, sections 4.7 (error codes) and 4.10.4 (what a fault invalidates); mmap(2),
 * sigaction(2); Documentation/mm/process_addrs.rst for what is locked when.
 */
#include <octavo/pagemap.h>
#include <octavo/preempt.h>

#include "fault.h"
#include "mlock.h"

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/vmstat.h"
#include "../phys/zone.h"
#include "../pgtable/swapops.h"
#include "share.h"
#include "userfaultfd.h"

unsigned long zero_pfn __memsys;
pgt_entry_t vm_common_entries[8] __memsys;

/* ---- What entries lead to ---- */

void print_bad_pte(const struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e, const struct page *page)
{
	const struct mm_task *task = current_task();

	pr_err("BUG: Bad page map in process %s  pte:%0*llx\n", task->comm, (int)sizeof(e) * 2, (unsigned long long)e);
	if (page)
		dump_page(page, "bad pte");
	pr_err("addr:%p vm_flags:%08llx anon_vma:%p mapping:%p index:%lx\n", (void *)addr,
	       (unsigned long long)vma->vm_flags, (void *)vma->anon_vma,
	       (void *)(vma->vm_file ? vma->vm_file->f_mapping : NULL), linear_page_index(vma, addr));
}

struct page *vm_normal_page(const struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e)
{
	unsigned long pfn = PFN_DOWN(pgt_leaf_phys(0, e));

	if (likely(!pgt_special(0, e)))
		return pfn_to_page(pfn);
	if (unlikely(!(vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) && !is_zero_pfn(pfn)))
		print_bad_pte(vma, addr, e, NULL);
	return NULL;
}

void vm_folio_dirty(struct folio *folio)
{
	if (page_is_anon(&folio->page))
		SetPageDirty(&folio->page);
	else
		(void)folio_mark_dirty(folio);
}

void set_pte_range(struct vm_fault *vmf, pgt_entry_t *entry, struct folio *folio, struct page *page, unsigned int nr,
		   uintptr_t addr)
{
	struct vm_area_struct *vma = vmf->vma;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long pfn = page_to_pfn(page);

	for (unsigned int i = 0; i < nr; i++) {
		pgt_entry_t e = vm_make_entry(vma, pfn + i, vma->vm_page_prot);

		if (write)
			e = maybe_mkwrite(pgt_mkdirty(0, e), vma);
		else if (addr + ((uintptr_t)i << PAGE_SHIFT) != vmf->address && PGT_VIRT_BITS != 32)
			e = pgt_mkold(0, e);
		pgt_fill(entry + i, e);
	}
	folio_add_file_rmap_ptes(folio, page, nr, vma);
}

/* ---- Present entries ---- */

/* Rights were given to the VMA, and the entry did not hear of it. */
static vm_fault_t do_protnone(struct vm_fault *vmf)
{
	if (vmf_lock(vmf)) {
		pgt_set(vmf->entry, pgt_fit(pgt_modify(0, (pgt_entry_t)vmf->orig, vmf->vma->vm_page_prot)));
		vmf_unlock(vmf);
	}
	return 0;
}

/* Another CPU's fault has the entry in exchange, and will be back soon. */
static noinline void exchange_wait(const struct vm_fault *vmf)
{
	const struct mm_task *task = current_task();

	do {
		port_cpu_relax();
	} while (pgt_get(vmf->entry) == (pgt_entry_t)vmf->orig && !fatal_signal_pending(task));
}

static vm_fault_t do_present(struct vm_fault *vmf)
{
	pgt_entry_t e = (pgt_entry_t)vmf->orig;
	bool changed;

	if (unlikely(!pgt_valid(e))) {
		if (!pgt_protnone(e)) {
			exchange_wait(vmf);
			return 0;
		}
		/* Of a mapping without rights get_user_pages() may still want it. */
		if (vma_is_accessible(vmf->vma))
			return do_protnone(vmf);
	}
	if (unlikely(!vmf_lock(vmf)))
		return 0;
	if (vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE) && !pgt_write(0, e))
		return do_wp_page(vmf);
	if (vmf->flags & FAULT_FLAG_WRITE)
		e = pgt_mkdirty(0, e);
	changed = pgt_entry_raise(0, vmf->entry, pgt_mkyoung(0, e));
	vmf_unlock(vmf);
	/* Over already, or this CPU has an older entry in its TLB. */
	if (!changed) {
		bool alone;

		preempt_disable();
		alone = flush_tlb_page_alone(vmf->vma->vm_mm, vmf->address);
		preempt_enable();
		if (!alone)
			(void)flush_tlb_page(vmf->vma->vm_mm, vmf->address);
	}
	return 0;
}

/* ---- One fault ---- */

/* No table there, or one that others share. */
static noinline bool fault_entry_slow(struct vm_fault *vmf)
{
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(vmf->vma, vmf->address, &lock);

	if (unlikely(!entry))
		return false;
	vmf->orig = pgt_get(entry);
	spin_unlock(lock);
	vmf->entry = entry;
	vmf->lock = lock;
	return true;
}

/* The table stays where it is, and this address space's own, until the VMA is let go of. */
static force_inline bool fault_entry(struct vm_fault *vmf)
{
	pgt_entry_t e, *upper = upper_entry(vmf->vma->vm_mm, vmf->address, &e), *table;

	if (unlikely(!upper || !pgt_table_write(1, e)))
		return fault_entry_slow(vmf);
	table = pgt_table_at(pgt_table_phys(1, e));
	vmf->entry = table + pgt_index(0, vmf->address);
	vmf->lock = &pgt_page_of(table_page(table))->lock;
	vmf->orig = pgt_get(vmf->entry);
	return true;
}

bool vmf_find_entry(struct vm_fault *vmf)
{
	return fault_entry(vmf);
}

/* What comes to be mapped in a locked VMA is mlocked; faults that a userfaultfd wants are not ours. */
static noinline vm_fault_t fault_of_few(struct vm_fault *vmf)
{
	vm_fault_t result;

	if (!(vmf->vma->vm_flags & VM_UFFD_ANY) || !userfaultfd_fault(vmf, &result)) {
		pgt_entry_t e = (pgt_entry_t)vmf->orig;

		if (pgt_none(e))
			result = vma_is_anonymous(vmf->vma) ? do_anonymous_page(vmf) : do_file_page(vmf);
		else
			result = pgt_present(e) ? do_present(vmf) : do_swap_page(vmf);
	}
	if (!(result & (VM_FAULT_ERROR | VM_FAULT_RETRY | VM_FAULT_COMPLETED)) && vmf->vma->vm_flags & VM_LOCKED)
		mlock_vma_page(vmf->vma, vmf->address);
	return result;
}

vm_fault_t handle_mm_fault(struct vm_area_struct *vma, uintptr_t address, unsigned int flags)
{
	struct vm_fault vmf;
	pgt_entry_t e;

	count_fault_event(PGFAULT);
	vmf.vma = vma;
	vmf.address = address & PAGE_MASK;
	vmf.real_address = address;
	vmf.pgoff = linear_page_index(vma, vmf.address);
	vmf.flags = flags;
	vmf.gfp = GFP_HIGHUSER_MOVABLE;
	vmf.page = NULL;
	vmf.cow_page = NULL;
	if (unlikely(!fault_entry(&vmf)))
		return VM_FAULT_OOM;
	if (unlikely(vma->vm_flags & (VM_LOCKED | VM_UFFD_ANY)))
		return fault_of_few(&vmf);
	e = (pgt_entry_t)vmf.orig;
	if (pgt_none(e))
		return vma_is_anonymous(vma) ? do_anonymous_page(&vmf) : do_file_page(&vmf);
	if (pgt_present(e))
		return do_present(&vmf);
	return do_swap_page(&vmf);
}

/* ---- Start-up ---- */

static int faults_init(void)
{
	/* The kernel copies zeros from it, so it lies where any direct map reaches. */
	struct page *page = alloc_page(GFP_KERNEL | GFP_DMA32 | __GFP_NOWARN | __GFP_ZERO);

	if (!page)
		page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page) {
		pr_err("faults: no memory for the zero page\n");
		return -ENOMEM;
	}
	SetPageUptodate(page);
	for (u32 rights = 0; rights < ARRAY_SIZE(vm_common_entries); rights++)
		vm_common_entries[rights] = pgt_fit(pgt_make_leaf(0, 0, octavo_pgprot(VM_COMMON_BITS | rights)));
	WRITE_ONCE(zero_pfn, page_to_pfn(page));
	return 0;
}

MM_PART(faults, .order = MM_PART_VM, .init = faults_init, .verify = faults_verify);
