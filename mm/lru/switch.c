// SPDX-License-Identifier: MIT
/*
 * From one policy to another, with the folios.
 *
 * The new one is in effect at once for what comes onto the lists; then each node's chains are taken over, the oldest
 * first, a few at a time, so that interrupts are never off for long. Meanwhile reclaim may find that the new policy has
 * little to offer yet. That is no reason to say that there is no memory: it asks lru_policy_moving() and tries again.
 * Nothing is allocated while folios move, so that comes to its end.
 */
#include "gen.h"

#include "../sync/mutex.h"

static struct {
	struct mutex mutex; /* who switches */
	u8 caps;   /* (a) */
	u8 moving; /* (a) folios are on chains that the policy does not look at */
} state __memsys = { .mutex = MUTEX_INIT };

static void move_chain(struct lruvec *vec, struct lru_chain *chain)
{
	const struct lru_policy *p = lru_policy();
	unsigned long flags, left, all = 0;
	bool first = true;

	do {
		lru_lock(vec, &flags);
		/*
		 * No more than there were: the new policy may use the chain as well. Behind the lock all know the
		 * policy.
		 */
		all = first ? chain->pages : all;
		first = false;
		for (left = 64; left && all && chain->oldest; left--, all--) {
			struct folio *folio = (struct folio *)chain->oldest;
			bool active = page_chain(&folio->page) < LRU_CHAIN_GENS ?
				PageActive(&folio->page) :
				lru_gen_list(vec, page_chain(&folio->page)) % 2 == LRU_ACTIVE_ANON % 2;

			lru_unlink(vec, folio);
			page_set_gen(&folio->page, 0);
			if (active)
				SetPageActive(&folio->page);
			else
				ClearPageActive(&folio->page);
			p->add(vec, folio);
			lru_link(vec, folio, false);
		}
		lru_unlock(vec, flags);
	} while (!left && all);
}

/* Chains that @from had: generations, or plain lists. */
static void take_over(struct lruvec *vec, const struct lru_policy *from)
{
	if (from == &lru_gen) {
		unsigned long seq = load_relaxed(&vec->gen.max_seq) - (LRU_GENS_MAX - 1);

		for (unsigned int i = 0; i < LRU_GENS_MAX; i++, seq++)
			for (unsigned int type = 0; type < 2 * MAX_NR_ZONES; type++)
				move_chain(vec, &vec->chains[gen_chain(gen_of_seq(seq), 0, 0) + type]);
		return;
	}
	for (unsigned int list = LRU_INACTIVE_ANON; list <= LRU_ACTIVE_FILE; list++)
		move_chain(vec, &vec->chains[list]);
}

/* Context: the mutex. */
static int switch_locked(const struct lru_policy *to)
{
	const struct lru_policy *from = lru_policy();
	int err = 0;

	if (to == from)
		return 0;
	for_each_lruvec (vec)
		if (!err && to->switch_in)
			err = to->switch_in(vec);
	if (!err) {
		store_release(&state.moving, 1);
		lru_policy_set(to);
		lru_add_drain_all();
		for_each_lruvec (vec) {
			/* Who still adds by the old one has the lock: behind him all know. */
			take_over(vec, from);
			if (from->switch_out)
				from->switch_out(vec);
		}
	}
	store_release(&state.moving, 0);
	return err;
}

int lru_policy_switch(const struct lru_policy *to)
{
	int err;

	mutex_lock(&state.mutex);
	err = switch_locked(to);
	mutex_unlock(&state.mutex);
	return err;
}

bool lru_policy_moving(void)
{
	return load_acquire(&state.moving);
}

unsigned int lru_gen_caps(void)
{
	return load_relaxed(&state.caps);
}

int lru_gen_set_caps(unsigned int caps)
{
	int err;

	mutex_lock(&state.mutex);
	err = switch_locked(caps & LRU_GEN_CORE ? &lru_gen : &lru_classic);
	if (!err)
		store_relaxed(&state.caps, (u8)(caps & (LRU_GEN_CORE | LRU_GEN_MM_WALK | LRU_GEN_NONLEAF)));
	mutex_unlock(&state.mutex);
	return err;
}
