// SPDX-License-Identifier: MIT
/* User code of tests/tasks.h on bare metal: the kernel's copies, whose faults are those of the user's pages. */
#include <octavo/uaccess.h>

#include "tasks.h"

const bool test_user_exec_checked;

size_t test_user_read(uintptr_t addr, void *to, size_t len)
{
	return len - copy_from_user(to, addr, len);
}

size_t test_user_write(uintptr_t addr, const void *from, size_t len)
{
	return len - copy_to_user(addr, from, len);
}

size_t test_user_exec(uintptr_t addr, void *to, size_t len)
{
	return test_user_read(addr, to, len);
}
