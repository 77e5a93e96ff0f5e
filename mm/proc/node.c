// SPDX-License-Identifier: MIT
/*
 * /sys/devices/system/node: sets of nodes, and the files of one node.
 * Format: Documentation/ABI/stable/sysfs-devices-node, cpulists as in Documentation/admin-guide/cputopology.
 */
#include "proc.h"

#include "../base/string.h"
#include "../boot/numa.h"
#include "../boot/params.h"
#include "../reclaim/reclaim.h"

struct node_set {
	bool (*has)(unsigned int nid, unsigned long arg);
};

static bool is_possible(unsigned int nid, unsigned long arg)
{
	(void)arg;
	return node_isset((int)nid, &node_possible_map);
}

static bool is_online(unsigned int nid, unsigned long arg)
{
	(void)arg;
	return node_isset((int)nid, &node_online_map);
}

static bool has_memory(unsigned int nid, unsigned long arg)
{
	(void)arg;
	if (!NODE_DATA(nid))
		return false;
	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		if (populated_zone(zone_of((int)nid, (enum zone_type)type)))
			return true;
	return false;
}

/* Memory the kernel itself can use directly: in a zone up to Normal. */
static bool has_normal_memory(unsigned int nid, unsigned long arg)
{
	(void)arg;
	if (!NODE_DATA(nid))
		return false;
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++)
		if (populated_zone(zone_of((int)nid, (enum zone_type)type)))
			return true;
	return false;
}

static bool has_cpu(unsigned int nid, unsigned long arg)
{
	(void)arg;
	for_each_online_cpu(cpu)
		if (cpu_locals[cpu]->node == (s32)nid)
			return true;
	return false;
}

static bool has_initiator(unsigned int nid, unsigned long arg)
{
	(void)nid;
	(void)arg;
	return false; /* generic initiators (ACPI 6.5 table 5.68) are not read from SRAT */
}

const struct node_set node_set_online = { is_online };
const struct node_set node_set_possible = { is_possible };
const struct node_set node_set_memory = { has_memory };
const struct node_set node_set_normal_memory = { has_normal_memory };
const struct node_set node_set_cpu = { has_cpu };
const struct node_set node_set_initiator = { has_initiator };

void node_set_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	const struct node_set *set = entry->data;

	seq_list(m, set->has, id, nr_node_ids);
}

static bool cpu_on_node(unsigned int cpu, unsigned long nid)
{
	const struct cpu_local *local = cpu_locals[cpu];

	return local && READ_ONCE(local->online) && local->node == (s32)nid;
}

void node_cpulist_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	seq_list(m, cpu_on_node, id, nr_cpu_ids);
}

void node_cpumap_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	seq_mask(m, cpu_on_node, id, nr_cpu_ids);
}

void node_distance_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	const char *space = "";

	(void)entry;
	for (unsigned int nid = 0; nid < nr_node_ids; nid++) {
		if (!is_online(nid, 0))
			continue;
		seq_printf(m, "%s%d", space, node_distance((int)id, (int)nid));
		space = " ";
	}
	seq_puts(m, "\n");
}

void node_numastat_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	static const struct {
		const char *name;
		enum zone_stat_item item;
	} lines[] = {
		{ "numa_hit", NUMA_HIT },	{ "numa_miss", NUMA_MISS },
		{ "numa_foreign", NUMA_FOREIGN }, { "interleave_hit", NUMA_INTERLEAVE_HIT },
		{ "local_node", NUMA_LOCAL },	{ "other_node", NUMA_OTHER },
	};

	(void)entry;
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		seq_printf(m, "%s %lu\n", lines[i].name, proc_zone_stat_node((int)id, lines[i].item));
}

void node_vmstat_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	int nid = (int)id;

	(void)entry;
	for (unsigned int item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++) {
		const char *name = proc_zone_stat_name((enum zone_stat_item)item);

		if (name)
			seq_printf(m, "%s %lu\n", name, proc_zone_stat_node(nid, (enum zone_stat_item)item));
	}
	for (unsigned int item = 0; item < NR_VM_NODE_STAT_ITEMS; item++) {
		const char *name = proc_node_stat_name((enum node_stat_item)item);

		if (name)
			seq_printf(m, "%s %lu\n", name,
				   node_page_state_pages(NODE_DATA(nid), (enum node_stat_item)item));
	}
}

/*
 * "BYTES[KMG] [swappiness=0 to 200]": so much is freed now, whatever the watermarks say. Written with as much as can be
 * had. -EAGAIN: it was less.
 */
int node_reclaim_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	static const char swappiness_is[] = "swappiness=";
	u64 bytes, swappiness = 0;
	bool overflow, given = false;
	const char *end = text;
	unsigned long pages;

	(void)entry;
	while (*end == ' ')
		end++;
	text = end;
	bytes = memparse(text, &end);
	if (end == text)
		return -EINVAL;
	while (*end == ' ')
		end++;
	if (!strncmp(end, swappiness_is, sizeof(swappiness_is) - 1)) {
		size_t len;

		end += sizeof(swappiness_is) - 1;
		len = parse_u64(end, &swappiness, &overflow);
		if (!len || overflow || swappiness > 200)
			return -EINVAL;
		end += len;
		given = true;
	}
	if (*end && *end != '\n')
		return -EINVAL;
	pages = (unsigned long)min(bytes >> PAGE_SHIFT, (u64)(~0ul >> 1));
	if (!pages)
		return 0;
	return node_reclaim_pages((int)id, pages, given ? (int)swappiness : -1) >= pages ? 0 : -EAGAIN;
}
