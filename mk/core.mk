# SPDX-License-Identifier: MIT
# The core: the same objects in every port.

include mk/sources.mk
ifneq ($(SAN),)
CORE_SRCS := $(filter-out mm/base/memory.c,$(CORE_SRCS))
endif
CORE_OBJS := $(call objs,$(B)/core,$(CORE_SRCS))

# Freestanding, position independent, no red zone and no vector registers: fit for a kernel and a process.
CFLAGS_CORE := $(CFLAGS_COMMON) -ffreestanding -fvisibility=hidden -fPIE -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none -Iport/inline/$(INLINE)
ifeq ($(SAN),)
ifneq ($(filter x86_64 i%86,$(shell uname -m)),)
CFLAGS_CORE += -mgeneral-regs-only $(if $(M32),,-mno-red-zone)
endif
endif

# Leaf functions, run at every allocation (see there).
$(B)/core/mm/slab/heap_fast.o $(B)/core/mm/slab/slub_fast.o: CFLAGS_CORE += $(if $(SAN),,-fomit-frame-pointer)

$(B)/core/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_CORE) $(DEPFLAGS) -c -o $@ $<

# One relocatable object in the archive: what is hidden becomes local, so that only the API can collide.
$(B)/liboctavo.o: $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(if $(M32),-m32) -nostdlib -r -o $@ $(CORE_OBJS)
	$(Q)objcopy --localize-hidden $@
$(B)/liboctavo.a: $(B)/liboctavo.o
	$(if $(V),,@echo "  AR    $@")
	$(Q)rm -f $@ && ar rcs $@ $<

-include $(CORE_OBJS:.o=.d)
