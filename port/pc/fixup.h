/* SPDX-License-Identifier: MIT */
/* For assembly: "fixup at, go_on": an access of user memory refused at one goes on at the other (struct pc_fixup). */
#ifndef PORT_PC_FIXUP_H
#define PORT_PC_FIXUP_H

	.macro fixup at, go_on
	.section pc_fixups, "a"
#ifdef __x86_64__
	.balign 8
	.quad \at, \go_on
#else
	.balign 4
	.long \at, \go_on
#endif
	.text
	.endm

#endif
