// SPDX-License-Identifier: MIT
/*
 * mem= and memmap=, which change the memory map, and vmalloc= and vmsplit=, which decide what of it is low.
 *
 * memmap= takes a list, separated by commas, of
 *	exactmap		forget firmware's map
 *	size			as mem=: nothing usable from this address on
 *	size@start		usable
 *	size#start		ACPI data
 *	size$start		reserved
 *	size!start		persistent memory (type 12)
 *	size%start-old+new	entries of type old become new; without -old all of the range, without +new they go
 */
#include "../base/printk.h"
#include "../base/string.h"
#include "e820.h"
#include "params.h"

/* What vmalloc= asks for has this added: the hole that guards its start. */
#define VMALLOC_OFFSET (8ull << 20)

u64 memory_limit __memsys;
struct lowmem_params lowmem_params __memsys = { .vmalloc_reserve = 128ull << 20, .page_offset = 0xc0000000 };

static bool has_e820(void)
{
	return boot_arch != BOOT_ARCH_ARM64;
}

/* Nothing usable from @size on: what mem= does, and memmap= with nothing but a size. */
static int limit_usable(u64 size)
{
	if (!has_e820()) {
		memory_limit = ALIGN_DOWN(size, (u64)PAGE_SIZE);
		return memory_limit ? 0 : -EINVAL;
	}
	e820_range_remove(&e820_table, size, ~0ull - size, E820_TYPE_RAM, true);
	e820_mark_user_defined();
	return 0;
}

static int mem_param(const char *value)
{
	u64 size;

	if (!value)
		return -EINVAL;
	if (!strcmp(value, "nopentium")) {
		if (boot_arch != BOOT_ARCH_I386 && boot_arch != BOOT_ARCH_I386_PAE) {
			pr_warn("mem=nopentium ignored! (only supported on x86_32)\n");
			return -EINVAL;
		}
		lowmem_params.no_large = true;
		return 0;
	}
	/* mem=0, or of something that is no size, must not take all memory away. */
	if (parse_size(value, &size) < 0)
		return -EINVAL;
	return limit_usable(size);
}
early_param("mem", mem_param);

static int convert_range(const char *p, phys_addr_t start, u64 size)
{
	u64 from = 0, to = 0;
	bool overflow;
	size_t n;

	if (*p == '-') {
		n = parse_u64(++p, &from, &overflow);
		if (!n || overflow || from > ~0u)
			return -EINVAL;
		p += n;
	}
	if (*p == '+') {
		n = parse_u64(++p, &to, &overflow);
		if (!n || overflow || to > ~0u)
			return -EINVAL;
		p += n;
	}
	if (*p)
		return -EINVAL;
	if (from && to)
		e820_range_update(&e820_table, start, size, (u32)from, (u32)to, true);
	else if (to)
		e820_range_add(&e820_table, start, size, (u32)to);
	else
		e820_range_remove(&e820_table, start, size, (u32)from, true);
	return 0;
}

/* One item of a memmap= list. */
static int memmap_item(const char *item)
{
	static const struct {
		char sign;
		u32 type;
	} signs[] = { { '@', E820_TYPE_RAM }, { '#', E820_TYPE_ACPI }, { '$', E820_TYPE_RESERVED },
		      { '!', E820_TYPE_PRAM } };
	const char *p, *end;
	u64 size, start;

	if (!strcmp(item, "exactmap")) {
		e820_table.nr_entries = 0;
		e820_mark_user_defined();
		return 0;
	}
	size = memparse(item, &p);
	if (p == item || !size || size == ~0ull)
		return -EINVAL;
	if (!*p)
		return limit_usable(size);
	start = memparse(p + 1, &end);
	if (end == p + 1 || start == ~0ull || start + (size - 1) < start)
		return -EINVAL;
	if (*p == '%') {
		if (convert_range(end, start, size))
			return -EINVAL;
		e820_mark_user_defined();
		return 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(signs); i++) {
		if (*p != signs[i].sign || *end)
			continue;
		e820_range_add(&e820_table, start, size, signs[i].type);
		e820_mark_user_defined();
		return 0;
	}
	return -EINVAL;
}

static int memmap_param(const char *value)
{
	char item[128];

	if (!value || !*value)
		return -EINVAL;
	if (!has_e820()) {
		pr_warn("memmap=%.200s ignored: this machine has no e820 map\n", value);
		return 0;
	}
	while (*value) {
		const char *comma = strchr(value, ',');
		size_t len = comma ? (size_t)(comma - value) : strlen(value);

		if (len >= sizeof(item)) {
			pr_warn("memmap: item of %zu characters ignored\n", len);
		} else {
			memcpy(item, value, len);
			item[len] = 0;
			if (memmap_item(item))
				pr_warn("memmap: '%s' is not understood: ignored\n", item);
		}
		value += len + !!comma;
	}
	return 0;
}
early_param("memmap", memmap_param);

static int vmalloc_param(const char *value)
{
	u64 size;

	if (parse_size(value, &size) < 0 || size > 2ull << 30)
		return -EINVAL;
	lowmem_params.vmalloc_reserve = ALIGN(size, (u64)PAGE_SIZE) + VMALLOC_OFFSET;
	return 0;
}
early_param("vmalloc", vmalloc_param);

/* Octavo's own: where kernel addresses begin on i386. Linux fixes it when it is built, under these names. */
static int vmsplit_param(const char *value)
{
	static const struct {
		const char *name;
		u32 page_offset;
	} splits[] = { { "3g", 0xc0000000 }, { "3g_opt", 0xb0000000 }, { "2g", 0x80000000 },
		       { "2g_opt", 0x78000000 }, { "1g", 0x40000000 } };

	for (unsigned int i = 0; value && i < ARRAY_SIZE(splits); i++) {
		if (strcmp(value, splits[i].name))
			continue;
		lowmem_params.page_offset = splits[i].page_offset;
		return 0;
	}
	return -EINVAL;
}
early_param("vmsplit", vmsplit_param);
