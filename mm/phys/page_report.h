/* SPDX-License-Identifier: MIT */
/* Reports of pages in a state they must not be in. */
#ifndef MM_PHYS_PAGE_REPORT_H
#define MM_PHYS_PAGE_REPORT_H

#include <octavo/page.h>

#include "../base/compiler.h"

/* NULL, or what is wrong with a page that should have @refs references and none of @flags, and be mapped nowhere. */
const char *page_bad_reason(const struct page *page, s32 refs, u32 flags);

/*
 * bad_page - "BUG: Bad page state in process ...": count it and tell; at most 60 a minute are told
 * The caller leaves the page as it is.
 */
void bad_page(const struct page *page, const char *why);
/* A block of order @has was freed as one of @order. */
void bad_free_order(const struct page *page, unsigned int order, unsigned int has);
/* A frame number, or a pointer, that is not one of this machine's. */
void bad_pfn(unsigned long pfn, const struct page *page, const char *why);

/* "0x1(locked|node=0|zone=1)": flags, node and zone. Return: length. */
size_t page_flags_text(char *text, size_t size, const struct page *page);

/* The stack of the caller, if the port can tell: "CPU: ...", "Call Trace:", one line a caller. */
void dump_stack(void);

#endif
