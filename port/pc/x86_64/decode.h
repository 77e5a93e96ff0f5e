/* SPDX-License-Identifier: MIT */
/*
 * Which memory an instruction touches, from its bytes: the processor names no address when it refuses a non-canonical
 * one. Pure functions, which the hosted tests run, too.
 */
#ifndef PORT_PC_DECODE_H
#define PORT_PC_DECODE_H

#include <octavo/types.h>

/* Registers by the numbers that instructions have for them: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15. */
struct decode_registers {
	unsigned long r[16];
	unsigned long ip, fs_base, gs_base;
};

/* An instruction of the string family touches two places. */
struct decoded {
	unsigned int nr;
	struct {
		uintptr_t address;
		bool write;
	} access[2];
};

/*
 * decode_accesses - what the integer instruction at @code (@len bytes can be read, 15 are enough) touches as an operand
 * Not its stack, nor what it jumps to. Return: false for an instruction that it does not know, or that touches nothing.
 */
bool decode_accesses(const u8 *code, size_t len, const struct decode_registers *regs, struct decoded *decoded);

#endif
