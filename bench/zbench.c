// SPDX-License-Identifier: MIT
/*
 * Compressed memory, on the contents of real files: each compressor's ratio and time a page, each pool's density, and
 * what zswap takes for a page out and in besides its codec.
 *
 *	ratio     bytes of pages over bytes they pack to; what does not pack counts as a page
 *	pack, unpack   ns of the thread's CPU time a page: the least of ROUNDS rounds over all pages, in turn
 *	density   of 100 bytes of a pool's pages, how many are packed bytes; pages stored for each page of the pool
 *	store, load   ns a page through zswap, codec included
 *
 * Usage: zbench [--pages N] [FILE...]   Without files: the bench's own executable, and gcc's cc1 if it is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <octavo/highmem.h>

#include "hosted.h"
#include "mm/base/compiler.h"
#include "mm/zswap/zswap_internal.h"

#define ROUNDS 5u
#define TYPE 3u

static u8 *data;
static size_t pages_nr, pages_max = 8192;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		fprintf(stderr, "zbench: %s cannot be read\n", path);
		return;
	}
	n = fread(data + pages_nr * PAGE_SIZE, PAGE_SIZE, pages_max - pages_nr, f);
	printf("%zu pages of %s\n", n, path);
	pages_nr += n;
	fclose(f);
}

static void read_cc1(void)
{
	char path[512] = "";
	FILE *p = popen("gcc -print-prog-name=cc1 2>/dev/null", "r");

	if (p && fgets(path, sizeof(path), p))
		path[strcspn(path, "\n")] = 0;
	if (p)
		pclose(p);
	if (path[0] == '/')
		read_file(path);
}

struct codec_figures {
	const struct zswap_compressor *codec;
	double pack, unpack; /* ns a page */
	size_t bytes, unpacked;
};

static void measure(struct codec_figures *c, struct packer *packer, u8 *packed, u16 *lengths)
{
	static u8 out[PAGE_SIZE];
	struct packer_cpu *cpu = &packer->cpus[0];
	double start = cpu_ns(), pack, unpack;

	c->bytes = c->unpacked = 0;
	for (size_t i = 0; i < pages_nr; i++) {
		long len = c->codec->compress(cpu->workspace, data + i * PAGE_SIZE, packed + i * PAGE_SIZE,
					      PAGE_SIZE - 1);

		lengths[i] = len > 0 ? (u16)len : 0;
		c->bytes += len > 0 ? (size_t)len : PAGE_SIZE;
	}
	pack = (cpu_ns() - start) / (double)pages_nr;
	start = cpu_ns();
	for (size_t i = 0; i < pages_nr; i++)
		if (lengths[i]) {
			if (c->codec->decompress(cpu->workspace, packed + i * PAGE_SIZE, lengths[i], out))
				fprintf(stderr, "zbench: page %zu does not unpack\n", i);
			c->unpacked++;
		}
	unpack = c->unpacked ? (cpu_ns() - start) / (double)c->unpacked : 0;
	c->pack = !c->pack || pack < c->pack ? pack : c->pack;
	c->unpack = !c->unpack || unpack < c->unpack ? unpack : c->unpack;
}

static struct codec_figures figures[8];
static unsigned int figures_nr;

static void codecs(void)
{
	static struct packer packers[8];
	u8 *packed = malloc(pages_nr * PAGE_SIZE);
	u16 *lengths = calloc(pages_nr, sizeof(*lengths));
	const struct zswap_compressor *codec = NULL;

	if (!packed || !lengths)
		exit(1);
	while ((codec = compressor_next(codec)) != NULL && figures_nr < ARRAY_SIZE(figures))
		if (!packer_init(&packers[figures_nr], codec))
			figures[figures_nr++].codec = codec;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < figures_nr; i++)
			measure(&figures[i], &packers[i], packed, lengths);
	printf("\n%-10s %7s %10s %10s\n", "", "ratio", "pack ns", "unpack ns");
	for (unsigned int i = 0; i < figures_nr; i++) {
		printf("%-10s %7.3f %10.0f %10.0f\n", figures[i].codec->name,
		       (double)pages_nr * PAGE_SIZE / (double)figures[i].bytes, figures[i].pack, figures[i].unpack);
		packer_exit(&packers[i]);
	}
	free(packed);
	free(lengths);
}

static void through_zswap(const struct zpool_driver *driver)
{
	struct page *page = alloc_page(GFP_KERNEL);
	double start, store, load;
	unsigned long kept = 0, bytes = 0;

	if (!page || zswap_set_zpool(driver->type) || zswap_swapon(TYPE, pages_nr))
		exit(1);
	start = cpu_ns();
	for (size_t i = 0; i < pages_nr; i++) {
		memcpy(page_address(page), data + i * PAGE_SIZE, PAGE_SIZE);
		kept += zswap_store(swp_entry(TYPE, i), page);
	}
	store = (cpu_ns() - start) / (double)pages_nr;
	start = cpu_ns();
	for (size_t i = 0; i < pages_nr; i++)
		if (!zswap_load(swp_entry(TYPE, i), page) &&
		    memcmp(page_address(page), data + i * PAGE_SIZE, PAGE_SIZE))
			fprintf(stderr, "zbench: page %zu is not what was stored\n", i);
	load = (cpu_ns() - start) / (double)(kept ? kept : 1);
	for (size_t i = 0; i < pages_nr; i++) {
		struct zswap_chunk *chunk;
		struct zswap_slot *slot = zswap_slot_find(swp_entry(TYPE, i), &chunk);

		bytes += slot && (slot->word & ZSWAP_KIND) == ZSWAP_PACKED ? ZSWAP_LENGTH(slot->word) : 0;
	}
	printf("%-10s %7.1f %10.2f %10.0f %10.0f\n", driver->type,
	       (double)bytes * 100 / ((double)zswap_pool_pages() * PAGE_SIZE),
	       (double)kept / (double)zswap_pool_pages(), store, load);
	zswap_swapoff(TYPE);
	__free_page(page);
}

int main(int argc, char **argv)
{
	static const struct bootinfo_range map[] = { { 0, (u64)1 << 30, E820_TYPE_RAM } };
	static const struct bootinfo machine = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1,
						 .cmdline = "zswap.enabled=1 zswap.max_pool_percent=90" };
	int first = 1;

	if (argc > 2 && !strcmp(argv[1], "--pages")) {
		pages_max = strtoul(argv[2], NULL, 0);
		first = 3;
	}
	data = malloc(pages_max * PAGE_SIZE);
	if (!pages_max || !data || hosted_boot(&machine, &(struct hosted_options){ .quiet = true })) {
		fprintf(stderr, "zbench: no memory\n");
		return 1;
	}
	for (int i = first; i < argc; i++)
		read_file(argv[i]);
	if (first >= argc) {
		read_file("/proc/self/exe");
		read_cc1();
	}
	if (!pages_nr)
		return 1;
	codecs();
	printf("\n%-10s %7s %10s %10s %10s   (with %s, copies of pages included)\n", "", "density", "pages/page",
	       "store ns", "load ns", COMPRESSOR_DEFAULT);
	for (const struct zpool_driver *const *d = zpool_drivers; *d; d++)
		through_zswap(*d);
	return 0;
}
