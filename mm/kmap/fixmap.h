/* SPDX-License-Identifier: MIT */
/* What the files of fixed and temporary mappings share: the fixmap area's slots and their entries. */
#ifndef MM_KMAP_FIXMAP_H
#define MM_KMAP_FIXMAP_H

#include <octavo/fixmap.h>

#include "../base/findings.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "areas.h"

/* There are page tables, and a fixmap area whose tables are made: (c) after mm_init(). */
extern bool fixmap_ready;

/* Persistent slots in the fixmap, for machines with high memory in builds whose format has no area for them. */
#define FIX_PKMAP_PAGES 256u
#define FIX_PKMAP_END __end_of_fixed_addresses
#define FIX_PKMAP_BEGIN (FIX_PKMAP_END + FIX_PKMAP_PAGES - 1)

/* A slot's address, and its entry. */
static inline uintptr_t fixmap_virt(unsigned int slot)
{
	return kernel_areas[AREA_FIXMAP].end - ((uintptr_t)slot << PAGE_SHIFT);
}

/* The last-level entry of a kernel address whose tables were made at boot. */
pgt_entry_t *kmap_entry(uintptr_t virt);

/* Last-level tables for [@start, @end). Return: 0 or -ENOMEM. */
int __must_check kmap_make_tables(uintptr_t start, uintptr_t end);

/* What a slot's entry is to be. */
static inline pgt_entry_t kmap_leaf(phys_addr_t phys, pgprot_t prot)
{
	return pgt_make_leaf(0, phys, prot) & pgt_supported;
}

/* Forget [@start, @end) wherever it may be known: while booting that is this CPU. As flush_tlb_kernel_range(). */
bool kmap_flush(uintptr_t start, uintptr_t end);

/* The first slot of the first CPU's KM_MAX_IDX: those of a CPU are in one table, whatever page the area ends at. */
unsigned int fix_kmap_begin(void);

/* For reports, without a lock: pages open on a CPU; a kmap() slot's count and frame; where kmap()'s slots are. */
unsigned int kmap_local_open(unsigned int cpu);
int pkmap_look(unsigned int n, unsigned long *pfn);
bool pkmap_in_fixmap(void);

/* ---- Parts of the start-up, in this order ---- */
int __must_check early_ioremap_init(void);
int __must_check kmap_local_init(void);
int __must_check pkmap_init(void);
void fixmap_text_init(void);

void early_ioremap_leaks(void);
void kmap_local_verify(struct findings *f);
void pkmap_verify(struct findings *f);

/* struct kmap_stats - kmap()'s slots, and how often it flushed and waited; for tests and reports */
struct kmap_stats {
	unsigned int slots, free, unused;
	unsigned long flushes, waits;
};
void pkmap_stats(struct kmap_stats *stats);

/* kmap_to_page(): a frame shown by this CPU's slots, by kmap()'s. Return: false: not an address of theirs. */
bool kmap_local_pfn_of(const void *virt, unsigned long *pfn);
struct page *pkmap_page_of(const void *virt);
void *pkmap_address(const struct page *page);

#endif
