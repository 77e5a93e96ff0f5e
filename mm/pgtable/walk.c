// SPDX-License-Identifier: MIT
/*
 * The walker of page tables.
 *
 * Purpose: everything that is done to ranges of addresses (map, unmap, change rights, split, join, look) for every
 * format, by one set of loops.
 *
 * Words. See format.h for entries, leaves, tables and levels. A *run* is a row of entries of one table that a step of
 * a loop works on. The *path* to an address is the entries from the root to the one that leads to no table. *Stock*:
 * tables got in advance.
 *
 * Structures. No loop keeps a path. Each step goes down from the root to the table that has the next address
 * (pgt_descend(), written out for the format's levels, a load and a test each), works on a run there, and lets go:
 *
 *	root --> [ | |t| ] --> [ |t| | ] --> ... --> [ | |e|e|e|e|e] <-- one run: up to PGT_ENTRIES of them
 *	          level 3       level 2               level 0
 *
 * Going down costs about 30 instructions for up to 512 pages. In exchange there is no recursion, no level by level
 * code, no state that a table's disappearance could make stale, and a lock is held for a run at a time. Levels a
 * format does not have are not there: PGT_LEVELS is a constant, so the loops are unrolled without them.
 *
 * A table from the page allocator has in its descriptor, where other pages have mapping and index, the lock of its
 * entries and its level (struct pgt_page); private_data is free, for those who gather tables. Descriptors of tables
 * from memblock are not touched: they may not exist yet. Such tables are reserved memory, counted in
 * mm->pgtable_pages only, and become free frames when they are freed.
 *
 * Invariants (pgt_verify() checks them while nobody changes the tables)
 *
 * PT-I1: each table hangs on one entry, of the level above; they and the root are mm->pgtable_pages pages.
 *
 * PT-I2: a table from the page allocator is marked PG_table, knows its level, and is counted in NR_PAGETABLE.
 *
 * PT-I3: a leaf is at a level that the processor has, its address is a multiple of its size, and it has no bits
 * beyond those that pgt_make_leaf() and the software give it.
 *
 * PT-I4: an address space in which nothing is mapped has its root and what hangs there for good, and no other table.
 *
 * PT-I5: what fails for want of memory leaves every entry, and the number of tables, as they were.
 *
 * PT-I6: formats with one root: each root shows init_mm's kernel half.
 *
 * PT-I7: of a group of contiguous entries all are there, alike, and follow each other.
 *
 * Locking. A user address space: entries of upper tables change under page_table_lock, those of a last-level table
 * under the lock in its descriptor (pgt_lock_ptr()), taken while page_table_lock holds the table in place. So who
 * holds either lock may rely on the tables above; who holds none and follows pointers may find that a table has gone:
 * pgt_lookup() is for those who keep it from going. init_mm: the owner of a range is the only writer of its entries
 * and takes no lock; tables are hung up, and leaves that have many owners split, under page_table_lock with
 * interrupts off. Taken later: address_spaces.lock, a last-level table's lock.
 *
 * Memory use and bounds. A table is a page. To map needs one for each 2 MiB (i386: 4 MiB) of small leaves and one for
 * each GiB of 2 MiB leaves, and at most two besides at each level; nothing else is allocated.
 *
 * What failure does. Mapping counts the tables that are missing, gets them, and only then writes, so running out of
 * memory happens before anything has changed (PT-I5). Unmapping and changing rights need memory only where an end of
 * the range lies in a large leaf; they get it first, too. The exception is a user address space where somebody frees
 * tables while they are counted: what was mapped is then unmapped and flushed. A place that is mapped already is a
 * caller's bug: -EEXIST after a report, and what had been mapped is unmapped; kernel addresses are then the caller's
 * to flush.
 *
 * Differences from Linux. There it is a function for each level; here a loop. Linux keeps user tables until their
 * whole reach is unmapped by range of areas; here a table goes with its last entry, found by looking: at the
 * neighbours of what was cleared, and only if they are none at the rest. Linux undoes a half-made kernel mapping;
 * here it never comes to be. Kernel entries of a root are copied to all roots at once, never by a fault.
 *
 * Sources: Intel SDM volume 3A, 4.10 (caching translation information; 4.4.1 for roots of PAE); AMD APM volume 2,
 * 5.5; Arm ARM DDI 0487, D8.16 (break before make), D8.7.1 (contiguous bit).
 */
#include "../base/printk.h"
#include "tables.h"

void pgt_range_report(struct mm_struct *mm, uintptr_t virt, u64 size, const char *who)
{
	uintptr_t last = virt + (uintptr_t)(size - 1);
	const char *why = pgt_is_kernel(mm) ? "not the kernel's" : "not the user's";

	if (!size || (virt | size) & ~(u64)PAGE_MASK)
		why = "not whole pages";
	else if (last < virt || size - 1 > (u64)(last - virt))
		why = "around the end of the address space";
	else if (!pgt_canonical(virt) || !pgt_canonical(last))
		why = "not canonical";
	pr_err("%s: [%#lx, +%#llx) is %s\n", who, (unsigned long)virt, (unsigned long long)size, why);
}

pgt_entry_t *pgt_lookup(struct mm_struct *mm, uintptr_t virt, unsigned int *level)
{
	pgt_entry_t *entry = pgt_descend(mm, virt, 0, level);

	return *level && pgt_none(pgt_get(entry)) ? NULL : entry;
}

/* ---- Walking ---- */

struct walk {
	struct mm_struct *mm;
	const struct pgt_walk_ops *ops;
	void *ctx;
	uintptr_t at, last; /* what is left */
	unsigned int told;  /* tables of this level and above that hold @at were told of */
};

/* The tables on the way to @at that begin here. Under page_table_lock. */
static int tell_tables(struct walk *w, unsigned int level)
{
	int err = 0;

	for (unsigned int l = PGT_ROOT_LEVEL; l > level && !err; l--) {
		unsigned int found;
		pgt_entry_t *entry;

		/* Told of before, unless this is where the entry begins. */
		if (l >= w->told && w->at & (PGT_SIZE(l) - 1))
			continue;
		entry = pgt_descend(w->mm, w->at, l, &found);
		err = w->ops->table(w->ctx, l, entry, w->at, min(w->last, pgt_last(l, w->at)));
	}
	w->told = level + 1;
	return err;
}

/* Entries of one table, up to one that leads to a table; their lock is held. *@done: no more. */
static force_inline int walk_entries(struct walk *w, pgt_entry_t *entry, unsigned int level, bool *done)
{
	const struct pgt_walk_ops *ops = w->ops;
	pgt_entry_t *end = entry + pgt_run(level, w->at);
	uintptr_t at = w->at, stop = w->last, last = at;
	void *ctx = w->ctx;
	int err = 0;

	while (entry < end) {
		pgt_entry_t e = pgt_get(entry);

		last = pgt_last(level, at);
		if (likely(!pgt_none(e))) {
			if (pgt_table(level, e))
				break;
			if (ops->leaf)
				err = ops->leaf(ctx, level, entry, at, min(last, stop));
			entry++;
		} else {
			unsigned int n = pgt_none_run(entry, (unsigned int)(end - entry));

			last += (uintptr_t)((u64)(n - 1) << PGT_SHIFT(level));
			if (ops->hole)
				err = ops->hole(ctx, level, at, min(last, stop));
			entry += n;
		}
		at = last + 1;
		if (err || last >= stop) {
			*done = last >= stop;
			break;
		}
	}
	w->at = at;
	return err;
}

/* What is left of the table that @at is in. */
static int walk_table(struct walk *w, bool *done)
{
	bool user = !pgt_is_kernel(w->mm);
	unsigned long flags = user ? pgt_tables_lock(w->mm) : 0;
	unsigned int level;
	pgt_entry_t *entry = pgt_descend(w->mm, w->at, 0, &level);
	spinlock_t *lock;
	int err = w->ops->table ? tell_tables(w, level) : 0;

	lock = err ? NULL : pgt_entries_lock(w->mm, entry, level);
	if (lock)
		pgt_tables_unlock(w->mm, flags);
	if (!err)
		err = level ? walk_entries(w, entry, level, done) : walk_entries(w, entry, 0, done);
	pgt_entries_unlock(lock);
	if (user && !lock)
		pgt_tables_unlock(w->mm, flags);
	return err;
}

int pgt_walk(struct mm_struct *mm, uintptr_t start, u64 size, const struct pgt_walk_ops *ops, void *ctx)
{
	struct walk w = { .mm = mm, .ops = ops, .ctx = ctx, .at = start, .told = PGT_LEVELS };
	bool done = false;
	int err = 0;

	if (!pgt_range_ok(mm, start, size, __func__))
		return -EINVAL;
	w.last = start + (uintptr_t)(size - 1);
	while (!err && !done) {
		err = walk_table(&w, &done);
		sched_point();
	}
	return err;
}
