// SPDX-License-Identifier: MIT
/* The time of day, for times of files: a clock that only the kernel can set. */
#include <octavo/fs.h>

#include "../sync/atomic.h"

/* Two words on 32 bits, written once or twice in a machine's life. */
static u64 epoch_offset __memsys;

u64 octavo_realtime_ns(void)
{
	return load_relaxed_u64(&epoch_offset) + port_clock_ns();
}

void octavo_set_realtime(u64 now_ns)
{
	store_relaxed_u64(&epoch_offset, now_ns - port_clock_ns());
}
