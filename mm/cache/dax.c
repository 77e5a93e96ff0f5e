// SPDX-License-Identifier: MIT
/*
 * Direct access: files whose contents are device memory that behaves like memory (persistent memory, a host's RAM
 * shown as a device). There is no page cache: read() and write() copy, mappings lead to the frames themselves. A
 * private mapping reads the device's frames and copies one when it is written to. The kernel sees the
 * whole device, in its own address space, as long as the file is there.
 *
 * The frames have no descriptor that anybody counts in, so entries are special (VM_MIXEDMAP). What is written through a
 * shared mapping is in the device at once, so MAP_SYNC has nothing to do and is accepted (AS_DAX says so).
 *
 * Sources: Documentation/filesystems/dax.rst, mmap(2) MAP_SYNC.
 */
#include <octavo/highmem.h>
#include <octavo/io.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/slab.h>
#include <octavo/uaccess.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../kmap/memremap.h"
#include "../sync/atomic.h"
#include "../vm/vm.h"
#include "shmem.h"

struct dax_inode {
	struct inode inode;
	phys_addr_t phys; /* page aligned */
	char *memory;	  /* where the kernel sees it */
	char *name;
	struct rcu_head rcu;
};

static struct dax_inode *dax_i(const struct inode *inode)
{
	return container_of(inode, struct dax_inode, inode);
}

static unsigned long dax_pfn(const struct inode *inode, unsigned long index)
{
	return PFN_DOWN(dax_i(inode)->phys) + index;
}

/* ---- read and write ---- */

/* A piece that lies in one page. Return: bytes, fewer than @n: a bad user address. */
static size_t copy_piece(struct inode *inode, struct iov_iter *iter, u64 pos, size_t n, bool write)
{
	char *p = dax_i(inode)->memory + pos;
	size_t done;

	pagefault_disable();
	done = write ? copy_from_iter(p, n, iter) : copy_to_iter(p, n, iter);
	pagefault_enable();
	return done;
}

static bool fault_in(const struct iov_iter *iter, size_t n, bool write)
{
	uintptr_t base = (uintptr_t)iter->base;

	return iter->user && (write ? fault_in_readable(base, n) : fault_in_writeable(base, n)) < n;
}

static s64 dax_copy(struct inode *inode, struct iov_iter *iter, u64 *pos, bool write)
{
	u64 size = i_size_read(inode);
	s64 total = 0;

	while (iter->count && *pos < size) {
		size_t room = PAGE_SIZE - (size_t)(*pos & (PAGE_SIZE - 1)), n = min(iter->count, room), done;

		n = (size_t)min_t(u64, n, size - *pos);
		done = copy_piece(inode, iter, *pos, n, write);

		*pos += done;
		total += (s64)done;
		if (done < n && !fault_in(iter, n - done, write))
			return total ? total : -EFAULT;
		if (fatal_signal_pending(current_task()))
			return total ? total : -EINTR;
	}
	return total;
}

static s64 dax_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	return dax_copy(file->f_inode, to, pos, false);
}

static s64 dax_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct inode *inode = file->f_inode;
	s64 ret;

	if (!from->count)
		return 0;
	down_write(&inode->i_rwsem);
	if (file->f_flags & O_APPEND)
		*pos = i_size_read(inode);
	/* A device does not grow. */
	ret = *pos >= i_size_read(inode) ? -ENOSPC : dax_copy(inode, from, pos, true);
	if (ret > 0)
		inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
	up_write(&inode->i_rwsem);
	return ret;
}

/* ---- Mappings ---- */

static vm_fault_t dax_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct inode *inode = vma->vm_file->f_inode;
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	if ((u64)vmf->pgoff << PAGE_SHIFT >= i_size_read(inode))
		return VM_FAULT_SIGBUS;
	if (vmf->cow_page && !(vma->vm_flags & VM_SHARED) && vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)) {
		memcpy_to_page(vmf->cow_page, 0, dax_i(inode)->memory + ((size_t)vmf->pgoff << PAGE_SHIFT), PAGE_SIZE);
		return VM_FAULT_DONE_COW;
	}
	return vmf_insert_mixed(vma, vmf->address, dax_pfn(inode, vmf->pgoff), write && vma->vm_flags & VM_SHARED);
}

static const struct vm_operations_struct dax_vm_ops = {
	.fault = dax_fault,
};

static int dax_mmap(struct file *file, struct vm_area_struct *vma)
{
	(void)file;
	vma->vm_ops = &dax_vm_ops;
	vm_flags_set(vma, VM_MIXEDMAP);
	return 0;
}

static int dax_fsync(struct file *file, u64 start, u64 end, bool datasync)
{
	(void)file;
	(void)start;
	(void)end;
	(void)datasync;
	return 0;
}

static size_t dax_show_path(const struct file *file, char *text, size_t size)
{
	return octavo_snprintf(text, size, "/%s", dax_i(file->f_inode)->name);
}

static const struct file_operations dax_fops = {
	.read_iter = dax_read,
	.write_iter = dax_write,
	.mmap = dax_mmap,
	.fsync = dax_fsync,
	.llseek = generic_file_llseek,
	.show_path = dax_show_path,
};

/* ---- Making one ---- */

static void free_inode(struct rcu_head *head)
{
	kfree(container_of(head, struct dax_inode, rcu));
}

static void dax_evict(struct inode *inode)
{
	struct dax_inode *dax = dax_i(inode);

	inode_evict_mapping(inode);
	memunmap(dax->memory);
	kfree(dax->name);
	call_rcu(&dax->rcu, free_inode);
}

static const struct inode_operations dax_inode_operations = {
	.evict = dax_evict,
};

static const struct address_space_operations dax_aops = {
	.dirty_folio = noop_dirty_folio,
};

static struct dax_inode *make_inode(const char *name, phys_addr_t phys, u64 size)
{
	struct dax_inode *dax = kzalloc(sizeof(*dax), GFP_KERNEL);
	struct inode *inode;

	if (!dax)
		return NULL;
	inode = &dax->inode;
	dax->phys = phys;
	dax->name = kstrdup(name, GFP_KERNEL);
	dax->memory = memremap(phys, (size_t)ALIGN(size, PAGE_SIZE), MEMREMAP_WB);
	if (!dax->name || !dax->memory || inode_init_mapping(inode, &dax_aops, GFP_KERNEL)) {
		if (dax->memory)
			memunmap(dax->memory);
		kfree(dax->name);
		kfree(dax);
		return NULL;
	}
	inode->i_mode = S_IFREG | 0600u;
	inode->i_nlink = inode->i_refs = 1;
	inode->i_op = &dax_inode_operations;
	inode->i_fop = &dax_fops;
	inode->i_atime = inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
	atomic_fetch_or(&inode->i_data.flags, 1ul << AS_DAX);
	i_size_write(inode, size);
	return dax;
}

struct file *dax_file_setup(const char *name, phys_addr_t phys, u64 size, int *err)
{
	struct dax_inode *dax;
	struct file *file;

	*err = -EINVAL;
	if (phys & (PAGE_SIZE - 1) || !size || size > SHMEM_MAX_BYTES || phys + size < phys ||
	    ram_share(phys, (size_t)size) != RAM_NONE) {
		pr_err("dax_file_setup: %s: [%#llx, +%#llx) is empty, not aligned, or memory of the machine's own\n",
		       name, (unsigned long long)phys, (unsigned long long)size);
		return NULL;
	}
	*err = -ENOMEM;
	dax = make_inode(name, phys, size);
	if (!dax)
		return NULL;
	file = alloc_file(&dax->inode, FMODE_READ | FMODE_WRITE, O_RDWR, &dax_fops);
	if (!file) {
		iput(&dax->inode);
		return NULL;
	}
	*err = 0;
	return file;
}
