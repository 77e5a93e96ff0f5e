/* SPDX-License-Identifier: MIT */
/*
 * The walker against a flat oracle: what each page of some address spaces shows. Operations begin and end at one of a
 * few dozen cuts, around the borders of tables and leaves of every size, so between two neighbouring cuts all pages
 * are alike and the oracle needs one cell for them. Freestanding.
 */
#ifndef TESTS_PGTABLE_MODEL_H
#define TESTS_PGTABLE_MODEL_H

#include "model.h"
#include "pgtfixture.h"

#define PGM_SPACES 3u /* init_mm and two of users */

enum pgm_kind {
	PGM_MAP,
	PGM_MAP_PAGES,
	PGM_UNMAP,
	PGM_PROTECT,
	PGM_SPLIT,
	PGM_JOIN,
	PGM_SWAP,	/* an entry with a meaning that is not a leaf */
	PGM_ENTRY,	/* a table without anything in it */
	PGM_FREE_TABLES, /* the kernel's */
	PGM_KINDS
};

/*
 * kind: PGM_* in bits 0-3, address space in 4-5. a: the cut an operation begins at. b: bits 0-5 how many cuts further
 * it ends, 6-8 which rights, 9-10 which frames, 11-12 largest level, 13-15 which allocation fails (0: none).
 */
#define PGM_OP(kind_, space, from, cuts, prot, frames, level) \
	{ .kind = (kind_) | (space) << 4, .a = (from), .b = (cuts) | (prot) << 6 | (frames) << 9 | (level) << 11 }

extern const struct model pgtable_model;

/*
 * What else looks on; all may be NULL, and returns NULL, or what is wrong. @begin: new address spaces; @page: what
 * @virt shows (@phys ~0: nothing) and how, flushed; @check: now and then.
 */
struct pgtable_model_machine {
	void (*begin)(struct mm_struct *const mm[PGM_SPACES]);
	const char *(*page)(struct mm_struct *mm, uintptr_t virt, u64 phys, u32 prot);
	const char *(*check)(void);
};
extern const struct pgtable_model_machine *pgtable_model_machine;

/* The number of the cut at the border of the leaves of @level. */
unsigned int pgtable_model_cut(unsigned int level);

/* Everything unmapped and the users' address spaces gone. NULL, or what is left. */
const char *pgtable_model_end(void);

#endif
