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

$(B)/octavo: $(CLI_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

-include $(HOSTED_OBJS:.o=.d) $(CLI_OBJS:.o=.d)
