// SPDX-License-Identifier: MIT
/*
 * Where machines come from: files recognised by what is in them, and the machine this runs on, with what an
 * ordinary user may read there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

/* Boot logs are well below; more is not a text about a machine. */
#define FILE_BYTES_MAX ((size_t)64 << 20)

/* The whole of a file, NULL with errno set. */
static char *read_all(FILE *f, size_t *len)
{
	size_t size = 0, got;
	char *data = NULL;

	*len = 0;
	do {
		if (size - *len < 4096)
			data = cli_resize(data, size = size ? size * 2 : 65536);
		got = fread(data + *len, 1, size - *len - 1, f);
		*len += got;
		if (*len > FILE_BYTES_MAX) {
			free(data);
			errno = EFBIG;
			return NULL;
		}
	} while (got);
	if (ferror(f)) {
		free(data);
		return NULL;
	}
	data[*len] = 0;
	return data;
}

/* @path "-": standard input. False with m->error set. */
static bool load(struct machine_desc *m, const char *path, struct text *text)
{
	bool standard = !strcmp(path, "-");
	FILE *f = standard ? stdin : fopen(path, "r");
	char *data = f ? read_all(f, &text->len) : NULL;

	if (!data)
		machine_error(m, 0, "%s", strerror(errno));
	if (f && !standard)
		fclose(f);
	text->name = m->name;
	text->data = data;
	return data != NULL;
}

static int read_text(struct machine_desc *m, const struct text *text)
{
	if (!text->len)
		return machine_error(m, 0, "empty");
	if (mapfile_recognise(text))
		return mapfile_read(m, text);
	if (bootlog_recognise(text))
		return bootlog_read(m, text);
	if (iomem_recognise(text))
		return iomem_read(m, text);
	return machine_error(m, 0,
			     "neither a boot log (no 'BIOS-e820:' or 'Early memory node ranges' line), nor a "
			     "/proc/iomem ('00001000-0009ffff : System RAM'), nor an Octavo map ('ram 0-4G')");
}

static int read_file(struct machine_desc *m, const char *path)
{
	struct text text;
	int ret;

	if (!load(m, path, &text))
		return -EINVAL;
	ret = read_text(m, &text);
	free((char *)text.data);
	return ret;
}

/* ---- This machine ---- */

/* First line of a file below @root; NULL: not readable. The caller frees it. */
static char *first_line(const char *root, const char *path)
{
	char *full = cli_format("%s%s", root, path), line[4200];
	FILE *f = fopen(full, "r");
	bool ok = f && fgets(line, sizeof(line), f);

	if (f)
		fclose(f);
	free(full);
	if (!ok)
		return NULL;
	line[strcspn(line, "\n")] = 0;
	return cli_strdup(line);
}

/* Calls @fn with each number of a list such as "0-3,8,10-11". */
static void each_in_list(const char *list, void (*fn)(void *ctx, unsigned int n), void *ctx)
{
	const char *p = list;
	u64 first, last;

	while (scan_number(&p, 10, &first)) {
		last = first;
		if (*p == '-') {
			p++;
			if (!scan_number(&p, 10, &last))
				return;
		}
		for (u64 n = first; n <= last && n < NR_CPUS; n++)
			fn(ctx, (unsigned int)n);
		if (*p++ != ',')
			return;
	}
}

struct local {
	struct machine_desc *m;
	const char *root;
	u32 *pxm_of; /* of each CPU */
	unsigned int node, distance_nr;
	u64 block;   /* bytes of a memory block, 0: unknown */
};

static void on_present_cpu(void *ctx, unsigned int cpu)
{
	struct local *local = ctx;

	machine_push(local->m, cpus, { cpu, local->pxm_of[cpu] });
}

static void on_possible_cpu(void *ctx, unsigned int cpu)
{
	(void)cpu;
	((struct local *)ctx)->m->cpus_possible++;
}

static void on_node_cpu(void *ctx, unsigned int cpu)
{
	struct local *local = ctx;

	local->pxm_of[cpu] = local->node;
}

static void read_distances(struct local *local)
{
	char *path = cli_format("/sys/devices/system/node/node%u/distance", local->node);
	char *line = first_line(local->root, path);
	const char *p = line ? line : "";
	struct machine_desc *m = local->m;
	unsigned int column = 0;
	u64 d;

	while (scan_number(&p, 10, &d) && d <= 255 && column < local->distance_nr) {
		m->distance[local->node * local->distance_nr + column++] = (u8)d;
		p = skip_blanks(p);
	}
	free(line);
	free(path);
}

/* A node's memory: nodeN/memoryK stands for the bytes [K x block, (K + 1) x block). */
static void read_node_memory(struct local *local)
{
	u64 blocks = 0;

	for (unsigned int i = 0; i < local->m->map_nr; i++) {
		const struct bootinfo_range *r = &local->m->map[i];

		if (r->type == E820_TYPE_RAM && r->start + r->size > blocks * local->block)
			blocks = (r->start + r->size + local->block - 1) / local->block;
	}
	for (u64 k = 0; k < blocks; k++) {
		char *path = cli_format("%s/sys/devices/system/node/node%u/memory%llu", local->root, local->node,
					(unsigned long long)k);
		struct machine_desc *m = local->m;
		struct bootinfo_mem_affinity *last =
			m->mem_affinity_nr ? &m->mem_affinity[m->mem_affinity_nr - 1] : NULL;

		if (access(path, F_OK) == 0) {
			if (last && last->pxm == local->node && last->start + last->size == k * local->block)
				last->size += local->block;
			else
				machine_push(m, mem_affinity,
					     { k * local->block, local->block, local->node, BOOT_MEM_ENABLED });
		}
		free(path);
	}
}

static void on_node(void *ctx, unsigned int node)
{
	struct local *local = ctx;
	char *path, *cpus;

	if (node >= local->distance_nr)
		return;
	path = cli_format("/sys/devices/system/node/node%u/cpulist", node);
	cpus = first_line(local->root, path);
	local->node = node;
	if (cpus)
		each_in_list(cpus, on_node_cpu, local);
	if (local->distance_nr > 1) {
		read_distances(local);
		if (local->block)
			read_node_memory(local);
	}
	free(cpus);
	free(path);
}

static void on_node_count(void *ctx, unsigned int node)
{
	struct local *local = ctx;

	if (node < MAX_NUMNODES && node >= local->distance_nr)
		local->distance_nr = node + 1;
}

/* CPUs and nodes, from /sys/devices/system. */
static void read_topology(struct machine_desc *m, const char *root)
{
	struct local local = { .m = m, .root = root };
	char *nodes = first_line(root, "/sys/devices/system/node/online");
	char *present = first_line(root, "/sys/devices/system/cpu/present");
	char *possible = first_line(root, "/sys/devices/system/cpu/possible");
	char *block = first_line(root, "/sys/devices/system/memory/block_size_bytes");
	const char *p = block ? block : "";

	local.pxm_of = cli_alloc(NR_CPUS * sizeof(u32));
	memset(local.pxm_of, 0xff, NR_CPUS * sizeof(u32));
	if (!scan_number(&p, 16, &local.block) || local.block < 1u << 20)
		local.block = 0;
	each_in_list(nodes ? nodes : "", on_node_count, &local);
	if (local.distance_nr > 1) {
		m->distance_nr = local.distance_nr;
		m->distance = cli_resize(NULL, m->distance_nr * m->distance_nr);
		for (unsigned int i = 0; i < m->distance_nr * m->distance_nr; i++)
			m->distance[i] = i % (m->distance_nr + 1) ? 20 : 10;
	}
	each_in_list(nodes ? nodes : "", on_node, &local);
	each_in_list(present ? present : "0", on_present_cpu, &local);
	each_in_list(possible ? possible : "0", on_possible_cpu, &local);
	free(local.pxm_of);
	free(nodes);
	free(present);
	free(possible);
	free(block);
}

/* Only the amount is known: laid out as on a PC, with a hole of 1 GiB below 4 GiB. */
static int guess_map(struct machine_desc *m, const char *root)
{
	const u64 hole = (u64)3 << 30, above = (u64)4 << 30;
	char *line = first_line(root, "/proc/meminfo");
	const char *p = line ? line : "";
	u64 kib, size;

	if (!scan_word(&p, "MemTotal:") || !scan_number(&p, 10, &kib) || kib > (u64)1 << 40) {
		free(line);
		return machine_error(m, 0, "no map: %s/sys/firmware/memmap, /proc/iomem and /proc/meminfo cannot be "
				     "read", root);
	}
	free(line);
	size = ((kib << 10) + ((u64)128 << 20) - 1) & ~(((u64)128 << 20) - 1);
	machine_warn(m, 0, "the firmware's map is not readable: %llu MiB laid out as on a PC",
		     (unsigned long long)size >> 20);
	machine_push(m, map, { 0, 0x9fc00, E820_TYPE_RAM });
	machine_push(m, map, { 0x9fc00, 0x400, E820_TYPE_RESERVED });
	machine_push(m, map, { 0xf0000, 0x10000, E820_TYPE_RESERVED });
	machine_push(m, map, { 0x100000, (size < hole ? size : hole) - 0x100000, E820_TYPE_RAM });
	if (size > hole)
		machine_push(m, map, { above, size - hole, E820_TYPE_RAM });
	return 0;
}

/* /proc/iomem is readable by all, but shows zeros to all but root. */
static bool read_local_iomem(struct machine_desc *m, const char *root, bool only_image)
{
	struct machine_desc scratch;
	struct text text;
	bool ok;

	machine_init(&scratch, "/proc/iomem");
	char *path = cli_format("%s/proc/iomem", root);

	ok = load(&scratch, path, &text);
	free(path);
	if (ok) {
		ok = iomem_read(&scratch, &text) == 0;
		free((char *)text.data);
	}
	if (ok) {
		memcpy(m->image, scratch.image, sizeof(m->image));
		for (unsigned int i = 0; !only_image && i < scratch.map_nr; i++)
			machine_push(m, map, scratch.map[i]);
	}
	machine_free(&scratch);
	return ok;
}

static int read_local(struct machine_desc *m, const char *root)
{
	char *memmap = cli_format("%s/sys/firmware/memmap", root), *cmdline;
	bool from_firmware = firmware_memmap_read(m, memmap) == 0;

	free(memmap);
	if (!read_local_iomem(m, root, from_firmware) && !from_firmware && guess_map(m, root))
		return -EINVAL;
	cmdline = first_line(root, "/proc/cmdline");
	if (cmdline)
		machine_set_cmdline(m, cmdline);
	free(cmdline);
	read_topology(m, root);
#if defined(__aarch64__)
	m->arch = BOOT_ARCH_ARM64;
#elif defined(__i386__)
	/* a 32-bit command on a 64-bit kernel describes the machine, which is 64-bit */
	m->arch = sizeof(long) == 4 && access("/lib64", F_OK) ? BOOT_ARCH_I386_PAE : BOOT_ARCH_X86_64;
#endif
	return 0;
}

int machine_read(struct machine_desc *m, const char *path, const char *root)
{
	struct stat st;

	if (!path)
		return read_local(m, root);
	if (strcmp(path, "-") && !stat(path, &st) && S_ISDIR(st.st_mode)) {
		if (firmware_memmap_read(m, path))
			return machine_error(m, 0, "a directory, but without 0/start, 0/end and 0/type, unlike "
						   "/sys/firmware/memmap");
		return 0;
	}
	return read_file(m, path);
}

int machine_read_slit(struct machine_desc *m, const char *path)
{
	struct text text;
	int ret;

	if (!load(m, path, &text))
		return -EINVAL;
	ret = slit_read(m, &text);
	free((char *)text.data);
	return ret;
}
