// SPDX-License-Identifier: MIT
/*
 * /proc/config.gz: by the names of Linux's options, what this kernel does and what it does not. Test suites look there.
 *
 * What hangs on a system call is asked of the table of them. The file is gzip (RFC 1952) with one stored block (RFC
 * 1951, section 3.2.4): nothing is gained by packing two kilobytes.
 */
#include "kernel.h"
#include "kfs.h"
#include "port/pc/mmu.h"
#include "uts.h"

#define ALWAYS (-1)
#define NEVER (-2)

struct option {
	const char *name;
	int needs; /* a system call's number, ALWAYS, NEVER */
};

static const struct option options[] = {
	{ "64BIT", ALWAYS }, { "X86", ALWAYS }, { "X86_64", ALWAYS }, { "MMU", ALWAYS }, { "SMP", ALWAYS },
	{ "NUMA", ALWAYS }, { "X86_5LEVEL", PC_LEVELS == 5 ? ALWAYS : NEVER }, { "HZ_100", ALWAYS },
	{ "X86_UMIP", ALWAYS }, { "X86_INTEL_MEMORY_PROTECTION_KEYS", 330 }, { "VMAP_STACK", ALWAYS },
	{ "STRICT_KERNEL_RWX", ALWAYS }, { "SLUB", ALWAYS }, { "SLUB_DEBUG", ALWAYS }, { "KFENCE", ALWAYS },
	{ "PAGE_OWNER", ALWAYS }, { "DEBUG_FS", ALWAYS }, { "FAULT_INJECTION", ALWAYS }, { "FAILSLAB", ALWAYS },
	{ "FAIL_PAGE_ALLOC", ALWAYS }, { "FAULT_INJECTION_DEBUG_FS", ALWAYS }, { "COMPACTION", ALWAYS },
	{ "MIGRATION", ALWAYS }, { "CMA", ALWAYS }, { "TRANSPARENT_HUGEPAGE", ALWAYS }, { "PER_VMA_LOCK", ALWAYS },
	{ "MEM_SOFT_DIRTY", ALWAYS }, { "ANON_VMA_NAME", ALWAYS }, { "PROC_PAGE_MONITOR", ALWAYS },
	{ "PROC_FS", ALWAYS }, { "PROC_SYSCTL", ALWAYS }, { "SYSCTL", ALWAYS }, { "SYSFS", ALWAYS },
	{ "SHMEM", ALWAYS }, { "TMPFS", ALWAYS }, { "DEVTMPFS", ALWAYS }, { "BLK_DEV_INITRD", ALWAYS },
	{ "DEVMEM", ALWAYS }, { "DEVPORT", ALWAYS }, { "BLOCK", ALWAYS }, { "VIRTIO_BLK", ALWAYS },
	{ "VIRTIO_PCI", ALWAYS }, { "TTY", ALWAYS }, { "SERIAL_8250", ALWAYS }, { "SERIAL_8250_CONSOLE", ALWAYS },
	{ "BINFMT_ELF", ALWAYS }, { "BINFMT_SCRIPT", ALWAYS }, { "ELF_CORE", ALWAYS }, { "COREDUMP", ALWAYS },
	{ "CORE_DUMP_DEFAULT_ELF_HEADERS", ALWAYS }, { "MULTIUSER", ALWAYS }, { "PRINTK", ALWAYS },
	{ "FILE_LOCKING", ALWAYS }, { "POSIX_TIMERS", 222 }, { "FUTEX", 202 }, { "FUTEX_PI", NEVER },
	{ "EPOLL", 213 }, { "EVENTFD", 290 }, { "SIGNALFD", 289 }, { "TIMERFD", 283 }, { "AIO", 206 },
	{ "IO_URING", 425 },
	{ "ADVISE_SYSCALLS", 28 }, { "MEMBARRIER", 324 }, { "CROSS_MEMORY_ATTACH", 310 }, { "MEMFD_CREATE", 319 },
	{ "USERFAULTFD", 323 }, { "SYSVIPC", 64 }, { "POSIX_MQUEUE", 240 }, { "FHANDLE", 303 },
	{ "INOTIFY_USER", 294 }, { "FANOTIFY", 300 }, { "NET", NEVER }, { "KEYS", 250 }, { "BPF_SYSCALL", 321 },
	{ "SECCOMP", 317 }, { "KCMP", 312 },
	{ "SWAP", 167 }, { "MODULES", 313 }, { "PERF_EVENTS", 298 }, { "IKCONFIG", ALWAYS },
	{ "IKCONFIG_PROC", ALWAYS },
	{ "HUGETLBFS", NEVER }, { "HUGETLB_PAGE", NEVER }, { "KSM", NEVER }, { "MEMORY_FAILURE", ALWAYS },
	{ "HWPOISON_INJECT", NEVER }, { "CGROUPS", NEVER }, { "MEMCG", NEVER }, { "NAMESPACES", NEVER },
	{ "USER_NS", NEVER }, { "PID_NS", NEVER }, { "CHECKPOINT_RESTORE", NEVER }, { "IA32_EMULATION", NEVER },
	{ "RSEQ", NEVER }, { "PREEMPT_RT", NEVER },
};

static bool has(const struct option *o)
{
	return o->needs == ALWAYS || (o->needs >= 0 && syscall_is_there((unsigned int)o->needs));
}

static void list(struct ktext *text)
{
	ktext_printf(text, "#\n# %s/x86 %s Kernel Configuration\n#\n", uts.sysname, uts.release);
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++)
		ktext_printf(text, has(&options[i]) ? "CONFIG_%s=y\n" : "# CONFIG_%s is not set\n", options[i].name);
	ktext_printf(text, "CONFIG_HZ=%u\nCONFIG_PGTABLE_LEVELS=%d\nCONFIG_DEFAULT_HOSTNAME=\"(none)\"\n",
		     (unsigned int)(NS_PER_SEC / TICK_NS), PC_LEVELS);
}

static u32 crc32(const char *data, size_t len)
{
	u32 crc = ~0u;

	while (len--) {
		crc ^= (u8)*data++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static int show_config(struct vnode *v, struct ktext *text)
{
	static const u8 head[10] = { 0x1f, 0x8b, 8, [9] = 3 };
	struct ktext plain = { 0 };
	u32 tail[2];
	u16 lengths[2];

	(void)v;
	list(&plain);
	if (plain.no_memory || plain.len > 0xffff) {
		ktext_free(&plain);
		return -ENOMEM;
	}
	lengths[0] = (u16)plain.len;
	lengths[1] = (u16)~plain.len;
	tail[0] = crc32(plain.data, plain.len);
	tail[1] = (u32)plain.len;
	ktext_add(text, (const char *)head, sizeof(head));
	ktext_add(text, "\1", 1); /* the last block, stored */
	ktext_add(text, (const char *)lengths, sizeof(lengths));
	ktext_add(text, plain.data, plain.len);
	ktext_add(text, (const char *)tail, sizeof(tail));
	ktext_free(&plain);
	return 0;
}

const struct gen_ops config_ops = { .show = show_config };
