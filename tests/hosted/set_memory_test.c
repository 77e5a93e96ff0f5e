// SPDX-License-Identifier: MIT
/* Rights and cache modes of kernel mappings: what changes, what follows, what is refused, what is undone. */
#include <octavo/gfp.h>
#include <octavo/kfence.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>

#include "fault.h"
#include "harness.h"
#include "kernel_map_machine.h"
#include "mm/kmap/ptdump.h"
#include "mm/kmap/set_memory.h"
#include "mm/sync/atomic.h"
#include "port/hosted/mmu.h"

static const u32 R = PGPROT_READ, RW = PGPROT_READ | PGPROT_WRITE, RX = PGPROT_READ | PGPROT_EXEC;

/* 4 MiB of the direct map, aligned, as a pointer; the last block of the machine that is in large leaves. */
static struct page *get_block(void)
{
	return alloc_pages(GFP_KERNEL, 10);
}

static unsigned long pointer(struct page *block)
{
	return (unsigned long)page_address(block);
}

static uintptr_t virt_of(struct page *block)
{
	return machine_direct(PFN_PHYS(page_to_pfn(block)));
}

/* Permissions the format can tell: without NX everything can be executed. */
static u32 rights(uintptr_t virt)
{
	return machine_rights(virt) & ~(kernel_has_nx() ? 0 : PGPROT_EXEC);
}

static unsigned int level_at(uintptr_t virt)
{
	unsigned int level = 9;

	(void)machine_leaf(virt, &level);
	return level;
}

TEST(set_memory, one_page_splits_and_joins)
{
	struct leaf_counts before;
	unsigned long p, tables;
	struct page *block;
	uintptr_t virt;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	p = pointer(block);
	virt = virt_of(block);
	before = direct_leaves;
	tables = init_mm.pgtable_pages;
	ASSERT(level_at(virt) == 1);
	EXPECT_EQ(set_memory_ro(p + 3 * PAGE_SIZE, 2), 0);
	EXPECT_EQ(rights(virt + 2 * PAGE_SIZE), RW);
	EXPECT_EQ(rights(virt + 3 * PAGE_SIZE), R);
	EXPECT_EQ(rights(virt + 4 * PAGE_SIZE), R);
	EXPECT_EQ(rights(virt + 5 * PAGE_SIZE), RW);
	EXPECT_EQ(level_at(virt), 0);
	EXPECT_EQ(init_mm.pgtable_pages, tables + 1);
	EXPECT_EQ(direct_leaves.at[1], before.at[1] - 1);
	EXPECT_EQ(direct_leaves.at[0], before.at[0] + PGT_ENTRIES(0));
	EXPECT_EQ(direct_map_splits[1], 1);
	machine_expect_sound();
	/* Half of it back: still small. All: one leaf, and the table is given back. */
	EXPECT_EQ(set_memory_rw(p + 3 * PAGE_SIZE, 1), 0);
	EXPECT_EQ(level_at(virt), 0);
	EXPECT_EQ(set_memory_rw(p + 4 * PAGE_SIZE, 1), 0);
	EXPECT_EQ(level_at(virt), 1);
	EXPECT_EQ(rights(virt + 3 * PAGE_SIZE), RW);
	EXPECT_EQ(init_mm.pgtable_pages, tables);
	EXPECT_EQ(direct_leaves.at[1], before.at[1]);
	EXPECT_EQ(direct_leaves.at[0], before.at[0]);
	machine_expect_sound();
	__free_pages(block, 10);
}

TEST(set_memory, whole_leaves_are_not_split)
{
	struct page *block;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	EXPECT_EQ(set_memory_ro(pointer(block), 1024), 0);
	EXPECT_EQ(level_at(virt_of(block)), 1);
	EXPECT_EQ(rights(virt_of(block)), R);
	EXPECT_EQ(direct_map_splits[1], 0);
	EXPECT_EQ(set_memory_rw(pointer(block), 1024), 0);
	machine_expect_sound();
	__free_pages(block, 10);
}

TEST(set_memory, not_present_and_back)
{
	struct page *block;
	uintptr_t virt;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	virt = virt_of(block);
	EXPECT_EQ(set_memory_np(pointer(block) + PAGE_SIZE, 1), 0);
	EXPECT_EQ(machine_rights(virt + PAGE_SIZE), 0);
	EXPECT_EQ(rights(virt), RW);
	machine_expect_sound(); /* it still shows its frame */
	EXPECT_EQ(set_memory_p(pointer(block) + PAGE_SIZE, 1), 0);
	EXPECT_EQ(rights(virt + PAGE_SIZE), RW);
	EXPECT_EQ(level_at(virt), 1);
	EXPECT_EQ(set_direct_map_invalid_noflush(block + 7), 0);
	EXPECT_EQ(machine_rights(virt + 7 * PAGE_SIZE), 0);
	EXPECT_EQ(set_direct_map_default_noflush(block + 7), 0);
	EXPECT_EQ(rights(virt + 7 * PAGE_SIZE), RW);
	EXPECT_EQ(set_direct_map_valid_noflush(block + 8, 4, false), 0);
	EXPECT_EQ(machine_rights(virt + 11 * PAGE_SIZE), 0);
	EXPECT_EQ(set_direct_map_valid_noflush(block + 8, 4, true), 0);
	EXPECT_EQ(rights(virt + 11 * PAGE_SIZE), RW);
	__free_pages(block, 10);
}

static enum page_cache_mode mode_at(uintptr_t virt)
{
	unsigned int level;
	pgt_entry_t e = machine_leaf(virt, &level);

	return e ? pgprot_cache_mode(pgt_prot(level, e)) : PAGE_CACHE_WP;
}

TEST(set_memory, cache_modes)
{
	struct page *block;
	uintptr_t virt;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	virt = virt_of(block);
	EXPECT_EQ(set_memory_uc(pointer(block), 1), 0);
	EXPECT_EQ(mode_at(virt), PAGE_CACHE_UC_MINUS);
	EXPECT_EQ(mode_at(virt + PAGE_SIZE), PAGE_CACHE_WB);
	EXPECT_EQ(set_memory_wb(pointer(block), 1), 0);
	EXPECT_EQ(set_pages_wc(block + 2, 3), 0);
	EXPECT_EQ(mode_at(virt + 4 * PAGE_SIZE), PAGE_CACHE_WC);
	EXPECT_EQ(set_pages_wb(block + 2, 3), 0);
	EXPECT_EQ(mode_at(virt + 4 * PAGE_SIZE), PAGE_CACHE_WB);
	EXPECT_EQ(level_at(virt), 1);
	machine_expect_sound();
	__free_pages(block, 10);
}

/* The direct map never executes; elsewhere what is writable does not. */
TEST(set_memory, writable_and_executable_is_refused)
{
	struct page *block;
	const char *text;
	uintptr_t virt;
	int err, both;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	if (!kernel_has_nx())
		SKIP("no NX");
	block = get_block();
	ASSERT(block);
	virt = virt_of(block);
	test_capture_begin();
	err = set_memory_x(pointer(block), 1);
	text = test_capture_end();
	EXPECT_EQ(err, -EACCES);
	EXPECT(strstr(text, "set_memory_x: refused"));
	EXPECT_EQ(rights(virt), RW);
	EXPECT_EQ(level_at(virt), 1);
	EXPECT_EQ(set_memory_rox(pointer(block), 1), 0);
	EXPECT_EQ(rights(virt), RX);
	test_capture_begin();
	both = set_memory_rw(pointer(block), 1);
	(void)test_capture_end();
	EXPECT_EQ(both, -EACCES);
	EXPECT_EQ(set_memory_nx(pointer(block), 1), 0);
	EXPECT_EQ(set_memory_rw(pointer(block), 1), 0);
	EXPECT_EQ(ptdump_check_wx(NULL, NULL), 0);
	__free_pages(block, 10);
}

TEST(set_memory, ranges_of_nothing_are_refused)
{
	int odd, none, behind, hole;
	struct page *block;
	const char *text;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	test_capture_begin();
	odd = set_memory_ro(pointer(block) + 16, 1);
	none = set_memory_ro(pointer(block), 0);
	behind = set_memory_ro(0x1000, 1);
	hole = set_memory_ro((unsigned long)hosted_bootinfo()->direct_map + 0xa0000, 1);
	text = test_capture_end();
	EXPECT_EQ(odd, -EINVAL);
	EXPECT_EQ(none, -EINVAL);
	EXPECT_EQ(behind, -EINVAL);
	EXPECT_EQ(hole, -EINVAL);
	EXPECT(strstr(text, "nothing is mapped at"));
	EXPECT(strstr(text, "are not whole pages of one area"));
	machine_expect_sound();
	__free_pages(block, 10);
}

/* Image and direct map follow each other in writing, not in executing. */
TEST(set_memory, aliases_follow)
{
	unsigned long rodata, text;
	uintptr_t alias;

	ASSERT(!machine_boot_image());
	if (!kernel_image.separate)
		SKIP("the image has no other place");
	rodata = (unsigned long)kernel_pointer(machine_image(IMAGE_RODATA_AT), NULL);
	alias = machine_direct(IMAGE_RODATA_AT);
	EXPECT_EQ(set_memory_rw(rodata, 2), 0);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_RODATA_AT)), RW);
	EXPECT_EQ(machine_rights(alias + PAGE_SIZE), RW);
	EXPECT_EQ(machine_rights(alias + 2 * PAGE_SIZE), R);
	EXPECT_EQ(set_memory_ro(rodata, 2), 0);
	EXPECT_EQ(machine_rights(alias), R);
	/* By the direct map's address. */
	EXPECT_EQ(set_memory_np((unsigned long)kernel_pointer(alias, NULL), 1), 0);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_RODATA_AT)), 0);
	EXPECT_EQ(set_memory_p((unsigned long)kernel_pointer(alias, NULL), 1), 0);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_RODATA_AT)), R);
	/* Execution: the direct map has no part in it. */
	text = (unsigned long)kernel_pointer(machine_image(IMAGE_TEXT_AT), NULL);
	EXPECT_EQ(set_memory_nx(text, 1), 0);
	EXPECT_EQ(set_memory_x(text, 1), 0);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_TEXT_AT)), RX);
	EXPECT_EQ(machine_rights(machine_direct(IMAGE_TEXT_AT)), R);
	EXPECT_EQ(set_memory_rw((unsigned long)kernel_pointer(machine_direct(IMAGE_TEXT_AT), NULL), 1), -EACCES);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_TEXT_AT)), RX);
	/* Over an end of the image, where the alias ends too. */
	EXPECT_EQ(set_memory_ro((unsigned long)kernel_pointer(machine_direct(IMAGE_INIT_AT), NULL), 10), 0);
	EXPECT_EQ(machine_rights(machine_image(IMAGE_INIT_AT + 4 * PAGE_SIZE)), R);
	EXPECT_EQ(machine_rights(machine_direct(IMAGE_INIT_AT + 9 * PAGE_SIZE)), R);
	EXPECT_EQ(set_memory_rw((unsigned long)kernel_pointer(machine_direct(IMAGE_INIT_AT), NULL), 10), 0);
	EXPECT_EQ(ptdump_check_wx(NULL, NULL), 0);
	machine_expect_sound();
}

/* No memory for the table of the first or the second end: nothing has changed, the books neither. */
struct attempt {
	struct page *block;
	struct leaf_counts before;
	int err;
};

static bool attempt_ro(void *ctx)
{
	struct attempt *a = ctx;

	/* From the middle of one leaf to the middle of another. */
	a->err = set_memory_ro(pointer(a->block) + MIB, 512);
	return !a->err;
}

static void check_attempt(void *ctx)
{
	struct attempt *a = ctx;
	uintptr_t virt = virt_of(a->block);

	machine_expect_sound();
	if (!a->err) {
		EXPECT_EQ(rights(virt + MIB), R);
		EXPECT_EQ(rights(virt + 3 * MIB - PAGE_SIZE), R);
		EXPECT_EQ(set_memory_rw(pointer(a->block) + MIB, 512), 0);
	}
	EXPECT(!a->err || a->err == -ENOMEM);
	EXPECT_EQ(rights(virt + MIB), RW);
	EXPECT_EQ(rights(virt + 2 * MIB), RW);
	EXPECT_EQ(direct_leaves.at[0], a->before.at[0]);
	EXPECT_EQ(direct_leaves.at[1], a->before.at[1]);
}

TEST(set_memory, failures_are_undone)
{
	struct attempt a;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	a.block = get_block();
	ASSERT(a.block);
	a.before = direct_leaves;
	/* i386: 4 MiB are one leaf. */
	EXPECT(fault_each(attempt_ro, check_attempt, &a) >= (PGT_SIZE(1) == 4 * MIB ? 1 : 2));
	__free_pages(a.block, 10);
}

TEST(set_memory, small_pages_stay_small)
{
	struct page *block;
	uintptr_t virt;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	block = get_block();
	ASSERT(block);
	virt = virt_of(block);
	EXPECT_EQ(set_memory_4k(pointer(block) + 4 * PAGE_SIZE, 8), 0);
	EXPECT_EQ(level_at(virt), 0);
	EXPECT_EQ(set_memory_ro(pointer(block), 1), 0);
	EXPECT_EQ(set_memory_rw(pointer(block), 1), 0);
	EXPECT_EQ(level_at(virt), 0);
	EXPECT_EQ(rights(virt), RW);
	machine_expect_sound();
	__free_pages(block, 10);
}

/* A leaf of 1 GiB becomes 511 of 2 MiB and 512 pages, and one again. */
TEST(set_memory, largest_leaves)
{
	const struct bootinfo_range map[] = { { MIB, 3071 * MIB, E820_TYPE_RAM } };
	struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1 };
	struct leaf_counts before;
	unsigned long p;

	if (PGT_VIRT_BITS == 32)
		SKIP("no leaves of 1 GiB");
	ASSERT(!machine_boot(info, ALL_FEATURES));
	p = (unsigned long)kernel_pointer(machine_direct(1500 * MIB), NULL);
	before = direct_leaves;
	ASSERT(level_at(machine_direct(1500 * MIB)) == 2);
	EXPECT_EQ(set_memory_ro(p, 1), 0);
	EXPECT_EQ(direct_leaves.at[2], before.at[2] - 1);
	EXPECT_EQ(direct_leaves.at[1], before.at[1] + 511);
	EXPECT_EQ(direct_leaves.at[0], before.at[0] + 512);
	EXPECT_EQ(direct_map_splits[2], 1);
	EXPECT_EQ(direct_map_splits[1], 1);
	machine_expect_sound();
	EXPECT_EQ(set_memory_rw(p, 1), 0);
	EXPECT_EQ(level_at(machine_direct(1500 * MIB)), 2);
	EXPECT_EQ(direct_leaves.at[1], before.at[1]);
	machine_expect_sound();
}

/* A port without page tables: nothing to change, and nothing goes wrong. */
TEST(set_memory, without_tables_nothing_happens)
{
	static const struct hosted_options options = { .quiet = true, .no_page_tables = true };

	ASSERT(!hosted_boot_default(&options));
	ASSERT(!pgtables_on);
	EXPECT_EQ(set_memory_ro(0x1000, 1), 0);
	EXPECT_EQ(kernel_virt(hosted_default_machine(), NULL), (uintptr_t)hosted_default_machine());
}

/* ---- Every CPU's TLB ---- */

#define CPUS 3u

struct shared {
	struct page *block;
	u32 ready;
};

static bool passes(unsigned int cpu, uintptr_t virt, enum mmu_access access)
{
	struct mmu_fault fault;
	u64 phys;

	return mmu_translate(cpu, virt, access, false, &phys, &fault);
}

static void expect_everywhere(uintptr_t virt, enum mmu_access access, bool want)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		uintptr_t stale = 0;

		if (mmu_stale(cpu, &stale))
			test_fail(__FILE__, __LINE__, "CPU %u keeps what the tables do not say of %#lx", cpu,
				  (unsigned long)stale);
		if (passes(cpu, virt, access) != want)
			test_fail(__FILE__, __LINE__, "CPU %u: access %d to %#lx is %s", cpu, (int)access,
				  (unsigned long)virt, want ? "refused" : "let pass");
	}
}

static void change_while_others_hold(unsigned int cpu, void *arg)
{
	struct shared *s = arg;
	unsigned long p = pointer(s->block);
	uintptr_t virt = virt_of(s->block);

	for (unsigned int i = 0; i < 4; i++)
		EXPECT(passes(cpu, virt + i * PAGE_SIZE, MMU_WRITE));
	atomic_fetch_add(&s->ready, 1);
	if (cpu)
		return;
	while (load_acquire(&s->ready) < CPUS)
		port_cpu_relax();
	EXPECT_EQ(set_memory_ro(p + PAGE_SIZE, 1), 0);
	expect_everywhere(virt + PAGE_SIZE, MMU_WRITE, false);
	expect_everywhere(virt + PAGE_SIZE, MMU_READ, true);
	expect_everywhere(virt + 2 * PAGE_SIZE, MMU_WRITE, true);
	EXPECT_EQ(set_memory_np(p + 2 * PAGE_SIZE, 1), 0);
	expect_everywhere(virt + 2 * PAGE_SIZE, MMU_READ, false);
	if (kernel_has_nx())
		expect_everywhere(virt, MMU_EXEC, false);
	EXPECT_EQ(set_memory_p(p + 2 * PAGE_SIZE, 1), 0);
	EXPECT_EQ(set_memory_rw(p + PAGE_SIZE, 1), 0);
	EXPECT_EQ(level_at(virt), 1);
	expect_everywhere(virt + PAGE_SIZE, MMU_WRITE, true);
	expect_everywhere(virt + 2 * PAGE_SIZE, MMU_WRITE, true);
}

TEST(set_memory, other_cpus_hear_of_it)
{
	struct shared s = { 0 };
	struct bootinfo info = *hosted_default_machine();

	ASSERT(!machine_boot(info, ALL_FEATURES));
	s.block = get_block();
	ASSERT(s.block);
	ASSERT(!hosted_run_cpus(CPUS, change_while_others_hold, &s));
	__free_pages(s.block, 10);
}
