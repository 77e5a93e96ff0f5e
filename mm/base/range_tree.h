/* SPDX-License-Identifier: MIT */
/*
 * A map from ranges of addresses to pointers: a B-tree whose nodes know the greatest gap below them, so that finding
 * a place for a new range is one descent. Neighbours never overlap; [0, UINTPTR_MAX] is where all lie. The kernel's
 * own areas live in one (mm/kmap), and so do those of processes.
 *
 * Locking. One writer at a time, who has a lock of its own. Readers need none: they read between rcu_read_lock() and
 * rcu_read_unlock() (or hold the writer's lock) and see each range as it was before or after a change, never half of
 * it; a change that replaces one range by several (a split) is seen whole or not at all within one node.
 */
#ifndef MM_BASE_RANGE_TREE_H
#define MM_BASE_RANGE_TREE_H

#include <octavo/gfp.h>

#include "compiler.h"

struct range_node;

/**
 * struct range_tree_ops - where nodes come from
 * @alloc: a node of RANGE_NODE_SIZE bytes aligned to that (NULL: no memory). Trees whose writer holds a spinlock ask
 *         with @gfp 0 at times, for nodes they can do without.
 * @release: free it at once
 * @release_rcu: once no reader can be in it. The first two words of the node, a struct rcu_head, are free for that use.
 */
struct range_tree_ops {
	void *(*alloc)(gfp_t gfp);
	void (*release)(void *node);
	void (*release_rcu)(void *node);
};
#define RANGE_NODE_SIZE 256

struct range_tree {
	struct range_node *root; /* NULL: empty */
	unsigned int height;	 /* of the root; 0: a leaf */
	unsigned long count;	 /* ranges */
	const struct range_tree_ops *ops;
	void *spare;		 /* nodes that range_tree_reserve() got */
	unsigned int spare_nr;
};

#define RANGE_TREE_INIT(ops_) { .ops = (ops_) }

/** struct range_entry - [@start, @last] and its value, never NULL */
struct range_entry {
	uintptr_t start, last;
	void *value;
};

/* ---- Readers ---- */

/* The value of the range that holds @at; NULL: none does. */
void *range_tree_load(const struct range_tree *tree, uintptr_t at);
/* The first range that ends at or behind @from; the last one that begins at or before @from. */
bool range_tree_next(const struct range_tree *tree, uintptr_t from, struct range_entry *entry);
bool range_tree_prev(const struct range_tree *tree, uintptr_t from, struct range_entry *entry);

/*
 * The lowest (or highest) start of a gap of @size bytes in [@low, @last] at a multiple of @align (a power of two).
 * Return: 0, or -EBUSY when there is none.
 */
int range_tree_gap(const struct range_tree *tree, uintptr_t low, uintptr_t last, uintptr_t size, uintptr_t align,
		   uintptr_t *start);
int range_tree_gap_top(const struct range_tree *tree, uintptr_t low, uintptr_t last, uintptr_t size, uintptr_t align,
		       uintptr_t *start);

/* ---- Writers ---- */

/* Nodes for one change of any kind, so that it cannot fail. May sleep as @gfp says. Return: 0 or -ENOMEM. */
int __must_check range_tree_reserve(struct range_tree *tree, gfp_t gfp);
/* The same for @changes, one after the other. */
int __must_check range_tree_reserve_changes(struct range_tree *tree, unsigned int changes, gfp_t gfp);

/*
 * range_tree_store - [@start, @last] is @value's from now on (NULL: nobody's); what else lay there is cut, split or
 * gone Return: 0; -ENOMEM (never after range_tree_reserve()); -EINVAL when @last < @start.
 */
int __must_check range_tree_store(struct range_tree *tree, uintptr_t start, uintptr_t last, void *value, gfp_t gfp);
/* The same where nothing may be in the way. Return: -EEXIST. */
int __must_check range_tree_insert(struct range_tree *tree, uintptr_t start, uintptr_t last, void *value, gfp_t gfp);
/* The range that holds @at goes, as a whole. Needs no memory. Return: its value, or NULL. */
void *range_tree_erase(struct range_tree *tree, uintptr_t at);
void range_tree_destroy(struct range_tree *tree);
/*
 * range_tree_copy - @to, which is empty and has @ops, becomes like @from, in one walk: @value is asked for each range's
 * value, in order of addresses. Return: 0; -ENOMEM: it is empty again.
 */
int __must_check range_tree_copy(struct range_tree *to, const struct range_tree *from,
				 void *(*value)(void *ctx, void *old), void *ctx, gfp_t gfp);

/* Faults in the structure (order, fill, gaps, heights), each described on the console. Return: how many. */
unsigned int range_tree_verify(const struct range_tree *tree);

#endif
