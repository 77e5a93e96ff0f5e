/* SPDX-License-Identifier: MIT */
/* page_owner=on: who allocated each page, and who freed it last. */
#ifndef MM_PHYS_PAGE_OWNER_H
#define MM_PHYS_PAGE_OWNER_H

#include <octavo/gfp.h>
#include <octavo/page.h>

/* Takes its memory from memblock if it is on; before the frames are handed over. */
void page_owner_init(void);

void page_owner_set(struct page *page, unsigned int order, gfp_t gfp);
void page_owner_reset(struct page *page, unsigned int order);
void page_owner_split(struct page *page, unsigned int order);

/* The lines that dump_page() ends with; nothing when page_owner is off. */
void dump_page_owner(const struct page *page);

/*
 * page_owner_read - /sys/kernel/debug/page_owner: one paragraph for each allocated block from frame *@pfn on
 * Return: length of the text of the next one, which stands in @buf; *@pfn is the frame behind it. 0: no more.
 */
size_t page_owner_read(unsigned long *pfn, char *buf, size_t size);

#endif
