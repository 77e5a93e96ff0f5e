/* SPDX-License-Identifier: MIT */
/*
 * The port contract: every function the core needs from what it runs on, and what the port calls.
 *
 * Three tiers, adopted from the bottom up. Tier 0 (memory map, page allocator) must be implemented; for
 * tiers 1 and 2 the core carries weak defaults, named with each function. An option never changes a
 * prototype. docs/porting.md walks through a port; port/template/ is one that links and panics.
 *
 * Unless said otherwise a function may be called from any context, interrupts included, must not call back
 * into the core, must not sleep and must not allocate from the core.
 */
#ifndef OCTAVO_PORT_H
#define OCTAVO_PORT_H

#include <octavo/bootinfo.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* ---- Tier 0: memory map, page allocator, slab ---- */

/**
 * port_bootinfo - describe the machine
 * Called once, by mm_init(NULL), on the boot CPU before anything else. Return: never NULL.
 */
const struct bootinfo *port_bootinfo(void);

/**
 * port_cpu_id - the CPU this runs on, from 0
 * The caller does not migrate while it uses the answer: it runs with interrupts off or inside a per-CPU
 * section (see octavo_cpu_in_section()).
 */
unsigned int port_cpu_id(void);

/** port_cpu_relax - one turn of a spin loop (x86: PAUSE). A hosted port may yield to another CPU. */
void port_cpu_relax(void);

/**
 * port_irq_save - disable interrupts on this CPU
 * Return: what port_irq_restore() needs to put back the previous state. Nests.
 */
unsigned long port_irq_save(void);

/** port_irq_restore - put back the interrupt state that @flags, from port_irq_save(), stands for */
void port_irq_restore(unsigned long flags);

/**
 * port_console_write - put out a piece of the kernel log
 * @text: complete lines, not NUL terminated
 * @len: bytes
 * The core serialises calls. Interrupts may be off.
 */
void port_console_write(const char *text, size_t len);

/**
 * port_panic - the core cannot go on
 * @why: one line. The report is already on the console. Must not return.
 */
__attribute__((noreturn)) void port_panic(const char *why);

/* ---- Tier 1: page tables, vmalloc, kmap ---- */

/*
 * Address-space identifiers are a CPU's own: what one CPU loads with identifier 3 says nothing of another's 3.
 * PORT_ASID_KERNEL is that of the kernel's own page table, whose translations are global.
 */
#define PORT_ASID_KERNEL 0u
#define PORT_TLB_ASID (~(uintptr_t)0) /* not one page: all of an address space */

/**
 * port_pgd_load - make a page table current on this CPU @pgd: physical address of its root @asid: PORT_ASID_KERNEL,
 * or below bootinfo.asids. What the TLB holds with it stays and may be used at once. On machines with two roots
 * (arm64) PORT_ASID_KERNEL loads the kernel's and leaves the user half empty; all others load the user's. Context:
 * interrupts off. Weak default: panics.
 */
void port_pgd_load(phys_addr_t pgd, unsigned int asid);

/**
 * port_tlb_flush_page - forget, on this CPU, the translation of one page
 * @asid: whose; PORT_ASID_KERNEL: a global one, in every address space
 * @virt: any address in the page, which may be large; PORT_TLB_ASID: all translations that are not global of @asid
 * Whatever led to it in paging-structure caches goes, too. @asid need not be loaded. Weak default: nothing.
 */
void port_tlb_flush_page(unsigned int asid, uintptr_t virt);

/** port_tlb_flush_all - forget all translations on this CPU, global ones included. Weak default: nothing. */
void port_tlb_flush_all(void);

/**
 * port_cpu_call - run a function on other CPUs and wait until all have @cpu: CPU number, or PORT_CPU_OTHERS for every
 * other online CPU; one that is inside mm_cpu_online() counts, and serves
 *       the call once its interrupts are on
 * @fn: called there with interrupts off; NULL: each CPU only executes a full memory barrier
 * @arg: passed on
 *
 * Context: thread context, interrupts on, no spinlock held. Return: 0, or -ENOSYS when the port cannot
 * (the weak default), in which case the core does without: per-CPU caches of other CPUs are then drained
 * by their owners, at their next allocation or free.
 */
int port_cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg);
#define PORT_CPU_OTHERS (~0u)

/**
 * port_kmap_local - a virtual address for the contents of a page frame
 * @pfn: a frame of RAM that the direct map does not cover
 * The mapping is used by this CPU only and undone in reverse order; at most 16 are open at a time.
 * Never fails. Weak default: direct map.
 */
void *port_kmap_local(unsigned long pfn);

/** port_kunmap_local - undo the latest port_kmap_local(), which returned @virt. Weak default: nothing. */
void port_kunmap_local(void *virt);

/** port_icache_sync - make new instructions in [@virt, @virt + @len) visible to fetch. Weak default: nothing. */
void port_icache_sync(const void *virt, size_t len);

/* ---- Tier 2: processes, reclaim, swap ---- */

/**
 * port_thread_create - start a kernel thread (kswapd, khugepaged, flushers)
 * @name: shown by the port's tools
 * @node: where it should run, or NUMA_NO_NODE
 * Context: thread context; may sleep and allocate. Return: 0 or a negative errno. Weak default: -ENOSYS.
 */
int port_thread_create(void (*fn)(void *arg), void *arg, const char *name, int node);

/** port_thread_self - a value that identifies the running thread, never 0. Weak default: CPU number + 1. */
uintptr_t port_thread_self(void);

/**
 * port_park - sleep until port_unpark() for this thread, or until @timeout_ns have passed (0: no limit)
 * An unpark that came first makes the next park return at once. May return early; the caller checks its
 * condition again. A timeout below PORT_PARK_YIELD_NS is no wait: other threads that are ready go first, and an unpark
 * that came stays for the next park. Context: thread context, no spinlock held. Weak default: port_cpu_relax().
 */
void port_park(u64 timeout_ns);
#define PORT_PARK_YIELD_NS 1000u

/** port_unpark - wake @thread, from port_thread_self(). Any context. Weak default: nothing. */
void port_unpark(uintptr_t thread);

/** port_clock_ns - nanoseconds since boot, monotonic. Weak default: 0. */
u64 port_clock_ns(void);

/**
 * port_copy_user - copy between kernel and user memory, stopping at the first bad page
 * Return: bytes not copied. Weak default: copies nothing.
 */
size_t port_copy_user(void *to, const void *from, size_t len, bool to_user);

/** port_block_rw - read or write @count 512-byte sectors at @sector. May sleep. Weak default: -ENXIO. */
int port_block_rw(unsigned int device, u64 sector, void *buffer, unsigned int count, bool write);

/** port_random - 64 random bits; the hosted port's follow its seed. Weak default: a fixed sequence. */
u64 port_random(void);

/** port_ram_discard - the contents of these free frames will not be wanted. Weak default: nothing. */
void port_ram_discard(unsigned long pfn, unsigned long pages);

/**
 * port_backtrace - return addresses of the callers, innermost first
 * Return: how many of @max were stored in @pc. Weak default: 0.
 */
unsigned int port_backtrace(uintptr_t *pc, unsigned int max);

/**
 * port_symbol - the name of a place in the code, for reports
 * @pc: a return address: the function is the one that the byte before it belongs to
 * @text: "name+0xoffset/0xsize", offset and size in hexadecimal; what does not fit in @size bytes is cut
 * Weak default, and what a port writes for a place it has no name for: the address as 0x and hexadecimal digits.
 */
void port_symbol(uintptr_t pc, char *text, size_t size);

/* ---- What the port calls ---- */

#define PAGE_FAULT_PRESENT 1u	  /* a translation was there, and forbade it */
#define PAGE_FAULT_WRITE 2u
#define PAGE_FAULT_USER 4u	  /* user mode */
#define PAGE_FAULT_RESERVED 8u	  /* an entry has bits set that must not be */
#define PAGE_FAULT_EXEC 16u	  /* instruction fetch */
#define PAGE_FAULT_PKEY 32u	  /* a protection key forbids it */
#define PAGE_FAULT_NONCANONICAL 64u /* no page fault on the machine: an address that is none */
#define PAGE_FAULT_ACCESS_FLAG 128u /* arm64: only the access flag was missing */
#define PAGE_FAULT_UACCESS 256u	  /* the kernel's, of user memory, by an instruction with a fix-up: no report */

/**
 * struct page_fault - an access that the page tables refused
 * @address: virtual address, as the processor reports it
 * @flags: PAGE_FAULT_*. The first six are x86's error code (Intel SDM volume 3A section 4.7).
 * @error: the machine's own word for it: error code or ESR
 * @ip: address of the instruction, 0 if unknown
 * @stack, @depth: return addresses of its callers, innermost first, for the report
 */
struct page_fault {
	uintptr_t address;
	u32 flags;
	u64 error;
	uintptr_t ip;
	const uintptr_t *stack;
	unsigned int depth;
};

/**
 * handle_page_fault - what can be done about a fault
 * Context: on the CPU it happened on, interrupts as they were there; for a user address it may sleep if they are on.
 * Return: 0: try the instruction again; -EFAULT: it has no business there. Of user mode in an address space
 * current_task()->fault then says which signal the thread is to get (signo 0: it was killed meanwhile); of an
 * instruction with a fix-up (PAGE_FAULT_UACCESS) the fix-up is to be taken. In all other cases the report is on the
 * console: stop what ran, or panic.
 */
OCTAVO_API int __must_check handle_page_fault(const struct page_fault *fault);

/**
 * octavo_kernel_virt - the kernel address behind a pointer, as page tables, faults and reports have it
 * On bare metal the two are one; where bootinfo.kernel_window or @direct_map are elsewhere, they are not. A pointer
 * into no area of the kernel's is returned as it is. Context: any.
 */
OCTAVO_API uintptr_t octavo_kernel_virt(const void *p);

/**
 * mm_init - take the machine's memory into management
 * @info: the machine, or NULL to ask port_bootinfo()
 *
 * Context: boot CPU, once, interrupts off, before anything else of the core. On return the page allocator
 * is open on CPU 0. Return: 0; -EINVAL or -ENOMEM after a report on the console when the map cannot be
 * booted from (no usable RAM, none the core can reach for its own tables).
 */
OCTAVO_API int __must_check mm_init(const struct bootinfo *info);

/**
 * mm_free_initmem - give the kernel's init sections and the RAM disk back; the end of boot
 * Context: boot CPU, thread context, once.
 */
OCTAVO_API void mm_free_initmem(void);

/**
 * mm_cpu_online - a CPU joins
 * @cpu: its number, below the count the bootinfo allows; CPU 0 is online from mm_init() on
 * Context: on that CPU, interrupts off, before it uses the core. Return: 0 or -EINVAL.
 */
OCTAVO_API int __must_check mm_cpu_online(unsigned int cpu);

/**
 * mm_cpu_offline - a CPU leaves; its cached pages go back
 * It runs nothing of the core any more, on no page table but the kernel's. Context: on a CPU that stays.
 */
OCTAVO_API void mm_cpu_offline(unsigned int cpu);

/**
 * octavo_cpu_local - the word that %gs must point at on @cpu (x86-64 build with PORT_INLINE=gs)
 * Valid for CPU 0 before mm_init(), for the others after it.
 */
OCTAVO_API void *octavo_cpu_local(unsigned int cpu);

/**
 * octavo_cpu_in_section - is this CPU inside one of the core's per-CPU sections?
 * True as well inside rcu_read_lock() and preempt_disable(), whose counts belong to the CPU, not to the thread.
 * A port that preempts threads must not switch the CPU to another thread while this is true. Interrupt
 * handlers may run, and may allocate and free.
 */
OCTAVO_API bool octavo_cpu_in_section(void);

OCTAVO_END_DECLS
#endif
