/* SPDX-License-Identifier: MIT */
/*
 * Reverse mapping: from a page to the entries that map it. [fork]'s
 *
 * page->mapping_index holds a handle (base/handle.h) and an index: of an anon_vma (PAGE_MAPPING_ANON) or of an
 * address_space. _mapcount counts last-level entries, once for a table however many share it; of a large folio each
 * page has its own and the head of the folio none beside (PG_head: RM theory says how the sum is found).
 */
#ifndef MM_VM_RMAP_H
#define MM_VM_RMAP_H

#include "vm.h"

struct anon_vma;

static inline u32 page_handle(const struct page *page)
{
	return (u32)(page->mapping_index >> PAGE_INDEX_BITS);
}

static inline bool page_is_anon(const struct page *page)
{
	return page_handle(page) & PAGE_MAPPING_ANON;
}

/* ---- anon_vma.c ---- */

int anon_vma_make(struct vm_area_struct *vma); /* where it is not there yet */
/* vma->anon_vma is there from now on. Context: a lock of the VMA's; may sleep. Return: 0 or -ENOMEM. */
static force_inline int anon_vma_prepare(struct vm_area_struct *vma)
{
	return likely(load_acquire(&vma->anon_vma)) ? 0 : anon_vma_make(vma);
}
/* A copy of @from (split, mremap) is linked to what @from is linked to. Return: 0 or -ENOMEM. */
int anon_vma_clone(struct vm_area_struct *vma, const struct vm_area_struct *from);
/* @vma is about to become two, which may be one again later: they need one owner. Return: 0 or -ENOMEM. */
int anon_vma_before_split(struct vm_area_struct *vma);
/* The same as a clone for a child's VMA, which gets one of its own for pages to come, later. */
int anon_vma_fork(struct vm_area_struct *vma, const struct vm_area_struct *parent);
void unlink_anon_vmas(struct vm_area_struct *vma);
/* vm_start or vm_pgoff change: between these nobody finds the VMA by its pages. */
void anon_vma_update_begin(struct vm_area_struct *vma);
void anon_vma_update_end(struct vm_area_struct *vma);
/* May two VMAs with these be merged? */
bool anon_vma_mergeable(const struct vm_area_struct *a, const struct vm_area_struct *b);

/* ---- Files: interval.c ---- */
static inline struct address_space *vma_mapping(const struct vm_area_struct *vma)
{
	return vma->vm_file ? vma->vm_file->f_mapping : NULL;
}
void vma_link_file(struct vm_area_struct *vma);
/* Its place in the file is another, and it is linked there. Context: i_mmap_rwsem of its file for writing. */
void vma_moved_in_file(struct vm_area_struct *vma);
void vma_unlink_file(struct vm_area_struct *vma);

/* ---- Counts. Context: the entry's table lock. @page: the page itself, not the head ---- */
/* A fresh folio, not seen by anybody, becomes anonymous at @addr, mapped once a page, exclusive. */
void folio_add_new_anon_rmap(struct folio *folio, struct vm_area_struct *vma, uintptr_t addr);
void folio_add_anon_rmap_pte(struct folio *folio, struct page *page, struct vm_area_struct *vma, uintptr_t addr,
			     bool exclusive);
void folio_add_file_rmap_ptes(struct folio *folio, struct page *page, unsigned int nr, struct vm_area_struct *vma);
void folio_remove_rmap_pte(struct folio *folio, struct page *page);
/* fork: another entry for it, which is not exclusive any more. Return: -EBUSY: it may be pinned, copy it now. */
int folio_try_dup_anon_rmap_pte(struct folio *folio, struct page *page, struct vm_area_struct *vma);
/* All entries that map any page of the folio. */
int folio_mapcount_large(const struct folio *folio);
static force_inline int folio_mapcount(const struct folio *folio)
{
	if (unlikely(PageHead(&folio->page)))
		return folio_mapcount_large(folio);
	/* Who finds it unmapped sees what was done by who had it mapped. */
	return load_acquire(&folio->page._mapcount) + 1;
}
static inline bool folio_mapped(const struct folio *folio)
{
	return folio_mapcount(folio) > 0;
}
/* A pin is so many references at once: no page has as many others. */
#define GUP_PIN_COUNTING_BIAS 1024
static force_inline bool folio_maybe_dma_pinned(const struct folio *folio)
{
	return page_ref_count(&folio->page) >= (int)GUP_PIN_COUNTING_BIAS;
}

/*
 * page_mappers - address spaces that map the page, all who share a table counted: what /proc/kpagecount shows
 * Context: may sleep; a reference to the folio, which need not be locked (if it is, by somebody else, a file's page may
 * count as mapped once by all who share a table).
 */
unsigned int page_mappers(struct page *page);
/*
 * entry_mappers - the same for a page that @entry leads to, at one look: exact unless it is in several shared tables
 * What smaps divides by. Context: the lock of the entry's table.
 */
unsigned int entry_mappers(pgt_entry_t *entry, struct page *page);

/* ---- Walks: rmap.c. Context: may sleep; folio locked unless it says otherwise ---- */
struct rmap_walk {
	/* Return: false: stop. */
	bool (*one)(struct rmap_walk *walk, struct folio *folio, struct vm_area_struct *vma, uintptr_t addr);
	bool (*done)(const struct folio *folio);
	void *arg;
	bool try_lock; /* do not wait for locks */
	uintptr_t end; /* of what the VMA that is visited can map of the folio, from addr on */
};
void rmap_walk(struct folio *folio, struct rmap_walk *walk);
/* Entries that were accessed since, marks cleared; *@vm_flags: all VMAs' flags together. Need not be locked. */
int folio_referenced(struct folio *folio, bool locked, vm_flags_t *vm_flags);
#define TTU_SYNC 0x10u
#define TTU_IGNORE_MLOCK 0x2u
#define TTU_HWPOISON 0x20u
/*
 * Entries become swap entries (of the swap cache), or none for files and MADV_FREE. @batch: where CPUs are noted that
 * the caller tells, before the folio is written or free; NULL: they are told. Return: nothing maps it any more.
 */
bool try_to_unmap(struct folio *folio, unsigned int ttu, struct tlb_batch *batch);
/*
 * Every entry of the one page goes; @lost: it becomes poison, which stays until the mapping goes or is dropped.
 */
void unmap_poisoned(struct page *page, bool lost);
/* Entries become migration entries; remove_migration_ptes() makes them entries of @to. */
bool try_to_migrate(struct folio *folio, unsigned int ttu);
void remove_migration_ptes(struct folio *from, struct folio *to);
/* Write-protects and cleans every entry. Return: how many were dirty or writable. */
int folio_mkclean(struct folio *folio);
/* Where @page is mapped in @vma, or -EFAULT. */
uintptr_t page_address_in_vma(const struct page *page, const struct vm_area_struct *vma);

#endif
