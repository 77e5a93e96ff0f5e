// SPDX-License-Identifier: MIT
/*
 * octavo tour: boot a map and show the machine at work, in a few seconds.
 *
 * Rates are calls a second of the CPUs that the host can run at once; they are for looking at. bench/ measures.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "hosted.h"
#include "mm/phys/zone.h"
#include "mm/sync/cpu.h"
#include "tour.h"

/* What a 32-bit process has address space for, and what the held blocks of the fragmentation scene may take. */
#define SMALL_HOST_LIMIT "mem=768M"
#define c tour_colour
#define HELD_BYTES_MAX ((u64)4 << 30)
#define MEASURE_NS 120000000ull

u64 tour_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

const char *tour_colour(const char *code)
{
	static char ring[8][16];
	static unsigned int next;

	return cli_colour(code, ring[next++ % 8]);
}

static void heading(const char *text)
{
	printf("\n%s%s %s%s\n", c("1;36"), cli_terminal()->unicode ? "▶" : ">", text, c("0"));
	fflush(stdout);
}

static unsigned int columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 40 ? 100 : size.ws_col;
}

/* ---- The log in brief ---- */

static struct {
	char *text;
	size_t len;
} boot_log;

static bool keep_log(const char *text, size_t len)
{
	boot_log.text = cli_resize(boot_log.text, boot_log.len + len + 1);
	memcpy(boot_log.text + boot_log.len, text, len);
	boot_log.len += len;
	return true;
}

/* Lines of each kind that are shown, more are counted. */
static const struct {
	const char *key;
	unsigned int most;
} brief[] = {
	{ "BIOS-e820:", 8 },	  { "last_pfn", 1 },   { "NUMA:", 2 },		    { "No NUMA", 1 },
	{ "Zone ranges", 1 },	  { "  DMA", 2 },      { "  Normal", 1 },	    { "  HighMem", 1 },
	{ "Early memory", 1 },	  { "  node", 6 },     { "On node", 4 },	    { "Fallback order", 4 },
	{ "Built", 1 },		  { "Memory:", 1 },
};
#define BRIEF (sizeof(brief) / sizeof(brief[0]))

static void show_log(void)
{
	unsigned int shown[BRIEF] = { 0 }, left_out = 0, width = columns();
	char *save = NULL;

	if (!boot_log.text)
		return;
	boot_log.text[boot_log.len] = 0;
	for (char *line = strtok_r(boot_log.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *text = strstr(line, "] ");
		size_t k = 0;

		text = text ? text + 2 : line;
		while (k < BRIEF && strncmp(text, brief[k].key, strlen(brief[k].key)))
			k++;
		if (k == BRIEF || shown[k]++ >= brief[k].most) {
			left_out++;
			continue;
		}
		printf("  %s%.*s%s%.*s\n", c("2"), (int)(text - line), line, c("0"),
		       (int)(width > 20 ? width - 3 - (unsigned int)(text - line) : 60), text);
	}
	printf("  %s(%u more lines: octavo boot)%s\n", c("2"), left_out, c("0"));
}

/* ---- Zones and watermarks ---- */

static const char *repeat(char *buf, size_t size, const char *cell, unsigned int count)
{
	size_t len = strlen(cell), at = 0;

	while (count-- && at + len < size) {
		memcpy(buf + at, cell, len);
		at += len;
	}
	buf[at] = 0;
	return buf;
}

#define GAUGE_STEP 5u	/* cells for 0 to min, min to low, low to high */
#define GAUGE_REST 25u	/* cells for high to all of the zone, in square roots */

/* How far @value reaches into the gauge of a zone, in cells. */
static unsigned int gauge_cells(const struct zone *zone, unsigned long value)
{
	const unsigned long mark[] = { 0, wmark_pages(zone, WMARK_MIN), wmark_pages(zone, WMARK_LOW),
				       wmark_pages(zone, WMARK_HIGH) };
	unsigned long managed = zone_managed_pages(zone);

	for (unsigned int i = 0; i < 3; i++)
		if (value < mark[i + 1])
			return i * GAUGE_STEP + (unsigned int)((double)(value - mark[i]) * GAUGE_STEP /
							       (double)(mark[i + 1] - mark[i]));
	if (managed <= mark[3])
		return 3 * GAUGE_STEP;
	return 3 * GAUGE_STEP +
	       (unsigned int)(sqrt((double)(value - mark[3]) / (double)(managed - mark[3])) * GAUGE_REST);
}

static void show_gauge(const struct zone *zone)
{
	static const char *const colours[] = { "31", "33", "36", "32" };
	unsigned int reach = gauge_cells(zone, zone_page_state_snapshot(zone, NR_FREE_PAGES));
	bool unicode = cli_terminal()->unicode;

	for (unsigned int cell = 0; cell < 3 * GAUGE_STEP + GAUGE_REST; cell++) {
		unsigned int part = cell / GAUGE_STEP < 3 ? cell / GAUGE_STEP : 3;

		if (cell == part * GAUGE_STEP)
			printf("%s%s", part ? unicode ? "│" : "|" : "", c(colours[part]));
		fputs(cell < reach ? unicode ? "█" : "#" : unicode ? "░" : ".", stdout);
		if (cell == part * GAUGE_STEP + GAUGE_STEP - 1 && part < 3)
			fputs(c("0"), stdout);
	}
	fputs(c("0"), stdout);
}

static void show_zones(void)
{
	char size[5][SIZE_TEXT_MAX], bar[128];
	const char *full = cli_terminal()->unicode ? "▇" : "=";
	unsigned long largest = 1;

	for_each_populated_zone(zone)
		if (zone_managed_pages(zone) > largest)
			largest = zone_managed_pages(zone);
	printf("  %s%-10s %13s %7s %-16s %6s %6s %6s %6s%s\n", c("1"), "   zone", "from", "managed", "", "min", "low",
	       "high", "free", c("0"));
	for_each_populated_zone(zone) {
		unsigned long managed = zone_managed_pages(zone);
		unsigned int cells = (unsigned int)ceil((double)managed * 16 / (double)largest);

		printf("  %2d %-7s %#13llx %7s %s%-*s%s", zone->node, zone->name,
		       (unsigned long long)PFN_PHYS(zone->zone_start_pfn),
		       size_text((u64)managed << PAGE_SHIFT, size[0]), c("34"),
		       (int)(16 - cells + strlen(repeat(bar, sizeof(bar), full, cells))), bar, c("0"));
		printf(" %6s %6s %6s %6s\n", size_text((u64)zone->watermark[WMARK_MIN] << PAGE_SHIFT, size[1]),
		       size_text((u64)zone->watermark[WMARK_LOW] << PAGE_SHIFT, size[2]),
		       size_text((u64)zone->watermark[WMARK_HIGH] << PAGE_SHIFT, size[3]),
		       size_text((u64)zone_page_state_snapshot(zone, NR_FREE_PAGES) << PAGE_SHIFT, size[4]));
	}
}

/* Takes pages of one zone until it is refused, to show where its watermarks stop it; gives them back. */
static void show_refusal(void)
{
	u64 chain = 0;
	unsigned long taken = 0, most = 1ul << 20;
	struct zone *zone = NULL;
	struct page *page;
	char size[SIZE_TEXT_MAX];

	while (taken < most && (page = alloc_pages(GFP_KERNEL | GFP_DMA | __GFP_NORETRY | __GFP_NOWARN, 0))) {
		if (!taken++)
			zone = page_zone(page);
		set_page_private(page, chain);
		chain = (u64)page_to_pfn(page) + 1;
	}
	if (zone) {
		drain_all_pages(zone);
		printf("  %2d %-7s ", zone->node, zone->name);
		show_gauge(zone);
		printf(" %s taken with GFP_DMA%s\n", size_text((u64)taken << PAGE_SHIFT, size),
		       taken < most ? ", then refused" : "");
	}
	while (chain) {
		page = pfn_to_page((unsigned long)(chain - 1));
		chain = page_private(page);
		set_page_private(page, 0);
		__free_pages(page, 0);
	}
}

static void show_watermarks(void)
{
	printf("\n  %s%-10s %-*s%-*s%-*s%s%s\n", c("1"), "   free", GAUGE_STEP + 1, "0", GAUGE_STEP + 1, "min",
	       GAUGE_STEP + 1, "low", "high", c("0"));
	for_each_populated_zone(zone) {
		printf("  %2d %-7s ", zone->node, zone->name);
		show_gauge(zone);
		printf("\n");
	}
	show_refusal();
}

/* ---- A burst of allocations ---- */

struct race {
	const struct tour_work *work;
	double calls_per_ns; /* summed over the CPUs */
};

u64 tour_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static unsigned long work_pair(unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	if (!page)
		return 0;
	__free_pages(page, order);
	return 1;
}

static unsigned long work_page(void *state)
{
	(void)state;
	return work_pair(0);
}

static unsigned long work_block(void *state)
{
	(void)state;
	return work_pair(3);
}

static unsigned long work_huge(void *state)
{
	(void)state;
	return work_pair(9);
}

static unsigned long work_batch(void *state)
{
	struct page *pages[64] = { NULL };
	unsigned long nr = alloc_pages_bulk(GFP_KERNEL, 64, pages);

	(void)state;
	for (unsigned long i = 0; i < nr; i++)
		__free_pages(pages[i], 0);
	return nr;
}

struct mixed {
	u64 random;
	struct page *page[256];
	u8 order[256];
};

static unsigned long work_mixed(void *state)
{
	struct mixed *m = state;
	u64 r = tour_random(&m->random);
	unsigned int i = r & 255;

	if (m->page[i]) {
		__free_pages(m->page[i], m->order[i]);
		m->page[i] = NULL;
		return 0;
	}
	m->order[i] = (u8)(r >> 8 & 7) > 3 ? 0 : (u8)(r >> 8 & 3);
	m->page[i] = alloc_pages(r >> 16 & 1 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, m->order[i]);
	return m->page[i] != NULL;
}

static void end_mixed(void *state)
{
	struct mixed *m = state;

	for (unsigned int i = 0; i < 256; i++)
		if (m->page[i])
			__free_pages(m->page[i], m->order[i]);
}

static const struct tour_work works[] = {
	{ "a page, taken and freed", sizeof(u64), work_page, NULL },
	{ "64 pages at once, freed singly", sizeof(u64), work_batch, NULL },
	{ "32 KiB block (order 3)", sizeof(u64), work_block, NULL },
	{ "2 MiB block (order 9)", sizeof(u64), work_huge, NULL },
	{ "mixed sizes, freed at random", sizeof(struct mixed), work_mixed, end_mixed },
};

static void add_rate(double *sum, double rate)
{
	double old, new;

	__atomic_load(sum, &old, __ATOMIC_RELAXED);
	do
		new = old + rate;
	while (!__atomic_compare_exchange(sum, &old, &new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static void run_race(unsigned int cpu, void *arg)
{
	struct race *race = arg;
	u64 *state = cli_alloc(race->work->state_bytes);
	u64 start = tour_now_ns(), end;
	unsigned long calls = 0;

	*state = (u64)(cpu + 1) * 0x9e3779b97f4a7c15ull;
	do {
		for (int i = 0; i < 256; i++)
			calls += race->work->once(state);
		end = tour_now_ns();
	} while (end - start < MEASURE_NS);
	if (race->work->end)
		race->work->end(state);
	free(state);
	add_rate(&race->calls_per_ns, (double)calls / (double)(end - start));
}

static void show_race(const struct tour_work *work, unsigned int cpus)
{
	struct race race = { .work = work };
	unsigned int cells;
	char bar[128];
	double rate;

	printf("  %-31s %4u ", work->name, cpus);
	fflush(stdout);
	cpus = boot_run_cpus(cpus, run_race, &race);
	rate = race.calls_per_ns * 1000;
	cells = (unsigned int)ceil(sqrt(rate) * 1.4);
	printf("%9.2f %9.1f  %s%s%s\n", rate, rate > 0 ? (double)cpus * 1000 / rate : 0, c("35"),
	       repeat(bar, sizeof(bar), cli_terminal()->unicode ? "▇" : "=", cells > 22 ? 22 : cells), c("0"));
	fflush(stdout);
}

static unsigned int race_cpus(void)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int n = nr_cpu_ids < 8 ? nr_cpu_ids : 8;

	return host > 0 && (unsigned int)host < n ? (unsigned int)host : n;
}

void tour_races(const struct tour_work *work, unsigned int nr)
{
	unsigned int cpus = race_cpus();

	printf("  %s%-31s %4s %9s %9s%s\n", c("1"), "", "CPUs", "million/s", "ns each", c("0"));
	for (; nr--; work++) {
		show_race(work, 1);
		if (cpus > 1)
			show_race(work, cpus);
	}
}

/* ---- Fragmentation ---- */

struct held {
	u64 *block; /* frame number << 4 | order */
	unsigned long nr, max_pages;
	u64 random;
};

struct scene {
	struct held cpu[8];
	unsigned int cpus;
	unsigned long *free; /* pages of each zone when it was last shown */
	int act; /* 0: fill, 1: free two in three at random, 2: free the rest */
};

static void held_free(struct held *h, unsigned long i)
{
	__free_pages(pfn_to_page((unsigned long)(h->block[i] >> 4)), (unsigned int)(h->block[i] & 15));
	h->block[i] = h->block[--h->nr];
}

static void act(unsigned int cpu, void *arg)
{
	struct scene *scene = arg;
	struct held *h = &scene->cpu[cpu];
	unsigned long pages = 0, keep = scene->act == 1 ? h->nr / 3 : 0;

	while (scene->act == 0 && pages < h->max_pages) {
		u64 r = tour_random(&h->random);
		unsigned int order = (r & 3) ? 0 : (unsigned int)(r >> 2 & 3);
		struct page *page = alloc_pages((r >> 4 & 3 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL) | __GFP_NOWARN, order);

		if (!page)
			break;
		pages += 1ul << order;
		h->block[h->nr++] = (u64)page_to_pfn(page) << 4 | order;
	}
	while (scene->act && h->nr > keep)
		held_free(h, (unsigned long)(tour_random(&h->random) % h->nr));
}

/* Buddy and fragmentation of the zones whose free pages changed since the last time; all: @all. */
static void show_changed(struct scene *scene, struct monitor *mon, bool all)
{
	unsigned int rows = 3;

	monitor_buddy_heading(mon);
	for (int picture = 0; picture < 2; picture++) {
		for_each_populated_zone(zone) {
			unsigned long free = zone_page_state_snapshot(zone, NR_FREE_PAGES);

			if (!all && free == scene->free[zone->index])
				continue;
			if (!picture)
				monitor_buddy_zone(mon, zone);
			else
				monitor_map_zone(mon, zone, rows);
			if (picture)
				scene->free[zone->index] = free;
		}
	}
}

static void play(struct scene *scene, int what, const char *title, struct monitor *mon)
{
	u64 start = tour_now_ns();
	unsigned long before = nr_free_pages(), after, moved;
	char size[SIZE_TEXT_MAX];

	if (what >= 0) {
		scene->act = what;
		boot_run_cpus(scene->cpus, act, scene);
	}
	drain_all_pages(NULL);
	after = nr_free_pages();
	moved = after > before ? after - before : before - after;
	printf("\n  %s%s%s", c("1"), title, c("0"));
	if (what >= 0)
		printf(" (%s by %u CPUs in %.0f ms)", size_text((u64)moved << PAGE_SHIFT, size), scene->cpus,
		       (double)(tour_now_ns() - start) / 1e6);
	printf("\n");
	show_changed(scene, mon, what < 0);
	fflush(stdout);
}

static void show_fragmentation(struct monitor *mon)
{
	struct scene *scene = cli_alloc(sizeof(*scene));
	u64 bytes = (u64)nr_free_pages() << PAGE_SHIFT;
	unsigned long pages;

	bytes = bytes / 5 * 2 < HELD_BYTES_MAX ? bytes / 5 * 2 : HELD_BYTES_MAX;
	scene->free = cli_alloc(MAX_NUMNODES * MAX_NR_ZONES * sizeof(unsigned long));
	scene->cpus = nr_cpu_ids < 4 ? nr_cpu_ids : 4;
	pages = (unsigned long)(bytes >> PAGE_SHIFT) / scene->cpus;
	for (unsigned int i = 0; i < scene->cpus; i++) {
		scene->cpu[i].max_pages = pages;
		scene->cpu[i].block = cli_resize(NULL, (pages + 8) * sizeof(u64));
		scene->cpu[i].random = (i + 1) * 0x9e3779b97f4a7c15ull;
	}
	play(scene, -1, "At first", mon);
	play(scene, 0, "Blocks of 4 to 32 KiB taken", mon);
	play(scene, 1, "Two in three of them freed, at random", mon);
	play(scene, 2, "All freed", mon);
	monitor_map_legend(mon);
	for (unsigned int i = 0; i < scene->cpus; i++)
		free(scene->cpu[i].block);
	free(scene->free);
	free(scene);
}

/* ---- The tour ---- */

static int boot_for_tour(struct boot *boot, const struct boot_options *options)
{
	struct boot_options own = *options;
	char *append = NULL, size[2][SIZE_TEXT_MAX];
	u64 start;
	int ret;

	/* CPUs of a deterministic boot are coroutines, which measure nothing */
	own.seed = 0;
	if (sizeof(long) == 4) {
		append = cli_format("%s%s" SMALL_HOST_LIMIT, own.append ? own.append : "", own.append ? " " : "");
		own.append = append;
	}
	own.log = keep_log;
	start = tour_now_ns();
	ret = boot_start(boot, &own);
	start = tour_now_ns() - start;
	free(append);
	if (ret)
		return ret;
	show_log();
	printf("  booted in %s%.1f ms%s: %s of RAM managed, %u CPUs; the host gave %s for it\n", c("1"),
	       (double)start / 1e6, c("0"), size_text((u64)totalram_pages() << PAGE_SHIFT, size[0]), nr_cpu_ids,
	       size_text(hosted_resident_bytes(), size[1]));
	return EXIT_DONE;
}

static int verify(struct monitor *mon)
{
	u64 start = tour_now_ns();
	unsigned int findings = monitor_verify(mon);
	double ms = (double)(tour_now_ns() - start) / 1e6;

	if (findings)
		printf("  %s%u findings%s in %.0f ms\n", c("1;31"), findings, c("0"), ms);
	else
		printf("  %s%s every frame and every object has exactly one owner%s (%.0f ms)\n", c("1;32"),
		       cli_terminal()->unicode ? "✔" : "ok:", c("0"), ms);
	return findings ? EXIT_FAILED : EXIT_DONE;
}

/* The first machine once more. */
static int your_turn(const struct boot_options *options, struct monitor *mon)
{
	struct boot_options own = *options;
	struct boot boot;
	int ret;

	own.quiet = true;
	ret = boot_start(&boot, &own);
	if (ret)
		return ret;
	heading("Your turn");
	boot_monitor(mon);
	ret = console_run(mon, stdin);
	boot_end(&boot);
	return ret;
}

int tour_run(const struct boot_options *options)
{
	struct monitor mon;
	struct boot boot;
	int ret;

	printf("%sOctavo %s%s: a kernel's memory manager, at work in this process\n", c("1"), OCTAVO_VERSION, c("0"));
	heading(options->file ? "Booting the map" : "Booting this machine's map");
	ret = boot_for_tour(&boot, options);
	free(boot_log.text);
	boot_log.text = NULL;
	boot_log.len = 0;
	if (ret)
		return ret;
	boot_monitor(&mon);
	heading("Zones and their watermarks");
	show_zones();
	show_watermarks();
	heading("Allocations");
	tour_races(works, sizeof(works) / sizeof(works[0]));
	heading("Free memory, block by block");
	show_fragmentation(&mon);
	heading("The heap");
	tour_heap(&mon);
	heading("Virtual memory");
	tour_virtual(&mon);
	heading("Processes");
	tour_process();
	heading("Verification");
	ret = verify(&mon);
	boot_end(&boot);
	heading("Four times its memory");
	ret |= tour_pressure(&mon);
	if (!ret && isatty(STDIN_FILENO) && cli_terminal()->tty)
		ret = your_turn(options, &mon);
	return ret;
}
