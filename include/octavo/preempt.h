/* SPDX-License-Identifier: MIT */
/* Staying on a CPU, as Linux names it (<linux/preempt.h>, <linux/smp.h>). */
#ifndef OCTAVO_PREEMPT_H
#define OCTAVO_PREEMPT_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * preempt_disable - this CPU keeps to this thread until preempt_enable()
 * octavo_cpu_in_section() is true meanwhile, which a port that switches threads asks. Interrupts still come. Nests.
 * Context: any.
 */
OCTAVO_API void preempt_disable(void);
OCTAVO_API void preempt_enable(void);

/** preempt_count - how many preempt_disable() are open on this CPU */
OCTAVO_API int preempt_count(void);

/** get_cpu - preempt_disable(), and which CPU this is; put_cpu() ends it */
OCTAVO_API int get_cpu(void);
static inline void put_cpu(void)
{
	preempt_enable();
}

OCTAVO_END_DECLS
#endif
