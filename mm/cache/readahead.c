// SPDX-License-Identifier: MIT
/*
 * Readahead: reading what a program is going to ask for.
 *
 * Words. The *window* of an open file is the pages that were started last: [ra_start, ra_start + ra_size). Its last
 * ra_async pages are read ahead of need; the first of these carries a *mark* (PG_readahead), and who comes to it starts
 * the next window.
 *
 * A miss that continues what was read last, or is at the beginning of the file, opens a window of twice what is wanted,
 * at least 4 pages. Each window that is reached doubles the next, up to ra_pages; a miss anywhere else reads what is
 * wanted and no more. POSIX_FADV_SEQUENTIAL doubles ra_pages; POSIX_FADV_RANDOM switches all of it off.
 *
 * Locking. The window is the open file's and changed without a lock: threads that share one disturb each other's
 * guesses and nothing else. Folios are added under mapping->invalidate_lock held for reading.
 *
 * Sources. readahead(2), posix_fadvise(2); Fengguang, Hongsheng, Chenfeng, "On the design of a new Linux readahead
 * framework" (ACM SIGOPS 42, 2008).
 */
#include "filemap.h"
#include "shmem.h"

#define WINDOW_MIN 4u
#define WINDOW_USUAL (128u * 1024 / PAGE_SIZE)

void file_ra_state_init(struct file *file)
{
	file->ra_pages = WINDOW_USUAL;
	file->ra_prev = ~(u64)0;
}

/* Pages that hold bytes of the file. */
static unsigned long pages_of(const struct address_space *mapping)
{
	u64 pages = (i_size_read(mapping->host) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return (unsigned long)min(pages, (u64)FILE_INDEX_MAX + 1);
}

struct folio *page_cache_ra_folio(struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned int order = min(mapping_order_max(mapping), ilog2(max(nr, 1ul)));
	gfp_t gfp = mapping->gfp_mask | __GFP_NORETRY | __GFP_NOWARN;
	struct folio *folio;

	if (index)
		order = min(order, lowest_bit(index));
	for (;;) {
		folio = folio_alloc(gfp, order);
		if (folio && !filemap_add_folio(mapping, folio, index, gfp))
			return folio;
		if (folio)
			folio_put(folio);
		if (!order)
			return NULL;
		order = 0;
	}
}

/* By single folios, for file systems that know nothing better. */
static void read_one_by_one(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned long end = index + nr;

	while (index < end) {
		struct folio *folio = page_cache_ra_folio(mapping, index, end - index);

		if (!folio)
			return;
		index = folio_next_index(folio);
		if (mapping->a_ops->read_folio(file, folio))
			end = index;
		folio_put(folio);
	}
}

static void start(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	if (mapping->a_ops->readahead)
		mapping->a_ops->readahead(file, mapping, index, nr);
	else if (mapping->a_ops->read_folio)
		read_one_by_one(file, mapping, index, nr);
}

/* Where the hole at @index ends: @index if there is none. A shadow is nothing. Context: an RCU reader. */
static unsigned long hole_end(struct address_space *mapping, unsigned long index, unsigned long end)
{
	for (; index < end; index++) {
		unsigned long at = index;
		void *next = xa_find(&mapping->i_pages, &at, end - 1);

		if (!next)
			return end;
		index = max(index, at);
		if (!xa_is_value(next))
			return index;
	}
	return end;
}

/* Start reading the holes of [@index, @index + @nr). */
static void read_missing(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned long pages = pages_of(mapping), end;

	if (index >= pages)
		return;
	end = index + min(nr, pages - index);
	while (index < end) {
		unsigned long hole;

		rcu_read_lock();
		hole = hole_end(mapping, index, end);
		rcu_read_unlock();
		if (hole > index)
			start(file, mapping, index, hole - index);
		index = max(hole, index + 1);
	}
}

static void mark(struct address_space *mapping, unsigned long index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	if (!folio)
		return;
	SetPageReadahead(&folio->page);
	folio_put(folio);
}

/* Of a file that threads share: each word is whole, and their guesses may be each other's. */
struct window {
	unsigned long start, size;
};

static struct window window_of(const struct file *file)
{
	return (struct window){ READ_ONCE(file->ra_start), READ_ONCE(file->ra_size) };
}

static void open_window(struct file *file, struct address_space *mapping, unsigned long from, unsigned long size,
			unsigned long async)
{
	async = min(async, size);
	WRITE_ONCE(file->ra_start, from);
	WRITE_ONCE(file->ra_size, size);
	WRITE_ONCE(file->ra_async, async);
	read_missing(file, mapping, from, size);
	if (async)
		mark(mapping, from + size - async);
}

void force_page_cache_ra(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	read_missing(file, mapping, index, nr);
}

void page_cache_sync_ra(struct file *file, struct address_space *mapping, unsigned long index, unsigned long want)
{
	unsigned long most = READ_ONCE(file->ra_pages), size;
	struct window last = window_of(file);
	u64 prev = READ_ONCE(file->ra_prev);
	bool goes_on = !index || index == prev || index == prev + 1 || index == last.start + last.size;

	if (!most || READ_ONCE(file->ra_advice) == POSIX_FADV_RANDOM || !goes_on) {
		read_missing(file, mapping, index, most ? min(want, most) : 1);
		return;
	}
	size = (unsigned long)min(roundup_pow_of_two(want) * 2, (u64)most);
	size = max(size, (unsigned long)min(WINDOW_MIN, most));
	if (last.size && index == last.start + last.size)
		size = max(size, min(last.size * 2, most));
	open_window(file, mapping, index, size, size > want ? size - want : 0);
}

void page_cache_async_ra(struct file *file, struct address_space *mapping, struct folio *folio, unsigned long index,
			 unsigned long want)
{
	unsigned long most = READ_ONCE(file->ra_pages), next, size;
	struct window last = window_of(file);

	ClearPageReadahead(&folio->page);
	if (!most || READ_ONCE(file->ra_advice) == POSIX_FADV_RANDOM)
		return;
	size = max(min(last.size * 2, most), min((unsigned long)WINDOW_MIN, most));
	next = last.start + last.size;
	/* Somebody else's window: begin one behind the mark. */
	if (index < last.start || index >= next) {
		next = (index | (folio_nr_pages(folio) - 1)) + 1;
		size = (unsigned long)min(roundup_pow_of_two(want) * 2, (u64)most);
		size = max(size, min((unsigned long)WINDOW_MIN, most));
	}
	if (!down_read_trylock(&mapping->invalidate_lock))
		return;
	open_window(file, mapping, next, size, size);
	up_read(&mapping->invalidate_lock);
}

int generic_fadvise(struct file *file, u64 offset, u64 len, int advice)
{
	struct address_space *mapping = file->f_mapping;
	u64 end = len && offset + len > offset ? offset + len - 1 : ~(u64)0;
	unsigned long first, last;

	if (!mapping || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		return -EINVAL;
	if (advice == POSIX_FADV_WILLNEED)
		shmem_swapin_range(mapping, file_index(offset), file_index(end));
	/* There is nothing else that could be read ahead, or dropped and had again. */
	if (!mapping_can_writeback(mapping))
		return 0;
	switch (advice) {
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_SEQUENTIAL:
		WRITE_ONCE(file->ra_pages, advice == POSIX_FADV_NORMAL ? WINDOW_USUAL : 2 * WINDOW_USUAL);
		WRITE_ONCE(file->ra_advice, (u32)advice);
		return 0;
	case POSIX_FADV_RANDOM:
		WRITE_ONCE(file->ra_advice, POSIX_FADV_RANDOM);
		return 0;
	case POSIX_FADV_WILLNEED:
		first = file_index(offset);
		last = file_index(end);
		down_read(&mapping->invalidate_lock);
		force_page_cache_ra(file, mapping, first, last - first + 1);
		up_read(&mapping->invalidate_lock);
		return 0;
	case POSIX_FADV_DONTNEED:
		/* Only whole pages, except the file's last one. */
		first = file_index(offset) + ((offset & ~PAGE_MASK) != 0);
		last = file_index(end);
		if ((end & ~PAGE_MASK) != ~PAGE_MASK && end < i_size_read(mapping->host) - 1) {
			if (!last)
				return 0;
			last--;
		}
		(void)filemap_fdatawrite_range(mapping, offset, end);
		if (first <= last)
			(void)invalidate_mapping_pages(mapping, first, last);
		return 0;
	default: /* POSIX_FADV_NOREUSE */
		return 0;
	}
}
