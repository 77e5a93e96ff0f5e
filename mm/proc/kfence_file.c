// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/debug/kfence/stats and objects, and the parameters below /sys/module/kfence. Formats:
 * Documentation/dev-tools/kfence.rst, and what running kernels print.
 */
#include "proc.h"

#include "../boot/params.h"
#include "../slab/kfence.h"
#include "../sync/atomic.h"

bool kfence_has_pool(void)
{
	return load_relaxed(&kfence.pool) != 0;
}

PROC_SHOW(kfence_stats_show)
{
	static const char *const names[KFENCE_COUNTERS] = {
		[KFENCE_ALLOCATED] = "currently allocated",
		[KFENCE_ALLOCS] = "total allocations",
		[KFENCE_FREES] = "total frees",
		[KFENCE_ZOMBIES] = "zombie allocations",
		[KFENCE_BUGS] = "total bugs",
		[KFENCE_SKIP_INCOMPATIBLE] = "skipped allocations (incompatible)",
		[KFENCE_SKIP_CAPACITY] = "skipped allocations (capacity)",
		[KFENCE_SKIP_COVERED] = "skipped allocations (covered)",
	};

	(void)entry;
	(void)id;
	seq_printf(m, "enabled: %u\n", load_relaxed(&kfence.enabled));
	for (unsigned int i = 0; i < KFENCE_COUNTERS; i++)
		seq_printf(m, "%s: %lu\n", names[i], load_relaxed(&kfence.counters[i]));
}

static void put_line(void *ctx, const char *line)
{
	seq_puts(ctx, line);
	seq_puts(ctx, "\n");
}

PROC_SHOW(kfence_objects_show)
{
	(void)entry;
	(void)id;
	for (unsigned int i = 0; i < kfence.objects_nr; i++) {
		kfence_print_object(put_line, m, &kfence.objects[i]);
		seq_puts(m, "---------------------------------\n");
	}
}

/* ---- Parameters ---- */

static int parse_parameter(const char *text, u64 *value)
{
	bool overflow;
	size_t len = parse_u64(text, value, &overflow);

	return !len || overflow || *value > 0x7fffffff || (text[len] && strcmp(text + len, "\n")) ? -EINVAL : 0;
}

PROC_SHOW(kfence_interval_show)
{
	(void)entry;
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed(&kfence.interval_ms));
}

PROC_STORE(kfence_interval_store)
{
	u64 value;

	(void)entry;
	(void)id;
	return parse_parameter(text, &value) ? -EINVAL : kfence_set_sample_interval((unsigned long)value);
}

PROC_SHOW(kfence_thresh_show)
{
	(void)entry;
	(void)id;
	seq_printf(m, "%u\n", load_relaxed(&kfence.skip_covered_thresh));
}

PROC_STORE(kfence_thresh_store)
{
	u64 value;

	(void)entry;
	(void)id;
	if (parse_parameter(text, &value))
		return -EINVAL;
	store_relaxed(&kfence.skip_covered_thresh, (u32)value);
	return 0;
}

PROC_SHOW(kfence_panic_show)
{
	(void)entry;
	(void)id;
	seq_puts(m, load_relaxed(&kfence.check_on_panic) ? "Y\n" : "N\n");
}
