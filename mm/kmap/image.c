// SPDX-License-Identifier: MIT
/*
 * The kernel's image: text read-only and executable, read-only data, data, bss and init sections writable and not
 * executable. It is mapped where it was linked, and as memory like any other it is in the direct map too: see
 * direct_prot_at().
 */
#include "../base/printk.h"
#include "../base/string.h"
#include "kernel_map.h"

struct kernel_image kernel_image __memsys;
const char *const image_part_names[IMAGE_PARTS] = { "text", "rodata", "data", "bss", "init data" };

static int set_part(enum image_part part, const struct bootinfo_span *span)
{
	struct image_range *range = &kernel_image.part[part];

	if (!span->size)
		return 0;
	range->start = ALIGN_DOWN(span->start, (phys_addr_t)PAGE_SIZE);
	range->end = ALIGN(span->start + span->size, (phys_addr_t)PAGE_SIZE);
	for (unsigned int i = 0; i < IMAGE_PARTS; i++) {
		const struct image_range *other = &kernel_image.part[i];

		if (i == part || other->end <= range->start || range->end <= other->start)
			continue;
		pr_err("Kernel image: %s and %s share a page at %#llx, but need different rights\n",
		       image_part_names[part], image_part_names[i],
		       (unsigned long long)max(range->start, other->start));
		return -EINVAL;
	}
	return 0;
}

int image_setup(const struct bootinfo *info)
{
	const struct bootinfo_span *spans[IMAGE_PARTS] = { &info->kernel_text, &info->kernel_rodata,
							   &info->kernel_data, &info->kernel_bss, &info->kernel_init };
	int err = 0;

	memset(&kernel_image, 0, sizeof(kernel_image));
	if (!info->image_offset)
		return 0;
	kernel_image.offset = info->image_offset;
	kernel_image.separate = kernel_areas[AREA_IMAGE].start != kernel_areas[AREA_IMAGE].end;
	for (unsigned int i = 0; i < IMAGE_PARTS && !err; i++)
		err = set_part((enum image_part)i, spans[i]);
	return err;
}

pgprot_t image_prot(enum image_part part)
{
	return part == IMAGE_TEXT ? PAGE_KERNEL_ROX : part == IMAGE_RODATA ? PAGE_KERNEL_RO : PAGE_KERNEL;
}

static enum image_part part_of_phys(phys_addr_t phys)
{
	unsigned int part = 0;

	while (part < IMAGE_PARTS &&
	       (phys < kernel_image.part[part].start || phys >= kernel_image.part[part].end))
		part++;
	return (enum image_part)part;
}

enum image_part image_part_at(uintptr_t virt)
{
	return kernel_image.offset ? part_of_phys((phys_addr_t)(virt - kernel_image.offset)) : IMAGE_PARTS;
}

uintptr_t image_virt_of(phys_addr_t phys)
{
	if (!kernel_image.separate || part_of_phys(phys) == IMAGE_PARTS)
		return 0;
	return kernel_image.offset + (uintptr_t)phys;
}

pgprot_t direct_prot_at(phys_addr_t phys, phys_addr_t *end)
{
	pgprot_t prot = PAGE_KERNEL;

	for (unsigned int i = 0; i < IMAGE_PARTS; i++) {
		const struct image_range *range = &kernel_image.part[i];

		if (phys < range->start) {
			*end = min(*end, range->start);
		} else if (phys < range->end) {
			*end = min(*end, range->end);
			prot = image_prot((enum image_part)i);
			if (kernel_image.separate)
				prot.bits &= ~PGPROT_EXEC;
		}
	}
	return prot;
}
