// SPDX-License-Identifier: MIT
/* swapon(2): an area's header is read, its structures are made, and it is there. */
#include "area.h"

#include <octavo/slab.h>
#include <octavo/vmalloc.h>

#include "../base/printk.h"
#include "../base/string.h"

struct mutex swap_mutex __memsys = MUTEX_INIT;
int swap_least_priority __memsys = -1;

void swap_area_free(struct swap_area *area)
{
	vfree(area->words);
	kvfree(area->clusters);
	kvfree(area->cpus);
	kfree(area);
}

/* The header's slot, and the device's bad ones, are not to be had. */
static int read_header(struct swap_area *area, void *page, unsigned long pages)
{
	struct swap_header h;
	int err = bdev_rw(area->bdev, area->whole.sector, page, PAGE_SECTORS, false);

	if (!err)
		err = swap_header_read(page, pages, false, &h);
	if (err)
		return err;
	area->max = h.max;
	area->nr_clusters = (unsigned int)DIV_ROUND_UP(h.max, (unsigned long)CLUSTER_SLOTS);
	area->words = vzalloc(h.max * sizeof(*area->words));
	area->clusters = kvcalloc(area->nr_clusters, sizeof(*area->clusters), GFP_KERNEL);
	area->cpus = kvcalloc(nr_cpu_ids, sizeof(*area->cpus), GFP_KERNEL);
	if (!area->words || !area->clusters || !area->cpus)
		return -ENOMEM;
	area->words[0] = SLOT_BAD;
	for (unsigned int i = 0; i < h.nr_bad; i++) {
		unsigned long bad = swap_header_bad_page(page, &h, i);

		if (!bad || bad > h.max - 1 + (h.max == 1))
			return -EINVAL;
		area->words[bad] = SLOT_BAD;
	}
	for (unsigned long slot = 0; slot < h.max; slot++)
		area->pages += !area->words[slot];
	if (!area->pages) {
		pr_warn("Empty swap-file\n");
		return -EINVAL;
	}
	area->whole.nr = h.max;
	swap_clusters_init(area);
	return 0;
}

static void set_flags(struct swap_area *area, int flags)
{
	area->flags = SWP_USED;
	if (!area->bdev->rotational)
		area->flags |= SWP_SOLIDSTATE;
	if (!area->bdev->slow)
		area->flags |= SWP_SYNCHRONOUS;
	if (!(flags & SWAP_FLAG_DISCARD) || !area->bdev->ops->discard)
		return;
	area->flags |= SWP_DISCARDABLE | SWP_AREA_DISCARD | SWP_PAGE_DISCARD;
	if (flags & SWAP_FLAG_DISCARD_ONCE)
		area->flags &= ~(unsigned int)SWP_PAGE_DISCARD;
	else if (flags & SWAP_FLAG_DISCARD_PAGES)
		area->flags &= ~(unsigned int)SWP_AREA_DISCARD;
	if (area->flags & SWP_AREA_DISCARD) {
		int err = swap_discard_slots(area, 1, area->max);

		if (err)
			pr_err("swapon: discard of %s failed: %d\n", area->path, err);
	}
}

/* Context: swap_mutex. */
static int add_area(struct swap_area *area, int flags)
{
	unsigned int type = 0;

	for (; type < MAX_SWAPFILES && swap_areas[type]; type++)
		;
	if (type == MAX_SWAPFILES)
		return -EPERM;
	area->type = type;
	area->prio = flags & SWAP_FLAG_PREFER ? flags & SWAP_FLAG_PRIO_MASK : --swap_least_priority;
	area->flags |= SWP_WRITEOK;
	pr_info("Adding %luk swap on %s.  Priority:%d extents:%d across:%lluk %s%s%s%s\n",
		area->pages << (PAGE_SHIFT - 10), area->path, area->prio, 1,
		(unsigned long long)area->whole.nr << (PAGE_SHIFT - 10), area->flags & SWP_SOLIDSTATE ? "SS" : "",
		area->flags & SWP_DISCARDABLE ? "D" : "", area->flags & SWP_AREA_DISCARD ? "s" : "",
		area->flags & SWP_PAGE_DISCARD ? "c" : "");
	store_release(&swap_areas[type], area);
	swap_order_update();
	return 0;
}

static bool in_use(const struct bdev *bdev)
{
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++)
		if (swap_areas[type] && swap_areas[type]->bdev == bdev)
			return true;
	return false;
}

static int swapon_locked(struct bdev *bdev, const char *path, int flags)
{
	struct swap_area *area;
	void *page;
	int err;

	if (in_use(bdev))
		return -EBUSY;
	area = kzalloc(sizeof(*area), GFP_KERNEL);
	page = (void *)get_zeroed_page(GFP_KERNEL);
	err = area && page ? 0 : -ENOMEM;
	if (!err) {
		area->bdev = bdev;
		strscpy(area->path, path, sizeof(area->path));
		spin_lock_init(&area->lock, LOCK_RANK_SWAP_AREA);
		err = read_header(area, page, (unsigned long)(bdev->sectors / PAGE_SECTORS));
	}
	if (!err) {
		set_flags(area, flags);
		err = add_area(area, flags);
	}
	if (page)
		free_pages((unsigned long)page, 0);
	if (err && area)
		swap_area_free(area);
	return err;
}

int swapon_bdev(struct bdev *bdev, const char *path, int flags)
{
	int err;

	if (flags & ~(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE |
		      SWAP_FLAG_DISCARD_PAGES))
		return -EINVAL;
	mutex_lock(&swap_mutex);
	err = swapon_locked(bdev, path, flags);
	mutex_unlock(&swap_mutex);
	return err;
}
