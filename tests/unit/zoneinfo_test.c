// SPDX-License-Identifier: MIT
#include "mm/phys/zone.h"
#include "proc_text.h"

/* Lines of a zone in order; a "*" repeats for each CPU. */
static const char *const page_lines[] = {
	"  pages free     {}",   "        boost    {}", "        min      {}", "        low      {}",
	"        high     {}",   "        promo    {}", "        spanned  {}", "        present  {}",
	"        managed  {}",   "        cma      {}",
};

static const char *const cpu_lines[] = {
	"    cpu: {}",
	"              count: {}",
	"              high:  {}",
	"              batch: {}",
	"  vm stats threshold: {}",
};

static const char *line_buffer(const char *next, char line[256], const char *form)
{
	next = proc_line(next, line, 256);
	if (!next)
		test_fail(__FILE__, __LINE__, "the text ends where <%s> should be", form);
	else if (!proc_fits(line, form))
		test_fail(__FILE__, __LINE__, "<%s> is not of the form <%s>", line, form);
	return next;
}

/* Counter lines: "      name value", names padded to 12 columns. Ends at the first line that is none. */
static const char *counters(const char *next, unsigned int *nr)
{
	char line[256];

	for (*nr = 0; next; ++*nr) {
		const char *after = proc_line(next, line, sizeof(line)), *s = line + 6;
		size_t len = 0;

		if (!after || strncmp(line, "      ", 6) || s[0] == ' ')
			break;
		while (s[len] > ' ')
			len++;
		EXPECT(proc_fits(s + max(len, (size_t)12), " {}"));
		next = after;
	}
	return next;
}

static const char *zone_shape(const char *next, const struct zone *zone, bool *node_done)
{
	char line[256], form[64];
	unsigned int nr;

	octavo_snprintf(form, sizeof(form), "Node %d, zone %8s", zone->node, zone->name);
	next = line_buffer(next, line, form);
	if (populated_zone(zone) && !*node_done) {
		*node_done = true;
		next = line_buffer(next, line, "  per-node stats");
		next = counters(next, &nr);
		EXPECT(nr >= 45);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(page_lines) && next; i++)
		next = line_buffer(next, line, page_lines[i]);
	next = proc_line(next, line, sizeof(line));
	EXPECT(!strncmp(line, "        protection: (", 21) && line[strlen(line) - 1] == ')');
	if (!populated_zone(zone))
		return next;
	next = counters(next, &nr);
	EXPECT(nr >= 11);
	next = line_buffer(next, line, "  pagesets");
	for_each_online_cpu(cpu)
		for (unsigned int i = 0; i < ARRAY_SIZE(cpu_lines) && next; i++)
			next = line_buffer(next, line, cpu_lines[i]);
	next = line_buffer(next, line, "  node_unreclaimable:  {}");
	return line_buffer(next, line, "  start_pfn:           {}");
}

TEST(zoneinfo, has_the_shape)
{
	const char *next = proc_text("/proc/zoneinfo");
	bool node_done = false;
	int nid = -1;
	char line[8];

	for_each_zone(zone) {
		if (zone->node != nid)
			node_done = false;
		nid = zone->node;
		ASSERT(next);
		next = zone_shape(next, zone, &node_done);
	}
	EXPECT(nid >= 0);
	EXPECT(!proc_line(next, line, sizeof(line)));
}

static u64 number_in(const char *section, const char *label)
{
	u64 value = 0;

	EXPECT(proc_number(section, label, &value));
	return value;
}

TEST(zoneinfo, shows_what_the_zone_holds)
{
	const char *text = proc_text("/proc/zoneinfo");

	for_each_populated_zone(zone) {
		const char *section = proc_zone(text, zone->node, zone->name);

		ASSERT(section);
		EXPECT_EQ(number_in(section, "spanned"), zone->spanned_pages);
		EXPECT_EQ(number_in(section, "present"), zone->present_pages);
		EXPECT_EQ(number_in(section, "managed"), zone_managed_pages(zone));
		EXPECT_EQ(number_in(section, "start_pfn:"), zone->zone_start_pfn);
		EXPECT(number_in(section, "managed") <= number_in(section, "present"));
		EXPECT(number_in(section, "present") <= number_in(section, "spanned"));
		EXPECT(number_in(section, "nr_free_pages") <= number_in(section, "managed"));
	}
}

TEST(zoneinfo, watermarks_are_evenly_spaced)
{
	const char *text = proc_text("/proc/zoneinfo");

	for_each_populated_zone(zone) {
		const char *section = proc_zone(text, zone->node, zone->name);
		u64 min_pages, low, high, promo;

		ASSERT(section);
		if (!zone_managed_pages(zone))
			continue;
		min_pages = number_in(section, "min");
		low = number_in(section, "low");
		high = number_in(section, "high");
		promo = number_in(section, "promo");
		EXPECT(low > min_pages || (min_pages < 4 && zone_managed_pages(zone) < 1000));
		EXPECT_EQ(high - low, low - min_pages);
		EXPECT_EQ(promo - high, low - min_pages);
	}
}

/* The n-th number of the protection line, or ~0 behind its end. */
static u64 protection(const char *section, unsigned int n)
{
	const char *s = strstr(section, "protection: (");
	u64 value = 0;
	bool overflow;

	s += 13;
	for (unsigned int i = 0;; i++) {
		s += parse_u64(s, &value, &overflow);
		if (i == n)
			return value;
		if (*s != ',')
			return ~0ull;
		s += 2;
	}
}

/* lowmem_reserve of zone i against class j: managed pages of zones i + 1 to j over the ratio of zone i. */
TEST(zoneinfo, protection_follows_from_managed_pages)
{
	const char *text = proc_text("/proc/zoneinfo");
	const char *s = proc_text("/proc/sys/vm/lowmem_reserve_ratio");
	u64 ratio[MAX_NR_ZONES] = { 0 };
	bool overflow;

	ASSERT(text && s);
	for (unsigned int type = 0; type < MAX_NR_ZONES; type++) {
		if (!zone_configured((enum zone_type)type))
			continue;
		s += parse_u64(s, &ratio[type], &overflow);
		EXPECT(*s == '\t' || *s == '\n');
		s++;
	}
	for_each_zone(zone) {
		const char *section = proc_zone(text, zone->node, zone->name);
		unsigned int column = 0;
		u64 above = 0;

		ASSERT(section);
		for (unsigned int type = 0; type < MAX_NR_ZONES; type++) {
			u64 want = 0;

			if (!zone_configured((enum zone_type)type))
				continue;
			if ((int)type > zone_idx(zone)) {
				unsigned long upper = zone_managed_pages(zone_of(zone->node, (enum zone_type)type));

				above += upper;
				/* nothing is kept from a class without pages of its own (6.10) */
				if (ratio[zone->type] && zone_managed_pages(zone) && upper)
					want = above / ratio[zone->type];
			}
			EXPECT_EQ(protection(section, column), want);
			column++;
		}
		EXPECT_EQ(protection(section, column), ~0ull);
	}
}
