/* SPDX-License-Identifier: MIT */
/*
 * What a page-frame allocator implements to be measured: frames are numbered from 0, cpu is the index of the
 * calling thread. A peer is a shared object with these functions, given to the bench by path (PEER=path.so).
 */
#ifndef BENCH_PFA_H
#define BENCH_PFA_H

#include <stddef.h>
#include <stdint.h>

#define PF_NONE UINT64_MAX

const char *pf_name(void);
int pf_init(size_t frames, unsigned int cpus); /* 0 on success */
void pf_fini(void);
size_t pf_meta_bytes(void);
uint64_t pf_alloc(unsigned int order, unsigned int cpu); /* first frame, or PF_NONE */
void pf_free(uint64_t frame, unsigned int order, unsigned int cpu);

#endif
