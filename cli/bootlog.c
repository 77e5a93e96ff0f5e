// SPDX-License-Identifier: MIT
/*
 * Boot logs.
 *
 * Purpose: from what dmesg, a serial console or syslog kept of a boot, the facts the kernel started from.
 *
 * Words: a log line is [prefix] text. The prefix (syslog's date and host, <level>, [time], [ T0]) is taken off
 * by bootlog_text(), whatever its form; the text begins with a key that says what it is. An *input* is a
 * fact the firmware or the loader gave; an *output* follows from inputs by the kernel's rules. Only inputs are
 * taken, and the outputs are computed anew by the boot.
 *
 * What is input: the memory map, command line, initial RAM disk, SRAT memory and processors, processor counts,
 * what EFI removed as MMIO, and updates of the map that the MTRRs caused. Those updates take effect on the
 * memory ranges only if the map is measured again after them, which shows as a further "last_pfn" line; later
 * ones reserve memory and leave the ranges alone. What mem= and memmap= did to the map, the trimming of page 0
 * and of 640K-1M, and the "user:" map are outputs.
 *
 * Where a log has no firmware map (arm64: it comes from the device tree or EFI and is not printed) the "Early
 * memory node ranges" are the map.
 *
 * Torn logs: a line that cannot be read is reported with its number and what was expected, and left out. A
 * line seen again (a console that replays what came before it was opened) adds nothing. A second boot in the
 * same file adds only what the first did not get to.
 *
 * Sources: logs of real machines; Documentation/admin-guide/kernel-parameters for the command line; ACPI 6.5.
 */
#include "bootlog.h"

#include <octavo/mmzone.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Prefixes ---- */

static const char *skip_bracket(const char *p)
{
	const char *q = p + 1;
	bool stamp = isdigit((unsigned char)*skip_blanks(q)) || *skip_blanks(q) == 'T' || *skip_blanks(q) == 'C';

	/* dmesg -T: [Tue Jan  2 03:04:05 2024] */
	if (!stamp && isupper((unsigned char)q[0]) && islower((unsigned char)q[1]) && islower((unsigned char)q[2]) &&
	    q[3] == ' ')
		stamp = true;
	while (*q && *q != ']' && q - p < 48)
		q++;
	return stamp && *q == ']' ? q + 1 : NULL;
}

const char *bootlog_text(const char *line)
{
	const char *p = line, *kernel = strstr(line, "kernel: "), *next;

	if (kernel && kernel - line < 96 && !strchr("[<", line[0]))
		p = kernel + strlen("kernel: ");
	for (;;) {
		next = p;
		if (*p == '<' && isdigit((unsigned char)p[1])) {
			next = strchr(p, '>');
			next = next && next - p < 5 ? next + 1 : p;
		} else if (*p == '[') {
			next = skip_bracket(p);
			if (!next)
				return p;
			/* one blank belongs to the stamp; "[    0.000000][    T0] " and "[    0.000000] " occur */
			next += *next == ' ';
		}
		if (next == p)
			return p;
		p = next;
	}
}

/* ---- Ranges ---- */

const char *bootlog_range(const char **p, u64 *first, u64 *last)
{
	const char *s = *p;
	bool bracket = *s == '[';

	if (bracket && !scan_word(&s, "[mem") && !scan_word(&s, "[gap"))
		return "'[mem'";
	if (!scan_number(&s, 16, first))
		return "a hexadecimal address of at most 64 bits";
	s = skip_blanks(s);
	if (*s != '-')
		return "'-' after the first address";
	s = skip_blanks(s + 1);
	if (!scan_number(&s, 16, last))
		return "a hexadecimal address of at most 64 bits after '-'";
	if (bracket) {
		if (*s != ']')
			return "']' after the last address";
		s++;
	} else {
		if (*last == 0)
			return "a range that is not empty";
		/* early kernels print the end, some later ones the last byte */
		if ((*last & 0xfff) != 0xfff || (*first & 0xfff) == (*last & 0xfff))
			--*last;
	}
	if (*last < *first)
		return "a last address not below the first";
	*p = skip_blanks(s);
	return NULL;
}

void bootlog_unreadable(struct log *l, const char *what, const char *expected, const char *rest)
{
	machine_warn(l->m, l->line, "%s line left out: expected %s, found '%.60s'", what, expected,
		     *rest ? rest : "the end of the line");
}

static void add_map_entry(struct machine_desc *m, u64 first, u64 last, u32 type)
{
	struct bootinfo_range new = machine_range(first, last, type);

	for (unsigned int i = 0; i < m->map_nr; i++)
		if (m->map[i].start == new.start && m->map[i].size == new.size && m->map[i].type == type)
			return;
	machine_push(m, map, new);
}

static void read_map_line(struct log *l, struct machine_desc *to, const char *what, const char *rest)
{
	const char *p = rest, *expected;
	u64 first, last;
	u32 type;

	if (!strncmp(p, "[gap", 4))
		return;
	expected = bootlog_range(&p, &first, &last);
	if (!expected && !map_type_parse(p, &type))
		expected = "a type such as 'usable' or 'reserved' after the range";
	if (expected)
		bootlog_unreadable(l, what, expected, p);
	else
		add_map_entry(to, first, last, type);
}

static void on_map(struct log *l, const char *rest)
{
	if (!l->frozen[FACT_MAP])
		read_map_line(l, l->m, "memory map", rest);
	l->after_map = false;
}

/* Xen says much else with this key. */
static void on_xen_map(struct log *l, const char *rest)
{
	if (*rest == '[' || (isxdigit((unsigned char)rest[0]) && isxdigit((unsigned char)rest[1])))
		on_map(l, rest);
}

static void on_user_map(struct log *l, const char *rest)
{
	read_map_line(l, &l->user, "user-defined map", rest);
}

static void on_user_map_title(struct log *l, const char *rest)
{
	(void)rest;
	if (l->user_map)
		return;
	l->user_map = true;
	/* what was changed before this line was changed by mem= and memmap= */
	l->m->edits_nr = 0;
	l->edits_seen = 0;
}

static void on_extended_map(struct log *l, const char *rest)
{
	read_map_line(l, &l->user, "extended map", rest);
}

/* ---- Edits ---- */

static bool edit_is_rule(u64 first, u64 last)
{
	return last >= ~(u64)1 || (first == 0 && last == 0xfff) || (first == 0xa0000 && last == 0xfffff);
}

static void add_edit(struct log *l, u64 first, u64 last, u32 from, u32 to)
{
	struct bootinfo_range r = machine_range(first, last, from);

	for (unsigned int i = 0; i < l->m->edits_nr; i++) {
		const struct bootinfo_edit *e = &l->m->edits[i];

		if (e->start == r.start && e->size == r.size && e->from == from && e->to == to)
			return;
	}
	machine_push(l->m, edits, { r.start, r.size, from, to });
}

static void on_e820_update(struct log *l, const char *rest)
{
	const char *p = rest, *arrow = strstr(rest, "==>"), *expected;
	u64 first, last;
	u32 from, to;
	char before[96];

	if (l->ranges_fixed || l->frozen[FACT_EDIT])
		return;
	expected = bootlog_range(&p, &first, &last);
	if (expected || !arrow) {
		bootlog_unreadable(l, "map update", expected ? expected : "'==>' between two types", p);
		return;
	}
	snprintf(before, sizeof(before), "%.*s", (int)(arrow > p ? arrow - p : 0), p);
	if (!map_type_parse(before, &from) || !map_type_parse(arrow, &to))
		bootlog_unreadable(l, "map update", "a type on both sides of '==>'", p);
	else if (from != to && !edit_is_rule(first, last))
		add_edit(l, first, last, from, to);
}

static void on_e820_remove(struct log *l, const char *rest)
{
	const char *p = rest, *expected;
	u64 first, last;
	u32 from = E820_TYPE_GAP;

	if (l->ranges_fixed || l->frozen[FACT_EDIT])
		return;
	expected = bootlog_range(&p, &first, &last);
	if (expected) {
		bootlog_unreadable(l, "map removal", expected, p);
		return;
	}
	map_type_parse(p, &from);
	if (!edit_is_rule(first, last))
		add_edit(l, first, last, from, E820_TYPE_GAP);
}

/* "efi: Remove mem52: MMIO range=[0xbf200000-0xbf400fff] (2MB) from e820 map" */
static void on_efi_remove(struct log *l, const char *rest)
{
	const char *p = strstr(rest, "range=[");
	u64 first, last;

	if (l->frozen[FACT_EDIT])
		return;
	if (p) {
		p += strlen("range=[");
		if (scan_number(&p, 16, &first) && *p++ == '-' && scan_number(&p, 16, &last) && *p == ']' &&
		    last >= first) {
			add_edit(l, first, last, E820_TYPE_RESERVED, E820_TYPE_GAP);
			return;
		}
	}
	bootlog_unreadable(l, "EFI removal", "'range=[FIRST-LAST]'", rest);
}

static void on_last_pfn(struct log *l, const char *rest)
{
	const char *p = strstr(rest, "max_arch_pfn");
	u64 value;

	if (!l->frozen[FACT_EDIT]) {
		l->saw_last_pfn = true;
		l->edits_seen = l->m->edits_nr;
	}
	if (p && (p = strchr(p, '='))) {
		p = skip_blanks(p + 1);
		if (scan_number(&p, 16, &value) && value)
			l->max_arch_pfn = value;
	}
}

/* ---- Boot parameters ---- */

/* Tokens "[...]" stand for what whoever published the log left out. */
static void on_cmdline(struct log *l, const char *rest)
{
	char *text, *out;

	if (l->frozen[FACT_CMDLINE] || (l->m->cmdline && strlen(l->m->cmdline) >= strlen(rest)))
		return;
	text = out = cli_strdup(rest);
	for (const char *p = skip_blanks(rest); *p; p = skip_blanks(p)) {
		size_t len = strcspn(p, " ");

		if (strncmp(p, "[...]", len > 5 ? len : 5)) {
			if (out != text)
				*out++ = ' ';
			memcpy(out, p, len);
			out += len;
		}
		p += len;
	}
	*out = 0;
	if (strlen(text) > 4095)
		machine_warn(l->m, l->line, "command line of %zu bytes: only 4095 are used", strlen(text));
	machine_set_cmdline(l->m, text);
	free(text);
}

static void on_ramdisk(struct log *l, const char *rest)
{
	const char *p = rest, *expected;
	u64 first, last;

	l->ranges_fixed = true;
	if (l->m->initrd.size)
		return;
	expected = bootlog_range(&p, &first, &last);
	if (expected)
		bootlog_unreadable(l, "RAM disk", expected, p);
	else
		l->m->initrd = (struct bootinfo_span){ first, last - first + 1 };
}

static void on_version(struct log *l, const char *rest)
{
	static const char *const foreign[] = { "riscv", "powerpc", "ppc64", "mips", "loongarch", "s390x", "arm-",
					       "armv7" };
	size_t len = strcspn(rest, " ");

	if (l->version_line) {
		if (!l->m->map_nr && !l->early.map_nr)
			return;
		if (strcmp(l->version_line, rest))
			machine_warn(l->m, l->line, "another boot begins here: the first one in the log is used");
		l->frozen[FACT_MAP] = l->m->map_nr != 0;
		l->frozen[FACT_EDIT] = true;
		l->frozen[FACT_SRAT] = l->m->mem_affinity_nr || l->saw_zones;
		l->frozen[FACT_CPU] = l->m->cpus_nr || l->present;
		l->frozen[FACT_CMDLINE] = l->m->cmdline != NULL;
		return;
	}
	l->version_line = cli_strdup(rest);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		l->m->foreign |= strstr(rest, foreign[i]) != NULL;
	l->m->version = cli_format("%.*s", (int)(len > 80 ? 80 : len), rest);
	if (strstr(rest, "aarch64"))
		l->arm64 = true;
}

static void on_machine_model(struct log *l, const char *rest)
{
	(void)rest;
	l->arm64 = true;
}

/* "Memory: 6046112K/6291040K available (14339K kernel code, 2334K rwdata, …)" */
static void on_memory(struct log *l, const char *rest)
{
	static const struct {
		const char *name;
		int part;
	} parts[] = {
		{ "kernel code", IMAGE_TEXT }, { "rwdata", IMAGE_DATA },     { "rodata", IMAGE_RODATA },
		{ "init", IMAGE_INIT },	       { "bss", IMAGE_BSS },	     { "data", IMAGE_DATA },
	};
	const char *p = strchr(rest, '(');

	if (!p || !strstr(rest, "available") || l->saw_memory)
		return;
	l->saw_memory = true;
	while (p && *p) {
		u64 kib;

		p = skip_blanks(p + 1);
		if (scan_number(&p, 10, &kib) && (*p == 'K' || *p == 'k') && kib < 1u << 20) {
			p = skip_blanks(p + 1);
			for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
				if (!strncmp(p, parts[i].name, strlen(parts[i].name)))
					l->m->image[parts[i].part].size = kib << 10;
		}
		p = strchr(p, ',');
	}
}

/* ---- Zones and nodes: outputs, but they say what kind of machine it is ---- */

static void on_zone_ranges(struct log *l, const char *rest)
{
	(void)rest;
	l->ranges_fixed = l->saw_zones = true;
	l->early_ranges = false;
	l->in_zones = !l->m->zones;
	l->zones = 0;
	l->zone_last = -1;
}

static void on_zone(struct log *l, int zone, const char *rest)
{
	const char *p = rest;
	u64 first, last;

	if (l->in_zones)
		l->zones |= 1u << zone;
	if (!l->saw_zones || bootlog_range(&p, &first, &last))
		return;
	/* a zone's end is a fact of the machine only where memory goes on above it */
	if (l->zone_last >= 0 && zone > l->zone_last && l->zone_last < 2)
		l->zone_end[l->zone_last] |= 1;
	if (zone < 2)
		l->zone_end[zone] = last & ~(u64)1;
	l->zone_last = zone;
}

static void on_zone_dma(struct log *l, const char *rest)
{
	on_zone(l, ZONE_DMA, rest);
}

static void on_zone_dma32(struct log *l, const char *rest)
{
	l->saw_dma32 = true;
	on_zone(l, ZONE_DMA32, rest);
}

static void on_zone_normal(struct log *l, const char *rest)
{
	on_zone(l, ZONE_NORMAL, rest);
}

static void on_zone_highmem(struct log *l, const char *rest)
{
	l->saw_highmem = true;
	on_zone(l, ZONE_HIGHMEM, rest);
}

static void on_zone_device(struct log *l, const char *rest)
{
	on_zone(l, ZONE_DEVICE, rest);
}

/* The zone lines are all there: they say which zones the kernel was built with. */
static void on_movable_zone(struct log *l, const char *rest)
{
	(void)rest;
	if (l->in_zones && l->zones)
		l->m->zones = l->zones;
	l->in_zones = false;
}

static void on_highmem(struct log *l, const char *rest)
{
	(void)rest;
	l->saw_highmem = true;
}

static void on_fake_node(struct log *l, const char *rest)
{
	(void)rest;
	l->saw_numa = true;
	l->fake_node = true;
	l->ranges_fixed = true;
}

static void on_numa(struct log *l, const char *rest)
{
	(void)rest;
	l->saw_numa = true;
}

static void on_built(struct log *l, const char *rest)
{
	(void)rest;
	l->saw_built = true;
}

static void on_early_ranges(struct log *l, const char *rest)
{
	(void)rest;
	l->early_ranges = !l->early.map_nr;
}

static void on_node_range(struct log *l, const char *rest)
{
	const char *p = rest, *expected = NULL;
	u64 node, first, last;

	if (!l->early_ranges)
		return;
	if (!scan_number(&p, 10, &node) || *p != ':')
		expected = "'node N:'";
	else
		p = skip_blanks(p + 1);
	if (!expected)
		expected = bootlog_range(&p, &first, &last);
	if (expected || node >= MAX_NUMNODES) {
		bootlog_unreadable(l, "memory node range", expected ? expected : "a node below 64", p);
		return;
	}
	add_map_entry(&l->early, first, last, E820_TYPE_RAM);
	machine_push(&l->early, mem_affinity, { first, last - first + 1, (u32)node, BOOT_MEM_ENABLED });
}

/* ---- The lines ---- */

static const struct {
	const char *key;
	void (*fn)(struct log *l, const char *rest);
} lines_known[] = {
	{ "BIOS-e820:", on_map },
	{ "BIOS-e801:", on_map },
	{ "BIOS-88:", on_map },
	{ "Xen:", on_xen_map },
	{ "user-defined physical RAM map", on_user_map_title },
	{ "user:", on_user_map },
	{ "reserve setup_data:", on_extended_map },
	{ "e820: update", on_e820_update },
	{ "e820 update range:", on_e820_update },
	{ "e820: remove", on_e820_remove },
	{ "e820 remove range:", on_e820_remove },
	{ "efi: Remove mem", on_efi_remove },
	{ "last_pfn =", on_last_pfn },
	{ "e820: last_pfn =", on_last_pfn },
	{ "Command line:", on_cmdline },
	{ "Kernel command line:", on_cmdline },
	{ "RAMDISK:", on_ramdisk },
	{ "Linux version ", on_version },
	{ "Machine model:", on_machine_model },
	{ "Memory:", on_memory },
	{ "Zone ranges:", on_zone_ranges },
	{ "Zone PFN ranges:", on_zone_ranges },
	{ "DMA ", on_zone_dma },
	{ "DMA32 ", on_zone_dma32 },
	{ "Normal ", on_zone_normal },
	{ "HighMem ", on_zone_highmem },
	{ "Device ", on_zone_device },
	{ "Movable zone start", on_movable_zone },
	{ "mapped low ram:", on_highmem },
	{ "Early memory node ranges", on_early_ranges },
	{ "node ", on_node_range },
	{ "No NUMA configuration found", on_numa },
	{ "NUMA turned off", on_numa },
	{ "NODE_DATA(", on_numa },
	{ "Fallback order for Node", on_numa },
	{ "Built ", on_built },
	{ "Faking a node at", on_fake_node },
	{ "NUMA: Faking a node at", on_fake_node },
	{ "Faking node", on_fake_node },
	{ "NUMA:", on_numa },
	{ "ACPI: SRAT:", bootlog_srat },
	{ "SRAT:", bootlog_srat },
	{ "ACPI: NUMA: SRAT:", bootlog_srat },
	{ "# [", bootlog_comment },
	{ ".... node", bootlog_node_cpus },
	{ "Booting Node", bootlog_node_cpus },
	{ "smpboot: Booting Node", bootlog_node_cpus },
	{ "smpboot: Allowing", bootlog_allowing },
	{ "SMP: Allowing", bootlog_allowing },
	{ "CPU topo: Allowing", bootlog_topo },
	{ "smp: Brought up", bootlog_brought_up },
	{ "Brought up", bootlog_brought_up },
	{ "SMP: Total of", bootlog_brought_up },
	{ "SLUB:", bootlog_slub },
	{ "setup_percpu:", bootlog_setup_percpu },
};

static void read_line(struct log *l, const char *line)
{
	const char *text = skip_blanks(line[0] == '#' ? line : bootlog_text(line));

	if (!*text)
		return;
	l->after_map = true;
	if (strncmp(text, "node ", 5))
		l->early_ranges = false;
	for (size_t i = 0; i < sizeof(lines_known) / sizeof(lines_known[0]); i++) {
		const char *rest = text;

		if (scan_word(&rest, lines_known[i].key)) {
			lines_known[i].fn(l, rest);
			return;
		}
	}
	if (strstr(text, "MB HIGHMEM available") || strstr(text, "MB LOWMEM available"))
		l->saw_highmem = true;
}

bool bootlog_recognise(const struct text *text)
{
	static const char *const marks[] = { "BIOS-e820:", "Linux version ", "Early memory node ranges",
					     "BIOS-provided physical RAM map", "Zone ranges:", "Xen: [mem" };
	struct lines lines = { .text = text };
	bool found = false;
	char *line;

	while (!found && (line = lines_next(&lines)))
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			found |= strstr(line, marks[i]) != NULL;
	lines_free(&lines);
	return found;
}

/* ---- Conclusions ---- */

static unsigned int pfn_bits(u64 pfns)
{
	unsigned int bits = 0;

	while (bits < 52 && (u64)1 << bits < pfns)
		bits++;
	return bits + PAGE_SHIFT;
}

static void conclude_arch(struct log *l)
{
	struct machine_desc *m = l->m;
	unsigned int bits = l->max_arch_pfn ? pfn_bits(l->max_arch_pfn) : 0;

	m->arch = BOOT_ARCH_X86_64;
	m->foreign &= !m->map_nr;
	if (l->arm64 || m->foreign) {
		m->arch = BOOT_ARCH_ARM64;
		m->foreign |= l->saw_highmem;
		if (m->foreign)
			machine_warn(m, 0, "neither an x86 nor an arm64 machine: arm64's zones are used");
		if (l->zone_end[0] & 1)
			m->zone_dma_end = (l->zone_end[0] | 1) + 1;
		if (l->zone_end[1] & 1)
			m->zone_dma32_end = (l->zone_end[1] | 1) + 1;
	} else if (l->saw_highmem || (bits && bits <= 36 && !l->saw_dma32)) {
		m->arch = bits > 32 ? BOOT_ARCH_I386_PAE : BOOT_ARCH_I386;
	}
	/* every NUMA kernel says so between the map and the zonelists, if all of that is there */
	m->no_numa = l->saw_built && l->saw_zones && !l->saw_numa && !m->mem_affinity_nr && !m->cpus_nr;
	if (m->arch != BOOT_ARCH_ARM64)
		m->max_phys_bits = bits > 52 ? 52 : bits;
}

/* A log without a firmware map: what other lines say about it. */
static int conclude_map(struct log *l, bool cut)
{
	struct machine_desc *m = l->m;
	bool limits = m->cmdline && (strstr(m->cmdline, "mem=") || strstr(m->cmdline, "memmap="));
	struct machine_desc *from = l->user.map_nr ? &l->user : &l->early;

	if (m->map_nr && l->user_map && !limits && l->user.map_nr) {
		machine_warn(m, 0, "a user-defined map, but no mem= or memmap= on the command line: that map is used");
		m->map_nr = 0;
	}
	if (m->map_nr) {
		if (!l->after_map || (cut && !l->saw_last_pfn && !l->saw_zones))
			machine_warn(m, l->line, "the log ends here, within or soon after the memory map: memory may "
					      "be missing");
		return 0;
	}
	if (!from->map_nr)
		return machine_error(m, l->line,
				     "no memory map: expected lines such as 'BIOS-e820: [mem 0x0000000000000000-"
				     "0x000000000009fbff] usable' or 'Early memory node ranges' up to here");
	if (!l->arm64 && from == &l->early)
		machine_warn(m, 0, "no firmware map: the early memory node ranges are used");
	for (unsigned int i = 0; i < from->map_nr; i++)
		machine_push(m, map, from->map[i]);
	if (from != &l->early || m->mem_affinity_nr || l->fake_node)
		return 0;
	for (unsigned int i = 1; i < from->mem_affinity_nr; i++) {
		if (from->mem_affinity[i].pxm == from->mem_affinity[0].pxm)
			continue;
		for (unsigned int k = 0; k < from->mem_affinity_nr; k++)
			machine_push(m, mem_affinity, from->mem_affinity[k]);
		break;
	}
	return 0;
}

int bootlog_read(struct machine_desc *m, const struct text *text)
{
	struct lines lines = { .text = text };
	struct log l = { .m = m };
	char *line;
	int ret;

	machine_init(&l.early, "");
	machine_init(&l.user, "");
	while ((line = lines_next(&lines))) {
		l.line = lines.number;
		read_line(&l, line);
	}
	lines_free(&lines);
	if (l.saw_last_pfn)
		m->edits_nr = l.edits_seen;
	conclude_arch(&l);
	ret = conclude_map(&l, !lines.ended);
	if (!ret)
		bootlog_conclude_cpus(&l);
	machine_free(&l.early);
	machine_free(&l.user);
	free(l.node_cpus);
	free((char *)l.version_line);
	return ret;
}
