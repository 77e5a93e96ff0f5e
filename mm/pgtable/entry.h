/* SPDX-License-Identifier: MIT */
/*
 * One page-table entry, read and written as the machine does: whole. Where an entry is wider than a register (PAE), the
 * machine never sees a present half, as P is in the low one.
 */
#ifndef MM_PGTABLE_ENTRY_H
#define MM_PGTABLE_ENTRY_H

#include "../sync/atomic.h"
#include "format.h"

#define PGT_ENTRY_IS_U64 (sizeof(pgt_entry_t) == sizeof(u64))

static force_inline pgt_entry_t pgt_get(const pgt_entry_t *entry)
{
	if (PGT_ENTRY_IS_U64)
		return (pgt_entry_t)whole_load((const u64 *)entry);
	return (pgt_entry_t)load_relaxed((const u32 *)entry);
}

/* One that may lead to a table, whose entries are looked at next. */
static force_inline pgt_entry_t pgt_get_table(const pgt_entry_t *entry)
{
	if (PGT_ENTRY_IS_U64)
		return (pgt_entry_t)whole_load_acquire((const u64 *)entry);
	return (pgt_entry_t)load_acquire((const u32 *)entry);
}

/* What was written before it, a table's entries say, is seen by who finds @value here. */
static force_inline void pgt_set(pgt_entry_t *entry, pgt_entry_t value)
{
	if (PGT_ENTRY_IS_U64)
		whole_store((u64 *)entry, (u64)value);
	else
		store_release((u32 *)entry, (u32)value);
	sched_point();
}

/*
 * The same for an entry that is not present, or in a table that is not in use yet. It is ordered too: who finds a frame
 * by its entry may look at the frame.
 */
static force_inline void pgt_fill(pgt_entry_t *entry, pgt_entry_t value)
{
	if (PGT_ENTRY_IS_U64)
		whole_fill((u64 *)entry, (u64)value);
	else
		store_release((u32 *)entry, (u32)value);
}

/* Make an entry none whose accessed and dirty bits nobody will ask for. */
static force_inline void pgt_wipe(pgt_entry_t *entry)
{
	if (PGT_ENTRY_IS_U64)
		whole_wipe((u64 *)entry);
	else
		store_relaxed((u32 *)entry, 0);
}

static force_inline pgt_entry_t pgt_xchg(pgt_entry_t *entry, pgt_entry_t value)
{
	if (PGT_ENTRY_IS_U64)
		return (pgt_entry_t)atomic_rmw(whole_xchg((u64 *)entry, (u64)value));
	return (pgt_entry_t)atomic_xchg((u32 *)entry, (u32)value);
}

/* True: *@entry was *@old and is @value now. False: *@old is what it is instead. */
static force_inline bool pgt_cmpxchg(pgt_entry_t *entry, pgt_entry_t *old, pgt_entry_t value)
{
	u32 word, was;

	if (PGT_ENTRY_IS_U64)
		return atomic_rmw(whole_cmpxchg((u64 *)entry, (u64 *)old, (u64)value));
	word = (u32)*old;
	was = atomic_cmpxchg((u32 *)entry, word, (u32)value);
	*old = (pgt_entry_t)was;
	return was == word;
}

/* Bits of valid leaves that the processor has: without NX, global pages or protection keys theirs are not in it. */
extern pgt_entry_t pgt_supported;
/* Leaf levels that the processor has (PGT_LEAF_LEVELS less 1 GiB pages, say); bit 0 is set. */
extern unsigned int pgt_leaf_levels;

/* Take out of a leaf what the processor lacks. In one that it cannot see the same bits mean something else. */
static inline pgt_entry_t pgt_fit(pgt_entry_t leaf)
{
	return pgt_valid(leaf) ? leaf & pgt_supported : leaf;
}

#endif
