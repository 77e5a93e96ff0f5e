// SPDX-License-Identifier: MIT
/*
 * Mapping. The tables that are missing are counted and got before the first entry is written, so that running out of
 * memory changes nothing. Then the range is filled a table at a time: one leaf is made as the pattern, each further one
 * is the last plus a constant (pgt_step()).
 */
#include "../base/printk.h"
#include "tables.h"
#include "tlb.h"

/* What is left to be mapped. @pages is not NULL: from there, at level 0. */
struct job {
	struct mm_struct *mm;
	uintptr_t virt;
	u64 left;
	phys_addr_t phys;
	struct page *const *pages;
	pgprot_t prot;
	unsigned int max_level;
};

/* The largest leaf that may begin at @virt, as far as addresses and the processor say. */
static force_inline unsigned int leaf_level(uintptr_t virt, phys_addr_t phys, u64 left, unsigned int max_level)
{
	unsigned int level = PGT_LEAF_LEVEL_MAX;

	for (; level; level--)
		if (level <= max_level && pgt_leaf_levels >> level & 1 && left >= PGT_SIZE(level) &&
		    !(((u64)virt | phys) & (PGT_SIZE(level) - 1)))
			break;
	return level;
}

static force_inline unsigned int job_level(const struct job *job)
{
	return job->pages ? 0 : leaf_level(job->virt, job->phys, job->left, job->max_level);
}

/* Entries of @level that the table has room for and the job has memory for. */
static force_inline unsigned long job_run(const struct job *job, unsigned int level)
{
	u64 room = pgt_run(level, job->virt), want = job->left >> PGT_SHIFT(level);

	return (unsigned long)min(room, want);
}

static force_inline void job_advance(struct job *job, unsigned int level, unsigned long nr)
{
	u64 bytes = (u64)nr << PGT_SHIFT(level);

	job->virt += (uintptr_t)bytes;
	job->phys += bytes;
	job->left -= bytes;
	if (job->pages)
		job->pages += nr;
}

/* ---- Leaves ---- */

static force_inline bool all_zero(const pgt_entry_t *e)
{
	pgt_entry_t any = 0;

#pragma GCC unroll 8
	for (unsigned int i = 0; i < 8; i++)
		any |= pgt_get(e + i);
	return !any;
}

/* Fill entries as long as they are none. Return: how many. */
static force_inline unsigned long fill_range(pgt_entry_t *entry, unsigned long nr, pgt_entry_t value, pgt_entry_t step)
{
	pgt_entry_t *at = entry, *end = entry + nr;

	for (; at + 8 <= end && all_zero(at); at += 8)
#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++, value += step)
			pgt_fill(at + i, value);
	for (; at < end && pgt_none(pgt_get(at)); at++, value += step)
		pgt_fill(at, value);
	return (unsigned long)(at - entry);
}

static force_inline unsigned long fill_pages(pgt_entry_t *entry, unsigned long nr, struct page *const *pages,
					     pgt_entry_t zero, pgt_entry_t step)
{
	unsigned long n = 0;

	for (; n + 8 <= nr && all_zero(entry + n); n += 8)
#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++)
			pgt_fill(entry + n + i, zero + (pgt_entry_t)page_to_pfn(pages[n + i]) * step);
	for (; n < nr && pgt_none(pgt_get(entry + n)); n++)
		pgt_fill(entry + n, zero + (pgt_entry_t)page_to_pfn(pages[n]) * step);
	return n;
}

/* How many of @nr entries make up whole contiguous groups (*@cont), or come before one. */
static unsigned long group_run(const struct job *job, const pgt_entry_t *entry, unsigned int level, unsigned long nr,
			       bool *cont)
{
	u64 mask = pgt_group_size(level) - 1;
	unsigned long head = (unsigned long)((-(u64)job->virt & mask) >> PGT_SHIFT(level));

	*cont = false;
	if (((u64)job->virt ^ job->phys) & mask || head >= nr)
		return nr;
	if (head)
		return head;
	if (nr < PGT_CONT_ENTRIES)
		return nr;
	for (unsigned int i = 0; i < PGT_CONT_ENTRIES; i++)
		if (!pgt_none(pgt_get(entry + i)))
			return PGT_CONT_ENTRIES;
	*cont = true;
	return PGT_CONT_ENTRIES;
}

static force_inline unsigned long fill(const struct job *job, pgt_entry_t *entry, unsigned int level, unsigned long nr)
{
	pgprot_t prot = octavo_pgprot(job->prot.bits & ~PGPROT_CONT);
	unsigned long done = 0;
	pgt_entry_t first;

	if (job->pages) {
		first = pgt_fit(pgt_make_leaf(0, 0, prot));
		done = fill_pages(entry, nr, job->pages, first, pgt_step(0, first));
	} else if (PGT_CONT_ENTRIES > 1 && job->prot.bits & PGPROT_CONT) {
		struct job at = *job;

		while (done < nr) {
			bool cont;
			unsigned long some = group_run(&at, entry + done, level, nr - done, &cont), got;

			first = pgt_fit(pgt_make_leaf(level, at.phys, cont ? job->prot : prot));
			got = fill_range(entry + done, some, first, pgt_step(level, first));
			done += got;
			job_advance(&at, level, got);
			if (got < some)
				break;
		}
	} else {
		first = pgt_fit(pgt_make_leaf(level, job->phys, prot));
		done = fill_range(entry, nr, first, pgt_step(level, first));
	}
	pgt_entries_changed(job->mm, level, job->virt,
			    job->virt + (uintptr_t)(((u64)done << PGT_SHIFT(level)) - 1));
	return done;
}

/* ---- Tables ---- */

void pgt_hang_locked(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, pgt_entry_t *table, uintptr_t virt)
{
	pgt_set(entry, pgt_make_table(level, pgt_table_phys_of(table), !pgt_is_kernel(mm)));
	pgt_entries_changed(mm, level, virt, virt);
}

/* Somebody else may have been quicker: then the table goes back. */
static void hang_kernel(pgt_entry_t *entry, unsigned int level, struct pgt_stock *stock, pgt_entry_t *table,
			uintptr_t virt)
{
	unsigned long flags = pgt_tables_lock(&init_mm);

	if (pgt_none(pgt_get(entry)))
		pgt_hang_locked(&init_mm, entry, level, table, virt);
	else
		pgt_stock_put(stock, table);
	pgt_tables_unlock(&init_mm, flags);
}

/*
 * The entry of @virt at *@level, with the tables on the way made from @stock. Where a table hangs in place of a leaf of
 * *@level, *@level becomes that of the leaves below. A user address space has its page_table_lock taken.
 * Return: 0, -ENOMEM (nothing left in stock), or -EEXIST (something is mapped there).
 */
static int reach(struct mm_struct *mm, uintptr_t virt, unsigned int *level, struct pgt_stock *stock,
		 pgt_entry_t **found)
{
	for (;;) {
		unsigned int at;
		pgt_entry_t *entry = pgt_descend(mm, virt, *level, &at), *table, e = pgt_get(entry);

		*found = entry;
		if (at == *level && pgt_none(e))
			return 0;
		if (at == *level && pgt_table(at, e)) {
			*level = pgt_lower(*level);
			continue;
		}
		if (!pgt_none(e))
			return -EEXIST;
		table = pgt_stock_take(stock, at - 1);
		if (!table)
			return -ENOMEM;
		if (pgt_is_kernel(mm))
			hang_kernel(entry, at, stock, table, virt);
		else
			pgt_hang_locked(mm, entry, at, table, virt);
	}
}

/*
 * Tables that @job will have to make. What a run at one look shows is taken as one step, and so is a table that is
 * missing. Others may make some of them meanwhile (then some are left), or take some away (user tables: see map()).
 */
static unsigned int tables_missing(struct job job)
{
	uintptr_t counted[PGT_LEVELS];
	unsigned int missing = 0;

	for (unsigned int l = 0; l < PGT_LEVELS; l++)
		counted[l] = ~(uintptr_t)0;
	while (job.left) {
		unsigned long flags = pgt_look_lock(job.mm);
		unsigned int level = job_level(&job), at;
		pgt_entry_t *entry = pgt_descend(job.mm, job.virt, level, &at);
		unsigned long run;

		while (level && at == level && pgt_table(at, pgt_get(entry))) {
			level = pgt_lower(level);
			entry = pgt_descend(job.mm, job.virt, level, &at);
		}
		run = job_run(&job, level);
		if (at == level && level)
			run = max(pgt_none_run(entry, (unsigned int)run), 1u);
		pgt_look_unlock(job.mm, flags);
		/* The addresses grow, so a table was counted if it is that of the last count at its level. */
		for (unsigned int l = at; l-- > level;) {
			uintptr_t table = (uintptr_t)((u64)job.virt >> PGT_SHIFT(l + 1));

			missing += counted[l] != table;
			counted[l] = table;
		}
		job_advance(&job, level, run);
	}
	return missing;
}

/* ---- Ranges ---- */

/* Maps as much as one table has. */
static force_inline int map_some(struct job *job, struct pgt_stock *stock)
{
	unsigned int level = job_level(job);
	unsigned long flags = pgt_look_lock(job->mm), done = 0;
	pgt_entry_t *entry;
	spinlock_t *lock;
	int err;

	err = reach(job->mm, job->virt, &level, stock, &entry);
	if (!err) {
		lock = pgt_entries_lock(job->mm, entry, level);
		done = fill(job, entry, level, job_run(job, level));
		pgt_entries_unlock(lock);
	}
	pgt_look_unlock(job->mm, flags);
	sched_point();
	job_advance(job, level, done);
	return err;
}

/* What was mapped of a range goes again; the machine may have seen it. */
static void undo(struct mm_struct *mm, uintptr_t virt, u64 size)
{
	struct mmu_gather tlb;

	if (!size)
		return;
	if (pgt_is_kernel(mm)) {
		(void)pgt_unmap_range(mm, virt, size, NULL);
		return;
	}
	tlb_gather_mmu(&tlb, mm);
	(void)pgt_unmap_range(mm, virt, size, &tlb);
	tlb_finish_mmu(&tlb);
}

/* What is left behind @nr entries of @level that were filled. */
static noinline int map_rest(struct job whole, unsigned int level, unsigned long nr, gfp_t gfp)
{
	struct job *job = &whole;
	uintptr_t start = job->virt;
	struct pgt_stock stock = { NULL };
	int err;

	job_advance(job, level, nr);
	err = pgt_stock_fill(&stock, job->mm, tables_missing(*job), gfp);
	while (job->left && !err) {
		err = map_some(job, &stock);
		/* Somebody freed a table of this address space since they were counted. */
		if (unlikely(err == -ENOMEM))
			err = pgt_stock_fill(&stock, job->mm, PGT_LEVELS - 1, gfp);
	}
	pgt_stock_drop(&stock, job->mm);
	if (unlikely(err == -EEXIST))
		pr_err("page tables: %#lx is to be mapped and is mapped already\n", (unsigned long)job->virt);
	if (unlikely(err))
		undo(job->mm, start, job->virt - start);
	return err;
}

/* The common case in the kernel: one run, whose table is there. Return: entries filled. */
static force_inline unsigned long map_at_once(const struct job *job, unsigned int *filled)
{
	unsigned int level = job_level(job), at;
	unsigned long nr = job_run(job, level);
	pgt_entry_t *entry;

	*filled = level;
	if (!pgt_is_kernel(job->mm) || (u64)nr << PGT_SHIFT(level) != job->left)
		return 0;
	entry = pgt_descend(job->mm, job->virt, level, &at);
	return at == level && pgt_none(pgt_get(entry)) ? fill(job, entry, level, nr) : 0;
}

/* @job keeps to registers here: map_rest() has a copy. */
static force_inline int map(const struct job *job, gfp_t gfp)
{
	unsigned int level;
	unsigned long nr = map_at_once(job, &level);

	return likely((u64)nr << PGT_SHIFT(level) == job->left) ? 0 : map_rest(*job, level, nr, gfp);
}

int pgt_map_range(struct mm_struct *mm, uintptr_t virt, phys_addr_t phys, u64 size, pgprot_t prot,
		  unsigned int max_level, gfp_t gfp)
{
	const struct job job = {
		.mm = mm, .virt = virt, .left = size, .phys = phys, .prot = prot, .max_level = max_level
	};

	if (unlikely(!pgt_range_ok(mm, virt, size, __func__)) || unlikely(phys & ~PAGE_MASK) ||
	    unlikely((phys + size - 1) >> PGT_PHYS_BITS))
		return -EINVAL;
	return map(&job, gfp);
}

int pgt_map_pages(struct mm_struct *mm, uintptr_t virt, struct page *const *pages, unsigned long nr, pgprot_t prot,
		  gfp_t gfp)
{
	const struct job job = { .mm = mm, .virt = virt, .left = (u64)nr << PAGE_SHIFT, .pages = pages, .prot = prot };

	if (unlikely(!pgt_range_ok(mm, virt, job.left, __func__)))
		return -EINVAL;
	return map(&job, gfp);
}

/*
 * The entry of @virt at @level, with its lock for a user's if @lock is not NULL. Tables are got without a lock, and
 * somebody may take others away meanwhile: once more then, with what is left in stock.
 */
static pgt_entry_t *entry_for(struct mm_struct *mm, uintptr_t virt, unsigned int level, gfp_t gfp, spinlock_t **lock)
{
	struct pgt_stock stock = { NULL };
	pgt_entry_t *entry;
	bool again;

	do {
		unsigned long flags = pgt_tables_lock(mm);
		unsigned int at;

		entry = pgt_descend(mm, virt, level, &at);
		while (at > level && stock.first && pgt_none(pgt_get(entry))) {
			pgt_hang_locked(mm, entry, at, pgt_stock_take(&stock, at - 1), virt);
			entry = pgt_descend(mm, virt, level, &at);
		}
		again = at > level && pgt_none(pgt_get(entry));
		if (at > level)
			entry = NULL;
		else if (lock)
			*lock = pgt_entries_lock(mm, entry, level);
		pgt_tables_unlock(mm, flags);
		if (again && pgt_stock_fill(&stock, mm, at - level, gfp))
			again = false;
	} while (again);
	pgt_stock_drop(&stock, mm);
	return entry;
}

pgt_entry_t *pgt_entry_alloc(struct mm_struct *mm, uintptr_t virt, unsigned int level, gfp_t gfp)
{
	return entry_for(mm, virt, level, gfp, NULL);
}

pgt_entry_t *pgt_entry_lock(struct mm_struct *mm, uintptr_t virt, gfp_t gfp, spinlock_t **lock)
{
	return entry_for(mm, virt, 0, gfp, lock);
}
