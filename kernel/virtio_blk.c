// SPDX-License-Identifier: MIT
/*
 * Virtio block devices over PCI: each serves one request at a time, whose end is polled for. Source: Virtual I/O Device
 * (VIRTIO) version 1.2, sections 2.7 (split queues), 4.1 (PCI), 5.2 (block devices); PCI Local Bus 3.0 for the
 * configuration space.
 */
#include "virtio_blk.h"

#include <octavo/blkdev.h>
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
#define FEATURE_BLK_DISCARD (1u << 13)

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
enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_DISCARD = 11 };
struct blk_discard {
	u64 sector;
	u32 sectors, flags;
};
#define CONFIG_DISCARD_MOST 36 /* sectors at once: 5.2.4 */

#define QUEUE 8u	 /* three descriptors are used */
#define RING_AVAIL 1024u /* where the parts lie in the ring's page */
#define RING_USED 2048u
#define RING_HEADER 3072u
#define RING_STATUS 3200u
#define RING_DISCARD 3328u

#define DISKS 8u

struct vblk {
	struct rw_semaphore lock;	       /* one request at a time */
	volatile void __iomem *cfg[CFG_KINDS];
	volatile void __iomem *notify;
	u32 notify_multiplier;
	char *ring;			       /* one page */
	u64 ring_phys;
	u16 used;
	u32 discard_most;		       /* sectors; 0: cannot */
	bool can_flush;			       /* it may keep what it is given in a cache of its own */
	bool present;			       /* and answers */
	char name[8];
	struct bdev bdev;
};

static struct vblk disks[DISKS] __memsys;

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

/* Function 0 of each device of bus 0: where the emulators put them. */
static bool pci_is_disk(u32 device)
{
	u32 id = pci_read(device, 0);

	return (id & 0xffff) == VIRTIO_VENDOR &&
	       (id >> 16 == VIRTIO_BLK_TRANSITIONAL || id >> 16 == VIRTIO_BLK_MODERN);
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
static bool map_structures(struct vblk *disk, u32 device)
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
		if (kind < CFG_COMMON || kind > CFG_DEVICE || bar > 5 || disk->cfg[kind] || !pci_bar(device, bar))
			continue;
		disk->cfg[kind] = ioremap(pci_bar(device, bar) + offset, len);
		if (kind == CFG_NOTIFY)
			disk->notify_multiplier = pci_read(device, cap + 16);
	}
	return disk->cfg[CFG_COMMON] && disk->cfg[CFG_NOTIFY] && disk->cfg[CFG_DEVICE];
}

/* ---- Start ---- */

static volatile void __iomem *common(const struct vblk *disk, u32 at)
{
	return (volatile char __iomem *)disk->cfg[CFG_COMMON] + at;
}

static u32 config(const struct vblk *disk, u32 at)
{
	return readl((volatile char __iomem *)disk->cfg[CFG_DEVICE] + at);
}

static void set_address(const struct vblk *disk, u32 at, u64 phys)
{
	writel((u32)phys, common(disk, at));
	writel((u32)(phys >> 32), common(disk, at + 4));
}

/* 3.1.1, up to features. Return: the device takes them. */
static bool negotiate(struct vblk *disk)
{
	u32 low;

	writeb(0, common(disk, COMMON_STATUS));
	while (readb(common(disk, COMMON_STATUS)))
		port_cpu_relax();
	writeb(STATUS_ACKNOWLEDGE, common(disk, COMMON_STATUS));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER, common(disk, COMMON_STATUS));
	writel(0, common(disk, COMMON_DEVICE_FEATURE_SELECT));
	low = readl(common(disk, COMMON_DEVICE_FEATURE));
	disk->bdev.read_only = low & FEATURE_BLK_RO;
	writel(0, common(disk, COMMON_DRIVER_FEATURE_SELECT));
	writel(low & (FEATURE_BLK_RO | FEATURE_BLK_FLUSH | FEATURE_BLK_DISCARD), common(disk, COMMON_DRIVER_FEATURE));
	writel(1, common(disk, COMMON_DRIVER_FEATURE_SELECT));
	disk->discard_most = low & FEATURE_BLK_DISCARD;
	disk->can_flush = low & FEATURE_BLK_FLUSH;
	writel(FEATURE_VERSION_1_HIGH, common(disk, COMMON_DRIVER_FEATURE));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK, common(disk, COMMON_STATUS));
	return readb(common(disk, COMMON_STATUS)) & STATUS_FEATURES_OK;
}

static int start_queue(struct vblk *disk)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	u16 off;

	if (!page)
		return -ENOMEM;
	disk->ring = page_address(page);
	disk->ring_phys = PFN_PHYS(page_to_pfn(page));
	writew(0, common(disk, COMMON_QUEUE_SELECT));
	if (readw(common(disk, COMMON_QUEUE_SIZE)) < QUEUE)
		return -ENODEV;
	writew(QUEUE, common(disk, COMMON_QUEUE_SIZE));
	set_address(disk, COMMON_QUEUE_DESC, disk->ring_phys);
	set_address(disk, COMMON_QUEUE_DRIVER, disk->ring_phys + RING_AVAIL);
	set_address(disk, COMMON_QUEUE_DEVICE, disk->ring_phys + RING_USED);
	off = readw(common(disk, COMMON_QUEUE_NOTIFY_OFF));
	disk->notify = (volatile char __iomem *)disk->cfg[CFG_NOTIFY] + off * disk->notify_multiplier;
	writew(1, common(disk, COMMON_QUEUE_ENABLE));
	writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK, common(disk, COMMON_STATUS));
	return 0;
}

/* ---- Requests ---- */

#define SPINS 1000u	     /* most requests of an emulator are done by then */
#define WAIT_NS 100000ull    /* then others may run */
#define GIVE_UP 100000u	     /* ten seconds of them */
#define GIVE_UP_FLUSH (360 * GIVE_UP) /* an hour: a host may have gigabytes to write */

static int wait_used(struct vblk *disk, u32 turns)
{
	const u16 *used = (const u16 *)(disk->ring + RING_USED) + 1;

	for (u32 i = 0; i < SPINS + turns; i++) {
		if (kload(used) != disk->used) {
			disk->used++;
			return 0;
		}
		if (i < SPINS) {
			port_cpu_relax();
		} else {
			set_state(TASK_UNINTERRUPTIBLE);
			schedule_timeout(WAIT_NS);
		}
	}
	printk("%s: a request is not answered; the device is given up\n", disk->name);
	disk->present = false;
	return -EIO;
}

/* @phys: contiguous. With the lock held. */
static int request(struct vblk *disk, u32 type, u64 sector, u64 phys, u32 bytes)
{
	struct vring_desc *desc = (struct vring_desc *)disk->ring;
	struct blk_header *head = (struct blk_header *)(disk->ring + RING_HEADER);
	u16 *avail = (u16 *)(disk->ring + RING_AVAIL);
	u8 *status = (u8 *)disk->ring + RING_STATUS;
	int err;

	if (!disk->present)
		return -EIO;
	*head = (struct blk_header){ type, 0, sector };
	*status = 0xff;
	desc[0] = (struct vring_desc){ disk->ring_phys + RING_HEADER, sizeof(*head), DESC_NEXT, 1 };
	desc[1] = (struct vring_desc){ phys, bytes, DESC_NEXT | (type == BLK_IN ? DESC_WRITE : 0), 2 };
	desc[2] = (struct vring_desc){ disk->ring_phys + RING_STATUS, 1, DESC_WRITE, 0 };
	if (!bytes)
		desc[0].next = 2;
	avail[2 + avail[1] % QUEUE] = 0;
	kstore(&avail[1], (u16)(avail[1] + 1));
	kfence();
	writew(0, disk->notify);
	err = wait_used(disk, type == BLK_FLUSH ? GIVE_UP_FLUSH : GIVE_UP);
	return err ? err : kload(status) ? -EIO : 0;
}

static u64 phys_of(const char *at)
{
	unsigned long pfn = is_vmalloc_addr(at) ? vmalloc_to_pfn(at) : page_to_pfn(virt_to_page(at));

	return PFN_PHYS(pfn) | ((uintptr_t)at & (PAGE_SIZE - 1));
}

static int vblk_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	struct vblk *disk = bdev->private_data;
	size_t left = (size_t)count << SECTOR_SHIFT;
	char *at = buffer;
	int err = 0;

	down_write(&disk->lock);
	while (left && !err) {
		/* What the direct map shows is contiguous as far as it goes. */
		size_t page = PAGE_SIZE - ((uintptr_t)at & (PAGE_SIZE - 1));
		size_t n = is_vmalloc_addr(at) ? min(left, page) : left;

		err = request(disk, write ? BLK_OUT : BLK_IN, sector, phys_of(at), (u32)n);
		at += n;
		left -= n;
		sector += n >> SECTOR_SHIFT;
	}
	up_write(&disk->lock);
	return err;
}

static int vblk_discard(struct bdev *bdev, u64 sector, u64 count)
{
	struct vblk *disk = bdev->private_data;
	struct blk_discard *range = (struct blk_discard *)(disk->ring + RING_DISCARD);
	int err = 0;

	down_write(&disk->lock);
	while (disk->discard_most && count && !err) {
		u32 n = (u32)min(count, (u64)disk->discard_most);

		*range = (struct blk_discard){ .sector = sector, .sectors = n };
		err = request(disk, BLK_DISCARD, 0, disk->ring_phys + RING_DISCARD, sizeof(*range));
		sector += n;
		count -= n;
	}
	up_write(&disk->lock);
	return err;
}

static int vblk_flush(struct bdev *bdev)
{
	struct vblk *disk = bdev->private_data;
	int err;

	if (!disk->can_flush)
		return 0;
	down_write(&disk->lock);
	err = request(disk, BLK_FLUSH, 0, 0, 0);
	up_write(&disk->lock);
	return err;
}

static const struct bdev_ops vblk_ops = { .rw = vblk_rw, .discard = vblk_discard, .flush = vblk_flush };

/* ---- Finding them ---- */

static int start(struct vblk *disk, u32 device)
{
	int err;

	pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND) | PCI_COMMAND_MEMORY_MASTER);
	if (!map_structures(disk, device)) {
		printk("%s: the device at PCI 00:%02x has no structures of virtio 1\n", disk->name, device);
		return -EIO;
	}
	if (!negotiate(disk)) {
		printk("%s: the device does not take our features\n", disk->name);
		return -EIO;
	}
	err = start_queue(disk);
	if (err) {
		printk("%s: its queue cannot be set up (error %d)\n", disk->name, -err);
		return err;
	}
	disk->bdev.sectors = config(disk, 0) | (u64)config(disk, 4) << 32;
	if (disk->discard_most)
		disk->discard_most = config(disk, CONFIG_DISCARD_MOST);
	disk->present = true;
	return bdev_register(&disk->bdev);
}

void virtio_blk_init(void)
{
	unsigned int nr = 0;

	for (u32 device = 0; device < 32 && nr < DISKS; device++) {
		struct vblk *disk = &disks[nr];

		if (!pci_is_disk(device))
			continue;
		octavo_snprintf(disk->name, sizeof(disk->name), "vd%c", 'a' + (int)nr);
		init_rwsem(&disk->lock);
		disk->bdev = (struct bdev){ .name = disk->name, .dev = BDEV(PORT_DISK_MAJOR, 16 * nr),
					    .ops = &vblk_ops, .private_data = disk, .slow = true };
		if (start(disk, device))
			continue; /* what is wrong has been printed; the next one gets the name */
		printk("%s: %llu sectors of 512 bytes%s\n", disk->name, (unsigned long long)disk->bdev.sectors,
		       disk->bdev.read_only ? ", read only" : "");
		nr++;
	}
}
