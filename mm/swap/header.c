// SPDX-License-Identifier: MIT
/*
 * The header of a swap area, version 1: the first 4 KiB.
 *
 *	   0  1024 bytes that are not swap's (boot loaders, disk labels)
 *	1024  u32 version, 1
 *	1028  u32 last page
 *	1032  u32 number of bad pages
 *	1036  uuid, 16 bytes
 *	1052  label, 16 bytes
 *	1068  117 words of padding
 *	1536  u32 bad pages, 637 at most
 *	4086  "SWAPSPACE2"
 *
 * Numbers are in the byte order of the machine that made it; the version tells which that was, and either is read.
 * Sources: mkswap(8), swapon(2), libblkid's description of the superblock; an area that Debian's mkswap made.
 */
#include "area.h"

#include "../base/printk.h"
#include "../base/string.h"

#define MAGIC "SWAPSPACE2"
#define MAGIC_LEN 10u

struct header {
	u8 boot[1024];
	u32 version, last_page, nr_badpages;
	u8 uuid[16], label[16];
	u32 padding[117];
	u32 badpages[SWAP_BAD_MAX];
	u8 unused[2];
	char magic[MAGIC_LEN];
};
octavo_static_assert(offsetof(struct header, badpages) == 1536, "where mkswap writes bad pages");
octavo_static_assert(sizeof(struct header) == 4096, "the magic ends the page");

static u32 number(u32 n, bool swapped)
{
	return swapped ? __builtin_bswap32(n) : n;
}

/* Slots whose number an entry of a page table can hold, and one more. */
static unsigned long max_slots(void)
{
	return swp_offset(pte_to_swp_entry(swp_entry_to_pte(swp_entry(0, ~0ul)))) + 1;
}

static unsigned long kib(unsigned long pages)
{
	return pages << (PAGE_SHIFT - 10);
}

int swap_header_read(const void *page, unsigned long pages, bool regular_file, struct swap_header *h)
{
	const struct header *on_disk = page;
	unsigned long last, most = max_slots();

	if (memcmp(on_disk->magic, MAGIC, MAGIC_LEN)) {
		pr_err("Unable to find swap-space signature\n");
		return -EINVAL;
	}
	h->swapped = number(on_disk->version, true) == 1;
	if (number(on_disk->version, h->swapped) != 1) {
		pr_warn("Unable to handle swap header version %d\n", (int)on_disk->version);
		return -EINVAL;
	}
	last = number(on_disk->last_page, h->swapped);
	if (!last) {
		pr_warn("Empty swap-file\n");
		return -EINVAL;
	}
	if (last > most)
		pr_warn("Truncating oversized swap area, only using %luk out of %luk\n", kib(most), kib(last));
	h->max = last < most ? last + 1 : most;
	if (pages && h->max > pages) {
		pr_warn("Swap area shorter than signature indicates\n");
		return -EINVAL;
	}
	h->nr_bad = number(on_disk->nr_badpages, h->swapped);
	if (h->nr_bad > SWAP_BAD_MAX || (h->nr_bad && regular_file)) {
		pr_warn("Swap header tells of %u bad pages: %s\n", h->nr_bad,
			regular_file ? "a file has none" : "it has no room for them");
		return -EINVAL;
	}
	return 0;
}

unsigned long swap_header_bad_page(const void *page, const struct swap_header *h, unsigned int i)
{
	return number(((const struct header *)page)->badpages[i], h->swapped);
}

int swap_make_header(struct bdev *bdev, unsigned long pages, const char *label)
{
	struct header *header;
	int err;

	if (pages < 2 || pages > bdev->sectors / PAGE_SECTORS || (u64)pages - 1 > ~(u32)0)
		return -EINVAL;
	header = (struct header *)get_zeroed_page(GFP_KERNEL);
	if (!header)
		return -ENOMEM;
	header->version = 1;
	header->last_page = (u32)(pages - 1);
	for (unsigned int i = 0; i < sizeof(header->uuid); i += 8) {
		u64 random = port_random();

		memcpy(header->uuid + i, &random, 8);
	}
	/* A random UUID: RFC 9562, version 4. */
	header->uuid[6] = (u8)((header->uuid[6] & 0x0f) | 0x40);
	header->uuid[8] = (u8)((header->uuid[8] & 0x3f) | 0x80);
	if (label)
		memcpy(header->label, label, min(strlen(label), sizeof(header->label)));
	memcpy(header->magic, MAGIC, MAGIC_LEN);
	err = bdev_rw(bdev, 0, header, PAGE_SECTORS, true);
	free_pages((unsigned long)header, 0);
	return err;
}
