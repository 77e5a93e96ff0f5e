/* SPDX-License-Identifier: MIT */
/*
 * The hosted port's own interface: a machine in a process, for the command, the tests and the benches.
 *
 * There is one machine at a time, because the core's state is one linker section. It is booted, reset,
 * snapshotted and restored as often as one likes:
 *
 *	hosted_boot(&info, &(struct hosted_options){ .cpus = 4 });
 *	hosted_run_cpus(4, work, NULL);
 *	hosted_reset();
 */
#ifndef PORT_HOSTED_H
#define PORT_HOSTED_H

#include <octavo/bootinfo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hosted_mode {
	HOSTED_THREADS,	   /* a CPU is a thread; the clock is the host's */
	HOSTED_COROUTINES, /* all CPUs on one thread, switched by the seed; the clock counts steps */
};

/**
 * struct hosted_options - how the machine is run; all zero is a fine default
 * @cpus: CPUs the machine has (0: those of the bootinfo, at least 1); missing ones are added to node 0's
 *        proximity domain round-robin over the domains that the bootinfo's own CPUs and memory name
 * @seed: of port_random() and of the coroutine scheduler (0: 1)
 * @mode: how hosted_run() runs CPUs
 * @lowmem_bytes: i386 machines: how much memory the direct map covers (0: 896 MiB); what lies above is
 *        reached with port_kmap_local() only
 * @populate: hand the vmemmap window over unmapped, so that the core must call vmemmap_populate()
 * @quiet: the boot log is not shown
 * @no_page_tables: the core makes none (bootinfo.page_tables)
 * @mmu_without: BOOT_MMU_* that the processors lack, of those the format in this build can have
 * @asids: address-space identifiers (0: 8, on i386 none, as there; -1: none)
 * @tlb_entries: of each processor's TLB (0: thousands, so that a flush that is missing shows). A translation that is in
 *        the TLB leaves no mark of its use in the page tables: a small machine that stands for a large one has few.
 * @strict_structure: flushing one page keeps ways to other tables cached (mmu.h)
 * @threads: the core may have threads of its own (thread.c); otherwise it does their work itself, when it is needed
 */
struct hosted_options {
	unsigned int cpus;
	uint64_t seed;
	enum hosted_mode mode;
	u64 lowmem_bytes;
	bool populate;
	bool quiet;
	bool no_page_tables;
	uint32_t mmu_without;
	int asids;
	unsigned int tlb_entries;
	bool strict_structure;
	bool threads;
};

/**
 * hosted_boot - make the machine that @info describes and boot it
 * @info: as the firmware would tell it; direct map, vmemmap window and CPUs are filled in here
 * @options: NULL: defaults
 * Implies hosted_reset(). The caller becomes CPU 0. Return: mm_init()'s result; -ENOMEM, after a line on
 * the console that says what did not fit, if the process has no room for the machine.
 */
int hosted_boot(const struct bootinfo *info, const struct hosted_options *options) __must_check;

/* The description that mm_init() was given: @info with everything filled in. */
const struct bootinfo *hosted_bootinfo(void);

/* The small machine that tests run on: 2 nodes, 4 CPUs, every zone its word size has. */
int hosted_boot_default(const struct hosted_options *options) __must_check;
const struct bootinfo *hosted_default_machine(void);

/* Back to before hosted_boot(): the core's state is pristine, the RAM is gone. Only CPU 0 may be running. */
void hosted_reset(void);

/*
 * The whole machine, core state and every page of RAM that was touched, as it is now; and back to it. Only CPU 0
 * may be running. A snapshot belongs to the boot it was taken in.
 */
struct hosted_snapshot;
struct hosted_snapshot *hosted_snapshot(void);
void hosted_restore(const struct hosted_snapshot *snapshot);
void hosted_snapshot_free(struct hosted_snapshot *snapshot);

/* Memory devices for hotplug: RAM appears at (or vanishes from) a range. Return: 0, -EINVAL, -EEXIST, -ENOMEM. */
int hosted_ram_add(phys_addr_t start, phys_addr_t size) __must_check;
int hosted_ram_remove(phys_addr_t start, phys_addr_t size) __must_check;

/*
 * A device's memory appears at a range where no RAM is: for ioremap(). It keeps what is written until the machine is
 * reset. Return: 0, -EINVAL, -EEXIST, -ENOMEM.
 */
int hosted_device_add(phys_addr_t start, phys_addr_t size) __must_check;

/*
 * Block device @device (0 to 3) is @sectors of 512 bytes at @memory, which are the caller's; NULL: there is none. It
 * outlives the machine. hosted_block_fail() has its next @count transfers fail with -EIO. Return: 0 or -EINVAL.
 */
int hosted_block_set(unsigned int device, void *memory, uint64_t sectors) __must_check;
void hosted_block_fail(unsigned int device, unsigned int count);

/*
 * A disk of the booted machine in the host's file @path (or a device of the host's), of whose size it is; for reading
 * only if it can only be read. It is the machine's alone while it is open: -EBUSY. Return: it, registered as @name;
 * NULL: *@error, the host's or bdev_register()'s; -EINVAL: no whole sector.
 */
struct bdev;
struct bdev *hosted_block_open(const char *path, const char *name, int *error);
/* @machine_is_there: it has not been reset since. */
void hosted_block_close(struct bdev *bdev, bool machine_is_there);

/* Bytes of the machine's RAM and of its vmemmap window that the host has really given. */
u64 hosted_resident_bytes(void);

/* ---- CPUs ---- */

/* From here on this thread is CPU @cpu of the machine. */
void hosted_enter_cpu(unsigned int cpu);

/**
 * hosted_run_cpus - bring CPUs 0 to @n - 1 online, run @fn on each at once, take them offline
 * CPU 0 is the caller. CPUs that have finished keep serving cross calls until the last has.
 * Return: 0, or a negative errno if a CPU could not be started.
 */
int hosted_run_cpus(unsigned int n, void (*fn)(unsigned int cpu, void *arg), void *arg) __must_check;

/* One CPU: start it with @fn, or wait for it to be done and take it offline. Threads only. */
int hosted_cpu_start(unsigned int cpu, void (*fn)(unsigned int cpu, void *arg), void *arg) __must_check;
void hosted_cpu_stop(unsigned int cpu);

/*
 * hosted_interrupt - an interrupt on @cpu: @fn runs there with interrupts off, wherever that CPU is, as soon
 * as port_irq_save() does not hold it back. Never waits. False: the CPU is not running, or has 16 pending.
 */
bool hosted_interrupt(unsigned int cpu, void (*fn)(void *arg), void *arg);

/* The core's threads of this CPU run until each of them waits for something. Only where none is running: in a test. */
void hosted_threads_settle(void);

/* port_cpu_call() is one of a port that has none: -ENOSYS. */
extern bool hosted_no_cpu_call;

/* ---- Faults ---- */

/**
 * struct hosted_trap - where an access was refused
 * @ip, @sp: registers; the hook may change them
 * @address: what was accessed, 0 if the host does not say (an address that is none)
 */
struct hosted_trap {
	uintptr_t ip, sp, address;
};

/*
 * Asked at each fault that is not served by a translation. Not @reported: does the access belong to the hook (which may
 * then correct @address)? @reported: handle_page_fault() declined, true: go on at @trap's ip and sp.
 */
extern bool (*hosted_fault_hook)(struct hosted_trap *trap, bool reported);

/* ---- Coroutines ---- */

/**
 * struct hosted_schedule - one seeded run
 * @seed: decides every switch; the same seed gives the same run
 * @interrupt, @interrupt_one_in: if not NULL, runs as an interrupt at about one scheduling point in that many
 * @max_steps: scheduling points after which the run counts as hung (0: 20 million)
 * @steps, @switches, @stuck: results; @stuck: no CPU could go on
 */
struct hosted_schedule {
	uint64_t seed;
	void (*interrupt)(void *arg);
	unsigned int interrupt_one_in;
	uint64_t max_steps;
	uint64_t steps, switches;
	bool stuck;
};

/**
 * hosted_run_coroutines - hosted_run_cpus() on one thread, each switch decided by the seed
 * Switches happen at port_cpu_relax(), which builds with SCHED=1 pass at each lock and atomic, and when an
 * interrupt mask is lifted. Return: 0; -EDEADLK after a report when nothing moves any more: then reset the machine.
 */
int hosted_run_coroutines(unsigned int n, void (*fn)(unsigned int cpu, void *arg), void *arg,
			  struct hosted_schedule *schedule) __must_check;

/* ---- Console ---- */

/* Takes console output if it returns true. */
extern bool (*hosted_console_hook)(const char *text, size_t len);

/* Called by port_panic() before it ends the process; may not return. */
extern void (*hosted_panic_hook)(const char *why);

#endif
