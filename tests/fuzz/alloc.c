// SPDX-License-Identifier: MIT
/* libFuzzer target: bytes are operations on the page allocator, four each, as alloc_model.h decodes them. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc_model.h"
#include "hosted.h"

#define OPS_MAX 400u

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

static const struct bootinfo_range map[] = {
	{ 0, 0x9f000, E820_TYPE_RAM },
	{ 0x100000, 0x500000, E820_TYPE_RAM },
};
static const struct bootinfo machine = {
	.arch = BOOT_ARCH_X86_64, .cmdline = "", .map = map, .map_nr = ARRAY_SIZE(map)
};

static void boot(void)
{
	if (hosted_boot(&machine, &(struct hosted_options){ .quiet = true }))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	static struct model_op ops[OPS_MAX];
	unsigned int nr = model_decode(bytes, size, ops, OPS_MAX), at;
	const char *why;
	char text[128];

	alloc_model_boot = boot;
	why = model_run_ops(&alloc_model, ops, nr, &at);
	if (!why)
		return 0;
	printf("%s; after:\n", why);
	for (unsigned int i = 0; i <= at && i < nr; i++) {
		alloc_model.describe(&ops[i], text, sizeof(text));
		printf("  %s\n", text);
	}
	fflush(stdout);
	abort();
}
