# SPDX-License-Identifier: MIT
# The PC port: build/octavo.elf, a kernel image from the very objects that the hosted port links.

PC_ISA := $(if $(M32),i386,x86_64)
PC_SRCS := $(sort $(wildcard port/pc/*.c port/pc/$(PC_ISA)/*.c port/pc/$(PC_ISA)/*.S))
PC_TEST_SRCS := $(sort $(wildcard tests/qemu/*.c tests/qemu/$(PC_ISA)/*.c))
PC_OBJS := $(call objs,$(B)/pc,$(PC_SRCS) $(PC_TEST_SRCS))

# Benches of the core from inside, freestanding like the unit tests.
KBENCH_OBJS := $(call objs,$(B)/core,$(sort $(wildcard bench/kbench*.c)))
$(KBENCH_OBJS): CFLAGS_CORE += -I.

# Where the kernel's half begins in 32 bits: 3 GiB, or 2 with SPLIT=2G.
SPLIT ?= 3G
PC_PAGE_OFFSET := $(if $(filter 2G,$(SPLIT)),0x80000000,0xc0000000)
PC_IMAGE_BASE := $(if $(M32),$(PC_PAGE_OFFSET),0xffffffff80000000)
PC_DEFINES := $(if $(M32),-DPC_PAGE_OFFSET=$(PC_PAGE_OFFSET) -DPC_BOOT_GIBS=$(if $(filter 2G,$(SPLIT)),2,1))

# The core's own flags: no vector registers, no red zone, %gs is the CPU's struct cpu_local.
CFLAGS_PC := $(filter-out -Iport/inline/%,$(CFLAGS_CORE)) -Iport/inline/$(if $(M32),call,gs) $(PC_DEFINES) -I. -Iport/pc -Iport/pc/$(PC_ISA) -Itests -Itests/qemu
LDFLAGS_PC := -nostdlib -static $(if $(M32),-m32) -T port/pc/pc.ld -Wl$(comma)--defsym=PC_IMAGE_BASE=$(PC_IMAGE_BASE) \
	-Wl,--no-relax,-z,max-page-size=4096,-z,noexecstack,--build-id=none,--no-warn-rwx-segments

$(B)/pc/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_PC) $(DEPFLAGS) -c -o $@ $<
$(B)/pc/%.o: %.S
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AS    $<")
	$(Q)$(CC) -g -fno-pie $(if $(M32),-m32) $(PC_DEFINES) $(filter -D%,$(CFLAGS_COMMON)) $(DEPFLAGS) -Iinclude -I. -c -o $@ $<

PC_WORD := $(if $(M32),.long,.quad)
# Divisions of 64 bits in 32.
LIBS_PC := $(if $(M32),-lgcc)
# Linked twice: the symbol table of the first image, which reports print names from, lies behind the text of the
# second, so no address in it changes.
ELF_OBJS = $(PC_OBJS) $(KBENCH_OBJS) $(UNIT_OBJS) $(CORE_OBJS)
$(B)/pc/symbols-none.S: port/pc/symbols.awk
	@mkdir -p $(@D)
	$(Q)awk -v word=$(PC_WORD) -f port/pc/symbols.awk </dev/null >$@
$(B)/pc/octavo-1.elf: $(B)/pc/symbols-none.S $(ELF_OBJS) port/pc/pc.ld
	$(Q)$(CC) $(LDFLAGS_PC) -o $@ $(ELF_OBJS) $< $(LIBS_PC)
$(B)/pc/symbols.S: $(B)/pc/octavo-1.elf
	$(Q)nm -n $< >$@.nm && awk -v word=$(PC_WORD) -f port/pc/symbols.awk <$@.nm >$@
ifneq ($(SAN)$(SCHED),)
$(B)/octavo.elf:
	@echo "octavo.elf: a kernel image is without a sanitizer's or the scheduler's run time" >&2; false
else ifeq ($(M32)$(MODEL),1vmemmap)
$(B)/octavo.elf:
	@echo "octavo.elf: a 32-bit kernel has no address space for MODEL=vmemmap" >&2; false
else
$(B)/octavo.elf: $(B)/pc/symbols.S
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_PC) -o $@ $(ELF_OBJS) $< $(LIBS_PC)
	@echo $(ARCH) >$(B)/octavo.arch
endif

-include $(PC_OBJS:.o=.d) $(KBENCH_OBJS:.o=.d)

# The readers of firmware tables and archives, and terminals' lines, are pure functions: the hosted tests run them, too.
PC_PURE_OBJS := $(call objs,$(B)/hosted,port/pc/acpi.c port/pc/bootproto.c kernel/cpio.c kernel/ldisc.c \
	$(if $(HOST_X86_64),port/pc/x86_64/decode.c kernel/elf.c))
$(B)/tests: $(PC_PURE_OBJS) $(KBENCH_OBJS)
-include $(PC_PURE_OBJS:.o=.d)

$(B)/hosted/tests/hosted/pc_mmu_test.o: CFLAGS_HOSTED += -Iport/pc/x86_64

# make qemu-monitor MEM=2G SMP=4 NUMA=2 APPEND='octavo.test=all'; Ctrl-A X leaves.
MEM ?= 512M
SMP ?= 4
NUMA ?= 1
APPEND ?=
QEMU := $(if $(M32),qemu-system-i386 -cpu max,qemu-system-x86_64) -nographic -nodefaults -serial mon:stdio -no-reboot

.PHONY: qemu-monitor qemu-grub qemu-test
qemu-monitor: $(B)/octavo.elf ## the monitor on an emulated PC (MEM= SMP= NUMA= APPEND=)
	$(QEMU) $$(tests/qemu/machine.sh $(MEM) $(SMP) $(NUMA)) -kernel $< -append '$(APPEND)'
qemu-grub: $(B)/octavo.elf ## the monitor from a CD with GRUB (multiboot2)
	$(Q)tests/qemu/iso.sh $< $(B)/octavo.iso '$(APPEND)'
	$(QEMU) $$(tests/qemu/machine.sh $(MEM) $(SMP) $(NUMA)) -cdrom $(B)/octavo.iso
qemu-test: $(B)/octavo.elf ## the kernel image on PCs of all sizes; minutes (ONLY=PATTERN for some)
	$(Q)tests/qemu/run.sh $(B) $(ONLY)
