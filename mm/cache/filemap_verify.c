// SPDX-License-Identifier: MIT
/* The page cache's invariants, looked at. */
#include "../base/findings.h"
#include "filemap.h"

static unsigned long tagged_pages(const struct address_space *mapping, unsigned int tag)
{
	unsigned long at = 0, sum = 0;

	while (xa_find_tagged(&mapping->i_pages, &at, FILE_INDEX_MAX, tag)) {
		unsigned long nr = 1ul << xa_get_order(&mapping->i_pages, at);

		sum += nr;
		at += nr;
	}
	return sum;
}

static void verify_folio(const struct address_space *mapping, const struct folio *folio, unsigned long at,
			 struct findings *f)
{
	bool dirty = xa_get_tag(&mapping->i_pages, at, PAGECACHE_TAG_DIRTY);
	bool writeback = xa_get_tag(&mapping->i_pages, at, PAGECACHE_TAG_WRITEBACK);

	if (folio->page.mapping_index != mapping_index_of(mapping, at) || !IS_ALIGNED(at, folio_nr_pages(folio)) ||
	    xa_get_order(&mapping->i_pages, at) != folio_order(folio))
		finding(f, "PC-I2: the folio at %lu of mapping %u says %#llx, order %u", at, mapping->handle,
			(unsigned long long)folio->page.mapping_index, folio_order(folio));
	if (page_ref_count(&folio->page) < 1)
		finding(f, "PC-I2: the folio at %lu of mapping %u is free", at, mapping->handle);
	if (PageLocked(&folio->page))
		return;
	if (mapping_can_writeback(mapping) && dirty != PageDirty(&folio->page))
		finding(f, "PC-I3: the folio at %lu of mapping %u is %sdirty, its tag says otherwise", at,
			mapping->handle, dirty ? "not " : "");
	if (writeback != PageWriteback(&folio->page))
		finding(f, "PC-I3: the folio at %lu of mapping %u is %sunder writeback, its tag says otherwise", at,
			mapping->handle, writeback ? "not " : "");
}

void mapping_verify(const struct address_space *mapping, struct findings *f)
{
	unsigned long at = 0, sum = 0;
	const struct folio *folio;

	f->n += xa_verify(&mapping->i_pages, f->report, f->ctx);
	while ((folio = xa_find(&mapping->i_pages, &at, FILE_INDEX_MAX)) != NULL) {
		unsigned long nr = 1ul << xa_get_order(&mapping->i_pages, at);

		if (!xa_is_value(folio)) {
			verify_folio(mapping, folio, at, f);
			sum += nr;
		}
		at += nr;
	}
	if (sum != mapping->nrpages)
		finding(f, "PC-I1: mapping %u counts %lu pages and has %lu", mapping->handle, mapping->nrpages, sum);
}

static void compare(struct findings *f, const char *what, enum node_stat_item item, unsigned long sum)
{
	unsigned long count = global_node_page_state(item);

	if (count != sum)
		finding(f, "PC-I5: %s is %lu, the mappings have %lu", what, count, sum);
}

void page_cache_verify(struct findings *f)
{
	unsigned long pages = 0, dirty = 0, writeback = 0;

	for (const struct address_space *m = all_mappings.first; m; m = m->all_next) {
		mapping_verify(m, f);
		pages += m->nrpages;
		if (mapping_can_writeback(m))
			dirty += tagged_pages(m, PAGECACHE_TAG_DIRTY);
		writeback += tagged_pages(m, PAGECACHE_TAG_WRITEBACK);
	}
	compare(f, "NR_FILE_PAGES", NR_FILE_PAGES, pages + global_node_page_state(NR_SWAPCACHE));
	compare(f, "NR_FILE_DIRTY", NR_FILE_DIRTY, dirty);
	compare(f, "NR_WRITEBACK", NR_WRITEBACK, writeback);
}
