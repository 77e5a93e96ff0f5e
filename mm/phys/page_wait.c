// SPDX-License-Identifier: MIT
/*
 * Waiting for a page's lock and for the end of its writeback.
 *
 * Words
 *	bucket: one of 256 lists of waiters, by hash of the page. A waiter lives on its thread's stack.
 *	PG_waiters: somebody may wait for this page; without it the one who unlocks does not look.
 *	PG_private_2 (look again): somebody did not want to wait, and left work to the one who unlocks. It is set where
 *		one finds the bit set, in the same word: so whoever clears the bit next sees it.
 *
 * Invariants
 *	PA-I9  while a waiter for a page is in a bucket, the page has PG_waiters.
 *
 * Locking
 *	The bucket's lock guards its list and PG_waiters of its pages. The bits themselves are changed by atomic
 *	operations on the flags word: if the unlocker does not see PG_waiters, the waiter, who sets it before it
 *	tries the bit, finds the bit clear.
 *
 * Memory use and bounds
 *	256 buckets, 8 KiB on 64 bits.
 */
#include "page_wait.h"

#include <octavo/port.h>
#include <octavo/task.h>

#include "../base/list.h"
#include "../sync/spinlock.h"
#include "page_report.h"

#define BUCKETS 256u
#define NOT_LOCKED "unlocked, but not locked"

struct waiter {
	struct list_head link;
	struct page *page;
	unsigned int bit;
	uintptr_t thread;
};

static struct bucket {
	spinlock_t lock;
	struct list_head waiters; /* all zero: empty, before first use */
} buckets[BUCKETS] __memsys = { [0 ... BUCKETS - 1] = { .lock = { .rank = LOCK_RANK_PAGE_WAIT } } };

static struct bucket *bucket_of(const struct page *page)
{
	/* descriptors are 32 bytes apart */
	return &buckets[((uintptr_t)page >> 5 ^ (uintptr_t)page >> 13) % BUCKETS];
}

static unsigned long bucket_lock(struct bucket *bucket)
{
	unsigned long flags;

	spin_lock_irqsave(&bucket->lock, flags);
	if (unlikely(!bucket->waiters.next))
		INIT_LIST_HEAD(&bucket->waiters);
	return flags;
}

static void bucket_unlock(struct bucket *bucket, unsigned long flags)
{
	spin_unlock_irqrestore(&bucket->lock, flags);
}

static void (*look_again)(struct folio *folio) __memsys;

void register_look_again(void (*look)(struct folio *folio))
{
	store_release(&look_again, look);
}

static bool anyone_waits(const struct bucket *bucket, const struct page *page)
{
	const struct waiter *waiter;

	list_for_each_entry(waiter, &bucket->waiters, link)
		if (waiter->page == page)
			return true;
	return false;
}

/* Until the bit is clear; with @take it is then set by us. @task: gives up when that is killed. Return: it did not. */
static bool wait_on_page_bit(struct page *page, unsigned int bit, bool take, const struct mm_task *task)
{
	struct waiter waiter = { .page = page, .bit = bit, .thread = port_thread_self() };
	struct bucket *bucket = bucket_of(page);
	unsigned long flags = bucket_lock(bucket);
	bool killed = false;

	list_add_tail(&waiter.link, &bucket->waiters);
	SetPageWaiters(page);
	bucket_unlock(bucket, flags);
	while (take ? atomic_fetch_or(&page->flags, 1u << bit) >> bit & 1 : page_test_flag(page, bit)) {
		killed = task && fatal_signal_pending(task);
		if (killed)
			break;
		port_park(0);
	}
	flags = bucket_lock(bucket);
	list_del(&waiter.link);
	if (!anyone_waits(bucket, page))
		ClearPageWaiters(page);
	bucket_unlock(bucket, flags);
	return !killed;
}

static noinline void wake_page_bit(struct page *page, unsigned int bit)
{
	struct bucket *bucket = bucket_of(page);
	unsigned long flags = bucket_lock(bucket);
	struct waiter *waiter;

	list_for_each_entry(waiter, &bucket->waiters, link)
		if (waiter->page == page && waiter->bit == bit)
			port_unpark(waiter->thread);
	bucket_unlock(bucket, flags);
}

static __cold void not_set(struct page *page, unsigned int bit, const char *if_clear)
{
	atomic_fetch_add(&page->flags, 1u << bit); /* as it was */
	bad_page(page, if_clear);
}

/* From when the bit was clear the page may be somebody else's: another owner has no such mark. */
static noinline void look_at_marked(struct page *page)
{
	void (*look)(struct folio *) = load_acquire(&look_again);

	if (!look || !get_page_unless_zero(page))
		return;
	if (PageLookAgain(page))
		look((struct folio *)page);
	put_page(page);
}

/* Return: the flags as they were. */
static force_inline u32 clear_page_bit(struct page *page, unsigned int bit, const char *if_clear)
{
	u32 was = atomic_fetch_sub(&page->flags, 1u << bit);

	if (unlikely(!(was >> bit & 1))) {
		not_set(page, bit, if_clear);
		return 0;
	}
	return was;
}

/*
 * Clears the bit and wakes who waits for it. From then on the page may be somebody else's. The bit is set, so that
 * taking it away by subtraction leaves the others alone, and tells what they were in one instruction.
 */
static force_inline void end_page_bit(struct page *page, unsigned int bit, const char *if_clear)
{
	u32 was = clear_page_bit(page, bit, if_clear);

	if (likely(!(was & (1u << PG_waiters | 1u << PG_private_2))))
		return;
	if (was >> PG_waiters & 1)
		wake_page_bit(page, bit);
	if (was >> PG_private_2 & 1)
		look_at_marked(page);
}

bool folio_trylock(struct folio *folio)
{
	return !TestSetPageLocked(&folio->page);
}

void folio_lock(struct folio *folio)
{
	if (!folio_trylock(folio))
		(void)wait_on_page_bit(&folio->page, PG_locked, true, NULL);
}

int folio_lock_killable(struct folio *folio)
{
	if (folio_trylock(folio) || wait_on_page_bit(&folio->page, PG_locked, true, current_task()))
		return 0;
	return -EINTR;
}

void folio_unlock(struct folio *folio)
{
	end_page_bit(&folio->page, PG_locked, NOT_LOCKED);
}

bool folio_unlock_marked(struct folio *folio)
{
	u32 was = clear_page_bit(&folio->page, PG_locked, NOT_LOCKED);

	if (was >> PG_waiters & 1)
		wake_page_bit(&folio->page, PG_locked);
	return was >> PG_private_2 & 1;
}

void folio_wait_locked(struct folio *folio)
{
	if (PageLocked(&folio->page))
		(void)wait_on_page_bit(&folio->page, PG_locked, false, NULL);
}

void page_writeback_begin(struct page *page)
{
	if (TestSetPageWriteback(page))
		bad_page(page, "writeback started twice");
}

void page_writeback_end(struct page *page)
{
	end_page_bit(page, PG_writeback, "writeback ended, but not under writeback");
}

void folio_wait_writeback(struct folio *folio)
{
	if (PageWriteback(&folio->page))
		(void)wait_on_page_bit(&folio->page, PG_writeback, false, NULL);
}
