/* SPDX-License-Identifier: MIT */
/* What a stretch of the current process's address space is mapped as, in words that tests compare. */
#ifndef TESTS_MAPSHAPE_H
#define TESTS_MAPSHAPE_H

#include "tasks.h"

/* A stretch that is free in every format and layout. */
#define ARENA ((uintptr_t)0x30000000)
#define AT(page) (ARENA + (uintptr_t)(page)*PAGE_SIZE)
#define LEN(pages) ((size_t)(pages)*PAGE_SIZE)

/* "0-3 rw-p, 5-6 r--s": VMAs from page @first of the arena on, below page @end. A static text. */
const char *map_shape(unsigned int first, unsigned int end);

/* VMAs in the address space; what mm_verify() has to say, on the console. */
unsigned int map_count(void);
unsigned int verify_all(void);

/* struct test_file - a file that can be mapped and has no pages: what it heard */
struct test_file {
	struct file file;
	struct inode inode;
	unsigned int opens, closes, mmaps, releases;
	int mmap_error, split_error;
	vm_flags_t add_flags;
	bool hears; /* vm_ops has open() and close() */
};
void test_file_init(struct test_file *f, u32 mode);

#endif
