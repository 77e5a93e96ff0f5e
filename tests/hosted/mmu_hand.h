/* SPDX-License-Identifier: MIT */
/* Page tables by hand, in RAM that the core knows nothing of, for an MMU that no CPU uses. */
#ifndef TESTS_HOSTED_MMU_HAND_H
#define TESTS_HOSTED_MMU_HAND_H

#include <octavo/errno.h>

#include "harness.h"
#include "hosted.h"
#include "mmu.h"

#define HAND_RAM ((u64)96 << 20)
#define HAND_ALL                                                                                                  \
	(BOOT_MMU_NX | BOOT_MMU_GLOBAL | BOOT_MMU_LARGE | BOOT_MMU_GIGANTIC | BOOT_MMU_PKEYS | BOOT_MMU_SMEP | \
	 BOOT_MMU_SMAP)

extern unsigned int hand; /* the MMU's number */

/* An MMU in place of the last one, with 8 identifiers; one as before with so many bits of physical address. */
void hand_mmu(enum mmu_format format, u32 features);
void hand_mmu_config(const struct mmu_config *config);
void hand_narrow(unsigned int phys_bits);

/* An empty frame. */
u64 hand_table(void);
void hand_put(u64 table, unsigned int index, u64 entry);
void hand_put32(u64 table, unsigned int index, u32 entry);
u64 hand_get(u64 table, unsigned int index);
u32 hand_get32(u64 table, unsigned int index);

void hand_expect(const char *file, int line, u64 virt, enum mmu_access access, bool user, u64 phys);
void hand_expect_fault(const char *file, int line, u64 virt, enum mmu_access access, bool user, u32 flags, u64 error);
#define EXPECT_LEADS(virt, access, phys) hand_expect(__FILE__, __LINE__, virt, access, false, phys)
#define EXPECT_LEADS_USER(virt, access, phys) hand_expect(__FILE__, __LINE__, virt, access, true, phys)
#define EXPECT_FAULT(virt, access, user, flags, error) \
	hand_expect_fault(__FILE__, __LINE__, virt, access, user, flags, error)

#endif
