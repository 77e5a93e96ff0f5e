# SPDX-License-Identifier: MIT
# The reference kernel: build/kernel.elf, of the core, the PC port and kernel/. x86-64 only.

ifeq ($(PC_ISA),x86_64)
KERNEL_SRCS := $(sort $(wildcard kernel/*.c kernel/x86_64/*.c kernel/x86_64/*.S))
KERNEL_PORT_SRCS := $(filter-out port/pc/run.c port/pc/park.c,$(PC_SRCS))
KERNEL_OBJS := $(call objs,$(B)/pc,$(KERNEL_SRCS) $(KERNEL_PORT_SRCS))
KERNEL_ELF_OBJS = $(KERNEL_OBJS) $(CORE_OBJS)
# Where entry.S finds the kernel's per-CPU words, counted from %gs.
LDFLAGS_KERNEL := $(LDFLAGS_PC) -Wl,--defsym=kernel_cpu_gs=kernel_cpu-octavo_percpu_unit

$(B)/pc/kernel-1.elf: $(B)/pc/symbols-none.S $(KERNEL_ELF_OBJS) port/pc/pc.ld
	$(Q)$(CC) $(LDFLAGS_KERNEL) -o $@ $(KERNEL_ELF_OBJS) $< $(LIBS_PC)
$(B)/pc/kernel-symbols.S: $(B)/pc/kernel-1.elf
	$(Q)nm -n $< >$@.nm && awk -v word=$(PC_WORD) -f port/pc/symbols.awk <$@.nm >$@
$(B)/kernel.elf: $(B)/pc/kernel-symbols.S
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_KERNEL) -o $@ $(KERNEL_ELF_OBJS) $< $(LIBS_PC)

-include $(KERNEL_OBJS:.o=.d)

# Programs for it, static: what Linux runs, too.
USER_PROGRAMS := $(patsubst tests/user/%.c,$(B)/user/%,$(sort $(wildcard tests/user/*.c)))
BENCH_PROGRAMS := $(patsubst bench/user/%.c,$(B)/user/%,$(sort $(wildcard bench/user/*.c)))
define user_program
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -static -pthread -o $@ $<
endef
$(B)/user/%: tests/user/%.c $(wildcard tests/user/*.h)
	$(user_program)
$(B)/user/%: bench/user/%.c
	$(user_program)

# The bench that the figures of docs/ come from, if it is at hand: OCTAVO_SHARED/bench/mmbench.c.
OCTAVO_SHARED ?= ../shared
MMBENCH := $(wildcard $(OCTAVO_SHARED)/bench/mmbench.c)
$(B)/user/mmbench: $(MMBENCH)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -static -o $@ $<

SHELL_PROGRAMS = $(USER_PROGRAMS) $(BENCH_PROGRAMS) $(if $(MMBENCH),$(B)/user/mmbench)
$(B)/shell.cpio: tools/initramfs.sh tools/init-shell.sh $(SHELL_PROGRAMS)
	$(Q)tools/initramfs.sh $@ tools/init-shell.sh $(SHELL_PROGRAMS)

.PHONY: qemu kernel user-programs
kernel: $(B)/kernel.elf
user-programs: $(USER_PROGRAMS)
qemu: $(B)/kernel.elf $(B)/shell.cpio ## a BusyBox shell on the reference kernel (MEM= SMP= NUMA= APPEND=)
	$(QEMU) $$(tests/qemu/machine.sh $(MEM) $(SMP) $(NUMA)) -kernel $(B)/kernel.elf -initrd $(B)/shell.cpio \
		-append 'console=ttyS0 $(APPEND)'
endif
