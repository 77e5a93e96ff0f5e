// SPDX-License-Identifier: MIT
/*
 * Memory for the heap's own structures: slab descriptors, magazines, caches.
 *
 * Purpose: what serves the heap must not call the heap. A page is cut into blocks of one class; a header at its start
 * has the list of the free ones, so a page whose last block returns can go back at once. What is larger than a
 * quarter of a page takes pages of its own.
 *
 *	page:  [ header | block | block | free | block | free … ]
 *	          next, free --------------------^--------^
 *
 * Locking: one lock; nothing is allocated under it. Bound: one page with free blocks beyond what is in use for each
 * node and class, as a page that is the last with free blocks stays when it becomes empty.
 */
#include "meta.h"

#include <octavo/shrinker.h>

#include "../base/string.h"

#define STEP 16u	 /* classes: multiples of 16 to 256, then 512 and 1024 */
#define SMALL_CLASSES 16u
#define CLASSES (SMALL_CLASSES + 2)
#define LARGEST 1024u

struct meta_page {
	struct list_head list; /* pages of this class and node with free blocks, while it has any */
	void *free;
	u16 used, class, node;
};

#define HEADER ALIGN(sizeof(struct meta_page), 64ul)

static struct {
	spinlock_t lock;
	struct list_head (*lists)[CLASSES]; /* by node */
	unsigned long pages;		    /* (a) */
} meta __memsys;

static unsigned int class_of(size_t bytes)
{
	if (bytes <= STEP * SMALL_CLASSES)
		return (unsigned int)(DIV_ROUND_UP(bytes, STEP) - 1);
	return bytes <= 512 ? SMALL_CLASSES : SMALL_CLASSES + 1;
}

static size_t class_bytes(unsigned int class)
{
	return class < SMALL_CLASSES ? (class + 1) * STEP : class == SMALL_CLASSES ? 512 : 1024;
}

/* Blocks whose size is a power of two lie on multiples of it, as far as a cache line matters: the header is one. */
octavo_static_assert(HEADER == 64, "blocks begin on a cache line");

static unsigned int order_for(size_t bytes)
{
	return bytes <= PAGE_SIZE ? 0 : highest_bit(bytes - 1) + 1 - PAGE_SHIFT;
}

static struct page *take_pages(unsigned int order, gfp_t gfp, int nid, u32 extra)
{
	struct page *page = heap_pages(gfp & GFP_HEAP_MASK, order, nid);

	if (!page)
		return NULL;
	page->private_data = heap_page_tag(HEAP_PAGE_META, extra);
	page->_mapcount = 0;
	__SetPageSlab(page);
	atomic_add_relaxed(&meta.pages, 1ul << order);
	mod_node_page_state(NODE_DATA(page_to_nid(page)), NR_SLAB_UNRECLAIMABLE_B, (long)(PAGE_SIZE << order));
	return page;
}

int meta_init(void)
{
	struct page *page = take_pages(order_for(heap.nodes * sizeof(*meta.lists)), GFP_NOWAIT, NUMA_NO_NODE, 0);

	if (!page)
		return -ENOMEM;
	meta.lists = page_address(page);
	for (unsigned int nid = 0; nid < heap.nodes; nid++)
		for (unsigned int class = 0; class < CLASSES; class++)
			INIT_LIST_HEAD(&meta.lists[nid][class]);
	spin_lock_init(&meta.lock, LOCK_RANK_HEAP_META);
	return 0;
}

static void give_pages(struct page *page, unsigned int order)
{
	mod_node_page_state(NODE_DATA(page_to_nid(page)), NR_SLAB_UNRECLAIMABLE_B, -(long)(PAGE_SIZE << order));
	atomic_add_relaxed(&meta.pages, -(1ul << order));
	mm_account_reclaimed_pages(1ul << order);
	__ClearPageSlab(page);
	page->_mapcount = -1;
	page->private_data = 0;
	__free_pages(page, order);
}

static struct meta_page *page_of(const void *p)
{
	return (struct meta_page *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);
}

/* A page's blocks, chained in address order. */
static void cut(struct meta_page *mp, unsigned int class, int nid)
{
	size_t bytes = class_bytes(class);
	char *end = (char *)mp + PAGE_SIZE, *at = (char *)mp + HEADER;
	void **link = &mp->free;

	mp->used = 0;
	mp->class = (u16)class;
	mp->node = (u16)nid;
	for (; at + bytes <= end; at += bytes) {
		*link = at;
		link = (void **)at;
	}
	*link = NULL;
}

static void *pop_locked(struct meta_page *mp)
{
	void *p = mp->free;

	mp->free = *(void **)p;
	mp->used++;
	if (!mp->free)
		list_del(&mp->list);
	return p;
}

void *meta_alloc(size_t bytes, gfp_t gfp, int nid)
{
	unsigned int class = class_of(bytes);
	struct meta_page *mp;
	unsigned long flags;
	struct page *page;
	void *p = NULL;

	nid = nid == NUMA_NO_NODE ? this_cpu()->node : nid;
	if (bytes > LARGEST) {
		page = take_pages(order_for(bytes), gfp, nid, 0);
		p = page ? page_address(page) : NULL;
		return p ? memset(p, 0, bytes) : NULL;
	}
	spin_lock_irqsave(&meta.lock, flags);
	if (!list_empty(&meta.lists[nid][class]))
		p = pop_locked(list_first_entry(&meta.lists[nid][class], struct meta_page, list));
	spin_unlock_irqrestore(&meta.lock, flags);
	if (!p) {
		page = take_pages(0, gfp, nid, class);
		if (!page)
			return NULL;
		mp = page_address(page);
		cut(mp, class, nid);
		spin_lock_irqsave(&meta.lock, flags);
		list_add(&mp->list, &meta.lists[nid][class]);
		p = pop_locked(mp);
		spin_unlock_irqrestore(&meta.lock, flags);
	}
	return memset(p, 0, bytes);
}

void meta_free(void *p, size_t bytes)
{
	struct meta_page *mp = page_of(p);
	struct list_head *head;
	unsigned long flags;
	bool empty;

	if (bytes > LARGEST) {
		give_pages(virt_to_page(p), order_for(bytes));
		return;
	}
	spin_lock_irqsave(&meta.lock, flags);
	head = &meta.lists[mp->node][mp->class];
	if (!mp->free)
		list_add_tail(&mp->list, head);
	*(void **)p = mp->free;
	mp->free = p;
	empty = !--mp->used && (head->next != &mp->list || head->prev != &mp->list);
	if (empty)
		list_del(&mp->list);
	spin_unlock_irqrestore(&meta.lock, flags);
	if (empty)
		give_pages(virt_to_page(mp), 0);
}

unsigned long meta_pages(void)
{
	return load_relaxed(&meta.pages);
}
