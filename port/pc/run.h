/* SPDX-License-Identifier: MIT */
/* What a booted machine is to do. */
#ifndef PORT_PC_RUN_H
#define PORT_PC_RUN_H

/*
 * run_command_line - octavo.test=all|PATTERN: the unit tests, then off; octavo.bench=all|GROUP: the benches, then
 * off; octavo.crash=page-fault|protection|divide|opcode|stack|text|panic: that, for its report; otherwise the monitor
 * on the serial port
 */
__attribute__((noreturn)) void run_command_line(void);

#endif
