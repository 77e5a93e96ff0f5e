/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd(2): faults that a program handles itself. The core has contexts, their ioctls and messages; a kernel
 * makes files of them. docs/userfaultfd.md says how, ioctl_userfaultfd(2) what each call does.
 */
#ifndef OCTAVO_USERFAULTFD_H
#define OCTAVO_USERFAULTFD_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* A hosted program that has <linux/userfaultfd.h> keeps its own: the values are the same. */
#ifndef _LINUX_USERFAULTFD_H
#define UFFD_API ((u64)0xaa)
#define UFFD_USER_MODE_ONLY 1

#define UFFD_FEATURE_PAGEFAULT_FLAG_WP (1 << 0)
#define UFFD_FEATURE_EVENT_FORK (1 << 1)
#define UFFD_FEATURE_EVENT_REMAP (1 << 2)
#define UFFD_FEATURE_EVENT_REMOVE (1 << 3)
#define UFFD_FEATURE_MISSING_HUGETLBFS (1 << 4)
#define UFFD_FEATURE_MISSING_SHMEM (1 << 5)
#define UFFD_FEATURE_EVENT_UNMAP (1 << 6)
#define UFFD_FEATURE_SIGBUS (1 << 7)
#define UFFD_FEATURE_THREAD_ID (1 << 8)
#define UFFD_FEATURE_MINOR_HUGETLBFS (1 << 9)
#define UFFD_FEATURE_MINOR_SHMEM (1 << 10)
#define UFFD_FEATURE_EXACT_ADDRESS (1 << 11)
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#define UFFD_FEATURE_POISON (1 << 14)
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#define UFFD_FEATURE_MOVE (1 << 16)

/* ioctl numbers: direction and size above, 0xaa, and which below. */
#define _UFFDIO_REGISTER 0x00
#define _UFFDIO_UNREGISTER 0x01
#define _UFFDIO_WAKE 0x02
#define _UFFDIO_COPY 0x03
#define _UFFDIO_ZEROPAGE 0x04
#define _UFFDIO_MOVE 0x05
#define _UFFDIO_WRITEPROTECT 0x06
#define _UFFDIO_CONTINUE 0x07
#define _UFFDIO_POISON 0x08
#define _UFFDIO_API 0x3f
#define UFFDIO_API 0xc018aa3fu
#define UFFDIO_REGISTER 0xc020aa00u
#define UFFDIO_UNREGISTER 0x8010aa01u
#define UFFDIO_WAKE 0x8010aa02u
#define UFFDIO_COPY 0xc028aa03u
#define UFFDIO_ZEROPAGE 0xc020aa04u
#define UFFDIO_MOVE 0xc028aa05u
#define UFFDIO_WRITEPROTECT 0xc018aa06u
#define UFFDIO_CONTINUE 0xc020aa07u
#define UFFDIO_POISON 0xc020aa08u
/* Of /dev/userfaultfd; the argument is flags as of userfaultfd(2). */
#define USERFAULTFD_IOC_NEW 0x0000aa00u

#define UFFD_EVENT_PAGEFAULT 0x12
#define UFFD_EVENT_FORK 0x13
#define UFFD_EVENT_REMAP 0x14
#define UFFD_EVENT_REMOVE 0x15
#define UFFD_EVENT_UNMAP 0x16
#define UFFD_PAGEFAULT_FLAG_WRITE (1 << 0)
#define UFFD_PAGEFAULT_FLAG_WP (1 << 1)
#define UFFD_PAGEFAULT_FLAG_MINOR (1 << 2)

#define UFFDIO_REGISTER_MODE_MISSING ((u64)1 << 0)
#define UFFDIO_REGISTER_MODE_WP ((u64)1 << 1)
#define UFFDIO_REGISTER_MODE_MINOR ((u64)1 << 2)
#define UFFDIO_COPY_MODE_DONTWAKE ((u64)1 << 0)
#define UFFDIO_COPY_MODE_WP ((u64)1 << 1)
#define UFFDIO_ZEROPAGE_MODE_DONTWAKE ((u64)1 << 0)
#define UFFDIO_WRITEPROTECT_MODE_WP ((u64)1 << 0)
#define UFFDIO_WRITEPROTECT_MODE_DONTWAKE ((u64)1 << 1)
#define UFFDIO_CONTINUE_MODE_DONTWAKE ((u64)1 << 0)
#define UFFDIO_CONTINUE_MODE_WP ((u64)1 << 1)
#define UFFDIO_POISON_MODE_DONTWAKE ((u64)1 << 0)
#define UFFDIO_MOVE_MODE_DONTWAKE ((u64)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((u64)1 << 1)

/* What read(2) gives, and what the ioctls take: ioctl_userfaultfd(2), section "structures". 32 bytes a message. */
struct uffd_msg {
	u8 event;
	u8 reserved1;
	u16 reserved2;
	u32 reserved3;
	union {
		struct {
			u64 flags, address;
			union {
				u32 ptid;
			} feat;
		} pagefault;
		struct {
			u32 ufd;
		} fork;
		struct {
			u64 from, to, len;
		} remap;
		struct {
			u64 start, end;
		} remove;
		struct {
			u64 reserved1, reserved2, reserved3;
		} reserved;
	} arg;
} __attribute__((packed));

struct uffdio_api {
	u64 api, features, ioctls;
};
struct uffdio_range {
	u64 start, len;
};
struct uffdio_register {
	struct uffdio_range range;
	u64 mode, ioctls;
};
struct uffdio_copy {
	u64 dst, src, len, mode;
	s64 copy;
};
struct uffdio_zeropage {
	struct uffdio_range range;
	u64 mode;
	s64 zeropage;
};
struct uffdio_writeprotect {
	struct uffdio_range range;
	u64 mode;
};
struct uffdio_continue {
	struct uffdio_range range;
	u64 mode;
	s64 mapped;
};
struct uffdio_poison {
	struct uffdio_range range;
	u64 mode;
	s64 updated;
};
struct uffdio_move {
	u64 dst, src, len, mode;
	s64 move;
};
#endif

struct userfaultfd_ctx;

/**
 * userfaultfd_new - what userfaultfd(2) makes, or (@device) USERFAULTFD_IOC_NEW, for the caller's address space
 * @flags: UFFD_USER_MODE_ONLY; those of descriptors are the kernel's business
 * Without UFFD_USER_MODE_ONLY the system call wants CAP_SYS_PTRACE or vm.unprivileged_userfaultfd.
 * Context: thread context. Return: NULL, *@err: -EPERM, -EINVAL, -ENOMEM. Ends by userfaultfd_release().
 */
OCTAVO_API struct userfaultfd_ctx *userfaultfd_new(unsigned int flags, bool device, int *err);
/**
 * userfaultfd_release - the file is closed: ranges are as if never registered, and who waits goes on
 * Context: thread context, may sleep; takes the mmap lock.
 */
OCTAVO_API void userfaultfd_release(struct userfaultfd_ctx *ctx);
/**
 * userfaultfd_on_message - @notify is called whenever there may be a message, and when an event was taken back
 * Called under a spinlock of the core's: it wakes who reads or polls, and nothing else. Context: before anybody else
 * knows @ctx.
 */
OCTAVO_API void userfaultfd_on_message(struct userfaultfd_ctx *ctx, void (*notify)(void *arg), void *arg);
/** userfaultfd_ready - UFFDIO_API has been called. userfaultfd_pending - there is a message. Context: any. */
OCTAVO_API bool userfaultfd_ready(const struct userfaultfd_ctx *ctx);
OCTAVO_API bool userfaultfd_pending(struct userfaultfd_ctx *ctx);
/**
 * userfaultfd_read - the next message: faults first
 * @install: makes a descriptor of the caller's of the child's context (UFFD_EVENT_FORK). Return: it, or a negative
 *           errno: then the message stays.
 * Return: 1; 0: there is none; an errno of @install. Context: thread context.
 */
OCTAVO_API int userfaultfd_read(struct userfaultfd_ctx *ctx, struct uffd_msg *msg,
				int (*install)(void *arg, struct userfaultfd_ctx *child), void *arg);
/** userfaultfd_ioctl - UFFDIO_*; @arg: a user address. Context: thread context. */
OCTAVO_API long userfaultfd_ioctl(struct userfaultfd_ctx *ctx, unsigned int cmd, unsigned long arg);

/** vm.unprivileged_userfaultfd */
OCTAVO_API extern int sysctl_unprivileged_userfaultfd;

OCTAVO_END_DECLS
#endif
