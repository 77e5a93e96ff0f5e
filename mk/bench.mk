# SPDX-License-Identifier: MIT
# make bench: page frames, ours against peers. PEER="a.so b.so" adds peers: shared objects with the functions of
# bench/pfa.h.
# make bench-heap: the heap against malloc() of glibc and of mimalloc, jemalloc and tcmalloc, where they are installed
# (Debian: libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4). PEER="a.so b.so" adds libraries with malloc() and free().

# make bench-zswap: packing pages, ours against liblz4 and libzstd where they are installed, and the pools (FILES="...":
# pages of those).

BENCH_SRCS := bench/framebench.c bench/pfa_octavo.c
BENCH_OBJS := $(call objs,$(B)/hosted,$(BENCH_SRCS))
HEAPBENCH_SRCS := bench/heapbench.c bench/heap_rows.c bench/heap_mix.c bench/heap_octavo.c
HEAPBENCH_OBJS := $(call objs,$(B)/hosted,$(HEAPBENCH_SRCS))
ZBENCH_OBJS := $(call objs,$(B)/hosted,bench/zbench.c)
$(BENCH_OBJS) $(HEAPBENCH_OBJS) $(ZBENCH_OBJS): CFLAGS_HOSTED += -Ibench
THRASHBENCH_OBJS := $(call objs,$(B)/hosted,bench/thrashbench.c)
PEER ?=

$(B)/framebench: $(BENCH_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ -ldl
$(B)/heapbench: $(HEAPBENCH_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ -ldl
$(B)/zbench: $(ZBENCH_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ -ldl

$(B)/thrashbench: $(THRASHBENCH_OBJS) $(HOSTED_OBJS) $(CORE_OBJS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_HOSTED) -o $@ $^ -ldl

$(B)/peer_buddy.so: bench/peer_buddy.c bench/pfa.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $@")
	$(Q)$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -fPIC -shared -pthread -Ibench -o $@ $<

.PHONY: bench bench-heap bench-zswap bench-thrash bench-replay
bench: $(B)/framebench $(B)/peer_buddy.so ## measure page frames against peers (PEER="a.so b.so"; QUICK=1)
	$(Q)$(B)/framebench $(if $(QUICK),--quick) $(B)/peer_buddy.so $(PEER)
bench-heap: $(B)/heapbench ## measure the heap against malloc() of others (PEER="a.so b.so"; QUICK=1; JSON=1)
	$(Q)$(B)/heapbench $(if $(QUICK),--quick) $(if $(JSON),--json) $(PEER)
bench-zswap: $(B)/zbench ## measure packing of pages against liblz4 and libzstd, and the pools (FILES="...": theirs)
	$(Q)$(B)/zbench $(FILES)
bench-thrash: $(B)/thrashbench ## a process larger than memory: accesses a second, tail latencies (QUICK=1; JSON=1)
	$(Q)$(B)/thrashbench $(if $(QUICK),--quick) $(if $(JSON),--json)
bench-replay: $(B)/octavo ## miss ratios on traces of real programs, made with valgrind (octavo replay)
	$(Q)sh bench/traces.sh $(B)

-include $(THRASHBENCH_OBJS:.o=.d) $(ZBENCH_OBJS:.o=.d)
-include $(BENCH_OBJS:.o=.d) $(HEAPBENCH_OBJS:.o=.d)
