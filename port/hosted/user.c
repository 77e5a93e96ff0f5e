// SPDX-License-Identifier: MIT
/*
 * Accesses to user memory: those of simulated user code, and the kernel's copies.
 *
 * Invariant US-I1: from the look into the TLB to the last byte of that page interrupts are off. A processor does not
 * take an interrupt in the middle of an instruction either: who flushes the translation on this CPU waits until the
 * access is through, and may then give the frame to somebody else.
 *
 * Other CPUs may store to the same frame at the same time, by the same right: words are moved by atomic instructions,
 * so that one is never seen torn, and the thread sanitizer knows that it is meant.
 */
#include <octavo/page.h>
#include <octavo/task.h>

#include "machine.h"
#include "mmu.h"
#include "user.h"

#define REPEAT_MAX 100000u
#define ESR_EC_SHIFT 26
#define ESR_EC_DATA_LOWER 0x24u

enum whose { OF_USER, OF_KERNEL };

/* ---- Bytes of a frame ---- */

#define MOVE(type)                                                                                             \
	do {                                                                                                   \
		type value;                                                                                    \
		if (write) {                                                                                   \
			__builtin_memcpy(&value, bytes, sizeof(value));                                        \
			__atomic_store_n((type *)(void *)at, value, __ATOMIC_RELAXED);                         \
		} else {                                                                                       \
			value = __atomic_load_n((type *)(void *)at, __ATOMIC_RELAXED);                         \
			__builtin_memcpy(bytes, &value, sizeof(value));                                        \
		}                                                                                              \
	} while (0)

/* The largest word that fits. Return: its bytes. */
static size_t move_word(char *at, char *bytes, size_t size, bool write)
{
	uintptr_t a = (uintptr_t)at;

	if (size >= sizeof(unsigned long) && !(a % sizeof(unsigned long))) {
		MOVE(unsigned long);
		return sizeof(unsigned long);
	}
	if (size >= 4 && !(a % 4)) {
		MOVE(u32);
		return 4;
	}
	if (size >= 2 && !(a % 2)) {
		MOVE(u16);
		return 2;
	}
	MOVE(u8);
	return 1;
}

/* Inside one page. */
static void move(u64 phys, char *bytes, size_t size, bool write)
{
	char *at = arena_phys(phys);

	if (!at) {
		arena_bytes(phys, bytes, size, write);
		return;
	}
	for (size_t done = 0; done < size;)
		done += move_word(at + done, bytes + done, size - done, write);
}

static bool exchange(u64 phys, uint64_t *old, uint64_t fresh, size_t size)
{
	void *at = arena_phys(phys);

	if (!at)
		return false;
	if (size == 4) {
		u32 was = (u32)*old;

		__atomic_compare_exchange_n((u32 *)at, &was, (u32)fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		*old = was;
	} else {
		unsigned long was = (unsigned long)*old;

		__atomic_compare_exchange_n((unsigned long *)at, &was, (unsigned long)fresh, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
		*old = was;
	}
	return true;
}

/*
 * One look at the tables on behalf of the thread that runs, interrupts off. PKRU is the thread's: a kernel would load
 * it when it switches to it, and on x86 it refuses the kernel's accesses to user memory as well.
 */
static bool translate(uintptr_t addr, enum mmu_access access, u64 *phys, struct mmu_fault *fault)
{
	unsigned int cpu = port_cpu_id();

	mmu_control(cpu)->pkru = current_task()->pkru;
	return mmu_translate(cpu, addr, access, true, phys, fault);
}

/* ---- Faults ---- */

/* The machine's words for an access of the kernel's: neither the error code nor the syndrome speaks of user mode. */
static void by_kernel(struct page_fault *fault)
{
	fault->flags = (fault->flags & ~PAGE_FAULT_USER) | PAGE_FAULT_UACCESS;
	if (MMU_FORMAT_BUILD != MMU_ARM64)
		fault->error &= ~(u64)PAGE_FAULT_USER;
	else if (fault->error >> ESR_EC_SHIFT == ESR_EC_DATA_LOWER)
		fault->error |= (u64)1 << ESR_EC_SHIFT;
}

/* Return: true: the access may be made again. */
static bool resolve(struct mmu_fault *fault, enum whose whose, unsigned int *tries)
{
	if (whose == OF_KERNEL)
		by_kernel(&fault->fault);
	if (handle_page_fault(&fault->fault))
		return false;
	if (whose == OF_USER)
		threads_user_return();
	/* A kernel would not go back to user mode with it. */
	if (whose == OF_USER && fatal_signal_pending(current_task()))
		return false;
	if (++*tries < REPEAT_MAX)
		return true;
	hosted_log("the access to %#lx (flags %#x) was refused %u times, and each time it was to be tried again",
		   (unsigned long)fault->fault.address, fault->fault.flags, *tries);
	port_panic("a user access is refused for ever");
}

static size_t access_bytes(uintptr_t virt, char *bytes, size_t size, enum mmu_access access, enum whose whose)
{
	unsigned int tries = 0;
	size_t done = 0;

	while (done < size) {
		uintptr_t at = virt + done;
		size_t part = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		struct mmu_fault fault;
		unsigned long flags;
		bool ok;
		u64 phys;

		part = part < size - done ? part : size - done;
		flags = port_irq_save();
		ok = translate(at, access, &phys, &fault);
		if (ok)
			move(phys, bytes + done, part, access == MMU_WRITE);
		port_irq_restore(flags);
		if (ok) {
			done += part;
			tries = 0;
		} else if (!resolve(&fault, whose, &tries)) {
			break;
		}
	}
	return done;
}

/* ---- User code ---- */

size_t hosted_user_read(uintptr_t addr, void *to, size_t len)
{
	return access_bytes(addr, to, len, MMU_READ, OF_USER);
}

size_t hosted_user_write(uintptr_t addr, const void *from, size_t len)
{
	return access_bytes(addr, (char *)(uintptr_t)from, len, MMU_WRITE, OF_USER);
}

size_t hosted_user_exec(uintptr_t addr, void *to, size_t len)
{
	return access_bytes(addr, to, len, MMU_EXEC, OF_USER);
}

size_t hosted_user_cmpxchg(uintptr_t addr, uint64_t *old, uint64_t fresh, size_t size)
{
	unsigned int tries = 0;

	if ((size != 4 && size != sizeof(unsigned long)) || addr % size)
		port_panic("hosted_user_cmpxchg: not an aligned word");
	for (;;) {
		struct mmu_fault fault;
		unsigned long flags = port_irq_save();
		u64 phys;
		bool ok = translate(addr, MMU_WRITE, &phys, &fault);

		if (ok && !exchange(phys, old, fresh, size))
			port_panic("hosted_user_cmpxchg: not RAM");
		port_irq_restore(flags);
		if (ok)
			return size;
		if (!resolve(&fault, OF_USER, &tries))
			return 0;
	}
}

/* ---- The core's copies ---- */

size_t port_copy_user(void *to, const void *from, size_t len, bool to_user)
{
	if (to_user)
		return len - access_bytes((uintptr_t)to, (char *)(uintptr_t)from, len, MMU_WRITE, OF_KERNEL);
	return len - access_bytes((uintptr_t)from, to, len, MMU_READ, OF_KERNEL);
}
