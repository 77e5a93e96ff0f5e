/* SPDX-License-Identifier: MIT */
/* What the files behind /proc/PID share. */
#ifndef KERNEL_PROCPID_H
#define KERNEL_PROCPID_H

#include "kfs.h"

/* procpid.c: an inode of the same process as @like */
struct vnode *pid_vnode(const struct vnode *like, u32 mode, const struct vnode_ops *ops,
			const struct file_operations *fop);
/* The process (or thread) of an inode, with a reference; NULL: gone. */
struct task *pid_task(const struct vnode *v);
/* May the caller look into its memory and files? */
bool pid_may_look(const struct task *task);
struct inode *pid_dir_inode(struct superblock *sb, struct task *task, bool thread, int *err);

/* procpid_dir.c: fd, task, and links to cwd, root, exe */
extern const struct vnode_ops pid_fd_ops, pid_task_ops, pid_link_ops;

/* procpid_stat.c */
int pid_stat_show(struct task *task, struct ktext *text);
int pid_status_show(struct task *task, struct ktext *text);

#endif
