// SPDX-License-Identifier: MIT
#include "harness.h"
#include "mm/boot/memblock_internal.h"

/*
 * A map of its own over 512 KiB, in granules of 256 bytes; the oracle says of each granule what it is. Arrays
 * begin with four elements, so that they grow often.
 */
#define GRANULE 256u
#define GRANULES 2048u
#define SPACE ((phys_addr_t)GRANULES * GRANULE)

static struct {
	struct memblock mb;
	struct memblock_region memory[4], reserved[4];
	struct {
		u8 mem, taken, nid, flags;
	} cell[GRANULES];
	u8 ram[GRANULES * GRANULE] __aligned(4096);
} t;

static void start(bool resize)
{
	memset(&t.mb, 0, sizeof(t.mb));
	memset(t.cell, 0, sizeof(t.cell));
	t.mb.memory = (struct memblock_type){ .max = 4, .regions = t.memory, .name = "memory" };
	t.mb.reserved = (struct memblock_type){ .max = 4, .regions = t.reserved, .name = "reserved" };
	t.mb.current_limit = MEMBLOCK_ALLOC_ANYWHERE;
	t.mb.direct_map = (uintptr_t)t.ram;
	t.mb.direct_map_end = SPACE;
	t.mb.can_resize = resize;
}

static bool same_cell(unsigned int a, unsigned int b, bool memory)
{
	if (memory)
		return t.cell[a].mem && t.cell[b].mem && t.cell[a].nid == t.cell[b].nid &&
		       t.cell[a].flags == t.cell[b].flags;
	return t.cell[a].taken && t.cell[b].taken;
}

/* The list must be the run-length code of the cells, and nothing else: MB-I1, MB-I2, MB-I3. */
static unsigned int check_list(const struct memblock_type *type, bool memory)
{
	unsigned long r = 0;
	phys_addr_t total = 0;

	for (unsigned int i = 0, j; i < GRANULES; i = j) {
		for (j = i + 1; j < GRANULES && same_cell(i, j, memory); j++)
			;
		if (!same_cell(i, i, memory))
			continue;
		if (r >= type->cnt || type->regions[r].base != i * GRANULE ||
		    type->regions[r].size != (j - i) * GRANULE)
			return 1;
		if (memory && (type->regions[r].nid != t.cell[i].nid || type->regions[r].flags != t.cell[i].flags))
			return 2;
		total += type->regions[r++].size;
	}
	return r != type->cnt ? 3 : total != type->total_size ? 4 : 0;
}

static void take_cells(phys_addr_t base, phys_addr_t size, bool taken)
{
	for (phys_addr_t a = base; a < base + size; a += GRANULE)
		t.cell[a / GRANULE].taken = taken;
}

struct arrays {
	struct memblock_type memory, reserved;
};

static phys_addr_t array_base(const struct memblock_type *type)
{
	return (uintptr_t)type->regions - t.mb.direct_map;
}

static phys_addr_t array_bytes(const struct memblock_type *type)
{
	return ALIGN((phys_addr_t)type->max * sizeof(*type->regions), PAGE_SIZE);
}

/* Follow an array that moved: where it went must have been free, and is no part of what the caller changes (MB-I4). */
static void follow(const struct memblock_type *old, const struct memblock_type *now, phys_addr_t base, phys_addr_t end)
{
	if (old->regions == now->regions)
		return;
	for (phys_addr_t a = array_base(now); a < array_base(now) + array_bytes(now); a += GRANULE)
		EXPECT(a < SPACE && t.cell[a / GRANULE].mem && !t.cell[a / GRANULE].taken && (a < base || a >= end));
	take_cells(array_base(now), array_bytes(now), true);
	if (old->grown)
		take_cells(array_base(old), array_bytes(old), false);
}

static bool touches_array(const struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	return type->grown && base < array_base(type) + array_bytes(type) && array_base(type) < end;
}

static phys_addr_t oracle_find(phys_addr_t size, phys_addr_t align, phys_addr_t low, phys_addr_t high, int nid,
			       u32 flags)
{
	low = max(low, (phys_addr_t)PAGE_SIZE);
	for (unsigned int n = 0; n < GRANULES; n++) {
		phys_addr_t at = (t.mb.bottom_up ? n : GRANULES - 1 - n) * GRANULE;
		bool fits = at >= low && at + size <= high && !(at & (align - 1));

		for (phys_addr_t a = at; fits && a < at + size; a += GRANULE) {
			unsigned int i = (unsigned int)(a / GRANULE);

			fits = i < GRANULES && same_cell(i, (unsigned int)(at / GRANULE), true) && !t.cell[i].taken &&
			       !(t.cell[i].flags & MEMBLOCK_NOMAP & ~flags) && (nid < 0 || t.cell[i].nid == nid) &&
			       (t.cell[i].flags & flags & MEMBLOCK_MIRROR) == (flags & MEMBLOCK_MIRROR);
		}
		if (fits)
			return at;
	}
	return 0;
}

static void random_alloc(u64 *seed)
{
	phys_addr_t size = (1 + test_random(seed) % 24) * GRANULE, align = GRANULE << test_random(seed) % 6;
	phys_addr_t low = test_random(seed) % 4 ? 0 : test_random(seed) % GRANULES * GRANULE, want, got;
	phys_addr_t high = test_random(seed) % 4 ? SPACE : test_random(seed) % GRANULES * GRANULE;
	int nid = (int)(test_random(seed) % 4) - 1;
	struct arrays old = { t.mb.memory, t.mb.reserved };

	t.mb.bottom_up = test_random(seed) % 2;
	want = oracle_find(size, align, low, high, nid, 0);
	if (!want && nid >= 0)
		want = oracle_find(size, align, low, high, -1, 0);
	got = high ? mb_alloc(&t.mb, size, align, low, high, nid, false) : want;
	follow(&old.reserved, &t.mb.reserved, want, want + size);
	follow(&old.memory, &t.mb.memory, want, want + size);
	if (!high || (!got && old.reserved.cnt + 2 > old.reserved.max))
		return; /* no room for the array is an allowed failure */
	EXPECT_EQ(got, want);
	if (got)
		take_cells(got, size, true);
}

static void random_change(u64 *seed)
{
	unsigned int op = test_random(seed) % 6, nid = test_random(seed) % 3;
	phys_addr_t base = test_random(seed) % GRANULES * GRANULE;
	phys_addr_t size = min((1 + test_random(seed) % (test_random(seed) % 8 ? 16 : 400)) * GRANULE, SPACE - base);
	u32 flag = test_random(seed) % 2 ? MEMBLOCK_NOMAP : MEMBLOCK_HOTPLUG;
	bool set = test_random(seed) % 2;
	struct arrays old = { t.mb.memory, t.mb.reserved };
	int err = 0;

	if (op == 3 &&
	    (touches_array(&t.mb.memory, base, base + size) || touches_array(&t.mb.reserved, base, base + size)))
		return;
	switch (op) {
	case 0: err = mb_add(&t.mb, &t.mb.memory, base, size, (int)nid, 0); break;
	case 1: err = mb_remove(&t.mb, &t.mb.memory, base, size); break;
	case 2: err = mb_add(&t.mb, &t.mb.reserved, base, size, NUMA_NO_NODE, 0); break;
	case 3: err = mb_remove(&t.mb, &t.mb.reserved, base, size); break;
	case 4: err = mb_set_node(&t.mb, &t.mb.memory, base, size, (int)nid); break;
	default: err = mb_set_flag(&t.mb, base, size, flag, set); break;
	}
	follow(&old.reserved, &t.mb.reserved, base, base + size);
	follow(&old.memory, &t.mb.memory, base, base + size);
	for (phys_addr_t a = base; !err && a < base + size; a += GRANULE) {
		unsigned int i = (unsigned int)(a / GRANULE);

		if (op == 0 && !t.cell[i].mem)
			t.cell[i].mem = 1, t.cell[i].nid = (u8)nid, t.cell[i].flags = 0;
		else if (op == 1)
			t.cell[i].mem = 0;
		else if (op == 2 || op == 3)
			t.cell[i].taken = op == 2;
		else if (op == 4)
			t.cell[i].nid = (u8)nid;
		else if (op == 5)
			t.cell[i].flags = (u8)(set ? t.cell[i].flags | flag : t.cell[i].flags & ~flag);
	}
}

TEST(memblock, random_against_cells)
{
	u64 seed = test_seed + 11;
	bool was = printk_console(false); /* arrays that cannot grow are reported */

	for (unsigned int round = 0; round < 24; round++) {
		start(round % 4 != 3);
		for (unsigned int op = 0; op < 150; op++) {
			if (test_random(&seed) % 4)
				random_change(&seed);
			else
				random_alloc(&seed);
			unsigned int bad = check_list(&t.mb.memory, true) * 10 + check_list(&t.mb.reserved, false);

			if (bad) {
				printk_console(was);
				test_fail(__FILE__, __LINE__, "round %u op %u: lists differ from cells (%u)", round, op,
					  bad);
				return;
			}
		}
	}
	printk_console(was);
}

static bool walk_free(bool reverse, int nid)
{
	struct memblock_span span;
	u64 cursor = reverse ? MEMBLOCK_LAST : MEMBLOCK_FIRST;
	unsigned int seen = 0, free = 0;

	while (reverse ? mb_prev_free(&t.mb, &cursor, nid, 0, &span) : mb_next_free(&t.mb, &cursor, nid, 0, &span))
		for (phys_addr_t a = span.start; a < span.end; a += GRANULE, seen++)
			if (!t.cell[a / GRANULE].mem || t.cell[a / GRANULE].taken ||
			    t.cell[a / GRANULE].nid != span.nid)
				return false;
	for (unsigned int i = 0; i < GRANULES; i++)
		free += t.cell[i].mem && !t.cell[i].taken && (nid < 0 || t.cell[i].nid == nid) &&
			!(t.cell[i].flags & MEMBLOCK_NOMAP);
	return seen == free;
}

TEST(memblock, free_ranges_cover_what_is_free)
{
	u64 seed = test_seed + 5;
	bool was;

	start(true);
	EXPECT(walk_free(false, -1));
	EXPECT(walk_free(true, -1));
	for (unsigned int op = 0; op < 300; op++) {
		was = printk_console(false);
		random_change(&seed);
		printk_console(was);
		EXPECT(walk_free(false, (int)(op % 4) - 1));
		EXPECT(walk_free(true, (int)(op % 4) - 1));
	}
}

TEST(memblock, neighbours_merge)
{
	struct memblock_type *mem = &t.mb.memory;

	start(false);
	EXPECT_EQ(mb_add(&t.mb, mem, 0x1000, 0x1000, 0, 0), 0);
	EXPECT_EQ(mb_add(&t.mb, mem, 0x3000, 0x1000, 0, 0), 0);
	EXPECT_EQ(mem->cnt, 2);
	EXPECT_EQ(mb_add(&t.mb, mem, 0x0800, 0x4000, 0, 0), 0);
	EXPECT_EQ(mem->cnt, 1);
	EXPECT_EQ(mem->regions[0].base, 0x800);
	EXPECT_EQ(mem->total_size, 0x4000);
	/* another node does not merge; what was known keeps its node */
	EXPECT_EQ(mb_add(&t.mb, mem, 0x4000, 0x2000, 1, 0), 0);
	EXPECT_EQ(mem->cnt, 2);
	EXPECT_EQ(mem->regions[1].base, 0x4800);
	EXPECT_EQ(mem->regions[1].nid, 1);
}

TEST(memblock, ends_of_the_address_space)
{
	struct memblock_type *mem = &t.mb.memory;

	start(false);
	EXPECT_EQ(mb_add(&t.mb, mem, ~(phys_addr_t)0xfff, ~(phys_addr_t)0, 0, 0), 0);
	EXPECT_EQ(mem->total_size, 0xfff);
	EXPECT_EQ(mb_add(&t.mb, mem, 0, 0, 0, 0), 0);
	EXPECT_EQ(mem->cnt, 1);
	EXPECT_EQ(mb_remove(&t.mb, mem, 0, ~(phys_addr_t)0), 0);
	EXPECT_EQ(mem->cnt, 0);
	EXPECT_EQ(mem->total_size, 0);
	/* page 0 is memory but is not given */
	EXPECT_EQ(mb_add(&t.mb, mem, 0, 0x2000, 0, 0), 0);
	EXPECT_EQ(mb_alloc(&t.mb, 0x1000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0x1000);
	EXPECT_EQ(mb_alloc(&t.mb, 0x1000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0);
}

TEST(memblock, full_array_changes_nothing)
{
	struct memblock_type *mem = &t.mb.memory;
	struct memblock_region before[4];

	start(false);
	for (phys_addr_t i = 0; i < 4; i++)
		EXPECT_EQ(mb_add(&t.mb, mem, 0x1000 + i * 0x2000, 0x1000, 0, 0), 0);
	memcpy(before, t.memory, sizeof(before));
	EXPECT_EQ(mb_add(&t.mb, mem, 0x20000, 0x1000, 0, 0), -ENOMEM);
	EXPECT_EQ(mb_remove(&t.mb, mem, 0x1400, 0x100), -ENOMEM);
	EXPECT_EQ(mb_set_node(&t.mb, mem, 0x1400, 0x100, 1), -ENOMEM);
	EXPECT_EQ(mb_set_flag(&t.mb, 0x1400, 0x100, MEMBLOCK_MIRROR, true), -ENOMEM);
	EXPECT_EQ(mem->cnt, 4);
	EXPECT(!memcmp(before, t.memory, sizeof(before)));
	/* what needs no room works */
	EXPECT_EQ(mb_add(&t.mb, mem, 0x2000, 0x1000, 0, 0), 0);
	EXPECT_EQ(mem->cnt, 3);
	EXPECT_EQ(mb_remove(&t.mb, mem, 0x1000, 0x2000), 0);
}

TEST(memblock, mirrored_memory_first)
{
	const char *said;

	start(false);
	EXPECT_EQ(mb_add(&t.mb, &t.mb.memory, 0x1000, 0x20000, 0, 0), 0);
	EXPECT_EQ(mb_set_flag(&t.mb, 0x4000, 0x2000, MEMBLOCK_MIRROR, true), 0);
	EXPECT_EQ(mb_alloc(&t.mb, 0x2000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0x4000);
	test_capture_begin();
	EXPECT_EQ(mb_alloc(&t.mb, 0x2000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0x1f000);
	said = test_capture_end();
	EXPECT(strstr(said, "Could not allocate 8192 bytes of mirrored memory"));
	t.mb.memory.regions[0].flags = 0;
}

TEST(memblock, node_and_fallback)
{
	start(false);
	EXPECT_EQ(mb_add(&t.mb, &t.mb.memory, 0x10000, 0x4000, 0, 0), 0);
	EXPECT_EQ(mb_add(&t.mb, &t.mb.memory, 0x20000, 0x4000, 1, 0), 0);
	EXPECT_EQ(mb_alloc(&t.mb, 0x3000, 0x1000, 0, SPACE, 0, false), 0x11000);
	EXPECT_EQ(mb_alloc(&t.mb, 0x3000, 0x1000, 0, SPACE, 0, true), 0);
	EXPECT_EQ(mb_alloc(&t.mb, 0x3000, 0x1000, 0, SPACE, 0, false), 0x21000);
	/* hotpluggable memory is kept free with movable_node */
	EXPECT_EQ(mb_set_flag(&t.mb, 0x20000, 0x4000, MEMBLOCK_HOTPLUG, true), 0);
	t.mb.skip_hotplug = true;
	EXPECT_EQ(mb_alloc(&t.mb, 0x1000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0x10000);
	EXPECT_EQ(mb_alloc(&t.mb, 0x1000, 0x1000, 0, SPACE, NUMA_NO_NODE, false), 0);
}
