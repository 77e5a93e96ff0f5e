// SPDX-License-Identifier: MIT
/*
 * The two loaders' information.
 *
 * Sources: xen.git xen/include/public/arch-x86/hvm/start_info.h describes PVH's layout (version 0: modules,
 * command line, RSDP; version 1 adds the memory map); Multiboot2 specification 2.0 section 3.6; UEFI 2.10
 * section 7.2.3 for the EFI memory descriptor.
 */
#include <octavo/errno.h>

#include "firmware.h"
#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"

/* ---- Shared ---- */

static bool read_phys(const struct phys_reader *rd, phys_addr_t at, void *to, size_t len)
{
	return rd->read(rd->ctx, at, to, len);
}

/* Copies a string of at most @room - 1 bytes, a byte at a time as its end is unknown. */
static void read_text(const struct phys_reader *rd, phys_addr_t at, size_t limit, char *to, size_t room)
{
	size_t i;

	for (i = 0; i + 1 < room && i < limit; i++)
		if (!read_phys(rd, at + i, &to[i], 1) || !to[i])
			break;
	to[i] = 0;
}

static void add_range(struct firmware *fw, phys_addr_t start, phys_addr_t size, u32 type)
{
	if (fw->map_nr == FIRMWARE_MAP_MAX) {
		printk("boot: memory map entry [mem %#018llx size %#llx] dropped: only %u are kept\n",
		       (unsigned long long)start, (unsigned long long)size, FIRMWARE_MAP_MAX);
		return;
	}
	fw->map[fw->map_nr++] = (struct bootinfo_range){ .start = start, .size = size, .type = type };
}

static void add_module(struct firmware *fw, phys_addr_t start, phys_addr_t size)
{
	if (!size)
		return;
	if (start + size < start || fw->modules_nr == FIRMWARE_MODULES_MAX) {
		printk("boot: module [mem %#018llx size %#llx] ignored\n", (unsigned long long)start,
		       (unsigned long long)size);
		return;
	}
	fw->modules[fw->modules_nr++] = (struct bootinfo_span){ .start = start, .size = size };
}

/* ---- PVH ---- */

struct pvh_start_info {
	u32 magic; /* 0x336ec578: "xEn3" with the high bit of the E set */
	u32 version;
	u32 flags;
	u32 modules_nr;
	u64 modules;
	u64 cmdline;
	u64 rsdp;
	/* version 1 */
	u64 map;
	u32 map_nr;
	u32 reserved;
};
octavo_static_assert(sizeof(struct pvh_start_info) == 56, "hvm_start_info, version 1");
#define PVH_MAGIC 0x336ec578u
#define PVH_VERSION_0_BYTES 40

struct pvh_module {
	u64 start, size, cmdline, reserved;
};

struct pvh_map_entry {
	u64 start, size;
	u32 type, reserved;
};
octavo_static_assert(sizeof(struct pvh_map_entry) == 24, "hvm_memmap_table_entry");

int firmware_read_pvh(struct firmware *fw, const struct phys_reader *rd, phys_addr_t info)
{
	struct pvh_start_info si = { 0 };

	strscpy(fw->loader, "PVH", sizeof(fw->loader));
	if (!read_phys(rd, info, &si, PVH_VERSION_0_BYTES) || si.magic != PVH_MAGIC) {
		printk("boot: PVH start info at %#llx: bad magic %#x\n", (unsigned long long)info, si.magic);
		return -EINVAL;
	}
	if (si.version < 1 || !read_phys(rd, info, &si, sizeof(si))) {
		printk("boot: PVH start info version %u has no memory map\n", si.version);
		return -EINVAL;
	}
	if (si.cmdline)
		read_text(rd, si.cmdline, sizeof(fw->cmdline), fw->cmdline, sizeof(fw->cmdline));
	fw->rsdp = si.rsdp;
	for (u32 i = 0; i < si.modules_nr && i < FIRMWARE_MODULES_MAX; i++) {
		struct pvh_module module;

		if (!read_phys(rd, si.modules + i * sizeof(module), &module, sizeof(module))) {
			printk("boot: PVH module list ends after %u of %u\n", i, si.modules_nr);
			break;
		}
		add_module(fw, module.start, module.size);
	}
	for (u32 i = 0; i < si.map_nr; i++) {
		struct pvh_map_entry entry;

		if (!read_phys(rd, si.map + i * sizeof(entry), &entry, sizeof(entry))) {
			printk("boot: PVH memory map ends after %u of %u entries\n", i, si.map_nr);
			break;
		}
		add_range(fw, entry.start, entry.size, entry.type);
	}
	if (!fw->map_nr) {
		printk("boot: PVH start info holds no memory map\n");
		return -EINVAL;
	}
	return 0;
}

/* ---- multiboot2 ---- */

enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_MAP = 6,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_EFI_MAP = 17,
};

struct mb2_tag {
	u32 type, size;
};

struct mb2_table {
	u32 entry_size, version;
};

struct mb2_map_entry {
	u64 start, size;
	u32 type, reserved;
};

struct efi_descriptor {
	u32 type, pad;
	u64 start, virt, pages, attributes;
};

#define MULTIBOOT2_BYTES_MAX (1u << 20)
#define EFI_MEMORY_SP 0x40000ull /* specific-purpose memory, UEFI 2.10 table 7.11 */

/* EFI memory types as an e820 map shows them after boot services have ended (ACPI 6.5 table 15.6). */
static u32 efi_to_e820(const struct efi_descriptor *d)
{
	switch (d->type) {
	case 1: /* loader code and data: the loader has protected what matters as modules */
	case 2:
	case 3: /* boot services code and data */
	case 4:
	case 7: /* conventional */
		return d->attributes & EFI_MEMORY_SP ? (u32)E820_TYPE_SOFT_RESERVED : E820_TYPE_RAM;
	case 8:
		return E820_TYPE_UNUSABLE;
	case 9:
		return E820_TYPE_ACPI;
	case 10:
		return E820_TYPE_NVS;
	case 14:
		return E820_TYPE_PMEM;
	default:
		return E820_TYPE_RESERVED;
	}
}

static void read_map_tag(struct firmware *fw, const struct phys_reader *rd, phys_addr_t at, u32 size, bool efi)
{
	size_t want = efi ? sizeof(struct efi_descriptor) : sizeof(struct mb2_map_entry);
	struct mb2_table table;
	phys_addr_t end = at + size;

	at += sizeof(struct mb2_tag);
	if (size < sizeof(struct mb2_tag) + sizeof(table) || !read_phys(rd, at, &table, sizeof(table)) ||
	    table.entry_size < want) {
		printk("boot: multiboot2 %s map is malformed\n", efi ? "EFI" : "memory");
		return;
	}
	for (at += sizeof(table); at + want <= end; at += table.entry_size) {
		union {
			struct mb2_map_entry mb2;
			struct efi_descriptor efi;
		} e;

		if (!read_phys(rd, at, &e, want))
			return;
		if (efi)
			add_range(fw, e.efi.start, e.efi.pages << PAGE_SHIFT, efi_to_e820(&e.efi));
		else
			add_range(fw, e.mb2.start, e.mb2.size, e.mb2.type);
	}
}

static void read_rsdp_tag(struct firmware *fw, const struct phys_reader *rd, phys_addr_t at, u32 size)
{
	size = min_t(u32, size - sizeof(struct mb2_tag), FIRMWARE_RSDP_BYTES);
	/* The new root pointer, if there are both: it is the longer one. */
	if (size > fw->rsdp_copy_bytes && read_phys(rd, at + sizeof(struct mb2_tag), fw->rsdp_copy, size))
		fw->rsdp_copy_bytes = size;
}

static void read_module_tag(struct firmware *fw, const struct phys_reader *rd, phys_addr_t at)
{
	u32 bounds[2];

	if (read_phys(rd, at + sizeof(struct mb2_tag), bounds, sizeof(bounds)) && bounds[1] > bounds[0])
		add_module(fw, bounds[0], bounds[1] - bounds[0]);
}

static void read_tag(struct firmware *fw, const struct phys_reader *rd, phys_addr_t at, const struct mb2_tag *tag)
{
	switch (tag->type) {
	case TAG_CMDLINE:
		read_text(rd, at + sizeof(*tag), tag->size - sizeof(*tag), fw->cmdline, sizeof(fw->cmdline));
		break;
	case TAG_LOADER:
		read_text(rd, at + sizeof(*tag), tag->size - sizeof(*tag), fw->loader, sizeof(fw->loader));
		break;
	case TAG_MODULE:
		read_module_tag(fw, rd, at);
		break;
	case TAG_MAP:
		read_map_tag(fw, rd, at, tag->size, false);
		break;
	case TAG_ACPI_OLD:
	case TAG_ACPI_NEW:
		read_rsdp_tag(fw, rd, at, tag->size);
		break;
	}
}

int firmware_read_multiboot2(struct firmware *fw, const struct phys_reader *rd, phys_addr_t info)
{
	phys_addr_t at = info + 8, end, efi_map = 0;
	u32 total, efi_size = 0;

	strscpy(fw->loader, "multiboot2", sizeof(fw->loader));
	if (!read_phys(rd, info, &total, sizeof(total)) || total < 16 || total > MULTIBOOT2_BYTES_MAX) {
		printk("boot: multiboot2 information at %#llx is malformed\n", (unsigned long long)info);
		return -EINVAL;
	}
	end = info + total;
	while (at + sizeof(struct mb2_tag) <= end) {
		struct mb2_tag tag;

		if (!read_phys(rd, at, &tag, sizeof(tag)) || tag.type == TAG_END)
			break;
		if (tag.size < sizeof(tag) || tag.size > end - at) {
			printk("boot: multiboot2 tag %u of %u bytes is malformed; the rest is ignored\n", tag.type,
			       tag.size);
			break;
		}
		if (tag.type == TAG_EFI_MAP) {
			efi_map = at;
			efi_size = tag.size;
		}
		read_tag(fw, rd, at, &tag);
		at += ALIGN(tag.size, 8);
	}
	/* The loader's own map already accounts for EFI's; without one, EFI's is what there is. */
	if (!fw->map_nr && efi_map)
		read_map_tag(fw, rd, efi_map, efi_size, true);
	if (!fw->map_nr) {
		printk("boot: multiboot2 information holds no memory map\n");
		return -EINVAL;
	}
	return 0;
}
