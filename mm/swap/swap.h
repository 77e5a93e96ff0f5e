/* SPDX-License-Identifier: MIT */
/*
 * Swap: slots of devices and files that hold what anonymous and shmem folios had in them, and the swap cache, in which
 * a folio and its slot belong together.
 */
#ifndef MM_SWAP_SWAP_H
#define MM_SWAP_SWAP_H

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "../block/block.h"
#include "../pgtable/swapops.h"

struct file;
struct vm_area_struct;

#define SWAP_FLAG_PREFER 0x8000
#define SWAP_FLAG_PRIO_MASK 0x7fff
#define SWAP_FLAG_DISCARD 0x10000
#define SWAP_FLAG_DISCARD_ONCE 0x20000
#define SWAP_FLAG_DISCARD_PAGES 0x40000

/* ---- Slots ---- */

/*
 * One more, or one fewer, holder of each of @nr slots from @entry on. duplicate: -EINVAL if a slot is not in use;
 * -ENOMEM: it has as many holders as can be counted.
 */
int swap_duplicate_nr(swp_entry_t entry, unsigned int nr);
/* The last holder gone and nobody in the cache: the slot is free. A folio in the cache that nobody holds goes, too. */
void free_swap_and_cache_nr(swp_entry_t entry, unsigned int nr);
static inline int swap_duplicate(swp_entry_t entry) { return swap_duplicate_nr(entry, 1); }
static inline void free_swap_and_cache(swp_entry_t entry) { free_swap_and_cache_nr(entry, 1); }
/* As free_swap_and_cache(), but the cache is left alone: the caller has its folio locked. */
void swap_free_nr(swp_entry_t entry, unsigned int nr);
static inline void swap_free(swp_entry_t entry) { swap_free_nr(entry, 1); }
/* Entries of page tables and shmem files that lead to the slot, the cache not counted. */
int swap_count(swp_entry_t entry);
/* Is it a slot of an area in use? For entries found where no lock keeps swapoff out. */
bool swap_entry_valid(swp_entry_t entry);

unsigned long swap_pages_total(void);
unsigned long swap_pages_free(void); /* SwapFree of meminfo */
bool swap_full(void);		     /* less than half is free: keep no slot for a folio that is back */
void si_swap_area_pages(unsigned int type, unsigned long *total, unsigned long *used);

/* ---- The swap cache ---- */

static inline bool folio_in_swap_cache(const struct folio *folio)
{
	return PageSwapBacked(&folio->page) && PageSwapCache(&folio->page);
}

/* The slot of its first page. Context: in the swap cache, locked. */
swp_entry_t folio_swap_entry(const struct folio *folio);
/* Another holder of the slot *@entry of its @page. Context: in the swap cache, locked. Return: 0; -ENOMEM: too many. */
int folio_dup_swap(const struct folio *folio, const struct page *page, swp_entry_t *entry);
/* The slot of one page of it. */
swp_entry_t page_swap_entry(const struct page *page);
/* With a reference, or NULL. The caller locks it and looks again whether it is this slot's. */
struct folio *swap_cache_get_folio(swp_entry_t entry);
/*
 * A slot for each page, and into the cache, dirty. Locked, uptodate, swap-backed. Return: 0; -ENOSPC: no area has so
 * many; -ENOMEM.
 */
int add_to_swap(struct folio *folio);
/* (a) Folios by order that went to slots side by side, and to single ones. */
extern unsigned long swap_large_out[MAX_PAGE_ORDER + 1], swap_large_apart[MAX_PAGE_ORDER + 1];
/* It has no slot any more; the slots are free if nobody else holds them. Locked, not under writeback. */
void delete_from_swap_cache(struct folio *folio);
/* The same with a trace of it left behind for its return: reclaim. */
void evict_from_swap_cache(struct folio *folio, unsigned long shadow);
/* Nobody but the cache holds its slots, no writeback: out of the cache. Locked. Return: whether it went. */
bool folio_free_swap(struct folio *folio);
/*
 * An entry or a mapping of it has gone, and may have been the last: without any it leaves the cache, and its slots are
 * free. Now, or when whoever has it locked, or writes it, is through with it. Context: any; a reference.
 */
void swap_cache_forget(struct folio *folio);

/* ---- Transfer ---- */

/*
 * Write a locked folio of the swap cache out (PG_dirty was cleared by the caller through folio_clear_dirty_for_io()):
 * zeros and compressed copies need no device. Unlocks it; writeback has begun, and perhaps ended. Errors: the folio is
 * dirty again; the log tells of an area's first ten. Return: 0 or errno.
 */
int swap_writepage(struct folio *folio);
/* The same; *@locked: nothing had to be waited for, it is still locked, and was never under writeback. */
int swap_write_locked(struct folio *folio, bool *locked);

/*
 * The folio of a slot, read if need be, with neighbours (readahead by slot, or by @vma's addresses around @addr).
 * Return: with a reference, unlocked, perhaps still being read (lock it, look whether it is uptodate); NULL: no memory
 * (*@err -ENOMEM), or the slot is no longer in use (*@err -ENOENT).
 */
struct folio *swapin_readahead(swp_entry_t entry, gfp_t gfp, struct vm_area_struct *vma, uintptr_t addr, int *err);
/* Without neighbours. *@fresh: it was not in the cache. */
struct folio *read_swap_cache(swp_entry_t entry, gfp_t gfp, bool *fresh, int *err);

/* Who finds a folio in the cache that was read ahead (PageReadahead()) says so: the next window follows from it. */
void swap_readahead_hit(struct folio *folio, const struct vm_area_struct *vma);

/*
 * What page tables tell of neighbours: the entries of slots among those of @nr pages of @vma (as much of them as lies
 * in it) from @start on, into @entries. Context: as swapin_readahead(). Return: how many.
 */
struct swap_vma_ops {
	unsigned int (*entries)(struct vm_area_struct *vma, uintptr_t start, unsigned int nr, swp_entry_t *entries);
};
void register_swap_vma_ops(const struct swap_vma_ops *ops);

extern int sysctl_page_cluster;	 /* vm.page-cluster: 2^n pages are read together at most */
extern bool swap_vma_ra_enabled; /* /sys/kernel/mm/swap/vma_ra_enabled */

/* ---- Areas ---- */

/* swapon(2): @file a device's or a regular one; @path what /proc/swaps shows. Return: 0, -EINVAL, -EBUSY, -EPERM... */
int swapon_file(struct file *file, const char *path, int flags);
/* The same for a device without a file: hosted machines, tests. */
int swapon_bdev(struct bdev *bdev, const char *path, int flags);
/* A line of /proc/swaps. */
struct swap_area_info {
	char path[256];
	bool partition;		   /* or a file */
	unsigned long pages, used; /* the header's not counted */
	int prio;
};
/* Return: whether there is an area of that type. Context: may sleep. */
bool swap_area_info(unsigned int type, struct swap_area_info *info);
/* swapoff(2) of what @file is: everything comes back first. Return: 0, -EINVAL: no area, -ENOMEM: no room, -EINTR. */
int swapoff_file(const struct file *file);
/* The same by the name that swapon_bdev() got (its first 255 bytes). */
int swapoff_path(const char *path);
/* A version 1 header for @pages of @bdev, as mkswap(8) writes it. */
int swap_make_header(struct bdev *bdev, unsigned long pages, const char *label);

/*
 * Who holds slots registers: swapoff calls @unuse until none of @type is left. It brings in the folios of those that it
 * finds and lets go of the slots. Return: 0, -ENOMEM, -EINTR.
 */
struct swap_user {
	int (*unuse)(unsigned int type);
	/* What is promised has room without that many pages of swap: 0, or -ENOMEM. NULL: as far as it knows. */
	int (*may_shrink)(unsigned long pages);
	struct swap_user *next;
};
void register_swap_user(struct swap_user *user);

#endif
