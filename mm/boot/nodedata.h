/* SPDX-License-Identifier: MIT */
/* The structures of nodes and of CPUs, each in memory of its own node. */
#ifndef MM_BOOT_NODEDATA_H
#define MM_BOOT_NODEDATA_H

#include "../base/compiler.h"

/* node_data[] of every node with memory. Return: 0 or -ENOMEM after a report. */
int __must_check alloc_node_data(void);

/* "NODE_DATA(N) allocated [mem ...]" */
void print_node_data(void);

/* Bases, page caches and counters of CPUs 0 to nr_cpu_ids - 1. Needs the zones. Return: 0 or -ENOMEM. */
int __must_check alloc_cpu_data(void);

#endif
