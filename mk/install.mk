# SPDX-License-Identifier: MIT
# make install
PREFIX ?= /usr/local
