// SPDX-License-Identifier: MIT
/* Inodes without a page cache: directories, links, devices, generated files. */
#include "kfs.h"

static void vnode_evict(struct inode *inode)
{
	struct vnode *v = (struct vnode *)inode;
	struct superblock *sb = inode->i_sb;

	if (v->ops && v->ops->evict)
		v->ops->evict(v);
	if (sb && inode_is_tree(inode))
		katomic_add_long(&sb->shmem.used_inodes, -1);
	kfree(v->text);
	kfree(v);
}

static const struct inode_operations vnode_inode_ops = { .evict = vnode_evict };

struct vnode *vnode_of(struct inode *inode)
{
	return inode->i_op == &vnode_inode_ops ? (struct vnode *)inode : NULL;
}

u64 fs_now(void)
{
	return clock_realtime_ns();
}

struct vnode *vnode_new(struct superblock *sb, u32 mode, const struct vnode_ops *ops,
			const struct file_operations *fop)
{
	struct vnode *v = kzalloc(sizeof(*v), GFP_KERNEL);
	u64 now = fs_now();

	if (!v)
		return NULL;
	v->ops = ops;
	v->inode.i_mode = mode;
	v->inode.i_nlink = S_ISDIR(mode) ? 2 : 1;
	v->inode.i_refs = 1;
	v->inode.i_op = &vnode_inode_ops;
	v->inode.i_fop = fop;
	v->inode.i_sb = sb;
	v->inode.i_atime = v->inode.i_mtime = v->inode.i_ctime = now;
	init_rwsem(&v->inode.i_rwsem);
	if (sb) {
		v->inode.i_dev = sb->dev;
		v->inode.i_ino = katomic_next(&sb->next_ino);
	}
	return v;
}

/* ---- Objects that only descriptors lead to ---- */

static unsigned long anon_ino __memsys = 0x1000;

struct vnode *anon_vnode(u32 mode, const struct vnode_ops *ops, const struct file_operations *fop)
{
	struct vnode *v = vnode_new(NULL, mode, ops, fop);

	if (v) {
		v->inode.i_ino = katomic_next(&anon_ino);
		v->inode.i_dev = MKDEV(0, 9);
		v->inode.i_uid = current()->core.process->uid;
		v->inode.i_gid = current()->core.process->gid;
	}
	return v;
}
