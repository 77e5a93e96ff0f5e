// SPDX-License-Identifier: MIT
/*
 * Lists of folios under many hands, with seeded interleavings and with threads (LR-I1 to LR-I6, LG-I1, LG-I2): folios
 * of one and more pages that come, go, are used, locked in memory, isolated by reclaim and by others, while the policy
 * changes.
 */
#include <octavo/gfp.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/lru/gen.h"
#include "mm/sync/atomic.h"
#include "schedules.h"

#define CPUS 3u
#define PLACES_NR 8u

#ifdef OCTAVO_SCHED
#define SEEDS 150
#define STEPS 80u
#else
#define SEEDS 5
#define STEPS 5000u
#endif

static struct place {
	spinlock_t lock;
	struct folio *folio; /* with a reference */
} places[PLACES_NR];
static unsigned int taken, moved;

/* A new one, of anonymous memory or of a file; what was there goes. */
static void replace(struct place *p, bool file, unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_HIGHUSER_MOVABLE, order), *old;

	if (folio && !file)
		SetPageSwapBacked(&folio->page);
	if (folio)
		folio_add_lru(folio);
	spin_lock(&p->lock);
	old = p->folio;
	p->folio = folio;
	spin_unlock(&p->lock);
	if (old)
		folio_put(old);
}

static struct folio *get(struct place *p)
{
	struct folio *folio;

	spin_lock(&p->lock);
	folio = p->folio;
	if (folio)
		folio_get(folio);
	spin_unlock(&p->lock);
	return folio;
}

static void isolate_one(struct folio *folio)
{
	if (!folio_isolate_lru(folio))
		return;
	/* A use meanwhile. */
	folio_mark_accessed(folio);
	folio_putback_lru(folio);
}

/* For a moment. Somebody else who is at it is helped out of it. */
static void mlock_one(struct folio *folio)
{
	if (TestSetPageMlocked(&folio->page)) {
		folio_rescue(folio);
		return;
	}
	folio_lru_mlock(folio);
	ClearPageMlocked(&folio->page);
	folio_lru_munlock(folio);
}

/* Several, perhaps one of them twice. */
static void isolate_many(u64 what)
{
	struct folio *folios[5];
	unsigned int nr = 0, isolated;

	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++, what >>= 6) {
		folios[nr] = get(&places[what % PLACES_NR]);
		nr += folios[nr] != NULL;
	}
	isolated = folio_isolate_batch(folios, nr);
	for (unsigned int i = 0; i < isolated; i++)
		folio_putback_lru(folios[i]);
	for (unsigned int i = isolated; i < nr; i++)
		folio_put(folios[i]);
}

static void use(struct folio *folio, u64 what)
{
	switch (what % 8) {
	case 0:
		folio_activate(folio);
		break;
	case 1:
		folio_deactivate(folio);
		break;
	case 2:
		folio_rotate_reclaimable(folio);
		break;
	case 3:
		isolate_one(folio);
		break;
	case 4:
		mlock_one(folio);
		break;
	default:
		folio_mark_accessed(folio);
	}
}

/* As reclaim does it; nothing is freed. */
static void scan(u64 *chance)
{
	const struct lru_policy *policy = lru_policy();
	struct folio *out[4];
	enum lru_verdict verdicts[4];
	u64 draw = test_random(chance);

	for_each_lruvec (vec) {
		struct lru_scan s = { .node = NODE_DATA(vec->nid), .highest = (enum zone_type)(MAX_NR_ZONES - 1),
				      .may_swap = true, .swappiness = 60, .priority = draw & 3 };
		unsigned long nr[2], scanned = 0;
		unsigned int n;

		policy->age(vec, &s);
		policy->choose(vec, &s, nr);
		n = policy->isolate(vec, &s, draw >> 2 & 1, out, ARRAY_SIZE(out), &scanned);
		for (unsigned int i = 0; i < n; i++)
			verdicts[i] = draw >> (3 + i) & 1 ? LRU_ACTIVATE : LRU_KEEP;
		policy->putback(vec, out, verdicts, n);
		atomic_fetch_add(&taken, n);
	}
}

static void switch_policy(u64 draw)
{
	if (!lru_gen_set_caps(draw & 3 ? LRU_GEN_CORE : 0))
		atomic_fetch_add(&moved, 1);
}

static void work(unsigned int cpu, void *ctx)
{
	u64 chance = test_seed * CPUS + cpu + 1;
	unsigned int steps = test_scaled(STEPS);

	(void)ctx;
	for (unsigned int i = 0; i < steps; i++) {
		u64 draw = test_random(&chance);
		struct place *p = &places[draw % PLACES_NR];
		struct folio *folio;

		draw >>= 8;
		if (draw % 16 < 4) {
			replace(p, draw >> 4 & 1, draw >> 5 & 1 ? draw >> 6 & 3 : 0);
		} else if (draw % 16 < 6) {
			scan(&chance);
		} else if (draw % 64 == 6) {
			switch_policy(draw >> 6);
		} else if (draw % 64 == 7) {
			for_each_lruvec (vec)
				(void)lru_gen_age(vec, load_relaxed(&vec->gen.max_seq), false);
		} else if (draw % 16 == 7) {
			lru_add_drain();
		} else if (draw % 16 == 8) {
			isolate_many(draw >> 4);
		} else {
			folio = get(p);
			if (!folio)
				continue;
			use(folio, draw >> 4);
			folio_put(folio);
		}
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < PLACES_NR; i++)
		replace(&places[i], i & 1, 0);
}

static bool check(void *ctx)
{
	unsigned int findings = mm_verify(test_finding, NULL);

	(void)ctx;
	for (unsigned int i = 0; i < PLACES_NR; i++) {
		if (places[i].folio)
			folio_put(places[i].folio);
		places[i].folio = NULL;
	}
	lru_add_drain_all();
	findings += lru_gen_set_caps(0) != 0;
	findings += mm_verify(test_finding, NULL);
	for (unsigned int item = NR_INACTIVE_ANON; item <= NR_UNEVICTABLE; item++)
		if (global_node_page_state((enum node_stat_item)item))
			findings++;
	return !findings && !global_node_page_state(NR_ISOLATED_ANON) && !global_node_page_state(NR_ISOLATED_FILE);
}

static const struct scenario scenario = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

TEST(lru_sched, folios_come_and_go_while_policies_change)
{
	taken = moved = 0;
	scenario_test(&scenario, test_scaled(SEEDS));
	EXPECT(taken && moved);
}

TEST(lru_sched, on_threads)
{
	taken = moved = 0;
	ASSERT(!hosted_boot(hosted_default_machine(), &(struct hosted_options){ .cpus = CPUS, .quiet = true }));
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(check(NULL));
	EXPECT(taken && moved);
}
