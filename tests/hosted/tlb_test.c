// SPDX-License-Identifier: MIT
/* TLB control, one thing at a time: what the machine's MMU is told to forget, and what it keeps. */
#include <octavo/port.h>

#include "../unit/proc_text.h"
#include "mm/pgtable/cache.h"
#include "mm/pgtable/tables.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "tlb_fixture.h"

#define CEILING "/sys/kernel/debug/x86/tlb_single_page_flush_ceiling"

static struct space spaces[TLB_SLOTS + 2];

static void count_findings(void *ctx, const char *line)
{
	octavo_snprintf(ctx, 160, "%s", line);
}

static bool have_two_spaces(void)
{
	return space_make(&spaces[0]) && space_make(&spaces[1]) && space_map(&spaces[0], 0) &&
	       space_map(&spaces[0], 1) && space_map(&spaces[1], 0);
}

static void leave(void)
{
	switch_mm(&init_mm);
	for (unsigned int s = 0; s < ARRAY_SIZE(spaces); s++)
		if (spaces[s].mm)
			space_unmake(&spaces[s]);
	EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
}

static bool in_mask(const struct space *s)
{
	return s->mm->cpus[0] >> smp_processor_id() & 1;
}

TEST(tlb, a_cpu_sees_what_it_has_loaded)
{
	ASSERT(have_two_spaces());
	EXPECT(loaded_mm() == &init_mm);
	switch_mm(spaces[0].mm);
	EXPECT(loaded_mm() == spaces[0].mm);
	EXPECT(in_mask(&spaces[0]) && !in_mask(&spaces[1])); /* TL-I1 */
	EXPECT(cpu_sees(0) == spaces[0].frame[0]);
	switch_mm(spaces[1].mm);
	EXPECT(!in_mask(&spaces[0]) && in_mask(&spaces[1]));
	EXPECT(cpu_sees(0) == spaces[1].frame[0]);
	EXPECT(!cpu_sees(1));
	switch_mm(&init_mm);
	EXPECT(!in_mask(&spaces[1]));
	EXPECT(!cpu_sees(0));
	leave();
}

TEST(tlb, coming_back_finds_the_tlb_warm)
{
	struct mmu_stats before, after;

	ASSERT(have_two_spaces());
	if (tlb_shared.slots < 2)
		SKIP("the machine has no address-space identifiers");
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) != NULL);
	switch_mm(spaces[1].mm);
	EXPECT(cpu_sees(0) != NULL);
	before = cpu_stats();
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) == spaces[0].frame[0]);
	switch_mm(spaces[1].mm);
	EXPECT(cpu_sees(0) == spaces[1].frame[0]);
	after = cpu_stats();
	EXPECT_EQ(after.loads - before.loads, 2);
	EXPECT_EQ(after.walks - before.walks, 0);
	EXPECT_EQ(after.flush_asid - before.flush_asid, 0);
	before = cpu_stats();
	switch_mm(spaces[1].mm);
	after = cpu_stats();
	EXPECT_EQ(after.loads - before.loads, 0);
	leave();
}

/* More address spaces than slots: the one that was away longest has lost its own, and what was in it is wiped. */
TEST(tlb, slots_are_given_away_in_turn)
{
	unsigned int nr = tlb_shared.slots + 1;
	struct mmu_stats before;

	ASSERT(nr <= ARRAY_SIZE(spaces));
	if (!tlb_shared.slots)
		SKIP("the machine has no address-space identifiers");
	for (unsigned int s = 0; s < nr; s++) {
		ASSERT(space_make(&spaces[s]) && space_map(&spaces[s], 0));
		switch_mm(spaces[s].mm);
		EXPECT(cpu_sees(0) == spaces[s].frame[0]);
	}
	EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
	before = cpu_stats();
	switch_mm(spaces[nr - 2].mm);
	EXPECT(cpu_sees(0) == spaces[nr - 2].frame[0]);
	EXPECT_EQ(cpu_stats().flush_asid, before.flush_asid);
	switch_mm(spaces[0].mm);
	EXPECT_EQ(cpu_stats().flush_asid, before.flush_asid + 1);
	EXPECT(cpu_sees(0) == spaces[0].frame[0]);
	EXPECT(cpu_stats().walks > before.walks);
	leave();
}

/* TL-I6: with one identifier, the CPU goes to the kernel's tables before it is wiped for another address space. */
TEST(tlb, an_identifier_that_is_loaded_is_left_before_it_is_wiped)
{
	unsigned int slots = tlb_shared.slots;
	struct mmu_stats before;

	if (!slots)
		SKIP("the machine has no address-space identifiers");
	tlb_shared.slots = 1;
	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) == spaces[0].frame[0]);
	before = cpu_stats();
	switch_mm(spaces[1].mm);
	EXPECT_EQ(cpu_stats().loads, before.loads + 2);
	EXPECT(cpu_sees(0) == spaces[1].frame[0]);
	EXPECT(!in_mask(&spaces[0]));
	/* With two, the one that is loaded is not the one that is given away. */
	switch_mm(&init_mm);
	tlb_shared.slots = 2;
	ASSERT(space_make(&spaces[2]) && space_map(&spaces[2], 0));
	for (unsigned int i = 0; i < 9; i++) {
		struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
		unsigned int slot = tc->slot;
		bool loaded = tc->loaded != &init_mm;

		switch_mm(spaces[i % 3].mm);
		EXPECT(!loaded || tc->slot != slot);
		EXPECT(cpu_sees(0) == spaces[i % 3].frame[0]);
		EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
	}
	tlb_shared.slots = slots;
	leave();
}

TEST(tlb, without_identifiers_each_load_forgets)
{
	struct hosted_options options = { .asids = -1, .quiet = true };

	if (PGT_TWO_ROOTS)
		SKIP("the format needs address-space identifiers");
	ASSERT(!hosted_boot_default(&options));
	EXPECT_EQ(tlb_shared.slots, 0);
	ASSERT(have_two_spaces());
	for (unsigned int i = 0; i < 4; i++) {
		switch_mm(spaces[i % 2].mm);
		EXPECT(cpu_sees(0) == spaces[i % 2].frame[0]);
	}
	leave();
}

/* ---- Flushes on this CPU ---- */

TEST(tlb, a_page_flush_leaves_the_others)
{
	unsigned int cpu = smp_processor_id();
	unsigned long one = vm_event_sum(NR_TLB_LOCAL_FLUSH_ONE), all = vm_event_sum(NR_TLB_LOCAL_FLUSH_ALL);

	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) && cpu_sees(1));
	EXPECT(flush_tlb_page(spaces[0].mm, space_virt(1) + 5));
	EXPECT(mmu_holds(cpu, space_virt(0)));
	EXPECT(!mmu_holds(cpu, space_virt(1)));
	EXPECT_EQ(vm_event_sum(NR_TLB_LOCAL_FLUSH_ONE), one + 1);
	EXPECT_EQ(vm_event_sum(NR_TLB_LOCAL_FLUSH_ALL), all);
	EXPECT(cpu_sees(1) != NULL);
	EXPECT(flush_tlb_mm(spaces[0].mm));
	EXPECT(!mmu_holds(cpu, space_virt(0)) && !mmu_holds(cpu, space_virt(1)));
	EXPECT_EQ(vm_event_sum(NR_TLB_LOCAL_FLUSH_ALL), all + 1);
	leave();
}

/* What is not loaded here is not flushed here, but found behind when it is loaded again. */
TEST(tlb, an_address_space_that_is_away_catches_up)
{
	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) && cpu_sees(1));
	switch_mm(spaces[1].mm);
	EXPECT(cpu_sees(0) != NULL);
	EXPECT(flush_tlb_page(spaces[0].mm, space_virt(0)));
	EXPECT(mmu_holds(smp_processor_id(), space_virt(0))); /* spaces[1]'s */
	switch_mm(spaces[0].mm);
	EXPECT(!mmu_holds(smp_processor_id(), space_virt(0)));
	EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
	leave();
}

TEST(tlb, beyond_the_ceiling_everything_goes)
{
	struct mmu_stats before;
	uintptr_t at = space_virt(0);

	ASSERT(have_two_spaces());
	EXPECT_EQ(tlb_single_page_flush_ceiling, 33);
	switch_mm(spaces[0].mm);
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at, at + 33 * PAGE_SIZE, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 33);
	EXPECT_EQ(cpu_stats().flush_asid - before.flush_asid, 0);
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at, at + 34 * PAGE_SIZE, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 0);
	EXPECT_EQ(cpu_stats().flush_asid - before.flush_asid, 1);
	/* Large leaves count as one each; where tables went, at least one for each last-level table. */
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, 0, 5 * (uintptr_t)PGT_SIZE(1), PGT_SHIFT(1), true));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 5);
	/* A range that begins inside a leaf reaches one more. */
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at + 8, at + PAGE_SIZE + 8, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 2);
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at, at, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page + cpu_stats().flush_asid - before.flush_page - before.flush_asid, 0);
	leave();
}

TEST(tlb, the_ceiling_is_a_file)
{
	struct mmu_stats before;
	uintptr_t at = space_virt(0);

	if (!proc_text(CEILING))
		SKIP("not on this kind of machine");
	EXPECT_STREQ(proc_text(CEILING), "33\n");
	EXPECT_EQ(proc_put(CEILING, "2\n"), 2);
	EXPECT_EQ(proc_put(CEILING, "-1\n"), -EINVAL);
	EXPECT_STREQ(proc_text(CEILING), "2\n");
	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	before = cpu_stats();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at, at + 2 * PAGE_SIZE, PAGE_SHIFT, false));
	EXPECT(flush_tlb_mm_range(spaces[0].mm, at, at + 3 * PAGE_SIZE, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 2);
	EXPECT_EQ(cpu_stats().flush_asid - before.flush_asid, 1);
	leave();
}

/* Two requests of which the CPU has heard neither: the ranges are not known any more. */
TEST(tlb, behind_by_two_everything_goes)
{
	struct mmu_stats before;

	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) && cpu_sees(1));
	(void)atomic_fetch_add(&spaces[0].mm->tlb_gen, 1);
	before = cpu_stats();
	EXPECT(flush_tlb_page(spaces[0].mm, space_virt(1)));
	EXPECT_EQ(cpu_stats().flush_asid - before.flush_asid, 1);
	EXPECT(!mmu_holds(smp_processor_id(), space_virt(0)));
	leave();
}

/* The frame of the table whose entry leads to page @i. */
static unsigned long table_of(const struct space *space, unsigned int i)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_descend(space->mm, space_virt(i), 0, &level);

	return page_to_pfn(virt_to_page(entry));
}

TEST(tlb, lazy_is_left_alone_until_it_comes_back)
{
	struct mmu_stats before;

	ASSERT(have_two_spaces());
	enter_lazy_tlb();
	EXPECT(!this_cpu_ptr(&tlb_cpu)->lazy); /* in the kernel's there is nothing to be lazy about */
	switch_mm(spaces[0].mm);
	EXPECT(cpu_sees(0) != NULL);
	before = cpu_stats();
	enter_lazy_tlb();
	switch_mm(spaces[0].mm);
	EXPECT(mmu_holds(smp_processor_id(), space_virt(0)));
	EXPECT_EQ(cpu_stats().flush_asid, before.flush_asid);
	enter_lazy_tlb();
	EXPECT(flush_tlb_page(spaces[0].mm, space_virt(0)));
	EXPECT(mmu_holds(smp_processor_id(), space_virt(0)));
	EXPECT(mmu_cpu_leads_to(smp_processor_id(), page_to_pfn(spaces[0].frame[0]), NULL));
	EXPECT(!mmu_cpu_walks(smp_processor_id(), page_to_pfn(spaces[0].frame[0])));
	EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
	switch_mm(spaces[0].mm);
	EXPECT(!mmu_holds(smp_processor_id(), space_virt(0)));
	/* Tables that go take the lazy CPU with them. */
	EXPECT(cpu_sees(0) != NULL);
	EXPECT(mmu_cpu_walks(smp_processor_id(), table_of(&spaces[0], 0)));
	enter_lazy_tlb();
	EXPECT(flush_tlb_mm_range(spaces[0].mm, space_virt(0), space_virt(1), PAGE_SHIFT, true));
	EXPECT(loaded_mm() == &init_mm);
	EXPECT(!mmu_cpu_walks(smp_processor_id(), table_of(&spaces[0], 0)));
	EXPECT(!in_mask(&spaces[0]));
	leave();
}

TEST(tlb, an_address_space_that_ends_is_loaded_nowhere)
{
	ASSERT(have_two_spaces());
	switch_mm(spaces[0].mm);
	enter_lazy_tlb();
	EXPECT(tlb_leave_everywhere(spaces[1].mm));
	EXPECT(loaded_mm() == spaces[0].mm);
	EXPECT(tlb_leave_everywhere(spaces[0].mm));
	EXPECT(loaded_mm() == &init_mm);
	leave();
}

/* ---- Kernel addresses ---- */

TEST(tlb, kernel_ranges)
{
	struct mmu_stats before = cpu_stats();
	uintptr_t top = (uintptr_t)0 - 2 * PAGE_SIZE;

	EXPECT(flush_tlb_kernel_range(top, top + PAGE_SIZE));
	EXPECT(flush_tlb_kernel_range(top, 0)); /* to the end of the address space */
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 3);
	EXPECT_EQ(cpu_stats().flush_all - before.flush_all, 0);
	EXPECT(flush_tlb_kernel_range(top - 40 * PAGE_SIZE, top));
	EXPECT_EQ(cpu_stats().flush_all - before.flush_all, 1);
	EXPECT(flush_tlb_all());
	EXPECT_EQ(cpu_stats().flush_all - before.flush_all, 2);
	flush_tlb_kernel_local(top, top + 2);
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 4);
	/* As an address space the kernel's is flushed the same way, and everything where tables went. */
	EXPECT(flush_tlb_mm_range(&init_mm, top, top + PAGE_SIZE, PAGE_SHIFT, false));
	EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 5);
	EXPECT(flush_tlb_mm_range(&init_mm, top, top + PAGE_SIZE, PAGE_SHIFT, true));
	EXPECT_EQ(cpu_stats().flush_all - before.flush_all, 3);
}

/* Where kernel translations are not global a TLB may have one under each identifier: all of it goes. */
TEST(tlb, kernel_ranges_without_global_pages)
{
	struct hosted_options options = { .mmu_without = BOOT_MMU_GLOBAL, .quiet = true };
	uintptr_t top = (uintptr_t)0 - 2 * PAGE_SIZE;
	struct mmu_stats before;

	ASSERT(!hosted_boot_default(&options));
	before = cpu_stats();
	EXPECT(flush_tlb_kernel_range(top, top + PAGE_SIZE));
	if (tlb_shared.slots)
		EXPECT_EQ(cpu_stats().flush_all - before.flush_all, 1);
	else
		EXPECT_EQ(cpu_stats().flush_page - before.flush_page, 1);
}

/* ---- Other CPUs ---- */

#define CPUS_MAX 10

static unsigned int where[CPUS_MAX], flushed[CPUS_MAX];
static u32 stage;
static bool lazily, tables_went, all_called;
static unsigned long sent, received;

static void wait_for(u32 n)
{
	while (load_acquire(&stage) != n)
		port_cpu_relax();
}

static void reach(u32 n)
{
	(void)atomic_fetch_add(&stage, 1);
	while (load_acquire(&stage) < n)
		port_cpu_relax();
}

/* CPU @cpu runs in spaces[where[cpu]], CPU 0 flushes spaces[0]. */
static void flush_from_zero(unsigned int cpu, void *ctx)
{
	unsigned int cpus = *(unsigned int *)ctx;
	struct mmu_stats before;

	switch_mm(spaces[where[cpu]].mm);
	(void)cpu_sees(0);
	if (cpu && lazily)
		enter_lazy_tlb();
	before = cpu_stats();
	reach(cpus);
	if (!cpu) {
		sent = vm_event_sum(NR_TLB_REMOTE_FLUSH);
		received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED);
		all_called = flush_tlb_mm_range(spaces[0].mm, space_virt(0), space_virt(1), PAGE_SHIFT, tables_went);
		sent = vm_event_sum(NR_TLB_REMOTE_FLUSH) - sent;
		received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
		flushed[0] = (unsigned int)(cpu_stats().flush_page - before.flush_page);
		(void)atomic_fetch_add(&stage, 1);
	} else {
		wait_for(cpus + 1);
		flushed[cpu] = (unsigned int)(cpu_stats().flush_page - before.flush_page);
	}
	EXPECT(!lazily || !cpu || !tables_went || loaded_mm() != spaces[0].mm);
	switch_mm(&init_mm);
}

static void shoot(unsigned int cpus)
{
	stage = 0;
	memset(flushed, 0, sizeof(flushed));
	EXPECT_EQ(hosted_run_cpus(cpus, flush_from_zero, &cpus), 0);
}

TEST(tlb, only_those_concerned_are_called)
{
	ASSERT(have_two_spaces());
	where[0] = 1, where[1] = 1, where[2] = 1;
	shoot(3);
	EXPECT(all_called);
	EXPECT_EQ(sent, 0);
	EXPECT_EQ(flushed[0] + flushed[1] + flushed[2], 0);
	where[2] = 0;
	shoot(3);
	EXPECT_EQ(sent, 1);
	EXPECT_EQ(received, 1);
	EXPECT_EQ(flushed[0] + flushed[1], 0);
	EXPECT_EQ(flushed[2], 1);
	where[0] = where[1] = 0;
	shoot(3);
	EXPECT_EQ(sent, 1); /* one call for two */
	EXPECT_EQ(received, 2);
	EXPECT_EQ(flushed[0] + flushed[1] + flushed[2], 3);
	leave();
}

/* CPU 1 was there before CPU 0 flushes as one that is alone, and comes back. */
static void flush_alone(unsigned int cpu, void *ctx)
{
	bool *still = ctx;

	switch_mm(spaces[0].mm);
	(void)cpu_sees(0);
	if (cpu) {
		switch_mm(spaces[1].mm);
		(void)atomic_fetch_add(&stage, 1);
		wait_for(2);
		switch_mm(spaces[0].mm);
		*still = mmu_holds(cpu, space_virt(0));
	} else {
		wait_for(1);
		preempt_disable();
		EXPECT(flush_tlb_page_alone(spaces[0].mm, space_virt(0)));
		preempt_enable();
		EXPECT(!mmu_holds(cpu, space_virt(0)));
		(void)atomic_fetch_add(&stage, 1);
	}
	switch_mm(&init_mm);
}

TEST(tlb, who_was_there_once_and_comes_back_has_forgotten_too)
{
	bool still = true;

	ASSERT(have_two_spaces());
	stage = 0;
	EXPECT_EQ(hosted_run_cpus(2, flush_alone, &still), 0);
	EXPECT(!still);
	leave();
}

/* Two of nine others are called one by one, three by a call to all; nobody else flushes. */
TEST(tlb, few_of_many)
{
	struct hosted_options options = { .cpus = CPUS_MAX, .quiet = true };

	ASSERT(!hosted_boot_default(&options));
	ASSERT(have_two_spaces());
	for (unsigned int few = 2; few <= 3; few++) {
		unsigned int all = 0;

		for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
			where[cpu] = cpu != 0 && cpu % 3 != 0;
		where[3] = where[6] = where[9] = 0;
		if (few == 2)
			where[6] = 1;
		shoot(CPUS_MAX);
		EXPECT(all_called);
		EXPECT_EQ(sent, 1);
		EXPECT_EQ(received, few);
		for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
			all += flushed[cpu];
		EXPECT_EQ(all, few + 1);
	}
	memset(where, 0, sizeof(where));
	leave();
}

TEST(tlb, lazy_cpus_are_called_for_tables_only)
{
	ASSERT(have_two_spaces());
	where[0] = where[1] = where[2] = 0;
	lazily = true;
	shoot(3);
	EXPECT_EQ(sent, 0);
	EXPECT_EQ(flushed[0], 1);
	EXPECT_EQ(flushed[1] + flushed[2], 0);
	tables_went = true;
	shoot(3);
	EXPECT_EQ(sent, 1);
	EXPECT_EQ(received, 2);
	lazily = tables_went = false;
	leave();
}

/* ---- Late ---- */

static unsigned int told;
static unsigned long owed[3], settled;

/* CPU 0 notes pages of both spaces, and flushes once; or somebody else flushes first. */
static void tell_late(unsigned int cpu, void *ctx)
{
	bool *others = ctx;
	struct tlb_batch batch = { 0 };
	u64 before;

	switch_mm(spaces[where[cpu]].mm);
	(void)cpu_sees(0);
	(void)cpu_sees(1);
	if (cpu && lazily)
		enter_lazy_tlb();
	reach(3);
	if (cpu) {
		wait_for(4);
		flushed[cpu] = 2u - mmu_holds(cpu, space_virt(0)) - mmu_holds(cpu, space_virt(1));
		switch_mm(&init_mm);
		return;
	}
	before = received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED);
	told = 0;
	for (unsigned int i = 0; i < 2; i++) {
		preempt_disable();
		told += tlb_batch_add(&batch, spaces[0].mm);
		told += tlb_batch_add(&batch, spaces[1].mm);
		preempt_enable();
	}
	EXPECT_EQ(vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED), before);
	owed[0] = spaces[0].mm->tlb_owed;
	owed[1] = spaces[1].mm->tlb_owed;
	if (*others)
		EXPECT(tlb_settle(spaces[0].mm) && tlb_settle(spaces[1].mm));
	settled = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
	EXPECT(tlb_batch_flush(&batch));
	received = vm_event_sum(NR_TLB_REMOTE_FLUSH_RECEIVED) - received;
	EXPECT_EQ(batch.nr, 0);
	(void)atomic_fetch_add(&stage, 1);
	switch_mm(&init_mm);
}

static void shoot_late(bool others)
{
	stage = 0;
	memset(flushed, 0, sizeof(flushed));
	EXPECT_EQ(hosted_run_cpus(3, tell_late, &others), 0);
	EXPECT_EQ(tlb_verify(true, test_finding, NULL), 0);
}

TEST(tlb, a_batch_calls_each_cpu_once)
{
	ASSERT(have_two_spaces());
	where[0] = 1, where[1] = 0, where[2] = 1;
	shoot_late(false);
	EXPECT_EQ(told, 4);
	EXPECT_EQ(received, 2);
	EXPECT_EQ(flushed[1], 2);
	EXPECT_EQ(flushed[2], 2);
	/* The address spaces might be gone: nobody told them. The next flush, of whatever, pays. */
	EXPECT(owed[0] == spaces[0].mm->tlb_gen && owed[0] == spaces[0].mm->tlb_owed);
	EXPECT(flush_tlb_page(spaces[0].mm, space_virt(7)));
	EXPECT_EQ(spaces[0].mm->tlb_owed, 0);
	EXPECT(spaces[1].mm->tlb_owed);
	EXPECT(tlb_settle(spaces[1].mm));
	EXPECT_EQ(spaces[1].mm->tlb_owed, 0);
	leave();
}

TEST(tlb, a_batch_of_what_nobody_uses_calls_nobody)
{
	ASSERT(have_two_spaces());
	where[0] = where[1] = where[2] = 0;
	lazily = true;
	shoot_late(false);
	EXPECT_EQ(told, 2); /* CPU 0 itself */
	EXPECT_EQ(received, 0);
	EXPECT_EQ(flushed[1] + flushed[2], 0);
	EXPECT_EQ(owed[1], 0);
	lazily = false;
	leave();
}

TEST(tlb, who_comes_first_pays_what_others_owe)
{
	ASSERT(have_two_spaces());
	where[0] = 1, where[1] = 0, where[2] = 1;
	shoot_late(true);
	EXPECT_EQ(settled, 2);
	EXPECT_EQ(flushed[1] + flushed[2], 4);
	EXPECT(!spaces[0].mm->tlb_owed && !spaces[1].mm->tlb_owed);
	leave();
}

/* ---- A port that cannot call other CPUs ---- */

static bool alone_ok, kernel_ok, page_kept;

static void flush_uncalled(unsigned int cpu, void *ctx)
{
	struct mmu_gather tlb;
	struct page *frame = spaces[0].frame[1];
	u64 flushes;

	(void)ctx;
	switch_mm(spaces[0].mm);
	reach(2);
	if (!cpu) {
		hosted_no_cpu_call = true;
		all_called = flush_tlb_page(spaces[0].mm, space_virt(0));
		kernel_ok = flush_tlb_all();
		tlb_gather_mmu(&tlb, spaces[0].mm);
		space_unmap(&spaces[0], 1, &tlb);
		tlb_finish_mmu(&tlb);
		page_kept = !frame_is_freed(frame);
		hosted_no_cpu_call = false;
		(void)atomic_fetch_add(&stage, 1);
	} else {
		wait_for(3);
		flushes = cpu_stats().flush_all;
		switch_mm(&init_mm);
		EXPECT_EQ(cpu_stats().flush_all - flushes, 1); /* makes up for what it was not told */
		switch_mm(spaces[0].mm);
		EXPECT_EQ(cpu_stats().flush_all - flushes, 1);
	}
	switch_mm(&init_mm);
}

TEST(tlb, a_port_without_calls_says_so_and_frees_nothing)
{
	const char *text;

	ASSERT(have_two_spaces());
	hosted_no_cpu_call = true;
	switch_mm(spaces[0].mm);
	alone_ok = flush_tlb_page(spaces[0].mm, space_virt(0)) && flush_tlb_all();
	hosted_no_cpu_call = false;
	EXPECT(alone_ok);
	stage = 0;
	test_capture_begin();
	EXPECT_EQ(hosted_run_cpus(2, flush_uncalled, NULL), 0);
	text = test_capture_end();
	EXPECT(!all_called && !kernel_ok && page_kept);
	text = strstr(text, "TLB: other CPUs may hold translations of an address space that are gone");
	EXPECT(text != NULL);
	EXPECT(text && !strstr(text + 20, "may hold translations"));
	EXPECT(text && strstr(text, "TLB: 1 pages and 0 tables stay out of use") != NULL);
	leave();
}

/* ---- The verifier ---- */

static const char *one_finding(bool quiet)
{
	static char line[160];

	octavo_snprintf(line, sizeof(line), "none");
	EXPECT_EQ(tlb_verify(quiet, count_findings, line), 1);
	return line;
}

TEST(tlb, the_verifier_sees_what_is_wrong)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
	unsigned int cpu = smp_processor_id();
	struct tlb_slot good;

	ASSERT(have_two_spaces());
	switch_mm(spaces[1].mm);
	switch_mm(spaces[0].mm);
	EXPECT_EQ(tlb_verify(true, NULL, NULL), 0);
	good = tc->slots[tc->slot];
	spaces[0].mm->cpus[0] &= ~(1ul << cpu);
	EXPECT(strstr(one_finding(false), "TL-I1") != NULL);
	spaces[0].mm->cpus[0] |= 1ul << cpu;
	tc->slots[tc->slot].ctx_id += 1000;
	EXPECT(strstr(one_finding(false), "TL-I2") != NULL);
	tc->slots[tc->slot] = good;
	tc->slots[tc->slot].gen++;
	EXPECT(strstr(one_finding(false), "TL-I3") != NULL);
	tc->slots[tc->slot].gen -= 2;
	EXPECT(strstr(one_finding(true), "TL-I4") != NULL);
	EXPECT_EQ(tlb_verify(false, NULL, NULL), 0);
	tc->slots[tc->slot] = good;
	if (tlb_shared.slots >= 2) {
		tc->slots[!tc->slot].ctx_id = good.ctx_id;
		EXPECT(strstr(one_finding(false), "TL-I2") != NULL);
		tc->slots[!tc->slot].ctx_id = 0;
	}
	leave();
}

/* ---- Cache control ---- */

TEST(tlb, cache_control_is_there_for_those_who_call_it)
{
	static const char code[16];
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	flush_cache_all();
	flush_cache_mm(&init_mm);
	flush_cache_range(&init_mm, 0, PAGE_SIZE);
	flush_cache_page(&init_mm, 0, page_to_pfn(page));
	flush_cache_vmap(0, PAGE_SIZE);
	flush_cache_vunmap(0, PAGE_SIZE);
	memset(page_address(page), 0x5a, PAGE_SIZE);
	flush_dcache_page(page);
	flush_dcache_folio(page_folio(page));
	EXPECT_EQ(*(unsigned char *)page_address(page), 0x5a);
	flush_icache_range(code, code + sizeof(code));
	put_page(page);
}
