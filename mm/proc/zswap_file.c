// SPDX-License-Identifier: MIT
/*
 * /sys/module/zswap/parameters and /sys/kernel/debug/zswap. Formats: Documentation/admin-guide/mm/zswap.rst, and what
 * running kernels print: Y or N, numbers, names, each with a newline; pool_total_size is bytes.
 */
#include "proc.h"

#include "../boot/params.h"
#include "../zswap/zswap_internal.h"

enum { FLAG_ENABLED, FLAG_SHRINKER, FLAG_SAME_FILLED };
const u8 zswap_flag_enabled = FLAG_ENABLED, zswap_flag_shrinker = FLAG_SHRINKER, zswap_flag_same = FLAG_SAME_FILLED;

static bool *flag_of(const struct proc_entry *entry)
{
	switch (*(const u8 *)entry->data) {
	case FLAG_ENABLED:
		return &zswap.params.enabled;
	case FLAG_SHRINKER:
		return &zswap.params.shrinker_enabled;
	default:
		return &zswap.params.same_filled_pages_enabled;
	}
}

PROC_SHOW(zswap_flag_show)
{
	(void)id;
	seq_puts(m, load_relaxed(flag_of(entry)) ? "Y\n" : "N\n");
}

PROC_STORE(zswap_flag_store)
{
	char word[8];
	bool on;

	(void)id;
	if (!proc_one_line(word, sizeof(word), text) || !*word || parse_bool(word, &on))
		return -EINVAL;
	if (*(const u8 *)entry->data == FLAG_ENABLED)
		return zswap_set_enabled(on);
	store_relaxed(flag_of(entry), on);
	return 0;
}

/* ---- Numbers: entry->data is where they are ---- */

PROC_SHOW(zswap_percent_show)
{
	(void)id;
	seq_printf(m, "%u\n", load_relaxed((const u32 *)entry->data));
}

PROC_STORE(zswap_percent_store)
{
	bool overflow;
	size_t len;
	u64 value;

	(void)id;
	len = parse_u64(text, &value, &overflow);
	if (!len || overflow || value > 0xffffffff || (text[len] && strcmp(text + len, "\n")))
		return -EINVAL;
	store_relaxed((u32 *)(uintptr_t)entry->data, (u32)value);
	return 0;
}

PROC_SHOW(zswap_figure_show)
{
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed((const unsigned long *)entry->data));
}

PROC_SHOW(zswap_size_show)
{
	(void)entry;
	(void)id;
	seq_printf(m, "%llu\n", (unsigned long long)zswap_pool_pages() << PAGE_SHIFT);
}

/* ---- Names ---- */

PROC_SHOW(zswap_compressor_show)
{
	(void)entry;
	(void)id;
	mutex_lock(&zswap.mutex);
	seq_printf(m, "%s\n", zswap.params.compressor);
	mutex_unlock(&zswap.mutex);
}

PROC_STORE(zswap_compressor_store)
{
	char name[COMPRESSOR_NAME_MAX];

	(void)entry;
	(void)id;
	return proc_one_line(name, sizeof(name), text) ? zswap_set_compressor(name) : -EINVAL;
}

PROC_SHOW(zswap_zpool_show)
{
	(void)entry;
	(void)id;
	mutex_lock(&zswap.mutex);
	seq_printf(m, "%s\n", zswap.params.zpool);
	mutex_unlock(&zswap.mutex);
}

PROC_STORE(zswap_zpool_store)
{
	char name[ZPOOL_NAME_MAX];

	(void)entry;
	(void)id;
	return proc_one_line(name, sizeof(name), text) ? zswap_set_zpool(name) : -EINVAL;
}
