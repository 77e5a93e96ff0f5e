// SPDX-License-Identifier: MIT
/*
 * The file side of the reference kernel.
 *
 * Purpose
 *   Names for what the core keeps in memory, and the system calls on them: enough for a BusyBox shell, static programs
 *   and test suites of memory management. Contents of files are the core's (<octavo/fs.h>, <octavo/shmem_fs.h>).
 *
 * Words
 *   dentry: a name. vnode: an inode without a page cache. tree: a file system whose names are its dentries. dynamic:
 *   one that makes them when they are looked up. walk: a path on its way to what it names.
 *
 * Structures
 *   fd table (files.c) -> struct file (the core's) -> inode
 *                              f_path |
 *                            struct path { mount, dentry } -> dentry -> inode
 *                                                               parent ^
 *
 * Files
 *   dentry.c namei.c mount.c vnode.c: names; tmpfs.c: trees; procfs.c kernfile.c procpid*.c genfile.c: text that is
 *   made when read; *dev.c console.c ldisc.c kmsg.c virtio_blk.c: devices; pipe.c eventfd.c epoll.c poll.c: waiting;
 *   open.c files.c rw.c stat.c dirs.c attr.c flock.c fscontext.c: system calls; cpio.c initramfs.c: the first files.
 *
 * Invariants
 *   KN-I1 a dentry in a tree is hashed exactly once, under its parent and name. KN-I2 a dentry's parent lives as long
 *   as it does. KN-I3 a mounted directory cannot be removed or renamed. KN-I4 a pipe holds at most what its pages hold,
 *   and a write of up to PIPE_BUF bytes is in it as a whole or not at all.
 *
 * Locking
 *   One sleeping lock of names (names_lock()), then an inode's i_rwsem, then the core's. A pipe's lock is by itself:
 *   user memory may be faulted in below it, as below i_rwsem. The descriptor table's and the terminal's are spinlocks.
 *
 * What failure does
 *   Every call that makes something undoes it; an archive that ends early leaves the files before the bad place, and
 *   the kernel says where it was.
 *
 * Differences from Linux
 *   One name space for all processes; mount propagation is accepted and means nothing. Names are found under one lock.
 *   Set-user-ID bits are kept and not acted upon.
 *
 * Sources
 *   POSIX.1-2017; the manual pages of section 2, 4, 5 and 7 named in each file.
 */
#include "kfs.h"
#include "virtio_blk.h"

static int mount_at(const struct fs_type *type, const char *source, const char *dir, unsigned long flags)
{
	struct path at;
	int err = vfs_mkdir(dir, 0755);

	if (err && err != -EEXIST)
		return err;
	err = path_lookup(AT_FDCWD, dir, WALK_FOLLOW, &at);
	if (err)
		return err;
	err = mount_new(type, source, "", flags, &at);
	path_put(&at);
	return err;
}

/* What Linux leaves to /init is done for it: a program in an archive without directories finds these. */
static int mount_all(void)
{
	static const struct {
		const struct fs_type *type;
		const char *source, *dir;
		unsigned long flags;
	} all[] = {
		{ &devtmpfs_type, "devtmpfs", "/dev", MS_NOSUID },
		{ &proc_type, "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ &sysfs_type, "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int err = mount_at(all[i].type, all[i].source, all[i].dir, all[i].flags);

		if (err) {
			printk("vfs: %s cannot be mounted on %s: error %d\n", all[i].type->name, all[i].dir, -err);
			return err;
		}
	}
	virtio_blk_init();
	return devices_init("/dev");
}

int vfs_init(const void *initrd, size_t size)
{
	struct fs_context *fs;
	int err;

	tmpfs_init();
	octavo_set_realtime(clock_realtime_ns()); /* times of files */
	err = mount_new(&tmpfs_type, "rootfs", "mode=755", 0, NULL);
	if (err)
		return err;
	fs = fs_new();
	if (!fs)
		return -ENOMEM;
	fs->umask = 0;
	if (current()->fs)
		fs_put(current()->fs);
	current()->fs = fs;
	if (initrd && size) {
		err = initramfs_unpack(initrd, size);
		if (err)
			return err;
	} else {
		printk("initramfs: none: give one with -initrd\n");
	}
	err = mount_all();
	fs->umask = 022;
	return err ? err : console_start();
}
