// SPDX-License-Identifier: MIT
/*
 * Slots and the swap cache under many hands, with seeded interleavings and with threads (SW-I1 to SW-I6): pages that go
 * out, return, are copied, written to and dropped while areas go and come. A table of places stands for page tables: a
 * place has a folio, an entry or nothing, and the value that must be found there.
 */
#include <octavo/reclaim_hook.h>

#include "flaky.h"
#include "mm/base/findings.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "schedules.h"
#include "swapper.h"

#define CPUS 3u
#define PLACES_NR 14u
#define DISKS 2u
#define SLOTS 14u

#ifdef OCTAVO_SCHED
#define SEEDS 60
#define STEPS 60u
#else
#define SEEDS 10
#define STEPS 4000u
#endif

static struct place {
	spinlock_t lock;
	struct folio *folio; /* with a reference, and counted in _mapcount */
	swp_entry_t entry;   /* if there is no folio; 0: nothing */
	unsigned long value;
	unsigned int entries; /* that it has had */
} places[PLACES_NR];
static struct bdev *disks[DISKS];
static struct flaky slow;
static const char *const paths[DISKS] = { "/dev/a", "/dev/b" };
static unsigned int wrong, next_value, with_thread;
static const char *cmdline;
static bool discards;
static const char *what;

static void fail(const char *why)
{
	if (!atomic_fetch_add(&wrong, 1))
		what = why;
}

static void mapcount_add(struct folio *folio, s32 n)
{
	(void)atomic_fetch_add(&folio->page._mapcount, n);
}

/* ---- What the owners of pages do ---- */

static void fill(struct place *p)
{
	unsigned long value = atomic_fetch_add(&next_value, 1) + 1;
	struct folio *folio = swapper_make(0, value % 5 ? value : 0);

	if (!folio) {
		fail("no page");
		return;
	}
	SetPageDirty(&folio->page);
	folio_unlock(folio);
	spin_lock(&p->lock);
	if (!p->folio && !p->entry.val) {
		p->value = value % 5 ? value : 0;
		p->folio = folio;
		mapcount_add(folio, 1);
		folio = NULL;
	}
	spin_unlock(&p->lock);
	if (folio)
		folio_put(folio);
}

/* The folio at a place, with a reference. */
static struct folio *folio_at(struct place *p)
{
	struct folio *folio;

	spin_lock(&p->lock);
	folio = p->folio;
	if (folio)
		folio_get(folio);
	spin_unlock(&p->lock);
	return folio;
}

static void bring_in(struct place *p)
{
	struct folio *folio;
	unsigned int entries;
	swp_entry_t entry;
	int err = 0;

	spin_lock(&p->lock);
	entry = p->folio ? (swp_entry_t){ 0 } : p->entry;
	entries = p->entries;
	spin_unlock(&p->lock);
	if (!entry.val)
		return;
	folio = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, NULL, 0, &err);
	if (!folio) {
		spin_lock(&p->lock);
		/* It may have lost the slot, and got it again. */
		if (!p->folio && p->entry.val == entry.val && p->entries == entries)
			fail(err == -ENOMEM ? "no memory" : "a slot that is held is not in use");
		spin_unlock(&p->lock);
		return;
	}
	folio_lock(folio);
	folio_wait_writeback(folio);
	if (!folio_in_swap_cache(folio) || folio_swap_entry(folio).val != entry.val)
		goto out;
	if (!PageUptodate(&folio->page))
		fail("not uptodate");
	spin_lock(&p->lock);
	if (!p->folio && p->entry.val == entry.val) {
		if (swapper_tag(&folio->page) != p->value)
			fail("another page's value");
		folio_get(folio);
		mapcount_add(folio, 1);
		p->folio = folio;
		p->entry.val = 0;
		swap_free(entry);
	}
	spin_unlock(&p->lock);
	if (entry.val % 3)
		(void)folio_free_swap(folio);
out:
	folio_unlock(folio);
	folio_put(folio);
}

static void write_to(struct place *p)
{
	unsigned long value = atomic_fetch_add(&next_value, 1) + 1;
	struct folio *folio = folio_at(p);

	if (!folio)
		return;
	folio_lock(folio);
	if (page_mapcount(&folio->page) == 1 && (!folio_in_swap_cache(folio) || folio_free_swap(folio))) {
		spin_lock(&p->lock);
		if (p->folio == folio && page_mapcount(&folio->page) == 1) {
			if (swapper_tag(&folio->page) != p->value)
				fail("not what was written last");
			p->value = value;
			swapper_set_tag(&folio->page, value);
			SetPageDirty(&folio->page);
		}
		spin_unlock(&p->lock);
	}
	folio_unlock(folio);
	folio_put(folio);
}

static void copy(struct place *from, struct place *to)
{
	struct place *first = from < to ? from : to, *second = from < to ? to : from;

	if (from == to)
		return;
	spin_lock(&first->lock);
	spin_lock(&second->lock);
	if (!to->folio && !to->entry.val) {
		if (from->folio) {
			folio_get(from->folio);
			mapcount_add(from->folio, 1);
		} else if (from->entry.val && swap_duplicate(from->entry)) {
			fail("a slot that is held has no second holder");
		}
		to->folio = from->folio;
		to->entry = from->entry;
		to->entries += from->entry.val != 0;
		to->value = from->value;
	}
	spin_unlock(&second->lock);
	spin_unlock(&first->lock);
}

static void drop(struct place *p)
{
	struct folio *folio;

	spin_lock(&p->lock);
	folio = p->folio;
	if (!folio && p->entry.val)
		free_swap_and_cache(p->entry);
	else if (folio)
		mapcount_add(folio, -1);
	p->folio = NULL;
	p->entry.val = 0;
	spin_unlock(&p->lock);
	if (!folio)
		return;
	if (folio_in_swap_cache(folio))
		swap_cache_forget(folio);
	folio_put(folio);
}

/* ---- What reclaim does ---- */

/* Entries in place of the folio wherever it is mapped. */
static void unmap(struct folio *folio)
{
	swp_entry_t entry = folio_swap_entry(folio);

	for (unsigned int i = 0; i < PLACES_NR; i++) {
		struct place *p = &places[i];

		spin_lock(&p->lock);
		if (p->folio == folio) {
			if (swap_duplicate(entry))
				fail("a cached slot takes no holder");
			p->folio = NULL;
			p->entry = entry;
			p->entries++;
			mapcount_add(folio, -1);
			folio_put(folio);
		}
		spin_unlock(&p->lock);
	}
}

static void send_out(struct place *p, u64 random)
{
	unsigned int scope = memalloc_noreclaim_save();
	struct folio *folio = folio_at(p);

	if (!folio || !folio_trylock(folio))
		goto put;
	if (PageWriteback(&folio->page) || (!folio_in_swap_cache(folio) && add_to_swap(folio)))
		goto unlock;
	unmap(folio);
	if (PageDirty(&folio->page)) {
		ClearPageDirty(&folio->page);
		(void)swap_writepage(folio);
		if (!folio_trylock(folio))
			goto put;
	}
	if (folio_in_swap_cache(folio) && !PageDirty(&folio->page) && !PageWriteback(&folio->page) &&
	    !page_mapcount(&folio->page))
		evict_from_swap_cache(folio, (unsigned long)random & 0xffff);
unlock:
	folio_unlock(folio);
put:
	if (folio)
		folio_put(folio);
	memalloc_noreclaim_restore(scope);
}

/* ---- Areas ---- */

static int unuse(unsigned int type)
{
	for (unsigned int i = 0; i < PLACES_NR; i++) {
		swp_entry_t entry;

		spin_lock(&places[i].lock);
		entry = places[i].folio ? (swp_entry_t){ 0 } : places[i].entry;
		spin_unlock(&places[i].lock);
		if (entry.val && swp_type(entry) == type)
			bring_in(&places[i]);
	}
	return 0;
}

static struct swap_user user = { .unuse = unuse };

static struct bdev *device(unsigned int i)
{
	return i ? disks[i] : &slow.bdev;
}

/* One of them rotates, so that all have one place in it, is used first, and is told what is free. */
static int flags_of(unsigned int i)
{
	return i && discards ? SWAP_FLAG_PREFER | 2 | SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES : 0;
}

static void change_area(unsigned int i)
{
	if (swapoff_path(paths[i]) || swapper_on(device(i), paths[i], flags_of(i)))
		fail("an area does not go and come");
}

static void setup(void *ctx)
{
	(void)ctx;
	wrong = next_value = 0;
	what = "";
	memset(places, 0, sizeof(places));
	register_swap_user(&user);
	disks[0] = swapper_disk("ram0", SLOTS + 1);
	disks[1] = swapper_disk("ram1", discards ? 4 : SLOTS + 1); /* few are soon all free again */
	if (!disks[0] || !disks[1] || flaky_make(&slow, "flaky0", disks[0])) {
		fail("no disks");
		return;
	}
	slow.bdev.slow = with_thread;
	disks[1]->rotational = discards;
	for (unsigned int i = 0; i < DISKS; i++)
		if (swapper_on(device(i), paths[i], flags_of(i) ? flags_of(i) : SWAP_FLAG_PREFER | 1))
			fail("no areas");
}

static void work(unsigned int cpu, void *ctx)
{
	u64 chance = test_seed + cpu * 77 + 1;

	(void)ctx;
	for (unsigned int i = 0; i < STEPS && !load_relaxed(&wrong); i++) {
		u64 r = test_random(&chance);
		struct place *p = &places[r % PLACES_NR], *q = &places[(r >> 8) % PLACES_NR];

		switch (r >> 32 & 15) {
		case 0: case 1:
			fill(p);
			break;
		case 2: case 3: case 4:
			bring_in(p);
			break;
		case 5: case 6:
			write_to(p);
			break;
		case 7: case 8:
			copy(p, q);
			break;
		case 9:
			drop(p);
			break;
		case 10:
			if (!cpu && !(r >> 36 & 15))
				change_area((unsigned int)(r >> 50 & 1));
			break;
		default:
			send_out(p, r >> 16);
		}
	}
}

static bool check(void *ctx)
{
	struct findings f = { .n = 0 };

	(void)ctx;
	swap_verify(&f);
	for (unsigned int i = 0; i < PLACES_NR; i++)
		bring_in(&places[i]);
	for (unsigned int i = 0; i < PLACES_NR; i++) {
		if (places[i].folio && swapper_tag(&places[i].folio->page) != places[i].value)
			fail("the last value is not there");
		drop(&places[i]);
	}
	/* SW-I7. Nobody is left, and nobody looks for what is: what is still written or read goes when it is done. */
	for (unsigned int i = 0; i < 1000 && swap_pages_free() != swap_pages_total(); i++)
		port_park(100000);
	if (swap_pages_free() != swap_pages_total())
		fail("slots that nobody holds are in use");
	for (unsigned int i = 0; i < DISKS; i++) {
		if (swapoff_path(paths[i]))
			fail("swapoff");
		if (!i)
			flaky_end(&slow);
		brd_destroy(disks[i]);
	}
	swap_verify(&f);
	if (f.n || global_node_page_state(NR_SWAPCACHE) || global_node_page_state(NR_WRITEBACK))
		fail("invariants");
	if (wrong)
		test_fail(__FILE__, __LINE__, "%s", what);
	return !wrong;
}

static void run(bool thread)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = check, .threads = thread,
			      .cmdline = cmdline };

	with_thread = thread;
	scenario_test(&s, test_scaled(cmdline ? 5 * SEEDS : SEEDS));
}

TEST(swap_sched, pages_come_and_go)
{
	run(false);
}

/* One of the areas has a thread of its own that writes. */
TEST(swap_sched, a_slow_device)
{
	run(true);
}

/* Slots change their owner while zswap still has what the last one left. */
TEST(swap_sched, compressed_copies)
{
	cmdline = "zswap.enabled=1";
	run(false);
	cmdline = NULL;
}

TEST(swap_sched, a_disk_that_discards)
{
	discards = true;
	run(false);
	discards = false;
}

/* The same with threads of the host at once. */
TEST(swap_sched, on_threads)
{
	with_thread = 0;
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(check(NULL));
}
