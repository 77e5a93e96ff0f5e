/* SPDX-License-Identifier: MIT */
/* Reports of page faults: what the files of it share. */
#ifndef MM_KMAP_FAULT_H
#define MM_KMAP_FAULT_H

#include <octavo/port.h>

#include "areas.h"

struct mm_struct;

/*
 * What mm/vm does about faults of user mode, and of user addresses. Return: as handle_page_fault(); 1: it is nothing
 * that an address space could explain, and to be reported.
 */
extern int (*user_fault_hook)(const struct page_fault *fault);

/* The table the machine walks for an address: of formats with two roots the half decides. */
struct mm_struct *fault_mm(uintptr_t virt);

/*
 * The entries on the way to an address, one word each in the processor's own form, until one leads nowhere:
 * "PGD 100000067 P4D 100000067 PUD 0", i386 "*pde = 00000000", arm64 "pgd=..., p4d=...". Return: length of the text.
 */
size_t pagetable_text(char *text, size_t size, uintptr_t virt);

/* What the processor and Linux for it say of the fault: the first lines of the report. */
void fault_headline_x86(const struct page_fault *fault, const struct area_description *d);
void fault_headline_arm64(const struct page_fault *fault, const struct area_description *d);

#endif
