// SPDX-License-Identifier: MIT
/*
 * ACPI's affinity tables: SRAT (what belongs to which proximity domain) and SLIT (how far domains are apart).
 * Sources: ACPI 6.5 sections 5.2.16 and 5.2.17.
 */
#include "../base/printk.h"
#include "../base/string.h"
#include "numa_internal.h"

int srat_pxm_to_node(struct numa_config *config, u32 pxm)
{
	for (unsigned int nid = 0; nid < config->nr_pxm; nid++)
		if (config->pxm[nid] == pxm)
			return (int)nid;
	if (config->nr_pxm == MAX_NUMNODES)
		return NUMA_NO_NODE;
	config->pxm[config->nr_pxm] = pxm;
	return (int)config->nr_pxm++;
}

static int too_many(u32 pxm)
{
	pr_err("SRAT: Too many proximity domains: %u is the %dth\n", pxm, MAX_NUMNODES + 1);
	return -EINVAL;
}

static int parse_cpus(const struct bootinfo *info, struct numa_config *config)
{
	for (unsigned int cpu = 0; cpu < info->cpus_nr; cpu++) {
		const struct bootinfo_cpu *c = &info->cpus[cpu];
		int nid;

		if (c->pxm == BOOT_PXM_NONE)
			continue;
		nid = srat_pxm_to_node(config, c->pxm);
		if (nid < 0)
			return too_many(c->pxm);
		if (cpu < NR_CPUS)
			config->cpu_node[cpu] = (s8)nid;
		node_set(nid, &config->parsed);
		/* An id of more than a byte is an x2APIC's, and such tables show four digits. */
		pr_info("SRAT: PXM %u -> APIC 0x%0*x -> Node %d\n", c->pxm, c->apic_id > 0xff ? 4 : 2, c->apic_id, nid);
	}
	return 0;
}

static int parse_memory(const struct bootinfo *info, struct numa_config *config)
{
	for (unsigned int i = 0; i < info->mem_affinity_nr; i++) {
		const struct bootinfo_mem_affinity *ma = &info->mem_affinity[i];
		phys_addr_t end = ma->start + ma->size;
		int nid;

		if (!(ma->flags & BOOT_MEM_ENABLED))
			continue;
		nid = srat_pxm_to_node(config, ma->pxm);
		if (nid < 0)
			return too_many(ma->pxm);
		if (end < ma->start) {
			pr_err("SRAT: memory affinity %u (0x%llx, size 0x%llx) wraps around\n", i,
			       (unsigned long long)ma->start, (unsigned long long)ma->size);
			return -EINVAL;
		}
		if (numa_add_block(&config->meminfo, nid, ma->start, end))
			return -EINVAL;
		node_set(nid, &config->parsed);
		pr_info("ACPI: SRAT: Node %d PXM %u [mem 0x%08llx-0x%08llx]%s%s\n", nid, ma->pxm,
			(unsigned long long)ma->start, (unsigned long long)(end - 1),
			ma->flags & BOOT_MEM_HOTPLUG ? " hotplug" : "",
			ma->flags & BOOT_MEM_NONVOLATILE ? " non-volatile" : "");
	}
	return config->meminfo.nr_blocks ? 0 : -ENOENT;
}

/* A domain is at distance 10 of itself, and further from every other. */
static bool slit_valid(const struct bootinfo *info)
{
	for (unsigned int i = 0; i < info->distance_nr; i++) {
		for (unsigned int j = 0; j < info->distance_nr; j++) {
			u8 d = info->distance[i * info->distance_nr + j];

			if (i == j ? d != LOCAL_DISTANCE : d <= LOCAL_DISTANCE)
				return false;
		}
	}
	return true;
}

static void parse_slit(const struct bootinfo *info, struct numa_config *config)
{
	if (!info->distance || !info->distance_nr)
		return;
	if (!slit_valid(info)) {
		pr_info("ACPI: SLIT table looks invalid. Not used.\n");
		return;
	}
	numa_distances_init(&config->distances, nodemask_end(&config->parsed));
	for (unsigned int i = 0; i < config->nr_pxm; i++) {
		for (unsigned int j = 0; j < config->nr_pxm; j++) {
			u32 from = config->pxm[i], to = config->pxm[j];

			if (from < info->distance_nr && to < info->distance_nr)
				config->distances.value[i][j] = info->distance[from * info->distance_nr + to];
		}
	}
}

int srat_parse(const struct bootinfo *info, struct numa_config *config)
{
	int err;

	if (!info->mem_affinity_nr)
		return -ENOENT;
	err = parse_cpus(info, config);
	if (!err)
		err = parse_memory(info, config);
	if (err == -EINVAL)
		pr_err("SRAT: SRAT not used.\n");
	if (err)
		return err;
	parse_slit(info, config);
	return 0;
}
