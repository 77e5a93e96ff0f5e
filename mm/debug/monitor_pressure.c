// SPDX-License-Identifier: MIT
/*
 * The monitor's commands for a machine under pressure: swapon, pressure, and the scenarios hog, churn and filecache
 * with a view of what memory is under: refreshed in place on a terminal, a line each half second elsewhere, JSON if
 * asked.
 */
#include <octavo/gfp.h>
#include <octavo/port.h>
#include <octavo/reclaim_hook.h>
#include <octavo/slab.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/gfp.h"
#include "../swap/swap.h"
#include "../vm/task.h"
#include "monitor_words.h"
#include "pressure.h"
#include "scenario.h"

#define PICTURE_NS 200000000ull
#define LINE_NS 500000000ull
/* Scenario steps between two looks at the clock. */
#define STRIDE 64u

/* ---- Who runs, for reports and the OOM killer, where no kernel has said so ---- */

static const char *name(void)
{
	const struct mm_task *me = current_task();

	return me && me->comm[0] ? me->comm : "monitor";
}

static long pid(void)
{
	const struct mm_task *me = current_task();

	return me ? me->pid : 0;
}

/* Whoever is to end is told by fatal_signal; nobody sleeps. */
static void kill(struct mm_task *task)
{
	(void)task;
}

static const struct task_ops ops = { .name = name, .pid = pid, .kill = kill };

void monitor_take_tasks(void)
{
	if (!task_can_kill())
		register_task_ops(&ops);
}

/* ---- swapon ---- */

static int make_swap(struct monitor *mon, u64 bytes)
{
	static unsigned int disks __memsys;
	struct bdev *bdev;
	char path[24];
	int err = -ENOMEM;

	if (mon->disk) {
		bdev = mon->disk(mon, bytes >> SECTOR_SHIFT, &err);
	} else {
		octavo_snprintf(path, sizeof(path), "ram%u", disks++);
		bdev = brd_create(path, bytes >> SECTOR_SHIFT, &err);
	}
	if (!bdev)
		return err;
	octavo_snprintf(path, sizeof(path), "/dev/%s", bdev->name);
	err = swap_make_header(bdev, (unsigned long)(bytes >> PAGE_SHIFT), "octavo");
	if (!err)
		err = swapon_bdev(bdev, path, 0);
	if (err && mon->disk)
		mon->disk_gone(mon, bdev);
	else if (err)
		brd_destroy(bdev);
	return err;
}

int cmd_swapon(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	const char *end;
	u64 bytes = word ? memparse(word, &end) : 0;
	int err;

	if (!word || *end || bytes < 16 * PAGE_SIZE || next_word(&args))
		return monitor_usage(mon, "swapon SIZE   (256M: on a new disk of that size)");
	err = make_swap(mon, bytes & ~(u64)(PAGE_SIZE - 1));
	if (err == -EMFILE)
		monitor_say(mon, "swapon: a machine has four disks at most\n");
	else if (err)
		monitor_failed(mon, "swapon", err);
	return err;
}

static bool is_json(const char *word)
{
	return !strcmp(word, "json") || !strcmp(word, "--json");
}

int cmd_pressure(struct monitor *mon, char *args)
{
	const char *word = next_word(&args);
	struct pressure now;

	if (word && (!is_json(word) || next_word(&args)))
		return monitor_usage(mon, "pressure [json]");
	pressure_read(&now);
	if (word)
		pressure_json(mon, &now, now.when);
	else
		pressure_draw(mon, &now, &now, "pressure", 0);
	return 0;
}

/* ---- Scenarios ---- */

struct show {
	struct monitor *mon;
	struct scenario *s;
	const char *what;
	u64 began, last, steps; /* how many there are to be */
	struct pressure before;
	bool json, picture, stopped;
};

static unsigned int done(const struct show *w)
{
	u64 all = w->s->pages + w->steps, at = w->s->filled + w->s->steps;

	return (unsigned int)(at * 1000 / (all ? all : 1));
}

static void show(struct show *w)
{
	struct pressure now;

	scenario_rest(w->s);
	pressure_read(&now);
	if (w->json) {
		pressure_json(w->mon, &now, w->began);
	} else if (w->picture) {
		w->stopped = w->mon->frame(w->mon, MONITOR_FRAME_NEXT);
		pressure_draw(w->mon, &w->before, &now, w->what, done(w));
	} else {
		pressure_line(w->mon, &w->before, &now, w->began);
	}
	w->before = now;
	w->last = now.when;
	scenario_run(w->s);
}

static void run(struct show *w)
{
	u64 interval = w->picture ? PICTURE_NS : LINE_NS;

	scenario_run(w->s);
	for (u64 i = 0; w->s->filled < w->s->pages || w->s->steps < w->steps; i++) {
		if (!scenario_step(w->s) && scenario_killed(w->s))
			break;
		if (!(i % STRIDE) && port_clock_ns() - w->last >= interval)
			show(w);
		if (w->stopped)
			break;
	}
	if (!scenario_killed(w->s) && !w->stopped)
		(void)scenario_verify(w->s);
	show(w);
	scenario_rest(w->s);
}

static void summary(struct show *w)
{
	const struct scenario *s = w->s;
	bool killed = scenario_killed(s);
	char text[2][SIZE_TEXT_MAX];

	if (w->json) {
		monitor_say(w->mon,
			    "{\"written\":%lu,\"verified\":%lu,\"bad\":%lu,\"refused\":%lu,\"killed\":%d}\n",
			    s->written, s->verified, s->bad, s->refused, killed);
		return;
	}
	monitor_say(w->mon, "%s: %s in a machine of %s: %lu pages written, %lu read, %lu of them wrong", w->what,
		    size_text((u64)s->pages << PAGE_SHIFT, text[0]),
		    size_text((u64)totalram_pages() << PAGE_SHIFT, text[1]), s->written, s->verified, s->bad);
	if (s->refused && !killed)
		monitor_say(w->mon, "; %lu accesses refused", s->refused);
	monitor_say(w->mon, "%s\n", killed ? "; killed for want of memory" : w->stopped ? "; stopped" : "");
}

static int play(struct monitor *mon, enum scenario_kind kind, const char *what, unsigned long pages, bool json)
{
	struct scenario *s = kzalloc(sizeof(*s), GFP_KERNEL);
	struct show w = { .mon = mon, .s = s, .what = what, .json = json, .picture = !json && mon->frame };
	int err = s ? scenario_begin(s, kind, what, 100, pages) : -ENOMEM;
	bool bad;

	if (err) {
		kfree(s);
		return monitor_failed(mon, what, err);
	}
	s->easy = true;
	w.steps = pages * 2;
	pressure_read(&w.before);
	w.began = w.last = w.before.when;
	if (w.picture)
		(void)mon->frame(mon, MONITOR_FRAME_BEGIN);
	run(&w);
	if (w.picture)
		(void)mon->frame(mon, MONITOR_FRAME_END);
	summary(&w);
	bad = s->bad || (s->refused && !scenario_killed(s));
	scenario_end(s);
	kfree(s);
	return bad ? -EIO : 0;
}

static int scenario(struct monitor *mon, char *args, enum scenario_kind kind, const char *what)
{
	u64 percent = kind == SCENARIO_FILECACHE ? 150 : 200;
	bool json = false;

	for (char *word = next_word(&args); word; word = next_word(&args)) {
		size_t len = strlen(word);

		if (is_json(word)) {
			json = true;
			continue;
		}
		if (len && word[len - 1] == '%')
			word[len - 1] = 0;
		if (!parse_number_word(word, 10000, &percent) || !percent) {
			monitor_say(mon, "%s [PERCENT] [json]   (of the machine's memory)\n", what);
			return -EINVAL;
		}
	}
	monitor_take_tasks();
	return play(mon, kind, what, (unsigned long)((u64)totalram_pages() * percent / 100), json);
}

int cmd_hog(struct monitor *mon, char *args)
{
	return scenario(mon, args, SCENARIO_HOG, "hog");
}

int cmd_churn(struct monitor *mon, char *args)
{
	return scenario(mon, args, SCENARIO_CHURN, "churn");
}

int cmd_filecache(struct monitor *mon, char *args)
{
	return scenario(mon, args, SCENARIO_FILECACHE, "filecache");
}
