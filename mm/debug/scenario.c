// SPDX-License-Identifier: MIT
/*
 * Scenarios for a machine under pressure: the monitor's hog, churn and filecache, and the tour's last chapter.
 *
 * One process has more memory than the machine and touches it. Each page's words say which page it is and how often it
 * was written, so that each read verifies; a count a page of how often that was is kept beside.
 *
 * hog: writes all pages once, then reads and writes them at random.
 * churn: a part of them that moves on is used much, all others seldom, and some of it is given back (munmap, mmap).
 * filecache: reads and writes a shared mapping of shared memory instead: the pages of a file.
 */
#include "scenario.h"

#include <octavo/mman.h>
#include <octavo/port.h>
#include <octavo/slab.h>
#include <octavo/uaccess.h>
#include <octavo/vmalloc.h>

#include "../base/string.h"
#include "../pgtable/mm.h"
#include "../sync/atomic.h"
#include "../vm/task.h"

#define WORDS (PAGE_SIZE / sizeof(u64))

static u64 next_random(struct scenario *s)
{
	/* xorshift64* (Vigna 2016) */
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 0x2545f4914f6cdd1dull;
}

/* ---- The process ---- */

void scenario_run(struct scenario *s)
{
	unsigned long flags = port_irq_save();

	s->before = current_task();
	octavo_switch_task(&s->task);
	port_irq_restore(flags);
}

void scenario_rest(struct scenario *s)
{
	unsigned long flags = port_irq_save();

	octavo_switch_task(s->before);
	port_irq_restore(flags);
}

static uintptr_t map(const struct scenario *s)
{
	bool shared = s->kind == SCENARIO_FILECACHE;
	long at = ksys_mmap(0, (size_t)s->pages << PAGE_SHIFT, PROT_READ | PROT_WRITE,
			    (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);

	return at < 0 && at > -4096 ? 0 : (uintptr_t)at;
}

bool scenario_process(struct mm_process *process, struct mm_task *task, const char *name, int pid)
{
	struct mm_struct *mm;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		process->rlimit[i] = (struct mm_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	process->personality = PERSONALITY_ADDR_NO_RANDOMIZE;
	task->process = process;
	task->pid = task->tgid = pid;
	strscpy(task->comm, name, sizeof(task->comm));
	mm = mm_create(process, 0);
	if (!mm)
		return false;
	(void)octavo_task_mm(task, mm);
	mm_pick_mmap_base(mm, process);
	return true;
}

int scenario_begin(struct scenario *s, enum scenario_kind kind, const char *name, int pid, unsigned long pages)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->pages = pages;
	s->random = 0x9e3779b97f4a7c15ull + (u64)pid;
	s->version = vzalloc(pages * sizeof(*s->version));
	if (!s->version)
		return -ENOMEM;
	if (!scenario_process(&s->process, &s->task, name, pid)) {
		vfree(s->version);
		return -ENOMEM;
	}
	octavo_task_add(&s->task);
	scenario_run(s);
	s->at = map(s);
	scenario_rest(s);
	if (s->at)
		return 0;
	scenario_end(s);
	return -ENOMEM;
}

void scenario_end(struct scenario *s)
{
	octavo_task_remove(&s->task);
	if (s->task.mm)
		mmput(octavo_task_mm(&s->task, NULL));
	vfree(s->version);
	s->version = NULL;
}

bool scenario_killed(const struct scenario *s)
{
	return load_relaxed(&s->task.fatal_signal) != 0;
}

/* ---- Pages ---- */

static u64 word_of(unsigned long page, u8 version, unsigned int i)
{
	/* from word to word different, and not to be guessed from a neighbour's */
	return ((u64)page << 24 | (u64)version << 16 | i) * 0x9e3779b97f4a7c15ull;
}

static bool read_page(struct scenario *s, unsigned long page)
{
	uintptr_t at = s->at + (page << PAGE_SHIFT);
	u64 words[64];
	bool good = true;

	if (!s->version[page])
		return true;
	for (unsigned int i = 0; i < WORDS; i += ARRAY_SIZE(words)) {
		if (copy_from_user(words, at + i * sizeof(u64), sizeof(words))) {
			s->refused++;
			return false;
		}
		for (unsigned int k = 0; k < ARRAY_SIZE(words); k++)
			good &= words[k] == word_of(page, s->version[page], s->easy ? (i + k) % 16 : i + k);
	}
	s->verified++;
	s->bad += !good;
	return true;
}

static bool write_page(struct scenario *s, unsigned long page)
{
	uintptr_t at = s->at + (page << PAGE_SHIFT);
	u8 version = s->version[page] == 255 ? 1 : (u8)(s->version[page] + 1);
	u64 words[64];

	for (unsigned int i = 0; i < WORDS; i += ARRAY_SIZE(words)) {
		for (unsigned int k = 0; k < ARRAY_SIZE(words); k++)
			words[k] = word_of(page, version, s->easy ? (i + k) % 16 : i + k);
		if (copy_to_user(at + i * sizeof(u64), words, sizeof(words))) {
			s->refused++;
			return false;
		}
	}
	s->version[page] = version;
	s->written++;
	return true;
}

/* Gives a stretch back and takes it anew: its pages are zero again, and unwritten. */
static void renew(struct scenario *s, unsigned long page)
{
	unsigned long nr = min(s->pages - page, 64ul);
	uintptr_t at = s->at + (page << PAGE_SHIFT);

	if (ksys_munmap(at, (size_t)nr << PAGE_SHIFT))
		return;
	if (ksys_mmap(at, (size_t)nr << PAGE_SHIFT, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, NULL, 0) != (long)at)
		s->refused++;
	memset(s->version + page, 0, nr);
}

static unsigned long choose(struct scenario *s)
{
	u64 r = next_random(s);
	unsigned long window = max(s->pages / 16, 1ul);

	if (s->kind == SCENARIO_HOG || !(r & 7))
		return (unsigned long)(r >> 16) % s->pages;
	/* a sixteenth, which moves on by a page each sixteenth step */
	return ((unsigned long)(s->steps / 16) + (unsigned long)(r >> 16) % window) % s->pages;
}

bool scenario_step(struct scenario *s)
{
	unsigned long page = s->filled < s->pages ? s->filled : choose(s);
	bool done;

	if (s->filled < s->pages) {
		s->filled++;
		return write_page(s, page);
	}
	s->steps++;
	if (s->kind == SCENARIO_CHURN && !(s->steps % 1024)) {
		renew(s, page);
		return true;
	}
	done = read_page(s, page);
	return done && (next_random(s) & 1 ? write_page(s, page) : true);
}

bool scenario_verify(struct scenario *s)
{
	for (unsigned long page = 0; page < s->filled; page++)
		if (!read_page(s, page))
			return false;
	return !s->bad;
}
