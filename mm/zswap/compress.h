/* SPDX-License-Identifier: MIT */
/*
 * Compressors behind one interface, and what each CPU has to work with one.
 *
 * A compressor is a constant that registers itself; the linker collects them, so a port has its own by linking them in.
 *
 *	ZSWAP_COMPRESSOR(mine, .workspace = sizeof(struct my_state), .compress = my_pack, .decompress = my_unpack);
 */
#ifndef MM_ZSWAP_COMPRESS_H
#define MM_ZSWAP_COMPRESS_H

#include <octavo/mmzone.h>
#include <octavo/types.h>

#include "../base/compiler.h"

#define COMPRESSOR_NAME_MAX 32
#define COMPRESSOR_DEFAULT "lz4"

/**
 * struct zswap_compressor - a way to make a page smaller
 * @name: as /sys/module/zswap/parameters/compressor has it
 * @workspace: bytes that each CPU has for it, zeroed once, aligned to 64; 0: none
 * @available: can it be used now? NULL: always
 * @compress: PAGE_SIZE bytes at @src to at most @room bytes at @dst. Return: how many; -ENOSPC: they do not fit;
 *            -EIO: it failed
 * @decompress: @len bytes at @src to PAGE_SIZE bytes at @dst. Never reads or writes elsewhere, whatever is at @src.
 *              Return: 0; -EIO: they are not a page
 * Both run on one CPU, preemption off, and use that CPU's workspace; they must not sleep or allocate from the core.
 */
struct zswap_compressor {
	const char *name;
	size_t workspace;
	bool (*available)(void);
	long (*compress)(void *workspace, const void *src, void *dst, size_t room);
	int (*decompress)(void *workspace, const void *src, size_t len, void *dst);
};

#define ZSWAP_COMPRESSOR_NAMED(id_, name_, ...)                                                                    \
	static const struct zswap_compressor zswap_compressor_##id_                                                \
		__attribute__((used, section("octavo_compressors"), aligned(sizeof(void *)))) = { .name = name_,  \
												  __VA_ARGS__ }
#define ZSWAP_COMPRESSOR(name_, ...) ZSWAP_COMPRESSOR_NAMED(name_, #name_, __VA_ARGS__)

/* By name, if it can be used. NULL: no. */
const struct zswap_compressor *compressor_find(const char *name);
/* The one behind @before that can be used, NULL: the first. NULL: no more. */
const struct zswap_compressor *compressor_next(const struct zswap_compressor *before);

/* What a CPU works with: (o) the owning CPU, preemption off. */
struct packer_cpu {
	u8 *buffer;	 /* PAGE_SIZE bytes */
	void *workspace; /* NULL: the compressor wants none */
};

/* A compressor in use. */
struct packer {
	const struct zswap_compressor *ops;
	struct packer_cpu *cpus; /* (c) for each possible CPU */
};

/* Context: thread context, may sleep. Return: 0 or -ENOMEM. */
int packer_init(struct packer *packer, const struct zswap_compressor *ops);
void packer_exit(struct packer *packer);

/* This CPU's, until packer_leave(): preemption is off meanwhile. Not from interrupts. Nests not. */
struct packer_cpu *packer_enter(struct packer *packer);
void packer_leave(void);

/* Does the page consist of one word, repeated? *@word: which. */
bool page_same_filled(const void *virt, unsigned long *word);
void page_fill(void *virt, unsigned long word);

#endif
