/* SPDX-License-Identifier: MIT */
/* A userfaultfd of the Linux underneath, for tests: two descriptors, memory to register, and memory to copy from. */
#ifndef TESTS_HOSTED_UFFD_TWIN_H
#define TESTS_HOSTED_UFFD_TWIN_H

#include <octavo/types.h>

/* Pages of private memory, then as many of a file's, shared; and pages to copy from. */
#define UFFD_TWIN_HALF 8u
#define UFFD_TWIN_PAGES (2 * UFFD_TWIN_HALF)

/* Where: free in any process of the host and of every format here, and around it. */
#define UFFD_TWIN_AT ((uintptr_t)0x30400000)
#define UFFD_TWIN_SRC ((uintptr_t)0x30800000)

struct uffd_twin {
	uintptr_t at, src;
	int fd[2], file, pagemap;
};

/* False: this host has no userfaultfd with these features for us. */
bool uffd_twin_begin(struct uffd_twin *t, u64 features);
void uffd_twin_end(struct uffd_twin *t);
/* All answer with a value or a negative errno. */
long uffd_twin_ioctl(const struct uffd_twin *t, unsigned int which, unsigned int cmd, void *arg);
long uffd_twin_madvise(uintptr_t at, size_t len, int advice);
long uffd_twin_mprotect(uintptr_t at, size_t len, int prot);
/* Private memory, mapped anew. */
bool uffd_twin_renew(uintptr_t at, size_t len);
/* One byte, by process_vm_readv(2) or process_vm_writev(2) of oneself. False: refused. */
bool uffd_twin_touch(uintptr_t at, bool write, u8 *value);
/* PAGEMAP_SCAN of oneself */
long uffd_twin_scan(const struct uffd_twin *t, void *arg);
bool uffd_twin_pagemap(const struct uffd_twin *t, u64 entries[UFFD_TWIN_PAGES]);

#endif
