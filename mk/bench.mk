# SPDX-License-Identifier: MIT
# make bench: page frames, ours against peers. PEER="a.so b.so" adds peers: shared objects with the functions of
# bench/pfa.h.

BENCH_SRCS := bench/framebench.c bench/pfa_octavo.c
BENCH_OBJS := $(call objs,$(B)/hosted,$(BENCH_SRCS))
$(BENCH_OBJS): CFLAGS_HOSTED += -Ibench
PEER ?=

$(B)/framebench: $(BENCH_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ -ldl

$(B)/peer_buddy.so: bench/peer_buddy.c bench/pfa.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $@")
	$(Q)$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -fPIC -shared -pthread -Ibench -o $@ $<

.PHONY: bench
bench: $(B)/framebench $(B)/peer_buddy.so ## measure page frames against peers (PEER="a.so b.so"; QUICK=1)
	$(Q)$(B)/framebench $(if $(QUICK),--quick) $(B)/peer_buddy.so $(PEER)

-include $(BENCH_OBJS:.o=.d)
