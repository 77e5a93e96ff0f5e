// SPDX-License-Identifier: MIT
/* Sets of page offset ranges (interval.h), and the VMAs of a file, which are one. */
#include "../base/printk.h"
#include "interval.h"
#include "rmap.h"

/* Fibonacci hashing: the top bits of the product depend on all bits of the address. */
static inline u32 priority(const struct interval_node *node)
{
	return (u32)((u64)(uintptr_t)node * 0x9e3779b97f4a7c15ull >> 32);
}

static inline bool reaches(const struct interval_node *node, unsigned long first)
{
	return node && node->max >= first;
}

static inline void set_max(struct interval_node *node)
{
	unsigned long most = node->last;

	if (node->left && node->left->max > most)
		most = node->left->max;
	if (node->right && node->right->max > most)
		most = node->right->max;
	node->max = most;
}

static inline void replace_child(struct interval_node **root, struct interval_node *parent,
				 const struct interval_node *old, struct interval_node *new)
{
	if (!parent)
		*root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/* @node takes the place of its parent, which becomes its child. */
static void rotate_up(struct interval_node **root, struct interval_node *node)
{
	struct interval_node *down = node->parent, *moved;

	if (down->left == node) {
		moved = node->right;
		down->left = moved;
		node->right = down;
	} else {
		moved = node->left;
		down->right = moved;
		node->left = down;
	}
	if (moved)
		moved->parent = down;
	node->parent = down->parent;
	replace_child(root, down->parent, down, node);
	down->parent = node;
	node->max = down->max;
	set_max(down);
}

void interval_insert(struct interval_node **root, struct interval_node *node)
{
	struct interval_node *parent = NULL, **link = root;
	u32 mine = priority(node);

	while (*link) {
		parent = *link;
		if (parent->max < node->last)
			parent->max = node->last;
		link = node->start < parent->start ? &parent->left : &parent->right;
	}
	node->left = NULL;
	node->right = NULL;
	node->parent = parent;
	node->max = node->last;
	*link = node;
	while (node->parent && mine > priority(node->parent))
		rotate_up(root, node);
}

void interval_remove(struct interval_node **root, struct interval_node *node)
{
	while (node->left && node->right)
		rotate_up(root, priority(node->left) > priority(node->right) ? node->left : node->right);
	struct interval_node *child = node->left ? node->left : node->right, *at = node->parent;

	if (child)
		child->parent = at;
	replace_child(root, at, node, child);
	for (; at; at = at->parent)
		set_max(at);
	node->parent = NULL;
	node->left = NULL;
	node->right = NULL;
}

/* The one behind @node, subtrees left out that end before @first. */
static struct interval_node *step(struct interval_node *node, unsigned long first)
{
	if (reaches(node->right, first)) {
		node = node->right;
		while (reaches(node->left, first))
			node = node->left;
		return node;
	}
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

static struct interval_node *meets_from(struct interval_node *node, unsigned long first, unsigned long last)
{
	while (node && node->start <= last && node->last < first)
		node = step(node, first);
	return node && node->start <= last ? node : NULL;
}

struct interval_node *interval_first(struct interval_node *root, unsigned long first, unsigned long last)
{
	struct interval_node *node = root;

	if (!reaches(node, first))
		return NULL;
	while (reaches(node->left, first))
		node = node->left;
	return meets_from(node, first, last);
}

struct interval_node *interval_next(struct interval_node *node, unsigned long first, unsigned long last)
{
	return meets_from(step(node, first), first, last);
}

/* ---- Verifier ---- */

static unsigned int node_faults(const struct interval_node *node)
{
	unsigned long most = node->last;
	unsigned int faults = 0;

	for (unsigned int i = 0; i < 2; i++) {
		const struct interval_node *child = i ? node->right : node->left;

		if (!child)
			continue;
		most = max(most, child->max);
		faults += child->parent != node;
		faults += priority(child) > priority(node);
		faults += i ? child->start < node->start : child->start > node->start;
	}
	return faults + (node->max != most) + (node->last < node->start);
}

unsigned int interval_verify(const struct interval_node *root)
{
	unsigned int faults = root && root->parent ? 1 : 0;
	struct interval_node *node = (struct interval_node *)root;

	while (node && node->left)
		node = node->left;
	for (; node; node = step(node, 0)) {
		unsigned int here = node_faults(node);

		if (here)
			pr_err("interval tree: [%lu, %lu] at %p is out of order (%u)\n", node->start, node->last,
			       (const void *)node, here);
		faults += here;
	}
	return faults;
}

/* ---- VMAs of a file ---- */

static void set_node(struct vm_area_struct *vma)
{
	vma->i_mmap_node.start = vma->vm_pgoff;
	vma->i_mmap_node.last = vma->vm_pgoff + vma_pages(vma) - 1;
}

void vma_link_file(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma_mapping(vma);

	if (!mapping) /* a device without pages of its own */
		return;
	set_node(vma);
	down_write(&mapping->i_mmap_rwsem);
	interval_insert(&mapping->i_mmap, &vma->i_mmap_node);
	up_write(&mapping->i_mmap_rwsem);
}

void vma_moved_in_file(struct vm_area_struct *vma)
{
	struct interval_node **root = &vma->vm_file->f_mapping->i_mmap, *node = &vma->i_mmap_node;

	/* Who finds no root takes no lock: the only one is changed where it is. */
	if (*root == node && !node->left && !node->right) {
		set_node(vma);
		node->max = node->last;
		return;
	}
	interval_remove(root, node);
	set_node(vma);
	interval_insert(root, node);
}

void vma_unlink_file(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma_mapping(vma);

	if (!mapping)
		return;
	down_write(&mapping->i_mmap_rwsem);
	interval_remove(&mapping->i_mmap, &vma->i_mmap_node);
	up_write(&mapping->i_mmap_rwsem);
}
