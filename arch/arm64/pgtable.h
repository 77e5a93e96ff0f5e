/* SPDX-License-Identifier: MIT */
/*
 * Page tables of arm64: VMSAv8-64, stage 1, 4 KiB granule, 48 bits of address, a root for each half (TTBR0_EL1,
 * TTBR1_EL1).
 *
 *	 63   62-59  58  57  56  55  54  53  52   51   47-12     11   10    9-8   7  6    4-2     1 0
 *	[   ][ SD ][UW][DM][SP][DI][UXN][PXN][CO][DBM][address][nG][AF][ SH ][AP2,1][Attr][ type ]
 *
 * type: 3 page or table, 1 block, 0 and 2 nothing. In a table entry bit 63 is NSTable, 62-61 APTable, 60 UXNTable, 59
 * PXNTable. The software's: 55 dirty, 56 special, 57 device memory with descriptors, 58 userfaultfd write protection,
 * 59 soft-dirty.
 *
 * Writable and dirty. DBM says that the entry may be written (to the core: "write"); AP2 (read-only) that a write
 * traps, or, if the processor manages dirty state, that it has yet to happen: the processor then clears AP2. So a leaf
 * is dirty if DBM is set and AP2 clear, or if the software's bit says so, which it must wherever DBM is taken away.
 *
 * An entry with bit 0 clear belongs to the software. With bit 11, which is nG otherwise, it is a leaf the machine must
 * not see: PROT_NONE (AP1 clear), or a leaf made invalid for a moment; its type bits are both clear. Otherwise it is
 * swap: offset in bits 12-61, type in 6-10, soft-dirty 4, userfaultfd 3, exclusive 2.
 *
 * A present entry may only change its address, its size or its memory type by way of none and a flush (break before
 * make).
 *
 * Source: Arm Architecture Reference Manual for A-profile (DDI 0487), chapter D8.
 */
#ifndef ARCH_ARM64_PGTABLE_H
#define ARCH_ARM64_PGTABLE_H

#include <octavo/pgprot.h>

typedef u64 pgt_entry_t;

#define PGT_NAME "arm64"
#define PGT_LEVELS 4
#define PGT_VIRT_BITS 48
#define PGT_PHYS_BITS 48
#define PGT_TABLE_BITS 9
#define PGT_ROOT_BITS 9
#define PGT_LEAF_LEVELS 7u /* 4 KiB, 2 MiB, 1 GiB */
#define PGT_TWO_ROOTS 1
#define PGT_CONT_ENTRIES 16
#define PGT_BREAK_BEFORE_MAKE 1
#define PGT_TABLE_YOUNG 0 /* FEAT_HAFT is not used */
#define PGT_SWAP_TYPE_BITS 5
#define PGT_SWAP_OFFSET_BITS 50

#define ARM64_VALID (1ull << 0)
#define ARM64_TYPE 3ull
#define ARM64_TYPE_PAGE 3ull /* at level 0 */
#define ARM64_TYPE_TABLE 3ull
#define ARM64_TYPE_BLOCK 1ull
#define ARM64_ATTR_SHIFT 2
#define ARM64_ATTR (7ull << ARM64_ATTR_SHIFT)
#define ARM64_USER (1ull << 6)	    /* AP1 */
#define ARM64_READ_ONLY (1ull << 7) /* AP2 */
#define ARM64_SHARED (3ull << 8)    /* inner shareable */
#define ARM64_AF (1ull << 10)
#define ARM64_NG (1ull << 11)
#define ARM64_INVALID ARM64_NG /* with bit 0 clear: present to the core */
#define ARM64_ADDRESS 0x0000fffffffff000ull
#define ARM64_DBM (1ull << 51)
#define ARM64_CONT (1ull << 52)
#define ARM64_PXN (1ull << 53)
#define ARM64_UXN (1ull << 54)
#define ARM64_DIRTY (1ull << 55)
#define ARM64_SPECIAL (1ull << 56)
#define ARM64_DEVMAP (1ull << 57)
#define ARM64_UFFD_WP (1ull << 58)
#define ARM64_SOFT_DIRTY (1ull << 59)
#define ARM64_TABLE_RES0 (7ull << 48)
#define ARM64_TABLE_PXN (1ull << 59)
#define ARM64_TABLE_UXN (1ull << 60)
#define ARM64_TABLE_AP (3ull << 61)
#define ARM64_TABLE_READ_ONLY (1ull << 62) /* APTable[1] */
#define ARM64_TABLE_NS (1ull << 63)

#define ARM64_SWAP_EXCLUSIVE (1ull << 2)
#define ARM64_SWAP_UFFD_WP (1ull << 3)
#define ARM64_SWAP_SOFT_DIRTY (1ull << 4)
#define ARM64_SWAP_TYPE_SHIFT 6
#define ARM64_SWAP_TYPE (((1ull << PGT_SWAP_TYPE_BITS) - 1) << ARM64_SWAP_TYPE_SHIFT)
#define ARM64_SWAP_OFFSET_SHIFT 12
#define ARM64_SWAP_OFFSET (((1ull << PGT_SWAP_OFFSET_BITS) - 1) << ARM64_SWAP_OFFSET_SHIFT)
#define ARM64_SWAP_BITS (ARM64_SWAP_EXCLUSIVE | ARM64_SWAP_UFFD_WP | ARM64_SWAP_SOFT_DIRTY)

/* Indices into MAIR_EL1, and its value, as Linux has them: 0 Normal write-back (0xff), 1 the same tagged (0xf0; its
 * attribute without the extension is 0xff), 2 Normal non-cacheable (0x44), 3 Device-nGnRnE (0), 4 Device-nGnRE (4). */
#define ARM64_MAIR_NORMAL 0u
#define ARM64_MAIR_NORMAL_TAGGED 1u
#define ARM64_MAIR_NORMAL_NC 2u
#define ARM64_MAIR_DEVICE_NGNRNE 3u
#define ARM64_MAIR_DEVICE_NGNRE 4u
#define ARM64_MAIR 0x000000040044ffffull

/* Write through and write protected have no index of their own: uncached reads are right for both, and slower. */
static inline unsigned int arm64_attr_index(enum page_cache_mode mode)
{
	switch (mode) {
	case PAGE_CACHE_WB:
		return ARM64_MAIR_NORMAL;
	case PAGE_CACHE_WC:
	case PAGE_CACHE_WT:
	case PAGE_CACHE_WP:
		return ARM64_MAIR_NORMAL_NC;
	case PAGE_CACHE_UC_MINUS:
		return ARM64_MAIR_DEVICE_NGNRE;
	case PAGE_CACHE_UC:
		break;
	}
	return ARM64_MAIR_DEVICE_NGNRNE;
}

static inline enum page_cache_mode arm64_attr_mode(unsigned int index)
{
	switch (index) {
	case ARM64_MAIR_NORMAL:
	case ARM64_MAIR_NORMAL_TAGGED:
		return PAGE_CACHE_WB;
	case ARM64_MAIR_NORMAL_NC:
		return PAGE_CACHE_WC;
	case ARM64_MAIR_DEVICE_NGNRE:
		return PAGE_CACHE_UC_MINUS;
	default:
		return PAGE_CACHE_UC;
	}
}

static inline pgt_entry_t arm64_leaf_mask(unsigned int level)
{
	return ARM64_ADDRESS & ~((1ull << (PAGE_SHIFT + level * PGT_TABLE_BITS)) - 1);
}

/* ---- What it is ---- */

static inline bool pgt_none(pgt_entry_t e)
{
	return !e;
}

static inline bool pgt_valid(pgt_entry_t e)
{
	return e & ARM64_VALID;
}

static inline bool pgt_present(pgt_entry_t e)
{
	return e & ARM64_VALID || (e & (ARM64_TYPE | ARM64_INVALID)) == ARM64_INVALID;
}

static inline bool pgt_table(unsigned int level, pgt_entry_t e)
{
	return level && (e & ARM64_TYPE) == ARM64_TYPE_TABLE;
}

static inline bool pgt_leaf(unsigned int level, pgt_entry_t e)
{
	return pgt_present(e) && PGT_LEAF_LEVELS >> level & 1 && !pgt_table(level, e);
}

/* ---- Bits of leaves ---- */

static inline bool pgt_write(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_DBM;
}

static inline bool arm64_hardware_dirty(pgt_entry_t e)
{
	return (e & (ARM64_DBM | ARM64_READ_ONLY)) == ARM64_DBM;
}

static inline bool pgt_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_DIRTY || arm64_hardware_dirty(e);
}

static inline pgt_entry_t pgt_mkwrite(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	e |= ARM64_DBM;
	return e & ARM64_DIRTY ? e & ~ARM64_READ_ONLY : e;
}

static inline pgt_entry_t pgt_wrprotect(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	if (arm64_hardware_dirty(e))
		e |= ARM64_DIRTY;
	return (e & ~ARM64_DBM) | ARM64_READ_ONLY;
}

static inline pgt_entry_t pgt_mkdirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	e |= ARM64_DIRTY | ARM64_SOFT_DIRTY;
	return e & ARM64_DBM ? e & ~ARM64_READ_ONLY : e;
}

static inline pgt_entry_t pgt_mkclean(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return (e & ~ARM64_DIRTY) | ARM64_READ_ONLY;
}

static inline bool pgt_young(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_AF;
}

static inline pgt_entry_t pgt_mkyoung(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | ARM64_AF;
}

static inline pgt_entry_t pgt_mkold(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~ARM64_AF;
}

static inline bool pgt_user(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_USER;
}

/* Code of one mode is never code of the other: the bit that counts is that of the mode which may access the page. */
static inline pgt_entry_t arm64_no_exec(pgt_entry_t e)
{
	return e & ARM64_USER ? ARM64_UXN : ARM64_PXN;
}

static inline bool pgt_exec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return !(e & arm64_no_exec(e));
}

static inline pgt_entry_t pgt_mkexec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~arm64_no_exec(e);
}

static inline pgt_entry_t pgt_mknoexec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | arm64_no_exec(e);
}

static inline bool pgt_global(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return (e & (ARM64_VALID | ARM64_NG)) == ARM64_VALID;
}

static inline bool pgt_cont(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_CONT;
}

static inline bool pgt_special(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_SPECIAL;
}

static inline pgt_entry_t pgt_mkspecial(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | ARM64_SPECIAL;
}

static inline bool pgt_devmap(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_DEVMAP;
}

static inline pgt_entry_t pgt_mkdevmap(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | ARM64_DEVMAP;
}

static inline bool pgt_soft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_mksoft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | ARM64_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_clear_soft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~ARM64_SOFT_DIRTY;
}

static inline bool pgt_uffd_wp(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_UFFD_WP;
}

static inline pgt_entry_t pgt_mkuffd_wp(unsigned int level, pgt_entry_t e)
{
	return pgt_wrprotect(level, e) | ARM64_UFFD_WP;
}

static inline pgt_entry_t pgt_clear_uffd_wp(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~ARM64_UFFD_WP;
}

static inline bool pgt_protnone(pgt_entry_t e)
{
	return !(e & (ARM64_VALID | ARM64_USER)) && pgt_present(e);
}

/* ---- What it says ---- */

static inline phys_addr_t pgt_leaf_phys(unsigned int level, pgt_entry_t e)
{
	return e & arm64_leaf_mask(level);
}

static inline phys_addr_t pgt_table_phys(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_ADDRESS;
}

static inline pgprot_t pgt_prot(unsigned int level, pgt_entry_t e)
{
	u32 bits = PGPROT_CACHE(arm64_attr_mode((unsigned int)((e & ARM64_ATTR) >> ARM64_ATTR_SHIFT)));

	bits |= pgt_protnone(e) ? 0 : PGPROT_READ;
	bits |= pgt_write(level, e) ? PGPROT_WRITE : 0;
	bits |= pgt_exec(level, e) ? PGPROT_EXEC : 0;
	bits |= pgt_user(level, e) ? PGPROT_USER : 0;
	bits |= pgt_global(level, e) ? PGPROT_GLOBAL : 0;
	bits |= pgt_young(level, e) ? PGPROT_ACCESSED : 0;
	bits |= pgt_dirty(level, e) ? PGPROT_DIRTY : 0;
	bits |= pgt_special(level, e) ? PGPROT_SPECIAL : 0;
	bits |= pgt_soft_dirty(level, e) ? PGPROT_SOFT_DIRTY : 0;
	bits |= pgt_devmap(level, e) ? PGPROT_DEVMAP : 0;
	bits |= pgt_cont(level, e) ? PGPROT_CONT : 0;
	return octavo_pgprot(bits);
}

/* ---- Make ---- */

static inline pgt_entry_t pgt_make_leaf(unsigned int level, phys_addr_t phys, pgprot_t prot)
{
	u32 bits = prot.bits;
	pgt_entry_t e = (phys & arm64_leaf_mask(level)) | ARM64_SHARED | ARM64_UXN | ARM64_PXN | ARM64_READ_ONLY;

	e |= (pgt_entry_t)arm64_attr_index(pgprot_cache_mode(prot)) << ARM64_ATTR_SHIFT;
	if (bits & PGPROT_READ) {
		e |= level ? ARM64_TYPE_BLOCK : ARM64_TYPE_PAGE;
		e |= (bits & PGPROT_USER ? ARM64_USER : 0) | (bits & PGPROT_GLOBAL ? 0 : ARM64_NG);
	} else {
		e |= ARM64_INVALID;
	}
	e = bits & PGPROT_EXEC ? pgt_mkexec(level, e) : e;
	e |= bits & PGPROT_DIRTY ? ARM64_DIRTY : 0;
	e = bits & PGPROT_WRITE ? pgt_mkwrite(level, e) : e;
	e |= bits & PGPROT_ACCESSED ? ARM64_AF : 0;
	e |= bits & PGPROT_SPECIAL ? ARM64_SPECIAL : 0;
	e |= bits & PGPROT_SOFT_DIRTY ? ARM64_SOFT_DIRTY : 0;
	e |= bits & PGPROT_DEVMAP ? ARM64_DEVMAP : 0;
	e |= bits & PGPROT_CONT ? ARM64_CONT : 0;
	return e;
}

/* A table of one half never leads to code of the other. */
static inline pgt_entry_t pgt_make_table(__attribute__((unused)) unsigned int level, phys_addr_t phys, bool user)
{
	return (phys & ARM64_ADDRESS) | ARM64_TYPE_TABLE | (user ? ARM64_TABLE_PXN : ARM64_TABLE_UXN);
}

/*
 * What a table entry takes away (APTable) no leaf below it has. The processor looks at it unless TCR_EL1.HPD0 or HPD1
 * is set (FEAT_HPDS), which they must not be.
 */
static inline bool pgt_table_write(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return !(e & ARM64_TABLE_READ_ONLY);
}

static inline pgt_entry_t pgt_table_wrprotect(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | ARM64_TABLE_READ_ONLY;
}

static inline pgt_entry_t pgt_table_mkwrite(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~ARM64_TABLE_READ_ONLY;
}

/*
 * What else is in a table entry the processor ignores. Of rights that a table takes away (APTable) ours is one only:
 * last-level tables of users may be read only.
 */
static inline bool pgt_bad(unsigned int level, pgt_entry_t e)
{
	pgt_entry_t may_not = ARM64_TABLE_AP | ARM64_TABLE_NS | ARM64_TABLE_RES0;

	if (level == 1 && e & ARM64_TABLE_PXN)
		may_not &= ~ARM64_TABLE_READ_ONLY;
	return level && e && (!pgt_table(level, e) || e & may_not);
}

static inline pgt_entry_t pgt_modify(unsigned int level, pgt_entry_t e, pgprot_t prot)
{
	pgt_entry_t keep = ARM64_AF | ARM64_DIRTY | ARM64_SPECIAL | ARM64_SOFT_DIRTY | ARM64_UFFD_WP | ARM64_DEVMAP;
	pgt_entry_t fresh = pgt_make_leaf(level, pgt_leaf_phys(level, e), prot);

	if (arm64_hardware_dirty(e))
		e |= ARM64_DIRTY;
	fresh = (fresh & ~keep) | (e & keep);
	if (!pgt_write(level, fresh) || e & ARM64_UFFD_WP)
		return (fresh & ~ARM64_DBM) | ARM64_READ_ONLY;
	return e & ARM64_DIRTY ? fresh & ~ARM64_READ_ONLY : fresh | ARM64_READ_ONLY;
}

/* The machine sees no leaf any more, the core does. Rights and bits stay, but for nG, which it cannot say then. */
static inline pgt_entry_t pgt_mkinvalid(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ARM64_VALID ? (e & ~ARM64_TYPE) | ARM64_INVALID : e;
}

static inline pgt_entry_t pgt_mkvalid(unsigned int level, pgt_entry_t e)
{
	return e & ARM64_VALID ? e : e | (level ? ARM64_TYPE_BLOCK : ARM64_TYPE_PAGE);
}

/* ---- Swap ---- */

static inline bool pgt_is_swap(pgt_entry_t e)
{
	return !pgt_none(e) && !pgt_present(e);
}

static inline pgt_entry_t pgt_make_swap(unsigned int type, u64 offset)
{
	return (offset << ARM64_SWAP_OFFSET_SHIFT & ARM64_SWAP_OFFSET) |
	       ((pgt_entry_t)type << ARM64_SWAP_TYPE_SHIFT & ARM64_SWAP_TYPE);
}

static inline unsigned int pgt_swap_type(pgt_entry_t e)
{
	return (unsigned int)((e & ARM64_SWAP_TYPE) >> ARM64_SWAP_TYPE_SHIFT);
}

static inline u64 pgt_swap_offset(pgt_entry_t e)
{
	return (e & ARM64_SWAP_OFFSET) >> ARM64_SWAP_OFFSET_SHIFT;
}

static inline bool pgt_swap_soft_dirty(pgt_entry_t e)
{
	return e & ARM64_SWAP_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_swap_mksoft_dirty(pgt_entry_t e)
{
	return e | ARM64_SWAP_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_swap_clear_soft_dirty(pgt_entry_t e)
{
	return e & ~ARM64_SWAP_SOFT_DIRTY;
}

static inline bool pgt_swap_uffd_wp(pgt_entry_t e)
{
	return e & ARM64_SWAP_UFFD_WP;
}

static inline pgt_entry_t pgt_swap_mkuffd_wp(pgt_entry_t e)
{
	return e | ARM64_SWAP_UFFD_WP;
}

static inline pgt_entry_t pgt_swap_clear_uffd_wp(pgt_entry_t e)
{
	return e & ~ARM64_SWAP_UFFD_WP;
}

static inline bool pgt_swap_exclusive(pgt_entry_t e)
{
	return e & ARM64_SWAP_EXCLUSIVE;
}

static inline pgt_entry_t pgt_swap_mkexclusive(pgt_entry_t e)
{
	return e | ARM64_SWAP_EXCLUSIVE;
}

static inline pgt_entry_t pgt_swap_clear_exclusive(pgt_entry_t e)
{
	return e & ~ARM64_SWAP_EXCLUSIVE;
}

/* ---- Addresses ---- */

/* Bits 63-48 choose the root, and must be alike (no tags: TCR_EL1.TBI clear). */
static inline bool pgt_canonical(u64 virt)
{
	return virt >> PGT_VIRT_BITS == 0 || virt >> PGT_VIRT_BITS == 0xffff;
}

#define PGT_KERNEL_START 0xffff000000000000ull

octavo_static_assert(!((ARM64_SWAP_OFFSET | ARM64_SWAP_TYPE | ARM64_SWAP_BITS) & (ARM64_TYPE | ARM64_INVALID)),
		     "a swap entry is not present");
octavo_static_assert(!(ARM64_SWAP_OFFSET & ARM64_SWAP_TYPE) &&
			     !((ARM64_SWAP_OFFSET | ARM64_SWAP_TYPE) & ARM64_SWAP_BITS),
		     "the fields of a swap entry are apart");
octavo_static_assert(!(ARM64_ADDRESS & (ARM64_DBM | ARM64_CONT | ARM64_PXN | ARM64_UXN | ARM64_DIRTY | 0xfff)),
		     "no attribute is part of the address");
octavo_static_assert((ARM64_DIRTY | ARM64_SPECIAL | ARM64_DEVMAP | ARM64_UFFD_WP | ARM64_SOFT_DIRTY) ==
			     0x0f80000000000000ull,
		     "software has bits 55-59 only");

#endif
