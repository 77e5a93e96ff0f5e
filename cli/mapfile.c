// SPDX-License-Identifier: MIT
/* Octavo's own map files: a machine in a few lines written by hand. The format is docs/map-format.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

struct map_reader {
	struct machine_desc *m;
	unsigned int line;
	unsigned int rows; /* distance lines so far */
};

static int bad(struct map_reader *r, const char *expected, const char *found)
{
	return machine_error(r->m, r->line, "expected %s, found '%.60s'", expected,
			     *found ? found : "the end of the line");
}

/* "A-B" (B not included), "A+SIZE", or "[mem A-B]" (B included). Sizes with K M G T P E. */
static int scan_span(struct map_reader *r, const char **p, struct bootinfo_span *span)
{
	const char *s = *p;
	bool inclusive = scan_word(&s, "[mem");
	u64 a, b;
	char op;

	if (!scan_size(&s, &a))
		return bad(r, "an address such as 0x100000 or 3G", s);
	s = skip_blanks(s);
	op = *s;
	if (op != '-' && op != '+')
		return bad(r, "'-END' or '+SIZE' after the address", s);
	s = skip_blanks(s + 1);
	if (!scan_size(&s, &b))
		return bad(r, "an end or a size", s);
	if (inclusive) {
		if (op != '-' || *s != ']')
			return bad(r, "']' after the last address", s);
		s++;
		b = b == ~(u64)0 ? b : b + 1;
	}
	if (*s && *s != ' ')
		return bad(r, "a blank after the range", s);
	if (op == '-' && b <= a)
		return bad(r, "an end above the start", *p);
	if (op == '+' && (!b || b > ~a))
		return bad(r, "a size that is not 0 and stays within 64 bits", *p);
	*span = (struct bootinfo_span){ a, op == '-' ? b - a : b };
	*p = skip_blanks(s);
	return 0;
}

static int scan_count(struct map_reader *r, const char **p, u64 from, u64 to, const char *what, u64 *value)
{
	const char *s = *p;

	if (!scan_number(&s, 10, value) || *value < from || *value > to || (*s && *s != ' ')) {
		char expected[96];

		snprintf(expected, sizeof(expected), "%s from %llu to %llu", what, (unsigned long long)from,
			 (unsigned long long)to);
		return bad(r, expected, *p);
	}
	*p = skip_blanks(s);
	return 0;
}

static int at_end(struct map_reader *r, const char *p)
{
	return *p && *p != '#' ? bad(r, "the end of the line", p) : 0;
}

/* "[node N] [hotplug] [nonvolatile]" behind a range */
static int affinity(struct map_reader *r, const char *p, struct bootinfo_span span, bool node_known, u64 node)
{
	struct bootinfo_mem_affinity new = { span.start, span.size, 0, BOOT_MEM_ENABLED };

	for (;;) {
		if (scan_word(&p, "node ")) {
			if (scan_count(r, &p, 0, MAX_NUMNODES - 1, "a node", &node))
				return -EINVAL;
			node_known = true;
		} else if (scan_word(&p, "hotplug")) {
			new.flags |= BOOT_MEM_HOTPLUG;
		} else if (scan_word(&p, "nonvolatile")) {
			new.flags |= BOOT_MEM_NONVOLATILE;
		} else {
			break;
		}
	}
	if (at_end(r, p))
		return -EINVAL;
	if (!node_known && new.flags != BOOT_MEM_ENABLED)
		return bad(r, "'node N' with hotplug or nonvolatile", "none");
	new.pxm = (u32)node;
	if (node_known)
		machine_push(r->m, mem_affinity, new);
	return 0;
}

static int add_memory(struct map_reader *r, const char *p, u32 type)
{
	struct bootinfo_span span;

	if (scan_span(r, &p, &span))
		return -EINVAL;
	machine_push(r->m, map, { span.start, span.size, type });
	return affinity(r, p, span, false, 0);
}

static int on_type(struct map_reader *r, const char *p)
{
	u64 type;

	return scan_count(r, &p, 1, 0xffffffffu, "a type number", &type) ? -EINVAL : add_memory(r, p, (u32)type);
}

static int on_node(struct map_reader *r, const char *p)
{
	struct bootinfo_span span;
	u64 node;

	if (scan_count(r, &p, 0, MAX_NUMNODES - 1, "a node", &node) || scan_span(r, &p, &span))
		return -EINVAL;
	return affinity(r, p, span, true, node);
}

static int on_cpu(struct map_reader *r, const char *p)
{
	u64 count, node = BOOT_PXM_NONE;

	if (scan_count(r, &p, 1, NR_CPUS, "a number of CPUs", &count))
		return -EINVAL;
	if (scan_word(&p, "node ") && scan_count(r, &p, 0, MAX_NUMNODES - 1, "a node", &node))
		return -EINVAL;
	if (count > NR_CPUS - r->m->cpus_nr)
		return machine_error(r->m, r->line, "more than %u CPUs", NR_CPUS);
	while (count--) {
		u32 id = r->m->cpus_nr;

		machine_push(r->m, cpus, { id, (u32)node });
	}
	return at_end(r, p);
}

static int on_possible(struct map_reader *r, const char *p)
{
	u64 count;

	if (scan_count(r, &p, 1, NR_CPUS, "a number of CPUs", &count))
		return -EINVAL;
	r->m->cpus_possible = (unsigned int)count;
	return at_end(r, p);
}

static int on_distance(struct map_reader *r, const char *p)
{
	unsigned int columns = 0;
	u8 row[MAX_NUMNODES];
	u64 d;

	while (*p && *p != '#') {
		if (columns == MAX_NUMNODES)
			return bad(r, "at most 64 distances", p);
		if (scan_count(r, &p, 1, 255, "a distance", &d))
			return -EINVAL;
		row[columns++] = (u8)d;
	}
	if (!columns || (r->rows && columns != r->m->distance_nr))
		return machine_error(r->m, r->line, "expected %u distances, found %u", r->m->distance_nr, columns);
	if (r->rows == columns)
		return machine_error(r->m, r->line, "more than %u distance lines", columns);
	r->m->distance_nr = columns;
	if (!r->rows)
		r->m->distance = cli_resize(r->m->distance, (size_t)columns * columns);
	memcpy(r->m->distance + (size_t)columns * r->rows++, row, columns);
	return 0;
}

static int on_arch(struct map_reader *r, const char *p)
{
	static const char *const names[] = { "x86-64", "i386", "i386-pae", "arm64" };
	size_t len = strcspn(p, " ");

	for (unsigned int i = 0; i < 4; i++) {
		if (len == strlen(names[i]) && !strncmp(p, names[i], len)) {
			r->m->arch = (enum boot_arch)i;
			return at_end(r, skip_blanks(p + len));
		}
	}
	return bad(r, "x86-64, i386, i386-pae or arm64", p);
}

static int on_cmdline(struct map_reader *r, const char *p)
{
	machine_append_cmdline(r->m, p);
	return 0;
}

static int on_initrd(struct map_reader *r, const char *p)
{
	return scan_span(r, &p, &r->m->initrd) ? -EINVAL : at_end(r, p);
}

static int on_keep(struct map_reader *r, const char *p)
{
	struct bootinfo_span span;

	if (scan_span(r, &p, &span))
		return -EINVAL;
	machine_push(r->m, reserved, span);
	return at_end(r, p);
}

static int on_remove(struct map_reader *r, const char *p)
{
	struct bootinfo_span span;

	if (scan_span(r, &p, &span))
		return -EINVAL;
	machine_push(r->m, edits, { span.start, span.size, E820_TYPE_GAP, E820_TYPE_GAP });
	return at_end(r, p);
}

/* "kernel code 14M rodata 5M data 3M init 2M bss 4M": sizes; the place is chosen */
static int on_kernel(struct map_reader *r, const char *p)
{
	static const char *const names[] = { "code ", "rodata ", "data ", "init ", "bss " };
	int found = 0;

	for (int i = 0; i < IMAGE_PARTS; i++) {
		u64 size;

		if (!scan_word(&p, names[i]))
			continue;
		if (!scan_size(&p, &size) || size > 1u << 30)
			return bad(r, "a size of at most 1G", p);
		r->m->image[i] = (struct bootinfo_span){ 0, size };
		p = skip_blanks(p);
		found++;
	}
	return found ? at_end(r, p) : bad(r, "code, rodata, data, init or bss with a size, in this order", p);
}

static int on_physbits(struct map_reader *r, const char *p)
{
	u64 bits;

	if (scan_count(r, &p, 32, 52, "a number of address bits", &bits))
		return -EINVAL;
	r->m->max_phys_bits = (unsigned int)bits;
	return at_end(r, p);
}

static int zone_end(struct map_reader *r, const char *p, phys_addr_t *end)
{
	u64 value;

	if (!scan_size(&p, &value) || value & (PAGE_SIZE - 1))
		return bad(r, "an address at a whole page", p);
	*end = value;
	return at_end(r, skip_blanks(p));
}

static int on_zone_dma(struct map_reader *r, const char *p)
{
	return zone_end(r, p, &r->m->zone_dma_end);
}

static int on_zone_dma32(struct map_reader *r, const char *p)
{
	return zone_end(r, p, &r->m->zone_dma32_end);
}

static const struct {
	const char *word;
	int (*fn)(struct map_reader *r, const char *rest);
	u32 type; /* when fn is NULL */
} words[] = {
	{ "ram", NULL, E820_TYPE_RAM },
	{ "reserved", NULL, E820_TYPE_RESERVED },
	{ "acpi", NULL, E820_TYPE_ACPI },
	{ "nvs", NULL, E820_TYPE_NVS },
	{ "unusable", NULL, E820_TYPE_UNUSABLE },
	{ "pmem", NULL, E820_TYPE_PMEM },
	{ "pram", NULL, E820_TYPE_PRAM },
	{ "soft-reserved", NULL, E820_TYPE_SOFT_RESERVED },
	{ "type", on_type, 0 },
	{ "node", on_node, 0 },
	{ "cpu", on_cpu, 0 },
	{ "possible", on_possible, 0 },
	{ "distance", on_distance, 0 },
	{ "arch", on_arch, 0 },
	{ "cmdline", on_cmdline, 0 },
	{ "initrd", on_initrd, 0 },
	{ "keep", on_keep, 0 },
	{ "remove", on_remove, 0 },
	{ "kernel", on_kernel, 0 },
	{ "physbits", on_physbits, 0 },
	{ "zone-dma", on_zone_dma, 0 },
	{ "zone-dma32", on_zone_dma32, 0 },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

/* Index of the word that @p begins with, whole; WORDS: none. */
static size_t find_word(const char *p)
{
	size_t len = strcspn(p, " "), i = 0;

	while (i < WORDS && (strlen(words[i].word) != len || strncmp(p, words[i].word, len)))
		i++;
	return i;
}

bool mapfile_recognise(const struct text *text)
{
	struct lines lines = { .text = text };
	const char *p = "";
	bool found;
	char *line;

	while ((line = lines_next(&lines))) {
		p = skip_blanks(line);
		if (*p && *p != '#')
			break;
	}
	found = line && find_word(p) < WORDS;
	lines_free(&lines);
	return found;
}

static int read_line(struct map_reader *r, const char *line)
{
	const char *p = skip_blanks(line);
	size_t i;

	if (!*p || *p == '#')
		return 0;
	i = find_word(p);
	if (i == WORDS)
		return bad(r, "a word such as ram, reserved, cpu, node, distance or cmdline", p);
	p = skip_blanks(p + strlen(words[i].word));
	return words[i].fn ? words[i].fn(r, p) : add_memory(r, p, words[i].type);
}

int mapfile_read(struct machine_desc *m, const struct text *text)
{
	struct map_reader r = { .m = m };
	struct lines lines = { .text = text };
	int ret = 0;
	char *line;

	while (!ret && (line = lines_next(&lines))) {
		r.line = lines.number;
		ret = read_line(&r, line);
	}
	lines_free(&lines);
	if (ret)
		return ret;
	if (r.rows != m->distance_nr)
		return machine_error(m, 0, "%u distance lines of %u numbers: as many lines as numbers are needed",
				     r.rows, m->distance_nr);
	if (!m->map_nr)
		return machine_error(m, 0, "no memory: a line such as 'ram 0-4G' is needed");
	return 0;
}
