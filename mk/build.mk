# SPDX-License-Identifier: MIT
# Flags and rules every part shares.

Q := $(if $(V),,@)
comma := ,

# PORT_INLINE: how the core finds its per-CPU base (port/inline/*). x86-64 uses %gs in both ports.
HOST_X86_64 := $(if $(M32),,$(filter x86_64,$(shell uname -m)))
INLINE ?= $(if $(HOST_X86_64),gs,call)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wundef -Wvla -Wno-sign-compare -Wno-missing-field-initializers \
	-Wno-gnu-variable-sized-type-not-at-end
# What gcc warns of in sanitizer builds only: fences its thread sanitizer does not see (the code that has one pairs it with
# read-modify-writes), and null strings that only the checks themselves bring about.
SAN_NO_WARNING := $(if $(findstring clang,$(shell $(CC) --version)),,-Wno-tsan -Wno-format-overflow)
G ?= -g
CFLAGS_COMMON := -std=gnu11 $(G) $(OPT) $(WARN) -Iinclude $(if $(M32),-m32) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer $(SAN_NO_WARNING)) \
	$(if $(DEBUG),-DOCTAVO_DEBUG) $(if $(SCHED),-DOCTAVO_SCHED) \
	-DOCTAVO_MEMORY_MODEL_$(shell echo $(MODEL) | tr a-z A-Z) $(if $(BOOTMEM),-DOCTAVO_BOOTMEM) \
	-DOCTAVO_HEAP_$(shell echo $(SLAB) | tr a-z A-Z) -DOCTAVO_ARCH_$(shell echo $(ARCH) | tr a-z A-Z)
DEPFLAGS = -MMD -MP

# $(call objs,DIR,SOURCES): the object of each source below DIR
objs = $(patsubst %.c,$(1)/%.o,$(patsubst %.S,$(1)/%.o,$(2)))

ARCHES := $(if $(M32),i386 i386_pae,x86_64 x86_64_la57 arm64)
ifeq ($(filter $(ARCH),$(ARCHES)),)
$(error ARCH=$(ARCH) is none of $(ARCHES): 32-bit formats go with M32=1, 64-bit ones without)
endif

.PHONY: all help clean
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  variants: CC=clang  M32=1  SAN=address,undefined  SAN=thread  DEBUG=1  SCHED=1"
	@echo "            MODEL=vmemmap|sparse|discontig|flat  BOOTMEM=1  SLAB=slub|slab|slob"
	@echo "            ARCH=x86_64|x86_64_la57|arm64, with M32=1 i386|i386_pae  (give each a directory: B=build/NAME)"

clean: ## remove everything that was built
	$(Q)rm -rf $(B)
