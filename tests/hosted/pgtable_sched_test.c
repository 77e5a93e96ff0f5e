// SPDX-License-Identifier: MIT
/*
 * CPUs at work on the same tables, by seeds and in threads: what each maps is there and nobody else's, tables come and
 * go under all of them, and none is left.
 */
#include <octavo/gfp.h>
#include <octavo/port.h>

#include "mm/phys/zone.h"
#include "mm/sync/cpu.h"
#include "pgtfixture.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 10
#endif

#define CPUS 4u
#define PHYS ((phys_addr_t)0x40000000)
#define ROUNDS 30u

static struct mm_struct *mm;
static unsigned long tables, kernel_tables;
static u64 chance[CPUS];
static bool bad;

static phys_addr_t phys_of(uintptr_t virt)
{
	return PHYS + (virt & 0xffff000);
}

static void complain(const char *what, unsigned int cpu, uintptr_t virt)
{
	printk("CPU %u, %#lx: %s\n", cpu, (unsigned long)virt, what);
	bad = true;
}

static void setup(void *ctx)
{
	(void)ctx;
	bad = false;
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	(void)pgt_test_kernel();
	mm = mm_alloc(GFP_KERNEL);
	tables = mm ? mm->pgtable_pages : 0;
	kernel_tables = init_mm.pgtable_pages;
}

static void show(void *ctx, const char *line)
{
	(void)ctx;
	printk("%s\n", line);
}

static bool check(void *ctx)
{
	(void)ctx;
	bad |= pgt_verify(mm, show, NULL) || pgt_verify(&init_mm, show, NULL);
	if (mm->pgtable_pages != tables)
		complain("tables are left", 0, mm->pgtable_pages);
	if (init_mm.pgtable_pages != kernel_tables)
		complain("tables of the kernel are left", 0, init_mm.pgtable_pages);
	mmput(mm);
	return !bad;
}

/* Each CPU has every fourth page of a stretch that a last-level table ends in the middle of. */
static uintptr_t page_of(unsigned int cpu, u64 r)
{
	return PGT_TEST_USER - 8 * PAGE_SIZE + (uintptr_t)(r % 4 * CPUS + cpu) * PAGE_SIZE;
}

static void expect(struct mm_struct *in, unsigned int cpu, uintptr_t virt, bool there)
{
	static const struct pgt_walk_ops none;
	spinlock_t *lock;
	pgt_entry_t *entry = pgt_entry_lock(in, virt, GFP_KERNEL, &lock);

	if (!entry) {
		complain("no entry", cpu, virt);
		return;
	}
	if (there ? pgt_leaf_phys(0, pgt_get(entry)) != phys_of(virt) : !pgt_none(pgt_get(entry)))
		complain(there ? "what was mapped is not there" : "something is there", cpu, virt);
	if (lock)
		spin_unlock(lock);
	(void)pgt_walk(in, virt & ~(uintptr_t)0xffff, 0x10000, &none, NULL);
}

static void share_user_tables(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < test_scaled(ROUNDS); i++) {
		uintptr_t virt = page_of(cpu, test_random(&chance[cpu]));

		if (pgt_map_range(mm, virt, phys_of(virt), PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL))
			complain("cannot be mapped", cpu, virt);
		expect(mm, cpu, virt, true);
		if (pgt_protect_range(mm, virt, PAGE_SIZE, 0, PGPROT_WRITE))
			complain("cannot be protected", cpu, virt);
		if (pgt_test_unmap(mm, virt, PAGE_SIZE))
			complain("cannot be unmapped", cpu, virt);
		expect(mm, cpu, virt, false);
		/* The table that looking made, if it did. */
		(void)pgt_test_unmap(mm, virt, PAGE_SIZE);
	}
}

static const struct scenario user_tables = { .cpus = CPUS, .setup = setup, .work = share_user_tables, .check = check };

TEST(pgtable_sched, cpus_share_user_tables)
{
	scenario_test(&user_tables, test_scaled(SEEDS));
}

/* ---- The kernel's ---- */

/* A large leaf of which each CPU protects and restores pages of its own, and tables that all of them need. */
static void setup_kernel(void *ctx)
{
	setup(ctx);
	if (pgt_map_range(&init_mm, pgt_test_kernel(), PHYS, PGT_SIZE(1), PAGE_KERNEL, 1, GFP_KERNEL))
		complain("no memory", 0, 0);
}

static void share_kernel_tables(unsigned int cpu, void *ctx)
{
	uintptr_t large = pgt_test_kernel(), own = large + (uintptr_t)PGT_SIZE(1) - 8 * PAGE_SIZE;

	(void)ctx;
	for (unsigned int i = 0; i < test_scaled(ROUNDS); i++) {
		u64 r = test_random(&chance[cpu]);
		uintptr_t virt = large + (uintptr_t)(r % 16 * CPUS + cpu) * PAGE_SIZE;
		pgprot_t prot = octavo_pgprot(0);

		/* Formats that break before they make want a leaf for themselves. */
		if (!PGT_BREAK_BEFORE_MAKE) {
			if (pgt_protect_range(&init_mm, virt, PAGE_SIZE, 0, PGPROT_WRITE))
				complain("cannot be protected", cpu, virt);
			if (pgt_test_phys(&init_mm, virt, &prot, NULL) != PHYS + (virt - large) ||
			    prot.bits & PGPROT_WRITE)
				complain("is not what it was made", cpu, virt);
			if (pgt_protect_range(&init_mm, virt, PAGE_SIZE, PGPROT_WRITE, 0))
				complain("cannot be restored", cpu, virt);
		}
		virt = own + (uintptr_t)PGT_SIZE(1) + (uintptr_t)(r >> 8 & 3) * CPUS * PAGE_SIZE + cpu * PAGE_SIZE;
		if (pgt_map_range(&init_mm, virt, phys_of(virt), PAGE_SIZE, PAGE_KERNEL, 0, GFP_KERNEL))
			complain("cannot be mapped", cpu, virt);
		if (pgt_test_phys(&init_mm, virt, NULL, NULL) != phys_of(virt))
			complain("what was mapped is not there", cpu, virt);
		if (pgt_unmap_range(&init_mm, virt, PAGE_SIZE, NULL))
			complain("cannot be unmapped", cpu, virt);
	}
}

static bool check_kernel(void *ctx)
{
	struct mmu_gather tlb;
	uintptr_t virt = pgt_test_kernel();
	unsigned int level;

	tlb_gather_mmu(&tlb, &init_mm);
	(void)pgt_join(&init_mm, virt, PGT_SIZE(1), &tlb);
	if (pgt_leaf_levels & 2 && (pgt_test_phys(&init_mm, virt, NULL, &level) != PHYS || level != 1))
		complain("is not one leaf again", 0, virt);
	(void)pgt_unmap_range(&init_mm, virt, 4 * PGT_SIZE(1), &tlb);
	pgt_free_kernel_tables(virt, PGT_TEST_SPACE, &tlb);
	tlb_finish_mmu(&tlb);
	return check(ctx);
}

static const struct scenario kernel_tables_shared = {
	.cpus = CPUS, .setup = setup_kernel, .work = share_kernel_tables, .check = check_kernel
};

TEST(pgtable_sched, cpus_share_kernel_tables)
{
	scenario_test(&kernel_tables_shared, test_scaled(SEEDS));
}

/* ---- Roots ---- */

/* All that an entry of the root leads to, where nothing else is behind the stretch of tests. */
static u64 root_reach(void)
{
	return max(PGT_TEST_SPACE, __SIZEOF_POINTER__ == 8 ? PGT_SIZE(PGT_ROOT_LEVEL) : 0);
}

/* Address spaces come and go while the kernel's root changes: each shows its half (PT-I6). */
static struct mm_struct *own_mm[CPUS];

static void change_roots(unsigned int cpu, void *ctx)
{
	unsigned int times = test_scaled(ROUNDS) / 2 + 1;
	struct mmu_gather tlb;

	(void)ctx;
	for (unsigned int i = 0; i < times; i++) {
		struct mm_struct *own;

		if (!cpu) {
			uintptr_t virt = pgt_test_kernel();
			u64 size = PGT_SIZE(1);

			if (pgt_map_range(&init_mm, virt, PHYS, size, PAGE_KERNEL, 2, GFP_KERNEL))
				complain("cannot be mapped", cpu, virt);
			tlb_gather_mmu(&tlb, &init_mm);
			(void)pgt_unmap_range(&init_mm, virt, size, &tlb);
			pgt_free_kernel_tables(virt, root_reach(), &tlb);
			tlb_finish_mmu(&tlb);
			continue;
		}
		own = mm_alloc(GFP_KERNEL);
		if (!own) {
			complain("no address space", cpu, 0);
			return;
		}
		own_mm[cpu] = own;
		if (pgt_map_range(own, PGT_TEST_USER, PHYS, PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL) ||
		    pgt_test_unmap(own, PGT_TEST_USER, PAGE_SIZE))
			complain("cannot be mapped and unmapped", cpu, PGT_TEST_USER);
		if (i + 1 < times)
			mmput(own);
	}
}

/* Those that were left are looked at when nothing changes any more. */
static bool check_roots(void *ctx)
{
	(void)pgt_test_kernel();
	for (unsigned int cpu = 1; cpu < CPUS; cpu++) {
		bad |= pgt_verify(own_mm[cpu], show, NULL);
		mmput(own_mm[cpu]);
	}
	return check(ctx);
}

static const struct scenario roots = { .cpus = CPUS, .setup = setup, .work = change_roots, .check = check_roots };

TEST(pgtable_sched, roots_follow_the_kernels)
{
	scenario_test(&roots, test_scaled(SEEDS));
}

/* ---- Threads ---- */

static void in_threads(const struct scenario *s)
{
	s->setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, s->work, NULL));
	EXPECT(s->check(NULL));
}

TEST(pgtable_stress, user_tables)
{
	in_threads(&user_tables);
}

TEST(pgtable_stress, kernel_tables)
{
	in_threads(&kernel_tables_shared);
}

TEST(pgtable_stress, roots)
{
	in_threads(&roots);
}
