/* SPDX-License-Identifier: MIT */
/* What the files of /proc/PID share: a mapping as it was while the lock was held, and the walk over its entries. */
#ifndef MM_PROC_PID_H
#define MM_PROC_PID_H

#include <octavo/proc_pid.h>

#include "../vm/rmap.h"
#include "../vm/vm.h"
#include "proc.h"

#define PID_NAME_BYTES PAGE_SIZE

/* A mapping, copied: @name (PID_NAME_BYTES) is empty, a path, or in brackets. */
struct pid_vma {
	uintptr_t start, end;
	vm_flags_t flags;
	u64 offset; /* bytes in the file; 0: none */
	u64 ino;
	u32 dev;
	size_t page_size;
	bool file, heap, stack;
	char *name;
};

/* Context: mmap lock. */
void pid_vma_copy(struct pid_vma *out, struct vm_area_struct *vma);
/* ... as the first line of maps and smaps has it. */
void pid_vma_line(struct seq_file *m, const struct pid_vma *v);
/* A name with the characters of @escape as octal numbers. */
void pid_name(struct seq_file *m, const char *name, const char *escape);

/*
 * struct pid_entry - one last-level entry that is not none
 * @entry: where it is; only to be changed by walks that own the tables
 * @sharers: address spaces that have its table
 */
struct pid_entry {
	struct vm_area_struct *vma;
	uintptr_t addr;
	pgt_entry_t *entry;
	pgt_entry_t e;
	unsigned int sharers;
};
typedef void (*pid_entry_fn)(void *ctx, const struct pid_entry *e);

/* Each entry of [@start, @end) of @vma, in address order, its table locked. Context: mmap lock. */
void pid_walk(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, pid_entry_fn fn, void *ctx);

/* ---- smaps ---- */

enum pid_size {
	SIZE_RSS,
	SIZE_SHARED_CLEAN,
	SIZE_SHARED_DIRTY,
	SIZE_PRIVATE_CLEAN,
	SIZE_PRIVATE_DIRTY,
	SIZE_REFERENCED,
	SIZE_ANONYMOUS,
	SIZE_LAZYFREE,
	SIZE_SWAP,
	PID_SIZES
};

/* Proportional sizes are of bytes << PSS_SHIFT, so that many small parts add up. */
#define PSS_SHIFT 12
enum pid_share { PSS_ALL, PSS_DIRTY, PSS_ANON, PSS_FILE, PSS_SHMEM, PSS_LOCKED, PSS_SWAP, PID_SHARES };

struct pid_sizes {
	unsigned long bytes[PID_SIZES];
	u64 pss[PID_SHARES];
};

/* Adds what [@start, end of @vma) has. */
void pid_sizes_add(struct pid_sizes *sizes, struct vm_area_struct *vma, uintptr_t start);
/* @rollup: with the three kinds of Pss. */
void pid_sizes_show(struct seq_file *m, const struct pid_sizes *sizes, bool rollup);
void pid_smaps_show(struct seq_file *m, const struct pid_vma *v, const struct pid_sizes *sizes);

/* ---- numa_maps ---- */

struct pid_numa {
	unsigned long pages, anon, dirty, active, writeback, swapcache;
	unsigned int mapcount_max;
	unsigned long node[MAX_NUMNODES];
};
void pid_numa_add(struct pid_numa *numa, struct vm_area_struct *vma);
void pid_numa_show(struct seq_file *m, const struct pid_vma *v, const struct pid_numa *numa);

#endif
