// SPDX-License-Identifier: MIT
/*
 * What every page-table format must do: the table of docs/page-tables.md, a ROW() here for each row there (tools/tidy
 * compares them). Compiled once for each format; entries live in tables of this file's own, so that a format can be
 * checked in a build for another.
 */
#include "harness.h"

#include "mm/pgtable/entry.h"

/* What the processor does to a leaf that is written through, if it manages these bits. */
static pgt_entry_t machine_writes(pgt_entry_t e)
{
#ifdef OCTAVO_ARCH_ARM64
	return e & ARM64_DBM ? (e | ARM64_AF) & ~ARM64_READ_ONLY : e;
#else
	return e & X86_RW ? e | X86_A | X86_D : e;
#endif
}

/* It does so between the core's read of an entry and its exchange, once. */
static bool meanwhile;

static inline bool meddled_cmpxchg(pgt_entry_t *entry, pgt_entry_t *old, pgt_entry_t value)
{
	if (meanwhile)
		*entry = machine_writes(*entry);
	meanwhile = false;
	return pgt_cmpxchg(entry, old, value);
}
#define pgt_cmpxchg meddled_cmpxchg

/* The walker's functions on tables, as this object's own. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define pgt_table_of PASTE(PGFMT_SUITE, _table_of)
#define pgt_table_phys_of PASTE(PGFMT_SUITE, _table_phys_of)
#define pgt_entry_alloc PASTE(PGFMT_SUITE, _entry_alloc)
#define pgt_lock_ptr PASTE(PGFMT_SUITE, _lock_ptr)
#include "mm/pgtable/swapops.h"

#define ROW_(suite, name) TEST(suite, name)
#define ROW(name) ROW_(PGFMT_SUITE, name)

/* ---- Memory ---- */

#define TABLES_PHYS 0x100000ull
static pgt_entry_t tables[PGT_LEVELS][1024] __aligned(8192);

pgt_entry_t *pgt_table_of(unsigned int level, pgt_entry_t entry)
{
	return tables[(pgt_table_phys(level, entry) - TABLES_PHYS) >> PAGE_SHIFT];
}

phys_addr_t pgt_table_phys_of(const pgt_entry_t *table)
{
	return TABLES_PHYS + PFN_PHYS((table - tables[0]) / 1024);
}

/* Unused here, but the typed helpers name them. */
pgt_entry_t *pgt_entry_alloc(struct mm_struct *mm, uintptr_t virt, unsigned int level, gfp_t gfp)
{
	(void)mm;
	(void)gfp;
	return tables[level] + pgt_index(level, virt);
}

spinlock_t *pgt_lock_ptr(struct mm_struct *mm, pgt_entry_t *entry)
{
	(void)entry;
	return &mm->page_table_lock;
}

/* ---- What each format can say (second table of the documentation) ---- */

#define ALL_CACHE_MODES                                                                                        \
	{                                                                                                      \
		PAGE_CACHE_WB, PAGE_CACHE_WC, PAGE_CACHE_UC_MINUS, PAGE_CACHE_UC, PAGE_CACHE_WT, PAGE_CACHE_WP \
	}

static const struct format_can {
	const char *name;
	unsigned int levels, root_bits, leaf_levels;
	bool noexec, soft_dirty, uffd_wp, devmap, pkey, cont, inverts;
	u8 cache[6]; /* what each mode becomes */
} formats[] = {
	{ "x86_64", 4, 9, 7, true, true, true, true, true, false, true, ALL_CACHE_MODES },
	{ "x86_64_la57", 5, 9, 7, true, true, true, true, true, false, true, ALL_CACHE_MODES },
	{ "i386", 2, 10, 3, false, false, false, false, false, false, false, ALL_CACHE_MODES },
	{ "i386_pae", 3, 2, 3, true, true, true, false, false, false, true, ALL_CACHE_MODES },
	{ "arm64", 4, 9, 7, true, true, true, true, false, true, false,
	  { PAGE_CACHE_WB, PAGE_CACHE_WC, PAGE_CACHE_UC_MINUS, PAGE_CACHE_UC, PAGE_CACHE_WC, PAGE_CACHE_WC } },
};

static const struct format_can *can(void)
{
	unsigned int i = 0;

	while (i < ARRAY_SIZE(formats) - 1 && strcmp(formats[i].name, PGT_NAME))
		i++;
	return &formats[i];
}

/* ---- Entries to try: all rights, all cache modes, some addresses ---- */

#define TRY_BITS 10
static const u32 try_bit[TRY_BITS] = {
	PGPROT_READ,     PGPROT_WRITE, PGPROT_EXEC,    PGPROT_USER,       PGPROT_GLOBAL,
	PGPROT_ACCESSED, PGPROT_DIRTY, PGPROT_SPECIAL, PGPROT_SOFT_DIRTY, PGPROT_DEVMAP
};
#define TRIES ((1u << TRY_BITS) * 6)

static pgprot_t try_prot(unsigned int n)
{
	u32 bits = PGPROT_CACHE(n % 6);
	unsigned int i;

	for (i = 0; i < TRY_BITS; i++)
		bits |= (n / 6) >> i & 1 ? try_bit[i] : 0;
	bits |= n % 3 ? 0 : PGPROT_CONT;
	bits |= (n % 16) << PGPROT_PKEY_SHIFT;
	return octavo_pgprot(bits);
}

static u64 try_phys(unsigned int level, unsigned int n)
{
	u64 seed = n * 0x9e3779b97f4a7c15ull + 1;

	return test_random(&seed) & (((u64)1 << PGT_PHYS_BITS) - 1) & PGT_MASK(level);
}

#define FOR_LEAF_LEVELS(level) for (level = 0; level <= PGT_LEAF_LEVEL_MAX; level++)

/* What of @prot a leaf of this format can say. */
static u32 sayable(pgprot_t prot)
{
	u32 bits = prot.bits & ~(PGPROT_CACHE_MASK | PGPROT_PKEY_MASK);

	bits |= PGPROT_CACHE(can()->cache[pgprot_cache_mode(prot)]);
	bits |= can()->pkey ? prot.bits & PGPROT_PKEY_MASK : 0;
	bits &= ~((can()->soft_dirty ? 0 : PGPROT_SOFT_DIRTY) | (can()->devmap ? 0 : PGPROT_DEVMAP) |
	          (can()->cont ? 0 : PGPROT_CONT));
	bits |= can()->noexec ? 0 : PGPROT_EXEC;
	if (!(prot.bits & PGPROT_READ))
		bits &= ~(PGPROT_USER | PGPROT_GLOBAL);
	return bits;
}

/* All that is known of an entry, to see that a change changes nothing else. */
struct facts {
	u64 phys;
	u32 prot;
	bool uffd_wp, leaf, present, valid, protnone;
};

static struct facts facts_of(unsigned int level, pgt_entry_t e)
{
	return (struct facts){ pgt_leaf_phys(level, e), pgt_prot(level, e).bits, pgt_uffd_wp(level, e),
		               pgt_leaf(level, e),      pgt_present(e),          pgt_valid(e),
		               pgt_protnone(e) };
}

static bool same_but(struct facts a, struct facts b, u32 prot, bool uffd_wp)
{
	return a.phys == b.phys && !((a.prot ^ b.prot) & ~prot) && (uffd_wp || a.uffd_wp == b.uffd_wp) &&
	       a.leaf == b.leaf && a.present == b.present && a.valid == b.valid && a.protnone == b.protnone;
}

typedef pgt_entry_t change_fn(unsigned int level, pgt_entry_t e);

/*
 * Apply @change to every leaf: @want of @mask is what its rights must then say where the format knows them, others stay
 * as they were.
 */
static unsigned int wrong_changes(change_fn *change, u32 mask, u32 want, bool uffd_wp)
{
	unsigned int level, n, wrong = 0;
	u32 known = sayable(octavo_pgprot(mask | PGPROT_READ)) & mask;

	want = sayable(octavo_pgprot(want | PGPROT_READ)) & mask;
	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n)), after = change(level, e);
			bool right = same_but(facts_of(level, e), facts_of(level, after), known, uffd_wp) &&
			             (pgt_prot(level, after).bits & mask) == want && change(level, after) == after;

			if (!right && !wrong++)
				pr_err("%s level %u: %016llx became %016llx\n", PGT_NAME, level, (unsigned long long)e,
				       (unsigned long long)after);
		}
	}
	return wrong;
}

/* ---- Constants and addresses ---- */

ROW(geometry)
{
	EXPECT_STREQ(can()->name, PGT_NAME);
	EXPECT_EQ(PGT_LEVELS, can()->levels);
	EXPECT_EQ(PGT_ROOT_BITS, can()->root_bits);
	EXPECT_EQ(PGT_LEAF_LEVELS, can()->leaf_levels);
	EXPECT_EQ(PAGE_SHIFT + (PGT_LEVELS - 1) * PGT_TABLE_BITS + PGT_ROOT_BITS, PGT_VIRT_BITS);
	EXPECT_EQ(sizeof(pgt_entry_t) << PGT_TABLE_BITS, PAGE_SIZE);
	EXPECT(sizeof(pgt_entry_t) << PGT_ROOT_BITS <= PAGE_SIZE);
	EXPECT(PGT_PHYS_BITS <= sizeof(pgt_entry_t) * 8);
	EXPECT(PGT_LEAF_LEVELS & 1);
	EXPECT(PGT_LEAF_LEVEL_MAX < PGT_LEVELS);
	EXPECT_EQ(PGT_CONT_ENTRIES, can()->cont ? 16 : 1);
	EXPECT_EQ(PGT_TWO_ROOTS, can()->cont);
	EXPECT_EQ(PGT_BREAK_BEFORE_MAKE, can()->cont);
}

ROW(index)
{
	unsigned int level;
	u64 virt = 0, all = ~(u64)0 >> (64 - PGT_VIRT_BITS);

	for (level = 0; level < PGT_LEVELS; level++) {
		EXPECT_EQ(pgt_index(level, 0), 0);
		EXPECT_EQ(pgt_index(level, all), PGT_ENTRIES(level) - 1);
		EXPECT_EQ(pgt_index(level, PGT_SIZE(level)), 1);
		EXPECT_EQ(pgt_index(level, PGT_SIZE(level) - 1), 0);
		virt |= PGT_SIZE(level) * (level + 1);
	}
	for (level = 0; level < PGT_LEVELS; level++)
		EXPECT_EQ(pgt_index(level, virt | 0xfff), level + 1);
}

ROW(canonical)
{
	u64 top = (u64)1 << (PGT_VIRT_BITS - 1);

	EXPECT(pgt_canonical(0));
	EXPECT(pgt_canonical(top - 1));
	if (PGT_VIRT_BITS == 32) {
		EXPECT(pgt_canonical(0xffffffffull));
		EXPECT(!pgt_canonical(1ull << 32));
		EXPECT(!pgt_canonical(~0ull));
		return;
	}
	EXPECT(pgt_canonical(~0ull));
	EXPECT(pgt_canonical(PGT_TWO_ROOTS ? -(top * 2) : -top));
	EXPECT(!pgt_canonical(PGT_TWO_ROOTS ? -(top * 2) - 1 : -top - 1));
	EXPECT(!pgt_canonical(PGT_TWO_ROOTS ? top * 2 : top));
	EXPECT(!pgt_canonical(1ull << 62));
	EXPECT(!pgt_canonical(1ull << 63));
}

ROW(kernel_half)
{
	u32 split = pgt_kernel_split;

	EXPECT(!pgt_kernel_half(0));
	EXPECT(!pgt_kernel_half(((u64)1 << (PGT_VIRT_BITS - 1)) - 1));
	if (PGT_VIRT_BITS == 32) {
		pgt_kernel_split = 0xc0000000u;
		EXPECT(!pgt_kernel_half(0xbfffffffu) && pgt_kernel_half(0xc0000000u) && pgt_kernel_half(0xffffffffu));
		pgt_kernel_split = 0x80000000u;
		EXPECT(!pgt_kernel_half(0x7fffffffu) && pgt_kernel_half(0x80000000u));
		pgt_kernel_split = split;
		return;
	}
	EXPECT(pgt_kernel_half(~0ull));
	EXPECT(pgt_kernel_half(-((u64)1 << (PGT_VIRT_BITS - 1))));
}

/* ---- What an entry is ---- */

ROW(none)
{
	unsigned int level;

	EXPECT(pgt_none(0) && !pgt_present(0) && !pgt_valid(0) && !pgt_is_swap(0) && !pgt_protnone(0));
	for (level = 0; level < PGT_LEVELS; level++)
		EXPECT(!pgt_leaf(level, 0) && !pgt_table(level, 0) && !pgt_bad(level, 0));
	EXPECT(pte_none(__pte(0)));
}

ROW(leaf)
{
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgprot_t prot = try_prot(n);
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), prot);

			wrong += !pgt_present(e) || !pgt_leaf(level, e) || pgt_table(level, e) || pgt_none(e) ||
			         pgt_is_swap(e) || pgt_valid(e) != !!(prot.bits & PGPROT_READ) ||
			         pgt_bad(level, e) != (level > 0);
		}
	}
	EXPECT_EQ(wrong, 0);
}

ROW(leaf_phys)
{
	unsigned int level, bit, n;

	FOR_LEAF_LEVELS (level) {
		for (bit = PGT_SHIFT(level); bit < PGT_PHYS_BITS; bit++) {
			for (n = 0; n < 2; n++) {
				pgprot_t prot = n ? PAGE_NONE : PAGE_KERNEL;

				EXPECT_EQ(pgt_leaf_phys(level, pgt_make_leaf(level, (u64)1 << bit, prot)),
				          (u64)1 << bit);
				EXPECT_EQ(pgt_prot(level, pgt_make_leaf(level, (u64)1 << bit, prot)).bits,
				          sayable(prot));
			}
		}
		/* What is below the size of the leaf is no part of the address. */
		EXPECT_EQ(pgt_make_leaf(level, PGT_SIZE(level) * 3 - 1, PAGE_SHARED),
		          pgt_make_leaf(level, PGT_SIZE(level) * 2, PAGE_SHARED));
	}
}

ROW(table)
{
	unsigned int level, bit, user;

	for (level = 1; level < PGT_LEVELS; level++) {
		for (user = 0; user < 2; user++) {
			for (bit = PAGE_SHIFT; bit < PGT_PHYS_BITS; bit++) {
				pgt_entry_t e = pgt_make_table(level, (u64)1 << bit, user);

				EXPECT(pgt_present(e) && pgt_valid(e) && pgt_table(level, e) && !pgt_leaf(level, e));
				EXPECT(!pgt_bad(level, e) && !pgt_none(e) && !pgt_is_swap(e) && !pgt_protnone(e));
				EXPECT_EQ(pgt_table_phys(level, e), (u64)1 << bit);
			}
		}
	}
}

ROW(table_rights)
{
	u64 at = (u64)5 << PAGE_SHIFT;
	pgt_entry_t e = pgt_make_table(1, at, true), read_only = pgt_table_wrprotect(1, e);

	EXPECT(pgt_table_write(1, e) && !pgt_table_write(1, read_only));
	EXPECT(pgt_table(1, read_only) && !pgt_bad(1, read_only) && !pgt_none(read_only));
	EXPECT_EQ(pgt_table_phys(1, read_only), at);
	EXPECT(pgt_table_mkwrite(1, read_only) == e && pgt_table_wrprotect(1, read_only) == read_only);
	/* The kernel's are not, and what is further up is not either. */
	EXPECT(pgt_bad(1, pgt_table_wrprotect(1, pgt_make_table(1, at, false))));
	for (unsigned int level = 2; level < PGT_LEVELS; level++)
		EXPECT(pgt_table_wrprotect(level, e) == e || pgt_bad(level, pgt_table_wrprotect(level, e)));
}

ROW(bad)
{
	unsigned int level;

	for (level = 1; level < PGT_LEVELS; level++) {
		EXPECT(pgt_bad(level, pgt_make_swap(1, 5)));
		EXPECT(pgt_bad(level, ~(pgt_entry_t)0));
		EXPECT(pgt_bad(level, pgt_make_leaf(level, 0, PAGE_KERNEL)));
		EXPECT(pgt_bad(level, pgt_make_leaf(level, 0, PAGE_NONE)));
		EXPECT(pgt_bad(level, pgt_make_table(level, 0x1000, true) & ~(pgt_entry_t)1));
	}
	EXPECT(!pgt_bad(0, ~(pgt_entry_t)0) && !pgt_bad(0, pgt_make_swap(1, 5)));
}

/* ---- Rights ---- */

ROW(prot)
{
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n));

			if (pgt_prot(level, e).bits != sayable(try_prot(n)) && !wrong++)
				pr_err("%s level %u: %08x became %08x\n", PGT_NAME, level, sayable(try_prot(n)),
				       pgt_prot(level, e).bits);
			wrong += pgt_leaf_phys(level, e) != try_phys(level, n);
		}
	}
	EXPECT_EQ(wrong, 0);
}

ROW(predicates)
{
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n));
			u32 bits = sayable(try_prot(n));

			wrong += pgt_write(level, e) != !!(bits & PGPROT_WRITE);
			wrong += pgt_exec(level, e) != !!(bits & PGPROT_EXEC);
			wrong += pgt_user(level, e) != !!(bits & PGPROT_USER);
			wrong += pgt_global(level, e) != !!(bits & PGPROT_GLOBAL);
			wrong += pgt_young(level, e) != !!(bits & PGPROT_ACCESSED);
			wrong += pgt_dirty(level, e) != !!(bits & PGPROT_DIRTY);
			wrong += pgt_special(level, e) != !!(bits & PGPROT_SPECIAL);
			wrong += pgt_soft_dirty(level, e) != !!(bits & PGPROT_SOFT_DIRTY);
			wrong += pgt_devmap(level, e) != !!(bits & PGPROT_DEVMAP);
			wrong += pgt_cont(level, e) != !!(bits & PGPROT_CONT);
			wrong += pgt_uffd_wp(level, e);
		}
	}
	EXPECT_EQ(wrong, 0);
}

ROW(write)
{
	EXPECT_EQ(wrong_changes(pgt_mkwrite, PGPROT_WRITE, PGPROT_WRITE, false), 0);
	EXPECT_EQ(wrong_changes(pgt_wrprotect, PGPROT_WRITE, 0, false), 0);
}

ROW(dirty)
{
	EXPECT_EQ(wrong_changes(pgt_mkdirty, PGPROT_DIRTY | PGPROT_SOFT_DIRTY, PGPROT_DIRTY | PGPROT_SOFT_DIRTY, false),
	          0);
	EXPECT_EQ(wrong_changes(pgt_mkclean, PGPROT_DIRTY, 0, false), 0);
}

ROW(machine_dirty)
{
	unsigned int level;

	FOR_LEAF_LEVELS(level) {
		pgt_entry_t clean = pgt_make_leaf(level, 0, PAGE_SHARED), e = machine_writes(clean);

		EXPECT(!pgt_dirty(level, clean) && pgt_dirty(level, e) && !pgt_soft_dirty(level, e));
		EXPECT(pgt_dirty(level, pgt_wrprotect(level, e)) && !pgt_write(level, pgt_wrprotect(level, e)));
		EXPECT(pgt_dirty(level, pgt_mkwrite(level, pgt_wrprotect(level, e))));
		EXPECT(pgt_dirty(level, pgt_modify(level, e, PAGE_READONLY)));
		EXPECT(pgt_dirty(level, pgt_modify(level, pgt_modify(level, e, PAGE_NONE), PAGE_SHARED)));
		EXPECT(pgt_dirty(level, pgt_mkinvalid(level, e)) && pgt_dirty(level, pgt_mkold(level, e)));
		EXPECT(!pgt_dirty(level, pgt_mkclean(level, e)) && pgt_write(level, pgt_mkclean(level, e)));
		EXPECT(machine_writes(pgt_wrprotect(level, clean)) == pgt_wrprotect(level, clean));
		EXPECT(pgt_dirty(level, machine_writes(pgt_mkclean(level, e))));
	}
}

ROW(young)
{
	EXPECT_EQ(wrong_changes(pgt_mkyoung, PGPROT_ACCESSED, PGPROT_ACCESSED, false), 0);
	EXPECT_EQ(wrong_changes(pgt_mkold, PGPROT_ACCESSED, 0, false), 0);
}

ROW(exec)
{
	EXPECT_EQ(wrong_changes(pgt_mkexec, PGPROT_EXEC, PGPROT_EXEC, false), 0);
	EXPECT_EQ(wrong_changes(pgt_mknoexec, PGPROT_EXEC, 0, false), 0);
}

ROW(special)
{
	EXPECT_EQ(wrong_changes(pgt_mkspecial, PGPROT_SPECIAL, PGPROT_SPECIAL, false), 0);
}

ROW(devmap)
{
	EXPECT_EQ(wrong_changes(pgt_mkdevmap, PGPROT_DEVMAP, PGPROT_DEVMAP, false), 0);
}

ROW(soft_dirty)
{
	EXPECT_EQ(wrong_changes(pgt_mksoft_dirty, PGPROT_SOFT_DIRTY, PGPROT_SOFT_DIRTY, false), 0);
	EXPECT_EQ(wrong_changes(pgt_clear_soft_dirty, PGPROT_SOFT_DIRTY, 0, false), 0);
}

static pgt_entry_t uffd_wp_on_and_off(unsigned int level, pgt_entry_t e)
{
	return pgt_clear_uffd_wp(level, pgt_mkuffd_wp(level, e));
}

ROW(uffd_wp)
{
	unsigned int level;

	if (can()->uffd_wp) {
		EXPECT_EQ(wrong_changes(pgt_mkuffd_wp, PGPROT_WRITE, 0, true), 0);
		EXPECT_EQ(wrong_changes(uffd_wp_on_and_off, PGPROT_WRITE, 0, false), 0);
	}
	FOR_LEAF_LEVELS (level) {
		pgt_entry_t e = pgt_make_leaf(level, 0, PAGE_SHARED), set = pgt_mkuffd_wp(level, e);

		EXPECT_EQ(pgt_uffd_wp(level, set), can()->uffd_wp);
		EXPECT(!pgt_uffd_wp(level, pgt_clear_uffd_wp(level, set)));
		if (!can()->uffd_wp)
			EXPECT_EQ(set, e);
		/* New rights do not bring the right to write back. */
		EXPECT_EQ(pgt_write(level, pgt_modify(level, set, PAGE_SHARED)), !can()->uffd_wp);
		EXPECT_EQ(pgt_uffd_wp(level, pgt_modify(level, set, PAGE_NONE)), can()->uffd_wp);
	}
}

ROW(protnone)
{
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n));

			wrong += pgt_protnone(e) != !(try_prot(n).bits & PGPROT_READ);
			wrong += pgt_protnone(e) && pgt_valid(e);
		}
		EXPECT(pgt_protnone(pgt_modify(level, pgt_make_leaf(level, 0, PAGE_SHARED), PAGE_NONE)));
		EXPECT(!pgt_protnone(pgt_make_swap(1, 1)));
	}
	EXPECT_EQ(wrong, 0);
}

/* What the machine would take for the address of an entry it must not use, where that matters (L1 terminal fault). */
ROW(inverted)
{
	pgt_entry_t none = pgt_make_leaf(0, 0x1234000, PAGE_NONE), swap = pgt_make_swap(0, 1);
	u64 top = (u64)1 << (PGT_PHYS_BITS - 1);

	EXPECT_EQ(!!(none & top), can()->inverts);
	EXPECT_EQ(!!(swap & top), can()->inverts);
	EXPECT_EQ(pgt_leaf_phys(0, none), 0x1234000);
}

ROW(modify)
{
	const u32 keep = PGPROT_ACCESSED | PGPROT_DIRTY | PGPROT_SOFT_DIRTY | PGPROT_SPECIAL | PGPROT_DEVMAP;
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n));
			pgprot_t prot = try_prot((n * 2654435761u) % TRIES);
			pgt_entry_t after = pgt_modify(level, e, prot);
			u32 want = (prot.bits & ~keep) | (try_prot(n).bits & keep);

			if (pgt_prot(level, after).bits != sayable(octavo_pgprot(want)) && !wrong++)
				pr_err("%s level %u: %016llx with %08x became %016llx\n", PGT_NAME, level,
				       (unsigned long long)e, prot.bits, (unsigned long long)after);
			wrong += pgt_leaf_phys(level, after) != try_phys(level, n);
			wrong += pgt_modify(level, after, prot) != after;
			/* By way of nothing and back. */
			wrong += pgt_modify(level, pgt_modify(level, e, PAGE_NONE), prot) != after;
		}
	}
	EXPECT_EQ(wrong, 0);
}

ROW(invalid)
{
	unsigned int level, n, wrong = 0;

	FOR_LEAF_LEVELS (level) {
		for (n = 0; n < TRIES; n++) {
			pgt_entry_t e = pgt_make_leaf(level, try_phys(level, n), try_prot(n)),
			            off = pgt_mkinvalid(level, e);
			u32 change = PGPROT_GLOBAL | (pgt_user(level, e) ? 0 : PGPROT_READ);

			wrong += pgt_valid(off) || !pgt_present(off) || !pgt_leaf(level, off) || pgt_is_swap(off);
			wrong += pgt_leaf_phys(level, off) != try_phys(level, n);
			wrong += ((pgt_prot(level, off).bits ^ pgt_prot(level, e).bits) & ~change) != 0;
			wrong += pgt_mkinvalid(level, off) != off;
			wrong += pgt_valid(e) && !pgt_global(level, e) && pgt_mkvalid(level, off) != e;
			wrong += pgt_user(level, e) && pgt_protnone(off);
		}
	}
	EXPECT_EQ(wrong, 0);
}

/* ---- Swap ---- */

ROW(swap)
{
	const u64 last = ((u64)1 << PGT_SWAP_OFFSET_BITS) - 1;
	unsigned int type, level, bit, wrong = 0;

	for (type = 0; type < 1u << PGT_SWAP_TYPE_BITS; type++) {
		for (bit = 0; bit < PGT_SWAP_OFFSET_BITS * 2; bit++) {
			u64 offset = bit < PGT_SWAP_OFFSET_BITS ? (u64)1 << bit
			                                        : last ^ (u64)1 << (bit - PGT_SWAP_OFFSET_BITS);
			pgt_entry_t e = pgt_make_swap(type, offset);

			wrong += !pgt_is_swap(e) || pgt_none(e) || pgt_present(e) || pgt_valid(e) || pgt_protnone(e);
			wrong += pgt_swap_type(e) != type || pgt_swap_offset(e) != offset;
			wrong += pgt_swap_soft_dirty(e) || pgt_swap_uffd_wp(e) || pgt_swap_exclusive(e);
			for (level = 0; level < PGT_LEVELS; level++)
				wrong += pgt_leaf(level, e) || pgt_table(level, e);
		}
		if (type) {
			EXPECT(pgt_is_swap(pgt_make_swap(type, 0)) && !pgt_swap_offset(pgt_make_swap(type, 0)));
			EXPECT(pgt_is_swap(pgt_make_swap(type, last)));
			EXPECT_EQ(pgt_swap_offset(pgt_make_swap(type, last)), last);
		}
	}
	EXPECT_EQ(wrong, 0);
	/* The one that looks like none. */
	EXPECT(pgt_none(pgt_make_swap(0, can()->inverts ? last : 0)));
}

ROW(swap_bits)
{
	unsigned int n, type, wrong = 0;
	u64 seed = 7;

	for (n = 0; n < 800; n++) {
		u64 offset = test_random(&seed) >> (64 - PGT_SWAP_OFFSET_BITS);
		pgt_entry_t e = pgt_make_swap(type = 1 + n / 8 % 31, offset), plain = e;
		bool soft_dirty = n & 1, uffd_wp = n & 2, exclusive = n & 4;

		e = soft_dirty ? pgt_swap_mksoft_dirty(e) : e;
		e = uffd_wp ? pgt_swap_mkuffd_wp(e) : e;
		e = exclusive ? pgt_swap_mkexclusive(e) : e;
		wrong += pgt_swap_soft_dirty(e) != (soft_dirty && can()->soft_dirty);
		wrong += pgt_swap_uffd_wp(e) != (uffd_wp && can()->uffd_wp);
		wrong += pgt_swap_exclusive(e) != exclusive;
		wrong += !pgt_is_swap(e) || pgt_swap_type(e) != type || pgt_swap_offset(e) != offset;
		wrong += pgt_swap_clear_exclusive(pgt_swap_clear_uffd_wp(pgt_swap_clear_soft_dirty(e))) != plain;
		wrong += pte_val(pte_swp_clear_flags(__pte(e))) != plain;
	}
	EXPECT_EQ(wrong, 0);
}

ROW(swap_entry)
{
	swp_entry_t most = pte_to_swp_entry(swp_entry_to_pte(swp_entry(1, ~0ul))), e;
	unsigned int bits = min_t(unsigned int, SWP_TYPE_SHIFT, PGT_SWAP_OFFSET_BITS);
	unsigned int bit, type;

	EXPECT_EQ(swp_type(most), 1);
	EXPECT_EQ(swp_offset(most), ((u64)1 << bits) - 1);
	for (type = 1; type < SWP_TYPES; type++) {
		for (bit = 0; bit < bits; bit++) {
			e = swp_entry(type, 1ul << bit);
			EXPECT_EQ(pte_to_swp_entry(swp_entry_to_pte(e)).val, e.val);
			EXPECT_EQ(pmd_to_swp_entry(swp_entry_to_pmd(e)).val, e.val);
			EXPECT(is_swap_pte(swp_entry_to_pte(e)) && is_swap_pmd(swp_entry_to_pmd(e)));
			EXPECT_EQ(non_swap_entry(e), type >= 23);
		}
	}
}

ROW(migration)
{
	unsigned long pfn = (unsigned long)(SWP_PFN_MASK & 0xa5a5a5a5a5a5a5a5ull);
	swp_entry_t e;

	if (SWP_PFN_BITS + 2 > SWP_TYPE_SHIFT)
		SKIP("a frame of this format does not fit into a word of this build");
	e = make_writable_migration_entry(pfn);
	EXPECT(is_migration_entry(e) && is_writable_migration_entry(e) && is_pfn_swap_entry(e));
	EXPECT(!is_migration_entry_young(e) && !is_migration_entry_dirty(e));
	e = make_migration_entry_dirty(make_migration_entry_young(e));
	e = pte_to_swp_entry(swp_entry_to_pte(e));
	EXPECT(is_migration_entry_young(e) && is_migration_entry_dirty(e) && is_writable_migration_entry(e));
	EXPECT_EQ(swp_offset_pfn(e), pfn);
	e = pmd_to_swp_entry(swp_entry_to_pmd(make_readable_exclusive_migration_entry(pfn)));
	EXPECT(is_readable_exclusive_migration_entry(e) && is_migration_entry(e) && !is_writable_migration_entry(e));
	EXPECT_EQ(swp_offset_pfn(e), pfn);
	EXPECT(is_migration_entry(make_readable_migration_entry(pfn)));
	EXPECT(!is_migration_entry(swp_entry(SWP_HWPOISON, pfn)) && is_hwpoison_entry(swp_entry(SWP_HWPOISON, pfn)));
	EXPECT(!is_migration_entry(make_writable_device_private_entry(pfn)));
	EXPECT(is_device_private_entry(make_readable_device_private_entry(pfn)));
	EXPECT(is_writable_device_private_entry(make_writable_device_private_entry(pfn)));
	EXPECT(is_device_exclusive_entry(make_readable_device_exclusive_entry(pfn)));
	EXPECT(!is_device_private_entry(make_writable_device_exclusive_entry(pfn)));
}

ROW(marker)
{
	pte_t pte = make_pte_marker(PTE_MARKER_UFFD_WP);

	EXPECT(is_pte_marker(pte) && !pte_none(pte) && !pte_present(pte));
	EXPECT_EQ(pte_marker_get(pte_to_swp_entry(pte)), PTE_MARKER_UFFD_WP);
	EXPECT(!is_pfn_swap_entry(pte_to_swp_entry(pte)));
	EXPECT(!is_pte_marker(swp_entry_to_pte(swp_entry(2, PTE_MARKER_POISONED))));
	EXPECT(!is_pte_marker(pfn_pte(5, PAGE_SHARED)) && !is_pte_marker(__pte(0)));
}

#include "typed.h"
#include "golden.h"
