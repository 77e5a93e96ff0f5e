/* SPDX-License-Identifier: MIT */
/* Memory for the frame layer's tables. */
#ifndef MM_BOOT_ZONE_FRAMES_H
#define MM_BOOT_ZONE_FRAMES_H

#include "../base/compiler.h"

/* Tables of every zone, on its node, zeroed and entered. Return: 0 or -ENOMEM after a report. */
int __must_check alloc_zone_frames(void);

#endif
