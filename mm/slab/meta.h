/* SPDX-License-Identifier: MIT */
/* Memory for the heap's own structures: see slab.h for what allocates and frees. */
#ifndef MM_SLAB_META_H
#define MM_SLAB_META_H

#include "slab.h"

/* What of a caller's GFP flags applies to pages taken on the heap's behalf: how hard to try, not where from. */
#define GFP_HEAP_MASK                                                                                            \
	(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | \
	 __GFP_NORETRY | __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_HARDWALL | __GFP_THISNODE)

/* 2^order pages that the direct map shows, a compound page. NULL: none. */
struct page *heap_pages(gfp_t gfp, unsigned int order, int nid);

/* Boot, before the first meta_alloc(). 0 or -ENOMEM. */
int meta_init(void);

#endif
