/* SPDX-License-Identifier: MIT */
/* Looking at what a range of a VMA has mapped, a table at a time. For madvise.c, mlock.c, mincore.c. */
#ifndef MM_VM_ENTRIES_H
#define MM_VM_ENTRIES_H

#include "vm.h"

struct entries_walk {
	struct vm_area_struct *vma;
	/* [addr, end) lies in one last-level table, whose lock is held; @entry is that of @addr. */
	void (*table)(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end);
	/* There is no table. NULL: nothing to do. */
	void (*hole)(struct entries_walk *walk, uintptr_t addr, uintptr_t end);
	bool own;  /* entries will be changed: shared tables are copied first */
	bool stop; /* set by either: what follows is not looked at */
	void *arg;
};

/* Context: mmap lock. Return: 0; -ENOMEM (own). */
int entries_walk(struct entries_walk *walk, uintptr_t start, uintptr_t end);

#endif
