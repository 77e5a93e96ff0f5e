/* SPDX-License-Identifier: MIT */
/*
 * Rights and cache modes of the kernel's own mappings.
 *
 * A range is given by a pointer to its first page, as a number, and a count of pages: of the direct map, the image,
 * or a vmalloc area. The same frames' other kernel mappings follow where they must: the direct map and the image are
 * each other's alias, and the direct map is that of what vmalloc() maps. Rights to write, presence and cache mode
 * follow; permission to execute never does.
 *
 * Large pages are split as needed, and joined again when what they were split for is gone. All CPUs' TLBs are flushed
 * before a function returns. Nothing may become writable and executable: that is refused.
 *
 * Context of all but set_direct_map_*(): thread context, interrupts on. Return: 0; -EINVAL (not a whole number of
 * mapped pages of one such area), -EACCES (writable and executable), -ENOMEM (no memory to split a large page).
 * On an error everything is as it was. Without page tables (bootinfo.page_tables) they check nothing, change nothing,
 * and return 0.
 *
 * Caches are not told of a new cache mode: processors that find old lines of it by snooping themselves need not be
 * (x86: CPUID.1:EDX.SS).
 */
#ifndef OCTAVO_SET_MEMORY_H
#define OCTAVO_SET_MEMORY_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct page;

/** set_memory_ro, set_memory_rw - writes are refused; are allowed */
OCTAVO_API int __must_check set_memory_ro(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_rw(unsigned long addr, int numpages);
/** set_memory_x, set_memory_nx - it can be executed; cannot */
OCTAVO_API int __must_check set_memory_x(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_nx(unsigned long addr, int numpages);
/** set_memory_rox - both at once: what was writable is executable and writable at no moment */
OCTAVO_API int __must_check set_memory_rox(unsigned long addr, int numpages);
/** set_memory_np, set_memory_p - every access faults; the mapping is as before */
OCTAVO_API int __must_check set_memory_np(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_p(unsigned long addr, int numpages);
/** set_memory_4k - in pages of 4 KiB from now on, so that single ones can be changed without memory */
OCTAVO_API int __must_check set_memory_4k(unsigned long addr, int numpages);

/** set_memory_uc, set_memory_wc, set_memory_wt, set_memory_wb - cache mode; back to write back */
OCTAVO_API int __must_check set_memory_uc(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_wc(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_wt(unsigned long addr, int numpages);
OCTAVO_API int __must_check set_memory_wb(unsigned long addr, int numpages);

/** set_pages_uc and its like - the same of frames where the direct map shows them; high memory it does not: 0 */
OCTAVO_API int __must_check set_pages_uc(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_wc(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_wb(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_ro(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_rw(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_np(struct page *page, int numpages);
OCTAVO_API int __must_check set_pages_p(struct page *page, int numpages);

/**
 * set_direct_map_invalid_noflush, set_direct_map_default_noflush - take a page out of the direct map; put it back as
 * it was made set_direct_map_valid_noflush - @nr pages, out or in, by @valid The caller flushes (and must, before it
 * relies on a page being out). Context: thread context.
 */
OCTAVO_API int __must_check set_direct_map_invalid_noflush(struct page *page);
OCTAVO_API int __must_check set_direct_map_default_noflush(struct page *page);
OCTAVO_API int __must_check set_direct_map_valid_noflush(struct page *page, unsigned int nr, bool valid);

/** kernel_page_present - can a page be read where the direct map shows it? High memory, which it does not show: no. */
OCTAVO_API bool kernel_page_present(struct page *page);

OCTAVO_END_DECLS
#endif
