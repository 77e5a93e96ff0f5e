// SPDX-License-Identifier: MIT
/* Table pages: where they come from, how they are counted, and the lock that each last-level one brings along. */

#include "../base/string.h"
#include "../boot/reserve.h"
#include "../phys/zone.h"
#include "tables.h"

phys_addr_t pgt_table_phys_of(const pgt_entry_t *table)
{
	return virt_to_phys(table);
}

pgt_entry_t *pgt_table_of(unsigned int level, pgt_entry_t entry)
{
	return pgt_table_at(pgt_table_phys(level, entry));
}

static void count(struct mm_struct *mm, struct page *page, long delta)
{
	atomic_add_relaxed(&mm->pgtable_pages, (unsigned long)delta);
	if (page)
		mod_node_page_state(NODE_DATA(page_to_nid(page)), NR_PAGETABLE, delta);
}

/* Before the hand-over no descriptor may be looked at. */
struct page *pgt_table_page(const pgt_entry_t *table)
{
	struct page *page;

	if (unlikely(!memblock.closed))
		return NULL;
	page = pfn_to_online_page(PFN_DOWN(virt_to_phys(table)));
	return page && PageTable(page) ? page : NULL;
}

pgt_entry_t *pgt_table_alloc(struct mm_struct *mm, unsigned int level, gfp_t gfp)
{
	struct page *page;
	void *table;

	if (unlikely(!memblock.closed)) {
		table = memblock_alloc(PAGE_SIZE, PAGE_SIZE);
		if (table)
			count(mm, NULL, 1);
		return table;
	}
	page = alloc_pages((gfp & ~(GFP_ZONEMASK | __GFP_COMP)) | __GFP_ZERO, 0);
	if (unlikely(!page))
		return NULL;
	__SetPageTable(page);
	spin_lock_init(&pgt_page_of(page)->lock, LOCK_RANK_PAGE_TABLE);
	pgt_page_of(page)->level = (u8)level;
	count(mm, page, 1);
	return page_address(page);
}

void pgt_table_free(struct mm_struct *mm, pgt_entry_t *table)
{
	struct page *page = pgt_table_page(table);

	count(mm, page, -1);
	if (likely(page)) {
		__ClearPageTable(page);
		page->mapping_index = 0;
		page->private_data = 0;
		__free_pages(page, 0);
	} else if (!memblock.closed) {
		memblock_free(table, PAGE_SIZE);
	} else {
		free_reserved_range(virt_to_phys(table), PAGE_SIZE);
	}
}

spinlock_t *pgt_lock_ptr(struct mm_struct *mm, pgt_entry_t *entry)
{
	struct page *page;

	if (pgt_is_kernel(mm))
		return &mm->page_table_lock;
	page = pfn_to_page(PFN_DOWN(virt_to_phys(entry)));
	/* A root that is no page of its own is not marked. */
	if (unlikely(!page_plain_flag(page, PG_table)) || pgt_page_of(page)->level)
		return &mm->page_table_lock;
	return &pgt_page_of(page)->lock;
}

/* ---- Stock ---- */

typedef pgt_entry_t *stock_link __attribute__((may_alias));

void pgt_stock_put(struct pgt_stock *stock, pgt_entry_t *table)
{
	*(stock_link *)table = stock->first;
	stock->first = table;
}

pgt_entry_t *pgt_stock_take(struct pgt_stock *stock, unsigned int level)
{
	pgt_entry_t *table = stock->first;
	struct page *page;

	if (!table)
		return NULL;
	stock->first = *(stock_link *)table;
	*(stock_link *)table = NULL;
	page = pgt_table_page(table);
	if (likely(page))
		pgt_page_of(page)->level = (u8)level;
	return table;
}

void pgt_stock_drop(struct pgt_stock *stock, struct mm_struct *mm)
{
	pgt_entry_t *table;

	while ((table = pgt_stock_take(stock, 0)))
		pgt_table_free(mm, table);
}

int pgt_stock_fill(struct pgt_stock *stock, struct mm_struct *mm, unsigned int nr, gfp_t gfp)
{
	while (nr--) {
		pgt_entry_t *table = pgt_table_alloc(mm, 0, gfp);

		if (!table) {
			pgt_stock_drop(stock, mm);
			return -ENOMEM;
		}
		pgt_stock_put(stock, table);
	}
	return 0;
}
