// SPDX-License-Identifier: MIT
/* How RCU, which knows no heap, frees what kfree_rcu() gave it. */
#include <octavo/slab.h>

#include "../base/part.h"
#include "../sync/rcu.h"

static void free_object(void *object)
{
	kvfree(object);
}

static int kfree_rcu_init(void)
{
	rcu.free = free_object;
	return 0;
}

MM_PART(kfree_rcu, .order = MM_PART_HEAP, .init = kfree_rcu_init);
