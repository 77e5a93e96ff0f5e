// SPDX-License-Identifier: MIT
/* Reading files through the page cache. */
#include <octavo/highmem.h>

#include "../phys/hwpoison.h"
#include "filemap.h"

/* ---- Until a folio holds what the file holds ---- */

void folio_end_read(struct folio *folio, bool success)
{
	if (success)
		SetPageUptodate(&folio->page);
	folio_unlock(folio);
}

int filemap_make_uptodate(struct file *file, struct address_space *mapping, struct folio *folio)
{
	int err = folio_lock_killable(folio);

	if (err)
		return err;
	if (!folio_is_of(folio, mapping)) {
		folio_unlock(folio);
		return AOP_GONE;
	}
	if (PageUptodate(&folio->page)) {
		folio_unlock(folio);
		return 0;
	}
	if (!mapping->a_ops->read_folio) {
		folio_unlock(folio);
		return -EINVAL;
	}
	err = mapping->a_ops->read_folio(file, folio);
	if (err)
		return err;
	err = folio_lock_killable(folio);
	if (err)
		return err;
	if (!folio_is_of(folio, mapping))
		err = AOP_GONE;
	else if (!PageUptodate(&folio->page))
		err = -EIO;
	folio_unlock(folio);
	return err;
}

/* A new folio at @index, being read. NULL: *@err; -EEXIST: somebody else has made one. */
static struct folio *create_and_read(struct file *file, struct address_space *mapping, unsigned long index, int *err)
{
	struct folio *folio = folio_alloc(mapping->gfp_mask, 0);

	*err = -ENOMEM;
	if (!folio)
		return NULL;
	*err = filemap_add_folio(mapping, folio, index, mapping->gfp_mask);
	if (!*err) {
		folio_unlock(folio);
		return folio;
	}
	folio_put(folio);
	(void)file;
	return NULL;
}

/* What is missing at @index comes under invalidate_lock, so that it is not what a truncation has just taken out. */
static struct folio *fill(struct file *file, struct address_space *mapping, unsigned long index, unsigned long want,
			  int *err)
{
	struct folio *folio;

	down_read(&mapping->invalidate_lock);
	folio = filemap_get_folio(mapping, index);
	if (!folio && file) {
		page_cache_sync_ra(file, mapping, index, want);
		folio = filemap_get_folio(mapping, index);
	}
	if (!folio)
		folio = create_and_read(file, mapping, index, err);
	if (folio) {
		*err = PageUptodate(&folio->page) ? 0 : filemap_make_uptodate(file, mapping, folio);
		if (*err) {
			folio_put(folio);
			folio = NULL;
		}
	}
	up_read(&mapping->invalidate_lock);
	return folio;
}

#define FLAGS_READY (1u << PG_uptodate)
#define FLAGS_LOOK (1u << PG_uptodate | 1u << PG_reclaim | 1u << PG_hwpoison)

/* What is at hand and needs no further thought; else NULL. */
static force_inline struct folio *read_ready(struct address_space *mapping, unsigned long index)
{
	struct folio *folio = filemap_get_folio_fast(mapping, index);

	if (likely(folio && (load_acquire(&folio->page.flags) & FLAGS_LOOK) == FLAGS_READY))
		return folio;
	if (folio)
		folio_put(folio);
	return NULL;
}

static noinline struct folio *read_slow(struct file *file, struct address_space *mapping, unsigned long index,
					unsigned long want, bool wait, int *err)
{
	for (;;) {
		struct folio *folio = filemap_get_folio(mapping, index);

		if (folio && PageUptodate(&folio->page)) {
			if (PageReadahead(&folio->page) && file && !PageWriteback(&folio->page))
				page_cache_async_ra(file, mapping, folio, index, want);
			return folio;
		}
		if (folio)
			folio_put(folio);
		*err = -EAGAIN;
		if (!wait)
			return NULL;
		folio = fill(file, mapping, index, want, err);
		if (folio || (*err != AOP_GONE && *err != -EEXIST))
			return folio;
	}
}

struct folio *filemap_read_uptodate(struct file *file, struct address_space *mapping, unsigned long index,
				    unsigned long want, bool wait, int *err)
{
	struct folio *folio = read_ready(mapping, index);

	return folio ? folio : read_slow(file, mapping, index, want, wait, err);
}

struct folio *read_mapping_folio(struct address_space *mapping, unsigned long index, struct file *file, int *err)
{
	return filemap_read_uptodate(file, mapping, index, 1, true, err);
}

/* ---- read(2) ---- */

static force_inline void mark_accessed(struct file *file, struct folio *folio, unsigned long index)
{
	if (READ_ONCE(file->ra_prev) != index)
		folio_note_use(folio);
	WRITE_ONCE(file->ra_prev, index);
}

static unsigned long pages_wanted(const struct iov_iter *to, u64 at)
{
	return (unsigned long)((to->count + (at & ~PAGE_MASK) + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* Of @part bytes from @offset on, how many come before a page that went bad. */
static noinline size_t sound_part(struct folio *folio, size_t offset, size_t part)
{
	for (size_t at = offset & PAGE_MASK; at < offset + part; at += PAGE_SIZE)
		if (PageHWPoison(folio_page(folio, at >> PAGE_SHIFT)))
			return at > offset ? at - offset : 0;
	return part;
}

/* What there is of [@at, ...] in one folio. Return: bytes; 0: the end of the file; errno. */
static force_inline s64 read_part(struct file *file, struct address_space *mapping, struct iov_iter *to, u64 at)
{
	unsigned long index = (unsigned long)(at >> PAGE_SHIFT);
	size_t offset, part, copied;
	struct folio *folio;
	u64 size;
	int err;

	folio = read_ready(mapping, index);
	if (unlikely(!folio)) {
		folio = read_slow(file, mapping, index, pages_wanted(to, at), true, &err);
		if (!folio)
			return err;
		if (unlikely(PageHWPoison(&folio->page) && !folio_order(folio)))
			goto bad;
	}
	/* Looked at behind the folio: what a truncation has cut off by now is zeros, and not to be read. */
	size = i_size_read(mapping->host);
	offset = (size_t)(at & ~PAGE_MASK);
	part = PAGE_SIZE - offset;
	if (unlikely(page_plain_flag(&folio->page, PG_head))) {
		/* By alignment: where it is in the file it says only as long as it is. */
		offset = (size_t)at & (folio_size(folio) - 1);
		part = folio_size(folio) - offset;
		if (block_has_poison(&folio->page, folio_order(folio)))
			part = sound_part(folio, offset, part);
		if (unlikely(!part))
			goto bad;
	}
	if (unlikely(at + part > size))
		part = at < size ? (size_t)min((u64)part, size - at) : 0;
	part = min(part, to->count);
	copied = copy_folio_to_iter(folio, offset, part, to);
	mark_accessed(file, folio, index);
	folio_put_fast(folio);
	if (unlikely(copied < part && !copied))
		return -EFAULT;
	return (s64)copied;
bad:
	folio_put(folio);
	return -EIO;
}

s64 generic_file_read_iter(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct address_space *mapping = file->f_mapping;
	u64 at = *pos;
	s64 done = 0, part = 0;

	while (to->count && at < i_size_read(mapping->host) && at >> PAGE_SHIFT <= FILE_INDEX_MAX) {
		part = read_part(file, mapping, to, at);
		if (unlikely(part <= 0))
			break;
		at += (u64)part;
		done += part;
	}
	*pos = at;
	return done ? done : part;
}
