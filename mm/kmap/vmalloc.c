// SPDX-License-Identifier: MIT
/*
 * vmalloc() and vfree(): pages into an area, and out of it again. The theory stands in vmap_area.c.
 *
 * Pages come and go in batches: one call of the page allocator and one of the walker for each. Which pages an area has
 * is read from the page tables when it is freed.
 */
#include <octavo/kmemleak.h>
#include <octavo/percpu.h>
#include <octavo/slab.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/page_alloc.h"
#include "../phys/page_report.h"
#include "../phys/slowpath.h"
#include "../pgtable/walk.h"
#include "../slab/slab.h"
#include "vmap.h"

#define CALLER __builtin_return_address(0)
#define BATCH 64u

/* Pages of all areas, less those freed on this CPU: only the sum means anything. */
static DEFINE_PER_CPU(long, pages_balance);

unsigned long vmalloc_nr_pages(void)
{
	long sum = 0;

	for_each_possible_cpu(cpu)
		if (vmap_cpu_of(cpu))
			sum += READ_ONCE(per_cpu(pages_balance, cpu));
	return sum < 0 ? 0 : (unsigned long)sum;
}

void vmap_pages_adopted(long nr)
{
	this_cpu_add(pages_balance, nr);
}

/* ---- Filling ---- */

static unsigned int get_pages(struct page **pages, unsigned int nr, gfp_t gfp, int node)
{
	if (nr == 1) {
		pages[0] = alloc_pages_node(node, gfp, 0);
		return pages[0] ? 1 : 0;
	}
	for (unsigned int i = 0; i < nr; i++)
		pages[i] = NULL;
	return (unsigned int)alloc_pages_bulk_node(gfp, node, nr, pages);
}

/* What an area is to be filled with. */
struct filling {
	struct vmap_area *area;
	unsigned long nr, done;
	pgprot_t prot;
	gfp_t gfp;
	int node;
	const char *failed; /* what went wrong */
};

#define GFP_TABLE_MASK (GFP_KERNEL | __GFP_HIGH | __GFP_NOWARN | __GFP_NOFAIL)

/* Where the area's entries are known, and have nothing in them. false: the walker is to do it. */
static bool map_at_once(const struct filling *f, struct page *const *pages, unsigned int nr)
{
	pgt_entry_t *entry = f->area->entry, zero = vmap_state.leaf_zero, step = vmap_state.leaf_step;

	if (!entry || f->prot.bits != PGPROT_KERNEL_RW)
		return false;
	entry += f->done;
	for (unsigned int i = 0; i < nr; i++)
		if (unlikely(!pgt_none(pgt_get(entry + i))))
			return false;
	for (unsigned int i = 0; i < nr; i++)
		pgt_fill(entry + i, zero + (pgt_entry_t)page_to_pfn(pages[i]) * step);
	return true;
}

static bool fill_some(struct filling *f)
{
	struct page *pages[BATCH];
	unsigned int want = (unsigned int)min(f->nr - f->done, (unsigned long)BATCH), got;
	uintptr_t virt = f->area->start + (f->done << PAGE_SHIFT);

	got = get_pages(pages, want, f->gfp | __GFP_NOWARN, f->node);
	if (got && !map_at_once(f, pages, got) &&
	    pgt_map_pages(&init_mm, virt, pages, got, f->prot, f->gfp & GFP_TABLE_MASK)) {
		free_page_array(pages, got);
		f->failed = "failed to map pages";
		return false;
	}
	f->done += got;
	if (got == want)
		return true;
	f->failed = "failed to allocate pages";
	return false;
}

/* By leaves of 1 << @level; what does not come so is left to fill_some(). */
static void fill_large(struct filling *f, unsigned int level)
{
	unsigned int order = level * PGT_TABLE_BITS;
	const gfp_t gfp = (f->gfp | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_NOFAIL;

	while (f->nr - f->done >= 1ul << order) {
		uintptr_t virt = f->area->start + (f->done << PAGE_SHIFT);
		struct page *page = alloc_pages_node(f->node, gfp, order);

		if (!page)
			return;
		split_page(page, order);
		if (pgt_map_range(&init_mm, virt, (phys_addr_t)page_to_pfn(page) << PAGE_SHIFT, PGT_SIZE(level),
				  f->prot, level, f->gfp & GFP_TABLE_MASK)) {
			for (unsigned long i = 0; i < 1ul << order; i++)
				__free_pages(page + i, 0);
			return;
		}
		f->area->vm.page_order = order;
		f->done += 1ul << order;
	}
}

/* ---- Emptying ---- */

/* The pages that go: at once, or with @wait, linked, when their translations have been flushed. */
struct emptying {
	struct page *chain;
	unsigned long pages;
	bool wait;
};

static void let_go(struct emptying *e, struct page *const *pages, unsigned int nr)
{
	e->pages += nr;
	if (likely(!e->wait)) {
		free_page_array(pages, nr);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		pages[i]->private_data = (uintptr_t)e->chain;
		e->chain = pages[i];
	}
}

static struct page *leaf_page(unsigned int level, pgt_entry_t leaf)
{
	return pfn_to_page((unsigned long)(pgt_leaf_phys(level, leaf) >> PAGE_SHIFT));
}

static void empty_large(struct emptying *e, uintptr_t virt, unsigned int level, struct page *page)
{
	(void)pgt_unmap_range(&init_mm, virt, PGT_SIZE(level), NULL);
	for (unsigned long i = 0; i < PGT_SIZE(level) >> PAGE_SHIFT; i++) {
		struct page *one = page + i;

		let_go(e, &one, 1);
	}
}

/* Some of the present entries from @entry on, at most @most. */
static unsigned int empty_entries(struct emptying *e, pgt_entry_t *entry, unsigned int most)
{
	struct page *pages[BATCH];
	unsigned int nr;

	most = min(most, BATCH);
	for (nr = 0; nr < most; nr++) {
		pgt_entry_t value = pgt_get(entry + nr);

		if (unlikely(!pgt_present(value)))
			break;
		pages[nr] = leaf_page(0, value);
		pgt_wipe(entry + nr);
	}
	let_go(e, pages, nr);
	return nr;
}

/* One table's worth at most. Return: bytes done. */
static u64 empty_some(struct emptying *e, uintptr_t virt, uintptr_t end)
{
	unsigned int level, most;
	pgt_entry_t *entry = pgt_lookup(&init_mm, virt, &level), value = entry ? pgt_get(entry) : 0;

	if (!pgt_present(value))
		return min(PGT_SIZE(level) - (virt & (PGT_SIZE(level) - 1)), (u64)(end - virt));
	if (level) {
		empty_large(e, virt, level, leaf_page(level, value));
		return PGT_SIZE(level);
	}
	most = PGT_ENTRIES(0) - pgt_index(0, virt);
	most = (unsigned int)min((unsigned long)most, (unsigned long)(end - virt) >> PAGE_SHIFT);
	return (u64)empty_entries(e, entry, most) << PAGE_SHIFT;
}

static void free_waiting(struct emptying *e)
{
	while (e->chain) {
		struct page *page = e->chain;

		e->chain = (struct page *)(uintptr_t)page->private_data;
		page->private_data = 0;
		__free_pages(page, 0);
	}
}

static void free_pages_of(struct vmap_area *area)
{
	unsigned int nr = (unsigned int)(vmap_usable(area) >> PAGE_SHIFT), done, some;
	uintptr_t virt = area->start, end = virt + vmap_usable(area);
	struct emptying e = { .wait = area->vm.flags & VM_FLUSH_RESET_PERMS };

	if (likely(area->entry)) {
		for (done = 0; done < nr && (some = empty_entries(&e, area->entry + done, nr - done)) != 0;)
			done += some;
	} else {
		while (virt < end)
			virt += (uintptr_t)empty_some(&e, virt, end);
	}
	if (unlikely(e.wait)) {
		if (vmap_flush(area->start, end))
			free_waiting(&e);
		else
			pr_err("vfree: %lu pages stay out of use, as not every CPU could be told\n", e.pages);
	}
	if (e.pages)
		this_cpu_sub(pages_balance, (long)e.pages);
}

void vmap_area_empty(struct vmap_area *area)
{
	struct page **pages = area->vm.pages;

	if (area->vm.flags & VM_ALLOC) {
		free_pages_of(area);
		return;
	}
	(void)pgt_unmap_range(&init_mm, area->start, vmap_usable(area), NULL);
	if (area->vm.flags & VM_MAP_PUT_PAGES && pages) {
		this_cpu_sub(pages_balance, (long)area->vm.nr_pages);
		free_page_array(pages, area->vm.nr_pages);
		kvfree(pages);
	}
}

/* ---- vmalloc ---- */

static void *fail(unsigned long size, gfp_t gfp, const char *what)
{
	char text[96];

	octavo_snprintf(text, sizeof(text), "vmalloc error: size %lu, %s", size, what);
	warn_alloc_text(gfp, NULL, text);
	return NULL;
}

static bool fill(struct filling *f, unsigned int level)
{
	unsigned long before = f->done;

	if (level)
		fill_large(f, level);
	while (f->done < f->nr && fill_some(f))
		;
	this_cpu_add(pages_balance, (long)(f->done - before));
	return f->done == f->nr;
}

/* The tables of an area stay as long as it is in the tree. */
static noinline void note_entries(struct vmap_area *area)
{
	unsigned long pages = vmap_usable(area) >> PAGE_SHIFT;
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(&init_mm, area->start, &level);

	if (entry && !level && pgt_index(0, area->start) + pages <= PGT_ENTRIES(0))
		area->entry = entry;
}

static void *finish(struct vmap_area *area, unsigned long size, gfp_t gfp)
{
	if (unlikely(!area->entry && area->class < VMAP_CLASSES))
		note_entries(area);
	area->vm.nr_pages = (unsigned int)(vmap_usable(area) >> PAGE_SHIFT);
	kmemleak_vmalloc(&area->vm, area->vm.addr, size, gfp);
	return area->vm.addr;
}

static void *fill_and_finish(struct filling *f, unsigned long size, unsigned int level)
{
	if (likely(fill(f, level)))
		return finish(f->area, size, f->gfp);
	store_relaxed(&f->area->state, VMAP_LEAVING);
	vmap_area_empty(f->area);
	vmap_area_put(f->area, true);
	return NULL;
}

/* Zones are the pages' only; whatever is not asked for otherwise may be high memory. */
static gfp_t page_gfp(gfp_t gfp)
{
	return gfp & (__GFP_DMA | __GFP_DMA32) ? gfp : gfp | __GFP_HIGHMEM;
}

static void *allocate(struct vmap_request *r, unsigned long size, pgprot_t prot, unsigned int level)
{
	struct filling f = { .nr = ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT, .prot = prot, .gfp = page_gfp(r->gfp),
			     .node = r->node };
	gfp_t gfp = r->gfp;
	void *p;

	if (level)
		r->gfp |= __GFP_NOWARN;
	f.area = vmap_area_get(r);
	if (unlikely(!f.area))
		return level ? NULL : fail(size, gfp, "vm_struct allocation failed");
	p = fill_and_finish(&f, size, level);
	return p || level ? p : fail(size, gfp, f.failed);
}

/* From an area that this CPU has at hand. NULL: there is none, or no memory, which the long way will tell. */
static void *allocate_at_hand(unsigned long size, gfp_t gfp, unsigned long vm_flags, int node, const void *caller)
{
	struct filling f = { .nr = ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT, .prot = PAGE_KERNEL, .gfp = page_gfp(gfp),
			     .node = node };
	unsigned int class = vmap_class(f.nr);

	f.area = class < VMAP_CLASSES ? vmap_area_take(class, vm_flags, gfp, caller) : NULL;
	return f.area ? fill_and_finish(&f, size, 0) : NULL;
}

/* Without page tables. */
static void *allocate_contiguous(unsigned long size, gfp_t gfp, int node)
{
	return kmalloc_node(size, (gfp & ~__GFP_HIGHMEM) | __GFP_COMP, node);
}

/* The largest leaf that an allocation may be made of. */
static unsigned int large_level(unsigned long size, unsigned long flags)
{
	if (!(flags & VM_ALLOW_HUGE_VMAP) || !(pgt_leaf_levels & 2) || size < PGT_SIZE(1) ||
	    PGT_TABLE_BITS > MAX_PAGE_ORDER)
		return 0;
	return 1;
}

/* Below it the page allocator will tell. */
#define TOTAL_CHECK (4ul << 20)

static void *allocate_in(unsigned long size, struct vmap_request *r, pgprot_t prot)
{
	unsigned int level = large_level(size, r->flags);
	const struct vmap_request asked = *r;
	void *p;

	if (unlikely(!size || size > UINTPTR_MAX - 2 * PAGE_SIZE))
		return size ? fail(size, r->gfp, "exceeds total pages") : NULL;
	if (unlikely(!vmap_state.on))
		return allocate_contiguous(size, r->gfp, r->node);
	if (unlikely(size > TOTAL_CHECK && ALIGN(size, PAGE_SIZE) >> PAGE_SHIFT > totalram_pages()))
		return fail(size, r->gfp, "exceeds total pages");
	for (;; level = 0, *r = asked) {
		r->bytes = ALIGN(size, PAGE_SIZE) + (r->flags & VM_NO_GUARD ? 0 : PAGE_SIZE);
		if (level)
			r->align = max(r->align, (size_t)PGT_SIZE(level));
		p = allocate(r, size, prot, level);
		if (p || (!level && !(r->gfp & __GFP_NOFAIL)))
			return p;
	}
}

void *__vmalloc_node_range(unsigned long size, unsigned long align, uintptr_t start, uintptr_t end, gfp_t gfp,
			   pgprot_t prot, unsigned long vm_flags, int node, const void *caller)
{
	struct vmap_request r = { .align = max(align, PAGE_SIZE), .low = vmap_virt((void *)start),
				  .last = vmap_virt((void *)(end - 1)), .flags = vm_flags | VM_ALLOC, .gfp = gfp,
				  .node = node, .caller = caller };

	if (vmap_state.on && (align & (align - 1) || !is_vmalloc_addr((void *)start) ||
			      !is_vmalloc_addr((void *)(end - 1)) || start >= end)) {
		pr_err("vmalloc: alignment %lu between %#lx and %#lx makes no sense\n", align, (unsigned long)start,
		       (unsigned long)end);
		return NULL;
	}
	return allocate_in(size, &r, prot);
}

/* Areas that vfree_atomic() left for the next who comes by. */
static void free_deferred(void);

static void *allocate_anywhere(unsigned long size, unsigned long align, gfp_t gfp, unsigned long vm_flags, int node,
			       const void *caller)
{
	const struct kernel_area *whole = &kernel_areas[AREA_VMALLOC];
	struct vmap_request r = { .align = max(align, PAGE_SIZE), .low = whole->start, .last = whole->end - 1,
				  .flags = vm_flags | VM_ALLOC, .gfp = gfp, .node = node, .caller = caller };

	if (unlikely(load_relaxed(&vmap_state.deferred)) && gfp & __GFP_DIRECT_RECLAIM)
		free_deferred();
	if (likely(size - 1 < 256 * PAGE_SIZE && align <= PAGE_SIZE && vmap_state.on)) {
		void *p = allocate_at_hand(size, gfp, r.flags, node, caller);

		if (likely(p))
			return p;
	}
	return allocate_in(size, &r, PAGE_KERNEL);
}

void *__vmalloc_node(unsigned long size, unsigned long align, gfp_t gfp, int node, const void *caller)
{
	return allocate_anywhere(size, align, gfp, 0, node, caller);
}

void *__vmalloc(unsigned long size, gfp_t gfp)
{
	return allocate_anywhere(size, 1, gfp, 0, NUMA_NO_NODE, CALLER);
}

void *vmalloc(unsigned long size)
{
	return allocate_anywhere(size, 1, GFP_KERNEL, 0, NUMA_NO_NODE, CALLER);
}

void *vzalloc(unsigned long size)
{
	return allocate_anywhere(size, 1, GFP_KERNEL | __GFP_ZERO, 0, NUMA_NO_NODE, CALLER);
}

void *vmalloc_node(unsigned long size, int node)
{
	return allocate_anywhere(size, 1, GFP_KERNEL, 0, node, CALLER);
}

void *vzalloc_node(unsigned long size, int node)
{
	return allocate_anywhere(size, 1, GFP_KERNEL | __GFP_ZERO, 0, node, CALLER);
}

void *vmalloc_32(unsigned long size)
{
	return allocate_anywhere(size, 1, GFP_KERNEL | __GFP_DMA32, 0, NUMA_NO_NODE, CALLER);
}

void *vmalloc_32_user(unsigned long size)
{
	return allocate_anywhere(size, 1, GFP_KERNEL | __GFP_DMA32 | __GFP_ZERO, VM_USERMAP, NUMA_NO_NODE, CALLER);
}

void *vmalloc_user(unsigned long size)
{
	return allocate_anywhere(size, 1, GFP_KERNEL | __GFP_ZERO, VM_USERMAP, NUMA_NO_NODE, CALLER);
}

void *vmalloc_huge(unsigned long size, gfp_t gfp)
{
	return allocate_anywhere(size, 1, gfp, VM_ALLOW_HUGE_VMAP, NUMA_NO_NODE, CALLER);
}

/* ---- vfree ---- */

static void free_claimed(struct vmap_area *area)
{
	vmap_area_empty(area);
	vmap_area_put(area, true);
}

static void complain(const void *addr)
{
	pr_err(vmap_virt(addr) & ~PAGE_MASK ? "Trying to vfree() bad address (%p)\n" :
					      "Trying to vfree() nonexistent vm area (%p)\n", addr);
	dump_stack();
}

static void free_deferred(void)
{
	struct vmap_area *area = atomic_xchg(&vmap_state.deferred, NULL), *next;

	for (; area; area = next) {
		next = area->next;
		free_claimed(area);
	}
}

/* The area of @addr, which is the caller's now; NULL: reported, or nothing is left to do. */
static struct vmap_area *claim(const void *addr)
{
	struct vmap_area *area;

	if (unlikely(!vmap_state.on)) {
		kfree(addr);
		return NULL;
	}
	area = vmap_area_claim(addr);
	if (unlikely(!area)) {
		complain(addr);
		return NULL;
	}
	kmemleak_free(addr);
	return area;
}

void vfree(const void *addr)
{
	struct vmap_area *area;

	if (!addr)
		return;
	area = claim(addr);
	if (likely(area))
		free_claimed(area);
	if (unlikely(load_relaxed(&vmap_state.deferred)))
		free_deferred();
}

void vfree_atomic(const void *addr)
{
	struct vmap_area *area = addr ? claim(addr) : NULL, *first;

	if (!area)
		return;
	/* Once it is in, somebody may take it: it is not to be looked at again. */
	do {
		first = load_relaxed(&vmap_state.deferred);
		area->next = first;
	} while (atomic_cmpxchg(&vmap_state.deferred, first, area) != first);
}

void *vrealloc(const void *p, size_t size, gfp_t gfp)
{
	const struct vm_struct *area;
	size_t old = 0;
	void *now;

	if (!size) {
		vfree(p);
		return NULL;
	}
	if (p && vmap_state.on) {
		area = find_vm_area(p);
		if (!area) {
			pr_err("Trying to vrealloc() nonexistent vm area (%p)\n", p);
			dump_stack();
			return NULL;
		}
		old = get_vm_area_size(area);
	} else if (p) {
		old = ksize(p);
	}
	if (p && size <= old) {
		if (gfp & __GFP_ZERO)
			memset((char *)p + size, 0, old - size);
		return (void *)(uintptr_t)p;
	}
	now = allocate_anywhere(size, 1, gfp, 0, NUMA_NO_NODE, CALLER);
	if (now && p) {
		memcpy(now, p, old);
		vfree(p);
	}
	return now;
}

/* ---- kvmalloc ---- */

static void *kv_alloc(size_t size, gfp_t gfp, int node)
{
	return allocate_anywhere(size, 1, gfp, VM_ALLOW_HUGE_VMAP, node, CALLER);
}

static size_t kv_size(const void *p)
{
	const struct vm_struct *area = find_vm_area(p);

	return area ? get_vm_area_size(area) : 0;
}

static const struct kvmalloc_ops kv_ops = {
	.alloc = kv_alloc, .free = vfree, .owns = is_vmalloc_addr, .size = kv_size
};

/* Guard pages count as part of an area: a copy that begins or ends there faults. */
static bool copy_bounds(const void *ptr, size_t n, const char **name, size_t *offset)
{
	uintptr_t virt = vmap_virt(ptr);
	struct vmap_area *area;
	bool ok = true;

	if (!is_vmalloc_addr(ptr))
		return true;
	rcu_read_lock();
	area = vmap_area_at(virt);
	if (!area || load_acquire(&area->state) != VMAP_BUSY) {
		*name = "no area";
		ok = false;
	} else if (n > area->bytes - (virt - area->start)) {
		*offset = virt - area->start;
		ok = false;
	}
	rcu_read_unlock();
	return ok;
}

int vmalloc_init(void)
{
	register_kvmalloc_ops(&kv_ops);
	usercopy_register_vmalloc(copy_bounds);
	vmap_show_init();
	return 0;
}
