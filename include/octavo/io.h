/* SPDX-License-Identifier: MIT */
/*
 * Device memory: mapping it into the kernel's address space, and getting at it, as Linux 6.12 names it (<linux/io.h>;
 * Documentation/driver-api/device-io.rst).
 */
#ifndef OCTAVO_IO_H
#define OCTAVO_IO_H

#include <octavo/pgprot.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* Marks pointers that are to be used through the functions here only. */
#define __iomem

/* ---- Mapping ---- */

/**
 * ioremap - a pointer to @size bytes of device memory at physical address @phys, neither of which need be aligned
 * Not cached: on x86 UC-, so that an MTRR can make it write combining; on arm64 Device-nGnRE.
 *
 * Refused, with a line in the log: an empty range, or one that wraps around or lies beyond what page tables can
 * address; memory that the page allocator manages (what it was kept from is fine, if it is not cached otherwise in
 * the direct map); and a range of which part is mapped with another cache mode already, one that caches more than
 * what is asked for. Where the other mode caches less, the new mapping has that mode.
 *
 * Context: thread context, may sleep. Return: NULL after a report; undo with iounmap().
 */
OCTAVO_API void __iomem *__must_check ioremap(phys_addr_t phys, size_t size);

/** ioremap_uc - not cached, whatever an MTRR says */
OCTAVO_API void __iomem *__must_check ioremap_uc(phys_addr_t phys, size_t size);
/** ioremap_wc - writes may be combined: frame buffers */
OCTAVO_API void __iomem *__must_check ioremap_wc(phys_addr_t phys, size_t size);
/** ioremap_wt - reads are cached, writes go through */
OCTAVO_API void __iomem *__must_check ioremap_wt(phys_addr_t phys, size_t size);
/** ioremap_cache - cached like memory */
OCTAVO_API void __iomem *__must_check ioremap_cache(phys_addr_t phys, size_t size);
/** ioremap_np - not cached, and a write is over when the device has it (arm64); NULL where there is no such thing */
OCTAVO_API void __iomem *__must_check ioremap_np(phys_addr_t phys, size_t size);
/** ioremap_prot - with rights and cache mode as in @prot */
OCTAVO_API void __iomem *__must_check ioremap_prot(phys_addr_t phys, size_t size, pgprot_t prot);

/** iounmap - undo one of the above; any pointer into the first page will do. Thread context, may sleep. */
OCTAVO_API void iounmap(volatile void __iomem *addr);

/* For memremap(): tried in this order, the first that can be had. */
#define MEMREMAP_WB 1ul
#define MEMREMAP_WT 2ul
#define MEMREMAP_WC 4ul

/**
 * memremap - a pointer to memory that has no side effects when it is read: tables of the firmware, persistent memory
 * @flags: MEMREMAP_*, one or several
 * With MEMREMAP_WB what is memory already (and not high) is given by its address in the direct map. Other modes are
 * refused for it, and so is a range that is memory in part.
 * Context: as ioremap(). Return: NULL after a report; undo with memunmap().
 */
OCTAVO_API void *__must_check memremap(phys_addr_t phys, size_t size, unsigned long flags);
OCTAVO_API void memunmap(void *addr);

/* ---- Access ---- */

/*
 * One access of exactly that width, in program order with other accesses to devices. read*() and write*() are ordered
 * with accesses to memory, too: what was written to memory before is there when the device sees a write*(), and
 * memory is read after the value of a read*(). The _relaxed ones are not. Devices are little endian, as are all
 * machines here.
 */
#if defined(__aarch64__)
#define OCTAVO_IO_AFTER_READ() __asm__ volatile("dmb oshld" : : : "memory")
#define OCTAVO_IO_BEFORE_WRITE() __asm__ volatile("dmb oshst" : : : "memory")
#else
/* x86: uncached accesses pass no others (Intel SDM volume 3A section 8.2.2); it is the compiler that must not. */
#define OCTAVO_IO_AFTER_READ() __asm__ volatile("" : : : "memory")
#define OCTAVO_IO_BEFORE_WRITE() __asm__ volatile("" : : : "memory")
#endif

#define OCTAVO_IO_ACCESS(name, type)                                                       \
	static inline type read##name##_relaxed(const volatile void __iomem *addr)         \
	{                                                                                  \
		return *(const volatile type *)addr;                                       \
	}                                                                                  \
	static inline void write##name##_relaxed(type value, volatile void __iomem *addr)  \
	{                                                                                  \
		*(volatile type *)addr = value;                                            \
	}                                                                                  \
	static inline type read##name(const volatile void __iomem *addr)                   \
	{                                                                                  \
		type value = read##name##_relaxed(addr);                                   \
                                                                                           \
		OCTAVO_IO_AFTER_READ();                                                    \
		return value;                                                              \
	}                                                                                  \
	static inline void write##name(type value, volatile void __iomem *addr)            \
	{                                                                                  \
		OCTAVO_IO_BEFORE_WRITE();                                                  \
		write##name##_relaxed(value, addr);                                        \
	}

/** readb, readw, readl - read 1, 2, 4 bytes of a device; writeb, writew, writel - write them */
OCTAVO_IO_ACCESS(b, u8)
OCTAVO_IO_ACCESS(w, u16)
OCTAVO_IO_ACCESS(l, u32)

#if __SIZEOF_POINTER__ == 8
/** readq, writeq - 8 bytes: on 64-bit machines only; lo_hi_readq() and hi_lo_readq() and so on make two of 4 */
OCTAVO_IO_ACCESS(q, u64)
#endif

static inline u64 lo_hi_readq(const volatile void __iomem *addr)
{
	u32 low = readl(addr), high = readl((const volatile char *)addr + 4);

	return (u64)high << 32 | low;
}

static inline u64 hi_lo_readq(const volatile void __iomem *addr)
{
	u32 high = readl((const volatile char *)addr + 4), low = readl(addr);

	return (u64)high << 32 | low;
}

static inline void lo_hi_writeq(u64 value, volatile void __iomem *addr)
{
	writel((u32)value, addr);
	writel((u32)(value >> 32), (volatile char *)addr + 4);
}

static inline void hi_lo_writeq(u64 value, volatile void __iomem *addr)
{
	writel((u32)(value >> 32), (volatile char *)addr + 4);
	writel((u32)value, addr);
}

/**
 * memcpy_fromio, memcpy_toio, memset_io - many bytes, by words where the device's address is aligned
 * In no particular order among them.
 */
OCTAVO_API void memcpy_fromio(void *to, const volatile void __iomem *from, size_t size);
OCTAVO_API void memcpy_toio(volatile void __iomem *to, const void *from, size_t size);
OCTAVO_API void memset_io(volatile void __iomem *to, int value, size_t size);

OCTAVO_END_DECLS
#endif
