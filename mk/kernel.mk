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
	$(Q)nm -n $< | awk -v word=$(PC_WORD) -f port/pc/symbols.awk >$@
$(B)/kernel.elf: $(B)/pc/kernel-symbols.S
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_KERNEL) -o $@ $(KERNEL_ELF_OBJS) $< $(LIBS_PC)

-include $(KERNEL_OBJS:.o=.d)
endif
