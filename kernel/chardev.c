// SPDX-License-Identifier: MIT
/*
 * Devices by number: null(4), full(4), random(4), mem(4), console(4), and what blkdev.c opens. Numbers are Linux's
 * (Documentation/admin-guide/devices.txt).
 */
#include <octavo/port.h>
#include <octavo/vmalloc.h>

#include "blkdev.h"
#include "isa.h"
#include "kfs.h"
#include "kmsg.h"

/* ---- null, full ---- */

static s64 null_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)file;
	(void)to;
	(void)pos;
	return 0;
}

static s64 null_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	(void)file;
	(void)pos;
	return (s64)from->count;
}

static s64 full_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	size_t want = to->count, got = iov_iter_zero(want, to);

	(void)file;
	(void)pos;
	return got || !want ? (s64)got : -EFAULT;
}

static s64 full_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	(void)file;
	(void)pos;
	return from->count ? -ENOSPC : 0;
}

static s64 null_seek(struct file *file, s64 offset, int whence)
{
	(void)offset;
	(void)whence;
	file->f_pos = 0;
	return 0;
}

static const struct file_operations null_fops = { .read_iter = null_read,
						  .write_iter = null_write,
						  .llseek = null_seek,
						  .release = file_release_path,
						  .show_path = vfs_path };
static const struct file_operations full_fops = { .read_iter = full_read,
						  .write_iter = full_write,
						  .llseek = null_seek,
						  .release = file_release_path,
						  .show_path = vfs_path };

/* ---- random, urandom, getrandom(2): the port's generator ---- */

size_t random_to_iter(struct iov_iter *to)
{
	size_t total = 0;
	u64 words[8];

	while (to->count) {
		size_t n = min(to->count, sizeof(words)), got;

		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			words[i] = port_random();
		got = copy_to_iter(words, n, to);
		total += got;
		if (got < n || signal_pending())
			break;
	}
	return total;
}

static s64 random_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	size_t want = to->count, got = random_to_iter(to);

	(void)file;
	(void)pos;
	return got || !want ? (s64)got : -EFAULT;
}

static const struct file_operations random_fops = { .read_iter = random_read,
						    .write_iter = null_write,
						    .llseek = null_seek,
						    .release = file_release_path,
						    .show_path = vfs_path };

/* ---- port: I/O ports as bytes ---- */

static s64 ports_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	s64 total = 0;

	(void)file;
	for (; to->count && *pos < 65536; (*pos)++, total++) {
		u8 byte = inb((u16)*pos);

		if (!copy_to_iter(&byte, 1, to))
			return total ? total : -EFAULT;
	}
	return total;
}

static s64 ports_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	s64 total = 0;
	u8 byte;

	(void)file;
	for (; from->count && *pos < 65536; (*pos)++, total++) {
		if (!copy_from_iter(&byte, 1, from))
			return total ? total : -EFAULT;
		outb((u16)*pos, byte);
	}
	return total;
}

static const struct file_operations port_fops = { .read_iter = ports_read,
						  .write_iter = ports_write,
						  .release = file_release_path,
						  .show_path = vfs_path };

/* ---- kmem: the kernel's own memory ---- */

#define KMEM_CHUNK 256u

/* What vmalloc() and ioremap() show; the rest of the kernel is nobody's to read. Holes are zeros. */
static s64 kmem_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	char bounce[KMEM_CHUNK];
	s64 total = 0;

	(void)file;
	while (to->count) {
		size_t n = min_t(size_t, to->count, KMEM_CHUNK), got;
		const char *at = (const char *)(uintptr_t)*pos;

		memset(bounce, 0, sizeof(bounce));
		if (!is_vmalloc_addr(at) || vread(bounce, at, n) < 0)
			return total ? total : -ENXIO;
		got = copy_to_iter(bounce, n, to);
		*pos += got;
		total += (s64)got;
		if (got < n)
			return total ? total : -EFAULT;
	}
	return total;
}

static s64 kmem_seek(struct file *file, s64 offset, int whence)
{
	if (whence > SEEK_CUR)
		return -EINVAL;
	file->f_pos = whence == SEEK_SET ? (u64)offset : file->f_pos + (u64)offset;
	return (s64)file->f_pos;
}

static const struct file_operations kmem_fops = { .read_iter = kmem_read,
						  .llseek = kmem_seek,
						  .release = file_release_path,
						  .show_path = vfs_path };

/* ---- By number ---- */

struct device {
	const char *name;
	u32 mode; /* with S_IFCHR */
	u32 dev;
	const struct file_operations *fop;
	int (*open)(struct inode *inode, struct file *file);
};

/* The core's operations, with the kernel's name for the file. */
static struct file_operations zero_fops __memsys, mem_fops __memsys;

static int mem_open(struct inode *inode, struct file *file)
{
	if (inode->i_rdev == MKDEV(1, 2))
		file->f_mode |= FMODE_UNSIGNED;
	return task_capable(current_task(), CAP_SYS_RAWIO) ? 0 : -EPERM;
}

static const struct device devices[] = {
	{ "mem", S_IFCHR | 0640, MKDEV(1, 1), &mem_fops, mem_open },
	{ "kmem", S_IFCHR | 0640, MKDEV(1, 2), &kmem_fops, mem_open },
	{ "null", S_IFCHR | 0666, MKDEV(1, 3), &null_fops, NULL },
	{ "port", S_IFCHR | 0640, MKDEV(1, 4), &port_fops, mem_open },
	{ "zero", S_IFCHR | 0666, MKDEV(1, 5), &zero_fops, NULL },
	{ "full", S_IFCHR | 0666, MKDEV(1, 7), &full_fops, NULL },
	{ "random", S_IFCHR | 0666, MKDEV(1, 8), &random_fops, NULL },
	{ "urandom", S_IFCHR | 0666, MKDEV(1, 9), &random_fops, NULL },
	{ "kmsg", S_IFCHR | 0644, MKDEV(1, 11), &kmsg_fops, NULL },
	{ "tty", S_IFCHR | 0666, MKDEV(5, 0), NULL, tty_open },
	{ "console", S_IFCHR | 0600, MKDEV(5, 1), NULL, tty_open },
	{ "ttyS0", S_IFCHR | 0660, MKDEV(4, 64), NULL, tty_open },
	{ "userfaultfd", S_IFCHR | 0600, MKDEV(10, 257), &userfaultfd_dev_fops, NULL },
};

int device_open(struct inode *inode, struct file *file)
{
	if (S_ISBLK(inode->i_mode))
		return block_open(inode, file);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		const struct device *d = &devices[i];

		if (d->dev != inode->i_rdev || (d->mode & S_IFMT) != (inode->i_mode & S_IFMT))
			continue;
		if (d->fop)
			file->f_op = d->fop;
		return d->open ? d->open(inode, file) : 0;
	}
	return -ENXIO;
}

/* The tree of devtmpfs, while it is mounted at @dir. */
int devices_init(const char *dir)
{
	static const char *const links[][2] = { { "/proc/self/fd", "fd" },
						{ "/proc/self/fd/0", "stdin" },
						{ "/proc/self/fd/1", "stdout" },
						{ "/proc/self/fd/2", "stderr" } };
	char path[64];
	int err = 0;

	zero_fops = dev_zero_fops;
	fops_with_path(&zero_fops);
	mem_fops = dev_mem_fops;
	fops_with_path(&mem_fops);
	for (size_t i = 0; i < ARRAY_SIZE(devices) && !err; i++) {
		octavo_snprintf(path, sizeof(path), "%s/%s", dir, devices[i].name);
		err = vfs_mknod(path, devices[i].mode, devices[i].dev);
	}
	err = err ? err : block_nodes(dir);
	for (size_t i = 0; i < ARRAY_SIZE(links) && !err; i++) {
		octavo_snprintf(path, sizeof(path), "%s/%s", dir, links[i][1]);
		err = vfs_symlink(links[i][0], path);
	}
	octavo_snprintf(path, sizeof(path), "%s/shm", dir);
	return err ? err : vfs_mkdir(path, 01777);
}

void devices_show(struct ktext *text)
{
	ktext_printf(text, "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n");
	block_show_majors(text);
}
