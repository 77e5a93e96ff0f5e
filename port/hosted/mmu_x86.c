// SPDX-License-Identifier: MIT
/*
 * The four x86 formats: Intel SDM volume 3A, section 4.3 (32-bit paging), 4.4 (PAE), 4.5 (4 and 5 levels), 4.6
 * (rights), 4.7 (error codes), 4.8 (accessed and dirty), 4.10 (what is cached).
 */
#include <octavo/page.h>

#include "mmu_impl.h"

#define P ((u64)1 << 0)
#define RW ((u64)1 << 1)
#define US ((u64)1 << 2)
#define A ((u64)1 << 5)
#define D ((u64)1 << 6)
#define PS ((u64)1 << 7)
#define G ((u64)1 << 8)
#define XD ((u64)1 << 63)
#define PKEY_SHIFT 59

#define BITS(high, low) ((((u64)2 << ((high) - (low))) - 1) << (low))

/* Levels from the pages up; PAE's fourth, the registers, is apart. */
struct shape {
	unsigned int levels, index_bits, bytes;
};

static const struct shape shapes[] = {
	[MMU_X86_64] = { 4, 9, 8 },
	[MMU_X86_64_LA57] = { 5, 9, 8 },
	[MMU_I386] = { 2, 10, 4 },
	[MMU_I386_PAE] = { 2, 9, 8 },
};

static unsigned int shift_of(const struct shape *s, unsigned int level)
{
	return 12 + level * s->index_bits;
}

static bool has(const struct mmu *mmu, u32 feature)
{
	return (mmu->config.features & feature) != 0;
}

/* ---- Addresses ---- */

static bool canonical_from(u64 virt, unsigned int bit)
{
	u64 high = virt >> bit;

	return !high || high == ~(u64)0 >> bit;
}

static bool canonical_47(const struct mmu *mmu, u64 virt)
{
	(void)mmu;
	return canonical_from(virt, 47);
}

static bool canonical_56(const struct mmu *mmu, u64 virt)
{
	(void)mmu;
	return canonical_from(virt, 56);
}

static bool below_4g(const struct mmu *mmu, u64 virt)
{
	(void)mmu;
	return !(virt >> 32);
}

/* ---- Entries ---- */

/* A present entry of @level is a leaf; 32-bit paging without large pages does not look at the bit. */
static bool is_leaf(const struct mmu *mmu, unsigned int level, u64 e)
{
	if (!level)
		return true;
	if (!(e & PS))
		return false;
	if (level == 1)
		return mmu->config.format != MMU_I386 || has(mmu, BOOT_MMU_LARGE);
	return level == 2 && has(mmu, BOOT_MMU_GIGANTIC);
}

/* Tables 4-5, 4-6 (32-bit), 4-9 to 4-11 (PAE), 4-15 to 4-20 (4 and 5 levels). */
static u64 reserved_bits(const struct mmu *mmu, unsigned int level, u64 e)
{
	unsigned int width = mmu->config.phys_bits;
	u64 bits;

	if (mmu->config.format == MMU_I386) {
		if (!is_leaf(mmu, level, e) || !level)
			return 0;
		/* A leaf of 4 MiB has address bits 32 and up in bits 13 and up (PSE-36). */
		width = width < 32 ? 32 : width > 40 ? 40 : width;
		return width == 40 ? BITS(21, 21) : BITS(21, 13 + (width - 32));
	}
	bits = width < 52 ? BITS(51, width) : 0;
	if (!mmu->control.nxe)
		bits |= XD;
	if (mmu->config.format == MMU_I386_PAE)
		bits |= BITS(62, 52);
	if (level >= 3 || (level == 2 && !has(mmu, BOOT_MMU_GIGANTIC)) || (level == 1 && !has(mmu, BOOT_MMU_LARGE)))
		bits |= PS;
	if (level == 2 && is_leaf(mmu, level, e))
		bits |= BITS(29, 13);
	if (level == 1 && is_leaf(mmu, level, e))
		bits |= BITS(20, 13);
	return bits;
}

static u64 entry_phys(const struct mmu *mmu, unsigned int level, u64 e)
{
	u64 at = e & BITS(51, 12);

	if (mmu->config.format == MMU_I386) {
		at = e & BITS(31, 12);
		if (level && is_leaf(mmu, level, e))
			return (e & BITS(31, 22)) | (e & BITS(20, 13)) >> 13 << 32;
	}
	if (level && is_leaf(mmu, level, e))
		at &= level == 1 ? ~BITS(20, 12) : ~BITS(29, 12);
	return at;
}

static u32 gather(u32 rights, u64 e, bool wide)
{
	if (!(e & RW))
		rights &= ~MMU_MAY_WRITE;
	if (!(e & US))
		rights &= ~MMU_MAY_USER;
	if (wide && e & XD)
		rights |= MMU_NO_EXEC;
	return rights;
}

/* ---- Rights ---- */

/* Section 4.6.1; protection keys: 4.6.2, for addresses that user mode may reach. */
static u32 check(const struct mmu *mmu, u32 rights, u8 pkey, enum mmu_access access, bool user)
{
	const struct mmu_control *c = &mmu->control;
	bool of_user = rights & MMU_MAY_USER, write = access == MMU_WRITE;

	if (user && !of_user)
		return PAGE_FAULT_PRESENT;
	if (access == MMU_EXEC)
		return rights & MMU_NO_EXEC || (!user && of_user && c->smep) ? PAGE_FAULT_PRESENT : 0;
	if (!user && of_user && c->smap && !c->ac)
		return PAGE_FAULT_PRESENT;
	if (write && !(rights & MMU_MAY_WRITE) && (user || c->wp))
		return PAGE_FAULT_PRESENT;
	if (of_user && has(mmu, BOOT_MMU_PKEYS)) {
		u32 key = c->pkru >> (2 * pkey) & 3;

		if (key & 1 || (key & 2 && write && (user || c->wp)))
			return PAGE_FAULT_PRESENT | PAGE_FAULT_PKEY;
	}
	return 0;
}

/* Section 4.7: the fetch is told from a read only where it could be refused as one. */
static u32 access_flags(const struct mmu *mmu, const struct mmu_walk *w)
{
	bool told = mmu->control.smep || (mmu->control.nxe && shapes[mmu->config.format].bytes == 8);

	return (w->access == MMU_WRITE ? PAGE_FAULT_WRITE : 0) | (w->user ? PAGE_FAULT_USER : 0) |
	       (w->access == MMU_EXEC && told ? PAGE_FAULT_EXEC : 0);
}

static u64 error_code(const struct mmu *mmu, const struct mmu_walk *w)
{
	(void)mmu;
	return w->flags & PAGE_FAULT_NONCANONICAL ? 0 : w->flags & 0x3f;
}

/* ---- The walk ---- */

static bool fault_at(const struct mmu *mmu, struct mmu_walk *w, unsigned int level, u32 flags)
{
	w->level = level;
	w->flags = flags | access_flags(mmu, w);
	return false;
}

/* Where to begin: at the nearest table that the structure cache knows, or at the root. */
static bool begin(struct mmu *mmu, struct mmu_walk *w, u64 *table, unsigned int *level, u32 *rights)
{
	const struct shape *s = &shapes[mmu->config.format];
	unsigned int top = s->levels - 1;

	*rights = MMU_MAY_WRITE | MMU_MAY_USER;
	*level = top;
	for (unsigned int l = 1; l <= top; l++) {
		const struct mmu_entry *e = mmu_table_find(mmu, w, shift_of(s, l));

		if (!e)
			continue;
		*table = e->phys;
		*level = l - 1;
		*rights = e->rights;
		return true;
	}
	if (!mmu->loaded)
		return false;
	*table = mmu->root & BITS(51, 12);
	if (mmu->config.format == MMU_I386)
		*table = mmu->root & BITS(31, 12);
	if (mmu->config.format == MMU_I386_PAE) {
		u64 e = mmu->pdpte[w->virt >> 30];

		*table = e & BITS(51, 12);
		return e & P;
	}
	return true;
}

/* Accessed, and dirty for a store; false: the entry changed meanwhile. */
static bool mark(const struct mmu_walk *w, u64 at, unsigned int bytes, bool leaf, u64 *e)
{
	u64 marked = *e | A | (leaf && w->access == MMU_WRITE ? D : 0);

	if (w->peek || marked == *e)
		return true;
	if (!mmu_entry_update(at, bytes, *e, marked))
		return false;
	*e = marked;
	return true;
}

static void found(const struct mmu *mmu, struct mmu_walk *w, unsigned int level, u64 e, u32 rights)
{
	w->phys = entry_phys(mmu, level, e);
	w->shift = shift_of(&shapes[mmu->config.format], level);
	w->rights = rights | (e & D ? MMU_DIRTY : 0) | (e & G && has(mmu, BOOT_MMU_GLOBAL) ? MMU_GLOBAL : 0);
	w->pkey = has(mmu, BOOT_MMU_PKEYS) ? e >> PKEY_SHIFT & 15 : 0;
	w->level = level;
}

static bool walk(struct mmu *mmu, struct mmu_walk *w)
{
	const struct shape *s = &shapes[mmu->config.format];
	unsigned int level;
	u32 rights, refused;
	u64 table;

	if (!begin(mmu, w, &table, &level, &rights))
		return fault_at(mmu, w, s->levels - 1, 0);
	for (;;) {
		u64 index = w->virt >> shift_of(s, level) & (((u64)1 << s->index_bits) - 1);
		u64 at = table + index * s->bytes;
		bool there, leaf;
		u64 e = mmu_entry_read(mmu, w, at, s->bytes, &there);
		u32 below;

		w->way[level].table = table;
		w->way[level].rights = rights;
		if (!(e & P))
			return fault_at(mmu, w, level, 0);
		if (!there || e & reserved_bits(mmu, level, e))
			return fault_at(mmu, w, level, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
		below = gather(rights, e, s->bytes == 8);
		leaf = is_leaf(mmu, level, e);
		if (leaf && !w->peek) {
			u8 pkey = has(mmu, BOOT_MMU_PKEYS) ? e >> PKEY_SHIFT & 15 : 0;

			refused = check(mmu, below, pkey, w->access, w->user);
			if (refused)
				return fault_at(mmu, w, level, refused);
		}
		if (!mark(w, at, s->bytes, leaf, &e))
			continue; /* look again */
		if (leaf) {
			found(mmu, w, level, e, below);
			return true;
		}
		rights = below;
		table = entry_phys(mmu, level, e);
		mmu_table_keep(mmu, w, shift_of(s, level), table, rights);
		level--;
	}
}

/* ---- PAE: the four registers, section 4.4.1 ---- */

static bool load_pae(struct mmu *mmu)
{
	const struct mmu_walk w = { .peek = true };
	u64 width = mmu->config.phys_bits, reserved = BITS(63, width) | BITS(2, 1) | BITS(8, 5);
	u64 fresh[4];

	for (unsigned int i = 0; i < 4; i++) {
		bool there;

		fresh[i] = mmu_entry_read(mmu, &w, (mmu->root & BITS(31, 5)) + 8 * i, 8, &there);
		if (!there || (fresh[i] & P && fresh[i] & reserved))
			return false;
	}
	for (unsigned int i = 0; i < 4; i++)
		mmu->pdpte[i] = fresh[i];
	return true;
}

/* ---- The formats ---- */

static const u8 shifts_9[] = { 12, 21, 30, 0 }, tables_9[] = { 21, 30, 39, 48, 0 };
static const u8 shifts_10[] = { 12, 22, 0 }, tables_10[] = { 22, 0 };
static const u8 shifts_pae[] = { 12, 21, 0 }, tables_pae[] = { 21, 0 };

#define OPS(shifts_, tables_, canonical_, load_)                                                             \
	{                                                                                                    \
		.shifts = (shifts_), .table_shifts = (tables_), .fault_drops = true, .canonical = (canonical_), \
		.walk = walk, .check = check_hit, .error = error_code, .load = (load_)                         \
	}

/* A refusal by a cached translation has the flags of the access in it, as one by the tables does. */
static u32 check_hit(const struct mmu *mmu, u32 rights, u8 pkey, enum mmu_access access, bool user)
{
	struct mmu_walk w = { .access = access, .user = user };
	u32 refused = check(mmu, rights, pkey, access, user);

	return refused ? refused | access_flags(mmu, &w) : 0;
}

const struct mmu_ops mmu_x86_64 = OPS(shifts_9, tables_9, canonical_47, NULL);
const struct mmu_ops mmu_x86_64_la57 = OPS(shifts_9, tables_9, canonical_56, NULL);
const struct mmu_ops mmu_i386 = OPS(shifts_10, tables_10, below_4g, NULL);
const struct mmu_ops mmu_i386_pae = OPS(shifts_pae, tables_pae, below_4g, load_pae);
