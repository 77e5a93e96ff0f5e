// SPDX-License-Identifier: MIT
/*
 * The mmap family against the Linux underneath: random calls and accesses of a few processes, made here and there at
 * the same addresses. Results, errors, bytes, signals, what is mapped and how, and what is present must be the same.
 *
 * An operation is 24 bits, from which a call with all its arguments follows: any part of a failing sequence is a
 * sequence too, and the model shrinks it.
 */
#include <stdio.h>
#include <string.h>

#include <octavo/errno.h>
#include <octavo/proc_pid.h>
#include <octavo/shmem_fs.h>

#include "hosted.h"
#include "linux_text.h"
#include "linux_twin.h"
#include "mm/vm/vm.h"
#include "model.h"
#include "tasks.h"

/* Without its own <sys/mman.h> Linux's numbers are those of <octavo/mman.h>. */
#define PAGE 4096ul

static struct test_process procs[TWIN_PROCESSES];
static bool alive[TWIN_PROCESSES];
static struct file *files[TWIN_FILES];
static struct twin_result here;
static char wrong[3000];
static bool maps_too, paged_out, freed;

/* ---- What an operation means ---- */

struct draw {
	u64 bits;
};

static unsigned int pick(struct draw *d, unsigned int n)
{
	unsigned int value = (unsigned int)((d->bits >> 32) * n >> 32);

	d->bits = d->bits * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
	return value;
}

static long some_page(struct draw *d)
{
	/* Around the border of two tables half of the time. */
	unsigned int page = pick(d, 2) ? pick(d, TWIN_PAGES) : 20 + pick(d, 8);

	return (long)(TWIN_ARENA + page * PAGE);
}

/* Pages from @addr on that stay in the arena; now and then none, or not a multiple of a page. */
static long some_len(struct draw *d, long addr, unsigned int most)
{
	unsigned int room = (unsigned int)((TWIN_END - (uintptr_t)addr) / PAGE), pages = 1 + pick(d, most);

	if (!pick(d, 40))
		return pick(d, 2) ? 0 : (long)(PAGE + 1);
	return (long)(min(pages, room) * PAGE);
}

static long some_prot(struct draw *d)
{
	static const u8 prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
				    PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC };

	return prots[pick(d, ARRAY_SIZE(prots))];
}

static void draw_mmap(struct draw *d, struct twin_call *call)
{
	static const u32 extra[] = { 0, 0, 0, 0, MAP_POPULATE, MAP_NORESERVE, MAP_STACK, MAP_LOCKED,
				     MAP_POPULATE | MAP_NONBLOCK };
	long *a = call->args;
	bool file = !pick(d, 3);

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 10);
	a[2] = some_prot(d);
	a[3] = pick(d, 4) ? MAP_PRIVATE : MAP_SHARED;
	a[3] |= (long)extra[pick(d, ARRAY_SIZE(extra))];
	a[3] |= pick(d, 6) ? MAP_FIXED : pick(d, 2) ? MAP_FIXED_NOREPLACE : 0;
	a[4] = file ? (long)pick(d, TWIN_FILES) : -1;
	a[5] = file ? (long)(pick(d, TWIN_FILE_PAGES) * PAGE) : 0;
	a[3] |= file ? 0 : MAP_ANONYMOUS;
	if (!pick(d, 50))
		a[0] += 1; /* not aligned */
	if (!pick(d, 50))
		a[3] &= ~3l; /* neither private nor shared */
	if (!pick(d, 50))
		a[5] += 12;
	if (!pick(d, 50))
		a[3] |= MAP_GROWSDOWN;
}

static void draw_mremap(struct draw *d, struct twin_call *call)
{
	static const u8 flags[] = { 0, 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED,
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				    MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_FIXED, 16 };
	long *a = call->args;

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 6);
	a[2] = pick(d, 2) ? a[1] : some_len(d, a[0], 8);
	a[3] = flags[pick(d, ARRAY_SIZE(flags))];
	a[4] = a[3] & MREMAP_FIXED ? some_page(d) : 0;
	/* What would lie behind the arena is somebody else's. */
	if (a[3] & MREMAP_FIXED && (uintptr_t)(a[4] + a[2]) > TWIN_END)
		a[4] = (long)TWIN_END - (long)ALIGN((unsigned long)a[2], PAGE);
}

static void draw_madvise(struct draw *d, struct twin_call *call)
{
	static const u16 advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_DONTNEED_LOCKED, 999
	};
	long *a = call->args;

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 8);
	a[2] = advice[pick(d, ARRAY_SIZE(advice))];
}

static void draw_range(struct draw *d, struct twin_call *call, unsigned int most)
{
	call->args[0] = some_page(d) + (pick(d, 50) ? 0 : 5);
	call->args[1] = some_len(d, call->args[0], most);
}

static void draw_access(struct draw *d, struct twin_call *call)
{
	long addr = some_page(d);

	addr += pick(d, 3) ? (long)pick(d, 16) * 8 : (long)PAGE - 1 - (long)pick(d, 16);
	call->args[0] = addr;
	call->args[1] = 1 + (long)pick(d, pick(d, 4) ? 16 : 3 * PAGE);
	if (call->args[1] > (long)TWIN_END - addr)
		call->args[1] = (long)TWIN_END - addr;
	call->args[2] = 1 + (long)pick(d, 200);
}

static void draw_file(struct draw *d, struct twin_call *call)
{
	long *a = call->args;

	a[0] = (long)pick(d, TWIN_FILES);
	a[1] = (long)pick(d, TWIN_FILE_PAGES + 4) * (long)PAGE + (pick(d, 2) ? 0 : (long)pick(d, PAGE));
	a[2] = 1 + (long)pick(d, call->what == TWIN_PUNCH ? 5 * PAGE : 250);
	a[3] = 1 + (long)pick(d, 200);
}

static void draw_flags(struct draw *d, struct twin_call *call)
{
	static const u8 sync[] = { MS_ASYNC, MS_SYNC, MS_SYNC | MS_INVALIDATE, MS_INVALIDATE, 0, MS_SYNC | MS_ASYNC,
				   8 };

	switch (call->what) {
	case TWIN_MPROTECT:
		draw_range(d, call, 8);
		call->args[2] = some_prot(d) | (pick(d, 40) ? 0 : 0x40);
		break;
	case TWIN_MLOCK:
		draw_range(d, call, 8);
		call->args[2] = pick(d, 3) == 0 ? MLOCK_ONFAULT : pick(d, 40) ? 0 : 2;
		break;
	case TWIN_MSYNC:
		draw_range(d, call, 8);
		call->args[2] = sync[pick(d, ARRAY_SIZE(sync))];
		break;
	case TWIN_MLOCKALL:
		call->args[0] = pick(d, 4) ? MCL_FUTURE | (pick(d, 2) ? MCL_ONFAULT : 0) : pick(d, 2) ? 0 : 8;
		break;
	default:
		draw_range(d, call, 12);
	}
}

static void decode(const struct model_op *op, struct twin_call *call, unsigned int *process)
{
	struct draw d = { ((u64)op->kind << 56 | (u64)op->a << 48 | (u64)op->b << 32) * 0x9e3779b97f4a7c15ull };

	memset(call, 0, sizeof(*call));
	(void)pick(&d, 2);
	call->what = (enum twin_what)op->kind;
	*process = pick(&d, TWIN_PROCESSES);
	switch (call->what) {
	case TWIN_MMAP:
		draw_mmap(&d, call);
		break;
	case TWIN_MREMAP:
		draw_mremap(&d, call);
		break;
	case TWIN_MADVISE:
		draw_madvise(&d, call);
		break;
	case TWIN_READ:
	case TWIN_WRITE:
		draw_access(&d, call);
		break;
	case TWIN_TRUNCATE:
	case TWIN_PWRITE:
	case TWIN_PREAD:
	case TWIN_PUNCH:
		draw_file(&d, call);
		break;
	default:
		draw_flags(&d, call);
	}
}

static void random_op(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 kinds[] = {
		TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MUNMAP, TWIN_MUNMAP, TWIN_MPROTECT,
		TWIN_MPROTECT, TWIN_MPROTECT, TWIN_MREMAP, TWIN_MREMAP, TWIN_MREMAP, TWIN_MADVISE, TWIN_MADVISE,
		TWIN_MADVISE, TWIN_MLOCK, TWIN_MUNLOCK, TWIN_MLOCKALL, TWIN_MUNLOCKALL, TWIN_MSYNC, TWIN_MINCORE,
		TWIN_READ, TWIN_READ, TWIN_READ, TWIN_READ, TWIN_WRITE, TWIN_WRITE, TWIN_WRITE, TWIN_WRITE,
		TWIN_WRITE, TWIN_TRUNCATE, TWIN_PWRITE, TWIN_PREAD, TWIN_PUNCH, TWIN_FORK, TWIN_FORK, TWIN_EXIT
	};
	u64 r = test_random(state);

	(void)ctx;
	op->kind = kinds[(r >> 40) % ARRAY_SIZE(kinds)];
	op->a = (u8)(r >> 16);
	op->b = (u16)r;
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[TWIN_CALLS] = {
		"mmap", "munmap", "mprotect", "mremap", "madvise", "mlock2", "munlock", "mlockall", "munlockall",
		"msync", "mincore", "read", "write", "ftruncate", "pwrite", "pread", "punch", "fork", "exit", "maps",
		"smaps", "pagemap", "locked", "clean"
	};
	struct twin_call call;
	unsigned int process;

	decode(op, &call, &process);
	snprintf(text, size, "%u: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)", process, names[call.what],
		 (unsigned long)call.args[0], (unsigned long)call.args[1], (unsigned long)call.args[2],
		 (unsigned long)call.args[3], (unsigned long)call.args[4], (unsigned long)call.args[5]);
}

/* ---- Octavo's side ---- */

static long placed(long addr, size_t len)
{
	if (addr < 0 && addr > -4096)
		return addr;
	if ((uintptr_t)addr >= TWIN_ARENA && (uintptr_t)addr < TWIN_END)
		return addr;
	(void)ksys_munmap((uintptr_t)addr, len);
	return TWIN_OUTSIDE;
}

static long do_mmap(const long *a)
{
	return placed(ksys_mmap((uintptr_t)a[0], (size_t)a[1], (unsigned long)a[2], (unsigned long)a[3],
				a[4] < 0 ? NULL : files[a[4]], (u64)a[5]), (size_t)a[1]);
}

static long do_mincore(const long *a, struct twin_result *r)
{
	long value = ksys_mincore((uintptr_t)a[0], (size_t)a[1], TWIN_SCRATCH);
	size_t pages = ((size_t)a[1] + PAGE - 1) / PAGE;

	if (!value) {
		r->len = (u32)test_user_read(TWIN_SCRATCH, r->bytes, pages);
		for (size_t i = 0; i < pages; i++)
			r->bytes[i] &= 1;
	}
	return value;
}

static long do_file(const struct twin_call *call, struct twin_result *r)
{
	const long *a = call->args;
	struct file *file = files[a[0]];
	struct iov_iter iter = { r->bytes, (size_t)a[2], false };
	u64 pos = (u64)a[1];
	long value;

	switch (call->what) {
	case TWIN_TRUNCATE:
		return shmem_truncate(file->f_inode, (u64)a[1]);
	case TWIN_PWRITE:
		memset(r->bytes, (int)a[3], (size_t)a[2]);
		return (long)file->f_op->write_iter(file, &iter, &pos);
	case TWIN_PREAD:
		value = (long)file->f_op->read_iter(file, &iter, &pos);
		r->len = value > 0 ? (u32)value : 0;
		return value;
	default:
		return file->f_op->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (u64)a[1], (u64)a[2]);
	}
}

static long memory_call(const struct twin_call *call, struct twin_result *r)
{
	const long *a = call->args;
	uintptr_t addr = (uintptr_t)a[0];
	size_t len = (size_t)a[1];

	switch (call->what) {
	case TWIN_MMAP:
		return do_mmap(a);
	case TWIN_MUNMAP:
		return ksys_munmap(addr, len);
	case TWIN_MPROTECT:
		return ksys_mprotect(addr, len, (unsigned long)a[2]);
	case TWIN_MREMAP:
		return placed(ksys_mremap(addr, len, (size_t)a[2], (unsigned long)a[3], (uintptr_t)a[4]), (size_t)a[2]);
	case TWIN_MADVISE:
		return ksys_madvise(addr, len, (int)a[2]);
	case TWIN_MLOCK:
		return ksys_mlock(addr, len, (unsigned int)a[2]);
	case TWIN_MUNLOCK:
		return ksys_munlock(addr, len);
	case TWIN_MLOCKALL:
		return ksys_mlockall((int)a[0]);
	case TWIN_MUNLOCKALL:
		return ksys_munlockall();
	case TWIN_MSYNC:
		return ksys_msync(addr, len, (int)a[2]);
	case TWIN_MINCORE:
		return do_mincore(a, r);
	default:
		return do_file(call, r);
	}
}

static void collect(void *ctx, const char *text, size_t len)
{
	struct twin_result *r = ctx;

	len = min(len, sizeof(r->bytes) - r->len);
	memcpy(r->bytes + r->len, text, len);
	r->len += (u32)len;
}

static void access_call(const struct twin_call *call, struct twin_result *r)
{
	size_t len = (size_t)call->args[1];
	struct mm_task *me = current_task();

	me->fault = (struct mm_signal){ 0 };
	if (call->what == TWIN_READ) {
		r->value = (long)test_user_read((uintptr_t)call->args[0], r->bytes, len);
		r->len = (u32)r->value;
	} else {
		for (size_t i = 0; i < len; i++)
			r->bytes[i] = (u8)(call->args[2] + (long)i);
		r->value = (long)test_user_write((uintptr_t)call->args[0], r->bytes, len);
	}
	if ((size_t)r->value == len)
		return;
	r->signo = me->fault.signo;
	r->code = me->fault.code;
	r->address = me->fault.address;
}

static void octavo_do(unsigned int process, const struct twin_call *call, struct twin_result *r)
{
	struct test_process *p = &procs[process];

	r->value = r->signo = r->code = 0;
	r->address = 0;
	r->len = 0;
	test_switch(&p->task);
	switch (call->what) {
	case TWIN_READ:
	case TWIN_WRITE:
		access_call(call, r);
		break;
	case TWIN_FORK:
		r->value = test_process_fork(&procs[call->args[0]], p) ? 0 : -ENOMEM;
		break;
	case TWIN_EXIT:
		test_process_exit(p);
		break;
	case TWIN_MAPS:
		r->value = octavo_pid_map_read(p->task.mm, OCTAVO_PID_MAPS, collect, r);
		break;
	case TWIN_SMAPS:
		r->value = octavo_pid_map_read(p->task.mm, OCTAVO_PID_SMAPS, collect, r);
		break;
	case TWIN_PAGEMAP:
		r->value = octavo_pid_pagemap(p->task.mm, TWIN_ARENA / PAGE, (u64 *)(void *)r->bytes, TWIN_PAGES,
					      false);
		r->value = r->value == TWIN_PAGES ? 0 : -EIO;
		r->len = TWIN_PAGES * 8;
		break;
	case TWIN_LOCKED:
		r->value = (long)(p->task.mm->locked_vm * (PAGE / 1024));
		break;
	default:
		r->value = memory_call(call, r);
	}
}

/* ---- Comparing ---- */

/*
 * A child may find the zero page where its parent had it, or not: Linux does not copy tables in which there is nothing
 * else, Octavo shares them.
 */
static bool shows_zero_page(struct mm_struct *mm, uintptr_t addr)
{
	u64 entry = 0;

	return octavo_pid_pagemap(mm, addr / PAGE, &entry, 1, true) == 1 && entry >> 63 &&
	       is_zero_pfn((unsigned long)(entry & (((u64)1 << 55) - 1)));
}

static bool is_of_file(struct mm_struct *mm, uintptr_t addr)
{
	const struct vm_area_struct *vma;
	bool file;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	file = vma && vma->vm_file;
	mmap_read_unlock(mm);
	return file;
}

/* Linux may have done what MADV_PAGEOUT asks for: a file's page that nobody wrote to is gone from its memory. */
static void forgive_presence(const struct twin_call *call, const struct twin_result *there)
{
	struct mm_struct *mm = current_task()->mm;

	for (u32 i = 0; call->what == TWIN_MINCORE && i < here.len && i < there->len; i++) {
		uintptr_t addr = (uintptr_t)call->args[0] + i * PAGE;

		if (here.bytes[i] && (shows_zero_page(mm, addr) || (paged_out && is_of_file(mm, addr))))
			here.bytes[i] = there->bytes[i];
	}
}

static const char *differs(const struct twin_result *there)
{
	if (here.value != there->value)
		snprintf(wrong, sizeof(wrong), "the result is %ld (%#lx), Linux's %ld (%#lx)", here.value,
			 (unsigned long)here.value, there->value, (unsigned long)there->value);
	else if (here.signo != there->signo || here.code != there->code || here.address != there->address)
		snprintf(wrong, sizeof(wrong), "signal %d, code %d at %#lx; Linux's %d, %d at %#lx", here.signo,
			 here.code, (unsigned long)here.address, there->signo, there->code,
			 (unsigned long)there->address);
	else if (here.len != there->len)
		snprintf(wrong, sizeof(wrong), "%u bytes, Linux's %u", here.len, there->len);
	else
		for (u32 i = 0; i < here.len; i++)
			if (here.bytes[i] != there->bytes[i]) {
				snprintf(wrong, sizeof(wrong), "byte %#x is %#x, Linux's %#x", i, here.bytes[i],
					 there->bytes[i]);
				return wrong;
			}
	return here.value != there->value || here.signo != there->signo || here.code != there->code ||
			       here.address != there->address || here.len != there->len ?
		       wrong :
		       NULL;
}

static const char *compare_locked(unsigned int process)
{
	struct twin_call call = { .what = TWIN_LOCKED };
	const struct twin_result *there = twin_do(process, &call);

	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	if (here.value == there->value)
		return NULL;
	snprintf(wrong, sizeof(wrong), "process %u has %ld KiB locked, Linux's %ld", process, here.value, there->value);
	return wrong;
}

static const char *compare_maps(unsigned int process)
{
	static char ours[1200], theirs[1200];
	struct twin_call call = { .what = TWIN_MAPS };
	const struct twin_result *there = twin_do(process, &call);

	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	maps_shape(ours, sizeof(ours), &here);
	maps_shape(theirs, sizeof(theirs), there);
	if (!strcmp(ours, theirs))
		return NULL;
	snprintf(wrong, sizeof(wrong), "maps of process %u are\n%snot Linux's\n%s", process, ours, theirs);
	return wrong;
}

static const char *compare_smaps(unsigned int process)
{
	static char ours[8192], theirs[8192];
	static struct twin_result copy;
	struct twin_call call = { .what = TWIN_SMAPS };
	const struct twin_result *there = twin_do(process, &call);
	size_t at = 0;

	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	copy = *there;
	smaps_sizes(ours, sizeof(ours), &here);
	smaps_sizes(theirs, sizeof(theirs), &copy);
	if (!strcmp(ours, theirs))
		return NULL;
	/* From the line where they part. */
	for (size_t i = 0; ours[i] == theirs[i]; i++)
		at = ours[i] == '\n' ? i + 1 : at;
	snprintf(wrong, sizeof(wrong), "smaps of process %u has\n%.300s\nLinux's\n%.300s", process, ours + at,
		 theirs + at);
	return wrong;
}

/* Present, exclusive, of a file: for what no fault around a fault brings in. */
#define PRESENT ((u64)1 << 63)
#define COMPARED (PRESENT | (u64)1 << 61 | (u64)1 << 56)

static const char *compare_pagemap(unsigned int process)
{
	struct twin_call call = { .what = TWIN_PAGEMAP };
	const struct twin_result *there = twin_do(process, &call);
	u64 ours[TWIN_PAGES], theirs[TWIN_PAGES];

	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	memcpy(ours, here.bytes, sizeof(ours));
	memcpy(theirs, there->bytes, sizeof(theirs));
	for (unsigned int i = 0; i < TWIN_PAGES; i++) {
		struct vm_area_struct *vma;
		bool anonymous;

		mmap_read_lock(procs[process].task.mm);
		vma = vma_lookup(procs[process].task.mm, TWIN_ARENA + i * PAGE);
		anonymous = vma && vma_is_anonymous(vma);
		mmap_read_unlock(procs[process].task.mm);
		if (!anonymous || !((ours[i] ^ theirs[i]) & COMPARED) ||
		    shows_zero_page(procs[process].task.mm, TWIN_ARENA + i * PAGE))
			continue;
		snprintf(wrong, sizeof(wrong), "pagemap of process %u at %#lx is %#llx, Linux's %#llx", process,
			 (unsigned long)(TWIN_ARENA + i * PAGE), (unsigned long long)ours[i],
			 (unsigned long long)theirs[i]);
		return wrong;
	}
	return NULL;
}

/*
 * Linux from 6.17 on moves several mappings at once, and looks whether a call can be done before it unmaps what is at
 * the new place; 6.12, as Octavo, unmaps first. It compares lengths in pages, and MREMAP_DONTUNMAP of locked memory
 * leaves its count of locked pages wrong.
 */
static bool of_later_linux(const struct twin_call *call)
{
	const long *a = call->args;
	struct vm_area_struct *vma;
	bool otherwise;

	if (call->what != TWIN_MREMAP || !(a[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return false;
	mmap_read_lock(current_task()->mm);
	vma = vma_lookup(current_task()->mm, (uintptr_t)a[0]);
	otherwise = !vma || vma->vm_end < (uintptr_t)(a[0] + a[1]) || !a[1] ||
		    (a[3] & MREMAP_DONTUNMAP && (a[1] | a[2]) % (long)PAGE) ||
		    (vma->vm_flags & VM_LOCKED && (a[2] > a[1] || a[3] & MREMAP_DONTUNMAP));
	mmap_read_unlock(current_task()->mm);
	return otherwise;
}

/* Linux pages out what MADV_FREE gave it, if it is quick enough: a sequence has one of the two. */
static bool up_to_reclaim(const struct twin_call *call)
{
	if (call->what != TWIN_MADVISE)
		return false;
	if (call->args[2] == MADV_PAGEOUT)
		paged_out |= !freed;
	if (call->args[2] == MADV_FREE)
		freed |= !paged_out;
	return (call->args[2] == MADV_PAGEOUT && freed) || (call->args[2] == MADV_FREE && paged_out);
}

static unsigned int living(unsigned int number)
{
	for (unsigned int i = 0; i < TWIN_PROCESSES; i++)
		if (alive[(number + i) % TWIN_PROCESSES])
			return (number + i) % TWIN_PROCESSES;
	return 0;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	const struct twin_result *there;
	struct twin_call call;
	unsigned int process, child = 0;
	const char *why;

	(void)ctx;
	decode(op, &call, &process);
	process = living(process);
	if (call.what == TWIN_FORK) {
		while (child < TWIN_PROCESSES && alive[child])
			child++;
		if (child == TWIN_PROCESSES)
			return NULL;
		call.args[0] = (long)child;
	}
	if (call.what == TWIN_EXIT && !process)
		return NULL;
	test_switch(&procs[process].task);
	if (of_later_linux(&call) || up_to_reclaim(&call))
		return NULL;
	there = twin_do(process, &call);
	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	forgive_presence(&call, there);
	why = differs(there);
	if (call.what == TWIN_FORK && !here.value)
		alive[child] = true;
	if (call.what == TWIN_EXIT)
		alive[process] = false;
	if (why || !maps_too || !alive[process])
		return why;
	return compare_locked(process) ?: compare_maps(process);
}

static const char *check(void *ctx)
{
	const char *why = NULL;

	(void)ctx;
	for (unsigned int i = 0; i < TWIN_PROCESSES && !why; i++)
		if (alive[i])
			why = compare_maps(i) ?: compare_pagemap(i) ?: (i ? NULL : compare_smaps(i));
	return why;
}

/* ---- Lives ---- */

static void exit_all(void)
{
	struct twin_call leave = { .what = TWIN_EXIT };

	for (unsigned int i = 0; i < TWIN_PROCESSES; i++) {
		if (!alive[i])
			continue;
		test_switch(&procs[i].task);
		test_process_exit(&procs[i]);
		if (i)
			(void)twin_do(i, &leave);
		alive[i] = false;
	}
}

static void reset(void *ctx)
{
	struct twin_call clean = { .what = TWIN_CLEAN }, locked = { .what = TWIN_LOCKED };

	(void)ctx;
	paged_out = freed = false;
	exit_all();
	(void)twin_do(0, &clean);
	if (twin_do(0, &locked)->value && twin_again())
		test_fail(__FILE__, __LINE__, "no second child");
	if (!test_process_start(&procs[0])) {
		test_fail(__FILE__, __LINE__, "no process");
		return;
	}
	procs[0].process.rlimit[RLIMIT_MEMLOCK] = (struct mm_rlimit){ 24 * PAGE, 24 * PAGE };
	alive[0] = true;
	test_map(TWIN_SCRATCH, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
	for (unsigned int i = 0; i < TWIN_FILES; i++)
		if (shmem_truncate(files[i]->f_inode, 0) ||
		    shmem_truncate(files[i]->f_inode, TWIN_FILE_PAGES * PAGE))
			test_fail(__FILE__, __LINE__, "a file is not emptied");
}

static bool begin(void)
{
	const char *missing = twin_start();
	int err = 0;

	memset(alive, 0, sizeof(alive));
	for (unsigned int i = 0; i < TWIN_FILES; i++) {
		char name[] = "twin0";

		name[4] = (char)('0' + i);
		files[i] = memfd_setup(name, MFD_CLOEXEC, &err);
		if (!files[i])
			test_fail(__FILE__, __LINE__, "memfd_setup: %d", err);
	}
	if (!missing)
		return true;
	test_skip("this host lacks %s", missing);
	return false;
}

static void end(void)
{
	exit_all();
	for (unsigned int i = 0; i < TWIN_FILES; i++)
		fput(files[i]);
	twin_stop();
}

static const struct model diff_model = {
	.name = "linux_diff",
	.reset = reset,
	.random = random_op,
	.apply = apply,
	.check = check,
	.describe = describe,
	.check_every = 16,
};

TEST(linux_diff, random_calls)
{
#ifdef __SANITIZE_THREAD__
	SKIP("processes that clone() makes by itself are not for the thread sanitizer");
#endif
	if (!begin())
		return;
	maps_too = true;
	for (unsigned int i = 0; i < test_scaled(10); i++)
		if (!model_run(&diff_model, test_seed + i, 400, NULL))
			break;
	end();
}
