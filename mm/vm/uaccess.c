// SPDX-License-Identifier: MIT
/*
 * Copies between the kernel and the caller's memory: the address is checked here, the kernel's side by usercopy, and
 * port_copy_user() copies, with faults on the way.
 */
#include <octavo/highmem.h>
#include <octavo/uaccess.h>
#include <octavo/usercopy.h>

#include "../base/string.h"
#include "gup.h"

bool access_ok(uintptr_t addr, size_t size)
{
	const struct mm_struct *mm = current_task()->mm;

	return likely(mm && size <= mm->task_size && addr <= mm->task_size - size);
}

size_t copy_to_user(uintptr_t to, const void *from, size_t n)
{
	if (unlikely(!access_ok(to, n) || !check_object_size(from, n, true)))
		return n;
	return port_copy_user((void *)to, from, n, true);
}

size_t copy_from_user(void *to, uintptr_t from, size_t n)
{
	size_t left = n;

	if (unlikely(!check_object_size(to, n, false)))
		return n;
	if (likely(access_ok(from, n)))
		left = port_copy_user(to, (const void *)from, n, false);
	if (unlikely(left))
		memset((char *)to + (n - left), 0, left);
	return left;
}

size_t clear_user(uintptr_t to, size_t n)
{
	const void *zeros = page_address(pfn_to_page(zero_pfn));

	if (unlikely(!access_ok(to, n)))
		return n;
	while (n) {
		size_t part = min(n, (size_t)PAGE_SIZE), left = port_copy_user((void *)to, zeros, part, true);

		if (unlikely(left))
			return n - (part - left);
		to += part;
		n -= part;
	}
	return 0;
}

/* Bytes from @addr on that may be looked at together: what follows them in the next page need not be there. */
static size_t in_one_page(uintptr_t addr, size_t n)
{
	return min(n, (size_t)(PAGE_SIZE - (addr & ~PAGE_MASK)));
}

/* Bytes below the end of the caller's memory, at most @n. */
static size_t in_user_space(uintptr_t addr, size_t n)
{
	const struct mm_struct *mm = current_task()->mm;

	return mm && addr < mm->task_size ? min(n, (size_t)(mm->task_size - addr)) : 0;
}

static const char *find_nul(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			return text + i;
	return NULL;
}

long strncpy_from_user(char *to, uintptr_t from, size_t n)
{
	size_t room = in_user_space(from, n), done = 0;

	while (done < room) {
		size_t part = in_one_page(from + done, min(room - done, (size_t)128));
		const char *end;

		part -= port_copy_user(to + done, (const void *)(from + done), part, false);
		if (!part)
			return -EFAULT;
		end = find_nul(to + done, part);
		if (end)
			return (long)(end - to);
		done += part;
	}
	return done == n ? (long)n : -EFAULT;
}

long strnlen_user(uintptr_t from, size_t n)
{
	size_t room = in_user_space(from, n), done = 0;
	char text[128];

	while (done < room) {
		size_t part = in_one_page(from + done, min(room - done, sizeof(text)));
		const char *end;

		part -= port_copy_user(text, (const void *)(from + done), part, false);
		if (!part)
			return 0;
		end = find_nul(text, part);
		if (end)
			return (long)(done + (size_t)(end - text) + 1);
		done += part;
	}
	return done == n ? (long)n + 1 : 0;
}

void pagefault_disable(void)
{
	current_task()->pagefault_disabled++;
	barrier();
}

void pagefault_enable(void)
{
	barrier();
	current_task()->pagefault_disabled--;
}

/* ---- Touching ahead ---- */

static size_t touch(uintptr_t addr, size_t n, bool write)
{
	uintptr_t at = addr, end = addr + n;

	if (!n)
		return 0;
	if (!access_ok(addr, n))
		return n;
	while (at < end) {
		u8 byte;

		if (port_copy_user(&byte, (const void *)at, 1, false))
			break;
		/* Written back as it is only if nobody writes meanwhile: so ask for the right to, and write nothing. */
		if (write && user_fault_in(at & PAGE_MASK, true))
			break;
		at = (at & PAGE_MASK) + PAGE_SIZE;
	}
	return at < end ? (size_t)(end - at) : 0;
}

size_t fault_in_readable(uintptr_t addr, size_t n)
{
	return touch(addr, n, false);
}

size_t fault_in_writeable(uintptr_t addr, size_t n)
{
	return touch(addr, n, true);
}

/* ---- One word, exchanged ---- */

/*
 * The table's lock keeps the page in place, and the entry says that the caller may write: so no other CPU can see the
 * word halfway. Return: 1: the entry has to be faulted in first.
 */
static int cmpxchg_locked(struct mm_struct *mm, uintptr_t addr, u32 old, u32 value, u32 *was)
{
	spinlock_t *lock;
	bool shared = false;
	pgt_entry_t *entry = vm_entry_find(mm, addr, &lock, &shared), e;
	int missing = 1;
	char *virt;

	if (!entry)
		return 1;
	e = pgt_get(entry);
	if (!shared && pgt_valid(e) && pgt_user(0, e) && pgt_write(0, e)) {
		virt = kmap_local_pfn(PFN_DOWN(pgt_leaf_phys(0, e)));
		*was = atomic_cmpxchg((u32 *)(void *)(virt + (addr & ~PAGE_MASK)), old, value);
		kunmap_local(virt);
		(void)pgt_entry_raise(0, entry, pgt_mkdirty(0, pgt_mkyoung(0, e)));
		missing = 0;
	}
	spin_unlock(lock);
	return missing;
}

int user_cmpxchg32(uintptr_t addr, u32 old, u32 value, u32 *was)
{
	struct mm_task *task = current_task();
	struct vm_area_struct *vma;
	int missing;

	if (addr & 3 || !access_ok(addr, sizeof(u32)))
		return -EFAULT;
	for (;;) {
		vma = lock_task_vma(task, addr);
		missing = 1;
		if (likely(vma)) {
			if (!vma_access_error(vma, FAULT_FLAG_WRITE, false))
				missing = cmpxchg_locked(task->mm, addr, old, value, was);
			vma_end_read(vma);
		}
		if (!missing)
			return 0;
		if (task->pagefault_disabled || fatal_signal_pending(task) || user_fault_in(addr, true))
			return -EFAULT;
	}
}
