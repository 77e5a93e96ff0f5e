// SPDX-License-Identifier: MIT
/* Every operation of the page allocator with each of its allocations failing in turn. */
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "fault.h"
#include "pagebook.h"

#define QUIET (GFP_KERNEL | __GFP_NOWARN)

static void check(void *ctx)
{
	const char *why = census_check(NULL, 0);

	(void)ctx;
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
}

static bool single(void *ctx)
{
	struct page *page = alloc_page(QUIET);

	(void)ctx;
	if (page)
		__free_page(page);
	return page != NULL;
}

static bool ten_blocks(void *ctx)
{
	struct page *pages[10];
	unsigned int n = 0;

	(void)ctx;
	while (n < 10 && (pages[n] = alloc_pages(QUIET | (n & 1 ? __GFP_COMP : 0), n)))
		n++;
	for (unsigned int i = n; i--;)
		__free_pages(pages[i], i);
	return n == 10;
}

static bool bulk(void *ctx)
{
	struct page *pages[100] = { NULL };
	unsigned long n = alloc_pages_bulk(QUIET, 100, pages);

	(void)ctx;
	for (unsigned long i = 0; i < n; i++)
		__free_page(pages[i]);
	return n == 100;
}

static bool exact(void *ctx)
{
	void *virt = alloc_pages_exact(5 * PAGE_SIZE, QUIET);

	(void)ctx;
	if (virt)
		free_pages_exact(virt, 5 * PAGE_SIZE);
	return virt != NULL;
}

static bool addresses(void *ctx)
{
	unsigned long a = get_zeroed_page(QUIET);
	unsigned long b = a ? __get_free_pages(QUIET, 2) : 0;
	unsigned long c = b ? get_dma_pages(QUIET, 0) : 0;

	(void)ctx;
	if (c)
		free_page(c);
	if (b)
		free_pages(b, 2);
	if (a)
		free_page(a);
	return c != 0;
}

TEST(alloc_fault, every_operation)
{
	static const struct {
		const char *name;
		bool (*op)(void *ctx);
		unsigned int at_least;
	} operations[] = { { "alloc_page", single, 1 },
			   { "alloc_pages", ten_blocks, 10 },
			   { "alloc_pages_bulk", bulk, 1 },
			   { "alloc_pages_exact", exact, 1 },
			   { "addresses", addresses, 3 } };

	census_begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		unsigned int faults = fault_each(operations[i].op, check, NULL);

		if (faults < operations[i].at_least)
			test_fail(__FILE__, __LINE__, "%s: only %u of its allocations failed", operations[i].name,
				  faults);
	}
}
