# SPDX-License-Identifier: MIT
# Octavo. "make help" lists what there is.
#
# One non-recursive makefile. Everything is built below $(B); variants have directories of their own, so
# that they never mix:  make B=build/m32 M32=1   make B=build/asan SAN=address,undefined   make CC=clang B=build/clang

B ?= build
CC ?= cc
OPT ?= -O2
M32 ?=
SAN ?=
DEBUG ?=
SCHED ?=
MODEL ?= $(if $(M32),flat,vmemmap)
BOOTMEM ?=
SLAB ?= slub
ARCH ?= $(if $(M32),i386_pae,$(if $(filter aarch64,$(shell uname -m)),arm64,x86_64))
V ?=

include mk/build.mk
include mk/core.mk
include mk/hosted.mk
include mk/test.mk
include mk/examples.mk
include mk/bench.mk
include mk/pc.mk
include mk/kernel.mk
include mk/install.mk

# What a failed recipe left is not taken for its target by the next run.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
