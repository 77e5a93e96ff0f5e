// SPDX-License-Identifier: MIT
#include "process_model.h"

#include <octavo/page.h>
#include <octavo/port.h>
#include <octavo/slab.h>

#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "pageout.h"

/* Each region lies across the border of two last-level tables of every format. */
#define BORDER(n) (((uintptr_t)0x10000000 + (uintptr_t)(n) * 0x4000000) + ((uintptr_t)4 << 20))
#define REGION(n, pages) (BORDER(n) - (pages) / 2 * PAGE_SIZE)
#define SCALE (model.run.scale)
#define PRIVATE_PAGES (32u * SCALE)
#define SHARED_PAGES (16u * SCALE)
#define FILE_PAGES (PROCESS_MODEL_FILE_PAGES * SCALE)
#define PRIVATE_AT REGION(0, PRIVATE_PAGES)
#define SHARED_AT REGION(1, SHARED_PAGES)
#define FILE_AT REGION(2, FILE_PAGES)
#define COPY_AT REGION(3, FILE_PAGES) /* the file, privately */

/* Pages belong to threads in groups, private ones first, those of the private file mapping behind. */
#define FEW_PAGES 4u /* that change together */
#define GROUP_PAGES (FEW_PAGES * SCALE)
#define PRIVATE_GROUPS (PRIVATE_PAGES / GROUP_PAGES)
#define GROUPS (PRIVATE_GROUPS + FILE_PAGES / GROUP_PAGES)
#define OWN_PAGES (GROUPS * GROUP_PAGES)

#define HALF (PAGE_SIZE / 2)
#define TASKS 4u

/* What is in a page: each half is a pattern that its stamp gives; 0: zeros. */
struct halves {
	u32 stamp[2];
};

/* A page that several write. */
struct common {
	u32 lock;
	struct halves is;
};

struct own {
	struct halves is;
	bool mapped, read_only, locked;
	bool of_file; /* not copied yet: it shows the file */
	bool lazy;    /* MADV_FREE: what it was, or zeros */
};

struct lineage {
	u32 refs;
	struct common page[];
};

struct member {
	struct mm_process process;
	struct mm_struct *mm;
	u32 threads;
	struct lineage *shared;
	struct own own[];
};

struct thread {
	struct mm_task task;
	struct member *of;
	u32 groups; /* bit n: group n is its own */
};

static struct {
	struct process_run run;
	struct common *file;
	struct thread *inbox[PROCESS_MODEL_CPUS]; /* (a) */
	u32 stamps, pids;
	u32 failed;
	char why[200];
	struct process_counts counts;
} model __memsys;

struct process_counts process_run_counts(void)
{
	return model.counts;
}

__printf(1, 2) static void wrong(const char *fmt, ...)
{
	va_list args;

	if (atomic_fetch_add(&model.failed, 1))
		return;
	va_start(args, fmt);
	octavo_vsnprintf(model.why, sizeof(model.why), fmt, args);
	va_end(args);
}

static void lock(u32 *word)
{
	while (atomic_xchg(word, 1))
		port_cpu_relax();
}

static void unlock(u32 *word)
{
	store_release(word, 0);
}

static unsigned int below(u64 *chance, unsigned int n)
{
	return (unsigned int)((test_random(chance) >> 32) % n);
}

/* ---- Bytes ---- */

static void pattern(u8 *bytes, u32 stamp, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = stamp ? (u8)(stamp * 37 + (stamp >> 8) + i * (2 * stamp + 1) + (i >> 8)) : 0;
}

/* The half at @addr is of that stamp. False: it is not, or it cannot be read, which is wrong. */
static bool is_half(uintptr_t addr, u32 stamp, const char *what)
{
	u8 want[HALF], got[HALF];

	pattern(want, stamp, HALF);
	if (test_user_read(addr, got, HALF) == HALF)
		return !memcmp(got, want, HALF);
	wrong("%s: the load from %#lx is refused: signal %d, code %d", what, (unsigned long)addr,
	      current_task()->fault.signo, current_task()->fault.code);
	return false;
}

/* Each half of the page at @addr is as @is says. */
static void look(uintptr_t addr, const struct halves *is, const char *what)
{
	u8 want[HALF], got[HALF];

	atomic_add_relaxed(&model.counts.loads, 1);
	for (unsigned int h = 0; h < 2; h++) {
		pattern(want, is->stamp[h], HALF);
		if (test_user_read(addr + h * HALF, got, HALF) != HALF) {
			wrong("%s: the load from %#lx is refused: signal %d, code %d", what, (unsigned long)addr,
			      current_task()->fault.signo, current_task()->fault.code);
			return;
		}
		for (size_t i = 0; i < HALF; i++)
			if (got[i] != want[i]) {
				wrong("%s: process %d: %#lx holds %#x, not %#x (stamp %u)", what, current_task()->tgid,
				      (unsigned long)(addr + h * HALF + i), got[i], want[i], is->stamp[h]);
				return;
			}
	}
}

static void put(uintptr_t addr, struct halves *is, unsigned int h, const char *what)
{
	u32 stamp = atomic_fetch_add(&model.stamps, 1) + 1;
	u8 bytes[HALF];

	atomic_add_relaxed(&model.counts.stores, 1);
	pattern(bytes, stamp, HALF);
	if (test_user_write(addr + h * HALF, bytes, HALF) != HALF)
		wrong("%s: the store to %#lx is refused: signal %d, code %d", what, (unsigned long)addr,
		      current_task()->fault.signo, current_task()->fault.code);
	is->stamp[h] = stamp;
}

static void refused(uintptr_t addr, bool write, int code)
{
	struct mm_task *me = current_task();
	u8 byte = 1;
	size_t done;

	atomic_add_relaxed(&model.counts.refusals, 1);
	me->fault = (struct mm_signal){ 0 };
	done = write ? test_user_write(addr, &byte, 1) : test_user_read(addr, &byte, 1);
	if (done)
		wrong("a %s %#lx, which may not be, is let through", write ? "store to" : "load from",
		      (unsigned long)addr);
	else if (me->fault.signo && (me->fault.signo != 11 || me->fault.code != code))
		wrong("a %s %#lx ends in signal %d, code %d, not 11, %d", write ? "store to" : "load from",
		      (unsigned long)addr, me->fault.signo, me->fault.code, code);
}

/* ---- Pages of one thread ---- */

static uintptr_t own_addr(unsigned int n)
{
	return n < PRIVATE_PAGES ? PRIVATE_AT + n * PAGE_SIZE : COPY_AT + (n - PRIVATE_PAGES) * PAGE_SIZE;
}

/* One of the thread's own, or -1. */
static int own_page(struct thread *t, u64 *chance)
{
	unsigned int groups = model.run.file ? GROUPS : PRIVATE_GROUPS, from = below(chance, groups);

	for (unsigned int i = 0; i < groups; i++) {
		unsigned int group = (from + i) % groups;

		if (t->groups >> group & 1)
			return (int)(group * GROUP_PAGES + below(chance, GROUP_PAGES));
	}
	return -1;
}

static struct common *file_lock(unsigned int own)
{
	struct common *page = &model.file[own - PRIVATE_PAGES];

	lock(&page->lock);
	return page;
}

/*
 * What was given up is there as a whole or not at all, and what is written then stays. @but: the half that was; 2: none
 * was, and bytes that are still there may yet go.
 */
static void settle(struct own *o, unsigned int n, unsigned int but)
{
	bool gone = true;

	for (unsigned int h = 0; h < 2; h++)
		gone &= h == but || is_half(own_addr(n) + h * HALF, 0, "freed lazily");
	for (unsigned int h = 0; h < 2 && gone; h++)
		if (h != but)
			o->is.stamp[h] = 0;
	o->lazy = but == 2 && !gone;
}

static void own_look(struct own *o, unsigned int n)
{
	struct common *page = o->of_file ? file_lock(n) : NULL;

	if (o->lazy)
		settle(o, n, 2);
	/* It may still go, between two looks as well. */
	if (o->lazy) {
		for (unsigned int h = 0; h < 2; h++)
			if (!is_half(own_addr(n) + h * HALF, o->is.stamp[h], "freed lazily") &&
			    !is_half(own_addr(n) + h * HALF, 0, "freed lazily"))
				wrong("freed lazily: %#lx holds neither what it did nor zeros",
				      (unsigned long)(own_addr(n) + h * HALF));
		return;
	}
	look(own_addr(n), page ? &page->is : &o->is, page ? "private file" : "private");
	if (page)
		unlock(&page->lock);
}

static void own_put(struct own *o, unsigned int n, unsigned int h)
{
	struct common *page = o->of_file ? file_lock(n) : NULL;

	if (page)
		o->is = page->is;
	put(own_addr(n), &o->is, h, page ? "private file" : "private");
	o->of_file = false;
	if (o->lazy) {
		settle(o, n, h);
		look(own_addr(n), &o->is, "freed lazily and written to");
	}
	if (page)
		unlock(&page->lock);
}

static void own_fresh(struct own *o, unsigned int n)
{
	*o = (struct own){ .mapped = true, .of_file = n >= PRIVATE_PAGES };
}

static long map_own(unsigned int n, unsigned int pages)
{
	unsigned long flags = MAP_PRIVATE | MAP_FIXED | (n < PRIVATE_PAGES ? MAP_ANONYMOUS : 0);
	struct file *file = n < PRIVATE_PAGES ? NULL : model.run.file;
	u64 offset = n < PRIVATE_PAGES ? 0 : (u64)(n - PRIVATE_PAGES) * PAGE_SIZE;

	return ksys_mmap(own_addr(n), pages * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, file, offset);
}

static void access_own(struct thread *t, u64 *chance)
{
	int n = own_page(t, chance);
	struct own *o = &t->of->own[n];

	if (n < 0)
		return;
	if (!o->mapped && SCALE > 1) {
		if (map_own((unsigned int)n, 1) < 0)
			wrong("mmap of a page failed");
		own_fresh(o, (unsigned int)n);
	} else if (!o->mapped) {
		refused(own_addr((unsigned int)n), below(chance, 2), 1);
	} else if (below(chance, 2)) {
		own_look(o, (unsigned int)n);
	} else if (o->read_only) {
		refused(own_addr((unsigned int)n), true, 2);
	} else {
		own_put(o, (unsigned int)n, below(chance, 2));
	}
}

/* A few neighbours of one group, from @n on. */
static unsigned int few(u64 *chance, unsigned int n)
{
	return 1 + below(chance, min(GROUP_PAGES - n % GROUP_PAGES, FEW_PAGES));
}

/* The mappings of a few neighbours of one group change. */
static void change_own(struct thread *t, u64 *chance)
{
	int first = own_page(t, chance);
	unsigned int what = below(chance, 4), n = (unsigned int)first;
	unsigned int pages = few(chance, n);
	bool all = true, locked = false, read_only = below(chance, 2);
	size_t len = pages * PAGE_SIZE;
	long err;

	if (first < 0)
		return;
	for (unsigned int i = n; i < n + pages; i++)
		all &= t->of->own[i].mapped, locked |= t->of->own[i].locked;
	/* What is locked is not given up. */
	if (what == 3 && locked)
		return;
	if (what == 0)
		err = map_own(n, pages) < 0 ? -1 : 0;
	else if (what == 1)
		err = ksys_munmap(own_addr(n), len);
	else if (what == 2)
		err = all ? ksys_mprotect(own_addr(n), len, PROT_READ | (read_only ? 0u : PROT_WRITE)) : 0;
	else
		err = all ? ksys_madvise(own_addr(n), len, MADV_DONTNEED) : 0;
	if (err)
		wrong("change %u of %u pages at %#lx: %ld", what, pages, (unsigned long)own_addr(n), err);
	for (unsigned int i = n; i < n + pages && (all || what < 2); i++) {
		struct own *o = &t->of->own[i];
		bool was = o->read_only;

		if (what == 0 || what == 3)
			own_fresh(o, i);
		if (what == 1)
			o->mapped = false;
		o->read_only = what == 2 ? read_only : what == 3 && was;
	}
}

/* A private page goes elsewhere. */
static void move_own(struct thread *t, u64 *chance)
{
	int from = own_page(t, chance), to = own_page(t, chance);
	struct own *a = &t->of->own[from], *b = &t->of->own[to];
	long at;

	if (from < 0 || from == to || from >= (int)PRIVATE_PAGES || to >= (int)PRIVATE_PAGES || !a->mapped ||
	    a->locked)
		return;
	atomic_add_relaxed(&model.counts.moves, 1);
	at = ksys_mremap(own_addr((unsigned int)from), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 own_addr((unsigned int)to));
	if (at != (long)own_addr((unsigned int)to))
		wrong("mremap: %ld", at);
	*b = *a;
	a->mapped = false;
}

/*
 * Few are locked, as what is cannot go: the first two of a group. Those of the file would be copied when they are
 * locked, and what they are then only the lock of their page knows.
 */
static void lock_own(struct thread *t, unsigned int n)
{
	struct own *o = &t->of->own[n];
	long err;

	if (n >= PRIVATE_PAGES || n % GROUP_PAGES > 1)
		return;
	err = o->locked ? ksys_munlock(own_addr(n), PAGE_SIZE) : ksys_mlock(own_addr(n), PAGE_SIZE, 0);
	if (err)
		wrong("%s: %ld", o->locked ? "munlock" : "mlock", err);
	o->locked = !o->locked;
}

static void advise_own(struct thread *t, u64 *chance)
{
	static const int hints[] = { MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_SEQUENTIAL, MADV_NORMAL };
	int first = own_page(t, chance), hint = hints[below(chance, ARRAY_SIZE(hints))];
	unsigned int n = (unsigned int)first, pages;
	long err;

	if (first < 0)
		return;
	pages = few(chance, n);
	for (unsigned int i = n; i < n + pages; i++)
		if (!t->of->own[i].mapped || t->of->own[i].locked)
			return;
	if (hint == MADV_FREE && n >= PRIVATE_PAGES)
		hint = MADV_COLD;
	err = ksys_madvise(own_addr(n), pages * PAGE_SIZE, hint);
	if (err)
		wrong("madvise %d of %u pages at %#lx: %ld", hint, pages, (unsigned long)own_addr(n), err);
	for (unsigned int i = n; i < n + pages && hint == MADV_FREE; i++)
		t->of->own[i].lazy = true;
}

/* Of those that all share, which is never wrong and changes nothing. */
static void advise_others(u64 *chance)
{
	static const int hints[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	bool shared = below(chance, 2) || !model.run.file;
	unsigned int n = below(chance, (shared ? SHARED_PAGES : FILE_PAGES) - FEW_PAGES);
	int hint = hints[below(chance, ARRAY_SIZE(hints))];
	long err = ksys_madvise((shared ? SHARED_AT : FILE_AT) + n * PAGE_SIZE, FEW_PAGES * PAGE_SIZE, hint);

	if (err)
		wrong("madvise %d of %s: %ld", hint, shared ? "shared memory" : "a file", err);
}

static void advise(struct thread *t, u64 *chance)
{
	int first = own_page(t, chance);
	unsigned int what = below(chance, 4);

	atomic_add_relaxed(&model.counts.advices, 1);
	if (what == 0 && first >= 0 && t->of->own[first].mapped)
		lock_own(t, (unsigned int)first);
	else if (what == 1)
		advise_others(chance);
	else
		advise_own(t, chance);
}

/* ---- Pages of several ---- */

static void access_common(struct common *page, uintptr_t addr, u64 *chance, const char *what)
{
	lock(&page->lock);
	if (below(chance, 2))
		look(addr, &page->is, what);
	else
		put(addr, &page->is, below(chance, 2), what);
	unlock(&page->lock);
}

static void access_shared(struct thread *t, u64 *chance)
{
	unsigned int n = below(chance, SHARED_PAGES);

	if (!below(chance, 16)) {
		if (ksys_madvise(SHARED_AT + n * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED))
			wrong("madvise of shared memory failed");
	}
	access_common(&t->of->shared->page[n], SHARED_AT + n * PAGE_SIZE, chance, "shared");
}

static void access_file(struct thread *t, u64 *chance)
{
	unsigned int n = below(chance, FILE_PAGES);

	(void)t;
	if (model.run.file)
		access_common(&model.file[n], FILE_AT + n * PAGE_SIZE, chance, "file");
}

/* ---- Lives ---- */

static void lineage_put(struct lineage *l)
{
	if (!atomic_sub_fetch(&l->refs, 1))
		kvfree(l);
}

static struct member *member_alloc(void)
{
	return kvzalloc(sizeof(struct member) + OWN_PAGES * sizeof(struct own), GFP_KERNEL);
}

static struct thread *thread_make(struct member *m, u32 groups)
{
	struct thread *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->of = m;
	t->groups = groups;
	t->task.process = &m->process;
	t->task.pid = t->task.tgid = (s32)(atomic_fetch_add(&model.pids, 1) + 1);
	octavo_snprintf(t->task.comm, sizeof(t->task.comm), "model%d", t->task.pid);
	mmget(m->mm);
	octavo_task_mm(&t->task, m->mm);
	atomic_fetch_add(&m->threads, 1);
	return t;
}

static void thread_exit(struct thread *t)
{
	struct member *m = t->of;
	struct mm_struct *mm = octavo_task_mm(&t->task, NULL);

	atomic_add_relaxed(&model.counts.exits, 1);
	if (current_task() == &t->task)
		test_switch(NULL);
	mmput(mm);
	kfree(t);
	if (atomic_sub_fetch(&m->threads, 1))
		return;
	mmput(m->mm);
	lineage_put(m->shared);
	kvfree(m);
}

/* To a CPU that has no other news. False: all have. */
static bool send(struct thread *t, u64 *chance)
{
	unsigned int from = below(chance, model.run.cpus);

	for (unsigned int i = 0; i < model.run.cpus; i++)
		if (!atomic_cmpxchg(&model.inbox[(from + i) % model.run.cpus], NULL, t))
			return true;
	return false;
}

/* Pages whose owner is another thread of the parent are as unknown as that thread's next step: they become new. */
static void forget_others(struct thread *t, u32 known)
{
	unsigned int groups = model.run.file ? GROUPS : PRIVATE_GROUPS;

	test_switch(&t->task);
	for (unsigned int group = 0; group < groups; group++) {
		if (known >> group & 1)
			continue;
		if (map_own(group * GROUP_PAGES, GROUP_PAGES) < 0)
			wrong("mmap in a child failed");
		for (unsigned int i = 0; i < GROUP_PAGES; i++)
			own_fresh(&t->of->own[group * GROUP_PAGES + i], group * GROUP_PAGES + i);
	}
	test_switch(NULL);
}

static void fork_one(struct thread *parent, u64 *chance)
{
	struct member *m = member_alloc();
	struct thread *t;

	if (!m)
		return;
	m->process = parent->of->process;
	m->mm = mm_fork(parent->of->mm, &m->process);
	if (!m->mm) {
		wrong("mm_fork failed");
		kvfree(m);
		return;
	}
	atomic_add_relaxed(&model.counts.forks, 1);
	m->shared = parent->of->shared;
	atomic_fetch_add(&m->shared->refs, 1);
	for (unsigned int i = 0; i < OWN_PAGES; i++)
		if (parent->groups >> (i / GROUP_PAGES) & 1) {
			m->own[i] = parent->of->own[i];
			m->own[i].locked = false;
		}
	t = thread_make(m, ~0u);
	if (!t) {
		wrong("no memory for a thread");
		return;
	}
	forget_others(t, parent->groups);
	test_switch(&parent->task);
	if (!send(t, chance))
		thread_exit(t);
}

/* Half of the parent's groups go to a new thread. */
static void thread_one(struct thread *t, u64 *chance)
{
	u32 groups = t->groups & (below(chance, 2) ? 0x55555555u : 0xaaaaaaaau);
	struct thread *other;

	if (!groups || groups == t->groups)
		return;
	other = thread_make(t->of, groups);
	if (!other)
		return;
	if (!send(other, chance)) {
		thread_exit(other);
		return;
	}
	/* It may be at work already, on pages that are its own from when it was sent. */
	t->groups &= ~groups;
	atomic_add_relaxed(&model.counts.threads, 1);
}

/* Some of what a process has goes to swap, whosever it is. */
static void swap_some(struct thread *t, u64 *chance)
{
	const struct {
		uintptr_t at;
		unsigned int pages;
	} regions[] = { { PRIVATE_AT, PRIVATE_PAGES }, { SHARED_AT, SHARED_PAGES }, { FILE_AT, FILE_PAGES },
			{ COPY_AT, FILE_PAGES } };
	unsigned int n = below(chance, ARRAY_SIZE(regions)), first = below(chance, regions[n].pages);
	unsigned int pages = 1 + below(chance, regions[n].pages - first);

	atomic_add_relaxed(&model.counts.outs,
			   (u32)pageout_range(t->of->mm, regions[n].at + first * PAGE_SIZE, pages * PAGE_SIZE));
}

/* ---- The run ---- */

static struct thread *first_process(void)
{
	struct member *m = member_alloc();
	struct test_process like;
	struct thread *t;

	if (!m)
		return NULL;
	test_process_init(&like);
	m->process = like.process;
	m->shared = kvzalloc(sizeof(*m->shared) + SHARED_PAGES * sizeof(struct common), GFP_KERNEL);
	m->mm = mm_create(&m->process, 0);
	t = m->shared && m->mm ? thread_make(m, ~0u) : NULL;
	if (!t)
		return NULL;
	m->shared->refs = 1;
	test_switch(&t->task);
	if (!test_map(PRIVATE_AT, PRIVATE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED) ||
	    !test_map(SHARED_AT, SHARED_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED))
		wrong("mmap failed");
	if (model.run.file &&
	    (!test_map_file(FILE_AT, FILE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    model.run.file, 0) ||
	     !test_map_file(COPY_AT, FILE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
			    model.run.file, 0)))
		wrong("mmap of the file failed");
	for (unsigned int i = 0; i < OWN_PAGES; i++)
		own_fresh(&m->own[i], i);
	for (unsigned int i = 0; i < PRIVATE_PAGES && SCALE > 1; i++)
		own_put(&m->own[i], i, i & 1);
	test_switch(NULL);
	return t;
}

bool process_run_begin(const struct process_run *run)
{
	memset(&model, 0, sizeof(model));
	model.run = *run;
	SCALE = SCALE ?: 1;
	model.file = kvcalloc(FILE_PAGES, sizeof(*model.file), GFP_KERNEL);
	if (!model.file)
		return false;
	for (unsigned int i = 0; i < run->cpus; i++) {
		model.inbox[i] = first_process();
		if (!model.inbox[i])
			return false;
	}
	return true;
}

static void step(struct thread *t, u64 *chance)
{
	unsigned int what = below(chance, model.run.swap ? 72 : 64);

	if (model.run.advise && !below(chance, 16)) {
		advise(t, chance);
		return;
	}
	/* Large regions are to fill up. */
	if (what >= 50 && what < 60 && SCALE > 1 && below(chance, 4))
		what = 0;
	if (what < 30)
		access_own(t, chance);
	else if (what < 40)
		access_shared(t, chance);
	else if (what < 50)
		access_file(t, chance);
	else if (what < 57)
		change_own(t, chance);
	else if (what < 60)
		move_own(t, chance);
	else if (what < 62)
		fork_one(t, chance);
	else if (what < 63)
		thread_one(t, chance);
	else if (what >= 64)
		swap_some(t, chance);
}

void process_run_work(unsigned int cpu)
{
	struct thread *tasks[TASKS] = { NULL };
	u64 chance = model.run.seed * 1000 + cpu + 1;

	for (unsigned int i = 0; i < model.run.steps && !load_relaxed(&model.failed); i++) {
		unsigned int n = below(&chance, TASKS);

		if (!tasks[n] || !below(&chance, 96)) {
			struct thread *fresh = atomic_xchg(&model.inbox[cpu], NULL);

			/* The last one lives on, so that there is somebody. */
			if (tasks[n] && fresh)
				thread_exit(tasks[n]);
			tasks[n] = fresh ?: tasks[n];
		}
		if (!tasks[n])
			continue;
		if (current_task() != &tasks[n]->task)
			test_switch(&tasks[n]->task);
		for (unsigned int burst = 1 + below(&chance, 8); burst; burst--)
			step(tasks[n], &chance);
	}
	test_switch(NULL);
	for (unsigned int n = 0; n < TASKS; n++)
		if (tasks[n])
			thread_exit(tasks[n]);
}

const char *process_run_end(void)
{
	for (unsigned int i = 0; i < model.run.cpus; i++)
		if (model.inbox[i])
			thread_exit(model.inbox[i]);
	kvfree(model.file);
	return model.failed ? model.why : NULL;
}
