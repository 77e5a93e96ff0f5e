// SPDX-License-Identifier: MIT
/*
 * Source: Intel SDM volume 2A chapter 2 (prefixes, ModR/M, SIB) and appendix A (opcode maps).
 *
 * For each opcode the question is only whether it has a ModR/M byte, what the operand in memory is used for, and how
 * many bytes of immediate follow: those count where the address is relative to the next instruction.
 */
#include "decode.h"

#include "mm/base/compiler.h"

enum use {
	NONE,	 /* no operand in memory, or not known */
	READ,
	WRITE,	 /* or both */
	GROUP_1, /* add or adc sbb and sub xor write; cmp (/7) reads */
	GROUP_3, /* test (/0 /1), mul and div (/4 on) read; not, neg write */
	GROUP_5, /* inc, dec write; call, jmp, push read */
	GROUP_8, /* bt (/4) reads; bts btr btc write */
};

struct insn {
	const u8 *at, *end;
	u8 rex;
	bool rep, address32, operand16;
	unsigned long segment;
	unsigned int immediate; /* bytes that follow the operand */
};

static int next_byte(struct insn *insn)
{
	return insn->at < insn->end ? *insn->at++ : -1;
}

/* The prefixes, REX last. Return: the opcode's first byte, or -1. */
static int read_prefixes(struct insn *insn, const struct decode_registers *regs)
{
	for (;;) {
		int byte = next_byte(insn);

		switch (byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e: /* segments without a base in 64-bit mode */
		case 0xf0:				    /* lock */
			break;
		case 0xf2: case 0xf3:
			insn->rep = true;
			break;
		case 0x64:
			insn->segment = regs->fs_base;
			break;
		case 0x65:
			insn->segment = regs->gs_base;
			break;
		case 0x66:
			insn->operand16 = true;
			break;
		case 0x67:
			insn->address32 = true;
			break;
		default:
			if (byte < 0x40 || byte > 0x4f)
				return byte;
			insn->rex = (u8)byte;
			return next_byte(insn);
		}
	}
}

/* Bytes of an immediate as wide as the operand: 64-bit ones are extended from 32. */
static unsigned int wide_immediate(const struct insn *insn)
{
	return insn->operand16 && !(insn->rex & 8) ? 2 : 4;
}

static enum use use_of_one_byte(struct insn *insn, unsigned int op)
{
	if (op < 0x40 && (op & 7) < 4) /* add or adc sbb and sub xor cmp, with a register */
		return (op & 2) || op >= 0x38 ? READ : WRITE;
	switch (op) {
	case 0x80: case 0x83:
		insn->immediate = 1;
		return GROUP_1;
	case 0x81:
		insn->immediate = wide_immediate(insn);
		return GROUP_1;
	case 0x6b:
		insn->immediate = 1;
		return READ;
	case 0x69:
		insn->immediate = wide_immediate(insn);
		return READ;
	case 0x63: case 0x84: case 0x85: case 0x8a: case 0x8b: case 0x8e:
		return READ;
	case 0xc0: case 0xc1: case 0xc6:
		insn->immediate = 1;
		return WRITE;
	case 0xc7:
		insn->immediate = wide_immediate(insn);
		return WRITE;
	case 0x86: case 0x87: case 0x88: case 0x89: case 0x8c: case 0x8f: case 0xd0: case 0xd1: case 0xd2: case 0xd3:
		return WRITE;
	case 0xf6: case 0xf7:
		return GROUP_3;
	case 0xfe: case 0xff:
		return GROUP_5;
	}
	return NONE;
}

static enum use use_of_two_bytes(struct insn *insn, unsigned int op)
{
	if (op >= 0x40 && op <= 0x4f) /* cmov */
		return READ;
	if (op >= 0x90 && op <= 0x9f) /* set */
		return WRITE;
	switch (op) {
	case 0xa3: case 0xaf: case 0xb6: case 0xb7: case 0xb8: case 0xbc: case 0xbd: case 0xbe: case 0xbf:
		return READ;
	case 0xa4: case 0xac:
		insn->immediate = 1;
		return WRITE;
	case 0xa5: case 0xab: case 0xad: case 0xb0: case 0xb1: case 0xb3: case 0xbb: case 0xc0: case 0xc1: case 0xc3:
	case 0xc7:
		return WRITE;
	case 0xba:
		insn->immediate = 1;
		return GROUP_8;
	}
	return NONE;
}

static bool is_write(struct insn *insn, enum use use, unsigned int op, unsigned int extension)
{
	switch (use) {
	case GROUP_1:
		return extension != 7;
	case GROUP_3:
		if (extension < 2)
			insn->immediate = op & 1 ? wide_immediate(insn) : 1;
		return extension == 2 || extension == 3;
	case GROUP_5:
		return extension < 2;
	case GROUP_8:
		return extension != 4;
	default:
		return use == WRITE;
	}
}

static bool read_displacement(struct insn *insn, unsigned int bytes, long *value)
{
	u32 raw = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		int byte = next_byte(insn);

		if (byte < 0)
			return false;
		raw |= (u32)byte << 8 * i;
	}
	*value = bytes == 1 ? (s8)raw : (s32)raw;
	return true;
}

/* The address that ModR/M byte @modrm, with what follows it, stands for; false: a register, or torn. */
static bool effective_address(struct insn *insn, const struct decode_registers *regs, unsigned int modrm,
			      uintptr_t *address)
{
	unsigned int mod = modrm >> 6, base = modrm & 7, displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	unsigned long sum = 0;
	long offset = 0;

	if (mod == 3)
		return false;
	if (base == 4) {
		int sib = next_byte(insn);
		unsigned int index;

		if (sib < 0)
			return false;
		index = ((unsigned int)sib >> 3 & 7) | (insn->rex & 2 ? 8 : 0);
		if (index != 4)
			sum = regs->r[index] << (sib >> 6);
		base = (unsigned int)sib & 7;
		if (base == 5 && !mod)
			displacement = 4;
		else
			sum += regs->r[base | (insn->rex & 1 ? 8 : 0)];
	} else if (base == 5 && !mod) {
		displacement = 4;
	} else {
		sum = regs->r[base | (insn->rex & 1 ? 8 : 0)];
	}
	if (!read_displacement(insn, displacement, &offset))
		return false;
	sum += (unsigned long)offset;
	if (!mod && (modrm & 7) == 5) /* relative to the next instruction */
		sum += regs->ip + insn->immediate + (uintptr_t)insn->at;
	*address = (insn->address32 ? (u32)sum : sum) + insn->segment;
	return true;
}

static void add_access(struct decoded *decoded, uintptr_t address, bool write)
{
	decoded->access[decoded->nr].address = address;
	decoded->access[decoded->nr++].write = write;
}

/* ins movs stos lods cmps scas outs: rsi is read, in the segment; rdi is written, or read by cmps and scas. */
static bool string_accesses(const struct insn *insn, unsigned int op, const struct decode_registers *regs,
			    struct decoded *decoded)
{
	bool source = false, target = false, compares = false;

	switch (op & ~1u) {
	case 0xa4:
		source = target = true;
		break;
	case 0xa6:
		source = target = compares = true;
		break;
	case 0x6c: case 0xaa:
		target = true;
		break;
	case 0x6e: case 0xac:
		source = true;
		break;
	case 0xae:
		target = compares = true;
		break;
	}
	if ((source || target) && insn->rep && !regs->r[1])
		return true;
	if (source)
		add_access(decoded, regs->r[6] + insn->segment, false);
	if (target)
		add_access(decoded, regs->r[7], !compares);
	return source || target;
}

/* mov between rax and an address of 64 bits in the instruction */
static bool absolute_access(struct insn *insn, unsigned int op, struct decoded *decoded)
{
	u64 address = 0;

	if (op < 0xa0 || op > 0xa3)
		return false;
	for (unsigned int i = 0; i < (insn->address32 ? 4u : 8u); i++) {
		int byte = next_byte(insn);

		if (byte < 0)
			return false;
		address |= (u64)byte << 8 * i;
	}
	add_access(decoded, address + insn->segment, op >= 0xa2);
	return true;
}

bool decode_accesses(const u8 *code, size_t len, const struct decode_registers *regs, struct decoded *decoded)
{
	struct insn insn = { .at = code, .end = code + len };
	struct decode_registers relative = *regs;
	int op = read_prefixes(&insn, regs), modrm;
	uintptr_t address;
	enum use use;
	bool write;

	decoded->nr = 0;
	if (op < 0)
		return false;
	if (string_accesses(&insn, (unsigned int)op, regs, decoded) ||
	    absolute_access(&insn, (unsigned int)op, decoded))
		return decoded->nr != 0;
	if (op == 0x0f) {
		op = next_byte(&insn);
		use = op < 0 ? NONE : use_of_two_bytes(&insn, (unsigned int)op);
	} else {
		use = use_of_one_byte(&insn, (unsigned int)op);
	}
	modrm = use == NONE ? -1 : next_byte(&insn);
	if (modrm < 0)
		return false;
	write = is_write(&insn, use, (unsigned int)op, (unsigned int)modrm >> 3 & 7);
	/* Where the code lies in memory, for addresses relative to it; it may have been copied from there. */
	relative.ip -= (uintptr_t)code;
	if (!effective_address(&insn, &relative, (unsigned int)modrm, &address))
		return false;
	add_access(decoded, address, write);
	return true;
}
