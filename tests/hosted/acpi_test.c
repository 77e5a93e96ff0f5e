// SPDX-License-Identifier: MIT
/* The PC port's readers of firmware tables, on crafted, torn and random ones. */
#include <stdlib.h>

#include "harness.h"
#include "port/pc/firmware.h"

#define BASE 0x7fe0000ull
#define BYTES 8192u

/* Physical memory of BYTES at BASE, on the heap so that the address sanitizer sees a step outside. */
struct rig {
	u8 *memory;
	u32 used;
	u32 tables[16];
	unsigned int tables_nr;
};

static bool rig_read(void *ctx, phys_addr_t at, void *to, size_t len)
{
	struct rig *rig = ctx;

	if (at < BASE || at - BASE > BYTES || len > BYTES - (at - BASE))
		return false;
	memcpy(to, rig->memory + (at - BASE), len);
	return true;
}

static void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->memory = calloc(1, BYTES);
	rig->used = 64; /* the root pointer's place */
}

static void put(struct rig *rig, u32 at, u64 value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		rig->memory[at + i] = (u8)(value >> 8 * i);
}

static void fix_checksum(struct rig *rig, u32 at, u32 len, u32 where)
{
	u8 sum = 0;

	rig->memory[at + where] = 0;
	for (u32 i = 0; i < len; i++)
		sum = (u8)(sum + rig->memory[at + i]);
	rig->memory[at + where] = (u8)-sum;
}

static u32 table_begin(struct rig *rig, const char *signature)
{
	u32 at = rig->used;

	memcpy(rig->memory + at, signature, 4);
	rig->memory[at + 8] = 3;
	rig->used = at + 36;
	return at;
}

static void append(struct rig *rig, u64 value, unsigned int bytes)
{
	put(rig, rig->used, value, bytes);
	rig->used += bytes;
}

static u32 table_end(struct rig *rig, u32 at, bool listed)
{
	put(rig, at + 4, rig->used - at, 4);
	fix_checksum(rig, at, rig->used - at, 9);
	if (listed)
		rig->tables[rig->tables_nr++] = at;
	rig->used = (rig->used + 15) & ~15u;
	return at;
}

/* Root pointer and the root table it leads to. */
static u32 rig_close(struct rig *rig, bool xsdt)
{
	u32 root = table_begin(rig, xsdt ? "XSDT" : "RSDT");

	for (unsigned int i = 0; i < rig->tables_nr; i++)
		append(rig, BASE + rig->tables[i], xsdt ? 8 : 4);
	table_end(rig, root, false);
	memcpy(rig->memory, "RSD PTR ", 8);
	rig->memory[15] = xsdt ? 2 : 0;
	put(rig, xsdt ? 24 : 16, BASE + root, xsdt ? 8 : 4);
	put(rig, 20, 36, 4);
	fix_checksum(rig, 0, 20, 8);
	fix_checksum(rig, 0, 36, 32);
	return root;
}

static u32 add_madt(struct rig *rig)
{
	u32 at = table_begin(rig, "APIC");

	append(rig, 0xfee00000, 4);
	append(rig, 1, 4);
	for (unsigned int i = 0; i < 3; i++) { /* LAPIC: ids 0 2 4, the last not enabled but able */
		append(rig, 0x0800 | i << 16 | i * 2 << 24, 4);
		append(rig, i < 2 ? 1 : 2, 4);
	}
	append(rig, 0x0c01, 4); /* I/O APIC */
	append(rig, 0xfec00000, 4);
	append(rig, 0, 4);
	append(rig, 0x1009, 4); /* x2APIC id 300 */
	append(rig, 300, 4);
	append(rig, 1, 4);
	append(rig, 7, 4);
	append(rig, 0x1009, 4); /* and id 2 again */
	append(rig, 2, 4);
	append(rig, 1, 4);
	append(rig, 1, 4);
	return table_end(rig, at, true);
}

static u32 add_srat(struct rig *rig)
{
	u32 at = table_begin(rig, "SRAT");

	append(rig, 1, 4);
	append(rig, 0, 8);
	append(rig, 0x00011000, 4); /* LAPIC 0 in domain 1, in all four bytes: 0x03020101 */
	put(rig, rig->used - 2, 0x01, 1);
	put(rig, rig->used - 1, 0x00, 1);
	append(rig, 1, 4);
	append(rig, 0x03020100, 4);
	append(rig, 0, 4);
	append(rig, 0x2801, 2); /* memory: domain 5, 4 GiB + 2 GiB, hotplug */
	append(rig, 5, 4);
	append(rig, 0, 2);
	append(rig, 4ull << 30, 8);
	append(rig, 2ull << 30, 8);
	append(rig, 0, 4);
	append(rig, 3, 4);
	append(rig, 0, 8);
	append(rig, 0x1802, 4); /* x2APIC 300 in domain 9 */
	append(rig, 9, 4);
	append(rig, 300, 4);
	append(rig, 1, 4);
	append(rig, 0, 8);
	return table_end(rig, at, true);
}

static u32 add_slit(struct rig *rig, u8 off_diagonal)
{
	u32 at = table_begin(rig, "SLIT");

	append(rig, 3, 8);
	for (unsigned int i = 0; i < 9; i++)
		append(rig, i % 4 ? off_diagonal : 10, 1);
	return table_end(rig, at, true);
}

static u32 add_dsdt_and_fadt(struct rig *rig)
{
	static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00 };
	u32 dsdt = table_begin(rig, "DSDT"), fadt;

	for (unsigned int i = 0; i < 61; i++) /* so that the name straddles two pieces of 64 bytes */
		append(rig, 0xa3, 1);
	for (unsigned int i = 0; i < sizeof(s5); i++)
		append(rig, s5[i], 1);
	table_end(rig, dsdt, false);
	fadt = table_begin(rig, "FACP");
	rig->used = fadt + 244;
	put(rig, fadt + 40, BASE + dsdt, 4);
	put(rig, fadt + 48, 0xb2, 4);
	put(rig, fadt + 52, 0xf1, 1);
	put(rig, fadt + 64, 0x604, 4);
	put(rig, fadt + 112, 1 << 10, 4);
	put(rig, fadt + 116, 0x0801, 4);
	put(rig, fadt + 120, 0xcf9, 8);
	put(rig, fadt + 128, 0x0f, 1);
	return table_end(rig, fadt, true);
}

static void rig_whole(struct rig *rig, bool xsdt)
{
	rig_open(rig);
	add_srat(rig); /* ahead of MADT: the order must not matter */
	add_madt(rig);
	add_slit(rig, 21);
	add_dsdt_and_fadt(rig);
	rig_close(rig, xsdt);
}

static struct acpi_facts facts;

static int rig_acpi(struct rig *rig)
{
	struct phys_reader reader = { rig_read, rig };

	return acpi_read(&facts, &reader, BASE, NULL, 0);
}

/* Reads with the console captured; what was said. */
static const char *said(struct rig *rig, int *err)
{
	test_capture_begin();
	*err = rig_acpi(rig);
	return test_capture_end();
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		n++;
		text++;
	}
	return n;
}

static void expect_whole(void)
{
	EXPECT_EQ(facts.cpus_nr, 3);
	EXPECT_EQ(facts.cpus_hotplug, 1);
	EXPECT_EQ(facts.cpus[0].apic_id, 0);
	EXPECT_EQ(facts.cpus[0].pxm, 0x03020101);
	EXPECT_EQ(facts.cpus[1].apic_id, 2);
	EXPECT_EQ(facts.cpus[1].pxm, BOOT_PXM_NONE);
	EXPECT_EQ(facts.cpus[2].apic_id, 300);
	EXPECT_EQ(facts.cpus[2].pxm, 9);
	EXPECT_EQ(facts.memory_nr, 1);
	EXPECT_EQ(facts.memory[0].start, 4ll << 30);
	EXPECT_EQ(facts.memory[0].size, 2ll << 30);
	EXPECT_EQ(facts.memory[0].pxm, 5);
	EXPECT_EQ(facts.memory[0].flags, BOOT_MEM_ENABLED | BOOT_MEM_HOTPLUG);
	EXPECT_EQ(facts.distance_nr, 3);
	EXPECT_EQ(facts.distance[1], 21);
	EXPECT_EQ(facts.lapic, 0xfee00000);
	EXPECT_EQ(facts.ioapic_nr, 1);
	EXPECT_EQ(facts.ioapic[0], 0xfec00000);
	EXPECT_EQ(facts.pm1a_control, 0x604);
	EXPECT_EQ(facts.s5_type_a, 5);
	EXPECT_EQ(facts.s5_type_b, 0);
	EXPECT_EQ(facts.reset_port, 0xcf9);
	EXPECT_EQ(facts.reset_value, 0x0f);
}

TEST(acpi, whole_tables)
{
	for (int xsdt = 0; xsdt < 2; xsdt++) {
		struct rig rig;
		int err;

		rig_whole(&rig, xsdt);
		EXPECT_STREQ(said(&rig, &err), "");
		EXPECT_EQ(err, 0);
		expect_whole();
		free(rig.memory);
	}
}

TEST(acpi, a_copy_of_the_root_pointer_will_do)
{
	struct phys_reader reader;
	struct rig rig;

	rig_whole(&rig, true);
	reader = (struct phys_reader){ rig_read, &rig };
	EXPECT_EQ(acpi_read(&facts, &reader, 0, rig.memory, 36), 0);
	expect_whole();
	free(rig.memory);
}

/* Any damaged byte of any table is found by its checksum: one message, and the other tables stand. */
TEST(acpi, each_damaged_byte_costs_one_table)
{
	struct rig rig;

	rig_whole(&rig, true);
	for (unsigned int t = 0; t < rig.tables_nr; t++) {
		u32 at = rig.tables[t], len = rig.memory[at + 4] | (u32)rig.memory[at + 5] << 8;

		for (u32 i = 0; i < len; i++) {
			const char *text;
			int err;

			rig.memory[at + i] ^= 0x40;
			text = said(&rig, &err);
			if (err || lines(text) != 1)
				test_fail(__FILE__, __LINE__, "table %u byte %u: error %d, \"%s\"", t, i, err, text);
			rig.memory[at + i] ^= 0x40;
		}
	}
	EXPECT_EQ(rig_acpi(&rig), 0);
	expect_whole();
	free(rig.memory);
}

TEST(acpi, damaged_root)
{
	struct rig rig;
	u32 root;
	int err;

	rig_open(&rig);
	add_madt(&rig);
	root = rig_close(&rig, true);
	rig.memory[root + 10] ^= 1;
	EXPECT(strstr(said(&rig, &err), "checksum"));
	EXPECT_EQ(err, -ENOENT);
	rig.memory[root + 10] ^= 1;
	rig.memory[3] ^= 1;
	EXPECT(strstr(said(&rig, &err), "root pointer"));
	EXPECT_EQ(err, -ENOENT);
	free(rig.memory);
}

/* Entries cut short inside tables whose checksums are right. */
TEST(acpi, torn_entries)
{
	struct rig rig;
	u32 madt, srat;
	int err;

	rig_whole(&rig, false);
	srat = rig.tables[0];
	madt = rig.tables[1];
	put(&rig, madt + 4, 36 + 8 + 8 + 5, 4); /* one processor and a half */
	fix_checksum(&rig, madt, 57, 9);
	put(&rig, srat + 36 + 12 + 1, 0, 1); /* an entry of no length */
	fix_checksum(&rig, srat, rig.memory[srat + 4], 9);
	EXPECT_EQ(lines(said(&rig, &err)), 2);
	EXPECT_EQ(err, 0);
	EXPECT_EQ(facts.cpus_nr, 1);
	EXPECT_EQ(facts.memory_nr, 0);
	EXPECT_EQ(facts.distance_nr, 3);
	free(rig.memory);
}

TEST(acpi, lengths_beyond_memory)
{
	static const u32 bad[] = { 0, 35, 0x7fffffff, 0xffffffff, BYTES };
	struct rig rig;
	int err;

	rig_whole(&rig, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put(&rig, rig.tables[1] + 4, bad[i], 4);
		EXPECT(strstr(said(&rig, &err), "APIC"));
		EXPECT_EQ(facts.cpus_nr, 0);
	}
	free(rig.memory);
}

TEST(acpi, slit_that_contradicts_itself)
{
	struct rig rig;
	int err;

	rig_open(&rig);
	add_slit(&rig, 10);
	rig_close(&rig, true);
	EXPECT(strstr(said(&rig, &err), "distance from 0 to 1 is 10"));
	EXPECT_EQ(facts.distance_nr, 0);
	free(rig.memory);

	rig_open(&rig);
	u32 at = table_begin(&rig, "SLIT");
	append(&rig, 0x100000001ull, 8);
	table_end(&rig, at, true);
	rig_close(&rig, true);
	EXPECT(strstr(said(&rig, &err), "localities"));
	free(rig.memory);
}

/* Tables of noise with good checksums: nothing to expect but that the reader stays inside and ends. */
TEST(acpi, random_tables)
{
	static const char *const names[] = { "APIC", "SRAT", "SLIT", "FACP", "XSDT" };
	u64 state = test_seed;

	for (unsigned int round = 0; round < 2000; round++) {
		struct rig rig;
		int err;

		rig_open(&rig);
		for (unsigned int t = 0; t < 4; t++) {
			u32 at = table_begin(&rig, names[test_random(&state) % ARRAY_SIZE(names)]);
			u32 len = (u32)(test_random(&state) % 300);

			for (u32 i = 0; i < len; i++) /* mostly small: plausible types and lengths */
				append(&rig, test_random(&state) % (test_random(&state) % 3 ? 20 : 256), 1);
			table_end(&rig, at, true);
		}
		rig_close(&rig, round & 1);
		said(&rig, &err);
		EXPECT_EQ(err, 0);
		EXPECT(facts.cpus_nr <= ACPI_CPUS_MAX && facts.memory_nr <= ACPI_MEMORY_MAX);
		free(rig.memory);
	}
}

/* ---- Loaders ---- */

static struct firmware fw;

static int rig_pvh(struct rig *rig, u32 version, u32 entries)
{
	struct phys_reader reader = { rig_read, rig };

	memset(&fw, 0, sizeof(fw));
	put(rig, 0, 0x336ec578, 4);
	put(rig, 4, version, 4);
	put(rig, 12, 1, 4);
	put(rig, 16, BASE + 256, 8);
	put(rig, 24, BASE + 512, 8);
	put(rig, 32, BASE + 1024, 8);
	put(rig, 40, BASE + 2048, 8);
	put(rig, 48, entries, 4);
	put(rig, 256, 0x1000000, 8);
	put(rig, 264, 0x5000, 8);
	memcpy(rig->memory + 512, "a=1 b", 6);
	for (u32 i = 0; i < entries && 2048 + (i + 1) * 24 <= BYTES; i++) {
		put(rig, 2048 + i * 24, (u64)i << 20, 8);
		put(rig, 2048 + i * 24 + 8, 1 << 20, 8);
		put(rig, 2048 + i * 24 + 16, 1 + i % 2, 4);
	}
	return firmware_read_pvh(&fw, &reader, BASE);
}

TEST(loader, pvh)
{
	struct rig rig;

	rig_open(&rig);
	EXPECT_EQ(rig_pvh(&rig, 1, 5), 0);
	EXPECT_STREQ(fw.cmdline, "a=1 b");
	EXPECT_EQ(fw.rsdp, BASE + 1024);
	EXPECT_EQ(fw.modules_nr, 1);
	EXPECT_EQ(fw.modules[0].start, 0x1000000);
	EXPECT_EQ(fw.map_nr, 5);
	EXPECT_EQ(fw.map[1].type, 2);

	test_capture_begin();
	EXPECT_EQ(rig_pvh(&rig, 0, 5), -EINVAL);
	EXPECT_EQ(rig_pvh(&rig, 1, 0), -EINVAL);
	EXPECT_EQ(rig_pvh(&rig, 1, 0xffffffff), 0); /* as many as can be read */
	EXPECT(strstr(test_capture_end(), "ends after 256"));
	EXPECT_EQ(fw.map_nr, 256);
	free(rig.memory);
}

static int rig_multiboot2(struct rig *rig, u32 at, u32 total)
{
	struct phys_reader reader = { rig_read, rig };

	memset(&fw, 0, sizeof(fw));
	put(rig, at, 0, 8);
	put(rig, 0, total, 4);
	return firmware_read_multiboot2(&fw, &reader, BASE);
}

static u32 mb2_tag(struct rig *rig, u32 at, u32 type, u32 payload)
{
	put(rig, at, type, 4);
	put(rig, at + 4, payload + 8, 4);
	return at + 8;
}

TEST(loader, multiboot2)
{
	u32 at = 8, p;
	struct rig rig;

	rig_open(&rig);
	p = mb2_tag(&rig, at, 1, 6);
	memcpy(rig.memory + p, "quiet", 6);
	at = 24;
	p = mb2_tag(&rig, at, 3, 12);
	put(&rig, p, 0x2000000, 4);
	put(&rig, p + 4, 0x2001000, 4);
	at = 48;
	p = mb2_tag(&rig, at, 15, 36);
	memset(rig.memory + p, 7, 36);
	at = 96;
	p = mb2_tag(&rig, at, 17, 8 + 2 * 48); /* EFI: descriptors of 48 bytes */
	put(&rig, p, 48, 4);
	put(&rig, p + 8, 7, 4);
	put(&rig, p + 8 + 8, 0x100000, 8);
	put(&rig, p + 8 + 24, 16, 8);
	put(&rig, p + 56, 10, 4);
	put(&rig, p + 56 + 8, 0x200000, 8);
	put(&rig, p + 56 + 24, 1, 8);
	at = 208;
	EXPECT_EQ(rig_multiboot2(&rig, at, at + 8), 0);
	EXPECT_STREQ(fw.cmdline, "quiet");
	EXPECT_EQ(fw.modules[0].size, 0x1000);
	EXPECT_EQ(fw.rsdp_copy_bytes, 36);
	EXPECT_EQ(fw.map_nr, 2); /* EFI's, as there is no other */
	EXPECT_EQ(fw.map[0].size, 16 * 4096);
	EXPECT_EQ(fw.map[1].type, E820_TYPE_NVS);

	p = mb2_tag(&rig, at, 6, 8 + 24);
	put(&rig, p, 24, 4);
	put(&rig, p + 16, 0x4000000, 8);
	put(&rig, p + 24, 1, 4);
	EXPECT_EQ(rig_multiboot2(&rig, 248, 256), 0);
	EXPECT_EQ(fw.map_nr, 1); /* the loader's own goes first */
	EXPECT_EQ(fw.map[0].size, 0x4000000);

	test_capture_begin();
	EXPECT_EQ(rig_multiboot2(&rig, 248, 230), 0); /* cut inside the map's tag: EFI's is left */
	EXPECT(strstr(test_capture_end(), "tag 6 of 40 bytes is malformed"));
	EXPECT_EQ(fw.map_nr, 2);
	free(rig.memory);
}

TEST(loader, random_information)
{
	u64 state = test_seed;

	for (unsigned int round = 0; round < 2000; round++) {
		struct rig rig;
		int err;

		rig_open(&rig);
		for (u32 i = 8; i < 1024; i += 4)
			put(&rig, i, test_random(&state) % 4 ? test_random(&state) % 64 : test_random(&state), 4);
		test_capture_begin();
		err = rig_multiboot2(&rig, 1016, 1024);
		if (!err)
			EXPECT(fw.map_nr && fw.map_nr <= FIRMWARE_MAP_MAX);
		test_capture_end();
		free(rig.memory);
	}
}
