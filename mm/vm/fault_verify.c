// SPDX-License-Identifier: MIT
/*
 * The invariants of what is mapped: entries against mm->rss, against the pages' counts, and what they allow.
 *
 * FA-I2 without a count for each page: every entry adds one part in mapcount, so a page whose count is right comes to 1
 * whatever it is, and the sum is the number of mapped pages, which two counters know.
 */
#include "../base/findings.h"
#include "../base/string.h"
#include "../pgtable/swapops.h"
#include "../phys/vmstat.h"
#include "fault.h"
#include "share.h"
#include "userfaultfd.h"

/* What a page adds up to; 1/n is rounded down, by less than one of these parts an entry. */
#define WHOLE ((u64)1 << 40)

/* Tables are told apart by the number of the address space that came first, in a byte. */
#define MARKS 255u

struct look {
	struct findings *f;
	struct vm_area_struct *vma;
	unsigned int mark;
	long rss[NR_MM_COUNTERS];
	u64 parts;
	unsigned long entries; /* of pages, in tables counted once */
};

/* Is the table this entry is in counted with this address space? Of several that share it with the first. */
static bool counted_here(struct look *look, pgt_entry_t *entry)
{
	struct page *table = pgt_table_page((pgt_entry_t *)((uintptr_t)entry & PAGE_MASK));

	if (!table)
		return true;
	if (!pgt_page_of(table)->seen)
		pgt_page_of(table)->seen = (u8)look->mark;
	return pgt_page_of(table)->seen == look->mark;
}

static void look_at_page(struct look *look, pgt_entry_t *entry, uintptr_t addr, pgt_entry_t e)
{
	struct page *page = pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e)));
	int count = page_mapcount(page);

	look->rss[mm_counter(page_folio(page))]++;
	if (count < 1) {
		finding(look->f, "FA-I2: pfn %#lx at %#lx of address space %lu has mapcount %d", page_to_pfn(page),
			(unsigned long)addr, look->vma->vm_mm->ctx_id, count);
	} else if (counted_here(look, entry)) {
		look->parts += WHOLE / (unsigned int)count;
		look->entries++;
	}
	if (!pgt_write(0, e) || look->vma->vm_flags & VM_SHARED)
		return;
	if (!page_anon(page) || !PageAnonExclusive(page))
		finding(look->f, "FA-I3: pfn %#lx at %#lx of address space %lu can be written, but is not its own",
			page_to_pfn(page), (unsigned long)addr, look->vma->vm_mm->ctx_id);
}

static int look_at_entry(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct look *look = ctx;
	pgt_entry_t e = pgt_get(entry);

	(void)last;
	if (level)
		return 0;
	if (entry_uffd_wp(e) && !marker_has(e, PTE_MARKER_POISONED) &&
	    (!(look->vma->vm_flags & VM_UFFD_WP) || (pgt_present(e) && pgt_write(0, e))))
		finding(look->f, "UF-I2: %#lx of address space %lu is protected, in a VMA with flags %llx",
			(unsigned long)start, look->vma->vm_mm->ctx_id, (unsigned long long)look->vma->vm_flags);
	if (!pgt_present(e)) {
		swp_entry_t swap = pte_to_swp_entry(__pte(e));

		if (is_migration_entry(swap))
			look->rss[mm_counter(page_folio(pfn_swap_entry_to_page(swap)))]++;
		else if (!non_swap_entry(swap))
			look->rss[MM_SWAPENTS]++;
		return 0;
	}
	if (is_zero_pfn(PFN_DOWN(pgt_leaf_phys(0, e))) && (pgt_write(0, e) || !pgt_special(0, e)))
		finding(look->f, "FA-I4: the zero page at %#lx of address space %lu is %s", (unsigned long)start,
			look->vma->vm_mm->ctx_id, pgt_write(0, e) ? "writable" : "counted");
	if (!pgt_special(0, e))
		look_at_page(look, entry, start, e);
	return 0;
}

/* What came and went in a table while it was shared no address space has heard of yet. */
static int look_at_table(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct look *look = ctx;
	struct page *table;

	(void)start, (void)last;
	if (level != 1)
		return 0;
	table = pgt_table_page(pgt_table_of(1, pgt_get(entry)));
	for (unsigned int i = 0; table && pgt_page_of(table)->shared && i < NR_MM_COUNTERS; i++)
		look->rss[i] -= table_delta(table, i);
	return 0;
}

static void verify_mm(struct look *look, struct mm_struct *mm)
{
	static const struct pgt_walk_ops ops = { .leaf = look_at_entry };
	static const struct pgt_walk_ops table_ops = { .table = look_at_table };
	static const char *const names[] = { "file", "anonymous", "swapped", "shmem" };

	memset(look->rss, 0, sizeof(look->rss));
	for_each_vma (mm, vma) {
		look->vma = vma;
		(void)pgt_walk(mm, vma->vm_start, vma->vm_end - vma->vm_start, &ops, look);
	}
	(void)pgt_walk(mm, 0, mm->task_size, &table_ops, look);
	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (look->rss[i] != mm->rss[i])
			finding(look->f, "FA-I1: address space %lu has %ld %s pages, but counts %ld", mm->ctx_id,
				look->rss[i], names[i], mm->rss[i]);
}

static int clear_mark(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct page *table = pgt_table_page((pgt_entry_t *)((uintptr_t)entry & PAGE_MASK));

	(void)ctx, (void)level, (void)start, (void)last;
	if (table)
		pgt_page_of(table)->seen = 0;
	return 0;
}

static void clear_marks(void)
{
	static const struct pgt_walk_ops ops = { .leaf = clear_mark };

	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm))
		for_each_vma (mm, vma)
			(void)pgt_walk(mm, vma->vm_start, vma->vm_end - vma->vm_start, &ops, NULL);
}

void faults_verify(struct findings *f)
{
	struct look look = { .f = f };
	unsigned long anon = global_node_page_state(NR_ANON_MAPPED), file = global_node_page_state(NR_FILE_MAPPED);
	unsigned long pages;

	if (!pgtables_on)
		return;
	clear_marks();
	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm)) {
		if (!mm->task_size)
			continue;
		look.mark++;
		verify_mm(&look, mm);
	}
	clear_marks();
	pages = (unsigned long)((look.parts + look.entries) / WHOLE);
	if (look.mark <= MARKS && pages != anon + file)
		finding(f,
			"FA-I2: %lu entries lead to %lu pages by their mapcounts, but %lu + %lu (anonymous, files') "
			"are mapped",
			look.entries, pages, anon, file);
}
