// SPDX-License-Identifier: MIT
/* prctl(PR_SET_MDWE): in an address space that has it nothing that was, or is, writable becomes executable. */
#include "vma.h"

bool mdwe_denies(const struct mm_struct *mm, vm_flags_t old, vm_flags_t new)
{
	if (likely(!(new & VM_EXEC)) || !(load_relaxed(&mm->flags) >> MMF_HAS_MDWE & 1))
		return false;
	return new & VM_WRITE || !(old & VM_EXEC);
}

unsigned long mdwe_inherited(const struct mm_struct *mm)
{
	unsigned long flags = load_relaxed(&mm->flags);

	return flags >> MMF_HAS_MDWE_NO_INHERIT & 1 ? 0 : flags & 1ul << MMF_HAS_MDWE;
}

long ksys_get_mdwe(void)
{
	unsigned long flags = load_relaxed(&this_task()->mm->flags);

	return (flags >> MMF_HAS_MDWE & 1 ? MDWE_REFUSE_EXEC_GAIN : 0) |
	       (flags >> MMF_HAS_MDWE_NO_INHERIT & 1 ? MDWE_NO_INHERIT : 0);
}

long ksys_set_mdwe(unsigned long bits)
{
	unsigned long now = (unsigned long)ksys_get_mdwe(), set = 0;

	if (bits & ~(unsigned long)(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT))
		return -EINVAL;
	if (bits & MDWE_NO_INHERIT && !(bits & MDWE_REFUSE_EXEC_GAIN))
		return -EINVAL;
	if (now && now != bits)
		return -EPERM;
	if (bits & MDWE_NO_INHERIT)
		set |= 1ul << MMF_HAS_MDWE_NO_INHERIT;
	if (bits & MDWE_REFUSE_EXEC_GAIN)
		set |= 1ul << MMF_HAS_MDWE;
	(void)atomic_fetch_or(&this_task()->mm->flags, set);
	return 0;
}
