// SPDX-License-Identifier: MIT
/*
 * Dumping the kernel's page tables, in the columns of Linux on x86 and on arm64 (Documentation/arch/arm64/ptdump.rst):
 * neighbours that say the same are one line.
 */
#include "ptdump.h"

#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "fault.h"

#define ADDRESS_DIGITS (2 * (int)sizeof(uintptr_t))
#define MARKERS_MAX 16u
#define NO_LEVEL (~0u)

struct marker {
	uintptr_t start;
	const char *text;
};

/* What has been seen and is not told yet: [start, next) at @level with @prot. */
struct dump {
	ptdump_line_fn put;
	void *ctx;
	struct marker markers[MARKERS_MAX];
	unsigned int markers_nr, told; /* how many were told of */
	uintptr_t start, next;
	unsigned int level; /* NO_LEVEL: nothing seen yet */
	bool leaf;
	u32 prot; /* of a leaf */
};

/* ---- Columns ---- */

static void attributes_x86(char *text, size_t size, unsigned int level, u32 prot)
{
	enum page_cache_mode mode = pgprot_cache_mode(octavo_pgprot(prot));
	bool pwt = mode == PAGE_CACHE_WC || mode == PAGE_CACHE_UC || mode == PAGE_CACHE_WP || mode == PAGE_CACHE_WT;
	bool pcd = mode == PAGE_CACHE_UC_MINUS || mode == PAGE_CACHE_UC || mode == PAGE_CACHE_WT;
	bool pat = mode == PAGE_CACHE_WP || mode == PAGE_CACHE_WT;

	if (!(prot & PGPROT_READ)) {
		octavo_snprintf(text, size, "%30s", "");
		return;
	}
	octavo_snprintf(text, size, "%-4s%-3s%-4s%-4s%-4s%-4s%-4s%-3s", prot & PGPROT_USER ? "USR" : "",
			prot & PGPROT_WRITE ? "RW" : "ro", pwt ? "PWT" : "", pcd ? "PCD" : "", level ? "PSE" : "",
			pat ? "PAT" : "", prot & PGPROT_GLOBAL ? "GLB" : "", prot & PGPROT_EXEC ? "x" : "NX");
}

static const char *memory_type_arm64(enum page_cache_mode mode)
{
	switch (mode) {
	case PAGE_CACHE_UC:
		return "DEVICE/nGnRnE";
	case PAGE_CACHE_UC_MINUS:
		return "DEVICE/nGnRE";
	case PAGE_CACHE_WC:
		return "MEM/NORMAL-NC";
	case PAGE_CACHE_WB:
	case PAGE_CACHE_WT:
	case PAGE_CACHE_WP:
		break;
	}
	return "MEM/NORMAL";
}

static void attributes_arm64(char *text, size_t size, unsigned int level, u32 prot)
{
	enum page_cache_mode mode = pgprot_cache_mode(octavo_pgprot(prot));
	bool memory = mode != PAGE_CACHE_UC && mode != PAGE_CACHE_UC_MINUS;

	octavo_snprintf(text, size, " %s %-3s %s %-2s %-3s %-2s %-2s %-3s %-3s %-3s    %s",
			prot & PGPROT_READ ? " " : "F", prot & PGPROT_USER ? "USR" : "",
			prot & PGPROT_WRITE ? "RW" : "ro", prot & PGPROT_EXEC ? "x" : "NX", memory ? "SHD" : "",
			prot & PGPROT_ACCESSED ? "AF" : "", prot & PGPROT_GLOBAL ? "" : "NG",
			prot & PGPROT_CONT ? "CON" : "", level ? "BLK" : "",
			prot & PGPROT_EXEC && prot & PGPROT_USER ? "" : "UXN", memory_type_arm64(mode));
}

static const char *level_name(unsigned int level, bool leaf)
{
	static const char *const x86[] = { "pte", "pmd", "pud", "p4d", "pgd" };
	static const char *const arm64[] = { "PTE", "PMD", "PUD", "P4D", "PGD" };

	/* What is missing in the root is missing in the pgd, however many levels are folded below it. */
	if (!leaf && level == PGT_ROOT_LEVEL)
		level = 4;
	return PGT_TWO_ROOTS ? arm64[level] : x86[level];
}

static void print_stretch(struct dump *d)
{
	static const char units[] = "BKMGTPE";
	const char *unit = units;
	u64 size = (u64)(uintptr_t)(d->next - d->start);
	char attributes[96] = "", line[192];

	if (d->level == NO_LEVEL || d->start == d->next)
		return;
	for (; !(size & 1023) && unit[1]; unit++)
		size >>= 10;
	if (PGT_TWO_ROOTS && d->leaf)
		attributes_arm64(attributes, sizeof(attributes), d->level, d->prot);
	else if (!PGT_TWO_ROOTS)
		attributes_x86(attributes, sizeof(attributes), d->level, d->leaf ? d->prot : 0);
	octavo_snprintf(line, sizeof(line), "0x%0*lx-0x%0*lx   %9llu%c %s%s", ADDRESS_DIGITS, (unsigned long)d->start,
			ADDRESS_DIGITS, (unsigned long)d->next, (unsigned long long)size, *unit,
			PGT_TWO_ROOTS ? level_name(d->level, d->leaf) : attributes,
			PGT_TWO_ROOTS ? attributes : level_name(d->level, d->leaf));
	d->put(d->ctx, line);
}

/* ---- Going through ---- */

static void print_markers_up_to(struct dump *d, uintptr_t at)
{
	char line[64];

	for (; d->told < d->markers_nr && d->markers[d->told].start <= at; d->told++) {
		octavo_snprintf(line, sizeof(line), "---[ %s ]---", d->markers[d->told].text);
		d->put(d->ctx, line);
	}
}

/* [start, last] is of this kind: more of the same, or the end of what came before. */
static void see(struct dump *d, unsigned int level, bool leaf, u32 prot, uintptr_t start, uintptr_t last)
{
	while (true) {
		bool marker = d->told < d->markers_nr && d->markers[d->told].start <= start;
		uintptr_t stop = last;

		if (marker || d->level != level || d->leaf != leaf || d->prot != prot || d->next != start) {
			print_stretch(d);
			d->start = start;
			d->level = level;
			d->leaf = leaf;
			d->prot = prot;
		}
		print_markers_up_to(d, start);
		if (d->told < d->markers_nr && d->markers[d->told].start <= last)
			stop = d->markers[d->told].start - 1;
		d->next = stop + 1;
		if (stop == last)
			return;
		start = d->next;
	}
}

/* Accessed and dirty bits come and go: they are no difference. arm64's access flag does not. */
#define PROT_SHOWN                                                                                                \
	(PGPROT_READ | PGPROT_WRITE | PGPROT_EXEC | PGPROT_USER | PGPROT_GLOBAL | PGPROT_CACHE_MASK | PGPROT_CONT | \
	 (PGT_TWO_ROOTS ? PGPROT_ACCESSED : 0))

static int see_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	pgt_entry_t e = pgt_get(entry);

	see(ctx, level, pgt_leaf(level, e), pgt_leaf(level, e) ? pgt_prot(level, e).bits & PROT_SHOWN : 0, start, last);
	return 0;
}

static int see_hole(void *ctx, unsigned int level, uintptr_t start, uintptr_t last)
{
	see(ctx, level, false, 0, start, last);
	return 0;
}

static void add_marker(struct dump *d, uintptr_t start, const char *text)
{
	unsigned int at = d->markers_nr++;

	/* In address order. */
	for (; at && d->markers[at - 1].start > start; at--)
		d->markers[at] = d->markers[at - 1];
	d->markers[at] = (struct marker){ start, text };
}

/* Linux's names; of arm64 each area has an end, too. */
static void add_markers(struct dump *d)
{
	static const struct {
		enum kernel_area_id id;
		const char *start, *end;
	} arm64[] = {
		{ AREA_DIRECT, "Linear Mapping start", "Linear Mapping end" },
		{ AREA_VMALLOC, "vmalloc() area", "vmalloc() end" },
		{ AREA_FIXMAP, "Fixmap start", "Fixmap end" },
		{ AREA_VMEMMAP, "vmemmap start", "vmemmap end" },
		{ AREA_IMAGE, "Kernel image start", "Kernel image end" },
	};

	if (!PGT_TWO_ROOTS) {
		add_marker(d, 0, "User Space");
		if (PGT_VIRT_BITS != 32)
			add_marker(d, kernel_half_start(), "Kernel Space");
		else
			add_marker(d, kernel_areas[AREA_VMALLOC].end, "vmalloc() End");
		for (unsigned int i = 0; i < AREAS; i++)
			if (kernel_areas[i].start != kernel_areas[i].end)
				add_marker(d, kernel_areas[i].start, kernel_areas[i].name);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(arm64); i++) {
		const struct kernel_area *area = &kernel_areas[arm64[i].id];

		if (area->start == area->end)
			continue;
		add_marker(d, area->start, arm64[i].start);
		add_marker(d, area->end, arm64[i].end);
	}
}

void ptdump_kernel(ptdump_line_fn put, void *ctx)
{
	static const struct pgt_walk_ops ops = { .leaf = see_leaf, .hole = see_hole };
	struct dump d = { .put = put, .ctx = ctx, .level = NO_LEVEL };

	if (!pgtables_on)
		return;
	add_markers(&d);
	if (!PGT_TWO_ROOTS)
		see(&d, PGT_ROOT_LEVEL, false, 0, 0, kernel_half_start() - 1);
	mutex_lock(&kernel_map_mutex);
	(void)pgt_walk(&init_mm, kernel_half_start(), kernel_half_size(), &ops, &d);
	mutex_unlock(&kernel_map_mutex);
	print_stretch(&d);
	print_markers_up_to(&d, ~(uintptr_t)0);
}

/* ---- One address ---- */

static const char *rights_text(char *text, size_t size, unsigned int level, pgt_entry_t e)
{
	static const char *const modes[] = { "write back", "write combining", "uncached-", "uncached", "write through",
					     "write protected" };
	u32 bits = pgt_prot(level, e).bits;

	octavo_snprintf(text, size, "%s%s%s%s, %s%s%s%s", bits & PGPROT_READ ? "r" : "-",
			bits & PGPROT_WRITE ? "w" : "-", bits & PGPROT_EXEC ? "x" : "-",
			bits & PGPROT_USER ? " user" : "", modes[pgprot_cache_mode(octavo_pgprot(bits))],
			bits & PGPROT_GLOBAL ? ", global" : "", bits & PGPROT_ACCESSED ? ", accessed" : "",
			bits & PGPROT_DIRTY ? ", dirty" : "");
	return text;
}

void ptdump_address(uintptr_t virt, ptdump_line_fn put, void *ctx)
{
	pgt_entry_t *table = pgtables_on && pgt_canonical(virt) ? fault_mm(virt)->pgd : NULL;
	struct area_description d;
	char line[256], rights[96];

	describe_address(virt, &d);
	octavo_snprintf(line, sizeof(line), "0x%0*lx %s", ADDRESS_DIGITS, (unsigned long)virt, d.text);
	put(ctx, line);
	for (unsigned int level = PGT_ROOT_LEVEL; table; level--) {
		unsigned int index = pgt_index(level, virt);
		pgt_entry_t e = pgt_get(table + index);
		bool leaf = pgt_leaf(level, e);

		size_t n = octavo_snprintf(line, sizeof(line), "  level %u %s[%3u] %0*llx", level,
					   level_name(level, leaf), index, 2 * (int)sizeof(e), (unsigned long long)e);

		if (leaf)
			octavo_snprintf(line + n, sizeof(line) - n, "  page of %llu KiB at %#llx: %s",
					(unsigned long long)PGT_SIZE(level) >> 10,
					(unsigned long long)pgt_leaf_phys(level, e),
					rights_text(rights, sizeof(rights), level, e));
		else if (pgt_table(level, e))
			octavo_snprintf(line + n, sizeof(line) - n, "  table at %#llx",
					(unsigned long long)pgt_table_phys(level, e));
		else
			octavo_snprintf(line + n, sizeof(line) - n, "  nothing");
		put(ctx, line);
		table = level && pgt_table(level, e) ? pgt_table_of(level, e) : NULL;
	}
}

/* ---- Writable and executable ---- */

struct wx {
	ptdump_line_fn put;
	void *ctx;
	unsigned long pages;
};

static int look_for_wx(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct wx *wx = ctx;
	pgt_entry_t e = pgt_get(entry);
	u32 bits = pgt_leaf(level, e) ? pgt_prot(level, e).bits : 0, all = PGPROT_READ | PGPROT_WRITE | PGPROT_EXEC;
	char line[128];

	if ((bits & all) != all)
		return 0;
	wx->pages += (last - start + 1) >> PAGE_SHIFT;
	octavo_snprintf(line, sizeof(line), "%sFound insecure W+X mapping at address 0x%0*lx-0x%0*lx",
			PGT_TWO_ROOTS ? "" : "x86/mm: ", ADDRESS_DIGITS, (unsigned long)start, ADDRESS_DIGITS,
			(unsigned long)last + 1);
	if (wx->put)
		wx->put(wx->ctx, line);
	return 0;
}

unsigned long ptdump_check_wx(ptdump_line_fn put, void *ctx)
{
	static const struct pgt_walk_ops ops = { .leaf = look_for_wx };
	struct wx wx = { put, ctx, 0 };

	if (!pgtables_on || !kernel_has_nx())
		return 0;
	mutex_lock(&kernel_map_mutex);
	(void)pgt_walk(&init_mm, kernel_half_start(), kernel_half_size(), &ops, &wx);
	mutex_unlock(&kernel_map_mutex);
	return wx.pages;
}

static void to_log(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

static void boot_end(void)
{
	const char *prefix = PGT_TWO_ROOTS ? "" : "x86/mm: ";
	unsigned long pages;

	if (!pgtables_on || !kernel_has_nx())
		return;
	pages = ptdump_check_wx(to_log, NULL);
	if (pages)
		pr_err("%sChecked W+X mappings: FAILED, %lu W+X pages found.\n", prefix, pages);
	else
		pr_info("%sChecked W+X mappings: passed, no W+X pages found.\n", prefix);
}

MM_PART(ptdump, .order = MM_PART_KERNEL_MAP, .boot_end = boot_end);
