// SPDX-License-Identifier: MIT
/* The reference kernel's ELF loader: samples lie in memory as their headers say, and damaged ones do no harm. */
#ifdef __x86_64__

#include "elf_try.h"
#include "patch.h"

static u8 bytes[ELF_SAMPLE_MAX];
static struct elf_image image;
static struct test_process p;

static bool same(uintptr_t at, const u8 *want, size_t n)
{
	u8 got[256];

	for (size_t done = 0, part; done < n; done += part) {
		part = n - done < sizeof(got) ? n - done : sizeof(got);
		if (test_user_read(at + done, got, part) != part || memcmp(got, want + done, part))
			return false;
	}
	return true;
}

TEST(elf, samples)
{
	for (int which = 0; which < ELF_SAMPLES; which++) {
		size_t size = elf_sample((enum elf_sample)which, bytes);
		const struct elf_segment *text = &image.segments[0], *data = &image.segments[1];
		uintptr_t at;

		ASSERT(test_process_start(&p));
		EXPECT_EQ(elf_try(&p, &image, bytes, size), 0);
		EXPECT(!image.exec_stack);
		EXPECT_EQ(image.bias != 0, which != SAMPLE_STATIC);
		EXPECT_EQ(image.entry, image.bias + image.header.entry);
		EXPECT_EQ(image.phdr, image.bias + text->vaddr + image.header.phoff);
		at = image.bias + (uintptr_t)text->vaddr;
		EXPECT(same(at, bytes, (size_t)text->filesz));
		EXPECT_REFUSED(at, true, 11, 2);
		at = image.bias + (uintptr_t)data->vaddr;
		EXPECT(same(at, bytes + data->offset, (size_t)data->filesz));
		EXPECT(test_user_all(at + data->filesz, (size_t)(data->memsz - data->filesz), 0));
		EXPECT(test_user_fill(at, (size_t)data->memsz, 3));
		expect_verified();
		test_process_exit(&p);
	}
}

TEST(elf, what_is_no_program)
{
	static const struct {
		unsigned int at;
		u8 byte;
	} damage[] = {
		{ 0, 0 }, { 4, 1 }, { 5, 2 }, { 16, 1 }, { 18, 3 }, { 54, 32 }, { 56, 0 }, { 56, 65 },
		{ 33, 0xff }, /* the table lies behind the end */
		{ 64 + 8, 1 }, /* offset and address do not agree */
		{ 64 + 22, 0x80 }, /* beyond user space */
		{ 64 + 41, 0 }, /* less in memory than in the file */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(damage); i++) {
		size_t size = elf_sample(SAMPLE_STATIC, bytes);

		bytes[damage[i].at] = damage[i].byte;
		ASSERT(test_process_start(&p));
		EXPECT_EQ(elf_try(&p, &image, bytes, size), -ENOEXEC);
		test_process_exit(&p);
	}
}

/* Each length, as far as headers go; then any few changes. */
TEST(elf, torn_and_damaged_ones_do_no_harm)
{
	u64 chance = test_seed + 1;
	unsigned int mapped = 0, refused = 0, rounds = test_scaled(1600);

	for (unsigned int round = 0; round < rounds; round++) {
		enum elf_sample which = (enum elf_sample)(round % ELF_SAMPLES);
		size_t size = elf_sample(which, bytes);
		u8 changes[16];

		if (round < rounds / 4)
			size = round * 400 / (rounds / 4);
		for (unsigned int i = 0; i < sizeof(changes); i++)
			changes[i] = (u8)(test_random(&chance) >> 8);
		for (unsigned int i = 0; i < sizeof(changes); i += 4) { /* in the headers */
			changes[i] = 0;
			changes[i + 1] = (u8)(changes[i + 1] % (64 + 2 * 56));
		}
		patch(bytes, size, changes, round < rounds / 4 ? 0 : 4 * (1 + round % 4));
		ASSERT(test_process_start(&p));
		if (elf_try(&p, &image, bytes, size))
			refused++;
		else
			mapped++;
		if (round % 64 == 0)
			expect_verified();
		test_process_exit(&p);
	}
	EXPECT(mapped && refused);
	expect_verified();
}

#endif
