/* SPDX-License-Identifier: MIT */
/*
 * Is all given back? What is free, in the heap and running is noted before and after a piece of work, which has been
 * done once already, so that what is kept on purpose (stacks of dead threads, empty slabs) is there both times.
 */
#ifndef TESTS_USER_LEAK_H
#define TESTS_USER_LEAK_H

#include <dirent.h>
#include <sys/wait.h>

#include "check.h"

struct resources {
	long free_kib, slab_kib, vm_kib, processes;
};

static inline long meminfo(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
			value = strtol(line + strlen(field) + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* What lies free on CPUs' own lists: MemFree is without it. */
static inline long pages_of_cpus(void)
{
	FILE *f = fopen("/proc/zoneinfo", "r");
	char line[256];
	long pages = 0, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	if (f)
		fclose(f);
	return pages;
}

static inline long count_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	long n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] >= '1' && e->d_name[0] <= '9';
	if (dir)
		closedir(dir);
	return n;
}

/* Caches keep empty slabs, more of them the more went on at once. */
static inline void shrink_caches(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *e;
	char path[400];

	while (dir && (e = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "w");
		if (f) {
			fputs("1", f);
			fclose(f);
		}
	}
	if (dir)
		closedir(dir);
}

static inline struct resources resources_now(void)
{
	struct resources r;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	usleep(300000); /* what waits for others to have seen it */
	shrink_caches();
	r.processes = count_processes();
	r.slab_kib = meminfo("Slab");
	r.vm_kib = meminfo("Committed_AS");
	r.free_kib = meminfo("MemFree") + 4 * pages_of_cpus();
	return r;
}

/* @slack_kib: what may differ by chance, as pages lie on CPUs' lists */
static inline int resources_lost(const struct resources *before, const struct resources *now, long slack_kib)
{
	return now->free_kib < before->free_kib - slack_kib || now->slab_kib > before->slab_kib + slack_kib ||
	       now->vm_kib > before->vm_kib + slack_kib || now->processes > before->processes;
}

/* What is lost stays lost: what others hold for a moment, on a machine that is busy, comes back. */
static inline void check_resources(const struct resources *before, long slack_kib)
{
	struct resources now = resources_now();

	for (int i = 0; i < 10 && resources_lost(before, &now, slack_kib); i++)
		now = resources_now();
	CHECK(now.processes <= before->processes);
	CHECK(now.free_kib >= before->free_kib - slack_kib);
	CHECK(now.slab_kib <= before->slab_kib + slack_kib);
	CHECK(now.vm_kib <= before->vm_kib + slack_kib);
	if (resources_lost(before, &now, slack_kib))
		printf("before: %ld KiB free, %ld of slabs, %ld committed, %ld processes; now: %ld, %ld, %ld, %ld\n",
		       before->free_kib, before->slab_kib, before->vm_kib, before->processes, now.free_kib,
		       now.slab_kib, now.vm_kib, now.processes);
}

#endif
