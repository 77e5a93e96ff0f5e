// SPDX-License-Identifier: MIT
/*
 * Where mappings lie.
 *
 * Two layouts (Linux Documentation/arch/x86/x86_64/mm.rst and the sysctl vm.legacy_va_layout): the flexible one hands
 * out the highest gap below mmap_base, which leaves the stack as much room as its limit says; the legacy one hands out
 * the lowest gap above a third of user space, and serves as well where the flexible one finds nothing, and for
 * MAP_32BIT. Below a VMA that grows down, stack_guard_gap stays free.
 */
#include <octavo/port.h>

#include "account.h"
#include "vma.h"

/* The stack's share of the top: at least 128 MiB, at most five sixths of user space. */
#define GAP_MIN ((uintptr_t)128 << 20)
/* arch_mmap_rnd(): bits of pages; 32-bit programs 8. Linux: vm.mmap_rnd_bits, vm.mmap_rnd_compat_bits. */
#define MMAP_RANDOM_BITS 28
#define MMAP_RANDOM_BITS_32 8
/* The stack's: 16 GiB, 8 MiB of 32-bit programs. */
#define STACK_RANDOM_BITS 22
#define STACK_RANDOM_BITS_32 11
/* MAP_32BIT: the second GiB. */
#define LOW_START ((uintptr_t)0x40000000)
#define LOW_END ((uintptr_t)0x80000000)

static bool is_32bit(const struct mm_struct *mm)
{
	return mm->task_size - 1 <= 0xffffffffu;
}

/* With 5-level tables nothing lies above 47 bits without a hint: programs keep data in the upper bits. */
uintptr_t mm_window(const struct mm_struct *mm)
{
	u64 size = mm->task_size;

	return (uintptr_t)(size > (u64)1 << 48 ? ((u64)1 << 47) - PAGE_SIZE : size);
}

uintptr_t mm_random_offset(unsigned int bits)
{
	if (!READ_ONCE(randomize_va_space) || !bits)
		return 0;
	return (uintptr_t)(port_random() & (((u64)1 << bits) - 1)) << PAGE_SHIFT;
}

static bool randomized(const struct mm_process *process)
{
	return READ_ONCE(randomize_va_space) && !(process->personality & PERSONALITY_ADDR_NO_RANDOMIZE);
}

uintptr_t mm_pick_stack_top(struct mm_struct *mm, const struct mm_process *process)
{
	uintptr_t top = mm_window(mm);

	if (randomized(process))
		top -= mm_random_offset(is_32bit(mm) ? STACK_RANDOM_BITS_32 : STACK_RANDOM_BITS);
	return top;
}

static bool wants_legacy(const struct mm_process *process)
{
	return process->personality & PERSONALITY_ADDR_COMPAT_LAYOUT || READ_ONCE(sysctl_legacy_va_layout) ||
	       READ_ONCE(process->rlimit[RLIMIT_STACK].cur) == RLIM_INFINITY;
}

void mm_pick_mmap_base(struct mm_struct *mm, const struct mm_process *process)
{
	uintptr_t window = mm_window(mm), random = 0, pad, gap, least;
	unsigned int stack_bits = is_32bit(mm) ? STACK_RANDOM_BITS_32 : STACK_RANDOM_BITS;

	if (randomized(process))
		random = mm_random_offset(is_32bit(mm) ? MMAP_RANDOM_BITS_32 : MMAP_RANDOM_BITS);
	random = min(random, window / 4);
	mm->mmap_legacy_base = page_align(window / 3) + random;
	if (wants_legacy(process)) {
		(void)atomic_fetch_and(&mm->flags, ~(1ul << MMF_TOPDOWN));
		mm->mmap_base = mm->mmap_legacy_base;
		return;
	}
	/* What randomisation may take from the stack, and its guard, are kept free beside the limit. */
	gap = (uintptr_t)READ_ONCE(process->rlimit[RLIMIT_STACK].cur);
	pad = READ_ONCE(stack_guard_gap);
	if (randomized(process))
		pad += (uintptr_t)1 << (stack_bits + PAGE_SHIFT);
	if (gap + pad > gap)
		gap += pad;
	least = min(GAP_MIN, window / 6);
	gap = clamp(gap, least, window / 6 * 5);
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_TOPDOWN);
	mm->mmap_base = page_align(window - gap - random);
}

/* ---- Gaps ---- */

uintptr_t vm_start_gap(const struct vm_area_struct *vma)
{
	uintptr_t gap = READ_ONCE(stack_guard_gap);

	if (likely(!(vma->vm_flags & VM_GROWSDOWN)))
		return vma->vm_start;
	return vma->vm_start > gap ? vma->vm_start - gap : 0;
}

/* The lowest (or highest) gap of @len bytes in [low, high) that leaves stacks their guard. */
static long find_gap(struct mm_struct *mm, uintptr_t low, uintptr_t high, size_t len, bool top)
{
	while (low < high && high - low >= len) {
		const struct vm_area_struct *next;
		uintptr_t start;
		int err;

		if (top)
			err = range_tree_gap_top(&mm->vmas, low, high - 1, len, PAGE_SIZE, &start);
		else
			err = range_tree_gap(&mm->vmas, low, high - 1, len, PAGE_SIZE, &start);
		if (err)
			break;
		next = find_vma(mm, start);
		if (!next || start + len <= vm_start_gap(next))
			return (long)start;
		/* It ends too near to a stack. */
		if (top)
			high = vm_start_gap(next);
		else
			low = next->vm_end;
	}
	return -ENOMEM;
}

static bool hint_fits(struct mm_struct *mm, uintptr_t addr, size_t len, uintptr_t end)
{
	const struct vm_area_struct *next;

	if (len > end || end - len < addr)
		return false;
	next = find_vma(mm, addr);
	return !next || addr + len <= vm_start_gap(next);
}

static long bottom_up(struct mm_struct *mm, uintptr_t addr, size_t len, unsigned long flags)
{
	uintptr_t begin = mm->mmap_legacy_base, end = addr > mm_window(mm) ? mm->task_size : mm_window(mm);

	if (flags & MAP_32BIT && !is_32bit(mm)) {
		begin = LOW_START;
		end = min(LOW_END, mm->task_size);
		if (randomized(this_task()->process))
			begin += mm_random_offset(25 - PAGE_SHIFT);
	}
	if (len > end)
		return -ENOMEM;
	addr = page_align(addr);
	if (addr && hint_fits(mm, addr, len, end))
		return (long)addr;
	return find_gap(mm, begin, end, len, false);
}

static long top_down(struct mm_struct *mm, uintptr_t addr, size_t len, unsigned long flags)
{
	uintptr_t window = mm_window(mm), high = mm->mmap_base;
	long found;

	if (flags & MAP_32BIT && !is_32bit(mm))
		return bottom_up(mm, addr, len, flags);
	if (addr) {
		uintptr_t hint = addr & PAGE_MASK;

		if (mm->task_size - len >= hint && (hint > window) == (hint + len > window) &&
		    hint_fits(mm, hint, len, mm->task_size))
			return (long)hint;
	}
	if (addr > window)
		high += mm->task_size - window;
	found = find_gap(mm, PAGE_SIZE, high, len, true);
	return !is_error(found) ? found : bottom_up(mm, addr, len, flags);
}

static long unmapped(struct mm_struct *mm, uintptr_t addr, size_t len, unsigned long flags)
{
	if (len > mm->task_size)
		return -ENOMEM;
	if (flags & MAP_FIXED)
		return (long)addr;
	if (load_relaxed(&mm->flags) & 1ul << MMF_TOPDOWN)
		return top_down(mm, addr, len, flags);
	return bottom_up(mm, addr, len, flags);
}

/* Anonymous memory of whole large pages begins at one, where there is no wish. 0: no place like that. */
static uintptr_t unmapped_huge(struct mm_struct *mm, size_t len, unsigned long flags)
{
	uintptr_t size = (uintptr_t)1 << PGT_SHIFT(1), off;
	long at;

	if (is_32bit(mm) || len + size < len)
		return 0;
	at = unmapped(mm, 0, len + size, flags);
	if (is_error(at))
		return 0;
	off = (0 - (uintptr_t)at) & (size - 1);
	if (!off && load_relaxed(&mm->flags) & 1ul << MMF_TOPDOWN)
		return (uintptr_t)at + size;
	return (uintptr_t)at + off;
}

long get_unmapped_area(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long pgoff,
		       unsigned long flags)
{
	uintptr_t at = 0;
	long found;

	if (len > mm->task_size)
		return -ENOMEM;
	if (file && file->f_op->get_unmapped_area) {
		found = file->f_op->get_unmapped_area(file, addr, len, pgoff, flags);
	} else {
		if (!file && !addr && !(flags & (MAP_FIXED | MAP_SHARED)) &&
		    !(len & (((uintptr_t)1 << PGT_SHIFT(1)) - 1)))
			at = unmapped_huge(mm, len, flags);
		found = at ? (long)at : unmapped(mm, addr, len, flags);
	}
	if (is_error(found))
		return found;
	at = (uintptr_t)found;
	if (at > mm->task_size - len)
		return -ENOMEM;
	if (at & ~PAGE_MASK)
		return -EINVAL;
	if (at < READ_ONCE(mmap_min_addr) && !task_capable(this_task(), CAP_SYS_RAWIO))
		return -EPERM;
	return found;
}
