// SPDX-License-Identifier: MIT
#include "mm/phys/zone.h"
#include "proc_text.h"

#define FREE_LINE "Node {4}, zone {w8}, type {w12} {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} "
#define BLOCK_LINE "Node {}, zone {w8} {12} {12} {12} {12} {12} {12} "

static const char *const heads[] = {
	"Page block order: {}",
	"Pages per block:  {}",
	"",
	"Free pages count per migrate type at order  {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} ",
};

TEST(pagetypeinfo, has_the_shape)
{
	const char *next = proc_text("/proc/pagetypeinfo");
	unsigned int zones = 0;
	char line[256];

	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
		next = proc_line(next, line, sizeof(line));
		ASSERT(next);
		if (!proc_fits(line, heads[i]))
			test_fail(__FILE__, __LINE__, "line %u is <%s>", i, line);
	}
	for_each_populated_zone(zone) {
		zones++;
		for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
			next = proc_line(next, line, sizeof(line));
			ASSERT(next);
			EXPECT(proc_fits(line, FREE_LINE));
			EXPECT(strstr(line, zone->name) != NULL);
		}
	}
	next = proc_line(next, line, sizeof(line));
	EXPECT_STREQ(line, "");
	next = proc_line(next, line, sizeof(line));
	EXPECT_STREQ(line, "Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic          CMA"
			   "      Isolate ");
	for (; zones; zones--) {
		next = proc_line(next, line, sizeof(line));
		ASSERT(next);
		EXPECT(proc_fits(line, BLOCK_LINE));
	}
	EXPECT(!proc_line(next, line, sizeof(line)));
}

/* The numbers of a line behind @from: @nr of them. */
static void numbers(const char *line, const char *from, u64 *values, unsigned int nr)
{
	const char *s = strstr(line, from);
	bool overflow;

	s += strlen(from);
	while (*s == ' ')
		s++;
	while (*s > ' ')
		s++;
	for (unsigned int i = 0; i < nr; i++) {
		while (*s == ' ' || *s == '>')
			s++;
		s += parse_u64(s, &values[i], &overflow);
	}
}

TEST(pagetypeinfo, types_add_up_to_buddyinfo)
{
	const char *types = proc_text("/proc/pagetypeinfo");
	const char *buddy = proc_text("/proc/buddyinfo");
	char line[256];

	ASSERT(types && buddy);
	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++)
		types = proc_line(types, line, sizeof(line));
	for_each_populated_zone(zone) {
		u64 sum[NR_PAGE_ORDERS] = { 0 }, part[NR_PAGE_ORDERS], all[NR_PAGE_ORDERS];

		for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
			types = proc_line(types, line, sizeof(line));
			ASSERT(types);
			numbers(line, "type ", part, NR_PAGE_ORDERS);
			for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
				sum[order] += part[order];
		}
		buddy = proc_line(buddy, line, sizeof(line));
		ASSERT(buddy);
		numbers(line, "zone ", all, NR_PAGE_ORDERS);
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
			EXPECT_EQ(sum[order], all[order]);
	}
}

TEST(pagetypeinfo, blocks_cover_the_zone)
{
	const char *text = proc_text("/proc/pagetypeinfo");
	char line[256];

	ASSERT(text);
	text = strstr(text, "Number of blocks");
	ASSERT(text);
	text = proc_line(text, line, sizeof(line));
	for_each_populated_zone(zone) {
		unsigned long span = ALIGN(zone_end_pfn(zone), pageblock_nr_pages) -
				     ALIGN_DOWN(zone->zone_start_pfn, pageblock_nr_pages);
		u64 blocks[MIGRATE_TYPES], sum = 0;

		text = proc_line(text, line, sizeof(line));
		ASSERT(text);
		numbers(line, "zone ", blocks, MIGRATE_TYPES);
		for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
			sum += blocks[type];
		EXPECT(sum * pageblock_nr_pages >= zone->present_pages);
		EXPECT(sum * pageblock_nr_pages <= span);
	}
}
