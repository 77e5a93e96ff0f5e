// SPDX-License-Identifier: MIT
/*
 * A thrashing workload in the hosted machine: a process with 1.5 to 4 times the machine's memory, nine of ten
 * accesses in a tenth of it, under both policies. Accesses a second, what one takes (median, 99 %, 99.9 %, the
 * longest), and whose work reclaim was: kswapd's or that of who wanted memory.
 *
 *	thrashbench [--quick] [--json]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/port.h>
#include <octavo/proc.h>
#include <octavo/task.h>

#include "hosted.h"
#include "mm/block/block.h"
#include "mm/debug/pressure.h"
#include "mm/debug/scenario.h"
#include "mm/phys/watermark.h"
#include "mm/swap/swap.h"
#include "user.h"

#define RAM ((u64)64 << 20)
#define DISK ((u64)320 << 20)

static struct mm_process process;
static struct mm_task task;
static uintptr_t at;
static unsigned int *times; /* nanoseconds, of each access */

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static bool be_quiet(const char *text, size_t len)
{
	(void)text;
	(void)len;
	return true;
}

static void set(const char *path, const char *text)
{
	(void)octavo_proc_write(path, text, strlen(text));
}

static bool boot(void *disk)
{
	static const struct bootinfo_range map[] = { { (u64)1 << 20, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = hosted_default_machine()->arch, .map = map, .map_nr = 1, .cmdline = "" };
	struct bdev *bdev;

	if (hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true, .tlb_entries = 64,
								 .threads = true }))
		return false;
	init_per_zone_wmark_min();
	mm_free_initmem();
	set("/proc/sys/vm/overcommit_memory", "1");
	if (hosted_block_set(0, disk, DISK / 512))
		return false;
	bdev = bdev_of_port(0, "vda", DISK / 512, false);
	return bdev && !swap_make_header(bdev, (unsigned long)(DISK >> PAGE_SHIFT), "bench") &&
	       !swapon_bdev(bdev, "/dev/vda", 0);
}

static bool make_process(size_t bytes)
{
	unsigned long flags;
	long got;

	memset(&process, 0, sizeof(process));
	memset(&task, 0, sizeof(task));
	if (!scenario_process(&process, &task, "thrash", 100))
		return false;
	flags = port_irq_save();
	octavo_switch_task(&task);
	port_irq_restore(flags);
	got = ksys_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	at = (uintptr_t)got;
	return got > 0 || got < -4095;
}

static u64 next_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static int by_time(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/* Return: nanoseconds for all; 0: an access failed. */
static u64 thrash(unsigned long pages, unsigned int accesses)
{
	u64 random = 0x9e3779b97f4a7c15ull, start, began, word;

	for (unsigned long page = 0; page < pages; page++) {
		word = page;
		if (hosted_user_write(at + (page << PAGE_SHIFT), &word, sizeof(word)) != sizeof(word))
			return 0;
	}
	start = now_ns();
	for (unsigned int i = 0; i < accesses; i++) {
		u64 r = next_random(&random);
		unsigned long page = (r >> 8) % (r % 10 ? pages / 10 : pages);
		uintptr_t where = at + (page << PAGE_SHIFT);
		size_t done;

		began = now_ns();
		done = hosted_user_read(where, &word, sizeof(word));
		if (done == sizeof(word) && r >> 40 & 1)
			done = hosted_user_write(where + 8, &r, sizeof(r));
		times[i] = (unsigned int)(now_ns() - began);
		if (done != sizeof(word) || word != page)
			return 0;
	}
	return now_ns() - start;
}

static void show(const char *policy, double times_ram, u64 ns, unsigned int n, const struct pressure *p, bool json)
{
	u64 kswapd = p->value[PRESSURE_STEAL_KSWAPD], direct = p->value[PRESSURE_STEAL_DIRECT];
	double share = kswapd + direct ? 100.0 * (double)kswapd / (double)(kswapd + direct) : 0;

	qsort(times, n, sizeof(*times), by_time);
	printf(json ? "{\"policy\":\"%s\",\"times\":%.1f,\"per_second\":%.0f,\"p50_ns\":%u,\"p99_ns\":%u,"
		      "\"p999_ns\":%u,\"max_ns\":%u,\"in\":%llu,\"out\":%llu,\"kswapd_share\":%.1f}\n" :
		      "%-8s %4.1fx %11.0f %8u %8u %8u %9u %9llu %9llu %7.1f%%\n",
	       policy, times_ram, (double)n * 1e9 / (double)ns, times[n / 2], times[(u64)n * 99 / 100],
	       times[(u64)n * 999 / 1000], times[n - 1], (unsigned long long)p->value[PRESSURE_SWAP_IN],
	       (unsigned long long)p->value[PRESSURE_SWAP_OUT], share);
	fflush(stdout);
}

static int run(const char *policy, const char *gen, double times_ram, unsigned int accesses, bool json)
{
	unsigned long pages = (unsigned long)(times_ram * (double)(RAM >> PAGE_SHIFT));
	void *disk = calloc(1, DISK);
	struct pressure p;
	u64 ns = 0;
	int ret = EXIT_FAILURE;

	hosted_console_hook = be_quiet;
	if (disk && boot(disk)) {
		set("/sys/kernel/mm/lru_gen/enabled", gen);
		if (make_process((size_t)pages << PAGE_SHIFT))
			ns = thrash(pages, accesses);
		pressure_read(&p);
	}
	if (ns) {
		show(policy, times_ram, ns, accesses, &p, json);
		ret = EXIT_SUCCESS;
	} else {
		fprintf(stderr, "thrashbench: %s at %.1f times the memory failed\n", policy, times_ram);
	}
	hosted_reset();
	if (!hosted_block_set(0, NULL, 0))
		free(disk);
	return ret;
}

int main(int argc, char **argv)
{
	static const double sizes[] = { 1.5, 2, 4 };
	bool quick = false, json = false;
	unsigned int accesses;
	int ret = EXIT_SUCCESS;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick")) {
			quick = true;
		} else if (!strcmp(argv[i], "--json")) {
			json = true;
		} else {
			fprintf(stderr, "usage: thrashbench [--quick] [--json]\n");
			return 2;
		}
	}
	accesses = quick ? 100000 : 1000000;
	times = calloc(accesses, sizeof(*times));
	if (!times)
		return EXIT_FAILURE;
	if (!json)
		printf("%-8s %5s %11s %8s %8s %8s %9s %9s %9s %8s\n", "policy", "of RAM", "accesses/s", "p50 ns",
		       "p99", "p99.9", "longest", "pages in", "out", "kswapd");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ret |= run("classic", "0", sizes[i], accesses, json);
		ret |= run("lru_gen", "7", sizes[i], accesses, json);
	}
	free(times);
	return ret;
}
