// SPDX-License-Identifier: MIT
/* Machine descriptions: collecting facts, completing them, and the bootinfo they become. */
#include "machine.h"

#include <octavo/types.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *cli_resize(void *p, size_t size)
{
	void *new = realloc(p, size ? size : 1);

	if (!new) {
		fprintf(stderr, "octavo: out of memory (%zu bytes wanted)\n", size);
		exit(1);
	}
	return new;
}

void *cli_alloc(size_t size)
{
	return memset(cli_resize(NULL, size), 0, size);
}

char *cli_strdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(cli_resize(NULL, size), s, size);
}

char *cli_format(const char *fmt, ...)
{
	va_list args, again;
	char *text;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	text = cli_resize(NULL, len < 0 ? 1 : (size_t)len + 1);
	text[0] = 0;
	if (len >= 0)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}

void *cli_grow(void *array, unsigned int nr, size_t size)
{
	if (nr & (nr - 1))
		return array;
	return cli_resize(array, (nr ? (size_t)nr * 2 : 1) * size);
}

void machine_init(struct machine_desc *m, const char *name)
{
	memset(m, 0, sizeof(*m));
	m->name = cli_strdup(name);
}

void machine_free(struct machine_desc *m)
{
	free(m->name);
	free(m->cmdline);
	free(m->version);
	free(m->map);
	free(m->edits);
	free(m->mem_affinity);
	free(m->cpus);
	free(m->reserved);
	free(m->distance);
	free(m->warnings);
	free(m->error);
	memset(m, 0, sizeof(*m));
}

#define WARNINGS_SHOWN 20

static char *message(const struct machine_desc *m, unsigned int line, const char *fmt, va_list args)
{
	char text[600];

	vsnprintf(text, sizeof(text), fmt, args);
	for (char *p = text; *p; p++) /* it may quote what is no text */
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	return line ? cli_format("%s:%u: %s", m->name, line, text) : cli_format("%s: %s", m->name, text);
}

void machine_warn(struct machine_desc *m, unsigned int line, const char *fmt, ...)
{
	char *text, *all;
	va_list args;

	if (m->warnings_nr++ >= WARNINGS_SHOWN)
		return;
	va_start(args, fmt);
	text = message(m, line, fmt, args);
	va_end(args);
	all = cli_format("%s%s\n", m->warnings ? m->warnings : "", text);
	free(m->warnings);
	free(text);
	m->warnings = all;
}

int machine_error(struct machine_desc *m, unsigned int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	free(m->error);
	m->error = message(m, line, fmt, args);
	va_end(args);
	return -EINVAL;
}

void machine_set_cmdline(struct machine_desc *m, const char *cmdline)
{
	free(m->cmdline);
	m->cmdline = cli_strdup(cmdline);
}

/* Where " --" stands in a command line, behind which all is init's: its length if nowhere. */
static size_t kernel_part(const char *cmdline)
{
	const char *p = cmdline;

	if (!strncmp(p, "--", 2) && (!p[2] || p[2] == ' '))
		return 0;
	while ((p = strstr(p, " --")))
		if (!*(p += 3) || *p == ' ')
			return (size_t)(p - 3 - cmdline);
	return strlen(cmdline);
}

void machine_append_cmdline(struct machine_desc *m, const char *more)
{
	char *old = m->cmdline;
	size_t len = old ? kernel_part(old) : 0;

	m->cmdline = cli_format("%.*s%s%s%s%s", (int)len, old ? old : "", len ? " " : "", more,
				len || !old || !*old ? "" : " ", old ? old + len : "");
	free(old);
}

struct bootinfo_range machine_range(u64 first, u64 last, u32 type)
{
	struct bootinfo_range range = { first, last - first + 1, type };

	if (!range.size)
		range.size = ~(u64)0;
	return range;
}

void machine_set_cpus(struct machine_desc *m, unsigned int count)
{
	u32 pxms[MAX_NUMNODES];
	unsigned int pxms_nr = 0, next = 0;

	for (unsigned int i = 0; i < m->mem_affinity_nr; i++) {
		unsigned int k = 0;

		while (k < pxms_nr && pxms[k] != m->mem_affinity[i].pxm)
			k++;
		if (k == pxms_nr && pxms_nr < MAX_NUMNODES)
			pxms[pxms_nr++] = m->mem_affinity[i].pxm;
	}
	if (m->cpus_nr > count)
		m->cpus_nr = count;
	while (m->cpus_nr < count) {
		u32 pxm = pxms_nr ? pxms[next++ % pxms_nr] : BOOT_PXM_NONE;
		u32 id = 0;

		for (unsigned int i = 0; i < m->cpus_nr; i++)
			if (m->cpus[i].apic_id >= id)
				id = m->cpus[i].apic_id + 1;
		machine_push(m, cpus, { id, pxm });
	}
	m->cpus_possible = count;
}

static bool overlaps(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

/* Is [start, start + size) usable all of it, in one entry, and free of what is already placed? */
static bool image_fits(const struct machine_desc *m, u64 start, u64 size)
{
	bool inside = false;

	if (overlaps(start, size, m->initrd.start, m->initrd.size))
		return false;
	for (unsigned int i = 0; i < m->reserved_nr; i++)
		if (overlaps(start, size, m->reserved[i].start, m->reserved[i].size))
			return false;
	for (unsigned int i = 0; i < m->map_nr; i++) {
		const struct bootinfo_range *r = &m->map[i];

		if (r->type == E820_TYPE_RAM && start >= r->start && size <= r->size &&
		    start - r->start <= r->size - size)
			inside = true;
		else if (overlaps(start, size, r->start, r->size))
			return false;
	}
	for (unsigned int i = 0; i < m->edits_nr; i++)
		if (overlaps(start, size, m->edits[i].start, m->edits[i].size))
			return false;
	return inside;
}

/*
 * A boot log tells how large the kernel's parts are, not where they lie. 16 MiB is where x86 kernels are
 * linked to run; each part begins at a whole 2 MiB there, as one large page maps it.
 */
static void place_image(struct machine_desc *m)
{
	const u64 align = 2u << 20, from = 16u << 20, limit = (u64)512 << 20;
	u64 total = 0;

	for (int i = 0; i < IMAGE_PARTS; i++) {
		if (m->image[i].start)
			return;
		total += (m->image[i].size + align - 1) & ~(align - 1);
	}
	if (!total)
		return;
	for (u64 base = from; base < limit; base += align) {
		if (!image_fits(m, base, total))
			continue;
		for (int i = 0; i < IMAGE_PARTS; i++) {
			m->image[i].start = base;
			base += (m->image[i].size + align - 1) & ~(align - 1);
		}
		return;
	}
	machine_warn(m, 0, "no place for the kernel image of %llu KiB: left out", (unsigned long long)total >> 10);
	memset(m->image, 0, sizeof(m->image));
}

int machine_finish(struct machine_desc *m)
{
	if (!m->map_nr)
		return machine_error(m, 0, "no memory map in it");
	if (m->cpus_nr > NR_CPUS) {
		machine_warn(m, 0, "%u CPUs: only the first %u are used", m->cpus_nr, NR_CPUS);
		m->cpus_nr = NR_CPUS;
	}
	if (m->cpus_possible > NR_CPUS)
		m->cpus_possible = NR_CPUS;
	if (!m->cpus_nr)
		machine_set_cpus(m, 1);
	if (m->cpus_possible < m->cpus_nr)
		m->cpus_possible = m->cpus_nr;
	place_image(m);
	m->info = (struct bootinfo){
		.name = m->name,
		.arch = m->arch,
		.cmdline = m->cmdline,
		.map = m->map,
		.map_nr = m->map_nr,
		.edits = m->edits,
		.edits_nr = m->edits_nr,
		.mem_affinity = m->mem_affinity,
		.mem_affinity_nr = m->mem_affinity_nr,
		.cpus = m->cpus,
		.cpus_nr = m->cpus_nr,
		.cpus_possible = m->cpus_possible,
		.distance = m->distance,
		.distance_nr = m->distance_nr,
		.initrd = m->initrd,
		.kernel_text = m->image[IMAGE_TEXT],
		.kernel_rodata = m->image[IMAGE_RODATA],
		.kernel_data = m->image[IMAGE_DATA],
		.kernel_bss = m->image[IMAGE_BSS],
		.kernel_init = m->image[IMAGE_INIT],
		.reserved = m->reserved,
		.reserved_nr = m->reserved_nr,
		.max_phys_bits = m->max_phys_bits,
		.zone_dma_end = m->zone_dma_end,
		.zone_dma32_end = m->zone_dma32_end,
		.no_numa = m->no_numa,
		.zones = m->zones,
	};
	return 0;
}
