// SPDX-License-Identifier: MIT
/*
 * Changing rights and cache modes in place. What becomes of a leaf depends on nothing but its bits other than the
 * address, so it is worked out once and kept as the difference of old and new for the leaves that follow.
 */
#include "tables.h"

struct change {
	u32 set, clear;
	bool kernel;
};

static pgt_entry_t changed(const void *ctx, unsigned int level, pgt_entry_t e)
{
	const struct change *c = ctx;
	pgprot_t prot = pgt_prot(level, e);

	/* An entry the machine cannot see does not say whether it is global; the kernel's all are. */
	if (c->kernel && !pgt_valid(e) && c->set & PGPROT_READ)
		prot.bits |= PGPROT_GLOBAL;
	prot.bits = (prot.bits & ~c->clear) | c->set;
	return pgt_fit(pgt_modify(level, e, prot));
}

/* Address bits of a leaf. */
static force_inline pgt_entry_t address_bits(unsigned int level)
{
	phys_addr_t all = (((phys_addr_t)1 << PGT_PHYS_BITS) - 1) & PGT_MASK(level);

	return pgt_make_leaf(level, all, PAGE_KERNEL) ^ pgt_make_leaf(level, 0, PAGE_KERNEL);
}

/* The machine writes no bits into this leaf, whatever is done with it. */
static bool settled(unsigned int level, pgt_entry_t e)
{
	return pgt_young(level, e) && (pgt_dirty(level, e) || !pgt_write(level, e));
}

static force_inline void protect_run(pgt_entry_t *entry, unsigned int level, unsigned int nr, const struct change *c)
{
	pgt_entry_t mask = ~address_bits(level), *end = entry + nr;

	while (entry < end) {
		pgt_entry_t e = pgt_get(entry), like = e & mask, difference;

		if (!pgt_leaf(level, e)) {
			entry++;
			continue;
		}
		difference = e ^ changed(c, level, e);
		/* One store only where it cannot be seen half done. */
		if (settled(level, e) && sizeof(e) <= sizeof(uintptr_t)) {
			do {
				pgt_fill(entry, e ^ difference);
				e = ++entry < end ? pgt_get(entry) : 0;
			} while ((e & mask) == like);
			continue;
		}
		do {
			pgt_entry_t was = e;

			if (!pgt_cmpxchg(entry, &was, e ^ difference))
				while (pgt_leaf(level, was) && !pgt_cmpxchg(entry, &was, changed(c, level, was)))
					;
			e = ++entry < end ? pgt_get(entry) : 0;
		} while ((e & mask) == like);
	}
}

/* Leaves that must be none before they may be others: those of contiguous groups, and all whose cache mode changes. */
static bool must_break(unsigned int level, pgt_entry_t e, const struct change *c)
{
	return PGT_BREAK_BEFORE_MAKE && ((c->set | c->clear) & PGPROT_CACHE_MASK || pgt_in_group(level, e));
}

/* At least the first of @nr entries. Return: how many. */
static unsigned int protect_by_breaking(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, uintptr_t virt,
					unsigned int nr, const struct change *c)
{
	unsigned int group = PGT_CONT_ENTRIES - pgt_index(level, virt) % PGT_CONT_ENTRIES, n = 1;

	while (n < min(nr, group) && !pgt_table(level, pgt_get(entry + n)))
		n++;
	pgt_remake(mm, entry, level, virt & (uintptr_t)PGT_MASK(level), n, changed, c);
	return n;
}

static unsigned int run_of_leaves(pgt_entry_t *entry, unsigned int level, unsigned int nr, const struct change *c)
{
	unsigned int n = 0;

	if (!level && !PGT_BREAK_BEFORE_MAKE)
		return nr;
	while (n < nr && !pgt_table(level, pgt_get(entry + n)) && !must_break(level, pgt_get(entry + n), c))
		n++;
	return n;
}

/* Entries for [virt, last] in one table. */
static force_inline unsigned int run_for(unsigned int level, uintptr_t virt, uintptr_t last)
{
	u64 want = ((u64)(last - (virt & (uintptr_t)PGT_MASK(level))) >> PGT_SHIFT(level)) + 1;

	return (unsigned int)min((u64)pgt_run(level, virt), want);
}

/* Return: the last address done. */
static force_inline uintptr_t protect_some(struct mm_struct *mm, uintptr_t virt, uintptr_t last, const struct change *c)
{
	bool user = !pgt_is_kernel(mm);
	unsigned long flags = user ? pgt_tables_lock(mm) : 0;
	unsigned int level;
	pgt_entry_t *entry = pgt_descend(mm, virt, 0, &level);
	unsigned int nr = run_for(level, virt, last);
	uintptr_t first = virt & (uintptr_t)PGT_MASK(level);

	if (must_break(level, pgt_get(entry), c)) {
		if (user)
			pgt_tables_unlock(mm, flags);
		nr = protect_by_breaking(mm, entry, level, virt, nr, c);
	} else {
		spinlock_t *lock;

		nr = run_of_leaves(entry, level, nr, c);
		lock = pgt_entries_lock(mm, entry, level);
		if (level)
			protect_run(entry, level, nr, c);
		else
			protect_run(entry, 0, nr, c);
		pgt_entries_changed(mm, level, first, first + (uintptr_t)(((u64)nr << PGT_SHIFT(level)) - 1));
		pgt_entries_unlock(lock);
		if (user)
			pgt_tables_unlock(mm, flags);
	}
	sched_point();
	return pgt_last(level, first + (uintptr_t)((u64)(nr - 1) << PGT_SHIFT(level)));
}

/* Entries from @entry on that are not none, at most @nr. */
static force_inline unsigned int some_run(const pgt_entry_t *entry, unsigned int nr)
{
	const pgt_entry_t *at = entry, *end = entry + nr;

	for (; at + 8 <= end; at += 8) {
		bool none = false;

#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++)
			none |= pgt_none(pgt_get(at + i));
		if (none)
			break;
	}
	while (at < end && !pgt_none(pgt_get(at)))
		at++;
	return (unsigned int)(at - entry);
}

static bool all_mapped(struct mm_struct *mm, uintptr_t virt, uintptr_t last)
{
	uintptr_t done;

	do {
		bool user = !pgt_is_kernel(mm), none = false;
		unsigned long flags = user ? pgt_tables_lock(mm) : 0;
		unsigned int level, nr, n = 0;
		pgt_entry_t *entry = pgt_descend(mm, virt, 0, &level);

		nr = run_for(level, virt, last);
		if (level)
			while (n < nr && !pgt_table(level, pgt_get(entry + n)) && !pgt_none(pgt_get(entry + n)))
				n++;
		else
			n = some_run(entry, nr);
		none = n < nr && pgt_none(pgt_get(entry + n));
		if (user)
			pgt_tables_unlock(mm, flags);
		if (none)
			return false;
		done = pgt_last(level, (virt & (uintptr_t)PGT_MASK(level)) +
					       (uintptr_t)((u64)(n - 1) << PGT_SHIFT(level)));
		virt = done + 1;
	} while (done < last);
	return true;
}

int pgt_protect_range(struct mm_struct *mm, uintptr_t virt, u64 size, u32 set, u32 clear)
{
	struct change c = { .set = set, .clear = clear, .kernel = pgt_is_kernel(mm) };
	uintptr_t last = virt + (uintptr_t)(size - 1), done;
	int err;

	if (unlikely(!pgt_range_ok(mm, virt, size, __func__)) || !all_mapped(mm, virt, last))
		return -EINVAL;
	err = pgt_split_ends(mm, virt, size, pgt_gfp(mm));
	if (unlikely(err))
		return err;
	do {
		done = protect_some(mm, virt, last, &c);
		virt = done + 1;
	} while (done < last);
	return 0;
}
