// SPDX-License-Identifier: MIT
/* What the software MMU keeps, and when it forgets: MU-I1 to MU-I5, on tables written by hand. */
#include <pthread.h>

#include "mmu_hand.h"

/*
 * Two tables under a root, in 32-bit paging, which every build has: [0, 4 MiB) by @pte, [4 MiB, 8 MiB) by @pte2. Page n
 * of each leads to frame n of 1 MiB, of 2 MiB.
 */
static u64 root, pte, pte2;

static void tables(u32 bits)
{
	root = hand_table();
	pte = hand_table();
	pte2 = hand_table();
	hand_put32(root, 0, (u32)pte | 7);
	hand_put32(root, 1, (u32)pte2 | 7);
	for (unsigned int i = 0; i < 256; i++) {
		hand_put32(pte, i, 0x100000 | i << 12 | bits);
		hand_put32(pte2, i, 0x200000 | i << 12 | bits);
	}
}

static unsigned int stale(void)
{
	return mmu_stale(hand, NULL);
}

TEST(mmu_tlb, keeps_what_nobody_flushed)
{
	struct mmu_stats before, after;
	uintptr_t virt = 0;

	hand_mmu(MMU_I386, HAND_ALL);
	tables(3);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5123, MMU_READ, 0x105123);
	EXPECT_EQ(stale(), 0);
	hand_put32(pte, 5, 0x300003);
	EXPECT_LEADS(0x5123, MMU_READ, 0x105123);
	EXPECT_EQ(mmu_stale(hand, &virt), 1);
	EXPECT_EQ(virt, 0x5000);
	hand_put32(pte, 5, 0);
	EXPECT_LEADS(0x5123, MMU_READ, 0x105123);
	/* Other pages, other identifiers: not this one. */
	mmu_flush_page(hand, 1, 0x6000);
	mmu_flush_page(hand, 2, 0x5000);
	mmu_flush_asid(hand, 2);
	EXPECT_LEADS(0x5123, MMU_READ, 0x105123);
	mmu_flush_page(hand, 1, 0x5fff);
	EXPECT_FAULT(0x5123, MMU_READ, false, 0, 0);
	EXPECT_EQ(stale(), 0);
	mmu_stats(hand, &before);
	EXPECT_LEADS(0x6000, MMU_READ, 0x106000);
	EXPECT_LEADS(0x6004, MMU_READ, 0x106004);
	mmu_stats(hand, &after);
	EXPECT_EQ(after.lookups - before.lookups, 2);
	EXPECT_EQ(after.hits - before.hits, 1);
	EXPECT_EQ(after.walks - before.walks, 1);
	EXPECT_EQ(after.flush_page, 3);
	EXPECT_EQ(after.flush_asid, 1);
	EXPECT_EQ(after.loads, 1);
	EXPECT_EQ(after.faults, 1);
}

/* A translation that lets through less than the tables now do is no danger; one that lets through more is. */
TEST(mmu_tlb, stale_by_rights)
{
	hand_mmu(MMU_I386, HAND_ALL & ~BOOT_MMU_SMAP);
	tables(5);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	hand_put32(pte, 5, 0x105067);
	EXPECT_EQ(stale(), 0);
	/* The refusal is spurious: it drops the translation, and the next try finds the tables'. */
	EXPECT_FAULT(0x5000, MMU_WRITE, true, 7, 7);
	EXPECT_LEADS_USER(0x5000, MMU_WRITE, 0x105000);
	EXPECT_EQ(stale(), 0);
	hand_put32(pte, 5, 0x105065);
	EXPECT_EQ(stale(), 1);
	hand_put32(pte, 5, 0x105063);
	EXPECT_EQ(stale(), 1);
	hand_put32(pte, 5, 0x105027); /* no longer dirty: a store would not mark it again */
	EXPECT_EQ(stale(), 1);
	hand_put32(pte, 5, 0x105047); /* no longer accessed, which no processor minds */
	EXPECT_EQ(stale(), 0);
}

/* MU-I3 */
TEST(mmu_tlb, a_clean_translation_looks_again_before_a_store)
{
	hand_mmu(MMU_I386, HAND_ALL);
	tables(3);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	hand_put32(pte, 5, 0x300003);
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	EXPECT_LEADS(0x5000, MMU_WRITE, 0x300000);
	EXPECT_EQ(hand_get32(pte, 5), 0x300063);
	EXPECT_LEADS(0x5000, MMU_READ, 0x300000);
	hand_put32(pte, 5, 0x300021); /* read only, and not flushed: the store goes through */
	EXPECT_LEADS(0x5000, MMU_WRITE, 0x300000);
	EXPECT_EQ(hand_get32(pte, 5), 0x300021);
}

TEST(mmu_tlb, large_leaves_survive_their_split)
{
	hand_mmu(MMU_I386, HAND_ALL);
	tables(3);
	hand_put32(root, 2, 0x40000083);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x812345, MMU_READ, 0x40012345);
	hand_put32(root, 2, (u32)pte | 3);
	EXPECT_LEADS(0x805000, MMU_READ, 0x40005000);
	EXPECT_EQ(stale(), 1);
	EXPECT_EQ(mmu_flush_page(hand, 1, 0xb00000), 22); /* any address in it */
	EXPECT_LEADS(0x805000, MMU_READ, 0x105000);
	EXPECT_EQ(stale(), 0);
	/* And small ones the joining. */
	hand_put32(root, 2, 0x40000083);
	EXPECT_LEADS(0x805000, MMU_READ, 0x105000);
	EXPECT_EQ(stale(), 2); /* the page, and the way to its table */
}

/* MU-I5 */
TEST(mmu_tlb, identifiers_and_global_pages)
{
	u64 other_root, other;

	hand_mmu(MMU_I386, HAND_ALL);
	tables(3);
	hand_put32(pte2, 9, 0x209103);
	other_root = hand_table();
	other = hand_table();
	hand_put32(other_root, 0, (u32)other | 3);
	hand_put32(other, 5, 0x400003);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	ASSERT(mmu_load(hand, other_root, 2));
	EXPECT_LEADS(0x5000, MMU_READ, 0x400000);
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	EXPECT_EQ(mmu_stale(hand, NULL), 1); /* nothing is there in this address space */
	hand_put32(pte, 5, 0);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000); /* kept through both loads */
	mmu_flush_asid(hand, 1);
	EXPECT_FAULT(0x5000, MMU_READ, false, 0, 0);
	hand_put32(pte2, 9, 0);
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	mmu_flush_page(hand, 1, 0x409000); /* an identifier's page: not the global one */
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	mmu_flush_page(hand, PORT_ASID_KERNEL, 0x409000);
	EXPECT_FAULT(0x409000, MMU_READ, false, 0, 0);
	ASSERT(mmu_load(hand, other_root, 2));
	EXPECT_LEADS(0x5000, MMU_READ, 0x400000);
	mmu_flush_all(hand);
	hand_put32(other, 5, 0);
	EXPECT_FAULT(0x5000, MMU_READ, false, 0, 0);
}

TEST(mmu_tlb, without_identifiers_a_load_forgets)
{
	hand_mmu_config(&(struct mmu_config){ .format = MMU_I386, .features = HAND_ALL });
	tables(3);
	hand_put32(pte2, 9, 0x209103);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	hand_put32(pte, 5, 0);
	hand_put32(pte2, 9, 0);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0x5000, MMU_READ, false, 0, 0);
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	/* Nor are pages global on a processor that does not have them. */
	hand_mmu_config(&(struct mmu_config){ .format = MMU_I386, .features = HAND_ALL & ~BOOT_MMU_GLOBAL });
	hand_put32(pte2, 9, 0x209103);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_LEADS(0x409000, MMU_READ, 0x209000);
	hand_put32(pte2, 9, 0);
	ASSERT(mmu_load(hand, root, 0));
	EXPECT_FAULT(0x409000, MMU_READ, false, 0, 0);
}

/* A table that was replaced, or freed, is walked all the same: its address is in the structure cache. */
static void replaced_table(bool strict)
{
	uintptr_t virt = 0;
	unsigned int cpu = 0;

	hand_mmu_config(&(struct mmu_config){
		.format = MMU_I386, .features = HAND_ALL, .asids = 8, .strict_structure = strict });
	tables(3);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000);
	EXPECT(mmu_leads_to(PFN_DOWN(pte), &cpu, &virt));
	EXPECT_EQ(cpu, hand);
	EXPECT_EQ(virt, 0);
	hand_put32(root, 0, (u32)pte2 | 3);
	EXPECT_LEADS(0x6000, MMU_READ, 0x106000); /* never translated before */
	EXPECT_EQ(stale(), 3);
	mmu_flush_page(hand, 2, 0x5000); /* another identifier's */
	EXPECT_LEADS(0x7000, MMU_READ, 0x107000);
	mmu_flush_page(hand, 1, 0x404000); /* another table's: Intel drops all ways of the identifier */
	EXPECT_LEADS(0x8000, MMU_READ, strict ? 0x108000 : 0x208000);
	mmu_flush_page(hand, 1, 0x1000);
	EXPECT_LEADS(0x9000, MMU_READ, 0x209000);
	EXPECT_LEADS(0x5000, MMU_READ, 0x105000); /* the translations themselves are still there */
	EXPECT(!mmu_cpu_leads_to(hand, PFN_DOWN(pte), NULL));
	EXPECT(mmu_cpu_leads_to(hand, PFN_DOWN(0x106000), &virt));
	EXPECT_EQ(virt, 0x6000);
	mmu_flush_asid(hand, 1);
	EXPECT(!mmu_cpu_leads_to(hand, PFN_DOWN(0x106000), NULL));
	EXPECT(mmu_cpu_leads_to(hand, PFN_DOWN(root), NULL));
	EXPECT_EQ(stale(), 0);
}

TEST(mmu_tlb, ways_to_tables_are_kept)
{
	replaced_table(false);
	replaced_table(true);
}

/* The rights that upper entries had when the way was cached go with it. */
TEST(mmu_tlb, ways_keep_their_rights)
{
	hand_mmu(MMU_I386, HAND_ALL & ~BOOT_MMU_SMAP);
	tables(7);
	hand_put32(root, 0, (u32)pte | 5);
	ASSERT(mmu_load(hand, root, 1));
	EXPECT_LEADS_USER(0x5000, MMU_READ, 0x105000);
	hand_put32(root, 0, (u32)pte | 7);
	EXPECT_FAULT(0x6000, MMU_WRITE, true, 7, 7); /* by the cached way; the fault drops it */
	EXPECT_LEADS_USER(0x6000, MMU_WRITE, 0x106000);
	hand_put32(root, 0, (u32)pte | 3);
	EXPECT_LEADS_USER(0x7000, MMU_WRITE, 0x107000);
	EXPECT(stale() >= 2);
}

#if UINTPTR_MAX > 0xffffffffu
/* All levels of all 64-bit formats: the deepest way is taken. */
TEST(mmu_tlb, walks_begin_at_the_nearest_table)
{
	static const enum mmu_format formats[] = { MMU_X86_64, MMU_X86_64_LA57, MMU_ARM64 };

	for (unsigned int f = 0; f < ARRAY_SIZE(formats); f++) {
		u64 at = 0xffff000000000000ull, table[5], leaf = formats[f] == MMU_ARM64 ? 0x703 : 3;
		unsigned int levels = formats[f] == MMU_X86_64_LA57 ? 5 : 4;
		struct mmu_stats before, after;

		if (formats[f] == MMU_X86_64)
			at = 0xffff800000000000ull;
		hand_mmu(formats[f], HAND_ALL);
		for (unsigned int i = 0; i < levels; i++)
			table[i] = hand_table();
		for (unsigned int i = 0; i + 1 < levels; i++)
			for (unsigned int n = 0; n < 512; n++)
				hand_put(table[i], n, table[i + 1] | 3);
		for (unsigned int n = 0; n < 512; n++)
			hand_put(table[levels - 1], n, (u64)n << 12 | leaf);
		ASSERT(mmu_load(hand, table[0], 0));
		EXPECT_LEADS(at, MMU_READ, 0);
		for (unsigned int level = 0; level + 1 < levels; level++) {
			unsigned int reads = level + 1;

			mmu_stats(hand, &before);
			EXPECT_LEADS(at + (u64)5 * ((u64)1 << (12 + 9 * level)), MMU_READ, level ? 0 : 0x5000);
			mmu_stats(hand, &after);
			EXPECT_EQ(after.table_reads - before.table_reads, reads);
			EXPECT_EQ(after.structure_hits - before.structure_hits, 1);
		}
		/* On arm64 a fault drops nothing: what was cached with fewer rights has to be flushed. */
		if (formats[f] != MMU_ARM64)
			continue;
		hand_put(table[3], 7, 0x7783);
		EXPECT_LEADS(at + 0x7000, MMU_READ, 0x7000);
		hand_put(table[3], 7, 0x7703);
		for (unsigned int i = 0; i < 2; i++)
			EXPECT_FAULT(at + 0x7000, MMU_WRITE, false, 3, (u64)0x25 << 26 | 1u << 25 | 1u << 6 | 0xf);
		mmu_flush_page(hand, PORT_ASID_KERNEL, (uintptr_t)at + 0x7000);
		EXPECT_LEADS(at + 0x7000, MMU_WRITE, 0x7000);
	}
}
#endif

/* MU-I1: more than it holds: the oldest makes room, and it is counted. */
TEST(mmu_tlb, eviction_is_counted)
{
	struct mmu_stats stats;
	u64 phys;

	hand_mmu(MMU_I386, HAND_ALL);
	root = hand_table();
	for (unsigned int i = 0; i < 16; i++) {
		pte = hand_table();
		hand_put32(root, i, (u32)pte | 3);
		for (unsigned int n = 0; n < 1024; n++)
			hand_put32(pte, n, 0x100003);
	}
	ASSERT(mmu_load(hand, root, 1));
	for (unsigned int i = 0; i < 16 * 1024; i++)
		mmu_translate(hand, (uintptr_t)i << 12, MMU_READ, false, &phys, NULL);
	mmu_stats(hand, &stats);
	EXPECT_EQ(stats.walks, 16 * 1024);
	EXPECT_EQ(stats.evicted, 16 * 1024 - (sizeof(void *) == 8 ? 8192 : 4096));
	EXPECT(!mmu_holds(hand, 0));
	EXPECT(mmu_holds(hand, (16 * 1024 - 1) << 12));
	EXPECT_EQ(stale(), 0);
}

/* MU-I4: software and the MMU change one entry at once, and neither loses what the other did. */
static u32 *shared_entry;
static int software_stops;

static void *set_and_clear(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&software_stops, __ATOMIC_RELAXED)) {
		u32 e = __atomic_fetch_or(shared_entry, 0x200, __ATOMIC_ACQ_REL);

		if (e & 0x200)
			return arg;
		e = __atomic_fetch_and(shared_entry, ~0x200u, __ATOMIC_ACQ_REL);
		if (!(e & 0x200))
			return arg;
	}
	return NULL;
}

TEST(mmu_tlb, marks_are_never_lost)
{
	unsigned int lost = 0;
	pthread_t thread;
	void *bad;

	hand_mmu(MMU_I386, HAND_ALL);
	tables(3);
	ASSERT(mmu_load(hand, root, 1));
	shared_entry = (u32 *)arena_phys(pte) + 5;
	software_stops = 0;
	ASSERT(!pthread_create(&thread, NULL, set_and_clear, shared_entry));
	for (unsigned int i = 0; i < test_scaled(100000); i++) {
		__atomic_fetch_and(shared_entry, ~0x60u, __ATOMIC_ACQ_REL); /* clean and old again */
		mmu_flush_page(hand, 1, 0x5000);
		EXPECT_LEADS(0x5000, MMU_WRITE, 0x105000);
		lost += (__atomic_load_n(shared_entry, __ATOMIC_ACQUIRE) & 0x60) != 0x60;
	}
	__atomic_store_n(&software_stops, 1, __ATOMIC_RELAXED);
	pthread_join(thread, &bad);
	EXPECT(!bad);
	EXPECT_EQ(lost, 0);
	EXPECT_EQ(hand_get32(pte, 5) & ~0x60u, 0x105003);
}
