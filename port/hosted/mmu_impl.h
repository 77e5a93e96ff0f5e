/* SPDX-License-Identifier: MIT */
/* What the MMU's files share: its state, and what a format has to say. */
#ifndef PORT_HOSTED_MMU_IMPL_H
#define PORT_HOSTED_MMU_IMPL_H

#include "machine.h"
#include "mmu.h"

/* What an entry of the TLB or of the paging-structure cache lets through. */
#define MMU_MAY_WRITE 1u
#define MMU_MAY_USER 2u	  /* user mode, as well */
#define MMU_NO_EXEC 4u	  /* x86: XD; arm64: UXN */
#define MMU_NO_KEXEC 8u	  /* arm64: PXN */
#define MMU_DIRTY 16u	  /* a store need not look at the tables again */
#define MMU_GLOBAL 32u

#define MMU_LEVELS 5u

/**
 * struct mmu_entry - a translation (of 1 << @shift bytes from @virt to @phys), or the way to a table: the entry that
 * covers 1 << @shift bytes from @virt leads to the table at @phys
 */
struct mmu_entry {
	u64 virt;
	u64 phys;
	u32 next; /* index of the next in the chain, or of the free ones, + 1 */
	u16 asid;
	u8 shift;
	u8 rights;
	u8 pkey;
	bool used;
};

/* Entries in an array, found by hash; @high is where those that were never used begin. */
struct mmu_cache {
	struct mmu_entry *entries;
	u32 *heads; /* index + 1 */
	u32 capacity, heads_nr;
	u32 high, free, used, hand;
	u32 *of_shift; /* how many of each size: 64 */
};

struct mmu {
	int lock;
	bool there;
	struct mmu_config config;
	const struct mmu_ops *ops;
	struct mmu_control control;
	struct mmu_stats stats;
	u64 root;	   /* x86: CR3; arm64: TTBR1 */
	u64 user_root;	   /* arm64: TTBR0 */
	bool loaded, user_loaded;
	u64 pdpte[4];	   /* i386 PAE: the registers */
	unsigned int asid;
	struct mmu_cache tlb, tables;
};

/**
 * struct mmu_walk - one walk: what is asked, what came out, and the way
 * @peek: look only: no caches, no bits set, nobody's rights asked, nothing counted
 * @phys, @shift, @rights, @pkey: the leaf, if it ended at one
 * @flags, @level: PAGE_FAULT_* and where it ended, if not
 * @error: arm64: the fault status code
 * @way: @way[n]: the table of level n that it went through (0: it did not), and the rights gathered above that table
 */
struct mmu_walk {
	u64 virt;
	enum mmu_access access;
	bool user, peek;
	u64 phys;
	unsigned int shift;
	u32 rights;
	u8 pkey;
	u32 flags;
	unsigned int level;
	u64 error;
	struct {
		u64 table;
		u32 rights;
	} way[MMU_LEVELS];
};

/**
 * struct mmu_ops - a format
 * @shifts: sizes of TLB entries, 0 at the end; @table_shifts: what entries that lead to tables cover, smallest first
 * @canonical: is it an address at all
 * @walk: true: @w has the leaf, accessed and dirty as the access asks
 * @check: 0, or the PAGE_FAULT_* of the refusal
 * @error: what the processor hands to the handler
 * @load: look at a new root; false: refused
 */
struct mmu_ops {
	const u8 *shifts, *table_shifts;
	bool fault_drops; /* a page fault drops what the TLB has for its address */
	bool (*canonical)(const struct mmu *mmu, u64 virt);
	bool (*walk)(struct mmu *mmu, struct mmu_walk *w);
	u32 (*check)(const struct mmu *mmu, u32 rights, u8 pkey, enum mmu_access access, bool user);
	u64 (*error)(const struct mmu *mmu, const struct mmu_walk *w);
	bool (*load)(struct mmu *mmu);
};

extern const struct mmu_ops mmu_x86_64, mmu_x86_64_la57, mmu_i386, mmu_i386_pae, mmu_arm64;

/* mmu.c for the formats: entries in RAM. Where nothing is, reads give all ones, and *@there is false. */
u64 mmu_entry_read(struct mmu *mmu, const struct mmu_walk *w, u64 phys, unsigned int bytes, bool *there);
/* @set and @clear in the entry at @phys if it still is @old: false: read it again. */
bool mmu_entry_update(u64 phys, unsigned int bytes, u64 old, u64 fresh);
/* The table that the entry of 1 << @shift bytes leads to, from the paging-structure cache; and into it. */
const struct mmu_entry *mmu_table_find(struct mmu *mmu, const struct mmu_walk *w, unsigned int shift);
void mmu_table_keep(struct mmu *mmu, const struct mmu_walk *w, unsigned int shift, u64 table, u32 rights);

/* mmu_cache.c */
#define MMU_ANY_ASID (~0u)
void mmu_cache_make(struct mmu_cache *cache, u32 capacity);
void mmu_cache_empty(struct mmu_cache *cache);
/* Usable with @asid: its own, or global. */
struct mmu_entry *mmu_cache_find(const struct mmu_cache *cache, u64 virt, unsigned int shift, unsigned int asid);
/* In place of the one it finds. Return: one was evicted. */
bool mmu_cache_put(struct mmu_cache *cache, const struct mmu_entry *entry);
/* What covers @virt: @asid's that are not global; MMU_ANY_ASID: everyone's and global ones. Return: how many went. */
unsigned int mmu_cache_drop(struct mmu_cache *cache, u64 virt, unsigned int shift, unsigned int asid);
void mmu_cache_drop_asid(struct mmu_cache *cache, unsigned int asid);

/* mmu_translate(), and which accesses (1 << enum mmu_access) could go on without asking the MMU again */
bool mmu_translate_for_host(unsigned int cpu, uintptr_t virt, enum mmu_access access, u64 *phys, unsigned int *may,
			    struct mmu_fault *fault);
/* What plain accesses to @virt may do, by the tables as they are; nothing is cached or marked. */
unsigned int mmu_peek(unsigned int cpu, uintptr_t virt, unsigned int *shift);

/* The registers of a CPU, for a snapshot; going back to it forgets all translations. NULL: no memory. */
struct mmu *mmu_save(unsigned int cpu);
void mmu_restore(unsigned int cpu, const struct mmu *saved);

bool mmu_has_root(unsigned int cpu);

/* mmu_port.c: the process may do with the direct map what the tables say now */
void direct_flushed_all(void);
void mmus_booted(void);

/* fault.c: the address behind a pointer into this machine; and that of the direct map's start, false: there is none */
uintptr_t virt_of(const void *p);
bool direct_map_virt(u64 *start);

#endif
