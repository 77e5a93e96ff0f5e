// SPDX-License-Identifier: MIT
/*
 * zswap: which pool and compressor are in use, and how much of memory they may take.
 *
 * A change of the parameters makes a new pool, which later copies go to. The old one serves the copies it has, and goes
 * when it has none: the last user only says so (zswap.dying), as it may not sleep; who comes along next, storing,
 * changing a parameter, taking an area away, does the rest.
 */
#include <octavo/gfp.h>
#include <octavo/rcupdate.h>
#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/zone.h"
#include "zswap_internal.h"

/* ---- Life ---- */

struct zswap_pool *zswap_pool_get(void)
{
	struct zswap_pool *pool;
	u32 users = 0;

	rcu_read_lock();
	pool = rcu_dereference(zswap.current_pool);
	if (pool)
		users = load_relaxed(&pool->users);
	while (users) {
		u32 was = atomic_cmpxchg(&pool->users, users, users + 1);

		if (was == users)
			break;
		users = was;
	}
	rcu_read_unlock();
	return users ? pool : NULL;
}

void zswap_pool_put(struct zswap_pool *pool)
{
	if (!atomic_sub_fetch(&pool->users, 1u))
		store_release(&zswap.dying, 1u);
}

static void pool_destroy(struct zswap_pool *pool)
{
	if (pool->zpool)
		pool->driver->destroy(pool->zpool);
	packer_exit(&pool->packer);
	kfree(pool);
}

/* With the mutex. */
static void reap_locked(void)
{
	struct zswap_pool *gone[ZSWAP_POOLS];
	unsigned int nr = 0;

	store_relaxed(&zswap.dying, 0u);
	smp_mb();
	for (unsigned int i = 0; i < ZSWAP_POOLS; i++)
		if (zswap.pools[i] && !load_relaxed(&zswap.pools[i]->users)) {
			gone[nr++] = zswap.pools[i];
			rcu_assign_pointer(zswap.pools[i], NULL);
		}
	if (!nr)
		return;
	synchronize_rcu(); /* who sums up, or was about to put */
	for (unsigned int i = 0; i < nr; i++)
		pool_destroy(gone[i]);
}

void zswap_pools_reap(void)
{
	if (!load_relaxed(&zswap.dying) || !mutex_trylock(&zswap.mutex))
		return;
	reap_locked();
	mutex_unlock(&zswap.mutex);
}

static struct zswap_pool *pool_create(const struct zpool_driver *driver, const struct zswap_compressor *compressor)
{
	struct zswap_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	pool->driver = driver;
	pool->users = 1;
	if (packer_init(&pool->packer, compressor) || !(pool->zpool = driver->create("zswap"))) {
		pool_destroy(pool);
		return NULL;
	}
	return pool;
}

/* One that has copies still and is as wanted is used again. */
static struct zswap_pool *pool_existing(const struct zpool_driver *driver, const struct zswap_compressor *compressor)
{
	for (unsigned int i = 0; i < ZSWAP_POOLS; i++) {
		struct zswap_pool *pool = zswap.pools[i];
		u32 users = pool ? load_relaxed(&pool->users) : 0;

		if (!pool || pool->driver != driver || pool->packer.ops != compressor)
			continue;
		while (users) {
			u32 was = atomic_cmpxchg(&pool->users, users, users + 1);

			if (was == users)
				return pool;
			users = was;
		}
	}
	return NULL;
}

int zswap_pool_switch(void)
{
	const struct zpool_driver *driver = zpool_find(zswap.params.zpool);
	const struct zswap_compressor *compressor = compressor_find(zswap.params.compressor);
	struct zswap_pool *old = zswap.current_pool, *pool;
	unsigned int id = 0;

	if (!driver || !compressor)
		return -ENOENT;
	reap_locked();
	pool = pool_existing(driver, compressor);
	if (!pool) {
		while (id < ZSWAP_POOLS && zswap.pools[id])
			id++;
		if (id == ZSWAP_POOLS)
			return -ENOSPC;
		pool = pool_create(driver, compressor);
		if (!pool)
			return -ENOMEM;
		pool->id = id;
		rcu_assign_pointer(zswap.pools[id], pool);
	}
	rcu_assign_pointer(zswap.current_pool, pool);
	if (old)
		zswap_pool_put(old);
	reap_locked();
	return 0;
}

/* ---- Room ---- */

unsigned long zswap_pool_pages(void)
{
	unsigned long sum = 0;

	rcu_read_lock();
	for (unsigned int i = 0; i < ZSWAP_POOLS; i++) {
		struct zswap_pool *pool = rcu_dereference(zswap.pools[i]);

		if (pool)
			sum += pool->driver->total_pages(pool->zpool);
	}
	rcu_read_unlock();
	return sum;
}

static unsigned long percent_of(unsigned long pages, u32 percent)
{
	return (unsigned long)((u64)pages * percent / 100);
}

bool zswap_accepts(void)
{
	unsigned long limit = percent_of(totalram_pages(), load_relaxed(&zswap.params.max_pool_percent));
	unsigned long pages = zswap_pool_pages();

	if (load_relaxed(&zswap.dying))
		zswap_pools_reap();
	if (pages >= limit) {
		zswap_count(&zswap.stats.pool_limit_hit);
		store_relaxed(&zswap.reached_full, true);
		return false;
	}
	if (load_relaxed(&zswap.reached_full)) {
		if (pages > percent_of(limit, load_relaxed(&zswap.params.accept_threshold_percent)))
			return false;
		store_relaxed(&zswap.reached_full, false);
	}
	return true;
}

/* ---- Parameters ---- */

static int setup_locked(void)
{
	int err;

	if (zswap.current_pool)
		return 0;
	if (!compressor_find(zswap.params.compressor)) {
		pr_err("zswap: compressor %s not available, using default %s\n", zswap.params.compressor,
		       COMPRESSOR_DEFAULT);
		strscpy(zswap.params.compressor, COMPRESSOR_DEFAULT, sizeof(zswap.params.compressor));
	}
	if (!zpool_find(zswap.params.zpool)) {
		pr_err("zswap: zpool %s not available, using default %s\n", zswap.params.zpool, ZPOOL_DEFAULT);
		strscpy(zswap.params.zpool, ZPOOL_DEFAULT, sizeof(zswap.params.zpool));
	}
	err = zswap_pool_switch();
	if (err)
		pr_err("zswap: pool creation failed\n");
	else
		pr_info("zswap: loaded using pool %s/%s\n", zswap.params.compressor, zswap.params.zpool);
	return err;
}

int zswap_set_enabled(bool on)
{
	int err = 0;

	mutex_lock(&zswap.mutex);
	if (on)
		err = setup_locked();
	if (!err)
		store_relaxed(&zswap.params.enabled, on);
	mutex_unlock(&zswap.mutex);
	return err ? -ENODEV : 0;
}

/* A name parameter changes; if there is a pool the next one is made at once, and on failure all stays as it was. */
static int set_name(char *param, size_t size, const char *name)
{
	char old[COMPRESSOR_NAME_MAX];
	int err = 0;

	octavo_static_assert(COMPRESSOR_NAME_MAX == ZPOOL_NAME_MAX, "one buffer for both");
	mutex_lock(&zswap.mutex);
	if (strcmp(param, name)) {
		strscpy(old, param, sizeof(old));
		strscpy(param, name, size);
		if (zswap.current_pool)
			err = zswap_pool_switch();
		if (err)
			strscpy(param, old, size);
	}
	mutex_unlock(&zswap.mutex);
	return err;
}

int zswap_set_compressor(const char *name)
{
	if (!compressor_find(name)) {
		pr_err("zswap: compressor %s not available\n", name);
		return -ENOENT;
	}
	return set_name(zswap.params.compressor, sizeof(zswap.params.compressor), name);
}

int zswap_set_zpool(const char *name)
{
	if (!zpool_find(name)) {
		pr_err("zswap: zpool %s not available\n", name);
		return -ENOENT;
	}
	return set_name(zswap.params.zpool, sizeof(zswap.params.zpool), name);
}

/* ---- On the command line ---- */

static int enabled_param(const char *value)
{
	return parse_bool(value, &zswap.params.enabled);
}
early_param("zswap.enabled", enabled_param);

static int shrinker_param(const char *value)
{
	return parse_bool(value, &zswap.params.shrinker_enabled);
}
early_param("zswap.shrinker_enabled", shrinker_param);

static int same_filled_param(const char *value)
{
	return parse_bool(value, &zswap.params.same_filled_pages_enabled);
}
early_param("zswap.same_filled_pages_enabled", same_filled_param);

static int name_param(char *param, size_t size, const char *value)
{
	if (!value || !*value || strlen(value) >= size)
		return -EINVAL;
	strscpy(param, value, size);
	return 0;
}

static int compressor_param(const char *value)
{
	return name_param(zswap.params.compressor, sizeof(zswap.params.compressor), value);
}
early_param("zswap.compressor", compressor_param);

static int zpool_param(const char *value)
{
	return name_param(zswap.params.zpool, sizeof(zswap.params.zpool), value);
}
early_param("zswap.zpool", zpool_param);

static int percent_param(const char *value, u32 *percent)
{
	u64 n;

	if (!value || parse_number(value, &n) || n > 0xffffffff)
		return -EINVAL;
	*percent = (u32)n;
	return 0;
}

static int max_pool_param(const char *value)
{
	return percent_param(value, &zswap.params.max_pool_percent);
}
early_param("zswap.max_pool_percent", max_pool_param);

static int accept_param(const char *value)
{
	return percent_param(value, &zswap.params.accept_threshold_percent);
}
early_param("zswap.accept_threshold_percent", accept_param);

static int zswap_init(void)
{
	zswap_nodes = kcalloc(nr_node_ids, sizeof(*zswap_nodes), GFP_KERNEL);
	if (!zswap_nodes)
		return -ENOMEM;
	for (unsigned int nid = 0; nid < nr_node_ids; nid++) {
		spin_lock_init(&zswap_nodes[nid].lock, LOCK_RANK_ZSWAP);
		INIT_LIST_HEAD(&zswap_nodes[nid].chunks);
	}
	if (zswap_shrinker_init())
		return -ENOMEM;
	/* As in Linux: without a pool zswap is off, and the machine goes on. */
	if (zswap.params.enabled && zswap_set_enabled(true))
		zswap.params.enabled = false;
	return 0;
}

/* ---- Checking ---- */

struct verify_sums {
	struct findings *f;
	unsigned long copies, same, packed[ZSWAP_POOLS];
};

static bool verify_chunk(struct zswap_chunk *chunk, void *ctx)
{
	struct verify_sums *sums = ctx;
	unsigned int used = 0;

	for (unsigned int i = 0; i < ZSWAP_CHUNK_SLOTS; i++) {
		u32 word = chunk->slots[i].word;

		if (!word)
			continue;
		used++;
		if ((word & ZSWAP_KIND) == ZSWAP_SAME)
			sums->same++;
		else if ((word & ZSWAP_KIND) != ZSWAP_PACKED || !zswap.pools[ZSWAP_POOL(word)] || !ZSWAP_LENGTH(word))
			finding(sums->f, "zswap: slot %lu of area %u has word %#x", chunk->first + i, chunk->type,
				word);
		else
			sums->packed[ZSWAP_POOL(word)]++;
	}
	if (used != chunk->used)
		finding(sums->f, "zswap: the chunk of slot %lu of area %u has %u copies, counted %u", chunk->first,
			chunk->type, used, chunk->used);
	sums->copies += used;
	return true;
}

static void zswap_verify(struct findings *f)
{
	struct verify_sums sums = { .f = f };
	unsigned long stored = 0;

	zswap_for_each_chunk(verify_chunk, &sums);
	for (unsigned int nid = 0; zswap_nodes && nid < nr_node_ids; nid++)
		stored += zswap_nodes[nid].stored;
	if (sums.copies != zswap.stats.stored_pages || sums.same != zswap.stats.same_filled_pages ||
	    stored != sums.copies - sums.same)
		finding(f, "zswap: %lu copies, %lu same-filled, are counted as %lu, %lu, %lu packed", sums.copies,
			sums.same, zswap.stats.stored_pages, zswap.stats.same_filled_pages, stored);
	for (unsigned int i = 0; i < ZSWAP_POOLS; i++) {
		struct zswap_pool *pool = zswap.pools[i];

		if (!pool)
			continue;
		if (pool->users != sums.packed[i] + (pool == zswap.current_pool))
			finding(f, "zswap: pool %u has %lu copies and %u users", i, sums.packed[i], pool->users);
		pool->driver->verify(pool->zpool, f);
	}
}

MM_PART(zswap, .order = MM_PART_ZSWAP, .init = zswap_init, .verify = zswap_verify);
