// SPDX-License-Identifier: MIT
/* Memory to copy to or from, a user's or the kernel's. */
#include <octavo/highmem.h>
#include <octavo/port.h>
#include <octavo/uaccess.h>

#include "../sync/contents.h"
#include "filemap.h"

static force_inline size_t advance(struct iov_iter *iter, size_t n)
{
	iter->base = (char *)iter->base + n;
	iter->count -= n;
	return n;
}

size_t copy_to_iter(const void *from, size_t n, struct iov_iter *to)
{
	n = min(n, to->count);
	if (to->user)
		n -= copy_to_user((uintptr_t)to->base, from, n);
	else
		contents_copy(to->base, from, n);
	return advance(to, n);
}

size_t copy_from_iter(void *to, size_t n, struct iov_iter *from)
{
	n = min(n, from->count);
	if (from->user)
		n -= copy_from_user(to, (uintptr_t)from->base, n);
	else
		contents_copy(to, from->base, n);
	return advance(from, n);
}

size_t iov_iter_zero(size_t n, struct iov_iter *to)
{
	n = min(n, to->count);
	if (to->user)
		n -= clear_user((uintptr_t)to->base, n);
	else
		memset(to->base, 0, n);
	return advance(to, n);
}

size_t fault_in_iov_iter_readable(const struct iov_iter *from, size_t n)
{
	n = min(n, from->count);
	return from->user ? fault_in_readable((uintptr_t)from->base, n) : 0;
}

/*
 * copy_from_user() makes zeros of what it could not copy. Into the page cache that would be a write: what is not copied
 * stays as it was.
 */
static size_t copy_in(void *to, size_t n, struct iov_iter *from)
{
	if (!from->user)
		contents_copy(to, from->base, n);
	else if (likely(access_ok((uintptr_t)from->base, n)))
		n -= port_copy_user(to, from->base, n, false);
	else
		n = 0;
	return advance(from, n);
}

/* Where the direct map shows a page, its neighbours in the folio are shown beside it. */
static size_t chunk_of(struct folio *folio, size_t offset, size_t n)
{
	return PageHighMem(&folio->page) ? min(n, PAGE_SIZE - (offset & ~PAGE_MASK)) : n;
}

/* A place of high memory keeps the thread on its CPU, so the user's page has to be there before. */
static size_t copy_high_to_iter(struct folio *folio, size_t offset, size_t n, struct iov_iter *to)
{
	size_t copied;
	void *at;

	if (to->user && fault_in_writeable((uintptr_t)to->base, n) == n)
		return 0;
	at = kmap_local_folio(folio, offset);
	pagefault_disable();
	copied = copy_to_iter(at, n, to);
	pagefault_enable();
	kunmap_local(at);
	return copied;
}

/* Of the page cache: no object of the heap's, whose bounds copy_to_user() would look for. */
static force_inline size_t copy_out(const void *from, size_t n, struct iov_iter *to)
{
	if (!to->user)
		contents_copy(to->base, from, n);
	else if (likely(access_ok((uintptr_t)to->base, n)))
		n -= port_copy_user(to->base, from, n, true);
	else
		n = 0;
	return advance(to, n);
}

static noinline size_t copy_folio_high(struct folio *folio, size_t offset, size_t n, struct iov_iter *to)
{
	size_t done = 0;

	while (done < n) {
		size_t chunk = chunk_of(folio, offset + done, n - done);
		size_t copied = copy_high_to_iter(folio, offset + done, chunk, to);

		if (!copied)
			break;
		done += copied; /* less than the chunk: a page went again; try once more */
	}
	return done;
}

size_t copy_folio_to_iter(struct folio *folio, size_t offset, size_t n, struct iov_iter *to)
{
	n = min(n, to->count);
	if (unlikely(PageHighMem(&folio->page)))
		return copy_folio_high(folio, offset, n, to);
	return copy_out((char *)page_address(&folio->page) + offset, n, to);
}

static noinline size_t copy_folio_in_high(struct folio *folio, size_t offset, size_t n, struct iov_iter *from)
{
	size_t done = 0, chunk, copied;

	do {
		void *at = kmap_local_folio(folio, offset + done);

		chunk = chunk_of(folio, offset + done, n - done);
		copied = copy_in(at, chunk, from);
		kunmap_local(at);
		done += copied;
	} while (copied == chunk && done < n);
	return done;
}

size_t copy_folio_from_iter_atomic(struct folio *folio, size_t offset, size_t n, struct iov_iter *from)
{
	size_t done;

	n = min(n, from->count);
	if (from->user)
		pagefault_disable();
	if (likely(!PageHighMem(&folio->page)))
		done = copy_in((char *)page_address(&folio->page) + offset, n, from);
	else
		done = copy_folio_in_high(folio, offset, n, from);
	if (from->user)
		pagefault_enable();
	return done;
}
