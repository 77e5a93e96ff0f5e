// SPDX-License-Identifier: MIT
/* kmap() of high memory by several CPUs, with waiting; early_ioremap while booting. */
#include <setjmp.h>
#include <stdlib.h>

#include <octavo/fixmap.h>
#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/verify.h>

#include "mm/kmap/fixmap.h"
#include "mmu.h"
#include "schedules.h"

#define MIB ((u64)1 << 20)

static const struct bootinfo_range high_map[] = {
	{ 0, 0xa0000, E820_TYPE_RAM },
	{ MIB, 63 * MIB, E820_TYPE_RAM },
	{ 1024 * MIB, 16 * MIB, E820_TYPE_RAM },
};
static const struct bootinfo_cpu high_cpus[] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 } };
static const struct bootinfo high_machine = {
	.arch = sizeof(void *) == 4 ? BOOT_ARCH_I386_PAE : BOOT_ARCH_I386,
	.map = high_map,
	.map_nr = 3,
	.cpus = high_cpus,
	.cpus_nr = 4,
	.cmdline = "",
};

static unsigned int findings;

static void show(void *ctx, const char *line)
{
	(void)ctx;
	findings++;
	pr_err("%s\n", line);
}

static unsigned int verify(void)
{
	findings = 0;
	mm_verify(show, NULL);
	return findings;
}

static bool boot_high(void)
{
	if (hosted_boot(&high_machine, &(struct hosted_options){ .quiet = true, .mode = HOSTED_THREADS }))
		test_fail(__FILE__, __LINE__, "no boot");
	return fixmap_ready;
}

/* Pages of high memory, kmap()ed but for the last @spare slots. */
static struct page **hold_all_but(unsigned int spare, unsigned int *nr)
{
	struct kmap_stats stats;
	struct page **pages;

	pkmap_stats(&stats);
	*nr = stats.slots - spare;
	pages = calloc(*nr, sizeof(*pages));
	for (unsigned int i = 0; i < *nr; i++) {
		pages[i] = alloc_page(GFP_HIGHUSER);
		if (!pages[i] || !PageHighMem(pages[i]) || !kmap(pages[i]))
			test_fail(__FILE__, __LINE__, "page %u", i);
	}
	return pages;
}

static void let_go(struct page **pages, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		kunmap(pages[i]);
		__free_page(pages[i]);
	}
	free(pages);
}

/* KM-I3, KM-I4: unused slots go in one flush, when no free one is left, and no TLB knows them then. */
TEST(kmap_high, slots_are_used_up_before_a_flush)
{
	struct kmap_stats stats;
	struct page **pages, *extra;
	uintptr_t stale;
	unsigned int nr;
	void *virt;

	if (!boot_high())
		SKIP("this port has no page tables");
	pages = hold_all_but(0, &nr);
	pkmap_stats(&stats);
	EXPECT(!stats.free && !stats.unused && !stats.flushes);
	EXPECT_EQ(stats.slots, sizeof(void *) == 8 ? 256 : PGT_LEVELS == 2 ? 1024 : 512);
	for (unsigned int i = 0; i < nr; i++)
		*(struct page **)page_address(pages[i]) = pages[i];
	for (unsigned int i = 0; i < nr; i++)
		EXPECT(kmap_to_page(page_address(pages[i])) == pages[i] &&
		       *(struct page **)page_address(pages[i]) == pages[i]);
	extra = alloc_page(GFP_HIGHUSER);
	ASSERT(extra);
	for (unsigned int i = 0; i < 10; i++)
		kunmap(pages[i]);
	EXPECT(page_address(pages[9]));
	virt = kmap(extra);
	EXPECT(virt && page_address(extra) == virt);
	EXPECT(!page_address(pages[9]) && page_address(pages[10]));
	pkmap_stats(&stats);
	EXPECT_EQ(stats.flushes, 1);
	EXPECT_EQ(stats.free, 9);
	EXPECT_EQ(mmu_stale(0, &stale), 0);
	EXPECT_EQ(verify(), 0);
	for (unsigned int i = 0; i < 10; i++) {
		if (i == 9)
			kunmap(extra);
		EXPECT(*(struct page **)kmap(pages[i]) == pages[i]);
	}
	let_go(pages, nr);
	__free_page(extra);
	kmap_flush_unused();
	pkmap_stats(&stats);
	EXPECT_EQ(stats.free, stats.slots);
	EXPECT_EQ(verify(), 0);
}

static jmp_buf after_panic;

static void on_panic(const char *why)
{
	(void)why;
	longjmp(after_panic, 1);
}

TEST(kmap_high, seventeen_open_are_too_many)
{
	void (*hook)(const char *why) = hosted_panic_hook;
	struct page *page;
	const char *text;

	if (!boot_high())
		SKIP("this port has no page tables");
	page = alloc_page(GFP_HIGHUSER);
	ASSERT(page && PageHighMem(page));
	test_capture_begin();
	hosted_panic_hook = on_panic;
	if (!setjmp(after_panic)) {
		for (unsigned int i = 0; i <= KM_MAX_IDX; i++)
			kmap_local_page(page);
		test_fail(__FILE__, __LINE__, "no panic");
	}
	hosted_panic_hook = hook;
	text = test_capture_end();
	EXPECT(strstr(text, "BUG: kmap_local_page: more than 16 pages open on CPU 0"));
	hosted_reset();
}

TEST(kmap_high, kmap_may_sleep)
{
	struct page *page;

	if (!boot_high())
		SKIP("this port has no page tables");
	page = alloc_page(GFP_HIGHUSER);
	ASSERT(page);
	test_capture_begin();
	preempt_disable();
	EXPECT(kmap(page));
	preempt_enable();
	EXPECT(strstr(test_capture_end(), "BUG: kmap() where nothing may sleep"));
	kunmap(page);
	__free_page(page);
}

static bool go_home;

static void stay(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	while (!__atomic_load_n(&go_home, __ATOMIC_ACQUIRE))
		port_cpu_relax();
}

/* A port that cannot have another CPU forget: what that CPU may know is not used again, until it can. */
TEST(kmap_high, a_flush_that_fails)
{
	struct kmap_stats stats;
	struct page **pages, *extra;
	unsigned int nr;
	void *virt;

	if (!boot_high())
		SKIP("this port has no page tables");
	pages = hold_all_but(0, &nr);
	extra = alloc_page(GFP_HIGHUSER);
	ASSERT(extra);
	EXPECT_EQ(set_fixmap(FIX_PORT_BASE, 16 * MIB), 0);
	go_home = false;
	ASSERT(!hosted_cpu_start(1, stay, NULL));
	hosted_no_cpu_call = true;
	kunmap(pages[0]);
	test_capture_begin();
	virt = kmap(extra);
	EXPECT(strstr(test_capture_end(), "kmap: no slot left"));
	EXPECT(!virt && !page_address(extra) && !page_address(pages[0]));
	EXPECT_EQ(set_fixmap(FIX_PORT_BASE, 17 * MIB), -ENOSYS);
	EXPECT_EQ(verify(), 0);
	hosted_no_cpu_call = false;
	EXPECT(kmap(extra));
	pkmap_stats(&stats);
	EXPECT_EQ(stats.flushes, 2);
	EXPECT_EQ(verify(), 0);
	__atomic_store_n(&go_home, true, __ATOMIC_RELEASE);
	hosted_cpu_stop(1);
	kunmap(extra);
	__free_page(extra);
	EXPECT(kmap(pages[0]));
	let_go(pages, nr);
}

/* A report of a fault says whose slot it was. */
TEST(kmap_high, addresses_in_words)
{
	struct area_description d;
	enum kernel_area_id area;
	struct page *page;
	char want[80];
	void *virt;

	if (!boot_high())
		SKIP("this port has no page tables");
	page = alloc_page(GFP_HIGHUSER);
	ASSERT(page && PageHighMem(page));
	virt = kmap(page);
	describe_address(kernel_virt(virt, &area) + 8, &d);
	octavo_snprintf(want, sizeof(want), "in kmap() slot 0, which shows frame %#lx", page_to_pfn(page));
	EXPECT_STREQ(d.text, want);
	EXPECT_EQ(d.place, PLACE_INSIDE);
	kunmap(page);
	describe_address(kernel_virt(virt, &area), &d);
	octavo_snprintf(want, sizeof(want), "in kmap() slot 0, which shows frame %#lx and nobody uses",
			page_to_pfn(page));
	EXPECT_STREQ(d.text, want);
	kmap_flush_unused();
	describe_address(kernel_virt(virt, &area), &d);
	EXPECT_STREQ(d.text, "in kmap() slot 0, which is free");
	EXPECT_EQ(d.place, PLACE_HOLE);
	virt = kmap_local_page(page);
	describe_address(kernel_virt(virt, &area), &d);
	EXPECT_STREQ(d.text, "in the fixmap: kmap_local slot 0 of CPU 0, which is open");
	kunmap_local(virt);
	describe_address(kernel_virt(virt, &area) + 1, &d);
	EXPECT_STREQ(d.text, "in the fixmap: kmap_local slot 0 of CPU 0, which is not open");
	virt = early_memremap(16 * MIB, 10);
	describe_address(kernel_virt(virt, &area), &d);
	EXPECT_STREQ(d.text, "in the fixmap: early_ioremap slot 0, page 0");
	early_memunmap(virt, 10);
	describe_address(fixmap_virt(FIX_APIC_BASE), &d);
	EXPECT_STREQ(d.text, "in the fixmap: slot 3, local APIC");
	EXPECT_EQ(d.place, PLACE_HOLE);
	__free_page(page);
}

/* ---- Waiting ---- */

#define CPUS 4
static struct page *shared[6];
static struct page **held;
static unsigned int held_nr, wrong, rounds;
static unsigned long waited;

/* More pages than slots: each CPU writes through one mapping what it reads through another. */
static void use_pages(unsigned int cpu, void *ctx)
{
	u64 seed = cpu + 1;

	(void)ctx;
	for (unsigned int i = 0; i < rounds; i++) {
		struct page *page = shared[test_random(&seed) % ARRAY_SIZE(shared)];
		u32 *virt = kmap(page), *local, was;

		if (!virt || kmap_to_page(virt) != page) {
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
			return;
		}
		__atomic_fetch_add(&virt[cpu], 1, __ATOMIC_RELAXED);
		local = kmap_local_page(page);
		was = __atomic_load_n(&local[cpu], __ATOMIC_RELAXED);
		port_cpu_relax();
		if (was != __atomic_load_n(&virt[cpu], __ATOMIC_RELAXED) || local[8] != page_to_pfn(page) ||
		    virt[8] != page_to_pfn(page))
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		kunmap_local(local);
		kunmap(page);
	}
}

static void few_slots(void *ctx)
{
	(void)ctx;
	wrong = 0;
	held = hold_all_but(3, &held_nr);
	for (unsigned int i = 0; i < ARRAY_SIZE(shared); i++) {
		u32 *virt;

		shared[i] = alloc_page(GFP_HIGHUSER);
		virt = kmap_local_page(shared[i]);
		memset(virt, 0, PAGE_SIZE);
		virt[8] = (u32)page_to_pfn(shared[i]);
		kunmap_local(virt);
	}
}

static bool all_well(void *ctx)
{
	unsigned int counts[CPUS] = { 0 };
	struct kmap_stats stats;
	bool well;

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(shared); i++) {
		u32 *virt = kmap_local_page(shared[i]);

		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			counts[cpu] += virt[cpu];
		kunmap_local(virt);
		__free_page(shared[i]);
	}
	well = !wrong;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		well = well && counts[cpu] == rounds;
	let_go(held, held_nr);
	kmap_flush_unused();
	pkmap_stats(&stats);
	waited += stats.waits;
	return well && stats.free == stats.slots && !verify();
}

/* An interrupt uses slots above those of what it interrupts. */
static void look_at_high_page(void *ctx)
{
	u32 *a = kmap_local_page(shared[0]), *b = kmap_local_page(shared[1]);

	(void)ctx;
	if (a[8] != page_to_pfn(shared[0]) || b[8] != page_to_pfn(shared[1]))
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	kunmap_local(b);
	kunmap_local(a);
}

TEST(kmap_high, waiting_with_threads)
{
	struct kmap_stats stats;

	if (!boot_high())
		SKIP("this port has no page tables");
	rounds = test_scaled(2000);
	few_slots(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, use_pages, NULL), 0);
	pkmap_stats(&stats);
	EXPECT(stats.flushes);
	EXPECT(all_well(NULL));
}

TEST(kmap_high, waiting_interleaved)
{
	struct scenario s = { .cpus = CPUS,
			      .setup = few_slots,
			      .work = use_pages,
			      .interrupt = look_at_high_page,
			      .one_in = 20,
			      .check = all_well,
			      .machine = &high_machine };

	if (!boot_high())
		SKIP("this port has no page tables");
	rounds = 6;
	waited = 0;
	scenario_test(&s, test_scaled(40));
	EXPECT(waited || test_effort < 100);
}

/* All but one CPU wait, as not one slot is to be had, until that one gives a slot back: it passes through all. */
static void wait_and_be_woken(unsigned int cpu, void *ctx)
{
	struct kmap_stats stats;

	(void)ctx;
	if (cpu) {
		if (kmap_to_page(kmap(shared[cpu + 2])) != shared[cpu + 2])
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		kunmap(shared[cpu + 2]);
		return;
	}
	do {
		port_cpu_relax();
		pkmap_stats(&stats);
	} while (stats.waits < CPUS - 1);
	kunmap(held[0]);
}

static void no_slots(void *ctx)
{
	few_slots(ctx);
	for (unsigned int i = 0; i < 3; i++)
		kmap(shared[i]);
}

static bool each_was_served(void *ctx)
{
	(void)ctx;
	kmap(held[0]);
	for (unsigned int i = 0; i < 3; i++)
		kunmap(shared[i]);
	rounds = 0;
	return all_well(NULL);
}

TEST(kmap_high, a_slot_given_back_wakes)
{
	struct scenario s = { .cpus = CPUS,
			      .setup = no_slots,
			      .work = wait_and_be_woken,
			      .check = each_was_served,
			      .max_steps = 300000,
			      .machine = &high_machine };

	if (!boot_high())
		SKIP("this port has no page tables");
	/* Threads would wait for ever where the interleavings say that they may. */
	ASSERT(scenario_search(&s, test_seed, test_scaled(20)).ok);
	boot_high();
	no_slots(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, wait_and_be_woken, NULL), 0);
	EXPECT(each_was_served(NULL));
}

/* ---- early_ioremap ---- */

static bool said(const char *what)
{
	return strstr(test_capture_end(), what) != NULL;
}

TEST(kmap_high, early_memremap)
{
	const unsigned long size = NR_FIX_BTMAPS * PAGE_SIZE - 100;
	char *at[FIX_BTMAPS_SLOTS];
	phys_addr_t phys = 16 * MIB + 100;
	char copy[16];
	unsigned int i;

	if (!boot_high())
		SKIP("this port has no page tables");
	for (i = 0; i < FIX_BTMAPS_SLOTS; i++) {
		at[i] = early_memremap(phys + i, size - i);
		ASSERT(at[i]);
		EXPECT_EQ((uintptr_t)at[i] & ~PAGE_MASK, 100 + i);
	}
	at[0][8] = 'x';
	at[0][size - 1] = 'y';
	EXPECT(at[7][1] == 'x' && at[7][size - 8] == 'y');
	test_capture_begin();
	EXPECT(!early_memremap(phys, 1));
	EXPECT(said("WARNING: early_memremap(0x01000064, 00000001) not found slot"));
	test_capture_begin();
	early_memunmap(at[3], 5);
	EXPECT(said("[3] size not consistent"));
	test_capture_begin();
	early_iounmap(at[3], size - 3);
	EXPECT(said("not found slot"));
	at[3] = early_memremap_ro(phys, 10);
	EXPECT_EQ(at[3][8], 'x');
	early_memunmap(at[3], 10);
	for (i = 0; i < FIX_BTMAPS_SLOTS; i++) {
		if (i != 3)
			early_memunmap(at[i], size - i);
	}
	test_capture_begin();
	EXPECT(!early_ioremap(phys, 0));
	EXPECT(!early_ioremap(~(phys_addr_t)0, 2));
	EXPECT(!early_ioremap(phys, NR_FIX_BTMAPS * PAGE_SIZE - 99));
	EXPECT(said("is too large"));
	EXPECT_EQ(copy_from_early_mem(copy, phys + 8, 16), 0);
	EXPECT_EQ(copy[0], 'x');
}

TEST(kmap_high, early_memremap_left_over)
{
	void *at;

	if (!boot_high())
		SKIP("this port has no page tables");
	at = early_memremap(16 * MIB, 10);
	EXPECT(at);
	test_capture_begin();
	mm_free_initmem();
	EXPECT(said("Debug warning: early ioremap leak of 1 areas detected.\n"));
	test_capture_begin();
	EXPECT(!early_memremap(16 * MIB, 10));
	EXPECT(said("after the end of boot"));
	test_capture_begin();
	early_memunmap(at, 10);
	EXPECT_STREQ(test_capture_end(), "");
}
