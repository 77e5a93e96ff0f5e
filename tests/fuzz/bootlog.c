// SPDX-License-Identifier: MIT
/* libFuzzer target: any text as a boot log; what it describes is booted if it is small enough. */
#include <stdlib.h>

#include "cli/machine.h"
#include "hosted.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

static bool drop(const char *text, size_t len)
{
	(void)text;
	(void)len;
	return true;
}

/* Descriptors and pageblocks of a machine of terabytes take longer than a fuzzer should wait. */
static bool small(const struct bootinfo *info)
{
	u64 total = 0;

	for (unsigned int i = 0; i < info->map_nr; i++)
		if (info->map[i].type == E820_TYPE_RAM)
			total += info->map[i].size >> 20;
	return total < 64 << 10 && info->cpus_possible <= 64;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct text text = { "fuzz", (const char *)bytes, size };
	struct machine_desc m;
	int booted;

	hosted_console_hook = drop;
	machine_init(&m, "fuzz");
	if (!bootlog_read(&m, &text) && !machine_finish(&m) && small(&m.info)) {
		booted = hosted_boot(&m.info, &(struct hosted_options){ .quiet = true });
		(void)booted; /* a machine may be impossible; it must not crash */
	}
	machine_free(&m);
	return 0;
}
