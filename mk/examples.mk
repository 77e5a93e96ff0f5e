# SPDX-License-Identifier: MIT
# The examples: built against the archive, as a stranger's program would be.

$(B)/examples/%: examples/%.c $(HOSTED_OBJS) $(B)/liboctavo.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_HOSTED) $(LDFLAGS_HOSTED) -o $@ $^

# Those with a port of their own need nothing of this one: the public headers and an archive that finds its CPU by
# port_cpu_id() (%gs is the host's) and keeps its page descriptors in an array (there is no window for them). It is built in
# a directory of its own.
EMBED_EXAMPLES := embed
EMBED_FLAVOUR := INLINE=call MODEL=flat
$(EMBED_EXAMPLES:%=$(B)/embedded/%): $(B)/embedded/%: examples/%.c $(B)/liboctavo.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) -g $(OPT) -Wall -Wextra -Werror $(if $(M32),-m32) $(if $(SAN),-fsanitize=$(SAN)) -pthread -Iinclude \
		-DOCTAVO_MEMORY_MODEL_$(shell echo $(MODEL) | tr a-z A-Z) -o $@ $^

.PHONY: examples embed
examples: $(patsubst %,$(B)/examples/%,$(filter-out $(EMBED_EXAMPLES),$(patsubst examples/%.c,%,$(wildcard examples/*.c)))) ## build the example programs
	$(Q)$(MAKE) --no-print-directory B=$(B)/call-flat $(EMBED_FLAVOUR) $(EMBED_EXAMPLES:%=$(B)/call-flat/embedded/%)
embed: ## build and run the example of the allocators inside a program
	$(Q)$(MAKE) --no-print-directory B=$(B)/call-flat $(EMBED_FLAVOUR) $(B)/call-flat/embedded/embed
	$(Q)$(B)/call-flat/embedded/embed
