// SPDX-License-Identifier: MIT
/* Page locks and writeback with real threads. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/sync/atomic.h"

static struct folio *folios[2];
static unsigned long inside[2], counter[2];
static u32 ended;

static void lock_many(unsigned int cpu, void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 3000; i++) {
		unsigned int which = (cpu + i) % 2;

		folio_lock(folios[which]);
		inside[which]++;
		EXPECT_EQ(inside[which], 1);
		counter[which]++;
		inside[which]--;
		folio_unlock(folios[which]);
	}
}

/* PA-I9: nobody sleeps on for ever, and nobody is left marked as waiting. */
TEST(page_wait, excludes_and_wakes)
{
	counter[0] = counter[1] = 0;
	for (unsigned int i = 0; i < 2; i++) {
		folios[i] = folio_alloc(GFP_KERNEL, 0);
		ASSERT(folios[i]);
	}
	EXPECT_EQ(hosted_run_cpus(4, lock_many, NULL), 0);
	EXPECT_EQ(counter[0] + counter[1], 4 * 3000);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT(!PageLocked(&folios[i]->page) && !PageWaiters(&folios[i]->page));
		folio_put(folios[i]);
	}
	EXPECT_EQ(bad_pages(), 0);
}

static void write_back(unsigned int cpu, void *arg)
{
	(void)arg;
	if (cpu) {
		folio_wait_writeback(folios[0]);
		EXPECT(load_acquire(&ended));
		return;
	}
	for (unsigned int i = 0; i < 10000; i++)
		port_cpu_relax();
	store_release(&ended, 1u);
	folio_end_writeback(folios[0]);
}

TEST(page_wait, everyone_waits_for_writeback)
{
	ended = 0;
	folios[0] = folio_alloc(GFP_KERNEL, 0);
	ASSERT(folios[0]);
	folio_start_writeback(folios[0]);
	EXPECT_EQ(hosted_run_cpus(4, write_back, NULL), 0);
	EXPECT(!PageWaiters(&folios[0]->page));
	folio_put(folios[0]);
	EXPECT_EQ(bad_pages(), 0);
}
