# SPDX-License-Identifier: MIT
# Tests. tests/unit is freestanding and runs hosted and on bare metal; tests/hosted needs a process.

UNIT_SRCS := $(sort $(wildcard tests/*.c tests/unit/*.c))
HTEST_SRCS := $(filter-out tests/hosted/conformance.c,$(sort $(wildcard tests/hosted/*.c)))
CONFORMANCE_OBJS := $(B)/hosted/tests/hosted/conformance.o
UNIT_OBJS := $(call objs,$(B)/core,$(UNIT_SRCS))
HTEST_OBJS := $(call objs,$(B)/hosted,$(HTEST_SRCS))
$(UNIT_OBJS): CFLAGS_CORE += -I. -Itests
$(HTEST_OBJS): CFLAGS_HOSTED += -Itests

$(B)/tests: $(UNIT_OBJS) $(HTEST_OBJS) $(CLI_LIB_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

$(B)/conformance: $(CONFORMANCE_OBJS) $(CLI_LIB_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

.PHONY: conformance-logs
conformance-logs: $(B)/conformance ## boot the logs in OCTAVO_SHARED/bootlogs and compare (LOGS=FILES: those logs)
	$(Q)$(B)/conformance $(LOGS)

.PHONY: unit
unit: $(B)/tests ## run the unit tests in the process (ONLY=PATTERN for some)
	$(Q)$(B)/tests $(ONLY)

-include $(UNIT_OBJS:.o=.d) $(HTEST_OBJS:.o=.d)
all: $(B)/tests $(B)/octavo
