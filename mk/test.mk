# SPDX-License-Identifier: MIT
# Tests. tests/unit is freestanding and runs hosted and on bare metal; tests/hosted needs a process.

# TESTS=WORD,WORD...: of the tests, only files that have one of these in their names (for builds that run no others)
files_with = $(sort $(foreach word,$(subst $(comma), ,$(TESTS)),$(foreach f,$(1),$(if $(findstring $(word),$(notdir $(f))),$(f)))))
chosen = $(if $(TESTS),$(filter-out %_test.c,$(1)) $(call files_with,$(filter %_test.c,$(1))),$(1))
UNIT_SRCS := $(call chosen,$(sort $(wildcard tests/*.c tests/unit/*.c)))
HTEST_SRCS := $(call chosen,$(filter-out tests/hosted/conformance.c,$(sort $(wildcard tests/hosted/*.c))))
CONFORMANCE_OBJS := $(B)/hosted/tests/hosted/conformance.o
# One source for all page-table formats: an object for each, whatever ARCH is.
PGFMT_ARCHES := x86_64 x86_64_la57 i386 i386_pae arm64
PGFMT_OBJS := $(PGFMT_ARCHES:%=$(B)/core/tests/pgfmt/%.o)
UNIT_OBJS := $(call objs,$(B)/core,$(UNIT_SRCS)) $(PGFMT_OBJS)
HTEST_OBJS := $(call objs,$(B)/hosted,$(HTEST_SRCS))
# Tests are compiled more often than they run long: -O1. (kmemleak_test.c needs registers and stacks that forget.)
TEST_OPT = $(if $(filter %/kmemleak_test.o,$@),,$(if $(filter-out -O0,$(OPT)),-O1))
$(UNIT_OBJS): CFLAGS_CORE += -I. -Itests $(TEST_OPT)
$(HTEST_OBJS): CFLAGS_HOSTED += -Itests $(TEST_OPT)

upper = $(shell echo $(1) | tr a-z A-Z)
$(PGFMT_OBJS): $(B)/core/tests/pgfmt/%.o: tests/pgfmt/pgfmt_test.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< ($*)")
	$(Q)$(CC) $(CFLAGS_CORE) -UOCTAVO_ARCH_$(call upper,$(ARCH)) -DOCTAVO_ARCH_$(call upper,$*) \
		-DPGFMT_SUITE=pgfmt_$* $(DEPFLAGS) -c -o $@ $<

$(B)/tests: $(UNIT_OBJS) $(HTEST_OBJS) $(CLI_LIB_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

$(B)/conformance: $(CONFORMANCE_OBJS) $(CLI_LIB_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ $(LIBS_CLI)

.PHONY: conformance-logs
conformance-logs: $(B)/conformance ## boot the logs in OCTAVO_SHARED/bootlogs and compare (LOGS=FILES: those logs)
	$(Q)$(B)/conformance $(LOGS)

.PHONY: check
check: $(B)/tests ## lint and unit tests, under a minute: before each commit
	$(Q)tools/tidy $(B)
	$(Q)$(B)/tests --jobs 2

.PHONY: unit
unit: $(B)/tests ## run the unit tests in the process (ONLY=PATTERN for some)
	$(Q)$(B)/tests $(ONLY)

.PHONY: test
test: ## everything: all variants, real boot logs, emulated PCs, lint; under half an hour (SUITES=NAMES for some)
	$(Q)sh tests/run.sh $(SUITES)

# libFuzzer targets: a build of their own, with clang.
FUZZ_SECONDS ?= 30
FUZZ_SRCS := $(filter-out $(if $(HOST_X86_64),,tests/fuzz/elf.c),$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_OBJS := $(call objs,$(B)/hosted,$(FUZZ_SRCS))
# What targets about the reference kernel's readers need beside the core.
$(B)/fuzz-cpio: $(B)/hosted/kernel/cpio.o
$(B)/fuzz-elf: $(call objs,$(B)/hosted,kernel/elf.c tests/hosted/elf_try.c tests/hosted/user.c) $(B)/core/tests/tasks.o
TEST_TOOL_OBJS := $(call objs,$(B)/core,$(filter-out tests/tasks.c tests/process_model.c tests/uffd.c,$(sort $(wildcard tests/*.c))))
$(FUZZ_OBJS): CFLAGS_HOSTED += -Itests
$(B)/fuzz-%: $(B)/hosted/tests/fuzz/%.o $(TEST_TOOL_OBJS) $(CLI_LIB_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -fsanitize=fuzzer -o $@ $^ $(LIBS_CLI)

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_SRCS:tests/fuzz/%.c=$(B)/fuzz-%)
fuzz: ## fuzz the allocator and the readers of boot logs, archives and programs, FUZZ_SECONDS (30) each; needs clang
	$(Q)$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang SAN=address,undefined,fuzzer-no-link fuzz-programs
	$(Q)sh tests/fuzz/run.sh $(B)/fuzz $(FUZZ_SECONDS)

-include $(FUZZ_OBJS:.o=.d)
-include $(UNIT_OBJS:.o=.d) $(HTEST_OBJS:.o=.d)
all: $(B)/tests $(B)/octavo
