// SPDX-License-Identifier: MIT
/* swapon(2): an area's header is read, its structures are made, and it is there. */
#include "area.h"

#include <octavo/fs.h>
#include <octavo/slab.h>
#include <octavo/vmalloc.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../zswap/zswap.h"

/* inode(7) */
#define MODE_TYPE 0170000u
#define MODE_BLOCK 0060000u
#define MODE_REGULAR 0100000u

struct mutex swap_mutex __memsys = MUTEX_INIT;
int swap_least_priority __memsys = -1;

void swap_area_free(struct swap_area *area)
{
	vfree(area->words);
	kvfree(area->clusters);
	kvfree(area->cpus);
	kfree(area);
}

static int make_structures(struct swap_area *area, const void *page, const struct swap_header *h)
{
	area->max = h->max;
	area->nr_clusters = (unsigned int)DIV_ROUND_UP(h->max, (unsigned long)CLUSTER_SLOTS);
	area->words = vzalloc(h->max * sizeof(*area->words));
	area->clusters = kvcalloc(area->nr_clusters, sizeof(*area->clusters), GFP_KERNEL);
	area->cpus = kvcalloc(nr_cpu_ids, sizeof(*area->cpus), GFP_KERNEL);
	if (!area->words || !area->clusters || !area->cpus)
		return -ENOMEM;
	/* The header's slot, and the device's bad ones, are not to be had. */
	area->words[0] = SLOT_BAD;
	for (unsigned int i = 0; i < h->nr_bad; i++) {
		unsigned long bad = swap_header_bad_page(page, h, i);

		if (!bad || bad >= h->max)
			return -EINVAL;
		area->words[bad] = SLOT_BAD;
	}
	for (unsigned long slot = 0; slot < h->max; slot++)
		area->pages += !area->words[slot];
	if (!area->pages) {
		pr_warn("Empty swap-file\n");
		return -EINVAL;
	}
	swap_clusters_init(area);
	return 0;
}

/* @pages: of the device or file. */
static int read_header(struct swap_area *area, u64 pages)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct swap_header h;
	int err;

	if (!page)
		return -ENOMEM;
	err = swap_rw_page(area, 0, page, false);
	if (!err)
		err = swap_header_read(page_address(page), (unsigned long)min(pages, (u64)~0ul), area->file, &h);
	if (!err)
		err = make_structures(area, page_address(page), &h);
	__free_pages(page, 0);
	return err;
}

static void discard_all(struct swap_area *area)
{
	int err = swap_discard_slots(area, 1, area->max);

	if (err)
		pr_err("swapon: discard of %s failed: %d\n", area->path, err);
}

static void set_flags(struct swap_area *area, int flags)
{
	const struct bdev *bdev = area->bdev;

	if (!bdev || !bdev->rotational)
		area->flags |= SWP_SOLIDSTATE;
	if (!bdev)
		return;
	if (!bdev->slow)
		area->flags |= SWP_SYNCHRONOUS;
	if (bdev->ops->free)
		area->flags |= SWP_TELL_FREE;
	if (!(flags & SWAP_FLAG_DISCARD) || !bdev->ops->discard)
		return;
	area->flags |= SWP_DISCARDABLE | SWP_AREA_DISCARD | SWP_PAGE_DISCARD;
	if (flags & SWAP_FLAG_DISCARD_ONCE)
		area->flags &= ~(unsigned int)SWP_PAGE_DISCARD;
	else if (flags & SWAP_FLAG_DISCARD_PAGES)
		area->flags &= ~(unsigned int)SWP_AREA_DISCARD;
	if (area->flags & SWP_AREA_DISCARD)
		discard_all(area);
}

/* Context: swap_mutex. */
static int add_area(struct swap_area *area, int flags)
{
	unsigned int type = 0;
	int err;

	for (; type < MAX_SWAPFILES && swap_areas[type]; type++)
		;
	if (type == MAX_SWAPFILES)
		return -EPERM;
	err = zswap_swapon(type, area->max);
	if (err)
		return err;
	area->type = type;
	swap_queue_start(area);
	area->prio = flags & SWAP_FLAG_PREFER ? flags & SWAP_FLAG_PRIO_MASK : --swap_least_priority;
	area->flags |= SWP_WRITEOK;
	pr_info("Adding %luk swap on %s.  Priority:%d extents:%d across:%lluk %s%s%s%s\n",
		area->pages << (PAGE_SHIFT - 10), area->path, area->prio, 1,
		(unsigned long long)area->max << (PAGE_SHIFT - 10), area->flags & SWP_SOLIDSTATE ? "SS" : "",
		area->flags & SWP_DISCARDABLE ? "D" : "", area->flags & SWP_AREA_DISCARD ? "s" : "",
		area->flags & SWP_PAGE_DISCARD ? "c" : "");
	if (!(area->flags & SWP_SOLIDSTATE))
		atomic_add_relaxed(&swap_rotational, 1);
	store_relaxed(&swap_types, max(swap_types, type + 1));
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

/* Context: swap_mutex. Either @bdev or @file is NULL. */
static int swapon_locked(struct bdev *bdev, struct file *file, u64 pages, const char *path, int flags)
{
	struct swap_area *area;
	int err;

	if (bdev && in_use(bdev))
		return -EBUSY;
	if (bdev && bdev->read_only)
		return -EROFS;
	area = kzalloc(sizeof(*area), GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	area->bdev = bdev;
	area->file = file;
	strscpy(area->path, path, sizeof(area->path));
	spin_lock_init(&area->lock, LOCK_RANK_SWAP_AREA);
	err = read_header(area, pages);
	if (!err) {
		set_flags(area, flags);
		err = add_area(area, flags);
	}
	if (err)
		swap_area_free(area);
	return err;
}

bool swap_area_info(unsigned int type, struct swap_area_info *info)
{
	const struct swap_area *area;

	mutex_lock(&swap_mutex);
	area = swap_areas[type];
	if (area) {
		strscpy(info->path, area->path, sizeof(info->path));
		info->partition = area->bdev;
		info->pages = area->pages;
		info->used = load_relaxed(&area->used);
		info->prio = area->prio;
	}
	mutex_unlock(&swap_mutex);
	return area;
}

static bool flags_known(int flags)
{
	return !(flags & ~(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE |
			   SWAP_FLAG_DISCARD_PAGES));
}

int swapon_bdev(struct bdev *bdev, const char *path, int flags)
{
	int err;

	if (!flags_known(flags))
		return -EINVAL;
	if (!bdev_get(bdev))
		return -EBUSY;
	mutex_lock(&swap_mutex);
	err = swapon_locked(bdev, NULL, bdev->sectors / PAGE_SECTORS, path, flags);
	mutex_unlock(&swap_mutex);
	if (err)
		bdev_put(bdev);
	return err;
}

/* ---- Files ---- */

static int write_back(struct file *file)
{
	return file->f_op->fsync ? file->f_op->fsync(file, 0, ~(u64)0, false) : 0;
}

struct bdev *swap_file_bdev(const struct file *file)
{
	const struct inode *inode = file->f_inode;

	return (inode->i_mode & MODE_TYPE) == MODE_BLOCK ? bdev_find(inode->i_rdev) : NULL;
}

/* From here on nobody writes to it or changes its size: -ETXTBSY (generic_file_write_iter(), truncate(2)...). */
static int claim(struct file *file)
{
	const struct address_space_operations *ops = file->f_mapping ? file->f_mapping->a_ops : NULL;
	struct inode *inode = file->f_inode;
	int err = 0;

	if (!ops || !ops->swap_activate || !ops->swap_rw)
		return -EINVAL;
	down_write(&inode->i_rwsem);
	if (inode->i_flags & S_SWAPFILE)
		err = -EBUSY;
	else
		store_relaxed(&inode->i_flags, inode->i_flags | S_SWAPFILE);
	up_write(&inode->i_rwsem);
	if (err)
		return err;
	/* What is written so far is in the store, and no more comes that would be written over what is swapped out. */
	err = write_back(file);
	down_write(&inode->i_rwsem);
	if (!err) {
		err = ops->swap_activate(file);
		if (err == -EINVAL)
			pr_err("swapon: swapfile has holes\n");
	}
	if (err)
		store_relaxed(&inode->i_flags, inode->i_flags & ~(u32)S_SWAPFILE);
	up_write(&inode->i_rwsem);
	return err;
}

void swap_file_release(struct file *file)
{
	struct inode *inode = file->f_inode;

	down_write(&inode->i_rwsem);
	store_relaxed(&inode->i_flags, inode->i_flags & ~(u32)S_SWAPFILE);
	if (file->f_mapping->a_ops->swap_deactivate)
		file->f_mapping->a_ops->swap_deactivate(file);
	up_write(&inode->i_rwsem);
	fput(file);
}

int swapon_file(struct file *file, const char *path, int flags)
{
	struct bdev *bdev;
	int err;

	if (!flags_known(flags))
		return -EINVAL;
	if ((file->f_inode->i_mode & MODE_TYPE) == MODE_BLOCK) {
		bdev = swap_file_bdev(file);
		if (!bdev)
			return -ENXIO;
		/* mkswap(8) may have written to the device's pages only. */
		err = write_back(file);
		return err ? err : swapon_bdev(bdev, path, flags);
	}
	if ((file->f_inode->i_mode & MODE_TYPE) != MODE_REGULAR)
		return -EINVAL;
	mutex_lock(&swap_mutex);
	err = claim(file);
	if (!err) {
		get_file(file);
		err = swapon_locked(NULL, file, i_size_read(file->f_inode) >> PAGE_SHIFT, path, flags);
		if (err)
			swap_file_release(file);
	}
	mutex_unlock(&swap_mutex);
	return err;
}
