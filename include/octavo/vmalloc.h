/* SPDX-License-Identifier: MIT */
/*
 * Memory that is contiguous for the kernel and nowhere else: vmalloc() and what else lives in its part of the address
 * space. Names, flags and meanings are Linux 6.12's (<linux/vmalloc.h>).
 *
 * Where the core has no page tables (bootinfo.page_tables), vmalloc() gives contiguous memory of the heap, as Linux
 * does without an MMU, and what maps pages fails.
 */
#ifndef OCTAVO_VMALLOC_H
#define OCTAVO_VMALLOC_H

#include <octavo/gfp.h>
#include <octavo/pgprot.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* What an area is, and how it was asked for. */
#define VM_IOREMAP 0x1ul		/* ioremap() and its like */
#define VM_ALLOC 0x2ul			/* vmalloc() */
#define VM_MAP 0x4ul			/* vmap() */
#define VM_USERMAP 0x8ul		/* fit to be mapped for user mode */
#define VM_DMA_COHERENT 0x10ul		/* of a DMA allocator */
#define VM_UNINITIALIZED 0x20ul		/* under construction: files do not show its pages */
#define VM_NO_GUARD 0x40ul		/* no guard page behind it */
#define VM_FLUSH_RESET_PERMS 0x100ul	/* its translations are gone from all TLBs before its pages are free */
#define VM_MAP_PUT_PAGES 0x200ul	/* vfree() releases pages and the array of vmap() */
#define VM_ALLOW_HUGE_VMAP 0x400ul	/* may be mapped by large leaves */

/**
 * struct vm_struct - one area of the vmalloc part of the address space
 * @next: nothing; for its owner
 * @addr: where it begins, as a pointer
 * @size: bytes, guard page included
 * @flags: VM_*
 * @pages: of areas made by vmap() with VM_MAP_PUT_PAGES; those of vmalloc() are found by vmalloc_to_page()
 * @page_order: of the pages it was made of
 * @nr_pages: pages that are freed with it
 * @phys_addr: what ioremap() maps
 * @caller: who asked for it
 */
struct vm_struct {
	struct vm_struct *next;
	void *addr;
	unsigned long size;
	unsigned long flags;
	struct page **pages;
	unsigned int page_order;
	unsigned int nr_pages;
	phys_addr_t phys_addr;
	const void *caller;
};

/** vmalloc_start, vmalloc_end - the area as pointers; both 0 without page tables. VMALLOC_START, VMALLOC_END */
OCTAVO_API uintptr_t vmalloc_start(void);
OCTAVO_API uintptr_t vmalloc_end(void);
#define VMALLOC_START vmalloc_start()
#define VMALLOC_END vmalloc_end()

/* ---- Allocation ---- */

/**
 * vmalloc - memory of whole pages that need not be neighbours
 * @size: bytes; rounded up to pages. A guard page, which faults, lies behind.
 * Context: may sleep. Return: page aligned; NULL after a report: no memory, or no room in the address space.
 */
OCTAVO_API void *__must_check vmalloc(unsigned long size);
/** vzalloc - the same, zeroed */
OCTAVO_API void *__must_check vzalloc(unsigned long size);
/** vmalloc_node, vzalloc_node - from @node first; NUMA_NO_NODE: this CPU's */
OCTAVO_API void *__must_check vmalloc_node(unsigned long size, int node);
OCTAVO_API void *__must_check vzalloc_node(unsigned long size, int node);
/** vmalloc_32 - of pages that 32 bits address; vmalloc_32_user: zeroed, fit to be mapped for user mode */
OCTAVO_API void *__must_check vmalloc_32(unsigned long size);
OCTAVO_API void *__must_check vmalloc_32_user(unsigned long size);
/** vmalloc_user - zeroed, fit to be mapped for user mode (VM_USERMAP) */
OCTAVO_API void *__must_check vmalloc_user(unsigned long size);
/** vmalloc_huge - by large leaves as far as size, memory and processor permit */
OCTAVO_API void *__must_check vmalloc_huge(unsigned long size, gfp_t gfp);

/**
 * __vmalloc - with GFP flags
 * @gfp: how pages are got; __GFP_ZERO, __GFP_NOWARN, __GFP_NOFAIL, zone modifiers (none: any zone, HighMem included)
 * Context: by @gfp: with __GFP_DIRECT_RECLAIM it may sleep. Without it, it works in any context that may take pages,
 *          but makes no use of freed addresses that some TLB may still know.
 */
OCTAVO_API void *__must_check __vmalloc(unsigned long size, gfp_t gfp);
OCTAVO_API void *__must_check __vmalloc_node(unsigned long size, unsigned long align, gfp_t gfp, int node,
					     const void *caller);
/**
 * __vmalloc_node_range - with everything
 * @align: a power of two
 * @start, @end: pointers between which it is to lie (VMALLOC_START, VMALLOC_END)
 * @prot: PAGE_KERNEL, say
 * @vm_flags: VM_* beside VM_ALLOC
 */
OCTAVO_API void *__must_check __vmalloc_node_range(unsigned long size, unsigned long align, uintptr_t start,
						   uintptr_t end, gfp_t gfp, pgprot_t prot, unsigned long vm_flags,
						   int node, const void *caller);

/** vrealloc - another size; contents up to the smaller one stay. NULL @p: vmalloc(); @size 0: vfree(), NULL. */
OCTAVO_API void *__must_check vrealloc(const void *p, size_t size, gfp_t gfp);

/**
 * vfree - free what vmalloc() gave, or vmap() with VM_MAP_PUT_PAGES
 * @addr: NULL: nothing. What is not the start of such an area is reported and left alone.
 * The pages are free at once; the addresses when every TLB has been flushed, at a later allocation that may sleep.
 * Context: any, interrupts and spinlocks included; for an area with VM_FLUSH_RESET_PERMS, whose rights must be back to
 * what they were, thread context with interrupts on and no spinlock held.
 */
OCTAVO_API void vfree(const void *addr);
/** vfree_atomic - the same in a time that does not depend on the size: the next vmalloc(), vfree() does the work */
OCTAVO_API void vfree_atomic(const void *addr);

/* ---- Mapping what exists ---- */

/**
 * vmap - show pages one behind the other
 * @flags: VM_MAP; VM_MAP_PUT_PAGES: vfree() drops a reference of each page and kvfree()s the array
 * Context: may sleep. Return: NULL: no memory or room, or @nr is 0 or more than all memory.
 */
OCTAVO_API void *__must_check vmap(struct page **pages, unsigned int nr, unsigned long flags, pgprot_t prot);
/** vmap_pfn - the same for frames without a struct page; one that has one is refused */
OCTAVO_API void *__must_check vmap_pfn(unsigned long *pfns, unsigned int nr, pgprot_t prot);
/** vunmap - undo vmap(). Context: any. */
OCTAVO_API void vunmap(const void *addr);

/**
 * vm_map_ram - vmap() for a short time and few pages: from a block of address space that this CPU keeps
 * @node: where what describes it is allocated
 * Context: may sleep. Return: as vmap(). Undone by vm_unmap_ram() with the same @nr, in any context.
 */
OCTAVO_API void *__must_check vm_map_ram(struct page **pages, unsigned int nr, int node);
OCTAVO_API void vm_unmap_ram(const void *mem, unsigned int nr);

/**
 * vm_unmap_aliases - from now on no TLB leads through this area to pages that are not mapped there any more
 * Context: thread context, interrupts on, no spinlock.
 */
OCTAVO_API void vm_unmap_aliases(void);

/* ---- Areas ---- */

/**
 * get_vm_area - a stretch of the address space, with a guard page behind it, to map something into
 * @flags: VM_IOREMAP (aligned to its size, as far as that makes sense), VM_MAP, VM_NO_GUARD ...
 * Context: may sleep. Return: NULL: no memory or room. get_vm_area_caller: @caller is shown in /proc/vmallocinfo;
 * __get_vm_area_caller: between pointers @start and @end.
 */
OCTAVO_API struct vm_struct *__must_check get_vm_area(unsigned long size, unsigned long flags);
OCTAVO_API struct vm_struct *__must_check get_vm_area_caller(unsigned long size, unsigned long flags,
							     const void *caller);
OCTAVO_API struct vm_struct *__must_check __get_vm_area_caller(unsigned long size, unsigned long flags,
							       uintptr_t start, uintptr_t end, const void *caller);
/** free_vm_area - unmap what is mapped in it and give it back. Context: any. */
OCTAVO_API void free_vm_area(struct vm_struct *area);
/**
 * remove_vm_area - unmap an area
 * Context: any. Return: its description, which the caller gives back with vm_struct_free() (Linux: kfree()); the
 * addresses are taken until then. NULL: no area begins at @addr.
 */
OCTAVO_API struct vm_struct *__must_check remove_vm_area(const void *addr);
OCTAVO_API void vm_struct_free(struct vm_struct *area);
/** find_vm_area - the area that begins at @addr; NULL: none. Context: any; it is there as long as nobody frees it. */
OCTAVO_API struct vm_struct *find_vm_area(const void *addr);

/** get_vm_area_size - bytes that can be used, without the guard page */
static inline size_t get_vm_area_size(const struct vm_struct *area)
{
	return area->flags & VM_NO_GUARD ? area->size : area->size - PAGE_SIZE;
}

/** is_vmalloc_addr - is it an address of this part of the address space? Context: any. */
OCTAVO_API bool is_vmalloc_addr(const void *p);
/** is_vmalloc_or_module_addr - the same: modules have no part of their own */
OCTAVO_API bool is_vmalloc_or_module_addr(const void *p);
/** vmalloc_to_page, vmalloc_to_pfn - what is mapped there; NULL, 0: nothing. Context: any. */
OCTAVO_API struct page *vmalloc_to_page(const void *addr);
OCTAVO_API unsigned long vmalloc_to_pfn(const void *addr);
/** vmalloc_nr_pages - pages that all of vmalloc() has */
OCTAVO_API unsigned long vmalloc_nr_pages(void);

/**
 * vread - copy from anywhere in this part of the address space, without a fault
 * What is not mapped, or is not memory, reads as zeroes. Context: thread context.
 * Return: bytes up to the last area that lies in it at least in part; 0: there is none.
 */
OCTAVO_API long vread(char *buf, const char *addr, unsigned long count);

OCTAVO_END_DECLS
#endif
