// SPDX-License-Identifier: MIT
/* Areas as rows of /proc/vmallocinfo, and in words for reports of page faults. */
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../pgtable/walk.h"
#include "vmap.h"

/* ---- Rows ---- */

static bool to_row(const struct vmap_area *area, struct vmap_row *row)
{
	u32 state = load_acquire(&area->state);

	if (state != VMAP_BUSY && state != VMAP_LAZY)
		return false;
	*row = (struct vmap_row){ .start = area->start, .end = area->start + area->bytes, .flags = area->vm.flags,
				  .nr_pages = area->vm.nr_pages, .phys = area->vm.phys_addr,
				  .caller = area->vm.caller };
	row->kind = state == VMAP_LAZY ? VMAP_ROW_UNPURGED :
		    load_relaxed(&area->block) || load_relaxed(&area->ram) ? VMAP_ROW_RAM : VMAP_ROW_AREA;
	row->pages_in_vmalloc = area->vm.pages && is_vmalloc_addr(area->vm.pages);
	return true;
}

bool vmap_row_next(uintptr_t from, struct vmap_row *row)
{
	struct vmap_area *area;
	bool found = false;

	if (!vmap_state.on)
		return false;
	rcu_read_lock();
	for (; !found && (area = vmap_area_next(from)) != NULL; from = area->start + area->bytes)
		found = to_row(area, row);
	rcu_read_unlock();
	return found;
}

void vmap_row_nodes(const struct vmap_row *row, unsigned long *pages, unsigned int nodes)
{
	for (unsigned int i = 0; i < nodes; i++)
		pages[i] = 0;
	if (row->flags & VM_UNINITIALIZED)
		return;
	for (unsigned long i = 0; i < row->nr_pages; i++) {
		uintptr_t virt = row->start + ((uintptr_t)i << PAGE_SHIFT);
		struct page *page = NULL;
		struct vmap_area *area;
		unsigned long flags;
		int nid;

		/* The area may have gone since the row was made; page tables go under this lock. */
		spin_lock_irqsave(&vmap_state.lock, flags);
		area = vmap_area_at(virt);
		if (area && area->start == row->start && load_acquire(&area->state) == VMAP_BUSY)
			page = vmalloc_to_page(vmap_pointer(virt));
		nid = page ? page_to_nid(page) : -1;
		spin_unlock_irqrestore(&vmap_state.lock, flags);
		if (nid >= 0 && (unsigned int)nid < nodes)
			pages[nid]++;
	}
}

/* ---- Words ---- */

static const char *kind_of(const struct vmap_area *area)
{
	if (load_relaxed(&area->block) || load_relaxed(&area->ram))
		return "vm_map_ram";
	return area->vm.flags & VM_ALLOC ? "vmalloc" : area->vm.flags & VM_IOREMAP ? "ioremap" : "vmap";
}

static bool describe(uintptr_t virt, struct area_description *d)
{
	struct vmap_area *area;
	const char *where;
	char name[96] = "";
	u32 state;

	rcu_read_lock();
	area = vmap_area_at(virt);
	if (!area) {
		rcu_read_unlock();
		return false;
	}
	state = load_acquire(&area->state);
	d->start = area->start;
	d->end = area->start + vmap_usable(area);
	d->place = virt >= d->end ? PLACE_GUARD : state == VMAP_BUSY ? PLACE_INSIDE : PLACE_HOLE;
	where = virt >= d->end ? "in the guard page behind" : state == VMAP_BUSY ? "in" : "in the freed";
	if (area->vm.caller)
		port_symbol((uintptr_t)area->vm.caller, name, sizeof(name));
	octavo_snprintf(d->text, sizeof(d->text), "%s %#lx-%#lx %s%s %zu bytes%s%s", where, (unsigned long)d->start,
			(unsigned long)d->end, state != VMAP_BUSY && virt >= d->end ? "freed " : "", kind_of(area),
			(size_t)(d->end - d->start), *name ? ", allocated by " : "", name);
	rcu_read_unlock();
	return true;
}

void vmap_show_init(void)
{
	register_area_describer(AREA_VMALLOC, describe);
}
