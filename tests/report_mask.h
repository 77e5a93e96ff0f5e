/* SPDX-License-Identifier: MIT */
/* Reports of the heap with everything that differs from run to run, and from machine to machine, masked. */
#ifndef TESTS_REPORT_MASK_H
#define TESTS_REPORT_MASK_H

#include "mm/base/compiler.h"

/*
 * report_mask - captured console text as a test can write it down
 * Without stamps, stacks and empty lines; addresses are ADDR, offsets in functions +OFF, numbers behind "name=" N, the
 * taint T, flags of pages F, and the register of the CPU line is cut to "CPU". Return: @to.
 */
const char *report_mask(char *to, size_t size, const char *text);

#endif
