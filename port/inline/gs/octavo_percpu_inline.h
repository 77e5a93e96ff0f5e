/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU variables, %gs flavour: %gs is where this CPU's struct octavo_percpu_unit is, so a variable of the first
 * chunk is as far from it as CPU 0's is from CPU 0's. One instruction finds it and works on it. Areas of later chunks
 * take a call, which keeps the CPU, and the same instruction.
 */
#ifndef OCTAVO_PERCPU_INLINE_H
#define OCTAVO_PERCPU_INLINE_H

/* Where struct cpu_local has the displacement of this CPU's copies. */
#define OCTAVO_GS_PERCPU 80

#define octavo_gs_inline static inline __attribute__((always_inline))

/* A variable whose size the compiler knows was declared, and so is in the first chunk: then nothing is compared. */
octavo_gs_inline bool octavo_gs_later(const volatile void *p)
{
	return __builtin_object_size((const void *)(uintptr_t)p, 0) == (size_t)-1 &&
	       __builtin_expect((uintptr_t)p >= OCTAVO_PERCPU_LATER, 0);
}

octavo_gs_inline void *octavo_gs_find(const volatile void *p)
{
	uintptr_t at = (uintptr_t)p;

	if (octavo_gs_later(p))
		return octavo_this_cpu_ptr(p);
	__asm__ volatile("addq %%gs:%c1, %0" : "+r"(at) : "i"(OCTAVO_GS_PERCPU) : "cc");
	return (void *)at;
}
#define octavo_this_cpu_find(p) octavo_gs_find(p)

/* From %gs to this CPU's copy. */
octavo_gs_inline uintptr_t octavo_gs_offset(const volatile void *p)
{
	return (uintptr_t)p - (uintptr_t)&octavo_percpu_unit;
}

/*
 * One instruction by the size of its operand. @seg: "%%gs:" where @at is an offset, "" where it is an address. @b, @w,
 * @l, @q: the operands but the memory, and the constraints.
 */
#define octavo_gs_sizes(size, b, w, l, q) \
	do {                              \
		switch (size) {           \
		case 1:                   \
			b;                \
			break;            \
		case 2:                   \
			w;                \
			break;            \
		case 4:                   \
			l;                \
			break;            \
		default:                  \
			q;                \
		}                         \
	} while (0)

#define octavo_gs_asm_store(insn, seg, reg, constraint, type) \
	__asm__ volatile(insn " %" reg "1, " seg "(%0)" : : "r"(at), constraint((type)val) : "memory", "cc")
#define octavo_gs_store(insn, seg)                                               \
	octavo_gs_sizes(size, octavo_gs_asm_store(insn "b", seg, "b", "qi", u8), \
			octavo_gs_asm_store(insn "w", seg, "w", "ri", u16),      \
			octavo_gs_asm_store(insn "l", seg, "k", "ri", u32),      \
			octavo_gs_asm_store(insn "q", seg, "", "re", u64))

#define octavo_gs_asm_load(insn, seg, reg) \
	__asm__ volatile(insn " " seg "(%1), %" reg "0" : "=r"(val) : "r"(at) : "memory")
#define octavo_gs_load(seg)                                                                                       \
	octavo_gs_sizes(size, octavo_gs_asm_load("movzbl", seg, "k"), octavo_gs_asm_load("movzwl", seg, "k"), \
			octavo_gs_asm_load("movl", seg, "k"), octavo_gs_asm_load("movq", seg, ""))

#define octavo_gs_asm_trade(insn, seg, reg) \
	__asm__ volatile(insn " %" reg "0, " seg "(%1)" : "+q"(val) : "r"(at) : "memory", "cc")
#define octavo_gs_trade(insn, seg)                                                                        \
	octavo_gs_sizes(size, octavo_gs_asm_trade(insn "b", seg, "b"), octavo_gs_asm_trade(insn "w", seg, "w"), \
			octavo_gs_asm_trade(insn "l", seg, "k"), octavo_gs_asm_trade(insn "q", seg, ""))

#define octavo_gs_asm_swap(insn, seg, reg) \
	__asm__ volatile(insn " %" reg "2, " seg "(%1)" : "+a"(old) : "r"(at), "q"(val) : "memory", "cc")
#define octavo_gs_swap(seg)                                                                                       \
	octavo_gs_sizes(size, octavo_gs_asm_swap("cmpxchgb", seg, "b"), octavo_gs_asm_swap("cmpxchgw", seg, "w"), \
			octavo_gs_asm_swap("cmpxchgl", seg, "k"), octavo_gs_asm_swap("cmpxchgq", seg, ""))

/* In the first chunk by %gs; in a later one at its address, while the CPU is kept. */
#define octavo_gs_body(first, later)                           \
	uintptr_t at;                                          \
                                                               \
	if (octavo_gs_later(p)) {                              \
		preempt_disable();                             \
		at = (uintptr_t)octavo_this_cpu_ptr(p);        \
		later;                                         \
		preempt_enable();                              \
	} else {                                               \
		at = octavo_gs_offset(p);                      \
		first;                                         \
	}

#define OCTAVO_GS_OP(name)                                                                               \
	octavo_gs_inline void octavo_gs_##name(const volatile void *p, size_t size, u64 val)             \
	{                                                                                                \
		octavo_gs_body(octavo_gs_store(#name, "%%gs:"), octavo_gs_store(#name, ""))              \
	}
OCTAVO_GS_OP(mov)
OCTAVO_GS_OP(add)
OCTAVO_GS_OP(sub)
OCTAVO_GS_OP(and)
OCTAVO_GS_OP(or)

octavo_gs_inline u64 octavo_gs_read(const volatile void *p, size_t size)
{
	u64 val = 0;

	octavo_gs_body(octavo_gs_load("%%gs:"), octavo_gs_load(""))
	return val;
}

octavo_gs_inline u64 octavo_gs_xadd(const volatile void *p, size_t size, u64 val)
{
	u64 added = val;

	octavo_gs_body(octavo_gs_trade("xadd", "%%gs:"), octavo_gs_trade("xadd", ""))
	return val + added;
}

octavo_gs_inline u64 octavo_gs_xchg(const volatile void *p, size_t size, u64 val)
{
	octavo_gs_body(octavo_gs_trade("xchg", "%%gs:"), octavo_gs_trade("xchg", ""))
	return val;
}

octavo_gs_inline u64 octavo_gs_cmpxchg(const volatile void *p, size_t size, u64 old, u64 val)
{
	octavo_gs_body(octavo_gs_swap("%%gs:"), octavo_gs_swap(""))
	return old;
}

/* Nothing but integers and pointers of these sizes. */
#define octavo_gs_size(pcp)                                                                               \
	__extension__({                                                                                   \
		octavo_static_assert(sizeof(pcp) == 1 || sizeof(pcp) == 2 || sizeof(pcp) == 4 || sizeof(pcp) == 8, \
				     "this_cpu_*() works on 1, 2, 4 or 8 bytes");                         \
		sizeof(pcp);                                                                              \
	})
#define octavo_gs_word(val) ((u64)(uintptr_t)(val))
#define octavo_gs_value(pcp, word) ((__typeof__(pcp))(uintptr_t)(word))

#define octavo_cpu_op(insn, pcp, op, val) octavo_gs_##insn(&(pcp), octavo_gs_size(pcp), octavo_gs_word(val))
#define octavo_cpu_read(pcp) octavo_gs_value(pcp, octavo_gs_read(&(pcp), octavo_gs_size(pcp)))
#define octavo_cpu_add_return(pcp, val) \
	octavo_gs_value(pcp, octavo_gs_xadd(&(pcp), octavo_gs_size(pcp), octavo_gs_word(val)))
#define octavo_cpu_xchg(pcp, val) \
	octavo_gs_value(pcp, octavo_gs_xchg(&(pcp), octavo_gs_size(pcp), octavo_gs_word(val)))
#define octavo_cpu_cmpxchg(pcp, old, new_)                                                           \
	octavo_gs_value(pcp, octavo_gs_cmpxchg(&(pcp), octavo_gs_size(pcp), octavo_gs_word(old), \
					       octavo_gs_word(new_)))

#endif
