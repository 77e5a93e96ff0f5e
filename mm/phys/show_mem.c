// SPDX-License-Identifier: MIT
/*
 * The report of an allocation that failed, in the format of Linux 6.12: the request, who made it, and all
 * memory ("Mem-Info:"), as the OOM killer's report has it too.
 */
#include <octavo/port.h>

#include "../base/printk.h"
#include "cma.h"
#include "gfp.h"
#include "hwpoison.h"
#include "page_report.h"
#include "slowpath.h"

#define KB(pages) ((pages) << (PAGE_SHIFT - 10))
#define WARN_PERIOD_NS 10000000000ull

static struct {
	u64 next_ns;
	unsigned int suppressed; /* (a) */
	bool once;
} warned __memsys;

void (*show_mem_swap)(unsigned long *total, unsigned long *free) __memsys;

/* Whose nodes and zones a report shows. */
struct shown {
	const nodemask_t *nodes; /* NULL: all */
	enum zone_type highest;
};

static bool zone_shown(const struct zone *zone, const struct shown *shown)
{
	return (!shown->nodes || node_isset(zone->node, shown->nodes)) && zone->type <= shown->highest;
}

/* A node with nothing that the request could have had says nothing. */
static bool node_shown(int nid, const struct shown *shown)
{
	if (shown->nodes && !node_isset(nid, shown->nodes))
		return false;
	for_each_populated_zone(zone)
		if (zone->node == nid && zone->type <= shown->highest && zone_managed_pages(zone))
			return true;
	return false;
}

static unsigned long free_pcp(struct zone *zone)
{
	unsigned long n = 0;

	for_each_possible_cpu(cpu)
		n += cpu_pages_count(zone, cpu);
	return n;
}

static unsigned long node_stat(enum node_stat_item item)
{
	return global_node_page_state_pages(item);
}

static void show_totals(const struct shown *shown)
{
	unsigned long pcp = 0;

	for_each_populated_zone(zone)
		if (!shown->nodes || node_isset(zone->node, shown->nodes))
			pcp += free_pcp(zone);
	printk("active_anon:%lu inactive_anon:%lu isolated_anon:%lu\n"
	       " active_file:%lu inactive_file:%lu isolated_file:%lu\n"
	       " unevictable:%lu dirty:%lu writeback:%lu\n"
	       " slab_reclaimable:%lu slab_unreclaimable:%lu\n"
	       " mapped:%lu shmem:%lu pagetables:%lu\n",
	       node_stat(NR_ACTIVE_ANON), node_stat(NR_INACTIVE_ANON), node_stat(NR_ISOLATED_ANON),
	       node_stat(NR_ACTIVE_FILE), node_stat(NR_INACTIVE_FILE), node_stat(NR_ISOLATED_FILE),
	       node_stat(NR_UNEVICTABLE), node_stat(NR_FILE_DIRTY), node_stat(NR_WRITEBACK),
	       node_stat(NR_SLAB_RECLAIMABLE_B), node_stat(NR_SLAB_UNRECLAIMABLE_B),
	       node_stat(NR_FILE_MAPPED), node_stat(NR_SHMEM), node_stat(NR_PAGETABLE));
	printk(" sec_pagetables:%lu bounce:%lu\n"
	       " kernel_misc_reclaimable:%lu\n"
	       " free:%lu free_pcp:%lu free_cma:%lu\n",
	       node_stat(NR_SECONDARY_PAGETABLE), global_zone_page_state(NR_BOUNCE),
	       node_stat(NR_KERNEL_MISC_RECLAIMABLE), global_zone_page_state(NR_FREE_PAGES), pcp,
	       global_zone_page_state(NR_FREE_CMA_PAGES));
}

static void show_node(const struct pglist_data *node)
{
#define NODE_KB(item) KB(node_page_state(node, item))
	printk("Node %d active_anon:%lukB inactive_anon:%lukB active_file:%lukB inactive_file:%lukB"
	       " unevictable:%lukB isolated(anon):%lukB isolated(file):%lukB mapped:%lukB dirty:%lukB"
	       " writeback:%lukB shmem:%lukB shmem_thp:%lukB shmem_pmdmapped:%lukB anon_thp:%lukB",
	       node->node_id, NODE_KB(NR_ACTIVE_ANON), NODE_KB(NR_INACTIVE_ANON), NODE_KB(NR_ACTIVE_FILE),
	       NODE_KB(NR_INACTIVE_FILE), NODE_KB(NR_UNEVICTABLE), NODE_KB(NR_ISOLATED_ANON),
	       NODE_KB(NR_ISOLATED_FILE), NODE_KB(NR_FILE_MAPPED), NODE_KB(NR_FILE_DIRTY), NODE_KB(NR_WRITEBACK),
	       NODE_KB(NR_SHMEM), NODE_KB(NR_SHMEM_THPS), NODE_KB(NR_SHMEM_PMDMAPPED), NODE_KB(NR_ANON_THPS));
	printk(" writeback_tmp:%lukB kernel_stack:%lukB pagetables:%lukB sec_pagetables:%lukB"
	       " all_unreclaimable? %s\n",
	       NODE_KB(NR_WRITEBACK_TEMP), node_page_state(node, NR_KERNEL_STACK_KB), NODE_KB(NR_PAGETABLE),
	       NODE_KB(NR_SECONDARY_PAGETABLE), READ_ONCE(node->kswapd_failures) >= KSWAPD_FAILURES ? "yes" : "no");
#undef NODE_KB
}

static void show_zone(struct zone *zone)
{
	unsigned long free = zone_page_state(zone, NR_FREE_PAGES);

#define ZONE_KB(item) KB(zone_page_state(zone, item))
	printk("Node %d %s free:%lukB boost:%lukB min:%lukB low:%lukB high:%lukB reserved_highatomic:%luKB"
	       " active_anon:%lukB inactive_anon:%lukB active_file:%lukB inactive_file:%lukB unevictable:%lukB",
	       zone->node, zone->name, KB(free), KB(READ_ONCE(zone->watermark_boost)), KB(wmark_pages(zone, WMARK_MIN)),
	       KB(wmark_pages(zone, WMARK_LOW)), KB(wmark_pages(zone, WMARK_HIGH)),
	       KB(READ_ONCE(zone->nr_reserved_highatomic)), ZONE_KB(NR_ZONE_ACTIVE_ANON),
	       ZONE_KB(NR_ZONE_INACTIVE_ANON), ZONE_KB(NR_ZONE_ACTIVE_FILE), ZONE_KB(NR_ZONE_INACTIVE_FILE),
	       ZONE_KB(NR_ZONE_UNEVICTABLE));
	printk(" writepending:%lukB present:%lukB managed:%lukB mlocked:%lukB bounce:%lukB free_pcp:%lukB"
	       " local_pcp:%ukB free_cma:%lukB\n",
	       ZONE_KB(NR_ZONE_WRITE_PENDING), KB(zone->present_pages), KB(zone_managed_pages(zone)),
	       ZONE_KB(NR_MLOCK), ZONE_KB(NR_BOUNCE), KB(free_pcp(zone)),
	       KB(cpu_pages_count(zone, smp_processor_id())), ZONE_KB(NR_FREE_CMA_PAGES));
#undef ZONE_KB
	printk("lowmem_reserve[]:");
	for (unsigned int i = 0; i < MAX_NR_ZONES; i++)
		if (zone_configured((enum zone_type)i))
			printk(" %lu", READ_ONCE(zone->lowmem_reserve[i]));
	printk("\n");
}

/* "4*4kB (UME) 0*8kB ... = 12304kB" */
static void show_free_lists(struct zone *zone)
{
	static const char letters[MIGRATE_TYPES] = { 'U', 'M', 'E', 'H', 'C', 'I' };
	unsigned long nr[MIGRATE_TYPES][NR_PAGE_ORDERS], total = 0;

	for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
		frames_count(zone, t, nr[t]);
	printk("Node %d %s: ", zone->node, zone->name);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		char types[MIGRATE_TYPES + 1];
		unsigned long blocks = 0;
		unsigned int len = 0;

		for (unsigned int t = 0; t < MIGRATE_TYPES; t++) {
			blocks += nr[t][order];
			if (nr[t][order])
				types[len++] = letters[t];
		}
		types[len] = 0;
		total += blocks << order;
		printk("%lu*%lukB ", blocks, KB(1ul) << order);
		if (blocks)
			printk("(%s) ", types);
	}
	printk("= %lukB\n", KB(total));
}

static void show_rest(void)
{
	unsigned long total = 0, highmem = 0, managed = 0, swap = 0, swap_free = 0;

	if (show_mem_swap)
		show_mem_swap(&swap, &swap_free);
	printk("%lu total pagecache pages\n", node_stat(NR_FILE_PAGES));
	printk("%lu pages in swap cache\nFree swap  = %lukB\nTotal swap = %lukB\n", node_stat(NR_SWAPCACHE),
	       KB(swap_free), KB(swap));
	for_each_populated_zone(zone) {
		total += zone->present_pages;
		managed += zone_managed_pages(zone);
		if (is_highmem_zone(zone))
			highmem += zone->present_pages;
	}
	printk("%lu pages RAM\n%lu pages HighMem/MovableOnly\n%lu pages reserved\n%lu pages cma reserved\n"
	       "%lu pages hwpoisoned\n",
	       total, highmem, total - managed, cma_total_pages(), load_relaxed(&num_poisoned_pages));
}

void show_mem(const nodemask_t *nodemask)
{
	show_mem_zones(nodemask, (enum zone_type)(MAX_NR_ZONES - 1));
}

void show_mem_zones(const nodemask_t *nodemask, enum zone_type highest)
{
	const struct shown shown = { nodemask, highest };

	printk("Mem-Info:\n");
	show_totals(&shown);
	for_each_online_node(nid)
		if (node_shown(nid, &shown))
			show_node(NODE_DATA(nid));
	for_each_populated_zone(zone)
		if (zone_shown(zone, &shown))
			show_zone(zone);
	for_each_populated_zone(zone)
		if (zone_shown(zone, &shown))
			show_free_lists(zone);
	for_each_online_node(nid)
		if (node_shown(nid, &shown))
			printk("Node %d hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB\n",
			       nid);
	show_rest();
}

void print_nodes(const nodemask_t *mask)
{
	const char *separator = "";
	int first = -1;

	if (!mask)
		mask = &node_memory_map;
	for (int nid = 0; nid <= MAX_NUMNODES; nid++) {
		bool in = nid < MAX_NUMNODES && node_isset(nid, mask);

		if (in && first < 0)
			first = nid;
		if (in || first < 0)
			continue;
		printk(nid - 1 > first ? "%s%d-%d" : "%s%d", separator, first, nid - 1);
		separator = ",";
		first = -1;
	}
}

/* One report in ten seconds; without a clock each one is told. */
static bool may_warn(void)
{
	u64 now = port_clock_ns();

	if (now && warned.once && now < warned.next_ns) {
		atomic_fetch_add(&warned.suppressed, 1);
		return false;
	}
	warned.once = true;
	warned.next_ns = now + WARN_PERIOD_NS;
	if (load_relaxed(&warned.suppressed))
		pr_warn("warn_alloc: %u callbacks suppressed\n", atomic_xchg(&warned.suppressed, 0));
	return true;
}

void warn_alloc(gfp_t gfp, unsigned int order, const nodemask_t *nodemask)
{
	char text[48];

	octavo_snprintf(text, sizeof(text), "page allocation failure: order:%u", order);
	warn_alloc_text(gfp, nodemask, text);
}

void warn_alloc_text(gfp_t gfp, const nodemask_t *nodemask, const char *text)
{
	char name[32], mode[GFP_TEXT_MAX];

	if (gfp & __GFP_NOWARN || !may_warn())
		return;
	gfp_flags_text(mode, sizeof(mode), gfp);
	printk("%s: %s, mode:0x%x(%s), nodemask=", current_task_name(name, sizeof(name)), text, gfp, mode);
	if (nodemask)
		print_nodes(nodemask);
	else
		printk("(null)");
	printk(",cpuset=/,mems_allowed=");
	print_nodes(NULL);
	printk("\n");
	dump_stack();
	show_mem(nodemask);
}
