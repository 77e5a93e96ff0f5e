// SPDX-License-Identifier: MIT
/* CMA areas; the machine is booted with one by tests/hosted, here on what cma= gave, if anything. */
#include <octavo/cma.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/cma.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/vmstat.h"

TEST(cma, declaring_needs_sense)
{
	struct cma *cma = NULL;

	test_capture_begin();
	EXPECT_EQ(cma_declare_contiguous(0, 0, 0, 0, 0, false, "none", &cma), -EINVAL);
	EXPECT_EQ(cma_declare_contiguous(0, 4 << 20, 0, 3, 0, false, "odd", &cma), -EINVAL);
	EXPECT_EQ(cma_declare_contiguous(0x1000, 4 << 20, 0, 0, 0, true, "crooked", &cma), -EINVAL);
	EXPECT_EQ(cma_init_reserved_mem(0x1000, 4 << 20, 0, "crooked", &cma), -EINVAL);
	EXPECT(strstr(test_capture_end(), "Region at 0x1000 must be aligned to 0x200000 bytes"));
	EXPECT(!cma);
	EXPECT(!cma_alloc(NULL, 1, 0, true));
	EXPECT(!cma_release(NULL, NULL, 1));
}
