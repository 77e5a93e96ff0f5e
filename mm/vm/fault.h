/* SPDX-License-Identifier: MIT */
/*
 * Faults inside: what fault.c, anon.c, cow.c, file_fault.c, swap_fault.c and pfn.c call of each other. The theory is in
 * fault.c.
 */
#ifndef MM_VM_FAULT_H
#define MM_VM_FAULT_H

#include "../lru/batch.h"
#include "../pgtable/swapops.h"
#include "../phys/vmstat.h"
#include "../phys/zone.h"
#include "../sync/cpu.h"
#include "anon_vma.h"

#define SIGNO_BUS 7
#define SIGNO_KILL 9
#define SIGNO_SEGV 11
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_PKUERR 4
#define BUS_ADRERR 2
#define BUS_MCEERR_AR 4
#define SI_KERNEL 0x80

#define FAULT_FLAG_DEFAULT (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE)

/* An event that only faults count, in thread context: no interrupt of this CPU's changes the same word. */
static force_inline void count_fault_event(enum vm_event_item item)
{
	unsigned long *events = this_cpu()->events;

	store_relaxed(&events[item], events[item] + 1);
}

/* The entry's table is locked, and the entry is what the fault found there. False: it is not, nor is it locked. */
static force_inline bool vmf_lock(struct vm_fault *vmf)
{
	spin_lock(vmf->lock);
	if (likely(pgt_get(vmf->entry) == (pgt_entry_t)vmf->orig))
		return true;
	spin_unlock(vmf->lock);
	return false;
}

static force_inline void vmf_unlock(struct vm_fault *vmf)
{
	spin_unlock(vmf->lock);
}

/* Let go of the lock under which the fault is handled; the answer is then VM_FAULT_RETRY or VM_FAULT_COMPLETED. */
static inline void vmf_release_lock(struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_VMA_LOCK)
		vma_end_read(vmf->vma);
	else
		mmap_read_unlock(vmf->vma->vm_mm);
}

/*
 * An entry for @pfn with the VMA's rights; of private mappings and those that are watched these are without write.
 * Rights that can be read, and nothing else, are most of them: what they come to is kept, by PGPROT_READ, _WRITE and
 * _EXEC. (What the machine looks at has its address as it is.)
 */
extern pgt_entry_t vm_common_entries[8];
#define VM_COMMON_RIGHTS (PGPROT_READ | PGPROT_WRITE | PGPROT_EXEC)
#define VM_COMMON_BITS (PGPROT_READ | PGPROT_USER | PGPROT_ACCESSED)

static force_inline pgt_entry_t vm_make_entry(const struct vm_area_struct *vma, unsigned long pfn, pgprot_t prot)
{
	(void)vma;
	if (likely((prot.bits & ~(u32)(PGPROT_WRITE | PGPROT_EXEC)) == VM_COMMON_BITS))
		return vm_common_entries[prot.bits & VM_COMMON_RIGHTS] | (pgt_entry_t)PFN_PHYS(pfn);
	return pgt_fit(pgt_make_leaf(0, PFN_PHYS(pfn), prot));
}

/*
 * What folio_add_new_anon_rmap() does for a page that nobody else can see, and what a fresh page is beside: uptodate.
 * It is on the lists. The count of mapped pages is the caller's to add. Context: the lock of the entry, which does not
 * lead to it yet.
 */
static force_inline void page_become_anon(struct page *page, struct vm_area_struct *vma, uintptr_t addr)
{
	page_set_mapping(page, vma->anon_vma->handle | PAGE_MAPPING_ANON, linear_page_index(vma, addr));
	store_relaxed(&page->_mapcount, 0);
	store_relaxed(&page->flags, page->flags | 1u << PG_uptodate | 1u << PG_swapbacked | 1u << PG_owner_2 |
					    1u << PG_lru);
	lru_add_fresh(page, LRU_FRESH_ANON);
}

/* Anonymous pages that become, or are no more, mapped: told to their node when another one's turn comes. */
struct mapped_count {
	int nid;
	long nr;
};

static force_inline void mapped_count_tell(struct mapped_count *c)
{
	if (c->nr)
		atomic_add_relaxed(&NODE_DATA(c->nid)->stat[NR_ANON_MAPPED], (unsigned long)c->nr);
	c->nr = 0;
}

static force_inline void mapped_count_add(struct mapped_count *c, const struct page *page, long nr)
{
	if (unlikely(page_to_nid(page) != c->nid)) {
		mapped_count_tell(c);
		c->nid = page_to_nid(page);
	}
	c->nr += nr;
}

static force_inline void count_anon_mapped(const struct page *page, long nr)
{
	atomic_add_relaxed(&NODE_DATA(page_to_nid(page))->stat[NR_ANON_MAPPED], (unsigned long)nr);
}

/* The right to write, if the mapping has it: ptrace may write where the program may not. */
static force_inline pgt_entry_t maybe_mkwrite(pgt_entry_t e, const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_WRITE ? pgt_mkwrite(0, e) : e;
}

/* The mapping is the head's to say. */
static force_inline bool page_anon(struct page *page)
{
	return page_is_anon(compound_head(page));
}

/* What of mm->rss a page of the page cache is counted in. */
static inline unsigned int mm_counter_file(const struct folio *folio)
{
	return page_test_flag(&folio->page, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES;
}

static inline unsigned int mm_counter(const struct folio *folio)
{
	return page_is_anon(&folio->page) ? MM_ANONPAGES : mm_counter_file(folio);
}

static inline bool vma_is_accessible(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_ACCESS_FLAGS;
}

static inline unsigned int vma_pkey(const struct vm_area_struct *vma)
{
	return (unsigned int)((vma->vm_flags & VM_PKEY_MASK) >> VM_PKEY_SHIFT);
}

/* May @task, by its rights to the VMA's protection key, read (write) there? Intel SDM volume 3A section 4.6.2. */
static inline bool pkey_allows(const struct mm_task *task, const struct vm_area_struct *vma, bool write)
{
	return !(task->pkru >> 2 * vma_pkey(vma) & (write ? 3u : 1u));
}

/* It has been written to through a mapping. Context: the folio's lock, or one that keeps its mapping. */
void vm_folio_dirty(struct folio *folio);

/* A user address as the VMA's rights and @fault have it: 0, or a SEGV_* code. */
int vma_access_error(const struct vm_area_struct *vma, unsigned int fault_flags, bool foreign);

/* As if the caller had touched @addr. Context: may sleep. Return: 0: that would have been possible; or -EFAULT. */
int user_fault_in(uintptr_t addr, bool write);

/*
 * vmf->entry, @lock and @orig of vmf->address, tables on the way made, the last one this address space's own as long as
 * a lock of the VMA's is held. Context: may sleep. Return: false: no memory.
 */
bool vmf_find_entry(struct vm_fault *vmf);

vm_fault_t do_anonymous_page(struct vm_fault *vmf);
/* Context: vmf_lock(); unlocks. The entry is present and not writable, and a write or FAULT_FLAG_UNSHARE wants it. */
vm_fault_t do_wp_page(struct vm_fault *vmf);
vm_fault_t do_file_page(struct vm_fault *vmf);
/* The same without what lies around it. An entry that was a marker is protected (userfaultfd.c). */
vm_fault_t do_file_page_alone(struct vm_fault *vmf);
/* An entry that is neither none nor present. */
vm_fault_t do_swap_page(struct vm_fault *vmf);
/* Until the page behind @e, a migration entry whose table's @lock is held, has moved. Lets go of @lock. May sleep. */
void migration_entry_wait(pgt_entry_t e, spinlock_t *lock);

/* ---- swap_fault.c: folios of the swap cache ---- */

/* The page of @folio, which is locked, that belongs to the slot. Return: false: none does (any more). */
bool swap_folio_page(struct folio *folio, swp_entry_t slot, struct page **page);
/*
 * A folio that came from a slot is about to be mapped in @vma, @page of it at @addr: it becomes anonymous, unless it is
 * already; @own: nobody else can reach it. Context: folio and table locked, anon_vma_prepare() done, or not @own.
 */
void swap_folio_belongs(struct folio *folio, const struct page *page, struct vm_area_struct *vma, uintptr_t addr,
			bool own);
/* Is it the swap entry of that slot? */
static inline bool leads_to_slot(pgt_entry_t e, unsigned long slot)
{
	return pgt_is_swap(e) && pte_to_swp_entry(__pte(e)).val == slot;
}
/* The last entry for it may have gone: it need not stay for its slot's sake. Context: any; a reference. */
void free_swap_cache(struct folio *folio);
/* The same where hardly any page has a slot. */
static force_inline void free_swap_cache_of(struct page *page)
{
	if (unlikely(page_plain_flag(page, PG_owner_priv_1)))
		free_swap_cache((struct folio *)page);
}

/* What an entry of a fresh page says: its owner may write to it at once. */
static force_inline pgt_entry_t vm_fresh_entry(const struct vm_area_struct *vma, unsigned long pfn)
{
	pgt_entry_t e = vm_make_entry(vma, pfn, vma->vm_page_prot);

	return maybe_mkwrite(pgt_mkdirty(0, pgt_mkyoung(0, e)), vma);
}

/* A folio of one page for an anonymous page at vmf->address, uptodate; NULL: no memory. */
struct folio *vma_alloc_folio(struct vm_fault *vmf, bool zeroed);
/*
 * page_mkwrite of the mapping, with the folio locked at the end. Return: VM_FAULT_LOCKED; an error; 0 or NOPAGE: gone,
 * look again.
 */
vm_fault_t do_page_mkwrite(struct vm_fault *vmf, struct folio *folio);
/* The folio, which is locked, was written to: dirty; unlocked and put. */
void fault_dirty_shared_page(struct vm_fault *vmf, struct folio *folio);

/*
 * set_pte_range - enter @nr pages of @folio from @page on at @addr, entry @entry on, which are none
 * For vm_operations.map_pages, too. The caller has a reference for each entry, which becomes the entry's, and counts
 * them in mm->rss. Context: the table's lock.
 */
void set_pte_range(struct vm_fault *vmf, pgt_entry_t *entry, struct folio *folio, struct page *page, unsigned int nr,
		   uintptr_t addr);

/* Reports an entry that cannot be, once in a while. */
__cold void print_bad_pte(const struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e, const struct page *page);

struct findings;
/* FA-I1 to FA-I4. */
void faults_verify(struct findings *f);

/* Bytes mapped around a file fault, a power of two of at least a page. */
extern unsigned long fault_around_bytes;

#endif
