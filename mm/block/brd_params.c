// SPDX-License-Identifier: MIT
/*
 * RAM disks that the command line asks for. Source: Documentation/admin-guide/kernel-parameters.txt (ramdisk_size=,
 * brd.*).
 */
#include "../base/part.h"
#include "../base/printk.h"
#include "../boot/params.h"
#include "block.h"

#define NR_DEFAULT 16u
#define NR_MAX 256u	     /* numbers that brd_create() has for ramN */
#define SIZE_DEFAULT 4096u   /* KiB */
#define SIZE_MAX_KIB (1ull << 40)

static struct {
	bool wanted;
	u64 nr, size_kib; /* 0 unless given */
	bool nr_given;
} brd_params __memsys;

static int set_size(const char *value)
{
	u64 size;

	if (parse_number(value, &size) < 0 || !size || size > SIZE_MAX_KIB)
		return -EINVAL;
	brd_params.size_kib = size;
	brd_params.wanted = true;
	return 0;
}
early_param("ramdisk_size", set_size);
early_param("brd.rd_size", set_size);

static int set_nr(const char *value)
{
	u64 nr;

	if (parse_number(value, &nr) < 0 || nr > NR_MAX)
		return -EINVAL;
	brd_params.nr = nr;
	brd_params.nr_given = brd_params.wanted = true;
	return 0;
}
early_param("brd.rd_nr", set_nr);

static int make_disks(void)
{
	u64 nr = brd_params.nr_given ? brd_params.nr : NR_DEFAULT;
	u64 sectors = (brd_params.size_kib ? brd_params.size_kib : SIZE_DEFAULT) * 2;
	char name[16];
	int err = 0;

	for (unsigned int i = 0; brd_params.wanted && i < nr && !err; i++) {
		octavo_snprintf(name, sizeof(name), "ram%u", i);
		if (!brd_create(name, sectors, &err))
			pr_err("brd: %s cannot be made (error %d)\n", name, -err);
	}
	if (brd_params.wanted && !err)
		pr_info("brd: module loaded\n");
	return 0;
}
MM_PART(brd, .order = MM_PART_FILES, .init = make_disks);
