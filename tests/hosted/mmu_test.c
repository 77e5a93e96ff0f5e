// SPDX-License-Identifier: MIT
/*
 * The software MMU against tables written by hand, bit by bit from the manuals, in every format: what is translated,
 * what is refused and how, what is marked. mmu_tlb_test.c has what it keeps.
 */
#include "mmu_hand.h"

#if UINTPTR_MAX > 0xffffffffu

/* ---- x86-64 ---- */

#define HIGH 0xffff888000000000ull /* root 273; then 0 */

/* P=1 RW=2 US=4 A=0x20 D=0x40 PS=0x80 G=0x100 XD=1<<63 */
static u64 x86_64_tables(u64 *pud, u64 *pmd, u64 *pte)
{
	u64 root = hand_table();

	*pud = hand_table();
	*pmd = hand_table();
	*pte = hand_table();
	hand_put(root, 273, *pud | 3);
	hand_put(*pud, 0, *pmd | 3);
	hand_put(*pmd, 0, *pte | 3);
	return root;
}

TEST(mmu, x86_64_translates_pages_of_all_sizes)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(pte, 5, 0x1234000 | 3);
	hand_put(pmd, 3, 0x40000000 | 0x83);
	hand_put(pud, 2, 0xc0000000 | 0x83);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(HIGH + 0x5678, MMU_READ, 0x1234678);
	EXPECT_LEADS(HIGH + 0x600000 + 0x12345, MMU_READ, 0x40012345);
	EXPECT_LEADS(HIGH + 0x80000000 + 0x12345678, MMU_WRITE, 0xd2345678);
	/* Bit 12 of a large leaf is PAT, no address. */
	hand_put(pmd, 4, 0x40200000 | 0x1083);
	EXPECT_LEADS(HIGH + 0x800000 + 0x1fffff, MMU_READ, 0x403fffff);
	EXPECT_FAULT(HIGH + 0x6000, MMU_READ, false, 0, 0);
	EXPECT_FAULT(HIGH + 0x6000, MMU_WRITE, true, 6, 6);
	EXPECT_FAULT(HIGH + 0x40000000, MMU_EXEC, false, 0x10, 0x10);
}

TEST(mmu, x86_64_marks_accessed_and_dirty)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(pte, 5, 0x1234000 | 3 | 0x0e00000000000200ull); /* and software's bits, which stay */
	hand_put(pud, 2, 0xc0000000 | 0x83);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(HIGH + 0x5000, MMU_READ, 0x1234000);
	EXPECT_EQ(hand_get(root, 273), pud | 0x23);
	EXPECT_EQ(hand_get(pud, 0), pmd | 0x23);
	EXPECT_EQ(hand_get(pmd, 0), pte | 0x23);
	EXPECT_EQ(hand_get(pte, 5), 0x1234000 | 0x23 | 0x0e00000000000200ull);
	EXPECT_LEADS(HIGH + 0x5000, MMU_WRITE, 0x1234000);
	EXPECT_EQ(hand_get(pte, 5), 0x1234000 | 0x63 | 0x0e00000000000200ull);
	EXPECT_LEADS(HIGH + 0x80000000, MMU_WRITE, 0xc0000000);
	EXPECT_EQ(hand_get(pud, 2), 0xc0000000 | 0xe3);
	EXPECT_EQ(hand_get(pmd, 0), pte | 0x23); /* tables are never dirty */
	/* Refused accesses mark no leaf. */
	hand_put(pte, 6, 0x1235000 | 1);
	EXPECT_FAULT(HIGH + 0x6000, MMU_WRITE, false, 3, 3);
	EXPECT_EQ(hand_get(pte, 6), 0x1235000 | 1);
}

/* Rights of all levels together; supervisor and user; each bit that the control registers add. */
TEST(mmu, x86_64_rights_and_error_codes)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(root, 0, pud | 7);
	hand_put(pud, 0, pmd | 7);
	hand_put(pmd, 0, pte | 7);
	hand_put(pte, 0, 0x100000 | 7);			 /* user, writable */
	hand_put(pte, 1, 0x101000 | 5);			 /* user, read only */
	hand_put(pte, 2, 0x102000 | 3);			 /* supervisor, writable */
	hand_put(pte, 3, 0x103000 | 1 | (u64)1 << 63);	 /* supervisor, read only, no execution */
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS_USER(0, MMU_WRITE, 0x100000);
	EXPECT_LEADS_USER(0, MMU_EXEC, 0x100000);
	EXPECT_FAULT(0x1000, MMU_WRITE, true, 7, 7);
	EXPECT_FAULT(0x2000, MMU_READ, true, 5, 5);
	EXPECT_FAULT(0x2000, MMU_EXEC, true, 0x15, 0x15);
	EXPECT_LEADS(0x2000, MMU_EXEC, 0x102000);
	EXPECT_FAULT(0x3000, MMU_EXEC, false, 0x11, 0x11);
	EXPECT_FAULT(0x3000, MMU_WRITE, false, 3, 3);
	/* SMAP, but for AC; SMEP */
	EXPECT_FAULT(0, MMU_READ, false, 1, 1);
	EXPECT_FAULT(0, MMU_WRITE, false, 3, 3);
	EXPECT_FAULT(0, MMU_EXEC, false, 0x11, 0x11);
	mmu_control(hand)->ac = true;
	EXPECT_LEADS(0, MMU_WRITE, 0x100000);
	EXPECT_FAULT(0x1000, MMU_WRITE, false, 3, 3);
	EXPECT_FAULT(0, MMU_EXEC, false, 0x11, 0x11);
	mmu_control(hand)->ac = mmu_control(hand)->smap = false;
	EXPECT_LEADS(0, MMU_READ, 0x100000);
	mmu_control(hand)->smep = false;
	EXPECT_LEADS(0, MMU_EXEC, 0x100000);
	/* CR0.WP off: the supervisor writes anywhere, and marks it dirty. */
	mmu_control(hand)->wp = false;
	EXPECT_LEADS(0x3000, MMU_WRITE, 0x103000);
	EXPECT_EQ(hand_get(pte, 3), 0x103061 | (u64)1 << 63);
	EXPECT_FAULT(0x1000, MMU_WRITE, true, 7, 7);
	mmu_control(hand)->wp = true;
	/* An upper entry takes away what the leaf gives. */
	hand_put(pmd, 0, pte | 1 | (u64)1 << 63);
	mmu_flush_all(hand);
	EXPECT_FAULT(0, MMU_READ, true, 5, 5);
	EXPECT_FAULT(0x2000, MMU_WRITE, false, 3, 3);
	EXPECT_FAULT(0x2000, MMU_EXEC, false, 0x11, 0x11);
}

TEST(mmu, x86_64_no_execute_off_is_a_reserved_bit)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL & ~BOOT_MMU_NX);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(pte, 0, 0x100003 | (u64)1 << 63);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(HIGH, MMU_READ, false, 9, 9);
	mmu_control(hand)->smep = false;
	EXPECT_FAULT(HIGH + 0x1000, MMU_EXEC, false, 0, 0); /* the error code does not tell fetches */
	mmu_control(hand)->nxe = true;
	EXPECT_LEADS(HIGH, MMU_READ, 0x100000);
	EXPECT_FAULT(HIGH, MMU_EXEC, false, 0x11, 0x11);
}

TEST(mmu, x86_64_reserved_bits)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(pte, 1, 0x100003 | (u64)1 << 46); /* 46 bits of address */
	hand_put(pte, 2, 0x100003 | (u64)1 << 45);
	hand_put(pte, 3, 0x100003 | (u64)1 << 51);
	hand_put(pte, 4, 0x100003 | (u64)1 << 52); /* software's */
	hand_put(pmd, 1, 0x40000083 | 1u << 13);
	hand_put(pmd, 2, 0x40000083 | 1u << 20);
	hand_put(pud, 1, 0xc0000083 | 1u << 29);
	hand_put(pud, 2, 0xc0000083 | 1u << 13);
	hand_put(root, 274, pud | 0x83); /* no leaves of 512 GiB */
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(HIGH + 0x1000, MMU_READ, false, 9, 9);
	EXPECT_LEADS(HIGH + 0x2000, MMU_READ, 0x100000 | (u64)1 << 45);
	EXPECT_FAULT(HIGH + 0x3000, MMU_WRITE, false, 0xb, 0xb);
	EXPECT_LEADS(HIGH + 0x4000, MMU_READ, 0x100000);
	EXPECT_FAULT(HIGH + 0x200000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(HIGH + 0x400000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(HIGH + 0x40000000, MMU_READ, true, 0xd, 0xd);
	EXPECT_FAULT(HIGH + 0x80000000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(HIGH + ((u64)1 << 39), MMU_READ, false, 9, 9);
	/* Not present: nothing else is looked at. */
	hand_put(pte, 5, ~(u64)0 - 1);
	EXPECT_FAULT(HIGH + 0x5000, MMU_READ, false, 0, 0);
	/* A processor without leaves of 1 GiB takes their bit for reserved. */
	hand_mmu(MMU_X86_64, HAND_ALL & ~BOOT_MMU_GIGANTIC);
	hand_put(pud, 3, 0xc0000083);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(HIGH + 0xc0000000, MMU_READ, false, 9, 9);
}

TEST(mmu, x86_64_protection_keys)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_X86_64, HAND_ALL & ~BOOT_MMU_SMAP);
	root = x86_64_tables(&pud, &pmd, &pte);
	hand_put(root, 0, pud | 7);
	hand_put(pud, 0, pmd | 7);
	hand_put(pmd, 0, pte | 7);
	hand_put(pte, 0, 0x100007 | (u64)3 << 59);
	hand_put(pte, 1, 0x101003 | (u64)3 << 59); /* the supervisor's: no key applies */
	ASSERT(mmu_load(hand, root, 0));
	mmu_control(hand)->pkru = 2u << 6; /* key 3: no writes */
	EXPECT_LEADS_USER(0, MMU_READ, 0x100000);
	EXPECT_FAULT(0, MMU_WRITE, true, 0x27, 0x27);
	EXPECT_FAULT(0, MMU_WRITE, false, 0x23, 0x23);
	EXPECT_LEADS(0x1000, MMU_WRITE, 0x101000);
	mmu_control(hand)->wp = false;
	EXPECT_LEADS(0, MMU_WRITE, 0x100000);
	mmu_control(hand)->pkru = 1u << 6; /* key 3: nothing */
	EXPECT_FAULT(0, MMU_READ, true, 0x25, 0x25);
	EXPECT_FAULT(0, MMU_READ, false, 0x21, 0x21);
	EXPECT_LEADS_USER(0, MMU_EXEC, 0x100000);
	hand_mmu(MMU_X86_64, HAND_ALL & ~(BOOT_MMU_SMAP | BOOT_MMU_PKEYS));
	ASSERT(mmu_load(hand, root, 0));
	mmu_control(hand)->pkru = ~0u;
	EXPECT_LEADS_USER(0, MMU_WRITE, 0x100000);
}

TEST(mmu, x86_64_addresses_that_are_none)
{
	struct mmu_fault fault;
	u64 phys;

	hand_mmu(MMU_X86_64, HAND_ALL);
	ASSERT(mmu_load(hand, hand_table(), 0));
	EXPECT(!mmu_translate(hand, 0x800000000000, MMU_WRITE, false, &phys, &fault));
	EXPECT(!fault.canonical);
	EXPECT_EQ(fault.fault.flags, PAGE_FAULT_NONCANONICAL | PAGE_FAULT_WRITE);
	EXPECT_EQ(fault.fault.error, 0);
	EXPECT(!mmu_translate(hand, 0xffff7fffffffffff, MMU_READ, false, &phys, &fault) && !fault.canonical);
	EXPECT(!mmu_translate(hand, 0x7fffffffffff, MMU_READ, false, &phys, &fault) && fault.canonical);
	EXPECT(!mmu_translate(hand, 0xffff800000000000, MMU_READ, false, &phys, &fault) && fault.canonical);
}

TEST(mmu, la57_has_a_fifth_level)
{
	u64 pud, pmd, pte, p4d, root = 0;
	struct mmu_fault fault;
	u64 phys;

	hand_mmu(MMU_X86_64_LA57, HAND_ALL);
	p4d = x86_64_tables(&pud, &pmd, &pte); /* its entry 273 leads on */
	root = hand_table();
	hand_put(root, 300, p4d | 3);
	hand_put(pte, 5, 0x1234003);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0xff00000000000000ull | (u64)300 << 48 | (u64)273 << 39 | 0x5008, MMU_READ, 0x1234008);
	EXPECT_EQ(hand_get(root, 300), p4d | 0x23);
	EXPECT_FAULT(0xff00000000000000ull | (u64)301 << 48, MMU_READ, false, 0, 0);
	EXPECT(!mmu_translate(hand, (u64)1 << 56, MMU_READ, false, &phys, &fault) && !fault.canonical);
	EXPECT(!mmu_translate(hand, (u64)1 << 55, MMU_READ, false, &phys, &fault) && fault.canonical);
	hand_put(root, 302, p4d | 0x83);
	EXPECT_FAULT(0xff00000000000000ull | (u64)302 << 48, MMU_READ, false, 9, 9);
}

/* ---- arm64 ---- */

/* Valid=1 table/page=2 AP[1]=0x40 AP[2]=0x80 AF=0x400 nG=0x800 DBM=1<<51 cont=1<<52 PXN=1<<53 UXN=1<<54 */
#define KERNEL 0xffff000000000000ull
#define ESR(class, write, code) ((u64)(class) << 26 | 1u << 25 | (write) << 6 | (code))

static u64 arm64_tables(u64 *pud, u64 *pmd, u64 *pte)
{
	u64 root = hand_table();

	*pud = hand_table();
	*pmd = hand_table();
	*pte = hand_table();
	hand_put(root, 0, *pud | 3);
	hand_put(*pud, 0, *pmd | 3);
	hand_put(*pmd, 0, *pte | 3);
	return root;
}

TEST(mmu, arm64_translates_with_two_roots)
{
	u64 pud, pmd, pte, root, upud, upmd, upte, user;

	hand_mmu(MMU_ARM64, HAND_ALL);
	root = arm64_tables(&pud, &pmd, &pte);
	user = arm64_tables(&upud, &upmd, &upte);
	hand_put(pte, 1, 0x1234703);
	hand_put(pmd, 1, 0x40000701);
	hand_put(pud, 1, 0xc0000701);
	hand_put(upte, 1, 0x5678f43);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(KERNEL + 0x1008, MMU_READ, 0x1234008);
	EXPECT_LEADS(KERNEL + 0x212345, MMU_WRITE, 0x40012345);
	EXPECT_LEADS(KERNEL + 0x40000000 + 0x1234567, MMU_READ, 0xc1234567);
	/* The kernel's root alone: the user half is empty. */
	EXPECT_FAULT(0x1000, MMU_READ, true, PAGE_FAULT_USER, ESR(0x24, 0, 4));
	ASSERT(mmu_load(hand, user, 1));
	EXPECT_LEADS_USER(0x1008, MMU_WRITE, 0x5678008);
	EXPECT_LEADS(KERNEL + 0x1008, MMU_READ, 0x1234008);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0x1000, MMU_READ, true, PAGE_FAULT_USER, ESR(0x24, 0, 4));
	/* Neither all zeroes nor all ones on top */
	EXPECT_FAULT(0x1000000000000, MMU_READ, false, 0, ESR(0x25, 0, 4));
	EXPECT_FAULT(0xfffe000000001000, MMU_WRITE, false, PAGE_FAULT_WRITE, ESR(0x25, 1, 4));
}

TEST(mmu, arm64_faults_name_the_level)
{
	u64 pud, pmd, pte, root;

	hand_mmu(MMU_ARM64, HAND_ALL);
	root = arm64_tables(&pud, &pmd, &pte);
	hand_put(root, 1, 0x40000001); /* no blocks at level 0 */
	hand_put(pte, 1, 0x1234701);   /* nor at level 3 */
	hand_put(pte, 2, 0x1234783);   /* read only */
	hand_put(pte, 3, 0x1234003);   /* not accessed */
	hand_put(pmd, 2, 0x40000781);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(KERNEL + ((u64)2 << 39), MMU_READ, false, 0, ESR(0x25, 0, 4));
	EXPECT_FAULT(KERNEL + ((u64)1 << 39), MMU_READ, false, 0, ESR(0x25, 0, 4));
	EXPECT_FAULT(KERNEL + ((u64)1 << 30), MMU_READ, false, 0, ESR(0x25, 0, 5));
	EXPECT_FAULT(KERNEL + ((u64)1 << 21), MMU_WRITE, false, 2, ESR(0x25, 1, 6));
	EXPECT_FAULT(KERNEL + 0x1000, MMU_EXEC, false, 0x10, ESR(0x21, 0, 7));
	EXPECT_FAULT(KERNEL + 0x2000, MMU_WRITE, false, 3, ESR(0x25, 1, 0xf));
	EXPECT_FAULT(KERNEL + 0x2000, MMU_READ, true, 5, ESR(0x24, 0, 0xf));
	EXPECT_FAULT(KERNEL + ((u64)2 << 21), MMU_WRITE, false, 3, ESR(0x25, 1, 0xe));
	EXPECT_LEADS(KERNEL + ((u64)2 << 21), MMU_READ, 0x40000000);
	EXPECT_FAULT(KERNEL + ((u64)2 << 21), MMU_WRITE, false, 3, ESR(0x25, 1, 0xe)); /* and from the TLB */
	/* The access flag is the processor's (TCR_EL1.HA), or software's. */
	mmu_control(hand)->ha = false;
	EXPECT_FAULT(KERNEL + 0x3000, MMU_READ, false, PAGE_FAULT_PRESENT | PAGE_FAULT_ACCESS_FLAG, ESR(0x25, 0, 0xb));
	mmu_control(hand)->ha = true;
	EXPECT_LEADS(KERNEL + 0x3000, MMU_READ, 0x1234000);
	EXPECT_EQ(hand_get(pte, 3), 0x1234403);
	/* An address wider than the processor's */
	hand_narrow(40);
	ASSERT(mmu_load(hand, root, 0));
	hand_put(pte, 4, (u64)1 << 40 | 0x403);
	EXPECT_FAULT(KERNEL + 0x4000, MMU_READ, false, 9, ESR(0x25, 0, 3));
	hand_put(pmd, 3, ((u64)1 << 39) | 3); /* a table where no memory is */
	EXPECT_FAULT(KERNEL + ((u64)3 << 21), MMU_READ, false, 9, ESR(0x25, 0, 0x17));
}

TEST(mmu, arm64_dirty_by_hardware)
{
	u64 pud, pmd, pte, root, dbm = (u64)1 << 51;

	hand_mmu(MMU_ARM64, HAND_ALL);
	root = arm64_tables(&pud, &pmd, &pte);
	hand_put(pte, 1, 0x1234783 | dbm);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(KERNEL + 0x1000, MMU_READ, 0x1234000);
	EXPECT_EQ(hand_get(pte, 1), 0x1234783 | dbm);
	EXPECT_LEADS(KERNEL + 0x1000, MMU_WRITE, 0x1234000);
	EXPECT_EQ(hand_get(pte, 1), 0x1234703 | dbm);
	mmu_control(hand)->hd = false;
	hand_put(pte, 2, 0x1234783 | dbm);
	EXPECT_FAULT(KERNEL + 0x2000, MMU_WRITE, false, 3, ESR(0x25, 1, 0xf));
}

TEST(mmu, arm64_rights)
{
	u64 pud, pmd, pte, root, pxn = (u64)1 << 53, uxn = (u64)1 << 54;

	hand_mmu(MMU_ARM64, HAND_ALL);
	root = arm64_tables(&pud, &pmd, &pte);
	hand_put(pte, 0, 0x100743);	  /* EL0 and EL1 read and write */
	hand_put(pte, 1, 0x1017c3);	  /* both read */
	hand_put(pte, 2, 0x102703 | pxn); /* EL1 */
	hand_put(pte, 3, 0x103743 | uxn);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS_USER(KERNEL, MMU_WRITE, 0x100000);
	EXPECT_LEADS_USER(KERNEL, MMU_EXEC, 0x100000);
	EXPECT_FAULT(KERNEL, MMU_EXEC, false, 0x11, ESR(0x21, 0, 0xf)); /* what EL0 may write, EL1 may not execute */
	EXPECT_LEADS(KERNEL + 0x1000, MMU_EXEC, 0x101000);
	EXPECT_FAULT(KERNEL + 0x1000, MMU_WRITE, true, 7, ESR(0x24, 1, 0xf));
	EXPECT_FAULT(KERNEL + 0x2000, MMU_EXEC, false, 0x11, ESR(0x21, 0, 0xf));
	EXPECT_FAULT(KERNEL + 0x2000, MMU_READ, true, 5, ESR(0x24, 0, 0xf));
	EXPECT_FAULT(KERNEL + 0x3000, MMU_EXEC, true, 0x15, ESR(0x20, 0, 0xf));
	/* PSTATE.PAN */
	EXPECT_FAULT(KERNEL, MMU_READ, false, 1, ESR(0x25, 0, 0xf));
	mmu_control(hand)->smap = false;
	EXPECT_LEADS(KERNEL, MMU_READ, 0x100000);
	/* Table attributes: read only (62), not for EL0 (61), UXN (60), PXN (59) */
	hand_put(pmd, 0, pte | 3 | (u64)1 << 62 | (u64)1 << 61);
	mmu_flush_all(hand);
	EXPECT_FAULT(KERNEL, MMU_READ, true, 5, ESR(0x24, 0, 0xf));
	EXPECT_FAULT(KERNEL, MMU_WRITE, false, 3, ESR(0x25, 1, 0xf));
	hand_put(pmd, 0, pte | 3 | (u64)1 << 60 | (u64)1 << 59);
	mmu_flush_all(hand);
	EXPECT_FAULT(KERNEL + 0x1000, MMU_EXEC, true, 0x15, ESR(0x20, 0, 0xf));
	EXPECT_FAULT(KERNEL + 0x1000, MMU_EXEC, false, 0x11, ESR(0x21, 0, 0xf));
}

/* Sixteen alike entries are one translation of 64 KiB. */
TEST(mmu, arm64_contiguous_entries)
{
	u64 pud, pmd, pte, root, cont = (u64)1 << 52;
	struct mmu_stats before, after;

	hand_mmu(MMU_ARM64, HAND_ALL);
	root = arm64_tables(&pud, &pmd, &pte);
	for (unsigned int i = 0; i < 16; i++)
		hand_put(pte, 16 + i, 0x1230000 | i << 12 | 0x703 | cont);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(KERNEL + 0x15000, MMU_READ, 0x1235000);
	mmu_stats(hand, &before);
	EXPECT_LEADS(KERNEL + 0x1f123, MMU_WRITE, 0x123f123);
	mmu_stats(hand, &after);
	EXPECT_EQ(after.walks, before.walks);
	EXPECT_EQ(mmu_flush_page(hand, 0, KERNEL + 0x10000), 16);
	EXPECT(!mmu_holds(hand, KERNEL + 0x15000));
}

#endif

/* ---- i386 ---- */

TEST(mmu, i386_translates_and_marks)
{
	u64 root, pte;

	hand_mmu(MMU_I386, HAND_ALL & ~BOOT_MMU_SMAP);
	root = hand_table();
	pte = hand_table();
	hand_put32(root, 768, (u32)pte | 3);
	hand_put32(root, 769, 0x40000083);
	hand_put32(root, 1, (u32)pte | 7);
	hand_put32(pte, 1023, 0x1234003);
	hand_put32(pte, 1, 0x1235005);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0xc03ff008, MMU_READ, 0x1234008);
	EXPECT_EQ(hand_get32(root, 768), (u32)pte | 0x23);
	EXPECT_EQ(hand_get32(pte, 1023), 0x1234023);
	EXPECT_LEADS(0xc0412345, MMU_WRITE, 0x40012345);
	EXPECT_EQ(hand_get32(root, 769), 0x400000e3);
	EXPECT_FAULT(0xc0000000, MMU_READ, false, 0, 0);
	EXPECT_FAULT(0xc03ff000, MMU_READ, true, 5, 5);
	EXPECT_FAULT(0x401000, MMU_WRITE, true, 7, 7);
	EXPECT_LEADS_USER(0x401000, MMU_EXEC, 0x1235000);
	/* Without large pages the bit says nothing, and the entry leads to a table. */
	hand_put32(root, 770, (u32)pte | 0x83);
	hand_mmu(MMU_I386, 0);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0xc0801000, MMU_READ, 0x1235000);
}

TEST(mmu, i386_large_leaves_above_4_gib)
{
	u64 root;

	hand_mmu(MMU_I386, HAND_ALL);
	root = hand_table();
	hand_put32(root, 768, 0x40000083 | 1u << 21);
	hand_put32(root, 769, 0x40000083 | 1u << 13);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0xc0000000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0xc0400000, MMU_READ, false, 9, 9);
	hand_narrow(36);
	hand_put32(root, 770, 0x40000083 | 1u << 17);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0xc0400000, MMU_READ, 0x140000000);
	EXPECT_FAULT(0xc0800000, MMU_READ, false, 9, 9);
}

TEST(mmu, pae_reads_its_four_registers_at_the_load)
{
	u64 root, pmd, pte, other;

	hand_mmu(MMU_I386_PAE, HAND_ALL & ~BOOT_MMU_SMAP);
	root = hand_table();
	pmd = hand_table();
	pte = hand_table();
	other = hand_table();
	hand_put(root, 3, pmd | 1);
	hand_put(pmd, 0, pte | 3);
	hand_put(pmd, 1, 0x40000083 | (u64)1 << 63);
	hand_put(pte, 511, 0x1234003 | (u64)1 << 35);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0xc01ff008, MMU_READ, 0x1234008 | (u64)1 << 35);
	EXPECT_EQ(hand_get(root, 3), pmd | 1); /* never marked */
	EXPECT_LEADS(0xc0212345, MMU_WRITE, 0x40012345);
	EXPECT_FAULT(0xc0200000, MMU_EXEC, false, 0x11, 0x11);
	EXPECT_FAULT(0x80000000, MMU_READ, false, 0, 0);
	/* What is written there later is seen at the next load. */
	hand_put(root, 2, pmd | 1);
	mmu_flush_all(hand);
	EXPECT_FAULT(0x801ff000, MMU_READ, false, 0, 0);
	hand_put(root, 3, other | 1);
	EXPECT_LEADS(0xc01ff008, MMU_READ, 0x1234008 | (u64)1 << 35);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0x801ff008, MMU_READ, 0x1234008 | (u64)1 << 35);
	mmu_flush_all(hand);
	EXPECT_FAULT(0xc01ff008, MMU_READ, false, 0, 0);
	/* Reserved: bits 1, 2, 5 to 8, and above 36 bits of address */
	for (unsigned int bit = 1; bit < 64; bit++) {
		bool reserved = bit <= 2 || (bit >= 5 && bit <= 8) || bit >= 36;

		hand_put(root, 3, (pmd & ~((u64)1 << bit)) | 1 | (u64)1 << bit);
		EXPECT_EQ(mmu_load(hand, root, 0), !reserved);
	}
	hand_put(root, 3, ~(u64)1); /* not present: nothing is looked at */
	EXPECT(mmu_load(hand, root, 0));
}

TEST(mmu, pae_reserved_bits)
{
	u64 root, pmd, pte;

	hand_mmu(MMU_I386_PAE, HAND_ALL);
	root = hand_table();
	pmd = hand_table();
	pte = hand_table();
	hand_put(root, 3, pmd | 1);
	hand_put(pmd, 0, pte | 3);
	hand_put(pte, 0, 0x100003 | (u64)1 << 36);
	hand_put(pte, 1, 0x100003 | (u64)1 << 52);
	hand_put(pte, 2, 0x100003 | (u64)1 << 62);
	hand_put(pmd, 1, 0x40000083 | 1u << 13);
	hand_put(pmd, 2, pte | 3 | (u64)1 << 58);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0xc0000000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0xc0001000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0xc0002000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0xc0200000, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0xc0400000, MMU_READ, false, 9, 9);
}

/* ---- Any format ---- */

/* MU-I2: a table where there is no memory reads as ones. */
TEST(mmu, tables_where_nothing_is)
{
	u64 root;

	hand_mmu(MMU_I386, HAND_ALL);
	root = hand_table();
	hand_put32(root, 0, 0xf0000003);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0, MMU_READ, false, 9, 9);
	EXPECT_FAULT(0x400000, MMU_READ, false, 0, 0);
	mmu_power_off(hand);
	EXPECT_FAULT(0, MMU_READ, false, 0, 0);
}

TEST(mmu, reads_and_writes_cross_pages)
{
	u64 root, pte, a, b;
	char bytes[8] = "abcdefg", back[8] = "";
	struct mmu_fault fault;

	hand_mmu(MMU_I386, HAND_ALL);
	root = hand_table();
	pte = hand_table();
	a = hand_table();
	b = hand_table();
	hand_put32(root, 0, (u32)pte | 3);
	hand_put32(pte, 1, (u32)b | 3);
	hand_put32(pte, 2, (u32)a | 3);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_EQ(mmu_write(hand, 0x1ffc, bytes, 8, false, &fault), 8);
	EXPECT_EQ(memcmp((char *)arena_phys(b) + 0xffc, "abcd", 4), 0);
	EXPECT_EQ(memcmp(arena_phys(a), "efg", 4), 0);
	EXPECT_EQ(mmu_read(hand, 0x1ffc, back, 8, false, &fault), 8);
	EXPECT_STREQ(back, "abcdefg");
	EXPECT_EQ(mmu_read(hand, 0x2ffe, back, 8, false, &fault), 2);
	EXPECT_EQ(fault.fault.address, 0x3000);
	EXPECT_EQ(hand_get32(pte, 1), (u32)b | 0x63);
}

TEST(mmu, device_memory_is_no_ram)
{
	u64 root, device = 0xe0000000;
	u32 word = 0x12345678, back = 0;

	hand_mmu(MMU_I386, HAND_ALL);
	EXPECT_EQ(hosted_device_add(HAND_RAM, 0x1000), -EEXIST);
	EXPECT_EQ(hosted_device_add(device + 1, 0x1000), -EINVAL);
	ASSERT(!hosted_device_add(device, 0x10000));
	EXPECT_EQ(hosted_device_add(device + 0xf000, 0x1000), -EEXIST);
	root = hand_table();
	hand_put32(root, 0, (u32)device | 0x83);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_EQ(mmu_write(hand, 0x8004, &word, 4, false, NULL), 4);
	EXPECT_EQ(mmu_read(hand, 0x8004, &back, 4, false, NULL), 4);
	EXPECT_EQ(back, word);
	/* Behind the device nothing answers. */
	EXPECT_EQ(mmu_write(hand, 0x10000, &word, 4, false, NULL), 4);
	EXPECT_EQ(mmu_read(hand, 0x10000, &back, 4, false, NULL), 4);
	EXPECT_EQ(back, 0xffffffff);
}
