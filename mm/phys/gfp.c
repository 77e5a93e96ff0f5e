// SPDX-License-Identifier: MIT
/*
 * GFP masks as text, and thread scopes (PF_MEMALLOC and its kind).
 *
 * A thread in a scope has a slot in a table, found by hashing port_thread_self() and probing; a thread in none
 * has no slot, so the table is as large as the number of threads in scopes at one time. If it is full, the
 * scope goes to a word that holds for every thread: stricter than asked for others, never laxer for NOFS and
 * NOIO. PF_MEMALLOC, which grants reserves, then grants them to all for as long.
 */
#include "gfp.h"

#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/cpu.h"
#include "page_alloc.h"

/* ---- Text ---- */

static const struct {
	gfp_t mask;
	const char *name;
} gfp_names[] = {
	{ GFP_TRANSHUGE, "GFP_TRANSHUGE" },
	{ GFP_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT" },
	{ GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE" },
	{ GFP_HIGHUSER, "GFP_HIGHUSER" },
	{ GFP_USER, "GFP_USER" },
	{ GFP_KERNEL_ACCOUNT, "GFP_KERNEL_ACCOUNT" },
	{ GFP_KERNEL, "GFP_KERNEL" },
	{ GFP_NOFS, "GFP_NOFS" },
	{ GFP_ATOMIC, "GFP_ATOMIC" },
	{ GFP_NOIO, "GFP_NOIO" },
	{ GFP_NOWAIT, "GFP_NOWAIT" },
	{ GFP_DMA, "GFP_DMA" },
	{ __GFP_HIGHMEM, "__GFP_HIGHMEM" },
	{ GFP_DMA32, "GFP_DMA32" },
	{ __GFP_HIGH, "__GFP_HIGH" },
	{ __GFP_IO, "__GFP_IO" },
	{ __GFP_FS, "__GFP_FS" },
	{ __GFP_NOWARN, "__GFP_NOWARN" },
	{ __GFP_RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL" },
	{ __GFP_NOFAIL, "__GFP_NOFAIL" },
	{ __GFP_NORETRY, "__GFP_NORETRY" },
	{ __GFP_COMP, "__GFP_COMP" },
	{ __GFP_ZERO, "__GFP_ZERO" },
	{ __GFP_NOMEMALLOC, "__GFP_NOMEMALLOC" },
	{ __GFP_MEMALLOC, "__GFP_MEMALLOC" },
	{ __GFP_HARDWALL, "__GFP_HARDWALL" },
	{ __GFP_THISNODE, "__GFP_THISNODE" },
	{ __GFP_RECLAIMABLE, "__GFP_RECLAIMABLE" },
	{ __GFP_MOVABLE, "__GFP_MOVABLE" },
	{ __GFP_ACCOUNT, "__GFP_ACCOUNT" },
	{ __GFP_WRITE, "__GFP_WRITE" },
	{ __GFP_RECLAIM, "__GFP_RECLAIM" },
	{ __GFP_DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM" },
	{ __GFP_KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM" },
	{ __GFP_ZEROTAGS, "__GFP_ZEROTAGS" },
};

void gfp_flags_text(char *text, size_t size, gfp_t gfp)
{
	size_t len = 0;

	text[0] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(gfp_names) && gfp; i++) {
		if ((gfp & gfp_names[i].mask) != gfp_names[i].mask)
			continue;
		gfp &= ~gfp_names[i].mask;
		if (len < size)
			len += octavo_snprintf(text + len, size - len, "%s%s", gfp_names[i].name, gfp ? "|" : "");
	}
	if (gfp && len < size)
		octavo_snprintf(text + len, size - len, "0x%x", gfp);
}

const char *gfp_flags_name(unsigned int i, gfp_t *mask)
{
	if (i >= ARRAY_SIZE(gfp_names))
		return NULL;
	*mask = gfp_names[i].mask;
	return gfp_names[i].name;
}

/* ---- Scopes ---- */

#define SCOPE_SLOTS 256u

static const struct task_ops *task_ops __memsys;
static struct {
	uintptr_t thread; /* (a) 0: free */
	u32 flags;	  /* its thread only */
} scopes[SCOPE_SLOTS] __memsys;
static unsigned int scopes_used __memsys; /* (a) slots taken: none, and nobody needs to look */
static unsigned int scopes_for_all __memsys; /* (a) flags of threads that found no slot */
static unsigned int scopes_for_all_nr[5] __memsys; /* (a) how many, by flag */

static const unsigned int scope_flag[5] = { PF_MEMALLOC, PF_MEMALLOC_NOFS, PF_MEMALLOC_NOIO, PF_MEMALLOC_PIN,
						PF_MEMSTALL };

void register_task_ops(const struct task_ops *ops)
{
	task_ops = ops;
}

static unsigned int scope_hash(uintptr_t thread)
{
	/* Knuth's multiplicative hash; the low bits of an address say little */
	return (unsigned int)((u32)(thread >> 4 ^ thread) * 2654435761u) % SCOPE_SLOTS;
}

/* The thread's slot; with @claim a free one if it has none. NULL: none. */
static u32 *scope_slot(uintptr_t thread, bool claim)
{
	unsigned int start = scope_hash(thread);

	/* slots are freed in any order, so a free one does not end the search */
	for (unsigned int i = 0; i < SCOPE_SLOTS; i++)
		if (load_relaxed(&scopes[(start + i) % SCOPE_SLOTS].thread) == thread)
			return &scopes[(start + i) % SCOPE_SLOTS].flags;
	for (unsigned int i = 0; claim && i < SCOPE_SLOTS; i++) {
		unsigned int slot = (start + i) % SCOPE_SLOTS;

		if (!load_relaxed(&scopes[slot].thread) && !atomic_cmpxchg(&scopes[slot].thread, 0, thread)) {
			atomic_fetch_add(&scopes_used, 1);
			return &scopes[slot].flags;
		}
	}
	return NULL;
}

unsigned int current_task_flags(void)
{
	unsigned int flags = load_relaxed(&scopes_for_all);
	u32 *slot;

	if (task_ops && task_ops->scope_flags)
		return *task_ops->scope_flags();
	if (likely(!load_relaxed(&scopes_used)))
		return flags;
	slot = scope_slot(port_thread_self(), false);
	return slot ? flags | *slot : flags;
}

static void scope_for_all(unsigned int flag, bool enter)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(scope_flag); i++) {
		if (scope_flag[i] != flag)
			continue;
		if (enter && atomic_fetch_add(&scopes_for_all_nr[i], 1) == 0)
			atomic_fetch_or(&scopes_for_all, flag);
		if (!enter && atomic_fetch_sub(&scopes_for_all_nr[i], 1) == 1)
			atomic_fetch_and(&scopes_for_all, ~flag);
	}
}

/* What scope_enter() returns besides the flag that was set before. */
#define SCOPE_WAS_FOR_ALL 1u

static unsigned int scope_enter(unsigned int flag)
{
	unsigned int *word = task_ops && task_ops->scope_flags ? task_ops->scope_flags() :
								 scope_slot(port_thread_self(), true);
	unsigned int was;

	/* stays, for such scopes are rare: from now on every allocation asks for the thread's */
	if (flag == PF_MEMALLOC_PIN && !(atomic_fetch_or(&alloc_hooks, HOOK_SCOPE) & HOOK_SCOPE))
		page_alloc_gate();
	if (!word) {
		scope_for_all(flag, true);
		return SCOPE_WAS_FOR_ALL;
	}
	was = *word & flag;
	*word |= flag;
	return was;
}

static void scope_leave(unsigned int flag, unsigned int was)
{
	uintptr_t thread = port_thread_self();
	unsigned int *word;

	if (was & SCOPE_WAS_FOR_ALL) {
		scope_for_all(flag, false);
		return;
	}
	if (task_ops && task_ops->scope_flags) {
		word = task_ops->scope_flags();
		*word = (*word & ~flag) | was;
		return;
	}
	word = scope_slot(thread, false);
	if (!word) {
		pr_err("memalloc scope 0x%x left by a thread that is in none\n", flag);
		return;
	}
	*word = (*word & ~flag) | was;
	if (*word)
		return;
	store_release(&container_of(word, __typeof__(scopes[0]), flags)->thread, (uintptr_t)0);
	atomic_fetch_sub(&scopes_used, 1);
}

unsigned int scope_memstall_save(void)
{
	return scope_enter(PF_MEMSTALL);
}

void scope_memstall_restore(unsigned int was)
{
	scope_leave(PF_MEMSTALL, was);
}

int task_nr_productive(void)
{
	return task_ops && task_ops->nr_productive ? (int)task_ops->nr_productive() : -1;
}

#define SCOPE(name, flag)                                \
	unsigned int memalloc_##name##_save(void)        \
	{                                                \
		return scope_enter(flag);                \
	}                                                \
	void memalloc_##name##_restore(unsigned int was) \
	{                                                \
		scope_leave(flag, was);                  \
	}

SCOPE(noreclaim, PF_MEMALLOC)
SCOPE(nofs, PF_MEMALLOC_NOFS)
SCOPE(noio, PF_MEMALLOC_NOIO)
SCOPE(pin, PF_MEMALLOC_PIN)

gfp_t current_gfp_context(gfp_t gfp)
{
	unsigned int flags = current_task_flags();

	if (likely(!(flags & (PF_MEMALLOC_NOFS | PF_MEMALLOC_NOIO | PF_MEMALLOC_PIN))))
		return gfp;
	if (flags & PF_MEMALLOC_NOIO)
		gfp &= ~(__GFP_IO | __GFP_FS);
	else if (flags & PF_MEMALLOC_NOFS)
		gfp &= ~__GFP_FS;
	if (flags & PF_MEMALLOC_PIN)
		gfp &= ~__GFP_MOVABLE;
	return gfp;
}

const char *current_task_name(char *buf, size_t size)
{
	if (task_ops && task_ops->name)
		return task_ops->name();
	octavo_snprintf(buf, size, "swapper/%u", smp_processor_id());
	return buf;
}

long current_task_pid(void)
{
	return task_ops && task_ops->pid ? task_ops->pid() : 0;
}

void print_current_task(void)
{
	const char *release = task_ops ? task_ops->release : NULL;
	char name[32];

	pr_warn("CPU: %u UID: %u PID: %ld Comm: %s%s%s\n", smp_processor_id(),
		task_ops && task_ops->uid ? task_ops->uid() : 0, current_task_pid(),
		current_task_name(name, sizeof(name)), release ? " Not tainted " : "", release ? release : "");
}

bool current_signal_pending(void)
{
	return task_ops && task_ops->signal_pending && task_ops->signal_pending();
}

bool task_can_kill(void)
{
	return task_ops && task_ops->kill;
}

void task_kill(struct mm_task *task)
{
	task_ops->kill(task);
}

const nodemask_t *task_mems_allowed(const struct mm_task *task)
{
	return task_ops && task_ops->mems_allowed ? task_ops->mems_allowed(task) : NULL;
}
