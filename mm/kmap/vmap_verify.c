// SPDX-License-Identifier: MIT
/* The invariants of vmap_area.c, checked while nobody is at work. */
#include <octavo/page.h>

#include "../base/findings.h"
#include "../pgtable/walk.h"
#include "vmap.h"

struct census {
	struct findings *f;
	unsigned long listed, in_state; /* areas that are lazy or clean, by lists and by states */
	unsigned long alloc_pages;
};

static bool is_mapped(uintptr_t virt)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(&init_mm, virt, &level);

	return entry && pgt_present(pgt_get(entry));
}

static void check_list(struct census *c, const struct vmap_area *area, enum vmap_state state, unsigned int class,
		       unsigned long *pages)
{
	for (; area; area = area->next) {
		c->listed++;
		*pages += area->bytes >> PAGE_SHIFT;
		if (area->state != state || (state == VMAP_CLEAN && area->class != class))
			finding(c->f, "VM-I1: area at %#lx of state %u, class %u is in the list of state %u, class %u",
				(unsigned long)area->start, area->state, area->class, state, class);
	}
}

/* VM-I5 of one CPU. */
static void check_cpu(struct census *c, const struct vmap_cpu *cpu, unsigned int number, unsigned long *counted)
{
	unsigned long lazy = 0, clean = 0;

	check_list(c, cpu->lazy, VMAP_LAZY, 0, &lazy);
	for (unsigned int class = 0; class < VMAP_CLASSES; class++)
		check_list(c, cpu->clean[class], VMAP_CLEAN, class, &clean);
	for (const struct vmap_block *b = cpu->blocks; b; b = vmap_block_next(b))
		lazy += vmap_block_verify(b, c->f);
	if (lazy != cpu->lazy_pages)
		finding(c->f, "VM-I5: CPU %u has %lu lazy pages, and counts %lu", number, lazy, cpu->lazy_pages);
	if (cpu->flushing)
		finding(c->f, "VM-I1: CPU %u has areas that wait for a purge that is over", number);
	*counted += cpu->lazy_counted;
}

static void check_pages(struct census *c, const struct vmap_area *area)
{
	unsigned long nr = vmap_usable(area) >> PAGE_SHIFT;

	if (nr != area->vm.nr_pages)
		finding(c->f, "VM-I3: vmalloc area at %p of %lu pages counts %u", area->vm.addr, nr, area->vm.nr_pages);
	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = vmalloc_to_page((char *)area->vm.addr + (i << PAGE_SHIFT));

		if (!page || page_count(page) < 1)
			finding(c->f, "VM-I3: page %lu of the vmalloc area at %p is %s", i, area->vm.addr,
				page ? "free" : "not mapped");
	}
	c->alloc_pages += nr;
}

static void check_area(struct census *c, const struct range_entry *e)
{
	const struct vmap_area *area = e->value;
	uintptr_t end = area->start + area->bytes;

	if (area->start != e->start || end - 1 != e->last) {
		finding(c->f, "VM-I1: area [%#lx, %#lx) is in the tree at [%#lx, %#lx]", (unsigned long)area->start,
			(unsigned long)end, (unsigned long)e->start, (unsigned long)e->last);
		return;
	}
	if (area->state == VMAP_LAZY || area->state == VMAP_CLEAN) {
		c->in_state++;
		for (uintptr_t at = area->start; at < end; at += PAGE_SIZE)
			if (is_mapped(at))
				finding(c->f, "VM-I2: %#lx is mapped, and free", (unsigned long)at);
		return;
	}
	if (area->state != VMAP_BUSY && area->state != VMAP_LEAVING)
		finding(c->f, "VM-I1: area at %#lx of state %u is in the tree", (unsigned long)area->start,
			area->state);
	if (area->block || area->state != VMAP_BUSY)
		return;
	if (!(area->vm.flags & VM_NO_GUARD) && is_mapped(end - PAGE_SIZE))
		finding(c->f, "VM-I2: the guard page at %#lx is mapped", (unsigned long)(end - PAGE_SIZE));
	if (area->vm.flags & VM_ALLOC)
		check_pages(c, area);
	else
		c->alloc_pages += area->vm.nr_pages;
}

unsigned int vmap_verify(struct findings *f)
{
	struct census c = { .f = f };
	unsigned int before = f->n;
	unsigned long counted = 0;
	struct range_entry e;

	if (!vmap_state.on)
		return 0;
	f->n += range_tree_verify(&vmap_state.tree);
	for_each_possible_cpu(cpu)
		if (vmap_cpu_of(cpu))
			check_cpu(&c, vmap_cpu_of(cpu), cpu, &counted);
	for (uintptr_t at = 0; range_tree_next(&vmap_state.tree, at, &e); at = e.last + 1)
		check_area(&c, &e);
	if (c.listed != c.in_state)
		finding(f, "VM-I1: %lu areas are lazy or clean, %lu are in lists", c.in_state, c.listed);
	if (counted != vmap_state.lazy_pages)
		finding(f, "VM-I5: CPUs have counted %lu lazy pages, the sum says %lu", counted, vmap_state.lazy_pages);
	if (c.alloc_pages != vmalloc_nr_pages() && !vmap_state.deferred)
		finding(f, "VM-I5: areas have %lu pages, the counter says %lu", c.alloc_pages, vmalloc_nr_pages());
	return f->n - before;
}
