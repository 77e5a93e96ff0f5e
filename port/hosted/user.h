/* SPDX-License-Identifier: MIT */
/*
 * User code of the simulated machine: loads, stores and instruction fetches of the process that this CPU runs, through
 * its software MMU with user rights. A refused access is the processor's page fault: handle_page_fault() is asked, and
 * the access is made again, or it ends in a signal.
 */
#ifndef PORT_HOSTED_USER_H
#define PORT_HOSTED_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * hosted_user_read - what user code reads from [@addr, @addr + @len)
 * @to: ordinary memory of the caller's
 *
 * Aligned words are loaded whole, others bytewise, in address order, each page as one step: between two pages this CPU
 * may take an interrupt, and what other CPUs store meanwhile may be seen in part. Bytes before the one that is refused
 * have arrived, as if an instruction each had loaded them.
 *
 * Context: thread context on a CPU, interrupts on; sleeps in faults. Return: bytes read; fewer than @len: the next one
 * was refused, and current_task()->fault is the signal.
 */
size_t hosted_user_read(uintptr_t addr, void *to, size_t len);

/** hosted_user_write - the same the other way */
size_t hosted_user_write(uintptr_t addr, const void *from, size_t len);

/** hosted_user_exec - instruction fetches from [@addr, @addr + @len); @to: what was fetched */
size_t hosted_user_exec(uintptr_t addr, void *to, size_t len);

/**
 * hosted_user_cmpxchg - compare and exchange of a word, as one instruction
 * @addr: aligned to @size
 * @old: what is expected; what was found
 * @size: 4, or 8 where that is a word
 * It is a store even where the comparison fails, as on x86. Return: bytes: @size, or 0 and a signal. *@old tells
 * whether it was exchanged.
 */
size_t hosted_user_cmpxchg(uintptr_t addr, uint64_t *old, uint64_t fresh, size_t size);

#endif
