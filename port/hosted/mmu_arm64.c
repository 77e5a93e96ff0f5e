// SPDX-License-Identifier: MIT
/*
 * VMSAv8-64 with the 4 KiB granule and 48-bit addresses: Arm ARM DDI 0487, D8.2 (translation), D8.3 (descriptors), D8.4
 * (permissions), D8.5 (hardware management of the access flag and the dirty state), D8.7.1 (contiguous bit), D17.2.37
 * (ESR_EL1). TTBR0 serves addresses whose top 16 bits are 0, TTBR1 those with all ones. Levels are numbered from the
 * pages up here, from the root down there: theirs is 3 less ours.
 */
#include <octavo/page.h>

#include "mmu_impl.h"

#define VALID ((u64)1 << 0)
#define TABLE_OR_PAGE ((u64)1 << 1)
#define AP_EL0 ((u64)1 << 6)
#define AP_READ_ONLY ((u64)1 << 7)
#define AF ((u64)1 << 10)
#define NOT_GLOBAL ((u64)1 << 11)
#define DBM ((u64)1 << 51)
#define CONTIGUOUS ((u64)1 << 52)
#define PXN ((u64)1 << 53)
#define UXN ((u64)1 << 54)
#define TABLE_PXN ((u64)1 << 59)
#define TABLE_UXN ((u64)1 << 60)
#define TABLE_NO_EL0 ((u64)1 << 61)
#define TABLE_READ_ONLY ((u64)1 << 62)
#define ADDRESS ((((u64)1 << 48) - 1) & ~(u64)0xfff)

#define TOP 3u

/* Fault status codes, less the level; marked, because one of them is 0. */
#define FSC_MARK 0x100u
#define FSC_ADDRESS_SIZE (FSC_MARK | 0x00)
#define FSC_TRANSLATION (FSC_MARK | 0x04)
#define FSC_ACCESS_FLAG (FSC_MARK | 0x08)
#define FSC_PERMISSION (FSC_MARK | 0x0c)
#define FSC_EXTERNAL_ON_WALK (FSC_MARK | 0x14)

static bool any_address(const struct mmu *mmu, u64 virt)
{
	(void)mmu;
	(void)virt;
	return true;
}

static unsigned int shift_of(unsigned int level)
{
	return 12 + 9 * level;
}

static u32 access_flags(enum mmu_access access, bool user)
{
	return (access == MMU_WRITE ? PAGE_FAULT_WRITE : 0) | (user ? PAGE_FAULT_USER : 0) |
	       (access == MMU_EXEC ? PAGE_FAULT_EXEC : 0);
}

/* D8.4.1: what EL0 may write, EL1 may not execute; PSTATE.PAN keeps EL1 from data that EL0 may reach. */
static u32 check(const struct mmu *mmu, u32 rights, u8 pkey, enum mmu_access access, bool user)
{
	bool el0 = rights & MMU_MAY_USER, write = rights & MMU_MAY_WRITE, ok;

	(void)pkey;
	if (user)
		ok = el0 && (access != MMU_WRITE || write) && (access != MMU_EXEC || !(rights & MMU_NO_EXEC));
	else if (access == MMU_EXEC)
		ok = !(rights & MMU_NO_KEXEC) && !(el0 && write);
	else
		ok = !(el0 && mmu->control.smap && !mmu->control.ac) && (access != MMU_WRITE || write);
	return ok ? 0 : PAGE_FAULT_PRESENT | access_flags(access, user);
}

/* Class (instruction or data abort, from EL0 or EL1), IL, WnR, fault status code. */
static u64 syndrome(const struct mmu *mmu, const struct mmu_walk *w)
{
	u64 class = (w->access == MMU_EXEC ? 0x20 : 0x24) | (w->user ? 0 : 1);
	u64 code = w->error ? w->error : FSC_PERMISSION; /* refused by a cached translation */

	(void)mmu;
	return class << 26 | 1u << 25 | (w->access == MMU_WRITE ? 1u << 6 : 0) | (code & 0x3f) | (TOP - w->level);
}

static bool fault_at(struct mmu_walk *w, unsigned int level, u32 code, u32 flags)
{
	w->level = level;
	w->error = code;
	w->flags = flags | access_flags(w->access, w->user);
	return false;
}

static u32 gather_table(u32 rights, u64 e)
{
	if (e & TABLE_READ_ONLY)
		rights &= ~MMU_MAY_WRITE;
	if (e & TABLE_NO_EL0)
		rights &= ~MMU_MAY_USER;
	return rights | (e & TABLE_UXN ? MMU_NO_EXEC : 0) | (e & TABLE_PXN ? MMU_NO_KEXEC : 0);
}

/* With the dirty bit modifier, read-only means clean (D8.5.2). */
static u32 gather_leaf(const struct mmu *mmu, u32 rights, u64 e)
{
	bool clean = e & AP_READ_ONLY && e & DBM && mmu->control.hd;

	if (e & AP_READ_ONLY && !clean)
		rights &= ~MMU_MAY_WRITE;
	if (!(e & AP_EL0))
		rights &= ~MMU_MAY_USER;
	return rights | (e & UXN ? MMU_NO_EXEC : 0) | (e & PXN ? MMU_NO_KEXEC : 0) |
	       (rights & MMU_MAY_WRITE && !clean ? MMU_DIRTY : 0) | (e & NOT_GLOBAL ? 0 : MMU_GLOBAL);
}

static bool begin(struct mmu *mmu, struct mmu_walk *w, u64 *table, unsigned int *level, u32 *rights)
{
	bool high = w->virt >> 48 == 0xffff;

	*rights = MMU_MAY_WRITE | MMU_MAY_USER;
	*level = TOP;
	if (!high && w->virt >> 48)
		return false;
	for (unsigned int l = 1; l <= TOP; l++) {
		const struct mmu_entry *e = mmu_table_find(mmu, w, shift_of(l));

		if (!e)
			continue;
		*table = e->phys;
		*level = l - 1;
		*rights = e->rights;
		return true;
	}
	*table = (high ? mmu->root : mmu->user_root) & ADDRESS;
	return high ? mmu->loaded : mmu->user_loaded;
}

enum kind { KIND_INVALID, KIND_TABLE, KIND_LEAF };

static enum kind kind_of(const struct mmu *mmu, unsigned int level, u64 e)
{
	u32 needs = level == 1 ? BOOT_MMU_LARGE : BOOT_MMU_GIGANTIC;

	if (!(e & VALID))
		return KIND_INVALID;
	if (!level)
		return e & TABLE_OR_PAGE ? KIND_LEAF : KIND_INVALID;
	if (e & TABLE_OR_PAGE)
		return KIND_TABLE;
	return level < TOP && mmu->config.features & needs ? KIND_LEAF : KIND_INVALID;
}

static void found(const struct mmu *mmu, struct mmu_walk *w, unsigned int level, u64 e, u32 rights)
{
	u64 size;

	(void)mmu;
	w->shift = shift_of(level) + (e & CONTIGUOUS ? 4 : 0);
	size = (u64)1 << w->shift;
	w->phys = e & ADDRESS & ~(size - 1);
	w->rights = rights;
	w->level = level;
}

/* Rights, access flag, dirty state of a leaf. 0: it is translated; 1: look again; -1: a fault. */
static int finish(struct mmu *mmu, struct mmu_walk *w, unsigned int level, u64 at, u64 e, u32 above)
{
	u32 rights = gather_leaf(mmu, above, e), refused;
	u64 marked = e | AF;

	if (!w->peek) {
		if (!(e & AF) && !mmu->control.ha)
			return fault_at(w, level, FSC_ACCESS_FLAG, PAGE_FAULT_PRESENT | PAGE_FAULT_ACCESS_FLAG) - 1;
		refused = check(mmu, rights, 0, w->access, w->user);
		if (refused)
			return fault_at(w, level, FSC_PERMISSION, refused) - 1;
		if (w->access == MMU_WRITE && !(rights & MMU_DIRTY))
			marked &= ~AP_READ_ONLY;
		if (marked != e && !mmu_entry_update(at, 8, e, marked))
			return 1;
		rights = gather_leaf(mmu, above, marked);
	}
	found(mmu, w, level, e, rights);
	return 0;
}

static bool walk(struct mmu *mmu, struct mmu_walk *w)
{
	unsigned int level;
	u32 rights;
	u64 table;

	if (!begin(mmu, w, &table, &level, &rights))
		return fault_at(w, TOP, FSC_TRANSLATION, 0);
	for (;;) {
		u64 at = table + (w->virt >> shift_of(level) & 511) * 8;
		bool there;
		u64 e = mmu_entry_read(mmu, w, at, 8, &there);
		enum kind kind = kind_of(mmu, level, e);
		int more;

		w->way[level].table = table;
		w->way[level].rights = rights;
		if (!there)
			return fault_at(w, level, FSC_EXTERNAL_ON_WALK, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
		if (kind == KIND_INVALID)
			return fault_at(w, level, FSC_TRANSLATION, 0);
		if ((e & ADDRESS) >> mmu->config.phys_bits)
			return fault_at(w, level, FSC_ADDRESS_SIZE, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
		if (kind == KIND_LEAF) {
			more = finish(mmu, w, level, at, e, rights);
			if (more <= 0)
				return !more;
			continue;
		}
		rights = gather_table(rights, e);
		table = e & ADDRESS;
		mmu_table_keep(mmu, w, shift_of(level), table, rights);
		level--;
	}
}

static const u8 shifts[] = { 12, 16, 21, 25, 30, 34, 0 }, table_shifts[] = { 21, 30, 39, 0 };

const struct mmu_ops mmu_arm64 = {
	.shifts = shifts,
	.table_shifts = table_shifts,
	.canonical = any_address,
	.walk = walk,
	.check = check,
	.error = syndrome,
};
