// SPDX-License-Identifier: MIT
/*
 * /proc/PID/oom_score, oom_score_adj and the older oom_adj: proc.rst and proc(5).
 *
 * Processes that share an address space have one adjustment: killing one kills all of them, so the protection of one
 * would be that of none.
 */
#include <octavo/errno.h>
#include <octavo/task.h>

#include "../base/printk.h"
#include "../phys/slowpath.h"
#include "../reclaim/oom.h"
#include "../sync/trace.h"
#include "pid.h"

/* oom_adj's scale: -17 is never, 15 likeliest. */
#define OOM_DISABLE (-17)
#define OOM_ADJUST_MAX 15

/*
 * What the process has, in thousandths of what there is, moved by the adjustment, and brought from [-1000, 2000] to
 * what the file has always shown: [0, 2000], an average process at 666.
 */
unsigned long octavo_pid_oom_score(struct mm_struct *mm, const struct mm_process *process)
{
	unsigned long total = totalram_pages(), swap = 0, swap_free;
	long points, score;

	if (show_mem_swap)
		show_mem_swap(&swap, &swap_free);
	total += swap;
	points = oom_points(mm, READ_ONCE(process->oom_score_adj), total);
	if (points == OOM_NEVER || !total)
		return 0;
	score = (1000 + (long)((s64)points * 1000 / (s64)total)) * 2 / 3;
	return score > 0 ? (unsigned long)score : 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The number in @text, with white space around it. False: none, or something behind it. */
static bool parse_number(const char *text, size_t len, long *value)
{
	char number[24];
	const char *s = number;
	bool negative, overflow;
	u64 magnitude;
	size_t digits;

	while (len && is_space(*text)) {
		text++;
		len--;
	}
	while (len && is_space(text[len - 1]))
		len--;
	if (!len || len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	negative = *s == '-';
	s += negative || *s == '+';
	digits = parse_u64(s, &magnitude, &overflow);
	if (!digits || s[digits] || overflow || magnitude > 1000000)
		return false;
	*value = negative ? -(long)magnitude : (long)magnitude;
	return true;
}

/* Context: task_list_lock(). The address space of @process. NULL: none. */
static struct mm_struct *mm_of(const struct mm_process *process)
{
	for_each_task(task)
		if (task->process == process && task->mm)
			return task->mm;
	return NULL;
}

static void set_sharers(const struct mm_process *process, s32 value, bool privileged)
{
	struct mm_struct *mm;

	task_list_lock();
	mm = mm_of(process);
	for_each_task(task) {
		struct mm_process *other = task->process;

		if (task->pid == task->tgid && (other == process || (mm && task->mm == mm)))
			trace_event(oom_score_adj_update, task->pid, trace_pointer(task->comm), value);
		if (!mm || task->mm != mm || other == process || task_unkillable(task) || READ_ONCE(task->in_vfork) ||
		    READ_ONCE(other->oom_score_adj) == value)
			continue;
		WRITE_ONCE(other->oom_score_adj, value);
		if (privileged)
			WRITE_ONCE(other->oom_score_adj_min, value);
	}
	task_list_unlock();
}

static void set_adj(struct mm_process *process, s32 value, bool privileged)
{
	WRITE_ONCE(process->oom_score_adj, value);
	if (privileged)
		WRITE_ONCE(process->oom_score_adj_min, value);
	set_sharers(process, value, privileged);
}

long octavo_pid_set_oom_score_adj(struct mm_process *process, const char *text, size_t len, bool may_lower)
{
	long value;

	if (!parse_number(text, len, &value) || value < OOM_SCORE_ADJ_MIN || value > OOM_SCORE_ADJ_MAX)
		return -EINVAL;
	if (value < READ_ONCE(process->oom_score_adj_min) && !may_lower)
		return -EACCES;
	set_adj(process, (s32)value, may_lower);
	return (long)len;
}

/* What was set by the other file is shown as near as the scale has it. */
int octavo_pid_oom_adj(const struct mm_process *process)
{
	s32 adj = READ_ONCE(process->oom_score_adj);

	if (adj == OOM_SCORE_ADJ_MAX)
		return OOM_ADJUST_MAX;
	return adj * -OOM_DISABLE / OOM_SCORE_ADJ_MAX;
}

long octavo_pid_set_oom_adj(struct mm_process *process, const char *text, size_t len, bool may_lower)
{
	long value;

	if (!parse_number(text, len, &value) || value < OOM_DISABLE || value > OOM_ADJUST_MAX)
		return -EINVAL;
	value = value == OOM_ADJUST_MAX ? OOM_SCORE_ADJ_MAX : value * OOM_SCORE_ADJ_MAX / -OOM_DISABLE;
	if (value < READ_ONCE(process->oom_score_adj) && !may_lower)
		return -EACCES;
	set_adj(process, (s32)value, may_lower);
	return (long)len;
}
