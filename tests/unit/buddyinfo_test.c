// SPDX-License-Identifier: MIT
#include <octavo/gfp.h>

#include "mm/phys/zone.h"
#include "proc_text.h"

#define LINE "Node {}, zone {w8} {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} {6} "

TEST(buddyinfo, one_line_for_each_populated_zone)
{
	const char *next = proc_text("/proc/buddyinfo");
	unsigned int lines = 0, zones = 0;
	char line[256], head[64];

	ASSERT(next);
	for_each_populated_zone(zone) {
		zones++;
		next = proc_line(next, line, sizeof(line));
		ASSERT(next);
		lines++;
		EXPECT(proc_fits(line, LINE));
		octavo_snprintf(head, sizeof(head), "Node %d, zone %8s ", zone->node, zone->name);
		EXPECT(!strncmp(line, head, strlen(head)));
	}
	EXPECT(zones > 0);
	EXPECT_EQ(lines, zones);
	EXPECT(!proc_line(next, line, sizeof(line)));
}

/* The free pages of a line of /proc/buddyinfo. */
static unsigned long pages_of(const char *line)
{
	unsigned long pages = 0;
	const char *s = strstr(line, "zone");
	bool overflow;
	u64 count;

	for (s += 5; *s == ' '; s++)
		;
	while (*s > ' ')
		s++;
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		while (*s == ' ')
			s++;
		s += parse_u64(s, &count, &overflow);
		pages += (unsigned long)count << order;
	}
	return pages;
}

TEST(buddyinfo, counts_every_free_page)
{
	const char *next = proc_text("/proc/buddyinfo");
	const char *zoneinfo = proc_text("/proc/zoneinfo");
	char line[256];

	ASSERT(next && zoneinfo);
	for_each_populated_zone(zone) {
		u64 free = 0;
		const char *section = proc_zone(zoneinfo, zone->node, zone->name);

		next = proc_line(next, line, sizeof(line));
		ASSERT(next && section);
		EXPECT(proc_number(section, "nr_free_pages", &free));
		EXPECT_EQ(pages_of(line), free);
	}
}

static unsigned long all_pages(void)
{
	const char *next = proc_text("/proc/buddyinfo");
	unsigned long pages = 0;
	char line[256];

	while ((next = proc_line(next, line, sizeof(line))) != NULL)
		pages += pages_of(line);
	return pages;
}

TEST(buddyinfo, follows_allocation_and_free)
{
	struct page *pages[16];
	unsigned long before;

	drain_all_pages(NULL);
	before = all_pages();
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_pages(GFP_KERNEL, 4);
	drain_all_pages(NULL);
	EXPECT_EQ(all_pages(), before - (ARRAY_SIZE(pages) << 4));
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		ASSERT(pages[i]);
		__free_pages(pages[i], 4);
	}
	drain_all_pages(NULL);
	EXPECT_EQ(all_pages(), before);
}
