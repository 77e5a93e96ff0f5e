// SPDX-License-Identifier: MIT
/* Pages of the kernel's own in an address space ([vdso], [vvar]), and names of anonymous memory. */
#include <octavo/slab.h>

#include "../base/string.h"
#include "vma.h"

/* ---- vm_special ---- */

struct special_mapping {
	unsigned int refs; /* (a) */
	unsigned int nr;
	const char *name;
	struct page *pages[];
};

static void special_open(struct vm_area_struct *vma)
{
	struct special_mapping *s = vma->vm_private_data;

	(void)atomic_fetch_add(&s->refs, 1);
}

static void special_put(struct special_mapping *s)
{
	if (atomic_sub_fetch(&s->refs, 1))
		return;
	for (unsigned int i = 0; i < s->nr; i++)
		put_page(s->pages[i]);
	kfree(s);
}

static void special_close(struct vm_area_struct *vma)
{
	special_put(vma->vm_private_data);
}

static vm_fault_t special_fault(struct vm_fault *vmf)
{
	const struct special_mapping *s = vmf->vma->vm_private_data;

	if (vmf->pgoff >= s->nr)
		return VM_FAULT_SIGBUS;
	get_page(s->pages[vmf->pgoff]);
	vmf->page = s->pages[vmf->pgoff];
	return 0;
}

static const char *special_name(struct vm_area_struct *vma)
{
	const struct special_mapping *s = vma->vm_private_data;

	return s->name;
}

/* Its owner counts on all pages being there, one behind the other: it goes as a whole or stays. */
static int special_split(struct vm_area_struct *vma, uintptr_t addr)
{
	(void)vma;
	(void)addr;
	return -EINVAL;
}

static const struct vm_operations_struct special_ops = {
	.open = special_open,
	.close = special_close,
	.may_split = special_split,
	.fault = special_fault,
	.name = special_name,
};

static struct special_mapping *special_make(struct page **pages, unsigned int nr, const char *name)
{
	struct special_mapping *s = kmalloc(sizeof(*s) + nr * sizeof(s->pages[0]), GFP_KERNEL);

	if (!s)
		return NULL;
	*s = (struct special_mapping){ .refs = 1, .nr = nr, .name = name };
	for (unsigned int i = 0; i < nr; i++) {
		get_page(pages[i]);
		s->pages[i] = pages[i];
	}
	return s;
}

static int special_insert(struct mm_struct *mm, struct vm_area_struct *vma)
{
	const struct vm_area_struct *next = find_vma(mm, vma->vm_start);
	int err;

	if ((next && next->vm_start < vma->vm_end) || vma->vm_end > mm->task_size ||
	    !may_expand_vm(mm, this_task()->process, vma->vm_flags, vma_pages(vma)))
		return -ENOMEM;
	err = vma_insert(mm, vma);
	if (!err)
		vm_stat_account(mm, vma->vm_flags, (long)vma_pages(vma));
	return err;
}

long vm_special(struct mm_struct *mm, uintptr_t addr, struct page **pages, unsigned int nr, vm_flags_t flags,
		const char *name)
{
	struct special_mapping *s;
	struct vm_area_struct *vma;
	int err;

	if (addr & ~PAGE_MASK || !nr || addr + ((uintptr_t)nr << PAGE_SHIFT) < addr)
		return -EINVAL;
	s = special_make(pages, nr, name);
	vma = s ? vm_area_alloc(mm) : NULL;
	if (!vma) {
		if (s)
			special_put(s);
		return -ENOMEM;
	}
	vma->vm_start = addr;
	vma->vm_end = addr + ((uintptr_t)nr << PAGE_SHIFT);
	vma->vm_flags = flags | VM_DONTEXPAND | VM_SOFTDIRTY;
	vma->vm_page_prot = vm_get_page_prot(flags);
	vma->vm_ops = &special_ops;
	vma->vm_private_data = s;
	mmap_write_lock(mm);
	err = special_insert(mm, vma);
	mmap_write_unlock(mm);
	if (err) {
		special_put(s);
		vma_discard(vma);
	}
	return err;
}

/* ---- Names ---- */

struct anon_vma_name *anon_vma_name_alloc(const char *name)
{
	size_t size = strlen(name) + 1;
	struct anon_vma_name *n = kmalloc(sizeof(*n) + size, GFP_KERNEL);

	if (n) {
		n->refs = 1;
		memcpy(n->name, name, size);
	}
	return n;
}

void anon_vma_name_put(struct anon_vma_name *name)
{
	if (name && !atomic_sub_fetch(&name->refs, 1))
		kfree(name);
}

bool anon_vma_name_eq(const struct anon_vma_name *a, const struct anon_vma_name *b)
{
	return a == b || (a && b && !strcmp(a->name, b->name));
}
