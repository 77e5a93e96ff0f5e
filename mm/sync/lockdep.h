/* SPDX-License-Identifier: MIT */
/* What debug builds found wrong with the order of locks. */
#ifndef MM_SYNC_LOCKDEP_H
#define MM_SYNC_LOCKDEP_H

/* Reports since boot; always 0 without OCTAVO_DEBUG. A test that provokes one subtracts it again. */
extern unsigned int lockdep_reports;

#endif
