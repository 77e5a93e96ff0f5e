/* SPDX-License-Identifier: MIT */
/* Programs in memory: what exec.c and elf.c know of each other. ELF by the System V ABI, generic and x86-64. */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include "kernel.h"
#include "vfs.h"

#define ELF_PHDRS_MAX 64u

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

/* An ELF file that has been looked at. */
struct elf_image {
	struct file *file;
	struct elf_header header;
	struct elf_segment segments[ELF_PHDRS_MAX];
	uintptr_t bias;			/* what is added to its addresses */
	uintptr_t entry, phdr;		/* in memory */
	uintptr_t start_code, end_code, start_data, end_data, brk;
	bool exec_stack;
};

/* Return: 0; -ENOEXEC: no ELF file for this machine. */
int elf_read(struct elf_image *image, struct file *file);
/* Copies the interpreter's path; Return: 0: it wants none; 1; or a negative errno. */
int elf_interpreter(const struct elf_image *image, char *path, size_t size);
/* elf_map - its segments, into the caller's new address space; @interpreter: as the one of another image */
int elf_map(struct elf_image *image, struct mm_struct *mm, bool interpreter, bool has_interpreter);

#endif
