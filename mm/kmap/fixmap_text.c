// SPDX-License-Identifier: MIT
/* Whose slot an address of the fixmap or of kmap()'s area is in, for reports of page faults. Takes no lock. */
#include <octavo/page.h>

#include "../base/printk.h"
#include "../sync/cpu.h"
#include "fixmap.h"

static const char *permanent_name(unsigned int slot)
{
	static const struct {
		unsigned int last;
		const char *name;
	} names[] = {
		{ FIX_HOLE, "no slot" },	       { FIX_DBGP_BASE, "debug port" },
		{ FIX_EARLYCON_MEM_BASE, "console" },  { FIX_APIC_BASE, "local APIC" },
		{ FIX_IO_APIC_BASE_END, "I/O APIC" },  { FIX_TEXT_POKE1, "text patching" },
		{ FIX_PORT_END, "the port's" },
	};
	unsigned int i = 0;

	while (slot > names[i].last)
		i++;
	return names[i].name;
}

octavo_static_assert(FIX_PORT_END + 1 == __end_of_permanent_fixed_addresses, "every permanent slot has a name");

static void describe_kmap_slot(uintptr_t virt, unsigned int n, struct area_description *d)
{
	unsigned long pfn;
	int count = pkmap_look(n, &pfn);

	d->start = virt & PAGE_MASK;
	d->end = d->start + PAGE_SIZE;
	d->place = count > 0 ? PLACE_INSIDE : PLACE_HOLE;
	if (count > 0)
		octavo_snprintf(d->text, sizeof(d->text), "in kmap() slot %u, which shows frame %#lx%s", n, pfn,
				count > 1 ? "" : " and nobody uses");
	else
		octavo_snprintf(d->text, sizeof(d->text), "in kmap() slot %u, which is free", n);
}

static void describe_local_slot(unsigned int slot, struct area_description *d)
{
	unsigned int cpu = (slot - fix_kmap_begin()) / KM_MAX_IDX, n = (slot - fix_kmap_begin()) % KM_MAX_IDX;
	bool open = cpu < nr_cpu_ids && n < kmap_local_open(cpu);

	d->place = open ? PLACE_INSIDE : PLACE_HOLE;
	octavo_snprintf(d->text, sizeof(d->text), "in the fixmap: kmap_local slot %u of CPU %u, which is %s", n, cpu,
			open ? "open" : "not open");
}

static void describe_early(unsigned int slot, struct area_description *d)
{
	unsigned int place = (FIX_BTMAP_BEGIN - slot) / NR_FIX_BTMAPS;

	octavo_snprintf(d->text, sizeof(d->text), "in the fixmap: early_ioremap slot %u, page %u", place,
			(FIX_BTMAP_BEGIN - slot) % NR_FIX_BTMAPS);
}

static bool describe_fixmap(uintptr_t virt, struct area_description *d)
{
	unsigned int slot = (unsigned int)((kernel_areas[AREA_FIXMAP].end - (virt & PAGE_MASK)) >> PAGE_SHIFT);
	pgt_entry_t *entry;

	if (slot >= FIX_PKMAP_END && slot <= FIX_PKMAP_BEGIN && pkmap_in_fixmap()) {
		describe_kmap_slot(virt, FIX_PKMAP_BEGIN - slot, d);
		return true;
	}
	if (slot >= __end_of_fixed_addresses && slot - fix_kmap_begin() >= KM_MAX_IDX * nr_cpu_ids)
		return false;
	d->start = virt & PAGE_MASK;
	d->end = d->start + PAGE_SIZE;
	entry = kmap_entry(virt);
	d->place = entry && !pgt_none(pgt_get(entry)) ? PLACE_INSIDE : PLACE_HOLE;
	if (slot >= fix_kmap_begin())
		describe_local_slot(slot, d);
	else if (slot >= FIX_BTMAP_END)
		describe_early(slot, d);
	else
		octavo_snprintf(d->text, sizeof(d->text), "in the fixmap: slot %u, %s", slot, permanent_name(slot));
	return true;
}

static bool describe_pkmap(uintptr_t virt, struct area_description *d)
{
	describe_kmap_slot(virt, (unsigned int)((virt - kernel_areas[AREA_PKMAP].start) >> PAGE_SHIFT), d);
	return true;
}

void fixmap_text_init(void)
{
	register_area_describer(AREA_FIXMAP, describe_fixmap);
	register_area_describer(AREA_PKMAP, describe_pkmap);
}
