// SPDX-License-Identifier: MIT
/*
 * Fixed mappings.
 *
 * Purpose
 *	Addresses that are constants, for what must be reached when nothing can be allocated: device registers of the
 *	port, tables of firmware while booting, and pages of high memory for the moment.
 *
 * Words
 *	slot: one page of the fixmap area, numbered from the area's end down, so that adding slots moves none.
 *	permanent slots belong to somebody by name; boot slots are early_ioremap's; those of kmap_local_page() are
 *	KM_MAX_IDX for each CPU.
 *
 * Structures
 *
 *	lower addresses                                                        area's end
 *	 ... | CPU 1: 15 .. 0 | CPU 0: 15 .. 0 | (pkmap) | 8 x 64 boot slots | permanent | FIX_HOLE
 *	       <- fix_kmap_begin() + 16 * CPU            <- FIX_BTMAP_BEGIN .. END
 *
 *	All last-level tables of the area are made at boot, so that no slot ever needs memory. A CPU's 16 slots begin at
 *	a multiple of 16 pages, so that their entries lie side by side in one table and one pointer finds them.
 *	(pkmap): where the format has no area for kmap(), because its machines have no high memory, but the machine
 *	that is booted has some, its slots are here.
 *
 * Invariants
 *	KM-I1  a slot's entry is none or leads to the page that was put there last; FIX_HOLE has none.
 *	KM-I2  of a CPU's kmap_local slots those below its count are mapped, the others none.
 *	KM-I3  a slot of kmap() that is free has no entry, and no TLB knows one.
 *	KM-I4  a page has at most one slot of kmap(), and is found by its address exactly while the slot maps it.
 *
 * Locking
 *	A permanent slot is its owner's. Boot slots are the boot CPU's. kmap_local slots are their CPU's (interrupts
 *	nest). kmap()'s have a lock: kmap.c.
 *
 * Memory use and bounds
 *	One table for 512 (1024) slots: 3 or 4 up to 30 CPUs, and one more for every 32 (64).
 *
 * Differences from Linux
 *	Which permanent slots there are. fix_to_virt() is a function, for the area's place is known at run time only. A
 *	slot of somebody else's is refused.
 */
#include "fixmap.h"

#include <octavo/gfp.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/highmem.h"
#include "../phys/page_report.h"
#include "../sync/cpu.h"

bool fixmap_ready __memsys;

octavo_static_assert(FIX_BTMAP_BEGIN - FIX_BTMAP_END + 1 == NR_FIX_BTMAPS * FIX_BTMAPS_SLOTS,
		     "boot slots are side by side");
octavo_static_assert(FIX_PKMAP_BEGIN + 1 + KM_MAX_IDX <= 1024, "what areas.c sets aside beside the CPUs' slots");

unsigned int fix_kmap_begin(void)
{
	unsigned long last_page = kernel_areas[AREA_FIXMAP].end >> PAGE_SHIFT;
	unsigned int begin = FIX_PKMAP_BEGIN + 1;

	/* The lowest address of CPU 0's, begin + 15 pages below the end, is a multiple of 16 pages. */
	return begin + (unsigned int)((last_page - (begin + KM_MAX_IDX - 1)) % KM_MAX_IDX);
}

/* ---- Entries ---- */

pgt_entry_t *kmap_entry(uintptr_t virt)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(&init_mm, virt, &level);

	return entry && !level ? entry : NULL;
}

int kmap_make_tables(uintptr_t start, uintptr_t end)
{
	uintptr_t step = (uintptr_t)PGT_SIZE(1), virt = start & ~(step - 1);

	for (u64 left = ALIGN((u64)(end - virt), (u64)step); left; left -= step, virt += step) {
		if (!pgt_entry_alloc(&init_mm, virt, 0, GFP_KERNEL | __GFP_NOWARN))
			return -ENOMEM;
	}
	return 0;
}

bool kmap_flush(uintptr_t start, uintptr_t end)
{
	if (num_online_cpus() > 1)
		return flush_tlb_kernel_range(start, end);
	flush_tlb_kernel_local(start, end);
	return true;
}

/* ---- Slots ---- */

static bool is_slot(unsigned int slot)
{
	return fixmap_ready && slot > FIX_HOLE &&
	       slot <= (kernel_areas[AREA_FIXMAP].end - kernel_areas[AREA_FIXMAP].start) >> PAGE_SHIFT;
}

unsigned long fix_to_virt(unsigned int slot)
{
	if (likely(is_slot(slot)))
		return (unsigned long)area_pointer(AREA_FIXMAP, fixmap_virt(slot));
	pr_err("BUG: fix_to_virt(%u): %s\n", slot, fixmap_ready ? "there is no such slot" : "there is no fixmap");
	dump_stack();
	return 0;
}

unsigned int virt_to_fix(unsigned long virt)
{
	uintptr_t addr = area_virt(AREA_FIXMAP, (void *)virt);

	if (likely(fixmap_ready && area_has(AREA_FIXMAP, addr)))
		return (unsigned int)((kernel_areas[AREA_FIXMAP].end - (addr & PAGE_MASK)) >> PAGE_SHIFT);
	pr_err("BUG: virt_to_fix(%#lx): not in the fixmap\n", virt);
	dump_stack();
	return ~0u;
}

static int change_slot(unsigned int slot, pgt_entry_t value, const char *caller)
{
	uintptr_t virt = fixmap_virt(slot);
	pgt_entry_t *entry;

	if (!is_slot(slot) || slot >= __end_of_permanent_fixed_addresses) {
		pr_err("BUG: %s: %s %u\n", caller, is_slot(slot) ? "not for this use, slot" : "no such slot:", slot);
		dump_stack();
		return -EINVAL;
	}
	entry = kmap_entry(virt);
	/* By way of none, as some formats want it; all must forget what was there. */
	if (!pgt_none(pgt_get(entry))) {
		pgt_set(entry, 0);
		if (!kmap_flush(virt, virt + PAGE_SIZE))
			return -ENOSYS;
	}
	pgt_set(entry, value);
	return 0;
}

int __set_fixmap(enum fixed_addresses slot, phys_addr_t phys, pgprot_t prot)
{
	return change_slot(slot, fixmap_ready ? kmap_leaf(phys & ~(phys_addr_t)~PAGE_MASK, prot) : 0, "set_fixmap");
}

int clear_fixmap(enum fixed_addresses slot)
{
	return change_slot(slot, 0, "clear_fixmap");
}

unsigned long set_fixmap_offset(enum fixed_addresses slot, phys_addr_t phys)
{
	return set_fixmap(slot, phys) ? 0 : fix_to_virt(slot) + (unsigned long)(phys & ~PAGE_MASK);
}

/* ---- Start ---- */

/* The lowest slot that is wanted: that of the last CPU there is room for. */
static uintptr_t lowest_slot(void)
{
	uintptr_t all = (uintptr_t)(fix_kmap_begin() + KM_MAX_IDX * nr_cpu_ids - 1) << PAGE_SHIFT;
	const struct kernel_area *area = &kernel_areas[AREA_FIXMAP];

	return area->end - min(all, area->end - area->start);
}

static int fixmap_early(const struct bootinfo *info)
{
	int err;

	if (!info->page_tables || !pgtables_on || kernel_areas[AREA_FIXMAP].start == kernel_areas[AREA_FIXMAP].end)
		return 0;
	err = kmap_make_tables(lowest_slot(), kernel_areas[AREA_FIXMAP].end);
	fixmap_ready = !err;
	if (!err)
		err = early_ioremap_init();
	if (!err)
		err = kmap_local_init();
	if (!err)
		err = pkmap_init();
	fixmap_text_init();
	if (err)
		pr_err("fixmap: no memory for page tables and slots\n");
	return err;
}

/* ---- Check ---- */

static void fixmap_verify(struct findings *f)
{
	if (!fixmap_ready)
		return;
	for (unsigned int slot = FIX_HOLE + 1; slot < __end_of_permanent_fixed_addresses; slot++) {
		pgt_entry_t *entry = kmap_entry(fixmap_virt(slot));

		if (!entry)
			finding(f, "fixmap slot %u has no table", slot);
		else if (!pgt_none(pgt_get(entry)) && !pgt_leaf(0, pgt_get(entry)))
			finding(f, "fixmap slot %u: entry %#llx", slot, (unsigned long long)pgt_get(entry));
	}
	kmap_local_verify(f);
	pkmap_verify(f);
}

MM_PART(fixmap, .order = MM_PART_KMAP, .early = fixmap_early, .boot_end = early_ioremap_leaks, .verify = fixmap_verify);
