/* SPDX-License-Identifier: MIT */
/* What uname(2) says. Programs look at the release to learn what the kernel can do: it is the one Octavo follows. */
#ifndef KERNEL_UTS_H
#define KERNEL_UTS_H

struct k_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
extern struct k_utsname uts; /* info.c */

#endif
