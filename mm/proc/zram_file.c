// SPDX-License-Identifier: MIT
/* /sys/block/zramN. Formats: Documentation/admin-guide/blockdev/zram.rst, and what running kernels print. */
#include "proc.h"

#include "../zswap/zram.h"

static unsigned long long bytes_of(unsigned long pages)
{
	return (unsigned long long)pages << PAGE_SHIFT;
}

PROC_SHOW(zram_disksize_show)
{
	(void)entry;
	seq_printf(m, "%llu\n", bytes_of(zram_size_pages(zram_find((unsigned int)id))));
}

/* A size in a file's way: nothing may follow but a newline. */
static int parse_bytes(const char *text, u64 *bytes)
{
	const char *end;

	*bytes = memparse(text, &end);
	return end == text || (*end && strcmp(end, "\n")) ? -EINVAL : 0;
}

PROC_STORE(zram_disksize_store)
{
	u64 bytes;

	(void)entry;
	if (parse_bytes(text, &bytes))
		return -EINVAL;
	return zram_set_disksize(zram_find((unsigned int)id), bytes);
}

PROC_SHOW(zram_initstate_show)
{
	(void)entry;
	seq_printf(m, "%u\n", zram_size_pages(zram_find((unsigned int)id)) != 0);
}

PROC_STORE(zram_reset_store)
{
	bool overflow;
	u64 value;
	size_t len = parse_u64(text, &value, &overflow);

	(void)entry;
	if (!len || (text[len] && strcmp(text + len, "\n")))
		return -EINVAL;
	if (overflow || value > 0xffff)
		return -ERANGE;
	return value ? zram_reset(zram_find((unsigned int)id)) : -EINVAL;
}

PROC_SHOW(zram_mm_stat_show)
{
	struct zram *zram = zram_find((unsigned int)id);
	const struct zram_stats *stats = &zram->stats;

	(void)entry;
	seq_printf(m, "%8llu %8lu %8llu %8llu %8llu ", bytes_of(load_relaxed(&stats->pages_stored)),
		   load_relaxed(&stats->compr_data_size), bytes_of(zram_used_pages(zram)),
		   bytes_of(load_relaxed(&zram->limit_pages)), bytes_of(load_relaxed(&stats->max_used_pages)));
	seq_printf(m, "%8lu %8lu %8lu %8lu\n", load_relaxed(&stats->same_pages),
		   load_relaxed(&stats->pages_compacted), load_relaxed(&stats->huge_pages),
		   load_relaxed(&stats->huge_pages_since));
}

/* The third is what invalid requests were counted in once. */
PROC_SHOW(zram_io_stat_show)
{
	const struct zram_stats *stats = &zram_find((unsigned int)id)->stats;

	(void)entry;
	seq_printf(m, "%8lu %8lu %8u %8lu\n", load_relaxed(&stats->failed_reads),
		   load_relaxed(&stats->failed_writes), 0u, load_relaxed(&stats->notify_free));
}

PROC_SHOW(zram_compressor_show)
{
	struct zram *zram = zram_find((unsigned int)id);
	const struct zswap_compressor *c = NULL;

	(void)entry;
	mutex_lock(&zram->mutex);
	while ((c = compressor_next(c)) != NULL)
		seq_printf(m, strcmp(c->name, zram->compressor) ? "%s " : "[%s] ", c->name);
	mutex_unlock(&zram->mutex);
	seq_puts(m, "\n");
}

PROC_STORE(zram_compressor_store)
{
	char name[COMPRESSOR_NAME_MAX];

	(void)entry;
	if (!proc_one_line(name, sizeof(name), text))
		return -EINVAL;
	return zram_set_compressor(zram_find((unsigned int)id), name);
}

PROC_STORE(zram_limit_store)
{
	struct zram *zram = zram_find((unsigned int)id);
	u64 bytes, pages;

	(void)entry;
	if (parse_bytes(text, &bytes))
		return -EINVAL;
	pages = (bytes >> PAGE_SHIFT) + (bytes % PAGE_SIZE != 0);
	store_relaxed(&zram->limit_pages, (unsigned long)min(pages, (u64)~0ul));
	return 0;
}

/* "0": from now on. */
PROC_STORE(zram_used_max_store)
{
	struct zram *zram = zram_find((unsigned int)id);

	(void)entry;
	if (text[0] != '0' || (text[1] && strcmp(text + 1, "\n")))
		return -EINVAL;
	store_relaxed(&zram->stats.max_used_pages, zram_used_pages(zram));
	return 0;
}

PROC_STORE(zram_compact_store)
{
	(void)entry;
	(void)text;
	return zram_compact(zram_find((unsigned int)id));
}
