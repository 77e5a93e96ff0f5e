// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/mm/lru_gen/enabled and min_ttl_ms, /sys/kernel/debug/lru_gen: the multi-generational LRU.
 * Formats: Documentation/admin-guide/mm/multigen_lru.rst. The memory cgroup is always 0: there are none.
 */
#include "../boot/params.h"
#include "../lru/gen.h"
#include "../reclaim/reclaim.h"
#include "../vm/madvise.h"
#include "proc.h"

#define CAPS (LRU_GEN_CORE | LRU_GEN_MM_WALK | (PGT_TABLE_YOUNG ? LRU_GEN_NONLEAF : 0))

PROC_SHOW(lru_gen_enabled_show)
{
	(void)entry, (void)id;
	seq_printf(m, "0x%04x\n", lru_gen_caps());
}

PROC_STORE(lru_gen_enabled_store)
{
	char line[24];
	u64 caps;

	(void)entry, (void)id;
	if (!proc_one_line(line, sizeof(line), text))
		return -EINVAL;
	if (line[0] == 'n' || line[0] == 'N')
		caps = 0;
	else if (line[0] == 'y' || line[0] == 'Y')
		caps = CAPS;
	else if (parse_number(line, &caps))
		return -EINVAL;
	return lru_gen_set_caps((unsigned int)caps & CAPS);
}

PROC_SHOW(lru_gen_ttl_show)
{
	(void)entry, (void)id;
	seq_printf(m, "%lu\n", load_relaxed(&lru_gen_min_ttl_ms));
}

PROC_STORE(lru_gen_ttl_store)
{
	char line[24];
	u64 ms;

	(void)entry, (void)id;
	if (!proc_one_line(line, sizeof(line), text) || parse_number(line, &ms) || ms > 0xffffffffu)
		return -EINVAL;
	store_relaxed(&lru_gen_min_ttl_ms, (unsigned long)ms);
	return 0;
}

/* ---- debugfs ---- */

static void show_node(struct seq_file *m, struct lruvec *vec)
{
	unsigned long flags, pages[LRU_GENS_MAX][2], seq[LRU_GENS_MAX], first;
	unsigned int ms[LRU_GENS_MAX], n = 0;
	u64 now = port_clock_ns();

	lru_lock(vec, &flags);
	first = min(vec->gen.min_seq[0], vec->gen.min_seq[1]);
	for (unsigned long at = first; n < LRU_GENS_MAX && at <= vec->gen.max_seq; at++, n++) {
		seq[n] = at;
		ms[n] = (unsigned int)((now - vec->gen.birth_ns[at % LRU_GENS_MAX]) / 1000000);
		for (unsigned int file = 0; file < 2; file++)
			pages[n][file] = at < vec->gen.min_seq[file] ? 0 : lru_gen_pages(vec, at, file);
	}
	lru_unlock(vec, flags);
	seq_printf(m, " node %5d\n", vec->nid);
	for (unsigned int i = 0; i < n; i++)
		seq_printf(m, " %10lu %10u %10lu  %10lu \n", seq[i], ms[i], pages[i][0], pages[i][1]);
}

PROC_SHOW(lru_gen_show)
{
	(void)entry, (void)id;
	seq_puts(m, "memcg     0 /\n");
	for_each_lruvec (vec)
		show_node(m, vec);
}

/* Numbers behind a command. Return: how many there are; *@text is behind them. Negative: something else is there. */
static int numbers(const char **text, u64 *value, unsigned int most)
{
	unsigned int n = 0;
	bool overflow;

	for (;;) {
		size_t len;

		while (**text == ' ' || **text == '\t')
			(*text)++;
		if (!**text || **text == ',' || **text == ';' || **text == '\n')
			return (int)n;
		len = n < most ? parse_u64(*text, &value[n], &overflow) : 0;
		if (!len || overflow)
			return -EINVAL;
		*text += len;
		n++;
	}
}

static unsigned long oldest_pages(struct lruvec *vec, bool file)
{
	unsigned long flags, pages;

	lru_lock(vec, &flags);
	pages = lru_gen_pages(vec, vec->gen.min_seq[file], file);
	lru_unlock(vec, flags);
	return pages;
}

/*
 * Generations up to @seq are reclaimed, at most @pages. What was used returns to the generation that it is in, so that
 * one need not become empty: as many as there are and no more are looked at, while any go.
 */
static int evict(struct lruvec *vec, u64 seq, unsigned int swappiness, unsigned long pages)
{
	struct lru_scan scan = { .node = NODE_DATA(vec->nid), .highest = MAX_NR_ZONES - 1, .swappiness = swappiness,
				 .may_swap = swappiness, .may_unmap = true, .may_write = true,
				 .nr_to_reclaim = pages };
	struct folio *folios[32];

	if (load_relaxed(&vec->gen.max_seq) < GENS_MIN || seq > load_relaxed(&vec->gen.max_seq) - GENS_MIN)
		return -EINVAL;
	for (unsigned int file = swappiness ? 0 : 1; file < 2; file++) {
		unsigned long left = pages, any = 0, oldest = load_relaxed(&vec->gen.min_seq[file]);
		unsigned long round = oldest_pages(vec, file);

		while (left && load_relaxed(&vec->gen.min_seq[file]) <= seq) {
			unsigned long scanned = 0, freed;
			unsigned int n = lru_gen.isolate(vec, &scan, file, folios, ARRAY_SIZE(folios), &scanned);

			if (!n)
				break;
			freed = pageout_folios(folios, n);
			left -= min(left, max(freed, scanned));
			any += freed;
			if (fatal_signal_pending(current_task()))
				return -EINTR;
			if (round > scanned) {
				round -= scanned;
				continue;
			}
			if (!any && oldest == load_relaxed(&vec->gen.min_seq[file]))
				break;
			oldest = load_relaxed(&vec->gen.min_seq[file]);
			round = oldest_pages(vec, file);
			any = 0;
		}
	}
	return 0;
}

static int command(char what, const u64 *value, int n)
{
	struct lruvec *vec;

	if (n < 3 || value[1] >= MAX_NUMNODES)
		return -EINVAL;
	if (value[0])
		return -EINVAL;
	vec = node_lruvec((int)value[1]);
	if (!vec)
		return -EINVAL;
	if (what == '-') {
		u64 swappiness = n > 3 ? value[3] : (u64)READ_ONCE(vm_swappiness);
		u64 pages = n > 4 ? min(value[4], (u64)~0ul) : ~0ul;

		if (swappiness > 200)
			return -EINVAL;
		return evict(vec, value[2], (unsigned int)swappiness, (unsigned long)pages);
	}
	if (value[2] > load_relaxed(&vec->gen.max_seq))
		return -EINVAL;
	(void)lru_gen_age(vec, (unsigned long)value[2], true);
	return 0;
}

PROC_STORE(lru_gen_store)
{
	(void)entry, (void)id;
	if (!(lru_gen_caps() & LRU_GEN_CORE))
		return -EINVAL;
	while (*text) {
		u64 value[5];
		char what = *text++;
		int n, err;

		if (what == ' ' || what == '\t' || what == ',' || what == ';' || what == '\n')
			continue;
		if (what != '+' && what != '-')
			return -EINVAL;
		n = numbers(&text, value, ARRAY_SIZE(value));
		err = n < 0 ? n : command(what, value, n);
		if (err)
			return err;
	}
	return 0;
}
