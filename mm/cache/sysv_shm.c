// SPDX-License-Identifier: MIT
/*
 * SysV shared memory: shmget(2), shmat(2), shmdt(2). shmctl(2) is in sysv_shm_ctl.c.
 *
 * A segment is a shmem file without a name and a slot in a table. Each shmat() opens the file anew, with the rights it
 * asked for, and maps that; the VMAs count as users of the segment, so that splits, fork and exit are counted too
 * (vm_operations_struct.open and close). A segment that is marked for destruction (IPC_RMID) cannot be found by its key
 * any more and goes with its last user; its id works until then.
 *
 * Invariants
 *	SH-I5  shm.used segments are in slots, of shm.pages pages together; a segment without users is not marked for
 *	       destruction.
 *
 * Locking
 *	shm.lock guards table and segments. It is taken inside the mmap lock (open, close), so nobody maps or unmaps or
 *	copies from user space while he holds it, or puts a file.
 *
 * Differences from Linux
 *	There is one IPC namespace. SHM_HUGETLB: there are no pools, -EINVAL. shm_rmid_forced is not there.
 *
 * Sources: the manual pages, sysvipc(7), proc_sys_kernel(5).
 */
#include "sysv_shm.h"

#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../vm/userfaultfd.h"
#include "shmem.h"

#define SHM_MIN 1u
#define OVERCOMMIT_NEVER 2
#define PERMISSIONS 0777u
/* Slots are used in turn over at least so many, so that an id just given up is not given out at once. */
#define SLOT_CYCLE 64u
#define SEQ_MAX (0x7fffffffu / SHM_SLOTS)

/* 2^24 below what a word holds: Linux's defaults, so that sums do not wrap. */
#define SHM_MAX_DEFAULT (~0ul - (1ul << 24))
#define SHM_MNI_DEFAULT 4096

struct shm_state shm __memsys;

static u64 seconds(void)
{
	return octavo_realtime_ns() / 1000000000u;
}

/* ---- The table ---- */

struct shm_segment *shm_next(unsigned long *slot)
{
	return xa_find(&shm.slots, slot, SHM_SLOTS - 1);
}

struct shm_segment *shm_find(int id, int *err)
{
	struct shm_segment *seg = id < 0 ? NULL : xa_load(&shm.slots, (unsigned int)id % SHM_SLOTS);

	*err = !seg ? -EINVAL : seg->id != id ? -EIDRM : 0;
	return *err ? NULL : seg;
}

static struct shm_segment *find_key(s32 key)
{
	struct shm_segment *seg;

	for (unsigned long slot = 0; (seg = shm_next(&slot)); slot++)
		if (seg->key == key)
			return seg;
	return NULL;
}

bool shm_permitted(const struct shm_segment *seg, u32 flags)
{
	const struct mm_task *task = current_task();
	const struct mm_process *p = task->process;
	u32 wanted = flags >> 6 | flags >> 3 | flags, granted = seg->mode;

	if (p->uid == seg->cuid || p->uid == seg->uid)
		granted >>= 6;
	else if (p->gid == seg->cgid || p->gid == seg->gid)
		granted >>= 3;
	return !(wanted & ~granted & 7u) || task_capable(task, CAP_IPC_OWNER);
}

/* The next free slot, in turn. Context: shm.lock, fewer in use than the limit. */
static unsigned int pick_slot(void)
{
	unsigned int wide = max(shm.used + shm.used / 2, SLOT_CYCLE), most = min(wide, SHM_SLOTS);
	unsigned int slot = shm.last_slot;

	do
		slot = slot + 1 < most ? slot + 1 : 0;
	while (xa_load(&shm.slots, slot));
	return slot;
}

static int add_segment(struct shm_segment *seg)
{
	unsigned int slot;

	if (shm.used >= (unsigned int)shm.limits.mni || shm.used >= SHM_SLOTS)
		return -ENOSPC;
	slot = pick_slot();
	if (xa_store_order(&shm.slots, slot, 0, seg, GFP_KERNEL))
		return -ENOMEM;
	/* ~0 before the first one. */
	if (shm.last_slot != ~0u && slot <= shm.last_slot)
		shm.seq = shm.seq + 1 < SEQ_MAX ? shm.seq + 1 : 0;
	shm.last_slot = slot;
	seg->id = (s32)(shm.seq * SHM_SLOTS + slot);
	shm.used++;
	shm.pages += shm_pages(seg->size);
	return 0;
}

struct file *shm_reap(struct shm_segment *seg)
{
	struct file *file = seg->file;

	if (seg->nattch || !(seg->mode & SHM_DEST))
		return NULL;
	(void)xa_erase(&shm.slots, (unsigned int)seg->id % SHM_SLOTS);
	shm.used--;
	shm.pages -= shm_pages(seg->size);
	kfree(seg);
	return file;
}

static void put_file(struct file *file)
{
	if (file)
		fput(file);
}

/* ---- shmget ---- */

static long new_segment(s32 key, size_t size, int flags)
{
	const struct mm_task *task = current_task();
	bool no_reserve = flags & SHM_NORESERVE && sysctl_overcommit_memory != OVERCOMMIT_NEVER;
	struct shm_segment *seg;
	char name[sizeof("SYSV00000000")];
	int err;

	if (size < SHM_MIN || size > shm.limits.max)
		return -EINVAL;
	if (shm_pages(size) > shm.limits.all || shm.pages > shm.limits.all - shm_pages(size))
		return -ENOSPC;
	if (flags & SHM_HUGETLB)
		return -EINVAL;
	seg = kzalloc(sizeof(*seg), GFP_KERNEL);
	if (!seg)
		return -ENOMEM;
	octavo_snprintf(name, sizeof(name), "SYSV%08x", (u32)key);
	seg->file = shmem_file_setup(name, size, no_reserve ? VM_NORESERVE : 0, &err);
	if (!seg->file) {
		kfree(seg);
		return err;
	}
	seg->key = key;
	seg->uid = seg->cuid = task->process->uid;
	seg->gid = seg->cgid = task->process->gid;
	seg->mode = (u32)flags & PERMISSIONS;
	seg->size = size;
	seg->ctime = seconds();
	seg->cpid = task->tgid;
	err = add_segment(seg);
	if (err) {
		fput(seg->file);
		kfree(seg);
		return err;
	}
	seg->file->f_inode->i_ino = (u64)seg->id;
	return seg->id;
}

static long get_locked(s32 key, size_t size, int flags)
{
	const struct shm_segment *seg = key == IPC_PRIVATE ? NULL : find_key(key);

	if (!seg)
		return key == IPC_PRIVATE || flags & IPC_CREAT ? new_segment(key, size, flags) : -ENOENT;
	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	if (seg->size < size)
		return -EINVAL;
	return shm_permitted(seg, (u32)flags) ? seg->id : -EACCES;
}

long ksys_shmget(s32 key, size_t size, int flags)
{
	long ret;

	mutex_lock(&shm.lock);
	ret = get_locked(key, size, flags);
	mutex_unlock(&shm.lock);
	return ret;
}

/* ---- Mappings ---- */

static struct shm_segment *segment_of(const struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

/* Context: shm.lock. */
static void count_user(struct shm_segment *seg)
{
	seg->atime = seconds();
	seg->lpid = current_task()->tgid;
	seg->nattch++;
}

static void shm_vma_open(struct vm_area_struct *vma)
{
	mutex_lock(&shm.lock);
	count_user(segment_of(vma));
	mutex_unlock(&shm.lock);
}

static void shm_vma_close(struct vm_area_struct *vma)
{
	struct shm_segment *seg = segment_of(vma);
	struct file *file;

	mutex_lock(&shm.lock);
	seg->dtime = seconds();
	seg->lpid = current_task()->tgid;
	seg->nattch--;
	file = shm_reap(seg);
	mutex_unlock(&shm.lock);
	put_file(file);
}

static const struct vm_operations_struct shm_vm_ops = {
	.open = shm_vma_open,
	.close = shm_vma_close,
	.fault = shmem_fault,
	.map_pages = filemap_map_pages,
};

/*
 * An attachment's file may outlive its segment: remap_file_pages(2) over the last VMA of one that is marked for
 * destruction unmaps first. The inode says whether what has the id now is still the segment of this file.
 */
static int shm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file->f_inode;
	struct shm_segment *seg;
	int err;

	mutex_lock(&shm.lock);
	seg = shm_find((int)inode->i_ino, &err);
	if (seg && seg->file->f_inode == inode) {
		count_user(seg);
		vma->vm_ops = &shm_vm_ops;
	} else {
		err = -EINVAL;
	}
	mutex_unlock(&shm.lock);
	return err;
}

static int shm_fsync(struct file *file, u64 start, u64 end, bool datasync)
{
	return shmem_file_operations.fsync(file, start, end, datasync);
}

static long shm_fallocate(struct file *file, int mode, u64 offset, u64 len)
{
	return shmem_fallocate(file, mode, offset, len);
}

static size_t shm_show_path(const struct file *file, char *text, size_t size)
{
	return shmem_file_operations.show_path(file, text, size);
}

static const struct file_operations shm_file_operations = {
	.mmap = shm_mmap,
	.fsync = shm_fsync,
	.fallocate = shm_fallocate,
	.show_path = shm_show_path,
};

/* ---- shmat ---- */

struct attach {
	unsigned long prot, map_flags;
	u32 mode, wanted; /* FMODE_*; rights as in a mode */
	bool replace;
};

static int attach_flags(uintptr_t *addr, int flags, struct attach *how)
{
	if (*addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr &= PAGE_MASK;
	}
	if (!*addr && flags & SHM_REMAP)
		return -EINVAL;
	how->map_flags = MAP_SHARED | (*addr ? MAP_FIXED : 0);
	how->replace = flags & SHM_REMAP;
	how->prot = PROT_READ;
	how->mode = FMODE_READ;
	how->wanted = 0444;
	if (!(flags & SHM_RDONLY)) {
		how->prot |= PROT_WRITE;
		how->mode |= FMODE_WRITE;
		how->wanted |= 0222;
	}
	if (flags & SHM_EXEC) {
		how->prot |= PROT_EXEC;
		how->wanted |= 0111;
	}
	return 0;
}

/* An open file of one attachment's. The segment has a user on our behalf from here on. */
static struct file *open_segment(int id, const struct attach *how, struct shm_segment **found, int *err)
{
	struct shm_segment *seg;
	struct file *file = NULL;

	mutex_lock(&shm.lock);
	seg = shm_find(id, err);
	if (seg && !shm_permitted(seg, how->wanted))
		*err = -EACCES;
	if (!*err) {
		ihold(seg->file->f_inode);
		seg->nattch++;
	}
	mutex_unlock(&shm.lock);
	if (*err)
		return NULL;
	*found = seg;
	file = alloc_file(seg->file->f_inode, how->mode, how->mode & FMODE_WRITE ? O_RDWR : 0, &shm_file_operations);
	if (!file) {
		iput(seg->file->f_inode);
		*err = -ENOMEM;
		return NULL;
	}
	file->private_data = seg;
	return file;
}

static void drop_user(struct shm_segment *seg)
{
	struct file *file;

	mutex_lock(&shm.lock);
	seg->nattch--;
	file = shm_reap(seg);
	mutex_unlock(&shm.lock);
	put_file(file);
}

/* That something is there already comes before whatever else could be wrong. */
static long map_segment(struct file *file, uintptr_t addr, size_t size, const struct attach *how)
{
	struct mm_struct *mm = current_task()->mm;
	const struct vm_area_struct *there;
	size_t populate = 0;
	long ret = 0;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (addr && !how->replace) {
		there = find_vma(mm, addr);
		if (addr + size < addr || (there && there->vm_start < addr + size))
			ret = -EINVAL;
	}
	if (!ret)
		ret = do_mmap(mm, file, addr, size, how->prot, how->map_flags, 0, 0, &populate);
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	if (populate)
		(void)mm_populate(mm, (uintptr_t)ret, (uintptr_t)ret + populate);
	return ret;
}

long ksys_shmat(int id, uintptr_t addr, int flags)
{
	struct shm_segment *seg = NULL;
	struct attach how;
	struct file *file;
	long ret;
	int err;

	if (id < 0)
		return -EINVAL;
	err = attach_flags(&addr, flags, &how);
	if (err)
		return err;
	file = open_segment(id, &how, &seg, &err);
	if (file) {
		ret = map_segment(file, addr, (size_t)seg->size, &how);
		fput(file);
	} else {
		ret = err;
	}
	if (seg)
		drop_user(seg);
	return ret;
}

/* ---- shmdt ---- */

/* Would @vma lie where it does if the segment had been attached at @addr? */
static bool belongs(const struct vm_area_struct *vma, uintptr_t addr)
{
	return vma->vm_ops == &shm_vm_ops && vma->vm_start >= addr &&
	       (vma->vm_start - addr) >> PAGE_SHIFT == vma->vm_pgoff;
}

long ksys_shmdt(uintptr_t addr)
{
	struct mm_struct *mm = current_task()->mm;
	struct file *file = NULL;
	uintptr_t at = addr, end = 0;
	long ret = -EINVAL;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	for (;;) {
		struct vm_area_struct *vma = find_vma(mm, at);
		uintptr_t start, stop;

		if (!vma || (file && vma->vm_end > end))
			break;
		start = vma->vm_start;
		stop = vma->vm_end;
		/* The first piece that is left says which attachment this is; only its own pieces go. */
		if (belongs(vma, addr) && (!file || vma->vm_file == file)) {
			if (!file) {
				file = get_file(vma->vm_file);
				end = addr + (shm_pages(i_size_read(file->f_inode)) << PAGE_SHIFT);
			}
			ret = do_munmap(mm, start, stop - start);
			/* A piece that is sealed stays, which is no error of the call's. */
			if (ret && ret != -EPERM)
				break;
			ret = 0;
		}
		at = stop;
	}
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	put_file(file);
	return ret;
}

/* ---- Start-up and verifier ---- */

static int init(void)
{
	shm.lock = (struct mutex)MUTEX_INIT;
	shm.last_slot = ~0u;
	shm.limits = (struct shm_limits){ SHM_MAX_DEFAULT, SHM_MAX_DEFAULT, SHM_MNI_DEFAULT };
	return 0;
}

static void verify(struct findings *f)
{
	const struct shm_segment *seg;
	unsigned long pages = 0;
	unsigned int used = 0;

	for (unsigned long slot = 0; (seg = shm_next(&slot)); slot++) {
		used++;
		pages += shm_pages(seg->size);
		if (!seg->nattch && seg->mode & SHM_DEST)
			finding(f, "SH-I5: segment %d is marked for destruction and has no users", seg->id);
	}
	if (used != shm.used || pages != shm.pages)
		finding(f, "SH-I5: %u segments of %lu pages, counted were %u of %lu", used, pages, shm.used, shm.pages);
}

MM_PART(sysv_shm, .order = MM_PART_FILES, .init = init, .verify = verify);
