// SPDX-License-Identifier: MIT
/*
 * Several CPUs at the vmalloc family, under seeded interleavings and with threads: each writes its name into what it
 * has, passes some on to be freed elsewhere, maps and unmaps, frees in interrupts, and purges under the others' feet.
 */
#include <octavo/page.h>
#include <octavo/port.h>
#include <octavo/rcupdate.h>
#include <octavo/verify.h>
#include <octavo/vmalloc.h>

#include "hosted.h"
#include "mm/kmap/vmap.h"
#include "mm/sync/atomic.h"
#include "mmu.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 20
#endif
#define CPUS 4
#define HELD 8
#define BELT 16

struct held {
	u32 *p;
	unsigned int pages;
	u32 stamp;
};

static struct held *belt[BELT];
static struct held in_belt[BELT];
static u32 belt_taken[BELT];
static unsigned int rounds = 40, errors;
static char first_error[160];

static void complain(const char *what, const void *at)
{
	if (!atomic_fetch_add(&errors, 1))
		octavo_snprintf(first_error, sizeof(first_error), "%s at %p", what, at);
}

static void write_it(const struct held *h)
{
	for (unsigned int i = 0; i < h->pages; i++) {
		h->p[i * (PAGE_SIZE / 4)] = h->stamp + i;
		h->p[i * (PAGE_SIZE / 4) + PAGE_SIZE / 4 - 1] = ~(h->stamp + i);
	}
}

/* By this CPU's translations, whoever wrote it. */
static void check_it(const struct held *h)
{
	for (unsigned int i = 0; i < h->pages; i++)
		if (h->p[i * (PAGE_SIZE / 4)] != h->stamp + i ||
		    h->p[i * (PAGE_SIZE / 4) + PAGE_SIZE / 4 - 1] != ~(h->stamp + i))
			complain("another's contents", h->p);
}

static void pass_on(struct held *h, u64 r)
{
	unsigned int i = (unsigned int)(r % BELT);
	struct held old = { NULL };

	if (atomic_xchg(&belt_taken[i], 1))
		return;
	if (belt[i])
		old = *belt[i];
	in_belt[i] = *h;
	belt[i] = &in_belt[i];
	*h = old;
	store_release(&belt_taken[i], 0);
	if (h->p)
		check_it(h);
}

static void map_for_a_moment(u64 r)
{
	struct page *pages[3];
	unsigned int nr = 1 + (unsigned int)(r % 3);
	u32 *p;

	for (unsigned int i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			complain("no page", NULL);
	}
	p = r & 16 ? vm_map_ram(pages, nr, NUMA_NO_NODE) : vmap(pages, nr, VM_MAP, PAGE_KERNEL);
	if (p) {
		struct held h = { p, nr, (u32)r };

		write_it(&h);
		port_cpu_relax();
		check_it(&h);
		if (r & 16)
			vm_unmap_ram(p, nr);
		else
			vunmap(p);
	} else {
		complain("not mapped", NULL);
	}
	for (unsigned int i = 0; i < nr; i++)
		__free_page(pages[i]);
}

static void step(struct held *h, u64 r, u32 stamp)
{
	struct vm_struct *area;

	if (h->p) {
		check_it(h);
		area = find_vm_area(h->p);
		if (!area || area->nr_pages != h->pages)
			complain("area not found", h->p);
		if (r & 1) {
			pass_on(h, r >> 8);
			return;
		}
		if (r & 2)
			vfree_atomic(h->p);
		else
			vfree(h->p);
		h->p = NULL;
		return;
	}
	h->pages = r >> 4 & 3 ? 1 + (unsigned int)(r >> 8) % 3 : 1 + (unsigned int)(r >> 8) % 40;
	h->stamp = stamp;
	h->p = vmalloc(h->pages * PAGE_SIZE);
	if (h->p)
		write_it(h);
	else
		complain("no memory", NULL);
}

static void work(unsigned int cpu, void *ctx)
{
	struct held held[HELD] = { { NULL } };
	u64 chance = test_seed * 31 + cpu;

	(void)ctx;
	for (unsigned int i = 0; i < rounds; i++) {
		u64 r = test_random(&chance);

		if (r % 16 == 0)
			vmap_purge(r & 256);
		else if (r % 16 < 4)
			map_for_a_moment(r >> 8);
		else
			step(&held[r >> 8 & (HELD - 1)], r >> 16, (u32)(cpu << 24 | i << 8));
		if (r % 32 == 1)
			vm_unmap_aliases();
		rcu_poll();
	}
	for (unsigned int i = 0; i < HELD; i++)
		if (held[i].p) {
			check_it(&held[i]);
			vfree(held[i].p);
		}
}

static void interrupt(void *ctx)
{
	void *p = __vmalloc(PAGE_SIZE, GFP_ATOMIC | __GFP_NOWARN);

	(void)ctx;
	vfree(p);
}

static void setup(void *ctx)
{
	(void)ctx;
	errors = 0;
	memset(belt, 0, sizeof(belt));
	memset(belt_taken, 0, sizeof(belt_taken));
}

static void tell(void *ctx, const char *line)
{
	(void)ctx;
	complain(line, NULL);
}

static bool check(void *ctx)
{
	struct findings f = { .report = tell };
	uintptr_t virt;

	(void)ctx;
	for (unsigned int i = 0; i < BELT; i++)
		if (belt[i] && belt[i]->p) {
			check_it(belt[i]);
			vfree(belt[i]->p);
		}
	vfree(vmalloc(1)); /* what vfree_atomic() left goes, too */
	(void)vmap_verify(&f);
	vmap_purge(true);
	(void)vmap_verify(&f);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		if (mmu_stale(cpu, &virt) && virt >= kernel_areas[AREA_VMALLOC].start)
			complain("VM-I4: stale behind a purge", (void *)virt);
	rcu_barrier();
	if (vmalloc_nr_pages() || mm_verify(tell, NULL))
		complain("pages are lost", NULL);
	if (errors)
		printk("first of %u: %s\n", errors, first_error);
	return !errors;
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .interrupt = interrupt, .one_in = 200, .check = check
};

TEST(vmalloc_sched, interleavings)
{
	scenario_test(&scenario, test_scaled(SEEDS));
}

TEST(vmalloc_sched, threads)
{
	struct hosted_options options = { .quiet = true };

	rounds = test_scaled(3000);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(check(NULL));
	rounds = 40;
}
