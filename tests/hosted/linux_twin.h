/* SPDX-License-Identifier: MIT */
/*
 * The Linux underneath as the other side of a differential test: child processes that do, at the same addresses, what
 * Octavo's processes do, and say what came of it. Nothing of the core is needed or touched in them.
 */
#ifndef TESTS_HOSTED_LINUX_TWIN_H
#define TESTS_HOSTED_LINUX_TWIN_H

#include <octavo/types.h>

/*
 * Where all mappings lie: free in any process of the host and of every format here, across the border of two
 * last-level tables of all of them. SPARE is the pages between the arena and what a child needs for itself.
 */
#define TWIN_PAGES 48u
#define TWIN_ARENA ((uintptr_t)0x30400000 - 24 * 4096)
#define TWIN_END (TWIN_ARENA + TWIN_PAGES * 4096)
/* A page outside, always mapped: for mincore()'s answer. */
#define TWIN_SCRATCH ((uintptr_t)0x38000000)
#define TWIN_PROCESSES 4u
#define TWIN_FILES 2u
#define TWIN_FILE_PAGES 12u
/* The heap: from here to the end of the arena. */
#define TWIN_BRK_PAGE 30u
#define TWIN_BRK_AT (TWIN_ARENA + TWIN_BRK_PAGE * 4096)
#define TWIN_SEGMENTS 2u
#define TWIN_SEGMENT_BYTES(i) ((i) ? 3 * 4096ul - 100 : 5 * 4096ul)
#define TWIN_MEMLOCK_PAGES 24ul
#define TWIN_BYTES 65536u

enum { TWIN_LIMIT_AS, TWIN_LIMIT_DATA, TWIN_LIMIT_STACK, TWIN_LIMIT_MEMLOCK };

struct twin_status {
	u64 locked, size, data, stack;
};

enum twin_what {
	TWIN_MMAP,     /* addr, len, prot, flags, file number or -1, offset */
	TWIN_MUNMAP,   /* addr, len */
	TWIN_MPROTECT, /* addr, len, prot */
	TWIN_MREMAP,   /* addr, old len, new len, flags, new addr */
	TWIN_MADVISE,  /* addr, len, advice */
	TWIN_MLOCK,    /* addr, len, flags (mlock2) */
	TWIN_MUNLOCK,  /* addr, len */
	TWIN_MLOCKALL, /* flags */
	TWIN_MUNLOCKALL,
	TWIN_MSYNC,    /* addr, len, flags */
	TWIN_MINCORE,  /* addr, len: bytes */
	TWIN_READ,     /* addr, len: bytes, signal */
	TWIN_WRITE,    /* addr, len, value: signal */
	TWIN_TRUNCATE, /* file, bytes */
	TWIN_PWRITE,   /* file, offset, len, value */
	TWIN_PREAD,    /* file, offset, len: bytes */
	TWIN_PUNCH,    /* file, offset, len */
	TWIN_FORK,     /* the child's number */
	TWIN_EXIT,
	TWIN_BRK,      /* bytes of heap, which begins at TWIN_BRK_AT */
	TWIN_MSEAL,    /* addr, len, flags */
	TWIN_REMAP_FILE, /* addr, size, prot, pgoff, flags */
	TWIN_SHMAT,    /* segment, addr, flags */
	TWIN_SHMDT,    /* addr */
	TWIN_LIMIT,    /* TWIN_LIMIT_*, pages: AS and DATA: more than there are now; -1: no limit */
	TWIN_MAPS,     /* text of /proc/self/maps, of the arena */
	TWIN_SMAPS,    /* the same of smaps */
	TWIN_PAGEMAP,  /* entries of the arena */
	TWIN_STATUS,   /* KiB: struct twin_status */
	TWIN_NATTCH,   /* segment: how often it is attached */
	TWIN_FILL,     /* so many mappings elsewhere that only args[0] more are allowed */
	TWIN_CLEAN,    /* as a child just born */
	TWIN_CALLS
};

struct twin_call {
	enum twin_what what;
	long args[6];
};

/* A mapping that Linux placed outside of the arena is undone at once, and this is its address. */
#define TWIN_OUTSIDE 1L
/* The same of the second GiB, where MAP_32BIT places in 64 bits. */
#define TWIN_SECOND_GIB 2L

struct twin_result {
	long value; /* or a negative errno */
	s32 signo, code;
	uintptr_t address;
	u32 len;
	u8 bytes[TWIN_BYTES] __attribute__((aligned(8)));
};

/* Child 0 and the files are there. NULL, or what this host lacks. */
const char *twin_start(void);
/* Another child 0: Linux's own counts may not be what they were. NULL, or what is missing. */
const char *twin_again(void);
/* What else this host lacks: calls that say so are not to be made. NULL: nothing. */
const char *twin_lacks(enum twin_what what);
void twin_stop(void);
/* What process @process of them makes of it; NULL: it has died, and the test has failed. */
const struct twin_result *twin_do(unsigned int process, const struct twin_call *call);

#endif
