/* SPDX-License-Identifier: MIT */
/* The reference kernel's ELF loader on any bytes, in a process of the hosted machine. */
#ifndef TESTS_HOSTED_ELF_TRY_H
#define TESTS_HOSTED_ELF_TRY_H

#include "kernel/elf.h"
#include "tasks.h"

#define ELF_SAMPLE_MAX (5 * (size_t)PAGE_SIZE)

enum elf_sample { SAMPLE_STATIC, SAMPLE_PIE, SAMPLE_INTERPRETED, ELF_SAMPLES };

/* A program of two pages of text and a page of data with two more of zeros behind it. Return: its bytes. */
size_t elf_sample(enum elf_sample which, u8 to[ELF_SAMPLE_MAX]);

/*
 * elf_try - read and map a file of these bytes, as execve(2) would, into the address space of @p
 * @size: up to ELF_SAMPLE_MAX. The process has been started; the caller looks at it and lets it exit.
 * Return: 0 or the loader's error.
 */
int elf_try(struct test_process *p, struct elf_image *image, const u8 *bytes, size_t size);

#endif
