/* SPDX-License-Identifier: MIT */
/*
 * Sets of ranges of page offsets, which may overlap, with the question: which meet [first, last]?
 *
 * A binary tree in the order of starts, each node knowing the greatest last from itself down, so that a search leaves
 * out what ends too early. It is balanced as a treap whose priorities are the nodes' addresses, mixed: no word is spent
 * on them, and the depth is that of a random tree whatever the order of insertions.
 *
 * Context: the caller's lock, for writing or reading.
 */
#ifndef MM_VM_INTERVAL_H
#define MM_VM_INTERVAL_H

#include <octavo/mm.h>

#include "../base/compiler.h"

/* @node->start and @node->last are set. */
void interval_insert(struct interval_node **root, struct interval_node *node);
void interval_remove(struct interval_node **root, struct interval_node *node);
/* The first range (in the order of starts) that meets [@first, @last], and the one behind @node; NULL: none. */
struct interval_node *interval_first(struct interval_node *root, unsigned long first, unsigned long last);
struct interval_node *interval_next(struct interval_node *node, unsigned long first, unsigned long last);
/* Faults in the structure. Return: how many. */
unsigned int interval_verify(const struct interval_node *root);

static inline struct vm_area_struct *interval_vma(struct interval_node *node)
{
	return node ? container_of(node, struct vm_area_struct, i_mmap_node) : NULL;
}

/* VMAs that map any page of [@first, @last] of a file: @root is mapping->i_mmap. Context: i_mmap_rwsem. */
#define vma_interval_tree_foreach(vma, root, first, last)                              \
	for (vma = interval_vma(interval_first(root, first, last)); vma;                \
	     vma = interval_vma(interval_next(&vma->i_mmap_node, first, last)))

#endif
