// SPDX-License-Identifier: MIT
/*
 * Core dumps: what a process was when a signal ended it, as an ELF file that debuggers read. core(5), elf(5).
 *
 * All threads stand still where they would go back to user mode, their registers on their kernel stacks: exit.c. Notes
 * come first (registers of each thread, the signal, the auxiliary vector, which files are mapped where), then the
 * memory of each mapping that MADV_DONTDUMP and /proc/PID/coredump_filter leave. Pages that nobody touched are holes.
 * Layout of the notes: struct elf_prstatus, elf_prpsinfo of <sys/procfs.h>.
 */
#include "coredump.h"

#include <octavo/proc_pid.h>

#include "elf.h"
#include "kfs.h"
#include "uts.h"

#define ET_CORE 4
#define PT_LOAD 1u
#define PT_NOTE 4u
#define NT_PRSTATUS 1u
#define NT_FPREGSET 2u
#define NT_PRPSINFO 3u
#define NT_AUXV 6u
#define NT_X86_XSTATE 0x202u
#define NT_SIGINFO 0x53494749u
#define NT_FILE 0x46494c45u
#define PAGE_THERE (3ull << 62) /* /proc/PID/pagemap: present or swapped */
#define LOADS_MAX 65530u

/* /proc/PID/coredump_filter: core(5) */
enum { DUMP_ANON_PRIVATE, DUMP_ANON_SHARED, DUMP_FILE_PRIVATE, DUMP_FILE_SHARED, DUMP_ELF_HEADERS };

char core_pattern[CORE_PATTERN_MAX] __memsys = "core";
unsigned int core_uses_pid __memsys;

struct elf_prstatus_k {
	s32 signo, code, error;
	s16 cursig, pad;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	struct k_timeval utime, stime, cutime, cstime;
	u64 regs[CORE_REGS];
	s32 fpvalid, pad2;
};
octavo_static_assert(sizeof(struct elf_prstatus_k) == 336, "struct elf_prstatus");

struct elf_prpsinfo_k {
	char state, sname, zombie, nice;
	u32 pad;
	u64 flag;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16], args[80];
};
octavo_static_assert(sizeof(struct elf_prpsinfo_k) == 136, "struct elf_prpsinfo");

/* A mapping. */
struct load {
	uintptr_t start, end;
	vm_flags_t flags;
	unsigned long pgoff;
	struct file *file;
	size_t size; /* of it in the file */
	bool sparse; /* what is not there is zeros */
};

struct dump {
	struct mm_struct *mm;
	const struct k_siginfo *info;
	struct load *load;
	unsigned int nr;
	struct ktext notes;
	char *page;	/* one, and a path */
	struct file *file;
	u64 pos, limit; /* RLIMIT_CORE */
};

/* ---- Mappings ---- */

/* How much of @vma is dumped. Context: mmap lock. */
static size_t wanted(const struct vm_area_struct *vma, u32 filter)
{
	const struct file *file = vma->vm_file;
	size_t all = vma->vm_end - vma->vm_start;
	unsigned int kind;

	if (vma->vm_flags & (VM_DONTDUMP | VM_IO))
		return 0;
	if (vma->vm_flags & VM_SHARED)
		kind = file && file->f_inode->i_nlink ? DUMP_FILE_SHARED : DUMP_ANON_SHARED;
	else
		kind = !file || vma->anon_vma ? DUMP_ANON_PRIVATE : DUMP_FILE_PRIVATE;
	if (filter >> kind & 1)
		return all;
	/* A file's changed pages are those of a file, too. */
	if (file && !(vma->vm_flags & VM_SHARED) && filter >> DUMP_FILE_PRIVATE & 1)
		return all;
	return file && !vma->vm_pgoff && vma->vm_flags & VM_READ && filter >> DUMP_ELF_HEADERS & 1 ? PAGE_SIZE : 0;
}

static int collect(struct dump *d)
{
	u32 filter = current_process()->coredump_filter;
	unsigned int room = 0;

	mmap_read_lock(d->mm);
	for (struct vm_area_struct *v = find_vma(d->mm, 0); v; v = v->vm_next)
		room++;
	mmap_read_unlock(d->mm);
	room = min(room, LOADS_MAX);
	d->load = kvcalloc(room, sizeof(*d->load), GFP_KERNEL);
	if (!d->load)
		return -ENOMEM;
	mmap_read_lock(d->mm);
	for (struct vm_area_struct *v = find_vma(d->mm, 0); v && d->nr < room; v = v->vm_next)
		d->load[d->nr++] = (struct load){ v->vm_start, v->vm_end, v->vm_flags, v->vm_pgoff,
						  v->vm_file ? get_file(v->vm_file) : NULL, wanted(v, filter),
						  vma_is_anonymous(v) };
	mmap_read_unlock(d->mm);
	return 0;
}

/* ---- Notes ---- */

static void note(struct ktext *notes, const char *owner, u32 type, const void *data, size_t len)
{
	static const char zeros[4];
	size_t owner_len = strlen(owner) + 1;
	u32 head[3] = { (u32)owner_len, (u32)len, type };

	ktext_add(notes, (const char *)head, sizeof(head));
	ktext_add(notes, owner, owner_len);
	ktext_add(notes, zeros, -owner_len & 3);
	ktext_add(notes, data, len);
	ktext_add(notes, zeros, -len & 3);
}

static struct k_timeval as_timeval(u64 ns)
{
	return (struct k_timeval){ (s64)(ns / NS_PER_SEC), (s64)(ns % NS_PER_SEC / 1000) };
}

static void note_thread(struct dump *d, struct task *task)
{
	const struct process *p = task->process;
	struct elf_prstatus_k s = {
		.signo = d->info->signo,
		.code = d->info->code,
		.cursig = (s16)d->info->signo,
		.sigpend = task->pending.set,
		.sighold = task->blocked,
		.pid = task->core.pid,
		.ppid = p->ppid,
		.pgrp = p->pgrp,
		.sid = p->session,
		.utime = as_timeval(task->utime),
		.stime = as_timeval(task->stime),
		.cutime = as_timeval(p->children_times.utime),
		.cstime = as_timeval(p->children_times.stime),
		.fpvalid = 1,
	};
	const void *fpu;
	size_t size;

	arch_core_regs(task, s.regs);
	fpu = arch_core_fpu(task, d->page, &size);
	note(&d->notes, "CORE", NT_PRSTATUS, &s, sizeof(s));
	note(&d->notes, "CORE", NT_FPREGSET, fpu, 512);
	if (size > 512)
		note(&d->notes, "LINUX", NT_X86_XSTATE, fpu, size);
}

static void note_process(struct dump *d)
{
	const struct process *p = current_process();
	struct elf_prpsinfo_k s = { .sname = 'R', .nice = (char)current()->nice, .flag = current()->core.flags,
				    .uid = p->ruid, .gid = p->rgid, .pid = p->pid, .ppid = p->ppid, .pgrp = p->pgrp,
				    .sid = p->session };
	struct mm_layout at;
	size_t got;

	mm_get_layout(d->mm, &at);
	strscpy(s.fname, current()->core.comm, sizeof(s.fname));
	got = min_t(size_t, sizeof(s.args) - 1, at.arg_end - at.arg_start);
	got = access_remote_vm(d->mm, at.arg_start, s.args, got, 0);
	for (size_t i = 0; i + 1 < got; i++)
		s.args[i] = s.args[i] ? s.args[i] : ' ';
	note(&d->notes, "CORE", NT_PRPSINFO, &s, sizeof(s));
}

/* Number of files and the page size; of each its place in memory and (in pages) in the file; then their names. */
static void note_files(struct dump *d)
{
	struct ktext text = { 0 };
	u64 head[2] = { 0, PAGE_SIZE };

	for (unsigned int i = 0; i < d->nr; i++)
		head[0] += d->load[i].file != NULL;
	ktext_add(&text, (const char *)head, sizeof(head));
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct load *l = &d->load[i];
		u64 where[3] = { l->start, l->end, l->pgoff };

		if (l->file)
			ktext_add(&text, (const char *)where, sizeof(where));
	}
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct file *file = d->load[i].file;
		size_t len = 0;

		if (!file)
			continue;
		if (file->f_op && file->f_op->show_path)
			len = min(file->f_op->show_path(file, d->page, PAGE_SIZE), (size_t)PAGE_SIZE - 1);
		d->page[len] = 0;
		ktext_add(&text, d->page, len + 1);
	}
	d->notes.no_memory |= text.no_memory;
	if (head[0] && text.data)
		note(&d->notes, "CORE", NT_FILE, text.data, text.len);
	ktext_free(&text);
}

static void collect_notes(struct dump *d)
{
	const struct process *p = current_process();
	struct task *thread;
	int tid = 1;

	note_thread(d, current()); /* debuggers take the first for the one that failed */
	note_process(d);
	note(&d->notes, "CORE", NT_SIGINFO, d->info, sizeof(*d->info));
	note(&d->notes, "CORE", NT_AUXV, p->auxv, p->auxv_len);
	note_files(d);
	while ((thread = thread_next(current_process(), tid))) {
		tid = thread->core.pid + 1;
		if (thread != current() && thread->core.mm)
			note_thread(d, thread);
		task_put(thread);
	}
}

/* ---- The file ---- */

static bool put(struct dump *d, const void *from, size_t len)
{
	if (len > d->limit - d->pos)
		return false;
	return vfs_write(d->file, from, len, &d->pos, false) == (s64)len;
}

static bool put_headers(struct dump *d)
{
	struct elf_header h = { .ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = ET_CORE, .machine = 62, .version = 1,
				.phoff = sizeof(h), .ehsize = sizeof(h), .phentsize = sizeof(struct elf_segment),
				.phnum = (u16)(d->nr + 1) };
	u64 at = sizeof(h) + h.phnum * sizeof(struct elf_segment);
	struct elf_segment s = { .type = PT_NOTE, .offset = at, .filesz = d->notes.len, .align = 4 };

	if (!put(d, &h, sizeof(h)) || !put(d, &s, sizeof(s)))
		return false;
	at = ALIGN(at + d->notes.len, PAGE_SIZE);
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct load *l = &d->load[i];

		s = (struct elf_segment){ .type = PT_LOAD, .offset = at, .vaddr = l->start, .filesz = l->size,
					  .memsz = l->end - l->start, .align = PAGE_SIZE };
		s.flags = (l->flags & VM_EXEC ? 1 : 0) | (l->flags & VM_WRITE ? 2 : 0) | (l->flags & VM_READ ? 4 : 0);
		at += l->size;
		if (!put(d, &s, sizeof(s)))
			return false;
	}
	return put(d, d->notes.data, d->notes.len);
}

static bool skip(struct dump *d, u64 to)
{
	if (to > d->limit)
		return false;
	d->pos = to;
	return true;
}

static bool put_frame(struct dump *d, uintptr_t addr)
{
	if (access_remote_vm(d->mm, addr, d->page, PAGE_SIZE, FOLL_FORCE) != PAGE_SIZE)
		return skip(d, d->pos + PAGE_SIZE);
	return put(d, d->page, PAGE_SIZE);
}

/* Long work of the kernel's for one process: others have their turn. Return: it is to go on. */
static bool dump_goes_on(void)
{
	struct task *me = current();

	if (kload(&me->work) & WORK_RESCHED) {
		kand(&me->work, ~WORK_RESCHED);
		schedule();
	}
	return !fatal_signal_pending(&me->core);
}

static bool dump_load(struct dump *d, const struct load *l)
{
	u64 there[32];

	for (uintptr_t at = l->start; at < l->start + l->size;) {
		size_t nr = min((l->start + l->size - at) / PAGE_SIZE, ARRAY_SIZE(there));

		if (!dump_goes_on())
			return false;
		if (l->sparse && octavo_pid_pagemap(d->mm, at / PAGE_SIZE, there, nr, false) != (long)nr)
			return false;
		for (size_t i = 0; i < nr; i++, at += PAGE_SIZE)
			if (!(!l->sparse || there[i] & PAGE_THERE ? put_frame(d, at) : skip(d, d->pos + PAGE_SIZE)))
				return false;
	}
	return true;
}

static bool put_all(struct dump *d)
{
	if (!put_headers(d) || !skip(d, ALIGN(d->pos, PAGE_SIZE)))
		return false;
	for (unsigned int i = 0; i < d->nr; i++)
		if (!dump_load(d, &d->load[i]))
			return false;
	/* A hole at the end has no size yet. */
	return i_size_read(d->file->f_inode) >= d->pos || (d->pos--, put(d, "", 1));
}

/* ---- Its name ---- */

/* A name that others chose must not lead into another directory: core(5). Return: its length. */
static size_t one_component(char *to, size_t len, size_t size)
{
	size_t there = min(len, size), dots = 0;

	for (size_t i = 0; i < there; i++) {
		dots += to[i] == '.';
		to[i] = to[i] == '/' ? '!' : to[i];
	}
	/* Nothing, ".", ".." */
	if (size && len <= 2 && dots == len) {
		to[0] = '!';
		return max(len, (size_t)1);
	}
	return len;
}

static size_t exe_name(struct mm_struct *mm, char *to, size_t size)
{
	struct file *file = mm_get_exe_file(mm);
	size_t len = 0;

	if (file && file->f_op && file->f_op->show_path)
		len = min(file->f_op->show_path(file, to, size), size);
	if (file)
		fput(file);
	return one_component(to, len, size);
}

/* What %@letter stands for. */
static size_t expand(struct dump *d, char letter, char *to, size_t size)
{
	const struct process *p = current_process();

	switch (letter) {
	case '%':
		return octavo_snprintf(to, size, "%%");
	case 'p':
	case 'P':
		return octavo_snprintf(to, size, "%d", p->pid);
	case 'i':
	case 'I':
		return octavo_snprintf(to, size, "%d", current()->core.pid);
	case 'u':
		return octavo_snprintf(to, size, "%u", p->ruid);
	case 'g':
		return octavo_snprintf(to, size, "%u", p->rgid);
	case 'd':
		return octavo_snprintf(to, size, "%d", p->dumpable);
	case 's':
		return octavo_snprintf(to, size, "%d", d->info->signo);
	case 't':
		return octavo_snprintf(to, size, "%llu", (unsigned long long)(clock_realtime_ns() / NS_PER_SEC));
	case 'h':
		return one_component(to, octavo_snprintf(to, size, "%s", uts.nodename), size);
	case 'e':
	case 'f':
		return one_component(to, octavo_snprintf(to, size, "%s", current()->core.comm), size);
	case 'c':
		return octavo_snprintf(to, size, "%lu", p->core.rlimit[RLIMIT_CORE].cur);
	case 'E':
		return exe_name(d->mm, to, size);
	}
	return 0;
}

/* Return: false: it is too long. */
static bool name_file(struct dump *d, char *to, size_t size)
{
	bool pid = false;
	size_t len = 0;

	for (const char *c = core_pattern; *c && len < size; c++) {
		if (*c != '%') {
			to[len++] = *c;
			continue;
		}
		if (!*++c)
			break;
		pid |= *c == 'p';
		len += expand(d, *c, to + len, size - len);
	}
	if (len < size && core_uses_pid && !pid)
		len += octavo_snprintf(to + len, size - len, ".%d", current_process()->pid);
	if (len >= size)
		return false;
	to[len] = 0;
	return true;
}

/* Its own file, not one that somebody has laid there for it to fill. */
static struct file *open_core(struct dump *d)
{
	const struct inode *inode;
	struct file *file;
	int err;

	if (!name_file(d, d->page, PAGE_SIZE))
		return NULL;
	file = vfs_open(AT_FDCWD, d->page, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0600, &err);
	if (!file)
		return NULL;
	inode = file->f_inode;
	if (S_ISREG(inode->i_mode) && inode->i_nlink == 1 && inode->i_uid == current_process()->fsuid &&
	    !vnode_of(file->f_inode) && !shmem_truncate(file->f_inode, 0))
		return file;
	fput(file);
	return NULL;
}

void coredump(const struct k_siginfo *info)
{
	struct process *p = current_process();
	struct dump d = { .mm = current()->core.mm, .info = info, .limit = p->core.rlimit[RLIMIT_CORE].cur };
	bool done = false;

	/* A program that would be given the dump ('|') cannot be started from here. */
	if (d.limit < PAGE_SIZE || !p->dumpable || !d.mm || !core_pattern[0] || core_pattern[0] == '|' ||
	    !dump_begin(info->signo))
		return;
	d.page = kmalloc(CORE_PAGE_BYTES, GFP_KERNEL);
	d.file = d.page ? open_core(&d) : NULL;
	if (d.file && !collect(&d)) {
		collect_notes(&d);
		done = !d.notes.no_memory && put_all(&d);
	}
	for (unsigned int i = 0; i < d.nr; i++)
		if (d.load[i].file)
			fput(d.load[i].file);
	if (d.file)
		fput(d.file);
	ktext_free(&d.notes);
	kvfree(d.load);
	kfree(d.page);
	/* What the limit cut off is a dump, too. */
	dump_end(done || (d.file && d.pos));
}
