// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "uffd_twin.h"

#define PAGE 4096u
#define HALF (UFFD_TWIN_HALF * PAGE)

static long answer(long ret)
{
	return ret < 0 ? -errno : ret;
}

static uintptr_t map(uintptr_t at, size_t len, int fd)
{
	int flags = (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED;
	void *got = mmap((void *)at, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	return got == MAP_FAILED ? 0 : (uintptr_t)got;
}

bool uffd_twin_begin(struct uffd_twin *t, u64 features)
{
	bool known = true;

	for (unsigned int i = 0; i < 2; i++) {
		struct uffdio_api api = { .api = UFFD_API, .features = features };

		t->fd[i] = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
		known = known && t->fd[i] >= 0 && !ioctl(t->fd[i], UFFDIO_API, &api);
	}
	t->file = memfd_create("twin", 0);
	t->pagemap = open("/proc/self/pagemap", O_RDONLY);
	t->at = map(UFFD_TWIN_AT, 2 * HALF, -1);
	t->src = map(UFFD_TWIN_SRC, HALF, -1);
	if (known && t->file >= 0 && t->pagemap >= 0 && t->at && t->src && !ftruncate(t->file, HALF) &&
	    map(t->at + HALF, HALF, t->file))
		return true;
	uffd_twin_end(t);
	return false;
}

void uffd_twin_end(struct uffd_twin *t)
{
	close(t->fd[0]);
	close(t->fd[1]);
	close(t->file);
	close(t->pagemap);
	munmap((void *)t->at, 2 * HALF);
	munmap((void *)t->src, HALF);
}

long uffd_twin_ioctl(const struct uffd_twin *t, unsigned int which, unsigned int cmd, void *arg)
{
	return answer(ioctl(t->fd[which], cmd, arg));
}

long uffd_twin_madvise(uintptr_t at, size_t len, int advice)
{
	return answer(madvise((void *)at, len, advice));
}

long uffd_twin_mprotect(uintptr_t at, size_t len, int prot)
{
	return answer(mprotect((void *)at, len, prot));
}

bool uffd_twin_renew(uintptr_t at, size_t len)
{
	return map(at, len, -1) != 0;
}

bool uffd_twin_touch(uintptr_t at, bool write, u8 *value)
{
	struct iovec local = { value, 1 }, remote = { (void *)at, 1 };

	return (write ? process_vm_writev : process_vm_readv)(getpid(), &local, 1, &remote, 1, 0) == 1;
}

long uffd_twin_scan(const struct uffd_twin *t, void *arg)
{
	return answer(ioctl(t->pagemap, 0xc0606610u, arg));
}

bool uffd_twin_pagemap(const struct uffd_twin *t, u64 entries[UFFD_TWIN_PAGES])
{
	const size_t size = UFFD_TWIN_PAGES * sizeof(entries[0]);

	return pread(t->pagemap, entries, size, (off_t)(t->at / PAGE * 8)) == (ssize_t)size;
}
