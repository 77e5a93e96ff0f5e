// SPDX-License-Identifier: MIT
/* kmemleak: what /sys/kernel/debug/kmemleak shows, and what can be written there. */
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/stackdepot.h"
#include "kmemleak.h"

#define HEX_BYTES 32u
#define HEX_ROW 16u
#define TICKS_HZ 250u

/* What is shown of one object, taken while the lock was held: the text goes to someone who may call the core. */
struct lost {
	u64 start;
	size_t size, hex;
	unsigned long jiffies;
	u32 checksum, trace;
	s32 pid, min_count, count;
	u32 flags;
	char comm[16];
	u8 bytes[HEX_BYTES];
};

unsigned long leak_jiffies(u64 ns)
{
	return (unsigned long)(u32)(-300 * (s32)TICKS_HZ) + (unsigned long)(ns / (1000000000u / TICKS_HZ));
}

static UNCHECKED void copy_bytes(u8 *to, const u8 *from, size_t n)
{
	while (n--)
		*to++ = *(const volatile u8 *)from++;
}

static void copy_locked(struct lost *lost, const struct leak_object *object)
{
	*lost = (struct lost){ .start = object->start, .size = object->size, .checksum = object->checksum,
			       .trace = object->trace, .pid = object->pid, .min_count = object->min_count,
			       .count = object->count, .flags = object->flags,
			       .jiffies = leak_jiffies(object->born_ns) };
	memcpy(lost->comm, object->comm, sizeof(lost->comm));
	/* After kmemleak was stopped objects may have been freed unseen. */
	lost->hex = load_relaxed(&leak.enabled) ? min(object->size, (size_t)HEX_BYTES) : 0;
	copy_bytes(lost->bytes, (const u8 *)(uintptr_t)object->start, lost->hex);
}

/* ---- Showing ---- */

struct out {
	leak_emit_fn emit;
	void *ctx;
};

__printf(2, 3) static void say(const struct out *out, const char *fmt, ...)
{
	char text[256];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	out->emit(out->ctx, text, min(len, sizeof(text) - 1));
}

/* One row as Linux's hex dumps have it: bytes, then, from column 50 on, what is printable. */
static void show_row(const struct out *out, const u8 *bytes, size_t n)
{
	char text[4 + 3 * HEX_ROW + 1 + HEX_ROW + 2];
	size_t at = 4;

	memset(text, ' ', sizeof(text));
	for (size_t i = 0; i < n; i++, at += 3) {
		static const char digits[] = "0123456789abcdef";

		text[at] = digits[bytes[i] >> 4];
		text[at + 1] = digits[bytes[i] & 15];
	}
	at = 4 + 3 * HEX_ROW + 1;
	for (size_t i = 0; i < n; i++)
		text[at++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	text[at++] = '\n';
	out->emit(out->ctx, text, at);
}

static void show_lost(const struct out *out, const struct lost *lost)
{
	const uintptr_t *pc;
	unsigned int depth = stack_depot_fetch(lost->trace, &pc);
	char name[160];

	say(out, "unreferenced object 0x%08llx (size %zu):\n", (unsigned long long)lost->start, lost->size);
	say(out, "  comm \"%s\", pid %d, jiffies %lu\n", lost->comm, lost->pid, lost->jiffies);
	if (lost->hex)
		say(out, "  hex dump (first %zu bytes):\n", lost->hex);
	for (size_t at = 0; at < lost->hex; at += HEX_ROW)
		show_row(out, lost->bytes + at, min(lost->hex - at, (size_t)HEX_ROW));
	say(out, "  backtrace (crc %x):\n", lost->checksum);
	for (unsigned int i = 0; i < depth; i++) {
		port_symbol(pc[i], name, sizeof(name));
		say(out, "    [<%0*llx>] %s\n", (int)sizeof(uintptr_t) * 2, (unsigned long long)pc[i], name);
	}
}

/* The next that was reported and is still lost. */
static bool next_lost(u64 *cursor, struct lost *lost)
{
	const struct leak_object *object = NULL;
	unsigned long flags;
	bool found = false;

	do {
		spin_lock_irqsave(&leak.lock, flags);
		for (unsigned int i = 0; i < 64 && !found && (object = leak_from(LEAK_VIRT, *cursor)); i++) {
			*cursor = object->start + 1;
			found = object->flags & LEAK_REPORTED && leak_is_lost(object);
			if (found)
				copy_locked(lost, object);
		}
		spin_unlock_irqrestore(&leak.lock, flags);
	} while (object && !found);
	return found;
}

void leak_show(leak_emit_fn emit, void *ctx)
{
	struct out out = { emit, ctx };
	struct lost lost;
	u64 cursor = 0;

	mutex_lock(&leak.mutex);
	while (next_lost(&cursor, &lost)) {
		mutex_unlock(&leak.mutex);
		show_lost(&out, &lost);
		mutex_lock(&leak.mutex);
	}
	mutex_unlock(&leak.mutex);
}

/* ---- Commands ---- */

static int thread_start(void)
{
	u32 number = load_relaxed(&leak.thread);
	int err;

	if (!(number & 1))
		return 0;
	store_release(&leak.thread, ++number);
	err = port_thread_create(leak_thread, (void *)(uintptr_t)number, "kmemleak", NUMA_NO_NODE);
	if (err)
		store_release(&leak.thread, number + 1);
	return err;
}

static void thread_stop(void)
{
	if (!(load_relaxed(&leak.thread) & 1))
		store_release(&leak.thread, load_relaxed(&leak.thread) + 1);
}

/* Nothing that is known now is to be shown any more. */
static void clear(void)
{
	struct leak_object *object;
	unsigned long flags;
	u64 cursor = 0;

	do {
		spin_lock_irqsave(&leak.lock, flags);
		for (unsigned int i = 0; i < 64 && (object = leak_from(LEAK_VIRT, cursor)); i++) {
			cursor = object->start + 1;
			if (object->flags & LEAK_REPORTED && leak_is_lost(object))
				object->min_count = LEAK_GREY;
		}
		spin_unlock_irqrestore(&leak.lock, flags);
	} while (object);
	leak.found = false;
}

static int dump(const char *text)
{
	const struct leak_object *object;
	unsigned long flags;
	struct lost lost;
	bool overflow = false;
	u64 addr;

	if (!parse_u64(text, &addr, &overflow) || overflow)
		return -EINVAL;
	spin_lock_irqsave(&leak.lock, flags);
	object = leak_containing(LEAK_VIRT, addr);
	if (object)
		copy_locked(&lost, object);
	spin_unlock_irqrestore(&leak.lock, flags);
	if (!object) {
		pr_info("kmemleak: Unknown object at 0x%08llx\n", (unsigned long long)addr);
		return -EINVAL;
	}
	pr_info("kmemleak: Object 0x%08llx (size %zu):\n", (unsigned long long)lost.start, lost.size);
	pr_info("kmemleak:   comm \"%s\", pid %d, jiffies %lu\n", lost.comm, lost.pid, lost.jiffies);
	pr_info("kmemleak:   min_count = %d\n", lost.min_count);
	pr_info("kmemleak:   count = %d\n", lost.count);
	pr_info("kmemleak:   flags = 0x%x\n", lost.flags);
	pr_info("kmemleak:   checksum = %u\n", lost.checksum);
	pr_info("kmemleak:   backtrace:\n");
	stack_depot_print(lost.trace);
	return 0;
}

static int set_period(const char *text)
{
	bool overflow = false;
	u64 seconds;
	size_t len = parse_u64(text, &seconds, &overflow);

	if (!len || overflow || text[len] || seconds > ~(u64)0 / 1000000000u)
		return -EINVAL;
	thread_stop();
	leak.scan_wait_ns = seconds * 1000000000u;
	return seconds ? thread_start() : 0;
}

static void off(void)
{
	thread_stop();
	leak_stop();
	if (leak.found)
		pr_info("kmemleak: Kmemleak disabled without freeing internal data. Reclaim the memory with "
			"\"echo clear > /sys/kernel/debug/kmemleak\".\n");
	else
		leak_forget_all();
}

static bool begins(const char *text, const char *with, const char **rest)
{
	size_t len = strlen(with);

	*rest = text + len;
	return !strncmp(text, with, len);
}

static int command_on(const char *text)
{
	const char *rest;

	if (!strcmp(text, "off"))
		off();
	else if (!strcmp(text, "stack=on"))
		leak.stacks = true;
	else if (!strcmp(text, "stack=off"))
		leak.stacks = false;
	else if (!strcmp(text, "scan=on"))
		return thread_start();
	else if (!strcmp(text, "scan=off"))
		thread_stop();
	else if (begins(text, "scan=", &rest))
		return set_period(rest);
	else if (!strcmp(text, "scan"))
		leak_scan();
	else if (begins(text, "dump=", &rest))
		return dump(rest);
	else
		return -EINVAL;
	return 0;
}

int leak_command(const char *text)
{
	int err = 0;

	mutex_lock(&leak.mutex);
	if (!strcmp(text, "clear")) {
		if (load_relaxed(&leak.enabled))
			clear();
		else
			leak_forget_all();
		leak.found = false;
	} else if (!load_relaxed(&leak.enabled)) {
		err = -EPERM;
	} else {
		err = command_on(text);
	}
	mutex_unlock(&leak.mutex);
	return err;
}
