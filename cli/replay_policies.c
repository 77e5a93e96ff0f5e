// SPDX-License-Identifier: MIT
/*
 * Replacement policies of the literature, for "octavo replay" to compare with.
 *
 * FIFO: out goes what came first.
 * CLOCK: the same, but what was used since the hand last passed stays for a turn: F. J. Corbato, "A paging experiment
 *	with the Multics system", 1968.
 * LRU: out goes what was not used for longest.
 * ARC: N. Megiddo, D. S. Modha, "ARC: a self-tuning, low overhead replacement cache", USENIX FAST 2003, figure 4, whose
 *	names are kept: T1 and T2 hold pages used once and more often, B1 and B2 the names of those that went from them;
 *	a use of such a name moves the target @p for T1's size.
 * OPT: out goes what will be used last, or never: L. A. Belady, "A study of replacement algorithms for a
 *	virtual-storage computer", IBM Systems Journal 5(2), 1966. No policy misses less.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define NONE (~0u)
/* References between two calls of the progress function. */
#define STEP (1u << 20)

static void tell(const struct replay_trace *trace, size_t i, replay_progress_fn progress)
{
	if (!(i & (STEP - 1)) && progress)
		progress((double)i / (double)trace->nr);
}

/* ---- FIFO and CLOCK: a ring of the resident pages ---- */

static int run_ring(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		    struct replay_result *result, bool second_chance)
{
	u32 room = pages < trace->pages ? pages : trace->pages; /* more is not used */
	u32 *ring = cli_resize(NULL, room * sizeof(u32)), used = 0, hand = 0;
	u8 *state = cli_alloc(trace->pages); /* bit 0: resident, bit 1: used since the hand passed */

	for (size_t i = 0; i < trace->nr; i++) {
		u32 page = trace->refs[i] & REF_PAGE;

		tell(trace, i, progress);
		if (state[page]) {
			state[page] |= 2;
			continue;
		}
		result->misses++;
		state[page] = 1;
		if (used < room) {
			ring[used++] = page;
			continue;
		}
		while (second_chance && state[ring[hand]] & 2) {
			state[ring[hand]] = 1;
			hand = hand + 1 == room ? 0 : hand + 1;
		}
		state[ring[hand]] = 0;
		ring[hand] = page;
		hand = hand + 1 == room ? 0 : hand + 1;
	}
	free(ring);
	free(state);
	return EXIT_DONE;
}

static int run_fifo(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		    struct replay_result *result)
{
	return run_ring(trace, pages, progress, result, false);
}

static int run_clock(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		     struct replay_result *result)
{
	return run_ring(trace, pages, progress, result, true);
}

/* ---- Lists of pages, for LRU and ARC: a page is on one at most ---- */

enum { T1, T2, B1, B2, LISTS, ON_NONE = LISTS };

struct lists {
	u32 *next, *prev; /* by page; towards the least recent, towards the most recent */
	u8 *on;
	u32 first[LISTS], last[LISTS], nr[LISTS];
};

static void lists_init(struct lists *l, u32 pages)
{
	l->next = cli_resize(NULL, pages * sizeof(u32));
	l->prev = cli_resize(NULL, pages * sizeof(u32));
	l->on = cli_resize(NULL, pages);
	memset(l->on, ON_NONE, pages);
	for (unsigned int i = 0; i < LISTS; i++) {
		l->first[i] = l->last[i] = NONE;
		l->nr[i] = 0;
	}
}

static void lists_free(struct lists *l)
{
	free(l->next);
	free(l->prev);
	free(l->on);
}

static void list_del(struct lists *l, u32 page)
{
	unsigned int on = l->on[page];
	u32 next = l->next[page], prev = l->prev[page];

	if (prev == NONE)
		l->first[on] = next;
	else
		l->next[prev] = next;
	if (next == NONE)
		l->last[on] = prev;
	else
		l->prev[next] = prev;
	l->nr[on]--;
	l->on[page] = ON_NONE;
}

/* To the most recent end. */
static void list_put(struct lists *l, u32 page, unsigned int on)
{
	if (l->on[page] != ON_NONE)
		list_del(l, page);
	l->next[page] = l->first[on];
	l->prev[page] = NONE;
	if (l->first[on] == NONE)
		l->last[on] = page;
	else
		l->prev[l->first[on]] = page;
	l->first[on] = page;
	l->nr[on]++;
	l->on[page] = (u8)on;
}

static int run_lru(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		   struct replay_result *result)
{
	struct lists l;

	lists_init(&l, trace->pages);
	for (size_t i = 0; i < trace->nr; i++) {
		u32 page = trace->refs[i] & REF_PAGE;

		tell(trace, i, progress);
		if (l.on[page] == ON_NONE) {
			result->misses++;
			if (l.nr[T1] == pages)
				list_del(&l, l.last[T1]);
		}
		list_put(&l, page, T1);
	}
	lists_free(&l);
	return EXIT_DONE;
}

/* ---- ARC ---- */

/* REPLACE(x, p): the least recent page of T1 or T2 leaves memory; its name stays. T1 and T2 have c pages together. */
static void arc_replace(struct lists *l, double p, bool in_b2)
{
	if (l->nr[T1] && ((double)l->nr[T1] > p || (in_b2 && (double)l->nr[T1] == p)))
		list_put(l, l->last[T1], B1);
	else
		list_put(l, l->last[T2], B2);
}

/* Case IV: the page is new. */
static void arc_make_room(struct lists *l, u32 c, double p)
{
	u32 l1 = l->nr[T1] + l->nr[B1], all = l1 + l->nr[T2] + l->nr[B2];

	if (l1 == c) {
		if (l->nr[T1] < c) {
			list_del(l, l->last[B1]);
			arc_replace(l, p, false);
		} else {
			list_del(l, l->last[T1]);
		}
	} else if (all >= c) {
		if (all == 2 * c)
			list_del(l, l->last[B2]);
		arc_replace(l, p, false);
	}
}

static int run_arc(const struct replay_trace *trace, u32 c, replay_progress_fn progress, struct replay_result *result)
{
	struct lists l;
	double p = 0;

	lists_init(&l, trace->pages);
	for (size_t i = 0; i < trace->nr; i++) {
		u32 page = trace->refs[i] & REF_PAGE;
		double b1 = l.nr[B1], b2 = l.nr[B2];

		tell(trace, i, progress);
		switch (l.on[page]) {
		case T1:
		case T2:
			list_put(&l, page, T2);
			continue;
		case B1:
			p += b1 >= b2 ? 1 : b2 / b1;
			p = p < c ? p : c;
			arc_replace(&l, p, false);
			list_put(&l, page, T2);
			break;
		case B2:
			p -= b2 >= b1 ? 1 : b1 / b2;
			p = p > 0 ? p : 0;
			arc_replace(&l, p, true);
			list_put(&l, page, T2);
			break;
		default:
			arc_make_room(&l, c, p);
			list_put(&l, page, T1);
		}
		result->misses++;
	}
	lists_free(&l);
	return EXIT_DONE;
}

/* ---- OPT ---- */

/*
 * A heap of (when it is used next, page), the latest on top. An entry is out of date once its page was used again or
 * went; it is dropped when it comes to the top.
 */
struct future {
	u32 when, page;
};

static void heap_push(struct future *heap, size_t *nr, struct future item)
{
	size_t i = (*nr)++;

	while (i && heap[(i - 1) / 2].when < item.when) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = item;
}

static struct future heap_pop(struct future *heap, size_t *nr)
{
	struct future top = heap[0], item = heap[--*nr];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < *nr && heap[child + 1].when > heap[child].when)
			child++;
		if (child >= *nr || heap[child].when <= item.when)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = item;
	return top;
}

/* By reference: the next one of the same page; NONE: it is the last. */
static u32 *next_uses(const struct replay_trace *trace)
{
	u32 *next = cli_resize(NULL, trace->nr * sizeof(u32)), *last = cli_resize(NULL, trace->pages * sizeof(u32));

	memset(last, 0xff, trace->pages * sizeof(u32));
	for (size_t i = trace->nr; i-- > 0;) {
		next[i] = last[trace->refs[i] & REF_PAGE];
		last[trace->refs[i] & REF_PAGE] = (u32)i;
	}
	free(last);
	return next;
}

static int run_opt(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		   struct replay_result *result)
{
	u32 *next = next_uses(trace), *current = cli_resize(NULL, trace->pages * sizeof(u32)), used = 0;
	struct future *heap = cli_resize(NULL, trace->nr * sizeof(*heap));
	u8 *here = cli_alloc(trace->pages);
	size_t nr = 0;

	for (size_t i = 0; i < trace->nr; i++) {
		u32 page = trace->refs[i] & REF_PAGE;

		tell(trace, i, progress);
		if (!here[page]) {
			result->misses++;
			while (used == pages) {
				struct future out = heap_pop(heap, &nr);

				if (here[out.page] && current[out.page] == out.when) {
					here[out.page] = 0;
					used--;
				}
			}
			here[page] = 1;
			used++;
		}
		current[page] = next[i];
		heap_push(heap, &nr, (struct future){ next[i], page });
	}
	free(next);
	free(current);
	free(heap);
	free(here);
	return EXIT_DONE;
}

const struct replay_policy replay_fifo = { "fifo", "FIFO", run_fifo };
const struct replay_policy replay_clock = { "clock", "CLOCK", run_clock };
const struct replay_policy replay_lru = { "lru", "LRU", run_lru };
const struct replay_policy replay_arc = { "arc", "ARC", run_arc };
const struct replay_policy replay_opt = { "opt", "OPT", run_opt };
