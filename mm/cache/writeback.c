// SPDX-License-Identifier: MIT
/*
 * Dirty folios, and getting them to the store.
 *
 * A folio is *dirty* when memory knows better than the store, *under writeback* while the store is being told. Its
 * life: folio_mark_dirty() -> [DIRTY] -> folio_clear_dirty_for_io(), under the folio's lock -> folio_start_writeback()
 * -> [WRITEBACK], unlocked -> folio_end_writeback(). It may become dirty again meanwhile. A process's write through a
 * mapping makes its entry writable by way of page_mkwrite, which waits for writeback to end and dirties the folio;
 * folio_clear_dirty_for_io() takes the right to write away again (folio_mkclean()), so no write goes unnoticed.
 *
 * Who writes: the flusher (flusher.c), by age and by how much is dirty; fsync(2), sync(2), msync(2) and
 * sync_file_range(2); and who finds no memory. docs/writeback.md tells the whole of it.
 */
#include "filemap.h"

#include "../block/block.h"
#include "../lru/lru.h"
#include "../phys/page_wait.h"
#include "../sync/trace.h"

#define BATCH 15u

/* ---- Dirt ---- */

/* Whose pages they are, for events: a device's name. */
static const char *store_name(const struct address_space *mapping)
{
	return mapping->a_ops == &bdev_aops ? ((const struct bdev *)mapping->private_data)->name : "(unknown)";
}

bool filemap_dirty_folio(struct address_space *mapping, struct folio *folio)
{
	long nr = (long)folio_nr_pages(folio);
	unsigned long flags;

	if (TestSetPageDirty(&folio->page))
		return false;
	/* The bit means "read ahead from here" of a folio that was read, and must not outlive that. */
	if (unlikely(PageReclaim(&folio->page)))
		ClearPageReclaim(&folio->page);
	trace_event(writeback_dirty_folio, trace_pointer(store_name(mapping)), mapping->host->i_ino,
		    folio_index(folio));
	flags = xa_lock_irqsave(&mapping->i_pages);
	if (folio_is_of(folio, mapping)) {
		bool first = !xa_tagged(&mapping->i_pages, PAGECACHE_TAG_DIRTY);

		count_folio(folio, NR_FILE_DIRTY, nr);
		count_folio(folio, NR_DIRTIED, nr);
		this_cpu_add(dirtied_here, (unsigned long)nr);
		mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, nr);
		__xa_set_tag(&mapping->i_pages, folio_index(folio), PAGECACHE_TAG_DIRTY);
		if (unlikely(first))
			mapping_note_dirty(mapping);
	}
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return true;
}

bool noop_dirty_folio(struct address_space *mapping, struct folio *folio)
{
	(void)mapping;
	return !PageDirty(&folio->page) && !TestSetPageDirty(&folio->page);
}

bool folio_mark_dirty(struct folio *folio)
{
	struct address_space *mapping;

	if (page_plain_flag(&folio->page, PG_dirty))
		return false;
	mapping = folio_mapping(folio);
	if (!mapping)
		return noop_dirty_folio(NULL, folio);
	return mapping->a_ops->dirty_folio ? mapping->a_ops->dirty_folio(mapping, folio) :
					     filemap_dirty_folio(mapping, folio);
}

bool folio_clear_dirty_for_io(struct folio *folio)
{
	const struct address_space *mapping;

	/* What a mapping has written since is written now. */
	if (folio_mapped(folio) && folio_mkclean(folio))
		folio_mark_dirty(folio);
	if (!TestClearPageDirty(&folio->page))
		return false;
	mapping = folio_mapping(folio);
	if (mapping && mapping_can_writeback(mapping))
		folio_account_cleaned(folio);
	return true;
}

/* The tag is still there if there is a tag, so only the flag and the counts have to be made good. */
void folio_redirty_for_writepage(struct folio *folio)
{
	filemap_dirty_folio(folio_mapping(folio), folio);
}

void folio_start_writeback(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);
	long nr = (long)folio_nr_pages(folio);
	unsigned long flags, index = folio_index(folio);

	page_writeback_begin(&folio->page);
	if (!mapping)
		return;
	flags = xa_lock_irqsave(&mapping->i_pages);
	__xa_set_tag(&mapping->i_pages, index, PAGECACHE_TAG_WRITEBACK);
	if (!PageDirty(&folio->page))
		__xa_clear_tag(&mapping->i_pages, index, PAGECACHE_TAG_DIRTY);
	__xa_clear_tag(&mapping->i_pages, index, PAGECACHE_TAG_TOWRITE);
	count_folio(folio, NR_WRITEBACK, nr);
	mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, nr);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
}

void folio_end_writeback(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);
	long nr = (long)folio_nr_pages(folio);
	unsigned long flags;

	if (mapping) {
		flags = xa_lock_irqsave(&mapping->i_pages);
		__xa_clear_tag(&mapping->i_pages, folio_index(folio), PAGECACHE_TAG_WRITEBACK);
		count_folio(folio, NR_WRITEBACK, -nr);
		count_folio(folio, NR_WRITTEN, nr);
		mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, -nr);
		xa_unlock_irqrestore(&mapping->i_pages, flags);
	}
	/* Reclaim found it dirty: it is next now. */
	if (unlikely(PageReclaim(&folio->page))) {
		ClearPageReclaim(&folio->page);
		folio_rotate_reclaimable(folio);
	}
	page_writeback_end(&folio->page);
}

/* ---- Errors: each open file hears of each once ---- */

void mapping_set_error(struct address_space *mapping, int error)
{
	u32 old, new;

	if (!error)
		return;
	atomic_fetch_or(&mapping->flags, 1ul << (error == -ENOSPC ? AS_ENOSPC : AS_EIO));
	do {
		old = load_relaxed(&mapping->wb_err);
		/* A new number only if somebody has seen the old: the count lasts longer. */
		new = (old & ~(WB_ERR_MASK | WB_ERR_SEEN)) | ((u32)-error & WB_ERR_MASK);
		if (wb_err_seen(old))
			new += WB_ERR_STEP;
	} while (atomic_cmpxchg(&mapping->wb_err, old, new) != old);
}

int file_check_and_advance_wb_err(struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	u32 now = load_relaxed(&mapping->wb_err), was;

	if (likely(now == load_relaxed(&file->f_wb_err)))
		return 0;
	while (now && !(now & WB_ERR_SEEN)) {
		was = atomic_cmpxchg(&mapping->wb_err, now, now | WB_ERR_SEEN);
		now = was == now ? now | WB_ERR_SEEN : was;
	}
	was = atomic_xchg(&file->f_wb_err, now);
	return was == now ? 0 : -(int)(now & WB_ERR_MASK);
}

/* ---- Writing ---- */

/* What is dirty now is to be written; what becomes so later is not, or there might be no end. */
static void tag_for_writeback(struct address_space *mapping, unsigned long first, unsigned long last)
{
	unsigned long index = first, flags = xa_lock_irqsave(&mapping->i_pages);
	unsigned int n = 0;

	while (index <= last && xa_find_tagged(&mapping->i_pages, &index, last, PAGECACHE_TAG_DIRTY)) {
		__xa_set_tag(&mapping->i_pages, index, PAGECACHE_TAG_TOWRITE);
		index += 1ul << xa_get_order(&mapping->i_pages, index);
		if (!index)
			break;
		if (!(++n % 1024)) { /* let others at it */
			xa_unlock_irqrestore(&mapping->i_pages, flags);
			port_cpu_relax();
			flags = xa_lock_irqsave(&mapping->i_pages);
		}
	}
	xa_unlock_irqrestore(&mapping->i_pages, flags);
}

/* It is not going to be written after all. */
static void untag(struct address_space *mapping, struct folio *folio)
{
	unsigned long flags = xa_lock_irqsave(&mapping->i_pages), index = folio_index(folio);

	if (folio_is_of(folio, mapping)) {
		__xa_clear_tag(&mapping->i_pages, index, PAGECACHE_TAG_TOWRITE);
		if (!PageDirty(&folio->page))
			__xa_clear_tag(&mapping->i_pages, index, PAGECACHE_TAG_DIRTY);
	}
	xa_unlock_irqrestore(&mapping->i_pages, flags);
}

int write_cleaned_folio(struct address_space *mapping, struct folio *folio,
			int (*write)(struct folio *folio, void *ctx), void *ctx)
{
	int err = write(folio, ctx);

	if (err) {
		mapping_set_error(mapping, err);
		untag(mapping, folio);
	}
	return err;
}

static int write_one(struct address_space *mapping, struct folio *folio,
		     int (*write)(struct folio *folio, void *ctx), void *ctx)
{
	folio_lock(folio);
	if (!folio_is_of(folio, mapping)) {
		folio_unlock(folio);
		return 0;
	}
	folio_wait_writeback(folio);
	if (!folio_clear_dirty_for_io(folio)) {
		untag(mapping, folio);
		folio_unlock(folio);
		return 0;
	}
	return write_cleaned_folio(mapping, folio, write, ctx);
}

int write_cache_pages(struct address_space *mapping, u64 start, u64 end, int (*write)(struct folio *folio, void *ctx),
		      void *ctx)
{
	unsigned long index = file_index(start);
	unsigned long last = file_index(end);
	struct folio *batch[BATCH];
	unsigned int n;
	int err = 0;

	tag_for_writeback(mapping, index, last);
	while (index <= last &&
	       (n = filemap_get_folios_tag(mapping, &index, last, PAGECACHE_TAG_TOWRITE, batch, BATCH)) != 0)
		for (unsigned int i = 0; i < n; i++) {
			int failed = write_one(mapping, batch[i], write, ctx);

			err = err ? err : failed;
			folio_put(batch[i]);
		}
	return err;
}

int filemap_fdatawrite_range(struct address_space *mapping, u64 start, u64 end)
{
	if (!mapping->a_ops->writepages || !xa_tagged(&mapping->i_pages, PAGECACHE_TAG_DIRTY))
		return 0;
	return mapping->a_ops->writepages(mapping, start, end);
}

static void wait_for_writeback(struct address_space *mapping, u64 start, u64 end)
{
	unsigned long index = file_index(start);
	unsigned long last = file_index(end);
	struct folio *batch[BATCH];
	unsigned int n;

	while (index <= last &&
	       (n = filemap_get_folios_tag(mapping, &index, last, PAGECACHE_TAG_WRITEBACK, batch, BATCH)) != 0)
		for (unsigned int i = 0; i < n; i++) {
			trace_event(folio_wait_writeback, trace_pointer(store_name(mapping)), mapping->host->i_ino,
				    folio_index(batch[i]));
			folio_wait_writeback(batch[i]);
			folio_put(batch[i]);
		}
}

static bool test_and_clear(struct address_space *mapping, enum mapping_flags flag)
{
	return mapping_flag(mapping, flag) && atomic_fetch_and(&mapping->flags, ~(1ul << flag)) >> flag & 1;
}

int filemap_fdatawait_range(struct address_space *mapping, u64 start, u64 end)
{
	int err = 0;

	wait_for_writeback(mapping, start, end);
	if (test_and_clear(mapping, AS_ENOSPC))
		err = -ENOSPC;
	if (test_and_clear(mapping, AS_EIO))
		err = -EIO;
	return err;
}

int filemap_write_and_wait_range(struct address_space *mapping, u64 start, u64 end)
{
	int err = filemap_fdatawrite_range(mapping, start, end), waited;

	waited = filemap_fdatawait_range(mapping, start, end);
	return err ? err : waited;
}

int file_write_and_wait_range(struct file *file, u64 start, u64 end)
{
	struct address_space *mapping = file->f_mapping;
	int err = filemap_fdatawrite_range(mapping, start, end), heard;

	wait_for_writeback(mapping, start, end);
	heard = file_check_and_advance_wb_err(file);
	return heard ? heard : err;
}

int sync_file_range(struct file *file, s64 offset, s64 len, unsigned int flags)
{
	struct address_space *mapping = file->f_mapping;
	u64 start = (u64)offset, end = len ? start + (u64)len - 1 : (u64)INT64_MAX;
	int err = 0;

	if (flags & ~SYNC_FILE_RANGE_FLAGS || offset < 0 || len < 0 || (len && end >= (u64)INT64_MAX))
		return -EINVAL;
	if (!mapping)
		return -ESPIPE;
	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE) {
		wait_for_writeback(mapping, start, end);
		err = file_check_and_advance_wb_err(file);
	}
	if (!err && flags & SYNC_FILE_RANGE_WRITE)
		err = filemap_fdatawrite_range(mapping, start, end);
	if (!err && flags & SYNC_FILE_RANGE_WAIT_AFTER) {
		wait_for_writeback(mapping, start, end);
		err = file_check_and_advance_wb_err(file);
	}
	return err;
}

/* ---- All of them ---- */

void ksys_sync(void)
{
	/* All at once to the stores, then wait for each: errors stay for the files' own fsync(2). */
	for (struct address_space *m = mapping_next(NULL); m; m = mapping_next(m))
		(void)filemap_fdatawrite_range(m, 0, ~(u64)0);
	for (struct address_space *m = mapping_next(NULL); m; m = mapping_next(m))
		wait_for_writeback(m, 0, ~(u64)0);
	for (struct bdev *bdev = bdev_next(0); bdev; bdev = bdev_next(bdev->dev))
		(void)bdev_flush(bdev);
}

void drop_page_cache(void)
{
	for (struct address_space *m = mapping_next(NULL); m; m = mapping_next(m))
		if (load_relaxed(&m->nrpages) && m->a_ops->read_folio) /* what can be had again */
			(void)invalidate_mapping_pages(m, 0, FILE_INDEX_MAX);
}
