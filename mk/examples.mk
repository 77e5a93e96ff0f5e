# SPDX-License-Identifier: MIT
# The examples: built against the archive, as a stranger's program would be.

$(B)/examples/%: examples/%.c $(HOSTED_OBJS) $(B)/liboctavo.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_HOSTED) $(LDFLAGS_HOSTED) -o $@ $^

.PHONY: examples
examples: $(patsubst examples/%.c,$(B)/examples/%,$(wildcard examples/*.c)) ## build the example programs
