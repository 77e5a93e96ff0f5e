/* SPDX-License-Identifier: MIT */
/* Protection keys: which of them an address space has given out. */
#ifndef MM_VM_PKEYS_H
#define MM_VM_PKEYS_H

#include "vm.h"

#define PKEYS 16
#define PKEY_DISABLE_ACCESS 1u
#define PKEY_DISABLE_WRITE 2u

/* May a VMA have it (pkey_mprotect)? Without keys in the processor, none. Context: mmap lock. */
bool mm_pkey_is_allocated(const struct mm_struct *mm, int pkey);

#endif
