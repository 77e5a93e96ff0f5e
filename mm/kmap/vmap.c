// SPDX-License-Identifier: MIT
/* Areas that others map into: vmap(), get_vm_area(); and what is mapped where. The theory stands in vmap_area.c. */
#include <octavo/page.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/page_report.h"
#include "../pgtable/walk.h"
#include "vmap.h"

#define CALLER __builtin_return_address(0)

uintptr_t vmalloc_start(void)
{
	return vmap_state.on ? (uintptr_t)vmap_pointer(kernel_areas[AREA_VMALLOC].start) : 0;
}

uintptr_t vmalloc_end(void)
{
	return vmap_state.on ? (uintptr_t)vmap_pointer(kernel_areas[AREA_VMALLOC].end) : 0;
}

/* ---- Areas ---- */

/* What ioremap() maps may be shown by large leaves if it begins at a multiple of one. */
static size_t align_of(unsigned long size, unsigned long flags)
{
	unsigned int most = PGT_SHIFT(PGT_LEAF_LEVEL_MAX ? PGT_LEAF_LEVEL_MAX : 1);

	if (!(flags & VM_IOREMAP))
		return PAGE_SIZE;
	return (size_t)1 << clamp(fls64(size - 1), PAGE_SHIFT, most);
}

static struct vm_struct *get_area(unsigned long size, unsigned long flags, uintptr_t low, uintptr_t last,
				  const void *caller)
{
	struct vmap_request r = { .low = low, .last = last, .flags = flags, .gfp = GFP_KERNEL, .node = NUMA_NO_NODE,
				  .caller = caller };
	struct vmap_area *area;

	if (!vmap_state.on || !size || size > UINTPTR_MAX - 2 * PAGE_SIZE)
		return NULL;
	r.bytes = ALIGN(size, PAGE_SIZE) + (flags & VM_NO_GUARD ? 0 : PAGE_SIZE);
	r.align = align_of(ALIGN(size, PAGE_SIZE), flags);
	area = vmap_area_get(&r);
	return area ? &area->vm : NULL;
}

struct vm_struct *get_vm_area_caller(unsigned long size, unsigned long flags, const void *caller)
{
	const struct kernel_area *whole = &kernel_areas[AREA_VMALLOC];

	return get_area(size, flags, whole->start, whole->end - 1, caller);
}

struct vm_struct *get_vm_area(unsigned long size, unsigned long flags)
{
	return get_vm_area_caller(size, flags, CALLER);
}

struct vm_struct *__get_vm_area_caller(unsigned long size, unsigned long flags, uintptr_t start, uintptr_t end,
				       const void *caller)
{
	if (start >= end || !is_vmalloc_addr((void *)start) || !is_vmalloc_addr((void *)(end - 1)))
		return NULL;
	return get_area(size, flags, vmap_virt((void *)start), vmap_virt((void *)(end - 1)), caller);
}

struct vm_struct *remove_vm_area(const void *addr)
{
	struct vmap_area *area = vmap_state.on ? vmap_area_claim(addr) : NULL;

	if (!area)
		return NULL;
	(void)pgt_unmap_range(&init_mm, area->start, vmap_usable(area), NULL);
	return &area->vm;
}

void vm_struct_free(struct vm_struct *vm)
{
	if (vm)
		vmap_area_put(container_of(vm, struct vmap_area, vm), true);
}

void free_vm_area(struct vm_struct *vm)
{
	struct vm_struct *removed = vm ? remove_vm_area(vm->addr) : NULL;

	if (removed != vm) {
		pr_err("free_vm_area: %p is no area\n", (const void *)vm);
		dump_stack();
	}
	vm_struct_free(removed);
}

/* ---- vmap ---- */

static void undo(struct vm_struct *vm)
{
	struct vm_struct *removed = remove_vm_area(vm->addr);

	vm_struct_free(removed);
}

void *vmap(struct page **pages, unsigned int nr, unsigned long flags, pgprot_t prot)
{
	struct vm_struct *vm;
	struct vmap_area *area;

	if (flags & (VM_NO_GUARD | VM_FLUSH_RESET_PERMS)) {
		pr_err("vmap: flags %#lx are not for it\n", flags & (VM_NO_GUARD | VM_FLUSH_RESET_PERMS));
		dump_stack();
		if (flags & VM_FLUSH_RESET_PERMS)
			return NULL;
		flags &= ~VM_NO_GUARD;
	}
	if (!nr || nr > totalram_pages())
		return NULL;
	vm = get_vm_area_caller((unsigned long)nr << PAGE_SHIFT, flags & ~VM_ALLOC, CALLER);
	if (!vm)
		return NULL;
	area = container_of(vm, struct vmap_area, vm);
	if (pgt_map_pages(&init_mm, area->start, pages, nr, prot, GFP_KERNEL)) {
		undo(vm);
		return NULL;
	}
	if (flags & VM_MAP_PUT_PAGES) {
		vm->pages = pages;
		vm->nr_pages = nr;
		vmap_pages_adopted(nr);
	}
	return vm->addr;
}

void *vmap_pfn(unsigned long *pfns, unsigned int nr, pgprot_t prot)
{
	struct vm_struct *vm;
	uintptr_t virt;
	unsigned int run;

	for (unsigned int i = 0; i < nr; i++)
		if (pfn_valid(pfns[i])) {
			pr_err("vmap_pfn: frame %#lx has a struct page\n", pfns[i]);
			dump_stack();
			return NULL;
		}
	vm = nr ? get_vm_area_caller((unsigned long)nr << PAGE_SHIFT, VM_IOREMAP, CALLER) : NULL;
	if (!vm)
		return NULL;
	virt = container_of(vm, struct vmap_area, vm)->start;
	prot.bits |= PGPROT_SPECIAL;
	for (unsigned int i = 0; i < nr; i += run) {
		for (run = 1; i + run < nr && pfns[i + run] == pfns[i] + run;)
			run++;
		if (pgt_map_range(&init_mm, virt + ((uintptr_t)i << PAGE_SHIFT), (phys_addr_t)pfns[i] << PAGE_SHIFT,
				  (u64)run << PAGE_SHIFT, prot, 0, GFP_KERNEL)) {
			undo(vm);
			return NULL;
		}
	}
	return vm->addr;
}

void vunmap(const void *addr)
{
	struct vm_struct *vm;

	if (!addr)
		return;
	vm = remove_vm_area(addr);
	if (!vm) {
		pr_err("Trying to vunmap() nonexistent vm area (%p)\n", addr);
		dump_stack();
		return;
	}
	if (vm->flags & VM_MAP_PUT_PAGES)
		vmap_pages_adopted(-(long)vm->nr_pages);
	vm_struct_free(vm);
}

/* ---- What is mapped where ---- */

bool is_vmalloc_addr(const void *p)
{
	return vmap_state.on && area_has(AREA_VMALLOC, vmap_virt(p));
}

bool is_vmalloc_or_module_addr(const void *p)
{
	return is_vmalloc_addr(p);
}

/* The frame number that shows at a pointer; false: none does. */
static bool frame_at(const void *addr, unsigned long *pfn)
{
	uintptr_t virt = vmap_virt(addr);
	pgt_entry_t *entry, value;
	unsigned int level;

	if (!is_vmalloc_addr(addr))
		return false;
	entry = pgt_lookup(&init_mm, virt, &level);
	value = entry ? pgt_get(entry) : 0;
	if (!pgt_present(value) || !pgt_leaf(level, value))
		return false;
	*pfn = (unsigned long)((pgt_leaf_phys(level, value) + (virt & (PGT_SIZE(level) - 1))) >> PAGE_SHIFT);
	return true;
}

struct page *vmalloc_to_page(const void *addr)
{
	unsigned long pfn;

	if (!vmap_state.on)
		return virt_to_page(addr);
	return frame_at(addr, &pfn) && pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
}

unsigned long vmalloc_to_pfn(const void *addr)
{
	struct page *page;
	unsigned long pfn = 0;

	if (!vmap_state.on) {
		page = virt_to_page(addr);
		return page ? page_to_pfn(page) : 0;
	}
	(void)frame_at(addr, &pfn);
	return pfn;
}

/* ---- vread ---- */

/* The page to read from, with a reference: only of areas that are memory, and in use. *@any: there is an area. */
static struct page *page_to_read(const char *addr, bool *any)
{
	uintptr_t virt = vmap_virt(addr);
	struct page *page = NULL;
	struct vmap_area *area;
	unsigned long flags;

	/* Page tables go under this lock. */
	spin_lock_irqsave(&vmap_state.lock, flags);
	area = vmap_area_at(virt);
	if (area && load_acquire(&area->state) == VMAP_BUSY && virt - area->start < vmap_usable(area)) {
		*any = true;
		if (!(area->vm.flags & (VM_IOREMAP | VM_UNINITIALIZED)))
			page = vmalloc_to_page(addr);
	}
	if (page && !get_page_unless_zero(page))
		page = NULL;
	spin_unlock_irqrestore(&vmap_state.lock, flags);
	return page;
}

long vread(char *buf, const char *addr, unsigned long count)
{
	unsigned long some;
	bool any = false;

	if (!vmap_state.on || (uintptr_t)addr + count < (uintptr_t)addr)
		return 0;
	for (unsigned long done = 0; done < count; done += some) {
		const char *at = addr + done;
		unsigned long offset = vmap_virt(at) & ~PAGE_MASK;
		struct page *page = page_to_read(at, &any);

		some = min(PAGE_SIZE - offset, count - done);
		if (page) {
			char *from = kmap_local_page(page);

			memcpy(buf + done, from + offset, some);
			kunmap_local(from);
			put_page(page);
		} else {
			memset(buf + done, 0, some);
		}
	}
	return any ? (long)count : 0;
}
