// SPDX-License-Identifier: MIT
/*
 * What becomes of a folio that the lists gave up.
 *
 * Purpose. From an isolated folio to free pages: each is looked at once, and freed, written, or kept.
 *
 *	locked? evictable? -- no: kept
 *	under writeback -- kept, to go first when it ends (PG_reclaim)
 *	used since -- kept, or active again
 *	anonymous -- a slot of swap
 *	mapped -- entries go (try_to_unmap())
 *	dirty -- written, by who may
 *	clean, and in nobody's hands -- out of its file or slot, a shadow stays behind; free
 *
 * Words. *Congested*: under writeback still when its list has come round. *Immediate*: the same, and kswapd has found
 * the ends of the lists full of what is being written before: whoever writes is slower than who reads. *Unqueued*:
 * dirty, and nobody writes it.
 *
 * Who may write. Swap: __GFP_IO. Files: __GFP_IO and __GFP_FS; kswapd when the old ends of lists are full of dirty
 * pages (or it finds nothing else), and who reclaims for himself if there is no kswapd, or if he gets nowhere. A folio
 * that stays because it is dirty is marked to go as soon as it was written.
 *
 * *Late*: unmapped, and other CPUs may go on using it until they are told. They are told once for all of a list, which
 * a call to each costs; until then it stays locked. What comes after the unmapping is done for each then: nothing is
 * written, by whomever, taken out of its file or slot, or freed, that a CPU can still get at.
 *
 * Locking. The folio's lock, tried; of those that are late several at once. Nothing is waited for but what the store
 * itself takes.
 *
 * What failure does. No slot, no memory for its bookkeeping, an error of the device: the folio is active again, and
 * dirty; the file's users hear of the error.
 *
 * Differences from Linux. File systems' private data does not exist. Large anonymous folios that no run of slots can be
 * had for go to single slots, and are not split. What is written waits for the CPUs with all others of its list, not by
 * itself; what is clean leaves its file behind the flush, not ahead of it.
 *
 * Sources. Documentation/admin-guide/mm/concepts.rst; Documentation/mm/page_reclaim.rst, unevictable-lru.rst;
 * madvise(2).
 */
#include "../cache/filemap.h"
#include "../cache/shmem.h"
#include "../phys/hwpoison.h"
#include "../phys/page_wait.h"
#include "../swap/swap.h"
#include "../sync/trace.h"
#include "../vm/rmap.h"
#include "reclaim.h"

/* What a look at the entries and PG_referenced says. */
enum use { USE_NONE, USE_CLEAN_ONLY, USE_KEEP, USE_ACTIVATE };

static enum use check_references(struct folio *folio)
{
	bool folio_used;
	u64 vm_flags;
	int entries = 0;

	vm_flags = 0;
	if (folio_mapped(folio))
		entries = lru_vm_ops ? lru_vm_ops->referenced(folio, true, &vm_flags) : 0;
	folio_used = page_plain_flag(&folio->page, PG_referenced) && TestClearPageReferenced(&folio->page);
	if (vm_flags & VM_LOCKED)
		return USE_ACTIVATE;
	if (entries < 0)
		return USE_KEEP;
	if (entries) {
		/* Once does not count: it has to be used again until its turn comes round. */
		SetPageReferenced(&folio->page);
		if (folio_used || entries > 1 || (vm_flags & VM_EXEC && folio_is_file_lru(folio)))
			return USE_ACTIVATE;
		return USE_KEEP;
	}
	return folio_used && folio_is_file_lru(folio) ? USE_CLEAN_ONLY : USE_NONE;
}

static bool may_enter_fs(const struct folio *folio, gfp_t gfp)
{
	if (gfp & __GFP_FS)
		return true;
	return folio_in_swap_cache(folio) && gfp & __GFP_IO;
}

static void activate(struct scan_control *sc, const struct folio *folio)
{
	sc->stat.activated[folio_is_file_lru(folio)] += folio_nr_pages(folio);
}

/* Under writeback. It stays. */
static enum lru_verdict under_writeback(struct scan_control *sc, struct folio *folio)
{
	const struct reclaim_node *node = reclaim_node(sc->scan.node->node_id);
	bool again = PageReclaim(&folio->page); /* or it is where more was to be read ahead, which is no harm */
	unsigned long nr = folio_nr_pages(folio);

	if (!again)
		SetPageReclaim(&folio->page);
	else if (sc->scan.kswapd && node_state(node, NODE_WRITEBACK))
		sc->stat.immediate += nr;
	if (folio_is_file_lru(folio)) {
		sc->stat.dirty += nr;
		sc->stat.congested += again ? nr : 0;
	}
	sc->stat.writeback += nr;
	activate(sc, folio);
	return LRU_ACTIVATE;
}

/* Anonymous, and its contents are wanted: it needs a slot. Return: false: there is none. */
static force_inline bool give_slot(struct scan_control *sc, struct folio *folio)
{
	if (folio_in_swap_cache(folio))
		return true;
	return sc->gfp & __GFP_IO && sc->scan.may_swap && !folio_maybe_dma_pinned(folio) && !add_to_swap(folio);
}

/*
 * What has a slot and stays gives it back when slots are scarce; and if it was unmapped before it got one: who did that
 * saw none.
 */
static void give_slot_back(struct folio *folio)
{
	if (folio_in_swap_cache(folio) && (swap_full() || !folio_mapped(folio)))
		(void)folio_free_swap(folio);
}

static int write_by_mapping(struct folio *folio, void *ctx)
{
	struct address_space *mapping = ctx;

	return mapping->a_ops->write_folio(mapping, folio);
}

/*
 * It has been written, and is unlocked, or still locked; it stays; it stays, and is not to be tried again soon; it
 * stays, and is unlocked.
 */
enum written { WRITTEN, WRITTEN_LOCKED, WRITE_LATER, WRITE_FAILED, WRITE_UNLOCKED };

static force_inline enum written write_to_swap(struct scan_control *sc, struct folio *folio, long nr)
{
	bool locked;

	/* What is unmapped and in no file has its mark, and nothing else, to be cleared for it. */
	if (!may_enter_fs(folio, sc->gfp) || !TestClearPageDirty(&folio->page))
		return WRITE_FAILED;
	count_folio(folio, NR_VMSCAN_WRITE, nr);
	(void)swap_write_locked(folio, &locked);
	return likely(locked) ? WRITTEN_LOCKED : WRITTEN;
}

/* Locked, unmapped, dirty, in nobody else's hands. Return: not WRITTEN_LOCKED for files. */
static force_inline enum written write_out(struct scan_control *sc, struct folio *folio, struct address_space *mapping)
{
	long nr = (long)folio_nr_pages(folio);

	trace_event(mm_vmscan_write_folio, page_to_pfn(&folio->page), folio_is_file_lru(folio) ? 0xa : 9);
	if (mapping && PageSwapBacked(&folio->page)) {
		/* shmem: the file has the slot instead. */
		if (!(sc->gfp & __GFP_IO) || !sc->scan.may_swap || shmem_writeout(folio))
			return WRITE_FAILED;
		count_folio(folio, NR_VMSCAN_WRITE, nr);
		return WRITTEN;
	}
	if (!mapping)
		return write_to_swap(sc, folio, nr);
	if (!mapping->a_ops->write_folio || (sc->gfp & (__GFP_IO | __GFP_FS)) != (__GFP_IO | __GFP_FS))
		return WRITE_LATER;
	if (!folio_clear_dirty_for_io(folio)) {
		folio_unlock(folio);
		return WRITE_UNLOCKED;
	}
	SetPageReclaim(&folio->page);
	count_folio(folio, NR_VMSCAN_WRITE, nr);
	/* Unlocked the folio does not keep the file any more. */
	mapping_visit(mapping);
	(void)write_cleaned_folio(mapping, folio, write_by_mapping, mapping);
	mapping_leave(mapping);
	return WRITTEN;
}

/* Whether dirty pages of files are to be written here and now. */
static bool writes_files(const struct scan_control *sc)
{
	const struct reclaim_node *node = reclaim_node(sc->scan.node->node_id);

	if (sc->scan.kswapd)
		return node_state(node, NODE_DIRTY) || sc->write_files;
	return !node_has_kswapd(node) || sc->write_files;
}

/* Clean, unmapped and locked. Out of its file or slot. Return: false: somebody has it in hand. */
static force_inline bool let_go(struct folio *folio, struct address_space *mapping)
{
	int refs;

	if (mapping) {
		if (!folio_unused(folio) || PageSwapBacked(&folio->page))
			return false;
		filemap_evict_folio(mapping, folio);
		return true;
	}
	/* First of all, as whoever let go of it had made it dirty before. The cache has one, and who isolated it. */
	refs = load_acquire(&folio->page._refcount);
	if (PageWriteback(&folio->page) || PageDirty(&folio->page) || folio_mapped(folio))
		return false;
	if (folio_in_swap_cache(folio)) {
		if (refs != 2)
			return false;
		evict_from_swap_cache(folio, workingset_eviction(folio));
		return true;
	}
	/* Given up by its owner (MADV_FREE), or left behind by one that went. */
	return refs == 1;
}

/* Nobody wants what it holds. Unlocks. */
static enum lru_verdict forget(struct folio *folio)
{
	if (PageDirty(&folio->page))
		ClearPageDirty(&folio->page);
	folio_unlock(folio);
	return LRU_FREED;
}

/*
 * It is dirty, or of a shmem file, whose pages have nowhere else to be had from, clean or not. Return: WRITTEN: it is
 * clean now, and locked again.
 */
static force_inline enum written make_clean(struct scan_control *sc, struct folio *folio,
					    struct address_space *mapping, enum use use)
{
	unsigned long nr = folio_nr_pages(folio);
	enum written how;

	/* Truncated, and written to since by one who has a reference: nobody will ever read it from anywhere. */
	if (unlikely(!mapping && !folio_in_swap_cache(folio)))
		return WRITE_LATER;
	if (folio_is_file_lru(folio)) {
		sc->stat.dirty += nr;
		if (!writes_files(sc)) {
			sc->stat.unqueued_dirty += nr;
			count_folio(folio, NR_VMSCAN_IMMEDIATE, (long)nr);
			SetPageReclaim(&folio->page);
			return WRITE_FAILED;
		}
	}
	if (use == USE_CLEAN_ONLY || !sc->scan.may_write ||
	    (!page_is_anon(&folio->page) && page_ref_count(&folio->page) != 2))
		return WRITE_LATER;
	how = write_out(sc, folio, mapping);
	if (how > WRITTEN_LOCKED)
		return how;
	sc->stat.pageout += nr;
	/* Should it have failed, or somebody have written to it, it is dirty: let_go() finds that. */
	if (likely(how == WRITTEN_LOCKED))
		return WRITTEN;
	if (PageWriteback(&folio->page) || PageDirty(&folio->page) || !folio_trylock(folio))
		return WRITE_UNLOCKED;
	if (PageWriteback(&folio->page) || PageDirty(&folio->page) || folio_mapped(folio))
		return WRITE_LATER;
	return WRITTEN;
}

/* It stays. Unlocks. */
static enum lru_verdict keep(struct folio *folio)
{
	give_slot_back(folio);
	folio_unlock(folio);
	return LRU_KEEP;
}

static enum lru_verdict keep_active(struct scan_control *sc, struct folio *folio)
{
	(void)keep(folio);
	activate(sc, folio);
	return LRU_ACTIVATE;
}

/* It is unmapped, and all CPUs know; @lazyfree: it was when that began. Unlocks. */
static force_inline enum lru_verdict reclaim_unmapped(struct scan_control *sc, struct folio *folio, enum use use,
						      bool lazyfree)
{
	struct address_space *mapping = page_is_anon(&folio->page) ? NULL : folio_mapping(folio);
	bool shmem = mapping && PageSwapBacked(&folio->page);

	if (folio_maybe_dma_pinned(folio))
		return keep_active(sc, folio);
	/* Written to again since MADV_FREE. */
	if (lazyfree && PageSwapBacked(&folio->page))
		return keep_active(sc, folio);
	/* Not to be had again: others than shmem may have no store at all. */
	if (mapping && !shmem && !mapping->a_ops->read_folio)
		return keep_active(sc, folio);
	if ((PageDirty(&folio->page) && !lazyfree) || shmem) {
		switch (make_clean(sc, folio, mapping, use)) {
		case WRITE_FAILED:
			return keep_active(sc, folio);
		case WRITE_LATER:
			return keep(folio);
		case WRITE_UNLOCKED:
			return LRU_KEEP;
		case WRITTEN:
		case WRITTEN_LOCKED:
			break;
		}
		/* A shmem file's has become the slot's, a file's may have been truncated. */
		mapping = page_is_anon(&folio->page) ? NULL : folio_mapping(folio);
	}
	if (!let_go(folio, mapping))
		return keep(folio);
	if (lazyfree) {
		count_vm_events(PGLAZYFREED, folio_nr_pages(folio));
		return forget(folio);
	}
	folio_unlock(folio);
	return LRU_FREED;
}

static enum lru_verdict unmap_failed(struct scan_control *sc, struct folio *folio)
{
	sc->stat.unmap_fail += folio_nr_pages(folio);
	return keep_active(sc, folio);
}

/*
 * Those of a list that other CPUs may still use: bit n of @folios: the nth, which is locked; @mapped: by others still,
 * so that it stays; @lazyfree: as in reclaim_unmapped().
 */
struct late {
	struct tlb_batch batch;
	u32 folios, mapped, lazyfree;
	u8 use[SWAP_CLUSTER_MAX];
};
octavo_static_assert(SWAP_CLUSTER_MAX == 32, "a bit for each folio of a list");

/* It is the @nth, locked, not under writeback, and its use does not keep it. Unlocks, unless it is late. */
static enum lru_verdict reclaim_locked(struct scan_control *sc, struct folio *folio, enum use use, struct late *late,
				       unsigned int nth)
{
	bool anon = page_is_anon(&folio->page), lazyfree = anon && !PageSwapBacked(&folio->page);
	unsigned int untold = late->batch.nr;
	bool mapped;

	/* Its last user is gone, or about to be. */
	if (page_ref_count(&folio->page) == 1 && (anon || !folio_mapping(folio)))
		return forget(folio);
	if (anon && !lazyfree && !give_slot(sc, folio))
		return keep_active(sc, folio);
	mapped = folio_mapped(folio) && !try_to_unmap(folio, 0, &late->batch);
	if (likely(late->batch.nr == untold))
		return unlikely(mapped) ? unmap_failed(sc, folio) : reclaim_unmapped(sc, folio, use, lazyfree);
	late->folios |= 1u << nth;
	late->mapped |= (u32)mapped << nth;
	late->lazyfree |= (u32)lazyfree << nth;
	late->use[nth] = (u8)use;
	return LRU_KEEP;
}

/* Those that could not be done before all CPUs knew. */
static noinline unsigned long reclaim_late(struct scan_control *sc, struct late *late, struct folio **folios,
					   enum lru_verdict *verdicts)
{
	bool told = tlb_batch_flush(&late->batch);
	unsigned long freed = 0;

	for (u32 left = late->folios; left; left &= left - 1) {
		unsigned int i = lowest_bit(left);

		if (unlikely(!told)) {
			folio_get(folios[i]); /* for good: a CPU may go on using it, so nobody else may have it */
			verdicts[i] = keep_active(sc, folios[i]);
			continue;
		}
		if (unlikely(late->mapped >> i & 1)) {
			verdicts[i] = unmap_failed(sc, folios[i]);
			continue;
		}
		verdicts[i] = reclaim_unmapped(sc, folios[i], (enum use)late->use[i], late->lazyfree >> i & 1);
		if (verdicts[i] == LRU_FREED)
			freed += folio_nr_pages(folios[i]);
		cond_resched();
	}
	return freed;
}

/* @late: it may join those. */
static enum lru_verdict shrink_folio(struct scan_control *sc, struct folio *folio, struct late *late, unsigned int nth)
{
	enum use use = USE_NONE;

	if (!folio_trylock(folio))
		return LRU_KEEP;
	if (unlikely(!folio_evictable(folio))) {
		folio_cull(folio);
		goto keep;
	}
	/* Memory that went bad is nowhere to be written, and must not be had again. */
	if ((!sc->scan.may_unmap && folio_mapped(folio)) ||
	    unlikely(block_has_poison(&folio->page, folio_order(folio))))
		goto keep;
	if (unlikely(PageWriteback(&folio->page))) {
		enum lru_verdict verdict = under_writeback(sc, folio);

		folio_unlock(folio);
		return verdict;
	}
	if (!sc->ignore_references)
		use = check_references(folio);
	if (use == USE_ACTIVATE)
		return keep_active(sc, folio);
	if (use != USE_KEEP)
		return reclaim_locked(sc, folio, use, late, nth);
	sc->stat.ref_keep += folio_nr_pages(folio);
keep:
	folio_unlock(folio);
	return LRU_KEEP;
}

unsigned long shrink_folio_list(struct scan_control *sc, struct folio **folios, enum lru_verdict *verdicts,
				unsigned int nr)
{
	unsigned long freed = 0;
	struct late late;

	late.batch = (struct tlb_batch){ 0 };
	late.folios = late.mapped = late.lazyfree = 0;
	for (unsigned int i = 0; i < nr; i++) {
		unsigned long pages = folio_nr_pages(folios[i]);

		verdicts[i] = shrink_folio(sc, folios[i], &late, i);
		if (verdicts[i] == LRU_FREED)
			freed += pages;
		if (i % 8 == 7)
			cond_resched();
	}
	if (unlikely(late.batch.nr))
		freed += reclaim_late(sc, &late, folios, verdicts);
	return freed;
}
