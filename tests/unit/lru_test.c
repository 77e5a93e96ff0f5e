// SPDX-License-Identifier: MIT
/* Lists of folios: LR-I1 to LR-I5, moves, shadows (WS-I1, WS-I2, SN-I1), generations (LG-I1, LG-I2). */
#include <octavo/gfp.h>
#include <octavo/pagemap.h>
#include <octavo/shrinker.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/base/findings.h"
#include "mm/cache/filemap.h"
#include "mm/lru/batch.h"
#include "mm/lru/gen.h"
#include "ramfile.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 150ul

static struct test_process p;
static char found[160];
static unsigned int findings;

/* The first finding that has one of the lists' names. */
static void note(void *ctx, const char *line)
{
	(void)ctx;
	if (!findings++)
		strscpy(found, line, sizeof(found));
}

static bool finds(const char *name)
{
	findings = 0;
	found[0] = 0;
	(void)mm_verify(note, NULL);
	return strstr(found, name) != NULL;
}

static unsigned long stat(enum node_stat_item item)
{
	return global_node_page_state(item);
}

static uintptr_t written(unsigned long pages)
{
	uintptr_t at = test_map(0, pages * PAGE_SIZE, RW, MAP_PRIVATE);

	for (unsigned long i = 0; i < pages; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, &i, sizeof(i)), sizeof(i));
	return at;
}

TEST(lru, written_memory_is_inactive_and_leaves_when_it_is_freed)
{
	unsigned long before, at;

	ASSERT(test_process_start(&p));
	lru_add_drain_all();
	before = stat(NR_INACTIVE_ANON);
	at = written(PAGES);
	expect_verified();
	lru_add_drain_all();
	EXPECT_EQ(stat(NR_INACTIVE_ANON), before + PAGES);
	EXPECT_EQ(global_zone_page_state(NR_ZONE_INACTIVE_ANON), before + PAGES);
	expect_verified();
	/* From within, from a batch, all of it. */
	EXPECT_EQ(ksys_munmap(at + 20 * PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(ksys_munmap(at + 40 * PAGE_SIZE, 33 * PAGE_SIZE), 0);
	EXPECT_EQ(stat(NR_INACTIVE_ANON), before + PAGES - 34);
	expect_verified();
	(void)written(7);
	expect_verified();
	test_process_exit(&p);
	expect_verified();
	EXPECT_EQ(stat(NR_INACTIVE_ANON), before);
}

TEST(lru, batches_hold_no_references)
{
	struct folio *folio;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	lru_add_drain_all();
	at = written(3);
	folio = test_user_folio(at + PAGE_SIZE);
	EXPECT(folio && PageLRU(&folio->page));
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	/* LR-I5: what waits in a batch can be had at once, and freed. */
	EXPECT(folio_isolate_lru(folio));
	EXPECT(!PageLRU(&folio->page));
	EXPECT_EQ(stat(NR_ISOLATED_ANON), 1);
	EXPECT(!folio_isolate_lru(folio));
	EXPECT(finds("LR-I4"));
	folio_putback_lru(folio);
	EXPECT_EQ(stat(NR_ISOLATED_ANON), 0);
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	expect_verified();
	EXPECT_EQ(ksys_munmap(at + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	expect_verified();
	/* Freed while it is isolated: its last reference is that one. */
	EXPECT(folio_isolate_lru(folio));
	EXPECT_EQ(ksys_munmap(at, 2 * PAGE_SIZE), 0);
	folio_putback_lru(folio);
	expect_verified();
	test_process_exit(&p);
}

/* Of all nodes in turn, on chains and in batches, active and not, of files (as the lists see it), one twice. */
TEST(lru, many_are_isolated_at_once)
{
	unsigned long anon = stat(NR_ISOLATED_ANON), file = stat(NR_ISOLATED_FILE);
	struct folio *all[24], *once, *twice;
	unsigned int n;
	int nid = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		do {
			nid = (nid + 1) % MAX_NUMNODES;
		} while (!NODE_DATA(nid));
		all[i] = (struct folio *)alloc_pages_node(nid, GFP_HIGHUSER_MOVABLE | __GFP_COMP, i % 12 == 7 ? 2 : 0);
		ASSERT(all[i] != NULL);
		if (i % 3)
			__SetPageSwapBacked(&all[i]->page);
		folio_add_lru(all[i]);
		if (i == 16)
			lru_add_drain_all();
		if (i % 5 == 1)
			folio_activate(all[i]);
	}
	once = all[10];
	twice = all[4];
	EXPECT(folio_isolate_lru(once));
	folio_put(all[5]);
	folio_get(twice);
	all[5] = twice;
	EXPECT_EQ(folio_isolate_batch(all, 0), 0);
	n = folio_isolate_batch(all, ARRAY_SIZE(all));
	EXPECT_EQ(n, ARRAY_SIZE(all) - 2);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		EXPECT(!PageLRU(&all[i]->page));
	EXPECT((all[n] == once && all[n + 1] == twice) || (all[n] == twice && all[n + 1] == once));
	/* Their references are the same, and what was counted is what is given back. */
	EXPECT_EQ(page_ref_count(&twice->page), 2);
	EXPECT_EQ(page_ref_count(&once->page), 2);
	EXPECT(stat(NR_ISOLATED_ANON) > anon && stat(NR_ISOLATED_FILE) > file);
	folio_put(twice);
	folio_putback_lru(once);
	for (unsigned int i = 0; i < n; i++) {
		folio_get(all[i]);
		folio_putback_lru(all[i]);
		EXPECT(PageLRU(&all[i]->page));
	}
	EXPECT(PageLRU(&once->page));
	expect_verified();
	EXPECT_EQ(stat(NR_ISOLATED_ANON), anon);
	EXPECT_EQ(stat(NR_ISOLATED_FILE), file);
	folio_put(once);
	for (unsigned int i = 0; i < n; i++)
		folio_put(all[i]);
	expect_verified();
}

TEST(lru, use_makes_active)
{
	struct folio *folio;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = written(2);
	folio = test_user_folio(at);
	folio_mark_accessed(folio);
	EXPECT(PageReferenced(&folio->page) && !PageActive(&folio->page));
	folio_mark_accessed(folio);
	EXPECT(!PageReferenced(&folio->page) && PageActive(&folio->page));
	expect_verified();
	folio_deactivate(folio);
	EXPECT(!PageActive(&folio->page));
	folio_activate(folio);
	EXPECT_EQ(stat(NR_ACTIVE_ANON), 1);
	/* Freed as active, next to one that is not. */
	EXPECT_EQ(ksys_munmap(at, 2 * PAGE_SIZE), 0);
	EXPECT_EQ(stat(NR_ACTIVE_ANON), 0);
	expect_verified();
	test_process_exit(&p);
}

/* Reclaim waits for its writeback: then it goes first, although it was put out of the way. */
TEST(lru, what_was_waited_for_goes_first)
{
	struct folio *folio;
	struct lruvec *vec;

	ASSERT(test_process_start(&p));
	folio = test_user_folio(written(3));
	ASSERT(folio);
	vec = node_lruvec(page_to_nid(&folio->page));
	folio_activate(folio);
	EXPECT(PageActive(&folio->page));
	folio_rotate_reclaimable(folio);
	EXPECT(!PageActive(&folio->page));
	EXPECT(vec->chains[LRU_INACTIVE_ANON].oldest == &folio->page);
	expect_verified();
	test_process_exit(&p);
}

TEST(lru, locked_memory_is_unevictable)
{
	unsigned long rescued = vm_event_sum(UNEVICTABLE_PGRESCUED), cleared = vm_event_sum(UNEVICTABLE_PGCLEARED);
	uintptr_t at;

	ASSERT(test_process_start(&p));
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 64 * PAGE_SIZE;
	at = written(12);
	EXPECT_EQ(ksys_mlock(at, 8 * PAGE_SIZE, 0), 0);
	EXPECT_EQ(stat(NR_UNEVICTABLE), 8);
	expect_verified();
	EXPECT_EQ(ksys_munlock(at, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(stat(NR_UNEVICTABLE), 5);
	EXPECT_EQ(vm_event_sum(UNEVICTABLE_PGRESCUED), rescued + 3);
	expect_verified();
	EXPECT_EQ(ksys_munmap(at + 4 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	EXPECT_EQ(stat(NR_UNEVICTABLE), 3);
	test_process_exit(&p);
	EXPECT_EQ(stat(NR_UNEVICTABLE), 0);
	/* Who unmaps a page last unlocks it: none was freed locked. */
	EXPECT_EQ(vm_event_sum(UNEVICTABLE_PGCLEARED), cleared);
	expect_verified();
}

/* Behind the back of who unmapped it: counted, and no part of locked memory any more. */
TEST(lru, what_is_freed_locked_is_locked_no_more)
{
	unsigned long cleared = vm_event_sum(UNEVICTABLE_PGCLEARED), locked = global_zone_page_state(NR_MLOCK);

	for (unsigned int order = 0; order < 3; order += 2) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

		ASSERT(page);
		SetPageMlocked(page);
		mod_zone_page_state(page_zone(page), NR_MLOCK, 1l << order);
		EXPECT_EQ(global_zone_page_state(NR_MLOCK), locked + (1ul << order));
		__free_pages(page, order);
		EXPECT_EQ(global_zone_page_state(NR_MLOCK), locked);
	}
	EXPECT_EQ(vm_event_sum(UNEVICTABLE_PGCLEARED), cleared + 1 + 4);
	expect_verified();
}

TEST(lru, what_was_isolated_goes_where_it_belongs_now)
{
	struct folio *folio;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = written(2);
	folio = test_user_folio(at);
	lru_add_drain_all();
	ASSERT(folio && folio_isolate_lru(folio));
	/* Who found it locked says so behind the back of who unlocked it. */
	folio_cull(folio);
	folio_putback_lru(folio);
	EXPECT(!PageUnevictable(&folio->page));
	EXPECT_EQ(stat(NR_UNEVICTABLE), 0);
	ASSERT(folio_isolate_lru(folio));
	folio_cull(folio);
	folio_rescue(folio);
	EXPECT(!PageUnevictable(&folio->page));
	folio_putback_lru(folio);
	expect_verified();
	test_process_exit(&p);
	expect_verified();
}

TEST(lru, lazily_freed_memory_is_with_the_files)
{
	struct folio *folio;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = written(2);
	lru_add_drain_all();
	folio = test_user_folio(at);
	EXPECT_EQ(ksys_madvise(at, PAGE_SIZE, MADV_FREE), 0);
	EXPECT(!PageSwapBacked(&folio->page));
	EXPECT_EQ(stat(NR_INACTIVE_FILE), 1);
	expect_verified();
	folio_set_swapbacked(folio);
	EXPECT_EQ(stat(NR_INACTIVE_FILE), 0);
	expect_verified();
	test_process_exit(&p);
}

/* ---- Shadows ---- */

static u8 store[RAM_FILE_BYTES];
static struct ram_file f;
static struct file *file;

static bool open_file(void)
{
	if (!ram_file_make(&f, store, RAM_FILE_BYTES, false))
		return false;
	file = ram_file_open(&f);
	return file != NULL;
}

static void close_file(void)
{
	fput(file);
	ram_file_put(&f);
}

static struct folio *read_page(unsigned long index)
{
	int err;

	return read_mapping_folio(file->f_mapping, index, file, &err);
}

static void evict(unsigned long index)
{
	struct folio *folio = filemap_get_folio(file->f_mapping, index);

	ASSERT(folio);
	folio_lock(folio);
	filemap_evict_folio(file->f_mapping, folio);
	folio_unlock(folio);
	folio_put(folio);
}

TEST(lru, an_evicted_page_is_known_when_it_returns)
{
	unsigned long refaults = stat(WORKINGSET_REFAULT_FILE), active = stat(WORKINGSET_ACTIVATE_FILE);
	struct cachestat c;
	struct folio *folio;

	ASSERT(open_file());
	for (unsigned long i = 0; i < 8; i++) {
		folio = read_page(i);
		ASSERT(folio);
		folio_activate(folio);
		folio_put(folio);
	}
	evict(3);
	evict(4);
	expect_verified();
	filemap_cachestat(file->f_mapping, 0, 7, &c);
	EXPECT_EQ(c.nr_evicted, 2);
	EXPECT_EQ(c.nr_recently_evicted, 2);
	folio = read_page(3);
	ASSERT(folio);
	EXPECT_EQ(stat(WORKINGSET_REFAULT_FILE), refaults + 1);
	/* Less went by than is active. */
	EXPECT_EQ(stat(WORKINGSET_ACTIVATE_FILE), active + 1);
	EXPECT(PageActive(&folio->page));
	folio_put(folio);
	/* WS-I1: used once. */
	filemap_cachestat(file->f_mapping, 0, 7, &c);
	EXPECT_EQ(c.nr_evicted, 1);
	/* So much more than there is to compare with that it is none of the working set. */
	atomic_add_relaxed(&node_lruvec(0)->nonresident_age, 1ul << 20);
	for_each_lruvec (vec)
		atomic_add_relaxed(&vec->nonresident_age, 1ul << 20);
	filemap_cachestat(file->f_mapping, 0, 7, &c);
	EXPECT_EQ(c.nr_recently_evicted, 0);
	folio = read_page(4);
	ASSERT(folio);
	EXPECT(!PageActive(&folio->page));
	folio_put(folio);
	EXPECT_EQ(stat(WORKINGSET_ACTIVATE_FILE), active + 1);
	expect_verified();
	close_file();
	expect_verified();
}

TEST(lru, what_is_missed_makes_its_kind_dear)
{
	struct folio *folio = NULL;
	unsigned long shadow;
	struct lruvec *vec;

	ASSERT(open_file());
	for (unsigned long i = 0; i < 16; i++) {
		if (folio)
			folio_put(folio);
		folio = read_page(i);
		ASSERT(folio);
		folio_activate(folio);
	}
	ASSERT(folio_isolate_lru(folio));
	vec = node_lruvec(page_to_nid(&folio->page));
	vec->cost[0] = vec->cost[1] = 0;
	shadow = workingset_eviction(folio);
	workingset_refault(folio, shadow);
	EXPECT_EQ(vec->cost[1], 0); /* it is new to the working set */
	SetPageWorkingset(&folio->page);
	shadow = workingset_eviction(folio);
	workingset_refault(folio, shadow);
	EXPECT(vec->cost[1] > vec->cost[0]);
	folio_putback_lru(folio);
	folio_put(folio);
	close_file();
	expect_verified();
}

TEST(lru, shadows_of_another_policy_say_nothing)
{
	struct folio *folio = NULL;
	unsigned long shadow;

	ASSERT(open_file());
	folio = read_page(0);
	ASSERT(folio);
	folio_activate(folio);
	shadow = workingset_eviction(folio);
	EXPECT(shadow && workingset_test_recent(shadow));
	/* WS-I2 */
	EXPECT_EQ(lru_gen_set_caps(LRU_GEN_CORE), 0);
	EXPECT(!workingset_test_recent(shadow));
	shadow = workingset_eviction(folio);
	EXPECT(workingset_test_recent(shadow));
	EXPECT_EQ(lru_gen_set_caps(0), 0);
	EXPECT(!workingset_test_recent(shadow));
	folio_put(folio);
	close_file();
	expect_verified();
}

TEST(lru, nodes_of_shadows_are_bounded)
{
	unsigned long before = stat(WORKINGSET_NODES), given_up = stat(WORKINGSET_NODERECLAIM);

	ASSERT(open_file());
	for (unsigned long i = 0; i < RAM_FILE_PAGES; i++) {
		struct folio *folio = read_page(i);

		ASSERT(folio);
		folio_put(folio);
	}
	for (unsigned long i = 0; i < 64; i++)
		evict(i);
	/* SN-I1: the first node has nothing else; the second has. */
	EXPECT_EQ(stat(WORKINGSET_NODES), before + 1);
	mapping_verify(file->f_mapping, &(struct findings){ .report = test_finding });
	folio_put(read_page(5));
	EXPECT_EQ(stat(WORKINGSET_NODES), before);
	for (unsigned long i = 0; i < RAM_FILE_PAGES; i++) {
		struct folio *folio = filemap_get_folio(file->f_mapping, i);

		if (folio) {
			folio_put(folio);
			evict(i);
		}
	}
	EXPECT_EQ(stat(WORKINGSET_NODES), before + 2);
	mapping_verify(file->f_mapping, &(struct findings){ .report = test_finding });
	if (!stat(NR_INACTIVE_ANON) && !stat(NR_INACTIVE_FILE)) {
		for (unsigned int i = 0; i < 16; i++)
			for_each_online_node(nid)
				(void)shrink_slab(GFP_KERNEL, nid, NULL, 0);
		EXPECT_EQ(stat(WORKINGSET_NODES), 0);
		EXPECT(stat(WORKINGSET_NODERECLAIM) > given_up);
		EXPECT(xa_empty(&file->f_mapping->i_pages));
	}
	close_file();
	EXPECT_EQ(stat(WORKINGSET_NODES), before);
	expect_verified();
}

/* SN-I1: a file of one page has its shadow in no node; as it grows, that gets one, which nothing else may be put in. */
TEST(lru, a_shadow_gets_a_node)
{
	unsigned long before = stat(WORKINGSET_NODES);

	ASSERT(open_file());
	(void)generic_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	folio_put(read_page(0));
	evict(0);
	EXPECT_EQ(file->f_mapping->nrpages, 0);
	EXPECT_EQ(stat(WORKINGSET_NODES), before);
	folio_put(read_page(70));
	EXPECT_EQ(stat(WORKINGSET_NODES), before + 1);
	mapping_verify(file->f_mapping, &(struct findings){ .report = test_finding });
	close_file();
	EXPECT_EQ(stat(WORKINGSET_NODES), before);
	expect_verified();
}

TEST(lru, truncation_takes_shadows_along)
{
	struct cachestat c;

	ASSERT(open_file());
	for (unsigned long i = 0; i < 6; i++)
		folio_put(read_page(i));
	evict(1);
	evict(5);
	truncate_inode_pages_range(file->f_mapping, 4 * PAGE_SIZE, ~(u64)0);
	filemap_cachestat(file->f_mapping, 0, 20, &c);
	EXPECT_EQ(c.nr_evicted, 1);
	expect_verified();
	close_file();
}

/* ---- Generations ---- */

TEST(lru, policies_can_be_switched)
{
	unsigned long file_pages, anon_pages;
	struct folio *out[8];
	enum lru_verdict verdicts[8] = { LRU_KEEP, LRU_ACTIVATE, LRU_KEEP, LRU_KEEP };
	uintptr_t at;

	ASSERT(test_process_start(&p));
	ASSERT(open_file());
	at = written(PAGES);
	for (unsigned long i = 0; i < 40; i++)
		folio_put(read_page(i));
	folio_activate(test_user_folio(at));
	lru_add_drain_all();
	anon_pages = stat(NR_INACTIVE_ANON) + stat(NR_ACTIVE_ANON);
	file_pages = stat(NR_INACTIVE_FILE) + stat(NR_ACTIVE_FILE);
	EXPECT_EQ(lru_gen_set_caps(LRU_GEN_CORE | LRU_GEN_MM_WALK), 0);
	expect_verified();
	EXPECT_EQ(stat(NR_INACTIVE_ANON) + stat(NR_ACTIVE_ANON), anon_pages);
	EXPECT_EQ(stat(NR_INACTIVE_FILE) + stat(NR_ACTIVE_FILE), file_pages);
	(void)written(70);
	expect_verified();
	for_each_lruvec (vec) {
		struct lru_scan scan = { .node = NODE_DATA(vec->nid), .highest = MAX_NR_ZONES - 1, .may_swap = true,
					 .swappiness = 60 };
		unsigned long scanned = 0, max_seq = vec->gen.max_seq;

		for (unsigned int file_too = 0; file_too < 2; file_too++) {
			unsigned int n = lru_policy()->isolate(vec, &scan, file_too, out, 4, &scanned);

			EXPECT(n || !anon_pages || vec->nid);
			lru_policy()->putback(vec, out, verdicts, n);
			expect_verified();
		}
		/* LG-I1 after more generations than there are numbers. */
		for (unsigned int i = 0; i < 6; i++) {
			(void)lru_gen_age(vec, vec->gen.max_seq, false);
			expect_verified();
			for (unsigned int type = 0; type < 2; type++) {
				EXPECT(vec->gen.max_seq - vec->gen.min_seq[type] < LRU_GENS_MAX);
				EXPECT(vec->gen.min_seq[type] < vec->gen.max_seq);
			}
		}
		EXPECT(!lru_gen_age(vec, max_seq, false));
	}
	EXPECT_EQ(ksys_munmap(at + PAGE_SIZE, 60 * PAGE_SIZE), 0);
	expect_verified();
	EXPECT_EQ(lru_gen_set_caps(0), 0);
	expect_verified();
	lru_add_drain_all();
	EXPECT_EQ(stat(NR_INACTIVE_FILE) + stat(NR_ACTIVE_FILE), file_pages);
	EXPECT_EQ(stat(NR_INACTIVE_ANON) + stat(NR_ACTIVE_ANON), anon_pages + 70 - 60);
	close_file();
	test_process_exit(&p);
	expect_verified();
}

TEST(lru, what_is_used_again_and_again_is_of_a_higher_tier)
{
	static const unsigned int tiers[] = { 0, 0, 1, 2, 3, 3 };
	unsigned long refaulted;
	struct lruvec *vec;
	struct folio *folio;

	ASSERT(open_file());
	EXPECT_EQ(lru_gen_set_caps(LRU_GEN_CORE), 0);
	folio = read_page(0);
	ASSERT(folio);
	lru_add_drain_all();
	for (unsigned int i = 0; i < ARRAY_SIZE(tiers); i++) {
		EXPECT_EQ(folio_tier(folio), tiers[i]);
		folio_mark_accessed(folio);
	}
	expect_verified();
	/* The shadow tells, even though reclaim asks for PG_referenced, and clears it, before. */
	vec = node_lruvec(page_to_nid(&folio->page));
	refaulted = vec->gen.refaulted[1][3];
	ClearPageReferenced(&folio->page);
	folio_put(folio);
	evict(0);
	folio = read_page(0);
	ASSERT(folio);
	EXPECT_EQ(node_lruvec(page_to_nid(&folio->page))->gen.refaulted[1][3], refaulted + 1);
	/* What is of a high tier can be made the youngest as well. */
	lru_add_drain_all();
	for (unsigned int i = 0; i < 3; i++)
		folio_mark_accessed(folio);
	EXPECT(lru_gen_age(vec, vec->gen.max_seq, false));
	EXPECT(page_gen(&folio->page) != gen_of_seq(vec->gen.max_seq));
	folio_activate(folio);
	EXPECT_EQ(page_gen(&folio->page), gen_of_seq(vec->gen.max_seq));
	folio_put(folio);
	expect_verified();
	EXPECT_EQ(lru_gen_set_caps(0), 0);
	close_file();
	expect_verified();
}

/* ---- The verifier sees what is wrong ---- */

TEST(lru, planted_faults_are_found)
{
	struct lruvec *vec;
	struct folio *folio, *other;
	struct lru_chain *chain;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = written(PAGES);
	lru_add_drain_all();
	expect_verified();
	folio = test_user_folio(at + 5 * PAGE_SIZE);
	other = test_user_folio(at + 9 * PAGE_SIZE);
	vec = node_lruvec(page_to_nid(&folio->page));
	chain = &vec->chains[LRU_INACTIVE_ANON];
	/* A link to the wrong neighbour. */
	folio->page.lru_prev ^= 4;
	EXPECT(finds("LR-I1"));
	folio->page.lru_prev ^= 4;
	/* A flag that says another list. */
	SetPageActive(&folio->page);
	EXPECT(finds("LR-I1"));
	ClearPageActive(&folio->page);
	page_set_gen(&other->page, 2);
	EXPECT(finds("LR-I1"));
	page_set_gen(&other->page, 0);
	/* On a chain, and does not know. */
	ClearPageLRU(&folio->page);
	EXPECT(finds("LR-I2"));
	SetPageLRU(&folio->page);
	/* A page counted twice; one left out. */
	lru_count(vec, page_zonenum(&folio->page), LRU_INACTIVE_ANON, 1);
	EXPECT(finds("LR-I3"));
	lru_count(vec, page_zonenum(&folio->page), LRU_INACTIVE_ANON, -1);
	chain_cut(chain, &folio->page, &folio->page);
	EXPECT(finds("LR-I3"));
	chain_push(chain, &folio->page, &folio->page);
	/* Says it is on the lists, and is not. */
	other = test_user_folio(at + 3 * PAGE_SIZE);
	EXPECT(folio_isolate_lru(other));
	SetPageLRU(&other->page);
	EXPECT(finds("LR-I"));
	ClearPageLRU(&other->page);
	folio_putback_lru(other);
	expect_verified();
	test_process_exit(&p);
}
