// SPDX-License-Identifier: MIT
#include <octavo/memory_hotplug.h>
#include <octavo/numa.h>

#include "mm/phys/zone.h"
#include "mm/proc/proc.h"
#include "proc_text.h"

#define NODE "/sys/devices/system/node/"
#define MEMORY "/sys/devices/system/memory/"

/* ---- Paths ---- */

static void discard_name(void *ctx, const char *name, bool directory)
{
	(void)ctx;
	(void)name;
	(void)directory;
}

TEST(sysfs, paths_give_linux_errors)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "/", -EISDIR },
		{ "/proc", -EISDIR },
		{ "/proc/", -EISDIR },
		{ "/proc/sys/vm", -EISDIR },
		{ "/sys/devices/system/memory", -EISDIR },
		{ "", -ENOENT },
		{ "proc/buddyinfo", -ENOENT },
		{ "/proc/buddyinf", -ENOENT },
		{ "/proc/buddyinfo2", -ENOENT },
		{ "/proc/buddyinfo/", -ENOTDIR },
		{ "/proc/buddyinfo/x", -ENOTDIR },
		{ "/proc/sys/vm/nonesuch", -ENOENT },
		{ NODE "node00/meminfo", -ENOENT },
		{ NODE "node63/meminfo", -ENOENT },
		{ NODE "node/meminfo", -ENOENT },
		{ NODE "nodex/meminfo", -ENOENT },
		{ NODE "node0/nonesuch", -ENOENT },
		{ NODE "node99999999999999999999/meminfo", -ENOENT },
		{ MEMORY "memory99999999/state", -ENOENT },
		{ "/sys/firmware/memmap/9999/start", -ENOENT },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		int got = octavo_proc_read(cases[i].path, proc_discard, NULL);

		if (got != cases[i].error)
			test_fail(__FILE__, __LINE__, "reading '%s' gives %d, not %d", cases[i].path, got,
				  cases[i].error);
		if (cases[i].error != -EISDIR)
			EXPECT_EQ(octavo_proc_list(cases[i].path, discard_name, NULL), cases[i].error);
		EXPECT_EQ(proc_put(cases[i].path, "1"), cases[i].error);
	}
	EXPECT_EQ(proc_put("/proc/buddyinfo", "1"), -EACCES);
	EXPECT_EQ(octavo_proc_read(NODE "node0", proc_discard, NULL), proc_machine_numa() ? -EISDIR : -ENOENT);
	EXPECT_EQ(proc_put(NODE "online", "1"), proc_machine_numa() ? -EACCES : -ENOENT);
}

/* ---- Every file that a listing names can be read ---- */

struct walk {
	char paths[512][96]; /* of directories still to be listed */
	unsigned int first, last;
	const char *dir;
	unsigned int files, dirs;
	bool lost;
};

static struct walk walk;

static void expect_lines(const char *path)
{
	const char *text = proc_text(path);

	/* There need be no area, and no event that is on. */
	if (text && !*text && (!strcmp(path, "/proc/vmallocinfo") || !strcmp(path, "/sys/kernel/tracing/set_event")))
		return;
	if (!text || !*text || text[strlen(text) - 1] != '\n')
		test_fail(__FILE__, __LINE__, "%s does not end with a line", path);
}

static void walk_entry(void *ctx, const char *name, bool directory)
{
	char path[128];

	(void)ctx;
	octavo_snprintf(path, sizeof(path), "%s/%s", strcmp(walk.dir, "/") ? walk.dir : "", name);
	if (directory) {
		walk.dirs++;
		EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -EISDIR);
		/* Links lead to each other for ever. */
		if ((strstr(path, "/node/node") && strstr(path, "/memory")) ||
		    (strstr(path, "/memory/memory") && strstr(path, "/node")))
			return;
		if (walk.last == ARRAY_SIZE(walk.paths))
			walk.lost = true;
		else
			strscpy(walk.paths[walk.last++], path, sizeof(walk.paths[0]));
		return;
	}
	walk.files++;
	/* nothing to say: a cache without constructor, what is there to be written */
	if ((strstr(path, "/debug/shrinker/") && !strcmp(name, "count")) ||
	    (strstr(path, "/kernel/slab/") && (!strcmp(name, "ctor") || !strcmp(name, "shrink") ||
						!strcmp(name, "validate"))))
		EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), 0);
	else if (!strcmp(name, "drop_caches") || !strcmp(name, "compact_memory") || !strcmp(name, "reclaim") ||
		 (!strcmp(name, "scan") && strstr(path, "/shrinker/")))
		EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -EACCES);
	else
		expect_lines(path);
	EXPECT_EQ(octavo_proc_list(path, discard_name, NULL), -ENOTDIR);
}

TEST(sysfs, all_that_is_listed_can_be_read)
{
	walk.first = walk.last = walk.files = walk.dirs = 0;
	walk.lost = false;
	strscpy(walk.paths[walk.last++], "/", sizeof(walk.paths[0]));
	while (walk.first < walk.last) {
		walk.dir = walk.paths[walk.first++];
		EXPECT_EQ(octavo_proc_list(walk.dir, walk_entry, NULL), 0);
	}
	EXPECT(!walk.lost);
	EXPECT(walk.files > 40);
	EXPECT(walk.dirs > 10);
}

/* ---- Nodes ---- */

TEST(sysfs, node_sets)
{
	const char *online;
	unsigned int nr = 0;

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	online = proc_text(NODE "online");
	for_each_online_node(nid)
		nr++;
	ASSERT(online && nr > 0);
	if (nr == nr_node_ids && nr > 1) {
		char want[16];

		octavo_snprintf(want, sizeof(want), "0-%u\n", nr - 1);
		EXPECT_STREQ(online, want);
		EXPECT_STREQ(proc_text(NODE "has_memory"), want);
		EXPECT_STREQ(proc_text(NODE "possible"), want);
	} else if (nr == 1) {
		EXPECT_STREQ(proc_text(NODE "has_memory"), online);
	}
	EXPECT_STREQ(proc_text(NODE "has_generic_initiator"), "\n");
}

TEST(sysfs, distances)
{
	char path[64], want[512];

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	for_each_online_node(nid) {
		size_t len = 0;

		octavo_snprintf(path, sizeof(path), NODE "node%d/distance", nid);
		for (unsigned int to = 0; to < nr_node_ids; to++)
			if (node_isset((int)to, &node_online_map))
				len += octavo_snprintf(want + len, sizeof(want) - len, "%s%d", len ? " " : "",
						       node_distance(nid, (int)to));
		octavo_snprintf(want + len, sizeof(want) - len, "\n");
		EXPECT_STREQ(proc_text(path), want);
		EXPECT_EQ(node_distance(nid, nid), LOCAL_DISTANCE);
	}
}

/* The CPUs of a list such as "0-2,5"; of a mask such as "f,00000001". */
static u64 list_bits(const char *text)
{
	u64 bits = 0, first, last;
	bool overflow;

	while (*text >= '0' && *text <= '9') {
		text += parse_u64(text, &first, &overflow);
		last = first;
		if (*text == '-')
			text += 1 + parse_u64(text + 1, &last, &overflow);
		for (; first <= last && first < 64; first++)
			bits |= 1ull << first;
		if (*text == ',')
			text++;
	}
	return bits;
}

static u64 mask_bits(const char *text)
{
	u64 bits = 0;

	for (; *text && *text != '\n'; text++)
		if (*text != ',')
			bits = bits << 4 | (u64)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return bits;
}

TEST(sysfs, cpulist_and_cpumap_agree)
{
	char path[64];
	u64 all = 0, bits;

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), NODE "node%d/cpulist", nid);
		bits = list_bits(proc_text(path));
		octavo_snprintf(path, sizeof(path), NODE "node%d/cpumap", nid);
		EXPECT_EQ(mask_bits(proc_text(path)), bits);
		EXPECT_EQ(all & bits, 0);
		all |= bits;
	}
	for (unsigned int cpu = 0; cpu < min(nr_cpu_ids, 64u); cpu++)
		EXPECT_EQ(all >> cpu & 1, cpu_locals[cpu] && cpu_locals[cpu]->online);
}

TEST(sysfs, numastat_is_in_the_node_files)
{
	char path[64];
	u64 hits;

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), NODE "node%d/numastat", nid);
		hits = proc_value(path, "numa_hit");
		EXPECT_EQ(proc_value(path, "local_node") + proc_value(path, "other_node"),
			  hits + proc_value(path, "numa_miss"));
		octavo_snprintf(path, sizeof(path), NODE "node%d/vmstat", nid);
		EXPECT_EQ(proc_value(path, "numa_hit"), hits);
	}
}

/* ---- Memory blocks ---- */

TEST(sysfs, memory_blocks)
{
	unsigned long nr = 0;
	char path[96], want[32];

	for (unsigned long id = 0; id < nr_memory_blocks(); id++) {
		octavo_snprintf(path, sizeof(path), MEMORY "memory%lu/state", id);
		if (memory_block_state(id) == MEM_BLOCK_ABSENT) {
			EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -ENOENT);
			continue;
		}
		nr++;
		EXPECT_STREQ(proc_text(path), memory_block_state(id) == MEM_BLOCK_ONLINE ? "online\n" : "offline\n");
		octavo_snprintf(path, sizeof(path), MEMORY "memory%lu/phys_index", id);
		octavo_snprintf(want, sizeof(want), "%08lx\n", id);
		EXPECT_STREQ(proc_text(path), want);
		octavo_snprintf(path, sizeof(path), NODE "node%d/memory%lu/phys_index", memory_block_nid(id), id);
		if (proc_machine_numa())
			EXPECT_STREQ(proc_text(path), want);
		else
			EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -ENOENT);
		octavo_snprintf(path, sizeof(path), NODE "node%d/memory%lu/phys_index", memory_block_nid(id) + 1, id);
		EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -ENOENT);
	}
	EXPECT(nr > 0);
	octavo_snprintf(want, sizeof(want), "%llx\n", (unsigned long long)memory_block_size_bytes());
	EXPECT_STREQ(proc_text(MEMORY "block_size_bytes"), want);
}

/* The first block that can be taken offline; the machine is fresh, so that some Normal or Movable block is free. */
static long offline_one(void)
{
	char path[96];

	for (unsigned long id = nr_memory_blocks(); id-- > 0;) {
		if (memory_block_state(id) != MEM_BLOCK_ONLINE || !memory_block_zone(id))
			continue;
		octavo_snprintf(path, sizeof(path), MEMORY "memory%lu/state", id);
		if (proc_put(path, "offline") == 7)
			return (long)id;
	}
	return -1;
}

TEST(sysfs, a_block_goes_offline_and_comes_back)
{
	u64 total = proc_value("/proc/meminfo", "MemTotal:");
	char path[96];
	long id;

	test_capture_begin();
	id = offline_one();
	test_capture_end();
	if (id < 0)
		SKIP("no memory block of this machine is free as a whole");
	octavo_snprintf(path, sizeof(path), MEMORY "memory%ld/state", id);
	EXPECT_STREQ(proc_text(path), "offline\n");
	EXPECT(proc_value("/proc/meminfo", "MemTotal:") < total);
	EXPECT_EQ(proc_put(path, "offline"), -EINVAL);
	EXPECT_EQ(proc_put(path, "bogus"), -EINVAL);
	EXPECT_EQ(proc_put(path, "online "), -EINVAL);
	octavo_snprintf(path, sizeof(path), MEMORY "memory%ld/online", id);
	EXPECT_STREQ(proc_text(path), "0\n");
	EXPECT_EQ(proc_put(path, "2"), -EINVAL);
	EXPECT_EQ(proc_put(path, "0"), 1);
	EXPECT_EQ(proc_put(path, "1\n"), 2);
	EXPECT_EQ(proc_put(path, "1"), 1);
	EXPECT_STREQ(proc_text(path), "1\n");
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total);
}

TEST(sysfs, auto_online_blocks_takes_the_four_words)
{
	static const char *const words[] = { "online", "online_kernel", "online_movable", "offline" };
	char want[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		EXPECT_EQ(proc_put(MEMORY "auto_online_blocks", words[i]), (long)strlen(words[i]));
		octavo_snprintf(want, sizeof(want), "%s\n", words[i]);
		EXPECT_STREQ(proc_text(MEMORY "auto_online_blocks"), want);
	}
	EXPECT_EQ(proc_put(MEMORY "auto_online_blocks", "offline\n"), 8);
	EXPECT_EQ(proc_put(MEMORY "auto_online_blocks", "offline "), -EINVAL);
	EXPECT_EQ(proc_put(MEMORY "auto_online_blocks", "on"), -EINVAL);
}

/* ---- The firmware's map and the resource tree ---- */

static u64 hex(const char *text)
{
	u64 value = 0;
	bool overflow;

	parse_u64(text, &value, &overflow);
	return value;
}

TEST(sysfs, firmware_memmap_is_in_order)
{
	u64 last = 0, start, end;
	char path[64];
	unsigned int i = 0;

	for (;; i++) {
		octavo_snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/start", i);
		if (octavo_proc_read(path, proc_discard, NULL) == -ENOENT)
			break;
		start = hex(proc_text(path));
		octavo_snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/end", i);
		end = hex(proc_text(path));
		EXPECT(start < end);
		EXPECT(!i || start > last);
		last = end;
	}
	EXPECT(i > 0);
}

TEST(sysfs, iomem_nests)
{
	const char *next = proc_text("/proc/iomem");
	u64 ends[16] = { 0 }, start, end;
	unsigned int ram = 0, before = 0;
	bool overflow;
	char line[256], number[32];

	ASSERT(next);
	while ((next = proc_line(next, line, sizeof(line))) != NULL) {
		const char *s = line;
		unsigned int depth = 0;

		for (; s[0] == ' ' && s[1] == ' '; s += 2)
			depth++;
		EXPECT(depth <= before + 1 && depth < 8);
		octavo_snprintf(number, sizeof(number), "0x%s", s);
		s += parse_u64(number, &start, &overflow) - 2;
		EXPECT(*s == '-');
		octavo_snprintf(number, sizeof(number), "0x%s", s + 1);
		s += 1 + parse_u64(number, &end, &overflow) - 2;
		EXPECT(!strncmp(s, " : ", 3) && s[3]);
		EXPECT(start <= end);
		if (depth)
			EXPECT(end <= ends[depth - 1]);
		if (depth == before && ends[depth])
			EXPECT(start > ends[depth]);
		ends[depth] = end;
		before = depth;
		ram += !strcmp(s, " : System RAM");
	}
	EXPECT(ram > 0);
}
