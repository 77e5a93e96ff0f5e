// SPDX-License-Identifier: MIT
/* What the heap shows in /proc/slabinfo, /sys/kernel/slab, meminfo and vmstat. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/slab.h>

#include "mm/phys/slowpath.h"
#include "mm/phys/zone.h"
#include "mm/slab/info.h"
#include "proc_text.h"

#define SLABINFO "/proc/slabinfo"
#define SLAB "/sys/kernel/slab/"
#define NR 300

static void *objects[NR] __memsys;

static struct kmem_cache *make(const char *name, unsigned int size, slab_flags_t flags)
{
	struct kmem_cache *cache = kmem_cache_create(name, size, 0, flags | SLAB_NO_MERGE, NULL);

	if (!cache)
		test_fail(__FILE__, __LINE__, "no cache %s", name);
	return cache;
}

/* All from one place: a loop of a known length could be unrolled, and be as many. */
static void fill(struct kmem_cache *cache, unsigned int nr)
{
	hide_var(nr);
	for (unsigned int i = 0; i < nr; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(objects[i]);
	}
}

static void empty(struct kmem_cache *cache, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_free(cache, objects[i]);
}

/* ---- /proc/slabinfo ---- */

/* The line of a cache: its numbers in order, 0 to 10. false: it has none. */
static bool slab_line(const char *name, unsigned long number[11])
{
	size_t len = strlen(name);
	const char *s = proc_text(SLABINFO);
	char line[512];

	while ((s = proc_line(s, line, sizeof(line))) != NULL) {
		const char *at = line + len;

		if (strncmp(line, name, len) || *at != ' ')
			continue;
		for (unsigned int i = 0; i < 11; i++) {
			bool overflow;
			u64 value = 0;

			while (*at && (*at < '0' || *at > '9'))
				at++;
			at += parse_u64(at, &value, &overflow);
			number[i] = (unsigned long)value;
		}
		return true;
	}
	return false;
}

enum { ACTIVE, TOTAL, SIZE, PER_SLAB, PAGES, LIMIT, BATCH, SHARED, ACTIVE_SLABS, SLABS, SHARED_AVAILABLE };

TEST(slabinfo, has_the_form_of_version_2_1)
{
	const char *s = proc_text(SLABINFO);
	char line[512];
	unsigned int caches = 0;

	s = proc_line(s, line, sizeof(line));
	EXPECT_STREQ(line, "slabinfo - version: 2.1");
	s = proc_line(s, line, sizeof(line));
	EXPECT_STREQ(line, "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
			   " : tunables <limit> <batchcount> <sharedfactor>"
			   " : slabdata <active_slabs> <num_slabs> <sharedavail>");
	while ((s = proc_line(s, line, sizeof(line))) != NULL) {
		size_t len = 0;

		while (line[len] > ' ')
			len++;
		while (len < 17 && line[len] == ' ')
			len++;
		EXPECT(len >= 17);
		if (!proc_fits(line + len, " {6} {6} {6} {4} {4} : tunables {4} {4} {4} : slabdata {6} {6} {6}"))
			test_fail(__FILE__, __LINE__, "not the form of a cache's line: %s", line);
		caches++;
	}
	EXPECT(caches >= 13); /* those of kmalloc() alone */
}

TEST(slabinfo, counts_objects_that_are_in_use)
{
	unsigned long n[11], before[11];
	struct kmem_cache *cache = make("slabinfo_test", 200, 0);

	ASSERT(cache);
	ASSERT(slab_line("slabinfo_test", before));
	EXPECT_EQ(before[ACTIVE], 0);
	EXPECT(before[SIZE] >= 200 && before[SIZE] < 512);
	fill(cache, NR);
	ASSERT(slab_line("slabinfo_test", n));
	EXPECT_EQ(n[ACTIVE], NR);
	EXPECT(n[TOTAL] >= NR);
	EXPECT(n[SLABS] > 0 && n[ACTIVE_SLABS] > 0 && n[ACTIVE_SLABS] <= n[SLABS]);
	EXPECT(n[SLABS] * n[PAGES] * PAGE_SIZE >= n[TOTAL] * 200);
	/* those that are free again may lie in magazines: in use they are not */
	empty(cache, NR);
	ASSERT(slab_line("slabinfo_test", n));
	EXPECT_EQ(n[ACTIVE], 0);
	EXPECT(n[TOTAL] >= n[ACTIVE]);
	kmem_cache_shrink(cache);
	ASSERT(slab_line("slabinfo_test", n));
	EXPECT_EQ(n[TOTAL], 0);
	EXPECT_EQ(n[SLABS], 0);
	kmem_cache_destroy(cache);
	EXPECT(!slab_line("slabinfo_test", n));
}

TEST(slabinfo, newest_cache_first)
{
	struct kmem_cache *a = make("slabinfo_a", 64, 0), *b = make("slabinfo_b", 64, 0);
	const char *text = proc_text(SLABINFO);
	const char *at_a = strstr(text, "\nslabinfo_a "), *at_b = strstr(text, "\nslabinfo_b ");

	ASSERT(at_a && at_b);
	EXPECT(at_b < at_a && at_a < strstr(text, "\nkmalloc-64 "));
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
}

/* The slabs that are listed are the memory that meminfo and vmstat speak of. */
TEST(slabinfo, adds_up_to_the_counters)
{
	struct cache_info info = { .number = ~0u };
	u64 bytes, reclaimable = 0;
	struct kmem_cache *cache = make("slabinfo_reclaim", 1000, SLAB_RECLAIM_ACCOUNT);

	ASSERT(cache);
	if (!strcmp(backend_name, "slob"))
		SKIP("slob's caches share pages: those of one cannot be counted exactly");
	fill(cache, NR);
	bytes = (u64)meta_pages() << PAGE_SHIFT; /* no whole pages of kmalloc() are out */
	while (heap_cache_info_below(info.number, &info)) {
		u64 here = (u64)info.counts.slabs.slabs << (PAGE_SHIFT + info.order);

		bytes += here;
		reclaimable += info.flags & SLAB_RECLAIM_ACCOUNT ? here : 0;
	}
	EXPECT(reclaimable >= NR * 1000);
	EXPECT_EQ(proc_value("/proc/meminfo", "Slab:") * 1024, bytes);
	EXPECT_EQ(proc_value("/proc/meminfo", "SReclaimable:") * 1024, reclaimable);
	EXPECT_EQ(proc_value("/proc/meminfo", "KReclaimable:") * 1024, reclaimable);
	EXPECT_EQ(proc_value("/proc/meminfo", "SUnreclaim:") * 1024, bytes - reclaimable);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_slab_reclaimable") * PAGE_SIZE, reclaimable);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_slab_unreclaimable") * PAGE_SIZE, bytes - reclaimable);
	empty(cache, NR);
	kmem_cache_destroy(cache);
	EXPECT_EQ(proc_value("/proc/meminfo", "SReclaimable:") * 1024 % PAGE_SIZE, 0);
	EXPECT(proc_value("/proc/meminfo", "SReclaimable:") * 1024 < reclaimable);
}

TEST(slabinfo, counters_of_nodes_and_zones)
{
	struct kmem_cache *cache = make("slabinfo_nodes", 1000, SLAB_RECLAIM_ACCOUNT);
	u64 sum = 0, zoneinfo = 0;
	const char *s;
	char path[64], line[256];

	ASSERT(cache);
	fill(cache, NR);
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", nid);
		if (octavo_proc_read(path, proc_discard, NULL))
			continue;
		sum += proc_value(path, "nr_slab_reclaimable");
	}
	s = proc_text("/proc/zoneinfo");
	while ((s = proc_line(s, line, sizeof(line))) != NULL) {
		u64 value;

		if (proc_number(line, "nr_slab_reclaimable", &value))
			zoneinfo += value;
	}
	EXPECT_EQ(zoneinfo, proc_value("/proc/vmstat", "nr_slab_reclaimable"));
	if (sum)
		EXPECT_EQ(sum, zoneinfo);
	EXPECT(zoneinfo * PAGE_SIZE >= NR * 1000);
	test_capture_begin();
	show_mem(NULL);
	octavo_snprintf(line, sizeof(line), " slab_reclaimable:%llu slab_unreclaimable:", (unsigned long long)zoneinfo);
	EXPECT(strstr(test_capture_end(), line));
	empty(cache, NR);
	kmem_cache_destroy(cache);
}

TEST(slabinfo, writes_set_tunables_where_there_are_any)
{
	unsigned long n[11];
	struct kmem_cache *cache = make("slabinfo_tune", 64, 0);

	ASSERT(cache);
	EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune"), -EINVAL);
	EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune 8 4"), -EINVAL);
	EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune 8 4 many"), -EINVAL);
	EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune 8 4 2 1"), -EINVAL);
	EXPECT_EQ(proc_put(SLABINFO, "no_such_cache 8 4 2"), -EINVAL);
	ASSERT(slab_line("slabinfo_tune", n));
	if (strcmp(backend_name, "slab")) {
		EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune 8 4 2\n"), -EIO);
		EXPECT_EQ(n[LIMIT] + n[BATCH] + n[SHARED] + n[SHARED_AVAILABLE], 0);
	} else {
		EXPECT(n[LIMIT] > 0 && n[BATCH] > 0);
		EXPECT_EQ(proc_put(SLABINFO, "slabinfo_tune 8 4 2\n"), 20);
		ASSERT(slab_line("slabinfo_tune", n));
		EXPECT_EQ(n[LIMIT], 8);
		EXPECT_EQ(n[BATCH], 4);
		EXPECT_EQ(n[SHARED], 2);
	}
	kmem_cache_destroy(cache);
}

/* ---- /sys/kernel/slab ---- */

static const char *attr(const char *cache, const char *name)
{
	char path[128];

	octavo_snprintf(path, sizeof(path), SLAB "%s/%s", cache, name);
	return proc_text(path);
}

static u64 attr_value(const char *cache, const char *name)
{
	const char *text = attr(cache, name);
	u64 value = ~0ull;
	bool overflow;

	if (text && !parse_u64(text, &value, &overflow))
		test_fail(__FILE__, __LINE__, "%s of %s is no number: %s", name, cache, text);
	return value;
}

static long attr_put(const char *cache, const char *name, const char *text)
{
	char path[128];

	octavo_snprintf(path, sizeof(path), SLAB "%s/%s", cache, name);
	return proc_put(path, text);
}

TEST(slab_sysfs, properties_are_those_of_the_cache)
{
	struct kmem_cache *cache;
	char want[32];

	cache = kmem_cache_create_usercopy("sysfs_test", 200, 32, SLAB_HWCACHE_ALIGN | SLAB_RECLAIM_ACCOUNT, 8, 100,
					   NULL);
	ASSERT(cache);
	EXPECT_STREQ(attr("sysfs_test", "object_size"), "200\n");
	EXPECT_STREQ(attr("sysfs_test", "usersize"), "100\n");
	EXPECT_STREQ(attr("sysfs_test", "reclaim_account"), "1\n");
	EXPECT_STREQ(attr("sysfs_test", "hwcache_align"), "1\n");
	EXPECT_STREQ(attr("sysfs_test", "cache_dma"), "0\n");
	EXPECT_STREQ(attr("sysfs_test", "destroy_by_rcu"), "0\n");
	EXPECT_STREQ(attr("sysfs_test", "aliases"), "0\n");
	EXPECT_STREQ(attr("sysfs_test", "ctor"), "");
	EXPECT_STREQ(attr("sysfs_test", "shrink"), "");
	EXPECT(attr_value("sysfs_test", "align") >= 32);
	octavo_snprintf(want, sizeof(want), "%u\n", cache->size);
	EXPECT_STREQ(attr("sysfs_test", "slab_size"), want);
	octavo_snprintf(want, sizeof(want), "%u\n", cache->order);
	EXPECT_STREQ(attr("sysfs_test", "order"), want);
	octavo_snprintf(want, sizeof(want), "%u\n", cache->objects);
	EXPECT_STREQ(attr("sysfs_test", "objs_per_slab"), want);
	kmem_cache_destroy(cache);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_test/order", proc_discard, NULL), -ENOENT);
}

static void constructor(void *object)
{
	*(u64 *)object = 1;
}

TEST(slab_sysfs, flags_and_constructors)
{
	struct kmem_cache *cache = kmem_cache_create("sysfs_flags", 64, 0, SLAB_DEBUG_FLAGS & ~SLAB_TRACE, NULL);
	struct kmem_cache *made = kmem_cache_create("sysfs_ctor", 64, 0, 0, constructor);

	ASSERT(cache && made);
	EXPECT_EQ(attr_value("sysfs_flags", "red_zone"), (cache->flags & SLAB_RED_ZONE) != 0);
	EXPECT_EQ(attr_value("sysfs_flags", "poison"), (cache->flags & SLAB_POISON) != 0);
	EXPECT_EQ(attr_value("sysfs_flags", "store_user"), (cache->flags & SLAB_STORE_USER) != 0);
	EXPECT_EQ(attr_value("sysfs_flags", "sanity_checks"), (cache->flags & SLAB_CONSISTENCY_CHECKS) != 0);
	EXPECT_EQ(attr_value("sysfs_flags", "trace"), 0);
	EXPECT_EQ(attr_value("sysfs_ctor", "store_user"), 0);
	EXPECT(strlen(attr("sysfs_ctor", "ctor")) > 3);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(made);
}

TEST(slab_sysfs, counts_follow_objects_on_their_nodes)
{
	struct kmem_cache *cache = make("sysfs_counts", 256, 0);
	int nid = -1;
	char want[64];

	ASSERT(cache);
	EXPECT_STREQ(attr("sysfs_counts", "objects"), "0\n");
	for_each_online_node(n)
		nid = n;
	for (unsigned int i = 0; i < NR; i++) {
		objects[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, nid);
		ASSERT(objects[i]);
	}
	nid = page_to_nid(virt_to_page(objects[0]));
	if (strstr(proc_text("/proc/vmstat"), "\nnuma_hit "))
		octavo_snprintf(want, sizeof(want), "%u N%d=%u\n", NR, nid, NR);
	else
		octavo_snprintf(want, sizeof(want), "%u\n", NR);
	EXPECT_STREQ(attr("sysfs_counts", "objects"), want);
	EXPECT(attr_value("sysfs_counts", "total_objects") >= NR);
	EXPECT(attr_value("sysfs_counts", "slabs") * attr_value("sysfs_counts", "objs_per_slab") >= NR);
	EXPECT(attr_value("sysfs_counts", "partial") <= attr_value("sysfs_counts", "slabs"));
	EXPECT(attr_value("sysfs_counts", "objects_partial") <= NR + (u64)cache->mag_limit);
	EXPECT(attr_value("sysfs_counts", "cpu_slabs") <= attr_value("sysfs_counts", "slabs"));
	EXPECT(strchr(attr("sysfs_counts", "slabs_cpu_partial"), '('));
	empty(cache, NR);
	EXPECT_EQ(attr_value("sysfs_counts", "objects"), 0);
	EXPECT_EQ(attr_put("sysfs_counts", "shrink", "2"), -EINVAL);
	EXPECT_EQ(attr_put("sysfs_counts", "shrink", "1\n"), 2);
	EXPECT_STREQ(attr("sysfs_counts", "slabs"), "0\n");
	EXPECT_STREQ(attr("sysfs_counts", "total_objects"), "0\n");
	EXPECT_EQ(cache->refcount, 1);
	kmem_cache_destroy(cache);
}

TEST(slab_sysfs, what_can_be_set)
{
	struct kmem_cache *cache = make("sysfs_set", 64, 0);

	ASSERT(cache);
	EXPECT_EQ(attr_put("sysfs_set", "min_partial", "17\n"), 3);
	EXPECT_STREQ(attr("sysfs_set", "min_partial"), "17\n");
	EXPECT_EQ(attr_put("sysfs_set", "min_partial", "70000"), -EINVAL);
	EXPECT_EQ(attr_put("sysfs_set", "min_partial", "x"), -EINVAL);
	EXPECT_STREQ(attr("sysfs_set", "min_partial"), "17\n");
	EXPECT_EQ(attr_put("sysfs_set", "order", "1"), -EACCES);
	EXPECT_EQ(attr_put("sysfs_set", "cpu_partial", "0"), 1);
	EXPECT_STREQ(attr("sysfs_set", "cpu_partial"), "0\n");
	if (!strcmp(backend_name, "slub") && cache->mag_limit) {
		EXPECT_EQ(attr_put("sysfs_set", "cpu_partial", "1"), 1);
		EXPECT_EQ(attr_value("sysfs_set", "cpu_partial"), cache->objects);
	} else {
		EXPECT_EQ(attr_put("sysfs_set", "cpu_partial", "1"), -EINVAL);
	}
	EXPECT_EQ(attr_put("sysfs_set", "failslab", "1"), 1);
	EXPECT_STREQ(attr("sysfs_set", "failslab"), "1\n");
	EXPECT(cache->flags & SLAB_FAILSLAB);
	EXPECT_EQ(attr_put("sysfs_set", "failslab", "2"), -EINVAL);
	EXPECT_EQ(attr_put("sysfs_set", "failslab", "0"), 1);
	EXPECT(!(cache->flags & SLAB_FAILSLAB));
	EXPECT_EQ(attr_put("sysfs_set", "skip_kfence", "1\n"), 2);
	EXPECT_STREQ(attr("sysfs_set", "skip_kfence"), "1\n");
	EXPECT(cache->flags & SLAB_SKIP_KFENCE);
	kmem_cache_destroy(cache);
}

struct names {
	const char *wanted;
	unsigned int found, all;
};

static void look_for(void *ctx, const char *name, bool directory)
{
	struct names *names = ctx;

	EXPECT(directory);
	names->all++;
	names->found += !strcmp(name, names->wanted);
}

TEST(slab_sysfs, caches_are_directories)
{
	struct names names = { .wanted = "sysfs_dir" };
	struct kmem_cache *cache = make("sysfs_dir", 64, 0);

	ASSERT(cache);
	EXPECT_EQ(octavo_proc_list("/sys/kernel/slab", look_for, &names), 0);
	EXPECT_EQ(names.found, 1);
	EXPECT(names.all > 13);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_dir", proc_discard, NULL), -EISDIR);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_di", proc_discard, NULL), -ENOENT);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_dirs/order", proc_discard, NULL), -ENOENT);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_dir/order/x", proc_discard, NULL), -ENOTDIR);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_dir/nonesuch", proc_discard, NULL), -ENOENT);
	kmem_cache_destroy(cache);
	names = (struct names){ .wanted = "sysfs_dir" };
	EXPECT_EQ(octavo_proc_list("/sys/kernel/slab/", look_for, &names), 0);
	EXPECT_EQ(names.found, 0);
}

/* Merged caches are one, which has all their names; a name goes when a cache of its own takes it. */
TEST(slab_sysfs, merged_caches_have_several_names)
{
	struct kmem_cache *a = kmem_cache_create("sysfs_first", 72, 0, SLAB_RECLAIM_ACCOUNT, NULL);
	struct kmem_cache *b = kmem_cache_create("sysfs_second", 72, 0, SLAB_RECLAIM_ACCOUNT, NULL), *c;
	struct names names = { .wanted = "sysfs_second" };

	ASSERT(a && b);
	if (a != b)
		SKIP("this back end's caches are not merged");
	EXPECT_STREQ(attr("sysfs_first", "aliases"), "1\n");
	EXPECT_STREQ(attr("sysfs_second", "aliases"), "1\n");
	EXPECT_STREQ(attr("sysfs_second", "object_size"), "72\n");
	EXPECT_EQ(octavo_proc_list("/sys/kernel/slab", look_for, &names), 0);
	EXPECT_EQ(names.found, 1);
	EXPECT(!strstr(proc_text(SLABINFO), "sysfs_second"));
	kmem_cache_destroy(b);
	c = make("sysfs_second", 300, 0);
	EXPECT_STREQ(attr("sysfs_second", "object_size"), "300\n");
	names = (struct names){ .wanted = "sysfs_second" };
	EXPECT_EQ(octavo_proc_list("/sys/kernel/slab", look_for, &names), 0);
	EXPECT_EQ(names.found, 1);
	kmem_cache_destroy(c);
	kmem_cache_destroy(a);
	EXPECT_EQ(octavo_proc_read(SLAB "sysfs_first/order", proc_discard, NULL), -ENOENT);
}

/* ---- Caches that check their objects ---- */

TEST(slab_sysfs, validate_reports_what_is_damaged)
{
	slab_flags_t flags = SLAB_RED_ZONE | SLAB_CONSISTENCY_CHECKS;
	struct kmem_cache *cache = kmem_cache_create("sysfs_debug", 40, 0, flags, NULL);
	struct kmem_cache *plain = make("sysfs_plain", 40, 0);
	unsigned long errors = heap_errors();
	u8 *object;

	ASSERT(cache && plain);
	EXPECT_EQ(attr_put("sysfs_debug", "validate", "0"), -EINVAL);
	EXPECT_EQ(attr_put("sysfs_plain", "validate", "1"), -EINVAL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(object);
	EXPECT_EQ(attr_put("sysfs_debug", "validate", "1\n"), 2);
	EXPECT_EQ(heap_errors(), errors);
	object[40] ^= 1;
	test_capture_begin();
	EXPECT_EQ(attr_put("sysfs_debug", "validate", "1"), 1);
	EXPECT(strstr(test_capture_end(), "BUG sysfs_debug (Not tainted): Right Redzone overwritten"));
	EXPECT_EQ(heap_errors(), errors + 1);
	kmem_cache_free(cache, object);
	EXPECT_EQ(heap_errors(), errors + 1);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(plain);
}

TEST(slab_sysfs, traces_are_there_where_users_are_remembered)
{
	struct names names = { .wanted = "sysfs_tracked" };
	struct kmem_cache *cache = kmem_cache_create("sysfs_tracked", 64, 0, SLAB_STORE_USER, NULL);
	struct kmem_cache *plain = make("sysfs_plain", 64, 0);
	u64 nr = 0;
	bool overflow;
	const char *text;

	ASSERT(cache && plain);
	EXPECT_EQ(octavo_proc_list("/sys/kernel/debug/slab", look_for, &names), 0);
	EXPECT_EQ(names.found, 1);
	EXPECT_EQ(octavo_proc_read("/sys/kernel/debug/slab/sysfs_plain/alloc_traces", proc_discard, NULL), -ENOENT);
	EXPECT_EQ(octavo_proc_read("/sys/kernel/debug/slab/sysfs_tracked", proc_discard, NULL), -EISDIR);
	EXPECT_STREQ(proc_text("/sys/kernel/debug/slab/sysfs_tracked/alloc_traces"), "No data\n");
	fill(cache, 7);
	text = proc_text("/sys/kernel/debug/slab/sysfs_tracked/alloc_traces");
	ASSERT(text);
	while (*text == ' ')
		text++;
	EXPECT(parse_u64(text, &nr, &overflow) && nr == 7);
	EXPECT(strstr(text, " age="));
	empty(cache, 7);
	EXPECT_STREQ(proc_text("/sys/kernel/debug/slab/sysfs_tracked/alloc_traces"), "No data\n");
	kmem_cache_destroy(cache);
	kmem_cache_destroy(plain);
}
