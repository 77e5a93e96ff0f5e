// SPDX-License-Identifier: MIT
/* The walker against its oracle: random sequences, and every short one. */
#include <octavo/gfp.h>

#include "hosted.h"
#include "mmu.h"
#include "mm/sync/cpu.h"
#include "pgtable_model.h"

TEST(pgtable_model, random_sequences)
{
	for (unsigned int i = 0; i < test_scaled(4); i++)
		if (!model_run(&pgtable_model, test_seed + i, 1500, NULL))
			return;
	EXPECT_STREQ(pgtable_model_end() ?: "", "");
}

TEST(pgtable_model, short_sequences)
{
	unsigned int large = 2;
	struct model_op alphabet[] = {
		PGM_OP(PGM_MAP, 0, 0, 2, 0, 0, 2),	  PGM_OP(PGM_UNMAP, 0, 1, 0, 0, 0, 0),
		PGM_OP(PGM_PROTECT, 0, 1, 1, 1, 0, 0),	  PGM_OP(PGM_SPLIT, 0, 1, 0, 0, 0, 0),
		PGM_OP(PGM_JOIN, 0, 0, 63, 0, 0, 0),	  PGM_OP(PGM_MAP, 1, 0, 2, 1, 0, 2),
		PGM_OP(PGM_UNMAP, 1, 0, 63, 0, 0, 0),	  PGM_OP(PGM_PROTECT, 1, 1, 1, 0, 0, 0),
		PGM_OP(PGM_FREE_TABLES, 0, 0, 63, 0, 0, 0),
	};

	for (unsigned int level = 0; level < large; level++) {
		/* Around the second border of leaves of this level. */
		pgtable_model.reset(NULL);
		for (unsigned int i = 0; i < ARRAY_SIZE(alphabet); i++)
			if ((alphabet[i].b & 63) != 63)
				alphabet[i].a = (u8)(pgtable_model_cut(level) + (i & 1) - 1);
		if (!model_exhaustive(&pgtable_model, alphabet, ARRAY_SIZE(alphabet), test_effort >= 100 ? 4 : 3))
			return;
	}
	EXPECT_STREQ(pgtable_model_end() ?: "", "");
}

/* ---- With the machine looking on ---- */

#define CPUS 4u

/* CPU 0 is in the kernel's address space, 1 and 2 in the users', 3 in the second one's, lazily. */
static struct mm_struct *in_space[CPUS];
static char trouble[200];

static void enter(void *mm)
{
	switch_mm(mm);
	if (smp_processor_id() == 3)
		enter_lazy_tlb();
}

static void spread(struct mm_struct *const mm[PGM_SPACES])
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		in_space[cpu] = mm[min(cpu, PGM_SPACES - 1)];
		if (cpu)
			EXPECT_EQ(port_cpu_call(cpu, enter, in_space[cpu]), 0);
	}
	/* Lazy CPUs may keep what they have for as long as they do not use it. */
	in_space[3] = &init_mm;
}

static bool may(u32 prot, enum mmu_access access)
{
	u32 needs = access == MMU_READ ? 0 : access == MMU_WRITE ? PGPROT_WRITE : PGPROT_EXEC;

	return prot & PGPROT_READ && (prot & needs) == needs;
}

static bool has_no_execute(void)
{
	return pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL)) != pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL_EXEC));
}

static const char *ask(unsigned int cpu, uintptr_t virt, u64 phys, u32 prot, bool user)
{
	for (enum mmu_access access = MMU_READ; access <= MMU_EXEC; access++) {
		u64 got = 0;
		struct mmu_fault fault;
		bool can = mmu_translate(cpu, virt, access, user, &got, &fault), should = may(prot, access);

		if (access == MMU_EXEC && !has_no_execute())
			continue;
		if (can != (phys != ~(u64)0 && should) || (can && got != phys)) {
			octavo_snprintf(trouble, sizeof(trouble),
					"CPU %u, %#lx, access %d: the machine %s (%#llx); the tables say %#llx, %#x",
					cpu, (unsigned long)virt, access, can ? "gets there" : "refuses",
					(unsigned long long)got, (unsigned long long)phys, prot);
			return trouble;
		}
	}
	return NULL;
}

static const char *ask_all(struct mm_struct *mm, uintptr_t virt, u64 phys, u32 prot)
{
	const char *why = NULL;

	for (unsigned int cpu = 0; cpu < CPUS && !why; cpu++)
		if (mm == &init_mm || in_space[cpu] == mm)
			why = ask(cpu, virt, phys, prot, mm != &init_mm);
	return why;
}

static const char *nothing_stale(void)
{
	for (unsigned int cpu = 0; cpu < 3; cpu++) {
		uintptr_t virt;

		if (mmu_stale(cpu, &virt)) {
			octavo_snprintf(trouble, sizeof(trouble), "CPU %u has a stale translation of %#lx", cpu,
					(unsigned long)virt);
			return trouble;
		}
	}
	return NULL;
}

static const struct pgtable_model_machine machine = { spread, ask_all, nothing_stale };

static void run_on_first(unsigned int cpu, void *arg)
{
	bool *fine = arg;

	/* The others serve calls until this one is done. */
	for (unsigned int i = 0; !cpu && i < test_scaled(3) && *fine; i++)
		*fine = model_run(&pgtable_model, test_seed + i, 1000, NULL);
	if (!cpu)
		EXPECT_STREQ(pgtable_model_end() ?: "", "");
}

TEST(pgtable_model, random_sequences_seen_by_the_machine)
{
	bool fine = true;

	pgtable_model_machine = &machine;
	EXPECT_EQ(hosted_run_cpus(CPUS, run_on_first, &fine), 0);
	pgtable_model_machine = NULL;
}

/* ---- Groups ---- */

static bool dirty_at(struct mm_struct *mm, uintptr_t virt)
{
	pgprot_t prot = octavo_pgprot(0);

	return pgt_test_phys(mm, virt, &prot, NULL) != ~(u64)0 && prot.bits & PGPROT_DIRTY;
}

/* A page that is written through the translation of its group is dirty when the group is none any more. */
TEST(pgtable, a_group_shares_what_the_machine_noted)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	uintptr_t virt = PGT_TEST_USER;
	struct mmu_fault fault;
	unsigned long flags;
	u64 phys;

	ASSERT(mm);
	if (PGT_CONT_ENTRIES > 1) {
		pgprot_t prot = octavo_pgprot(PAGE_SHARED.bits | PGPROT_CONT);

		ASSERT(!pgt_map_range(mm, virt, 0x40000000, PGT_CONT_ENTRIES * PAGE_SIZE, prot, 0, GFP_KERNEL));
		flags = port_irq_save();
		switch_mm(mm);
		port_irq_restore(flags);
		EXPECT(mmu_translate(0, virt + 5 * PAGE_SIZE, MMU_WRITE, true, &phys, &fault));
		EXPECT(mmu_translate(0, virt + 7 * PAGE_SIZE, MMU_WRITE, true, &phys, &fault));
		EXPECT_EQ(pgt_test_unmap(mm, virt + 3 * PAGE_SIZE, PAGE_SIZE), 0);
		EXPECT(dirty_at(mm, virt + 5 * PAGE_SIZE));
		EXPECT(dirty_at(mm, virt + 7 * PAGE_SIZE));
		EXPECT_EQ(pgt_test_unmap(mm, virt, PGT_CONT_ENTRIES * PAGE_SIZE), 0);
	}
	mmput(mm);
	if (PGT_CONT_ENTRIES == 1)
		SKIP("this format has no contiguous entries");
}
