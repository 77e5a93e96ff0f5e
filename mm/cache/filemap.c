// SPDX-License-Identifier: MIT
/*
 * The page cache: which folios hold a file's contents.
 *
 * Purpose. A file's bytes are read from its store once, stay in memory while there is room, and are shared by all who
 * read, write and map it. This is where they are found, and where they come and go.
 *
 * Words. A *mapping* (struct address_space) is the cache of one inode. A folio is *in the cache* at an index if the
 * mapping's xarray has it there; *uptodate*: its contents are the file's. *Tags* in the xarray (dirty, under writeback,
 * to be written) find folios by state. A *handle* is how a page, which has no room for a pointer, names its mapping.
 *
 * Structures.
 *	inode.i_data (address_space)		folio (struct page)
 *	  i_pages: index -> folio ---------->	mapping_index: handle | index of its first page
 *	  i_mmap: VMAs that map it		_refcount: 1 for the cache, whatever the order, and its users'
 *	  handle --> handle_object() --> the address_space
 * A slot may hold a value instead: the owner's (shmem: where the page is in swap). Lookups take it for nothing, and
 * filemap_add_folio() replaces it; filemap_add_folio_at() only the one that it is told.
 *
 * Invariants.
 *	PC-I1: mapping->nrpages is the sum of the pages of the folios in i_pages.
 *	PC-I2: a folio in i_pages has the mapping's handle and its index, which is a multiple of its pages.
 *	PC-I3: DIRTY is tagged if and only if the folio is PG_dirty and the file is written back (a_ops->dirty_folio is
 *	       not noop_dirty_folio()), WRITEBACK if and only if PG_writeback, while nobody is about to change it (the
 *	       folio is not locked).
 *	PC-I4: PG_locked is held by whoever adds, removes, reads or writes a folio; mapping_index of one in the cache
 *	       changes only under it and the xarray's lock.
 *	PC-I5: NR_FILE_PAGES is the sum of nrpages of all mappings, NR_FILE_DIRTY and NR_WRITEBACK of pages so tagged.
 *
 * Locking. A lookup takes no lock: it reads the slot, takes a reference if the folio has any, and looks whether its
 * mapping_index is still what was looked for. That is one word, written after the slot is filled and before it is
 * emptied, both under the xarray's lock: who finds it right holds a folio that was in the cache a moment ago; who must
 * know that it still is locks it and looks again.
 *	Order: i_rwsem, mmap lock, invalidate_lock, folio lock, i_mmap_rwsem, a table's lock, the xarray's lock.
 * invalidate_lock is held for writing while a range is taken out (truncate, hole punch) and for reading by who fills
 * the cache from the store, so that nobody brings back what is about to go.
 *
 * Memory use and bounds. 9 bytes a page for the xarray, nothing else. A mapping is 200 bytes in its inode.
 *
 * What failure does. A folio that cannot be read is not uptodate and stays in the cache; the next reader tries again. A
 * write that fails is remembered in mapping->wb_err, which each open file compares with what it saw last.
 *
 * Differences from Linux. One reference for a folio of any order. No private data of buffers at a folio: block
 * devices are read and written by folio. No kiocb: who may not wait says so otherwise. Errors of writeback are one
 * word (errseq).
 *
 * Sources. Documentation/filesystems/{vfs,locking,api-summary}.rst and Documentation/core-api/errseq.rst for names and
 * behaviour.
 */
#include "../base/printk.h"
#include "filemap.h"

/* ---- Lookup ---- */

struct folio *filemap_get_folio(struct address_space *mapping, unsigned long index)
{
	return filemap_get_folio_fast(mapping, index);
}

/* Up to @max folios from *@index on, with (@tag >= 0) a tag. */
static unsigned int gang(struct address_space *mapping, unsigned long *index, unsigned long end, int tag,
			 struct folio **folios, unsigned int max)
{
	unsigned long at = *index;
	unsigned int n = 0;

	end = min(end, FILE_INDEX_MAX);
	rcu_read_lock();
	while (n < max && at <= end) {
		struct folio *folio = tag < 0 ? xa_find(&mapping->i_pages, &at, end) :
						xa_find_tagged(&mapping->i_pages, &at, end, (unsigned int)tag);

		if (!folio) {
			*index = end + 1;
			break;
		}
		at = max(at, *index);
		if (!xa_is_value(folio) && folio_try_get(folio)) {
			if (!folio_is_at(folio, mapping, at)) {
				folio_put(folio);
				port_cpu_relax();
				continue;
			}
			folios[n++] = folio;
			at |= folio_nr_pages(folio) - 1; /* what it says of itself it may stop saying at any moment */
		} else if (!xa_is_value(folio)) {
			port_cpu_relax();
			continue;
		}
		*index = ++at;
	}
	rcu_read_unlock();
	return n;
}

unsigned int filemap_get_folios(struct address_space *mapping, unsigned long *index, unsigned long end,
				struct folio **folios, unsigned int max)
{
	return gang(mapping, index, end, -1, folios, max);
}

unsigned int filemap_get_folios_tag(struct address_space *mapping, unsigned long *index, unsigned long end,
				    unsigned int tag, struct folio **folios, unsigned int max)
{
	return gang(mapping, index, end, (int)tag, folios, max);
}

bool filemap_range_has_page(struct address_space *mapping, u64 start, u64 end)
{
	unsigned long index = file_index(start), last = file_index(end);
	struct folio *folio;

	if (end < start || !filemap_get_folios(mapping, &index, last, &folio, 1))
		return false;
	folio_put(folio);
	return true;
}

/* ---- In and out ---- */

/* What is in the way of a new folio: NULL, or only values, which give way. Context: the lock. */
static bool occupied(struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned long at = index;
	void *entry;

	if (likely(nr == 1)) {
		entry = xa_load(&mapping->i_pages, index);
		return entry && !xa_is_value(entry);
	}
	while (at < index + nr && (entry = xa_find(&mapping->i_pages, &at, index + nr - 1)) != NULL) {
		if (!xa_is_value(entry))
			return true;
		at += 1ul << xa_get_order(&mapping->i_pages, at);
	}
	return false;
}

/* *@shadow: what reclaim left there, of the first page that has any. */
static noinline int store_slow(struct address_space *mapping, struct folio *folio, unsigned long index,
			       unsigned int order, unsigned long *shadow)
{
	unsigned long at = index;
	const void *entry;
	int err;

	if (occupied(mapping, index, 1ul << order))
		return -EEXIST;
	entry = mapping->i_pages.shadows ? xa_find(&mapping->i_pages, &at, index + (1ul << order) - 1) : NULL;
	err = __xa_store(&mapping->i_pages, index, order, folio);
	if (!err && entry)
		*shadow = xa_to_value(entry);
	return err;
}

/* Context: the lock. Return: 0, -EEXIST, -ENOMEM. */
static force_inline int add_locked(struct address_space *mapping, struct folio *folio, unsigned long index,
				   unsigned int order, unsigned long *shadow)
{
	long nr = 1l << order;

	if (unlikely(order || !xa_append(&mapping->i_pages, index, folio))) {
		int err = store_slow(mapping, folio, index, order, shadow);

		if (err)
			return err;
	}
	whole_fill(&folio->page.mapping_index, mapping_index_of(mapping, index));
	store_relaxed(&mapping->nrpages, mapping->nrpages + (unsigned long)nr);
	count_folio(folio, NR_FILE_PAGES, nr);
	if (unlikely(mapping->a_ops == &bdev_aops))
		bdev_count_pages(nr);
	if (PageSwapBacked(&folio->page))
		count_folio(folio, NR_SHMEM, nr);
	return 0;
}

int filemap_add_folio(struct address_space *mapping, struct folio *folio, unsigned long index, gfp_t gfp)
{
	unsigned int order = folio_order(folio);
	unsigned long shadow = 0;
	int err;

	/* Atomic: a reader who found the frame's last life may be counted, too, for a moment. */
	atomic_add_relaxed(&folio->page._refcount, 1);
	__SetPageLocked(&folio->page);
	do {
		unsigned long flags = xa_lock_fast(&mapping->i_pages);

		err = add_locked(mapping, folio, index, order, &shadow);
		xa_unlock_fast(&mapping->i_pages, flags);
	} while (unlikely(err == -ENOMEM) &&
		 !(err = xa_prepare(&mapping->i_pages, gfp & ~(GFP_ZONEMASK | __GFP_COMP))));
	if (unlikely(err)) {
		folio_unlock(folio);
		folio_put(folio);
		return err;
	}
	if (unlikely(mapping_flag(mapping, AS_UNEVICTABLE)))
		folio_cull(folio);
	if (unlikely(shadow))
		workingset_refault(folio, shadow);
	folio_add_lru(folio);
	return 0;
}

int filemap_add_folio_at(struct address_space *mapping, struct folio *folio, unsigned long index, void *was, gfp_t gfp)
{
	unsigned long shadow = 0;
	int err;

	atomic_add_relaxed(&folio->page._refcount, 1);
	do {
		unsigned long flags = xa_lock_irqsave(&mapping->i_pages);

		err = -EEXIST;
		if (xa_load(&mapping->i_pages, index) == was)
			err = add_locked(mapping, folio, index, 0, &shadow);
		xa_unlock_irqrestore(&mapping->i_pages, flags);
	} while (err == -ENOMEM && !(err = xa_prepare(&mapping->i_pages, gfp & ~(GFP_ZONEMASK | __GFP_COMP))));
	if (unlikely(err))
		folio_put(folio);
	return err;
}

void __filemap_replace_folio(struct address_space *mapping, struct folio *folio, void *value)
{
	unsigned long index = (unsigned long)page_index(&folio->page);

	whole_fill(&folio->page.mapping_index, 0);
	/* The place is there. */
	if (unlikely(__xa_store(&mapping->i_pages, index, 0, value)))
		pr_err("page cache: index %lu of mapping %u is lost\n", index, mapping->handle);
	store_relaxed(&mapping->nrpages, mapping->nrpages - 1);
	count_folio(folio, NR_FILE_PAGES, -1);
	if (PageSwapBacked(&folio->page))
		count_folio(folio, NR_SHMEM, -1);
}

void folio_account_cleaned(struct folio *folio)
{
	long nr = (long)folio_nr_pages(folio);

	count_folio(folio, NR_FILE_DIRTY, -nr);
	mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, -nr);
}

/* @shadow: NULL, or what stands in its place. */
static force_inline void remove_locked(struct address_space *mapping, struct folio *folio, void *shadow)
{
	unsigned long index = (unsigned long)page_index(&folio->page);
	long nr = (long)folio_nr_pages(folio);

	whole_fill(&folio->page.mapping_index, 0);
	/* Where an entry of the same order was a store needs no memory. */
	if (!shadow || __xa_store(&mapping->i_pages, index, folio_order(folio), shadow))
		__xa_erase(&mapping->i_pages, index);
	store_relaxed(&mapping->nrpages, mapping->nrpages - (unsigned long)nr);
	count_folio(folio, NR_FILE_PAGES, -nr);
	if (unlikely(mapping->a_ops == &bdev_aops))
		bdev_count_pages(-nr);
	if (PageSwapBacked(&folio->page))
		count_folio(folio, NR_SHMEM, -nr);
	if (unlikely(PageDirty(&folio->page)) && mapping_can_writeback(mapping))
		folio_account_cleaned(folio);
}

void __filemap_remove_folio(struct address_space *mapping, struct folio *folio)
{
	remove_locked(mapping, folio, NULL);
}

/* Behind the lock: as the mapping has one folio less, it may be gone. */
static void free_folio(const struct address_space_operations *ops, struct folio *folio)
{
	if (ops->free_folio)
		ops->free_folio(folio);
	folio_put_fast(folio);
}

void filemap_evict_folio(struct address_space *mapping, struct folio *folio)
{
	void *shadow = xa_mk_value(workingset_eviction(folio));
	const struct address_space_operations *ops = mapping->a_ops;
	unsigned long flags = xa_lock_fast(&mapping->i_pages);

	store_relaxed(&mapping->i_pages.shadows, true);
	for (unsigned int tag = 0; unlikely(mapping->i_pages.tags) && tag < XA_TAGS; tag++)
		__xa_clear_tag(&mapping->i_pages, (unsigned long)page_index(&folio->page), tag);
	/* Nobody would come to clear it away. */
	remove_locked(mapping, folio, mapping_flag(mapping, AS_EXITING) ? NULL : shadow);
	xa_unlock_fast(&mapping->i_pages, flags);
	free_folio(ops, folio);
}

void filemap_remove_from(struct address_space *mapping, struct folio *folio)
{
	const struct address_space_operations *ops = mapping->a_ops;
	unsigned long flags = xa_lock_fast(&mapping->i_pages);

	__filemap_remove_folio(mapping, folio);
	xa_unlock_fast(&mapping->i_pages, flags);
	free_folio(ops, folio);
}

void mapping_rescue_folios(struct address_space *mapping)
{
	struct folio *batch[16];
	unsigned long index = 0, looked = 0;
	unsigned int n;

	while ((n = filemap_get_folios(mapping, &index, FILE_INDEX_MAX, batch, ARRAY_SIZE(batch))) != 0)
		for (unsigned int i = 0; i < n; i++) {
			looked += folio_nr_pages(batch[i]);
			folio_rescue(batch[i]);
			folio_put(batch[i]);
		}
	count_vm_events(UNEVICTABLE_PGSCANNED, looked);
}

void filemap_remove_folio(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	if (mapping)
		filemap_remove_from(mapping, folio);
}

/* ---- Get or make ---- */

/* The largest order up to @order whose folio at @index is aligned. */
static unsigned int fitting_order(const struct address_space *mapping, unsigned long index, unsigned int order)
{
	unsigned int most = min(order, mapping_order_max(mapping));

	return index ? min(most, lowest_bit(index)) : most;
}

static struct folio *create(struct address_space *mapping, unsigned long index, unsigned int fgp, unsigned int order,
			    gfp_t gfp, int *err)
{
	order = fitting_order(mapping, index, order);
	if (fgp & FGP_WRITE)
		gfp |= __GFP_WRITE;
	if (fgp & FGP_NOWAIT)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	for (;;) {
		gfp_t with = order ? gfp | __GFP_NORETRY | __GFP_NOWARN : gfp;
		struct folio *folio = folio_alloc(with, order);

		*err = -ENOMEM;
		if (folio) {
			*err = filemap_add_folio(mapping, folio, index, gfp);
			if (!*err)
				return folio;
			folio_put(folio);
		}
		if (!order)
			return NULL;
		order = 0; /* something of the range is there, or memory is in pieces */
	}
}

struct folio *__filemap_get_folio(struct address_space *mapping, unsigned long index, unsigned int fgp,
				  unsigned int order, gfp_t gfp, int *err)
{
	struct folio *folio;

	for (;;) {
		folio = filemap_get_folio_fast(mapping, index);
		if (!folio) {
			*err = -ENOENT;
			if (!(fgp & FGP_CREAT))
				return NULL;
			folio = create(mapping, index, fgp, order, gfp, err);
			if (folio || *err != -EEXIST)
				return folio;
			continue;
		}
		if (fgp & FGP_LOCK) {
			if (unlikely(!folio_trylock_fast(folio))) {
				if (fgp & FGP_NOWAIT) {
					folio_put(folio);
					*err = -EAGAIN;
					return NULL;
				}
				folio_lock(folio);
			}
			if (unlikely(!folio_is_at(folio, mapping, index))) {
				folio_unlock(folio);
				folio_put(folio);
				continue;
			}
		}
		if (fgp & FGP_ACCESSED)
			folio_note_use(folio);
		*err = 0;
		return folio;
	}
}
