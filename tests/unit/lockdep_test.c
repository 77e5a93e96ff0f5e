// SPDX-License-Identifier: MIT
/*
 * LK-I1: every way of taking locks in a wrong order is reported, and only those. Builds without DEBUG=1 do not
 * check, and have no such test.
 */
#include "harness.h"

#include "mm/sync/cpu.h"
#include "mm/sync/lockdep.h"
#include "mm/sync/spinlock.h"

#ifdef OCTAVO_DEBUG
/* Runs @fn, swallows its reports. Return: how many there were; @text gets what was said. */
static unsigned int reports_of(void (*fn)(void), const char **text)
{
	unsigned int before = lockdep_reports, n;

	test_capture_begin();
	fn();
	*text = test_capture_end();
	n = lockdep_reports - before;
	lockdep_reports = before;
	return n;
}

static spinlock_t zone_a __memsys, zone_b __memsys, block __memsys;

static void init_locks(void)
{
	spin_lock_init(&zone_a, LOCK_RANK_ZONE);
	spin_lock_init(&zone_b, LOCK_RANK_ZONE);
	spin_lock_init(&block, LOCK_RANK_PAGEBLOCK);
}

static void right_order(void)
{
	spin_lock(&zone_a);
	spin_lock(&block);
	spin_unlock(&zone_a);
	spin_unlock(&block);
	spin_lock(&zone_b);
	spin_unlock(&zone_b);
}

static void wrong_order(void)
{
	spin_lock(&block);
	spin_lock(&zone_a);
	spin_unlock(&zone_a);
	spin_unlock(&block);
}

static void same_rank(void)
{
	spin_lock(&zone_a);
	spin_lock(&zone_b);
	spin_unlock(&zone_b);
	spin_unlock(&zone_a);
}

static void not_held(void)
{
	lockdep_release(&zone_a, zone_a.rank);
}

static void trylock_any_order(void)
{
	spin_lock(&block);
	if (spin_trylock(&zone_a))
		spin_unlock(&zone_a);
	spin_unlock(&block);
}

/* What a failed check of the order below a lock taken by trylock would miss. */
static void below_a_tried_lock(void)
{
	spin_lock(&zone_a);
	if (spin_trylock(&block)) {
		spin_lock(&zone_b);
		spin_unlock(&zone_b);
		spin_unlock(&block);
	}
	spin_unlock(&zone_a);
}

static void too_many(void)
{
	for (int i = 0; i < 17; i++)
		lockdep_acquired(&zone_a, LOCK_RANK_ZONE);
	for (int i = 0; i < 16; i++)
		lockdep_release(&zone_a, LOCK_RANK_ZONE);
}

TEST(lockdep, order_is_checked)
{
	const char *text;
	u32 held = this_cpu()->held_nr;

	init_locks();
	EXPECT_EQ(reports_of(right_order, &text), 0);
	EXPECT_EQ(reports_of(trylock_any_order, &text), 0);
	EXPECT_STREQ(text, "");
	EXPECT_EQ(reports_of(wrong_order, &text), 1);
	EXPECT(strstr(text, "takes too late the zone lock (rank"));
	EXPECT(strstr(text, "holding the pageblock lock"));
	EXPECT_EQ(reports_of(same_rank, &text), 1);
	EXPECT_EQ(reports_of(below_a_tried_lock, &text), 1);
	EXPECT_EQ(reports_of(not_held, &text), 1);
	EXPECT(strstr(text, "releases without holding it the zone lock"));
	EXPECT_EQ(reports_of(too_many, &text), 1);
	EXPECT(strstr(text, "too many locks"));
	EXPECT_EQ(this_cpu()->held_nr, held);
}
#endif
