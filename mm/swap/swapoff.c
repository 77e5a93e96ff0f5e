// SPDX-License-Identifier: MIT
/*
 * swapoff(2): nothing new goes to the area, then everything comes back, then it goes.
 *
 * What holds slots is with the users that registered. Each round asks all of them, and then looks at what is left in
 * the cache alone. Entries move meanwhile: a fork copies them to a place that a round has passed, a folio that was
 * locked stays. So there are rounds until no slot is in use; each leaves fewer, for no new ones are made.
 */
#include "area.h"

#include <octavo/fs.h>
#include <octavo/task.h>

#include "../base/string.h"
#include "../pgtable/mm.h"
#include "../zswap/zswap.h"

#define BREAK_NS 1000000u

static struct swap_user *users __memsys;

void register_swap_user(struct swap_user *user)
{
	mutex_lock(&swap_mutex);
	user->next = users;
	users = user;
	mutex_unlock(&swap_mutex);
}

static int unuse_round(struct swap_area *area)
{
	unsigned long hand = 0;

	for (struct swap_user *user = users; user; user = user->next) {
		int err = load_relaxed(&area->used) ? user->unuse(area->type) : 0;

		if (err)
			return err;
		if (fatal_signal_pending(current_task()))
			return -EINTR;
	}
	if (load_relaxed(&area->used))
		(void)swap_reclaim_cached(area, &hand, area->max);
	return 0;
}

static int try_to_unuse(struct swap_area *area)
{
	unsigned long left;
	int err = 0;

	while (!err && (left = atomic_fetch_add(&area->used, 0)) != 0) {
		err = unuse_round(area);
		/* Others have what is left, for the moment: locked, or under writeback. */
		if (load_relaxed(&area->used) == left)
			port_park(BREAK_NS);
	}
	return err;
}

/* Areas without a priority of their own stand in the order of their swapon: those behind move up. */
static void close_gap(int prio)
{
	if (prio >= 0)
		return;
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++)
		if (swap_areas[type] && swap_areas[type]->prio < prio)
			swap_areas[type]->prio++;
	swap_least_priority++;
}

static int swapoff_locked(struct swap_area *area)
{
	bool last = true;
	int err = 0;

	for (struct swap_user *user = users; user && !err; user = user->next)
		err = user->may_shrink ? user->may_shrink(area->pages) : 0;
	if (err)
		return err;
	atomic_fetch_and(&area->flags, ~(unsigned int)SWP_WRITEOK);
	swap_order_update();
	/* Who is about to take a slot, or looks after the area. */
	synchronize_rcu();
	while (load_acquire(&area->visitors))
		port_park(BREAK_NS);
	err = try_to_unuse(area);
	if (err) {
		atomic_fetch_or(&area->flags, (unsigned int)SWP_WRITEOK);
		swap_order_update();
		return err;
	}
	swap_discard_all(area);
	store_release(&swap_areas[area->type], NULL);
	close_gap(area->prio);
	swap_order_update();
	if (!(area->flags & SWP_SOLIDSTATE))
		atomic_add_relaxed(&swap_rotational, ~0u);
	zswap_swapoff(area->type);
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++)
		last &= !swap_areas[type];
	synchronize_rcu();
	/* Who has just queued the last transfer has woken the thread by now. */
	swap_queue_stop(area);
	if (last)
		swap_table_free_all();
	if (area->file)
		swap_file_release(area->file);
	else
		bdev_put(area->bdev);
	swap_area_free(area);
	return 0;
}

static bool is_of_file(const struct swap_area *area, const struct file *file)
{
	return area->file ? area->file->f_inode == file->f_inode : area->bdev == swap_file_bdev(file);
}

/* The first area of @file, or else of that name. */
static int swapoff(const struct file *file, const char *path)
{
	struct mm_struct *mm = current_task()->mm;
	int err = -EINVAL;

	mutex_lock(&swap_mutex);
	/* If there is no room for what comes back, who asked for it has to end, and nobody else. */
	if (mm)
		mm_set_oom_origin(mm, true);
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_area *area = swap_areas[type];

		if (area && (file ? is_of_file(area, file) : !strcmp(area->path, path))) {
			err = swapoff_locked(area);
			break;
		}
	}
	if (mm)
		mm_set_oom_origin(mm, false);
	mutex_unlock(&swap_mutex);
	return err;
}

int swapoff_file(const struct file *file)
{
	return swapoff(file, NULL);
}

int swapoff_path(const char *path)
{
	return swapoff(NULL, path);
}
