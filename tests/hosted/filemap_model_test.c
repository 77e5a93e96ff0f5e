// SPDX-License-Identifier: MIT
/*
 * The page cache against an array of bytes: read, write, truncate, punch, fsync, drop, with small and large folios and
 * a store that fails now and then. What is read is always what was written; what fsync() said is stored is stored.
 */
#include "hosted.h"
#include "mm/base/findings.h"
#include "mm/cache/filemap.h"
#include "model.h"
#include "ramfile.h"

struct world {
	struct ram_file f;
	struct file *file;
	bool made, large;
	u64 size;
};

static struct world world;
static u8 store[RAM_FILE_BYTES], expected[RAM_FILE_BYTES], buffer[RAM_FILE_BYTES];
static char why[160];

static void close_it(struct world *w)
{
	if (!w->made)
		return;
	fput(w->file);
	ram_file_put(&w->f);
	w->made = false;
}

static void reset(void *ctx)
{
	struct world *w = ctx;

	close_it(w);
	memset(store, 0, sizeof(store));
	memset(expected, 0, sizeof(expected));
	w->size = 0;
	if (!ram_file_make(&w->f, store, 0, w->large))
		test_fail(__FILE__, __LINE__, "no memory for the file");
	w->file = ram_file_open(&w->f);
	w->made = true;
}

static const char *wrong(const char *what, u64 at, long long got, long long want)
{
	octavo_snprintf(why, sizeof(why), "%s at %llu: %lld, not %lld", what, (unsigned long long)at, got, want);
	return why;
}

static const char *compare(const char *what, const u8 *got, u64 at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (got[i] != expected[at + i])
			return wrong(what, at + i, got[i], expected[at + i]);
	return NULL;
}

enum { OP_READ, OP_WRITE, OP_TRUNCATE, OP_PUNCH, OP_FSYNC, OP_DROP, OP_FAIL_READ, OP_ADVISE, OP_KINDS };

static const char *do_read(struct world *w, u64 at, size_t n)
{
	size_t want = at < w->size ? (size_t)min((u64)n, w->size - at) : 0;
	s64 got;

	memset(buffer, 0xaa, n);
	got = ram_file_read(w->file, buffer, n, at);
	if (w->f.fail_reads || got != (s64)want) {
		/* a store that fails shortens a read or fails it; the next one succeeds */
		w->f.fail_reads = 0;
		if (got < 0 ? got != -EIO : got > (s64)want)
			return wrong("read", at, got, (long long)want);
		if (got > 0 && compare("read", buffer, at, (size_t)got))
			return why;
		got = ram_file_read(w->file, buffer, n, at);
	}
	if (got != (s64)want)
		return wrong("read", at, got, (long long)want);
	return compare("read", buffer, at, want);
}

static const char *do_write(struct world *w, u64 at, size_t n, u8 seed)
{
	s64 got;

	for (size_t i = 0; i < n; i++)
		buffer[i] = (u8)(seed + i * 7 + (i >> 8));
	got = ram_file_write(w->file, buffer, n, at);
	w->f.fail_reads = 0;
	if (got > 0) {
		memcpy(expected + at, buffer, (size_t)got);
		w->size = max(w->size, at + (u64)got);
	}
	if (got != (s64)n && (got < 0 ? got != -EIO : got > (s64)n))
		return wrong("write", at, got, (long long)n);
	return i_size_read(&w->f.inode) == w->size ? NULL : wrong("size", at, (long long)i_size_read(&w->f.inode),
								  (long long)w->size);
}

static const char *do_fsync(struct world *w)
{
	int err = w->file->f_op->fsync(w->file, 0, ~(u64)0, false);

	if (err)
		return wrong("fsync", 0, err, 0);
	for (u64 i = 0; i < w->size; i++)
		if (store[i] != expected[i])
			return wrong("stored", i, store[i], expected[i]);
	return NULL;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	struct world *w = ctx;
	u64 at = (u64)op->b * 6 % RAM_FILE_BYTES;
	size_t n = min((size_t)(op->a % 3 ? op->a * 5u + 1 : (size_t)op->a * 300 + 1), RAM_FILE_BYTES - (size_t)at);

	switch (op->kind) {
	case OP_READ:
		return do_read(w, at, n);
	case OP_WRITE:
		return do_write(w, at, n, (u8)(op->a + op->b));
	case OP_TRUNCATE:
		ram_file_truncate(&w->f, at);
		if (at < w->size)
			memset(expected + at, 0, RAM_FILE_BYTES - (size_t)at);
		w->size = at;
		return NULL;
	case OP_PUNCH:
		ram_file_punch(&w->f, at, at + n - 1);
		memset(expected + at, 0, n);
		return NULL;
	case OP_FSYNC:
		return do_fsync(w);
	case OP_DROP:
		invalidate_mapping_pages(&w->f.inode.i_data, 0, ~0ul);
		return NULL;
	case OP_FAIL_READ:
		w->f.fail_reads = 1;
		return do_read(w, at, n);
	default:
		return generic_fadvise(w->file, at, n, op->a % 6) ? "fadvise" : NULL;
	}
}

static const char *check(void *ctx)
{
	struct world *w = ctx;
	struct findings f = { .n = 0 };

	page_cache_verify(&f);
	if (f.n)
		return "the verifier is not content";
	return do_read(w, 0, RAM_FILE_BYTES);
}

static void random_op(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 kinds[] = { OP_READ, OP_READ, OP_READ, OP_READ, OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE,
				    OP_WRITE, OP_TRUNCATE, OP_PUNCH, OP_FSYNC, OP_DROP, OP_FAIL_READ, OP_ADVISE,
				    OP_READ };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = kinds[r % ARRAY_SIZE(kinds)];
	op->a = (u8)(r >> 8);
	op->b = (u16)(r >> 24);
	if (op->kind == OP_TRUNCATE && r >> 40 & 1)
		op->b |= 0xc000; /* mostly it grows again */
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const name[] = { "read", "write", "truncate", "punch", "fsync", "drop", "fail_read",
					    "fadvise" };

	octavo_snprintf(text, size, "%s a %u at %zu", op->kind < OP_KINDS ? name[op->kind] : "?", op->a,
			(size_t)((u64)op->b * 6 % RAM_FILE_BYTES));
}

static const struct model model = { "filemap", &world, reset, random_op, apply, check, describe, 40 };

TEST(filemap_model, small_folios)
{
	world.large = false;
	for (unsigned int i = 0; i < test_scaled(12); i++)
		if (!model_run(&model, test_seed + i, 1500, NULL))
			break;
	close_it(&world);
}

TEST(filemap_model, large_folios)
{
	world.large = true;
	for (unsigned int i = 0; i < test_scaled(12); i++)
		if (!model_run(&model, test_seed + 1000 + i, 1500, NULL))
			break;
	close_it(&world);
}
