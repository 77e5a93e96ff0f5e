/* SPDX-License-Identifier: MIT */
/* The vector registers' state in memory. */
#ifndef KERNEL_X86_64_FPU_H
#define KERNEL_X86_64_FPU_H

#include <octavo/types.h>

#define XFEATURE_PKRU 0x200u
#define PKRU_INITIAL 0x55555554u /* no rights but by key 0 */

struct fpu_facts {
	bool xsave;
	u64 features;		  /* XCR0 */
	size_t size;		  /* of the area, standard form */
	unsigned int pkru_offset; /* 0: no protection keys */
};
extern struct fpu_facts fpu_facts;

void fpu_save(void *area);
void fpu_load(const void *area);
void fpu_initial(void *area);

#endif
