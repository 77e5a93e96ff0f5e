// SPDX-License-Identifier: MIT
/* The PC port's decoder of memory operands, on what the assembler makes of instructions. */
#include "harness.h"

#ifdef __x86_64__
#include "port/pc/x86_64/decode.h"

#define IP 0x100000ul
#define FS 0x7000000000ul
#define GS 0x8000000000ul
#define R(n) (0x1111ul * ((n) + 1)) /* what register n holds */

/* The bytes of @text stand between name and name_end. */
#define CODE(name, text)                                                                                  \
	__asm__(".pushsection .rodata\n" #name ": " text "\n" #name "_end: .skip 15, 0x90\n.popsection"); \
	extern const u8 name[], name##_end[]

CODE(load, "movq 16(%rbx,%rcx,4), %rax");
CODE(store, "movq %rax, -8(%r13)");
CODE(store_byte_immediate, "movb $0x7f, (%rsi)");
CODE(store_relative, "movl $0x12345678, 0x4000(%rip)");
CODE(load_relative, "movzbl -0x100(%rip), %eax");
CODE(test_relative, "testl $0x1000, 0x2000(%rip)");
CODE(compare, "cmpl $3, (%r12)");
CODE(add_to, "addl $3, 0x100(%rsp)");
CODE(add_from, "addq (%rdx,%r12,8), %rcx");
CODE(compare_with_register, "cmpq %rax, (%rdi)");
CODE(locked, "lock cmpxchgq %rdx, (%r8)");
CODE(negate, "negq (%rax)");
CODE(divide, "divl 4(%rax)");
CODE(increment, "incw (%r15,%r14,2)");
CODE(call_through, "call *(%rdi)");
CODE(bit_test, "btl $4, (%rdi)");
CODE(bit_set, "lock btsq $4, (%rdi)");
CODE(no_base, "movq 0x5000(,%rbx,8), %rax");
CODE(absolute, "movabsq %rax, 0x8000123456789abc");
CODE(in_segment, "movq %gs:0x20, %rax");
CODE(in_other_segment, "movq %fs:(%rbx), %rax");
CODE(narrow, "movl (%eax), %eax");
CODE(set_condition, "setne 1(%rdi)");
CODE(store_strings, "rep stosq");
CODE(move_strings, "movsb");
CODE(compare_strings, "repe cmpsb");
CODE(registers_only, "movq %rax, %rbx");
CODE(address_only, "leaq 8(%rax), %rbx");
CODE(no_operand, "ret");

struct row {
	const char *name;
	const u8 *code, *end;
	unsigned int nr;
	uintptr_t address, second;
	bool write, second_write;
};
#define ROW(name, ...) { #name, name, name##_end, __VA_ARGS__ }

static const struct row rows[] = {
	ROW(load, 1, R(3) + 4 * R(1) + 16),
	ROW(store, 1, R(13) - 8, .write = true),
	ROW(store_byte_immediate, 1, R(6), .write = true),
	ROW(store_relative, 1, IP + 10 + 0x4000, .write = true),
	ROW(load_relative, 1, IP + 7 - 0x100),
	ROW(test_relative, 1, IP + 10 + 0x2000),
	ROW(compare, 1, R(12)),
	ROW(add_to, 1, R(4) + 0x100, .write = true),
	ROW(add_from, 1, R(2) + 8 * R(12)),
	ROW(compare_with_register, 1, R(7)),
	ROW(locked, 1, R(8), .write = true),
	ROW(negate, 1, R(0), .write = true),
	ROW(divide, 1, R(0) + 4),
	ROW(increment, 1, R(15) + 2 * R(14), .write = true),
	ROW(call_through, 1, R(7)),
	ROW(bit_test, 1, R(7)),
	ROW(bit_set, 1, R(7), .write = true),
	ROW(no_base, 1, 8 * R(3) + 0x5000),
	ROW(absolute, 1, 0x8000123456789abcul, .write = true),
	ROW(in_segment, 1, GS + 0x20),
	ROW(in_other_segment, 1, FS + R(3)),
	ROW(narrow, 1, (u32)R(0)),
	ROW(set_condition, 1, R(7) + 1, .write = true),
	ROW(store_strings, 1, R(7), .write = true),
	ROW(move_strings, 2, R(6), R(7), .second_write = true),
	ROW(compare_strings, 2, R(6), R(7)),
	ROW(registers_only, 0, 0),
	ROW(address_only, 0, 0),
	ROW(no_operand, 0, 0),
};

TEST(decode, memory_operands)
{
	struct decode_registers regs = { .ip = IP, .fs_base = FS, .gs_base = GS };
	struct decoded d;

	for (unsigned int i = 0; i < 16; i++)
		regs.r[i] = R(i);
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		size_t len = (size_t)(row->end - row->code);

		if (decode_accesses(row->code, len + 15, &regs, &d) != (row->nr > 0) || d.nr != row->nr ||
		    (d.nr > 0 && (d.access[0].address != row->address || d.access[0].write != row->write)) ||
		    (d.nr > 1 && (d.access[1].address != row->second || d.access[1].write != row->second_write)))
			test_fail(__FILE__, __LINE__, "%s: %u operands, %#lx%s", row->name, d.nr,
				  (unsigned long)d.access[0].address, d.access[0].write ? " written" : "");
		/* A torn instruction has no operand, unless what is missing is an immediate. */
		for (size_t cut = 0; cut < len; cut++)
			if (decode_accesses(row->code, cut, &regs, &d) && d.access[0].address != row->address)
				test_fail(__FILE__, __LINE__, "%s: %zu of %zu bytes give %#lx", row->name, cut, len,
					  (unsigned long)d.access[0].address);
	}
}

TEST(decode, string_of_no_length_touches_nothing)
{
	struct decode_registers regs = { .ip = IP };
	struct decoded d;

	EXPECT(!decode_accesses(store_strings, 15, &regs, &d));
	EXPECT_EQ(d.nr, 0);
}

/* Random bytes: nothing is read beyond the end (the address sanitizer's builds look), and there is an end. */
TEST(decode, any_bytes)
{
	struct decode_registers regs = { .ip = IP };
	u64 seed = test_seed;
	struct decoded d;
	u8 bytes[15];

	for (unsigned int i = 0; i < test_scaled(20000); i++) {
		size_t len = test_random(&seed) % (sizeof(bytes) + 1);

		for (size_t n = 0; n < len; n++)
			bytes[n] = (u8)test_random(&seed);
		EXPECT(decode_accesses(bytes, len, &regs, &d) == (d.nr > 0) && d.nr <= 2);
	}
}
#endif
