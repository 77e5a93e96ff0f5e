// SPDX-License-Identifier: MIT
/*
 * Compressors of the host's libraries, where they are installed: "lz4-lib" is liblz4, "zstd" is libzstd (Debian:
 * liblz4-1, libzstd1). Nothing of them is needed to build: they are opened when somebody asks for the first time.
 *
 * libzstd wants contexts, which are the host's memory, not the machine's: they hold nothing from one page to the next,
 * so a snapshot needs none of it. Who packs takes one from the shelf and puts it back.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "mm/zswap/compress.h"

#define ZSTD_LEVEL 3 /* as Linux's crypto API has it */

static struct {
	int (*compress)(const char *src, char *dst, int len, int room);
	int (*decompress)(const char *src, char *dst, int len, int room);
} lz4;

static struct {
	void *(*create_pack)(void);
	void *(*create_unpack)(void);
	size_t (*free_pack)(void *context);
	size_t (*free_unpack)(void *context);
	size_t (*compress)(void *context, void *dst, size_t room, const void *src, size_t len, int level);
	size_t (*decompress)(void *context, void *dst, size_t room, const void *src, size_t len);
	unsigned int (*is_error)(size_t code);
} zstd;

/* Writes the address of a function where it belongs; ISO C has no cast for that. */
static bool look_up(void *library, const char *name, void *where)
{
	void *symbol = library ? dlsym(library, name) : NULL;

	__builtin_memcpy(where, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static bool lz4_found, zstd_found;

static void open_libraries(void)
{
	void *l = dlopen("liblz4.so.1", RTLD_NOW | RTLD_LOCAL), *z = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);

	lz4_found = look_up(l, "LZ4_compress_default", &lz4.compress) &&
		    look_up(l, "LZ4_decompress_safe", &lz4.decompress);
	zstd_found = look_up(z, "ZSTD_createCCtx", &zstd.create_pack) &&
		     look_up(z, "ZSTD_createDCtx", &zstd.create_unpack) &&
		     look_up(z, "ZSTD_freeCCtx", &zstd.free_pack) && look_up(z, "ZSTD_freeDCtx", &zstd.free_unpack) &&
		     look_up(z, "ZSTD_compressCCtx", &zstd.compress) &&
		     look_up(z, "ZSTD_decompressDCtx", &zstd.decompress) &&
		     look_up(z, "ZSTD_isError", &zstd.is_error);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool lz4_available(void)
{
	return !pthread_once(&once, open_libraries) && lz4_found;
}

static bool zstd_available(void)
{
	return !pthread_once(&once, open_libraries) && zstd_found;
}

/* ---- liblz4 ---- */

static long lz4_pack_page(void *workspace, const void *src, void *dst, size_t room)
{
	int len = lz4.compress(src, dst, (int)PAGE_SIZE, (int)room);

	(void)workspace;
	return len > 0 ? len : -ENOSPC;
}

static int lz4_unpack_page(void *workspace, const void *src, size_t len, void *dst)
{
	(void)workspace;
	return lz4.decompress(src, dst, (int)len, (int)PAGE_SIZE) == (int)PAGE_SIZE ? 0 : -EIO;
}

ZSWAP_COMPRESSOR_NAMED(lz4_lib, "lz4-lib", .available = lz4_available, .compress = lz4_pack_page,
		       .decompress = lz4_unpack_page);

/* ---- libzstd ---- */

#define SHELF 16u
static void *packers[SHELF], *unpackers[SHELF]; /* contexts nobody uses */

static void *take(void **shelf, void *(*create)(void))
{
	for (unsigned int i = 0; i < SHELF; i++) {
		void *context = __atomic_exchange_n(&shelf[i], NULL, __ATOMIC_ACQUIRE);

		if (context)
			return context;
	}
	return create();
}

static void put(void **shelf, void *context, size_t (*destroy)(void *context))
{
	for (unsigned int i = 0; i < SHELF; i++) {
		void *nothing = NULL;

		if (__atomic_compare_exchange_n(&shelf[i], &nothing, context, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	destroy(context);
}

static long zstd_pack_page(void *workspace, const void *src, void *dst, size_t room)
{
	void *context = take(packers, zstd.create_pack);
	size_t len;

	(void)workspace;
	if (!context)
		return -EIO;
	len = zstd.compress(context, dst, room, src, PAGE_SIZE, ZSTD_LEVEL);
	put(packers, context, zstd.free_pack);
	return zstd.is_error(len) ? -ENOSPC : (long)len;
}

static int zstd_unpack_page(void *workspace, const void *src, size_t len, void *dst)
{
	void *context = take(unpackers, zstd.create_unpack);
	size_t got;

	(void)workspace;
	if (!context)
		return -EIO;
	got = zstd.decompress(context, dst, PAGE_SIZE, src, len);
	put(unpackers, context, zstd.free_unpack);
	return got == PAGE_SIZE ? 0 : -EIO;
}

ZSWAP_COMPRESSOR_NAMED(zstd, "zstd", .available = zstd_available, .compress = zstd_pack_page,
		       .decompress = zstd_unpack_page);
