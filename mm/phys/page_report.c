// SPDX-License-Identifier: MIT
/* Bad pages: what is wrong with them, counted and reported in Linux's form. */
#include "page_report.h"

#include <octavo/port.h>
#include <octavo/verify.h>

#include "../base/printk.h"
#include "../sync/cpu.h"
#include "gfp.h"
#include "memmap.h"
#include "page_alloc.h"
#include "page_owner.h"
#include "stackdepot.h"

#define REPORTS_MAX 60u
#define REPORTS_PERIOD_NS 60000000000ull
#define STACK_MAX 32u

static struct {
	unsigned long total;	  /* (a) */
	unsigned int shown;	  /* (a) in this minute */
	unsigned int suppressed;  /* (a) */
	u64 until_ns;
} bad __memsys;

unsigned long bad_pages(void)
{
	return load_relaxed(&bad.total);
}

const char *page_bad_reason(const struct page *page, s32 refs, u32 flags)
{
	if (unlikely(load_relaxed(&page->_mapcount) != -1))
		return "nonzero mapcount";
	if (unlikely(page_mapping_handle(page)))
		return "non-NULL mapping";
	if (unlikely(page_ref_count(page) != refs))
		return "nonzero _refcount";
	if (unlikely(load_relaxed(&page->flags) & flags))
		return "PAGE_FLAGS_CHECK_AT_FREE flag(s) set";
	return NULL;
}

/* ---- dump_page ---- */

static const char *const flag_names[] = {
	"locked", "writeback", "referenced", "uptodate", "dirty", "lru", "head", "waiters", "active", "workingset",
	"owner_priv_1", "owner_2", "arch_1", "reserved", "private", "private_2", "reclaim", "swapbacked",
	"unevictable", "mlocked", "hwpoison", "young", "idle", "arch_2",
};
octavo_static_assert(ARRAY_SIZE(flag_names) == PG_slab, "a name for each flag that is not a page type");

/* Page types as Linux 6.12 numbers them. */
static const struct {
	u8 bit, type;
	const char *name;
} page_types[] = {
	{ PG_offline, 0xf1, "offline" }, { PG_table, 0xf2, "table" }, { PG_guard, 0xf3, "guard" },
	{ PG_hugetlb, 0xf4, "hugetlb" }, { PG_slab, 0xf5, "slab" },   { PG_zsmalloc, 0xf6, "zsmalloc" },
};

size_t page_flags_text(char *text, size_t size, const struct page *page)
{
	u32 flags = load_relaxed(&page->flags) & ~(1u << PG_init | 1u << PG_lru_refs);
	size_t len = octavo_snprintf(text, size, "0x%x(", flags);

	for (unsigned int i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (flags >> i & 1 && len < size)
			len += octavo_snprintf(text + len, size - len, "%s|", flag_names[i]);
	if (len < size)
		len += octavo_snprintf(text + len, size - len, "node=%d|zone=%d)", page_to_nid(page),
				       (int)page_zonenum(page));
	return len;
}

static void print_raw(const char *prefix, const struct page *page)
{
	const u64 *words = (const void *)page;

	pr_warn("%s: %016llx %016llx %016llx %016llx\n", prefix, (unsigned long long)words[0],
		(unsigned long long)words[1], (unsigned long long)words[2], (unsigned long long)words[3]);
}
octavo_static_assert(sizeof(struct page) == 4 * sizeof(u64), "print_raw() shows all of it");

static bool block_is_cma(const struct page *page)
{
	struct zone *zone = page_zones[load_relaxed(&page->ids) & (ARRAY_SIZE(page_zones) - 1)];

	return zone && get_pageblock_migratetype(zone, page_to_pfn(page)) == MIGRATE_CMA;
}

void dump_page(const struct page *page, const char *reason)
{
	unsigned long pfn = page_to_pfn(page);
	const struct page *head;
	char flags[300];

	if (pfn >= page_alloc_pfn_limit || !pfn_valid(pfn)) {
		pr_warn("page:%p pfn:0x%lx has no descriptor\n", (const void *)page, pfn);
		goto reason;
	}
	head = compound_head((struct page *)page);
	page_flags_text(flags, sizeof(flags), head);
	pr_warn("page: refcount:%d mapcount:%d mapping:%016llx index:0x%llx pfn:0x%lx\n", page_ref_count(head),
		load_relaxed(&page->_mapcount) + 1, (unsigned long long)page_mapping_handle(head),
		(unsigned long long)page_index(head) + (unsigned long long)(page - head), pfn);
	if (PageHead(head))
		pr_warn("head: order:%u mapcount:%d\n", compound_order(head), load_relaxed(&head->_mapcount) + 1);
	pr_warn("flags: %s%s\n", flags, block_is_cma(page) ? " CMA" : "");
	for (unsigned int i = 0; i < ARRAY_SIZE(page_types); i++)
		if (page_test_flag(page, page_types[i].bit))
			pr_warn("page_type: %x(%s)\n", page_types[i].type, page_types[i].name);
	print_raw("raw", page);
	if (head != page)
		print_raw("head", head);
reason:
	if (reason)
		pr_warn("page dumped because: %s\n", reason);
	dump_page_owner(page);
}

void dump_stack(void)
{
	uintptr_t pc[STACK_MAX];
	unsigned int depth = port_backtrace(pc, STACK_MAX);

	print_current_task();
	if (!depth)
		return;
	pr_warn("Call Trace:\n <TASK>\n");
	stack_print(pc, depth);
	pr_warn(" </TASK>\n");
}

/* ---- Bad pages ---- */

/* Count it; is it to be told? */
static bool count_bad(void)
{
	u64 now = port_clock_ns();

	atomic_fetch_add(&bad.total, 1);
	if (load_relaxed(&bad.shown) >= REPORTS_MAX) {
		if (now < bad.until_ns || !now) {
			atomic_fetch_add(&bad.suppressed, 1);
			return false;
		}
		pr_err("BUG: Bad page state: %u messages suppressed\n", atomic_xchg(&bad.suppressed, 0));
		store_relaxed(&bad.shown, 0);
	}
	if (atomic_fetch_add(&bad.shown, 1) == 0)
		bad.until_ns = now + REPORTS_PERIOD_NS;
	return true;
}

static void report_begin(unsigned long pfn)
{
	char name[32];

	pr_err("BUG: Bad page state in process %s  pfn:%05lx\n", current_task_name(name, sizeof(name)), pfn);
}

void bad_page(const struct page *page, const char *why)
{
	if (!count_bad())
		return;
	report_begin(page_to_pfn(page));
	dump_page(page, why);
	dump_stack();
}

void bad_free_order(const struct page *page, unsigned int order, unsigned int has)
{
	char why[64];

	octavo_snprintf(why, sizeof(why), "freed with order %u, is of order %u", order, has);
	bad_page(page, why);
}

void bad_pfn(unsigned long pfn, const struct page *page, const char *why)
{
	if (!count_bad())
		return;
	report_begin(pfn);
	pr_warn("page:%p pfn:0x%lx\npage dumped because: %s\n", (const void *)page, pfn, why);
	dump_stack();
}

void frames_bad_free(struct zone *zone, unsigned long pfn, u64 bits)
{
	(void)zone;
	for (unsigned int i = 0; bits; i++, bits >>= 1) {
		if (!(bits & 1))
			continue;
		memmap_ensure(pfn + i, 0);
		bad_page(pfn_to_page(pfn + i), "freed twice: frame is free already");
	}
}
