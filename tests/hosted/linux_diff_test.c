// SPDX-License-Identifier: MIT
/*
 * The mmap family against the Linux underneath: random calls and accesses of a few processes (linux_calls.h), made here
 * and there at the same addresses. Results, errors, bytes, signals, what is mapped and how, what is present and what is
 * counted must be the same.
 */
#include <stdio.h>
#include <string.h>

#include <octavo/errno.h>
#include <octavo/proc_pid.h>
#include <octavo/shmem_fs.h>

#include "hosted.h"
#include "linux_calls.h"
#include "linux_text.h"
#include "linux_twin.h"
#include "mm/vm/vm.h"
#include "model.h"
#include "tasks.h"

static struct test_process procs[TWIN_PROCESSES];
static bool alive[TWIN_PROCESSES];
static struct file *files[TWIN_FILES];
static struct twin_result here;
static char wrong[3000];
static bool maps_too, paged_out, freed, sealed;
static int segments[TWIN_SEGMENTS];
static long maps_left = -1; /* how many more mappings are allowed; -1: as many as ever */
static struct twin_status base_here, base_there;

/* ---- Octavo's side ---- */

static long placed(long addr, size_t len)
{
	if (addr < 0 && addr > -4096)
		return addr;
	if ((uintptr_t)addr >= TWIN_ARENA && (uintptr_t)addr < TWIN_END)
		return addr;
	(void)ksys_munmap((uintptr_t)addr, len);
	return sizeof(long) == 8 && (unsigned long)addr >> 30 == 1 ? TWIN_SECOND_GIB : TWIN_OUTSIDE;
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

static void read_status(struct twin_status *status)
{
	const struct mm_struct *mm = current_task()->mm;
	u64 kib = PAGE / 1024;

	*status = (struct twin_status){ mm->locked_vm * kib, mm->total_vm * kib, mm->data_vm * kib,
					mm->stack_vm * kib };
}

static long set_limit(unsigned int which, long pages)
{
	static const u8 resources[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK };
	struct mm_process *process = current_task()->process;
	struct mm_rlimit *limit = &process->rlimit[resources[which]];
	struct twin_status now;

	read_status(&now);
	limit->cur = limit->max;
	if (pages >= 0)
		limit->cur = (unsigned long)pages * PAGE +
			     (which == TWIN_LIMIT_AS ? now.size : which == TWIN_LIMIT_DATA ? now.data : 0) * 1024;
	return 0;
}

static long count_attached(int id)
{
	u32 words[28];
	long value = ksys_shmctl(id, IPC_STAT, TWIN_SCRATCH);

	if (value)
		return value;
	(void)test_user_read(TWIN_SCRATCH, words, sizeof(words));
	return (long)words[sizeof(long) == 8 ? 22 : 18];
}

static long other_call(const struct twin_call *call)
{
	const long *a = call->args;

	switch (call->what) {
	case TWIN_BRK:
		return ksys_brk(TWIN_BRK_AT + (uintptr_t)a[0]);
	case TWIN_MSEAL:
		return ksys_mseal((uintptr_t)a[0], (size_t)a[1], (unsigned long)a[2]);
	case TWIN_REMAP_FILE:
		return ksys_remap_file_pages((uintptr_t)a[0], (size_t)a[1], (unsigned long)a[2], (unsigned long)a[3],
					     (unsigned long)a[4]);
	case TWIN_SHMAT:
		return placed(ksys_shmat(segments[a[0]], (uintptr_t)a[1], (int)a[2]), TWIN_SEGMENT_BYTES(a[0]));
	case TWIN_SHMDT:
		return ksys_shmdt((uintptr_t)a[0]);
	case TWIN_LIMIT:
		return set_limit((unsigned int)a[0], a[1]);
	case TWIN_NATTCH:
		return count_attached(segments[a[0]]);
	default:
		return -ENOSYS;
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
	case TWIN_TRUNCATE:
	case TWIN_PWRITE:
	case TWIN_PREAD:
	case TWIN_PUNCH:
		return do_file(call, r);
	default:
		return other_call(call);
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
	case TWIN_STATUS:
		read_status((struct twin_status *)(void *)r->bytes);
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

static bool status_of(unsigned int process, struct twin_status *ours, struct twin_status *theirs)
{
	struct twin_call call = { .what = TWIN_STATUS };
	const struct twin_result *there = twin_do(process, &call);

	if (!there)
		return false;
	octavo_do(process, &call, &here);
	memcpy(ours, here.bytes, sizeof(*ours));
	memcpy(theirs, there->bytes, sizeof(*theirs));
	return true;
}

/* What is counted of mappings, from when there were none. */
static const char *compare_status(unsigned int process)
{
	struct twin_status a, b;

	if (!status_of(process, &a, &b))
		return "Linux's process died";
	if (a.locked == b.locked && a.size - base_here.size == b.size - base_there.size &&
	    a.data - base_here.data == b.data - base_there.data &&
	    a.stack - base_here.stack == b.stack - base_there.stack)
		return NULL;
	snprintf(wrong, sizeof(wrong),
		 "KiB of process %u: locked %llu, mapped %lld, data %lld, stack %lld; Linux's: %llu, %lld, %lld, %lld",
		 process, (unsigned long long)a.locked, (long long)(a.size - base_here.size),
		 (long long)(a.data - base_here.data), (long long)(a.stack - base_here.stack),
		 (unsigned long long)b.locked, (long long)(b.size - base_there.size),
		 (long long)(b.data - base_there.data), (long long)(b.stack - base_there.stack));
	return wrong;
}

static const char *compare_attached(void)
{
	for (unsigned int i = 0; i < TWIN_SEGMENTS && !twin_lacks(TWIN_SHMAT); i++) {
		struct twin_call call = { .what = TWIN_NATTCH, .args = { (long)i } };
		const struct twin_result *there = twin_do(0, &call);

		if (!there)
			return "Linux's process died";
		octavo_do(0, &call, &here);
		if (here.value == there->value)
			continue;
		snprintf(wrong, sizeof(wrong), "segment %u is attached %ld times, Linux's %ld", i, here.value,
			 there->value);
		return wrong;
	}
	return NULL;
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

static unsigned long pages_of(long bytes)
{
	return ALIGN((unsigned long)bytes, PAGE) / PAGE;
}

/*
 * Linux from 6.17 on moves several mappings at once if they keep their size; 6.12, as Octavo, one. Its count of locked
 * pages is wrong after MREMAP_DONTUNMAP of locked memory.
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
	otherwise = vma && ((vma->vm_end < (uintptr_t)(a[0] + a[1]) && pages_of(a[1]) == pages_of(a[2])) ||
			    (vma->vm_flags & VM_LOCKED && a[3] & MREMAP_DONTUNMAP));
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

/* For brk() the limit is of the heap alone, for the rest of all data, of which the host's process has more. */
static bool limited_otherwise(const struct twin_call *call)
{
	return call->what == TWIN_BRK && current_task()->process->rlimit[RLIMIT_DATA].cur != RLIM_INFINITY;
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
	linux_call_decode(op, &call, &process);
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
	if (of_later_linux(&call) || up_to_reclaim(&call) || limited_otherwise(&call) || twin_lacks(call.what))
		return NULL;
	there = twin_do(process, &call);
	if (!there)
		return "Linux's process died";
	octavo_do(process, &call, &here);
	forgive_presence(&call, there);
	why = differs(there);
	sealed |= call.what == TWIN_MSEAL && !there->value;
	if (call.what == TWIN_FORK && !here.value)
		alive[child] = true;
	if (call.what == TWIN_EXIT)
		alive[process] = false;
	if (why || !maps_too || !alive[process])
		return why;
	return compare_status(process) ?: compare_maps(process);
}

static const char *check(void *ctx)
{
	const char *why = NULL;

	(void)ctx;
	for (unsigned int i = 0; i < TWIN_PROCESSES && !why; i++)
		if (alive[i])
			why = compare_maps(i) ?: compare_pagemap(i) ?: (i ? NULL : compare_smaps(i));
	return why ?: compare_attached();
}

/* ---- Lives ---- */

static bool status_of_twin(struct twin_status *status)
{
	struct twin_call call = { .what = TWIN_STATUS };
	const struct twin_result *there = twin_do(0, &call);

	if (there)
		memcpy(status, there->bytes, sizeof(*status));
	return there;
}

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

/* The first process as its twin begins: the heap's place, limits, a page outside, new segments. */
static bool start_process(void)
{
	struct test_process *p = &procs[0];
	struct mm_layout layout;

	if (!test_process_start(p))
		return false;
	alive[0] = true;
	mm_get_layout(p->task.mm, &layout);
	if (!twin_lacks(TWIN_BRK))
		layout.start_brk = layout.brk = TWIN_BRK_AT;
	mm_set_layout(p->task.mm, &layout);
	p->process.rlimit[RLIMIT_MEMLOCK].cur = p->process.rlimit[RLIMIT_MEMLOCK].max = TWIN_MEMLOCK_PAGES * PAGE;
	p->process.rlimit[RLIMIT_STACK].cur = RLIM_INFINITY;
	test_map(TWIN_SCRATCH, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
	for (unsigned int i = 0; i < TWIN_SEGMENTS; i++) {
		if (segments[i] >= 0)
			(void)ksys_shmctl(segments[i], IPC_RMID, 0);
		segments[i] = (int)ksys_shmget(IPC_PRIVATE, TWIN_SEGMENT_BYTES(i), 0600);
	}
	return true;
}

/* Linux's limit is everybody's: its process gets as many mappings as it takes. */
static void fill(void)
{
	struct twin_call call = { .what = TWIN_FILL, .args = { maps_left } };
	const struct twin_result *there = maps_left >= 0 ? twin_do(0, &call) : NULL;

	if (there && there->value)
		test_fail(__FILE__, __LINE__, "Linux's process cannot be filled with mappings: %ld", there->value);
}

static void reset(void *ctx)
{
	struct twin_call clean = { .what = TWIN_CLEAN };
	bool again = sealed;

	(void)ctx;
	paged_out = freed = sealed = false;
	exit_all();
	if (!again) {
		(void)twin_do(0, &clean);
		again = status_of_twin(&base_there) && base_there.locked;
	}
	if (again) {
		if (twin_again())
			test_fail(__FILE__, __LINE__, "no second child");
		(void)twin_do(0, &clean);
		fill();
	}
	if (!start_process()) {
		test_fail(__FILE__, __LINE__, "no process");
		return;
	}
	if (maps_left >= 0)
		sysctl_max_map_count = (int)(procs[0].task.mm->map_count + (unsigned int)maps_left);
	(void)status_of(0, &base_here, &base_there);
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
	memset(segments, -1, sizeof(segments));
	sealed = false;
	for (unsigned int i = 0; i < TWIN_FILES; i++) {
		char name[] = "twin0";

		name[4] = (char)('0' + i);
		files[i] = memfd_setup(name, MFD_CLOEXEC, &err);
		if (!files[i])
			test_fail(__FILE__, __LINE__, "memfd_setup: %d", err);
	}
	if (!missing) {
		static const u8 optional[] = { TWIN_BRK, TWIN_MSEAL, TWIN_SHMAT };
		struct twin_call clean = { .what = TWIN_CLEAN };

		(void)twin_do(0, &clean);
		for (unsigned int i = 0; i < ARRAY_SIZE(optional); i++)
			if (twin_lacks(optional[i]))
				printk("linux_diff: not compared, as this host lacks %s\n", twin_lacks(optional[i]));
		return true;
	}
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
	.random = linux_call_random,
	.apply = apply,
	.check = check,
	.describe = linux_call_describe,
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

/* The same with room for few mappings more: calls that would split or move fail, and leave what Linux leaves. */
TEST(linux_diff, near_max_map_count)
{
	int before = sysctl_max_map_count;

#ifdef __SANITIZE_THREAD__
	SKIP("processes that clone() makes by itself are not for the thread sanitizer");
#endif
	if (!begin())
		return;
	maps_too = true;
	for (unsigned int i = 0; i < test_scaled(2); i++) {
		/* A new child with as many mappings as leave so much room. */
		maps_left = 6 + 5 * (long)(i % 2);
		sealed = true;
		if (!model_run(&diff_model, test_seed + i, 250, NULL))
			break;
	}
	maps_left = -1;
	sysctl_max_map_count = before;
	end();
}
