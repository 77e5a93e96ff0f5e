/* SPDX-License-Identifier: MIT */
/* Block devices: <octavo/blkdev.h> says it all. */
#ifndef MM_BLOCK_BLOCK_H
#define MM_BLOCK_BLOCK_H

#include <octavo/blkdev.h>

#endif
