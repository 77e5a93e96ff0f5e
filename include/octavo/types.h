/* SPDX-License-Identifier: MIT */
/*
 * Basic types, attributes and limits that every public header may use.
 * Freestanding: needs only the compiler's own <stdint.h>, <stddef.h> and <stdbool.h>.
 */
#ifndef OCTAVO_TYPES_H
#define OCTAVO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* A physical address in bytes. 64 bits everywhere: i386 with PAE has 36, arm64 and x86-64 reach 52. */
typedef u64 phys_addr_t;

/* Allocation context and modifier bits: <octavo/gfp.h>. */
typedef u32 gfp_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE ((size_t)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

/* "No page frame": no machine has a frame of this number. */
#define PFN_NONE (~0ul)

#define PFN_UP(x) ((unsigned long)(((phys_addr_t)(x) + PAGE_SIZE - 1) >> PAGE_SHIFT))
#define PFN_DOWN(x) ((unsigned long)((phys_addr_t)(x) >> PAGE_SHIFT))
#define PFN_PHYS(x) ((phys_addr_t)(x) << PAGE_SHIFT)

#define NUMA_NO_NODE (-1)
#define MAX_NUMNODES 64
#define NR_CPUS 8192

#define __must_check __attribute__((warn_unused_result))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))

/* Marks what the library exports; everything else is compiled hidden and made local in liboctavo.a. */
#define OCTAVO_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define OCTAVO_BEGIN_DECLS extern "C" {
#define OCTAVO_END_DECLS }
#define octavo_static_assert(cond, msg) static_assert(cond, msg)
#else
#define OCTAVO_BEGIN_DECLS
#define OCTAVO_END_DECLS
#define octavo_static_assert(cond, msg) _Static_assert(cond, msg)
#endif

#endif
