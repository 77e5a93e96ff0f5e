// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/debug/failslab and fail_page_alloc: the settings of fault injection, a file each. Names and formats:
 * Documentation/fault-injection/fault-injection.rst. A switch reads Y or N.
 */
#include "proc.h"

#include "../boot/params.h"
#include "../phys/fault_attr.h"
#include "../slab/failslab.h"

struct fault_file {
	struct fault_point *point;
	long (*get)(const struct fault_attr *attr);
	void (*set)(struct fault_attr *attr, long value);
	bool is_switch;
	long lowest, highest;
};

#define GET_SET(field, type)                                        \
	static long get_##field(const struct fault_attr *attr)      \
	{                                                           \
		return (long)attr->field;                           \
	}                                                           \
	static void set_##field(struct fault_attr *attr, long value) \
	{                                                           \
		attr->field = (type)value;                          \
	}
GET_SET(probability, unsigned int)
GET_SET(interval, unsigned int)
GET_SET(times, int)
GET_SET(space, unsigned int)
GET_SET(verbose, unsigned int)
GET_SET(verbose_ratelimit_interval_ms, unsigned int)
GET_SET(verbose_ratelimit_burst, unsigned int)
GET_SET(min_order, unsigned int)
GET_SET(task_filter, bool)
GET_SET(ignore_gfp_reclaim, bool)
GET_SET(ignore_gfp_highmem, bool)
GET_SET(cache_filter, bool)

#define INT_MAX 0x7fffffff
#define NUMBER(point, field) { &(point), get_##field, set_##field, false, 0, INT_MAX }
#define SWITCH(point, field) { &(point), get_##field, set_##field, true, 0, 1 }
#define COMMON(name, point)                                                                               \
	const struct fault_file name##_probability = NUMBER(point, probability);                          \
	const struct fault_file name##_interval = NUMBER(point, interval);                                \
	const struct fault_file name##_times = { &(point), get_times, set_times, false, -1, INT_MAX };    \
	const struct fault_file name##_space = NUMBER(point, space);                                      \
	const struct fault_file name##_verbose = NUMBER(point, verbose);                                  \
	const struct fault_file name##_rate_interval = NUMBER(point, verbose_ratelimit_interval_ms);      \
	const struct fault_file name##_rate_burst = NUMBER(point, verbose_ratelimit_burst);               \
	const struct fault_file name##_task_filter = SWITCH(point, task_filter);                          \
	const struct fault_file name##_ignore_wait = SWITCH(point, ignore_gfp_reclaim)

COMMON(fault_slab, failslab);
const struct fault_file fault_slab_cache_filter = SWITCH(failslab, cache_filter);
COMMON(fault_page, fail_page_alloc);
const struct fault_file fault_page_min_order = NUMBER(fail_page_alloc, min_order);
const struct fault_file fault_page_ignore_highmem = SWITCH(fail_page_alloc, ignore_gfp_highmem);

PROC_SHOW(fault_file_show)
{
	const struct fault_file *file = entry->data;
	struct fault_attr attr;

	(void)id;
	fault_point_get(file->point, &attr);
	if (file->is_switch)
		seq_puts(m, file->get(&attr) ? "Y\n" : "N\n");
	else
		seq_printf(m, "%ld\n", file->get(&attr));
}

static bool parse_switch(const char *text, long *value)
{
	char word[8];
	bool on;

	strscpy(word, text, sizeof(word));
	for (char *s = word; *s; s++)
		if (*s == '\n')
			*s = 0;
	if (!word[0] || parse_bool(word, &on))
		return false;
	*value = on;
	return true;
}

static bool parse_long(const char *text, long *value)
{
	bool negative = *text == '-', overflow;
	u64 magnitude;
	size_t len = parse_u64(text + negative, &magnitude, &overflow);

	text += negative + len;
	if (!len || overflow || magnitude > INT_MAX || (*text && strcmp(text, "\n")))
		return false;
	*value = negative ? -(long)magnitude : (long)magnitude;
	return true;
}

PROC_STORE(fault_file_store)
{
	const struct fault_file *file = entry->data;
	long value;

	(void)id;
	if (!(file->is_switch ? parse_switch(text, &value) : parse_long(text, &value)) || value < file->lowest ||
	    value > file->highest)
		return -EINVAL;
	fault_point_change(file->point, file->set, value);
	return 0;
}
