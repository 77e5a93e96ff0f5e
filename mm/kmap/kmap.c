// SPDX-License-Identifier: MIT
/*
 * kmap: places for pages of high memory that are good on every CPU.
 *
 * Purpose
 *	An address range of a few hundred pages, lent out page by page for as long as the borrower likes. What makes
 *	it cheap is that giving back does not unmap: the entry stays until slots are wanted, and then all that nobody
 *	uses are unmapped with one flush.
 *
 * Words
 *	slot: a page of the area AREA_PKMAP (LAST_PKMAP: 1024, 512 with PAE), or of the fixmap in builds whose format
 *	has no such area. Its count, as in Linux:
 *
 *	     0  free             no entry, no TLB knows one, no page
 *	     1  unused           mapped, nobody wants it; kmap() of the same page takes it again
 *	     n  in use           n - 1 times
 *	    -1  being flushed    the entry is gone, TLBs may know it
 *
 *	     0 --kmap--> 2 <--kmap, kunmap--> 1 --flush begins--> -1 --flush done--> 0
 *
 * Structures
 *	slots[], each with its page and a link of the hash by page: page_address() of high memory is a look there. A
 *	slot is in the hash exactly while its count is above 0 (KM-I4). The invariants stand in fixmap.c.
 *
 * Locking
 *	lock guards slots, hash and waiters; it is not held across a flush, which calls other CPUs. flush_mutex: one
 *	flush at a time; who finds unused slots only waits for it and looks again.
 *
 * Waiting
 *	With every slot in use kmap() queues up and parks. kunmap() wakes all who wait when a slot becomes unused, as
 *	does the end of a flush; whoever is first gets it, the others look and park again.
 *
 * Memory use and bounds
 *	16 bytes a slot, only on machines with high memory.
 *
 * What failure does
 *	If a flush does not reach a CPU the slots stay unused, mapped nowhere, and are tried again with the next; when
 *	no other is left kmap() reports and returns NULL.
 *
 * Differences from Linux
 *	No slot is unmapped while a free one is left; Linux flushes each time its search passes the end of the area.
 */
#include <octavo/highmem.h>
#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/list.h"
#include "../base/printk.h"
#include "../phys/page_report.h"
#include "../phys/zone.h"
#include "../sync/cpu.h"
#include "../sync/mutex.h"
#include "fixmap.h"

#define HASH_SIZE 128u
#define NO_SLOT 0xffffu
#define FLUSHING (-1)

struct slot {
	struct page *page; /* NULL: free, or mapped nowhere */
	s32 count;
	u16 next; /* in the hash */
};

struct waiter {
	struct list_head link;
	uintptr_t thread;
	bool woken;
};

static struct pkmap {
	spinlock_t lock;
	unsigned int nr;     /* (c) slots; 0: no kmap() of high memory */
	unsigned int last;   /* where the search for a free one goes on */
	unsigned int free;   /* slots of count 0 */
	unsigned int unused; /* slots of count 1 */
	struct list_head waiters;
	uintptr_t start;	  /* (c) address of slot 0 */
	enum kernel_area_id area; /* (c) it is in */
	struct slot *slot;	  /* (c) */
	u16 hash[HASH_SIZE];
	unsigned long flushes, waits;
} pk __memsys;
static struct mutex flush_mutex __memsys = MUTEX_INIT;

static uintptr_t slot_virt(unsigned int n)
{
	return pk.start + ((uintptr_t)n << PAGE_SHIFT);
}

static void *slot_pointer(unsigned int n)
{
	return area_pointer(pk.area, slot_virt(n));
}

/* ---- The hash ---- */

static u16 *bucket_of(const struct page *page)
{
	return &pk.hash[(page_to_pfn(page) * 0x9e3779b1u >> 16) % HASH_SIZE];
}

static unsigned int find_slot(const struct page *page)
{
	unsigned int n = *bucket_of(page);

	while (n != NO_SLOT && pk.slot[n].page != page)
		n = pk.slot[n].next;
	return n;
}

static void hash_add(unsigned int n)
{
	u16 *bucket = bucket_of(pk.slot[n].page);

	pk.slot[n].next = *bucket;
	*bucket = (u16)n;
}

static void hash_remove(unsigned int n)
{
	u16 *link = bucket_of(pk.slot[n].page);

	while (*link != n)
		link = &pk.slot[*link].next;
	*link = pk.slot[n].next;
}

void *pkmap_address(const struct page *page)
{
	unsigned long flags;
	unsigned int n;

	if (!pk.nr)
		return NULL;
	spin_lock_irqsave(&pk.lock, flags);
	n = find_slot(page);
	spin_unlock_irqrestore(&pk.lock, flags);
	return n == NO_SLOT ? NULL : slot_pointer(n);
}

/* ---- Waiting ---- */

static void wake_waiters(void)
{
	struct waiter *w;

	list_for_each_entry(w, &pk.waiters, link) {
		store_relaxed(&w->woken, true);
		port_unpark(w->thread);
	}
}

/* Queued under the lock that found no slot, so no change after that goes unnoticed. */
static void wait_for_slot(struct waiter *self)
{
	unsigned long flags;

	while (!load_relaxed(&self->woken))
		port_park(0);
	spin_lock_irqsave(&pk.lock, flags);
	list_del(&self->link);
	spin_unlock_irqrestore(&pk.lock, flags);
}

/* ---- Flushing ---- */

/* Take the unused slots out of use; what must be flushed is from *@first to *@last. Return: how many. */
static unsigned int unmap_unused(unsigned int *first, unsigned int *last)
{
	unsigned int found = 0;

	*first = pk.nr;
	for (unsigned int n = 0; n < pk.nr; n++) {
		struct slot *s = &pk.slot[n];

		if (s->count != 1)
			continue;
		if (s->page) {
			hash_remove(n);
			s->page = NULL;
			pgt_set(kmap_entry(slot_virt(n)), 0);
		}
		s->count = FLUSHING;
		*first = min(*first, n);
		*last = n;
		found++;
	}
	pk.unused -= found;
	return found;
}

static void end_flush(unsigned int first, unsigned int last, bool done, unsigned int found)
{
	for (unsigned int n = first; n <= last; n++) {
		if (pk.slot[n].count == FLUSHING)
			pk.slot[n].count = done ? 0 : 1;
	}
	if (done)
		pk.free += found;
	else
		pk.unused += found;
	wake_waiters();
}

/* Return: false: some CPU could not be told. */
static bool flush_unused(void)
{
	unsigned int first, last = 0, found;
	unsigned long flags;
	bool done = true;

	mutex_lock(&flush_mutex);
	spin_lock_irqsave(&pk.lock, flags);
	found = unmap_unused(&first, &last);
	pk.flushes += found != 0;
	spin_unlock_irqrestore(&pk.lock, flags);
	if (found) {
		done = flush_tlb_kernel_range(slot_virt(first), slot_virt(last + 1));
		spin_lock_irqsave(&pk.lock, flags);
		end_flush(first, last, done, found);
		spin_unlock_irqrestore(&pk.lock, flags);
	}
	mutex_unlock(&flush_mutex);
	return done;
}

void kmap_flush_unused(void)
{
	if (pk.nr)
		(void)flush_unused();
}

/* ---- Mapping ---- */

static void map_slot(unsigned int n, struct page *page)
{
	struct slot *s = &pk.slot[n];

	s->page = page;
	s->count = 2;
	hash_add(n);
	pgt_set(kmap_entry(slot_virt(n)), kmap_leaf(PFN_PHYS(page_to_pfn(page)), PAGE_KERNEL));
	pk.last = n;
	pk.free--;
}

static unsigned int take_free_slot(struct page *page)
{
	for (unsigned int i = 1; pk.free && i <= pk.nr; i++) {
		unsigned int n = (pk.last + i) % pk.nr;

		if (pk.slot[n].count)
			continue;
		map_slot(n, page);
		return n;
	}
	return NO_SLOT;
}

/*
 * A slot that maps the page, once more or from now on. NO_SLOT: none is free; *@unused: some could be had by a flush;
 * else the caller is queued as @self.
 */
static unsigned int try_map(struct page *page, bool *unused, struct waiter *self)
{
	unsigned long flags;
	unsigned int n;

	spin_lock_irqsave(&pk.lock, flags);
	n = find_slot(page);
	if (n == NO_SLOT)
		n = take_free_slot(page);
	else if (pk.slot[n].count++ == 1)
		pk.unused--;
	*unused = pk.unused != 0;
	if (n == NO_SLOT && !pk.unused) {
		*self = (struct waiter){ .thread = port_thread_self() };
		list_add_tail(&self->link, &pk.waiters);
		pk.waits++;
	}
	spin_unlock_irqrestore(&pk.lock, flags);
	return n;
}

static void *kmap_high(struct page *page)
{
	struct waiter self;
	unsigned int n;
	bool unused;

	if (unlikely(octavo_cpu_in_section())) {
		pr_err("BUG: kmap() where nothing may sleep\n");
		dump_stack();
	}
	while ((n = try_map(page, &unused, &self)) == NO_SLOT) {
		if (!unused) {
			wait_for_slot(&self);
		} else if (!flush_unused()) {
			pr_err("kmap: no slot left: this port cannot have other CPUs forget the unused ones\n");
			dump_stack();
			return NULL;
		}
	}
	return slot_pointer(n);
}

static bool needs_slot(const struct page *page)
{
	return PFN_PHYS(page_to_pfn(page)) >= memblock.direct_map_end;
}

void *kmap(struct page *page)
{
	if (likely(!needs_slot(page)))
		return phys_to_virt(PFN_PHYS(page_to_pfn(page)));
	if (likely(pk.nr))
		return kmap_high(page);
	pr_err("kmap: page %#lx is high memory, and there are no page tables: use kmap_local_page()\n",
	       page_to_pfn(page));
	dump_stack();
	return NULL;
}

void kunmap(const struct page *page)
{
	unsigned long flags;
	unsigned int n;
	bool bad;

	if (likely(!needs_slot(page)) || !pk.nr)
		return;
	spin_lock_irqsave(&pk.lock, flags);
	n = find_slot(page);
	bad = n == NO_SLOT || pk.slot[n].count < 2;
	if (!bad && --pk.slot[n].count == 1) {
		pk.unused++;
		wake_waiters();
	}
	spin_unlock_irqrestore(&pk.lock, flags);
	if (unlikely(bad)) {
		pr_err("BUG: kunmap() of page %#lx, which is not mapped\n", page_to_pfn(page));
		dump_stack();
	}
}

struct page *pkmap_page_of(const void *virt)
{
	uintptr_t n;
	unsigned long flags;
	struct page *page;

	if (!pk.nr)
		return NULL;
	n = (area_virt(pk.area, virt) - pk.start) >> PAGE_SHIFT;
	if (n >= pk.nr)
		return NULL;
	spin_lock_irqsave(&pk.lock, flags);
	page = pk.slot[n].page;
	spin_unlock_irqrestore(&pk.lock, flags);
	return page;
}

struct page *kmap_to_page(const void *virt)
{
	unsigned long pfn;

	if ((uintptr_t)virt - memblock.direct_map < memblock.direct_map_end)
		return virt_to_page(virt);
	if (kmap_local_pfn_of(virt, &pfn))
		return pfn_to_online_page(pfn);
	return pkmap_page_of(virt);
}

bool pkmap_in_fixmap(void)
{
	return pk.nr && pk.area == AREA_FIXMAP;
}

int pkmap_look(unsigned int n, unsigned long *pfn)
{
	const struct page *page = n < pk.nr ? READ_ONCE(pk.slot[n].page) : NULL;

	*pfn = page ? page_to_pfn(page) : PFN_NONE;
	return page ? READ_ONCE(pk.slot[n].count) : 0;
}

void pkmap_stats(struct kmap_stats *stats)
{
	unsigned long flags;

	*stats = (struct kmap_stats){ .slots = pk.nr };
	if (!pk.nr)
		return;
	spin_lock_irqsave(&pk.lock, flags);
	*stats = (struct kmap_stats){ pk.nr, pk.free, pk.unused, pk.flushes, pk.waits };
	spin_unlock_irqrestore(&pk.lock, flags);
}

/* ---- Start ---- */

static bool has_high_memory(void)
{
	return memblock_end_of_DRAM() > memblock.direct_map_end;
}

int pkmap_init(void)
{
	const struct kernel_area *area = &kernel_areas[AREA_PKMAP];
	unsigned int nr = (unsigned int)((area->end - area->start) >> PAGE_SHIFT);

	if (!has_high_memory())
		return 0;
	pk.area = nr ? AREA_PKMAP : AREA_FIXMAP;
	pk.start = nr ? area->start : fixmap_virt(FIX_PKMAP_BEGIN);
	nr = nr ? nr : FIX_PKMAP_PAGES;
	if (kmap_make_tables(slot_virt(0), slot_virt(nr)))
		return -ENOMEM;
	pk.slot = memblock_alloc(nr * sizeof(*pk.slot), sizeof(*pk.slot));
	if (!pk.slot)
		return -ENOMEM;
	for (unsigned int i = 0; i < HASH_SIZE; i++)
		pk.hash[i] = NO_SLOT;
	INIT_LIST_HEAD(&pk.waiters);
	spin_lock_init(&pk.lock, LOCK_RANK_PKMAP);
	pk.last = nr - 1;
	pk.free = nr;
	pk.nr = nr;
	return 0;
}

/* ---- Check ---- */

void pkmap_verify(struct findings *f)
{
	unsigned int free = 0, unused = 0;

	for (unsigned int n = 0; n < pk.nr; n++) {
		const struct slot *s = &pk.slot[n];
		pgt_entry_t e = pgt_get(kmap_entry(slot_virt(n)));

		free += s->count == 0;
		unused += s->count == 1;
		if (s->count < FLUSHING || (s->count < 1 && s->page) || (s->count > 1 && !s->page))
			finding(f, "kmap slot %u: count %d with page %p", n, s->count, (void *)s->page);
		if (!s->page != pgt_none(e))
			finding(f, "kmap slot %u of count %d has entry %#llx", n, s->count, (unsigned long long)e);
		else if (s->page && PFN_DOWN(pgt_leaf_phys(0, e)) != page_to_pfn(s->page))
			finding(f, "kmap slot %u shows frame %#lx, not %#lx", n, PFN_DOWN(pgt_leaf_phys(0, e)),
				page_to_pfn(s->page));
		if (s->page && find_slot(s->page) != n)
			finding(f, "kmap slot %u is not found by its page", n);
	}
	if (free != pk.free || unused != pk.unused)
		finding(f, "kmap: %u slots free, %u unused; counted %u and %u", free, unused, pk.free, pk.unused);
}
