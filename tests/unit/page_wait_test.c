// SPDX-License-Identifier: MIT
/* Page locks and writeback on one thread; tests/hosted/page_wait_test.c has several. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"

/* PA-I9 */
TEST(page_wait, lock_and_unlock)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	ASSERT(folio);
	folio_lock(folio);
	EXPECT(PageLocked(&folio->page));
	EXPECT(!folio_trylock(folio));
	folio_unlock(folio);
	EXPECT(folio_trylock(folio));
	folio_unlock(folio);
	folio_wait_locked(folio);
	folio_start_writeback(folio);
	EXPECT(PageWriteback(&folio->page));
	folio_end_writeback(folio);
	folio_wait_writeback(folio);
	EXPECT(!PageWaiters(&folio->page));
	folio_put(folio);
	EXPECT_EQ(bad_pages(), 0);
}

TEST(page_wait, unlocking_what_is_not_locked_is_reported)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	ASSERT(folio);
	test_capture_begin();
	folio_unlock(folio);
	EXPECT(strstr(test_capture_end(), "page dumped because: unlocked, but not locked"));
	test_capture_begin();
	folio_end_writeback(folio);
	EXPECT(strstr(test_capture_end(), "writeback ended, but not under writeback"));
	folio_start_writeback(folio);
	test_capture_begin();
	folio_start_writeback(folio);
	EXPECT(strstr(test_capture_end(), "writeback started twice"));
	folio_end_writeback(folio);
	folio_put(folio);
	EXPECT_EQ(bad_pages(), 3);
}
