/* SPDX-License-Identifier: MIT */
/*
 * What the three x86 formats share: entries of 32 bits (i386), and of 64 (PAE, long mode with 4 and 5 levels). The
 * format's own header defines its constants first, then includes this; mm/pgtable/format.h says what each function is
 * for.
 *
 *	 63  62-59  58-52   51-12     11  10   9  8  7  6  5  4   3   2   1  0
 *	[NX][pkey ][  soft][address ][SD][UW][SP][G][PS][D][A][CD][WT][US][RW][P]	long mode
 *
 * PAE has no bits 52-62. Bit 7 of a PTE is PAT, as is bit 12 of a large leaf. The software's: 9 special, 10 userfaultfd
 * write protection, 11 soft-dirty, 57 device memory with descriptors (long mode only; i386 without PAE only has 9).
 *
 * An entry with P clear belongs to the software. With bit 8, which is G while P is set, it is a leaf that the machine
 * must not see: PROT_NONE (US clear), or a leaf made invalid for a moment (US as it was). Otherwise it is swap. In 64
 * bits the address, or the swap offset, of an entry with P clear is kept inverted: processors with the L1 terminal
 * fault read ahead through the address of such an entry, and an inverted one lies where no memory is.
 *
 * Sources: Intel SDM volume 3A, sections 4.3 to 4.6 (formats), 11.12 (PAT); AMD APM volume 2, chapter 5.
 */
#ifndef ARCH_X86_PGTABLE_H
#define ARCH_X86_PGTABLE_H

#include <octavo/pgprot.h>

#define X86_P ((pgt_entry_t)1 << 0)
#define X86_RW ((pgt_entry_t)1 << 1)
#define X86_US ((pgt_entry_t)1 << 2)
#define X86_PWT ((pgt_entry_t)1 << 3)
#define X86_PCD ((pgt_entry_t)1 << 4)
#define X86_A ((pgt_entry_t)1 << 5)
#define X86_D ((pgt_entry_t)1 << 6)
#define X86_PS ((pgt_entry_t)1 << 7)	     /* of entries above level 0 */
#define X86_PAT ((pgt_entry_t)1 << 7)	     /* of PTEs */
#define X86_PAT_LARGE ((pgt_entry_t)1 << 12) /* of leaves above level 0 */
#define X86_G ((pgt_entry_t)1 << 8)
#define X86_SPECIAL ((pgt_entry_t)1 << 9)
#define X86_INVALID X86_G /* with P clear: present to the core */

/*
 * PAT index (PAT, PCD, PWT) of each cache mode, for the table that Linux programs:
 * 0 WB, 1 WC, 2 UC-, 3 UC, 4 WB, 5 WP, 6 UC-, 7 WT (IA32_PAT, one byte an index; WB 6, WC 1, UC- 7, UC 0, WP 5, WT 4).
 */
#define X86_PAT_MSR 0x0407050600070106ull

static inline unsigned int x86_pat_index(enum page_cache_mode mode)
{
	switch (mode) {
	case PAGE_CACHE_WB:
		return 0;
	case PAGE_CACHE_WC:
		return 1;
	case PAGE_CACHE_UC_MINUS:
		return 2;
	case PAGE_CACHE_WP:
		return 5;
	case PAGE_CACHE_WT:
		return 7;
	case PAGE_CACHE_UC:
		break;
	}
	return 3;
}

static inline enum page_cache_mode x86_pat_mode(unsigned int index)
{
	switch (index) {
	case 1:
		return PAGE_CACHE_WC;
	case 2:
	case 6:
		return PAGE_CACHE_UC_MINUS;
	case 3:
		return PAGE_CACHE_UC;
	case 5:
		return PAGE_CACHE_WP;
	case 7:
		return PAGE_CACHE_WT;
	default:
		return PAGE_CACHE_WB;
	}
}

static inline pgt_entry_t x86_pat_bit(unsigned int level)
{
	return level ? X86_PAT_LARGE : X86_PAT;
}

static inline pgt_entry_t x86_cache_bits(unsigned int level, enum page_cache_mode mode)
{
	unsigned int index = x86_pat_index(mode);

	return (index & 1 ? X86_PWT : 0) | (index & 2 ? X86_PCD : 0) | (index & 4 ? x86_pat_bit(level) : 0);
}

/* The address bits of a leaf. */
static inline pgt_entry_t x86_leaf_mask(unsigned int level)
{
	return X86_ADDRESS & ~(((pgt_entry_t)1 << (PAGE_SHIFT + level * PGT_TABLE_BITS)) - 1);
}

/* What the address bits of an entry are turned over with while P is clear. */
static inline pgt_entry_t x86_inverted(unsigned int level, pgt_entry_t e)
{
	return X86_INVERTS && !(e & X86_P) ? x86_leaf_mask(level) : 0;
}

/* ---- What it is ---- */

/* Knights Landing may leave A or D behind in an entry that was cleared: they say nothing (64-bit formats). */
static inline bool pgt_none(pgt_entry_t e)
{
	return !(e & ~X86_SAYS_NOTHING);
}

static inline bool pgt_present(pgt_entry_t e)
{
	return e & (X86_P | X86_INVALID);
}

static inline bool pgt_valid(pgt_entry_t e)
{
	return e & X86_P;
}

static inline bool pgt_leaf(unsigned int level, pgt_entry_t e)
{
	return pgt_present(e) && (!level || (PGT_LEAF_LEVELS >> level & 1 && e & X86_PS));
}

static inline bool pgt_table(unsigned int level, pgt_entry_t e)
{
	return level && (e & (X86_P | (PGT_LEAF_LEVELS >> level & 1 ? X86_PS : 0))) == X86_P;
}

/* ---- Bits of leaves ---- */

static inline bool pgt_write(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_RW;
}

static inline pgt_entry_t pgt_mkwrite(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_RW;
}

static inline pgt_entry_t pgt_wrprotect(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_RW;
}

static inline bool pgt_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_D;
}

static inline pgt_entry_t pgt_mkdirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_D | X86_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_mkclean(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_D;
}

static inline bool pgt_young(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_A;
}

static inline pgt_entry_t pgt_mkyoung(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_A;
}

static inline pgt_entry_t pgt_mkold(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_A;
}

static inline bool pgt_exec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return !(e & X86_NX);
}

static inline pgt_entry_t pgt_mkexec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_NX;
}

static inline pgt_entry_t pgt_mknoexec(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_NX;
}

static inline bool pgt_user(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_US;
}

static inline bool pgt_global(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return (e & (X86_P | X86_G)) == (X86_P | X86_G);
}

static inline bool pgt_cont(__attribute__((unused)) unsigned int level, __attribute__((unused)) pgt_entry_t e)
{
	return false;
}

static inline bool pgt_special(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_SPECIAL;
}

static inline pgt_entry_t pgt_mkspecial(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_SPECIAL;
}

static inline bool pgt_devmap(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_DEVMAP;
}

static inline pgt_entry_t pgt_mkdevmap(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_DEVMAP;
}

static inline bool pgt_soft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_mksoft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e | X86_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_clear_soft_dirty(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_SOFT_DIRTY;
}

static inline bool pgt_uffd_wp(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_UFFD_WP;
}

static inline pgt_entry_t pgt_mkuffd_wp(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return X86_UFFD_WP != 0 ? (e | X86_UFFD_WP) & ~X86_RW : e;
}

static inline pgt_entry_t pgt_clear_uffd_wp(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & ~X86_UFFD_WP;
}

static inline bool pgt_protnone(pgt_entry_t e)
{
	return (e & (X86_P | X86_INVALID | X86_US)) == X86_INVALID;
}

/* ---- What it says ---- */

static inline phys_addr_t pgt_leaf_phys(unsigned int level, pgt_entry_t e)
{
	return (e ^ x86_inverted(level, e)) & x86_leaf_mask(level);
}

static inline phys_addr_t pgt_table_phys(__attribute__((unused)) unsigned int level, pgt_entry_t e)
{
	return e & X86_ADDRESS;
}

static inline pgprot_t pgt_prot(unsigned int level, pgt_entry_t e)
{
	unsigned int index = (e & X86_PWT ? 1 : 0) | (e & X86_PCD ? 2 : 0) | (e & x86_pat_bit(level) ? 4 : 0);
	u32 bits = PGPROT_CACHE(x86_pat_mode(index));

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
	bits |= (u32)((e & X86_PKEY) >> X86_PKEY_SHIFT) << PGPROT_PKEY_SHIFT;
	return octavo_pgprot(bits);
}

/* ---- Make ---- */

static inline pgt_entry_t pgt_make_leaf(unsigned int level, phys_addr_t phys, pgprot_t prot)
{
	u32 bits = prot.bits;
	pgt_entry_t e = x86_cache_bits(level, pgprot_cache_mode(prot));

	if (bits & PGPROT_READ)
		e |= X86_P | (bits & PGPROT_USER ? X86_US : 0) | (bits & PGPROT_GLOBAL ? X86_G : 0);
	else
		e |= X86_INVALID;
	e |= level ? X86_PS : 0;
	e |= bits & PGPROT_WRITE ? X86_RW : 0;
	e |= bits & PGPROT_EXEC ? 0 : X86_NX;
	e |= bits & PGPROT_ACCESSED ? X86_A : 0;
	e |= bits & PGPROT_DIRTY ? X86_D : 0;
	e |= bits & PGPROT_SPECIAL ? X86_SPECIAL : 0;
	e |= bits & PGPROT_SOFT_DIRTY ? X86_SOFT_DIRTY : 0;
	e |= bits & PGPROT_DEVMAP ? X86_DEVMAP : 0;
	e |= (pgt_entry_t)((bits & PGPROT_PKEY_MASK) >> PGPROT_PKEY_SHIFT) << X86_PKEY_SHIFT & X86_PKEY;
	return e | (((pgt_entry_t)phys ^ x86_inverted(level, e)) & x86_leaf_mask(level));
}

/*
 * Rights are decided in the leaf, so a table permits all that its half may have. A and D are set so that the processor
 * need not write them. A PDPT entry of PAE has none of these bits.
 */
static inline pgt_entry_t x86_table_bits(unsigned int level, bool user)
{
	if (level == X86_BARE_LEVEL)
		return X86_P;
	return X86_P | X86_RW | X86_A | X86_D | (user ? X86_US : 0);
}

static inline pgt_entry_t pgt_make_table(unsigned int level, phys_addr_t phys, bool user)
{
	return ((pgt_entry_t)phys & X86_ADDRESS) | x86_table_bits(level, user);
}

/* What a table entry takes away no leaf below it has. The root entries of PAE cannot. */
static inline bool pgt_table_write(unsigned int level, pgt_entry_t e)
{
	return level == X86_BARE_LEVEL || e & X86_RW;
}

static inline pgt_entry_t pgt_table_wrprotect(unsigned int level, pgt_entry_t e)
{
	return level == X86_BARE_LEVEL ? e : e & ~X86_RW;
}

static inline pgt_entry_t pgt_table_mkwrite(unsigned int level, pgt_entry_t e)
{
	return level == X86_BARE_LEVEL ? e : e | X86_RW;
}

static inline bool pgt_bad(unsigned int level, pgt_entry_t e)
{
	/* PAE's root entries have no accessed bit, but emulated processors have been seen to set it (QEMU 7.2). */
	pgt_entry_t may = level == X86_BARE_LEVEL ? X86_PWT | X86_PCD | X86_A : X86_US | X86_A | X86_D;

	/* Last-level tables of users may be read only. */
	if (level == 1 && e & X86_US)
		may |= X86_RW;
	return level && !pgt_none(e) && ((e ^ x86_table_bits(level, false)) & ~(may | X86_ADDRESS));
}

static inline pgt_entry_t pgt_modify(unsigned int level, pgt_entry_t e, pgprot_t prot)
{
	pgt_entry_t keep = X86_A | X86_D | X86_SPECIAL | X86_SOFT_DIRTY | X86_UFFD_WP | X86_DEVMAP;
	pgt_entry_t fresh = pgt_make_leaf(level, pgt_leaf_phys(level, e), prot) & ~keep;

	if (e & X86_UFFD_WP)
		fresh &= ~X86_RW;
	return fresh | (e & keep);
}

/* The machine sees no leaf any more, the core does. Rights and bits stay, but for G, which it cannot say then. */
static inline pgt_entry_t pgt_mkinvalid(unsigned int level, pgt_entry_t e)
{
	return e & X86_P ? (e & ~X86_P) ^ x86_inverted(level, 0) ^ (e & X86_G ? 0 : X86_INVALID) : e;
}

static inline pgt_entry_t pgt_mkvalid(unsigned int level, pgt_entry_t e)
{
	return e & X86_P ? e : ((e ^ x86_inverted(level, e)) | X86_P) & ~X86_G;
}

/* ---- Swap ---- */

static inline bool pgt_is_swap(pgt_entry_t e)
{
	return !pgt_none(e) && !pgt_present(e);
}

static inline pgt_entry_t pgt_make_swap(unsigned int type, u64 offset)
{
	pgt_entry_t at = (pgt_entry_t)offset << X86_SWAP_OFFSET_SHIFT;

	return ((X86_INVERTS ? ~at : at) & X86_SWAP_OFFSET) | (pgt_entry_t)type << X86_SWAP_TYPE_SHIFT;
}

static inline unsigned int pgt_swap_type(pgt_entry_t e)
{
	return (unsigned int)(e >> X86_SWAP_TYPE_SHIFT) & ((1u << PGT_SWAP_TYPE_BITS) - 1);
}

static inline u64 pgt_swap_offset(pgt_entry_t e)
{
	return ((X86_INVERTS ? ~e : e) & X86_SWAP_OFFSET) >> X86_SWAP_OFFSET_SHIFT;
}

static inline bool pgt_swap_soft_dirty(pgt_entry_t e)
{
	return e & X86_SWAP_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_swap_mksoft_dirty(pgt_entry_t e)
{
	return e | X86_SWAP_SOFT_DIRTY;
}

static inline pgt_entry_t pgt_swap_clear_soft_dirty(pgt_entry_t e)
{
	return e & ~X86_SWAP_SOFT_DIRTY;
}

static inline bool pgt_swap_uffd_wp(pgt_entry_t e)
{
	return e & X86_SWAP_UFFD_WP;
}

static inline pgt_entry_t pgt_swap_mkuffd_wp(pgt_entry_t e)
{
	return e | X86_SWAP_UFFD_WP;
}

static inline pgt_entry_t pgt_swap_clear_uffd_wp(pgt_entry_t e)
{
	return e & ~X86_SWAP_UFFD_WP;
}

static inline bool pgt_swap_exclusive(pgt_entry_t e)
{
	return e & X86_SWAP_EXCLUSIVE;
}

static inline pgt_entry_t pgt_swap_mkexclusive(pgt_entry_t e)
{
	return e | X86_SWAP_EXCLUSIVE;
}

static inline pgt_entry_t pgt_swap_clear_exclusive(pgt_entry_t e)
{
	return e & ~X86_SWAP_EXCLUSIVE;
}

#define X86_SWAP_TYPE (((pgt_entry_t)((1u << PGT_SWAP_TYPE_BITS) - 1)) << X86_SWAP_TYPE_SHIFT)
#define X86_SWAP_BITS (X86_SWAP_SOFT_DIRTY | X86_SWAP_UFFD_WP | X86_SWAP_EXCLUSIVE)

octavo_static_assert(!((X86_SWAP_OFFSET | X86_SWAP_TYPE | X86_SWAP_BITS) & (X86_P | X86_INVALID)),
		     "a swap entry is not present");
octavo_static_assert(!(X86_SWAP_OFFSET & X86_SWAP_TYPE) && !((X86_SWAP_OFFSET | X86_SWAP_TYPE) & X86_SWAP_BITS),
		     "the fields of a swap entry are apart");
octavo_static_assert((X86_SWAP_SOFT_DIRTY ^ X86_SWAP_UFFD_WP ^ X86_SWAP_EXCLUSIVE) == X86_SWAP_BITS,
		     "and so are its bits");
octavo_static_assert(!((X86_SWAP_OFFSET | X86_SWAP_TYPE) & X86_SAYS_NOTHING), "a swap entry can be told from none");
octavo_static_assert(!(X86_ADDRESS & (X86_NX | X86_PKEY | X86_DEVMAP | X86_SOFT_DIRTY | X86_UFFD_WP | 0xfff)),
		     "no attribute is part of the address");
octavo_static_assert(!((X86_SPECIAL | X86_SOFT_DIRTY | X86_UFFD_WP) & 0x1ff) && !(X86_PKEY & X86_NX) &&
			     !(X86_DEVMAP & (X86_PKEY | X86_NX)),
		     "software has only the bits that processors leave alone");

#endif
