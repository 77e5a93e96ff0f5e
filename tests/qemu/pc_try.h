/* SPDX-License-Identifier: MIT */
/* Accesses that may be refused, and what the processor says then. */
#ifndef TESTS_QEMU_PC_TRY_H
#define TESTS_QEMU_PC_TRY_H

#include "access.h"
#include "trap.h"

/* All zero when nothing was refused. */
struct pc_fault {
	u32 vector, error;
};

struct pc_fault pc_try_access(const volatile void *at, enum test_access how);

#endif
