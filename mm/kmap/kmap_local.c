// SPDX-License-Identifier: MIT
/*
 * kmap_local: pages for the moment, on one CPU. Each CPU has a stack of KM_MAX_IDX slots in the fixmap, which
 * interrupts use above what they interrupted. fixmap.c has the picture.
 *
 * Mapping writes one entry: it was none, so no TLB has it. Unmapping clears it and has this CPU forget it; no other has
 * ever used the address. A CPU with something open keeps to its thread (preempt_disable()), as the slots are the CPU's,
 * not the thread's; Linux, whose threads carry their slots with them, only keeps the thread on the CPU.
 */
#include <octavo/highmem.h>
#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../phys/highmem.h"
#include "../phys/page_report.h"
#include "../sync/cpu.h"
#include "fixmap.h"

/* One CPU's stack, all its own; a cache line. */
struct kmap_stack {
	pgt_entry_t *entry; /* (c) of slot 0; slot n's is n before it. NULL: there is no room for this CPU */
	uintptr_t virt;	    /* (c) address of slot 0; slot n's is n pages below */
	unsigned int nr;    /* open */
} __aligned(64);

static struct kmap_stack *stacks __memsys; /* (c) for each possible CPU */

static unsigned int first_slot(unsigned int cpu)
{
	return fix_kmap_begin() + cpu * KM_MAX_IDX;
}

static void *slot_pointer(const struct kmap_stack *s, unsigned int n)
{
	return area_pointer(AREA_FIXMAP, s->virt - ((uintptr_t)n << PAGE_SHIFT));
}

static void *local_map(unsigned long pfn, pgprot_t prot)
{
	struct kmap_stack *s;
	pgt_entry_t *entry;
	unsigned int n;

	preempt_disable();
	s = &stacks[smp_processor_id()];
	n = s->nr++;
	barrier(); /* an interrupt from here on uses the next slot */
	if (unlikely(n >= KM_MAX_IDX || !s->entry)) {
		pr_err("BUG: kmap_local_page: %s on CPU %u\n",
		       s->entry ? "more than 16 pages open" : "the fixmap has no slots left for", smp_processor_id());
		dump_stack();
		port_panic("kmap_local_page: no slot");
	}
	entry = s->entry - n;
	if (unlikely(!pgt_none(pgt_get(entry))))
		pr_err("BUG: kmap_local_page: slot %u of CPU %u is mapped already\n", n, smp_processor_id());
	pgt_set(entry, kmap_leaf(PFN_PHYS(pfn), prot));
	return slot_pointer(s, n);
}

/* Which of this CPU's open slots an address is in; its count, if in none. */
static unsigned int slot_of(const struct kmap_stack *s, const void *virt)
{
	uintptr_t addr = area_virt(AREA_FIXMAP, virt) & PAGE_MASK;
	uintptr_t n = (s->virt - addr) >> PAGE_SHIFT;

	return n < s->nr ? (unsigned int)n : s->nr;
}

static bool local_unmap(const void *virt)
{
	struct kmap_stack *s;
	unsigned int n;
	uintptr_t addr;

	preempt_disable();
	s = &stacks[smp_processor_id()];
	n = slot_of(s, virt);
	if (unlikely(n == s->nr)) {
		preempt_enable();
		return false;
	}
	if (unlikely(n != s->nr - 1)) {
		pr_err("BUG: kunmap_local(%p): out of order, the page mapped last is at %p\n", virt,
		       slot_pointer(s, s->nr - 1));
		dump_stack();
	}
	/* Whatever was named, the last one goes: as many are open as the caller thinks. */
	n = s->nr - 1;
	addr = s->virt - ((uintptr_t)n << PAGE_SHIFT);
	pgt_set(s->entry - n, 0);
	flush_tlb_kernel_local(addr, addr + PAGE_SIZE);
	barrier();
	s->nr = n;
	preempt_enable();
	preempt_enable(); /* local_map()'s */
	return true;
}

bool kmap_local_pfn_of(const void *virt, unsigned long *pfn)
{
	const struct kmap_stack *s;
	unsigned int n;

	if (!fixmap_ready)
		return false;
	preempt_disable();
	s = &stacks[smp_processor_id()];
	n = slot_of(s, virt);
	if (n < s->nr)
		*pfn = PFN_DOWN(pgt_leaf_phys(0, pgt_get(s->entry - n)));
	preempt_enable();
	return n < s->nr;
}

unsigned int kmap_local_open(unsigned int cpu)
{
	return READ_ONCE(stacks[cpu].nr);
}

static const struct highmem_ops ops = {
	.map = local_map,
	.unmap = local_unmap,
	.address = pkmap_address,
};

int kmap_local_init(void)
{
	uintptr_t room = kernel_areas[AREA_FIXMAP].end - kernel_areas[AREA_FIXMAP].start;

	stacks = memblock_alloc(sizeof(*stacks) * nr_cpu_ids, sizeof(*stacks));
	if (!stacks)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		unsigned int last = first_slot(cpu) + KM_MAX_IDX - 1;

		if ((uintptr_t)last << PAGE_SHIFT > room)
			break;
		stacks[cpu].virt = fixmap_virt(first_slot(cpu));
		stacks[cpu].entry = kmap_entry(stacks[cpu].virt);
		if (!stacks[cpu].entry)
			return -ENOMEM;
	}
	highmem_ops = &ops;
	return 0;
}

void kmap_local_verify(struct findings *f)
{
	for_each_possible_cpu(cpu) {
		const struct kmap_stack *s = &stacks[cpu];

		for (unsigned int n = 0; s->entry && n < KM_MAX_IDX; n++) {
			if (pgt_none(pgt_get(s->entry - n)) == (n < s->nr))
				finding(f, "kmap_local slot %u of CPU %u, of %u open, has entry %#llx", n, cpu, s->nr,
					(unsigned long long)pgt_get(s->entry - n));
		}
	}
}
