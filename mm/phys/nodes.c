// SPDX-License-Identifier: MIT
/* The tables of nodes and zones that every part reads. zone_init.c and the start-up code fill them. */
#include "zone.h"

struct pglist_data *node_data[MAX_NUMNODES] __memsys;
unsigned int nr_node_ids __memsys = 1;
nodemask_t node_online_map __memsys, node_memory_map __memsys;
unsigned int zone_configured_mask __memsys;
u8 gfp_zone_table[16] __memsys;
