// SPDX-License-Identifier: MIT
/*
 * A virtio block device: one, over PCI, one request at a time, whose end is polled for. Source: Virtual I/O Device
 * (VIRTIO) version 1.2, sections 2.7 (split queues), 4.1 (PCI), 5.2 (block devices); PCI Local Bus 3.0 for the
 * configuration space.
 */
#include "virtio_blk.h"

#include <octavo/io.h>
#include <octavo/port.h>
#include <octavo/vmalloc.h>

#include "isa.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY_MASTER 0x06u
#define PCI_BAR0 0x10
#define PCI_CAPABILITIES 0x34
#define PCI_CAP_VENDOR 0x09
#define VIRTIO_VENDOR 0x1af4u
#define VIRTIO_BLK_TRANSITIONAL 0x1001u
#define VIRTIO_BLK_MODERN 0x1042u

/* Kinds of structures that a vendor's capability points at: 4.1.4 */
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_KINDS };

/* Offsets in the common structure: 4.1.4.3 */
enum {
	COMMON_DEVICE_FEATURE_SELECT = 0, COMMON_DEVICE_FEATURE = 4, COMMON_DRIVER_FEATURE_SELECT = 8,
	COMMON_DRIVER_FEATURE = 12, COMMON_STATUS = 20, COMMON_QUEUE_SELECT = 22, COMMON_QUEUE_SIZE = 24,
	COMMON_QUEUE_ENABLE = 28, COMMON_QUEUE_NOTIFY_OFF = 30, COMMON_QUEUE_DESC = 32, COMMON_QUEUE_DRIVER = 40,
	COMMON_QUEUE_DEVICE = 48
};
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define FEATURE_VERSION_1_HIGH 1u /* bit 32 */
#define FEATURE_BLK_RO (1u << 5)
#define FEATURE_BLK_FLUSH (1u << 9)

/* 2.7.5 */
struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};
#define DESC_NEXT 1u
#define DESC_WRITE 2u /* by the device */

/* 5.2.6 */
struct blk_header {
	u32 type, reserved;
	u64 sector;
};
enum { BLK_IN = 0, BLK_OUT = 1 };

#define QUEUE 8u	 /* three descriptors are used */
#define RING_AVAIL 1024u /* where the parts lie in the ring's page */
#define RING_USED 2048u
#define RING_HEADER 3072u
#define RING_STATUS 3200u

static struct {
	struct rw_semaphore lock;	       /* one request at a time */
	volatile void __iomem *cfg[CFG_KINDS];
	volatile void __iomem *notify;
	u32 notify_multiplier;
	char *ring;			       /* one page */
	u64 ring_phys;
	u16 used;
	u64 sectors;
	bool present, read_only;
	struct inode inode;		       /* its bytes, cached */
} vblk __memsys;

/* The core's operations, with the kernel's name for the file. */
static struct file_operations vblk_fops __memsys;

/* ---- PCI ---- */

static u32 pci_read(u32 device, u32 at)
{
	outl(PCI_ADDRESS, 1u << 31 | device << 11 | (at & 0xfc));
	return inl(PCI_DATA);
}

static void pci_write(u32 device, u32 at, u32 value)
{
	outl(PCI_ADDRESS, 1u << 31 | device << 11 | (at & 0xfc));
	outl(PCI_DATA, value);
}

static u8 pci_read8(u32 device, u32 at)
{
	return (u8)(pci_read(device, at) >> 8 * (at & 3));
}

/* Function 0 of each device of bus 0: where the emulators put them. Return: -1: none. */
static int pci_find(void)
{
	for (u32 device = 0; device < 32; device++) {
		u32 id = pci_read(device, 0);

		if ((id & 0xffff) == VIRTIO_VENDOR &&
		    (id >> 16 == VIRTIO_BLK_TRANSITIONAL || id >> 16 == VIRTIO_BLK_MODERN))
			return (int)device;
	}
	return -1;
}

static phys_addr_t pci_bar(u32 device, u32 bar)
{
	u32 low = pci_read(device, PCI_BAR0 + 4 * bar);
	phys_addr_t at = low & ~15u;

	if (low & 1)
		return 0; /* I/O ports */
	if ((low & 6) == 4)
		at |= (phys_addr_t)pci_read(device, PCI_BAR0 + 4 * bar + 4) << 32;
	return at;
}

/* Shows the structures that the capabilities point at. Return: false: one is missing. */
static bool map_structures(u32 device)
{
	u32 cap = pci_read8(device, PCI_CAPABILITIES);

	/* A list of at most 48 in 192 bytes, whatever it says. */
	for (u32 hops = 0; cap && hops < 48; cap = pci_read8(device, cap + 1), hops++) {
		u32 kind, bar, offset, len;

		if (pci_read8(device, cap) != PCI_CAP_VENDOR)
			continue;
		kind = pci_read8(device, cap + 3);
		bar = pci_read8(device, cap + 4);
		offset = pci_read(device, cap + 8);
		len = pci_read(device, cap + 12);
		if (kind < CFG_COMMON || kind > CFG_DEVICE || bar > 5 || vblk.cfg[kind] || !pci_bar(device, bar))
			continue;
		vblk.cfg[kind] = ioremap(pci_bar(device, bar) + offset, len);
		if (kind == CFG_NOTIFY)
			vblk.notify_multiplier = pci_read(device, cap + 16);
	}
	return vblk.cfg[CFG_COMMON] && vblk.cfg[CFG_NOTIFY] && vblk.cfg[CFG_DEVICE];
}

/* ---- Start ---- */

static volatile void __iomem *common(u32 at)
{
	return (volatile char __iomem *)vblk.cfg[CFG_COMMON] + at;
}

static void set_address(u32 at, u64 phys)
{
	writel((u32)phys, common(at));
	writel((u32)(phys >> 32), common(at + 4));
}

/* 3.1.1, up to features. Return: the device takes them. */
static bool negotiate(void)
{
	u32 low;

	writeb(0, common(COMMON_STATUS));
	while (readb(common(COMMON_STATUS)))
		port_cpu_relax();
	writeb(STATUS_ACKNOWLEDGE, common(COMMON_STATUS));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER, common(COMMON_STATUS));
	writel(0, common(COMMON_DEVICE_FEATURE_SELECT));
	low = readl(common(COMMON_DEVICE_FEATURE));
	vblk.read_only = low & FEATURE_BLK_RO;
	writel(0, common(COMMON_DRIVER_FEATURE_SELECT));
	writel(low & FEATURE_BLK_RO, common(COMMON_DRIVER_FEATURE));
	writel(1, common(COMMON_DRIVER_FEATURE_SELECT));
	writel(FEATURE_VERSION_1_HIGH, common(COMMON_DRIVER_FEATURE));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK, common(COMMON_STATUS));
	return readb(common(COMMON_STATUS)) & STATUS_FEATURES_OK;
}

static int start_queue(void)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	u16 off;

	if (!page)
		return -ENOMEM;
	vblk.ring = page_address(page);
	vblk.ring_phys = PFN_PHYS(page_to_pfn(page));
	writew(0, common(COMMON_QUEUE_SELECT));
	if (readw(common(COMMON_QUEUE_SIZE)) < QUEUE)
		return -ENODEV;
	writew(QUEUE, common(COMMON_QUEUE_SIZE));
	set_address(COMMON_QUEUE_DESC, vblk.ring_phys);
	set_address(COMMON_QUEUE_DRIVER, vblk.ring_phys + RING_AVAIL);
	set_address(COMMON_QUEUE_DEVICE, vblk.ring_phys + RING_USED);
	off = readw(common(COMMON_QUEUE_NOTIFY_OFF));
	vblk.notify = (volatile char __iomem *)vblk.cfg[CFG_NOTIFY] + off * vblk.notify_multiplier;
	writew(1, common(COMMON_QUEUE_ENABLE));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK, common(COMMON_STATUS));
	return 0;
}

u64 virtio_blk_bytes(void)
{
	return virtio_blk_present() ? vblk.sectors << 9 : 0;
}

bool virtio_blk_present(void)
{
	return vblk.present;
}

int virtio_blk_init(void)
{
	int device = pci_find(), err;

	if (device < 0)
		return -ENODEV;
	pci_write((u32)device, PCI_COMMAND, pci_read((u32)device, PCI_COMMAND) | PCI_COMMAND_MEMORY_MASTER);
	if (!map_structures((u32)device)) {
		printk("vda: the device at PCI 00:%02x has no structures of virtio 1\n", device);
		return -EIO;
	}
	if (!negotiate()) {
		printk("vda: the device does not take our features\n");
		return -EIO;
	}
	err = start_queue();
	if (err) {
		printk("vda: its queue cannot be set up (error %d)\n", -err);
		return err;
	}
	vblk.sectors = readl(vblk.cfg[CFG_DEVICE]);
	vblk.sectors |= (u64)readl((volatile char __iomem *)vblk.cfg[CFG_DEVICE] + 4) << 32;
	vblk.present = true;
	err = bdev_init_inode(&vblk.inode, 0, vblk.sectors);
	if (err)
		return err;
	vblk.inode.i_mode = S_IFBLK | 0660;
	vblk.inode.i_rdev = VIRTIO_BLK_DEV;
	printk("vda: %llu sectors of 512 bytes%s\n", (unsigned long long)vblk.sectors,
	       vblk.read_only ? ", read only" : "");
	return 0;
}

/* ---- Requests ---- */

#define SPINS 1000u	     /* most requests of an emulator are done by then */
#define WAIT_NS 100000ull    /* then others may run */
#define GIVE_UP 100000u	     /* ten seconds of them */

static int wait_used(void)
{
	const u16 *used = (const u16 *)(vblk.ring + RING_USED) + 1;

	for (u32 i = 0; i < SPINS + GIVE_UP; i++) {
		if (kload(used) != vblk.used) {
			vblk.used++;
			return 0;
		}
		if (i < SPINS) {
			port_cpu_relax();
		} else {
			set_state(TASK_UNINTERRUPTIBLE);
			schedule_timeout(WAIT_NS);
		}
	}
	printk("vda: a request is not answered; the device is given up\n");
	vblk.present = false;
	return -EIO;
}

/* @phys: contiguous. With the lock held. */
static int request(u64 sector, u64 phys, u32 bytes, bool write)
{
	struct vring_desc *desc = (struct vring_desc *)vblk.ring;
	struct blk_header *head = (struct blk_header *)(vblk.ring + RING_HEADER);
	u16 *avail = (u16 *)(vblk.ring + RING_AVAIL);
	u8 *status = (u8 *)vblk.ring + RING_STATUS;
	int err;

	*head = (struct blk_header){ write ? BLK_OUT : BLK_IN, 0, sector };
	*status = 0xff;
	desc[0] = (struct vring_desc){ vblk.ring_phys + RING_HEADER, sizeof(*head), DESC_NEXT, 1 };
	desc[1] = (struct vring_desc){ phys, bytes, DESC_NEXT | (write ? 0 : DESC_WRITE), 2 };
	desc[2] = (struct vring_desc){ vblk.ring_phys + RING_STATUS, 1, DESC_WRITE, 0 };
	avail[2 + avail[1] % QUEUE] = 0;
	kstore(&avail[1], (u16)(avail[1] + 1));
	kfence();
	writew(0, vblk.notify);
	err = wait_used();
	return err ? err : kload(status) ? -EIO : 0;
}

static u64 phys_of(const char *at)
{
	unsigned long pfn = is_vmalloc_addr(at) ? vmalloc_to_pfn(at) : page_to_pfn(virt_to_page(at));

	return PFN_PHYS(pfn) | ((uintptr_t)at & (PAGE_SIZE - 1));
}

int port_block_rw(unsigned int device, u64 sector, void *buffer, unsigned int count, bool write)
{
	size_t left = (size_t)count << 9;
	char *at = buffer;
	int err = 0;

	if (device || !vblk.present)
		return -ENXIO;
	if (sector > vblk.sectors || count > vblk.sectors - sector)
		return -EINVAL;
	if (write && vblk.read_only)
		return -EROFS;
	down_write(&vblk.lock);
	while (left && !err) {
		/* What the direct map shows is contiguous as far as it goes. */
		size_t page = PAGE_SIZE - ((uintptr_t)at & (PAGE_SIZE - 1));
		size_t n = is_vmalloc_addr(at) ? min(left, page) : left;

		err = vblk.present ? request(sector, phys_of(at), (u32)n, write) : -EIO;
		at += n;
		left -= n;
		sector += n >> 9;
	}
	up_write(&vblk.lock);
	return err;
}

/* ---- /dev/vda ---- */

#define BLKROGET 0x125e
#define BLKGETSIZE 0x1260
#define BLKFLSBUF 0x1261
#define BLKSSZGET 0x1268
#define BLKBSZGET 0x80081270ul
#define BLKGETSIZE64 0x80081272ul

static long vblk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	s32 sector = 512, block = PAGE_SIZE, read_only = vblk.read_only;
	u64 bytes = vblk.sectors << 9;
	unsigned long sectors = (unsigned long)vblk.sectors;

	switch (cmd) {
	case BLKROGET:
		return put_user(read_only, arg);
	case BLKGETSIZE:
		return put_user(sectors, arg);
	case BLKGETSIZE64:
		return put_user(bytes, arg);
	case BLKSSZGET:
		return put_user(sector, arg);
	case BLKBSZGET:
		return put_user(block, arg);
	case BLKFLSBUF:
		return file_write_and_wait_range(file, 0, ~0ull >> 1);
	}
	return -ENOTTY;
}

int virtio_blk_open(struct inode *inode, struct file *file)
{
	(void)inode;
	if (!vblk.present)
		return -ENXIO;
	if (file->f_mode & FMODE_WRITE && vblk.read_only)
		return -EACCES;
	if (!vblk_fops.read_iter) {
		vblk_fops = bdev_fops;
		fops_with_path(&vblk_fops);
		vblk_fops.ioctl = vblk_ioctl;
	}
	file->f_op = &vblk_fops;
	file->f_mapping = &vblk.inode.i_data;
	return 0;
}
