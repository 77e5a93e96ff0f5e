// SPDX-License-Identifier: MIT
/* libFuzzer target: programs for the reference kernel's loader, as any bytes or as samples with changes (patch.h). */
#include <stdlib.h>

#include "hosted/elf_try.h"
#include "hosted/patch.h"

#include <octavo/verify.h>

#include "hosted.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

static const struct bootinfo_range map[] = {
	{ 0, 0x9f000, E820_TYPE_RAM },
	{ 0x100000, 0x1f00000, E820_TYPE_RAM },
};
static const struct bootinfo machine = {
	.arch = BOOT_ARCH_X86_64, .cmdline = "", .map = map, .map_nr = ARRAY_SIZE(map)
};

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	static struct test_process p;
	static struct elf_image image;
	static u8 file[ELF_SAMPLE_MAX];
	static bool booted;
	size_t len;

	if (!size)
		return 0;
	if (!booted && hosted_boot(&machine, &(struct hosted_options){ .quiet = true }))
		abort();
	booted = true;
	if (bytes[0] < 128) {
		len = elf_sample((enum elf_sample)(bytes[0] % ELF_SAMPLES), file);
		patch(file, len, bytes + 1, size - 1);
	} else {
		len = size - 1 < sizeof(file) ? size - 1 : sizeof(file);
		memcpy(file, bytes + 1, len);
	}
	if (!test_process_start(&p))
		abort();
	(void)elf_try(&p, &image, file, len);
	(void)mm_verify(complain, NULL);
	test_process_exit(&p);
	return 0;
}
