// SPDX-License-Identifier: MIT
/*
 * SE-I2 (mm/vm/swap_fault.c) while nobody is at work: slots that are counted, against the entries that lead there.
 *
 * Without a count for each slot: an entry adds one part in its slot's count, so a slot whose count is right comes to 1,
 * and the sum is the number of slots that anybody holds. An entry in a table that n share is n times one part in n.
 */
#include "../base/findings.h"
#include "../base/part.h"
#include "../swap/area.h"
#include "../vm/share.h"
#include "filemap.h"
#include "shmem.h"

#define WHOLE ((u64)1 << 40)

struct parts {
	struct findings *f;
	unsigned long ctx_id; /* of the address space; 0: a file */
	u64 sum;
	unsigned long entries;
};

static void add(struct parts *p, swp_entry_t slot, unsigned int sharers, unsigned long at)
{
	int count = swap_count(slot);

	if (count < 1) {
		finding(p->f, "SE-I2: slot %lu of area %u, which %#lx of %s %lu leads to, has no count",
			swp_offset(slot), swp_type(slot), at, p->ctx_id ? "address space" : "inode", p->ctx_id);
		return;
	}
	p->sum += WHOLE / ((u64)(unsigned int)count * sharers);
	p->entries++;
}

static int look_at_entry(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	pgt_entry_t e = pgt_get(entry);
	swp_entry_t slot = pte_to_swp_entry(__pte(e));
	struct parts *p = ctx;

	(void)last;
	if (level || !pgt_is_swap(e) || non_swap_entry(slot))
		return 0;
	add(p, slot, table_sharers(table_page(entry)), (unsigned long)start);
	if (pgt_swap_exclusive(e) && swap_count(slot) != 1)
		finding(p->f,
			"SE-I1: slot %lu of area %u is not only that of %#lx of address space %lu: its count is %d",
			swp_offset(slot), swp_type(slot), (unsigned long)start, p->ctx_id, swap_count(slot));
	return 0;
}

static void add_mappings(struct parts *p)
{
	static const struct pgt_walk_ops ops = { .leaf = look_at_entry };

	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm)) {
		p->ctx_id = mm->ctx_id;
		for (struct vm_area_struct *vma = mm->made ? find_vma(mm, 0) : NULL; vma; vma = vma_next(vma))
			(void)pgt_walk(mm, vma->vm_start, vma->vm_end - vma->vm_start, &ops, p);
	}
	p->ctx_id = 0;
}

static void add_files(struct parts *p)
{
	for (struct address_space *mapping = all_mappings.first; mapping; mapping = mapping->all_next) {
		unsigned long at = 0;
		void *entry;

		if (!mapping_flag(mapping, AS_SWAP))
			continue;
		for (; (entry = xa_find(&mapping->i_pages, &at, FILE_INDEX_MAX)); at++)
			if (xa_is_value(entry) && !non_swap_entry((swp_entry_t){ xa_to_value(entry) }))
				add(p, (swp_entry_t){ xa_to_value(entry) }, 1, at);
	}
}

static unsigned long slots_held(void)
{
	unsigned long held = 0;

	for (unsigned int type = 0; type < MAX_SWAPFILES; type++)
		for (unsigned long slot = 0; swap_areas[type] && slot < swap_areas[type]->max; slot++)
			held += swap_count(swp_entry(type, slot)) > 0;
	return held;
}

static void verify(struct findings *f)
{
	struct parts p = { .f = f };
	unsigned long held, led_to;

	if (!pgtables_on)
		return;
	add_mappings(&p);
	add_files(&p);
	held = slots_held();
	led_to = (unsigned long)((p.sum + p.entries) / WHOLE);
	if (led_to != held)
		finding(f, "SE-I2: %lu entries lead to %lu slots by their counts, but %lu are counted",
			p.entries, led_to, held);
}

MM_PART(swap_entries_verify, .order = MM_PART_FILES, .verify = verify);
