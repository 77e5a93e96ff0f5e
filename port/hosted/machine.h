/* SPDX-License-Identifier: MIT */
/* What the hosted port's files share. */
#ifndef PORT_HOSTED_MACHINE_H
#define PORT_HOSTED_MACHINE_H

#include <octavo/errno.h>
#include <octavo/port.h>
#include <octavo/types.h>

#include "hosted.h"
#include "stack.h"

/* arena.c: the machine's RAM */
int arena_create(struct bootinfo *info, const struct hosted_options *options);
void arena_destroy(void);
struct arena_copy;
struct arena_copy *arena_save(void);
void arena_restore(const struct arena_copy *copy);
void arena_copy_free(struct arena_copy *copy);

/* The file behind the RAM, and where in it a physical address is; false: neither RAM nor a device is there. */
int arena_fd(void);
bool arena_offset(u64 phys, u64 *offset);
/* Inside one page: to or from RAM or a device, past all mappings. Elsewhere reads give ones and writes are lost. */
void arena_bytes(u64 phys, char *bytes, size_t size, bool write);
/* The physical address behind a pointer into the direct map; false: it is none. */
bool arena_direct_phys(const void *p, u64 *phys);
/* What the process may do with RAM in a stretch of it, but for pages that KFENCE shut. */
void arena_direct_rights(u64 phys, u64 bytes, int prot);
/* The range of RAM in it of this number, from 0; false: there is none. */
bool arena_direct_range(unsigned int number, u64 *start, u64 *bytes);

/* window.c: where pointers into vmalloc, pkmap and fixmap lie */
int window_create(struct bootinfo *info, const struct hosted_options *options);
bool window_has(const void *p);
/* Shows the frame at @phys at the page of @p, whose address is @virt. */
void window_show(const void *p, u64 virt, u64 phys, int prot);
/* Shuts what was shown of [@virt, @virt + @size). */
void window_hide(u64 virt, u64 size);
void window_hide_all(void);
/* The MMUs of a machine: its format and what it has, filled into @info. */
void mmus_create(struct bootinfo *info, const struct hosted_options *options);

/* fault.c: SIGSEGV as the page fault */
void faults_catch(void);
void faults_forget(void);

/* guard.c: pages that are shut; save and restore for snapshots. Restoring NULL opens all. */
struct guard_copy;
void guard_register(void);
struct guard_copy *guard_save(void);
/* The pool's physical addresses; false: none was made. Is a page of it shut? */
bool guard_pool(u64 *start, u64 *bytes);
bool guard_is_shut(const void *page);
void guard_restore(const struct guard_copy *copy);

/* cpu.c */
#define HOSTED_KMAP_MAX 16
void cpus_create(unsigned int n);
void cpus_destroy(void);
/* Opens this CPU's next window: its number among all windows of all CPUs; close returns the latest opened. */
unsigned int cpu_window_open(void);
unsigned int cpu_window_close(void);
unsigned int cpus_nr(void);
/* The running thread is a CPU. */
bool cpu_entered(void);
/* Stack of the running thread or coroutine. */
void cpu_stack_bounds(uintptr_t *low, uintptr_t *high);

/* console.c */
__printf(1, 2) void hosted_log(const char *fmt, ...);
extern bool console_muted;
/* Return addresses of the frames from @frame outward. */
unsigned int backtrace_from(uintptr_t frame, uintptr_t *pc, unsigned int max);
void clock_random_reset(const struct hosted_options *options);
extern enum hosted_mode hosted_mode_now;

/* cpu.c for sched.c: a coroutine's life as a CPU, in this order; all but the last two pairs on that CPU */
void cpu_coroutine_enter(unsigned int id);
void cpu_coroutine_begin(void);
void cpu_coroutine_idle(void);
void cpu_coroutine_end(void);
void cpu_coroutine_gone(unsigned int id);
void cpu_coroutines_abandon(unsigned int n);
bool cpu_masked(void);
void cpu_interrupt_here(void (*fn)(void *arg), void *arg);

/* cpu.c for thread.c: port_irq_restore() without a turn of another thread; a CPU that waits, and is woken */
void cpu_unmask(unsigned long flags);
bool cpu_is_running(unsigned int id);
void cpu_wait(u64 timeout_ns);
void cpu_wait_for_work(u64 wake_at);
void cpu_wake_up(unsigned int id);

/* thread.c: threads of the core's own */
void threads_reset(bool want);
void threads_open(bool yes);
bool threads_exist(void);
bool threads_turn(void);
u64 threads_next_wake(void);
void threads_relaxed(void);
void threads_preempt(void);
void threads_user_return(void);
void threads_leave_cpu(void);
bool thread_stack_bounds(uintptr_t *low, uintptr_t *high);

/* sched.c */
void sched_stack_bounds(uintptr_t *low, uintptr_t *high);
bool sched_running(void);
void sched_relax(void);
u64 sched_clock_ns(void);
void sched_park(u64 timeout_ns);
void sched_unpark(unsigned int cpu);
void sched_clock_pass(u64 ns);
/* What the CPU that runs is on, before @fiber, if it is not NULL, becomes that. */
struct fiber *sched_fiber(struct fiber *fiber);
bool sched_draw(unsigned int one_in);

#endif
