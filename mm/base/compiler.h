/* SPDX-License-Identifier: MIT */
/* What every source file of the core begins with: compiler helpers and small arithmetic. */
#ifndef MM_BASE_COMPILER_H
#define MM_BASE_COMPILER_H

#include <octavo/errno.h>
#include <octavo/types.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define force_inline inline __attribute__((always_inline))
#define noinline __attribute__((__noinline__))
#define __aligned(n) __attribute__((aligned(n)))
#define __weak __attribute__((weak))
#define __unused __attribute__((unused))
#define __cold __attribute__((cold, __noinline__))

/*
 * All mutable state of the core carries __memsys: one section, which a host can copy out, put back or
 * clear, and with the machine's RAM it is the machine. tools/tidy rejects mutable statics without it.
 */
#define __memsys __attribute__((section("memsys")))

#define barrier() __asm__ volatile("" : : : "memory")

/* Keep the compiler from working an address out twice. */
#define hide_var(x) __asm__("" : "+r"(x))

#ifdef __SANITIZE_THREAD__
/* The thread sanitizer takes volatile for a plain access. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#else
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define min(a, b)                               \
	({                                      \
		__typeof__(a) _min_a = (a);     \
		__typeof__(b) _min_b = (b);     \
		_min_a < _min_b ? _min_a : _min_b; \
	})
#define max(a, b)                               \
	({                                      \
		__typeof__(a) _max_a = (a);     \
		__typeof__(b) _max_b = (b);     \
		_max_a > _max_b ? _max_a : _max_b; \
	})
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)

#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define ALIGN(x, a) (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

/* Index of the lowest / highest set bit; the argument must not be 0. */
static inline unsigned int lowest_bit(u64 x)
{
	return (unsigned int)__builtin_ctzll(x);
}

static inline unsigned int highest_bit(u64 x)
{
	return 63u - (unsigned int)__builtin_clzll(x);
}

/* Set bits of a word. The core has no popcount instruction to count on, nor a library for it. */
static inline unsigned int count_bits(u64 w)
{
	w -= w >> 1 & 0x5555555555555555ull;
	w = (w & 0x3333333333333333ull) + (w >> 2 & 0x3333333333333333ull);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned int)(w * 0x0101010101010101ull >> 56);
}

/* The whole part of log2; 0 for 0. */
static inline unsigned int ilog2(u64 x)
{
	return x ? highest_bit(x) : 0;
}

static inline bool is_power_of_2(u64 x)
{
	return x && !(x & (x - 1));
}

static inline u64 roundup_pow_of_two(u64 x)
{
	return x <= 1 ? 1 : 2ull << highest_bit(x - 1);
}

static inline u64 rounddown_pow_of_two(u64 x)
{
	return x ? 1ull << highest_bit(x) : 0;
}

/* fls() as Linux defines it: 1-based index of the highest set bit, 0 for 0. */
static inline unsigned int fls64(u64 x)
{
	return x ? highest_bit(x) + 1 : 0;
}

#endif
