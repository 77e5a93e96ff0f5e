/* SPDX-License-Identifier: MIT */
/* Young pages found in page tables: lru_walk.c. */
#ifndef MM_VM_LRU_WALK_H
#define MM_VM_LRU_WALK_H

#include "vm.h"

/* Neighbours of an entry that was young. Context: its table's lock. */
void lru_look_around(const struct vm_area_struct *vma, pgt_entry_t *entry, uintptr_t addr);
/* lru_vm_ops.walk_young. Context: may sleep. */
void lru_walk_young(int nid);

#endif
