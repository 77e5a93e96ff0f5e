// SPDX-License-Identifier: MIT
/* What drivers map: frames and pages of their own, at once and by faults; what comes of accesses to them. */
#include <octavo/highmem.h>
#include <octavo/pagemap.h>
#include <octavo/uaccess.h>
#include <octavo/vmalloc.h>

#include "mm/pgtable/pgtable.h"
#include "mm/phys/vmstat.h"
#include "mm/vm/fault.h"
#include "mm/vm/userfaultfd.h"
#include "tasks.h"
#include "uffd.h"

#define SEGV 11
#define BUS 7
#define RW (PROT_READ | PROT_WRITE)
#define PAGES 4u

enum { REMAP, IOMAP, INSERT, MAP_ALL, VMALLOC, BY_FAULT, BY_FAULT_MIXED, BY_FAULT_INSERT, NOTHING_THERE };

static struct test_process p;
static struct driver {
	struct inode inode;
	struct file *file;
	unsigned int how;
	struct page *pages[PAGES];
	char *area;
	unsigned int faults, mkwrites;
	bool refuse_writes;
} drv __memsys;

static const struct address_space_operations no_operations = { 0 };

static vm_fault_t fault_frame(struct vm_fault *vmf)
{
	drv.faults++;
	if (drv.how == NOTHING_THERE || vmf->pgoff >= PAGES)
		return VM_FAULT_SIGBUS;
	/* A fault without end fails the test. */
	if (drv.faults > 100)
		return VM_FAULT_SIGBUS;
	if (drv.how == BY_FAULT_INSERT) {
		int err = vm_insert_page(vmf->vma, vmf->address, drv.pages[vmf->pgoff]);

		return !err || err == -EBUSY ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
	}
	if (drv.how == BY_FAULT_MIXED)
		return vmf_insert_mixed(vmf->vma, vmf->address, page_to_pfn(drv.pages[vmf->pgoff]), false);
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(drv.pages[vmf->pgoff]));
}

static vm_fault_t frame_mkwrite(struct vm_fault *vmf)
{
	(void)vmf;
	drv.mkwrites++;
	return drv.refuse_writes ? VM_FAULT_SIGBUS : 0;
}

static const struct vm_operations_struct fault_ops = { .fault = fault_frame, .pfn_mkwrite = frame_mkwrite };

static int driver_mmap(struct file *file, struct vm_area_struct *vma)
{
	(void)file;
	switch (drv.how) {
	case REMAP:
		return remap_pfn_range(vma, vma->vm_start, page_to_pfn(drv.pages[0]) + vma->vm_pgoff,
				       vma->vm_end - vma->vm_start, vma->vm_page_prot);
	case IOMAP:
		return vm_iomap_memory(vma, PFN_PHYS(page_to_pfn(drv.pages[0])), PAGES * PAGE_SIZE);
	case INSERT:
		return vm_insert_page(vma, vma->vm_start, drv.pages[0]);
	case MAP_ALL:
		return vm_map_pages(vma, drv.pages, PAGES);
	case VMALLOC:
		return remap_vmalloc_range(vma, drv.area, vma->vm_pgoff);
	default:
		vm_flags_set(vma, drv.how == BY_FAULT_MIXED || drv.how == BY_FAULT_INSERT ? VM_MIXEDMAP : VM_PFNMAP);
		vma->vm_ops = &fault_ops;
		return 0;
	}
}

static const struct file_operations driver_fops = { .mmap = driver_mmap };

static bool begin(unsigned int how)
{
	struct page *block;

	memset(&drv, 0, sizeof(drv));
	drv.how = how;
	block = alloc_pages(GFP_KERNEL | __GFP_ZERO, 2);
	if (!block)
		return false;
	split_page(block, 2);
	for (unsigned int i = 0; i < PAGES; i++)
		drv.pages[i] = block + i;
	drv.inode.i_refs = 1;
	drv.inode.i_fop = &driver_fops;
	if (inode_init_mapping(&drv.inode, &no_operations, GFP_KERNEL))
		return false;
	ihold(&drv.inode);
	drv.file = alloc_file(&drv.inode, FMODE_READ | FMODE_WRITE, 0, &driver_fops);
	return drv.file && test_process_start(&p);
}

static void end(void)
{
	expect_verified();
	test_process_exit(&p);
	fput(drv.file);
	inode_evict_mapping(&drv.inode);
	for (unsigned int i = 0; i < PAGES; i++) {
		EXPECT_EQ(page_count(drv.pages[i]), 1);
		EXPECT_EQ(page_mapcount(drv.pages[i]), 0);
		put_page(drv.pages[i]);
	}
	expect_verified();
}

static u8 byte_of(unsigned int page, size_t offset)
{
	u8 byte;

	memcpy_from_page((char *)&byte, drv.pages[page], offset, 1);
	return byte;
}

/* Both sides see each other's bytes, and the page is not counted as the process's but where it is inserted. */
static void frames_are_shown(unsigned int how, unsigned long pages, long counted)
{
	uintptr_t at;

	ASSERT(begin(how));
	at = test_map_file(0, pages * PAGE_SIZE, RW, MAP_SHARED, drv.file, 0);
	ASSERT(at);
	EXPECT_EQ(test_user_write(at + 3, "k", 1), 1);
	EXPECT_EQ(byte_of(0, 3), 'k');
	memset_page(drv.pages[pages - 1], 9, 'z', 1);
	EXPECT(test_user_all(at + (pages - 1) * PAGE_SIZE + 9, 1, 'z'));
	EXPECT_EQ(p.task.mm->rss[MM_FILEPAGES], counted);
	EXPECT_EQ(page_mapcount(drv.pages[0]), counted ? 1 : 0);
	expect_verified();
	EXPECT_EQ(ksys_munmap(at, pages * PAGE_SIZE), 0);
	EXPECT_EQ(p.task.mm->rss[MM_FILEPAGES], 0);
	end();
}

TEST(pfn_maps, remap_pfn_range)
{
	frames_are_shown(REMAP, PAGES, 0);
}

TEST(pfn_maps, vm_iomap_memory)
{
	frames_are_shown(IOMAP, PAGES, 0);
}

TEST(pfn_maps, vm_insert_page)
{
	frames_are_shown(INSERT, 1, 1);
}

TEST(pfn_maps, vm_map_pages)
{
	frames_are_shown(MAP_ALL, PAGES, PAGES);
}

TEST(pfn_maps, vmf_insert_pfn)
{
	frames_are_shown(BY_FAULT, PAGES, 0);
}

TEST(pfn_maps, vmf_insert_mixed)
{
	frames_are_shown(BY_FAULT_MIXED, PAGES, 0);
}

TEST(pfn_maps, ranges_that_are_not_there_are_refused)
{
	long at;

	ASSERT(begin(IOMAP));
	at = ksys_mmap(0, (PAGES + 1) * PAGE_SIZE, RW, MAP_SHARED, drv.file, 0);
	EXPECT_EQ(at, -EINVAL);
	EXPECT_EQ(ksys_mmap(0, PAGE_SIZE, RW, MAP_SHARED, drv.file, PAGES * PAGE_SIZE), -EINVAL);
	drv.how = MAP_ALL;
	EXPECT_EQ(ksys_mmap(0, (PAGES + 1) * PAGE_SIZE, RW, MAP_SHARED, drv.file, 0), -ENXIO);
	drv.how = VMALLOC;
	drv.area = vmalloc(PAGE_SIZE);
	EXPECT(drv.area);
	EXPECT_EQ(ksys_mmap(0, PAGE_SIZE, RW, MAP_SHARED, drv.file, 0), -EINVAL);
	vfree(drv.area);
	EXPECT_EQ(p.task.mm->map_count, 0);
	end();
}

TEST(pfn_maps, remap_vmalloc_range)
{
	uintptr_t at;

	ASSERT(begin(VMALLOC));
	drv.area = vmalloc_user(3 * PAGE_SIZE);
	if (!drv.area) {
		end();
		SKIP("no vmalloc area on this machine");
	}
	EXPECT_EQ(ksys_mmap(0, 4 * PAGE_SIZE, RW, MAP_SHARED, drv.file, 0), -EINVAL);
	at = test_map_file(0, 2 * PAGE_SIZE, RW, MAP_SHARED, drv.file, PAGE_SIZE);
	ASSERT(at);
	EXPECT_EQ(test_user_write(at + PAGE_SIZE, "v", 1), 1);
	EXPECT_EQ(drv.area[2 * PAGE_SIZE], 'v');
	EXPECT_EQ(p.task.mm->rss[MM_FILEPAGES], 2);
	EXPECT_EQ(ksys_munmap(at, 2 * PAGE_SIZE), 0);
	vfree(drv.area);
	end();
}

TEST(pfn_maps, nothing_there_is_a_bus_error)
{
	uintptr_t at;

	ASSERT(begin(NOTHING_THERE));
	at = test_map_file(0, PAGE_SIZE, RW, MAP_SHARED, drv.file, 0);
	ASSERT(at);
	EXPECT_REFUSED(at + 7, false, BUS, BUS_ADRERR);
	EXPECT_REFUSED(at + 7, true, BUS, BUS_ADRERR);
	EXPECT(drv.faults >= 2);
	end();
}

/* A private mapping of frames copies what is written to; the copy is a page like others. */
TEST(pfn_maps, a_private_copy_of_a_frame)
{
	uintptr_t at;

	ASSERT(begin(REMAP));
	memset_page(drv.pages[1], 0, 'f', PAGE_SIZE);
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_PRIVATE, drv.file, 0);
	ASSERT(at);
	EXPECT(test_user_all(at + PAGE_SIZE, PAGE_SIZE, 'f'));
	EXPECT_EQ(test_user_write(at + PAGE_SIZE, "c", 1), 1);
	EXPECT(test_user_all(at + PAGE_SIZE, 1, 'c') && test_user_all(at + PAGE_SIZE + 1, PAGE_SIZE - 1, 'f'));
	EXPECT_EQ(byte_of(1, 0), 'f');
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 1);
	expect_verified();
	EXPECT_EQ(ksys_munmap(at, PAGES * PAGE_SIZE), 0);
	EXPECT_EQ(p.task.mm->rss[MM_ANONPAGES], 0);
	end();
}

/* No pages to get references to; zap_vma_ptes() takes the frames back, and the next access asks again. */
TEST(pfn_maps, frames_are_no_pages_for_others)
{
	struct page *page;
	uintptr_t at;
	char byte;

	ASSERT(begin(BY_FAULT));
	at = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ, MAP_SHARED, drv.file, 0);
	ASSERT(at);
	EXPECT_EQ(test_user_read(at, &byte, 1), 1);
	EXPECT_EQ(get_user_pages_fast(at, 1, 0, &page), -EFAULT);
	EXPECT_EQ(drv.faults, 1);
	EXPECT_EQ(test_user_read(at, &byte, 1), 1);
	EXPECT_EQ(drv.faults, 1);
	mmap_read_lock(p.task.mm);
	zap_vma_ptes(vma_lookup(p.task.mm, at), at, PAGE_SIZE);
	mmap_read_unlock(p.task.mm);
	EXPECT_EQ(test_user_read(at, &byte, 1), 1);
	EXPECT_EQ(drv.faults, 2);
	EXPECT_REFUSED(at, true, SEGV, SEGV_ACCERR);
	end();
}

/* Writes to frames are noted by userfaultfd: what is protected before it is mapped comes protected. */
static void writes_are_noted(unsigned int how)
{
	struct userfaultfd_ctx *ctx;
	uintptr_t at;
	u8 byte;

	ASSERT(begin(how));
	uffd_args = 0;
	ctx = uffd_open(UFFD_FEATURE_WP_ASYNC);
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, drv.file, 0);
	ASSERT(ctx && at);
	ASSERT(!uffd_register(ctx, at, PAGES * PAGE_SIZE, UFFDIO_REGISTER_MODE_WP, NULL));
	ASSERT(!uffd_protect(ctx, at, PAGES * PAGE_SIZE, 1));
	memset_page(drv.pages[1], 0, 'f', PAGE_SIZE);
	/* A read leaves it protected, a write is let through. */
	EXPECT_EQ(test_user_read(at + PAGE_SIZE, &byte, 1), 1);
	EXPECT_EQ(byte, 'f');
	EXPECT_EQ(drv.faults, 1);
	EXPECT(entry_uffd_wp(test_user_entry(at + PAGE_SIZE)));
	expect_verified();
	EXPECT_EQ(test_user_write(at + PAGE_SIZE, "w", 1), 1);
	EXPECT_EQ(byte_of(1, 0), 'w');
	EXPECT(!entry_uffd_wp(test_user_entry(at + PAGE_SIZE)));
	EXPECT_EQ(test_user_write(at + 2 * PAGE_SIZE, "v", 1), 1);
	EXPECT_EQ(byte_of(2, 0), 'v');
	EXPECT(!entry_uffd_wp(test_user_entry(at + 2 * PAGE_SIZE)));
	EXPECT(entry_uffd_wp(test_user_entry(at + 3 * PAGE_SIZE)));
	userfaultfd_release(ctx);
	EXPECT_EQ(test_user_write(at + 3 * PAGE_SIZE, "u", 1), 1);
	EXPECT_EQ(byte_of(3, 0), 'u');
	end();
}

TEST(pfn_maps, writes_to_frames_are_noted)
{
	static const unsigned int how[] = { BY_FAULT, BY_FAULT_MIXED, BY_FAULT_INSERT };

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for it");
	for (unsigned int i = 0; i < ARRAY_SIZE(how); i++)
		writes_are_noted(how[i]);
}
