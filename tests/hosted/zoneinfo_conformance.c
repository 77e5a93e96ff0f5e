// SPDX-License-Identifier: MIT
/*
 * Watermarks, protection, thresholds of recorded machines against our arithmetic: ../shared/procfs/NAME/zoneinfo.
 *
 * Watermarks and protection were computed late in boot; managed pages grew afterwards (initrd, init sections).
 * Protection tells what they were: managed pages of a zone then are within 256 of what the zone below it keeps.
 * So each number must follow from some managed pages within those bounds, and the steps from min to low to high
 * must follow from them exactly. What cannot be checked is printed with the reason.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mm/phys/vmstat.h"
#include "mm/phys/watermark.h"
#include "shared.h"

#define ZONES_MAX 32

struct recorded {
	unsigned int node;
	char name[16];
	unsigned long min, low, high, managed, protection[8], least, most; /* managed pages at boot: bounds */
	unsigned int classes, cpus, threshold;
	bool has_managed;
};

static struct recorded zones[ZONES_MAX];
static unsigned int nr_zones, checked, differing;

static void read_zoneinfo(FILE *f)
{
	char line[512];
	struct recorded *z = NULL;

	nr_zones = 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned int node, n;
		char name[16];
		unsigned long v;

		if (sscanf(line, "Node %u, zone %15s", &node, name) == 2) {
			if (nr_zones == ZONES_MAX)
				break;
			z = &zones[nr_zones++];
			*z = (struct recorded){ .node = node };
			strcpy(z->name, name);
		} else if (!z) {
			continue;
		} else if (sscanf(line, " min %lu", &v) == 1) {
			z->min = v;
		} else if (sscanf(line, " low %lu", &v) == 1) {
			z->low = v;
		} else if (sscanf(line, " high %lu", &v) == 1) {
			z->high = v;
		} else if (sscanf(line, " managed %lu", &v) == 1) {
			z->managed = v;
			z->has_managed = true;
		} else if (strstr(line, "protection: (")) {
			char *at = strchr(line, '(') + 1;

			for (; z->classes < 8 && *at && *at != ')'; at += *at == ',')
				z->protection[z->classes++] = strtoul(at, &at, 10);
		} else if (sscanf(line, " cpu: %u", &n) == 1) {
			z->cpus++;
		} else if (sscanf(line, " vm stats threshold: %u", &n) == 1) {
			z->threshold = n;
		}
	}
}

static int ratio_of(const char *name)
{
	return !strcmp(name, "Normal") ? 32 : !strncmp(name, "DMA", 3) ? 256 : 0;
}

/* What managed pages were at boot, from the protection of the zone below on the same node. */
static void find_bounds(void)
{
	for (unsigned int i = 0; i < nr_zones; i++) {
		struct recorded *z = &zones[i];
		unsigned int place = 0;

		z->most = z->managed;
		z->least = z->managed - z->managed / 20;
		for (unsigned int k = i; k > 0 && zones[k - 1].node == z->node; k--)
			place++;
		if (!place || !zones[i - 1].managed || !ratio_of(zones[i - 1].name) || !z->managed)
			continue;
		z->least = zones[i - 1].protection[place] * (unsigned long)ratio_of(zones[i - 1].name);
		z->most = z->least + (unsigned long)ratio_of(zones[i - 1].name) - 1;
		/*
		 * If that is what is managed now, protection may have been worked out anew meanwhile: reading
		 * lowmem_reserve_ratio does it (sysctl -a). The RAM disk may take an eighth of a small machine.
		 */
		if (z->most >= z->managed)
			z->least = z->managed - z->managed / 8;
		z->most = min(z->managed, z->most);
	}
}

static void expect_between(const char *file, const struct recorded *z, const char *what, unsigned long got,
			   unsigned long lo, unsigned long hi, unsigned long now)
{
	checked++;
	if (got != now) {
		differing++;
		printf("%s: node %u %s %s %lu, now %lu: managed pages were %lu to %lu at boot, %lu later\n", file,
		       z->node, z->name, what, got, now, z->least, z->most, z->managed);
	}
	if (got < lo || got > hi)
		test_fail(__FILE__, __LINE__, "%s: node %u %s: %s is %lu, our rule gives %lu to %lu", file, z->node,
			  z->name, what, got, lo, hi);
}

static bool capped(const struct recorded *z)
{
	return !strcmp(z->name, "HighMem") || !strcmp(z->name, "Movable");
}

static void check_zone(const char *file, const struct recorded *z, int kbytes, unsigned long low_least,
		       unsigned long low_most, unsigned long low_now)
{
	struct wmark_result lo = wmark_compute(z->least, low_most, kbytes, 10, capped(z));
	struct wmark_result hi = wmark_compute(z->most, low_least, kbytes, 10, capped(z));
	struct wmark_result now = wmark_compute(z->managed, low_now, kbytes, 10, capped(z));
	unsigned long step = z->low - z->min;

	expect_between(file, z, "min", z->min, lo.mark[WMARK_MIN], hi.mark[WMARK_MIN], now.mark[WMARK_MIN]);
	expect_between(file, z, "low", z->low, lo.mark[WMARK_LOW], hi.mark[WMARK_LOW], now.mark[WMARK_LOW]);
	expect_between(file, z, "high", z->high, lo.mark[WMARK_HIGH], hi.mark[WMARK_HIGH], now.mark[WMARK_HIGH]);
	/* whatever managed was: both steps alike, and a quarter of min unless the scale factor makes more */
	EXPECT_EQ(z->high - z->low, step);
	if (!capped(z))
		EXPECT(step >= z->min / 4 && step <= max(z->min / 4, z->most / 1000));
	if (z->cpus)
		expect_between(file, z, "threshold", z->threshold, stat_threshold(z->managed, z->cpus),
			       stat_threshold(z->managed, z->cpus), stat_threshold(z->managed, z->cpus));
}

/* @i: the zone. Its protection against each class, from the bounds of the zones above it. */
static void check_protection(const char *file, unsigned int i)
{
	const struct recorded *z = &zones[i];
	unsigned int place = 0;
	unsigned long least = 0, most = 0, now = 0;
	int ratio = ratio_of(z->name);

	while (place < i && zones[i - place - 1].node == z->node)
		place++;
	for (unsigned int k = 1; i + k < nr_zones && zones[i + k].node == z->node && place + k < z->classes; k++) {
		least += zones[i + k].least;
		most += zones[i + k].most;
		now += zones[i + k].managed;
		if (!z->managed || !ratio)
			least = most = now = 0;
		expect_between(file, z, "protection", z->protection[place + k],
			       ratio ? least / (unsigned long)ratio : 0, ratio ? most / (unsigned long)ratio : 0,
			       ratio ? now / (unsigned long)ratio : 0);
	}
}

static int recorded_min_free(const char *dir)
{
	unsigned long pages = 0;
	char path[1024], line[256];
	FILE *f;
	int kbytes;

	snprintf(path, sizeof(path), "%s/sys-vm.txt", dir);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "min_free_kbytes = %d", &kbytes) == 1) {
			fclose(f);
			return kbytes;
		}
	if (f)
		fclose(f);
	/* not recorded: the zones' shares, each rounded down, add up to it but for a page a zone */
	for (unsigned int i = 0; i < nr_zones; i++)
		if (!capped(&zones[i]) && zones[i].managed)
			pages += zones[i].min + 1;
	return (int)((pages - 1) * 4);
}

static void check_machine(const char *dir, const char *name)
{
	unsigned long least = 0, most = 0, now = 0;
	char path[1024];
	int kbytes;
	FILE *f;

	snprintf(path, sizeof(path), "%s/zoneinfo", dir);
	f = fopen(path, "r");
	if (!f)
		return;
	read_zoneinfo(f);
	fclose(f);
	if (!nr_zones || !zones[0].has_managed) {
		printf("%s: not checked: kernels before 3.8 do not tell managed pages\n", name);
		return;
	}
	find_bounds();
	kbytes = recorded_min_free(dir);
	for (unsigned int i = 0; i < nr_zones; i++) {
		if (capped(&zones[i]))
			continue;
		least += zones[i].least;
		most += zones[i].most;
		now += zones[i].managed;
	}
	for (unsigned int i = 0; i < nr_zones; i++) {
		if (zones[i].managed)
			check_zone(name, &zones[i], kbytes, least, most, now);
		check_protection(name, i);
	}
	printf("%s: %u zones, min_free_kbytes %d\n", name, nr_zones, kbytes);
}

TEST(zoneinfo_conformance, recorded_machines)
{
	char root[400], dir[700];
	struct dirent *entry;
	unsigned int machines = 0;
	DIR *list;

	snprintf(root, sizeof(root), "%s/procfs", shared_directory());
	list = opendir(root);
	if (!list) {
		test_skip("no records of /proc/zoneinfo (OCTAVO_SHARED names no directory that holds procfs/)");
		return;
	}
	checked = differing = 0;
	while ((entry = readdir(list)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", root, entry->d_name);
		check_machine(dir, entry->d_name);
		machines++;
	}
	closedir(list);
	printf("%u numbers of %u machines, %u of them with the managed pages of an earlier moment\n", checked, machines,
	       differing);
	EXPECT(checked > 0);
}
