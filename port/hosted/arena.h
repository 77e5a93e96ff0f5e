/* SPDX-License-Identifier: MIT */
/* What the files of the machine's RAM share. */
#ifndef PORT_HOSTED_ARENA_H
#define PORT_HOSTED_ARENA_H

#include "machine.h"

struct range {
	u64 start, end;
	u64 file; /* offset in the file: start, except where a 32-bit process cannot say that */
	bool direct;
	char *view; /* NULL: no room for one */
};

struct view {
	void *at;
	size_t bytes;
};

/* What a layout follows from; two machines of one plan look alike, but for @populate. */
struct plan {
	struct range *ranges; /* start and end only */
	unsigned int nr, windows;
	u64 later, want, least;
	bool populate;
};

struct arena {
	struct plan plan;
	bool idle;    /* no machine uses it: all its pages were given back */
	bool changed; /* no longer as planned */
	struct range *ranges;
	unsigned int nr;
	struct range *devices; /* hosted_device_add() */
	unsigned int devices_nr;
	struct view *views; /* as they were mapped, to be unmapped */
	unsigned int views_nr;
	u64 views_bytes;
	void *map; /* what was reserved, to be unmapped */
	size_t map_bytes;
	char *direct;	  /* physical address 0 */
	u64 direct_bytes; /* covered by the window */
	char *vmemmap;
	size_t vmemmap_bytes;
	char *windows;
	size_t windows_bytes;
	int fd; /* -1: none */
	u64 file_end;
	u64 far_end; /* next free offset of ranges that a 32-bit process cannot place at their address */
};

extern struct arena arena;

int range_map(struct range *r);
/* The RAM at @phys, or the device; NULL: neither. */
const struct range *range_of(u64 phys);
/* The process may read and write all RAM of the direct map again. */
void rights_reset(void);
/* Unmaps all views. */
void views_drop(void);
/* Maps the window over the direct map anew, shut. */
bool direct_remap(void);

#endif
