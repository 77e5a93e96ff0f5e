// SPDX-License-Identifier: MIT
/*
 * TLB control with several CPUs, under seeded interleavings and with threads: address spaces in which pages are mapped,
 * unmapped and looked at through the machine's MMU, while the CPUs switch between them and go lazy. No CPU may get at
 * a frame, nor its MMU at a table, that has been freed (TL-I1 to TL-I6). Wrong sequences, each planted here, are
 * caught.
 */
#include <octavo/port.h>

#include "mm/pgtable/tables.h"
#include "mm/sync/atomic.h"
#include "pgtfixture.h"
#include "schedules.h"
#include "tlb_fixture.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 20
#endif
#define CPUS 3
#define SPACES 3
#define TABLES_MAX 16
#define LATE_MAX 4

enum plant {
	PLANT_NOTHING,
	PLANT_NO_FLUSH,	     /* the gather is told that there is nothing to flush */
	PLANT_FREE_FIRST,    /* the page goes back ahead of the flush */
	PLANT_TABLES_STAY,   /* the flush is told that no table went */
	PLANT_LAZY_FORGETS,  /* out of lazy mode without a look at the generation */
	PLANT_LATE_BIT,	     /* the mask has the CPU after the load */
	PLANT_UNTOLD,	     /* the pages of a batch go back ahead of its flush */
	PLANT_UNPAID,	     /* what others owe is not looked at */
};

static enum plant plant;
static struct space spaces[SPACES];
static u32 locks[SPACES];
/* Taken out, while CPUs are still to be told; and: who found it gone has promised that no CPU gets at it any more. */
static struct page *late[SPACES][SPACE_PAGES], *promised[SPACES][SPACE_PAGES];
static u64 chance[CPUS];
static unsigned int steps, mistakes, freed, freed_late, tables_freed;
static const char *what;

static void lock(unsigned int s)
{
	while (__atomic_exchange_n(&locks[s], 1, __ATOMIC_ACQUIRE))
		port_cpu_relax();
}

static void unlock(unsigned int s)
{
	__atomic_store_n(&locks[s], 0, __ATOMIC_RELEASE);
}

static void mistake(const char *why)
{
	what = why;
	__atomic_fetch_add(&mistakes, 1, __ATOMIC_RELAXED);
}

/* Which of the spaces this CPU is in and uses; -1: none. */
static int here(void)
{
	const struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);

	for (int s = 0; s < SPACES; s++)
		if (spaces[s].mm == tc->loaded && !load_relaxed(&tc->lazy))
			return s;
	return -1;
}

/* No flush gets in between the access and the look at the frame: it would have to call this CPU. */
static void look(unsigned int i)
{
	unsigned long flags = port_irq_save();
	struct page *frame = here() >= 0 ? cpu_sees(i) : NULL;

	if (frame && frame_is_freed(frame))
		mistake("a CPU got at a frame that was freed");
	if (frame && load_relaxed(&promised[here()][i]) == frame)
		mistake("a CPU got at a page whose unmapping had returned");
	port_irq_restore(flags);
}

static void map_one(unsigned int s, unsigned int i)
{
	lock(s);
	if (!spaces[s].frame[i] && !late[s][i] && !space_map(&spaces[s], i))
		mistake("no memory");
	unlock(s);
}

/*
 * After its flush no MMU may walk by a table, whether its CPU is lazy or not. A reference of the test's keeps the page
 * from being a table again before that was asked. The page may have been a process's before it was a table: a CPU that
 * has been lazy since then keeps the translation, as it may.
 */
static unsigned int note_tables(const struct mmu_gather *tlb, struct page **tables)
{
	unsigned int n = 0;

	for (struct page *t = tlb->tables; t && n < TABLES_MAX; t = (struct page *)(uintptr_t)page_private(t)) {
		get_page(t);
		tables[n++] = t;
	}
	return n;
}

static void look_for_tables(struct page *const *tables, unsigned int n)
{
	for (unsigned int t = 0; t < n; t++) {
		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			if (mmu_cpu_walks(cpu, page_to_pfn(tables[t])))
				mistake("an MMU leads to a table that was freed");
		put_page(tables[t]);
	}
	__atomic_fetch_add(&tables_freed, n, __ATOMIC_RELAXED);
}

static void unmap_some(unsigned int s, unsigned int i, unsigned int nr)
{
	struct page *gone[SPACE_PAGES];
	struct page *found[SPACE_PAGES];
	struct page *tables[TABLES_MAX];
	unsigned int n = 0, nt;
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, spaces[s].mm);
	lock(s);
	for (unsigned int k = i; k < i + nr && k < SPACE_PAGES; k++) {
		found[k] = late[s][k];
		if (!spaces[s].frame[k])
			continue;
		gone[n++] = spaces[s].frame[k];
		if (plant == PLANT_FREE_FIRST) {
			get_page(gone[n - 1]); /* the gather's, which it will put later */
			put_page(gone[n - 1]);
			put_page(gone[n - 1]);
		}
		space_unmap(&spaces[s], k, &tlb);
	}
	nt = note_tables(&tlb, tables);
	unlock(s);
	if (plant == PLANT_FREE_FIRST && n) {
		port_cpu_relax();
		for (unsigned int k = 0; k < n; k++)
			get_page(gone[k]);
	}
	if (plant == PLANT_NO_FLUSH) {
		tlb.start = UINTPTR_MAX;
		tlb.end = 0;
	}
	if (plant == PLANT_TABLES_STAY)
		tlb.freed_tables = false;
	if (plant == PLANT_UNPAID)
		store_relaxed(&spaces[s].mm->tlb_owed, 0ul);
	tlb_finish_mmu(&tlb);
	lock(s);
	for (unsigned int k = i; k < i + nr && k < SPACE_PAGES; k++)
		if (found[k] && found[k] == late[s][k])
			store_relaxed(&promised[s][k], found[k]);
	unlock(s);
	look_for_tables(tables, nt);
	for (unsigned int k = 0; k < n; k++) {
		if (!frame_is_freed(gone[k]))
			mistake("a page was not freed");
		port_cpu_relax(); /* others may look: it is not used again yet */
		frame_put(gone[k]);
	}
	__atomic_fetch_add(&freed, n, __ATOMIC_RELAXED);
}

/* As reclaim: some pages of any space, and one flush for them all. */
static void unmap_late(u64 r)
{
	struct { unsigned int s, i; struct page *frame; } took[LATE_MAX];
	struct tlb_batch batch = { 0 };
	unsigned int n = 0, level;

	for (unsigned int k = 0; k < LATE_MAX; k++) {
		unsigned int draw = (unsigned int)(r >> 8 * k), s = draw % SPACES, i = draw / SPACES % SPACE_PAGES;

		lock(s);
		if (spaces[s].frame[i]) {
			took[n].s = s;
			took[n].i = i;
			took[n].frame = spaces[s].frame[i];
			store_relaxed(&late[s][i], took[n++].frame);
			spaces[s].frame[i] = NULL;
			pgt_wipe(pgt_descend(spaces[s].mm, space_virt(i), 0, &level));
			(void)tlb_batch_add(&batch, spaces[s].mm);
		}
		unlock(s);
		port_cpu_relax();
	}
	for (unsigned int k = 0; k < 24; k++)
		port_cpu_relax(); /* others may find that they are gone */
	if (plant == PLANT_UNTOLD)
		batch.nr = 0;
	if (!tlb_batch_flush(&batch))
		mistake("not flushed");
	for (unsigned int k = 0; k < n; k++) {
		put_page(took[k].frame); /* freed */
		port_cpu_relax();
		lock(took[k].s);
		store_relaxed(&late[took[k].s][took[k].i], (struct page *)NULL);
		store_relaxed(&promised[took[k].s][took[k].i], (struct page *)NULL);
		unlock(took[k].s);
		frame_put(took[k].frame);
	}
	__atomic_fetch_add(&freed_late, n, __ATOMIC_RELAXED);
}

/* What switch_mm() would be if it entered the CPU in the mask last. */
static void switch_with_late_bit(struct mm_struct *mm)
{
	unsigned long flags, gen;
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);

	switch_mm(&init_mm);
	flags = port_irq_save();
	tc->slot = 0;
	for (unsigned int i = 1; i < TLB_SLOTS; i++)
		if (tc->slots[i].ctx_id == mm->ctx_id)
			tc->slot = i;
	port_tlb_flush_page(tlb_slot_asid(tc->slot), PORT_TLB_ASID);
	gen = load_acquire(&mm->tlb_gen);
	tc->slots[tc->slot] = (struct tlb_slot){ mm->ctx_id, gen };
	port_pgd_load(mm->pgd_phys, tlb_slot_asid(tc->slot));
	tc->loaded = mm;
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		look(i); /* ahead of need */
	for (unsigned int i = 0; i < 4; i++)
		port_cpu_relax();
	(void)atomic_fetch_or(&mm->cpus[0], 1ul << port_cpu_id());
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		look(i);
	port_irq_restore(flags);
}

static void go_to(unsigned int s)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
	struct mm_struct *mm = s < SPACES ? spaces[s].mm : &init_mm;

	if (plant == PLANT_LAZY_FORGETS && tc->loaded == mm && load_relaxed(&tc->lazy))
		store_relaxed(&tc->lazy, 0);
	else if (plant == PLANT_LATE_BIT && mm != &init_mm && tc->loaded != mm)
		switch_with_late_bit(mm);
	else
		switch_mm(mm);
}

static void one_step(unsigned int cpu)
{
	u64 r = test_random(&chance[cpu]);
	unsigned int s = (unsigned int)(r >> 8) % SPACES, i = (unsigned int)(r >> 16) % SPACE_PAGES;
	int now = here();

	switch (r % 16) {
	case 0:
	case 1:
		unmap_some(s, i, 1 + (r >> 24) % 3);
		break;
	case 2:
	case 3:
	case 4:
		map_one(s, i);
		break;
	case 5:
		go_to((r >> 24) % (SPACES + 1));
		break;
	case 9:
		unmap_late(r >> 24);
		break;
	case 10: /* gone already, if any is late */
		for (unsigned int k = 0; k < SPACE_PAGES && !load_relaxed(&late[s][i]); k++)
			i = (i + 1) % SPACE_PAGES;
		unmap_some(s, i, 1);
		break;
	case 11:
	case 12:
	case 13:
		for (i = 0; i < SPACE_PAGES; i++)
			look(i);
		break;
	case 6:
		go_to(s);
		break;
	case 7:
	case 8: /* lazy for a while, and back to the same */
		if (now < 0)
			break;
		enter_lazy_tlb();
		for (unsigned int k = 0; k < 3; k++)
			port_cpu_relax();
		go_to((unsigned int)now);
		for (i = 0; i < SPACE_PAGES; i++)
			look(i);
		break;
	default:
		look(i);
	}
}

static void churn(unsigned int cpu, void *ctx)
{
	(void)ctx;
	switch_mm(spaces[cpu % SPACES].mm);
	for (unsigned int i = 0; i < steps; i++)
		one_step(cpu);
	switch_mm(&init_mm);
}

static void setup(void *ctx)
{
	(void)ctx;
	mistakes = freed = freed_late = tables_freed = 0;
	what = NULL;
	memset(locks, 0, sizeof(locks));
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	for (unsigned int s = 0; s < SPACES; s++)
		if (!space_make(&spaces[s]))
			mistake("no memory");
}

static bool check(void *ctx)
{
	(void)ctx;
	mistakes += tlb_verify(true, NULL, NULL);
	for (unsigned int s = 0; s < SPACES; s++)
		space_unmake(&spaces[s]);
	if (what)
		printk("%s\n", what);
	return !mistakes;
}

static const struct scenario scenario = { .cpus = CPUS, .setup = setup, .work = churn, .check = check };

TEST(tlb_sched, no_cpu_gets_at_what_was_freed)
{
	steps = 150;
	scenario_test(&scenario, test_scaled(SEEDS));
	EXPECT(freed > 0 && freed_late > 0);
	EXPECT(tables_freed > 0);
}

/* One identifier, two, none: the same, with more wiping. */
TEST(tlb_sched, with_few_identifiers)
{
	static const int asids[] = { 2, 3, -1 };

	steps = 150;
	for (unsigned int i = 0; i < ARRAY_SIZE(asids) && (asids[i] > 0 || !PGT_TWO_ROOTS); i++) {
		struct scenario s = scenario;

		s.asids = asids[i];
		s.strict_structure = true;
		scenario_test(&s, test_scaled(SEEDS / 3));
	}
}

TEST(tlb_sched, threads)
{
	steps = test_scaled(4000);
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, churn, NULL), 0);
	EXPECT(check(NULL));
}

/* @by: what the finding says, or the end of it; what is promised comes to light as well */
static void caught(enum plant which, const char *by)
{
	struct scenario_result r;

	steps = 150;
	plant = which;
	r = scenario_search(&scenario, test_seed, 1500);
	plant = PLANT_NOTHING;
	EXPECT(!r.ok && !r.stuck && what);
	if (what)
		EXPECT(strstr(what, by) || strstr(what, "had returned"));
}

/* ---- Kernel addresses: every CPU uses them, in whatever address space it is, lazy or not ---- */

#define KERNEL_PAGES 6

static u32 kernel_taken[KERNEL_PAGES];

static uintptr_t kernel_virt(unsigned int i)
{
	return pgt_test_kernel() + (uintptr_t)i * PAGE_SIZE;
}

static void kernel_look(unsigned int i)
{
	unsigned long flags = port_irq_save();
	struct mmu_fault fault;
	u64 phys;

	if (mmu_translate(port_cpu_id(), kernel_virt(i), MMU_READ, false, &phys, &fault) &&
	    frame_is_freed(pfn_to_page((unsigned long)(phys >> PAGE_SHIFT))))
		mistake("a CPU got at a kernel page that was freed");
	port_irq_restore(flags);
}

/* The owner of an address maps a page there, lets others look, takes it back, flushes, frees. */
static void kernel_use(unsigned int i)
{
	struct page *frame = alloc_page(GFP_KERNEL);

	if (!frame)
		return;
	get_page(frame);
	if (pgt_map_range(&init_mm, kernel_virt(i), PFN_PHYS(page_to_pfn(frame)), PAGE_SIZE, PAGE_KERNEL, 0,
			  GFP_KERNEL))
		mistake("no memory");
	for (unsigned int k = 0; k < 4; k++)
		port_cpu_relax();
	if (pgt_unmap_range(&init_mm, kernel_virt(i), PAGE_SIZE, NULL))
		mistake("not unmapped");
	if (plant != PLANT_NO_FLUSH && !flush_tlb_kernel_range(kernel_virt(i), kernel_virt(i + 1)))
		mistake("not flushed");
	put_page(frame); /* freed */
	for (unsigned int k = 0; k < 4; k++)
		port_cpu_relax();
	put_page(frame);
}

static void kernel_churn(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int n = 0; n < steps; n++) {
		u64 r = test_random(&chance[cpu]);
		unsigned int i = (unsigned int)(r >> 8) % KERNEL_PAGES;

		if (r % 8 == 0)
			switch_mm((r >> 16) % 2 ? spaces[cpu % SPACES].mm : &init_mm);
		else if (r % 8 == 1)
			enter_lazy_tlb();
		else if (r % 8 > 3 || __atomic_exchange_n(&kernel_taken[i], 1, __ATOMIC_ACQUIRE))
			kernel_look(i);
		else {
			kernel_use(i);
			__atomic_store_n(&kernel_taken[i], 0, __ATOMIC_RELEASE);
		}
	}
	switch_mm(&init_mm);
}

/* The tables go as well, and no MMU leads to one. */
static bool kernel_check(void *ctx)
{
	struct page *tables[TABLES_MAX];
	struct mmu_gather tlb;
	unsigned int nt;

	memset(kernel_taken, 0, sizeof(kernel_taken));
	tlb_gather_mmu(&tlb, &init_mm);
	pgt_free_kernel_tables(pgt_test_kernel(), PGT_TEST_SPACE, &tlb);
	nt = note_tables(&tlb, tables);
	tlb_finish_mmu(&tlb);
	look_for_tables(tables, nt);
	return check(ctx);
}

static const struct scenario kernel_scenario = { .cpus = CPUS, .setup = setup, .work = kernel_churn,
						 .check = kernel_check };

TEST(tlb_sched, no_cpu_gets_at_kernel_pages_that_were_freed)
{
	struct scenario few = kernel_scenario;

	steps = 60;
	scenario_test(&kernel_scenario, test_scaled(SEEDS / 2));
	few.asids = PGT_TWO_ROOTS ? 2 : -1;
	few.strict_structure = true;
	scenario_test(&few, test_scaled(SEEDS / 4));
}

TEST(tlb_sched, a_missing_flush_of_kernel_addresses_is_caught)
{
	struct scenario_result r;

	steps = 60;
	plant = PLANT_NO_FLUSH;
	r = scenario_search(&kernel_scenario, test_seed, 100);
	plant = PLANT_NOTHING;
	EXPECT(!r.ok && !r.stuck && what);
	EXPECT_STREQ(what ? what : "nothing", "a CPU got at a kernel page that was freed");
}

TEST(tlb_sched, a_missing_flush_is_caught)
{
	caught(PLANT_NO_FLUSH, "that was freed"); /* a frame or a table: both are still led to */
}

TEST(tlb_sched, freeing_ahead_of_the_flush_is_caught)
{
	caught(PLANT_FREE_FIRST, "a CPU got at a frame that was freed");
}

TEST(tlb_sched, tables_that_lazy_cpus_still_lead_to_are_caught)
{
	caught(PLANT_TABLES_STAY, "an MMU leads to a table that was freed");
}

TEST(tlb_sched, leaving_lazy_mode_without_a_look_at_the_generation_is_caught)
{
	caught(PLANT_LAZY_FORGETS, "a CPU got at a frame that was freed");
}

TEST(tlb_sched, a_mask_that_has_the_cpu_after_the_load_is_caught)
{
	caught(PLANT_LATE_BIT, "that was freed");
}

TEST(tlb_sched, freeing_ahead_of_a_late_flush_is_caught)
{
	caught(PLANT_UNTOLD, "a CPU got at a frame that was freed");
}

TEST(tlb_sched, returning_ahead_of_a_flush_that_others_owe_is_caught)
{
	caught(PLANT_UNPAID, "a CPU got at a page whose unmapping had returned");
}
