// SPDX-License-Identifier: MIT
/*
 * /proc/sys/vm: integers and vectors of integers, by the rules every Linux sysctl follows, and the ones the
 * page allocator has. Format and ranges: Documentation/admin-guide/sysctl/vm.rst.
 *
 * A value is a decimal, 0x hexadecimal or 0 octal number, with a minus sign if the range allows, white space
 * ahead of it ignored. What stands directly behind it must be white space or the end; what follows that is
 * ignored once all values of the file are there. A vector may be given in part: the others stay.
 * Difference from Linux: lowmem_reserve_ratio refuses a text whose first number is bad (Linux says it was
 * written and changes nothing).
 */
#include "proc.h"

#include <octavo/shrinker.h>

#include "../boot/params.h"
#include "../cache/filemap.h"
#include "../pgtable/tlb.h"
#include "../phys/gfp.h"
#include "../phys/watermark.h"
#include "../sync/atomic.h"

#define SYSCTL_VALUES_MAX MAX_NR_ZONES
#define SYSCTL_INT_MAX 0x7fffffff
#define SYSCTL_INT_MIN (-SYSCTL_INT_MAX - 1)

/* vm.stat_interval is in seconds here and in ticks there: its range follows from 250 ticks a second. */
#define STAT_INTERVAL_MAX (SYSCTL_INT_MAX / 250)

struct sysctl {
	int lowest, highest;
	unsigned int (*count)(void); /* NULL: 1 */
	int (*get)(unsigned int index);
	int (*set)(const int *values, unsigned int nr); /* the first @nr; in range */
};

static struct octavo_sysctl_hooks hooks __memsys;
static unsigned long nr_drops[2] __memsys;
static u32 drops_silent __memsys;
static int stat_interval_offset __memsys; /* from the default, 1 s: a cleared section means the default */

void octavo_sysctl_set_hooks(const struct octavo_sysctl_hooks *set)
{
	if (set->compact_memory)
		hooks.compact_memory = set->compact_memory;
	if (set->drop_caches)
		hooks.drop_caches = set->drop_caches;
}

/* ---- Parsing ---- */

static bool separates(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One value off *@text. Return: 0 or -EINVAL; *@text is then anywhere. */
static int parse_int(const char **text, int *value)
{
	const char *s = *text;
	bool negative = false, overflow;
	size_t len;
	u64 magnitude;

	while (is_space(*s))
		s++;
	if (*s == '-') {
		negative = true;
		s++;
	}
	len = parse_u64(s, &magnitude, &overflow);
	if (!len || overflow || magnitude > (u64)SYSCTL_INT_MAX + negative)
		return -EINVAL;
	s += len;
	if (*s && !separates(*s))
		return -EINVAL;
	*value = negative ? (int)-(s64)magnitude : (int)magnitude;
	*text = s;
	return 0;
}

static unsigned int sysctl_count(const struct sysctl *ctl)
{
	return ctl->count ? ctl->count() : 1;
}

void sysctl_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	const struct sysctl *ctl = entry->data;

	(void)id;
	for (unsigned int i = 0; i < sysctl_count(ctl); i++)
		seq_printf(m, "%s%d", i ? "\t" : "", ctl->get(i));
	seq_puts(m, "\n");
}

int sysctl_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	const struct sysctl *ctl = entry->data;
	unsigned int count = sysctl_count(ctl), nr = 0;
	int values[SYSCTL_VALUES_MAX];

	(void)id;
	while (nr < count) {
		const char *rest = text;

		while (is_space(*rest))
			rest++;
		if (nr && !*rest)
			break;
		if (parse_int(&text, &values[nr]) || values[nr] < ctl->lowest || values[nr] > ctl->highest)
			break;
		nr++;
	}
	return nr ? ctl->set(values, nr) : -EINVAL;
}

/* ---- The values ---- */

static int get_min_free(unsigned int index)
{
	(void)index;
	return READ_ONCE(min_free_kbytes);
}

static int set_min_free(const int *values, unsigned int nr)
{
	(void)nr;
	return set_min_free_kbytes(values[0]);
}
const struct sysctl ctl_min_free_kbytes = { 0, SYSCTL_INT_MAX, NULL, get_min_free, set_min_free };

static int get_scale_factor(unsigned int index)
{
	(void)index;
	return READ_ONCE(watermark_scale_factor);
}

static int set_scale_factor(const int *values, unsigned int nr)
{
	(void)nr;
	return set_watermark_scale_factor(values[0]);
}
const struct sysctl ctl_watermark_scale_factor = { 1, WATERMARK_SCALE_FACTOR_MAX, NULL, get_scale_factor,
						      set_scale_factor };

static int get_boost_factor(unsigned int index)
{
	(void)index;
	return READ_ONCE(watermark_boost_factor);
}

static int set_boost_factor(const int *values, unsigned int nr)
{
	(void)nr;
	return set_watermark_boost_factor(values[0]);
}
const struct sysctl ctl_watermark_boost_factor = { 0, SYSCTL_INT_MAX, NULL, get_boost_factor,
						      set_boost_factor };

static int get_high_fraction(unsigned int index)
{
	(void)index;
	return READ_ONCE(percpu_pagelist_high_fraction);
}

/* 0 or at least 8, which the setter checks. */
static int set_high_fraction(const int *values, unsigned int nr)
{
	(void)nr;
	return set_percpu_pagelist_high_fraction(values[0]);
}
const struct sysctl ctl_percpu_pagelist_high_fraction = { 0, SYSCTL_INT_MAX, NULL, get_high_fraction,
							     set_high_fraction };

/* The file has a value for each zone this machine is configured with: the @index-th of those. */
static unsigned int zone_of_column(unsigned int index)
{
	unsigned int type = 0;

	for (;; type++)
		if (zone_configured((enum zone_type)type) && !index--)
			return type;
}

static unsigned int count_zones(void)
{
	unsigned int nr = 0;

	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		nr += zone_configured((enum zone_type)type);
	return nr;
}

static int get_reserve_ratio(unsigned int index)
{
	return READ_ONCE(sysctl_lowmem_reserve_ratio[zone_of_column(index)]);
}

static int set_reserve_ratio(const int *values, unsigned int nr)
{
	int ratio[MAX_NR_ZONES];

	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		ratio[type] = READ_ONCE(sysctl_lowmem_reserve_ratio[type]);
	for (unsigned int i = 0; i < nr; i++)
		ratio[zone_of_column(i)] = values[i];
	return set_lowmem_reserve_ratio(ratio, MAX_NR_ZONES);
}
const struct sysctl ctl_lowmem_reserve_ratio = { SYSCTL_INT_MIN, SYSCTL_INT_MAX, count_zones, get_reserve_ratio,
						    set_reserve_ratio };

static int get_stat_interval(unsigned int index)
{
	(void)index;
	return load_relaxed(&stat_interval_offset) + 1;
}

static int set_stat_interval(const int *values, unsigned int nr)
{
	(void)nr;
	store_relaxed(&stat_interval_offset, values[0] - 1);
	return 0;
}
const struct sysctl ctl_stat_interval = { -STAT_INTERVAL_MAX, STAT_INTERVAL_MAX, NULL, get_stat_interval,
					     set_stat_interval };

static int do_compact(const int *values, unsigned int nr)
{
	(void)nr;
	if (values[0] != 1)
		return -EINVAL;
	return hooks.compact_memory();
}
const struct sysctl ctl_compact_memory = { SYSCTL_INT_MIN, SYSCTL_INT_MAX, NULL, NULL, do_compact };

bool sysctl_can_compact(void)
{
	return hooks.compact_memory != NULL;
}

/*
 * 1: page cache, 2: slab, 3: both. What the hook's owner caches goes ahead of it, so that what its objects held can go
 * too. 4 silences the line from then on.
 */
static int do_drop_caches(const int *values, unsigned int nr)
{
	unsigned int what = (unsigned int)values[0] & 3u;
	char name[32];
	int ret = 0;

	(void)nr;
	if (what && hooks.drop_caches)
		ret = hooks.drop_caches(what);
	if (ret)
		return ret;
	if (what & 1) {
		drop_page_cache();
		atomic_add_relaxed(&nr_drops[0], 1);
	}
	if (what & 2) {
		drop_slab();
		atomic_add_relaxed(&nr_drops[1], 1);
	}
	if (!load_relaxed(&drops_silent))
		pr_info("%s (%ld): drop_caches: %d\n", current_task_name(name, sizeof(name)), current_task_pid(),
			values[0]);
	if (values[0] & 4)
		store_relaxed(&drops_silent, 1);
	return 0;
}
const struct sysctl ctl_drop_caches = { 1, 4, NULL, NULL, do_drop_caches };

unsigned long sysctl_drops(bool slab)
{
	return load_relaxed(&nr_drops[slab]);
}

/* ---- A file of debugfs with a sysctl's value ---- */

static int get_flush_ceiling(unsigned int index)
{
	(void)index;
	return (int)READ_ONCE(tlb_single_page_flush_ceiling);
}

static int set_flush_ceiling(const int *values, unsigned int nr)
{
	(void)nr;
	WRITE_ONCE(tlb_single_page_flush_ceiling, (unsigned long)values[0]);
	return 0;
}
const struct sysctl ctl_flush_ceiling = { 0, SYSCTL_INT_MAX, NULL, get_flush_ceiling, set_flush_ceiling };

/* ---- numa_zonelist_order: only the order by node is left since 4.14; the file still takes its old names ---- */

void zonelist_order_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_puts(m, "Node\n");
}

int zonelist_order_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	(void)entry;
	(void)id;
	switch (*text) {
	case 'd':
	case 'D':
	case 'n':
	case 'N':
		return 0;
	default:
		printk("Ignoring unsupported numa_zonelist_order value:  %.64s\n", text);
		return -EINVAL;
	}
}
