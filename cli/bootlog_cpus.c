// SPDX-License-Identifier: MIT
/* Boot logs: which processors there are, and which memory and processors belong to which node. */
#include "bootlog.h"

#include <ctype.h>
#include <string.h>

/* ---- SRAT ---- */

/* "Node 0 PXM 0 [mem a-b] hotplug non-volatile", 2.6: "Node 0 PXM 0 a-b" */
static void read_srat_memory(struct log *l, const char *rest)
{
	const char *p = rest, *expected;
	struct bootinfo_mem_affinity new = { .flags = BOOT_MEM_ENABLED };
	u64 first, last, node, pxm;

	if (l->frozen[FACT_SRAT])
		return;
	if (!scan_word(&p, "Node") || !scan_number(&p, 10, &node) || !*(p = skip_blanks(p)) ||
	    !scan_word(&p, "PXM") || !scan_number(&p, 10, &pxm) || pxm > 0xfffffffeu) {
		bootlog_unreadable(l, "SRAT memory", "'Node N PXM N'", p);
		return;
	}
	p = skip_blanks(p);
	expected = bootlog_range(&p, &first, &last);
	if (expected) {
		bootlog_unreadable(l, "SRAT memory", expected, p);
		return;
	}
	new.start = first;
	new.size = last - first + 1;
	new.pxm = (u32)pxm;
	new.flags |= strstr(p, "hotplug") ? BOOT_MEM_HOTPLUG : 0;
	new.flags |= strstr(p, "non-volatile") ? BOOT_MEM_NONVOLATILE : 0;
	for (unsigned int i = 0; i < l->m->mem_affinity_nr; i++)
		if (l->m->mem_affinity[i].start == new.start && l->m->mem_affinity[i].size == new.size)
			return;
	machine_push(l->m, mem_affinity, new);
}

/* "PXM 0 -> APIC 0x00 -> Node 0"; arm64 has MPIDR for APIC, 2.6 writes the id in decimal */
static void read_srat_cpu(struct log *l, const char *rest)
{
	const char *p = rest;
	u64 pxm, id;

	if (l->frozen[FACT_CPU])
		return;
	if (!scan_word(&p, "PXM") || !scan_number(&p, 10, &pxm) || pxm > 0xfffffffeu) {
		bootlog_unreadable(l, "SRAT processor", "'PXM N'", p);
		return;
	}
	p = strstr(p, "APIC ") ? strstr(p, "APIC ") + 5 : strstr(p, "MPIDR ") ? strstr(p, "MPIDR ") + 6 : "";
	if (!scan_number(&p, p[0] == '0' && p[1] == 'x' ? 16 : 10, &id)) {
		bootlog_unreadable(l, "SRAT processor", "'-> APIC ID'", rest);
		return;
	}
	for (unsigned int i = 0; i < l->m->cpus_nr; i++)
		if (l->m->cpus[i].apic_id == (u32)id)
			return;
	machine_push(l->m, cpus, { (u32)id, (u32)pxm });
}

void bootlog_srat(struct log *l, const char *rest)
{
	if (!strncmp(rest, "Node ", 5)) {
		l->ranges_fixed = true;
		read_srat_memory(l, rest);
	} else if (!strncmp(rest, "PXM ", 4)) {
		l->ranges_fixed = true;
		read_srat_cpu(l, rest);
	}
}

static u32 node_to_pxm(const struct log *l, u32 node)
{
	u32 pxms[MAX_NUMNODES];
	unsigned int nr = 0;

	/* nodes are numbered in the order in which the table first names their domains */
	for (unsigned int i = 0; i < l->m->mem_affinity_nr; i++) {
		unsigned int k = 0;

		while (k < nr && pxms[k] != l->m->mem_affinity[i].pxm)
			k++;
		if (k == nr && nr < MAX_NUMNODES)
			pxms[nr++] = l->m->mem_affinity[i].pxm;
	}
	return node < nr ? pxms[node] : node;
}

static void node_cpu(struct log *l, u32 cpu, u32 node)
{
	if (cpu >= NR_CPUS || node >= MAX_NUMNODES || l->node_cpus_nr >= NR_CPUS || l->frozen[FACT_CPU])
		return;
	l->node_cpus = cli_grow(l->node_cpus, l->node_cpus_nr, sizeof(*l->node_cpus));
	l->node_cpus[l->node_cpus_nr++] = (struct bootinfo_cpu){ cpu, node };
}

/* '# [48 "SRAT: PXM n -> APIC x -> Node y" cpu lines left out; cpus per node: node0=24, node1=24]' */
void bootlog_comment(struct log *l, const char *rest)
{
	const char *p = strstr(rest, "cpus per node:");
	u32 cpu = 0;

	while (p && (p = strstr(p, "node"))) {
		u64 node, count;

		p += 4;
		if (!scan_number(&p, 10, &node) || *p != '=')
			continue;
		p++;
		if (!scan_number(&p, 10, &count))
			continue;
		for (u64 i = 0; i < count && cpu < NR_CPUS; i++)
			node_cpu(l, cpu++, (u32)node);
	}
}

/* ".... node  #1, CPUs:   #4 #5", "Booting Node   1, Processors  #4 #5 OK" */
void bootlog_node_cpus(struct log *l, const char *rest)
{
	const char *p = skip_blanks(rest);
	u64 node, cpu;

	p += *p == '#';
	if (!scan_number(&p, 10, &node))
		return;
	if (!l->node_cpus_nr)
		node_cpu(l, 0, (u32)node);
	while ((p = strchr(p, '#'))) {
		p = skip_blanks(p + 1);
		if (scan_number(&p, 10, &cpu))
			node_cpu(l, (u32)cpu, (u32)node);
	}
}

/* ---- Processor counts ---- */

/* "Allowing 8 CPUs, 2 hotplug CPUs": 8 in all */
void bootlog_allowing(struct log *l, const char *rest)
{
	const char *p = rest, *comma = strchr(rest, ',');
	u64 all, hotplug = 0;

	if (!scan_number(&p, 10, &all) || !all) {
		bootlog_unreadable(l, "processor count", "'Allowing N CPUs'", rest);
		return;
	}
	if (comma) {
		p = skip_blanks(comma + 1);
		scan_number(&p, 10, &hotplug);
	}
	if (!l->present && !l->frozen[FACT_CPU]) {
		l->possible = all > NR_CPUS ? NR_CPUS : (unsigned int)all;
		l->present = hotplug < l->possible ? l->possible - (unsigned int)hotplug : 1;
	}
}

/* "Allowing 8 present CPUs plus 2 hotplug CPUs" */
void bootlog_topo(struct log *l, const char *rest)
{
	const char *p = rest, *plus = strstr(rest, "plus ");
	u64 present, hotplug = 0;

	if (!scan_number(&p, 10, &present) || !present) {
		bootlog_unreadable(l, "processor count", "'Allowing N present CPUs'", rest);
		return;
	}
	if (plus) {
		p = plus + 5;
		scan_number(&p, 10, &hotplug);
	}
	if (!l->present && !l->frozen[FACT_CPU]) {
		l->present = present > NR_CPUS ? NR_CPUS : (unsigned int)present;
		l->possible = hotplug > NR_CPUS - l->present ? NR_CPUS : l->present + (unsigned int)hotplug;
	}
}

static void count_cpus(struct log *l, const char *text, const char *key, bool after)
{
	const char *p = strstr(text, key);
	u64 n;

	if (p && !after)
		while (p > text && (p[-1] == ' ' || isdigit((unsigned char)p[-1])))
			p--;
	else if (p)
		p += strlen(key);
	p = p ? skip_blanks(p) : "";
	if (!l->counted && scan_number(&p, 10, &n) && n && n <= NR_CPUS)
		l->counted = (unsigned int)n;
}

void bootlog_brought_up(struct log *l, const char *rest)
{
	count_cpus(l, rest, " CPU", false);
}

void bootlog_slub(struct log *l, const char *rest)
{
	count_cpus(l, rest, "CPUs=", true);
}

void bootlog_setup_percpu(struct log *l, const char *rest)
{
	count_cpus(l, rest, "nr_cpu_ids:", true);
}

/* ---- Conclusions ---- */

void bootlog_conclude_cpus(struct log *l)
{
	struct machine_desc *m = l->m;
	unsigned int present = l->present ? l->present : l->counted;
	u32 pxm_of[NR_CPUS];

	for (unsigned int i = 0; i < NR_CPUS; i++)
		pxm_of[i] = BOOT_PXM_NONE;
	if (!m->cpus_nr) {
		unsigned int highest = 0;

		for (unsigned int i = 0; i < l->node_cpus_nr; i++) {
			pxm_of[l->node_cpus[i].apic_id] = node_to_pxm(l, l->node_cpus[i].pxm);
			if (l->node_cpus[i].apic_id > highest)
				highest = l->node_cpus[i].apic_id;
		}
		if (!present)
			present = l->node_cpus_nr ? highest + 1 : 1;
	}
	if (!present)
		present = m->cpus_nr;
	if (m->cpus_nr > present)
		m->cpus_nr = present;
	while (m->cpus_nr < present) {
		u32 cpu = m->cpus_nr;

		machine_push(m, cpus, { cpu, pxm_of[cpu] });
	}
	m->cpus_possible = l->possible > present ? l->possible : present;
}
