// SPDX-License-Identifier: MIT
/*
 * /proc/iomem: "  START-END : NAME" lines, last byte inclusive, two blanks deeper for what lies inside.
 *
 * The tree shows the firmware's map as the kernel left it: page 0 and 640K-1M have been taken from the RAM, and
 * "RAM buffer" is an output. What lies inside RAM is the kernel's image and what it keeps from use.
 * Source: Documentation/filesystems/proc.rst.
 */
#include <string.h>
#include <strings.h>

#include "machine.h"

struct entry {
	unsigned int depth;
	u64 first, last;
	const char *name;
};

static bool parse(const char *line, struct entry *e)
{
	const char *p = skip_blanks(line);

	e->depth = (unsigned int)(p - line) / 2;
	if (!scan_number(&p, 16, &e->first) || *p++ != '-' || !scan_number(&p, 16, &e->last))
		return false;
	p = skip_blanks(p);
	if (*p++ != ':' || *p != ' ')
		return false;
	e->name = skip_blanks(p);
	return *e->name && e->first <= e->last;
}

bool iomem_recognise(const struct text *text)
{
	struct lines lines = { .text = text };
	unsigned int good = 0, bad = 0;
	struct entry e;
	char *line;

	while (good + bad < 16 && (line = lines_next(&lines))) {
		const char *p = skip_blanks(line);

		if (*p && *p != '#')
			*(parse(line, &e) ? &good : &bad) += 1;
	}
	lines_free(&lines);
	return good > bad;
}

/* A direct part of the map; false: a device, a bus, an output. */
static bool map_type(const char *name, u32 *type)
{
	static const struct {
		const char *name;
		u32 type;
	} names[] = {
		{ "System RAM", E820_TYPE_RAM },
		{ "Reserved", E820_TYPE_RESERVED },
		{ "ACPI Tables", E820_TYPE_ACPI },
		{ "ACPI Non-volatile Storage", E820_TYPE_NVS },
		{ "Unusable memory", E820_TYPE_UNUSABLE },
		{ "Persistent Memory", E820_TYPE_PMEM },
		{ "Persistent Memory (legacy)", E820_TYPE_PRAM },
		{ "Soft Reserved", E820_TYPE_SOFT_RESERVED },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcasecmp(name, names[i].name)) {
			*type = names[i].type;
			return true;
		}
	}
	return false;
}

static void inside_ram(struct machine_desc *m, const struct entry *e)
{
	static const struct {
		const char *name;
		int part;
	} parts[] = { { "Kernel code", IMAGE_TEXT },
		      { "Kernel rodata", IMAGE_RODATA },
		      { "Kernel data", IMAGE_DATA },
		      { "Kernel bss", IMAGE_BSS } };
	struct bootinfo_span span = { e->first, e->last - e->first + 1 };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!strcasecmp(e->name, parts[i].name)) {
			m->image[parts[i].part] = span;
			return;
		}
	}
	if (!strcasecmp(e->name, "reserved") || !strcmp(e->name, "Crash kernel"))
		machine_push(m, reserved, span);
}

int iomem_read(struct machine_desc *m, const struct text *text)
{
	bool x86 = false, arm64 = false, hidden = true;
	unsigned int entries = 0, ram_depth = ~0u, count = 0;
	struct lines lines = { .text = text };
	struct entry e;
	char *line;

	while ((line = lines_next(&lines))) {
		u32 type;

		if (!*skip_blanks(line) || *skip_blanks(line) == '#')
			continue;
		if (!parse(line, &e)) {
			machine_warn(m, lines.number, "line left out: expected 'START-END : NAME', found '%.60s'",
				     line);
			continue;
		}
		entries++;
		hidden &= e.last == 0;
		x86 |= !strcmp(e.name, "System ROM") || !strcmp(e.name, "Local APIC") || !strncmp(e.name, "IOAPIC", 6);
		if (e.depth <= ram_depth)
			ram_depth = ~0u;
		if (ram_depth != ~0u) {
			arm64 |= !strcmp(e.name, "reserved");
			inside_ram(m, &e);
		} else if (map_type(e.name, &type)) {
			machine_push(m, map, machine_range(e.first, e.last, type));
			count += type == E820_TYPE_RAM;
			if (type == E820_TYPE_RAM)
				ram_depth = e.depth;
		}
	}
	lines_free(&lines);
	if (entries && hidden)
		return machine_error(m, 0,
				     "every address is zero: /proc/iomem shows addresses to root only "
				     "(copy it with 'sudo cat /proc/iomem')");
	if (!count)
		return machine_error(m, 0, "no 'System RAM' line among %u", entries);
	m->arch = arm64 && !x86 ? BOOT_ARCH_ARM64 : BOOT_ARCH_X86_64;
	return 0;
}
