// SPDX-License-Identifier: MIT
/*
 * execve(2), execveat(2): another program in the caller's process.
 *
 * Strings are gathered in the kernel's memory first; so all that can fail while the old program is still there does.
 * After that an error is the program's end. The new stack from its top down: a null word, the strings, 16 random
 * bytes, and what _start finds at its stack pointer: argc, argv, environment, auxiliary vector (System V ABI x86-64,
 * section 3.4.1; getauxval(3)).
 */
#include "elf.h"
#include "kfs.h"

#include <octavo/mman.h>
#include <octavo/port.h>

#include "arch/x86/cpu/cpu.h"

#define ARG_STRING_MAX (32 * PAGE_SIZE)
#define ARG_TOTAL_MAX ((size_t)6 << 20)
#define SCRIPT_LINE 256u
#define SCRIPT_DEPTH 5u
#define STACK_FIRST (32 * PAGE_SIZE)

struct arguments {
	char *text; /* argv's strings, then the environment's, each with its NUL */
	size_t used, room, limit;
	unsigned int argc, envc;
};

struct program {
	struct arguments args;
	struct elf_image image, interpreter;
	char path[PAGE_SIZE];
	char name[16]; /* of the thread from then on: a script's own */
	char line[SCRIPT_LINE + 1];
	u8 random[16];
	int fatal; /* the signal that ends the process: it could not become the program; or 0 */
};

int signal_unshare(void);

/* ---- Strings ---- */

static int make_room(struct arguments *a, size_t more)
{
	size_t room = max(a->room, (size_t)PAGE_SIZE);
	char *text;

	if (a->used + more > a->limit)
		return -E2BIG;
	while (room < a->used + more)
		room *= 2;
	if (room == a->room)
		return 0;
	text = kvrealloc(a->text, room, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	a->text = text;
	a->room = room;
	return 0;
}

static int add_kernel_string(struct arguments *a, const char *s)
{
	size_t len = strlen(s) + 1;
	int err = make_room(a, len);

	if (err)
		return err;
	memcpy(a->text + a->used, s, len);
	a->used += len;
	return 0;
}

static int add_user_string(struct arguments *a, uintptr_t from)
{
	long len = strnlen_user(from, ARG_STRING_MAX);
	int err;

	if (len <= 0)
		return -EFAULT;
	if ((size_t)len > ARG_STRING_MAX)
		return -E2BIG;
	err = make_room(a, (size_t)len);
	if (err)
		return err;
	if (copy_from_user(a->text + a->used, from, (size_t)len))
		return -EFAULT;
	a->text[a->used + (size_t)len - 1] = 0; /* it may be changing */
	a->used += (size_t)len;
	return 0;
}

static int add_user_vector(struct arguments *a, uintptr_t vector, unsigned int *count)
{
	for (; vector; vector += sizeof(uintptr_t)) {
		uintptr_t string;
		int err;

		if (get_user(string, vector))
			return -EFAULT;
		if (!string)
			return 0;
		err = add_user_string(a, string);
		if (err)
			return err;
		if (fatal_signal_pending(&current()->core))
			return -EINTR;
		++*count;
	}
	return 0;
}

/* The first argument gives way to @nr others. */
static int replace_first(struct arguments *a, const char *const strings[], unsigned int nr)
{
	size_t old = a->argc ? strlen(a->text) + 1 : 0, new = 0;
	int err;

	for (unsigned int i = 0; i < nr; i++)
		new += strlen(strings[i]) + 1;
	err = make_room(a, new);
	if (err)
		return err;
	memmove(a->text + new, a->text + old, a->used - old);
	a->used = a->used - old + new;
	new = 0;
	for (unsigned int i = 0; i < nr; i++) {
		size_t len = strlen(strings[i]) + 1;

		memcpy(a->text + new, strings[i], len);
		new += len;
	}
	a->argc = a->argc - (a->argc != 0) + nr;
	return 0;
}

/* ---- Opening ---- */

/*
 * The line of a script: its interpreter and one argument, as one string. Return: 1: p->line has it, cut at the blank
 * (*@argument behind it or NULL); 0: no script; or a negative errno.
 */
static int read_script(struct program *p, struct file *file, char **name, char **argument)
{
	u64 at = 0;
	s64 got = vfs_read(file, p->line, SCRIPT_LINE, &at, false);
	char *end, *c;

	if (got < 2 || p->line[0] != '#' || p->line[1] != '!')
		return got < 0 ? (int)got : 0;
	p->line[got] = 0;
	end = strchr(p->line, '\n');
	if (!end && got == SCRIPT_LINE)
		return -ENOEXEC;
	if (!end)
		end = p->line + got;
	while (end > p->line + 2 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	for (c = p->line + 2; *c == ' ' || *c == '\t'; c++)
		;
	if (!*c)
		return -ENOEXEC;
	*name = c;
	while (*c && *c != ' ' && *c != '\t')
		c++;
	*argument = NULL;
	if (*c) {
		*c++ = 0;
		while (*c == ' ' || *c == '\t')
			c++;
		*argument = c;
	}
	return 1;
}

/*
 * A program that is found from a descriptor goes by that, to an interpreter and as AT_EXECFN: /dev/fd/N or
 * /dev/fd/N/PATH, execveat(2).
 */
static int name_after_fd(struct program *p, int dirfd)
{
	size_t size = sizeof(p->path), len;
	char *whole;

	if (dirfd == AT_FDCWD || p->path[0] == '/')
		return 0;
	whole = kmalloc(size, GFP_KERNEL);
	if (!whole)
		return -ENOMEM;
	len = octavo_snprintf(whole, size, "/dev/fd/%d%s%s", dirfd, p->path[0] ? "/" : "", p->path);
	if (len < size)
		memcpy(p->path, whole, len + 1);
	kfree(whole);
	return len < size ? 0 : -ENAMETOOLONG;
}

static void keep_name(struct program *p)
{
	const char *name = p->path;

	for (const char *c = p->path; *c; c++)
		if (*c == '/')
			name = c + 1;
	strscpy(p->name, name, sizeof(p->name));
}

/* Follows scripts to what interprets them. Return: the program's file, or NULL. */
static struct file *find_program(struct program *p, int dirfd, int flags, int *err)
{
	struct file *file = vfs_open_exec(dirfd, p->path, flags, err);
	const char *strings[3];
	char *name = NULL, *argument = NULL;

	if (!file)
		return NULL;
	*err = name_after_fd(p, dirfd);
	if (*err) {
		fput(file);
		return NULL;
	}
	keep_name(p);
	for (unsigned int depth = 0; file; depth++) {
		unsigned int nr = 0;

		*err = read_script(p, file, &name, &argument);
		if (!*err)
			return file;
		if (*err == 1)
			*err = depth == SCRIPT_DEPTH ? -ELOOP : 0;
		strings[nr++] = name;
		if (argument)
			strings[nr++] = argument;
		strings[nr++] = p->path;
		if (!*err)
			*err = replace_first(&p->args, strings, nr);
		fput(file);
		if (*err)
			return NULL;
		strscpy(p->path, name, sizeof(p->path));
		file = vfs_open_exec(AT_FDCWD, p->path, 0, err);
	}
	return NULL;
}

static int read_images(struct program *p, struct file *file)
{
	char *path = p->line;
	int err = elf_read(&p->image, file);

	if (!err)
		err = elf_interpreter(&p->image, path, SCRIPT_LINE);
	if (err <= 0)
		return err;
	file = vfs_open_exec(AT_FDCWD, path, 0, &err);
	if (!file)
		return err;
	err = elf_read(&p->interpreter, file);
	return err == -ENOEXEC ? -80 : err; /* ELIBBAD */
}

/* ---- The new stack ---- */

static unsigned int fill_aux(const struct program *p, struct process *proc, uintptr_t random, uintptr_t execfn,
			     uintptr_t platform, bool secure)
{
	const u64 pairs[][2] = {
		{ 16, cpuid(1, 0).edx },
		{ 6, PAGE_SIZE },
		{ 17, USER_HZ },
		{ 3, p->image.phdr },
		{ 4, sizeof(struct elf_segment) },
		{ 5, p->image.header.phnum },
		{ 7, p->interpreter.file ? p->interpreter.bias : 0 },
		{ 8, 0 },
		{ 9, p->image.entry },
		{ 11, proc->ruid },
		{ 12, proc->euid },
		{ 13, proc->rgid },
		{ 14, proc->egid },
		{ 23, secure },
		{ 25, random },
		{ 26, read_cr4() & CR4_FSGSBASE ? 2 : 0 },
		{ 31, execfn },
		{ 15, platform },
		{ 51, 3632 }, /* AT_MINSIGSTKSZ: frame and AVX-512 state */
		{ 0, 0 },
	};

	octavo_static_assert(ARRAY_SIZE(pairs) <= AUX_MAX, "room on the stack");
	memcpy(proc->auxv, pairs, sizeof(pairs));
	proc->auxv_len = sizeof(pairs);
	return 2 * ARRAY_SIZE(pairs);
}

struct stack_writer {
	uintptr_t at;
	int err;
};

static void put_block(struct stack_writer *w, const void *from, size_t len)
{
	if (!w->err && copy_to_user(w->at, from, len))
		w->err = -EFAULT;
	w->at += len;
}

static void put_pointers(struct stack_writer *w, const char **text, uintptr_t *string, unsigned int nr)
{
	uintptr_t batch[32];
	unsigned int n = 0;

	for (unsigned int i = 0; i <= nr; i++) {
		size_t len = i < nr ? strlen(*text) + 1 : 0;

		batch[n++] = i < nr ? *string : 0;
		*text += len;
		*string += len;
		if (n == ARRAY_SIZE(batch) || i == nr) {
			put_block(w, batch, n * sizeof(batch[0]));
			n = 0;
		}
	}
}

/* Return: the stack pointer to begin with, or 0. */
static uintptr_t build_stack(struct program *p, uintptr_t top, struct mm_layout *layout, bool secure)
{
	const struct arguments *a = &p->args;
	const char *text = a->text;
	struct process *proc = current_process();
	u64 argc = a->argc;
	uintptr_t execfn = top - 8 - (strlen(p->path) + 1), strings = execfn - a->used, string = strings, sp;
	uintptr_t platform = ((strings - 32) & ~15ul), random = platform - 16;
	unsigned int aux_nr = fill_aux(p, proc, random, execfn, platform, secure);
	struct stack_writer w = { .at = execfn };

	sp = (random - (1 + a->argc + 1 + a->envc + 1 + aux_nr) * 8) & ~15ul;
	put_block(&w, p->path, strlen(p->path) + 1);
	w.at = strings;
	put_block(&w, a->text, a->used);
	w.at = platform;
	put_block(&w, "x86_64", 7);
	w.at = random;
	put_block(&w, p->random, sizeof(p->random));
	w.at = sp;
	put_block(&w, &argc, sizeof(argc));
	layout->arg_start = string;
	put_pointers(&w, &text, &string, a->argc);
	layout->arg_end = layout->env_start = string;
	put_pointers(&w, &text, &string, a->envc);
	layout->env_end = string;
	put_block(&w, proc->auxv, proc->auxv_len);
	layout->start_stack = sp;
	return w.err ? 0 : sp;
}

/* ---- The switch ---- */

/* Rights that the file gives: set-user-ID and set-group-ID. Return: the program is not to trust its surroundings. */
static bool take_rights(const struct file *file)
{
	struct process *p = current_process();
	const struct inode *inode = file->f_inode;
	const struct path *path = file_path(file);
	bool lends = !p->no_new_privs && path && !(path->mount->flags & MS_NOSUID);

	if (lends && inode->i_mode & S_ISUID)
		p->euid = p->core.uid = inode->i_uid;
	if (lends && (inode->i_mode & (S_ISGID | 010)) == (S_ISGID | 010))
		p->egid = p->core.gid = inode->i_gid;
	p->suid = p->fsuid = p->euid;
	p->sgid = p->fsgid = p->egid;
	if (!p->euid || !p->ruid)
		p->cap_permitted = p->cap_bounding | p->cap_inheritable;
	else
		p->cap_permitted = p->cap_ambient;
	p->core.capabilities = p->euid ? p->cap_ambient : p->cap_permitted;
	return p->euid != p->ruid || p->egid != p->rgid;
}

/* What may be executed but not read is not to be read from the memory of the program either. */
static bool may_read(const struct program *p, const struct file *file)
{
	return !inode_permission(file->f_inode, MAY_READ) &&
	       (!p->interpreter.file || !inode_permission(p->interpreter.file->f_inode, MAY_READ));
}

/*
 * The new program's rights, before its memory can be found: who may look into the caller is asked of both at once.
 * Nobody may until it has begun; *@dumpable says whether they may then.
 */
static bool change_rights(const struct program *p, const struct file *file, bool *dumpable)
{
	struct process *proc = current_process();
	u32 euid = proc->euid, egid = proc->egid, fsuid = proc->fsuid, fsgid = proc->fsgid;
	bool readable = may_read(p, file), secure;

	kstore(&proc->dumpable, false);
	secure = take_rights(file);
	*dumpable = readable && !secure && euid == proc->euid && egid == proc->egid && fsuid == proc->fsuid &&
		    fsgid == proc->fsgid;
	return secure;
}

static int map_program(struct program *p, struct mm_struct *mm, bool secure, uintptr_t *entry, uintptr_t *sp)
{
	struct process *proc = current_process();
	uintptr_t top = mm_pick_stack_top(mm, &proc->core);
	struct mm_layout layout;
	size_t size = ALIGN(p->args.used + (p->args.argc + p->args.envc) * 8 + 2 * PAGE_SIZE, PAGE_SIZE) + STACK_FIRST;
	bool has_interpreter = p->interpreter.file;
	long err = vm_stack(mm, top, size, p->image.exec_stack);

	if (err)
		return (int)err;
	mm_pick_mmap_base(mm, &proc->core);
	err = elf_map(&p->image, mm, false, has_interpreter);
	if (!err && has_interpreter)
		err = elf_map(&p->interpreter, mm, true, false);
	if (err)
		return (int)err;
	mm_get_layout(mm, &layout);
	layout.start_code = p->image.start_code;
	layout.end_code = p->image.end_code;
	layout.start_data = p->image.start_data;
	layout.end_data = p->image.end_data;
	layout.start_brk = layout.brk = p->image.brk + mm_random_offset(13);
	*sp = build_stack(p, top, &layout, secure);
	mm_set_layout(mm, &layout);
	*entry = has_interpreter ? p->interpreter.entry : p->image.entry;
	return *sp ? 0 : -EFAULT;
}

/* Once the caller is alone nothing of the old program is left: an error then ends the process, by p->fatal. */
static int replace_program(struct program *p, struct file *file, struct mm_struct *mm)
{
	struct task *me = current();
	struct mm_struct *old;
	uintptr_t entry = 0, sp = 0;
	bool secure, dumpable;
	int err = exec_alone();

	if (err) {
		mmput(mm);
		return err;
	}
	exec_release_mm();
	me->robust_list = 0;
	secure = change_rights(p, file, &dumpable);
	old = task_change_mm(me, mm);
	if (old)
		mmput(old);
	me->process->shares_vm = me->process->uses_pkeys = false;
	me->core.flags &= ~(PF_KTHREAD | PF_FORKNOEXEC);
	me->core.process->personality &= ~PERSONALITY_READ_IMPLIES_EXEC;
	mm_set_exe_file(mm, file);
	err = map_program(p, mm, secure, &entry, &sp);
	if (err) {
		printk("%s[%d]: the program cannot be mapped: error %d\n", p->path, me->core.pid, err);
		p->fatal = fatal_signal_pending(&me->core) ? SIGKILL : SIGSEGV;
		return err;
	}
	signal_exec();
	timers_exec(me->process);
	files_close_on_exec(me->files);
	strscpy(me->core.comm, p->name, sizeof(me->core.comm));
	me->process->execed = true;
	kstore(&me->process->dumpable, dumpable);
	me->exit_signal = SIGCHLD;
	me->pdeath_signal = 0;
	arch_exec(entry, sp);
	return 0;
}

static struct program *program_new(void)
{
	struct program *p = kvmalloc(sizeof(*p), GFP_KERNEL);
	unsigned long stack = task_rlimit(&current()->core, RLIMIT_STACK);

	if (!p)
		return NULL;
	memset(&p->args, 0, sizeof(p->args));
	p->interpreter.file = NULL;
	p->fatal = 0;
	p->args.limit = clamp(stack / 4, 32 * PAGE_SIZE, ARG_TOTAL_MAX);
	for (unsigned int i = 0; i < 2; i++) {
		u64 bits = port_random();

		memcpy(p->random + 8 * i, &bits, 8);
	}
	return p;
}

/* Where there is nothing to go back to, the caller ends with it. */
static void program_free(struct program *p)
{
	int fatal = p->fatal;

	if (p->interpreter.file)
		fput(p->interpreter.file);
	kvfree(p->args.text);
	kvfree(p);
	if (fatal)
		do_group_exit(fatal);
}

static int run(struct program *p, int dirfd, int flags)
{
	struct mm_struct *mm;
	struct file *file;
	int err = 0;

	if (!p->args.argc) {
		/* A program without even its name is given an empty one. */
		static const char *const empty[1] = { "" };

		err = replace_first(&p->args, empty, 1);
	}
	if (!err)
		err = arch_exec_prepare();
	if (!err)
		err = signal_unshare();
	file = err ? NULL : find_program(p, dirfd, flags, &err);
	if (!file)
		return err;
	err = file_deny_write(file);
	if (!err)
		err = read_images(p, file);
	mm = err ? NULL : mm_create(&current_process()->core, 0);
	if (!err && !mm)
		err = -ENOMEM;
	if (!err)
		err = replace_program(p, file, mm);
	fput(file);
	return err;
}

int kernel_exec(const char *path, char *const argv[], char *const envp[])
{
	struct program *p = program_new();
	int err = p ? 0 : -ENOMEM;

	if (!p)
		return err;
	strscpy(p->path, path, sizeof(p->path));
	for (; argv[p->args.argc] && !err; p->args.argc++)
		err = add_kernel_string(&p->args, argv[p->args.argc]);
	for (; envp[p->args.envc] && !err; p->args.envc++)
		err = add_kernel_string(&p->args, envp[p->args.envc]);
	if (!err)
		err = run(p, AT_FDCWD, 0);
	program_free(p);
	return err;
}

static long exec_user(int dirfd, uintptr_t path, uintptr_t argv, uintptr_t envp, int flags)
{
	struct program *p = program_new();
	long len;
	int err;

	if (!p)
		return -ENOMEM;
	len = strncpy_from_user(p->path, path, sizeof(p->path));
	err = len < 0 ? (int)len : len == sizeof(p->path) ? -ENAMETOOLONG : len || flags & AT_EMPTY_PATH ? 0 : -ENOENT;
	if (!err)
		err = add_user_vector(&p->args, argv, &p->args.argc);
	if (!err)
		err = add_user_vector(&p->args, envp, &p->args.envc);
	if (!err)
		err = run(p, dirfd, flags);
	program_free(p);
	return err;
}

static long sys_execve(uintptr_t path, uintptr_t argv, uintptr_t envp)
{
	return exec_user(AT_FDCWD, path, argv, envp, 0);
}
SYSCALL(59, sys_execve);

static long sys_execveat(int dirfd, uintptr_t path, uintptr_t argv, uintptr_t envp, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return exec_user(dirfd, path, argv, envp, flags);
}
SYSCALL(322, sys_execveat);
