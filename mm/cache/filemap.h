/* SPDX-License-Identifier: MIT */
/* The page cache inside: what the files of mm/cache call of each other. The theory is in filemap.c. */
#ifndef MM_CACHE_FILEMAP_H
#define MM_CACHE_FILEMAP_H

#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/percpu.h>

#include "../lru/lru.h"
#include "../phys/zone.h"
#include "../sync/rcu.h"
#include "../vm/rmap.h"
#include "xarray_node.h"

/* The greatest index of a page, below the greatest number there is. */
#define FILE_INDEX_MAX (sizeof(long) == 8 ? (unsigned long)(((u64)1 << PAGE_INDEX_BITS) - 1) : ~0ul - 1)

/* The page that byte @pos is in. */
static inline unsigned long file_index(u64 pos)
{
	return (unsigned long)min(pos >> PAGE_SHIFT, (u64)FILE_INDEX_MAX);
}

/* The greatest folio of a file: 2 MiB with pages of 4 KiB. */
#define FILE_FOLIO_ORDER_MAX 9u

/* mapping_index of the folio or page that is at @index of @mapping. */
static force_inline u64 mapping_index_of(const struct address_space *mapping, unsigned long index)
{
	return (u64)mapping->handle << PAGE_INDEX_BITS | index;
}

/*
 * Is @folio, which cannot be freed, in the cache at @index of @mapping? It stays so while it is locked or the mapping's
 * lock is held.
 */
static force_inline bool folio_is_at(const struct folio *folio, const struct address_space *mapping,
				     unsigned long index)
{
	u64 behind = mapping_index_of(mapping, index) - whole_load(&folio->page.mapping_index);

	return !behind || behind < folio_nr_pages(folio);
}

static force_inline bool folio_is_of(const struct folio *folio, const struct address_space *mapping)
{
	return whole_load(&folio->page.mapping_index) >> PAGE_INDEX_BITS == mapping->handle;
}

/* get_page_unless_zero() and folio_put() where a call would show. */
static force_inline bool folio_try_get(struct folio *folio)
{
	s32 count = page_ref_count(&folio->page), seen;

	while (likely(count > 0)) {
		seen = atomic_cmpxchg(&folio->page._refcount, count, count + 1);
		if (likely(seen == count))
			return true;
		count = seen;
	}
	return false;
}

static force_inline void folio_put_fast(struct folio *folio)
{
	s32 count = page_ref_count(&folio->page), seen;

	while (likely(count > 1)) {
		seen = atomic_cmpxchg(&folio->page._refcount, count, count - 1);
		if (likely(seen == count))
			return;
		count = seen;
	}
	folio_put(folio);
}

/* folio_trylock() likewise. */
static force_inline bool folio_trylock_fast(struct folio *folio)
{
	return !(atomic_fetch_or(&folio->page.flags, 1u << PG_locked) >> PG_locked & 1);
}

/* folio_mark_dirty() of a folio in @mapping, which is locked. */
static force_inline void folio_mark_dirty_of(struct address_space *mapping, struct folio *folio)
{
	if (page_plain_flag(&folio->page, PG_dirty))
		return;
	if (mapping->a_ops->dirty_folio)
		(void)mapping->a_ops->dirty_folio(mapping, folio);
	else
		(void)filemap_dirty_folio(mapping, folio);
}

/* filemap_get_folio() inside of an RCU reader. */
static force_inline struct folio *filemap_peek(struct address_space *mapping, unsigned long index)
{
	for (;;) {
		struct folio *folio = xa_lookup(&mapping->i_pages, index);

		if (!folio || unlikely(xa_is_value(folio)))
			return NULL;
		if (likely(folio_try_get(folio))) {
			if (likely(folio_is_at(folio, mapping, index)))
				return folio;
			folio_put(folio);
		}
		port_cpu_relax(); /* it is on its way in or out */
	}
}

/* Index of the first page behind the folio. */
static force_inline unsigned long folio_next_index(const struct folio *folio)
{
	return (unsigned long)page_index(&folio->page) + folio_nr_pages(folio);
}

static force_inline void count_folio(const struct folio *folio, enum node_stat_item item, long pages)
{
	atomic_add_relaxed(&NODE_DATA(page_to_nid(&folio->page))->stat[item], (unsigned long)pages);
}

static force_inline struct folio *filemap_get_folio_fast(struct address_space *mapping, unsigned long index)
{
	struct folio *folio;

	rcu_reader_begin();
	folio = filemap_peek(mapping, index);
	rcu_reader_end();
	return folio;
}

/* folio_mark_accessed() unless all it could say is said. */
static force_inline void folio_note_use(struct folio *folio)
{
	if (!page_plain_flag(&folio->page, PG_referenced) || !page_plain_flag(&folio->page, PG_active))
		folio_mark_accessed(folio);
}

static inline bool mapping_flag(const struct address_space *mapping, enum mapping_flags flag)
{
	return load_relaxed(&mapping->flags) >> flag & 1;
}

/* Its dirty folios are counted, tagged and written back; of others (shmem) nobody wants to know. */
static inline bool mapping_can_writeback(const struct address_space *mapping)
{
	return mapping->a_ops->dirty_folio != noop_dirty_folio;
}

static inline unsigned int mapping_order_max(const struct address_space *mapping)
{
	return mapping_flag(mapping, AS_LARGE_FOLIO_SUPPORT) ? FILE_FOLIO_ORDER_MAX : 0;
}

/*
 * mapping->wb_err: the last error of writeback in the low 12 bits, whether anybody has looked at it, and a count, so
 * that the same error again is another one.
 */
#define WB_ERR_MASK 0xfffu
#define WB_ERR_SEEN 0x1000u
#define WB_ERR_STEP 0x2000u

static inline bool wb_err_seen(u32 error)
{
	return !error || error & WB_ERR_SEEN;
}

/* ---- filemap.c ---- */

/*
 * A folio of one page, locked by the caller, comes in the place of @was: a value entry, or NULL. It may be in the swap
 * cache. Return: 0; -EEXIST: something else is there; -ENOMEM.
 */
int __must_check filemap_add_folio_at(struct address_space *mapping, struct folio *folio, unsigned long index,
				      void *was, gfp_t gfp);
/*
 * A folio of one page, clean or not, gives way to a value. The cache's reference is the caller's then. Context: the
 * mapping's lock; folio locked.
 */
void __filemap_replace_folio(struct address_space *mapping, struct folio *folio, void *value);
/* What filemap_remove_folio() does with the mapping's lock held. The cache's reference is the caller's then. */
void __filemap_remove_folio(struct address_space *mapping, struct folio *folio);
/* filemap_remove_folio() of one in @mapping */
void filemap_remove_from(struct address_space *mapping, struct folio *folio);
/* The mapping is not AS_UNEVICTABLE any more: neither are its folios, those that are mlocked excepted. */
void mapping_rescue_folios(struct address_space *mapping);
/*
 * The same for reclaim, of a file that can be read again: a shadow stays in its place, by which its return is known.
 * Context: locked; nobody maps it, and it is clean.
 */
void filemap_evict_folio(struct address_space *mapping, struct folio *folio);
/* Not dirty any more, without being written: counters. Context: the folio locked. */
void folio_account_cleaned(struct folio *folio);

/* ---- filemap_read.c ---- */

/*
 * The folio at @index, uptodate, with a reference. @wait false: only what is there already. Return: NULL and *@err
 * (-EAGAIN: @wait).
 */
struct folio *filemap_read_uptodate(struct file *file, struct address_space *mapping, unsigned long index,
				    unsigned long want, bool wait, int *err);
/* Make @folio, which has a reference of the caller's, uptodate. Return: 0; AOP_GONE: it left the cache; errno. */
#define AOP_GONE 1
int filemap_make_uptodate(struct file *file, struct address_space *mapping, struct folio *folio);

/* ---- filemap_write.c ---- */

/* What O_SYNC and O_DSYNC promise of @written bytes at @at. Return: @written, or errno. */
s64 generic_write_sync(struct file *file, u64 at, s64 written);

/* ---- filemap_fault.c ---- */

/* vm_operations.map_pages of any file whose pages are in i_pages. */
vm_fault_t filemap_map_pages(struct vm_fault *vmf, unsigned long start_pgoff, unsigned long end_pgoff);

/* ---- readahead.c ---- */

/* @index is missing and @want pages from it on are wanted: start reading them, and what may come next. */
void page_cache_sync_ra(struct file *file, struct address_space *mapping, unsigned long index, unsigned long want);
/* @folio, found at @index, carried the mark: start reading the next window. */
void page_cache_async_ra(struct file *file, struct address_space *mapping, struct folio *folio, unsigned long index,
			 unsigned long want);
/* Read what is missing of [@index, @index + @nr), whatever the window. */
void force_page_cache_ra(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr);

/* ---- file.c: all mappings ---- */
struct mapping_list {
	spinlock_t lock; /* guards what follows, and the mappings' all_*, visitors and evictor */
	struct address_space *first, *last;
	unsigned long nr;
};
extern struct mapping_list all_mappings;
/*
 * To go through the list: the one behind @mapping (NULL: the first), which stays until it is handed in again. Those
 * that are being evicted are passed over. Context: may not sleep; the visitor may.
 */
struct address_space *mapping_next(struct address_space *mapping);
/* Who stops on the way leaves the one he has. */
void mapping_leave(struct address_space *mapping);
/* It stays until mapping_leave(), too. Context: a folio of it is locked, so it is there now. */
void mapping_visit(struct address_space *mapping);

/* ---- filemap_verify.c ---- */

struct findings;
/* PC-I1 to PC-I5 of all mappings while nobody is at work. */
void page_cache_verify(struct findings *f);
/* PC-I1 to PC-I3 of one. */
void mapping_verify(const struct address_space *mapping, struct findings *f);

/* ---- truncate.c ---- */

/* Everything of the folio leaves the cache, dirty or not. Context: locked, of @mapping. */
void truncate_inode_folio(struct address_space *mapping, struct folio *folio);

/* Nobody uses the folio but the cache and the caller, and it is clean. Context: locked, so that it is not mapped. */
bool folio_unused(const struct folio *folio);

/* ---- writeback.c ---- */

/* Folio, locked, of @mapping: clean now. Write it; unlocks. Return: 0 or errno, which the file's users hear of. */
int write_cleaned_folio(struct address_space *mapping, struct folio *folio,
			int (*write)(struct folio *folio, void *ctx), void *ctx);

/* Clean unmapped folios of all files go: vm.drop_caches. Context: may sleep. */
void drop_page_cache(void);

/* ---- dirty.c ---- */

/* Pages that may be dirty or under writeback: who dirties more writes from @background on, and is held up at @most. */
struct dirty_limits {
	unsigned long most, background;
};
struct dirty_limits dirty_limits(void);
/* vm.dirty_*; of each pair one is 0: the one that was not written last */
extern int sysctl_dirty_ratio, sysctl_dirty_background_ratio;
extern unsigned long sysctl_dirty_bytes, sysctl_dirty_background_bytes;
/* A writer of @mapping has made pages dirty: it writes, if there are too many. Context: may sleep, no folio locked. */
void balance_dirty_pages(struct address_space *mapping);

/* Pages that are dirty or being written, of all files. */
unsigned long pages_unwritten(void);

#define DIRTY_STRIDE 32u /* pages */
/* That became dirty on this CPU since one last looked whether they are too many, wherever in files they are. */
DECLARE_PER_CPU(unsigned long, dirtied_here);

/* Not at every page: balance_dirty_pages() adds up counters of all nodes. */
static force_inline bool dirty_balance_is_due(void)
{
	return this_cpu_read(dirtied_here) >= DIRTY_STRIDE;
}

/* ---- flusher.c ---- */

/* vm.dirty_writeback_centisecs (0: not by time) and dirty_expire_centisecs */
extern int sysctl_dirty_writeback_centisecs, sysctl_dirty_expire_centisecs;
/* One of them was written. */
void flusher_interval_changed(void);
/*
 * The thread that writes what no device's own does, if the port has threads; at the end of the boot by itself.
 * Return: 0: there is one; errno of port_thread_create(): those who dirty pages write. Context: thread.
 */
int flusher_start(void);
/* It ends when it has finished what it is at. */
void flusher_stop(void);
bool flusher_runs(void);
/*
 * What the common one does between two sleeps. Return: how long there is nothing to do, ns; 1: there is; 0: until it is
 * woken.
 */
u64 flusher_round(void);
/*
 * @mapping, of pages of @device, gets the device's own flusher, which is made unless it is there, if there are threads
 * and memory. Context: thread context; nobody else knows the mapping yet.
 */
struct bdev;
void flusher_join(struct address_space *mapping, const struct bdev *device);
/* It goes: its flusher with the last one. Context: thread context; nothing of it is listed or being written. */
void flusher_leave(struct address_space *mapping);
/* Is this a flusher? It is not to be held up by what it does itself. */
bool flusher_is_me(void);
/* Someone wants what is dirty now written: memory is short. Context: any. */
void wakeup_flusher_threads(void);
/* More is dirty than should be: the flusher writes until it is not. Context: any. */
void flusher_wake_background(void);
/* Hold the caller up until @may_go, which is asked whenever something was written, and now and then. */
void flusher_wait(bool (*may_go)(void));
/* What is due by age; for who has no flusher. */
void flusher_write_expired(void);
/* @mapping has a dirty folio, and had none. Context: its i_pages lock held. */
void mapping_note_dirty(struct address_space *mapping);
/* It goes: off the lists. Context: all_mappings.lock held, AS_EXITING set. */
void mapping_forget_dirty(struct address_space *mapping);
struct findings;
/* WB-I1 to WB-I3, while nobody is at work. */
void flusher_verify(struct findings *f);

/* ---- bdev.c ---- */

/* Pages of block devices' caches: Buffers in /proc/meminfo. */
unsigned long nr_blockdev_pages(void);
void bdev_count_pages(long nr);
extern const struct address_space_operations bdev_aops;

#endif
