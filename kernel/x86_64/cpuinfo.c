// SPDX-License-Identifier: MIT
/* /proc/cpuinfo, as far as CPUID tells: Intel SDM volume 2A, CPUID. All processors of a machine are taken as equal. */
#include "../kfs.h"
#include "pc.h"

struct feature {
	u8 bit;
	const char *name;
};

static void show_features(struct ktext *text, u32 word, const struct feature *f, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (word >> f[i].bit & 1)
			ktext_printf(text, " %s", f[i].name);
}

static void show_flags(struct ktext *text)
{
	static const struct feature one_d[] = { { 0, "fpu" }, { 3, "pse" }, { 4, "tsc" }, { 5, "msr" }, { 6, "pae" },
						{ 8, "cx8" }, { 9, "apic" }, { 13, "pge" }, { 15, "cmov" },
						{ 16, "pat" }, { 23, "mmx" }, { 24, "fxsr" }, { 25, "sse" },
						{ 26, "sse2" }, { 28, "ht" } };
	static const struct feature one_c[] = { { 0, "pni" }, { 9, "ssse3" }, { 12, "fma" }, { 13, "cx16" },
						{ 17, "pcid" }, { 19, "sse4_1" }, { 20, "sse4_2" }, { 21, "x2apic" },
						{ 23, "popcnt" }, { 25, "aes" }, { 26, "xsave" }, { 28, "avx" },
						{ 30, "rdrand" }, { 31, "hypervisor" } };
	static const struct feature seven_b[] = { { 0, "fsgsbase" }, { 5, "avx2" }, { 7, "smep" }, { 9, "erms" },
						  { 10, "invpcid" }, { 18, "rdseed" }, { 20, "smap" } };
	static const struct feature seven_c[] = { { 2, "umip" }, { 3, "pku" }, { 4, "ospke" }, { 16, "la57" } };
	static const struct feature ext_d[] = { { 11, "syscall" }, { 20, "nx" }, { 26, "pdpe1gb" }, { 27, "rdtscp" },
						{ 29, "lm" } };

	ktext_printf(text, "flags\t\t:");
	show_features(text, cpuid(1, 0).edx, one_d, ARRAY_SIZE(one_d));
	show_features(text, cpuid(0x80000001, 0).edx, ext_d, ARRAY_SIZE(ext_d));
	show_features(text, cpuid(1, 0).ecx, one_c, ARRAY_SIZE(one_c));
	if (cpuid(0, 0).eax >= 7) {
		show_features(text, cpuid(7, 0).ebx, seven_b, ARRAY_SIZE(seven_b));
		show_features(text, cpuid(7, 0).ecx, seven_c, ARRAY_SIZE(seven_c));
	}
	ktext_printf(text, "\n");
}

void kernel_cpuinfo(struct ktext *text, unsigned int cpu)
{
	u32 sign = cpuid(1, 0).eax, family = sign >> 8 & 15, model = sign >> 4 & 15;
	u32 vendor[3] = { cpuid(0, 0).ebx, cpuid(0, 0).edx, cpuid(0, 0).ecx };
	u32 brand[13] = { 0 };
	u64 khz = clock_tsc_hz() / 1000;

	if (family == 15)
		family += sign >> 20 & 255;
	if (family >= 6)
		model |= sign >> 12 & 0xf0;
	for (u32 i = 0; i < 3 && cpuid(0x80000000, 0).eax >= 0x80000004; i++) {
		brand[4 * i] = cpuid(0x80000002 + i, 0).eax;
		brand[4 * i + 1] = cpuid(0x80000002 + i, 0).ebx;
		brand[4 * i + 2] = cpuid(0x80000002 + i, 0).ecx;
		brand[4 * i + 3] = cpuid(0x80000002 + i, 0).edx;
	}
	ktext_printf(text, "processor\t: %u\nvendor_id\t: %.12s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu,
		     (const char *)vendor, family, model);
	ktext_printf(text, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %llu.%03llu\n", (const char *)brand,
		     sign & 15, (unsigned long long)(khz / 1000), (unsigned long long)(khz % 1000));
	show_flags(text);
	ktext_printf(text, "\n");
}
