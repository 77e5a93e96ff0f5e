/* SPDX-License-Identifier: MIT */
/*
 * Pages that the direct map does not show. The frame layer must reach them before there are page tables, and on ports
 * that have none: port_kmap_local() serves then. The kernel's address space (mm/kmap) takes over once it can.
 */
#ifndef MM_PHYS_HIGHMEM_H
#define MM_PHYS_HIGHMEM_H

#include <octavo/page.h>
#include <octavo/pgprot.h>

/**
 * struct highmem_ops - any context
 * @map: a place for a frame, on this CPU; never fails
 * @unmap: give the latest back; false: the address is none of them
 * @address: where kmap() has a page, or NULL
 */
struct highmem_ops {
	void *(*map)(unsigned long pfn, pgprot_t prot);
	bool (*unmap)(const void *virt);
	void *(*address)(const struct page *page);
};
extern const struct highmem_ops *highmem_ops; /* (c) after mm_init(); NULL: the port's */

#endif
