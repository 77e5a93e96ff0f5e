// SPDX-License-Identifier: MIT
/* The kinds of pools, by name. */
#include "zpool.h"

#include "../base/string.h"

const struct zpool_driver *const zpool_drivers[] = { &zsmalloc_driver, &zbud_driver, &z3fold_driver, NULL };

const struct zpool_driver *zpool_find(const char *type)
{
	for (const struct zpool_driver *const *d = zpool_drivers; *d; d++)
		if (!strcmp((*d)->type, type))
			return *d;
	return NULL;
}
