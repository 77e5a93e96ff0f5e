// SPDX-License-Identifier: MIT
/*
 * The booted machine as JSON (RFC 8259). Addresses are strings in hexadecimal, since JSON's numbers are exact
 * to 2^53 only; everything else is a number of pages unless its name says otherwise.
 */
#include <octavo/numa.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "mm/boot/e820.h"
#include "mm/boot/params.h"
#include "mm/phys/zone.h"
#include "mm/slab/info.h"

struct json {
	FILE *to;
	unsigned int depth;
	bool first; /* nothing stands in the innermost array or object yet */
};

static void string(struct json *j, const char *s)
{
	fputc('"', j->to);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(j->to, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(j->to, "\\u%04x", c);
		else
			fputc(c, j->to);
	}
	fputc('"', j->to);
}

/* What stands before an element: comma, line, name. */
static void before(struct json *j, const char *name)
{
	fputs(j->first ? "\n" : ",\n", j->to);
	for (unsigned int i = 0; i < j->depth; i++)
		fputs("  ", j->to);
	j->first = false;
	if (name) {
		string(j, name);
		fputs(": ", j->to);
	}
}

static void open_list(struct json *j, const char *name, char bracket)
{
	if (j->depth)
		before(j, name);
	fputc(bracket, j->to);
	j->depth++;
	j->first = true;
}

static void close_list(struct json *j, char bracket)
{
	j->depth--;
	fputc('\n', j->to);
	for (unsigned int i = 0; i < j->depth; i++)
		fputs("  ", j->to);
	fputc(bracket, j->to);
	j->first = false;
}

static void put_string(struct json *j, const char *name, const char *value)
{
	before(j, name);
	string(j, value);
}

static void put_number(struct json *j, const char *name, unsigned long long value)
{
	before(j, name);
	fprintf(j->to, "%llu", value);
}

static void put_address(struct json *j, const char *name, u64 value)
{
	before(j, name);
	fprintf(j->to, "\"0x%llx\"", (unsigned long long)value);
}

static void put_map(struct json *j)
{
	char type[E820_TYPE_NAME_MAX];

	open_list(j, "map", '[');
	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *e = &e820_table.entries[i];

		open_list(j, NULL, '{');
		put_address(j, "start", e->addr);
		put_address(j, "last", e->addr + e->size - 1);
		put_string(j, "type", e820_type_name(e->type, type));
		close_list(j, '}');
	}
	close_list(j, ']');
}

static void put_free(struct json *j, struct zone *zone)
{
	static const char *const types[MIGRATE_TYPES] = { "unmovable", "movable", "reclaimable",
							  "highatomic", "cma",	   "isolate" };

	open_list(j, "free_blocks", '{');
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
		unsigned long nr[NR_PAGE_ORDERS];

		frames_count(zone, type, nr);
		before(j, types[type]);
		fputc('[', j->to);
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
			fprintf(j->to, "%s%lu", order ? ", " : "", nr[order]);
		fputc(']', j->to);
	}
	close_list(j, '}');
}

static void put_zone(struct json *j, struct zone *zone)
{
	static const char *const marks[NR_WMARK] = { "min", "low", "high", "promo" };

	open_list(j, NULL, '{');
	put_string(j, "name", zone->name);
	put_address(j, "start", PFN_PHYS(zone->zone_start_pfn));
	put_number(j, "spanned", zone->spanned_pages);
	put_number(j, "present", zone->present_pages);
	put_number(j, "managed", zone_managed_pages(zone));
	put_number(j, "free", zone_page_state_snapshot(zone, NR_FREE_PAGES));
	put_number(j, "cma", zone->cma_pages);
	open_list(j, "watermarks", '{');
	for (unsigned int w = 0; w < NR_WMARK; w++)
		put_number(j, marks[w], zone->watermark[w]);
	put_number(j, "boost", zone->watermark_boost);
	close_list(j, '}');
	before(j, "protection");
	fputc('[', j->to);
	for (unsigned int i = 0, shown = 0; i < MAX_NR_ZONES; i++)
		if (zone_configured((enum zone_type)i))
			fprintf(j->to, "%s%lu", shown++ ? ", " : "", zone->lowmem_reserve[i]);
	fputc(']', j->to);
	open_list(j, "per_cpu", '{');
	put_number(j, "batch", zone->pageset_batch);
	put_number(j, "high_min", zone->pageset_high_min);
	put_number(j, "high_max", zone->pageset_high_max);
	put_number(j, "stat_threshold", zone->stat_threshold);
	close_list(j, '}');
	if (populated_zone(zone))
		put_free(j, zone);
	close_list(j, '}');
}

static void put_node(struct json *j, int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	unsigned int shown = 0;
	int last = -1;

	open_list(j, NULL, '{');
	put_number(j, "node", (unsigned int)nid);
	put_address(j, "start", PFN_PHYS(pgdat->node_start_pfn));
	put_number(j, "spanned", pgdat->node_spanned_pages);
	put_number(j, "present", pgdat->node_present_pages);
	before(j, "cpus");
	fputc('[', j->to);
	for_each_possible_cpu(cpu)
		if (cpu_to_node(cpu) == nid)
			fprintf(j->to, "%s%u", shown++ ? ", " : "", cpu);
	fputc(']', j->to);
	before(j, "distances");
	fputc('[', j->to);
	shown = 0;
	for_each_online_node(other)
		fprintf(j->to, "%s%d", shown++ ? ", " : "", node_distance(nid, other));
	fputc(']', j->to);
	before(j, "fallback_order");
	fputc('[', j->to);
	shown = 0;
	for (const struct zoneref *ref = pgdat->node_zonelists[ZONELIST_FALLBACK].refs; ref && ref->zone; ref++) {
		if (ref->zone->node != last)
			fprintf(j->to, "%s%d", shown++ ? ", " : "", ref->zone->node);
		last = ref->zone->node;
	}
	fputc(']', j->to);
	open_list(j, "zones", '[');
	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		if (zone_configured((enum zone_type)type))
			put_zone(j, &pgdat->node_zones[type]);
	close_list(j, ']');
	close_list(j, '}');
}

static void put_heap(struct json *j)
{
	struct cache_info info = { .number = ~0u };

	open_list(j, "heap", '{');
	put_string(j, "back_end", backend_name);
	open_list(j, "caches", '[');
	while (heap_cache_info_below(info.number, &info)) {
		const struct heap_counts *c = &info.counts;

		open_list(j, NULL, '{');
		put_string(j, "name", info.name);
		put_number(j, "object_size_bytes", info.object_size);
		put_number(j, "size_bytes", info.size);
		put_number(j, "objects_per_slab", info.objects);
		put_number(j, "pages_per_slab", 1u << info.order);
		put_number(j, "slabs", c->slabs.slabs);
		put_number(j, "objects", c->slabs.objects);
		put_number(j, "objects_used", heap_objects_used(c));
		put_number(j, "objects_at_hand", c->at_hand);
		before(j, "reclaimable");
		fputs(info.flags & SLAB_RECLAIM_ACCOUNT ? "true" : "false", j->to);
		close_list(j, '}');
	}
	close_list(j, ']');
	close_list(j, '}');
}

static void collect(void *ctx, const char *text, size_t len)
{
	char *value = ctx;
	size_t at = strlen(value);

	if (at + len < 64) {
		memcpy(value + at, text, len);
		value[at + len] = 0;
	}
}

static void put_sysctl(struct json *j, const char *name)
{
	char *path = cli_format("/proc/sys/vm/%s", name), value[64] = "";
	const char *p = value;
	u64 number;

	if (!octavo_proc_read(path, collect, value) && scan_number(&p, 10, &number))
		put_number(j, name, number);
	free(path);
}

void json_print(FILE *to, const struct boot *boot)
{
	static const char *const archs[] = { "x86-64", "i386", "i386-pae", "arm64" };
	const struct machine_desc *m = &boot->machine;
	struct json j = { .to = to };

	open_list(&j, NULL, '{');
	put_string(&j, "octavo", OCTAVO_VERSION);
	put_string(&j, "source", m->name);
	if (m->version)
		put_string(&j, "kernel", m->version);
	put_string(&j, "arch", archs[m->arch]);
	put_string(&j, "cmdline", saved_command_line);
	put_number(&j, "page_size_bytes", PAGE_SIZE);
	put_number(&j, "page_descriptor_bytes", sizeof(struct page));
	put_number(&j, "cpus_possible", nr_cpu_ids);
	put_number(&j, "total", totalram_pages());
	put_number(&j, "free", nr_free_pages());
	put_map(&j);
	open_list(&j, "sysctl", '{');
	put_sysctl(&j, "min_free_kbytes");
	put_sysctl(&j, "watermark_scale_factor");
	put_sysctl(&j, "watermark_boost_factor");
	put_sysctl(&j, "percpu_pagelist_high_fraction");
	close_list(&j, '}');
	open_list(&j, "nodes", '[');
	for_each_online_node(nid)
		put_node(&j, nid);
	close_list(&j, ']');
	put_heap(&j);
	close_list(&j, '}');
	fputc('\n', to);
}
