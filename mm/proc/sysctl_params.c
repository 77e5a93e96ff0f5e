// SPDX-License-Identifier: MIT
/*
 * sysctl.vm.NAME=VALUE on the command line (kernel-parameters.txt, "sysctl."): the same as a write to the file
 * at the end of boot. The names are registered, so that they do not count as unknown parameters.
 */
#include "proc.h"

#include "../boot/params.h"

#define PREFIX "sysctl."
#define PROC_SYS "/proc/sys/"

static char command_line[COMMAND_LINE_SIZE] __memsys;

/* Values are taken later: the files do not work yet when parameters are parsed. */
static int known(const char *value)
{
	(void)value;
	return 0;
}

early_param("sysctl.vm.admin_reserve_kbytes", known);
early_param("sysctl.vm.compact_memory", known);
early_param("sysctl.vm.drop_caches", known);
early_param("sysctl.vm.legacy_va_layout", known);
early_param("sysctl.vm.lowmem_reserve_ratio", known);
early_param("sysctl.vm.max_map_count", known);
early_param("sysctl.vm.min_free_kbytes", known);
early_param("sysctl.vm.min_slab_ratio", known);
early_param("sysctl.vm.min_unmapped_ratio", known);
early_param("sysctl.vm.mmap_min_addr", known);
early_param("sysctl.vm.numa_zonelist_order", known);
early_param("sysctl.vm.oom_dump_tasks", known);
early_param("sysctl.vm.oom_kill_allocating_task", known);
early_param("sysctl.vm.overcommit_kbytes", known);
early_param("sysctl.vm.overcommit_memory", known);
early_param("sysctl.vm.overcommit_ratio", known);
early_param("sysctl.vm.panic_on_oom", known);
early_param("sysctl.vm.percpu_pagelist_high_fraction", known);
early_param("sysctl.vm.stat_interval", known);
early_param("sysctl.vm.swappiness", known);
early_param("sysctl.vm.user_reserve_kbytes", known);
early_param("sysctl.vm.watermark_boost_factor", known);
early_param("sysctl.vm.watermark_scale_factor", known);
early_param("sysctl.vm.zone_reclaim_mode", known);
early_param("sysctl.kernel.randomize_va_space", known);

static void apply(const char *name, const char *value)
{
	char path[128];
	size_t head = strlen(PROC_SYS);
	long ret;

	if (!value || !*value) {
		printk("Failed to set sysctl parameter '%s': no value\n", name);
		return;
	}
	strscpy(path, PROC_SYS, sizeof(path));
	if (strscpy(path + head, name, sizeof(path) - head) < 0)
		ret = -ENOENT;
	else {
		for (char *s = path + head; *s; s++)
			if (*s == '.')
				*s = '/';
		ret = octavo_proc_write(path, value, strlen(value));
	}
	if (ret == -ENOENT || ret == -ENOTDIR || ret == -EISDIR)
		printk("Failed to set sysctl parameter '%s=%s': parameter not found\n", name, value);
	else if (ret == -EACCES)
		printk("Failed to set sysctl parameter '%s=%s': permission denied (read-only?)\n", name, value);
	else if (ret == -EINVAL)
		printk("Failed to set sysctl parameter '%s=%s': invalid value\n", name, value);
	else if (ret < 0)
		printk("Failed to set sysctl parameter '%s=%s': error %ld\n", name, value, ret);
}

void octavo_sysctl_boot_params(void)
{
	char *rest = command_line, *param, *value;

	strscpy(command_line, saved_command_line, sizeof(command_line));
	for (;;) {
		rest = next_arg(rest, &param, &value);
		if (!param || !strcmp(param, "--"))
			return;
		if (!strncmp(param, PREFIX, strlen(PREFIX)))
			apply(param + strlen(PREFIX), value);
	}
}
