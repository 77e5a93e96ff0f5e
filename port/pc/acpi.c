// SPDX-License-Identifier: MIT
/*
 * Purpose
 *   What the memory manager and the port want of the ACPI tables: processors, memory affinity, distances,
 *   interrupt controllers, how to power off.
 *
 * Words
 *   root: RSDT (32-bit addresses) or XSDT (64-bit) that lists the other tables. span: a table's bytes
 *   [at, at + len) after its checksum was found right.
 *
 * What failure does
 *   Firmware tables are input like any other: lengths, checksums and bounds are checked before anything is
 *   believed, each bad table or entry is reported once with its address, and what others say stands.
 *
 * Memory use and bounds
 *   Reads through the caller's struct phys_reader in pieces of at most 64 bytes; no table larger than
 *   TABLE_BYTES_MAX; at most ACPI_*_MAX entries of a kind.
 *
 * Sources: ACPI 6.5 sections 5.2.5 (RSDP), 5.2.6 (header), 5.2.7-8 (RSDT, XSDT), 5.2.9 (FADT), 5.2.12 (MADT),
 *   5.2.16 (SRAT), 5.2.17 (SLIT), 20.2 (AML encoding, for \_S5).
 */
#include <octavo/errno.h>

#include "firmware.h"
#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"

#define TABLE_BYTES_MAX (16u << 20)
#define ROOT_ENTRIES_MAX 256u
#define HEADER_BYTES 36u

struct table_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __attribute__((packed));
octavo_static_assert(sizeof(struct table_header) == HEADER_BYTES, "ACPI 6.5 table 5.4");

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length; /* from here on: revision 2 */
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __attribute__((packed));
octavo_static_assert(sizeof(struct rsdp) == FIRMWARE_RSDP_BYTES, "ACPI 6.5 table 5.3");
#define RSDP_V1_BYTES 20u

struct span {
	phys_addr_t at;
	u32 len;
};

struct reader {
	struct acpi_facts *facts;
	const struct phys_reader *phys;
	struct {
		u32 apic_id, pxm;
	} affinity[ACPI_CPUS_MAX];
	unsigned int affinity_nr;
	phys_addr_t dsdt;
};

static bool fetch(const struct reader *r, phys_addr_t at, void *to, size_t len)
{
	return r->phys->read(r->phys->ctx, at, to, len);
}

/* A piece of a table; false if it lies outside. */
static bool fetch_in(const struct reader *r, const struct span *s, u32 offset, void *to, u32 len)
{
	return offset <= s->len && len <= s->len - offset && fetch(r, s->at + offset, to, len);
}

static u8 sum_bytes(const void *data, size_t len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return sum;
}

/* ---- Tables ---- */

/* Reads the header of the table at @at and checks the whole of it. False after a report. */
static bool open_table(const struct reader *r, phys_addr_t at, struct span *s, char name[5])
{
	struct table_header h;
	u8 piece[64], sum = 0;

	if (!fetch(r, at, &h, sizeof(h))) {
		printk("ACPI: table at %#llx cannot be read; ignored\n", (unsigned long long)at);
		return false;
	}
	for (int i = 0; i < 4; i++)
		name[i] = h.signature[i] >= ' ' && h.signature[i] <= '~' ? h.signature[i] : '?';
	name[4] = 0;
	if (h.length < HEADER_BYTES || h.length > TABLE_BYTES_MAX) {
		printk("ACPI: %s at %#llx: length %u is impossible; ignored\n", name, (unsigned long long)at, h.length);
		return false;
	}
	for (u32 done = 0, n; done < h.length; done += n) {
		n = min_t(u32, sizeof(piece), h.length - done);
		if (!fetch(r, at + done, piece, n)) {
			printk("ACPI: %s at %#llx: only %u of %u bytes can be read; ignored\n", name,
			       (unsigned long long)at, done, h.length);
			return false;
		}
		sum = (u8)(sum + sum_bytes(piece, n));
	}
	if (sum) {
		printk("ACPI: %s at %#llx: checksum is off by %#x; ignored\n", name, (unsigned long long)at, sum);
		return false;
	}
	*s = (struct span){ at, h.length };
	return true;
}

/* ---- MADT ---- */

static void add_cpu(struct acpi_facts *f, u32 id, u32 flags)
{
	if (!(flags & 1)) {
		f->cpus_hotplug += flags >> 1 & 1;
		return;
	}
	for (unsigned int i = 0; i < f->cpus_nr; i++)
		if (f->cpus[i].apic_id == id)
			return; /* listed as LAPIC and as x2APIC */
	if (f->cpus_nr == ACPI_CPUS_MAX) {
		printk("ACPI: MADT: processor with APIC id %u dropped: only %u are kept\n", id, ACPI_CPUS_MAX);
		return;
	}
	f->cpus[f->cpus_nr++] = (struct bootinfo_cpu){ .apic_id = id, .pxm = BOOT_PXM_NONE };
}

static void madt_entry(const struct reader *r, const struct span *s, u32 offset, u8 type, u8 len)
{
	struct acpi_facts *f = r->facts;
	struct {
		u8 type, len, uid, id;
		u32 flags;
	} local;
	struct {
		u8 type, len;
		u16 reserved;
		u32 id, flags, uid;
	} x2;
	struct {
		u8 type, len, id, reserved;
		u32 address, first_interrupt;
	} ioapic;
	struct {
		u8 type, len;
		u16 reserved;
		u64 address;
	} __attribute__((packed)) override;

	if (type == 0 && len >= sizeof(local) && fetch_in(r, s, offset, &local, sizeof(local))) {
		if (local.id != 0xff)
			add_cpu(f, local.id, local.flags);
	} else if (type == 9 && len >= sizeof(x2) && fetch_in(r, s, offset, &x2, sizeof(x2))) {
		if (x2.id != ~0u)
			add_cpu(f, x2.id, x2.flags);
	} else if (type == 1 && len >= sizeof(ioapic) && fetch_in(r, s, offset, &ioapic, sizeof(ioapic))) {
		if (f->ioapic_nr < ACPI_IOAPICS_MAX)
			f->ioapic[f->ioapic_nr++] = ioapic.address;
	} else if (type == 5 && len >= sizeof(override) && fetch_in(r, s, offset, &override, sizeof(override))) {
		f->lapic = override.address;
	} else if (type == 0 || type == 9 || type == 1 || type == 5) {
		printk("ACPI: MADT entry of type %u is too short: %u bytes\n", type, len);
	}
}

/* SRAT and MADT alike: a list of entries that begin with type and length. */
static void each_entry(struct reader *r, const struct span *s, u32 offset, const char *name,
		       void (*entry)(struct reader *r, const struct span *s, u32 offset, u8 type, u8 len))
{
	u8 head[2];

	while (offset < s->len) {
		if (!fetch_in(r, s, offset, head, 2) || head[1] < 2 || head[1] > s->len - offset) {
			printk("ACPI: %s at %#llx: entry at offset %u is torn; the rest is ignored\n", name,
			       (unsigned long long)s->at, offset);
			return;
		}
		entry(r, s, offset, head[0], head[1]);
		offset += head[1];
	}
}

static void madt_each(struct reader *r, const struct span *s, u32 offset, u8 type, u8 len)
{
	madt_entry(r, s, offset, type, len);
}

static void read_madt(struct reader *r, const struct span *s)
{
	u32 lapic;

	if (!fetch_in(r, s, HEADER_BYTES, &lapic, sizeof(lapic))) {
		printk("ACPI: MADT is too short: %u bytes\n", s->len);
		return;
	}
	r->facts->lapic = lapic;
	each_entry(r, s, HEADER_BYTES + 8, "MADT", madt_each);
}

/* ---- SRAT ---- */

static void add_affinity(struct reader *r, u32 apic_id, u32 pxm)
{
	if (r->affinity_nr == ACPI_CPUS_MAX)
		return; /* more processors than are kept anyway */
	r->affinity[r->affinity_nr].apic_id = apic_id;
	r->affinity[r->affinity_nr++].pxm = pxm;
}

static void srat_memory(struct reader *r, const struct span *s, u32 offset)
{
	struct acpi_facts *f = r->facts;
	struct {
		u8 type, len;
		u32 pxm;
		u16 reserved;
		u64 start, size;
		u32 reserved2, flags;
		u64 reserved3;
	} __attribute__((packed)) e;

	octavo_static_assert(sizeof(e) == 40, "ACPI 6.5 table 5.59");
	if (!fetch_in(r, s, offset, &e, sizeof(e)))
		return;
	if (f->memory_nr == ACPI_MEMORY_MAX) {
		printk("ACPI: SRAT: memory [mem %#018llx size %#llx] dropped: only %u entries are kept\n",
		       (unsigned long long)e.start, (unsigned long long)e.size, ACPI_MEMORY_MAX);
		return;
	}
	f->memory[f->memory_nr++] = (struct bootinfo_mem_affinity){
		.start = e.start, .size = e.size, .pxm = e.pxm, .flags = e.flags
	};
}

static void srat_each(struct reader *r, const struct span *s, u32 offset, u8 type, u8 len)
{
	struct {
		u8 type, len, pxm_low, id;
		u32 flags;
		u8 sapic, pxm_high[3];
		u32 clock;
	} local;
	struct {
		u8 type, len;
		u16 reserved;
		u32 pxm, id, flags, clock, reserved2;
	} x2;

	if (type == 0 && len >= sizeof(local) && fetch_in(r, s, offset, &local, sizeof(local))) {
		if (local.flags & 1)
			add_affinity(r, local.id,
				     local.pxm_low | (u32)local.pxm_high[0] << 8 | (u32)local.pxm_high[1] << 16 |
					     (u32)local.pxm_high[2] << 24);
	} else if (type == 2 && len >= sizeof(x2) && fetch_in(r, s, offset, &x2, sizeof(x2))) {
		if (x2.flags & 1)
			add_affinity(r, x2.id, x2.pxm);
	} else if (type == 1 && len >= 40) {
		srat_memory(r, s, offset);
	} else if (type <= 2) {
		printk("ACPI: SRAT entry of type %u is too short: %u bytes\n", type, len);
	}
}

static void read_srat(struct reader *r, const struct span *s)
{
	u8 revision;

	if (!fetch_in(r, s, 8, &revision, 1) || s->len < HEADER_BYTES + 12) {
		printk("ACPI: SRAT is too short: %u bytes\n", s->len);
		return;
	}
	each_entry(r, s, HEADER_BYTES + 12, "SRAT", srat_each);
	/* Revision 1 had eight bits of proximity domain; what follows them is not defined. */
	if (revision > 1)
		return;
	for (unsigned int i = 0; i < r->affinity_nr; i++)
		r->affinity[i].pxm &= 0xff;
	for (unsigned int i = 0; i < r->facts->memory_nr; i++)
		r->facts->memory[i].pxm &= 0xff;
}

/* ---- SLIT ---- */

static void read_slit(struct reader *r, const struct span *s)
{
	struct acpi_facts *f = r->facts;
	u64 n;

	if (!fetch_in(r, s, HEADER_BYTES, &n, sizeof(n)) || !n || n > ACPI_DISTANCES_MAX ||
	    n * n > s->len - HEADER_BYTES - sizeof(n)) {
		printk("ACPI: SLIT of %u bytes does not hold its localities; ignored\n", s->len);
		return;
	}
	for (u32 i = 0; i < n; i++)
		if (!fetch_in(r, s, HEADER_BYTES + 8 + i * (u32)n, &f->distance[i * n], (u32)n))
			return;
	for (u32 i = 0; i < n; i++)
		for (u32 j = 0; j < n; j++) {
			u8 d = f->distance[i * n + j];

			if (i == j ? d != 10 : d <= 10) {
				printk("ACPI: SLIT: distance from %u to %u is %u; the table is ignored\n", i, j, d);
				return;
			}
		}
	f->distance_nr = (unsigned int)n;
}

/* ---- FADT and \_S5 ---- */

struct generic_address {
	u8 space, bits, offset, access;
	u64 address;
} __attribute__((packed));

static void read_fadt(struct reader *r, const struct span *s)
{
	struct acpi_facts *f = r->facts;
	struct generic_address reset, control;
	u64 dsdt64 = 0;
	u32 word = 0;

	if (!fetch_in(r, s, 40, &word, 4) || !fetch_in(r, s, 64, &f->pm1a_control, 4) ||
	    !fetch_in(r, s, 68, &f->pm1b_control, 4)) {
		printk("ACPI: FADT is too short: %u bytes\n", s->len);
		return;
	}
	r->dsdt = word;
	if (fetch_in(r, s, 140, &dsdt64, 8) && dsdt64)
		r->dsdt = dsdt64;
	if (fetch_in(r, s, 48, &word, 4))
		f->smi_command = (u16)word;
	if (!fetch_in(r, s, 52, &f->acpi_enable, 1))
		f->acpi_enable = 0;
	if (fetch_in(r, s, 172, &control, sizeof(control)) && control.space == 1 && control.address &&
	    control.address < 0x10000)
		f->pm1a_control = (u32)control.address;
	/* flags bit 10: there is a reset register */
	if (fetch_in(r, s, 112, &word, 4) && word >> 10 & 1 && fetch_in(r, s, 116, &reset, sizeof(reset)) &&
	    reset.space == 1 && reset.address < 0x10000 && fetch_in(r, s, 128, &f->reset_value, 1)) {
		f->reset_io = true;
		f->reset_port = (u16)reset.address;
	}
}

/* A small constant of AML at *@p: Zero, One, or a byte. -1: something else. */
static int aml_constant(const u8 *text, unsigned int *p, unsigned int len)
{
	if (*p < len && text[*p] <= 1)
		return text[(*p)++];
	if (*p + 1 < len && text[*p] == 0x0a) {
		*p += 2;
		return text[*p - 1];
	}
	return -1;
}

/* "\_S5_", then Package { type for PM1a, type for PM1b, ... }: found by its bytes, without interpreting AML. */
static bool read_s5(struct reader *r, const struct span *s, u32 offset)
{
	u8 text[16] = { 0 };
	unsigned int p = 5, len = min_t(u32, sizeof(text), s->len - offset);

	if (!fetch_in(r, s, offset, text, len) || memcmp(text, "_S5_\x12", 5))
		return false;
	p += 1 + (text[5] >> 6); /* package length: one byte and up to three more */
	p += 1;			 /* number of elements */
	r->facts->s5_type_a = aml_constant(text, &p, len);
	r->facts->s5_type_b = aml_constant(text, &p, len);
	if (r->facts->s5_type_b < 0)
		r->facts->s5_type_b = 0;
	return r->facts->s5_type_a >= 0 && r->facts->s5_type_a <= 7;
}

static void read_dsdt(struct reader *r)
{
	struct span s;
	char name[5];

	if (!r->dsdt || !open_table(r, r->dsdt, &s, name))
		return;
	for (u32 at = HEADER_BYTES; at + 8 < s.len;) {
		u8 piece[64];
		u32 n = min_t(u32, sizeof(piece), s.len - at);

		if (!fetch_in(r, &s, at, piece, n))
			return;
		for (u32 i = 0; i + 4 <= n; i++)
			if (!memcmp(piece + i, "_S5_", 4) && read_s5(r, &s, at + i))
				return;
		at += n > 3 ? n - 3 : n; /* the name may straddle two pieces */
		if (n < sizeof(piece))
			break;
	}
	r->facts->s5_type_a = -1;
}

/* ---- Root ---- */

static void read_table(struct reader *r, phys_addr_t at)
{
	struct span s;
	char name[5];

	if (!at || !open_table(r, at, &s, name))
		return;
	if (!strcmp(name, "APIC"))
		read_madt(r, &s);
	else if (!strcmp(name, "SRAT"))
		read_srat(r, &s);
	else if (!strcmp(name, "SLIT"))
		read_slit(r, &s);
	else if (!strcmp(name, "FACP"))
		read_fadt(r, &s);
}

static bool read_root(struct reader *r, phys_addr_t at, const char *want, u32 width)
{
	struct span s;
	char name[5];
	u32 nr;

	if (!at || !open_table(r, at, &s, name))
		return false;
	if (strcmp(name, want)) {
		printk("ACPI: root table at %#llx is a %s, not %s; ignored\n", (unsigned long long)at, name, want);
		return false;
	}
	nr = (s.len - HEADER_BYTES) / width;
	if (nr > ROOT_ENTRIES_MAX)
		printk("ACPI: %s lists %u tables; the first %u are read\n", want, nr, ROOT_ENTRIES_MAX);
	for (u32 i = 0; i < nr && i < ROOT_ENTRIES_MAX; i++) {
		u64 table = 0;

		if (fetch_in(r, &s, HEADER_BYTES + i * width, &table, width))
			read_table(r, table);
	}
	return true;
}

static bool rsdp_valid(const struct rsdp *p, size_t bytes)
{
	return bytes >= RSDP_V1_BYTES && !memcmp(p->signature, "RSD PTR ", 8) && !sum_bytes(p, RSDP_V1_BYTES);
}

phys_addr_t acpi_find_rsdp(const struct phys_reader *rd)
{
	u16 segment = 0;
	phys_addr_t areas[2][2] = { { 0, 0 }, { 0xe0000, 0x100000 } };

	if (rd->read(rd->ctx, 0x40e, &segment, 2) && segment >= 0x4000) {
		areas[0][0] = (phys_addr_t)segment << 4;
		areas[0][1] = areas[0][0] + 1024;
	}
	for (int i = 0; i < 2; i++)
		for (phys_addr_t at = areas[i][0]; at < areas[i][1]; at += 16) {
			struct rsdp p;

			if (rd->read(rd->ctx, at, &p, RSDP_V1_BYTES) && rsdp_valid(&p, RSDP_V1_BYTES))
				return at;
		}
	return 0;
}

/* Proximity domains of the processors, once both tables are read in whatever order they came. */
static void join_affinity(struct reader *r)
{
	for (unsigned int i = 0; i < r->facts->cpus_nr; i++)
		for (unsigned int j = 0; j < r->affinity_nr; j++)
			if (r->facts->cpus[i].apic_id == r->affinity[j].apic_id)
				r->facts->cpus[i].pxm = r->affinity[j].pxm;
}

int acpi_read(struct acpi_facts *facts, const struct phys_reader *rd, phys_addr_t rsdp, const u8 *copy,
	      size_t copy_bytes)
{
	static struct reader r;
	struct rsdp p = { { 0 } };
	bool v2;

	memset(facts, 0, sizeof(*facts));
	facts->s5_type_a = facts->s5_type_b = -1;
	memset(&r, 0, sizeof(r));
	r.facts = facts;
	r.phys = rd;
	if (rsdp) {
		copy_bytes = sizeof(p);
		if (!fetch(&r, rsdp, &p, copy_bytes)) {
			copy_bytes = RSDP_V1_BYTES;
			if (!fetch(&r, rsdp, &p, copy_bytes))
				copy_bytes = 0;
		}
	} else if (copy) {
		copy_bytes = min_t(size_t, copy_bytes, sizeof(p));
		memcpy(&p, copy, copy_bytes);
	}
	if (!copy_bytes) {
		printk("ACPI: no root pointer\n");
		return -ENOENT;
	}
	if (!rsdp_valid(&p, copy_bytes)) {
		printk("ACPI: root pointer at %#llx is damaged\n", (unsigned long long)rsdp);
		return -ENOENT;
	}
	v2 = p.revision >= 2 && copy_bytes == sizeof(p);
	if (v2 && sum_bytes(&p, sizeof(p))) {
		printk("ACPI: root pointer's extended checksum is wrong; using the RSDT\n");
		v2 = false;
	}
	if (!(v2 && read_root(&r, p.xsdt, "XSDT", 8)) && !read_root(&r, p.rsdt, "RSDT", 4)) {
		printk("ACPI: no usable root table\n");
		return -ENOENT;
	}
	read_dsdt(&r);
	join_affinity(&r);
	return 0;
}
