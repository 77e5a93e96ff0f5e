// SPDX-License-Identifier: MIT
/* The walker against its oracle: random sequences, and every short one. */
#include "pgtable_model.h"

TEST(pgtable_model, random_sequences)
{
	for (unsigned int i = 0; i < test_scaled(4); i++)
		if (!model_run(&pgtable_model, test_seed + i, 1500, NULL))
			return;
	EXPECT_STREQ(pgtable_model_end() ?: "", "");
}

TEST(pgtable_model, short_sequences)
{
	unsigned int large = 2;
	struct model_op alphabet[] = {
		PGM_OP(PGM_MAP, 0, 0, 2, 0, 0, 2),	  PGM_OP(PGM_UNMAP, 0, 1, 0, 0, 0, 0),
		PGM_OP(PGM_PROTECT, 0, 1, 1, 1, 0, 0),	  PGM_OP(PGM_SPLIT, 0, 1, 0, 0, 0, 0),
		PGM_OP(PGM_JOIN, 0, 0, 63, 0, 0, 0),	  PGM_OP(PGM_MAP, 1, 0, 2, 1, 0, 2),
		PGM_OP(PGM_UNMAP, 1, 0, 63, 0, 0, 0),	  PGM_OP(PGM_PROTECT, 1, 1, 1, 0, 0, 0),
		PGM_OP(PGM_FREE_TABLES, 0, 0, 63, 0, 0, 0),
	};

	for (unsigned int level = 0; level < large; level++) {
		/* Around the second border of leaves of this level. */
		pgtable_model.reset(NULL);
		for (unsigned int i = 0; i < ARRAY_SIZE(alphabet); i++)
			if ((alphabet[i].b & 63) != 63)
				alphabet[i].a = (u8)(pgtable_model_cut(level) + (i & 1) - 1);
		if (!model_exhaustive(&pgtable_model, alphabet, ARRAY_SIZE(alphabet), test_effort >= 100 ? 4 : 3))
			return;
	}
	EXPECT_STREQ(pgtable_model_end() ?: "", "");
}
