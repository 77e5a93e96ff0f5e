// SPDX-License-Identifier: MIT
/*
 * crashkernel=: memory set aside for a kernel to be started after a crash.
 *
 *	size[@offset]			there, or wherever below 4 GiB, or above it if there is no room
 *	start-[end]:size[,...][@offset]	the size by how much memory the machine has
 *	size,high			above 4 GiB, with a default or "size,low" amount below it for devices
 *
 * Sources: Documentation/admin-guide/kdump/kdump.rst and kernel-parameters of Linux 6.12; boot logs.
 */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "params.h"
#include "reserve.h"

#define MIB (1ull << 20)
/* Firmware keeps some memory for itself: the total is rounded up to this before it is compared. */
#define RAM_GRANULE (128 * MIB)
#define LOW_DEFAULT (256 * MIB)

struct bootinfo_span crashkernel_res __memsys, crashkernel_low_res __memsys;

/* The values as given; the last of each kind counts. */
static char plain[256] __memsys, high[64] __memsys, low[64] __memsys;

/* @suffix at the end of @value? */
static bool ends_in(const char *value, const char *suffix)
{
	size_t n = strlen(value), m = strlen(suffix);

	return n >= m && !strcmp(value + n - m, suffix);
}

static int crashkernel_param(const char *value)
{
	long err;

	if (!value || !*value)
		return -EINVAL;
	if (ends_in(value, ",high"))
		err = strscpy(high, value, sizeof(high));
	else if (ends_in(value, ",low"))
		err = strscpy(low, value, sizeof(low));
	else
		err = strscpy(plain, value, sizeof(plain));
	return err < 0 ? -EINVAL : 0;
}
early_param("crashkernel", crashkernel_param);

/* What a value asks for: bytes, 0 if nothing for this machine; @base ~0: anywhere. */
struct request {
	u64 size;
	phys_addr_t base;
};

#define ANYWHERE (~(phys_addr_t)0)

/* One "start-[end]:size" at *@p, which moves behind it. */
static bool parse_range(const char **p, u64 ram, u64 *size)
{
	const char *s = *p, *q;
	u64 start = memparse(s, &q), end = ~0ull, amount;

	if (q == s || *q != '-')
		return false;
	s = q + 1;
	if (*s != ':') {
		end = memparse(s, &q);
		if (q == s || end <= start)
			return false;
		s = q;
	}
	if (*s++ != ':')
		return false;
	amount = memparse(s, &q);
	if (q == s || amount == ~0ull)
		return false;
	if (!*size && ram >= start && ram < end)
		*size = amount;
	*p = q;
	return true;
}

static bool parse_request(const char *value, u64 ram, struct request *request)
{
	const char *p = value, *q;

	request->size = 0;
	request->base = ANYWHERE;
	if (strchr(value, ':')) {
		for (;; p++) {
			if (!parse_range(&p, ram, &request->size))
				return false;
			if (*p != ',')
				break;
		}
	} else {
		request->size = memparse(p, &q);
		if (q == p || request->size == ~0ull)
			return false;
		p = q;
	}
	if (*p == '@') {
		request->base = memparse(p + 1, &q);
		if (q == p + 1 || request->base == ANYWHERE)
			return false;
		p = q;
	}
	return !*p;
}

/* "256M,high" and the like; true if it is a size. */
static bool parse_suffixed(const char *value, u64 *size)
{
	const char *p;

	*size = memparse(value, &p);
	return p != value && *p == ',' && *size != ~0ull;
}

/* End of memory that old devices and the crash kernel's own start reach, and how the area is aligned. */
static phys_addr_t low_end(void)
{
	return boot_arch == BOOT_ARCH_I386 || boot_arch == BOOT_ARCH_I386_PAE ? 512 * MIB : 1ull << 32;
}

static phys_addr_t area_align(void)
{
	return boot_arch == BOOT_ARCH_ARM64 ? 2 * MIB : 16 * MIB;
}

static void show_reserved(const char *what, const struct bootinfo_span *span)
{
	pr_info("crashkernel %s: 0x%016llx - 0x%016llx (%llu MB)\n", what, (unsigned long long)span->start,
		(unsigned long long)(span->start + span->size), (unsigned long long)(span->size >> 20));
}

static bool take_low(u64 size)
{
	crashkernel_low_res.start = memblock_phys_alloc_range(size, area_align(), 0, low_end());
	if (!crashkernel_low_res.start) {
		pr_err("cannot allocate crashkernel low memory (size:0x%llx).\n", (unsigned long long)size);
		return false;
	}
	crashkernel_low_res.size = size;
	show_reserved("low memory reserved", &crashkernel_low_res);
	return true;
}

static void take_at(const struct request *request)
{
	phys_addr_t base = request->base, end = base + request->size;

	if (end < base || !memblock_is_region_memory(base, request->size) ||
	    memblock_is_region_reserved(base, request->size) || memblock_reserve(base, request->size)) {
		pr_warn("crashkernel reservation failed - memory is in use.\n");
		return;
	}
	crashkernel_res = (struct bootinfo_span){ base, request->size };
	show_reserved("reserved", &crashkernel_res);
}

static void take_anywhere(u64 size, u64 low_size, bool above)
{
	phys_addr_t base = memblock_phys_alloc_range(size, area_align(), above ? low_end() : 0,
						     above ? MEMBLOCK_ALLOC_ANYWHERE : low_end());

	if (!base) {
		above = !above;
		base = memblock_phys_alloc_range(size, area_align(), above ? low_end() : 0,
						 above ? MEMBLOCK_ALLOC_ANYWHERE : low_end());
	}
	if (!base) {
		pr_warn("cannot allocate crashkernel (size:0x%llx)\n", (unsigned long long)size);
		return;
	}
	if (base >= low_end() && low_size && !take_low(low_size)) {
		memblock_phys_free(base, size);
		return;
	}
	crashkernel_res = (struct bootinfo_span){ base, size };
	show_reserved("reserved", &crashkernel_res);
}

void reserve_crashkernel(void)
{
	u64 ram = ALIGN(memblock_phys_mem_size(), (phys_addr_t)RAM_GRANULE), size, low_size = LOW_DEFAULT;
	struct request request;

	if (plain[0]) {
		if (!parse_request(plain, ram, &request))
			pr_warn("crashkernel: '%s' is not understood: ignored\n", plain);
		else if (!request.size)
			pr_info("crashkernel size resulted in zero bytes\n");
		else if (request.base != ANYWHERE)
			take_at(&request);
		else
			take_anywhere(ALIGN(request.size, (u64)PAGE_SIZE), low_size, false);
		return;
	}
	if (low[0] && !parse_suffixed(low, &low_size)) {
		pr_warn("crashkernel: '%s' is not understood: ignored\n", low);
		low_size = LOW_DEFAULT;
	}
	if (!high[0]) {
		if (low[0])
			pr_warn("crashkernel: '%s' without ',high': ignored\n", low);
		return;
	}
	if (parse_suffixed(high, &size) && size)
		take_anywhere(ALIGN(size, (u64)PAGE_SIZE), low_size, true);
	else
		pr_warn("crashkernel: '%s' is not understood: ignored\n", high);
}
