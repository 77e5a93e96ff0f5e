/* SPDX-License-Identifier: MIT */
/* What policies call of workingset.c. */
#ifndef MM_LRU_WORKINGSET_H
#define MM_LRU_WORKINGSET_H

#include "lruvec.h"

/* Pages were evicted, or became active: every shadow is that much older. */
static inline void workingset_age_nonresident(struct lruvec *vec, unsigned long nr)
{
	atomic_add_relaxed(&vec->nonresident_age, nr);
}

/* @item: the counter of anon folios; that of files is the next. */
static inline void workingset_count(const struct lruvec *vec, enum node_stat_item item, const struct folio *folio)
{
	mod_node_page_state(NODE_DATA(vec->nid), item + folio_is_file_lru(folio), (long)folio_nr_pages(folio));
}

#endif
