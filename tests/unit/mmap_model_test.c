// SPDX-License-Identifier: MIT
/*
 * The mmap family against an array of pages: results, what is mapped, and that neighbours that are alike are one
 * (VA-I2). Nothing is touched, so all that keeps two pages in different VMAs is in the array.
 */
#include <octavo/fault.h>

#include "fault.h"
#include "mapshape.h"
#include "mm/vm/account.h"
#include "mm/vm/vma.h"
#include "model.h"

#define PAGES 48u
#define RW (PROT_READ | PROT_WRITE)

enum { NONE, ANONYMOUS, SHARED };

struct page_of_model {
	u8 kind, prot;
	u16 offset; /* in the file */
};

static struct page_of_model pages[PAGES];
static struct test_process p;
static struct test_file file;
static bool alive;

static void reset(void *ctx)
{
	(void)ctx;
	if (alive)
		test_process_exit(&p);
	memset(pages, 0, sizeof(pages));
	test_file_init(&file, FMODE_READ | FMODE_WRITE);
	alive = test_process_start(&p);
	p.task.process->rlimit[RLIMIT_STACK].cur = RLIM_INFINITY;
}

/* ---- The array ---- */

static bool go_together(unsigned int a)
{
	const struct page_of_model *one = &pages[a], *two = one + 1;

	return one->kind == two->kind && one->prot == two->prot &&
	       (one->kind != SHARED || one->offset + 1 == two->offset);
}

static const char *model_shape(void)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned int from = 0, end; from < PAGES; from = end) {
		unsigned int prot = pages[from].prot;

		for (end = from + 1; end < PAGES && go_together(end - 1); end++)
			;
		if (pages[from].kind != NONE)
			n += octavo_snprintf(text + n, sizeof(text) - n, "%s%u-%u %c%c%c%c", n ? ", " : "", from, end,
					     prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-',
					     prot & PROT_EXEC ? 'x' : '-', pages[from].kind == SHARED ? 's' : 'p');
	}
	return text;
}

/* Pages from @from on, at most @nr, that are in one VMA. */
static unsigned int in_one(unsigned int from, unsigned int nr)
{
	unsigned int n = 1;

	if (pages[from].kind == NONE)
		return 0;
	while (n < nr && go_together(from + n - 1))
		n++;
	return n;
}

static void set(unsigned int from, unsigned int nr, u8 kind, u8 prot, unsigned int offset)
{
	for (unsigned int i = 0; i < nr; i++)
		pages[from + i] = (struct page_of_model){ kind, prot, (u16)(kind == SHARED ? offset + i : 0) };
}

/* ---- Operations, each with what it must return ---- */

static const u8 prots[] = { PROT_NONE, PROT_READ, RW, RW, RW, PROT_READ | PROT_EXEC };

static bool map(unsigned int from, unsigned int nr, const struct model_op *op)
{
	u8 prot = prots[op->b % ARRAY_SIZE(prots)];
	bool shared = op->b & 0x100;
	unsigned int offset = from + (op->b & 0x200 ? 5 : 0);
	long want = (long)AT(from), got;

	if (op->b & 0x400) {
		for (unsigned int i = 0; i < nr; i++)
			if (pages[from + i].kind != NONE)
				want = -EEXIST;
	}
	got = ksys_mmap(AT(from), LEN(nr), prot,
			(shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS) |
				(op->b & 0x400 ? MAP_FIXED_NOREPLACE : MAP_FIXED),
			shared ? &file.file : NULL, LEN(offset));
	if (got == (long)AT(from))
		set(from, nr, shared ? SHARED : ANONYMOUS, prot, offset);
	return got == want;
}

static bool unmap(unsigned int from, unsigned int nr)
{
	long got = ksys_munmap(AT(from), LEN(nr));

	if (!got)
		set(from, nr, NONE, 0, 0);
	return !got;
}

static bool protect(unsigned int from, unsigned int nr, u8 prot)
{
	long got = ksys_mprotect(AT(from), LEN(nr), prot);
	unsigned int i;

	if (got && got != -ENOMEM)
		return false;
	for (i = 0; i < nr && pages[from + i].kind != NONE; i++)
		pages[from + i].prot = prot;
	return i == nr ? !got : got == -ENOMEM;
}

static bool move(unsigned int from, unsigned int nr, unsigned int to, unsigned int new)
{
	long got = ksys_mremap(AT(from), LEN(nr), LEN(new), MREMAP_MAYMOVE | MREMAP_FIXED, AT(to));
	struct page_of_model was = pages[from];

	if (from + nr > to && to + new > from)
		return got == -EINVAL;
	/* What the new length leaves out may lie in other mappings. */
	if (in_one(from, min(nr, new)) < min(nr, new))
		return got == -EFAULT;
	if (got != (long)AT(to))
		return false;
	set(from, nr, NONE, 0, 0);
	set(to, new, was.kind, was.prot, was.offset);
	return true;
}

/* Growing takes the whole end of a mapping, and room behind it. */
static bool resize(unsigned int from, unsigned int nr, unsigned int new)
{
	long got = ksys_mremap(AT(from), LEN(nr), LEN(new), 0, 0);
	struct page_of_model was = pages[from];

	if (pages[from].kind == NONE)
		return got == -EFAULT;
	if (new > nr) {
		if (in_one(from, nr) < nr)
			return got == -EFAULT;
		for (unsigned int i = nr; i < new; i++)
			if (pages[from + i].kind != NONE)
				return got == -ENOMEM;
		set(from, new, was.kind, was.prot, was.offset);
	} else {
		set(from + new, nr - new, NONE, 0, 0);
	}
	return got == (long)AT(from);
}

static bool apply_op(const struct model_op *op)
{
	unsigned int from = op->a % PAGES, nr = 1 + (op->b >> 11) % 8, to = (op->b * 7u + op->a) % PAGES, new;

	nr = min(nr, PAGES - from);
	new = op->b & 0x40 ? nr : 1 + (op->b >> 8) % 8;
	switch (op->kind % 8) {
	case 0:
	case 1:
	case 2:
		return map(from, nr, op);
	case 3:
		return unmap(from, nr);
	case 4:
	case 5:
		return protect(from, nr, prots[op->b % ARRAY_SIZE(prots)]);
	case 6:
		return move(from, nr, to, min(new, PAGES - to));
	default:
		return resize(from, nr, min(new, PAGES - from));
	}
}

static const char *compare(void)
{
	static char text[2200];

	if (!strcmp(map_shape(0, PAGES), model_shape()))
		return NULL;
	octavo_snprintf(text, sizeof(text), "mapped is\n%s\nnot\n%s", map_shape(0, PAGES), model_shape());
	return text;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	(void)ctx;
	return apply_op(op) ? compare() : "the result differs";
}

static const char *check(void *ctx)
{
	(void)ctx;
	return verify_all() ? "mm_verify() finds something" : NULL;
}

static void draw(void *ctx, u64 *state, struct model_op *op)
{
	(void)ctx;
	*op = (struct model_op){ (u8)test_random(state), (u8)test_random(state), (u16)test_random(state) };
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "map", "map", "map", "unmap", "protect", "protect", "move", "resize" };

	octavo_snprintf(text, size, "%s page %u, %#x", names[op->kind % 8], op->a % PAGES, op->b);
}

static const struct model model = {
	.name = "mmap", .reset = reset, .random = draw, .apply = apply, .check = check, .describe = describe,
	.check_every = 50,
};

TEST(mmap_model, random_calls)
{
	alive = false;
	for (unsigned int i = 0; i < test_scaled(8); i++)
		if (!model_run(&model, test_seed + i, 600, NULL))
			break;
	if (alive)
		test_process_exit(&p);
	alive = false;
}

/* ---- Without memory (VA-I7) ---- */

static struct model_op victim;
static unsigned long committed, refused;

/* What a call that got no memory may have done is to split a VMA: seen page by page, nothing has changed. */
static bool same_pages(void)
{
	struct mm_struct *mm = p.task.mm;

	for (unsigned int i = 0; i < PAGES; i++) {
		const struct vm_area_struct *vma = vma_lookup(mm, AT(i));
		bool shared = vma && vma->vm_flags & VM_SHARED;

		if (!vma != (pages[i].kind == NONE))
			return false;
		if (vma && (shared != (pages[i].kind == SHARED) ||
			    (vma->vm_flags & VM_ACCESS_FLAGS) != prot_flags(pages[i].prot) ||
			    (shared && linear_page_index(vma, AT(i)) != pages[i].offset)))
			return false;
	}
	return true;
}

static bool try_it(void *ctx)
{
	struct page_of_model before[PAGES];

	(void)ctx;
	memcpy(before, pages, sizeof(pages));
	committed = vm_committed_pages();
	if (apply_op(&victim))
		return true;
	memcpy(pages, before, sizeof(pages));
	refused++;
	EXPECT(vm_committed_pages() == committed || (victim.kind % 8 == 6 && vm_committed_pages() < committed));
	return false;
}

static void nothing_changed(void *ctx)
{
	(void)ctx;
	/* What lay where mremap() was to move to is gone. */
	for (unsigned int i = 0; i < PAGES && victim.kind % 8 == 6; i++)
		if (!vma_lookup(p.task.mm, AT(i)))
			set(i, 1, NONE, 0, 0);
	EXPECT(same_pages());
	EXPECT_EQ(verify_all(), 0);
}

TEST(mmap_model, without_memory_nothing_has_changed)
{
	u64 state = test_seed;

	alive = false;
	refused = 0;
	reset(NULL);
	ASSERT(alive);
	for (unsigned int i = 0; i < test_scaled(150); i++) {
		draw(NULL, &state, &victim);
		/* Of a range with a hole what comes before it is changed, memory or not. */
		if (victim.kind % 8 == 4 || victim.kind % 8 == 5)
			victim.b &= 0x7ff;
		fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, try_it, nothing_changed, NULL);
	}
	EXPECT(refused > 0);
	reset(NULL);
	if (alive)
		test_process_exit(&p);
	alive = false;
}
