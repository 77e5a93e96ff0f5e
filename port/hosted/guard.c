// SPDX-License-Identifier: MIT
/* Pages of the direct map that are shut, for KFENCE: mprotect(2); fault.c has the fault. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <octavo/kfence.h>
#include <octavo/page.h>

#include "machine.h"

/* Which pages of the pool are shut, a byte each: a snapshot takes them along. */
struct guard_copy {
	uintptr_t start;
	size_t pages;
	unsigned char shut[];
};

static struct guard_copy *guard;

static size_t copy_bytes(size_t pages)
{
	return sizeof(struct guard_copy) + pages;
}

static int guard_prepare(uintptr_t start, size_t size)
{
	struct guard_copy *fresh = calloc(1, copy_bytes(size / PAGE_SIZE));

	if (!fresh)
		return -ENOMEM;
	free(guard);
	guard = fresh;
	guard->start = start;
	guard->pages = size / PAGE_SIZE;
	faults_catch();
	return 0;
}

static bool guard_protect(uintptr_t page, bool on)
{
	size_t index = guard ? (page - guard->start) / PAGE_SIZE : 0;
	int prot = on ? PROT_NONE : PROT_READ | PROT_WRITE;

	if (!guard || index >= guard->pages || mprotect((void *)page, PAGE_SIZE, prot))
		return false;
	guard->shut[index] = on;
	return true;
}

bool guard_pool(u64 *start, u64 *bytes)
{
	*bytes = guard ? guard->pages * PAGE_SIZE : 0;
	return guard && arena_direct_phys((void *)guard->start, start);
}

bool guard_is_shut(const void *page)
{
	size_t index = guard ? ((uintptr_t)page - guard->start) / PAGE_SIZE : 0;

	return guard && index < guard->pages && guard->shut[index];
}

void guard_register(void)
{
	static const struct kfence_ops ops = { guard_prepare, guard_protect };

	register_kfence_ops(&ops);
}

struct guard_copy *guard_save(void)
{
	struct guard_copy *copy = guard ? malloc(copy_bytes(guard->pages)) : NULL;

	if (guard && !copy)
		abort();
	return guard ? memcpy(copy, guard, copy_bytes(guard->pages)) : NULL;
}

void guard_restore(const struct guard_copy *copy)
{
	struct guard_copy *was = guard;

	guard = NULL;
	if (was)
		mprotect((void *)was->start, was->pages * PAGE_SIZE, PROT_READ | PROT_WRITE);
	free(was);
	if (!copy)
		return;
	guard = malloc(copy_bytes(copy->pages));
	if (!guard)
		abort();
	memcpy(guard, copy, copy_bytes(copy->pages));
	for (size_t i = 0; i < guard->pages; i++)
		if (guard->shut[i])
			mprotect((char *)guard->start + i * PAGE_SIZE, PAGE_SIZE, PROT_NONE);
}
