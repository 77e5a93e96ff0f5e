// SPDX-License-Identifier: MIT
/*
 * Credentials: users, groups, capabilities. They are the process's; Linux has them per thread, and its C libraries make
 * all threads change together.
 * Sources: credentials(7), capabilities(7), setuid(2), setresuid(2), setgroups(2), capget(2).
 */
#include "kernel.h"

#define CAP_CHOWN 0
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_LAST 40
#define CAP_ALL (((u64)1 << (CAP_LAST + 1)) - 1)

bool capable(unsigned int capability)
{
	return task_capable(&current()->core, capability);
}

/* ptrace(2), "Ptrace access mode checking": PTRACE_MODE_REALCREDS or PTRACE_MODE_FSCREDS. */
bool may_look_into(const struct process *p, bool real)
{
	const struct process *me = current_process();
	u32 uid = real ? me->ruid : me->fsuid, gid = real ? me->rgid : me->fsgid;
	u64 mine = real ? me->cap_permitted : me->core.capabilities;

	if (me == p || capable(CAP_SYS_PTRACE))
		return true;
	return p->dumpable && uid == p->ruid && uid == p->euid && uid == p->suid && gid == p->rgid && gid == p->egid &&
	       gid == p->sgid && !(p->cap_permitted & ~mine);
}

/*
 * Who acts for another now is not to be read by who could read him before (prctl(2): PR_SET_DUMPABLE), and his parent's
 * end is no reason to signal him (PR_SET_PDEATHSIG). Before the ids change: may_look_into() is asked meanwhile.
 */
static void becomes(struct process *p, u32 euid, u32 fsuid, u32 egid, u32 fsgid)
{
	if (euid == p->euid && fsuid == p->fsuid && egid == p->egid && fsgid == p->fsgid)
		return;
	kstore(&p->dumpable, false);
	current()->pdeath_signal = 0;
}

/* What becomes of capabilities when user ids do: capabilities(7), "Effect of user ID changes". */
static void users_changed(struct process *p, u32 ruid, u32 euid, u32 suid)
{
	bool was = !ruid || !euid || !suid, is = !p->ruid || !p->euid || !p->suid;

	if (was && !is) {
		p->cap_permitted = 0;
		p->core.capabilities = 0;
	}
	if (!euid && p->euid)
		p->core.capabilities = 0;
	if (euid && !p->euid)
		p->core.capabilities = p->cap_permitted;
	p->fsuid = p->euid;
	p->core.uid = p->euid;
	p->core.ruid = p->ruid;
}

static long sys_getuid(void)
{
	return current_process()->ruid;
}
SYSCALL(102, sys_getuid);

static long sys_geteuid(void)
{
	return current_process()->euid;
}
SYSCALL(107, sys_geteuid);

static long sys_getgid(void)
{
	return current_process()->rgid;
}
SYSCALL(104, sys_getgid);

static long sys_getegid(void)
{
	return current_process()->egid;
}
SYSCALL(108, sys_getegid);

static bool is_mine(u32 id, u32 a, u32 b, u32 c)
{
	return id == a || id == b || id == c;
}

static long sys_setresuid(u32 r, u32 e, u32 s)
{
	struct process *p = current_process();
	u32 ruid = p->ruid, euid = p->euid, suid = p->suid;

	if (!capable(CAP_SETUID) && ((r != ~0u && !is_mine(r, ruid, euid, suid)) ||
				     (e != ~0u && !is_mine(e, ruid, euid, suid)) ||
				     (s != ~0u && !is_mine(s, ruid, euid, suid))))
		return -EPERM;
	e = e == ~0u ? euid : e;
	becomes(p, e, e, p->egid, p->fsgid);
	p->ruid = r == ~0u ? ruid : r;
	p->euid = e;
	p->suid = s == ~0u ? suid : s;
	users_changed(p, ruid, euid, suid);
	return 0;
}
SYSCALL(117, sys_setresuid);

static long sys_setuid(u32 uid)
{
	struct process *p = current_process();

	if (uid == ~0u)
		return -EINVAL;
	if (capable(CAP_SETUID))
		return sys_setresuid(uid, uid, uid);
	if (uid != p->ruid && uid != p->suid)
		return -EPERM;
	return sys_setresuid(~0u, uid, ~0u);
}
SYSCALL(105, sys_setuid);

static long sys_setreuid(u32 r, u32 e)
{
	struct process *p = current_process();
	u32 saved = ~0u;

	if (r != ~0u && !capable(CAP_SETUID) && r != p->ruid && r != p->euid)
		return -EPERM;
	if (r != ~0u || (e != ~0u && e != p->ruid))
		saved = e == ~0u ? p->euid : e;
	return sys_setresuid(r, e, saved);
}
SYSCALL(113, sys_setreuid);

static long sys_setresgid(u32 r, u32 e, u32 s)
{
	struct process *p = current_process();
	u32 rgid = p->rgid, egid = p->egid, sgid = p->sgid;

	if (!capable(CAP_SETGID) && ((r != ~0u && !is_mine(r, rgid, egid, sgid)) ||
				     (e != ~0u && !is_mine(e, rgid, egid, sgid)) ||
				     (s != ~0u && !is_mine(s, rgid, egid, sgid))))
		return -EPERM;
	e = e == ~0u ? egid : e;
	becomes(p, p->euid, p->fsuid, e, e);
	p->rgid = r == ~0u ? rgid : r;
	p->egid = e;
	p->sgid = s == ~0u ? sgid : s;
	p->fsgid = p->core.gid = p->egid;
	return 0;
}
SYSCALL(119, sys_setresgid);

static long sys_setgid(u32 gid)
{
	struct process *p = current_process();

	if (gid == ~0u)
		return -EINVAL;
	if (capable(CAP_SETGID))
		return sys_setresgid(gid, gid, gid);
	if (gid != p->rgid && gid != p->sgid)
		return -EPERM;
	return sys_setresgid(~0u, gid, ~0u);
}
SYSCALL(106, sys_setgid);

static long sys_setregid(u32 r, u32 e)
{
	struct process *p = current_process();
	u32 saved = ~0u;

	if (r != ~0u && !capable(CAP_SETGID) && r != p->rgid && r != p->egid)
		return -EPERM;
	if (r != ~0u || (e != ~0u && e != p->rgid))
		saved = e == ~0u ? p->egid : e;
	return sys_setresgid(r, e, saved);
}
SYSCALL(114, sys_setregid);

static long put_three(uintptr_t a, uintptr_t b, uintptr_t c, u32 x, u32 y, u32 z)
{
	return put_user(x, a) || put_user(y, b) || put_user(z, c) ? -EFAULT : 0;
}

static long sys_getresuid(uintptr_t r, uintptr_t e, uintptr_t s)
{
	const struct process *p = current_process();

	return put_three(r, e, s, p->ruid, p->euid, p->suid);
}
SYSCALL(118, sys_getresuid);

static long sys_getresgid(uintptr_t r, uintptr_t e, uintptr_t s)
{
	const struct process *p = current_process();

	return put_three(r, e, s, p->rgid, p->egid, p->sgid);
}
SYSCALL(120, sys_getresgid);

static long sys_setfsuid(u32 uid)
{
	struct process *p = current_process();
	u32 old = p->fsuid;

	if (uid != ~0u && (capable(CAP_SETUID) || is_mine(uid, p->ruid, p->euid, p->suid))) {
		becomes(p, p->euid, uid, p->egid, p->fsgid);
		p->fsuid = uid;
	}
	return old;
}
SYSCALL(122, sys_setfsuid);

static long sys_setfsgid(u32 gid)
{
	struct process *p = current_process();
	u32 old = p->fsgid;

	if (gid != ~0u && (capable(CAP_SETGID) || is_mine(gid, p->rgid, p->egid, p->sgid))) {
		becomes(p, p->euid, p->fsuid, p->egid, gid);
		p->fsgid = gid;
	}
	return old;
}
SYSCALL(123, sys_setfsgid);

static long sys_getgroups(int size, uintptr_t list)
{
	const struct process *p = current_process();

	if (size < 0)
		return -EINVAL;
	if (!size)
		return p->groups_nr;
	if ((unsigned int)size < p->groups_nr)
		return -EINVAL;
	if (copy_to_user(list, p->groups, p->groups_nr * sizeof(u32)))
		return -EFAULT;
	return p->groups_nr;
}
SYSCALL(115, sys_getgroups);

static long sys_setgroups(int size, uintptr_t list)
{
	struct process *p = current_process();
	u32 groups[ARRAY_SIZE(p->groups)];

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((unsigned int)size > ARRAY_SIZE(groups))
		return -EINVAL;
	if (copy_from_user(groups, list, (size_t)size * sizeof(u32)))
		return -EFAULT;
	memcpy(p->groups, groups, (size_t)size * sizeof(u32));
	p->groups_nr = (unsigned int)size;
	return 0;
}
SYSCALL(116, sys_setgroups);

/* ---- Capabilities ---- */

#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_2 0x20071026u
#define CAP_VERSION_3 0x20080522u

struct cap_header {
	u32 version;
	s32 pid;
};

struct cap_data {
	u32 effective, permitted, inheritable;
};

/* Words of each set by the header's version; 0: unknown, and the one there is was written back. */
static long cap_words(uintptr_t header, struct cap_header *h, unsigned int *words)
{
	if (copy_from_user(h, header, sizeof(*h)))
		return -EFAULT;
	*words = h->version == CAP_VERSION_1 ? 1 : h->version == CAP_VERSION_2 || h->version == CAP_VERSION_3 ? 2 : 0;
	if (*words)
		return 0;
	return put_user((u32)CAP_VERSION_3, header) ? -EFAULT : -EINVAL;
}

static long sys_capget(uintptr_t header, uintptr_t data)
{
	struct cap_data d[2];
	struct cap_header h;
	unsigned int words;
	struct task *task;
	long err = cap_words(header, &h, &words);

	if (err)
		return err == -EINVAL && !data ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	task = h.pid ? thread_find(h.pid) : current();
	if (!task)
		return -ESRCH;
	for (unsigned int i = 0; i < 2; i++)
		d[i] = (struct cap_data){ (u32)(task->process->core.capabilities >> 32 * i),
					  (u32)(task->process->cap_permitted >> 32 * i),
					  (u32)(task->process->cap_inheritable >> 32 * i) };
	if (h.pid)
		task_put(task);
	return data && copy_to_user(data, d, words * sizeof(d[0])) ? -EFAULT : 0;
}
SYSCALL(125, sys_capget);

static long sys_capset(uintptr_t header, uintptr_t data)
{
	struct process *p = current_process();
	u64 effective, permitted, inheritable;
	struct cap_data d[2] = { { 0 } };
	struct cap_header h;
	unsigned int words;
	long err = cap_words(header, &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != current()->core.pid)
		return -EPERM;
	if (copy_from_user(d, data, words * sizeof(d[0])))
		return -EFAULT;
	effective = (d[0].effective | (u64)d[1].effective << 32) & CAP_ALL;
	permitted = (d[0].permitted | (u64)d[1].permitted << 32) & CAP_ALL;
	inheritable = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAP_ALL;
	if ((permitted & ~p->cap_permitted) || (effective & ~permitted) ||
	    (inheritable & ~(p->cap_inheritable | p->cap_permitted)))
		return -EPERM;
	p->core.capabilities = effective;
	p->cap_permitted = permitted;
	p->cap_inheritable = inheritable;
	return 0;
}
SYSCALL(126, sys_capset);
