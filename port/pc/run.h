/* SPDX-License-Identifier: MIT */
/* What a booted machine is to do. */
#ifndef PORT_PC_RUN_H
#define PORT_PC_RUN_H

/*
 * run_command_line - octavo.test=all|PATTERN: the unit tests, then off; octavo.bench=all|GROUP: the benches, then
 * off; octavo.crash=KIND: that, for its report (crash() has the kinds; panic is one that it does not know); otherwise
 * the monitor on the serial port
 * The RAM disk is still there: mm_free_initmem() is this function's to call.
 */
__attribute__((noreturn)) void run_command_line(void);

#endif
