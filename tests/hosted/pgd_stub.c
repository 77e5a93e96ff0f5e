// SPDX-License-Identifier: MIT
/* While the hosted port has no MMU that could be told: goes when it has. */
#include <octavo/port.h>

void port_pgd_load(phys_addr_t pgd, unsigned int asid)
{
	(void)pgd;
	(void)asid;
}
