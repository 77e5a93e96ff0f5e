/* SPDX-License-Identifier: MIT */
/*
 * What the files of the reference kernel's file side share: names (dentries), mounts, inodes of the kernel's own.
 *
 * Words: a vnode is an inode that has no page cache (directory, symbolic link, device, fifo, generated text); a file's
 * contents in RAM are the core's shmem inodes. A directory either keeps its names in dentries (a tree: tmpfs, devtmpfs)
 * or makes them when asked (vnode_ops.lookup: procfs, sysfs); dentries of the latter live while somebody holds them.
 */
#ifndef KERNEL_KFS_H
#define KERNEL_KFS_H

#include <octavo/errno.h>
#include <octavo/fs.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/slab.h>
#include <octavo/uaccess.h>

#include "fsabi.h"
#include "katomic.h"
#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"
#include "process.h"
#include "vfs.h"

struct list_node;
struct superblock;
struct vnode;

/* ---- Lists (struct list_node of sched.h) ---- */
static inline void list_init(struct list_node *head)
{
	head->next = head->prev = head;
}

static inline void list_insert_before(struct list_node *node, struct list_node *where)
{
	node->next = where;
	node->prev = where->prev;
	where->prev->next = node;
	where->prev = node;
}

static inline void list_remove(struct list_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

/* ---- Text that grows: what a generated file contains ---- */
struct ktext {
	char *data;
	size_t len, size;
	bool no_memory;
};
void ktext_add(void *text, const char *from, size_t len); /* an octavo_emit_fn */
__printf(2, 3) void ktext_printf(struct ktext *text, const char *fmt, ...);
void ktext_free(struct ktext *text);

/* ---- Inodes of the kernel's own ---- */

/* Takes a name; @type as in d_type of getdents64(2). Return: false: no more room, come back with this position. */
struct dir_context {
	bool (*emit)(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned int type);
	u64 pos; /* of the next entry; 0 and 1 are "." and ".." */
};

/**
 * struct vnode_ops - of a vnode; each may be NULL
 * @lookup: makes the inode of a name in a directory that is not a tree. Return: NULL, *@err why.
 * @revalidate: the name still means this inode
 * @readdir: names from ctx->pos on, which is at least 2
 * @readlink: a symbolic link's text
 * @jump: a symbolic link that leads to an object, not to a name. Return: 0, @to has references.
 * @open: an open file is being made. Return: 0 or errno.
 * @evict: free what is behind @data
 */
struct vnode_ops {
	struct inode *(*lookup)(struct vnode *dir, const char *name, int *err);
	bool (*revalidate)(struct vnode *vnode);
	int (*readdir)(struct vnode *dir, struct dir_context *ctx);
	long (*readlink)(struct vnode *vnode, char *text, size_t size);
	int (*jump)(struct vnode *vnode, struct path *to);
	int (*open)(struct vnode *vnode, struct file *file);
	void (*evict)(struct vnode *vnode);
};

struct vnode {
	struct inode inode;
	const struct vnode_ops *ops;
	char *text;  /* kmalloc'ed: a link's target, a generated file's path */
	void *data;  /* its maker's */
	u64 number, stamp; /* whose: a process's number and when it began */
};

/* NULL: not a vnode. */
struct vnode *vnode_of(struct inode *inode);
/* @mode with its type; owner is root. Return: NULL without memory. */
struct vnode *vnode_new(struct superblock *sb, u32 mode, const struct vnode_ops *ops,
			const struct file_operations *fop);
u64 fs_now(void);

/* ---- Dentries: dentry.c ---- */
struct dentry {
	struct dentry *parent;	      /* with a reference; NULL: a root */
	struct dentry *next_hash;
	struct list_node sibling, children;
	struct inode *inode;
	char *name;
	u32 name_len, hash;
	unsigned int refs;	      /* one of them for being in a tree */
	unsigned int mounts;	      /* on it */
	u64 cookie, next_cookie;      /* its own in the parent; of its next child: positions of getdents64(2) */
	bool in_tree, dynamic, hashed;
};

/* The one lock of all names, parents and mounts; sleeping. */
void names_lock(void);
void names_unlock(void);
/* By the caller. */
bool names_locked(void);

/* Takes over the reference to @inode. Return: NULL without memory (the inode's reference is then gone, too). */
struct dentry *dentry_root(struct inode *inode);
/* A name in a tree or (dynamic) of a file system that makes them. Return: it, with a reference for the caller. */
struct dentry *dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, bool dynamic);
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
/* Takes it out of its tree. */
void dentry_remove(struct dentry *dentry);
/* Gives it another parent and name; @name is kmalloc'ed and becomes the dentry's. */
void dentry_move(struct dentry *dentry, struct dentry *parent, char *name, size_t len);
void dentry_swap(struct dentry *a, struct dentry *b);
struct dentry *dget(struct dentry *dentry);
void dput(struct dentry *dentry);
void dput_locked(struct dentry *dentry);
bool dentry_below(const struct dentry *dentry, const struct dentry *above);
/* Names of a tree directory, from ctx->pos on; with the names locked. */
int dentry_readdir(struct dentry *dir, struct dir_context *ctx);

/* ---- Mounts: mount.c ---- */
#define MS_RDONLY 1ul
#define MS_NOSUID 2ul
#define MS_NODEV 4ul
#define MS_NOEXEC 8ul
#define MS_REMOUNT 32ul
#define MS_NOATIME 1024ul
#define MS_BIND 4096ul
#define MS_MOVE 8192ul
#define MS_SILENT 32768ul
#define MS_PRIVATE (1ul << 18)
#define MS_SLAVE (1ul << 19)
#define MS_SHARED (1ul << 20)
#define MS_RELATIME (1ul << 21)

struct fs_type {
	const char *name;
	u32 magic;
	bool tree; /* names live in dentries, files in RAM */
	/* Fills in sb->root. Return: 0 or errno. */
	int (*fill)(struct superblock *sb, const char *options);
};

struct superblock {
	const struct fs_type *type;
	struct shmem_sb shmem;
	struct dentry *root;
	u32 dev;
	u32 default_mode, default_uid, default_gid;
	unsigned long next_ino;
	unsigned int refs; /* mounts */
};

struct mount {
	struct mount *next;	   /* all of them, in order of mounting */
	struct mount *parent;
	struct dentry *mountpoint; /* in @parent, with a reference */
	struct dentry *root;
	struct superblock *sb;
	unsigned int refs;
	unsigned long flags;	   /* MS_* that stay */
	bool attached;
	char source[64];
	char options[96];
	u32 id;
};

extern const struct fs_type tmpfs_type, ramfs_type, devtmpfs_type, proc_type, sysfs_type, debugfs_type;
/* Return: 0; the tree is mounted at @at (NULL: as the root). */
int mount_new(const struct fs_type *type, const char *source, const char *options, unsigned long flags,
	      const struct path *at);
struct mount *mount_on(const struct path *path);
void mount_get(struct mount *mount);
void mount_put(struct mount *mount);
struct mount *mount_root(void);
void mount_show_filesystems(struct ktext *text);
int mounts_show(struct ktext *text);
int mountinfo_show(struct ktext *text);
/* Each with the names locked. */
void mount_each(void (*fn)(void *ctx, struct mount *mount), void *ctx);
void path_get(const struct path *path);
void path_put(const struct path *path);
void path_put_locked(const struct path *path);
/* Its name, from the caller's root; "(unreachable)" or " (deleted)" as Linux shows it. Names locked. Return: length. */
size_t path_text(const struct path *path, char *text, size_t size);

/* ---- Path lookup: namei.c ---- */
#define WALK_FOLLOW 1u	  /* a symbolic link as the last component, too */
#define WALK_DIRECTORY 2u /* it must be a directory */
#define WALK_EMPTY 4u	  /* "" is the start itself */
#define WALK_MISSING 8u	  /* the last component may be missing: found.dentry is NULL then */
#define WALK_NO_SYMLINKS 16u
#define WALK_BENEATH 32u
#define WALK_NO_XDEV 64u
#define WALK_IN_ROOT 128u
#define WALK_NO_MAGIC 256u

enum last_type { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* What a path led to. All pointers have references; walk_end() gives them back. */
struct walk {
	struct path parent; /* the directory of the last component */
	struct path found;
	char last[NAME_MAX + 1];
	size_t last_len;
	enum last_type type;
	bool slash; /* the path ended in one */
};

/* With the names locked. Return: 0 or errno (nothing to end then). */
int walk_path(int dirfd, const char *name, unsigned int flags, struct walk *walk);
void walk_end(struct walk *walk);
/* The same for those who want only what is there. Not locked. */
int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *to);
#define MAY_EXEC 1u
#define MAY_WRITE 2u
#define MAY_READ 4u
int inode_permission(const struct inode *inode, unsigned int may);
/* With ids other than the effective ones (access(2)). */
int inode_permission_as(const struct inode *inode, unsigned int may, u32 uid, u32 gid, bool capable);

/* ---- Paths from user space: a kmalloc'ed copy. Return: NULL, *@err why. ---- */
char *user_path(uintptr_t at, int *err);

/* ---- Trees: tmpfs.c ---- */
/* With the names locked. @walk: WALK_MISSING, found nothing. Return: 0; walk->found is it. */
int tree_create(struct walk *walk, u32 mode, u32 rdev, const char *target);
struct inode *tree_inode(struct superblock *sb, u32 mode, u32 rdev, const char *target, int *err);
bool inode_is_tree(struct inode *inode);
int vfs_mknod(const char *path, u32 mode, u32 rdev);
int vfs_symlink(const char *target, const char *path);
int vfs_mkdir(const char *path, u32 mode);
int vfs_link(const char *from, const char *to);
int initramfs_unpack(const void *data, size_t size);
void kernel_cpuinfo(struct ktext *text, unsigned int cpu);
/* All names below (and @root's own place in its superblock) go; with or without the names locked. */
void tree_destroy(struct dentry *root);
int tmpfs_options(struct superblock *sb, const char *options, bool remount);
void tmpfs_init(void);
void tmpfs_show_options(const struct superblock *sb, struct ktext *text);

/* ---- Open files: open.c ---- */
#define FMODE_LOCKS 0x01000000u /* f_mode: it has had locks of its own (flock) */
#define FMODE_UNSIGNED 0x04000000u /* f_mode: positions are addresses, up to the last */
#define FMODE_WRITER 0x00800000u /* f_mode: counted in i_writers */
#define FMODE_TEXT 0x00400000u /* f_mode: a program's; counted there, too */
#define FMODE_STREAM 0x02000000u /* f_mode: it has no position (terminals, eventfd) */
/* A file on @inode (its reference is taken over) without a name. */
struct file *file_new(struct inode *inode, u32 flags, const struct file_operations *fop);
/* What every release() of the kernel's ends with. */
void file_release_path(struct file *file);
/* @fop become operations of files that have a name: release and show_path are the kernel's. */
void fops_with_path(struct file_operations *fop);
/* For the time of a truncate(2). Return: 0 or -ETXTBSY. */
int inode_write_begin(struct inode *inode);
void inode_write_end(struct inode *inode);
struct path *file_path(const struct file *file);
struct file *open_path(const struct path *path, int flags, int *err);
/* A vnode without a name in a directory: pipes, eventfd... */
struct vnode *anon_vnode(u32 mode, const struct vnode_ops *ops, const struct file_operations *fop);
/* A descriptor of it; @v's reference is taken over. */
long anon_fd(struct vnode *v, const struct file_operations *fop, int flags);
extern const struct file_operations dir_fops, path_fops;
extern const struct file_operations userfaultfd_dev_fops;

/* ---- Descriptors: files.c ---- */
int fd_reserve_limit(void);
int fd_close(int fd);
/* By several threads. */
bool files_shared(const struct files *files);
void fd_each(struct task *task, bool (*fn)(void *ctx, int fd, struct file *file), void *ctx);
struct file *files_lookup(struct files *files, int fd);
unsigned int files_cloexec_bit(struct files *files, int fd);

/* ---- Locks of file ranges: flock.c ---- */
void locks_release_files(struct inode *inode, struct files *owner);
void locks_release_file(struct inode *inode, struct file *file);
long locks_fcntl(struct file *file, int cmd, uintptr_t arg);

/* ---- Generated text files: genfile.c ---- */
extern const struct file_operations gen_fops;
/* vnode->data of a file with gen_fops: */
struct gen_ops {
	int (*show)(struct vnode *vnode, struct ktext *text);
	long (*write)(struct vnode *vnode, const char *text, size_t len);
	/* In place of show(), if opening the file finds what is shown: gen_own() then, and the end of it. */
	int (*show_owned)(struct vnode *vnode, void *owned, struct ktext *text);
	void (*disown)(void *owned);
};
/* From vnode_ops->open(). Return: 0 or -ENOMEM. */
int gen_own(struct file *file, void *owned);

/* ---- procfs, sysfs: procfs.c, kernfile.c, procpid.c ---- */

/* A file of the kernel's own among those of the core, by its whole path. */
struct kernfile {
	const char *path;
	u32 mode;
	const struct gen_ops *ops;	   /* text, or */
	const struct file_operations *fop; /* bytes, or */
	const char *link;		   /* a symbolic link to that */
};
extern const struct kernfile kernfiles[];
extern const unsigned int kernfiles_nr;
extern const struct gen_ops config_ops; /* kconfig.c */
struct inode *proc_pid_inode(struct superblock *sb, int pid, int *err);
int proc_pids_readdir(struct dir_context *ctx, u64 base);
/* An inode of text. */
struct vnode *gen_vnode(struct superblock *sb, u32 mode, const struct gen_ops *ops);
/* @text as a number without sign, white space around it. Return: false: it is not one. */
bool text_number(const char *text, u64 *value);

/* ---- Devices: chardev.c ---- */
int device_open(struct inode *inode, struct file *file);

int devices_init(const char *dir);
size_t random_to_iter(struct iov_iter *to);
void devices_show(struct ktext *text);


/* ---- Pipes: pipe.c ---- */
int fifo_open(struct inode *inode, struct file *file);
void fifo_evict(struct vnode *vnode);
long pipe_fcntl(struct file *file, int cmd, unsigned long arg);
bool file_is_pipe(const struct file *file);
/* Return: 1: there is something to take (@write: room); 0: nor will there be; or errno. */
int pipe_wait(struct file *file, bool write, bool nonblock);
size_t pipe_file_room(const struct file *file);
/* Return: bytes, of those that are there now; 0: there are none, or no room; or errno. @keep: they stay, too. */
s64 pipe_to_pipe(struct file *from, struct file *to, size_t len, bool keep);
s64 pipe_to_file(struct file *from, struct file *to, u64 *pos, size_t len);

/* ---- Reading and writing: rw.c ---- */
typedef s64 (*rw_fn)(struct file *file, void *buffer, size_t len, u64 *pos, bool user);
s64 rw_write(struct file *file, void *buffer, size_t len, u64 *pos, bool user);
bool file_seekable(const struct file *file);
/*
 * Return: a kmalloc'ed copy, checked; NULL with *@err 0 for none. @own: in the caller's address space, and together no
 * more than a call moves.
 */
struct kiovec *user_iov(uintptr_t at, unsigned long nr, bool own, long *err);
long rw_each(struct file *file, const struct kiovec *iov, unsigned long nr, u64 *pos, rw_fn fn);
/* The longest message that one call moves as a whole; 0: @file moves bytes. socket.c */
size_t sock_message_max(const struct file *file);
/* @in_pos, @out_pos move on by what was written. @once: what one read gives; no wait for more. */
s64 copy_between(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t len, bool once);

/* ---- Poll: poll.c ---- */
struct poll_table;
void poll_wait(struct file *file, struct wait_queue *queue, void *table);
unsigned int file_poll(struct file *file, void *table);

/* ---- Terminal: console.c ---- */
int tty_open(struct inode *inode, struct file *file);
/* A thread reads the port from now on. */
int console_start(void);
/* As /proc/PID/stat shows it: 0 and -1 for none. */
int tty_number(const struct process *process);
int tty_foreground(const struct process *process);

#define OVERFLOW_LIMIT 0x7ffff000ul /* no call moves more bytes: read(2) */

#endif
