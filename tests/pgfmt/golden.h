/* SPDX-License-Identifier: MIT */
/*
 * Bit patterns as the manuals have them, worked out by hand: Intel SDM volume 3A tables 4-5, 4-6 (32-bit), 4-8 to 4-11
 * (PAE), 4-15 to 4-20 (4 and 5 levels); Arm DDI 0487 section D8.3 (stage 1 descriptors). Part of pgfmt_test.c.
 */
#ifndef TESTS_PGFMT_GOLDEN_H
#define TESTS_PGFMT_GOLDEN_H

struct golden_leaf {
	unsigned int level;
	u64 phys;
	u32 prot;
	u64 entry;
};

struct golden_table {
	unsigned int level;
	bool user;
	u64 entry; /* of a table at 0x7000 */
};

#define KERNEL_CACHE(mode) ((PGPROT_KERNEL_RW & ~PGPROT_CACHE_MASK) | PGPROT_CACHE(mode))
#define USER_SHARED (PGPROT_USER_BITS | PGPROT_WRITE)

static const struct golden_leaf golden_leaves[] = {
#if defined(OCTAVO_ARCH_X86_64) || defined(OCTAVO_ARCH_X86_64_LA57)
	/* P 1, RW 2, US 4, PWT 8, PCD 10, A 20, D 40, PS or PAT 80, G 100, NX bit 63 */
	{ 0, 0x1000, PGPROT_KERNEL_RW, 0x8000000000001163 },
	{ 0, 0x1000, PGPROT_KERNEL_BITS | PGPROT_EXEC, 0x1121 },
	{ 0, 0xffffffffff000, USER_SHARED, 0x800ffffffffff027 },
	{ 0, 0x1000, PGPROT_USER_BITS | PGPROT_EXEC, 0x1025 },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_WC), 0x800000000000116b },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_UC_MINUS), 0x8000000000001173 },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_UC), 0x800000000000117b },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_WT), 0x80000000000011fb },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_WP), 0x80000000000011eb },
	{ 1, 0x200000, PGPROT_KERNEL_RW, 0x80000000002001e3 },
	{ 1, 0x200000, KERNEL_CACHE(PAGE_CACHE_WT), 0x80000000002011fb }, /* PAT is bit 12 here */
	{ 2, 0x40000000, PGPROT_KERNEL_RW, 0x80000000400001e3 },
	{ 2, 0x40000000, KERNEL_CACHE(PAGE_CACHE_WP), 0x80000000400011eb },
	{ 0, 0x1000, USER_SHARED | 5 << PGPROT_PKEY_SHIFT, 0xa800000000001027 },
	{ 0, 0x1000, PGPROT_KERNEL_RW | PGPROT_SPECIAL | PGPROT_SOFT_DIRTY, 0x8000000000001b63 },
	{ 0, 0x1000, USER_SHARED | PGPROT_DEVMAP, 0x8200000000001027 },
	{ 0, 0x5000, PGPROT_ACCESSED, 0x800fffffffffa120 }, /* PROT_NONE: the address inverted */
#elif defined(OCTAVO_ARCH_I386)
	{ 0, 0x1000, PGPROT_KERNEL_RW, 0x1163 },
	{ 0, 0xfffff000, USER_SHARED, 0xfffff027 },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_WT), 0x11fb },
	{ 0, 0x1000, PGPROT_KERNEL_RW | PGPROT_SPECIAL | PGPROT_SOFT_DIRTY, 0x1363 },
	{ 1, 0xc0000000, PGPROT_KERNEL_RW, 0xc00001e3 },
	{ 1, 0x400000, KERNEL_CACHE(PAGE_CACHE_WT), 0x4011fb },
	{ 0, 0x5000, PGPROT_ACCESSED, 0x5120 },
#elif defined(OCTAVO_ARCH_I386_PAE)
	{ 0, 0x1000, PGPROT_KERNEL_RW, 0x8000000000001163 },
	{ 0, 0xffffff000, PGPROT_USER_BITS | PGPROT_EXEC, 0xffffff025 },
	{ 0, 0x1000, KERNEL_CACHE(PAGE_CACHE_WC), 0x800000000000116b },
	{ 1, 0x200000, PGPROT_KERNEL_RW, 0x80000000002001e3 },
	{ 1, 0x200000, KERNEL_CACHE(PAGE_CACHE_WT), 0x80000000002011fb },
	{ 0, 0x5000, PGPROT_ACCESSED, 0x80000fffffffa120 },
#else
	/* page 3, block 1, Attr at 2, AP1 40, AP2 80, inner shareable 300, AF 400, nG 800, DBM 51, PXN 53, UXN 54 */
	{ 0, 0x40001000, PGPROT_KERNEL_RW, 0x00e8000040001703 },
	{ 0, 0x40001000, PGPROT_KERNEL_BITS | PGPROT_EXEC, 0x0040000040001783 },
	{ 0, 0x40001000, PGPROT_KERNEL_BITS, 0x0060000040001783 },
	{ 0, 0xfffffffff000, USER_SHARED, 0x0068ffffffffffc3 },
	{ 0, 0x40001000, USER_SHARED | PGPROT_DIRTY, 0x00e8000040001f43 },
	{ 0, 0x40001000, PGPROT_USER_BITS | PGPROT_EXEC, 0x0020000040001fc3 },
	{ 0, 0x40001000, KERNEL_CACHE(PAGE_CACHE_WC), 0x00e800004000170b },
	{ 0, 0x40001000, KERNEL_CACHE(PAGE_CACHE_UC_MINUS), 0x00e8000040001713 },
	{ 0, 0x40001000, KERNEL_CACHE(PAGE_CACHE_UC), 0x00e800004000170f },
	{ 0, 0x40001000, PGPROT_KERNEL_RW | PGPROT_CONT, 0x00f8000040001703 },
	{ 0, 0x40001000, USER_SHARED | PGPROT_SPECIAL, 0x0168000040001fc3 },
	{ 1, 0x40200000, PGPROT_KERNEL_RW, 0x00e8000040200701 },
	{ 2, 0x40000000, PGPROT_KERNEL_RW, 0x00e8000040000701 },
	{ 0, 0x5000, PGPROT_ACCESSED, 0x0060000000005f80 },
#endif
};

static const struct golden_table golden_tables[] = {
#if defined(OCTAVO_ARCH_ARM64)
	{ 1, true, 0x0800000000007003 },  /* PXNTable */
	{ 3, false, 0x1000000000007003 }, /* UXNTable */
#else
	{ 1, true, 0x7067 },
	{ 1, false, 0x7063 },
	{ 2, true, PGT_LEVELS == 3 ? 0x7001 : 0x7067 },
	{ 2, false, PGT_LEVELS == 3 ? 0x7001 : 0x7063 },
#endif
};

/* Swap: type 3, offset 0x1234. */
#if defined(OCTAVO_ARCH_I386)
#define GOLDEN_SWAP 0x246806ull
#elif defined(OCTAVO_ARCH_ARM64)
#define GOLDEN_SWAP 0x12340c0ull
#else
#define GOLDEN_SWAP 0x1fffffffffdb9600ull
#endif

ROW(golden)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(golden_leaves); i++) {
		const struct golden_leaf *g = &golden_leaves[i];

		EXPECT_EQ(pgt_make_leaf(g->level, g->phys, octavo_pgprot(g->prot)), g->entry);
		EXPECT_EQ(pgt_leaf_phys(g->level, (pgt_entry_t)g->entry), g->phys);
	}
	for (i = 0; i < ARRAY_SIZE(golden_tables); i++) {
		const struct golden_table *g = &golden_tables[i];

		if (g->level < PGT_LEVELS)
			EXPECT_EQ(pgt_make_table(g->level, 0x7000, g->user), g->entry);
	}
	EXPECT_EQ(pgt_make_swap(3, 0x1234), GOLDEN_SWAP);
}

#endif
