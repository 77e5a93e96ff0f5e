// SPDX-License-Identifier: MIT
/*
 * page_owner: who has each page.
 *
 * Purpose
 *	With page_owner=on each page has a record: order and mask of its allocation, when, by which task, and the
 *	call stacks of its allocation and of its last free. To find leaks, and to name the culprit of a bad page.
 *
 * Structures
 *	sections[pfn >> 15] -> 32768 records of 32 bytes, from memblock, for sections with memory.
 *	A record holds handles of stacks in the stack store (stackdepot.c).
 *
 * Locking
 *	A record belongs to whoever has the page. The stack table is added to under its lock and never removed
 *	from, so a number stays good.
 *
 * Memory use and bounds
 *XX */
#include "page_owner.h"

#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "gfp.h"
#include "memmap.h"
#include "page_alloc.h"
#include "page_report.h"
#include "stackdepot.h"

#define STACKS_NR 4096u
#define OWNER_SECTIONS ((unsigned long)(((u64)1 << (MAX_PHYS_BITS_OWNER - PAGE_SHIFT)) >> PFN_SECTION_SHIFT))
/* Records for the first 16 TiB; above, pages go without. */
#define MAX_PHYS_BITS_OWNER 44

struct owner {
	u64 ts_ns, free_ts_ns;
	u32 gfp;
	s32 pid;
	u64 stack : STACK_DEPOT_HANDLE_BITS, free_stack : STACK_DEPOT_HANDLE_BITS; /* 0: none */
	u64 order : 8;
	u64 allocated : 1; /* first page of a block in use */
	u64 known : 1;	   /* has ever been set */
};
octavo_static_assert(sizeof(struct owner) == 32, "records take 32 bytes of 4096");

static struct {
	bool wanted;
	struct owner **sections;
} po __memsys;

static int set_page_owner(const char *value)
{
	return parse_bool(value, &po.wanted);
}
early_param("page_owner", set_page_owner);

static bool add_section(unsigned long section)
{
	if (section >= OWNER_SECTIONS || po.sections[section])
		return true;
	po.sections[section] = memblock_alloc(PAGES_PER_SECTION * sizeof(struct owner), PAGE_SIZE);
	return po.sections[section] != NULL;
}

void page_owner_init(void)
{
	unsigned long start, end;
	u64 cursor = 0;
	int nid;

	if (!po.wanted)
		return;
	po.sections = memblock_alloc(OWNER_SECTIONS * sizeof(*po.sections), 64);
	if (!po.sections || !stack_depot_early_init(STACKS_NR))
		goto fail;
	while (memblock_next_pfn_range(&cursor, NUMA_NO_NODE, &start, &end, &nid))
		for (unsigned long s = start >> PFN_SECTION_SHIFT; s <= (end - 1) >> PFN_SECTION_SHIFT; s++)
			if (!add_section(s))
				goto fail;
	alloc_hooks |= HOOK_OWNER;
	return;
fail:
	pr_err("page_owner: no memory for its records; it stays off\n");
	po.wanted = false;
}

static struct owner *owner_of(const struct page *page)
{
	unsigned long pfn = page_to_pfn(page), section = pfn >> PFN_SECTION_SHIFT;

	if (!po.sections || section >= OWNER_SECTIONS || !po.sections[section])
		return NULL;
	return &po.sections[section][pfn % PAGES_PER_SECTION];
}

/* ---- Records ---- */

void page_owner_set(struct page *page, unsigned int order, gfp_t gfp)
{
	struct owner *owner = owner_of(page);

	if (!owner)
		return;
	owner->stack = stack_depot_save_current(0);
	owner->gfp = gfp;
	owner->ts_ns = port_clock_ns();
	owner->pid = (s32)current_task_pid();
	owner->order = order & 0xff;
	owner->known = 1;
	owner->allocated = 1;
}

void page_owner_reset(struct page *page, unsigned int order)
{
	struct owner *owner = owner_of(page);

	(void)order;
	if (!owner)
		return;
	owner->free_stack = stack_depot_save_current(0);
	owner->free_ts_ns = port_clock_ns();
	owner->allocated = 0;
}

void page_owner_split(struct page *page, unsigned int order)
{
	struct owner *first = owner_of(page);

	if (!first)
		return;
	first->order = 0;
	for (unsigned long i = 1; i < 1ul << order; i++) {
		struct owner *owner = owner_of(page + i);

		if (owner)
			*owner = *first;
	}
}

/* ---- Text ---- */

static const char *const type_names[MIGRATE_TYPES] = { "Unmovable", "Movable", "Reclaimable",
						       "HighAtomic", "CMA",	"Isolate" };

static size_t stack_text(char *buf, size_t size, u32 handle)
{
	if (!handle)
		return octavo_snprintf(buf, size, " (no stack kept)\n");
	return stack_depot_text(buf, size, handle);
}

static size_t owner_text(char *buf, size_t size, const struct page *page, const struct owner *owner)
{
	unsigned long pfn = page_to_pfn(page);
	char mask[GFP_TEXT_MAX], flags[300];
	size_t len;

	gfp_flags_text(mask, sizeof(mask), owner->gfp);
	page_flags_text(flags, sizeof(flags), page);
	len = octavo_snprintf(buf, size, "Page allocated via order %u, mask 0x%x(%s), pid %d, tgid %d, ts %llu ns\n",
			      owner->order, owner->gfp, mask, owner->pid, owner->pid,
			      (unsigned long long)owner->ts_ns);
	if (len < size)
		len += octavo_snprintf(buf + len, size - len, "PFN 0x%lx type %s Block %lu type %s Flags %s\n", pfn,
				       type_names[gfp_migratetype(owner->gfp)], pfn >> pageblock_order,
				       type_names[get_pageblock_migratetype(page_zone_of(page), pfn)], flags);
	if (len < size)
		len += stack_text(buf + len, size - len, owner->stack);
	if (len < size)
		len += octavo_snprintf(buf + len, size - len, "\n");
	return min(len, size ? size - 1 : 0);
}

size_t page_owner_read(unsigned long *pfn, char *buf, size_t size)
{
	while (po.sections && *pfn < page_alloc_pfn_limit) {
		struct page *page;
		const struct owner *owner;

		if (!pfn_valid(*pfn) || *pfn >> PFN_SECTION_SHIFT >= OWNER_SECTIONS ||
		    !po.sections[*pfn >> PFN_SECTION_SHIFT]) {
			*pfn = ALIGN(*pfn + 1, PAGES_PER_SECTION);
			continue;
		}
		page = pfn_to_page((*pfn)++);
		owner = owner_of(page);
		if (!owner->allocated || page_ref_count(page) <= 0)
			continue;
		*pfn += (1ul << owner->order) - 1;
		return owner_text(buf, size, page, owner);
	}
	return 0;
}

void dump_page_owner(const struct page *page)
{
	const struct owner *owner = owner_of(page);
	char text[GFP_TEXT_MAX];

	if (!owner)
		return;
	if (!owner->known) {
		pr_warn("page_owner info is not present (never set?)\n");
		return;
	}
	pr_warn("page_owner tracks the page as %s\n", owner->allocated ? "allocated" : "freed");
	gfp_flags_text(text, sizeof(text), owner->gfp);
	pr_warn("page last allocated via order %u, migratetype %s, gfp_mask 0x%x(%s), pid %d, ts %llu, free_ts %llu\n",
		owner->order, type_names[gfp_migratetype(owner->gfp)], owner->gfp, text, owner->pid,
		(unsigned long long)owner->ts_ns, (unsigned long long)owner->free_ts_ns);
	if (owner->stack)
		stack_depot_print(owner->stack);
	else
		pr_warn(" (no stack kept)\n");
	if (owner->free_stack) {
		pr_warn("page last free stack trace:\n");
		stack_depot_print(owner->free_stack);
	}
}
