/* SPDX-License-Identifier: MIT */
/*
 * The walker: one set of loops for all formats, folded levels being levels that do not exist.
 *
 * Addresses are the machine's own (those of the tables; see ../kmap/areas.h for pointers). Ranges are [start, start +
 * size), whole pages, on one side of the hole. Kernel addresses always belong to init_mm. Nobody here flushes a TLB
 * unless it says so: who changes present entries does, or hands a gather (tlb.h).
 *
 * Locking. Entries of a last-level table change under that table's lock (pgt_lock_table()), tables themselves under
 * mm->page_table_lock. Of init_mm's entries below the tables the owner of the address range is the only writer, so they
 * need no lock; kernel tables are made under init_mm.page_table_lock and freed by nobody but pgt_free_kernel_tables().
 */
#ifndef MM_PGTABLE_WALK_H
#define MM_PGTABLE_WALK_H

#include "entry.h" /* pgt_get() pgt_set() pgt_xchg() pgt_cmpxchg() */
#include "mm.h"

struct page;
struct mmu_gather;

/*
 * pgt_init - what the processor has, from BOOT_MMU_* (@mmu_features), and an empty root for init_mm, from memblock
 * For start-up, before anything is mapped. Return: 0, or -ENOMEM after a report.
 */
int __must_check pgt_init(u32 mmu_features);

/* ---- Tables ---- */

/*
 * pgt_table_alloc - a zeroed table for @level; from memblock, below its limit, while the page allocator is not open
 * Counted in mm->pgtable_pages. One from the page allocator is also marked PG_table and counted in NR_PAGETABLE; one
 * from memblock is reserved memory, which is in no count of use, and its descriptor is not touched. Return: NULL
 * without memory.
 */
pgt_entry_t *pgt_table_alloc(struct mm_struct *mm, unsigned int level, gfp_t gfp);
void pgt_table_free(struct mm_struct *mm, pgt_entry_t *table);
/* The table that a table entry leads to, as a pointer; and back. */
pgt_entry_t *pgt_table_of(unsigned int level, pgt_entry_t entry);
phys_addr_t pgt_table_phys_of(const pgt_entry_t *table);

/* ---- Ranges ---- */

/*
 * pgt_map_range - [virt, virt + size) shows [phys, phys + size), in the largest leaves up to @max_level that alignment,
 * processor and what is there already permit
 * Every entry in it must be none; a present one is -EEXIST after a report. Return: 0; -ENOMEM, with what it had mapped
 * unmapped again and the tables it made freed.
 */
int __must_check pgt_map_range(struct mm_struct *mm, uintptr_t virt, phys_addr_t phys, u64 size, pgprot_t prot,
			       unsigned int max_level, gfp_t gfp);
/* The same for single pages from an array. */
int __must_check pgt_map_pages(struct mm_struct *mm, uintptr_t virt, struct page *const *pages, unsigned long nr,
			       pgprot_t prot, gfp_t gfp);

/*
 * pgt_unmap_range - make every entry none, splitting leaves that reach across the ends
 * @tlb: collects the range to flush and the tables that became empty, which are freed after the flush; NULL (kernel
 *       addresses only): tables stay and the caller flushes
 * Return: 0; -ENOMEM if a leaf had to be split and there was no memory for the table: then nothing has changed.
 */
int pgt_unmap_range(struct mm_struct *mm, uintptr_t virt, u64 size, struct mmu_gather *tlb);

/*
 * pgt_free_kernel_tables - detach the last and upper tables that only cover [virt, virt + size), which has nothing
 * mapped in it and is the caller's alone. They are put on @tlb, to be freed after its flush.
 */
void pgt_free_kernel_tables(uintptr_t virt, u64 size, struct mmu_gather *tlb);

/*
 * pgt_protect_range - take rights @clear from the leaves of a range and give them @set (PGPROT_* bits, cache mode
 * included) Leaves that reach across the ends are split first: -ENOMEM then leaves rights as they were. The caller
 * flushes. Return: 0, -ENOMEM, or -EINVAL when part of the range is not mapped.
 */
int __must_check pgt_protect_range(struct mm_struct *mm, uintptr_t virt, u64 size, u32 set, u32 clear);

/*
 * pgt_split - see to it that no leaf reaches across @virt; pgt_join - turn a table of entries that spell one leaf
 * into it (with @tlb flushing and freeing as above). Break-before-make is kept where the format asks for it: what has
 * to be broken, a leaf or a contiguous group, is none until the flush is over, and the caller's alone so long. The
 * same goes for user leaves that are joined, on every format. pgt_join returns the number of leaves made.
 */
int __must_check pgt_split(struct mm_struct *mm, uintptr_t virt, gfp_t gfp);
unsigned long pgt_join(struct mm_struct *mm, uintptr_t virt, u64 size, struct mmu_gather *tlb);

/*
 * The leaf, or whatever entry ends the way to @virt, and its level. NULL: no table leads there (level: where it
 * ended).
 */
pgt_entry_t *pgt_lookup(struct mm_struct *mm, uintptr_t virt, unsigned int *level);

/* The entry of @virt in the table of @level, tables on the way made. NULL: no memory, or a leaf is in the way. */
pgt_entry_t *pgt_entry_alloc(struct mm_struct *mm, uintptr_t virt, unsigned int level, gfp_t gfp);

/*
 * pgt_entry_lock - the same in the last level, with the entry's lock held: *@lock, to be unlocked by the caller (NULL:
 * init_mm, where none is needed). What a fault handler wants: an entry that pgt_entry_alloc() returns may be gone with
 * its table by the time it is used, if others unmap next to it.
 */
pgt_entry_t *pgt_entry_lock(struct mm_struct *mm, uintptr_t virt, gfp_t gfp, spinlock_t **lock);

/* The lock of the last-level table that @entry is in (init_mm: none is needed). */
spinlock_t *pgt_lock_ptr(struct mm_struct *mm, pgt_entry_t *entry);

/**
 * struct pgt_walk_ops - what pgt_walk() calls, in address order; a value other than 0 ends the walk and is returned
 * @leaf: a leaf, or a non-present entry with a meaning, of which [start, end) is in the range
 * @hole: a stretch where nothing is, as long as it can be told at one look
 * @table: before a table's entries; may be NULL, as the others
 */
struct pgt_walk_ops {
	int (*leaf)(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last);
	int (*hole)(void *ctx, unsigned int level, uintptr_t start, uintptr_t last);
	int (*table)(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last);
};
int pgt_walk(struct mm_struct *mm, uintptr_t start, u64 size, const struct pgt_walk_ops *ops, void *ctx);

/*
 * pgt_verify - check PT-I1 to PT-I7 (walk.c) of @mm while nobody changes it
 * Return: number of findings, each given to @report (may be NULL).
 */
unsigned int pgt_verify(struct mm_struct *mm, void (*report)(void *ctx, const char *line), void *ctx);

#endif
