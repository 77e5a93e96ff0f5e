// SPDX-License-Identifier: MIT
/* VMAs are split and merged. The theory stands in vma.c. */
#include "../base/string.h"
#include "vma.h"

static bool names_alike(const struct anon_vma_name *a, const struct anon_vma_name *b)
{
	return a == b || (a && b && anon_vma_name_eq(a, b));
}

/* @b: NULL: a mapping that is not there yet, and has no pages. */
static bool anon_alike(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	if (!has_anon(a) && (!b || !has_anon(b)))
		return true;
	return a == b || anon_vma_mergeable(a, b);
}

static bool alike(const struct vm_area_struct *vma, const struct vma_like *like)
{
	return !((vma->vm_flags ^ like->flags) & ~VM_IGNORE_MERGE) && vma->vm_file == like->file &&
	       vma->uffd == like->uffd && vma->policy == like->policy && names_alike(vma->anon_name, like->anon_name) &&
	       anon_alike(vma, like->origin);
}

static bool goes_on_from(const struct vm_area_struct *prev, const struct vma_like *like)
{
	return prev && prev->vm_end == like->start && prev->vm_pgoff + vma_pages(prev) == like->pgoff &&
	       alike(prev, like);
}

static bool goes_on_with(const struct vm_area_struct *next, const struct vma_like *like)
{
	return next && next->vm_start == like->end &&
	       next->vm_pgoff == like->pgoff + pages_of(like->end - like->start) && alike(next, like);
}

/* Nobody hears of VMAs that vanish in a merge, so one that wants to hear does not. */
static bool may_vanish(const struct vm_area_struct *vma)
{
	return !vma->vm_ops || !vma->vm_ops->close;
}

/* @vma is about to take over pages of @from. Return: 0 or -ENOMEM. */
static int take_anon(struct vm_area_struct *vma, struct vm_area_struct *from)
{
	if (!from)
		return 0;
	/* Faults under their locks may be giving either an anon_vma. */
	vma_start_write(from);
	vma_start_write(vma);
	return vma->anon_vma || !has_anon(from) ? 0 : anon_vma_clone(vma, from);
}

struct vm_area_struct *vma_merge_new(struct mm_struct *mm, const struct vma_like *like, struct vm_area_struct *prev,
				     struct vm_area_struct *next, int *err)
{
	bool left, right;

	*err = 0;
	if (like->flags & VM_SPECIAL)
		return NULL;
	if ((!prev || prev->vm_end != like->start) && (!next || next->vm_start != like->end))
		return NULL;
	left = goes_on_from(prev, like);
	right = goes_on_with(next, like);
	if (!left && !right)
		return NULL;
	*err = vma_reserve(mm);
	if (!*err && left)
		*err = take_anon(prev, like->origin);
	if (*err)
		return NULL;
	/* Without memory for the three to be one, two are. */
	if (left && right && may_vanish(next) && anon_alike(prev, next) && !take_anon(prev, next)) {
		*err = vma_set_bounds(prev, prev->vm_start, next->vm_end, next, 1);
		return *err ? NULL : prev;
	}
	if (left) {
		*err = vma_set_bounds(prev, prev->vm_start, like->end, NULL, 0);
		return *err ? NULL : prev;
	}
	*err = take_anon(next, like->origin);
	if (!*err)
		*err = vma_set_bounds(next, like->start, next->vm_end, NULL, 0);
	return *err ? NULL : next;
}

/* ---- Split ---- */

/* A copy of [@addr, @end), not in the tree. Return: NULL and *@err. */
static struct vm_area_struct *upper_part(struct vm_area_struct *vma, uintptr_t addr, uintptr_t end, int *err)
{
	struct vm_area_struct *new;

	*err = vma->vm_ops && vma->vm_ops->may_split ? vma->vm_ops->may_split(vma, addr) : 0;
	if (*err)
		return NULL;
	*err = -ENOMEM;
	/* A fault under its lock may be giving it an anon_vma. */
	vma_start_write(vma);
	if (anon_vma_before_split(vma))
		return NULL;
	new = vm_area_dup(vma);
	if (!new)
		return NULL;
	new->vm_start = addr;
	new->vm_end = end;
	new->vm_pgoff += pages_of(addr - vma->vm_start);
	if (has_anon(vma))
		*err = anon_vma_clone(new, vma);
	else
		*err = 0;
	if (*err) {
		vma_discard(new);
		return NULL;
	}
	if (new->vm_ops && new->vm_ops->open)
		new->vm_ops->open(new);
	return new;
}

static void take_back(struct vm_area_struct *new)
{
	if (new->vm_ops && new->vm_ops->close)
		new->vm_ops->close(new);
	vma_discard(new);
}

/* The number of mappings is not looked at. */
static struct vm_area_struct *split(struct vm_area_struct *vma, uintptr_t addr, int *err)
{
	struct vm_area_struct *new = upper_part(vma, addr, vma->vm_end, err);

	if (!new)
		return NULL;
	*err = vma_reserve(vma->vm_mm);
	if (*err) {
		take_back(new);
		return NULL;
	}
	vma_start_write(vma);
	vma_link_over(vma->vm_mm, new, vma);
	vma_place(vma, vma->vm_start, addr);
	return new;
}

/* Three of one. Return: the one in the middle. */
static struct vm_area_struct *split_twice(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, int *err)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *upper = upper_part(vma, end, vma->vm_end, err), *new;

	if (!upper)
		return NULL;
	new = upper_part(vma, start, end, err);
	if (new)
		*err = range_tree_reserve_changes(&mm->vmas, 2, GFP_KERNEL);
	if (*err) {
		if (new)
			take_back(new);
		take_back(upper);
		return NULL;
	}
	vma_start_write(vma);
	/* The first cuts the old one on both sides, the second finds its place as it is. */
	vma_link_over(mm, new, vma);
	vma_link_over(mm, upper, new);
	vma_place(vma, vma->vm_start, start);
	return new;
}

int vma_split_nocount(struct vm_area_struct *vma, uintptr_t addr)
{
	int err;

	(void)split(vma, addr, &err);
	return err;
}

int vma_split(struct vm_area_struct *vma, uintptr_t addr)
{
	if (vma->vm_mm->map_count >= (unsigned int)READ_ONCE(sysctl_max_map_count))
		return -ENOMEM;
	return vma_split_nocount(vma, addr);
}

/* ---- Modify ---- */

/* [start, end) of @vma and the neighbours that it joins become one. Return: NULL: they do not. */
static struct vm_area_struct *join(struct vm_area_struct *vma, const struct vma_like *like, int *err)
{
	bool from_start = like->start == vma->vm_start, to_end = like->end == vma->vm_end;
	struct vm_area_struct *prev = from_start ? vma->vm_prev : NULL, *next = to_end ? vma->vm_next : NULL;
	bool whole = from_start && to_end;
	bool left = goes_on_from(prev, like), right = goes_on_with(next, like);

	*err = 0;
	if ((!left && !right) || like->flags & VM_SPECIAL || (whole && !may_vanish(vma)))
		return NULL;
	*err = vma_reserve(vma->vm_mm);
	if (*err)
		return NULL;
	if (left && right && anon_alike(prev, next) && may_vanish(next)) {
		*err = take_anon(prev, has_anon(vma) ? vma : next);
		if (!*err)
			*err = vma_set_bounds(prev, prev->vm_start, next->vm_end, vma, 2);
		return *err ? NULL : prev;
	}
	if (left) {
		*err = take_anon(prev, vma);
		if (!*err)
			*err = whole ? vma_set_bounds(prev, prev->vm_start, like->end, vma, 1) :
				       vma_move_border(prev, vma, like->end);
		return *err ? NULL : prev;
	}
	*err = take_anon(next, vma);
	if (!*err)
		*err = whole ? vma_set_bounds(next, like->start, next->vm_end, vma, 1) :
			       vma_move_border(vma, next, like->start);
	return *err ? NULL : next;
}

/* A VMA of [start, end) alone. */
static struct vm_area_struct *carve(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, int *err)
{
	unsigned int pieces = (start > vma->vm_start) + (end < vma->vm_end);
	unsigned int most = (unsigned int)READ_ONCE(sysctl_max_map_count), count = vma->vm_mm->map_count;

	*err = 0;
	if (!pieces)
		return vma;
	if (count + pieces > most) {
		/* Linux cuts one end after the other, and has cut the first when it finds one too many. */
		if (count + 1 == most)
			(void)split(vma, start, err);
		*err = -ENOMEM;
		return NULL;
	}
	if (pieces == 2)
		return split_twice(vma, start, end, err);
	if (start > vma->vm_start)
		return split(vma, start, err);
	return split(vma, end, err) ? vma : NULL;
}

static void *changed(void *now, void *wanted)
{
	return !wanted ? now : wanted == VMA_NOTHING ? NULL : wanted;
}

static void set_properties(struct vm_area_struct *vma, const struct vma_like *like)
{
	vma_start_write(vma);
	vma_change_flags(vma, like->flags | (vma->vm_flags & VM_IGNORE_MERGE));
	vma->uffd = like->uffd;
	vma->policy = like->policy;
	if (vma->anon_name != like->anon_name) {
		struct anon_vma_name *was = vma->anon_name;

		vma->anon_name = anon_vma_name_get(like->anon_name);
		anon_vma_name_put(was);
	}
}

struct vm_area_struct *vma_modify(struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
				  const struct vma_change *change, int *err)
{
	struct vma_like like = {
		.start = start,
		.end = end,
		.flags = change->flags == VMA_FLAGS_STAY ? vma->vm_flags : change->flags,
		.pgoff = vma->vm_pgoff + pages_of(start - vma->vm_start),
		.file = vma->vm_file,
		.origin = vma,
		.uffd = changed(vma->uffd, change->uffd),
		.policy = changed(vma->policy, change->policy),
		.anon_name = changed(vma->anon_name, change->anon_name),
	};
	struct vm_area_struct *merged = join(vma, &like, err);

	if (merged || *err)
		return merged;
	vma = carve(vma, start, end, err);
	if (vma)
		set_properties(vma, &like);
	return vma;
}

struct vm_area_struct *vma_modify_flags(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, vm_flags_t flags,
					int *err)
{
	struct vma_change change = { .flags = flags };

	return vma_modify(vma, start, end, &change, err);
}
