// SPDX-License-Identifier: MIT
/*
 * The multi-generational policy.
 *
 * Purpose. Two lists tell what was used since the last look from what was not. With more of them it can be told how
 * long ago something was used, and page tables can be asked for many pages at once instead of one page at a time.
 *
 * Words. A *generation* is what was used at about the same time: a number that only grows (*seq*), of which the last
 * four exist; page->ids of a folio has seq % 4 + 1. *Aging*: a new youngest generation begins, into which goes what was
 * used since the last began. *Eviction*: the oldest goes. A *tier*: how often a folio was used through system calls,
 * in powers of two; those of a higher tier are spared if folios of that tier come back more often than others do.
 *
 * Structures
 *
 *	max_seq 7   chains[gen 4][anon, file][zone]	youngest: faults of anon, what was found young
 *	        6   chains[gen 3]			with the youngest counted as active
 *	        5   chains[gen 2]
 *	min_seq 4   chains[gen 1]			oldest: new pages of files; taken from
 * anon and file have a min_seq each.
 *
 * Invariants
 *	LG-I1  min_seq <= max_seq - 1 and max_seq - min_seq < 4, for both types: folios have generations in between.
 *	LG-I2  nr_active_anon and so on count the two youngest generations, nr_inactive_* the others.
 *
 * Refaults. For each type and tier it is counted what was evicted and what came back; both are halved when a generation
 * goes. Tiers above the first are spared from where the share that came back is greater than the first tier's. The
 * shadow has min_seq and the tier.
 *
 * Locking. lruvec->lock guards all of it; aging takes turns by the value of max_seq that it was asked for.
 *
 * Differences from Linux. Links follow the generation at once: nothing is sorted later. A walk of page tables visits
 * all address spaces, without a filter of those that are worth it, and cannot ask tables above the last level (bit
 * 0x0004 is kept and does nothing). No memory cgroups.
 *
 * Sources. Documentation/mm/multigen_lru.rst, Documentation/admin-guide/mm/multigen_lru.rst.
 */
#include "gen.h"

#include "workingset.h"

unsigned long lru_gen_min_ttl_ms __memsys;

/* ---- Generations. Context: the lock ---- */

enum lru_list lru_gen_list(const struct lruvec *vec, unsigned int chain)
{
	unsigned int number = chain - LRU_CHAIN_GENS, gen = number / (2 * MAX_NR_ZONES) + 1;
	bool file = number / MAX_NR_ZONES & 1, active;

	active = gen == gen_of_seq(vec->gen.max_seq) || gen == gen_of_seq(vec->gen.max_seq - 1);
	return (enum lru_list)((file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON) + active);
}

/* Pages of a generation, of zones up to @highest. */
static unsigned long pages_below(const struct lruvec *vec, unsigned long seq, bool file, unsigned int highest)
{
	unsigned long pages = 0;

	for (unsigned int zone = 0; zone <= highest; zone++)
		pages += vec->chains[gen_chain(gen_of_seq(seq), file, zone)].pages;
	return pages;
}

unsigned long lru_gen_pages(const struct lruvec *vec, unsigned long seq, bool file)
{
	return pages_below(vec, seq, file, MAX_NR_ZONES - 1);
}

unsigned int folio_tier(const struct folio *folio)
{
	u32 flags = load_relaxed(&folio->page.flags);
	bool twice = flags >> PG_lru_refs & 1;

	/* Not by PG_referenced: when the shadow is made, reclaim has cleared that. */
	return flags >> PG_active & 1 ? 2u + twice : twice;
}

static void forget_use(struct folio *folio)
{
	const u32 marks = 1u << PG_referenced | 1u << PG_active | 1u << PG_lru_refs;

	if (load_relaxed(&folio->page.flags) & marks)
		(void)atomic_fetch_and(&folio->page.flags, ~marks);
}

/* What is new and mapped by programs, or known to be in use, is youngest; a file's page has to show it first. */
static void gen_add(struct lruvec *vec, struct folio *folio)
{
	bool file = folio_is_file_lru(folio);
	bool young = PageActive(&folio->page) || !file;

	if (unlikely(PageUnevictable(&folio->page)))
		ClearPageUnevictable(&folio->page);
	if (young)
		forget_use(folio);
	page_set_gen(&folio->page, gen_of_seq(young ? vec->gen.max_seq : vec->gen.min_seq[file]));
}

static void gen_deactivate(struct lruvec *vec, struct folio *folio)
{
	forget_use(folio);
	page_set_gen(&folio->page, gen_of_seq(vec->gen.min_seq[folio_is_file_lru(folio)]));
}

/* 0, 1, 2, 3 or 4, 5 times and more. */
static void gen_accessed(struct folio *folio)
{
	u32 flags = load_relaxed(&folio->page.flags);

	if (!(flags >> PG_referenced & 1)) {
		SetPageReferenced(&folio->page);
	} else if (!(flags >> PG_lru_refs & 1)) {
		(void)atomic_fetch_or(&folio->page.flags, 1u << PG_lru_refs);
	} else if (!(flags >> PG_active & 1)) {
		struct lruvec *vec = folio_lruvec(folio);
		unsigned long irq;

		/* Only in a generation PG_active says nothing of the chain. */
		lru_lock(vec, &irq);
		if (PageLRU(&folio->page) && page_gen(&folio->page)) {
			SetPageActive(&folio->page);
			(void)atomic_fetch_and(&folio->page.flags, ~(1u << PG_lru_refs));
		}
		lru_unlock(vec, irq);
	}
}

void lru_make_youngest(struct folio *folio)
{
	const struct lruvec *vec = folio_lruvec(folio);
	unsigned int gen = page_gen(&folio->page);

	if (gen && gen != gen_of_seq(load_relaxed(&vec->gen.max_seq)))
		folio_activate(folio);
}

bool lru_wants_neighbours(void)
{
	return lru_policy() == &lru_gen;
}

/* Statistics count what was lately. */
static void halve(struct lruvec *vec, bool file)
{
	for (unsigned int tier = 0; tier < LRU_TIERS; tier++) {
		vec->gen.evicted[file][tier] /= 2;
		vec->gen.refaulted[file][tier] /= 2;
	}
}

/* The oldest generations are gone if nothing is in them. */
static void drop_empty(struct lruvec *vec, bool file)
{
	struct lru_gen *gen = &vec->gen;

	while (gen->min_seq[file] + GENS_MIN <= gen->max_seq && !lru_gen_pages(vec, gen->min_seq[file], file)) {
		store_relaxed(&gen->min_seq[file], gen->min_seq[file] + 1);
		halve(vec, file);
	}
}

/*
 * Who was at work when another policy came must not put anything onto these chains any more, as they are being taken
 * over: behind the lock all know.
 */
static bool is_over(void)
{
	return lru_policy() != &lru_gen;
}

/* One folio changes its generation, at the young end, or at the old one, of the new. */
static void regenerate(struct lruvec *vec, struct folio *folio, unsigned long seq, bool old)
{
	lru_unlink(vec, folio);
	page_set_gen(&folio->page, gen_of_seq(seq));
	lru_link(vec, folio, old);
}

/* Up to @left folios of the oldest generation join the next one, as its oldest. Return: pages. */
static unsigned long raise(struct lruvec *vec, bool file, unsigned int zone, unsigned int *left)
{
	unsigned long seq = vec->gen.min_seq[file], pages = 0;
	struct lru_chain *chain = &vec->chains[gen_chain(gen_of_seq(seq), file, zone)];

	for (; chain->newest && *left; --*left) {
		pages += folio_nr_pages((struct folio *)chain->newest);
		regenerate(vec, (struct folio *)chain->newest, seq + 1, true);
	}
	return pages;
}

/* The oldest generation's folios join the next one, so that there is room for a new youngest. Takes the lock. */
static void merge_oldest(struct lruvec *vec, bool file, unsigned long max_seq)
{
	struct lru_gen *gen = &vec->gen;

	for (;;) {
		unsigned int left = 64;
		unsigned long flags;

		lru_lock(vec, &flags);
		if (is_over() || gen->max_seq != max_seq || gen->max_seq - gen->min_seq[file] < LRU_GENS_MAX - 1) {
			lru_unlock(vec, flags);
			return;
		}
		for (unsigned int zone = 0; zone < MAX_NR_ZONES; zone++)
			(void)raise(vec, file, zone, &left);
		drop_empty(vec, file);
		lru_unlock(vec, flags);
	}
}

/* The generation before the last one is not among the two youngest any more. */
static void recount(struct lruvec *vec, unsigned long seq, long sign)
{
	for (unsigned int file = 0; file < 2; file++)
		for (unsigned int zone = 0; zone < MAX_NR_ZONES; zone++) {
			unsigned int list = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
			long pages = (long)vec->chains[gen_chain(gen_of_seq(seq), file, zone)].pages;

			if (!pages)
				continue;
			lru_count_list(vec, zone, list + 1, -sign * pages);
			lru_count_list(vec, zone, list, sign * pages);
		}
}

bool lru_gen_age(struct lruvec *vec, unsigned long seq, bool walk)
{
	struct lru_gen *gen = &vec->gen;
	unsigned long flags;
	bool mine;

	if (walk && lru_gen_caps() & LRU_GEN_MM_WALK && lru_vm_ops && lru_vm_ops->walk_young)
		lru_vm_ops->walk_young(vec->nid);
	for (unsigned int file = 0; file < 2; file++)
		merge_oldest(vec, file, seq);
	lru_lock(vec, &flags);
	mine = !is_over() && gen->max_seq == seq && gen->max_seq - gen->min_seq[0] < LRU_GENS_MAX - 1 &&
	       gen->max_seq - gen->min_seq[1] < LRU_GENS_MAX - 1;
	if (mine) {
		recount(vec, gen->max_seq - 1, 1);
		store_relaxed(&gen->max_seq, gen->max_seq + 1);
		gen->birth_ns[gen->max_seq % LRU_GENS_MAX] = port_clock_ns();
	}
	lru_unlock(vec, flags);
	return mine;
}

/* ---- Eviction ---- */

static unsigned long evictable(const struct lruvec *vec, const struct lru_scan *scan, bool file)
{
	unsigned long pages = 0;

	for (unsigned long seq = vec->gen.min_seq[file]; seq <= vec->gen.max_seq; seq++)
		pages += pages_below(vec, seq, file, scan->highest);
	return pages;
}

/* The highest tier that is not spared. */
static unsigned int spared_above(const struct lruvec *vec, bool file)
{
	const unsigned long *evicted = vec->gen.evicted[file], *refaulted = vec->gen.refaulted[file];

	for (unsigned int tier = 1; tier < LRU_TIERS; tier++) {
		/* refaulted / evicted of this tier > of the first; a few do not make a share */
		if (refaulted[tier] > 32 &&
		    (u64)refaulted[tier] * (evicted[0] + 1) > (u64)refaulted[0] * (evicted[tier] + 1))
			return tier - 1;
	}
	return LRU_TIERS - 1;
}

/* min_ttl_ms: what was used within that time stays, and be it that something has to be killed. */
static bool is_protected(const struct lruvec *vec, bool file)
{
	unsigned long ttl = load_relaxed(&lru_gen_min_ttl_ms);
	u64 born = vec->gen.birth_ns[vec->gen.min_seq[file] % LRU_GENS_MAX];

	return ttl && port_clock_ns() - born < (u64)ttl * 1000000;
}

struct take {
	struct lruvec *vec;
	struct folio **out;
	unsigned int n, max, spared;
	unsigned long left, *scanned;
	bool file;
};

static void take_from(struct take *t, struct lru_chain *chain)
{
	struct lruvec *vec = t->vec;
	unsigned long seq = vec->gen.min_seq[t->file];
	struct lru_counts counts = { 0 };

	while (t->n < t->max && t->left && chain->oldest) {
		struct page *page = chain->oldest;
		struct folio *folio = (struct folio *)page;
		unsigned long nr = folio_nr_pages(folio);
		unsigned int tier = folio_tier(folio);

		t->left -= min(t->left, nr);
		*t->scanned += nr;
		if (tier > t->spared) {
			forget_use(folio);
			regenerate(vec, folio, seq + 1, false);
		} else if (lru_isolate_page(vec, page, &counts)) {
			vec->gen.evicted[t->file][tier] += nr;
			t->out[t->n++] = folio;
		} else {
			chain_cut(chain, page, page);
			chain_push(chain, page, page);
		}
	}
	lru_counts_end(vec, &counts);
}

/*
 * What lies in higher zones than are asked for would keep the oldest generation from going, and all behind it from
 * being looked at: it joins the next one. Return: there was something.
 */
static bool pass_over(struct lruvec *vec, bool file, unsigned int highest)
{
	unsigned int left = 64;

	for (unsigned int zone = highest + 1; zone < MAX_NR_ZONES; zone++)
		count_vm_events(PGSKIP_FIRST + zone, raise(vec, file, zone, &left));
	return left < 64;
}

static unsigned int gen_isolate(struct lruvec *vec, struct lru_scan *scan, bool file, struct folio **out,
				unsigned int max, unsigned long *scanned)
{
	struct take t = { .vec = vec, .out = out, .max = max, .scanned = scanned, .file = file,
			  .left = (unsigned long)max * 16 };
	unsigned long flags, seq;

	for (unsigned int tries = 0; tries < LRU_GENS_MAX;) {
		bool few, passed = false;

		lru_lock(vec, &flags);
		if (is_over() || !evictable(vec, scan, file)) {
			lru_unlock(vec, flags);
			return 0;
		}
		drop_empty(vec, file);
		seq = vec->gen.max_seq;
		few = seq - vec->gen.min_seq[file] < GENS_MIN;
		if (!few && !is_protected(vec, file)) {
			t.spared = spared_above(vec, file);
			for (int zone = (int)scan->highest; zone >= 0; zone--)
				take_from(&t, &vec->chains[gen_chain(gen_of_seq(vec->gen.min_seq[file]), file,
								     (enum zone_type)zone)]);
			passed = !t.n && t.left && pass_over(vec, file, scan->highest);
		}
		lru_unlock(vec, flags);
		if (passed)
			continue;
		if (t.n || !few)
			return t.n;
		(void)lru_gen_age(vec, seq, !tries++ && scan->kswapd);
	}
	return 0;
}

/* ---- What a scan looks at ---- */

/* The share of anon in 1/1000: by swappiness, and by how much of either came back lately. */
static unsigned int anon_share(const struct lruvec *vec, const struct lru_scan *scan, unsigned long anon)
{
	const struct lru_gen *gen = &vec->gen;
	u64 want[2];

	if (!scan->may_swap || !anon || (!scan->swappiness && !scan->file_is_tiny))
		return 0;
	/* At last all of both, lest it come to a kill for pages that cannot go. */
	if (!scan->priority && scan->swappiness)
		return 500;
	if (scan->file_is_tiny)
		return 1000;
	for (unsigned int file = 0; file < 2; file++)
		want[file] = (u64)(file ? 200 - scan->swappiness : scan->swappiness) * 1024 *
			     (gen->evicted[file][0] + 64) / (gen->refaulted[file][0] + 64);
	return want[0] + want[1] ? (unsigned int)(want[0] * 1000 / (want[0] + want[1])) : 500;
}

static void gen_choose(struct lruvec *vec, const struct lru_scan *scan, unsigned long nr[2])
{
	unsigned long pages[2], flags;
	unsigned int part;

	lru_lock(vec, &flags);
	pages[0] = evictable(vec, scan, false);
	pages[1] = evictable(vec, scan, true);
	store_relaxed(&vec->can_swap, scan->may_swap);
	part = anon_share(vec, scan, pages[0]);
	for (unsigned int file = 0; file < 2; file++) {
		unsigned long all = vec->scan_left[file] + pages[file];

		vec->scan_left[file] = all & ((1ul << scan->priority) - 1);
		nr[file] = (unsigned long)((u64)(all >> scan->priority) * (file ? 1000 - part : part) / 1000);
		if (!scan->priority)
			nr[file] = (file ? part < 1000 : part > 0) ? max(nr[file], pages[file]) : 0;
	}
	lru_unlock(vec, flags);
}

static void gen_node_age(struct lruvec *vec, const struct lru_scan *scan)
{
	(void)vec; /* aging follows from eviction: a generation is made when there are too few to take one */
	(void)scan;
	lru_add_drain();
}

/* ---- Shadows ---- */

#define TIER_BITS 2u

static unsigned long gen_eviction(struct lruvec *vec, struct folio *folio)
{
	return load_relaxed(&vec->gen.min_seq[folio_is_file_lru(folio)]) << TIER_BITS | folio_tier(folio);
}

static bool gen_recent(struct lruvec *vec, bool file, unsigned long age, unsigned long mask, bool workingset)
{
	unsigned long now = load_relaxed(&vec->gen.max_seq);

	(void)file;
	(void)workingset;
	return ((now - (age >> TIER_BITS)) & mask >> TIER_BITS) < LRU_GENS_MAX;
}

static void gen_refault(struct lruvec *vec, struct folio *folio, unsigned long age, bool recent, bool workingset)
{
	unsigned int tier = age & (LRU_TIERS - 1);
	bool file = folio_is_file_lru(folio);
	unsigned long flags;

	if (!recent)
		return;
	lru_lock(vec, &flags);
	vec->gen.refaulted[file][tier] += folio_nr_pages(folio);
	lru_unlock(vec, flags);
	workingset_count(vec, WORKINGSET_ACTIVATE_ANON, folio);
	if (workingset || tier || !file) {
		SetPageWorkingset(&folio->page);
		SetPageActive(&folio->page);
	}
	if (workingset)
		workingset_count(vec, WORKINGSET_RESTORE_ANON, folio);
}

/* ---- Switching ---- */

static int gen_switch_in(struct lruvec *vec)
{
	struct lru_gen *gen = &vec->gen;
	unsigned long flags;

	lru_lock(vec, &flags);
	/* Above every number that a shadow may still have. */
	store_relaxed(&gen->max_seq, gen->max_seq + LRU_GENS_MAX * 2 - 1);
	for (unsigned int file = 0; file < 2; file++) {
		store_relaxed(&gen->min_seq[file], gen->max_seq - (LRU_GENS_MAX - 1));
		for (unsigned int tier = 0; tier < LRU_TIERS; tier++)
			gen->evicted[file][tier] = gen->refaulted[file][tier] = 0;
	}
	for (unsigned int i = 0; i < LRU_GENS_MAX; i++)
		gen->birth_ns[i] = port_clock_ns();
	lru_unlock(vec, flags);
	return 0;
}

const struct lru_policy lru_gen = {
	.name = "multigen",
	.add = gen_add,
	.accessed = gen_accessed,
	.deactivate = gen_deactivate,
	.age = gen_node_age,
	.choose = gen_choose,
	.isolate = gen_isolate,
	.putback = lru_putback,
	.eviction = gen_eviction,
	.recent = gen_recent,
	.refault = gen_refault,
	.switch_in = gen_switch_in,
};
