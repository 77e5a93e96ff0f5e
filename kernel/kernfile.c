// SPDX-License-Identifier: MIT
/* Files of /proc and /sys that speak of the kernel itself: proc(5). */
#include <octavo/port.h>
#include <octavo/proc_pid.h>
#include <octavo/reclaim_hook.h>

#include "blkdev.h"
#include "coredump.h"
#include "kfs.h"
#include "smp.h"
#include "uts.h"

#define CENTI(ns) ((unsigned long long)((ns) / 10000000 % 100))
#define SECONDS(ns) ((unsigned long long)((ns) / NS_PER_SEC))

/* ---- Times ---- */

/* All that was ever used: by who lives, and by whom they have waited for. */
static void busy_time(u64 *user, u64 *system, unsigned long *switches)
{
	struct task *task;
	int pid = 1;

	*user = *system = *switches = 0;
	while ((task = task_next(pid))) {
		struct times own;

		process_times(task->process, &own);
		*user += own.utime + task->process->children_times.utime;
		*system += own.stime + task->process->children_times.stime;
		*switches += own.nvcsw + own.nivcsw;
		pid = task->core.tgid + 1;
		task_put(task);
	}
}

static u64 idle_time(u64 now, u64 busy)
{
	u64 all = now * smp_online();

	return all > busy ? all - busy : 0;
}

static int show_uptime(struct vnode *v, struct ktext *text)
{
	u64 now = clock_monotonic_ns(), user, system, idle;
	unsigned long switches;

	(void)v;
	busy_time(&user, &system, &switches);
	idle = idle_time(now, user + system);
	ktext_printf(text, "%llu.%02llu %llu.%02llu\n", SECONDS(now), CENTI(now), SECONDS(idle), CENTI(idle));
	return 0;
}

#define TICKS(ns) ((unsigned long long)((ns) / (NS_PER_SEC / USER_HZ)))

static int show_stat(struct vnode *v, struct ktext *text)
{
	u64 now = clock_monotonic_ns(), user, system, idle;
	unsigned int cpus = smp_online();
	unsigned long switches;

	(void)v;
	busy_time(&user, &system, &switches);
	idle = idle_time(now, user + system);
	ktext_printf(text, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", TICKS(user), TICKS(system), TICKS(idle));
	/* Time is kept by process, not by processor: each is shown its share. */
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		ktext_printf(text, "cpu%u %llu 0 %llu %llu 0 0 0 0 0 0\n", cpu, TICKS(user / cpus),
			     TICKS(system / cpus), TICKS(idle / cpus));
	ktext_printf(text, "intr 0\nctxt %lu\nbtime %llu\nprocesses %u\nprocs_running %u\nprocs_blocked 0\n", switches,
		     SECONDS(clock_realtime_ns() - now), processes_nr, max(sched_runnable(), 1u));
	return 0;
}

static int show_loadavg(struct vnode *v, struct ktext *text)
{
	u64 loads[3];
	struct task *task;
	unsigned int threads = 0;
	int pid = 1;

	(void)v;
	while ((task = task_next(pid))) {
		threads += task->process->nr_threads;
		pid = task->core.tgid + 1;
		task_put(task);
	}
	sched_loads(loads);
	for (int i = 0; i < 3; i++)
		ktext_printf(text, "%llu.%02llu ", (unsigned long long)(loads[i] >> 16),
			     (unsigned long long)((loads[i] & 0xffff) * 100 >> 16));
	ktext_printf(text, "%u/%u %d\n", sched_runnable(), threads, current_task()->tgid);
	return 0;
}

/* ---- What this is ---- */

static int show_version(struct vnode *v, struct ktext *text)
{
	(void)v;
	ktext_printf(text, "%s version %s %s\n", uts.sysname, uts.release, uts.version);
	return 0;
}

static int show_cmdline(struct vnode *v, struct ktext *text)
{
	(void)v;
	ktext_printf(text, "%s\n", kernel_cmdline());
	return 0;
}

static int show_cpuinfo(struct vnode *v, struct ktext *text)
{
	(void)v;
	for (unsigned int cpu = 0; cpu < smp_online(); cpu++)
		kernel_cpuinfo(text, cpu);
	return 0;
}

static int show_filesystems(struct vnode *v, struct ktext *text)
{
	(void)v;
	mount_show_filesystems(text);
	return 0;
}

static int show_devices(struct vnode *v, struct ktext *text)
{
	(void)v;
	devices_show(text);
	return 0;
}

static int show_cpus(struct vnode *v, struct ktext *text)
{
	unsigned int n = smp_online();

	(void)v;
	if (n == 1)
		ktext_printf(text, "0\n");
	else
		ktext_printf(text, "0-%u\n", n - 1);
	return 0;
}

static int show_active_console(struct vnode *v, struct ktext *text)
{
	(void)v;
	ktext_printf(text, "ttyS0\n");
	return 0;
}

#define SHOW(name) static const struct gen_ops name##_ops = { .show = show_##name }
SHOW(uptime);
SHOW(stat);
SHOW(loadavg);
SHOW(version);
SHOW(cmdline);
SHOW(cpuinfo);
SHOW(filesystems);
SHOW(devices);
SHOW(cpus);
SHOW(active_console);

/* ---- Names and constants of /proc/sys ---- */

#define SHOW_TEXT(name, fmt, ...)                                     \
	static int show_##name(struct vnode *v, struct ktext *text)    \
	{                                                             \
		(void)v;                                              \
		ktext_printf(text, fmt "\n", __VA_ARGS__);            \
		return 0;                                             \
	}                                                             \
	SHOW(name)

SHOW_TEXT(ostype, "%s", uts.sysname);
SHOW_TEXT(osrelease, "%s", uts.release);
SHOW_TEXT(osversion, "%s", uts.version);
SHOW_TEXT(cap_last_cap, "%d", 40);
SHOW_TEXT(ngroups_max, "%d", 32);
SHOW_TEXT(overflow_id, "%d", 65534);
SHOW_TEXT(tainted, "%d", 0);
SHOW_TEXT(printk, "%s", "7\t4\t1\t7");
SHOW_TEXT(file_max, "%llu", ~0ull >> 1);
SHOW_TEXT(nr_open, "%d", 1 << 20);
SHOW_TEXT(pipe_max, "%d", 1 << 20);

/* ---- Numbers that may be written: within bounds, or EINVAL as Linux says it ---- */

static long write_number(const char *text, size_t len, unsigned int low, unsigned int high, unsigned int *number)
{
	u64 value;

	if (!text_number(text, &value) || value < low || value > high)
		return -EINVAL;
	WRITE_ONCE(*number, (unsigned int)value);
	return (long)len;
}

#define NUMBER(name, variable, low, high)                                                  \
	static int show_##name(struct vnode *v, struct ktext *text)                         \
	{                                                                                   \
		(void)v;                                                                    \
		ktext_printf(text, "%u\n", READ_ONCE(variable));                            \
		return 0;                                                                   \
	}                                                                                   \
	static long write_##name(struct vnode *v, const char *text, size_t len)             \
	{                                                                                   \
		(void)v;                                                                    \
		return write_number(text, len, (low), (high), &(variable));                 \
	}                                                                                   \
	static const struct gen_ops name##_ops = { .show = show_##name, .write = write_##name }

NUMBER(pid_max, pid_limit, 301, PID_MAX);
NUMBER(threads_max, threads_max, 20, PID_MAX);
NUMBER(core_uses_pid, core_uses_pid, 0, 1);

/* f: the OOM killer, as Alt-SysRq-f: sysrq.rst. */
static long write_sysrq(struct vnode *v, const char *text, size_t len)
{
	(void)v;
	if (len && *text == 'f') {
		printk("sysrq: Manual OOM execution\n");
		(void)oom_force();
	}
	return (long)len;
}

static const struct gen_ops sysrq_ops = { .write = write_sysrq };

static int show_core_pattern(struct vnode *v, struct ktext *text)
{
	(void)v;
	ktext_printf(text, "%s\n", core_pattern);
	return 0;
}

/* What is too long is cut off. */
static long write_core_pattern(struct vnode *v, const char *text, size_t len)
{
	size_t n = 0;

	(void)v;
	while (n < len && n < sizeof(core_pattern) - 1 && text[n] != '\n')
		n++;
	memcpy(core_pattern, text, n);
	core_pattern[n] = 0;
	return (long)len;
}

static const struct gen_ops core_pattern_ops = { .show = show_core_pattern, .write = write_core_pattern };

static int show_partitions(struct vnode *v, struct ktext *text)
{
	(void)v;
	block_show_partitions(text);
	return 0;
}
SHOW(partitions);

static int show_diskstats(struct vnode *v, struct ktext *text)
{
	(void)v;
	block_show_stats(text);
	return 0;
}
SHOW(diskstats);

static int show_hostname(struct vnode *v, struct ktext *text)
{
	(void)v;
	ktext_printf(text, "%s\n", uts.nodename);
	return 0;
}

static long write_hostname(struct vnode *v, const char *text, size_t len)
{
	size_t n = len;

	(void)v;
	if (!task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	while (n && text[n - 1] == '\n')
		n--;
	n = min(n, sizeof(uts.nodename) - 1);
	memcpy(uts.nodename, text, n);
	uts.nodename[n] = 0;
	return (long)len;
}

static const struct gen_ops hostname_ops = { .show = show_hostname, .write = write_hostname };

/* A random UUID: RFC 4122 section 4.4. */
static void uuid(struct ktext *text, u64 a, u64 b)
{
	ktext_printf(text, "%08llx-%04llx-4%03llx-%04llx-%012llx\n", (unsigned long long)(a >> 32),
		     (unsigned long long)(a >> 16 & 0xffff), (unsigned long long)(a & 0xfff),
		     (unsigned long long)(0x8000 | (b >> 48 & 0x3fff)), (unsigned long long)(b & 0xffffffffffffull));
}

static int show_uuid(struct vnode *v, struct ktext *text)
{
	(void)v;
	uuid(text, port_random(), port_random());
	return 0;
}

static int show_boot_id(struct vnode *v, struct ktext *text)
{
	static u64 id[2] __memsys;

	(void)v;
	if (!id[0]) {
		id[0] = port_random() | 1;
		id[1] = port_random();
	}
	uuid(text, id[0], id[1]);
	return 0;
}
SHOW(uuid);
SHOW(boot_id);

/* ---- Page frames: words of eight bytes ---- */

static s64 frames_read(struct iov_iter *to, u64 *pos, size_t (*fill)(u64 pfn, u64 *entries, size_t nr))
{
	u64 words[64];
	s64 total = 0;

	if (*pos % 8 || to->count % 8)
		return -EINVAL;
	while (to->count) {
		size_t nr = fill(*pos / 8, words, min(to->count / 8, ARRAY_SIZE(words))), got;

		if (!nr)
			break;
		got = copy_to_iter(words, nr * 8, to);
		*pos += got;
		total += (s64)got;
		if (got < nr * 8)
			return total ? total : -EFAULT;
	}
	return total;
}

static s64 kpageflags_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)file;
	return frames_read(to, pos, octavo_kpageflags);
}

static s64 kpagecount_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)file;
	return frames_read(to, pos, octavo_kpagecount);
}

static const struct file_operations kpageflags_fops = { .read_iter = kpageflags_read,
							.release = file_release_path,
							.show_path = vfs_path };
static const struct file_operations kpagecount_fops = { .read_iter = kpagecount_read,
							.release = file_release_path,
							.show_path = vfs_path };

const struct kernfile kernfiles[] = {
	{ .path = "/proc/self", .link = "self" },
	{ .path = "/proc/thread-self", .link = "thread-self" },
	{ .path = "/proc/mounts", .link = "self/mounts" },
	{ .path = "/proc/version", .mode = 0444, .ops = &version_ops },
	{ .path = "/proc/cmdline", .mode = 0444, .ops = &cmdline_ops },
	{ .path = "/proc/uptime", .mode = 0444, .ops = &uptime_ops },
	{ .path = "/proc/stat", .mode = 0444, .ops = &stat_ops },
	{ .path = "/proc/loadavg", .mode = 0444, .ops = &loadavg_ops },
	{ .path = "/proc/cpuinfo", .mode = 0444, .ops = &cpuinfo_ops },
	{ .path = "/proc/filesystems", .mode = 0444, .ops = &filesystems_ops },
	{ .path = "/proc/devices", .mode = 0444, .ops = &devices_ops },
	{ .path = "/proc/partitions", .mode = 0444, .ops = &partitions_ops },
	{ .path = "/proc/diskstats", .mode = 0444, .ops = &diskstats_ops },
	{ .path = "/proc/config.gz", .mode = 0444, .ops = &config_ops },
	{ .path = "/proc/kpageflags", .mode = 0400, .fop = &kpageflags_fops },
	{ .path = "/proc/kpagecount", .mode = 0400, .fop = &kpagecount_fops },
	{ .path = "/proc/sys/kernel/ostype", .mode = 0444, .ops = &ostype_ops },
	{ .path = "/proc/sys/kernel/osrelease", .mode = 0444, .ops = &osrelease_ops },
	{ .path = "/proc/sys/kernel/version", .mode = 0444, .ops = &osversion_ops },
	{ .path = "/proc/sys/kernel/hostname", .mode = 0644, .ops = &hostname_ops },
	{ .path = "/proc/sys/kernel/pid_max", .mode = 0644, .ops = &pid_max_ops },
	{ .path = "/proc/sys/kernel/threads-max", .mode = 0644, .ops = &threads_max_ops },
	{ .path = "/proc/sys/kernel/cap_last_cap", .mode = 0444, .ops = &cap_last_cap_ops },
	{ .path = "/proc/sys/kernel/ngroups_max", .mode = 0444, .ops = &ngroups_max_ops },
	{ .path = "/proc/sys/kernel/overflowuid", .mode = 0444, .ops = &overflow_id_ops },
	{ .path = "/proc/sys/kernel/overflowgid", .mode = 0444, .ops = &overflow_id_ops },
	{ .path = "/proc/sys/kernel/core_pattern", .mode = 0644, .ops = &core_pattern_ops },
	{ .path = "/proc/sys/kernel/core_uses_pid", .mode = 0644, .ops = &core_uses_pid_ops },
	{ .path = "/proc/sys/kernel/tainted", .mode = 0444, .ops = &tainted_ops },
	{ .path = "/proc/sysrq-trigger", .mode = 0200, .ops = &sysrq_ops },
	{ .path = "/proc/sys/kernel/printk", .mode = 0444, .ops = &printk_ops },
	{ .path = "/proc/sys/kernel/random/boot_id", .mode = 0444, .ops = &boot_id_ops },
	{ .path = "/proc/sys/kernel/random/uuid", .mode = 0444, .ops = &uuid_ops },
	{ .path = "/proc/sys/fs/file-max", .mode = 0444, .ops = &file_max_ops },
	{ .path = "/proc/sys/fs/nr_open", .mode = 0444, .ops = &nr_open_ops },
	{ .path = "/proc/sys/fs/pipe-max-size", .mode = 0444, .ops = &pipe_max_ops },
	{ .path = "/sys/devices/system/cpu/online", .mode = 0444, .ops = &cpus_ops },
	{ .path = "/sys/devices/system/cpu/possible", .mode = 0444, .ops = &cpus_ops },
	{ .path = "/sys/devices/system/cpu/present", .mode = 0444, .ops = &cpus_ops },
	{ .path = "/sys/class/tty/console/active", .mode = 0444, .ops = &active_console_ops },
};
const unsigned int kernfiles_nr = ARRAY_SIZE(kernfiles);
