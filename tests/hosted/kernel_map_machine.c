// SPDX-License-Identifier: MIT
#include "kernel_map_machine.h"

#include "harness.h"

static char found[16][256];
static unsigned int found_nr;

static void keep(void *ctx, const char *line)
{
	(void)ctx;
	if (found_nr < ARRAY_SIZE(found))
		strscpy(found[found_nr], line, sizeof(found[0]));
	found_nr++;
}

unsigned int machine_findings(void)
{
	struct findings f = { .report = keep };

	found_nr = 0;
	return kernel_map_verify(&f);
}

void machine_expect_sound(void)
{
	if (machine_findings())
		test_fail(__FILE__, __LINE__, "%u findings, first: %s", found_nr, found[0]);
}

void machine_expect_finding(const char *what)
{
	unsigned int n = machine_findings();

	for (unsigned int i = 0; i < min(n, (unsigned int)ARRAY_SIZE(found)); i++)
		if (strstr(found[i], what))
			return;
	test_fail(__FILE__, __LINE__, "no finding of %s; %u others, first: %s", what, n, n ? found[0] : "");
}

void machine_add_image(struct bootinfo *info)
{
	info->image_offset = PGT_VIRT_BITS == 32 ? 0xc0000000u :
			     PGT_TWO_ROOTS ? (uintptr_t)0xffff800040000000ull : (uintptr_t)0xffffffff80000000ull;
	info->kernel_text = (struct bootinfo_span){ IMAGE_TEXT_AT, 2 * MIB };
	info->kernel_rodata = (struct bootinfo_span){ IMAGE_RODATA_AT, MIB - PAGE_SIZE };
	info->kernel_data = (struct bootinfo_span){ IMAGE_DATA_AT, MIB + 100 };
	info->kernel_bss = (struct bootinfo_span){ IMAGE_BSS_AT, MIB };
	info->kernel_init = (struct bootinfo_span){ IMAGE_INIT_AT, 5 * PAGE_SIZE };
}

int machine_boot(struct bootinfo info, u32 features)
{
	static const struct hosted_options quiet = { .quiet = true };

	info.page_tables = true;
	info.mmu_features = features;
	info.asids = info.asids ? info.asids : 8;
	return hosted_boot(&info, &quiet);
}

int machine_boot_image(void)
{
	struct bootinfo info = *hosted_default_machine();

	machine_add_image(&info);
	return machine_boot(info, ALL_FEATURES);
}

uintptr_t machine_direct(phys_addr_t phys)
{
	return kernel_areas[AREA_DIRECT].start + (uintptr_t)phys;
}

uintptr_t machine_image(phys_addr_t phys)
{
	return kernel_image.offset + (uintptr_t)phys;
}

pgt_entry_t machine_leaf(uintptr_t virt, unsigned int *level)
{
	pgt_entry_t *entry = pgt_lookup(&init_mm, virt, level);
	pgt_entry_t e = entry ? pgt_get(entry) : 0;

	return entry && pgt_leaf(*level, e) ? e : 0;
}

u32 machine_rights(uintptr_t virt)
{
	unsigned int level;
	pgt_entry_t e = machine_leaf(virt, &level);
	u32 bits = e ? pgt_prot(level, e).bits : 0;

	return bits & PGPROT_READ ? bits & (PGPROT_READ | PGPROT_WRITE | PGPROT_EXEC) : 0;
}
