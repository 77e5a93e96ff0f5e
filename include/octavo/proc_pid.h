/* SPDX-License-Identifier: MIT */
/*
 * What /proc shows of an address space and of page frames, in the format of Linux 6.12: proc(5), proc.rst and
 * pagemap.rst. A kernel's procfs finds the process, looks who may read, and calls these; docs/proc-files.md says where
 * each number comes from.
 *
 * All of them read an address space that goes on changing. The mmap lock is held for one mapping at a time, never while
 * @emit runs, which may therefore copy to user memory. What is mapped and unmapped meanwhile may be seen or not; what
 * stays is seen once.
 *
 * Context: thread context, the caller holds a reference to the address space (mmget()), and may sleep. They give up
 * when the caller is killed (-EINTR).
 */
#ifndef OCTAVO_PROC_PID_H
#define OCTAVO_PROC_PID_H

#include <octavo/mm.h>
#include <octavo/proc.h>

OCTAVO_BEGIN_DECLS

/** What can be told mapping by mapping. */
enum octavo_pid_map { OCTAVO_PID_MAPS, OCTAVO_PID_SMAPS, OCTAVO_PID_NUMA_MAPS };

/**
 * octavo_pid_map_next - one mapping's part of /proc/PID/maps, smaps or numa_maps
 * @addr: in: where to go on; out: where the next call does. Begins at 0.
 * @emit: called with the text of the first mapping that ends behind *@addr
 *
 * A reader that has room for no more stops here and comes back later with *@addr. Return: 1: there was one; 0: there
 * are no more; -ENOMEM; -EINTR.
 */
OCTAVO_API int octavo_pid_map_next(struct mm_struct *mm, enum octavo_pid_map file, uintptr_t *addr,
				   octavo_emit_fn emit, void *ctx);

/** octavo_pid_map_read - the whole file. Return: 0, -ENOMEM, -EINTR. */
OCTAVO_API int octavo_pid_map_read(struct mm_struct *mm, enum octavo_pid_map file, octavo_emit_fn emit, void *ctx);

/** octavo_pid_rollup - /proc/PID/smaps_rollup. Return: 0, -ENOMEM, -EINTR. */
OCTAVO_API int octavo_pid_rollup(struct mm_struct *mm, octavo_emit_fn emit, void *ctx);

/** octavo_pid_statm - /proc/PID/statm. @mm may be NULL (a kernel thread): zeros. */
OCTAVO_API void octavo_pid_statm(struct mm_struct *mm, octavo_emit_fn emit, void *ctx);

/**
 * octavo_pid_status - the lines VmPeak to untag_mask of /proc/PID/status
 * @mm: NULL: none
 * @core_dumping: the process is writing a core dump
 */
OCTAVO_API void octavo_pid_status(struct mm_struct *mm, bool core_dumping, octavo_emit_fn emit, void *ctx);

/**
 * struct octavo_pid_stat - the numbers of /proc/PID/stat that an address space has, by their names in proc(5)
 * @vsize: field 23, bytes
 * @rss: field 24, pages
 * @startcode, @endcode, @startstack: fields 26 to 28
 * @start_data, @end_data, @start_brk, @arg_start, @arg_end, @env_start, @env_end: fields 45 to 51
 * Linux shows 26 to 28 and 45 to 51 only to who may trace the process, and 1, 1, 0 and zeros to others.
 */
struct octavo_pid_stat {
	unsigned long vsize, rss;
	unsigned long startcode, endcode, startstack;
	unsigned long start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end;
};
/** octavo_pid_stat - @mm may be NULL: zeros */
OCTAVO_API void octavo_pid_stat(struct mm_struct *mm, struct octavo_pid_stat *stat);

/**
 * octavo_pid_pagemap - /proc/PID/pagemap
 * @page: number of the first page: the file's offset, a multiple of 8, divided by 8
 * @entries: of @nr pages from there on
 * @frames: show frame numbers: the reader had CAP_SYS_ADMIN when it opened the file
 * Return: entries filled, 0 at the end of user space; -ENOMEM; -EINTR.
 */
OCTAVO_API long octavo_pid_pagemap(struct mm_struct *mm, u64 page, u64 *entries, size_t nr, bool frames);

/**
 * octavo_pid_pagemap_ioctl - ioctls of /proc/PID/pagemap: PAGEMAP_SCAN
 * @arg: a user address of struct pm_scan_arg, as of Linux's pagemap.rst
 * Return: regions told; -ENOTTY: another ioctl; -EINVAL, -EFAULT, -EPERM, -ENOMEM, -EINTR.
 */
#define PAGEMAP_SCAN 0xc0606610u
OCTAVO_API long octavo_pid_pagemap_ioctl(struct mm_struct *mm, unsigned int cmd, unsigned long arg);

/**
 * octavo_pid_clear_refs - what writing to /proc/PID/clear_refs does
 * @text: 1: forget what was accessed; 2: of anonymous mappings; 3: of file mappings; 4: forget soft-dirty; 5: the peak
 *        resident size begins anew
 * Return: @len; -EINVAL for anything else; -ENOMEM; -EINTR.
 */
OCTAVO_API long octavo_pid_clear_refs(struct mm_struct *mm, const char *text, size_t len);

/**
 * octavo_pid_oom_score - /proc/PID/oom_score, with @mm NULL that of a process that has exited
 * Context: any that may take no lock but read.
 */
OCTAVO_API unsigned long octavo_pid_oom_score(struct mm_struct *mm, const struct mm_process *process);

/**
 * octavo_pid_set_oom_score_adj - what writing to /proc/PID/oom_score_adj does
 * @may_lower: the writer has CAP_SYS_RESOURCE: what he writes is as low as others may set it afterwards
 * Processes that share the address space follow. Context: thread context, may sleep.
 * Return: @len; -EINVAL: no number from -1000 to 1000; -EACCES: lower than it may be, and not @may_lower.
 */
OCTAVO_API long octavo_pid_set_oom_score_adj(struct mm_process *process, const char *text, size_t len, bool may_lower);

/**
 * octavo_pid_oom_adj, octavo_pid_set_oom_adj - /proc/PID/oom_adj, the older scale: -17, never, to 15
 * Return: as octavo_pid_set_oom_score_adj(), but -EACCES if it is lower than it is.
 */
OCTAVO_API int octavo_pid_oom_adj(const struct mm_process *process);
OCTAVO_API long octavo_pid_set_oom_adj(struct mm_process *process, const char *text, size_t len, bool may_lower);

/**
 * octavo_kpageflags, octavo_kpagecount - /proc/kpageflags and /proc/kpagecount: an entry for each frame from 0 on
 * @pfn: the file's offset, a multiple of 8, divided by 8
 * Context: any. Return: entries filled, 0 behind the last frame.
 */
OCTAVO_API size_t octavo_kpageflags(u64 pfn, u64 *entries, size_t nr);
OCTAVO_API size_t octavo_kpagecount(u64 pfn, u64 *entries, size_t nr);

OCTAVO_END_DECLS
#endif
