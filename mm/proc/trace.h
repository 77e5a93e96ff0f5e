/* SPDX-License-Identifier: MIT */
/* What the two files about trace events share. */
#ifndef MM_PROC_TRACE_H
#define MM_PROC_TRACE_H

#include "../sync/trace.h"
#include "proc.h"

/* Events' numbers begin here: Linux's smaller ones are records of its own making. */
#define TRACE_FIRST_ID 64u

void trace_show_header(struct seq_file *m, unsigned long entries, unsigned long written);
void trace_show_record(struct seq_file *m, const struct trace_record *record);
void trace_show_format(struct seq_file *m, enum trace_id id);
/* Is every {field:form} of its text there? For tests. */
bool trace_text_is_valid(const struct trace_event_info *info);

#endif
