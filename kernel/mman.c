// SPDX-License-Identifier: MIT
/* The memory system calls' last step: descriptors, other processes, and the core's ksys_*(). */
#include "kernel.h"
#include "kfs.h"

#include <octavo/mman.h>
#include <octavo/shmem_fs.h>

static long sys_mmap(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags, int fd, u64 offset)
{
	struct file *file = NULL;
	long result;

	if (offset & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get(fd);
		if (!file)
			return -EBADF;
	}
	result = ksys_mmap(addr, len, prot, flags, file, offset);
	if (file)
		fput(file);
	return result;
}
SYSCALL(9, sys_mmap);

SYSCALL(10, ksys_mprotect);
SYSCALL(11, ksys_munmap);
SYSCALL(12, ksys_brk);
SYSCALL(25, ksys_mremap);
SYSCALL(26, ksys_msync);
SYSCALL(27, ksys_mincore);
SYSCALL(151, ksys_mlockall);
SYSCALL(152, ksys_munlockall);
SYSCALL(150, ksys_munlock);
SYSCALL(216, ksys_remap_file_pages);
SYSCALL(329, ksys_pkey_mprotect);
SYSCALL(331, ksys_pkey_free);
SYSCALL(462, ksys_mseal);
SYSCALL(324, ksys_membarrier);
SYSCALL(29, ksys_shmget);
SYSCALL(30, ksys_shmat);
SYSCALL(31, ksys_shmctl);
SYSCALL(67, ksys_shmdt);

static long sys_pkey_alloc(unsigned long flags, unsigned long rights)
{
	long key = ksys_pkey_alloc(flags, rights);

	if (key >= 0) {
		current_process()->uses_pkeys = true;
		arch_write_pkru((unsigned int)key, (u32)rights);
	}
	return key;
}
SYSCALL(330, sys_pkey_alloc);

/* What is sealed is not discarded by whom its protection key does not let write: the core looks at the key's rights. */
static long sys_madvise(uintptr_t addr, size_t len, int advice)
{
	if (unlikely(current_process()->uses_pkeys))
		arch_read_pkru();
	return ksys_madvise(addr, len, advice);
}
SYSCALL(28, sys_madvise);

static long sys_mlock(uintptr_t addr, size_t len)
{
	return ksys_mlock(addr, len, 0);
}
SYSCALL(149, sys_mlock);

static long sys_mlock2(uintptr_t addr, size_t len, int flags)
{
	return flags & ~MLOCK_ONFAULT ? -EINVAL : ksys_mlock(addr, len, (unsigned int)flags);
}
SYSCALL(325, sys_mlock2);

/* ---- Other processes ---- */

static struct mm_struct *mm_of(int pid, long *err)
{
	struct task *task = thread_find(pid);
	struct mm_struct *mm;
	int why;

	*err = -ESRCH;
	if (!task)
		return NULL;
	mm = task_mm_access(task, true, &why);
	if (why)
		*err = -EPERM;
	task_put(task);
	return mm;
}

static struct mm_struct *mm_of_process(struct process *p, long *err)
{
	struct mm_struct *mm = NULL;
	struct task *task;
	int why = 0;

	for (int tid = 1; !mm && !why && (task = thread_next(p, tid)) != NULL; tid = task->core.pid + 1, task_put(task))
		mm = task_mm_access(task, true, &why);
	*err = why ? -EPERM : -ESRCH;
	return mm;
}

/* Two lists of ranges side by side. Return: bytes; an errno only if there were none. */
static long walk_pairs(struct mm_struct *mm, const struct kiovec *local, unsigned long nl,
		       const struct kiovec *remote, unsigned long nr, bool write)
{
	unsigned long i = 0, k = 0;
	size_t at = 0, there = 0;
	long total = 0;

	while (i < nl && k < nr) {
		size_t len = min(local[i].len - at, remote[k].len - there);
		long got = 0;

		if (len)
			got = ksys_process_vm_rw(mm, remote[k].base + there, local[i].base + at, len, write);
		if (got < 0)
			return total ? total : got;
		total += got;
		if ((size_t)got < len)
			return total ? total : -EFAULT;
		at += len;
		there += len;
		if (at == local[i].len)
			i++, at = 0;
		if (there == remote[k].len)
			k++, there = 0;
	}
	return total;
}

static long process_vm(int pid, uintptr_t lvec, unsigned long nl, uintptr_t rvec, unsigned long nr, unsigned long flags,
		       bool write)
{
	struct kiovec *local, *remote = NULL;
	struct mm_struct *mm;
	long result;

	if (flags)
		return -EINVAL;
	local = user_iov(lvec, nl, true, &result);
	if (!local)
		return result;
	remote = user_iov(rvec, nr, false, &result);
	mm = remote ? mm_of(pid, &result) : NULL;
	if (mm) {
		result = walk_pairs(mm, local, nl, remote, nr, write);
		mmput(mm);
	}
	kfree(remote);
	kfree(local);
	return result;
}

static long sys_process_vm_readv(int pid, uintptr_t l, unsigned long nl, uintptr_t r, unsigned long nr,
				 unsigned long flags)
{
	return process_vm(pid, l, nl, r, nr, flags, false);
}
SYSCALL(310, sys_process_vm_readv);

static long sys_process_vm_writev(int pid, uintptr_t l, unsigned long nl, uintptr_t r, unsigned long nr,
				  unsigned long flags)
{
	return process_vm(pid, l, nl, r, nr, flags, true);
}
SYSCALL(311, sys_process_vm_writev);

static long sys_process_madvise(int fd, uintptr_t vec, unsigned long nr, int advice, unsigned int flags)
{
	struct process *p = flags ? NULL : pidfd_process(fd);
	struct kiovec *iov;
	struct mm_struct *mm;
	long result, done = 0;

	if (!p)
		return flags ? -EINVAL : -EBADF;
	iov = user_iov(vec, nr, false, &result);
	mm = iov ? mm_of_process(p, &result) : NULL;
	process_put(p);
	for (unsigned long i = 0; mm && i < nr; i++) {
		result = ksys_process_madvise(mm, iov[i].base, iov[i].len, advice);
		if (result < 0)
			break;
		done += (long)iov[i].len;
	}
	if (mm)
		mmput(mm);
	kfree(iov);
	return done ? done : result;
}
SYSCALL(440, sys_process_madvise);

/* (t) Killed, or ending by itself: it does not run its program again. */
static bool is_dying(const struct process *p)
{
	return (p->exiting && !p->execing) || !p->nr_threads;
}

/* Of all processes that use @mm, with a look at each. */
static bool users_are_dying(const struct mm_struct *mm)
{
	struct task *task;
	bool dying = true;

	for (int pid = 1; dying && (task = task_next(pid)) != NULL; pid = task->core.pid + 1, task_put(task)) {
		struct process *p = task->process;
		unsigned long flags = klock(&tasks_lock);

		node_for_each(n, &p->threads)
			if (node_entry(n, struct task, threads)->core.mm == mm && !is_dying(p))
				dying = false;
		kunlock(&tasks_lock, flags);
	}
	return dying;
}

static long sys_process_mrelease(int fd, unsigned int flags)
{
	struct process *p = flags ? NULL : pidfd_process(fd);
	struct mm_struct *mm = NULL;
	struct task *task;
	long result = -ESRCH;

	if (!p)
		return flags ? -EINVAL : -EBADF;
	for (int tid = 1; !mm && (task = thread_next(p, tid)) != NULL; tid = task->core.pid + 1, task_put(task))
		mm = task_mm(task);
	process_put(p);
	if (mm) {
		result = users_are_dying(mm) ? ksys_process_mrelease(mm) : -EINVAL;
		mmput(mm);
	}
	return result;
}
SYSCALL(448, sys_process_mrelease);

/* ---- Files that are memory ---- */

static long sys_memfd_create(uintptr_t name_user, unsigned int flags)
{
	struct file *file;
	char *name;
	int err, fd;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	name = get_user_string(name_user, 256 - 6, &err); /* NAME_MAX less "memfd:" */
	if (!name)
		return err == -ENAMETOOLONG ? -EINVAL : err;
	file = memfd_setup(name, flags, &err);
	kfree(name);
	if (!file)
		return err;
	fd = fd_install(file, 0, flags & MFD_CLOEXEC);
	if (fd < 0)
		fput(file);
	return fd;
}
SYSCALL(319, sys_memfd_create);
