/* SPDX-License-Identifier: MIT */
/* What /proc shows of overcommit, and the sysctls of address spaces that vm.h does not name. */
#ifndef MM_VM_ACCOUNT_H
#define MM_VM_ACCOUNT_H

/* vm.overcommit_memory */
enum { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

extern unsigned long sysctl_overcommit_kbytes, sysctl_admin_reserve_kbytes, sysctl_user_reserve_kbytes;
extern int sysctl_legacy_va_layout;

/* Committed_AS and CommitLimit of /proc/meminfo, in pages. */
unsigned long vm_committed_pages(void);
unsigned long vm_commit_limit(void);

#endif
