/* SPDX-License-Identifier: MIT */
/* Pressure stall information of memory: how much time was lost waiting for it. */
#ifndef MM_PHYS_PSI_H
#define MM_PHYS_PSI_H

#include <octavo/types.h>

/*
 * From here to psi_memstall_leave() the thread does nothing but see to memory: reclaim, compaction, pages that come
 * back from where they went too early. Nests. Context: thread context. *@was belongs to the pair.
 */
void psi_memstall_enter(unsigned long *was);
void psi_memstall_leave(const unsigned long *was);

enum psi_state { PSI_MEM_SOME, PSI_MEM_FULL, PSI_STATES };
enum { PSI_AVG10, PSI_AVG60, PSI_AVG300, PSI_WINDOWS };

struct psi_figures {
	u64 total_us;			/* since boot */
	u32 hundredths[PSI_WINDOWS];	/* of a percent, over 10, 60 and 300 s */
};
/* Up to now. Context: any thread. */
void psi_memory(struct psi_figures out[PSI_STATES]);

#endif
