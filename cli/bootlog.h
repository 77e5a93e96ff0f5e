/* SPDX-License-Identifier: MIT */
/* The boot log reader's own interface: bootlog.c reads lines, bootlog_cpus.c those about processors and nodes. */
#ifndef CLI_BOOTLOG_H
#define CLI_BOOTLOG_H

#include "machine.h"

/*
 * bootlog_text - the text of a log line, behind whatever stamps it carries
 * Date and host of syslog, "<6>", "[    0.000000]", "[    T0]", "[Tue Jan  2 03:04:05 2024]". The text's own
 * leading blanks stay.
 */
const char *bootlog_text(const char *line);

/* What kinds of fact a log gives; a second boot in one file may add only kinds that are still missing. */
enum fact { FACT_MAP, FACT_EDIT, FACT_SRAT, FACT_CPU, FACT_CMDLINE, FACTS };

struct log {
	struct machine_desc *m;
	const char *version_line; /* the first one, to tell a replay from another boot */
	unsigned int line;
	bool frozen[FACTS];
	bool after_map;		   /* some line other than the map's came after it */
	bool early_ranges;	   /* inside "Early memory node ranges" */
	bool user_map, fake_node;
	bool ranges_fixed;	   /* memory ranges are taken from the map by now: edits change nothing */
	unsigned int edits_seen;   /* edits that stand before the last last_pfn line */
	bool saw_last_pfn, saw_zones, saw_highmem, saw_dma32, saw_memory, saw_numa, saw_built;
	u64 max_arch_pfn;
	u64 zone_end[2];	   /* arm64: last byte of DMA and DMA32, 0 unless a higher zone follows */
	int zone_last;
	bool in_zones;		   /* between "Zone ranges" and what follows them */
	u32 zones;		   /* named there */
	bool arm64;
	struct machine_desc early; /* node ranges, user map: stand-ins for a missing map */
	struct machine_desc user;
	struct bootinfo_cpu *node_cpus; /* apic_id holds the CPU number, pxm its *node* */
	unsigned int node_cpus_nr;
	unsigned int present, possible, counted; /* CPUs: allowed; counted elsewhere in the log */
};

/* "[mem a-b]" or 2.6's "a - b" (b exclusive) at *@p: first and last byte. NULL, or what was expected. */
const char *bootlog_range(const char **p, u64 *first, u64 *last);

/* Warn that a line is left out. */
void bootlog_unreadable(struct log *l, const char *what, const char *expected, const char *rest);

void bootlog_srat(struct log *l, const char *rest);
void bootlog_comment(struct log *l, const char *rest);
void bootlog_node_cpus(struct log *l, const char *rest);
void bootlog_allowing(struct log *l, const char *rest);
void bootlog_topo(struct log *l, const char *rest);
void bootlog_brought_up(struct log *l, const char *rest);
void bootlog_slub(struct log *l, const char *rest);
void bootlog_setup_percpu(struct log *l, const char *rest);
void bootlog_conclude_cpus(struct log *l);

#endif
