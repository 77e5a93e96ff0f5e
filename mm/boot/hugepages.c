// SPDX-License-Identifier: MIT
/*
 * hugepagesz=, hugepages= and default_hugepagesz=: how many huge pages to set aside at boot.
 *
 * Pages larger than the page allocator's largest block (1 GiB, say) can only be had now, from memblock: they are
 * spread over the nodes in turn, or taken from those that "hugepages=0:4,1:2" names. Smaller ones are remembered.
 *
 * Source: kernel-parameters of Linux 6.12 and Documentation/admin-guide/mm/hugetlbpage.rst.
 */
#include <octavo/memblock.h>
#include <octavo/mmzone.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "params.h"
#include "reserve.h"

#define MIB (1ull << 20)

struct hugepage_params hugepage_params __memsys;

static struct {
	bool size_seen;	 /* a hugepagesz= of a size that is not to be had hides the next hugepages= */
	bool size_valid;
	u64 size;
	phys_addr_t *pages; /* gigantic pages that were reserved */
	unsigned int nr;
} huge __memsys;

static u64 default_huge_size(void)
{
	return boot_arch == BOOT_ARCH_I386 ? 4 * MIB : 2 * MIB;
}

/* Sizes each architecture's page tables have with 4 KiB pages. */
static bool size_supported(u64 size)
{
	switch (boot_arch) {
	case BOOT_ARCH_X86_64: return size == 2 * MIB || size == 1024 * MIB;
	case BOOT_ARCH_I386: return size == 4 * MIB;
	case BOOT_ARCH_I386_PAE: return size == 2 * MIB;
	case BOOT_ARCH_ARM64: return size == MIB / 16 || size == 2 * MIB || size == 32 * MIB || size == 1024 * MIB;
	}
	return false;
}

static struct hugepage_request *request_for(u64 size)
{
	for (unsigned int i = 0; i < hugepage_params.nr; i++)
		if (hugepage_params.request[i].size == size)
			return &hugepage_params.request[i];
	if (hugepage_params.nr == HUGEPAGE_SIZES_MAX)
		return NULL;
	hugepage_params.request[hugepage_params.nr].size = size;
	return &hugepage_params.request[hugepage_params.nr++];
}

static int hugepagesz_param(const char *value)
{
	huge.size_seen = true;
	huge.size_valid = false;
	if (parse_size(value, &huge.size) < 0)
		return -EINVAL;
	if (!size_supported(huge.size)) {
		pr_err("HugeTLB: unsupported hugepagesz=%s\n", value);
		return 0;
	}
	huge.size_valid = true;
	return 0;
}
early_param("hugepagesz", hugepagesz_param);

static int default_hugepagesz_param(const char *value)
{
	u64 size;

	if (parse_size(value, &size) < 0)
		return -EINVAL;
	if (!size_supported(size)) {
		pr_err("HugeTLB: unsupported default_hugepagesz=%s\n", value);
		return 0;
	}
	hugepage_params.default_size = size;
	return 0;
}
early_param("default_hugepagesz", default_hugepagesz_param);

/* "0:4,1:2" into @request. */
static bool parse_node_counts(const char *p, struct hugepage_request *request)
{
	u32 count[MAX_NUMNODES] = { 0 };
	bool overflow;
	u64 nid, nr;
	size_t n;

	for (;; p++) {
		n = parse_u64(p, &nid, &overflow);
		if (!n || overflow || nid >= MAX_NUMNODES || p[n] != ':')
			return false;
		p += n + 1;
		n = parse_u64(p, &nr, &overflow);
		if (!n || overflow || nr > ~0u)
			return false;
		count[nid] = (u32)nr;
		p += n;
		if (*p != ',')
			break;
	}
	if (*p)
		return false;
	memcpy(request->node_count, count, sizeof(count));
	request->count = 0;
	return true;
}

static int hugepages_param(const char *value)
{
	struct hugepage_request *request;
	u64 count;

	if (!value)
		return -EINVAL;
	if (huge.size_seen && !huge.size_valid) {
		pr_warn("HugeTLB: hugepages=%s does not follow a valid hugepagesz, ignoring\n", value);
		return 0;
	}
	request = request_for(huge.size_seen ? huge.size
			      : hugepage_params.default_size ? hugepage_params.default_size : default_huge_size());
	if (!request) {
		pr_warn("HugeTLB: hugepages=%s: more than %d page sizes\n", value, HUGEPAGE_SIZES_MAX);
		return 0;
	}
	if (strchr(value, ':') ? parse_node_counts(value, request) : !parse_number(value, &count)) {
		if (!strchr(value, ':')) {
			request->count = count;
			memset(request->node_count, 0, sizeof(request->node_count));
		}
		huge.size_seen = false;
		return 0;
	}
	pr_warn("HugeTLB: Invalid hugepages parameter %s\n", value);
	return 0;
}
early_param("hugepages", hugepages_param);

static bool take_page(u64 size, int nid)
{
	phys_addr_t page = memblock_alloc_range_nid(size, size, 0, MEMBLOCK_ALLOC_ANYWHERE, nid, true);

	if (!page)
		return false;
	huge.pages[huge.nr++] = page;
	return true;
}

/* Nodes in turn, skipping the full ones, until @count are there. Return: how many are. */
static u64 take_in_turn(u64 size, u64 count)
{
	u64 got = 0, before;

	do {
		before = got;
		for (int nid = 0; nid < MAX_NUMNODES && got < count; nid++)
			got += take_page(size, nid);
	} while (got < count && got != before);
	return got;
}

static void take_request(const struct hugepage_request *request)
{
	u64 wanted = request->count, got = take_in_turn(request->size, wanted);

	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		u32 i = 0;

		while (i < request->node_count[nid] && take_page(request->size, nid))
			i++;
		got += i;
		wanted += request->node_count[nid];
	}
	if (got < wanted)
		pr_warn("HugeTLB: allocating %llu of page size %llu MiB failed.  Only allocated %llu hugepages.\n",
			(unsigned long long)wanted, (unsigned long long)(request->size >> 20),
			(unsigned long long)got);
}

void hugepages_reserve(void)
{
	u64 most = 0, ram = memblock_phys_mem_size();

	if (!hugepage_params.default_size)
		hugepage_params.default_size = default_huge_size();
	for (unsigned int i = 0; i < hugepage_params.nr; i++)
		if (hugepage_params.request[i].size > PAGE_SIZE * MAX_ORDER_NR_PAGES)
			most += ram / hugepage_params.request[i].size;
	if (!most)
		return;
	/* No more can be had than fit into memory, however many were asked for. */
	huge.pages = memblock_alloc(most * sizeof(huge.pages[0]), sizeof(huge.pages[0]));
	if (!huge.pages) {
		pr_warn("HugeTLB: no room for the list of %llu pages: none reserved\n", (unsigned long long)most);
		return;
	}
	for (unsigned int i = 0; i < hugepage_params.nr; i++)
		if (hugepage_params.request[i].size > PAGE_SIZE * MAX_ORDER_NR_PAGES)
			take_request(&hugepage_params.request[i]);
}

const phys_addr_t *hugepages_gigantic(unsigned int *nr)
{
	*nr = huge.nr;
	return huge.pages;
}
