// SPDX-License-Identifier: MIT
/* Do address spaces keep their invariants? Each finding names the invariant. */
#include "../base/findings.h"
#include "../base/part.h"
#include "account.h"
#include "userfaultfd.h"

struct sums {
	unsigned long count, total, data, exec, stack, locked, accounted;
};

static void check_bounds(struct findings *f, const struct mm_struct *mm, const struct vm_area_struct *vma,
			 const struct vm_area_struct *prev)
{
	if (vma->vm_start >= vma->vm_end || (vma->vm_start | vma->vm_end) & ~PAGE_MASK || vma->vm_end > mm->task_size)
		finding(f, "VA-I1: mm %lu has a VMA of %zx-%zx", mm->ctx_id, (size_t)vma->vm_start,
			(size_t)vma->vm_end);
	if (vma->vm_prev != prev || (prev && (prev->vm_end > vma->vm_start || prev->vm_next != vma)))
		finding(f, "VA-I1: mm %lu: the VMA at %zx is out of order in the list", mm->ctx_id,
			(size_t)vma->vm_start);
	if (vma->vm_mm != mm || !(load_relaxed(&vma->vm_refs) & 0x7fffffffu))
		finding(f, "VA-I5: mm %lu: the VMA at %zx has vm_refs %x and is of mm %p", mm->ctx_id,
			(size_t)vma->vm_start, vma->vm_refs, (const void *)vma->vm_mm);
	if (!vma->uffd != !(vma->vm_flags & VM_UFFD_ANY) ||
	    (vma->uffd && ((const struct userfaultfd_ctx *)vma->uffd)->mm != mm))
		finding(f, "UF-I1: mm %lu: the VMA at %zx has flags %llx and the context %p", mm->ctx_id,
			(size_t)vma->vm_start, (unsigned long long)vma->vm_flags, vma->uffd);
}

static void check_rights(struct findings *f, const struct mm_struct *mm, const struct vm_area_struct *vma)
{
	vm_flags_t flags = vma->vm_flags & ~(vma_wants_writenotify(vma) ? VM_SHARED : 0);
	u32 cache = PGPROT_CACHE_MASK, want = vm_get_page_prot(flags).bits & ~cache;

	/* Drivers may make them what they like. */
	if (!(vma->vm_flags & VM_SPECIAL) && (vma->vm_page_prot.bits & ~cache) != want)
		finding(f, "VA-I8: mm %lu: the VMA at %zx has rights %x, its flags %llx want %x", mm->ctx_id,
			(size_t)vma->vm_start, vma->vm_page_prot.bits, (unsigned long long)vma->vm_flags, want);
}

static void add(struct sums *sum, const struct vm_area_struct *vma)
{
	unsigned long pages = vma_pages(vma);
	struct mm_struct one = { .total_vm = 0 };

	vm_stat_account(&one, vma->vm_flags, (long)pages);
	sum->count++;
	sum->total += one.total_vm;
	sum->data += one.data_vm;
	sum->exec += one.exec_vm;
	sum->stack += one.stack_vm;
	sum->locked += vma->vm_flags & VM_LOCKED ? pages : 0;
	sum->accounted += vma->vm_flags & VM_ACCOUNT ? pages : 0;
}

static void check_sums(struct findings *f, const struct mm_struct *mm, const struct sums *sum)
{
	if (sum->count != mm->map_count || sum->count != mm->vmas.count)
		finding(f, "VA-I1: mm %lu has %lu VMAs, map_count is %u, the tree has %lu", mm->ctx_id, sum->count,
			mm->map_count, mm->vmas.count);
	if (sum->total != mm->total_vm || sum->data != mm->data_vm || sum->exec != mm->exec_vm ||
	    sum->stack != mm->stack_vm || sum->locked != mm->locked_vm)
		finding(f,
			"VA-I3: mm %lu: total %lu data %lu exec %lu stack %lu locked %lu pages, it says %lu %lu %lu "
			"%lu %lu",
			mm->ctx_id, sum->total, sum->data, sum->exec, sum->stack, sum->locked, mm->total_vm,
			mm->data_vm, mm->exec_vm, mm->stack_vm, mm->locked_vm);
}

static void check_short_cuts(struct findings *f, struct mm_struct *mm)
{
	const struct vm_area_struct *vma = mm->recent, *prev;
	uintptr_t at = mm->top_full;

	if (vma && range_tree_load(&mm->vmas, vma->vm_start) != vma)
		finding(f, "VA-I9: mm %lu was at %zx last, where that VMA is not", mm->ctx_id, (size_t)vma->vm_start);
	for (; at < mm->mmap_base; at = prev->vm_end) {
		prev = range_tree_load(&mm->vmas, at);
		if (prev)
			continue;
		finding(f, "VA-I9: mm %lu: nothing is mapped at %zx, above top_full %zx", mm->ctx_id, (size_t)at,
			(size_t)mm->top_full);
		return;
	}
}

/* Return: pages that count against overcommit. */
static unsigned long verify_mm(struct findings *f, struct mm_struct *mm)
{
	const struct vm_area_struct *prev = NULL, *vma = find_vma(mm, 0);
	struct sums sum = { .count = 0 };
	unsigned int faults = range_tree_verify(&mm->vmas);
	struct range_entry e;
	uintptr_t from = 0;

	if (faults) {
		finding(f, "VA-I1: mm %lu: the tree of its VMAs is damaged in %u places", mm->ctx_id, faults);
		return 0;
	}
	for (; range_tree_next(&mm->vmas, from, &e); from = e.last + 1) {
		if (e.value != vma || e.start != vma->vm_start || e.last != vma->vm_end - 1) {
			finding(f, "VA-I1: mm %lu: the tree has %zx-%zx where the list has another VMA", mm->ctx_id,
				(size_t)e.start, (size_t)e.last);
			return sum.accounted;
		}
		check_bounds(f, mm, vma, prev);
		check_rights(f, mm, vma);
		add(&sum, vma);
		prev = vma;
		vma = vma->vm_next;
	}
	if (vma)
		finding(f, "VA-I1: mm %lu: the list goes on behind the tree, at %zx", mm->ctx_id,
			(size_t)vma->vm_start);
	check_sums(f, mm, &sum);
	check_short_cuts(f, mm);
	return sum.accounted;
}

static void verify(struct findings *f)
{
	unsigned long accounted = 0, committed = vm_committed_pages();

	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm))
		if (mm->vmas.ops)
			accounted += verify_mm(f, mm);
	/* Files in memory have their share, too. */
	if (committed < accounted)
		finding(f, "VA-I4: %lu pages are committed, the address spaces have %lu", committed, accounted);
}

MM_PART(vma_verify, .order = MM_PART_VM, .verify = verify);
