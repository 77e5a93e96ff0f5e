/* SPDX-License-Identifier: MIT */
/* Nodes with nothing but shadows: what xarrays with shadows tell of theirs. The theory is in shadow_nodes.c. */
#ifndef MM_CACHE_SHADOW_NODES_H
#define MM_CACHE_SHADOW_NODES_H

#include "xarray_node.h"

/* Entries came or went. Context: the array's lock. */
void shadow_node_changed(struct xarray *xa, struct xa_node *node);
/* The node is about to be freed. */
void shadow_node_forget(struct xa_node *node);

#endif
