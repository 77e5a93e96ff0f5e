// SPDX-License-Identifier: MIT
/* User code of tests/tasks.h in the hosted machine. */
#include "tasks.h"
#include "user.h"

const bool test_user_exec_checked = true;

size_t test_user_read(uintptr_t addr, void *to, size_t len)
{
	return hosted_user_read(addr, to, len);
}

size_t test_user_write(uintptr_t addr, const void *from, size_t len)
{
	return hosted_user_write(addr, from, len);
}

size_t test_user_exec(uintptr_t addr, void *to, size_t len)
{
	return hosted_user_exec(addr, to, len);
}
