// SPDX-License-Identifier: MIT
/*
 * membarrier(2): barriers for the other threads instead of them. A call on every CPU executes one there; whoever does
 * not run now has executed one when he was switched away. Which commands an address space may use it registers first.
 *
 * Restartable sequences are not there, so neither are their commands.
 */
#include "vm.h"

#define CMD_QUERY 0
#define CMD_GLOBAL 1
#define CMD_GLOBAL_EXPEDITED 2
#define CMD_REGISTER_GLOBAL_EXPEDITED 4
#define CMD_PRIVATE_EXPEDITED 8
#define CMD_REGISTER_PRIVATE_EXPEDITED 16
#define CMD_PRIVATE_EXPEDITED_SYNC_CORE 32
#define CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE 64
#define CMD_GET_REGISTRATIONS 512
#define COMMANDS                                                                                              \
	(CMD_GLOBAL | CMD_GLOBAL_EXPEDITED | CMD_REGISTER_GLOBAL_EXPEDITED | CMD_PRIVATE_EXPEDITED |          \
	 CMD_REGISTER_PRIVATE_EXPEDITED | CMD_PRIVATE_EXPEDITED_SYNC_CORE |                                   \
	 CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | CMD_GET_REGISTRATIONS)

/*
 * Every CPU passes a barrier. The call comes as an interrupt, whose return makes what follows be fetched anew (Intel
 * SDM volume 3A section 9.3: IRET; arm64: ERET). A port that cannot call has no other CPUs.
 */
static long everywhere(void)
{
	smp_mb();
	(void)port_cpu_call(PORT_CPU_OTHERS, NULL, NULL);
	smp_mb();
	return 0;
}

/* mm->membarrier holds the commands of registration that were given. */
static long enlist(struct mm_struct *mm, u32 command)
{
	if (!(load_relaxed(&mm->membarrier) & command))
		atomic_fetch_or(&mm->membarrier, command);
	return 0;
}

static long expedite(const struct mm_struct *mm, u32 registration)
{
	return load_relaxed(&mm->membarrier) & registration ? everywhere() : -EPERM;
}

long ksys_membarrier(int cmd, unsigned int flags, int cpu)
{
	struct mm_struct *mm = current_task()->mm;

	(void)cpu; /* only commands of restartable sequences are for one CPU */
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case CMD_QUERY:
		return COMMANDS;
	case CMD_GLOBAL:
		synchronize_rcu();
		return 0;
	case CMD_GLOBAL_EXPEDITED:
		return everywhere();
	case CMD_REGISTER_GLOBAL_EXPEDITED:
	case CMD_REGISTER_PRIVATE_EXPEDITED:
	case CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		return enlist(mm, (u32)cmd);
	case CMD_PRIVATE_EXPEDITED:
		return expedite(mm, CMD_REGISTER_PRIVATE_EXPEDITED);
	case CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return expedite(mm, CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	case CMD_GET_REGISTRATIONS:
		return load_relaxed(&mm->membarrier);
	default:
		return -EINVAL;
	}
}
