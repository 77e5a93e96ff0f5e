// SPDX-License-Identifier: MIT
/*
 * Large folios for anonymous memory: what was asked for, worked out into two sets of orders that a fault looks at.
 */
#include "thp.h"

#include <octavo/page.h>

#include "../boot/params.h"
#include "../base/string.h"

/* As distributions have it: memory that asks for it; of the sizes below a table's none, until somebody says so. */
struct thp thp __memsys = { .all = THP_MADVISE };

static void work_out(void)
{
	u32 always = 0, madvise = 0;

	for (unsigned int order = THP_ORDER_MIN; order <= THP_ORDER_MAX; order++) {
		unsigned int mode = thp.mode[order] == THP_INHERIT ? thp.all : thp.mode[order];

		always |= mode == THP_ALWAYS ? 1u << order : 0;
		madvise |= mode == THP_ALWAYS || mode == THP_MADVISE ? 1u << order : 0;
	}
	WRITE_ONCE(thp.always, always);
	WRITE_ONCE(thp.madvise, madvise);
}

enum thp_mode thp_mode_get(unsigned int order)
{
	return (enum thp_mode)READ_ONCE(*(order == THP_ALL ? &thp.all : &thp.mode[order]));
}

void thp_mode_set(unsigned int order, enum thp_mode mode)
{
	WRITE_ONCE(*(order == THP_ALL ? &thp.all : &thp.mode[order]), (u8)mode);
	work_out();
}

static int set_transparent_hugepage(const char *value)
{
	static const char *const names[] = {
		[THP_NEVER] = "never",
		[THP_MADVISE] = "madvise",
		[THP_ALWAYS] = "always",
	};

	for (unsigned int mode = 0; mode < ARRAY_SIZE(names); mode++) {
		if (!strcmp(value, names[mode])) {
			thp_mode_set(THP_ALL, (enum thp_mode)mode);
			return 0;
		}
	}
	return -EINVAL;
}
early_param("transparent_hugepage", set_transparent_hugepage);
