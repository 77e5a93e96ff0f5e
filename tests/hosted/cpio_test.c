// SPDX-License-Identifier: MIT
/* The reference kernel's reader of archives: whole ones, several, and every way one can be torn. */
#include "kernel/cpio.h"

#include "harness.h"

static u8 archive[8192];
static size_t archive_len;

static void add_text(const char *text, size_t len)
{
	memcpy(archive + archive_len, text, len);
	archive_len += len;
	while (archive_len % 4)
		archive[archive_len++] = 0;
}

/* An entry as cpio -H newc writes it. */
static void add(const char *name, u32 mode, u32 nlink, const char *data, size_t size)
{
	char head[128];
	size_t n = octavo_snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 7,
				   mode, 1, 2, nlink, 1000, (unsigned int)size, 3, 4, 5, 6,
				   (unsigned int)strlen(name) + 1, 0);

	memcpy(archive + archive_len, head, n);
	archive_len += n;
	add_text(name, strlen(name) + 1);
	add_text(data, size);
}

struct seen {
	unsigned int files, ends, bytes;
	char names[256];
	int stop;
};

static int see(void *ctx, const struct cpio_entry *e)
{
	struct seen *s = ctx;

	if (!e) {
		s->ends++;
		return 0;
	}
	s->files++;
	for (u32 i = 0; i < e->size; i++)
		s->bytes += e->data[i];
	octavo_snprintf(s->names + strlen(s->names), sizeof(s->names) - strlen(s->names), "%s:%o ", e->name, e->mode);
	return s->stop;
}

static int read_it(struct seen *s, const char **why, size_t *where)
{
	*s = (struct seen){ .stop = s->stop };
	*why = "";
	return cpio_read(archive, archive_len, see, s, why, where);
}

static void make(void)
{
	archive_len = 0;
	add(".", 040755, 2, "", 0);
	add("file", 0100644, 1, "abc", 3);
	add("link", 0120777, 1, "file", 4);
	add("TRAILER!!!", 0, 1, "", 0);
}

TEST(cpio, reads_entries)
{
	struct seen s = { 0 };
	const char *why;
	size_t where;

	make();
	EXPECT_EQ(read_it(&s, &why, &where), 0);
	EXPECT_EQ(s.files, 3);
	EXPECT_EQ(s.ends, 1);
	EXPECT_EQ(s.bytes, 'a' + 'b' + 'c' + 'f' + 'i' + 'l' + 'e');
	EXPECT_STREQ(s.names, ".:40755 file:100644 link:120777 ");
}

TEST(cpio, reads_archives_one_after_the_other)
{
	struct seen s = { 0 };
	const char *why;
	size_t where;

	make();
	memset(archive + archive_len, 0, 512);
	archive_len += 512;
	add("more", 0100600, 1, "x", 1);
	add("TRAILER!!!", 0, 1, "", 0);
	EXPECT_EQ(read_it(&s, &why, &where), 0);
	EXPECT_EQ(s.files, 4);
	EXPECT_EQ(s.ends, 2);
}

/* Cut off anywhere, it is said where, and what came before has been seen. */
TEST(cpio, reports_every_cut)
{
	struct seen s = { 0 };
	const char *why;
	size_t where, whole;

	make();
	whole = archive_len;
	for (archive_len = 1; archive_len + 3 < whole; archive_len++) {
		int err = read_it(&s, &why, &where);

		if (err != -EINVAL || !*why || where > archive_len || s.ends)
			test_fail(__FILE__, __LINE__, "cut at %zu: %d, \"%s\" at %zu", archive_len, err, why, where);
	}
}

TEST(cpio, names_what_it_is_not)
{
	static const struct {
		const char *bytes, *why;
	} not[] = {
		{ "\x1f\x8b\x08\x00", "gzip" }, { "\xfd" "7zXZ", "xz" },	  { "\x28\xb5\x2f\xfd", "zstd" },
		{ "BZh9", "bzip2" },		{ "070707", "another kind" }, { "#!/bin/sh", "no cpio archive" },
	};
	struct seen s = { 0 };
	const char *why;
	size_t where;

	for (unsigned int i = 0; i < ARRAY_SIZE(not); i++) {
		memset(archive, 'z', 200);
		memcpy(archive, not[i].bytes, strlen(not[i].bytes));
		archive_len = 200;
		EXPECT_EQ(read_it(&s, &why, &where), -EINVAL);
		EXPECT(strstr(why, not[i].why));
		EXPECT_EQ(where, 0);
	}
}

TEST(cpio, refuses_bad_headers)
{
	struct seen s = { 0 };
	const char *why;
	size_t where;

	make();
	archive[6 + 3] = 'g';
	EXPECT_EQ(read_it(&s, &why, &where), -EINVAL);
	EXPECT(strstr(why, "hexadecimal"));
	make();
	memset(archive + 6 + 8 * 6, 'f', 8); /* 4 GiB of contents */
	EXPECT_EQ(read_it(&s, &why, &where), -EINVAL);
	EXPECT(strstr(why, "contents"));
	make();
	memset(archive + 6 + 8 * 11, 'f', 8); /* a name of 4 GiB */
	EXPECT_EQ(read_it(&s, &why, &where), -EINVAL);
	EXPECT(strstr(why, "name"));
	make();
	archive[5] = '2'; /* with a sum: of "." that is none, of "file" it is not 0 */
	EXPECT_EQ(read_it(&s, &why, &where), 0);
	archive[112 + 5] = '2';
	EXPECT_EQ(read_it(&s, &why, &where), -EINVAL);
	EXPECT(strstr(why, "sum"));
	EXPECT_EQ(s.files, 1);
}

TEST(cpio, stops_when_told)
{
	struct seen s = { .stop = -ENOSPC };
	const char *why;
	size_t where;

	make();
	EXPECT_EQ(read_it(&s, &why, &where), -ENOSPC);
	EXPECT_EQ(s.files, 1);
}
