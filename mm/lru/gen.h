/* SPDX-License-Identifier: MIT */
/* Generations: what the policy of gen.c keeps of a node. The theory is there. */
#ifndef MM_LRU_GEN_H
#define MM_LRU_GEN_H

#include "lruvec.h"

#define GENS_MIN 2u  /* the youngest, from which nothing is taken */
#define LRU_TIERS 4u

/* What /sys/kernel/mm/lru_gen/enabled says (Documentation/admin-guide/mm/multigen_lru.rst). */
#define LRU_GEN_CORE 0x1u	 /* generations at all */
#define LRU_GEN_MM_WALK 0x2u	 /* aging clears young bits in page tables, many at once */
#define LRU_GEN_NONLEAF 0x4u	 /* only of tables that the processor walked by */

unsigned int lru_gen_caps(void);
/* Return: 0 or -ENOMEM. Context: may sleep. */
int lru_gen_set_caps(unsigned int caps);
extern unsigned long lru_gen_min_ttl_ms; /* (a) */

static inline unsigned int gen_of_seq(unsigned long seq)
{
	return (unsigned int)(seq % LRU_GENS_MAX) + 1;
}

/* Times through system calls, in powers of two: 0 to 3. */
unsigned int folio_tier(const struct folio *folio);
/*
 * A new generation. Return: false: @seq is not the youngest (any more). Context: may sleep. @walk: look for young pages
 * in page tables before, if that is enabled.
 */
bool lru_gen_age(struct lruvec *vec, unsigned long seq, bool walk);
/* Pages of a generation. Context: the lock. */
unsigned long lru_gen_pages(const struct lruvec *vec, unsigned long seq, bool file);

#endif
