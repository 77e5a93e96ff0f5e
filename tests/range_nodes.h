/* SPDX-License-Identifier: MIT */
/* Nodes for range trees under test: from the heap, counted, and failing when told to. */
#ifndef TESTS_RANGE_NODES_H
#define TESTS_RANGE_NODES_H

#include "mm/base/range_tree.h"

extern const struct range_tree_ops range_nodes;	    /* released at once */
extern const struct range_tree_ops range_nodes_rcu; /* after a grace period */

/* Nodes given and not come back. */
extern unsigned int range_nodes_out;
/* So many more allocations succeed; below 0: all do. */
extern int range_nodes_left;

/* Nodes that hang in a tree, spares included. */
unsigned int range_nodes_in(const struct range_tree *tree);

#endif
