// SPDX-License-Identifier: MIT
#include "format.h"

#include "../base/compiler.h"

u32 pgt_kernel_split __memsys = 0xc0000000u;
