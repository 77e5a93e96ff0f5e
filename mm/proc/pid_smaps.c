// SPDX-License-Identifier: MIT
/*
 * What a mapping's pages come to: the sizes of smaps and smaps_rollup.
 *
 * The proportional share of a page that n entries map is PAGE_SIZE / n, kept with 12 bits behind the point: of a
 * million pages the error is below a KiB in four.
 */
#include <octavo/page.h>

#include "../cache/shmem.h"
#include "../swap/swap.h"
#include "pid.h"

/* ---- The walk ---- */

static void walk_table(struct pid_entry *e, pgt_entry_t *entry, uintptr_t end, pid_entry_fn fn, void *ctx)
{
	for (; e->addr < end; e->addr += PAGE_SIZE, entry++) {
		e->e = pgt_get(entry);
		e->entry = entry;
		if (!pgt_none(e->e))
			fn(ctx, e);
	}
}

void pid_walk(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, pid_entry_fn fn, void *ctx)
{
	struct pid_entry e = { .vma = vma };

	while (start < end) {
		uintptr_t next = min((start | (uintptr_t)~PGT_MASK(1)) + 1, end);
		spinlock_t *lock;
		bool shared;
		pgt_entry_t *entry;

		next = next > start ? next : end; /* the last table of all */
		entry = vm_entry_find(vma->vm_mm, start, &lock, &shared);
		if (entry) {
			e.addr = start;
			e.sharers = shared ? (unsigned int)page_ref_count(virt_to_page(entry)) : 1;
			walk_table(&e, entry, next, fn, ctx);
			spin_unlock(lock);
		}
		start = next;
	}
}

/* ---- Sizes ---- */

static void share(struct pid_sizes *sizes, enum pid_share kind, const struct pid_entry *e, u64 pss, bool dirty)
{
	sizes->pss[PSS_ALL] += pss;
	sizes->pss[kind] += pss;
	if (dirty)
		sizes->pss[PSS_DIRTY] += pss;
	if (e->vma->vm_flags & VM_LOCKED)
		sizes->pss[PSS_LOCKED] += pss;
}

static void size_page(struct pid_sizes *sizes, const struct pid_entry *e, struct page *page)
{
	struct page *head = compound_head(page);
	unsigned int mappings = entry_mappers(e->entry, page);
	bool anon = page_is_anon(head), dirty = pgt_dirty(0, e->e) || PageDirty(head);
	enum pid_share kind = anon ? PSS_ANON : PageSwapBacked(head) ? PSS_SHMEM : PSS_FILE;

	sizes->bytes[SIZE_RSS] += PAGE_SIZE;
	if (anon)
		sizes->bytes[SIZE_ANONYMOUS] += PAGE_SIZE;
	if (anon && !PageSwapBacked(head) && !dirty)
		sizes->bytes[SIZE_LAZYFREE] += PAGE_SIZE;
	if (pgt_young(0, e->e) || PageReferenced(head))
		sizes->bytes[SIZE_REFERENCED] += PAGE_SIZE;
	if (mappings > 1)
		sizes->bytes[dirty ? SIZE_SHARED_DIRTY : SIZE_SHARED_CLEAN] += PAGE_SIZE;
	else
		sizes->bytes[dirty ? SIZE_PRIVATE_DIRTY : SIZE_PRIVATE_CLEAN] += PAGE_SIZE;
	share(sizes, kind, e, ((u64)PAGE_SIZE << PSS_SHIFT) / mappings, dirty);
}

static void size_swapped(struct pid_sizes *sizes, const struct pid_entry *e, swp_entry_t slot)
{
	/* A table that is shared counts once with the slot. */
	unsigned int mappings = max((unsigned int)swap_count(slot), 1u) - 1 + e->sharers;

	sizes->bytes[SIZE_SWAP] += PAGE_SIZE;
	sizes->pss[PSS_SWAP] += ((u64)PAGE_SIZE << PSS_SHIFT) / mappings;
}

/* A private mapping of shmem has a copy where the file's page is swapped out, or it shows what is not in the file. */
static bool hides_swapped(const struct vm_area_struct *vma, uintptr_t addr)
{
	return !(vma->vm_flags & VM_SHARED) && vma->vm_file &&
	       shmem_swap_usage(vma->vm_file, linear_page_index(vma, addr), 1);
}

static void size_entry(void *ctx, const struct pid_entry *e)
{
	swp_entry_t swap = pte_to_swp_entry(__pte(e->e));
	struct pid_sizes *sizes = ctx;
	struct page *page;

	if (hides_swapped(e->vma, e->addr))
		sizes->bytes[SIZE_SWAP] -= PAGE_SIZE;
	if (pgt_present(e->e)) {
		page = vm_normal_page(e->vma, e->addr, e->e);
		if (page)
			size_page(sizes, e, page);
	} else if (pgt_is_swap(e->e) && !non_swap_entry(swap)) {
		size_swapped(sizes, e, swap);
	}
}

void pid_sizes_add(struct pid_sizes *sizes, struct vm_area_struct *vma, uintptr_t start)
{
	/* What is swapped out of a shmem file has no entry. */
	if (vma->vm_file)
		sizes->bytes[SIZE_SWAP] += shmem_swap_usage(vma->vm_file, linear_page_index(vma, start),
							    (vma->vm_end - start) >> PAGE_SHIFT) << PAGE_SHIFT;
	pid_walk(vma, start, vma->vm_end, size_entry, sizes);
}

/* ---- Text ---- */

/* The label takes 16 columns, the number ends in column 24. */
static void line(struct seq_file *m, const char *label, u64 bytes)
{
	seq_printf(m, "%-16s%8llu kB\n", label, (unsigned long long)(bytes >> 10));
}

static void line_pss(struct seq_file *m, const char *label, u64 pss)
{
	line(m, label, pss >> PSS_SHIFT);
}

void pid_sizes_show(struct seq_file *m, const struct pid_sizes *s, bool rollup)
{
	line(m, "Rss:", s->bytes[SIZE_RSS]);
	line_pss(m, "Pss:", s->pss[PSS_ALL]);
	line_pss(m, "Pss_Dirty:", s->pss[PSS_DIRTY]);
	if (rollup) {
		line_pss(m, "Pss_Anon:", s->pss[PSS_ANON]);
		line_pss(m, "Pss_File:", s->pss[PSS_FILE]);
		line_pss(m, "Pss_Shmem:", s->pss[PSS_SHMEM]);
	}
	line(m, "Shared_Clean:", s->bytes[SIZE_SHARED_CLEAN]);
	line(m, "Shared_Dirty:", s->bytes[SIZE_SHARED_DIRTY]);
	line(m, "Private_Clean:", s->bytes[SIZE_PRIVATE_CLEAN]);
	line(m, "Private_Dirty:", s->bytes[SIZE_PRIVATE_DIRTY]);
	line(m, "Referenced:", s->bytes[SIZE_REFERENCED]);
	line(m, "Anonymous:", s->bytes[SIZE_ANONYMOUS]);
	line(m, "KSM:", 0);
	line(m, "LazyFree:", s->bytes[SIZE_LAZYFREE]);
	line(m, "AnonHugePages:", 0);
	line(m, "ShmemPmdMapped:", 0);
	line(m, "FilePmdMapped:", 0);
	line(m, "Shared_Hugetlb:", 0);
	line(m, "Private_Hugetlb:", 0);
	line(m, "Swap:", s->bytes[SIZE_SWAP]);
	line_pss(m, "SwapPss:", s->pss[PSS_SWAP]);
	line_pss(m, "Locked:", s->pss[PSS_LOCKED]);
}

/* Two letters a bit, in the order of the bits; "": not shown. */
static const char flag_names[64][3] = {
	"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "??", "uw", "lo", "io", "sr",
	"rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "mm", "hg", "nh", "mg",
	"",   "",   "",	  "",	"??", "??", "ui", "??", "dp", "??", "??", "??", "??", "??", "??", "??",
	"??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "??", "sl",
};

/* Protection keys are shown where the processor has them. */
static bool has_pkeys(void)
{
	pgt_entry_t without = pgt_make_leaf(0, 0, octavo_pgprot(PGPROT_USER_BITS));
	pgt_entry_t with = pgt_make_leaf(0, 0, octavo_pgprot(PGPROT_USER_BITS | PGPROT_PKEY_MASK));

	return (with & ~without & pgt_supported) != 0;
}

void pid_smaps_show(struct seq_file *m, const struct pid_vma *v, const struct pid_sizes *sizes)
{
	line(m, "Size:", v->end - v->start);
	line(m, "KernelPageSize:", v->page_size);
	line(m, "MMUPageSize:", v->page_size);
	pid_sizes_show(m, sizes, false);
	seq_printf(m, "%-16s%8u\n", "THPeligible:", 0u);
	if (has_pkeys())
		seq_printf(m, "%-16s%8u\n", "ProtectionKey:",
			   (unsigned int)((v->flags & VM_PKEY_MASK) >> VM_PKEY_SHIFT));
	seq_puts(m, "VmFlags: ");
	for (unsigned int bit = 0; bit < 64; bit++)
		if (v->flags >> bit & 1 && flag_names[bit][0])
			seq_printf(m, "%s ", flag_names[bit]);
	seq_puts(m, "\n");
}
