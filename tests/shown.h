/* SPDX-License-Identifier: MIT */
/* What a command of the monitor shows, as text. */
#ifndef TESTS_SHOWN_H
#define TESTS_SHOWN_H

#include "harness.h"
#include "mm/debug/monitor.h"

/* What the last command showed, up to what has room; tests may cut it up. */
extern char shown[32768];

/* An octavo_emit_fn: at the end of shown. */
void shown_emit(void *ctx, const char *text, size_t len);
/* monitor_command() of @mon, whose emit is shown_emit(). Return: its result. */
int shown_run(struct monitor *mon, const char *command);
/* @part is in what was shown, or the test fails. */
void expect_shown(const char *part);

#endif
