# SPDX-License-Identifier: MIT
# The hosted port and the octavo command.

HOSTED_SRCS := $(sort $(wildcard port/hosted/*.c))
CLI_SRCS := $(sort $(wildcard cli/*.c))
HOSTED_OBJS := $(call objs,$(B)/hosted,$(HOSTED_SRCS))
CLI_OBJS := $(call objs,$(B)/hosted,$(CLI_SRCS))
# The command without its main(): what the tests link.
CLI_LIB_OBJS := $(filter-out %/main.o,$(CLI_OBJS))
CFLAGS_HOSTED := $(CFLAGS_COMMON) -fPIE -pthread -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -fno-omit-frame-pointer \
	-I. -Iport/hosted -Iport/inline/$(INLINE)
LDFLAGS_HOSTED := -pie -pthread $(if $(M32),-m32) $(if $(SAN),-fsanitize=$(SAN))

$(B)/hosted/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_HOSTED) $(DEPFLAGS) -c -o $@ $<

# Line editing for the monitor, if the headers and the library are here: readline, or libedit. Asked only once the
# command is to be built.
hash := \#
has_library = $(shell printf '%s\n' '$(hash)include <stdio.h>' '$(hash)include <$(1)>' 'int main(void) { return !readline; }' | \
	$(CC) $(if $(M32),-m32) -x c -o /dev/null - $(2) 2>/dev/null && echo yes)
CLI_EDITING = $(eval CLI_EDITING := $$(if $$(call has_library,readline/readline.h,-lreadline),readline,$$(if \
	$$(call has_library,editline/readline.h,-ledit),editline)))$(CLI_EDITING)
CLI_EDITING_FLAG = $(if $(CLI_EDITING),-DCLI_$(shell echo $(CLI_EDITING) | tr a-z A-Z))
$(B)/hosted/cli/console.o: CFLAGS_HOSTED += $(CLI_EDITING_FLAG)
LIBS_CLI = $(if $(filter readline,$(CLI_EDITING)),-lreadline)$(if $(filter editline,$(CLI_EDITING)),-ledit) -lm -ldl

$(B)/octavo: $(CLI_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

.PHONY: run
run: $(B)/octavo ## boot this machine's memory map in a process and show it at work
	$(Q)$(B)/octavo tour

-include $(HOSTED_OBJS:.o=.d) $(CLI_OBJS:.o=.d)
