/* SPDX-License-Identifier: MIT */
#ifndef CLI_BOOTLOG_H
#define CLI_BOOTLOG_H

#include "machine.h"

/*
 * bootlog_text - the text of a log line, behind whatever stamps it carries
 * Date and host of syslog, "<6>", "[    0.000000]", "[    T0]", "[Tue Jan  2 03:04:05 2024]". The text's own
 * leading blanks stay.
 */
const char *bootlog_text(const char *line);

#endif
