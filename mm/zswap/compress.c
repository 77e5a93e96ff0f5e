// SPDX-License-Identifier: MIT
/*
 * Compressors: the list of them, each CPU's workspace and buffer, and LZ4 as one of them.
 *
 * There is no lock and no mutex: a CPU's workspace is used with preemption off, and by threads only. A page takes some
 * microseconds. Every possible CPU has its own, so a CPU that comes online finds it there: a page and the workspace
 * (for LZ4 8196 bytes, an object of 16 KiB) each, for each compressor in use.
 */
#include "compress.h"

#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/preempt.h>
#include <octavo/slab.h>

#include "../base/string.h"
#include "../sync/cpu.h"
#include "lz4.h"

extern const struct zswap_compressor __start_octavo_compressors[] __weak;
extern const struct zswap_compressor __stop_octavo_compressors[] __weak;

const struct zswap_compressor *compressor_next(const struct zswap_compressor *before)
{
	const struct zswap_compressor *c = before ? before + 1 : __start_octavo_compressors;

	while (c < __stop_octavo_compressors && c->available && !c->available())
		c++;
	return c < __stop_octavo_compressors ? c : NULL;
}

const struct zswap_compressor *compressor_find(const char *name)
{
	const struct zswap_compressor *c = NULL;

	while ((c = compressor_next(c)) != NULL)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* ---- Each CPU's ---- */

static bool cpu_init(struct packer_cpu *cpu, const struct zswap_compressor *ops, int node)
{
	struct page *page = alloc_pages_node(node, GFP_KERNEL, 0);

	if (!page)
		return false;
	cpu->buffer = page_address(page);
	if (!ops->workspace)
		return true;
	cpu->workspace = kvmalloc_node(ALIGN(ops->workspace, 64), GFP_KERNEL | __GFP_ZERO, node);
	return cpu->workspace != NULL;
}

int packer_init(struct packer *packer, const struct zswap_compressor *ops)
{
	packer->ops = ops;
	packer->cpus = kcalloc(nr_cpu_ids, sizeof(*packer->cpus), GFP_KERNEL);
	if (!packer->cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		int node = cpu_locals[cpu] ? cpu_locals[cpu]->node : NUMA_NO_NODE;

		if (!cpu_init(&packer->cpus[cpu], ops, node)) {
			packer_exit(packer);
			return -ENOMEM;
		}
	}
	return 0;
}

void packer_exit(struct packer *packer)
{
	if (!packer->cpus)
		return;
	for_each_possible_cpu(cpu) {
		free_page((unsigned long)packer->cpus[cpu].buffer);
		kvfree(packer->cpus[cpu].workspace);
	}
	kfree(packer->cpus);
	packer->cpus = NULL;
}

struct packer_cpu *packer_enter(struct packer *packer)
{
	preempt_disable();
	return &packer->cpus[smp_processor_id()];
}

void packer_leave(void)
{
	preempt_enable();
}

/* ---- Pages of one word ---- */

bool page_same_filled(const void *virt, unsigned long *word)
{
	const unsigned long *p = virt;
	const size_t n = PAGE_SIZE / sizeof(*p);
	unsigned long first = p[0], differ;

	/* Most pages that are not all the same differ at one of their ends. */
	if (first != p[n - 1] || first != p[1])
		return false;
	for (size_t i = 0; i < n; i += 8) {
		differ = (p[i] ^ first) | (p[i + 1] ^ first) | (p[i + 2] ^ first) | (p[i + 3] ^ first) |
			 (p[i + 4] ^ first) | (p[i + 5] ^ first) | (p[i + 6] ^ first) | (p[i + 7] ^ first);
		if (differ)
			return false;
	}
	*word = first;
	return true;
}

void page_fill(void *virt, unsigned long word)
{
	unsigned long *p = virt;

	if (!word) {
		memset(virt, 0, PAGE_SIZE);
		return;
	}
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*p); i++)
		p[i] = word;
}

/* ---- LZ4 ---- */

static long lz4_page_compress(void *workspace, const void *src, void *dst, size_t room)
{
	size_t len = lz4_pack(workspace, src, PAGE_SIZE, dst, room);

	return len ? (long)len : -ENOSPC;
}

static int lz4_page_decompress(void *workspace, const void *src, size_t len, void *dst)
{
	(void)workspace;
	return lz4_unpack(src, len, dst, PAGE_SIZE) == (long)PAGE_SIZE ? 0 : -EIO;
}

ZSWAP_COMPRESSOR(lz4, .workspace = sizeof(struct lz4_workspace), .compress = lz4_page_compress,
		 .decompress = lz4_page_decompress);
