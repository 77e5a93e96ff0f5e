// SPDX-License-Identifier: MIT
/*
 * pkey_alloc(2), pkey_free(2): numbers that mappings can carry (pkey_mprotect(2)) and rights that go with a number
 * and a thread. The rights are the thread's own (mm_task.pkru), in the processor's format: two bits a key, Intel SDM
 * volume 3A section 4.6.2. Freeing a key looks at no mapping: whoever still has it keeps it. On a processor without
 * keys all of this is -EINVAL, as on Linux.
 */
#include "pkeys.h"

/* Key 0 is every mapping's to begin with, so its bit says that it was freed. */
static u32 allocated(const struct mm_struct *mm)
{
	return mm->pkeys ^ 1u;
}

static bool processor_has_keys(void)
{
	pgprot_t prot = octavo_pgprot(PAGE_SHARED.bits | 1u << PGPROT_PKEY_SHIFT);

	return pgt_prot(0, pgt_fit(pgt_make_leaf(0, 0, prot))).bits & PGPROT_PKEY_MASK;
}

bool mm_pkey_is_allocated(const struct mm_struct *mm, int pkey)
{
	return pkey >= 0 && pkey < PKEYS && processor_has_keys() && allocated(mm) >> pkey & 1;
}

long ksys_pkey_alloc(unsigned long flags, unsigned long rights)
{
	struct mm_task *task = current_task();
	struct mm_struct *mm = task->mm;
	u32 free;
	long pkey = -ENOSPC;

	if (flags || rights & ~(unsigned long)(PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE) || !processor_has_keys())
		return -EINVAL;
	mmap_write_lock(mm);
	free = ~allocated(mm) & ((1u << PKEYS) - 1);
	if (free) {
		pkey = (long)lowest_bit(free);
		mm->pkeys ^= 1u << pkey;
		task->pkru = (task->pkru & ~(3u << 2 * pkey)) | (u32)rights << 2 * pkey;
	}
	mmap_write_unlock(mm);
	return pkey;
}

long ksys_pkey_free(int pkey)
{
	struct mm_struct *mm = current_task()->mm;
	long ret = -EINVAL;

	mmap_write_lock(mm);
	if (mm_pkey_is_allocated(mm, pkey)) {
		mm->pkeys ^= 1u << pkey;
		ret = 0;
	}
	mmap_write_unlock(mm);
	return ret;
}
