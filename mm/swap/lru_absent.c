// SPDX-License-Identifier: MIT
/* An image without mm/lru: folios are on no list. */
#include "../lru/lru.h"

__weak void folio_add_lru(struct folio *folio)
{
	(void)folio;
}

__weak void folio_rotate_reclaimable(struct folio *folio)
{
	(void)folio;
}

__weak void workingset_refault(struct folio *folio, unsigned long shadow)
{
	(void)folio, (void)shadow;
}
