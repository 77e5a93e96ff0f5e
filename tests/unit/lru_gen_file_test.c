// SPDX-License-Identifier: MIT
/* /sys/kernel/mm/lru_gen, /sys/kernel/debug/lru_gen, and what is found young in page tables. */

#include "mm/lru/gen.h"
#include "mm/pgtable/tables.h"
#include "mm/pgtable/tlb.h"
#include "mm/vm/rmap.h"
#include "proc_text.h"
#include "tasks.h"

#define ENABLED "/sys/kernel/mm/lru_gen/enabled"
#define TTL "/sys/kernel/mm/lru_gen/min_ttl_ms"
#define DEBUG_FILE "/sys/kernel/debug/lru_gen"
#define PAGES 20ul

static struct test_process p;

TEST(lru_gen_file, switches)
{
	EXPECT(!strcmp(proc_text(ENABLED), "0x0000\n"));
	EXPECT(proc_put(ENABLED, "y\n") > 0);
	EXPECT(!strcmp(proc_text(ENABLED), PGT_TABLE_YOUNG ? "0x0007\n" : "0x0003\n"));
	EXPECT(lru_policy() == &lru_gen);
	EXPECT(proc_put(ENABLED, "0x0001") > 0);
	EXPECT(!strcmp(proc_text(ENABLED), "0x0001\n"));
	EXPECT(proc_put(ENABLED, "what") < 0);
	EXPECT(proc_put(TTL, "1000\n") > 0);
	EXPECT(!strcmp(proc_text(TTL), "1000\n"));
	EXPECT(proc_put(TTL, "-1") < 0);
	EXPECT(proc_put(TTL, "0") > 0);
	EXPECT(proc_put(ENABLED, "n") > 0);
	EXPECT(lru_policy() == &lru_classic);
}

/* What is youngest on the only node that has pages of the test. */
static unsigned long max_seq(const struct folio *folio)
{
	return folio_lruvec(folio)->gen.max_seq;
}

static bool is_youngest(const struct folio *folio)
{
	return page_gen(&folio->page) == gen_of_seq(max_seq(folio));
}

static bool age_node(int nid)
{
	char command[40];

	octavo_snprintf(command, sizeof(command), "+ 0 %d %lu", nid, node_lruvec(nid)->gen.max_seq);
	return proc_put(DEBUG_FILE, command) > 0;
}

static bool age(const struct folio *folio)
{
	return age_node(page_to_nid(&folio->page));
}

TEST(lru_gen_file, ages_and_looks_at_page_tables)
{
	char line[80];
	const char *text;
	struct folio *folio;
	vm_flags_t flags;
	uintptr_t at;
	unsigned int lines = 0;
	char byte = 1;

	ASSERT(test_process_start(&p));
	EXPECT(proc_put(DEBUG_FILE, "+ 0 0 1") < 0); /* not while the other policy is in use */
	EXPECT(proc_put(ENABLED, "3") > 0);
	at = test_map(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, &byte, 1), 1);
	lru_add_drain_all();
	folio = test_user_folio(at);
	ASSERT(folio);
	for (text = proc_line(proc_text(DEBUG_FILE), line, sizeof(line)); text; lines++) {
		text = proc_line(text, line, sizeof(line));
		EXPECT(strncmp(line, " node ", 6) ? proc_fits(line, " {10} {10} {10}  {10} ") : true);
	}
	EXPECT(lines >= LRU_GENS_MAX);
	EXPECT(is_youngest(folio));
	/* Everything was written, so the first aging finds it young; the second does not. */
	EXPECT(age(folio));
	EXPECT(age(folio));
	EXPECT(!is_youngest(folio));
	expect_verified();
	/* One that is used again takes its neighbours along that were, too. */
	for (unsigned long i = 0; i < 3; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, &byte, 1), 1);
	/* (A translation that was never flushed need not be noted again.) */
	flush_tlb_mm(p.task.mm);
	for (unsigned long i = 0; i < 3; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, &byte, 1), 1);
	EXPECT(folio_referenced(folio, false, &flags) > 0);
	EXPECT(is_youngest(test_user_folio(at + 2 * PAGE_SIZE)));
	EXPECT(!is_youngest(test_user_folio(at + 9 * PAGE_SIZE)));
	expect_verified();
	EXPECT(proc_put(DEBUG_FILE, "- 0 0 99999999") < 0);
	EXPECT(proc_put(DEBUG_FILE, "- 0 0 18446744073709551615") < 0);
	EXPECT(proc_put(DEBUG_FILE, "- 0 0 0 201") < 0);
	EXPECT(proc_put(DEBUG_FILE, "* 0 0 1") < 0);
	EXPECT(proc_put(DEBUG_FILE, "+ 1 0 1") < 0);
	EXPECT(proc_put(ENABLED, "0") > 0);
	test_process_exit(&p);
	expect_verified();
}

/* Two pages, each in a table of its own. What says that the second was used is put into its entry behind the tables. */
TEST(lru_gen_file, tables_that_nobody_walked_by_are_passed_over)
{
	const uintptr_t at = 4 * (uintptr_t)PGT_SIZE(1), there = at + (uintptr_t)PGT_SIZE(1);
	struct folio *near, *far;
	pgt_entry_t *entry;
	unsigned int level;
	char byte = 1;

	if (!PGT_TABLE_YOUNG)
		SKIP("the processor does not mark entries that lead to tables");
	ASSERT(test_process_start(&p));
	EXPECT(proc_put(ENABLED, "7") > 0);
	ASSERT(test_map(at, 2 * PGT_SIZE(1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED) == at);
	EXPECT_EQ(test_user_write(at, &byte, 1), 1);
	EXPECT_EQ(test_user_write(there, &byte, 1), 1);
	lru_add_drain_all();
	near = test_user_folio(at);
	far = test_user_folio(there);
	ASSERT(near && far);
	EXPECT(age(near));
	EXPECT(is_youngest(near) == is_youngest(far));
	EXPECT(age(near));
	EXPECT(!is_youngest(near) && !is_youngest(far));
	flush_tlb_mm(p.task.mm);
	EXPECT_EQ(test_user_write(at, &byte, 1), 1);
	entry = pgt_descend(p.task.mm, there, 0, &level);
	EXPECT(pgt_entry_raise(0, entry, pgt_mkyoung(0, 0)));
	EXPECT(age(near));
	EXPECT(page_gen(&near->page) != page_gen(&far->page));
	EXPECT(pgt_young(0, pgt_get(entry)));
	/* What is of another node is left to its own walk, which will come by. */
	flush_tlb_mm(p.task.mm);
	EXPECT_EQ(test_user_write(at, &byte, 1), 1);
	for_each_online_node(nid)
		if (nid != page_to_nid(&near->page))
			EXPECT(age_node(nid));
	EXPECT(age(near));
	EXPECT(!pgt_young(0, pgt_get(pgt_descend(p.task.mm, at, 0, &level))));
	/* A walk that goes by leaves alone finds it. */
	EXPECT(proc_put(ENABLED, "3") > 0);
	EXPECT(age(near));
	EXPECT(!pgt_young(0, pgt_get(entry)));
	EXPECT(proc_put(ENABLED, "0") > 0);
	test_process_exit(&p);
	expect_verified();
}
