// SPDX-License-Identifier: MIT
/*
 * process_vm_readv(2), process_vm_writev(2): bytes from one address space to another. The other's pages are pinned some
 * at a time and copied from or to the caller's memory, which may be faulted in meanwhile.
 */
#include <octavo/highmem.h>

#include "vm.h"

#define PAGES_AT_ONCE 16u

/* One page's part. Return: bytes; fewer than @n: the caller's memory is bad. */
static size_t copy_page_part(struct page *page, size_t offset, uintptr_t local, size_t n, bool write)
{
	char *at = kmap(page);
	size_t left;

	if (!at)
		return 0;
	left = write ? copy_from_user(at + offset, local, n) : copy_to_user(local, at + offset, n);
	kunmap(page);
	return n - left;
}

/* What @nr pinned pages hold, of [offset, offset + len). Return: bytes. */
static size_t copy_pages(struct page **pages, long nr, size_t offset, uintptr_t local, size_t len, bool write)
{
	size_t done = 0;

	for (long i = 0; i < nr && done < len; i++) {
		size_t n = min(PAGE_SIZE - offset, len - done);
		size_t got = copy_page_part(pages[i], offset, local + done, n, write);

		done += got;
		if (got < n)
			break;
		offset = 0;
	}
	return done;
}

long ksys_process_vm_rw(struct mm_struct *mm, uintptr_t remote, uintptr_t local, size_t len, bool write)
{
	unsigned int foll = write ? FOLL_WRITE : 0;
	struct page *pages[PAGES_AT_ONCE];
	size_t done = 0;

	while (done < len) {
		uintptr_t at = remote + done;
		size_t offset = at & ~PAGE_MASK;
		size_t most = min(len - done, PAGES_AT_ONCE * PAGE_SIZE - offset), got;
		long nr;

		if (at < remote)
			break;
		mmap_read_lock(mm);
		nr = pin_user_pages_remote(mm, at & PAGE_MASK, (offset + most + PAGE_SIZE - 1) >> PAGE_SHIFT, foll,
					   pages);
		mmap_read_unlock(mm);
		if (nr <= 0)
			break;
		most = min(most, ((size_t)nr << PAGE_SHIFT) - offset);
		got = copy_pages(pages, nr, offset, local + done, most, write);
		unpin_user_pages_dirty_lock(pages, (unsigned long)nr, write);
		done += got;
		if (got < most || fatal_signal_pending(current_task()))
			break;
	}
	return done || !len ? (long)done : -EFAULT;
}
