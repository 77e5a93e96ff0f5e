// SPDX-License-Identifier: MIT
/*
 * The vmalloc family with books: every byte of each area is written when it is got and looked at when it goes, through
 * the software MMU's translations and through the frames; random runs that shrink, each allocation failing in turn,
 * addresses that run out, and a purge that forgets to flush.
 */
#include <octavo/fault.h>
#include <octavo/page.h>
#include <octavo/port.h>
#include <octavo/verify.h>
#include <octavo/vmalloc.h>

#include "access.h"
#include "fault.h"
#include "hosted.h"
#include "mm/kmap/vmap.h"
#include "mm/pgtable/tlb.h"
#include "mm/pgtable/walk.h"
#include "mmu.h"
#include "model.h"

#define LIVE 48u

enum kind { KIND_VMALLOC, KIND_VMAP, KIND_RAM };

struct entry {
	u8 *p;
	unsigned int nr;
	enum kind kind;
	u8 seed;
	struct page *pages[70];
};

static struct world {
	struct entry entry[LIVE];
	unsigned int nr;
} world;
static char why[160];

static const char *wrong(const char *what, const void *at)
{
	octavo_snprintf(why, sizeof(why), "%s at %p", what, at);
	return why;
}

/* ---- Books ---- */

static u8 byte_of(const struct entry *e, size_t i)
{
	return (u8)(e->seed + i * 11 + (i >> PAGE_SHIFT) * 31);
}

static void stamp(struct entry *e)
{
	for (size_t i = 0; i < e->nr * PAGE_SIZE; i += 61)
		e->p[i] = byte_of(e, i);
}

/* What the translation shows is what the frame has. */
static const char *examine(const struct entry *e)
{
	for (unsigned int n = 0; n < e->nr; n++) {
		struct page *page = vmalloc_to_page(e->p + n * PAGE_SIZE);
		const u8 *frame;
		const char *bad = NULL;

		if (!page)
			return wrong("nothing is mapped", e->p + n * PAGE_SIZE);
		if (e->kind != KIND_VMALLOC && page != e->pages[n])
			return wrong("another page is mapped", e->p + n * PAGE_SIZE);
		frame = kmap_local_page(page);
		for (size_t i = (61 - n * PAGE_SIZE % 61) % 61; i < PAGE_SIZE; i += 61)
			if (frame[i] != byte_of(e, n * PAGE_SIZE + i) || e->p[n * PAGE_SIZE + i] != frame[i])
				bad = wrong("contents differ", e->p + n * PAGE_SIZE + i);
		kunmap_local(frame);
		if (bad)
			return bad;
	}
	return NULL;
}

/* The first address behind, guard page included: vm_map_ram() has none. */
static const u8 *behind(const struct entry *e)
{
	return e->p + (e->nr + (e->kind != KIND_RAM)) * PAGE_SIZE;
}

static bool overlaps(const struct world *w, const struct entry *e)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (w->entry[i].p < behind(e) && e->p < behind(&w->entry[i]))
			return true;
	return false;
}

/* ---- Operations ---- */

static bool get_pages(struct entry *e)
{
	for (unsigned int i = 0; i < e->nr; i++) {
		e->pages[i] = alloc_page(GFP_KERNEL | __GFP_NOWARN);
		if (!e->pages[i]) {
			while (i--)
				__free_page(e->pages[i]);
			return false;
		}
	}
	return true;
}

static void put_pages(struct entry *e)
{
	for (unsigned int i = 0; i < e->nr; i++)
		__free_page(e->pages[i]);
}

static bool get(struct entry *e, gfp_t gfp)
{
	e->p = NULL;
	if (e->kind != KIND_VMALLOC && !get_pages(e))
		return false;
	if (e->kind == KIND_VMALLOC)
		e->p = __vmalloc(e->nr * PAGE_SIZE - e->seed % 100, gfp | __GFP_NOWARN);
	else if (e->kind == KIND_VMAP)
		e->p = vmap(e->pages, e->nr, VM_MAP, PAGE_KERNEL);
	else
		e->p = vm_map_ram(e->pages, e->nr, NUMA_NO_NODE);
	if (!e->p && e->kind != KIND_VMALLOC)
		put_pages(e);
	return e->p != NULL;
}

static void put(struct entry *e)
{
	if (e->kind == KIND_VMALLOC)
		vfree(e->p);
	else if (e->kind == KIND_VMAP)
		vunmap(e->p);
	else
		vm_unmap_ram(e->p, e->nr);
	if (e->kind != KIND_VMALLOC)
		put_pages(e);
}

static void reset(void *ctx)
{
	struct world *w = ctx;

	while (w->nr)
		put(&w->entry[--w->nr]);
	vmap_purge(true);
}

enum { OP_GET, OP_PUT, OP_LOOK, OP_PURGE, OP_PURGE_ALL, OP_KINDS };

static const char *apply_get(struct world *w, const struct model_op *op)
{
	static const u8 sizes[] = { 1, 1, 1, 2, 3, 4, 8, 16, 17, 32, 63, 64, 65, 66 };
	struct entry *e = &w->entry[w->nr];

	if (w->nr == LIVE)
		return NULL;
	e->nr = sizes[op->a % sizeof(sizes)];
	e->kind = (enum kind)(op->a / 16 % 3);
	e->seed = (u8)op->b;
	if (!get(e, op->b & 0x100 ? GFP_KERNEL | __GFP_ZERO : op->b & 0x200 ? GFP_NOWAIT : GFP_KERNEL))
		return NULL;
	if (overlaps(w, e))
		return wrong("two areas overlap", e->p);
	stamp(e);
	w->nr++;
	return NULL;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	struct world *w = ctx;
	struct entry *e = w->nr ? &w->entry[op->b % w->nr] : NULL;
	const char *bad;

	switch (op->kind) {
	case OP_GET:
		return apply_get(w, op);
	case OP_PUT:
		bad = e ? examine(e) : NULL;
		if (e) {
			put(e);
			*e = w->entry[--w->nr];
		}
		return bad;
	case OP_LOOK:
		return e ? examine(e) : NULL;
	default:
		vmap_purge(op->kind == OP_PURGE_ALL);
		return NULL;
	}
}

static void keep(void *ctx, const char *line)
{
	(void)ctx;
	octavo_snprintf(why, sizeof(why), "%s", line);
}

static const char *check(void *ctx)
{
	struct world *w = ctx;
	struct findings f = { .report = keep };
	uintptr_t virt;

	for (unsigned int i = 0; i < w->nr; i++) {
		const char *bad = examine(&w->entry[i]);

		if (bad)
			return bad;
	}
	if (vmap_verify(&f))
		return why;
	vmap_purge(true);
	if (!mmu_stale(0, &virt))
		return NULL;
	octavo_snprintf(why, sizeof(why), "VM-I4: %#zx is stale behind a purge", (size_t)virt);
	return why;
}

static void random_op(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 kinds[] = { OP_GET, OP_GET, OP_GET, OP_GET, OP_PUT, OP_PUT, OP_PUT, OP_LOOK,
				    OP_LOOK, OP_PURGE };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = r >> 32 & 63 ? kinds[r % sizeof(kinds)] : OP_PURGE_ALL;
	op->a = (u8)(r >> 8);
	op->b = (u16)(r >> 16);
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const name[] = { "get", "put", "look", "purge", "purge all" };

	octavo_snprintf(text, size, "%s a %u b %u", op->kind < OP_KINDS ? name[op->kind] : "?", op->a, op->b);
}

static const struct model model = { "vmalloc", &world, reset, random_op, apply, check, describe, 50 };

#define NEEDS_TABLES()      \
	if (!vmap_state.on) \
	SKIP("the machine has no page tables")

TEST(vmalloc_model, random_runs)
{
	NEEDS_TABLES();
	world.nr = 0;
	for (unsigned int i = 0; i < test_scaled(6); i++)
		if (!model_run(&model, test_seed + i, 1500, NULL))
			break;
	reset(&world);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* Without the flush a translation leads where an area was before: its bytes are seen to be somebody else's. */
TEST(vmalloc_model, a_purge_that_does_not_flush_is_caught)
{
	struct vmap_cpu *c = vmap_this_cpu();
	struct entry e = { .nr = 1, .kind = KIND_VMALLOC, .seed = 1 };
	struct page *old, *held;
	uintptr_t virt;
	u8 *p;

	NEEDS_TABLES();
	vmap_purge(true);
	ASSERT(get(&e, GFP_KERNEL));
	stamp(&e);
	EXPECT(!examine(&e));
	p = e.p;
	old = vmalloc_to_page(p);
	vfree(p);
	/* Somebody else has the frame by now. */
	held = alloc_page(GFP_KERNEL);
	ASSERT(held);
	/* What the purge does, less the flush. */
	c->lazy->state = VMAP_CLEAN;
	c->clean[0] = c->lazy;
	c->lazy = NULL;
	c->lazy_pages -= 2;
	e.seed = 2;
	ASSERT(get(&e, GFP_KERNEL));
	EXPECT(e.p == p);
	EXPECT(vmalloc_to_page(p) != old);
	stamp(&e);
	EXPECT(examine(&e) != NULL);
	EXPECT(mmu_stale(0, &virt) > 0);
	EXPECT_EQ(virt, vmap_virt(p));
	flush_tlb_kernel_local(vmap_virt(p), vmap_virt(p) + PAGE_SIZE);
	stamp(&e);
	EXPECT(!examine(&e));
	put(&e);
	__free_page(held);
}

/* ---- Failing allocations ---- */

static unsigned long tables_before;

static bool everything_once(void *ctx)
{
	struct entry e[] = { { .nr = 1, .kind = KIND_VMALLOC }, { .nr = 66, .kind = KIND_VMALLOC },
			     { .nr = 20, .kind = KIND_VMAP },	{ .nr = 20, .kind = KIND_RAM },
			     { .nr = 66, .kind = KIND_RAM } };
	unsigned int got = 0;
	void *huge, *io;

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(e); i++)
		if (get(&e[i], GFP_KERNEL)) {
			got++;
			put(&e[i]);
		}
	huge = vmalloc_huge((size_t)PGT_SIZE(1) + 1, GFP_KERNEL | __GFP_NOWARN);
	vfree(huge);
	io = get_vm_area(3 * PAGE_SIZE, VM_IOREMAP);
	if (io)
		free_vm_area(io);
	vmap_purge(true);
	return got == ARRAY_SIZE(e) && huge && io;
}

static void nothing_lost(void *ctx)
{
	struct findings f = { .report = keep };

	(void)ctx;
	vmap_purge(true);
	rcu_barrier();
	EXPECT_EQ(vmalloc_nr_pages(), 0);
	EXPECT_EQ(init_mm.pgtable_pages, tables_before);
	if (vmap_verify(&f))
		test_fail(__FILE__, __LINE__, "%s", why);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(vmalloc_model, each_allocation_fails_once)
{
	unsigned int failed;

	NEEDS_TABLES();
	ASSERT(everything_once(NULL));
	tables_before = init_mm.pgtable_pages;
	test_capture_begin();
	failed = fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, everything_once, nothing_lost, NULL);
	test_capture_end();
	EXPECT(failed > 150);
}

/* ---- Addresses run out ---- */

TEST(vmalloc_model, addresses_run_out_and_come_back)
{
	static void *p[4096];
	unsigned int n = 0, again = 0;
	uintptr_t low, end;
	const char *text;

	NEEDS_TABLES();
	low = ALIGN(VMALLOC_START + (VMALLOC_END - VMALLOC_START) / 4, 1 << 20);
	end = low + (8 << 20);
	test_capture_begin();
	while (n < 4096 && (p[n] = __vmalloc_node_range(3 * PAGE_SIZE, 1, low, end, GFP_KERNEL, PAGE_KERNEL, 0,
							NUMA_NO_NODE, NULL)) != NULL)
		n++;
	text = test_capture_end();
	EXPECT_EQ(n, (8 << 20) / (4 * PAGE_SIZE));
	EXPECT(strstr(text, "vmap allocation for size 16384 failed"));
	for (unsigned int i = 0; i < n; i += 2)
		vfree(p[i]);
	/* Freed, not flushed: the allocation that finds no room purges first. */
	for (unsigned int i = 0; i < n; i += 2) {
		p[i] = __vmalloc_node_range(3 * PAGE_SIZE, 1, low, end, GFP_KERNEL, PAGE_KERNEL, 0, NUMA_NO_NODE, NULL);
		again += p[i] != NULL;
	}
	EXPECT_EQ(again, n / 2);
	EXPECT(!__vmalloc_node_range(PAGE_SIZE, 1, low, end, GFP_NOWAIT | __GFP_NOWARN, PAGE_KERNEL, 0, NUMA_NO_NODE,
				     NULL));
	for (unsigned int i = 0; i < n; i++)
		vfree(p[i]);
	EXPECT_EQ(vmap_verify(&(struct findings){ .report = keep }), 0);
}

/* ---- Without page tables ---- */

TEST(vmalloc_model, without_page_tables_memory_is_contiguous)
{
	struct hosted_options options = { .quiet = true, .no_page_tables = true };
	struct page *page;
	u8 *p, *q;

	ASSERT(!hosted_boot_default(&options));
	p = vzalloc(5 * PAGE_SIZE);
	ASSERT(p);
	EXPECT(!is_vmalloc_addr(p));
	EXPECT(!p[0] && !p[5 * PAGE_SIZE - 1]);
	EXPECT_EQ(vmalloc_to_pfn(p + PAGE_SIZE), vmalloc_to_pfn(p) + 1);
	p[7] = 7;
	q = vrealloc(p, 20 * PAGE_SIZE, GFP_KERNEL);
	ASSERT(q);
	EXPECT_EQ(q[7], 7);
	vfree(q);
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	EXPECT(!vmap(&page, 1, VM_MAP, PAGE_KERNEL));
	EXPECT(!vm_map_ram(&page, 1, NUMA_NO_NODE));
	EXPECT(!get_vm_area(PAGE_SIZE, VM_IOREMAP));
	__free_page(page);
	vm_unmap_aliases();
	EXPECT(!VMALLOC_START && !VMALLOC_END);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
