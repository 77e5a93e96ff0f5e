// SPDX-License-Identifier: MIT
/* Per-CPU variables, their operations, areas, and what the verifier says of damaged chunks. */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/percpu_counter.h>

#include "harness.h"
#include "mm/slab/percpu.h"

static DEFINE_PER_CPU(u8, byte) = 200;
static DEFINE_PER_CPU(u16, half) = 0xfff0;
static DEFINE_PER_CPU(s32, word) = -7;
static DEFINE_PER_CPU(unsigned long, whole) = 1ul << 20;
static DEFINE_PER_CPU(const char *, name) = "one";
static DEFINE_PER_CPU_ALIGNED(char[3], line);
static DEFINE_PER_CPU_PAGE_ALIGNED(char[8], page);
DECLARE_PER_CPU(int, percpu_test_extern);
DEFINE_PER_CPU(int, percpu_test_extern) = 5;

static char found[1024];

static void collect(void *ctx, const char *text)
{
	size_t len = strlen(found);

	(void)ctx;
	octavo_snprintf(found + len, sizeof(found) - len, "%s\n", text);
}

static unsigned int verify(void)
{
	found[0] = 0;
	return percpu_verify(collect, NULL);
}

/* PU-I1 */
TEST(percpu, each_cpu_begins_with_the_first_values)
{
	per_cpu(word, 0) = 99;
	for_each_possible_cpu(cpu) {
		EXPECT_EQ(per_cpu(byte, cpu), 200);
		EXPECT_EQ(per_cpu(half, cpu), 0xfff0);
		EXPECT_EQ(per_cpu(word, cpu), cpu ? -7 : 99);
		EXPECT_EQ(per_cpu(percpu_test_extern, cpu), 5);
		EXPECT_STREQ(per_cpu(name, cpu), "one");
		EXPECT_EQ((uintptr_t)per_cpu_ptr(&line, cpu) % 64, 0);
		EXPECT_EQ((uintptr_t)per_cpu_ptr(&page, cpu) % PAGE_SIZE, 0);
		EXPECT(percpu_is_ready(cpu));
		EXPECT(is_kernel_percpu_address((uintptr_t)per_cpu_ptr(&word, cpu)));
		EXPECT(!is_kernel_percpu_address((uintptr_t)percpu_unit_of(cpu)->room));
		per_cpu(word, cpu) = (s32)cpu;
		if (cpu)
			EXPECT_EQ(per_cpu_ptr_to_phys(per_cpu_ptr(&word, cpu)), virt_to_phys(per_cpu_ptr(&word, cpu)));
	}
	for_each_possible_cpu(cpu)
		EXPECT_EQ(per_cpu(word, cpu), cpu);
	EXPECT(!is_kernel_percpu_address((uintptr_t)found));
}

TEST(percpu, first_values_are_given_once_and_not_before)
{
	unsigned int last = nr_cpu_ids - 1;

	if (!last || percpu_is_ready(last))
		SKIP("the last CPU of this machine has been online");
	per_cpu(word, last) = 3;
	EXPECT(percpu_is_ready(last));
	percpu_unit_ready(last);
	EXPECT_EQ(per_cpu(word, last), 3);
}

#define try_ops(var, type, start)                                                \
	do {                                                                     \
		type _old = (start);                                             \
		this_cpu_write(var, (type)(start));                              \
		EXPECT_EQ(this_cpu_read(var), (type)(start));                    \
		this_cpu_add(var, 5);                                            \
		this_cpu_sub(var, 2);                                            \
		this_cpu_inc(var);                                               \
		this_cpu_dec(var);                                               \
		EXPECT_EQ(this_cpu_read(var), (type)((start) + 3));              \
		EXPECT_EQ(this_cpu_add_return(var, 10), (type)((start) + 13));   \
		EXPECT_EQ(this_cpu_sub_return(var, 12), (type)((start) + 1));    \
		EXPECT_EQ(this_cpu_inc_return(var), (type)((start) + 2));        \
		EXPECT_EQ(this_cpu_dec_return(var), (type)((start) + 1));        \
		this_cpu_or(var, 0x50);                                          \
		this_cpu_and(var, 0x71);                                         \
		EXPECT_EQ(this_cpu_xchg(var, 9), (type)((((start) + 1) | 0x50) & 0x71)); \
		EXPECT_EQ(this_cpu_cmpxchg(var, 8, 1), 9);                       \
		EXPECT_EQ(this_cpu_cmpxchg(var, 9, 1), 9);                       \
		_old = 2;                                                        \
		EXPECT(!this_cpu_try_cmpxchg(var, &_old, 3));                    \
		EXPECT_EQ(_old, 1);                                              \
		EXPECT(this_cpu_try_cmpxchg(var, &_old, 3));                     \
		raw_cpu_add(var, 4);                                             \
		__this_cpu_sub(var, 1);                                          \
		raw_cpu_inc(var);                                                \
		EXPECT_EQ(__this_cpu_read(var), 7);                              \
		EXPECT_EQ(raw_cpu_xchg(var, 1), 7);                              \
		EXPECT_EQ(raw_cpu_cmpxchg(var, 1, 2), 1);                        \
		EXPECT_EQ(raw_cpu_add_return(var, 2), 4);                        \
		EXPECT_EQ(*this_cpu_ptr(&(var)), 4);                             \
	} while (0)

struct mixed {
	u64 wide;
	u32 word;
	u16 half;
	u8 byte;
	s8 small;
	void *pointer;
};

TEST(percpu, operations_on_all_sizes)
{
	try_ops(byte, u8, 250);
	try_ops(half, u16, 65530);
	try_ops(word, s32, -2);
	try_ops(whole, unsigned long, ~0ul - 1);
	this_cpu_write(name, "two");
	EXPECT_STREQ(this_cpu_read(name), "two");
	EXPECT_STREQ(this_cpu_xchg(name, "three"), "two");
	EXPECT_STREQ(this_cpu_read(name), "three");
	for_each_possible_cpu(cpu)
		if (cpu != smp_processor_id())
			EXPECT_EQ(per_cpu(byte, cpu), 200);
}

/* The same in the first chunk and in a later one. */
TEST(percpu, operations_on_areas)
{
	struct mixed __percpu *early = alloc_percpu(struct mixed), *late;
	void __percpu *fill[4];

	for (unsigned int i = 0; i < 4; i++)
		fill[i] = __alloc_percpu(12 << 10, 8);
	late = alloc_percpu(struct mixed);
	fill[3] = fill[3] ? fill[3] : NULL;
	ASSERT(early && late && fill[0] && fill[1] && fill[2] && fill[3]);
	EXPECT((uintptr_t)early < OCTAVO_PERCPU_LATER);
	free_percpu(late);
	late = fill[3];
	EXPECT((uintptr_t)late >= OCTAVO_PERCPU_LATER);
	for (struct mixed __percpu *p = early; p; p = p == early ? late : NULL) {
		try_ops(p->byte, u8, 250);
		try_ops(p->half, u16, 65530);
		try_ops(p->word, u32, 0xfffffffe);
		try_ops(p->small, s8, 2);
		try_ops(p->wide, u64, ~0ull - 1);
		this_cpu_write(p->pointer, found);
		EXPECT(this_cpu_read(p->pointer) == found);
		EXPECT(get_cpu_ptr(p)->pointer == found);
		EXPECT_EQ(preempt_count(), 1);
		put_cpu_ptr(p);
		for_each_possible_cpu(cpu)
			EXPECT(per_cpu_ptr(p, cpu)->pointer == (cpu == smp_processor_id() ? found : NULL));
	}
	EXPECT_EQ(verify(), 0);
	free_percpu(early);
	for (unsigned int i = 0; i < 4; i++)
		free_percpu(fill[i]);
	EXPECT_EQ(verify(), 0);
	EXPECT_STREQ(found, "");
}

TEST(percpu, get_cpu_var_keeps_the_cpu)
{
	get_cpu_var(word)++;
	EXPECT_EQ(preempt_count(), 1);
	put_cpu_var(word);
	EXPECT_EQ(preempt_count(), 0);
	EXPECT_EQ(this_cpu_read(word), -6);
}

TEST(percpu, areas_are_zeroed_aligned_and_counted)
{
	static const size_t aligns[] = { 1, 2, 4, 8, 64, 512, 4096 };
	unsigned long pages = percpu_pages();

	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < ARRAY_SIZE(aligns); i++) {
			char __percpu *p = __alloc_percpu(100 * (i + 1), aligns[i]);

			ASSERT(p);
			for_each_possible_cpu(cpu) {
				char *copy = per_cpu_ptr(p, cpu);

				EXPECT_EQ((uintptr_t)copy % aligns[i], 0);
				for (unsigned int k = 0; k < 100 * (i + 1); k++)
					if (copy[k])
						test_fail(__FILE__, __LINE__, "byte %u of CPU %u: %d", k, cpu, copy[k]);
				memset(copy, 0x55, 100 * (i + 1));
			}
			EXPECT_EQ(verify(), 0);
			free_percpu(p);
		}
	EXPECT_EQ(percpu_pages(), pages);
	EXPECT_EQ(verify(), 0);
}

/* PC-I5, PC-I6 */
TEST(percpu, later_chunks_come_and_go_and_one_is_kept)
{
	void __percpu *big[6];
	unsigned long pages = percpu_pages(), free;
	char *units[6];

	drain_all_pages(NULL);
	free = nr_free_pages();

	for (unsigned int i = 0; i < 6; i++) {
		big[i] = __alloc_percpu(PCPU_MIN_UNIT_SIZE, PAGE_SIZE);
		ASSERT(big[i]);
		units[i] = per_cpu_ptr((char *)big[i], nr_cpu_ids - 1);
		for (unsigned int k = 0; k < i; k++)
			EXPECT(units[k] != units[i]);
		EXPECT_EQ(virt_to_phys(units[i]), per_cpu_ptr_to_phys(units[i]));
	}
	EXPECT_EQ(percpu.nr_later, 6);
	EXPECT_EQ(percpu_pages(), pages + 6 * 8 * nr_cpu_ids);
	EXPECT_EQ(verify(), 0);
	for (unsigned int i = 0; i < 6; i++) {
		free_percpu(big[i]);
		EXPECT_EQ(verify(), 0);
	}
	EXPECT_EQ(percpu.nr_later, 1);
	EXPECT_EQ(percpu.nr_empty, 1);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages() + 8 * nr_cpu_ids + 1, free);
	/* what cannot wait is served from it, and no further */
	big[0] = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, 4, GFP_NOWAIT);
	EXPECT(big[0]);
	big[1] = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, 4, GFP_NOWAIT | __GFP_NOWARN);
	EXPECT(!big[1]);
	free_percpu(big[0]);
}

TEST(percpu, bad_requests_are_refused)
{
	const char *said;

	test_capture_begin();
	EXPECT(!__alloc_percpu(0, 4));
	EXPECT(!__alloc_percpu(PCPU_MIN_UNIT_SIZE + 1, 4));
	EXPECT(!__alloc_percpu(4, 3));
	EXPECT(!__alloc_percpu(4, 0));
	EXPECT(!__alloc_percpu(4, 2 * PAGE_SIZE));
	said = test_capture_end();
	EXPECT(strstr(said, "illegal size (0) or align (4) for percpu allocation"));
	EXPECT(strstr(said, "illegal size (32769) or align (4) for percpu allocation"));
	EXPECT(strstr(said, "illegal size (4) or align (3) for percpu allocation"));
	EXPECT(strstr(said, "illegal size (4) or align (0) for percpu allocation"));
	EXPECT(strstr(said, "illegal size (4) or align (8192) for percpu allocation"));
}

TEST(percpu, failures_are_reported_ten_times)
{
	const char *said, *at;
	unsigned int lines = 0;

	test_capture_begin();
	EXPECT(!__alloc_percpu_gfp(30 << 10, 64, GFP_NOWAIT | __GFP_NOWARN));
	for (unsigned int i = 0; i < 12; i++)
		EXPECT(!__alloc_percpu_gfp(30 << 10, 64, GFP_ATOMIC));
	said = test_capture_end();
	for (at = said; (at = strstr(at, "percpu: allocation failed, size=30720 align=64 atomic=1, "
					  "atomic alloc failed, no space left\n"));
	     at++)
		lines++;
	EXPECT_EQ(lines, 10);
	EXPECT(strstr(said, "percpu: limit reached, disable warning\n"));
}

TEST(percpu, frees_that_make_no_sense_are_reported)
{
	u64 __percpu *p = alloc_percpu(u64), *q = alloc_percpu(u64);
	unsigned long errors = percpu.errors;
	const char *said;

	ASSERT(p && q);
	free_percpu(NULL);
	EXPECT_EQ(percpu.errors, errors);
	test_capture_begin();
	free_percpu((char *)p + 4);
	free_percpu((char *)p + 2);
	free_percpu(found);
	free_percpu((void *)(OCTAVO_PERCPU_LATER + 5 * PERCPU_UNIT_SIZE));
	free_percpu((void *)~(uintptr_t)15);
	free_percpu(p);
	EXPECT_EQ(percpu.errors, errors + 5);
	free_percpu(p);
	said = test_capture_end();
	EXPECT_EQ(percpu.errors, errors + 6);
	EXPECT(strstr(said, "where no area begins: a wild pointer, or free already"));
	free_percpu(q);
	EXPECT_EQ(verify(), 0);
}

static const void *told[3];
static size_t told_size;

static void tell_allocated(const void *p, size_t size, gfp_t gfp)
{
	(void)gfp;
	told[0] = p;
	told_size = size;
}

static void tell_freeing(const void *p)
{
	told[1] = p;
}

TEST(percpu, a_tool_follows_areas)
{
	static const struct percpu_tool tool = { tell_allocated, tell_freeing };
	void *p;

	percpu_tool_set(&tool);
	p = __alloc_percpu(10, 2);
	free_percpu(p);
	percpu_tool_set(NULL);
	EXPECT(p && told[0] == p && told[1] == p);
	EXPECT_EQ(told_size, 10);
}

/* ---- Damage: PC-I1 to PC-I7 ---- */

static void expect_finding(const char *text)
{
	EXPECT_EQ(verify(), 1);
	if (!strstr(found, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in:\n%s", text, found);
}

TEST(percpu, the_verifier_sees_damaged_bits)
{
	struct percpu_chunk *chunk = &percpu.first;
	void __percpu *p = __alloc_percpu(4, 4), *q = __alloc_percpu(4, 4);
	u32 at = chunk_next_free(chunk, 0), last = chunk->granules - 1, saved;

	ASSERT(p && q && at < last);
	EXPECT_EQ(verify(), 0);
	chunk->free--; /* PC-I1 */
	expect_finding("granules are free, it says");
	chunk->free++;
	chunk->begins[last / 64] |= 1ull << last % 64; /* PC-I2 */
	expect_finding("1 free granules begin an area");
	chunk->begins[last / 64] &= ~(1ull << last % 64);
	chunk->taken[last / 64] |= 1ull << last % 64;
	chunk->free--;
	percpu.used++;
	expect_finding("1 runs of taken granules belong to no area");
	chunk->taken[last / 64] &= ~(1ull << last % 64);
	chunk->free++;
	percpu.used--;
	saved = chunk->bound; /* PC-I3 */
	chunk->bound = 1;
	expect_finding("it says 1 at most");
	chunk->bound = saved;
	saved = chunk->first;
	chunk->first = last / 64;
	EXPECT_EQ(verify(), 1);
	EXPECT(strstr(found, "free granules ahead of word"));
	chunk->first = saved;
	percpu.areas++; /* PC-I7 */
	expect_finding("percpu: ");
	percpu.areas--;
	free_percpu(p);
	free_percpu(q);
	EXPECT_EQ(verify(), 0);
}

TEST(percpu, the_verifier_sees_damaged_lists_and_units)
{
	void __percpu *p = __alloc_percpu(PCPU_MIN_UNIT_SIZE, 4), *q = __alloc_percpu(PCPU_MIN_UNIT_SIZE, 4);
	uintptr_t *later = percpu_unit_of(nr_cpu_ids - 1)->later, saved = later[1];
	struct percpu_chunk *chunk = percpu.chunks[1];

	ASSERT(p && q && chunk);
	EXPECT_EQ(verify(), 0);
	list_del(&chunk->list); /* PC-I4 */
	list_add(&chunk->list, &percpu.slot[3]);
	expect_finding("in slot 3 instead of 0");
	list_del(&chunk->list);
	expect_finding("2 chunks on lists, 3 in the table, 2 later ones counted");
	list_add(&chunk->list, &percpu.slot[0]);
	later[1] = 0; /* PC-I5 */
	expect_finding("has no unit");
	later[1] = later[0];
	expect_finding("unit is chunk 1's too");
	later[1] = saved;
	percpu.nr_empty++; /* PC-I6 */
	expect_finding("0 empty chunks, 1 counted");
	percpu.nr_empty--;
	free_percpu(p);
	free_percpu(q);
	EXPECT_EQ(verify(), 0);
}

/* ---- Counters ---- */

TEST(percpu_counter, adds_up)
{
	struct percpu_counter c = { 0 };

	percpu_counter_destroy(&c);
	EXPECT(!percpu_counter_initialized(&c));
	ASSERT(!percpu_counter_init(&c, 1ll << 40, GFP_KERNEL));
	EXPECT(percpu_counter_initialized(&c));
	for (int i = 0; i < 31; i++)
		percpu_counter_inc(&c);
	EXPECT_EQ(percpu_counter_read(&c), 1ll << 40);
	EXPECT_EQ(percpu_counter_sum(&c), (1ll << 40) + 31);
	percpu_counter_inc(&c);
	EXPECT_EQ(percpu_counter_read(&c), (1ll << 40) + 32);
	percpu_counter_sub(&c, 5000000000);
	EXPECT_EQ(percpu_counter_sum(&c), (1ll << 40) + 32 - 5000000000);
	percpu_counter_add_local(&c, 1000);
	percpu_counter_add_local(&c, 1000);
	EXPECT_EQ(percpu_counter_read(&c), (1ll << 40) + 32 - 5000000000);
	percpu_counter_sync(&c);
	EXPECT_EQ(percpu_counter_read(&c), (1ll << 40) + 2032 - 5000000000);
	percpu_counter_set(&c, -3);
	EXPECT_EQ(percpu_counter_sum(&c), -3);
	EXPECT_EQ(percpu_counter_read_positive(&c), 0);
	EXPECT_EQ(percpu_counter_sum_positive(&c), 0);
	percpu_counter_destroy(&c);
	EXPECT_EQ(verify(), 0);
}

TEST(percpu_counter, compares_and_limits)
{
	struct percpu_counter c;

	ASSERT(!percpu_counter_init(&c, 1000, GFP_KERNEL));
	percpu_counter_add(&c, 20);
	EXPECT_EQ(percpu_counter_compare(&c, 1020), 0);
	EXPECT_EQ(percpu_counter_compare(&c, 1019), 1);
	EXPECT_EQ(percpu_counter_compare(&c, 1021), -1);
	EXPECT_EQ(percpu_counter_compare(&c, 5), 1);
	EXPECT_EQ(percpu_counter_compare(&c, 1 << 20), -1);
	EXPECT(!percpu_counter_limited_add(&c, 1029, 10));
	EXPECT(percpu_counter_limited_add(&c, 1030, 10));
	EXPECT(percpu_counter_limited_add(&c, 0, 0));
	EXPECT(!percpu_counter_limited_add(&c, 1000, -31));
	EXPECT(percpu_counter_limited_add(&c, 1000, -30));
	EXPECT_EQ(percpu_counter_sum(&c), 1000);
	percpu_counter_destroy(&c);
}
