// SPDX-License-Identifier: MIT
#include "entries.h"

int entries_walk(struct entries_walk *walk, uintptr_t start, uintptr_t end)
{
	uintptr_t addr = start;

	while (addr < end && !walk->stop) {
		uintptr_t next = pgt_addr_end(addr, end, 1);
		bool shared = false;
		spinlock_t *lock;
		pgt_entry_t *entry = vm_entry_find(walk->vma->vm_mm, addr, &lock, &shared);

		if (!entry) {
			if (walk->hole)
				walk->hole(walk, addr, next);
		} else if (shared && walk->own) {
			int err;

			spin_unlock(lock);
			err = vm_own_tables(walk->vma, addr, next);
			if (err)
				return err;
			continue;
		} else {
			walk->table(walk, entry, addr, next);
			spin_unlock(lock);
		}
		addr = next;
	}
	return 0;
}
