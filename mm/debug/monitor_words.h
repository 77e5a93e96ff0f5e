/* SPDX-License-Identifier: MIT */
/* What the files of the monitor share: taking a line apart, and messages. */
#ifndef MM_DEBUG_MONITOR_WORDS_H
#define MM_DEBUG_MONITOR_WORDS_H

#include "monitor.h"

/* The next word at *@p, NUL terminated in place; NULL at the end. */
char *next_word(char **p);

/* Is @word (may be NULL) a number up to @max? */
bool parse_number_word(const char *word, u64 max, u64 *value);

/* Flags joined by "|" or "+": names, or numbers. NULL, or the part that is neither. */
const char *parse_gfp(const char *text, gfp_t *gfp);

/* The words "FLAGS" and "xCOUNT" that are left of a line, in any order. Return: 0, or -EINVAL after a message. */
int parse_alloc_words(struct monitor *mon, char **args, gfp_t *gfp, u64 *count);

/* Says what is wrong with @what. Return: @error. */
int monitor_failed(struct monitor *mon, const char *what, int error);
/* Says how a command is used. Return: -EINVAL. */
int monitor_usage(struct monitor *mon, const char *text);

/* Run @fn on every CPU, as far as the port can. Return: 0 or what port_cpu_call() says. */
int monitor_run_all(struct monitor *mon, void (*fn)(void *arg), void *arg);

/* ---- monitor_heap.c, monitor_slabtop.c ---- */

int cmd_kmalloc(struct monitor *mon, char *args);
int cmd_kfree(struct monitor *mon, char *args);
int cmd_poke(struct monitor *mon, char *args);
int cmd_forget(struct monitor *mon, char *args);
int cmd_kmem_cache(struct monitor *mon, char *args);
int cmd_shrink(struct monitor *mon, char *args);
int cmd_drop_caches(struct monitor *mon, char *args);
int cmd_percpu(struct monitor *mon, char *args);
int cmd_leak(struct monitor *mon, char *args);
int cmd_slabinfo(struct monitor *mon, char *args);
int cmd_slabtop(struct monitor *mon, char *args);
int cmd_heap(struct monitor *mon, char *args);
int monitor_stress_heap(struct monitor *mon, char *args);
/* monitor_pt.c */
int cmd_pt(struct monitor *mon, char *args);
/* monitor_pressure.c */
int cmd_swapon(struct monitor *mon, char *args);
int cmd_pressure(struct monitor *mon, char *args);
int cmd_hog(struct monitor *mon, char *args);
int cmd_churn(struct monitor *mon, char *args);
int cmd_filecache(struct monitor *mon, char *args);
/* The objects that kmalloc and kmem_cache alloc got and nobody freed. */
void monitor_list_objects(struct monitor *mon);

#endif
