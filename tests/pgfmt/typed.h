/* SPDX-License-Identifier: MIT */
/* Rows of Linux's typed helpers. Part of pgfmt_test.c. */
#ifndef TESTS_PGFMT_TYPED_H
#define TESTS_PGFMT_TYPED_H

ROW(pte)
{
	pte_t pte = pfn_pte(0x123, PAGE_SHARED), other;

	EXPECT(pte_present(pte) && !pte_none(pte) && pte_accessible(pte) && pte_write(pte) && pte_young(pte));
	EXPECT(!pte_dirty(pte) && !pte_special(pte) && pte_user(pte));
	EXPECT_EQ(pte_pfn(pte), 0x123);
	EXPECT(pte_same(pte, pfn_pte(0x123, PAGE_SHARED)) && !pte_same(pte, pfn_pte(0x124, PAGE_SHARED)));
	EXPECT(!pte_same(pte, pte_mkdirty(pte)) && pte_dirty(pte_mkdirty(pte)));
	EXPECT(!pte_dirty(pte_mkclean(pte_mkdirty(pte))) && !pte_young(pte_mkold(pte)) && pte_young(pte_mkyoung(pte)));
	EXPECT(!pte_write(pte_wrprotect(pte)) && pte_write(pte_mkwrite_novma(pte_wrprotect(pte))));
	EXPECT(pte_write(pte_mkwrite(pte_wrprotect(pte), NULL)) && pte_special(pte_mkspecial(pte)));
	/* Dirty survives the loss of the right to write, whoever set it. */
	EXPECT(pte_dirty(pte_wrprotect(pte_mkdirty(pte))));
	EXPECT(pte_dirty(pte_mkwrite_novma(pte_wrprotect(pte_mkdirty(pte)))));
	other = pte_modify(pfn_pte(0x123, pgprot_writecombine(PAGE_SHARED)), PAGE_READONLY);
	EXPECT_EQ(pgprot_cache_mode(pte_pgprot(other)), PAGE_CACHE_WC);
	EXPECT(!pte_write(other) && pte_young(other));
	EXPECT(pte_protnone(pte_modify(pte, PAGE_NONE)) && !pte_accessible(pte_modify(pte, PAGE_NONE)));
	EXPECT_EQ(pte_pfn(pte_modify(pte, PAGE_NONE)), 0x123);
	EXPECT(pte_same(pte_modify(pte_modify(pte, PAGE_NONE), PAGE_SHARED), pte));
}

ROW(mk_pte)
{
	struct page *page = pfn_to_page(3);
	pte_t pte = mk_pte(page, PAGE_KERNEL);

	EXPECT(pte_page(pte) == page);
	EXPECT_EQ(pte_pfn(pte), 3);
	EXPECT(pte_write(pte) && pte_dirty(pte) && !pte_user(pte));
}

ROW(pmd_huge)
{
	unsigned long pfn = (unsigned long)(PGT_SIZE(1) >> PAGE_SHIFT) * 3;
	pmd_t pmd = pmd_mkhuge(pfn_pmd(pfn, PAGE_SHARED)), off;

	EXPECT(pmd_present(pmd) && pmd_leaf(pmd) && pmd_trans_huge(pmd) && pmd_bad(pmd) && !pmd_none(pmd));
	EXPECT_EQ(pmd_pfn(pmd), pfn);
	EXPECT(pmd_write(pmd) && !pmd_write(pmd_wrprotect(pmd)) && pmd_dirty(pmd_mkdirty(pmd)) &&
	       pmd_young(pmd_mkyoung(pmd)));
	EXPECT_EQ(pmd_trans_huge(pmd_mkdevmap(pmd)), !can()->devmap);
	off = pmd_mkinvalid(pmd);
	EXPECT(pmd_present(off) && pmd_leaf(off) && pmd_trans_huge(off) && !pmd_protnone(off) &&
	       !pgt_valid(pmd_val(off)));
	EXPECT_EQ(pmd_pfn(off), pfn);
	EXPECT(pmd_protnone(pmd_modify(pmd, PAGE_NONE)) && pmd_leaf(pmd_modify(pmd, PAGE_NONE)));
	EXPECT(pmd_same(pmd_modify(pmd_modify(pmd, PAGE_NONE), PAGE_SHARED), pmd));
}

ROW(pud_huge)
{
	unsigned long pfn = (unsigned long)(PGT_SIZE(2) >> PAGE_SHIFT) * 3;
	pud_t pud;

	if (!(PGT_LEAF_LEVELS & 4)) {
		EXPECT(!pud_leaf(__pud(pgt_make_leaf(1, 0, PAGE_KERNEL))));
		return;
	}
	pud = pud_mkhuge(pfn_pud(pfn, PAGE_SHARED));
	EXPECT(pud_present(pud) && pud_leaf(pud) && pud_trans_huge(pud) && pud_bad(pud) && pud_write(pud));
	EXPECT_EQ(pud_pfn(pud), pfn);
	EXPECT(!pud_trans_huge(pud_mkdevmap(pud)) && !pud_leaf(__pud(pgt_make_table(2, 0x1000, true))));
}

/* Types above the root say nothing of their own, and change nothing. */
#define CHECK_FOLDED(name, level)                                                                  \
	do {                                                                                       \
		name##_t entry = __##name(0), full = __##name(pgt_make_leaf(1, 0, PAGE_KERNEL));   \
		if (PGT_FOLDED(level)) {                                                           \
			EXPECT(!name##_none(entry) && name##_present(entry) && !name##_bad(full)); \
			EXPECT(!name##_leaf(full) && !name##_none_or_clear_bad(&full));            \
			name##_clear(&full);                                                       \
			EXPECT(name##_val(full));                                                  \
		} else {                                                                           \
			EXPECT(name##_none(entry) && !name##_present(entry) && name##_bad(full));  \
			EXPECT(name##_none_or_clear_bad(&entry));                                  \
			name##_clear(&full);                                                       \
			EXPECT(!name##_val(full));                                                 \
		}                                                                                  \
	} while (0)

ROW(folded)
{
	test_capture_begin();
	CHECK_FOLDED(pmd, PMD_LEVEL);
	CHECK_FOLDED(pud, PUD_LEVEL);
	CHECK_FOLDED(p4d, P4D_LEVEL);
	CHECK_FOLDED(pgd, PGD_LEVEL);
	EXPECT_STREQ(test_capture_end(), "");
	EXPECT_EQ(PTRS_PER_PGD, 1u << PGT_ROOT_BITS);
	EXPECT_EQ((u64)PTRS_PER_PGD * PTRS_PER_P4D * PTRS_PER_PUD * PTRS_PER_PMD * PTRS_PER_PTE,
		  (u64)1 << (PGT_VIRT_BITS - PAGE_SHIFT));
	EXPECT_EQ(PGDIR_SHIFT, PGT_SHIFT(PGT_LEVELS - 1));
	EXPECT_EQ(PMD_SHIFT, PGT_SHIFT(1));
}

ROW(clear_bad)
{
	pmd_t pmd = __pmd(pgt_make_leaf(1, 0, PAGE_KERNEL)), table = __pmd(pgt_make_table(1, 0x1000, true));
	pmd_t was = table;
	const char *text;

	test_capture_begin();
	EXPECT(pmd_none_or_clear_bad(&pmd) && pmd_none(pmd));
	EXPECT(!pmd_none_or_clear_bad(&table) && pmd_same(table, was));
	text = test_capture_end();
	EXPECT(strstr(text, "bad pmd "));
}

/* Build a way to one page, and find it again. */
ROW(walk)
{
	struct mm_struct mm = { .pgd = tables[PGT_ROOT_LEVEL] };
	uintptr_t addr = (uintptr_t)(((u64)0x123456789abcd000ull & (((u64)1 << (PGT_VIRT_BITS - 1)) - 1)));
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;
	spinlock_t *lock;

	memset(tables, 0, sizeof(tables));
	pgd = pgd_offset(&mm, addr);
	EXPECT(&pgd->pgd == &tables[PGT_ROOT_LEVEL][pgt_index(PGT_ROOT_LEVEL, addr)]);
	EXPECT_EQ(pgd_none(*pgd), PGT_LEVELS == 5);
	pgd_populate(&mm, pgd, (p4d_t *)tables[PGT_LEVELS > 4 ? 3 : 0]);
	p4d = p4d_offset(pgd, addr);
	EXPECT_EQ((void *)p4d == (void *)pgd, PGT_LEVELS < 5);
	EXPECT_EQ(p4d_none(*p4d), PGT_LEVELS >= 4);
	p4d_populate(&mm, p4d, (pud_t *)tables[PGT_LEVELS > 3 ? 2 : 0]);
	pud = pud_offset(p4d, addr);
	EXPECT_EQ((void *)pud == (void *)p4d, PGT_LEVELS < 4);
	EXPECT_EQ(pud_none(*pud), PGT_LEVELS >= 3);
	pud_populate(&mm, pud, (pmd_t *)tables[PGT_LEVELS > 2 ? 1 : 0]);
	pmd = pmd_offset(pud, addr);
	EXPECT_EQ((void *)pmd == (void *)pud, PGT_LEVELS < 3);
	EXPECT(pmd_none(*pmd) && &pmd->pmd == &tables[1][pgt_index(1, addr)]);
	pmd_populate_kernel(&mm, pmd, (pte_t *)tables[0]);
	EXPECT(pmd_present(*pmd) && !pmd_bad(*pmd) && !pmd_leaf(*pmd));
	EXPECT_EQ(pmd_phys(*pmd), TABLES_PHYS);
	EXPECT_EQ(pmd_page_vaddr(*pmd), (uintptr_t)tables[0]);
	pte = pte_offset_kernel(pmd, addr);
	EXPECT(&pte->pte == &tables[0][pgt_index(0, addr)]);
	spin_lock_init(&mm.page_table_lock, 0);
	EXPECT(pte_offset_map_lock(&mm, pmd, addr, &lock) == pte && spin_is_locked(lock));
	pte_unmap_unlock(pte, lock);
	EXPECT(!spin_is_locked(lock));
	EXPECT(pte_alloc_map(&mm, pmd, addr) == pte && pmd_alloc(&mm, pud, addr) == pmd);
	EXPECT(pud_alloc(&mm, p4d, addr) == pud && p4d_alloc(&mm, pgd, addr) == p4d);
	pmd_populate(&mm, pmd, pfn_to_page(2));
	EXPECT(pmd_page(*pmd) == pfn_to_page(2));
	pmd_clear(pmd);
	EXPECT(pmd_none(*pmd));
}

ROW(entries)
{
	pte_t *pte = (pte_t *)tables[0], got;
	pte_t value = pfn_pte(0x77, PAGE_SHARED);

	set_pte_at(NULL, 0, pte, value);
	EXPECT(pte_same(ptep_get(pte), value) && pte_same(ptep_get_lockless(pte), value));
	EXPECT(ptep_test_and_clear_young(NULL, 0, pte) && !pte_young(ptep_get(pte)));
	EXPECT(!ptep_test_and_clear_young(NULL, 0, pte));
	/* The processor sets dirty while the right to write goes: neither may be lost. */
	meanwhile = true;
	ptep_set_wrprotect(NULL, 0, pte);
	EXPECT(!pte_write(ptep_get(pte)) && pte_dirty(ptep_get(pte)));
	EXPECT(!meanwhile);
	got = ptep_get_and_clear(NULL, 0, pte);
	EXPECT(pte_dirty(got) && pte_none(ptep_get(pte)));
	EXPECT_EQ(pte_pfn(got), 0x77);
	set_pte(pte, value);
	pte_clear(NULL, 0, pte);
	EXPECT(pte_none(ptep_get(pte)));
}

ROW(access_flags)
{
	pte_t *pte = (pte_t *)tables[0];
	pte_t value = pte_mkold(pfn_pte(0x77, PAGE_READONLY));

	set_pte(pte, value);
	EXPECT(!ptep_set_access_flags(NULL, 0, pte, value, false));
	EXPECT(ptep_set_access_flags(NULL, 0, pte, pte_mkyoung(value), false) && pte_young(ptep_get(pte)));
	EXPECT(!pte_write(ptep_get(pte)));
	/* Rights only grow: what the processor said meanwhile stays, and less than there is takes nothing away. */
	EXPECT(ptep_set_access_flags(NULL, 0, pte, pte_mkdirty(pte_mkwrite_novma(value)), true));
	EXPECT(pte_write(ptep_get(pte)) && pte_dirty(ptep_get(pte)) && pte_young(ptep_get(pte)));
	EXPECT(!ptep_set_access_flags(NULL, 0, pte, value, true) && pte_write(ptep_get(pte)));
	EXPECT_EQ(pte_pfn(ptep_get(pte)), 0x77);
}

ROW(huge_entries)
{
	pmd_t *pmd = (pmd_t *)tables[1];
	pmd_t value = pfn_pmd((unsigned long)(PGT_SIZE(1) >> PAGE_SHIFT), PAGE_SHARED);

	set_pmd_at(NULL, 0, pmd, value);
	EXPECT(pmd_same(pmdp_get(pmd), value));
	EXPECT(pmdp_set_access_flags(NULL, 0, pmd, pmd_mkdirty(value), true) && pmd_dirty(pmdp_get(pmd)));
	pmdp_set_wrprotect(NULL, 0, pmd);
	EXPECT(!pmd_write(pmdp_get(pmd)) && pmd_dirty(pmdp_get(pmd)) && pmd_leaf(pmdp_get(pmd)));
	EXPECT(pmdp_test_and_clear_young(NULL, 0, pmd) && !pmdp_test_and_clear_young(NULL, 0, pmd));
	EXPECT_EQ(pmd_pfn(pmdp_huge_get_and_clear(NULL, 0, pmd)), pmd_pfn(value));
	EXPECT(pmd_none(pmdp_get(pmd)));
}

ROW(addr_end)
{
	uintptr_t size = PGDIR_SIZE;

	EXPECT_EQ(pte_addr_end(0x1000, 0x5000), 0x2000);
	EXPECT_EQ(pte_addr_end(0x1800, 0x1900), 0x1900);
	EXPECT_EQ(pmd_addr_end(0x1000, 0x2000), 0x2000);
	if (PGT_VIRT_BITS > sizeof(uintptr_t) * 8)
		return;
	EXPECT_EQ(pgd_addr_end(0x1000, size * 3), size);
	EXPECT_EQ(pgd_addr_end(size * 2, size * 3), size * 3);
	EXPECT_EQ(pgd_addr_end(size, size + 5), size + 5);
	/* 0 is the end of the address space. */
	EXPECT_EQ(pgd_addr_end((uintptr_t)0 - size, (uintptr_t)0), 0);
	EXPECT_EQ(pgd_addr_end((uintptr_t)0 - size * 2, (uintptr_t)0), (uintptr_t)0 - size);
	EXPECT_EQ(p4d_addr_end(0, size), PGT_LEVELS == 5 ? P4D_SIZE : size);
	EXPECT_EQ(pud_addr_end(0, size), PGT_LEVELS > 3 ? PUD_SIZE : size);
	EXPECT_EQ(pmd_addr_end(0, size), PGT_LEVELS > 2 ? PMD_SIZE : size);
}

#endif
