// SPDX-License-Identifier: MIT
/* KFENCE's reports, in the form of Documentation/dev-tools/kfence.rst. */
#include "kfence.h"

#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/gfp.h"
#include "../phys/page_report.h"
#include "../phys/stackdepot.h"

#define STACK_MAX 24u
#define CANARIES_SHOWN 16u
#define RULE "=================================================================="

static void to_log(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

/* ---- Objects ---- */

static void print_stack(void (*put)(void *ctx, const char *line), void *ctx, u32 handle)
{
	const uintptr_t *pc;
	unsigned int depth = stack_depot_fetch(handle, &pc);
	char name[128], line[132];

	for (unsigned int i = 0; i < depth; i++) {
		port_symbol(pc[i], name, sizeof(name));
		octavo_snprintf(line, sizeof(line), " %s", name);
		put(ctx, line);
	}
	if (!depth)
		put(ctx, " (stack is not available)");
}

static void print_track(void (*put)(void *ctx, const char *line), void *ctx, const char *what,
			const struct kfence_track *track)
{
	u64 now = port_clock_ns(), ago = now > track->ns ? now - track->ns : 0;
	char line[128];

	octavo_snprintf(line, sizeof(line), "%s by task %ld on cpu %u at %llu.%06llus (%llu.%06llus ago):", what,
			track->pid, track->cpu, (unsigned long long)(track->ns / 1000000000),
			(unsigned long long)(track->ns / 1000 % 1000000), (unsigned long long)(ago / 1000000000),
			(unsigned long long)(ago / 1000 % 1000000));
	put(ctx, line);
	print_stack(put, ctx, track->stack);
}

void kfence_print_object(void (*put)(void *ctx, const char *line), void *ctx, const struct kfence_object *object)
{
	enum kfence_state state = READ_ONCE(object->state);
	unsigned int number = kfence_number(object);
	char line[160];

	if (state == KFENCE_OBJECT_UNUSED) {
		octavo_snprintf(line, sizeof(line), "kfence-#%u unused", number);
		put(ctx, line);
		return;
	}
	octavo_snprintf(line, sizeof(line), "kfence-#%u: %p-%p, size=%u, cache=%s", number, (void *)object->addr,
			(void *)(object->addr + object->size - 1), object->size, object->cache_name);
	put(ctx, line);
	put(ctx, "");
	print_track(put, ctx, "allocated", &object->allocated);
	if (state == KFENCE_OBJECT_ALLOCATED)
		return;
	put(ctx, "");
	print_track(put, ctx, state == KFENCE_OBJECT_FREED ? "freed" : "rcu freeing", &object->freed);
}

/* ---- Errors ---- */

/* The bytes from @addr on, to the object or the end of the page: "." as it should be, "!" not. */
static void canaries_text(char *text, size_t size, uintptr_t addr, const struct kfence_object *object)
{
	uintptr_t limit = addr < object->addr ? object->addr : ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE;
	uintptr_t end = min(addr + CANARIES_SHOWN, limit);
	size_t n = octavo_snprintf(text, size, "[");

	for (; addr < end && n + 4 < size; addr++)
		n += octavo_snprintf(text + n, size - n, *(const u8 *)addr == kfence_canary(addr) ? " ." : " !");
	octavo_snprintf(text + n, size - n, " ]");
}

static void title(enum kfence_error error, bool is_write, const char *where)
{
	static const char *const what[] = { "out-of-bounds", "use-after-free", "memory corruption", "invalid",
					    "invalid free" };
	bool access = error == KFENCE_ERROR_OOB || error == KFENCE_ERROR_UAF || error == KFENCE_ERROR_INVALID;

	pr_err("BUG: KFENCE: %s%s in %s\n\n", what[error], !access ? "" : is_write ? " write" : " read", where);
}

static void detail(enum kfence_error error, uintptr_t addr, bool is_write, const struct kfence_object *object,
		   const char *bytes)
{
	const char *access = is_write ? "write" : "read";
	unsigned int number = object ? kfence_number(object) : 0;
	char where[40] = "";
	bool left;

	if (object)
		octavo_snprintf(where, sizeof(where), " (in kfence-#%u)", number);
	switch (error) {
	case KFENCE_ERROR_OOB:
		left = addr < object->addr;
		pr_err("Out-of-bounds %s at %p (%luB %s of kfence-#%u):\n", access, (void *)addr,
		       (unsigned long)(left ? object->addr - addr : addr - object->addr), left ? "left" : "right",
		       number);
		break;
	case KFENCE_ERROR_UAF:
		pr_err("Use-after-free %s at %p%s:\n", access, (void *)addr, where);
		break;
	case KFENCE_ERROR_CORRUPTION:
		pr_err("Corrupted memory at %p %s%s:\n", (void *)addr, bytes, where);
		break;
	case KFENCE_ERROR_INVALID:
		pr_err("Invalid %s at %p:\n", access, (void *)addr);
		break;
	case KFENCE_ERROR_INVALID_FREE:
		pr_err("Invalid free of %p%s:\n", (void *)addr, where);
		break;
	}
}

void kfence_report(enum kfence_error error, uintptr_t addr, bool is_write, const struct kfence_object *object,
		   const uintptr_t *pc, unsigned int depth)
{
	char name[128] = "unknown code", bytes[2 * CANARIES_SHOWN + 8] = "";
	unsigned long flags;

	atomic_add_relaxed(&kfence.counters[KFENCE_BUGS], 1);
	atomic_add_relaxed(&heap.errors, 1);
	if (depth)
		port_symbol(pc[0], name, sizeof(name));
	/* With the lock held no page of the pool is touched: a fault there is reported under it. */
	if (error == KFENCE_ERROR_CORRUPTION)
		canaries_text(bytes, sizeof(bytes), addr, object);
	spin_lock_irqsave(&heap_report_lock, flags);
	pr_err(RULE "\n");
	title(error, is_write, name);
	/* An object that was never in use says nothing. */
	if (object && READ_ONCE(object->state) == KFENCE_OBJECT_UNUSED)
		object = NULL;
	detail(error, addr, is_write, object, bytes);
	stack_print(pc, depth);
	pr_err("\n");
	if (object) {
		kfence_print_object(to_log, NULL, object);
		pr_err("\n");
	}
	print_current_task();
	pr_err(RULE "\n");
	spin_unlock_irqrestore(&heap_report_lock, flags);
}

void kfence_report_here(enum kfence_error error, uintptr_t addr, const struct kfence_object *object, uintptr_t caller)
{
	uintptr_t pc[STACK_MAX];
	unsigned int depth = port_backtrace(pc, STACK_MAX), from = 0;

	while (caller && from < depth && pc[from] != caller)
		from++;
	if (from == depth) {
		/* A port without stacks, or a caller deeper than it tells: the caller alone. */
		pc[0] = caller;
		depth = caller != 0;
		from = 0;
	}
	kfence_report(error, addr, false, object, pc + from, depth - from);
}

bool kfence_wrong_cache(const struct kmem_cache *asked, const void *p)
{
	const struct kfence_object *object = kfence_object_at((uintptr_t)p);
	unsigned long flags;

	if (!object || READ_ONCE(object->state) != KFENCE_OBJECT_ALLOCATED || READ_ONCE(object->cache) == asked)
		return false;
	atomic_add_relaxed(&heap.errors, 1);
	spin_lock_irqsave(&heap_report_lock, flags);
	pr_err("cache_from_obj: Wrong slab cache. %s but object is from %s\n", asked->name, object->cache_name);
	kfence_print_object(to_log, NULL, object);
	dump_stack();
	spin_unlock_irqrestore(&heap_report_lock, flags);
	return true;
}
