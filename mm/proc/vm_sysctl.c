// SPDX-License-Identifier: MIT
/*
 * /proc/sys/vm and /proc/sys/kernel: values of address spaces and overcommit. Format and ranges:
 * Documentation/admin-guide/sysctl/vm.rst and kernel.rst. Each file has one number.
 */
#include "proc.h"

#include <octavo/task.h>
#include <octavo/userfaultfd.h>

#include "../boot/params.h"
#include "../cache/filemap.h"
#include "../cache/shmem.h"
#include "../reclaim/oom.h"
#include "../reclaim/reclaim.h"
#include "../swap/swap.h"
#include "../vm/account.h"
#include "../vm/vm.h"

struct vm_sysctl {
	int *value;
	unsigned long *value_long; /* if @value is NULL */
	long lowest, highest;
	void (*written)(void);
	unsigned int capability; /* 0: none */
};

void vm_sysctl_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	const struct vm_sysctl *ctl = entry->data;

	(void)id;
	if (ctl->value)
		seq_printf(m, "%d\n", READ_ONCE(*ctl->value));
	else
		seq_printf(m, "%lu\n", READ_ONCE(*ctl->value_long));
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int vm_sysctl_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	const struct vm_sysctl *ctl = entry->data;
	bool negative, overflow;
	u64 number;
	size_t len;

	(void)id;
	while (is_space(*text))
		text++;
	negative = *text == '-';
	text += negative;
	len = parse_u64(text, &number, &overflow);
	if (!len || overflow || (text[len] && !is_space(text[len])))
		return -EINVAL;
	if (negative ? number && ctl->lowest >= 0 : number > (u64)ctl->highest)
		return -EINVAL;
	if (negative && number > (u64)-ctl->lowest)
		return -EINVAL;
	if (ctl->lowest > 0 && number < (u64)ctl->lowest)
		return -EINVAL;
	if (ctl->capability && !task_capable(current_task(), ctl->capability))
		return -EPERM;
	if (ctl->value)
		WRITE_ONCE(*ctl->value, (int)(negative ? -(s64)number : (s64)number));
	else
		WRITE_ONCE(*ctl->value_long, (unsigned long)number);
	if (ctl->written)
		ctl->written();
	return 0;
}

/* The limit is a share of memory, or a number of kilobytes: what was written last. */
static void ratio_written(void)
{
	WRITE_ONCE(sysctl_overcommit_kbytes, 0);
}

static void kbytes_written(void)
{
	WRITE_ONCE(sysctl_overcommit_ratio, 0);
}

/* The same of what may be dirty. */
static void dirty_ratio_written(void)
{
	if (READ_ONCE(sysctl_dirty_ratio))
		WRITE_ONCE(sysctl_dirty_bytes, 0);
}

static void dirty_bytes_written(void)
{
	WRITE_ONCE(sysctl_dirty_ratio, 0);
}

static void dirty_background_ratio_written(void)
{
	WRITE_ONCE(sysctl_dirty_background_bytes, 0);
}

static void dirty_background_bytes_written(void)
{
	WRITE_ONCE(sysctl_dirty_background_ratio, 0);
}

#define INT_MOST 0x7fffffffl
#define LONG_MOST ((long)(~0ul >> 1))

const struct vm_sysctl ctl_admin_reserve_kbytes = { NULL, &sysctl_admin_reserve_kbytes, 0, LONG_MOST, NULL, 0 };
const struct vm_sysctl ctl_user_reserve_kbytes = { NULL, &sysctl_user_reserve_kbytes, 0, LONG_MOST, NULL, 0 };
const struct vm_sysctl ctl_dirty_background_bytes = { NULL, &sysctl_dirty_background_bytes, 1, LONG_MOST,
						      dirty_background_bytes_written, 0 };
const struct vm_sysctl ctl_dirty_background_ratio = { &sysctl_dirty_background_ratio, NULL, 0, 100,
						      dirty_background_ratio_written, 0 };
const struct vm_sysctl ctl_dirty_bytes = { NULL, &sysctl_dirty_bytes, 2 * (long)PAGE_SIZE, LONG_MOST,
					   dirty_bytes_written, 0 };
const struct vm_sysctl ctl_dirty_expire_centisecs = { &sysctl_dirty_expire_centisecs, NULL, 0, INT_MOST, NULL, 0 };
const struct vm_sysctl ctl_dirty_writeback_centisecs = { &sysctl_dirty_writeback_centisecs, NULL, 0, INT_MOST,
							 flusher_interval_changed, 0 };
const struct vm_sysctl ctl_dirty_ratio = { &sysctl_dirty_ratio, NULL, 0, 100, dirty_ratio_written, 0 };
const struct vm_sysctl ctl_memfd_noexec = { &sysctl_memfd_noexec, NULL, 0, 2, NULL, CAP_SYS_ADMIN };
const struct vm_sysctl ctl_oom_dump_tasks = { &sysctl_oom_dump_tasks, NULL, -INT_MOST, INT_MOST, NULL, 0 };
const struct vm_sysctl ctl_oom_kill_allocating_task = { &sysctl_oom_kill_allocating_task, NULL, -INT_MOST, INT_MOST,
							NULL, 0 };
const struct vm_sysctl ctl_panic_on_oom = { &sysctl_panic_on_oom, NULL, 0, 2, NULL, 0 };
const struct vm_sysctl ctl_page_cluster = { &sysctl_page_cluster, NULL, 0, 31, NULL, 0 };
const struct vm_sysctl ctl_overcommit_kbytes = { NULL, &sysctl_overcommit_kbytes, 0, LONG_MOST, kbytes_written, 0 };
const struct vm_sysctl ctl_overcommit_memory = { &sysctl_overcommit_memory, NULL, 0, 2, NULL, 0 };
const struct vm_sysctl ctl_overcommit_ratio = { &sysctl_overcommit_ratio, NULL, 0, INT_MOST, ratio_written, 0 };
const struct vm_sysctl ctl_swappiness = { &vm_swappiness, NULL, 0, 200, NULL, 0 };
const struct vm_sysctl ctl_zone_reclaim_mode = { &node_reclaim_mode, NULL, 0, INT_MOST,
						 node_reclaim_mode_written, 0 };
const struct vm_sysctl ctl_min_unmapped_ratio = { &sysctl_min_unmapped_ratio, NULL, 0, 100, NULL, 0 };
const struct vm_sysctl ctl_min_slab_ratio = { &sysctl_min_slab_ratio, NULL, 0, 100, NULL, 0 };
const struct vm_sysctl ctl_max_map_count = { &sysctl_max_map_count, NULL, 0, INT_MOST, NULL, 0 };
const struct vm_sysctl ctl_unprivileged_userfaultfd = { &sysctl_unprivileged_userfaultfd, NULL, 0, 1, NULL, 0 };
const struct vm_sysctl ctl_mmap_min_addr = { NULL, &mmap_min_addr, 0, LONG_MOST, NULL, CAP_SYS_RAWIO };
const struct vm_sysctl ctl_legacy_va_layout = { &sysctl_legacy_va_layout, NULL, 0, INT_MOST, NULL, 0 };
const struct vm_sysctl ctl_randomize_va_space = { &randomize_va_space, NULL, -INT_MOST, INT_MOST, NULL, 0 };

/* stack_guard_gap=: pages. norandmaps: as randomize_va_space 0. */
static int guard_gap_param(const char *value)
{
	bool overflow;
	u64 pages;

	if (!value || !parse_u64(value, &pages, &overflow) || overflow || pages > ~0ul >> PAGE_SHIFT)
		return -EINVAL;
	stack_guard_gap = (unsigned long)pages << PAGE_SHIFT;
	return 0;
}
early_param("stack_guard_gap", guard_gap_param);

static int norandmaps_param(const char *value)
{
	(void)value;
	randomize_va_space = 0;
	return 0;
}
early_param("norandmaps", norandmaps_param);
