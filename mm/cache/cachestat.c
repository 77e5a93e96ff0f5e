// SPDX-License-Identifier: MIT
/* cachestat(2): how much of a part of a file is in memory, and how much of that is to be written or being written. */
#include "filemap.h"

void filemap_cachestat(struct address_space *mapping, unsigned long first, unsigned long last, struct cachestat *out)
{
	const struct xarray *pages = &mapping->i_pages;

	*out = (struct cachestat){ 0 };
	last = min(last, FILE_INDEX_MAX);
	for (unsigned long at = first, end; at <= last; at = end + 1) {
		unsigned long index = at;
		const void *entry;
		u64 nr;

		/* Entry by entry: what comes and goes meanwhile is counted or not. */
		rcu_read_lock();
		entry = xa_find(pages, &index, last);
		end = max(at, index + (1ul << xa_get_order(pages, index)) - 1); /* it may be gone again */
		rcu_read_unlock();
		if (!entry)
			break;
		nr = min(end, last) - max(index, at) + 1;
		if (xa_is_value(entry)) {
			out->nr_evicted += nr;
			if (load_relaxed(&pages->shadows) && workingset_test_recent(xa_to_value(entry)))
				out->nr_recently_evicted += nr;
			continue;
		}
		out->nr_cache += nr;
		out->nr_dirty += xa_get_tag(pages, index, PAGECACHE_TAG_DIRTY) ? nr : 0;
		out->nr_writeback += xa_get_tag(pages, index, PAGECACHE_TAG_WRITEBACK) ? nr : 0;
	}
}
