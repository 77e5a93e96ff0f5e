// SPDX-License-Identifier: MIT
/*
 * Transfers that nobody waits for: a slow device has a thread that writes out what reclaim hands it, and reads ahead.
 *
 * An area's queue is a ring of pages in the order in which they came; the thread takes them one at a time. A folio that
 * is being written is under writeback until its last page has left, one that is being read is locked: so it keeps its
 * slot, and its slot the area. The queue holds a reference to each.
 *
 * Where the port has no threads, or the ring is full, the caller does the transfer himself, which is what slows down
 * who makes more than the device takes.
 */
#include "area.h"

#include <octavo/reclaim_hook.h>
#include <octavo/slab.h>

#include "../sync/kthread.h"

#define RING 1024u /* pages; a folio of the greatest size fits beside others */
octavo_static_assert(RING >= 2 * CLUSTER_SLOTS, "a large folio is queued as a whole or not at all");

/* A page's address has its low bits free. */
#define ITEM_WRITE ((uintptr_t)1)
#define ITEM_LAST ((uintptr_t)2) /* of its folio */
#define ITEM_BITS ((uintptr_t)3)
octavo_static_assert(__alignof__(struct page) > ITEM_BITS, "there is room for two bits");

/* (q) lock */
struct swap_queue {
	spinlock_t lock;
	u32 head, tail; /* (q) taken, put; read by anyone to see whether they differ */
	struct swap_area *area;
	struct kthread thread;
	uintptr_t ring[RING]; /* (q) */
};

static bool put_items(struct swap_queue *q, struct folio *folio, const struct page_set *set, unsigned int nr,
		      uintptr_t bits)
{
	unsigned long flags;
	u32 tail;

	/* Once it is in the ring only the reader keeps the area, and the queue with it, until the thread is woken. */
	rcu_reader_begin();
	spin_lock_irqsave(&q->lock, flags);
	tail = q->tail;
	for (unsigned int i = 0; i < nr; i++) {
		if (!in_page_set(set, i))
			continue;
		if (tail - q->head == RING) {
			spin_unlock_irqrestore(&q->lock, flags);
			rcu_reader_end();
			return false;
		}
		q->ring[tail++ % RING] = (uintptr_t)folio_page(folio, i) | bits;
	}
	q->ring[(tail - 1) % RING] |= ITEM_LAST;
	store_relaxed(&q->tail, tail);
	spin_unlock_irqrestore(&q->lock, flags);
	kthread_wake(&q->thread);
	rcu_reader_end();
	return true;
}

bool swap_queue_write(struct swap_area *area, struct folio *folio, const struct page_set *set, unsigned int nr)
{
	folio_get(folio);
	if (put_items(area->queue, folio, set, nr, ITEM_WRITE))
		return true;
	folio_put(folio);
	return false;
}

bool swap_queue_read(struct swap_area *area, struct folio *folio)
{
	const struct page_set one = { .word = { 1 } };

	return put_items(area->queue, folio, &one, 1, 0);
}

/* Return: 0: nothing is there. */
static uintptr_t take_item(struct swap_queue *q)
{
	unsigned long flags;
	uintptr_t item = 0;

	spin_lock_irqsave(&q->lock, flags);
	if (q->head != q->tail) {
		item = q->ring[q->head % RING];
		store_relaxed(&q->head, q->head + 1);
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return item;
}

/* @err: of the folio's pages so far. Return: the same with this one. */
static int serve(struct swap_area *area, uintptr_t item, int err)
{
	struct page *page = (struct page *)(item & ~ITEM_BITS);
	struct folio *folio = page_folio(page);
	int failed;

	if (item & ITEM_WRITE) {
		failed = swap_write_page(area, page_swap_entry(page), page);
		err = err ? err : failed;
		if (!(item & ITEM_LAST))
			return err;
		swap_end_writeback(area, folio, (long)folio_nr_pages(folio), err);
	} else {
		(void)swap_read_folio(folio);
	}
	folio_put(folio);
	return 0;
}

static bool has_items(void *arg)
{
	const struct swap_queue *q = arg;

	return load_relaxed(&q->head) != load_relaxed(&q->tail);
}

static void run(struct kthread *self, void *arg)
{
	struct swap_queue *q = arg;
	unsigned int scope = memalloc_noreclaim_save();
	uintptr_t item;
	int err = 0;

	while (!kthread_should_stop(self)) {
		(void)kthread_sleep(self, has_items, 0);
		while ((item = take_item(q)) != 0)
			err = serve(q->area, item, err);
	}
	memalloc_noreclaim_restore(scope);
}

void swap_queue_start(struct swap_area *area)
{
	struct swap_queue *q = area->bdev && area->bdev->slow ? kzalloc(sizeof(*q), GFP_KERNEL) : NULL;

	if (!q)
		return;
	spin_lock_init(&q->lock, LOCK_RANK_SWAP_QUEUE);
	q->area = area;
	if (kthread_start(&q->thread, run, q, "kswapio", NUMA_NO_NODE))
		kfree(q);
	else
		area->queue = q;
}

void swap_queue_stop(struct swap_area *area)
{
	if (!area->queue)
		return;
	kthread_stop(&area->queue->thread);
	kfree(area->queue);
	area->queue = NULL;
}
