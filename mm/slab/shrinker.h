/* SPDX-License-Identifier: MIT */
/* Shrinkers by number, for the files below /sys/kernel/debug/shrinker. */
#ifndef MM_SLAB_SHRINKER_H
#define MM_SLAB_SHRINKER_H

#include <octavo/shrinker.h>

#include "../base/compiler.h"

/* Longer names are shown cut. */
#define SHRINKER_NAME_MAX 64

/* The registered shrinker with the lowest number from @from on; false: none. @name gets "name-number". */
bool shrinker_next(unsigned int from, unsigned int *id, char *name, size_t size);

/* What the shrinker's count_objects says of each node. Return: 0 or -ENOENT. @counts has nr_node_ids entries. */
int shrinker_count(unsigned int id, unsigned long *counts);

/* Have it scan @nr objects of a node. Return: 0, -ENOENT, or -EINVAL: no such node. */
int shrinker_scan(unsigned int id, int nid, unsigned long nr);

#endif
